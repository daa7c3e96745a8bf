"""``@op``: a function on tensors that is one node of a graph when called on symbolic ones."""

import functools
from collections.abc import Callable

import numpy as np
import torch

from kshim.core import tree
from kshim.core.arrays import to_tensor
from kshim.graph import keras_tensor, node

OPS: dict[str, Callable] = {}

# Types that are no container, no array and no symbolic tensor: nothing is to be done for them.
_PLAIN = frozenset({torch.Tensor, torch.nn.Parameter, int, float, bool, complex, str, type(None), torch.dtype})


def op(function):
    """Register ``function`` by name; arrays become tensors, symbolic inputs record a node.

    What is recorded is the op itself, so a graph is pickled by the op's name.
    """

    @functools.wraps(function)
    def dispatch(*args, **kwargs):
        for value in args:
            kind = type(value)
            if kind not in _PLAIN and not (kind is tuple and _PLAIN.issuperset(map(type, value))):
                break
        else:
            if not kwargs or _PLAIN.issuperset(map(type, kwargs.values())):
                return function(*args, **kwargs)
        return _dispatch(dispatch, function, args, kwargs)

    OPS[function.__name__] = dispatch
    return dispatch


def _dispatch(recorded, function, args, kwargs):
    device, arrays = None, False
    for leaf in tree.flatten([args, kwargs]):
        if isinstance(leaf, keras_tensor.KerasTensor):
            return node.record(recorded, args, kwargs)
        if isinstance(leaf, torch.Tensor):
            device = device or leaf.device
        arrays |= isinstance(leaf, np.ndarray)
    if arrays:

        def convert(leaf):
            return to_tensor(leaf).to(device) if isinstance(leaf, np.ndarray) else leaf

        args, kwargs = tree.map_structure(convert, args), tree.map_structure(convert, kwargs)
    return function(*args, **kwargs)

"""``@op``: a function on tensors that is one node of a graph when called on symbolic ones."""

import functools
from collections.abc import Callable

import numpy as np
import torch

from kshim.core import tree
from kshim.graph import keras_tensor, node

OPS: dict[str, Callable] = {}


def op(function):
    """Register ``function`` by name; arrays and numbers lists become tensors, symbolic inputs record a node."""

    @functools.wraps(function)
    def dispatch(*args, **kwargs):
        arrays = False
        for leaf in tree.flatten([args, kwargs]):
            if isinstance(leaf, keras_tensor.KerasTensor):
                return node.record(function, args, kwargs)
            arrays |= isinstance(leaf, np.ndarray)
        if arrays:
            args, kwargs = tree.map_structure(_tensor, args), tree.map_structure(_tensor, kwargs)
        return function(*args, **kwargs)

    OPS[function.__name__] = dispatch
    return dispatch


def _tensor(leaf):
    return torch.as_tensor(leaf) if isinstance(leaf, np.ndarray) else leaf

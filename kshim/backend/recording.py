"""How a K function is called: at once on values, as a node on symbolic tensors, and late on variables of the graph era.

Up to Keras 2.3.1 ``K.sum(K.square(layer.kernel))`` was a graph, computed anew at each run. So in those dialects a K
function on a ``Variable`` records a node, unless a layer, a training step or a ``K.function`` is running.
"""

import contextlib
import contextvars
import functools
import sys

import numpy as np
import torch

from kshim.core import settings, tree
from kshim.core.variable import Variable
from kshim.graph import infer, node
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers import Layer, calling

_running = contextvars.ContextVar("running", default=False)  # whether a K.function is
_phase = contextvars.ContextVar("phase", default=None)  # its learning phase


_CALLING = ("rnn", "map_fn", "foldl", "foldr")  # they run the user's functions, whose errors are theirs


class _Chosen:
    value = None  # what set_learning_phase said


@contextlib.contextmanager
def running(phase):
    """Within the block K functions compute, and the learning phase is ``phase``."""
    tokens = _running.set(True), _phase.set(phase)
    try:
        yield
    finally:
        _running.reset(tokens[0]), _phase.reset(tokens[1])


def graph_era():
    """Whether K functions on variables and updates are recorded here rather than computed."""
    return (
        settings.holds(until="2.3.1") and calling.current.depth == 0 and calling.current.collected is None
        and not _running.get() and not infer.is_running()
    )  # fmt: skip


def phase_now():
    """1 while training and 0 else: of the ``K.function`` or layer that runs, or what ``set_learning_phase`` said."""
    if _phase.get() is not None:
        return _phase.get()
    frame = sys._getframe(1)
    while frame is not None:  # Keras 1's layers ask without handing their flag on: the call that runs has it
        if frame.f_code.co_name in ("call", "forward", "fit", "evaluate", "train_on_batch", "test_on_batch"):
            owner = frame.f_locals.get("self")
            if isinstance(owner, Layer):
                return int(owner.training)
        frame = frame.f_back
    return int(_Chosen.value or 0)


def op(function):
    """A K function: arrays become tensors, symbolic tensors (and variables in the graph era) record a node."""

    @functools.wraps(function)
    def dispatch(*args, **kwargs):
        arrays = variables = False
        for leaf in tree.flatten([args, kwargs]):
            if isinstance(leaf, KerasTensor):
                return node.record(dispatch, args, kwargs)  # by its public name: graphs are pickled
            arrays |= isinstance(leaf, np.ndarray)
            variables |= isinstance(leaf, Variable)
        if variables and graph_era():
            return node.record(dispatch, args, kwargs)  # by its public name: graphs are pickled
        if arrays:
            args, kwargs = tree.map_structure(_tensor, args), tree.map_structure(_tensor, kwargs)
        try:
            return function(*args, **kwargs)
        except (RuntimeError, IndexError) as error:  # what torch says of shapes and axes; Keras says ValueError
            if function.__name__ in _CALLING or isinstance(error, torch.OutOfMemoryError):
                raise
            shapes = [tuple(x.shape) for x in tree.flatten([args, kwargs]) if isinstance(x, torch.Tensor)]
            raise ValueError(f"K.{function.__name__}: {error} Received: tensors of shapes {shapes}.") from error

    return dispatch


def _tensor(leaf):
    return torch.as_tensor(leaf) if isinstance(leaf, np.ndarray) else leaf

"""What goes on around a layer's ``call``: the call under way, training mode, masks and shapes of its arguments."""

import contextlib
import inspect
import threading

import torch

from kshim.core import tree
from kshim.graph import infer


class _Calling(threading.local):
    """The call under way in this thread: its id, how deep it is, where its losses are collected, and its precision."""

    depth = 0
    collected: list | None = None
    autocast = False  # whether a layer of a mixed policy is under way

    def __init__(self):
        self.id = threading.get_ident() << 40  # counts up from there: one for each outermost call of any thread


current = _Calling()


def new_call():
    """Begin an outermost call: what layers add to their losses from now on replaces what they added before."""
    current.id += 1


@contextlib.contextmanager
def collect_losses():
    """Within the block, the list yielded receives each loss that a layer adds."""
    outer, current.collected = current.collected, []
    try:
        yield current.collected
    finally:
        current.collected = outer


@contextlib.contextmanager
def training_mode(module, training):
    """Within the block, ``module`` and all below it train or not; each gets its own flag back after."""
    flags = [(m, m.training) for m in module.modules()]
    try:
        for m, _ in flags:
            m.__dict__["training"] = training
        yield
    finally:
        for m, flag in flags:
            m.__dict__["training"] = flag


@contextlib.contextmanager
def precision(device_type, dtype):
    """Within the block torch's autocast casts to ``dtype``; None: there is none, whatever layer is around."""
    outer, current.autocast = current.autocast, dtype is not None
    try:
        if infer.is_running():
            with infer.autocast(dtype):
                yield
        else:
            with torch.autocast(device_type, dtype, enabled=dtype is not None):
                yield
    finally:
        current.autocast = outer


def parameters(call):
    """Names of the arguments of a class's ``call``."""
    return tuple(list(inspect.signature(call).parameters)[1:])


def default(call, name):
    """The default of an argument of a class's ``call``; None without one."""
    parameter = inspect.signature(call).parameters.get(name)
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def flags_by_name(names, args, kwargs):
    """``training`` and ``mask`` given by position, as keywords."""
    given = dict(zip(names, args, strict=False))
    flags = {name: given[name] for name in ("training", "mask") if name in given}
    return tuple(a for i, a in enumerate(args) if names[i : i + 1] not in [(f,) for f in flags]), kwargs | flags


def shape_of(leaf):
    """The shape of a tensor or symbolic tensor, None for other values; within a meta run the batch axis is None."""
    shape = getattr(leaf, "shape", None)
    if shape is None:
        return None
    shape = tuple(shape)
    return (None, *shape[1:]) if shape and infer.is_running() else shape


def masks_of(inputs):
    """The masks on ``inputs``, in their structure, or None if there is none."""
    if not tree.is_nested(inputs):
        return getattr(inputs, "_keras_mask", None)
    masks = tree.map_structure(lambda leaf: getattr(leaf, "_keras_mask", None), inputs)
    return masks if any(mask is not None for mask in tree.flatten(masks)) else None

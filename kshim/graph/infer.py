"""Output shapes by running the code itself on ``meta`` tensors.

An axis that is None is run at two sizes; output axes that differ between the runs are None.
Source: the idea is Keras 3's ``backend/torch/core.py``.
"""

import contextlib
import contextvars
import functools

import torch
from torch.overrides import TorchFunctionMode

from kshim.core import dtypes, tree
from kshim.graph import keras_tensor

running = contextvars.ContextVar("running", default=False)
_autocast: contextvars.ContextVar = contextvars.ContextVar("autocast", default=None)

# What torch's autocast, which does not hear of meta tensors, runs in the lower precision.
_LOWERED = {
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bilinear", "bmm", "chain_matmul", "conv1d", "conv2d", "conv3d",
    "conv_tbc", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "einsum", "linear", "matmul", "mm", "mv",
    "multi_dot", "__matmul__", "__rmatmul__", "scaled_dot_product_attention", "tensordot",
}  # fmt: skip


def is_running():
    """Whether shapes are being inferred: tensors hold no values, and sizes stand for unknown ones."""
    return not torch.compiler.is_compiling() and running.get()  # dynamo can't trace a ContextVar


class CannotInferError(NotImplementedError):
    """The code needs values (``.item()``, ``nonzero``, numpy), which a meta run does not have."""


class _EverythingMeta(TorchFunctionMode):
    """Moves each real tensor that meets a torch call to ``meta``: weights, buffers and constants alike.

    A layer's state is thus never written to by a meta run.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if (name := getattr(function, "__name__", "")) == "__get__":  # x.shape and the like: nothing to move
            return function(*args)
        dtype = _autocast.get()
        move = _to_meta if dtype is None or name not in _LOWERED else functools.partial(_lower, dtype)
        return function(*tree.map_structure(move, list(args)), **tree.map_structure(move, kwargs or {}))


def _lower(dtype, value):
    value = _to_meta(value)
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dtype != torch.float64:
        with torch._C.DisableTorchFunction():
            return value.to(dtype)
    return value


@contextlib.contextmanager
def autocast(dtype):
    """Within the block a meta run finds the dtypes of torch's autocast to ``dtype``; None for none."""
    token = _autocast.set(dtype)
    try:
        yield
    finally:
        _autocast.reset(token)


def _to_meta(value):
    if isinstance(value, torch.Tensor) and value.device.type != "meta":
        with torch._C.DisableTorchFunction():
            return value.detach().to("meta")
    return value


def outputs(function, args, kwargs):
    """What ``function(*args, **kwargs)`` returns, with ``(shape, dtype name)`` in the place of each tensor.

    ``args`` and ``kwargs`` may hold KerasTensors.
    """
    unknown = any(None in leaf._shape for leaf in tree.flatten([args, kwargs]) if keras_tensor.is_symbolic(leaf))
    first = _run(function, args, kwargs, keras_tensor.SIZES[0])
    second = _run(function, args, kwargs, keras_tensor.SIZES[1]) if unknown else first
    return tree.map_structure(_merge, first, second)


@contextlib.contextmanager
def _buffers_kept(function):
    """After the block the buffers of the module that ``function`` belongs to are what they were.

    ``self.count = self.count + 1`` in a ``forward`` would leave a meta tensor.
    """
    inner = getattr(function, "func", function)  # of a functools.partial
    owner = inner if isinstance(inner, torch.nn.Module) else getattr(inner, "__self__", None)
    modules = owner.modules() if isinstance(owner, torch.nn.Module) else ()
    kept = [(m, name, buffer) for m in modules for name, buffer in m._buffers.items()]
    try:
        yield
    finally:
        for module, name, buffer in kept:
            module._buffers[name] = buffer


def _run(function, args, kwargs, size):
    def empty(leaf):
        if not keras_tensor.is_symbolic(leaf):
            return leaf
        if leaf._dtype == "string":
            raise CannotInferError(f"Expected numbers. Received: {leaf}, which holds strings: StringLookup takes them.")
        return torch.empty(keras_tensor.concrete(leaf._shape, size), dtype=dtypes.TORCH[leaf._dtype], device="meta")

    token = running.set(True)
    try:
        with torch.no_grad(), torch.inference_mode(False), _buffers_kept(function), _EverythingMeta():
            return function(*tree.map_structure(empty, list(args)), **tree.map_structure(empty, kwargs))
    except (NotImplementedError, RuntimeError) as error:
        if isinstance(error, NotImplementedError) or "meta" in str(error):
            raise CannotInferError(
                f"The output shape of {getattr(function, '__name__', function)} can't be found without values: {error}"
            ) from error
        raise
    finally:
        running.reset(token)


def _merge(first, second):
    if not isinstance(first, torch.Tensor):
        return first
    shape = tuple(a if a == b else None for a, b in zip(first.shape, second.shape, strict=True))
    return Spec(shape, dtypes.NAMES[first.dtype])


class Spec:
    """A tensor's shape and dtype name."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype

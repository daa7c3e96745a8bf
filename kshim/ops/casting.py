"""Values to tensors, tensors to dtypes."""

import functools

import numpy as np
import torch

from kshim.core import arrays, dtypes, settings, tree
from kshim.graph import keras_tensor
from kshim.graph.op import op

__all__ = [
    "cast", "convert_to_numpy", "convert_to_tensor", "dtype", "is_tensor", "saturate_cast", "shape", "stop_gradient",
]  # fmt: skip

Tensor = torch.Tensor


def tensor(value, dtype=None, device=None):
    """``value`` as a tensor; Python's numbers have 32 bits (ints that don't fit 64), floats ``floatx()``.

    Args:
        value: tensor, array, number, or a list of these.
        dtype: torch dtype; None keeps an array's own.
        device: where what is no tensor yet goes; None is torch's default device.
    """
    if isinstance(value, Tensor):
        return value if dtype is None else value.to(dtype)
    if isinstance(value, (list, tuple)) and any(isinstance(leaf, Tensor) for leaf in tree.flatten(value)):
        stacked = torch.stack([tensor(item) for item in value])
        return stacked if dtype is None else stacked.to(dtype)
    if isinstance(value, np.ndarray) and value.dtype == np.uint32:
        value = value.astype(np.int64)
    if dtype is None and not hasattr(value, "dtype"):
        dtype = _dtype_of(value)
    if not isinstance(value, (bool, int, float, complex, list, tuple)):
        value = np.array(value)  # a copy: torch takes neither read-only arrays nor negative strides
    return torch.as_tensor(value, dtype=dtype, device=device)


def _dtype_of(value):
    if isinstance(value, (bool, complex)):
        return torch.bool if isinstance(value, bool) else torch.complex64
    if isinstance(value, int):
        return torch.int32 if -(2**31) <= value < 2**31 else torch.int64
    if isinstance(value, float):
        return dtypes.to_torch(settings.floatx())
    if isinstance(value, (list, tuple)):
        return dtypes.result_type(*[getattr(leaf, "dtype", type(leaf)) for leaf in tree.flatten(value)])
    return None


def elementwise_op(name, function, text):
    """The op ``name`` of one tensor, which is ``function`` of torch's; ``text`` is its docstring."""

    def call(x):
        return function(x if isinstance(x, Tensor) else tensor(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = text
    return op(call)


def kind_of(value):
    """What ``dtypes.result_type`` takes for ``value``: a tensor's or an array's dtype, a number's type."""
    return value.dtype if hasattr(value, "dtype") else type(value)


def pair(x1, x2):
    """Both as tensors on one device, the one that a tensor among them is on."""
    if isinstance(x1, Tensor):
        if isinstance(x2, Tensor):
            return x1, x2
        return x1, tensor(x2, device=x1.device)
    if isinstance(x2, Tensor):
        return tensor(x1, device=x2.device), x2
    return tensor(x1), tensor(x2)


def floating(x):
    """``x`` as it is where it holds floats or complex numbers, else as ``floatx()``."""
    return x if x.is_floating_point() or x.is_complex() else x.to(dtypes.to_torch(settings.floatx()))


def _target(name, dtype):
    try:
        return dtypes.to_torch(dtype)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


@op
def cast(x, dtype):
    """``x`` with ``dtype``; a tensor that has it is returned itself.

    Raises: ValueError for what is no dtype.
    """
    dtype = _target("cast", dtype)
    return x.to(dtype) if isinstance(x, Tensor) else tensor(x, dtype)


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """``x`` as a tensor; symbolic tensors stay symbolic.

    Args:
        x: tensor, array, number, or a list of these.
        dtype: None keeps a tensor's or an array's own; Python's floats are ``floatx()``, ints int32.
        sparse, ragged: True is refused, for torch has no such tensors under these ops.

    Raises: ValueError for ``sparse=True`` or ``ragged=True``.
    """
    for name, value in (("sparse", sparse), ("ragged", ragged)):
        if value:
            raise ValueError(f"convert_to_tensor: expected `{name}` to be None or False. Received: {name}=True.")
    if keras_tensor.is_symbolic(x):
        return x if dtype is None else cast(x, dtype)
    return tensor(x, None if dtype is None else dtypes.to_torch(dtype))


@functools.cache
def _range_in_common(dtype, target):
    """The least and the greatest number of ``dtype`` that ``target`` has, too."""

    def limits(one):
        if one is torch.bool:
            return 0, 1
        about = torch.finfo(one) if one.is_floating_point else torch.iinfo(one)
        return about.min, about.max

    own, wanted = limits(dtype), limits(target)
    lowest, highest = max(own[0], wanted[0]), min(own[1], wanted[1])
    if not dtype.is_floating_point:
        return int(lowest), int(highest)
    rounded = torch.tensor([lowest, highest], dtype=torch.float64).to(dtype)  # the next float may lie outside
    inward = torch.nextafter(rounded, torch.zeros_like(rounded)).tolist()
    low, high = rounded.tolist()
    return (inward[0] if low < lowest else low), (inward[1] if high > highest else high)


@op
def saturate_cast(x, dtype):
    """``x`` with ``dtype``; what lies outside of its range becomes its least or greatest number.

    Raises: ValueError for what is no dtype.
    """
    x, dtype = tensor(x), _target("saturate_cast", dtype)
    if x.is_meta or x.dtype in (torch.bool, dtype):
        return x.to(dtype)
    return x.clamp(*_range_in_common(x.dtype, dtype)).to(dtype)


def convert_to_numpy(x):
    """``x`` as a numpy array, of a tensor without its gradient; bfloat16 becomes float32.

    Raises: ValueError for a symbolic tensor, which has no values.
    """
    if keras_tensor.is_symbolic(x):
        raise ValueError(
            "convert_to_numpy: expected a tensor with values. Received: a KerasTensor, a symbolic tensor of "
            f"shape {x.shape}. Values are there when the model is called."
        )
    return arrays.to_numpy(x)


def is_tensor(x):
    """Whether ``x`` is a tensor with values."""
    return isinstance(x, Tensor)


def dtype(x):
    """The name of the dtype of a tensor, symbolic or not, or of an array: ``"float32"``."""
    return dtypes.name_of(x.dtype)


def shape(x):
    """The shape of ``x`` as a tuple; None for an axis that a symbolic tensor does not know."""
    return tuple(x.shape) if hasattr(x, "shape") else tuple(np.shape(x))


@op
def stop_gradient(variable):
    """``variable`` as a constant: no gradient goes through it. It shares its memory."""
    return tensor(variable).detach()

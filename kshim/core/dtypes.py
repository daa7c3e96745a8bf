"""Keras' dtype names and torch's dtypes."""

import numpy as np
import torch

from kshim.core import settings

TORCH = {
    "bool": torch.bool, "uint8": torch.uint8, "uint16": torch.uint16, "uint32": torch.uint32,
    "int8": torch.int8, "int16": torch.int16, "int32": torch.int32, "int64": torch.int64,
    "float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64,
    "complex64": torch.complex64, "complex128": torch.complex128,
}  # fmt: skip
NAMES = {dtype: name for name, dtype in TORCH.items()}
ALIASES = {"float": "float32", "double": "float64", "half": "float16", "int": "int32", "long": "int64"}


def name_of(dtype):
    """Keras' name of ``dtype``: a name, torch dtype, numpy dtype or scalar type; None means ``floatx()``.

    ``"string"`` is a name, too, though no torch dtype.

    Raises: ValueError for anything else.
    """
    if dtype is None:
        return settings.floatx()
    if isinstance(dtype, torch.dtype):
        return NAMES[dtype]
    if dtype is float:
        return settings.floatx()
    name = dtype if isinstance(dtype, str) else _numpy_name(dtype)
    name = ALIASES.get(name, name)
    if name not in TORCH and name != "string":
        raise ValueError(f"Unknown dtype. Expected one of {sorted(TORCH)}. Received: dtype={dtype!r}")
    return name


def to_torch(dtype):
    """The torch dtype that ``name_of(dtype)`` names; ValueError for strings, of which torch has no tensors."""
    if isinstance(dtype, torch.dtype):
        return dtype
    name = name_of(dtype)
    if name == "string":
        raise ValueError("torch has no tensors of strings. Expected a dtype of numbers. Received: dtype='string'.")
    return TORCH[name]


def _numpy_name(dtype):
    try:
        return np.dtype(dtype).name
    except TypeError:
        return None

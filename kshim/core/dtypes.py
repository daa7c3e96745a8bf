"""Keras' dtype names and torch's dtypes."""

import functools

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


# Keras' promotion: each type and the ones directly above it. "int" and "float" are Python's numbers, which are weak.
_ABOVE = {
    "bool": ("int",), "int": ("uint8", "int8", "complex64"), "float": ("bfloat16", "float16"),
    "uint8": ("int16", "uint16"), "uint16": ("int32", "uint32"), "uint32": ("int64", "uint64"), "uint64": ("float",),
    "int8": ("int16",), "int16": ("int32",), "int32": ("int64",), "int64": ("float",),
    "bfloat16": ("float32",), "float16": ("float32",), "float32": ("float64", "complex64"),
    "float64": ("complex128",), "complex64": ("complex128",), "complex128": (),
}  # fmt: skip
_NARROWED = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}


@functools.cache
def _reachable(name):
    return {name}.union(*(_reachable(above) for above in _ABOVE[name]))


@functools.lru_cache(1024)
def _promote(floatx, kinds):
    names = {{int: "int", float: "float"}.get(kind) or name_of(kind) for kind in kinds}
    if len(kinds) == 1 and kinds[0] in (int, float):
        names = {"int32" if kinds[0] is int else floatx}
    common = set.intersection(*(_reachable(name) for name in names))
    least = next((c for c in common if common <= _reachable(c)), None)
    if least is None:
        raise ValueError(f"No dtype holds all of {sorted(names)}. Cast them to one dtype first.")
    least = {"int": f"int{floatx[-2:]}", "float": f"float{floatx[-2:]}"}.get(least, least)
    return TORCH[_NARROWED.get(least, least)]


def result_type(*kinds):
    """The torch dtype that values of ``kinds`` have together, by Keras' promotion rules: at most 32 bits wide.

    Args:
        kinds: dtypes in any form; the types ``int`` and ``float`` stand for Python's numbers, which are weak: they
            lift the kind of the others, never their width.

    Raises: ValueError where no dtype holds all of them.

    Source: Keras 3 ``backend/common/dtypes.py`` (after JAX's lattice, Bradbury et al. 2018).
    """
    floatx = settings.floatx()
    return _promote(floatx, tuple(floatx if kind is None else kind for kind in kinds) or (floatx,))

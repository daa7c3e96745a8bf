"""Products of vectors, matrices and tensors, and functions mapped over arrays.

Source: Keras 3 ``ops/numpy.py``.
"""

import torch

from kshim.core import dtypes
from kshim.graph.op import op
from kshim.ops.casting import floating, pair, tensor


def _computed(function, x1, x2):
    """``function`` of both in float, in the type they have together."""
    result = dtypes.result_type(x1.dtype, x2.dtype)
    compute = dtypes.result_type(result, float)
    return function(x1.to(compute), x2.to(compute)).to(result)


@op
def matmul(x1, x2):
    """The matrix product; two of int8 give int32."""
    x1, x2 = pair(x1, x2)
    if x1.dtype is x2.dtype and x1.dtype in (torch.float32, torch.float16, torch.bfloat16):
        return torch.matmul(x1, x2)
    both_small = x1.dtype is torch.int8 and x2.dtype is torch.int8
    result = torch.int32 if both_small else dtypes.result_type(x1.dtype, x2.dtype)
    x1, x2 = x1.to(result), x2.to(result)
    if result is torch.bool or (x1.is_cuda and not result.is_floating_point and not result.is_complex):
        x1, x2 = floating(x1), floating(x2)
    return torch.matmul(x1, x2).to(result)


@op
def dot(x1, x2):
    """The product over the last axis of ``x1`` and the last but one of ``x2``, as ``matmul``; of scalars plain."""
    x1, x2 = pair(x1, x2)
    return _computed(torch.multiply if 0 in (x1.dim(), x2.dim()) else torch.matmul, x1, x2)


@op
def inner(x1, x2):
    """The product over the last axes of both."""
    return _computed(torch.inner, *pair(x1, x2))


@op
def vdot(x1, x2):
    """The product of two vectors, the first one conjugated."""
    return _computed(torch.vdot, *pair(x1, x2))


@op
def outer(x1, x2):
    """Each element of ``x1`` times each of ``x2``."""
    x1, x2 = pair(x1, x2)
    return torch.outer(x1.flatten(), x2.flatten())


@op
def kron(x1, x2):
    """The Kronecker product."""
    return torch.kron(*pair(x1, x2))


@op
def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The cross product of vectors of 3 along ``axis``; None means the first axis of size 3.

    Raises: ValueError for ``axisa``, ``axisb`` or ``axisc``, as on Keras' torch backend: use ``axis``.
    """
    if (axisa, axisb, axisc) != (-1, -1, -1):
        raise ValueError("cross: expected `axis` in place of `axisa`, `axisb` and `axisc`. "
                         f"Received: axisa={axisa}, axisb={axisb}, axisc={axisc}.")  # fmt: skip
    x1, x2 = pair(x1, x2)
    dtype = dtypes.result_type(x1.dtype, x2.dtype)
    if axis is None:
        shape = torch.broadcast_shapes(x1.shape, x2.shape)
        axis = next((i for i, n in enumerate(shape) if n == 3), -1)
    return torch.linalg.cross(x1.to(dtype), x2.to(dtype), dim=axis)


@op
def tensordot(x1, x2, axes=2):
    """The product over several axes: the last and first ``axes``, or those that two lists name."""
    if isinstance(axes, (list, tuple)):
        axes = [tuple(a) if isinstance(a, (list, tuple)) else (a,) for a in axes]
    return _computed(lambda a, b: torch.tensordot(a, b, dims=axes), *pair(x1, x2))


@op
def einsum(subscripts, *operands, **kwargs):
    """Einstein's sum: letters name axes, and those not in the result are summed over. All int8 give int32."""
    operands = [tensor(operand) for operand in operands]
    if all(operand.dtype is torch.int8 for operand in operands):
        operands = [operand.to(torch.int32) for operand in operands]
    return torch.einsum(subscripts, *operands)


@op
def slogdet(x):
    """The sign and the logarithm of the absolute value of each matrix's determinant."""
    return tuple(torch.linalg.slogdet(tensor(x)))

"""Matrices: factorizations, inverses, equations, norms. Leading axes are batches of matrices.

Source: Keras 3 ``ops/linalg.py``.
"""

import torch

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import tensor

__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor", "matrix_rank", "norm",
    "pinv", "qr", "solve", "solve_triangular", "svd",
]  # fmt: skip


def _matrix(function, x, name="x"):
    x = tensor(x)
    if x.dim() < 2:
        raise ValueError(f"{function}: expected `{name}` of rank 2 or more. Received: shape {tuple(x.shape)}.")
    return x


def _square(function, x, name="x"):
    x = _matrix(function, x, name)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{function}: expected `{name}` to hold square matrices. Received: shape {tuple(x.shape)}.")
    return x


@op
def cholesky(x, upper=False):
    """``L`` with ``x = L @ L^T``, lower triangular; ``upper`` gives its transpose.

    Raises: ValueError for what is no square or no positive definite matrix.
    """
    x = _square("cholesky", x)
    try:
        return torch.linalg.cholesky(x, upper=upper)
    except torch.linalg.LinAlgError as error:
        raise ValueError(f"cholesky: expected `x` to be positive definite. Received: {error}") from error


@op
def cholesky_inverse(x, upper=False):
    """The inverse of ``L @ L^T``, given ``L`` (or its transpose, as ``upper`` says).

    Raises: ValueError for what is no square matrix.
    """
    return torch.cholesky_inverse(_square("cholesky_inverse", x), upper=upper)


@op
def det(x):
    """The determinant. Raises: ValueError for what is no square matrix."""
    return torch.linalg.det(_square("det", x))


@op
def eig(x):
    """The eigenvalues and, as columns, the eigenvectors, both complex. Raises: ValueError for no square matrix."""
    return torch.linalg.eig(_square("eig", x))


@op
def eigh(x):
    """The eigenvalues and, as columns, the eigenvectors of a symmetric matrix, of which the lower half is read.

    Raises: ValueError for what is no square matrix.
    """
    return torch.linalg.eigh(_square("eigh", x))


@op
def inv(x):
    """The inverse. Raises: ValueError for what is no square matrix; torch's LinAlgError for a singular one."""
    return torch.linalg.inv(_square("inv", x))


@op
def lu_factor(x):
    """``L`` and ``U`` in one matrix, and the pivots: row ``i`` was swapped with row ``pivots[i]``, counted from 0."""
    factors, pivots = torch.linalg.lu_factor(_matrix("lu_factor", x))
    return factors, pivots - 1


@op
def norm(x, ord=None, axis=None, keepdims=False):
    """The norm of a vector (``axis`` an int), of a matrix (two of them), or of all elements.

    Args:
        ord: None for the 2-norm of vectors and Frobenius' of matrices, a number, inf, -inf, ``"fro"`` or ``"nuc"``.
    """
    x = tensor(x)
    dtype = settings.floatx() if x.dtype is torch.int64 else dtypes.result_type(x.dtype, float)
    return torch.linalg.norm(x.to(dtypes.to_torch(dtype)), ord, axis, keepdims)


@op
def qr(x, mode="reduced"):
    """``Q``, whose columns are orthonormal, and ``R``, upper triangular, with ``x = Q @ R``.

    Args:
        mode: ``"reduced"``, or ``"complete"`` for a square ``Q``.

    Raises: ValueError for another ``mode``, or no matrix.
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: expected `mode` to be 'reduced' or 'complete'. Received: mode={mode!r}.")
    return torch.linalg.qr(_matrix("qr", x), mode=mode)


def _equation(function, a, b):
    a, b = _square(function, a, "a"), tensor(b)
    if b.dim() < 1:
        raise ValueError(f"{function}: expected `b` of rank 1 or more. Received: a scalar.")
    rows = b.shape[-2] if b.dim() == a.dim() else b.shape[-1] if b.dim() == a.dim() + 1 else a.shape[-2]
    if rows != a.shape[-2]:
        raise ValueError(f"{function}: expected `b` with as many rows as `a`. "
                         f"Received: a.shape={tuple(a.shape)}, b.shape={tuple(b.shape)}.")  # fmt: skip
    return a, b


@op
def solve(a, b):
    """``x`` with ``a @ x = b``.

    Raises: ValueError for shapes that don't fit; torch's LinAlgError for a singular ``a``.
    """
    return torch.linalg.solve(*_equation("solve", a, b))


@op
def solve_triangular(a, b, lower=False):
    """``x`` with ``a @ x = b``, where ``a`` is triangular: its upper half is read, or its lower one.

    Raises: ValueError for shapes that don't fit.
    """
    a, b = _equation("solve_triangular", a, b)
    if b.dim() == a.dim() - 1:
        return torch.linalg.solve_triangular(a, b[..., None], upper=not lower).squeeze(-1)
    return torch.linalg.solve_triangular(a, b, upper=not lower)


@op
def svd(x, full_matrices=True, compute_uv=True):
    """``U``, the singular values ``S`` and ``V^H``, with ``x = U @ diag(S) @ V^H``.

    Args:
        full_matrices: whether ``U`` and ``V`` are square.
        compute_uv: False gives ``S`` only.

    Raises: ValueError for what is no matrix.
    """
    x = _matrix("svd", x)
    return torch.linalg.svd(x, full_matrices=full_matrices) if compute_uv else torch.linalg.svdvals(x)


@op
def lstsq(a, b, rcond=None):
    """``x`` for which the 2-norm of ``b - a @ x`` is the least.

    Args:
        rcond: singular values below ``rcond`` times the largest count as zero; None trusts ``a`` to have full rank.
    """
    a, b = tensor(a), tensor(b)
    if a.is_meta:  # torch infers no shape for it
        return b.new_empty((*a.shape[:-2], a.shape[-1], *b.shape[a.dim() - 1 :]))
    if rcond is None:
        return torch.linalg.lstsq(a, b).solution
    if a.is_cuda:  # torch's only driver there knows of no cutoff
        return torch.linalg.pinv(a, rtol=rcond) @ b
    return torch.linalg.lstsq(a, b, rcond=rcond, driver="gelsd").solution


@op
def matrix_rank(x, tol=None):
    """How many singular values are above ``tol`` (None means a limit from the dtype's precision), an int32."""
    return torch.linalg.matrix_rank(tensor(x), atol=tol).to(torch.int32)


@op
def pinv(x, rcond=None):
    """The pseudo-inverse of Moore and Penrose; singular values below ``rcond`` times the largest count as zero."""
    return torch.linalg.pinv(tensor(x), rtol=rcond)


@op
def jvp(fun, primals, tangents, has_aux=False):
    """``fun(*primals)`` and its derivative in the direction of ``tangents``: the Jacobian times them, forwards.

    Args:
        fun: a function of tensors.
        primals, tangents: tuples of tensors of the same shapes and dtypes.
        has_aux: whether ``fun`` returns ``(result, more)``; ``more`` is the third of what comes back.
    """
    return torch.func.jvp(fun, tuple(primals), tuple(tangents), has_aux=has_aux)

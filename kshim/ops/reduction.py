"""Sums, means, extremes, counts and the like along axes, with and without nan.

Source: Keras 3 ``ops/numpy.py``. An ``axis`` of None means all axes.
"""

import builtins
import math

import torch

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import floating, tensor

_SMALL = frozenset({torch.bool, torch.uint8, torch.int8, torch.int16})


def _none(axis):
    return axis == () or axis == []


def _axes(axis):
    """``axis`` as torch takes several: None or a tuple."""
    return axis if axis is None else tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)


def _known_axes(function, axis, ndim):
    axes = []
    for a in _axes(axis):
        if not -ndim <= a < ndim:
            raise ValueError(f"{function}: expected `axis` in [{-ndim}, {ndim}). Received: axis={axis}.")
        axes.append(a % ndim)
    return axes


def _wide(x):
    return torch.int32 if x.dtype in _SMALL else x.dtype


def _floatx():
    return dtypes.to_torch(settings.floatx())


@op
def sum(x, axis=None, keepdims=False):
    """The sum; of bools and small ints an int32."""
    x = tensor(x)
    if _none(axis):
        return x
    total = torch.sum(x) if axis is None and not keepdims else torch.sum(x, _axes(axis), keepdim=keepdims)
    return total if x.is_floating_point() else total.to(_wide(x))


@op
def mean(x, axis=None, keepdims=False):
    """The mean; of ints and bools a float32."""
    x = tensor(x)
    if _none(axis):
        return x
    if x.dtype is torch.float32:
        return torch.mean(x, _axes(axis), keepdims)
    compute = dtypes.result_type(x.dtype, torch.float32)
    result = compute if not (x.is_floating_point() or x.is_complex()) else x.dtype
    return torch.mean(x.to(compute), _axes(axis), keepdims).to(result)


def _extreme(name, least):
    reduce, both, word = (torch.amin, torch.minimum, "min") if least else (torch.amax, torch.maximum, "max")

    def call(x, axis=None, keepdims=False, initial=None):
        x = tensor(x)
        if 0 in x.shape:
            if initial is None:
                raise ValueError(f"{word}: expected `x` with elements, or an `initial` value. Received: "
                                 f"x of shape {tuple(x.shape)}.")  # fmt: skip
            return torch.full((1,) * x.dim() if keepdims else (), initial, device=x.device)
        if _none(axis):
            result = x
        elif axis is None:
            result = torch.min(x) if least else torch.max(x)
        else:
            result = reduce(x, axis, keepdims)
        return result if initial is None else both(result, tensor(initial, result.dtype, result.device))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"""The {"least" if least else "greatest"} element.

    Args:
        axis: int or tuple; None means all, and then ``keepdims`` is not heeded (as in Keras on torch).
        initial: what the result is at {"most" if least else "least"}, and is for no elements.

    Raises: ValueError for no elements and no ``initial``.
    """
    return op(call)


max, min = _extreme("max", False), _extreme("min", True)


@op
def amax(x, axis=None, keepdims=False):
    """The greatest element; equal ones share the gradient."""
    x = tensor(x)
    return torch.amax(x) if axis is None else x if _none(axis) else torch.amax(x, axis, keepdims)


@op
def amin(x, axis=None, keepdims=False):
    """The least element; equal ones share the gradient."""
    x = tensor(x)
    return torch.amin(x) if axis is None else x if _none(axis) else torch.amin(x, axis, keepdims)


@op
def ptp(x, axis=None, keepdims=False):
    """The greatest less the least element."""
    x = tensor(x)
    if axis is None:
        return x.max() - x.min()
    return torch.zeros_like(x) if axis == () else torch.amax(x, axis, keepdims) - torch.amin(x, axis, keepdims)


@op
def all(x, axis=None, keepdims=False):
    """Whether every element is true."""
    x = tensor(x)
    return x.bool() if _none(axis) else torch.all(x, dim=_axes(axis), keepdim=keepdims).bool()


@op
def any(x, axis=None, keepdims=False):
    """Whether any element is true."""
    x = tensor(x)
    return x.bool() if _none(axis) else torch.any(x, dim=_axes(axis), keepdim=keepdims).bool()


@op
def count_nonzero(x, axis=None):
    """How many elements are not zero, an int32."""
    x = tensor(x)
    if _none(axis):
        return torch.ne(x, 0).int()
    counts = torch.count_nonzero(x, dim=axis)
    return counts.permute(tuple(range(counts.dim()))[::-1]).int()


def _where_extreme(name, function):
    def call(x, axis=None, keepdims=False):
        x = tensor(x)
        return function(x.byte() if x.dtype is torch.bool else x, dim=axis, keepdim=keepdims).int()

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Where the {'greatest' if name == 'argmax' else 'least'} element is, an int32; None: flat."
    return op(call)


argmax, argmin = _where_extreme("argmax", torch.argmax), _where_extreme("argmin", torch.argmin)


@op
def prod(x, axis=None, keepdims=False, dtype=None):
    """The product; of bools and small ints an int32."""
    x = tensor(x)
    if dtype is None:
        dtype = dtypes.result_type(x.dtype)
        dtype = torch.int32 if dtype in _SMALL else dtype
    dtype = dtypes.to_torch(dtype)
    if axis is None:
        return torch.prod(x, dtype=dtype)
    for a in sorted(_known_axes("prod", axis, x.dim()), reverse=True):
        x = torch.prod(x, dim=a, keepdim=keepdims, dtype=dtype)
    return x


@op
def var(x, axis=None, keepdims=False):
    """The variance, of all elements (not of a sample)."""
    x = tensor(x)
    result = dtypes.result_type(x.dtype, float)
    if _none(axis):
        return torch.zeros_like(x, dtype=result)
    compute = dtypes.result_type(x.dtype, torch.float32)
    return torch.var(x.to(compute), _axes(axis), keepdim=keepdims, correction=0).to(result)


@op
def std(x, axis=None, keepdims=False):
    """The standard deviation, of all elements (not of a sample)."""
    x = tensor(x)
    x = x if x.is_floating_point() or x.is_complex() else x.float()
    return torch.std(x, _axes(axis), keepdim=keepdims, correction=0)


@op
def average(x, axis=None, weights=None):
    """The mean, each element counted as its weight says.

    Args:
        weights: shaped like ``x``, or one for each element along the last axis; their sum is over the last axis.
    """
    x = tensor(x)
    weights = None if weights is None else tensor(weights, device=x.device)
    dtype = dtypes.result_type(x.dtype, float, *([] if weights is None else [weights.dtype]))
    x = x.to(dtype)
    if _none(axis):
        return x
    if weights is None:
        return torch.mean(x, _axes(axis))
    weights = weights.to(dtype)
    return torch.sum(x * weights, dim=_axes(axis)) / torch.sum(weights, dim=-1)


def _running(name, function):
    def call(x, axis=None, dtype=None):
        x = tensor(x)
        if axis is None:
            x, axis = x.flatten(), 0
        dtype = dtypes.result_type(dtype or x.dtype)
        return function(x, axis, dtype=torch.int32 if dtype is torch.bool else dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"The running {'sum' if name == 'cumsum' else 'product'} along ``axis``; None flattens first."
    return op(call)


cumsum, cumprod = _running("cumsum", torch.cumsum), _running("cumprod", torch.cumprod)


@op
def nancumsum(x, axis=None, dtype=None):
    """``cumsum`` with nan as 0."""
    return cumsum(torch.nan_to_num(tensor(x)), axis, dtype)


@op
def nancumprod(x, axis=None, dtype=None):
    """``cumprod`` with nan as 1."""
    return cumprod(torch.nan_to_num(tensor(x), nan=1.0), axis, dtype)


# ---------- quantiles


def _quantile(kernel, x, q, axis, method, keepdims):
    x = tensor(x)
    q = tensor(q, device=x.device)
    result = dtypes.result_type(x.dtype, float)
    x = x.to(dtypes.result_type(x.dtype, torch.float32))
    axes = list(range(x.dim())) if axis is None else _known_axes("quantile", axis, x.dim())
    others = [a for a in range(x.dim()) if a not in axes]
    flat = x.permute(others + axes).reshape([x.shape[a] for a in others] + [math.prod(x.shape[a] for a in axes)])
    y = kernel(flat, q.to(x.dtype), dim=-1, interpolation=method)
    if keepdims:
        lead = 1 if q.dim() else 0
        for a in sorted(axes):
            y = y.unsqueeze(a + lead)
    return y.to(result)


def _quantile_op(name, kernel, scale, text):
    def call(x, q, axis=None, method="linear", keepdims=False):
        if scale != 1:
            q = tensor(q, _floatx()) / scale
        return _quantile(kernel, x, q, axis, method, keepdims)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"""{text}

    Args:
        q: which, in [0, {scale}]; a vector of them gives a leading axis.
        method: between two elements ``"linear"``, ``"lower"``, ``"higher"``, ``"midpoint"`` or ``"nearest"``.
    """
    return op(call)


quantile = _quantile_op("quantile", torch.quantile, 1, "The value that a share ``q`` of the elements is below.")
percentile = _quantile_op("percentile", torch.quantile, 100, "The value that ``q`` percent of the elements are below.")
nanquantile = _quantile_op("nanquantile", torch.nanquantile, 1, "``quantile`` of what is not nan.")
nanpercentile = _quantile_op("nanpercentile", torch.nanquantile, 100, "``percentile`` of what is not nan.")


@op
def median(x, axis=None, keepdims=False):
    """The middle element, or the mean of the two middle ones."""
    return _quantile(torch.quantile, x, 0.5, axis, "linear", keepdims)


@op
def nanmedian(x, axis=None, keepdims=False):
    """``median`` of what is not nan."""
    return tensor(x) if _none(axis) else _quantile(torch.nanquantile, x, 0.5, axis, "linear", keepdims)


# ---------- without nan


def _nan_extreme(name, function, worst):
    def call(x, axis=None, keepdims=False):
        x = tensor(x)
        if not x.is_floating_point():
            return function(x, dim=() if axis is None else axis, keepdim=keepdims)
        if _none(axis):
            return x
        nan, dim = torch.isnan(x), _axes(axis)
        found = function(torch.where(nan, worst, x), dim=() if dim is None else dim, keepdim=keepdims)
        return torch.where(nan.all(dim=dim, keepdim=keepdims), math.nan, found)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``{name[3:]}`` of what is not nan; nan where all are."
    return op(call)


nanmax, nanmin = _nan_extreme("nanmax", torch.amax, -math.inf), _nan_extreme("nanmin", torch.amin, math.inf)


def _nan_where(name, function, worst):
    def call(x, axis=None, keepdims=False):
        x = tensor(x)
        if not x.is_floating_point():
            return function(x, axis, keepdims)
        nan = torch.isnan(x)
        found = function(torch.where(nan, worst, x), axis, keepdims)
        return torch.where(nan.all(dim=axis, keepdim=keepdims) if axis is not None else nan.all(), -1, found)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``{name[3:]}`` of what is not nan; -1 where all are."
    return op(call)


nanargmax, nanargmin = _nan_where("nanargmax", argmax, -math.inf), _nan_where("nanargmin", argmin, math.inf)


@op
def nanmean(x, axis=None, keepdims=False):
    """``mean`` of what is not nan."""
    x = tensor(x)
    return x if _none(axis) else torch.nanmean(x.to(dtypes.result_type(x.dtype, float)), _axes(axis), keepdims)


@op
def nansum(x, axis=None, keepdims=False):
    """``sum`` with nan as 0."""
    x = tensor(x)
    if _none(axis):
        return torch.nan_to_num(x, nan=0).to(_wide(x))
    return torch.nansum(x, dim=_axes(axis), keepdim=keepdims).to(_wide(x))


@op
def nanprod(x, axis=None, keepdims=False):
    """``prod`` with nan as 1."""
    x = tensor(x)
    if _none(axis):
        return torch.nan_to_num(x, nan=1)
    return prod(torch.where(torch.isnan(x), 1.0, x) if x.is_floating_point() else x, axis, keepdims)


@op
def nanvar(x, axis=None, keepdims=False):
    """``var`` of what is not nan."""
    x = tensor(x)
    x = x.to(dtypes.result_type(x.dtype, float))
    nan, dim = torch.isnan(x), _axes(axis)
    if _none(axis):
        return torch.where(nan, x, 0)
    off = torch.where(nan, 0, x - torch.nanmean(x, dim, True))
    return (off.abs() ** 2).sum(dim, keepdim=keepdims) / (~nan).sum(dim, keepdim=keepdims)


@op
def nanstd(x, axis=None, keepdims=False):
    """``std`` of what is not nan."""
    return torch.sqrt(nanvar(x, axis, keepdims))


# ---------- tables of several elements


@op
def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each int from 0 on occurs (or the sum of its weights); of a matrix, for each row.

    Raises: ValueError for ``sparse=True``, of which torch has no tensors here.
    """
    if sparse:
        raise ValueError("bincount: expected `sparse` to be False. Received: sparse=True.")
    x = tensor(x)
    weights = None if weights is None else tensor(weights, device=x.device)
    dtype = torch.int32 if weights is None else dtypes.result_type(x.dtype, weights.dtype)
    if x.dim() != 2:
        return torch.bincount(x, weights, minlength).to(dtype)
    rows = [torch.bincount(row, None if weights is None else weights[i], minlength) for i, row in enumerate(x)]
    return torch.stack(rows).to(dtype)


@op
def histogram(x, bins=10, range=None):
    """Counts of the elements in equal bins, and the bins' edges.

    Args:
        bins: how many, an int above 0.
        range: lowest and highest edge; None means of the elements.

    Raises: ValueError for other ``bins`` or ``range``.
    """
    if not isinstance(bins, int) or isinstance(bins, bool):
        raise ValueError(f"histogram: expected `bins` to be an int. Received: bins={bins!r}.")
    if bins < 0:
        raise ValueError(f"histogram: expected `bins` to be an int above 0. Received: bins={bins}.")
    if range is not None and (not isinstance(range, tuple) or len(range) != 2 or range[1] < range[0]):
        raise ValueError(f"histogram: expected `range` to be a tuple (lowest, highest). Received: range={range!r}.")
    x = tensor(x)
    if x.numel() == 0:
        raise ValueError(f"histogram: expected `x` with elements. Received: x of shape {tuple(x.shape)}.")
    counts, edges = torch.histogram(x, bins=bins, range=range)
    return counts, edges


@op
def corrcoef(x):
    """The correlation of each row with each row."""
    x = tensor(x)
    if x.dtype is torch.bool:
        x = x.to(_floatx())
    x = floating(x.double() if x.dtype is torch.int64 else x)
    if x.dim() < 2:
        return torch.corrcoef(x)
    off = x - x.mean(1, keepdim=True)
    products = off @ off.mH
    spread = products.diagonal().real.sqrt() if x.is_complex() else products.diagonal().sqrt()
    found = products / spread[:, None] / spread
    return found if x.is_complex() else found.clip(-1, 1)


@op
def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral of ``y`` along ``axis`` by trapezoids, at places ``x`` or ``dx`` apart."""
    y = tensor(y)
    y = y.to(_floatx()) if y.dtype is torch.bool else y
    if x is not None:
        return torch.trapezoid(y, x=tensor(x, device=y.device), dim=axis)
    return torch.trapezoid(y, dx=dx, dim=axis)


@op
def diff(a, n=1, axis=-1):
    """The ``n``-th differences of neighbours along ``axis``."""
    return torch.diff(tensor(a), n=n, dim=axis)


@op
def correlate(x1, x2, mode="valid"):
    """The cross-correlation of two vectors.

    Args:
        mode: ``"valid"`` where they overlap wholly, ``"same"`` as long as ``x1``, ``"full"`` wherever they meet.
    """
    x1 = tensor(x1)
    x2 = tensor(x2, device=x1.device)
    dtype = dtypes.result_type(x1.dtype, x2.dtype)
    if not dtype.is_floating_point:
        dtype = torch.float32
    x1, x2 = x1.to(dtype), x2.to(dtype)
    long, short = x1.shape[0], x2.shape[0]
    result = torch.nn.functional.conv1d(x1[None, None], x2[None, None], padding=short - 1).flatten()
    wanted = {"valid": abs(long - short) + 1, "same": long}.get(mode, result.shape[0])
    start = builtins.max(0, (result.shape[0] - wanted) // 2)
    return torch.squeeze(result[start : start + wanted])

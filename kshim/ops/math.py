"""Functions of elements that numpy lacks, segments, ranks, distances, and the two views of complex numbers.

Source: Keras 3 ``ops/math.py``.
"""

import torch

from kshim.core import dtypes
from kshim.graph import infer, node
from kshim.graph.keras_tensor import is_symbolic
from kshim.graph.op import op
from kshim.ops.casting import elementwise_op, tensor

__all__ = [
    "cdist", "erf", "erfc", "erfinv", "in_top_k", "logdet", "logsumexp", "polar", "rsqrt", "segment_max", "segment_min",
    "segment_prod", "segment_sum", "top_k", "view_as_complex", "view_as_real",
]  # fmt: skip


rsqrt = elementwise_op("rsqrt", torch.rsqrt, "``1 / sqrt(x)``.")
erf = elementwise_op("erf", torch.erf, "The error function.")
erfc = elementwise_op("erfc", torch.erfc, "1 less the error function.")
erfinv = elementwise_op("erfinv", torch.erfinv, "The inverse of the error function, on (-1, 1).")
logdet = elementwise_op("logdet", torch.logdet, "The logarithm of each determinant; nan where that is negative.")


@op
def logsumexp(x, axis=None, keepdims=False):
    """``log(sum(exp(x)))`` over ``axis`` (int or tuple), of which None means all."""
    x = tensor(x)
    return torch.logsumexp(x, tuple(range(x.dim())) if axis is None else axis, keepdims)


@op
def top_k(x, k, sorted=True):
    """The ``k`` greatest elements along the last axis, and where they are.

    Args:
        sorted: whether the greatest comes first; False leaves the order open.
    """
    return torch.topk(tensor(x), k, sorted=sorted)


@op
def in_top_k(targets, predictions, k):
    """Whether each sample's target class is among the ``k`` likeliest; classes as likely as the ``k``-th are in.

    Args:
        targets: class indices ``(batch,)``.
        predictions: ``(batch, classes)``.
    """
    predictions = tensor(predictions)
    targets = tensor(targets, device=predictions.device).long()[:, None]
    least = torch.topk(predictions, k).values[:, -1:]
    return torch.squeeze(predictions.take_along_dim(targets, -1) >= least, -1)


@op
def cdist(x, y):
    """The Euclidean distances of each row of ``x`` from each row of ``y``: ``(..., rows of x, rows of y)``.

    Raises: ValueError for a rank below 2, or rows of different sizes.
    """
    x, y = tensor(x), tensor(y)
    if x.dim() < 2 or y.dim() < 2:
        raise ValueError("cdist: expected `x` and `y` of rank 2 or more. "
                         f"Received: x.shape={tuple(x.shape)}, y.shape={tuple(y.shape)}.")  # fmt: skip
    if x.shape[-1] != y.shape[-1]:
        raise ValueError("cdist: expected `x` and `y` with the same last axis. "
                         f"Received: x.shape={tuple(x.shape)}, y.shape={tuple(y.shape)}.")  # fmt: skip
    if x.dtype is y.dtype and x.dtype in (torch.float32, torch.float64):
        return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return torch.sqrt(torch.sum(torch.square(x.unsqueeze(-2) - y.unsqueeze(-3)), -1))


def _identity(reduction, dtype):
    if reduction in ("sum", "prod"):
        return 0 if reduction == "sum" else 1
    if dtype.is_floating_point:
        return torch.inf if reduction == "amin" else -torch.inf
    return torch.iinfo(dtype).max if reduction == "amin" else torch.iinfo(dtype).min


def _segment(name, reduction, text):
    def reduce(data, segment_ids, num_segments=None, sorted=False):
        data = tensor(data)
        ids = tensor(segment_ids, device=data.device).long()
        if ids.dim() > 1:
            raise ValueError(f"{name}: expected `segment_ids` to be a vector. Received: shape {tuple(ids.shape)}. "
                             "Flatten both, or use vectorized_map.")  # fmt: skip
        if ids.shape[:1] != data.shape[:1]:
            raise ValueError(f"{name}: expected `data` and `segment_ids` to have the same first axis. "
                             f"Received: {tuple(data.shape)} and {tuple(ids.shape)}.")  # fmt: skip
        count = int(ids.max()) + 1 if num_segments is None else num_segments
        ids = torch.where((ids >= 0) & (ids < count), ids, count)  # what is in no segment goes to one that is dropped
        result = data.new_full((count + 1, *data.shape[1:]), _identity(reduction, data.dtype))
        if reduction == "sum":
            return result.index_add(0, ids, data)[:-1]
        ids = ids.reshape(-1, *[1] * (data.dim() - 1)).expand_as(data)
        return result.scatter_reduce(0, ids, data, reduction)[:-1]

    reduce.__name__ = reduce.__qualname__ = name
    reduce = op(reduce)

    def call(data, segment_ids, num_segments=None, sorted=False):
        if num_segments is None and (is_symbolic(data) or is_symbolic(segment_ids)):
            spec = infer.Spec((None, *data.shape[1:]), getattr(data, "_dtype", None) or tensor(data).dtype)
            return node.apply(reduce, (data, segment_ids), {"sorted": sorted}, spec)
        return reduce(data, segment_ids, num_segments, sorted)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"""{text}

    Args:
        data: ``(n, ...)``.
        segment_ids: for each of the ``n`` parts the segment it is in, ints; one outside of ``[0, num_segments)`` is in
            none.
        num_segments: None means as many as the largest id says, for which its value is read.
        sorted: whether the ids rise; nothing is gained by it here.

    Raises: ValueError for ids that are no vector or not one for each part.
    """
    return call


segment_sum = _segment("segment_sum", "sum", "The sum of each segment.")
segment_prod = _segment("segment_prod", "prod", "The product of each segment.")
segment_max = _segment("segment_max", "amax", "The greatest of each segment; of an empty one the least number.")
segment_min = _segment("segment_min", "amin", "The least of each segment; of an empty one the greatest number.")


@op
def view_as_complex(x):
    """``(..., 2)``, real and imaginary parts, as complex64 numbers.

    Raises: ValueError for another last axis.
    """
    x = tensor(x)
    if x.dim() < 1 or x.shape[-1] != 2:
        raise ValueError(f"view_as_complex: expected `x` with a last axis of size 2. Received: shape {tuple(x.shape)}.")
    return torch.view_as_complex(x.float().contiguous())


@op
def view_as_real(x):
    """Complex numbers as ``(..., 2)``: their real and imaginary parts, of real ones with zeros."""
    x = tensor(x)
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else torch.stack((x, torch.zeros_like(x)), -1)


@op
def polar(abs_, angle):
    """The complex numbers of these absolute values and angles (in radians), which are broadcast together."""
    abs_, angle = tensor(abs_), tensor(angle)
    dtype = dtypes.result_type(abs_.dtype, angle.dtype, torch.float32)
    return torch.polar(*torch.broadcast_tensors(abs_.to(dtype), angle.to(dtype)))

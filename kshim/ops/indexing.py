"""Elements by place, order or condition.

Source: Keras 3 ``ops/numpy.py``.
"""

import torch

from kshim.core import dtypes
from kshim.graph.op import op
from kshim.ops.casting import pair, tensor


@op
def get_item(x, key):
    """``x[key]``."""
    return tensor(x)[key]


def _places(indices, size, device):
    indices = tensor(indices, device=device).long()
    return torch.where(indices < 0, indices + size, indices)


@op
def take(x, indices, axis=None):
    """The elements, or parts along ``axis``, at ``indices``; negative ones count from the end. None flattens."""
    x = tensor(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    if not -x.dim() <= axis < x.dim():
        raise ValueError(f"take: expected `axis` in [{-x.dim()}, {x.dim()}). Received: axis={axis}.")
    axis %= x.dim()
    places = _places(indices, x.shape[axis], x.device)
    if x.dim() == 2 and axis == 0:
        return torch.nn.functional.embedding(places, x)
    found = torch.index_select(x, axis, places.reshape(-1))
    return found.reshape(x.shape[:axis] + places.shape + x.shape[axis + 1 :])


@op
def take_along_axis(x, indices, axis=None):
    """The elements along ``axis`` that ``indices``, of the same rank, name for each place. None flattens."""
    x = tensor(x)
    places = _places(indices, x.numel() if axis is None else x.shape[axis], x.device)
    return torch.take_along_dim(x, places, dim=axis)


@op
def where(condition, x1=None, x2=None):
    """``x1`` where the condition holds, else ``x2``; without these, where it holds, as in ``nonzero``.

    Raises: ValueError where only one of ``x1`` and ``x2`` is given.
    """
    condition = tensor(condition, torch.bool)
    if (x1 is None) is not (x2 is None):
        raise ValueError("where: expected `x1` and `x2` both, or neither. Received: only one of them.")
    if x1 is None:
        return torch.stack(torch.where(condition))
    x1, x2 = pair(x1, x2)
    return torch.where(condition, x1, x2)


@op
def select(condlist, choicelist, default=0):
    """At each place the choice of the first condition that holds there; ``default`` where none does.

    Raises: ValueError for no conditions, or another number of choices.
    """
    if not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError("select: expected `condlist` and `choicelist` to be lists. "
                         f"Received: {type(condlist)}, {type(choicelist)}.")  # fmt: skip
    if not condlist or len(condlist) != len(choicelist):
        raise ValueError("select: expected as many choices as conditions, at least one. "
                         f"Received: {len(condlist)} conditions, {len(choicelist)} choices.")  # fmt: skip
    result = tensor(default)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = torch.where(tensor(condition, torch.bool), *pair(choice, result))
    return result


@op
def nonzero(x):
    """The indices of what is not zero, an int32 row for each axis; needs values."""
    return torch.nonzero(tensor(x)).mT.int()


@op
def sort(x, axis=-1):
    """In rising order along ``axis``; None flattens."""
    x = tensor(x)
    return torch.sort(x.reshape(-1)).values if axis is None else torch.sort(x, dim=axis).values


@op
def argsort(x, axis=-1):
    """The int32 indices that would sort ``x``, equal elements in their order; None flattens."""
    x = tensor(x)
    x, axis = (x.reshape(-1), -1) if axis is None else (x, axis)
    return torch.argsort(x.byte() if x.dtype is torch.bool else x, dim=axis, stable=True).int()


@op
def argpartition(x, kth, axis=-1):
    """Int32 indices with the ``kth + 1`` least elements (of ``x`` cut to ints, as in Keras) first."""
    x = tensor(x, torch.int32)
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    return torch.argsort(x, dim=axis, stable=True).int()


@op
def searchsorted(sorted_sequence, values, side="left"):
    """Where ``values`` belong in a sorted vector, an int32.

    Raises: ValueError for a sequence that is no vector.
    """
    sequence = tensor(sorted_sequence)
    if sequence.dim() != 1:
        raise ValueError("searchsorted: expected `sorted_sequence` to be a vector. "
                         f"Received: shape {tuple(sequence.shape)}.")  # fmt: skip
    return torch.searchsorted(sequence, tensor(values, device=sequence.device), side=side, out_int32=True)


@op
def digitize(x, bins):
    """The int32 number of the bin that each element is in; bin ``i`` is ``[bins[i - 1], bins[i])``."""
    x = tensor(x)
    return torch.bucketize(x.byte() if x.dtype is torch.bool else x, tensor(bins, device=x.device), right=True).int()


@op
def isin(x1, x2, assume_unique=False, invert=False):
    """Whether each element of ``x1`` is one of ``x2``."""
    x1, x2 = pair(x1, x2)
    x1 = x1.int() if x1.dtype is torch.bool else x1
    x2 = x2.int() if x2.dtype is torch.bool else x2
    return torch.isin(x1, x2, assume_unique=assume_unique, invert=invert)


@op
def unravel_index(indices, shape):
    """Indices into the flat elements as a tuple of one for each axis of ``shape``."""
    indices = tensor(indices)
    dtype = dtypes.result_type(indices.dtype)
    return tuple(index.to(dtype) for index in torch.unravel_index(indices, shape))


@op
def unique(x, sorted=True, return_index=False, return_inverse=False, return_counts=False, axis=None, size=None,
           fill_value=None):  # fmt: skip
    """The different elements, or parts along ``axis``; needs values unless ``size`` is given.

    Args:
        return_index, return_inverse, return_counts: also give where each first stands, which each element is, and
            how often each occurs.
        size: how many to give, cut off or filled with ``fill_value`` (None means 0).
    """
    x = tensor(x)
    values, inverse, counts = torch.unique(x, sorted=sorted, return_inverse=True, return_counts=True, dim=axis)
    dim = 0 if axis is None else axis % x.dim()
    flat = inverse.reshape(-1)
    places = torch.arange(flat.numel(), device=x.device)
    first = flat.new_empty(values.shape[dim]).scatter_reduce_(0, flat, places, "amin", include_self=False)
    if size is not None:
        values = _resized(values, dim, size, 0 if fill_value is None else fill_value)
        counts, first = _resized(counts, 0, size, 0), _resized(first, 0, size, 1)
    wanted = ((True, values), (return_index, first), (return_inverse, inverse), (return_counts, counts))
    found = tuple(value for given, value in wanted if given)
    return found[0] if len(found) == 1 else found


def _resized(x, dim, size, fill):
    if x.shape[dim] >= size:
        return x.narrow(dim, 0, size)
    rest = list(x.shape)
    rest[dim] = size - x.shape[dim]
    return torch.cat([x, x.new_full(rest, fill)], dim)

"""Blocks of a tensor by where they start, parts of it by their indices, and its parts along an axis.

Source: Keras 3 ``ops/core.py``.
"""

import math

import torch

from kshim.core import checks
from kshim.graph import infer
from kshim.graph.keras_tensor import is_symbolic
from kshim.graph.op import op
from kshim.ops.casting import Tensor, tensor

__all__ = ["scatter", "scatter_update", "slice", "slice_update", "unstack"]

_block = slice  # Python's own; the op below has its name
_REDUCTIONS = {"add": "sum", "max": "amax", "min": "amin", "mul": "prod"}


def _ints(values):
    """A list of ints, from a tensor (whose values are read) or from ints."""
    if isinstance(values, Tensor):
        return [0] * len(values) if values.is_meta else values.tolist()
    return [int(value) for value in values]


@op
def slice(inputs, start_indices, shape):
    """The block of ``inputs`` that starts at ``start_indices`` and has ``shape``, as a view.

    Args:
        inputs: a tensor of any rank.
        start_indices: an int for each axis; a tensor's values are read.
        shape: an int for each axis, -1 for all that is left of it.

    Raises: ValueError if there are not as many of them as axes.
    """
    x, starts, sizes = tensor(inputs), _ints(start_indices), _ints(shape)
    if not len(starts) == len(sizes) == x.dim():
        raise ValueError(
            "slice: expected `start_indices` and `shape` with a number for each axis of `inputs`. "
            f"Received: inputs.shape={tuple(x.shape)}, start_indices={start_indices}, shape={shape}."
        )
    ends = (None if size == -1 else start + size for start, size in zip(starts, sizes, strict=True))
    return x[tuple(_block(start, end) for start, end in zip(starts, ends, strict=True))]


@op
def slice_update(inputs, start_indices, updates):
    """``inputs`` with ``updates`` in the place of the block that starts at ``start_indices``.

    Args:
        inputs: a tensor of any rank.
        start_indices: an int for each axis, or a tensor of them, which is not read.
        updates: a tensor of the same rank.

    Raises: ValueError for another rank or number of indices.
    """
    x, updates = tensor(inputs), tensor(updates)
    if updates.dim() != x.dim() or len(start_indices) != x.dim():
        raise ValueError(
            "slice_update: expected `updates` of the rank of `inputs`, and as many `start_indices`. Received: "
            f"inputs.shape={tuple(x.shape)}, updates.shape={tuple(updates.shape)}, start_indices={start_indices}."
        )
    updates = updates.to(x.device, x.dtype)
    outputs = x.clone()
    if isinstance(start_indices, Tensor):
        axes = [
            torch.arange(size, device=x.device) + start.to(x.device)
            for size, start in zip(updates.shape, start_indices, strict=True)
        ]
        return outputs.index_put_(tuple(torch.meshgrid(*axes, indexing="ij")), updates)
    starts = _ints(start_indices)
    outputs[tuple(_block(start, start + size) for start, size in zip(starts, updates.shape, strict=True))] = updates
    return outputs


@op
def scatter(indices, values, shape):
    """Zeros of ``shape``, with each of ``values`` added at its index.

    Args:
        indices: ints ``(..., k)``, each the place of a part: ``k`` of the first axes.
        values: ``(..., *shape[k:])``.
        shape: of the result; ints, or a tensor, whose values are read.
    """
    values = tensor(values)
    indices = tensor(indices, device=values.device).long()
    shape = _ints(shape)
    count = indices.shape[-1]
    places = indices.reshape(-1, count)
    parts = values.reshape(-1, *shape[count:])
    zeros = torch.zeros(shape, dtype=values.dtype, device=values.device)
    return zeros.index_put(tuple(places.unbind(1)), parts, accumulate=True)


@op
def scatter_update(inputs, indices, updates, reduction=None):
    """``inputs`` with ``updates`` at ``indices``.

    Args:
        inputs: a tensor.
        indices: ints ``(n, k)``, each the place of a part: ``k`` of the first axes.
        updates: ``(n, *inputs.shape[k:])``.
        reduction: what becomes of the part that was there: None forgets it (which of several updates of one place
            stays is open), ``"add"``, ``"max"``, ``"min"``, ``"mul"``.

    Raises: ValueError for another ``reduction``.
    """
    name = None if reduction is None else reduction.lower()
    if name is not None and name not in _REDUCTIONS:
        raise ValueError(
            f"Invalid reduction: {reduction}. Supported values are: None, 'add', 'max', 'min', 'mul'."
            + checks.nearest(name, _REDUCTIONS)
        )
    x = tensor(inputs)
    places = tensor(indices, device=x.device).long().T.unbind(0)
    updates = tensor(updates, device=x.device).to(x.dtype)
    if name in (None, "add"):
        return x.index_put(tuple(places), updates, accumulate=name == "add")
    sizes = x.shape[: len(places)]
    flat = x.new_zeros((), dtype=torch.long)
    for place, size in zip(places, sizes, strict=True):
        flat = flat * size + place % size
    rows = x.reshape(math.prod(sizes), -1)
    parts = updates.expand(len(flat), *x.shape[len(sizes) :]).reshape(len(flat), -1)
    return rows.scatter_reduce(0, flat[:, None].expand_as(parts), parts, _REDUCTIONS[name]).reshape(x.shape)


@op
def _unstack(x, num, axis):
    x = tensor(x)
    size = x.shape[axis]
    if num is None or num == size:
        return list(x.unbind(axis))
    if infer.is_running():  # the size stands for one that is not known
        return [x.select(axis, 0)] * num
    raise ValueError(
        f"unstack: expected `num` to be the size of axis {axis}. Received: num={num}, x.shape={tuple(x.shape)}."
    )


def unstack(x, num=None, axis=0):
    """The parts of ``x`` along ``axis``, as views without that axis.

    Args:
        x: a tensor.
        num: how many there are, an int; needed only where a symbolic tensor does not know.
        axis: int.

    Raises: ValueError for another number than there are, or for none where it is not known.
    """
    if num is None and is_symbolic(x) and x.shape[axis] is None:
        raise ValueError(
            f"unstack: cannot infer argument `num` from shape {x.shape}. Either provide a tensor with a concrete shape "
            "in the `axis` dimension or explicitly pass the `num` argument."
        )
    return _unstack(x, num, axis)

"""Shapes and orders of axes and elements: views where numpy gives views.

Source: Keras 3 ``ops/numpy.py``.
"""

import torch
import torch.nn.functional as F

from kshim.graph.op import op
from kshim.ops.casting import tensor


def _tensors(xs):
    return [tensor(x) for x in (xs.unbind(0) if isinstance(xs, torch.Tensor) else xs)]


def _axis(function, axis, ndim):
    if not -ndim <= axis < ndim:
        raise ValueError(f"{function}: expected `axis` in [{-ndim}, {ndim}). Received: axis={axis}.")
    return axis % ndim


@op
def reshape(x, newshape):
    """``x`` in another shape; one axis may be -1."""
    x = tensor(x)
    shape = newshape if isinstance(newshape, (list, tuple)) else (newshape,)
    return torch.reshape(x, [-1 if size is None else size for size in shape])


@op
def ravel(x):
    """All elements in one axis."""
    return torch.ravel(tensor(x))


@op
def transpose(x, axes=None):
    """The axes in the order ``axes``; None turns them round."""
    x = tensor(x)
    return torch.permute(x, tuple(range(x.dim()))[::-1] if axes is None else tuple(axes))


@op
def swapaxes(x, axis1, axis2):
    """Two axes in each other's place."""
    return torch.swapaxes(tensor(x), axis1, axis2)


@op
def moveaxis(x, source, destination):
    """Axes ``source`` (int or tuple) at the places ``destination``."""
    return torch.moveaxis(tensor(x), source, destination)


@op
def expand_dims(x, axis):
    """New axes of size 1 at ``axis`` (int or tuple) of the result.

    Raises: ValueError for an axis the result does not have.
    """
    x = tensor(x)
    axes = axis if isinstance(axis, (list, tuple)) else (axis,)
    for a in sorted(_axis("expand_dims", a, x.dim() + len(axes)) for a in axes):
        x = torch.unsqueeze(x, a)
    return x


@op
def squeeze(x, axis=None):
    """Without axes of size 1: those of ``axis`` (int or tuple), or all of them.

    Raises: ValueError for an axis of another size in a symbolic tensor.
    """
    x = tensor(x)
    return torch.squeeze(x) if axis is None else torch.squeeze(x, axis)


@op
def broadcast_to(x, shape):
    """``x`` repeated to ``shape``, a view."""
    return torch.broadcast_to(tensor(x), shape)


@op
def flip(x, axis=None):
    """Elements in reverse order along ``axis`` (int or tuple); None means all axes."""
    x = tensor(x)
    axes = range(x.dim()) if axis is None else axis if isinstance(axis, (list, tuple)) else (axis,)
    return torch.flip(x, tuple(axes))


@op
def fliplr(x):
    """Reversed along the second axis."""
    return torch.fliplr(tensor(x))


@op
def flipud(x):
    """Reversed along the first axis."""
    return torch.flipud(tensor(x))


@op
def rot90(array, k=1, axes=(0, 1)):
    """Turned by ``k`` quarter turns in the plane of ``axes``.

    Raises: ValueError for fewer than two axes, or ``axes`` that are not two different ones.
    """
    x = tensor(array)
    if x.dim() < 2:
        raise ValueError(f"rot90: expected `array` of rank 2 or more. Received: array of rank {x.dim()}.")
    if len(axes) != 2 or axes[0] == axes[1] or any(not -x.dim() <= a < x.dim() for a in axes):
        raise ValueError(f"rot90: expected `axes` to be two different axes of {x.dim()}. Received: axes={axes}.")
    return torch.rot90(x, k, tuple(axes))


@op
def roll(x, shift, axis=None):
    """Elements moved by ``shift`` along ``axis``, those at the end to the start; None rolls the flat elements."""
    return torch.roll(tensor(x), shift, axis)


@op
def concatenate(xs, axis=0):
    """One after the other along ``axis``."""
    return torch.cat(_tensors(xs), dim=0 if axis is None else axis)


@op
def append(x1, x2, axis=None):
    """``x2`` after ``x1`` along ``axis``; None flattens both."""
    x1, x2 = tensor(x1), tensor(x2)
    return torch.cat((x1.flatten(), x2.flatten())) if axis is None else torch.cat((x1, x2), axis)


@op
def stack(x, axis=0):
    """Side by side along a new ``axis``."""
    return torch.stack(_tensors(x), axis)


@op
def hstack(xs):
    """One after the other along the second axis (of vectors the first)."""
    return torch.hstack(_tensors(xs))


@op
def vstack(xs):
    """One after the other along the first axis, vectors as rows."""
    return torch.vstack(_tensors(xs))


@op
def dstack(xs):
    """One after the other along the third axis."""
    return torch.dstack(_tensors(xs))


def _places(indices_or_sections):
    if isinstance(indices_or_sections, torch.Tensor):
        return indices_or_sections.tolist()
    return indices_or_sections if isinstance(indices_or_sections, int) else list(indices_or_sections)


@op
def split(x, indices_or_sections, axis=0):
    """A list of views: that many equal parts, or parts cut before the given indices.

    Raises: ValueError where the axis can't be cut into equal parts.
    """
    x, places = tensor(x), _places(indices_or_sections)
    if isinstance(places, int) and x.shape[axis] % places:
        raise ValueError(
            f"split: expected the size of axis {axis} to be a multiple of `indices_or_sections`. "
            f"Received: indices_or_sections={places}, x of shape {tuple(x.shape)}."
        )
    return list(torch.tensor_split(x, places, dim=axis))


@op
def array_split(x, indices_or_sections, axis=0):
    """``split`` where the parts may be of unequal size: the first ones are larger by one.

    Raises: ValueError for fewer than one part.
    """
    places = _places(indices_or_sections)
    if isinstance(places, int) and places <= 0:
        raise ValueError(f"array_split: expected `indices_or_sections` above 0. Received: {places}.")
    return list(torch.tensor_split(tensor(x), places, dim=axis))


@op
def hsplit(x, indices_or_sections):
    """``split`` along the second axis (of a vector the first)."""
    return list(torch.hsplit(tensor(x), _places(indices_or_sections)))


@op
def vsplit(x, indices_or_sections):
    """``split`` along the first axis."""
    return list(torch.vsplit(tensor(x), _places(indices_or_sections)))


@op
def dsplit(x, indices_or_sections):
    """``split`` along the third axis."""
    return list(torch.dsplit(tensor(x), _places(indices_or_sections)))


@op
def repeat(x, repeats, axis=None):
    """Each element ``repeats`` times (one number, or one for each) along ``axis``; None flattens first."""
    x = tensor(x)
    if axis is None:
        x, axis = x.flatten(), 0
    if isinstance(repeats, int):
        axis = _axis("repeat", axis, x.dim())
        return x.unsqueeze(axis + 1).expand(*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :]).flatten(axis, axis + 1)
    if isinstance(repeats, (list, tuple)):  # on the host: the size is known without a read from the device
        if len(repeats) == 1:
            return repeat(x, repeats[0], axis)
        places = [i for i, times in enumerate(repeats) for _ in range(times)]
        return torch.index_select(x, axis, torch.tensor(places, device=x.device))
    return torch.repeat_interleave(x, tensor(repeats, torch.int64, x.device), dim=axis)


@op
def tile(x, repeats):
    """The whole repeated along each axis."""
    repeats = repeats.tolist() if isinstance(repeats, torch.Tensor) else repeats
    return torch.tile(tensor(x), (repeats,) if isinstance(repeats, int) else tuple(repeats))


@op
def pad(x, pad_width, mode="constant", constant_values=None):
    """``x`` with a border.

    Args:
        pad_width: one number, a pair for all axes, or a pair for each.
        mode: ``"constant"``, ``"reflect"`` or ``"symmetric"`` (the edge repeated, as in Keras on torch).
        constant_values: what a constant border holds; None means 0.

    Raises: ValueError for ``constant_values`` with another mode.
    """
    if constant_values is not None and mode != "constant":
        raise ValueError(f"pad: expected `constant_values` only with mode='constant'. Received: mode={mode!r}.")
    x = tensor(x)
    if isinstance(pad_width, torch.Tensor):
        pad_width = pad_width.tolist()
    if isinstance(pad_width, int):
        pad_width = ((pad_width, pad_width),)
    elif len(pad_width) == 2 and isinstance(pad_width[0], int):
        pad_width = (tuple(pad_width),)
    pairs = list(pad_width) * (x.dim() if len(pad_width) == 1 else 1)
    if len(pairs) != x.dim():
        raise ValueError(f"pad: expected a pair in `pad_width` for each of {x.dim()} axes. Received: {pad_width}.")
    if mode == "constant":
        amounts = [n for pair in reversed(pairs) for n in pair]
        return F.pad(x, amounts, value=constant_values or 0)
    while pairs and tuple(pairs[0]) == (0, 0):
        pairs.pop(0)
    amounts = [n for pair in reversed(pairs) for n in pair]
    lead = max(0, 3 - x.dim())
    y = x[(None,) * lead].to(x.dtype if x.dtype in (torch.float32, torch.float64) else torch.float32)
    y = F.pad(y, amounts, mode={"symmetric": "replicate"}.get(mode, mode)).to(x.dtype)
    return y[(0,) * lead]


@op
def diag(x, k=0):
    """The matrix with the vector ``x`` on its ``k``-th diagonal, or the ``k``-th diagonal of the matrix ``x``."""
    return torch.diag(tensor(x), k)


@op
def diagflat(x, k=0):
    """The matrix with all elements of ``x`` on its ``k``-th diagonal."""
    return torch.diagflat(tensor(x), k)


@op
def diagonal(x, offset=0, axis1=0, axis2=1):
    """The diagonals of the matrices in two axes, a view."""
    x = tensor(x)
    if x.dim() < 2:
        raise ValueError(f"diagonal: expected `x` of rank 2 or more. Received: x of shape {tuple(x.shape)}.")
    return torch.diagonal(x, offset, axis1, axis2)


@op
def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of a diagonal; of bools and small ints an int32."""
    x = tensor(x)
    small = x.dtype in (torch.bool, torch.int8, torch.int16, torch.uint8)
    return torch.diagonal(x, offset, axis1, axis2).sum(-1, dtype=torch.int32 if small else x.dtype)


@op
def tril(x, k=0):
    """Zero above the ``k``-th diagonal."""
    return torch.tril(tensor(x), k)


@op
def triu(x, k=0):
    """Zero below the ``k``-th diagonal."""
    return torch.triu(tensor(x), k)


def ndim(x):
    """The number of axes."""
    return x.ndim if hasattr(x, "ndim") else tensor(x).ndim


@op
def size(x):
    """The number of elements, a tensor of one int."""
    return torch.tensor(tensor(x).numel())

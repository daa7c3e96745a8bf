"""Layers of several inputs (sums, products, extremes, Concatenate, Dot), and the functions of the same names."""

import functools
import operator
import string

import torch
from torch.nn import functional as F

from kshim.core import checks, settings
from kshim.core.shapes import is_shape
from kshim.layers.base import Layer

_ELEMENTWISE = """{what} of a list of tensors, number by number.

    Shapes:
        a list of the same (or broadcastable) shapes -> that shape; where ranks differ, axes of size 1 go behind the
        batch axis. {masks}

    Raises: ValueError for something that is no list{count}, or for shapes that do not fit.

    Source: Keras 3 ``layers/merging/{name}.py``.
    """
_ANY_MASK = "The output is masked where all inputs are, if each has a mask."


class Merge(Layer):
    """Base: takes a list of tensors, checks their shapes, gives one tensor.

    A subclass writes ``merge(tensors)`` and, where shapes need not agree, ``check_shapes``.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        if is_shape(input_shape) or len(input_shape) < 1:
            checks.fail(self, "a list of at least 1 input", f"input_shape={input_shape}")
        self.check_shapes([tuple(shape) for shape in input_shape])

    def check_shapes(self, shapes):
        """Batch sizes must be equal, the other axes equal or 1, counted from the last."""
        if len({shape[0] for shape in shapes if shape} - {None}) > 1:
            checks.fail(self, "inputs with the same batch size", f"shapes {shapes}")
        rank = max(map(len, shapes))
        for sizes in zip(*((1,) * (rank - len(shape)) + shape[1:] for shape in shapes), strict=True):
            if len({size for size in sizes if size not in (1, None)}) > 1:
                checks.fail(self, "inputs with compatible shapes", f"shapes {shapes}")

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            checks.fail(self, "a list of inputs", f"inputs={inputs}")
        return self.merge(self.aligned(inputs))

    def aligned(self, tensors):
        """``tensors`` in the same rank: missing axes go behind the batch."""
        rank = max(x.dim() for x in tensors)
        if all(x.dim() == rank for x in tensors):
            return tensors
        return [x[(slice(None),) + (None,) * (rank - x.dim())] for x in tensors]

    def compute_mask(self, inputs, mask=None):
        masks = self._one_for_each(inputs, mask)
        return None if any(m is None for m in masks) else functools.reduce(torch.logical_or, masks)

    def _one_for_each(self, inputs, mask):
        """``mask`` as a list with an entry for each of ``inputs``."""
        if mask is None:
            return [None]
        if not isinstance(mask, (tuple, list)) or not isinstance(inputs, (tuple, list)) or len(mask) != len(inputs):
            checks.fail(self, "`inputs` and `mask` to be lists of the same length", f"inputs={inputs}, mask={mask}")
        return mask

    def _makes_masks(self):
        return False  # a mask comes out only where masks go in


class Add(Merge):
    __doc__ = _ELEMENTWISE.format(what="Sum", name="add", count="", masks=_ANY_MASK)

    def merge(self, tensors):
        return functools.reduce(operator.add, tensors)


class Average(Merge):
    __doc__ = _ELEMENTWISE.format(what="Mean", name="average", count="", masks=_ANY_MASK)

    def merge(self, tensors):
        return functools.reduce(operator.add, tensors) / len(tensors)


class Subtract(Merge):
    __doc__ = _ELEMENTWISE.format(what="Difference", name="subtract", count=" of two", masks=_ANY_MASK)

    def check_shapes(self, shapes):
        super().check_shapes(shapes)
        if len(shapes) != 2:
            checks.fail(self, "exactly 2 inputs", f"shapes {shapes}")

    def merge(self, tensors):
        first, second = tensors
        return first - second


class Multiply(Merge):
    __doc__ = _ELEMENTWISE.format(
        what="Product", name="multiply", count="",
        masks="What a mask leaves out counts as 1. " + _ANY_MASK + " It is 0 there.",
    )  # fmt: skip

    def merge(self, tensors):
        kept = _masks_in_full(tensors)
        if any(mask is not None for mask in kept):
            tensors = [x if mask is None else torch.where(mask, x, 1) for x, mask in zip(tensors, kept, strict=True)]
        product = functools.reduce(operator.mul, tensors)
        if any(mask is None for mask in kept):
            return product
        return torch.where(functools.reduce(torch.logical_or, kept), product, 0)


class _Extreme(Merge):
    """Base: ``choose(a, b)`` over the list; what a mask leaves out never wins over what is kept."""

    def merge(self, tensors):
        kept = _masks_in_full(tensors)
        if all(mask is None for mask in kept):
            return functools.reduce(self.choose, tensors)
        output, known = tensors[0], kept[0]
        for x, mask in zip(tensors[1:], kept[1:], strict=True):
            if mask is not None:
                x = torch.where(mask, x, output)
            if known is not None:
                output = torch.where(known, output, x)
            known = None if mask is None or known is None else torch.logical_or(known, mask)
            output = self.choose(output, x)
        return output


class Maximum(_Extreme):
    __doc__ = _ELEMENTWISE.format(
        what="Maximum", name="maximum", count="", masks="What a mask leaves out does not count. " + _ANY_MASK
    )
    choose = staticmethod(torch.maximum)


class Minimum(_Extreme):
    __doc__ = _ELEMENTWISE.format(
        what="Minimum", name="minimum", count="", masks="What a mask leaves out does not count. " + _ANY_MASK
    )
    choose = staticmethod(torch.minimum)


class Concatenate(Merge):
    """Tensors side by side along ``axis``.

    Args:
        axis: the axis, an int; the batch axis counts as 0.

    Shapes: a list of shapes that agree but for ``axis`` -> the same with the sizes on ``axis`` added. Masks are put
        side by side, too; an input without one is kept as a whole.

    Raises: ValueError for something that is no list, for shapes that do not agree, or an axis that they lack.

    Source: Keras 3 ``layers/merging/concatenate.py``.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())

    def check_shapes(self, shapes):
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            checks.fail(self, f"inputs that have an axis {self.axis}", f"shapes {shapes}")
        axis = self.axis % rank
        others = zip(*(shape[:axis] + shape[axis + 1 :] for shape in shapes), strict=False)
        if any(len(shape) != rank for shape in shapes) or any(len(set(sizes) - {None}) > 1 for sizes in others):
            checks.fail(self, f"inputs with matching shapes except on axis {self.axis}", f"shapes {shapes}")

    def merge(self, tensors):
        return torch.cat(tuple(tensors), self.axis)

    def compute_mask(self, inputs, mask=None):
        masks = self._one_for_each(inputs, mask)
        if all(m is None for m in masks):
            return None
        full = [
            torch.ones_like(x, dtype=torch.bool) if m is None else _in_full(m, x)
            for x, m in zip(inputs, masks, strict=True)
        ]
        return torch.any(torch.cat(full, self.axis), -1)


class Dot(Merge):
    """Products of two tensors, summed over one axis of each, for each of the batch.

    Args:
        axes: the axis, or a pair of them for the two inputs; not 0, the batch axis.
        normalize: whether each is divided by its L2 norm along its axis first: the cosine.

    Shapes:
        ``(batch, ...)`` and ``(batch, ...)`` -> ``(batch, *first's other axes, *second's other axes)``, and
        ``(batch, 1)`` for two matrices. There is no mask.

    Raises:
        TypeError: ``axes`` is neither an int nor a list.
        ValueError: it is no pair of ints, an axis is 0 or not there, the two differ in size, or it is not two inputs.

    Source: Keras 3 ``layers/merging/dot.py``.
    """

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), axes=_one_or_two_axes)

    def axis_of_each(self):
        """The axis of the first input and of the second."""
        return self.axes if isinstance(self.axes, (list, tuple)) else (self.axes, self.axes)

    def check_shapes(self, shapes):
        if len(shapes) != 2:
            checks.fail(self, "exactly 2 inputs", f"shapes {shapes}")
        pair = self.axis_of_each()
        if any(not -len(shape) < axis < len(shape) or axis == 0 for axis, shape in zip(pair, shapes, strict=True)):
            checks.fail(self, "`axes` that the inputs have, and not the batch axis", f"axes={self.axes}, {shapes}")
        one, other = (shape[axis] for axis, shape in zip(pair, shapes, strict=True))
        if None not in (one, other) and one != other:
            checks.fail(self, "inputs of the same size on `axes`", f"axes={self.axes}, shapes {shapes}")
        if None not in (shapes[0][0], shapes[1][0]) and shapes[0][0] != shapes[1][0]:
            checks.fail(self, "inputs with the same batch size", f"shapes {shapes}")

    def aligned(self, tensors):
        return tensors

    def merge(self, tensors):
        first, second = tensors
        one, other = (axis % x.dim() for axis, x in zip(self.axis_of_each(), tensors, strict=True))
        if self.normalize:
            first = F.normalize(first, dim=one, eps=settings.epsilon())
            second = F.normalize(second, dim=other, eps=settings.epsilon())
        if first.dim() == second.dim() == 2:
            return (first * second).sum(1, keepdim=True)
        letters = string.ascii_letters
        left, right = letters[: first.dim()], letters[0] + letters[first.dim() : first.dim() + second.dim() - 1]
        right = right[:other] + left[one] + right[other + 1 :]
        rest = left.replace(left[one], "") + right[1:].replace(left[one], "")
        return torch.einsum(f"{left},{right}->{rest}", first, second)

    def compute_mask(self, inputs, mask=None):
        return None


def _one_or_two_axes(owner, name, value):
    pair = (value, value) if checks.as_int(value) is not None else value
    if not isinstance(pair, (list, tuple)):
        raise TypeError(f"{checks.describe(owner)}: expected `{name}` to be an int or a pair. Received: {value!r}.")
    if len(pair) != 2 or any(checks.as_int(axis) is None for axis in pair):
        checks.fail(owner, f"`{name}` to be an int or a pair of ints", f"{name}={value!r}")
    return value


def _in_full(mask, x):
    """``mask`` over the first axes of ``x``, in the shape of ``x``."""
    return mask[(...,) + (None,) * (x.dim() - mask.dim())].expand(x.shape)


def _masks_in_full(tensors):
    """The mask on each of ``tensors`` in its tensor's shape, or None."""
    masks = [getattr(x, "_keras_mask", None) for x in tensors]
    return [None if mask is None else _in_full(mask, x) for mask, x in zip(masks, tensors, strict=True)]


def _function(layer):
    """The function that makes a ``layer`` and calls it."""

    def merged(inputs, **kwargs):
        return layer(**kwargs)(inputs)

    merged.__name__ = merged.__qualname__ = layer.__name__.lower()
    merged.__doc__ = f"``{layer.__name__}(**kwargs)(inputs)``: see there."
    return merged


add, subtract, multiply, average, maximum, minimum = map(
    _function, (Add, Subtract, Multiply, Average, Maximum, Minimum)
)


def concatenate(inputs, axis=-1, **kwargs):
    """``Concatenate(axis, **kwargs)(inputs)``."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """``Dot(axes, **kwargs)(inputs)``; ``normalize`` is among ``kwargs``."""
    return Dot(axes=axes, **kwargs)(inputs)

"""Layers of several inputs: Add, Concatenate."""

import functools
import operator

import torch

from kshim.core import checks
from kshim.core.shapes import is_shape
from kshim.layers.base import Layer


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
        batches = {shape[0] for shape in input_shape if shape} - {None}
        if len(batches) > 1:
            checks.fail(self, "inputs with the same batch size", f"shapes {list(input_shape)}")
        self.check_shapes([tuple(shape) for shape in input_shape])

    def check_shapes(self, shapes):
        """Axes must be equal or 1, counted from the last (the batch apart)."""
        rank = max(map(len, shapes))
        for sizes in zip(*((1,) * (rank - len(shape)) + shape[1:] for shape in shapes), strict=True):
            if len({size for size in sizes if size not in (1, None)}) > 1:
                checks.fail(self, "inputs with compatible shapes", f"shapes {shapes}")

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            checks.fail(self, "a list of inputs", f"inputs={inputs}")
        rank = max(x.dim() for x in inputs)
        if any(x.dim() != rank for x in inputs):  # missing axes go behind the batch
            inputs = [x[(slice(None),) + (None,) * (rank - x.dim())] for x in inputs]
        return self.merge(inputs)

    def compute_mask(self, inputs, mask=None):
        if mask is None or any(m is None for m in mask):
            return None
        return functools.reduce(torch.logical_or, mask)

    def _makes_masks(self):
        return False  # a mask comes out only where masks go in


class Add(Merge):
    """Sum of a list of tensors.

    Shapes: a list of the same (or broadcastable) shapes -> that shape.

    Raises: ValueError for something that is no list, or for shapes that do not fit.

    Source: Keras 3 ``layers/merging/add.py``.
    """

    def merge(self, tensors):
        return functools.reduce(operator.add, tensors)


class Concatenate(Merge):
    """Tensors side by side along ``axis``.

    Args:
        axis: the axis, an int; the batch axis counts as 0.

    Shapes: a list of shapes that agree but for ``axis`` -> the same with the sizes on ``axis`` added.

    Raises: ValueError for something that is no list, or for shapes that do not agree.

    Source: Keras 3 ``layers/merging/concatenate.py``.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())

    def check_shapes(self, shapes):
        ranks = {len(shape) for shape in shapes}
        axis = self.axis % max(ranks)
        others = zip(*(shape[:axis] + shape[axis + 1 :] for shape in shapes), strict=False)
        if len(ranks) > 1 or any(len(set(sizes) - {None}) > 1 for sizes in others):
            checks.fail(self, f"inputs with matching shapes except on axis {self.axis}", f"shapes {shapes}")

    def merge(self, tensors):
        return torch.cat(tuple(tensors), self.axis)

    def compute_mask(self, inputs, mask=None):
        if mask is None or all(m is None for m in mask):
            return None
        full = [_full_mask(x, m) for x, m in zip(inputs, mask, strict=True)]
        return torch.any(torch.cat(full, self.axis), -1)


def _full_mask(x, mask):
    """``mask`` in the shape of ``x``; all True where there is none."""
    if mask is None:
        return torch.ones_like(x, dtype=torch.bool)
    return mask.unsqueeze(-1).expand(x.shape) if mask.dim() < x.dim() else mask


def add(inputs, **kwargs):
    """``Add(**kwargs)(inputs)``."""
    return Add(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """``Concatenate(axis, **kwargs)(inputs)``."""
    return Concatenate(axis=axis, **kwargs)(inputs)

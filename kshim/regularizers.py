"""Penalties on weights and outputs: a function of a tensor that gives a scalar.

Source: Keras 3 ``regularizers/regularizers.py``.
"""

import math
import numbers

import torch
import torch.nn.functional as F

from kshim.core import checks, configurable, names, settings
from kshim.core.arrays import to_tensor
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry


class Regularizer(Configurable):
    """Base class: a subclass writes ``__call__(x)``, which returns a scalar; this one's is 0."""

    def __call__(self, x):
        return 0.0


def _factor(default):
    """A check: a finite number of at least 0, kept as a float; None means ``default``."""

    def check(owner, name, value):
        value = default if value is None else value
        if not isinstance(value, numbers.Real) or not math.isfinite(value) or value < 0:
            checks.fail(owner, f"`{name}` to be a finite number of at least 0", f"{name}={value!r}")
        return float(value)

    return check


class L1(Regularizer):
    """``l1 * sum(abs(x))``.

    Args:
        l1: finite, at least 0.

    Raises:
        ValueError: ``l1`` is not.
    """

    def __init__(self, l1=0.01):
        self.keep(locals(), l1=_factor(0.01))

    def __call__(self, x):
        return self.l1 * torch.sum(torch.abs(to_tensor(x)))


class L2(Regularizer):
    """``l2 * sum(x^2)``.

    Args:
        l2: finite, at least 0.

    Raises:
        ValueError: ``l2`` is not.
    """

    def __init__(self, l2=0.01):
        self.keep(locals(), l2=_factor(0.01))

    def __call__(self, x):
        return self.l2 * torch.sum(torch.square(to_tensor(x)))


class L1L2(Regularizer):
    """``l1 * sum(abs(x)) + l2 * sum(x^2)``.

    Args:
        l1, l2: finite, at least 0. Both are 0 unless given.

    Raises:
        ValueError: one of them is not.
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.keep(locals(), l1=_factor(0.0), l2=_factor(0.0))

    def __call__(self, x):
        x = to_tensor(x)
        penalties = []
        if self.l1:
            penalties.append(self.l1 * torch.sum(torch.abs(x)))
        if self.l2:
            penalties.append(self.l2 * torch.sum(torch.square(x)))
        return sum(penalties) if penalties else torch.zeros((), dtype=x.dtype, device=x.device)


class OrthogonalRegularizer(Regularizer):
    """``factor`` times the mean absolute cosine between two different rows (or columns) of a matrix.

    Args:
        factor: finite, at least 0.
        mode: ``"rows"`` or ``"columns"``.

    Raises:
        ValueError: an argument is none of these; ``inputs`` is no matrix.
    """

    def __init__(self, factor=0.01, mode="rows"):
        self.keep(locals(), factor=_factor(0.01), mode=_mode)

    def __call__(self, inputs):
        inputs = to_tensor(inputs)
        if inputs.ndim != 2:
            checks.fail(self, "inputs of rank 2", f"inputs of shape {tuple(inputs.shape)}")
        rows = F.normalize(inputs if self.mode == "rows" else inputs.T, dim=1, eps=settings.epsilon())
        count = rows.shape[0]
        # Each pair stands on both sides of the diagonal.
        pairs = torch.sum(torch.abs(torch.triu(rows @ rows.T, 1)))
        return self.factor * pairs / (count * (count - 1) / 2)


def _mode(owner, name, value):
    if value not in ("rows", "columns"):
        checks.fail(owner, "`mode` to be one of ('rows', 'columns')", f"mode={value!r}")
    return value


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

REGISTRY = Registry("regularizer", "keras.regularizers", Regularizer)
for _class in (Regularizer, L1, L2, L1L2, OrthogonalRegularizer):
    REGISTRY.add(_class, **{names.snake_case(_class.__name__): _class})

get = deserialize = REGISTRY.get
serialize = REGISTRY.serialize
configurable.RESOLVERS["_regularizer"] = get
configurable.SERIALIZERS["_regularizer"] = serialize

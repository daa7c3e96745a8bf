"""Projections of weights after each update: a function of a tensor that gives a new one.

``axis`` is the axis, or the tuple of axes, over which a norm is taken: 0 for the columns of a ``Dense`` kernel
``(inputs, units)``, ``(0, 1, 2)`` for the filters of a ``Conv2D`` kernel.

Source: Keras 3 ``constraints/constraints.py``.
"""

import torch

from kshim.core import configurable, names, settings
from kshim.core.arrays import to_tensor
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry


class Constraint(Configurable):
    """Base class: a subclass writes ``__call__(w)``, which returns the new weight; this one's is ``w`` itself."""

    def __call__(self, w):
        return w


class NonNeg(Constraint):
    """``max(w, 0)``."""

    def __call__(self, w):
        return torch.relu(to_tensor(w))


class UnitNorm(Constraint):
    """``w / (epsilon + norm(w))``.

    Args:
        axis: see the module.
    """

    def __init__(self, axis=0):
        self.keep(locals())

    def __call__(self, w):
        w = to_tensor(w)
        return w / (settings.epsilon() + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """``w`` rescaled so that its norm lies in ``[min_value, max_value]``.

    ``w * (rate * clip(norm(w), min_value, max_value) + (1 - rate) * norm(w)) / (epsilon + norm(w))``

    Args:
        min_value, max_value: at least 0.
        rate: in [0, 1]: 1 rescales at once, less moves towards the bounds a little at each step.
        axis: see the module.
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.keep(locals())

    def __call__(self, w):
        w = to_tensor(w)
        norms = _norms(w, self.axis)
        desired = self.rate * torch.clamp(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (settings.epsilon() + norms))


class MaxNorm(Constraint):
    """``w`` rescaled so that its norm is at most ``max_value``: ``MinMaxNorm`` with no lower bound.

    Args:
        max_value: at least 0.
        axis: see the module.

    Source: Srivastava et al. 2014.
    """

    def __init__(self, max_value=2, axis=0):
        self.keep(locals())

    def __call__(self, w):
        w = to_tensor(w)
        norms = _norms(w, self.axis)
        return w * (torch.clamp(norms, 0, self.max_value) / (settings.epsilon() + norms))


def _norms(w, axis):
    return torch.linalg.vector_norm(w, dim=axis, keepdim=True)


max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm

REGISTRY = Registry("constraint", "keras.constraints", Constraint)
for _class in (Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm):
    REGISTRY.add(_class, **{names.snake_case(_class.__name__): _class})

get = deserialize = REGISTRY.get
serialize = REGISTRY.serialize
configurable.RESOLVERS["_constraint"] = get
configurable.SERIALIZERS["_constraint"] = serialize

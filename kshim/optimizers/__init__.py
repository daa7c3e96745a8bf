"""Optimizers: slots and an update rule each."""

from kshim.optimizers import schedules
from kshim.optimizers.base import OPTIMIZERS, Optimizer
from kshim.optimizers.rules import (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lamb,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)
from kshim.optimizers.wrappers import LossScaleOptimizer, MultiOptimizer, OptimizerMap

__all__ = [
    "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "LossScaleOptimizer",
    "MultiOptimizer", "Muon", "Nadam", "Optimizer", "OptimizerMap", "RMSprop", "ScheduleFreeAdamW", "deserialize",
    "get", "schedules", "serialize",
]  # fmt: skip

_RULES = (
    SGD, Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, LossScaleOptimizer, MultiOptimizer, Muon,
    Nadam, RMSprop, ScheduleFreeAdamW,
)  # fmt: skip
OPTIMIZERS.add(*_RULES, OptimizerMap, **{rule.__name__.lower(): rule for rule in _RULES})


def get(identifier):
    """The optimizer for a name (any case), config, class, or instance (a torch optimizer too).

    Raises: ValueError for anything else.
    """
    if isinstance(identifier, str):
        by_case = {name.lower(): name for name in OPTIMIZERS.table}
        identifier = by_case.get(identifier.lower(), identifier)
    elif identifier is None:
        raise ValueError("Could not interpret optimizer identifier: expected a name or an object. Received: None")
    return OPTIMIZERS.get(identifier)


def serialize(optimizer):
    """The optimizer as a config dict."""
    return OPTIMIZERS.serialize(optimizer)


def deserialize(config, custom_objects=None):
    """The optimizer a config dict describes."""
    return OPTIMIZERS.get(config, custom_objects)

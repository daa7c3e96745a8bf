"""Names that are gone, or mean something else by dialect, put where scripts look for them.

``kshim.utils`` is on this floor, so its rows are attached from above, by ``kshim.shim``.
"""

import sys
from typing import Any

from kshim import activations, constraints, optimizers, regularizers
from kshim.callbacks import base as callbacks
from kshim.core import settings
from kshim.core.registry import Registry
from kshim.legacy import arguments, functions, translate

# module -> old name -> today's name there
ALIASES = {
    "constraints": {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm"},
    "initializers": {"zero": "Zeros", "one": "Ones", "normal": "RandomNormal", "uniform": "RandomUniform"},
    "losses": {"mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
               "MAE": "mean_absolute_error"},
    "regularizers": {"WeightRegularizer": "L1L2"},
}  # fmt: skip

# module -> name -> what follows the dialect
BY_DIALECT: dict[str, dict[str, Any]] = {
    "activations": {"hard_sigmoid": functions.hard_sigmoid},
    "regularizers": {"l1_l2": functions.l1_l2, "l1l2": functions.l1_l2},
    "utils": {"to_categorical": functions.to_categorical},
}

# class -> old attribute -> today's
ATTRIBUTES = {optimizers.Optimizer: {"lr": "learning_rate"}}

# class -> attribute -> (last dialect that had the old value, old value)
FORMULAS: dict[type, dict[str, tuple[str, Any]]] = {
    optimizers.RMSprop: {"epsilon_inside_root": ("2.3.1", False)},
    optimizers.Adagrad: {"epsilon_inside_root": ("2.3.1", False)},
}

# names of logged values that answer for each other in History.history, logs and monitor=
TWINS = {
    "acc": "accuracy", "mse": "mean_squared_error", "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
}  # fmt: skip

# what strings may say, beside today's names
STRINGS: tuple[tuple[Registry, dict[str, Any]], ...] = (
    (activations.REGISTRY, {"hard_sigmoid": functions.hard_sigmoid}),
    (regularizers.REGISTRY, {"l1_l2": functions.l1_l2, "l1l2": functions.l1_l2}),
    (constraints.REGISTRY, {"maxnorm": constraints.MaxNorm, "nonneg": constraints.NonNeg,
                            "unitnorm": constraints.UnitNorm}),
)  # fmt: skip


def attach_to(place):
    """Write the rows of one module (``"utils"``) into it; it has been imported."""
    module = sys.modules[f"kshim.{place}"]
    for old, new in ALIASES.get(place, {}).items():
        if hasattr(module, new) and not hasattr(module, old):
            setattr(module, old, getattr(module, new))
    for name, value in BY_DIALECT.get(place, {}).items():
        setattr(module, name, value)
    for key in arguments.FUNCTIONS:
        where, name = key.split(".")
        if where == place:
            today = getattr(module, name)
            wrapped = translate.function(key, today)
            setattr(module, name, wrapped)
            _replace_elsewhere(module, name, today, wrapped)


def _replace_elsewhere(module, name, old, new):
    """In the registry, and in ``kshim`` itself, which hands out some names of its modules."""
    registry = getattr(module, "REGISTRY", None)
    if registry is not None and registry.table.get(name) is old:
        registry.table[name] = new
    package = sys.modules["kshim"]
    if vars(package).get(name) is old:
        setattr(package, name, new)


def attach():
    """Write all rows whose module is on a floor below."""
    for registry, strings in STRINGS:
        registry.add(**strings)
    for cls, attributes in ATTRIBUTES.items():
        for old, new in attributes.items():
            setattr(cls, old, _alias(new))
    for owner, formulas in FORMULAS.items():
        for name, (until, value) in formulas.items():
            setattr(owner, name, _by_dialect(getattr(owner, name), until, value))
    callbacks.TWINS.update(TWINS)
    for place in {*ALIASES, *BY_DIALECT, *(key.split(".")[0] for key in arguments.FUNCTIONS)} - {"utils"}:
        if f"kshim.{place}" in sys.modules:
            attach_to(place)


def _by_dialect(today, until, old):
    return property(lambda self: old if settings.holds(until=until) else today)


def _alias(name):
    def get(self):
        return getattr(self, name)

    def put(self, value):
        setattr(self, name, value)

    return property(get, put, doc=f"``{name}``, by its older name.")

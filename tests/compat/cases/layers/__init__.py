"""Layers: one row each, in one file per family. ``make(k)`` makes the layer of ``k``, which is kshim or real Keras."""

import importlib
import pkgutil

from cases.layers.row import Case, Refused

FAMILIES = [
    importlib.import_module(f"{__name__}.{found.name}")
    for found in pkgutil.iter_modules(__path__)
    if found.name != "row"
]

CASES: list[Case] = [case for family in FAMILIES for case in getattr(family, "CASES", [])]

# Calls that are refused: one row each.
REFUSED: list[Refused] = [row for family in FAMILIES for row in getattr(family, "REFUSED", [])]

# Public classes that are no row: why.
NO_CASE: dict[str, str] = {name: why for family in FAMILIES for name, why in getattr(family, "NO_CASE", {}).items()}

# Keys of Keras' config that kshim's lacks: why.
NOT_IN_CONFIG = {"quantization_config": "quantization is no part of a layer in kshim"}

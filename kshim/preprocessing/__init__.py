"""``keras.preprocessing``: sequences and text as arrays. Each module loads on first use."""

import importlib

from kshim.core.checks import nearest as _nearest

_MODULES = ("sequence", "text")

__all__ = list(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"kshim.preprocessing.{name}")
    raise AttributeError(f"kshim has no keras.preprocessing.{name} yet.{_nearest(name, _MODULES)}")

"""The ops that numpy has, by its names.

Source: Keras 3 ``ops/numpy.py``.
"""

from kshim.graph.op import OPS
from kshim.ops import creation, elementwise, indexing, products, reduction, shaping
from kshim.ops.control import vectorize  # noqa: F401  (in __all__, below)

_FILES = (creation, elementwise, indexing, products, reduction, shaping)
_ALIASES = elementwise.ALIASES

__all__ = sorted(
    {name for file in _FILES for name, value in vars(file).items() if OPS.get(name) is value and name != "cast"}
    | {*_ALIASES, "ndim", "vectorize"}
)  # fmt: skip

globals().update({name: getattr(file, name) for file in _FILES for name in __all__ if hasattr(file, name)})

"""The ops that layers are made of: activations, convolutions, poolings, normalizations, cross entropies.

Source: Keras 3 ``ops/nn.py``.
"""

from kshim.graph.op import OPS
from kshim.ops import activation, attention, classification, convolution, ctc, normalization
from kshim.ops.math import polar  # noqa: F401  (in __all__, below)

_FILES = (activation, attention, classification, convolution, ctc, normalization)

__all__ = sorted(
    {name for file in _FILES for name, value in vars(file).items() if OPS.get(name) is value}
    | {*activation.ALIASES, "polar"}
)  # fmt: skip

globals().update({name: getattr(file, name) for file in _FILES for name in __all__ if hasattr(file, name)})

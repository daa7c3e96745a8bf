"""Operations on tensors, arrays and symbolic tensors, under Keras 3's names.

A file holds the ops of one idea; ``numpy``, ``nn``, ``linalg`` and ``image`` are Keras' own groups of them.
Source: Keras 3 ``ops``.
"""

from kshim.ops import casting, control, einops, image, linalg, math, nn, numpy, signal, slicing  # noqa: F401  (used below)

_GROUPS = (casting, numpy, nn, linalg, math, signal, slicing, control, einops)

# The public names of the groups are names here, too.
globals().update({name: getattr(group, name) for group in _GROUPS for name in group.__all__})

__all__ = sorted({"image", *(name for group in _GROUPS for name in group.__all__)})

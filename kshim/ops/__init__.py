"""Operations on tensors, arrays and symbolic tensors, under Keras 3's names.

Source: Keras 3 ``ops``.
"""

from kshim.ops import image

__all__ = ["image"]

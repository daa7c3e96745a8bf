"""Operations on tensors, arrays and symbolic tensors, under Keras 3's names.

Source: Keras 3 ``ops``.
"""

from kshim.ops import (  # noqa: F401  (their names are taken below)
    casting,
    creation,
    elementwise,
    image,
    indexing,
    numpy,
    products,
    reduction,
    shaping,
)  # fmt: skip
from kshim.ops.casting import cast, convert_to_tensor

# The public names of the grouped namespaces are names here, too.
globals().update({name: getattr(numpy, name) for name in numpy.__all__})

__all__ = ["cast", "convert_to_tensor", "image", *numpy.__all__]

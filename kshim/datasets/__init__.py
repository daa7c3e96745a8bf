"""Data sets in Keras' form: a module each, with ``load_data()`` giving numpy arrays.

``digits``, 1,797 handwritten digits of 8x8 pixels, is part of the package; nothing is downloaded for it. The others
come from the web on first use and stay in Keras' cache, ``~/.keras/datasets``; what an older Keras left there is taken.
"""

from kshim.core import configurable
from kshim.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
)

__all__ = [
    "boston_housing", "california_housing", "cifar10", "cifar100", "digits", "fashion_mnist", "imdb", "mnist",
    "reuters",
]  # fmt: skip

configurable.loaded("datasets")

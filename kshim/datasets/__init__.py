"""Data sets in Keras' form: a module each, with ``load_data()`` giving numpy arrays.

``digits``: 1,797 handwritten digits of 8x8 pixels; part of the package, so nothing is downloaded.
"""

from kshim.datasets import digits

__all__ = ["digits"]

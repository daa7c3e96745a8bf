"""MNIST: 70,000 handwritten digits of 28x28 pixels."""

from kshim.core import npz
from kshim.datasets import source

HASHES = ("731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1", "8a61469f7ea1b51cbae51d4f78837e45")


def load_data(path="mnist.npz", cache_dir=None):
    """Load MNIST, from the cache or the web.

    Args:
        path: name of the file in the cache.
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``, all uint8: ``x`` of shape ``(60000, 28, 28)`` and
        ``(10000, 28, 28)``, values 0 (black) to 255; ``y`` of shape ``(n,)``, the digit.

    Source: LeCun, Cortes and Burges 1998, licence CC BY-SA 3.0; Keras 3 ``datasets/mnist.py``.
    """
    arrays = npz.load(source.cached(path, source.FOLDER + "mnist.npz", HASHES, cache_dir))
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])

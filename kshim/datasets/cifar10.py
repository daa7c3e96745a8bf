"""CIFAR-10: 60,000 colour pictures of 32x32 pixels in 10 classes."""

from kshim.datasets import source

HASH = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data(cache_dir=None):
    """Load CIFAR-10, from the cache or the web.

    Args:
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``, all uint8: ``x`` of shape ``(50000, 32, 32, 3)`` and
        ``(10000, 32, 32, 3)`` (channels second where the image data format says so); ``y`` of shape ``(n, 1)``.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; Keras 3 ``datasets/cifar10.py``.
    """
    batches = ([f"data_batch_{i}" for i in range(1, 6)], ["test_batch"])
    (x, y), (x_test, y_test) = source.cifar("cifar-10-batches-py", HASH, batches, "labels", cache_dir)
    return (x, y.astype("uint8")), (x_test, y_test.astype("uint8"))

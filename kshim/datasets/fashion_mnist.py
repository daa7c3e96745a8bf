"""Fashion-MNIST: 70,000 pictures of clothes, 28x28 pixels, in 10 classes."""

import os

from kshim.core.download import get_file
from kshim.datasets import source

FOLDER = os.path.join("datasets", "fashion-mnist")


def load_data(cache_dir=None):
    """Load Fashion-MNIST, from the cache or the web.

    Args:
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``, all uint8: ``x`` of shape ``(60000, 28, 28)`` and
        ``(10000, 28, 28)``; ``y`` of shape ``(n,)``: 0 T-shirt, 1 trouser, 2 pullover, 3 dress, 4 coat, 5 sandal,
        6 shirt, 7 sneaker, 8 bag, 9 ankle boot.

    Source: Xiao, Rasul and Vollgraf 2017, licence MIT; Keras 3 ``datasets/fashion_mnist.py``.
    """
    parts = []
    for part in ("train", "t10k"):
        labels, images = (
            get_file(name, source.FOLDER + name, cache_subdir=FOLDER, cache_dir=cache_dir)
            for name in (f"{part}-labels-idx1-ubyte.gz", f"{part}-images-idx3-ubyte.gz")
        )
        y = source.read_idx(labels, 8)
        parts.append((source.read_idx(images, 16).reshape(len(y), 28, 28), y))
    return tuple(parts)

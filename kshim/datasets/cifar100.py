"""CIFAR-100: 60,000 colour pictures of 32x32 pixels in 100 classes of 20 kinds."""

from kshim.datasets import source

HASH = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode="fine", cache_dir=None):
    """Load CIFAR-100, from the cache or the web.

    Args:
        label_mode: ``"fine"`` for the class, 0 to 99; ``"coarse"`` for the kind, 0 to 19.
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: ``x`` uint8 of shape ``(50000, 32, 32, 3)`` and
        ``(10000, 32, 32, 3)`` (channels second where the image data format says so); ``y`` int64 of shape ``(n, 1)``.

    Raises:
        ValueError: for another ``label_mode``.

    Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; Keras 3 ``datasets/cifar100.py``.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f'`label_mode` must be one of `"fine"`, `"coarse"`. Received: label_mode={label_mode}.')
    return source.cifar("cifar-100-python", HASH, (["train"], ["test"]), f"{label_mode}_labels", cache_dir)

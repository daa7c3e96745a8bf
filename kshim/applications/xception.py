"""Xception: separable convolutions with residuals.

Source: Chollet 2016, "Xception: Deep Learning with Depthwise Separable Convolutions".
"""

from kshim import layers
from kshim.applications.common import (
    STANDARD,
    act,
    application,
    assemble,
    check,
    conv,
    dense_top,
    max_pool,
    norm,
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions

__all__ = ["Xception", "decode_predictions", "preprocess_input"]

DOWN = ((2, (128, 128)), (3, (256, 256)), (4, (728, 728)))  # blocks that halve the size


def separable(x, filters, name):
    """A separable convolution and its normalization."""
    x = layers.SeparableConv2D(filters=filters, kernel_size=3, padding="same", use_bias=False, name=name)(x)
    return norm(x, f"{name}_bn")


def _down(x, block, counts):
    residual = norm(conv(x, counts[-1], 1, strides=2, padding="same", use_bias=False))
    for i, filters in enumerate(counts, 1):
        if (block, i) != (2, 1):
            x = act(x, f"block{block}_sepconv{i}_act")
        x = separable(x, filters, f"block{block}_sepconv{i}")
    return layers.Add()([max_pool(x, 3, 2, f"block{block}_pool", "same"), residual])


def body(x):
    """Fourteen blocks."""
    for i, (filters, strides) in enumerate(((32, 2), (64, 1)), 1):
        name = f"block1_conv{i}"
        x = act(norm(conv(x, filters, 3, name, strides=strides, use_bias=False), f"{name}_bn"), f"{name}_act")
    for block, counts in DOWN:
        x = _down(x, block, counts)
    for block in range(5, 13):
        residual = x
        for i in range(1, 4):
            name = f"block{block}_sepconv{i}"
            x = separable(act(x, f"{name}_act"), 728, name)
        x = layers.Add()([x, residual])
    x = _down(x, 13, (728, 1024))
    for i, filters in enumerate((1536, 2048), 1):
        x = act(separable(x, filters, f"block14_sepconv{i}"), f"block14_sepconv{i}_act")
    return x


def build(given, size):
    """The model."""
    images = pictures(given, check(given, size, 71))
    x = body(images)
    x = dense_top(x, given) if given.include_top else pooled(x, given.pooling)
    return assemble(given, images, x, "xception", "xception")


Xception = application(build, "Xception", "Chollet 2016", 299, **STANDARD | {"name": "xception"})
preprocess_input = _preprocessing("tf")

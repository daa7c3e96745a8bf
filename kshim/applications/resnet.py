"""ResNet, with 1x1, 3x3 and 1x1 convolutions in a block; and what version 2 shares with it.

Source: He et al. 2015, "Deep Residual Learning for Image Recognition".
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
    pad,
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]

EPSILON = 1.001e-5
FILTERS = (64, 128, 256, 512)
DEPTHS = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}


def block(x, filters, strides, name, projected):
    """Convolutions, each normalized, beside the input or, if ``projected``, a convolution of it."""
    shortcut = x
    if projected:
        shortcut = conv(x, 4 * filters, 1, f"{name}_0_conv", strides=strides)
        shortcut = norm(shortcut, f"{name}_0_bn", epsilon=EPSILON)
    rows = ((filters, 1, {"strides": strides}), (filters, 3, {"padding": "same"}), (4 * filters, 1, {}))
    for i, (count, size, more) in enumerate(rows, 1):
        x = norm(conv(x, count, size, f"{name}_{i}_conv", **more), f"{name}_{i}_bn", epsilon=EPSILON)
        if i < 3:
            x = act(x, f"{name}_{i}_relu")
    return act(layers.Add(name=f"{name}_add")([shortcut, x]), f"{name}_out")


def body(x, depths):
    """Four stages; all but the first begin with stride 2."""
    for stage, (filters, depth) in enumerate(zip(FILTERS, depths, strict=True), 2):
        for i in range(1, depth + 1):
            x = block(x, filters, 2 if i == 1 and stage > 2 else 1, f"conv{stage}_block{i}", i == 1)
    return x


def stem(x, normalized):
    """A 7x7 convolution and a pooling, each of stride 2."""
    x = conv(pad(x, ((3, 3), (3, 3)), "conv1_pad"), 64, 7, "conv1_conv", strides=2)
    if normalized:
        x = act(norm(x, "conv1_bn", epsilon=EPSILON), "conv1_relu")
    return max_pool(pad(x, ((1, 1), (1, 1)), "pool1_pad"), 3, 2, "pool1_pool")


def finish(given, images, x, variant, top=dense_top):
    """The head, and the model."""
    x = top(x, given) if given.include_top else pooled(x, given.pooling, ("avg_pool", "max_pool"))
    return assemble(given, images, x, "resnet", variant)


def build(given, size, depths, variant, top=dense_top):
    """The model; ``variant`` names the weights."""
    images = pictures(given, check(given, size))
    return finish(given, images, body(stem(images, True), depths), variant, top)


ResNet50, ResNet101, ResNet152 = (
    application(build, f"ResNet{n}", "He et al. 2015", 224, depths, f"resnet{n}", **STANDARD | {"name": f"resnet{n}"})
    for n, depths in DEPTHS.items()
)
preprocess_input = _preprocessing("caffe")

"""DenseNet: each block of a stage sees the outputs of all before it.

Source: Huang et al. 2016, "Densely Connected Convolutional Networks".
"""

from kshim.applications.common import (
    STANDARD,
    act,
    application,
    assemble,
    avg_pool,
    channel_axis,
    check,
    concat,
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

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

GROWTH = 32
DEPTHS = {"121": (6, 12, 24, 16), "169": (6, 12, 32, 32), "201": (6, 12, 48, 32)}


def _ready(x, norm_name, relu_name):
    return act(norm(x, norm_name, epsilon=1.001e-5), relu_name)


def body(x, depths, stem="conv1_{}"):
    """A stem, whose layers have the names ``stem``, and four stages with a halving of channels and size between."""
    x = conv(pad(x, ((3, 3), (3, 3))), 64, 7, stem.format("conv"), strides=2, use_bias=False)
    x = max_pool(pad(_ready(x, stem.format("bn"), stem.format("relu")), ((1, 1), (1, 1))), 3, 2, "pool1")
    for stage, depth in enumerate(depths, 2):
        if stage > 2:
            name = f"pool{stage - 1}"
            x = _ready(x, f"{name}_bn", f"{name}_relu")
            x = conv(x, x.shape[channel_axis()] // 2, 1, f"{name}_conv", use_bias=False)
            x = avg_pool(x, 2, 2, f"{name}_pool")
        for i in range(1, depth + 1):
            name = f"conv{stage}_block{i}"
            new = conv(_ready(x, f"{name}_0_bn", f"{name}_0_relu"), 4 * GROWTH, 1, f"{name}_1_conv", use_bias=False)
            new = _ready(new, f"{name}_1_bn", f"{name}_1_relu")
            new = conv(new, GROWTH, 3, f"{name}_2_conv", padding="same", use_bias=False)
            x = concat([x, new], f"{name}_concat")
    return _ready(x, "bn", "relu")


def build(given, size, depths, variant, body=body, top=dense_top):
    """The model; ``variant`` names the weights."""
    images = pictures(given, check(given, size, channels_last="DenseNet"))
    x = body(images, depths)
    x = top(x, given) if given.include_top else pooled(x, given.pooling, ("avg_pool", "max_pool"))
    return assemble(given, images, x, "densenet", variant)


DenseNet121, DenseNet169, DenseNet201 = (
    application(
        build, f"DenseNet{n}", "Huang et al. 2016", 224, depths, f"densenet{n}", **STANDARD | {"name": f"densenet{n}"}
    )
    for n, depths in DEPTHS.items()
)
preprocess_input = _preprocessing("torch")

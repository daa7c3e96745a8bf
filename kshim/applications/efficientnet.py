"""EfficientNet: one network, made wider, deeper and larger together.

Source: Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks".
"""

import math

from kshim import layers
from kshim.applications.common import (
    STANDARD,
    act,
    application,
    assemble,
    channel_axis,
    check,
    conv,
    multiple_of,
    norm,
    pad,
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import correct_pad, decode_predictions
from kshim.initializers import VarianceScaling

__all__ = [*(f"EfficientNetB{i}" for i in range(8)), "decode_predictions", "preprocess_input"]

# stages: blocks, kernel, strides of the first, expansion, filters
ROWS = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
# size, width, depth, rate of the dropout before the classifier
VARIANTS = (
    (224, 1.0, 1.0, 0.2), (240, 1.0, 1.1, 0.2), (260, 1.1, 1.2, 0.3), (300, 1.2, 1.4, 0.3), (380, 1.4, 1.8, 0.4),
    (456, 1.6, 2.2, 0.4), (528, 1.8, 2.6, 0.5), (600, 2.0, 3.1, 0.5),
)  # fmt: skip
DROPPED = 0.2  # rate of the last block's dropout; it grows evenly from 0
DEVIATIONS = (0.229, 0.224, 0.225)


def _normal():
    return VarianceScaling(scale=2.0, mode="fan_out", distribution="truncated_normal")


def plain(x, filters, size, name, **more):
    """A convolution of the same size without bias, for which normalization follows."""
    more = {"padding": "same", "use_bias": False, **more}
    return conv(x, filters, size, name, kernel_initializer=_normal(), **more)


def depthwise(x, size, name, **more):
    """A depthwise convolution without bias."""
    return layers.DepthwiseConv2D(kernel_size=size, use_bias=False, depthwise_initializer=_normal(), name=name, **more)(
        x
    )


def excited(x, narrow, name):
    """Each channel times a number in (0, 1) that the means of all give, through ``narrow`` of them."""
    filters = x.shape[channel_axis()]
    weights = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    shape = (filters, 1, 1) if channel_axis() == 1 else (1, 1, filters)
    weights = layers.Reshape(target_shape=shape, name=f"{name}se_reshape")(weights)
    weights = plain(weights, narrow, 1, f"{name}se_reduce", activation="swish", use_bias=True)
    weights = plain(weights, filters, 1, f"{name}se_expand", activation="sigmoid", use_bias=True)
    return layers.Multiply(name=f"{name}se_excite")([x, weights])


def residual(x, inputs, rate, name):
    """``x`` and its inputs, where whole samples of ``x`` are dropped."""
    if rate > 0:
        x = layers.Dropout(rate=rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.Add(name=f"{name}add")([x, inputs])


def swished(x, name, kind, activation=None, **more):
    """Normalization and ``swish``."""
    return act(norm(x, f"{name}{kind}bn", **more), f"{name}{activation or kind + 'activation'}", "swish")


def _block(x, kernel, strides, expansion, filters, rate, name):
    inputs, channels = x, x.shape[channel_axis()]
    if expansion != 1:
        x = swished(plain(x, channels * expansion, 1, f"{name}expand_conv"), name, "expand_")
    if strides == 2:
        x = pad(x, correct_pad(x, kernel), f"{name}dwconv_pad")
    x = depthwise(x, kernel, f"{name}dwconv", strides=strides, padding="valid" if strides == 2 else "same")
    x = excited(swished(x, name, ""), max(1, int(channels * 0.25)), name)
    x = norm(plain(x, filters, 1, f"{name}project_conv"), f"{name}project_bn")
    return residual(x, inputs, rate, name) if strides == 1 and channels == filters else x


def body(x, width, depth, trained):
    """The pictures' scale, a stem, seven stages and a last 1x1 convolution.

    Args:
        x: the pictures.
        width, depth: what filters and blocks are multiplied by.
        trained: whether ImageNet's weights come, whose scale of the channels is another one.
    """
    x = layers.Normalization(axis=channel_axis())(layers.Rescaling(scale=1.0 / 255.0)(x))
    if trained:
        x = layers.Rescaling(scale=[1.0 / math.sqrt(one) for one in DEVIATIONS])(x)
    x = pad(x, correct_pad(x, 3), "stem_conv_pad")
    x = swished(plain(x, multiple_of(32 * width), 3, "stem_conv", strides=2, padding="valid"), "stem_", "")
    counts = [math.ceil(depth * row[0]) for row in ROWS]
    number = 0
    for stage, (count, (_, kernel, strides, expansion, filters)) in enumerate(zip(counts, ROWS, strict=True), 1):
        for i in range(count):
            rate, name = DROPPED * number / sum(counts), f"block{stage}{chr(97 + i)}_"
            x = _block(x, kernel, 1 if i else strides, expansion, multiple_of(filters * width), rate, name)
            number += 1
    return swished(plain(x, multiple_of(1280 * width), 1, "top_conv"), "top_", "")


def head(x, given, rate, **more):
    """The classifier or the pooling."""
    if not given.include_top:
        return pooled(x, given.pooling, ("avg_pool", "max_pool"))
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if rate > 0:
        x = layers.Dropout(rate=rate, name="top_dropout")(x)
    uniform = VarianceScaling(scale=1.0 / 3.0, mode="fan_out", distribution="uniform")
    return layers.Dense(
        units=given.classes, activation=given.classifier_activation, kernel_initializer=uniform, name="predictions",
        **more,
    )(x)  # fmt: skip


def build(given, size, width, depth, rate, variant):
    """The model; ``variant`` names the weights."""
    images = pictures(given, check(given, size))
    x = body(images, width, depth, given.weights == "imagenet")
    return assemble(given, images, head(x, given, rate), "efficientnet", variant)


PAPER = "Tan and Le 2019"
(
    EfficientNetB0, EfficientNetB1, EfficientNetB2, EfficientNetB3, EfficientNetB4, EfficientNetB5, EfficientNetB6,
    EfficientNetB7,
) = (
    application(
        build, f"EfficientNetB{i}", PAPER, *row, f"efficientnetb{i}", **STANDARD | {"name": f"efficientnetb{i}"}
    )
    for i, row in enumerate(VARIANTS)
)  # fmt: skip
preprocess_input = _preprocessing(None)

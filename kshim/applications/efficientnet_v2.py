"""EfficientNet V2: in the first stages one convolution in place of a wide and a depthwise one.

Source: Tan and Le 2021, "EfficientNetV2: Smaller Models and Faster Training".
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
    multiple_of,
    norm,
    pictures,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.efficientnet import DEVIATIONS, DROPPED, depthwise, excited, head, plain, residual, swished
from kshim.applications.imagenet_utils import MODES, decode_predictions

# stages: blocks, kernel, strides of the first, expansion, filters, whether with a depthwise convolution and squeeze
# and excitation; before them the filters of the stem.
BASE = (
    32, (1, 3, 1, 1, 16, 0), (2, 3, 2, 4, 32, 0), (2, 3, 2, 4, 48, 0), (3, 3, 2, 4, 96, 1), (5, 3, 1, 6, 112, 1),
    (8, 3, 2, 6, 192, 1),
)  # fmt: skip
S = (
    24, (2, 3, 1, 1, 24, 0), (4, 3, 2, 4, 48, 0), (4, 3, 2, 4, 64, 0), (6, 3, 2, 4, 128, 1), (9, 3, 1, 6, 160, 1),
    (15, 3, 2, 6, 256, 1),
)  # fmt: skip
M = (
    24, (3, 3, 1, 1, 24, 0), (5, 3, 2, 4, 48, 0), (5, 3, 2, 4, 80, 0), (7, 3, 2, 4, 160, 1), (14, 3, 1, 6, 176, 1),
    (18, 3, 2, 6, 304, 1), (5, 3, 1, 6, 512, 1),
)  # fmt: skip
L = (
    32, (4, 3, 1, 1, 32, 0), (7, 3, 2, 4, 64, 0), (7, 3, 2, 4, 96, 0), (10, 3, 2, 4, 192, 1), (19, 3, 1, 6, 224, 1),
    (25, 3, 2, 6, 384, 1), (7, 3, 1, 6, 640, 1),
)  # fmt: skip
# name -> size, width, depth, stages
VARIANTS = {
    "B0": (224, 1.0, 1.0, BASE), "B1": (240, 1.0, 1.1, BASE), "B2": (260, 1.1, 1.2, BASE), "B3": (300, 1.2, 1.4, BASE),
    "S": (384, 1.0, 1.0, S), "M": (480, 1.0, 1.0, M), "L": (480, 1.0, 1.0, L),
}  # fmt: skip
__all__ = [*(f"EfficientNetV2{name}" for name in VARIANTS), "decode_predictions", "preprocess_input"]
_MOMENTUM = {"momentum": 0.9}


def _block(x, row, strides, filters, rate, name):
    _, kernel, _, expansion, _, wide = row
    inputs, channels = x, x.shape[channel_axis()]
    if expansion != 1:
        size, step = (1, 1) if wide else (kernel, strides)
        x = plain(x, channels * expansion, size, f"{name}expand_conv", strides=step)
        x = swished(x, name, "expand_", **_MOMENTUM)
    if wide:
        x = depthwise(x, kernel, f"{name}dwconv2", strides=strides, padding="same")
        x = excited(swished(x, name, "", **_MOMENTUM), max(1, int(channels * 0.25)), name)
    size, step = (1, 1) if wide or expansion != 1 else (kernel, strides)
    x = norm(plain(x, filters, size, f"{name}project_conv", strides=step), f"{name}project_bn", **_MOMENTUM)
    if not wide and expansion == 1:
        x = act(x, f"{name}project_activation", "swish")
    return residual(x, inputs, rate, name) if strides == 1 and channels == filters else x


def scaled(x, channelwise):
    """Pictures of 0 to 255 in the scale of training: by each channel's mean and deviation, or to about [-1, 1]."""
    if not channelwise:
        return layers.Rescaling(scale=1.0 / 128.0, offset=-1)(x)
    mean, variance = list(MODES["torch"][2]), [one**2 for one in DEVIATIONS]
    x = layers.Rescaling(scale=1.0 / 255)(x)
    return layers.Normalization(mean=mean, variance=variance, axis=channel_axis())(x)


def body(x, width, depth, stages):
    """A stem, the stages and a last 1x1 convolution; ``width`` and ``depth`` multiply filters and blocks."""
    stem, *rows = stages
    x = plain(x, multiple_of(stem * width, tolerance=0), 3, "stem_conv", strides=2)
    x = swished(x, "stem_", "", **_MOMENTUM)
    number, total = 0, sum(row[0] for row in rows)
    for stage, row in enumerate(rows, 1):
        for i in range(math.ceil(depth * row[0])):
            filters = multiple_of(row[4] * width, tolerance=0)
            rate = DROPPED * number / total
            x = _block(x, row, 1 if i else row[2], filters, rate, f"block{stage}{chr(97 + i)}_")
            number += 1
    return swished(plain(x, multiple_of(1280 * width, tolerance=0), 1, "top_conv"), "top_", "", **_MOMENTUM)


def build(given, size, width, depth, stages, variant):
    """The model; ``variant`` names the weights."""
    shape = check(given, size)
    images = x = pictures(given, shape)
    if given.include_preprocessing:
        x = scaled(x, stages is BASE and shape[channel_axis() - 1] == 3)
    x = head(body(x, width, depth, stages), given, 0.2)
    return assemble(given, images, x, "efficientnet_v2", variant)


def _defaults(name):
    rest = {key: value for key, value in STANDARD.items() if key != "name"}
    return {**rest, "include_preprocessing": True, "name": f"efficientnetv2-{name.lower()}"}


(
    EfficientNetV2B0, EfficientNetV2B1, EfficientNetV2B2, EfficientNetV2B3, EfficientNetV2S, EfficientNetV2M,
    EfficientNetV2L,
) = (
    application(
        build, f"EfficientNetV2{name}", "Tan and Le 2021", *row, f"efficientnetv2-{name.lower()}", **_defaults(name)
    )
    for name, row in VARIANTS.items()
)  # fmt: skip
preprocess_input = _preprocessing(None)

"""Inception-ResNet V2: Inception's branches, added to their input.

Source: Szegedy et al. 2016, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning".
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
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions
from kshim.applications.inception_v3 import chain, conv_norm, stem
from kshim.layers.scale import CustomScaleLayer

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

BRANCHES = {
    "block35": (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))),
    "block17": (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))),
    "block8": (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1)))),
}
# What comes before the blocks, as branches and the filters after a pooling (0: all of stride 2); the blocks, how many
# and by what their branches are multiplied.
STAGES = (
    ("mixed_5b", (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3))), 64, "block35", 10, 0.17),
    ("mixed_6a", (((384, 3),), ((256, 1), (256, 3), (384, 3))), 0, "block17", 20, 0.1),
    ("mixed_7a", (((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3))), 0, "block8", 10, 0.2),
)


def scaled(x, up, scale, name):
    """The sum of ``x`` and the scaled ``up``."""
    del name
    return CustomScaleLayer(scale=scale)([x, up])


def body(x, add=scaled):
    """A stem, and three stages of residual blocks."""
    x = stem(x)
    for mixed, branches, last, block, count, scale in STAGES:
        more = {} if last else {"strides": 2, "padding": "valid"}
        parts = [chain(x, steps, **more) for steps in branches]
        parts.append(conv_norm(avg_pool(x, 3, 1, padding="same"), last, 1) if last else max_pool(x, 3, 2))
        x = concat(parts, mixed)
        for i in range(1, count + 1):
            name, final = f"{block}_{i}", block == "block8" and i == count
            both = concat([chain(x, steps) for steps in BRANCHES[block]], f"{name}_mixed")
            up = conv(both, x.shape[channel_axis()], 1, f"{name}_conv", padding="same")
            x = add(x, up, 1.0 if final else scale, name)
            x = x if final else act(x, f"{name}_ac")
    x = norm(conv(x, 1536, 1, "conv_7b", padding="same", use_bias=False), "conv_7b_bn", scale=False)
    return act(x, "conv_7b_ac")


def build(given, size, add=scaled):
    """The model."""
    images = pictures(given, check(given, size, 75))
    x = body(images, add)
    x = dense_top(x, given) if given.include_top else pooled(x, given.pooling)
    return assemble(given, images, x, "inception_resnet_v2", "inception_resnet_v2")


InceptionResNetV2 = application(
    build, "InceptionResNetV2", "Szegedy et al. 2016", 299, **STANDARD | {"name": "inception_resnet_v2"}
)
preprocess_input = _preprocessing("tf")

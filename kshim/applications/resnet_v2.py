"""ResNet, version 2: normalization and activation before each convolution.

Source: He et al. 2016, "Identity Mappings in Deep Residual Networks".
"""

from kshim import layers
from kshim.applications.common import STANDARD, act, application, check, conv, dense_top, max_pool, norm, pad, pictures
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions
from kshim.applications.resnet import DEPTHS, EPSILON, FILTERS, finish, stem

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def block(x, filters, strides, name, projected):
    """Convolutions beside the input, which a convolution or, with strides, a pooling brings to their shape."""
    ready = act(norm(x, f"{name}_preact_bn", epsilon=EPSILON), f"{name}_preact_relu")
    if projected:
        shortcut = conv(ready, 4 * filters, 1, f"{name}_0_conv", strides=strides)
    else:
        shortcut = max_pool(x, 1, strides) if strides > 1 else x
    x = conv(ready, filters, 1, f"{name}_1_conv", use_bias=False)
    x = act(norm(x, f"{name}_1_bn", epsilon=EPSILON), f"{name}_1_relu")
    x = conv(pad(x, ((1, 1), (1, 1)), f"{name}_2_pad"), filters, 3, f"{name}_2_conv", strides=strides, use_bias=False)
    x = act(norm(x, f"{name}_2_bn", epsilon=EPSILON), f"{name}_2_relu")
    return layers.Add(name=f"{name}_out")([shortcut, conv(x, 4 * filters, 1, f"{name}_3_conv")])


def body(x, depths):
    """Four stages; all but the last end with stride 2."""
    for stage, (filters, depth) in enumerate(zip(FILTERS, depths, strict=True), 2):
        for i in range(1, depth + 1):
            x = block(x, filters, 2 if i == depth and stage < 5 else 1, f"conv{stage}_block{i}", i == 1)
    return act(norm(x, "post_bn", epsilon=EPSILON), "post_relu")


def build(given, size, depths, variant, top=dense_top):
    """The model; ``variant`` names the weights."""
    images = pictures(given, check(given, size))
    return finish(given, images, body(stem(images, False), depths), variant, top)


ResNet50V2, ResNet101V2, ResNet152V2 = (
    application(
        build, f"ResNet{n}V2", "He et al. 2016", 224, depths, f"resnet{n}v2", **STANDARD | {"name": f"resnet{n}v2"}
    )
    for n, depths in DEPTHS.items()
)
preprocess_input = _preprocessing("tf")

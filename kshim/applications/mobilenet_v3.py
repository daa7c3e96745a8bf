"""MobileNet V3: blocks of V2 with squeeze and excitation, found by search.

Source: Howard et al. 2019, "Searching for MobileNetV3".
"""

from kshim import layers
from kshim.applications.common import (
    application,
    assemble,
    channel_axis,
    check_weights,
    conv,
    multiple_of,
    norm,
    pad,
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import correct_pad, decode_predictions
from kshim.applications.mobilenet import sides, trained_size
from kshim.applications.mobilenet_v2 import check_tensor
from kshim.core import settings

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

# blocks: expansion, filters, kernel, strides, squeeze and excitation, activation (0 means relu, 1 hard_swish); a
# minimalistic model has kernels of 3, no squeeze and excitation, and relu.
SMALL = (
    (1, 16, 3, 2, 1, 0), (72 / 16, 24, 3, 2, 0, 0), (88 / 24, 24, 3, 1, 0, 0), (4, 40, 5, 2, 1, 1),
    (6, 40, 5, 1, 1, 1), (6, 40, 5, 1, 1, 1), (3, 48, 5, 1, 1, 1), (3, 48, 5, 1, 1, 1),
    (6, 96, 5, 2, 1, 1), (6, 96, 5, 1, 1, 1), (6, 96, 5, 1, 1, 1),
)  # fmt: skip
LARGE = (
    (1, 16, 3, 1, 0, 0), (4, 24, 3, 2, 0, 0), (3, 24, 3, 1, 0, 0), (3, 40, 5, 2, 1, 0), (3, 40, 5, 1, 1, 0),
    (3, 40, 5, 1, 1, 0), (6, 80, 3, 2, 0, 1), (2.5, 80, 3, 1, 0, 1), (2.3, 80, 3, 1, 0, 1), (2.3, 80, 3, 1, 0, 1),
    (6, 112, 3, 1, 1, 1), (6, 112, 3, 1, 1, 1), (6, 160, 5, 2, 1, 1), (6, 160, 5, 1, 1, 1), (6, 160, 5, 1, 1, 1),
)  # fmt: skip
_NORM = {"epsilon": 1e-3, "momentum": 0.999}


def _activation(x, swish):
    return layers.Activation(activation="hard_swish")(x) if swish else layers.ReLU()(x)


def _excited(x, filters, name):
    """Each channel times a number in [0, 1] that the means of all give."""
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}avg_pool")(x)
    weights = conv(weights, multiple_of(filters * 0.25), 1, f"{name}conv", padding="same")
    weights = layers.ReLU(name=f"{name}relu")(weights)
    weights = conv(weights, filters, 1, f"{name}conv_1", padding="same")
    weights = layers.ReLU(max_value=6.0)(weights + 3.0) * (1.0 / 6.0)
    return layers.Multiply(name=f"{name}mul")([x, weights])


def _block(x, row, alpha, minimalistic, number):
    expansion, filters, kernel, strides, excited, swish = row
    if minimalistic:
        kernel, excited, swish = 3, 0, 0
    filters, name = multiple_of(filters * alpha), f"expanded_conv_{number}_" if number else "expanded_conv_"
    inputs, channels = x, x.shape[channel_axis()]
    wide = multiple_of(channels * expansion)
    if number:
        x = norm(conv(x, wide, 1, f"{name}expand", padding="same", use_bias=False), f"{name}expand_bn", **_NORM)
        x = _activation(x, swish)
    if strides == 2:
        x = pad(x, correct_pad(x, kernel), f"{name}depthwise_pad")
    x = layers.DepthwiseConv2D(
        kernel_size=kernel, strides=strides, padding="valid" if strides == 2 else "same", use_bias=False,
        name=f"{name}depthwise",
    )(x)  # fmt: skip
    x = _activation(norm(x, f"{name}depthwise_bn", **_NORM), swish)
    if excited:
        x = _excited(x, wide, f"{name}squeeze_excite_")
    x = norm(conv(x, filters, 1, f"{name}project", padding="same", use_bias=False), f"{name}project_bn", **_NORM)
    return layers.Add(name=f"{name}add")([inputs, x]) if strides == 1 and channels == filters else x


def body(x, given, rows):
    """The pictures' scale, a stem, the blocks, and a last 1x1 convolution."""
    swish = not given.minimalistic
    if given.include_preprocessing:
        x = layers.Rescaling(scale=1.0 / 127.5, offset=-1.0)(x)
    x = norm(conv(x, 16, 3, "conv", strides=2, padding="same", use_bias=False), "conv_bn", **_NORM)
    x = _activation(x, swish)
    for number, row in enumerate(rows):
        x = _block(x, row, given.alpha, given.minimalistic, number)
    count = multiple_of(x.shape[channel_axis()] * 6)
    x = norm(conv(x, count, 1, "conv_1", padding="same", use_bias=False), "conv_1_bn", **_NORM)
    return _activation(x, swish)


def top(x, given, count):
    """Two 1x1 convolutions."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = conv(x, multiple_of(count * given.alpha) if given.alpha > 1 else count, 1, "conv_2", padding="same")
    x = _activation(x, not given.minimalistic)
    if given.dropout_rate > 0:
        x = layers.Dropout(rate=given.dropout_rate)(x)
    x = layers.Flatten()(conv(x, given.classes, 1, "logits", padding="same"))
    return layers.Activation(activation=given.classifier_activation, name="predictions")(x)


def _shape(given):
    check_tensor(given)
    shape, tensor = given.input_shape, given.input_tensor
    if shape is None and tensor is not None:
        shape = tensor.shape[1:]
    if shape is None:
        shape = (3, None, None) if settings.image_data_format() == "channels_first" else (None, None, 3)
    if len(shape) != 3:
        raise ValueError(f"`input_shape` must be a tuple of three integers. Received: input_shape={shape}")
    if any(size is not None and size < 32 for size in sides(shape)):
        raise ValueError(f"Input size must be at least 32x32; Received `input_shape={shape}`")
    return tuple(shape)


def build(given, size, rows, kind, count):
    """The model; ``count`` is the size of the layer before the classifier."""
    check_weights(given)
    shape = _shape(given)
    if given.weights == "imagenet":
        if given.alpha not in ((1.0,) if given.minimalistic else (0.75, 1.0)):
            raise ValueError(
                "If imagenet weights are being loaded, alpha can be one of `0.75`, `1.0` for non minimalistic or "
                f"`1.0` for minimalistic only. Received: alpha={given.alpha}, minimalistic={given.minimalistic}"
            )
        trained_size(given, *sides(shape), (size,))
    images = pictures(given, shape)
    x = body(images, given, rows)
    x = top(x, given, count) if given.include_top else pooled(x, given.pooling, ("avg_pool", "max_pool"))
    variant = f"{kind}{'_minimalistic' if given.minimalistic else ''}_224_{float(given.alpha)}"
    return assemble(given, images, x, "mobilenet_v3", variant)


_DEFAULTS = {
    "input_shape": None, "alpha": 1.0, "minimalistic": False, "include_top": True, "weights": "imagenet",
    "input_tensor": None, "classes": 1000, "pooling": None, "dropout_rate": 0.2, "classifier_activation": "softmax",
    "include_preprocessing": True,
}  # fmt: skip
MobileNetV3Small, MobileNetV3Large = (
    application(build, name, "Howard et al. 2019", 224, *row, **_DEFAULTS, name=name)
    for name, *row in (
        ("MobileNetV3Small", SMALL, "small", 1024),
        ("MobileNetV3Large", LARGE, "large", 1280),
    )
)
preprocess_input = _preprocessing(None)

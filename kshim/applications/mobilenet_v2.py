"""MobileNet V2: narrow residuals around wide depthwise convolutions.

Source: Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks".
"""

from kshim import layers
from kshim.applications.common import (
    STANDARD,
    application,
    assemble,
    channel_axis,
    check,
    conv,
    dense_top,
    multiple_of,
    norm,
    pad,
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import correct_pad, decode_predictions
from kshim.applications.mobilenet import check_alpha, relu6, sides, square, trained_size
from kshim.core import settings
from kshim.graph.keras_tensor import is_symbolic

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# blocks: how many, filters, strides of the first, expansion
ROWS = ((1, 16, 1, 1), (2, 24, 2, 6), (3, 32, 2, 6), (4, 64, 2, 6), (3, 96, 1, 6), (3, 160, 2, 6), (1, 320, 1, 6))
SIZES = (96, 128, 160, 192, 224)
ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_NORM = {"epsilon": 1e-3, "momentum": 0.999}


def _block(x, filters, strides, expansion, number):
    inputs, name = x, f"block_{number}_" if number else "expanded_conv_"
    channels = x.shape[channel_axis()]
    if number:
        x = conv(x, expansion * channels, 1, f"{name}expand", padding="same", use_bias=False)
        x = relu6(norm(x, f"{name}expand_BN", **_NORM), f"{name}expand_relu")
    if strides == 2:
        x = pad(x, correct_pad(x, 3), f"{name}pad")
    x = layers.DepthwiseConv2D(
        kernel_size=3, strides=strides, padding="valid" if strides == 2 else "same", use_bias=False,
        name=f"{name}depthwise",
    )(x)  # fmt: skip
    x = relu6(norm(x, f"{name}depthwise_BN", **_NORM), f"{name}depthwise_relu")
    x = norm(conv(x, filters, 1, f"{name}project", padding="same", use_bias=False), f"{name}project_BN", **_NORM)
    return layers.Add(name=f"{name}add")([inputs, x]) if channels == filters and strides == 1 else x


def body(x, alpha, stem_padding="same"):
    """A stem, seventeen blocks, and a last 1x1 convolution."""
    x = conv(x, multiple_of(32 * alpha), 3, "Conv1", strides=2, padding=stem_padding, use_bias=False)
    x = relu6(norm(x, "bn_Conv1", **_NORM), "Conv1_relu")
    number = 0
    for count, filters, strides, expansion in ROWS:
        for i in range(count):
            x = _block(x, multiple_of(int(filters * alpha)), 1 if i else strides, expansion, number)
            number += 1
    x = conv(x, multiple_of(1280 * max(alpha, 1.0)), 1, "Conv_1", use_bias=False)
    return relu6(norm(x, "Conv_1_bn", **_NORM), "out_relu")


def top(x, given):
    """Means and a dense layer."""
    return dense_top(x, given, pool=None)


def check_tensor(given):
    """That ``input_tensor`` is symbolic and fits ``input_shape``."""
    tensor, shape = given.input_tensor, given.input_shape
    if tensor is None:
        return
    if not is_symbolic(tensor):
        raise ValueError(f"input_tensor is not a Keras tensor; Received `input_tensor={tensor}`")
    axis = 1 if settings.image_data_format() == "channels_first" else 2
    if shape is not None and tensor.shape[axis] != shape[1]:
        raise ValueError(
            f"input_tensor.shape[{axis}] must equal input_shape[1]; "
            f"Received `input_tensor.shape={tensor.shape}`, `input_shape={shape}`"
        )


def build(given, size, body=body, top=top):
    """The model."""
    check_tensor(given)
    known = given.input_shape
    if known is None and given.input_tensor is not None:
        known = given.input_tensor.shape[1:]
    shape = check(given, square(known, SIZES, size))
    check_alpha(given, ALPHAS)
    rows = trained_size(given, *sides(shape), SIZES)
    images = pictures(given, shape)
    x = body(images, given.alpha)
    x = top(x, given) if given.include_top else pooled(x, given.pooling)
    given.name = given.name or f"mobilenetv2_{given.alpha:0.2f}_{rows}"
    return assemble(given, images, x, "mobilenet_v2", f"{float(given.alpha)}_{rows}")


DEFAULTS = {"input_shape": None, "alpha": 1.0, **{n: v for n, v in STANDARD.items() if n != "input_shape"}}
MobileNetV2 = application(build, "MobileNetV2", "Sandler et al. 2018", 224, **DEFAULTS)
preprocess_input = _preprocessing("tf")

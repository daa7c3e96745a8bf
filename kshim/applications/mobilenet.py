"""MobileNet: depthwise convolutions, each followed by a 1x1 convolution.

Source: Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications".
"""

from kshim import layers
from kshim.applications.common import STANDARD, application, assemble, check, conv, norm, pad, pictures, pooled
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions
from kshim.core import checks, settings

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

# filters and strides of the blocks
ROWS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
SIZES = (128, 160, 192, 224)
ALPHAS = {1.0: "1_0", 0.75: "7_5", 0.50: "5_0", 0.25: "2_5"}


def relu6(x, name):
    """``relu``, at most 6."""
    return layers.ReLU(max_value=6.0, name=name)(x)


def body(x, alpha, depth_multiplier, stem_padding="same", padded=True):
    """A stem and thirteen blocks; ``padded``: those of stride 2 get their zeros at the end, in a layer."""
    x = conv(x, int(32 * alpha), 3, "conv1", padding=stem_padding, strides=2, use_bias=False)
    x = relu6(norm(x, "conv1_bn"), "conv1_relu")
    for i, (filters, strides) in enumerate(ROWS, 1):
        if strides == 2 and padded:
            x = pad(x, ((0, 1), (0, 1)), f"conv_pad_{i}")
        x = layers.DepthwiseConv2D(
            kernel_size=3, strides=strides, padding="valid" if strides == 2 and padded else "same",
            depth_multiplier=depth_multiplier, use_bias=False, name=f"conv_dw_{i}",
        )(x)  # fmt: skip
        x = relu6(norm(x, f"conv_dw_{i}_bn"), f"conv_dw_{i}_relu")
        x = conv(x, int(filters * alpha), 1, f"conv_pw_{i}", padding="same", use_bias=False)
        x = relu6(norm(x, f"conv_pw_{i}_bn"), f"conv_pw_{i}_relu")
    return x


def top(x, given):
    """The classifier as a 1x1 convolution."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(rate=given.dropout, name="dropout")(x)
    x = conv(x, given.classes, 1, "conv_preds", padding="same")
    x = layers.Reshape(target_shape=(given.classes,), name="reshape_2")(x)
    return layers.Activation(activation=given.classifier_activation, name="predictions")(x)


def sides(shape):
    """Height and width in the shape of a picture."""
    return shape[1:] if settings.image_data_format() == "channels_first" else shape[:2]


def square(shape, sizes, default=224):
    """Height of ``shape`` where it is as wide, and one of ``sizes``; else ``default``."""
    if shape is None or len(shape) != 3:
        return default
    rows, columns = sides(shape)
    return rows if rows == columns and rows in sizes else default


def trained_size(given, rows, columns, sizes):
    """The height that stands in the name of the weights, with a warning where none was trained with this one."""
    if given.weights != "imagenet" or (rows == columns and rows in sizes):
        return rows
    checks.warn(
        f"`input_shape` is undefined or non-square, or `rows` is not in {list(sizes)}. Weights for input shape "
        "(224, 224) will be loaded as the default."
    )
    return 224


def check_alpha(given, alphas):
    """That ImageNet's weights are there for this width."""
    if given.weights == "imagenet" and given.alpha not in alphas:
        raise ValueError(
            f"If imagenet weights are being loaded, alpha can be one of {', '.join(f'`{a}`' for a in alphas)} only. "
            f"Received alpha={given.alpha}"
        )


def build(given, size, body=body, top=top):
    """The model."""
    shape = check(given, square(given.input_shape, SIZES, size))
    if given.weights == "imagenet" and given.depth_multiplier != 1:
        raise ValueError(
            "If imagenet weights are being loaded, depth multiplier must be 1. "
            f"Received depth_multiplier={given.depth_multiplier}"
        )
    check_alpha(given, ALPHAS)
    rows = trained_size(given, *sides(shape), SIZES)
    images = pictures(given, shape)
    x = body(images, given.alpha, given.depth_multiplier)
    x = top(x, given) if given.include_top else pooled(x, given.pooling)
    given.name = given.name or f"mobilenet_{given.alpha:0.2f}_{rows}"
    return assemble(given, images, x, "mobilenet", f"{ALPHAS.get(given.alpha)}_{rows}")


DEFAULTS = {
    "input_shape": None, "alpha": 1.0, "depth_multiplier": 1, "dropout": 1e-3,
    **{n: v for n, v in STANDARD.items() if n != "input_shape"},
}  # fmt: skip
MobileNet = application(build, "MobileNet", "Howard et al. 2017", 224, **DEFAULTS)
preprocess_input = _preprocessing("tf")

"""NASNet-A: cells found by search, each seeing the outputs of the two before it.

Source: Zoph et al. 2017, "Learning Transferable Architectures for Scalable Image Recognition".
"""

from kshim import layers
from kshim.applications.common import (
    STANDARD,
    act,
    application,
    assemble,
    avg_pool,
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
from kshim.applications.imagenet_utils import correct_pad, decode_predictions

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

_NORM = {"momentum": 0.9997, "epsilon": 1e-3}


def _add(x, y, name=None):
    return layers.Add(name=name)([x, y])


def _plain(x, filters, name, norm_name):
    """A 1x1 convolution and its normalization."""
    x = conv(x, filters, 1, name, padding="same", use_bias=False, kernel_initializer="he_normal")
    return norm(x, norm_name, **_NORM) if norm_name else x


def _separable(x, filters, size, name, strides=1):
    """Two separable convolutions, with ``relu`` before each."""
    x = act(x)
    if strides == 2:
        x = pad(x, correct_pad(x, size), f"separable_conv_1_pad_{name}")
    for i in (1, 2):
        x = act(x) if i == 2 else x
        x = layers.SeparableConv2D(
            filters=filters, kernel_size=size, strides=strides if i == 1 else 1, use_bias=False,
            padding="valid" if i == 1 and strides == 2 else "same", name=f"separable_conv_{i}_{name}",
        )(x)  # fmt: skip
        x = norm(x, f"separable_conv_{i}_bn_{name}", **_NORM)
    return x


def _adjusted(p, x, filters, name):
    """The cell's other input, in the size of ``x`` and with ``filters``."""
    if p is None:
        return x
    if p.shape[-2] != x.shape[-2]:
        p = act(p, f"adjust_relu_1_{name}")
        moved = layers.Cropping2D(cropping=((1, 0), (1, 0)))
        first = avg_pool(p, 1, 2, f"adjust_avg_pool_1_{name}")
        first = _plain(first, filters // 2, f"adjust_conv_1_{name}", None)
        second = avg_pool(moved(pad(p, ((0, 1), (0, 1)))), 1, 2, f"adjust_avg_pool_2_{name}")
        second = _plain(second, filters // 2, f"adjust_conv_2_{name}", None)
        return norm(concat([first, second]), f"adjust_bn_{name}", **_NORM)
    if p.shape[-1] != filters:
        return _plain(act(p), filters, f"adjust_conv_projection_{name}", f"adjust_bn_{name}")
    return p


def _normal(x, p, filters, name):
    """A cell that keeps the size."""
    p, h = _adjusted(p, x, filters, name), _plain(act(x), filters, f"normal_conv_1_{name}", f"normal_bn_1_{name}")

    def separable(y, size, place):
        return _separable(y, filters, size, f"normal_{place}_{name}")

    def mean(y, place):
        return avg_pool(y, 3, 1, f"normal_{place}_{name}", "same")

    parts = [p]
    pairs = (
        lambda: (separable(h, (5, 5), "left1"), separable(p, (3, 3), "right1")),
        lambda: (separable(p, (5, 5), "left2"), separable(p, (3, 3), "right2")),
        lambda: (mean(h, "left3"), p),
        lambda: (mean(p, "left4"), mean(p, "right4")),
        lambda: (separable(h, (3, 3), "left5"), h),
    )
    parts += [_add(*pair(), f"normal_add_{i}_{name}") for i, pair in enumerate(pairs, 1)]
    return concat(parts, f"normal_concat_{name}")


def _reduction(x, p, filters, name):
    """A cell that halves the size."""
    p = _adjusted(p, x, filters, name)
    h = _plain(act(x), filters, f"reduction_conv_1_{name}", f"reduction_bn_1_{name}")
    padded = pad(h, correct_pad(h, 3), f"reduction_pad_1_{name}")

    def separable(y, size, place, strides=2):
        return _separable(y, filters, size, f"reduction_{place}_{name}", strides)

    one = _add(separable(h, (5, 5), "left1"), separable(p, (7, 7), "right1"), f"reduction_add_1_{name}")
    two = max_pool(padded, 3, 2, f"reduction_left2_{name}")
    two = _add(two, separable(p, (7, 7), "right2"), f"reduction_add_2_{name}")
    three = avg_pool(padded, 3, 2, f"reduction_left3_{name}")
    three = _add(three, separable(p, (5, 5), "right3"), f"reduction_add3_{name}")
    four = _add(two, avg_pool(one, 3, 1, f"reduction_left4_{name}", "same"))
    five = separable(one, (3, 3), "left4", 1)
    five = _add(five, max_pool(padded, 3, 2, f"reduction_right5_{name}"), f"reduction_add4_{name}")
    return concat([two, three, four, five], f"reduction_concat_{name}")


def body(x, stem, filters, blocks, skip):
    """A stem, and three stages of ``blocks`` cells, with reductions before and between.

    Args:
        x: the pictures.
        stem: filters of the first convolution.
        filters: of the first stage; each has twice those of the one before.
        blocks: cells in a stage.
        skip: whether the cell after a reduction sees what the reduction saw as its other input.
    """
    x = conv(x, stem, 3, "stem_conv1", strides=2, use_bias=False, kernel_initializer="he_normal")
    x, p = norm(x, "stem_bn1", **_NORM), None
    for i, share in enumerate((4, 2), 1):
        x, p = _reduction(x, p, filters // share, f"stem_{i}"), x
    for stage in range(3):
        if stage:
            reduced = _reduction(x, p, filters * 2**stage, f"reduce_{stage * blocks}")
            x, p = reduced, p if skip else x
        for i in range(blocks):
            x, p = _normal(x, p, filters * 2**stage, str(stage * blocks + i + (stage > 0))), x
    return act(x)


def build(given, size, kind, *row):
    """The model; ``kind`` names the weights."""
    shape = given.input_shape
    if kind == "mobile" and not given.include_top and shape is None:
        shape = given.input_shape = (size, size, 3)
    if shape is not None and None in shape and given.weights == "imagenet":
        raise ValueError(
            "When specifying the input shape of a NASNet and loading `ImageNet` weights, the input_shape argument "
            f"must be static (no None entries). Got: `input_shape={shape}`."
        )
    images = pictures(given, check(given, size, channels_last="NASNet"))
    x = body(images, *row)
    x = dense_top(x, given, pool=None) if given.include_top else pooled(x, given.pooling)
    return assemble(given, images, x, "nasnet", kind)


DEFAULTS = {"input_shape": None, **{n: v for n, v in STANDARD.items() if n != "input_shape"}}
# size, name of the weights, filters of the stem and of the first stage, cells in a stage, skip
VARIANTS = {"Mobile": (224, "mobile", 32, 44, 4, False), "Large": (331, "large", 96, 168, 6, True)}
NASNetMobile, NASNetLarge = (
    application(build, f"NASNet{name}", "Zoph et al. 2017", *row, **DEFAULTS | {"name": f"nasnet_{name.lower()}"})
    for name, row in VARIANTS.items()
)
preprocess_input = _preprocessing("tf")

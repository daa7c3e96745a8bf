"""ConvNeXt: a convolutional network with the habits of transformers.

Source: Liu et al. 2022, "A ConvNet for the 2020s".
"""

from kshim import layers
from kshim.applications.common import STANDARD, act, application, assemble, check, conv, pictures, pooled
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.efficientnet import DEVIATIONS
from kshim.applications.imagenet_utils import MODES, decode_predictions
from kshim.layers.scale import LayerScale
from kshim.models import Sequential

# name -> blocks of the stages, filters of the first (each has twice those of the one before)
VARIANTS = {
    "Tiny": ((3, 3, 9, 3), 96), "Small": ((3, 3, 27, 3), 96), "Base": ((3, 3, 27, 3), 128),
    "Large": ((3, 3, 27, 3), 192), "XLarge": ((3, 3, 27, 3), 256),
}  # fmt: skip
__all__ = [*(f"ConvNeXt{name}" for name in VARIANTS), "decode_predictions", "preprocess_input"]
EPSILON = 1e-6
SCALE = 1e-6


def _layer_norm(name=None):
    return layers.LayerNormalization(epsilon=EPSILON, name=name)


def _block(x, filters, name):
    inputs = x
    x = conv(x, filters, 7, f"{name}_depthwise_conv", padding="same", groups=filters)
    x = layers.Dense(units=4 * filters, name=f"{name}_pointwise_conv_1")(_layer_norm(f"{name}_layernorm")(x))
    x = layers.Dense(units=filters, name=f"{name}_pointwise_conv_2")(act(x, f"{name}_gelu", "gelu"))
    x = LayerScale(init_values=SCALE, projection_dim=filters, name=f"{name}_layer_scale")(x)
    return inputs + act(x, f"{name}_identity", "linear")


def body(x, depths, filters, name):
    """Four stages, with a halving of the size before each (a quartering before the first)."""
    halvings = [
        Sequential(
            [
                layers.Conv2D(filters=filters, kernel_size=4, strides=4, name=f"{name}_stem_conv"),
                _layer_norm(f"{name}_stem_layernorm"),
            ],
            name=f"{name}_stem",
        )
    ]
    for i in range(3):
        conv = layers.Conv2D(
            filters=filters * 2 ** (i + 1), kernel_size=2, strides=2, name=f"{name}_downsampling_conv_{i}"
        )
        norm = _layer_norm(f"{name}_downsampling_layernorm_{i}")
        halvings.append(Sequential([norm, conv], name=f"{name}_downsampling_block_{i}"))
    for stage, depth in enumerate(depths):
        x = halvings[stage](x)
        for i in range(depth):
            x = _block(x, filters * 2**stage, f"{name}_stage_{stage}_block_{i}")
    return x


def build(given, size, depths, filters, variant):
    """The model; ``variant`` names the weights."""
    shape = check(given, size, channels_last="ConvNeXt")
    images = x = pictures(given, shape)
    if given.include_preprocessing and shape[-1] == 3:
        mean, variance = [m * 255 for m in MODES["torch"][2]], [(d * 255) ** 2 for d in DEVIATIONS]
        x = layers.Normalization(mean=mean, variance=variance, name=f"{given.name}_prestem_normalization")(x)
    x = body(x, depths, filters, given.name)
    if given.include_top:
        x = layers.GlobalAveragePooling2D(name=f"{given.name}_head_gap")(x)
        x = _layer_norm(f"{given.name}_head_layernorm")(x)
        x = layers.Dense(units=given.classes, activation=given.classifier_activation, name=f"{given.name}_head_dense")(
            x
        )
    else:
        x = _layer_norm()(pooled(x, given.pooling))
    return assemble(given, images, x, "convnext", variant)


def _defaults(name):
    rest = {key: value for key, value in STANDARD.items() if key != "include_top"}
    return {"include_top": True, "include_preprocessing": True, **rest, "name": f"convnext_{name.lower()}"}


ConvNeXtTiny, ConvNeXtSmall, ConvNeXtBase, ConvNeXtLarge, ConvNeXtXLarge = (
    application(build, f"ConvNeXt{name}", "Liu et al. 2022", 224, *row, f"convnext_{name.lower()}", **_defaults(name))
    for name, row in VARIANTS.items()
)
preprocess_input = _preprocessing(None)

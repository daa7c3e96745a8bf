"""VGG16, and what it shares with VGG19.

Source: Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from kshim import layers
from kshim.applications.common import STANDARD, application, assemble, check, conv, max_pool, pictures, pooled
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

FILTERS = (64, 128, 256, 512, 512)


def body(x, depths):
    """Five stages of 3x3 convolutions; ``depths`` is how many in each."""
    for stage, (filters, depth) in enumerate(zip(FILTERS, depths, strict=True), 1):
        for i in range(depth):
            x = conv(x, filters, 3, f"block{stage}_conv{i + 1}", activation="relu", padding="same")
        x = max_pool(x, 2, 2, f"block{stage}_pool")
    return x


def build(given, size, depths, variant, low=32):
    """The model; ``variant`` names the weights, ``low`` is the least height and width."""
    images = pictures(given, check(given, size, low))
    x = body(images, depths)
    if given.include_top:
        x = layers.Flatten(name="flatten")(x)
        for name in ("fc1", "fc2"):
            x = layers.Dense(units=4096, activation="relu", name=name)(x)
        x = layers.Dense(units=given.classes, activation=given.classifier_activation, name="predictions")(x)
    else:
        x = pooled(x, given.pooling)
    return assemble(given, images, x, variant, variant)


PAPER = "Simonyan and Zisserman 2014"
VGG16 = application(build, "VGG16", PAPER, 224, (2, 2, 3, 3, 3), "vgg16", **STANDARD | {"name": "vgg16"})
preprocess_input = _preprocessing("caffe")

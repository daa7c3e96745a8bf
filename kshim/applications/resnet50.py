"""ResNet50, under its older path.

Source: He et al. 2015, "Deep Residual Learning for Image Recognition".
"""

from kshim.applications import resnet
from kshim.applications.common import STANDARD, application
from kshim.applications.resnet import decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]


def build(given, size):
    """The model."""
    return resnet.build(given, size, resnet.DEPTHS["50"], "resnet50")


ResNet50 = application(build, "ResNet50", "He et al. 2015", 224, **STANDARD | {"name": "resnet50"})

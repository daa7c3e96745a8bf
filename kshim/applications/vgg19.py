"""VGG19: VGG16 with a fourth convolution in each of the last three stages.

Source: Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition".
"""

from kshim.applications.common import STANDARD, application
from kshim.applications.imagenet_utils import decode_predictions
from kshim.applications.vgg16 import PAPER, build, preprocess_input

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = application(build, "VGG19", PAPER, 224, (2, 2, 4, 4, 4), "vgg19", **STANDARD | {"name": "vgg19"})

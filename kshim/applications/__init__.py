"""``keras.applications``: networks for pictures, with weights trained on ImageNet. Each module loads on first use."""

import importlib

from kshim.core import configurable
from kshim.core.checks import nearest as _nearest

MODELS = {
    "convnext": [f"ConvNeXt{name}" for name in ("Tiny", "Small", "Base", "Large", "XLarge")],
    "densenet": ["DenseNet121", "DenseNet169", "DenseNet201"],
    "efficientnet": [f"EfficientNetB{i}" for i in range(8)],
    "efficientnet_v2": [f"EfficientNetV2{name}" for name in ("B0", "B1", "B2", "B3", "S", "M", "L")],
    "imagenet_utils": [],
    "inception_resnet_v2": ["InceptionResNetV2"],
    "inception_v3": ["InceptionV3"],
    "mobilenet": ["MobileNet"],
    "mobilenet_v2": ["MobileNetV2"],
    "mobilenet_v3": ["MobileNetV3Large", "MobileNetV3Small"],
    "nasnet": ["NASNetLarge", "NASNetMobile"],
    "resnet": ["ResNet101", "ResNet152"],
    "resnet50": ["ResNet50"],
    "resnet_v2": ["ResNet101V2", "ResNet152V2", "ResNet50V2"],
    "vgg16": ["VGG16"],
    "vgg19": ["VGG19"],
    "xception": ["Xception"],
}
_HOME = {name: module for module, names in MODELS.items() for name in names}

__all__ = [*MODELS, *_HOME]


def __getattr__(name):
    if name in MODELS:
        return importlib.import_module(f"kshim.applications.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"kshim.applications.{_HOME[name]}"), name)
    raise AttributeError(f"kshim has no keras.applications.{name} yet.{_nearest(name, __all__)}")


configurable.loaded("applications")

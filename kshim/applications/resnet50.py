"""ResNet50, under its older path.

Source: Keras 3 ``applications/resnet.py``.
"""

from kshim.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]

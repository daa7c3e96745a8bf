"""Layers, in files named as in Keras 1 and 2."""

from kshim.core.registry import Registry
from kshim.layers.base import Layer
from kshim.layers.core import Activation, Dense, Dropout, Input, InputLayer, Lambda, Masking
from kshim.layers.input_spec import InputSpec
from kshim.layers.merge import Add, Concatenate, add, concatenate
from kshim.layers.reshaping import Flatten, Permute, RepeatVector, Reshape

__all__ = [
    "Activation", "Add", "Concatenate", "Dense", "Dropout", "Flatten", "Input", "InputLayer", "InputSpec", "Lambda",
    "Layer", "Masking", "Permute", "RepeatVector", "Reshape", "add", "concatenate",
]  # fmt: skip

LAYERS = Registry("layer", "keras.layers", base=Layer, plain=False)
LAYERS.add(
    Activation, Add, Concatenate, Dense, Dropout, Flatten, InputLayer, Lambda, Layer, Masking, Permute, RepeatVector,
    Reshape,
)  # fmt: skip


def serialize(layer):
    """The layer as a config dict."""
    return LAYERS.serialize(layer)


def deserialize(config, custom_objects=None):
    """The layer a config dict describes."""
    return LAYERS.get(config, custom_objects)

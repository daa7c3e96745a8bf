"""The registry of layers, and how a layer that is an argument of another one is kept and told in a config."""

from kshim.core import configurable
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry
from kshim.layers.base import Layer

LAYERS = Registry("layer", "keras.layers", base=Layer, plain=False)


def resolve(value):
    """A config, or a list of them, as layers; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return type(value)([resolve(item) for item in value])
    return LAYERS.get(value) if isinstance(value, dict) and "class_name" in value else value


def told(value):
    """A layer or cell, or a list of them, as configs."""
    if isinstance(value, (list, tuple)):
        return [told(item) for item in value]
    return LAYERS.serialize(value) if isinstance(value, Configurable) or hasattr(value, "get_config") else value


for _suffix in ("layer", "cell", "cells"):
    configurable.RESOLVERS[_suffix] = resolve
    configurable.SERIALIZERS[_suffix] = told

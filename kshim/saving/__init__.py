"""Files: weights, and whole models, of every Keras; and ``keras.saving``'s names."""

from kshim.core.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from kshim.core.serialization import deserialize_keras_object, serialize_keras_object
from kshim.saving.models import load_model, save_model
from kshim.saving.weights import load_weights, save_weights

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name",
    "get_registered_object", "load_model", "load_weights", "register_keras_serializable", "save_model", "save_weights",
    "serialize_keras_object",
]  # fmt: skip

"""``keras.utils``: a façade over the places where these things live. Nothing inside kshim imports it."""

from kshim.backend import clear_session, is_keras_tensor, standardize_dtype
from kshim.core.arrays import normalize, pad_sequences, to_categorical
from kshim.core.download import get_file
from kshim.core.progress import (
    Progbar,
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from kshim.core.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from kshim.core.serialization import deserialize_keras_object, serialize_keras_object
from kshim.random import set_random_seed
from kshim.training.data.batch import pack_x_y_sample_weight, unpack_x_y_sample_weight
from kshim.training.data.sequence import PyDataset, Sequence

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip

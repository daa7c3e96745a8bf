"""``keras.utils``: a façade over the places where these things live. Nothing inside kshim imports it."""

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
from kshim.random import set_random_seed
from kshim.training.data.batch import pack_x_y_sample_weight, unpack_x_y_sample_weight
from kshim.training.data.sequence import PyDataset, Sequence

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "custom_object_scope",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "is_interactive_logging_enabled",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip

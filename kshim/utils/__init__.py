"""``keras.utils``: a façade over the places where these things live. Nothing inside kshim imports it."""

from kshim.core import registry as _registry
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


def get_registered_name(obj):
    """``package>name`` of a registered class or function, else its own name."""
    return _registry.registered_name(obj) or obj.__name__


def get_registered_object(name, custom_objects=None, module_objects=None):
    """The object registered as ``name``, in ``custom_objects`` or in ``module_objects``; None if there is none."""
    found = _registry.find_custom(name, custom_objects)
    return (module_objects or {}).get(name) if found is None else found

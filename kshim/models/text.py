"""Models from JSON text and configs, without weights."""

import json

from kshim.core import serialization
from kshim.core.untrusted import RefusedFileError
from kshim.saving import versions


def model_from_json(json_string, custom_objects=None):
    """The model that ``model.to_json()`` told, with new weights.

    Args:
        json_string: text that any Keras' ``to_json`` wrote.
        custom_objects: dict of name to the user's class or function.

    Raises:
        RefusedFileError: it holds bytecode, and unsafe deserialization is not enabled.
        ValueError: it is no such text.
    """
    try:
        config = json.loads(json_string)
    except RecursionError as error:
        raise RefusedFileError("Refused to read a model's JSON, which is nested too deep.") from error
    except TypeError:
        raise ValueError(f"Expected JSON text. Received: {type(json_string).__name__}.") from None
    return model_from_config(config, custom_objects)


def model_from_config(config, custom_objects=None):
    """The model of a config: a dict with ``class_name`` and ``config``.

    Raises: as ``model_from_json``.
    """
    if not isinstance(config, dict):
        raise ValueError(
            "`model_from_config` expects a dictionary, not a list. Maybe you meant to use "
            f"`Sequential.from_config(config)`? Received: {type(config).__name__}."
        )
    version = config.get("keras_version")
    told = {key: value for key, value in config.items() if key != "compile_config"}
    if not version:
        return serialization.deserialize_keras_object(told, custom_objects)
    with versions.reading(version) as made:
        return made(serialization.deserialize_keras_object(told, custom_objects))

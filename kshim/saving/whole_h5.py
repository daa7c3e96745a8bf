"""Whole models in ``.h5`` files, the format before ``.keras``.

The config is the attribute ``model_config``, how it was compiled ``training_config``, both JSON; the groups
``model_weights`` and ``optimizer_weights`` hold arrays. Source: Keras 2.3.1 ``engine/saving.py``, Keras 3
``legacy/saving/legacy_h5_format.py``.
"""

import json
import warnings

import numpy as np

from kshim import initializers
from kshim.core import files, serialization, settings
from kshim.saving import archive, h5, versions, weights


def write(model, path, include_optimizer=True):
    """Write ``model`` to ``path`` in the form of Keras 3; the file appears when it is whole."""
    with settings.as_dialect("3"):
        config = serialization.serialize_keras_object(model)
        compiled = config.pop("compile_config", None)
        text = json.dumps(old_form(config))
    module = h5.h5py()
    with files.replacing(path) as temporary, module.File(temporary, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = versions.KERAS_VERSION, "torch"
        file.attrs["model_config"], file.attrs["kshim_dialect"] = text, settings.dialect()
        weights.write_keras_2(file.create_group("model_weights"), model, versions.KERAS_VERSION)
        if include_optimizer and compiled:
            optimizer = old_form(compiled.pop("optimizer"))
            told = {name: old_form(value) for name, value in compiled.items()}
            file.attrs["training_config"] = json.dumps({**told, "optimizer_config": optimizer})
            group = file.create_group("optimizer_weights")
            variables = list(getattr(model.optimizer, "variables", []))
            names = weights.distinct([variable.path for variable in variables])
            h5.write_names(group, "weight_names", names)
            for name, variable in zip(names, variables, strict=True):
                h5.write(group, name, variable)


def old_form(config):
    """A config without what files of this kind do not say of a model, its layers and what it is compiled with."""
    if isinstance(config, list):
        return [old_form(item) for item in config]
    if not isinstance(config, dict) or "registered_name" not in config:
        return config
    own = {key: value for key, value in config.items() if key not in ("module", "registered_name", "build_config")}
    if isinstance(config["registered_name"], str) and ">" in config["registered_name"]:
        own["class_name"] = config["registered_name"]
    if isinstance(own["config"], dict) and isinstance(own["config"].get("layers"), list):
        own["config"] = {**own["config"], "layers": old_form(own["config"]["layers"])}
    return own


def load(path, compile=True):
    """The model in ``path``, within the scopes of custom objects and safe mode that are open.

    Its words are read, and its formulas chosen, in the dialect of the version that wrote it.

    Raises: ValueError if it has no config or is damaged; RefusedFileError, if it holds what no model needs.
    """
    with h5.Reader(path) as reader:
        text = reader.text(reader.file, "model_config")
        if text is None:
            raise ValueError(
                f"No model config found in the file at {path}. Expected a whole model. Received: attributes "
                f"{sorted(reader.file.attrs)}. If it holds weights, build the model and call load_weights."
            )
        config = archive.parsed(path, "the attribute 'model_config'", text)
        root = reader.group("model_weights")
        if root is None:
            raise ValueError(f"{path}: expected a group 'model_weights'. Received: {sorted(reader.file)}.")
        version, _ = h5.versions(reader, root)
        with versions.reading(version, reader.text(reader.file, "kshim_dialect")) as made:
            with initializers.undrawn():
                model = made(serialization.revive(config))
            if model.built:
                values = weights.read(weights.match_keras_2(reader, root, model, False, False))
                weights.assign(values)
            training = reader.text(reader.file, "training_config") if compile else None
            if training is not None:
                _compile(reader, model, archive.parsed(path, "the attribute 'training_config'", training))
            elif compile:
                warnings.warn(
                    "No training configuration found in the save file, so the model was *not* compiled. Compile it "
                    "manually.", stacklevel=3,
                )  # fmt: skip
    return model


def _compile(reader, model, config):
    arguments = {key: value for key, value in config.items() if key != "optimizer_config"}
    arguments = {key: value for key, value in arguments.items() if value is not None}
    model.compile_from_config({**arguments, "optimizer": config.get("optimizer_config", "rmsprop")})
    group = reader.group("optimizer_weights")
    if group is None or not getattr(model.optimizer, "built", False):
        return
    names = reader.names(group, "weight_names")
    arrays = [np.asarray(h5.read(reader.array(name, group))) for name in names]
    if not arrays:
        return
    if weights.old_state is not None:
        arrays = weights.old_state(model, arrays, names)
    try:
        model.optimizer.set_weights(arrays)
    except ValueError as error:
        warnings.warn(
            f"Error in loading the saved optimizer state. As a result, your model is starting with a freshly "
            f"initialized optimizer: {error}", stacklevel=4,
        )  # fmt: skip

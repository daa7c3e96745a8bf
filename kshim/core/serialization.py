"""Objects as JSON values, and back. Only registered classes and functions are found; nothing is imported.

Source: Keras 3 ``saving/serialization_lib.py``.
"""

import inspect
import warnings

import numpy as np
import torch

from kshim.core import bytecode, configurable, dtypes
from kshim.core.registry import Registry, custom_object_scope, find_custom, registered_name
from kshim.core.untrusted import RefusedFileError

PLAIN = (str, bool, int, float, type(None))


def serialize_keras_object(obj):
    """``obj`` as a JSON value: numbers, strings, lists and dicts stay, objects become ``class_name`` and ``config``.

    Raises: TypeError for an object without a config, or one that has no name to be found by.
    """
    if isinstance(obj, PLAIN):
        return obj
    if isinstance(obj, (list, torch.Size)):
        return [serialize_keras_object(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(serialize_keras_object(item) for item in obj)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, (np.generic, np.ndarray)) and obj.ndim == 0:
        return serialize_keras_object(obj.item())
    if isinstance(obj, (np.ndarray, torch.Tensor)):
        name = "__numpy__" if isinstance(obj, np.ndarray) else "__tensor__"
        kind = obj.dtype.name if isinstance(obj, np.ndarray) else dtypes.name_of(obj.dtype)
        return {"class_name": name, "config": {"value": obj.tolist(), "dtype": kind}}
    for name, (kind, told, _) in _MARKERS.items():
        if isinstance(obj, kind):
            return {"class_name": name, "config": told(obj)}
    if hasattr(obj, "get_config") and not inspect.isclass(obj):
        return _object(obj)
    if inspect.isclass(obj) or not callable(obj) or not hasattr(obj, "__name__"):
        raise TypeError(
            f"Cannot serialize object {obj!r} of type {type(obj)}. To be serializable, a class must implement the "
            "`get_config()` method."
        )
    if obj.__name__ == "<lambda>":
        warnings.warn(
            "The object being serialized includes a `lambda`. This is unsafe. In order to reload the object, you will "
            "have to pass `safe_mode=False` to the loading function. Please avoid using `lambda` in the future, and "
            f"use named Python functions instead. This is the `lambda` being serialized: {_source(obj)}",
            stacklevel=2,
        )
        code, defaults, closure = bytecode.dump(obj)
        carried = {"defaults": serialize_keras_object(defaults), "closure": serialize_keras_object(closure)}
        return {"class_name": "__lambda__", "config": {"code": code, **carried}}
    return {
        "module": "builtins", "class_name": "function", "config": obj.__name__,
        "registered_name": registered_name(obj) or "function",
    }  # fmt: skip


def _source(function):
    try:
        return inspect.getsource(function).strip()
    except (OSError, TypeError):
        return repr(function)


def _object(obj):
    kinds = Registry.kinds.values()
    kind = next((k for k in kinds if k.table.get(type(obj).__name__) is type(obj)), None)
    kind = kind or next((k for k in kinds if k.base and isinstance(obj, k.base)), Registry.kinds["layer"])
    config = kind.serialize(obj)
    config["config"] = serialize_keras_object(config["config"])
    for part in ("build_config", "compile_config"):
        tell = getattr(obj, f"get_{part}", None)
        told = tell() if tell is not None else None
        if told is not None:
            config[part] = serialize_keras_object(told)
    return config


_MARKERS = {
    "__bytes__": (bytes, lambda b: {"value": b.decode("utf8", "replace")}, lambda c: c["value"].encode()),
    "__slice__": (
        slice,
        lambda s: {"start": s.start, "stop": s.stop, "step": s.step},
        lambda c: slice(c["start"], c["stop"], c["step"]),
    ),
    "__ellipsis__": (type(...), lambda _: {}, lambda _: ...),
    "__complex__": (complex, lambda z: {"value": [z.real, z.imag]}, lambda c: complex(*c["value"])),
}


def deserialize_keras_object(config, custom_objects=None, safe_mode=True):
    """The object that ``serialize_keras_object`` told.

    Args:
        config: a JSON value.
        custom_objects: dict of name to the user's class or function.
        safe_mode: whether functions as bytecode are refused. They run whatever the writer of the config wanted.

    Raises:
        RefusedFileError: the config holds bytecode and ``safe_mode`` is not False.
        ValueError: it names what is not registered, or is malformed.
    """
    with custom_object_scope(custom_objects or {}), bytecode.safe_mode_scope(safe_mode):
        return revive(config)


def revive(config):
    """``deserialize_keras_object`` within the scopes that are open."""
    if isinstance(config, str):
        found = find_custom(config)
        return config if found is None else found
    if isinstance(config, PLAIN):
        return config
    if isinstance(config, (list, tuple)):
        return [revive(item) for item in config]
    if not isinstance(config, dict):
        raise ValueError(f"Expected a config: a dict, list, string or number. Received: {config!r}")
    if "class_name" not in config or "config" not in config:
        return {key: revive(value) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if not isinstance(name, str):
        raise ValueError(f"Expected `class_name` to be a string. Received: {name!r}")
    if name in ("__numpy__", "__tensor__"):
        array = np.array(inner["value"], dtype=_number_type(inner["dtype"]))
        return array if name == "__numpy__" else torch.as_tensor(array)
    if name in _MARKERS:
        return _MARKERS[name][2](inner)
    if name in ("__lambda__", "function", "__typespec__"):
        return function(config, "an object")
    instance = _registry_for(config).from_config(config)
    build = config.get("build_config")
    if isinstance(build, dict) and not getattr(instance, "built", True) and hasattr(instance, "build_from_config"):
        instance.build_from_config(build)
    if isinstance(config.get("compile_config"), dict) and config["compile_config"]:
        instance.compile_from_config(config["compile_config"])
    return instance


def _number_type(name):
    if not isinstance(name, str) or np.dtype(name).kind not in "biufcU":
        raise ValueError(f"Expected the dtype of numbers or strings. Received: {name!r}")
    return np.dtype(name)


def function(config, what):
    """The function a config names or holds.

    Args:
        config: a name, a config of a function, or bytecode (``__lambda__``, or ``[code, defaults, closure]``).
        what: whose function it is, for messages: "the `Lambda` layer 'twice'".
    """
    if callable(config):
        return config
    if isinstance(config, (list, tuple)):
        return bytecode.load(config, what)
    if isinstance(config, dict) and config.get("class_name") == "__lambda__":
        inner = config.get("config")
        parts = inner.get("value") if isinstance(inner, dict) and "value" in inner else inner
        if isinstance(parts, dict):
            parts = [parts.get("code"), parts.get("defaults"), parts.get("closure")]
        return bytecode.load(parts, what)
    name = config.get("config") if isinstance(config, dict) else config
    if isinstance(config, dict) and config.get("class_name") == "__typespec__":
        raise RefusedFileError("Refused to read a config with a TensorFlow type. Received: __typespec__.")
    if not isinstance(name, str):
        raise ValueError(f"Expected the name of the function of {what}. Received: {config!r}")
    registered = config.get("registered_name") if isinstance(config, dict) else None
    found = find_custom(registered) if isinstance(registered, str) else None
    found = find_custom(name) if found is None else found
    for kind in ("activation", "loss", "metric"):
        known = Registry.kinds[kind].table.get(name)
        found = known if found is None and not inspect.isclass(known) else found
    if found is None:
        raise ValueError(
            f"Unknown function of {what}: expected a registered one. Received: {name!r}. Pass it: "
            f"custom_objects={{{name!r}: {name}}}."
        )
    return found


def _registry_for(config):
    """The table that has the class, by the module that the config names, or the first with its name."""
    name, module = config["class_name"], config.get("module")
    if find_custom(name) is not None or find_custom(config.get("registered_name")) is not None:
        return Registry.kinds["layer"]
    name = name.removeprefix("Custom>")
    for registry in Registry.kinds.values():
        if registry.module == module and name in registry.table:
            return registry
    return next((r for r in Registry.kinds.values() if name in r.table), Registry.kinds["layer"])


configurable.revive = revive

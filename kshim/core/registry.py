"""Names to objects: one table per kind, and the user's own objects.

Only what was registered is found: a name, from a script or a file, never leads to an import.
Source: Keras 3 ``saving/object_registration.py``.
"""

import contextlib
import contextvars
import inspect
from typing import Any, ClassVar

from kshim.core import checks

_global_custom: dict[str, Any] = {}
_scoped_custom: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("custom_objects", default=None)


def get_custom_objects():
    """The process-wide dict of custom objects, by name; write to it to register."""
    return _global_custom


@contextlib.contextmanager
def custom_object_scope(custom_objects):
    """Within the block, names in ``custom_objects`` (a dict) are found first."""
    token = _scoped_custom.set({**(_scoped_custom.get() or {}), **custom_objects})
    try:
        yield
    finally:
        _scoped_custom.reset(token)


CustomObjectScope = custom_object_scope


def register_keras_serializable(package="Custom", name=None):
    """Class or function decorator: register it as ``package>name``."""

    def register(obj):
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ValueError(f"Cannot register a class that does not have a get_config() method. Received: {obj}")
        registered = f"{package}>{name or obj.__name__}"
        obj._registered_name = registered
        _global_custom[registered] = obj
        return obj

    return register


def registered_name(obj):
    """``package>name`` of a registered object, else None."""
    return vars(obj).get("_registered_name") if hasattr(obj, "__dict__") else None


def get_registered_name(obj):
    """``package>name`` of a registered class or function, else its own name."""
    return registered_name(obj) or obj.__name__


def get_registered_object(name, custom_objects=None, module_objects=None):
    """The object registered as ``name``, in ``custom_objects`` or in ``module_objects``; None if there is none."""
    found = find_custom(name, custom_objects)
    return (module_objects or {}).get(name) if found is None else found


def find_custom(name, custom_objects=None):
    """The user's object of that name, or None."""
    for table in (custom_objects or {}, _scoped_custom.get() or {}, _global_custom):
        if name in table:
            return table[name]
    return None


def visible_custom_objects():
    """All custom objects that are found now, by name."""
    return {**_global_custom, **(_scoped_custom.get() or {})}


class Registry:
    """The objects of one kind ("initializer"), found by name, config or as they are.

    Args:
        kind: what an object is called in messages.
        module: Keras' module of the kind, written into configs.
        base: the class that instances have; None where only functions are meant.
        plain: whether a function or other callable is taken as it is.
    """

    kinds: ClassVar[dict[str, "Registry"]] = {}

    def __init__(self, kind, module, base=None, plain=True):
        self.kind, self.module, self.base, self.plain = kind, module, base, plain
        self.table: dict[str, Any] = {}
        Registry.kinds[kind] = self

    def add(self, *objects, **aliases):
        """Register ``objects`` under their own names, ``aliases`` under the given ones."""
        for obj in objects:
            self.table[obj.__name__] = obj
        self.table.update(aliases)

    def find(self, name, custom_objects=None):
        """The class or function called ``name``; ValueError with the nearest name if there is none."""
        found = find_custom(name, custom_objects)
        if found is None:
            found = self.table.get(name)
        if found is None:
            raise ValueError(
                f"Unknown {self.kind}: expected the name of a {self.kind}. Received: {name!r}."
                f"{checks.nearest(name, self.table)}"
            )
        return found

    def get(self, identifier, custom_objects=None):
        """The object ``identifier`` stands for: None, a name, a config dict, a class, an instance or a callable.

        Raises: ValueError if it is none of these, or an unknown name.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            found = self.find(identifier, custom_objects)
            return found() if inspect.isclass(found) else found
        if isinstance(identifier, dict):
            return self.from_config(identifier, custom_objects)
        if inspect.isclass(identifier):
            return identifier()
        if (self.base and isinstance(identifier, self.base)) or (self.plain and callable(identifier)):
            return identifier
        raise ValueError(
            f"Could not interpret {self.kind} identifier: expected a name, a config, or an object. "
            f"Received: {identifier!r}"
        )

    def from_config(self, config: Any, custom_objects=None):
        """The object a config dict describes: ``{"class_name": ..., "config": ...}``."""
        if not isinstance(config.get("class_name"), str):
            raise ValueError(f"A {self.kind} config needs a 'class_name'. Received: {config!r}")
        inner: Any = config.get("config")
        if config["class_name"] == "function":
            if not isinstance(inner, str):
                raise ValueError(f"A {self.kind} config of a function needs its name. Received: {config!r}")
            return self.get(inner, custom_objects)
        found = self._class_of(config, custom_objects)
        if not inspect.isclass(found):
            return found
        arguments = {} if inner is None else inner
        allowed: Any = getattr(found, "config_type", dict)
        if not isinstance(arguments, allowed):
            raise ValueError(
                f"Expected the config of {config['class_name']} to be a dict. "
                f"Received: {type(arguments).__name__} {arguments!r}"
            )
        with custom_object_scope(custom_objects or {}):  # what is inside may be the user's too
            return found.from_config(arguments) if hasattr(found, "from_config") else found(**arguments)

    def _class_of(self, config, custom_objects):
        """The class a config names. A name that says where it was registered stands for no other of that name."""
        name, registered = config["class_name"], config.get("registered_name")
        if self.kind == "optimizer" and find_custom(registered or name, custom_objects) is None:
            name, registered = name.removeprefix("Custom>"), None  # so tf.keras writes its own
        found = find_custom(registered, custom_objects) if isinstance(registered, str) else None
        if found is None:
            if isinstance(registered, str) and ">" in registered and name not in (custom_objects or {}):
                found = find_custom(name)
                if found is None:
                    raise ValueError(
                        f"Unknown {self.kind}: expected {registered!r} to be registered. Received: a config of "
                        f"{name!r}. Import the code that has @register_keras_serializable, or pass "
                        f"custom_objects={{{name!r}: ...}}."
                    )
                return found
            found = self.find(name, custom_objects)
        return found

    def serialize(self, obj):
        """The config that ``from_config`` reads back."""
        if obj is None or isinstance(obj, str):
            return obj
        if hasattr(obj, "get_config") and not inspect.isclass(obj):
            registered = registered_name(type(obj))
            own = registered is None and self.table.get(type(obj).__name__) is type(obj)
            return {
                "module": getattr(obj, "config_module", self.module) if own else None,
                "class_name": type(obj).__name__,
                "config": obj.get_config(),
                "registered_name": None if own else registered or type(obj).__name__,
            }
        name = getattr(obj, "__name__", None)
        if name is None:
            raise ValueError(f"Cannot serialize a {self.kind} without a name. Received: {obj!r}")
        return name if self.table.get(name) is obj else registered_name(obj) or name

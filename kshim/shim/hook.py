"""``install()``: after it, ``import keras`` and every path in ``legacy.modules`` mean kshim.

Each path is a module object of its own, an ``Alias``, which finds its names in kshim's modules when they are asked
for: so a class is the same object over all paths, and importing ``keras.layers.core`` writes nothing into
``kshim.layers`` (where the import system would put the attribute ``core``).
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
import threading
import types

from kshim.core import checks, settings
from kshim.legacy import modules

_lock = threading.RLock()
_finder = None
_put_aside: dict[str, types.ModuleType] = {}  # modules of the real packages, from before install()


def canonical(path):
    """``keras...`` for a path below any of ``ROOTS``; None for others."""
    for root in sorted(modules.ROOTS, key=len, reverse=True):
        if path == root or path.startswith(root + "."):
            return modules.ROOTS[root] + path[len(root) :]
    return None


class Alias(types.ModuleType):
    """A module under an old path; ``_path`` is the path as Keras 3 would have it."""

    def __init__(self, name, path):
        super().__init__(name, f"``{path}``, by kshim.")
        self.__dict__["_path"] = path
        self.__dict__["__path__"] = []  # every path may have more below it

    def _sources(self):
        return [importlib.import_module(name) for name in modules.MODULES[self._path]]

    def __getattr__(self, name):
        if name == "__file__":
            return _file(self._sources()[0])
        if name == "__version__" and self._path == "keras":
            return modules.VERSIONS[settings.dialect()][0]
        if name == "__all__":
            return [n for n in dir(self) if not n.startswith("_")]
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self._path}.{name}" in modules.MODULES:
            return importlib.import_module(f"{self.__name__}.{name}")
        for source in self._sources():
            found = getattr(source, name, _MISSING)
            if found is not _MISSING and not _is_inner_module(found):
                return found  # a module inside kshim is no name of Keras, unless it is in the table above
        raise AttributeError(_no_name(self, name))

    def __dir__(self):
        names = {name for name in self.__dict__ if not name.startswith("_")}
        for source in self._sources():
            public = getattr(source, "__all__", None) or [n for n in vars(source) if not n.startswith("_")]
            names |= {name for name in public if not _is_inner_module(vars(source).get(name))}
        below = self._path + "."
        names |= {p.removeprefix(below) for p in modules.MODULES if p.startswith(below) and "." not in p[len(below) :]}
        return sorted(names)


class CalledAlias(Alias):
    """An alias of what was a function in Keras 1 and a module since."""

    def __call__(self, *args, **kwargs):
        module, name = modules.CALLED[self._path]
        return getattr(importlib.import_module(module), name)(*args, **kwargs)


class TensorFlow(types.ModuleType):
    """The small stand-in for ``tensorflow``: its Keras, its version, and an error by name for anything else."""

    def __init__(self, name):
        super().__init__(name, "The part of TensorFlow that is Keras, by kshim.")
        self.__dict__["__path__"] = []

    def __getattr__(self, name):
        if name == "__version__":
            return modules.VERSIONS[settings.dialect()][1]
        if name == "__file__":
            return __file__
        if name == "__all__":
            return ["keras"]
        path = f"{self.__name__}.{name}"
        if canonical(path) is not None or path in modules.PACKAGES_OF_TENSORFLOW:
            return importlib.import_module(path)
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(_no_tensorflow(path))

    def __dir__(self):
        return ["__version__", "keras"]


_MISSING = object()


def _is_inner_module(value):
    return isinstance(value, types.ModuleType)


def _file(module):
    if getattr(module, "__file__", None) is None:
        raise AttributeError("__file__")
    return module.__file__


def _no_name(alias, name):
    return f"kshim has no {alias._path}.{name} yet.{checks.nearest(name, dir(alias))}"


def _no_tensorflow(path):
    return (
        f"kshim has no {path.replace('tensorflow', 'tf', 1)}: of TensorFlow it stands for tf.keras only. "
        "Write this part with torch or keras.backend; kshim.uninstall() brings an installed TensorFlow back."
    )


class _Loader(importlib.abc.InspectLoader):
    """Makes the aliases; the source of a path is its first kshim module's."""

    def create_module(self, spec):
        path = canonical(spec.name)
        if path is None:
            return TensorFlow(spec.name)
        return (CalledAlias if path in modules.CALLED else Alias)(spec.name, path)

    def exec_module(self, module):
        if isinstance(module, Alias):
            module._sources()  # what can't be imported is told here, not at the first name

    def get_source(self, fullname):
        return None

    def is_package(self, fullname):
        return True


class Finder(importlib.abc.MetaPathFinder):
    """Finds everything below ``modules.TOP_LEVEL``, so the real packages are never imported."""

    loader = _Loader()

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] not in modules.TOP_LEVEL:
            return None
        known = canonical(fullname)
        if known in modules.MODULES or fullname in modules.PACKAGES_OF_TENSORFLOW:
            return importlib.machinery.ModuleSpec(fullname, self.loader, is_package=True)
        # ``from keras.layers import Foo`` asks for a module keras.layers.Foo, too. With another `name` than that,
        # the import system hands this error on in place of its own.
        parent, _, name = fullname.rpartition(".")
        owner = sys.modules.get(parent)
        message = _no_name(owner, name) if isinstance(owner, Alias) else _no_tensorflow(fullname)
        raise ModuleNotFoundError(message, name=parent)


def install(dialect=None):
    """From now on ``keras``, ``tf_keras`` and ``tensorflow.keras`` are kshim, under every path they ever had.

    Modules of the real packages that are imported already are put aside until ``uninstall()``; code that holds
    them keeps them, but what it imports later is kshim's.

    Args:
        dialect: a Keras version or short name, as for ``set_dialect``; None leaves it as it is.
    """
    global _finder
    if dialect is not None:
        settings.set_dialect(dialect)
    with _lock:
        if _finder is None:
            _put_aside.update({name: sys.modules.pop(name) for name in _ours()})
            _finder = Finder()
            sys.meta_path.insert(0, _finder)


def uninstall():
    """Undo ``install()``: the real packages are found again, and those imported before are back."""
    global _finder
    with _lock:
        if _finder is None:
            return
        sys.meta_path.remove(_finder)
        _finder = None
        for name in _ours():
            del sys.modules[name]
        sys.modules.update(_put_aside)
        _put_aside.clear()


def installed():
    """Whether ``install()`` holds."""
    return _finder is not None


def _ours():
    return [name for name in sys.modules if name.split(".")[0] in modules.TOP_LEVEL]


def explain_missing_names():
    """Give kshim's own modules the same words for a missing name, for ``import kshim as keras``."""
    for name in {name for sources in modules.MODULES.values() for name in sources}:
        module = sys.modules.get(name)
        if module is not None and not hasattr(module, "__getattr__"):
            module.__getattr__ = _missing_in(module)


def _missing_in(module):
    path = module.__name__.replace("kshim", "keras", 1)

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        known = [n for n in vars(module) if not n.startswith("_")]
        raise AttributeError(f"kshim has no {path}.{name} yet.{checks.nearest(name, known)}")

    return __getattr__

"""Lists and dicts of layers as attributes: ``self.blocks = [Dense(4), Dense(4)]`` makes them sub-modules.

``nn.Module`` sees modules only as direct attributes; Keras 2.3 and later look into containers.
"""

import torch


def tracked(owner, name, value):
    """``value`` itself, or a tracked copy if it is a list, tuple or dict with modules or parameters in it."""
    if type(value) is list:
        return TrackedList(owner, name, value)
    if type(value) is dict:
        return TrackedDict(owner, name, value)
    if type(value) is tuple:
        for index, item in enumerate(value):
            _register(owner, f"{name}_{index}", item)
    return value


def _register(owner, name, item):
    if isinstance(item, torch.nn.Module):
        if not any(module is item for module in owner._modules.values()):
            owner._modules[name] = item
    elif isinstance(item, torch.nn.Parameter):
        if not any(item is known for known in [*owner._parameters.values(), *owner._buffers.values()]):
            owner._register_variable(name, item)
    elif isinstance(item, (list, dict, tuple)):
        tracked(owner, name, item)


class _Tracked:
    """Registers what it holds with its owner after each change; what was taken out is dropped."""

    def _forget(self):
        for key in self._registered:
            self._owner._modules.pop(key, None)

    def _sync(self):
        self._forget()
        before = set(self._owner._modules)
        for key, item in self._items():
            _register(self._owner, f"{self._prefix}_{key}", item)
        self._registered = [key for key in self._owner._modules if key not in before]


def _syncing(base, names):
    def wrap(name):
        method = getattr(base, name)

        def changed(self, *args, **kwargs):
            result = method(self, *args, **kwargs)
            self._sync()
            return result

        changed.__name__ = name
        return changed

    return {name: wrap(name) for name in names}


class TrackedList(_Tracked, list):
    """A list that keeps its owner's sub-modules in step."""

    def __init__(self, owner, name, items=()):
        super().__init__(items)
        self._owner, self._prefix, self._registered = owner, name, ()
        self._sync()

    def _items(self):
        return enumerate(self)

    def __reduce__(self):
        return list, (list(self),)


class TrackedDict(_Tracked, dict):
    """A dict that keeps its owner's sub-modules in step."""

    def __init__(self, owner, name, items=()):
        super().__init__(items)
        self._owner, self._prefix, self._registered = owner, name, ()
        self._sync()

    def _items(self):
        return self.items()

    def __reduce__(self):
        return dict, (dict(self),)


for _class, _names in (
    (TrackedList, ("append", "extend", "insert", "pop", "remove", "clear", "__setitem__", "__delitem__", "__iadd__")),
    (TrackedDict, ("pop", "popitem", "clear", "update", "setdefault", "__setitem__", "__delitem__", "__ior__")),
):
    for _name, _method in _syncing(_class.__mro__[2], _names).items():
        setattr(_class, _name, _method)

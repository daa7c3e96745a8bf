"""``keras.backend``, usually imported as ``K``: functions on arrays, tensors and symbolic tensors alike."""

from kshim.backend import functions as _functions
from kshim.backend.aliases import BINARY as _BINARY
from kshim.backend.aliases import SETTINGS as _SETTINGS
from kshim.backend.aliases import UNARY as _UNARY
from kshim.core import checks as _checks
from kshim.core import settings as _settings
from kshim.core.arrays import to_tensor as _to_tensor
from kshim.graph.op import op as _op


def _unary(name, function):
    def call(x):
        return function(_to_tensor(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``torch.{function.__name__}`` of an array, tensor or symbolic tensor."
    return _op(call)


def _binary(name, function):
    def call(x, y):
        return function(_to_tensor(x), _to_tensor(y))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"``torch.{function.__name__}`` of two arrays, tensors, symbolic tensors or numbers."
    return _op(call)


globals().update({name: getattr(_settings, name) for name in _SETTINGS})
globals().update({name: _unary(name, function) for name, function in _UNARY.items()})
globals().update({name: _binary(name, function) for name, function in _BINARY.items()})
globals().update(
    {
        name: value
        for name, value in vars(_functions).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == _functions.__name__
    }
)

__all__ = sorted(name for name in globals() if not name.startswith("_") and name not in ("aliases", "functions"))


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(f"kshim has no keras.backend.{name} yet.{_checks.nearest(name, __all__)}")

"""``keras.backend``, usually imported as ``K``: functions on arrays, tensors and symbolic tensors alike."""

from kshim.backend import functions as _functions
from kshim.backend import graph as _graph
from kshim.backend import more as _more
from kshim.backend import sequences as _sequences
from kshim.backend import spatial as _spatial
from kshim.backend.aliases import ALIASES as _ALIASES
from kshim.backend.aliases import BINARY as _BINARY
from kshim.backend.aliases import SETTINGS as _SETTINGS
from kshim.backend.aliases import UNARY as _UNARY
from kshim.backend.recording import op as _op
from kshim.core import checks as _checks
from kshim.core import settings as _settings
from kshim.core.arrays import to_tensor as _to_tensor


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
_PARTS = (_functions, _spatial, _sequences, _more, _graph)
globals().update(
    {
        name: value
        for part in _PARTS
        for name, value in vars(part).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == part.__name__
    }
)
# Keras 1's names of what is called otherwise today.
globals().update({old: globals()[new] for old, new in _ALIASES.items()})
for _name in ("Session", "forget"):
    globals().pop(_name)

_MODULES = ("aliases", "functions", "graph", "more", "recording", "sequences", "spatial")
__all__ = sorted(name for name in globals() if not name.startswith("_") and name not in _MODULES)


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name in ("tf", "T", "theano", "tensorflow", "C"):
        raise AttributeError(
            f"keras.backend.{name} was the library below Keras: kshim runs on torch. Expected a function of K. "
            f"Received: {name!r}. Write this part with K.* or torch."
        )
    raise AttributeError(f"kshim has no keras.backend.{name} yet.{_checks.nearest(name, __all__)}")

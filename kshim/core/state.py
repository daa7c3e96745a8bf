"""What changes in objects while a model is trained, as data that can be kept in a file and taken up again.

Any object has a state here: numbers, texts, arrays, and lists and dicts of them, among its attributes; variables and
generators of random numbers, which are written in place. An object with torch's ``state_dict`` and
``load_state_dict`` tells its state itself.
"""

import inspect
import itertools
import os
import random
import zlib
from collections import deque
from typing import Any, NamedTuple

import numpy as np
import torch

LARGE = 1 << 24  # bytes: larger arrays are taken for data, which change only where another array takes their place
MANY = 1 << 17  # the same for the items of lists in lists
DEPTH = 16

SCALARS = (bool, int, float, complex, str, bytes)
TEXTS = (str, bytes, os.PathLike)
NEVER = ("params", "_model", "training")  # a callback's, a module's
TORCH_HAS_NONE = ("longdouble", "clongdouble", "float128", "complex256", "float96", "complex192")


class NotPlain(Exception):
    """A value that is no data."""


def tells_state(value):
    """Whether an object has torch's two methods; modules and optimizers are no part of another object's state."""
    if isinstance(value, (type, torch.nn.Module, torch.optim.Optimizer)):
        return False
    return callable(getattr(value, "state_dict", None)) and callable(getattr(value, "load_state_dict", None))


# -- values as data --------------------------------------------------------------------------------------------------


def encoded(value, depth=0):
    """``value`` as what ``torch.load(weights_only=True)`` reads: tensors (not copied), numbers, texts, lists, dicts.

    What these do not tell apart is a tuple ``(kind, content)``.

    Raises: NotPlain for anything that is no data.
    """
    if value is None or type(value) in SCALARS:
        return value
    if depth > DEPTH:
        raise NotPlain
    if isinstance(value, torch.Tensor):
        if value.is_meta or value.layout is not torch.strided:
            raise NotPlain
        return ("variable" if isinstance(value, torch.nn.Parameter) else "tensor", value.detach())
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in "biufc" or value.dtype.name in TORCH_HAS_NONE or not value.dtype.isnative:
            raise NotPlain
        kind = "array" if isinstance(value, np.ndarray) else "number"
        return kind, torch.from_numpy(np.require(np.asarray(value), requirements=["C", "W"]))
    if is_generator(value):
        return "generator", encoded(generator_state(value), depth + 1)
    if tells_state(value):
        return "object", encoded(value.state_dict(), depth + 1)
    if isinstance(value, dict):
        if any(type(key) not in (str, int, float, bool, tuple, type(None)) for key in value):
            raise NotPlain
        pairs = [[encoded(key), encoded(item, depth + 1)] for key, item in value.items()]
        return "dict", pairs
    for kind, types in SEQUENCES.items():
        if isinstance(value, types) and not hasattr(value, "_fields"):
            return kind, [encoded(item, depth + 1) for item in value]
    raise NotPlain


SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "deque": deque, "set": set}


def decoded(data, current=None):
    """The value that ``encoded`` made ``data`` of. Variables, generators and containers are ``current``, if it is one.

    Raises: ValueError where ``data`` is nothing that ``encoded`` makes, or does not fit to ``current``.
    """
    if not isinstance(data, tuple):
        if data is None or type(data) in SCALARS:
            return data
        raise ValueError(f"expected data. Received: {type(data).__name__}")
    if len(data) != 2 or data[0] not in DECODERS:
        raise ValueError(f"expected a pair (kind, content). Received: {str(data)[:60]}")
    return DECODERS[data[0]](data[1], current)


def _tensor(content, current):
    if not isinstance(content, torch.Tensor):
        raise ValueError(f"expected a tensor. Received: {type(content).__name__}")
    return content.clone()


def _variable(content, current):
    content = _tensor(content, current)
    if not isinstance(current, torch.nn.Parameter) or current.shape != content.shape:
        raise ValueError(f"expected a variable of shape {tuple(content.shape)} to write to. Received: {current!r}")
    with torch.no_grad():
        current.data.copy_(content)
    return current


def _generator(content, current):
    if not is_generator(current):
        raise ValueError(f"expected a generator of random numbers. Received: {type(current).__name__}")
    set_generator_state(current, decoded(content))
    return current


def _object(content, current):
    if not tells_state(current):
        raise ValueError(f"expected an object with a load_state_dict(). Received: {type(current).__name__}")
    current.load_state_dict(decoded(content))
    return current


def _pairs(content):
    if not isinstance(content, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in content):
        raise ValueError(f"expected pairs of a dict. Received: {str(content)[:60]}")
    return content


def _dict(content, current):
    old = dict(current) if isinstance(current, dict) else {}
    keys = [decoded(key) for key, _ in _pairs(content)]
    new = {key: decoded(item, old.get(key)) for key, (_, item) in zip(keys, content, strict=True)}
    if not isinstance(current, dict):
        return new
    current.clear()
    current.update(new)
    return current


def _items(make):
    def decode(content, current):
        if not isinstance(content, list):
            raise ValueError(f"expected a list. Received: {type(content).__name__}")
        old = list(current) if isinstance(current, (list, tuple, deque)) else []
        items = [decoded(item, was) for item, was in itertools.zip_longest(content, old[: len(content)])]
        if make is tuple or type(current) is tuple or not isinstance(current, make):
            return make(items)
        current.clear()
        current.update(items) if isinstance(current, set) else current.extend(items)
        return current

    return decode


DECODERS = {
    "tensor": _tensor,
    "variable": _variable,
    "array": lambda content, current: _tensor(content, current).numpy(),
    "number": lambda content, current: _tensor(content, current).numpy()[()],
    "generator": _generator,
    "object": _object,
    "dict": _dict,
    **{kind: _items(make) for kind, make in SEQUENCES.items()},
}


# -- generators of random numbers ------------------------------------------------------------------------------------


def is_generator(value):
    """Whether it is a numpy, torch or Python generator, with a state that can be set."""
    if isinstance(value, random.Random):
        return not isinstance(value, random.SystemRandom)
    return isinstance(value, (torch.Generator, np.random.Generator, np.random.RandomState))


def packed(state):
    """Python's ``getstate()`` with its 625 ints as one array, which is written a hundred times faster."""
    return state[0], np.array(state[1], "int64"), state[2]


def unpacked(state):
    """What ``packed`` was given."""
    return state[0], tuple(state[1].tolist()), state[2]


def generator_state(generator):
    """The state of a numpy, torch or Python generator, as data."""
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, random.Random):
        return packed(generator.getstate())
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.bit_generator.state


def set_generator_state(generator, state):
    """Take up what ``generator_state`` gave. Raises ValueError, TypeError or KeyError where it is no such state."""
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, random.Random):
        generator.setstate(unpacked(state))
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


# -- what changed ----------------------------------------------------------------------------------------------------


class _Print(NamedTuple):
    """What tells whether a value changed; ``value`` is kept, so that no other one can have its address."""

    mark: Any
    value: Any


def _mark(value, budget):
    """What differs where two values do, quickly; for what is large, which object it is."""
    if isinstance(value, (list, tuple)):
        try:
            return type(value).__name__, len(value), hash(tuple(value))
        except TypeError:  # lists in the list, say
            return [_mark(item, budget) for item in value] if _spend(budget, len(value)) else id(value)
    if isinstance(value, (dict, deque)):
        if not _spend(budget, len(value)):
            return id(value)
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [(key, _mark(item, budget)) for key, item in items]
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, (np.ndarray, torch.Tensor)):
        if value.nbytes > LARGE:
            return id(value)
        tensor = encoded(value)[1].cpu().contiguous().reshape(-1)
        return tuple(value.shape), str(value.dtype), zlib.crc32(tensor.view(torch.uint8).numpy())
    return value if value is None or type(value) in SCALARS else id(value)


def _spend(budget, count):
    budget[0] -= count
    return budget[0] >= 0


class Tracker:
    """What changes in an object's attributes after this was made; what it was made with stays as the script says.

    Variables and generators of random numbers are always part of it; large arrays that are changed in place (``LARGE``)
    are not. Nor are texts with the name of an argument of the constructor, such as paths: they are the script's alone.

    Args:
        owner: the object.
        hidden: whether attributes that begin with an underscore count.
    """

    def __init__(self, owner, hidden=True):
        self.owner, self.hidden = owner, hidden
        self.tells = tells_state(owner)
        self.settings = _arguments(type(owner))
        self.prints = {}
        if not self.tells:
            for name, value in self._candidates():
                if not _in_place(value):
                    self.prints[name] = _Print(_marked(value), value)

    def _candidates(self):
        for name, value in list(getattr(self.owner, "__dict__", {}).items()):
            if self._may_change(name, value):
                yield name, value

    def _may_change(self, name, value):
        if name in NEVER or (name.startswith("_") and not self.hidden):
            return False
        return _in_place(value) or not (callable(value) or (name in self.settings and isinstance(value, TEXTS)))

    def state(self):
        """The state as data (see ``encoded``)."""
        if self.tells:
            try:
                return {"told": encoded(self.owner.state_dict())}
            except NotPlain:
                raise TypeError(
                    f"{type(self.owner).__name__}.state_dict(): expected numbers, texts, arrays, and lists and dicts "
                    "of them. Received: something else among them, which cannot be kept in a file."
                ) from None
        found = {}
        for name, value in self._candidates():
            try:
                if _in_place(value) or name not in self.prints or self.prints[name].mark != _marked(value):
                    found[name] = encoded(value)
            except NotPlain:
                continue
        return found

    def load(self, state):
        """Take up what ``state`` gave. An attribute that is there neither now nor when this was made is made.

        Raises: ValueError where it is nothing that ``state`` gives.
        """
        if self.tells:
            if "told" in state:
                self.owner.load_state_dict(decoded(state["told"]))
            return
        for name, data in state.items():
            if not isinstance(name, str) or _is_of_the_class(type(self.owner), name):
                continue
            current = getattr(self.owner, name, None)
            if self._may_change(name, current):
                value = decoded(data, current)
                if value is not current and self._may_change(name, value):
                    setattr(self.owner, name, value)


def _marked(value):
    try:
        return _mark(value, [MANY])
    except (NotPlain, RecursionError):
        return id(value)


def _in_place(value):
    return isinstance(value, torch.nn.Parameter) or is_generator(value) or tells_state(value)


def _is_of_the_class(cls, name):
    """Whether ``name`` is a method or property: no file may put anything in its place."""
    found = inspect.getattr_static(cls, name, None)
    return callable(found) or hasattr(found, "__get__")


def _arguments(cls):
    """The names of the constructor's arguments: settings, which a script may change between two runs."""
    names = set()
    for base in cls.__mro__:
        if "__init__" in vars(base) and base is not object:
            try:
                names |= set(inspect.signature(base.__init__).parameters)
            except (TypeError, ValueError):  # one written in C
                continue
    return names

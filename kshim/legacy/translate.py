"""The one function that reads the rows of ``arguments``, and the hooks that call it."""

import functools
import inspect
import warnings
from typing import NamedTuple

from kshim.core import configurable, settings
from kshim.legacy.arguments import ROWS
from kshim.legacy.row import Row

_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


class Rules(NamedTuple):
    """The rows that hold for one name in one dialect, and the names that set them off."""

    title: str
    parameters: tuple | None  # today's positional order; None where it takes *args
    defaults_today: dict
    positions: tuple  # rows with positions, in order
    rows: tuple
    triggers: frozenset  # keywords that need translating
    defaults: dict

    def __call__(self, args, kwargs):
        """``(args, kwargs)`` of today's call."""
        order = next((row.positions for row in self.positions if _fits(row, args)), None)
        if order is None and not self.defaults and self.triggers.isdisjoint(kwargs):
            values_by_position = self.triggers.intersection(self.parameters[: len(args)]) if self.parameters else ()
            if not values_by_position:
                return args, kwargs
        given, args = self._by_name(order or self.parameters, args, kwargs)
        for row in self.rows:
            self._rename(row, given)
        for row in self.rows:
            self._join(row, given)
            self._drop(row, given)
            self._convert(row, given)
        for name, value in self.defaults.items():
            given.setdefault(name, value)
        return args, given

    def _by_name(self, order, args, kwargs):
        if order is None:  # takes *args: only keywords can be told apart
            return dict(kwargs), args
        if len(args) > len(order):
            raise TypeError(f"{self.title}() takes up to {len(order)} arguments by position. Received: {len(args)}.")
        given = dict(zip(order, args, strict=False))
        for name in given.keys() & kwargs.keys():
            other = next((row.twice[name] for row in self.rows if name in row.twice), None)
            if other is None or other in kwargs:
                raise TypeError(
                    f"{self.title}() got several values for `{name}`. Received: {given[name]!r} by position and "
                    f"{name}={kwargs[name]!r}."
                )
            kwargs = {other if key == name else key: value for key, value in kwargs.items()}
            _warn(
                f"{self.title}({given[name]!r}, {name}={kwargs[other]!r}) gives `{name}` twice: Keras itself raises a "
                f"TypeError here. kshim reads {kwargs[other]!r} as {other}. "
                f"Write {self.title}({given[name]!r}, {other}={kwargs[other]!r})."
            )
        return given | kwargs, ()

    def _rename(self, row, given):
        for old, new in row.renamed.items():
            if old not in given or (given[old] is None and old in self.defaults_today):
                continue
            if new in given and not (given[new] is None and old in self.defaults_today):
                raise TypeError(
                    f"{self.title}() got both `{old}`, an older name, and `{new}`, the name today. "
                    f"Received: {old}={given[old]!r}, {new}={given[new]!r}. Keep `{new}`."
                )
            given[new] = given.pop(old)
        for old, news in row.shared.items():
            if old not in given:
                continue
            value = given.pop(old)
            for new in news:
                if new in given:
                    raise TypeError(
                        f"{self.title}() got both `{old}`, an older name, and `{new}`, which takes its value today. "
                        f"Received: {old}={value!r}, {new}={given[new]!r}. Keep `{new}`."
                    )
                given[new] = value

    def _join(self, row, given):
        for new, (names, make) in row.joined.items():
            if names[-1] not in given:
                continue
            values = [given.pop(name, self._default(name)) for name in names]
            if new in given and new not in names:
                raise TypeError(
                    f"{self.title}() got both {' and '.join(f'`{name}`' for name in names)}, older names, and `{new}`. "
                    f"Received: {dict(zip(names, values, strict=True))}, {new}={given[new]!r}. Keep `{new}`."
                )
            given[new] = make(*values)

    def _default(self, name):
        return self.defaults.get(name, self.defaults_today.get(name))

    def _drop(self, row, given):
        for name, (neutral, help, ignored) in row.gone.items():
            if name not in given:
                continue
            value = given.pop(name)
            plain = isinstance(value, (int, float, str)) and not isinstance(value, bool)
            if any(value is kept or (plain and value == kept) for kept in neutral):
                continue
            if not ignored:
                raise NotImplementedError(
                    f"{self.title}() in kshim has no `{name}`. Received: {name}={value!r}. {help}"
                )
            _warn(f"{self.title}() ignores `{name}`. Received: {name}={value!r}. {help}")

    @staticmethod
    def _convert(row, given):
        for name, change in row.values.items():
            if name not in given:
                continue
            if callable(change):
                given[name] = change(given[name])
            elif given[name] is None or isinstance(given[name], str):
                new = change.get(given[name], given[name])
                given[name] = new() if callable(new) else new


def _fits(row, args):
    if row.when is None:
        return bool(args)
    positions = row.when.position if isinstance(row.when.position, tuple) else (row.when.position,)
    return len(args) > max(positions) and row.when.test(*(args[position] for position in positions))


def _warn(message):
    warnings.warn(message, UserWarning, stacklevel=_frames_to_user())


def _frames_to_user():
    """How many frames lie between ``_warn`` and the first one outside kshim."""
    frame, count = inspect.currentframe(), 0
    while frame is not None and frame.f_globals.get("__name__", "").startswith("kshim."):
        frame, count = frame.f_back, count + 1
    return max(count, 1)


def _rules(title, function, row_lists):
    """Rules from ``[(rows, whether they are the class's own)]``; None if nothing ever needs translating."""
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    own = {p.name for p in parameters if p.kind not in _VARIADIC}
    order = None
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        order = tuple(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
    positions: list = []
    rows: list = []
    defaults: dict = {}
    triggers: set = set()
    for given_rows, is_own in row_lists:
        for row in given_rows:
            if not settings.holds(row.since, row.until):
                continue
            if is_own:
                positions += [row] if row.positions else []
                defaults = {**row.defaults, **defaults}
            else:
                row = _of_base(row, own)
            rows.append(row)
            triggers |= {*row.renamed, *row.shared, *row.gone, *row.values, *row.twice}
            triggers |= {joined.names[-1] for joined in row.joined.values()}
    if not (positions or triggers or defaults):
        return None
    today = {p.name: p.default for p in parameters if p.default is not p.empty}
    return Rules(title, order, today, tuple(positions), tuple(rows), frozenset(triggers), defaults)


def _of_base(row, own):
    """A base's row for a class whose own arguments are ``own``: its names only, but for those the class itself has."""
    ranged = row.since is not None or row.until is not None  # then an old name may be one of today's, too
    renamed = {old: new for old, new in row.renamed.items() if ranged or old not in own}
    joined = {new: j for new, j in row.joined.items() if j.names[-1] not in own}
    gone = {name: g for name, g in row.gone.items() if name not in own}
    return Row(row.since, row.until, renamed=renamed, joined=joined, gone=gone, twice=row.twice)


def key_of(cls):
    """``layers.Dense`` for kshim's own classes, also those of ``legacy.layers``; None for others."""
    module = [part for part in cls.__module__.split(".") if part != "legacy"]
    return f"{module[1]}.{cls.__name__}" if module[0] == "kshim" and len(module) > 1 else None


@functools.cache
def _constructor_rules(cls, dialect):
    if key_of(cls) is None:
        return None
    lists = [(ROWS.get(key_of(base), ()), base is cls) for base in cls.__mro__]
    return _rules(cls.__name__, cls.__init__, lists)


@functools.cache
def _method_rules(cls, method, dialect):
    bases = [base for base in cls.__mro__ if key_of(base) is not None]
    function = next((vars(base)[method] for base in bases if method in vars(base)), None)
    lists = [(ROWS.get(f"{key_of(base)}.{method}", ()), True) for base in bases]
    return None if function is None else _rules(f"{cls.__name__}.{method}", function, lists)


@functools.cache
def _function_rules(key, function, dialect):
    return _rules(key.split(".")[-1], function, [(ROWS[key], True)])


def constructor(cls, args, kwargs):
    """The ``before_construct`` hook."""
    rules = _constructor_rules(cls, settings.dialect())
    return (args, kwargs) if rules is None else rules(args, kwargs)


def method(cls, name, args, kwargs):
    """The ``before_call`` hook."""
    rules = _method_rules(cls, name, settings.dialect())
    return (args, kwargs) if rules is None else rules(args, kwargs)


def function(key, original):
    """``original`` with calls translated by the rows of ``key`` (``backend.expand_dims``)."""
    names_only = not any(row.positions or row.values or row.defaults or row.twice for row in ROWS[key])

    @functools.wraps(original)
    def call(*args, **kwargs):
        if names_only and not kwargs:
            return original(*args)  # activations are called so in every step
        rules = _function_rules(key, original, settings.dialect())
        if rules is not None:
            args, kwargs = rules(args, kwargs)
        return original(*args, **kwargs)

    return call


def attach():
    """Set the hooks of ``core.configurable``."""
    configurable.before_construct = constructor
    configurable.before_call = method


def detach():
    """Take the hooks off again: only today's spelling is understood."""
    configurable.before_construct = configurable.before_call = None

"""One doorway into every class with a config.

Each ``__init__`` of a subclass of ``Configurable`` is wrapped once: the wrapper lets ``before_construct``
(set by ``kshim.legacy``, None otherwise) translate the call, and then runs the constructor. From the
signature follow ``get_config``, ``from_config`` and ``repr``, since each argument is kept under its own name.

Source: the idea is scikit-learn's and Keras 3's ``ops/operation.py``.
"""

import functools
import inspect
from collections.abc import Callable

from kshim.core import checks

before_construct: Callable | None = None  # hook: (cls, args, kwargs) -> (args, kwargs)
before_call: Callable | None = None  # hook: (cls, method name, args, kwargs) -> (args, kwargs)
revive: Callable | None = None  # hook: a config's value -> the object it tells of
after_import: Callable | None = None  # hook: (package that loads on first use) -> None
RESOLVERS: dict[str, Callable] = {}  # argument suffix -> function of a value: "_initializer" -> initializers.get
SERIALIZERS: dict[str, Callable] = {}  # the same suffixes -> object to config value

_VARIADIC = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def argument_names(classes):
    """Constructor arguments of the first of ``classes``: its own, then the next ones' while they pass **kwargs on.

    Args:
        classes: classes in method resolution order.
    """
    names = []
    for base in classes:
        if "__init__" not in vars(base) or base.__module__.startswith("torch."):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        names.append([p.name for p in parameters if p.kind not in _VARIADIC])
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return list(dict.fromkeys(name for own in reversed(names) for name in own))


def translated(method):
    """Method decorator: ``before_call`` may translate the call first, as constructors' calls are."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        if before_call is not None:
            args, kwargs = before_call(type(self), method.__name__, args, kwargs)
        return method(self, *args, **kwargs)

    return call


def loaded(package):
    """Said by a package that loads on first use (``"datasets"``) when it is there: ``after_import`` may add to it."""
    if after_import is not None:
        after_import(package)


def _table_entry(table, name):
    return next((entry for suffix, entry in table.items() if name.endswith(suffix)), None)


def _doorway(cls, init):
    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        if before_construct is not None:
            args, kwargs = before_construct(_called(type(self), cls), args, kwargs)
        if type(self) is cls and not cls.__module__.startswith("kshim."):
            object.__setattr__(self, "_call_arguments", _bound(init, self, args, kwargs))
        init(self, *args, **kwargs)

    __init__.is_doorway = True  # type: ignore[attr-defined] # a mark for __init_subclass__
    return __init__


def _called(made, cls):
    """The class whose call runs ``cls.__init__`` for an object of ``made``: Conv2D has it from its family's base."""
    between = made.__mro__[: made.__mro__.index(cls)]
    start = max((i + 1 for i, base in enumerate(between) if "__init__" in vars(base)), default=0)
    return next((base for base in between[start:] if base.__module__.startswith("kshim.")), cls)


def _bound(init, self, args, kwargs):
    """The call's arguments by name, defaults in; {} if it does not fit (the call itself raises then)."""
    try:
        bound = inspect.signature(init).bind(self, *args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)


class Configurable:
    """Base of every class whose config follows from its constructor's signature.

    A subclass in kshim calls ``self.keep(locals(), units=positive_int)`` in ``__init__``: each argument
    is resolved (``kernel_initializer="zeros"`` becomes an object), checked and kept under its own name.
    A user's subclass does nothing: arguments without an attribute of their name are remembered.
    """

    _kept: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        init = vars(cls).get("__init__")
        if init is not None and not hasattr(init, "is_doorway"):
            cls.__init__ = _doorway(cls, init)  # type: ignore[method-assign] # wrapped once, here

    def keep(self, arguments, **check):
        """Keep a constructor's arguments as attributes.

        Args:
            arguments: the constructor's ``locals()``.
            check: argument name -> ``(owner, name, value) -> value`` from ``core.checks``.
        """
        names = [n for n in arguments if n not in ("self", "kwargs", "__class__")]
        for name in names:
            value = arguments[name]
            resolve = _table_entry(RESOLVERS, name)
            if name in check:
                value = check[name](self, name, value)
            elif resolve is not None:
                value = resolve(value)
            setattr(self, name, value)
        object.__setattr__(self, "_kept", self._kept + tuple(names))

    def get_config(self):
        """The constructor arguments that make an equal object, as plain values by name."""
        mro = type(self).__mro__
        ours = [base.__module__.startswith("kshim.") for base in mro]
        own = [i for i, base in enumerate(mro) if "get_config" in vars(base) and not ours[i]]
        names = argument_names(mro[own[-1] + 1 :] if own else mro)
        return {name: self._config_value(name) for name in names}

    def _config_value(self, name):
        remembered = getattr(self, "_call_arguments", {})
        if name in self._kept or (name not in remembered and hasattr(self, name)):
            value = getattr(self, name)
        elif name in remembered:
            value = remembered[name]
        else:
            raise NotImplementedError(
                f"{checks.describe(self)} does not keep its argument `{name}`. Received: no attribute "
                f"`{name}`. Write `self.{name} = {name}` in __init__, or a get_config() of its own."
            )
        serialize = _table_entry(SERIALIZERS, name)
        return serialize(value) if serialize is not None else plain(value)

    @classmethod
    def from_config(cls, config):
        """An object of this class made from ``get_config()``'s dict.

        Of a user's class without a ``get_config`` of its own, objects among the arguments are made anew too.
        """
        told_by_us = next(base for base in cls.__mro__ if "get_config" in vars(base)).__module__.startswith("kshim.")
        if revive is not None and told_by_us and not cls.__module__.startswith("kshim."):
            config = {
                key: revive(value) if isinstance(value, dict) and "class_name" in value else value
                for key, value in config.items()
            }
        return cls(**config)

    def __repr__(self):
        config = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({config})"


def plain(value):
    """``value`` as config data: objects with a config become their config, tuples stay tuples."""
    if isinstance(value, Configurable):
        return {"module": None, "class_name": type(value).__name__, "config": value.get_config(),
                "registered_name": type(value).__name__}  # fmt: skip
    return value


def class_over(base, fn, class_name, order, defaults, attributes):
    """A public class over a function: ``base(fn, **arguments)`` with a signature of its own.

    Args:
        fn: ``(y_true, y_pred, **arguments)``; those of its arguments that are in ``order`` are kept by name.
        order: the constructor's arguments; each is one of ``fn`` or of ``base``.
        defaults: those that are other than these.
        attributes: of the class, ``__doc__`` and ``__module__`` among them.
    """
    own = {p.name: p for p in list(inspect.signature(fn).parameters.values())[2:] if p.name in order}
    shared = {p.name: p for p in inspect.signature(base.__init__).parameters.values()}
    parameters = [own.get(key) or shared[key] for key in order]
    parameters = [p.replace(default=defaults.get(p.name, p.default)) for p in parameters]
    signature = inspect.Signature([shared["self"], *parameters])

    def __init__(self, *args, **kwargs):
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        arguments.pop("self")
        base.__init__(self, fn, **arguments)
        for key in own:
            setattr(self, key, arguments[key])
        self._kept = tuple(order)

    __init__.__signature__ = signature  # type: ignore[attr-defined] # what help() shows
    return type(class_name, (base,), {"__init__": __init__, **attributes})

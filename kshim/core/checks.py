"""Argument checks, and the one wording of their errors.

A check takes ``(owner, name, value)`` and returns the value to keep: ``owner`` is the object being made,
``name`` the argument. ``Configurable.keep`` calls them.
"""

import difflib
import operator
import os
import sys
import types
import warnings

from kshim.core import settings


def describe(owner):
    """``Dense 'dense_1'``, or the class name alone where there is no name."""
    name = getattr(owner, "name", None)
    return f"{type(owner).__name__} {name!r}" if isinstance(name, str) else type(owner).__name__


def fail(owner, expected, received, help="", error=ValueError):
    """Raise the error ``<object>: expected <expected>. Received: <received>. <help>``."""
    raise error(f"{describe(owner)}: expected {expected}. Received: {received}." + (f" {help}" if help else ""))


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def warn(message, category=UserWarning):
    """A warning at the line outside of kshim that led here."""
    level = 1
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def nearest(name, known):
    """``" Did you mean 'relu'?"`` or, with nothing near, the empty string."""
    near = difflib.get_close_matches(str(name), [str(k) for k in known], 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def as_int(value):
    """``value`` as an int, or None if it is not one (bools and floats are not)."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def positive_int(owner, name, value):
    """An int above 0."""
    number = as_int(value)
    if number is None or number <= 0:
        fail(owner, f"`{name}` to be an int above 0", f"{name}={value!r}")
    return number


def fraction(owner, name, value):
    """A number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        fail(owner, f"`{name}` to be a number in [0, 1]", f"{name}={value!r}")
    return value


def int_tuple(owner, name, value):
    """A tuple of ints; one int means a tuple of one."""
    values = (value,) if as_int(value) is not None else value
    if not isinstance(values, (list, tuple)) or any(as_int(v) is None for v in values):
        fail(owner, f"`{name}` to be a tuple of ints", f"{name}={value!r}")
    return tuple(as_int(v) for v in values)


def ntuple(rank, low=1):
    """The check for ``rank`` ints of at least ``low``: kept as a tuple; one int means each of them."""
    size = f"an int or a tuple of {rank} ints" if rank > 1 else "an int or a tuple of one"

    def check(owner, name, value):
        values = (value,) * rank if as_int(value) is not None else value
        numbers = [as_int(v) for v in values] if isinstance(values, (list, tuple)) else []
        if len(numbers) != rank or any(n is None or n < low for n in numbers):
            fail(owner, f"`{name}` to be {size}, each at least {low}", f"{name}={value!r}")
        return tuple(numbers)

    return check


def one_of(*values):
    """The check for one of the strings (or other constants) ``values``."""

    def check(owner, name, value):
        if value not in values:
            fail(owner, f"`{name}` to be one of {values}", f"{name}={value!r}", nearest(value, values).strip())
        return value

    return check


def data_format(owner, name, value):
    """``channels_last`` or ``channels_first``; None means ``image_data_format()``."""
    value = settings.image_data_format() if value is None else str(value).lower()
    return one_of(*settings.DATA_FORMATS)(owner, name, value)


def boolean(owner, name, value):
    """A bool (0 and 1 are read as one)."""
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    return fail(owner, f"`{name}` to be a bool", f"{name}={value!r}")

"""What a row of ``arguments`` and ``layer_arguments`` is, and what rows are made of."""

import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kshim.core import tree

NOTHING: Mapping[str, Any] = {}


class When(NamedTuple):
    """A test of the positional argument at ``position``, or of those at several."""

    position: int | tuple
    test: Callable


class Joined(NamedTuple):
    """Old arguments that make one new one: ``make(*values)``, as soon as the last of ``names`` is given."""

    names: tuple
    make: Callable = lambda *values: values


class Gone(NamedTuple):
    """An argument without a counterpart: fine at the ``neutral`` values, else refused with ``help``.

    ``ignored`` warns rather than refuses: for what never changed a number.
    """

    neutral: tuple = (None,)
    help: str = ""
    ignored: bool = False


class Row(NamedTuple):
    """What one range of dialects said in other words."""

    since: str | None = None
    until: str | None = None
    positions: tuple = ()  # positional order, where it differed; the first row that fits is taken
    when: When | None = None  # `positions` hold only where this test passes
    renamed: Mapping = NOTHING  # old name -> new name
    shared: Mapping = NOTHING  # old name -> the new names that its value goes to
    joined: Mapping = NOTHING  # new name -> Joined
    twice: Mapping = NOTHING  # name given by position and by keyword -> name the keyword's value goes to
    gone: Mapping = NOTHING  # old name -> Gone
    values: Mapping = NOTHING  # new name -> {old value: new value}, or a function of the value
    defaults: Mapping = NOTHING  # new name -> old default


def leaves(value):
    """What a structure holds, without None."""
    return [leaf for leaf in tree.flatten(value) if leaf is not None]


def are_numbers(value):
    """Whether a structure holds numbers alone, at least one."""
    found = leaves(value)
    return bool(found) and all(isinstance(leaf, numbers.Number) and not isinstance(leaf, bool) for leaf in found)


def are_names(value):
    """Whether a structure holds a name or a function."""
    return any(isinstance(leaf, str) or callable(leaf) for leaf in leaves(value))


def is_int(value):
    """Whether it is an int, and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_bool(value):
    """Whether it is True or False."""
    return isinstance(value, bool)


def is_text(value):
    """Whether it is a string."""
    return isinstance(value, str)


def is_shape(value):
    """Whether it is a tuple or list."""
    return isinstance(value, (tuple, list))


def are_ints(*values):
    """Whether each value is an int."""
    return all(is_int(value) for value in values)


# -- shared parts ------------------------------------------------------------------------------------------------

WEIGHTS = {
    "init": "kernel_initializer", "bias": "use_bias",
    "W_regularizer": "kernel_regularizer", "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint", "b_constraint": "bias_constraint",
}  # fmt: skip
WEIGHT_POSITIONS = (
    "kernel_initializer", "activation", "weights", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "bias_constraint", "use_bias", "input_dim",
)  # fmt: skip

"""Every public class of the main namespaces says what its arguments are, and where it comes from."""

import inspect
import re

import pytest

from kshim import callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers

MODULES = (callbacks, constraints, initializers, layers, losses, metrics, optimizers, regularizers)
CLASSES = sorted(
    {
        thing
        for module in MODULES
        for thing in vars(module).values()
        if inspect.isclass(thing) and thing.__module__.startswith("kshim.") and not thing.__name__.startswith("_")
        and not thing.__module__.startswith("kshim.legacy")
    },
    key=lambda thing: (thing.__module__, thing.__name__),
)  # fmt: skip


def documented(cls):
    """The docstrings of a class and of its bases, to which it may leave what they say, and of the modules."""
    return "\n".join(inspect.getdoc(base) or "" for base in cls.__mro__ if base.__module__.startswith("kshim."))


def missing_arguments(cls):
    """Constructor arguments that no docstring names; ``bias_`` ones, or ``_regularizer``, may be told together."""
    text = documented(cls)
    names = [p.name for p in inspect.signature(cls.__init__).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    shared, endings = set(re.findall(r"``([a-z]\w*_)``", text)), tuple(re.findall(r"``(_[a-z]\w*)``", text))
    return [
        name
        for name in names[1:]
        if not re.search(rf"\b{name}\b", text) and not name.startswith(tuple(shared)) and not name.endswith(endings)
    ]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_arguments_are_named(cls):
    assert not missing_arguments(cls)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_source_is_told(cls):
    assert "Source" in documented(cls) + (inspect.getmodule(cls).__doc__ or "")

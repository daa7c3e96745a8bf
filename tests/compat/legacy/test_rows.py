"""The tables of ``kshim/legacy`` test themselves: what a row names exists today."""

import importlib
import inspect

import pytest

import kshim
from kshim.callbacks import base as callbacks
from kshim.core import configurable, settings
from kshim.legacy import arguments, markers, modules, names, translate

ROWS = [(key, index, row) for key, rows in arguments.ROWS.items() for index, row in enumerate(rows)]
every = pytest.mark.parametrize(("key", "row"), [pytest.param(k, r, id=f"{k}-{i}") for k, i, r in ROWS])


def found(key):
    """``(what is called, its arguments today, those its bases take)`` of a key."""
    module, *rest = key.split(".")
    thing = importlib.import_module(f"kshim.{module}")
    for name in rest:
        thing = getattr(thing, name)
    if inspect.isclass(thing):
        return thing, configurable.argument_names(thing.__mro__)
    return thing, list(inspect.signature(thing).parameters)


@every
def test_what_it_names_exists(key, row):
    thing, today = found(key)
    if key == "models.Model":
        today = ["inputs", "outputs", "name"]
    if key == "callbacks.LambdaCallback":
        today = [*today, "on_batch_begin", "on_batch_end"]  # through its **kwargs
    old = {*row.renamed, *row.gone, *(name for joined in row.joined.values() for name in joined.names)}
    for others in arguments.ROWS[key]:
        old |= {*others.renamed, *others.gone}
    for base in thing.__mro__ if inspect.isclass(thing) else ():
        for others in arguments.ROWS.get(translate.key_of(base) or "", ()):
            old |= {*others.renamed, *others.gone, *(n for joined in others.joined.values() for n in joined.names)}
    if key.startswith("models.Sequential."):
        for others in arguments.ROWS.get(key.replace("Sequential", "Model"), ()):
            old |= {*others.renamed, *others.gone}
    for name in [*row.renamed.values(), *row.joined, *row.twice.values(), *row.values, *row.defaults]:
        assert name in today, f"{key} has no argument {name} today"
    for name in row.positions:
        assert name in today or name in old, f"{key}: position {name} is neither of today nor renamed"


@every
def test_its_range_is_in_order(key, row):
    versions = settings.VERSIONS
    since, until = row.since or versions[0], row.until or versions[-1]
    assert versions.index(since) <= versions.index(until)
    if (row.positions and row.when is None) or row.defaults:
        assert row.since or row.until, "what means different things needs a range"


def test_no_class_is_renamed_to_itself():
    for key, _, row in ROWS:
        assert all(old != new for old, new in row.renamed.items()), key


def test_names_exist():
    for place, aliases in names.ALIASES.items():
        module = importlib.import_module(f"kshim.{place}")
        for old, new in aliases.items():
            assert getattr(module, old) is getattr(module, new)
    for place, functions in names.BY_DIALECT.items():
        for name in functions:
            assert hasattr(importlib.import_module(f"kshim.{place}"), name)
    for cls, aliases in names.ATTRIBUTES.items():
        assert all(isinstance(getattr(cls, new), property) for new in aliases.values())


def test_twins_are_filled():
    assert callbacks.TWINS["acc"] == "accuracy"
    logs = callbacks.Logs(accuracy=0.5, val_accuracy=0.25)
    assert logs["acc"] == 0.5 and logs["val_acc"] == 0.25


@pytest.mark.parametrize("path", modules.MODULES)
def test_modules_exist(path):
    for name in modules.MODULES[path]:
        importlib.import_module(name)
    parent = path.rpartition(".")[0]
    assert not parent or parent in modules.MODULES


def test_every_dialect_has_its_versions():
    assert tuple(modules.VERSIONS) == settings.VERSIONS
    dialects = {*markers.PATHS, *markers.KEYWORDS, *markers.METHODS, *markers.STRINGS}
    assert dialects <= {*settings.VERSIONS}


def test_modern_code_runs_without_the_hooks():
    translate.detach()
    try:
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'units'"):
            kshim.layers.Dense(output_dim=3)
        assert kshim.layers.Dense(3).units == 3
    finally:
        translate.attach()

"""The tables of ``kshim/legacy`` test themselves: what a row names exists today."""

import importlib
import inspect

import pytest

import kshim
from kshim.callbacks import base as callbacks
from kshim.core import configurable, settings
from kshim.legacy import arguments, markers, modules, names, translate

ROWS = [(key, index, row) for key, rows in arguments.ROWS.items() for index, row in enumerate(rows)]
IN_MODULES = {"preprocessing.Tokenizer": "text"}  # classes that their folder does not hand out
every = pytest.mark.parametrize(("key", "row"), [pytest.param(k, r, id=f"{k}-{i}") for k, i, r in ROWS])


def found(key):
    """``(what is called, its arguments today, those its bases take)`` of a key."""
    module, *rest = key.split(".")
    thing = importlib.import_module(f"kshim.{module}")
    if key in IN_MODULES:
        thing = importlib.import_module(f"kshim.{module}.{IN_MODULES[key]}")
    for name in rest:
        thing = getattr(thing, name)
    if inspect.isclass(thing):
        return thing, configurable.argument_names(thing.__mro__)
    return thing, list(inspect.signature(thing).parameters)


def old_names(row):
    """The names of today's past that a row knows."""
    return {*row.renamed, *row.shared, *row.gone, *(name for joined in row.joined.values() for name in joined.names)}


@every
def test_what_it_names_exists(key, row):
    thing, today = found(key)
    if key == "models.Model":
        today = ["inputs", "outputs", "name"]
    if key == "callbacks.LambdaCallback":
        today = [*today, "on_batch_begin", "on_batch_end"]  # through its **kwargs
    if key in ("layers.LSTM", "layers.GRU"):
        today = [*today, "implementation"]  # through its **kwargs
    if key == "optimizers.LossScaleOptimizer":
        today = [*today, "dynamic"]  # through its **kwargs
    keys = [key, key.replace("Sequential", "Model")]
    keys += [translate.key_of(base) or "" for base in thing.__mro__] if inspect.isclass(thing) else []
    old = {name for one in keys for others in arguments.ROWS.get(one, ()) for name in old_names(others)}
    shared = [name for names in row.shared.values() for name in names]
    for name in [*row.renamed.values(), *shared, *row.joined, *row.twice.values(), *row.values, *row.defaults]:
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
    for place, things in names.GONE.items():
        module = importlib.import_module(f"kshim.{place}")
        assert all(getattr(module, thing.__name__) is thing for thing in things)
        assert not {thing.__name__ for thing in things} & {*getattr(module, "__all__", ())}


SHAPES = {"Conv1D": (None, 9, 3), "Conv2D": (None, 9, 9, 3), "Conv3D": (None, 9, 9, 9, 3)}
FIRST = {"Layer": (), "Embedding": (4, 2), "Conv1D": (2, 3), "Conv2D": (2, 3), "Conv3D": (2, 3), "Dense": (2,),
         "Dropout": (0.5,), "GaussianDropout": (0.5,), "GaussianNoise": (0.5,)}  # fmt: skip


@pytest.mark.parametrize("cls", names.ATTRIBUTES, ids=lambda cls: cls.__name__)
def test_attributes_are_those_of_today(cls):
    if cls is kshim.optimizers.Optimizer:
        assert all(isinstance(getattr(cls, new), property) for new in names.ATTRIBUTES[cls].values())
        return
    layer = cls(*FIRST.get(cls.__name__, ()))
    if not layer.built:
        layer.build(SHAPES.get(cls.__name__, (None, 3)))
    for old, new in names.ATTRIBUTES[cls].items():
        assert getattr(layer, old) is getattr(layer, new)


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

"""What ``summary()`` prints, beside the real Keras 3 and the stored texts of 1.2.2 and 2.3.1."""

import pathlib
import sys
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import kshim
from kshim.core import names

ORACLE = pathlib.Path(__file__).parent / "oracle"


# -- models; k is kshim or Keras -----------------------------------------------------------------------------------


def built(k):
    return k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.Dropout(0.5), k.layers.Dense(2, name="out")])


def unbuilt(k):
    return k.Sequential([k.layers.Dense(3), k.layers.Activation("relu"), k.layers.Dropout(0.1)])


def built_later(k):
    model = k.Sequential([k.layers.Dense(300), k.layers.Dense(1000)], name="later")
    model.build((None, 2000))
    return model


def empty(k):
    return k.Sequential()


def unknown_axes(k):
    return k.Sequential([k.Input((None, None, 4), batch_size=8), k.layers.Dense(3)])


def straight(k):
    x = k.Input((2, 3))
    y = k.layers.Flatten()(x)
    return k.Model(x, [y, k.layers.Dense(2)(y)])


def branches(k):
    x = k.Input((4,), name="x")
    left, right = k.layers.Dense(4, activation="relu")(x), k.layers.Dense(4, use_bias=False)(x)
    y = k.layers.Concatenate()([k.layers.Add()([left, right]), x])
    return k.Model(x, k.layers.Dense(1)(y), name="branches")


def shared(k):
    a, b, dense = k.Input((4,), name="a"), k.Input((4,), name="b"), k.layers.Dense(4)
    return k.Model([a, b], [dense(a), k.layers.Dense(2)(dense(dense(b)))])


def shared_in_a_line(k):
    x, dense = k.Input((4,)), k.layers.Dense(4)
    return k.Model(x, dense(k.layers.Activation("relu")(dense(x))))


def shared_at_two_depths(k):
    """A layer is as deep as its deepest call, and so is what it is called on."""
    a, b, dense = k.Input((4,)), k.Input((4,)), k.layers.Dense(4)
    first = k.layers.Dense(4, name="early")(a)
    long = k.layers.Dense(4)(k.layers.Dense(4)(dense(k.layers.Dense(4, name="late")(b))))
    return k.Model([a, b], [dense(first), long])


def shared_with_another_model(k):
    """Calls are counted over all graphs, and only this graph's are shown."""
    x, dense = k.Input((4,)), k.layers.Dense(4)
    k.Model(x, dense(x))
    y = k.Input((4,))
    return k.Model(y, k.layers.Add()([dense(y), y]))


def unused_input(k):
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    return k.Model({"a": a, "b": b}, k.layers.Dense(4)(a))


def many_outputs(k):
    class Split(k.layers.Layer):
        def call(self, inputs):
            return {"low": inputs[:, :2], "rest": (inputs[:, 2:3], inputs[:, 3:])}

    x = k.Input((4,))
    parts = Split()(x)
    return k.Model(x, k.layers.Concatenate()([parts["rest"][1], parts["low"], parts["rest"][0]]))


def operations(k):
    x = k.Input((4,))
    y = k.layers.Dense(4)(x)
    add, relu = (torch.add, torch.relu) if k is kshim else (k.ops.add, k.ops.relu)
    return k.Model(x, relu(add(relu(y), x)))


def nested(k):
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(4, name="deep")], name="inner")
    x = k.Input((4,))
    middle = k.Model(x, k.layers.Add()([inner(x), k.layers.Dense(4)(x)]), name="middle")
    return k.Sequential([k.Input((4,)), middle, k.layers.Dense(1)])


def nested_twice(k):
    inner = k.Sequential([k.layers.Dense(4), k.layers.Dropout(0.1)])
    a, b = k.Input((4,)), k.Input((4,))
    return k.Model([a, b], k.layers.Add()([inner(a), inner(b)]), name="outer")


def long_names(k):
    name = "a_layer_whose_name_is_much_longer_than_the_column_that_it_has_to_fit_into"
    x = k.Input((100, 200, 300, 400), name="an_input")
    y = k.layers.Dense(3, name=name)(x)
    z = k.layers.Add(name="words in a name that are broken where there is a space")([y, y])
    return k.Model(x, z, name="model_" * 40)


def frozen(k):
    model = built(k)
    model.layers[0].trainable = False
    return model


def all_frozen(k):
    model = branches(k)
    model.trainable = False
    return model


def compiled(k):
    model = branches(k)
    model.compile("adam", "mse")
    return model


def trained(k, optimizer="adam"):
    model = branches(k)
    model.compile(optimizer, "mse")
    model.fit(np.ones((8, 4), "float32"), np.ones((8, 1), "float32"), verbose=0)
    return model


def trained_by_sgd(k):
    return trained(k, "sgd")


def half(k):
    return k.Sequential([k.Input((4,)), k.layers.Dense(3, dtype="float16"), k.layers.Dense(1, dtype="float64")])


def subclassed(k):
    class Own(k.Model):
        def __init__(self):
            super().__init__()
            self.one, self.two = k.layers.Dense(3), k.layers.Dense(2)
            self.drop = k.layers.Dropout(0.1)

        def call(self, inputs):
            return self.two(self.drop(self.one(inputs)))

    return Own()


class Case(NamedTuple):
    make: Any
    arguments: dict = MappingProxyType({})
    screen: str = "80"

    @property
    def name(self):
        return "-".join([self.make.__name__, *map(str, self.arguments.values()), self.screen])


MODELS = (
    built, unbuilt, built_later, empty, unknown_axes, straight, branches, shared, shared_in_a_line,
    shared_at_two_depths, shared_with_another_model, unused_input, many_outputs, operations, nested, nested_twice,
    long_names, frozen, all_frozen, compiled, trained, trained_by_sgd, half, subclassed,
)  # fmt: skip

CASES = [
    *(Case(make, {}, screen) for make in MODELS for screen in ("80", "200")),
    *(Case(make, {"expand_nested": True, "show_trainable": True}) for make in MODELS),
    *(Case(make, {"line_length": n}, "100") for make in (built, branches, long_names) for n in (23, 40, 61, 99, 140)),
    *(Case(make, {"line_length": 77, "show_trainable": True}) for make in (built, branches)),
    Case(built, {"positions": [0.2, 0.5, 0.6]}),
    Case(built, {"positions": [0.3, 0.6, 0.7, 1.0]}),
    Case(built, {"positions": [20, 40, 60]}),
    Case(branches, {"positions": [0.6, 0.7, 0.8, 0.9]}, "120"),
    Case(branches, {"positions": [0.1, 0.2, 0.3, 0.4], "show_trainable": True}, "120"),
    Case(branches, {}, "40"),
    Case(branches, {"layer_range": ["dense", "add"]}),
    Case(branches, {"layer_range": ("concat.*", "dense_1")}),
    Case(branches, {"layer_range": [".*_1", ".*"]}),
    Case(nested, {"layer_range": ["middle", "middle"], "expand_nested": True}),
    Case(operations, {"layer_range": ["relu", "relu"]}),
]


def fresh(k, make):
    """The model of ``make``, names counted from 0."""
    if k is kshim:
        names.reset()
    else:
        k.utils.clear_session()
    return make(k)


every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every
def test_text_is_keras(case, keras3, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", case.screen)
    texts = []
    for k in (keras3, kshim):
        fresh(k, case.make).summary(**case.arguments)
        texts.append(capsys.readouterr().out)
    assert texts[1] == texts[0]


@pytest.mark.parametrize("make", [built, branches, long_names], ids=lambda make: make.__name__)
def test_print_fn_gets_what_keras_gives_it(make, keras3, capsys):
    calls = {keras3: [], kshim: []}
    for k, texts in calls.items():
        fresh(k, make).summary(print_fn=texts.append)
    assert capsys.readouterr().out == ""
    assert calls[kshim] == calls[keras3]
    assert len(calls[kshim]) == 1


@pytest.mark.parametrize("width", [*range(8, 24), 30, 47])
@pytest.mark.parametrize("make", [built, branches], ids=lambda make: make.__name__)
def test_narrow_tables_are_keras(make, width, keras3, capsys):
    results = []
    for k in (keras3, kshim):
        model = fresh(k, make)
        try:
            model.summary(line_length=width)
            results.append(capsys.readouterr().out)
        except ValueError as error:
            results.append(str(error).partition(" ")[0])
    assert results[1] == results[0]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
def test_encodings_are_keras(encoding, keras3, monkeypatch):
    class Output:
        def __init__(self):
            self.text, self.encoding = "", encoding

        def write(self, text):
            text.encode(encoding)
            self.text += text

        def flush(self):
            pass

    texts = []
    for k in (keras3, kshim):
        model, output = fresh(k, branches), Output()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", output)
            model.summary()
        texts.append(output.text)
    assert texts[1] == texts[0]


ENVIRONMENTS = [
    {"FORCE_COLOR": "1", "TERM": "xterm-256color"},
    {"FORCE_COLOR": "1", "TERM": "xterm"},
    {"FORCE_COLOR": "1", "TERM": "xterm", "COLORTERM": "truecolor"},
    {"FORCE_COLOR": "1", "TERM": "xterm", "NO_COLOR": "1"},
    {"FORCE_COLOR": "1", "TERM": "dumb"},
    {"FORCE_COLOR": "", "TERM": "xterm"},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda environment: "-".join(environment.values()))
@pytest.mark.parametrize("make", [frozen, long_names], ids=lambda make: make.__name__)
def test_colours_are_keras(make, environment, keras3, capsys, monkeypatch):
    for name in ("COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    texts = []
    for k in (keras3, kshim):
        fresh(k, make).summary(show_trainable=True)
        # rich says the bold code anew for each part of a bold text.
        texts.append(capsys.readouterr().out.replace("\x1b[0m\x1b[1m", ""))
    assert texts[1] == texts[0]


# -- without Keras -------------------------------------------------------------------------------------------------

GOLDEN = """\
"""


def test_golden(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    fresh(kshim, trained).summary(show_trainable=True, line_length=76)
    assert capsys.readouterr().out == GOLDEN

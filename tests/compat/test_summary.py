"""What ``summary()`` prints, beside the real Keras 3 and the stored texts of 1.2.2 and 2.3.1."""

import pathlib
import re
import sys
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import kshim
from kshim.core import names, progress, settings

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


def mixed_dtypes(k):
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


def operators(k):
    x = k.Input((4,))
    return k.Model(x, (x + 1) * x)


def unbuilt_flatten(k):
    return k.Sequential([k.layers.Flatten()])


def model_after_a_late_stack(k):
    """The graph inside a Sequential takes an automatic name in Keras."""
    built_later(k)
    return k.Model(*[k.Input((4,))] * 2)


MODELS = (
    built, unbuilt, built_later, empty, unknown_axes, straight, branches, shared, shared_in_a_line,
    shared_at_two_depths, shared_with_another_model, unused_input, many_outputs, operations, nested, nested_twice,
    long_names, frozen, all_frozen, compiled, trained, trained_by_sgd, mixed_dtypes, subclassed,
    operators, unbuilt_flatten, model_after_a_late_stack,
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
        k.utils.clear_session(free_memory=False)
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
    style = pytest.importorskip("rich.style").Style  # keeps the codes of the first terminal it draws for
    style.parse.cache_clear()
    style._add.cache_clear()
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


# -- where the texts differ ----------------------------------------------------------------------------------------


def called_on_data(k):
    model = k.Sequential([k.layers.Dense(3)])
    model(np.ones((2, 4), "float32"))
    return model


def subclass_called_on_data(k):
    model = subclassed(k)
    model(np.ones((2, 4), "float32"))
    return model


def of_a_middle_tensor(k):
    y = k.layers.Dense(4)(k.Input((4,)))
    return k.Model(y, k.layers.Dense(2)(y))


DIFFERENT = [
    (called_on_data, "kshim builds a Sequential for any batch size, Keras for that of the first batch"),
    (subclass_called_on_data, "layers do not keep the shape they were built with"),
    (of_a_middle_tensor, "Keras copies the graph and names the new input keras_tensor_1CLONE"),
]


@pytest.mark.parametrize(
    "make", [pytest.param(make, marks=pytest.mark.xfail(reason=why, strict=True)) for make, why in DIFFERENT]
)
def test_difference_to_keras(make, keras3, capsys):
    texts = []
    for k in (keras3, kshim):
        fresh(k, make).summary()
        texts.append(capsys.readouterr().out)
    assert texts[1] == texts[0]


# -- without Keras -------------------------------------------------------------------------------------------------

GOLDEN = """\
Model: "branches"
┏━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━┓
┃ Layer (type)      ┃ Output Shape    ┃   Param # ┃ Connected to   ┃ Trai… ┃
┡━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━┩
│ x (InputLayer)    │ (None, 4)       │         0 │ -              │   -   │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ dense (Dense)     │ (None, 4)       │        20 │ x[0][0]        │   Y   │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ dense_1 (Dense)   │ (None, 4)       │        16 │ x[0][0]        │   Y   │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ add (Add)         │ (None, 4)       │         0 │ dense[0][0],   │   -   │
│                   │                 │           │ dense_1[0][0]  │       │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ concatenate       │ (None, 8)       │         0 │ add[0][0],     │   -   │
│ (Concatenate)     │                 │           │ x[0][0]        │       │
├───────────────────┼─────────────────┼───────────┼────────────────┼───────┤
│ dense_2 (Dense)   │ (None, 1)       │         9 │ concatenate[0… │   Y   │
└───────────────────┴─────────────────┴───────────┴────────────────┴───────┘
 Total params: 137 (548.00 B)
 Trainable params: 45 (180.00 B)
 Non-trainable params: 0 (0.00 B)
 Optimizer params: 92 (368.00 B)
"""


def test_golden(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    fresh(kshim, trained).summary(show_trainable=True)
    assert capsys.readouterr().out == GOLDEN


def test_plain_modules_are_rows(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    x = kshim.Input((4,), name="x")
    linear, norm = torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)
    linear.weight.requires_grad_(False)
    fresh(kshim, lambda k: k.Model(x, norm(linear(linear(x))))).summary(show_trainable=True, line_length=110)
    lines = capsys.readouterr().out.splitlines()
    rows = [re.sub(r"\s+", " ", line) for line in lines if "1d" in line or "inear" in line]
    assert re.match(r"│ linear\w* \(Linear\) │ \(None, 4\) │ 20 │ x\[0\]\[0\],", rows[0])
    assert re.search(r"│ linear\w*\[1\]\[0\] │ Y │", rows[-1])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (["dense"], "layer_range must be a list or tuple of length 2, .* Received: layer_range = .* of length 1"),
        ([0, 1], "layer_range should contain string type only. Received: "),
        (["dense", "dnse_1"], "do not match .* Received: .* Did you mean 'dense_1'"),
        (["nothing", "add"], "do not match the layer names in the model: expected .*'concatenate'.* Received: "),
    ],
)
def test_wrong_layer_range(bad, message):
    with pytest.raises(ValueError, match=message):
        fresh(kshim, branches).summary(layer_range=bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"line_length": 9}, "Insufficient console width to print summary.* Received: "),
        ({"positions": [0.5, 0.4, 0.9]}, "Insufficient console width to print summary.* Received: "),
        ({"positions": [0.5, 1.0]}, "`positions`: expected 3 ends of columns. Received: 2 positions"),
    ],
)
def test_wrong_widths(arguments, message):
    with pytest.raises(ValueError, match=message):
        fresh(kshim, built).summary(**arguments)


def test_it_is_logged_where_that_was_chosen(caplog, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    progress.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", "kshim"):
            fresh(kshim, built).summary()
    finally:
        progress.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    assert caplog.messages[0].startswith('Model: "sequential"\n┏')


# -- the dialects of Keras 1 and 2 ---------------------------------------------------------------------------------


@pytest.fixture(params=["1.2.2", "2.3.1"])
def old(request):
    """An old dialect and its stored texts."""
    before = settings.dialect()
    settings.set_dialect(request.param)
    with np.load(ORACLE / f"keras-{request.param}.npz") as stored:
        yield request.param, {key: str(stored[f"training/summary_{key}"]) for key in ("sequential", "functional")}
    settings.set_dialect(before)


class Merge(kshim.layers.Concatenate):
    """What the layer behind ``merge()`` was called in Keras 1."""


def old_models(dialect):
    layers, Input = kshim.layers, kshim.Input
    stack = [Input((5,), name="dense_input_1"), layers.Dense(4, name="dense_1"), layers.Dense(3, name="dense_2")]
    first, second, shared = Input((5,), name="first"), Input((5,), name="second"), layers.Dense(4, name="shared")
    a, b = shared(first), shared(second)
    merge = Merge(name="merge_1") if dialect == "1.2.2" else layers.Concatenate(name="concatenate_1")
    outputs = [layers.Dense(3, name="both")(merge([a, b])), layers.Dense(2, name="single")(b)]
    return {
        "sequential": kshim.Sequential(stack, name="sequential_1"),
        "functional": kshim.Model([first, second], outputs, name="model_1"),
    }


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_old_text_is_old_keras(kind, old, capsys):
    dialect, texts = old
    old_models(dialect)[kind].summary()
    assert capsys.readouterr().out == texts[kind]


def test_old_print_fn_gets_each_line(old):
    dialect, texts = old
    lines = []
    old_models(dialect)["functional"].summary(print_fn=lines.append)
    assert lines == texts["functional"].splitlines()


def test_old_rows():
    """A layer with several output shapes, a nested model's calls, and a name too long, as Keras 2.3.1 shows them."""
    before = settings.dialect()
    settings.set_dialect("2.3.1")
    try:
        a, b, dense = kshim.Input((4,), name="a"), kshim.Input((3, 4), name="b"), kshim.layers.Dense(4, name="dense")
        inner = kshim.Model(a, dense(a), name="inner")
        last = kshim.layers.Dense(4, name="a_name_that_is_too_long_for_its_column")(inner(a))
        lines = []
        kshim.Model([a, b], [dense(b), last], name="outer").summary(print_fn=lines.append)
    finally:
        settings.set_dialect(before)
    assert [line for line in lines if line[0] not in "_="] == [
        'Model: "outer"',
        "Layer (type)                    Output Shape         Param #     Connected to                     ",
        "a (InputLayer)                  (None, 4)            0                                            ",
        "b (InputLayer)                  (None, 3, 4)         0                                            ",
        "inner (Model)                   (None, 4)            20          a[0][0]                          ",
        "dense (Dense)                   multiple             20          b[0][0]                          ",
        "a_name_that_is_too_long_for_its (None, 4)            20          inner[1][0]                      ",
        "Total params: 40",
        "Trainable params: 40",
        "Non-trainable params: 0",
    ]


def test_old_summary_needs_a_built_model(old):
    with pytest.raises(ValueError, match=r"This model has not yet been built.*Received: built=False"):
        kshim.Sequential([kshim.layers.Dense(3)]).summary()

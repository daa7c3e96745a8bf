"""What the real Keras 1.2.2 and 2.3.1 computed (``oracle/``): kshim computes the same in their dialects.

A row that does not agree stands in ``DIFFERENT`` with the reason; one that agrees by now fails there, so the list
only gets shorter.
"""

import functools
import json
import pathlib
import re
import sys

import numpy as np
import pytest
import torch
from cases import array, assert_close

import kshim
from kshim.core import names, settings
from kshim.legacy import weights as old_weights

ORACLE = pathlib.Path(__file__).parent / "oracle"
VERSIONS = ("1.2.2", "2.3.1")
sys.path.insert(0, str(ORACLE))
import layer_rows  # noqa: E402 # the calls that make_goldens.py ran in the real Keras

# "version row" (a regular expression) -> why it does not agree.
DIFFERENT: dict[str, str] = {}


@functools.cache
def goldens(version):
    """The arrays of one generation, by key."""
    with np.load(ORACLE / f"keras-{version}.npz") as stored:
        return dict(stored)


def rows(group, depth=2):
    """``(version, row)`` of all rows of a group, those of ``DIFFERENT`` marked as such."""
    found = {
        (version, "/".join(key.split("/")[1:depth]))
        for version in VERSIONS
        for key in goldens(version)
        if key.startswith(group + "/") and not key.endswith("_raced")
    }
    for version, row in sorted(found):
        name = f"{version} {group}/{row}"
        why = next((why for pattern, why in DIFFERENT.items() if re.fullmatch(pattern, name)), None)
        marks = [pytest.mark.xfail(strict=True, reason=why)] if why else []
        yield pytest.param(version, row, marks=marks, id=name)


def over(group, depth=2):
    return pytest.mark.parametrize(("version", "row"), list(rows(group, depth)))


@pytest.fixture(autouse=True)
def dialect(request):
    """The generation's own meaning of calls, and its numbering of names from the start."""
    before = settings.dialect()
    settings.set_dialect(request.getfixturevalue("version") if "version" in request.fixturenames else before)
    names.reset()
    yield
    settings.set_dialect(before)


def part(version, prefix):
    """The arrays ``prefix/0``, ``prefix/1``, ..."""
    found = goldens(version)
    return [found[f"{prefix}/{i}"] for i in range(len(found)) if f"{prefix}/{i}" in found]


# ---------- layers


def twice_plus_one(x):
    return x * 2 + 1


def mlp(last="softmax"):
    return kshim.Sequential(
        [kshim.layers.Dense(4, activation="tanh", input_shape=(5,)), kshim.layers.Dense(3, activation=last)]
    )


def two_in_two_out():
    first, second = kshim.Input(shape=(5,), name="first"), kshim.Input(shape=(5,), name="second")
    shared = kshim.layers.Dense(4, activation="tanh", name="shared")
    a, b = shared(first), shared(second)
    both = kshim.layers.Dense(3, name="both")(kshim.layers.Concatenate()([a, b]))
    return kshim.Model([first, second], [both, kshim.layers.Dense(2, activation="sigmoid", name="single")(b)])


LAYERS = {
    "dense": lambda: kshim.layers.Dense(4),
    "dense_relu": lambda: kshim.layers.Dense(4, activation="relu"),
    "dense_no_bias": lambda: kshim.layers.Dense(4, use_bias=False),
    "dense_3d": lambda: kshim.layers.Dense(4),
    "flatten": lambda: kshim.layers.Flatten(),
    "reshape": lambda: kshim.layers.Reshape((10, 2)),
    "reshape_unknown": lambda: kshim.layers.Reshape((-1, 2)),
    "permute": lambda: kshim.layers.Permute((3, 1, 2)),
    "repeat_vector": lambda: kshim.layers.RepeatVector(3),
    "masking": lambda: kshim.layers.Masking(mask_value=0.0),
    "dropout": lambda: kshim.layers.Dropout(0.5),
    "lambda": lambda: kshim.layers.Lambda(twice_plus_one),
    "mlp": mlp,
    "two_in_two_out": two_in_two_out,
}


def layer_of(version, row):
    """The layer of a row: by name, as its generation wrote it, an activation, or a merge of so many inputs."""
    if row in LAYERS:
        return LAYERS[row]()
    written = layer_rows.rows(kshim, version)
    if row in written:
        return written[row][0]()
    kind, _, rest = row.partition("_")
    return kshim.layers.Activation(rest) if kind == "activation" else getattr(kshim.layers, kind.capitalize())()


def one_or_list(items):
    return items[0] if len(items) == 1 else items


@over("layer")
def test_layer(version, row):
    prefix = f"layer/{row}"
    layer, weights = layer_of(version, row), part(version, f"{prefix}/weight")
    inputs = [torch.tensor(x, requires_grad=True) for x in part(version, f"{prefix}/input")]
    layer(one_or_list(inputs))
    weights = as_today(version, layer, weights)
    assert [w.shape for w in layer.get_weights()] == [w.shape for w in weights]
    layer.set_weights(weights)
    outputs = as_list(layer(one_or_list(inputs)))
    for got, expected in zip(outputs, part(version, f"{prefix}/output"), strict=True):
        assert_close(got, expected)
    total = sum((y * torch.tensor(c)).sum() for y, c in zip(outputs, part(version, f"{prefix}/cotangent"), strict=True))
    leaves = [*inputs, *layer.trainable_weights]
    found = torch.autograd.grad(total, leaves, allow_unused=True)
    expected = part(version, f"{prefix}/grad_input")
    expected += as_today(version, layer, part(version, f"{prefix}/grad_weight"))
    for leaf, gradient, golden in zip(leaves, found, expected, strict=True):
        assert_close(torch.zeros_like(leaf) if gradient is None else gradient, golden)
    if f"{prefix}/mask/0" in goldens(version):
        assert np.array_equal(array(outputs[0]._keras_mask), goldens(version)[f"{prefix}/mask/0"].astype(bool))
    if f"{prefix}/trained_output/0" in goldens(version):
        trained = as_list(layer(one_or_list(inputs), training=True))
        for got, golden in zip(trained, part(version, f"{prefix}/trained_output"), strict=True):
            assert_close(got, golden)
        for got, golden in zip(layer.get_weights(), part(version, f"{prefix}/trained_weight"), strict=True):
            assert_close(got, golden)


def as_today(version, layer, arrays):
    return old_weights.today(layer, arrays) if version == "1.2.2" else arrays


def as_list(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


# ---------- losses, metrics


def on_case(version, row, module):
    """The function of ``module`` on the case, its targets and predictions."""
    name, case = row.split("/")
    y_pred = torch.tensor(goldens(version)[f"targets/{case}/y_pred"], requires_grad=True)
    y_true = goldens(version)[f"targets/{case}/{'classes' if name.startswith('sparse') else 'one_hot'}"]
    return getattr(module, name)(torch.tensor(y_true), y_pred), y_pred


@over("loss", 3)
def test_loss(version, row):
    value, y_pred = on_case(version, row, kshim.losses)
    assert_close(value, goldens(version)[f"loss/{row}/value"])
    value.sum().backward()
    assert_close(y_pred.grad, goldens(version)[f"loss/{row}/grad"])


@over("metric", 3)
def test_metric(version, row):
    value, _ = on_case(version, row, kshim.metrics)
    # Scalars in Keras 1; 2.3.1 also takes the mean over the last axis where Keras 3 keeps each value.
    expected = goldens(version)[f"metric/{row}/value"]
    assert_close(value.mean(), expected.mean())


# ---------- initializers, regularizers, constraints

REGULARIZERS = {"l1": ("L1", (0.02,)), "l2": ("L2", (0.03,)), "l1_l2": ("L1L2", (0.02, 0.03))}
CONSTRAINTS = {"maxnorm": ("MaxNorm", (1.0,)), "unitnorm": ("UnitNorm", ()), "nonneg": ("NonNeg", ()),
               "minmax": ("MinMaxNorm", (0.5, 1.0)), "minmax_rate": ("MinMaxNorm", (0.5, 1.0, 0.25))}  # fmt: skip


@over("initializer", 3)
def test_initializer_draws_from_the_same_distribution(version, row):
    """Mean, spread and bounds of one draw: the numbers drawn are others, as the generators are."""
    name, shape = row.split("/")
    draw = array(kshim.initializers.get(name)(tuple(map(int, shape.split("x")))))
    mean, std, low, high = goldens(version)[f"initializer/{row}"]
    assert abs(draw.std() - std) <= 0.05 * std + 1e-6
    assert abs(draw.mean() - mean) <= 0.1 * std + 1e-6
    # Bounds are sharp for uniform draws; the largest of many normal ones varies.
    assert abs(draw.min() - low) <= 0.35 * std + 0.35 * abs(low - mean)
    assert abs(draw.max() - high) <= 0.35 * std + 0.35 * abs(high - mean)


@over("regularizer")
def test_regularizer(version, row):
    name, arguments = REGULARIZERS[row]
    value = getattr(kshim.regularizers, name)(*arguments)(torch.tensor(goldens(version)["weight"]))
    assert_close(value, goldens(version)[f"regularizer/{row}"])


@over("constraint")
def test_constraint(version, row):
    name, arguments = CONSTRAINTS[row]
    value = getattr(kshim.constraints, name)(*arguments)(torch.tensor(goldens(version)["weight"]))
    assert_close(value, goldens(version)[f"constraint/{row}"])


# ---------- optimizers, training

OPTIMIZERS = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd_momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "sgd_decay": ("SGD", {"lr": 0.1, "decay": 0.01}),
    "rmsprop": ("RMSprop", {"lr": 0.01}),
    "adam": ("Adam", {"lr": 0.01}),
    "adagrad": ("Adagrad", {"lr": 0.1}),
    "adadelta": ("Adadelta", {"lr": 1.0}),
    "adamax": ("Adamax", {"lr": 0.01}),
    "nadam": ("Nadam", {"lr": 0.01}),
}
LAST = {"mean_squared_error": "linear", "mean_absolute_error": "linear", "binary_crossentropy": "sigmoid",
        "categorical_crossentropy": "softmax", "sparse_categorical_crossentropy": "softmax"}  # fmt: skip


def optimizer(name):
    cls, arguments = OPTIMIZERS[name]
    return getattr(kshim.optimizers, cls)(**arguments)


@pytest.mark.parametrize(
    ("version", "row"),
    [p for p in rows("optimizer") if p.values[1] not in ("start", "gradients")],
)
def test_optimizer(version, row):
    stored = goldens(version)
    weight = kshim.Variable(torch.tensor(stored["optimizer/start"]))
    method = optimizer(row)
    method.build([weight])
    for gradient, expected in zip(stored["optimizer/gradients"], stored[f"optimizer/{row}/trajectory"], strict=True):
        method.apply([torch.tensor(gradient)], [weight])
        assert_close(weight, expected)


@pytest.mark.parametrize(("version", "row"), [p for p in rows("train") if p.values[1] not in ("x", "y", "initial")])
def test_twenty_steps(version, row):
    stored = goldens(version)
    name = next(name for name in sorted(OPTIMIZERS, key=len, reverse=True) if row.startswith(name))
    loss = row.removeprefix(name + "_")
    x, y = stored["train/x"], stored[f"train/y/{loss}"]
    model = mlp(LAST[loss])
    model.set_weights(part(version, "train/initial"))
    model.compile(optimizer=optimizer(name), loss=loss)
    for i, expected in enumerate(stored[f"train/{row}/loss"]):
        rows = slice(i * 8 % len(x), i * 8 % len(x) + 8)
        assert model.train_on_batch(x[rows], y[rows]) == pytest.approx(expected, rel=1e-4)
    for got, expected in zip(model.get_weights(), part(version, f"train/{row}/final"), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@over("training")
def test_training(version, row):
    """Two epochs of fit with a split: history, evaluate, predict; the texts are test_summary's and test_progress's."""
    stored = goldens(version)
    x, y = stored["train/x"], stored["train/y/categorical_crossentropy"]
    model = mlp()
    model.set_weights(part(version, "train/initial"))
    model.compile(optimizer=optimizer("sgd"), loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=6, epochs=2, validation_split=0.25, shuffle=False, verbose=0).history
    if row == "history":
        for key, expected in stored.items():
            if key.startswith("training/history/"):
                np.testing.assert_allclose(history[key.rpartition("/")[2]], expected, rtol=1e-5)
    elif row == "history_keys":
        assert sorted(history) == sorted(json.loads(str(stored["training/history_keys"])))
    elif row == "metrics_names":
        assert model.metrics_names == json.loads(str(stored["training/metrics_names"]))
    elif row == "evaluate":
        np.testing.assert_allclose(
            model.evaluate(x, y, batch_size=6, verbose=0), stored["training/evaluate"], rtol=1e-5
        )
    elif row == "predict":
        assert_close(model.predict(x, batch_size=6, verbose=0), stored["training/predict"])
    else:
        assert row in ("summary_sequential", "summary_functional", "fit_verbose_1", "fit_verbose_2")


def test_every_reason_has_a_row():
    found = {
        p.id
        for group, depth in (("layer", 2), ("loss", 3), ("optimizer", 2), ("initializer", 3))
        for p in rows(group, depth)
    }
    for pattern in DIFFERENT:
        assert any(re.fullmatch(pattern, name) for name in found), pattern


def test_every_key_is_looked_at():
    groups = {"layer", "targets", "loss", "metric", "initializer", "weight", "regularizer", "constraint", "optimizer",
              "train", "training", "meta"}  # fmt: skip
    assert {key.split("/")[0] for version in VERSIONS for key in goldens(version)} == groups

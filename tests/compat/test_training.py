"""compile, fit, evaluate, predict and their ``_on_batch`` forms, side by side with the real Keras 3."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

import kshim
import kshim.legacy  # noqa: F401 - the history's twins ("acc" for "accuracy") are its rows
from kshim.training.data import arrays

RNG = np.random.default_rng(5)
X = RNG.normal(size=(22, 4)).astype("float32")
X2 = RNG.normal(size=(22, 3)).astype("float32")
LABELS = RNG.integers(0, 3, 22)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
BINARY = (X[:, :1] > 0).astype("float32")
REAL = RNG.normal(size=(22, 2)).astype("float32")
WEIGHTS = RNG.uniform(0.2, 2, 22).astype("float32")


def classifier(keras, activation="softmax", units=3):
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(units, activation=activation)]
    )


def two_outputs(keras):
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    joined = keras.layers.Concatenate()([keras.layers.Dense(4, activation="relu")(a), b])
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(joined)
    size = keras.layers.Dense(2, name="size")(joined)
    return keras.Model([a, b], [kind, size])


def equal_weights(model, other):
    other.set_weights([np.asarray(w) for w in model.get_weights()])


def assert_same(mine, theirs, rtol=2e-5, atol=2e-6):
    """Numbers, arrays, and lists and dicts of them: same containers, same keys, same types of leaves, same values."""
    if isinstance(theirs, dict):
        assert list(mine) == list(theirs)
        for key in theirs:
            assert_same(mine[key], theirs[key], rtol, atol)
    elif isinstance(theirs, (list, tuple)):
        assert type(mine) is type(theirs)
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            assert_same(a, b, rtol, atol)
    else:
        assert type(mine) is type(theirs)
        if isinstance(theirs, np.ndarray):
            assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol)


def pair(keras3, make):
    """``make(keras)`` with kshim and with Keras 3, on the same weights, as ``[(keras, model), ...]``."""
    mine, theirs = make(kshim), make(keras3)
    equal_weights(theirs, mine)
    return [(kshim, mine), (keras3, theirs)]


def both(keras3, make, run):
    """``run(keras, model)`` on both: the results agree, and so do the weights after it."""
    results = []
    pairs = pair(keras3, make)
    for keras, model in pairs:
        results.append(run(keras, model))
    assert_same(*results)
    assert_same(*(model.get_weights() for _, model in pairs))
    return results[0]


# -- what compile takes --------------------------------------------------------------------------------------------


def total(y_true, y_pred):
    """A metric of one number for the batch."""
    return ((torch.as_tensor(y_true) - y_pred) ** 2).sum()


def per_sample(y_true, y_pred):
    return ((torch.as_tensor(y_true) - y_pred) ** 2).sum(-1)


def squared(y_true, y_pred):
    return ((torch.as_tensor(y_true) - y_pred) ** 2).mean(-1)


# name -> (model, compile's arguments made from a keras, y)
ONE_OUTPUT = {
    "loss only": (classifier, lambda k: {"loss": "mse"}, ONE_HOT),
    "accuracy, one-hot": (classifier, lambda k: {"loss": "categorical_crossentropy", "metrics": ["accuracy"]}, ONE_HOT),
    "acc, one-hot": (classifier, lambda k: {"loss": "categorical_crossentropy", "metrics": ["acc"]}, ONE_HOT),
    "acc, sparse": (classifier, lambda k: {"loss": "sparse_categorical_crossentropy", "metrics": ["acc"]}, LABELS),
    "acc, sparse column": (
        classifier,
        lambda k: {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
        LABELS[:, None].astype("int32"),
    ),
    "acc, float labels": (
        classifier,
        lambda k: {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
        LABELS.astype("float32"),
    ),
    "acc, binary": (
        lambda k: classifier(k, "sigmoid", 1),
        lambda k: {"loss": "binary_crossentropy", "metrics": ["acc", "mae"]},
        BINARY,
    ),
    "acc, binary, flat targets": (
        lambda k: classifier(k, "sigmoid", 1),
        lambda k: {"loss": "binary_crossentropy", "metrics": ["acc"]},
        BINARY[:, 0],
    ),
    "names of losses as metrics": (
        lambda k: classifier(k, None, 2),
        lambda k: {"loss": "mae", "metrics": ["mse", "mae", "MeanSquaredError", "mean_absolute_error"]},
        REAL,
    ),
    "a metric's name, not in a list": (classifier, lambda k: {"loss": "mse", "metrics": "accuracy"}, ONE_HOT),
    "functions": (
        lambda k: classifier(k, None, 2),
        lambda k: {"loss": "mse", "metrics": [total, per_sample, lambda t, p: (torch.as_tensor(t) - p).abs().mean()]},
        REAL,
    ),
    "keras' own functions": (
        lambda k: classifier(k, None, 2),
        lambda k: {"loss": k.losses.mean_squared_error, "metrics": [k.losses.mean_absolute_error]},
        REAL,
    ),
    "a loss function": (lambda k: classifier(k, None, 2), lambda k: {"loss": squared, "metrics": [squared]}, REAL),
    "a loss function of one number": (lambda k: classifier(k, None, 2), lambda k: {"loss": total}, REAL),
    "a Loss": (classifier, lambda k: {"loss": k.losses.CategoricalCrossentropy(label_smoothing=0.1)}, ONE_HOT),
    "a Loss that sums": (
        classifier,
        lambda k: {"loss": k.losses.CategoricalCrossentropy(reduction="sum"), "metrics": ["acc"]},
        ONE_HOT,
    ),
    "a Loss class": (classifier, lambda k: {"loss": k.losses.MeanSquaredError}, ONE_HOT),
    "from logits": (
        lambda k: classifier(k, None),
        lambda k: {"loss": k.losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]},
        LABELS,
    ),
    "Metric objects": (
        classifier,
        lambda k: {"loss": "mse", "metrics": [k.metrics.CategoricalAccuracy(name="hits"), k.metrics.BinaryAccuracy()]},
        ONE_HOT,
    ),
    "a list of lists": (classifier, lambda k: {"loss": "mse", "metrics": [["acc", "mae"]]}, ONE_HOT),
    "losses and metrics in lists": (classifier, lambda k: {"loss": ["mse"], "metrics": ["acc"]}, ONE_HOT),
    "a loss weight": (classifier, lambda k: {"loss": "mse", "loss_weights": [2.5]}, ONE_HOT),
    "a loss weight, no list": (classifier, lambda k: {"loss": "mse", "loss_weights": 0.5}, ONE_HOT),
}


def everything(x, y, fit=None, evaluate=None):
    """A run that says all there is: histories, evaluations, single batches, predictions."""
    fit = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, **(fit or {})}
    evaluate = {"batch_size": 8, "verbose": 0, **(evaluate or {})}
    batch_weight = fit.get("sample_weight")

    def run(keras, model):
        history = model.fit(x, y, **fit)
        assert isinstance(history, keras.callbacks.History)
        assert model.history is history
        return [
            dict(history.history), history.epoch, history.params,
            model.evaluate(x, y, **evaluate),
            model.evaluate(x, y, return_dict=True, **evaluate),
            model.train_on_batch(x, y, sample_weight=batch_weight),
            model.train_on_batch(x, y, sample_weight=batch_weight, return_dict=True),
            model.test_on_batch(x, y, sample_weight=batch_weight),
            model.test_on_batch(x, y, return_dict=True),
            model.predict(x, batch_size=8, verbose=0),
            model.predict(x, verbose=0, steps=1, batch_size=5),
            model.predict_on_batch(x),
        ]  # fmt: skip

    return run


@pytest.mark.parametrize("name", ONE_OUTPUT)
def test_one_output_is_keras(name, keras3):
    make, compiled, y = ONE_OUTPUT[name]

    def compiled_model(keras):
        model = make(keras)
        model.compile(optimizer="sgd", **compiled(keras))
        return model

    both(keras3, compiled_model, everything(X, y))


@pytest.mark.parametrize("name", ["accuracy, one-hot", "acc, sparse", "acc, binary", "functions", "a Loss that sums"])
@pytest.mark.parametrize("metrics", ["metrics", "weighted_metrics"])
def test_sample_weights_are_keras(name, metrics, keras3):
    make, compiled, y = ONE_OUTPUT[name]

    def compiled_model(keras):
        model = make(keras)
        arguments = compiled(keras)
        given = [m for m in arguments.pop("metrics", []) if m is not total]
        model.compile(optimizer="sgd", **arguments, **{metrics: given})
        return model

    both(keras3, compiled_model, everything(X, y, {"sample_weight": WEIGHTS}, {"sample_weight": WEIGHTS}))


TWO_OUTPUTS = {
    "one loss for both": lambda k: {"loss": "mse"},
    "list": lambda k: {"loss": ["categorical_crossentropy", "mse"]},
    "dict": lambda k: {"loss": {"size": "mse", "kind": "categorical_crossentropy"}},
    "weights list": lambda k: {"loss": ["categorical_crossentropy", "mse"], "loss_weights": [0.3, 2]},
    "weights dict": lambda k: {
        "loss": {"size": "mse", "kind": "categorical_crossentropy"}, "loss_weights": {"size": 0.5, "kind": 3.0}
    },
    "None in a list": lambda k: {"loss": [None, "mse"]},
    "None in a dict": lambda k: {"loss": {"kind": "categorical_crossentropy", "size": None}},
    "left out of a dict": lambda k: {"loss": {"kind": "categorical_crossentropy"}},
    "metrics, list of lists": lambda k: {"loss": "mse", "metrics": [["acc"], ["mae", "mse"]]},
    "metrics, a list for each": lambda k: {"loss": "mse", "metrics": ["acc", "mae"]},
    "metrics, dict": lambda k: {"loss": "mse", "metrics": {"size": "mae", "kind": ["acc", per_sample]}},
    "metrics, dict with one": lambda k: {"loss": "mse", "metrics": {"size": ["mae"]}},
    "metrics, None for one": lambda k: {"loss": "mse", "metrics": [["acc"], None]},
    "metric objects": lambda k: {"loss": "mse", "metrics": {"kind": k.metrics.CategoricalAccuracy(name="hits")}},
    "weighted metrics, dict": lambda k: {"loss": "mse", "weighted_metrics": {"size": ["mae"], "kind": ["acc"]}},
}  # fmt: skip


@pytest.mark.parametrize("name", TWO_OUTPUTS)
def test_two_outputs_are_keras(name, keras3):
    def compiled_model(keras):
        model = two_outputs(keras)
        model.compile(optimizer="sgd", **TWO_OUTPUTS[name](keras))
        return model

    both(keras3, compiled_model, everything([X, X2], [ONE_HOT, REAL]))

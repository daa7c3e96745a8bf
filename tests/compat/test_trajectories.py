"""Training from the same start on the same batches goes the same way as in the real Keras 3."""

import numpy as np
import pytest
import torch
from cases import assert_close, counting
from cases.optimizers import RULES
from cases.optimizers import optimizer as of_row

import kshim

STEPS, BATCH = 100, 16

OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.05}),
    "sgd_momentum": ("SGD", {"learning_rate": 0.02, "momentum": 0.9}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.002}),
    "adam": ("Adam", {"learning_rate": 0.002}),
    "adagrad": ("Adagrad", {"learning_rate": 0.02}),
}
# loss -> activation of the last layer, kind of targets
LOSSES = {
    "mse": ("linear", "values"),
    "mae": ("linear", "values"),
    "binary_crossentropy": ("sigmoid", "labels"),
    "categorical_crossentropy": ("softmax", "one_hot"),
    "sparse_categorical_crossentropy": ("softmax", "classes"),
}


def data(rows=64):
    """Inputs and every kind of targets."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(rows, 5)).astype("float32")
    values = np.stack([x[:, 0] * 2 + 0.3, x[:, 1] - x[:, 2], np.sin(x[:, 3])], 1).astype("float32")
    classes = np.argmax(values, 1)
    labels, one_hot = (values > 0.3).astype("float32"), np.eye(3, dtype="float32")[classes]
    return x, {"values": values, "labels": labels, "one_hot": one_hot, "classes": classes}


def mlp(k, last, **more):
    """A model of ``k`` with counting weights."""
    model = k.Sequential(
        [k.Input((5,)), k.layers.Dense(8, activation="tanh", **more), k.layers.Dense(3, activation=last)]
    )
    model.set_weights([counting(w.shape, 1.5) for w in model.get_weights()])
    return model


def optimizer(k, name):
    cls, arguments = OPTIMIZERS[name]
    return getattr(k.optimizers, cls)(**arguments)


def assert_same_weights(ours, theirs, tolerance=1e-4):
    for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance)


def same_history(ours, theirs, rel=1e-5):
    assert list(ours.history) == list(theirs.history)
    for key, expected in theirs.history.items():
        np.testing.assert_allclose(ours.history[key], expected, rtol=rel, err_msg=key)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_hundred_steps(name, loss, keras3):
    last, kind = LOSSES[loss]
    x, targets = data()
    models = [mlp(k, last) for k in (kshim, keras3)]
    for k, model in zip((kshim, keras3), models, strict=True):
        model.compile(optimizer(k, name), loss, metrics=["accuracy"])
    for step in range(STEPS):
        rows = slice(step * BATCH % len(x), step * BATCH % len(x) + BATCH)
        ours, theirs = (model.train_on_batch(x[rows], targets[kind][rows]) for model in models)
        if step < 10:
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert_same_weights(*models)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_hundred_steps_of_every_optimizer(name, keras3):
    x, targets = data()
    cls, arguments = RULES[name]
    models = [mlp(k, "linear") for k in (kshim, keras3)]
    for k, model in zip((kshim, keras3), models, strict=True):
        model.compile(of_row(cls, **arguments)(k), "mse")
    for step in range(STEPS):
        rows = slice(step * BATCH % len(x), step * BATCH % len(x) + BATCH)
        for model in models:
            model.train_on_batch(x[rows], targets["values"][rows])
    assert_same_weights(*models)


def fitted(k, loss="sparse_categorical_crossentropy", compile=(), **arguments):
    """A fresh model of ``k`` and the history of its fit: three epochs of uneven batches in order."""
    last, kind = LOSSES[loss]
    x, targets = data()
    compiled = {"optimizer": optimizer(k, "rmsprop"), "loss": loss, "metrics": ["accuracy"], **dict(compile)}
    model = mlp(k, last)
    model.compile(**compiled)
    history = model.fit(x, targets[kind], batch_size=BATCH - 1, epochs=3, shuffle=False, verbose=0, **arguments)
    return model, history


def weights_of_rows():
    return (np.arange(64) % 5 / 2).astype("float32")


FITS = {
    "plain": {},
    "validation_split": {"validation_split": 0.3},
    "sample_weight": {"sample_weight": weights_of_rows()},
    "sample_weight_column": {"sample_weight": weights_of_rows()[:, None]},
    "sample_weight_and_split": {"sample_weight": weights_of_rows(), "validation_split": 0.25},
    "class_weight": {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
    "class_weight_some": {"class_weight": {1: 3.0}},
    "class_weight_and_split": {"class_weight": {0: 1.0, 1: 3.0, 2: 0.5}, "validation_split": 0.25},
    "initial_epoch": {"initial_epoch": 1},
    "validation_freq": {"validation_split": 0.25, "validation_freq": 2},
    "validation_batch_size": {"validation_split": 0.5, "validation_batch_size": 7},
}


@pytest.mark.parametrize(
    "loss", ["mse", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]
)
@pytest.mark.parametrize("fit", FITS)
def test_fit(fit, loss, keras3):
    if "class_weight" in fit and loss in ("mse", "binary_crossentropy"):
        return  # targets without classes
    ours, theirs = (fitted(k, loss, **FITS[fit]) for k in (kshim, keras3))
    same_history(ours[1], theirs[1])
    assert_same_weights(ours[0], theirs[0])


@pytest.mark.parametrize(
    "fit", ["plain", "validation_split", "sample_weight", "class_weight", "sample_weight_and_split"]
)
def test_weighted_metrics(fit, keras3):
    def compiled(k):
        return {
            "metrics": ["acc", "sparse_categorical_crossentropy"],
            "weighted_metrics": ["accuracy", k.metrics.Mean()][:1],
        }

    ours, theirs = (fitted(k, compile=compiled(k), **FITS[fit]) for k in (kshim, keras3))
    same_history(ours[1], theirs[1])


def test_validation_data_with_weights(keras3):
    x, targets = data(20)
    given = (x, targets["classes"], np.arange(20.0))
    ours, theirs = (fitted(k, validation_data=given) for k in (kshim, keras3))
    same_history(ours[1], theirs[1])


OPTIONS = [
    {"clipnorm": 0.1},
    {"weight_decay": 0.1},
    {"use_ema": True, "ema_momentum": 0.9},
    {"use_ema": True, "ema_overwrite_frequency": 2},
    {"loss_scale_factor": 4.0},
    {"gradient_accumulation_steps": 2},
]


@pytest.mark.parametrize("option", OPTIONS, ids="-".join)
def test_optimizer_options_in_fit(option, keras3):
    ours, theirs = (
        fitted(k, compile={"optimizer": k.optimizers.Adam(0.01, **option)}, validation_split=0.25)
        for k in (kshim, keras3)
    )
    same_history(ours[1], theirs[1])
    assert_same_weights(ours[0], theirs[0])


def test_penalties_and_constraints_in_fit(keras3):
    x, targets = data()
    found = []
    for k in (kshim, keras3):
        model = mlp(k, "linear", kernel_regularizer="l2", activity_regularizer="l1", bias_constraint="max_norm",
                    kernel_constraint=k.constraints.UnitNorm())  # fmt: skip
        model.compile(optimizer(k, "sgd_momentum"), "mse", metrics=["mae"])
        fit = {"epochs": 3, "batch_size": 15, "shuffle": False, "validation_split": 0.2, "verbose": 0}
        history = model.fit(x, targets["values"], **fit)
        found.append((history, model, model.evaluate(x, targets["values"], verbose=0)))
    same_history(found[0][0], found[1][0])
    assert_same_weights(found[0][1], found[1][1])
    assert_close(found[0][2], found[1][2])


def test_several_outputs(keras3):
    x, targets = data()
    histories = []
    for k in (kshim, keras3):
        inputs = k.Input((5,))
        hidden = k.layers.Dense(8, activation="tanh")(inputs)
        outputs = [k.layers.Dense(3, name="a")(hidden), k.layers.Dense(3, activation="softmax", name="b")(hidden)]
        model = k.Model(inputs, outputs)
        model.set_weights([counting(w.shape, 1.5) for w in model.get_weights()])
        model.compile(optimizer(k, "adam"), ["mse", "sparse_categorical_crossentropy"], loss_weights=[0.5, 2.0],
                      metrics=[["mae"], ["accuracy"]])  # fmt: skip
        histories.append(model.fit(x, [targets["values"], targets["classes"]], batch_size=15, epochs=3, shuffle=False,
                                   verbose=0, validation_split=0.25))  # fmt: skip
    ours, theirs = (h.history for h in histories)
    assert ours.keys() == theirs.keys()
    for key in theirs:
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-5, err_msg=key)


def test_masked_sequences(keras3):
    """Masking before a Dense over time: the loss is the mean over the steps that are kept."""
    x = np.random.default_rng(4).normal(size=(24, 4, 5)).astype("float32")
    x[::2, 2:] = x[::3, 0] = 0
    y = x.sum(-1, keepdims=True)
    histories, models = [], []
    for k in (kshim, keras3):
        inputs = k.Input((4, 5))
        model = k.Model(inputs, k.layers.Dense(1)(k.layers.Dense(3, activation="tanh")(k.layers.Masking()(inputs))))
        model.set_weights([counting(w.shape, 1.5) for w in model.get_weights()])
        model.compile(optimizer(k, "sgd"), "mse", metrics=["mae"], weighted_metrics=["mse"])
        histories.append(model.fit(x, y, batch_size=7, epochs=3, shuffle=False, verbose=0, validation_split=0.25))
        models.append(model)
    same_history(*histories)
    assert_same_weights(*models)


def test_a_users_loss_with_flat_targets(keras3):
    """Targets of rank 1 get the last axis of the predictions, for a user's function too."""
    x, targets = data()
    y = targets["values"][:, 0]
    results = []
    for k in (kshim, keras3):
        model = k.Sequential([k.Input((5,)), k.layers.Dense(1)])
        model.set_weights([counting(w.shape, 1.5) for w in model.get_weights()])
        model.compile(optimizer(k, "sgd"), lambda y_true, y_pred: (y_true - y_pred) ** 2, metrics=["mae", "mse"])
        results.append(model.fit(x, y, epochs=3, shuffle=False, verbose=0).history)
    for ours, theirs in zip(results[0].values(), results[1].values(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_evaluate_and_predict(keras3):
    x, targets = data(50)
    models = [fitted(k)[0] for k in (kshim, keras3)]
    models[0].set_weights(models[1].get_weights())
    for weight in (None, np.arange(50.0)):
        ours, theirs = (
            model.evaluate(x, targets["classes"], batch_size=7, sample_weight=weight, verbose=0) for model in models
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    ours, theirs = (model.predict(x, batch_size=7, verbose=0) for model in models)
    assert_close(ours, theirs)
    assert isinstance(ours, np.ndarray) and ours.dtype == "float32"
    ours, theirs = (model.predict_on_batch(x) for model in models)
    assert_close(ours, theirs)
    ours, theirs = (model.test_on_batch(x, targets["classes"]) for model in models)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_two_runs_are_the_same():
    def run():
        kshim.utils.set_random_seed(5) if hasattr(kshim, "utils") else torch.manual_seed(5)
        x, targets = data()
        model = kshim.Sequential(
            [kshim.Input((5,)), kshim.layers.Dense(8), kshim.layers.Dropout(0.5), kshim.layers.Dense(3)]
        )
        model.compile("adam", "mse")
        model.fit(x, targets["values"], epochs=2, verbose=0)
        return model.get_weights()

    for got, expected in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(got, expected)

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
        lambda k: {"loss": "mae", "metrics": ["mse", "mae", "mean_absolute_error"]},
        REAL,
    ),
    "a tuple of metrics": (classifier, lambda k: {"loss": "mse", "metrics": ("accuracy",)}, ONE_HOT),
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
        given = [m for m in arguments.pop("metrics", []) if isinstance(m, str) or m is per_sample]
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


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # Keras warns at each step of an output without loss
@pytest.mark.parametrize("name", TWO_OUTPUTS)
def test_two_outputs_are_keras(name, keras3):
    def compiled_model(keras):
        model = two_outputs(keras)
        model.compile(optimizer="sgd", **TWO_OUTPUTS[name](keras))
        return model

    both(keras3, compiled_model, everything([X, X2], [ONE_HOT, REAL]))


def test_targets_by_output_name(keras3):
    def compiled_model(keras):
        model = two_outputs(keras)
        model.compile("sgd", loss={"kind": "categorical_crossentropy", "size": "mse"}, metrics={"size": ["mae"]})
        return model

    both(keras3, compiled_model, everything({"a": X, "b": X2}, {"size": REAL, "kind": ONE_HOT}))


def test_weights_for_each_output(keras3):
    def compiled_model(keras):
        model = two_outputs(keras)
        model.compile("sgd", loss="mse", weighted_metrics=[["acc"], ["mae"]])
        return model

    given = {"sample_weight": [WEIGHTS, WEIGHTS[::-1].copy()]}
    both(keras3, compiled_model, everything([X, X2], [ONE_HOT, REAL], given, given))


def test_functions_that_return_dicts():
    # The form of Keras 1: metric_name -> value, each under its own name.
    def parts(y_true, y_pred):
        return {"low": y_pred.min(), "error": (y_true - y_pred).abs().mean(-1)}

    def one(y_true, y_pred):
        return (y_true - y_pred).abs().mean(-1)

    model = classifier(kshim, None, 2)
    model.compile("sgd", "mse", metrics=[parts, one])
    history = model.fit(X, REAL, batch_size=8, shuffle=False, verbose=0, validation_split=0.25).history
    assert list(history) == ["error", "loss", "low", "one", "val_error", "val_loss", "val_low", "val_one"]
    assert history["error"] == history["one"]
    assert history["val_error"] == history["val_one"]
    values = model.evaluate(X, REAL, verbose=0, return_dict=True)
    np.testing.assert_allclose(values["low"], model.predict(X, verbose=0).min(), rtol=1e-6)
    assert model.evaluate(X, REAL, verbose=0) == [values[name] for name in ("loss", "low", "error", "one")]
    assert model.train_on_batch(X, REAL, return_dict=True).keys() == {"loss", "low", "error", "one"}
    # The state is gone with each reset: a batch of its own knows nothing of the batches before.
    assert model.test_on_batch(X[:2], REAL[:2])[1] == pytest.approx(float(model.predict(X[:2], verbose=0).min()))


def test_a_metrics_name_without_a_list():
    # Keras 3 refuses it: "Expected `metrics` argument to be a list, tuple, or dict".
    model = classifier(kshim)
    model.compile("sgd", "mse", metrics="accuracy")
    assert model.metrics_names == ["loss", "accuracy"]


def test_metrics_are_named_and_listed():
    model = classifier(kshim)
    hits = kshim.metrics.CategoricalAccuracy(name="hits")
    model.compile("sgd", "mse", metrics=["acc", hits, lambda t, p: p.mean()])
    assert model.metrics_names == ["loss", "acc", "hits", "lambda"]
    assert [metric.name for metric in model.metrics] == ["loss", "acc", "hits", "lambda"]
    assert model.metrics[2] is hits
    assert model.compiled
    assert not classifier(kshim).compiled
    model.fit(X, ONE_HOT, verbose=0)
    assert float(hits.result()) > 0
    model.reset_metrics()
    assert float(hits.result()) == 0


def test_recompiling_forgets_the_metrics_of_before():
    # Keras 3.15 goes on to report them.
    model = classifier(kshim)
    model.compile("sgd", "mse", metrics=["acc", "mae"])
    assert len(model.evaluate(X, ONE_HOT, verbose=0)) == 3
    model.compile("adam", "mae")
    assert isinstance(model.evaluate(X, ONE_HOT, verbose=0), float)
    assert model.metrics_names == ["loss"]


def test_recompiling_keeps_the_weights_and_starts_a_new_optimizer(keras3):
    def run(keras, model):
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
        first = model.fit(X, ONE_HOT, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mae")
        return first + model.fit(X, ONE_HOT, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]

    both(keras3, classifier, run)


def test_another_fit_goes_on_with_the_optimizers_state(keras3):
    def run(keras, model):
        model.compile(keras.optimizers.Adam(0.01), "mse")
        losses = []
        for _ in range(3):
            losses += model.fit(X, ONE_HOT, batch_size=8, shuffle=False, verbose=0).history["loss"]
            losses.append(model.train_on_batch(X[:5], ONE_HOT[:5]))
        assert int(model.optimizer.iterations) == 12
        return losses

    both(keras3, classifier, run)


# -- fit's arguments -----------------------------------------------------------------------------------------------


def rated(keras):
    model = classifier(keras)
    model.compile(keras.optimizers.SGD(0.1), "categorical_crossentropy", metrics=["accuracy"], weighted_metrics=["mae"])
    return model


FITS = {
    "plain": {},
    "one batch": {"batch_size": 100},
    "batches of one": {"batch_size": 1},
    "epochs": {"epochs": 4},
    "no epoch": {"epochs": 0},
    "initial_epoch": {"epochs": 5, "initial_epoch": 3},
    "initial_epoch past the end": {"epochs": 2, "initial_epoch": 3},
    "steps_per_epoch": {"batch_size": 4, "steps_per_epoch": 2, "epochs": 2},
    "sample_weight": {"sample_weight": WEIGHTS},
    "sample_weight, a column": {"sample_weight": WEIGHTS[:, None]},
    "class_weight": {"class_weight": {0: 0.5, 1: 2.0, 2: 1.25}},
    "class_weight, one left out": {"class_weight": {0: 0.5, 2: 3}},
    "validation_split": {"validation_split": 0.3},
    "validation_split, uneven": {"validation_split": 0.15, "batch_size": 5},
    "validation_split with weights": {"validation_split": 0.3, "sample_weight": WEIGHTS},
    "validation_split with class weights": {"validation_split": 0.3, "class_weight": {0: 0.5, 1: 2.0, 2: 1.25}},
    "validation_data": {"validation_data": (X[:7], ONE_HOT[:7])},
    "validation_data, a list": {"validation_data": [X[:7], ONE_HOT[:7]]},
    "validation_data with weights": {"validation_data": (X[:7], ONE_HOT[:7], WEIGHTS[:7])},
    "validation_data and split": {"validation_data": (X[:7], ONE_HOT[:7]), "validation_split": 0.5},
    "validation_batch_size": {"validation_data": (X, ONE_HOT), "validation_batch_size": 3},
    "validation_steps": {"validation_data": (X, ONE_HOT), "validation_steps": 2, "validation_batch_size": 3},
    "validation_freq": {"epochs": 5, "validation_split": 0.3, "validation_freq": 2},
    "validation_freq list": {"epochs": 5, "validation_split": 0.3, "validation_freq": [1, 4]},
}


@pytest.mark.parametrize("name", FITS)
def test_fit_arguments_are_keras(name, keras3):
    def run(keras, model):
        history = model.fit(X, ONE_HOT, **{"batch_size": 8, "epochs": 1, "shuffle": False, "verbose": 0, **FITS[name]})
        return [dict(history.history), history.epoch, history.params, model.get_weights()]

    both(keras3, rated, run)


def test_class_weights_of_indices_and_columns(keras3):
    for y in (LABELS, LABELS[:, None], LABELS.astype("float32")):
        def run(keras, model, y=y):
            model.compile("sgd", "sparse_categorical_crossentropy")
            history = model.fit(X, y, class_weight={0: 0.5, 1: 2}, shuffle=False, verbose=0).history
            return [dict(history), model.train_on_batch(X, y, class_weight={2: 4.0})]

        both(keras3, classifier, run)


@pytest.mark.parametrize("shuffle", [True, "batch"])
def test_validation_split_is_taken_before_the_shuffle(shuffle):
    seen = []

    class Spy(kshim.layers.Layer):
        def call(self, inputs):
            seen.append((self.training, inputs[:, 0].tolist()))
            return inputs

    model = kshim.Sequential([Spy(), kshim.layers.Dense(1)])
    model.build((None, 1))
    model.compile("sgd", "mse")
    seen.clear()
    x = np.arange(20.0, dtype="float32")[:, None]
    model.fit(x, x, batch_size=4, epochs=2, validation_split=0.2, shuffle=shuffle, verbose=0)
    assert {row for training, rows in seen if training for row in rows} == set(range(16))
    assert [rows for training, rows in seen if not training] == [[16.0, 17.0, 18.0, 19.0]] * 2


def test_the_order_is_that_of_one_index_array_shuffled_by_numpy():
    # default_changes.md section 5: np.random.seed(3), six rows: [3,5,4,1,0,2], then [2,0,5,4,1,3] (Keras 1 and 2).
    model = kshim.Sequential([kshim.Input((1,)), kshim.layers.Dense(1)])
    model.compile("sgd", "mse")
    rows = []
    layer = model.layers[0]
    layer.register_forward_pre_hook(lambda module, args: rows.extend(args[0][:, 0].int().tolist()))
    x = np.arange(6.0, dtype="float32")[:, None]
    np.random.seed(3)
    model.fit(x, x, batch_size=2, epochs=2, verbose=0)
    assert rows[-12:] == [3, 5, 4, 1, 0, 2, 2, 0, 5, 4, 1, 3]


def orders(size, batch_size, shuffle, epochs):
    """The rows of each epoch, as the training loop gets them."""
    data = arrays.ArrayData(torch.arange(size), None, None, batch_size, shuffle)
    return [[x.tolist() for x, _, _ in data.epoch()] for _ in range(epochs)]


def test_shuffle_batch_keeps_the_rows_of_a_batch_together():
    np.random.seed(11)
    got = orders(11, 3, "batch", 3)
    np.random.seed(11)
    batches = np.arange(9).reshape(3, 3)
    for epoch in got:
        np.random.shuffle(batches)  # Keras 1 and 2: whole batches are shuffled, the incomplete one stays last
        assert epoch == [*batches.tolist(), [9, 10]]


def test_no_shuffle_draws_nothing():
    np.random.seed(11)
    before = np.random.get_state()[1].tolist()
    assert orders(5, 2, False, 2) == [[[0, 1], [2, 3], [4]]] * 2
    assert np.random.get_state()[1].tolist() == before


# -- callbacks -----------------------------------------------------------------------------------------------------


def recorder(keras, log):
    class Recorder(keras.callbacks.Callback):
        """Writes down each hook with its logs; numbers rounded."""

    def told(hook):
        def hear(self, *args, logs=None):
            *index, logs = (*args, logs) if logs is not None or len(args) < 1 + ("batch" in hook or "epoch" in hook) else args
            values = logs or {}
            log.append((hook, *index, {k: np.round(v, 5).tolist() for k, v in values.items()}))

        return hear

    for name in dir(keras.callbacks.Callback):
        if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
            setattr(Recorder, name, told(name))
    return Recorder()


def test_callbacks_hear_what_they_hear_in_keras(keras3):
    logs = []
    for keras, model in pair(keras3, rated):
        log = []
        callback = recorder(keras, log)
        model.fit(X, ONE_HOT, batch_size=10, epochs=2, shuffle=False, verbose=0, validation_split=0.5,
                  callbacks=[callback])  # fmt: skip
        model.evaluate(X, ONE_HOT, verbose=0, callbacks=[callback])
        model.predict(X, verbose=0, batch_size=12, callbacks=[callback])
        logs.append(log)
        assert callback.model is model
        assert callback.params == {"verbose": 0, "epochs": 1, "steps": 2}
    mine, theirs = logs
    assert [entry[:-1] for entry in mine] == [entry[:-1] for entry in theirs]
    for a, b in zip(mine, theirs, strict=True):
        assert a[-1].keys() == b[-1].keys(), a
        for key in a[-1]:
            np.testing.assert_allclose(a[-1][key], b[-1][key], atol=2e-5, err_msg=str(a))


def test_lambda_callbacks_and_the_order_of_callbacks():
    heard = []
    model = rated(kshim)
    callbacks = [
        kshim.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: heard.append((name, "begin", epoch)),
            on_epoch_end=lambda epoch, logs, name=name: heard.append((name, "end", epoch)),
        )
        for name in ("first", "second")
        for name in (name,)
    ]
    model.fit(X, ONE_HOT, verbose=0, epochs=2, callbacks=callbacks)
    assert [h for h in heard if h[1] == "end"] == [("first", "end", 0), ("second", "end", 0),
                                                   ("first", "end", 1), ("second", "end", 1)]  # fmt: skip


@pytest.mark.parametrize("arguments", [
    {"monitor": "val_loss", "patience": 1},
    {"monitor": "val_loss", "patience": 0, "restore_best_weights": True},
    {"monitor": "accuracy", "patience": 2, "restore_best_weights": True},
    {"monitor": "loss", "baseline": 0.01, "patience": 2},
], ids=str)  # fmt: skip
def test_early_stopping_in_fit_is_keras(arguments, keras3):
    def run(keras, model):
        model.compile(keras.optimizers.SGD(2.0, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
        callback = keras.callbacks.EarlyStopping(**arguments)
        history = model.fit(X, ONE_HOT, batch_size=4, epochs=30, shuffle=False, verbose=0, validation_split=0.4,
                            callbacks=[callback])  # fmt: skip
        assert len(history.epoch) < 30
        return [history.epoch, callback.stopped_epoch, callback.best_epoch]

    both(keras3, classifier, run)


def test_checkpoints_in_fit_are_the_weights_of_their_epochs(tmp_path):
    pytest.importorskip("h5py")
    model = rated(kshim)
    kept = []
    model.fit(
        X, ONE_HOT, epochs=3, shuffle=False, verbose=0, validation_split=0.3,
        callbacks=[
            kshim.callbacks.ModelCheckpoint(tmp_path / "at-{epoch}-{val_acc:.2f}.weights.h5", save_weights_only=True),
            kshim.callbacks.ModelCheckpoint(
                tmp_path / "best.weights.h5", "val_loss", save_best_only=True, save_weights_only=True
            ),
            kshim.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append((model.get_weights(), logs))),
        ],
    )  # fmt: skip
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == sorted(
        ["best.weights.h5", *(f"at-{i + 1}-{logs['val_accuracy']:.2f}.weights.h5" for i, (_, logs) in enumerate(kept))]
    )
    other = rated(kshim)
    for name, (weights, _) in zip(files[:-1], kept, strict=True):
        other.load_weights(tmp_path / name)
        assert_same(other.get_weights(), weights)
    other.load_weights(tmp_path / "best.weights.h5")
    assert_same(other.get_weights(), min(kept, key=lambda entry: entry[1]["val_loss"])[0])


@pytest.mark.parametrize("asked, other", [("acc", "accuracy"), ("accuracy", "acc"), ("mse", "mean_squared_error")])
def test_history_answers_to_both_names(asked, other):
    model = classifier(kshim)
    model.compile("sgd", "mse", metrics=[asked])
    history = model.fit(X, ONE_HOT, verbose=0, epochs=2, validation_split=0.3).history
    assert set(history) == {"loss", "val_loss", asked, f"val_{asked}"}
    assert history[other] == history[asked]
    assert history[f"val_{other}"] == history[f"val_{asked}"]
    assert other in history
    assert history.get(f"val_{other}") is history[f"val_{asked}"]
    with pytest.raises(KeyError, match="val_mae"):
        history["val_mae"]


def test_the_learning_rate_changes_under_way(keras3):
    def run(keras, model):
        class Halve(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch:
                    rate = self.model.optimizer.learning_rate
                    self.model.optimizer.learning_rate = float(np.asarray(rate)) / 2

            def on_train_batch_end(self, batch, logs=None):
                if batch == 1:
                    self.model.optimizer.learning_rate.assign(0.3)

        model.compile(keras.optimizers.Adam(0.1), "mse")
        history = model.fit(X, ONE_HOT, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[Halve()])
        return [dict(history.history), float(np.asarray(model.optimizer.learning_rate))]

    both(keras3, classifier, run)


def test_stop_training_ends_the_epoch_under_way_as_keras_does(keras3):
    def run(keras, model):
        class Stop(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                self.model.stop_training = batch == 1

        model.compile("sgd", "mse")
        history = model.fit(X, ONE_HOT, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[Stop()])
        return [history.epoch, dict(history.history)]

    both(keras3, classifier, run)

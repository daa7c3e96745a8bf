"""compile, fit, evaluate, predict and their ``_on_batch`` forms, side by side with the real Keras 3."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

import kshim
import kshim.legacy  # the history's twins ("acc" for "accuracy") are its rows
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
    draw = np.random.default_rng(9)
    weights = [draw.normal(scale=0.6, size=w.shape).astype("float32") for w in mine.get_weights()]
    mine.set_weights(weights)
    theirs.set_weights(weights)
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
    "metrics, list of lists": lambda k: {"loss": "mse", "metrics": [["acc"], ["mae", "mse"]]},
    "metrics, a list for each": lambda k: {"loss": "mse", "metrics": ["acc", "mae"]},
    "metrics, dict": lambda k: {"loss": "mse", "metrics": {"size": "mae", "kind": ["acc", per_sample]}},
    "metrics, dict with one": lambda k: {"loss": "mse", "metrics": {"size": ["mae"]}},
    "metrics, None for one": lambda k: {"loss": "mse", "metrics": [["acc"], None]},
    "metric objects": lambda k: {"loss": "mse", "metrics": {"kind": k.metrics.CategoricalAccuracy(name="hits")}},
    "weighted and not": lambda k: {"loss": "mse", "metrics": [["acc"], "mse"], "weighted_metrics": [["acc"], "mse"]},
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


def test_an_output_left_out_of_the_dict_has_no_loss():
    # As in Keras 1 and 2; Keras 3 wants every output in the dict.
    losses = []
    weights = None
    for given in ({"kind": "mse"}, {"kind": "mse", "size": None}, ["mse", None]):
        model = two_outputs(kshim)
        weights = weights or model.get_weights()
        model.set_weights(weights)
        model.compile("sgd", loss=given)
        losses.append(model.evaluate([X, X2], [ONE_HOT, REAL], verbose=0))
    assert losses[0] == losses[1] == losses[2]


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


def test_the_same_metric_twice(keras3):
    # The list that Keras 3 gives for these has some of them twice, so the dicts are compared.
    def run(keras, model):
        model.compile("sgd", "mse", metrics=["mae", "mae", "acc"], weighted_metrics=["mae", "acc", "mse", "mae"])
        given = {"batch_size": 8, "verbose": 0, "sample_weight": WEIGHTS}
        history = model.fit(X, ONE_HOT, shuffle=False, **given).history
        return [dict(history), model.evaluate(X, ONE_HOT, return_dict=True, **given)]

    values = both(keras3, classifier, run)[1]
    assert list(values) == ["acc", "loss", "mae", "mae_1", "mse", "weighted_acc", "weighted_mae", "weighted_mae_1"]


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
    "steps_per_epoch": {"batch_size": 4, "steps_per_epoch": 2, "epochs": 5},
    "steps_per_epoch of 0": {"batch_size": 4, "steps_per_epoch": 0},
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
    "validation_steps": {"validation_data": (X, ONE_HOT), "validation_steps": 2, "validation_batch_size": 4,
                         "epochs": 4},
    "validation_freq": {"epochs": 5, "validation_split": 0.3, "validation_freq": 2},
    "validation_freq list": {"epochs": 5, "validation_split": 0.3, "validation_freq": [1, 4]},
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_fit_arguments_are_keras(name, keras3):
    def run(keras, model):
        history = model.fit(X, ONE_HOT, **{"batch_size": 8, "epochs": 1, "shuffle": False, "verbose": 0, **FITS[name]})
        return [dict(history.history), history.epoch, history.params, model.get_weights()]

    both(keras3, rated, run)


@pytest.mark.parametrize("which", ["steps_per_epoch", "validation_steps", "steps", "predict's steps"])
def test_more_steps_than_batches(which, keras3):
    def run(keras, model):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if which == "steps":
                result = model.evaluate(X, ONE_HOT, batch_size=8, steps=4, verbose=0)
            elif which == "predict's steps":
                result = model.predict(X, batch_size=8, steps=4, verbose=0)
            else:
                result = dict(model.fit(X, ONE_HOT, batch_size=8, epochs=3, shuffle=False, verbose=0,
                                        validation_data=(X, ONE_HOT), **{which: 4}).history)  # fmt: skip
        ran_out = [w for w in caught if "Your input ran out of data" in str(w.message)]
        return [result, len(ran_out)]

    assert both(keras3, rated, run)[1] == (3 if "_" in which else 1)


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
            *index, logs = (
                (*args, logs) if logs is not None or len(args) < 1 + ("batch" in hook or "epoch" in hook) else args
            )
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

    def callback(name):
        return kshim.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: heard.append((name, "begin", epoch)),
            on_epoch_end=lambda epoch, logs: heard.append((name, "end", epoch)),
        )

    rated(kshim).fit(X, ONE_HOT, verbose=0, epochs=2, callbacks=[callback("first"), callback("second")])
    assert heard == [
        (name, hook, epoch) for epoch in (0, 1) for hook in ("begin", "end") for name in ("first", "second")
    ]


@pytest.mark.parametrize("arguments", [
    {"monitor": "val_loss", "patience": 1},
    {"monitor": "val_loss", "patience": 0, "restore_best_weights": True},
    {"monitor": "accuracy", "patience": 2, "restore_best_weights": True},
    {"monitor": "loss", "baseline": 0.01, "patience": 2},
], ids=str)  # fmt: skip
def test_early_stopping_in_fit_is_keras(arguments, keras3):
    def run(keras, model):
        model.compile(keras.optimizers.SGD(0.5, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
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

        model.compile(keras.optimizers.SGD(0.1, momentum=0.5), "mse")
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


def test_a_callback_that_evaluates_between_batches_disturbs_nothing(keras3):
    def run(keras, model):
        class Look(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 0:
                    self.model.evaluate(X[:4], ONE_HOT[:4], verbose=0)
                    self.model.predict(X[:4], verbose=0)

        model.compile("sgd", "mse")
        model.fit(X, ONE_HOT, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[Look()])
        return model.get_weights()

    def penalised(keras):
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activity_regularizer="l2")])

    both(keras3, penalised, run)


# -- what adds to the loss -----------------------------------------------------------------------------------------


def with_add_loss(keras):
    class Sparse(keras.layers.Layer):
        def call(self, inputs):
            self.add_loss(0.3 * abs(inputs).mean())
            return inputs

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="tanh"), Sparse()])


EXTRA_LOSSES = {
    "kernel": lambda k: {"kernel_regularizer": k.regularizers.L1L2(0.1, 0.2)},
    "bias": lambda k: {"bias_regularizer": "l2", "bias_initializer": "ones"},
    "activity": lambda k: {"activity_regularizer": k.regularizers.L2(0.3)},
    "all": lambda k: {"kernel_regularizer": "l1", "activity_regularizer": "l1", "bias_regularizer": "l2"},
}


@pytest.mark.parametrize("name", EXTRA_LOSSES)
def test_regularizers_are_in_the_loss(name, keras3):
    def make(keras):
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((4,)),
            layers.Dense(5, **EXTRA_LOSSES[name](keras)),
            layers.Dense(3, **EXTRA_LOSSES[name](keras)),
        ])  # fmt: skip
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    both(keras3, make, everything(X, ONE_HOT))
    both(keras3, make, everything(X, ONE_HOT, {"sample_weight": WEIGHTS}, {"sample_weight": WEIGHTS}))


@pytest.mark.parametrize("loss", ["mse", None])
def test_add_loss_is_in_the_loss(loss, keras3):
    def run(keras, model):
        model.compile("sgd", loss)
        y = None if loss is None else ONE_HOT
        history = model.fit(X, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        return [dict(history), model.evaluate(X, y, verbose=0), model.train_on_batch(X, y), model.test_on_batch(X, y)]

    both(keras3, with_add_loss, run)


def test_a_compute_loss_of_ones_own(keras3):
    def make(keras):
        class Doubled(keras.Model):
            def __init__(self):
                super().__init__()
                self.out = keras.layers.Dense(3)

            def call(self, inputs):
                return self.out(inputs)

            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return 2 * super().compute_loss(x, y, y_pred, sample_weight) + y_pred.mean()

        model = Doubled()
        model(X[:1])
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    both(keras3, make, everything(X, ONE_HOT))


# -- masks, modes, dropout -----------------------------------------------------------------------------------------


def masked(keras):
    return keras.Sequential([keras.Input((4, 2)), keras.layers.Masking(), keras.layers.Dense(1)])


def sequences():
    x = RNG.normal(size=(10, 4, 2)).astype("float32")
    x[::2, 2:] = 0
    x[1::3, 3] = 0
    return x, RNG.normal(size=(10, 4, 1)).astype("float32")


@pytest.mark.parametrize("weights", [None, "rows and steps"])
def test_masks_are_in_loss_and_metrics(weights, keras3):
    # In one batch: Keras 3 multiplies the mask into the weights in place, so its weighted metrics count masked batches
    # by more than their steps.
    x, y = sequences()
    given = {"batch_size": 10}
    if weights is not None:
        given["sample_weight"] = np.abs(y[..., 0])

    def make(keras):
        model = masked(keras)
        model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=["mse"])
        return model

    both(keras3, make, everything(x, y, given, given))


class Flags(kshim.layers.Layer):
    """Writes down in which mode it runs."""

    def __init__(self):
        super().__init__()
        self.seen = set()
        self.inner = torch.nn.Identity()

    def call(self, inputs, training=None):
        self.seen.add((training, self.training, self.inner.training))
        return inputs

    def modes(self):
        seen, self.seen = self.seen, set()
        return seen


TRAINS, RUNS = {(True, True, True)}, {(False, False, False)}


@pytest.mark.parametrize("kind", ["sequential", "functional", "subclass"])
def test_modes_during_and_after_each_call(kind):
    spy = Flags()
    if kind == "sequential":
        model = kshim.Sequential([kshim.Input((4,)), spy, torch.nn.Dropout(0.5), kshim.layers.Dense(3)])
    elif kind == "functional":
        inputs = kshim.Input((4,))
        model = kshim.Model(inputs, kshim.layers.Dense(3)(torch.nn.Dropout(0.5)(spy(inputs))))
    else:

        class Own(kshim.Model):
            def __init__(self):
                super().__init__()
                self.spy, self.drop, self.out = spy, torch.nn.Dropout(0.5), kshim.layers.Dense(3)

            def call(self, inputs):
                return self.out(self.drop(self.spy(inputs)))

        model = Own()
        model.build((None, 4))

    def in_eval_mode():
        return not any(module.training for module in model.modules())

    assert in_eval_mode()
    model.compile("sgd", "mse")
    model.test_on_batch(X, ONE_HOT)  # a subclass is run once to learn its outputs
    spy.modes()
    for call, expected in (
        (lambda: model.fit(X, ONE_HOT, verbose=0), TRAINS),
        (lambda: model.fit(X, ONE_HOT, verbose=0, validation_split=0.2), TRAINS | RUNS),
        (lambda: model.evaluate(X, ONE_HOT, verbose=0), RUNS),
        (lambda: model.predict(X, verbose=0), RUNS),
        (lambda: model.train_on_batch(X, ONE_HOT), TRAINS),
        (lambda: model.test_on_batch(X, ONE_HOT), RUNS),
        (lambda: model.predict_on_batch(X), RUNS),
        (lambda: model(X), RUNS),
    ):
        call()
        assert spy.modes() == expected
        assert in_eval_mode()
        assert all(p.grad is None for p in model.parameters())
        assert all(p.requires_grad for p in model.parameters())
    model(X, training=True)
    assert spy.modes() == {(True, True, True)}
    assert in_eval_mode()
    model.train()  # the user's own choice holds for a plain call
    model(X)
    assert spy.modes() == TRAINS


def test_epoch_end_callbacks_see_the_model_out_of_training():
    model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dropout(0.5), kshim.layers.Dense(3)])
    model.compile("sgd", "mse")
    seen = []

    def look(epoch, logs):
        seen.append((model.training, torch.equal(model(torch.tensor(X)), torch.tensor(model.predict(X, verbose=0)))))

    for split in (0.0, 0.3):
        model.fit(X, ONE_HOT, epochs=2, verbose=0, validation_split=split,
                  callbacks=[kshim.callbacks.LambdaCallback(on_epoch_end=look)])  # fmt: skip
    assert seen == [(False, True)] * 4


def test_dropout_acts_in_training_only():
    model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dropout(0.5), kshim.layers.Lambda(lambda x: x * 1.0)])
    model.compile("sgd", "mse", metrics=[lambda t, p: (p == 0).float().mean()])
    ones = np.ones((200, 4), "float32")
    np.testing.assert_array_equal(model.predict(ones, verbose=0), ones)
    assert model.evaluate(ones, ones, verbose=0) == [0, 0]
    assert model.test_on_batch(ones, ones) == [0, 0]
    dense = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(4, kernel_initializer="identity", trainable=True),
                              kshim.layers.Dropout(0.5)])  # fmt: skip
    dense.compile(kshim.optimizers.SGD(0.0), "mse", metrics=[lambda t, p: (p == 0).float().mean()])
    history = dense.fit(ones, ones, verbose=0, validation_data=(ones, ones)).history
    assert 0.4 < history["lambda"][0] < 0.6
    assert history["val_loss"] == history["val_lambda"] == [0]
    assert 0.4 < dense.train_on_batch(ones, ones)[1] < 0.6


# -- models that are not built or not compiled ---------------------------------------------------------------------


def unbuilt(keras):
    return keras.Sequential([keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)])


def subclassed(keras):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)

        def call(self, inputs):
            return self.out(self.hidden(inputs))

    return Own()


@pytest.mark.parametrize("make", [unbuilt, subclassed, classifier])
def test_predict_needs_neither_build_nor_compile(make):
    model = make(kshim)
    outputs = model.predict(X, verbose=0)
    assert (outputs.shape, outputs.dtype) == ((22, 3), np.float32)
    assert_same(model.predict_on_batch(X), outputs)
    assert not model.compiled
    model.compile("sgd", "mse")
    model.fit(X, ONE_HOT, verbose=0)
    assert np.abs(model.predict(X, verbose=0) - outputs).max() > 0


@pytest.mark.parametrize("make", [unbuilt, subclassed])
@pytest.mark.parametrize("first", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_the_first_call_builds(make, first):
    model = make(kshim)
    model.compile("adam", "mse", metrics=["mae"])
    getattr(model, first)(X, ONE_HOT, **({"verbose": 0} if "batch" not in first else {}))
    assert model.built
    assert [w.shape for w in model.get_weights()] == [(4, 5), (5,), (5, 3), (3,)]
    history = model.fit(X, ONE_HOT, verbose=0, epochs=3).history
    assert history["loss"][-1] < history["loss"][0]


def test_several_outputs_of_a_subclassed_model(keras3):
    def make(keras):
        class Two(keras.Model):
            def __init__(self):
                super().__init__()
                self.one, self.two = keras.layers.Dense(3), keras.layers.Dense(2)

            def call(self, inputs):
                return self.one(inputs), self.two(inputs)

        model = Two()
        model(X[:1])
        model.compile("sgd", loss=["mse", "mae"], loss_weights=[1.0, 0.5])
        return model

    def run(keras, model):
        history = model.fit(X, [ONE_HOT, REAL], batch_size=8, shuffle=False, verbose=0).history
        values = model.evaluate(X, [ONE_HOT, REAL], verbose=0)
        return [history["loss"], values, list(model.predict(X, verbose=0))]

    both(keras3, make, run)


# -- torch's own losses and optimizers -----------------------------------------------------------------------------


def by_hand(model, loss, optimizer, x, y, batch_size=8, epochs=2):
    """The weights and the mean losses of a loop written in plain torch."""
    losses = []
    model.train()
    for _ in range(epochs):
        total = 0.0
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)
            optimizer.zero_grad()
            value = loss(model(x[rows]), y[rows])
            value.backward()
            optimizer.step()
            total += value.item() * len(x[rows])
        losses.append(total / len(x))
    model.eval()
    return losses


TORCH_LOSSES = {
    "MSELoss": (torch.nn.MSELoss(), REAL, 2),
    "L1Loss": (torch.nn.L1Loss(), REAL, 2),
    "MSELoss, none": (torch.nn.MSELoss(reduction="none"), REAL, 2),
    "CrossEntropyLoss, indices": (torch.nn.CrossEntropyLoss(), LABELS, 3),
    "CrossEntropyLoss, int32": (torch.nn.CrossEntropyLoss(), LABELS.astype("int32"), 3),
    "CrossEntropyLoss, uint8 column": (torch.nn.CrossEntropyLoss(), LABELS[:, None].astype("uint8"), 3),
    "CrossEntropyLoss, one-hot": (torch.nn.CrossEntropyLoss(label_smoothing=0.1), ONE_HOT, 3),
    "BCEWithLogitsLoss": (torch.nn.BCEWithLogitsLoss(), BINARY, 1),
    "BCEWithLogitsLoss, ints": (torch.nn.BCEWithLogitsLoss(), BINARY.astype("int64"), 1),
}


@pytest.mark.parametrize("name", TORCH_LOSSES)
def test_torch_losses_and_optimizers_train_as_by_hand(name):
    loss, y, units = TORCH_LOSSES[name]
    model, twin = classifier(kshim, None, units), classifier(kshim, None, units)
    equal_weights(model, twin)
    model.compile(torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), loss)
    history = model.fit(X, y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    target = torch.as_tensor(y)
    if "Cross" in name and not target.is_floating_point():
        target = target.reshape(-1).long()
    elif "Cross" not in name:
        target = target.float()
    losses = by_hand(twin, lambda p, t: loss(p, t).mean(), torch.optim.SGD(twin.parameters(), 0.1, momentum=0.9),
                     torch.tensor(X), target)  # fmt: skip
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-6)
    assert_same(model.get_weights(), twin.get_weights(), rtol=1e-6)
    assert len(history["loss"]) == 2
    assert isinstance(model.evaluate(X, y, verbose=0), float)


def test_a_torch_loss_with_sample_weights():
    model = classifier(kshim, None, 2)
    model.compile("sgd", torch.nn.MSELoss(reduction="none"))
    error = ((model.predict(X, verbose=0) - REAL) ** 2 * WEIGHTS[:, None]).mean()
    assert model.evaluate(X, REAL, sample_weight=WEIGHTS, verbose=0) == pytest.approx(float(error), rel=1e-6)
    model.compile("sgd", torch.nn.MSELoss())
    with pytest.raises(ValueError, match=r"MSELoss.*Received: reduction='mean'. Use MSELoss\(reduction='none'\)"):
        model.fit(X, REAL, sample_weight=WEIGHTS, verbose=0)


@pytest.mark.parametrize("given", [
    torch.optim.Adam,
    lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    "instance",
], ids=["class", "factory", "instance"])  # fmt: skip
def test_torch_optimizers_in_their_forms(given):
    model, twin = classifier(kshim), classifier(kshim)
    equal_weights(model, twin)
    model.compile(torch.optim.Adam(model.parameters()) if given == "instance" else given, "mse")
    model.fit(X, ONE_HOT, batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert isinstance(model.optimizer, torch.optim.Adam)
    by_hand(twin, torch.nn.MSELoss(), torch.optim.Adam(twin.parameters()), torch.tensor(X), torch.tensor(ONE_HOT))
    assert_same(model.get_weights(), twin.get_weights(), rtol=1e-6)


def test_a_torch_optimizer_for_an_unbuilt_model():
    model = unbuilt(kshim)
    model.compile(torch.optim.SGD, "mse")
    before = model.predict(X, verbose=0)
    model.fit(X, ONE_HOT, verbose=0)
    assert np.abs(model.predict(X, verbose=0) - before).max() > 0
    assert len(model.optimizer.param_groups[0]["params"]) == 4


def test_a_torch_scheduler_turns_kshims_optimizer():
    model = classifier(kshim)
    model.compile(kshim.optimizers.SGD(0.4), "mse")
    model.train_on_batch(X, ONE_HOT)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(model.optimizer, 0.5)
    callback = kshim.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: scheduler.step())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch wants to have seen step()
        model.fit(X, ONE_HOT, verbose=0, epochs=2, callbacks=[callback])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


# -- steps of one's own --------------------------------------------------------------------------------------------


def with_own_step(keras):
    """The guide "Customizing what happens in fit() with PyTorch", as it stands."""

    class CustomModel(keras.Model):
        def train_step(self, data):
            if len(data) == 3:
                x, y, sample_weight = data
            else:
                sample_weight = None
                x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
            loss.backward()
            trainable_weights = [v for v in self.trainable_weights]
            gradients = [v.value.grad for v in trainable_weights]
            with torch.no_grad():
                self.optimizer.apply(gradients, trainable_weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred, sample_weight=sample_weight)
            return {m.name: m.result() for m in self.metrics}

    inputs = keras.Input((4,))
    return CustomModel(inputs, keras.layers.Dense(3)(keras.layers.Dense(4, activation="tanh")(inputs)))


def low_level(keras):
    class CustomModel(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.error = keras.metrics.Mean(name="error")
            self.loss_fn = keras.losses.MeanSquaredError()

        def train_step(self, data):
            x, y = data
            self.zero_grad()
            y_pred = self(x, training=True)
            loss = self.loss_fn(y, y_pred)
            loss.backward()
            with torch.no_grad():
                self.optimizer.apply([v.value.grad for v in self.trainable_weights], self.trainable_weights)
            self.loss_tracker.update_state(loss)
            self.error.update_state(abs(torch.as_tensor(y) - y_pred).detach())
            return {"loss": self.loss_tracker.result(), "error": self.error.result()}

        def test_step(self, data):
            x, y = data
            self.loss_tracker.update_state(self.loss_fn(y, self(x, training=False)))
            return {"loss": self.loss_tracker.result()}

        @property
        def metrics(self):
            return [self.loss_tracker, self.error]

    inputs = keras.Input((4,))
    return CustomModel(inputs, keras.layers.Dense(3)(inputs))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_train_step_of_ones_own(weights, keras3):
    def run(keras, model):
        # The step hands its weights to all metrics; those of `metrics` leave them out in Keras 3 alone.
        model.compile("adam", "mse", **{"metrics" if weights is None else "weighted_metrics": ["mae"]})
        history = model.fit(X, ONE_HOT, batch_size=8, epochs=2, shuffle=False, verbose=0, sample_weight=weights).history
        batch = model.train_on_batch(X, ONE_HOT, return_dict=True)
        return [dict(sorted(history.items())), model.evaluate(X, ONE_HOT, verbose=0), dict(sorted(batch.items()))]

    both(keras3, with_own_step, run)


def test_train_and_test_steps_with_metrics_of_ones_own(keras3):
    def run(keras, model):
        model.compile(keras.optimizers.SGD(0.1))
        history = model.fit(X, ONE_HOT, batch_size=8, epochs=2, shuffle=False, verbose=0,
                            validation_data=(X[:9], ONE_HOT[:9])).history  # fmt: skip
        return [dict(history), model.evaluate(X, ONE_HOT, verbose=0)]

    both(keras3, low_level, run)


def test_a_train_step_that_calls_the_one_it_overrides(keras3):
    def make(keras):
        class Halved(keras.Model):
            def train_step(self, data):
                x, y = data[:2]  # train_on_batch of Keras 3 hands on a None for the weights
                return super().train_step((x * 0.5, y))

            def test_step(self, data):
                x, y = data[:2]
                return super().test_step((x * 0.5, y))

        inputs = keras.Input((4,))
        model = Halved(inputs, keras.layers.Dense(3)(inputs))
        model.compile("sgd", "mse", metrics=["mae"])
        return model

    both(keras3, make, everything(X, ONE_HOT))


def test_a_model_that_is_nothing_but_its_train_step():
    # As variational autoencoders are written up to tf.keras: no call(), no loss, no targets. (Keras 3 wants it built.)
    class Squeeze(kshim.Model):
        def __init__(self):
            super().__init__()
            self.encoder = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(2)])
            self.decoder = kshim.Sequential([kshim.Input((2,)), kshim.layers.Dense(4)])
            self.tracker = kshim.metrics.Mean(name="loss")

        @property
        def metrics(self):
            return [self.tracker]

        def train_step(self, data):
            loss = ((self.decoder(self.encoder(data)) - data) ** 2).mean()
            self.zero_grad()
            loss.backward()
            self.optimizer.apply([v.grad for v in self.trainable_weights], self.trainable_weights)
            self.tracker.update_state(loss)
            return {"loss": self.tracker.result()}

    model = Squeeze()
    model.compile("adam")
    losses = model.fit(X, epochs=5, batch_size=22, verbose=0).history["loss"]
    assert losses == sorted(losses, reverse=True)
    assert model.train_on_batch(X) < losses[-1]


# -- frozen layers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "between"])
def test_frozen_layers_stay_as_they_are(when, keras3):
    def run(keras, model):
        if when == "before":
            model.layers[0].trainable = False
        model.compile(keras.optimizers.Adam(0.01), "mse")
        model.fit(X, ONE_HOT, batch_size=8, shuffle=False, verbose=0)
        model.layers[0].trainable = False
        model.compile(keras.optimizers.Adam(0.01), "mse")
        frozen = model.layers[0].get_weights()
        model.fit(X, ONE_HOT, batch_size=8, shuffle=False, verbose=0)
        assert_same(model.layers[0].get_weights(), frozen, 0, 0)
        model.layers[0].trainable = True
        model.compile(keras.optimizers.Adam(0.01), "mse")
        model.fit(X, ONE_HOT, batch_size=8, shuffle=False, verbose=0)
        assert np.abs(model.layers[0].get_weights()[0] - frozen[0]).max() > 0
        return model.evaluate(X, ONE_HOT, verbose=0)

    both(keras3, classifier, run)


# -- what does not show in numbers ---------------------------------------------------------------------------------

READS = ("item", "cpu", "numpy", "tolist", "__float__", "__int__", "__bool__", "__array__")


@pytest.mark.parametrize("validate", [False, True])
def test_no_batch_reads_from_the_device(validate, monkeypatch):
    model = kshim.Sequential([
        kshim.Input((4,)), kshim.layers.Dense(5, activation="tanh", kernel_regularizer="l2"), kshim.layers.Dropout(0.5),
        kshim.layers.Dense(3, activation="softmax", activity_regularizer="l2"),
    ])  # fmt: skip
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy", "mae"], weighted_metrics=["mse"])
    own = {id(model.optimizer.iterations), id(model.optimizer._rate)}  # these two live on the host
    reads = []

    def counting(name, real):
        def read(self, *args, **kwargs):
            if id(self) not in own:
                reads.append(name)
            return real(self, *args, **kwargs)

        return read

    def run(batches):
        reads.clear()
        rows = batches * 2
        x, y, w = torch.rand(rows, 4), torch.rand(rows, 3), torch.rand(rows)
        model.fit(x, y, sample_weight=w, batch_size=2, epochs=1, verbose=0,
                  validation_data=(x, y, w) if validate else None)  # fmt: skip
        return list(reads)

    for name in READS:
        monkeypatch.setattr(torch.Tensor, name, counting(name, getattr(torch.Tensor, name)))
    once = run(1)
    assert once  # the epoch's own numbers, read at its end
    assert run(40) == once


SCRIPT = """
import numpy as np
import torch
import kshim as keras

def train(*layers):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), *layers])
    x, y = np.random.rand(50, 4), np.random.rand(50, 2)
    model.compile("adam", "mse")
    model.fit(x, y, epochs=3, batch_size=8, verbose=0, validation_split=0.1)
    print(np.concatenate([w.ravel() for w in model.get_weights()]).tobytes().hex())

np.random.seed(7)
train(keras.layers.Dense(2))
train(keras.layers.Dropout(0.5), keras.layers.Dense(2))
keras.utils.set_random_seed(7)
train(keras.layers.Dropout(0.5), keras.layers.Dense(2))
torch.manual_seed(3)  # the user's choice holds from here on
train(keras.layers.Dropout(0.5), keras.layers.Dense(2))
assert torch.initial_seed() == 3
"""


def test_a_seed_makes_a_script_repeat_bit_for_bit():
    # numpy's seed fixes weights, order and dropout, as in Keras 1 and 2.
    runs = [subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (run.communicate(timeout=120)[0].split() for run in runs)
    assert [len(line) for line in first] == [8 * 58] * 4
    assert first == second
    assert first[0] != first[1]

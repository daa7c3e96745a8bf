"""Bad input: Keras' exception class, and a message with the object, the expectation, what came, and the way out."""

import signal
import threading
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import kshim

RNG = np.random.default_rng(3)
X = RNG.normal(size=(12, 4)).astype("float32")
LABELS = RNG.integers(0, 3, 12)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
REAL = RNG.normal(size=(12, 3)).astype("float32")


def model(keras, loss="mse", units=3, activation=None, **arguments):
    """A compiled model from 4 features to ``units``."""
    made = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(units, activation=activation, name="out")], name="net"
    )
    made.compile("sgd", loss, **arguments)
    return made


def two(keras, **arguments):
    """A compiled model of two inputs and two outputs, all named."""
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate()([a, b])
    made = keras.Model(
        [a, b], [keras.layers.Dense(3, name="kind")(joined), keras.layers.Dense(1, name="size")(joined)], name="two"
    )
    made.compile("sgd", **{"loss": "mse", **arguments})
    return made


def fit(keras, x=X, y=ONE_HOT, loss="mse", **arguments):
    return model(keras, loss).fit(x, y, verbose=0, **arguments)


class Nothing:
    """What is neither a number nor an array."""

    def __repr__(self):
        return "<Nothing>"


class Row(NamedTuple):
    """A call, what kshim raises, and what Keras 3 raises where that is something else (None: nothing) and why."""

    call: Any  # call(keras)
    error: type
    match: str
    keras: Any = "the same"
    why: str = ""


ROWS = {
    # -- data --------------------------------------------------------------------------------------------------------
    "too few features": Row(
        lambda k: fit(k, X[:, :3]),
        ValueError,
        r"Input 0 .* of layer 'net'.*expected shape=\(None, 4\), found shape=\(12, 3\)",
    ),
    "too many axes": Row(
        lambda k: fit(k, X[:, :, None, None]), ValueError, r"expected shape=\(None, 4\).*Received: .*\(12, 4, 1, 1\)"
    ),
    "predict, wrong shape": Row(
        lambda k: model(k).predict(X[:, :2], verbose=0), ValueError, r"expected shape=\(None, 4\)"
    ),
    "predict_on_batch, wrong shape": Row(
        lambda k: model(k).predict_on_batch(X[:, :2]), ValueError, r"expected shape=\(None, 4\)"
    ),
    "call, wrong shape": Row(lambda k: model(k)(X[:, :2]), ValueError, r"expected shape=\(None, 4\)"),
    "evaluate, wrong shape": Row(
        lambda k: model(k).evaluate(X[:, :2], ONE_HOT, verbose=0), ValueError, r"expected shape=\(None, 4\)"
    ),
    "layer, wrong shape": Row(
        lambda k: [layer := k.layers.Dense(2, name="hidden"), layer(X), layer(X[:, :3])],
        ValueError,
        r"Dense 'hidden'.*expected axis -1 of input shape to have value 4.*Received: shape=\(12, 3\)",
    ),
    "layer, too few axes": Row(
        lambda k: k.layers.Dense(2, name="hidden")(X[0]),
        ValueError,
        r"Dense 'hidden'.*expected min_ndim=2",
    ),
    "one array for two inputs": Row(
        lambda k: two(k).fit(X, [REAL, X[:, :1]], verbose=0),
        ValueError,
        r"'two': expected 2 input\(s\), \['a', 'b'\]. Received: 1 array",
    ),
    "three arrays for two inputs": Row(
        lambda k: two(k).predict([X, X[:, :2], X], verbose=0),
        ValueError,
        r"'two': expected 2 input\(s\).*Received: 3 array",
    ),
    "two arrays for one input": Row(
        lambda k: model(k).predict([X, X], verbose=0),
        ValueError,
        r"'net': expected 1 input\(s\).*Received: 2 array",
        None,
        "it takes the first",
    ),
    "an input's name left out": Row(
        lambda k: two(k).predict({"a": X, "bb": X[:, :2]}, verbose=0),
        ValueError,
        r"'two': expected inputs named \['a', 'b'\]. Received: \['a', 'bb'\], without \['b'\]. Did you mean 'bb'\?",
    ),
    "one array of targets for two outputs": Row(
        lambda k: two(k).fit([X, X[:, :2]], REAL, verbose=0),
        ValueError,
        r"'two': expected 2 arrays of targets.*\['kind', 'size'\]. Received: 1",
        KeyError,
        "that no path leads there; a ValueError up to tf.keras",
    ),
    "three arrays of targets": Row(
        lambda k: two(k).fit([X, X[:, :2]], [REAL, REAL, REAL], verbose=0),
        ValueError,
        r"expected 2 arrays of targets.*Received: 3",
    ),
    "a target's name left out": Row(
        lambda k: two(k).fit([X, X[:, :2]], {"kind": REAL, "sise": X[:, :1]}, verbose=0),
        ValueError,
        r"expected targets for \['kind', 'size'\]. Received: \['kind', 'sise'\]",
    ),
    "unequal lengths of x and y": Row(
        lambda k: fit(k, X, ONE_HOT[:10]),
        ValueError,
        r"Data cardinality is ambiguous.*Expected equal lengths. Received: 'x' sizes: 12, 'y' sizes: 10",
    ),
    "unequal lengths of inputs": Row(
        lambda k: two(k).predict([X, X[:7, :2]], verbose=0), ValueError, r"cardinality.*'x' sizes: 12, 7"
    ),
    "unequal lengths of weights": Row(
        lambda k: fit(k, sample_weight=np.ones(5)), ValueError, r"cardinality.*'sample_weight' sizes: 5"
    ),
    "unequal lengths in validation_data": Row(
        lambda k: fit(k, validation_data=(X, ONE_HOT[:3])), ValueError, r"cardinality.*'x' sizes: 12, 'y' sizes: 3"
    ),
    "unequal lengths in evaluate": Row(
        lambda k: model(k).evaluate(X, ONE_HOT[:3], verbose=0), ValueError, "cardinality"
    ),
    "unequal lengths in train_on_batch": Row(
        lambda k: model(k).train_on_batch(X, ONE_HOT[:3]),
        ValueError,
        "cardinality",
        RuntimeError,
        "torch's own, from the loss",
    ),
    "empty": Row(
        lambda k: fit(k, X[:0], ONE_HOT[:0]),
        ValueError,
        "The data is empty: expected at least one sample. Received: 'x' sizes: 0",
    ),
    "empty, predict": Row(
        lambda k: model(k).predict(X[:0], verbose=0), ValueError, "The data is empty", UnboundLocalError, "from within"
    ),
    "empty, evaluate": Row(lambda k: model(k).evaluate(X[:0], ONE_HOT[:0], verbose=0), ValueError, "The data is empty"),
    "empty list": Row(lambda k: fit(k, [], []), ValueError, "The data is empty", KeyError, "from within"),
    "no data": Row(
        lambda k: model(k).fit(verbose=0), ValueError, "'net': expected data. Received: x=None", KeyError, "from within"
    ),
    "no targets": Row(
        lambda k: model(k).fit(X, verbose=0),
        ValueError,
        r"'net': expected targets for loss='mse'. Received: y=None. Call fit\(x, y\)",
    ),
    "no targets, evaluate": Row(
        lambda k: model(k).evaluate(X, verbose=0), ValueError, r"expected targets.*Received: y=None"
    ),
    "no targets, train_on_batch": Row(
        lambda k: model(k).train_on_batch(X), ValueError, r"expected targets.*Received: y=None"
    ),
    "a single number": Row(
        lambda k: model(k).predict(3.0, verbose=0), ValueError, r"expected an array with a batch axis. Received: .* 3.0"
    ),
    "strings": Row(
        lambda k: fit(k, np.array([["a", "b", "c", "d"]] * 12)),
        ValueError,
        r"Invalid dtype in x: expected numbers. Received: dtype <U1.*to_categorical",
    ),
    "strings as targets": Row(
        lambda k: fit(k, y=np.array(["cat"] * 12)),
        ValueError,
        r"Invalid dtype in y: expected numbers. Received: dtype <U3",
    ),
    "a list of strings": Row(lambda k: fit(k, y=["cat"] * 12), ValueError, r"Invalid dtype in y"),
    "objects": Row(
        lambda k: fit(k, np.array([[Nothing()] * 4] * 12)),
        ValueError,
        r"Invalid dtype in x.*Received: objects that are no numbers",
    ),
    "a ragged list": Row(lambda k: fit(k, [[1, 2, 3, 4], [1, 2]], ONE_HOT[:2]), ValueError, r"x.*Received"),
    "a string": Row(lambda k: fit(k, "data"), ValueError, r"Invalid dtype in x.*Received: dtype <U4, str"),
    "an object": Row(lambda k: fit(k, Nothing()), ValueError, r"Invalid dtype in x.*Received: .*Nothing"),
    "dates": Row(
        lambda k: fit(k, np.zeros((12, 4), "datetime64[s]")),
        ValueError,
        r"Invalid dtype in x.*Received: dtype datetime64",
    ),
    "strings as weights": Row(lambda k: fit(k, sample_weight=["a"] * 12), ValueError, "Invalid dtype in sample_weight"),
    "weights of a wrong shape": Row(
        lambda k: fit(k, sample_weight=np.ones((12, 2))),
        ValueError,
        r"sample_weight: expected a shape that broadcasts.*Received: shape \(12, 2\)",
        RuntimeError,
        "torch's own",
    ),
    # -- targets and losses ------------------------------------------------------------------------------------------
    "targets too wide": Row(
        lambda k: fit(k, y=np.ones((12, 5))),
        ValueError,
        r"Received: y_true.shape=\(12, 5\), y_pred.shape=\(12, 3\)",
        RuntimeError,
        "torch's own",
    ),
    "sparse targets for categorical_crossentropy": Row(
        lambda k: fit(k, y=LABELS, loss="categorical_crossentropy"),
        ValueError,
        r"categorical_crossentropy.*shape \(one-hot labels\).*For integer labels use sparse_categorical_crossentropy",
    ),
    "a column for categorical_crossentropy": Row(
        lambda k: fit(k, y=LABELS[:, None], loss="categorical_crossentropy"),
        ValueError,
        r"use sparse_categorical_crossentropy",
    ),
    "one-hot targets for sparse_categorical_crossentropy": Row(
        lambda k: fit(k, y=ONE_HOT, loss="sparse_categorical_crossentropy"),
        ValueError,
        r"For one-hot labels use categorical_crossentropy",
    ),
    "targets for binary_crossentropy": Row(
        lambda k: fit(k, y=np.ones((12, 2)), loss="binary_crossentropy"),
        ValueError,
        r"Received: y_true.shape=\(12, 2\), y_pred.shape=\(12, 3\)",
    ),
    # -- fit's arguments ---------------------------------------------------------------------------------------------
    "validation_split of 1": Row(
        lambda k: fit(k, validation_split=1.0),
        ValueError,
        "`validation_split` must be between 0 and 1. Received: validation_split=1.0",
    ),
    "validation_split above 1": Row(lambda k: fit(k, validation_split=3), ValueError, "Received: validation_split=3"),
    "validation_split below 0": Row(
        lambda k: fit(k, validation_split=-0.1),
        ValueError,
        "Received: validation_split=-0.1",
        None,
        "it trains on all rows",
    ),
    "validation_split that leaves nothing": Row(
        lambda k: fit(k, X[:2], ONE_HOT[:2], validation_split=0.9),
        ValueError,
        "contains 2 samples, which is not enough.*Received: validation_split=0.9",
    ),
    "validation_split as a string": Row(
        lambda k: fit(k, validation_split="0.2"), TypeError, "Received: validation_split='0.2'"
    ),
    "validation_data, x alone": Row(
        lambda k: fit(k, validation_data=X), ValueError, r"`validation_data`: expected a tuple \(x, y\)"
    ),
    "validation_data of four": Row(
        lambda k: fit(k, validation_data=(X, ONE_HOT, LABELS, X)),
        ValueError,
        r"`validation_data`.*Received: tuple of length 4",
    ),
    "batch_size of 0": Row(
        lambda k: fit(k, batch_size=0),
        ValueError,
        "'net': expected `batch_size` to be an int above 0. Received: batch_size=0",
        None,
        "0 means the default",
    ),
    "batch_size below 0": Row(lambda k: fit(k, batch_size=-2), ValueError, "Received: batch_size=-2"),
    "batch_size as a float": Row(lambda k: fit(k, batch_size=2.5), ValueError, "Received: batch_size=2.5"),
    "batch_size as a string": Row(
        lambda k: model(k).predict(X, batch_size="8", verbose=0),
        ValueError,
        "Received: batch_size='8'",
        TypeError,
        "from a division",
    ),
    "epochs as a float": Row(
        lambda k: fit(k, epochs=2.5), TypeError, "expected `epochs` to be an int.*Received: epochs=2.5"
    ),
    "epochs as a string": Row(lambda k: fit(k, epochs="2"), TypeError, "Received: epochs='2'"),
    "steps_per_epoch as a float": Row(
        lambda k: fit(k, steps_per_epoch=1.5), TypeError, "Received: steps_per_epoch=1.5"
    ),
    "steps_per_epoch below 0": Row(lambda k: fit(k, steps_per_epoch=-1), ValueError, "Received: steps_per_epoch=-1"),
    "validation_freq as a string": Row(
        lambda k: fit(k, validation_split=0.5, validation_freq="often"), ValueError, "Received: validation_freq='often'"
    ),
    "class_weight as a list": Row(
        lambda k: fit(k, class_weight=[1.0, 2.0]),
        ValueError,
        r"`class_weight` to be a dict.*Received: class_weight=\[1.0, 2.0\]",
        AttributeError,
        "from within",
    ),
    "class_weight as a string": Row(
        lambda k: fit(k, class_weight="auto"),
        ValueError,
        "Received: class_weight='auto'",
        AttributeError,
        "from within",
    ),
    "class_weight by name": Row(
        lambda k: fit(k, class_weight={"cat": 2.0}),
        ValueError,
        "class_weight.*Received.*'cat'",
        None,
        "it counts for nothing",
    ),
    "class_weight to a name": Row(
        lambda k: fit(k, class_weight={0: "much"}), ValueError, "class_weight.*Received.*'much'"
    ),
    "class_weight and sample_weight": Row(
        lambda k: fit(k, class_weight={0: 2.0}, sample_weight=np.ones(12)),
        ValueError,
        "Arguments `sample_weight` and `class_weight` cannot be specified at the same time",
    ),
    "class_weight and sample_weight, train_on_batch": Row(
        lambda k: model(k).train_on_batch(X, ONE_HOT, class_weight={0: 2.0}, sample_weight=np.ones(12)),
        ValueError,
        "Arguments `sample_weight` and `class_weight` cannot be specified at the same time",
    ),
    "class_weight for two outputs": Row(
        lambda k: two(k).fit([X, X[:, :2]], [REAL, X[:, :1]], class_weight={0: 1.0}, verbose=0),
        ValueError,
        "`class_weight` is only.*one output",
    ),
    "an unknown argument of fit": Row(lambda k: fit(k, epoch=3), TypeError, "epoch"),
    "a callback that is none": Row(
        lambda k: fit(k, callbacks=["EarlyStopping"]),
        TypeError,
        "`callbacks`.*Received: 'EarlyStopping'",
        AttributeError,
        "from within",
    ),
    # -- compile -----------------------------------------------------------------------------------------------------
    "not compiled, fit": Row(
        lambda k: k.Sequential([k.layers.Dense(2)], name="net").fit(X, X),
        ValueError,
        r"You must call `compile\(\)` before using `fit\(\)`.*Received: Sequential 'net', not compiled",
    ),
    "not compiled, evaluate": Row(
        lambda k: k.Sequential([k.layers.Dense(2)]).evaluate(X, X),
        ValueError,
        r"before using `evaluate\(\)`",
        AttributeError,
        "its torch back end asks for the optimizer first",
    ),
    "not compiled, train_on_batch": Row(
        lambda k: k.Sequential([k.layers.Dense(2)]).train_on_batch(X, X),
        ValueError,
        r"before using `train_on_batch\(\)`",
    ),
    "not compiled, test_on_batch": Row(
        lambda k: k.Sequential([k.layers.Dense(2)]).test_on_batch(X, X), ValueError, r"before using `test_on_batch\(\)`"
    ),
    "no loss": Row(
        lambda k: [m := model(k, None), m.fit(X, ONE_HOT, verbose=0)],
        ValueError,
        r"'net': expected a loss. Received: loss=None.*compile\(\)",
    ),
    "unknown loss": Row(
        lambda k: fit(k, loss="categorical_crosentropy"),
        ValueError,
        r"loss.*Received: 'categorical_crosentropy'. Did you mean 'categorical_crossentropy'\?",
    ),
    "unknown metric": Row(
        lambda k: model(k, metrics=["acuracy"]).fit(X, ONE_HOT, verbose=0),
        ValueError,
        r"metric.*Received: 'acuracy'. Did you mean '\w*accuracy'\?",
    ),
    "unknown optimizer": Row(
        lambda k: k.Sequential([]).compile("adamm", "mse"),
        ValueError,
        r"optimizer.*Received: 'adamm'. Did you mean '[aA]dam'\?",
    ),
    "a loss that is none": Row(
        lambda k: [m := model(k, 3), m.fit(X, ONE_HOT, verbose=0)],
        ValueError,
        "Could not interpret loss identifier.*Received: 3",
    ),
    "an optimizer that is none": Row(
        lambda k: k.Sequential([]).compile(3, "mse"),
        ValueError,
        "Could not interpret optimizer identifier.*Received: 3",
    ),
    "a metric that is none": Row(
        lambda k: [m := model(k, metrics=[Nothing()]), m.fit(X, ONE_HOT, verbose=0)],
        ValueError,
        "Could not interpret metric identifier.*Received: <Nothing>",
    ),
    "unknown key of a loss dict": Row(
        lambda k: [m := two(k, loss={"kind": "mse", "sise": "mse"}), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)],
        ValueError,
        r"`loss`: expected keys among .* outputs \['kind', 'size'\]. Received: the key 'sise'. Did you mean 'size'\?",
    ),
    "unknown key of a metrics dict": Row(
        lambda k: [m := two(k, metrics={"sise": ["mae"]}), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)],
        ValueError,
        r"`metrics`.*Did you mean 'size'\?",
    ),
    "unknown key of a loss_weights dict": Row(
        lambda k: [m := two(k, loss_weights={"sise": 1.0}), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)],
        ValueError,
        r"`loss_weights`.*Did you mean 'size'\?",
        None,
        "it takes the place of the only loss",
    ),
    "three losses for two outputs": Row(
        lambda k: [m := two(k, loss=["mse"] * 3), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)],
        ValueError,
        r"`loss`: expected one entry for each of the 2 outputs.*Received: 3 entries",
        KeyError,
        "that no path leads there; a ValueError up to tf.keras",
    ),
    "loss_weights of a wrong length": Row(
        lambda k: [m := two(k, loss_weights=[1.0]), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)],
        ValueError,
        r"`loss_weights`.*Received: 1 entries",
        None,
        "it is taken for both",
    ),
    "names as loss_weights": Row(
        lambda k: [m := model(k, loss_weights=["accuracy"]), m.fit(X, ONE_HOT, verbose=0)],
        ValueError,
        r"`loss_weights`: expected numbers. Received: 'accuracy'. Metrics are given as metrics=",
    ),
    # -- layers' arguments -------------------------------------------------------------------------------------------
    "units below 0": Row(
        lambda k: k.layers.Dense(-3, name="out"),
        ValueError,
        "Dense.*: expected `units` to be an int above 0. Received: units=-3",
    ),
    "units of 0": Row(lambda k: k.layers.Dense(0), ValueError, "Received: units=0"),
    "units as a float": Row(lambda k: k.layers.Dense(2.5), ValueError, "Received: units=2.5"),
    "units as a string": Row(lambda k: k.layers.Dense("10"), ValueError, "Received: units='10'"),
    "units as None": Row(lambda k: k.layers.Dense(None), ValueError, "Received: units=None"),
    "units as a bool": Row(lambda k: k.layers.Dense(True), ValueError, "Received: units=True", None, "True is 1"),
    "no units": Row(lambda k: k.layers.Dense(), TypeError, "units"),
    "huge units": Row(
        lambda k: k.Sequential([k.Input((4,)), k.layers.Dense(2**62, name="out")]),
        RuntimeError,
        r"\[4, 4611686018427387904\]",
    ),
    "dropout of 2": Row(
        lambda k: k.layers.Dropout(2), ValueError, r"Dropout.*`rate` to be a number in \[0, 1\]. Received: rate=2"
    ),
    "dropout as a string": Row(
        lambda k: k.layers.Dropout("half"), ValueError, "Received: rate='half'", TypeError, "from a comparison"
    ),
    "unknown activation": Row(
        lambda k: k.layers.Dense(2, activation="relul"),
        ValueError,
        r"activation.*Received: 'relul'. Did you mean 'relu'\?",
    ),
    "unknown activation layer": Row(lambda k: k.layers.Activation("sofmax"), ValueError, r"Did you mean 'softmax'\?"),
    "unknown initializer": Row(
        lambda k: k.layers.Dense(2, kernel_initializer="glorot_unifrom"),
        ValueError,
        r"initializer.*Received: 'glorot_unifrom'. Did you mean 'glorot_uniform'\?",
    ),
    "unknown regularizer": Row(
        lambda k: k.layers.Dense(2, kernel_regularizer="l22"),
        ValueError,
        r"regularizer.*Received: 'l22'. Did you mean 'l2'\?",
    ),
    "unknown constraint": Row(
        lambda k: k.layers.Dense(2, kernel_constraint="max_nrom"),
        ValueError,
        r"constraint.*Received: 'max_nrom'. Did you mean 'max_norm'\?",
    ),
    "an activation that is none": Row(lambda k: k.layers.Dense(2, activation=3), ValueError, "activation.*Received: 3"),
    "unknown layer argument": Row(
        lambda k: k.layers.Dense(2, activatoin="relu"),
        ValueError,
        r"Unrecognized keyword arguments passed to Dense.*Received: {'activatoin': 'relu'}.*mean 'activation'\?",
    ),
    "unknown optimizer argument": Row(
        lambda k: k.optimizers.SGD(momentun=0.9),
        ValueError,
        r"SGD.*Received: {'momentun': 0.9}. Did you mean 'momentum'\?",
    ),
    "learning rate as a string": Row(
        lambda k: k.optimizers.SGD("fast"), ValueError, "SGD.*`learning_rate`.*Received: learning_rate='fast'"
    ),
    "clipnorm and clipvalue": Row(
        lambda k: k.optimizers.SGD(clipnorm=1.0, clipvalue=1.0), ValueError, "only one of `clipnorm`.*Received"
    ),
    "a name that is no string": Row(
        lambda k: k.layers.Dense(2, name=3), ValueError, "Dense: expected `name` to be a string. Received: name=3"
    ),
    "a negative size": Row(
        lambda k: k.Input((-4,)), ValueError, r"expected a shape, a tuple of sizes and None. Received: shape=\(-4,\)"
    ),
    "a size of infinity": Row(lambda k: k.Input((float("inf"),)), ValueError, r"Received: shape=\(inf,\)"),
    "a size of nan": Row(lambda k: k.Input((float("nan"),)), ValueError, r"Received: shape=\(nan,\)"),
    "a size as a string": Row(lambda k: k.Input(("four",)), ValueError, r"Received: shape=\('four',\)"),
    "no shape": Row(lambda k: k.Input(), ValueError, "expected one of `shape` and `batch_shape`"),
    "unknown last axis": Row(
        lambda k: k.layers.Dense(2, name="out")(k.Input((None,))),
        ValueError,
        "Dense 'out'.*last axis is known.*Received",
    ),
    "a list of numbers in the place of a tensor": Row(
        lambda k: model(k)([[1.0, 2.0, 3.0, 4.0]]), ValueError, r"'net': expected 1 input\(s\).*Received: 4 array"
    ),
    "a string in the place of a tensor": Row(
        lambda k: k.layers.Dense(2, name="out")("text"), (ValueError, TypeError), r"Received: .*(text|str)"
    ),
    "Lambda without a function": Row(
        lambda k: k.layers.Lambda(3), TypeError, "Lambda.*expected a callable. Received: function=3"
    ),
    "Concatenate of shapes that do not fit": Row(
        lambda k: k.layers.Concatenate(name="join")([k.Input((4, 2)), k.Input((3, 5))]),
        ValueError,
        r"(Concatenate|join).*Received",
    ),
    "Add of shapes that do not fit": Row(
        lambda k: k.layers.Add(name="sum")([k.Input((4,)), k.Input((3,))]), ValueError, r"(Add|sum).*Received"
    ),
    "Reshape that does not fit": Row(
        lambda k: k.layers.Reshape((3, 5), name="turn")(k.Input((4,))), ValueError, "(Reshape|turn).*Received"
    ),
    "Permute that does not fit": Row(lambda k: k.layers.Permute((1, 3)), ValueError, "Permute.*Received"),
    # -- models ------------------------------------------------------------------------------------------------------
    "Sequential adds a number": Row(
        lambda k: k.Sequential(name="net").add(3),
        ValueError,
        r"Sequential 'net': only layers can be added.*Received: 3",
    ),
    "Sequential adds a class": Row(
        lambda k: k.Sequential([k.layers.Dense]), ValueError, "only layers can be added.*Received: .*Dense"
    ),
    "Sequential adds None": Row(
        lambda k: k.Sequential([k.layers.Dense(2), None]), ValueError, "only layers can be added.*Received: None"
    ),
    "the same name twice": Row(
        lambda k: k.Sequential([k.layers.Dense(2, name="out"), k.layers.Dense(2, name="out")]),
        ValueError,
        "unique names. Received: 'out'.*another `name`",
    ),
    "the same name twice in a graph": Row(
        lambda k: [a := k.Input((4,)), k.Model(a, k.layers.Dense(4, name="out")(k.layers.Dense(4, name="out")(a)))],
        ValueError,
        "different names. Received: 'out' twice",
    ),
    "layers that do not fit": Row(
        lambda k: k.Sequential([k.Input((4,)), k.layers.Flatten(), k.layers.Reshape((3, 2))]),
        ValueError,
        "Reshape.*Received",
    ),
    "Input in the middle": Row(
        lambda k: k.Sequential([k.layers.Dense(2), k.Input((4,))]),
        ValueError,
        "expected its Input as the first layer. Received",
        None,
        "it fails as soon as it is built",
    ),
    "pop of nothing": Row(
        lambda k: k.Sequential(name="net").pop(),
        IndexError,
        "'net': there is no layer to pop. Received: an empty model",
    ),
    "an empty model, predict": Row(
        lambda k: k.Sequential(name="net").predict(X, verbose=0), ValueError, r"net.*no layers.*`model.add\(layer\)`"
    ),
    "an empty model, build": Row(
        lambda k: k.Sequential(name="net").build((None, 4)), ValueError, "cannot be built because it has no layers"
    ),
    "outputs without inputs": Row(
        lambda k: k.Model(outputs=k.Input((4,))),
        (ValueError, TypeError),
        "both `inputs` and `outputs`.*Received: only `outputs`",
    ),
    "outputs of other inputs": Row(
        lambda k: k.Model(k.Input((4,)), k.layers.Dense(2)(k.Input((4,), name="other"))),
        ValueError,
        "other|not connected|follow",
    ),
    "numbers as inputs": Row(
        lambda k: k.Model(X, X),
        ValueError,
        "symbolic tensors as `inputs` and `outputs`. Received: ndarray. Begin with Input",
    ),
    "a model without call": Row(
        lambda k: type("Bare", (k.Model,), {})(name="bare")(X), NotImplementedError, r"Bare 'bare'.*`call\(\)` method"
    ),
    "a layer without call": Row(
        lambda k: type("Bare", (k.layers.Layer,), {})(name="bare")(X),
        NotImplementedError,
        r"Bare 'bare'.*`call\(\)` method",
    ),
    "unknown layer name": Row(
        lambda k: model(k).get_layer("ouf"),
        ValueError,
        r"No such layer: 'ouf'. Expected one of \['out'\].*Did you mean 'out'\?",
    ),
    "layer index out of range": Row(
        lambda k: model(k).get_layer(index=7),
        ValueError,
        "'net': expected an index of one of its 1 layers. Received: index=7",
    ),
    "layer by name and index": Row(
        lambda k: model(k).get_layer("out", 0), ValueError, "one of `name` and `index`. Received: name='out', index=0"
    ),
    "not built, summary": Row(
        lambda k: k.Sequential([k.layers.Dense(2)], name="net").count_params(),
        ValueError,
        r"count_params.*'net'.*isn't built.*build\(input_shape\)",
    ),
    "not built, layer weights": Row(
        lambda k: k.layers.Dense(2, name="out").set_weights([X]),
        ValueError,
        r"Dense 'out'.*not built yet: call `out.build\(input_shape\)`",
    ),
    "set_weights, too few": Row(
        lambda k: model(k).set_weights([X]),
        ValueError,
        r"`set_weights\(weights\)` on .*'net' with a list of 1 arrays: expected 2.*Received: shapes \[\(12, 4\)\]",
    ),
    "set_weights, too many": Row(
        lambda k: model(k).set_weights([X] * 3), ValueError, "with a list of 3 arrays: expected 2"
    ),
    "set_weights, a wrong shape": Row(
        lambda k: model(k).set_weights([np.ones((4, 3)), np.ones(2)]),
        ValueError,
        r"'net': weight 1 \('bias'\) expected shape \(3,\). Received: shape \(2,\)",
    ),
    "labels above the classes": Row(
        lambda k: fit(k, y=LABELS + 1, loss="sparse_categorical_crossentropy"),
        ValueError,
        "expected labels from 0 to 2, as output 'out' has 3 classes. Received: labels from 1 to 3. Number the classes",
        IndexError,
        "torch's own, from the loss",
    ),
    "labels below 0": Row(
        lambda k: fit(k, y=LABELS - 1, loss="sparse_categorical_crossentropy"),
        ValueError,
        "Received: labels from -1 to 1",
        IndexError,
        "torch's own, from the loss",
    ),
    "labels of nan": Row(
        lambda k: fit(k, y=np.where(LABELS == 1, np.nan, LABELS), loss="sparse_categorical_crossentropy"),
        ValueError,
        "Received: labels from nan to nan",
        IndexError,
        "torch's own, from the loss",
    ),
    "labels out of range, evaluate": Row(
        lambda k: model(k, "sparse_categorical_crossentropy").evaluate(X, LABELS + 1, verbose=0),
        ValueError,
        "Received: labels from 1 to 3",
        IndexError,
        "torch's own, from the loss",
    ),
    "labels out of range in validation_data": Row(
        lambda k: fit(k, y=LABELS, loss="sparse_categorical_crossentropy", validation_data=(X, LABELS + 1)),
        ValueError,
        "Received: labels from 1 to 3",
        IndexError,
        "torch's own, from the loss",
    ),
    "labels out of range, train_on_batch": Row(
        lambda k: model(k, "sparse_categorical_crossentropy").train_on_batch(X, LABELS + 7),
        ValueError,
        "Received: labels from 7 to 9",
        IndexError,
        "torch's own, from the loss",
    ),
    "layers is written to": Row(lambda k: setattr(model(k), "layers", []), AttributeError, "`layers` is reserved"),
}
every = pytest.mark.parametrize("name", ROWS)

# Python's own words, and torch's: no "Received:" in them.
WORDED_ELSEWHERE = {"an unknown argument of fit", "no units"}


@every
def test_message(name):
    row = ROWS[name]
    with pytest.raises(row.error, match=f"(?s){row.match}") as caught:
        row.call(kshim)
    assert name in WORDED_ELSEWHERE or "Received" in str(caught.value)


def test_rows_that_differ_from_keras_say_why():
    assert [name for name, row in ROWS.items() if (row.keras == "the same") == bool(row.why)] == []


@every
@pytest.mark.filterwarnings("ignore")
def test_exception_class_is_keras(name, keras3):
    row = ROWS[name]
    if row.keras is None:
        row.call(keras3)
        return
    expected = row.error if row.keras == "the same" else row.keras
    with pytest.raises(expected):
        row.call(keras3)


# -- nothing changes where something is refused --------------------------------------------------------------------


def refused(call, made, match=None):
    """``call`` raises, and weights, optimizer state, mode and gradients of ``made`` are what they were."""
    made.predict(X, verbose=0)
    weights, steps = made.get_weights(), int(made.optimizer.iterations)
    with pytest.raises((ValueError, TypeError, OSError), match=match):
        call(made)
    for mine, before in zip(made.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, before)
    assert int(made.optimizer.iterations) == steps
    assert not made.training
    assert all(p.grad is None for p in made.parameters())


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.set_weights([np.ones((4, 3)), np.ones(2)]),
        lambda m: m.set_weights([np.ones((4, 3)), "text"]),
        lambda m: m.set_weights([np.ones((4, 3))]),
        lambda m: m.fit(X[:, :2], ONE_HOT, verbose=0),
        lambda m: m.fit(X, ONE_HOT[:3], verbose=0),
        lambda m: m.fit(X, np.ones((12, 5)), verbose=0),
        lambda m: m.fit(X, ONE_HOT, sample_weight=np.ones((12, 2)), verbose=0),
        lambda m: m.fit(X, ONE_HOT, validation_data=(X, None), verbose=0),
        lambda m: m.fit(X, ONE_HOT, validation_data=(X, ONE_HOT[:3]), verbose=0),
        lambda m: m.fit(X, ONE_HOT, epochs=2.5, verbose=0),
        lambda m: m.fit(X, ONE_HOT, callbacks=[None, 3], verbose=0),
        lambda m: m.train_on_batch(X, np.ones((12, 5))),
        lambda m: m.test_on_batch(X, np.ones((12, 5))),
        lambda m: m.evaluate(X, np.ones((12, 5)), verbose=0),
        lambda m: m.predict(X[:, :2], verbose=0),
    ],
)
def test_a_refused_call_changes_nothing(call):
    refused(call, model(kshim))


def test_a_refused_file_changes_nothing(tmp_path):
    h5py = pytest.importorskip("h5py")
    other = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(5, name="out")])
    other.save_weights(tmp_path / "other.weights.h5")
    model(kshim).save_weights(tmp_path / "half.weights.h5")
    with h5py.File(tmp_path / "half.weights.h5", "a") as file:
        names = []
        file.visit(lambda name: names.append(name) if isinstance(file[name], h5py.Dataset) else None)
        kernels = [name for name in names if name.startswith("layers/")]
        assert kernels
        del file[kernels[-1]]
    (tmp_path / "text.weights.h5").write_text("no HDF5")
    (tmp_path / "empty.weights.h5").write_bytes(b"")
    for name in ("other", "half", "text", "empty", "missing"):
        refused(lambda m, name=name: m.load_weights(tmp_path / f"{name}.weights.h5"), model(kshim))
    refused(lambda m: m.load_weights(tmp_path / "weights.txt"), model(kshim), "Received:")


def test_a_layer_that_does_not_fit_leaves_the_stack_as_it_was():
    stack = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(3, name="out")])
    for layer in (3, kshim.layers.Reshape((5, 5)), kshim.layers.Dense(2, name="out")):
        with pytest.raises(ValueError, match="Received"):
            stack.add(layer)
    assert [layer.name for layer in stack.layers] == ["out"]
    assert stack.predict(X, verbose=0).shape == (12, 3)
    stack.add(kshim.layers.Dense(2))
    assert stack.output_shape == (None, 2)


def test_one_layer_may_stand_in_a_stack_twice(keras3):
    made = []
    for keras in (kshim, keras3):
        shared = keras.layers.Dense(4, activation="tanh")
        made.append(keras.Sequential([keras.Input((4,)), shared, shared]))
    mine, theirs = made
    mine.set_weights([np.asarray(w) for w in theirs.get_weights()])
    np.testing.assert_allclose(mine.predict(X, verbose=0), theirs.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    assert len(mine.get_weights()) == 2
    mine.pop()
    assert len(mine.get_weights()) == 2
    np.testing.assert_allclose(mine.predict(X, verbose=0), np.tanh(X @ mine.get_weights()[0]), rtol=1e-5, atol=1e-6)


# -- nan -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["mse", "mae", "categorical_crossentropy"])
@pytest.mark.parametrize("where", ["targets", "inputs", "weights"])
def test_nan_is_computed_with_as_keras_does(loss, where, keras3):
    # No exception: the loss is nan from there on, and so are the weights that it reaches.
    x, y, weights = X.copy(), ONE_HOT.copy(), np.ones(12, "float32")
    {"targets": y, "inputs": x, "weights": weights[:, None]}[where][9, 0] = np.nan
    results = []
    made = [model(keras, loss, activation="softmax", metrics=["accuracy"]) for keras in (kshim, keras3)]
    made[0].set_weights([np.asarray(w) for w in made[1].get_weights()])
    for each in made:
        history = each.fit(x, y, sample_weight=weights, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        results.append([*history["loss"], *history["accuracy"], *each.evaluate(x, y, verbose=0)])
        results[-1] += [value for w in each.get_weights() for value in np.ravel(w)]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)
    assert np.isnan(results[0][:2]).all()


def test_ignored_labels_may_be_any_number():
    loss = kshim.losses.SparseCategoricalCrossentropy(ignore_class=255)
    y = LABELS.copy()
    y[:4] = 255
    made = model(kshim, loss, activation="softmax")
    assert np.isfinite(made.fit(X, y, verbose=0).history["loss"]).all()
    with pytest.raises(ValueError, match="Received: labels from 0 to 254"):
        made.fit(X, np.where(y == 255, 254, y), verbose=0)


def test_labels_of_a_subclassed_model_are_checked_too():
    class Own(kshim.Model):
        def __init__(self):
            super().__init__()
            self.out = kshim.layers.Dense(3, activation="softmax")

        def call(self, inputs):
            return self.out(inputs)

    made = Own()
    made.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"expected labels from 0 to 2.*Received: labels from 1 to 3"):
        made.fit(X, LABELS + 1, verbose=0)


# -- interrupts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def ctrl_c():
    """Python's own answer to Ctrl-C, also where the run was started in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def by_raising():
    raise KeyboardInterrupt


def by_signal():
    signal.raise_signal(signal.SIGINT)


def from_a_thread():
    thread = threading.Thread(target=signal.pthread_kill, args=(threading.main_thread().ident, signal.SIGINT))
    thread.start()
    thread.join()
    for _ in range(1000):  # the signal is heard between two instructions, here or in what runs next
        pass


HOOKS = (
    "on_train_begin",
    "on_epoch_begin",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_batch_end",
    "on_test_end",
    "on_epoch_end",
)


@pytest.mark.parametrize("interrupt", [by_raising, by_signal, from_a_thread])
@pytest.mark.parametrize("hook", HOOKS)
def test_an_interrupt_leaves_a_usable_model(hook, interrupt, ctrl_c):
    made = kshim.Sequential(
        [
            kshim.Input((4,)),
            kshim.layers.Dense(5, activation="relu", activity_regularizer="l2"),
            kshim.layers.Dropout(0.5),
            kshim.layers.Dense(3, activation="softmax"),
        ]
    )
    made.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    before = made.get_weights()
    count = 0

    def once(*args):
        nonlocal count
        count += 1
        if count == 2 or hook == "on_train_begin":
            interrupt()

    with pytest.raises(KeyboardInterrupt):
        made.fit(X, ONE_HOT, batch_size=4, epochs=4, validation_split=0.4, verbose=0,
                 callbacks=[kshim.callbacks.LambdaCallback(**{hook: once})])  # fmt: skip
    assert all(np.isfinite(w).all() for w in made.get_weights())
    if hook != "on_train_begin":
        assert any((w != b).any() for w, b in zip(made.get_weights(), before, strict=True))
        # Whole epochs are in the history, whichever way the last one ended.
        within_first = "batch" in hook
        assert len(made.history.history.get("loss", [])) == (0 if within_first else 1)
    usable(made)


def test_an_interrupt_in_the_middle_of_steps_leaves_a_usable_model(ctrl_c):
    # Delivered by a timer: in the forward pass, the backward pass, the update, wherever training is just then.
    made = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(64, activation="relu"), kshim.layers.Dense(3)])
    made.compile("adam", "mse", metrics=["mae"])
    for delay in (0.02, 0.03, 0.05, 0.08):
        timer = threading.Timer(delay, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            timer.start()
            made.fit(X, ONE_HOT, batch_size=2, epochs=20_000, verbose=0)
        usable(made)


def usable(made):
    """The model is in inference mode, without gradients, and predicts, evaluates and trains."""
    assert not any(module.training for module in made.modules())
    assert all(p.grad is None and p.requires_grad for p in made.parameters())
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    outputs = made.predict(X, verbose=0)
    assert np.isfinite(outputs).all()
    np.testing.assert_array_equal(made.predict(X, verbose=0), outputs)  # no dropout
    assert np.isfinite(made.evaluate(X, ONE_HOT, verbose=0)).all()
    history = made.fit(X, ONE_HOT, epochs=2, verbose=0).history
    assert len(history["loss"]) == 2
    assert np.isfinite(history["loss"]).all()
    assert all(p.grad is None for p in made.parameters())


def test_an_interrupted_prediction_leaves_a_usable_model(ctrl_c):
    made = model(kshim)
    for run in (
        lambda callbacks: made.predict(X, verbose=0, callbacks=callbacks),
        lambda callbacks: made.evaluate(X, ONE_HOT, verbose=0, callbacks=callbacks),
    ):
        stop = kshim.callbacks.LambdaCallback(
            on_predict_batch_end=lambda batch, logs: by_signal(), on_test_batch_end=lambda batch, logs: by_signal()
        )
        with pytest.raises(KeyboardInterrupt):
            run([stop])
        usable(made)


def test_an_error_in_a_callback_leaves_a_usable_model():
    made = model(kshim)

    def fail(batch, logs):
        raise RuntimeError("of the user's own")

    with pytest.raises(RuntimeError, match="of the user's own"):
        made.fit(X, ONE_HOT, verbose=0, callbacks=[kshim.callbacks.LambdaCallback(on_train_batch_end=fail)])
    usable(made)

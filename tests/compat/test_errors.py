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
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation, name="out")], name="net")
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
        lambda k: fit(k, X[:, :3]), ValueError, r"Input 0 .* of layer 'net'.*expected shape=\(None, 4\), found shape=\(12, 3\)"
    ),
    "too many axes": Row(lambda k: fit(k, X[:, :, None, None]), ValueError, r"expected shape=\(None, 4\).*Received: .*\(12, 4, 1, 1\)"),
    "predict, wrong shape": Row(lambda k: model(k).predict(X[:, :2], verbose=0), ValueError, r"expected shape=\(None, 4\)"),
    "predict_on_batch, wrong shape": Row(lambda k: model(k).predict_on_batch(X[:, :2]), ValueError, r"expected shape=\(None, 4\)"),
    "call, wrong shape": Row(lambda k: model(k)(X[:, :2]), ValueError, r"expected shape=\(None, 4\)"),
    "evaluate, wrong shape": Row(
        lambda k: model(k).evaluate(X[:, :2], ONE_HOT, verbose=0), ValueError, r"expected shape=\(None, 4\)"
    ),
    "layer, wrong shape": Row(
        lambda k: [layer := k.layers.Dense(2, name="hidden"), layer(X), layer(X[:, :3])], ValueError,
        r"Dense 'hidden'.*expected axis -1 of input shape to have value 4.*Received: shape=\(12, 3\)"
    ),
    "layer, too few axes": Row(
        lambda k: k.layers.Dense(2, name="hidden")(X[0, 0]), ValueError, r"Dense 'hidden'.*expected min_ndim=2",
    ),
    "one array for two inputs": Row(
        lambda k: two(k).fit(X, [REAL, X[:, :1]], verbose=0), ValueError, r"'two': expected 2 input\(s\), \['a', 'b'\]. Received: 1 array"
    ),
    "three arrays for two inputs": Row(
        lambda k: two(k).predict([X, X[:, :2], X], verbose=0), ValueError, r"'two': expected 2 input\(s\).*Received: 3 array"
    ),
    "two arrays for one input": Row(
        lambda k: model(k).predict([X, X], verbose=0), ValueError, r"'net': expected 1 input\(s\).*Received: 2 array"
    ),
    "an input's name left out": Row(
        lambda k: two(k).predict({"a": X, "bb": X[:, :2]}, verbose=0), ValueError,
        r"'two': expected inputs named \['a', 'b'\]. Received: \['a', 'bb'\]. Missing: \['b'\]. Did you mean 'bb'\?", KeyError,
    ),
    "one array of targets for two outputs": Row(
        lambda k: two(k).fit([X, X[:, :2]], REAL, verbose=0), ValueError,
        r"'two': expected 2 arrays of targets.*\['kind', 'size'\]. Received: 1", 
    ),
    "three arrays of targets": Row(
        lambda k: two(k).fit([X, X[:, :2]], [REAL, REAL, REAL], verbose=0), ValueError, r"expected 2 arrays of targets.*Received: 3"
    ),
    "a target's name left out": Row(
        lambda k: two(k).fit([X, X[:, :2]], {"kind": REAL, "sise": X[:, :1]}, verbose=0), ValueError,
        r"expected targets for \['kind', 'size'\]. Received: \['kind', 'sise'\]",
    ),
    "unequal lengths of x and y": Row(
        lambda k: fit(k, X, ONE_HOT[:10]), ValueError,
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
    "unequal lengths in evaluate": Row(lambda k: model(k).evaluate(X, ONE_HOT[:3], verbose=0), ValueError, "cardinality"),
    "unequal lengths in train_on_batch": Row(lambda k: model(k).train_on_batch(X, ONE_HOT[:3]), ValueError, "cardinality"),
    "empty": Row(lambda k: fit(k, X[:0], ONE_HOT[:0]), ValueError, "The data is empty: expected at least one sample. Received: 'x' sizes: 0"),
    "empty, predict": Row(lambda k: model(k).predict(X[:0], verbose=0), ValueError, "The data is empty"),
    "empty, evaluate": Row(lambda k: model(k).evaluate(X[:0], ONE_HOT[:0], verbose=0), ValueError, "The data is empty"),
    "empty list": Row(lambda k: fit(k, [], []), ValueError, "The data is empty"),
    "no data": Row(lambda k: model(k).fit(verbose=0), ValueError, "'net': expected data. Received: x=None"),
    "no targets": Row(lambda k: model(k).fit(X, verbose=0), ValueError, r"'net': expected targets for loss='mse'. Received: y=None. Call fit\(x, y\)"),
    "no targets, evaluate": Row(lambda k: model(k).evaluate(X, verbose=0), ValueError, r"expected targets.*Received: y=None"),
    "no targets, train_on_batch": Row(lambda k: model(k).train_on_batch(X), ValueError, r"expected targets.*Received: y=None"),
    "a single number": Row(lambda k: model(k).predict(3.0, verbose=0), ValueError, r"expected an array with a batch axis. Received: .* 3.0"),
    "strings": Row(
        lambda k: fit(k, np.array([["a", "b", "c", "d"]] * 12)), ValueError, r"Invalid dtype in x: expected numbers. Received: dtype <U1.*to_categorical"
    ),
    "strings as targets": Row(lambda k: fit(k, y=np.array(["cat"] * 12)), ValueError, r"Invalid dtype in y: expected numbers. Received: dtype <U3"),
    "a list of strings": Row(lambda k: fit(k, y=["cat"] * 12), ValueError, r"Invalid dtype in y"),
    "objects": Row(lambda k: fit(k, np.array([[Nothing()] * 4] * 12)), ValueError, r"Invalid dtype in x.*Received: objects that are no numbers"),
    "a ragged list": Row(lambda k: fit(k, [[1, 2, 3, 4], [1, 2]], ONE_HOT[:2]), ValueError, r"x.*Received"),
    "a string": Row(lambda k: fit(k, "data"), ValueError, r"Invalid dtype in x.*Received: dtype <U4, str"),
    "an object": Row(lambda k: fit(k, Nothing()), ValueError, r"Invalid dtype in x.*Received: .*Nothing"),
    "dates": Row(lambda k: fit(k, np.zeros((12, 4), "datetime64[s]")), ValueError, r"Invalid dtype in x.*Received: dtype datetime64"),
    "strings as weights": Row(lambda k: fit(k, sample_weight=["a"] * 12), ValueError, "Invalid dtype in sample_weight"),
    "weights of a wrong shape": Row(
        lambda k: fit(k, sample_weight=np.ones((12, 2))), ValueError, r"sample_weight: expected a shape that broadcasts.*Received: shape \(12, 2\)"
    ),
    # -- targets and losses ------------------------------------------------------------------------------------------
    "targets too wide": Row(
        lambda k: fit(k, y=np.ones((12, 5))), ValueError, r"Received: y_true.shape=\(12, 5\), y_pred.shape=\(12, 3\)",
    ),
    "sparse targets for categorical_crossentropy": Row(
        lambda k: fit(k, y=LABELS, loss="categorical_crossentropy"), ValueError,
        r"categorical_crossentropy.*same shape \(one-hot labels\).*For integer labels use sparse_categorical_crossentropy",
    ),
    "a column for categorical_crossentropy": Row(
        lambda k: fit(k, y=LABELS[:, None], loss="categorical_crossentropy"), ValueError, r"use sparse_categorical_crossentropy",
    ),
    "one-hot targets for sparse_categorical_crossentropy": Row(
        lambda k: fit(k, y=ONE_HOT, loss="sparse_categorical_crossentropy"), ValueError, r"For one-hot labels use categorical_crossentropy"
    ),
    "targets for binary_crossentropy": Row(
        lambda k: fit(k, y=np.ones((12, 2)), loss="binary_crossentropy"), ValueError, r"Received: y_true.shape=\(12, 2\), y_pred.shape=\(12, 3\)"
    ),
    # -- fit's arguments ---------------------------------------------------------------------------------------------
    "validation_split of 1": Row(lambda k: fit(k, validation_split=1.0), ValueError, "`validation_split` must be between 0 and 1. Received: validation_split=1.0"),
    "validation_split above 1": Row(lambda k: fit(k, validation_split=3), ValueError, "Received: validation_split=3"),
    "validation_split below 0": Row(lambda k: fit(k, validation_split=-0.1), ValueError, "Received: validation_split=-0.1"),
    "validation_split that leaves nothing": Row(
        lambda k: fit(k, X[:2], ONE_HOT[:2], validation_split=0.9), ValueError, "contains 2 samples, which is not enough.*Received: validation_split=0.9"
    ),
    "validation_split as a string": Row(lambda k: fit(k, validation_split="0.2"), ValueError, "Received: validation_split='0.2'", TypeError, "from within numpy"),
    "validation_data, x alone": Row(lambda k: fit(k, validation_data=X), ValueError, r"`validation_data`: expected a tuple \(x, y\)"),
    "validation_data of four": Row(lambda k: fit(k, validation_data=(X, ONE_HOT, LABELS, X)), ValueError, r"`validation_data`.*Received: tuple of length 4"),
    "batch_size of 0": Row(lambda k: fit(k, batch_size=0), ValueError, "'net': expected `batch_size` to be an int above 0. Received: batch_size=0", ZeroDivisionError),
    "batch_size below 0": Row(lambda k: fit(k, batch_size=-2), ValueError, "Received: batch_size=-2"),
    "batch_size as a float": Row(lambda k: fit(k, batch_size=2.5), ValueError, "Received: batch_size=2.5"),
    "batch_size as a string": Row(lambda k: model(k).predict(X, batch_size="8", verbose=0), ValueError, "Received: batch_size='8'"),
    "epochs as a float": Row(lambda k: fit(k, epochs=2.5), ValueError, "expected `epochs` to be an int.*Received: epochs=2.5", TypeError),
    "epochs as a string": Row(lambda k: fit(k, epochs="2"), ValueError, "Received: epochs='2'", TypeError),
    "steps_per_epoch as a float": Row(lambda k: fit(k, steps_per_epoch=1.5), ValueError, "Received: steps_per_epoch=1.5", TypeError),
    "steps_per_epoch below 0": Row(lambda k: fit(k, steps_per_epoch=-1), ValueError, "Received: steps_per_epoch=-1", None),
    "validation_freq as a string": Row(lambda k: fit(k, validation_split=0.5, validation_freq="often"), ValueError, "Received: validation_freq='often'"),
    "class_weight as a list": Row(lambda k: fit(k, class_weight=[1.0, 2.0]), ValueError, r"`class_weight` to be a dict.*Received: class_weight=\[1.0, 2.0\]"),
    "class_weight as a string": Row(lambda k: fit(k, class_weight="auto"), ValueError, "Received: class_weight='auto'"),
    "class_weight by name": Row(lambda k: fit(k, class_weight={"cat": 2.0}), ValueError, "class_weight.*Received.*'cat'"),
    "class_weight to a name": Row(lambda k: fit(k, class_weight={0: "much"}), ValueError, "class_weight.*Received.*'much'"),
    "class_weight and sample_weight": Row(
        lambda k: fit(k, class_weight={0: 2.0}, sample_weight=np.ones(12)), ValueError, "You cannot use `class_weight` and `sample_weight` at the same time"
    ),
    "class_weight and sample_weight, train_on_batch": Row(
        lambda k: model(k).train_on_batch(X, ONE_HOT, class_weight={0: 2.0}, sample_weight=np.ones(12)), ValueError,
        "Arguments `sample_weight` and `class_weight` cannot be specified at the same time",
    ),
    "class_weight for two outputs": Row(
        lambda k: two(k).fit([X, X[:, :2]], [REAL, X[:, :1]], class_weight={0: 1.0}, verbose=0), ValueError, "`class_weight` is only.*one output"
    ),
    "an unknown argument of fit": Row(lambda k: fit(k, epoch=3), TypeError, "epoch"),
    "a callback that is none": Row(lambda k: fit(k, callbacks=["EarlyStopping"]), (ValueError, TypeError), "EarlyStopping", AttributeError),
    # -- compile -----------------------------------------------------------------------------------------------------
    "not compiled, fit": Row(
        lambda k: k.Sequential([k.layers.Dense(2)], name="net").fit(X, X), ValueError,
        r"You must call `compile\(\)` before using `fit\(\)`.*Received: Sequential 'net', not compiled"
    ),
    "not compiled, evaluate": Row(lambda k: k.Sequential([k.layers.Dense(2)]).evaluate(X, X), ValueError, r"before using `evaluate\(\)`"),
    "not compiled, train_on_batch": Row(lambda k: k.Sequential([k.layers.Dense(2)]).train_on_batch(X, X), ValueError, r"before using `train_on_batch\(\)`"),
    "not compiled, test_on_batch": Row(lambda k: k.Sequential([k.layers.Dense(2)]).test_on_batch(X, X), ValueError, r"before using `test_on_batch\(\)`"),
    "no loss": Row(lambda k: [m := model(k, None), m.fit(X, ONE_HOT, verbose=0)], ValueError, r"'net': expected a loss. Received: loss=None.*compile\(\)"),
    "unknown loss": Row(lambda k: model(k, "categorical_crosentropy"), ValueError, r"loss.*Received: 'categorical_crosentropy'. Did you mean 'categorical_crossentropy'\?"),
    "unknown metric": Row(lambda k: model(k, metrics=["acuracy"]), ValueError, r"metric.*Received: 'acuracy'. Did you mean '\w*accuracy'\?"),
    "unknown optimizer": Row(lambda k: k.Sequential([]).compile("adamm", "mse"), ValueError, r"optimizer.*Received: 'adamm'. Did you mean '[aA]dam'\?"),
    "a loss that is none": Row(lambda k: [m := model(k, 3), m.fit(X, ONE_HOT, verbose=0)], ValueError, "Could not interpret loss identifier.*Received: 3"),
    "an optimizer that is none": Row(lambda k: k.Sequential([]).compile(3, "mse"), ValueError, "Could not interpret optimizer identifier.*Received: 3"),
    "a metric that is none": Row(
        lambda k: [m := model(k, metrics=[Nothing()]), m.fit(X, ONE_HOT, verbose=0)], ValueError, "Could not interpret metric identifier.*Received: <Nothing>"
    ),
    "unknown key of a loss dict": Row(
        lambda k: [m := two(k, loss={"kind": "mse", "sise": "mse"}), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)], ValueError,
        r"`loss`: expected keys among the model's outputs \['kind', 'size'\]. Received: the key 'sise'. Did you mean 'size'\?",
    ),
    "unknown key of a metrics dict": Row(
        lambda k: [m := two(k, metrics={"sise": ["mae"]}), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)], ValueError, r"`metrics`.*Did you mean 'size'\?",
    ),
    "unknown key of a loss_weights dict": Row(
        lambda k: [m := two(k, loss_weights={"sise": 1.0}), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)], ValueError, r"`loss_weights`.*Did you mean 'size'\?",
    ),
    "three losses for two outputs": Row(
        lambda k: [m := two(k, loss=["mse"] * 3), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)], ValueError,
        r"`loss`: expected one entry for each of the 2 outputs.*Received: 3 entries",
    ),
    "loss_weights of a wrong length": Row(
        lambda k: [m := two(k, loss_weights=[1.0]), m.fit([X, X[:, :2]], [REAL, X[:, :1]], verbose=0)], ValueError, r"`loss_weights`.*Received: 1 entries",
    ),
    "metrics in the place of loss_weights": Row(lambda k: [m := k.Sequential([k.layers.Dense(3)]), m.compile("sgd", "mse", ["accuracy"]), m.fit(X, ONE_HOT, verbose=0)],
        ValueError, r"`loss_weights`: expected numbers. Received: 'accuracy'. For metrics write metrics=\['accuracy'\]"),
    # -- layers' arguments -------------------------------------------------------------------------------------------
    "units below 0": Row(lambda k: k.layers.Dense(-3, name="out"), ValueError, "Dense.*: expected `units` to be an int above 0. Received: units=-3"),
    "units of 0": Row(lambda k: k.layers.Dense(0), ValueError, "Received: units=0"),
    "units as a float": Row(lambda k: k.layers.Dense(2.5), ValueError, "Received: units=2.5"),
    "units as a string": Row(lambda k: k.layers.Dense("10"), ValueError, "Received: units='10'"),
    "units as None": Row(lambda k: k.layers.Dense(None), ValueError, "Received: units=None"),
    "units as a bool": Row(lambda k: k.layers.Dense(True), ValueError, "Received: units=True", None),
    "no units": Row(lambda k: k.layers.Dense(), TypeError, "units"),
    "huge units": Row(lambda k: k.Sequential([k.Input((4,)), k.layers.Dense(2**62, name="out")]), ValueError, "out.*(memory|too large|shape)", (RuntimeError, MemoryError)),
    "dropout of 2": Row(lambda k: k.layers.Dropout(2), ValueError, r"Dropout.*`rate` to be a number in \[0, 1\]. Received: rate=2"),
    "dropout as a string": Row(lambda k: k.layers.Dropout("half"), ValueError, "Received: rate='half'"),
    "unknown activation": Row(lambda k: k.layers.Dense(2, activation="relul"), ValueError, r"activation.*Received: 'relul'. Did you mean 'relu'\?"),
    "unknown activation layer": Row(lambda k: k.layers.Activation("sofmax"), ValueError, r"Did you mean 'softmax'\?"),
    "unknown initializer": Row(lambda k: k.layers.Dense(2, kernel_initializer="glorot_unifrom"), ValueError, r"initializer.*Received: 'glorot_unifrom'. Did you mean 'glorot_uniform'\?"),
    "unknown regularizer": Row(lambda k: k.layers.Dense(2, kernel_regularizer="l3"), ValueError, r"regularizer.*Received: 'l3'. Did you mean '[lL]\d'\?"),
    "unknown constraint": Row(lambda k: k.layers.Dense(2, kernel_constraint="max_nrom"), ValueError, r"constraint.*Received: 'max_nrom'. Did you mean 'max_norm'\?"),
    "an activation that is none": Row(lambda k: k.layers.Dense(2, activation=3), ValueError, "activation.*Received: 3"),
    "unknown layer argument": Row(
        lambda k: k.layers.Dense(2, activatoin="relu"), ValueError, r"Unrecognized keyword arguments passed to Dense.*Received: {'activatoin': 'relu'}. Did you mean 'activation'\?",
    ),
    "unknown optimizer argument": Row(lambda k: k.optimizers.SGD(momentun=0.9), ValueError, r"SGD.*Received: {'momentun': 0.9}. Did you mean 'momentum'\?"),
    "learning rate as a string": Row(lambda k: k.optimizers.SGD("fast"), ValueError, "SGD.*`learning_rate`.*Received: learning_rate='fast'"),
    "clipnorm and clipvalue": Row(lambda k: k.optimizers.SGD(clipnorm=1.0, clipvalue=1.0), ValueError, "only one of `clipnorm`.*Received"),
    "a name that is no string": Row(lambda k: k.layers.Dense(2, name=3), ValueError, "Dense: expected `name` to be a string. Received: name=3"),
    "a negative size": Row(lambda k: k.Input((-4,)), ValueError, r"expected a shape, a tuple of sizes and None. Received: shape=\(-4,\)"),
    "a size of infinity": Row(lambda k: k.Input((float("inf"),)), ValueError, r"Received: shape=\(inf,\)"),
    "a size of nan": Row(lambda k: k.Input((float("nan"),)), ValueError, r"Received: shape=\(nan,\)"),
    "a size as a string": Row(lambda k: k.Input(("four",)), ValueError, r"Received: shape=\('four',\)"),
    "no shape": Row(lambda k: k.Input(), ValueError, "expected one of `shape` and `batch_shape`"),
    "unknown last axis": Row(lambda k: k.layers.Dense(2, name="out")(k.Input((None,))), ValueError, "Dense 'out'.*last axis is known.*Received"),
    "a list of numbers in the place of a tensor": Row(lambda k: model(k)([[1.0, 2.0, 3.0, 4.0]]), (ValueError, TypeError), r"Received: .*(list|float)", None),
    "a string in the place of a tensor": Row(lambda k: k.layers.Dense(2, name="out")("text"), (ValueError, TypeError), r"Received: .*(text|str)"),
    "Lambda without a function": Row(lambda k: k.layers.Lambda(3), TypeError, "Lambda.*expected a callable. Received: function=3", None),
    "Concatenate of shapes that do not fit": Row(
        lambda k: k.layers.Concatenate(name="join")([k.Input((4, 2)), k.Input((3, 5))]), ValueError, r"(Concatenate|join).*Received"
    ),
    "Concatenate of one": Row(lambda k: k.layers.Concatenate(name="join")([k.Input((4,))]), ValueError, r"join.*Received", None),
    "Add of shapes that do not fit": Row(lambda k: k.layers.Add(name="sum")([k.Input((4,)), k.Input((3,))]), ValueError, r"(Add|sum).*Received"),
    "Reshape that does not fit": Row(lambda k: k.layers.Reshape((3, 5), name="turn")(k.Input((4,))), ValueError, "(Reshape|turn).*Received"),
    "Permute that does not fit": Row(lambda k: k.layers.Permute((1, 3)), ValueError, "Permute.*Received"),
    # -- models ------------------------------------------------------------------------------------------------------
    "Sequential adds a number": Row(lambda k: k.Sequential(name="net").add(3), ValueError, r"Sequential 'net': only layers can be added.*Received: 3"),
    "Sequential adds a class": Row(lambda k: k.Sequential([k.layers.Dense]), ValueError, "only layers can be added.*Received: .*Dense"),
    "Sequential adds None": Row(lambda k: k.Sequential([k.layers.Dense(2), None]), ValueError, "only layers can be added.*Received: None"),
    "the same name twice": Row(
        lambda k: k.Sequential([k.layers.Dense(2, name="out"), k.layers.Dense(2, name="out")]), ValueError, "unique names. Received: 'out'.*another `name`"
    ),
    "the same layer twice": Row(lambda k: [d := k.layers.Dense(2), k.Sequential([d, d])], ValueError, "unique names"),
    "the same name twice in a graph": Row(
        lambda k: [a := k.Input((4,)), k.Model(a, k.layers.Dense(4, name="out")(k.layers.Dense(4, name="out")(a)))], ValueError, "different names. Received: 'out' twice"
    ),
    "layers that do not fit": Row(
        lambda k: k.Sequential([k.Input((4,)), k.layers.Flatten(), k.layers.Reshape((3, 2))]), ValueError, "Reshape.*Received"
    ),
    "Input in the middle": Row(
        lambda k: k.Sequential([k.layers.Dense(2), k.Input((4,))]), ValueError, "expected its Input as the first layer. Received"
    ),
    "pop of nothing": Row(lambda k: k.Sequential(name="net").pop(), IndexError, "'net': there is no layer to pop. Received: an empty model", None),
    "an empty model, predict": Row(lambda k: k.Sequential(name="net").predict(X, verbose=0), ValueError, r"net.*no layers.*`model.add\(layer\)`"),
    "an empty model, build": Row(lambda k: k.Sequential(name="net").build((None, 4)), ValueError, "cannot be built because it has no layers", None),
    "outputs without inputs": Row(lambda k: k.Model(outputs=k.Input((4,))), (ValueError, TypeError), "both `inputs` and `outputs`.*Received: only `outputs`"),
    "outputs of other inputs": Row(
        lambda k: k.Model(k.Input((4,)), k.layers.Dense(2)(k.Input((4,), name="other"))), ValueError, "other|not connected|follow"
    ),
    "numbers as inputs": Row(lambda k: k.Model(X, X), ValueError, "symbolic tensors as `inputs` and `outputs`. Received: ndarray. Begin with Input"),
    "a model without call": Row(lambda k: type("Bare", (k.Model,), {})(name="bare")(X), NotImplementedError, r"Bare 'bare'.*`call\(\)` method"),
    "a layer without call": Row(lambda k: type("Bare", (k.layers.Layer,), {})(name="bare")(X), NotImplementedError, r"Bare 'bare'.*`call\(\)` method"),
    "unknown layer name": Row(lambda k: model(k).get_layer("ouf"), ValueError, r"No such layer: 'ouf'. Expected one of \['out'\].*Did you mean 'out'\?"),
    "layer index out of range": Row(lambda k: model(k).get_layer(index=7), ValueError, "'net': expected an index of one of its 1 layers. Received: index=7"),
    "layer by name and index": Row(lambda k: model(k).get_layer("out", 0), ValueError, "one of `name` and `index`. Received: name='out', index=0"),
    "not built, summary": Row(lambda k: k.Sequential([k.layers.Dense(2)], name="net").count_params(), ValueError, r"count_params.*'net'.*isn't built.*build\(input_shape\)"),
    "not built, layer weights": Row(lambda k: k.layers.Dense(2, name="out").set_weights([X]), ValueError, r"Dense 'out'.*not built yet: call `out.build\(input_shape\)`"),
    "set_weights, too few": Row(lambda k: model(k).set_weights([X]), ValueError, r"`set_weights\(weights\)` on .*'net' with a list of 1 arrays: expected 2.*Received: shapes \[\(12, 4\)\]"),
    "set_weights, too many": Row(lambda k: model(k).set_weights([X] * 3), ValueError, "with a list of 3 arrays: expected 2"),
    "set_weights, a wrong shape": Row(
        lambda k: model(k).set_weights([np.ones((4, 3)), np.ones(2)]), ValueError, r"'net': weight 1 \('bias'\) expected shape \(3,\). Received: shape \(2,\)"
    ),
    "layers is written to": Row(lambda k: setattr(model(k), "layers", []), AttributeError, "`layers` is reserved"),
}  # fmt: skip
every = pytest.mark.parametrize("name", ROWS)


@every
def test_message(name):
    row = ROWS[name]
    with pytest.raises(row.error, match=f"(?s){row.match}"):
        row.call(kshim)


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

"""Whole models as the real Keras 1.2.2, 2.0.8, 2.3.1 and tf.keras write them, and what they give afterwards.

``python make_file_goldens.py VERSION`` in the environment of a version (README.md) writes ``files/VERSION-MODEL.h5``
(tf.keras: ``.keras`` too), and ``files/VERSION.npz`` with, by model, ``x``, ``y``, what it predicts and the losses of
three steps of training that go on from the file. Weights are counting numbers, so nothing is drawn.
"""

import os
import sys
from importlib import import_module

import numpy as np

VERSION = sys.argv[1]
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")
ROOT = "tf_keras" if VERSION == "tf.keras" else "keras"
L = import_module(ROOT + ".layers")
M = import_module(ROOT + ".models")
FIRST = VERSION.startswith("1.")


def count(*shape):
    size = int(np.prod(shape))
    return (((np.arange(size) * 7) % 11 - 5) / 11.0).reshape(shape).astype("float32")


def dense(n, **k):
    return L.Dense(n, **k)


def conv(n, **k):
    k["activation"] = "relu"
    return L.Convolution2D(n, 3, 3, border_mode="same", **k) if FIRST else L.Conv2D(n, 3, padding="same", **k)


def drop_sequences(n, **k):
    k["return_sequences"] = True
    return L.GRU(n, **k)


def mlp():
    return (
        M.Sequential(
            [
                L.Dense(5, activation="tanh", input_shape=(4,), name="hidden"),
                L.Dropout(0.0, name="drop"),
                dense(3, activation="softmax", name="out"),
            ]
        ),
        (6, 4),
        "categorical_crossentropy",
        "adam",
    )


def cnn():
    return (
        M.Sequential(
            [
                conv(3, input_shape=(6, 6, 2), name="conv"),
                L.BatchNormalization(name="norm"),
                L.MaxPooling2D((2, 2), name="pool"),
                L.Flatten(name="flat"),
                dense(2, name="out"),
            ]
        ),
        (5, 6, 6, 2),
        "mse",
        "sgd",
    )


def recurrent():
    return (
        M.Sequential(
            [
                L.Embedding(9, 4, input_length=5, name="embed"),
                L.Bidirectional(L.LSTM(3, return_sequences=True), name="both"),
                drop_sequences(3, name="gru"),
                L.TimeDistributed(dense(4), name="each"),
                L.SimpleRNN(2, name="rnn"),
            ]
        ),
        (4, 5),
        "mse",
        "rmsprop",
    )


def graph():
    first, second = L.Input(shape=(4,), name="first"), L.Input(shape=(4,), name="second")
    shared = dense(3, name="shared", activation="sigmoid")
    a, b = shared(first), shared(second)
    if FIRST:
        joined = L.merge([a, b], mode="concat", name="joined")
        summed = L.merge([a, b], mode="sum", name="summed")
        return M.Model([first, second], [dense(2, name="out")(joined), summed]), (6, 4), "mse", "adagrad"
    joined, summed = L.concatenate([a, b], name="joined"), L.add([a, b], name="summed")
    return M.Model([first, second], [dense(2, name="out")(joined), summed]), (6, 4), "mse", "adagrad"


def nested():
    inner = M.Sequential(
        [L.Dense(3, activation="relu", input_shape=(4,), name="deep"), dense(4, name="wide")], name="inner"
    )
    start = L.Input(shape=(4,), name="start")
    out = dense(2, name="out")(inner(inner(start)))
    return M.Model(start, out, name="outer"), (6, 4), "mse", "adamax"


def gates():
    return (
        M.Sequential([L.LSTM(4, input_shape=(5, 3), name="lstm", return_sequences=True), L.GRU(3, name="gru")]),
        (4, 5, 3),
        "mae",
        "adam",
    )


MODELS = {f.__name__: f for f in (mlp, cnn, recurrent, graph, nested, gates)}


def main():
    told = {}
    for name, make in MODELS.items():
        model, shape, loss, kind = make()
        weights = [np.abs(count(*w.shape)) if "norm" in name else count(*w.shape) for w in model.get_weights()]
        if name == "cnn":
            weights = [np.abs(w) + 0.5 if w.ndim == 1 else w for w in weights]
        model.set_weights(weights)
        inputs = len(model.inputs)
        x = [np.abs(count(*shape)) * 8 // 1 if name == "recurrent" else count(*shape) + i for i in range(inputs)]
        x = x if inputs > 1 else x[0]
        outputs = model.predict(x)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        y = [np.abs(count(*o.shape)) for o in outputs]
        if "crossentropy" in loss:
            y = [one / one.sum(-1, keepdims=True) for one in y]
        y = y if len(y) > 1 else y[0]
        if VERSION == "2.3.1" and kind.startswith("ada") and kind != "adagrad":
            kind = "rmsprop"  # Adam's count of steps is read before or after it moves, as TensorFlow's threads run
        model.compile(optimizer=kind, loss=loss, metrics=["mae"])
        for _ in range(3):
            model.train_on_batch(x, y)
        ends = [".h5"] + ([".keras"] if VERSION == "tf.keras" else [])
        for end in ends:
            model.save(os.path.join(FOLDER, VERSION + "-" + name + end))
        model = M.load_model(os.path.join(FOLDER, VERSION + "-" + name + ends[-1]))
        after = model.predict(x)
        losses = [np.ravel(model.train_on_batch(x, y))[0] for _ in range(3)]
        for part, value in (("x", x), ("y", y), ("predicted", after)):
            for i, array in enumerate(value if isinstance(value, list) else [value]):
                told["%s/%s/%d" % (name, part, i)] = array
        told[name + "/losses"] = np.array(losses)
    np.savez_compressed(os.path.join(FOLDER, VERSION + ".npz"), **told)


main()

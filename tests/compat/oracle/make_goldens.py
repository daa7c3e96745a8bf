"""Write what an old Keras computes to one .npz: ``python make_goldens.py OUTPUT.npz``.

Runs unchanged inside Keras 1.2.2 and 2.3.1 (README.md has the environments and the key layout); the layers that
differ between the two stand in ``layer_rows.py``. Inputs and weights are counting numbers, never random, so that a
transposed kernel cannot agree by luck.
"""

import contextlib
import io
import json
import os
import platform
import sys
import time
from typing import Callable, List, NamedTuple
from unittest import mock

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import layer_rows
import numpy as np
import tensorflow
from keras import activations, constraints, layers, metrics, optimizers, regularizers
from keras import backend as K
from keras.layers import Activation, Dense, Dropout, Flatten, Input, Lambda, Masking, Permute, RepeatVector, Reshape
from keras.models import Model, Sequential
from layer_rows import counting, with_empty_steps

KERAS_1 = keras.__version__.startswith("1.")
if KERAS_1:
    from keras import initializations as initializers
    from keras import objectives as losses
else:
    from keras import initializers, losses

NAMES_IN_KERAS_1 = {
    "units": "output_dim",
    "use_bias": "bias",
    "rate": "p",
    "epochs": "nb_epoch",
    "inputs": "input",
    "outputs": "output",
}
MODES_IN_KERAS_1 = {"Add": "sum", "Multiply": "mul", "Average": "ave", "Maximum": "max", "Concatenate": "concat"}


def spelled(**arguments):
    """Keras 2 keyword arguments under the names of the Keras that runs."""
    return {NAMES_IN_KERAS_1.get(key, key) if KERAS_1 else key: value for key, value in arguments.items()}


def text(value):
    """A 0-d string array: `value` itself, or its JSON when it is no string."""
    if not isinstance(value, str):
        value = json.dumps(value, sort_keys=True, default=lambda number: number.item())
    return np.array(value)


def as_list(x):
    return list(x) if isinstance(x, (list, tuple)) else [x]


def unwrapped(items):
    return items[0] if len(items) == 1 else items


# ---------- layers


class Row(NamedTuple):
    """A layer or model to be called once on `inputs` (numpy arrays with the batch axis)."""

    name: str
    make: Callable
    inputs: List[np.ndarray]
    weights: Callable = layer_rows.weights


def merge(name):
    """The layer class `name` of Keras 2, or the ``Merge`` of Keras 1 that does the same."""
    return layers.Merge(mode=MODES_IN_KERAS_1[name]) if KERAS_1 else getattr(layers, name)()


def twice_plus_one(x):
    return x * 2 + 1


def mlp(last="softmax"):
    """The 5-4-3 model of the ``layer``, ``train`` and ``training`` rows, with counting weights."""
    model = Sequential(
        [Dense(input_shape=(5,), activation="tanh", **spelled(units=4)), Dense(activation=last, **spelled(units=3))]
    )
    model.set_weights([counting(w.shape) for w in model.get_weights()])
    return model


def two_in_two_out():
    """Two inputs through one shared Dense; one output from both, one from the second."""
    first, second = Input(shape=(5,), name="first"), Input(shape=(5,), name="second")
    shared = Dense(activation="tanh", name="shared", **spelled(units=4))
    a, b = shared(first), shared(second)
    both = Dense(name="both", **spelled(units=3))(merge("Concatenate")([a, b]))
    single = Dense(activation="sigmoid", name="single", **spelled(units=2))(b)
    return Model(**spelled(inputs=[first, second], outputs=[both, single]))


MATRIX, SEQUENCE, IMAGE = counting((3, 5)), counting((3, 4, 5)), counting((2, 3, 4, 5))
ACTIVATIONS = [
    name
    for name in (
        "softmax",
        "elu",
        "selu",
        "softplus",
        "softsign",
        "relu",
        "tanh",
        "sigmoid",
        "hard_sigmoid",
        "exponential",
        "linear",
    )
    if hasattr(activations, name)
]
MERGES = [("Add", 2), ("Add", 3), ("Multiply", 2), ("Average", 2), ("Maximum", 2), ("Concatenate", 2)]

LAYERS = [
    Row("dense", lambda: Dense(**spelled(units=4)), [MATRIX]),
    Row("dense_relu", lambda: Dense(activation="relu", **spelled(units=4)), [MATRIX]),
    Row("dense_no_bias", lambda: Dense(**spelled(units=4, use_bias=False)), [MATRIX]),
    Row("dense_3d", lambda: Dense(**spelled(units=4)), [SEQUENCE]),
    Row("flatten", Flatten, [IMAGE]),
    Row("reshape", lambda: Reshape((10, 2)), [SEQUENCE]),
    Row("reshape_unknown", lambda: Reshape((-1, 2)), [SEQUENCE]),
    Row("permute", lambda: Permute((3, 1, 2)), [IMAGE]),
    Row("repeat_vector", lambda: RepeatVector(3), [MATRIX]),
    Row("masking", lambda: Masking(mask_value=0.0), [with_empty_steps(SEQUENCE)]),
    Row("dropout", lambda: Dropout(**spelled(rate=0.5)), [MATRIX]),
    Row("lambda", lambda: Lambda(twice_plus_one), [MATRIX]),
    Row("mlp", mlp, [MATRIX]),
    Row("two_in_two_out", two_in_two_out, [MATRIX, counting((3, 5), 2)]),
]
LAYERS += [Row("activation_" + name, lambda name=name: Activation(name), [counting((3, 5), 8)]) for name in ACTIVATIONS]
LAYERS += [
    Row(
        "{}_{}".format(name.lower(), n),
        lambda name=name: merge(name),
        [counting((3, 5), (-1) ** i * (i + 1)) for i in range(n)],
    )
    for name, n in MERGES
]
LAYERS += [
    Row(name, make, inputs, layer_rows.positive if name in layer_rows.NORMALIZED else layer_rows.weights)
    for name, (make, inputs) in sorted(layer_rows.rows(keras, keras.__version__).items())
]


def layer_row(row):
    """Output at inference, its gradients for a fixed cotangent, the config; of normalizations a step of training."""
    K.clear_session()
    layer = row.make()
    inputs = [Input(shape=x.shape[1:]) for x in row.inputs]
    outputs = as_list(layer(unwrapped(inputs)))
    weights = row.weights(layer.get_weights())
    layer.set_weights(weights)

    def run(tensors, phase=0, updates=()):
        return K.function(inputs + [K.learning_phase()], tensors, list(updates))(row.inputs + [phase])

    values = run(outputs)
    cotangents = [1 + counting(value.shape) for value in values]
    total = sum(K.sum(y * cotangent) for y, cotangent in zip(outputs, cotangents))
    leaves = inputs + layer.trainable_weights
    found = [
        K.zeros_like(leaf) if gradient is None else tensorflow.convert_to_tensor(gradient)
        for leaf, gradient in zip(leaves, K.gradients(total, leaves))
    ]
    gradients = run(found)
    parts = {
        "input": row.inputs,
        "weight": weights,
        "output": values,
        "cotangent": cotangents,
        "grad_input": gradients[: len(inputs)],
        "grad_weight": gradients[len(inputs) :],
    }
    if isinstance(layer, Masking):
        parts["mask"] = run([layer.compute_mask(inputs[0], None)])
    if row.weights is layer_rows.positive:
        parts["trained_output"] = run(outputs, 1, layer.updates)
        parts["trained_weight"] = layer.get_weights()
    out = {"{}/{}".format(part, i): array for part, arrays in parts.items() for i, array in enumerate(arrays)}
    config = layer.get_config()
    if isinstance(layer, Lambda):
        del config["function"]  # marshalled byte code: differs with the Python
    out["config"] = text("" if "marshalled" in str(config) or callable(getattr(layer, "mode", None)) else config)
    return out


# ---------- losses and metrics

SATURATED = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 1], [1e-8, 1 - 1e-7, 0]], "float32")
TARGETS = {  # case -> predictions, classes
    "inside": ((np.arange(12).reshape(4, 3) + 1) / 13, np.array([0, 2, 1, 1])),
    "saturated": (SATURATED, np.array([2, 0, 0, 1, 2, 0])),
    "sequence": ((np.arange(24).reshape(2, 3, 4) + 1) / 25, np.array([[0, 2, 1], [3, 3, 0]])),
}
LOSSES = [
    name
    for name in (
        "mean_squared_error",
        "mean_absolute_error",
        "binary_crossentropy",
        "categorical_crossentropy",
        "sparse_categorical_crossentropy",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
        "logcosh",
        "kullback_leibler_divergence",
        "poisson",
        "cosine_proximity",
    )
    if hasattr(losses, name)
]
METRICS = ["binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"]


def targets(case):
    """Predictions, one-hot targets and class numbers (with a last axis of 1) of a case, all float32."""
    predictions, classes = TARGETS[case]
    arrays = predictions, np.eye(predictions.shape[-1])[classes], classes[..., None]
    return dict(zip(("y_pred", "one_hot", "classes"), (a.astype("float32") for a in arrays)))


def on_targets(function, case):
    """The function's value on a case and, but for accuracies, the gradient of its sum for y_pred."""
    K.clear_session()
    data = targets(case)
    y_pred = data["y_pred"]
    y_true = data["classes" if function.__name__.startswith("sparse") else "one_hot"]
    true, pred = K.placeholder(shape=y_true.shape), K.placeholder(shape=y_pred.shape)
    value = function(true, pred)
    gradients = [g for g in K.gradients(K.sum(value), [pred]) if g is not None]
    return dict(zip(("value", "grad"), K.function([true, pred], [value] + gradients)([y_true, y_pred])))


# ---------- initializers, regularizers, constraints

INITIALIZERS = [
    "zero",
    "one",
    "uniform",
    "normal",
    "lecun_uniform",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "orthogonal",
    "identity",
]
if not KERAS_1:
    INITIALIZERS += ["constant", "truncated_normal", "lecun_normal"]
WEIGHT = counting((4, 5), 2) * np.array([0.25, 0.5, 1, 1.5, 2], "float32")  # column norms 0.3 to 2.3
# name -> attribute of the module, arguments
REGULARIZERS = {"l1": ("l1", (0.02,)), "l2": ("l2", (0.03,)), "l1_l2": ("l1l2" if KERAS_1 else "l1_l2", (0.02, 0.03))}
CONSTRAINTS = {
    "maxnorm": ("MaxNorm", (1.0,)),
    "unitnorm": ("UnitNorm", ()),
    "nonneg": ("NonNeg", ()),
    "minmax": ("MinMaxNorm", (0.5, 1.0)),
    "minmax_rate": ("MinMaxNorm", (0.5, 1.0, 0.25)),
}


def initializer_rows():
    """[mean, std, min, max] of each initializer, numpy's seed set to 0 before each draw."""
    for name in INITIALIZERS:
        square = name == "identity" and KERAS_1
        for shape in [(200, 200) if square else (200, 300), (3, 3, 8, 16)]:
            if name == "identity" and len(shape) > 2:
                continue
            K.clear_session()
            np.random.seed(0)
            ordering = {"dim_ordering": "tf"} if KERAS_1 else {}
            draw = initializers.get(name)(shape, **ordering)
            draw = draw if isinstance(draw, np.ndarray) else K.eval(draw)  # identity and orthogonal of 2.3.1
            key = "{}/{}".format(name, "x".join(map(str, shape)))
            yield key, [draw.mean(), draw.std(), draw.min(), draw.max()]


def weight_rows(module, table):
    """Each regularizer or constraint of a table, applied to WEIGHT."""
    for name, (attribute, arguments) in table.items():
        K.clear_session()
        yield name, K.eval(getattr(module, attribute)(*arguments)(K.variable(WEIGHT)))


# ---------- optimizers

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
TRAINED = ["sgd", "sgd_momentum", "sgd_nesterov", "sgd_decay", "rmsprop", "adam", "adagrad"]
START = counting((3,), 3)
GRADIENTS = counting((6, 3), 2) * np.array([1, -1, 1, 1, -1, 1], "float32")[:, None]


def optimizer(name, ordered=True):
    """The optimizer of a row; `ordered` takes away the two races of TF-1 graphs.

    It then takes all gradients before any weight changes (Keras 1.2.2 may read a weight again after its
    update), and leaves `iterations` to the caller (the increment may come before the formula's read).
    """
    kind, arguments = OPTIMIZERS[name]
    method = getattr(optimizers, kind)(**arguments)
    if ordered:
        get_gradients, get_updates = method.get_gradients, method.get_updates

        def uncounted(*args, **kwargs):
            with mock.patch.object(K, "update_add", lambda x, increment: tensorflow.no_op()):
                return get_updates(*args, **kwargs)

        method.get_gradients = lambda loss, params: tensorflow.tuple(get_gradients(loss, params))
        method.get_updates = uncounted
    return method


def trajectory(method, ordered):
    """The variable after each step of GRADIENTS from START."""
    variable, gradient = K.variable(START), K.placeholder(shape=START.shape)
    loss = K.sum(variable * gradient)
    arguments = {"constraints": {}} if KERAS_1 else {}
    step = K.function([gradient], [loss], method.get_updates(params=[variable], loss=loss, **arguments))
    positions = []
    for i, g in enumerate(GRADIENTS):
        if ordered:
            K.set_value(method.iterations, i)
        step([g])
        positions.append(K.get_value(variable))
    return np.stack(positions)


def optimizer_row(name):
    """The trajectory without the races and with them, and the config."""
    out = {}
    for key, ordered in [("trajectory", True), ("trajectory_raced", False)]:
        K.clear_session()
        method = optimizer(name, ordered)
        out[key] = trajectory(method, ordered)
    out["config"] = text(method.get_config())
    return out


# ---------- training

X = counting((16, 5), 4)
CLASSES = np.arange(16) * 7 % 5 % 3
VALUES = counting((16, 3), 2) ** 2 + 0.3  # 0.3: else first gradients cancel to noise, a whole step in Adagrad
Y = {  # loss -> activation of the last layer, targets
    "mean_squared_error": ("linear", VALUES),
    "mean_absolute_error": ("linear", VALUES),
    "binary_crossentropy": ("sigmoid", (np.arange(48) * 5 % 7 % 2).reshape(16, 3)),
    "categorical_crossentropy": ("softmax", np.eye(3)[CLASSES]),
    "sparse_categorical_crossentropy": ("softmax", CLASSES[:, None]),
}
STEPS, BATCH = 20, 8
NOTES = [
    "TF-1 graphs order neither the read of `iterations` and its increment nor, in Keras 1.2.2, the gradients "
    "and the updates of the weights they read. Keys that end in `_raced` are as it ran and differ between "
    "runs (leave them out of tests); all others are made without the races.",
    "training/ texts were printed with the clock stopped, so all times are 0, to a stdout that is no tty.",
    "layer/lambda/config lacks `function`, which is marshalled byte code.",
]


def trained(name, loss, ordered):
    """A fresh model after STEPS train_on_batch, and the loss of each."""
    K.clear_session()
    last, y = Y[loss]
    model = mlp(last)
    model.compile(optimizer=optimizer(name, ordered), loss=loss)
    steps = []
    for i in range(STEPS):
        if ordered:
            K.set_value(model.optimizer.iterations, i)
        batch = slice(i * BATCH % len(X), i * BATCH % len(X) + BATCH)
        steps.append(model.train_on_batch(X[batch], y[batch]))
    return model, np.array(steps, "float32")


def train_row(name, loss):
    """Losses and last weights without the races, and the losses with them."""
    _, raced = trained(name, loss, ordered=False)
    model, steps = trained(name, loss, ordered=True)
    out = {"final/{}".format(i): w for i, w in enumerate(model.get_weights())}
    out.update(loss=steps, loss_raced=raced)
    return out


@contextlib.contextmanager
def printed():
    """What the block prints, with the clock stopped."""
    with mock.patch.object(time, "time", lambda: 1e9), contextlib.redirect_stdout(io.StringIO()) as stream:
        yield stream


def fitted(verbose):
    """A fresh model fitted for two epochs of two batches: model, history, text."""
    K.clear_session()
    model = mlp()
    model.compile(optimizer=optimizer("sgd"), loss="categorical_crossentropy", metrics=["accuracy"])
    with printed() as stream:
        history = model.fit(
            X,
            Y["categorical_crossentropy"][1],
            batch_size=6,
            validation_split=0.25,
            shuffle=False,
            verbose=verbose,
            **spelled(epochs=2),
        )
    return model, history, stream.getvalue()


def summary(model):
    with printed() as stream:
        model.summary()
    return text(stream.getvalue())


def training_rows():
    """fit, evaluate, predict and the texts they and summary() print."""
    model, history, bars = fitted(verbose=1)
    y = Y["categorical_crossentropy"][1]
    out = {"history/" + key: np.array(values, "float32") for key, values in history.history.items()}
    out["history_keys"] = text(list(history.history))
    out["metrics_names"] = text(model.metrics_names)
    out["evaluate"] = np.array(model.evaluate(X, y, batch_size=6, verbose=0), "float32")
    out["predict"] = model.predict(X, batch_size=6)
    out["summary_sequential"] = summary(model)
    out["fit_verbose_1"] = text(bars)
    out["fit_verbose_2"] = text(fitted(verbose=2)[2])
    K.clear_session()
    out["summary_functional"] = summary(two_in_two_out())
    return out


# ---------- the file


def goldens():
    """Every row, under the keys that README.md lists."""
    out = {}

    def put(prefix, row):
        out.update({"{}/{}".format(prefix, key): value for key, value in row.items()})

    for row in LAYERS:
        put("layer/" + row.name, layer_row(row))
    for case in TARGETS:
        put("targets/" + case, targets(case))
        for name in LOSSES:
            put("loss/{}/{}".format(name, case), on_targets(getattr(losses, name), case))
        for name in METRICS:
            put("metric/{}/{}".format(name, case), on_targets(getattr(metrics, name), case))
    put("initializer", dict(initializer_rows()))
    out["weight"] = WEIGHT
    put("regularizer", dict(weight_rows(regularizers, REGULARIZERS)))
    put("constraint", dict(weight_rows(constraints, CONSTRAINTS)))
    put("optimizer", {"start": START, "gradients": GRADIENTS})
    for name in OPTIMIZERS:
        put("optimizer/" + name, optimizer_row(name))
    put("train", {"x": X})
    K.clear_session()
    put("train/initial", {str(i): w for i, w in enumerate(mlp().get_weights())})
    for loss, (_, y) in Y.items():
        put("train/y", {loss: y})
        for name in TRAINED:
            put("train/{}_{}".format(name, loss), train_row(name, loss))
    put("training", training_rows())
    out["meta"] = text(
        {
            "keras": keras.__version__,
            "backend": "tensorflow " + tensorflow.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "epsilon": K.epsilon(),
            "notes": NOTES,
        }
    )
    return out


def main(path):
    arrays = {key: np.asarray(value) for key, value in goldens().items()}
    arrays = {key: a if a.dtype.kind in "Ub" else a.astype("float32") for key, a in arrays.items()}
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])

"""Training from generators, as each version wrote it. Python 3.6's words, numpy and the given ``keras`` alone."""

import numpy as np

RNG = np.random.RandomState(11)
X, Y = RNG.randn(24, 4).astype("float32"), RNG.randn(24, 1).astype("float32")
WEIGHTS = RNG.rand(24).astype("float32") * (RNG.rand(24) > 0.2)
Z = RNG.randn(24, 2).astype("float32")
CLASSES = np.eye(3, dtype="float32")[RNG.randint(0, 3, 24)]
STEPS = RNG.randn(24, 5, 2).astype("float32") * (RNG.rand(24, 5, 1) > 0.3)
STEP_TARGETS, STEP_WEIGHTS = RNG.randn(24, 5, 1).astype("float32"), RNG.rand(24, 5).astype("float32")
SIZES = (4, 6, 2, 5, 7)  # 24 rows


def with_weights(model, seed=5):
    """The model with weights of its own shapes, drawn."""
    rng = np.random.RandomState(seed)
    model.set_weights([rng.uniform(-0.5, 0.5, w.shape).astype("float32") for w in model.get_weights()])
    return model


def dense(keras):
    """One output."""
    layers = [keras.layers.Dense(3, activation="tanh", input_shape=(4,)), keras.layers.Dense(1)]
    model = with_weights(keras.models.Sequential(layers))
    model.compile(keras.optimizers.SGD(lr=0.05), "mse", metrics=["mae"])
    return model


def classes(keras):
    """A softmax."""
    model = with_weights(keras.models.Sequential([keras.layers.Dense(3, activation="softmax", input_shape=(4,))]))
    model.compile(keras.optimizers.SGD(lr=0.05), "categorical_crossentropy", metrics=["accuracy"])
    return model


def two(keras):
    """Two outputs, weighted."""
    inputs = keras.layers.Input(shape=(4,))
    hidden = keras.layers.Dense(3, activation="tanh")(inputs)
    model = with_weights(
        keras.models.Model(
            inputs, [keras.layers.Dense(1, name="one")(hidden), keras.layers.Dense(2, name="two")(hidden)]
        )
    )
    model.compile(keras.optimizers.SGD(lr=0.05), ["mse", "mae"], metrics=["mse"], loss_weights=[1.0, 0.3])
    return model


def temporal(keras):
    """A weight for each step, and a mask."""
    model = with_weights(
        keras.models.Sequential(
            [
                keras.layers.Masking(input_shape=(5, 2)),
                keras.layers.SimpleRNN(3, return_sequences=True),
                keras.layers.TimeDistributed(keras.layers.Dense(1)),
            ]
        )
    )
    model.compile(keras.optimizers.SGD(lr=0.05), "mse", sample_weight_mode="temporal")
    return model


def endless(*arrays, **kwargs):
    """Batches of uneven sizes without end; several targets as a list."""
    targets = kwargs.get("targets", 1)
    while True:
        start = 0
        for size in SIZES:
            parts = [array[start : start + size] for array in arrays]
            if targets == 2:
                parts = [parts[0], parts[1:3], *parts[3:]]
            yield tuple(parts)
            start += size


DATA = {
    "plain": (dense, lambda: endless(X, Y), {}),
    "weighted": (dense, lambda: endless(X, Y, WEIGHTS), {}),
    "class_weight": (classes, lambda: endless(X, CLASSES), {"class_weight": {0: 1.0, 1: 0.5, 2: 3.0}}),
    "both_weights": (classes, lambda: endless(X, CLASSES, WEIGHTS), {"class_weight": {0: 1.0, 1: 0.5, 2: 3.0}}),
    "two": (two, lambda: endless(X, Y, Z, targets=2), {}),
    "temporal": (temporal, lambda: endless(STEPS, STEP_TARGETS, STEP_WEIGHTS), {}),
    "validation": (dense, lambda: endless(X, Y), {"validation_data": (X[:7], Y[:7])}),
}


def plain(value):
    """``value`` for JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return np.asarray(value).astype("float64").tolist()


def trained(keras, name, fit, evaluate, predict):
    """What a row gives; ``fit``, ``evaluate`` and ``predict`` call the version's methods."""
    make, data, arguments = DATA[name]
    model = make(keras)
    found = {"names": list(model.metrics_names)}
    first = next(data())
    words = {word: part for word, part in zip(("x", "y", "sample_weight"), first)}  # noqa: B905  (no strict= there)
    found["train_on_batch"] = plain(model.train_on_batch(**words))
    found["test_on_batch"] = plain(model.test_on_batch(**words))
    found["history"] = plain(fit(model, data(), **arguments).history)
    found["evaluate"] = plain(evaluate(model, data()))
    predicted = predict(model, data())
    found["predict"] = plain(predicted if isinstance(predicted, list) else [predicted])
    return found


def validated(keras, fit, name):
    """A generator to validate on, which goes on in each epoch."""
    model = dense(keras)
    arguments = {"validation_data": endless(X[::-1].copy(), Y[::-1].copy())}
    return plain(fit(model, endless(X, Y), validation=name, **arguments).history)


def fit_in_steps(model, data, **arguments):
    """Keras 2."""
    if "validation" in arguments:
        arguments["validation_steps"] = 2
        del arguments["validation"]
    return model.fit_generator(data, 4, 3, verbose=0, **arguments)


def fit_in_samples(model, data, **arguments):
    """Keras 1: 20 rows are more than four batches."""
    if "validation" in arguments:
        arguments["nb_val_samples"] = 10
        del arguments["validation"]
    return model.fit_generator(data, 20, 3, 0, **arguments)


FORMS = {
    "2.3.1": (fit_in_steps, lambda model, data: model.evaluate_generator(data, 3),
              lambda model, data: model.predict_generator(data, steps=3)),
    "1.2.2": (fit_in_samples, lambda model, data: model.evaluate_generator(data, val_samples=12),
              lambda model, data: model.predict_generator(data, val_samples=12)),
}  # fmt: skip

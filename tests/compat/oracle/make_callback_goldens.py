"""What callbacks of Keras 1.2.2 and 2.3.1 were told and decided; run inside each environment.

    python make_callback_goldens.py callbacks-2.3.1.json

The same file runs under kshim in ``test_callbacks_old.py``: ``collect`` takes the library.
"""

from __future__ import print_function

import json
import sys

import numpy as np

# Losses that go up and down, ties and steps smaller than ReduceLROnPlateau's min_delta.
SEQUENCES = {
    "stays": [1.0] + [0.9] * 9,
    "rises": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
    "small steps": [1.0 - i * 5e-5 for i in range(9)],
    "waves": [3.0, 2.0, 2.5, 2.5, 1.5, 1.75, 1.75, 1.75, 1.0, 1.0, 1.25, 1.0],
}
STOPPING = [{}, {"patience": 1}, {"patience": 2, "min_delta": 0.3}, {"patience": 2, "mode": "max"}]
PLATEAUS = [{"patience": 2}, {"patience": 1, "factor": 0.5, "cooldown": 2}, {"patience": 1, "min_lr": 0.02}]


class Fake(object):
    """What callbacks ask of a model; the weights tell the epoch."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.stop_training = False
        self.saved = []

    def save_weights(self, path, overwrite=True):
        self.saved.append(path)

    save = save_weights


def drive(callback, values, optimizer, rate):
    model = Fake(optimizer)
    callback.set_model(model)
    callback.on_train_begin({})
    seen = []
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch, {})
        callback.on_epoch_end(epoch, {"loss": value})
        seen.append([rate(optimizer), getattr(callback, "wait", None)])
        if model.stop_training:
            break
    callback.on_train_end({})
    return {"seen": seen, "stopped": model.stop_training, "saved": model.saved}


def recorder(library, told):
    class Recorder(library.callbacks.Callback):
        def note(self, hook, index, logs):
            values = {k: float(v) for k, v in (logs or {}).items() if np.ndim(v) == 0}
            told.append([hook, index, values])

        def on_train_begin(self, logs=None):
            told.append(["params", None, {k: self.params[k] for k in sorted(self.params)}])
            self.note("on_train_begin", None, logs)

        def on_train_end(self, logs=None):
            self.note("on_train_end", None, {})

        def on_epoch_begin(self, epoch, logs=None):
            self.note("on_epoch_begin", epoch, logs)
            if epoch == 0:
                data = getattr(self, "validation_data", None) or ()
                shapes = {str(i): list(np.shape(a)) for i, a in enumerate(data) if np.ndim(a)}
                told.append(["validation_data", None, shapes])

        def on_epoch_end(self, epoch, logs=None):
            self.note("on_epoch_end", epoch, logs)

        def on_batch_begin(self, batch, logs=None):
            self.note("on_batch_begin", batch, logs)

        def on_batch_end(self, batch, logs=None):
            self.note("on_batch_end", batch, logs)

    return Recorder()


def collect(library, old, rate, make_optimizer):
    """``old`` is whether epochs are ``nb_epoch``."""
    found = {"decided": {}, "told": []}
    callbacks = library.callbacks
    for name, values in sorted(SEQUENCES.items()):
        for i, arguments in enumerate(STOPPING):
            callback = callbacks.EarlyStopping("loss", **arguments)
            found["decided"]["stop/%s/%d" % (name, i)] = drive(callback, values, make_optimizer(), rate)
        for i, arguments in enumerate(PLATEAUS):
            callback = callbacks.ReduceLROnPlateau("loss", **arguments)
            found["decided"]["plateau/%s/%d" % (name, i)] = drive(callback, values, make_optimizer(), rate)
        for i, arguments in enumerate([{}, {"period": 2}, {"save_best_only": True}]):
            callback = callbacks.ModelCheckpoint("/tmp/kshim-{epoch:02d}-{loss:.2f}.h5", "loss", **arguments)
            found["decided"]["checkpoint/%s/%d" % (name, i)] = drive(callback, values, make_optimizer(), rate)
    layers, models = library.layers, library.models
    model = models.Sequential()
    model.add(layers.Dense(3, input_shape=(2,), activation="tanh"))
    model.add(layers.Dense(1))
    model.set_weights(
        [
            np.linspace(-1, 1, 6).reshape(2, 3).astype("float32"),
            np.zeros(3, "float32"),
            np.array([[1.0], [-0.5], [0.25]], "float32"),
            np.zeros(1, "float32"),
        ]
    )
    model.compile(make_optimizer(), "mean_squared_error", metrics=["mae"])
    x = np.linspace(0, 1, 14).reshape(7, 2).astype("float32")
    y = x.sum(1, keepdims=True) ** 2
    epochs = {"nb_epoch": 2} if old else {"epochs": 2}
    model.fit(
        x,
        y,
        batch_size=3,
        validation_data=(x[:4], y[:4]),
        shuffle=False,
        verbose=0,
        callbacks=[recorder(library, found["told"])],
        **epochs,
    )
    return found


def main():
    import keras
    import keras.backend as K

    found = collect(
        keras,
        keras.__version__.startswith("1"),
        lambda o: float(K.get_value(o.lr)),
        lambda: keras.optimizers.SGD(lr=0.1),
    )
    with open(sys.argv[1], "w") as file:
        json.dump(found, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()

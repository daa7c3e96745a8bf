"""Training runs that are killed and started again. As a program: ``resume.py <name> <folder> <kill at> <save_freq>``.

It trains by ``RUNS[name]`` with a backup in the folder, kills itself at ``kill at`` (``KILLS``; "-" for never), and
writes the final weights to ``weights.npz`` beside.
"""

import os
import random
import signal
import sys
import time

import numpy as np
import torch

import kshim
from kshim import callbacks, layers, optimizers
from kshim.callbacks import backup

X = np.random.RandomState(0).rand(26, 4).astype("float32")
Y = X.sum(1, keepdims=True) ** 2
EPOCHS = 4


class Stopped(Exception):
    """Raised in the place of a kill, in one process."""


def model(optimizer="adam", metrics=("mae",), **options):
    """A small model with every kind of state: weights, moving statistics, drops from both kinds of generators."""
    made = kshim.Sequential(
        [
            kshim.Input((4,)), layers.Dense(6, activation="relu"), layers.BatchNormalization(), layers.Dropout(0.4),
            layers.GaussianNoise(0.1, seed=3), layers.Dense(1),
        ]
    )  # fmt: skip
    made.compile(optimizer, "mse", metrics=list(metrics), **options)
    return made


# -- data ------------------------------------------------------------------------------------------------------------


def endless(size=4):
    """Batches in an order of its own for each pass, drawn from numpy's global generator."""
    while True:
        order = np.random.permutation(len(X))
        for start in range(0, len(X), size):
            rows = order[start : start + size]
            yield X[rows] + np.random.normal(0, 0.01, X[rows].shape).astype("float32"), Y[rows]


class Batches(kshim.utils.PyDataset):
    """Shuffles its rows at each epoch's end, in place, and adds noise from a generator of its own."""

    def __init__(self, **options):
        super().__init__(**options)
        self.rows = np.arange(len(X))
        self.noise = np.random.default_rng(5)

    def __len__(self):
        return 7

    def __getitem__(self, index):
        rows = self.rows[index * 4 : index * 4 + 4]
        noise = 0 if self.workers > 1 else self.noise.normal(0, 0.01, (len(rows), 4))
        return X[rows] + np.float32(noise), Y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.rows)


class Processed(Batches):
    """Draws in its processes."""

    def __getitem__(self, index):
        rows = self.rows[index * 4 : index * 4 + 4]
        return X[rows] + np.random.normal(0, 0.01, (len(rows), 4)).astype("float32"), Y[rows]


class Noisy(torch.utils.data.Dataset):
    """Rows with noise from torch's global generator."""

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return torch.tensor(X[index]) + 0.01 * torch.randn(4), torch.tensor(Y[index])


class Streamed(torch.utils.data.IterableDataset):
    """Rows without a length."""

    def __iter__(self):
        return iter(zip(X, Y, strict=True))


def loader(**options):
    return torch.utils.data.DataLoader(Noisy(), batch_size=4, shuffle=True, **options)


# -- callbacks of a user ---------------------------------------------------------------------------------------------


class Cycle(callbacks.Callback):
    """A learning rate by the batch, with what users' callbacks keep: counters, lists, arrays, a generator."""

    steps = 0

    def __init__(self, period=3):
        self.period, self.rates, self.best = period, [], None
        self.random = random.Random(4)

    def on_train_batch_begin(self, batch, logs=None):
        self.steps += 1
        self.rates.append(0.001 * (1 + self.steps % self.period) * self.random.random())
        self.model.optimizer.learning_rate = self.rates[-1]

    def on_epoch_end(self, epoch, logs=None):
        if self.best is None or logs["loss"] < self.best[0]:
            self.best = logs["loss"], self.model.get_weights()

    def on_train_end(self, logs=None):
        self.model.set_weights(self.best[1])


class Doubling(layers.Layer):
    """A layer that counts its calls in training as a plain number, and uses it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.calls = 0

    def call(self, inputs, training=False):
        if training:
            self.calls += 1
        return inputs * (1 + 0.01 * self.calls)


class Weighted(kshim.Model):
    """A step of its own, whose logs are its own too."""

    def __init__(self):
        super().__init__()
        self.scale, self.dense = Doubling(), layers.Dense(1)

    def call(self, inputs, training=False):
        return self.dense(self.scale(inputs, training=training))

    def train_step(self, data):
        x, y = data
        loss = (self(x, training=True) - y).square().mean()
        self.zero_grad()
        loss.backward()
        with torch.no_grad():
            self.optimizer.apply([v.grad for v in self.trainable_weights], self.trainable_weights)
        return {"loss": loss.detach(), "own": 2 * loss.detach()}


def weighted():
    made = Weighted()
    made.compile("rmsprop", "mse")
    return made


def stateful():
    made = kshim.Sequential(
        [kshim.Input(batch_shape=(2, 4, 1)), layers.LSTM(3, stateful=True, dropout=0.2, seed=1), layers.Dense(1)]
    )
    made.compile("sgd", "mse")
    return made


def ema():
    return optimizers.SGD(
        optimizers.schedules.ExponentialDecay(0.005, 3, 0.9), momentum=0.9, use_ema=True, ema_momentum=0.8
    )


def scaled():
    return optimizers.LossScaleOptimizer(optimizers.Adam(0.01), initial_scale=2.0**120, dynamic_growth_steps=3)


def steered(folder):
    """The callbacks that keep count, in a folder for their files."""
    return [
        callbacks.CSVLogger(f"{folder}/log.csv"),
        callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True),
        callbacks.ReduceLROnPlateau("val_loss", patience=1, factor=0.5, cooldown=1),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        callbacks.ModelCheckpoint(f"{folder}/best.weights.h5", "val_loss", save_best_only=True, save_weights_only=True),
    ]


# Name -> (model, fit's arguments, callbacks); each a function, called anew in each process.
RUNS = {
    "arrays": (model, lambda: {"x": X, "y": Y, "batch_size": 4, "validation_split": 0.2}, list),
    "whole batches": (model, lambda: {"x": X, "y": Y, "batch_size": 4, "shuffle": "batch"}, list),
    "steps across passes": (model, lambda: {"x": X, "y": Y, "batch_size": 4, "steps_per_epoch": 5}, list),
    "steps at once": (lambda: model(steps_per_execution=3), lambda: {"x": X, "y": Y, "batch_size": 4}, list),
    "columns": (
        lambda: model(metrics=[kshim.metrics.R2Score(), kshim.metrics.F1Score(threshold=0.5)]),
        lambda: {"x": X, "y": Y, "batch_size": 4}, list,
    ),
    "generator": (
        model,
        lambda: {
            "x": endless(), "steps_per_epoch": 5, "validation_data": endless(), "validation_steps": 2, "shuffle": False,
        },
        list,
    ),
    "loader": (model, lambda: {"x": loader(), "shuffle": False, "validation_data": loader()}, list),
    "loader with a generator": (
        model,
        lambda: {"x": loader(generator=torch.Generator().manual_seed(9)), "steps_per_epoch": 5, "shuffle": False},
        list,
    ),
    "iterable": (model, lambda: {"x": torch.utils.data.DataLoader(Streamed(), batch_size=4), "shuffle": False}, list),
    "PyDataset": (model, lambda: {"x": Batches()}, list),
    "PyDataset across passes": (model, lambda: {"x": Batches(), "steps_per_epoch": 5}, list),
    "PyDataset by threads": (model, lambda: {"x": Batches(workers=2, max_queue_size=3)}, list),
    "Nadam": (lambda: model("nadam"), lambda: {"x": X, "y": Y, "batch_size": 4}, list),
    "torch's AdamW": (
        lambda: model(lambda parameters: torch.optim.AdamW(parameters, 0.01)),
        lambda: {"x": X, "y": Y, "batch_size": 4}, list,
    ),
    "EMA and schedule": (
        lambda: model(ema()), lambda: {"x": X, "y": Y, "batch_size": 4, "validation_split": 0.2},
        lambda: [callbacks.SwapEMAWeights(swap_on_epoch=True)],
    ),
    "loss scale": (lambda: model(scaled()), lambda: {"x": X, "y": Y, "batch_size": 4}, list),
    "accumulation": (
        lambda: model(optimizers.Adam(0.01, gradient_accumulation_steps=3)),
        lambda: {"x": X, "y": Y, "batch_size": 4}, list,
    ),
    "a user's callback": (model, lambda: {"x": X, "y": Y, "batch_size": 4}, lambda: [Cycle()]),
    "a user's step": (weighted, lambda: {"x": X, "y": Y, "batch_size": 4}, list),
    "stateful": (stateful, lambda: {"x": X[:, :, None], "y": Y, "batch_size": 2, "shuffle": False}, list),
    "steered": (
        lambda: model(optimizers.Adam(0.05)),
        lambda: {"x": X, "y": Y, "batch_size": 4, "validation_split": 0.2, "epochs": 7}, steered,
    ),
}  # fmt: skip

SLOW = {
    "PyDataset by processes": (model, lambda: {"x": Processed(workers=2, use_multiprocessing=True)}, list),
    "loader with workers": (model, lambda: {"x": loader(num_workers=2), "shuffle": False}, list),
}


def train(name, folder, extra=(), save_freq="epoch", first=True, **backup_options):
    """``(weights, history)`` of a run with its backup in ``folder``; ``extra`` callbacks hear before the backup's."""
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    make, data, others = (RUNS | SLOW)[name]
    made = make()
    others = others(folder) if others is steered else others()
    kept = callbacks.BackupAndRestore(f"{folder}/backup", save_freq, **backup_options)
    listed = [*extra, kept, *others] if first else [*others, kept, *extra]
    history = made.fit(**{"epochs": EPOCHS, "verbose": 0, "callbacks": listed} | data())
    return made.get_weights(), dict(history.history), history.epoch


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


class Kill(callbacks.Callback):
    """Ends the process, or raises: at the ``count``-th call of ``hook``, counted over the run."""

    def __init__(self, hook, count, act=kill):
        super().__init__()
        self.act, self.hook, self.calls = act, hook, 0

        def heard(*args):
            self.calls += 1
            if self.calls == count:
                self.act()

        setattr(self, hook, heard)


def slow_write(wait, count, kills=False):
    """Make the ``count``-th backup write half a file, and kill the process or wait then."""
    original, calls = backup._write, []

    def write(state, path):
        original(state, path)
        calls.append(path)
        if len(calls) >= count:
            size = os.path.getsize(path)
            if kills:
                os.truncate(path, size // 2)
                kill()
            time.sleep(wait)

    backup._write = write


KILLS = {
    "-": lambda: [],
    "first epoch": lambda: [Kill("on_train_batch_end", 3)],
    "later epoch": lambda: [Kill("on_train_batch_begin", 17)],
    "epoch border": lambda: [Kill("on_epoch_end", 2)],
    "validation": lambda: [Kill("on_test_batch_begin", 5)],
    "last hook": lambda: [Kill("on_train_end", 1)],
    "writing": lambda: slow_write(0, 3, kills=True) or [],
    "slow": lambda: slow_write(0.05, 1) or [],
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    _, name, folder, at, save_freq = sys.argv
    weights, _, _ = train(name, folder, KILLS[at](), "epoch" if save_freq == "epoch" else int(save_freq))
    np.savez(f"{folder}/weights.npz", *weights)

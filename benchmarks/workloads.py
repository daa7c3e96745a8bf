"""What is trained: one row a workload, read by every contender."""

from typing import NamedTuple

import numpy as np


class Workload(NamedTuple):
    """A multi-layer perceptron on random data held in memory.

    Args:
        rows, inputs: shape of ``x``, float32 drawn from [0, 1).
        layers: ``(units, activation)`` of each Dense layer. One unit at the end: ``y`` is 0 or 1,
            shape ``(rows, 1)``; more: one-hot, shape ``(rows, units)``.
        batch: rows a step; the last step of an epoch takes what is left.
        epochs: ``fit(epochs=1)`` calls a round; the round's time is their median.
    """

    name: str
    rows: int
    inputs: int
    layers: tuple
    batch: int
    loss: str
    epochs: int
    optimizer: str = "rmsprop"
    metrics: tuple = ("accuracy",)

    @property
    def steps(self):
        """Training steps in one epoch."""
        return -(-self.rows // self.batch)

    def data(self):
        """``(x, y)``, float32 and the same on every call."""
        rng = np.random.default_rng(0)
        x = rng.random((self.rows, self.inputs), dtype=np.float32)
        units = self.layers[-1][0]
        labels = rng.integers(max(units, 2), size=self.rows)
        y = labels[:, None] if units == 1 else np.eye(units)[labels]
        return x, y.astype("float32")


WORKLOADS = {
    row.name: row
    for row in (
        Workload(
            "guide",
            rows=1_000,
            inputs=100,
            layers=((32, "relu"), (1, "sigmoid")),
            batch=32,
            loss="binary_crossentropy",
            epochs=10,
        ),
        Workload(
            "dense",
            rows=8_192,
            inputs=784,
            layers=((512, "relu"), (512, "relu"), (10, "softmax")),
            batch=128,
            loss="categorical_crossentropy",
            epochs=1,
        ),
    )
}

"""What is trained: one row a workload, read by every contender."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from torch import nn
from torch.nn import functional


class Workload(NamedTuple):
    """A model on random data held in memory.

    Args:
        rows: number of samples.
        shape: shape of one of them: float32 drawn from [0, 1), or ints below ``vocabulary`` where that is not 0.
        classes: 1: ``y`` is 0 or 1, shape ``(rows, 1)``; more: one-hot, shape ``(rows, classes)``.
        hand: makes the torch module that a careful person writes; it ends in logits.
        model: ``model(keras)`` makes the same as a script writes it.
        batch: rows a step; the last step of an epoch takes what is left.
        epochs: ``fit(epochs=1)`` calls a round; the round's time is their median.
        vocabulary: see ``shape``.
        watched: whether the script's ``fit`` has three callbacks and a progress bar; the loop by hand has none.
        images: whether ``x`` is ``(rows, height, width, channels)``; torch's own layers want the channels first.
    """

    name: str
    rows: int
    shape: tuple
    classes: int
    hand: Callable
    model: Callable
    batch: int
    epochs: int = 1
    vocabulary: int = 0
    images: bool = False
    optimizer: str = "rmsprop"
    metrics: tuple = ("accuracy",)
    watched: bool = False

    @property
    def loss(self):
        """The loss, by Keras' name."""
        return "binary_crossentropy" if self.classes == 1 else "categorical_crossentropy"

    @property
    def steps(self):
        """Training steps in one epoch."""
        return -(-self.rows // self.batch)

    def data(self):
        """``(x, y)``, the same on every call."""
        rng = np.random.default_rng(0)
        shape = (self.rows, *self.shape)
        x = rng.integers(self.vocabulary, size=shape) if self.vocabulary else rng.random(shape, dtype=np.float32)
        labels = rng.integers(max(self.classes, 2), size=self.rows)
        y = labels[:, None] if self.classes == 1 else np.eye(self.classes)[labels]
        return x, y.astype("float32")


def perceptron(inputs, *layers):
    """``hand`` and ``model`` of a stack of Dense layers, ``(units, activation)`` each."""

    def hand():
        modules, features = [], inputs
        for units, _ in layers:
            modules += [nn.Linear(features, units), nn.ReLU()]
            features = units
        return nn.Sequential(*modules[:-1])

    def model(keras):
        made = keras.models.Sequential([keras.layers.Input(shape=(inputs,))])
        for units, activation in layers:
            made.add(keras.layers.Dense(units, activation=activation))
        return made

    return {"hand": hand, "model": model}


def cnn_by_hand():
    def convolutions(channels, filters):
        return [
            nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.Conv2d(filters, filters, 3), nn.ReLU(),
            nn.MaxPool2d(2), nn.Dropout(0.25),
        ]  # fmt: skip

    return nn.Sequential(
        *convolutions(3, 32), *convolutions(32, 64), nn.Flatten(), nn.Linear(64 * 6 * 6, 512), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(512, 10),
    )  # fmt: skip


def cnn(keras):
    """The CIFAR-10 example of Keras 1 and 2."""
    layers = keras.layers
    made = keras.models.Sequential([layers.Input(shape=(32, 32, 3))])
    for filters in (32, 64):
        made.add(layers.Conv2D(filters, (3, 3), padding="same", activation="relu"))
        made.add(layers.Conv2D(filters, (3, 3), activation="relu"))
        made.add(layers.MaxPooling2D(pool_size=(2, 2)))
        made.add(layers.Dropout(0.25))
    made.add(layers.Flatten())
    made.add(layers.Dense(512, activation="relu"))
    made.add(layers.Dropout(0.5))
    made.add(layers.Dense(10, activation="softmax"))
    return made


class LSTMByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(5_000, 128), nn.LSTM(128, 128, batch_first=True)
        self.dense = nn.Linear(128, 1)

    def forward(self, x):
        return self.dense(self.lstm(self.embedding(x))[0][:, -1])


def lstm(keras):
    """The IMDB example of Keras 1 and 2, without its dropout."""
    layers = keras.layers
    return keras.models.Sequential(
        [layers.Input(shape=(80,)), layers.Embedding(5_000, 128), layers.LSTM(128),
         layers.Dense(1, activation="sigmoid")]
    )  # fmt: skip


class TransformerByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5_000, 128)
        self.qkv, self.out = nn.Linear(128, 384), nn.Linear(128, 128)
        self.norm_1, self.norm_2 = nn.LayerNorm(128, eps=1e-3), nn.LayerNorm(128, eps=1e-3)
        self.up, self.down, self.dense = nn.Linear(128, 512), nn.Linear(512, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = self.embedding(x)
        q, k, v = (part.transpose(1, 2) for part in self.qkv(x).unflatten(-1, (3, 4, 32)).unbind(2))
        attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = self.norm_1(x + self.out(attended))
        x = self.norm_2(x + self.down(functional.relu(self.up(x))))
        return self.dense(x.mean(1))


def transformer(keras):
    """One encoder block of four heads, as Keras' text classification example has it."""
    layers = keras.layers
    tokens = layers.Input(shape=(64,))
    x = layers.Embedding(5_000, 128)(tokens)
    attended = layers.MultiHeadAttention(num_heads=4, key_dim=32)(x, x)
    x = layers.LayerNormalization(epsilon=1e-3)(layers.Add()([x, attended]))
    widened = layers.Dense(128)(layers.Dense(512, activation="relu")(x))
    x = layers.LayerNormalization(epsilon=1e-3)(layers.Add()([x, widened]))
    x = layers.GlobalAveragePooling1D()(x)
    return keras.models.Model(tokens, layers.Dense(10, activation="softmax")(x))


WORKLOADS = {
    row.name: row
    for row in (
        Workload("guide", 1_000, (100,), 1, **perceptron(100, (32, "relu"), (1, "sigmoid")), batch=32, epochs=10),
        Workload("dense", 8_192, (784,), 10,
                 **perceptron(784, (512, "relu"), (512, "relu"), (10, "softmax")), batch=128),
        Workload("watched", 8_192, (784,), 10,
                 **perceptron(784, (512, "relu"), (512, "relu"), (10, "softmax")), batch=128, watched=True,
                 metrics=("accuracy", "mse", "mae", "cosine_similarity", "kl_divergence",
                          "top_k_categorical_accuracy", "categorical_crossentropy", "hinge", "squared_hinge", "msle")),
        Workload("cnn", 512, (32, 32, 3), 10, cnn_by_hand, cnn, batch=32, images=True),
        Workload("lstm", 512, (80,), 1, LSTMByHand, lstm, batch=32, vocabulary=5_000),
        Workload("transformer", 512, (64,), 10, TransformerByHand, transformer, batch=32, vocabulary=5_000),
    )
}  # fmt: skip

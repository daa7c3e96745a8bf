"""Models of every family of layers, trained: the same start and the same batches go the way the real Keras 3 goes."""

import numpy as np
import pytest
import torch
from cases.layers.row import counted

import kshim

STEPS, BATCH, ROWS = 60, 8, 32
READS = ("item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__")
RNG = np.random.default_rng(7)
IMAGES = RNG.normal(size=(ROWS, 8, 9, 3)).astype("float32")
SEQUENCES = RNG.normal(size=(ROWS, 6, 4)).astype("float32")
TOKENS = RNG.integers(1, 12, (ROWS, 7))
TOKENS[np.arange(ROWS), RNG.integers(4, 7, ROWS)] = 0
FILMS = RNG.normal(size=(ROWS, 3, 6, 6, 2)).astype("float32")
CLASSES = np.eye(3, dtype="float32")[RNG.integers(0, 3, ROWS)]


def convolutions(k):
    return [
        k.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False), k.layers.BatchNormalization(),
        k.layers.Activation("relu"), k.layers.ZeroPadding2D(1), k.layers.MaxPooling2D(2),
        k.layers.Conv2D(4, 2, activation="tanh"),
        k.layers.Flatten(),
    ]  # fmt: skip


def light_convolutions(k):
    return [
        k.layers.SeparableConv2D(6, 3, padding="same", activation="relu"), k.layers.DepthwiseConv2D(3, strides=2),
        k.layers.LayerNormalization(), k.layers.UpSampling2D(2), k.layers.Cropping2D(1),
        k.layers.Conv2DTranspose(3, 3, strides=2, padding="same"), k.layers.GlobalAveragePooling2D(),
    ]  # fmt: skip


def sequence_convolutions(k):
    return [
        k.layers.Conv1D(6, 3, padding="causal", dilation_rate=2), k.layers.GroupNormalization(2), k.layers.PReLU(),
        k.layers.AveragePooling1D(2, padding="same"), k.layers.GlobalMaxPooling1D(),
    ]  # fmt: skip


def masked_lstm(k):
    return [
        k.layers.Embedding(12, 5, mask_zero=True), k.layers.LSTM(6, return_sequences=True),
        k.layers.TimeDistributed(k.layers.Dense(5, activation="tanh")), k.layers.LSTM(4),
    ]  # fmt: skip


def old_lstm(k):
    return [k.layers.LSTM(5, recurrent_activation="hard_sigmoid", return_sequences=True), k.layers.SimpleRNN(4)]


def two_ways(k):
    return [
        k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True)),
        k.layers.Bidirectional(k.layers.LSTM(3), merge_mode="sum"),
    ]


def films(k):
    return [
        k.layers.TimeDistributed(k.layers.Conv2D(3, 3, activation="relu")), k.layers.ConvLSTM2D(3, 2, padding="same"),
        k.layers.Flatten(),
    ]  # fmt: skip


def cells(k):
    return [k.layers.RNN([k.layers.GRUCell(4), k.layers.LSTMCell(3)])]


# name -> data, layers below the last Dense
STACKS = {
    "convolutions": (IMAGES, convolutions), "light_convolutions": (IMAGES, light_convolutions),
    "sequence_convolutions": (SEQUENCES, sequence_convolutions), "masked_lstm": (TOKENS, masked_lstm),
    "old_lstm": (SEQUENCES, old_lstm), "two_ways": (SEQUENCES, two_ways), "films": (FILMS, films),
    "cells": (SEQUENCES, cells),
}  # fmt: skip


def stack(k, name):
    x, layers = STACKS[name]
    entry = k.Input(x.shape[1:], dtype=x.dtype.name)
    return k.Sequential([entry, *layers(k), k.layers.Dense(3, activation="softmax")])


def encoder(k):
    """A transformer block over tokens of which some are padding."""
    tokens = k.Input((7,), dtype="int64")
    x = k.layers.Embedding(12, 8, mask_zero=True)(tokens)
    attended = k.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    x = k.layers.LayerNormalization()(k.layers.Add()([x, attended]))
    x = k.layers.RMSNormalization()(k.layers.Dense(8, activation="gelu")(x))
    x = k.layers.GlobalAveragePooling1D()(x)
    return k.Model(tokens, k.layers.Dense(3, activation="softmax")(x))


def conversation(k):
    """An encoder's states begin a decoder that attends to the encoder."""
    source, target = k.Input((6, 4)), k.Input((5, 4))
    states = k.layers.LSTM(5, return_sequences=True, return_state=True)(source)
    decoded = k.layers.LSTM(5, return_sequences=True)(target, initial_state=states[1:])
    context = k.layers.Attention()([decoded, states[0]])
    both = k.layers.Concatenate()([k.layers.Dot((1, 1))([decoded, context]), k.layers.Dot((1, 1))([context, context])])
    return k.Model([source, target], k.layers.Dense(3, activation="softmax")(k.layers.Flatten()(both)))


MODELS = {
    **{name: (lambda k, name=name: stack(k, name), [x]) for name, (x, _) in STACKS.items()},
    "encoder": (encoder, [TOKENS]),
    "conversation": (conversation, [SEQUENCES, SEQUENCES[:, ::-1][:, :5].copy()]),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:.*does not support masking")  # Keras 3, where a layer ends a mask
def test_training_is_keras(name, keras3):
    make, inputs = MODELS[name]
    models = []
    for k in (kshim, keras3):
        model = make(k)
        model.set_weights([w / 2 for w in counted(model)])
        model.compile(k.optimizers.SGD(learning_rate=0.05), "categorical_crossentropy")
        models.append(model)
    for step in range(STEPS):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        batch = [x[rows] for x in inputs]
        batch = batch[0] if len(batch) == 1 else batch
        losses = [float(model.train_on_batch(batch, CLASSES[rows])) for model in models]
        assert losses[0] == pytest.approx(losses[1], rel=1e-4), f"step {step}"
    assert len(models[0].get_weights()) == len(models[1].get_weights())
    for got, expected in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)
    x = inputs[0] if len(inputs) == 1 else inputs
    np.testing.assert_allclose(*(model.predict(x, verbose=0) for model in models), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_step_reads_nothing_back(name):
    """The step of a compiled model makes no value of a tensor: no host synchronisation."""
    make, inputs = MODELS[name]
    model = make(kshim)
    model.compile("sgd", "categorical_crossentropy")
    model.fit(inputs if len(inputs) > 1 else inputs[0], CLASSES, batch_size=BATCH, verbose=0)
    read = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if getattr(function, "__name__", "") in (
                "item",
                "tolist",
                "numpy",
                "cpu",
                "__bool__",
                "__int__",
                "__float__",
            ):
                read.append(function.__name__)
            return function(*args, **(kwargs or {}))

    tensors = [torch.tensor(x[:BATCH]) for x in inputs]
    model.train()
    with Watch():
        outputs = model(tensors if len(tensors) > 1 else tensors[0])
        outputs.square().sum().backward()
    assert not read

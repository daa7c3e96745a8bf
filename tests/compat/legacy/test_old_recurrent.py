"""Users' subclasses of the recurrent bases of Keras 0, 1 and 2.

The numbers were made once by running the same classes, with the same counting weights, in Keras 1.2.2 and 2.3.1 on
TensorFlow, rounded to 6 digits.
"""

import copy
import importlib
import json
import pickle

import numpy as np
import pytest
import torch
from cases import array, counting

from kshim import backend as K
from kshim import layers
from kshim.core.registry import custom_object_scope
from kshim.layers import Dense, Input, InputSpec, Masking
from kshim.models import Model, Sequential

X = counting((2, 4, 3), 1.5)
X[0, 1] = X[0, 3] = X[1, 0] = 0  # masked
IMAGES = counting((1, 2, 2, 3, 1), 4)
WEIGHTS = [counting((3, 2), 2), counting((2, 2), 2)]


class Old(layers.Recurrent):
    """As users of Keras 1 wrote them."""

    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.input_spec = [InputSpec(shape=input_shape)]
        self.input_dim = input_shape[2]
        if self.stateful:
            self.reset_states()
        else:
            self.states = [None]
        self.W = self.add_weight((self.input_dim, self.output_dim), initializer="glorot_uniform", name="W")
        self.U = self.add_weight((self.output_dim, self.output_dim), initializer="glorot_uniform", name="U")
        self.built = True

    def reset_states(self):
        shape = (self.input_spec[0].shape[0], self.output_dim)
        if hasattr(self, "states"):
            K.set_value(self.states[0], np.zeros(shape))
        else:
            self.states = [K.zeros(shape)]

    def preprocess_input(self, x):
        return K.dot(x, self.W)

    def get_constants(self, x):
        return [K.sum(x[:, 0], axis=-1, keepdims=True)]

    def step(self, x, states):
        output = K.tanh(x + K.dot(states[0], self.U) + states[1])
        return output, [output]

    def get_config(self):
        return {**super().get_config(), "output_dim": self.output_dim}


class Newer(layers.Recurrent):
    """As users of Keras 2 wrote them; the output is twice the state."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        if isinstance(input_shape, list):
            input_shape = input_shape[0]
        batch = input_shape[0] if self.stateful else None
        self.input_spec[0] = InputSpec(shape=(batch, None, input_shape[2]))
        self.state_spec = InputSpec(shape=(batch, self.units))
        self.states = [None]
        if self.stateful:
            self.reset_states()
        self.kernel = self.add_weight(shape=(input_shape[2], self.units), name="kernel", initializer="zeros")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), name="recurrent_kernel", initializer="glorot_uniform"
        )
        self.built = True

    def preprocess_input(self, inputs, training=None):
        return K.dot(inputs, self.kernel)

    def get_constants(self, inputs, training=None):
        return [K.sum(inputs[:, 0], axis=-1, keepdims=True)]

    def step(self, inputs, states):
        output = K.tanh(inputs + K.dot(states[0], self.recurrent_kernel) + states[1])
        return 2 * output, [output]


def masked(layer):
    model = Sequential([Masking(batch_input_shape=(2, 4, 3)), layer])
    model.set_weights(WEIGHTS)
    return model


def close(got, expected):
    np.testing.assert_allclose(array(got), expected, rtol=0, atol=2e-6)


# fmt: off
SEQUENCE = [[[-.859562, -.962526], [-.859562, -.962526], [-.667990, -.966130], [-.667990, -.966130]],
            [[0, 0], [-.165140, .083141], [-.186807, .204547], [-.340679, .271989]]]
BACKWARDS = [[[0, 0], [-.931110, -.962526], [-.931110, -.962526], [-.345705, -.963664]],
             [[-.494249, .083141], [.139173, .355764], [-.296647, .189317], [-.296647, .189317]]]
SECOND_RUN = [[[-.553683, -.972052], [-.553683, -.972052], [-.805115, -.975178], [-.805115, -.975178]],
              [[-.340679, .271989], [.172277, .371073], [-.482658, .180725], [-.058941, .392730]]]
NEWER_SECOND_RUN = [[[-1.107366, -1.944104], [-1.107366, -1.944104], [-1.610229, -1.950357], [-1.610229, -1.950357]],
                    [[0, 0], [.344553, .742146], [-.965315, .361449], [-.117881, .785461]]]
IMAGES_OF_1 = [0, 0, -.321513, 0, -.582783, 0, -.761594, 0, -.870062, 0, -.931110, 0, .956238, -.099668, .886622,
               -.099668, .736113, -.099668, .477085, -.099668, .130881, -.099668, -.228135, -.099668]
IMAGES_OF_2 = [.171959, .124573, .166013, .150488, .157892, .172988, .154075, .253092, .128065, .260851, .101018,
               .258992]
# fmt: on


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, np.array(SEQUENCE)[:, -1]),
        ({"return_sequences": True}, SEQUENCE),
        ({"return_sequences": True, "unroll": True, "consume_less": "mem"}, SEQUENCE),
        ({"return_sequences": True, "go_backwards": True}, BACKWARDS),
    ],
)
def test_numbers_of_keras_1_and_2(options, expected, dialect):
    newer = {name: value for name, value in options.items() if name != "consume_less"}
    dialect("1.2.2")
    close(masked(Old(2, **options)).predict(X), expected)
    dialect("2.3.1")
    close(masked(Newer(2, **newer)).predict(X), 2 * np.array(expected))


def test_stateful_numbers_of_keras_1(dialect):
    dialect("1.2.2")
    layer = Old(2, stateful=True, return_sequences=True)
    model = masked(layer)
    close(model.predict(X, batch_size=2), SEQUENCE)
    close(model.predict(X, batch_size=2), SECOND_RUN)
    assert len(layer.get_weights()) == 2 and len(model.trainable_weights) == 2
    layer.reset_states()
    close(model.predict(X, batch_size=2), SEQUENCE)
    layer.reset_states()
    layer.unroll = True
    model.predict(X, batch_size=2)
    unrolled = np.array(SECOND_RUN)
    unrolled[1, 0] = 0
    close(model.predict(X, batch_size=2), unrolled)


def test_stateful_numbers_of_keras_2(dialect):
    dialect("2.3.1")
    layer = Newer(2, stateful=True, return_sequences=True)
    model = masked(layer)
    close(model.predict(X, batch_size=2), 2 * np.array(SEQUENCE))
    close(model.predict(X, batch_size=2), NEWER_SECOND_RUN)
    layer.reset_states(np.array(SEQUENCE)[:, -1])
    close(model.predict(X, batch_size=2), NEWER_SECOND_RUN)
    with pytest.raises(ValueError, match="expected states of shapes"):
        layer.reset_states(np.zeros((3, 2)))
    with pytest.raises(AttributeError, match="expected a stateful layer"):
        Newer(2).reset_states()
    with pytest.raises(ValueError, match="a batch size that is known"):
        Newer(2, stateful=True)(Input((4, 3)))
    with pytest.raises(ValueError, match=r"expected shape=\(2, None, 3\)"):
        layer(torch.zeros(3, 4, 3))


def test_states_in_and_out(dialect):
    dialect("2.3.1")
    inputs, state = Input((4, 3)), Input((2,))
    start = counting((2, 2))
    for args, kwargs in (((inputs,), {"initial_state": state}), (([inputs, state],), {})):
        layer = Newer(2, return_state=True)
        model = Model([inputs, state], layer(*args, **kwargs))
        model.set_weights(WEIGHTS)
        output, last = model.predict([X, start])
        close(output, [[-1.774745, -1.953257], [-0.681357, 0.570908]])
        close(last, [[-0.887373, -0.976628], [-0.340679, 0.285454]])
    with pytest.raises(ValueError, match="expected 1 initial states"):
        layer(torch.tensor(X), initial_state=[torch.tensor(start)] * 2)


@pytest.mark.parametrize("cls", [Old, Newer])
def test_trains_and_comes_back(cls, dialect, tmp_path):
    dialect("1.2.2" if cls is Old else "2.3.1")
    model = Sequential([cls(3, return_sequences=True, input_dim=3, input_length=4), cls(2), Dense(1)])
    assert model.layers[0].output_shape == (None, 4, 3) and model.output_shape == (None, 1)
    model.compile(optimizer="adam", loss="mse")
    before = model.get_weights()
    losses = model.fit(X, np.ones((2, 1)), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    after = model.get_weights()
    assert len(after) == 6 and all((a != b).any() for a, b in zip(before, after, strict=True))
    config = json.loads(json.dumps(model.get_config()))
    with custom_object_scope({cls.__name__: cls}):
        again = Sequential.from_config(config)
    again.set_weights(after)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    layer = cls.from_config(cls(2, go_backwards=True, stateful=True).get_config())
    assert layer.go_backwards and layer.stateful and not layer.unroll
    for copied in (copy.deepcopy(model.layers[1]), pickle.loads(pickle.dumps(model.layers[1]))):
        assert len(copied.get_weights()) == 2


def test_an_eager_call_takes_any_batch_after():
    layer = Old(2)
    assert layer(torch.tensor(X)).shape == (2, 2) and layer(torch.tensor(X[:1])).shape == (1, 2)


def test_keras_0(dialect):
    dialect("0.3.3")

    class Sum(layers.Recurrent):
        def __init__(self, output_dim, **kwargs):
            self.output_dim = output_dim
            super().__init__(**kwargs)

        def build(self):
            self.states = [None]
            self.W = K.variable(counting((self.input_shape[2], self.output_dim)))
            self.trainable_weights = [self.W]

        def preprocess_input(self, x, train=False):
            self.was_training = train
            return layers.time_distributed_dense(x, self.W, dropout=0.5 if self.training else None)

        def step(self, x, states):
            return x + states[0], [x + states[0]]

    layer = Sum(2, input_dim=3, input_length=4)
    model = Sequential([layer])
    close(model.predict(X), (X @ counting((3, 2))).sum(1))
    assert layer.was_training is False and len(model.trainable_weights) == 1
    torch.manual_seed(0)
    assert not np.allclose(array(layer(torch.tensor(X), training=True)), (X @ counting((3, 2))).sum(1))
    with pytest.raises(NotImplementedError, match="kshim runs step"):

        class Late(layers.Recurrent):
            def get_output(self, train=False):
                return 0


def test_time_distributed_dense():
    x, w, b = torch.tensor(X), torch.tensor(WEIGHTS[0]), torch.tensor([1.0, 2.0])
    close(layers.time_distributed_dense(x, w, b, None, 3, 2, 4), X @ WEIGHTS[0] + array(b))
    with pytest.raises(NotImplementedError, match="within the call of a Recurrent layer"):
        layers.time_distributed_dense(x, w, dropout=0.5)


def test_refusals_of_recurrent():
    class Stepless(layers.Recurrent):
        def build(self, input_shape):
            self.states, self.units = [None], 2

    with pytest.raises(NotImplementedError, match=r"expected a `step\(x, states\)` method"):
        Stepless()(torch.tensor(X))
    with pytest.raises(ValueError, match="at least 1 time step"):
        Old(2)(torch.zeros(2, 0, 3))
    with pytest.raises(TypeError, match="positional"):
        layers.Recurrent(None, True)


class Scaled(layers.ConvRecurrent2D):
    """As users of Keras 1 wrote them."""

    def __init__(self, nb_filter, **kwargs):
        self.border_mode, self.subsample = "same", (1, 1)
        super().__init__(nb_filter=nb_filter, nb_row=1, nb_col=1, dim_ordering="tf", **kwargs)

    def build(self, input_shape):
        self.input_spec = [InputSpec(shape=input_shape)]
        self.states = [None, None]
        self.W = self.add_weight((input_shape[4], self.nb_filter), initializer="uniform", name="W")
        self.built = True

    def step(self, x, states):
        output = K.tanh(K.dot(x, self.W) + 0.5 * states[0] - states[1])
        return output, [output, states[0] + 0.1]


def test_images_of_keras_1(dialect):
    dialect("1.2.2")
    model = Sequential([Scaled(2, return_sequences=True, go_backwards=True, input_shape=(2, 2, 3, 1))])
    assert model.output_shape == (None, 2, 2, 3, 2)
    model.set_weights([counting((1, 2), 2)])
    close(model.predict(IMAGES), np.array(IMAGES_OF_1).reshape(1, 2, 2, 3, 2))
    again = Scaled.from_config(Scaled(2).get_config())
    assert (again.nb_filter, again.nb_row, again.filters, again.kernel_size) == (2, 1, 2, (1, 1))


def test_images_of_keras_2(dialect):
    dialect("2.0.8")

    class Pooled(layers.ConvRecurrent2D):
        def build(self, input_shape):
            self.states = [None]
            if self.stateful:
                self.reset_states()

        def preprocess_input(self, inputs, training=None):
            return inputs[:, :, :, ::2, ::2]

        def step(self, x, states):
            return x + states[0], [x + states[0]]

    layer = Pooled(1, 1, strides=2, data_format="channels_first", stateful=True)
    x = torch.tensor(counting((2, 3, 1, 4, 5)))
    assert layer(Input(batch_shape=(2, 3, 1, 4, 5))).shape == (2, 1, 2, 3)
    close(layer(x), array(x[:, :, :, ::2, ::2].sum(1)))
    close(layer(x), 2 * array(x[:, :, :, ::2, ::2].sum(1)))
    with pytest.raises(ValueError, match="`filters` to be"):
        Pooled()


def test_conv_rnn_numbers_of_keras_2(dialect):
    dialect("2.3.1")
    layer = layers.ConvRNN2D(layers.ConvLSTM2DCell(2, (2, 1)), return_sequences=True, input_shape=(2, 2, 3, 1))
    model = Sequential([layer])
    model.set_weights([counting(w.shape, 2) for w in model.get_weights()])
    close(model.predict(IMAGES), np.array(IMAGES_OF_2).reshape(1, 2, 1, 3, 2))
    config = layer.get_config()
    again = layers.ConvRNN2D.from_config(config)
    assert again.get_config() == config and again.cell.kernel_size == (2, 1) and again.return_sequences
    assert "rank" not in again.cell.get_config()


def test_conv_rnn_of_a_cell_of_a_user(dialect):
    dialect("2.3.1")

    class Cell(layers.Layer):
        filters, padding, kernel_shape, state_size = 2, "valid", (1, 1, 1, 2), (2, 2)

        def input_conv(self, x, w, padding="valid"):
            return K.dot(x, w[0, 0])

        def call(self, inputs, states):
            return inputs + states[0], [inputs + states[0], states[1] + 1]

    output, first, second = layers.ConvRNN2D(Cell(), return_state=True)(torch.tensor(IMAGES))
    close(output, IMAGES.sum(1).repeat(2, -1))
    close(first, output), close(second, np.full((1, 2, 3, 2), 2.0))
    with pytest.raises(TypeError, match="unroll=False"):
        layers.ConvRNN2D(Cell(), unroll=True)
    with pytest.raises(TypeError, match="expected one cell"):
        layers.ConvRNN2D([Cell(), Cell()])


def test_siamese_head():
    tensors = [torch.tensor(X), torch.tensor(X) + 1]
    close(layers.SiameseHead(1)(tensors), X + 1)
    assert layers.SiameseHead(0)([Input((4,)), Input((3,))]).shape == (None, 4)
    assert layers.SiameseHead.from_config(layers.SiameseHead(1).get_config()).head == 1
    for wrong in (tensors[0], tensors[:1]):
        with pytest.raises(ValueError, match="has index 1"):
            layers.SiameseHead(1)(wrong)
    with pytest.raises(NotImplementedError, match="merge_mode=None"):
        layers.Siamese(Dense(2), [], merge_mode=None)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("kshim.layers", "Recurrent"), ("kshim.layers", "ConvRecurrent2D"), ("kshim.layers", "ConvRNN2D"),
        ("kshim.layers", "ConvLSTM2DCell"), ("kshim.layers", "SiameseHead"), ("kshim.layers", "time_distributed_dense"),
    ],
)  # fmt: skip
def test_is_where_scripts_look(module, name):
    assert hasattr(importlib.import_module(module), name)
    if name != "time_distributed_dense":
        assert layers.LAYERS.table[name] is getattr(layers, name)

"""Recurrent layers: what the rows can't say. States, masks of every shape, custom cells, wrappers, old classes."""

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting, same_config
from cases.layers.row import counted

import kshim
from kshim.core import tree

B, T, F, U = 3, 4, 5, 2
X = counting((B, T, F), 2)
NAMES = ["SimpleRNN", "LSTM", "GRU"]
over_names = pytest.mark.parametrize("name", NAMES)

PAD = {
    "left": [[0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]],
    "right": [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]],
    "holes": [[1, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 1]],
    "nothing": [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]],
    "all": [[1, 1, 1, 1]] * 3,
}


def tensors(*arrays, grad=False):
    return [torch.tensor(x, requires_grad=grad) for x in arrays]


def first_states(name, scale=1.0):
    return [counting((B, U), scale * (i + 1)) for i in range(2 if name == "LSTM" else 1)]


def filled(layer, shape=(B, T, F)):
    """``layer`` built, with counting weights."""
    layer.build(shape)
    layer.set_weights(counted(layer))
    return layer


def both(keras3, make, shape=(B, T, F)):
    """The same layer of kshim and of Keras."""
    return [filled(make(k), shape) for k in (kshim, keras3)]


def assert_same(ours, theirs, rel=1e-5):
    ours, theirs = tree.flatten(ours), tree.flatten(theirs)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other, rel)


# ---------- initial states


@over_names
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"return_state": True, "go_backwards": True},
                                     {"unroll": True}], ids=str)  # fmt: skip
def test_initial_state(name, options, keras3):
    found = []
    for layer in both(keras3, lambda k: getattr(k.layers, name)(U, **options)):
        x, *states = tensors(X, *first_states(name), grad=True)
        outputs = tree.flatten(layer(x, initial_state=states if len(states) > 1 else states[0]))
        gradients = torch.autograd.grad(sum((o * o).sum() for o in outputs), [x, *states])
        found.append((outputs, gradients))
    assert_same(*found)


@over_names
def test_initial_state_as_arrays_and_in_a_list(name):
    layer = filled(getattr(kshim.layers, name)(U, return_state=True))
    expected = layer(torch.tensor(X), initial_state=tensors(*first_states(name)))
    assert_same(layer(X, initial_state=first_states(name)), expected, 0)
    assert_same(layer([X, *first_states(name)]), expected, 0)  # Keras 2's way
    assert_same(layer(X, first_states(name)), expected, 0)


@over_names
def test_encoder_and_decoder(name, keras3):
    found = []
    for k in (kshim, keras3):
        left, right = k.Input((None, F)), k.Input((None, F))
        _, *states = getattr(k.layers, name)(U, return_state=True)(left)
        decoded = getattr(k.layers, name)(U, return_sequences=True)(right, initial_state=states)
        model = k.Model([left, right], decoded)
        model.set_weights(counted(model))
        assert tuple(model.output_shape) == (None, None, U)
        found.append(model(tensors(X, X[:, ::-1].copy())))
    assert_same(*found)


def test_symbolic_states_in_a_list():
    x, h, c = kshim.Input((T, F)), kshim.Input((U,)), kshim.Input((U,))
    layer = kshim.layers.LSTM(U)
    model = kshim.Model([x, h, c], layer([x, h, c]))
    values = tensors(X, *first_states("LSTM"))
    assert_same(model(values), layer(values[0], initial_state=values[1:]))
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert_same(again(values), model(values), 0)


# ---------- stateful


def stateful(k, name, **options):
    return getattr(k.layers, name)(U, stateful=True, return_sequences=True, **options)


@over_names
@pytest.mark.parametrize("options", [{}, {"return_state": True, "go_backwards": True}], ids=str)
def test_stateful(name, options, keras3):
    ours, theirs = both(keras3, lambda k: stateful(k, name, **options))
    for _ in range(3):
        assert_same(ours(torch.tensor(X)), theirs(torch.tensor(X)))
    assert_same(list(ours.states), [s.value for s in theirs.states])
    assert len(ours.get_weights()) == len(theirs.get_weights()) == 3
    for layer in (ours, theirs):
        layer.reset_state()
    assert_same(ours(torch.tensor(X)), theirs(torch.tensor(X)))
    ours.reset_states()
    assert not any(state.any() for state in ours.states)


@over_names
def test_stateful_trains_on_one_batch_at_a_time(name):
    layer = filled(stateful(kshim, name))
    for _ in range(2):  # no graph reaches into the batch before, and writing the states harms no gradient
        layer(torch.tensor(X)).sum().backward()
    assert all(w.grad is not None for w in layer.trainable_weights)


def test_stateful_with_masks_and_kernel():
    loop, kernel = (filled(stateful(kshim, "LSTM", use_cudnn=use)) for use in (False, True))
    mask = torch.tensor(PAD["holes"], dtype=torch.bool)
    for _ in range(2):
        assert_same(kernel(torch.tensor(X), mask=mask), loop(torch.tensor(X), mask=mask))
    assert_same(list(kernel.states), list(loop.states))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
def test_copies_of_stateful_layers(copied):
    layer = filled(stateful(kshim, "LSTM"))
    layer(torch.tensor(X))
    twin = copied(layer)
    assert_same(list(twin.states), list(layer.states), 0)
    assert_same(twin(torch.tensor(X)), layer(torch.tensor(X)), 0)
    twin.reset_states()
    assert layer.states[0].any()


def test_states_given_and_refused():
    layer = filled(stateful(kshim, "LSTM"))
    layer.reset_states([np.ones((B, U)), np.zeros((B, U))])
    assert layer.states[0].all() and not layer.states[1].any()
    with pytest.raises(ValueError, match=r"states of shapes.*Received: shapes"):
        layer.reset_states([np.ones((B, U))])
    with pytest.raises(ValueError, match=r"LSTM.*batches of 3.*Received: a batch of 2"):
        layer(torch.tensor(X[:2]))


def test_states_move_with_the_layer():
    layer = filled(stateful(kshim, "LSTM")).double()
    assert {state.dtype for state in layer.states} == {torch.float64}


def test_stateful_model(keras3):
    found = []
    for k in (kshim, keras3):
        model = k.Sequential([k.Input(batch_shape=(B, T, F)), stateful(k, "LSTM"), k.layers.GRU(U, stateful=True)])
        model.set_weights(counted(model))
        found.append([model(torch.tensor(X)), model(torch.tensor(X))])
    assert_same(*found)


def test_a_symbolic_call_leaves_the_states():
    layer = stateful(kshim, "LSTM")
    kshim.Sequential([kshim.Input(batch_shape=(B, T, F)), layer])
    assert not any(state.any() for state in layer.states)


# ---------- masks


@over_names
@pytest.mark.parametrize("pattern", PAD)
@pytest.mark.parametrize("options", [
    {"return_sequences": True, "return_state": True}, {"zero_output_for_mask": True},
    {"return_sequences": True, "zero_output_for_mask": True}, {"go_backwards": True, "return_state": True},
], ids=["sequences", "zero", "zero_sequences", "backwards"])  # fmt: skip
@pytest.mark.parametrize("started", [False, True], ids=["", "initial_state"])
def test_masks(name, pattern, options, started, keras3):
    found = []
    for layer in both(keras3, lambda k: getattr(k.layers, name)(U, **options)):
        x, *states = tensors(X, *first_states(name), grad=True)
        given = {"initial_state": states} if started else {}
        outputs = tree.flatten(layer(x, mask=torch.tensor(PAD[pattern], dtype=torch.bool), **given))
        weights = [getattr(w, "value", w) for w in layer.trainable_weights]
        total = sum((o * (torch.tensor(counting(tuple(o.shape))) + 1)).sum() for o in outputs)
        leaves = [x, *weights, *(states if started else [])]
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
        gradients = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, gradients, strict=True)]
        found.append((outputs, gradients))
    assert_same(*found, rel=2e-5)


def test_mask_with_an_axis_more_and_wrong_ones():
    layer = filled(kshim.layers.GRU(U))
    mask = torch.tensor(PAD["left"], dtype=torch.bool)
    assert_same(layer(torch.tensor(X), mask=mask.unsqueeze(-1)), layer(torch.tensor(X), mask=mask), 0)
    assert_same(layer(torch.tensor(X), mask=mask.float()), layer(torch.tensor(X), mask=mask), 0)
    with pytest.raises(ValueError, match=r"a mask of shape \(3, 4\).*Received: shape \(3, 2\)"):
        layer(torch.tensor(X), mask=mask[:, :2])


def test_masked_embedding_through_two_layers(keras3):
    found = []
    words = np.array([[0, 0, 1, 2], [3, 0, 0, 0], [1, 2, 3, 1]])
    for k in (kshim, keras3):
        pair = k.layers.Bidirectional(k.layers.LSTM(U, return_sequences=True))
        embedding = k.layers.Embedding(4, F, mask_zero=True)
        model = k.Sequential([k.Input((4,), dtype="int32"), embedding, pair, k.layers.GRU(U)])
        model.set_weights(counted(model))
        found.append(model(torch.tensor(words)))
    assert_same(*found)


# ---------- torch's kernels against the loop


@over_names
@pytest.mark.parametrize("options", [{}, {"use_bias": False}, {"dropout": 0.5, "seed": 3}], ids=str)
def test_kernel_is_the_loop(name, options):
    kernel = filled(getattr(kshim.layers, name)(U, return_sequences=True, **options))
    loop = filled(getattr(kshim.layers, name)(U, return_sequences=True, **options))
    loop.cell.use_kernel = False
    outputs = [layer(torch.tensor(X), training=True) for layer in (kernel, loop)]
    assert_same(*outputs)


def test_every_activation_of_the_gates(keras3):
    """The loop puts the gate's activation on all gates at once where it looks at each number alone."""
    for gate in ("sigmoid", "hard_sigmoid", "tanh", "relu", "relu6", "linear", "softsign", "elu", "softmax", "swish"):
        for name, more in (("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False})):
            options = {"activation": "softsign", "recurrent_activation": gate, **more}
            ours, theirs = both(keras3, lambda k, name=name, options=options: getattr(k.layers, name)(U, **options))
            assert_same(ours(torch.tensor(X)), theirs(torch.tensor(X)))


def test_kernel_in_a_gradient_of_a_gradient():
    layer = filled(kshim.layers.GRU(U))
    x = torch.tensor(X, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    gradient.square().sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


# ---------- dropout


@over_names
@pytest.mark.parametrize("options", [{"dropout": 0.4}, {"recurrent_dropout": 0.4},
                                     {"dropout": 0.3, "recurrent_dropout": 0.3}], ids=str)  # fmt: skip
def test_seeded_dropout_goes_on_as_in_keras(name, options, keras3):
    ours, theirs = both(keras3, lambda k: getattr(k.layers, name)(U, seed=5, **options))
    for training in (True, False, True):
        assert_same(ours(torch.tensor(X), training=training), theirs(torch.tensor(X), training=training))


@over_names
@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}], ids=str)
def test_dropout_without_a_seed(name, options):
    layer = filled(getattr(kshim.layers, name)(8, **options))
    one, two = layer(torch.tensor(X), training=True), layer(torch.tensor(X), training=True)
    assert not torch.equal(one, two)
    assert torch.equal(layer(torch.tensor(X)), layer(torch.tensor(X)))


def test_one_mask_for_all_steps():
    layer = filled(kshim.layers.SimpleRNN(1, dropout=0.5, activation="linear", return_sequences=True), (B, T, 1))
    layer.set_weights([[[1.0]], [[0.0]], [0.0]])
    for row in layer(torch.ones(B, T, 1), training=True):
        assert row.unique().numel() == 1  # all steps kept, or none


def test_dropout_of_cells_in_a_stack(keras3):
    def make(k):
        return k.layers.RNN([k.layers.LSTMCell(3, dropout=0.3, seed=1), k.layers.GRUCell(U, dropout=0.3, seed=2)])

    ours, theirs = both(keras3, make)
    for _ in range(2):
        assert_same(ours(torch.tensor(X), training=True), theirs(torch.tensor(X), training=True))


# ---------- cells


def cells(k):
    return [k.layers.SimpleRNNCell(U, activation="relu", name="a"), k.layers.LSTMCell(U, name="b"),
            k.layers.GRUCell(U, name="c"), k.layers.GRUCell(U, reset_after=False, name="d"),
            k.layers.LSTMCell(U, use_bias=False, recurrent_activation="hard_sigmoid", name="e"),
            k.layers.StackedRNNCells([k.layers.LSTMCell(3, name="f"), k.layers.GRUCell(U, name="g")],
                                     name="h")]  # fmt: skip


@pytest.mark.parametrize("index", range(6))
def test_cells(index, keras3):
    ours, theirs = (filled(cells(k)[index], (B, F)) for k in (kshim, keras3))
    step = torch.tensor(X[:, 0])
    starts = [cell.get_initial_state(batch_size=B) for cell in (ours, theirs)]
    assert_same(*starts)
    first, second = ours(step, starts[0]), theirs(step, starts[1])
    assert_same(first, second)
    assert_same(ours(step, first[1]), theirs(step, second[1]))
    assert ours.state_size == theirs.state_size and ours.output_size == theirs.output_size
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert same_config(*(cells(k)[index].get_config() for k in (kshim, keras3)))
    again = type(ours).from_config(ours.get_config())
    assert same_config(again.get_config(), ours.get_config())


def minimal(k, name="MinimalRNNCell"):
    """The cell of Keras 2's documentation."""

    class MinimalRNNCell(k.layers.Layer):
        def __init__(self, units, **kwargs):
            self.units = units
            self.state_size = units
            super().__init__(**kwargs)

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
            self.recurrent_kernel = self.add_weight(
                shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
            )
            self.built = True

        def call(self, inputs, states):
            output = inputs @ self.kernel + states[0] @ self.recurrent_kernel
            return output, [output]

    MinimalRNNCell.__name__ = name
    return MinimalRNNCell


def in_keras_3(cell):
    """The same, as Keras 3 wants attributes: after ``super().__init__()``."""

    class Cell(cell):
        def __init__(self, units, **kwargs):
            super(cell, self).__init__(**kwargs)
            self.units = self.state_size = units

    return Cell


@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "return_state": True}], ids=str)
def test_custom_cell(options, keras3):
    found = []
    for k in (kshim, keras3):
        cell = minimal(k) if k is kshim else in_keras_3(minimal(k))
        one = filled(k.layers.RNN(cell(U), **options))
        two = filled(k.layers.RNN([cell(3), cell(U)], **options))
        x = k.Input((None, F))
        symbolic = [tuple(t.shape) for t in tree.flatten(two(x))]
        found.append(([one(torch.tensor(X)), two(torch.tensor(X))], symbolic))
    assert_same(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_custom_cell_with_masks(keras3):
    mask = torch.tensor(PAD["holes"], dtype=torch.bool)
    found = []
    for k in (kshim, keras3):
        cell = minimal(k) if k is kshim else in_keras_3(minimal(k))
        layer = filled(k.layers.RNN(cell(U), return_sequences=True, zero_output_for_mask=True))
        found.append(layer(torch.tensor(X), mask=mask))
    assert_same(*found)


class PlainCell:
    """No layer, no output_size, and two states."""

    state_size = (U, F)

    def call(self, inputs, states):
        output = states[0] + inputs[:, :U]
        return output, (output, states[1] * 0.5 + inputs)


def test_cell_that_is_no_layer():
    layer = kshim.layers.RNN(PlainCell(), return_sequences=True, return_state=True)
    outputs, first, second = layer(torch.tensor(X))
    assert_close(outputs, X[:, :, :U].cumsum(1))
    assert_close(first, X[:, :, :U].sum(1))
    assert_close(second, (X * 0.5 ** np.arange(T)[::-1].reshape(1, T, 1)).sum(1))
    symbolic = layer(kshim.Input((None, F)))
    assert [t.shape for t in symbolic] == [(None, None, U), (None, U), (None, F)]


class WithLayers(kshim.layers.Layer):
    """A cell of layers without a ``build``, with first states of its own."""

    state_size = U

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = kshim.layers.Dense(U)
        self.mix = kshim.layers.Dense(U)

    def call(self, inputs, states, training=None):
        output = self.dense(inputs) + self.mix(states[0])
        return output, [output]

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        assert inputs is None or inputs.shape[0] == batch_size
        return torch.ones(batch_size, U)


def test_cell_of_layers():
    layer = kshim.layers.RNN(WithLayers(), return_sequences=True)
    outputs = layer(torch.tensor(X))
    assert outputs.shape == (B, T, U) and len(layer.get_weights()) == 4
    cell, state = layer.cell, torch.ones(B, U)
    for step in range(T):
        state = cell.dense(torch.tensor(X[:, step])) + cell.mix(state)
        assert_close(outputs[:, step], state)


def test_cell_of_a_subclass_runs_its_own_call():
    class Doubled(kshim.layers.LSTMCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training=training)
            return output * 2, states

    layer, plain = filled(kshim.layers.RNN(Doubled(U))), filled(kshim.layers.LSTM(U))
    assert_same(layer(torch.tensor(X)), plain(torch.tensor(X)) * 2)


def test_a_hook_on_the_cell_is_heard():
    layer = filled(kshim.layers.LSTM(U))
    heard = []
    layer.cell.register_forward_hook(lambda *args: heard.append(1))
    layer(torch.tensor(X))
    assert len(heard) == T


def test_constants():
    class Shifted(kshim.layers.Layer):
        state_size = U

        def build(self, input_shape):
            assert [tuple(s)[1:] for s in input_shape] == [(F,), (U,)]
            self.kernel = self.add_weight(shape=(F, U), name="kernel")

        def call(self, inputs, states, constants=None):
            output = inputs @ self.kernel + states[0] + constants[0]
            return output, [output]

    layer = kshim.layers.RNN(Shifted())
    shift = torch.tensor(counting((B, U)))
    outputs = layer(torch.tensor(X), constants=[shift])
    assert_close(outputs, torch.tensor(X).sum(1) @ layer.cell.kernel.detach() + T * shift)
    assert_same(layer([torch.tensor(X), shift]), outputs, 0)  # the layer knows now how many there are
    x, constant = kshim.Input((T, F)), kshim.Input((U,))
    model = kshim.Model([x, constant], layer(x, constants=[constant]))
    assert_same(model([torch.tensor(X), shift]), outputs, 0)


def test_configs_of_custom_cells():
    cell = minimal(kshim)
    layer = filled(kshim.layers.RNN(cell(U)))
    config = kshim.layers.serialize(layer)
    with pytest.raises(ValueError, match="MinimalRNNCell"):
        kshim.layers.deserialize(config)
    for again in (kshim.layers.deserialize(config, {"MinimalRNNCell": cell}),
                  kshim.layers.RNN.from_config(layer.get_config(), {"MinimalRNNCell": cell})):  # fmt: skip
        again.build((B, T, F))
        again.set_weights(layer.get_weights())
        assert_same(again(torch.tensor(X)), layer(torch.tensor(X)), 0)


def test_first_states_of_a_layer(keras3):
    for name in NAMES:
        ours, theirs = both(keras3, lambda k, name=name: getattr(k.layers, name)(U))
        assert_same(ours.get_initial_state(B), theirs.get_initial_state(B))
        assert_same(ours.get_initial_state(torch.tensor(X)), theirs.get_initial_state(B))
        assert ours.state_size == theirs.state_size


def test_forget_bias_and_implementation():
    for flag, expected in ((True, [0, 0, 1, 1, 0, 0, 0, 0]), (False, [0] * 8)):
        assert filled_bias(kshim.layers.LSTM(U, unit_forget_bias=flag)) == expected
    assert kshim.layers.LSTM(U).implementation == 2
    assert kshim.layers.LSTM(U, implementation=1).implementation == 1
    assert kshim.layers.GRU(U, recurrent_dropout=0.1).implementation == 1
    with pytest.raises(ValueError, match="Received: implementation=3"):
        kshim.layers.LSTM(U, implementation=3)
    layer = filled(kshim.layers.LSTM(U, implementation=1, dropout=0.5))
    assert layer(torch.tensor(X), training=True).shape == (B, U)


def filled_bias(layer):
    layer.build((B, T, F))
    return layer.get_weights()[2].tolist()


def test_dropout_rates_are_moved_into_range():
    layer = kshim.layers.LSTM(U, dropout=2, recurrent_dropout=-1)
    assert (layer.dropout, layer.recurrent_dropout) == (1.0, 0.0)
    with pytest.raises(ValueError, match="Received: dropout='a'"):
        kshim.layers.LSTM(U, dropout="a")


def test_simple_rnn_has_its_activity_penalty():
    layer = filled(kshim.layers.SimpleRNN(U, activity_regularizer="l2"))
    outputs = layer(torch.tensor(X))
    assert_close(layer.losses[0], 0.01 * outputs.square().sum() / B)


# ---------- Bidirectional


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None], ids=str)
def test_bidirectional_with_states(mode, keras3):
    states = [*first_states("LSTM"), *first_states("LSTM", 3)]
    found = []
    for layer in both(keras3, lambda k: k.layers.Bidirectional(k.layers.LSTM(U, return_state=True), mode)):
        found.append(layer(torch.tensor(X), initial_state=tensors(*states)))
    assert_same(*found)
    layer = filled(kshim.layers.Bidirectional(kshim.layers.LSTM(U, return_state=True), mode))
    assert_same(layer([X, *states]), found[0], 0)


def test_bidirectional_stateful(keras3):
    ours, theirs = both(keras3, lambda k: k.layers.Bidirectional(stateful(k, "GRU")))
    for _ in range(2):
        assert_same(ours(torch.tensor(X)), theirs(torch.tensor(X)))
    assert len(ours.states) == len(theirs.states) == 2
    ours.reset_states(), theirs.reset_state()
    assert_same(ours(torch.tensor(X)), theirs(torch.tensor(X)))
    with pytest.raises(AttributeError, match="stateful"):
        kshim.layers.Bidirectional(kshim.layers.LSTM(U)).reset_state()


def test_bidirectional_names_and_twins():
    layer = kshim.layers.LSTM(U, name="words")
    pair = kshim.layers.Bidirectional(layer)
    assert (pair.forward_layer.name, pair.backward_layer.name) == ("forward_words", "backward_words")
    assert pair.forward_layer is not layer and pair.layer is pair.forward_layer
    filled(layer)
    late = kshim.layers.Bidirectional(layer)  # of a layer with weights: they stay behind
    assert not late.forward_layer.built and late.backward_layer.go_backwards
    late.build((B, T, F))
    assert not np.array_equal(late.get_weights()[0], layer.get_weights()[0])


def test_bidirectional_weights():
    values = filled(kshim.layers.Bidirectional(kshim.layers.GRU(U))).get_weights()
    layer = kshim.layers.Bidirectional(kshim.layers.GRU(U), weights=values)
    layer(torch.tensor(X))
    assert_same(layer.get_weights(), values, 0)
    assert_same(layer.forward_layer.get_weights(), values[:3], 0)


def test_bidirectional_of_a_class_of_the_user():
    class Mine(kshim.layers.LSTM):
        def call(self, *args, **kwargs):
            return super().call(*args, **kwargs) + 1

    for built in (False, True):
        inner = filled(Mine(U)) if built else Mine(U)
        layer = filled(kshim.layers.Bidirectional(inner))
        plain = filled(kshim.layers.Bidirectional(kshim.layers.LSTM(U)))
        assert_same(layer(torch.tensor(X)), plain(torch.tensor(X)) + 1)


def test_bidirectional_through_a_config():
    model = kshim.Sequential([kshim.Input((T, F)), kshim.layers.Bidirectional(kshim.layers.LSTM(U))])
    again = kshim.Sequential.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert_same(again(torch.tensor(X)), model(torch.tensor(X)), 0)
    assert again.layers[0].get_config() == model.layers[0].get_config()


# ---------- TimeDistributed


class Counted(kshim.layers.Layer):
    """Says how it is called."""

    calls = 0

    def call(self, inputs, mask=None):
        self.calls += 1
        return inputs * 2


def test_time_distributed_folds_what_does_not_show_batches():
    dense = kshim.layers.Dense(U)
    heard = []
    dense.register_forward_hook(lambda *args: heard.append(1))
    layer = kshim.layers.TimeDistributed(dense)
    outputs = layer(torch.tensor(X))
    assert len(heard) == 1
    assert_same(outputs, torch.stack([dense(torch.tensor(X[:, t])) for t in range(T)], 1))


def test_time_distributed_goes_step_by_step_through_a_users_layer():
    inner = Counted()
    outputs = kshim.layers.TimeDistributed(inner)(torch.tensor(X), mask=torch.ones(B, T, dtype=torch.bool))
    assert inner.calls == T
    assert_same(outputs, X * 2, 0)
    with pytest.raises(ValueError, match=r"1 time step.*Received"):
        kshim.layers.TimeDistributed(Counted())(torch.zeros(2, 0, 3))


def test_time_distributed_model_of_two_inputs():
    a, b = kshim.Input((F,)), kshim.Input((F,))
    model = kshim.Model([a, b], [kshim.layers.Dense(U)(kshim.layers.add([a, b])), a])
    layer = kshim.layers.TimeDistributed(model)
    one, two = layer([torch.tensor(X), torch.tensor(X)])
    assert one.shape == (B, T, U)
    assert_same(two, X, 0)
    shapes = [t.shape for t in layer([kshim.Input((None, F)), kshim.Input((None, F))])]
    assert shapes == [(None, None, U), (None, None, F)]


def test_time_distributed_sequences_of_sequences(keras3):
    """Sentences of words: the inner mask has an axis more, the outer one passes on."""
    words = np.array([[[0, 1, 2], [3, 0, 0]], [[1, 0, 1], [2, 2, 0]]])
    found = []
    for k in (kshim, keras3):
        x = k.Input((2, 3), dtype="int32")
        embedded = k.layers.Embedding(4, F, mask_zero=True)(x)
        model = k.Model(x, k.layers.TimeDistributed(k.layers.GRU(U))(embedded))
        model.set_weights(counted(model))
        found.append(model(torch.tensor(words)))
    assert_same(*found)


def test_time_distributed_recurrent_layer_under_a_mask():
    """Where Keras 3 fails: a mask of two axes says which rows count, and holds for all inner steps."""
    x = torch.tensor(counting((2, 3, 4, F)))
    inner = kshim.layers.LSTM(U)
    layer = kshim.layers.TimeDistributed(inner)
    mask = torch.tensor([[True, False, True]] * 2)
    outputs = layer(x, mask=mask)
    assert_same(outputs[:, ::2], layer(x)[:, ::2])
    assert not outputs[:, 1].any()


def test_time_distributed_activity_penalties_count():
    inner = kshim.layers.Dense(U, activity_regularizer="l2")
    layer = kshim.layers.TimeDistributed(inner)
    outputs = layer(torch.tensor(X))
    assert_close(sum(layer.losses), 0.01 * outputs.square().sum() / B)


def test_wrapper_builds_and_tells_its_layer():
    class Twice(kshim.layers.Wrapper):
        def call(self, inputs):
            return self.layer(self.layer(inputs))

    wrapper = Twice(kshim.layers.Dense(F))
    assert wrapper(torch.tensor(X)).shape == X.shape
    again = Twice.from_config(wrapper.get_config())
    assert again.layer.units == F and isinstance(again.layer, kshim.layers.Dense)
    assert len(wrapper.get_weights()) == 2


# ---------- ConvLSTM


def test_conv_lstm_with_states(keras3):
    x, states = counting((B, T, 4, 4, 2), 2), [counting((B, 3, 3, U), i + 1) for i in range(2)]
    options = {"return_sequences": True, "return_state": True}
    found = []
    for layer in both(keras3, lambda k: k.layers.ConvLSTM2D(U, 2, **options), x.shape):
        found.append(layer(torch.tensor(x), initial_state=tensors(*states)))
    assert_same(*found)


def test_conv_lstm_stateful(keras3):
    x = counting((B, T, 4, 4, 2), 2)
    ours, theirs = both(keras3, lambda k: k.layers.ConvLSTM2D(U, 2, stateful=True), x.shape)
    for _ in range(2):
        assert_same(ours(torch.tensor(x)), theirs(torch.tensor(x)))


def test_conv_lstm_both_ways(keras3):
    x = counting((B, T, 4, 4, 2), 2)
    ours, theirs = both(keras3, lambda k: k.layers.Bidirectional(k.layers.ConvLSTM2D(U, 2)), x.shape)
    assert_same(ours(torch.tensor(x)), theirs(torch.tensor(x)))


# ---------- what Keras 3 has no more


def test_cudnn_lstm_is_lstm_with_two_biases():
    layer = filled(kshim.layers.CuDNNLSTM(U, return_sequences=True, return_state=True))
    assert [w.shape for w in layer.get_weights()] == [(F, 4 * U), (U, 4 * U), (8 * U,)]
    kernel, recurrent, bias = layer.get_weights()
    plain = kshim.layers.LSTM(U, return_sequences=True, return_state=True)
    plain.build((B, T, F))
    plain.set_weights([kernel, recurrent, bias[: 4 * U] + bias[4 * U :]])
    assert_same(layer(torch.tensor(X)), plain(torch.tensor(X)))
    layer.cell.use_kernel = False
    assert_same(layer(torch.tensor(X)), plain(torch.tensor(X)))
    assert filled_bias(kshim.layers.CuDNNLSTM(1)) == [0, 0, 0, 0, 0, 1, 0, 0]


def test_cudnn_gru_is_gru_with_flat_biases():
    layer = filled(kshim.layers.CuDNNGRU(U, return_sequences=True))
    assert [w.shape for w in layer.get_weights()] == [(F, 3 * U), (U, 3 * U), (6 * U,)]
    kernel, recurrent, bias = layer.get_weights()
    plain = kshim.layers.GRU(U, return_sequences=True)
    plain.build((B, T, F))
    plain.set_weights([kernel, recurrent, bias.reshape(2, -1)])
    assert_same(layer(torch.tensor(X)), plain(torch.tensor(X)))
    layer.cell.use_kernel = False
    assert_same(layer(torch.tensor(X)), plain(torch.tensor(X)))


@pytest.mark.parametrize("name", ["CuDNNLSTM", "CuDNNGRU"])
def test_cudnn_layers_as_layers(name):
    make = getattr(kshim.layers, name)
    layer = filled(make(U, kernel_regularizer="l2", stateful=True, return_state=True))
    again = filled(make.from_config(layer.get_config()))
    assert again.get_config() == layer.get_config()
    for _ in range(2):
        assert_same(again(torch.tensor(X)), layer(torch.tensor(X)), 0)
    assert array(layer.states[0]).any() and len(layer.losses) == 1
    mask = torch.tensor(PAD["left"], dtype=torch.bool)
    assert layer(torch.tensor(X), mask=mask)[0].shape == (B, U)
    with pytest.raises(ValueError, match="Received: units=0"):
        make(0)


def test_config_of_a_convolutional_cell_comes_back():
    cell = kshim.layers.ConvLSTM2D(3, 2, strides=2).cell
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config() and again.filters == 3

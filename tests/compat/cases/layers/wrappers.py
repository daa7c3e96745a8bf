"""TimeDistributed and Bidirectional."""

import numpy as np

from cases.layers.recurrent import inner
from cases.layers.row import Case, Refused

SEQUENCE = [(3, 4, 5)]


def each(name, *args, **kwargs):
    """``TimeDistributed`` over a layer; a dtype asked for holds for both."""

    def make(k, **more):
        return k.layers.TimeDistributed(getattr(k.layers, name)(*args, **kwargs, **inner(more)), **more)

    return make


def each_model(k, **more):
    dtype = {key: more[key] for key in ("dtype",) if key in more}
    model = k.Sequential(
        [k.Input((5,)), k.layers.Dense(3, "tanh", name="a", **dtype), k.layers.Dense(2, name="b", **dtype)], name="two"
    )
    return k.layers.TimeDistributed(model, **more)


def both(name, *args, wrapper=None, **kwargs):
    """``Bidirectional`` over a layer; ``wrapper`` has its own arguments."""

    def make(k, **more):
        layer = getattr(k.layers, name)(*args, **kwargs, **inner(more))
        return k.layers.Bidirectional(layer, **(wrapper or {}), **more)

    return make


def own_backward(k, **more):
    options = {"return_sequences": True, **inner(more)}
    backward = k.layers.GRU(2, go_backwards=True, **options | {"name": "other"})
    return k.layers.Bidirectional(k.layers.LSTM(2, **options), backward_layer=backward, **more)


def both_cell(k, **more):
    return k.layers.Bidirectional(k.layers.RNN(k.layers.GRUCell(2, **inner(more)), **inner(more)), **more)


def twice_plus_one(x):
    return x * 2 + 1


NESTED = {"test_config_is_keras": "the inner config lacks Dense's quantization_config, as cases/layers says"}
TWO = {"return_sequences": True, "return_state": True}

CASES = [
    Case("each_dense", each("Dense", 3, activation="tanh"), SEQUENCE, 2, skip=NESTED),
    Case("each_dense_4d", each("Dense", 3), [(2, 3, 4, 5)], 2, skip=NESTED),
    Case("each_conv", each("Conv2D", 2, 2), [(2, 3, 4, 4, 2)], 2,
         skip={"test_integer_inputs": "Keras 3.15 hands the ints to torch's convolution, which fails"}),
    Case("each_flatten", each("Flatten"), [(2, 3, 4, 5)]),
    Case("each_lstm", each("LSTM", 2), [(2, 3, 4, 5)], 3,
         skip={"test_masks_are_keras": "Keras 3.15 hands the LSTM a mask of one axis, and fails"}),
    Case("each_norm", each("BatchNormalization"), SEQUENCE, 4),
    Case("each_norm_training", each("BatchNormalization"), SEQUENCE, 4, call={"training": True}, rel=2e-4),
    Case("each_dropout", each("Dropout", 0.5, seed=3), SEQUENCE, call={"training": True}),
    Case("each_lambda", each("Lambda", twice_plus_one), SEQUENCE,
         skip={"test_config_is_keras": "Lambda's function is byte code in Keras, itself here",
               "test_config_round_trip": "Lambda's function is itself"}),
    Case("each_model", each_model, SEQUENCE, 4, skip=NESTED),
    Case("both_lstm", both("LSTM", 2), SEQUENCE, 6),
    Case("both_sequences", both("LSTM", 2, return_sequences=True), SEQUENCE, 6),
    Case("both_states", both("LSTM", 2, **TWO), SEQUENCE, 6),
    Case("both_sum", both("GRU", 2, wrapper={"merge_mode": "sum"}), SEQUENCE, 6),
    Case("both_mul", both("GRU", 2, wrapper={"merge_mode": "mul"}, **TWO), SEQUENCE, 6),
    Case("both_ave", both("SimpleRNN", 2, wrapper={"merge_mode": "ave"}, return_sequences=True), SEQUENCE, 6),
    Case("both_apart", both("LSTM", 2, wrapper={"merge_mode": None}, return_sequences=True), SEQUENCE, 6),
    Case("both_apart_last", both("LSTM", 2, wrapper={"merge_mode": None}), SEQUENCE, 6),
    Case("both_backward_layer", own_backward, SEQUENCE, 6),
    Case("both_cell", both_cell, SEQUENCE, 6),
    Case("both_hard_sigmoid", both("LSTM", 2, recurrent_activation="hard_sigmoid"), SEQUENCE, 6),
]  # fmt: skip


def wrapped(wrapper, *args, **kwargs):
    return lambda k: getattr(k.layers, wrapper)(*args, **kwargs)


def two(first, second):
    """``Bidirectional`` over LSTMs of those options."""
    return lambda k: k.layers.Bidirectional(k.layers.LSTM(2, **first), backward_layer=k.layers.LSTM(2, **second))


REFUSED = [
    Refused("wrapper", wrapped("Wrapper", 3), ValueError, "`layer`.*Received: layer=3"),
    Refused("each_no_layer", wrapped("TimeDistributed", 3), ValueError, "`layer`.*Received: layer=3"),
    Refused("each_matrix", lambda k: k.layers.TimeDistributed(k.layers.Dense(2))(np.zeros((2, 3), "float32")),
            ValueError, "at least 3 axes.*Received"),
    Refused("each_mask", lambda k: k.layers.TimeDistributed(k.layers.Dense(2))(
        np.zeros((2, 3, 4), "float32"), mask=np.ones((2, 2), bool)), ValueError, "mask.*Received"),
    Refused("both_no_layer", wrapped("Bidirectional", 3), ValueError, "`layer`.*Received: layer=3"),
    Refused("both_dense", lambda k: k.layers.Bidirectional(k.layers.Dense(2)), ValueError,
            "recurrent layer.*Received", (TypeError, AttributeError), "Keras meets the missing attribute"),
    Refused("both_merge_mode", lambda k: k.layers.Bidirectional(k.layers.LSTM(2), merge_mode="max"), ValueError,
            "merge_mode='max'"),
    Refused("both_backward_layer", lambda k: k.layers.Bidirectional(k.layers.LSTM(2), backward_layer=3), ValueError,
            "backward_layer=3"),
    Refused("both_one_way", two({}, {}), ValueError, "go_backwards.*Received"),
    Refused("both_sequences", two({"return_sequences": True}, {"go_backwards": True}), ValueError,
            "return_sequences.*Received"),
    Refused("both_stateful", two({"stateful": True}, {"go_backwards": True}), ValueError, "stateful.*Received"),
    Refused("both_states", two({}, {"return_state": True, "go_backwards": True}), ValueError,
            "return_state.*Received"),
]  # fmt: skip

NO_CASE = {"Wrapper": "the base of the wrappers: it has no call"}

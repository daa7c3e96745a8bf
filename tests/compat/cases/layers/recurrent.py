"""RNN over cells of every kind, SimpleRNN, LSTM, GRU, StackedRNNCells."""

import numpy as np

from cases.layers.row import Case, Refused, layer

SEQUENCE = [(3, 4, 5)]
DROPS = {"training": True}
TWO = {"return_sequences": True, "return_state": True}


def inner(more):
    """Arguments for the cell of a layer: the dtype that was asked for, and a name."""
    return {"name": "inner"} | {key: more[key] for key in ("dtype",) if key in more}


def over(cell, *args, **kwargs):
    """``RNN`` over a cell that both packages spell alike; a dtype asked for holds for both."""

    def make(k, **more):
        return k.layers.RNN(getattr(k.layers, cell)(*args, **inner(more)), **kwargs, **more)

    return make


def stacked(**kwargs):
    def make(k, **more):
        cells = [("LSTMCell", 4), ("GRUCell", 3), ("SimpleRNNCell", 2)]
        cells = [getattr(k.layers, name)(units, **inner(more) | {"name": name}) for name, units in cells]
        return k.layers.RNN(k.layers.StackedRNNCells(cells, **inner(more)), **kwargs, **more)

    return make


CASES = [
    Case("simple_rnn", layer("SimpleRNN", 4), SEQUENCE, 3),
    Case("simple_rnn_sequences", layer("SimpleRNN", 4, activation="relu", **TWO), SEQUENCE, 3),
    Case("simple_rnn_sigmoid", layer("SimpleRNN", 4, activation="sigmoid", return_sequences=True), SEQUENCE, 3),
    Case("simple_rnn_no_bias", layer("SimpleRNN", 4, use_bias=False, go_backwards=True), SEQUENCE, 2),
    Case("simple_rnn_dropout", layer("SimpleRNN", 4, dropout=0.5, recurrent_dropout=0.3, seed=7), SEQUENCE, 3,
         call=DROPS, skip={"test_config_round_trip": "Keras' config of SimpleRNN has no seed"}),
    Case("lstm", layer("LSTM", 4), SEQUENCE, 3),
    Case("lstm_sequences", layer("LSTM", 4, **TWO), SEQUENCE, 3),
    Case("lstm_backwards", layer("LSTM", 4, go_backwards=True, **TWO), SEQUENCE, 3),
    Case("lstm_hard_sigmoid", layer("LSTM", 4, recurrent_activation="hard_sigmoid", **TWO), SEQUENCE, 3),
    Case("lstm_relu", layer("LSTM", 4, activation="relu", recurrent_activation="softmax"), SEQUENCE, 3),
    Case("lstm_no_bias", layer("LSTM", 4, use_bias=False, return_sequences=True), SEQUENCE, 2),
    Case("lstm_no_forget_bias", layer("LSTM", 4, unit_forget_bias=False, unroll=True), SEQUENCE, 3),
    Case("lstm_no_kernel", layer("LSTM", 4, use_cudnn=False, return_sequences=True), SEQUENCE, 3,
         skip={"test_config_round_trip": "Keras' config has no use_cudnn: the twin runs the kernel"}),
    Case("lstm_dropout", layer("LSTM", 4, dropout=0.5, seed=7), SEQUENCE, 3, call=DROPS),
    Case("lstm_recurrent_dropout", layer("LSTM", 4, dropout=0.2, recurrent_dropout=0.3, seed=7), SEQUENCE, 3,
         call=DROPS),
    Case("lstm_regularized", layer("LSTM", 4, kernel_regularizer="l2", recurrent_regularizer="l1",
                                   bias_regularizer="l2", activity_regularizer="l2",
                                   recurrent_constraint="max_norm"), SEQUENCE, 3),
    Case("lstm_zero_output", layer("LSTM", 4, zero_output_for_mask=True, **TWO), SEQUENCE, 3),
    Case("gru", layer("GRU", 4), SEQUENCE, 3),
    Case("gru_sequences", layer("GRU", 4, **TWO), SEQUENCE, 3),
    Case("gru_before", layer("GRU", 4, reset_after=False, **TWO), SEQUENCE, 3),
    Case("gru_hard_sigmoid", layer("GRU", 4, recurrent_activation="hard_sigmoid", return_sequences=True), SEQUENCE, 3),
    Case("gru_no_bias", layer("GRU", 4, use_bias=False, go_backwards=True), SEQUENCE, 2),
    Case("gru_dropout", layer("GRU", 4, dropout=0.5, seed=7), SEQUENCE, 3, call=DROPS),
    Case("gru_recurrent_dropout", layer("GRU", 4, recurrent_dropout=0.3, seed=7, return_sequences=True), SEQUENCE, 3,
         call=DROPS),
    Case("gru_before_dropout", layer("GRU", 4, recurrent_dropout=0.3, dropout=0.3, reset_after=False, seed=7),
         SEQUENCE, 3, call=DROPS),
    Case("gru_zero_output", layer("GRU", 4, zero_output_for_mask=True), SEQUENCE, 3),
    Case("rnn", over("SimpleRNNCell", 4, return_sequences=True), SEQUENCE, 3),
    Case("rnn_lstm_cell", over("LSTMCell", 4, **TWO), SEQUENCE, 3),
    Case("rnn_gru_cell", over("GRUCell", 4, zero_output_for_mask=True, return_sequences=True), SEQUENCE, 3),
    Case("rnn_stacked", stacked(), SEQUENCE, 9),
    Case("rnn_stacked_sequences", stacked(**TWO), SEQUENCE, 9),
]  # fmt: skip


def called(name, shape=(2, 3, 5), call=(), **kwargs):
    """A call on zeros of ``shape``."""
    return lambda k: getattr(k.layers, name)(**kwargs)(np.zeros(shape, "float32"), **dict(call))


REFUSED = [
    *(Refused(f"{name}_units", lambda k, name=name: getattr(k.layers, name)(0), ValueError, "units=0")
      for name in ("SimpleRNN", "LSTM", "GRU", "SimpleRNNCell", "LSTMCell", "GRUCell")),
    Refused("lstm_rank", called("LSTM", (2, 5), units=3), ValueError, "ndim=3.*Received"),
    Refused("gru_rank", called("GRU", (2, 5, 5, 5), units=3), ValueError, "ndim=3.*Received"),
    Refused("lstm_features", lambda k: k.Sequential([k.Input((4, None)), k.layers.LSTM(3)]), ValueError,
            "last axis.*Received", (ValueError, TypeError), "Keras meets the None in the weight's shape"),
    Refused("lstm_use_cudnn", lambda k: k.layers.LSTM(3, use_cudnn="no"), ValueError, "use_cudnn='no'"),
    Refused("lstm_cudnn_recurrent_dropout", called("LSTM", units=3, use_cudnn=True, recurrent_dropout=0.5), ValueError,
            "use_cudnn=True"),
    Refused("gru_cudnn_before", called("GRU", units=3, use_cudnn=True, reset_after=False), ValueError,
            "use_cudnn=True"),
    Refused("lstm_unknown", lambda k: k.layers.LSTM(3, unit=4), ValueError, "unit"),
    Refused("lstm_activation", lambda k: k.layers.LSTM(3, activation="no"), ValueError, "Received"),
    Refused("rnn_no_cell", lambda k: k.layers.RNN(3), ValueError, "`call`.*Received"),
    Refused("rnn_no_state_size", lambda k: k.layers.RNN(k.layers.Dense(3)), ValueError, "`state_size`.*Received"),
    Refused("stacked_no_cell", lambda k: k.layers.StackedRNNCells([3]), ValueError, "`call`.*Received"),
    Refused("stacked_no_state_size", lambda k: k.layers.StackedRNNCells([k.layers.Dense(3)]), ValueError,
            "`state_size`.*Received"),
    Refused("lstm_initial_state", called("LSTM", call={"initial_state": [np.zeros((2, 3), "float32")]}, units=3),
            ValueError, "2 tensors.*Received", IndexError, "Keras takes the second of a list of one"),
    Refused("lstm_stateful_batch", lambda k: k.Sequential([k.Input((4, 5)), k.layers.LSTM(3, stateful=True)]),
            ValueError, "batch size.*Received"),
    Refused("lstm_no_steps", called("LSTM", (2, 0, 5), units=3), ValueError, "1 time step.*Received", Exception,
            "Keras takes the last of no outputs"),
]  # fmt: skip

NO_CASE = {
    name: "a step, not a layer over batches: test_layers_recurrent.py"
    for name in ("SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells")
}
NO_CASE |= {name: "gone in Keras 3: test_layers_recurrent.py" for name in ("CuDNNLSTM", "CuDNNGRU")}

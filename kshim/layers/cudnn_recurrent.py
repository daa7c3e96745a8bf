"""CuDNNLSTM and CuDNNGRU: the formulas and biases of cuDNN, on any device."""

import torch

from kshim.layers.recurrent import WEIGHTS, OwnCell, of_cell
from kshim.layers.recurrent_cells import GRUCell, LSTMCell


class _TwoBiasLSTMCell(LSTMCell):
    """``LSTMCell`` with cuDNN's biases: of the inputs and of the state, one behind the other, ``(8 * units,)``."""

    def _make_bias(self):
        return self._forgetting_bias(5, 3)

    def _biases(self, dtype):
        return self.bias.to(dtype).chunk(2)

    def _input_bias(self):
        return torch.add(*self.bias.chunk(2))


class _FlatBiasGRUCell(GRUCell):
    """``GRUCell`` with its biases as one vector, ``(6 * units,)``."""

    def _make_bias(self):
        return self.weight("bias", (6 * self.units,))

    def _biases(self, dtype):
        return self.bias.to(dtype).chunk(2)


@of_cell("units", "unit_forget_bias", *WEIGHTS)
class CuDNNLSTM(OwnCell):
    """``LSTM`` with cuDNN's formula, on any device: tanh, sigmoid, and a second bias.

    Args:
        units: size of the states and the output, an int above 0.
        unit_forget_bias: whether the forget gate's bias (of the state) begins at 1.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        activity_regularizer: penalty on the outputs, added to ``layer.losses``.
        return_sequences, return_state, stateful: as in ``RNN``, which also has the call's arguments.

    Shapes: those of ``LSTM``, but the bias is ``(8 * units,)``: of the inputs, then of the state.

    Raises: ValueError if ``units`` is not an int above 0, and where ``RNN`` does.

    Source: Keras 2.3.1 ``layers/cudnn_recurrent.py``; Keras 3 has ``LSTM`` alone.
    """

    cell_class = _TwoBiasLSTMCell

    def __init__(self, units, kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None,
                 bias_constraint=None, return_sequences=False, return_state=False, stateful=False,
                 **kwargs):  # fmt: skip
        self._over(locals(), kwargs, "cudnn_lstm_cell", activation="tanh", recurrent_activation="sigmoid")


@of_cell("units", *WEIGHTS)
class CuDNNGRU(OwnCell):
    """``GRU`` with cuDNN's formula, on any device: tanh, sigmoid, ``reset_after``, and biases in one vector.

    Args:
        units: size of the state and the output, an int above 0.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        activity_regularizer: penalty on the outputs, added to ``layer.losses``.
        return_sequences, return_state, stateful: as in ``RNN``, which also has the call's arguments.

    Shapes: those of ``GRU``, but the bias is ``(6 * units,)``: of the inputs, then of the state.

    Raises: ValueError if ``units`` is not an int above 0, and where ``RNN`` does.

    Source: Keras 2.3.1 ``layers/cudnn_recurrent.py``; Keras 3 has ``GRU`` alone.
    """

    cell_class = _FlatBiasGRUCell

    def __init__(self, units, kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 return_sequences=False, return_state=False, stateful=False, **kwargs):  # fmt: skip
        self._over(locals(), kwargs, "cudnn_gru_cell", activation="tanh", recurrent_activation="sigmoid")

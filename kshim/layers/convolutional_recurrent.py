"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: LSTMs whose products are convolutions."""

import torch
import torch.nn.functional as F

from kshim.core import checks, dtypes
from kshim.core.shapes import same_padding
from kshim.layers.convolutional import CONV, Convolution
from kshim.layers.input_spec import InputSpec
from kshim.layers.recurrent import WEIGHTS, OwnCell, of_cell
from kshim.layers.recurrent_cells import LSTMCell, clamped, dropped, scan
from kshim.layers.spatial import AXES


class ConvLSTMCell(LSTMCell, Convolution):
    """One step of ``ConvLSTM1D``, ``2D`` or ``3D``: ``LSTMCell`` with convolutions for products.

    Args:
        rank: number of axes that are convolved, 1 to 3.
        filters: number of channels of the states and the output, an int above 0.
        kernel_size: size of both kernels, an int above 0 or one for each axis.
        strides, padding, data_format, dilation_rate: of the convolution of the inputs, as in ``Conv2D``; that of the
            state has stride 1 and "same".
        activation: name, callable, or None for the identity.
        recurrent_activation: the same for the gates.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        dropout: share of the inputs dropped while training, moved into [0, 1]; another mask for each gate.
        recurrent_dropout: the same for the state ``h``.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.

    Shapes:
        inputs ``(batch, *sizes, channels)``, states ``[h, c]`` of the output's shape -> output ``(batch, *new sizes,
        filters)``, or with the channel axis second; kernel ``(*kernel_size, channels, 4 * filters)``,
        recurrent_kernel ``(*kernel_size, filters, 4 * filters)``, bias ``(4 * filters,)``.

    Raises: ValueError if an argument is not what is said above, or an axis of the input but the batch is not known.

    Source: Keras 3 ``layers/rnn/conv_lstm.py``; Shi et al., 2015.
    """

    implementation = 1  # of dropout: a mask for each gate
    arguments_of = {"kernel": "kernel", "recurrent_kernel": "recurrent"}  # noqa: RUF012 - as in the base

    def __init__(self, rank, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1,
                 activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True,
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, **kwargs):  # fmt: skip
        super(LSTMCell, self).__init__(**kwargs)
        self.rank = checks.one_of(1, 2, 3)(self, "rank", rank)
        self.settle(locals())
        self._prepare(seed)
        amounts = [same_padding(size, size, 1) for size in self.kernel_size]
        before, after = zip(*amounts, strict=True)
        self._state_padding = self.for_torch(before, 0)
        # Even kernels want one zero more behind: F.pad's pairs, the last axis first.
        pad = tuple(n for pair in reversed(amounts) for n in (0, pair[1] - pair[0]))
        self._state_pad = pad if any(pad) else None

    def argument_checks(self):
        return super().argument_checks() | {"dropout": clamped, "recurrent_dropout": clamped}

    @property
    def units(self):
        """Number of channels of the states."""
        return self.filters

    def build(self, input_shape):
        channels = self.known_channels(input_shape)
        if None in self.split_shape(input_shape)[2]:
            checks.fail(
                self, "an input whose axes are known, but for batch and time", f"shape={tuple(input_shape)}",
                "Give the sizes in Input(shape=...).",
            )  # fmt: skip
        self._state_shape = self.join_shape(None, self.filters, self.output_sizes(input_shape, self.windows))[1:]
        self.kernel = self.make_kernel("kernel", (*self.kernel_size, channels, 4 * self.filters))
        self.recurrent_kernel = self.make_kernel(
            "recurrent_kernel", (*self.kernel_size, self.filters, 4 * self.filters)
        )
        self.bias = self._make_bias() if self.use_bias else None

    def get_initial_state(self, batch_size=None):
        """Zeros for both states, as a list; the cell must be built."""
        dtype = dtypes.TORCH[self.compute_dtype]
        return [torch.zeros(batch_size, *self._state_shape, dtype=dtype, device=self.device) for _ in range(2)]

    def has_kernel(self):
        return False

    def project(self, inputs, mask=None):
        kernel, bias = self.for_conv(self.kernel.to(inputs.dtype)), self.bias
        bias = None if bias is None else bias.to(inputs.dtype)
        steps = inputs.dim() == self.rank + 3

        def convolved(x, kernel, bias):
            outputs = self.convolve(self.inward(x.flatten(0, 1) if steps else x), kernel, bias, 1)
            return outputs.unflatten(0, inputs.shape[:2]) if steps else outputs

        if mask is None:
            return convolved(inputs, kernel, bias)
        biases = [None] * 4 if bias is None else bias.chunk(4)
        parts = zip(mask, kernel.chunk(4), biases, strict=True)
        return torch.cat([convolved(dropped(inputs, m), k, b) for m, k, b in parts], 1 + steps)

    def _joined(self, kernel, mask):
        kernel = self.for_conv(kernel)
        convolve, padding, pad = CONV[kernel.dim() - 2], self._state_padding, self._state_pad

        def convolved(state, kernel):
            return convolve(state if pad is None else F.pad(state, pad), kernel, None, 1, padding)

        if mask is None:
            return lambda projected, state: projected + convolved(state, kernel)
        pairs = [(self.inward(m), k) for m, k in zip(mask, kernel.chunk(4), strict=True)]
        return lambda projected, state: projected + torch.cat([convolved(state * m, k) for m, k in pairs], 1)

    def call(self, inputs, states, training=False):
        output, states = super().call(inputs, [self.inward(state) for state in states], training)
        return self.outward(output), [self.outward(state) for state in states]

    def over_time(self, inputs, states, mask=None, training=False, every=False, zero_masked=False, final=True):
        if not inputs.is_floating_point():
            inputs = inputs.to(states[0].dtype)
        drop, recurrent = self._masks_of_run(inputs, states, training)
        step = self.stepper(inputs.dtype, recurrent)
        states = [self.inward(state) for state in states]
        outputs, states = scan(step, self.project(inputs, drop).unbind(1), states, mask, every, zero_masked)
        if every:
            outputs = self.outward(outputs.flatten(0, 1)).unflatten(0, inputs.shape[:2])
        return outputs if every else self.outward(outputs), [self.outward(state) for state in states]

    def compute_output_shape(self, inputs_shape, states_shape=None):
        """The output's shape, and those of the states."""
        shape = Convolution.compute_output_shape(self, inputs_shape)
        return shape, [shape, shape]

    def get_config(self):
        # `filters` says what `units` would, and a cell has no output of its own to be penalized.
        unsaid = ("activity_regularizer", "units")
        return {name: value for name, value in super().get_config().items() if name not in unsaid}


_DOC = """Convolutional LSTM over {axes} at each step: an LSTM whose products are convolutions.

    Args:
        filters: number of channels of the states and the output, an int above 0.
        kernel_size: size of both kernels, {size}.
        strides, padding, data_format, dilation_rate: of the convolution of the inputs, as in ``Conv{rank}D``; that
            of the state has stride 1 and "same".
        activation: name, callable, or None for the identity.
        recurrent_activation: the same for the gates.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        activity_regularizer: penalty on the outputs, added to ``layer.losses``.
        dropout: share of the inputs dropped while training, moved into [0, 1]; another mask for each gate.
        recurrent_dropout: the same for the state.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.
        return_sequences, return_state, go_backwards, stateful: as in ``RNN``, which also has the call's arguments.

    Shapes:
        inputs ``(batch, time, {names}, channels)`` -> ``(batch, {names}, filters)``, or ``(batch, time, {names},
        filters)`` with ``return_sequences``, or with the channel axis before the {names}; with ``return_state`` a
        tuple with both states behind. Weights are those of ``ConvLSTMCell``.

    Raises:
        ValueError: an argument is not what is said above; an axis of the input but batch and time is not known; and
            where ``RNN`` does.

    Source: Keras 3 ``layers/rnn/conv_lstm{rank}d.py``; Shi et al., 2015.
    """


def _document(rank):
    axes = {1: "a sequence", 2: "an image", 3: "a volume"}[rank]
    size = "an int above 0" + (", or one for each axis" if rank > 1 else "")
    return _DOC.format(rank=rank, axes=axes, names=AXES[rank], size=size)


@of_cell("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation",
         "recurrent_activation", "unit_forget_bias", *WEIGHTS)  # fmt: skip
class ConvLSTM(OwnCell):
    """Base of ConvLSTM1D, ConvLSTM2D and ConvLSTM3D."""

    rank: int
    cell_class = ConvLSTMCell

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1,
                 activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False,
                 go_backwards=False, stateful=False, **kwargs):  # fmt: skip
        self._over(locals(), kwargs, "conv_lstm_cell", rank=self.rank)
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def build(self, sequences_shape, initial_state_shape=None, constants_shape=None):
        if len(sequences_shape) != self.rank + 3:
            checks.fail(self, f"an input with ndim={self.rank + 3}", f"shape={tuple(sequences_shape)}")
        super().build(sequences_shape, initial_state_shape, constants_shape)
        self.input_spec = InputSpec(shape=(None, None, *sequences_shape[2:]))


class ConvLSTM1D(ConvLSTM):
    __doc__ = _document(1)
    rank = 1


class ConvLSTM2D(ConvLSTM):
    __doc__ = _document(2)
    rank = 2


class ConvLSTM3D(ConvLSTM):
    __doc__ = _document(3)
    rank = 3

"""Recurrent bases that are gone: ``Recurrent`` and ``ConvRecurrent2D``, whose subclasses write ``step``, and ConvRNN2D.

Source: Keras 1.2.2 ``layers/recurrent.py``, ``layers/convolutional_recurrent.py``; 2.3.1 ``legacy/layers.py``,
``layers/convolutional_recurrent.py``; 0.3.3 ``layers/core.py``.
"""

import contextvars
import inspect

import torch
from torch.nn import functional as F

from kshim.core import checks, settings
from kshim.core.variable import Variable
from kshim.graph import infer
from kshim.layers import RNN, InputSpec, Layer
from kshim.layers.convolutional_recurrent import ConvLSTMCell
from kshim.layers.recurrent import with_states

_training: contextvars.ContextVar = contextvars.ContextVar("training", default=None)  # of the Recurrent under way


def time_distributed_dense(x, w, b=None, dropout=None, input_dim=None, output_dim=None, timesteps=None):
    """``x @ w + b`` at each step of ``(batch, time, features)``.

    Args:
        x, w, b: inputs, kernel ``(features, units)``, and bias or None.
        dropout: share of the inputs dropped while training, the same at each step; within a ``Recurrent``'s call.
        input_dim, output_dim, timesteps: accepted as in Keras; ``x`` and ``w`` tell them.

    Raises: NotImplementedError: ``dropout`` outside a call of a ``Recurrent``: it is not known whether it trains.

    Source: Keras 1.2.2 ``layers/recurrent.py``.
    """
    if dropout is not None and 0 < dropout < 1:
        training = _training.get()
        if training is None:
            raise NotImplementedError(
                "time_distributed_dense(): expected `dropout` within the call of a Recurrent layer. Received: "
                f"dropout={dropout}. Apply a Dropout layer to x instead."
            )
        x = x * F.dropout(torch.ones_like(x[:, :1]), dropout, training)
    return F.linear(x, w.t(), b)


class Recurrent(Layer):
    """Base of recurrent layers: a subclass writes ``build``, ``step``, and sets ``units`` (or ``output_dim``).

    A subclass's ``build`` sets ``self.states`` to a list with None for each state, and calls ``reset_states()`` if
    ``stateful``. ``step(x, states) -> (output, new states)`` gets the states and the constants behind them.

    Args (by name alone; in Keras 1 and 2 they stood in different orders):
        return_sequences: whether to give the outputs of all steps, or the last one.
        return_state: whether to give the last states too.
        go_backwards: whether to run from the last step to the first; the outputs come in that order.
        stateful: whether each batch begins with the states the last one ended with, row by row.
        unroll: changes no speed here. The output of a masked step is the output before it, at first 0; without
            ``unroll``, up to Keras 2.2.4 on TensorFlow, it is the first state.
        implementation, consume_less: kept for the subclass, which reads them.
        input_dim, input_length: the input's last axis, and its number of steps; ``input_shape`` in two arguments.

    A subclass may write, in Keras 1's or 2's spelling (with ``train`` or ``training``, or without):
        ``preprocess_input(x)``: what the steps are taken from; ``get_constants(x)``: list of what each step gets;
        ``get_initial_states(x)`` or ``get_initial_state(inputs)``; ``reset_states()``.

    Call arguments: ``initial_state``, a tensor for each state; ``mask``, bool ``(batch, time)``.

    Shapes: inputs ``(batch, time, features)`` -> ``(batch, units)``, or ``(batch, time, units)`` with
        ``return_sequences``; with ``return_state`` a list with the states behind.

    Raises:
        ValueError: ``stateful`` and the batch size is not known; there is no step; a wrong number of states.
        AttributeError: ``reset_states()`` of a layer that is not stateful.
        NotImplementedError: a subclass without ``step``, or with Keras 0's ``get_output``.

    Source: Keras 1.2.2 ``layers/recurrent.py``, 2.3.1 ``legacy/layers.py``.
    """

    supports_masking = True
    _constants_count = 0
    dropout = recurrent_dropout = 0

    def __init__(self, *, return_sequences=False, return_state=False, go_backwards=False, stateful=False, unroll=False,
                 implementation=0, consume_less="cpu", input_dim=None, input_length=None, **kwargs):  # fmt: skip
        if input_dim:
            kwargs["input_shape"] = (input_length, input_dim)
        super().__init__(**kwargs)
        self.keep(locals())
        self.input_spec = [InputSpec(ndim=3)]
        self.state_spec = None

    def __init_subclass__(cls, **kwargs):
        build = vars(cls).get("build")
        if build is not None and len(inspect.signature(build).parameters) == 1:  # Keras 0: self.input_shape tells
            cls.build = lambda self, input_shape: build(self)
        super().__init_subclass__(**kwargs)
        if "get_output" in vars(cls):
            raise NotImplementedError(
                f"{cls.__name__}: kshim runs step(), not Keras 0's get_output(). Received: a class with get_output. "
                "Write `call(self, x, mask=None)`, or leave it out."
            )

    def __setattr__(self, name, value):
        if name == "states":  # not weights, though variables: never in get_weights()
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        for state in getattr(self, "states", None) or ():
            if state is not None:
                state.data = fn(state.data)
        return self

    def _after_build(self):
        super()._after_build()
        if not self.stateful and isinstance(self.input_spec, list):  # an eager call told its own batch size
            self.input_spec = [
                InputSpec(shape=(None, *spec.shape[1:])) if spec.shape else spec for spec in self.input_spec
            ]

    # -- what a subclass may write -------------------------------------------------------------------------------

    def step(self, x, states):
        """``(output, new states)`` of one step; ``states`` has the constants behind."""
        raise NotImplementedError(f"{checks.describe(self)}: expected a `step(x, states)` method. Received: none.")

    def get_constants(self, inputs, training=None):
        """What each step gets behind its states, a list."""
        return []

    def preprocess_input(self, inputs, training=None):
        """What the steps are taken from."""
        return inputs

    def get_initial_states(self, x):
        """The states a run on ``x`` begins with, by its name in Keras 1."""
        return [x.new_zeros(self._state_shape(tuple(x.shape))) for _ in self.states]

    def get_initial_state(self, inputs):
        """The states a run on ``inputs`` begins with."""
        return self.get_initial_states(inputs)

    def _state_shape(self, input_shape):
        return input_shape[0], getattr(self, "units", None) or self.output_dim

    def reset_states(self, states=None):
        """Make the states of a stateful layer, or set them: to arrays, or to 0.

        Raises:
            AttributeError: the layer is not stateful.
            ValueError: the batch size is not known; the states' number or a shape is wrong.
        """
        if not self.stateful:
            raise AttributeError(f"{checks.describe(self)}: expected a stateful layer. Received: stateful=False.")
        shape = self._build_shape
        shape = tuple(shape[0]) if isinstance(shape[0], (list, tuple)) else tuple(shape)
        if shape[0] is None:
            checks.fail(
                self, "a batch size that is known, as `stateful=True`", f"shape={shape}",
                "Give it: batch_input_shape= of the first layer, or Input(batch_shape=...).",
            )  # fmt: skip
        if self.states[0] is None:
            with torch._C.DisableTorchFunction(), torch.inference_mode(False):
                zeros = [torch.zeros(self._state_shape(shape), device=self.device) for _ in self.states]
                self.states = [Variable(zero, trainable=False, name="rnn_state") for zero in zeros]
        if states is None:
            for state in self.states:
                state.data.zero_()
            return
        values = [torch.as_tensor(v) for v in (states if isinstance(states, (list, tuple)) else [states])]
        shapes = [tuple(state.shape) for state in self.states]
        if [tuple(value.shape) for value in values] != shapes:
            checks.fail(self, f"states of shapes {shapes}", f"shapes {[tuple(value.shape) for value in values]}")
        for state, value in zip(self.states, values, strict=True):
            state.data.copy_(value)

    # -- the run -------------------------------------------------------------------------------------------------

    def __call__(self, *args, **kwargs):
        args, kwargs = with_states(self, args, kwargs)
        return super().__call__(*args, **kwargs)

    def call(self, inputs, mask=None, training=None, initial_state=None):
        training = self.training if training is None else training
        if inputs.shape[1] == 0:
            checks.fail(self, "at least 1 time step", f"shape={tuple(inputs.shape)}")
        states = self._begin(inputs, initial_state)
        token = _training.set(bool(training))
        try:
            constants = list(_in_mode(self.get_constants, inputs, training) or ())
            steps = _in_mode(self.preprocess_input, inputs, training)
            mask = mask[0] if isinstance(mask, (list, tuple)) else mask
            outputs, states = self._run(steps, states, constants, mask)
        finally:
            _training.reset(token)
        if self.stateful and not infer.is_running():
            for own, state in zip(self.states, states, strict=False):
                own.data.copy_(state.detach())
        return [outputs, *states] if self.return_state else outputs

    def _begin(self, inputs, initial_state):
        if initial_state is not None:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            if len(states) != len(self.states):
                checks.fail(self, f"{len(self.states)} initial states", f"initial_state with {len(states)}")
            return states
        if not self.stateful:
            return list(self.get_initial_state(inputs))
        if not inputs.is_meta and self.states[0].shape[0] != inputs.shape[0]:
            checks.fail(
                self, f"batches of {self.states[0].shape[0]}, as `stateful=True`", f"a batch of {inputs.shape[0]}"
            )
        return [state.detach().clone() for state in self.states]

    def _run(self, inputs, states, constants, mask):
        """All steps, or the first one in a meta run: ``(outputs or the last one, states)``."""
        steps = inputs.unbind(1)
        kept = (None,) * len(steps) if mask is None or inputs.is_meta else mask.bool().unbind(1)
        if self.go_backwards:
            steps, kept = steps[::-1], kept[::-1]
        outputs = []
        for x, keep in zip(steps[:1] if inputs.is_meta else steps, kept, strict=False):
            output, new = self.step(x, [*states, *constants])
            if keep is not None:
                before = outputs[-1] if outputs else torch.zeros_like(output)
                if not self.unroll and settings.holds(until="2.2.4") and states[0].shape == output.shape:
                    before = states[0]
                output = _where(keep, output, before)
                new = [_where(keep, a, b) for a, b in zip(new, states, strict=True)]
            states = list(new)
            outputs.append(output)
        if not self.return_sequences:
            return outputs[-1], states
        return torch.stack(outputs * len(steps) if inputs.is_meta else outputs, 1), states

    def compute_mask(self, inputs, mask=None):
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        mask = mask if self.return_sequences else None
        return [mask, *(None for _ in self.states)] if self.return_state else mask


def _where(mask, new, old):
    return torch.where(mask.view(-1, *(1,) * (new.dim() - 1)), new, old)


def _in_mode(method, inputs, training):
    """``method(inputs)``, with the mode by the name that it takes it under."""
    taken = inspect.signature(method).parameters
    return method(inputs, **{name: training for name in ("training", "train") if name in taken})


_OF_KERAS_1 = ("nb_filter", "nb_row", "nb_col", "dim_ordering")
_OF_KERAS_2 = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate")


class ConvRecurrent2D(Recurrent):
    """``Recurrent`` over images: a subclass writes ``build`` and ``step``.

    Args:
        filters: number of channels of the states and the output.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution that a step makes; they tell
            the size of the states.
        return_sequences, go_backwards, stateful: as in ``Recurrent``.
        nb_filter, nb_row, nb_col, dim_ordering: Keras 1's names of the first; then ``self.subsample`` and
            ``self.border_mode`` are the strides and the padding, if the subclass has them.

    Shapes: inputs ``(batch, time, rows, columns, channels)`` -> ``(batch, new rows, new columns, filters)``, with the
        time axis behind the batch with ``return_sequences``, or with the channel axis before the rows.

    Raises: ValueError: an argument is not what is said above; and where ``Recurrent`` does.

    Source: Keras 1.2.2 ``layers/convolutional_recurrent.py``, 2.3.1 ``legacy/layers.py``.
    """

    def __init__(self, filters=None, kernel_size=None, strides=(1, 1), padding="valid", data_format=None,
                 dilation_rate=(1, 1), return_sequences=False, go_backwards=False, stateful=False,
                 nb_filter=None, nb_row=None, nb_col=None, dim_ordering=None, **kwargs):  # fmt: skip
        super().__init__(
            return_sequences=return_sequences, go_backwards=go_backwards, stateful=stateful, **kwargs
        )  # fmt: skip
        orders = {"th": "channels_first", "tf": "channels_last", "default": None}
        if dim_ordering is not None:
            data_format = orders[checks.one_of(*orders)(self, "dim_ordering", dim_ordering)]
        if nb_filter is not None:
            filters, kernel_size = nb_filter, (nb_row, nb_col)
        pair = checks.ntuple(2)
        self.keep(
            {name: value for name, value in locals().items() if name not in ("pair", "orders")},
            filters=checks.positive_int, kernel_size=pair, strides=pair, dilation_rate=pair,
            padding=checks.one_of("valid", "same"), data_format=checks.data_format,
        )  # fmt: skip
        self.input_spec = [InputSpec(ndim=5)]

    def get_initial_states(self, x):
        count = 2 if self.nb_filter is not None else len(self.states)  # Keras 1: `states` has room for constants
        return [x.new_zeros(self._state_shape(tuple(x.shape))) for _ in range(count)]

    def _state_shape(self, input_shape):
        first = self.data_format == "channels_first"
        padding, strides = getattr(self, "border_mode", self.padding), getattr(self, "subsample", self.strides)
        sizes = []
        each = (input_shape[3:] if first else input_shape[2:4], self.kernel_size, strides, self.dilation_rate)
        for size, kernel, stride, dilation in zip(*each, strict=True):
            sizes.append(-(-(size if padding == "same" else size - (kernel - 1) * dilation) // stride))
        return (input_shape[0], self.filters, *sizes) if first else (input_shape[0], *sizes, self.filters)

    def get_config(self):
        # In Keras 1 the subclass said these itself, often to a base whose arguments it had fixed.
        own = inspect.signature(type(self).__init__).parameters
        gone = _OF_KERAS_1 if self.nb_filter is None else (*_OF_KERAS_1, *_OF_KERAS_2)
        return {name: value for name, value in super().get_config().items() if name in own or name not in gone}


class ConvLSTM2DCell(ConvLSTMCell):
    """One step of ``ConvLSTM2D``, a cell for ``ConvRNN2D``.

    Args:
        filters: number of channels of the states and the output, an int above 0.
        kernel_size: size of both kernels, an int above 0 or two.
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

    Shapes: those of a step of ``ConvLSTM2D``.

    Raises: ValueError if an argument is not what is said above.

    Source: Keras 2.3.1 ``layers/convolutional_recurrent.py``.
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1),
                 activation="tanh", recurrent_activation="hard_sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, **kwargs):  # fmt: skip
        given = {name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")}
        super().__init__(rank=2, **given, **kwargs)

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "rank"}


class ConvRNN2D(RNN):
    """``RNN`` over images, with a convolutional cell.

    Args:
        cell: a ``ConvLSTM2DCell``, or a cell whose ``get_initial_state(batch_size)`` tells its states, or one of
            Keras 2.3's protocol: ``kernel_shape``, ``filters``, ``padding`` and ``input_conv(x, w, padding=)``.
        return_sequences, return_state, go_backwards, stateful: as in ``RNN``.
        unroll: must be False.

    Shapes: inputs ``(batch, time, rows, columns, channels)`` -> the cell's output, with the time axis behind the
        batch with ``return_sequences``; with ``return_state`` a tuple with the states behind.

    Raises:
        TypeError: ``unroll``, or a list of cells.
        ValueError: where ``RNN`` does, and for a cell that does not tell its states.

    Source: Keras 2.3.1 ``layers/convolutional_recurrent.py``.
    """

    def __init__(self, cell, return_sequences=False, return_state=False, go_backwards=False, stateful=False,
                 unroll=False, **kwargs):  # fmt: skip
        if unroll:
            raise TypeError("ConvRNN2D: expected unroll=False. Received: unroll=True. Leave it out.")
        if isinstance(cell, (list, tuple)):
            raise TypeError(
                f"ConvRNN2D: expected one cell. Received: {len(cell)} cells. Put one ConvRNN2D on top of another."
            )
        super().__init__(
            cell=cell, return_sequences=return_sequences, return_state=return_state, go_backwards=go_backwards,
            stateful=stateful, **kwargs,
        )  # fmt: skip
        self.unroll = False
        self.input_spec = InputSpec(ndim=5)

    def build(self, sequences_shape, initial_state_shape=None, constants_shape=None):
        self._image_shape = tuple(sequences_shape[2:])
        super().build(sequences_shape, initial_state_shape, constants_shape)

    def get_initial_state(self, batch_size):
        cell = self.cell
        if hasattr(cell, "get_initial_state"):
            return super().get_initial_state(batch_size)
        if not hasattr(cell, "input_conv"):
            checks.fail(self, "a cell with `get_initial_state` or `input_conv`", f"cell={cell!r}")
        given = isinstance(batch_size, torch.Tensor)
        like = batch_size if given else torch.zeros((), device=self.device)
        rows, image = (batch_size.shape[0], batch_size.shape[2:]) if given else (batch_size, self._image_shape)
        kernel = like.new_zeros(*cell.kernel_shape[:-1], cell.filters)
        state = cell.input_conv(like.new_zeros(rows, *image), kernel, padding=cell.padding)
        return [state for _ in self.state_size]


class SiameseHead(Layer):
    """One of several tensors.

    Args:
        head: its index.

    Shapes: a list of tensors -> the shape of that one.

    Raises: ValueError: the input is no list, or has no such index.

    Source: Keras 0.3.3 ``layers/core.py``.
    """

    def __init__(self, head, **kwargs):
        super().__init__(**kwargs)
        self.head = head

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)) or not -len(inputs) <= self.head < len(inputs):
            got = f"{len(inputs)} of them" if isinstance(inputs, (list, tuple)) else type(inputs).__name__
            checks.fail(self, f"a list of tensors that has index {self.head}", got)
        return inputs[self.head]

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[self.head]

"""RNN over any cell, and SimpleRNN, LSTM, GRU with theirs."""

import inspect

import torch

from kshim import regularizers
from kshim.core import checks, dtypes, tree
from kshim.core.registry import custom_object_scope
from kshim.core.variable import Variable
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec
from kshim.layers.recurrent_cells import (
    Cell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
    as_cell,
    build_cell,
    cell_step,
    first_states,
    is_fast,
    scan,
    state_list,
    step_shapes,
)
from kshim.layers.registry import resolve


class RNN(Layer):
    """Runs a cell over the steps of a sequence.

    Args:
        cell: an object with ``call(inputs, states) -> (output, states)`` and ``state_size``, an int or a list of
            them (nested for cells of cells); it may have ``output_size`` and ``get_initial_state(batch_size)``.
            A list of cells is stacked.
        return_sequences: whether to give the outputs of all steps, or the last one.
        return_state: whether to give the last states too.
        go_backwards: whether to run from the last step to the first; the outputs come in that order.
        stateful: whether each batch begins with the states the last one ended with, row by row.
        unroll: accepted as in Keras; the run is the same.
        zero_output_for_mask: whether the output of a masked step is 0, or that of the step before.

    Call arguments: ``initial_state``, a tensor for each state (or a list of them in place of the inputs, which then
    come first); ``constants``, tensors that the cell is called with at each step; ``mask``, bool ``(batch, time)``.

    Shapes:
        inputs ``(batch, time, ...)`` -> ``(batch, output_size)``, or ``(batch, time, output_size)`` with
        ``return_sequences``; with ``return_state`` a tuple with the states behind.

    Raises:
        ValueError: something is no cell; the batch size is not known and ``stateful``, or changes then; there is
            no time step; ``initial_state`` has not one tensor for each state.

    Source: Keras 3 ``layers/rnn/rnn.py``.
    """

    def __init__(self, cell, return_sequences=False, return_state=False, go_backwards=False, stateful=False,
                 unroll=False, zero_output_for_mask=False, **kwargs):  # fmt: skip
        cell = resolve(cell)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cells=cell, dtype=kwargs.get("dtype"))
        super().__init__(**kwargs)
        self.keep(locals(), cell=lambda owner, name, value: as_cell(owner, value))
        size = cell.state_size
        if not isinstance(size, (int, list, tuple)):
            checks.fail(self, "`state_size` of the cell to be an int or a list of them", f"state_size={size!r}")
        self.supports_masking = True
        self.states = None
        self._constants_count = 0

    @property
    def state_size(self):
        """The cell's state sizes, a list."""
        return state_list(self.cell)

    def __call__(self, *args, **kwargs):
        args, kwargs = with_states(self, args, kwargs)
        return super().__call__(*args, **kwargs)

    def build(self, sequences_shape, initial_state_shape=None, constants_shape=None):
        shape, _ = step_shapes(sequences_shape)
        build_cell(self.cell, (shape[0], *shape[2:]), constants_shape or ())
        if self.stateful:
            if shape[0] is None:
                checks.fail(
                    self, "a batch size that is known, as `stateful=True`", f"shape={shape}",
                    "Give it: Input(batch_shape=...), or batch_size= with the input's shape.",
                )  # fmt: skip
            self._make_states(shape[0])

    def _make_states(self, batch_size):
        """Begin with the cell's first states. They are no weights: get_weights() has nothing of them."""

        def variable(value):
            return Variable(value.detach().clone(), trainable=False, name="rnn_state")

        with torch._C.DisableTorchFunction(), torch.inference_mode(False):
            states = tree.map_structure(variable, self.get_initial_state(batch_size))
        object.__setattr__(self, "states", states)

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        for state in self._state_leaves():
            state.data = fn(state.data)
        return self

    def _state_leaves(self):
        return [] if self.states is None else tree.flatten(self.states)

    def get_initial_state(self, batch_size):
        """The states that a run begins with, a list.

        Args:
            batch_size: an int, or the inputs themselves.
        """
        inputs = batch_size if isinstance(batch_size, torch.Tensor) else None
        batch_size = batch_size if inputs is None else inputs.shape[0]
        device = self.device if inputs is None else inputs.device
        dtype = getattr(self.cell, "compute_dtype", self.compute_dtype)
        return first_states(self.cell, batch_size, inputs, dtype, device)

    def reset_state(self):
        """Set the states of a stateful layer to 0."""
        self.reset_states()

    def reset_states(self, states=None):
        """Set the states of a stateful layer.

        Args:
            states: arrays, one for each state; None sets them to 0.

        Raises: ValueError if their number or a shape is wrong.
        """
        own = self._state_leaves()
        if states is None:
            for state in own:
                state.data.zero_()
            return
        values = [torch.as_tensor(value) for value in tree.flatten(states)]
        if [tuple(v.shape) for v in values] != [tuple(s.shape) for s in own]:
            checks.fail(
                self, f"states of shapes {[tuple(s.shape) for s in own]}", f"shapes {[tuple(v.shape) for v in values]}"
            )
        for state, value in zip(own, values, strict=True):
            state.data.copy_(value)

    def _begin(self, sequences, initial_state):
        """The states a run begins with, in the cell's dtype and on the inputs' device."""
        if initial_state is None and self.stateful and self.states is not None:
            states = tree.map_structure(lambda state: state.detach().clone(), self.states)
        elif initial_state is None:
            states = self.get_initial_state(sequences)
        else:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            if len(states) != len(self.state_size):
                checks.fail(
                    self, f"`initial_state` to have {len(self.state_size)} tensors, one for each state",
                    f"initial_state with {len(states)}",
                )  # fmt: skip
        dtype = dtypes.TORCH[getattr(self.cell, "compute_dtype", self.compute_dtype)]
        return tree.map_structure(lambda state: state.to(sequences.device, dtype), states)

    def call(self, sequences, initial_state=None, mask=None, training=False, constants=None):
        if self.stateful and self.states is not None:
            size = self._state_leaves()[0].shape[0]
            if sequences.shape[0] != size:
                checks.fail(
                    self, f"batches of {size}, as `stateful=True`", f"a batch of {sequences.shape[0]}",
                    "Drop the rest of the data, or pass a batch_size that divides it.",
                )  # fmt: skip
        if sequences.shape[1] == 0:
            checks.fail(self, "at least 1 time step", f"shape={tuple(sequences.shape)}")
        if constants is not None:
            self._constants_count = len(constants)
        states = self._begin(sequences, initial_state)
        if sequences.is_meta:
            outputs, states = self._one_step(sequences, states, training, constants)
        else:
            mask = _time_mask(self, mask, sequences.shape[:2])
            outputs, states = self._run(sequences, states, mask, training, constants)
            if self.stateful:
                for own, state in zip(self._state_leaves(), tree.flatten(states), strict=True):
                    own.data.copy_(state.detach())
        dtype = dtypes.TORCH[self.compute_dtype]
        if dtype != states_dtype(states):
            outputs, states = tree.map_structure(lambda x: x.to(dtype), (outputs, states))
        return (outputs, *states) if self.return_state else outputs

    def _run(self, sequences, states, mask, training, constants):
        """All steps: ``(outputs, states)``."""
        cell, every, zero = self.cell, self.return_sequences, self.zero_output_for_mask
        if is_fast(cell) and constants is None:
            if self.go_backwards:
                sequences, mask = sequences.flip(1), None if mask is None else mask.flip(1)
            return cell.over_time(
                sequences, states, mask, training, every, zero, self.return_state or self.stateful
            )  # fmt: skip
        steps = sequences.unbind(1)
        if self.go_backwards:
            steps, mask = steps[::-1], None if mask is None else mask.flip(1)
        _reset_dropout(cell)
        try:
            return scan(cell_step(cell, training, constants), steps, states, mask, every, zero)
        finally:
            _reset_dropout(cell)

    def _one_step(self, sequences, states, training, constants):
        """What a meta run needs of a run: the shapes that one step gives."""
        output, states = cell_step(self.cell, training, constants)(sequences[:, 0], states)
        if self.return_sequences:
            steps = sequences.shape[1]
            output = tree.map_structure(lambda x: x.unsqueeze(1).expand(-1, steps, *x.shape[1:]), output)
        return output, states

    def compute_mask(self, inputs, previous_mask=None):
        mask = tree.flatten(previous_mask)[0] if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An object of this class made from ``get_config()``'s dict."""
        with custom_object_scope(custom_objects or {}):
            return cls(**config)


def with_states(layer, args, kwargs):
    """A call's arguments, with ``[inputs, *states, *constants]`` (Keras 2's way to give them) taken apart."""
    if not (args and isinstance(args[0], (list, tuple)) and args[0]):
        return args, kwargs
    inputs, *more = args[0]
    split = len(more) - layer._constants_count
    given = {"initial_state": more[:split], "constants": more[split:]}
    return (inputs, *args[1:]), {key: value for key, value in given.items() if value} | kwargs


def states_dtype(states):
    """The dtype of the first of the states."""
    return tree.flatten(states)[0].dtype


def _time_mask(layer, mask, shape):
    """A mask as bool ``(B, T)``, or None; one of ``(B,)``, as within TimeDistributed, holds for all steps."""
    mask = tree.flatten(mask)[0]
    if mask is None:
        return None
    mask = mask if mask.dtype == torch.bool else mask.bool()
    if mask.dim() == 1:
        mask = mask.unsqueeze(1).expand(shape)
    elif mask.dim() == 3 and mask.shape[2] == 1:
        mask = mask.squeeze(2)
    if mask.shape != shape:
        checks.fail(layer, f"a mask of shape {tuple(shape)}", f"shape {tuple(mask.shape)}")
    return mask


def _reset_dropout(cell):
    """The cells in ``cell`` draw new masks at their next step."""
    for module in cell.modules() if isinstance(cell, torch.nn.Module) else ():
        if isinstance(module, Cell):
            module.reset_dropout_mask()
            module.reset_recurrent_dropout_mask()


def of_cell(*names):
    """Class decorator: the attributes ``names`` are those of the layer's cell."""

    def decorate(cls):
        for name in names:
            setattr(cls, name, property(lambda self, name=name: getattr(self.cell, name), doc=f"The cell's {name}."))
        return cls

    return decorate


# The cell's arguments that every layer of this family has.
WEIGHTS = (
    "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer", "kernel_regularizer",
    "recurrent_regularizer", "bias_regularizer", "kernel_constraint", "recurrent_constraint", "bias_constraint",
    "dropout", "recurrent_dropout", "seed",
)  # fmt: skip


class OwnCell(RNN):
    """Base of the layers that make their cell themselves: the cell's arguments are the layer's own.

    A subclass has the cell's class, ``cell_class``, and the name it gets, and calls ``_over`` with its ``locals()``.
    """

    cell_class: type
    hidden: tuple[str, ...] = ("cell", "use_cudnn")  # arguments that a config does not have
    _use_cudnn = "auto"

    def _over(self, arguments, kwargs, cell_name, **more):
        """Make the cell of a constructor's ``locals()`` and ``**kwargs``, and the layer over it."""
        cell_names = set(inspect.signature(self.cell_class.__init__).parameters) - {"self", "kwargs"}
        given = {name: value for name, value in arguments.items() if name in cell_names}
        if "implementation" in kwargs:
            given["implementation"] = kwargs.pop("implementation")
        cell = self.cell_class(
            **given, **more, dtype=kwargs.get("dtype"), trainable=kwargs.get("trainable", True), name=cell_name
        )
        layer_names = set(inspect.signature(RNN.__init__).parameters) | {"activity_regularizer"}
        own = {n: v for n, v in arguments.items() if n in layer_names - {"self", "kwargs"} and n not in cell_names}
        RNN.__init__(self, cell=cell, **own, **kwargs)
        self.use_cudnn = arguments.get("use_cudnn", "auto")
        self.input_spec = InputSpec(ndim=3)

    @property
    def use_cudnn(self):
        """Whether torch's kernels are used: 'auto' where their formula holds, True or False."""
        return self._use_cudnn

    @use_cudnn.setter
    def use_cudnn(self, value):
        if not (isinstance(value, bool) or value == "auto"):
            checks.fail(self, "`use_cudnn` to be 'auto', True or False", f"use_cudnn={value!r}")
        if value is True and (self.recurrent_dropout or not getattr(self, "reset_after", True)):
            checks.fail(
                self, "no `recurrent_dropout`, and `reset_after`, with `use_cudnn=True`",
                f"use_cudnn=True, recurrent_dropout={self.recurrent_dropout}", "Pass use_cudnn='auto'.",
            )  # fmt: skip
        self._use_cudnn = value
        self.cell.use_kernel = value is not False

    def get_config(self):
        config = {key: value for key, value in super().get_config().items() if key not in self.hidden}
        return {**config, "activity_regularizer": regularizers.serialize(self.activity_regularizer)}


@of_cell("units", "activation", *WEIGHTS)
class SimpleRNN(OwnCell):
    """Fully connected recurrent layer: ``h = activation(inputs @ kernel + h @ recurrent_kernel + bias)``.

    Args:
        units: size of the state and the output, an int above 0.
        activation: name, callable, or None for the identity.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        activity_regularizer: penalty on the outputs, added to ``layer.losses``.
        dropout: share of the inputs dropped while training; moved into [0, 1]. One mask holds for all steps.
        recurrent_dropout: the same for the state.
        return_sequences, return_state, go_backwards, stateful, unroll: as in ``RNN``, which also has the call's
            arguments.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.

    Shapes:
        inputs ``(batch, time, features)`` -> ``(batch, units)``, or ``(batch, time, units)`` with
        ``return_sequences``; with ``return_state`` a tuple with the states behind, each ``(batch, units)``.
        Weights are those of ``SimpleRNNCell``.

    Raises: ValueError if ``units`` is not an int above 0, and where ``RNN`` does.

    Source: Keras 3 ``layers/rnn/simple_rnn.py``.
    """

    cell_class = SimpleRNNCell
    hidden = ("cell", "seed")

    def __init__(self, units, activation="tanh", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, return_sequences=False, return_state=False, go_backwards=False,
                 stateful=False, unroll=False, seed=None, **kwargs):  # fmt: skip
        self._over(locals(), kwargs, "simple_rnn_cell")


@of_cell("units", "activation", "recurrent_activation", "unit_forget_bias", "implementation", *WEIGHTS)
class LSTM(OwnCell):
    """Long short-term memory: ``LSTMCell`` over a sequence.

    Args:
        units: size of the states and the output, an int above 0.
        activation: name, callable, or None for the identity.
        recurrent_activation: the same for the gates.
        use_bias: whether to add ``bias``.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        activity_regularizer: penalty on the outputs, added to ``layer.losses``.
        dropout: share of the inputs dropped while training; moved into [0, 1]. One mask holds for all steps.
        recurrent_dropout: the same for the state.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.
        return_sequences, return_state, go_backwards, stateful, unroll: as in ``RNN``, which also has the call's
            arguments.
        use_cudnn: 'auto' runs torch's kernel where its formula holds (tanh, sigmoid, no recurrent dropout), on any
            device; False never does; True refuses recurrent dropout.

    Shapes:
        inputs ``(batch, time, features)`` -> ``(batch, units)``, or ``(batch, time, units)`` with
        ``return_sequences``; with ``return_state`` a tuple with the states behind, each ``(batch, units)``.
        Weights are those of ``LSTMCell``.

    Raises: ValueError if ``units`` is not an int above 0, and where ``RNN`` does.

    Source: Keras 3 ``layers/rnn/lstm.py``; Hochreiter & Schmidhuber, 1997.
    """

    cell_class = LSTMCell

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False,
                 go_backwards=False, stateful=False, unroll=False, use_cudnn="auto", **kwargs):  # fmt: skip
        self._over(locals(), kwargs, "lstm_cell")


@of_cell("units", "activation", "recurrent_activation", "reset_after", "implementation", *WEIGHTS)
class GRU(OwnCell):
    """Gated recurrent unit: ``GRUCell`` over a sequence.

    Args:
        units: size of the state and the output, an int above 0.
        activation: name, callable, or None for the identity.
        recurrent_activation: the same for the gates.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        activity_regularizer: penalty on the outputs, added to ``layer.losses``.
        dropout: share of the inputs dropped while training; moved into [0, 1]. One mask holds for all steps.
        recurrent_dropout: the same for the state.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.
        return_sequences, return_state, go_backwards, stateful, unroll: as in ``RNN``, which also has the call's
            arguments.
        reset_after: whether the reset gate is applied behind the state's product with its kernel, or before.
        use_cudnn: 'auto' runs torch's kernel where its formula holds (tanh, sigmoid, reset_after, no recurrent
            dropout), on any device; False never does; True refuses the other options.

    Shapes:
        inputs ``(batch, time, features)`` -> ``(batch, units)``, or ``(batch, time, units)`` with
        ``return_sequences``; with ``return_state`` a tuple with the states behind, each ``(batch, units)``.
        Weights are those of ``GRUCell``.

    Raises: ValueError if ``units`` is not an int above 0, and where ``RNN`` does.

    Source: Keras 3 ``layers/rnn/gru.py``; Cho et al., 2014.
    """

    cell_class = GRUCell

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, return_sequences=False, return_state=False,
                 go_backwards=False, stateful=False, unroll=False, reset_after=True, use_cudnn="auto",
                 **kwargs):  # fmt: skip
        self._over(locals(), kwargs, "gru_cell")

"""Cells of recurrent layers: one step of SimpleRNN, LSTM and GRU, stacks of them, and how any cell is run.

Gates stand side by side in one kernel: i, f, c, o for LSTM, z, r, h for GRU. Letters of axes: B batch, T time,
F features, U units. A run over all steps (``over_time``) goes through torch's own kernels where their formula holds,
else through one loop with the inputs of all steps projected beforehand.
"""

import inspect
import warnings

import torch
import torch.nn.functional as F

from kshim import activations, random
from kshim.core import checks, dtypes, tree
from kshim.core.checks import positive_int
from kshim.graph import infer
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers.base import Layer
from kshim.layers.registry import resolve

# cuDNN wants the weights in one block; Keras' are apart, and are joined at each call (some 20 us).
warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk of memory")


def clamped(owner, name, value):
    """A number, moved into [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        checks.fail(owner, f"`{name}` to be a number in [0, 1]", f"{name}={value!r}")
    return min(1.0, max(0.0, value))


def is_fast(cell):
    """Whether a cell has ``over_time`` for its own ``call``: a subclass may have written another ``call``."""
    if not hasattr(cell, "over_time") or not all(map(is_fast, getattr(cell, "cells", ()))):
        return False
    owners = {name: next(c for c in type(cell).__mro__ if name in vars(c)) for name in ("call", "over_time")}
    mro = type(cell).__mro__
    hooked = getattr(cell, "_forward_hooks", None) or getattr(cell, "_forward_pre_hooks", None)
    return mro.index(owners["over_time"]) <= mro.index(owners["call"]) and not hooked


def scan(step, inputs, states, mask=None, every=False, zero_masked=False):
    """Run ``step(input, states) -> (output, states)`` over a list of inputs.

    Args:
        mask: bool ``(B, T)``; where it is False the states and the output are those of the step before.
        every: whether the outputs of all steps are wanted, on axis 1, or the last one.
        zero_masked: whether the output of a masked step is 0 instead.

    Returns: ``(outputs, states)``.
    """
    outputs, previous = [], None
    kept = None if mask is None else mask.unbind(1)
    for index, value in enumerate(inputs):
        output, new = step(value, states)
        if kept is not None:
            if previous is None or zero_masked:
                previous = tree.map_structure(torch.zeros_like, output)
            output = tree.map_structure(lambda a, b, m=kept[index]: _where(m, a, b), output, previous)
            new = tree.map_structure(lambda a, b, m=kept[index]: _where(m, a, b), new, states)
        states, previous = new, output
        if every:
            outputs.append(output)
    if every:
        return tree.map_structure(lambda *steps: torch.stack(steps, 1), outputs[0], *outputs[1:]), states
    return previous, states


def _where(mask, new, old):
    return torch.where(mask.view(-1, *(1,) * (new.dim() - 1)), new, old)


def _compressed(mask):
    """How to move the kept steps of each row to the front, and back.

    Returns: ``(order, place, count)``: the steps in their new order ``(B, T)``; where the output that holds at a
    step is found, below 0 before the first kept one ``(B, T)``; how many are kept ``(B,)``.
    """
    order = torch.argsort(mask.to(torch.int8), dim=1, descending=True, stable=True)
    place = mask.cumsum(1) - 1
    return order, place, place[:, -1] + 1


def _steps_at(sequence, index):
    """``sequence[b, index[b, t]]`` for ``(B, T, U)``."""
    return sequence.gather(1, index.unsqueeze(-1).expand(*index.shape, sequence.shape[-1]))


class Cell(Layer):
    """One step of a recurrent layer with ``kernel``, ``recurrent_kernel`` and ``bias`` for ``gates`` gates.

    A subclass keeps the arguments, tells its ``state_size`` and writes ``stepper``; ``fused`` where torch has a
    kernel for whole sequences.
    """

    gates = 1
    implementation = 2
    use_kernel = True
    _dropout_mask = _recurrent_dropout_mask = None

    def _prepare(self, seed):
        self.seed_generator = None if seed is None else random.SeedGenerator(seed)
        if self.recurrent_dropout:
            self.implementation = 1

    @property
    def state_size(self):
        """Size of the state, or a list of them."""
        return self.units

    @property
    def output_size(self):
        """Size of the output."""
        return self.units

    def build(self, input_shape):
        features = input_shape[-1]
        if features is None:
            checks.fail(self, "an input whose last axis is known", f"input_shape={tuple(input_shape)}")
        self.kernel = self.weight("kernel", (features, self.gates * self.units), memory=(1, 0))
        self.recurrent_kernel = self.add_weight(
            (self.units, self.gates * self.units), self.recurrent_initializer, name="recurrent_kernel",
            regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint, memory=(1, 0),
        )  # fmt: skip
        self.bias = self._make_bias() if self.use_bias else None

    def _make_bias(self):
        return self.weight("bias", (self.gates * self.units,))

    def get_initial_state(self, batch_size=None):
        """Zeros for each state, as a list."""
        sizes = tree.flatten(self.state_size)
        dtype = dtypes.TORCH[self.compute_dtype]
        return [torch.zeros(batch_size, size, dtype=dtype, device=self.device) for size in sizes]

    # -- dropout: one mask for all steps of a run ----------------------------------------------------------------

    def get_dropout_mask(self, step_input):
        """The mask on the inputs of a step: one, or one for each gate on axis 0; None without dropout."""
        if self._dropout_mask is None and self.dropout:
            self._dropout_mask = self._draw(step_input, self.dropout)
        return self._dropout_mask

    def get_recurrent_dropout_mask(self, step_input):
        """The mask on the state, likewise."""
        if self._recurrent_dropout_mask is None and self.recurrent_dropout:
            self._recurrent_dropout_mask = self._draw(step_input, self.recurrent_dropout)
        return self._recurrent_dropout_mask

    def reset_dropout_mask(self):
        """The next step draws a new mask."""
        self._dropout_mask = None

    def reset_recurrent_dropout_mask(self):
        """The next step draws a new mask."""
        self._recurrent_dropout_mask = None

    def _draw(self, like, rate):
        count = self.gates if self.implementation == 1 and self.gates > 1 else None
        ones = torch.ones_like(like)
        if self.seed_generator is None:
            return F.dropout(ones if count is None else ones.expand(count, *ones.shape), rate)
        if count is None:
            return random.dropout(ones, rate, seed=self.seed_generator)
        return torch.stack([random.dropout(ones, rate, seed=self.seed_generator) for _ in range(count)])

    def _dropout_masks(self, step_input, state, training):
        """``(input mask, recurrent mask)``, None where nothing is dropped.

        A seed's row of draws moves on at each run, also when nothing is dropped, as in Keras.
        """
        if not (training or self.seed_generator is not None) or step_input.is_meta:
            return None, None
        masks = self.get_dropout_mask(step_input), self.get_recurrent_dropout_mask(state)
        return masks if training else (None, None)

    def _masks_of_run(self, inputs, states, training):
        """``_dropout_masks`` drawn anew for a run over ``inputs``."""
        self.reset_dropout_mask()
        self.reset_recurrent_dropout_mask()
        masks = self._dropout_masks(inputs[:, 0], states[0], training)
        self.reset_dropout_mask()
        self.reset_recurrent_dropout_mask()
        return masks

    # -- the computation -----------------------------------------------------------------------------------------

    def _input_bias(self):
        """What is added to the projected inputs."""
        return self.bias

    def project(self, inputs, mask=None):
        """``inputs @ kernel + bias`` for inputs ``(B, F)`` or ``(B, T, F)``; ``mask`` is a dropout mask."""
        kernel, bias = self.kernel.to(inputs.dtype), self._input_bias()
        bias = None if bias is None else bias.to(inputs.dtype)
        if mask is None or mask.dim() == 2:
            return F.linear(dropped(inputs, mask), kernel.t(), bias)
        parts = [dropped(inputs, m) @ k for m, k in zip(mask, kernel.chunk(self.gates, 1), strict=True)]
        projected = torch.cat(parts, -1)
        return projected if bias is None else projected + bias

    def stepper(self, dtype, mask):
        """``step(projected inputs, states) -> (output, states)``; ``mask`` is a recurrent dropout mask."""
        raise NotImplementedError

    def fused(self, inputs, states, every, stop=None):
        """All steps by torch's kernel: ``(outputs or the last one, states)``.

        Args:
            stop: ``(B, T)``, 1 from the step on at which a row ends; states that are no output stay what they are.
        """
        raise NotImplementedError

    def has_kernel(self):
        """Whether torch has a kernel for this formula."""
        raise NotImplementedError

    def call(self, inputs, states, training=False):
        nested = isinstance(states, (list, tuple))
        states = list(states) if nested else [states]
        if not inputs.is_floating_point():
            inputs = inputs.to(self.kernel.dtype)
        mask, recurrent_mask = self._dropout_masks(inputs, states[0], training)
        output, new = self.stepper(inputs.dtype, recurrent_mask)(self.project(inputs, mask), states)
        return output, new if nested else new[0]

    def over_time(self, inputs, states, mask=None, training=False, every=False, zero_masked=False, final=True):
        """All steps: ``(outputs, states)``; the arguments are those of ``scan``.

        Args:
            inputs: ``(B, T, F)`` in the order of the run.
            final: whether the states are wanted.
        """
        if not inputs.is_floating_point():
            inputs = inputs.to(states[0].dtype)
        drop, recurrent = self._masks_of_run(inputs, states, training)
        if self.use_kernel and self.has_kernel() and recurrent is None and (drop is None or drop.dim() == 2):
            inputs = dropped(inputs, drop)
            if mask is None:
                return self.fused(inputs, states, every)
            return self._fused_masked(inputs, states, mask, every, zero_masked, final)
        step = self.stepper(inputs.dtype, recurrent)
        return scan(step, self.project(inputs, drop).unbind(1), states, mask, every, zero_masked)

    def _fused_masked(self, inputs, states, mask, every, zero_masked, final):
        """The kernel on the kept steps moved to the front, with any mask and without asking the device about it."""
        order, place, count = _compressed(mask)
        stop = None
        if final and len(states) > 1:
            stop = torch.arange(mask.shape[1], device=mask.device) >= count.unsqueeze(1)
        outputs, last = self.fused(_steps_at(inputs, order), states, True, stop)
        end = (count - 1).clamp(min=0).unsqueeze(1)
        none = (count == 0).unsqueeze(1)
        state = torch.where(none, states[0], _steps_at(outputs, end).squeeze(1))
        states = [state, *last[1:]]
        if not every:
            shown = mask[:, -1:] if zero_masked else ~none
            return torch.where(shown, state, 0), states
        shown = mask if zero_masked else place >= 0
        return torch.where(shown.unsqueeze(-1), _steps_at(outputs, place.clamp(min=0)), 0), states

    def _joined(self, kernel, mask):
        """``(projected inputs, state) -> projected + state @ kernel``, with a recurrent dropout mask."""
        if mask is None:
            return lambda projected, state: torch.addmm(projected, state, kernel)
        if mask.dim() == 2:
            return lambda projected, state: torch.addmm(projected, state * mask, kernel)
        gates = mask.shape[0]
        kernels = kernel.view(kernel.shape[0], gates, -1).transpose(0, 1)

        def joined(projected, state):
            return projected + torch.bmm(state * mask, kernels).transpose(0, 1).reshape(projected.shape)

        return joined


def dropped(inputs, mask):
    """``inputs`` times a dropout mask of a step, the same at each."""
    if mask is None:
        return inputs
    return inputs * (mask if inputs.dim() == mask.dim() else mask.unsqueeze(1))


class SimpleRNNCell(Cell):
    """One step of ``SimpleRNN``: ``activation(inputs @ kernel + state @ recurrent_kernel + bias)``.

    Args:
        units: size of the state and the output, an int above 0.
        activation: name, callable, or None for the identity.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        dropout: share of the inputs dropped while training; moved into [0, 1]. One mask holds for all steps.
        recurrent_dropout: the same for the state.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.

    Shapes:
        inputs ``(batch, features)``, states ``[(batch, units)]`` -> output ``(batch, units)`` and the new states;
        kernel ``(features, units)``, recurrent_kernel ``(units, units)``, bias ``(units,)``.

    Raises: ValueError if ``units`` is not an int above 0.

    Source: Keras 3 ``layers/rnn/simple_rnn.py``.
    """

    def __init__(self, units, activation="tanh", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.keep(locals(), units=positive_int, dropout=clamped, recurrent_dropout=clamped)
        self._prepare(seed)

    def stepper(self, dtype, mask):
        joined, activation = self._joined(self.recurrent_kernel.to(dtype), mask), self.activation

        def step(projected, states):
            output = activation(joined(projected, states[0]))
            return output, [output]

        return step

    def has_kernel(self):
        return self.activation in (activations.tanh, activations.relu)

    def fused(self, inputs, states, every, stop=None):
        kernel = torch._VF.rnn_tanh if self.activation is activations.tanh else torch._VF.rnn_relu
        outputs, state = kernel(inputs, states[0].unsqueeze(0), *_flat(self, inputs.dtype))
        return outputs if every else state[0], [state[0]]


def _flat(cell, dtype, order=None, biases=None):
    """Arguments of torch's kernels after the states: weights, and flags for one layer, batch first.

    Args:
        order: torch's gates in ours, where they differ.
        biases: of the inputs and of the state; None means ``cell.bias`` and 0.
    """
    weights = [cell.kernel.to(dtype).t(), cell.recurrent_kernel.to(dtype).t()]
    if cell.bias is not None:
        bias = cell.bias.to(dtype)
        weights += [bias, torch.zeros_like(bias)] if biases is None else biases
    if order is not None:
        weights = [torch.cat([w.chunk(cell.gates)[i] for i in order]) for w in weights]
    return weights, cell.bias is not None, 1, 0.0, torch.is_grad_enabled(), False, True


class LSTMCell(Cell):
    """One step of ``LSTM``: gates ``i, f, o = recurrent_activation(...)``, candidate ``g = activation(...)``, then
    ``c = f * c + i * g`` and ``h = o * activation(c)``.

    Args:
        units: size of the states and the output, an int above 0.
        activation: name, callable, or None for the identity.
        recurrent_activation: the same for the gates.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        dropout: share of the inputs dropped while training; moved into [0, 1]. One mask holds for all steps.
        recurrent_dropout: the same for the state ``h``.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.
        implementation: 1 drops with another mask for each gate, as any recurrent dropout does; 2 with one mask.

    Shapes:
        inputs ``(batch, features)``, states ``[h, c]``, each ``(batch, units)`` -> output ``(batch, units)`` and
        the new states; kernel ``(features, 4 * units)``, recurrent_kernel ``(units, 4 * units)``, bias
        ``(4 * units,)``, all in the order i, f, g, o.

    Raises: ValueError if ``units`` is not an int above 0.

    Source: Keras 3 ``layers/rnn/lstm.py``; Hochreiter & Schmidhuber, 1997.
    """

    gates = 4

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True,
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, seed=None, **kwargs):  # fmt: skip
        self.implementation = _implementation(self, kwargs)
        super().__init__(**kwargs)
        self.keep(locals(), units=positive_int, dropout=clamped, recurrent_dropout=clamped)
        self._prepare(seed)

    @property
    def state_size(self):
        """Sizes of ``h`` and ``c``."""
        return [self.units, self.units]

    def _make_bias(self):
        return self._forgetting_bias(1, 3)

    def _forgetting_bias(self, before, after):
        """The bias, of ones behind ``before`` gates where the forget gate's begins at 1."""

        def initial(shape, dtype=None):
            parts = [self.bias_initializer((n * self.units,), dtype=dtype) for n in (before, after - 1)]
            return torch.cat([parts[0], torch.ones(self.units, dtype=parts[0].dtype), parts[1]])

        return self.add_weight(
            ((before + after) * self.units,), initial if self.unit_forget_bias else self.bias_initializer,
            name="bias", regularizer=self.bias_regularizer, constraint=self.bias_constraint,
        )  # fmt: skip

    def stepper(self, dtype, mask):
        joined = self._joined(self.recurrent_kernel.to(dtype), mask)
        activation, gate, units = self.activation, self.recurrent_activation, self.units

        def step(projected, states):
            i, f, g, o = joined(projected, states[0]).chunk(4, 1)
            c = torch.addcmul(gate(f) * states[1], gate(i), activation(g))
            h = gate(o) * activation(c)
            return h, [h, c]

        def quick_step(projected, states):  # the gate's activation on all four parts: one call is worth the fourth
            z = joined(projected, states[0])
            i, f, _, o = gate(z).chunk(4, 1)
            c = torch.addcmul(f * states[1], i, activation(z.narrow(1, 2 * units, units)))
            h = o * activation(c)
            return h, [h, c]

        return quick_step if _is_elementwise(gate) else step

    def has_kernel(self):
        return self.activation is activations.tanh and self.recurrent_activation is activations.sigmoid

    def fused(self, inputs, states, every, stop=None):
        weights, *options = _flat(self, inputs.dtype, biases=self._biases(inputs.dtype))
        if stop is not None:
            # One more feature, of weight -1e4 for i and 1e4 for f: where it is 1, i is 0 and f is 1, so c is kept.
            inputs = torch.cat([inputs, stop.unsqueeze(-1).to(inputs.dtype)], -1)
            gates = [inputs.new_full((self.units, 1), value) for value in (-1e4, 1e4, 0, 0)]
            weights[0] = torch.cat([weights[0], torch.cat(gates)], 1)
        h, c = (state.unsqueeze(0) for state in states)
        outputs, h, c = torch._VF.lstm(inputs, (h, c), weights, *options)
        return outputs if every else h[0], [h[0], c[0]]

    def _biases(self, dtype):
        """The biases of the inputs and of the state, or None for ``bias`` and 0."""
        return None


def _is_elementwise(activation):
    """Whether an activation is known to look at each number alone."""
    module = getattr(activation, "__module__", None) or ""
    return module.startswith("kshim.") and activation.__name__ in _ELEMENTWISE


_ELEMENTWISE = {"sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "relu", "relu6", "linear", "softsign", "elu"}


def _implementation(cell, kwargs):
    """``implementation`` out of a constructor's ``**kwargs``."""
    value = kwargs.pop("implementation", 2)
    if value not in (0, 1, 2):
        checks.fail(cell, "`implementation` to be 1 or 2", f"implementation={value!r}")
    return value


class GRUCell(Cell):
    """One step of ``GRU``: gates ``z, r = recurrent_activation(...)``, candidate ``g = activation(...)`` of the inputs
    and the reset state, then ``h = z * h + (1 - z) * g``.

    Args:
        units: size of the state and the output, an int above 0.
        activation: name, callable, or None for the identity.
        recurrent_activation: the same for the gates.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``recurrent_`` arguments are the same for ``recurrent_kernel``, the ``bias_`` ones for ``bias``.
        dropout: share of the inputs dropped while training; moved into [0, 1]. One mask holds for all steps.
        recurrent_dropout: the same for the state.
        reset_after: whether ``r`` is applied behind the state's product with its kernel, or to the state before.
        seed: an int makes the masks that Keras makes of it; None draws from torch's generator.
        implementation: 1 drops with another mask for each gate, as any recurrent dropout does; 2 with one mask.

    Shapes:
        inputs ``(batch, features)``, states ``[(batch, units)]`` -> output ``(batch, units)`` and the new states;
        kernel ``(features, 3 * units)``, recurrent_kernel ``(units, 3 * units)``, both in the order z, r, g; bias
        ``(2, 3 * units)``, of the inputs and of the state, or without ``reset_after`` ``(3 * units,)``.

    Raises: ValueError if ``units`` is not an int above 0.

    Source: Keras 3 ``layers/rnn/gru.py``; Cho et al., 2014.
    """

    gates = 3

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None,
                 kernel_constraint=None, recurrent_constraint=None, bias_constraint=None,
                 dropout=0.0, recurrent_dropout=0.0, reset_after=True, seed=None, **kwargs):  # fmt: skip
        self.implementation = _implementation(self, kwargs)
        super().__init__(**kwargs)
        self.keep(locals(), units=positive_int, dropout=clamped, recurrent_dropout=clamped)
        self._prepare(seed)

    def _make_bias(self):
        return self.weight("bias", (2, 3 * self.units) if self.reset_after else (3 * self.units,))

    def _biases(self, dtype):
        """The biases of the inputs and of the state; None for one that is not there."""
        if self.bias is None:
            return None, None
        bias = self.bias.to(dtype)
        return bias.unbind(0) if self.reset_after else (bias, None)

    def _input_bias(self):
        return self._biases(self.kernel.dtype)[0]

    def stepper(self, dtype, mask):
        kernel, units = self.recurrent_kernel.to(dtype), self.units
        activation, gate, at_once = (
            self.activation,
            self.recurrent_activation,
            _is_elementwise(self.recurrent_activation),
        )

        def pair(both):
            return gate(both).chunk(2, 1) if at_once else [gate(one) for one in both.chunk(2, 1)]

        if self.reset_after:
            bias = self._biases(dtype)[1]
            bias = kernel.new_zeros(3 * units) if bias is None else bias
            joined = self._joined(kernel, mask)

            def step(projected, states):
                h = states[0]
                inner = joined(bias.expand_as(projected), h)
                z, r = pair(projected[:, : 2 * units] + inner[:, : 2 * units])
                g = activation(torch.addcmul(projected[:, 2 * units :], r, inner[:, 2 * units :]))
                h = torch.lerp(g, h, z)
                return h, [h]

            return step
        gates, last = (None, None) if mask is None else (mask[:2], mask[2])
        joined = self._joined(kernel[:, : 2 * units], gates)
        candidate = self._joined(kernel[:, 2 * units :], last)

        def step_before(projected, states):
            h = states[0]
            z, r = pair(joined(projected[:, : 2 * units], h))
            g = activation(candidate(projected[:, 2 * units :], r * h))
            h = torch.lerp(g, h, z)
            return h, [h]

        return step_before

    def has_kernel(self):
        usual = self.activation is activations.tanh and self.recurrent_activation is activations.sigmoid
        return usual and self.reset_after

    def fused(self, inputs, states, every, stop=None):
        biases = None if self.bias is None else list(self._biases(inputs.dtype))
        weights = _flat(self, inputs.dtype, (1, 0, 2), biases)  # torch's order is r, z, g
        outputs, state = torch._VF.gru(inputs, states[0].unsqueeze(0), *weights)
        return outputs if every else state[0], [state[0]]


class StackedRNNCells(Layer):
    """Cells on top of each other as one cell: the output of each is the input of the next.

    Args:
        cells: list of cells.

    Shapes:
        inputs ``(batch, features)``, states a list with the states of each cell -> the last cell's output, and the
        new states.

    Raises: ValueError if a cell has no ``call`` or no ``state_size``.

    Source: Keras 3 ``layers/rnn/stacked_rnn_cells.py``.
    """

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), cells=lambda owner, name, value: [as_cell(owner, cell) for cell in resolve(value)])

    @property
    def state_size(self):
        """The cells' state sizes."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self):
        """The last cell's output size."""
        return _output_size(self.cells[-1])

    def get_initial_state(self, batch_size=None):
        """The states each cell begins with, a list."""
        return [first_states(cell, batch_size, None, self.compute_dtype, self.device) for cell in self.cells]

    def build(self, input_shape):
        first, constants = step_shapes(input_shape)
        for cell in self.cells:
            build_cell(cell, first, constants)
            first = (first[0], _output_size(cell))

    def call(self, inputs, states, training=False, constants=None):
        found = []
        for cell, state in zip(self.cells, states, strict=True):
            nested = isinstance(state, (list, tuple))
            inputs, new = cell_step(cell, training, constants)(inputs, list(state) if nested else [state])
            found.append(new if nested or len(new) > 1 else new[0])
        return inputs, found[0] if len(found) == 1 else found

    def over_time(self, inputs, states, mask=None, training=False, every=False, zero_masked=False, final=True):
        """All steps, cell after cell; the arguments are those of the cells'."""
        found = []
        for index, (cell, state) in enumerate(zip(self.cells, states, strict=True)):
            last = index == len(self.cells) - 1
            state = list(state) if isinstance(state, (list, tuple)) else [state]
            inputs, new = cell.over_time(
                inputs, state, mask, training, every or not last, zero_masked and last, final
            )  # fmt: skip
            found.append(new)
        return inputs, found


def as_cell(owner, cell):
    for name in ("call", "state_size"):
        if name not in dir(cell):
            checks.fail(owner, f"each cell to have a `{name}`", f"cell={cell!r}")
    return cell


def _output_size(cell):
    size = getattr(cell, "output_size", None)
    return tree.flatten(cell.state_size)[0] if size is None else size


def step_shapes(shape):
    """``(shape of the inputs, shapes of the constants)`` of a cell's ``build``."""
    if shape and isinstance(shape[0], (list, tuple)):
        return tuple(shape[0]), [tuple(s) for s in shape[1:]]
    return tuple(shape), []


def build_cell(cell, shape, constants=()):
    """Build a cell that is a layer for inputs of ``shape``."""
    if not isinstance(cell, Layer) or cell.built:
        return
    if type(cell).build is not Layer.build:
        cell.build([shape, *constants] if constants else shape)
        cell.built = True
        return
    # No `build` of its own: sub-layers are built by a step on symbolic tensors.
    inputs, *more = (KerasTensor(s, cell.compute_dtype) for s in [shape, *constants])
    states = tree.map_structure(lambda size: KerasTensor((shape[0], size), cell.compute_dtype), state_list(cell))
    infer.outputs(cell.call, (inputs, states), {"constants": more} if constants else {})
    cell.built = True


def state_list(cell):
    size = cell.state_size
    return list(size) if isinstance(size, (list, tuple)) else [size]


def first_states(cell, batch_size, inputs, dtype, device):
    """The states a cell begins with: its own, or zeros of its ``state_size``."""
    own = getattr(cell, "get_initial_state", None)
    if own is None:
        zeros = lambda size: torch.zeros(batch_size, size, dtype=dtypes.TORCH[dtype], device=device)  # noqa: E731
        return tree.map_structure(zeros, state_list(cell))
    takes = inspect.signature(own).parameters
    given = {"batch_size": batch_size, "inputs": inputs, "dtype": dtype}  # the last two: tf.keras 2's cells
    states = own(**{name: value for name, value in given.items() if name in takes})
    return list(states) if isinstance(states, (list, tuple)) else [states]


def cell_step(cell, training, constants=None):
    """``step(inputs, states) -> (output, list of states)`` through any cell's own call."""
    options = {} if not constants else {"constants": constants}
    if isinstance(cell, Layer):
        if "training" in cell._call_parameters and bool(training) != cell.training:
            options["training"] = training
        if "constants" not in cell._call_parameters:
            options.pop("constants", None)
    call = cell if callable(cell) else cell.call

    def step(inputs, states):
        output, new = call(inputs, states, **options)
        return output, list(new) if isinstance(new, (list, tuple)) else [new]

    return step

"""Layers around a layer: TimeDistributed, Bidirectional."""

import copy

import torch

from kshim.core import checks, dtypes, tree
from kshim.core.checks import one_of
from kshim.core.registry import custom_object_scope
from kshim.core.shapes import map_shapes
from kshim.layers.base import Layer
from kshim.layers.recurrent import with_states
from kshim.layers.registry import resolve


def a_layer(owner, name, value):
    """A layer, or a config of one."""
    value = resolve(value)
    if not isinstance(value, Layer):
        checks.fail(owner, f"`{name}` to be a layer", f"{name}={value!r}")
    return value


class Wrapper(Layer):
    """Base of a layer that has another one, ``self.layer``, and builds it.

    Args:
        layer: the layer.

    Raises: ValueError if ``layer`` is none.

    Source: Keras 3 ``layers/core/wrapper.py``.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), layer=a_layer)

    def build(self, input_shape=None):
        if not self.layer.built:
            self.layer.build(input_shape)
            self.layer.built = True

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An object of this class made from ``get_config()``'s dict."""
        with custom_object_scope(custom_objects or {}):
            return cls(**config)


class TimeDistributed(Wrapper):
    """Applies a layer to each step of a sequence.

    A layer of kshim's own, or a model of them, is called once with the steps behind each other in the batch;
    one that batches show in is called step by step: a user's own, one that moves statistics while training or draws
    from a seed, a stateful one, one with activity penalties.

    Args:
        layer: a layer or model.

    Shapes: inputs ``(batch, time, ...)`` -> ``(batch, time, *output of layer)``; structures of them likewise.

    Raises:
        ValueError: ``layer`` is none; an input has fewer than three axes; a mask does not begin as the inputs do.

    Source: Keras 3 ``layers/rnn/time_distributed.py``.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer=layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape):
        super().build(map_shapes(self._step_shape, input_shape))

    def _step_shape(self, shape):
        if len(shape) < 3:
            checks.fail(self, "an input with at least 3 axes", f"input_shape={tuple(shape)}")
        return (shape[0], *shape[2:])

    def call(self, inputs, training=None, mask=None):
        first = tree.flatten(inputs)[0]
        batch, steps = first.shape[:2]
        given = {}
        if mask is not None and "mask" in self.layer._call_parameters:
            given["mask"] = mask
        for part in tree.flatten(mask):
            if part is not None and tuple(part.shape[:2]) != (batch, steps):
                checks.fail(
                    self, f"a mask whose shape begins with {(batch, steps)}, as the inputs'",
                    f"a mask of shape {tuple(part.shape)}",
                )  # fmt: skip
        if training is not None and "training" in self.layer._call_parameters:
            given["training"] = training
        if steps and not self._shows_batches(training):
            together = {key: _folded(value) if key == "mask" else value for key, value in given.items()}
            outputs = self.layer(_folded(inputs), **together)
            if all(x.shape[0] == batch * steps for x in tree.flatten(outputs)):
                return tree.map_structure(lambda x: x.reshape(batch, steps, *x.shape[1:]), outputs)
        if steps == 0:
            checks.fail(self, "at least 1 time step", f"shape={tuple(first.shape)}")
        found = []
        for step in range(1 if first.is_meta else steps):
            now = {key: _step(value, step) if key == "mask" else value for key, value in given.items()}
            found.append(self.layer(_step(inputs, step), **now))
        if first.is_meta:  # the shapes are those of one step
            return tree.map_structure(lambda x: x.unsqueeze(1).expand(-1, steps, *x.shape[1:]), found[0])
        return tree.map_structure(lambda *steps: torch.stack(steps, 1), found[0], *found[1:])

    def _shows_batches(self, training):
        """Whether it may matter to the layer, or a part of it, which inputs come in one batch."""
        for module in self.layer.modules():
            if not type(module).__module__.startswith(("kshim.", "torch.")) or hasattr(module, "function"):
                return True
            if getattr(module, "activity_regularizer", None) is not None or getattr(module, "stateful", False):
                return True
            moves = any(isinstance(buffer, torch.nn.Parameter) for buffer in module._buffers.values())
            if training and (moves or getattr(module, "seed", None) is not None):
                return True
        return False


def _folded(structure):
    """Batch and time of each tensor as one axis."""
    return tree.map_structure(lambda x: None if x is None else x.flatten(0, 1), structure)


def _step(structure, step):
    return tree.map_structure(lambda x: None if x is None else x[:, step], structure)


class Bidirectional(Layer):
    """Runs a recurrent layer forwards and a copy of it backwards, and merges the two.

    Args:
        layer: a recurrent layer: one with ``go_backwards``, ``return_sequences``, ``return_state`` and ``stateful``.
            It is copied: the copies are ``forward_layer`` and ``backward_layer``, ``forward_<name>`` and
            ``backward_<name>``.
        merge_mode: "concat", "sum", "mul", "ave", or None for both outputs as a tuple.
        weights: list of arrays, set when the layer is built: the forward layer's, then the backward one's.
        backward_layer: the layer for the other direction, used as it is; its ``go_backwards`` is the opposite.

    Call arguments: those of ``RNN``; ``initial_state`` has the forward layer's states, then the backward one's.

    Shapes:
        those of ``layer``, the last axis doubled by "concat"; with ``return_state`` a tuple with the forward states
        and then the backward ones behind.

    Raises:
        ValueError: ``layer`` or ``backward_layer`` is no such layer; both run in one direction, or differ in what
            they return; an unknown ``merge_mode``.

    Source: Keras 3 ``layers/rnn/bidirectional.py``; Schuster & Paliwal, 1997.
    """

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        super().__init__(weights=weights, **kwargs)
        self.merge_mode = one_of("concat", "sum", "mul", "ave", None)(self, "merge_mode", merge_mode)
        layer = a_layer(self, "layer", layer)
        for attribute in ("go_backwards", *_COMMON):
            if not hasattr(layer, attribute):
                checks.fail(self, f"a recurrent layer, with `{attribute}`", f"layer={layer!r}")
        self.forward_layer = _twin(layer, "forward_")
        if backward_layer is None:
            self.backward_layer = _twin(layer, "backward_", go_backwards=True)
        else:
            self.backward_layer = a_layer(self, "backward_layer", backward_layer)
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            if getattr(one, "zero_output_for_mask", None) is not None:
                one.zero_output_for_mask = one.return_sequences
        self.stateful, self.return_sequences, self.return_state = (getattr(layer, name) for name in _COMMON)
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def _check_pair(self):
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == getattr(backward, "go_backwards", None):
            checks.fail(
                self, "`go_backwards` of the two layers to differ",
                f"go_backwards={forward.go_backwards} in both",
            )  # fmt: skip
        for name in _COMMON:
            if getattr(forward, name) != getattr(backward, name, None):
                checks.fail(
                    self, f"the same `{name}` in both layers",
                    f"{getattr(forward, name)} and {getattr(backward, name, None)}",
                )  # fmt: skip

    @property
    def layer(self):
        """The forward layer."""
        return self.forward_layer

    @property
    def states(self):
        """The states of both layers, if they are stateful and built; else None."""
        pair = [getattr(one, "states", None) for one in (self.forward_layer, self.backward_layer)]
        return None if None in pair else tuple(state for states in pair for state in states)

    def __call__(self, *args, **kwargs):
        args, kwargs = with_states(self, args, kwargs)
        return super().__call__(*args, **kwargs)

    _constants_count = 0

    def build(self, sequences_shape, initial_state_shape=None):
        for one in (self.forward_layer, self.backward_layer):
            if not one.built:
                one.build(sequences_shape)
                one.built = True

    def reset_state(self):
        """Set the states of both layers to 0. Raises: AttributeError if they are not stateful."""
        if not self.stateful:
            raise AttributeError(f"{checks.describe(self)}: expected a stateful layer. Received: stateful=False.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self):
        """The same as ``reset_state``."""
        self.reset_state()

    def call(self, sequences, initial_state=None, mask=None, training=None, constants=None):
        given = {"mask": mask, "constants": constants, "training": training}
        takes = self.forward_layer._call_parameters
        given = {key: value for key, value in given.items() if value is not None and key in takes}
        halves = {}, {}
        if initial_state is not None:
            half = len(initial_state) // 2
            halves = {"initial_state": initial_state[:half]}, {"initial_state": initial_state[half:]}
        forward = self.forward_layer(sequences, **given, **halves[0])
        backward = self.backward_layer(sequences, **given, **halves[1])
        states = ()
        if self.return_state:
            (forward, *ahead), (backward, *behind) = forward, backward
            states = (*ahead, *behind)
        if self.return_sequences:
            backward = backward.flip(1)
        dtype = dtypes.TORCH[self.compute_dtype]
        merged = self._merged(forward.to(dtype), backward.to(dtype))
        if not self.return_state:
            return merged
        return (*merged, *states) if self.merge_mode is None else (merged, *states)

    def _merged(self, forward, backward):
        if self.merge_mode == "concat":
            return torch.cat((forward, backward), -1)
        if self.merge_mode == "sum":
            return forward + backward
        if self.merge_mode == "ave":
            return (forward + backward) / 2
        return (forward, backward) if self.merge_mode is None else forward * backward

    def compute_mask(self, inputs, previous_mask=None):
        mask = tree.flatten(previous_mask)[0] if self.return_sequences else None
        masks = [mask] if self.merge_mode is not None else [mask, mask]
        if self.return_state:
            masks += [None] * 2 * len(tree.flatten(getattr(self.forward_layer, "state_size", [None])))
        return masks[0] if len(masks) == 1 else tuple(masks)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An object of this class made from ``get_config()``'s dict."""
        with custom_object_scope(custom_objects or {}):
            return cls(**config)


_COMMON = ("stateful", "return_sequences", "return_state")  # what both directions have in common


def _twin(layer, prefix, **changes):
    """A new layer of the same options, not built, called ``<prefix><name>``."""
    name = prefix + layer.name.removeprefix(prefix)
    if layer.built:
        classes = {type(module).__name__: type(module) for module in layer.modules()}
        with custom_object_scope(classes):
            twin = type(layer).from_config({**layer.get_config(), **changes, "name": name})
    else:
        twin = copy.deepcopy(layer)  # whose functions and classes need not be registered
        twin._name = name
        for key, value in changes.items():
            setattr(twin, key, value)
    if hasattr(layer, "use_cudnn"):
        twin.use_cudnn = layer.use_cudnn
    return twin

"""Layer classes that are gone, made of today's parts; ``names`` puts them into ``kshim.layers``.

Their arguments are spelled as in the last Keras that had them, and they give its numbers.
Source: Keras 1.2.2 ``engine/topology.py``, ``layers/core.py``, ``layers/advanced_activations.py``,
``layers/convolutional.py``; for what 1.0 dropped, 0.3.3 ``layers/core.py``.
"""

import functools
import inspect
import operator

import torch
from torch.nn import functional as F

from kshim.core import checks, serialization, settings
from kshim.core.checks import one_of, positive_int
from kshim.layers import LAYERS, Conv2DTranspose, InputSpec, Layer
from kshim.legacy import values
from kshim.models import Model, Sequential

MODES = ("sum", "mul", "concat", "ave", "cos", "dot", "max")


class Merge(Layer):
    """Several tensors in one; with ``layers``, their outputs in one.

    Args:
        layers: layers or models to merge the outputs of: the first layer of a Sequential, which then takes the
            inputs of all of them. None for a layer to be called on tensors.
        mode: one of sum, mul, concat, ave, cos, dot, max, or a function of the list of tensors (it may take ``mask``).
        concat_axis: the axis of ``concat``; the batch axis counts as 0.
        dot_axes: the axes of ``dot`` and ``cos``: an int, or one (or a list) for each tensor; the batch axis counts as
            0. In Keras 0 an int above 0 is how many axes at the end of the first meet those at the start of the second.
        output_shape: of a function: a shape without the batch axis, or a function of the input shapes.
        output_mask: of a function: a mask, or a function ``(inputs, masks) -> mask``.
        arguments: dict of further keyword arguments of a function.
        node_indices, tensor_indices: which call of a layer is meant; the first is.

    Shapes: for sum, mul, ave, max a list of one shape -> that shape; for concat the sizes on ``concat_axis`` added;
        for dot ``(batch, rest of the first, rest of the second)`` without the summed axes, at least ``(batch, 1)``;
        for cos the same with an axis of 1 behind the batch.

    Raises:
        ValueError: an unknown mode, or shapes that do not fit it.
        TypeError: fewer than two layers or tensors.
        NotImplementedError: Keras 0's mode ``join``, or another call of a layer than the first.

    Source: Keras 1.2.2 ``engine/topology.py``.
    """

    def __init__(self, layers=None, mode="sum", concat_axis=-1, dot_axes=-1, output_shape=None, output_mask=None,
                 arguments=None, node_indices=None, tensor_indices=None, name=None, **kwargs):  # fmt: skip
        super().__init__(name=name, **kwargs)
        if mode == "join":
            raise NotImplementedError(
                f"{checks.describe(self)}: kshim has no `join`. Received: mode='join'. Give a function of the list of "
                "tensors as mode."
            )
        if not callable(mode):
            one_of(*MODES)(self, "mode", mode)
        if any(node_indices or ()) or any(tensor_indices or ()):
            raise NotImplementedError(
                f"{checks.describe(self)}: kshim merges the first output of each layer. Received: node_indices="
                f"{node_indices}, tensor_indices={tensor_indices}. Call merge() on the tensors."
            )
        self.mode, self.concat_axis, self.dot_axes, self.output_mask = mode, concat_axis, dot_axes, output_mask
        self.output_shape, self.arguments = output_shape, arguments or {}
        self.node_indices = self.tensor_indices = None
        self.supports_masking = True
        self.layers = [self._branch(layer) for layer in self._several(layers)] if layers else []
        if self.layers:
            own = {k: v for k, v in self._own_config().items() if k != "layers"}
            self.joined = Merge(**own, name=f"{self.name}_join")
            self.built = True

    def _several(self, items):
        if not isinstance(items, (list, tuple)) or len(items) < 2:
            raise TypeError(f"{checks.describe(self)}: expected a list of at least 2 to merge. Received: {items!r}.")
        return items

    def _branch(self, layer):
        if isinstance(layer, dict):
            layer = LAYERS.get(layer)
        model = layer if isinstance(layer, Model) else Sequential([layer])
        if not model.inputs:
            checks.fail(
                self, "layers that know their input", f"layers with {layer!r}",
                "Give input_shape= to its first layer, or call merge() on tensors.",
            )  # fmt: skip
        return model

    @property
    def entries(self):
        """The input tensors of all ``layers``, each once; None without layers."""
        return _unique(entry for layer in self.layers for entry in layer.inputs) or None

    def forward(self, inputs, *args, **kwargs):
        if not self.layers:
            return super().forward(inputs, *args, **kwargs)
        entries = self.entries
        if not isinstance(inputs, (list, tuple)) or len(inputs) != len(entries):
            got = f"{len(inputs)} of them" if isinstance(inputs, (list, tuple)) else type(inputs).__name__
            checks.fail(self, f"a list of {len(entries)} inputs", got)
        found = {id(entry): value for entry, value in zip(entries, inputs, strict=True)}
        outputs = [self._through(layer, [found[id(entry)] for entry in layer.inputs]) for layer in self.layers]
        return self.joined(outputs, *args, **kwargs)

    def _through(self, layer, inputs):
        return layer(inputs if len(inputs) > 1 else inputs[0])

    def build(self, input_shape):
        if isinstance(input_shape, list) or (input_shape and isinstance(input_shape[0], tuple)):
            self._check([tuple(shape) for shape in input_shape])

    def _check(self, shapes):
        self._several(shapes)
        if self.mode in ("sum", "mul", "ave", "max", "cos") and len({shape[1:] for shape in shapes}) > 1:
            checks.fail(self, f"inputs of the same shape for mode {self.mode!r}", f"shapes {shapes}")
        if self.mode == "concat":
            axis = self.concat_axis % len(shapes[0])
            if len({shape[:axis] + shape[axis + 1 :] for shape in shapes if len(shape) > axis}) > 1:
                checks.fail(self, f"inputs that differ on axis {self.concat_axis} alone", f"shapes {shapes}")
        if self.mode in ("dot", "cos"):
            if len(shapes) != 2:
                checks.fail(self, f"2 inputs for mode {self.mode!r}", f"shapes {shapes}")
            first, second = self._axes(*map(len, shapes))
            if [shapes[0][a] for a in first] != [shapes[1][a] for a in second]:
                checks.fail(self, "equal sizes on `dot_axes`", f"shapes {shapes}, dot_axes={self.dot_axes}")

    def _axes(self, *ranks):
        """The summed axes of both tensors, two lists."""
        axes = self.dot_axes
        if checks.as_int(axes) is not None:
            if axes > 0 and settings.holds(until="0.3.3"):
                return list(range(ranks[0] - axes, ranks[0])), list(range(1, axes + 1))
            axes = (axes, axes)
        if not isinstance(axes, (list, tuple)) or len(axes) != 2:
            checks.fail(self, "`dot_axes` to be an int or one for each of 2 inputs", f"dot_axes={axes!r}")
        lists = [[a] if checks.as_int(a) is not None else list(a) for a in axes]
        return tuple([a % rank for a in own] for own, rank in zip(lists, ranks, strict=True))

    def call(self, inputs, mask=None):
        self._several(inputs)
        if callable(self.mode):
            takes_mask = "mask" in inspect.signature(self.mode).parameters
            return self.mode(list(inputs), **self.arguments, **({"mask": mask} if takes_mask else {}))
        return getattr(self, f"_{self.mode}")(inputs)

    def _sum(self, inputs):
        return functools.reduce(operator.add, inputs)

    def _ave(self, inputs):
        return functools.reduce(operator.add, inputs) / len(inputs)

    def _mul(self, inputs):
        return functools.reduce(operator.mul, inputs)

    def _max(self, inputs):
        return functools.reduce(torch.maximum, inputs)

    def _concat(self, inputs):
        return torch.cat(tuple(inputs), self.concat_axis)

    def _dot(self, inputs):
        product = self._product(*inputs)
        return product.unsqueeze(1) if product.dim() == 1 else product

    def _cos(self, inputs):
        first, second = inputs
        norms = torch.sqrt(self._dot((first, first)) * self._dot((second, second)))
        cosine = self._dot(inputs) / torch.clamp(norms, min=settings.epsilon())
        return cosine if settings.holds(until="0.3.3") else cosine.unsqueeze(1)

    def _product(self, x, y):
        """Sum over ``dot_axes``, for each row of the batch."""
        summed = self._axes(x.dim(), y.dim())
        letters = [["a"], ["a"]]
        letters[0] += [chr(ord("b") + i) for i in range(1, x.dim())]
        letters[1] += [chr(ord("n") + i) for i in range(1, y.dim())]
        for i, j in zip(*summed, strict=True):
            letters[1][j] = letters[0][i]
        rest = [c for k in (0, 1) for i, c in enumerate(letters[k]) if i and i not in summed[k]]
        return torch.einsum(f"{''.join(letters[0])},{''.join(letters[1])}->a{''.join(rest)}", x, y)

    def compute_output_shape(self, input_shape):
        if not self._tells_shape():
            return super().compute_output_shape(input_shape)
        if callable(self.output_shape):
            return tuple(self.output_shape(list(input_shape)))
        return (input_shape[0][0], *self.output_shape)

    def _tells_shape(self):
        return callable(self.mode) and not self.layers and self.output_shape is not None

    def compute_mask(self, inputs, mask=None):
        if callable(self.mode):
            return self.output_mask(inputs, mask) if callable(self.output_mask) else self.output_mask
        if mask is None or all(m is None for m in mask) or self.mode in ("dot", "cos"):
            return None
        if self.mode != "concat":
            return functools.reduce(torch.logical_and, [m for m in mask if m is not None])
        full = [_in_shape_of(x, m) for x, m in zip(inputs, mask, strict=True)]
        return torch.all(torch.cat(full, self.concat_axis), -1)

    def _makes_masks(self):
        return callable(self.mode) and self.output_mask is not None

    def _own_config(self):
        names = ("mode", "concat_axis", "dot_axes", "output_shape", "output_mask", "arguments")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config):
        """The layer; functions told as bytecode are refused in safe mode."""
        config = dict(config)
        for name in ("mode", "output_shape", "output_mask"):
            if config.pop(f"{name}_type", "raw") != "raw":
                config[name] = serialization.function(config[name], "a `Merge` layer")
        return super().from_config(config)

    def get_config(self):
        layers = [LAYERS.serialize(layer) for layer in self.layers] or None
        return {"name": self.name, "layers": layers, **self._own_config()}


def merge(inputs, mode="sum", concat_axis=-1, dot_axes=-1, output_shape=None, output_mask=None, arguments=None,
          name=None):  # fmt: skip
    """``Merge`` with these arguments, called on the list of tensors ``inputs``.

    Source: Keras 1.2.2 ``engine/topology.py``.
    """
    return Merge(
        mode=mode, concat_axis=concat_axis, dot_axes=dot_axes, output_shape=output_shape, output_mask=output_mask,
        arguments=arguments, name=name,
    )(inputs)  # fmt: skip


class LambdaMerge(Merge):
    """A function of the outputs of several layers.

    Args:
        layers: the layers or models.
        function: called with the list of their outputs.
        output_shape, arguments: as of ``Merge``.

    Shapes: what ``function`` makes of them.

    Raises: as ``Merge``.

    Source: Keras 0.3.3 ``layers/core.py``.
    """

    def __init__(self, layers, function, output_shape=None, arguments=None, **kwargs):
        super().__init__(layers, mode=function, output_shape=output_shape, arguments=arguments, **kwargs)
        self.function = function

    def get_config(self):
        config = super().get_config()
        return {k: config[k] for k in ("name", "layers", "output_shape", "arguments")} | {"function": self.function}


class Siamese(Merge):
    """One layer on the output of each of several others, and the results merged.

    Args:
        layer: the shared layer.
        inputs: layers or models to put it on.
        merge_mode, concat_axis, dot_axes: ``mode``, ``concat_axis`` and ``dot_axes`` of ``Merge``.
        is_graph: accepted as in Keras 0.

    Shapes: as ``Merge``, of the outputs of ``layer``.

    Raises:
        NotImplementedError: ``merge_mode=None``: add_shared_layer() adds one layer to several models.
        ValueError, TypeError: as ``Merge``.

    Source: Keras 0.3.3 ``layers/core.py``.
    """

    def __init__(self, layer, inputs, merge_mode="concat", concat_axis=1, dot_axes=-1, is_graph=False, **kwargs):
        if merge_mode is None:
            raise NotImplementedError(
                "Siamese() in kshim merges. Received: merge_mode=None. "
                "Call add_shared_layer(layer, models), or add the layer to each model."
            )
        super().__init__(inputs, mode=merge_mode, concat_axis=concat_axis, dot_axes=dot_axes, **kwargs)
        self.layer = LAYERS.get(layer) if isinstance(layer, dict) else layer
        self.is_graph = is_graph

    def _through(self, layer, inputs):
        return self.layer(super()._through(layer, inputs))

    def get_config(self):
        return {
            "name": self.name, "layer": LAYERS.serialize(self.layer),
            "inputs": [LAYERS.serialize(layer) for layer in self.layers], "merge_mode": self.mode,
            "concat_axis": self.concat_axis, "dot_axes": self.dot_axes, "is_graph": self.is_graph,
        }  # fmt: skip


def add_shared_layer(layer, inputs):
    """Add one layer to each of several Sequential models: ``inputs``.

    Source: Keras 0.3.3 ``layers/core.py``.
    """
    for model in inputs:
        model.add(layer)


class _Gone(Layer):
    """Base: weights whose ``init`` may be a function of any of its old signatures."""

    def _weight(self, name, shape, init, **kwargs):
        return self.add_weight(name=name, shape=shape, initializer=values.initializer_of_any_signature(init), **kwargs)

    def _regularized(self, kind):
        return {"regularizer": getattr(self, f"{kind}_regularizer"), "constraint": getattr(self, f"{kind}_constraint")}


class MaxoutDense(_Gone):
    """The largest of several linear maps: ``max over k of inputs @ W[k] + b[k]``.

    Args:
        output_dim: size of the output's last axis, an int above 0.
        nb_feature: number of maps, an int above 0.
        init: name, config or callable for ``W``.
        W_regularizer, W_constraint: for ``W``; the ``b_`` arguments are the same for ``b``.
        activity_regularizer: penalty on the output.
        bias: whether to add ``b``.

    Shapes:
        inputs ``(batch, features)`` -> ``(batch, output_dim)``;
        W ``(nb_feature, features, output_dim)``, b ``(nb_feature, output_dim)``.

    Raises: ValueError: ``output_dim`` or ``nb_feature`` is no int above 0; the input is no matrix.

    Source: Keras 1.2.2 ``layers/core.py``; Goodfellow et al., 2013.
    """

    def __init__(self, output_dim, nb_feature=4, init="glorot_uniform", weights=None, W_regularizer=None,
                 b_regularizer=None, activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True,
                 input_dim=None, **kwargs):  # fmt: skip
        super().__init__(
            activity_regularizer=activity_regularizer, weights=weights, **_with_input_dim(input_dim, kwargs)
        )
        self.keep(
            {k: v for k, v in locals().items() if k not in _OF_LAYER}, output_dim=positive_int, nb_feature=positive_int
        )
        self.input_spec = InputSpec(ndim=2)

    def build(self, input_shape):
        shape = (self.nb_feature, input_shape[-1], self.output_dim)
        self.W = self._weight("W", shape, self.init, **self._regularized("W"))
        self.b = self._weight("b", (shape[0], shape[2]), "zeros", **self._regularized("b")) if self.bias else None
        self.input_spec = InputSpec(ndim=2, axes={-1: shape[1]})

    def call(self, inputs):
        maps = torch.matmul(inputs, self.W)  # (nb_feature, batch, output_dim)
        if self.b is not None:
            maps = maps + self.b.unsqueeze(1)
        return torch.amax(maps, 0)


class Highway(_Gone):
    """A Dense layer with a gate past it: ``t * activation(x @ W + b) + (1 - t) * x``, ``t = sigmoid(x @ W_carry +
    b_carry)``.

    Args:
        init: name, config or callable for ``W`` and ``W_carry``.
        activation: name, callable, or None for the identity.
        W_regularizer, W_constraint: for ``W``; the ``b_`` arguments are the same for ``b``.
        activity_regularizer: penalty on the output.
        bias: whether to add ``b`` and ``b_carry``.
        transform_bias: where ``b_carry`` begins; None is -2 in Keras 0 and 1 after it (which ignored the argument).

    Shapes:
        inputs ``(batch, features)`` -> the same; W and W_carry ``(features, features)``, b and b_carry
        ``(features,)``, in the order W, W_carry, b, b_carry (in Keras 0 W, b, W_carry, b_carry).

    Raises: ValueError: the input is no matrix.

    Source: Keras 1.2.2 ``layers/core.py``; Srivastava et al., 2015.
    """

    def __init__(self, init="glorot_uniform", activation=None, weights=None, W_regularizer=None, b_regularizer=None,
                 activity_regularizer=None, W_constraint=None, b_constraint=None, bias=True, input_dim=None,
                 transform_bias=None, **kwargs):  # fmt: skip
        super().__init__(
            activity_regularizer=activity_regularizer, weights=weights, **_with_input_dim(input_dim, kwargs)
        )
        if settings.holds(since="1.2.2"):
            transform_bias = None
        self.keep({k: v for k, v in locals().items() if k not in _OF_LAYER})
        self.input_spec = InputSpec(ndim=2)

    def build(self, input_shape):
        size = input_shape[-1]
        keras_0 = settings.holds(until="0.3.3")
        begin = self.transform_bias if self.transform_bias is not None else -2.0 if keras_0 else 1.0
        make = {
            "W": lambda: self._weight("W", (size, size), self.init, **self._regularized("W")),
            "W_carry": lambda: self._weight("W_carry", (size, size), self.init),
            "b": lambda: self._weight("b", (size,), "zeros", **self._regularized("b")),
            "b_carry": lambda: self._weight("b_carry", (size,), lambda shape, dtype=None: torch.full(shape, begin)),
        }
        self.b = self.b_carry = None
        for name in ("W", "b", "W_carry", "b_carry") if keras_0 else make:
            if self.bias or "b" not in name:
                setattr(self, name, make[name]())
        self.input_spec = InputSpec(ndim=2, axes={-1: size})

    def call(self, inputs):
        gate, changed = torch.matmul(inputs, self.W_carry), torch.matmul(inputs, self.W)
        if self.b is not None:
            gate, changed = gate + self.b_carry, changed + self.b
        return torch.lerp(inputs, self.activation(changed), torch.sigmoid(gate))


class TimeDistributedMerge(Layer):
    """The timesteps in one: their sum, product or mean.

    Args:
        mode: one of sum, mul, ave.

    Shapes: ``(batch, time, features)`` -> ``(batch, features)``.

    Raises: ValueError: an unknown mode; an input that has not three axes.

    Source: Keras 0.3.3 ``layers/core.py``.
    """

    def __init__(self, mode="sum", **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), mode=one_of("sum", "mul", "ave"))
        self.input_spec = InputSpec(ndim=3)
        self.built = True

    def call(self, inputs):
        return {"sum": torch.sum, "mul": torch.prod, "ave": torch.mean}[self.mode](inputs, 1)


class _Elementwise(_Gone):
    """Base of activations with weights for each element, or one where an axis is in ``shared_axes``."""

    def _keep_axes(self, shared_axes):
        self.supports_masking = True
        axes = shared_axes if isinstance(shared_axes, (list, tuple)) else [shared_axes]
        self.shared_axes = [axis for axis in axes if axis is not None]

    def _shape(self, input_shape):
        shape = list(input_shape[1:])
        for axis in self.shared_axes:
            shape[axis - 1] = 1
        if None in shape:
            checks.fail(
                self, "known sizes, or `shared_axes` for the others",
                f"input_shape={input_shape}, shared_axes={self.shared_axes}",
            )  # fmt: skip
        return tuple(shape)


class ParametricSoftplus(_Elementwise):
    """``alpha * log(1 + exp(beta * x))`` with weights ``alpha`` and ``beta``.

    Args:
        alpha_init, beta_init: numbers the weights begin at.
        shared_axes: axes (the batch counts as 0) that share one weight.

    Shapes: any -> the same; alphas and betas: the input's without the batch axis, 1 on the shared axes.

    Raises: ValueError: an axis of unknown size that is not shared.

    Source: Keras 1.2.2 ``layers/advanced_activations.py``; McFarland et al., 2013.
    """

    def __init__(self, alpha_init=0.2, beta_init=5.0, weights=None, shared_axes=None, **kwargs):
        super().__init__(weights=weights, **kwargs)
        self.keep({"alpha_init": float(alpha_init), "beta_init": float(beta_init), "shared_axes": shared_axes})
        self._keep_axes(shared_axes)

    def build(self, input_shape):
        shape = self._shape(input_shape)
        for name, begin in (("alphas", self.alpha_init), ("betas", self.beta_init)):
            weight = self._weight(name, shape, lambda shape, dtype=None, begin=begin: torch.full(shape, begin))
            setattr(self, name, weight)

    def call(self, inputs):
        return F.softplus(self.betas * inputs) * self.alphas


class SReLU(_Elementwise):
    """Straight between two thresholds, with other slopes beyond them.

    ``t_right + a_right * (x - t_right)`` above, ``t_left + a_left * (x - t_left)`` below, where the upper
    threshold is ``t_left + abs(t_right)``.

    Args:
        t_left_init, a_left_init, t_right_init, a_right_init: name, config or callable for the weights.
        shared_axes: axes (the batch counts as 0) that share one weight.

    Shapes: any -> the same; each weight: the input's without the batch axis, 1 on the shared axes.

    Raises: ValueError: an axis of unknown size that is not shared.

    Source: Keras 1.2.2 ``layers/advanced_activations.py``; Jin et al., 2015.
    """

    def __init__(self, t_left_init="zero", a_left_init="glorot_uniform", t_right_init="glorot_uniform",
                 a_right_init="one", shared_axes=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.keep({k: v for k, v in locals().items() if k not in _OF_LAYER})
        self._keep_axes(shared_axes)

    def build(self, input_shape):
        for name in ("t_left", "a_left", "t_right", "a_right"):
            setattr(self, name, self._weight(name, self._shape(input_shape), getattr(self, f"{name}_init")))

    def call(self, inputs):
        width = torch.abs(self.t_right)
        above = inputs - self.t_left
        # Sums of relu's, so that the gradients at the thresholds are Keras', too.
        middle = torch.minimum(F.relu(above), width) - self.a_left * F.relu(-above)
        return self.t_left + middle + self.a_right * F.relu(inputs - (self.t_left + width))


class ThresholdedReLU(Layer):
    """``x`` where it is above ``theta``, else 0.

    Args:
        theta: a number of at least 0.

    Shapes: any -> the same.

    Raises: ValueError if ``theta`` is no number of at least 0.

    Source: Keras 2.3.1 ``layers/advanced_activations.py``; Konda et al., 2014.
    """

    def __init__(self, theta=1.0, **kwargs):
        super().__init__(**kwargs)
        if theta is None or float(theta) < 0:
            checks.fail(self, "`theta` to be a number of at least 0", f"theta={theta!r}")
        self.keep({"theta": float(theta)})
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        return inputs * (inputs > self.theta)


class ThresholdedLinear(ThresholdedReLU):
    """``x`` where it is at least ``theta`` in size, else 0.

    Args:
        theta: a number of at least 0.

    Shapes: any -> the same.

    Raises: ValueError if ``theta`` is no number of at least 0.

    Source: Keras 0.3.3 ``layers/advanced_activations.py``; Konda et al., 2014.
    """

    def call(self, inputs):
        return inputs * (torch.abs(inputs) >= self.theta)


class LRN2D(Layer):
    """Local response normalization: ``x / (k + alpha * sum of squares of n channels around) ** beta``.

    Args:
        alpha, k, beta: the numbers of the formula.
        n: how many channels, an odd int.

    Shapes: ``(batch, channels, rows, columns)`` -> the same.

    Raises: NotImplementedError if ``n`` is even.

    Source: Keras 0.1.3 ``layers/normalization.py``; Krizhevsky et al., 2012.
    """

    def __init__(self, alpha=1e-4, k=2, beta=0.75, n=5, **kwargs):
        super().__init__(**kwargs)
        if n % 2 == 0:
            raise NotImplementedError(
                f"{checks.describe(self)}: LRN2D only works with odd n. Received: n={n}. Take {n + 1}."
            )
        self.keep(locals())
        self.input_spec = InputSpec(ndim=4)
        self.built = True

    def call(self, inputs):
        # torch divides alpha by n and counts channels on axis 1, too.
        return F.local_response_norm(inputs, self.n, self.alpha * self.n, self.beta, self.k)


class AutoEncoder(Layer):
    """A decoder on an encoder; the output is the decoder's, or the code.

    Args:
        encoder, decoder: layers or models.
        output_reconstruction: whether the decoder's output is given rather than the encoder's; it may be set later.

    Shapes: what the encoder takes -> what the decoder (or the encoder) gives.

    Raises: TypeError if one of them is no layer.

    Source: Keras 0.3.3 ``layers/core.py``.
    """

    def __init__(self, encoder, decoder, output_reconstruction=True, weights=None, **kwargs):
        super().__init__(weights=weights, **kwargs)
        layers = [LAYERS.get(part) if isinstance(part, dict) else part for part in (encoder, decoder)]
        for name, layer in zip(("encoder", "decoder"), layers, strict=True):
            if not isinstance(layer, torch.nn.Module):
                raise TypeError(f"{checks.describe(self)}: expected a layer as `{name}`. Received: {layer!r}.")
        self.encoder, self.decoder = layers
        self.output_reconstruction = output_reconstruction
        if self._batch_shape is None:
            inputs = getattr(self.encoder, "inputs", None)
            self._batch_shape = inputs[0].shape if inputs else getattr(self.encoder, "batch_shape", None)

    def call(self, inputs):
        code = self.encoder(inputs)
        decoded = self.decoder(code)
        return decoded if self.output_reconstruction else code

    def get_config(self):
        return {
            "name": self.name, "encoder": LAYERS.serialize(self.encoder), "decoder": LAYERS.serialize(self.decoder),
            "output_reconstruction": self.output_reconstruction,
        }  # fmt: skip


class Deconvolution2D(Conv2DTranspose):
    """``Conv2DTranspose``, to which Keras 1 told the shape that comes out.

    Args:
        output_shape: with the batch axis (which is not looked at); None leaves the size to the formula.
        others: those of ``Conv2DTranspose``.

    Shapes: ``(batch, rows, columns, channels)`` -> ``output_shape``; kernel ``(rows, columns, filters, channels)``.

    Raises: ValueError: ``output_shape`` is no shape of four axes, or none that the input can have come from.

    Source: Keras 1.2.2 ``layers/convolutional.py``.
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None, output_padding=None,
                 dilation_rate=(1, 1), activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, output_shape=None, **kwargs):  # fmt: skip
        super().__init__(
            filters=filters, kernel_size=kernel_size, strides=strides, padding=padding, data_format=data_format,
            output_padding=output_padding, dilation_rate=dilation_rate, activation=activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint, **kwargs,
        )  # fmt: skip
        if output_shape is not None and (not isinstance(output_shape, (list, tuple)) or len(output_shape) != 4):
            checks.fail(self, "`output_shape` to be a shape of 4 axes", f"output_shape={output_shape!r}")
        self.output_shape = None if output_shape is None else tuple(output_shape)

    def call(self, inputs):
        if self.output_shape is None:
            return super().call(inputs)
        last = self.data_format == "channels_last"
        if last:
            inputs = inputs.permute(0, 3, 1, 2)
        outputs = F.conv_transpose2d(
            inputs, self.kernel.permute(3, 2, 0, 1), None, self.strides, dilation=self.dilation_rate
        )
        for axis, size in enumerate(self._sizes()):
            outputs = self._cut(outputs, axis, inputs.shape[axis + 2], size)
        if self.use_bias:
            outputs = outputs + self.bias.view(-1, 1, 1)
        if last:
            outputs = outputs.permute(0, 2, 3, 1)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        if self.output_shape is None:
            return super().compute_output_shape(input_shape)
        batch, _, steps = self.split_shape(input_shape)
        for axis, size in enumerate(self._sizes()):
            if steps[axis] is not None:
                self._check_size(axis, steps[axis], size)
        return self.join_shape(batch, self.filters, self._sizes())

    def _sizes(self):
        return list(self.output_shape[1:3] if self.data_format == "channels_last" else self.output_shape[2:])

    def _check_size(self, axis, steps, size):
        stride, window = self.strides[axis], self.windows[axis]
        if (-(-size // stride) if self.padding == "same" else (size - window) // stride + 1) != steps:
            checks.fail(self, f"an `output_shape` that a convolution makes {steps} long", f"size {size}")

    def _cut(self, outputs, axis, steps, size):
        """The part of the whole transposed convolution whose convolution has ``steps`` steps: ``size`` long."""
        self._check_size(axis, steps, size)
        whole = outputs.shape[axis + 2]
        begin = max(whole - size, 0) // 2 if self.padding == "same" else 0
        outputs = outputs.narrow(axis + 2, begin, min(size, whole - begin))
        missing = size - outputs.shape[axis + 2]
        return F.pad(outputs, (0, 0) * (1 - axis) + (0, missing)) if missing else outputs


_OF_LAYER = ("self", "__class__", "kwargs", "activity_regularizer", "weights", "input_dim")


def _with_input_dim(input_dim, kwargs):
    return kwargs if input_dim is None else {**kwargs, "input_dim": input_dim}


def _unique(items):
    found: list = []
    for item in items:
        if not any(item is known for known in found):
            found.append(item)
    return found


def _in_shape_of(x, mask):
    if mask is None:
        return torch.ones_like(x, dtype=torch.bool)
    return mask.unsqueeze(-1).expand(x.shape) if mask.dim() < x.dim() else mask

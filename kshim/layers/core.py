"""Input, Dense, EinsumDense, Activation, Identity, Lambda, Masking, RandomFourierFeatures."""

import copy
import inspect
import math
import re

import numpy as np
import torch
from torch.nn import functional as F

from kshim import initializers
from kshim.core import checks, dtypes, serialization, shapes
from kshim.core.checks import positive_int
from kshim.core.shapes import is_shape, map_shapes
from kshim.graph import infer
from kshim.graph.keras_tensor import KerasTensor
from kshim.graph.node import Node
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec


class InputLayer(Layer):
    """The entry of a graph; ``layer.output`` is its symbolic tensor.

    Args:
        shape: shape of one input without the batch axis; None for an axis that varies. An int means a one-tuple.
        batch_size: size of the batch axis, None for any.
        dtype: dtype name of the data; None means ``floatx()``.
        sparse, ragged: not supported, must be false.
        batch_shape: ``(batch_size, *shape)``, in place of both.
        input_tensor: a KerasTensor to stand for this input in place of a new one.
        optional: whether None may be passed for it.
        name: None gives ``input_layer``, ``input_layer_1``, ...

    Shapes: gives ``(batch_size, *shape)``.

    Raises:
        ValueError: neither or both of ``shape`` and ``batch_shape`` are given, or they are no shapes.
        NotImplementedError: ``sparse=True`` or ``ragged=True``.

    Source: Keras 3 ``layers/core/input_layer.py``.
    """

    def __init__(self, shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None,
                 input_tensor=None, optional=False, name=None, **kwargs):  # fmt: skip
        super().__init__(name=name, **kwargs)
        if sparse or ragged:
            raise NotImplementedError(
                f"{checks.describe(self)}: kshim has dense inputs only. Received: sparse={sparse}, ragged={ragged}. "
                "Pass the dense array."
            )
        if input_tensor is not None:
            batch_shape, dtype, shape = input_tensor.shape, dtype or input_tensor.dtype, None
        if (shape is None) == (batch_shape is None):
            checks.fail(self, "one of `shape` and `batch_shape`", f"shape={shape}, batch_shape={batch_shape}")
        if checks.as_int(shape) is not None:
            shape = (shape,)
        given = shape if batch_shape is None else batch_shape
        if not is_shape(given) or any(axis is not None and axis < 0 for axis in given):
            checks.fail(self, "a shape, a tuple of sizes and None", f"shape={given!r}")
        self._batch_shape = (batch_size, *shape) if batch_shape is None else tuple(batch_shape)
        self.sparse, self.ragged, self.optional = bool(sparse), bool(ragged), bool(optional)
        self._dtype = dtypes.name_of(dtype)
        self.built = True
        Node(self, (), {}, infer.Spec(self._batch_shape, self._dtype), self.name)
        self._inbound_nodes[0].outputs[0].name = self.name

    @property
    def dtype(self):
        """Dtype name of the data."""
        return self._dtype

    def call(self):
        raise RuntimeError(f"{checks.describe(self)} is the entry of a graph and is not called.")

    def __getstate__(self):
        # Unlike other layers an InputLayer keeps its node: it is the tensor the graph begins with.
        return super().__getstate__() | {"_inbound_nodes": self._inbound_nodes}

    def get_config(self):
        return {
            "batch_shape": self.batch_shape, "dtype": self.dtype, "sparse": self.sparse, "ragged": self.ragged,
            "name": self.name, "optional": self.optional,
        }  # fmt: skip


def Input(shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None,
          tensor=None, optional=False):  # fmt: skip
    """The symbolic tensor of a new ``InputLayer``; the arguments are that layer's (``tensor`` is ``input_tensor``).

    Source: Keras 3 ``layers/core/input_layer.py``.
    """
    return InputLayer(
        shape=shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged, batch_shape=batch_shape,
        input_tensor=tensor, optional=optional, name=name,
    ).output  # fmt: skip


class Dense(Layer):
    """Fully connected layer: ``activation(inputs @ kernel + bias)``.

    Args:
        units: size of the output's last axis, an int above 0.
        activation: name, callable, or None for the identity.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``bias_`` arguments are the same for ``bias``.
        activity_regularizer: penalty on the output, added to ``layer.losses``.

    Shapes:
        inputs ``(batch, ..., features)`` -> output ``(batch, ..., units)``;
        kernel ``(features, units)``, bias ``(units,)``.

    Raises:
        ValueError: ``units`` is not an int above 0; the input has fewer than two axes, an unknown last axis,
            or not the ``features`` the layer was built with.

    Source: Keras 3 ``layers/core/dense.py``; older names in ``kshim/legacy/arguments.py``.
    """

    def __init__(self, units, activation=None, use_bias=True,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.keep(locals(), units=positive_int)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape):
        features = input_shape[-1] if len(input_shape) else None
        if features is None:
            checks.fail(
                self, "an input whose last axis is known", f"input_shape={tuple(input_shape)}",
                "Give the size in Input(shape=...) or input_shape=.",
            )  # fmt: skip
        self.kernel = self.weight("kernel", (features, self.units))
        self.bias = self.weight("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs):
        kernel, bias = self.kernel, self.bias
        if not inputs.is_floating_point():
            inputs = inputs.to(kernel.dtype)
        if bias is None:
            outputs = torch.matmul(inputs, kernel)
        elif inputs.dim() == 2:
            outputs = torch.addmm(bias, inputs, kernel)
        else:
            outputs = F.linear(inputs, kernel.t(), bias)
        return self.activation(outputs)


class EinsumDense(Layer):
    """A dense layer over any axes: ``activation(einsum(equation, inputs, kernel) + bias)``.

    Args:
        equation: ``"ab,bc->ac"``: a letter for each axis of the inputs, the kernel and the output. One ``...`` at the
            begin or at the end of inputs and output stands for axes that are left alone.
        output_shape: the output's sizes without the batch axis and those of ``...``; an int for one. None for an axis
            of the inputs', whatever its size.
        activation: name, callable, or None for the identity.
        bias_axes: letters of the output's axes that the bias has; None for no bias.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``bias_`` arguments are the same for ``bias``.

    Shapes:
        as the equation says: ``EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")`` is inputs ``(batch, b, c)`` ->
        ``(batch, b, 4)``, kernel ``(c, 4)``, bias ``(4,)``.

    Raises:
        ValueError: the equation has another form or a letter without a size, ``output_shape`` or the inputs do not
            fit it, or ``bias_axes`` has a letter that the output lacks.

    Source: Keras 3 ``layers/core/einsum_dense.py``.
    """

    def __init__(self, equation, output_shape, activation=None, bias_axes=None,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, kernel_constraint=None, bias_constraint=None,
                 **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        output_shape = (output_shape,) if checks.as_int(output_shape) is not None else tuple(output_shape)
        self.keep(locals())
        self.partial_output_shape = output_shape

    def build(self, input_shape):
        shape, bias_shape, axes = self._weight_shapes(tuple(input_shape))
        initializer = self.kernel_initializer
        if getattr(initializer, "input_axes", 0) is None or getattr(initializer, "output_axes", 0) is None:
            initializer = copy.copy(initializer)
            initializer.input_axes, initializer.output_axes = axes
        self.kernel = self.add_weight(
            shape, initializer, regularizer=self.kernel_regularizer, constraint=self.kernel_constraint, name="kernel"
        )
        self.bias = None if bias_shape is None else self.weight("bias", bias_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))

    def _weight_shapes(self, input_shape):
        """The kernel's shape, the bias' or None, and the kernel's (input axes, output axes)."""
        form = re.fullmatch(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?", self.equation)
        if form is None or form[1] != form[5] or form[3] != form[7] or (form[1] and form[3]):
            checks.fail(
                self, "an equation like 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...'",
                f"equation={self.equation!r}",
            )  # fmt: skip
        left, ins, right, kernel, _, outs, _ = form.groups()
        rest = len(input_shape) - len(ins)  # axes that ... stands for
        out_shape = self.output_shape if left and rest else (input_shape[0], *self.output_shape)
        given = f"input_shape={input_shape}, output_shape={self.output_shape}, equation={self.equation!r}"
        if rest < 0 or (rest and not left and not right) or len(out_shape) != len(outs):
            checks.fail(self, "a size for each letter of the equation", given)
        sizes = dict(zip(ins, input_shape[rest:] if left else input_shape, strict=False))
        for letter, size in zip(outs, out_shape, strict=True):
            if letter in ins and size not in (None, sizes[letter]):
                checks.fail(self, f"axis {letter!r} of the output to be as long as the inputs'", given)
            sizes[letter] = size or sizes.get(letter)
        lacking = [c for c in outs if c not in ins + kernel] + [c for c in kernel if c not in ins + outs]
        if lacking:
            checks.fail(self, f"the letters {lacking} in the inputs, or in kernel and output", given)
        axes = [i for i, c in enumerate(kernel) if c not in outs], [i for i, c in enumerate(kernel) if c in outs]
        shape = tuple(sizes[letter] for letter in kernel)
        if self.bias_axes is None:
            return shape, None, axes
        if not self.bias_axes or not set(self.bias_axes) <= set(outs):
            checks.fail(self, f"`bias_axes` to be letters among {outs!r}", f"bias_axes={self.bias_axes!r}")
        biased = outs[min(map(outs.index, self.bias_axes)) :]
        bias = [sizes[letter] if letter in self.bias_axes else 1 for letter in biased]
        return shape, tuple(bias + [1] * rest * bool(right)), axes

    def call(self, inputs):
        if not inputs.is_floating_point():
            inputs = inputs.to(self.kernel.dtype)
        outputs = torch.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            outputs = outputs + self.bias.to(outputs.dtype)
        return self.activation(outputs)

    def get_config(self):
        return super().get_config() | {"activity_regularizer": self._config_value("activity_regularizer")}


class Activation(Layer):
    """An activation as a layer.

    Args:
        activation: name or callable.

    Shapes: any -> the same.

    Raises: ValueError for a name that is not known.

    Source: Keras 3 ``layers/activations/activation.py``.
    """

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        return self.activation(inputs)


class Identity(Layer):
    """The inputs themselves.

    Shapes: any structure of any shapes -> the same.

    Source: Keras 3 ``layers/core/identity.py``.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        return inputs


class Lambda(Layer):
    """A function as a layer.

    Args:
        function: called as ``function(inputs, **arguments)``; it may take ``mask`` and ``training`` too.
        output_shape: shape without the batch axis, or a function of the input shape; None finds it by running.
        mask: the output's mask, or a function ``(inputs, mask) -> mask``.
        arguments: dict of further keyword arguments.

    Shapes: what ``function`` makes of them.

    Raises: TypeError if ``function`` can't be called.

    Source: Keras 3 ``layers/core/lambda_layer.py``.
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"{checks.describe(self)}: expected a callable. Received: function={function!r}.")
        self.keep(locals())
        self.arguments = arguments or {}
        self.supports_masking = mask is not None
        try:
            names = inspect.signature(function).parameters
        except ValueError:  # some of torch's own functions do not tell theirs
            names = {}
        self._takes = [name for name in ("mask", "training") if name in names]

    def call(self, inputs, mask=None, training=None):
        flags = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{name: flags[name] for name in self._takes})

    def compute_output_shape(self, input_shape):
        if not self._tells_shape():
            return super().compute_output_shape(input_shape)
        if callable(self.output_shape):
            return self.output_shape(input_shape)
        batch = input_shape[0] if is_shape(input_shape) else None
        return map_shapes(lambda shape: (batch, *shape), self.output_shape)

    def compute_mask(self, inputs, previous_mask=None):
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def _tells_shape(self):
        return self.output_shape is not None

    def get_config(self):
        return {k: v for k, v in super().get_config().items() if v is not None or k not in ("output_shape", "mask")}

    @classmethod
    def from_config(cls, config):
        """The layer. A function as bytecode is refused in safe mode; one by name has to be registered.

        Raises: RefusedFileError, ValueError.
        """
        config = {key: value for key, value in config.items() if key not in _TOLD_BESIDE}
        name = config.get("name")
        what = "a `Lambda` layer" + (f" {name!r}" if isinstance(name, str) else "")
        config["function"] = serialization.function(config.get("function"), what)
        for key in ("output_shape", "mask"):
            value = config.get(key)
            if isinstance(value, dict) or (isinstance(value, str) and key == "output_shape") or _is_bytecode(value):
                config[key] = serialization.function(value, what)
            elif isinstance(value, list):
                config[key] = shapes.from_json(value)
        if isinstance(config.get("arguments"), dict):
            config["arguments"] = serialization.revive(config["arguments"])
        return cls(**config)

    def lowered_call(self, node):
        lowered = super().lowered_call(node)
        if lowered is None or self.arguments or self._takes:
            return lowered
        return self.function, False

    def _makes_masks(self):
        return self.mask is not None


# What files say beside a function: how it is told, and which module it was in.
_TOLD_BESIDE = {
    f"{name}{part}" for name in ("function", "output_shape", "mask") for part in ("_type", "_module")
} | {"module"}  # fmt: skip


def _is_bytecode(value):
    return isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str)


class Masking(Layer):
    """Masks the timesteps whose features all equal ``mask_value`` and sets them to 0.

    Args:
        mask_value: a number.

    Shapes: inputs ``(batch, ..., time, features)`` -> the same; mask ``(batch, ..., time)``, True where kept.

    Source: Keras 3 ``layers/core/masking.py``.
    """

    def __init__(self, mask_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())
        self.supports_masking = True
        self.built = True

    def compute_mask(self, inputs, mask=None):
        return torch.any(torch.ne(inputs, self.mask_value), -1)

    def call(self, inputs):
        return torch.where(torch.any(torch.ne(inputs, self.mask_value), -1, keepdim=True), inputs, 0)


class RandomFourierFeatures(Layer):
    """Random features whose products come near a kernel: ``cos(inputs @ unscaled_kernel / scale + bias)``.

    A linear model on top of them is about a kernel machine of that kernel.

    Args:
        output_dim: number of features, an int above 0.
        kernel_initializer: ``"gaussian"``, ``"laplacian"``, or an initializer for ``unscaled_kernel``.
        scale: the kernel's width, a number above 0; None means ``sqrt(input_dim / 2)`` for gaussian, else 1.
        trainable: whether the scale is trained; kernel and bias never are.

    Shapes:
        inputs ``(batch, input_dim)`` -> ``(batch, output_dim)``; kernel_scale ``(1,)``,
        unscaled_kernel ``(input_dim, output_dim)``, bias ``(output_dim,)``.

    Raises: ValueError if an argument is none of these, or the input is no matrix of known width.

    Source: tf.keras ``layers/kernelized.py`` (gone in Keras 3); Rahimi and Recht, 2007.
    """

    def __init__(self, output_dim, kernel_initializer="gaussian", scale=None, trainable=False, name=None, **kwargs):
        super().__init__(trainable=trainable, name=name, **kwargs)
        if isinstance(kernel_initializer, str) and kernel_initializer.lower() in ("gaussian", "laplacian"):
            kernel_initializer = kernel_initializer.lower()
        elif isinstance(kernel_initializer, str):
            checks.fail(
                self, "`kernel_initializer` to be 'gaussian', 'laplacian' or an initializer",
                f"kernel_initializer={kernel_initializer!r}",
            )  # fmt: skip
        if scale is not None and not scale > 0:
            checks.fail(self, "`scale` to be a number above 0", f"scale={scale!r}")
        self.keep(
            {"output_dim": output_dim, "kernel_initializer": kernel_initializer, "scale": scale},
            output_dim=positive_int,
            kernel_initializer=lambda owner, key, value: value if isinstance(value, str) else initializers.get(value),
        )  # fmt: skip
        self.input_spec = InputSpec(ndim=2)

    def build(self, input_shape):
        features = input_shape[1]
        if features is None:
            checks.fail(self, "an input whose last axis is known", f"input_shape={tuple(input_shape)}")
        draws = {"gaussian": initializers.RandomNormal(stddev=1.0), "laplacian": cauchy}
        gaussian = self.kernel_initializer == "gaussian"
        scale = self.scale or (math.sqrt(features / 2) if gaussian else 1.0)
        self.unscaled_kernel = self.add_weight(
            (features, self.output_dim),
            draws[self.kernel_initializer] if isinstance(self.kernel_initializer, str) else self.kernel_initializer,
            trainable=False, name="unscaled_kernel",
        )  # fmt: skip
        turn = initializers.RandomUniform(0.0, 2 * math.pi)
        self.bias = self.add_weight((self.output_dim,), turn, trainable=False, name="bias")
        self.kernel_scale = self.add_weight(
            (1,), initializers.Constant(scale), constraint="non_neg", name="kernel_scale"
        )
        self.input_spec = InputSpec(ndim=2, axes={1: features})

    def call(self, inputs):
        return torch.cos(torch.addmm(self.bias, inputs.to(self.bias.dtype), self.unscaled_kernel / self.kernel_scale))


def cauchy(shape, dtype=None):
    """Draws from the standard Cauchy distribution, by numpy's generator as in tf.keras."""
    return np.tan(np.pi * (np.random.uniform(size=shape) - 0.5)).astype("float32")


def is_input(value):
    """Whether ``value`` is the KerasTensor of an ``InputLayer``."""
    return isinstance(value, KerasTensor) and value.node is not None and isinstance(value.node.operation, InputLayer)

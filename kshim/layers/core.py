"""Input, Dense, Activation, Dropout, Lambda, Masking."""

import torch
from torch.nn import functional as F

from kshim.core import checks, dtypes
from kshim.core.checks import fraction, positive_int
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


class Dropout(Layer):
    """Sets a random share of the inputs to 0 while training and scales the others by ``1 / (1 - rate)``.

    Args:
        rate: share that is dropped, in [0, 1].
        noise_shape: shape of the mask, broadcast to the inputs'; None for an axis means the input's own size.
        seed: an int makes the layer's own sequence of masks; None draws from torch's generator.

    Shapes: any -> the same.

    Raises: ValueError if ``rate`` is not in [0, 1].

    Source: Keras 3 ``layers/regularization/dropout.py``; Srivastava et al., 2014.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), rate=fraction)
        self.supports_masking = True
        self.built = True
        self._generator = None

    def call(self, inputs):
        if not self.training or self.rate == 0:
            return inputs
        if self.noise_shape is None and self.seed is None:
            return F.dropout(inputs, self.rate)
        shape = inputs.shape
        if self.noise_shape is not None:
            shape = [size if want is None else want for want, size in zip(self.noise_shape, shape, strict=True)]
        mask = torch.empty(shape, dtype=inputs.dtype, device=inputs.device)
        mask.bernoulli_(1 - self.rate, generator=self._own_generator(inputs.device))
        return inputs * mask / (1 - self.rate) if self.rate < 1 else inputs * 0

    def _own_generator(self, device):
        if self.seed is None or device.type == "meta":
            return None
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(int(self.seed))
        return self._generator

    def __getstate__(self):
        return super().__getstate__() | {"_generator": None}


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
        names = getattr(getattr(function, "__code__", None), "co_varnames", ())
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

    def lowered_call(self, node):
        lowered = super().lowered_call(node)
        if lowered is None or self.arguments or self._takes:
            return lowered
        return self.function, False

    def _makes_masks(self):
        return self.mask is not None


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
        return inputs * torch.any(torch.ne(inputs, self.mask_value), -1, keepdim=True)


def is_input(value):
    """Whether ``value`` is the KerasTensor of an ``InputLayer``."""
    return isinstance(value, KerasTensor) and value.node is not None and isinstance(value.node.operation, InputLayer)

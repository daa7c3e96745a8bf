"""Activations with arguments or weights, as layers."""

import torch

from kshim import activations
from kshim.core import checks
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec


def not_negative(owner, name, value):
    """A number of at least 0."""
    if value is None or value < 0:
        checks.fail(owner, f"`{name}` to be a number of at least 0", f"{name}={value!r}")
    return value


class Pointwise(Layer):
    """Base: gives a tensor of the inputs' shape, and passes their mask on."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True


class ReLU(Pointwise):
    """``x`` from ``threshold`` on, but at most ``max_value``; below it ``negative_slope * (x - threshold)``.

    Args:
        max_value: where the function saturates, at least 0; None for nowhere.
        negative_slope: slope below the threshold, at least 0.
        threshold: where the positive part begins, at least 0.

    Shapes: any -> the same.

    Raises: ValueError if one of them is below 0, or one of the last two None.

    Source: Keras 3 ``layers/activations/relu.py``.
    """

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), negative_slope=not_negative, threshold=not_negative)
        if max_value is not None:
            not_negative(self, "max_value", max_value)

    def call(self, inputs):
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(Pointwise):
    """``x`` where positive, else ``negative_slope * x``.

    Args:
        negative_slope: a number of at least 0.

    Shapes: any -> the same.

    Raises: ValueError if ``negative_slope`` is below 0 or None.

    Source: Keras 3 ``layers/activations/leaky_relu.py``; Maas et al., 2013.
    """

    def __init__(self, negative_slope=0.3, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), negative_slope=not_negative)

    def call(self, inputs):
        return activations.leaky_relu(inputs, self.negative_slope)


class ELU(Pointwise):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``.

    Args:
        alpha: minus the value at minus infinity.

    Shapes: any -> the same.

    Source: Keras 3 ``layers/activations/elu.py``; Clevert et al., 2016.
    """

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())

    def call(self, inputs):
        return activations.elu(inputs, self.alpha)


class PReLU(Layer):
    """``x`` where positive, else ``alpha * x``, where ``alpha`` is learned.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: name, config or callable for ``alpha``.
        shared_axes: an axis, or several, along which one ``alpha`` does for all; 1 is the first after the batch.
            ``(1, 2)`` gives a picture's channels one number each.

    Shapes:
        inputs ``(batch, ...)`` -> the same; alpha ``(...)``, with 1 for each of ``shared_axes``.

    Raises: ValueError if an axis is not known, or the input is not of the shape the layer was built with.

    Source: Keras 3 ``layers/activations/prelu.py``; He et al., 2015.
    """

    def __init__(self, alpha_initializer="Zeros", alpha_regularizer=None, alpha_constraint=None, shared_axes=None,
                 **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        if shared_axes is not None:
            shared_axes = list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
        self.keep(locals())
        self.supports_masking = True

    def build(self, input_shape):
        shared = self.shared_axes or []
        rank = len(input_shape)
        if any(checks.as_int(axis) is None or not 0 < axis % rank < rank or axis >= rank for axis in shared):
            checks.fail(self, f"`shared_axes` to be among 1, ..., {rank - 1}", f"shared_axes={shared}")
        shared = [axis % rank for axis in shared]
        sizes = {axis: size for axis, size in enumerate(input_shape) if axis and axis not in shared}
        self.alpha = self.weight("alpha", [sizes.get(axis, 1) for axis in range(1, rank)])
        self.input_spec = InputSpec(ndim=rank, axes=sizes)

    def call(self, inputs):
        if not inputs.is_floating_point():
            inputs = inputs.to(self.alpha.dtype)
        # Of relu at both ends, as in Keras: so the gradient at 0 is 0, which is common behind another relu.
        return torch.addcmul(torch.relu(inputs), self.alpha.to(inputs.dtype), torch.relu(-inputs), value=-1)


class Softmax(Pointwise):
    """``exp(x) / sum(exp(x))`` over ``axis``; what a mask leaves out counts as minus infinity, and gives 0.

    Args:
        axis: the axis, or a list of several.

    Shapes:
        any -> the same; the call's ``mask`` broadcasts to the inputs, True (or above 0.5) where kept.

    Raises: ValueError if the mask does not broadcast to the inputs.

    Source: Keras 3 ``layers/activations/softmax.py``.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals())

    def call(self, inputs, mask=None):
        axis = tuple(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis
        if mask is None:
            return activations.softmax(inputs, axis)
        mask = torch.as_tensor(mask, device=inputs.device)
        sizes = zip(reversed(mask.shape), reversed(inputs.shape), strict=False)
        if mask.dim() > inputs.dim() or any(own not in (1, size) for own, size in sizes):
            checks.fail(
                self, "a `mask` that broadcasts to the inputs",
                f"mask of shape {tuple(mask.shape)}, inputs of shape {tuple(inputs.shape)}",
            )  # fmt: skip
        kept = mask if mask.dtype == torch.bool else mask > 0.5
        # A finite number, so that a row with nothing left gives 0 and no NaN; float16 ends at 65504.
        low = -3e4 if inputs.dtype == torch.float16 else -1e9
        return torch.where(kept, activations.softmax(torch.where(kept, inputs, low), axis), 0)

"""Locally connected layers: convolutions whose kernel is another one at each place."""

import torch
from torch.nn import functional as F

from kshim.core import checks
from kshim.core.shapes import same_padding
from kshim.layers.spatial import AXES, SpatialLayer

_LOCAL = """Convolution over {axes} with a kernel and a bias of its own at each place.

    Args:
        filters: number of output channels, an int above 0.
        kernel_size: size of the kernels, an int above 0, or one for each axis.
        strides: steps from a window to the next one, an int above 0, or one for each axis.
        padding: ``valid``; with ``implementation`` 2 or 3 ``same``, too.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        activation: name, callable, or None for the identity.
        use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``bias_`` arguments are the same for ``bias``.
        activity_regularizer: penalty on the output, added to ``layer.losses``.
        implementation: 1, 2 or 3, tf.keras' ways to compute the same; here all are one, with the weights of 1.

    Shapes:
        inputs ``(batch, {names}, channels)`` -> output ``(batch, {names}, filters)``, or with the channel axis second;
        kernel ``(places, window, filters)``, where places are those of the output, and a window holds as many numbers
        as ``kernel_size`` and the channels make; bias ``({names} of the output, filters)``.

    Raises:
        ValueError: an argument is not what is said above; the input has another rank, an axis but the batch that is
            not known, or no room for a window.

    Source: Keras 2.3.1 ``layers/local.py``; ``implementation`` from tf.keras; older names in
    ``kshim/legacy/arguments.py``.
    """


def implementation(owner, name, value):
    """1, 2 or 3."""
    return checks.one_of(1, 2, 3)(owner, name, value)


class LocallyConnected(SpatialLayer):
    """Base of LocallyConnected1D and LocallyConnected2D."""

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, activation=None,
                 use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros", kernel_regularizer=None,
                 bias_regularizer=None, activity_regularizer=None, kernel_constraint=None, bias_constraint=None,
                 implementation=1, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.keep(locals(), **self.argument_checks())
        if self.padding == "same" and self.implementation == 1:
            checks.fail(
                self, "`padding` to be 'valid'", f"padding={self.padding!r}", "Use implementation=2 for padding='same'."
            )
        self.lay_out()

    def argument_checks(self):
        return super().argument_checks() | {"implementation": implementation}

    def build(self, input_shape):
        channels = self.known_channels(input_shape)
        sizes = self.split_shape(input_shape)[2]
        if None in sizes:
            checks.fail(
                self, "an input of known size: there is a kernel for each place", f"shape={tuple(input_shape)}",
                "Give the sizes in Input(shape=...) or input_shape=.",
            )  # fmt: skip
        outputs = self.output_sizes(input_shape, self.kernel_size)
        window = channels * torch.Size(self.kernel_size).numel()
        self.kernel = self.weight("kernel", (torch.Size(outputs).numel(), window, self.filters))
        self.bias = self.weight("bias", (*outputs, self.filters)) if self.use_bias else None
        self._sizes = tuple(outputs)
        self._pad = ()
        if self.padding == "same":
            amounts = zip(sizes, self.kernel_size, self.strides, strict=True)
            self._pad = tuple(n for each in reversed(list(amounts)) for n in same_padding(*each))
        self.input_spec.axes |= {axis + (self.data_format == "channels_first"): n for axis, n in enumerate(sizes, 1)}
        last = self.data_format == "channels_last"
        places, kernels = tuple(range(2, self.rank + 2)), tuple(range(self.rank + 2, 2 * self.rank + 2))
        self._order = (*places, 0, *kernels, 1) if last else (*places, 0, 1, *kernels)

    def call(self, inputs):
        kernel, bias, last = self.kernel, self.bias, self.data_format == "channels_last"
        if not inputs.is_floating_point():
            inputs = inputs.to(kernel.dtype)
        windows = inputs.movedim(-1, 1) if last else inputs
        if self._pad:
            windows = F.pad(windows, self._pad)
        for axis, (size, stride) in enumerate(zip(self.kernel_size, self.strides, strict=True)):
            windows = windows.unfold(axis + 2, size, stride)
        # (places..., batch, window), its numbers in the order in which the input has them
        windows = windows.permute(self._order).reshape(kernel.shape[0], inputs.shape[0], kernel.shape[1])
        if bias is not None and last:
            outputs = torch.baddbmm(bias.reshape(kernel.shape[0], 1, self.filters), windows, kernel)
        else:
            outputs = torch.bmm(windows, kernel)
        outputs = outputs.unflatten(0, self._sizes).movedim(-2, 0)
        if not last:
            outputs = outputs.movedim(-1, 1)
            if bias is not None:  # Keras reads the same numbers as (filters, places) here, and so do its files
                outputs = outputs + bias.reshape(self.filters, *self._sizes)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        batch = self.split_shape(input_shape)[0]
        return self.join_shape(batch, self.filters, self.output_sizes(input_shape, self.kernel_size))


class LocallyConnected1D(LocallyConnected):
    __doc__ = _LOCAL.format(axes="the steps of a sequence", names=AXES[1])
    rank = 1


class LocallyConnected2D(LocallyConnected):
    __doc__ = _LOCAL.format(axes="the rows and columns of an image", names=AXES[2])
    rank = 2

"""Convolutions: plain, transposed, depthwise and separable, over one to three axes.

Kernels have Keras' shapes and torch's memory order: what a torch call gets is a permuted view, and no step copies one.
"""

from collections.abc import Mapping

from torch.nn import functional as F

from kshim.core import checks
from kshim.core.shapes import same_padding
from kshim.layers.spatial import AXES, SpatialLayer

CONV = (None, F.conv1d, F.conv2d, F.conv3d)
CONV_TRANSPOSE = (None, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)


class Convolution(SpatialLayer):
    """Base of the four families: what their arguments and their calls have in common.

    ``arguments_of`` says whose ``_initializer``, ``_regularizer`` and ``_constraint`` a kernel has.
    """

    arguments_of: Mapping[str, str] = {"kernel": "kernel"}

    def argument_checks(self):
        return super().argument_checks() | {"groups": checks.positive_int, "depth_multiplier": checks.positive_int}

    def settle(self, arguments, one_of_strides_and_dilation=True):
        """Keep a constructor's ``locals()`` and work out what every call needs."""
        self.keep(arguments, **self.argument_checks())
        if one_of_strides_and_dilation and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            checks.fail(
                self, "`strides` or `dilation_rate` to be 1",
                f"strides={self.strides}, dilation_rate={self.dilation_rate}",
            )  # fmt: skip
        self.lay_out()
        sizes = zip(self.kernel_size, self.dilation_rate, strict=True)
        self.windows = tuple((size - 1) * dilation + 1 for size, dilation in sizes)
        self._strides, self._dilation = self.for_torch(self.strides), self.for_torch(self.dilation_rate)
        before, after = self._constant_padding() or ((), ())
        self._padding = self.for_torch(before, 0) if before and before == after else None
        self._pad = None if before == after else _for_pad(before, after)

    def _constant_padding(self):
        """Zeros before and after each axis, or None where they depend on the input's size."""
        if self.padding == "valid":
            return (0,) * self.rank, (0,) * self.rank
        if self.padding == "full":
            return tuple(window - 1 for window in self.windows), tuple(window - 1 for window in self.windows)
        if self.padding == "causal":
            return (self.windows[0] - 1,), (0,)
        if max(self.strides) == 1:
            return tuple(zip(*(same_padding(window, window, 1) for window in self.windows), strict=True))
        return None

    def make_bias(self, size):
        """The bias weight, or None."""
        return self.weight("bias", (size,)) if self.use_bias else None

    def make_kernel(self, name, shape, memory=None):
        """A weight of Keras' shape whose view for torch lies in the order that torch works in."""
        spatial, inner, outer = tuple(range(self.rank)), self.rank, self.rank + 1
        if memory is None and self.data_format == "channels_last":
            memory = (outer, *spatial, inner)
        of = self.arguments_of[name]
        return self.add_weight(
            shape, getattr(self, f"{of}_initializer"), regularizer=getattr(self, f"{of}_regularizer"),
            constraint=getattr(self, f"{of}_constraint"), name=name, memory=memory or (outer, inner, *spatial),
        )  # fmt: skip

    def for_conv(self, kernel):
        """``kernel`` as torch's call takes it: a view."""
        if self._as_row:
            return kernel.unsqueeze(0).permute(3, 2, 0, 1)
        return kernel.permute(self.rank + 1, self.rank, *range(self.rank))

    def convolve(self, inputs, kernel, bias, groups):
        """Torch's convolution of ``inputs``, channels second, with this layer's strides, padding and dilation."""
        padding, pad = self._padding, self._pad
        if padding is None and pad is None:
            sizes = inputs.shape[-self.rank :]
            amounts = [same_padding(*each) for each in zip(sizes, self.windows, self.strides, strict=True)]
            before, after = zip(*amounts, strict=True)
            if before == after:
                padding = self.for_torch(before, 0)
            else:
                pad = _for_pad(before, after)
        if pad is not None:
            inputs, padding = F.pad(inputs, pad), 0
        return CONV[inputs.dim() - 2](inputs, kernel, bias, self._strides, padding, self._dilation, groups)

    def compute_output_shape(self, input_shape):
        batch, channels, _ = self.split_shape(input_shape)
        return self.join_shape(batch, self.output_channels(channels), self.output_sizes(input_shape, self.windows))

    def output_channels(self, channels):
        """How many channels come out for so many that go in."""
        return self.filters

    def get_config(self):
        # Keras' convolutions tell this one also where it is None.
        return {"activity_regularizer": None, **super().get_config()}


def _for_pad(before, after):
    """``F.pad``'s argument: pairs, the last axis first."""
    return tuple(n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair)


def in_floats(inputs, kernel):
    """``inputs``, in the kernel's dtype if they are no floats."""
    return inputs if inputs.is_floating_point() else inputs.to(kernel.dtype)


_WEIGHTS = """use_bias: whether to add ``bias``.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for ``kernel``.
            The ``bias_`` arguments are the same for ``bias``.
        activity_regularizer: penalty on the output, added to ``layer.losses``."""
_DATA_FORMAT = """data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``."""
_SIZE = """an int above 0, or one for each axis"""

_CONV = """Convolution over {axes}: ``activation(conv(inputs, kernel) + bias)``.

    Args:
        filters: number of output channels, an int above 0.
        kernel_size: size of the kernel, {size}.
        strides: steps from a window to the next one, {size}.
        padding: ``valid`` (none), ``same`` (as many outputs as inputs at stride 1; the odd zero comes last){causal}.
        {data_format}
        dilation_rate: steps between the kernel's points, {size}; above 1 only with strides of 1.
        groups: the channels are convolved in that many groups; it divides ``filters`` and the input's channels.
        activation: name, callable, or None for the identity.
        {weights}

    Shapes:
        inputs ``(batch, {names}, channels)`` -> output ``(batch, {names}, filters)``, or with the channel axis second;
        kernel ``(*kernel_size, channels // groups, filters)``, bias ``(filters,)``.

    Raises:
        ValueError: an argument is not what is said above; the input has another rank, an unknown channel axis, or
            no room for a window.

    Source: Keras 3 ``layers/convolutional/base_conv.py``; older names in ``kshim/legacy/arguments.py``.
    """


def _document(template, rank, **more):
    """A family's docstring for one rank."""
    axes = {1: "the steps of a sequence", 2: "the rows and columns of an image", 3: "the three axes of a volume"}
    return template.format(axes=axes[rank], names=AXES[rank], size=_SIZE, data_format=_DATA_FORMAT, **more)


class Conv(Convolution):
    """Base of Conv1D, Conv2D and Conv3D."""

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1, groups=1,
                 activation=None, use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.settle(locals())
        if self.filters % self.groups:
            checks.fail(self, "`groups` to divide `filters`", f"filters={self.filters}, groups={self.groups}")
        self._own_op = type(self).convolution_op is not Conv.convolution_op

    def build(self, input_shape):
        channels = self.known_channels(input_shape)
        if channels % self.groups:
            checks.fail(
                self, "`groups` to divide the input's channels", f"groups={self.groups}, shape={tuple(input_shape)}"
            )
        self.output_sizes(input_shape, self.windows)
        self.kernel = self.make_kernel("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        self.bias = self.make_bias(self.filters)

    def call(self, inputs):
        if self._own_op:  # written by a subclass: it knows of no bias
            outputs = self.convolution_op(inputs, self.kernel)
            if self.bias is not None:
                outputs = outputs + self.bias.view(self.join_shape(1, -1, (1,) * self.rank))
            return self.activation(outputs)
        return self.activation(self.convolution_op(inputs, self.kernel, self.bias))

    def convolution_op(self, inputs, kernel, bias=None):
        """The convolution alone; a subclass may change the kernel here, as ``convolution_op(inputs, kernel)``."""
        inputs = self.inward(in_floats(inputs, kernel))
        return self.outward(self.convolve(inputs, self.for_conv(kernel), bias, self.groups))


class Conv1D(Conv):
    __doc__ = _document(_CONV, 1, weights=_WEIGHTS, causal=",\n            or ``causal`` (all zeros before)")
    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(Conv):
    __doc__ = _document(_CONV, 2, weights=_WEIGHTS, causal="")
    rank = 2


class Conv3D(Conv):
    __doc__ = _document(_CONV, 3, weights=_WEIGHTS, causal="")
    rank = 3


_CONV_TRANSPOSE = """Transposed convolution over {axes}: the gradient of a convolution, used forwards.

    Args:
        filters: number of output channels, an int above 0.
        kernel_size: size of the kernel, {size}.
        strides: steps between the places that two neighbours of the input spread to, {size}.
        padding: ``valid`` (all that the input spreads to) or ``same`` (``strides`` outputs for each input).
        output_padding: numbers added at the end of the output, an int below ``strides`` or one for each axis; None
            gives the sizes just named.
        {data_format}
        dilation_rate: steps between the kernel's points, {size}; above 1 only with strides of 1.
        activation: name, callable, or None for the identity.
        {weights}

    Shapes:
        inputs ``(batch, {names}, channels)`` -> output ``(batch, {names}, filters)``, or with the channel axis second;
        kernel ``(*kernel_size, filters, channels)``, bias ``(filters,)``.

    Raises:
        ValueError: an argument is not what is said above; the input has another rank or an unknown channel axis.

    Source: Keras 3 ``layers/convolutional/base_conv_transpose.py``; older names in ``kshim/legacy/arguments.py``.
    """


class ConvTranspose(Convolution):
    """Base of Conv1DTranspose, Conv2DTranspose and Conv3DTranspose."""

    def __init__(self, filters, kernel_size, strides=1, padding="valid", output_padding=None, data_format=None,
                 dilation_rate=1, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.settle(locals())
        if self.output_padding is not None and any(
            more >= stride for more, stride in zip(self.output_padding, self.strides, strict=True)
        ):
            checks.fail(
                self, "each number of `output_padding` to be below that of `strides`",
                f"output_padding={self.output_padding}, strides={self.strides}",
            )  # fmt: skip
        self._plan_crop()

    def argument_checks(self):
        ints = checks.ntuple(self.rank, low=0)
        return super().argument_checks() | {
            "output_padding": lambda owner, name, value: None if value is None else ints(owner, name, value)
        }

    def _plan_crop(self):
        """What torch crops and adds by itself, and what is left to slice.

        torch cuts one number off both ends, and adds at the end only; ``same`` with an odd kernel and stride 2 wants
        one number off the end and none off the beginning.
        """
        crops = [self._crop(axis) for axis in range(self.rank)]
        both = [max(min(crop), 0) for crop in crops]
        self._padding = self.for_torch(both, 0)
        self._added = self.for_torch([max(-after, 0) for _, after in crops], 0)
        first = 1 if self.data_format == "channels_last" else 2
        self._slices = tuple(
            (first + axis, before - cut, max(after - cut, 0))
            for axis, ((before, after), cut) in enumerate(zip(crops, both, strict=True))
            if before > cut or after > cut
        )

    def _crop(self, axis):
        """Numbers to take off before and after the full output along ``axis``; below 0, to add. Source: Keras 3's
        ``backend/common/backend_utils.py``, which takes JAX's and TensorFlow's sizes.
        """
        window, stride = self.windows[axis], self.strides[axis]
        added = None if self.output_padding is None else self.output_padding[axis]
        if self.padding == "valid":
            return 0, -(max(stride - window, 0) if added is None else added)
        padded = stride + window - 2 if added is None else window + window % 2 - 2 + added
        before = min(padded - padded // 2, window - 1)
        return window - 1 - before, window - 1 - (padded - before)

    def build(self, input_shape):
        channels = self.known_channels(input_shape)
        self.kernel = self.make_kernel("kernel", (*self.kernel_size, self.filters, channels))
        self.bias = self.make_bias(self.filters)

    def call(self, inputs):
        kernel = self.kernel
        inputs = self.inward(in_floats(inputs, kernel))
        outputs = CONV_TRANSPOSE[inputs.dim() - 2](
            inputs, self.for_conv(kernel), self.bias, self._strides, self._padding, self._added, 1, self._dilation
        )
        outputs = self.outward(outputs)
        for axis, before, after in self._slices:
            outputs = outputs.narrow(axis, before, outputs.shape[axis] - before - after)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        batch, _, sizes = self.split_shape(input_shape)
        outputs = [
            None if size is None else (size - 1) * self.strides[axis] + self.windows[axis] - sum(self._crop(axis))
            for axis, size in enumerate(sizes)
        ]
        return self.join_shape(batch, self.filters, outputs)


class Conv1DTranspose(ConvTranspose):
    __doc__ = _document(_CONV_TRANSPOSE, 1, weights=_WEIGHTS)
    rank = 1


class Conv2DTranspose(ConvTranspose):
    __doc__ = _document(_CONV_TRANSPOSE, 2, weights=_WEIGHTS)
    rank = 2


class Conv3DTranspose(ConvTranspose):
    __doc__ = _document(_CONV_TRANSPOSE, 3, weights=_WEIGHTS)
    rank = 3

    # Keras has `output_padding` after `data_format` in this one.
    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, output_padding=None,
                 dilation_rate=1, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(
            filters=filters, kernel_size=kernel_size, strides=strides, padding=padding, output_padding=output_padding,
            data_format=data_format, dilation_rate=dilation_rate, activation=activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer, kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint, **kwargs,
        )  # fmt: skip


_DEPTHWISE_CONV = """Convolution of each channel with kernels of its own, over {axes}.

    Args:
        kernel_size: size of the kernels, {size}.
        strides: steps from a window to the next one, {size}.
        padding: ``valid`` (none) or ``same`` (as many outputs as inputs at stride 1; the odd zero comes last).
        depth_multiplier: kernels for each channel, an int above 0.
        {data_format}
        dilation_rate: steps between the kernels' points, {size}.
        activation: name, callable, or None for the identity.
        use_bias: whether to add ``bias``.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: name, config or callable for ``kernel``.
            The ``bias_`` arguments are the same for ``bias``.
        activity_regularizer: penalty on the output, added to ``layer.losses``.

    Shapes:
        inputs ``(batch, {names}, channels)`` -> output ``(batch, {names}, channels * depth_multiplier)``, or with the
        channel axis second; kernel ``(*kernel_size, channels, depth_multiplier)``, bias one for each output channel.

    Raises:
        ValueError: an argument is not what is said above; the input has another rank, an unknown channel axis, or
            no room for a window.

    Source: Keras 3 ``layers/convolutional/base_depthwise_conv.py``; older names in ``kshim/legacy/arguments.py``.
    """


class Depthwise(Convolution):
    """Base of the layers with a kernel for each channel."""

    def make_depthwise(self, name, channels):
        """The weight with the kernels of the channels: in memory, one kernel after the other."""
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        return self.make_kernel(name, shape, memory=(self.rank, self.rank + 1, *range(self.rank)))

    def depthwise(self, inputs, kernel, bias):
        """Torch's convolution in as many groups as channels."""
        channels = kernel.shape[self.rank]
        view = kernel.permute(self.rank, self.rank + 1, *range(self.rank))
        view = view.reshape(channels * self.depth_multiplier, 1, *self.for_torch(self.kernel_size))
        return self.convolve(inputs, view, bias, channels)


class DepthwiseConv(Depthwise):
    """Base of DepthwiseConv1D and DepthwiseConv2D."""

    arguments_of: Mapping[str, str] = {"kernel": "depthwise"}

    def __init__(self, kernel_size, strides=1, padding="valid", depth_multiplier=1, data_format=None, dilation_rate=1,
                 activation=None, use_bias=True, depthwise_initializer="glorot_uniform", bias_initializer="zeros",
                 depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 depthwise_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.settle(locals(), one_of_strides_and_dilation=False)

    def build(self, input_shape):
        channels = self.known_channels(input_shape)
        self.output_sizes(input_shape, self.windows)
        self.kernel = self.make_depthwise("kernel", channels)
        self.bias = self.make_bias(channels * self.depth_multiplier)

    def call(self, inputs):
        kernel = self.kernel
        inputs = self.inward(in_floats(inputs, kernel))
        return self.activation(self.outward(self.depthwise(inputs, kernel, self.bias)))

    def output_channels(self, channels):
        return None if channels is None else channels * self.depth_multiplier


class DepthwiseConv1D(DepthwiseConv):
    __doc__ = _document(_DEPTHWISE_CONV, 1)
    rank = 1


class DepthwiseConv2D(DepthwiseConv):
    __doc__ = _document(_DEPTHWISE_CONV, 2)
    rank = 2


_SEPARABLE_CONV = """Convolution of each channel by itself over {axes}, then of all channels at each place.

    Args:
        filters: number of output channels, an int above 0.
        kernel_size: size of the kernels for each channel, {size}.
        strides: steps from a window to the next one, {size}.
        padding: ``valid`` (none) or ``same`` (as many outputs as inputs at stride 1; the odd zero comes last).
        {data_format}
        dilation_rate: steps between the kernels' points, {size}.
        depth_multiplier: kernels for each channel, an int above 0.
        activation: name, callable, or None for the identity.
        use_bias: whether to add ``bias``.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: name, config or callable for
            ``depthwise_kernel``. The ``pointwise_`` and ``bias_`` arguments are the same for ``pointwise_kernel`` and
            ``bias``.
        activity_regularizer: penalty on the output, added to ``layer.losses``.

    Shapes:
        inputs ``(batch, {names}, channels)`` -> output ``(batch, {names}, filters)``, or with the channel axis second;
        depthwise_kernel ``(*kernel_size, channels, depth_multiplier)``, pointwise_kernel
        ``(1, ..., channels * depth_multiplier, filters)``, bias ``(filters,)``.

    Raises:
        ValueError: an argument is not what is said above; the input has another rank, an unknown channel axis, or
            no room for a window.

    Source: Keras 3 ``layers/convolutional/base_separable_conv.py``; older names in ``kshim/legacy/arguments.py``.
    """


class SeparableConv(Depthwise):
    """Base of SeparableConv1D and SeparableConv2D."""

    arguments_of: Mapping[str, str] = {"depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1,
                 depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer="glorot_uniform",
                 pointwise_initializer="glorot_uniform", bias_initializer="zeros", depthwise_regularizer=None,
                 pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 depthwise_constraint=None, pointwise_constraint=None, bias_constraint=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.settle(locals(), one_of_strides_and_dilation=False)

    def build(self, input_shape):
        channels = self.known_channels(input_shape)
        self.output_sizes(input_shape, self.windows)
        self.depthwise_kernel = self.make_depthwise("depthwise_kernel", channels)
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self.make_kernel("pointwise_kernel", shape)
        self.bias = self.make_bias(self.filters)

    def call(self, inputs):
        kernel = self.depthwise_kernel
        outputs = self.depthwise(self.inward(in_floats(inputs, kernel)), kernel, None)
        outputs = CONV[outputs.dim() - 2](outputs, self.for_conv(self.pointwise_kernel), self.bias)
        return self.activation(self.outward(outputs))


class SeparableConv1D(SeparableConv):
    __doc__ = _document(_SEPARABLE_CONV, 1)
    rank = 1


class SeparableConv2D(SeparableConv):
    __doc__ = _document(_SEPARABLE_CONV, 2)
    rank = 2


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D

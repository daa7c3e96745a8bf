"""K functions of images, volumes and sequences: convolutions, poolings, paddings, resizing, normalization.

``data_format`` (``dim_ordering`` in Keras 1) is ``channels_last`` or ``channels_first``, None for the global one.
Kernels are ``(*size, in, out)``. Source: Keras 2.3.1 ``backend/tensorflow_backend.py``.
"""

import torch
from torch.nn import functional as F

from kshim.backend.recording import op
from kshim.core import checks, settings
from kshim.core.arrays import to_tensor
from kshim.core.shapes import same_padding

_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_POOL = {"max": {2: F.max_pool2d, 3: F.max_pool3d}, "avg": {2: F.avg_pool2d, 3: F.avg_pool3d}}


def normalize_data_format(value):
    """``channels_last`` or ``channels_first``; None means the global one. Raises: ValueError for another."""
    value = settings.image_data_format() if value is None else value
    formats = {"tf": "channels_last", "th": "channels_first", "default": settings.image_data_format()}
    value = formats.get(value, value)
    if value not in settings.DATA_FORMATS:
        raise ValueError(f"Unknown data_format: expected one of {settings.DATA_FORMATS}. Received: {value!r}")
    return value


def _sizes(value, rank, name):
    values = (value,) * rank if checks.as_int(value) is not None else tuple(value)
    if len(values) != rank:
        raise ValueError(f"K: expected `{name}` to be {rank} ints. Received: {name}={value!r}.")
    return values


def _inward(x, rank, data_format, name):
    x = to_tensor(x)
    if x.dim() != rank + 2:
        raise ValueError(f"K.{name}: expected an input with {rank + 2} axes. Received: shape {tuple(x.shape)}.")
    return x.movedim(-1, 1) if normalize_data_format(data_format) == "channels_last" else x


def _outward(x, data_format):
    return x.movedim(1, -1) if normalize_data_format(data_format) == "channels_last" else x


def _padded(x, windows, strides, padding, name, value=0.0):
    """``x`` with the zeros that ``padding`` asks for, channels second."""
    sizes = x.shape[2:]
    if padding == "valid":
        return x
    if padding == "same":
        amounts = [same_padding(*item) for item in zip(sizes, windows, strides, strict=True)]
    elif padding == "causal" and len(sizes) == 1:
        amounts = [(windows[0] - 1, 0)]
    elif padding == "full":
        amounts = [(w - 1, w - 1) for w in windows]
    else:
        raise ValueError(f"Invalid padding for K.{name}: expected 'valid' or 'same'. Received: {padding!r}")
    return F.pad(x, [n for pair in reversed(amounts) for n in pair], value=value)


def _convolve(x, kernel, strides, padding, data_format, dilation_rate, rank, name, groups=1):
    kernel = to_tensor(kernel)
    if kernel.dim() != rank + 2:
        raise ValueError(f"K.{name}: expected a kernel with {rank + 2} axes. Received: shape {tuple(kernel.shape)}.")
    x = _inward(x, rank, data_format, name)
    strides, rates = _sizes(strides, rank, "strides"), _sizes(dilation_rate, rank, "dilation_rate")
    if kernel.shape[-2] * groups != x.shape[1]:
        raise ValueError(
            f"K.{name}: expected a kernel for {x.shape[1]} channels. Received: kernel shape {tuple(kernel.shape)}."
        )
    windows = [(size - 1) * rate + 1 for size, rate in zip(kernel.shape[:rank], rates, strict=True)]
    x = _padded(x, windows, strides, padding, name)
    return _outward(_CONV[rank](x, kernel.movedim((-1, -2), (0, 1)), None, strides, 0, rates, groups), data_format)


@op
def conv1d(x, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution over steps; ``padding`` may be ``"causal"``, too."""
    return _convolve(x, kernel, strides, padding, data_format, dilation_rate, 1, "conv1d")


@op
def conv2d(x, kernel, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)):
    """Convolution over rows and columns."""
    return _convolve(x, kernel, strides, padding, data_format, dilation_rate, 2, "conv2d")


@op
def conv3d(x, kernel, strides=(1, 1, 1), padding="valid", data_format=None, dilation_rate=(1, 1, 1)):
    """Convolution over three axes."""
    return _convolve(x, kernel, strides, padding, data_format, dilation_rate, 3, "conv3d")


@op
def atrous_conv2d(x, kernel, rate=1, padding="valid", data_format=None):
    """``conv2d`` with gaps between the kernel's numbers, as Keras 1 called it."""
    return _convolve(x, kernel, 1, padding, data_format, rate, 2, "atrous_conv2d")


def _transposed(x, kernel, output_shape, strides, padding, data_format, rank, name, dilation_rate=1):
    kernel, x = to_tensor(kernel), _inward(x, rank, data_format, name)
    strides, rates = _sizes(strides, rank, "strides"), _sizes(dilation_rate, rank, "dilation_rate")
    if padding not in ("valid", "same"):
        raise ValueError(f"Invalid padding for K.{name}: expected 'valid' or 'same'. Received: {padding!r}")
    shape = tuple(output_shape)
    sizes = shape[1:-1] if normalize_data_format(data_format) == "channels_last" else shape[2:]
    whole = _TRANSPOSED[rank](x, kernel.movedim((-1, -2), (0, 1)).transpose(0, 1), None, strides, dilation=rates)
    # The gradient of the convolution that would make `x` from the output: cut what that one's padding adds.
    for axis, size in enumerate(sizes, 2):
        window = (kernel.shape[axis - 2] - 1) * rates[axis - 2] + 1
        before = same_padding(int(size), window, strides[axis - 2])[0] if padding == "same" else 0
        missing = before + int(size) - whole.shape[axis]
        if missing > 0:
            whole = F.pad(whole, [0, 0] * (rank + 1 - axis) + [0, missing])
        whole = whole.narrow(axis, before, int(size))
    return _outward(whole, data_format)


@op
def conv2d_transpose(x, kernel, output_shape, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)):
    """The gradient of ``conv2d``; the kernel is ``(rows, columns, out, in)``, ``output_shape`` with its batch axis."""
    return _transposed(x, _as_conv(kernel), output_shape, strides, padding, data_format, 2, "conv2d_transpose",
                       dilation_rate)  # fmt: skip


@op
def deconv2d(x, kernel, output_shape, strides=(1, 1), padding="valid", data_format=None):
    """``conv2d_transpose`` as Keras 1 called it: the kernel is ``(rows, columns, in, out)``."""
    return _transposed(x, kernel, output_shape, strides, padding, data_format, 2, "deconv2d")


@op
def conv3d_transpose(x, kernel, output_shape, strides=(1, 1, 1), padding="valid", data_format=None):
    """The gradient of ``conv3d``, as ``conv2d_transpose``."""
    return _transposed(x, _as_conv(kernel), output_shape, strides, padding, data_format, 3, "conv3d_transpose")


def _as_conv(kernel):
    return to_tensor(kernel).transpose(-1, -2)


def _depthwise(x, kernel, strides, padding, data_format, dilation_rate, rank, name):
    kernel = to_tensor(kernel)
    channels, multiplier = kernel.shape[-2:]
    kernel = kernel.reshape(*kernel.shape[:-2], 1, channels * multiplier)
    return _convolve(x, kernel, strides, padding, data_format, dilation_rate, rank, name, groups=channels)


@op
def depthwise_conv2d(x, depthwise_kernel, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1)):
    """A convolution of each channel by itself; the kernel is ``(rows, columns, channels, multiplier)``."""
    return _depthwise(x, depthwise_kernel, strides, padding, data_format, dilation_rate, 2, "depthwise_conv2d")


@op
def separable_conv1d(x, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None,
                     dilation_rate=1):  # fmt: skip
    """A depthwise convolution over steps, then one of size 1 over the channels."""
    x = _depthwise(x, depthwise_kernel, strides, padding, data_format, dilation_rate, 1, "separable_conv1d")
    return _convolve(x, pointwise_kernel, 1, "valid", data_format, 1, 1, "separable_conv1d")


@op
def separable_conv2d(x, depthwise_kernel, pointwise_kernel, strides=(1, 1), padding="valid", data_format=None,
                     dilation_rate=(1, 1)):  # fmt: skip
    """A depthwise convolution over rows and columns, then one of size 1 over the channels."""
    x = _depthwise(x, depthwise_kernel, strides, padding, data_format, dilation_rate, 2, "separable_conv2d")
    return _convolve(x, pointwise_kernel, 1, "valid", data_format, 1, 2, "separable_conv2d")


def _pool(x, pool_size, strides, padding, data_format, pool_mode, rank, name):
    if pool_mode not in _POOL:
        raise ValueError(f"Invalid pooling mode of K.{name}: expected 'max' or 'avg'. Received: {pool_mode!r}")
    windows, strides = _sizes(pool_size, rank, "pool_size"), _sizes(strides, rank, "strides")
    x = _inward(x, rank, data_format, name)
    pool = _POOL[pool_mode][rank]
    if pool_mode == "max":
        return _outward(pool(_padded(x, windows, strides, padding, name, -torch.inf), windows, strides), data_format)
    values = pool(_padded(x, windows, strides, padding, name), windows, strides)
    if padding == "same":  # the mean is over what is there, without the zeros around
        values = values / pool(_padded(torch.ones_like(x[:1, :1]), windows, strides, padding, name), windows, strides)
    return _outward(values, data_format)


@op
def pool2d(x, pool_size, strides=(1, 1), padding="valid", data_format=None, pool_mode="max"):
    """The largest value (``"max"``) or the mean (``"avg"``) of each window of rows and columns."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode, 2, "pool2d")


@op
def pool3d(x, pool_size, strides=(1, 1, 1), padding="valid", data_format=None, pool_mode="max"):
    """``pool2d`` over three axes."""
    return _pool(x, pool_size, strides, padding, data_format, pool_mode, 3, "pool3d")


@op
def local_conv1d(inputs, kernel, kernel_size, strides, data_format=None):
    """A convolution over steps whose kernel ``(outputs, size * channels, filters)`` differs at each step."""
    x, kernel = to_tensor(inputs), to_tensor(kernel)
    if normalize_data_format(data_format) == "channels_first":
        x = x.movedim(1, -1)
    windows = x.unfold(1, kernel_size[0], strides[0]).movedim(-1, 2).flatten(2)
    values = torch.einsum("btf,tfo->bto", windows, kernel)
    return values.movedim(-1, 1) if normalize_data_format(data_format) == "channels_first" else values


@op
def local_conv2d(inputs, kernel, kernel_size, strides, output_shape, data_format=None):
    """A convolution over rows and columns whose kernel ``(rows * columns, size * channels, filters)`` differs."""
    x, kernel = to_tensor(inputs), to_tensor(kernel)
    first = normalize_data_format(data_format) == "channels_first"
    x = x if first else x.movedim(-1, 1)
    windows = x.unfold(2, kernel_size[0], strides[0]).unfold(3, kernel_size[1], strides[1])  # b c h w kh kw
    order = (0, 2, 3, 1, 4, 5) if first else (0, 2, 3, 4, 5, 1)
    values = torch.einsum("bpf,pfo->bpo", windows.permute(order).flatten(3).flatten(1, 2), kernel)
    values = values.reshape(x.shape[0], *output_shape, -1)
    return values.movedim(-1, 1) if first else values


def _pairs(padding, rank):
    if rank and all(checks.as_int(one) is not None for one in padding):
        return [(one, one) for one in padding]
    return [tuple(one) for one in padding]


def _pad(x, amounts, data_format, name):
    x = _inward(x, len(amounts), data_format, name)
    return _outward(F.pad(x, [int(n) for pair in reversed(amounts) for n in pair]), data_format)


@op
def temporal_padding(x, padding=(1, 1)):
    """Zeros before and after the steps of ``(batch, steps, features)``; an int means both."""
    padding = (padding, padding) if checks.as_int(padding) is not None else tuple(padding)
    return _pad(x, [padding], "channels_last", "temporal_padding")


@op
def asymmetric_temporal_padding(x, left_pad=1, right_pad=1):
    """``temporal_padding((left_pad, right_pad))``."""
    return _pad(x, [(left_pad, right_pad)], "channels_last", "asymmetric_temporal_padding")


@op
def spatial_2d_padding(x, padding=((1, 1), (1, 1)), data_format=None):
    """Zeros around the rows and columns: a pair of pairs, or of ints for both sides."""
    return _pad(x, _pairs(padding, 2), data_format, "spatial_2d_padding")


@op
def asymmetric_spatial_2d_padding(x, top_pad=1, bottom_pad=1, left_pad=1, right_pad=1, data_format=None):
    """``spatial_2d_padding`` with each side by its name."""
    return _pad(x, [(top_pad, bottom_pad), (left_pad, right_pad)], data_format, "asymmetric_spatial_2d_padding")


@op
def spatial_3d_padding(x, padding=((1, 1), (1, 1), (1, 1)), data_format=None):
    """Zeros around three axes, as ``spatial_2d_padding``."""
    return _pad(x, _pairs(padding, 3), data_format, "spatial_3d_padding")


def _repeat_axes(x, factors, data_format):
    first = 1 if normalize_data_format(data_format) == "channels_last" else 2
    for axis, factor in enumerate(factors, first):
        x = torch.repeat_interleave(x, int(factor), axis)
    return x


@op
def resize_images(x, height_factor, width_factor, data_format, interpolation="nearest"):
    """Images made larger by whole factors.

    Up to 2.3.1 bilinear resizing put the corners of pixels on each other, later their middles.
    """
    x = to_tensor(x)
    if interpolation == "nearest":
        return _repeat_axes(x, (height_factor, width_factor), data_format)
    if interpolation != "bilinear":
        raise ValueError(f"interpolation should be one of 'nearest' or 'bilinear'. Received: {interpolation!r}")
    x = _inward(x, 2, data_format, "resize_images")
    if settings.holds(since="tf.keras"):
        sizes = (x.shape[2] * height_factor, x.shape[3] * width_factor)
        return _outward(F.interpolate(x, sizes, mode="bilinear"), data_format)
    for axis, factor in ((2, height_factor), (3, width_factor)):
        after = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, x.shape[axis] - 1, 1)], axis)
        share = (torch.arange(factor, dtype=x.dtype, device=x.device) / factor).repeat(x.shape[axis])
        share = share.view(-1, *(1,) * (3 - axis))
        x = torch.lerp(x.repeat_interleave(factor, axis), after.repeat_interleave(factor, axis), share)
    return _outward(x, data_format)


@op
def resize_volumes(x, depth_factor, height_factor, width_factor, data_format):
    """Volumes made larger by whole factors, values repeated."""
    return _repeat_axes(to_tensor(x), (depth_factor, height_factor, width_factor), data_format)


@op
def bias_add(x, bias, data_format=None):
    """``x + bias``, the bias of one axis along the channels, or of all axes but the batch."""
    x, bias = to_tensor(x), to_tensor(bias)
    if bias.dim() not in (1, x.dim() - 1):
        raise ValueError(
            f"Unexpected bias dimensions {bias.dim()}: expected 1 or {x.dim() - 1}. Received: {tuple(bias.shape)}."
        )
    if normalize_data_format(data_format) == "channels_first" and x.dim() > 2:
        bias = bias.reshape(-1, *[1] * (x.dim() - 2)) if bias.dim() == 1 else bias.movedim(-1, 0)
    return x + bias


@op
def batch_normalization(x, mean, var, beta, gamma, axis=-1, epsilon=1e-3):
    """``(x - mean) / sqrt(var + epsilon) * gamma + beta``; beta and gamma may be None.

    Statistics of one axis lie along ``axis``; others are broadcast.
    """
    x = to_tensor(x)

    def along(value):
        value = to_tensor(value)
        if value.dim() == 1 and axis % x.dim() != x.dim() - 1:
            value = value.reshape([-1 if i == axis % x.dim() else 1 for i in range(x.dim())])
        return value

    scale = torch.rsqrt(along(var) + epsilon)
    scale = scale if gamma is None else scale * along(gamma)
    shift = -along(mean) * scale
    return x * scale + (shift if beta is None else shift + along(beta))


@op
def normalize_batch_in_training(x, gamma, beta, reduction_axes, epsilon=1e-3):
    """``(normalized, mean, variance)`` of the batch over ``reduction_axes``.

    Of images, over all but the channels, the variance is unbiased from 2.2.4 to tf.keras: TensorFlow's kernel.
    """
    x, axes = to_tensor(x), tuple(reduction_axes)
    mean, var = x.mean(axes), x.var(axes, correction=0)
    shape = [1 if i in [a % x.dim() for a in axes] else size for i, size in enumerate(x.shape)]

    def along(value):
        return None if value is None else to_tensor(value).reshape(shape)

    scale = torch.rsqrt(along(var) + epsilon) * (1 if gamma is None else along(gamma))
    normalized = (x - along(mean)) * scale + (0 if beta is None else along(beta))
    if x.dim() == 4 and sorted(axes) in ([0, 1, 2],) and settings.holds(since="2.2.4", until="tf.keras"):
        count = x.numel() // max(mean.numel(), 1)
        mean, var = mean.detach(), var.detach() * count / max(count - 1, 1)  # the kernel's gradient has none for them
    return normalized, mean, var

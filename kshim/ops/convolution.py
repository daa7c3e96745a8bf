"""Convolutions and poolings of one to three axes, windows as columns, and blocks of pixels as channels.

An image with channels last is what torch calls ``channels_last`` memory when its axes are permuted: nothing is copied.
Source: Keras 3 ``ops/nn.py``.
"""

import torch
import torch.nn.functional as F

from kshim.core import checks, settings
from kshim.core.shapes import same_padding
from kshim.graph.op import op
from kshim.ops.casting import tensor

_CONV = (None, F.conv1d, F.conv2d, F.conv3d)
_CONV_TRANSPOSE = (None, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)
_MAX = (None, torch.max_pool1d, torch.max_pool2d, torch.max_pool3d)
_AVERAGE = (None, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
_ADAPTIVE_MAX = (None, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
_ADAPTIVE_AVERAGE = (None, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)


def _layout(name, data_format):
    """Whether the channels are last."""
    data_format = settings.image_data_format() if data_format is None else str(data_format).lower()
    if data_format not in settings.DATA_FORMATS:
        raise ValueError(f"{name}: expected `data_format` to be one of {settings.DATA_FORMATS}. "
                         f"Received: data_format={data_format!r}.")  # fmt: skip
    return data_format == "channels_last"


def _rank(name, x):
    if x.dim() not in (3, 4, 5):
        raise ValueError(f"{name}: expected `inputs` of rank 3, 4 or 5. Received: inputs.shape={tuple(x.shape)}.")
    return x.dim() - 2


def _ints(name, argument, value, rank):
    values = (value,) * rank if checks.as_int(value) is not None else value
    numbers = [checks.as_int(v) for v in values] if isinstance(values, (list, tuple)) else []
    if len(numbers) != rank or any(n is None or n < 1 for n in numbers):
        raise ValueError(f"{name}: expected `{argument}` to be an int above 0, or {rank} of them. "
                         f"Received: {argument}={value!r}.")  # fmt: skip
    return tuple(numbers)


def _is_same(name, padding):
    same = str(padding).lower()
    if same not in ("valid", "same"):
        raise ValueError(f"{name}: expected `padding` to be 'valid' or 'same'. Received: padding={padding!r}.")
    return same == "same"


def _inward(x, last):
    return torch.movedim(x, -1, 1) if last else x


def _outward(x, last):
    return torch.movedim(x, 1, -1) if last else x


def _for_conv(kernel):
    return torch.permute(kernel, (kernel.dim() - 1, kernel.dim() - 2, *range(kernel.dim() - 2)))


def _check_channels(name, channels, wanted):
    if channels != wanted:
        raise ValueError(f"{name}: expected `inputs` with the kernel's {wanted} input channels. Received: {channels}.")


def _convolve(name, x, kernel, strides, padding, data_format, dilation_rate, depthwise=False):
    """The convolution of every op here; ``depthwise`` gives each channel kernels of its own."""
    x, kernel, last = tensor(x), tensor(kernel), _layout(name, data_format)
    rank = _rank(name, x)
    strides = _ints(name, "strides", strides, rank)
    dilations = _ints(name, "dilation_rate", dilation_rate, rank)
    if kernel.dim() != rank + 2:
        raise ValueError(f"{name}: expected a kernel of rank {rank + 2}. Received: shape {tuple(kernel.shape)}.")
    x = _inward(x, last)
    channels = x.shape[1]
    if depthwise:
        _check_channels(name, channels, kernel.shape[-2])
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    if channels % kernel.shape[-2]:
        raise ValueError(f"{name}: expected the kernel's input channels to divide those of `inputs`. Received: "
                         f"{kernel.shape[-2]} of the kernel, {channels} of the inputs.")  # fmt: skip
    groups = channels // kernel.shape[-2]
    amounts = 0
    if _is_same(name, padding):
        windows = [(size - 1) * step + 1 for size, step in zip(kernel.shape[:-2], dilations, strict=True)]
        pairs = [same_padding(*axis) for axis in zip(x.shape[2:], windows, strides, strict=True)]
        amounts = [before for before, _ in pairs]
        if any(before != after for before, after in pairs):
            x, amounts = F.pad(x, [n for pair in reversed(pairs) for n in pair]), 0
    return _outward(_CONV[rank](x, _for_conv(kernel), None, strides, amounts, dilations, groups), last)


@op
def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """The convolution over the axes between batch and channels.

    Args:
        inputs: ``(batch, axes..., channels)``, or with the channels second.
        kernel: ``(sizes..., a divisor of the channels, filters)``; a divisor means that many groups.
        strides, dilation_rate: ints above 0, one or one for each axis.
        padding: ``"valid"`` or ``"same"``.
        data_format: ``"channels_last"`` or ``"channels_first"``; None means ``image_data_format()``.

    Raises: ValueError for other ranks, channels that don't fit, or an argument that is not what is said above. The
        functions below take the same arguments and raise the same.
    """
    return _convolve("conv", inputs, kernel, strides, padding, data_format, dilation_rate)


@op
def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """The convolution of each channel by kernels of its own: ``(sizes..., channels, kernels for each)``."""
    return _convolve("depthwise_conv", inputs, kernel, strides, padding, data_format, dilation_rate, depthwise=True)


@op
def separable_conv(inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None,
                   dilation_rate=1):  # fmt: skip
    """``depthwise_conv`` and then a ``conv`` by ``pointwise_kernel``, whose sizes are 1."""
    name = "separable_conv"
    outputs = _convolve(name, inputs, depthwise_kernel, strides, padding, data_format, dilation_rate, depthwise=True)
    return _convolve(name, outputs, pointwise_kernel, 1, "valid", data_format, 1)


def _transposed_crop(window, stride, same, added):
    """Numbers to take off before and after what torch's call gives; below 0, to add.

    JAX's and TensorFlow's sizes: ``same`` gives ``stride`` outputs for each input, ``valid`` all that it spreads to.
    """
    if not same:
        return 0, -(max(stride - window, 0) if added is None else added)
    padded = stride + window - 2 if added is None else window + window % 2 - 2 + added
    before = min(padded - padded // 2, window - 1)
    return window - 1 - before, window - 1 - (padded - before)


@op
def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None,
                   dilation_rate=1):  # fmt: skip
    """The gradient of a convolution, used forwards.

    Args:
        kernel: ``(sizes..., filters, channels)``.
        output_padding: numbers added at the end of the output, one int or one for each axis; None means as many as
            make it ``strides`` times the input (``"same"``) or all that the input spreads to (``"valid"``).
    """
    name = "conv_transpose"
    x, kernel, last = tensor(inputs), tensor(kernel), _layout(name, data_format)
    rank, same = _rank(name, x), _is_same(name, padding)
    strides = _ints(name, "strides", strides, rank)
    dilations = _ints(name, "dilation_rate", dilation_rate, rank)
    added = output_padding if isinstance(output_padding, (list, tuple)) else (output_padding,) * rank
    x = _inward(x, last)
    _check_channels(name, x.shape[1], kernel.shape[-1])
    outputs = _CONV_TRANSPOSE[rank](x, _for_conv(kernel), None, strides, 0, 0, 1, dilations)
    amounts = []
    for size, step, stride, more in zip(kernel.shape[:-2], dilations, strides, added, strict=True):
        before, after = _transposed_crop((size - 1) * step + 1, stride, same, more)
        amounts = [-before, -after, *amounts]
    return _outward(F.pad(outputs, amounts) if any(amounts) else outputs, last)


def _pool(name, functions, x, pool_size, strides, padding, data_format):
    x, last = tensor(x), _layout(name, data_format)
    rank = _rank(name, x)
    windows = _ints(name, "pool_size", pool_size, rank)
    strides = windows if strides is None else _ints(name, "strides", strides, rank)
    x, maximum = _inward(x, last), functions is _MAX
    pairs = [(0, 0)] * rank
    if _is_same(name, padding):
        pairs = [same_padding(*axis) for axis in zip(x.shape[2:], windows, strides, strict=True)]
    if all(before == after and 2 * before <= window for (before, after), window in zip(pairs, windows, strict=True)):
        amounts = [before for before, _ in pairs]
        outputs = functions[rank](x, windows, strides, amounts, *((1, False) if maximum else (False, False)))
        return _outward(outputs, last)
    border = [n for pair in reversed(pairs) for n in pair]
    if maximum:
        lowest = -torch.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
        return _outward(functions[rank](F.pad(x, border, value=lowest), windows, strides), last)
    # What is not there does not count: the sums of each window are divided by the share of it that is.
    shares = functions[rank](F.pad(torch.ones_like(x[:1, :1]), border), windows, strides)
    return _outward(functions[rank](F.pad(x, border), windows, strides) / shares, last)


@op
def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The largest number of each window.

    Args:
        pool_size, strides: ints above 0, one or one for each axis; ``strides`` None means ``pool_size``.
        padding: ``"valid"``, or ``"same"``, where windows may reach beyond the input.
        data_format: ``"channels_last"`` or ``"channels_first"``; None means ``image_data_format()``.

    Raises: ValueError for an ``inputs`` of another rank than 3 to 5, or other arguments.
    """
    return _pool("max_pool", _MAX, inputs, pool_size, strides, padding, data_format)


@op
def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The average of each window; of one that reaches beyond the input, of what is there. See ``max_pool``."""
    return _pool("average_pool", _AVERAGE, inputs, pool_size, strides, padding, data_format)


def _adapt(name, functions, x, output_size, data_format):
    x, last = tensor(x), _layout(name, data_format)
    rank = _rank(name, x)
    return _outward(functions[rank](_inward(x, last), _ints(name, "output_size", output_size, rank)), last)


@op
def adaptive_max_pool(inputs, output_size, data_format=None):
    """The largest number of each of ``output_size`` windows (an int, or one for each axis) that cover the input."""
    return _adapt("adaptive_max_pool", _ADAPTIVE_MAX, inputs, output_size, data_format)


@op
def adaptive_average_pool(inputs, output_size, data_format=None):
    """The average of each of ``output_size`` windows (an int, or one for each axis) that cover the input."""
    return _adapt("adaptive_average_pool", _ADAPTIVE_AVERAGE, inputs, output_size, data_format)


@op
def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """Each window of ``(batch, channels, rows, columns)`` as a column: ``(batch, channels * sizes, windows)``.

    Raises: ValueError for an ``x`` of another rank than 4.
    """
    x = tensor(x)
    if x.dim() != 4:
        raise ValueError(f"unfold: expected `x` of rank 4. Received: x.shape={tuple(x.shape)}.")
    return F.unfold(x, kernel_size, dilation, padding, stride)


@op
def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """``(batch, channels, *output_size)`` with every column of ``unfold`` added where it came from.

    Raises: ValueError for an ``x`` of another rank than 3.
    """
    x = tensor(x)
    if x.dim() != 3:
        raise ValueError(f"fold: expected `x` of rank 3. Received: x.shape={tuple(x.shape)}.")
    return F.fold(x, output_size, kernel_size, dilation, padding, stride)


def _block(name, x, block_size, data_format):
    x, last = tensor(x), _layout(name, data_format)
    if block_size < 2:
        raise ValueError(f"{name}: expected `block_size` of at least 2. Received: block_size={block_size}.")
    if x.dim() != 4:
        raise ValueError(f"{name}: expected `x` of rank 4. Received: x.shape={tuple(x.shape)}.")
    return _inward(x, last), last


@op
def depth_to_space(x, block_size, data_format="channels_last"):
    """Channels as blocks of ``block_size`` by ``block_size`` pixels, the block's place counted before the channel.

    Raises: ValueError for a ``block_size`` below 2, or channels or a rank that don't fit.
    """
    x, last = _block("depth_to_space", x, block_size, data_format)
    if x.shape[1] % block_size**2:
        raise ValueError(f"depth_to_space: expected `x` with a multiple of {block_size**2} channels. "
                         f"Received: {x.shape[1]} channels.")  # fmt: skip
    if last:  # the block's place is the first part of the channel's number
        x = x.unflatten(1, (block_size, block_size, -1)).permute(0, 3, 4, 1, 5, 2)
    else:
        x = x.unflatten(1, (-1, block_size, block_size)).permute(0, 1, 4, 2, 5, 3)
    return _outward(x.flatten(4, 5).flatten(2, 3), last)


@op
def space_to_depth(x, block_size, data_format="channels_last"):
    """Blocks of ``block_size`` by ``block_size`` pixels as channels: the way back from ``depth_to_space``.

    Raises: ValueError for a ``block_size`` below 2, or rows, columns or a rank that don't fit.
    """
    x, last = _block("space_to_depth", x, block_size, data_format)
    if x.shape[2] % block_size or x.shape[3] % block_size:
        raise ValueError(f"space_to_depth: expected `x` with rows and columns in multiples of {block_size}. "
                         f"Received: {x.shape[2]} rows and {x.shape[3]} columns.")  # fmt: skip
    x = x.unflatten(3, (-1, block_size)).unflatten(2, (-1, block_size))  # batch, channel, row, in row, column, in it
    order = (0, 3, 5, 1, 2, 4) if last else (0, 1, 3, 5, 2, 4)
    return _outward(x.permute(order).flatten(1, 3), last)

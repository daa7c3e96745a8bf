"""Poolings: the largest or the average number of each window, of a whole axis, or of as many windows as are wanted."""

import contextlib

import torch
from torch.nn import functional as F

from kshim.core import checks
from kshim.core.shapes import same_padding
from kshim.layers.spatial import AXES, SpatialLayer

MAX_POOL = (None, torch.max_pool1d, torch.max_pool2d, torch.max_pool3d)
AVERAGE_POOL = (None, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)
ADAPTIVE_MAX_POOL = (None, F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
ADAPTIVE_AVERAGE_POOL = (None, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)

_DATA_FORMAT = """data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``."""

_POOLING = """{what} of each window over {axes}.

    Args:
        pool_size: size of a window, an int above 0, or one for each axis.
        strides: steps from a window to the next one, an int above 0, or one for each axis; None means ``pool_size``.
        padding: ``valid`` (windows lie within the input) or ``same`` (``ceil(size / strides)`` windows, which may reach
            beyond it: what is not there does not count).
        {data_format}

    Shapes: inputs ``(batch, {names}, channels)``, or with the channel axis second -> the same axes, fewer numbers.

    Raises:
        ValueError: an argument is not what is said above; the input has another rank, or no room for a window.

    Source: Keras 3 ``layers/pooling/base_pooling.py``.
    """


def _document(template, what, rank):
    """A family's docstring for one rank."""
    axes = {1: "the steps of a sequence", 2: "the rows and columns of an image", 3: "the three axes of a volume"}
    return template.format(what=what, axes=axes[rank], names=AXES[rank], data_format=_DATA_FORMAT)


class AnyPooling(SpatialLayer):
    """Base of all poolings."""

    def _precision(self):
        # The inputs are in the layer's dtype already, and torch's autocast on the CPU would pool volumes in float32.
        around = super()._precision()
        return around if isinstance(around, contextlib.nullcontext) else torch.autocast("cpu", enabled=False)


class Pooling(AnyPooling):
    """Base of the poolings with windows of a given size."""

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        strides = pool_size if strides is None else strides
        arguments = {"pool_size": pool_size, "strides": strides, "padding": padding, "data_format": data_format}
        self.keep(arguments, **self.argument_checks())
        self.lay_out()
        self._windows, self._strides = self.for_torch(self.pool_size), self.for_torch(self.strides)
        same = self.padding == "same"
        # Windows that reach beyond the end are what torch calls ceil mode. With stride 1 it has none: then it pads an
        # even window by half of it on both sides, and the first result is dropped.
        self._beyond = same and max(self.strides) > 1
        halves = [
            size // 2 if same and stride == 1 else 0 for size, stride in zip(self.pool_size, self.strides, strict=True)
        ]
        self._padding = None if self._beyond else self.for_torch(halves, 0)
        first = 1 if self.data_format == "channels_last" else 2
        self._dropped = tuple(
            first + axis for axis, half in enumerate(halves) if half and self.pool_size[axis] % 2 == 0
        )

    def build(self, input_shape):
        self.output_sizes(input_shape, self.pool_size)

    def call(self, inputs):
        padding = self._padding
        if padding is None:
            padding = self._padding_for(self.split_shape(inputs.shape)[2])
        outputs = self.outward(self.pool(self.inward(inputs), padding))
        for axis in self._dropped:
            outputs = outputs.narrow(axis, 1, outputs.shape[axis] - 1)
        return outputs

    def _padding_for(self, sizes):
        axes = zip(sizes, self.pool_size, self.strides, strict=True)
        return self.for_torch(
            [window // 2 if stride == 1 else same_padding(size, window, stride)[0] for size, window, stride in axes], 0
        )

    def pool(self, inputs, padding):
        """Torch's pooling of ``inputs``, channels second."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        batch, channels, _ = self.split_shape(input_shape)
        return self.join_shape(batch, channels, self.output_sizes(input_shape, self.pool_size))


class MaxPooling(Pooling):
    """Base of MaxPooling1D, MaxPooling2D and MaxPooling3D."""

    def pool(self, inputs, padding):
        return MAX_POOL[inputs.dim() - 2](inputs, self._windows, self._strides, padding, 1, self._beyond)


class MaxPooling1D(MaxPooling):
    __doc__ = _document(_POOLING, "The largest number", 1)
    rank = 1


class MaxPooling2D(MaxPooling):
    __doc__ = _document(_POOLING, "The largest number", 2)
    rank = 2


class MaxPooling3D(MaxPooling):
    __doc__ = _document(_POOLING, "The largest number", 3)
    rank = 3


class AveragePooling(Pooling):
    """Base of AveragePooling1D, AveragePooling2D and AveragePooling3D."""

    def pool(self, inputs, padding):
        # The divisor is how many numbers of the input a window has, as in TensorFlow: padding does not count.
        return AVERAGE_POOL[inputs.dim() - 2](inputs, self._windows, self._strides, padding, self._beyond, False)


class AveragePooling1D(AveragePooling):
    __doc__ = _document(_POOLING, "The average", 1)
    rank = 1


class AveragePooling2D(AveragePooling):
    __doc__ = _document(_POOLING, "The average", 2)
    rank = 2


class AveragePooling3D(AveragePooling):
    __doc__ = _document(_POOLING, "The average", 3)
    rank = 3

    def pool(self, inputs, padding):
        # torch's own call takes no half precision and copies a volume with channels last. So the last two axes are
        # pooled as images, and then the first one as the rows of an image: divisors are products over the axes.
        last = self._inward is not None
        images = inputs.transpose(1, 2) if last else inputs
        outputs = F.avg_pool2d(
            images.flatten(0, 1), self._windows[1:], self._strides[1:], padding[1:], self._beyond, False
        )
        sizes = outputs.shape[2:]
        outputs = outputs.unflatten(0, images.shape[:2])
        rows = (outputs.transpose(1, 2) if last else outputs).flatten(3)
        outputs = F.avg_pool2d(rows, (self._windows[0], 1), (self._strides[0], 1), (padding[0], 0), self._beyond, False)
        return outputs.unflatten(3, sizes)


_GLOBAL_POOLING = """{what} of each channel over {axes}.

    Args:
        {data_format}
        keepdims: whether the pooled axes stay, with size 1.
    {mask}
    Shapes:
        inputs ``(batch, {names}, channels)``, or with the channel axis second -> output ``(batch, channels)``, or with
        ``keepdims`` the same axes with size 1.

    Raises: ValueError if the input has another rank.

    Source: Keras 3 ``layers/pooling/base_global_pooling.py``.
    """


def _document_global(what, rank, mask=""):
    return _document(_GLOBAL_POOLING.replace("{mask}", mask), what, rank)


class GlobalPooling(AnyPooling):
    """Base of the poolings over whole axes."""

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), keepdims=checks.boolean, **self.argument_checks())
        self.lay_out()
        self.built = True
        first = 1 if self.data_format == "channels_last" else 2
        self._pooled = tuple(range(first, first + self.rank))


class GlobalMaxPooling(GlobalPooling):
    """Base of GlobalMaxPooling1D, GlobalMaxPooling2D and GlobalMaxPooling3D."""

    def call(self, inputs):
        return torch.amax(inputs, self._pooled, self.keepdims)


class GlobalMaxPooling1D(GlobalMaxPooling):
    __doc__ = _document_global("The largest number", 1)
    rank = 1


class GlobalMaxPooling2D(GlobalMaxPooling):
    __doc__ = _document_global("The largest number", 2)
    rank = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    __doc__ = _document_global("The largest number", 3)
    rank = 3


class GlobalAveragePooling(GlobalPooling):
    """Base of GlobalAveragePooling1D, GlobalAveragePooling2D and GlobalAveragePooling3D."""

    def call(self, inputs):
        return torch.mean(inputs, self._pooled, self.keepdims)


class GlobalAveragePooling1D(GlobalAveragePooling):
    __doc__ = _document_global(
        "The average", 1, mask="""
    A mask on the inputs says which steps count; a row without any gives nan. The output has none.
""",
    )  # fmt: skip
    rank = 1

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(data_format=data_format, keepdims=keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        if mask is None:
            return torch.mean(inputs, self._pooled, self.keepdims)
        mask = mask.bool().unsqueeze(-1 if self.data_format == "channels_last" else 1)
        total = torch.sum(torch.where(mask, inputs, 0), self._pooled, self.keepdims)
        return total / torch.sum(mask, self._pooled, self.keepdims, dtype=inputs.dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return None


class GlobalAveragePooling2D(GlobalAveragePooling):
    __doc__ = _document_global("The average", 2)
    rank = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    __doc__ = _document_global("The average", 3)
    rank = 3


_ADAPTIVE_POOLING = """{what} of each of ``output_size`` windows over {axes}, of equal size as far as that goes.

    Window ``i`` of ``n`` over ``size`` numbers goes from ``floor(i * size / n)`` to ``ceil((i + 1) * size / n)``.

    Args:
        output_size: number of windows, an int above 0, or one for each axis.
        {data_format}

    Shapes:
        inputs ``(batch, {names}, channels)``, or with the channel axis second -> the same axes, with ``output_size``
        numbers.

    Raises:
        TypeError: ``output_size`` is no int and no tuple of the right length.
        ValueError: it is not above 0, or the input has another rank.

    Source: Keras 3 ``layers/pooling/base_adaptive_pooling.py``.
    """


def output_size(owner, name, value):
    """``ntuple``, with Keras' TypeError for what is no size at all."""
    single = checks.as_int(value) is not None
    if not single and (not isinstance(value, (list, tuple)) or len(value) != owner.rank > 1):
        wanted = "an int or a tuple of one" if owner.rank == 1 else f"an int or a tuple of {owner.rank} ints"
        raise TypeError(f"{checks.describe(owner)}: expected `{name}` to be {wanted}. Received: {name}={value!r}.")
    return checks.ntuple(owner.rank)(owner, name, value)


class AdaptivePooling(AnyPooling):
    """Base of the poolings with a given number of windows."""

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), **self.argument_checks())
        self.lay_out()
        self.built = True
        self._sizes = self.for_torch(self.output_size)

    def argument_checks(self):
        return super().argument_checks() | {"output_size": output_size}


class AdaptiveMaxPooling(AdaptivePooling):
    """Base of AdaptiveMaxPooling1D, AdaptiveMaxPooling2D and AdaptiveMaxPooling3D."""

    def call(self, inputs):
        inputs = self.inward(inputs)
        return self.outward(ADAPTIVE_MAX_POOL[inputs.dim() - 2](inputs, self._sizes))


class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    __doc__ = _document(_ADAPTIVE_POOLING, "The largest number", 1)
    rank = 1


class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    __doc__ = _document(_ADAPTIVE_POOLING, "The largest number", 2)
    rank = 2


class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    __doc__ = _document(_ADAPTIVE_POOLING, "The largest number", 3)
    rank = 3


class AdaptiveAveragePooling(AdaptivePooling):
    """Base of AdaptiveAveragePooling1D, AdaptiveAveragePooling2D and AdaptiveAveragePooling3D."""

    def call(self, inputs):
        inputs = self.inward(inputs)
        return self.outward(ADAPTIVE_AVERAGE_POOL[inputs.dim() - 2](inputs, self._sizes))


class AdaptiveAveragePooling1D(AdaptiveAveragePooling):
    __doc__ = _document(_ADAPTIVE_POOLING, "The average", 1)
    rank = 1


class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    __doc__ = _document(_ADAPTIVE_POOLING, "The average", 2)
    rank = 2


class AdaptiveAveragePooling3D(AdaptiveAveragePooling):
    __doc__ = _document(_ADAPTIVE_POOLING, "The average", 3)
    rank = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D,
)  # fmt: skip

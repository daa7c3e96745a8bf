"""Layers that move numbers: Flatten, Reshape, Permute, RepeatVector, and cropping, padding and upsampling by rank."""

import itertools
import math

import torch
from torch.nn import functional as F

from kshim.core import checks
from kshim.core.checks import int_tuple, ntuple, one_of
from kshim.graph import infer
from kshim.graph.keras_tensor import SIZES
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec
from kshim.layers.spatial import AXES


def times(owner, name, value):
    """An int above 0; what is no int is a TypeError, as in Keras."""
    if checks.as_int(value) is None:
        raise TypeError(f"{checks.describe(owner)}: expected `{name}` to be an int. Received: {name}={value!r}.")
    return checks.positive_int(owner, name, value)


def pairs(rank):
    """The check for amounts at both ends of ``rank`` axes: an int, one for each axis, or a pair for each axis."""

    def check(owner, name, value):
        amounts = (value,) * rank if checks.as_int(value) is not None else value
        if not isinstance(amounts, (list, tuple)) or len(amounts) != rank:
            checks.fail(owner, f"`{name}` to be an int, {rank} ints, or {rank} pairs of ints", f"{name}={value!r}")
        return tuple(ntuple(2, 0)(owner, name, amount) for amount in amounts)

    return check


def interpolation_check(owner, name, value):
    """``nearest``, ``bilinear`` or ``bicubic``."""
    return one_of("nearest", "bilinear", "bicubic")(owner, name, str(value).lower())


class Flatten(Layer):
    """All axes but the batch in one.

    Args:
        data_format: ``channels_last``, or ``channels_first``: the channel axis is moved last before.
            None means ``image_data_format()``.

    Shapes: inputs ``(batch, ...)`` -> ``(batch, product of the others)``; ``(batch,)`` -> ``(batch, 1)``.

    Raises: ValueError for another ``data_format``, or an input without a batch axis.

    Source: Keras 3 ``layers/reshaping/flatten.py``.
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), data_format=checks.data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        if self.data_format == "channels_first" and inputs.dim() > 2:
            inputs = inputs.movedim(1, -1)
        return inputs.flatten(1) if inputs.dim() > 1 else inputs.unsqueeze(1)


class Reshape(Layer):
    """The same numbers in another shape.

    Args:
        target_shape: shape without the batch axis; one axis may be -1, which stands for what is left over.

    Shapes: inputs ``(batch, ...)`` -> ``(batch, *target_shape)``.

    Raises: ValueError if the number of elements differs, or ``target_shape`` is no tuple of ints from -1 on with at
        most one -1.

    Source: Keras 3 ``layers/reshaping/reshape.py``.
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), target_shape=int_tuple)
        if sum(size == -1 for size in self.target_shape) > 1 or any(size < -1 for size in self.target_shape):
            checks.fail(
                self, "`target_shape` to be sizes from 0 on, with at most one -1", f"target_shape={self.target_shape}"
            )
        self._given = math.prod(size for size in self.target_shape if size != -1)
        self._open = -1 in self.target_shape
        self.built = True

    def call(self, inputs):
        total, shape = math.prod(inputs.shape[1:]), self.target_shape
        if self._open:
            shape = [total // max(self._given, 1) if size == -1 else size for size in shape]
        if self._given and total % self._given == 0 if self._open else total == self._given:
            return inputs.reshape(inputs.shape[0], *shape)
        if infer.is_running() and any(size in SIZES for size in inputs.shape[1:]):
            return inputs.new_empty(inputs.shape[0], *shape)  # a size that stands for an unknown axis need not divide
        return checks.fail(
            self, "the total size to stay the same",
            f"input_shape={tuple(inputs.shape[1:])}, target_shape={self.target_shape}",
        )  # fmt: skip


class Permute(Layer):
    """Axes in another order.

    Args:
        dims: the new order of axes 1, 2, ...; the batch axis is not among them.

    Shapes: inputs ``(batch, a1, a2, ...)`` -> ``(batch, a[dims[0]], a[dims[1]], ...)``.

    Raises: ValueError if ``dims`` is no permutation of 1, 2, ..., n, or the input's rank is not n + 1.

    Source: Keras 3 ``layers/reshaping/permute.py``.
    """

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), dims=int_tuple)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            checks.fail(self, "`dims` to be a permutation of 1, 2, ..., n", f"dims={self.dims}")
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs):
        return inputs.permute(0, *self.dims)


class RepeatVector(Layer):
    """Each row repeated ``n`` times along a new axis 1.

    Args:
        n: an int above 0.

    Shapes: inputs ``(batch, features)`` -> ``(batch, n, features)``.

    Raises: TypeError if ``n`` is no int, ValueError if it is not above 0 or the input is no matrix.

    Source: Keras 3 ``layers/reshaping/repeat_vector.py``.
    """

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), n=times)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        return torch.unsqueeze(inputs, 1).expand(-1, self.n, -1)


class Spatial(Layer):
    """Base: works on the ``rank`` axes in space or time of its input, and leaves the batch and channel axis alone."""

    rank: int
    data_format = "channels_last"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def first(self):
        """The first axis that is neither batch nor channels."""
        return 2 if self.data_format == "channels_first" else 1


_DATA_FORMAT = """
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``."""


def _documented(template, rank, data_format=True, **more):
    """The docstring of a family's class of ``rank``, from the family's template."""
    channels_first = f")`` or ``(batch, channels, {AXES[rank]}" if data_format else ""
    words = {
        "rank": rank,
        "axes": f"batch, {AXES[rank]}, channels{channels_first}",
        "ends": "both ends" if rank == 1 else f"both ends of each of the {rank} axes",
        "forms": "an int, or a pair for the two ends" if rank == 1 else
        f"an int, {rank} ints (one for each axis), or {rank} pairs of ints (an axis' two ends)",
        "data_format": _DATA_FORMAT if data_format else "",
    }  # fmt: skip
    return template.format(**words | more)


_CROPPING = """Cuts off {ends}.

    Args:
        cropping: how many to cut off, each at least 0: {forms}.{data_format}

    Shapes: inputs ``({axes})`` -> the same with sizes less by what is cut off.

    Raises: ValueError if ``cropping`` is none of these, or an axis is no longer than what is cut off of it.

    Source: Keras 3 ``layers/reshaping/cropping{rank}d.py``.
    """


class Cropping(Spatial):
    """Base of the croppings; ``cropping`` is a pair for each of the ``rank`` axes (of rank 1, the pair itself)."""

    def call(self, inputs):
        amounts = (self.cropping,) if self.rank == 1 else self.cropping
        for axis, (start, end) in enumerate(amounts, self.first):
            size = inputs.shape[axis]
            if start + end < size:
                inputs = inputs.narrow(axis, start, size - start - end)
            elif not (infer.is_running() and size in SIZES):  # an unknown axis stays one
                checks.fail(
                    self, "an input longer than what is cut off",
                    f"input shape {tuple(inputs.shape)}, cropping={self.cropping}",
                )  # fmt: skip
        return inputs


class Cropping1D(Cropping):
    __doc__ = _documented(_CROPPING, 1, data_format=False)
    rank = 1

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), cropping=ntuple(2, 0))


class Cropping2D(Cropping):
    __doc__ = _documented(_CROPPING, 2)
    rank = 2

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), cropping=pairs(2), data_format=checks.data_format)


class Cropping3D(Cropping):
    __doc__ = _documented(_CROPPING, 3)
    rank = 3

    def __init__(self, cropping=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), cropping=pairs(3), data_format=checks.data_format)


_ZERO_PADDING = """Adds zeros at {ends}.

    Args:
        padding: how many to add, each at least 0: {forms}.{data_format}

    Shapes: inputs ``({axes})`` -> the same with sizes greater by what is added.

    Raises: ValueError if ``padding`` is none of these.

    Source: Keras 3 ``layers/reshaping/zero_padding{rank}d.py``.
    """


class ZeroPadding(Spatial):
    """Base of the zero paddings; ``padding`` is a pair for each of the ``rank`` axes (of rank 1, the pair itself)."""

    def call(self, inputs):
        amounts = (self.padding,) if self.rank == 1 else self.padding
        from_last = list(itertools.chain.from_iterable(reversed(amounts)))
        return F.pad(inputs, from_last if self.data_format == "channels_first" else [0, 0, *from_last])


class ZeroPadding1D(ZeroPadding):
    __doc__ = _documented(_ZERO_PADDING, 1)
    rank = 1

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), padding=ntuple(2, 0), data_format=checks.data_format)


class ZeroPadding2D(ZeroPadding):
    __doc__ = _documented(_ZERO_PADDING, 2)
    rank = 2

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), padding=pairs(2), data_format=checks.data_format)


class ZeroPadding3D(ZeroPadding):
    __doc__ = _documented(_ZERO_PADDING, 3)
    rank = 3

    def __init__(self, padding=((1, 1), (1, 1), (1, 1)), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), padding=pairs(3), data_format=checks.data_format)


_UP_SAMPLING = """Makes each axis but batch and channels longer by a whole factor{how}.

    Args:
        size: the factor, {forms}.{more}

    Shapes: inputs ``({axes})`` -> the same with sizes times ``size``.

    Raises: {raises}.

    Source: Keras 3 ``layers/reshaping/up_sampling{rank}d.py``.
    """


class UpSampling(Spatial):
    """Base of the upsamplings; ``size`` is a factor for each of the ``rank`` axes (of rank 1, the factor itself)."""

    def call(self, inputs):
        # Each number `size` times: a view with one more axis beside each, and one copy.
        shape, wide = list(inputs.shape), list(inputs.shape)
        sizes = (self.size,) if self.rank == 1 else self.size
        for axis, size in reversed(list(enumerate(sizes, self.first))):
            inputs = inputs.unsqueeze(axis + 1)
            wide.insert(axis + 1, size)
            shape[axis] *= size
        return inputs.expand(wide).reshape(shape)


class UpSampling1D(UpSampling):
    __doc__ = _documented(
        _UP_SAMPLING, 1, data_format=False, how=", by repeating", forms="an int above 0", more="",
        raises="TypeError if ``size`` is no int, ValueError if it is not above 0",
    )  # fmt: skip
    rank = 1

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), size=times)


class UpSampling2D(UpSampling):
    __doc__ = _documented(
        _UP_SAMPLING, 2, how="", forms="an int above 0, or one for each axis",
        more=_DATA_FORMAT + """
        interpolation: ``nearest`` (which repeats), ``bilinear`` or ``bicubic``. Ints are rounded.""",
        raises="ValueError if an argument is none of these; torch has no ``lanczos3`` and ``lanczos5``",
    )  # fmt: skip
    rank = 2

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), size=ntuple(2), data_format=checks.data_format, interpolation=interpolation_check)

    def call(self, inputs):
        if self.interpolation == "nearest":
            return super().call(inputs)
        x = inputs if inputs.is_floating_point() else inputs.float()
        if self.data_format == "channels_last":
            x = x.permute(0, 3, 1, 2)
        sizes = [length * size for length, size in zip(x.shape[2:], self.size, strict=True)]
        x = F.interpolate(x, sizes, mode=self.interpolation, align_corners=False)
        if self.data_format == "channels_last":
            x = x.permute(0, 2, 3, 1)
        if inputs.is_floating_point():
            return x
        return (x.clamp(0, 255) if inputs.dtype == torch.uint8 else x).round().to(inputs.dtype)


class UpSampling3D(UpSampling):
    __doc__ = _documented(
        _UP_SAMPLING, 3, how=", by repeating", forms="an int above 0, or one for each axis", more=_DATA_FORMAT,
        raises="ValueError if an argument is none of these",
    )  # fmt: skip
    rank = 3

    def __init__(self, size=(2, 2, 2), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), size=ntuple(3), data_format=checks.data_format)

"""Layers that move numbers: Flatten, Reshape, Permute, RepeatVector."""

import math

import torch

from kshim.core import checks, settings
from kshim.core.checks import int_tuple
from kshim.graph import infer
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec


def data_format(owner, name, value):
    """``channels_last``, ``channels_first``, or None for the process-wide default."""
    value = settings.image_data_format() if value is None else str(value).lower()
    if value not in settings.DATA_FORMATS:
        checks.fail(owner, f"`{name}` to be one of {settings.DATA_FORMATS}", f"{name}={value!r}")
    return value


class Flatten(Layer):
    """All axes but the batch in one.

    Args:
        data_format: ``channels_last``, or ``channels_first``: the channel axis is moved last before.
            None means ``image_data_format()``.

    Shapes: inputs ``(batch, ...)`` -> ``(batch, product of the others)``; ``(batch,)`` -> ``(batch, 1)``.

    Source: Keras 3 ``layers/reshaping/flatten.py``.
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), data_format=_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs):
        if self.data_format == "channels_first" and inputs.dim() > 2:
            inputs = inputs.movedim(1, -1)
        return inputs.flatten(1) if inputs.dim() > 1 else inputs.unsqueeze(1)


_format = data_format


class Reshape(Layer):
    """The same numbers in another shape.

    Args:
        target_shape: shape without the batch axis; one axis may be -1.

    Shapes: inputs ``(batch, ...)`` -> ``(batch, *target_shape)``.

    Raises: ValueError if the number of elements differs, or ``target_shape`` is no tuple of ints.

    Source: Keras 3 ``layers/reshaping/reshape.py``.
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), target_shape=int_tuple)
        if sum(size == -1 for size in self.target_shape) > 1:
            checks.fail(self, "at most one -1 in `target_shape`", f"target_shape={self.target_shape}")

    def build(self, input_shape):
        known = math.prod(size for size in self.target_shape if size != -1)
        if None in input_shape[1:]:
            return
        total = math.prod(input_shape[1:])
        fits = total % known == 0 if -1 in self.target_shape and known else total == known
        if not fits:
            checks.fail(
                self, "the total size to stay the same",
                f"input_shape={tuple(input_shape[1:])}, target_shape={self.target_shape}",
            )  # fmt: skip

    def call(self, inputs):
        if infer.running.get():  # the size that stands for an unknown axis need not divide
            rest = math.prod(inputs.shape[1:]) // max(math.prod(size for size in self.target_shape if size != -1), 1)
            return inputs.new_empty(
                inputs.shape[:1] + tuple(rest if size == -1 else size for size in self.target_shape)
            )
        return inputs.reshape(inputs.shape[0], *self.target_shape)


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
        if checks.as_int(n) is None:
            raise TypeError(f"{checks.describe(self)}: expected `n` to be an int. Received: n={n!r}.")
        self.keep(locals(), n=checks.positive_int)
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs):
        return torch.unsqueeze(inputs, 1).expand(-1, self.n, -1)

"""Layers that are random while training and the identity else: dropouts, Gaussian noise; and ActivityRegularization.

With an int ``seed`` a layer has its own row of draws, those of Keras 3; without one it draws from torch's generator.
"""

import math

import torch
from torch.nn import functional as F

from kshim import random, regularizers
from kshim.core import checks, settings
from kshim.core.checks import fraction
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec


def noise_shape_check(owner, name, value):
    """None, or a tuple of ints above 0 and None."""
    sizes = tuple(value) if isinstance(value, (list, tuple)) else (0,)
    if value is not None and any(size is not None and (checks.as_int(size) or 0) < 1 for size in sizes):
        checks.fail(owner, f"`{name}` to be a tuple of ints above 0 and None", f"{name}={value!r}")
    return None if value is None else sizes


def share(owner, name, value):
    """A number in [0, 1): the noise of all of it would have no end."""
    if fraction(owner, name, value) == 1:
        checks.fail(owner, f"`{name}` to be a number in [0, 1)", f"{name}={value!r}")
    return value


def deviation(owner, name, value):
    """A number of at least 0, and at most 1 where the dialect is Keras 3."""
    if settings.holds(since="3"):
        return fraction(owner, name, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        checks.fail(owner, f"`{name}` to be a number of at least 0", f"{name}={value!r}")
    return value


class Noise(Layer):
    """Base: gives the inputs, or ``noisy(inputs)`` while training unless ``amount`` (the argument's name) is 0."""

    amount = "rate"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.built = True

    def keep(self, arguments, **check):
        super().keep(arguments, **check)
        self.seed_generator = None if self.seed is None else random.SeedGenerator(self.seed)

    def call(self, inputs):
        if not self.training or getattr(self, self.amount) == 0 or inputs.is_meta:
            return inputs
        return self.noisy(inputs)

    def empty(self, shape, inputs, dtype=None):
        """An empty tensor beside ``inputs`` and the generator to fill it by (None for torch's own)."""
        source = None if self.seed_generator is None else random.generator(self.seed_generator, inputs.device)
        return torch.empty(shape, dtype=dtype or inputs.dtype, device=inputs.device), source

    def mask_shape(self, inputs):
        """``noise_shape`` with the inputs' own sizes for None, in as many axes as they have."""
        if self.noise_shape is None:
            return inputs.shape
        sizes = [inputs.shape[i] if size is None else size for i, size in enumerate(self.noise_shape)]
        return (1,) * (inputs.dim() - len(sizes)) + tuple(sizes)


class Dropout(Noise):
    """Sets a random share of the inputs to 0 while training and multiplies the others by ``1 / (1 - rate)``.

    Args:
        rate: share that is dropped, in [0, 1].
        noise_shape: shape of the mask, broadcast to the inputs'; None for an axis means the input's own size.
        seed: an int makes the layer's own row of masks; None draws from torch's generator, which is faster.

    Shapes: any -> the same.

    Raises:
        ValueError: ``rate`` is not in [0, 1], ``noise_shape`` no tuple of ints above 0 and None, ``seed`` no int.

    Source: Keras 3 ``layers/regularization/dropout.py``; Srivastava et al., 2014.
    """

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), rate=fraction, noise_shape=noise_shape_check)

    def noisy(self, inputs):
        shape = self.mask_shape(inputs)
        if self.seed_generator is not None:
            return random.dropout(inputs, self.rate, noise_shape=shape, seed=self.seed_generator)
        if shape == inputs.shape:
            return F.dropout(inputs, self.rate)
        return inputs * F.dropout(inputs.new_ones(shape), self.rate)


_SPATIAL_DROPOUT = """Sets a random share of the channels to 0 while training, each over {axes}.

    The other channels are multiplied by ``1 / (1 - rate)``.

    Args:
        rate: share of the channels that is dropped, in [0, 1].{data_format}
        seed: an int makes the layer's own row of masks; None draws from torch's generator.

    Shapes: inputs {shapes} -> the same.

    Raises:
        ValueError: ``rate`` is not in [0, 1], or the input has another rank.

    Source: Keras 3 ``layers/regularization/spatial_dropout.py``; Tompson et al., 2014.
    """
_DATA_FORMAT = """
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``."""


class SpatialDropout(Dropout):
    """Base: a ``Dropout`` of whole channels, over ``rank`` axes in space or time."""

    rank: int

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None, **kwargs):
        super().__init__(rate=rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = checks.data_format(self, "data_format", data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def mask_shape(self, inputs):
        batch, *sizes = inputs.shape
        ones = (1,) * self.rank
        return (batch, sizes[0], *ones) if self.data_format == "channels_first" else (batch, *ones, sizes[-1])

    def get_config(self):
        # Keras' classes take neither `trainable` nor `noise_shape`, and have a policy's name for the dtype.
        config = super().get_config()
        del config["trainable"], config["noise_shape"]
        return config | {"dtype": self.dtype_policy.name}


class SpatialDropout1D(SpatialDropout):
    __doc__ = _SPATIAL_DROPOUT.format(axes="all steps", data_format="", shapes="``(batch, steps, channels)``")
    rank = 1

    def __init__(self, rate, seed=None, name=None, dtype=None, **kwargs):
        super().__init__(rate=rate, data_format="channels_last", seed=seed, name=name, dtype=dtype, **kwargs)

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "data_format"}


class SpatialDropout2D(SpatialDropout):
    __doc__ = _SPATIAL_DROPOUT.format(
        axes="the whole picture", data_format=_DATA_FORMAT,
        shapes="``(batch, rows, columns, channels)`` or ``(batch, channels, rows, columns)``",
    )  # fmt: skip
    rank = 2


class SpatialDropout3D(SpatialDropout):
    __doc__ = _SPATIAL_DROPOUT.format(
        axes="the whole volume", data_format=_DATA_FORMAT,
        shapes="``(batch, d1, d2, d3, channels)`` or ``(batch, channels, d1, d2, d3)``",
    )  # fmt: skip
    rank = 3


class AlphaDropout(Noise):
    """Dropout for ``selu``: a random share is set to selu's lower end, and all is moved to keep mean and variance.

    Args:
        rate: share that is dropped, in [0, 1).
        noise_shape: shape of the mask, broadcast to the inputs'; None for an axis means the input's own size.
        seed: an int makes the layer's own row of masks; None draws from torch's generator.

    Shapes: any -> the same.

    Raises: ValueError if ``rate`` is not in [0, 1), or ``noise_shape`` no tuple of ints above 0 and None.

    Source: Keras 3 ``layers/regularization/alpha_dropout.py``; Klambauer et al., 2017.
    """

    lowest = -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717  # -scale * alpha of selu

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), rate=share, noise_shape=noise_shape_check)

    def noisy(self, inputs):
        draws, source = self.empty(self.mask_shape(inputs), inputs, torch.float32)
        kept = draws.uniform_(generator=source) >= self.rate
        scale = ((1 - self.rate) * (1 + self.rate * self.lowest**2)) ** -0.5
        return torch.where(kept, inputs, self.lowest) * scale - scale * self.lowest * self.rate


class GaussianDropout(Noise):
    """Multiplies the inputs by normal noise of mean 1 while training.

    Args:
        rate: in [0, 1); the noise's standard deviation is ``sqrt(rate / (1 - rate))``, that of a dropout of this rate.
        seed: an int makes the layer's own row of draws; None draws from torch's generator.

    Shapes: any -> the same.

    Raises: ValueError if ``rate`` is not in [0, 1).

    Source: Keras 3 ``layers/regularization/gaussian_dropout.py``; Srivastava et al., 2014, section 10.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), rate=share)

    def noisy(self, inputs):
        noise, source = self.empty(inputs.shape, inputs)
        return inputs * noise.normal_(1, math.sqrt(self.rate / (1 - self.rate)), generator=source)


class GaussianNoise(Noise):
    """Adds normal noise of mean 0 to the inputs while training.

    Args:
        stddev: standard deviation of the noise, in [0, 1]; where the dialect is older than Keras 3, any from 0 on.
        seed: an int makes the layer's own row of draws; None draws from torch's generator.

    Shapes: any -> the same.

    Raises: ValueError if ``stddev`` is not in that range.

    Source: Keras 3 ``layers/regularization/gaussian_noise.py``.
    """

    amount = "stddev"

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), stddev=deviation)

    def noisy(self, inputs):
        noise, source = self.empty(inputs.shape, inputs)
        return inputs + noise.normal_(0, self.stddev, generator=source)


class ActivityRegularization(Layer):
    """The identity, with a penalty on its inputs: ``l1 * sum(abs(x)) + l2 * sum(x ** 2)``, over the batch size.

    Args:
        l1, l2: the penalties' factors, at least 0.

    Shapes: any -> the same.

    Source: Keras 3 ``layers/regularization/activity_regularization.py``.
    """

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.keep(locals())
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "activity_regularizer"}

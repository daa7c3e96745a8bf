"""Initial values of weights.

An initializer is called with a shape and gives a CPU tensor. Its ``seed`` is an int (the same values at every call,
and those of Keras 3 on its torch backend), a ``SeedGenerator`` (the next ones at each), or None: then one seed is
taken from numpy's global generator at the first call. Source: Keras 3 ``initializers/``.
"""

import contextlib
import contextvars
import math

import numpy as np
import torch
from torch.signal import windows

from kshim import random
from kshim.core import checks, configurable, dtypes, names
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry

# Standard deviation of the normal distribution cut at 2 standard deviations, by which truncated draws are corrected.
TRUNCATED_STDDEV = 0.87962566103423978


class Initializer(Configurable):
    """Base class: a subclass writes ``__call__(shape, dtype=None)``, which returns a tensor."""

    def __call__(self, shape, dtype=None):
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def clone(self):
        """An initializer of the same config, with a draw of its own where it has no seed."""
        return type(self).from_config(self.get_config())


class Zeros(Initializer):
    """All 0."""

    def __call__(self, shape, dtype=None):
        return _full(shape, 0, dtype)


class Ones(Initializer):
    """All 1."""

    def __call__(self, shape, dtype=None):
        return _full(shape, 1, dtype)


class Constant(Initializer):
    """``value`` everywhere.

    Args:
        value: a number, or an array that broadcasts to the shape.
    """

    def __init__(self, value=0.0):
        self.keep(locals())

    def __call__(self, shape, dtype=None):
        return _full(shape, self.value, dtype)

    def get_config(self):
        if not isinstance(self.value, (np.ndarray, np.generic)):
            return super().get_config()
        data = {"value": self.value.tolist(), "dtype": self.value.dtype.name}
        return {"value": {"class_name": "__numpy__", "config": data}}

    @classmethod
    def from_config(cls, config):
        """An object made from ``get_config()``'s dict."""
        value = config.get("value", 0.0)
        return cls(np.array(**_renamed(value["config"])) if isinstance(value, dict) else value)


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, 0 elsewhere.

    Args:
        gain: any number.

    Raises:
        ValueError: the shape has not two axes.
    """

    def __init__(self, gain=1.0):
        self.keep(locals())

    def __call__(self, shape, dtype=None):
        if len(shape) != 2:
            checks.fail(self, "a shape of two axes, as the result is a matrix", f"shape={tuple(shape)}")
        return self.gain * torch.eye(*shape, dtype=dtypes.to_torch(dtype), device="cpu")


class STFT(Initializer):
    """Kernel of a short-time Fourier transform: ``cos`` or ``sin`` of ``-2 pi t f / fft_length``, times a window.

    Args:
        side: ``"real"`` (cosines) or ``"imag"`` (sines).
        window: a name in ``WINDOWS``, an array of the window's values, or None for no window.
        scaling: ``"density"`` (divide by the window's L2 norm), ``"spectrum"`` (by its L1 norm) or None.
        periodic: whether a named window is periodic rather than symmetric.

    Shapes:
        ``(window length, 1, fft_length // 2 + 1)``.

    Raises:
        ValueError: an argument is none of these; the window has not the shape's length.
    """

    def __init__(self, side="real", window="hann", scaling="density", periodic=False):
        self.keep(locals(), side=_one_of("real", "imag"), scaling=_one_of("density", "spectrum", None))
        if isinstance(window, str):
            _one_of(*WINDOWS)(self, "window", window)

    def __call__(self, shape, dtype=None):
        length, _, bins = shape
        dtype = dtypes.to_torch(dtype)
        times = torch.arange(length, dtype=torch.float64, device="cpu").reshape(-1, 1, 1)
        angles = -2 * math.pi * times * torch.arange(bins, dtype=torch.float64, device="cpu") / (2 * (bins - 1))
        kernel = torch.cos(angles) if self.side == "real" else torch.sin(angles)
        if self.window is None:
            return kernel.to(dtype)
        window = self._window(length)
        if self.scaling is not None:
            window = window / torch.linalg.vector_norm(window, 2 if self.scaling == "density" else 1)
        return (kernel * window.reshape(-1, 1, 1)).to(dtype)

    def _window(self, length):
        if isinstance(self.window, str):
            return WINDOWS[self.window](length, sym=not self.periodic, dtype=torch.float64)
        window = torch.as_tensor(self.window, dtype=torch.float64)
        if window.shape != (length,):
            checks.fail(self, f"`window` of shape {(length,)}", f"window of shape {tuple(window.shape)}")
        return window


# Those of scipy.signal.windows that need no number of their own.
WINDOWS = {n: getattr(windows, n) for n in ("bartlett", "blackman", "cosine", "hamming", "hann", "nuttall")}


class RandomInitializer(Initializer):
    """Base class of those that draw.

    Args:
        seed: int, ``SeedGenerator`` or None (see the module).

    Raises:
        ValueError: ``seed`` is none of these.
    """

    def __init__(self, seed=None):
        self.keep(locals())
        self._own_seed = None

    def draw(self):
        """The seed of this call's draw: an int or a ``SeedGenerator``."""
        if self.seed is not None:
            return self.seed
        if self._own_seed is None:
            self._own_seed = random.draw_seed()
        return self._own_seed


class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean: any number.
        stddev: standard deviation, at least 0.
        seed: int, ``SeedGenerator`` or None (see the module).
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        self.keep(locals())

    def __call__(self, shape, dtype=None):
        return random.normal(shape, self.mean, self.stddev, dtype, self.draw())


class TruncatedNormal(RandomNormal):
    """Normal distribution without what is further than ``2 * stddev`` from ``mean``.

    The result's own standard deviation is ``0.8796 * stddev``. Arguments as for ``RandomNormal``.
    """

    def __call__(self, shape, dtype=None):
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self.draw())


class RandomUniform(RandomInitializer):
    """Uniform distribution over ``[minval, maxval)``.

    Args:
        minval, maxval: any numbers, ``minval`` the lower one.
        seed: int, ``SeedGenerator`` or None (see the module).
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        super().__init__(seed)
        self.keep(locals())

    def __call__(self, shape, dtype=None):
        return random.uniform(shape, self.minval, self.maxval, dtype, self.draw())


class VarianceScaling(RandomInitializer):
    """Draws of variance ``scale / n``, n the weight's number of inputs, outputs, or their average.

    Args:
        scale: above 0.
        mode: what n is: ``"fan_in"``, ``"fan_out"`` or ``"fan_avg"``.
        distribution: ``"truncated_normal"`` (also ``"normal"``), ``"untruncated_normal"`` or ``"uniform"``.
        seed: int, ``SeedGenerator`` or None (see the module).
        input_axes, output_axes: the axes whose sizes make up the number of inputs and of outputs; None for
            what ``compute_fans`` takes from the shape.

    Raises:
        ValueError: an argument is none of these.

    Source: He et al. 2015 (``fan_in``), Glorot and Bengio 2010 (``fan_avg``).
    """

    truncated_stddev = TRUNCATED_STDDEV  # what truncated draws are divided by

    def __init__(self, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None, input_axes=None,
                 output_axes=None):  # fmt: skip
        super().__init__(seed)
        self.keep(locals(), scale=_above_zero, mode=_one_of("fan_in", "fan_out", "fan_avg"), distribution=_distribution)

    def __call__(self, shape, dtype=None):
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        stddev = math.sqrt(variance)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.draw())
        if self.distribution == "truncated_normal":
            return random.truncated_normal(shape, 0.0, stddev / self.truncated_stddev, dtype, self.draw())
        return random.normal(shape, 0.0, stddev, dtype, self.draw())


class _Preset(VarianceScaling):
    """``VarianceScaling`` with three of its arguments fixed: ``preset = (scale, mode, distribution)``."""

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self.preset, seed, input_axes, output_axes)


class GlorotUniform(_Preset):
    """Uniform in ``[-limit, limit)``, ``limit = sqrt(6 / (fan_in + fan_out))``; also called Xavier uniform.

    Args: ``seed``, ``input_axes``, ``output_axes`` of ``VarianceScaling``. Source: Glorot and Bengio 2010.
    """

    preset = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """Truncated normal of standard deviation ``sqrt(2 / (fan_in + fan_out))``; also called Xavier normal.

    Args: ``seed``, ``input_axes``, ``output_axes`` of ``VarianceScaling``. Source: Glorot and Bengio 2010.
    """

    preset = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Preset):
    """Uniform in ``[-limit, limit)``, ``limit = sqrt(6 / fan_in)``.

    Args: ``seed``, ``input_axes``, ``output_axes`` of ``VarianceScaling``. Source: He et al. 2015.
    """

    preset = (2.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """Truncated normal of standard deviation ``sqrt(2 / fan_in)``.

    Args: ``seed``, ``input_axes``, ``output_axes`` of ``VarianceScaling``. Source: He et al. 2015.
    """

    preset = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """Uniform in ``[-limit, limit)``, ``limit = sqrt(3 / fan_in)``.

    Args: ``seed``, ``input_axes``, ``output_axes`` of ``VarianceScaling``. Source: LeCun et al. 1998.
    """

    preset = (1.0, "fan_in", "uniform")


class LecunNormal(_Preset):
    """Truncated normal of standard deviation ``sqrt(1 / fan_in)``.

    Args: ``seed``, ``input_axes``, ``output_axes`` of ``VarianceScaling``. Source: Klambauer et al. 2017.
    """

    preset = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """``gain`` times an orthogonal matrix: rows orthogonal if there are fewer of them than columns, else columns.

    More than two axes are read as the matrix ``(prod(shape[:-1]), shape[-1])``.

    Args:
        gain: any number.
        seed: int, ``SeedGenerator`` or None (see the module).

    Raises:
        ValueError: the shape has fewer than two axes.

    Source: Saxe et al. 2014; the signs, Mezzadri 2007.
    """

    row_axes = -1  # the axes before this one are the matrix's rows

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed)
        self.keep(locals())

    def __call__(self, shape, dtype=None):
        if len(shape) < 2:
            checks.fail(self, "a shape of at least two axes", f"shape={tuple(shape)}")
        rows, columns = math.prod(shape[: self.row_axes]), math.prod(shape[self.row_axes :])
        dtype = dtypes.to_torch(dtype)
        half = dtype in (torch.float16, torch.bfloat16)  # for which torch has no QR
        tall = (max(rows, columns), min(rows, columns))
        q, r = torch.linalg.qr(random.normal(tall, dtype=torch.float32 if half else dtype, seed=self.draw()))
        q = q * torch.sign(torch.diagonal(r))  # makes the distribution uniform
        return (self.gain * (q.T if rows < columns else q)).reshape(tuple(shape)).to(dtype)


_drawing: contextvars.ContextVar[bool] = contextvars.ContextVar("drawing", default=True)


@contextlib.contextmanager
def undrawn():
    """Within the block the random first values of weights are zeros: a file is about to replace every one."""
    token = _drawing.set(False)
    try:
        yield
    finally:
        _drawing.reset(token)


def first_value(initializer, shape, dtype):
    """What a weight begins with: the value of ``initializer``, a name, config or callable."""
    initializer = get(initializer)
    if not _drawing.get() and isinstance(initializer, RandomInitializer) and type(initializer).__module__ == __name__:
        return torch.zeros(shape, dtype=dtypes.to_torch(dtype))
    return initializer(shape, dtype=dtype)


def compute_fans(shape, input_axes=None, output_axes=None):
    """Numbers of inputs and outputs of a weight, ``(fan_in, fan_out)``.

    A kernel's last two axes are its inputs and outputs, each times the size of the field before them. One axis
    counts as both. Given axes, both of them, are multiplied instead.
    """
    shape = tuple(int(size) for size in shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        return math.prod(shape), math.prod(shape)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _full(shape, value, dtype):
    return torch.empty(tuple(shape), dtype=dtypes.to_torch(dtype), device="cpu").copy_(torch.as_tensor(value))


def _renamed(data):
    return {"object": data["value"], "dtype": data["dtype"]}


def _one_of(*allowed):
    def check(owner, name, value):
        if value not in allowed:
            checks.fail(owner, f"`{name}` to be one of {allowed}", f"{name}={value!r}")
        return value

    return check


def _distribution(owner, name, value):
    value = value.lower() if isinstance(value, str) else value
    value = "truncated_normal" if value == "normal" else value
    return _one_of("truncated_normal", "untruncated_normal", "uniform")(owner, name, value)


def _above_zero(owner, name, value):
    if not value > 0:
        checks.fail(owner, f"`{name}` to be a number above 0", f"{name}={value!r}")
    return value


zeros, ones, constant, identity, stft = Zeros, Ones, Constant, Identity, STFT
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer, STFTInitializer = Identity, Orthogonal, STFT

REGISTRY = Registry("initializer", "keras.initializers", Initializer)
for _class in (
    Initializer, Zeros, Ones, Constant, Identity, STFT, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
    GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform, Orthogonal,
):  # fmt: skip
    REGISTRY.add(_class, **{names.snake_case(_class.__name__): _class})
REGISTRY.add(zero=Zeros, one=Ones, normal=RandomNormal, uniform=RandomUniform, IdentityInitializer=Identity,
             OrthogonalInitializer=Orthogonal, STFTInitializer=STFT)  # fmt: skip


def get(identifier):
    """The initializer that ``identifier`` stands for: None, a name, a config, a class, an array, or any callable.

    Raises: ValueError if it is none of these, or an unknown name.
    """
    if isinstance(identifier, (torch.Tensor, np.ndarray, np.generic)):
        return _given(identifier)
    return REGISTRY.get(identifier)


def _given(values):
    """An initializer that gives ``values``, for their own shape only."""

    def given_values(shape, dtype=None):
        if tuple(shape) != tuple(values.shape):
            raise ValueError(
                f"Values given as initializer: expected `shape` to be {tuple(values.shape)}. "
                f"Received: shape={tuple(shape)}."
            )
        return _full(shape, values, dtype)

    return given_values


deserialize = REGISTRY.get
serialize = REGISTRY.serialize
configurable.RESOLVERS["_initializer"] = get
configurable.SERIALIZERS["_initializer"] = serialize

"""New tensors: constants, ranges, windows, grids. They lie on torch's default device; ``*_like`` where ``x`` does.

Source: Keras 3 ``ops/numpy.py``.
"""

import torch

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import kind_of, tensor


def _dtype(dtype):
    return dtypes.to_torch(dtype or settings.floatx())


def _shape(shape):
    return (shape,) if isinstance(shape, int) else tuple(shape)


@op
def zeros(shape, dtype=None):
    """Zeros; ``dtype`` None means ``floatx()``."""
    return torch.zeros(_shape(shape), dtype=_dtype(dtype))


@op
def ones(shape, dtype=None):
    """Ones; ``dtype`` None means ``floatx()``."""
    return torch.ones(_shape(shape), dtype=_dtype(dtype))


@op
def empty(shape, dtype=None):
    """Memory as it is; ``dtype`` None means ``floatx()``."""
    return torch.empty(_shape(shape), dtype=_dtype(dtype))


@op
def full(shape, fill_value, dtype=None):
    """``fill_value`` repeated; one that is no scalar fills the last axes. ``dtype`` None means ``floatx()``."""
    shape, value = _shape(shape), tensor(fill_value, dtypes.to_torch(dtype))
    if value.dim():
        return torch.tile(value, shape[: len(shape) - value.dim()] + (1,) * value.dim())
    return value.expand(shape).clone()


@op
def zeros_like(x, dtype=None):
    """Zeros in the shape of ``x``; ``dtype`` None means its own."""
    return torch.zeros_like(tensor(x), dtype=dtypes.to_torch(dtype) if dtype else None)


@op
def ones_like(x, dtype=None):
    """Ones in the shape of ``x``; ``dtype`` None means its own."""
    return torch.ones_like(tensor(x), dtype=dtypes.to_torch(dtype) if dtype else None)


@op
def empty_like(x, dtype=None):
    """Memory as it is, in the shape of ``x``; ``dtype`` None means its own."""
    return torch.empty_like(tensor(x), dtype=dtypes.to_torch(dtype) if dtype else None)


@op
def full_like(x, fill_value, dtype=None):
    """``fill_value`` in the shape of ``x``; ``dtype`` None means its own."""
    x = tensor(x)
    value = tensor(fill_value, dtypes.to_torch(dtype) if dtype else x.dtype, x.device)
    return value.expand(x.shape).clone()


@op
def array(x, dtype=None):
    """``x`` as a tensor; one that is a tensor of that dtype is returned itself."""
    return tensor(x, None if dtype is None else dtypes.to_torch(dtype))


@op
def eye(N, M=None, k=0, dtype=None):
    """Ones on the ``k``-th diagonal of ``(N, M)`` zeros; ``M`` None means ``N``."""
    M, k = N if M is None else M, k or 0
    for name, value in (("N", N), ("M", M)):
        if not isinstance(value, int):
            raise TypeError(f"eye: expected `{name}` to be an int. Received: {name}={value!r}.")
    if k == 0:
        return torch.eye(N, M, dtype=_dtype(dtype))
    return torch.diag(torch.ones(max(N, M), dtype=_dtype(dtype)), k)[:N, :M]


@op
def identity(n, dtype=None):
    """The identity matrix of ``n`` rows."""
    return torch.eye(n, dtype=_dtype(dtype))


@op
def tri(N, M=None, k=0, dtype=None):
    """Ones on and below the ``k``-th diagonal of ``(N, M)`` zeros."""
    return torch.tril(torch.ones((N, M or N), dtype=_dtype(dtype)), k)


@op
def arange(start, stop=None, step=None, dtype=None):
    """Numbers from ``start`` (0 where one argument is given) to before ``stop``."""
    kinds = [kind_of(value) for value in (start, stop, step) if value is not None]
    dtype = dtypes.result_type(*kinds) if dtype is None else dtypes.to_torch(dtype)
    if stop is None:
        start, stop = 0, start
    return torch.arange(start, stop, 1 if step is None else step, dtype=dtype)


def _checked_spacing(name, start, stop, dtype, axis):
    if axis != 0:
        raise ValueError(f"{name}: expected `axis` to be 0, as on Keras' torch backend. Received: axis={axis}.")
    return dtypes.result_type(kind_of(start), kind_of(stop), float) if dtype is None else dtypes.to_torch(dtype)


def _number(value):
    return tensor(value) if isinstance(value, (list, tuple)) else value


@op
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """``num`` numbers from ``start`` to ``stop``, evenly apart; of vectors, along a new first axis.

    Args:
        endpoint: whether ``stop`` is the last one.
        retstep: whether to return ``(numbers, step)``.

    Raises: ValueError for an ``axis`` other than 0.
    """
    start, stop = _number(start), _number(stop)
    dtype = _checked_spacing("linspace", start, stop, dtype, axis)
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts > 0 else tensor(torch.nan)
    if not endpoint and num > 1:
        stop = stop - (stop - start) / num
    if getattr(start, "ndim", 0) and getattr(stop, "ndim", 0):
        start, stop = start.to(dtype), stop.to(dtype)
        shares = torch.arange(num, dtype=dtype, device=start.device) / (num - 1)
        values = start[None] + shares.reshape(-1, *[1] * start.dim()) * (stop - start)[None]
    else:
        values = torch.linspace(start, stop, num, dtype=dtype)
    return (values, step) if retstep is True else values


@op
def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """``base`` to the power of ``num`` numbers evenly apart.

    Raises: ValueError for an ``axis`` other than 0.
    """
    start, stop = _number(start), _number(stop)
    dtype = _checked_spacing("logspace", start, stop, dtype, axis)
    if getattr(start, "ndim", 0) and getattr(stop, "ndim", 0):
        return base ** linspace(start, stop, num, endpoint, dtype=dtype)
    stop = stop if endpoint else stop - (stop - start) / num
    return torch.logspace(start, stop, num, base, dtype=dtype)


@op
def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    """``num`` numbers from ``start`` to ``stop``, each the last one times the same factor.

    Raises: ValueError for an ``axis`` other than 0.
    """
    dtype = _checked_spacing("geomspace", start, stop, dtype, axis)
    start, stop = tensor(start, dtype), tensor(stop, dtype)
    logs = torch.log10(torch.abs(start)), torch.log10(torch.abs(stop))
    return logspace(*logs, num, endpoint, dtype=dtype) * torch.sign(start)


@op
def meshgrid(*x, indexing="xy"):
    """Each vector spread over the axes of all.

    Args:
        indexing: ``"xy"`` for the first two axes swapped (as of images), ``"ij"`` for the vectors' order.

    Raises: ValueError for another ``indexing``.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected `indexing` to be 'xy' or 'ij'. Received: indexing={indexing!r}.")
    return torch.meshgrid([tensor(vector) for vector in x], indexing=indexing)


@op
def vander(x, N=None, increasing=False):
    """Each element's powers as a row, the highest first unless ``increasing``."""
    x = tensor(x)
    if x.dim() != 1:
        raise ValueError(f"vander: expected `x` to be a vector. Received: x of shape {tuple(x.shape)}.")
    if N is not None and not isinstance(N, int):
        raise TypeError(f"vander: expected `N` to be an int or None. Received: N={N!r}.")
    if N is not None and N < 0:
        raise ValueError(f"vander: expected `N` to be at least 0. Received: N={N}.")
    powers = torch.arange(x.shape[0] if N is None else N, device=x.device)
    return torch.pow(x[:, None], powers if increasing else powers.flip(0)).to(dtypes.result_type(x.dtype))


def _window(name, function, text):
    def call(x):
        return function(int(tensor(x)))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{text} window of ``x`` samples."
    return op(call)


bartlett = _window("bartlett", torch.signal.windows.bartlett, "Bartlett's (a triangle's)")
blackman = _window("blackman", torch.signal.windows.blackman, "Blackman's")
hamming = _window("hamming", torch.signal.windows.hamming, "Hamming's")
hanning = _window("hanning", torch.signal.windows.hann, "Hann's")


@op
def kaiser(x, beta):
    """Kaiser's window of ``x`` samples; ``beta`` is its steepness."""
    return torch.signal.windows.kaiser(int(tensor(x)), beta=float(beta))

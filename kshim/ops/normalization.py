"""Moments, normalizations with them, and vectors of length 1.

Source: Keras 3 ``ops/nn.py``.
"""

import warnings

import torch
import torch.nn.functional as F

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import tensor


@op
def normalize(x, axis=-1, order=2, epsilon=None):
    """``x`` divided by its ``order``-norm along ``axis``, which counts as at least ``epsilon``.

    Args:
        order: an int of at least 1.
        epsilon: None means ``keras.config.epsilon()``.

    Raises: ValueError for another ``order``.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"normalize: expected `order` to be an int of at least 1. Received: order={order}.")
    x = tensor(x)
    x = x if x.dim() else x[None]
    epsilon = settings.epsilon() if epsilon is None else epsilon
    if order == 2:
        inverse = torch.rsqrt(torch.sum(torch.square(x), axis, keepdim=True))
        return x * inverse.clamp(max=1 / epsilon)
    x = x.to(dtypes.result_type(x.dtype, float))
    return x / torch.linalg.norm(x, order, axis, keepdim=True).clamp(min=epsilon)


@op
def moments(x, axes, keepdims=False, synchronized=False):
    """The mean and the variance over ``axes`` (int or tuple); of float16 computed in float32.

    Args:
        synchronized: False; for statistics over several processes use ``torch.nn.SyncBatchNorm``.

    Raises: NotImplementedError for ``synchronized=True``.
    """
    if synchronized:
        raise NotImplementedError(
            "moments: expected `synchronized` to be False on torch. Received: synchronized=True. "
            "torch.nn.SyncBatchNorm takes its moments over all processes."
        )
    x = tensor(x)
    half = x.dtype is torch.float16
    x = x.float() if half else x
    # As in Keras, where large means cost digits of the variance: E[x^2] - E[x]^2.
    mean = torch.mean(x, axes, keepdim=keepdims)
    variance = torch.mean(torch.square(x), axes, keepdim=keepdims) - torch.square(mean)
    if half:
        limit = torch.finfo(torch.float16).max
        return mean.clip(-limit, limit).half(), variance.clip(-limit, limit).half()
    return mean, variance


@op
def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset``, where all four are vectors along ``axis``."""
    x = tensor(x)
    shape = [1] * x.dim()
    shape[axis] = -1
    factor = torch.rsqrt(tensor(variance, device=x.device) + epsilon)
    if scale is not None:
        factor = factor * tensor(scale, device=x.device)
    outputs = (x - tensor(mean, device=x.device).reshape(shape)) * factor.reshape(shape)
    return outputs if offset is None else outputs + tensor(offset, device=x.device).reshape(shape)


def _last_axes(axes, ndim):
    """Whether ``axes``, sorted, are the last ones of ``ndim``."""
    return [axis % ndim for axis in axes] == list(range(ndim - len(axes), ndim))


def _listed(axis):
    return sorted(axis) if isinstance(axis, (list, tuple)) else [axis]


def _computed(x):
    """``x`` in the type to compute in, of at least 32 bits, and its own."""
    x = tensor(x)
    return x.to(dtypes.result_type(x.dtype, torch.float32)), x.dtype


@op
def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """``x / sqrt(mean(x^2) + epsilon) * scale``, the mean over ``axis`` (int or tuple).

    Args:
        scale: of the shape of the axes, or None for 1.
        epsilon: None means ``keras.config.epsilon()``.

    Source: Zhang and Sennrich 2019.
    """
    x, dtype = _computed(x)
    epsilon = settings.epsilon() if epsilon is None else epsilon
    scale = None if scale is None else tensor(scale, x.dtype, x.device)
    axes = _listed(axis)
    if x.dim() and _last_axes(axes, x.dim()):
        return F.rms_norm(x, x.shape[-len(axes) :], scale, epsilon).to(dtype)
    x = x if x.dim() else x[None]
    outputs = x * torch.rsqrt(torch.mean(torch.square(x), axes, keepdim=True) + epsilon)
    return (outputs if scale is None else outputs * scale).to(dtype)


@op
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    """``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, the moments over ``axis`` (int or tuple).

    Args:
        gamma, beta: of the shape of the axes, or None for 1 and 0.
        epsilon: None means ``keras.config.epsilon()``.
        rms_scaling: deprecated: whether the mean is not taken off and ``beta`` not added.

    Source: Ba et al. 2016.
    """
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise TypeError(f"layer_normalization: expected no argument but its own. Received: {sorted(kwargs)}.")
    if rms_scaling:
        warnings.warn("layer_normalization: `rms_scaling` divides by the standard deviation, not by the root of the "
                      "mean square. Use rms_normalization.", stacklevel=3)  # fmt: skip
    x, dtype = _computed(x)
    epsilon = settings.epsilon() if epsilon is None else epsilon
    axes = _listed(axis)
    gamma, beta = (None if value is None else tensor(value, x.dtype, x.device) for value in (gamma, beta))
    if _last_axes(axes, x.dim()) and not rms_scaling:
        return F.layer_norm(x, x.shape[-len(axes) :], gamma, beta, epsilon).to(dtype)
    shape = [size if i in [axis % x.dim() for axis in axes] else 1 for i, size in enumerate(x.shape)]
    gamma, beta = (value if value is None or value.dim() == x.dim() else value.reshape(shape)
                   for value in (gamma, beta))  # fmt: skip
    if rms_scaling:
        mean, beta = None, None
        variance = torch.var(x, axes, correction=0, keepdim=True)
    else:
        mean, variance = moments(x, tuple(axes), keepdims=True)
    outputs = (x if mean is None else x - mean) * torch.rsqrt(variance + epsilon)
    outputs = outputs if gamma is None else outputs * gamma
    return (outputs if beta is None else outputs + beta).to(dtype)

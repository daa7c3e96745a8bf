"""Losses on numbers: ``loss(y_true, y_pred)`` gives one value for each sample, the mean over the last axis."""

import math

import torch
from torch.nn import functional as F

from kshim.core import settings
from kshim.losses.base import both


def mean_squared_error(y_true, y_pred):
    """``mean((y_true - y_pred)**2)`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    return torch.square(y_true - y_pred).mean(-1)


def mean_absolute_error(y_true, y_pred):
    """``mean(|y_true - y_pred|)`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    return torch.abs(y_true - y_pred).mean(-1)


def mean_absolute_percentage_error(y_true, y_pred):
    """``100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    return 100 * torch.abs((y_true - y_pred) / y_true.abs().clamp(min=settings.epsilon())).mean(-1)


def mean_squared_logarithmic_error(y_true, y_pred):
    """``mean((log(y_true + 1) - log(y_pred + 1))**2)`` over the last axis; numbers below epsilon count as epsilon."""
    y_true, y_pred = both(y_true, y_pred)
    low = settings.epsilon()
    return torch.square((y_pred.clamp(min=low) + 1).log() - (y_true.clamp(min=low) + 1).log()).mean(-1)


def cosine_similarity(y_true, y_pred, axis=-1):
    """Minus the cosine of the angle between both along ``axis``, in [-1, 1]: -1 where they point the same way."""
    y_true, y_pred = both(y_true, y_pred)
    # Keras' normalisation: the square root of the sum of squares, but not below that of epsilon.
    y_true, y_pred = (x * torch.rsqrt(x.square().sum(axis, keepdim=True).clamp(min=1e-12)) for x in (y_true, y_pred))
    return -(y_true * y_pred).sum(axis)


def huber(y_true, y_pred, delta=1.0):
    """Half the squared error up to ``delta``, and a straight line beyond; the mean over the last axis.

    Args:
        delta: a number above 0.

    Source: Huber, 1964.
    """
    y_true, y_pred = both(y_true, y_pred)
    return F.huber_loss(y_pred, y_true, reduction="none", delta=delta).mean(-1)


def log_cosh(y_true, y_pred):
    """``mean(log(cosh(y_pred - y_true)))`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    error = y_pred - y_true
    return (error + F.softplus(-2 * error) - math.log(2)).mean(-1)


def kl_divergence(y_true, y_pred):
    """``sum(y_true * log(y_true / y_pred))`` over the last axis; both are clipped to [epsilon, 1]."""
    y_true, y_pred = both(y_true, y_pred)
    y_true, y_pred = (x.clamp(settings.epsilon(), 1) for x in (y_true, y_pred))
    return (y_true * torch.log(y_true / y_pred)).sum(-1)


def poisson(y_true, y_pred):
    """``mean(y_pred - y_true * log(y_pred + epsilon))`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    return (y_pred - y_true * torch.log(y_pred + settings.epsilon())).mean(-1)


def whole_mean_squared_error(y_true, y_pred):
    return F.mse_loss(y_pred, y_true)


def whole_mean_absolute_error(y_true, y_pred):
    return F.l1_loss(y_pred, y_true)

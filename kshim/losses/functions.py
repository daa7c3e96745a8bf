"""Losses as formulas: ``loss(y_true, y_pred)`` gives one value for each sample, the mean over the last axis.

Where ``y_pred`` comes out of a softmax or a sigmoid, its logits are still with it (``kshim.activations`` leaves
them as ``_softmax_logits`` and ``_sigmoid_logits``), and the loss is computed from them: fused, stable, with half
the backward pass. The clip of Keras to ``[epsilon, 1 - epsilon]`` is kept, on the other side of the logarithm: same
value, same gradient.
"""

import functools
import math

import torch
from torch.nn import functional as F

from kshim.core import settings
from kshim.losses.base import as_tensor, same_ranks


def both(y_true, y_pred):
    """Both as tensors of the dtype of ``y_pred`` and the same rank."""
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if y_true.dtype is not y_pred.dtype:
        y_true = y_true.to(y_pred.dtype)
    return (y_true, y_pred) if y_true.dim() == y_pred.dim() else same_ranks(y_true, y_pred)


def _logits(y_pred, attribute):
    """The logits that ``y_pred`` was made of, or None; an in-place change of ``y_pred`` makes them stale."""
    logits = getattr(y_pred, attribute, None)
    return logits if logits is not None and y_pred._version == 0 else None


def mean_squared_error(y_true, y_pred):
    """``mean((y_true - y_pred)**2)`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    return torch.square(y_true - y_pred).mean(-1)


def mean_absolute_error(y_true, y_pred):
    """``mean(|y_true - y_pred|)`` over the last axis."""
    y_true, y_pred = both(y_true, y_pred)
    return torch.abs(y_true - y_pred).mean(-1)


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Cross entropy of probabilities (or logits) and labels in [0, 1], the mean over ``axis``.

    Args:
        from_logits: whether ``y_pred`` are logits.
        label_smoothing: in [0, 1]; labels become ``y * (1 - s) + s / 2``.
    """
    return _binary_values(y_true, y_pred, from_logits, label_smoothing).mean(axis)


def _binary_values(y_true, y_pred, from_logits=False, label_smoothing=0.0, reduction="none"):
    y_true, y_pred = both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        return F.binary_cross_entropy_with_logits(y_pred, y_true, reduction=reduction)
    logits = _logits(y_pred, "_sigmoid_logits")
    low, high = _clip_range(y_pred.dtype, settings.epsilon())
    if logits is None:
        clipped = y_pred.clamp(low, high)
        # torch's own kernel refuses labels outside [0, 1], which Keras computes.
        values = -(y_true * clipped.log() + (1 - y_true) * torch.log1p(-clipped))
        return values if reduction == "none" else values.mean()
    logits = logits.clamp(math.log(low / (1 - low)), math.log(high / (1 - high)))
    return F.binary_cross_entropy_with_logits(logits, y_true, reduction=reduction)


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Cross entropy of probabilities (or logits) and one-hot labels over ``axis``.

    Args:
        from_logits: whether ``y_pred`` are logits.
        label_smoothing: in [0, 1]; labels become ``y * (1 - s) + s / classes``.
    """
    y_true, y_pred = both(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            "categorical_crossentropy: expected y_true and y_pred of the same shape (one-hot labels). "
            f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}. "
            "For integer labels use sparse_categorical_crossentropy."
        )
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / y_true.shape[axis]
    return -(y_true * _log_probabilities(y_pred, from_logits, axis)).sum(axis)


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """Cross entropy of probabilities (or logits) and integer labels over ``axis``.

    Args:
        from_logits: whether ``y_pred`` are logits.
        ignore_class: a label whose samples have loss 0, or None.

    Raises: ValueError if the shapes without ``axis`` differ.
    """
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if y_true.dim() == y_pred.dim() and y_true.shape[-1] == 1:
        y_true = y_true.squeeze(-1)
    if y_true.shape != y_pred.movedim(axis, -1).shape[:-1]:
        raise ValueError(
            "sparse_categorical_crossentropy: expected integer labels of y_pred's shape without its class axis. "
            f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}. "
            "For one-hot labels use categorical_crossentropy."
        )
    labels = y_true.long()
    ignored = None if ignore_class is None else labels == ignore_class
    if ignored is not None:
        labels = labels.masked_fill(ignored, 0)
    values = -_log_probabilities(y_pred, from_logits, axis).gather(axis, labels.unsqueeze(axis)).squeeze(axis)
    if ignored is not None:
        values = values.masked_fill(ignored, 0)
        values._keras_mask = ~ignored  # a mean is over the others only
    return values


def _log_probabilities(y_pred, from_logits, axis):
    if from_logits:
        return F.log_softmax(y_pred, axis)
    low, high = _clip_range(y_pred.dtype, settings.epsilon())
    logits = _logits(y_pred, "_softmax_logits") if axis in (-1, y_pred.dim() - 1) else None
    if logits is not None:
        return F.log_softmax(logits, axis).clamp(math.log(low), math.log(high))
    return (y_pred / y_pred.sum(axis, keepdim=True)).clamp(low, high).log()


@functools.cache
def _clip_range(dtype, low):
    """``[epsilon, 1 - epsilon]`` as the dtype has it: 1 - 1e-7 is 1 - 1.19e-7 in float32."""
    with torch._C.DisableTorchFunction():  # a real number in a meta run, too
        return low, float(torch.tensor(1 - low, dtype=dtype, device="cpu"))


def _whole_mean_squared_error(y_true, y_pred):
    return F.mse_loss(y_pred, y_true)


def _whole_mean_absolute_error(y_true, y_pred):
    return F.l1_loss(y_pred, y_true)


def _whole_binary_crossentropy(y_true, y_pred):
    return _binary_values(y_true, y_pred, reduction="mean")


# The mean over samples and values in one kernel: what training uses where nothing is weighted or masked.
WHOLE = {
    mean_squared_error: _whole_mean_squared_error,
    mean_absolute_error: _whole_mean_absolute_error,
    binary_crossentropy: _whole_binary_crossentropy,
}

"""Losses on labels: ``loss(y_true, y_pred)`` gives one value for each sample.

Where ``y_pred`` comes out of a softmax or a sigmoid, its logits are still with it (``kshim.activations`` leaves
them as ``_softmax_logits`` and ``_sigmoid_logits``), and the loss is computed from them: fused, stable, with half
the backward pass. The clip of Keras to ``[epsilon, 1 - epsilon]`` is kept, on the other side of the logarithm: same
value, same gradient.
"""

import functools
import math

import torch
from torch.nn import functional as F

from kshim.core import dtypes, settings
from kshim.losses.base import as_tensor, both


def logits_behind(y_pred, attribute):
    """The logits that ``y_pred`` was made of, or None; an in-place change of ``y_pred`` makes them stale."""
    logits = getattr(y_pred, attribute, None)
    return logits if logits is not None and y_pred._version == 0 else None


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """Cross entropy of probabilities (or logits) and labels in [0, 1], the mean over ``axis``.

    Args:
        from_logits: whether ``y_pred`` are logits.
        label_smoothing: in [0, 1]; labels become ``y * (1 - s) + s / 2``.
    """
    return binary_values(y_true, y_pred, from_logits, label_smoothing).mean(axis)


def binary_values(y_true, y_pred, from_logits=False, label_smoothing=0.0, reduction="none"):
    """The binary cross entropy of each value, or (``reduction="mean"``) the mean of all."""
    y_true, y_pred = both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        return F.binary_cross_entropy_with_logits(y_pred, y_true, reduction=reduction)
    logits = logits_behind(y_pred, "_sigmoid_logits")
    low, high = clip_range(y_pred.dtype, settings.epsilon())
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
    values = -log_probabilities_of_classes(y_pred, from_logits, axis).gather(axis, labels.unsqueeze(axis)).squeeze(axis)
    if ignored is not None:
        values = values.masked_fill(ignored, 0)
        values._keras_mask = ~ignored  # a mean is over the others only
    return values


def _log_probabilities(y_pred, from_logits, axis):
    if from_logits:
        return F.log_softmax(y_pred, axis)
    low, high = clip_range(y_pred.dtype, settings.epsilon())
    logits = logits_behind(y_pred, "_softmax_logits") if axis in (-1, y_pred.dim() - 1) else None
    if logits is not None:
        return F.log_softmax(logits, axis).clamp(math.log(low), math.log(high))
    return (y_pred / y_pred.sum(axis, keepdim=True)).clamp(low, high).log()


log_probabilities_of_classes = _log_probabilities


@functools.cache
def clip_range(dtype, low):
    """``[epsilon, 1 - epsilon]`` as the dtype has it: 1 - 1e-7 is 1 - 1.19e-7 in float32."""
    with torch._C.DisableTorchFunction():  # a real number in a meta run, too
        return low, float(torch.tensor(1 - low, dtype=dtypes.to_torch(dtype), device="cpu"))  # a name, if symbolic


def whole_binary_crossentropy(y_true, y_pred):
    return binary_values(y_true, y_pred, reduction="mean")


def binary_focal_crossentropy(y_true, y_pred, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False,
                              label_smoothing=0.0, axis=-1):  # fmt: skip
    """Binary cross entropy times ``(1 - p) ** gamma``, p the probability of the right label; the mean over ``axis``.

    Args:
        apply_class_balancing: whether label 1 weighs ``alpha`` and label 0 ``1 - alpha``.
        alpha: in [0, 1].
        gamma: 0 or above; 0 leaves the cross entropy.
        from_logits: whether ``y_pred`` are logits.
        label_smoothing: in [0, 1]; labels become ``y * (1 - s) + s / 2``.

    Source: Lin et al., 2017, Focal Loss for Dense Object Detection.
    """
    y_true, y_pred = both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / 2
    if from_logits:
        y_pred = torch.sigmoid(y_pred)
    values = binary_values(y_true, y_pred)
    right = y_true * y_pred + (1 - y_true) * (1 - y_pred)
    values = (1 - right) ** gamma * values
    if apply_class_balancing:
        values = (y_true * alpha + (1 - y_true) * (1 - alpha)) * values
    return values.mean(axis)


def categorical_focal_crossentropy(y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0,
                                   axis=-1):  # fmt: skip
    """``-alpha * (1 - p) ** gamma * y * log(p)`` of probabilities p and one-hot labels, summed over ``axis``.

    Args:
        alpha: weight, a number or one for each class.
        gamma: 0 or above.
        from_logits: whether ``y_pred`` are logits.
        label_smoothing: in [0, 1]; labels become ``y * (1 - s) + s / classes``.

    Source: Lin et al., 2017, Focal Loss for Dense Object Detection.
    """
    y_true, y_pred = both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / y_true.shape[-1]
    if from_logits:
        y_pred = torch.softmax(y_pred, axis)
    low, high = clip_range(y_pred.dtype, settings.epsilon())
    probabilities = (y_pred / y_pred.sum(axis, keepdim=True)).clamp(low, high)
    weight = (1 - probabilities) ** gamma * torch.as_tensor(alpha, dtype=y_pred.dtype, device=y_pred.device)
    return (weight * -y_true * probabilities.log()).sum(axis)


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """``(1 - p ** q) / q``, p the probability of the right class; robust to wrong labels.

    Args:
        y_true: integer labels.
        y_pred: probabilities over the last axis.
        q: in (0, 1); near 0 it is the cross entropy, near 1 the absolute error.

    Source: Zhang and Sabuncu, 2018, arXiv:1805.07836.
    """
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    right = y_pred.gather(-1, y_true.long().unsqueeze(-1)).squeeze(-1)
    return (1 - right**q) / q


def _signs(y_true):
    """Labels as -1 and 1: those that are all 0 or 1 are moved there, others stay."""
    binary = ((y_true == 0) | (y_true == 1)).all()
    return torch.where(binary, 2 * y_true - 1, y_true)


def hinge(y_true, y_pred):
    """``mean(max(1 - y_true * y_pred, 0))`` over the last axis, of labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = both(y_true, y_pred)
    return (1 - _signs(y_true) * y_pred).clamp(min=0).mean(-1)


def squared_hinge(y_true, y_pred):
    """``mean(max(1 - y_true * y_pred, 0) ** 2)`` over the last axis, of labels -1 and 1 (or 0 and 1)."""
    y_true, y_pred = both(y_true, y_pred)
    return torch.square((1 - _signs(y_true) * y_pred).clamp(min=0)).mean(-1)


def categorical_hinge(y_true, y_pred):
    """``max(neg - pos + 1, 0)``: pos the prediction of the right class, neg the largest of the others (or 0)."""
    y_true, y_pred = both(y_true, y_pred)
    return torch.relu(((1 - y_true) * y_pred).amax(-1) - (y_true * y_pred).sum(-1) + 1)


def ctc(y_true, y_pred):
    """Connectionist temporal classification: how unlikely the labels are under all alignments to the steps.

    Args:
        y_true: integer labels ``(batch, labels)``; 0 is padding and the blank.
        y_pred: logits ``(batch, steps, classes)``.

    Raises: ValueError for other ranks.

    Source: Graves et al., 2006.
    """
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if y_true.dim() != 2 or y_pred.dim() != 3:
        raise ValueError(
            "ctc: expected y_true of shape (batch_size, max_length) and y_pred of shape "
            f"(batch_size, max_length, num_classes). Received: y_true.shape={tuple(y_true.shape)}, "
            f"y_pred.shape={tuple(y_pred.shape)}."
        )
    y_pred = y_pred.to(torch.promote_types(y_pred.dtype, torch.float32))
    steps = torch.full((y_pred.shape[0],), y_pred.shape[1], device=y_pred.device)
    return F.ctc_loss(
        F.log_softmax(y_pred, -1).transpose(0, 1), y_true.long(), steps, (y_true != 0).sum(-1), reduction="none"
    )


def circle(y_true, y_pred, ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4):
    """Circle loss of embeddings: each sample against those of its own label and those of others.

    Args:
        y_true: integer labels ``(batch,)`` or ``(batch, 1)``.
        y_pred: embeddings ``(batch, size)`` of length 1.
        ref_labels, ref_embeddings: what they are compared with; None means the batch itself.
        remove_diagonal: whether a sample is not compared with the one at its own place.
        gamma: scale, above 0.
        margin: relaxation, in [0, 1].

    Samples whose loss is 0 are left out of a mean.

    Source: Sun et al., 2020, arXiv:2002.10857.
    """
    labels, y_pred = as_tensor(y_true).int().reshape(-1, 1), as_tensor(y_pred)
    references = y_pred if ref_embeddings is None else as_tensor(ref_embeddings)
    reference_labels = labels if ref_labels is None else as_tensor(ref_labels).int().reshape(-1, 1)
    distances = (1 - y_pred @ references.t()).clamp(min=0)
    same = labels == reference_labels.t()
    others = ~same
    if remove_diagonal:
        same = same & ~torch.eye(*same.shape, dtype=torch.bool, device=same.device)
    near = -gamma * (margin + distances).clamp(min=0) * (margin - distances)
    far = gamma * (1 + margin - distances).clamp(min=0) * (1 - margin - distances)
    values = F.softplus(
        near.masked_fill(~same, -torch.inf).logsumexp(1) + far.masked_fill(~others, -torch.inf).logsumexp(1)
    )
    values._keras_mask = values > 0
    return values

"""How older versions averaged losses and metrics, took logarithms of probabilities, and named what they logged.

Up to 2.2.4 (Keras' own ``weighted_masked_objective``) a batch's values were multiplied by the mask and divided by the
mask's mean; then averaged over all axes that the weights have not; then multiplied by the weights and divided by the
share of weights that are not 0. Losses and metrics alike: a metric's epoch was the mean of its batches, by their
number of samples. 2.3.1 multiplied the mask into the weights, so masked steps counted in the mean of a loss.
Measured in ``default_changes.md``, sections 3 to 5; an all-zero mask or weight, nan there, gives 0 here.
"""

import functools
import math
import sys

import torch
from torch.nn import functional as F

from kshim import losses, metrics
from kshim.core import settings
from kshim.losses import base as losses_base
from kshim.losses import classification
from kshim.losses.base import as_tensor, both, broadcast_weight
from kshim.metrics.base import Mean
from kshim.training import compile as compiled

accuracy = sys.modules["kshim.metrics.accuracy"]  # the module: by `from` it is the function of that name


def old_mean(values, sample_weight=None, mask=None):
    """The mean of a batch up to 2.2.4: a scalar."""
    if mask is not None and values.dim():
        kept = broadcast_weight(mask, values)
        values = values * kept / _above_zero(as_tensor(mask).to(values.dtype).mean())
    if sample_weight is not None:
        weight = as_tensor(sample_weight).to(values.device, values.dtype)
        if weight.dim() == values.dim() + 1 and weight.shape[-1] == 1:
            weight = weight.squeeze(-1)
        if values.dim() > max(weight.dim(), 1):
            values = values.mean(tuple(range(max(weight.dim(), 1), values.dim())))
        weight = weight if values.dim() == 0 else broadcast_weight(weight, values)
        values = values * weight / _above_zero((weight != 0).to(values.dtype).mean())
    return values.mean()


def _above_zero(share):
    return torch.where(share == 0, 1.0, share)


def reduced(today, loss, values, sample_weight=None, mask=None):
    """``Loss.reduced`` up to 2.3.1."""
    averaged = loss.reduction in ("sum_over_batch_size", "mean")
    if not averaged or (sample_weight is None and mask is None):
        return today(loss, values, sample_weight, mask)
    if settings.holds(until="2.2.4"):
        return old_mean(values, sample_weight, mask)
    if mask is not None and values.dim():
        mask = broadcast_weight(mask, values)
        sample_weight = mask if sample_weight is None else broadcast_weight(sample_weight, values) * mask
    return today(loss, values, sample_weight, None)


def add_batch(today, mean, values, sample_weight, mask, rows):
    """``Mean.add_batch`` up to 2.2.4; up to 1.2.2 metrics did not see masks."""
    mean.to(values.device)
    if settings.holds(until="1.2.2"):
        mask = None
    mean.total.add_(old_mean(values, sample_weight, mask), alpha=rows)
    mean.count.add_(rows)


def add_loss_of_output(today, mean, value, rows):
    """In 2.3.1 each batch counted alike in the loss of one of several outputs."""
    today(mean, value, 1)


def log_name(today, prefix, name, weighted, taken):
    """Up to 2.2.4 ``weighted_`` stood before every weighted metric, in 2.3.1 before none."""
    if settings.holds(until="2.2.4"):
        return today(prefix, f"weighted_{name}" if weighted else name, False, taken)
    return today(prefix, name, False, taken)


def binary_values(today, y_true, y_pred, from_logits=False, label_smoothing=0.0, reduction="none"):
    """In 2.3.1 and tf.keras the logarithm had epsilon added once more; behind a sigmoid nothing was clipped."""
    if from_logits:
        return today(y_true, y_pred, from_logits, label_smoothing, reduction)
    y_true, y_pred = both(y_true, y_pred)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / 2
    logits = classification.logits_behind(y_pred, "_sigmoid_logits")
    if logits is not None:
        return F.binary_cross_entropy_with_logits(logits, y_true, reduction=reduction)
    epsilon = settings.epsilon()
    clipped = y_pred.clamp(*classification.clip_range(y_pred.dtype, epsilon))
    # TensorFlow's graphs (2.3.1) add the constants first, which float32 shows.
    rest = 1 - clipped + epsilon if settings.holds(since="tf.keras") else (1 + epsilon) - clipped
    values = -(y_true * torch.log(clipped + epsilon) + (1 - y_true) * torch.log(rest))
    return values if reduction == "none" else values.mean()


def log_probabilities_of_classes(today, y_pred, from_logits, axis):
    """Up to tf.keras probabilities were clipped, then normalised; from 2.3.1 on not at all behind a softmax."""
    if from_logits:
        return today(y_pred, from_logits, axis)
    logits = classification.logits_behind(y_pred, "_softmax_logits") if axis in (-1, y_pred.dim() - 1) else None
    if logits is not None and settings.holds(since="2.3.1"):
        return F.log_softmax(logits, axis)
    low, high = classification.clip_range(y_pred.dtype, settings.epsilon())
    if logits is None:
        return F.log_softmax(y_pred.clamp(low, high).log(), axis)
    return F.log_softmax(F.log_softmax(logits, axis).clamp(math.log(low), math.log(high)), axis)


def binary_accuracy(today, y_true, y_pred, threshold=0.5):
    """Up to 2.3.1 the prediction was rounded, and there was one value for each sample."""
    if threshold != 0.5:
        return today(y_true, y_pred, threshold).mean(-1)
    y_true, y_pred = losses_base.same_ranks(as_tensor(y_true), as_tensor(y_pred))
    values = (y_true == y_pred.round()).float()
    return values.mean(-1) if values.dim() else values


def accuracy_for(y_true_shape, y_pred_shape, loss=None):
    """The accuracy that was meant: up to 2.3.1 the loss told, in 0.3.3 the width alone."""
    if settings.holds(since="tf.keras"):
        return accuracy.accuracy_for(y_true_shape, y_pred_shape, loss)
    binary = loss is losses.binary_crossentropy and settings.holds(since="1.2.2")
    if binary or y_pred_shape[-1:] == (1,):
        return accuracy.binary_accuracy
    if loss is losses.sparse_categorical_crossentropy or y_true_shape != y_pred_shape:
        return accuracy.sparse_categorical_accuracy
    return accuracy.categorical_accuracy


def crossentropy_for(y_true_shape, y_pred_shape, loss=None):
    """The cross entropy that ``metrics=["ce"]`` meant from 2.3.1 on."""
    return compiled.crossentropy_like(accuracy_for(y_true_shape, y_pred_shape, loss))


class Reduction:
    """tf.keras' words for a loss's reduction."""

    AUTO, NONE, SUM, SUM_OVER_BATCH_SIZE = "auto", "none", "sum", "sum_over_batch_size"

    @classmethod
    def all(cls):
        """All of them."""
        return cls.AUTO, cls.NONE, cls.SUM, cls.SUM_OVER_BATCH_SIZE

    @classmethod
    def validate(cls, key):
        """Raise ValueError where ``key`` is none of them."""
        if key not in cls.all():
            raise ValueError(f"Expected one of {cls.all()}. Received: {key!r}.")


# owner, name, formula, since, until
FORMULAS = (
    (losses.Loss, "reduced", reduced, None, "2.3.1"),
    (Mean, "add_batch", add_batch, None, "2.2.4"),
    (compiled.CompiledLoss, "add_batch", add_loss_of_output, "2.3.1", "2.3.1"),
    (compiled.CompiledMetrics, "log_name", log_name, None, "2.3.1"),
    (classification, "binary_values", binary_values, "2.3.1", "tf.keras"),
    (classification, "log_probabilities_of_classes", log_probabilities_of_classes, "1.2.2", "tf.keras"),
)
FUNCTIONS = {"binary_accuracy": (binary_accuracy, None, "2.3.1")}


def by_dialect(today, formula, since, until):
    """``today``, or in the dialects of the range ``formula(today, ...)``."""

    @functools.wraps(today)
    def dispatch(*args, **kwargs):
        if settings.holds(since, until):
            return formula(today, *args, **kwargs)
        return today(*args, **kwargs)

    return dispatch


def attach():
    """Put the formulas in their places."""
    for owner, name, formula, since, until in FORMULAS:
        today = getattr(owner, name)
        own = by_dialect(today, formula, since, until)
        setattr(owner, name, staticmethod(own) if isinstance(vars(owner)[name], staticmethod) else own)
    for name, row in FUNCTIONS.items():
        own = by_dialect(getattr(accuracy, name), *row)
        for module in (accuracy, metrics):
            setattr(module, name, own)
        metrics.METRICS.table[name] = own
    losses_base.OTHER_WORDS["auto"] = "sum_over_batch_size"
    compiled.BY_SHAPE.update(accuracy=accuracy_for, acc=accuracy_for, crossentropy=crossentropy_for,
                             ce=crossentropy_for)  # fmt: skip

"""Metrics of older versions: functions of one batch up to 1.2.2, and the classes that tf.keras alone had."""

from typing import Any

import torch

from kshim.core import checks, settings
from kshim.core.arrays import to_tensor
from kshim.legacy import functions
from kshim.losses.base import both, broadcast_weight
from kshim.metrics import base, confusion, means


def _bits(x):
    return x.clamp(0, 1).round()


def _share(part, whole):
    return part / (whole + settings.epsilon())


def precision(y_true, y_pred):
    """Of the predictions rounded to 1, the share that is 1; of one batch.

    Source: Keras 1.2.2 ``metrics.py``.
    """
    y_true, y_pred = both(y_true, y_pred)
    return _share(_bits(y_true * y_pred).sum(), _bits(y_pred).sum())


def recall(y_true, y_pred):
    """Of the targets that are 1, the share predicted so; of one batch.

    Source: Keras 1.2.2 ``metrics.py``.
    """
    y_true, y_pred = both(y_true, y_pred)
    return _share(_bits(y_true * y_pred).sum(), _bits(y_true).sum())


def fbeta_score(y_true, y_pred, beta=1):
    """The harmonic mean of precision and recall, the recall counting ``beta`` times; 0 where no target is 1.

    Args:
        beta: 0 or above.

    Raises: ValueError for a ``beta`` below 0.

    Source: Keras 1.2.2 ``metrics.py``.
    """
    if beta < 0:
        raise ValueError(f"fbeta_score: expected `beta` to be at least 0, where precision alone counts. Got: {beta}.")
    y_true, y_pred = both(y_true, y_pred)
    p, r, square = precision(y_true, y_pred), recall(y_true, y_pred), beta**2
    score = _share((1 + square) * (p * r), square * p + r)
    return torch.where(_bits(y_true).sum() == 0, torch.zeros_like(score), score)


def fmeasure(y_true, y_pred):
    """``fbeta_score`` with ``beta=1``.

    Source: Keras 1.2.2 ``metrics.py``.
    """
    return fbeta_score(y_true, y_pred, beta=1)


def matthews_correlation(y_true, y_pred):
    """The correlation of two classes with their rounded predictions, of one batch, in [-1, 1].

    Source: Keras 1.2.2 ``metrics.py``; Matthews, 1975.
    """
    actual, found = (_bits(x) for x in both(y_true, y_pred))
    hits, misses = (actual * found).sum(), (actual * (1 - found)).sum()
    rejected, alarms = ((1 - actual) * (1 - found)).sum(), ((1 - actual) * found).sum()
    spread = ((hits + alarms) * (hits + misses) * (rejected + alarms) * (rejected + misses)).sqrt()
    return _share(hits * rejected - alarms * misses, spread)


def cosine_proximity(y_true, y_pred, axis=-1):
    """As a metric from 2.3.1 on the cosine itself; before, the loss."""
    if settings.holds(since="2.3.1"):
        return means.cosine_similarity(y_true, y_pred, axis)
    return functions.cosine_proximity(y_true, y_pred, axis)


def of_one_batch(old, today):
    """What a string says: up to 1.2.2 the function ``old`` of a batch, since then the metric class ``today``."""

    def new(cls, *args, **kwargs):
        return old if settings.holds(until="1.2.2") else today(*args, **kwargs)

    return type(old.__name__, (), {"__new__": new, "__doc__": old.__doc__})


class MeanTensor(base.Metric):
    """The weighted mean of each element of the values, over all updates.

    Args:
        name, dtype: as for ``Metric``.
        shape: of the values; None takes that of the first ones.

    Raises: ValueError where values of another shape come, or a result is asked for before any.

    Source: tf.keras ``metrics/base_metric.py``.
    """

    def __init__(self, name="mean_tensor", dtype=None, shape=None):
        super().__init__(dtype=dtype, name=name)
        self.shape = shape
        self.total: Any = None
        self.count: Any = None
        self._kept = ("shape", *self._kept)
        if shape is not None:
            self._build(shape)

    def _build(self, shape):
        self.total = self.add_variable(shape, name="total")
        self.count = self.add_variable(shape, name="count")

    def update_state(self, values, sample_weight=None):
        with torch.no_grad():
            values = to_tensor(values)
            if self.total is None:
                self._build(tuple(values.shape))
            elif values.shape != self.total.shape:
                checks.fail(self, f"values of shape {tuple(self.total.shape)}, as before",
                            f"shape {tuple(values.shape)}")  # fmt: skip
            self.to(values.device)
            values = values.to(self.total.dtype)
            if sample_weight is None:
                self.total.add_(values)
                self.count.add_(1)
                return
            weight = broadcast_weight(sample_weight, values)
            self.total.add_(values * weight)
            self.count.add_(weight.expand_as(values))

    def result(self):
        if self.total is None:
            checks.fail(self, "values before a result: call `update_state`, or give `shape`", "none")
        return torch.where(self.count == 0, 0.0, self.total / self.count)


class MeanRelativeError(base.Mean):
    """The mean of ``abs(y_true - y_pred) / normalizer``, 0 where the normalizer is 0.

    Args:
        normalizer: array that broadcasts to the predictions.
        name, dtype: as for ``Metric``.

    Source: tf.keras ``metrics/regression_metrics.py``.
    """

    _direction = "down"

    def __init__(self, normalizer, name=None, dtype=None):
        super().__init__(name, dtype)
        self.normalizer = to_tensor(normalizer)
        self._kept = ("normalizer", *self._kept)

    def update_state(self, y_true, y_pred, sample_weight=None):  # type: ignore[override]
        with torch.no_grad():
            y_true, y_pred = both(y_true, y_pred)
            normalizer = self.normalizer.to(y_pred.device, y_pred.dtype)
            if normalizer.dim() == y_pred.dim() + 1 and normalizer.shape[-1] == 1:
                normalizer = normalizer.squeeze(-1)
            error = (y_true - y_pred).abs()
            error = torch.where(normalizer == 0, 0.0, error / torch.where(normalizer == 0, 1.0, normalizer))
            super().update_state(error, sample_weight)


def clone_metric(metric):
    """A metric with the same arguments and no state; of 2.3.1."""
    return type(metric).from_config(metric.get_config())


def clone_metrics(metrics):
    """The same for each of a list."""
    return [clone_metric(metric) for metric in metrics]


FUNCTIONS = (clone_metric, clone_metrics, fbeta_score, fmeasure, matthews_correlation, precision, recall)
CLASSES = (MeanRelativeError, MeanTensor)
STRINGS = {
    "cosine": cosine_proximity, "cosine_proximity": cosine_proximity, "f1score": fmeasure, "fbeta_score": fbeta_score,
    "fmeasure": fmeasure, "fscore": fmeasure, "matthews_correlation": matthews_correlation,
    "precision": of_one_batch(precision, confusion.Precision), "recall": of_one_batch(recall, confusion.Recall),
    "MeanRelativeError": MeanRelativeError, "MeanTensor": MeanTensor,
}  # fmt: skip

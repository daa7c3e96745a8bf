"""R2 and F scores: sums for each column, and a quotient of them."""

import warnings
from typing import ClassVar

import torch

from kshim.core import checks, settings
from kshim.losses.base import as_tensor, same_rank
from kshim.metrics.base import Metric


class _Columns(Metric):
    """Base: state of one number for each column, made from the first batch."""

    STATE: ClassVar = {}  # attribute -> name of its variable

    def make_state(self, shape):
        """Make the variables, which the first batch tells the shape of."""
        for attribute, name in self.STATE.items():
            setattr(self, attribute, self.add_variable(tuple(shape), name=name))
        self._built = True

    def _check(self, y_true, y_pred):
        if y_true.dim() != 2 or y_pred.dim() != 2:
            checks.fail(
                self, f"2D inputs with shape (batch_size, output_dim), as {type(self).__name__} expects 2D inputs",
                f"y_pred.shape={tuple(y_pred.shape)} and y_true.shape={tuple(y_true.shape)}",
            )  # fmt: skip


class R2Score(_Columns):
    """``1 - sum((y_true - y_pred)**2) / sum((y_true - mean)**2)`` for each column.

    Args:
        class_aggregation: ``uniform_average``, ``variance_weighted_average``, or None for the columns themselves.
        num_regressors: how many predictors the model has: the score is adjusted for them; 0 leaves it.
        name, dtype: as for ``Metric``.

    Raises: ValueError for an unknown ``class_aggregation``, ``num_regressors`` below 0, inputs that are no matrices.

    Source: Keras 3 ``metrics/regression_metrics.py``.
    """

    _direction = "up"
    AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")
    STATE: ClassVar = {"squared_sum": "squared_sum", "sum": "sum", "total_mse": "residual", "count": "count"}

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if class_aggregation not in self.AGGREGATIONS:
            checks.fail(
                self, f"`class_aggregation` to be one of {self.AGGREGATIONS}", f"class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            checks.fail(self, "`num_regressors` to be a value >= 0", f"num_regressors={num_regressors}")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self._kept = ("name", "dtype", "class_aggregation", "num_regressors")
        self.num_samples = self.add_variable(name="num_samples")
        self._built = False

    def update_state(self, y_true, y_pred, sample_weight=None):
        with torch.no_grad():
            y_true, y_pred = (as_tensor(x).to(self.num_samples.dtype) for x in (y_true, y_pred))
            y_true = same_rank(y_true, y_pred)
            if not self._built:
                self._check(y_true, y_pred)
                self.make_state(y_pred.shape[1:])
            self.to(y_pred.device)
            weight = as_tensor(1 if sample_weight is None else sample_weight).to(y_true)
            weight = (weight.unsqueeze(1) if weight.dim() == 1 else weight).expand_as(y_true)
            weighted = y_true * weight
            self.sum.add_(weighted.sum(0))
            self.squared_sum.add_((y_true * weighted).sum(0))
            self.total_mse.add_(((y_true - y_pred) ** 2 * weight).sum(0))
            self.count.add_(weight.sum(0))
            self.num_samples.add_(y_true.numel())

    def result(self):
        if not self._built:
            return torch.zeros(())
        total = self.squared_sum - self.sum * (self.sum / self.count)
        scores = 1 - self.total_mse / total
        scores = torch.where(torch.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = scores.mean()
        elif self.class_aggregation == "variance_weighted_average":
            scores = (total * scores).sum() / total.sum()
        return self._adjusted(scores) if self.num_regressors else scores

    def _adjusted(self, score):
        """The score less what ``num_regressors`` predictors explain by chance; as it is where samples are too few."""
        samples = int(self.num_samples)
        if self.num_regressors >= samples - 1:
            why = "Division by zero in" if self.num_regressors == samples - 1 else (
                "More independent predictors than datapoints in"
            )  # fmt: skip
            warnings.warn(f"{why} adjusted R2 score. Falling back to standard R2 score.", stacklevel=3)
            return score
        return 1 - (1 - score) * (samples - 1) / (samples - self.num_regressors - 1)


class FBetaScore(_Columns):
    """``(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`` for each class.

    Args:
        average: ``micro`` (all classes as one), ``macro`` (the mean), ``weighted`` (by the number of labels), or None
            for the classes themselves.
        beta: a float above 0, how much recall weighs against precision.
        threshold: in (0, 1]: predictions above it are positive; None takes the largest of a row.
        name, dtype: as for ``Metric``.

    Raises: ValueError for a value out of its range, or inputs that are no matrices.

    Source: Keras 3 ``metrics/f_score_metrics.py``.
    """

    _direction = "up"
    AVERAGES = (None, "micro", "macro", "weighted")
    STATE: ClassVar = {
        name: name for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights")
    }

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(name=name, dtype=dtype)
        if average not in self.AVERAGES:
            checks.fail(self, f"`average` to be one of {self.AVERAGES}", f"average={average}")
        if not isinstance(beta, float) or beta <= 0:
            checks.fail(self, "`beta` to be a Python float above 0", f"beta={beta} of type {type(beta)}")
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            checks.fail(
                self, "`threshold` to be a Python float with 0 < threshold <= 1",
                f"threshold={threshold} of type {type(threshold)}",
            )  # fmt: skip
        self.average, self.beta, self.threshold = average, beta, threshold
        self._kept = ("name", "dtype", "average", "beta", "threshold")
        self._built = False

    def update_state(self, y_true, y_pred, sample_weight=None):
        with torch.no_grad():
            y_true, y_pred = (as_tensor(x).to(dtype=getattr(torch, self.dtype)) for x in (y_true, y_pred))
            if not self._built:
                self._check(y_true, y_pred)
                self.make_state(() if self.average == "micro" else y_pred.shape[1:])
            self.to(y_pred.device)
            if self.threshold is None:
                chosen = (y_pred >= y_pred.amax(-1, keepdim=True)) & (y_pred.abs() > 1e-9)
            else:
                chosen = y_pred > self.threshold
            chosen = chosen.to(y_true.dtype)
            parts = (chosen * y_true, chosen * (1 - y_true), (1 - chosen) * y_true, y_true)
            weight = None if sample_weight is None else as_tensor(sample_weight).to(y_true).unsqueeze(1)
            for name, part in zip(self.STATE, parts, strict=True):
                part = part if weight is None else part * weight
                getattr(self, name).add_(part.sum() if self.average == "micro" else part.sum(0))

    def result(self):
        if not self._built:
            return torch.zeros(())
        low = settings.epsilon()
        precision = self.true_positives / (self.true_positives + self.false_positives + low)
        recall = self.true_positives / (self.true_positives + self.false_negatives + low)
        score = precision * recall / (self.beta**2 * precision + recall + low) * (1 + self.beta**2)
        if self.average == "weighted":
            return (score * (self.intermediate_weights / (self.intermediate_weights.sum() + low))).sum()
        return score if self.average is None else score.mean()


class F1Score(FBetaScore):
    """``FBetaScore`` with ``beta`` 1: the harmonic mean of precision and recall.

    Args:
        average, threshold, name, dtype: as for ``FBetaScore``.

    Source: Keras 3 ``metrics/f_score_metrics.py``.
    """

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average=average, threshold=threshold, name=name, dtype=dtype)
        self._kept = ("name", "dtype", "average", "threshold")

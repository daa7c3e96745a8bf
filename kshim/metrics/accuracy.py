"""Accuracy in its forms: functions, then classes over them."""

import torch

from kshim.losses.base import as_tensor, same_ranks
from kshim.metrics.base import MeanMetricWrapper


def accuracy(y_true, y_pred):
    """1 where the two are equal, else 0, elementwise."""
    y_true, y_pred = same_ranks(as_tensor(y_true), as_tensor(y_pred))
    return (y_true == y_pred).float()


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """1 where ``y_pred > threshold`` is the label, else 0, elementwise.

    Args:
        y_true: labels 0 and 1.
        y_pred: probabilities.
        threshold: a float.
    """
    y_true, y_pred = same_ranks(as_tensor(y_true), as_tensor(y_pred))
    return (y_true == (y_pred > threshold)).float()


def categorical_accuracy(y_true, y_pred):
    """1 where the largest of the last axis is at the same place in both, else 0, one value for each sample."""
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    return (y_true.argmax(-1) == y_pred.argmax(-1)).float()


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where the label is the place of the largest of the last axis, else 0, one value for each sample."""
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if y_true.dim() == y_pred.dim() and y_true.shape[-1] == 1:
        y_true = y_true.squeeze(-1)
    return (y_true == y_pred.argmax(-1)).float()


def accuracy_for(y_true_shape, y_pred_shape):
    """The accuracy that ``"accuracy"`` means for these shapes.

    A width of 1 means binary; labels with one axis less, or a last axis of 1, are class indices; else one-hot.
    """
    if y_pred_shape[-1:] == (1,) or not y_pred_shape:
        return binary_accuracy
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1:] == (1,):
        return sparse_categorical_accuracy
    return categorical_accuracy


class Accuracy(MeanMetricWrapper):
    """Share of predictions equal to the label.

    Args: ``name``, ``dtype`` as for ``Metric``.

    Source: Keras 3 ``metrics/accuracy_metrics.py``.
    """

    _direction = "up"

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """Share of values where ``y_pred > threshold`` is the label.

    Args:
        name, dtype: as for ``Metric``.
        threshold: in (0, 1), or None for 0.5.

    Raises: ValueError if ``threshold`` is not in (0, 1).

    Source: Keras 3 ``metrics/accuracy_metrics.py``.
    """

    _direction = "up"

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        if threshold is not None and not 0 < threshold < 1:
            raise ValueError(f"BinaryAccuracy: expected `threshold` to be in (0, 1). Received: threshold={threshold}.")
        super().__init__(binary_accuracy, name, dtype, threshold=0.5 if threshold is None else threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest prediction is at the label's place; labels one-hot.

    Args: ``name``, ``dtype`` as for ``Metric``.

    Source: Keras 3 ``metrics/accuracy_metrics.py``.
    """

    _direction = "up"

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose largest prediction is the label; labels ints.

    Args: ``name``, ``dtype`` as for ``Metric``.

    Source: Keras 3 ``metrics/accuracy_metrics.py``.
    """

    _direction = "up"

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


def as_float(value):
    """A result as a Python float: the one place where a metric is read back to the host."""
    return float(value.item() if isinstance(value, torch.Tensor) else value)

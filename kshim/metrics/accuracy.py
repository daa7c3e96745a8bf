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


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the place of the label is among those of the ``k`` largest of the last axis, else 0.

    Args:
        y_true: one-hot labels.
        y_pred: scores.
        k: an int above 0.
    """
    return sparse_top_k_categorical_accuracy(as_tensor(y_true).argmax(-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 where the label is the place of one of the ``k`` largest of the last axis, else 0.

    Args:
        y_true: integer labels.
        y_pred: scores, or with ``from_sorted_ids`` the classes themselves, the likeliest first.
        k: an int above 0.
    """
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if y_true.dim() == y_pred.dim() and y_true.shape[-1] == 1:
        y_true = y_true.squeeze(-1)
    if from_sorted_ids:
        return (y_true.unsqueeze(-1) == y_pred[..., :k]).any(-1).float()
    score = y_pred.gather(-1, y_true.long().unsqueeze(-1))
    return ((y_pred > score).sum(-1) < k).float()  # equal scores are all in


def accuracy_for(y_true_shape, y_pred_shape, loss=None):
    """The accuracy that ``"accuracy"`` means for these shapes.

    A width of 1 means binary; labels with one axis less, or a last axis of 1, are class indices; else one-hot.
    ``loss``, the output's loss function or None, does not matter.
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


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose label is among the ``k`` largest predictions; labels one-hot.

    Args:
        k: an int above 0.
        name, dtype: as for ``Metric``.

    Source: Keras 3 ``metrics/accuracy_metrics.py``.
    """

    _direction = "up"

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """Share of samples whose label is among the ``k`` largest predictions; labels ints.

    Args:
        k: an int above 0.
        name, dtype: as for ``Metric``.
        from_sorted_ids: whether the predictions are classes, the likeliest first.

    Source: Keras 3 ``metrics/accuracy_metrics.py``.
    """

    _direction = "up"

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k, self.from_sorted_ids = k, from_sorted_ids


def as_float(value):
    """A result as a Python float: the one place where a metric is read back to the host."""
    return float(value.item() if isinstance(value, torch.Tensor) else value)

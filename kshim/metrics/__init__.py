"""Metrics: functions, and classes that add batches up on the device."""

from kshim import losses
from kshim.core.registry import Registry
from kshim.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
)
from kshim.metrics.base import Mean, MeanMetricWrapper, Metric

METRICS = Registry("metric", "keras.metrics", base=Metric)
METRICS.add(
    Accuracy, BinaryAccuracy, CategoricalAccuracy, Mean, SparseCategoricalAccuracy, accuracy, binary_accuracy,
    categorical_accuracy, sparse_categorical_accuracy, mean=Mean,
    **{name: found for name, found in losses.LOSSES.table.items() if not isinstance(found, type)},
)  # fmt: skip
get, serialize, deserialize = METRICS.get, METRICS.serialize, METRICS.from_config

__all__ = [
    "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "Mean", "MeanMetricWrapper", "Metric",
    "SparseCategoricalAccuracy", "accuracy", "binary_accuracy", "categorical_accuracy", "deserialize", "get",
    "serialize", "sparse_categorical_accuracy",
]  # fmt: skip

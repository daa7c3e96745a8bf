"""Metrics: a class with its arguments, and the targets it is computed on."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from cases import counting

STEPS = (np.arange(60).reshape(5, 3, 4) * 7 % 11 / 11).astype("float32")
CLASSES_STEPS = np.arange(15).reshape(5, 3) * 5 % 7 % 4
SCORES = (np.arange(21).reshape(7, 3) * 5 % 13 / 13).astype("float32")
CLASSES = np.arange(7) * 3 % 5 % 3
ONE = (np.arange(9) * 4 % 9 / 9).astype("float32")
LABELS = np.arange(9) * 2 % 3 % 2

# name -> targets, predictions: batches are cut from them
TARGETS = {
    "equal": (np.arange(12).reshape(6, 2) % 3, (np.arange(12).reshape(6, 2) % 4).astype("float32")),
    "equal_flat": (np.arange(8) % 3, (np.arange(8) % 4).astype("float32")),
    "binary": (LABELS[:, None].astype("float32"), ONE[:, None]),
    "binary_flat_target": (LABELS, ONE[:, None]),
    "binary_flat": (LABELS, ONE),
    "binary_several": (np.eye(3, dtype="float32")[CLASSES], SCORES),
    "binary_steps": (np.eye(4, dtype="float32")[CLASSES_STEPS], STEPS),
    "one_hot": (np.eye(3, dtype="float32")[CLASSES], SCORES),
    "one_hot_integer": (np.eye(3, dtype="int64")[CLASSES], SCORES),
    "one_hot_ties": (np.eye(3, dtype="float32")[CLASSES], np.round(SCORES)),
    "one_hot_steps": (np.eye(4, dtype="float32")[CLASSES_STEPS], STEPS),
    "classes": (CLASSES, SCORES),
    "classes_float": (CLASSES.astype("float32"), SCORES),
    "classes_column": (CLASSES[:, None], SCORES),
    "classes_steps": (CLASSES_STEPS, STEPS),
    "classes_steps_column": (CLASSES_STEPS[..., None], STEPS),
}


class Case(NamedTuple):
    """``cls(**arguments)`` of ``metrics`` on ``TARGETS[targets]``; ``fn`` is its function."""

    cls: str
    fn: str
    targets: str
    arguments: MappingProxyType = MappingProxyType({})

    @property
    def name(self):
        """For pytest."""
        return "-".join([self.fn, self.targets, *(f"{key}_{value}" for key, value in self.arguments.items())])


CASES = [
    *(Case("Accuracy", "accuracy", name) for name in ("equal", "equal_flat")),
    *(Case("BinaryAccuracy", "binary_accuracy", name) for name in TARGETS if name.startswith("binary")),
    *(Case("BinaryAccuracy", "binary_accuracy", name, {"threshold": 0.25}) for name in ("binary", "binary_several")),
    *(Case("CategoricalAccuracy", "categorical_accuracy", name) for name in TARGETS if name.startswith("one_hot")),
    *(Case("SparseCategoricalAccuracy", "sparse_categorical_accuracy", name)
      for name in TARGETS if name.startswith("classes")),
]  # fmt: skip

VALUES = {
    "vector": counting((7,), 3),
    "matrix": counting((7, 3), 3),
    "cube": counting((7, 3, 2), 3),
}

# Public classes that are no row: why.
NO_CASE = {
    "Mean": "takes values: test_mean_is_keras",
    "MeanMetricWrapper": "any function as a metric: test_a_function_as_a_metric",
    "Metric": "the base: test_a_metric_of_the_user",
}

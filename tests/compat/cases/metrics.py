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
    "numbers": (counting((7, 3), 4), counting((7, 3), -3)),
    "numbers_steps": (counting((5, 3, 4), 4), counting((5, 3, 4), -3)),
    "numbers_flat_target": (counting((7,), 4), counting((7, 1), -3)),
    "positive": (np.flip(SCORES, 0).copy() * 3 + 0.1, SCORES + 0.1),
    "bits_logits": (np.eye(3, dtype="float32")[CLASSES], counting((7, 3), 8)),
    "ids": (CLASSES, np.array([[0, 2, 1], [1, 2, 0], [2, 0, 1], [0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1]])),
    "maps": (CLASSES_STEPS, CLASSES_STEPS.T.reshape(5, 3) % 4),
    "maps_one_hot": (np.eye(4, dtype="float32")[CLASSES_STEPS], STEPS),
    "maps_scores": (CLASSES_STEPS, STEPS),
    "maps_bits": ((CLASSES_STEPS > 1).astype("float32"), STEPS[..., 0]),
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
_THRESHOLDS = [{}, {"thresholds": 0.3}, {"thresholds": [0.7, 0.0, 0.3]}, {"thresholds": [0.0, 0.5, 1.0]}]
_COUNTS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
_BINARY = ("binary", "binary_flat", "binary_flat_target", "binary_several", "binary_steps")
_ABOVE = {
    "SensitivityAtSpecificity": "specificity", "SpecificityAtSensitivity": "sensitivity",
    "PrecisionAtRecall": "recall", "RecallAtPrecision": "precision",
}  # fmt: skip
_NUMBERS = {
    "MeanSquaredError": "mean_squared_error", "MeanAbsoluteError": "mean_absolute_error",
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error", "LogCoshError": "log_cosh",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error", "Hinge": "hinge",
    "SquaredHinge": "squared_hinge", "CategoricalHinge": "categorical_hinge",
}  # fmt: skip

# Those whose mean is not one of a public function.
STATES = [
    *(
        Case(name, name, targets, own)
        for name in _COUNTS
        for targets in ("binary", "binary_several")
        for own in _THRESHOLDS
    ),
    *(
        Case(name, name, targets, own)
        for name in ("Precision", "Recall")
        for targets in _BINARY
        for own in _THRESHOLDS[:3]
    ),
    *(
        Case(name, name, "binary_several", own)
        for name in ("Precision", "Recall")
        for own in ({"top_k": 2}, {"class_id": 1}, {"top_k": 1, "class_id": 2})
    ),
    *(
        Case(name, name, targets, {held: 0.6, **own})
        for name, held in _ABOVE.items()
        for targets in ("binary", "binary_several")
        for own in ({}, {"num_thresholds": 1}, {"num_thresholds": 7})
    ),
    *(Case(name, name, "binary_several", {held: 0.6, "class_id": 1}) for name, held in _ABOVE.items()),
    *(
        Case("AUC", "AUC", targets, {"curve": curve, "summation_method": method})
        for targets in ("binary", "binary_several")
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
    ),
    *(
        Case("AUC", "AUC", "binary_several", own)
        for own in (
            {"num_thresholds": 3},
            {"thresholds": [0.3, 0.9, 0.5]},
            {"thresholds": [0.5]},
            {"multi_label": True},
            {"multi_label": True, "num_labels": 3, "curve": "PR"},
            {"multi_label": True, "label_weights": [1.0, 2.0, 3.0]},
            {"label_weights": [1.0, 2.0, 3.0]},
            {"multi_label": True, "thresholds": [0.2, 0.4]},
        )
    ),
    Case("AUC", "AUC", "bits_logits", {"from_logits": True}),
    *(Case("RootMeanSquaredError", "RMSE", name) for name in ("numbers", "numbers_steps", "numbers_flat_target")),
    *(
        Case("R2Score", "R2Score", "numbers", own)
        for own in ({}, {"class_aggregation": None}, {"class_aggregation": "variance_weighted_average"})
    ),
    *(
        Case("FBetaScore", "FBetaScore", "one_hot", {"average": average, "beta": beta, "threshold": threshold})
        for average in (None, "micro", "macro", "weighted")
        for beta in (1.0, 0.5)
        for threshold in (None, 0.4)
    ),
    *(Case("F1Score", "F1Score", "one_hot", {"average": average}) for average in (None, "macro")),
    *(Case("IoU", "IoU", "maps", {"num_classes": 4, "target_class_ids": ids}) for ids in ([0], [1, 3], (0, 2))),
    Case("IoU", "IoU", "maps", {"num_classes": 4, "target_class_ids": [0, 2], "ignore_class": 2}),
    Case("IoU", "IoU", "maps_scores", {"num_classes": 4, "target_class_ids": [0, 2], "sparse_y_pred": False}),
    Case("MeanIoU", "MeanIoU", "maps", {"num_classes": 4}),
    Case("MeanIoU", "MeanIoU", "maps_one_hot", {"num_classes": 4, "sparse_y_true": False, "sparse_y_pred": False}),
    Case("OneHotIoU", "OneHotIoU", "maps_one_hot", {"num_classes": 4, "target_class_ids": [0, 3]}),
    Case("OneHotMeanIoU", "OneHotMeanIoU", "maps_one_hot", {"num_classes": 4}),
    *(Case("BinaryIoU", "BinaryIoU", "maps_bits", own) for own in ({}, {"threshold": 0.2}, {"target_class_ids": [1]})),
]

CASES += [
    *(Case(cls, fn, targets) for cls, fn in _NUMBERS.items()
      for targets in ("numbers", "numbers_steps", "one_hot") if (cls, targets) != ("CategoricalHinge", "flat")),
    *(Case(name, fn, "positive") for name, fn in (("KLDivergence", "kl_divergence"), ("Poisson", "poisson"))),
    *(Case("BinaryCrossentropy", "binary_crossentropy", name) for name in ("binary", "one_hot_steps")),
    Case("BinaryCrossentropy", "binary_crossentropy", "bits_logits", {"from_logits": True, "label_smoothing": 0.1}),
    *(Case("CategoricalCrossentropy", "categorical_crossentropy", name) for name in ("one_hot", "one_hot_steps")),
    Case("CategoricalCrossentropy", "categorical_crossentropy", "bits_logits",
         {"from_logits": True, "label_smoothing": 0.1}),
    *(Case("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", name)
      for name in ("classes", "classes_steps")),
    Case("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", "classes", {"ignore_class": 1}),
    *(Case("TopKCategoricalAccuracy", "top_k_categorical_accuracy", name, {"k": k}) for k in (1, 2)
      for name in ("one_hot", "one_hot_ties", "one_hot_steps")),
    *(Case("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", name, {"k": k}) for k in (1, 2)
      for name in ("classes", "classes_steps")),
    Case("SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", "ids",
         {"k": 2, "from_sorted_ids": True}),
    *(Case("CosineSimilarity", "cosine_similarity", name) for name in ("numbers", "numbers_steps")),
    *(Case(name, fn, targets) for targets in ("numbers", "numbers_steps") for name, fn in (
        ("PearsonCorrelation", "pearson_correlation"), ("ConcordanceCorrelation", "concordance_correlation"))),
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
    "Sum": "takes values: test_sum_is_keras",
    "Metric": "the base: test_a_metric_of_the_user",
}

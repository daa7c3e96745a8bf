"""Losses: a class with its arguments, and the targets it is computed on."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from cases import counting

INSIDE = (np.arange(12).reshape(4, 3) + 1) / 13
SATURATED = [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 1], [1e-8, 1 - 1e-7, 0]]
LOGITS = [[-50, 0, 50], [2, -1, 0.5], [50, -50, 0], [0, 0, 0], [50, 50, -50], [-8, 1, 17]]
CLASSES, CLASSES_6 = np.array([0, 2, 1, 1]), np.array([2, 0, 0, 1, 2, 0])
STEPS, CLASSES_STEPS = (np.arange(24).reshape(2, 3, 4) + 1) / 25, np.array([[0, 2, 1], [3, 3, 0]])
EMBEDDINGS = np.cos(np.arange(24).reshape(6, 4))
EMBEDDINGS = EMBEDDINGS / np.linalg.norm(EMBEDDINGS, axis=-1, keepdims=True)

# name -> targets, predictions
TARGETS = {
    "values": (counting((4, 3), 3), counting((4, 3), -2)),
    "values_steps": (counting((2, 3, 4), 3), counting((2, 3, 4), -2)),
    "values_column": (counting((5, 1), 3), counting((5, 1), -2)),
    "values_flat_target": (counting((5,), 3), counting((5, 1), -2)),
    "values_column_target": (counting((5, 1), 3), counting((5,), -2)),
    "values_integer_target": (np.arange(12).reshape(4, 3), counting((4, 3), -2)),
    "one_hot": (np.eye(3)[CLASSES], INSIDE),
    "one_hot_saturated": (np.eye(3)[CLASSES_6], SATURATED),
    "one_hot_steps": (np.eye(4)[CLASSES_STEPS], STEPS),
    "one_hot_logits": (np.eye(3)[CLASSES_6], LOGITS),
    "one_hot_integer": (np.eye(3, dtype="int64")[CLASSES], INSIDE),
    "soft": (np.flip(INSIDE / INSIDE.sum(-1, keepdims=True), 0), INSIDE),
    "one_unit": (np.array([[0], [1], [1], [0], [1]]), np.array([[0.1], [0.8], [0.0], [1.0], [0.5]])),
    "one_unit_flat_target": (np.array([0, 1, 1, 0, 1]), np.array([[0.1], [0.8], [0.0], [1.0], [0.5]])),
    "classes": (CLASSES, INSIDE),
    "classes_column": (CLASSES[:, None], INSIDE),
    "classes_float": (CLASSES.astype("float32"), INSIDE),
    "classes_saturated": (CLASSES_6, SATURATED),
    "classes_steps": (CLASSES_STEPS, STEPS),
    "classes_steps_column": (CLASSES_STEPS[..., None], STEPS),
    "classes_logits": (CLASSES_6, LOGITS),
    "positive": (np.flip(INSIDE, 0) * 4, INSIDE * 3),
    "positive_steps": (np.flip(STEPS, 0) * 2, STEPS),
    "binary": (np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]]), counting((4, 3), 4)),
    "signs": (np.array([[-1, 1, 1], [1, -1, -1], [1, 1, -1], [-1, -1, 1]]), counting((4, 3), 4)),
    "labels_ctc": (np.array([[1, 2, 0], [3, 3, 1]]), counting((2, 7, 4), 6)),
    "embeddings": (np.array([0, 1, 0, 1, 2, 2]), EMBEDDINGS),
    "embeddings_column": (np.array([[0], [1], [0], [1], [2], [2]]), EMBEDDINGS),
    "pixels": (
        (np.arange(32).reshape(2, 4, 4, 1) % 3 > 0).astype("float32"),
        (np.arange(32).reshape(2, 4, 4, 1) + 1) / 33,
    ),
    "classes_axis_1": (np.array([[0, 2, 1, 0], [1, 2, 0, 1]]), STEPS),
}


class Case(NamedTuple):
    """``cls(**arguments)`` of ``losses`` on ``TARGETS[targets]``; ``fn`` is its function."""

    cls: str
    fn: str
    targets: str
    arguments: MappingProxyType = MappingProxyType({})

    @property
    def name(self):
        """For pytest."""
        return "-".join([self.fn, self.targets, *(f"{key}_{value}" for key, value in self.arguments.items())])

    def arrays(self):
        """Targets and predictions; the predictions float32."""
        y_true, y_pred = TARGETS[self.targets]
        y_true = np.array(y_true)
        return y_true.astype("float32") if y_true.dtype == "float64" else y_true, np.array(y_pred, "float32")


def _cases(cls, fn, targets, arguments=({},)):
    return [Case(cls, fn, name, own) for own in arguments for name in targets]


_VALUES = [name for name in TARGETS if name.startswith("values")] + ["one_hot_steps"]
_ONE_HOT = ["one_hot", "one_hot_saturated", "one_hot_steps", "one_hot_integer", "soft"]
_CLASSES = ["classes", "classes_column", "classes_float", "classes_saturated", "classes_steps", "classes_steps_column"]
_SMOOTH = [{}, {"label_smoothing": 0.1}, {"label_smoothing": 1.0}]
_NUMBERS = {
    "MeanAbsolutePercentageError": "mean_absolute_percentage_error", "LogCosh": "log_cosh", "Huber": "huber",
    "MeanSquaredLogarithmicError": "mean_squared_logarithmic_error", "CosineSimilarity": "cosine_similarity",
}  # fmt: skip
_HINGES = {"Hinge": "hinge", "SquaredHinge": "squared_hinge", "CategoricalHinge": "categorical_hinge"}

CASES = [
    *_cases("MeanSquaredError", "mean_squared_error", _VALUES),
    *_cases("MeanAbsoluteError", "mean_absolute_error", _VALUES),
    *_cases("BinaryCrossentropy", "binary_crossentropy", [*_ONE_HOT, "one_unit", "one_unit_flat_target"], _SMOOTH),
    *_cases("BinaryCrossentropy", "binary_crossentropy", ["one_hot_logits"],
            [{"from_logits": True}, {"from_logits": True, "label_smoothing": 0.2}]),
    *_cases("BinaryCrossentropy", "binary_crossentropy", ["one_hot_steps"], [{"axis": 1}]),
    *_cases("CategoricalCrossentropy", "categorical_crossentropy", _ONE_HOT, _SMOOTH),
    *_cases("CategoricalCrossentropy", "categorical_crossentropy", ["one_hot_logits"],
            [{"from_logits": True}, {"from_logits": True, "label_smoothing": 0.2}]),
    *_cases("CategoricalCrossentropy", "categorical_crossentropy", ["one_hot_steps"], [{"axis": 1}]),
    *_cases("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", _CLASSES,
            [{}, {"ignore_class": 1}, {"ignore_class": 0}]),
    *_cases("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", ["classes_logits"],
            [{"from_logits": True}, {"from_logits": True, "ignore_class": 2}]),
    *_cases("SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", ["classes_axis_1"], [{"axis": 1}]),
    *(case for cls, fn in _NUMBERS.items() for case in _cases(cls, fn, _VALUES)),
    *_cases("CosineSimilarity", "cosine_similarity", ["values_steps"], [{"axis": 1}, {"axis": -2}]),
    *_cases("Huber", "huber", ["values", "values_steps"], [{"delta": 0.3}, {"delta": 2.0}]),
    *_cases("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", ["positive", "positive_steps"]),
    *_cases("KLDivergence", "kl_divergence", ["positive", *_ONE_HOT]),
    *_cases("Poisson", "poisson", ["positive", "positive_steps", "one_hot_saturated"]),
    *(case for cls, fn in _HINGES.items() for case in _cases(cls, fn, ["binary", "signs", "one_hot_steps", "values"])),
    *_cases("BinaryFocalCrossentropy", "binary_focal_crossentropy", [*_ONE_HOT, "one_unit"],
            [{}, {"gamma": 0.5, "label_smoothing": 0.1}, {"apply_class_balancing": True, "alpha": 0.4}]),
    *_cases("BinaryFocalCrossentropy", "binary_focal_crossentropy", ["one_hot_logits"], [{"from_logits": True}]),
    *_cases("CategoricalFocalCrossentropy", "categorical_focal_crossentropy", _ONE_HOT,
            [{}, {"gamma": 0.5, "label_smoothing": 0.1}, {"alpha": 0.7}]),
    *_cases("CategoricalFocalCrossentropy", "categorical_focal_crossentropy", ["one_hot_logits"],
            [{"from_logits": True}]),
    *_cases("CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy", ["classes", "classes_steps"],
            [{"q": 0.5}, {"q": 0.8}]),
    *_cases("CTC", "ctc", ["labels_ctc"]),
    *_cases("Dice", "dice", ["pixels", "one_hot"], [{}, {"axis": -1}]),
    *_cases("Dice", "dice", ["pixels"], [{"axis": (1, 2, 3)}]),
    *_cases("Tversky", "tversky", ["pixels", "one_hot"], [{}, {"alpha": 0.3, "beta": 0.8}, {"axis": -1}]),
    *_cases("Circle", "circle", ["embeddings", "embeddings_column"],
            [{}, {"gamma": 4.0, "margin": 0.2}, {"remove_diagonal": False}]),
]  # fmt: skip

# Public classes that are no row: why.
NO_CASE = {
    "Loss": "the base: test_a_loss_of_the_user",
    "LossFunction": "any function as a loss: test_a_function_as_a_loss",
}

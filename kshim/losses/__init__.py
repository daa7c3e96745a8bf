"""Losses: functions, and classes as data over them."""

import inspect

from kshim.core.checks import fail
from kshim.core.configurable import class_over
from kshim.core.registry import Registry
from kshim.losses.base import REDUCTIONS, Loss, both, reduce, same_ranks
from kshim.losses.classification import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    ctc,
    hinge,
    sparse_categorical_crossentropy,
    squared_hinge,
    whole_binary_crossentropy,
)
from kshim.losses.regression import (
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    whole_mean_absolute_error,
    whole_mean_squared_error,
)
from kshim.losses.segmentation import dice, tversky

# The mean over samples and values in one kernel: what training uses where nothing is weighted or masked.
WHOLE = {
    mean_squared_error: whole_mean_squared_error,
    mean_absolute_error: whole_mean_absolute_error,
    binary_crossentropy: whole_binary_crossentropy,
}


class LossFunction(Loss):
    """A loss from a function ``(y_true, y_pred, **arguments) -> one value for each sample``.

    Args:
        fn: the function.
        reduction, name, dtype: as for ``Loss``.
        kwargs: further arguments for every call of ``fn``.

    Source: Keras 3 ``losses/losses.py``, where it is ``LossFunctionWrapper``.
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **kwargs):
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn, self.arguments = fn, kwargs
        defaults = {n: p.default for n, p in inspect.signature(fn).parameters.items()} if fn in WHOLE else {}
        plain = fn in WHOLE and all(value == defaults[key] for key, value in kwargs.items())
        self._whole = WHOLE[fn] if plain and reduction in ("sum_over_batch_size", "mean") and dtype is None else None

    def call(self, y_true, y_pred):
        return self.fn(*same_ranks(y_true, y_pred), **self.arguments)

    def __call__(self, y_true, y_pred, sample_weight=None):
        if self._whole is not None and sample_weight is None and getattr(y_pred, "_keras_mask", None) is None:
            y_true, y_pred = both(y_true, y_pred)
            if y_true.shape == y_pred.shape and 0 not in y_pred.shape:
                return self._whole(y_true, y_pred)
        return super().__call__(y_true, y_pred, sample_weight)


def _loss_class(class_name, fn, order, name=None, **defaults):
    """A public loss class: ``LossFunction`` over ``fn``, its arguments in Keras' ``order``, documented as ``fn``."""
    doc = (
        f"{fn.__doc__}\n\n    ``reduction``, ``name`` and ``dtype`` are ``Loss``'s.\n\n"
        "    Source: Keras 3 ``losses/losses.py``."
    )
    attributes = {"__doc__": doc, "__module__": __name__}
    return class_over(LossFunction, fn, class_name, order, {"name": name or fn.__name__, **defaults}, attributes)


_PLAIN = ("reduction", "name", "dtype")
_LABELS = ("from_logits", "label_smoothing", "axis", *_PLAIN)
MeanSquaredError = _loss_class("MeanSquaredError", mean_squared_error, _PLAIN)
MeanAbsoluteError = _loss_class("MeanAbsoluteError", mean_absolute_error, _PLAIN)
MeanAbsolutePercentageError = _loss_class("MeanAbsolutePercentageError", mean_absolute_percentage_error, _PLAIN)
MeanSquaredLogarithmicError = _loss_class("MeanSquaredLogarithmicError", mean_squared_logarithmic_error, _PLAIN)
CosineSimilarity = _loss_class("CosineSimilarity", cosine_similarity, ("axis", *_PLAIN))
Huber = _loss_class("Huber", huber, ("delta", *_PLAIN), name="huber_loss")
LogCosh = _loss_class("LogCosh", log_cosh, _PLAIN)
KLDivergence = _loss_class("KLDivergence", kl_divergence, _PLAIN)
Poisson = _loss_class("Poisson", poisson, _PLAIN)
Hinge = _loss_class("Hinge", hinge, _PLAIN)
SquaredHinge = _loss_class("SquaredHinge", squared_hinge, _PLAIN)
CategoricalHinge = _loss_class("CategoricalHinge", categorical_hinge, _PLAIN)
BinaryCrossentropy = _loss_class("BinaryCrossentropy", binary_crossentropy, _LABELS)
BinaryFocalCrossentropy = _loss_class(
    "BinaryFocalCrossentropy", binary_focal_crossentropy, ("apply_class_balancing", "alpha", "gamma", *_LABELS)
)
CategoricalCrossentropy = _loss_class("CategoricalCrossentropy", categorical_crossentropy, _LABELS)
CategoricalFocalCrossentropy = _loss_class(
    "CategoricalFocalCrossentropy", categorical_focal_crossentropy, ("alpha", "gamma", *_LABELS)
)
SparseCategoricalCrossentropy = _loss_class(
    "SparseCategoricalCrossentropy",
    sparse_categorical_crossentropy,
    ("from_logits", "ignore_class", "reduction", "axis", "name", "dtype"),
)
CTC = _loss_class("CTC", ctc, _PLAIN)
Dice = _loss_class("Dice", dice, ("reduction", "name", "axis", "dtype"))
Tversky = _loss_class("Tversky", tversky, ("alpha", "beta", "reduction", "name", "axis", "dtype"))
Circle = _loss_class("Circle", circle, ("gamma", "margin", "remove_diagonal", *_PLAIN), gamma=80.0)


class CategoricalGeneralizedCrossEntropy(LossFunction):
    __doc__ = (
        f"{categorical_generalized_cross_entropy.__doc__}\n\n    ``reduction``, ``name`` and ``dtype`` are "
        "``Loss``'s.\n\n    Raises: ValueError if ``q`` is not in (0, 1).\n\n"
        "    Source: Keras 3 ``losses/losses.py``."
    )

    def __init__(self, q=0.5, reduction="sum_over_batch_size", name="categorical_generalized_cross_entropy",
                 dtype=None):  # fmt: skip
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
        self.q, self._kept = q, ("q", *_PLAIN)
        if not 0 < q < 1:
            fail(self, "`q` to be in the interval (0, 1)", f"q={q}")


_FUNCTIONS = (
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy,
    categorical_generalized_cross_entropy, categorical_hinge, circle, cosine_similarity, ctc, dice, hinge, huber,
    kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
    mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge, tversky,
)  # fmt: skip
_SHORT = {
    "mse": mean_squared_error, "mae": mean_absolute_error, "mape": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error, "bce": binary_crossentropy, "kld": kl_divergence,
}  # fmt: skip

LOSSES = Registry("loss", "keras.losses", base=Loss)
LOSSES.add(
    Loss, MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError,
    CosineSimilarity, Huber, LogCosh, KLDivergence, Poisson, Hinge, SquaredHinge, CategoricalHinge, BinaryCrossentropy,
    BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy, SparseCategoricalCrossentropy,
    CategoricalGeneralizedCrossEntropy, CTC, Dice, Tversky, Circle, *_FUNCTIONS,
    **_SHORT, **{name.upper(): fn for name, fn in _SHORT.items()},
)  # fmt: skip
get, serialize, deserialize = LOSSES.get, LOSSES.serialize, LOSSES.from_config

__all__ = [
    "CTC", "REDUCTIONS", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy", "CategoricalHinge", "Circle",
    "CosineSimilarity", "Dice", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss", "LossFunction",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky", "binary_crossentropy", "binary_focal_crossentropy",
    "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_generalized_cross_entropy",
    "categorical_hinge", "circle", "cosine_similarity", "ctc", "deserialize", "dice", "get", "hinge", "huber",
    "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "poisson", "reduce", "serialize", "sparse_categorical_crossentropy",
    "squared_hinge", "tversky",
]  # fmt: skip

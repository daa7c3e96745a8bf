"""Losses: functions, and classes as data over them."""

import inspect

from kshim.core.registry import Registry
from kshim.losses.base import REDUCTIONS, Loss, reduce, same_ranks
from kshim.losses.functions import (
    WHOLE,
    binary_crossentropy,
    both,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)


class LossFunction(Loss):
    """A loss from a function ``(y_true, y_pred, **arguments) -> one value for each sample``.

    Args:
        fn: the function.
        reduction, name, dtype: as for ``Loss``.
        kwargs: further arguments for every call of ``fn``.
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
            if y_true.shape == y_pred.shape:
                return self._whole(y_true, y_pred)
        return super().__call__(y_true, y_pred, sample_weight)


def _loss_class(class_name, fn, order):
    """A public loss class: ``LossFunction`` over ``fn``, its arguments in Keras' ``order``, documented as ``fn``."""
    own = {p.name: p for p in list(inspect.signature(fn).parameters.values())[2:]}
    shared = {p.name: p for p in inspect.signature(LossFunction.__init__).parameters.values()}
    parameters = [own.get(name) or shared[name] for name in order]
    parameters = [p.replace(default=fn.__name__) if p.name == "name" else p for p in parameters]
    signature = inspect.Signature([shared["self"], *parameters])

    def __init__(self, *args, **kwargs):
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        arguments.pop("self")
        LossFunction.__init__(self, fn, **arguments)
        for key in own:
            setattr(self, key, arguments[key])
        self._kept = tuple(order)

    __init__.__signature__ = signature
    doc = (
        f"{fn.__doc__}\n\n    ``reduction``, ``name`` and ``dtype`` are ``Loss``'s.\n\n"
        "    Source: Keras 3 ``losses/losses.py``."
    )
    return type(class_name, (LossFunction,), {"__init__": __init__, "__doc__": doc, "__module__": __name__})


_PLAIN = ("reduction", "name", "dtype")
MeanSquaredError = _loss_class("MeanSquaredError", mean_squared_error, _PLAIN)
MeanAbsoluteError = _loss_class("MeanAbsoluteError", mean_absolute_error, _PLAIN)
BinaryCrossentropy = _loss_class(
    "BinaryCrossentropy", binary_crossentropy, ("from_logits", "label_smoothing", "axis", *_PLAIN)
)
CategoricalCrossentropy = _loss_class(
    "CategoricalCrossentropy", categorical_crossentropy, ("from_logits", "label_smoothing", "axis", *_PLAIN)
)
SparseCategoricalCrossentropy = _loss_class(
    "SparseCategoricalCrossentropy",
    sparse_categorical_crossentropy,
    ("from_logits", "ignore_class", "reduction", "axis", "name", "dtype"),
)

LOSSES = Registry("loss", "keras.losses", base=Loss)
LOSSES.add(
    Loss, MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy,
    SparseCategoricalCrossentropy, mean_squared_error, mean_absolute_error, binary_crossentropy,
    categorical_crossentropy, sparse_categorical_crossentropy, mse=mean_squared_error, MSE=mean_squared_error,
    mae=mean_absolute_error, MAE=mean_absolute_error, bce=binary_crossentropy, BCE=binary_crossentropy,
)  # fmt: skip
get, serialize, deserialize = LOSSES.get, LOSSES.serialize, LOSSES.from_config

__all__ = [
    "REDUCTIONS", "BinaryCrossentropy", "CategoricalCrossentropy", "Loss", "LossFunction", "MeanAbsoluteError",
    "MeanSquaredError", "SparseCategoricalCrossentropy", "binary_crossentropy", "categorical_crossentropy",
    "deserialize", "get", "mean_absolute_error", "mean_squared_error", "reduce", "serialize",
    "sparse_categorical_crossentropy",
]  # fmt: skip

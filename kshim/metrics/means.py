"""Sums and means: losses as metrics, the root of a mean, correlations."""

import torch

from kshim import losses
from kshim.core import settings
from kshim.core.configurable import class_over
from kshim.losses.base import as_tensor, both
from kshim.metrics.base import Mean, MeanMetricWrapper, Metric, samplewise


class Sum(Metric):
    """The weighted sum of all values.

    Args: ``name``, ``dtype`` as for ``Metric``.

    Source: Keras 3 ``metrics/reduction_metrics.py``.
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable(name="total")

    def update_state(self, values, sample_weight=None):
        with torch.no_grad():
            values = as_tensor(values)
            mask = getattr(values, "_keras_mask", None)
            self.to(values.device)
            values, _ = samplewise(values.to(self.total.dtype), sample_weight, mask, torch.sum)
            self.total.add_(values.sum())

    def result(self):
        return self.total.clone()


class RootMeanSquaredError(Mean):
    """``sqrt(mean((y_true - y_pred)**2))``, the root taken of the mean over all batches.

    Args: ``name``, ``dtype`` as for ``Metric``.

    Source: Keras 3 ``metrics/regression_metrics.py``.
    """

    _direction = "down"

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        with torch.no_grad():
            y_true, y_pred = both(y_true, y_pred)
            super().update_state(torch.square(y_pred - y_true), sample_weight)

    def result(self):
        return super().result().sqrt()


def pearson_correlation(y_true, y_pred, axis=-1):
    """The correlation of both along ``axis``, in [-1, 1].

    Source: Keras 3 ``metrics/correlation_metrics.py``.
    """
    y_true, y_pred = (x - x.mean(axis, keepdim=True) for x in both(y_true, y_pred))
    y_true, y_pred = (x / x.std(axis, correction=0, keepdim=True) for x in (y_true, y_pred))
    return (y_true * y_pred).mean(axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """How near both are to the line ``y_true = y_pred`` along ``axis``, in [-1, 1].

    Source: Keras 3 ``metrics/correlation_metrics.py``; Lin, 1989.
    """
    y_true, y_pred = both(y_true, y_pred)
    means = [x.mean(axis, keepdim=True) for x in (y_true, y_pred)]
    spread = sum(x.var(axis, correction=0, keepdim=True) for x in (y_true, y_pred))
    # Keras takes the mean of the predictions off both; that changes nothing in the mean of the products.
    covariance = (y_true - means[1]) * (y_pred - means[1])
    return (2 * covariance / (spread + torch.square(means[0] - means[1]) + settings.epsilon())).mean(axis)


def _mean_of(class_name, fn, direction, name=None, order=("name", "dtype"), source="regression", **defaults):
    """A public metric class: the mean of ``fn``, its arguments in Keras' ``order``, documented as ``fn``."""
    doc = (
        f"The mean over all samples of: {fn.__doc__}\n\n    ``name`` and ``dtype`` are ``Metric``'s.\n\n"
        f"    Source: Keras 3 ``metrics/{source}_metrics.py``."
    )
    attributes = {"__doc__": doc, "__module__": __name__, "_direction": direction}
    return class_over(MeanMetricWrapper, fn, class_name, order, {"name": name or fn.__name__, **defaults}, attributes)


MeanSquaredError = _mean_of("MeanSquaredError", losses.mean_squared_error, "down")
MeanAbsoluteError = _mean_of("MeanAbsoluteError", losses.mean_absolute_error, "down")
MeanAbsolutePercentageError = _mean_of("MeanAbsolutePercentageError", losses.mean_absolute_percentage_error, "down")
MeanSquaredLogarithmicError = _mean_of("MeanSquaredLogarithmicError", losses.mean_squared_logarithmic_error, "down")
LogCoshError = _mean_of("LogCoshError", losses.log_cosh, "down", name="logcosh")
_ALONG = ("name", "dtype", "axis")
PearsonCorrelation = _mean_of("PearsonCorrelation", pearson_correlation, "up", order=_ALONG, source="correlation")
ConcordanceCorrelation = _mean_of(
    "ConcordanceCorrelation", concordance_correlation, "up", order=_ALONG, source="correlation"
)
Hinge = _mean_of("Hinge", losses.hinge, "down", source="hinge")
SquaredHinge = _mean_of("SquaredHinge", losses.squared_hinge, "down", source="hinge")
CategoricalHinge = _mean_of("CategoricalHinge", losses.categorical_hinge, "down", source="hinge")
KLDivergence = _mean_of("KLDivergence", losses.kl_divergence, "down", source="probabilistic")
Poisson = _mean_of("Poisson", losses.poisson, "down", source="probabilistic")
_LABELS = ("name", "dtype", "from_logits", "label_smoothing")
BinaryCrossentropy = _mean_of(
    "BinaryCrossentropy", losses.binary_crossentropy, "down", order=_LABELS, source="probabilistic", label_smoothing=0
)
CategoricalCrossentropy = _mean_of(
    "CategoricalCrossentropy", losses.categorical_crossentropy, "down", order=(*_LABELS, "axis"),
    source="probabilistic", label_smoothing=0,
)  # fmt: skip
SparseCategoricalCrossentropy = _mean_of(
    "SparseCategoricalCrossentropy", losses.sparse_categorical_crossentropy, "down",
    order=("name", "dtype", "from_logits", "ignore_class", "axis"), source="probabilistic",
)  # fmt: skip


def cosine_similarity(y_true, y_pred, axis=-1):
    """The cosine of the angle between both along ``axis``, in [-1, 1]: 1 where they point the same way."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


CosineSimilarity = _mean_of("CosineSimilarity", cosine_similarity, "up", order=_ALONG)

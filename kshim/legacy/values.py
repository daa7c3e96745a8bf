"""Functions that rows of ``arguments`` apply to values."""

import inspect

from kshim.core import tree
from kshim.optimizers import schedules

# Up to 2.2.5 the history's key was the name of the function that was meant, not the name that was asked for.
METRIC_KEYS = {
    "accuracy": "acc", "mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
    "MAE": "mean_absolute_error", "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
}  # fmt: skip


def metric_keys(metrics):
    """``compile``'s metrics under the names by which they were logged."""

    def key(metric):
        return METRIC_KEYS.get(metric, metric) if isinstance(metric, str) else metric

    return tree.map_structure(key, metrics)


def rate_with_decay(rate, decay):
    """``rate / (1 + decay * iterations)``, as ``decay=`` meant up to 2.3.1; ``rate`` itself where ``decay`` is 0."""
    if not decay:
        return rate
    if isinstance(rate, schedules.LearningRateSchedule):
        raise TypeError(f"Expected `decay` with a number as learning rate. Received: decay={decay} and {rate!r}.")
    return schedules.InverseTimeDecay(float(rate), decay_steps=1, decay_rate=decay)


def initializer_of_any_signature(initializer):
    """An initializer that can be called ``(shape, dtype=None)``.

    Functions in scripts are ``f(shape)`` (2.0 to 2.2 called them so) or ``f(shape, name=None)`` (Keras 1).
    """
    if not inspect.isroutine(initializer):
        return initializer
    try:
        parameters = inspect.signature(initializer).parameters
    except ValueError:  # a builtin that does not tell
        return initializer
    if "dtype" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return initializer
    extra = {"name": None} if "name" in parameters else {}

    def call(shape, dtype=None):
        return initializer(shape, **extra)

    call.__name__ = initializer.__name__
    return call

"""Functions that rows of ``arguments`` apply to values."""

import inspect

from kshim.core import tree
from kshim.optimizers import schedules
from kshim.training.data.steps import Rows

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
    schedule = schedules.InverseTimeDecay(float(rate), decay_steps=1, decay_rate=decay)
    vars(schedule)["settable"] = True  # `optimizer.lr` is the rate before the decay, and may be set
    return schedule


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


def one_axis(length):
    """``input_length`` of an Embedding as its ``input_shape``: one axis, or those of a tuple."""
    return tuple(length) if isinstance(length, (list, tuple)) else (length,)


def unit_forget_bias(value):
    """``forget_bias_init`` as the bool it is today."""
    known = {"one": True, "ones": True, "zero": False, "zeros": False}
    if isinstance(value, str):
        if value not in known:
            raise NotImplementedError(
                f"Expected the forget gate's bias to begin at zero or one. Received: forget_bias_init={value!r}. "
                "Set it with set_weights()."
            )
        return known[value]
    return value


def _pads(padding, sides):
    """The amounts of Keras 1's dict, by side."""
    names = [f"{side}_pad" for side in sides]
    unknown = sorted(padding.keys() - set(names))
    if unknown:
        raise ValueError(f"Unexpected key in `padding`: expected some of {names}. Received: {unknown}.")
    return [padding.get(name, 0) for name in names]


def zero_padding1d(padding):
    """Keras 1's dict as ``(left, right)``; other forms as they are."""
    return tuple(_pads(padding, ("left", "right"))) if isinstance(padding, dict) else padding


def zero_padding2d(padding):
    """Keras 1's dict or four numbers as ``((top, bottom), (left, right))``; other forms as they are."""
    if isinstance(padding, dict):
        padding = _pads(padding, ("top", "bottom", "left", "right"))
    if isinstance(padding, (list, tuple)) and len(padding) == 4:
        return tuple(padding[:2]), tuple(padding[2:])
    return padding


def rows_or_none(count):
    """A number of rows, or None for none given."""
    return None if count is None else Rows(count)

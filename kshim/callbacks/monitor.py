"""What callbacks that watch one metric have in common: its direction, and what counts as better.

Source: Keras 3 ``callbacks/monitor_callback.py``.
"""

import warnings

import torch

from kshim.callbacks.base import Callback, twins
from kshim.core import settings
from kshim.core.dtypes import to_torch

MODES = ("auto", "min", "max")


class MonitorCallback(Callback):
    """Base of callbacks that watch a metric. Subclasses keep ``monitor``, ``mode`` and ``min_delta``.

    Args:
        monitor: name of the metric in the logs.
        mode: "min", "max", or "auto" for the direction that the compiled metric of that name has.
        min_delta: what a value must be better by, a number; its sign does not matter.

    Raises:
        ValueError: at the first epoch's end, where "auto" finds no direction.
    """

    def __init__(self, monitor="val_loss", mode="auto", min_delta=0):
        super().__init__()
        if mode not in MODES:
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.", UserWarning, stacklevel=4
            )
            mode = "auto"
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self._direction = None
        self.best = None

    def direction(self):
        """ "min" or "max", found once per run, since metrics are not built before the first batch."""
        if self._direction is None:
            self._direction = self.mode if self.mode != "auto" else self._automatic_direction()
        return self._direction

    def _automatic_direction(self):
        name = self.monitor.removeprefix("val_")
        found = "min" if name == "loss" else None
        for metric in getattr(self.model, "metrics", ()):
            if metric.name in (name, *twins(name)) and hasattr(metric, "_direction"):
                found = "max" if metric._direction == "up" else "min"
        if found is None:
            raise ValueError(
                f"{type(self).__name__} callback received monitor={self.monitor}, but Keras isn't able to "
                "automatically determine whether that metric should be maximized or minimized. Pass `mode='max'` in "
                "order to monitor based on the highest metric value, or pass `mode='min'` in order to use the lowest "
                "value."
            )
        return found

    def is_better(self, value, reference):
        """Whether ``value`` improves on ``reference`` by more than ``min_delta``; anything improves on None."""
        if reference is None:
            return True
        if self.direction() == "min":
            return _rounded(value + self.min_delta) < _rounded(reference)
        return _rounded(value - self.min_delta) > _rounded(reference)


def _rounded(value):
    """``value`` in the default float type: Keras 3 compares there, so differences below its precision are none."""
    return torch.as_tensor(value, dtype=to_torch(settings.floatx())).item()

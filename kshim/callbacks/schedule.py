"""Callbacks that steer training by a metric or by the epoch: when to stop, how fast to learn.

Source: Keras 3 ``callbacks/early_stopping.py``, ``learning_rate_scheduler.py``, ``reduce_lr_on_plateau.py``.
"""

import warnings

import numpy as np

from kshim.callbacks.base import Callback
from kshim.callbacks.monitor import MonitorCallback
from kshim.core.progress import print_msg


class EarlyStopping(MonitorCallback):
    """Stops training when a metric has stopped improving.

    Args:
        monitor: name of the metric in the logs.
        min_delta: what a value must be better by to count, a number.
        patience: epochs in a row without improvement after which training stops, an int from 0.
        verbose: 1 prints a line when training is stopped and weights are restored.
        mode: "min", "max", or "auto" for the direction of the compiled metric.
        baseline: a value to improve on as well: until it is passed, an epoch counts as one without improvement.
        restore_best_weights: whether the model gets the weights of the best epoch back at the end.
        start_from_epoch: number of epochs at the start that are not looked at.

    Raises:
        ValueError: at the first epoch's end, where "auto" finds no direction.
    """

    def __init__(
        self,
        monitor="val_loss",
        min_delta=0,
        patience=0,
        verbose=0,
        mode="auto",
        baseline=None,
        restore_best_weights=False,
        start_from_epoch=0,
    ):
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self._reset()

    def _reset(self):
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = self._direction = None

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        self.direction()  # an unknown one is an error from the first epoch on
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.is_better(current, self.best):
            self.best, self.best_epoch = current, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.is_better(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.stopped_epoch > 0 and self.verbose > 0:
            print_msg(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                print_msg(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs):
        """The metric's value in ``logs``; None, with a warning, where it is missing."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"Early stopping conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs or {})}",
                UserWarning,
                stacklevel=3,
            )
        return value


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of each epoch.

    Args:
        schedule: ``schedule(epoch, learning_rate)`` or ``schedule(epoch)``, epochs counted from 0; returns a float.
        verbose: 1 prints a line per epoch.

    Raises:
        ValueError: ``schedule`` returned something other than a float; the optimizer has no ``learning_rate``.
    """

    def __init__(self, schedule, verbose=0):
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch, logs=None):
        for optimizer, name in optimizers_of(self.model):
            rate = self._scheduled(optimizer, epoch)
            optimizer.learning_rate = rate
            if self.verbose > 0:
                print_msg(f"\nEpoch {epoch + 1}: LearningRateScheduler setting {name}learning rate to {rate}.")

    def _scheduled(self, optimizer, epoch):
        if not hasattr(optimizer, "learning_rate"):
            raise ValueError(
                f'Optimizer must have a "learning_rate" attribute. Received: {type(optimizer).__name__} without one.'
            )
        try:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        except TypeError:  # a schedule of the epoch alone, as in Keras 1
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.float32, np.float64)):
            raise ValueError(
                f"The output of the `schedule` function should be a float. Got: {rate}. "
                "Write float(...) around what it returns."
            )
        return rate

    def on_epoch_end(self, epoch, logs=None):
        log_learning_rates(self.model, logs)


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by ``factor`` when a metric has stopped improving.

    Args:
        monitor: name of the metric in the logs.
        factor: what the learning rate is multiplied by, a number below 1.
        patience: epochs in a row without improvement before that, an int.
        verbose: 1 prints a line at each reduction.
        mode: "min", "max", or "auto" for the direction of the compiled metric.
        min_delta: what a value must be better by to count, a number.
        cooldown: epochs after a reduction that are not counted, an int from 0.
        min_lr: the learning rate does not go below.

    Raises:
        ValueError: ``factor`` is 1 or above; at the first epoch's end, where "auto" finds no direction.
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_lr=0.0,
    ):
        super().__init__(monitor, mode, min_delta)
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received: factor={factor}")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self._reset()

    def _reset(self):
        self.best = self._direction = None
        self.wait = self.cooldown_counter = 0

    def in_cooldown(self):
        """Whether a reduction was so recent that epochs are not counted."""
        return self.cooldown_counter > 0

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        self.direction()
        logs = {} if logs is None else logs
        log_learning_rates(self.model, logs)
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}.",
                UserWarning,
                stacklevel=2,
            )
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.is_better(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            reduced = self.wait >= self.patience and [self._reduce(*each, epoch) for each in optimizers_of(self.model)]
            if reduced and any(reduced):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _reduce(self, optimizer, name, epoch):
        rate = float(optimizer.learning_rate)
        if rate <= np.float32(self.min_lr):
            return False
        optimizer.learning_rate = rate = max(rate * self.factor, self.min_lr)
        if self.verbose > 0:
            print_msg(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {name}learning rate to {rate}.")
        return True


def optimizers_of(model):
    """``(optimizer, its name and a space)`` pairs; the name is empty where there is only one."""
    several = getattr(model.optimizer, "optimizers", None)
    return [(model.optimizer, "")] if several is None else [(each, f"{each.name} ") for each in several]


def log_learning_rates(model, logs):
    """Put each optimizer's learning rate into ``logs``, so that the history has it."""
    for optimizer, name in optimizers_of(model):
        if logs is not None:
            logs["learning_rate" + (f"_{name.strip()}" if name else "")] = float(optimizer.learning_rate)

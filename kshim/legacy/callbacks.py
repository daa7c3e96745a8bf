"""Callbacks whose decisions or texts were others in older dialects, and one that is gone; ``names`` attaches them."""

import functools
import warnings

import numpy as np

from kshim.callbacks import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau, callback_list
from kshim.callbacks import schedule as schedules
from kshim.callbacks.base import Callback, Logs, Params
from kshim.callbacks.checkpoint import Epochs
from kshim.callbacks.monitor import MonitorCallback
from kshim.core import settings, tree
from kshim.core.arrays import to_numpy
from kshim.core.progress import print_msg
from kshim.legacy.progress import by_dialect

LAST = "2.3.1"  # the last version before tf.keras


# -- deciding ----------------------------------------------------------------------------------------------------


def automatic_direction(call, callback):
    """Up to 2.3.1 the name alone told it: with ``acc`` in it, higher is better; else lower, whatever it measures."""
    name = callback.monitor
    grows = "acc" in name or (name.startswith("fmeasure") and not isinstance(callback, ReduceLROnPlateau))
    return "max" if grows else "min"


def is_better(call, callback, value, reference):
    """Compared as they are, not rounded to the default float type."""
    if reference is None:
        return not np.isnan(value)
    if callback.direction() == "min":
        return bool(np.less(value + callback.min_delta, reference))
    return bool(np.greater(value - callback.min_delta, reference))


def early_stopping(call, callback, epoch, logs=None):
    """Up to 2.0.8 the epoch that used up ``patience`` was forgiven; ``baseline`` was the first best value."""
    callback.direction()
    current = callback.get_monitor_value(logs)
    if current is None:
        return
    best = callback.baseline if callback.best is None else callback.best
    if callback.is_better(current, best):
        callback.best, callback.best_epoch, callback.wait = current, epoch, 0
        if callback.restore_best_weights:
            callback.best_weights = callback.model.get_weights()
        return
    forgiving = settings.holds(until="2.0.8")
    if callback.wait + (not forgiving) >= callback.patience:
        callback.stopped_epoch = epoch
        callback.model.stop_training = True
        if callback.best_weights is not None:
            if callback.verbose > 0:
                print_msg("Restoring model weights from the end of the best epoch")
            callback.model.set_weights(callback.best_weights)
    callback.wait += 1


def early_stopping_end(call, callback, logs=None):
    """Weights were restored when training was stopped, not where it ran to its end."""
    if callback.stopped_epoch > 0 and callback.verbose > 0:
        print_msg(f"Epoch {epoch_text(None, callback, callback.stopped_epoch)}: early stopping")


def plateau(call, callback, epoch, logs=None):
    """Up to 2.0.8 the epoch that used up ``patience`` was forgiven, and ``wait`` went on after a reduction."""
    callback.direction()
    logs = {} if logs is None else logs
    schedules.log_learning_rates(callback.model, logs)
    current = logs.get(callback.monitor)
    if current is None:
        warnings.warn(
            f"Learning rate reduction is conditioned on metric `{callback.monitor}` which is not available. "
            f"Available metrics are: {','.join(logs)}.",
            UserWarning,
            stacklevel=2,
        )
        return
    if callback.in_cooldown():
        callback.cooldown_counter -= 1
        callback.wait = 0
    if callback.is_better(current, callback.best):
        callback.best, callback.wait = current, 0
    elif not callback.in_cooldown():
        if callback.wait >= callback.patience:
            found = schedules.optimizers_of(callback.model)
            floor = callback.min_lr * (1 + 1e-4)
            above = [each for each in found if float(each[0].learning_rate) > floor]
            if any([callback._reduce(*each, epoch) for each in above]):  # each of them, not the first
                callback.cooldown_counter, callback.wait = callback.cooldown, 0
        callback.wait += 1


def schedule_of_the_epoch(call, callback, optimizer, epoch):
    """Up to 2.0.8 ``schedule(epoch)`` alone was called, whatever second argument with a default the function has."""
    rate = callback.schedule(epoch)
    if not isinstance(rate, (float, np.float32, np.float64)):
        raise ValueError(f'The output of the "schedule" function should be float. Received: {rate!r}.')
    return rate


def epoch_text(call, callback, epoch):
    """Five digits; up to 2.0.8 counted from 0."""
    return f"{epoch_number(call, callback, epoch):05d}"


def epoch_number(call, callback, epoch):
    """Up to 2.0.8 counted from 0."""
    return epoch if settings.holds(until="2.0.8") else epoch + 1


def every_epochs(period):
    """``save_freq`` for ``period=``."""
    return "epoch" if period in (None, 1) else Epochs(period)


# class -> method -> (formula, last dialect that had it)
METHODS: dict[type, dict] = {
    MonitorCallback: {"_automatic_direction": (automatic_direction, LAST), "is_better": (is_better, LAST)},
    EarlyStopping: {"on_epoch_end": (early_stopping, LAST), "on_train_end": (early_stopping_end, LAST)},
    ReduceLROnPlateau: {"on_epoch_end": (plateau, "2.0.8")},
    LearningRateScheduler: {"_scheduled": (schedule_of_the_epoch, "2.0.8")},
    ModelCheckpoint: {"_epoch_text": (epoch_text, LAST), "_epoch_number": (epoch_number, "2.0.8")},
}


# -- what callbacks read -----------------------------------------------------------------------------------------

KEYS_1 = ("batch_size", "nb_epoch", "nb_sample", "verbose", "do_validation", "metrics")
KEYS_2 = ("batch_size", "epochs", "steps", "samples", "verbose", "do_validation", "metrics")


def describe_run(callbacks, facts):
    """``params`` with the dialect's keys; the others, and those of every version, are found as well."""
    validation = facts.get("validation_data")
    known = {name: value for name, value in facts.items() if name != "validation_data"} | callbacks.params
    known |= {"nb_epoch": known.get("epochs"), "nb_sample": known.get("samples")}
    known["validation_samples"] = getattr(validation, "rows", None) if hasattr(validation, "batch_size") else None
    if settings.holds(since="tf.keras"):
        return Params(callbacks.params, known)
    for callback in callbacks:
        callback.validation_data = _arrays(validation)
    listed = dict(known)
    if known.get("samples") is not None:
        listed["steps"] = None  # it was what the caller had asked for
    listed["metrics"] = list(known.get("metrics") or ())
    if known.get("do_validation"):
        listed["metrics"] += [f"val_{name}" for name in listed["metrics"]]
    keys = KEYS_1 if settings.holds(until="1.2.2") else KEYS_2
    return Params({name: listed.get(name) for name in keys}, known)


def _arrays(data):
    """The arrays of ``validation_data`` in a flat list, weights last (ones, where none were given); or what it is."""
    if not hasattr(data, "structures"):
        return data
    x, y, weights = ([leaf for leaf in tree.flatten(part) if leaf is not None] for part in data.structures)
    weights = weights or [np.ones(data.rows, settings.floatx()) for _ in y]
    return [to_numpy(leaf) for leaf in (*x, *y, *weights)]


def amend_logs(callbacks):
    """``logs["batch"]`` and ``logs["size"]`` up to 2.3.1, and the batch's own loss rather than the mean so far."""
    if settings.holds(since="tf.keras"):
        return None
    sums: dict = {}  # phase -> name -> (sum over the rows so far, their number)

    def amend(hook, index, logs):
        size = rows_of(callbacks.facts, index)
        logs = logs if isinstance(logs, Logs) else Logs(logs)
        if hook.endswith("end") and not hook.startswith("predict"):
            of_phase = sums.setdefault(hook, {})
            if index == 0:
                of_phase.clear()
            for name in list(logs):
                if name == "loss" or settings.holds(until="2.2.4"):
                    before, rows = of_phase.get(name, (0.0, 0))
                    mean = logs[name]
                    of_phase[name] = (mean * (rows + size), rows + size)
                    logs[name] = (mean * (rows + size) - before) / size
        return Logs({"batch": index, "size": size, **logs})

    return amend


def rows_of(facts, index):
    """Rows in the batch ``index``, which is the one that was given last."""
    samples, size = facts.get("samples"), facts.get("batch_size")
    if samples is None or size is None:
        return facts.get("batch_rows", lambda: 1)()
    return max(min(size, samples - index * size), 1)


class BaseLogger(Callback):
    """Averages over an epoch what batches logged, weighted by their size.

    Args:
        stateful_metrics: names of metrics that are averages already; their last value counts.
    """

    def __init__(self, stateful_metrics=None):
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or ())

    def on_epoch_begin(self, epoch, logs=None):
        self.seen, self.totals = 0, {}

    def on_batch_end(self, batch, logs=None):
        logs = logs or {}
        size = logs.get("size", 0)
        self.seen += size
        for name, value in logs.items():
            if name in self.stateful_metrics:
                self.totals[name] = value
            else:
                self.totals[name] = self.totals.get(name, 0) + value * size

    def on_epoch_end(self, epoch, logs=None):
        for name in ((self.params or {}).get("metrics") or ()) if logs is not None else ():
            if name in self.totals:
                own = name in self.stateful_metrics or not self.seen
                logs[name] = self.totals[name] if own else self.totals[name] / self.seen


class SidecarEvaluatorModelExport(ModelCheckpoint):
    """Refused: it belongs to TensorFlow's ``SidecarEvaluator``.

    Raises:
        NotImplementedError: always.
    """

    def __init__(self, export_filepath, checkpoint_filepath, **kwargs):
        raise NotImplementedError(
            "kshim has no SidecarEvaluatorModelExport: it belongs to TensorFlow's SidecarEvaluator. Received: "
            f"export_filepath={export_filepath!r}. Write ModelCheckpoint(filepath, save_best_only=True) in fit()."
        )


def log_learning_rates(call, model, logs):
    """Logged as ``lr`` up to tf.keras."""
    call(model, logs)
    if logs is not None and settings.holds(until="tf.keras") and "learning_rate" in dict.keys(logs):
        logs["lr"] = logs.pop("learning_rate")


def attach():
    """Wrap the methods and set the hooks."""
    for cls, methods in METHODS.items():
        for name, (formula, until) in methods.items():
            setattr(cls, name, by_dialect(getattr(cls, name), formula, until))
    schedules.log_learning_rates = functools.partial(log_learning_rates, schedules.log_learning_rates)
    callback_list.describe_run, callback_list.amend_logs = describe_run, amend_logs
    Callback.validation_data = None  # type: ignore[attr-defined] # read by scripts of Keras 1 and 2

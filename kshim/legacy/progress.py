"""The progress bar's text up to tf.keras; ``names`` attaches it.

Up to 2.3.1 the bar counted samples, or steps where samples were not known; from tf.keras on it counts steps.
"""

import functools
import sys

from kshim.callbacks import ProgbarLogger
from kshim.callbacks.base import plain_logs
from kshim.core import settings
from kshim.core.progress import Progbar, print_msg, remaining

WIDTH_TODAY, WIDTH = 20, 30  # characters of the bar, by default


def _pace(seconds):
    if seconds >= 1 or (seconds == 0 and settings.holds(since="tf.keras")):
        return f" {seconds:.0f}s/step"
    if seconds >= 1e-3:
        return f" {seconds * 1e3:.0f}ms/step"
    return f" {seconds * 1e6:.0f}us/step"


def _values(bar, positive):
    """The metrics; in the line of ``verbose=2`` values below zero had an exponent."""
    text = ""
    for name in bar._sums:
        value = bar._metric(name)
        text += f" - {name}: " + (f"{value:.4f}" if (value if positive else abs(value)) > 1e-3 else f"{value:.4e}")
    return text


def draw(call, bar, current, now, time_per_step, finalize):
    """``32/100 [=======>......................] - ETA: 1s - loss: 0.5``."""
    early, target = settings.holds(until="2.0.8"), bar.target
    pace = (now - bar._start) / current if current and settings.holds(until="2.3.1") else time_per_step
    done = target is not None and current >= target
    if target:
        width = WIDTH if bar.width == WIDTH_TODAY else bar.width
        digits = len(str(target))
        filled = int(width * float(current) / target)
        line = f"{current:{digits}d}/{target} ["
        line += "=" * (filled - 1) + ("=" if done else ">") if filled > 0 else ""
        line += "." * (width - filled) + "]"
    else:
        line = f"{current:7d}/Unknown"
    seconds = now - bar._start
    if early:
        whole = int(pace * (target - current)) if target and not done else int(seconds)
        line += f" - ETA: {whole}s" if target and not done else f" - {whole}s"
    elif target and not done and not finalize:
        line += f" - ETA: {remaining(pace * (target - current))}"
    else:
        line += f" - {seconds:.0f}s{_pace(pace)}"
    line += _values(bar, positive=False)
    in_place = early or bar._redraws_in_place
    if settings.holds(until="2.3.1") and not early:
        in_place = (hasattr(sys.stdout, "isatty") and sys.stdout.isatty()) or "ipykernel" in sys.modules
    back = "\b" * bar._drawn_width + "\r" if in_place else "\n"
    rest = " " * (bar._drawn_width - len(line))
    print_msg(f"{back}{line}{rest}" + ("\n" if done or finalize else ""), line_break=False)
    bar._drawn_width = len(line)


def summarize(call, bar, current, now, time_per_step):
    """The line of ``verbose=2``."""
    seconds = now - bar._start
    if settings.holds(until="2.0.8"):
        print_msg(f"{int(seconds)}s{_values(bar, positive=True)}")
    elif settings.holds(until="2.3.1"):
        print_msg(f" - {seconds:.0f}s{_values(bar, positive=True)}")
    else:
        epoch = _pace(seconds).replace("/step", "/epoch")
        start = f"{bar._counter(current)} - {seconds:.0f}s"
        print_msg(f"{start}{_values(bar, positive=True)} -{epoch} -{_pace(time_per_step)}")


def on_train_begin(call, logger, logs=None):
    """``Train on 100 samples, validate on 20 samples``, where there is both."""
    facts = (logger.params or {}).get
    call(logger, logs)
    if logger.verbose and facts("samples") and facts("validation_samples"):
        print_msg(f"Train on {facts('samples')} samples, validate on {facts('validation_samples')} samples")


def on_epoch_begin(call, logger, epoch, logs=None):
    """The epoch's number is told even where there is only one."""
    start(None, logger)
    if logger.verbose:
        print_msg(f"Epoch {epoch + 1}/{logger.epochs}")


def start(call, logger):
    """A new bar, over samples where their number is known."""
    samples = (logger.params or {}).get("samples")
    logger.seen = 0
    logger.progbar = Progbar(samples or logger.target, verbose=logger.verbose, stateless_metrics=())


def advance(call, logger, batch, logs):
    """The last batch is left to the epoch's end, as the values of validation come then."""
    known = (logger.params or {}).get
    samples, size = known("samples"), known("batch_size")
    if samples and not size:  # an epoch counted in rows
        logger.seen = (logger.seen or 0) * (batch > 0) + logger.params["batch_rows"]()
    else:
        logger.seen = min((batch + 1) * size, samples) if samples else batch + 1
    bar = logger.progbar
    if logger.verbose == 1 and (bar.target is None or logger.seen < bar.target):
        bar.update(logger.seen, (lambda: _metrics(logger, logs)) if logs else None, finalize=False)


def finish(call, logger, logs):
    """The last drawing, with the epoch's own values."""
    bar = logger.progbar
    if bar.target is None:
        logger.target = bar.target = logger.seen
    bar.update(bar.target, _metrics(logger, logs), finalize=True)


def _metrics(logger, logs):
    """The logs in the order of ``params["metrics"]``; what else a callback has logged is not shown."""
    logs = plain_logs(logs)
    return [(name, logs[name]) for name in logger.params.get("metrics") or () if name in logs]


def set_params(call, logger, params):
    """Keras 1 said ``nb_epoch``, and no version before tf.keras always said ``epochs``."""
    call(logger, {"verbose": 1, "epochs": params.get("nb_epoch") or 1, "steps": None, **params})
    logger.params = params
    if logger.target is None:
        logger.target = params.get("steps")


# class -> method -> (formula, last dialect that had it)
METHODS = {
    Progbar: {"_draw": (draw, "tf.keras"), "_summarize": (summarize, "tf.keras")},
    ProgbarLogger: {
        "on_train_begin": (on_train_begin, "2.3.1"), "on_epoch_begin": (on_epoch_begin, "2.3.1"),
        "_start": (start, "2.3.1"), "_advance": (advance, "2.3.1"), "_finish": (finish, "2.3.1"),
        "set_params": (set_params, "2.3.1"),
    },
}  # fmt: skip


def by_dialect(call, formula, until):
    """``call``, or up to ``until`` the ``formula`` with ``call`` before its arguments."""

    @functools.wraps(call)
    def dispatch(self, *args, **kwargs):
        if settings.holds(until=until):
            return formula(call, self, *args, **kwargs)
        return call(self, *args, **kwargs)

    return dispatch


def attach():
    """Wrap the methods."""
    for cls, methods in METHODS.items():
        for name, (formula, until) in methods.items():
            setattr(cls, name, by_dialect(getattr(cls, name), formula, until))

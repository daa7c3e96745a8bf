"""The progress bar, and the one place where kshim writes messages to the terminal.

Source: Keras 3 ``utils/progbar.py`` and ``utils/io_utils.py``; the text is the same to the byte.
"""

import logging
import math
import os
import sys
import time

import numpy as np

from kshim.core.arrays import to_numpy

BOLD, GREEN, GREY, PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"

_interactive = True


def enable_interactive_logging():
    """Write messages and progress bars to the standard output (the default)."""
    global _interactive
    _interactive = True


def disable_interactive_logging():
    """Send messages and progress bars to the logger ``kshim`` instead of the standard output."""
    global _interactive
    _interactive = False


def is_interactive_logging_enabled():
    """Whether messages go to the standard output."""
    return _interactive


def print_msg(message, line_break=True):
    """Write ``message`` to the standard output, or to the logger where that was chosen.

    An output that cannot encode the bar's character gets ``=`` in its place.
    """
    if not _interactive:
        logging.getLogger("kshim").info(message)
        return
    message = f"{message}\n" if line_break else str(message)
    try:
        sys.stdout.write(message)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(message.replace("━", "=").encode(encoding, errors="ignore").decode(encoding))
    sys.stdout.flush()


class Progbar:
    """A progress bar with the time left and the metrics so far.

    A value may be a number, a tensor, or a callable without arguments. Tensors are read from their device only when
    they are shown. A callable gives a value that needs no averaging only when that is shown, any other at each update.

    Args:
        target: number of steps, an int above 0; None (or 0) where it is not known.
        width: characters of the bar itself.
        verbose: 0 silent, 1 a bar, 2 one line when all steps are done.
        interval: seconds between two redraws, at least.
        stateful_metrics: names whose last value is shown; all others are averaged over the steps.
        stateless_metrics: names that are averaged, all others are shown as they are. Not both.
        unit_name: what a step is called.

    Raises:
        ValueError: ``stateful_metrics`` and ``stateless_metrics`` are both given.
    """

    def __init__(
        self,
        target,
        width=20,
        verbose=1,
        interval=0.05,
        stateful_metrics=None,
        stateless_metrics=None,
        unit_name="step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: only one of `stateful_metrics` or `stateless_metrics` can be provided. Received: "
                f"stateful_metrics={stateful_metrics!r}, stateless_metrics={stateless_metrics!r}."
            )
        self.target, self.width, self.verbose, self.interval = target, width, verbose, interval
        self.unit_name = unit_name
        self.stateful_metrics = None if stateless_metrics is not None else set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        # "posix" is among the modules on every Unix: as in Keras, even a file gets the cursor movements there.
        self._redraws_in_place = (
            (hasattr(sys.stdout, "isatty") and sys.stdout.isatty())
            or "ipykernel" in sys.modules
            or "posix" in sys.modules
            or "PYCHARM_HOSTED" in os.environ
        )
        self._averages_nothing = stateless_metrics is not None and not self.stateless_metrics
        self._sums = {}  # name -> (sum or last value, number of steps in it)
        self._seen = 0
        self._drawn_width = 0
        self._last_update = 0.0
        self._start = time.time()
        self._first_step_end = None

    def update(self, current, values=None, finalize=None):
        """Say that ``current`` steps are done.

        Args:
            current: steps done so far, counted from 1.
            values: ``(name, value of the last steps)`` pairs, or a callable that returns them. The callable is
                called only if the bar is redrawn, unless some metric has to be averaged.
            finalize: whether this is the last update; None means when ``current`` reaches the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        now = time.time()
        shows = self._shows(now, finalize)
        averages_nothing = self._averages_nothing
        if callable(values):
            values = values() if shows or not averages_nothing else ()
        for name, value in values or ():
            self._take(name, value, max(current - self._seen, 1), finalize)
        self._seen = current
        time_per_step = self._time_per_step(current, now)
        if shows and self.verbose == 1:
            self._draw(current, now, time_per_step, finalize)
        elif shows:
            self._summarize(current, now, time_per_step)
        if shows or self.verbose != 1:
            self._last_update = now

    def add(self, n, values=None):
        """Say that ``n`` more steps are done; ``values`` as in ``update``."""
        self.update(self._seen + n, values)

    def _shows(self, now, finalize):
        if self.verbose == 1:
            return finalize or now - self._last_update >= self.interval
        return self.verbose == 2 and finalize and bool(self.target and self.target > 0)

    def _is_averaged(self, name):
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in (self.stateful_metrics or ())

    def _take(self, name, value, steps, finalize):
        if not self._is_averaged(name) or finalize:
            self._sums[name] = (value, 1)
            return
        value = value() if callable(value) else value
        total, count = self._sums.get(name, (0, 0))
        self._sums[name] = (value * steps + total if count else value * steps, count + steps)

    def _time_per_step(self, current, now):
        """Seconds per step, the first (slow) one left out where more are known; 0 before any is done."""
        if not current:
            return 0
        if self._first_step_end is not None and current > 1:
            seconds = (now - self._first_step_end) / (current - 1)
        else:
            seconds = (now - self._start) / current
        if current == 1:
            self._first_step_end = now
        return seconds

    def _counter(self, current):
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _metric(self, name):
        """The value to show for ``name``; this is where a tensor is read."""
        total, count = self._sums[name]
        total = total() if callable(total) else total
        if not isinstance(total, float):
            total = np.mean(to_numpy(total))
        return total / max(1, count)

    def _draw(self, current, now, time_per_step, finalize):
        marks = 0  # characters that take no place on the screen
        if self.target and self.target > 0:
            done = int(self.width * (float(current) / self.target))
            bar = f"{BOLD}{self._counter(current)}{PLAIN} "
            bar += f"{GREEN}{'━' * done}{PLAIN}" if done > 0 else ""
            bar += f"{GREY}{'━' * (self.width - done)}{PLAIN}"
            marks += len(BOLD + PLAIN) + len(GREY + PLAIN) + (len(GREEN + PLAIN) if done > 0 else 0)
        else:
            bar = f"{current:7d}/Unknown"
        if self.target and self.target > 0 and not finalize:
            clock = remaining(time_per_step * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        marks += len(BOLD + PLAIN)
        info = f" {BOLD}{clock}{PLAIN}{_pace(time_per_step, self.unit_name)}"
        for name in self._sums:
            value = self._metric(name)
            info += f" - {name}: " + (f"{value:.4f}" if abs(value) > 1e-3 else f"{value:.4e}")
        width = len(bar) + len(info) - marks
        back = "\b" * self._drawn_width + "\r" if self._redraws_in_place else "\n"
        rest = " " * (self._drawn_width - width)
        print_msg(f"{back}{bar}{info}{rest}" + ("\n" if finalize else ""), line_break=False)
        self._drawn_width = width

    def _summarize(self, current, now, time_per_step):
        line = f"{self._counter(current)} - {now - self._start:.0f}s -{_pace(time_per_step, self.unit_name)}"
        for name in self._sums:
            value = self._metric(name)
            # Unlike in the bar, a negative value is always shown with an exponent here: so does Keras.
            line += f" - {name}: " + (f"{value:.4f}" if value > 1e-3 else f"{value:.4e}")
        print_msg(line)


def remaining(seconds):
    """Seconds as text: ``1:02:03``, ``2:03`` or ``3s``."""
    if seconds > 3600:
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"
    if seconds > 60:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return f"{math.trunc(seconds)}s"


def _pace(seconds, unit):
    if seconds >= 1 or seconds == 0:
        return f" {seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f" {seconds * 1e3:.0f}ms/{unit}"
    return f" {seconds * 1e6:.0f}us/{unit}"

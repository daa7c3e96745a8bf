"""Learning rate schedules: the rate as a function of the step."""

import bisect
import math

from kshim.core import checks
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry


class LearningRateSchedule(Configurable):
    """Base of all schedules; a subclass writes ``__call__(step) -> rate``, ``step`` an int from 0.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``.
    """

    def __call__(self, step):
        raise NotImplementedError(f"{checks.describe(self)}: expected a `__call__(step)`. Received: none.")

    def serialize(self):
        """The config dict that ``deserialize`` reads back."""
        return SCHEDULES.serialize(self)

    @staticmethod
    def deserialize(config, custom_objects=None):
        """The schedule a config dict describes."""
        return SCHEDULES.get(config, custom_objects)


class _Decay(LearningRateSchedule):
    """Base of the schedules that count time in ``decay_steps``."""

    def _time(self, step):
        """Units of time at ``step``; whole ones where the schedule moves in stairs."""
        return step // self.decay_steps if self.staircase else step / self.decay_steps


class ExponentialDecay(_Decay):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        initial_learning_rate: a float.
        decay_steps: how many steps make one unit of time, above 0.
        decay_rate: a float.
        staircase: whether time moves in whole units.
        name: a name.

    Raises: ValueError if ``decay_steps`` is not above 0.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``.
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"):
        self.keep(locals(), decay_steps=_above_0)

    def __call__(self, step):
        return self.initial_learning_rate * self.decay_rate ** self._time(step)


class InverseTimeDecay(_Decay):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: a float.
        decay_steps: how many steps make one unit of time, above 0.
        decay_rate: a float.
        staircase: whether time moves in whole units.
        name: a name.

    Raises: ValueError if ``decay_steps`` is not above 0.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``.
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        self.keep(locals(), decay_steps=_above_0)

    def __call__(self, step):
        return self.initial_learning_rate / (1 + self.decay_rate * self._time(step))


class PiecewiseConstantDecay(LearningRateSchedule):
    """One value up to each boundary, that step included, and the last one after it.

    Args:
        boundaries: steps, rising.
        values: floats, one more than ``boundaries``.
        name: a name.

    Raises: ValueError if the lengths do not fit.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``.
    """

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        self.keep(locals())
        if len(boundaries) != len(values) - 1:
            checks.fail(
                self, "`boundaries` to be one shorter than `values`",
                f"{len(boundaries)} boundaries and {len(values)} values",
            )  # fmt: skip

    def __call__(self, step):
        return self.values[bisect.bisect_left(self.boundaries, step)]


class PolynomialDecay(LearningRateSchedule):
    """From one rate to another in ``decay_steps``: ``(initial - end) * (1 - step / decay_steps) ** power + end``.

    Args:
        initial_learning_rate, end_learning_rate: floats.
        decay_steps: above 0.
        power: 1 is a straight line.
        cycle: whether, once there, the way is gone again at a multiple of ``decay_steps``.
        name: a name.

    Raises: ValueError if ``decay_steps`` is not above 0.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``.
    """

    def __init__(self, initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False,
                 name="PolynomialDecay"):  # fmt: skip
        self.keep(locals(), decay_steps=_above_0)

    def __call__(self, step):
        steps = self.decay_steps * max(math.ceil(step / self.decay_steps), 1) if self.cycle else self.decay_steps
        gone = min(step / steps, 1)
        span = self.initial_learning_rate - self.end_learning_rate
        return span * (1 - gone) ** self.power + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the rate to ``alpha`` times it, after a straight way up where there is a warm-up.

    Args:
        initial_learning_rate: a float; where the warm-up begins.
        decay_steps: above 0.
        alpha: the last rate, as a share of the first.
        name: a name.
        warmup_target: the rate at the end of the warm-up; None leaves it out.
        warmup_steps: its length.

    Raises: ValueError if ``decay_steps`` is not above 0.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``; Loshchilov and Hutter, 2016.
    """

    def __init__(self, initial_learning_rate, decay_steps, alpha=0.0, name="CosineDecay", warmup_target=None,
                 warmup_steps=0):  # fmt: skip
        self.keep(locals(), decay_steps=_above_0)

    def __call__(self, step):
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return top + (self.warmup_target - top) * step / self.warmup_steps
            step, top = step - self.warmup_steps, self.warmup_target
        return top * _cosine(min(step / self.decay_steps, 1), self.alpha)


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine again and again, each ``t_mul`` times as long as the last and ``m_mul`` times as high.

    Args:
        initial_learning_rate: a float.
        first_decay_steps: length of the first one, above 0.
        t_mul, m_mul: factors of length and height.
        alpha: the last rate of each, as a share of ``initial_learning_rate``.
        name: a name.

    Raises: ValueError if ``first_decay_steps`` is not above 0.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``; Loshchilov and Hutter, 2016.
    """

    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"):
        self.keep(locals(), first_decay_steps=_above_0)

    def __call__(self, step):
        time = step / self.first_decay_steps
        if self.t_mul == 1:
            restarts = math.floor(time)
            time -= restarts
        else:
            # At a restart the quotient of logarithms may lie just below the whole number that it is.
            restarts = math.floor(math.log(1 - time * (1 - self.t_mul)) / math.log(self.t_mul) + 1e-9)
            began = (1 - self.t_mul**restarts) / (1 - self.t_mul)
            time = (time - began) / self.t_mul**restarts
        return self.initial_learning_rate * _cosine(time, self.alpha, self.m_mul**restarts)


def _cosine(time, alpha, height=1.0):
    """From ``height`` at time 0 to ``alpha`` at time 1."""
    return (1 - alpha) * 0.5 * height * (1 + math.cos(math.pi * time)) + alpha


def _above_0(owner, name, value):
    """A number above 0."""
    if not value > 0:
        checks.fail(owner, f"`{name}` to be above 0", f"{name}={value!r}")
    return value


SCHEDULES = Registry("schedule", "keras.optimizers.schedules", base=LearningRateSchedule, plain=False)
SCHEDULES.add(
    CosineDecay, CosineDecayRestarts, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay
)  # fmt: skip


def serialize(learning_rate_schedule):
    """The schedule as a config dict."""
    return SCHEDULES.serialize(learning_rate_schedule)


def deserialize(config, custom_objects=None):
    """The schedule a config dict describes."""
    return SCHEDULES.get(config, custom_objects)


__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
    "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize",
]  # fmt: skip

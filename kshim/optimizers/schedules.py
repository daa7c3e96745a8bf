"""Learning rate schedules: the rate as a function of the step."""

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
    def deserialize(config):
        """The schedule a config dict describes."""
        return SCHEDULES.get(config)


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        initial_learning_rate: a float.
        decay_steps: how many steps make one unit of time.
        decay_rate: a float.
        staircase: whether time moves in whole units.
        name: a name.

    Source: Keras 3 ``optimizers/schedules/learning_rate_schedule.py``.
    """

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        self.keep(locals())

    def __call__(self, step):
        time = step // self.decay_steps if self.staircase else step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * time)


SCHEDULES = Registry("schedule", "keras.optimizers.schedules", base=LearningRateSchedule, plain=False)
SCHEDULES.add(InverseTimeDecay)

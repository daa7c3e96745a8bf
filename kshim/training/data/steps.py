"""Epochs of so many batches, cut from passes over the data."""

from kshim.core import checks, settings


def in_steps(data, count, name, goes_on=False):
    """``data`` in epochs of ``count`` batches; as it is for None and 0.

    Args:
        name: what the user calls ``count``, for messages.
        goes_on: whether an epoch begins where the one before ended.

    Raises: TypeError if ``count`` is no int, ValueError if it is below 0.
    """
    if count is not None and (checks.as_int(count) is None or count < 0):
        error = TypeError if checks.as_int(count) is None else ValueError
        raise error(f"Expected `{name}` to be an int above 0, or None. Received: {name}={count!r}.")
    most = settings.max_steps_per_epoch()
    there = count or data.steps
    if most and (there is None or most < there):
        checks.warn(f"Limiting {name} to {most}")
        count = most
    if isinstance(count, Rows):
        return StepsOfRows(data, count, name, goes_on)
    return Steps(data, int(count), name, goes_on) if count else data


class Rows(int):
    """The length of an epoch in rows, where one in batches is taken, too: batches until there are so many."""


class Steps:
    """Epochs of ``steps`` batches; the arguments are those of ``in_steps``.

    An epoch that meets the end of the data before its last batch ends there, with a warning.

    Source: Keras 3 ``trainers/epoch_iterator.py``.
    """

    def __init__(self, data, steps, name, goes_on):
        self.data, self.steps, self.name, self.goes_on = data, steps, name, goes_on
        self._rest, self._taken = None, 0

    @property
    def rows(self):
        """Rows in one pass of the data, or None."""
        return self.data.rows

    def epoch(self, start=0):
        """The batches of one epoch, as those of ``data``, from batch ``start`` on; with one, it is not begun anew."""
        if not start:
            self.data.begin()
        try:
            if self._rest is None or not self.goes_on:
                self.close()
                self._rest, self._taken = self.data.batches(), 0
            for _ in self._needed(start):
                batch = next(self._rest, None)
                if batch is None:
                    warn_of_end(f"{self.name}={self.steps} batches an epoch. Received: {self._taken}", self.name)
                    self._rest = None
                    break
                self._taken += 1
                yield batch
            if self._rest is not None and self._taken == self.data.steps:
                self.close()
        finally:
            self.data.end()

    @property
    def batch_rows(self):
        """Rows in the batch that was given last."""
        return self.data.batch_rows

    def _needed(self, start):
        """Something for each batch that the epoch still needs."""
        return range(start, self.steps)

    def close(self):
        """End the pass that is under way, and the workers behind it."""
        if self._rest is not None:
            self._rest.close()
        self._rest = None

    def begin(self):
        """Called before each epoch."""
        self.data.begin()

    def watch(self):
        """From here on, remember what ``state`` tells."""
        self.data.watch()

    @property
    def form(self):
        """What must be the same where a state is taken up; the rest only in the middle of a pass."""
        always, within = self.data.form
        return always, within | {self.name: self.steps}

    def state(self, taken=None):
        """Where the pass stands: what ``load_state`` takes. How many batches were ``taken`` is known here."""
        taken = self._taken if self._rest is not None and self.goes_on else None
        return {"taken": taken, "data": self.data.state(taken)}

    def load_state(self, state, taken=None):
        """Take up a state; the next epoch then goes on in its pass."""
        self.close()
        self.data.load_state(state["data"], state["taken"])
        if state["taken"] is not None:
            self._rest, self._taken = self.data.batches(state["taken"]), state["taken"]


class StepsOfRows(Steps):
    """Epochs of batches until there are ``count`` rows; warns where the last one has more than were left."""

    def __init__(self, data, count, name, goes_on):
        super().__init__(data, None, name, goes_on)
        self.samples = int(count)

    def _needed(self, start):
        if start:
            raise ValueError("An epoch counted in rows cannot be taken up in its middle. Back up at the end of epochs.")
        seen = 0
        while seen < self.samples:
            yield seen
            seen += self.data.batch_rows
        if seen > self.samples:
            checks.warn(
                f"Epoch comprised more than `{self.name}` samples, which might affect learning results. "
                f"Set `{self.name}` correctly to avoid this warning."
            )


def warn_of_end(expected, name):
    """Keras' warning at the end of data."""
    checks.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at "
        f"least `steps_per_epoch * epochs` batches. Expected: {expected}. Lower `{name}`, or give more batches."
    )

"""The list through which the training loop tells callbacks what happens.

Source: Keras 3 ``callbacks/callback_list.py``.
"""

from collections.abc import Callable

from kshim.callbacks.base import EMPTY, Params, overrides, plain_logs
from kshim.callbacks.progress import History, ProgbarLogger
from kshim.callbacks.run import Run
from kshim.core import tree

describe_run: Callable | None = None  # hook: (callback list, facts) -> Params that callbacks get
amend_logs: Callable | None = None  # hook: callback list -> None, or (hook, index, logs) -> logs of a batch

STARTS = frozenset(("train_begin", "test_begin", "predict_begin", "epoch_begin"))
# Hook -> the number of arguments before the logs: 1 where an epoch or batch has an index.
INDEXED = {hook.removeprefix("on_"): int("batch" in hook or "epoch" in hook) for hook in EMPTY}


class CallbackList:
    """Several callbacks, told as one.

    A hook that no callback overrides costs a look into a dict. ``logs`` may be a callable that returns the dict: it is
    called only if a callback wants the values, so a loop that passes one never reads metrics for nothing.

    A callback with a method ``settle(hook, run, whole)`` is told once more when all others have heard a hook: the time
    to keep or take up the state of all of them. ``run`` is the list's ``Run``; ``whole`` is False if a callback raised.

    Args:
        callbacks: a callback, or a (nested) list of them.
        add_history: whether to add a ``History`` if there is none.
        add_progbar: whether to add a ``ProgbarLogger`` if there is none.
        model: the model at work.
        params: handed to each callback's ``set_params``.
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        self.callbacks = tree.flatten(callbacks) if callbacks else []
        self._history = self._find(History, add_history)
        self._find(ProgbarLogger, add_progbar)
        self.model, self.facts = None, {}
        self.run = Run(self)
        self.set_model(model)
        self.set_params(params)
        self.refresh()

    def _find(self, cls, add):
        found = [callback for callback in self.callbacks if isinstance(callback, cls)]
        if not found and add:
            found = [cls()]
            self.callbacks.append(found[0])
        return found[-1] if found else None

    def set_params(self, params):
        """Hand ``params`` to each callback; an empty dict is kept, but not handed on."""
        self.params = params
        for callback in self.callbacks if params else ():
            callback.set_params(params)

    def describe(self, **facts):
        """Say more about the run than ``params`` lists, for callbacks of older versions.

        Args:
            facts: ``samples`` and ``batch_size`` (ints, or None if not known), ``batch_rows`` (function that gives the
                rows in the batch that was given last), ``do_validation``, ``metrics`` (the
                names that will be logged), ``validation_data`` and ``validation_samples``, as far as there are any.
        """
        self.facts = facts
        if describe_run is not None:
            self.set_params(describe_run(self, facts))
        elif self.params:
            self.set_params(Params(self.params, facts))

    def append(self, callback):
        """Add one more callback; it is told from the next epoch or run on."""
        self.callbacks.append(callback)
        if self.params:
            callback.set_params(self.params)
        if self.model is not None:
            callback.set_model(self.model)

    def __iter__(self):
        return iter(self.callbacks)

    def set_model(self, model):
        """Hand ``model`` to each callback; None does nothing."""
        if model is None:
            return
        self.model = model
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def refresh(self):
        """Look again which callback hears which hook; done at the start of each run and epoch."""
        self._heard_by, self._reads_logs = {}, {}
        self._settlers = [callback.settle for callback in self.callbacks if hasattr(callback, "settle")]
        self._amend = amend_logs(self) if amend_logs is not None else None
        for hook in EMPTY:
            hearers = [callback for callback in self.callbacks if overrides(callback, hook)]
            self._heard_by[hook.removeprefix("on_")] = [getattr(callback, hook) for callback in hearers]
            self._reads_logs[hook.removeprefix("on_")] = any(
                not getattr(callback, "takes_lazy_logs", False) for callback in hearers
            )

    def listens(self, hook):
        """Whether a callback hears ``hook``, for example ``"train_batch_end"``."""
        return bool(self._heard_by[hook])

    def reads_logs(self, hook):
        """Whether a callback needs the values in the logs of each call of ``hook``; the progress bar does not."""
        return self._reads_logs[hook]

    def notify(self, hook, *args):
        """Tell the callbacks.

        Args:
            hook: the hook's name without ``on_``.
            args: what the hook takes: the index of the epoch or batch if it has one, then the logs, if any.
        """
        if hook in STARTS:
            self.refresh()
        hearers = self._heard_by[hook]
        if not hearers:
            return
        position = INDEXED[hook]
        logs = args[position] if len(args) > position else None
        if self._reads_logs[hook]:
            logs = plain_logs(logs)
            if self._amend is not None and "batch" in hook:
                logs = self._amend(hook, args[0], logs)
        whole = False
        try:
            for hear in hearers:
                hear(*args[:position], logs)
            whole = True
        finally:  # even if a callback raises: what one before it has decided is done, as it would be in Keras
            for settle in self._settlers:
                settle(hook, self.run, whole)


def _teller(name):
    hook = name.removeprefix("on_")

    def tell(self, *args, logs=None):
        self.notify(hook, *args, *(() if logs is None else (logs,)))

    tell.__name__ = name
    tell.__doc__ = f"``notify({hook!r}, ...)``."
    return tell


for _name in EMPTY:
    setattr(CallbackList, _name, _teller(_name))

"""The empty callback, and the dict that logs are.

Source: Keras 3 ``callbacks/callback.py``.
"""

import torch

from kshim.core.configurable import Configurable

TWINS = {}  # name of a logged value -> the other name it answers to; both directions are looked up


def twins(name):
    """The other names that a logged ``name`` answers to; a ``val_`` in front is kept."""
    prefix = "val_" if name.startswith("val_") else ""
    bare = name.removeprefix("val_")
    others = [new for old, new in TWINS.items() if old == bare] + [old for old, new in TWINS.items() if new == bare]
    return [prefix + other for other in others]


class Logs(dict):
    """A dict of logged values, in which a value is also found under its twin's name (``TWINS``).

    Only what was logged is listed: ``keys``, ``len``, iteration and ``repr`` know nothing of twins.
    """

    def _resolve(self, name):
        if dict.__contains__(self, name) or not isinstance(name, str):
            return name
        return next((twin for twin in twins(name) if dict.__contains__(self, twin)), name)

    def __missing__(self, name):
        found = self._resolve(name)
        if found == name:
            raise KeyError(name)
        return dict.__getitem__(self, found)

    def __contains__(self, name):
        return dict.__contains__(self, self._resolve(name))

    def get(self, name, default=None):
        """The value under ``name`` or its twin, else ``default``."""
        return dict.get(self, self._resolve(name), default)


class Params(dict):
    """The parameters of a run. ``others`` are found under their names as well, but not listed.

    Args:
        listed: dict of what ``keys``, ``len`` and iteration know.
        others: dict of what older callbacks ask for.
    """

    def __init__(self, listed, others=()):
        super().__init__(listed)
        self.others = dict(others)

    def __missing__(self, name):
        return self.others[name]

    def get(self, name, default=None):
        """The value under ``name``, listed or not, else ``default``."""
        return dict.get(self, name, self.others.get(name, default))

    def __reduce__(self):
        return type(self), (dict(self), self.others)


def plain_logs(logs):
    """``logs`` as callbacks see them: a new ``Logs``, sorted by name, inner dicts flattened, values floats if possible.

    Args:
        logs: a dict, None, or a callable without arguments that returns one.
    """
    logs = logs() if callable(logs) else logs
    result = Logs()
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, dict):
            result.update(plain_logs(value))
        else:
            result[name] = _number(value)
    return result


def _number(value):
    if getattr(value, "ndim", 0):  # several numbers, such as a batch of predictions: handed on as they are
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


class Callback(Configurable):
    """Base of all callbacks: every hook does nothing.

    ``self.model`` is the model at work and ``self.params`` a dict with ``verbose``, ``epochs`` and ``steps``. ``logs``
    is a dict of floats by metric name. ``epoch`` and ``batch`` are ints counted from 0.
    """

    # On the class, since scripts of Keras 1 and 2 write an __init__ that does not call this one.
    params = None
    _model = None

    def __init__(self):
        self.params = None
        self._model = None

    def set_params(self, params):
        """Take the dict of the run's parameters."""
        self.params = params

    def set_model(self, model):
        """Take the model at work."""
        self._model = model

    @property
    def model(self):
        """The model at work; the one inside, where it is wrapped for data parallelism."""
        if isinstance(self._model, torch.nn.parallel.DistributedDataParallel):
            return self._model.module
        return self._model

    @model.setter
    def model(self, model):
        self._model = model

    def on_epoch_begin(self, epoch, logs=None):
        """Called before an epoch of training."""

    def on_epoch_end(self, epoch, logs=None):
        """Called after an epoch; ``logs`` has the epoch's metrics, those of validation as ``val_<name>``."""

    def on_batch_begin(self, batch, logs=None):
        """Called before a batch of training (an older name of ``on_train_batch_begin``)."""

    def on_batch_end(self, batch, logs=None):
        """Called after a batch of training (an older name of ``on_train_batch_end``)."""

    def on_train_batch_begin(self, batch, logs=None):
        """Called before a batch of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Called after a batch of training; ``logs`` has the metrics so far."""
        self.on_batch_end(batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        """Called before a batch of evaluation, and of validation within training."""

    def on_test_batch_end(self, batch, logs=None):
        """Called after a batch of evaluation, and of validation within training."""

    def on_predict_batch_begin(self, batch, logs=None):
        """Called before a batch of prediction."""

    def on_predict_batch_end(self, batch, logs=None):
        """Called after a batch of prediction; ``logs`` has ``outputs``."""

    def on_train_begin(self, logs=None):
        """Called at the start of training."""

    def on_train_end(self, logs=None):
        """Called at the end of training; ``logs`` are the last epoch's."""

    def on_test_begin(self, logs=None):
        """Called at the start of evaluation or validation."""

    def on_test_end(self, logs=None):
        """Called at the end of evaluation or validation."""

    def on_predict_begin(self, logs=None):
        """Called at the start of prediction."""

    def on_predict_end(self, logs=None):
        """Called at the end of prediction."""


EMPTY = {name: hook for name, hook in vars(Callback).items() if name.startswith("on_")}
ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def overrides(callback, hook):
    """Whether ``callback`` does anything in ``hook`` (``"on_epoch_end"``)."""
    if hook in ALIASES and overrides(callback, ALIASES[hook]):
        return True
    own = getattr(callback, hook, None)
    return own is not None and getattr(own, "__func__", own) is not EMPTY[hook]

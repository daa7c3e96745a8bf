"""What training went through: the history, and the progress bar.

Source: Keras 3 ``callbacks/history.py``, ``callbacks/progbar_logger.py``.
"""

from kshim.callbacks.base import Callback, Logs, plain_logs
from kshim.core.progress import Progbar, print_msg


class History(Callback):
    """Keeps the logs of each epoch; ``fit`` adds one and returns it.

    ``epoch`` is the list of epoch indices of the last run; ``history`` a dict of lists by metric name, which goes on
    growing if the same object takes part in several runs. ``model.history`` is this object.
    """

    def __init__(self):
        super().__init__()
        self.epoch = []
        self.history = Logs()

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.model.history = self


class ProgbarLogger(Callback):
    """Shows a progress bar with the metrics; ``fit``, ``evaluate`` and ``predict`` add one unless ``verbose=0``.

    ``params`` says how: ``verbose`` (0 silent, 1 or "auto" a bar, 2 one line per epoch), ``epochs`` and ``steps``
    (None if not known before the first epoch is over).
    """

    takes_lazy_logs = True  # logs of a batch may be a callable; it is called only when the bar is redrawn

    def __init__(self):
        super().__init__()
        self.verbose, self.epochs, self.target = 1, 1, None
        self.seen = 0
        self.progbar = None
        self._within_fit = False

    def set_params(self, params):
        super().set_params(params)
        self.verbose = 1 if params["verbose"] == "auto" else params["verbose"]
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def on_train_begin(self, logs=None):
        self._within_fit = True  # so validation stays silent

    def on_train_end(self, logs=None):
        self._within_fit = False

    def on_epoch_begin(self, epoch, logs=None):
        self._start()
        if self.verbose and self.epochs > 1:
            print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def on_test_begin(self, logs=None):
        if not self._within_fit:
            self._start()

    def on_predict_begin(self, logs=None):
        self._start()

    def on_train_batch_end(self, batch, logs=None):
        self._advance(batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        if not self._within_fit:
            self._advance(batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._advance(batch, None)

    def on_epoch_end(self, epoch, logs=None):
        self._finish(logs)

    def on_test_end(self, logs=None):
        if not self._within_fit:
            self._finish(logs)

    def on_predict_end(self, logs=None):
        self._finish(None)

    def _start(self):
        self.seen = 0
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())

    def _advance(self, batch, logs):
        self.seen = batch + 1
        if self.verbose == 1:
            self.progbar.update(self.seen, (lambda: plain_logs(logs).items()) if logs else None, finalize=False)

    def _finish(self, logs):
        if self.target is None:
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.target, plain_logs(logs).items(), finalize=True)

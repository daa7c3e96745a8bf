"""Saving while training goes on.

Source: Keras 3 ``callbacks/model_checkpoint.py``.
"""

import os
import warnings

from kshim.callbacks.monitor import MonitorCallback
from kshim.core import checks, settings
from kshim.core.progress import print_msg

WEIGHTS = (".weights.h5", ".h5", ".hdf5")
WHOLE_MODELS = (".keras", ".h5", ".hdf5")


class Epochs(int):
    """A ``save_freq`` that counts epochs."""


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, at the end of epochs or after a number of batches.

    A file appears under its name when it is whole: it is written beside, then renamed.

    Args:
        filepath: path, in which ``{epoch}`` (from 1), ``{batch}`` and the names of metrics may stand, as in
            ``"best-{epoch:02d}-{val_loss:.2f}.weights.h5"``. Folders are made.
        monitor: name of the metric in the logs.
        verbose: 1 prints a line for each decision.
        save_best_only: whether to save only where ``monitor`` improved.
        save_weights_only: whether to save the weights (``.weights.h5``; ``.h5`` or ``.hdf5`` for Keras 2's layout)
            or the whole model (``.keras``, ``.h5``).
        mode: "min", "max", or "auto" for the direction of the compiled metric.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: a value of ``monitor`` that the first save has to improve on.

    Raises:
        ValueError: ``filepath`` does not end as above, or ``save_freq`` is neither; at the first epoch's end, where
            "auto" finds no direction.
        NotImplementedError: as soon as training starts, for a whole model where the model has no ``save``.
        KeyError: ``filepath`` names a metric that is not logged.
        IsADirectoryError: ``filepath`` is a folder.
    """

    def __init__(
        self,
        filepath,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        save_weights_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
    ):
        super().__init__(monitor, mode)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq, self.initial_value_threshold = save_freq, initial_value_threshold
        if save_freq != "epoch" and checks.as_int(save_freq) is None:
            raise ValueError(
                f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer values. "
                f"Received: save_freq={save_freq!r}"
            )
        self._check_suffix()
        self.best = initial_value_threshold
        self._epoch = 0
        self._unsaved_batches, self._last_batch = 0, None
        self._unsaved_epochs = 0

    def _check_suffix(self):
        # Up to Keras 2.3 every path was an HDF5 file, whatever its name.
        allowed = WEIGHTS if self.save_weights_only else WHOLE_MODELS
        if self.filepath.endswith(allowed) or settings.holds(until="2.3.1"):
            return
        if self.save_weights_only:
            raise ValueError(
                "When using `save_weights_only=True` in `ModelCheckpoint`, the filepath provided must end in "
                "`.weights.h5` (Keras weights format), or in `.h5` or `.hdf5` (that of Keras 2). "
                f"Received: filepath={self.filepath}"
            )
        raise ValueError(
            "The filepath provided must end in `.keras` (Keras model format), or in `.h5` or `.hdf5` (that of "
            f"Keras 2). Received: filepath={self.filepath}. For the weights alone pass save_weights_only=True."
        )

    def on_train_begin(self, logs=None):
        # `best` and the batches counted go on from one run to the next, as in Keras: a second fit shall not write
        # over a better file.
        self._direction = None
        if not self.save_weights_only and not callable(getattr(self.model, "save", None)):
            self._refuse_whole_models()

    def _refuse_whole_models(self, cause=None):
        raise NotImplementedError(
            f"ModelCheckpoint cannot save this {type(self.model).__name__} as a whole. Received: "
            f"filepath={self.filepath}, save_weights_only=False. Pass save_weights_only=True and a filepath that "
            "ends in `.weights.h5`, and build the model by the same code before load_weights."
        ) from cause

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self._counts_epochs():
            return
        begins_anew = self._last_batch is None or batch <= self._last_batch
        self._unsaved_batches += batch + 1 if begins_anew else batch - self._last_batch
        self._last_batch = batch
        if self._unsaved_batches >= self.save_freq:
            self._unsaved_batches = 0
            self._save(self._epoch, batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        self.direction()  # an unknown one is an error from the first epoch on
        if not self._counts_epochs():
            return
        self._unsaved_epochs += 1
        if self.save_freq == "epoch" or self._unsaved_epochs >= self.save_freq:
            self._unsaved_epochs = 0
            self._save(epoch, None, logs)

    def _counts_epochs(self):
        return self.save_freq == "epoch" or isinstance(self.save_freq, Epochs)

    def _save(self, epoch, batch, logs):
        logs = {} if logs is None else logs
        path = self._path(epoch, batch, logs)
        if not self._should_save(epoch, logs, path):
            return
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if os.path.isdir(path):
            raise IsADirectoryError(
                "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an existing "
                f"directory: {path}"
            )
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            try:
                self.model.save(path, overwrite=True)
            except NotImplementedError as error:
                self._refuse_whole_models(error)
        self._tell(epoch, f"finished saving model to {path}")

    def _should_save(self, epoch, logs, path):
        if not self.save_best_only:
            self._tell(epoch, f"saving model to {path}")
            return True
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(f"Can save best model only with {self.monitor} available.", UserWarning, stacklevel=4)
            return True
        if getattr(value, "ndim", 0) > 0:
            warnings.warn(
                f"Can save best model only when `monitor` is a scalar value. Received: {value}. "
                "Falling back to `save_best_only=False`.",
                UserWarning,
                stacklevel=4,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self.is_better(value, self.best):
            self._tell(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._tell(epoch, f"{self.monitor} improved from {best} to {value:.5f}, saving model to {path}")
        self.best = value
        return True

    def _tell(self, epoch, what):
        if self.verbose > 0:
            print_msg(f"\nEpoch {self._epoch_text(epoch)}: {what}")

    def _epoch_text(self, epoch):
        return f"{epoch + 1}"

    def _epoch_number(self, epoch):
        """``{epoch}`` in file names."""
        return epoch + 1

    def _path(self, epoch, batch, logs):
        """``filepath`` with its placeholders filled in; a metric is found under its twin's name too."""
        names = type(logs)(logs)
        if batch is not None and "batch" not in logs:
            names["batch"] = batch + 1
        names["epoch"] = self._epoch_number(epoch)
        try:
            return self.filepath.format_map(names)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}. '
                f"Logged are: {', '.join(names)}."
            ) from None

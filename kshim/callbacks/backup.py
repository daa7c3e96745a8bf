"""Going on after an interruption.

Source: Keras 3 ``callbacks/backup_and_restore.py``.
"""

import contextlib
import os
import pickle
import warnings
import zipfile

import torch

from kshim.callbacks.base import Callback
from kshim.core import checks
from kshim.core.files import remove_leftovers, replacing

NAME = "latest.kshim.pt"
OF_KERAS = ("latest.weights.h5", "chief", "checkpoint")  # what Keras 3 and tf.keras leave in such a folder


class BackupAndRestore(Callback):
    """Keeps the state of a training run in a file, so that the same script goes on where it was killed.

    A run that goes on ends with the weights, the history and the logs of one that was never interrupted; on a CPU they
    are equal bit for bit. The file has the weights, the optimizer, the metrics, the generators of random numbers (the
    global ones, those of layers and of the data), the position in the data, and what changed in the other callbacks.
    It is written beside the old one, then renamed: at any moment there is a whole one.

    What a callback or a data set of the user's own counts is kept if it is plain (numbers, texts, arrays, lists and
    dicts) or a generator of random numbers; for anything else give it ``state_dict()`` and ``load_state_dict(state)``.
    Python generators, and loaders in the middle of a pass, are run through to the position once more: a generator must
    begin where the first one did, with the same seeds. Threads of a ``PyDataset`` read ahead, so what they draw from
    common generators, or read while ``on_epoch_end`` changes the data, is not repeatable.

    Args:
        backup_dir: folder for the file; no other run may use it.
        save_freq: "epoch", or after how many batches to save, an int above 0; False only restores.
        double_checkpoint: whether to keep the backup before the last, too, which is taken if the last is damaged.
        delete_checkpoint: whether to remove the backup when training has come to its end.

    Raises:
        ValueError: ``backup_dir`` is empty, ``save_freq`` none of these; when training begins: the model is not built,
            or the backup is of another model, optimizer or other data.
        OSError: when training begins: the backup is damaged, and there is no other.
    """

    takes_lazy_logs = True

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir:
            raise ValueError(f"Empty `backup_dir` argument passed. Received: backup_dir={backup_dir!r}")
        number = save_freq if isinstance(save_freq, bool) else checks.as_int(save_freq)
        if save_freq != "epoch" and (number is None or (number < 1 and number is not False)):
            raise ValueError(
                f"Invalid value for argument `save_freq`. Received: save_freq={save_freq}. "
                "Expected either 'epoch' or an integer value above 0."
            )
        self.backup_dir, self.save_freq = backup_dir, save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._folder = os.fspath(backup_dir)
        self._path = os.path.join(self._folder, NAME)
        self._current_epoch, self._last_batch_seen, self._batches_seen_since_last_saving = 0, -1, 0
        self._logs = None
        self._due = None  # what is to be done when the other callbacks have heard the hook
        self._began = False

    # -- when ----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        if not self.model.built:
            raise ValueError(
                "To use the BackupAndRestore callback, your model must be built before you call `fit()`. "
                f"Received: {checks.describe(self.model)}, which is unbuilt. Build it beforehand by calling it on a "
                "batch of data."
            )
        self._began, self._last_batch_seen, self._batches_seen_since_last_saving = False, -1, 0
        self._due = "restore"

    def on_epoch_begin(self, epoch, logs=None):
        if not self._began:
            raise RuntimeError(
                "BackupAndRestore keeps the state of all callbacks and must be told through their list. Received: a "
                "call of its own. Put it into `callbacks` of fit(), or into a CallbackList."
            )
        self._current_epoch, self._last_batch_seen = epoch, -1
        self._due = "go on"

    def on_train_batch_end(self, batch, logs=None):
        self._batches_seen_since_last_saving += batch - self._last_batch_seen
        self._last_batch_seen = batch
        if self.save_freq in ("epoch", False) or self._batches_seen_since_last_saving < self.save_freq:
            return
        self._batches_seen_since_last_saving = 0
        self._due = "save"

    def on_epoch_end(self, epoch, logs=None):
        self._current_epoch, self._last_batch_seen = epoch + 1, -1
        self._logs = logs() if callable(logs) else logs
        if self.save_freq == "epoch":
            self._due = "save"

    def on_train_end(self, logs=None):
        self._due = "delete"

    def settle(self, hook, run, whole):
        """Do what is due, now that all callbacks have heard ``hook``, or one has raised."""
        due, self._due = self._due, None
        if due == "restore" and whole:
            self._began = True
            run.watch(self.model)
            self._restore(run)
        elif due == "go on":
            run.go_on(self.model)
        elif due == "save":
            self._save(run)
        elif due == "delete" and self.delete_checkpoint and whole:  # else what failed at the end can be done again
            self._delete()

    # -- what ----------------------------------------------------------------------------------------------------

    def _save(self, run):
        state = run.state(self.model, self._current_epoch, self._last_batch_seen + 1, self._logs)
        os.makedirs(self._folder, exist_ok=True)
        with replacing(self._path) as temporary:
            _write(state, temporary)
            if self.double_checkpoint and os.path.exists(self._path):
                os.replace(self._path, f"{self._path}.bkp")

    def _restore(self, run):
        if not os.path.isdir(self._folder):
            return
        remove_leftovers(self._path)  # of a run that was killed while it wrote
        found = [path for path in (self._path, f"{self._path}.bkp") if os.path.exists(path)]
        if not found:
            foreign = [name for name in OF_KERAS if os.path.exists(os.path.join(self._folder, name))]
            if foreign:
                raise ValueError(
                    f"BackupAndRestore: expected a backup by kshim in {self._folder!r}. Received: {foreign[0]!r}, one "
                    "by Keras. Give another folder; load_weights() and fit(initial_epoch=...) go on from that one."
                )
            return
        for path in found:
            try:
                state = _read(path)
                break
            except OSError as error:
                if path == found[-1]:
                    raise
                warnings.warn(f"{error} Going on from the backup before it, {found[-1]!r}.", stacklevel=2)
        run.load(self.model, state, f"The backup {path!r}")

    def _delete(self):
        if not os.path.isdir(self._folder):
            return
        for path in (self._path, f"{self._path}.bkp"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path)
        remove_leftovers(self._path)
        with contextlib.suppress(OSError):  # there is something else in it
            os.rmdir(self._folder)


def _write(state, path):
    """Write a backup, with the check sums that ``_read`` looks at."""
    wanted = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(True)
    try:
        torch.save(state, path)
    finally:
        torch.serialization.set_crc32_options(wanted)


def _read(path):
    """The content of a backup.

    Raises: OSError if it is damaged, or no such file.
    """
    try:
        with open(path, "rb") as file:
            with zipfile.ZipFile(file) as archive:
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise zipfile.BadZipFile("compressed entries")
                damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"a wrong check sum of {damaged!r}")
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise zipfile.BadZipFile(f"a {type(state).__name__}")
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError,
            TypeError, AttributeError, IndexError, NotImplementedError) as error:  # fmt: skip
        raise OSError(
            f"The backup {path!r} cannot be read: expected a whole file by BackupAndRestore. Received: {error}. Remove "
            "it to begin anew."
        ) from error
    return state

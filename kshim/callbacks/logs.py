"""Callbacks that write logs elsewhere.

Source: Keras 3 ``callbacks/csv_logger.py``.
"""

import csv
import os
from collections.abc import Iterable

import numpy as np

from kshim.callbacks.base import Callback


class CSVLogger(Callback):
    """Writes a row per epoch into a CSV file: the epoch, then the metrics in alphabetical order.

    Columns are those of the first epoch; without validation in it, there are ``val_`` columns too, for later ones.

    Args:
        filename: path of the file.
        separator: character between two columns.
        append: whether to go on with a file that exists, rather than begin it anew.
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.separator = separator
        self.keys = None

    def on_train_begin(self, logs=None):
        self.keys = None
        self._is_new = not (self.append and os.path.exists(self.filename) and os.path.getsize(self.filename))
        self._open("a" if self.append else "w").close()
        self._start = os.path.getsize(self.filename)

    def state_dict(self):
        """What ``BackupAndRestore`` keeps: the columns, and what this run has written."""
        with self._open("a+") as file:
            file.seek(self._start)
            return {"keys": self.keys, "is_new": self._is_new, "start": self._start, "written": file.read()}

    def load_state_dict(self, state):
        """Take up what ``state_dict`` gave: later rows of the run that was interrupted are dropped."""
        self.keys, self._is_new, self._start = state["keys"], state["is_new"], state["start"]
        with self._open("a") as file:
            file.truncate(min(self._start, os.path.getsize(self.filename)))
            file.write(state["written"])

    def _open(self, mode):
        # Open only while a row is written: a run that fails leaves no open file, and a copy of this object works.
        return open(self.filename, mode, newline="")

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        starts = self.keys is None
        if starts:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        with self._open("a") as file:
            writer = csv.DictWriter(file, ["epoch", *self.keys], delimiter=self.sep)
            if starts and self._is_new:
                writer.writeheader()
            writer.writerow({"epoch": epoch} | {key: _cell(logs.get(key, "NA")) for key in self.keys})

    def on_train_end(self, logs=None):
        self.keys = None


def _cell(value):
    if isinstance(value, Iterable) and not isinstance(value, str) and np.ndim(value) > 0:
        return f'"[{", ".join(map(str, value))}]"'
    return value

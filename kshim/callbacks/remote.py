"""Callbacks that tell another program.

Source: Keras 3 ``callbacks/remote_monitor.py``, ``callbacks/orbax_checkpoint.py``.
"""

import importlib
import json
import warnings

import numpy as np

from kshim.callbacks.base import Callback


class RemoteMonitor(Callback):
    """Posts the logs of each epoch to a server, by the ``requests`` package.

    Args:
        root: address of the server.
        path: where on it.
        field: name of the form's field that the JSON text stands in; without meaning for ``send_as_json``.
        headers: dict of further HTTP headers.
        send_as_json: whether the JSON text is the body itself, rather than a field of a form.

    Raises:
        ImportError: at the first epoch's end, where ``requests`` is not installed.
    """

    def __init__(
        self,
        root="http://localhost:9000",
        path="/publish/epoch/end/",
        field="data",
        headers=None,
        send_as_json=False,
    ):
        super().__init__()
        self.root, self.path, self.field, self.headers = root, path, field, headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch, logs=None):
        try:
            requests = importlib.import_module("requests")
        except ImportError as error:
            raise ImportError(
                "RemoteMonitor requires the `requests` library. Install it with: pip install requests"
            ) from error
        values = {"epoch": epoch} | {
            name: value.item() if isinstance(value, (np.ndarray, np.generic)) else value
            for name, value in (logs or {}).items()
        }
        body = {"json": values} if self.send_as_json else {"data": {self.field: json.dumps(values)}}
        try:
            requests.post(self.root + self.path, headers=self.headers, **body)
        except requests.exceptions.RequestException:
            warnings.warn(f"Could not reach RemoteMonitor root server at {self.root}", stacklevel=2)


class OrbaxCheckpoint(Callback):
    """Refused: Orbax's checkpoints are JAX's. ``ModelCheckpoint`` and ``BackupAndRestore`` save what it saves.

    Args:
        directory, monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold, max_to_keep,
            save_on_background, save_weights_only: as in Keras.

    Raises:
        NotImplementedError: always.
    """

    def __init__(
        self,
        directory,
        monitor="val_loss",
        verbose=0,
        save_best_only=False,
        mode="auto",
        save_freq="epoch",
        initial_value_threshold=None,
        max_to_keep=1,
        save_on_background=True,
        save_weights_only=False,
    ):
        raise NotImplementedError(
            f"kshim has no OrbaxCheckpoint: Orbax is JAX's. Received: directory={directory!r}. Write "
            "ModelCheckpoint(filepath, ...) with the same monitor, mode and save_freq, or "
            "BackupAndRestore(directory) to go on after an interruption."
        )

"""Logs for TensorBoard, through its own writer.

Source: Keras 3 ``callbacks/tensorboard.py``; the names of the series are the same.
"""

import contextlib
import importlib
import json
import os
import time
import warnings

import numpy as np
import torch

from kshim.callbacks.base import Callback, plain_logs
from kshim.callbacks.schedule import log_learning_rates
from kshim.core import checks, settings
from kshim.core.arrays import to_numpy
from kshim.core.files import replacing
from kshim.layers.embeddings import Embedding


def _imported(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            "TensorBoard requires the `tensorboard` package. Install it with: pip install 'kshim[tensorboard]'"
        ) from error


class TensorBoard(Callback):
    """Writes logs that ``tensorboard --logdir logs`` shows.

    The series ``epoch_<metric>`` of training are in ``<log_dir>/train`` and those of validation in
    ``<log_dir>/validation``; files are made when there is something to write.

    Args:
        log_dir: folder.
        histogram_freq: epochs between two histograms of all weights; 0 for none.
        write_graph: whether to write the model's graph.
        write_images: whether histograms come with pictures of the weights.
        write_steps_per_second: whether to write how fast batches and epochs are.
        update_freq: "epoch"; "batch" or a number of batches after which ``batch_<metric>`` is written as well. Metrics
            are read from the device only then.
        profile_batch: number of the batch to profile, from 1, or a pair (first, last); 0 for none. The trace of
            ``torch.profiler`` is written to ``<log_dir>/train``.
        embeddings_freq: epochs between two copies of the weights of ``Embedding`` layers for the projector; 0 for none.
        embeddings_metadata: path of a file with the rows' labels, or a dict of layer name to path.

    Raises:
        ImportError: as soon as something is to be written, where ``tensorboard`` is not installed.
        ValueError: ``profile_batch`` or ``update_freq`` is something else; ``embeddings_metadata`` names a layer
            that is no ``Embedding``.
    """

    takes_lazy_logs = True  # logs of a batch may be a callable; it is called for batches that are written

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=True,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        if self.update_freq != "epoch":
            checks.positive_int(self, "update_freq", self.update_freq)
        self.profile_batch = profile_batch
        self._first, self._last = _range(profile_batch)
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._writers = {}
        self._profiler = None
        self._batches = {"train": 0, "test": 0}
        self._started = self._epoch_started = 0.0
        self._epoch_batches = 0
        self._within_fit = False

    def __getstate__(self):
        return vars(self) | {"_writers": {}, "_profiler": None}  # open files are not copied

    def set_model(self, model):
        super().set_model(model)
        self._close()
        if self.write_graph:
            self._write_graph()
        if self.embeddings_freq:
            self._embeddings()  # an unknown layer is an error before training

    def _writer(self, name):
        if name not in self._writers:
            writer = _imported("torch.utils.tensorboard").SummaryWriter
            self._writers[name] = writer(os.path.join(self.log_dir, name))
        return self._writers[name]

    def _scalar(self, name, tag, value, step):
        if np.ndim(value) == 0:
            self._writer(name).add_scalar(tag, value, int(step), new_style=True)

    # -- when ----------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs=None):
        self._batches["train"] = 0
        self._within_fit = True

    def on_train_end(self, logs=None):
        self._within_fit = False
        self._stop_profiler()
        self._close()

    def on_train_batch_begin(self, batch, logs=None):
        self._batches["train"] += 1
        if self._batches["train"] == self._first:
            folder = os.path.join(self.log_dir, "train")
            self._profiler = torch.profiler.profile(on_trace_ready=torch.profiler.tensorboard_trace_handler(folder))
            self._profiler.start()
        if self.write_steps_per_second:
            self._started = time.time()

    def on_train_batch_end(self, batch, logs=None):
        step = self._batches["train"]
        if self.update_freq != "epoch" and step % self.update_freq == 0:
            if self.write_steps_per_second:
                seconds = max(time.time() - self._started, 1e-9)
                self._scalar("train", "batch_steps_per_second", 1 / seconds, step)
            for name, value in plain_logs(logs).items():
                self._scalar("train", f"batch_{name}", value, step)
        if self._profiler is not None and step >= self._last:
            self._stop_profiler()

    def on_test_batch_begin(self, batch, logs=None):
        self._batches["test"] += 1

    def on_test_end(self, logs=None):
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        if iterations is not None:
            for name, value in plain_logs(logs).items():
                self._scalar("validation", f"evaluation_{name}_vs_iterations", value, iterations)
        if not self._within_fit:
            self._close()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_started, self._epoch_batches = time.time(), self._batches["train"]

    def on_epoch_end(self, epoch, logs=None):
        logs = plain_logs(logs)
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        if logs:
            log_learning_rates(self.model, train)
            if self.write_steps_per_second:
                seconds = max(time.time() - self._epoch_started, 1e-9)
                train["steps_per_second"] = (self._batches["train"] - self._epoch_batches) / seconds
        for name, value in train.items():
            self._scalar("train", f"epoch_{name}", value, epoch)
        for name, value in logs.items():
            if name.startswith("val_"):
                self._scalar("validation", f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings(epoch)
        self._flush()

    # -- what ----------------------------------------------------------------------------------------------------

    def _write_weights(self, epoch):
        for layer in self.model.layers:
            for weight in layer.weights:
                name, values = weight.path.replace(":", "_"), to_numpy(weight)
                if values.size:
                    self._writer("train").add_histogram(f"{name}/histogram", values, epoch)
                images = _images(values) if self.write_images else None
                if images is not None:
                    self._writer("train").add_images(f"{name}/image", images, epoch, dataformats="NHWC")

    def _write_graph(self):
        """The layers and what they are called on, in the form that TensorBoard's page of Keras models reads."""
        if getattr(self.model, "inputs", None) is None:  # it has no graph: a subclass, or not built yet
            return
        try:
            config = {"class_name": type(self.model).__name__, "config": self.model.get_config()}
            text = json.dumps(config, default=str)
        except (NotImplementedError, TypeError, ValueError) as error:
            warnings.warn(f"Model failed to serialize as JSON. Ignoring... {error}", stacklevel=2)
            return
        summary = _imported("tensorboard.compat.proto.summary_pb2")
        tensor = _imported("tensorboard.compat.proto.tensor_pb2").TensorProto(dtype="DT_STRING")
        tensor.string_val.append(text.encode())
        tensor.tensor_shape.SetInParent()
        metadata = summary.SummaryMetadata(
            plugin_data=summary.SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
        )
        value = summary.Summary.Value(tag="keras/graph_keras_model", tensor=tensor, metadata=metadata)
        self._writer("train").file_writer.add_summary(summary.Summary(value=[value]), 0)

    def _embeddings(self):
        """``(layer, path of its labels or None)`` pairs."""
        given = self.embeddings_metadata
        found = [layer for layer in self.model.layers if isinstance(layer, Embedding)]
        by_name = given if isinstance(given, dict) else {layer.name: given for layer in found}
        unknown = by_name.keys() - {layer.name for layer in found}
        if unknown:
            raise ValueError(
                "Unrecognized `Embedding` layer names passed to `keras.callbacks.TensorBoard` `embeddings_metadata` "
                f"argument: {sorted(unknown)}. Known are: {[layer.name for layer in found]}"
            )
        return [(layer, by_name.get(layer.name)) for layer in found]

    def _write_embeddings(self, epoch):
        config = _imported("tensorboard.plugins.projector").ProjectorConfig()
        folder = os.path.join(self.log_dir, "train")
        os.makedirs(folder, exist_ok=True)
        for layer, metadata in self._embeddings():
            name = f"{layer.name.replace('/', '_')}-{epoch}.tsv"
            with replacing(os.path.join(folder, name)) as path:
                np.savetxt(path, to_numpy(layer.embeddings), delimiter="\t", fmt="%.8g")
            entry = config.embeddings.add(tensor_name=layer.name, tensor_path=os.path.join("train", name))
            if metadata is not None:
                entry.metadata_path = os.fspath(metadata)
        text = _imported("google.protobuf.text_format").MessageToString(config)
        with replacing(os.path.join(self.log_dir, "projector_config.pbtxt")) as path, open(path, "w") as file:
            file.write(text)

    def _stop_profiler(self):
        if self._profiler is not None:
            self._profiler.stop()
            self._profiler = None

    def _flush(self):
        for writer in self._writers.values():
            writer.flush()

    def _close(self):
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _range(given):
    """First and last batch to profile, as ints; ``"2,5"`` is the pair (2, 5)."""
    message = (
        "profile_batch must be a non-negative integer or 2-tuple of positive integers. A pair of positive integers "
        f"signifies a range of batches to profile. Found: {given}"
    )
    parts = given
    if isinstance(given, str):
        parts = []
        with contextlib.suppress(ValueError):
            parts = [int(part) for part in given.split(",")]
    elif checks.as_int(given) is not None:
        parts = [given]
    if not isinstance(parts, (list, tuple)) or len(parts) not in (1, 2) or None in map(checks.as_int, parts):
        raise ValueError(message)
    first, last = parts[0], parts[-1]
    if first < 0 or last < first:
        raise ValueError(message)
    return first, last


def _images(values):
    """A weight as a batch of pictures, NHWC in [0, 1]; None where it cannot be shown as one."""
    values = np.squeeze(values)
    if values.ndim == 1:
        values = values.reshape(1, -1, 1, 1)
    elif values.ndim == 2:
        values = (values.T if values.shape[0] > values.shape[1] else values)[None, ..., None]
    elif values.ndim == 3:
        if settings.image_data_format() == "channels_last":
            values = np.transpose(values, (2, 0, 1))
        values = values[..., None]
    if values.ndim != 4 or values.shape[-1] not in (1, 3, 4) or not values.size:
        return None
    return np.clip(values.astype("float32"), 0, 1)

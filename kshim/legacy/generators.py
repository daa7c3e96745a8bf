"""Training from generators as Keras 0 to 2 wrote it: ``fit_generator`` and its kin, ``workers=``, the enqueuers.

All of it ends in ``fit``, ``evaluate`` and ``predict``, whose workers are those of ``PyDataset``.
"""

import collections
import functools
import inspect
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from kshim.core import checks, settings, tree
from kshim.core.arrays import to_numpy
from kshim.core.configurable import translated
from kshim.models import Model, Sequential
from kshim.training.data import arrays, sequence
from kshim.training.data.sequence import PyDataset
from kshim.training.data.steps import Rows

_END = object()


def ahead(iterator, workers=1, max_queue_size=10):
    """What ``iterator`` gives, in its order, drawn by threads while the training uses what came before.

    Args:
        iterator: a Python generator is drawn from by one thread; any other iterator, which must bear that, by several.
        workers: threads.
        max_queue_size: how many batches are drawn ahead at most. They are lost to others when this ends.
    """
    threads = 1 if inspect.isgenerator(iterator) else max(1, workers)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="generator")
    try:
        waiting = collections.deque(pool.submit(next, iterator, _END) for _ in range(max(1, max_queue_size)))
        while (batch := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, iterator, _END))
            yield batch
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class Fetched(PyDataset):
    """A data set of batches with other workers than its own."""

    def __init__(self, dataset, workers, use_multiprocessing, max_queue_size):
        super().__init__(workers, use_multiprocessing, max_queue_size)
        self.dataset = dataset

    def __getitem__(self, index):
        return self.dataset[index]

    def __len__(self):
        return len(self.dataset)

    def on_epoch_begin(self):
        getattr(self.dataset, "on_epoch_begin", lambda: None)()

    def on_epoch_end(self):
        getattr(self.dataset, "on_epoch_end", lambda: None)()


def _is_dataset(data):
    methods = ("__getitem__", "__len__", "on_epoch_end")
    return isinstance(data, PyDataset) or all(hasattr(data, name) for name in methods)


def fetched(data, workers=None, use_multiprocessing=None, max_queue_size=None):
    """``data`` with workers that read ahead, where it is a data set of batches or a generator; else as it is."""
    if workers is None and use_multiprocessing is None and max_queue_size is None:
        return data
    workers = 1 if workers is None else workers
    if checks.as_int(workers) is None or workers < 0:
        raise ValueError(f"Expected `workers` to be an int of at least 0. Received: workers={workers!r}.")
    size = 10 if max_queue_size is None else max_queue_size
    if _is_dataset(data):
        return Fetched(data, workers, bool(use_multiprocessing), size)
    if isinstance(data, collections.abc.Iterator) and workers > 1:
        if use_multiprocessing:
            checks.warn(
                "Using a generator with `use_multiprocessing=True` and multiple workers may duplicate your data. "
                "kshim draws from it by threads, which do not. Please consider using the `keras.utils.Sequence` class."
            )
        return ahead(data, workers, size)
    return data


def _is_one_batch(model, x):
    return bool(getattr(model, "inputs", None)) and model.inputs[0].shape[0] == x.shape[0]


def _check_stateful(model, x, batch_size, fewer_fit):
    if not settings.holds(until="2.3.1") or not any(getattr(layer, "stateful", False) for layer in model.layers):
        return
    leaves = [leaf for leaf in tree.flatten(x) if hasattr(leaf, "shape")]
    size = batch_size or (128 if settings.holds(until="0.3.3") else 32)
    if leaves and leaves[0].shape[0] % size and not (fewer_fit and _is_one_batch(model, leaves[0])):
        raise ValueError(
            "In a stateful network, you should only pass inputs with a number of samples that can be divided by the "
            f"batch size. Found: {leaves[0].shape[0]} samples. Batch size: {size}."
        )


def with_workers(method):
    """``fit``, ``evaluate`` or ``predict`` with ``workers``, ``use_multiprocessing`` and ``max_queue_size``."""
    names = list(inspect.signature(method).parameters)

    @functools.wraps(method)
    def call(model, *args, workers=None, use_multiprocessing=None, max_queue_size=None, **kwargs):
        queue = (workers, use_multiprocessing, max_queue_size)
        key = next((name for name in ("x", "X") if name in kwargs), None)
        x = args[0] if args else kwargs.get(key or "x")
        if isinstance(x, (list, tuple, dict)) or hasattr(x, "shape"):
            size = kwargs.get("batch_size", args[2] if len(args) > 2 and names[3:4] == ["batch_size"] else None)
            _check_stateful(model, x, size if checks.as_int(size) else None, method.__name__ == "predict")
        if queue == (None, None, None):
            return method(model, *args, **kwargs)
        opened = [fetched(x, *queue)]
        if args:
            args = (opened[0], *args[1:])
        elif key is not None:
            kwargs[key] = opened[0]
        if kwargs.get("validation_data") is not None:
            opened.append(fetched(kwargs["validation_data"], *queue))
            kwargs["validation_data"] = opened[1]
        try:
            return method(model, *args, **kwargs)
        finally:
            for data in opened:
                if inspect.isgenerator(data) and data.gi_code is ahead.__code__:
                    data.close()

    return call


def with_running_metrics(method):
    """``train_on_batch`` or ``test_on_batch`` with ``reset_metrics``: False lets the metrics go on from the last call.

    The loss is the batch's own in 2.3.1, and goes on as well in tf.keras.
    """
    inner = inspect.unwrap(method)

    @functools.wraps(inner)
    def call(model, *args, reset_metrics=True, **kwargs):
        if reset_metrics is None or reset_metrics:
            return inner(model, *args, **kwargs)
        kept = [m for m in model.metrics if getattr(m, "name", None) == "loss" and settings.holds(until="2.3.1")]
        model.__dict__["reset_metrics"] = lambda: [metric.reset_state() for metric in kept]
        try:
            return inner(model, *args, **kwargs)
        finally:
            del model.__dict__["reset_metrics"]

    own = inspect.signature(inner)
    more = inspect.Parameter("reset_metrics", inspect.Parameter.KEYWORD_ONLY, default=True)
    call.__signature__ = own.replace(parameters=[*own.parameters.values(), more])  # type: ignore[attr-defined] # for rows
    return translated(call)


def last_loss(evaluate):
    """``Trainer._evaluate``: from generators 2.3.1 gave the loss of the last batch alone."""

    @functools.wraps(evaluate)
    def call(model, data, callbacks):
        if not settings.holds("2.3.1", "2.3.1") or getattr(data, "batch_size", None) is not None:
            return evaluate(model, data, callbacks)
        totals = [metric for metric in model.metrics if getattr(metric, "name", None) == "loss"]
        return evaluate(model, _Forgetful(data, lambda: [total.reset_state() for total in totals]), callbacks)

    return call


class _Forgetful:
    """Batches before each of which the loss begins anew."""

    def __init__(self, data, forget):
        self.data, self.forget = data, forget

    def epoch(self):
        for batch in self.data.epoch():
            self.forget()
            yield batch

    def __getattr__(self, name):
        return getattr(self.data, name)


def one_weight(weighted):
    """``arrays.weighted``: up to 2.2.4 rows with weights of their own had none of their class."""

    @functools.wraps(weighted)
    def call(y, sample_weight, class_weight):
        given = any(leaf is not None for leaf in tree.flatten(sample_weight))
        if class_weight is not None and given and settings.holds(until="2.2.4"):
            if settings.holds(since="2.2.4"):
                checks.warn("Found both `sample_weight` and `class_weight`: `class_weight` argument will be ignored.")
            return sample_weight
        return weighted(y, sample_weight, class_weight)

    return call


def _needs_steps(data, steps, name):
    if steps is None and not _is_dataset(data) and settings.holds(until="2.3.1"):
        raise ValueError(
            f"`{name}=None` is only valid for a generator based on the `keras.utils.Sequence` class. Please specify "
            f"`{name}` or use the `keras.utils.Sequence` class."
        )


@translated
def fit_generator(
    self,
    generator,
    steps_per_epoch=None,
    epochs=1,
    verbose=1,
    callbacks=None,
    validation_data=None,
    validation_steps=None,
    validation_freq=1,
    class_weight=None,
    max_queue_size=10,
    workers=1,
    use_multiprocessing=False,
    shuffle=True,
    initial_epoch=0,
):
    """``fit`` on a generator or a ``Sequence``; the arguments are ``fit``'s, which takes them since tf.keras.

    Args:
        generator: gives ``(x, y)`` or ``(x, y, sample_weight)`` without end; or a ``Sequence``.
        steps_per_epoch: batches in an epoch; in Keras 0 and 1 ``samples_per_epoch``, rows.
        validation_data: arrays, a generator, which goes on in each epoch where it ended, or a ``Sequence``.
        validation_steps: batches of it; in Keras 1 ``nb_val_samples``, rows.
        max_queue_size, workers, use_multiprocessing: how batches are read ahead: with ``workers`` above 1.
        epochs, verbose, callbacks, validation_freq, class_weight, shuffle, initial_epoch: as in ``fit``.

    Returns: the ``History``.

    Raises: ValueError as ``fit``, and for a generator without ``steps_per_epoch``.
    """
    _needs_steps(generator, steps_per_epoch, "steps_per_epoch")
    if isinstance(validation_data, collections.abc.Iterator):
        _needs_steps(validation_data, validation_steps, "validation_steps")
    return self.fit(
        generator, steps_per_epoch=steps_per_epoch, epochs=epochs, verbose=verbose, callbacks=callbacks,
        validation_data=validation_data, validation_steps=validation_steps, validation_freq=validation_freq,
        class_weight=class_weight, max_queue_size=max_queue_size, workers=workers,
        use_multiprocessing=use_multiprocessing, shuffle=shuffle and _is_dataset(generator),
        initial_epoch=initial_epoch,
    )  # fmt: skip


@translated
def evaluate_generator(
    self, generator, steps=None, callbacks=None, max_queue_size=10, workers=1, use_multiprocessing=False, verbose=0
):
    """``evaluate`` on a generator or a ``Sequence``; ``steps`` is the number of batches, in Keras 0 and 1 of rows."""
    _needs_steps(generator, steps, "steps")
    return self.evaluate(
        generator, steps=steps, callbacks=callbacks, verbose=verbose, max_queue_size=max_queue_size, workers=workers,
        use_multiprocessing=use_multiprocessing,
    )  # fmt: skip


@translated
def predict_generator(
    self, generator, steps=None, callbacks=None, max_queue_size=10, workers=1, use_multiprocessing=False, verbose=0
):
    """``predict`` on a generator or a ``Sequence``; ``steps`` is the number of batches, in Keras 1 of rows."""
    _needs_steps(generator, steps, "steps")
    outputs = self.predict(
        generator, steps=steps, callbacks=callbacks, verbose=verbose, max_queue_size=max_queue_size, workers=workers,
        use_multiprocessing=use_multiprocessing,
    )  # fmt: skip
    if isinstance(steps, Rows):  # the last batch may reach beyond
        return tree.map_structure(lambda rows: rows[:steps], outputs)
    return outputs


@translated
def predict_classes(self, x, batch_size=32, verbose=0):
    """The class of each row: where the output is largest, or for one output whether it is above 0.5."""
    outputs = self.predict(x, batch_size=batch_size, verbose=verbose)
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else (outputs > 0.5).astype("int32")


@translated
def predict_proba(self, x, batch_size=32, verbose=0):
    """``predict``, with a warning for outputs that are no probabilities."""
    outputs = self.predict(x, batch_size=batch_size, verbose=verbose)
    if outputs.size and (outputs.min() < 0 or outputs.max() > 1):
        checks.warn(
            "Network returning invalid probability values. The last layer might not normalize predictions into "
            "probabilities (like softmax or sigmoid would)."
        )
    return outputs


class SequenceEnqueuer:
    """Batches read ahead by workers, from ``start`` to ``stop``: what the two below share.

    Args:
        sequence: a ``Sequence`` or a generator.
        use_multiprocessing: whether the workers are processes.

    Source: Keras 2.3.1 ``utils/data_utils.py``.
    """

    def __init__(self, sequence, use_multiprocessing=False):
        self.sequence, self.use_multiprocessing = sequence, use_multiprocessing
        self.workers, self.max_queue_size, self._batches = 0, 10, None

    def is_running(self):
        """Whether it was started, and not stopped since."""
        return self._batches is not None

    def start(self, workers=1, max_queue_size=10):
        """Begin to read: ``workers`` at once, and at most ``max_queue_size`` batches ahead."""
        self.workers, self.max_queue_size = workers, max_queue_size
        self._batches = self._read()

    def stop(self, timeout=None):
        """End the workers; ``timeout`` is not needed, since they end with the batches under way."""
        if self._batches is not None:
            self._batches.close()
        self._batches = None

    def get(self):
        """An iterator over the batches. What a worker raises is raised here, with its own traceback."""
        if self._batches is None:
            raise RuntimeError(f"{type(self).__name__}: expected start() before get(). Received: get().")
        return (to_numpy_batch(batch) for batch in self._batches if batch is not None)

    def _read(self):
        raise NotImplementedError(f"{type(self).__name__}: use OrderedEnqueuer or GeneratorEnqueuer.")


def to_numpy_batch(batch):
    """A batch that came through another process as it went in: arrays, where torch made tensors of them."""
    return tree.map_structure(lambda leaf: to_numpy(leaf) if hasattr(leaf, "untyped_storage") else leaf, batch)


class OrderedEnqueuer(SequenceEnqueuer):
    """The batches of a ``Sequence``, epoch after epoch without end; ``on_epoch_end`` is called between them.

    Args:
        sequence: the ``Sequence``.
        use_multiprocessing: whether the workers are processes.
        shuffle: whether each epoch has an order of its own, drawn from Python's ``random``.
    """

    def __init__(self, sequence, use_multiprocessing=False, shuffle=False):
        super().__init__(sequence, use_multiprocessing)
        self.shuffle = shuffle

    def _read(self):
        data = Fetched(self.sequence, self.workers, self.use_multiprocessing, self.max_queue_size)
        while True:
            order = list(range(len(data)))
            if self.shuffle:
                random.shuffle(order)
            yield from sequence.read(data, iter(order))
            data.on_epoch_end()


class GeneratorEnqueuer(SequenceEnqueuer):
    """The batches of a generator, in its order, drawn by threads.

    Args:
        sequence: the generator.
        use_multiprocessing: accepted; processes would each have a copy of the generator and repeat its data.
        wait_time: not used, as in Keras 2.3.1.
        random_seed: was the seed of the processes; numpy's generator is seeded with it at the start.
    """

    def __init__(self, sequence, use_multiprocessing=False, wait_time=None, random_seed=None):
        super().__init__(sequence, use_multiprocessing)
        if wait_time is not None:
            checks.warn("`wait_time` is not used anymore.", DeprecationWarning)
        self.random_seed = random_seed

    def _read(self):
        if self.random_seed is not None:
            np.random.seed(self.random_seed)
        yield from ahead(iter(self.sequence), self.workers, self.max_queue_size)


ENQUEUERS = (GeneratorEnqueuer, OrderedEnqueuer, SequenceEnqueuer)


def attach():
    """Write them into today's classes."""
    for method in (fit_generator, evaluate_generator, predict_generator):
        setattr(Model, method.__name__, method)
    for method in (predict_classes, predict_proba):
        setattr(Sequential, method.__name__, method)
    for name in ("fit", "evaluate", "predict"):
        setattr(Model, name, with_workers(getattr(Model, name)))
    for name in ("train_on_batch", "test_on_batch"):
        setattr(Model, name, with_running_metrics(getattr(Model, name)))
    setattr(Model, "_evaluate", last_loss(Model._evaluate))  # noqa: B010  (a method, for the type checker)
    arrays.weighted = one_weight(arrays.weighted)

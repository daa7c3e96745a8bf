"""``PyDataset``: batches by number, read by threads or processes beside the training."""

import itertools
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from torch.utils.data import DataLoader

from kshim.core import checks, settings


class PyDataset:
    """A data set of batches: ``self[i]`` is batch ``i``, ``len(self)`` or ``num_batches`` how many there are.

    A batch is ``(x,)``, ``(x, y)``, ``(x, y, sample_weight)``, a dict or an array of inputs.

    Args:
        workers: threads or processes that read batches ahead, an int of at least 0; one thread is the training's own.
        use_multiprocessing: whether they are processes; each has its own copy of the object, made anew each epoch.
        max_queue_size: batches that wait at most, an int above 0.

    Source: Keras 3 ``trainers/data_adapters/py_dataset_adapter.py``.
    """

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        self._workers = workers
        self._use_multiprocessing = use_multiprocessing
        self._max_queue_size = max_queue_size

    def __getitem__(self, index):
        """Batch ``index``."""
        raise NotImplementedError(f"{checks.describe(self)}: expected a `__getitem__`. Received: none. Write one.")

    @property
    def num_batches(self):
        """How many batches there are; None for no end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"{checks.describe(self)}: expected `__len__` or the property `num_batches`. Received: neither. Write one."
        )

    def __iter__(self):
        count = None
        if hasattr(self, "__len__") or type(self).num_batches is not PyDataset.num_batches:
            count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch."""

    @property
    def workers(self):
        """Threads or processes that read ahead."""
        return self._setting("_workers", 1)

    @workers.setter
    def workers(self, value):
        self._workers = value

    @property
    def use_multiprocessing(self):
        """Whether they are processes."""
        return self._setting("_use_multiprocessing", False)

    @use_multiprocessing.setter
    def use_multiprocessing(self, value):
        self._use_multiprocessing = value

    @property
    def max_queue_size(self):
        """Batches that wait at most."""
        return self._setting("_max_queue_size", 10)

    @max_queue_size.setter
    def max_queue_size(self, value):
        self._max_queue_size = value

    def _setting(self, name, default):
        if name not in self.__dict__:
            self.__dict__.update({"_workers": 1, "_use_multiprocessing": False, "_max_queue_size": 10} | self.__dict__)
            if settings.holds(since="3"):  # before, there was no constructor to call
                checks.warn(
                    f"Your `PyDataset` class should call `super().__init__(**kwargs)` in its constructor. "
                    f"Received: {checks.describe(self)}, which did not. `**kwargs` can include `workers`, "
                    "`use_multiprocessing`, `max_queue_size`."
                )
        return self.__dict__.get(name, default)


Sequence = PyDataset


def read(dataset, indices):
    """The batches of a ``PyDataset`` at ``indices``, in that order, read ahead by its workers.

    An exception in a worker is raised here with its own traceback. Closing the iterator ends the workers.
    """
    workers, processes = dataset.workers, dataset.use_multiprocessing
    if workers > 1 and not processes:
        return _by_threads(dataset.__getitem__, indices, workers, max(1, dataset.max_queue_size))
    if workers > 0 and processes:
        return _by_processes(dataset, indices, workers, max(1, dataset.max_queue_size))
    return map(dataset.__getitem__, indices)


def _by_threads(get, indices, workers, ahead):
    indices = iter(indices)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="PyDataset")
    try:
        waiting = deque(pool.submit(get, i) for i in itertools.islice(indices, ahead))
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(pool.submit(get, i) for i in itertools.islice(indices, 1))
            yield batch
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def ahead_of(batches):
    """The items of the iterator ``batches``, the next one made by a thread while this one is in use."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="blocks")
    try:
        end = object()
        waiting = pool.submit(next, batches, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, batches, end)
            yield item
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Listed:
    """What a torch ``DataLoader`` takes for a data set with a length of its own."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getitem__(self, index):
        return self.dataset[index]


def _as_it_is(batch):
    return batch


def _by_processes(dataset, indices, workers, ahead):
    # torch's loader keeps order, brings back exceptions with their traceback, and ends its workers in any case.
    loader = DataLoader(
        _Listed(dataset), batch_size=None, sampler=_Order(indices), num_workers=workers,
        prefetch_factor=max(1, ahead // workers), collate_fn=_as_it_is, worker_init_fn=_seeded,
    )  # fmt: skip
    batches = iter(loader)
    try:
        yield from batches
    finally:
        # An exception's traceback would keep the workers until the next collection, which then waits for them.
        batches._shutdown_workers()


class _Order:
    def __init__(self, indices):
        self.indices = indices

    def __iter__(self):
        return iter(self.indices)


def _seeded(worker):
    """Another state of numpy's generator in each process; torch sees to its own and Python's."""
    np.random.seed((int(np.random.get_state()[1][0]) + 1 + worker) % 2**32)

"""Data that come batch by batch: generators, loaders, ``PyDataset``s. Each kind is a source; ``Stream`` makes tensors.

A source has ``steps`` (batches in a pass, or None), ``batches(start)`` (an iterator over one pass from batch
``start`` on), ``first()``, ``begin()`` and ``end()`` around each epoch, ``watch()``, ``state(taken)`` and
``load_state(state, taken)``.
"""

import collections.abc
import itertools
import random
import weakref

import torch
from torch.utils.data import DataLoader

from kshim.core import checks, settings, tree
from kshim.core.state import Tracker, decoded, encoded
from kshim.random import global_state, set_global_state
from kshim.training.data import arrays, rows, sequence
from kshim.training.data.steps import warn_of_end

PEEKED = 2  # batches Keras draws from a generator to see its form; they come first in every pass


class Source:
    """What the kinds share; ``kind`` is how messages call it."""

    kind, steps, asks_to_shuffle, weighs_classes = "data set", None, False, True
    watched: list | None = None  # a ``Tracker`` for each of ``_owners()``, once ``watch`` was called

    def begin(self):
        """Called before each epoch."""

    def end(self):
        """Called after each epoch."""

    def first(self):
        """A batch to build the model on; it is not lost to training."""
        passing = self.batches()
        try:
            return next(passing, None)
        finally:
            close(passing)

    def watch(self):
        """From here on, remember what ``state`` tells."""
        self.watched = [
            Tracker(owner, hidden=not type(owner).__module__.startswith("torch."))
            for owner in self._owners()
            if hasattr(owner, "__dict__")
        ]

    def _owners(self):
        """The user's objects that the batches come from."""
        return []

    def state(self, taken=None):
        """What ``load_state`` needs: data, as ``core.state`` says.

        Args:
            taken: batches taken from the pass that is under way; None between two passes.
        """
        return {"owners": [tracker.state() for tracker in self.watched or ()]}

    def load_state(self, state, taken=None):
        """Take up a state, with the same ``taken``; the next pass is then the one that was under way.

        This may draw from the global generators of random numbers.
        """
        for tracker, own in zip(self.watched or (), state["owners"], strict=False):
            tracker.load(own)


class Replayed(Source):
    """What begins each pass anew and cannot start in the middle: a pass that was under way is drawn once more.

    So it runs from the state that the generators of random numbers had when it began.
    """

    began = passing = None

    def batches(self, start=0):
        """One pass; what comes before ``start`` is drawn and dropped."""
        if self.passing is not None:
            passing, self.passing = self.passing, None
            return passing
        if self.watched is not None:
            self.began = super().state() | {"generators": encoded(global_state())}
        passing = iter(self.new_pass())
        for _ in itertools.islice(passing, start):
            pass
        return passing

    def new_pass(self):
        """An iterator over all batches."""

    def state(self, taken=None):
        return super().state() | {"began": self.began if taken is not None else None}

    def load_state(self, state, taken=None):
        if taken is not None:
            self.began = state["began"]
            super().load_state(self.began)
            set_global_state(decoded(self.began["generators"]))
            self.passing = iter(self.new_pass())
            dropped = sum(1 for _ in itertools.islice(self.passing, taken))
            if dropped < taken:
                raise ValueError(
                    f"The {self.kind} gave {dropped} batches. Expected at least {taken}: so many were taken before the "
                    "interruption. Give the data that the training began with."
                )
        super().load_state(state)


class Generator(Source):
    """A Python generator, or any iterator: what it gave is gone, but for the first batches."""

    kind, weighs_classes = "generator", False

    def __init__(self, iterator):
        self.iterator = iterator
        self.peeked = list(itertools.islice(iterator, PEEKED))
        if not self.peeked:
            raise ValueError(
                "When passing a Python generator to a Keras model, the generator must yield at least one batch. "
                "Received an empty generator: was it used up before?"
            )

        self.drawn = 0  # beside the peeked ones
        self.given = 0  # of the peeked ones, where they come only once
        self.used_before = _is_known(iterator)

    def first(self):
        """The first batch that was peeked at."""
        return self.peeked[0]

    def batches(self, start=0):
        """The peeked batches from ``start`` on, then what is left; up to tf.keras the peeked ones come only once."""
        once = settings.holds(until="tf.keras")
        for batch in self.peeked[self.given if once else start :]:
            self.given += once
            yield batch
        for batch in self.iterator:
            self.drawn += 1
            yield batch

    def _owners(self):
        return [self.iterator]

    def state(self, taken=None):
        return super().state() | {"drawn": self.drawn, "given": self.given, "used_before": self.used_before}

    def load_state(self, state, taken=None):
        if self.used_before and not state["used_before"]:
            checks.warn(
                "Expected a generator that begins where the one before the interruption began. Received: the same "
                "object, which cannot go back: training goes on with what it gives next. Make it anew."
            )
            return
        self.given = state["given"]
        for _ in itertools.islice(self.iterator, state["drawn"] - self.drawn):
            self.drawn += 1
        if self.drawn < state["drawn"]:
            raise ValueError(
                f"The generator gave {self.drawn + len(self.peeked)} batches. Expected at least "
                f"{state['drawn'] + len(self.peeked)}: so many were taken before the interruption. Give a generator "
                "that begins where the first one did."
            )
        super().load_state(state)


_known: weakref.WeakSet = weakref.WeakSet()  # iterators that were drawn from


def _is_known(iterator):
    """Whether this was asked about ``iterator`` before; never for one that has no weak references."""
    try:
        known = iterator in _known
        _known.add(iterator)
    except TypeError:
        return False
    return known


class Loader(Replayed):
    """An iterable that begins anew each time: a torch ``DataLoader``, a ``tf.data.Dataset``."""

    weighs_classes = False

    def __init__(self, iterable, kind="torch DataLoader", steps=None):
        self.iterable, self.kind, self.steps = iterable, kind, steps

    def new_pass(self):
        return iter(self.iterable)

    def _owners(self):
        owner, found = self.iterable, []
        batches = getattr(owner, "batch_sampler", None)
        for each in (owner, getattr(owner, "sampler", None), batches, getattr(batches, "sampler", None),
                     getattr(owner, "dataset", None)):  # fmt: skip
            if all(each is not known for known in found):
                found.append(each)
        return found


class Indexed(Replayed):
    """A ``PyDataset``, or what has its methods."""

    kind = "PyDataset"

    def __init__(self, dataset, shuffle):
        self.dataset, self.shuffle = dataset, shuffle
        self.order = self.rest = None
        if shuffle and self.steps is None:
            checks.warn(_ignored("an infinite PyDataset"))

    @property
    def steps(self):
        """``num_batches``, or its length."""
        return self.dataset.num_batches if hasattr(self.dataset, "num_batches") else len(self.dataset)

    def first(self):
        """The batch that comes first in an order of its own, drawn for it as Keras does."""
        if self.steps == 0:
            raise ValueError(
                f"The {self.kind} has length 0: expected at least one batch. Received: {checks.describe(self.dataset)} "
                "without batches. Is the batch size larger than its data?"
            )
        self.begin()
        return self.dataset[next(iter(self._new_order()))]

    def begin(self):
        """The data set's own hook."""
        getattr(self.dataset, "on_epoch_begin", lambda: None)()

    def end(self):
        """The data set's own hook."""
        getattr(self.dataset, "on_epoch_end", lambda: None)()

    def batches(self, start=0):
        """One pass, in a new order if it is to be shuffled."""
        if self.rest is None:
            return super().batches(start)
        rest, self.rest = self.rest, None
        return sequence.read(self.dataset, rest)

    def new_pass(self):
        order = self._new_order()
        self.order = order if isinstance(order, list) else None
        return sequence.read(self.dataset, iter(order))

    def _new_order(self):
        steps = self.steps
        if steps is None:
            return itertools.count()
        order = range(steps)
        if self.shuffle:
            order = list(order)
            random.shuffle(order)
        return order

    def _owners(self):
        return [self.dataset]

    def state(self, taken=None):
        return super().state(taken) | {"order": self.order}

    def load_state(self, state, taken=None):
        if taken is None or (self.dataset.use_multiprocessing and self.dataset.workers):
            # Processes have generators of random numbers of their own: only a whole pass brings them where they were.
            super().load_state(state, taken)
            return
        self.order = order = state["order"]
        order = (itertools.count() if self.steps is None else range(self.steps)) if order is None else order
        self.rest = itertools.islice(order, taken, None)
        Source.load_state(self, state)


class Stream:
    """Batches of tensors from a ``Source``.

    Args:
        source: the ``Source``.
        ready: function of one batch's ``(x, y, sample_weight)`` that returns them as the model wants them.
        device: where the batches are wanted.
        casts: for each leaf of ``x`` the torch dtype wanted, or None.
        class_weight: as ``arrays.weighted`` takes it.
        predicts: whether a list is a list of inputs (in dialects that take one).
    """

    rows = None
    batch_rows = 1  # rows in the batch that was given last

    def __init__(self, source, ready, device="cpu", casts=None, class_weight=None, predicts=False):
        self.source, self.ready, self.device, self.casts = source, ready, torch.device(device), casts
        self.class_weight, self.predicts = class_weight, predicts

    @property
    def steps(self):
        """Batches in a pass; None if that is not known."""
        return self.source.steps

    def first(self):
        """The first batch as tensors, to build a model on; training sees it again."""
        return self._parts(self.source.first())

    def begin(self):
        """Called before each epoch."""
        self.source.begin()

    def end(self):
        """Called after each epoch."""
        self.source.end()

    def watch(self):
        """From here on, remember what ``state`` tells."""
        self.source.watch()

    @property
    def form(self):
        """What must be the same where a state is taken up; the rest only in the middle of a pass."""
        return {"kind": self.source.kind}, {"steps": self.steps}

    def state(self, taken=None):
        """The source's state, ``taken`` batches into a pass, or between two."""
        return self.source.state(taken)

    def load_state(self, state, taken=None):
        """Take up a state; the next pass is then the one it was taken in."""
        self.source.load_state(state, taken)

    def close(self):
        """End what is under way; here there is nothing but the epoch's own iterator."""

    def batches(self, start=0):
        """One pass from batch ``start`` on."""
        passing = self.source.batches(start)
        try:
            for batch in passing:
                yield self._tensors(batch)
        finally:
            close(passing)

    def epoch(self, start=0):
        """The batches of one epoch; what does not tell how many it has ends with a warning, as in Keras.

        With a ``start``, the epoch is one that had begun, and so is not begun once more.
        """
        if not start:
            self.begin()
        try:
            yield from self.batches(start)
            if self.steps is None:
                warn_of_end("one pass is an epoch", "steps_per_epoch")
        finally:
            self.end()

    def _parts(self, batch):
        x, y, sample_weight = self.ready(*unpacked(batch, self.source.kind, self.predicts))
        if self.class_weight is not None and y is not None:
            sample_weight = arrays.weighted(y, sample_weight, self.class_weight)
        return x, y, sample_weight

    def _tensors(self, batch):
        x, y, sample_weight = self._parts(batch)
        self.batch_rows = next((len(leaf) for leaf in tree.flatten(x) if leaf is not None and leaf.dim()), 1)
        if self.casts is not None:
            casts = iter(self.casts)
            x = tree.map_structure(lambda leaf: self._cast(leaf, next(casts)), x)
        return tuple(part if part is None else tree.map_structure(self._moved, part) for part in (x, y, sample_weight))

    def _cast(self, leaf, dtype):
        return leaf if dtype is None or leaf.dtype is dtype else leaf.to(dtype)

    def _moved(self, leaf):
        if leaf is None or leaf.device == self.device:
            return leaf
        return leaf.to(self.device, non_blocking=True)


def close(iterator):
    """End an iterator, and with it the workers behind it."""
    if hasattr(iterator, "close") and isinstance(iterator, collections.abc.Generator):
        iterator.close()


def _ignored(what):
    return (
        f"`shuffle=True` was passed, but will be ignored since the data `x` was provided as {what}. "
        "Shuffle the data where they are made, and pass shuffle=False."
    )


def unpacked(batch, kind="generator", predicts=False):
    """A batch as ``(x, y, sample_weight)``.

    Raises: ValueError if it is no tuple of one to three parts.
    """
    old = not settings.holds(since="3")
    if isinstance(batch, list) and (kind != "generator" or old) and not (predicts and old):
        batch = tuple(batch)
    bare = isinstance(batch, dict) or (hasattr(batch, "shape") and kind != "generator")
    if bare or (old and not isinstance(batch, tuple) and batch is not None):
        return batch, None, None
    if not isinstance(batch, tuple) or (kind == "PyDataset" and len(batch) not in (1, 2, 3)):
        must = "PyDataset.__getitem__() must return a tuple or a dict. If a tuple, it must be ordered"
        if kind != "PyDataset":
            must = f"When passing a Python {kind} to a Keras model, the {kind} must return a tuple,"
        raise ValueError(
            f"{must} either (input,) or (inputs, targets) or (inputs, targets, sample_weights). "
            f"Received: {_short(batch)}"
        )
    if len(batch) not in (1, 2, 3):
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`. "
            f"Received: a tuple of {len(batch)}. Put several inputs or targets in a list or dict of their own."
        )
    return (*batch, None, None)[:3]


def _short(value):
    length = f" of {len(value)}" if isinstance(value, tuple) else ""
    return f"{str(value)[:100]} of type {type(value).__name__}{length}."


# -- which kind it is ------------------------------------------------------------------------------------------------


def source_of(x, batch_size=None, shuffle=False):
    """The ``Source`` for ``x``, or None where ``x`` is arrays. No library is imported to find out."""
    if isinstance(x, sequence.PyDataset) or (hasattr(x, "on_epoch_end") and hasattr(x, "__getitem__")):
        return Indexed(x, shuffle)
    if isinstance(x, DataLoader):
        return Loader(x, steps=_length(x) if _length(x.dataset) is not None else None)
    if _is_tf_dataset(x):
        steps = int(x.cardinality())
        return Loader(_Numpy(x), "tf.data.Dataset", steps if steps >= 0 else None)
    if isinstance(x, torch.utils.data.IterableDataset):
        return Loader(DataLoader(x, batch_size=batch_size or 32), "torch IterableDataset", None)
    if isinstance(x, torch.utils.data.Dataset):
        loader = DataLoader(x, batch_size=batch_size or 32, shuffle=bool(shuffle))
        found = Loader(loader, "torch Dataset", len(loader))
        found.asks_to_shuffle = True
        return found
    if isinstance(x, collections.abc.Iterator):
        return Generator(x)
    arrays_like = isinstance(x, (str, bytes, list, tuple, dict, torch.Tensor)) or hasattr(x, "shape")
    if arrays_like or hasattr(x, "__array__") or rows.is_hugging_face(x) or hasattr(x, "__getitem__"):
        return None
    return Loader(x, "iterable") if isinstance(x, collections.abc.Iterable) else None


def checked_source(x, y=None, sample_weight=None, batch_size=None, shuffle=False, class_weight=None, split=0.0):
    """``source_of``, with what does not go with it refused as Keras does.

    Raises: ValueError for targets, weights or a ``validation_split`` beside data that hold their own.
    """
    if y is None and sample_weight is None and x is None:
        return None
    found = source_of(x, batch_size, shuffle)
    if found is None:
        return None
    if split:
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays. Found incompatible type in the "
            f"input: {type(x)}. Received: validation_split={split}. Pass `validation_data`."
        )
    for name, what, value in (("y", "the targets", y), ("sample_weights", "the sample weights", sample_weight)):
        if value is not None:
            raise ValueError(
                f"When providing `x` as a {found.kind}, `{name}` should not be passed. Instead, {what} should be "
                f"included as part of the {found.kind}. Received: {type(value).__name__}."
            )
    if settings.holds(since="3"):
        if class_weight is not None and not found.weighs_classes and found.kind != "tf.data.Dataset":
            raise ValueError(
                f"Argument `class_weight` is not supported for {found.kind} inputs. Received: "
                f"class_weight={class_weight}. Give each row's weight as the third part of a batch."
            )
        if shuffle and not found.asks_to_shuffle and not isinstance(found, Indexed):
            checks.warn(_ignored(f"a {found.kind}"))
    return found


def _length(value):
    try:
        return len(value)
    except (TypeError, NotImplementedError):
        return None


def _is_tf_dataset(x):
    return any(
        base.__name__ in ("DatasetV2", "DistributedDataset") and base.__module__.startswith("tensorflow.python.")
        for base in type(x).__mro__
    )


class _Numpy:
    """A ``tf.data.Dataset`` with batches of numpy arrays, sparse ones made dense."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __iter__(self):
        return (tree.map_structure(_tf_to_numpy, batch) for batch in self.dataset)


def _tf_to_numpy(value):
    if value is None:
        return None
    if hasattr(value, "to_tensor"):  # ragged rows, filled up with zeros
        return value.to_tensor().numpy()
    if hasattr(value, "dense_shape"):
        array = torch.sparse_coo_tensor(value.indices.numpy().T, value.values.numpy(), tuple(value.dense_shape.numpy()))
        return array.to_dense().numpy()
    return value.numpy()

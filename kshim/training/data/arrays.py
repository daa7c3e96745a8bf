"""Arrays and tensors in memory: checked once, put on the device once, cut into batches.

Shuffling is one permutation of the rows per epoch, drawn from numpy's generator as Keras 1 and 2 did. Rows are
gathered a block of many batches at a time, so a batch is a view and the copy stays small beside the data.
"""

import numpy as np
import torch

from kshim.core import dtypes, settings, tree
from kshim.training.data import rows as row_sources
from kshim.training.data import sequence

BLOCK = 1 << 25  # bytes gathered at once


class Texts(np.ndarray):
    """An array of texts that answers what is asked of tensors here: torch has none of strings, so it stays on the CPU.

    Made by ``array.view(Texts)``.
    """

    device = torch.device("cpu")
    is_cuda = False

    def to(self, *args, **kwargs):
        """The array itself."""
        return self

    pin_memory = to

    def clone(self):
        """A copy."""
        return self.copy()

    def index_select(self, axis, index):
        """The rows (``axis`` is 0) at the ints in the tensor ``index``."""
        return self[index.numpy()]

    def split(self, size):
        """Runs of ``size`` rows; the last may be shorter."""
        return [self[start : start + size] for start in range(0, len(self), size)]


def to_tensor(name, value, strings=False):
    """An array, tensor, number list or anything with ``__array__`` as a tensor; floats become ``floatx()``.

    Args:
        name: what the user calls the value, for messages.
        value: the value.
        strings: whether it may hold strings, which become ``Texts``.

    What is large and in a file, or sparse, becomes ``Rows``, which are read block by block.

    Raises: ValueError for strings, unless they are allowed, and for objects.
    """
    value = row_sources.plain(name, value)
    if isinstance(value, row_sources.Rows):
        return value
    if not isinstance(value, torch.Tensor):
        try:
            array = np.asarray(value)
        except ValueError:  # rows of several lengths
            raise ValueError(_unusable(name, value, "nested lists of different lengths")) from None
        if strings and array.ndim and _holds_texts(array):
            return array.view(Texts)
        if array.dtype == object:
            try:
                array = array.astype(settings.floatx())
            except (TypeError, ValueError):
                raise ValueError(_unusable(name, value, "objects that are no numbers")) from None
        if array.dtype.kind not in "fiubc":
            raise ValueError(_unusable(name, value, f"dtype {array.dtype}"))
        if array.dtype == np.longdouble or not array.dtype.isnative:  # torch takes neither
            array = array.astype("float64" if array.dtype == np.longdouble else array.dtype.newbyteorder("="))
        if not array.flags.writeable or any(stride < 0 for stride in array.strides):
            array = array.copy()  # nor these
        value = torch.from_numpy(array)
    if value.dim() == 0:
        raise ValueError(
            f"Invalid {name}: expected an array with a batch axis. Received: the single number {value.item()}."
        )
    floating = value.is_floating_point() and value.dtype is not dtypes.TORCH[settings.floatx()]
    return value.detach().to(dtypes.TORCH[settings.floatx()]) if floating else value.detach()


def _holds_texts(array):
    kind = array.dtype.kind
    return kind in "UST" or (kind == "O" and array.size and all(isinstance(text, (str, bytes)) for text in array.flat))


def _unusable(name, value, what):
    return (
        f"Invalid dtype in {name}: expected numbers. Received: {what}, {type(value).__name__}. "
        "Turn words into numbers first, for example with kshim.utils.to_categorical on their indices."
    )


def is_list_of_arrays(value):
    """Whether a list or tuple holds several arrays, not the numbers of one."""
    return isinstance(value, (list, tuple)) and any(isinstance(v, torch.Tensor) or getattr(v, "ndim", 0) for v in value)


def structure_of_tensors(name, value, strings=False):
    """``value`` with each array as a tensor: lists, tuples and dicts of arrays keep their form; None stays.

    The arguments are those of ``to_tensor``.
    """
    if value is None:
        return None
    if row_sources.is_hugging_face(value):
        value = {column: row_sources.Column(value, column) for column in value.column_names}
    if isinstance(value, dict):
        return {key: structure_of_tensors(f"{name}[{key!r}]", item, strings) for key, item in value.items()}
    if is_list_of_arrays(value):
        return type(value)(structure_of_tensors(f"{name}[{i}]", item, strings) for i, item in enumerate(value))
    return to_tensor(name, value, strings)


def check_lengths(**arrays):
    """Raise ValueError unless all arrays have the same number of rows, more than none."""
    sizes = {
        name: [len(leaf) for leaf in tree.flatten(value) if leaf is not None]
        for name, value in arrays.items()
        if value is not None
    }
    counts = {size for own in sizes.values() for size in own}
    listed = ", ".join(f"{name!r} sizes: {', '.join(map(str, own))}" for name, own in sizes.items())
    if len(counts) > 1:
        raise ValueError(
            "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. "
            f"Expected equal lengths. Received: {listed}."
        )
    if counts == {0}:
        raise ValueError(f"The data is empty: expected at least one sample. Received: {listed}.")


def split(arrays, share):
    """The first ``1 - share`` of the rows, and the rest, of each structure in ``arrays``.

    Raises: ValueError if ``share`` is not in (0, 1) or leaves one side empty; TypeError if it is no number.
    """
    if not isinstance(share, (int, float, np.number)):
        raise TypeError(f"`validation_split` must be a number between 0 and 1. Received: validation_split={share!r}")
    if not 0 < share < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1. Received: validation_split={share}")
    size = len(tree.flatten(arrays[0])[0])
    at = int(np.floor(size * (1 - share)))
    if at in (0, size):
        raise ValueError(
            f"Training data contains {size} samples, which is not enough to split it into a validation and training "
            f"set. Received: validation_split={share}. Pass more data, or another `validation_split`."
        )

    def cut(rows):
        return [tree.map_structure(lambda t: t if t is None else t[rows], array) for array in arrays]

    return cut(slice(None, at)), cut(slice(at, None))


def weighted(y, sample_weight, class_weight):
    """The weights of the rows by their class; classes that ``class_weight`` leaves out have weight 1.

    Args:
        y: a tensor of targets, or a list of them by output.
        sample_weight: the user's own; Keras 3 takes none beside ``class_weight``, older ones multiply the two.
        class_weight: dict of class index to weight; for several outputs a list with a dict or None for each.

    Raises: ValueError if the targets or ``class_weight`` are not of that form.
    """
    if sample_weight is not None and settings.holds(since="3"):
        raise ValueError(
            "Arguments `sample_weight` and `class_weight` cannot be specified at the same time. Received: both. "
            "Multiply the class weights into sample_weight."
        )
    if y is None or (tree.is_nested(y) and not isinstance(class_weight, list)):
        raise ValueError(
            "`class_weight` is only supported for models with one output. "
            f"Received: {'no' if y is None else 'several'} targets. Use sample_weight."
        )
    if not tree.is_nested(y):
        own = _class_weights(y, class_weight)
        return own if sample_weight is None else _times(own, sample_weight)
    given = sample_weight if tree.is_nested(sample_weight) else [sample_weight] * len(y)
    own = [w if w is None else _class_weights(leaf, w) for leaf, w in zip(y, class_weight, strict=True)]
    return [b if a is None else a if b is None else _times(a, b) for a, b in zip(own, given, strict=True)]


def class_weights_by_output(class_weight, names):
    """``class_weight`` as a list by output where it holds dicts by output's name; else as it is."""
    if isinstance(class_weight, dict) and names and any(isinstance(v, dict) for v in class_weight.values()):
        unknown = [name for name in class_weight if name not in names]
        if unknown:
            raise ValueError(
                f"Expected `class_weight` to have the names of outputs, {list(names)}. Received: {unknown[0]!r} in it."
            )
        class_weight = [class_weight.get(name) for name in names]
        return class_weight[0] if len(names) == 1 else class_weight
    if isinstance(class_weight, (list, tuple)) and len(class_weight) == len(names) > 1:
        return list(class_weight)
    return class_weight


def _times(own, sample_weight):
    if sample_weight.dim() != 1:
        sample_weight = sample_weight[..., 0] if sample_weight.shape[1:] == (1,) else sample_weight
        own = own.reshape(-1, *[1] * (sample_weight.dim() - 1))
    return own.to(sample_weight.device) * sample_weight


def _class_weights(y, class_weight):
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"Expected `class_weight` to be a dict of class index to weight. Received: class_weight={class_weight!r}."
        )
    if y.dim() > 2:
        raise ValueError(
            "`class_weight` is not supported for targets of 3 or more axes. "
            f"Received: targets of shape {tuple(y.shape)}. Use a sample_weight of shape {tuple(y.shape[:2])}."
        )
    if isinstance(y, row_sources.Rows):
        y = y.clone()
    classes = y.argmax(-1) if y.dim() > 1 and y.shape[-1] > 1 else y.reshape(y.shape[0], -1)[:, 0].round().long()
    weights = torch.ones(classes.shape, dtype=dtypes.TORCH[settings.floatx()], device=y.device)
    for label, weight in class_weight.items():
        try:
            weights[classes == int(label)] = float(weight)
        except (TypeError, ValueError):
            raise ValueError(
                "Expected `class_weight` to be a dict of class index to weight, both numbers. "
                f"Received: {{{label!r}: {weight!r}}} in it."
            ) from None
    return weights


class ArrayData:
    """Batches of ``(x, y, sample_weight)``.

    Args:
        x, y, sample_weight: structures of tensors with the same number of rows; the last two may be None.
        batch_size: rows in a batch; the last one may be smaller.
        shuffle: True for a new order of rows each epoch, ``"batch"`` for a new order of whole batches.
        device: where the batches are wanted.
        casts: for each leaf of ``x`` the torch dtype wanted, or None.
    """

    def __init__(self, x, y=None, sample_weight=None, batch_size=32, shuffle=False, device="cpu", casts=None):
        self.structures = (x, y, sample_weight)
        self.leaves = [leaf for leaf in tree.flatten(self.structures) if leaf is not None]
        self.size = len(self.leaves[0])
        self.batch_size, self.shuffle, self.device = batch_size, shuffle, torch.device(device)
        self.steps = -(-self.size // batch_size)
        count = len(tree.flatten(x))
        self.casts = (list(casts) if casts else [None] * count) + [None] * (len(self.leaves) - count)
        self.order = np.arange(self.size)
        self._resumes = False
        self.lazy = any(isinstance(leaf, row_sources.Rows) for leaf in self.leaves)
        if self.device.type == "cuda":
            self.leaves = self._to_device()
        self.simple = len(self.leaves) == 1 + (y is not None) and not any(map(tree.is_nested, self.structures))

    def _to_device(self):
        """All of the data on the GPU where it takes less than a quarter of what is free; else pinned."""
        needed = sum(leaf.nbytes for leaf in self.leaves if leaf.device != self.device)
        if not self.lazy and needed < torch.cuda.mem_get_info(self.device)[0] // 4:
            return [leaf.to(self.device) for leaf in self.leaves]
        kept = (torch.Tensor, Texts)
        return [leaf.pin_memory() if isinstance(leaf, kept) and not leaf.is_cuda else leaf for leaf in self.leaves]

    def _new_order(self):
        if self.shuffle == "batch":
            whole = self.size // self.batch_size * self.batch_size
            batches = self.order[:whole].reshape(-1, self.batch_size)
            np.random.shuffle(batches)
        elif self.shuffle:
            np.random.shuffle(self.order)

    @property
    def rows(self):
        """The number of rows."""
        return self.size

    def begin(self):
        """Called before each epoch, after it, and at the end."""

    end = close = watch = begin

    @property
    def form(self):
        """What must be the same where a state is taken up; the rest only in the middle of a pass."""
        return {"kind": "arrays", "rows": self.size}, {"batch_size": self.batch_size, "shuffle": str(self.shuffle)}

    def state(self, taken=None):
        """The order of this epoch's rows (8 bytes a row), for ``load_state``; None where it is that of the data."""
        return {"order": torch.from_numpy(self.order.copy()) if self.shuffle else None}

    def load_state(self, state, taken=None):
        """Take the order of an epoch; with ``taken``, the next one has it and draws no new one.

        Raises: ValueError if it is not an order of these rows.
        """
        if state["order"] is not None and self.shuffle:
            order = state["order"].numpy().copy()
            if order.shape != (self.size,) or not np.array_equal(np.sort(order), np.arange(self.size)):
                raise ValueError(f"Expected an order of {self.size} rows. Received: one of shape {order.shape}.")
            self.order = order
        self._resumes = taken is not None

    def epoch(self, start=0):
        """The batches of one epoch, tuples ``(x, y, sample_weight)``, from batch ``start`` on."""
        if not self._resumes:
            self._new_order()
        self._resumes = False
        blocks = self._blocks(start * self.batch_size)
        for block in sequence.ahead_of(blocks) if self.lazy else blocks:
            parts = [part.split(self.batch_size) for part in block]
            if self.simple:
                yield from ((*batch, None, None)[:3] for batch in zip(*parts, strict=True))
            else:
                yield from map(self._pack, zip(*parts, strict=True))

    batches = epoch

    def _blocks(self, first):
        """Runs of many batches of the leaves, on the device, from row ``first`` on."""
        row = sum(leaf.nbytes for leaf in self.leaves) // self.size or 1
        rows = max(BLOCK // row // self.batch_size, 1) * self.batch_size
        for start in range(first, self.size, rows):
            if self.shuffle:
                index = torch.from_numpy(self.order[start : start + rows])
                block = [leaf.index_select(0, index.to(leaf.device)) for leaf in self.leaves]
            else:
                # A copy, as above: what a layer does to its input in place must not reach the user's array.
                block = [leaf[start : start + rows] for leaf in self.leaves]
                block = [part.clone() if part.device == self.device else part for part in block]
            yield [self._ready(part, cast) for part, cast in zip(block, self.casts, strict=True)]

    def _ready(self, part, cast):
        if part.device != self.device:
            part = part.to(self.device, non_blocking=True)
        return part if cast is None or part.dtype is cast else part.to(cast)

    def _pack(self, leaves):
        leaves = iter(leaves)
        return tuple(
            tree.pack_like(s, [None if leaf is None else next(leaves) for leaf in tree.flatten(s)])
            for s in self.structures
        )

"""Rows that stay where they are, in a file or a sparse matrix, until a block of them is wanted.

A ``Rows`` answers what ``ArrayData`` and the checks before it ask of a CPU tensor. What is small is read at once.
"""

import mmap
import sys

import numpy as np
import torch

from kshim.core import dtypes, settings

WHOLE = 1 << 25  # bytes up to which rows are read at once and are a plain tensor from then on
FEW = 512  # scattered rows of a file that are in memory at once
DENSE = 4  # of so many rows in a stretch of a file at least one is wanted: then the stretch is read in one go


class Rows:
    """The rows ``start`` to ``stop`` of a source; a subclass says how a run of them, or some of them, are read.

    Args:
        source: what holds the rows; has ``shape``.
        shape: the shape of all its rows.
        dtype: torch's dtype of what is read.
    """

    device = torch.device("cpu")
    is_cuda = False

    def __init__(self, source, shape, dtype):
        self.source, self.start, self.stop = source, 0, shape[0]
        self.row, self.read_dtype, self.dtype = tuple(shape[1:]), dtype, dtype
        self.source_row = self.row

    def read(self, start, stop):
        """The source's rows from ``start`` to ``stop``, a numpy array."""
        raise NotImplementedError

    def take(self, index):
        """The source's rows at the sorted, different ints ``index``, a numpy array."""
        if len(index) * DENSE >= index[-1] + 1 - index[0]:
            return self.read(int(index[0]), int(index[-1]) + 1)[index - index[0]]
        return np.concatenate([self.read(int(i), int(i) + 1) for i in index])

    # -- as a tensor ---------------------------------------------------------------------------------------------

    @property
    def shape(self):
        """The shape, rows first."""
        return (self.stop - self.start, *self.row)

    @property
    def nbytes(self):
        """The bytes of the rows once they are read."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def __len__(self):
        return self.stop - self.start

    def dim(self):
        """The number of axes."""
        return 1 + len(self.row)

    @property
    def ndim(self):
        """The number of axes."""
        return self.dim()

    def is_floating_point(self):
        """Whether the rows are of floats."""
        return self.dtype.is_floating_point

    def is_complex(self):
        """Whether the rows are complex."""
        return self.dtype.is_complex

    def detach(self):
        """The rows themselves."""
        return self

    def __getitem__(self, key):
        """Rows for a slice of rows; ``[..., None]`` and ``[..., 0]`` add and drop a last axis of 1."""
        found = object.__new__(type(self))
        found.__dict__.update(self.__dict__)
        if key == (Ellipsis, None):
            found.row = (*self.row, 1)
        elif key == (Ellipsis, 0) and self.row[-1:] == (1,):
            found.row = self.row[:-1]
        elif isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            found.start, found.stop = self.start + start, self.start + max(start, stop)
        else:
            raise TypeError(
                f"{type(self).__name__}: expected a slice of rows. Received: {key!r}. Read the array into memory first."
            )
        return found

    def to(self, target, non_blocking=False):
        """As another dtype, still unread; or read, on a device."""
        if isinstance(target, torch.dtype):
            found = self[:]
            found.dtype = target
            return found
        return self.clone().to(target, non_blocking=non_blocking)

    def clone(self):
        """All the rows, read."""
        return self._tensor(self.read(self.start, self.stop))

    def index_select(self, axis, index):
        """The rows (``axis`` is 0) at the ints in the tensor ``index``, read."""
        # In the order of the file, each row once.
        wanted, back = np.unique(index.numpy(), return_inverse=True)
        return self._tensor(self.take(wanted + self.start)[back])

    def _tensor(self, array):
        array = np.ascontiguousarray(array)
        if array.dtype == np.longdouble or not array.dtype.isnative:
            array = array.astype("float64" if array.dtype == np.longdouble else array.dtype.newbyteorder("="))
        if not array.flags.writeable:
            array = array.copy()
        return torch.from_numpy(array).reshape(len(array), *self.row).to(self.dtype)


class Mapped(Rows):
    """Rows of a ``numpy.memmap``, or of a view into one; the pages are let go once they are read."""

    def __init__(self, source, shape, dtype):
        super().__init__(source, shape, dtype)
        base = source
        while not isinstance(base, np.memmap):
            base = base.base
        self.map = base._mmap
        # What a private mapping holds in memory alone would be lost.
        self.drops = getattr(base, "mode", None) != "c" and hasattr(mmap, "MADV_DONTNEED")

    def read(self, start, stop):
        return self._copied(slice(start, stop), "MADV_NORMAL")

    def take(self, index):
        # Few at a time: a page that is touched maps its neighbours, too.
        return np.concatenate(
            [self._copied(part, "MADV_RANDOM") for part in np.split(index, range(FEW, len(index), FEW))]
        )

    def _copied(self, rows, advice):
        if self.drops:
            self.map.madvise(getattr(mmap, advice))
        array = np.array(self.source[rows])
        if self.drops:
            self.map.madvise(mmap.MADV_DONTNEED)
        return array


class Sparse(Rows):
    """Rows of a scipy matrix, dense once they are read."""

    def read(self, start, stop):
        return self.source[start:stop].toarray()

    def take(self, index):
        return self.source[index].toarray()


class Stored(Rows):
    """Rows of what is sliced like an array and is none: an h5py data set, an ``HDF5Matrix``."""

    def read(self, start, stop):
        return np.asarray(self.source[start:stop])


class Column(Rows):
    """Rows of one column of a Hugging Face data set."""

    def __init__(self, source, name):
        self.name = name
        first = self._read(source, [0])
        super().__init__(source, (len(source), *first.shape[1:]), torch.from_numpy(first).dtype)

    def _read(self, source, key):
        found = source.with_format("numpy", columns=[self.name])[key][self.name]
        array = np.stack(list(found)) if found.dtype == object else np.asarray(found)
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"Invalid dtype in column {self.name!r}: expected numbers, each row of the same shape. "
                f"Received: {array.dtype}. Map the column to numbers, or leave it out by `remove_columns`."
            )
        return array

    def read(self, start, stop):
        return self._read(self.source, range(start, stop))

    def take(self, index):
        return self._read(self.source, index.tolist())


def _module_of(value, root):
    return any(base.__module__.split(".")[0] == root for base in type(value).__mro__)


def _is_mapped(value):
    while isinstance(value, np.ndarray):
        if isinstance(value, np.memmap):
            return getattr(value, "_mmap", None) is not None
        value = value.base
    return False


def _numbers(value):
    """numpy's dtype of ``value`` if torch has it, too."""
    dtype = np.dtype(value.dtype)
    return dtype if dtype.kind in "fiubc" and dtype.fields is None else None


def _torch_dtype(dtype):
    dtype = np.dtype("float64") if dtype == np.longdouble else dtype.newbyteorder("=")
    return torch.from_numpy(np.empty(0, dtype)).dtype


def is_hugging_face(value):
    """Whether ``value`` is a Hugging Face data set with rows; the library is never imported to find out."""
    library = sys.modules.get("datasets")
    return library is not None and isinstance(value, getattr(library, "Dataset", ()))


def is_tabular(value):
    """Whether ``value`` is a frame or a series of pandas or polars."""
    names = {base.__name__ for base in type(value).__mro__}
    return bool(names & {"DataFrame", "Series"}) and (_module_of(value, "pandas") or _module_of(value, "polars"))


def is_sparse(value):
    """Whether ``value`` is a matrix or array of ``scipy.sparse``."""
    return _module_of(value, "scipy") and hasattr(value, "tocsr")


def plain(name, value):
    """``value`` with what numpy can't read by itself made an array, or ``Rows`` where reading all would take much.

    Frames become matrices, series columns (pandas) or vectors, structured arrays columns of their fields.

    Raises: ValueError for a frame with a column that is not of numbers.
    """
    if isinstance(value, np.ndarray):
        if value.dtype.names is not None:
            return _columns(name, {field: value[field] for field in value.dtype.names}, "fields")
        return _lazy(Mapped, value) if _is_mapped(value) else value
    if isinstance(value, (torch.Tensor, Rows)):
        return value
    if is_tabular(value):
        return _table(name, value)
    if is_sparse(value):
        return _lazy(Sparse, value.tocsr())
    if _module_of(value, "tensorflow") and hasattr(value, "numpy"):
        return value.numpy()
    if hasattr(value, "shape") and hasattr(value, "dtype") and not hasattr(value, "__array_interface__"):
        stored = _module_of(value, "h5py") or not hasattr(value, "__array__")
        if stored and hasattr(value, "__getitem__"):
            return _lazy(Stored, value)
    return value


def _lazy(kind, value):
    dtype = _numbers(value)
    if dtype is None or len(value.shape) == 0:
        return value.toarray() if kind is Sparse else value[()] if kind is Stored else np.asarray(value)
    rows = kind(value, tuple(value.shape), _torch_dtype(dtype))
    if rows.is_floating_point() and rows.dtype is not dtypes.TORCH[settings.floatx()]:
        rows = rows.to(dtypes.TORCH[settings.floatx()])
    return rows.clone() if rows.nbytes <= WHOLE else rows


def _columns(name, columns, what):
    """Columns side by side, of the dtype that holds them all."""
    words = [key for key, column in columns.items() if column.dtype.kind not in "fiub"]
    if words:
        raise ValueError(
            f"Invalid dtype in {name}: expected {what} of numbers. Received: {words[0]!r} of dtype "
            f"{columns[words[0]].dtype}. Drop it, or turn its words into numbers, for example by one-hot columns."
        )
    parts = [column.reshape(len(column), -1) for column in columns.values()]
    return np.concatenate(parts, 1) if parts else np.empty((0, 0))


def _table(name, value):
    if hasattr(value, "columns"):
        columns = {key: np.asarray(value[key].to_numpy()) for key in value.columns}
        if len(columns) != value.shape[1]:  # a name stands twice
            return value.to_numpy()
        columns = {key: _as_numbers(column) for key, column in columns.items()}
        return _columns(name, columns, "columns")
    array = _as_numbers(np.asarray(value.to_numpy()))
    # Keras gives a series of pandas its column's axis.
    return array[:, None] if _module_of(value, "pandas") and array.dtype.kind in "fiub" else array


def _as_numbers(column):
    """A column of objects as floats where all are numbers or missing."""
    if column.dtype != object:
        return column
    try:
        return column.astype(settings.floatx())
    except (TypeError, ValueError):
        return column

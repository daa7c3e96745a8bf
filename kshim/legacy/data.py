"""Data classes that Keras 3 no longer has."""

import importlib

import numpy as np


class HDF5Matrix:
    """Rows ``start`` to ``end`` of a data set in an HDF5 file, read as they are wanted.

    Args:
        datapath: the file.
        dataset: the data set's name in it.
        start: the first row, an int of at least 0.
        end: the row to stop before; None for the last.
        normalizer: function applied to what is read, or None.

    Shapes:
        ``(end - start, ...)``; the other axes as the normalizer leaves them.

    Raises:
        IndexError: a row outside of ``start`` and ``end``.

    Source: Keras 2.3.1 ``utils/io_utils.py``.
    """

    def __init__(self, datapath, dataset, start=0, end=None, normalizer=None):
        h5py = importlib.import_module("h5py")  # optional, and asked for here
        self.file = h5py.File(datapath, "r")
        self.data = self.file[dataset]
        self.start = start
        self.end = self.data.shape[0] if end is None else end
        self.normalizer = normalizer
        self._first = None

    def __len__(self):
        return self.end - self.start

    def __getitem__(self, key):
        if isinstance(key, slice):
            start, stop = (0 if key.start is None else key.start), (len(self) if key.stop is None else key.stop)
            # A run that begins inside may end beyond, as that of a list.
            rows: object = slice(start + self.start, min(stop + self.start, self.end))
            lowest, highest = start, start
        else:
            index = np.asarray(key)
            lowest, highest = (int(index.min()), int(index.max())) if index.size else (0, 0)
            rows = index + self.start if index.ndim else int(index) + self.start
        if len(self) and not 0 <= lowest <= highest < max(len(self), 1):
            raise IndexError(
                f"HDF5Matrix: expected rows from 0 to {len(self) - 1}. Received: rows {lowest} to {highest}."
            )
        found = self.data[rows]
        return found if self.normalizer is None else self.normalizer(found)

    @property
    def shape(self):
        """The shape, rows first."""
        return (len(self), *self._row().shape[1:])

    @property
    def dtype(self):
        """numpy's dtype of what is read."""
        return self._row().dtype

    @property
    def ndim(self):
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self):
        """The number of numbers."""
        return int(np.prod(self.shape))

    def _row(self):
        if self.normalizer is None:
            return np.empty((0, *self.data.shape[1:]), self.data.dtype)
        if self._first is None:
            self._first = self[0:1]
        return self._first

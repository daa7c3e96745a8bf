"""Numpy archives and pickles of plain data, read without running what they hold.

Lists in an ``.npz`` are pickled, and so are some old data sets. Here a pickle may hold numbers, strings, lists, dicts
and numpy arrays of plain numbers or of such objects. Nothing it names is imported.
"""

import io
import math
import pickle
import re
import zipfile

import numpy as np

from kshim.core import untrusted

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_PLAIN_DTYPE = re.compile(r"[<>|=]?([biufc]\d{1,2}|[SU]\d{1,6}|O\d?)\Z")


class _Dtype:
    """In the place of a pickled dtype: its name, and its byte order as soon as that is set."""

    def __init__(self, name, align=False, copy=True):
        if not isinstance(name, str) or not _PLAIN_DTYPE.match(name):
            raise pickle.UnpicklingError(f"a dtype {name!r}")
        self.name = name

    def __setstate__(self, state):
        if state[1] in ("<", ">"):
            self.name = state[1] + self.name.lstrip("<>|=")

    def made(self):
        return np.dtype("O" if "O" in self.name else self.name)


class _Array:
    """In the place of a pickled array; ``made`` is the array."""

    def __init__(self, kind=None, shape=(0,), code=b"b"):
        self.made = None

    def __setstate__(self, state):
        _, shape, dtype, is_fortran, content = state
        dtype = dtype.made()
        if dtype.hasobject:
            flat = np.empty(len(content), object)
            flat[:] = [_plain(item) for item in content]
        else:
            content = content.encode("latin1") if isinstance(content, str) else content
            flat = np.frombuffer(content, dtype).copy()
        self.made = flat.reshape(shape, order="F" if is_fortran else "C")


def _encoded(text, encoding="latin1"):
    """``_codecs.encode``, by which bytes are pickled in the oldest protocols."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("encoded text")
    return text.encode("latin1")


_KNOWN = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encoded,
    **{(module, "_reconstruct"): _Array for module in _ARRAY_MODULES},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"the name {module}.{name}") from None


def _plain(value):
    """``value`` with arrays in their stand-ins' places, also in containers."""
    if isinstance(value, _Array):
        return value.made
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple) or (isinstance(value, list) and value and not isinstance(value[0], (int, str))):
        return type(value)(_plain(item) for item in value)
    return value


def load_pickle(file, path, encoding="ASCII"):
    """The plain data pickled in an open file.

    Args:
        file: open for reading bytes.
        path: its name, for messages.
        encoding: of Python 2's strings; ``"bytes"`` leaves them bytes.

    Raises:
        RefusedFileError: it holds anything else, or is damaged.
    """
    try:
        return _plain(_Unpickler(file, encoding=encoding).load())
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        untrusted.refuse(path, "its pickle", f"no plain data: {error or type(error).__name__}")


def load(path):
    """The arrays of an ``.npz`` by name; those of objects may hold plain data alone.

    Raises:
        RefusedFileError: an array claims more than its file holds, or holds objects of a class.
        ValueError: the file is no archive or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            claims = sum(info.file_size for info in archive.infolist())
            if claims > untrusted.limit(path):
                untrusted.refuse(path, "its members", f"{claims} bytes in all")
            return {info.filename.removesuffix(".npy"): _array(archive, info, path) for info in archive.infolist()}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: expected an .npz, a zip of numpy arrays. It is none, or damaged: {error}") from error


def _array(archive, info, path):
    with archive.open(info) as file:
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        version = np.lib.format.read_magic(file)
        if version not in read_header:
            untrusted.refuse(path, info.filename, f"an array of version {version}")
        shape, is_fortran, dtype = read_header[version](file)
        if dtype.hasobject:
            found = load_pickle(io.BytesIO(file.read()), f"{path}/{info.filename}")
            if not isinstance(found, np.ndarray) or found.shape != shape:
                untrusted.refuse(path, info.filename, "no array of the shape it claims")
            return found
        if math.prod(shape) * dtype.itemsize > info.file_size:
            untrusted.refuse(path, info.filename, f"a claim of shape {shape} in {info.file_size} bytes")
        flat = np.frombuffer(file.read(), dtype, math.prod(shape)).copy()
        return flat.reshape(shape, order="F" if is_fortran else "C")

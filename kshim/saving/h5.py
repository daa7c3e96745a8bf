"""The only way into an HDF5 file: whatever stands in one is untrusted.

HDF5 can point to other files (external links, external storage, virtual datasets), around in circles (soft links), and
can promise terabytes in a few bytes. None of that occurs in a file that Keras or kshim wrote, so all of it is refused.
Source: Keras 3 ``saving/saving_lib.py`` (``safe_get_h5_group``, ``safe_get_h5_dataset``) and the fixes listed there.
"""

import importlib
import math

import numpy as np
import torch

# Arrays in all of a file may take this many bytes, plus this many times what is stored. Weights hardly compress.
FREE_BYTES = 1 << 26
MOST_EXPANSION = 1000

NUMBERS = tuple(
    np.dtype(name)
    for name in ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                 "float16", "float32", "float64")
)  # fmt: skip
LINKS = {1: "soft link", 64: "link to another file"}  # HDF5's link types other than 0, the hard link
BFLOAT16 = np.dtype("V2")  # HDF5 has no bfloat16: two opaque bytes, and an attribute that says so


def h5py():
    """The module ``h5py``; ImportError with the command that installs it."""
    try:
        return importlib.import_module("h5py")
    except ImportError as error:
        raise ImportError(
            'Files of weights need the package h5py, which is not installed. Install it with `pip install "kshim[h5]"`.'
        ) from error


def refuse(what, where):
    """Raise the ValueError for something that a file of weights never needs."""
    raise ValueError(f"Not allowed: H5 file with {what}. Received: {where!r}. The file is damaged, or made to do harm.")


class Reader:
    """An HDF5 file open for reading; use it in a ``with`` block.

    Args:
        path: path of the file, or a file object.

    Raises:
        OSError: it is no HDF5 file, or does not exist.
    """

    def __init__(self, path):
        self.module = h5py()
        self.file = self.module.File(path, "r")
        self._declared = self._stored = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def group(self, path, parent=None):
        """The group at ``path`` below ``parent`` (the file itself), or None where there is nothing."""
        found = self._find(path, parent)
        if found is not None and not isinstance(found, self.module.Group):
            refuse(f"a {type(found).__name__} where a group belongs", path)
        return found

    def has(self, name, parent):
        """Whether ``parent`` has something called ``name``, a link that leads nowhere included."""
        return parent.id.links.exists(name.encode("utf8"))

    def _find(self, path, parent):
        """What lies at ``path``, each part of which is checked by itself: a link may stand anywhere."""
        current = self.file if parent is None else parent
        for part in path.split("/"):
            if part in ("", ".", ".."):
                refuse("a name that is no plain path", path)
            if not isinstance(current, self.module.Group):
                refuse(f"a {type(current).__name__} where a group belongs", path)
            if not self.has(part, current):  # h5py's own `in` would follow a link
                return None
            kind = current.id.links.get_info(part.encode("utf8")).type
            if kind != self.module.h5l.TYPE_HARD:
                refuse(f"a {LINKS.get(kind, 'user-defined link')}", path)
            current = current[part]
        return current

    def names(self, group, attribute):
        """The list of strings in an attribute; long ones are kept in parts, ``<attribute>0``, ``<attribute>1``, ..."""
        if attribute in group.attrs:
            keys = [attribute]
        else:
            keys = []
            while f"{attribute}{len(keys)}" in group.attrs:
                keys.append(f"{attribute}{len(keys)}")
        names = []
        for key in keys:
            values = np.asarray(group.attrs[key])
            if values.ndim != 1:
                refuse(f"an attribute {key} that is no list", group.name)
            names += [self._string(value, group, key) for value in values]
        return names

    def text(self, group, attribute):
        """The string in an attribute, or None."""
        if attribute not in group.attrs:
            return None
        return self._string(group.attrs[attribute], group, attribute)

    def _string(self, value, group, attribute):
        value = value.decode("utf8", "replace") if isinstance(value, bytes) else value
        if not isinstance(value, str):
            refuse(f"an attribute {attribute} that is no string", group.name)
        return str(value)

    def array(self, path, parent=None):
        """The dataset at ``path`` as a checked ``h5py.Dataset``; nothing of it is read yet.

        Raises:
            KeyError: there is none.
        """
        data = self._find(path, parent)
        if data is None:
            raise KeyError(path)
        if not isinstance(data, self.module.Dataset):
            refuse(f"a {type(data).__name__} where an array belongs", path)
        if data.external:
            refuse("an array stored outside of it", path)
        if data.is_virtual:
            refuse("a virtual array", path)
        if data.shape is None or (data.dtype.newbyteorder("=") not in NUMBERS and data.dtype != BFLOAT16):
            refuse(f"an array of {data.dtype}", path)
        self._declared += math.prod(data.shape) * data.dtype.itemsize
        self._stored += data.id.get_storage_size()
        if self._declared > FREE_BYTES + MOST_EXPANSION * self._stored:
            refuse(f"arrays of {self._declared} bytes in {self._stored} stored ones", path)
        return data


def versions(reader, group):
    """``(Keras version, backend)`` of what wrote a file: those of the group, or of the whole file; 1.0.0 wrote none."""
    told = [reader.text(group, name) or reader.text(reader.file, name) for name in ("keras_version", "backend")]
    return told[0] or "1.0.0", told[1]


def read(data):
    """A checked dataset as a tensor; a tensor as it is."""
    if isinstance(data, torch.Tensor):
        return data
    array = np.empty(data.shape, data.dtype.newbyteorder("="))
    if data.shape == ():
        array[()] = data[()]
    elif array.size:
        data.read_direct(array)
    if data.dtype != BFLOAT16:
        return torch.from_numpy(array)
    if data.attrs.get("dtype") not in ("bfloat16", b"bfloat16"):
        refuse("an array of raw bytes", data.name)
    return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)


def write(group, name, value):
    """Write a tensor or number as the dataset ``name`` of ``group``."""
    value = torch.as_tensor(value).detach().cpu()
    if value.dtype == torch.bfloat16:
        group.create_dataset(name, data=value.contiguous().view(torch.int16).numpy().view(BFLOAT16))
        group[name].attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(name, data=value.numpy())


def write_names(group, attribute, names):
    """Write a list of strings as an attribute, in parts where HDF5's 64 KiB would not hold it."""
    names = np.array([name.encode("utf8") for name in names], dtype=None if names else "S1")
    parts = max(1, -(-names.nbytes // 60_000))
    for index, part in enumerate(np.array_split(names, parts)):
        group.attrs[attribute if parts == 1 else f"{attribute}{index}"] = part

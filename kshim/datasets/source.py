"""Where the data sets are on the web, and how their files become arrays."""

import gzip
import json
import os

import numpy as np

from kshim.core import npz, settings
from kshim.core.download import cache_folder, get_file, validate_file

FOLDER = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
CIFAR = "https://www.cs.toronto.edu/~kriz/"


def cached(fname, origin, hashes, cache_dir=None):
    """``get_file`` with the first of ``hashes``; a file in the cache may have any of them."""
    there = os.path.join(cache_folder(cache_dir), fname)
    if os.path.exists(there) and any(validate_file(there, one) for one in hashes[1:]):
        return there
    return get_file(fname, origin, file_hash=hashes[0], cache_dir=cache_dir)


def read_json(path):
    """What a JSON file holds."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_idx(path, header):
    """The bytes after the header of a gzipped file of MNIST's form."""
    with gzip.open(path, "rb") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def shuffled(seed, *arrays):
    """The arrays, their rows in the order of ``RandomState(seed)``; ``seed`` may be a generator, too."""
    rng = seed if hasattr(seed, "shuffle") else np.random.RandomState(seed)
    order = np.arange(len(arrays[0]))
    rng.shuffle(order)
    return [array[order] for array in arrays]


def train_and_test(x, y, test_split, seed):
    """``(x_train, y_train), (x_test, y_test)``: shuffled, then cut.

    Raises:
        ValueError: ``test_split`` is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"Invalid `test_split` argument: {test_split}. It must be between 0 and 1 (exclusive of 1).")
    x, y = shuffled(seed, x, y)
    cut = int(len(x) * (1 - test_split))
    return (x[:cut].copy(), y[:cut].copy()), (x[cut:].copy(), y[cut:].copy())


def cifar(name, digest, batches, label_key, cache_dir=None):
    """Pictures and labels of CIFAR's batches, each file a pickled dict.

    Args:
        name: of the folder in the archive, ``"cifar-10-batches-py"``.
        digest: sha256 of the archive.
        batches: file names, those for training and that for testing.
        label_key: what the labels are called.
        cache_dir: as in ``get_file``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: uint8, ``x`` in the set image data format, ``y`` of shape ``(n, 1)``.
    """
    archive = name.replace("-batches-py", "-python") + ".tar.gz"
    there = os.path.join(cache_folder(cache_dir), name)  # where it is unpacked by Keras 2
    if not all(os.path.isfile(os.path.join(there, one)) for files in batches for one in files):
        folder = get_file(f"{name}-target", CIFAR + archive, extract=True, file_hash=digest, cache_dir=cache_dir)
        there = os.path.join(folder, name)
    return tuple(_pictures([os.path.join(there, one) for one in files], label_key) for files in batches)


def _pictures(paths, label_key):
    x, y = [], []
    for path in paths:
        with open(path, "rb") as file:
            batch = npz.load_pickle(file, path, encoding="bytes")
        x.append(batch[b"data"].reshape(-1, 3, 32, 32))
        y.append(np.reshape(batch[label_key.encode()], (-1, 1)))
    pictures = np.concatenate(x).astype("uint8", copy=False)
    if settings.image_data_format() == "channels_last":
        pictures = pictures.transpose(0, 2, 3, 1)
    return pictures, np.concatenate(y)


def numbered(sequences, start_char, index_from):
    """Word numbers moved up by ``index_from``, after a ``start_char``, which None leaves out."""
    if start_char is not None:
        return [[start_char] + [word + index_from for word in one] for one in sequences]
    return [[word + (index_from or 0) for word in one] for one in sequences]


def shorter(sequences, labels, maxlen):
    """Those below ``maxlen`` and their labels; all for None or 0."""
    kept = [i for i, one in enumerate(sequences) if not maxlen or len(one) < maxlen]
    return [sequences[i] for i in kept], np.asarray(labels)[kept]


def in_vocabulary(sequences, num_words, skip_top, oov_char):
    """Words from ``skip_top`` on and below ``num_words``; others become ``oov_char``, or are left out for None."""
    num_words = num_words or max(max(one) for one in sequences)
    if oov_char is None:
        return [[word for word in one if skip_top <= word < num_words] for one in sequences]
    return [[word if skip_top <= word < num_words else oov_char for word in one] for one in sequences]


def objects(sequences):
    """An array of lists."""
    array = np.empty(len(sequences), object)
    array[:] = sequences
    return array

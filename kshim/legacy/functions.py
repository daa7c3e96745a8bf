"""Functions and small classes whose meaning follows the dialect; ``names`` puts them in their modules."""

import functools
import math
import os
import warnings

import numpy as np
import torch

from kshim import activations, losses, regularizers
from kshim.core import archives, arrays, download, dtypes, settings
from kshim.losses.base import both

_hard_sigmoid_today = activations.hard_sigmoid


def hard_sigmoid(x):
    """``0.2 * x + 0.5`` within [0, 1] up to tf.keras, ``x / 6 + 0.5`` in Keras 3."""
    if settings.holds(since="3"):
        return _hard_sigmoid_today(x)
    return hard_sigmoid_of_keras_2(x)


def hard_sigmoid_of_keras_2(x):
    """``0.2 * x + 0.5`` within [0, 1], in every dialect."""
    return torch.clamp(arrays.to_tensor(x) * 0.2 + 0.5, 0, 1)


def hard_sigmoid_of_keras_3(x):
    """``x / 6 + 0.5`` within [0, 1], in every dialect."""
    return _hard_sigmoid_today(x)


def keep_formulas(model, dialect):
    """Let ``model``, which a file of ``dialect`` told, compute as there, whatever the dialect of the script is."""
    own = hard_sigmoid_of_keras_3 if dialect == "3" else hard_sigmoid_of_keras_2
    for module in model.modules():
        for name in ("activation", "recurrent_activation"):
            if vars(module).get(name) is hard_sigmoid:
                setattr(module, name, own)


class l1_l2:
    """``L1L2`` with the dialect's factors: 0.01 each up to tf.keras, 0 in Keras 3."""

    def __new__(cls, l1=None, l2=None):
        default = 0.0 if settings.holds(since="3") else 0.01
        return regularizers.L1L2(default if l1 is None else l1, default if l2 is None else l2)


def to_categorical(x, num_classes=None, dtype=None):
    """One-hot rows, as ``core.arrays.to_categorical``, in the dialect's shape and dtype.

    Args:
        x: array-like of ints; its axes are flattened to one in 1.2.2 and 2.0.8.
        num_classes: number of columns; None means ``max(x) + 1``.
        dtype: of the result; None means float32 from 2.2.4 to tf.keras, float64 before and after.
    """
    if settings.holds(since="1.2.2", until="2.0.8"):
        x = np.ravel(arrays.to_numpy(x))
    rows = arrays.to_categorical(x, num_classes)
    dtype = dtypes.name_of(dtype or ("float32" if settings.holds(since="2.2.4", until="tf.keras") else "float64"))
    return rows.astype(dtype) if isinstance(rows, np.ndarray) else rows.to(dtypes.TORCH[dtype])


def _labels_as_given(today, power):
    """A hinge loss up to 2.2.4: labels 0 and 1 are not moved to -1 and 1."""

    @functools.wraps(today)
    def call(y_true, y_pred):
        if settings.holds(since="2.3.1"):
            return today(y_true, y_pred)
        y_true, y_pred = both(y_true, y_pred)
        return ((1 - y_true * y_pred).clamp(min=0) ** power).mean(-1)

    return call


hinge, squared_hinge = _labels_as_given(losses.hinge, 1), _labels_as_given(losses.squared_hinge, 2)


def cosine_proximity(y_true, y_pred, axis=-1):
    """Minus the cosine of the angle along ``axis``; up to 2.0.8 divided by the size of that axis."""
    values = losses.cosine_similarity(y_true, y_pred, axis)
    return values / y_pred.shape[axis] if settings.holds(until="2.0.8") else values


def tfidf(count, length, documents, with_word):
    """Keras 0's weight of a word: the first logarithm is of its share, so it falls below 0."""
    return math.log(count / length) / (1 + math.log(1 + with_word / (1 + documents)))


def old_get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
):
    """``get_file`` up to tf.keras: archives were unpacked beside themselves, and ``fname`` could be a path.

    Args:
        fname: name or path of the file; with ``untar``, what it has before ``.tar.gz``.
        origin, md5_hash, file_hash, cache_subdir, hash_algorithm, extract, archive_format, cache_dir: as today.
        untar: whether it is a ``.tar.gz`` that holds the folder ``fname``, whose path is given then.

    Returns:
        the path of the file, or with ``untar`` that of the folder.
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = download.cache_folder(cache_dir, cache_subdir)
    given = os.path.join(folder, os.fspath(fname) if fname else download.name_of(origin))
    target = f"{given}.tar.gz" if untar and not given.endswith(".tar.gz") else given
    download.fetch(origin, target, file_hash, hash_algorithm)
    unpacked = given.removesuffix(".tar.gz")
    if untar and not os.path.exists(unpacked):
        archives.extract(target, os.path.dirname(target), "tar")
    elif extract and not untar and not archives.extract(target, os.path.dirname(target), archive_format):
        warnings.warn(f"Could not extract archive. {target} is none of {archive_format}.", stacklevel=2)
    return unpacked if untar else target


def by_dialect(today, old, until):
    """``today``, or ``old`` up to a dialect."""

    @functools.wraps(today)
    def call(*args, **kwargs):
        return (old if settings.holds(until=until) else today)(*args, **kwargs)

    return call


get_file = by_dialect(download.get_file, old_get_file, "tf.keras")

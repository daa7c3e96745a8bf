"""Small helpers on numpy arrays."""

import numpy as np
import torch

from kshim.core import settings
from kshim.core.dtypes import to_torch


def to_tensor(value):
    """``value`` as a tensor: tensors and symbolic tensors as they are, lists and numbers of float as ``floatx()``."""
    if hasattr(value, "__torch_function__"):
        return value
    array = np.array(value)  # a copy, since torch takes neither read-only arrays nor negative strides
    python_floats = array.dtype.kind == "f" and not hasattr(value, "dtype")
    return torch.as_tensor(array, dtype=to_torch(settings.floatx()) if python_floats else None)


def to_numpy(value):
    """``value`` as a numpy array: tensors come from their device, anything else through ``np.asarray``.

    numpy has no bfloat16: those become float32, which holds each of them exactly.
    """
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def to_categorical(x, num_classes=None):
    """One-hot rows of the class indices ``x``.

    Args:
        x: array-like of ints in [0, num_classes); a trailing axis of size 1 is dropped.
            Negative indices count from the last class, as in every Keras.
        num_classes: number of columns; None means ``max(x) + 1``.

    Raises: IndexError for an index that is not below ``num_classes``.

    Returns: float64 array of shape ``x.shape + (num_classes,)``; a torch tensor for a tensor.

    Source: Keras 3 ``utils/numerical_utils.py``.
    """
    given = x
    x = to_numpy(x).astype("int64")
    shape = x.shape[:-1] if x.ndim > 1 and x.shape[-1] == 1 else x.shape
    x = x.reshape(-1)
    count = num_classes if num_classes else int(np.max(x)) + 1
    if x.size and x.max() >= count:
        raise IndexError(f"to_categorical: expected indices below num_classes={count}. Received: {int(x.max())}.")
    rows = np.zeros((x.shape[0], count))
    rows[np.arange(x.shape[0]), x] = 1
    rows = rows.reshape(*shape, count)
    return torch.as_tensor(rows, device=given.device) if isinstance(given, torch.Tensor) else rows


def normalize(x, axis=-1, order=2):
    """``x`` divided by its ``order``-norm along ``axis``; zero vectors stay zero.

    Source: Keras 3 ``utils/numerical_utils.py``.
    """
    x = to_numpy(x)
    norm = np.atleast_1d(np.linalg.norm(x, order, axis))
    norm[norm == 0] = 1
    return x / np.expand_dims(norm, axis)


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """Sequences of different length as the rows of one array.

    Args:
        sequences: list of lists (of numbers, or of arrays of one shape).
        maxlen: length of the rows, an int; None means that of the longest sequence.
        dtype: of the array; ``object`` for strings of different length.
        padding: ``"pre"`` or ``"post"``: where ``value`` fills up what is too short.
        truncating: ``"pre"`` or ``"post"``: where what is too long is cut.
        value: what fills up.

    Returns:
        array of shape ``(len(sequences), maxlen, ...)``.

    Raises:
        ValueError: for what is not a list of lists, steps of different shapes, or another ``padding``.

    Source: Keras 3 ``utils/sequence_utils.py``.
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    for one in sequences:
        if not hasattr(one, "__len__"):
            raise ValueError(f"`sequences` must be a list of iterables. Found non-iterable: {one}")
    if truncating not in ("pre", "post"):
        raise ValueError(f'Truncating type "{truncating}" not understood')
    if padding not in ("pre", "post"):
        raise ValueError(f'Padding type "{padding}" not understood')
    if isinstance(value, str) and np.dtype(dtype).kind not in "OSU":
        raise ValueError(
            f"`dtype` {dtype} is not compatible with `value`'s type: {type(value)}\n"
            "You should set `dtype=object` for variable length strings."
        )
    maxlen = max(map(len, sequences)) if maxlen is None else maxlen
    step = next((np.shape(one)[1:] for one in sequences if len(one)), ())
    rows = np.full((len(sequences), maxlen, *step), value, dtype)
    for index, one in enumerate(sequences):
        cut = np.asarray(one[len(one) - maxlen if len(one) > maxlen else 0 :] if truncating == "pre" else one[:maxlen])
        if not len(one):
            continue
        if cut.shape[1:] != step:
            raise ValueError(
                f"Shape of sample {cut.shape[1:]} of sequence at position {index} is different from expected "
                f"shape {step}"
            )
        where = slice(maxlen - len(cut), maxlen) if padding == "pre" else slice(len(cut))
        rows[index, where] = cut.astype(dtype)
    return rows

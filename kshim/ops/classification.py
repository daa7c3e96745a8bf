"""Labels as numbers and rows of numbers, how far predictions are from them, and signals from each other.

Source: Keras 3 ``ops/nn.py``.
"""

import torch
import torch.nn.functional as F

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import tensor


def _dense(name, sparse):
    if sparse:
        raise ValueError(f"{name}: expected `sparse` to be False, as on Keras' torch backend. Received: sparse=True.")


@op
def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """For each class index a row of zeros with a one at it; an index below 0 gives zeros.

    Args:
        x: ints below ``num_classes``.
        axis: where the axis of the classes is in the result.
        dtype: None means ``floatx()``.
        sparse: False; torch has no such tensors under these ops.

    Raises: ValueError for ``sparse=True``.
    """
    _dense("one_hot", sparse)
    x = tensor(x).long()
    if x.is_meta:
        rows = x.new_empty((*x.shape, num_classes))
    else:
        rows = F.one_hot(x.clamp(min=0), num_classes) * (x >= 0).unsqueeze(-1)
    rows = rows.to(dtypes.to_torch(dtype))
    return rows if axis in (-1, rows.dim()) else torch.movedim(rows, -1, axis)


@op
def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs):
    """For each row of class indices a row of zeros with a one at each of them; of a vector one row.

    Args:
        inputs: ints in [0, num_classes); those below 0 stand for nothing.
        num_classes: size of the result's ``axis``; by its older name ``num_tokens``, too.
        axis: as in ``one_hot``.
        dtype: None means ``floatx()``.
        sparse: False; torch has no such tensors under these ops.

    Raises: ValueError without ``num_classes``, or for ``sparse=True``.
    """
    num_classes = kwargs.get("num_tokens") if num_classes is None else num_classes
    if num_classes is None:
        raise ValueError("multi_hot: expected the argument `num_classes`. Received: None.")
    _dense("multi_hot", sparse)
    x = tensor(inputs)
    return torch.amax(one_hot(x, num_classes, axis, dtype), dim=1 if x.dim() > 1 else 0)


def _same_shape(name, target, output):
    if target.shape != output.shape:
        raise ValueError(
            f"{name}: expected `target` and `output` to have the same shape. "
            f"Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}."
        )


def _clipped(probabilities):
    return torch.clip(probabilities, settings.epsilon(), 1.0 - settings.epsilon())


def _log_probabilities(output, from_logits, axis):
    if from_logits:
        return F.log_softmax(output, axis)
    return torch.log(_clipped(output / torch.sum(output, axis, keepdim=True)))


@op
def binary_crossentropy(target, output, from_logits=False):
    """The cross entropy of each probability (or logit) in ``output`` and its label in [0, 1].

    Raises: ValueError for two different shapes.
    """
    target, output = tensor(target), tensor(output)
    _same_shape("binary_crossentropy", target, output)
    if from_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    return F.binary_cross_entropy(_clipped(output), target, reduction="none")


@op
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross entropy of probabilities (or logits) and one-hot labels over ``axis``.

    Raises: ValueError for two different shapes, or for scalars.
    """
    target, output = tensor(target), tensor(output)
    _same_shape("categorical_crossentropy", target, output)
    if not target.dim():
        raise ValueError("categorical_crossentropy: expected `target` and `output` of rank 1 or more. "
                         "Received: two scalars.")  # fmt: skip
    return -torch.sum(target * _log_probabilities(output, from_logits, axis), dim=axis)


@op
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """The cross entropy of probabilities (or logits) over ``axis`` and integer labels.

    Args:
        target: ints, shaped as ``output`` without ``axis``, or with size 1 there.

    Raises: ValueError for other shapes, or for a scalar ``output``.
    """
    target, output = tensor(target).long(), tensor(output)
    name = "sparse_categorical_crossentropy"
    if not output.dim():
        raise ValueError(f"{name}: expected `output` of rank 1 or more. Received: a scalar.")
    if target.dim() == output.dim() and target.shape[axis] == 1:
        target = torch.squeeze(target, axis)
    axis %= output.dim()
    if target.shape != output.shape[:axis] + output.shape[axis + 1 :]:
        raise ValueError(
            f"{name}: expected `target` to have the shape of `output` without axis {axis}. "
            f"Received: target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}."
        )
    output = torch.movedim(output, axis, 1) if output.dim() > 1 else output
    if from_logits:
        return F.cross_entropy(output, target, reduction="none")
    return F.nll_loss(_log_probabilities(output, False, min(1, output.dim() - 1)), target, reduction="none")


@op
def psnr(x1, x2, max_val):
    """The peak signal-to-noise ratio in decibels: ``20 log10(max_val) - 10 log10(mean((x1 - x2)^2))``.

    Args:
        max_val: the largest value that the signals can have, above 0.

    Raises: ValueError for two different shapes.
    """
    x1, x2 = tensor(x1), tensor(x2)
    if x1.shape != x2.shape:
        raise ValueError("psnr: expected `x1` and `x2` to have the same shape. "
                         f"Received: x1.shape={tuple(x1.shape)}, x2.shape={tuple(x2.shape)}.")  # fmt: skip
    peak = tensor(max_val, x1.dtype, x1.device)
    return 20 * torch.log10(peak) - 10 * torch.log10(torch.mean((x1 - x2) ** 2))

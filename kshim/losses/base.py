"""``Loss``: a formula plus sample weights, mask and reduction, which live here only."""

import torch

from kshim.core import checks, dtypes, names
from kshim.core.configurable import Configurable

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)
OTHER_WORDS: dict[str, str] = {}  # for a reduction; ``Loss`` keeps the one of ``REDUCTIONS``


class Loss(Configurable):
    """Base of all losses; a subclass writes ``call(y_true, y_pred)``, one value for each sample.

    Args:
        name: None gives the class name in snake case.
        reduction: ``sum_over_batch_size`` or ``mean`` (the mean over all values), ``sum``,
            ``mean_with_sample_weight`` (the weighted mean), ``none`` or None.
        dtype: dtype name the values are computed in; None means that of ``y_pred``.

    Raises: ValueError for an unknown ``reduction``.

    Source: Keras 3 ``losses/loss.py``.
    """

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        self.name = name or names.snake_case(type(self).__name__)
        reduction = OTHER_WORDS.get(reduction, reduction)
        if reduction not in REDUCTIONS:
            checks.fail(self, f"`reduction` to be one of {REDUCTIONS}", f"reduction={reduction!r}")
        self.reduction, self.dtype = reduction, dtype
        self._kept = ("name", "reduction", "dtype")

    def call(self, y_true, y_pred):
        """One value for each sample."""
        raise NotImplementedError(f"{checks.describe(self)}: expected a `call()` method. Received: none.")

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The reduced loss.

        Args:
            y_true, y_pred: tensors or arrays.
            sample_weight: weights of the samples, or of each value.
        """
        y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
        if self.dtype is not None:
            y_true, y_pred = y_true.to(getattr(torch, self.dtype)), y_pred.to(getattr(torch, self.dtype))
        values, mask = self.call(y_true, y_pred), getattr(y_pred, "_keras_mask", None)
        own = getattr(values, "_keras_mask", None)
        if own is not None:
            mask = own if mask is None else mask & own
        return self.reduced(values, sample_weight, mask)

    def reduced(self, values, sample_weight=None, mask=None):
        """``values`` of ``call``, weighted, masked and reduced."""
        return reduce(values, sample_weight, mask, self.reduction)


def as_tensor(value):
    """``value`` as a tensor; arrays become tensors of their own dtype."""
    return value if hasattr(type(value), "__torch_function__") else torch.as_tensor(value)


def same_rank(y_true, y_pred):
    """``y_true`` with a last axis of 1 added or dropped where ``y_pred`` has one more or less."""
    if y_true.dim() == y_pred.dim() + 1 and y_true.shape[-1] == 1:
        return y_true.squeeze(-1)
    if y_true.dim() == y_pred.dim() - 1 and y_pred.shape[-1] == 1:
        return y_true.unsqueeze(-1)
    return y_true


def same_ranks(y_true, y_pred):
    """Both with the same rank where they differ by a last axis of 1; of matrix and vector the vector gets one."""
    if y_pred.dim() == 1 and y_true.dim() == 2 and y_true.shape[-1] == 1:
        return y_true, y_pred.unsqueeze(-1)
    return same_rank(y_true, y_pred), y_pred


def both(y_true, y_pred):
    """Both as tensors of the dtype of ``y_pred`` and the same rank."""
    y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
    if y_true.dtype is not y_pred.dtype and y_true.dtype != y_pred.dtype:
        y_true = y_true.to(dtypes.to_torch(y_pred.dtype))  # of a symbolic tensor it is a name
    return (y_true, y_pred) if y_true.dim() == y_pred.dim() else same_ranks(y_true, y_pred)


def broadcast_weight(weight, values):
    """``weight`` as a tensor that broadcasts to ``values``: missing axes are added at the end.

    Raises: ValueError if it has more axes, or an axis that fits neither.
    """
    weight = as_tensor(weight).to(device=values.device, dtype=values.dtype)
    if weight.dim() == values.dim() + 1 and weight.shape[-1] == 1:
        weight = weight.squeeze(-1)
    while weight.dim() < values.dim():
        weight = weight.unsqueeze(-1)
    if weight.dim() > values.dim() or any(w not in (1, v) for w, v in zip(weight.shape, values.shape, strict=True)):
        raise ValueError(
            f"sample_weight: expected a shape that broadcasts to the loss values {tuple(values.shape)}. "
            f"Received: shape {tuple(weight.shape)}."
        )
    return weight


def reduce(values, sample_weight=None, mask=None, reduction="sum_over_batch_size"):
    """Weighted, masked and reduced ``values``.

    A mask takes its values out of the mean: the sum over the kept ones divided by their number.
    """
    if mask is not None:
        kept = mask.to(values.dtype)
        if kept.dim() == values.dim() + 1 and kept.shape[-1] == 1:
            kept = kept.squeeze(-1)
        while kept.dim() < values.dim():
            kept = kept.unsqueeze(-1)
        if reduction in ("mean", "sum_over_batch_size"):
            kept = kept * (kept.numel() / kept.sum().clamp(min=1e-7))
        sample_weight = kept if sample_weight is None else broadcast_weight(sample_weight, values) * kept
    if sample_weight is not None:
        if values.dim() == 0:  # one number for the batch counts for each sample
            values = values.expand(as_tensor(sample_weight).shape)
        sample_weight = broadcast_weight(sample_weight, values)
        values = values * sample_weight
    if reduction in ("none", None) or values.dim() == 0:
        return values
    if reduction == "sum":
        return values.sum()
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        total = sample_weight.expand_as(values).sum()
        return torch.where(total == 0, 0.0, values.sum() / torch.where(total == 0, 1.0, total))
    return values.sum() if 0 in values.shape else values.mean()  # of nothing the mean is 0

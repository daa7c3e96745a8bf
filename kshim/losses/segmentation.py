"""Losses on masks: how far two sets of pixels are from each other, one value over ``axis`` (None: over all)."""

from kshim.core import settings
from kshim.losses.base import both


def dice(y_true, y_pred, axis=None):
    """``1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon)`` over ``axis``.

    Args:
        axis: an axis or a tuple of them; None means all.

    Source: Dice, 1945.
    """
    y_true, y_pred = both(y_true, y_pred)
    return 1 - 2 * (y_true * y_pred).sum(axis) / (y_true.sum(axis) + y_pred.sum(axis) + settings.epsilon())


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """``1 - both / (both + alpha * (true only) + beta * (predicted only) + epsilon)``, each summed over ``axis``.

    Args:
        alpha, beta: weights of what was missed and of what was made up, 0 or above; 0.5 each is Dice.
        axis: an axis or a tuple of them; None means all.

    Source: Salehi et al., 2017, arXiv:1706.05721.
    """
    y_true, y_pred = both(y_true, y_pred)
    shared = (y_true * y_pred).sum(axis)
    missed, made_up = ((1 - y_pred) * y_true).sum(axis), (y_pred * (1 - y_true)).sum(axis)
    return 1 - shared / (shared + missed * alpha + made_up * beta + settings.epsilon())

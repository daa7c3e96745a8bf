"""Regularizers and constraints that newer versions no longer have."""

import torch

from kshim.constraints import Constraint
from kshim.core import checks
from kshim.core.arrays import to_tensor
from kshim.regularizers import L1L2, Regularizer


class EigenvalueRegularizer(Regularizer):
    """``k`` times the root of the largest eigenvalue of ``x.T @ x``, by nine steps of the power method.

    Args:
        k: float.

    Raises: ValueError where ``x`` is no matrix.

    Source: Keras 1.2.2 ``regularizers.py``.
    """

    k: float

    def __init__(self, k):
        self.keep(locals())

    def __call__(self, x):
        x = to_tensor(x)
        if x.dim() != 2:
            checks.fail(self, "a weight of rank 2", f"shape {tuple(x.shape)}")
        square = x.T @ x
        vector = square.sum(1)
        for _ in range(8):
            vector = square @ vector
        return ((square @ vector) @ vector / (vector @ vector)).sqrt() * self.k


def activity_l1(l=0.01):  # noqa: E741 # its name in Keras 1
    """``l * sum(abs(outputs))``."""
    return L1L2(l1=l)


def activity_l2(l=0.01):  # noqa: E741
    """``l * sum(outputs^2)``."""
    return L1L2(l2=l)


def activity_l1l2(l1=0.01, l2=0.01):
    """The sum of both."""
    return L1L2(l1=l1, l2=l2)


class RadialConstraint(Constraint):
    """Kernels of images whose values depend only on the distance to the middle: those of the diagonal,
    from the middle to the last row.

    Raises:
        ValueError: ``w`` has not the four axes ``(rows, columns, inputs, outputs)``, is not square or has one row.

    Source: tf.keras ``constraints.py``.
    """

    def __call__(self, w):
        w = to_tensor(w)
        if w.dim() != 4 or w.shape[0] != w.shape[1]:
            checks.fail(self, "a weight of rank 4 with as many rows as columns", f"shape {tuple(w.shape)}")
        size, start = w.shape[0], w.shape[0] // 2
        if size == 1:
            checks.fail(self, "at least 2 rows", f"shape {tuple(w.shape)}")
        at = torch.arange(size, device=w.device)
        rings = (size - 1) // 2 - torch.minimum(at, size - 1 - at)  # 0 is the innermost
        ring = torch.maximum(rings[:, None], rings[None, :])
        along = torch.where(ring == 0, start - 1, start + ring - size % 2)
        return w[along, along]

"""Intersection over union of label maps."""

import warnings

import torch

from kshim.core import checks, dtypes, settings
from kshim.losses.base import as_tensor
from kshim.metrics.base import Metric


class IoU(Metric):
    """The mean over some classes of ``right / (labelled + predicted - right)``, counted in pixels.

    Args:
        num_classes: how many classes there are.
        target_class_ids: the classes that count.
        name, dtype: as for ``Metric``; None means int32.
        ignore_class: a label whose pixels do not count.
        sparse_y_true, sparse_y_pred: whether these are class numbers; otherwise one for each class along ``axis``.
        axis: the axis of the classes.

    Raises: ValueError if a target class is not below ``num_classes``.

    Source: Keras 3 ``metrics/iou_metrics.py``.
    """

    _direction = "up"

    def __init__(self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_true=True,
                 sparse_y_pred=True, axis=-1):  # fmt: skip
        super().__init__(name=name, dtype=dtype or "int32")
        self._kept = (
            "name", "dtype", "num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred",
            "axis",
        )  # fmt: skip
        if max(target_class_ids) >= num_classes:
            checks.fail(self, f"each target class id to be in the range [0, {num_classes})", f"{max(target_class_ids)}")
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true, y_pred, sample_weight=None):
        with torch.no_grad():
            y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
            self.to(y_pred.device)
            dtype = self.total_cm.dtype
            y_true = (y_true if self.sparse_y_true else y_true.argmax(self.axis)).to(y_pred.device, dtype).reshape(-1)
            y_pred = (y_pred if self.sparse_y_pred else y_pred.argmax(self.axis)).to(dtype).reshape(-1)
            weight = as_tensor(1 if sample_weight is None else sample_weight)
            if weight.is_floating_point() and not dtype.is_floating_point:
                warnings.warn(
                    "You are passing weight as `float`, but dtype is `int`. This may result in an incorrect weight "
                    "due to type casting. Consider using integer weights.",
                    stacklevel=2,
                )
            weight = weight.to(y_pred.device, dtype).reshape(-1).expand(y_true.shape)
            inside = (y_true >= 0) & (y_true < self.num_classes) & (y_pred >= 0) & (y_pred < self.num_classes)
            if self.ignore_class is not None:
                inside &= y_true != self.ignore_class
            place = torch.where(inside, y_true.long() * self.num_classes + y_pred.long(), 0)
            self.total_cm.view(-1).scatter_add_(0, place, torch.where(inside, weight, 0))

    def result(self):
        right = self.total_cm.diagonal()
        union = self.total_cm.sum(0) + self.total_cm.sum(1) - right
        chosen = torch.tensor(self.target_class_ids, device=right.device)
        right, union = right[chosen].float(), union[chosen].float()
        seen, low = union > 1e-9, settings.epsilon()
        return torch.where(seen, right / (union + low), 0.0).sum() / (seen.sum() + low)


class BinaryIoU(IoU):
    """``IoU`` of the classes 0 and 1, told apart by a threshold.

    Args:
        target_class_ids: which of 0 and 1 count.
        threshold: predictions of at least this are class 1.
        name, dtype: as for ``IoU``.

    Source: Keras 3 ``metrics/iou_metrics.py``.
    """

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self._kept = ("name", "dtype", "target_class_ids", "threshold")
        self.threshold = threshold

    def update_state(self, y_true, y_pred, sample_weight=None):
        chosen = as_tensor(y_pred) >= self.threshold
        super().update_state(y_true, chosen.to(dtypes.TORCH[self.dtype]), sample_weight)


class MeanIoU(IoU):
    """``IoU`` over all classes.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: as for ``IoU``.

    Source: Keras 3 ``metrics/iou_metrics.py``.
    """

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True,
                 axis=-1):  # fmt: skip
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        self._kept = tuple(name for name in self._kept if name != "target_class_ids")


class OneHotIoU(IoU):
    """``IoU`` of one-hot labels.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis: as for ``IoU``.

    Source: Keras 3 ``metrics/iou_metrics.py``.
    """

    def __init__(self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_pred=False,
                 axis=-1):  # fmt: skip
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)
        self._kept = tuple(name for name in self._kept if name != "sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """``IoU`` of one-hot labels over all classes.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_pred, axis: as for ``IoU``.

    Source: Keras 3 ``metrics/iou_metrics.py``.
    """

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
        self._kept = tuple(name for name in self._kept if name != "sparse_y_true")

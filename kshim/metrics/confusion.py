"""Counts of right and wrong decisions at thresholds, and what follows from them: precision, recall, AUC."""

import inspect

import numpy as np
import torch

from kshim import activations
from kshim.core import checks, dtypes, settings
from kshim.losses.base import as_tensor, same_rank
from kshim.metrics.base import Metric

STATE = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def confusion(y_true, y_pred, thresholds, *, even=False, sample_weight=None, top_k=None, class_id=None,
              multi_label=False, label_weights=None):  # fmt: skip
    """How often ``y_pred > threshold`` is right and wrong: the four counts of ``STATE``, one for each threshold.

    Args:
        y_true: labels; what is not 0 is positive.
        y_pred: scores of the same shape, or with a last axis of 1 more or less.
        thresholds: a tensor of the counts' dtype.
        even: what ``_even`` says of the thresholds: where they divide [0, 1] evenly, the place of a score is computed,
            not searched.
        sample_weight: weights of the samples, or of each value.
        top_k: only the ``k`` largest of each row can be positive.
        class_id: the one column that counts.
        multi_label: whether columns are counted apart: results ``(thresholds, columns)``.
        label_weights: one for each column.
    """
    y_true, y_pred = (as_tensor(x).to(thresholds) for x in (y_true, y_pred))
    y_true = same_rank(y_true, y_pred)
    weight = torch.ones_like(y_pred)
    if sample_weight is not None:
        sample_weight = as_tensor(sample_weight).to(thresholds)
        if sample_weight.dim() == y_pred.dim() + 1:
            sample_weight = sample_weight.squeeze(-1)
        weight = weight * sample_weight[(..., *[None] * (y_pred.dim() - sample_weight.dim()))]
    if top_k is not None:
        kept = y_pred.topk(top_k).indices
        y_pred = torch.full_like(y_pred, -torch.inf).scatter(-1, kept, y_pred.gather(-1, kept))
    if class_id is not None:
        if y_pred.dim() == 1:
            raise ValueError(
                "When class_id is provided, expected y_pred to be a 2D array with shape (num_samples, num_classes). "
                f"Received: shape {tuple(y_pred.shape)}."
            )
        y_true, y_pred, weight = (x[..., class_id, None] for x in (y_true, y_pred, weight))
    if label_weights is not None and not multi_label:
        weight = weight * label_weights
    if not multi_label:
        y_true, y_pred, weight = (x.reshape(-1) for x in (y_true, y_pred, weight))
    count = len(thresholds)
    # `below`: how many thresholds, of the sorted ones, are less than the score.
    if even:
        below = torch.ceil(y_pred.clamp(0, 1) * (count - 1)).long()
        if even == "outside":  # the first threshold lies below 0
            below = below.clamp(min=1)
        order = None
    else:
        ordered, order = thresholds.sort()
        below = torch.bucketize(y_pred.contiguous(), ordered)
    positive = (y_true != 0).to(weight.dtype) * weight
    negative = weight - positive
    found = {}
    for name, part in (("positives", positive), ("negatives", negative)):
        buckets = weight.new_zeros((count + 1, *weight.shape[1:])).scatter_add_(0, below, part)
        above = buckets[1:].flip(0).cumsum(0).flip(0)
        found[name] = above if order is None else torch.empty_like(above).index_copy_(0, order, above)
    return {
        "true_positives": found["positives"], "false_positives": found["negatives"],
        "true_negatives": negative.sum(0) - found["negatives"], "false_negatives": positive.sum(0) - found["positives"],
    }  # fmt: skip


def _quotient(a, b):
    """``a / b``, 0 where ``b`` is."""
    return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))


def _even(thresholds):
    """False, or whether thresholds divide [0, 1] evenly: "inside", or "outside" where the ends lie a bit beyond."""
    steps = np.arange(len(thresholds), dtype="float32") / max(len(thresholds) - 1, 1)
    if len(thresholds) < 3 or not np.allclose(thresholds, steps, atol=settings.epsilon()):
        return False
    return "outside" if thresholds[0] < 0 or thresholds[-1] > 1 else "inside"


def _divided(count):
    """``count`` thresholds from 0 to 1."""
    return [0.0, *((i + 1) / (count - 1) for i in range(count - 2)), 1.0]


class _Counts(Metric):
    """Base: some of the four counts at thresholds."""

    counts: tuple[str, ...] = STATE

    def _begin(self, thresholds, shape=(), even=None):
        self.thresholds = thresholds
        self._even = _even(np.array(thresholds, "float64")) if even is None else even
        for name in self.counts:
            setattr(self, name, self.add_variable((len(thresholds), *shape), name=name))

    _bounds: torch.Tensor | None = None  # the thresholds where the predictions are: they are copied there once

    def _count(self, y_true, y_pred, **options):
        with torch.no_grad():
            y_pred = as_tensor(y_pred)
            self.to(y_pred.device)
            if self._bounds is None or self._bounds.device != y_pred.device:
                values = np.array(self.thresholds)
                self._bounds = torch.as_tensor(values, dtype=dtypes.TORCH[self.dtype], device=y_pred.device)
            found = confusion(y_true, y_pred, self._bounds, even=self._even, **options)
            for variable, name in zip(self._variables, self.counts, strict=True):
                variable.add_(found[name])

    def _given(self, thresholds, default):
        """Thresholds as a list, each checked."""
        if thresholds is None:
            return [default]
        values = list(thresholds) if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
        wrong = [t for t in values if t is None or not 0 <= t <= 1]
        if wrong:
            checks.fail(self, "Threshold values must be in [0, 1]: `thresholds` in that range", f"{wrong}")
        return values

    def _one_or_all(self, values):
        return values[0] if len(self.thresholds) == 1 else values


class _Count(_Counts):
    """One of the counts.

    Args:
        thresholds: a number in [0, 1], or a list of them for a result each; None means 0.5.
        name, dtype: as for ``Metric``.

    Raises: ValueError for a threshold outside [0, 1].

    Source: Keras 3 ``metrics/confusion_metrics.py``.
    """

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._kept = ("name", "dtype", "thresholds")
        self.init_thresholds, self.thresholds = thresholds, self._given(thresholds, 0.5)
        self._even = _even(np.array(self.thresholds, "float64"))
        self.accumulator = self.add_variable((len(self.thresholds),), name="accumulator")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self._count(y_true, y_pred, sample_weight=sample_weight)

    def result(self):
        return self._one_or_all(self.accumulator.clone())

    def _config_value(self, name):
        return self.init_thresholds if name == "thresholds" else super()._config_value(name)


def _count_of(name, text):
    class_name = "".join(word.capitalize() for word in name.split("_"))
    doc = f"{text}\n{inspect.getdoc(_Count).removeprefix('One of the counts.')}"
    return type(class_name, (_Count,), {"counts": (name,), "__doc__": doc, "__module__": __name__})


TruePositives = _count_of("true_positives", "How often a prediction above the threshold is right.")
FalsePositives = _count_of("false_positives", "How often a prediction above the threshold is wrong.")
TrueNegatives = _count_of("true_negatives", "How often a prediction at or below the threshold is right.")
FalseNegatives = _count_of("false_negatives", "How often a prediction at or below the threshold is wrong.")


class _Share(_Counts):
    """Base of precision and recall: true positives over themselves and the second of ``counts``."""

    _direction = "up"

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._kept = ("name", "dtype", "thresholds", "top_k", "class_id")
        self.init_thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        # Among the k largest every score counts: below the least of them lies only what was taken out.
        self._begin(self._given(thresholds, 0.5 if top_k is None else -1e10))

    def update_state(self, y_true, y_pred, sample_weight=None):
        self._count(y_true, y_pred, sample_weight=sample_weight, top_k=self.top_k, class_id=self.class_id)

    def result(self):
        right, wrong = self._variables
        return self._one_or_all(_quotient(right, right + wrong))

    def _config_value(self, name):
        return self.init_thresholds if name == "thresholds" else super()._config_value(name)


class Precision(_Share):
    """Share of the predictions above the threshold that are right.

    Args:
        thresholds: a number in [0, 1], or a list of them for a result each; None means 0.5, or with ``top_k`` none.
        top_k: only the ``k`` largest of each row can be positive.
        class_id: the one column that counts.
        name, dtype: as for ``Metric``.

    Raises: ValueError for a threshold outside [0, 1].

    Source: Keras 3 ``metrics/confusion_metrics.py``.
    """

    counts = ("true_positives", "false_positives")


class Recall(_Share):
    """Share of the positive labels whose prediction is above the threshold.

    Args:
        thresholds: a number in [0, 1], or a list of them for a result each; None means 0.5, or with ``top_k`` none.
        top_k: only the ``k`` largest of each row can be positive.
        class_id: the one column that counts.
        name, dtype: as for ``Metric``.

    Raises: ValueError for a threshold outside [0, 1].

    Source: Keras 3 ``metrics/confusion_metrics.py``.
    """

    counts = ("true_positives", "false_negatives")


class _Best(_Counts):
    """Base: the best of one share over all thresholds at which another one is large enough."""

    _direction = "up"
    held = best = ""  # the share that is held, and the one that is shown

    def _start(self, value, num_thresholds, class_id):
        if not 0 <= value <= 1:
            checks.fail(self, f"`{self.held}` to be in the range [0, 1]", f"{self.held}={value}")
        if num_thresholds <= 0:
            checks.fail(self, "`num_thresholds` to be an integer > 0", f"num_thresholds={num_thresholds}")
        setattr(self, self.held, value)
        self.num_thresholds, self.class_id = num_thresholds, class_id
        self._kept = ("name", "dtype", self.held, "num_thresholds", "class_id")
        self._begin([0.5] if num_thresholds == 1 else _divided(num_thresholds), even=num_thresholds > 1 and "inside")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self._count(y_true, y_pred, sample_weight=sample_weight, class_id=self.class_id)

    def _share(self, name):
        right, wrong = {
            "precision": ("true_positives", "false_positives"), "recall": ("true_positives", "false_negatives"),
            "sensitivity": ("true_positives", "false_negatives"), "specificity": ("true_negatives", "false_positives"),
        }[name]  # fmt: skip
        right, wrong = getattr(self, right), getattr(self, wrong)
        return _quotient(right, right + wrong)

    def result(self):
        allowed = self._share(self.held) >= getattr(self, self.held)
        return torch.where(allowed, self._share(self.best), 0.0).amax()


def _best_of(best, held):
    """The public class ``<Best>At<Held>``."""

    def __init__(self, value, num_thresholds=200, class_id=None, name=None, dtype=None):
        Metric.__init__(self, name=name, dtype=dtype)
        self._start(value, num_thresholds, class_id)

    parameters = list(inspect.signature(__init__).parameters.values())
    parameters[1] = parameters[1].replace(name=held)
    signature = inspect.Signature(parameters)

    def init(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        __init__(*bound.args)

    init.__signature__ = signature
    doc = f"""The best {best} over all thresholds at which the {held} is at least ``{held}``.

    Args:
        {held}: in [0, 1].
        num_thresholds: how many thresholds divide [0, 1]; an int above 0.
        class_id: the one column that counts.
        name, dtype: as for ``Metric``.

    Raises: ValueError for a value out of its range.

    Source: Keras 3 ``metrics/confusion_metrics.py``.
    """
    attributes = {"__init__": init, "__doc__": doc, "__module__": __name__, "held": held, "best": best}
    return type(f"{best.capitalize()}At{held.capitalize()}", (_Best,), attributes)


SensitivityAtSpecificity = _best_of("sensitivity", "specificity")
SpecificityAtSensitivity = _best_of("specificity", "sensitivity")
PrecisionAtRecall = _best_of("precision", "recall")
RecallAtPrecision = _best_of("recall", "precision")


class AUC(_Counts):
    """The area under a curve that thresholds draw: how well scores sort the labels.

    Args:
        num_thresholds: how many thresholds divide [0, 1], an int above 1.
        curve: ``ROC`` (recall over the false positives' share), ``PR`` (precision over recall) or ``PRGAIN`` (both
            as gains over the share of positives; Flach and Kull, 2015).
        summation_method: ``interpolation``, ``minoring`` or ``majoring``: the middle, lower or upper sum.
        name, dtype: as for ``Metric``.
        thresholds: floats in [0, 1] in the place of the even ones; 0 and 1 are added.
        multi_label: whether each column has a curve of its own; the result is their mean.
        num_labels: how many columns there are; None takes it from the first batch.
        label_weights: one for each column.
        from_logits: whether predictions are logits.

    Raises: ValueError for a value out of its range; for columns where ``multi_label`` finds none.

    Source: Keras 3 ``metrics/confusion_metrics.py``; Davis and Goadrich, 2006, for PR's interpolation.
    """

    _direction = "up"
    CURVES = ("PR", "ROC", "PRGAIN")
    METHODS = ("interpolation", "majoring", "minoring")

    def __init__(self, num_thresholds=200, curve="ROC", summation_method="interpolation", name=None, dtype=None,
                 thresholds=None, multi_label=False, num_labels=None, label_weights=None,
                 from_logits=False):  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        if curve not in (*self.CURVES, *map(str.lower, self.CURVES)):
            checks.fail(self, f"`curve` to be one of {self.CURVES}", f"Invalid AUC curve value: {curve!r}")
        if summation_method not in (*self.METHODS, *map(str.capitalize, self.METHODS)):
            checks.fail(
                self, f"`summation_method` to be one of {self.METHODS}",
                f"Invalid AUC summation method value: {summation_method!r}",
            )  # fmt: skip
        if thresholds is None and num_thresholds <= 1:
            checks.fail(self, "`num_thresholds` to be an integer > 1", f"num_thresholds={num_thresholds}")
        if num_labels and not multi_label:
            checks.fail(self, "`num_labels` only with `multi_label=True`", f"num_labels={num_labels}")
        self.num_thresholds = num_thresholds if thresholds is None else len(thresholds) + 2
        self.curve, self.summation_method = curve.upper(), summation_method.lower()
        self.multi_label, self.num_labels, self.label_weights = multi_label, num_labels, label_weights
        self.from_logits = from_logits
        self._own_thresholds = thresholds is not None
        self._kept = (
            "name", "dtype", "num_thresholds", "curve", "summation_method", "multi_label", "num_labels",
            "label_weights", "from_logits", "thresholds",
        )  # fmt: skip
        inner = sorted(thresholds) if thresholds is not None else _divided(num_thresholds)[1:-1]
        low = settings.epsilon()
        self._all = [-low, *inner, 1 + low]
        self._built = False
        if not multi_label or num_labels:
            self._build((num_labels,) if multi_label else ())

    def _build(self, shape):
        self._begin(self._all, shape, even=_even([0.0, *self._all[1:-1], 1.0]) and "outside")
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = as_tensor(y_pred)
        if not self._built:
            if y_pred.dim() != 2:
                checks.fail(
                    self, "`y_pred` to have rank 2, as it must when `multi_label=True`", f"shape {tuple(y_pred.shape)}"
                )
            self._build(y_pred.shape[1:])
        if self.from_logits:
            y_pred = activations.sigmoid(y_pred)
        weights = self._weights() if not self.multi_label else None
        self._count(y_true, y_pred, sample_weight=sample_weight, multi_label=self.multi_label, label_weights=weights)

    def _weights(self):
        if self.label_weights is None:
            return None
        return torch.as_tensor(self.label_weights, dtype=self._variables[0].dtype, device=self._variables[0].device)

    def result(self):
        if not self._built:
            return torch.zeros(())
        terms = self._interpolated() if (self.curve, self.summation_method) == ("PR", "interpolation") else self._sum()
        areas = terms.sum(0)
        if not self.multi_label:
            return areas
        weights = self._weights()
        return areas.mean() if weights is None else _quotient((areas * weights).sum(), weights.sum())

    def _sum(self):
        """Width times height between each threshold and the next."""
        tp, fp, tn, fn = self._variables
        recall = _quotient(tp, tp + fn)
        if self.curve == "ROC":
            x, y = _quotient(fp, fp + tn), recall
        elif self.curve == "PR":
            x, y = recall, _quotient(tp, tp + fp)
        else:
            odds = _quotient(tp + fn, tn + fp)
            x = torch.where(tp == 0, 0.0, 1 - odds * _quotient(fn, tp)).clamp(min=0)
            y = torch.where(tp == 0, 1.0, 1 - odds * _quotient(fp, tp))
        height = {
            "interpolation": lambda a, b: (a + b) / 2, "minoring": torch.minimum, "majoring": torch.maximum,
        }[self.summation_method](y[:-1], y[1:])  # fmt: skip
        return (x[:-1] - x[1:]) * height

    def _interpolated(self):
        """The PR curve between thresholds: true and false positives move in a straight line, precision does not."""
        tp, fp, _, fn = self._variables
        positive = tp + fp
        gained, wide = tp[:-1] - tp[1:], (positive[:-1] - positive[1:]).clamp(min=0)
        slope = _quotient(gained, wide)
        start = tp[1:] - slope * positive[1:]
        both = (positive[:-1] > 0) & (positive[1:] > 0)
        ratio = torch.where(both, _quotient(positive[:-1], positive[1:].clamp(min=0)), 1.0)
        return _quotient(slope * (gained + start * ratio.log()), (tp[1:] + fn[1:]).clamp(min=0))

    def _config_value(self, name):
        if name == "thresholds":
            return list(self._all[1:-1]) if self._own_thresholds else None
        return super()._config_value(name)

    def get_config(self):
        config = super().get_config()
        return config if self._own_thresholds else {k: v for k, v in config.items() if k != "thresholds"}

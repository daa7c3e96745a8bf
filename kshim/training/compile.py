"""What ``compile`` was given, by output: losses and metrics."""

import inspect

import torch

from kshim import losses, metrics
from kshim.core import checks, dtypes, names, settings, tree
from kshim.losses.base import as_tensor, reduce
from kshim.metrics.accuracy import accuracy_for
from kshim.metrics.base import Mean, MeanMetricWrapper, Metric

# Metrics whose function shows at the first batch: name -> function of (y_true's shape, y_pred's shape, loss function).
BY_SHAPE = {"accuracy": accuracy_for, "acc": accuracy_for}
_UP = tuple(BY_SHAPE)


def by_output(what, given, names, each):
    """``given`` (one for all, a list, or a dict by output name) as a list with one entry for each output.

    Args:
        what: the argument's name, for messages.
        each: whether a value that is no list or dict holds for each output.
    """
    if isinstance(given, dict):
        unknown = [key for key in given if key not in names]
        if unknown:
            raise ValueError(
                f"`{what}`: expected keys among the model's outputs {names}. Received: the key {unknown[0]!r}."
                f"{checks.nearest(unknown[0], names)}"
            )
        return [given.get(name) for name in names]
    if isinstance(given, (list, tuple)):
        if len(given) != len(names):
            raise ValueError(
                f"`{what}`: expected one entry for each of the {len(names)} outputs {names}. "
                f"Received: {len(given)} entries, {given}."
            )
        return list(given)
    return [given if each or i == 0 else None for i in range(len(names))]


class CompiledLoss:
    """The loss of all outputs: ``compiled(y_true, y_pred, sample_weight) -> scalar``.

    Args:
        loss: name, function, ``Loss``, torch loss, or a list or dict of them by output; None for no loss.
        loss_weights: numbers, in a list or dict by output.
        names: the outputs' names.

    ``parts`` holds ``(index, loss function, weight, name)``; with several losses each has a running mean.
    """

    def __init__(self, loss, loss_weights, names):
        several = len(names) > 1
        wanted = by_output("loss", loss, names, each=True)
        weights = by_output("loss_weights", loss_weights, names, each=False) if several else [loss_weights]
        if not several and isinstance(weights[0], (list, tuple, dict)):
            weights = by_output("loss_weights", weights[0], names, each=False)
        for weight in weights:
            if weight is not None and (isinstance(weight, bool) or not isinstance(weight, (int, float))):
                raise ValueError(
                    f"`loss_weights`: expected numbers. Received: {weight!r}. Metrics are given as metrics=[...]."
                )
        self.names = names
        self.parts = [
            (i, loss_object(one), 1.0 if weight is None else float(weight), name)
            for i, (one, weight, name) in enumerate(zip(wanted, weights, names, strict=True))
            if one is not None
        ]
        self.means = [Mean(f"{name}_loss") for _, _, _, name in self.parts] if len(self.parts) > 1 else []
        self.single = self.parts[0][1] if len(self.parts) == 1 and not several and self.parts[0][2] == 1 else None

    def dtype_of_integers(self, index):
        """The torch dtype that the loss of output ``index`` wants integer targets in."""
        own = [fn for i, fn, _, _ in self.parts if i == index]
        indices = any(
            fn.takes_indices if isinstance(fn, TorchLoss)
            else getattr(fn, "fn", None) is losses.sparse_categorical_crossentropy
            for fn in own
        )  # fmt: skip
        return torch.int64 if indices else dtypes.TORCH[settings.floatx()]

    def check_labels(self, index, y, shape):
        """Raise ValueError where ``y``, on the CPU, has a class index that output ``index`` of ``shape`` has not."""
        for i, fn, _, name in self.parts:
            if i != index or getattr(fn, "fn", None) is not losses.sparse_categorical_crossentropy:
                continue
            classes, ignored = shape[fn.arguments.get("axis", -1)], fn.arguments.get("ignore_class")
            if classes is None or y.device.type != "cpu":
                continue
            labels = y if ignored is None else y[y != ignored]
            low, high = (end.item() for end in labels.aminmax()) if labels.numel() else (0, 0)
            if not 0 <= low <= high < classes:
                raise ValueError(
                    f"sparse_categorical_crossentropy: expected labels from 0 to {classes - 1}, as output {name!r} has "
                    f"{classes} classes. Received: labels from {low} to {high}. Number the classes from 0, or give the "
                    "output more units."
                )

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The weighted sum of the losses of structures with one entry for each output."""
        try:
            if self.single is not None and isinstance(y_pred, torch.Tensor):
                return self.single(y_true, y_pred, sample_weight)
            return self._sum(y_true, y_pred, sample_weight)
        except RuntimeError as error:
            shapes = [[tuple(getattr(leaf, "shape", ())) for leaf in tree.flatten(y)] for y in (y_true, y_pred)]
            if shapes[0] == shapes[1] or "size" not in str(error):
                raise
            (true,), (pred,) = shapes if len(shapes[1]) == 1 else ([shapes[0]], [shapes[1]])
            raise ValueError(
                f"The loss can't be computed: expected targets in the shape of the output. "
                f"Received: y_true.shape={true}, y_pred.shape={pred}. {error}"
            ) from error

    @staticmethod
    def add_batch(mean, value, rows):
        """Add the loss of one output on a batch of ``rows`` samples to its running mean."""
        mean.update_state(value, sample_weight=rows)

    def _sum(self, y_true, y_pred, sample_weight):
        y_true, y_pred = tree.flatten(y_true), tree.flatten(y_pred)
        weights = _weights_by_output(sample_weight, len(self.names))
        total = None
        for position, (i, fn, weight, _) in enumerate(self.parts):
            value = fn(y_true[i], y_pred[i], weights[i])
            if self.means:
                self.add_batch(self.means[position], value.detach(), len(y_pred[i]))
            value = value if weight == 1 else value * weight
            total = value if total is None else total + value
        return total


def _weights_by_output(sample_weight, count):
    if tree.is_nested(sample_weight):
        return tree.flatten(sample_weight)
    return [sample_weight] * count


class TorchLoss:
    """A plain torch loss, which takes ``(input, target)``, in Keras' order.

    Class indices reach it as a flat integer tensor; sample weights need ``reduction="none"``, and a mask counts
    only there.
    """

    def __init__(self, module):
        self.module, self.name = module, type(module).__name__
        # Of torch's own losses these take class indices; what a user's loss takes is the user's to know.
        nn = torch.nn
        indices = (nn.NLLLoss, nn.CrossEntropyLoss, nn.MultiMarginLoss, nn.MultiLabelMarginLoss)
        self.takes_indices = isinstance(module, indices) or type(module).__module__ != nn.MSELoss.__module__

    def __call__(self, y_true, y_pred, sample_weight=None):
        if not y_true.is_floating_point() and y_true.dim() == y_pred.dim() and y_true.shape[-1] == 1 < y_pred.shape[-1]:
            y_true = y_true.squeeze(-1)
        values = self.module(y_pred, y_true)
        if values.dim() == 0 and sample_weight is not None:
            raise ValueError(
                f"{self.name} gives one number for the batch, so sample weights can't be applied. "
                f"Received: reduction={self.module.reduction!r}. Use {self.name}(reduction='none')."
            )
        return reduce(values, sample_weight, getattr(y_pred, "_keras_mask", None) if values.dim() else None)


def crossentropy(y_true, y_pred):
    """The cross entropy that fits the shapes, as ``"accuracy"`` is the accuracy that does."""
    return crossentropy_for(tuple(y_true.shape), tuple(y_pred.shape))(y_true, y_pred)


def crossentropy_for(y_true_shape, y_pred_shape, loss=None):
    """The cross entropy that ``"crossentropy"`` means for these shapes; ``loss`` does not matter."""
    return crossentropy_like(accuracy_for(y_true_shape, y_pred_shape))


def crossentropy_like(accuracy):
    """The cross entropy for the targets that the function ``accuracy`` is for."""
    return getattr(losses, accuracy.__name__.replace("accuracy", "crossentropy"))


def loss_object(identifier):
    """A callable ``(y_true, y_pred, sample_weight) -> scalar`` for whatever ``compile(loss=...)`` takes."""
    if isinstance(identifier, torch.nn.Module):
        return TorchLoss(identifier)
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        return losses.LossFunction(crossentropy, name=identifier)
    try:
        found = losses.get(identifier)
    except ValueError as error:
        raise ValueError(f"Could not interpret loss identifier: {error}") from None
    return found if isinstance(found, losses.Loss) else losses.LossFunction(found)


class FunctionMetric(MeanMetricWrapper):
    """A user's metric function, which gives one tensor, or a dict of metric name to tensor.

    Source: the dict form is Keras 1's (``engine/training.py``).
    """

    def __init__(self, fn, name=None):
        super().__init__(fn, name or getattr(fn, "__name__", type(fn).__name__).replace("<lambda>", "lambda"))
        self.means = {}

    def update_state(self, y_true, y_pred, sample_weight=None):
        with torch.no_grad():
            values = self.fn(y_true, y_pred)
            mask, rows = getattr(y_pred, "_keras_mask", None), len(tree.flatten(y_pred)[0])
            if not isinstance(values, dict):
                self.add_batch(as_tensor(values).to(self.total.dtype), sample_weight, mask, rows)
                return
            for name, value in values.items():
                mean = self.means.setdefault(name, Mean(name))
                mean.add_batch(as_tensor(value).to(mean.total.dtype), sample_weight, mask, rows)

    def reset_state(self):
        super().reset_state()
        for mean in self.means.values():
            mean.reset_state()

    def result(self):
        return {name: mean.result() for name, mean in self.means.items()} if self.means else super().result()


class FunctionByShape(MeanMetricWrapper):
    """A name of ``BY_SHAPE``, as ``"accuracy"``: which function is meant shows at the first batch.

    Args:
        name: the name as it was written.
        loss: the function of the output's loss, or None.
    """

    def __init__(self, name, loss=None):
        super().__init__(None, name)
        self.loss, self._direction = loss, "up" if name.lower() in _UP else "down"

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.fn is None:
            self.fn = BY_SHAPE[self.name.lower()](tuple(y_true.shape), tuple(y_pred.shape), self.loss)
        super().update_state(y_true, y_pred, sample_weight)


class TorchMetric:
    """A metric of the torch ecosystem as it is: ``update(preds, target)``, ``compute()`` and ``reset()``.

    Args:
        metric: the object; one of torchmetrics' classification gets its targets as integers.

    It takes no sample weights: the protocol has none.
    """

    def __init__(self, metric):
        self.metric = metric
        self.name = getattr(metric, "name", None) or names.snake_case(type(metric).__name__)
        self._integers = any("classification" in cls.__module__.split(".") for cls in type(metric).__mro__)

    def update_state(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError(
                f"{type(self.metric).__name__}: expected to stand in `metrics`, as it takes no sample weights. "
                "Received: `weighted_metrics` and sample weights. Move it to `metrics`."
            )
        if self._integers:
            y_true = y_true.long()
            if y_true.dim() == y_pred.dim() and y_true.shape[-1] == 1 < y_pred.shape[-1]:
                y_true = y_true.squeeze(-1)
        with torch.no_grad():
            self.metric.update(y_pred, y_true)

    def result(self):
        return self.metric.compute()

    def reset_state(self):
        self.metric.reset()

    def to(self, device):
        """Move the state to ``device``, where the metric has one to move; returns the metric."""
        if isinstance(self.metric, torch.nn.Module):
            self.metric.to(device)
        return self


class CompiledMetrics:
    """The metrics of all outputs.

    Args:
        given, weighted: ``compile``'s ``metrics`` and ``weighted_metrics``: names, functions, classes or objects in a
            list, a list of lists, or a dict by output.
        names: the outputs' names.
        loss: the ``CompiledLoss``, or None.

    ``parts`` holds ``(output index, metric, log name, whether it takes sample weights)``; those of several outputs are
    sorted by log name, as Keras 3 lists them.
    """

    def __init__(self, given, weighted, names, loss=None):
        self.parts = []
        functions = {i: getattr(fn, "fn", None) for i, fn, _, _ in loss.parts} if loss is not None else {}
        taken: dict = {}
        for wanted, takes_weights in ((given, False), (weighted, True)):
            for i, own in enumerate(_metrics_by_output(wanted, names)):
                for identifier in own:
                    metric = metric_object(identifier, functions.get(i))
                    prefix = "" if len(names) == 1 else f"{names[i]}_"
                    name = self.log_name(prefix, metric.name, takes_weights, taken)
                    self.parts.append((i, metric, name, takes_weights))
        self.flat = len(names) == 1
        if not self.flat and settings.holds(since="3"):
            self.parts.sort(key=lambda part: part[2])

    @staticmethod
    def log_name(prefix, name, weighted, taken):
        """``name`` in the logs: ``weighted_`` stands before it, or a number after it, where it is ``taken`` already."""
        if weighted and prefix + name in taken:
            name = f"weighted_{name}"
        name = prefix + name
        number = taken[name] = taken.get(name, -1) + 1
        return f"{name}_{number}" if number else name

    @property
    def objects(self):
        """The metric objects."""
        return [metric for _, metric, _, _ in self.parts]

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch."""
        single = isinstance(y_pred, torch.Tensor) and isinstance(y_true, torch.Tensor)
        if self.flat and sample_weight is None and single:
            for _, metric, _, _ in self.parts:
                metric.update_state(y_true, y_pred)
            return
        y_true, y_pred = tree.flatten(y_true), tree.flatten(y_pred)
        weights = _weights_by_output(sample_weight, len(y_pred))
        for i, metric, _, takes_weights in self.parts:
            if takes_weights and weights[i] is not None:
                metric.update_state(y_true[i], y_pred[i], sample_weight=weights[i])
            else:
                metric.update_state(y_true[i], y_pred[i])

    def result(self):
        """Log name -> result; a result that is a dict stands under its own names."""
        found = {}
        for _, metric, name, _ in self.parts:
            value = metric.result()
            found.update(value if isinstance(value, dict) else {name: value})
        return found


def _metrics_by_output(given, names):
    """``given`` as one list for each output."""
    if not given:
        return [[] for _ in names]
    if isinstance(given, dict):
        return [_as_list(one) for one in by_output("metrics", given, names, each=False)]
    given = _as_list(given)
    nested = any(isinstance(one, (list, tuple)) for one in given)
    if len(names) == 1:
        return [[m for one in given for m in _as_list(one)]]
    # A flat list: up to tf.keras it held for every output; Keras 3 reads one entry for each.
    if not nested and (settings.holds(until="tf.keras") or len(given) != len(names)):
        return [list(given) for _ in names]
    return [_as_list(one) for one in by_output("metrics", given, names, each=False)]


def _as_list(value):
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def metric_object(identifier, loss=None):
    """A metric object for whatever ``compile(metrics=...)`` takes; ``loss`` is the function of the output's loss."""
    if isinstance(identifier, str) and identifier.lower() in BY_SHAPE:
        return FunctionByShape(identifier, loss)
    if not inspect.isclass(identifier):
        if hasattr(identifier, "update_state"):
            return identifier
        if all(callable(getattr(identifier, name, None)) for name in ("update", "compute", "reset")):
            return TorchMetric(identifier)
    try:
        found = metrics.get(identifier)
    except ValueError as error:
        raise ValueError(f"Could not interpret metric identifier: {error}") from None
    if isinstance(found, Metric):
        return found
    if isinstance(found, losses.Loss):
        return _LossMetric(found.call, found.name)
    if isinstance(identifier, str):
        loss = losses.LOSSES.table.get(identifier) is found
        return (_LossMetric if loss else MeanMetricWrapper)(found, identifier)
    return FunctionMetric(found)


class _LossMetric(MeanMetricWrapper):
    """A loss shown as a metric: less is better."""

    _direction = "down"

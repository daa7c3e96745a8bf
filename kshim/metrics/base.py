"""``Metric``: state on the device that batches are added to, and a result; ``Mean`` and functions as metrics."""

import torch

from kshim import initializers
from kshim.core import checks, dtypes, names, serialization
from kshim.core.configurable import Configurable, translated
from kshim.core.variable import Variable
from kshim.losses.base import as_tensor, broadcast_weight, same_rank


class Metric(Configurable):
    """Base of all metrics; a subclass makes its state with ``add_variable`` in ``__init__`` and writes
    ``update_state(y_true, y_pred, sample_weight=None)`` and ``result()``.

    Args:
        dtype: dtype name of the state; None means ``floatx()``.
        name: None gives the class name in snake case.

    Nothing is read back to the host until a result is turned into a number.

    Source: Keras 3 ``metrics/metric.py``.
    """

    def __init__(self, dtype=None, name=None):
        self.name = name or names.unique(names.snake_case(type(self).__name__))
        self.dtype = dtypes.name_of(dtype)
        self._variables = []
        self._kept = ("dtype", "name")

    @translated
    def add_variable(self, shape=(), initializer="zeros", dtype=None, aggregation="sum", name=None):
        """A piece of state: a ``Variable`` without gradient, set to zeros by ``reset_state``.

        Args:
            shape: tuple of ints.
            initializer: name, config or callable for the first value.
            dtype: dtype name; None means the metric's.
            aggregation: accepted as in Keras: how replicas would be joined.
            name: its name.
        """
        dtype = dtypes.name_of(dtype or self.dtype)
        with torch.inference_mode(False):
            value = torch.as_tensor(initializers.get(initializer)(tuple(shape), dtype=dtype))
            variable = Variable(value.clone(), trainable=False, name=name or "variable")
        variable._path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        return variable

    add_weight = add_variable

    @property
    def variables(self):
        """The state."""
        return list(self._variables)

    def to(self, device):
        """Move the state to ``device``; returns the metric."""
        for variable in self._variables:
            if variable.device != device:
                variable.data = variable.data.to(device)
        return self

    def reset_state(self):
        """The state as zeros, whatever it began with: so every Keras."""
        for variable in self._variables:
            variable.data.zero_()

    def update_state(self, *args, **kwargs):
        """Add a batch."""
        raise NotImplementedError(f"{checks.describe(self)}: expected an `update_state()` method. Received: none.")

    def result(self):
        """The value over everything since the last reset, a tensor (or a dict of them)."""
        raise NotImplementedError(f"{checks.describe(self)}: expected a `result()` method. Received: none.")

    def __call__(self, *args, **kwargs):
        """Add a batch and return the result."""
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


class Mean(Metric):
    """The weighted mean of all values.

    Args: ``name``, ``dtype`` as for ``Metric``.

    ``update_state(values, sample_weight=None)``; ``result()`` is 0 before the first.

    Source: Keras 3 ``metrics/reduction_metrics.py``.
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(dtype=dtype, name=name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values, sample_weight=None):
        with torch.no_grad():
            values = as_tensor(values)
            mask = getattr(values, "_keras_mask", None)
            self._add(values.to(self.total.dtype), sample_weight, mask)

    def add_batch(self, values, sample_weight, mask, rows):
        """Add the values of a batch of ``rows`` samples: one for each sample, or one for the batch."""
        self._add(values, sample_weight, mask)

    def _add(self, values, sample_weight, mask=None):
        self.to(values.device)
        if mask is not None:
            kept = broadcast_weight(mask, values)
            sample_weight = kept if sample_weight is None else broadcast_weight(sample_weight, values) * kept
        share = len(values) / max(values.numel(), 1) if values.dim() > 1 else 1  # a sample counts once, however long
        if sample_weight is None:
            self.total.add_(values.sum(), alpha=share)
            self.count.add_(len(values) if values.dim() else 1)
            return
        if as_tensor(sample_weight).dim() == 0 and values.dim():
            values, share = values.mean(), 1  # one weight makes one value of the batch
        weight = broadcast_weight(_mean_to_rank(as_tensor(sample_weight), values), values)
        self.total.add_((values * weight).sum(), alpha=share)
        self.count.add_(weight.expand_as(values).sum(), alpha=share)

    def result(self):
        return torch.where(self.count == 0, 0.0, self.total / self.count)


def samplewise(values, sample_weight, mask, reduce):
    """``(values, weights)``, one of each for each sample: the other axes are reduced by ``reduce`` (a mean or sum).

    Weights of fewer axes than the values weigh what is left of these once the surplus axes are reduced.
    """
    if mask is not None:
        kept = broadcast_weight(mask, values)
        sample_weight = kept if sample_weight is None else broadcast_weight(sample_weight, values) * kept
    if sample_weight is not None:
        weight = as_tensor(sample_weight).to(values.device, values.dtype)
        if weight.dim() == values.dim() + 1 and weight.shape[-1] == 1:
            weight = weight.squeeze(-1)
        if weight.dim() == values.dim() - 1 and values.shape[-1] == 1:
            weight = weight.unsqueeze(-1)
        if values.dim() > weight.dim():
            values = reduce(values, tuple(range(weight.dim(), values.dim())))
        weight = weight.expand_as(values)
        values, sample_weight = values * weight, weight
        if weight.dim() > 1:
            sample_weight = reduce(weight, tuple(range(1, weight.dim())))
    if values.dim() > 1:
        values = reduce(values, tuple(range(1, values.dim())))
    return values, sample_weight


def _mean_to_rank(weight, values):
    """A weight with more axes than the values is averaged over the surplus."""
    if weight.dim() > values.dim() and not (weight.dim() == values.dim() + 1 and weight.shape[-1] == 1):
        return weight.float().mean(tuple(range(values.dim(), weight.dim())))
    return weight


class MeanMetricWrapper(Mean):
    """The mean of a function ``(y_true, y_pred, **arguments) -> values``.

    Args:
        fn: the function; one value for each sample, or one for the batch.
        name: None gives the function's name.
        dtype: as for ``Metric``.
        kwargs: further arguments for every call of ``fn``.

    Source: Keras 3 ``metrics/reduction_metrics.py``.
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name or getattr(fn, "__name__", type(fn).__name__), dtype)
        self.fn, self.arguments = fn, kwargs

    @classmethod
    def from_config(cls, config):
        """The metric; its function, by name, has to be registered."""
        if "fn" in config and not callable(config["fn"]):
            config = {**config, "fn": serialization.function(config["fn"], "a metric")}
        return super().from_config(config)

    def update_state(self, y_true, y_pred, sample_weight=None):
        with torch.no_grad():
            y_true, y_pred = as_tensor(y_true), as_tensor(y_pred)
            mask = getattr(y_pred, "_keras_mask", None)
            y_true = y_true if y_true.dim() == y_pred.dim() else same_rank(y_true, y_pred)
            values = as_tensor(self.fn(y_true, y_pred, **self.arguments))
            own = getattr(values, "_keras_mask", None)  # of `ignore_class`: Keras hears it only where others weigh, too
            if own is not None and not (mask is None and sample_weight is None):
                mask = own if mask is None else own & mask
            self.add_batch(values.to(self.total.dtype), sample_weight, mask, len(y_pred) if y_pred.dim() else 1)

"""Normalization, Discretization, CategoryEncoding, and what they share with lookups: arrays in, encodings out."""

import numpy as np
import torch

from kshim.core import arrays, checks, dtypes, settings, tree
from kshim.core.checks import boolean, describe, one_of, positive_int
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers.base import Layer

STRINGS = "USOT"  # numpy's kinds of arrays of texts: str, bytes, objects, and StringDType


class ArrayLayer(Layer):
    """A layer whose call takes lists and single numbers, too: each is one array."""

    def _tensors(self, structure):
        if isinstance(structure, tuple):
            return super()._tensors(tuple(map(self.as_array, structure)))
        return super()._tensors(
            {k: self.as_array(value) if isinstance(value, (list, tuple)) else value for k, value in structure.items()}
        )

    def as_array(self, inputs):
        """Tensors, arrays and symbolic tensors as they are, anything else as an array."""
        if isinstance(inputs, (torch.Tensor, np.ndarray, KerasTensor)):
            return inputs
        leaves = tree.flatten(inputs)
        if any(isinstance(leaf, KerasTensor) for leaf in leaves):
            return inputs
        if any(isinstance(leaf, torch.Tensor) for leaf in leaves):
            inputs = tree.map_structure(arrays.to_numpy, inputs)
        try:
            return np.asarray(inputs)
        except ValueError:
            return checks.fail(self, "rows of one length", f"inputs={inputs!r}", "Pad them to a rectangle.")

    def beside(self, name, x):
        """The tensor in the attribute ``name``, which is no weight, on the device of ``x``; it stays there."""
        tensor = getattr(self, name)
        if tensor.device != x.device and not x.is_meta:
            tensor = self.__dict__[name] = tensor.to(x.device)
        return tensor


def encode(indices, output_mode, depth, dtype, weights=None):
    """Indices as they are, or as rows of ``depth`` numbers; indices below 0 count nowhere.

    Args:
        indices: an int tensor.
        output_mode: "int"; "one_hot": a row for each index, a last axis of size 1 is dropped first; "multi_hot":
            which indices occur along the last axis; "count": how often, or the sum of their ``weights``.
        depth: number of columns.
        dtype: of the result.
        weights: in "count" mode, a tensor of the indices' shape.

    Raises: RuntimeError for an index that is not below ``depth``.
    """
    if output_mode == "int":
        return indices.to(dtype)
    indices = indices.long()
    if indices.dim() == 0:
        indices = indices.unsqueeze(-1)
    if output_mode == "one_hot":
        indices = indices if indices.dim() > 1 and indices.shape[-1] == 1 else indices.unsqueeze(-1)
    counts = (indices >= 0).to(dtype)
    if weights is not None:
        counts = counts * weights
    rows = counts.new_zeros((*indices.shape[:-1], depth))
    rows = rows.scatter_add(-1, indices.clamp(min=0), counts)
    return rows.clamp(max=1) if output_mode == "multi_hot" else rows


def batches(data, steps=None):
    """What ``adapt`` goes over: one batch for an array or tensor, else each batch (of the inputs alone) in turn."""
    if isinstance(data, (np.ndarray, torch.Tensor)):
        return [data]
    if isinstance(data, torch.utils.data.Dataset) and not hasattr(data, "__iter__"):
        raise TypeError(
            f"`adapt`: expected batches. Received: {type(data).__name__}, which gives single samples. "
            "Put it into a torch.utils.data.DataLoader."
        )
    if not hasattr(data, "__iter__"):
        if not (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
            raise TypeError(
                "`adapt`: expected an array, a tensor, or an iterable of batches. "
                f"Received: an unsupported data type: {type(data)}."
            )
        data = (data[i] for i in range(len(data)))
    return _first_of_each(data, steps)


def _first_of_each(data, steps):
    for i, batch in enumerate(data):
        if steps is not None and i >= steps:
            return
        # (x, y) as a tuple, or as the list that a DataLoader makes of it
        first = batch[0] if isinstance(batch, (tuple, list)) and len(batch) else None
        pair = isinstance(first, torch.Tensor) or (isinstance(batch, tuple) and hasattr(first, "shape"))
        yield first if pair and first.ndim else batch


def check_mode(owner, output_mode, sparse, modes):
    """Refuse an ``output_mode`` that is none of ``modes``, and sparse results."""
    one_of(*modes)(owner, "output_mode", output_mode)
    if sparse:
        checks.fail(owner, "dense results: torch has no sparse ones here", f"sparse={sparse}", "Leave `sparse` out.")


class Normalization(ArrayLayer):
    """``(inputs - mean) / sqrt(variance)``, with statistics that are given or learned by ``adapt``.

    Args:
        axis: the axis, or tuple of axes, that have a mean and variance for each index; None for one of each in all.
        mean, variance: numbers or arrays that broadcast to the kept axes; both or neither.
        invert: whether to compute ``mean + inputs * sqrt(variance)`` instead.

    Shapes:
        any -> the same; without ``mean``, three weights: mean and variance of the kept axes' shape, and count ``()``.
        The square root is at least ``epsilon()``.

    Raises:
        ValueError: one of ``mean`` and ``variance`` is missing, or they do not fit each other, the axes or the input.

    Source: Keras 3 ``layers/preprocessing/normalization.py``. Unlike there, ``set_weights`` has effect at once.
    """

    def __init__(self, axis=-1, mean=None, variance=None, invert=False, **kwargs):
        super().__init__(**kwargs)
        axis = () if axis is None else axis
        self.keep({"axis": axis, "invert": invert}, axis=checks.int_tuple)
        self.input_mean, self.input_variance = mean, variance
        self.supports_masking = True
        if (mean is None) != (variance is None):
            checks.fail(self, "both of `mean` and `variance`, or neither", f"mean={mean}, variance={variance}")
        if mean is None:
            return
        shape, other = np.shape(arrays.to_numpy(mean)), np.shape(arrays.to_numpy(variance))
        if shape != other:
            checks.fail(self, "`mean` and `variance` of one shape", f"mean of {shape}, variance of {other}")
        if len(shape) > len(self.axis):
            checks.fail(
                self, f"a `mean` of at most {len(self.axis)} axes, as `axis` has", f"shape {shape}, axis={axis}"
            )

    def build(self, input_shape):
        input_shape, rank = tuple(input_shape), len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            checks.fail(self, f"each `axis` in [-{rank}, {rank})", f"axis={self.axis}, input_shape={input_shape}")
        kept = sorted(axis % rank for axis in self.axis)
        if any(input_shape[axis] is None for axis in kept):
            checks.fail(self, "a known size of each axis in `axis`", f"axis={self.axis}, input_shape={input_shape}")
        self._kept, self._reduced = tuple(kept), tuple(axis for axis in range(rank) if axis not in kept)
        self._sizes = tuple(input_shape[axis] for axis in kept)
        self._broadcast = [input_shape[axis] if axis in kept else 1 for axis in range(rank)]
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(self._sizes, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(self._sizes, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
            return
        for name, given in (("_mean", self.input_mean), ("_variance", self.input_variance)):
            value = torch.as_tensor(np.asarray(arrays.to_numpy(given)), dtype=torch.float64, device="cpu")
            try:
                value = value.expand(self._sizes).reshape(self._broadcast)
            except RuntimeError:
                checks.fail(
                    self, f"`mean` and `variance` that broadcast to the axes' sizes {self._sizes}",
                    f"{tuple(value.shape)}",
                )  # fmt: skip
            self.__dict__[name] = value.to(dtypes.TORCH[self.compute_dtype])

    @property
    def mean(self):
        """The means as they are used, of the inputs' rank; None before the layer is built."""
        return self._statistic("_mean", "adapt_mean") if self.built else None

    @property
    def variance(self):
        """The variances as they are used, of the inputs' rank; None before the layer is built."""
        return self._statistic("_variance", "adapt_variance") if self.built else None

    def _statistic(self, given, learned):
        if self.input_mean is not None:
            return getattr(self, given)
        return getattr(self, learned).view(self._broadcast).to(dtypes.TORCH[self.compute_dtype])

    def call(self, inputs):
        dtype = dtypes.TORCH[self.compute_dtype]
        if inputs.dtype is not dtype:
            inputs = inputs.to(dtype)
        if self.input_mean is None:
            mean, variance = self.mean, self.variance
        else:
            mean, variance = self.beside("_mean", inputs), self.beside("_variance", inputs)
        scale = variance.sqrt().clamp(min=settings.epsilon())
        return mean + inputs * scale if self.invert else (inputs - mean) / scale

    def adapt(self, data):
        """Learn mean and variance from an array, a tensor, or an iterable of batches (inputs, or tuples of them and y).

        Raises:
            TypeError: ``data`` is neither, or has batches without a shape.
            ValueError: there is no data, it does not fit the shape the layer was built with, or the layer was given
                its ``mean``.
        """
        if self.input_mean is not None:
            checks.fail(self, "a layer without `mean` and `variance`", "adapt() on one that was given them")
        count, mean, variance = 0, 0.0, 0.0
        for batch in batches(data):
            if not hasattr(batch, "shape"):
                raise TypeError(
                    f"{describe(self)}: expected batches with a shape. Received: {type(batch).__name__}. "
                    "Make each an array or a tensor."
                )
            shape = tuple(batch.shape)
            if not self.built:
                self.build(shape)
            if len(shape) != len(self._broadcast) or tuple(shape[axis] for axis in self._kept) != self._sizes:
                checks.fail(self, f"data of shape {self._build_shape}, as the layer was built with", f"shape={shape}")
            values = arrays.to_tensor(batch).detach().to(self.device, torch.float64)
            size = values.numel() // max(int(np.prod(self._sizes)), 1)
            if not size:
                continue
            own_mean = values.mean(self._reduced) if self._reduced else values
            own_variance = values.var(self._reduced, correction=0) if self._reduced else torch.zeros_like(values)
            # Two sets of values become one: Chan, Golub and LeVeque, 1979.
            share = size / (count + size)
            between = own_mean - mean
            variance = variance * (1 - share) + own_variance * share + between**2 * (share * (1 - share))
            mean, count = mean + between * share, count + size
        if not count:
            checks.fail(self, "at least one batch with values in it", "empty data")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def finalize_state(self):
        """Accepted as in Keras: the statistics are always the weights' own."""

    def get_config(self):
        listed = {
            name: None if value is None else arrays.to_numpy(value).tolist()
            for name, value in (("mean", self.input_mean), ("variance", self.input_variance))
        }
        return super().get_config() | listed

    def _config_value(self, name):
        return None if name in ("mean", "variance") else super()._config_value(name)


class Discretization(ArrayLayer):
    """The index of the bin that each value falls into: bin ``i`` is ``boundaries[i - 1] <= x < boundaries[i]``.

    Args:
        bin_boundaries: numbers in rising order, where one bin ends and the next begins.
        num_bins: how many bins ``adapt`` makes, in place of ``bin_boundaries``.
        epsilon: how far, as a share of the data, a learned boundary may be off its quantile; above 0.
        output_mode: "int" for int32 indices, or "one_hot", "multi_hot" or "count" as in ``encode``.
        sparse: must be false.

    Shapes:
        any -> the same for "int"; otherwise as ``CategoryEncoding``, with a column for each bin.

    Raises:
        ValueError: both or neither of ``bin_boundaries`` and ``num_bins``; an unknown mode; ``sparse=True``;
            a call before ``adapt`` where that is needed.

    Source: Keras 3 ``layers/preprocessing/discretization.py``.
    """

    def __init__(self, bin_boundaries=None, num_bins=None, epsilon=0.01, output_mode="int", sparse=False, dtype=None,
                 name=None, **kwargs):  # fmt: skip
        super().__init__(name=name, dtype=dtype, **kwargs)
        check_mode(self, output_mode, sparse, ("int", "one_hot", "multi_hot", "count"))
        if num_bins is not None and num_bins < 0:
            checks.fail(self, "`num_bins` to be an int of at least 0", f"num_bins={num_bins}")
        if (num_bins is None) == (bin_boundaries is None):
            checks.fail(
                self, "one of `bin_boundaries` and `num_bins`", f"bin_boundaries={bin_boundaries}, num_bins={num_bins}"
            )
        self.keep({"num_bins": num_bins, "epsilon": epsilon, "output_mode": output_mode, "sparse": sparse})
        self.bin_boundaries = bin_boundaries
        self.reset_state()
        self.built = True

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name == "bin_boundaries" and value is not None:
            edges = np.array(arrays.to_numpy(value), dtype="float64")
            self.__dict__["_edges"] = torch.as_tensor(edges, device="cpu")

    @property
    def output_dtype(self):
        """Dtype name of the outputs."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    def call(self, inputs):
        if self.bin_boundaries is not None:
            depth, edges = len(self._edges) + 1, self.beside("_edges", inputs)
        elif inputs.is_meta:
            depth, edges = self.num_bins, inputs.new_empty(self.num_bins - 1, dtype=torch.float64)
        else:
            checks.fail(self, "bin boundaries", "none so far", "Pass `bin_boundaries`, or call `adapt(data)` first.")
        # Compared in the inputs' own precision, so that 0.1 of float32 is in the bin that begins with 0.1.
        if inputs.dtype in (torch.float16, torch.bfloat16):
            inputs = inputs.float()
        elif not inputs.is_floating_point():
            inputs = inputs.double()
        found = torch.bucketize(inputs, edges.to(inputs.dtype), right=True, out_int32=True)
        return encode(found, self.output_mode, depth, dtypes.TORCH[self.output_dtype])

    def adapt(self, data, steps=None):
        """Learn ``num_bins - 1`` boundaries, the data's quantiles, from an array, a tensor or an iterable of batches.

        Args:
            data: what to learn from.
            steps: the largest number of batches; None for all.

        Raises: ValueError if the layer was made with ``bin_boundaries``.
        """
        if self.num_bins is None:
            checks.fail(self, "`num_bins`", "a layer made with `bin_boundaries`", "Make it with `num_bins` to adapt.")
        self.reset_state()
        for batch in batches(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Take the numbers in ``data`` into the summary."""
        values = np.sort(arrays.to_numpy(data).astype("float32"), axis=None)
        step = max(values.size * self.epsilon, 1)
        kept = values[int(step - 1) :: int(step)]
        merged = np.concatenate([[kept, np.full_like(kept, step)], self.summary], axis=1)
        self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self):
        """Make the boundaries from the summary."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1 / self.num_bins)[0, :-1].tolist()

    def reset_state(self):
        """Forget the data seen."""
        self.summary = np.zeros((2, 0), "float32")

    def load_own_variables(self, store):
        """Take the summary from a saved layer's arrays."""
        if len(store) == 1:
            self.summary = store["0"]

    def get_config(self):
        config = super().get_config() | {"bin_boundaries": self.bin_boundaries, "dtype": self.dtype}
        del config["trainable"]
        return config

    @classmethod
    def from_config(cls, config):
        """The layer; one that was adapted has both ``num_bins`` and ``bin_boundaries``."""
        if config.get("num_bins") is None or config.get("bin_boundaries") is None:
            return cls(**config)
        layer = cls(**{name: value for name, value in config.items() if name != "bin_boundaries"})
        layer.bin_boundaries = config["bin_boundaries"]
        return layer


def _compressed(summary, epsilon):
    """A summary (rising values, and how many values each stands for) with about ``1 / epsilon`` values."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    totals = summary[1].cumsum()
    reached = totals / totals[-1]
    values, totals = np.interp(shares, reached, summary[0]), np.interp(shares, reached, totals)
    return np.stack([values, np.diff(totals, prepend=0)]).astype("float32")


class CategoryEncoding(ArrayLayer):
    """Rows of ``num_tokens`` numbers for the indices of categories.

    Args:
        num_tokens: how many categories there are, an int above 0.
        output_mode: "one_hot": a row for each index; "multi_hot": which indices a sample has; "count": how often.
        sparse: must be false.

    The call takes ``count_weights``, of the inputs' shape: what each index adds in "count" mode.

    Shapes:
        inputs ``(..., n)``, ints in [0, num_tokens) -> ``(..., num_tokens)``; for "one_hot" with ``n`` above 1 it is
        ``(..., n, num_tokens)``. Indices below 0 count nowhere.

    Raises:
        ValueError: an argument is out of range, or ``count_weights`` are given in another mode.
        RuntimeError: an index is not below ``num_tokens``.

    Source: Keras 3 ``layers/preprocessing/category_encoding.py``. For inputs of three axes and more the last one
    is the sample, as its documentation says; there it is the second.
    """

    def __init__(self, num_tokens=None, output_mode="multi_hot", sparse=False, **kwargs):
        super().__init__(**kwargs)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        check_mode(self, output_mode, sparse, ("count", "one_hot", "multi_hot"))
        self.keep(
            {"num_tokens": num_tokens, "output_mode": output_mode, "sparse": sparse},
            num_tokens=positive_int, sparse=boolean,
        )  # fmt: skip
        self.built = True

    def call(self, inputs, count_weights=None):
        dtype = dtypes.TORCH[self.compute_dtype]
        if count_weights is not None:
            if self.output_mode != "count":
                checks.fail(self, "`count_weights` in 'count' mode only", f"output_mode={self.output_mode!r}")
            count_weights = torch.as_tensor(count_weights, dtype=dtype, device=inputs.device)
        try:
            return encode(inputs, self.output_mode, self.num_tokens, dtype, count_weights)
        except RuntimeError as error:
            received = f"inputs of shape {tuple(inputs.shape)}"
            if count_weights is not None:
                received += f", count_weights of shape {tuple(count_weights.shape)}"
            raise RuntimeError(
                f"{describe(self)}: expected indices below num_tokens={self.num_tokens}, and weights that broadcast to "
                f"them. Received: {received}: {error}"
            ) from error

    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "sparse"}

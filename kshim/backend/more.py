"""K functions on values: products, statistics, checks, draws and helpers that some generation had.

Source: Keras 1.2.2, 2.3.1 and tf.keras ``backend``.
"""

import collections
import inspect

import torch

from kshim import losses, random
from kshim.backend import functions
from kshim.backend.recording import op
from kshim.core import dtypes, names, settings
from kshim.core.arrays import to_tensor
from kshim.core.variable import Variable


@op
def batch_dot(x, y, axes=None):
    """Products of the samples of two batches, summed over one axis of each.

    Args:
        x, y: tensors of 2 or more axes, the first the batch.
        axes: an int for both, a pair of ints, or None for the last of ``x`` and the last but one of ``y``.

    Returns: the axes of ``x``, then those of ``y``, without the summed ones; ``(batch, 1)`` at the least.

    Raises: ValueError for fewer axes, other batches, sizes that differ, several axes, or axis 0.
    """
    x, y = to_tensor(x), to_tensor(y)
    shapes = f"Received: shapes {tuple(x.shape)} and {tuple(y.shape)}, axes={axes}."
    if x.dim() < 2 or y.dim() < 2:
        raise ValueError(f"Can not do batch_dot on inputs with rank < 2. {shapes}")
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"Can not do batch_dot on inputs with different batch sizes. {shapes}")
    if axes is None:
        axes = (x.dim() - 1, y.dim() - 1 if y.dim() == 2 else y.dim() - 2)
    a, b = (axes, axes) if isinstance(axes, int) else axes
    if not isinstance(a, int) or not isinstance(b, int):
        raise ValueError(f"Multiple target dimensions are not supported. Expected: None, int, (int, int). {shapes}")
    a, b = a % x.dim(), b % y.dim()
    if 0 in (a, b):
        raise ValueError(f"Can not perform batch_dot over axis 0. Add a batch axis with K.expand_dims(x, 0). {shapes}")
    if x.shape[a] != y.shape[b]:
        raise ValueError(f"Can not do batch_dot on inputs: x.shape[{a}] != y.shape[{b}]. {shapes}")
    x_rest = [n for i, n in enumerate(x.shape) if i not in (0, a)]
    y_rest = [n for i, n in enumerate(y.shape) if i not in (0, b)]
    batch = x.shape[0]
    if settings.holds(until="2.0.8") and x.dim() > 3 and x.dim() == y.dim():  # a matmul: the axes between are batch
        x, y = x.movedim(a, -1), y.movedim(b, -2)
        return x @ y
    result = x.movedim(a, -1).flatten(1, -2) if x.dim() > 2 else x.unsqueeze(1)
    other = y.movedim(b, 1).flatten(2) if y.dim() > 2 else y.unsqueeze(2)
    result = (result @ other).reshape(batch, *x_rest, *y_rest)
    return result.unsqueeze(1) if result.dim() == 1 else result


@op
def cumsum(x, axis=0):
    """Sums up to each element along ``axis``."""
    return torch.cumsum(to_tensor(x), axis)


@op
def cumprod(x, axis=0):
    """Products up to each element along ``axis``."""
    return torch.cumprod(to_tensor(x), axis)


@op
def reverse(x, axes):
    """``x`` backwards along ``axes``, an int or several."""
    return torch.flip(to_tensor(x), (axes,) if isinstance(axes, int) else tuple(axes))


@op
def slice(x, start, size):
    """The block of ``size`` that begins at ``start``; a size of -1 goes to the end.

    Raises: ValueError if ``start`` and ``size`` are not one for each axis.
    """
    x = to_tensor(x)
    if len(start) != len(size) or len(size) != x.dim():
        raise ValueError(
            f"K.slice: expected a start and a size for each of {x.dim()} axes. Received: start={start}, size={size}."
        )
    for axis, (first, count) in enumerate(zip(start, size, strict=True)):
        x = x.narrow(axis, int(first), x.shape[axis] - int(first) if count == -1 else int(count))
    return x


@op
def identity(x, name=None):
    """A tensor of the same value."""
    return to_tensor(x).clone()


@op
def size(x, name=None):
    """How many numbers ``x`` holds, an int tensor."""
    return torch.tensor(to_tensor(x).numel(), dtype=torch.int32)


@op
def dropout(x, level, noise_shape=None, seed=None):
    """``x`` with a share ``level`` of its values zeroed and the others divided by ``1 - level``."""
    x = to_tensor(x)
    if not 0 <= level < 1:
        raise ValueError(f"K.dropout: expected `level` in [0, 1). Received: level={level}.")
    shape = x.shape if noise_shape is None else [
        x.shape[i] if n is None else int(n) for i, n in enumerate(noise_shape)
    ]  # fmt: skip
    if x.is_meta:
        return x * 1.0
    kept = random.uniform(tuple(shape), 0.0, 1.0, "float32", seed).to(x.device) >= level
    return torch.where(kept, x / (1 - level), torch.zeros_like(x))


@op
def in_top_k(predictions, targets, k):
    """Whether the class ``targets`` is among the ``k`` largest of ``predictions``; ties count."""
    predictions, targets = to_tensor(predictions), to_tensor(targets).long()
    own = predictions.gather(-1, targets.unsqueeze(-1))
    return ((predictions > own).sum(-1) < k) & torch.isfinite(own.squeeze(-1))


@op
def print_tensor(x, message="", summarize=3):
    """``x``; its value is printed behind ``message`` each time it is computed."""
    x = to_tensor(x)
    if not x.is_meta:
        print(message, x.detach().cpu().numpy())
    return x


@op
def binary_focal_crossentropy(target, output, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False):
    """Binary crossentropy in which easy examples weigh less; one value for each number."""
    target, output = to_tensor(target), to_tensor(output)
    target = target.to(output.dtype)
    p = torch.sigmoid(output) if from_logits else output
    right = target * p + (1 - target) * (1 - p)
    value = (1 - right) ** gamma * functions.binary_crossentropy(target, p)
    return value * (target * alpha + (1 - target) * (1 - alpha)) if apply_class_balancing else value


@op
def categorical_focal_crossentropy(target, output, alpha=0.25, gamma=2.0, from_logits=False, axis=-1):
    """``losses.categorical_focal_crossentropy``: one value for each vector along ``axis``."""
    return losses.categorical_focal_crossentropy(target, output, alpha, gamma, from_logits, axis=axis)


def random_binomial(shape, p=0.0, dtype=None, seed=None):
    """Ones with probability ``p``, else zeros."""
    draws = functions.random_uniform(shape, 0.0, 1.0, dtype, seed)
    return functions.cast(draws < p, dtypes.name_of(dtype))


def random_bernoulli(shape, p=0.0, dtype=None, seed=None):
    """``random_binomial``, as tf.keras calls it."""
    return random_binomial(shape, p, dtype, seed)


def is_sparse(tensor):
    """Whether ``tensor`` is a sparse torch tensor."""
    return isinstance(tensor, torch.Tensor) and tensor.layout is not torch.strided


def to_dense(tensor):
    """``tensor`` as a dense one."""
    return tensor.to_dense() if is_sparse(tensor) else tensor


def is_variable(x):
    """Whether ``x`` is a ``Variable``."""
    return isinstance(x, Variable)


def count_params(x):
    """How many numbers ``x`` holds, an int."""
    return to_tensor(x).numel()


def get_variable_shape(x):
    """The shape of a variable."""
    return functions.int_shape(x)


def has_arg(fn, name, accept_all=False):
    """Whether ``fn`` takes an argument ``name``; ``accept_all`` counts ``**kwargs``, too."""
    parameters = inspect.signature(fn).parameters
    if name in parameters:
        return parameters[name].kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return accept_all and any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def normalize_axis(axis, ndim):
    """``axis`` (an int, or several) counted from 0."""
    if isinstance(axis, (tuple, list)):
        return type(axis)(None if a is None else a % ndim for a in axis)
    return None if axis is None else axis % ndim


def get_uid(prefix=""):
    """The next number of names that begin with ``prefix``, from 1."""
    _uids[prefix] += 1
    return _uids[prefix]


_uids: collections.Counter = collections.Counter()


def reset_uids():
    """Names and numbers begin anew."""
    _uids.clear()
    names.reset()


def legacy_weight_ordering():
    """Whether ``set_legacy_weight_ordering`` asked for the order of Keras 1.0: it is kept for scripts that ask."""
    return _Ordering.legacy


def set_legacy_weight_ordering(value):
    """Must be False: kshim's files tell their order.

    Raises: ValueError for True or no bool.
    """
    if value is not False:
        raise ValueError(f"set_legacy_weight_ordering: expected False. Received: {value!r}. Load by file instead.")


class _Ordering:
    legacy = False


def is_float_dtype(dtype):
    """Whether a dtype holds floats."""
    return dtypes.to_torch(dtype).is_floating_point


def is_int_dtype(dtype):
    """Whether a dtype holds ints (bool does not)."""
    kind = dtypes.to_torch(dtype)
    return not kind.is_floating_point and not kind.is_complex and kind is not torch.bool


def standardize_dtype(dtype):
    """The dtype's name; None means ``floatx()``."""
    return dtypes.name_of(dtype)

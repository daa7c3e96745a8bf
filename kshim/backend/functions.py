"""The functions of ``keras.backend`` that are more than another name.

``x`` is a numpy array, a torch tensor, a symbolic tensor, or a list of numbers. ``axis`` is an int, a tuple of ints or
None for all axes. Source: Keras 2.3.1 ``backend/tensorflow_backend.py``, Keras 3 ``legacy/backend.py``.
"""

import builtins
import contextlib
import gc

import numpy as np
import torch
from torch.nn import functional as F

from kshim import activations, constraints, losses, random
from kshim.backend import graph
from kshim.backend.recording import op
from kshim.core import arrays, dtypes, names, settings
from kshim.core.arrays import to_tensor
from kshim.core.variable import Variable
from kshim.graph import infer, node
from kshim.graph.keras_tensor import KerasTensor

# -- settings ----------------------------------------------------------------------------------------------------


def backend():
    """``"torch"``; in older dialects the backend whose numbers they have, ``"tensorflow"`` (0.3.3: ``"theano"``)."""
    if settings.holds(until="0.3.3"):
        return "theano"
    return "tensorflow" if settings.holds(until="tf.keras") else "torch"


def image_dim_ordering():
    """``"tf"`` for channels_last, ``"th"`` for channels_first: Keras 1's name of ``image_data_format``."""
    return "tf" if settings.image_data_format() == "channels_last" else "th"


def set_image_dim_ordering(dim_ordering):
    """Set the image layout by Keras 1's name, ``"tf"`` or ``"th"``.

    Raises: ValueError for another.
    """
    formats = {"tf": "channels_last", "th": "channels_first"}
    if dim_ordering not in formats:
        raise ValueError(f"Unknown dim_ordering: expected one of {tuple(formats)}. Received: {dim_ordering!r}")
    settings.set_image_data_format(formats[dim_ordering])


def clear_session(free_memory=True):
    """Start the automatic names anew; there is no other global state to clear.

    Args:
        free_memory: whether objects that only refer to each other are collected now.
    """
    names.reset()
    graph.forget()
    if free_memory:
        gc.collect()


# -- tensors and values ------------------------------------------------------------------------------------------


def variable(value, dtype=None, name=None, constraint=None):
    """A ``Variable`` with ``value``; ``constraint`` is applied to it after each update."""
    if isinstance(value, KerasTensor):
        raise TypeError(f"K.variable: expected a value. Received: {value}, which is symbolic.")
    tensor = torch.as_tensor(arrays.to_numpy(value), dtype=dtypes.to_torch(dtype or settings.floatx()))
    made = Variable(tensor.detach().clone(), name=name or names.unique("variable"))
    made.constraint = constraints.get(constraint)
    return made


def constant(value, dtype=None, shape=None, name=None):
    """A tensor with ``value``, spread over ``shape`` where given. ``name`` is Keras' and names nothing here."""
    tensor = torch.as_tensor(arrays.to_numpy(value), dtype=_float_or(dtype, value))
    if shape is None:
        return tensor
    return tensor.expand(shape) if tensor.numel() == 1 else tensor.reshape(shape)


def zeros(shape, dtype=None, name=None):
    """A ``Variable`` of zeros."""
    return variable(np.zeros(shape), dtype or settings.floatx(), name)


def ones(shape, dtype=None, name=None):
    """A ``Variable`` of ones."""
    return variable(np.ones(shape), dtype or settings.floatx(), name)


def eye(size, dtype=None, name=None):
    """A ``Variable`` with an identity matrix; ``size`` is an int or a pair."""
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    return variable(np.eye(rows, columns), dtype or settings.floatx(), name)


@op
def zeros_like(x, dtype=None, name=None):
    """Zeros of ``x``'s shape."""
    return torch.zeros_like(to_tensor(x), dtype=_kept_dtype(dtype))


@op
def ones_like(x, dtype=None, name=None):
    """Ones of ``x``'s shape."""
    return torch.ones_like(to_tensor(x), dtype=_kept_dtype(dtype))


def get_value(x):
    """The value of a variable or tensor as a numpy array (a number for a scalar)."""
    if isinstance(x, KerasTensor):
        if settings.holds(until="2.3.1"):
            return graph.eval(x)
        raise TypeError(f"K.get_value: expected a tensor with a value. Received: {x}, which is symbolic.")
    return arrays.to_numpy(x).copy()[()]


def set_value(x, value):
    """Write ``value`` into the variable ``x``."""
    if not hasattr(x, "assign"):
        raise TypeError(f"K.set_value: expected a variable. Received: {x!r}")
    x.assign(value)


def batch_get_value(tensors):
    """The values of a list of variables."""
    return [get_value(x) for x in tensors]


def batch_set_value(tuples):
    """Write values into variables: a list of pairs ``(variable, value)``."""
    for x, value in tuples:
        set_value(x, value)


def is_keras_tensor(x):
    """Whether ``x`` is a symbolic tensor that a layer, an Input or an op on one gave.

    Raises: ValueError if ``x`` is no tensor at all.
    """
    if isinstance(x, KerasTensor):
        return True
    if isinstance(x, torch.Tensor):
        return False
    raise ValueError(f"Unexpectedly found an instance of type `{type(x)}`. Expected a symbolic tensor instance.")


def is_tensor(x):
    """Whether ``x`` is a tensor, symbolic or not."""
    return isinstance(x, (torch.Tensor, KerasTensor))


def shape(x):
    """The shape as a tuple; of a symbolic tensor a symbolic tensor of ints."""
    x = to_tensor(x)
    if isinstance(x, KerasTensor):
        return node.apply(_shape_of, (x,), {}, infer.Spec((len(x.shape),), "int32"))
    return tuple(x.shape)


def _shape_of(x):
    return torch.tensor(x.shape, dtype=torch.int32)


def int_shape(x):
    """The shape as a tuple of ints, None for an axis that is not known."""
    return tuple(to_tensor(x).shape)


def ndim(x):
    """The number of axes."""
    return len(to_tensor(x).shape)


def dtype(x):
    """The dtype's name."""
    return dtypes.name_of(to_tensor(x).dtype)


@op
def cast(x, dtype):
    """``x`` in another dtype, given by name."""
    return to_tensor(x).to(dtypes.to_torch(dtype))


def cast_to_floatx(x):
    """``x`` in the default float type: a numpy array stays one."""
    if isinstance(x, (torch.Tensor, KerasTensor)):
        return cast(x, settings.floatx())
    return np.asarray(x, dtype=settings.floatx())


# -- reductions --------------------------------------------------------------------------------------------------


@op
def mean(x, axis=None, keepdims=False):
    """Mean over ``axis``; ints and bools count as floats."""
    return torch.mean(_floating(x), _axes(axis), keepdims)


@op
def sum(x, axis=None, keepdims=False):
    """Sum over ``axis``, in the dtype of ``x``; bools are counted."""
    x = to_tensor(x)
    return torch.sum(x, _axes(axis), keepdims, dtype=None if x.dtype is torch.bool else x.dtype)


@op
def prod(x, axis=None, keepdims=False):
    """Product over ``axis``."""
    x = to_tensor(x)
    for one in sorted(_all_axes(axis, x), reverse=True):
        x = torch.prod(x, one, keepdim=keepdims, dtype=None if x.dtype is torch.bool else x.dtype)
    return x


@op
def max(x, axis=None, keepdims=False):
    """Largest value over ``axis``."""
    x = to_tensor(x)
    return torch.amax(x, _all_axes(axis, x), keepdims)


@op
def min(x, axis=None, keepdims=False):
    """Smallest value over ``axis``."""
    x = to_tensor(x)
    return torch.amin(x, _all_axes(axis, x), keepdims)


@op
def var(x, axis=None, keepdims=False):
    """Variance over ``axis``, divided by n."""
    return torch.var(_floating(x), _axes(axis), correction=0, keepdim=keepdims)


@op
def std(x, axis=None, keepdims=False):
    """Standard deviation over ``axis``, divided by n."""
    return torch.std(_floating(x), _axes(axis), correction=0, keepdim=keepdims)


@op
def any(x, axis=None, keepdims=False):
    """Whether any value is not 0, over ``axis``."""
    x = to_tensor(x)
    return torch.any(x.bool(), _all_axes(axis, x), keepdims)


@op
def all(x, axis=None, keepdims=False):
    """Whether all values are not 0, over ``axis``."""
    x = to_tensor(x)
    return torch.all(x.bool(), _all_axes(axis, x), keepdims)


@op
def argmax(x, axis=-1):
    """Index of the largest value along ``axis``."""
    return torch.argmax(to_tensor(x), axis)


@op
def argmin(x, axis=-1):
    """Index of the smallest value along ``axis``."""
    return torch.argmin(to_tensor(x), axis)


@op
def logsumexp(x, axis=None, keepdims=False):
    """``log(sum(exp(x)))`` over ``axis``, stable."""
    x = to_tensor(x)
    return torch.logsumexp(x, _all_axes(axis, x), keepdims)


# -- elementwise -------------------------------------------------------------------------------------------------


@op
def pow(x, a):
    """``x ** a``."""
    return torch.pow(to_tensor(x), a)


@op
def clip(x, min_value, max_value):
    """``x`` within ``[min_value, max_value]``; None leaves a side open."""
    if min_value is not None and max_value is not None and not _is_tensor_like(min_value, max_value):
        max_value = min_value if max_value < min_value else max_value
    return torch.clamp(to_tensor(x), min_value, max_value)


@op
def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """``activations.relu``, whose slope is called ``alpha`` here."""
    return activations.relu(x, alpha, max_value, threshold)


@op
def elu(x, alpha=1.0):
    """``activations.elu``."""
    return activations.elu(x, alpha)


@op
def sigmoid(x):
    """``1 / (1 + exp(-x))``."""
    return torch.sigmoid(to_tensor(x))


@op
def hard_sigmoid(x):
    """``activations.hard_sigmoid``, of the dialect."""
    return activations.hard_sigmoid(x)


@op
def softmax(x, axis=-1):
    """``exp(x) / sum(exp(x))`` over ``axis``."""
    return torch.softmax(to_tensor(x), axis)


@op
def softplus(x):
    """``log(exp(x) + 1)``."""
    return F.softplus(to_tensor(x))


@op
def softsign(x):
    """``x / (abs(x) + 1)``."""
    return F.softsign(to_tensor(x))


@op
def l2_normalize(x, axis=None):
    """``x`` divided by its L2 norm over ``axis``; a zero vector stays zero."""
    x = to_tensor(x)
    squares = torch.sum(torch.square(x), _all_axes(axis, x), keepdim=True)
    return x * torch.rsqrt(torch.clamp(squares, min=1e-12))


@op
def stop_gradient(variables):
    """The same value, through which no gradient flows; of a list, each."""
    if isinstance(variables, (list, tuple)):
        return [to_tensor(x).detach() for x in variables]
    return to_tensor(variables).detach()


# -- crossentropies ----------------------------------------------------------------------------------------------


@op
def binary_crossentropy(target, output, from_logits=False):
    """Crossentropy of each value; ``output`` are probabilities (clipped by ``epsilon()``) or logits."""
    target, output = to_tensor(target), to_tensor(output)
    target = target.to(output.dtype)
    if from_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    output = torch.clamp(output, settings.epsilon(), 1 - settings.epsilon())
    return -(target * torch.log(output) + (1 - target) * torch.log(1 - output))


@op
def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """``losses.categorical_crossentropy``: one value for each vector along ``axis``."""
    return losses.categorical_crossentropy(target, output, from_logits, axis=axis)


@op
def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1, ignore_class=None):
    """``losses.sparse_categorical_crossentropy``: ``target`` holds class indices."""
    if ignore_class is not None:
        target = to_tensor(target)
        kept = target != ignore_class
        values = sparse_categorical_crossentropy(torch.where(kept, target, 0), output, from_logits, axis)
        return torch.where(kept, values, 0.0)
    return losses.sparse_categorical_crossentropy(target, output, from_logits, axis=axis)


# -- shapes ------------------------------------------------------------------------------------------------------


@op
def dot(x, y):
    """Last axis of ``x`` times the last but one of ``y``; with two matrices their product.

    Raises: ValueError if those sizes differ.
    """
    x, y = to_tensor(x), to_tensor(y)
    if x.dim() and y.dim() and x.shape[-1] != y.shape[builtins.max(y.dim() - 2, 0)]:
        raise ValueError(
            f"K.dot: expected the last axis of `x` and the last but one of `y` to be equal. "
            f"Received: shapes {tuple(x.shape)} and {tuple(y.shape)}."
        )
    if x.dim() <= 2 and y.dim() <= 2:
        return torch.matmul(x, y)
    return torch.tensordot(x, y, ([x.dim() - 1], [builtins.max(y.dim() - 2, 0)]))


@op
def transpose(x):
    """The axes in reverse order."""
    x = to_tensor(x)
    return x.permute(*reversed(range(x.dim())))


@op
def permute_dimensions(x, pattern):
    """The axes in the order ``pattern``."""
    return to_tensor(x).permute(*pattern)


@op
def concatenate(tensors, axis=-1):
    """Tensors side by side along ``axis``."""
    return torch.cat([to_tensor(x) for x in tensors], axis)


@op
def stack(x, axis=0):
    """Tensors of one shape along a new ``axis``."""
    return torch.stack([to_tensor(item) for item in x], axis)


@op
def reshape(x, shape):
    """``x`` in another shape; one axis may be -1. A None is the axis that was None before."""
    x = to_tensor(x)
    return torch.reshape(x, [x.shape[i] if size is None else size for i, size in enumerate(shape)])


@op
def flatten(x):
    """All axes in one."""
    return torch.reshape(to_tensor(x), (-1,))


@op
def batch_flatten(x):
    """All axes but the first in one."""
    return torch.flatten(to_tensor(x), 1)


@op
def expand_dims(x, axis=-1):
    """``x`` with a new axis of size 1."""
    return torch.unsqueeze(to_tensor(x), axis)


@op
def squeeze(x, axis):
    """``x`` without the axis of size 1; ValueError if it is larger."""
    x = to_tensor(x)
    if x.shape[axis] != 1:
        raise ValueError(f"K.squeeze: expected size 1 on axis {axis}. Received: shape {tuple(x.shape)}.")
    return torch.squeeze(x, axis)


@op
def repeat(x, n):
    """A matrix ``(batch, features)`` repeated to ``(batch, n, features)``."""
    x = to_tensor(x)
    if x.dim() != 2:
        raise ValueError(f"K.repeat: expected a matrix. Received: shape {tuple(x.shape)}.")
    return torch.unsqueeze(x, 1).expand(-1, n, -1)


@op
def repeat_elements(x, rep, axis):
    """Each element repeated ``rep`` times along ``axis``."""
    return torch.repeat_interleave(to_tensor(x), rep, axis)


@op
def tile(x, n):
    """``x`` repeated ``n`` times: an int or one number for each axis."""
    return torch.tile(to_tensor(x), tuple(n) if isinstance(n, (tuple, list)) else (n,))


@op
def gather(reference, indices):
    """The rows of ``reference`` at ``indices``."""
    return to_tensor(reference)[to_tensor(indices).long()]


@op
def one_hot(indices, num_classes):
    """One-hot rows in the default float type."""
    return F.one_hot(to_tensor(indices).long(), num_classes).to(dtypes.to_torch(None))


def arange(start, stop=None, step=1, dtype="int32"):
    """The numbers from ``start`` (or 0) up to ``stop``; none if ``start`` alone is negative."""
    start, stop = (0, builtins.max(start, 0)) if stop is None else (start, stop)
    return torch.arange(start, stop, step, dtype=dtypes.to_torch(dtype))


# -- control, random ---------------------------------------------------------------------------------------------


def switch(condition, then_expression, else_expression):
    """One of two values; both may be functions without arguments, of which for a scalar condition only one is called.

    A condition with axes chooses elementwise; its axes are the first ones of the values'.
    """
    known = not isinstance(condition, KerasTensor) and not (
        isinstance(condition, torch.Tensor) and (condition.device.type == "meta" or condition.dim() > 0)
    )
    if known and np.ndim(condition) == 0:
        chosen = then_expression if bool(condition) else else_expression
        return chosen() if callable(chosen) else chosen
    values = [value() if callable(value) else value for value in (then_expression, else_expression)]
    return _where(condition, *values)


@op
def _where(condition, then_value, else_value):
    condition, then_value, else_value = to_tensor(condition), to_tensor(then_value), to_tensor(else_value)
    rank = builtins.max(then_value.dim(), else_value.dim())
    if condition.dim():
        condition = condition.reshape(*condition.shape, *([1] * (rank - condition.dim())))
    return torch.where(condition.bool(), then_value, else_value)


def random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Draws from the normal distribution."""
    return _draw(random.normal, shape, mean, stddev, dtype, seed)


def random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Draws from the uniform distribution over ``[minval, maxval)``."""
    return _draw(random.uniform, shape, minval, maxval, dtype, seed)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Draws from the normal distribution, within two standard deviations."""
    return _draw(random.truncated_normal, shape, mean, stddev, dtype, seed)


def random_normal_variable(shape, mean, scale, dtype=None, name=None, seed=None):
    """A ``Variable`` drawn from the normal distribution."""
    return variable(random.normal(shape, mean, scale, dtype, seed), dtype, name)


def random_uniform_variable(shape, low, high, dtype=None, name=None, seed=None):
    """A ``Variable`` drawn from the uniform distribution."""
    return variable(random.uniform(shape, low, high, dtype, seed), dtype, name)


@contextlib.contextmanager
def name_scope(name):
    """A block whose name means nothing here."""
    yield name


def _draw(function, shape, first, second, dtype, seed):
    if isinstance(shape, KerasTensor) or builtins.any(isinstance(size, KerasTensor) for size in shape):
        sizes = shape if not isinstance(shape, KerasTensor) else (None,) * shape.shape[0]
        spec = infer.Spec(tuple(None if isinstance(s, KerasTensor) else s for s in sizes), dtypes.name_of(dtype))
        return node.apply(_draw, (function, shape, first, second, dtype, seed), {}, spec)
    if builtins.any(size is None for size in shape):
        raise ValueError(
            f"K.{function.__name__}: expected a shape of known sizes. Received: shape={tuple(shape)}. "
            "Draw within a Lambda layer, where the batch size is known."
        )
    if graph.recording.graph_era():  # a graph draws anew at each run
        sizes = tuple(int(size) for size in shape)
        spec = infer.Spec(sizes, dtypes.name_of(dtype))
        return node.apply(_draw, (function, sizes, first, second, dtype, seed), {}, spec)
    return function(tuple(int(size) for size in shape), first, second, dtype, seed)


# -- helpers -----------------------------------------------------------------------------------------------------


def _axes(axis):
    return tuple(axis) if isinstance(axis, (tuple, list)) else axis


def _all_axes(axis, x):
    """``axis`` as a tuple of axes from 0."""
    if axis is None:
        return tuple(range(x.dim()))
    return tuple(one % x.dim() for one in (axis if isinstance(axis, (tuple, list)) else (axis,)))


def _floating(x):
    x = to_tensor(x)
    return x if x.is_floating_point() or x.is_complex() else x.to(dtypes.to_torch(None))


def _kept_dtype(dtype):
    """The torch dtype that is asked for; None keeps that of the tensor, in 2.3.1 it stands for the default float."""
    if dtype is None and settings.holds(since="2.3.1", until="2.3.1"):
        dtype = settings.floatx()
    return None if dtype is None else dtypes.to_torch(dtype)


def _float_or(dtype, value):
    """The torch dtype that is asked for, or the default float type, as in Keras (floats keep their own)."""
    if dtype is None:
        given = getattr(value, "dtype", None)
        dtype = given if given is not None else settings.floatx()
    return dtypes.to_torch(dtype)


def _is_tensor_like(*values):
    return builtins.any(isinstance(value, (torch.Tensor, np.ndarray)) for value in values)

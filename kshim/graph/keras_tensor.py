"""``KerasTensor``: a tensor's shape and dtype, standing in a graph.

It is no ``torch.Tensor`` but answers ``__torch_function__``: any torch function or operator applied to
one is recorded as a node (``graph.node.record``) and gives the next ``KerasTensor``.
"""

from collections.abc import Callable
from typing import Any

import torch

from kshim.core import dtypes, names

# Sizes that stand for an axis that is not known; two, so that it shows which axes of a result depend on it.
SIZES = (83, 89)


class _Graph:
    """Where calls on symbolic tensors are recorded; ``kshim.graph.node`` fills it in."""

    record: Callable
    inside_module: Callable


def concrete(shape, size=SIZES[0]):
    """``shape`` with ``size`` for each axis that is not known."""
    return torch.Size([size if axis is None else axis for axis in shape])


class KerasTensor:
    """A symbolic tensor.

    Args:
        shape: tuple of ints, None where an axis is not known (the batch).
        dtype: a dtype in any of Keras' or torch's forms; None means ``floatx()``.
        name: None gives ``keras_tensor``, ``keras_tensor_1``, ...
    """

    _keras_mask = None

    def __init__(self, shape, dtype=None, name=None):
        self._shape = tuple(shape)
        self._dtype = dtypes.name_of(dtype)
        self.name = name or names.unique("keras_tensor")
        self.node: Any = None  # the node that made it, set by the node
        self.index = 0  # which of the node's outputs it is

    @property
    def shape(self):
        """The shape, None where an axis is not known; inside a plain module's ``forward`` a stand-in number."""
        if None in self._shape and _Graph.inside_module():
            return concrete(self._shape)
        return self._shape

    @property
    def dtype(self):
        """The dtype's name as Keras has it; inside a plain module's ``forward`` the torch dtype."""
        return dtypes.TORCH[self._dtype] if _Graph.inside_module() else self._dtype

    @property
    def device(self):
        """``meta``: a symbolic tensor has no values."""
        return torch.device("meta")

    @property
    def ndim(self):
        """Number of axes."""
        return len(self.shape)

    def dim(self):
        """Number of axes, in torch's spelling."""
        return len(self.shape)

    def size(self, dim=None):
        """The shape, or one axis of it; None where not known."""
        return self.shape if dim is None else self.shape[dim]

    @property
    def _keras_history(self):
        """``(operation, node index, tensor index)``, as Keras gives it."""
        operation = self.node.operation
        index = getattr(operation, "_inbound_nodes", [self.node]).index(self.node)
        return operation, index, self.index

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return _Graph.record(function, args, kwargs or {})

    def __getattr__(self, name):
        # Tensor methods (x.view, x.mean, ...) are recorded as the function torch.Tensor.<name>.
        method = getattr(torch.Tensor, name, None)
        if name.startswith("_") or not callable(method):
            raise AttributeError(f"'KerasTensor' object has no attribute {name!r}")
        return lambda *args, **kwargs: _Graph.record(method, (self, *args), kwargs)

    @property
    def T(self):
        """The transpose of a matrix."""
        return _Graph.record(torch.Tensor.t, (self,), {})

    def __getitem__(self, key):
        return _Graph.record(torch.Tensor.__getitem__, (self, key), {})

    def __array__(self, dtype=None, copy=None):
        raise ValueError(
            f"A KerasTensor is symbolic: it has no values for numpy. Received: {self!r}. Use torch functions, "
            "kshim.ops or K.* on it, or a Lambda layer."
        )

    def __bool__(self):
        raise TypeError(f"A KerasTensor is symbolic and has no truth value. Received: {self!r}.")

    def __iter__(self):
        raise NotImplementedError(f"A KerasTensor is symbolic and can't be iterated over. Received: {self!r}.")

    def __float__(self):
        raise ValueError(f"A KerasTensor is symbolic and has no value. Received: {self!r}.")

    __int__ = __float__

    def __round__(self, ndigits=None):
        return _Graph.record(torch.round, (self,), {"decimals": ndigits or 0})

    def __repr__(self):
        return f"<KerasTensor shape={self._shape}, dtype={self._dtype}, sparse=False, ragged=False, name={self.name}>"


def _operator(function):
    def method(self, *others):
        return _Graph.record(function, (self, *others), {})

    return method


_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor")
_COMPARE = ("lt", "le", "gt", "ge", "eq", "ne")
_UNARY = ("neg", "abs", "invert", "pos")

for _name in [f"__{n}__" for n in _BINARY + _COMPARE + _UNARY] + [f"__r{n}__" for n in _BINARY]:
    setattr(KerasTensor, _name, _operator(getattr(torch.Tensor, _name)))
KerasTensor.__hash__ = object.__hash__  # type: ignore[method-assign] # __eq__ is elementwise, as on tensors


def is_symbolic(value):
    """Whether ``value`` is a ``KerasTensor``."""
    return isinstance(value, KerasTensor)

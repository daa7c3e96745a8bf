"""``Variable``: an ``nn.Parameter`` with the methods of Keras' variables."""

from typing import Any

import numpy as np
import torch

from kshim.core import arrays, dtypes
from kshim.core.configurable import RESOLVERS


class Variable(torch.nn.Parameter):
    """A weight. Torch sees a parameter; Keras' ``assign``, ``numpy``, ``value``, ``path`` are methods on top.

    ``__torch_function__`` is disabled as on ``nn.Parameter``, so using one in a torch call costs nothing extra.
    Its ``dtype`` is torch's and its ``shape`` a ``torch.Size``, which equals a tuple.

    Args:
        initializer: the value (tensor, array, number), or a name or callable ``(shape, dtype=...)`` that makes it.
        shape: where ``initializer`` makes the value, its shape.
        dtype: dtype name; None means the value's own, or ``floatx()`` for numbers and for what is made.
        trainable: whether it takes a gradient.
        autocast, aggregation, synchronization, layout: accepted as in Keras; torch's autocast and torch.distributed
            do what they ask for.
        name: its name within the layer, ``"kernel"``; None means ``"variable"``.

    Raises: ValueError if a shape is needed and not given.
    """

    _name: str
    _path: str
    regularizer: Any
    constraint: Any

    def __new__(cls, initializer, shape=None, dtype=None, trainable=True, autocast=True, aggregation=None,
                synchronization="auto", name=None, layout=None):  # fmt: skip
        data = _initial_value(initializer, shape, dtype)
        self = super().__new__(cls, data, requires_grad=trainable and data.is_floating_point())
        self._name = self._path = name or "variable"
        self.regularizer = self.constraint = None
        return self

    @property
    def name(self):
        """Its name within the layer."""
        return self._name

    @property
    def path(self):
        """Layer names and its own, joined by slashes."""
        return self._path

    @property
    def trainable(self):
        """Whether it takes a gradient."""
        return self.requires_grad

    @trainable.setter
    def trainable(self, value):
        self.requires_grad_(bool(value))

    @property
    def value(self):
        """The tensor itself."""
        return self

    def numpy(self):  # type: ignore[override] # Keras' has no `force`: it always copies from the device
        """A copy as a numpy array."""
        return arrays.to_numpy(self).copy()

    def assign(self, value):
        """Write ``value`` (anything array-like of this shape) in place; returns the variable.

        Raises: ValueError if the shapes differ.
        """
        value = torch.as_tensor(value, dtype=self.dtype)
        if value.shape != self.shape:
            raise ValueError(
                f"Variable {self.path!r}: expected a value of shape {tuple(self.shape)}. "
                f"Received: shape {tuple(value.shape)}."
            )
        self.data.copy_(value)
        return self

    def assign_add(self, value):
        """Add ``value`` in place; returns the variable."""
        self.data.add_(torch.as_tensor(value, dtype=self.dtype, device=self.device))
        return self

    def assign_sub(self, value):
        """Subtract ``value`` in place; returns the variable."""
        self.data.sub_(torch.as_tensor(value, dtype=self.dtype, device=self.device))
        return self

    def __array__(self, dtype=None, copy=None):
        return self.numpy().astype(dtype, copy=False) if dtype is not None else self.numpy()

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = self._like(self.data.clone())
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        # The data may be a view into an optimizer's flat buffer: store this weight's own part alone.
        return _rebuild, (self.data.clone(), dict(self.__dict__), self.requires_grad)

    def __repr__(self):  # type: ignore[override] # torch's takes `tensor_contents`, for its own use
        return f"<Variable path={self.path}, shape={tuple(self.shape)}, dtype={self.dtype}, value={self.data}>"

    def _like(self, data):
        return _rebuild(data, dict(self.__dict__), self.requires_grad)


def _initial_value(initializer, shape, dtype):
    """The tensor that a new variable holds."""
    if isinstance(initializer, torch.Tensor):
        return initializer if dtype is None else initializer.to(dtypes.to_torch(dtype))
    if isinstance(initializer, str) or callable(initializer):
        if shape is None:
            raise ValueError(f"Variable: expected a shape. Received: initializer={initializer!r}, shape=None.")
        make = RESOLVERS["_initializer"](initializer)
        return torch.as_tensor(make(tuple(shape), dtype=dtypes.name_of(dtype)), dtype=dtypes.to_torch(dtype))
    array = np.array(initializer)
    own = array.dtype.name if hasattr(initializer, "dtype") or array.dtype.kind != "f" else None
    return torch.as_tensor(array, dtype=dtypes.to_torch(dtype or own))


def _rebuild(data, attributes, trainable):
    variable = Variable(data, trainable=trainable)
    variable.__dict__.update(attributes)
    return variable

"""What a row of a layer is, and what rows are made of."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from cases import counting


class Case(NamedTuple):
    """One layer with its options.

    Args:
        make: ``make(k, **more)`` gives a fresh layer of ``k``.
        shapes: shapes of its inputs, with the batch axis.
        weights: how many arrays ``get_weights()`` gives.
        inputs: makes the arrays where counting numbers do not do; ints and strings stay what they are.
        call: keyword arguments of each call, as ``{"training": True}``; arrays in it become tensors.
        gradient: False where no gradient reaches the inputs or weights (ints out, rounding).
        random: draws without a seed, so that two runs differ: values are not compared, shapes and the rest are.
        skip: name of a test -> why that property is not one of this row.
        rel: how far values may be off, relative to the largest one.
    """

    name: str
    make: Callable
    shapes: list
    weights: int = 0
    inputs: Callable | None = None
    call: Mapping[str, Any] = {}
    gradient: bool = True
    random: bool = False
    skip: Mapping[str, str] = {}
    rel: float = 1e-5

    def arrays(self, dtype="float32"):
        """The inputs as arrays; floating point ones in ``dtype``."""
        if self.inputs is not None:
            return [x.astype(dtype) if x.dtype.kind == "f" else x for x in self.inputs()]
        return [counting(shape, (-1) ** i * (i + 2), dtype) for i, shape in enumerate(self.shapes)]


class Refused(NamedTuple):
    """A call that raises.

    Args:
        call: ``call(k)``, with ``k`` kshim or the real Keras.
        error: what kshim raises.
        match: a regular expression that its message holds: the layer, what was expected, ``Received``.
        keras: what the real Keras raises: "the same", another class, or None where it takes the call.
        why: why Keras' is another one.
    """

    name: str
    call: Callable
    error: type
    match: str
    keras: Any = "the same"
    why: str = ""


def layer(name, *args, **kwargs):
    """``make`` for a layer that both packages spell alike."""
    return lambda k, **more: getattr(k.layers, name)(*args, **kwargs, **more)


def one_or_list(items):
    """What a layer is called on: the tensor alone, or the list of several."""
    return items[0] if len(items) == 1 else items


def counted(owner):
    """Counting numbers for each weight of a layer or model, scaled to the usual size of a kernel; variances above 0."""

    def value(weight, old):
        if old.dtype.kind != "f":
            return old
        return counting(old.shape, 0.5) + 0.75 if "variance" in weight.name else counting(old.shape, 2)

    return [value(weight, old) for weight, old in zip(owner.weights, owner.get_weights(), strict=True)]


def as_tensors(arrays, grad=False):
    """Tensors of numeric arrays; strings stay arrays."""
    return [
        torch.tensor(x, requires_grad=grad and x.dtype.kind == "f") if x.dtype.kind in "fiub" else x for x in arrays
    ]

"""``keras.initializations`` of Keras 0.3 and 1: functions of a shape that give a variable.

``dim_ordering`` tells where a kernel of 4 or 5 axes has its inputs and outputs: ``"th"`` at the first two axes,
outputs first; ``"tf"`` at the last two, inputs first. ``name`` is the variable's.

Source: Keras 1.2.2 ``initializations.py``.
"""

import functools
import math

from kshim import backend, initializers
from kshim.core import checks


def get_fans(shape, dim_ordering="th"):
    """Numbers of inputs and outputs of a weight; of 1 or 3 axes, the root of its size twice."""
    if len(shape) == 2:
        return tuple(shape)
    if len(shape) not in (4, 5):
        return (math.sqrt(math.prod(shape)),) * 2
    if dim_ordering == "th":
        field = math.prod(shape[2:])
        return shape[1] * field, shape[0] * field
    if dim_ordering == "tf":
        field = math.prod(shape[:2])
        return shape[-2] * field, shape[-1] * field
    raise ValueError(f"get_fans: expected `dim_ordering` to be 'th' or 'tf'. Received: {dim_ordering!r}.")


def uniform(shape, scale=0.05, name=None, dim_ordering="th"):
    """Uniform in ``[-scale, scale)``."""
    return backend.variable(initializers.RandomUniform(-scale, scale)(shape), name=name)


def normal(shape, scale=0.05, name=None, dim_ordering="th"):
    """Normal of mean 0 and standard deviation ``scale``."""
    return backend.variable(initializers.RandomNormal(0.0, scale)(shape), name=name)


def lecun_uniform(shape, name=None, dim_ordering="th"):
    """Uniform within ``sqrt(3 / fan_in)``."""
    return uniform(shape, math.sqrt(3 / get_fans(shape, dim_ordering)[0]), name)


def glorot_uniform(shape, name=None, dim_ordering="th"):
    """Uniform within ``sqrt(6 / (fan_in + fan_out))``."""
    return uniform(shape, math.sqrt(6 / sum(get_fans(shape, dim_ordering))), name)


def glorot_normal(shape, name=None, dim_ordering="th"):
    """Normal of standard deviation ``sqrt(2 / (fan_in + fan_out))``."""
    return normal(shape, math.sqrt(2 / sum(get_fans(shape, dim_ordering))), name)


def he_uniform(shape, name=None, dim_ordering="th"):
    """Uniform within ``sqrt(6 / fan_in)``."""
    return uniform(shape, math.sqrt(6 / get_fans(shape, dim_ordering)[0]), name)


def he_normal(shape, name=None, dim_ordering="th"):
    """Normal of standard deviation ``sqrt(2 / fan_in)``."""
    return normal(shape, math.sqrt(2 / get_fans(shape, dim_ordering)[0]), name)


def orthogonal(shape, scale=1.1, name=None, dim_ordering="th"):
    """``scale`` times an orthogonal matrix ``(shape[0], rest)``."""
    matrix = initializers.Orthogonal(scale)((shape[0], math.prod(shape[1:])))
    return backend.variable(matrix.reshape(tuple(shape)), name=name)


def identity(shape, scale=1, name=None, dim_ordering="th"):
    """``scale`` on the diagonal of a square matrix."""
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ValueError(f"identity: expected the shape of a square matrix. Received: {tuple(shape)}.")
    return backend.variable(initializers.Identity(scale)(shape), name=name)


def zero(shape, name=None, dim_ordering="th"):
    """Zeros."""
    return backend.zeros(shape, name=name)


def one(shape, name=None, dim_ordering="th"):
    """Ones."""
    return backend.ones(shape, name=name)


FUNCTIONS = {
    function.__name__: function
    for function in (uniform, normal, lecun_uniform, glorot_uniform, glorot_normal, he_uniform, he_normal, orthogonal,
                     identity, zero, one)
}  # fmt: skip


def get(identifier, **kwargs):
    """The function of that name, or the callable as it is; ``kwargs`` are given to each of its calls.

    Raises: ValueError for an unknown name.
    """
    if isinstance(identifier, dict):
        identifier = identifier.get("name")
    function = FUNCTIONS.get(identifier) if isinstance(identifier, str) else identifier
    if not callable(function):
        near = checks.nearest(identifier, FUNCTIONS) if isinstance(identifier, str) else ""
        raise ValueError(
            f"Unknown initialization: expected one of {sorted(FUNCTIONS)} or a function. "
            f"Received: {identifier!r}.{near}"
        )
    return functools.partial(function, **kwargs) if kwargs else function

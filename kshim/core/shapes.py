"""Shapes: tuples of sizes, None where one is not known; and structures of them."""

from kshim.core import checks


def is_shape(value):
    """Whether ``value`` is one shape: a tuple or list of ints and None."""
    return isinstance(value, (list, tuple)) and all(axis is None or checks.as_int(axis) is not None for axis in value)


def map_shapes(function, shapes):
    """``function`` applied to each shape in a structure of shapes."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, shape) for key, shape in shapes.items()}
    return type(shapes)(map_shapes(function, shape) for shape in shapes)


def same_padding(size, window, stride):
    """How many zeros ``same`` puts before and after ``size`` numbers.

    TensorFlow's rule: ``ceil(size / stride)`` windows, and the odd zero comes last.
    """
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def from_json(value):
    """A shape, or a structure of shapes, that was JSON: lists of sizes are tuples again; anything else stays."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if is_shape(value):
        return tuple(value)
    return [from_json(item) for item in value] if isinstance(value, (list, tuple)) else value

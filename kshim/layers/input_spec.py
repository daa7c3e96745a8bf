"""``InputSpec``: what a layer expects of one input, and the errors that say so."""

from kshim.core import tree


class InputSpec:
    """Expectation of one input's dtype, rank and axes.

    Args:
        dtype: dtype name, or None for any.
        shape: full shape, None where an axis is free.
        ndim, min_ndim, max_ndim: rank, exact or bounds.
        axes: dict of axis index -> required size.
        allow_last_axis_squeeze: whether ``(n,)`` does for ``(n, 1)`` and the other way round.
        name: expected name of the input (dict inputs are matched by it).
        optional: whether None is accepted.

    Source: Keras 3 ``layers/input_spec.py``.
    """

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None,
                 allow_last_axis_squeeze=False, name=None, optional=False):  # fmt: skip
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze, self.name, self.optional = allow_last_axis_squeeze, name, optional

    def __repr__(self):
        given = {k: v for k, v in vars(self).items() if v}
        return "InputSpec(" + ", ".join(f"{k}={v}" for k, v in given.items()) + ")"


def check_inputs(layer, spec, inputs):
    """Raise ValueError, naming ``layer``, unless ``inputs`` are what ``spec`` (one, or a list) expects."""
    if spec is None:
        return
    specs, inputs = tree.flatten(spec), tree.flatten(inputs)
    if len(specs) != len(inputs):
        raise ValueError(
            f"Layer {layer.name!r} expected {len(specs)} input(s). Received {len(inputs)} instead. "
            f"Received: inputs={inputs}."
        )
    for index, (one, value) in enumerate(zip(specs, inputs, strict=True)):
        shape = getattr(value, "shape", None)
        if shape is not None:
            problem = _problem(one, tuple(shape))
            if problem:
                where = f"input {index} of layer" if len(specs) > 1 else "layer"
                raise ValueError(
                    f"{type(layer).__name__} {layer.name!r}: {where} {layer.name!r} is incompatible with the layer: "
                    f"expected {problem}. Received: shape={tuple(shape)}."
                )


def _problem(spec, shape):
    """What ``shape`` lacks, in words, or None."""
    rank = len(shape)
    if spec.ndim is not None and rank != spec.ndim and not spec.allow_last_axis_squeeze:
        return f"ndim={spec.ndim}, found ndim={rank}"
    if spec.max_ndim is not None and rank > spec.max_ndim:
        return f"max_ndim={spec.max_ndim}, found ndim={rank}"
    if spec.min_ndim is not None and rank < spec.min_ndim:
        return f"min_ndim={spec.min_ndim}, found ndim={rank}"
    for axis, size in spec.axes.items():
        if size is not None and -rank <= axis < rank and shape[axis] not in (size, None):
            return f"axis {axis} of input shape to have value {size}, but received input with shape {shape}"
    if spec.shape is not None:
        expected, got = spec.shape, shape
        if spec.allow_last_axis_squeeze:
            expected, got = (s[:-1] if s and s[-1] == 1 else s for s in (expected, got))
        pairs = zip(expected, got, strict=False)
        if len(expected) != len(got) or any(None not in (a, b) and a != b for a, b in pairs):
            return f"shape={spec.shape}, found shape={shape}"
    return None

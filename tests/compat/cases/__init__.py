"""Rows of cases, and what the tests over them share."""

import inspect

import numpy as np
import torch


def counting(shape, scale=1.0, dtype="float32"):
    """``scale * (0 .. n-1, minus n/2) / n`` in C order: evenly spaced, so no transposed array can pass."""
    n = max(int(np.prod(shape)), 1)
    return (scale * (np.arange(n) - n / 2) / n).reshape(shape).astype(dtype)


def array(value):
    """``value`` (a tensor of kshim or Keras, an array, a number) as a numpy array."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def assert_close(got, expected, rel=1e-5):
    """Equal shapes, and values within ``rel`` of the size of the numbers."""
    got, expected = array(got), array(expected)
    assert got.shape == expected.shape
    finite = expected[np.isfinite(expected)] if expected.dtype.kind == "f" else expected
    scale = float(np.abs(finite).max()) if finite.size else 1.0
    np.testing.assert_allclose(got, expected, rtol=rel, atol=rel * scale)


def same_config(got, expected):
    """Whether two configs are equal; floats within float32, which some of Keras' pass through."""
    if isinstance(expected, dict) and isinstance(got, dict):
        return got.keys() == expected.keys() and all(same_config(got[key], expected[key]) for key in expected)
    if isinstance(expected, float) and isinstance(got, float):
        return abs(got - expected) <= 1e-6 * abs(expected)
    return got == expected


def public_classes(module, base):
    """Names of the classes below ``base`` that ``module`` offers; further names of one are left out."""
    found = {name: getattr(module, name) for name in module.__all__}
    return {n for n, c in found.items() if inspect.isclass(c) and issubclass(c, base) and c.__name__ == n}


def assert_covered(public, covered, excused):
    """Each public name has a row or a reason, and nothing has both."""
    assert public - covered - excused.keys() == set(), "no row, and no reason for that"
    assert covered & excused.keys() == set(), "a reason for what has a row"
    assert excused.keys() - public == set(), "a reason for what does not exist"

"""Automatic names: ``dense``, ``dense_1``, ... counted per process until ``reset``."""

import collections
import contextlib
import re

from kshim.core import settings

_counts: collections.Counter[str] = collections.Counter()


def snake_case(name):
    """``"BatchNormalization"`` -> ``"batch_normalization"``, ``"Conv2D"`` -> ``"conv2d"``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique(prefix):
    """``prefix``, then ``prefix_1``, ...; Keras up to 2.3 began at ``prefix_1``."""
    count = _counts[prefix]
    _counts[prefix] += 1
    if settings.holds(until="2.3.1"):
        return f"{prefix}_{count + 1}"
    return prefix if count == 0 else f"{prefix}_{count}"


@contextlib.contextmanager
def untouched():
    """Within the block names are counted as ever; after it, as if none had been given."""
    before = _counts.copy()
    try:
        yield
    finally:
        _counts.clear()
        _counts.update(before)


def reset():
    """Forget all counts, as ``clear_session`` does."""
    _counts.clear()

"""Inception V3: branches of convolutions side by side.

Source: Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision".
"""

from kshim.applications.common import (
    STANDARD,
    act,
    application,
    assemble,
    avg_pool,
    check,
    concat,
    conv,
    dense_top,
    max_pool,
    norm,
    pictures,
    pooled,
)
from kshim.applications.common import preprocessing as _preprocessing
from kshim.applications.imagenet_utils import decode_predictions

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]

_1, _3, _5, _17, _71, _13, _31 = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1), (1, 3), (3, 1)
_DOUBLE = ((64, _1), (96, _3), (96, _3))


def _seven(filters):
    return (
        ((192, _1),),
        ((filters, _1), (filters, _17), (192, _71)),
        ((filters, _1), (filters, _71), (filters, _17), (filters, _71), (192, _17)),
    )


# Branches of (filters, kernel), and the filters after the pooling; 0 for a block that halves the size: its branches
# end with stride 2, and the pooling takes maxima.
MIXED = (
    *((((64, _1),), ((48, _1), (64, _5)), _DOUBLE, last) for last in (32, 64, 64)),
    (((384, _3),), _DOUBLE, 0),
    *((*_seven(filters), 192) for filters in (128, 160, 160, 192)),
    (((192, _1), (320, _3)), ((192, _1), (192, _17), (192, _71), (192, _3)), 0),
)


def conv_norm(x, filters, size, **more):
    """A convolution without bias, normalized without scale, and ``relu``."""
    return act(norm(conv(x, filters, size, use_bias=False, **{"padding": "same", **more}), scale=False))


def chain(x, steps, unit=conv_norm, **last):
    """Convolutions one after the other; ``last`` are more arguments of the last."""
    for i, (filters, size) in enumerate(steps, 1):
        x = unit(x, filters, size, **(last if i == len(steps) else {}))
    return x


def stem(x, unit=conv_norm):
    """Five convolutions and two poolings, to an eighth of the size."""
    x = unit(x, 32, (3, 3), strides=2, padding="valid")
    x = unit(unit(x, 32, (3, 3), padding="valid"), 64, (3, 3))
    x = unit(unit(max_pool(x, 3, 2), 80, (1, 1), padding="valid"), 192, (3, 3), padding="valid")
    return max_pool(x, 3, 2)


def body(x, unit=conv_norm, mixed=MIXED):
    """Eleven mixed blocks, of ``unit``.

    Args:
        x: the pictures.
        unit: ``conv_norm``, or what stands for it.
        mixed: rows as ``MIXED``; None as the last of a row is 0 with means in place of maxima.
    """
    x = stem(x, unit)
    for i, (*branches, last) in enumerate(mixed):
        more = {} if last else {"strides": 2, "padding": "valid"}
        parts = [chain(x, steps, unit, **more) for steps in branches]
        if last:
            parts.append(unit(avg_pool(x, 3, 1, padding="same"), last, _1))
        else:
            parts.append((avg_pool if last is None else max_pool)(x, 3, 2))
        x = concat(parts, f"mixed{i}")
    for i in range(2):
        parts = [unit(x, 320, _1)]
        for steps, name in ((((384, _1),), f"mixed9_{i}"), (((448, _1), (384, _3)), None)):
            part = chain(x, steps, unit)
            parts.append(concat([unit(part, 384, _13), unit(part, 384, _31)], name))
        parts.append(unit(avg_pool(x, 3, 1, padding="same"), 192, _1))
        x = concat(parts, f"mixed{9 + i}")
    return x


def build(given, size):
    """The model."""
    images = pictures(given, check(given, size, 75))
    x = body(images)
    x = dense_top(x, given) if given.include_top else pooled(x, given.pooling)
    return assemble(given, images, x, "inception_v3", "inception_v3")


InceptionV3 = application(build, "InceptionV3", "Szegedy et al. 2015", 299, **STANDARD | {"name": "inception_v3"})
preprocess_input = _preprocessing("tf")

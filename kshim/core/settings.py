"""Process-wide settings: float type, fuzz factor, image layout, dialect.

Source: Keras 3 ``backend/config.py``; the dialect is kshim's own (docs/design.md).
"""

import os

FLOAT_NAMES = ("float16", "bfloat16", "float32", "float64")
DATA_FORMATS = ("channels_last", "channels_first")

# Every dialect is a Keras version; the order is time, so rows can say "until 2.2.5".
VERSIONS = ("0.3.3", "1.2.2", "2.0.8", "2.2.4", "2.3.1", "tf.keras", "3")
SHORT_NAMES = {"keras0": "0.3.3", "keras1": "1.2.2", "keras2": "2.2.4", "tfkeras": "tf.keras", "keras3": "3"}

_values = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
_dialect = "3"


def floatx():
    """The default float type as a name, for example ``"float32"``."""
    return _values["floatx"]


def set_floatx(value):
    """Set the default float type: one of ``float16``, ``bfloat16``, ``float32``, ``float64``."""
    _values["floatx"] = _one_of("floatx", value, FLOAT_NAMES)


def epsilon():
    """The fuzz factor of losses and optimizers, 1e-7 unless set."""
    return _values["epsilon"]


def set_epsilon(value):
    """Set the fuzz factor to ``value``, a float."""
    _values["epsilon"] = float(value)


def image_data_format():
    """The default image layout, ``"channels_last"`` unless set."""
    return _values["image_data_format"]


def set_image_data_format(data_format):
    """Set the default image layout: ``channels_last`` or ``channels_first``."""
    _values["image_data_format"] = _one_of("image_data_format", data_format, DATA_FORMATS)


def dialect():
    """The Keras version whose meaning ambiguous calls have: one of ``VERSIONS``."""
    return _dialect


def set_dialect(version):
    """Choose the dialect by version (``"2.3.1"``) or short name (``"keras2"``).

    Raises: ValueError for a version that is not in ``VERSIONS``.
    """
    global _dialect
    _dialect = _one_of("dialect", SHORT_NAMES.get(version, version), VERSIONS)


def holds(since=None, until=None):
    """Whether the current dialect lies in ``[since, until]``; None leaves a side open."""
    now = VERSIONS.index(_dialect)
    return (since is None or now >= VERSIONS.index(since)) and (until is None or now <= VERSIONS.index(until))


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"Unknown {name}. Expected one of {allowed}. Received: {value!r}")
    return value


if os.environ.get("KSHIM_DIALECT"):
    set_dialect(os.environ["KSHIM_DIALECT"])

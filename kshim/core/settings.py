"""Process-wide settings: float type, fuzz factor, image layout, dialect.

Source: Keras 3 ``backend/config.py``; the dialect is kshim's own (docs/design.md).
"""

import contextlib
import os

FLOAT_NAMES = ("float16", "bfloat16", "float32", "float64")
DATA_FORMATS = ("channels_last", "channels_first")

# Every dialect is a Keras version; the order is time, so rows can say "until 2.2.5".
VERSIONS = ("0.3.3", "1.2.2", "2.0.8", "2.2.4", "2.3.1", "tf.keras", "3")
SHORT_NAMES = {"keras0": "0.3.3", "keras1": "1.2.2", "keras2": "2.2.4", "tfkeras": "tf.keras", "keras3": "3"}

_values = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
_flags = {"flash_attention": None, "traceback_filtering": True, "unsafe_deserialization": False}
_limits: dict[str, int | None] = {"epochs": None, "steps_per_epoch": None}
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


def enable_flash_attention():
    """Let attention demand torch's flash kernel, which raises where it cannot run."""
    _flags["flash_attention"] = True


def disable_flash_attention():
    """Let attention do without torch's flash kernel."""
    _flags["flash_attention"] = False


def is_flash_attention_enabled():
    """True or False as chosen; None, unless chosen, leaves each call to torch."""
    return _flags["flash_attention"]


def enable_traceback_filtering():
    """Show no frames of kshim's own in the tracebacks of scripts that ``kshim run`` runs (the default)."""
    _flags["traceback_filtering"] = True


def disable_traceback_filtering():
    """Show all frames in tracebacks."""
    _flags["traceback_filtering"] = False


def is_traceback_filtering_enabled():
    """Whether tracebacks leave kshim's own frames out."""
    return _flags["traceback_filtering"]


def enable_unsafe_deserialization():
    """Let every file and config bring code that runs: ``safe_mode`` is False where a call leaves it open.

    Only for files from a source you trust.
    """
    _flags["unsafe_deserialization"] = True


def is_unsafe_deserialization_enabled():
    """Whether ``safe_mode`` is False where a call leaves it open."""
    return _flags["unsafe_deserialization"]


def max_epochs():
    """How many epochs any ``fit`` runs at most; None for no limit."""
    return _limits["epochs"]


def set_max_epochs(max_epochs):
    """Let no ``fit`` run more epochs than this, an int; None takes the limit off. For trying a script out."""
    _limits["epochs"] = _limit("max_epochs", max_epochs)


def max_steps_per_epoch():
    """How many batches any epoch, ``evaluate`` or ``predict`` takes at most; None for no limit."""
    return _limits["steps_per_epoch"]


def set_max_steps_per_epoch(max_steps_per_epoch):
    """Let no epoch, ``evaluate`` or ``predict`` take more batches than this, an int; None takes the limit off."""
    _limits["steps_per_epoch"] = _limit("max_steps_per_epoch", max_steps_per_epoch)


def _limit(name, value):
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError(f"Expected `{name}` to be None or an int of at least 0. Received: {name}={value!r}")
    return value


def keras_home():
    """Keras' folder for settings and downloads: the environment's ``KERAS_HOME``, or else ``~/.keras``."""
    return os.path.expanduser(os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"))


def dialect():
    """The Keras version whose meaning ambiguous calls have: one of ``VERSIONS``."""
    return _dialect


def set_dialect(version):
    """Choose the dialect by version (``"2.3.1"``) or short name (``"keras2"``).

    Raises: ValueError for a version that is not in ``VERSIONS``.
    """
    global _dialect
    _dialect = _one_of("dialect", SHORT_NAMES.get(version, version), VERSIONS)


@contextlib.contextmanager
def as_dialect(version):
    """Within the block the dialect is ``version``; None leaves it as it is."""
    before = dialect()
    if version is not None:
        set_dialect(version)
    try:
        yield
    finally:
        set_dialect(before)


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

for _name, _variable in (("epochs", "KERAS_MAX_EPOCHS"), ("steps_per_epoch", "KERAS_MAX_STEPS_PER_EPOCH")):
    if os.environ.get(_variable):
        _limits[_name] = _limit(_variable, int(os.environ[_variable]))

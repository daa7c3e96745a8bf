"""Which Keras wrote a file, and so in which dialect its words are read."""

import contextlib
import re
from collections.abc import Callable

from kshim.core import settings

keep_formulas: Callable | None = None  # hook: (model, dialect of its file) -> None
KERAS_VERSION = "3.15.1"  # whose files kshim writes

# the first version that the dialect does not stand for -> dialect
_UNTIL = (((1,), "0.3.3"), ((2,), "1.2.2"), ((2, 2), "2.0.8"), ((2, 3), "2.2.4"), ((2, 4), "2.3.1"), ((3,), "tf.keras"))


def dialect_of(version):
    """The dialect of a file.

    Args:
        version: its ``keras_version``, as in ``"2.2.4-tf"``; None for a file without one, which Keras 1 wrote.

    Raises: ValueError if it is no version.
    """
    if version is None:
        return "1.2.2"
    numbers = re.match(r"\d+(\.\d+)*", version) if isinstance(version, str) and len(version) < 100 else None
    if numbers is None:
        raise ValueError(f"Expected `keras_version` of a file to be a version. Received: {version!r}")
    if version.endswith("-tf"):
        return "tf.keras"
    found = tuple(int(number) for number in numbers[0].split("."))
    return next((dialect for first, dialect in _UNTIL if found < first), "3")


@contextlib.contextmanager
def reading(version, formulas=None):
    """Within the block the dialect is that of a file; yields a function that a model made there is handed to.

    Args:
        version: of the Keras in whose words the file is.
        formulas: the dialect of the script that wrote it, where kshim did.
    """
    found, own = dialect_of(version), settings.dialect()
    if formulas not in (None, *settings.VERSIONS):
        raise ValueError(f"Expected the dialect of a file to be one of {settings.VERSIONS}. Received: {formulas!r}")

    def made(model):
        if keep_formulas is not None and (formulas or found) != own:
            keep_formulas(model, formulas or found)
        return model

    with settings.as_dialect(found):
        yield made

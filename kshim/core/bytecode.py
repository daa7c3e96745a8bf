"""Python functions as bytecode in configs, and back: only of files that the caller trusts.

Bytecode is Python's own format of one version: what one version wrote another one mostly cannot run.
Source: Keras 3 ``utils/python_utils.py``; Keras 2.3.1 ``utils/generic_utils.py``.
"""

import base64
import contextlib
import contextvars
import marshal
import types

import numpy as np
import torch

from kshim.core import settings
from kshim.core.registry import visible_custom_objects
from kshim.core.untrusted import RefusedFileError

_safe: contextvars.ContextVar[bool] = contextvars.ContextVar("safe_mode", default=True)


@contextlib.contextmanager
def safe_mode_scope(safe_mode):
    """Within the block bytecode is refused unless ``safe_mode`` is False; None means refused."""
    token = _safe.set(safe_mode is not False)
    try:
        yield
    finally:
        _safe.reset(token)


def in_safe_mode():
    """Whether configs may bring no code."""
    return _safe.get() and not settings.is_unsafe_deserialization_enabled()


def dump(function):
    """``function`` as ``[code, defaults, closure]``: base64 of its bytecode, and the values it carries."""
    closure = function.__closure__
    return [
        base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii"),
        None if function.__defaults__ is None else list(function.__defaults__),
        None if closure is None else [cell.cell_contents for cell in closure],
    ]


def load(parts, what):
    """The function that ``dump`` wrote; its names are looked up in ``np``, ``torch`` and the custom objects.

    Args:
        parts: ``[code, defaults, closure]``.
        what: whose function it is, for the message.

    Raises:
        RefusedFileError: in safe mode.
        ValueError: it is no bytecode of this Python.
    """
    if in_safe_mode():
        raise RefusedFileError(
            f"Requested the deserialization of {what} whose `function` is a Python lambda. This carries a potential "
            "risk of arbitrary code execution and thus it is disallowed by default. If you trust the source of the "
            "artifact, you can override this error by passing `safe_mode=False` to the loading function, or calling "
            "`keras.config.enable_unsafe_deserialization()`."
        )
    try:
        code, defaults, closure = parts
        code = marshal.loads(base64.b64decode(code))
        if not isinstance(code, types.CodeType):
            raise TypeError(f"{type(code).__name__} is no code")
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(
            f"The function of {what} is no bytecode of this Python version, which only the version that wrote the file "
            f"can run: {error}. Name the function, and pass it in custom_objects."
        ) from error
    cells = None if closure is None else tuple(types.CellType(value) for value in closure)
    names = {"np": np, "torch": torch, **visible_custom_objects(), "__builtins__": __builtins__}
    return types.FunctionType(code, names, code.co_name, None if defaults is None else tuple(defaults), cells)

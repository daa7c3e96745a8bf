"""A row: an op and arguments for it."""

from typing import Any, NamedTuple


class Row(NamedTuple):
    """``name(*args, **kwargs)``; arrays among the arguments are what is varied over kinds of input.

    Args:
        name: the public name in ``keras.ops``.
        symbolic: whether the shape can be found without values.
        gradient: whether the gradient is compared.
        arrays: whether Keras takes arrays, not tensors alone.
    """

    name: str
    args: tuple = ()
    kwargs: dict[str, Any] = {}  # noqa: RUF012  (never written to)
    symbolic: bool = True
    gradient: bool = True
    arrays: bool = True

    def __str__(self):
        return f"{self.name}-{_short(self.args)}{_short(self.kwargs) if self.kwargs else ''}"


def _short(value):
    if hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return ",".join(map(_short, value))
    if callable(value):
        return getattr(value, "__name__", "function")  # no address: processes that share the tests compare ids
    if isinstance(value, dict):
        return ";".join(f"{k}={_short(v)}" for k, v in value.items())
    return repr(value)


def row(name, *args, symbolic=True, gradient=True, arrays=True, **kwargs):
    """A ``Row`` as the call is written."""
    return Row(name, args, kwargs, symbolic, gradient, arrays)

"""Functions of each element, or of each pair of elements, by numpy's names.

Types follow Keras' promotion on torch. Source: Keras 3 ``ops/numpy.py``.
"""

import torch

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import Tensor, floating, kind_of, pair, tensor


def _public(function, name, text):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = text
    return op(function)


def _unary(name, function, text, prepare=None):
    """The op ``function(x)``; ``prepare`` casts what the function can't take."""
    if prepare is None:

        def call(x):
            return function(x if isinstance(x, Tensor) else tensor(x))

    else:

        def call(x):
            return function(prepare(x if isinstance(x, Tensor) else tensor(x)))

    return _public(call, name, text)


def _binary(name, function, text, arguments="x1, x2"):
    """The op ``function(x1, x2)`` where torch's own promotion is Keras'."""
    if arguments == "x, y":

        def call(x, y):
            return function(*pair(x, y))

    else:

        def call(x1, x2):
            if isinstance(x1, Tensor) and (isinstance(x2, Tensor) or (type(x2) in (int, float) and _takes_numbers(x1))):
                return function(x1, x2)
            return function(*pair(x1, x2))

    return _public(call, name, text)


def _takes_numbers(x):
    return x.is_floating_point() and x.dim() > 0


def _promoted(name, function, text):
    """The op ``function(x1, x2)`` on both cast to their common type as Keras finds it."""

    def call(x1, x2):
        if isinstance(x1, Tensor) and isinstance(x2, Tensor) and x1.dtype is x2.dtype is torch.float32:
            return function(x1, x2)
        dtype = dtypes.result_type(kind_of(x1) if _has_type(x1) else torch.int32, kind_of(x2) if _has_type(x2)
                                   else torch.int32)  # fmt: skip
        x1, x2 = pair(x1, x2)
        return function(x1.to(dtype), x2.to(dtype))

    return _public(call, name, text)


def _has_type(x):
    return hasattr(x, "dtype") or isinstance(x, (bool, int, float, complex))


def _float_widths(dtype):
    """A float type for an int one."""
    if dtype.is_floating_point or dtype is torch.bool or dtype.is_complex:
        return dtype
    return dtypes.to_torch("float64" if dtype is torch.int64 else settings.floatx())


def _int_if_bool(x):
    return x.to(torch.int32) if x.dtype is torch.bool else x


def _rounding(x):
    """floor and ceil give floats: of int64 ``floatx()``, of others Keras' common type with a float."""
    wide = x.dtype is torch.int64
    return x.to(dtypes.to_torch(settings.floatx()) if wide else dtypes.result_type(x.dtype, float))


def _double_if_long(x):
    return x.double() if x.dtype is torch.int64 else x


def _floatx_if_long(x):
    return x.to(dtypes.to_torch(settings.floatx())) if x.dtype is torch.int64 else x


def _bessel(x):
    if x.dtype in (torch.float16, torch.bfloat16):
        return x
    return x.double() if x.dtype in (torch.int64, torch.float64) else x.to(dtypes.to_torch(settings.floatx()))


def _unless_bool(function):
    return lambda x: x if x.dtype is torch.bool else function(x)


def _cube_root(x):
    return torch.sign(x) * torch.abs(x) ** (1.0 / 3.0)


# name -> (function on a tensor, what it gives; what is cast before)
_UNARY = {
    "absolute": (_unless_bool(torch.abs), "The absolute value of each element."),
    "fabs": (torch.abs, "The absolute value of each element, as a float.", floating),
    "angle": (torch.angle, "The angle of each complex number, in radians."),
    "arccos": (torch.arccos, "The inverse cosine, in radians."),
    "arccosh": (torch.arccosh, "The inverse hyperbolic cosine."),
    "arcsin": (torch.arcsin, "The inverse sine, in radians."),
    "arcsinh": (torch.arcsinh, "The inverse hyperbolic sine."),
    "arctan": (torch.arctan, "The inverse tangent, in radians."),
    "arctanh": (torch.arctanh, "The inverse hyperbolic tangent."),
    "bitwise_invert": (torch.bitwise_not, "Each bit turned over; of bools the negation."),
    "cbrt": (_cube_root, "The cube root, negative for negative numbers.",
             lambda x: _double_if_long(_int_if_bool(x))),
    "ceil": (torch.ceil, "The least whole number not below each element, as a float.", _rounding),
    "conjugate": (lambda x: torch.conj(x).resolve_conj(), "The complex conjugate."),
    "copy": (torch.clone, "A copy that shares no memory and keeps gradients."),
    "cos": (torch.cos, "The cosine of an angle in radians."),
    "cosh": (torch.cosh, "The hyperbolic cosine."),
    "deg2rad": (torch.deg2rad, "Degrees as radians.", _double_if_long),
    "exp": (torch.exp, "e to the power of each element.", floating),
    "exp2": (torch.exp2, "2 to the power of each element.", floating),
    "expm1": (torch.expm1, "``exp(x) - 1``, exact for small elements.", floating),
    "floor": (torch.floor, "The greatest whole number not above each element, as a float.", _rounding),
    "i0": (torch.i0, "The modified Bessel function of the first kind and order 0.", _bessel),
    "imag": (torch.imag, "The imaginary part of complex numbers, a view."),
    "isfinite": (torch.isfinite, "Whether each element is neither infinite nor nan."),
    "isinf": (torch.isinf, "Whether each element is an infinity."),
    "isnan": (torch.isnan, "Whether each element is nan."),
    "isneginf": (torch.isneginf, "Whether each element is minus infinity."),
    "isposinf": (torch.isposinf, "Whether each element is plus infinity."),
    "isreal": (torch.isreal, "Whether each element has no imaginary part."),
    "log": (torch.log, "The natural logarithm."),
    "log10": (torch.log10, "The logarithm to base 10."),
    "log1p": (torch.log1p, "``log(1 + x)``, exact for small elements."),
    "log2": (torch.log2, "The logarithm to base 2."),
    "logical_not": (torch.logical_not, "Whether each element is zero."),
    "negative": (torch.negative, "Each element with the other sign."),
    "rad2deg": (torch.rad2deg, "Radians as degrees.", _double_if_long),
    "real": (torch.real, "The real part of complex numbers, a view."),
    "reciprocal": (torch.reciprocal, "``1 / x``."),
    "sign": (torch.sign, "-1, 0 or 1, as each element's sign."),
    "signbit": (torch.signbit, "Whether the sign bit is set: true for -0.0."),
    "sin": (torch.sin, "The sine of an angle in radians."),
    "sinc": (torch.sinc, "``sin(pi x) / (pi x)``, 1 at 0."),
    "sinh": (torch.sinh, "The hyperbolic sine."),
    "sqrt": (torch.sqrt, "The square root.", _floatx_if_long),
    "square": (torch.square, "Each element times itself.", _int_if_bool),
    "tan": (torch.tan, "The tangent of an angle in radians."),
    "tanh": (torch.tanh, "The hyperbolic tangent."),
    "trunc": (_unless_bool(torch.trunc), "Each element without its fraction."),
}  # fmt: skip
globals().update({name: _unary(name, *row) for name, row in _UNARY.items()})


def _subtract(x1, x2):
    if x1.dtype is torch.bool:
        x1 = x1.to(x2.dtype)
    return torch.subtract(x1, x2.to(x1.dtype) if x2.dtype is torch.bool else x2)


def _remainder(function):
    def call(x1, x2):
        if x1.dtype is torch.bool and x2.dtype is torch.bool:
            x1, x2 = x1.to(torch.int32), x2.to(torch.int32)
        return function(x1, x2)

    return call


# Functions whose second argument must be a tensor.
def _tensors(name, function, text):
    def call(x1, x2):
        return function(*pair(x1, x2))

    return _public(call, name, text)


_BINARY = {
    "add": (torch.add, "``x1 + x2``."),
    "multiply": (torch.multiply, "``x1 * x2``."),
    "divide": (torch.divide, "``x1 / x2``, a float."),
    "power": (torch.pow, "``x1`` to the power of ``x2``."),
    "equal": (torch.eq, "Whether ``x1 == x2``."),
    "not_equal": (torch.ne, "Whether ``x1 != x2``."),
    "greater": (torch.greater, "Whether ``x1 > x2``."),
    "greater_equal": (torch.greater_equal, "Whether ``x1 >= x2``."),
    "less": (torch.less, "Whether ``x1 < x2``."),
    "less_equal": (torch.less_equal, "Whether ``x1 <= x2``."),
}
globals().update({name: _binary(name, *row) for name, row in _BINARY.items()})

_ON_TENSORS = {
    "subtract": (_subtract, "``x1 - x2``; bools count as 0 and 1."),
    "mod": (_remainder(torch.remainder), "What remains of ``x1 / x2``, with the sign of ``x2``."),
    "fmod": (_remainder(torch.fmod), "What remains of ``x1 / x2``, with the sign of ``x1``."),
    "gcd": (torch.gcd, "The greatest common divisor of ints."),
    "lcm": (torch.lcm, "The least common multiple of ints."),
    "logical_and": (torch.logical_and, "Whether both are not zero."),
    "logical_or": (torch.logical_or, "Whether one or both are not zero."),
    "logical_xor": (torch.logical_xor, "Whether exactly one is not zero."),
}
globals().update({name: _tensors(name, *row) for name, row in _ON_TENSORS.items()})

_BITS = {
    "bitwise_and": (torch.bitwise_and, "The bits set in both."),
    "bitwise_or": (torch.bitwise_or, "The bits set in one or both."),
    "bitwise_xor": (torch.bitwise_xor, "The bits set in exactly one."),
    "bitwise_left_shift": (torch.bitwise_left_shift, "``x * 2 ** y``: the bits moved up."),
    "bitwise_right_shift": (torch.bitwise_right_shift, "``x // 2 ** y``: the bits moved down."),
}
globals().update({name: _binary(name, *row, arguments="x, y") for name, row in _BITS.items()})

_COMMON = {
    "maximum": (torch.maximum, "The greater of both; nan where one is."),
    "minimum": (torch.minimum, "The lesser of both; nan where one is."),
    "fmax": (torch.fmax, "The greater of both; the other where one is nan."),
    "fmin": (torch.fmin, "The lesser of both; the other where one is nan."),
}
globals().update({name: _promoted(name, *row) for name, row in _COMMON.items()})


def _strong(function, *more, widths=None):
    """``function`` on tensors cast to their common type; numbers count as tensors, not as weak."""

    def call(x1, x2):
        dtype = dtypes.result_type(x1.dtype, x2.dtype, *more)
        dtype = widths(dtype) if widths else dtype
        return function(x1.to(dtype), x2.to(dtype))

    return call


def _next_after(x1, x2):
    dtype = dtypes.result_type(x1.dtype, x2.dtype, float)
    return torch.nextafter(x1.double(), x2.double()).to(dtype)


def _load_exponent(x1, x2):
    if x2.is_floating_point() or x2.is_complex() or x2.dtype is torch.bool:
        raise TypeError(f"ldexp: expected `x2` (the exponent) of an int dtype. Received: dtype {x2.dtype}.")
    return torch.ldexp(x1, x2).to(dtypes.result_type(x1.dtype, x2.dtype, float))


_STRONG = {
    "arctan2": (_strong(torch.arctan2, float), "The angle of the point ``(x2, x1)``, in radians."),
    "heaviside": (_strong(torch.heaviside, widths=_float_widths), "0 below zero, 1 above, ``x2`` at zero."),
    "hypot": (_strong(torch.hypot, widths=_float_widths), "``sqrt(x1 ** 2 + x2 ** 2)``."),
    "ldexp": (_load_exponent, "``x1 * 2 ** x2`` for an int ``x2``."),
    "logaddexp": (_strong(torch.logaddexp, float), "``log(exp(x1) + exp(x2))``, stable."),
    "logaddexp2": (_strong(torch.logaddexp2, float), "``log2(2 ** x1 + 2 ** x2)``, stable."),
    "nextafter": (_next_after, "The next float of 64 bits from ``x1`` towards ``x2``."),
}
globals().update({name: _tensors(name, *row) for name, row in _STRONG.items()})


@op
def floor_divide(x1, x2):
    """``x1 / x2`` rounded down."""
    dtype = dtypes.result_type(kind_of(x1), kind_of(x2)) if _has_type(x1) and _has_type(x2) else None
    x1, x2 = pair(x1, x2)
    return torch.floor_divide(x1, x2).to(dtype or dtypes.result_type(x1.dtype, x2.dtype))


@op
def divide_no_nan(x1, x2):
    """``x1 / x2``, and 0 where ``x2`` is 0 (with no nan in the gradient)."""
    dtype = dtypes.result_type(kind_of(x1), kind_of(x2), float) if _has_type(x1) and _has_type(x2) else None
    x1, x2 = pair(x1, x2)
    dtype = dtype or dtypes.result_type(x1.dtype, x2.dtype, float)
    x1, x2 = x1.to(dtype), x2.to(dtype)
    zero = x2 == 0
    return torch.where(zero, 0, x1 / torch.where(zero, 1, x2))


@op
def clip(x, x_min, x_max):
    """``x`` with what is below ``x_min`` or above ``x_max`` set to the bound."""
    x = _int_if_bool(tensor(x))
    return torch.clip(x, tensor(x_min, device=x.device), tensor(x_max, device=x.device))


@op
def round(x, decimals=0):
    """``x`` to ``decimals`` places, halves to the even one; ints stay ints."""
    x = tensor(x)
    if x.is_floating_point() or x.dtype is torch.bool:
        return torch.round(x, decimals=decimals)
    return torch.round(floating(x), decimals=decimals).to(x.dtype)


@op
def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """``x`` with nan and the infinities replaced; None means the largest or lowest number of the dtype."""
    return torch.nan_to_num(tensor(x), nan=nan, posinf=posinf, neginf=neginf)


@op
def isclose(x1, x2, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``|x1 - x2| <= atol + rtol * |x2|``; ints must be equal."""
    x1, x2 = pair(x1, x2)
    dtype = dtypes.result_type(x1.dtype, x2.dtype)
    x1, x2 = x1.to(dtype), x2.to(dtype)
    return torch.isclose(x1, x2, rtol, atol, equal_nan) if dtype.is_floating_point else torch.eq(x1, x2)


@op
def allclose(x1, x2, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether ``isclose`` holds everywhere, a tensor of one bool."""
    return isclose(x1, x2, rtol, atol, equal_nan).all()


@op
def view(x, dtype=None):
    """The same memory read as another dtype; None means ``floatx()``."""
    return tensor(x).view(dtypes.to_torch(dtype))


# Second names: name -> the op.
ALIASES = {
    "abs": "absolute", "conj": "conjugate", "bitwise_not": "bitwise_invert", "left_shift": "bitwise_left_shift",
    "right_shift": "bitwise_right_shift", "true_divide": "divide",
}  # fmt: skip
globals().update({alias: globals()[name] for alias, name in ALIASES.items()})

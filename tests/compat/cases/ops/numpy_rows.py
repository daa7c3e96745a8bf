# ruff: noqa: E501, E741  (a row is a line, its arrays are letters)
"""Rows of ``keras.ops.numpy``."""

import numpy as np

from cases.ops.row import row

X = np.array([[0.3, -0.7, 0.25], [0.9, 0.1, -0.4]], "float32")
Y = np.array([[0.5, 0.2, -0.6], [-0.3, 0.8, 0.7]], "float32")
I, J = np.array([[3, 1, 2], [5, 4, 6]], "int32"), np.array([[2, 3, 1], [1, 2, 4]], "int32")
B = np.array([[True, False, True], [False, False, True]])
N = np.array([[0.5, np.nan, 1.5], [2.0, 0.25, np.nan]], "float32")
V, W = np.array([0.2, 1.1, 2.5], "float32"), np.array([1.0, -1.0, 0.5], "float32")
S = np.array([[2.0, 0.5, 0.1], [0.3, 1.0, 0.2], [0.6, 0.4, 3.0]], "float32")
T = np.arange(24, dtype="float32").reshape(2, 3, 4) / 7
C = (X + 1j * Y).astype("complex64")

UNARY = ["abs", "absolute", "arccos", "arcsin", "arcsinh", "arctan", "cbrt", "ceil", "copy", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fabs", "floor", "i0", "isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "logical_not", "negative", "rad2deg", "reciprocal", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "nan_to_num", "round", "log", "log1p", "log2", "log10", "arctanh", "angle"]
INTS = [n for n in UNARY if n not in ("arccos", "arcsin", "arctanh", "reciprocal")]
BINARY = ["add", "subtract", "multiply", "divide", "true_divide", "divide_no_nan", "mod", "fmod", "power", "maximum", "minimum", "fmax", "fmin", "equal", "not_equal", "greater", "greater_equal", "less", "less_equal", "arctan2", "heaviside", "hypot", "logaddexp", "logaddexp2", "logical_and", "logical_or", "logical_xor", "floor_divide", "isclose"]
NO_GRADIENT = {"heaviside", "floor_divide"}  # torch has none
REDUCE = ["sum", "mean", "max", "min", "amax", "amin", "ptp", "all", "any", "argmax", "argmin", "std", "var", "median", "prod", "count_nonzero"]
NANS = ["nansum", "nanmean", "nanmax", "nanmin", "nanargmax", "nanargmin", "nanstd", "nanvar", "nanmedian", "nanprod", "nancumsum", "nancumprod"]

ROWS = [
    *[row(n, X) for n in UNARY], *[row(n, I) for n in INTS],
    *[row(n, X.astype("float16")) for n in UNARY if n != "i0"],
    *[row(n, X, Y, gradient=n not in NO_GRADIENT) for n in BINARY], *[row(n, I, J, gradient=n not in NO_GRADIENT) for n in BINARY], *[row(n, X, J, gradient=n not in NO_GRADIENT) for n in BINARY],
    *[row(n, X, 2, gradient=n not in NO_GRADIENT) for n in BINARY], *[row(n, X, 0.5, gradient=n not in NO_GRADIENT) for n in BINARY], *[row(n, I, 2, gradient=n not in NO_GRADIENT) for n in BINARY],
    *[row(n, 0.5, X, gradient=n not in NO_GRADIENT) for n in BINARY], *[row(n, X.astype("float16"), 0.5, gradient=n not in NO_GRADIENT) for n in BINARY],
    *[row(n, I.astype("int8"), J, gradient=n not in NO_GRADIENT) for n in BINARY],
    row("arccosh", V + 1), row("imag", C), row("real", C), row("conj", C), row("conjugate", C), row("angle", C),
    *[row(n, I, J) for n in ("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift",
                             "left_shift", "right_shift", "gcd", "lcm")],
    *[row(n, I) for n in ("bitwise_not", "bitwise_invert")], row("ldexp", X, J), row("nextafter", X, Y),
    row("clip", X, -0.2, 0.3), row("clip", I, 2, 4), row("allclose", X, X), row("view", X, dtype="int32"),
    *[row(n, x) for n in REDUCE for x in (X, I)], *[row(n, x, axis=1) for n in REDUCE for x in (X, I)],
    *[row(n, X, axis=-1, keepdims=True) for n in REDUCE if n != "count_nonzero"],
    *[row(n, B) for n in ("sum", "mean", "all", "any", "prod", "argmax", "var", "std")],
    *[row(n, I.astype("uint8")) for n in ("sum", "mean", "prod", "max", "var")],
    *[row(n, T, axis=(0, 2)) for n in ("sum", "mean", "max", "min", "all", "any", "std", "var", "median", "prod")],
    row("max", X, initial=0.5), row("min", X, initial=-0.5),
    *[row(n, N, gradient=False) for n in NANS], *[row(n, N, axis=1, gradient=False) for n in NANS],
    row("average", X), row("average", X, axis=-1, weights=V), row("average", I, axis=1),
    *[row(n, x, axis=1) for n in ("cumsum", "cumprod") for x in (X, I)], row("cumsum", X), row("cumprod", X),
    row("quantile", X, 0.3), row("quantile", X, [0.1, 0.6], axis=1), row("percentile", X, 30, axis=0),
    row("quantile", X, 0.5, axis=1, keepdims=True), row("nanquantile", N, 0.3), row("nanpercentile", N, 40, axis=1),
    row("bincount", np.array([1, 2, 2, 0]), symbolic=False), row("histogram", V, symbolic=False, gradient=False),
    row("corrcoef", S), row("trapezoid", X), row("trapezoid", X, dx=0.5), row("diff", X), row("diff", X, 2),
    row("correlate", V, W), row("correlate", V, W, mode="same"), row("correlate", V, W, mode="full"),
    row("reshape", X, (3, 2), symbolic=False), row("reshape", X, (-1,)), row("ravel", X), row("transpose", T),
    row("transpose", T, (0, 2, 1)), row("swapaxes", T, 1, 2), row("moveaxis", T, 2, 1), row("expand_dims", X, -1),
    row("expand_dims", X, (1, 3)), row("squeeze", X[:, :, None]), row("squeeze", X[:, None], axis=1),
    row("broadcast_to", V, (2, 3), symbolic=False), row("flip", X), row("flip", X, 1), row("fliplr", X),
    row("flipud", X), row("rot90", X), row("rot90", X, 2), row("roll", X, 1), row("roll", X, 1, axis=1),
    row("concatenate", [X, Y]), row("concatenate", [X, Y], axis=1), row("append", X, Y), row("append", X, Y, axis=1),
    row("stack", [X, Y]), row("stack", [X, Y], axis=-1), row("hstack", [X, Y]), row("vstack", [X, Y]),
    row("dstack", [X, Y]), row("split", X, 3, axis=1), row("split", T, [1, 3], axis=2), row("array_split", X, 2, axis=1),
    row("hsplit", X, 3), row("vsplit", X, 2, symbolic=False), row("dsplit", T, 2), row("repeat", X, 2),
    row("repeat", X, 2, axis=1), row("repeat", X, np.array([1, 0, 2]), axis=1, symbolic=False), row("tile", X, 2), row("tile", X, (2, 1)),
    row("pad", X, ((0, 0), (1, 2))), row("pad", X, ((0, 0), (1, 1)), mode="reflect"),
    row("pad", X, ((0, 0), (1, 1)), constant_values=2.0), row("pad", X, ((0, 0), (1, 1)), mode="symmetric"),
    row("diag", V), row("diag", S, 1), row("diagflat", X), row("diagonal", S), row("trace", S), row("trace", I),
    row("tril", S), row("triu", S, 1), row("ndim", X), row("size", X, symbolic=False),
    row("zeros", (2, 3)), row("ones", (2,), dtype="int32"), row("full", (2, 3), 0.5), row("full", (2, 3), V),
    row("zeros_like", X), row("ones_like", I), row("full_like", X, 2), row("array", X), row("eye", 3), row("eye", 2, 4, 1),
    row("identity", 3), row("tri", 3), row("arange", 5), row("arange", 1, 6, 2), row("arange", 0.0, 1.0, 0.25),
    row("linspace", 0, 1, 5), row("linspace", 0.0, 1.0, 5, endpoint=False), row("linspace", V, W, 4),
    row("logspace", 0, 2, 5), row("geomspace", 1.0, 8.0, 4), row("meshgrid", V, W), row("vander", V, gradient=False), row("vander", V, 2, gradient=False),
    *[row(n, 5, symbolic=False) for n in ("bartlett", "blackman", "hamming", "hanning")],
    row("kaiser", 5, 8.0, symbolic=False), row("get_item", X, 0), row("get_item", T, (slice(None), 1)),
    row("take", X, [0, 2, -1], axis=1), row("take", X, [1, 0], axis=0), row("take", X, [0, 4]),
    row("take_along_axis", X, np.array([[0], [2]]), axis=1), row("where", B, X, Y), row("where", B, X, 0.0),
    row("select", [B, ~B], [X, Y]), row("nonzero", I - 1, symbolic=False), row("where", B, symbolic=False),
    row("sort", X), row("sort", X, axis=0), row("argsort", X), row("argsort", I, axis=None),
    row("searchsorted", V, W), row("digitize", X, V), row("isin", I, J), row("unravel_index", np.array([1, 5]), (2, 3)),
    row("unique", I, symbolic=False), row("unique", J, return_counts=True, return_inverse=True, symbolic=False),
    row("matmul", X, S), row("matmul", I, np.ones((3, 2), "int32")), row("dot", X, S), row("dot", I, np.eye(3)[:, :2]),
    row("inner", X, Y), row("vdot", V, W), row("outer", V, W), row("kron", X, Y), row("cross", X, Y, axis=1),
    row("tensordot", X, Y, axes=2), row("tensordot", X, S, axes=1), row("tensordot", X, Y, axes=(1, 1)),
    row("einsum", "ij,kj->ik", X, Y), row("einsum", "ij->i", X),
    row("slogdet", S),
]  # fmt: skip

# Calls that Keras refuses: the same class of error, naming the op.
REFUSED = [
    row("rot90", V),
    row("rot90", X, axes=(0, 0)),
    row("expand_dims", X, 5),
    row("diagonal", V),
    row("eye", 2.5),
    row("split", X, 2, axis=1),
    row("array_split", X, 0),
    row("linspace", 0, 1, axis=1),
    row("logspace", 0, 1, axis=1),
    row("geomspace", 1.0, 2.0, axis=1),
    row("max", X[:0]),
    row("min", X[:0]),
    row("pad", X, ((1, 1), (1, 1)), mode="reflect", constant_values=1.0),
    row("where", B, X),
    row("vander", X),
    row("cross", X, Y, axisa=0),
    row("bincount", I, sparse=True),
    row("histogram", V, bins=-1),
    row("select", [], []),
    row("ldexp", X, Y),
    row("prod", X, axis=4),
    row("searchsorted", X, V),
]

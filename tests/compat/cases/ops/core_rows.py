# ruff: noqa: E501  (a row is a line)
"""Rows of the ops of ``keras.ops``' core: casts, blocks, loops."""

import numpy as np
import torch

from cases.ops.row import row

RNG = np.random.RandomState(7)
X, Y = RNG.randn(4, 3).astype("float32"), RNG.randn(4, 3).astype("float32")
T = RNG.randn(2, 4, 3, 5).astype("float32")
BIG = np.array([-1e9, -200.0, -1.5, 0.0, 1.5, 254.6, 70000.0, 1e20], "float32")
INTS = np.array([-300, -1, 0, 1, 127, 128, 256, 70000], "int32")
V = RNG.randn(6).astype("float32")
PLACES, ROWS_AT = np.array([[0, 1], [3, 2], [0, 1]]), np.array([[1], [3], [1]])


def total(carry, x):
    """A running sum and its double."""
    return carry + x, carry * 2


def pairs(carry, x):
    """A carry of two, steps of two."""
    return {"a": carry["a"] + x[0], "b": carry["b"] * x[1]}, carry["a"] - carry["b"]


ROWS = [
    *[row("cast", x, d) for x in (X, INTS) for d in ("float16", "int32", "bool", "float64", "bfloat16")],
    *[row("saturate_cast", x, d) for x in (BIG, INTS) for d in ("int8", "uint8", "int16")], row("saturate_cast", BIG, "float16"), row("saturate_cast", INTS, "int64"),
    row("saturate_cast", BIG.astype("float64"), "float32"), row("saturate_cast", X > 0, "float32"),
    row("convert_to_tensor", X), row("convert_to_tensor", X, "float64"), row("convert_to_tensor", [1.0, 2.0]), row("convert_to_tensor", 3), row("convert_to_tensor", [True]),
    row("shape", T, symbolic=False, gradient=False), row("dtype", X, symbolic=False, gradient=False), row("is_tensor", X, symbolic=False, gradient=False), row("is_tensor", 1.0, symbolic=False),
    row("stop_gradient", X, arrays=False), row("unstack", X, arrays=False), row("unstack", X, axis=1, arrays=False), row("unstack", T, num=3, axis=-2, arrays=False),
    row("slice", X, (1, 0), (2, 3)), row("slice", X, [0, 1], [4, 1]), row("slice", T, np.array([0, 1, 0, 2]), (1, 2, 3, 2)), row("slice", X, (1, 1), (9, 1)),
    row("slice_update", X, (1, 0), Y[:2]), row("slice_update", X, [3, 2], np.ones((1, 1), "float32")), row("slice_update", X, np.array([2, 1]), Y[:2, :2]),
    row("scatter", PLACES, V[:3], (4, 3)), row("scatter", ROWS_AT, X[:3], (5, 3)), row("scatter", np.array([[[0], [2]]]), np.ones((1, 2), "int32"), (3,)),
    *[row("scatter_update", X, PLACES[:2], V[:2], reduction=r, gradient=r in (None, "add")) for r in (None, "add", "max", "min", "mul")], *[row("scatter_update", X, ROWS_AT, Y[:3], reduction=r, gradient=r == "add") for r in ("add", "max", "min", "mul")],
    row("scatter_update", X, PLACES, V[:3], "add"), row("scatter_update", INTS, np.array([[0], [3]]), np.array([7, 8]), "max"), row("scatter_update", X, np.array([[-1, 0]]), V[:1]),
    row("rearrange", T, "a b c d -> d c b a"), row("rearrange", T, "a b c d -> a (b c) d"), row("rearrange", T, "a b c d -> (a b) (c d)"), row("rearrange", X, "(a b) c -> b a c", b=2), row("rearrange", X, "(a b) c -> b (a c)", a=2, b=2),
    row("polar", np.abs(X), Y), row("polar", np.abs(V), V),
    # -- control flow; functions are the same on both sides
    row("cond", True, lambda: torch.ones(2), lambda: torch.zeros(2)), row("cond", np.array(False), lambda: 1, lambda: 2, symbolic=False),
    *[row("switch", i, [lambda x: x + 1, lambda x: x * 2, lambda x: -x], X, arrays=False) for i in (0, 2, 7, -3)],
    row("while_loop", lambda x, n: n < 4, lambda x, n: (x * 1.5, n + 1), (X, np.array(0))), row("while_loop", lambda x: x.sum() < 100, lambda x: x + 3, X),
    row("while_loop", lambda n: n < 9, lambda n: n + 2, np.array(1), maximum_iterations=2), row("fori_loop", 1, 4, lambda i, x: x * i, X, arrays=False), row("fori_loop", 3, 3, lambda i, x: x * i, X, arrays=False),
    row("scan", total, X[0], X), row("scan", total, X[0], X, reverse=True), row("scan", lambda c, _: (c * 2, None), X[0], length=3), row("scan", total, X[0], X, length=2, unroll=True),
    row("scan", pairs, {"a": X[0], "b": Y[0]}, (X, Y)), row("map", lambda x: x.sum() * x, X), row("map", lambda x: {"s": x[0] * x[1], "t": x[0].mean()}, (X, Y)),
    row("vectorized_map", lambda x: x @ x, X, arrays=False), row("vectorized_map", lambda x: (x[0] * 2, x[1].sum()), (X, Y), arrays=False),
    *[row("associative_scan", lambda a, b: a + b, x) for x in (X, X[:3], X[:1], X[:2])], row("associative_scan", lambda a, b: a * b, T, axis=2), row("associative_scan", lambda a, b: a + b, X, reverse=True),
    row("associative_scan", lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]), (X, Y)), row("associative_scan", torch.maximum, T, True, 1),
]  # fmt: skip

REFUSED = [
    row("cast", X, "float31"),
    row("saturate_cast", X, "float31"),
    row("scan", 3, X[0], X),
    row("scan", total, X[0]),
    row("scan", total, X[0], X, unroll=0),
    row("associative_scan", 3, X),
    row("associative_scan", torch.add, (X, X[:2])),
    row("vectorize", 3),
]

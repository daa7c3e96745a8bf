"""Loops, branches and gradients of one's own: in graphs, in models, and what is refused."""

import numpy as np
import pytest
import torch

import kshim
from kshim import ops
from kshim.graph.keras_tensor import KerasTensor

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def test_a_condition_in_a_model():
    x, gate = kshim.Input((3,)), kshim.Input((), batch_size=1, dtype="bool")
    model = kshim.Model([x, gate], ops.cond(gate[0], lambda: x * 2, lambda: x - 1))
    torch.testing.assert_close(model([X, torch.tensor([True])]), X * 2)
    torch.testing.assert_close(model([X, torch.tensor([False])]), X - 1)
    with pytest.raises(ValueError, match=r"`true_fn` and `false_fn` should return outputs of the same kind"):
        ops.cond(gate[0], lambda: x, lambda: x[:, :1])
    with pytest.raises(TypeError, match=r"cond: expected `true_fn` to be a callable"):
        ops.cond(True, 3, lambda: 1)


def test_a_switch_in_a_model():
    x, which = kshim.Input((3,)), kshim.Input((), batch_size=1, dtype="int32")
    branches = [lambda a: a + 1, lambda a: a * 2, lambda a: -a]
    model = kshim.Model([x, which], ops.switch(which[0], branches, x))
    for index, expected in ((0, X + 1), (1, X * 2), (2, -X), (9, -X), (-4, X + 1)):
        torch.testing.assert_close(model([X, torch.tensor([index])]), expected)
    assert ops.switch(1, branches, KerasTensor((None, 3))).shape == (None, 3)


def test_loops_in_a_model():
    x = kshim.Input((3,))
    doubled = ops.while_loop(lambda a: ops.max(ops.abs(a)) < 50, lambda a: a * 2, x)
    powered = ops.fori_loop(0, 3, lambda i, a: a * (i + 1), x)
    carry, sums = ops.scan(lambda c, part: (c + part, c), ops.zeros_like(x[:, 0]), ops.transpose(x))
    rows = ops.map(lambda row: row / ops.sum(row), x)
    dots = ops.vectorized_map(lambda row: ops.dot(row, row), x)
    running = ops.associative_scan(lambda a, b: a + b, x, axis=1)
    assert [t.shape for t in (doubled, powered, carry, sums, rows, dots, running)] == [
        (None, 3), (None, 3), (None,), (3, None), (None, 3), (None,), (None, 3),
    ]  # fmt: skip
    found = kshim.Model(x, [doubled, powered, carry, sums, rows, dots, running])(X)
    expected = X
    while expected.abs().max() < 50:
        expected = expected * 2
    sums = torch.cat([torch.zeros(4, 1), X.cumsum(1)[:, :2]], 1).T
    for a, b in zip(
        found, [expected, X * 6, X.sum(1), sums, X / X.sum(1, True), (X * X).sum(1), X.cumsum(1)], strict=True
    ):
        torch.testing.assert_close(a, b)


@ops.custom_gradient
def clipped(x, limit):
    """Its value as it is, its gradient within the limit."""

    def gradient(x, limit, upstream):
        return upstream.clip(-limit, limit), None

    return x * 1, gradient


def test_a_gradient_of_ones_own():
    x = X.clone().requires_grad_()
    (clipped(x, torch.tensor(0.5)) * 3).sum().backward()
    assert (x.grad == 0.5).all()
    layer = kshim.layers.Lambda(lambda a: clipped(a, torch.tensor(0.25)))
    inputs = kshim.Input((3,))
    for model in (kshim.Sequential([inputs, layer]), kshim.Model(inputs, clipped(inputs, torch.tensor(0.25)))):
        x = X.clone().requires_grad_()
        (model(x) * -9).sum().backward()
        assert (x.grad == -0.25).all()


def test_gradients_of_several_results():
    @ops.custom_gradient
    def both(x, y):
        return (x + y, x * y), lambda x, y, upstream: (upstream[0], upstream[1])

    x, y = X.clone().requires_grad_(), X.clone().requires_grad_()
    total, product = both(x, y)
    (total * 2 + product * 5).sum().backward()
    assert (x.grad == 2).all()
    assert (y.grad == 5).all()
    few = ops.custom_gradient(lambda x, y: (x + y, lambda x, y, upstream: upstream))
    with pytest.raises(
        ValueError, match=r"a gradient for each of the 2 tensors the function is called with. Received: 1"
    ):
        few(x, y).sum().backward()


def test_functions_of_elements():
    def one(a, b=2.0):
        return torch.where(a > 0, a, a * b)

    found = ops.vectorize(one)(X, torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(found, torch.where(X > 0, X, X * torch.tensor([1.0, 2.0, 3.0])))
    torch.testing.assert_close(ops.vectorize(one)(X, b=torch.tensor(0.5)), torch.where(X > 0, X, X * 0.5))
    product = ops.vectorize(lambda m, v: m @ v, signature="(m,n),(n)->(m)")
    m, v = torch.randn(5, 2, 4, 3), torch.randn(2, 3)
    torch.testing.assert_close(product(m, v), torch.einsum("abij,bj->abi", m, v))
    torch.testing.assert_close(product(m[0, 0], v[0]), m[0, 0] @ v[0])
    scaled = ops.vectorize(lambda a, factor: a * factor["by"], excluded=[1])
    torch.testing.assert_close(scaled(X, {"by": 3.0}), X * 3)
    two = ops.vectorize(lambda a: (a + 1, a.sum()), signature="(n)->(n),()")
    torch.testing.assert_close(two(X), (X + 1, X.sum(1)))
    assert ops.vectorize(one)(KerasTensor((None, 3)), KerasTensor((3,))).shape == (None, 3)


def test_functions_of_elements_are_checked():
    product = ops.vectorize(lambda m, v: m @ v, signature="(m,n),(n)->(m)")
    with pytest.raises(ValueError, match=r"one size for axis 'n' of signature=.* Received: 3 and 4"):
        product(torch.ones(2, 3), torch.ones(4))
    with pytest.raises(ValueError, match=r"an argument with the axes \('m', 'n'\). Received: shape \(3,\)"):
        product(torch.ones(3), torch.ones(3))
    with pytest.raises(ValueError, match=r"expected 2 arguments, as signature=.* says. Received: 1"):
        product(torch.ones(3, 3))
    with pytest.raises(
        ValueError, match=r"expected a `signature` like '\(m,n\),\(n\)->\(m\)'. Received: signature='m,n'"
    ):
        ops.vectorize(lambda m: m, signature="m,n")


def test_values_beyond_the_range():
    big = torch.tensor([-1e20, -(2.0**31), 5.7, 2.0**31, 1e20])
    found = ops.saturate_cast(big, "int32")
    assert found.tolist() == [-(2**31), -(2**31), 5, 2**31 - 128, 2**31 - 128]  # the last float32 before 2**31
    assert ops.saturate_cast(torch.tensor([-5, 70000]), "float16").tolist() == [-5.0, 65504.0]
    assert ops.saturate_cast(torch.tensor([True]), "float32").tolist() == [1.0]
    assert ops.saturate_cast(KerasTensor((None, 2)), "int8").dtype == "int8"


def test_values_as_arrays():
    for value, expected in ((X.clone().requires_grad_(), X.numpy()), ([1.0, 2.0], [1.0, 2.0]), (np.ones(2), [1, 1])):
        found = ops.convert_to_numpy(value)
        assert isinstance(found, np.ndarray)
        assert np.array_equal(found, expected)
    assert ops.convert_to_numpy(torch.ones(2, dtype=torch.bfloat16)).dtype == "float32"
    with pytest.raises(
        ValueError, match=r"expected a tensor with values. Received: a KerasTensor.* of shape \(None, 3\)"
    ):
        ops.convert_to_numpy(KerasTensor((None, 3)))


def test_shapes_of_what_is_symbolic():
    x = KerasTensor((None, 3), "float16")
    assert (ops.shape(x), ops.dtype(x), ops.is_tensor(x), ops.is_tensor(X)) == ((None, 3), "float16", False, True)
    assert ops.shape([[1, 2]]) == (1, 2)
    assert [part.shape for part in ops.unstack(x, axis=1)] == [(None,)] * 3
    assert len(ops.unstack(KerasTensor((None, 3)), num=4)) == 4
    assert ops.rearrange(KerasTensor((None, 6, 2)), "b (h w) c -> b h (w c)", h=2).shape == (None, 2, 6)
    assert ops.slice(KerasTensor((None, 5)), (0, 1), (-1, 2)).shape == (None, 2)
    assert ops.slice(X, (1, 1), (-1, -1)).shape == (3, 2)


@pytest.mark.parametrize(("pattern", "sizes", "message"), [
    ("a b", {}, "one '->' in `pattern`"),
    ("a b -> a", {}, "each of the 2 axes on both sides"),
    ("a a -> a a", {}, "names of axes, each once"),
    ("a b c -> c b a", {}, "each of the 2 axes on both sides"),
    ("(a b) c -> a b c", {}, r"lengths that make the axis \(a b\) of size 4"),
    ("(a b) c -> a b c", {"a": 3}, r"lengths that make the axis \(a b\) of size 4"),
])  # fmt: skip
def test_patterns_are_checked(pattern, sizes, message):
    with pytest.raises(ValueError, match=f"rearrange: expected .*{message}"):
        ops.rearrange(X, pattern, **sizes)


def test_blocks_are_checked():
    with pytest.raises(ValueError, match=r"slice: expected `start_indices` and `shape` with a number for each axis"):
        ops.slice(X, (1,), (2, 2))
    with pytest.raises(ValueError, match=r"slice_update: expected `updates` of the rank of `inputs`"):
        ops.slice_update(X, (1,), X[:2])
    with pytest.raises(ValueError, match=r"unstack: expected `num` to be the size of axis 0. Received: num=2"):
        ops.unstack(X, num=2)
    with pytest.raises(ValueError, match=r"Invalid reduction: adds. Supported values are.* Did you mean 'add'"):
        ops.scatter_update(X, [[0]], X[:1], reduction="adds")


def test_gradients_of_updates():
    for reduction in ("max", "min", "mul"):
        x, updates = X.clone().requires_grad_(), torch.randn(2, 3).requires_grad_()
        ops.scatter_update(x, [[1], [3]], updates, reduction=reduction).sum().backward()
        function = {"max": torch.maximum, "min": torch.minimum, "mul": torch.mul}[reduction]
        y, others = X.clone().requires_grad_(), updates.detach().clone().requires_grad_()
        function(y[[1, 3]], others).sum().backward()
        y.grad[[0, 2]] = 1
        torch.testing.assert_close(x.grad, y.grad)
        torch.testing.assert_close(updates.grad, others.grad)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own, at first use
def test_derivatives_forwards():
    value, slope = ops.jvp(lambda x: x**3, (X,), (torch.ones_like(X),))
    torch.testing.assert_close(value, X**3)
    torch.testing.assert_close(slope, 3 * X**2)
    value, slope, more = ops.jvp(lambda x, y: (x * y, x + 1), (X, X + 1), (X, X), has_aux=True)
    torch.testing.assert_close(slope, X * (X + 1) + X * X)
    torch.testing.assert_close(more, X + 1)

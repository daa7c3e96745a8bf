"""Each op against Keras 3 live: value, dtype, gradient, and the shape of a symbolic call with unknown axes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cases.ops import ON_TENSORFLOW, REFUSED, ROWS
from cases.ops.numpy_rows import UNARY

import kshim
from kshim.core import tree
from kshim.graph.keras_tensor import KerasTensor

keras = pytest.importorskip("keras")  # Python 3.10 has no Keras 3.15

# Keras' own count_nonzero transposes with ``x.T``.
pytestmark = pytest.mark.filterwarnings("ignore:Tensor.T is deprecated:UserWarning",
                                        "ignore:The use of .x.T. on tensors:UserWarning")  # fmt: skip

GOLDENS = Path(__file__).parent / "oracle" / "ops-tensorflow.npz"
ROWLESS = {"empty", "empty_like", "argpartition"}  # what is in them is open
ROWLESS |= {"image", "jvp", "vectorize", "custom_gradient", "convert_to_numpy"}  # tests of their own


def ids(rows):
    return [f"{i}-{row}" for i, row in enumerate(rows)]


def tensors(value, grad=False):
    """``value`` with a tensor for each array."""

    def convert(leaf):
        if not isinstance(leaf, np.ndarray):
            return leaf
        tensor = torch.tensor(leaf)
        return tensor.requires_grad_(grad and tensor.is_floating_point())

    return tree.map_structure(convert, value)


def call(module, row, args):
    function = getattr(module.ops, row.name)
    try:
        return function(*args, **row.kwargs)
    except (TypeError, ValueError, RuntimeError, NotImplementedError, IndexError) as error:
        return error


def same(found, expected):
    assert isinstance(found, Exception) == isinstance(expected, Exception), (found, expected)
    if isinstance(expected, Exception):
        assert type(found) is type(expected), (found, expected)
        return
    found, expected = tree.flatten(found), tree.flatten(expected)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        b = torch.as_tensor(b) if isinstance(b, np.ndarray | np.generic) else b  # Keras indexes an array as it is
        if isinstance(b, torch.Tensor):
            assert a.shape == b.shape
            half = b.dtype in (torch.float16, torch.bfloat16)
            torch.testing.assert_close(a, b, rtol=2e-3 if half else 1e-5, atol=1e-3 if half else 2e-6, equal_nan=True)
        else:
            assert a == b


OF_ARRAYS = [row for row in ROWS if row.arrays]


@pytest.mark.parametrize("row", OF_ARRAYS, ids=ids(OF_ARRAYS))
def test_value_and_dtype_of_arrays(row):
    same(call(kshim, row, row.args), call(keras, row, row.args))


@pytest.mark.parametrize("row", ROWS, ids=ids(ROWS))
def test_value_and_gradient_of_tensors(row):
    ours, theirs = tensors(row.args, True), tensors(row.args, True)
    found, expected = call(kshim, row, ours), call(keras, row, theirs)
    same(found, expected)
    if not row.gradient or isinstance(expected, Exception):
        return
    for result in (found, expected):
        leaves = [t for t in tree.flatten(result) if isinstance(t, torch.Tensor) and t.requires_grad]
        if leaves:
            sum(t.abs().sum() if t.is_complex() else t.double().sum() for t in leaves).backward()
    for a, b in zip(tree.flatten(ours), tree.flatten(theirs), strict=True):
        if isinstance(a, torch.Tensor) and a.requires_grad:
            assert (a.grad is None) == (b.grad is None)
            if a.grad is not None:
                half = a.grad.dtype in (torch.float16, torch.bfloat16)
                limits = {"rtol": 1e-2, "atol": 2e-3} if half else {"rtol": 1e-4, "atol": 1e-5}
                torch.testing.assert_close(a.grad, b.grad, **limits, equal_nan=True)


SYMBOLIC = [row for row in ROWS if row.symbolic]


@pytest.mark.parametrize("row", SYMBOLIC, ids=ids(SYMBOLIC))
def test_symbolic_shape_is_that_of_the_values(row):
    expected = call(kshim, row, tensors(row.args))
    if isinstance(expected, Exception):
        return

    def symbolic(leaf):
        return KerasTensor(leaf.shape, leaf.dtype) if isinstance(leaf, np.ndarray) else leaf

    found = tree.flatten(call(kshim, row, tree.map_structure(symbolic, row.args)))
    for a, b in zip(found, tree.flatten(expected), strict=True):
        if isinstance(b, torch.Tensor):
            assert tuple(a.shape) == tuple(b.shape)
            assert kshim.core.dtypes.name_of(a.dtype) == kshim.core.dtypes.name_of(b.dtype)


ELEMENTS = [row for row in SYMBOLIC if len(row.args) == 1 and getattr(row.args[0], "ndim", 0) == 2 and not row.kwargs
            and row.name in UNARY]  # fmt: skip


@pytest.mark.parametrize("row", ELEMENTS, ids=ids(ELEMENTS))
def test_an_unknown_axis_stays_unknown(row):
    found = call(kshim, row, (KerasTensor((None, 3), row.args[0].dtype),))
    assert found.shape == (None, 3)


# Where the two name another shape or dtype for an unknown first axis, or one of them none.
SPECS_DIFFER = {
    # Keras' spec is not what it computes
    "reciprocal", "logaddexp", "logaddexp2", "imag", "real", "angle", "corrcoef", "rot90", "ndim", "searchsorted",
    "unravel_index", "multi_hot", "categorical_crossentropy", "top_k", "norm", "polar", "full",
    # Keras has none
    "heaviside", "hypot", "correlate", "tensordot", "conv", "adaptive_max_pool", "adaptive_average_pool",
    "batch_normalization", "ctc_loss", "lu_factor", "qr", "svd", "fft", "rearrange",
    # a diagonal of min(None, 3) elements is taken for one of 3: axes stand for large sizes
    "diag", "diagonal",
    # the rows' other arguments have a first axis of their own, which must be the same
    "slogdet", "fold", "sparse_categorical_crossentropy", "dot_product_attention", "in_top_k", "segment_sum",
    "segment_max", "segment_min", "segment_prod", "logdet", "scan",
}  # fmt: skip
WITH_AXES = [
    row for row in SYMBOLIC
    if row.name not in SPECS_DIFFER
    and any(isinstance(leaf, np.ndarray) for leaf in tree.flatten(row.args))
    and next(leaf for leaf in tree.flatten(row.args) if isinstance(leaf, np.ndarray)).ndim
]  # fmt: skip


def with_an_unknown_axis(row, tensor):
    """The row's arguments, symbolic; the first array's first axis is not known, nor that of others of its form."""
    first = next(leaf for leaf in tree.flatten(row.args) if isinstance(leaf, np.ndarray))

    def convert(leaf):
        if not isinstance(leaf, np.ndarray):
            return leaf
        alike = leaf.ndim == first.ndim and leaf.shape[0] == first.shape[0]
        return tensor((None, *leaf.shape[1:]) if alike else leaf.shape, str(leaf.dtype))

    return tree.map_structure(convert, row.args)


@pytest.mark.parametrize("row", WITH_AXES, ids=ids(WITH_AXES))
def test_specs_with_an_unknown_axis_are_keras(row):
    found = call(kshim, row, with_an_unknown_axis(row, KerasTensor))
    expected = call(keras, row, with_an_unknown_axis(row, keras.KerasTensor))
    if isinstance(expected, Exception):
        assert type(found) is type(expected), (found, expected)
        return
    for a, b in zip(tree.flatten(found), tree.flatten(expected), strict=True):
        assert (tuple(a.shape), kshim.core.dtypes.name_of(a.dtype)) == (tuple(b.shape), b.dtype)


def test_a_functional_model_of_ops_runs_and_is_compiled():
    inputs = kshim.Input((3,))
    model = kshim.Model(inputs, kshim.ops.maximum(kshim.ops.sum(kshim.ops.exp(inputs) * 2, axis=-1, keepdims=True), 1))
    x = torch.tensor([[0.5, -1.0, 0.25]])
    expected = (x.exp() * 2).sum(-1, keepdim=True).clip(1)
    torch.testing.assert_close(model(x), expected)
    compiled = torch.compile(lambda x: kshim.ops.sum(kshim.ops.exp(x) * 2, -1, True), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.parametrize("row", REFUSED, ids=ids(REFUSED))
def test_bad_input_is_refused_as_keras_does(row):
    found, expected = call(kshim, row, row.args), call(keras, row, row.args)
    assert isinstance(expected, Exception)
    of_torch = type(expected) in (RuntimeError, IndexError)  # torch's own, let through; kshim says what was expected
    assert type(found) is (ValueError if of_torch else type(expected))
    assert row.name in str(found)


def test_values_are_needed_for_shapes_that_depend_on_them():
    with pytest.raises(NotImplementedError, match="nonzero"):
        kshim.ops.nonzero(KerasTensor((2, 3)))


def test_views_share_memory():
    x = torch.zeros(2, 3)
    for name, *args in (("reshape", (3, 2)), ("transpose",), ("expand_dims", 0), ("split", 3, 1), ("diagonal",)):
        found = getattr(kshim.ops, name)(x, *args)
        found = found[0] if isinstance(found, list) else found
        assert found.untyped_storage().data_ptr() == x.untyped_storage().data_ptr(), name


@pytest.mark.parametrize(("index", "row"), list(enumerate(ON_TENSORFLOW)), ids=ids(ON_TENSORFLOW))
def test_where_keras_is_wrong_on_torch(index, row):
    with np.load(GOLDENS) as goldens:
        expected = torch.tensor(goldens[f"{index}-{row.name}"])
    torch.testing.assert_close(call(kshim, row, row.args), expected, rtol=1e-5, atol=2e-6)
    symbolic = tree.map_structure(lambda leaf: KerasTensor((None, *leaf.shape[1:]), leaf.dtype), row.args[0])
    assert call(kshim, row, (symbolic, *row.args[1:])).shape == (None, *expected.shape[1:])


def test_sparsemax_lies_on_the_simplex_and_is_nearest():
    x = torch.randn(50, 6, dtype=torch.float64)
    found = kshim.ops.sparsemax(x)
    torch.testing.assert_close(found.sum(-1), torch.ones(50, dtype=torch.float64))
    assert (found >= 0).all()
    others = torch.distributions.Dirichlet(torch.ones(6, dtype=torch.float64)).sample((400,))
    nearest = (x - found).square().sum(-1)
    assert (nearest[:, None] <= (x[:, None] - others).square().sum(-1) + 1e-12).all()


def test_segments_without_a_number_have_an_unknown_axis():
    found = kshim.ops.segment_sum(KerasTensor((5, 3), "float32"), KerasTensor((5,), "int32"))
    assert found.shape == (None, 3)
    inputs, ids = kshim.Input((3,)), kshim.Input((), dtype="int32")
    model = kshim.Model([inputs, ids], kshim.ops.segment_max(inputs, ids))
    found = model([torch.tensor([[1.0, 2, 3], [4, 0, 1]]), torch.tensor([0, 0])])
    assert found.tolist() == [[4.0, 2.0, 3.0]]


def test_a_convolution_has_two_paddings():
    with pytest.raises(ValueError, match=r"conv: expected `padding` to be 'valid' or 'same'. Received: padding='full'"):
        kshim.ops.conv(torch.ones(1, 4, 1), torch.ones(2, 1, 1), padding="full")


def test_every_op_has_a_row():
    without = set(kshim.ops.__all__) - {row.name for row in ROWS + ON_TENSORFLOW}
    assert sorted(without - ROWLESS) == []

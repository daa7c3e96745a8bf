"""Activations: a row for each function, and what must hold for every row, against the real Keras 3."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pytest
import torch

from kshim import activations
from kshim.core import registry, settings
from kshim.graph.keras_tensor import KerasTensor

# Kinks of all functions, ordinary numbers, and numbers at which exp over- and underflows. 24 of them: 4 x 6.
GRID = np.array(
    [-1e4, -100, -88, -20, -6, -3, -2.5, -1, -0.5, -0.1, -1e-6, 0, 1e-6, 0.1, 0.5, 0.7, 1, 2, 3, 6, 7, 20, 88, 1e4],
    "float32",
).reshape(4, 6)
ROWS = np.array([[0, 1, 2, -1, 0.5, 0.4], [3, 3, 3, 3, 3, 3], [1e4, -1e4, 0, 1, 2, 3], [0.1, 0.2, 0.1, 0, -5, 0]], "f")
# Apart by more than 1: all that Keras 3.15's sparsemax can do.
APART = np.array([[0, 1.5, 3, -1, 5.5, 4.2], [3, 1, 7, 5.5, 10, 8], [1e4, -1e4, 0, 1, 2, 3]], "float32")


class Case(NamedTuple):
    name: str
    arguments: Mapping = MappingProxyType({})
    inputs: np.ndarray = GRID


CASES = [
    Case("linear"), Case("relu"), Case("relu6"), Case("elu"), Case("selu"), Case("celu"), Case("gelu"), Case("silu"),
    Case("swish"), Case("mish"), Case("sigmoid"), Case("hard_sigmoid"), Case("log_sigmoid"), Case("sparse_sigmoid"),
    Case("hard_silu"), Case("hard_swish"), Case("tanh"), Case("hard_tanh"), Case("tanh_shrink"), Case("soft_shrink"),
    Case("hard_shrink"), Case("exponential"), Case("softplus"), Case("softsign"), Case("squareplus"),
    Case("sparse_plus"), Case("leaky_relu"), Case("glu"), Case("softmax", inputs=ROWS),
    Case("log_softmax", inputs=ROWS), Case("sparsemax", inputs=APART),
    Case("threshold", {"threshold": 0.5, "default_value": -2.0}),
    Case("relu", {"negative_slope": 0.3}),
    Case("relu", {"max_value": 6}),
    Case("relu", {"max_value": 2.0}),
    Case("relu", {"threshold": 1.0}),
    Case("relu", {"threshold": -1.0}),
    Case("relu", {"negative_slope": 0.3, "max_value": 2.0}),
    Case("relu", {"negative_slope": 0.3, "max_value": 3.0, "threshold": 0.7}),
    Case("leaky_relu", {"negative_slope": 0.05}),
    Case("elu", {"alpha": 0.4}),
    Case("celu", {"alpha": 0.4}),
    Case("gelu", {"approximate": True}),
    Case("squareplus", {"b": 0.5}),
    Case("soft_shrink", {"threshold": 2.0}),
    Case("hard_shrink", {"threshold": 2.0}),
    Case("glu", {"axis": 0}),
    Case("softmax", {"axis": 0}, ROWS),
    Case("log_softmax", {"axis": 0}, ROWS),
    Case("sparsemax", {"axis": 0}, APART.T),
    Case("softmax", inputs=ROWS[0]),
    Case("softmax", inputs=ROWS.reshape(2, 2, 6)),
]  # fmt: skip
every = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}{list(case.arguments.items()) or ''}")
FUNCTIONS = sorted({case.name for case in CASES})


def run(function, case):
    """The function's values, and the gradient of their sum, weighted by counting numbers."""
    inputs = torch.tensor(case.inputs, requires_grad=True)
    outputs = function(inputs, **case.arguments)
    weights = torch.arange(1.0, outputs.numel() + 1).reshape(outputs.shape)
    (gradient,) = torch.autograd.grad((outputs * weights).sum(), inputs)
    return outputs.detach().numpy(), gradient.numpy()


@every
def test_value_and_gradient_are_keras(case, keras3):
    with keras3.device("cpu"):
        expected = run(getattr(keras3.activations, case.name), case)
    for own, theirs in zip(run(getattr(activations, case.name), case), expected, strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=1e-7)


@every
def test_arrays_and_symbolic_tensors(case):
    function = getattr(activations, case.name)
    expected = function(torch.tensor(case.inputs), **case.arguments)
    # A read-only array with negative strides: all that torch itself refuses.
    array = case.inputs[::-1].copy()[::-1]
    array.flags.writeable = False
    np.testing.assert_array_equal(np.asarray(function(array, **case.arguments)), expected)
    np.testing.assert_array_equal(np.asarray(function(case.inputs.tolist(), **case.arguments)), expected)
    axes_known = case.arguments.get("axis") == 0 or case.inputs.ndim == 1
    shape = case.inputs.shape if axes_known else (None, *case.inputs.shape[1:])
    symbolic = function(KerasTensor(shape), **case.arguments)
    assert symbolic.shape == tuple(expected.shape if axes_known else (None, *expected.shape[1:]))


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_kept(case, dtype):
    assert getattr(activations, case.name)(torch.tensor(case.inputs).to(dtype), **case.arguments).dtype == dtype


def test_lists_become_floatx(monkeypatch):
    monkeypatch.setitem(settings._values, "floatx", "float64")
    assert activations.tanh([0.1]).item() == np.tanh(0.1)
    assert activations.tanh(np.float32([0.1])).dtype == torch.float32


def test_every_function_has_a_case(keras3):
    public = {name for name, value in vars(keras3.activations).items() if inspect.isfunction(value)}
    assert set(FUNCTIONS) | {"get", "serialize", "deserialize"} == public


@pytest.mark.parametrize("name", [*FUNCTIONS, "get", "serialize", "deserialize"])
def test_signature_is_keras(name, keras3):
    own, theirs = getattr(activations, name), getattr(keras3.activations, name)
    assert inspect.signature(own) == inspect.signature(theirs)


def test_names_are_keras(keras3):
    for name, theirs in keras3.src.activations.ALL_OBJECTS_DICT.items():
        assert activations.get(name).__name__ == theirs.__name__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_config_is_the_name(name, keras3):
    function = activations.get(name)
    assert function is getattr(activations, name)
    config = activations.serialize(function)
    assert config == keras3.activations.serialize(getattr(keras3.activations, name))
    assert activations.deserialize(config) is function
    assert activations.get({"class_name": "function", "config": config}) is function


def own_activation(x):
    return x


def test_own_functions(keras3):
    assert activations.get(None) is activations.linear
    assert activations.get(own_activation) is own_activation
    config = activations.serialize(own_activation)
    assert config == keras3.activations.serialize(own_activation)
    with registry.custom_object_scope({"own_activation": own_activation}):
        assert activations.get(config) is activations.get("own_activation") is own_activation
    assert activations.deserialize(config, {"own_activation": own_activation}) is own_activation


def test_registered_functions(monkeypatch):
    monkeypatch.setattr(registry, "_global_custom", {})

    @registry.register_keras_serializable("pack")
    def doubled(x):
        return 2 * x

    config = activations.serialize(doubled)
    assert config["config"] == "pack>doubled"
    assert activations.get(config) is doubled


def test_errors():
    with pytest.raises(ValueError, match=r"Received: 'rellu'. Did you mean 'relu'\?"):
        activations.get("rellu")
    with pytest.raises(ValueError, match=r"Could not interpret activation identifier: .* Received: 3"):
        activations.get(3)
    with pytest.raises(ValueError, match=r"activation config needs a 'class_name'. Received: {}"):
        activations.get({})


@pytest.mark.parametrize("axis", [None, (1, 2), (2, 0)])
def test_softmax_over_several_axes(axis, keras3):
    x = torch.randn(2, 3, 4)
    with keras3.device("cpu"):
        for name in ("softmax", "log_softmax"):
            expected = getattr(keras3.activations, name)(x, axis=axis)
            torch.testing.assert_close(getattr(activations, name)(x, axis=axis), expected)


def test_softmax_over_axes_counted_from_both_ends():
    x = torch.randn(2, 3, 4)
    torch.testing.assert_close(activations.softmax(x, axis=(0, -1)), activations.softmax(x, axis=(0, 2)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_sparsemax_is_the_nearest_point_of_the_simplex(dtype):
    x = torch.randn(50, 6, dtype=dtype) * torch.tensor([[0.01], [0.3], [1.0], [10.0], [1000.0]], dtype=dtype).repeat(
        10, 1
    )
    outputs = activations.sparsemax(x).double()
    # tau by bisection: sum(max(x - tau, 0)) falls as tau rises
    x = x.double()
    low, high = x.amax(-1, keepdim=True) - 1, x.amax(-1, keepdim=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = (x - middle).clamp(min=0).sum(-1, keepdim=True) > 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    torch.testing.assert_close(outputs, (x - low).clamp(min=0), rtol=0, atol=10 * torch.finfo(dtype).eps)
    assert torch.autograd.gradcheck(activations.sparsemax, x[1:3].requires_grad_())


def test_softmax_over_one_unit_warns():
    with pytest.warns(UserWarning, match=r"shape \(2, 1\).*Did you mean a sigmoid"):
        assert activations.softmax(torch.zeros(2, 1)).tolist() == [[1], [1]]


@pytest.mark.parametrize(("function", "name"), [("softmax", "_softmax_logits"), ("sigmoid", "_sigmoid_logits")])
def test_logits_travel_with_the_outputs(function, name):
    x, function = torch.randn(2, 3), getattr(activations, function)
    assert getattr(function(x), name) is x
    with torch.no_grad():
        assert not hasattr(function(x), name)
    assert not hasattr(function(KerasTensor((None, 3))), name)


def test_logits_only_over_the_last_axis():
    x = torch.randn(2, 3)
    assert activations.softmax(x, axis=1)._softmax_logits is x
    assert not hasattr(activations.softmax(x, axis=0), "_softmax_logits")
    assert not hasattr(activations.softmax(x, axis=None), "_softmax_logits")

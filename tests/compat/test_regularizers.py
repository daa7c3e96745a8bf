"""Regularizers: a row for each class, values and gradients against the real Keras 3."""

import inspect
from typing import NamedTuple

import numpy as np
import pytest
import torch

from kshim import regularizers
from kshim.core.configurable import Configurable


class Case(NamedTuple):
    name: str
    arguments: dict


CASES = [
    Case("L1", {"l1": 0.3}),
    Case("L2", {"l2": 0.2}),
    Case("L1L2", {"l1": 0.3, "l2": 0.2}),
    Case("L1L2", {"l1": 0.3, "l2": 0.0}),
    Case("L1L2", {"l1": 0.0, "l2": 2.0}),
    Case("OrthogonalRegularizer", {"factor": 0.4, "mode": "rows"}),
    Case("OrthogonalRegularizer", {"factor": 0.4, "mode": "columns"}),
]
every = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{'-'.join(map(str, case.arguments))}")
NAMES = sorted({case.name for case in CASES})


def value_and_gradient(regularizer):
    x = torch.tensor(np.linspace(-1.5, 2.0, 12).reshape(3, 4).astype("float32"), requires_grad=True)
    value = regularizer(x)
    return value.detach(), *torch.autograd.grad(value, x)


@every
def test_value_and_gradient_are_keras(case, keras3):
    with keras3.device("cpu"):
        expected = value_and_gradient(getattr(keras3.regularizers, case.name)(**case.arguments))
    own = value_and_gradient(getattr(regularizers, case.name)(**case.arguments))
    torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-6)
    assert own[0].shape == ()


@every
def test_config_is_keras(case, keras3):
    own = getattr(regularizers, case.name)(**case.arguments)
    config = regularizers.serialize(own)
    expected = keras3.regularizers.serialize(getattr(keras3.regularizers, case.name)(**case.arguments))
    assert config == {**expected, "config": case.arguments}
    for name, value in expected["config"].items():  # Keras rounds some to float32
        assert config["config"][name] == (value if isinstance(value, str) else pytest.approx(value))
    again = regularizers.deserialize(config)
    assert type(again) is type(own)
    assert repr(again) == repr(own) == f"{case.name}({', '.join(f'{k}={v!r}' for k, v in case.arguments.items())})"


@every
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtype_is_kept(case, dtype):
    assert getattr(regularizers, case.name)(**case.arguments)(torch.ones(3, 4, dtype=dtype)).dtype == dtype


def test_arrays():
    array = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
    for case in CASES:
        regularizer = getattr(regularizers, case.name)(**case.arguments)
        torch.testing.assert_close(regularizer(array), regularizer(torch.tensor(array)))


def test_nothing_to_penalise():
    assert regularizers.L1L2()(torch.ones(3, dtype=torch.float64)) == torch.zeros((), dtype=torch.float64)
    assert regularizers.L1L2(None, None).get_config() == {"l1": 0.0, "l2": 0.0}
    assert regularizers.L1(None).l1 == regularizers.L2(None).l2 == 0.01
    assert regularizers.Regularizer()(torch.ones(3)) == 0


def test_rows_of_zeros_have_a_penalty():
    assert regularizers.OrthogonalRegularizer()(torch.zeros(3, 4)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_keras(name, keras3):
    own, theirs = getattr(regularizers, name), getattr(keras3.regularizers, name)
    assert inspect.signature(own) == inspect.signature(theirs)
    assert inspect.signature(own.__call__) == inspect.signature(theirs.__call__)


def test_every_class_has_a_case(keras3):
    public = {value.__name__ for value in vars(keras3.regularizers).values() if inspect.isclass(value)}
    assert {*NAMES, "Regularizer"} == public
    for name in vars(keras3.regularizers):
        assert name.startswith("_") or hasattr(regularizers, name), name


def test_names_are_keras(keras3):
    for name, theirs in keras3.src.regularizers.ALL_OBJECTS_DICT.items():
        assert type(regularizers.get(name)).__name__ == theirs.__name__


def test_get_takes_classes_and_functions():
    def half(x):
        return 0.5 * x.sum()

    assert regularizers.get(None) is None
    assert regularizers.get(half) is half
    assert regularizers.get(regularizers.L1).l1 == 0.01


def test_arguments_of_layers_are_resolved():
    class Holder(Configurable):
        def __init__(self, kernel_regularizer="l2", bias_regularizer=None):
            self.keep(locals())

    config = Configurable.get_config(Holder())
    assert config["kernel_regularizer"]["config"] == {"l2": 0.01}
    assert config["bias_regularizer"] is None
    assert isinstance(Holder(**config).kernel_regularizer, regularizers.L2)


def test_a_class_of_ones_own():
    class Cubes(regularizers.Regularizer):
        def __init__(self, strength=1.0):
            self.strength = strength

        def __call__(self, x):
            return self.strength * (x**3).abs().sum()

    assert Cubes(2.0).get_config() == {"strength": 2.0}
    assert regularizers.get(Cubes(2.0))(torch.ones(3)) == 6


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: regularizers.get("L1L3"), r"Unknown regularizer: .* Received: 'L1L3'. Did you mean 'L1L2'\?"),
        (lambda: regularizers.get(0.1), "Could not interpret regularizer identifier: .* Received: 0.1"),
        (lambda: regularizers.L1(-0.1), "L1: expected `l1` to be a finite number of at least 0. Received: l1=-0.1"),
        (lambda: regularizers.L2(float("nan")), "Received: l2=nan"),
        (lambda: regularizers.L1L2(l2=float("inf")), "Received: l2=inf"),
        (lambda: regularizers.L1L2("no"), "Received: l1='no'"),
        (lambda: regularizers.OrthogonalRegularizer(mode="no"), r"one of \('rows', 'columns'\). Received: mode='no'"),
        (lambda: regularizers.OrthogonalRegularizer()(torch.ones(3)), r"rank 2. Received: inputs of shape \(3,\)"),
    ],
)
def test_errors(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()

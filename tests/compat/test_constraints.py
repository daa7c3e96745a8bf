"""Constraints: a row for each class, values and gradients against the real Keras 3."""

import inspect
from typing import NamedTuple

import numpy as np
import pytest
import torch

from kshim import constraints
from kshim.core import settings
from kshim.core.configurable import Configurable
from kshim.core.variable import Variable


class Case(NamedTuple):
    name: str
    arguments: dict


CASES = [
    Case("NonNeg", {}),
    Case("UnitNorm", {"axis": 0}),
    Case("UnitNorm", {"axis": -1}),
    Case("UnitNorm", {"axis": (0, 1)}),
    Case("UnitNorm", {"axis": [0, 1]}),
    Case("UnitNorm", {"axis": None}),
    Case("MaxNorm", {"max_value": 2, "axis": 0}),
    Case("MaxNorm", {"max_value": 0.5, "axis": 1}),
    Case("MaxNorm", {"max_value": 3.0, "axis": (0, 1)}),
    Case("MinMaxNorm", {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0}),
    Case("MinMaxNorm", {"min_value": 2.5, "max_value": 4.0, "rate": 0.3, "axis": 1}),
]
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name + "-".join(map(str, case.arguments.values())))
NAMES = sorted({case.name for case in CASES})
WEIGHT = np.linspace(-2.0, 2.5, 24).reshape(4, 3, 2).astype("float32")


def value_and_gradient(constraint):
    weight = torch.tensor(WEIGHT, requires_grad=True)
    value = constraint(weight)
    return value.detach(), *torch.autograd.grad((value * torch.arange(1.0, 25).reshape(4, 3, 2)).sum(), weight)


@every
def test_value_and_gradient_are_keras(case, keras3):
    with keras3.device("cpu"):
        expected = value_and_gradient(getattr(keras3.constraints, case.name)(**case.arguments))
    own = value_and_gradient(getattr(constraints, case.name)(**case.arguments))
    torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-6)


@every
def test_config_is_keras(case, keras3):
    own = getattr(constraints, case.name)(**case.arguments)
    config = constraints.serialize(own)
    assert config == keras3.constraints.serialize(getattr(keras3.constraints, case.name)(**case.arguments))
    again = constraints.deserialize(config)
    assert type(again) is type(own)
    assert repr(again) == repr(own) == f"{case.name}({', '.join(f'{k}={v!r}' for k, v in case.arguments.items())})"


@every
def test_a_new_tensor_comes_back(case):
    variable = Variable(torch.tensor(WEIGHT))
    constraint = getattr(constraints, case.name)(**case.arguments)
    value = constraint(variable)
    assert torch.equal(variable, torch.tensor(WEIGHT))
    assert value.shape == variable.shape
    torch.testing.assert_close(constraint(WEIGHT), value.detach())
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert constraint(torch.tensor(WEIGHT).to(dtype)).dtype == dtype


def test_columns_of_zeros_stay():
    weight = torch.tensor([[0.0, 3.0], [0.0, 4.0]])
    for constraint in (constraints.UnitNorm(), constraints.MaxNorm(), constraints.MinMaxNorm(0.5, 2)):
        assert constraint(weight)[:, 0].tolist() == [0, 0]


def test_epsilon_is_the_settings(monkeypatch):
    monkeypatch.setitem(settings._values, "epsilon", 1.0)
    assert constraints.UnitNorm()(torch.tensor([3.0, 4.0])).tolist() == [0.5, pytest.approx(4 / 6)]


def test_the_base_class_changes_nothing():
    weight = torch.ones(3)
    assert constraints.Constraint()(weight) is weight


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_keras(name, keras3):
    own, theirs = getattr(constraints, name), getattr(keras3.constraints, name)
    assert inspect.signature(own) == inspect.signature(theirs)
    assert inspect.signature(own.__call__) == inspect.signature(theirs.__call__)


def test_every_class_has_a_case(keras3):
    public = {value.__name__ for value in vars(keras3.constraints).values() if inspect.isclass(value)}
    assert {*NAMES, "Constraint"} == public
    for name in vars(keras3.constraints):
        assert name.startswith("_") or hasattr(constraints, name), name


def test_names_are_keras(keras3):
    for name, theirs in keras3.src.constraints.ALL_OBJECTS_DICT.items():
        assert type(constraints.get(name)).__name__ == theirs.__name__


def test_get_takes_classes_and_functions():
    def halved(w):
        return w / 2

    assert constraints.get(None) is None
    assert constraints.get(halved) is halved
    assert constraints.get(constraints.MaxNorm).max_value == 2


def test_arguments_of_layers_are_resolved():
    class Holder(Configurable):
        def __init__(self, kernel_constraint="max_norm", bias_constraint=None):
            self.keep(locals())

    config = Configurable.get_config(Holder())
    assert config["kernel_constraint"]["config"] == {"max_value": 2, "axis": 0}
    assert config["bias_constraint"] is None
    assert isinstance(Holder(**config).kernel_constraint, constraints.MaxNorm)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("max_nrm", r"Unknown constraint: .* Received: 'max_nrm'. Did you mean 'max_norm'\?"),
        (0.1, r"Could not interpret constraint identifier: .* Received: 0.1"),
    ],
)
def test_errors(identifier, message):
    with pytest.raises(ValueError, match=message):
        constraints.get(identifier)

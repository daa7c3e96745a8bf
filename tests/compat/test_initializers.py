"""Initializers: a row for each class; the values are those of the real Keras 3, number by number."""

import inspect
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

from kshim import initializers
from kshim.core import registry
from kshim.core.configurable import Configurable
from kshim.random import SeedGenerator

MATRIX, KERNEL = (30, 20), (3, 3, 5, 8)
SHAPES = [MATRIX, (20, 30), KERNEL, (7,), (2, 3, 4)]
AXES = {"input_axes": (0, 1), "output_axes": (2,)}


class Case(NamedTuple):
    name: str
    arguments: dict
    shapes: list = SHAPES


CASES = [
    Case("Zeros", {}),
    Case("Ones", {}),
    Case("Constant", {"value": -2.5}),
    Case("Constant", {"value": np.array([1.0, 2.0, 4.0])}, [(2, 3)]),
    Case("Identity", {"gain": 0.5}, [(3, 3), (3, 5)]),
    Case("STFT", {"side": "real", "window": "hann", "scaling": "density", "periodic": False}, [(16, 1, 9)]),
    Case("STFT", {"side": "imag", "window": "hamming", "scaling": "spectrum", "periodic": True}, [(16, 1, 9)]),
    Case("STFT", {"side": "imag", "window": "blackman", "scaling": None, "periodic": True}, [(20, 1, 17)]),
    Case("STFT", {"side": "real", "window": None, "scaling": None, "periodic": False}, [(16, 1, 17)]),
    Case("STFT", {"side": "real", "window": [0.1, 0.2, 0.3], "scaling": "density", "periodic": False}, [(3, 1, 9)]),
    Case("RandomNormal", {"mean": 1.0, "stddev": 0.3, "seed": 7}),
    Case("RandomUniform", {"minval": -1.0, "maxval": 3.0, "seed": 7}),
    Case("TruncatedNormal", {"mean": 1.0, "stddev": 0.3, "seed": 7}),
    Case("Orthogonal", {"gain": 1.5, "seed": 7}, [MATRIX, (20, 30), KERNEL]),
    Case("GlorotNormal", {"seed": 7, "input_axes": None, "output_axes": None}),
    Case("GlorotUniform", {"seed": 7, "input_axes": None, "output_axes": None}),
    Case("GlorotUniform", {"seed": 7, **AXES}, [(2, 3, 4)]),
    Case("HeNormal", {"seed": 7, "input_axes": None, "output_axes": None}),
    Case("HeUniform", {"seed": 7, "input_axes": None, "output_axes": None}),
    Case("LecunNormal", {"seed": 7, "input_axes": None, "output_axes": None}),
    Case("LecunUniform", {"seed": 7, "input_axes": None, "output_axes": None}),
    *[
        Case("VarianceScaling", {"scale": 0.3, "mode": mode, "distribution": how, "seed": 7, **axes}, shapes)
        for mode in ("fan_in", "fan_out", "fan_avg")
        for how in ("truncated_normal", "untruncated_normal", "uniform")
        for axes, shapes in (({"input_axes": None, "output_axes": None}, SHAPES), (AXES, [(2, 3, 4)]))
    ],
]


def label(case):
    return case.name + "-".join(str(value) for value in case.arguments.values())


every = pytest.mark.parametrize("case", CASES, ids=label)
NAMES = sorted({case.name for case in CASES})


def make(module, case, **changed):
    return getattr(module.initializers, case.name)(**{**case.arguments, **changed})


class Own:
    """So that ``make`` finds kshim as it finds Keras."""

    initializers = initializers


@every
def test_values_are_keras(case, keras3):
    if case.name == "STFT":
        pytest.importorskip("scipy")  # for Keras
    for shape in case.shapes:
        for dtype in (None, "float64"):
            with keras3.device("cpu"):
                expected = make(keras3, case)(shape, dtype=dtype)
            values = make(Own, case)(shape, dtype=dtype)
            assert values.dtype == expected.dtype
            assert values.device.type == "cpu"
            exact = case.name not in ("STFT", "Orthogonal")
            rtol, atol = (0, 0) if exact else (1e-5, 5e-6)  # Keras computes the STFT's angles in float32
            np.testing.assert_allclose(values.numpy(), expected.numpy(), rtol=rtol, atol=atol)


@every
def test_half_types(case):
    for dtype in ("float16", "bfloat16"):
        values = make(Own, case)(case.shapes[0], dtype=dtype)
        assert str(values.dtype) == f"torch.{dtype}"
        assert values.isfinite().all()


@every
def test_config_is_keras(case, keras3):
    own = make(Own, case)
    expected = keras3.initializers.serialize(make(keras3, case))
    if case.name == "Identity":  # Keras forgets its argument
        expected["config"] = case.arguments
    assert initializers.serialize(own) == expected
    assert list(own.get_config()) == list(inspect.signature(type(own)).parameters)
    again = initializers.deserialize(initializers.serialize(own))
    assert type(again) is type(own)
    assert again.get_config() == own.get_config()
    torch.testing.assert_close(again(case.shapes[0]), own(case.shapes[0]), rtol=0, atol=0)
    assert initializers.get(again) is again


@pytest.mark.parametrize("name", NAMES)
def test_signature_is_keras(name, keras3):
    own, theirs = getattr(initializers, name), getattr(keras3.initializers, name)
    assert inspect.signature(own) == inspect.signature(theirs)
    assert list(inspect.signature(own.__call__).parameters) == ["self", "shape", "dtype"]


def test_every_class_has_a_case(keras3):
    public = {value.__name__ for value in vars(keras3.initializers).values() if inspect.isclass(value)}
    assert {*NAMES, "Initializer"} == public
    for name in vars(keras3.initializers):
        assert name.startswith("_") or hasattr(initializers, name), name


def test_names_are_keras(keras3):
    for name, theirs in keras3.src.initializers.ALL_OBJECTS_DICT.items():
        assert type(initializers.get(name)).__name__ == theirs.__name__


def test_without_legacy_the_names_are_keras_and_no_more(keras3):
    program = """
import importlib, json, sys, types
package = sys.modules["kshim"] = types.ModuleType("kshim")
package.__path__ = [sys.argv[1]]
modules = {kind: importlib.import_module("kshim." + kind) for kind in sys.argv[2:]}
print(json.dumps({kind: sorted(module.REGISTRY.table) for kind, module in modules.items()}))
"""
    kinds = ["activations", "initializers", "regularizers", "constraints"]
    folder = str(Path(initializers.__file__).parent)
    told = subprocess.run([sys.executable, "-c", program, folder, *kinds], check=True, capture_output=True, text=True)
    assert json.loads(told.stdout) == {kind: sorted(getattr(keras3.src, kind).ALL_OBJECTS_DICT) for kind in kinds}


# Formulas, without the oracle: 90,000 draws, so the mean's own deviation is 0.0033 of one, the deviation's 0.0024.
BIG = (300, 300)
DRAWN = {
    "RandomNormal": 0.05,
    "RandomUniform": 0.05 / math.sqrt(3),
    "TruncatedNormal": 0.05 * initializers.TRUNCATED_STDDEV,
    "GlorotNormal": math.sqrt(2 / 600),
    "GlorotUniform": math.sqrt(2 / 600),
    "HeNormal": math.sqrt(2 / 300),
    "HeUniform": math.sqrt(2 / 300),
    "LecunNormal": math.sqrt(1 / 300),
    "LecunUniform": math.sqrt(1 / 300),
    "VarianceScaling": math.sqrt(1 / 300),
    "Orthogonal": math.sqrt(1 / 300),
}


@pytest.mark.parametrize("name", DRAWN)
def test_mean_and_deviation(name):
    values = getattr(initializers, name)(seed=3)(BIG, dtype="float64")
    assert abs(values.mean()) < 0.02 * DRAWN[name]
    assert abs(values.std() / DRAWN[name] - 1) < 0.02
    if name.endswith("Uniform"):
        limit = DRAWN[name] * math.sqrt(3)
        assert 0.999 * limit < values.abs().max() <= limit
    if name in ("TruncatedNormal", "GlorotNormal", "HeNormal", "LecunNormal", "VarianceScaling"):
        limit = 2 * DRAWN[name] / initializers.TRUNCATED_STDDEV
        assert 0.99 * limit < values.abs().max() <= limit


def test_orthogonal():
    tall = initializers.Orthogonal(gain=2.0, seed=1)((6, 4))
    torch.testing.assert_close(tall.T @ tall, 4 * torch.eye(4))
    wide = initializers.Orthogonal(seed=1)((2, 2, 9))
    torch.testing.assert_close(wide.reshape(4, 9) @ wide.reshape(4, 9).T, torch.eye(4))


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4), (3, 3, 4, 8), (2, 2, 2, 3, 5)])
def test_fans_are_keras(shape, keras3):
    theirs = keras3.src.initializers.random_initializers.compute_fans
    assert initializers.compute_fans(shape) == theirs(shape)
    if len(shape) > 2:
        axes = {"input_axes": (0, 1), "output_axes": (-1,)}
        assert initializers.compute_fans(shape, **axes) == theirs(shape, **axes)


def test_an_int_seed_gives_the_same_values_at_every_call():
    seeded = initializers.GlorotUniform(seed=5)
    torch.testing.assert_close(seeded((3, 4)), seeded((3, 4)), rtol=0, atol=0)


def test_without_a_seed_an_initializer_has_one_draw_and_two_have_two():
    first, second = initializers.GlorotUniform(), initializers.GlorotUniform()
    torch.testing.assert_close(first((3, 4)), first((3, 4)), rtol=0, atol=0)
    assert not torch.equal(first((3, 4)), second((3, 4)))
    assert not torch.equal(first((3, 4)), first.clone()((3, 4)))
    assert first.get_config()["seed"] is None


def test_numpys_seed_reproduces_the_values():
    def draw():
        return torch.cat([initializers.get(name)((3, 4)) for name in ("glorot_uniform", "he_normal", "orthogonal")])

    np.random.seed(7)
    first = draw()
    assert not torch.equal(first, draw())
    np.random.seed(7)
    torch.testing.assert_close(draw(), first, rtol=0, atol=0)


def test_torchs_generator_is_left_alone():
    before = torch.get_rng_state()
    for case in CASES:
        make(Own, case)(case.shapes[0])
        initializers.get(case.name)(case.shapes[0])
    assert torch.equal(before, torch.get_rng_state())


def test_a_seed_generator_advances(keras3):
    own = initializers.GlorotUniform(seed=SeedGenerator(3, name="rows"))
    theirs = keras3.initializers.GlorotUniform(seed=keras3.random.SeedGenerator(3, name="rows"))
    assert initializers.serialize(own) == keras3.initializers.serialize(theirs)
    again = initializers.get(initializers.serialize(own))
    assert isinstance(again.seed, SeedGenerator)
    with keras3.device("cpu"):
        for _ in range(3):
            torch.testing.assert_close(own((3, 4)), theirs((3, 4)), rtol=0, atol=0)


def test_get_takes_classes_functions_and_arrays():
    def halves(shape, dtype=None):
        return torch.full(shape, 0.5)

    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.HeNormal), initializers.HeNormal)
    assert initializers.get(halves) is halves
    for values in (np.arange(6.0).reshape(2, 3), torch.arange(6.0).reshape(2, 3)):
        given = initializers.get(values)
        torch.testing.assert_close(given((2, 3), dtype="float32"), torch.arange(6.0).reshape(2, 3))
        with pytest.raises(ValueError, match=r"expected `shape` to be \(2, 3\). Received: shape=\(3, 2\)"):
            given((3, 2))


def test_a_class_of_ones_own(monkeypatch):
    class Ramp(initializers.Initializer):
        def __init__(self, top, power=1):
            self.top = top
            self.power = power

        def __call__(self, shape, dtype=None):
            return torch.linspace(0, self.top, math.prod(shape)).reshape(shape) ** self.power

    ramp = Ramp(4.0)
    assert ramp.get_config() == {"top": 4.0, "power": 1}
    assert repr(ramp.clone()) == "Ramp(top=4.0, power=1)"
    config = initializers.serialize(ramp)
    with pytest.raises(ValueError, match=r"Unknown initializer: .* Received: 'Ramp'"):
        initializers.get(config)
    with registry.custom_object_scope({"Ramp": Ramp}):
        torch.testing.assert_close(initializers.get(config)((3,)), ramp((3,)))


def test_arguments_of_layers_are_resolved():
    class Holder(Configurable):
        def __init__(self, kernel_initializer="glorot_uniform", bias_initializer=None):
            self.keep(locals())

    holder = Holder(bias_initializer=initializers.Constant(2))
    assert isinstance(holder.kernel_initializer, initializers.GlorotUniform)
    config = Configurable.get_config(holder)
    assert config["kernel_initializer"]["class_name"] == "GlorotUniform"
    assert Holder(**config).bias_initializer.value == 2


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: initializers.get("glorot_unifrm"), r"Received: 'glorot_unifrm'. Did you mean 'glorot_uniform'\?"),
        (lambda: initializers.get(3), "Could not interpret initializer identifier: .* Received: 3"),
        (lambda: initializers.RandomNormal(seed="a"), "`seed`: expected an integer .* Received: seed='a'"),
        (lambda: initializers.RandomNormal(seed=1.5), "Received: seed=1.5"),
        (lambda: initializers.VarianceScaling(scale=0), "`scale` to be a number above 0. Received: scale=0"),
        (lambda: initializers.VarianceScaling(mode="fan"), "`mode` to be one of .*fan_avg.* Received: mode='fan'"),
        (lambda: initializers.VarianceScaling(distribution="no"), "uniform'.*. Received: distribution='no'"),
        (lambda: initializers.Identity()((2, 3, 4)), r"Identity: expected .* Received: shape=\(2, 3, 4\)"),
        (lambda: initializers.Orthogonal()((3,)), r"Orthogonal: expected .* Received: shape=\(3,\)"),
        (lambda: initializers.STFT(side="left"), "`side` to be one of .* Received: side='left'"),
        (lambda: initializers.STFT(scaling="loud"), "`scaling` to be one of .* Received: scaling='loud'"),
        (lambda: initializers.STFT(window="glass"), "`window` to be one of .*hann.* Received: window='glass'"),
        (lambda: initializers.STFT(window=[1.0, 2.0])((3, 1, 9)), r"shape \(3,\). Received: window of shape \(2,\)"),
    ],
)
def test_errors(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()


def test_the_base_class_asks_for_call():
    with pytest.raises(NotImplementedError, match="must implement the `__call__"):
        initializers.Initializer()((3,))


def test_normal_is_short_for_truncated_normal():
    assert initializers.VarianceScaling(distribution="Normal").distribution == "truncated_normal"

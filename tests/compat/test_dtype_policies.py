"""Dtype policies against the real Keras 3."""

import numpy as np
import pytest
import torch

import kshim
from kshim import dtype_policies
from kshim.core import settings
from kshim.dtype_policies import DTypePolicy

NAMES = ["float32", "float16", "bfloat16", "float64", "int32", "bool", "mixed_float16", "mixed_bfloat16"]


@pytest.fixture(autouse=True)
def no_global_policy(monkeypatch):
    monkeypatch.setattr(dtype_policies, "_global_policy", None)


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_keras(name, keras3):
    own, theirs = dtype_policies.get(name), keras3.dtype_policies.get(name)
    for attribute in ("name", "compute_dtype", "variable_dtype", "quantization_mode"):
        assert getattr(own, attribute) == getattr(theirs, attribute)
    assert own.get_config() == theirs.get_config()
    assert repr(own) == repr(theirs)
    config = dtype_policies.serialize(own)
    assert config == keras3.dtype_policies.serialize(theirs)
    assert dtype_policies.deserialize(config) == own
    assert hash(dtype_policies.get(config)) == hash(own)
    assert own != DTypePolicy("uint8")


def test_get():
    assert dtype_policies.get(None) == DTypePolicy("float32")
    assert dtype_policies.get(torch.bfloat16) == dtype_policies.get("bfloat16")
    assert dtype_policies.get(np.float64) == dtype_policies.get(np.dtype("float64")) == DTypePolicy("float64")
    policy = DTypePolicy("mixed_float16")
    assert dtype_policies.get(policy) is policy


def test_the_global_policy(monkeypatch):
    assert dtype_policies.dtype_policy().name == "float32"
    monkeypatch.setitem(settings._values, "floatx", "float64")
    assert dtype_policies.dtype_policy().name == DTypePolicy().name == "float64"
    dtype_policies.set_dtype_policy("mixed_float16")
    assert dtype_policies.get(None).variable_dtype == "float32"
    assert DTypePolicy().name == "mixed_float16"
    dtype_policies.set_dtype_policy(DTypePolicy("float16"))
    assert dtype_policies.dtype_policy().compute_dtype == "float16"


def test_errors():
    with pytest.raises(ValueError, match=r"a dtype or one of .*'mixed_bfloat16'.* Received: name='float33'"):
        DTypePolicy("float33")
    with pytest.raises(TypeError, match=r"`name` to be a string. Received: name=3"):
        DTypePolicy(3)
    with pytest.raises(ValueError, match=r"Cannot interpret `dtype` argument. .* Received: dtype=3"):
        dtype_policies.get(3)
    with pytest.raises(ValueError, match=r"a name .* or a DTypePolicy. Received: policy=3"):
        dtype_policies.set_dtype_policy(3)
    for name in ("int8_from_float32", "int4/128_from_float32", "float8_from_mixed_bfloat16", "gptq/4/1_from_float32"):
        with pytest.raises(NotImplementedError, match=f"quantized policies are not supported. Received: name='{name}'"):
            dtype_policies.get(name)


POLICIES = ["float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"]
INPUTS = np.random.RandomState(0).randn(8, 5).astype("float32")
TARGETS = np.random.RandomState(1).randn(8, 1).astype("float32")


def stacked(library, kind, policies):
    """A model of a Dense layer for each policy."""
    made = [library.layers.Dense(n, dtype=p) for n, p in zip((4, 1), policies, strict=True)]
    if kind == "sequential":
        return library.Sequential([library.Input((5,)), *made])
    if kind == "functional":
        inputs = outputs = library.Input((5,))
        for layer in made:
            outputs = layer(outputs)
        return library.Model(inputs, outputs)

    class Subclassed(library.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = made

        def call(self, inputs):
            return self.second(self.first(inputs))

    model = Subclassed()
    model(INPUTS)
    return model


def trained(library, kind, policies):
    """Predictions before and after two epochs, and the losses."""
    model = stacked(library, kind, policies)
    random = np.random.RandomState(2)
    model.set_weights([random.randn(*np.shape(w)).astype("float32") for w in model.get_weights()])
    model.compile("sgd", "mse")
    before = model.predict(INPUTS, verbose=0)
    losses = model.fit(INPUTS, TARGETS, epochs=2, batch_size=4, shuffle=False, verbose=0).history["loss"]
    return [np.asarray(v, "float64") for v in (before, losses, model.predict(INPUTS, verbose=0))]


@pytest.mark.parametrize("first", POLICIES)
@pytest.mark.parametrize("second", POLICIES)
@pytest.mark.parametrize("kind", ["functional", "sequential", "subclassed"])
def test_layers_of_different_dtypes(kind, first, second, keras3):
    half = "bfloat16" if "bfloat16" in first + second else "float16"
    rough = 1e-5 if first == second == "float32" else {"bfloat16": 0.03, "float16": 4e-3}[half]
    own, theirs = (trained(library, kind, (first, second)) for library in (kshim, keras3))
    for mine, real in zip(own, theirs, strict=True):
        np.testing.assert_allclose(mine, real, rtol=rough, atol=rough)


@pytest.mark.parametrize("kind", ["functional", "sequential", "subclassed"])
@pytest.mark.parametrize("name", ["mixed_float16", "mixed_bfloat16"])
def test_a_float32_head_of_a_mixed_model_computes_in_float32(kind, name, keras3):
    before = keras3.mixed_precision.dtype_policy()
    results = []
    try:
        for library in (kshim, keras3):
            library.mixed_precision.set_dtype_policy(name)
            model = stacked(library, kind, (None, "float32"))
            head = model.layers[-1]
            head.set_weights([np.full((4, 1), 1 + 2.0**-14, "float32"), np.zeros(1, "float32")])
            values = head(torch.ones(2, 4, dtype=torch.float16))
            model.layers[-2].set_weights([np.zeros((5, 4), "float32"), np.ones(4, "float32")])
            results.append((values, model(INPUTS)))
    finally:
        keras3.mixed_precision.set_dtype_policy(before)
    for own, theirs in zip(*results, strict=True):
        assert own.dtype == theirs.dtype == torch.float32
        # Half precision would round the kernel to 1.
        np.testing.assert_array_equal(own.detach(), theirs.detach())
        assert float(own[0, 0].detach()) == 4 * (1 + 2.0**-14)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("activation", [None, "softmax", "gelu"])
def test_symbolic_dtypes_are_those_of_a_run(policy, activation, keras3):
    for library in (kshim, keras3):
        inputs = library.Input((5,))
        outputs = library.layers.Dense(3, activation, dtype=policy)(inputs)
        assert outputs.dtype == dtype_policies.get(policy).compute_dtype
        assert str(library.Model(inputs, outputs)(INPUTS).dtype) == f"torch.{outputs.dtype}"


def test_a_function_between_a_mixed_layer_and_a_plain_one():
    inputs = kshim.Input((5,))
    hidden = kshim.layers.Dense(4, dtype="mixed_float16")(inputs) * 2.0
    model = kshim.Model(inputs, kshim.layers.Dense(1, dtype="float32")(hidden))
    assert model(INPUTS).dtype == torch.float32


def test_integers_are_not_cast():
    seen = []

    class Sees(kshim.layers.Layer):
        def call(self, values, ids):
            seen.append((values.dtype, ids.dtype))
            return values

    values, ids = kshim.Input((5,)), kshim.Input((5,), dtype="int32")
    hidden = kshim.layers.Dense(5, dtype="mixed_float16")(values)
    model = kshim.Model([values, ids], Sees(dtype="float32")(hidden, ids))
    model([INPUTS, np.ones((8, 5), "int32")])
    assert seen[-1] == (torch.float32, torch.int32)

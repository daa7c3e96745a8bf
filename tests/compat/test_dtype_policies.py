"""Dtype policies against the real Keras 3."""

import numpy as np
import pytest
import torch

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

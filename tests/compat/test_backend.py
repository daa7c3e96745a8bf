"""``keras.backend``: values and gradients against Keras 3's ops or numpy; arrays, tensors and symbolic tensors."""

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch

import kshim.backend as K
from kshim.core import settings
from kshim.graph.function import Function
from kshim.graph.keras_tensor import KerasTensor

A = np.linspace(-1.7, 2.3, 24).astype("float32").reshape(2, 3, 4)
M = A[0]
TURNED = A[:, ::-1].copy()
POSITIVE = (np.abs(A) + 0.1).astype("float32")
PROBABILITIES = (POSITIVE / POSITIVE.sum(-1, keepdims=True)).astype("float32")
ONE_HOT = np.eye(4, dtype="float32")[np.array([[0, 3, 1], [2, 2, 0]])]


class Case(NamedTuple):
    name: str
    call: Callable  # (K, x) -> result
    truth: Callable  # (keras.ops, x) -> the same by Keras 3
    x: np.ndarray = A
    gradient: bool = True


def row(name, call, truth, x=A, gradient=True):
    return Case(name, call, truth, x, gradient)


CASES = [
    *[row(f"{n}_{axis}", lambda K, x, n=n, axis=axis: getattr(K, n)(x, axis=axis),
          lambda o, x, n=n, axis=axis: getattr(o, n)(x, axis=axis))
      for n in ("mean", "sum", "prod", "max", "min", "std", "var") for axis in (None, 1, (0, -1))
      if not (n == "prod" and axis == (0, -1))],
    *[row(f"{n}_keepdims", lambda K, x, n=n: getattr(K, n)(x, 1, True), lambda o, x, n=n: getattr(o, n)(x, 1, True))
      for n in ("mean", "sum", "prod", "max", "min", "std", "var")],
    row("prod_axes", lambda K, x: K.prod(x, (0, 2)), lambda o, x: o.prod(o.prod(x, 2), 0)),
    *[row(n, lambda K, x, n=n: getattr(K, n)(x > 0, 1), lambda o, x, n=n: getattr(o, n)(x > 0, 1), gradient=False)
      for n in ("any", "all")],
    *[row(n, lambda K, x, n=n: getattr(K, n)(x), lambda o, x, n=n: getattr(o, n)(x, axis=-1), gradient=False)
      for n in ("argmax", "argmin")],
    row("logsumexp", lambda K, x: K.logsumexp(x, 1), lambda o, x: o.logsumexp(x, 1)),
    *[row(n, lambda K, x, n=n: getattr(K, n)(x), lambda o, x, n=n: getattr(o, n)(x))
      for n in ("square", "abs", "exp", "sign", "sin", "cos", "tanh", "sigmoid", "softplus", "softsign", "relu",
                "elu")],
    row("transpose", lambda K, x: K.transpose(x), lambda o, x: o.transpose(x, (2, 1, 0))),
    *[row(n, lambda K, x, n=n: getattr(K, n)(x), lambda o, x, n=n: getattr(o, n)(x), POSITIVE)
      for n in ("sqrt", "log")],
    row("round", lambda K, x: K.round(x), lambda o, x: o.round(x), gradient=False),
    row("hard_sigmoid", lambda K, x: K.hard_sigmoid(x), lambda o, x: o.hard_sigmoid(x)),
    row("softmax", lambda K, x: K.softmax(x), lambda o, x: o.softmax(x)),
    row("softmax_axis", lambda K, x: K.softmax(x, axis=1), lambda o, x: o.softmax(x, 1)),
    row("relu_slope", lambda K, x: K.relu(x, alpha=0.3, max_value=1.0),
        lambda o, x: o.where(x < 0, 0.3 * x, o.clip(x, 0, 1))),
    row("pow", lambda K, x: K.pow(x, 3), lambda o, x: o.power(x, 3)),
    row("clip", lambda K, x: K.clip(x, -0.5, 1.0), lambda o, x: o.clip(x, -0.5, 1.0)),
    row("maximum", lambda K, x: K.maximum(x, 0.21), lambda o, x: o.maximum(x, 0.21)),
    row("minimum", lambda K, x: K.minimum(0.21, x), lambda o, x: o.minimum(0.21, x)),
    *[row(n, lambda K, x, n=n: getattr(K, n)(x, TURNED), lambda o, x, n=n: getattr(o, n)(x, TURNED), gradient=False)
      for n in ("equal", "not_equal", "greater", "greater_equal", "less", "less_equal")],
    row("cast", lambda K, x: K.cast(x, "int32"), lambda o, x: o.cast(x, "int32"), gradient=False),
    row("dot", lambda K, x: K.dot(x, M.T.copy()), lambda o, x: o.matmul(x, M.T.copy()), M),
    row("dot_3d", lambda K, x: K.dot(x, M.T.copy()), lambda o, x: o.tensordot(x, M.T.copy(), 1)),
    row("concatenate", lambda K, x: K.concatenate([x, A], axis=1), lambda o, x: o.concatenate([x, A], axis=1)),
    row("stack", lambda K, x: K.stack([x, A], axis=1), lambda o, x: o.stack([x, A], axis=1)),
    row("reshape", lambda K, x: K.reshape(x, (-1, 6)), lambda o, x: o.reshape(x, (-1, 6))),
    row("flatten", lambda K, x: K.flatten(x), lambda o, x: o.ravel(x)),
    row("batch_flatten", lambda K, x: K.batch_flatten(x), lambda o, x: o.reshape(x, (2, -1))),
    row("expand_dims", lambda K, x: K.expand_dims(x, 1), lambda o, x: o.expand_dims(x, 1)),
    row("squeeze", lambda K, x: K.squeeze(K.expand_dims(x, 1), 1), lambda o, x: x),
    row("repeat", lambda K, x: K.repeat(x, 2), lambda o, x: o.stack([x, x], 1), M),
    row("repeat_elements", lambda K, x: K.repeat_elements(x, 2, 1), lambda o, x: o.repeat(x, 2, 1)),
    row("tile", lambda K, x: K.tile(x, (1, 2, 3)), lambda o, x: o.tile(x, (1, 2, 3))),
    row("permute_dimensions", lambda K, x: K.permute_dimensions(x, (0, 2, 1)), lambda o, x: o.transpose(x, (0, 2, 1))),
    row("zeros_like", lambda K, x: K.zeros_like(x), lambda o, x: o.zeros_like(x), gradient=False),
    row("ones_like", lambda K, x: K.ones_like(x), lambda o, x: o.ones_like(x), gradient=False),
    row("l2_normalize", lambda K, x: K.l2_normalize(x, -1), lambda o, x: o.normalize(x, -1)),
    row("gather", lambda K, x: K.gather(x, [1, 0, 1]), lambda o, x: o.take(x, [1, 0, 1], 0)),
    row("one_hot", lambda K, x: K.one_hot(K.argmax(x), 4), lambda o, x: o.one_hot(o.argmax(x, -1), 4), gradient=False),
    row("binary_crossentropy", lambda K, x: K.binary_crossentropy(ONE_HOT, x),
        lambda o, x: o.binary_crossentropy(ONE_HOT, x), PROBABILITIES),
    row("binary_logits", lambda K, x: K.binary_crossentropy(ONE_HOT, x, from_logits=True),
        lambda o, x: o.binary_crossentropy(ONE_HOT, x, from_logits=True)),
    row("categorical_crossentropy", lambda K, x: K.categorical_crossentropy(ONE_HOT, x),
        lambda o, x: o.categorical_crossentropy(ONE_HOT, x), PROBABILITIES),
    row("sparse_crossentropy", lambda K, x: K.sparse_categorical_crossentropy(ONE_HOT.argmax(-1), x),
        lambda o, x: o.sparse_categorical_crossentropy(ONE_HOT.argmax(-1), x), PROBABILITIES),
    row("switch", lambda K, x: K.switch(K.greater(x, 0.1), x, K.zeros_like(x)), lambda o, x: o.where(x > 0.1, x, 0)),
    row("mean_of_square", lambda K, x: K.mean(K.square(x * 2 - 1), axis=-1),
        lambda o, x: o.mean(o.square(x * 2 - 1), -1)),
]  # fmt: skip
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def close(one, other):
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-5, atol=1e-6)


@every
def test_arrays(case, keras3):
    result = case.call(K, case.x)
    assert isinstance(result, torch.Tensor)
    close(result, keras3.ops.convert_to_numpy(case.truth(keras3.ops, case.x)))


@every
def test_gradients(case, keras3):
    ours, theirs = (torch.tensor(case.x, requires_grad=case.gradient) for _ in range(2))
    result, truth = case.call(K, ours), case.truth(keras3.ops, theirs)
    close(result.detach(), truth.detach())
    if case.gradient:
        weights = torch.arange(1.0, result.numel() + 1).reshape(result.shape)
        close(*(torch.autograd.grad((r * weights).sum(), x)[0] for r, x in ((result, ours), (truth, theirs))))


@every
def test_symbolic(case):
    inputs = KerasTensor(case.x.shape)
    result = case.call(K, inputs)
    assert isinstance(result, KerasTensor)
    truth = case.call(K, case.x)
    assert result.shape == truth.shape and result.dtype == K.dtype(truth)
    close(Function([inputs], [result]).run(torch.tensor(case.x))[0], truth)


def test_unknown_batch_axis():
    x = KerasTensor((None, 3))
    assert K.mean(x, axis=-1).shape == (None,) and K.int_shape(x) == (None, 3) and K.ndim(x) == 2
    assert K.reshape(x, (-1, 1, 3)).shape == (None, 1, 3)
    assert K.batch_flatten(K.expand_dims(x)).shape == (None, 3)


def test_variables():
    v = K.variable([[1, 2], [3, 4]], name="v")
    assert K.dtype(v) == "float32" and K.int_shape(v) == (2, 2) and v.name == "v" and K.shape(v)[0] == 2
    K.set_value(v, np.ones((2, 2)))
    assert K.get_value(v).tolist() == [[1, 1], [1, 1]] and K.eval(K.sum(v)) == 4
    K.batch_set_value([(v, np.zeros((2, 2)))])
    assert K.batch_get_value([v])[0].sum() == 0
    assert K.eval(K.zeros((2,))).tolist() == [0, 0] and K.eval(K.ones((1,), dtype="int32")).dtype == np.int32
    assert K.eval(K.eye(2)).tolist() == [[1, 0], [0, 1]] and K.eval(K.constant(3, shape=(2,))).tolist() == [3, 3]
    assert K.cast_to_floatx([1, 2]).dtype == np.float32 and K.arange(3).tolist() == [0, 1, 2]
    with pytest.raises(TypeError, match=r"K\.set_value: expected a variable\. Received: 3"):
        K.set_value(3, 4)
    with pytest.raises(TypeError, match=r"K\.get_value: expected a tensor with a value\. Received: <KerasTensor"):
        K.get_value(KerasTensor((2,)))
    with pytest.raises(TypeError, match=r"K\.variable: expected a value\. Received: <KerasTensor"):
        K.variable(KerasTensor((2,)))


def test_switch_calls_one_side():
    assert K.switch(True, lambda: 1, lambda: 1 / 0) == 1
    assert K.switch(torch.tensor(False), lambda: 1 / 0, lambda: 2) == 2
    rows = K.switch(np.array([True, False]), np.ones((2, 3)), np.zeros((2, 3)))
    assert rows.tolist() == [[1, 1, 1], [0, 0, 0]]


def test_random():
    draws = K.eval(K.random_normal((2000,), mean=3.0, stddev=2.0, seed=1))
    assert abs(draws.mean() - 3) < 0.2 and abs(draws.std() - 2) < 0.2
    draws = K.eval(K.random_uniform((2000,), minval=1, maxval=2, seed=1))
    assert draws.min() >= 1 and draws.max() < 2 and abs(draws.mean() - 1.5) < 0.05
    assert K.eval(K.random_uniform_variable((2, 3), 0, 1)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"expected a shape of known sizes\. Received: shape=\(None, 2\)"):
        K.random_normal((None, 2))


def test_settings():
    assert K.backend() == "torch" and K.floatx() == "float32" and K.epsilon() == 1e-7
    assert K.image_data_format() == "channels_last" and K.image_dim_ordering() == "tf"
    try:
        K.set_image_dim_ordering("th")
        assert settings.image_data_format() == "channels_first"
        K.set_epsilon(1e-3)
        assert K.epsilon() == settings.epsilon() == 1e-3
        K.set_floatx("float64")
        assert K.dtype(K.variable(1.0)) == "float64"
    finally:
        K.set_image_data_format("channels_last"), K.set_epsilon(1e-7), K.set_floatx("float32")
    with pytest.raises(ValueError, match=r"Unknown dim_ordering: expected one of .* Received: 'x'"):
        K.set_image_dim_ordering("x")


def test_clear_session_resets_names():
    K.clear_session()
    first = K.variable(0.0).name
    K.variable(0.0)
    K.clear_session()
    assert K.variable(0.0).name == first


def test_is_keras_tensor():
    assert K.is_keras_tensor(KerasTensor((2,))) and not K.is_keras_tensor(torch.ones(2)) and K.is_tensor(torch.ones(2))
    with pytest.raises(ValueError, match=re.escape("Unexpectedly found an instance of type `<class 'int'>`")):
        K.is_keras_tensor(3)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"K\.squeeze: expected size 1 on axis 0\. Received: shape \(2, 3, 4\)"):
        K.squeeze(A, 0)
    with pytest.raises(ValueError, match=r"K\.repeat: expected a matrix\. Received: shape \(2, 3, 4\)"):
        K.repeat(A, 2)


def test_what_is_missing_says_so():
    with pytest.raises(AttributeError, match=r"kshim has no keras\.backend\.meen yet\. Did you mean 'mean'\?"):
        K.meen  # noqa: B018


def test_every_name_is_a_function():
    assert all(callable(getattr(K, name)) for name in K.__all__) and {"mean", "epsilon", "abs"} <= set(K.__all__)

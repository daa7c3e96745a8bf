"""``keras.initializations``: functions of a shape that give variables, with the moments their formulas say."""

import math

import numpy as np
import pytest

import kshim
from kshim.legacy import initializations

SHAPE, KERNEL_TH, KERNEL_TF = (300, 200), (40, 30, 5, 5), (5, 5, 30, 40)
UNIFORM = {"lecun_uniform": lambda i, o: 3 / i, "glorot_uniform": lambda i, o: 6 / (i + o),
           "he_uniform": lambda i, o: 6 / i}  # fmt: skip
NORMAL = {"glorot_normal": lambda i, o: 2 / (i + o), "he_normal": lambda i, o: 2 / i}


@pytest.fixture
def keras():
    kshim.install("1.2.2")
    from keras import initializations as found

    yield found
    kshim.uninstall()


def test_the_path(keras):
    assert keras.uniform is initializations.uniform
    assert keras.get("uniform") is initializations.uniform
    assert keras.get({"name": "he_normal"}) is initializations.he_normal
    assert keras.get(len) is len


@pytest.mark.parametrize(("shape", "ordering", "fans"), [
    ((3, 4), "th", (3, 4)), ((8, 3, 5, 5), "th", (75, 200)), ((5, 5, 3, 8), "tf", (75, 200)),
    ((8, 3, 2, 5, 5), "th", (150, 400)), ((4, 9), "tf", (4, 9)), ((16,), "th", (4, 4)), ((2, 4, 8), "tf", (8, 8)),
])  # fmt: skip
def test_fans(shape, ordering, fans):
    """Measured in Keras 1.2.2."""
    assert initializations.get_fans(shape, dim_ordering=ordering) == pytest.approx(fans)


@pytest.mark.parametrize(("shape", "ordering"), [(SHAPE, "th"), (KERNEL_TH, "th"), (KERNEL_TF, "tf")])
@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL])
def test_moments(name, shape, ordering):
    values = getattr(initializations, name)(shape, name="W", dim_ordering=ordering)
    assert values.name.startswith("W") and tuple(values.shape) == shape and values.requires_grad
    values = values.detach().numpy()
    if name in UNIFORM:
        limit = math.sqrt(UNIFORM[name](*initializations.get_fans(shape, ordering)))
        assert np.abs(values).max() <= limit and np.abs(values).max() > 0.98 * limit
        deviation = limit / math.sqrt(3)
    else:
        deviation = math.sqrt(NORMAL[name](*initializations.get_fans(shape, ordering)))
        assert np.abs(values).max() > 2.5 * deviation, "no value was cut off in Keras 1"
    assert values.mean() == pytest.approx(0, abs=4 * deviation / math.sqrt(values.size))
    assert values.std() == pytest.approx(deviation, rel=0.03)


def test_scales():
    assert initializations.uniform((200, 50), 0.2).abs().max().item() == pytest.approx(0.2, rel=0.01)
    assert initializations.normal((200, 50), scale=0.2).std().item() == pytest.approx(0.2, rel=0.05)
    assert initializations.zero((2, 3)).tolist() == [[0] * 3] * 2 and initializations.one((2,)).tolist() == [1, 1]
    assert initializations.identity((2, 2), scale=3).tolist() == [[3, 0], [0, 3]]


@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (4, 2, 3, 3)])
def test_orthogonal(shape):
    matrix = initializations.orthogonal(shape).detach().reshape(shape[0], -1).numpy() / 1.1
    matrix = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-5)


def test_arguments_for_each_call():
    bound = initializations.get("uniform", scale=0.5)
    assert 0.4 < bound((100, 10)).abs().max().item() <= 0.5


@pytest.mark.parametrize(("call", "match"), [
    (lambda i: i.get("glorot_unifrom"), r"Unknown initialization.*Did you mean 'glorot_uniform'"),
    (lambda i: i.get(None), "Unknown initialization"),
    (lambda i: i.identity((2, 3)), r"shape of a square matrix. Received: \(2, 3\)"),
    (lambda i: i.get_fans((1, 1, 2, 2), "xy"), "`dim_ordering` to be 'th' or 'tf'. Received: 'xy'"),
])  # fmt: skip
def test_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call(initializations)


def test_a_layer_of_keras_1(keras):
    """A custom layer's ``self.init(shape, name=...)``, and functions as ``init``."""
    from keras.engine.topology import Layer
    from keras.layers import Dense
    from keras.models import Sequential

    class Scale(Layer):
        def __init__(self, init="one", **kwargs):
            super().__init__(**kwargs)
            self.init = keras.get(init)

        def build(self, input_shape):
            self.W = self.init((input_shape[-1],), name=f"{self.name}_W")
            self.trainable_weights = [self.W]

        def call(self, x, mask=None):
            return x * self.W

    model = Sequential()
    model.add(Dense(3, input_dim=2, init=lambda shape, name=None: keras.normal(shape, scale=0.01, name=name)))
    model.add(Scale())
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((4, 2), "float32"), np.ones((4, 3), "float32"))
    assert [w.shape for w in model.get_weights()] == [(2, 3), (3,), (3,)]
    assert not np.array_equal(model.get_weights()[2], np.ones(3))

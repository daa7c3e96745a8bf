"""``add_metric`` of Keras 2.3 and tf.keras: on tensors within ``call``, and on symbolic ones."""

import numpy as np
import pytest
import torch

import kshim
from kshim import backend as K

X = np.arange(24, dtype="float32").reshape(12, 2) / 10


class Watched(kshim.layers.Layer):
    def call(self, inputs):
        self.add_metric(inputs.mean(), name="level", aggregation="mean")
        return inputs * 2


def test_in_call():
    model = kshim.Sequential([kshim.Input((2,)), Watched(), kshim.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(
        X, X[:, :1], batch_size=5, epochs=2, verbose=0, shuffle=False, validation_data=(X[:4], X[:4, :1])
    )
    batches = [X[:5].mean(), X[5:10].mean(), X[10:].mean()]  # each batch counts alike: the value is one number
    np.testing.assert_allclose(history.history["level"], [np.mean(batches)] * 2, rtol=1e-5)
    np.testing.assert_allclose(history.history["val_level"], [X[:4].mean()] * 2, rtol=1e-5)
    assert model.evaluate(X[:5], X[:5, :1], verbose=0, return_dict=True)["level"] == pytest.approx(X[:5].mean())


def test_on_symbolic_tensors():
    inputs = kshim.Input((2,))
    hidden = kshim.layers.Dense(3, kernel_initializer="ones", name="hidden")(inputs)
    model = kshim.Model(inputs, kshim.layers.Dense(1)(hidden))
    model.add_metric(K.sum(hidden), name="mass", aggregation="mean")
    model.compile("sgd", "mse")
    logs = model.evaluate(X, X[:, :1], batch_size=12, verbose=0, return_dict=True)
    assert logs["mass"] == pytest.approx(3 * X.sum(), rel=1e-5)
    assert "mass" in model.fit(X, X[:, :1], verbose=0).history


def test_no_gradient_goes_through():
    layer = Watched()
    x = torch.ones(2, 2, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full((2, 2), 2.0))


@pytest.mark.parametrize(("given", "message"), [
    ({}, "`name` in add_metric"),
    ({"name": "a", "aggregation": "sum"}, "`aggregation` to be 'mean' or None"),
])  # fmt: skip
def test_refusals(given, message):
    with pytest.raises(ValueError, match=message):
        kshim.layers.Layer().add_metric(torch.ones(()), **given)

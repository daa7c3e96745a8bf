"""Forms of losses and metrics that ``compile`` takes beside Keras' own objects."""

import numpy as np
import pytest
import torch

import kshim

X = np.linspace(-1, 1, 20).reshape(10, 2).astype("float32")
Y = np.linspace(0, 1, 10).reshape(10, 1).astype("float32")


class AbsoluteError(torch.nn.Module):
    """The protocol of torchmetrics: ``update(preds, target)``, ``compute()``, ``reset()``, state on the module."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))
        self.register_buffer("count", torch.zeros(()))

    def update(self, preds, target):
        self.total += (preds - target).abs().sum()
        self.count += target.numel()

    def compute(self):
        return self.total / self.count

    def reset(self):
        self.total.zero_(), self.count.zero_()


def model(loss="mse", **compiled):
    made = kshim.Sequential([kshim.Input((2,)), kshim.layers.Dense(1, kernel_initializer="ones")])
    made.compile("sgd", loss, **compiled)
    return made


def test_a_metric_of_torch():
    made = model(metrics=[AbsoluteError(), "mae"])
    logs = made.fit(X, Y, epochs=2, batch_size=4, verbose=0, validation_data=(X, Y)).history
    assert logs["absolute_error"] == pytest.approx(logs["mae"])
    assert logs["val_absolute_error"] == pytest.approx(logs["val_mae"])


def test_a_metric_of_torch_takes_no_weights():
    made = model(weighted_metrics=[AbsoluteError()])
    with pytest.raises(ValueError, match="AbsoluteError: expected to stand in `metrics`"):
        made.evaluate(X, Y, sample_weight=np.ones(10), verbose=0)


@pytest.mark.parametrize("fn", [
    lambda y, p: ((y - p) ** 2).mean(), lambda y, p: ((y - p) ** 2).mean(-1), lambda y, p: (y - p) ** 2,
])  # fmt: skip
def test_a_function_of_any_shape_as_a_loss(fn, keras3):
    weight = np.arange(10, dtype="float32")
    found = []
    for k in (kshim, keras3):
        made = k.Sequential([k.Input((2,)), k.layers.Dense(1, kernel_initializer="ones")])
        made.compile("sgd", fn)
        found.append([made.evaluate(X, Y, verbose=0), made.evaluate(X, Y, sample_weight=weight, verbose=0)])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize("name", ["crossentropy", "ce"])
@pytest.mark.parametrize(("width", "sparse"), [(1, False), (3, False), (3, True)])
def test_cross_entropy_by_shape(name, width, sparse, keras3):
    y = (np.arange(10) % max(width, 2))[:, None]
    y = y if sparse or width == 1 else np.eye(3)[y[:, 0]]
    found = []
    for k in (kshim, keras3):
        last = "sigmoid" if width == 1 else "softmax"
        made = k.Sequential([k.Input((2,)), k.layers.Dense(width, last, kernel_initializer="ones")])
        made.compile("sgd", name, metrics=["ACC"])
        found.append(made.evaluate(X, y, verbose=0))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_reductions_of_tf_keras():
    for word in (kshim.losses.Reduction.AUTO, "auto"):
        assert kshim.losses.MeanSquaredError(reduction=word).reduction == "sum_over_batch_size"

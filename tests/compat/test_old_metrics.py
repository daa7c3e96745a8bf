"""Metrics, regularizers and constraints of older versions, with the numbers the real ones gave."""

import numpy as np
import pytest
import torch

import kshim
from kshim import constraints, metrics, regularizers
from kshim.core import settings

Y = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [0, 0, 1]], "float32")
P = np.array([[0.1, 0.8, 0.4], [0.6, 0.7, 0.2], [0.9, 1.4, -0.3], [0.2, 0.5, 0.55]], "float32")

# Measured in Keras 1.2.2: on Y and P, on targets of ones, of zeros.
OF_A_BATCH = {
    "precision": (0.8333333134651184, 1.0, 0.0),
    "recall": (0.8333333134651184, 0.5, 0.0),
    "fmeasure": (0.8333332538604736, 0.6666666269302368, 0.0),
    "fscore": (0.8333332538604736, 0.6666666269302368, 0.0),
    "f1score": (0.8333332538604736, 0.6666666269302368, 0.0),
    "fbeta_score": (0.8333332538604736, 0.6666666269302368, 0.0),
    "matthews_correlation": (0.6666666865348816, 0.0, 0.0),
}


@pytest.fixture
def version():
    """Sets the dialect for one test."""
    yield settings.set_dialect
    settings.set_dialect("3")


@pytest.mark.parametrize("name", OF_A_BATCH)
def test_metrics_of_a_batch(name):
    for y_true, expected in zip((Y, np.ones_like(Y), np.zeros_like(Y)), OF_A_BATCH[name], strict=True):
        found = getattr(metrics, name)(torch.tensor(y_true), torch.tensor(P))
        assert float(found) == pytest.approx(expected, abs=1e-6)


def test_beta_weighs_the_recall():
    ones = torch.ones(4, 3)
    assert float(metrics.fbeta_score(ones, torch.tensor(P), 2)) == pytest.approx(0.5555555820465088, abs=1e-6)
    with pytest.raises(ValueError, match="expected `beta` to be at least 0"):
        metrics.fbeta_score(ones, ones, beta=-1)


@pytest.mark.parametrize("name", OF_A_BATCH)
def test_names_of_a_batch_in_compile(name, version):
    version("1.2.2")
    model = kshim.Sequential([kshim.layers.Activation("linear", input_shape=(3,))])
    model.compile("sgd", "mse", metrics=[name])
    values = model.evaluate(P, Y, batch_size=4, verbose=0)
    assert model.metrics_names[1] == name
    assert values[1] == pytest.approx(OF_A_BATCH[name][0], abs=1e-6)


@pytest.mark.parametrize(("name", "cls"), [("precision", "Precision"), ("recall", "Recall")])
def test_the_name_means_todays_class_later(name, cls, version):
    assert type(metrics.get(name)) is getattr(metrics, cls)
    version("1.2.2")
    assert metrics.get(name) is getattr(metrics, name)


@pytest.mark.parametrize(("since", "expected"), [
    ("1.2.2", -0.9797958971132713 / 3), ("2.0.8", -0.9797958971132713 / 3), ("2.2.4", -0.9797958971132713),
    ("2.3.1", 0.9797958971132713), ("tf.keras", 0.9797958971132713),
])  # fmt: skip
def test_cosine_proximity(since, expected, version):
    """Measured: the loss's value up to 2.2.4, the cosine itself as a metric since."""
    version(since)
    y_true, y_pred = torch.ones(1, 3), torch.tensor([[3.0, 4.0, 5.0]])
    for found in (metrics.cosine_proximity, metrics.get("cosine"), metrics.get("cosine_proximity")):
        assert float(found(y_true, y_pred)) == pytest.approx(expected, abs=1e-6)


# ---------- tf.keras


def test_mean_tensor():
    metric = metrics.MeanTensor()
    assert metric.name == "mean_tensor"
    with pytest.raises(ValueError, match="values before a result"):
        metric.result()
    metric.update_state([0.0, 1, 2, 3])
    metric.update_state([4.0, 5, 6, 7], sample_weight=[1, 0.2, 0.5, 0])
    assert metric.result().tolist() == pytest.approx([2.0, 1.6666666269302368, 3.3333332538604736, 3.0])
    with pytest.raises(ValueError, match=r"values of shape \(4,\), as before. Received: shape \(3,\)"):
        metric.update_state([1.0, 2, 3])
    metric.reset_state()
    assert not metric.result().any()
    rows = metrics.MeanTensor(shape=(3, 2))
    rows.update_state(np.arange(6.0).reshape(3, 2), sample_weight=[1, 0, 0.5])
    assert rows.result().tolist() == [[0, 1], [0, 0], [4, 5]]
    assert metrics.MeanTensor.from_config(rows.get_config()).name == "mean_tensor"


def test_mean_relative_error():
    metric = metrics.MeanRelativeError(normalizer=[1.0, 3, 0], name="error")
    y_true = np.arange(6.0).reshape(2, 3)
    metric.update_state(y_true, y_true[::-1] * 1.5)
    assert float(metric.result()) == pytest.approx(1.6666665077209473)
    metric.update_state(y_true + 1, y_true[::-1] * 1.5, sample_weight=[0.5, 2.0])
    assert float(metric.result()) == pytest.approx(1.685185194015503)
    again = metrics.clone_metric(metric)
    again.update_state(y_true, y_true[::-1] * 1.5)
    assert again.name == "error" and float(again.result()) == pytest.approx(1.6666665077209473)
    assert [type(one) for one in metrics.clone_metrics([metric])] == [metrics.MeanRelativeError]


# ---------- regularizers and constraints


def test_eigenvalue_regularizer():
    weight = torch.tensor((np.arange(12).reshape(4, 3) * 7 % 5 - 2).astype("float32"), requires_grad=True)
    penalty = regularizers.EigenvalueRegularizer(0.3)
    value = penalty(weight)
    assert value.item() == pytest.approx(1.0824960470199585, rel=1e-6)
    assert torch.isfinite(torch.autograd.grad(value, weight)[0]).all()
    assert type(penalty).from_config(penalty.get_config()).k == 0.3
    with pytest.raises(ValueError, match=r"weight of rank 2. Received: shape \(2, 2, 2\)"):
        penalty(torch.zeros(2, 2, 2))


@pytest.mark.parametrize(("call", "expected"), [
    (lambda r: r.activity_l1(0.5), 3.0), (lambda r: r.activity_l2(l=0.5), 7.0), (lambda r: r.activity_l1l2(), 0.2),
])  # fmt: skip
def test_activity_regularizers(call, expected):
    assert float(call(regularizers)(torch.tensor([1.0, -2.0, 3.0]))) == pytest.approx(expected)


@pytest.mark.parametrize(("size", "diagonal"), [
    (2, [0]), (3, [0, 1]), (4, [1, 3]), (5, [1, 2, 3]), (6, [2, 4, 5]),
])  # fmt: skip
def test_radial_constraint(size, diagonal):
    """Which places of the diagonal tf.keras spreads, from the middle to the border."""
    kernel = torch.arange(float(size * size * 6)).reshape(size, size, 2, 3)
    found = constraints.get("radial_constraint")(kernel)
    assert found.shape == kernel.shape
    middle = (size - 1) // 2
    for ring, place in enumerate(diagonal):
        assert torch.equal(found[middle - ring, middle - ring], kernel[place, place])
        assert torch.equal(found[middle - ring, size // 2], kernel[place, place])
        assert torch.equal(found[size // 2 + ring, middle - ring], kernel[place, place])
    with pytest.raises(ValueError, match="rank 4 with as many rows as columns"):
        constraints.RadialConstraint()(kernel[:-1])

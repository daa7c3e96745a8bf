"""A hundred steps with every loss, plain, masked and weighted, go the way of the real Keras 3."""

import numpy as np
import pytest
import torch
from cases import assert_covered, counting, public_classes

import kshim
from kshim import losses

STEPS, ROWS = 100, 6

# class -> (last activation, targets, arguments); a mask and weights fit those with a value for each step.
ROWS_OF = {
    "MeanSquaredError": ("linear", "values", {}),
    "MeanAbsoluteError": ("linear", "values", {}),
    "MeanAbsolutePercentageError": ("linear", "positive", {}),
    "MeanSquaredLogarithmicError": ("softplus", "positive", {}),
    "CosineSimilarity": ("linear", "values", {}),
    "Huber": ("linear", "values", {"delta": 0.3}),
    "LogCosh": ("linear", "values", {}),
    "KLDivergence": ("softmax", "one_hot", {}),
    "Poisson": ("softplus", "positive", {}),
    "Hinge": ("tanh", "labels", {}),
    "SquaredHinge": ("tanh", "labels", {}),
    "CategoricalHinge": ("softmax", "one_hot", {}),
    "BinaryCrossentropy": ("sigmoid", "labels", {"label_smoothing": 0.1}),
    "BinaryFocalCrossentropy": ("sigmoid", "labels", {}),
    "CategoricalCrossentropy": ("softmax", "one_hot", {}),
    "CategoricalFocalCrossentropy": ("softmax", "one_hot", {}),
    "CategoricalGeneralizedCrossEntropy": ("softmax", "classes", {}),
    "SparseCategoricalCrossentropy": ("softmax", "classes", {}),
}
# Those with one value for a whole sequence, sample or batch: (last activation, targets, arguments, output's shape).
WHOLE = {
    "CTC": ("linear", lambda: np.array([[1, 2], [2, 1], [1, 1], [2, 2], [1, 0], [2, 0]]), {}, (4, 3)),
    "Circle": ("unit", lambda: np.array([0, 1, 0, 1, 2, 2]), {"gamma": 2.0}, (3,)),
    "Dice": ("sigmoid", lambda: (np.arange(ROWS * 12).reshape(ROWS, 4, 3) % 5 > 2).astype("float32"), {}, (4, 3)),
    "Tversky": ("sigmoid", lambda: (np.arange(ROWS * 12).reshape(ROWS, 4, 3) % 5 > 2).astype("float32"),
                {"alpha": 0.3, "beta": 0.7}, (4, 3)),
}  # fmt: skip
BASES = {"Loss": "the base", "LossFunction": "any function as a loss"}


def test_every_loss_has_a_row():
    assert_covered(public_classes(losses, losses.Loss), {*ROWS_OF, *WHOLE}, BASES)


def data():
    """Sequences of up to 4 steps, 0 after their end, and every kind of targets."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(ROWS, 4, 3)).astype("float32")
    for row, length in enumerate((4, 2, 1, 3, 4, 2)):
        x[row, length:] = 0
    values = draw.normal(size=(ROWS, 4, 3)).astype("float32")
    classes = values.argmax(-1)
    return x, {"values": values, "positive": np.abs(values) + 0.2, "labels": (values > 0).astype("float32"),
               "one_hot": np.eye(3, dtype="float32")[classes], "classes": classes}  # fmt: skip


WEIGHTS = (np.arange(ROWS * 4) % 5 / 2).reshape(ROWS, 4).astype("float32")


@pytest.mark.parametrize("way", ["plain", "mask", "weights", "mask_weights"])
@pytest.mark.parametrize("name", ROWS_OF)
def test_a_hundred_steps(name, way, keras3):
    last, kind, arguments = ROWS_OF[name]
    x, targets = data()
    weights = WEIGHTS if "weights" in way else None
    found = []
    for k in (kshim, keras3):
        layers = [k.layers.Masking(0.0)] if "mask" in way else []
        model = k.Sequential([k.Input((4, 3)), *layers, k.layers.Dense(3, activation=last)])
        model.set_weights([counting(w.shape, 1.5) for w in model.get_weights()])
        model.compile(k.optimizers.SGD(0.01, momentum=0.5), getattr(k.losses, name)(**arguments))
        logs = [model.train_on_batch(x, targets[kind], sample_weight=weights) for _ in range(STEPS)]
        found.append([np.array(logs, dtype="float64"), *model.get_weights()])
    for got, expected in zip(*found, strict=True):
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * scale)
    assert np.isfinite(found[0][0]).all()
    assert not np.array_equal(found[0][1], counting((3, 3), 1.5)), "nothing was learned"


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_hundred_steps_of_a_whole(name, weighted, keras3):
    """CTC and Circle take a weight for each sample; Dice and Tversky give one value and take one number."""
    last, targets, arguments, shape = WHOLE[name]
    x = data()[0][:, 0] if len(shape) == 1 else data()[0]
    weights = None
    if weighted:
        weights = np.float32(0.5) if name in ("Dice", "Tversky") else (np.arange(ROWS) % 4 / 2).astype("float32")
    found = []
    for k in (kshim, keras3):
        layers = [k.layers.Dense(3, activation=None if last == "unit" else last)]
        layers += [k.layers.UnitNormalization()] if last == "unit" else []
        model = k.Sequential([k.Input(x.shape[1:]), *layers])
        model.set_weights([counting(w.shape, 1.5) for w in model.get_weights()])
        loss, optimizer = getattr(k.losses, name)(**arguments), k.optimizers.SGD(0.01, momentum=0.5)
        optimizer.build(model.trainable_variables)
        losses_seen = []
        for _ in range(STEPS):
            value = loss(torch.as_tensor(targets()), model(torch.as_tensor(x)),
                         None if weights is None else torch.as_tensor(weights))  # fmt: skip
            torch_weights = [getattr(v, "value", v) for v in model.trainable_variables]
            gradients = torch.autograd.grad(value, torch_weights)
            optimizer.apply(gradients, model.trainable_variables)
            losses_seen.append(float(value.detach()))
        found.append([np.array(losses_seen), *model.get_weights()])
    for got, expected in zip(*found, strict=True):
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * scale)
    assert np.isfinite(found[0][0]).all()
    assert not np.array_equal(found[0][1], counting((3, 3), 1.5)), "nothing was learned"


SAFE = {
    "zero": lambda p: torch.zeros_like(p), "one": torch.ones_like, "high": lambda p: torch.full_like(p, 100.0),
    "low": lambda p: torch.full_like(p, -100.0),
}  # fmt: skip
FROM_LOGITS = ("BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy",
               "CategoricalFocalCrossentropy", "SparseCategoricalCrossentropy")  # fmt: skip


def value_and_gradient(k, name, arguments, y_true, y_pred, weight=None, mask=None):
    y_pred = y_pred.clone().requires_grad_()
    seen = y_pred * 1
    if mask is not None:
        seen._keras_mask = mask
    value = getattr(k.losses, name)(**arguments)(torch.as_tensor(y_true), seen, weight)
    return value.detach(), torch.autograd.grad(value, y_pred)[0]


@pytest.mark.parametrize("name", FROM_LOGITS)
@pytest.mark.parametrize("kind", SAFE)
def test_extreme_predictions_are_finite_and_keras(name, kind, keras3):
    """Probabilities of exactly 0 and 1, logits of 100 and -100, and a saturated mix of them."""
    _, targets, _ = ROWS_OF[name]
    y_true, logits = data()[1][targets], kind in ("high", "low")
    mixed = torch.eye(3).repeat(ROWS, 4, 1)[:, :4]
    y_pred = SAFE[kind](mixed) * (mixed if kind == "one" else 1) if not logits else mixed * SAFE[kind](mixed)
    arguments = {"from_logits": True} if logits else {}
    if kind == "zero" and name != "BinaryCrossentropy" and name != "BinaryFocalCrossentropy":
        y_pred = y_pred.index_fill(-1, torch.tensor([0]), 1.0)  # a row without any probability has no distribution
    found = [value_and_gradient(k, name, arguments, y_true, y_pred) for k in (kshim, keras3)]
    for got, expected in zip(*found, strict=True):
        assert torch.isfinite(got).all()
        np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ROWS_OF)
@pytest.mark.parametrize("kind", ["all masked", "zero weights"])
def test_nothing_counts(name, kind, keras3):
    """A batch without a step that counts: loss and gradient are 0."""
    _, targets, arguments = ROWS_OF[name]
    y_pred = torch.full((ROWS, 4, 3), 0.3)
    mask = torch.zeros(ROWS, 4, dtype=torch.bool) if kind == "all masked" else None
    weight = None if mask is not None else torch.zeros(ROWS, 4)
    for k in (kshim, keras3):
        value, gradient = value_and_gradient(k, name, arguments, data()[1][targets], y_pred, weight, mask)
        assert value == 0 and not gradient.any()

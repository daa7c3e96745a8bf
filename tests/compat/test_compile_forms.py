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


# ---------- several outputs


def of_two(k, named):
    """A model of two outputs, in a dict or a list."""
    inputs = k.Input((2,))
    first = k.layers.Dense(1, kernel_initializer="ones", name="a")(inputs)
    second = k.layers.Dense(2, "softmax", kernel_initializer="ones", name="b")(inputs)
    return k.Model(inputs, {"a": first, "b": second} if named else [first, second])


TARGETS = {"a": Y, "b": np.eye(2, dtype="float32")[np.arange(10) % 2]}
FORMS = {
    "list": ["mse", "categorical_crossentropy"],
    "dict": {"a": "mse", "b": "categorical_crossentropy"},
    "list_with_none": ["mse", None],
    "dict_with_none": {"a": None, "b": "categorical_crossentropy"},
    "one": "mse",
}


@pytest.mark.filterwarnings("ignore:Gradients do not exist")  # of an output without a loss
@pytest.mark.parametrize("weights", [None, [0.5, 2.0]])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("named", [False, True], ids=["outputs_list", "outputs_dict"])
def test_losses_of_two_outputs(named, form, weights, keras3):
    if named and form.startswith("list"):
        return  # Keras matches names with names
    weights = dict(zip("ab", weights, strict=True)) if weights and (named or isinstance(FORMS[form], dict)) else weights
    found = []
    for k in (kshim, keras3):
        made = of_two(k, named)
        made.compile(
            k.optimizers.SGD(0.1), FORMS[form], loss_weights=weights, metrics={"a": ["mae"], "b": ["accuracy"]}
        )
        y = TARGETS if named else list(TARGETS.values())
        try:
            logs = [made.train_on_batch(X, y, return_dict=True) for _ in range(3)]
        except (ValueError, KeyError):
            assert k is keras3 and form not in ("list", "dict")
            return  # Keras refuses it
        found.append((logs[-1], [w.tolist() for w in made.get_weights()]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for got, expected in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-6)


# ---------- nothing in a batch


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "BinaryCrossentropy", "Hinge", "Huber",
                                  "CategoricalCrossentropy", "CosineSimilarity"])  # fmt: skip
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_the_loss_of_an_empty_batch_is_zero(name, reduction, weighted):
    weights = torch.ones(3, 1, requires_grad=True)
    y_pred = (torch.zeros(0, 3) @ weights).sigmoid()
    loss = getattr(kshim.losses, name)(reduction=reduction)
    value = loss(torch.zeros(0, 1), y_pred, torch.ones(0) if weighted else None)
    assert value.shape == () and value.item() == 0
    assert not torch.autograd.grad(value, weights)[0].any()


METRICS = (
    "MeanSquaredError",
    "BinaryAccuracy",
    "AUC",
    "Precision",
    "CategoricalAccuracy",
    "R2Score",
    "MeanIoU",
    "Mean",
)


@pytest.mark.parametrize("name", METRICS)
def test_an_empty_batch_in_a_metric(name, keras3):
    """Between two others it counts for nothing."""
    found = []
    arguments = {"num_classes": 2} if name == "MeanIoU" else {}
    for k in (kshim, keras3):
        metric = getattr(k.metrics, name)(**arguments)
        y, p = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[0.2, 0.9], [0.6, 1.0]])
        if name == "MeanIoU":
            p = p.round()
        for rows in (slice(0, 1), slice(0, 0), slice(0, 2)):
            metric.update_state(*((p[rows],) if name == "Mean" else (y[rows], p[rows])))
        found.append(float(metric.result()))
    assert found[0] == pytest.approx(found[1], rel=1e-6)

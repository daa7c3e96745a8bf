"""Every loss against the real Keras 3: properties over the rows of ``cases/losses.py``."""

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close, assert_covered, public_classes, same_config
from cases.losses import CASES, NO_CASE, TARGETS

import kshim
from kshim import activations, losses

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def over(holds=lambda case: True):
    """Parametrize a test over the rows for which ``holds`` is true."""
    return pytest.mark.parametrize("case", [case for case in CASES if holds(case)], ids=lambda case: case.name)


WHOLES = ("ctc", "dice", "tversky")  # one value for a whole sequence, or for all
every = over()
# Rows with a value for each sample, in the axes of the predictions but the last: those weights and masks fit.
rows = over(
    lambda case: case.targets != "values_column_target" and "axis" not in case.arguments and case.fn not in WHOLES
)
reductions = pytest.mark.parametrize("reduction", REDUCTIONS)


def make(k, case, **more):
    return getattr(k.losses, case.cls)(**case.arguments, **more)


def tensors(case):
    y_true, y_pred = case.arrays()
    return torch.tensor(y_true), torch.tensor(y_pred, requires_grad=True)


def assert_same(case, keras3, compute, rel=1e-5):
    """``compute(k, y_true, y_pred)`` gives the same value and gradient in kshim and in Keras."""
    found = []
    for k in (kshim, keras3):
        y_true, y_pred = tensors(case)
        value = compute(k, y_true, y_pred)
        weights = torch.arange(1.0, value.numel() + 1).reshape(value.shape)
        found.append((value, torch.autograd.grad((value * weights).sum(), y_pred)[0]))
    assert_close(found[0][0], found[1][0], rel)
    assert_close(found[0][1], found[1][1], rel)


def test_every_loss_has_a_row():
    assert_covered(public_classes(losses, losses.Loss), {case.cls for case in CASES}, NO_CASE)


@over(lambda case: case.targets != "one_unit_flat_target")  # Keras' class takes these, its function does not
def test_function_is_keras(case, keras3):
    assert_same(case, keras3, lambda k, t, p: getattr(k.losses, case.fn)(t, p, **case.arguments))


@every
@reductions
def test_reduction_is_keras(case, reduction, keras3):
    assert_same(case, keras3, lambda k, t, p: make(k, case, reduction=reduction)(t, p))


def sample_weights(y_pred):
    """Weights of each form that Keras takes: a column, one for each value, and for one axis a number for each row."""
    values = y_pred.shape[:-1]
    rows = torch.arange(1.0, len(y_pred) + 1)
    yield torch.arange(values.numel(), dtype=torch.float32).reshape(values)
    yield torch.zeros(values)
    if len(values) == 1:
        yield rows
        yield rows.int()
        yield rows[:, None]


@rows
@reductions
def test_sample_weight_is_keras(case, reduction, keras3):
    for weight in sample_weights(tensors(case)[1]):
        assert_same(case, keras3, lambda k, t, p, w=weight: make(k, case, reduction=reduction)(t, p, w).flatten())


@reductions
def test_a_weight_for_each_sequence_of_ctc(reduction, keras3):
    y_true, y_pred = TARGETS["labels_ctc"]
    found = [
        k.losses.CTC(reduction=reduction)(y_true, y_pred.astype("float32"), sample_weight=np.array([1.0, 3.0]))
        for k in (kshim, keras3)
    ]
    assert_close(*found)


@pytest.mark.parametrize(("call", "match"), [
    (lambda k: k.losses.CTC()(np.ones(3), np.ones((3, 2, 4))), r"ctc: expected y_true of shape .* Received: .*\(3,\)"),
    (lambda k: k.losses.CategoricalGeneralizedCrossEntropy(q=1.0), r"`q` to be in the interval .*Received: q=1"),
])  # fmt: skip
def test_refused(call, match, keras3):
    for k in (kshim, keras3):
        with pytest.raises(ValueError, match=match if k is kshim else None):
            call(k)


@over(lambda case: case.targets.endswith("steps") and not case.arguments)
@reductions
def test_a_weight_for_each_sample_of_a_sequence(case, reduction):
    """Keras 3 does not take these; Keras 2 did."""
    y_true, y_pred = tensors(case)
    loss, weight = make(kshim, case, reduction=reduction), torch.tensor([1.0, 3.0])
    expected = loss(y_true, y_pred, sample_weight=weight[:, None].expand(y_pred.shape[:2]))
    assert_close(loss(y_true, y_pred, sample_weight=weight), expected)
    assert_close(loss(y_true, y_pred, sample_weight=weight[:, None]), expected)


@rows
@reductions
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_mask_is_keras(case, reduction, weighted, keras3):
    def compute(k, y_true, y_pred):
        shape = y_pred.shape[:-1]
        y_pred._keras_mask = torch.arange(shape.numel()).reshape(shape) % 3 != 1
        weight = torch.arange(1.0, shape.numel() + 1).reshape(shape) if weighted else None
        return make(k, case, reduction=reduction)(y_true, y_pred, sample_weight=weight)

    assert_same(case, keras3, compute)


@every
def test_config_is_keras_and_comes_back(case, keras3):
    for more in ({}, {"name": "it", "reduction": "sum"}):
        ours, theirs = make(kshim, case, **more), make(keras3, case, **more)
        assert ours.name == theirs.name
        config = ours.get_config()
        added = [key for key in ("dtype", "axis", "delta") if key not in theirs.get_config()]  # Keras forgets them
        assert same_config({key: value for key, value in config.items() if key not in added}, theirs.get_config())
        for again in (type(ours).from_config(config), losses.deserialize(losses.serialize(ours)),
                      copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):  # fmt: skip
            assert again.get_config() == config
            assert_close(again(*tensors(case)), ours(*tensors(case)), 0)


@every
def test_arrays_are_taken(case):
    assert_close(make(kshim, case)(*case.arrays()), make(kshim, case)(*tensors(case)), 0)


# Where probabilities saturate float64 gives another value, as 1 - epsilon is another number.
@over(
    lambda case: not any(word in case.name for word in ("saturated", "one_unit", "focal_crossentropy-one_hot_logits"))
)
def test_dtype(case):
    y_true, y_pred = tensors(case)
    value = make(kshim, case, dtype="float64")(y_true, y_pred)
    assert value.dtype == torch.float64
    assert_close(value, make(kshim, case)(y_true, y_pred))


# ---------- the logits of a softmax or sigmoid


LOGITS = {
    "usual": [[1.0, -2.0, 0.5], [0.0, 0.1, -0.1], [3.0, 2.0, 1.0], [-1.0, -1.0, 4.0]],
    "saturated": [[50.0, -50.0, 0.0], [-50.0, 50.0, 50.0], [0.0, 30.0, -30.0], [17.0, 0.0, -17.0]],
    # From 15.94 on, for a bit, a float32 sigmoid rounds to the bound itself, where Keras' clip lets gradients by.
    "just_saturated": [[17.2, 0.0, -0.5], [15.9, -0.5, 0.1], [-17.2, 0.3, 0.2], [-15.9, 1.0, 0.0]],
}
LABELS = np.array([0, 2, 1, 1])
ENDS = [("sigmoid", "binary_crossentropy", np.eye(3, dtype="float32")[LABELS]),
        ("softmax", "categorical_crossentropy", np.eye(3, dtype="float32")[LABELS]),
        ("softmax", "sparse_categorical_crossentropy", LABELS)]  # fmt: skip
ends = pytest.mark.parametrize(("activation", "fn", "y_true"), ENDS, ids=lambda v: v if isinstance(v, str) else "")


def from_logits_to_loss(k, activation, fn, y_true, logits, **arguments):
    """Value and gradient for the logits of the mean of ``fn`` on probabilities made by ``activation`` of ``k``."""
    x = torch.tensor(logits, requires_grad=True)
    value = getattr(k.losses, fn)(torch.tensor(y_true), getattr(k.activations, activation)(x), **arguments).mean()
    return value, torch.autograd.grad(value, x)[0]


@ends
@pytest.mark.parametrize("size", LOGITS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_logits_path_is_keras_on_probabilities(activation, fn, y_true, size, smoothing, keras3):
    """Same value and same gradient as Keras on clipped probabilities: beyond the clip the gradient is 0 there, too."""
    arguments = {} if fn.startswith("sparse") else {"label_smoothing": smoothing}
    ours, theirs = (from_logits_to_loss(k, activation, fn, y_true, LOGITS[size], **arguments) for k in (kshim, keras3))
    # Near 1 a float32 probability has steps of 6e-8, which its logarithm shows: that is Keras' rounding, not ours.
    value, gradient = (1e-5, 1e-5) if size == "usual" else (2e-3, 2e-3)
    assert_close(ours[0], theirs[0], value)
    np.testing.assert_allclose(array(ours[1]), array(theirs[1]), rtol=gradient, atol=1e-6)


@ends
def test_logits_are_used(activation, fn, y_true):
    """float32 logits give what float64 probabilities do, which float32 probabilities can't."""
    logits = np.array([[9.0, 0.0, -3.0], [12.0, 1.0, 0.0], [-12.0, 3.0, 0.0], [1.0, 13.0, 2.0]])
    exact = from_logits_to_loss(kshim, activation, fn, y_true, logits)[0]
    found = from_logits_to_loss(kshim, activation, fn, y_true, logits.astype("float32"))[0]
    assert_close(found.double(), exact, 1e-6)


@ends
def test_changed_probabilities_are_not_the_logits(activation, fn, y_true, keras3):
    logits = torch.tensor(LOGITS["usual"], requires_grad=True)
    for changed in (lambda p: p * 0.5, lambda p: p.mul_(0.5), lambda p: p[:], lambda p: p.detach(), lambda p: 1 - p):
        ours, theirs = (
            getattr(k.losses, fn)(torch.tensor(y_true), changed(getattr(k.activations, activation)(logits)))
            for k in (kshim, keras3)
        )
        assert_close(ours, theirs)


def test_logits_of_another_axis_are_not_used(keras3):
    x = torch.tensor(np.arange(12.0, dtype="float32").reshape(4, 3))
    y_true = torch.tensor(np.eye(3, dtype="float32")[LABELS])
    ours, theirs = (
        k.losses.categorical_crossentropy(y_true, k.activations.softmax(x, axis=0), axis=1) for k in (kshim, keras3)
    )
    assert_close(ours, theirs)


# ---------- names, users' losses


@pytest.mark.parametrize("name", ["mse", "MSE", "mae", "MAE", "bce", "BCE", "mean_squared_error", "MeanSquaredError",
                                  "binary_crossentropy", "BinaryCrossentropy", "categorical_crossentropy",
                                  "sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"])  # fmt: skip
def test_get_by_name_is_keras(name, keras3):
    ours, theirs = losses.get(name), keras3.losses.get(name)
    assert isinstance(ours, losses.Loss) == isinstance(theirs, keras3.losses.Loss)
    assert getattr(ours, "name", None) == getattr(theirs, "name", None)
    if not isinstance(ours, losses.Loss):
        assert ours.__name__ == theirs.__name__


def test_get_others():
    assert losses.get(None) is None
    loss = losses.MeanSquaredError()
    assert losses.get(loss) is loss
    assert losses.get(len) is len
    assert isinstance(losses.get(losses.MeanSquaredError), losses.MeanSquaredError)
    with pytest.raises(ValueError, match=r"Unknown loss.*Did you mean 'mean_squared_error'"):
        losses.get("mean_squared_eror")
    with pytest.raises(ValueError, match=r"Could not interpret loss identifier.*Received: 3"):
        losses.get(3)


def test_a_function_as_a_loss(keras3):
    def cubed(y_true, y_pred):
        return abs(y_true - y_pred) ** 3

    y_true, y_pred = torch.ones(4, 3), torch.tensor(TARGETS["values"][1])
    found = []
    for wrapper in (losses.LossFunction, keras3.src.losses.losses.LossFunctionWrapper):
        loss = wrapper(cubed, name="it")
        found.append([loss(y_true, y_pred), loss(y_true, y_pred, sample_weight=torch.arange(4.0)[:, None])])
    for ours, theirs in zip(*found, strict=True):
        assert_close(ours, theirs)


def test_a_loss_of_the_user(keras3):
    """As in Keras' documentation: ``call`` gives a value for each sample, the base does the rest."""

    def of(k):
        class MeanPower(k.losses.Loss):
            def __init__(self, power=2, **kwargs):
                super().__init__(**kwargs)
                self.power = power

            def call(self, y_true, y_pred):
                return (abs(y_true - y_pred) ** self.power).mean(-1)

            def get_config(self):
                return {**super().get_config(), "power": self.power}

        return MeanPower

    y_true, y_pred = torch.ones(4, 3), torch.tensor(TARGETS["values"][1])
    for reduction in REDUCTIONS:
        ours, theirs = (of(k)(3, reduction=reduction, name="it") for k in (kshim, keras3))
        assert ours.power == 3 and ours.name == theirs.name
        for weight in (None, torch.arange(4.0)):
            assert_close(ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight))
        assert ours.get_config()["power"] == 3
        again = type(ours).from_config(ours.get_config())
        assert (again.power, again.reduction, again.name) == (3, reduction, "it")


def test_a_loss_without_call():
    with pytest.raises(NotImplementedError, match="expected a `call"):
        losses.Loss()(torch.ones(2), torch.ones(2))


@pytest.mark.parametrize("case", [CASES[0]], ids=["mse"])
def test_bad_arguments(case):
    with pytest.raises(ValueError, match=r"`reduction` to be one of .* Received: reduction='meen'"):
        losses.MeanSquaredError(reduction="meen")
    with pytest.raises(TypeError):
        losses.MeanSquaredError(from_logits=True)
    with pytest.raises(ValueError, match=r"sample_weight: expected a shape that broadcasts.*Received: shape \(3,\)"):
        losses.MeanSquaredError()(*tensors(case), sample_weight=torch.ones(3))
    with pytest.raises(ValueError, match=r"same shape .one-hot labels.*Received: y_true.shape="):
        losses.CategoricalCrossentropy()(torch.ones(4), torch.ones(4, 3))
    with pytest.raises(ValueError, match=r"expected integer labels.*Received: y_true.shape="):
        losses.SparseCategoricalCrossentropy()(torch.ones(4, 3), torch.ones(4, 3))


def test_activations_of_arrays_are_no_surprise():
    assert_close(activations.softmax(np.zeros((2, 4), "float32")), np.full((2, 4), 0.25))

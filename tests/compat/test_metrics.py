"""Every metric against the real Keras 3: properties over the rows of ``cases/metrics.py``."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
import torch
from cases import array, assert_close, assert_covered, public_classes, same_config
from cases.metrics import CASES as MEANS
from cases.metrics import NO_CASE, STATES, TARGETS, VALUES

import kshim
from kshim import metrics
from kshim.metrics.accuracy import accuracy_for

CASES = MEANS + STATES
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
means = pytest.mark.parametrize("case", MEANS, ids=lambda case: case.name)
UNEVEN = (3, 1, 2, 99)  # rows of the batches


def make(k, case, **more):
    return getattr(k.metrics, case.cls)(**case.arguments, **more)


def batches(case):
    """Targets and predictions, in uneven batches."""
    start, (y_true, y_pred) = 0, TARGETS[case.targets]
    for size in UNEVEN:
        if start < len(y_pred):
            yield torch.tensor(y_true[start : start + size]), torch.tensor(y_pred[start : start + size])
        start += size


def weights_for(y_pred, form):
    count = torch.arange(len(y_pred)) % 3
    if form == "column":
        return count[:, None].float()
    if form == "steps":
        return (torch.arange(y_pred.shape[0] * y_pred.shape[1]) % 4).reshape(y_pred.shape[:2]).float()
    return {"none": None, "rows": count.float(), "integers": count, "zeros": torch.zeros(len(y_pred))}[form]


def test_every_metric_has_a_row():
    assert_covered(public_classes(metrics, metrics.Metric), {case.cls for case in CASES}, NO_CASE)


@means
def test_function_is_keras(case, keras3):
    theirs = getattr(keras3.metrics, case.fn, None) or getattr(keras3.src.metrics.accuracy_metrics, case.fn, None)
    theirs = theirs or getattr(keras3.src.metrics.regression_metrics, case.fn)
    for y_true, y_pred in batches(case):
        ours = getattr(metrics, case.fn, None) or getattr(metrics.means, case.fn)
        assert_close(ours(y_true, y_pred, **case.arguments), theirs(y_true, y_pred, **case.arguments), 1e-6)


@every
@pytest.mark.parametrize("form", ["none", "rows", "column", "integers", "zeros", "steps"])
@pytest.mark.filterwarnings("ignore:You are passing weight as")  # both packages say so for IoU
def test_streaming_is_keras(case, form, keras3):
    """Over uneven batches, the result after each; then again after a reset. What Keras refuses is not compared."""
    ours, theirs = make(kshim, case), make(keras3, case)
    for _ in range(2):
        for y_true, y_pred in batches(case):
            if form == "steps" and y_pred.dim() < 3:
                return  # as column
            weight = weights_for(y_pred, form)
            if case in STATES and weight is not None and weight.dim() < y_pred.dim() - 1:
                return  # Keras weighs the steps with these, not the samples
            try:
                expected = theirs(y_true, y_pred, weight)
            except Exception:
                assert form != "none"
                return
            assert_close(ours(y_true, y_pred, weight), expected, 1e-6)
        ours.reset_state(), theirs.reset_state()
        assert not array(ours.result()).any() or case in STATES


@means
@pytest.mark.parametrize("form", ["none", "rows", "steps"])
def test_mask_is_keras(case, form, keras3):
    ours, theirs = make(kshim, case), make(keras3, case)
    for y_true, y_pred in batches(case):
        shape = y_pred.shape[:-1]
        fits = len(shape) == (2 if form == "steps" else 1)
        if not shape or (form != "none" and not fits):
            return
        y_pred._keras_mask = torch.arange(shape.numel()).reshape(shape) % 3 != 1
        weight = weights_for(y_pred, form)
        assert_close(ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight), 1e-6)


@every
def test_config_is_keras_and_comes_back(case, keras3):
    for more in ({}, {"name": "it", "dtype": "float64"}):
        ours, theirs = make(kshim, case, **more), make(keras3, case, **more)
        first, second = (re.sub(r"_\d+$", "", metric.name) for metric in (ours, theirs))  # both count up
        assert first == second and ours.dtype == theirs.dtype
        config, expected = ours.get_config(), {**theirs.get_config(), "name": ours.name}
        if expected.get("label_weights") is not None:  # a tensor
            expected["label_weights"] = array(expected["label_weights"]).tolist()
        forgotten = {key for key in ("axis", "from_sorted_ids") if key not in expected}  # by Keras
        assert same_config({key: value for key, value in config.items() if key not in forgotten}, expected)
        y_true, y_pred = next(batches(case))
        for again in (type(ours).from_config(config), metrics.deserialize(metrics.serialize(ours))):
            assert again.get_config() == config
            assert_close(again(y_true, y_pred), make(kshim, case, **more)(y_true, y_pred), 0)


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda metric: pickle.loads(pickle.dumps(metric))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_go_on_alone(case, copied):
    metric, (first, *others) = make(kshim, case), list(batches(case))
    metric.update_state(*first)
    twin, before = copied(metric), metric.result().clone()
    for batch in others:
        twin.update_state(*batch)
    assert_close(metric.result(), before, 0)
    for batch in others:
        metric.update_state(*batch)
    assert_close(metric.result(), twin.result(), 0)


@every
def test_state_is_keras(case, keras3):
    ours, theirs = make(kshim, case), make(keras3, case)
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for batch in batches(case):
        ours.update_state(*batch), theirs.update_state(*batch)
    for got, expected in zip(ours.variables, theirs.variables, strict=True):
        assert_close(got, expected.value)
    assert not any(v.requires_grad for v in ours.variables)


@every
def test_arrays_are_taken(case):
    y_true, y_pred = TARGETS[case.targets]
    assert_close(make(kshim, case)(y_true, y_pred), make(kshim, case)(torch.tensor(y_true), torch.tensor(y_pred)), 0)


def test_updates_take_no_gradient():
    metric = metrics.BinaryAccuracy()
    metric.update_state(torch.ones(3, 1), torch.ones(3, 1, requires_grad=True))
    metrics.Mean().update_state(torch.ones(3, requires_grad=True) * 2)
    assert not metric.result().requires_grad


# ---------- Sum, Mean


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("form", ["none", "rows", "all", "scalar"])
def test_sum_is_keras(values, form, keras3):
    ours, theirs = metrics.Sum(), keras3.metrics.Sum()
    assert ours.get_config() == theirs.get_config() and float(ours.result()) == 0
    for rows in (slice(0, 4), slice(4, 5), slice(5, 7)):
        batch = torch.tensor(VALUES[values][rows])
        weight = {"none": None, "rows": torch.arange(1.0, len(batch) + 1), "all": batch**2,
                  "scalar": torch.tensor(2.0)}[form]  # fmt: skip
        ours.update_state(batch, weight), theirs.update_state(batch, weight)
        assert_close(ours.result(), theirs.result())


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("form", ["none", "rows", "column", "all", "scalar"])
def test_mean_is_keras(values, form, keras3):
    ours, theirs = metrics.Mean(), keras3.metrics.Mean()
    assert ours.name == theirs.name == "mean" and ours.get_config() == theirs.get_config()
    for rows in (slice(0, 4), slice(4, 5), slice(5, 7)):
        batch = torch.tensor(VALUES[values][rows])
        weight = {"none": None, "rows": torch.arange(1.0, len(batch) + 1), "all": batch**2, "scalar": torch.tensor(2.0),
                  "column": torch.arange(1.0, len(batch) + 1)[:, None]}[form]  # fmt: skip
        if form == "column" and batch.dim() > 2:
            return
        ours.update_state(batch, weight), theirs.update_state(batch, weight)
        assert_close(ours.result(), theirs.result())


def test_mean_of_sequences_of_several_lengths(keras3):
    """A sample counts once, however long."""
    ours, theirs = metrics.Mean(), keras3.metrics.Mean()
    for length in (2, 5):
        batch = torch.full((3, length), float(length))
        ours.update_state(batch), theirs.update_state(batch)
    assert_close(ours.result(), theirs.result())
    assert float(ours.result()) == 3.5


@pytest.mark.parametrize("value", [3, 2.5, [1.0, 2.0], np.float64(3), np.ones(3), torch.tensor(4)])
def test_mean_of_anything(value, keras3):
    ours, theirs = metrics.Mean(), keras3.metrics.Mean()
    ours.update_state(value), theirs.update_state(value)
    assert_close(ours.result(), theirs.result())


# ---------- which accuracy


@pytest.mark.parametrize(("y_true", "y_pred", "name"), [
    ((None, 1), (None, 1), "binary_accuracy"), ((None,), (None, 1), "binary_accuracy"),
    ((None, 3), (None, 3), "categorical_accuracy"), ((None, 1), (None, 3), "sparse_categorical_accuracy"),
    ((None,), (None, 3), "sparse_categorical_accuracy"), ((None, 5), (None, 5, 3), "sparse_categorical_accuracy"),
    ((None, 5, 1), (None, 5, 3), "sparse_categorical_accuracy"), ((None, 5, 3), (None, 5, 3), "categorical_accuracy"),
    ((None, 5, 1), (None, 5, 1), "binary_accuracy"),
])  # fmt: skip
def test_accuracy_by_shape_is_keras(y_true, y_pred, name, keras3):
    shaped = [np.zeros([2 if size is None else size for size in shape], "float32") for shape in (y_true, y_pred)]
    found = keras3.src.trainers.compile_utils.get_metric("accuracy", *map(torch.tensor, shaped))
    assert accuracy_for(y_true, y_pred).__name__ == name
    assert found.name == "accuracy" and found._fn.__name__ == name


# ---------- refusals


@pytest.mark.parametrize(("call", "match"), [
    (lambda m: m.Precision(thresholds=1.5), r"Threshold values must be in \[0, 1\].*Received: \[1.5\]"),
    (lambda m: m.TruePositives(thresholds=[0.1, None]), r"Threshold values.*Received: \[None\]"),
    (lambda m: m.Recall(class_id=1)(np.ones(3), np.ones(3)), r"class_id.*2D array.*Received: shape \(3,\)"),
    (lambda m: m.SensitivityAtSpecificity(1.5), r"`specificity` .*range \[0, 1\]. Received: specificity=1.5"),
    (lambda m: m.PrecisionAtRecall(0.5, num_thresholds=0), r"`num_thresholds` to be an integer > 0"),
    (lambda m: m.AUC(curve="no"), r"`curve` to be one of .*Received: Invalid AUC curve value: 'no'"),
    (lambda m: m.AUC(summation_method="no"), r"`summation_method` to be one of .*Received"),
    (lambda m: m.AUC(num_thresholds=1), r"`num_thresholds` to be an integer > 1. Received: num_thresholds=1"),
    (lambda m: m.AUC(num_labels=2), r"`num_labels` only with `multi_label=True`. Received"),
    (lambda m: m.AUC(multi_label=True)(np.ones(3), np.ones(3)), r"`y_pred` to have rank 2.*Received: shape \(3,\)"),
    (lambda m: m.R2Score(class_aggregation="no"), r"`class_aggregation` to be one of .*Received"),
    (lambda m: m.R2Score(num_regressors=-1), r"`num_regressors` to be a value >= 0. Received"),
    (lambda m: m.R2Score()(np.ones(3), np.ones(3)), r"2D inputs .*Received: y_pred.shape=\(3,\)"),
    (lambda m: m.FBetaScore(average="no"), r"`average` to be one of .*Received"),
    (lambda m: m.FBetaScore(beta=1), r"`beta` to be a Python float above 0. Received: beta=1"),
    (lambda m: m.FBetaScore(threshold=2.0), r"`threshold` to be a Python float .*Received"),
    (lambda m: m.IoU(2, [2]), r"target class id to be in the range \[0, 2\). Received: 2"),
])  # fmt: skip
def test_refused(call, match, keras3):
    with pytest.raises(ValueError, match=match):
        call(metrics)
    with pytest.raises(ValueError, match=r".*"):
        call(keras3.metrics)


@pytest.mark.parametrize(("regressors", "says"), [(7, "More independent predictors"), (6, "Division by zero")])
def test_r2_with_too_many_regressors(regressors, says, keras3):
    y_true, y_pred = TARGETS["numbers"]
    found = []
    for k in (kshim, keras3):
        metric = k.metrics.R2Score(num_regressors=regressors)
        metric.update_state(y_true[:, :1], y_pred[:, :1])
        with pytest.warns(UserWarning, match=says):
            found.append(metric.result())
    assert_close(*found)
    ours, theirs = (k.metrics.R2Score(num_regressors=2)(y_true, y_pred) for k in (kshim, keras3))
    assert_close(ours, theirs)


# ---------- names, users' metrics


@pytest.mark.parametrize("name", ["Accuracy", "BinaryAccuracy", "binary_accuracy", "CategoricalAccuracy",
                                  "categorical_accuracy", "SparseCategoricalAccuracy", "sparse_categorical_accuracy",
                                  "Mean", "mse", "MAE", "mean_squared_error", "binary_crossentropy",
                                  "categorical_crossentropy", "sparse_categorical_crossentropy"])  # fmt: skip
def test_get_by_name_is_keras(name, keras3):
    ours, theirs = metrics.get(name), keras3.metrics.get(name)
    for found, base in ((ours, metrics.Metric), (theirs, keras3.metrics.Metric)):
        assert isinstance(found, base) or callable(found)
    y_true, y_pred = (torch.tensor(t) for t in TARGETS["classes" if "sparse" in name.lower() else "one_hot"])
    if name != "Mean":
        ours, theirs = (float(array(fn(y_true, y_pred)).mean()) for fn in (ours, theirs))
        assert ours == pytest.approx(theirs, rel=1e-5)


def test_every_name_of_keras_is_known(keras3):
    for name, theirs in keras3.src.metrics.ALL_OBJECTS_DICT.items():
        required = [p for p in list(inspect.signature(theirs.__init__).parameters.values())[1:] if p.default is p.empty]
        if [p for p in required if p.kind is p.POSITIONAL_OR_KEYWORD] or theirs is keras3.metrics.Metric:
            assert name in metrics.METRICS.table
            continue
        ours = metrics.get(name)
        assert type(ours).__name__ == theirs.__name__ or callable(ours), name


def test_cosine_by_its_name_is_no_loss(keras3):
    """As a metric 1 where both point the same way, as a loss -1."""
    found = []
    for k in (kshim, keras3):
        model = k.Sequential([k.Input((3,)), k.layers.Activation("linear")])
        model.compile("sgd", "cosine_similarity", metrics=["cosine_similarity", "precision", "root_mean_squared_error"])
        y_true, y_pred = TARGETS["one_hot"]
        logs = model.evaluate(y_pred, y_true, verbose=0, return_dict=True)
        found.append({re.sub(r"_\d+$", "", name): value for name, value in logs.items()})  # both count up
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    assert found[0]["cosine_similarity"] > 0


def test_get_others():
    assert metrics.get(None) is None
    metric = metrics.Mean()
    assert metrics.get(metric) is metric
    assert metrics.get(len) is len
    assert isinstance(metrics.get(metrics.Mean), metrics.Mean)
    with pytest.raises(ValueError, match=r"Unknown metric.*Did you mean 'binary_accuracy'"):
        metrics.get("binary_acuracy")
    with pytest.raises(ValueError, match=r"`threshold` to be in \(0, 1\). Received: threshold=2"):
        metrics.BinaryAccuracy(threshold=2)


def test_a_function_as_a_metric(keras3):
    def distance(y_true, y_pred, by=1.0):
        return abs(y_true - y_pred) * by

    ours, theirs = (k.metrics.MeanMetricWrapper(distance, name="it", by=3.0) for k in (kshim, keras3))
    y_true, y_pred = (torch.tensor(t) for t in TARGETS["binary_several"])
    for weight in (None, torch.arange(7.0), torch.arange(21.0).reshape(7, 3)):
        assert_close(ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight))
    assert metrics.MeanMetricWrapper(distance).name == "distance"


def test_a_metric_of_the_user(keras3):
    """As in Keras' documentation: state by ``add_variable`` and ``assign``."""

    def of(k):
        class TruePositives(k.metrics.Metric):
            def __init__(self, name="true_positives", **kwargs):
                super().__init__(name=name, **kwargs)
                self.true_positives = self.add_variable(shape=(), initializer="zeros", name="hits")
                self.largest = self.add_weight(shape=(2,), initializer="ones", name="largest")

            def update_state(self, y_true, y_pred, sample_weight=None):
                hits = ((y_true == 1) & (y_pred > 0.5)).float()
                if sample_weight is not None:
                    hits = hits * sample_weight
                self.true_positives.assign(self.true_positives + hits.sum())
                self.largest.assign_add(torch.ones(2))

            def result(self):
                return self.true_positives + self.largest.value[0]

        return TruePositives

    ours, theirs = (of(k)() for k in (kshim, keras3))
    for _ in range(2):
        for metric in (ours, theirs):
            for y_true, y_pred in batches(CASES[2]):
                metric.update_state(y_true, y_pred, sample_weight=2.0)
        assert_close(ours.result(), theirs.result())
        assert [v.name for v in ours.variables] == ["hits", "largest"] == [v.name for v in theirs.variables]
        ours.reset_state(), theirs.reset_state()
        assert float(ours.largest[0]) == 0 == float(theirs.largest.value[0])  # zeros, not what it began with
    assert ours.get_config() == {"name": "true_positives", "dtype": "float32"} == theirs.get_config()


def test_a_metric_function_that_returns_a_dict():
    def spread(y_true, y_pred):
        error = y_true - y_pred
        return {"low": error.min(), "high": error.max()}

    model = kshim.Sequential([kshim.Input((2,)), kshim.layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", "mse", metrics=[spread, "mae"])
    y = np.arange(10.0)[:, None]
    logs = model.evaluate(np.zeros((10, 2)), y, batch_size=5, verbose=0, return_dict=True)
    # The mean over the batches 0..4 and 5..9.
    assert logs == {"loss": pytest.approx(28.5), "low": 2.5, "high": 6.5, "mae": 4.5}


def test_metric_without_its_methods():
    metric = metrics.Metric(name="it")
    with pytest.raises(NotImplementedError, match=r"Metric 'it': expected an `update_state"):
        metric.update_state(1)
    with pytest.raises(NotImplementedError, match=r"Metric 'it': expected a `result"):
        metric.result()

"""Every metric over ten uneven batches as the real Keras 3 has it, and nothing read by the host on the way."""

import numpy as np
import pytest
import torch
from cases import assert_close
from cases.metrics import CASES as MEANS
from cases.metrics import STATES, TARGETS
from torch.utils._python_dispatch import TorchDispatchMode

import kshim

CASES = MEANS + STATES
every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
BATCHES = 10


def batches(case):
    """Ten batches of 1 to 9 rows drawn from the case's, and weights for them, some 0."""
    draw = np.random.default_rng(11)
    y_true, y_pred = TARGETS[case.targets]
    for _ in range(BATCHES):
        rows = draw.integers(0, len(y_pred), draw.integers(1, 10))
        weights = draw.integers(0, 4, len(rows)).astype("float32") / 2
        yield torch.tensor(y_true[rows]), torch.tensor(y_pred[rows]), torch.tensor(weights)


def weights_for(case, y_true, weights):
    """In the shape that Keras takes: of the samples for means and single classes, else of the values or pixels."""
    if case in MEANS or "class_id" in case.arguments or case.cls in ("R2Score", "FBetaScore", "F1Score"):
        return weights
    shape = y_true.shape[:-1] if case.targets == "maps_one_hot" else y_true.shape
    return weights.reshape(-1, *[1] * (len(shape) - 1)).expand(shape)


def make(k, case):
    return getattr(k.metrics, case.cls)(**case.arguments)


@every
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.filterwarnings("ignore:You are passing weight as")  # both packages say so for IoU
def test_ten_uneven_batches(case, weighted, keras3):
    ours, theirs = make(kshim, case), make(keras3, case)
    for y_true, y_pred, weights in batches(case):
        given = (weights_for(case, y_true, weights),) if weighted else ()
        theirs.update_state(y_true, y_pred, *given)
        ours.update_state(y_true, y_pred, *given)
    assert_close(ours.result(), theirs.result(), 1e-6)


class Reads(TorchDispatchMode):
    """Counts what the host reads of a tensor: its value, or sizes that depend on it."""

    NAMES = ("aten::_local_scalar_dense", "aten::item", "aten::nonzero", "aten::masked_select", "aten::equal",
             "aten::is_nonzero", "aten::_unique2")  # fmt: skip

    def __init__(self, apart=()):
        super().__init__()
        self.found, self.apart = [], {tensor.data_ptr() for tensor in apart}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.name().split(".")[0] in self.NAMES and args[0].data_ptr() not in self.apart:
            self.found.append(func.name())
        return func(*args, **kwargs or {})


def test_a_read_is_counted():
    with Reads() as reads:
        float(torch.ones(()))
        torch.ones(3).nonzero()
        bool(torch.ones(()) > 0)
        torch.ones(3).tolist()
    assert len(reads.found) >= 3


@every
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.filterwarnings("ignore:You are passing weight as")
def test_an_update_reads_nothing(case, weighted):
    metric, (first, *others) = make(kshim, case), list(batches(case))
    metric.update_state(*first[:2])
    y_true, y_pred, weights = others[0]
    given = (weights_for(case, y_true, weights),) if weighted else ()
    with Reads() as reads:
        metric.update_state(y_true, y_pred, *given)
        if case.cls != "R2Score":  # warns about too few samples
            metric.result()
    assert reads.found == []


@pytest.mark.parametrize("loss", ["mse", "categorical_crossentropy", "sparse_categorical_crossentropy", "hinge"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_a_training_step_reads_nothing(loss, optimizer):
    """From the second step on (the first builds), but for the optimizer's counters, which stay with the host."""
    model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(8, "relu"), kshim.layers.Dense(3, "softmax")])
    model.compile(optimizer, loss, metrics=["accuracy"] if "sparse" in loss else ["accuracy", kshim.metrics.AUC()])
    x = torch.rand(6, 4)
    classes = torch.arange(6) % 3
    y = classes if "sparse" in loss else torch.eye(3)[classes]
    model.train_on_batch(x, y)
    counters = (model.optimizer._rate, model.optimizer._iterations)
    assert all(counter.device.type == "cpu" for counter in counters)
    with Reads(counters) as reads:
        model.train_step((x, y))
    assert reads.found == []

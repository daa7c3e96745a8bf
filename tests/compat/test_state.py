"""``core.state``: what is data, what changed, and what a file cannot do. Whole runs are in ``test_resume.py``."""

import io
import random
from collections import OrderedDict, deque

import numpy as np
import pytest
import torch

from kshim.callbacks.base import Logs
from kshim.core import state
from kshim.random import SeedGenerator


def through_a_file(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


READ_ONLY = np.arange(3.0)
READ_ONLY.flags.writeable = False
VALUES = [
    None, True, 3, -1.5, 2**70, 1j, "text", b"bytes", np.float32(0.1), np.int64(7), np.bool_(True), np.array(2.5),
    np.arange(6).reshape(2, 3).T, np.ones((0, 2)), np.float16([1, 2]), np.uint32([1]), np.complex64([1j]), READ_ONLY,
    np.arange(4)[::-1], torch.ones(2, 3).T, torch.tensor(1.5, dtype=torch.bfloat16), torch.tensor([True]), [], (),
    [1, (2.0, None), {"a": [np.ones(2)], (1, "b"): 3, 4: 5}], {1, 2}, deque([1, 2]),
]  # fmt: skip


def same(a, b):
    if isinstance(a, (np.ndarray, np.generic, torch.Tensor)):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple, deque)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__} {value}"[:30])
def test_values_come_back(value):
    assert same(state.decoded(through_a_file(state.encoded(value))), value)


CYCLE: list = []
CYCLE.append(CYCLE)
NO_DATA = [
    object(), len, np.array([object()]), np.array(["text"]), np.longdouble(1), np.ones(2, ">f4"), {object(): 1},
    torch.ones(2, device="meta"), torch.eye(2).to_sparse(), [1, [object()]], CYCLE, random.SystemRandom(),
    np.datetime64("2020-01-01"),
]  # fmt: skip


@pytest.mark.parametrize("value", NO_DATA, ids=lambda value: type(value).__name__)
def test_what_is_no_data(value):
    if isinstance(value, np.longdouble) and np.dtype(np.longdouble) == np.float64:
        pytest.skip("a double here")
    with pytest.raises(state.NotPlain):
        state.encoded(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1], "expected data. Received: list"), (("spam", 1), "a pair"), ((1, 2, 3), "a pair"),
        (("tensor", 1), "expected a tensor"), (("list", 1), "expected a list"), (("dict", [1]), "pairs of a dict"),
        (("variable", torch.ones(2)), "a variable of shape"), (("generator", 1), "a generator of random numbers"),
        (("object", 1), "with a load_state_dict"),
    ],
)  # fmt: skip
def test_what_is_no_state(data, message):
    with pytest.raises(ValueError, match=message):
        state.decoded(data)


class Adds:
    """Tells its state itself."""

    def __init__(self):
        self.total, self.write = 0, print

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, given):
        self.total = given["total"]


class Busy:
    """What users' callbacks and data sets hold."""

    on_class = 0

    def __init__(self, patience=2, best=None, name="a"):
        self.patience, self.best, self.count, self.rows, self.name = patience, best, 0, np.arange(9), name
        self.seen, self.recent, self.table, self.words = [1], deque(maxlen=3), OrderedDict(a=1), Logs(loss=1.0)
        self.generators = [np.random.default_rng(1), np.random.RandomState(1), random.Random(1)]
        self.numbers, self.torch = np.random.default_rng(1), torch.Generator().manual_seed(1)
        self.variable, self.file, self.adds = torch.nn.Parameter(torch.zeros(2)), io.StringIO(), Adds()
        self.big = np.zeros(state.LARGE // 8 + 1)

    def work(self):
        self.on_class += 1
        self.count += 1
        np.random.default_rng(0).shuffle(self.rows)
        self.seen.append(self.count)
        self.recent.extend([1, 2, 3, 4])
        self.table["b"] = {"c": (1, 2)}
        self.words["acc"] = 0.5
        self.made = [np.ones(3)]
        self.adds.total += 5
        with torch.no_grad():
            self.variable += 1
        self.big[0] = self.patience = 7
        self.name += "x"

    def draws(self):
        drawn = [self.numbers.random(), self.torch.initial_seed(), torch.rand(1, generator=self.torch).item()]
        return drawn + [float(each.random()) for each in self.generators]


def test_what_changed_is_taken_up_in_place():
    busy, other = Busy(), Busy(patience=3, name="b")
    watched, again = state.Tracker(busy), state.Tracker(other)
    for _ in range(2):
        busy.work()
        busy.draws()
    held = other.seen, other.recent, other.table, other.words, other.variable, other.numbers
    again.load(through_a_file(watched.state()))
    assert held == (other.seen, other.recent, other.table, other.words, other.variable, other.numbers)
    assert all(a is b for a, b in zip(held, (other.seen, other.recent, other.table, other.words), strict=False))
    for name in ("on_class", "count", "rows", "seen", "recent", "table", "words", "made", "variable"):
        assert same(getattr(other, name), getattr(busy, name)), name
    assert other.recent.maxlen == 3 and type(other.words) is Logs and other.adds.total == 10
    assert other.patience == 7 and other.name == "b", "a text is the script's"
    assert other.big[0] == 0, "large arrays are data"
    assert other.draws()[:3] == busy.draws()[:3]


def test_what_did_not_change_is_not_kept():
    busy = Busy()
    busy.endless = CYCLE
    watched = state.Tracker(busy)
    assert watched.state().keys() == {"numbers", "torch", "variable", "adds"}
    busy.count = 4
    assert "count" in watched.state()
    busy.count = 0
    assert "count" not in watched.state()
    busy.big = np.ones_like(busy.big)
    assert "big" in watched.state()


def test_a_state_dict_that_is_no_data_says_so():
    adds = Adds()
    adds.total = object()
    with pytest.raises(TypeError, match=r"Adds.state_dict\(\): expected numbers, texts, arrays"):
        state.Tracker(adds).state()


def test_a_row_of_seeds_is_a_variable():
    seeds, other = SeedGenerator(3), SeedGenerator(3)
    seeds.next()
    state.Tracker(other).load(through_a_file(state.Tracker(seeds).state()))
    assert other.next().tolist() == seeds.next().tolist()

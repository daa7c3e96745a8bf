"""Seeds and draws, number by number those of the real Keras 3."""

import inspect
import random as python_random

import numpy as np
import pytest
import torch

from kshim import random
from kshim.core.registry import Registry
from kshim.graph.keras_tensor import KerasTensor

ROWS = torch.arange(24.0).reshape(4, 3, 2)
CASES = [
    ("normal", ((5, 6), 1.0, 3.0), {}),
    ("normal", ((),), {}),
    ("uniform", ((5, 6), -1.0, 3.0), {}),
    ("truncated_normal", ((5, 6), 1.0, 3.0), {}),
    ("randint", ((5, 6), -3, 100), {}),
    ("randint", ((5, 6), 0, 9), {"dtype": "int64"}),
    ("gamma", ((5, 6), 2.0), {}),
    ("beta", ((5, 6), 2.0, 3.0), {}),
    ("binomial", ((5, 6), 10, 0.3), {}),
    ("categorical", (torch.linspace(-1, 2, 20).reshape(4, 5), 7), {}),
    ("shuffle", (ROWS,), {}),
    ("shuffle", (ROWS,), {"axis": 1}),
    ("dropout", (ROWS, 0.3), {}),
    ("dropout", (ROWS, 0.3), {"noise_shape": (None, 1, 2)}),
    ("dropout", (ROWS, 1.0), {}),
    ("dropout", (ROWS, 0), {}),
]
every = pytest.mark.parametrize(("name", "arguments", "options"), CASES)


@every
def test_draws_are_keras(name, arguments, options, keras3):
    own_row, their_row = random.SeedGenerator(5), keras3.random.SeedGenerator(5)
    with keras3.device("cpu"):
        for own_seed, their_seed in ((11, 11), (own_row, their_row), (own_row, their_row)):
            own = getattr(random, name)(*arguments, seed=own_seed, **options)
            theirs = getattr(keras3.random, name)(*arguments, seed=their_seed, **options)
            torch.testing.assert_close(own, theirs, rtol=0, atol=0)


@every
def test_torchs_generator_is_left_alone(name, arguments, options):
    before = torch.get_rng_state()
    getattr(random, name)(*arguments, seed=3, **options)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("name", "arguments", "options"), [case for case in CASES if case[0] != "dropout"])
def test_numpys_seed_reproduces_the_draws(name, arguments, options):
    np.random.seed(4)
    first, second = (getattr(random, name)(*arguments, **options) for _ in range(2))
    if first.numel() > 1:
        assert not torch.equal(first, second)
    np.random.seed(4)
    assert torch.equal(first, getattr(random, name)(*arguments, **options))


def test_every_function_has_a_case(keras3):
    public = {name for name, value in vars(keras3.random).items() if inspect.isfunction(value)}
    assert {case[0] for case in CASES} == public
    for name in public:
        own, theirs = getattr(random, name), getattr(keras3.random, name)
        assert inspect.signature(own) == inspect.signature(theirs)


def test_symbolic_tensors():
    x, row = KerasTensor((None, 4)), random.SeedGenerator(1)
    assert random.dropout(x, 0.5).shape == random.dropout(x, 0.5, seed=row).shape == (None, 4)
    assert random.shuffle(x, seed=row).shape == (None, 4)
    assert random.categorical(x, 3, seed=row).shape == (None, 3)
    assert row.state.tolist() == [1, 0]


def test_truncated_draws_stay_within_two_deviations():
    draws = random.truncated_normal((1_000_000,), seed=1)
    assert draws.abs().max() <= 2


def test_dropout_without_a_seed_follows_torchs():
    torch.manual_seed(3)
    first = random.dropout(torch.ones(1000), 0.25)
    torch.manual_seed(3)
    assert torch.equal(first, random.dropout(torch.ones(1000), 0.25))
    assert set(first.tolist()) == {0, torch.tensor(4 / 3).item()}


def test_seed_generator(keras3):
    own, theirs = random.SeedGenerator(3, name="rows"), keras3.random.SeedGenerator(3, name="rows")
    assert own.get_config() == theirs.get_config() == random.SeedGenerator.from_config(own.get_config()).get_config()
    for ordered in (True, True, False, False, True):
        assert own.next(ordered).tolist() == theirs.next(ordered).tolist()
    assert repr(own) == "SeedGenerator(seed=3, name='rows')"
    assert Registry.kinds["seed generator"].serialize(own)["module"] == "keras.random"


def test_a_seed_generator_without_a_seed_follows_numpys():
    np.random.seed(3)
    first, second = random.SeedGenerator(), random.SeedGenerator()
    assert first.get_config()["seed"] is None
    assert not torch.equal(first.state, second.state)
    np.random.seed(3)
    assert torch.equal(first.state, random.SeedGenerator().state)


def test_set_random_seed():
    def draws():
        return python_random.random(), np.random.rand(), torch.rand(()).item()

    random.set_random_seed(np.int64(5))
    first = draws()
    random.set_random_seed(5)
    assert draws() == first
    with pytest.raises(ValueError, match=r"`seed` argument to be an integer. Received: seed=1.5"):
        random.set_random_seed(1.5)
    with pytest.raises(ValueError, match="Seed must be between 0 and"):
        random.set_random_seed(-1)
    random.set_random_seed(5)
    assert draws() == first


def test_what_a_seed_is():
    assert random.draw_seed(7) == random.draw_seed(np.int64(7)) == 7
    for wrong in ("a", 1.5):
        with pytest.raises(ValueError, match=r"Argument `seed`: expected an integer .* Received: seed="):
            random.draw_seed(wrong)
        with pytest.raises(ValueError, match=r"Argument `seed`: expected an integer .* Received: seed="):
            random.SeedGenerator(wrong)


def test_generator():
    first, second = torch.rand(3, generator=random.generator(4)), torch.rand(3, generator=random.generator(4))
    assert torch.equal(first, second)

"""Seeds, and draws from them: one ``torch.Generator`` per draw, torch's global generator is left alone.

An int seed gives the numbers that Keras 3 gives on its torch backend (CPU). Without a seed the draw's seed comes
from numpy's global generator, so ``np.random.seed(7)`` makes a script's weights come out the same.
"""

import operator
import random
import zlib

import numpy as np
import torch
import torch.nn.functional as F

from kshim.core import configurable, dtypes, names
from kshim.core.arrays import to_tensor
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry
from kshim.core.state import packed, unpacked
from kshim.core.variable import Variable
from kshim.graph.op import op

_MASK = 0xFFFFFFFF  # seeds are 32 bits wide, as in Keras


def set_random_seed(seed):
    """Seed Python's, numpy's and torch's global generators.

    Args:
        seed: an int in [0, 2**32 - 1].

    Raises: ValueError if it is not.
    """
    try:
        number = operator.index(seed)
    except TypeError:
        raise ValueError(
            f"Expected `seed` argument to be an integer. Received: seed={seed!r} (of type {type(seed)})."
        ) from None
    np.random.seed(number)  # first, as it is the one that checks the range
    random.seed(number)
    torch.manual_seed(number)


_torch_seeds = {torch.initial_seed()}  # those that were not the user's choice
_numpy_followed = None


def torch_follows_numpy():
    """Seed torch's global generator from the state of numpy's, unless somebody seeded it or numpy's has not moved.

    Scripts of Keras 1 and 2 seed numpy alone; dropout draws from torch's generator. Nothing is drawn from numpy's.
    """
    global _numpy_followed
    if torch.initial_seed() not in _torch_seeds:
        return
    state = np.random.get_state()
    seed = zlib.crc32(state[1].tobytes() + bytes(str(state[2]), "ascii"))
    if seed != _numpy_followed:
        _numpy_followed = seed
        torch.manual_seed(seed)
        _torch_seeds.add(torch.initial_seed())


def global_state():
    """The states of Python's, numpy's, torch's and the GPUs' global generators, for ``set_global_state``."""
    return {
        "python": packed(random.getstate()),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "chosen": torch.initial_seed() not in _torch_seeds,
        "followed": _numpy_followed,
    }


def set_global_state(state):
    """Put the generators where ``global_state`` found them; a GPU that is not there now is left out."""
    global _numpy_followed
    random.setstate(unpacked(state["python"]))
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    for device, own in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(own, device)
    if not state["chosen"]:
        _torch_seeds.add(torch.initial_seed())
    _numpy_followed = state["followed"]


def draw_seed(seed=None):
    """The int that ``seed`` stands for at this draw.

    Args:
        seed: an int (itself), a ``SeedGenerator`` (its next one), or None (one from numpy's global generator).

    Raises: ValueError for anything else.
    """
    if seed is None:
        return int(np.random.randint(2**31 - 1))
    if isinstance(seed, SeedGenerator):
        return sum(seed.next().tolist()) & _MASK
    return _int_or_none(seed) & _MASK


def generator(seed=None, device="cpu"):
    """A ``torch.Generator`` on ``device``, seeded with ``draw_seed(seed)``."""
    return torch.Generator(device).manual_seed(draw_seed(seed))


class SeedGenerator(Configurable):
    """A row of seeds: each draw that is given this object gets the next one.

    Args:
        seed: int the row starts from; None takes one from numpy's global generator.
        name: None gives ``seed_generator``, ``seed_generator_1``, ...

    Raises: ValueError if ``seed`` is neither.

    Source: Keras 3 ``random/seed_generator.py``.
    """

    def __init__(self, seed=None, name=None):
        name = name or names.unique("seed_generator")
        self.keep(locals(), seed=lambda owner, key, value: _int_or_none(value))
        self.state = Variable(torch.tensor([draw_seed(self.seed), 0]), trainable=False, name="seed_generator_state")

    def next(self, ordered=True):
        """The state, a tensor ``[seed, count]``, which then moves on.

        Args:
            ordered: whether to count up; False hashes both numbers into [0, 933199).
        """
        now = self.state.detach().clone()
        self.state.data.copy_(now + torch.tensor([0, 1]) if ordered else (now + 1) * 5387 % 933199)
        return now


REGISTRY = Registry("seed generator", "keras.random", SeedGenerator, plain=False)
REGISTRY.add(SeedGenerator)


def as_seed(seed):
    """A seed argument as it is kept: None, an int, a ``SeedGenerator``, or one made from its config."""
    return REGISTRY.get(seed) if isinstance(seed, (SeedGenerator, dict)) else _int_or_none(seed)


def _int_or_none(seed):
    try:
        return seed if seed is None else operator.index(seed)
    except TypeError:
        raise ValueError(
            f"Argument `seed`: expected an integer or a SeedGenerator. Received: seed={seed!r} (of type {type(seed)})."
        ) from None


def _serialize_seed(seed):
    return REGISTRY.serialize(seed) if isinstance(seed, SeedGenerator) else seed


configurable.RESOLVERS["seed"] = as_seed
configurable.SERIALIZERS["seed"] = _serialize_seed


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Draws from the normal distribution.

    Args:
        shape: tuple of ints.
        mean, stddev: of the distribution, ``stddev`` at least 0.
        dtype: a float type; None means ``floatx()``.
        seed: int, ``SeedGenerator`` or None, as in ``draw_seed``. The same in all functions below.
    """
    return _empty(shape, dtype).normal_(mean, stddev, generator=generator(seed))


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Draws from the uniform distribution over ``[minval, maxval)``."""
    return _empty(shape, dtype).uniform_(generator=generator(seed)).mul_(maxval - minval).add_(minval)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Draws from the normal distribution, those further than ``2 * stddev`` from ``mean`` drawn anew."""
    candidates = normal((*shape, 4), dtype=dtype, seed=seed)
    first = (candidates.abs() < 2).max(-1, keepdim=True).indices
    # All four of them lie outside once in 230,000 times: Keras lets that one stand, here it moves to the border.
    return candidates.gather(-1, first).squeeze(-1).clamp_(-2, 2).mul_(stddev).add_(mean)


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Ints drawn evenly from ``[minval, maxval)``."""
    return torch.randint(minval, maxval, tuple(shape), generator=generator(seed), dtype=dtypes.to_torch(dtype))


def gamma(shape, alpha, dtype=None, seed=None):
    """Draws from the gamma distribution of shape parameter ``alpha`` (above 0, broadcast to ``shape``) and rate 1."""
    return _sample(shape, dtype, seed, torch.distributions.Gamma, alpha, 1.0)


def beta(shape, alpha, beta, dtype=None, seed=None):
    """Draws from the beta distribution of parameters ``alpha`` and ``beta``, above 0 and broadcast to ``shape``."""
    return _sample(shape, dtype, seed, torch.distributions.Beta, alpha, beta)


def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """Successes in ``counts`` tries, each with the chance ``probabilities`` in [0, 1]; both broadcast to ``shape``."""
    return _sample(shape, dtype, seed, torch.distributions.Binomial, counts, probabilities)


@op
def categorical(logits, num_samples, dtype="int32", seed=None):
    """``num_samples`` class indices for each row of ``logits``, a matrix of log odds ``(batch, classes)``."""
    logits, dtype = to_tensor(logits), dtypes.to_torch(dtype)
    if logits.is_meta:
        return logits.new_empty((logits.shape[0], num_samples), dtype=dtype)
    source = generator(seed, logits.device)
    return torch.multinomial(torch.softmax(logits, -1), num_samples, replacement=True, generator=source).to(dtype)


@op
def shuffle(x, axis=0, seed=None):
    """``x`` in another order along ``axis``, for each position of the axes before it on its own."""
    x = to_tensor(x)
    axis = axis % x.ndim
    if x.is_meta:
        return torch.empty_like(x)
    keys = torch.rand(x.shape[: axis + 1], generator=generator(seed, x.device), device=x.device)
    order = keys.argsort(axis).reshape(keys.shape + (1,) * (x.ndim - axis - 1))
    return x.gather(axis, order.expand(x.shape))


@op
def dropout(inputs, rate, noise_shape=None, seed=None):
    """``inputs`` with the fraction ``rate`` of them, in [0, 1], set to 0 and the rest divided by ``1 - rate``.

    Args:
        noise_shape: shape of the mask, which broadcasts to the inputs; None in it, or for it, means the inputs' own.
        seed: see ``normal``; None takes torch's global generator, which is faster.
    """
    inputs = to_tensor(inputs)
    if seed is None and noise_shape is None:
        return F.dropout(inputs, rate)
    if rate in (0, 1) or inputs.is_meta:
        return torch.zeros_like(inputs) if rate == 1 else inputs
    sizes = inputs.shape if noise_shape is None else noise_shape
    sizes = [own if size is None else size for size, own in zip(sizes, inputs.shape, strict=True)]
    chances = torch.full(sizes, 1 - rate, device=inputs.device)
    kept = torch.bernoulli(chances, generator=generator(seed, inputs.device)).bool()
    return torch.where(kept, inputs / (1 - rate), 0)


def _empty(shape, dtype):
    return torch.empty(tuple(shape), dtype=dtypes.to_torch(dtype), device="cpu")


def _sample(shape, dtype, seed, distribution, *parameters):
    # torch.distributions draw from the global CPU generator only: it is seeded for the draw, and put back.
    parameters = [torch.broadcast_to(to_tensor(parameter), tuple(shape)) for parameter in parameters]
    number = draw_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(number)
        return distribution(*parameters).sample().to(dtypes.to_torch(dtype))

"""A hundred training steps of every optimizer of Keras 2.3.1 and 1.2.2, under their dialects; and their methods."""

import functools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import kshim
from kshim.core import settings

ORACLE = Path(__file__).parent / "oracle"
sys.path.insert(0, str(ORACLE))
from optimizer_rows import LOSS, ROWS, STEPS  # noqa: E402 - the same rows as the real Keras ran

VERSIONS = ("2.3.1", "1.2.2")
PUBLIC = {"SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam"}  # of both
CASES = [(version, name) for version in VERSIONS for name, row in ROWS.items() if row[2] or version != "1.2.2"]
over = pytest.mark.parametrize(("version", "name"), CASES)


@functools.cache
def goldens(version):
    return dict(np.load(ORACLE / f"optimizers-{version}.npz"))


@pytest.fixture(autouse=True)
def dialect(request):
    before = settings.dialect()
    if "version" in request.fixturenames:
        settings.set_dialect(request.getfixturevalue("version"))
    yield
    settings.set_dialect(before)


def part(version, prefix):
    stored = goldens(version)
    return [stored[f"{prefix}/{i}"] for i in range(sum(key.startswith(prefix + "/") for key in stored))]


def model_of(version):
    model = kshim.Sequential([kshim.Input((5,)), kshim.layers.Dense(4, activation="tanh"), kshim.layers.Dense(3)])
    model.set_weights(part(version, "initial"))
    return model


def test_every_optimizer_has_two_rows():
    for version in VERSIONS:
        classes = [ROWS[name][0] for of, name in CASES if of == version]
        assert set(classes) == PUBLIC and all(classes.count(cls) >= 2 for cls in PUBLIC)
        assert {key.split("/")[0] for key in goldens(version)} - {"initial", "x", "y"} == {
            name for of, name in CASES if of == version
        }


@over
def test_a_hundred_steps(version, name):
    stored = goldens(version)
    x, y = stored["x"], stored["y"]
    cls, arguments, _ = ROWS[name]
    model = model_of(version)
    model.compile(optimizer=getattr(kshim.optimizers, cls)(**arguments), loss=LOSS)
    for i in range(STEPS):
        rows = slice(i * 8 % len(x), i * 8 % len(x) + 8)
        assert model.train_on_batch(x[rows], y[rows]) == pytest.approx(stored[f"{name}/loss"][i], rel=1e-4, abs=1e-7)
    for got, expected in zip(model.get_weights(), part(version, f"{name}/final"), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)
    state, expected = model.optimizer.get_weights(), part(version, f"{name}/state")
    assert [a.shape for a in state] == [a.shape for a in expected]
    for i, (got, want) in enumerate(zip(state, expected, strict=True)):
        if want.shape != ():  # the script itself writes the iterations, and there is a moment without momentum
            assert name.startswith("sgd") or got.shape == want.shape
            if not (cls == "SGD" and not arguments.get("momentum")):
                np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-4, err_msg=f"state {i}")
    twin = getattr(kshim.optimizers, cls)(**arguments)
    again = model_of(version)
    again.set_weights(model.get_weights())
    again.compile(optimizer=twin, loss=LOSS)
    twin.build(again.trainable_weights)
    twin.set_weights(state)
    if state[0].shape != ():
        twin.iterations.assign(STEPS)  # Keras 1 kept it to itself
    for each in (model, again):
        each.train_on_batch(x[:8], y[:8])
    for got, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="arrays, one for each of its variables"):
        twin.set_weights([*state, state[0]])


@pytest.mark.parametrize("version", VERSIONS)
def test_get_gradients(version):
    model = model_of(version)
    x = torch.tensor(goldens(version)["x"])
    params = model.trainable_weights

    def gradients(**arguments):
        return kshim.optimizers.SGD(**arguments).get_gradients((model(x) ** 2).mean(), params)

    plain = gradients()
    total = sum(float((g**2).sum()) for g in plain) ** 0.5
    for got, grad in zip(gradients(clipnorm=0.5 * total), plain, strict=True):
        torch.testing.assert_close(got, grad * 0.5)
    for got, grad in zip(gradients(clipvalue=0.01), plain, strict=True):
        torch.testing.assert_close(got, grad.clamp(-0.01, 0.01))
    with pytest.raises(ValueError, match="An operation has `None` for gradient"):
        kshim.optimizers.SGD().get_gradients(params[0].sum(), params)


@pytest.mark.parametrize("version", VERSIONS)
def test_decay_and_lr(version):
    method = kshim.optimizers.SGD(lr=0.5, decay=0.25)
    assert method.decay == 0.25 and float(method.lr) == 0.5 and kshim.optimizers.SGD().decay == 0.0

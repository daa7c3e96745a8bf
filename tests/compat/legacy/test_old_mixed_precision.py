"""Loss scaling as TensorFlow's Keras wrote it."""

import pytest
import torch

import kshim
from kshim import mixed_precision, optimizers
from kshim.core import settings

Scaled = mixed_precision.LossScaleOptimizer


@pytest.fixture(autouse=True)
def same_dialect_after():
    before = settings.dialect()
    yield
    settings.set_dialect(before)


@pytest.mark.parametrize("args, kwargs", [
    ((), {}), (("dynamic",), {}), ((), {"loss_scale": "dynamic"}), ((True,), {}), ((), {"dynamic": True}),
    ((True, None, None), {}), ((), {"initial_scale": None, "dynamic_growth_steps": None}),
])  # fmt: skip
def test_forms(args, kwargs):
    settings.set_dialect("tf.keras")
    made = Scaled(optimizers.SGD(), *args, **kwargs)
    assert (float(made.loss_scale), made.dynamic_growth_steps, made.dynamic) == (2.0**15, 2000, True)
    assert int(made.dynamic_counter) == 0


def test_other_forms():
    settings.set_dialect("tf.keras")
    assert isinstance(Scaled(optimizer=optimizers.SGD()).inner_optimizer, optimizers.SGD)
    made = Scaled(optimizers.SGD(), True, 8.0, 3)
    assert (float(made.loss_scale), made.dynamic_growth_steps) == (8.0, 3)
    assert mixed_precision.Policy("mixed_float16", loss_scale="dynamic").name == "mixed_float16"


@pytest.mark.parametrize("make", [
    lambda: Scaled(optimizers.SGD(), loss_scale=128.0), lambda: mixed_precision.Policy("mixed_float16", loss_scale=128),
])  # fmt: skip
def test_a_fixed_scale_is_refused(make):
    with pytest.raises(NotImplementedError, match=r"loss_scale=128.*Adam\(loss_scale_factor"):
        make()


def test_not_dynamic_is_refused():
    settings.set_dialect("tf.keras")
    with pytest.raises(ValueError, match=r"dynamic=False"):
        Scaled(optimizers.SGD(), False)


def test_a_loop_of_tf_keras():
    settings.set_dialect("tf.keras")
    weight = kshim.Variable(torch.tensor([1.0, 2.0]))
    optimizer = Scaled(optimizers.SGD(0.5), initial_scale=8.0)
    optimizer.build([weight])
    (grad,) = torch.autograd.grad(optimizer.get_scaled_loss((weight * 3).sum()), [weight])
    assert grad.tolist() == [24.0, 24.0]
    (unscaled,) = optimizer.get_unscaled_gradients([grad])
    assert unscaled.tolist() == [3.0, 3.0]
    optimizer.apply_gradients([(unscaled, weight)])
    assert weight.tolist() == [-0.5, 0.5]
    optimizer.apply_gradients([(unscaled * float("inf"), weight)])
    assert weight.tolist() == [-0.5, 0.5]
    assert float(optimizer.loss_scale) == 4.0
    assert optimizer.get_scaled_loss(lambda: torch.tensor(2.0))() == 8.0
    assert optimizer.get_unscaled_gradients([None]) == [None]


def test_todays_apply_takes_scaled_gradients():
    weight = kshim.Variable(torch.tensor([1.0]))
    optimizer = Scaled(optimizers.SGD(0.5), initial_scale=8.0)
    optimizer.apply_gradients([(torch.tensor([8.0]), weight)])
    assert weight.tolist() == [0.5]

"""Normalizations: what rows cannot say."""

import copy
import tempfile

import numpy as np
import pytest
import torch
from cases import array, assert_close
from cases.layers.row import counted

import kshim


def waves(*shape):
    return torch.sin(torch.arange(float(np.prod(shape))) ** 2).view(shape)


@pytest.mark.parametrize("axis", [1, -2, [1], [1, 2], [0, 2]])
@pytest.mark.parametrize("name", ["LayerNormalization", "RMSNormalization"])
def test_axes_that_are_not_the_last(name, axis):
    """Keras 3.15 on torch gives a RuntimeError, or the values of the last axis where that is as long."""
    x = waves(2, 3, 4, 4).double()
    layer = getattr(kshim.layers, name)(axis=axis, dtype="float64")
    got, axes = layer(x), tuple(axis) if isinstance(axis, list) else (axis,)
    centred = x.numpy() - (x.numpy().mean(axes, keepdims=True) if name[0] == "L" else 0)
    expected = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + layer.epsilon)
    assert_close(got, expected, 1e-12)
    scale = layer.gamma if name[0] == "L" else layer.scale
    assert tuple(scale.shape) == tuple(x.shape[a] for a in sorted(axes))


def test_rms_scaling(keras3):
    found = []
    for k in (kshim, keras3):
        with pytest.warns(UserWarning, match="rms_scaling"):
            layer = k.layers.LayerNormalization(rms_scaling=True, name="it")
            layer.build((2, 3, 4))
            layer.set_weights(counted(layer))
            found.append((array(layer(waves(2, 3, 4))), layer.get_config()))
    assert_close(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


def test_epsilon_of_a_constant_input(keras3):
    x = torch.full((2, 4), 3.0)
    for name in ("LayerNormalization", "BatchNormalization", "UnitNormalization", "RMSNormalization"):
        ours, theirs = (getattr(k.layers, name)()(x, **({"training": True} if name[0] == "B" else {}))
                        for k in (kshim, keras3))  # fmt: skip
        np.testing.assert_allclose(array(ours), array(theirs), rtol=1e-5, atol=1e-5)


# ---------- BatchNormalization


@pytest.mark.parametrize("shape", [(5, 4), (3, 2, 4), (3, 2, 2, 4)])
def test_statistics_over_steps(shape, keras3):
    found = []
    for k in (kshim, keras3):
        layer = k.layers.BatchNormalization(momentum=0.9)
        for step in range(20):
            layer(waves(*shape) * (step + 1), training=True)
        found.append([array(w) for w in layer.get_weights()])
    for got, expected in zip(*found, strict=True):
        assert_close(got, expected)


@pytest.mark.parametrize("axis", [-1, 1])
def test_masks_in_training(axis, keras3):
    x, mask, found = waves(3, 4, 5), torch.tensor([[1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 1]]).bool(), []
    for k in (kshim, keras3):
        layer, inputs = k.layers.BatchNormalization(axis=axis), x.clone().requires_grad_(True)
        outputs = layer(inputs, training=True, mask=mask)
        (outputs * waves(3, 4, 5).cos()).sum().backward()
        found.append([array(outputs), array(inputs.grad), *layer.get_weights()])
    for got, expected in zip(*found, strict=True):
        assert_close(got, expected)


def test_frozen_in_the_middle(keras3):
    found = []
    for k in (kshim, keras3):
        layer = k.layers.BatchNormalization()
        layer(waves(5, 4), training=True)
        layer.trainable = False
        frozen = layer(waves(5, 4), training=True)
        layer.trainable = True
        again = layer(waves(5, 4), training=True)
        found.append([array(frozen), array(again), *layer.get_weights()])
    for got, expected in zip(*found, strict=True):
        assert_close(got, expected)


def test_symbolic_calls_and_shapes_move_nothing():
    layer = kshim.layers.BatchNormalization()
    before = [w.copy() for w in (layer.build((None, 4)), layer.get_weights())[1]]
    layer(kshim.Input((4,)), training=True)
    layer.compute_output_shape((None, 4))
    for got, expected in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert all(w.device.type == "cpu" for w in layer.weights)


def test_an_empty_batch_moves_nothing():
    layer = kshim.layers.BatchNormalization()
    assert layer(torch.zeros(0, 4), training=True).shape == (0, 4)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), np.zeros(4))
    np.testing.assert_array_equal(layer.moving_variance.numpy(), np.ones(4))


@pytest.mark.parametrize("name", ["BatchNormalization", "GroupNormalization"])
def test_images_are_not_copied(name):
    """What goes in with the channels last comes out so, and torch is never asked to copy."""
    layer = getattr(kshim.layers, name)(**({"groups": 2} if name[0] == "G" else {}))
    x = waves(2, 5, 6, 4)
    layer(x)
    layer.train()
    with torch.profiler.profile(record_shapes=True) as profile:
        outputs = layer(x)
    called = {event.name for event in profile.events()
              if event.input_shapes and np.prod(event.input_shapes[0]) == x.numel()}  # fmt: skip
    assert outputs.is_contiguous()
    assert called and not called & {"aten::contiguous", "aten::clone", "aten::copy_"}


def test_weights_of_half_precision_move_too():
    layer = kshim.layers.BatchNormalization(dtype="float16", momentum=0.5)
    layer(waves(50, 4).half() * 100 + 300, training=True)
    assert np.all(layer.moving_mean.numpy() > 100) and np.isfinite(layer.moving_variance.numpy()).all()
    assert layer.moving_mean.dtype is torch.float16


def test_axis_in_a_list_of_one():
    """As tf.keras writes it."""
    assert kshim.layers.BatchNormalization(axis=[3]).axis == 3


def test_two_calls_and_one_backward():
    layer = kshim.layers.BatchNormalization()
    (layer(waves(5, 4), training=True) + layer(waves(5, 4) * 2, training=True)).square().sum().backward()
    assert layer.gamma.grad is not None


def _process(rank, file, x, results):
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    layer = kshim.layers.BatchNormalization(synchronized=True)
    own = x[:2] if rank == 0 else x[2:]
    own.requires_grad_(True)
    outputs = layer(own, training=True)
    (outputs * outputs.detach().cos()).sum().backward()
    results[rank] = [t.detach().numpy() for t in (outputs, own.grad, layer.moving_mean, layer.moving_variance)]
    torch.distributed.destroy_process_group()


def test_synchronized_over_two_processes():
    """The statistics of uneven parts are those of the whole, gradients too."""
    x = waves(5, 4)
    with tempfile.TemporaryDirectory() as folder, torch.multiprocessing.Manager() as manager:
        results = manager.dict()
        torch.multiprocessing.spawn(_process, (f"{folder}/store", x.clone(), results), nprocs=2)
        parts = [results[0], results[1]]
    layer, whole = kshim.layers.BatchNormalization(synchronized=True), x.clone().requires_grad_(True)
    outputs = layer(whole, training=True)
    (outputs * outputs.detach().cos()).sum().backward()
    assert_close(np.concatenate([p[0] for p in parts]), outputs)
    assert_close(np.concatenate([p[1] for p in parts]), whole.grad, 1e-4)
    for part in parts:
        assert_close(part[2], layer.moving_mean)
        assert_close(part[3], layer.moving_variance)


# ---------- SpectralNormalization


def test_spectral_norm_comes_to_one():
    layer = kshim.layers.SpectralNormalization(kshim.layers.Dense(4), power_iterations=20)
    layer(waves(2, 6), training=True)
    assert abs(np.linalg.norm(layer.layer.kernel.numpy(), 2) - 1) < 1e-3
    twin = copy.deepcopy(layer)
    assert twin.kernel is twin.layer.kernel


def test_spectral_normalization_of_zeros_and_of_an_embedding():
    layer = kshim.layers.SpectralNormalization(kshim.layers.Dense(4, kernel_initializer="zeros"))
    assert not layer(waves(2, 6), training=True).any()
    embedding = kshim.layers.SpectralNormalization(kshim.layers.Embedding(5, 3))
    assert embedding(torch.tensor([[1, 2]]), training=True).dtype is torch.float32

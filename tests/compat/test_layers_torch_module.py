"""Torch modules as layers: wrapped, and bare wherever a layer may stand."""

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import array

import kshim


def linear():
    module = torch.nn.Linear(3, 2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.sin(torch.arange(parameter.numel())).view(parameter.shape))
    return module


def test_wrapped_gives_what_keras_gives(keras3):
    x = torch.sin(torch.arange(12.0)).view(4, 3)
    ours, theirs = (k.layers.TorchModuleWrapper(linear(), name="t") for k in (kshim, keras3))
    np.testing.assert_allclose(array(ours(x)), array(theirs(x)), rtol=1e-6)
    assert ours.compute_output_shape((None, 3)) == (None, 2)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    assert ours.count_params() == theirs.count_params() == 8 and len(ours.trainable_weights) == 2
    config = ours.get_config()
    assert config.keys() == theirs.get_config().keys() and config["output_shape"] is None


def test_config_holds_the_module():
    layer = kshim.layers.TorchModuleWrapper(linear(), name="t")
    again = kshim.layers.TorchModuleWrapper.from_config(layer.get_config(), safe_mode=False)
    x = torch.ones(2, 3)
    assert torch.equal(again(x), layer(x)) and again.name == "t"
    other = kshim.layers.TorchModuleWrapper.from_config({"name": "t", "module": layer.module})
    assert other.module is layer.module


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies(copied):
    layer, x = kshim.layers.TorchModuleWrapper(linear()), torch.ones(2, 3)
    twin, expected = copied(layer), layer(x)
    layer.module.weight.data.zero_()
    assert torch.equal(twin(x), expected) and not torch.equal(layer(x), expected)


def test_training_reaches_the_module():
    layer = kshim.layers.TorchModuleWrapper(torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5)))
    x = torch.ones(4, 3)
    assert torch.equal(layer(x), layer(x, training=False))
    moved = layer.module[0].num_batches_tracked.item()
    layer(x, training=True)
    assert layer.module[0].num_batches_tracked.item() == moved + 1 and not layer.module.training


def test_output_shape_is_told():
    class Counts(torch.nn.Module):
        def forward(self, x):
            return x[:, : int(x.abs().max()) + 1]  # its shape follows from the values

    layer = kshim.layers.TorchModuleWrapper(Counts(), output_shape=(None, 2))
    inputs = kshim.Input((5,))
    model = kshim.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 2) and model(torch.ones(3, 5)).shape == (3, 2)


class LastStep(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 4, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


MODULES = {
    "conv": (lambda: torch.nn.Conv2d(3, 2, 3), (3, 5, 5), (2, 3, 3)),
    "lstm": (LastStep, (5, 3), (4,)),
    "sequential": (lambda: torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.LayerNorm(4)),
                   (5, 3), (5, 4)),
}  # fmt: skip


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "wrapped"])
@pytest.mark.parametrize("name", MODULES)
def test_in_models(name, wrapped):
    make, shape, expected = MODULES[name]
    module = make()
    layer = kshim.layers.TorchModuleWrapper(module) if wrapped else module
    inputs = kshim.Input(shape)
    functional = kshim.Model(inputs, kshim.layers.Flatten()(layer(inputs)))
    sequential = kshim.Sequential([kshim.Input(shape), layer, kshim.layers.Flatten()])
    x = torch.sin(torch.arange(2.0 * np.prod(shape))).view(2, *shape)
    truth = module(x).flatten(1)
    for model in (functional, sequential):
        assert model.output_shape == (None, int(np.prod(expected)))
        torch.testing.assert_close(model(x), truth)
        assert len(model.trainable_weights) == len(list(module.parameters()))


def test_the_states_of_a_bare_lstm():
    inputs = kshim.Input((5, 3))
    outputs, (h, c) = torch.nn.LSTM(3, 4, batch_first=True)(inputs)
    model = kshim.Model(inputs, [outputs, h, c])
    assert [tuple(x.shape) for x in model(torch.ones(2, 5, 3))] == [(2, 5, 4), (1, 2, 4), (1, 2, 4)]


def test_within_a_wrapper():
    module = linear()
    layer = kshim.layers.TimeDistributed(kshim.layers.TorchModuleWrapper(module))
    x = torch.sin(torch.arange(24.0)).view(2, 4, 3)
    torch.testing.assert_close(layer(x), module(x))


def test_a_wrapped_module_trains():
    model = kshim.Sequential([kshim.Input((3,)), kshim.layers.TorchModuleWrapper(linear())])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(np.ones((8, 3), "float32"), np.zeros((8, 2), "float32"), verbose=0)
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))

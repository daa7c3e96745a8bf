"""What Keras' own test suites exercise and other tests here do not."""

import numpy as np
import pytest

import kshim
from kshim import layers


def frozen(units=2):
    model = kshim.Sequential([kshim.Input((3,)), layers.Dense(units, trainable=False)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


@pytest.fixture(params=["1.2.2", "2.3.1"])
def old(request):
    kshim.set_dialect(request.param)
    yield request.param
    kshim.set_dialect("3")


def test_model_without_trainable_weights_measures(old):
    model, x, y = frozen(), np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    before = model.get_weights()
    loss = model.train_on_batch(x, y)[0]
    assert loss == pytest.approx(np.square(model.predict(x)).mean(), rel=1e-6)
    model.fit(x, y, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_model_without_trainable_weights_warns_in_keras_3():
    with pytest.warns(UserWarning, match="The model does not have any trainable weights"):
        frozen().train_on_batch(np.ones((4, 3), "float32"), np.zeros((4, 2), "float32"))


def test_loss_that_depends_on_no_weight_raises():
    model = kshim.Sequential([kshim.Input((3,)), layers.Dense(2), layers.Lambda(lambda x: x.detach())])
    model.compile("sgd", "mse")
    with pytest.raises(RuntimeError, match="does not require grad"):
        model.train_on_batch(np.ones((4, 3), "float32"), np.zeros((4, 2), "float32"))


def test_weights_thawed_after_a_step_learn(old):
    model, x, y = frozen(), np.ones((4, 3), "float32"), np.zeros((4, 2), "float32")
    model.train_on_batch(x, y)
    model.layers[-1].trainable = True
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.train_on_batch(x, y)
    assert not np.array_equal(before, model.get_weights()[0])


def test_stateful_predicts_fewer_samples_than_a_batch(old):
    model = kshim.Sequential([layers.LSTM(2, stateful=True, batch_input_shape=(2, 3, 4))])
    model.compile("sgd", "mse")
    assert model.predict(np.ones((2, 3, 4), "float32")).shape == (2, 2)
    with pytest.raises(ValueError, match=r"divided by the batch size\. Found: 2 samples"):
        model.fit(np.ones((2, 3, 4), "float32"), np.ones((2, 2), "float32"))


def test_nodes_and_tensors_tell_what_keras_2_told():
    a, b = kshim.Input((4,)), kshim.Input((4,))
    layer = layers.Add()
    c = layer([a, b])
    assert c._keras_shape == (None, 4)
    node = layer._inbound_nodes[0]
    assert node.input_tensors[0] is a and node.input_tensors[1] is b and node.output_tensors[0] is c
    assert node.input_shapes == [(None, 4), (None, 4)] and node.output_shapes == [(None, 4)]
    assert node.outbound_layer is layer and [one.name for one in node.inbound_layers] == [a.name, b.name]
    assert node.node_indices == [0, 0] and node.tensor_indices == [0, 0]


@pytest.mark.parametrize("name, options", [("Highway", {}), ("MaxoutDense", {"output_dim": 3, "nb_feature": 2})])
def test_classes_that_are_gone_build_in_every_dialect(old, name, options):
    model = kshim.Sequential([getattr(layers, name)(input_dim=3, **options)])
    assert model.predict(np.ones((2, 3), "float32")).shape == (2, 3)

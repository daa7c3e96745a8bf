"""Scripts of the graph era in their idioms: K.function, K.gradients, symbolic losses and updates, the session."""

import copy
import pickle

import numpy as np
import pytest
import torch

import kshim.backend as K
from kshim import Model, Sequential, layers, losses, optimizers
from kshim.core import settings

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


@pytest.fixture(autouse=True)
def graph_era():
    settings.set_dialect("2.3.1")
    yield
    K.clear_session()
    settings.set_dialect("3")


def close(one, other, rtol=1e-5):
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=rtol, atol=1e-6)


def mlp():
    x = layers.Input((4,))
    hidden = layers.Dense(3, activation="tanh", name="hidden")(x)
    return Model(x, layers.Dense(2, name="last")(hidden))


def drawn(arguments):
    mean, log_variance = arguments
    noise = K.random_normal(shape=(K.shape(mean)[0], K.int_shape(mean)[1]), seed=3)
    return mean + K.exp(0.5 * log_variance) * noise


def autoencoder():
    x = layers.Input((4,))
    hidden = layers.Dense(3, activation="relu")(x)
    mean, log_variance = layers.Dense(2, name="mean")(hidden), layers.Dense(2, name="log_variance")(hidden)
    z = layers.Lambda(drawn, output_shape=(2,))([mean, log_variance])
    return x, mean, log_variance, layers.Dense(4, activation="sigmoid")(z)


def test_vae_by_closure_and_by_add_loss_are_the_same():
    x, mean, log_variance, decoded = autoencoder()

    def divergence():
        return -0.5 * K.mean(1 + log_variance - K.square(mean) - K.exp(log_variance), axis=-1)

    def vae_loss(y_true, y_pred):
        return losses.mean_squared_error(y_true, y_pred) + divergence()

    closure, added = Model(x, decoded), Model(x, decoded)
    closure.compile("sgd", loss=vae_loss, metrics=[vae_loss])
    added.add_loss(K.mean(K.mean(K.square(decoded - x), axis=-1) + divergence()))
    added.compile("sgd")
    before = closure.get_weights()
    torch.manual_seed(1)
    first = closure.fit(X, X, epochs=3, shuffle=False, verbose=0).history
    trained = closure.get_weights()
    added.set_weights(before)
    torch.manual_seed(1)
    second = added.fit(X, epochs=3, shuffle=False, verbose=0).history
    close(first["loss"], second["loss"])
    close(first["loss"], first["vae_loss"])
    for one, other in zip(trained, added.get_weights(), strict=True):
        close(one, other)
    assert not np.allclose(before[0], trained[0])
    close(closure.evaluate(X, X, verbose=0)[0], added.evaluate(X, verbose=0))


def test_added_losses_survive_copies():
    model = mlp()
    model.add_loss(K.mean(K.square(model.output - 1)))
    model.compile("sgd")
    want = float(model.test_on_batch(X))
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        again.compile("sgd")
        close(again.test_on_batch(X), want)
        assert again.train_on_batch(X) is not None and not np.allclose(again.get_weights()[2], model.get_weights()[2])
    close(want, np.mean((model.predict(X, verbose=0) - 1) ** 2))


def test_a_layers_output_as_a_loss_is_heard_by_later_models():
    x = layers.Input((4,))
    layer = layers.Dense(3)
    y = layer(x)
    layer.add_loss(K.mean(K.abs(y)))
    model = Model(x, y)
    model.compile("sgd")
    close(model.test_on_batch(X), np.abs(model.predict(X, verbose=0)).mean())
    assert len(model.losses) == 1 and len(layer.get_losses_for(x)) == 1


def test_custom_variational_layer():
    class Loss(layers.Layer):
        def call(self, inputs):
            x, decoded = inputs
            self.add_loss(K.mean(losses.mean_squared_error(x, decoded)), inputs=inputs)
            return x

    x = layers.Input((4,))
    decoded = layers.Dense(4)(x)
    model = Model(x, Loss()([x, decoded]))
    model.compile("sgd", loss=None)
    history = model.fit(X, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_function_of_a_layer_and_the_learning_phase():
    x = layers.Input((4,))
    y = layers.Dropout(0.5)(layers.Dense(6, name="inner")(x))
    model = Model(x, y)
    f = K.function([model.input, K.learning_phase()], [model.get_layer("inner").output, model.output])
    inner, test = f([X, 0])
    assert isinstance(inner, np.ndarray)
    close(inner, test)
    one, other = f([X, 1])[1], f([X, 1])[1]
    assert (one == 0).any() and not np.array_equal(one, other)
    assert not model.training
    close(K.function([model.input], model.get_layer("inner").output)([X]), inner)
    close(K.function(model.inputs, {"inner": model.get_layer("inner").get_output_at(0)})([X])["inner"], inner)


def test_batch_statistics_move_only_where_asked():
    x = layers.Input((4,))
    model = Model(x, layers.BatchNormalization()(x))
    before = model.get_weights()
    f = K.function([x, K.learning_phase()], [model.output])
    close(f([X, 1])[0].mean(0), np.zeros(4))
    for one, other in zip(before, model.get_weights(), strict=True):
        close(one, other)


def test_saliency():
    model = mlp()
    loss = K.mean(model.output[:, 0])
    f = K.function([model.input], [loss, *K.gradients(loss, model.input)])
    value, gradient = f([X])
    x = torch.tensor(X, requires_grad=True)
    truth = model(x)[:, 0].mean()
    close(value, truth.detach())
    close(gradient, torch.autograd.grad(truth, x)[0])


def test_gradients_of_weights_and_of_hidden_outputs():
    model = mlp()
    hidden = model.get_layer("hidden").output
    loss = K.sum(K.square(model.output))
    own = K.gradients(loss, model.trainable_weights)
    other = layers.Dense(1)
    other.build((None, 3))
    assert K.gradients(loss, [other.kernel]) == [None]
    values = K.function([model.input], [*own, K.gradients(loss, hidden)[0]])([X])
    truth = torch.sum(model(torch.tensor(X)) ** 2)
    for value, gradient in zip(values, torch.autograd.grad(truth, model.trainable_weights), strict=False):
        close(value, gradient, 1e-4)
    outputs = model.predict(X, verbose=0)
    close(values[-1], 2 * outputs @ model.get_layer("last").get_weights()[0].T, 1e-4)


def test_frozen_weights_still_give_gradients():
    model = mlp()
    model.trainable = False
    loss = K.mean(model.output)
    f = K.function([model.input], K.gradients(loss, [model.get_layer("hidden").output, model.weights[0]]))
    assert all(np.abs(value).sum() > 0 for value in f([X])) and not model.trainable_weights


def images():
    x = layers.Input((6, 6, 3))
    y = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    return Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)))


def test_deep_dream_climbs():
    model = images()
    loss = K.variable(0.0)
    activation = model.get_layer("conv").output
    loss = loss + 2.0 * K.sum(K.square(activation[:, 1:-1, 1:-1, :])) / K.prod(K.cast(K.shape(activation), "float32"))
    gradient = K.gradients(loss, model.input)[0]
    gradient /= K.maximum(K.mean(K.abs(gradient)), K.epsilon())
    step = K.function([model.input], [loss, gradient])
    image = np.random.default_rng(1).normal(size=(1, 6, 6, 3)).astype("float32")
    first = step([image])[0]
    for _ in range(5):
        image = image + 0.05 * step([image])[1]
    assert step([image])[0] > first


def test_grad_cam():
    model = images()
    score, conv = model.output[:, 1], model.get_layer("conv").output
    pooled = K.mean(K.gradients(score, conv)[0], axis=(0, 1, 2))
    image = np.random.default_rng(1).normal(size=(1, 6, 6, 3)).astype("float32")
    weights, maps = K.function([model.input], [pooled, conv[0]])([image])
    close(weights, model.layers[-1].get_weights()[0][:, 1] / 16, 1e-4)
    assert maps.shape == (4, 4, 4)


def test_neural_style():
    rng = np.random.default_rng(2)
    base = K.variable(rng.normal(size=(1, 6, 6, 3)))
    style = K.variable(rng.normal(size=(1, 6, 6, 3)))
    combination = K.placeholder((1, 6, 6, 3))
    together = K.concatenate([base, style, combination], axis=0)
    features = layers.Conv2D(4, 3)(together)

    def gram(x):
        flat = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
        return K.dot(flat, K.transpose(flat))

    loss = K.variable(0.0)
    loss = loss + K.sum(K.square(features[2, :, :, :] - features[0, :, :, :]))
    loss = loss + K.sum(K.square(gram(features[1, :, :, :]) - gram(features[2, :, :, :]))) / 36.0
    f = K.function([combination], [loss, *K.gradients(loss, combination)])
    assert f([K.get_value(base)])[0] > 0
    image = rng.normal(size=(1, 6, 6, 3)).astype("float32")
    before, gradient = f([image])
    assert gradient.shape == image.shape and f([image - 1e-4 * gradient])[0] < before


def test_actor_critic_updates():
    for order in ("2", "1", "positions"):
        model = mlp()
        action, advantage = K.placeholder(shape=(None, 2)), K.placeholder(shape=(None,))
        loss = -K.sum(K.log(K.sum(action * K.softmax(model.output), axis=1) + 1e-10) * advantage)
        optimizer = optimizers.Adam(0.01)
        if order == "2":
            updates = optimizer.get_updates(params=model.trainable_weights, loss=loss)
        elif order == "1":
            updates = optimizer.get_updates(model.trainable_weights, {}, loss)
        else:
            updates = optimizer.get_updates(loss, model.trainable_weights)
        train = K.function([model.input, action, advantage], [loss], updates=updates)
        feed = [X, np.eye(2)[[0, 1] * 4], np.ones(8)]
        values = [train(feed)[0] for _ in range(5)]
        assert values[-1] < values[0]


def test_updates_and_variables_are_late():
    v = K.variable(2.0)
    square, run = K.square(v), K.function([], [v], updates=[K.update_add(v, 1)])
    assert K.get_value(v) == 2 and run([]) == [2] and run([]) == [3] and K.eval(square) == 16
    K.function(
        [],
        [],
        updates=[
            (v, square),
        ],
    )([])
    assert K.get_value(v) == 16
    K.function([], [], updates=[K.moving_average_update(v, 0.0, 0.5)])([])
    assert K.get_value(v) == 8
    x = layers.Input((4,))
    model = Model(x, layers.Dense(1)(x))
    model.add_update(K.update_add(v, K.cast(K.shape(x)[0], "float32")))
    model.compile("sgd", "mse")
    model.predict(X, verbose=0)
    assert K.get_value(v) == 8
    model.train_on_batch(X, np.ones((8, 1)))
    assert K.get_value(v) == 16


def test_session():
    x = K.placeholder((None, 3))
    with K.get_session() as session:
        found = session.run({"sum": K.sum(x), "rows": [K.sum(x, axis=1)]}, feed_dict={x: np.ones((2, 3))})
    assert found["sum"] == 6 and found["rows"][0].tolist() == [3, 3]
    with pytest.raises(TypeError, match=r"K\.set_session: expected K\.get_session\(\)\. Received: 3"):
        K.set_session(3)


def test_learning_phase():
    noisy = K.in_train_phase(K.ones_like(x := K.placeholder((2,))), x)
    f = K.function([x, K.learning_phase()], [noisy])
    assert f([[0, 5], 0])[0].tolist() == [0, 5] and f([[0, 5], 1])[0].tolist() == [1, 1]

    class Old(layers.Layer):
        def call(self, x, mask=None):
            return K.in_train_phase(x * 2, x)

    model = Sequential([Old(input_shape=(4,))])
    close(model.predict(X, verbose=0), X)
    close(K.function([model.input, K.learning_phase()], [model.output])([X, 1])[0], 2 * X)
    K.set_learning_phase(1)
    assert K.learning_phase() == 1
    with pytest.raises(ValueError, match=r"Expected learning phase to be 0 or 1\. Received: value=2"):
        K.set_learning_phase(2)


def test_ctc_in_a_lambda():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5), size=(2, 6)).astype("float32")
    labels, length = np.array([[0, 1], [2, 2]]), [np.full((2, 1), 6), np.full((2, 1), 2)]
    inputs = [layers.Input((6, 5)), layers.Input((2,)), layers.Input((1,)), layers.Input((1,))]
    cost = layers.Lambda(lambda a: K.ctc_batch_cost(a[1], a[0], a[2], a[3]), output_shape=(1,), name="ctc")(inputs)
    model = Model(inputs, cost)
    model.compile("sgd", loss={"ctc": lambda y_true, y_pred: y_pred})
    close(model.predict([p, labels, *length], verbose=0), K.eval(K.ctc_batch_cost(labels, p, *length)))


def test_siamese_contrastive_loss():
    def distance(pair):
        return K.sqrt(K.maximum(K.sum(K.square(pair[0] - pair[1]), axis=1, keepdims=True), K.epsilon()))

    def contrastive(y_true, y_pred):
        return K.mean(y_true * K.square(y_pred) + (1 - y_true) * K.square(K.maximum(1 - y_pred, 0)))

    base, a, b = Sequential([layers.Dense(3, input_shape=(4,))]), layers.Input((4,)), layers.Input((4,))
    model = Model([a, b], layers.Lambda(distance, output_shape=lambda s: (s[0][0], 1))([base(a), base(b)]))
    model.compile("adam", contrastive)
    history = model.fit([X, X[::-1].copy()], np.array([0, 1] * 4), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_antirectifier():
    class Antirectifier(layers.Layer):
        def compute_output_shape(self, input_shape):
            return (input_shape[0], input_shape[1] * 2)

        def call(self, inputs):
            inputs = K.l2_normalize(inputs - K.mean(inputs, axis=1, keepdims=True), axis=1)
            return K.concatenate([K.relu(inputs), K.relu(-inputs)], axis=1)

    y = Sequential([Antirectifier(input_shape=(4,))]).predict(X, verbose=0)
    assert y.shape == (8, 8)
    close((y**2).sum(1), np.ones(8))


def test_refusals():
    x = K.placeholder((None, 3))
    with pytest.raises(ValueError, match=r"not connected .* needs a tensor that is not among the inputs"):
        K.function([], [K.sum(x)])
    with pytest.raises(ValueError, match=r"K\.function: expected 1 value\(s\), .* Received: 2"):
        K.function([x], [K.sum(x)])([1, 2])
    with pytest.raises(ValueError, match=r"Cannot feed value of shape \(2, 2\) for Tensor"):
        K.function([x], [K.sum(x)])([np.ones((2, 2))])
    with pytest.raises(TypeError, match=r"symbolic and has no truth value"):
        bool(K.sum(x) > 0)
    with pytest.raises(ValueError, match=r"K\.placeholder: expected `shape` or `ndim`"):
        K.placeholder()
    with pytest.raises(ValueError, match="Invalid argument 'on_unused_input'"):
        K.function([x], [x], on_unused_input="warn")
    with pytest.raises(AttributeError, match=r"keras\.backend\.tf was the library below Keras"):
        K.tf  # noqa: B018
    assert K.backend() == "tensorflow"
    with pytest.raises(TypeError, match=r"An update needs a variable: expected a Variable\. Received: 3"):
        K.update(3, 4)

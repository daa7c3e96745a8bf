"""Steps, losses and metrics that a subclass writes itself, in the way of Keras 3's guides for torch."""

import numpy as np
import pytest
import torch

import kshim

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = (X[:, :1] * 2 - X[:, 1:2]).astype("float32")
WEIGHTS = np.linspace(0.5, 1.5, 24).astype("float32")


def functional(k, cls, **compiled):
    """A model of class ``cls`` with the same weights in both."""
    inputs = k.Input((4,))
    hidden = k.layers.Dense(3, activation="tanh", name="hidden")(inputs)
    model = cls(inputs, k.layers.Dense(1, name="out")(hidden))
    model.set_weights(
        [np.linspace(-1, 1, int(np.prod(w.shape))).reshape(tuple(w.shape)).astype("float32") for w in model.weights]
    )
    model.compile(**{"optimizer": k.optimizers.SGD(0.05), **compiled})
    return model


def zero_grad_and_apply(k):
    """The guide's own train_step, with losses and metrics that were compiled."""

    class Own(k.Model):
        def train_step(self, data):
            x, y = data
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
            self.zero_grad()
            loss.backward()
            weights = list(self.trainable_weights)
            gradients = [w.value.grad for w in weights]
            with torch.no_grad():
                self.optimizer.apply(gradients, weights)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    return functional(k, Own, loss="mse", metrics=["mae"])


def own_metrics(k):
    """The guide's lower level: nothing compiled but the optimizer, metrics as attributes."""

    class Own(k.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.loss_tracker = k.metrics.Mean(name="loss")
            self.mae_metric = k.metrics.MeanAbsoluteError(name="mae")
            self.loss_fn = k.losses.MeanSquaredError()

        def train_step(self, data):
            x, y = data
            y_pred = self(x, training=True)
            loss = self.loss_fn(y, y_pred)
            self.zero_grad()
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([w.value.grad for w in weights], weights)
            self.loss_tracker.update_state(loss)
            self.mae_metric.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result()}

        @property
        def metrics(self):
            return [self.loss_tracker, self.mae_metric]

    return functional(k, Own)


def own_test_step(k):
    class Own(k.Model):
        def test_step(self, data):
            x, y, sample_weight = k.utils.unpack_x_y_sample_weight(data)
            y_pred = self(x, training=False)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
            for metric in self.metrics:
                if metric.name == "loss":
                    metric.update_state(loss)
                else:
                    metric.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    return functional(k, Own, loss="mse", metrics=["mae"])


def own_loss(k):
    class Own(k.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ((y - y_pred) ** 4).mean() * (1.0 if training else 2.0)

    return functional(k, Own, metrics=["mae"])


def loss_without_the_flag(k):
    class Own(k.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) + 0.1 * (y_pred**2).mean()

    return functional(k, Own, loss="mse")


def own_compute_metrics(k):
    class Own(k.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            logs["twice"] = 2 * logs["mae"]
            return logs

    return functional(k, Own, loss="mse", metrics=["mae"])


def around_the_step(k):
    class Own(k.Model):
        def train_step(self, data):
            x, y = data
            return {**super().train_step((x * 0.5, y)), "half": 0.5}

    return functional(k, Own, loss="mse", metrics=["mae"])


def own_train_function(k):
    class Own(k.Model):
        def make_train_function(self, force=False):
            def on_first(data):
                x, y = data[0]
                return self.train_step((x, y + 1))

            self.train_function = on_first

    return functional(k, Own, loss="mse", metrics=["mae"])


def own_predict_step(k):
    class Own(k.Model):
        def predict_step(self, data):
            x, _, _ = k.utils.unpack_x_y_sample_weight(data)
            return self(x) * 10

    return functional(k, Own, loss="mse")


def metric_in_a_layer(k):
    class Watched(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.size = k.metrics.Mean(name="size")

        def call(self, inputs):
            self.size.update_state(abs(inputs))
            return inputs

    class Own(k.Model):
        def __init__(self):
            super().__init__()
            self.inside, self.out = Watched(), k.layers.Dense(1, kernel_initializer="ones")

        def call(self, inputs):
            return self.out(self.inside(inputs))

    model = Own()
    model(torch.as_tensor(X[:2]))
    model.compile(k.optimizers.SGD(0.05), "mse")
    return model


MODELS = [zero_grad_and_apply, own_metrics, own_test_step, own_loss, loss_without_the_flag, own_compute_metrics,
          around_the_step, own_train_function, own_predict_step, metric_in_a_layer]  # fmt: skip


@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_as_keras(keras3, make):
    """Logs of each epoch, weights, evaluation, prediction and one batch."""
    found, wanted = make(kshim), make(keras3)
    fit = {"batch_size": 8, "epochs": 3, "verbose": 0, "shuffle": False}
    ours, theirs = found.fit(X, Y, **fit).history, wanted.fit(X, Y, **fit).history
    assert set(ours) == set(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for a, b in zip(found.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.predict(X, verbose=0), wanted.predict(X, verbose=0), rtol=1e-5, atol=1e-5)
    if make is own_metrics:
        return  # neither has a loss to evaluate
    if make is not own_loss:  # its training and evaluation differ on purpose
        ours, theirs = (m.evaluate(X, Y, batch_size=8, verbose=0, return_dict=True) for m in (found, wanted))
        assert set(ours) == set(theirs)
        np.testing.assert_allclose([ours[n] for n in theirs], list(theirs.values()), rtol=1e-5, atol=1e-6)
    if make in (own_loss, own_train_function, zero_grad_and_apply, around_the_step):
        return  # Keras hands a step three parts here, and numpy arrays to a loss
    ours, theirs = (m.train_on_batch(X, Y, return_dict=True) for m in (found, wanted))
    np.testing.assert_allclose([ours[n] for n in theirs], list(theirs.values()), rtol=1e-5, atol=1e-5)


def test_evaluation_knows_that_it_is_none_of_training():
    model = own_loss(kshim)
    trained = float(model.train_on_batch(X, Y)[0])
    model = own_loss(kshim)
    assert float(model.evaluate(X, Y, batch_size=24, verbose=0)[0]) == pytest.approx(2 * trained, rel=1e-5)


def test_the_functions_can_be_called():
    model = functional(kshim, kshim.Model, loss="mse")
    model.make_train_function()
    model.make_predict_function()
    x, y = torch.as_tensor(X), torch.as_tensor(Y)
    before = float(model.train_function([(x, y)])["loss"])
    assert float(model.train_function([(x, y)])["loss"]) < before * 1.5
    assert model.predict_function([(x,)]).shape == (24, 1)
    model.compile("sgd", "mse")
    assert model.train_function is None


def test_words_of_tf_keras():
    """``compiled_loss``, ``compiled_metrics`` and ``apply_gradients`` in a step, on torch's own gradients."""

    class Own(kshim.Model):
        def train_step(self, data):
            x, y = data
            y_pred = self(x, training=True)
            loss = self.compiled_loss(y, y_pred, regularization_losses=self.losses)
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(torch.autograd.grad(loss, weights), weights, strict=True))
            self.compiled_metrics.update_state(y, y_pred)
            return {m.name: m.result() for m in self.metrics}

    own = functional(kshim, Own, loss="mse", metrics=["mae"]).fit(X, Y, epochs=3, verbose=0, shuffle=False)
    plain = functional(kshim, kshim.Model, loss="mse", metrics=["mae"]).fit(X, Y, epochs=3, verbose=0, shuffle=False)
    np.testing.assert_allclose(own.history["mae"], plain.history["mae"], rtol=1e-5)
    np.testing.assert_allclose(own.history["loss"], plain.history["loss"], rtol=1e-5)


def test_a_train_function_over_an_iterator():
    """tf.keras' form: the method returns the function, which takes the next batch."""
    seen = []

    class Own(kshim.Model):
        def make_train_function(self):
            def train(iterator):
                data = next(iterator)
                seen.append(len(data[0]))
                return self.train_step(data)

            return train

    functional(kshim, Own, loss="mse").fit(X, Y, batch_size=10, verbose=0)
    assert seen == [10, 10, 4]


def gan(k):
    """Two models, two optimizers, and a ``compile`` of its own."""

    class GAN(k.Model):
        def __init__(self, discriminator, generator):
            super().__init__()
            self.discriminator, self.generator = discriminator, generator
            self.d_loss_tracker = k.metrics.Mean(name="d_loss")
            self.g_loss_tracker = k.metrics.Mean(name="g_loss")
            self.built = True

        def compile(self, d_optimizer, g_optimizer, loss_fn):
            super().compile()
            self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

        @property
        def metrics(self):
            return [self.d_loss_tracker, self.g_loss_tracker]

        def train_step(self, real):
            real = real[0] if isinstance(real, tuple) else real
            noise = real.flip(1)
            made = self.generator(noise)
            labels = torch.cat([torch.ones(len(real), 1), torch.zeros(len(real), 1)]).to(real.device)
            self.zero_grad()
            d_loss = self.loss_fn(labels, self.discriminator(torch.cat([made.detach(), real])))
            d_loss.backward()
            weights = list(self.discriminator.trainable_weights)
            with torch.no_grad():
                self.d_optimizer.apply([w.value.grad for w in weights], weights)
            self.zero_grad()
            g_loss = self.loss_fn(torch.zeros(len(real), 1), self.discriminator(self.generator(noise)))
            g_loss.backward()
            weights = list(self.generator.trainable_weights)
            with torch.no_grad():
                self.g_optimizer.apply([w.value.grad for w in weights], weights)
            self.d_loss_tracker.update_state(d_loss)
            self.g_loss_tracker.update_state(g_loss)
            return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}

    def net(units):
        return k.Sequential([k.Input((4,)), k.layers.Dense(units, kernel_initializer=k.initializers.Constant(0.1))])

    model = GAN(net(1), net(4))
    model.compile(k.optimizers.SGD(0.1), k.optimizers.SGD(0.2), k.losses.BinaryCrossentropy(from_logits=True))
    return model


def test_two_optimizers(keras3):
    ours, theirs = (gan(k).fit(X, batch_size=8, epochs=4, verbose=0, shuffle=False).history for k in (kshim, keras3))
    assert list(ours) == list(theirs)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("library", ["kshim", "torch"])
def test_a_loop_by_hand(library):
    """``zero_grad``, ``backward`` and ``step`` over a model's parameters; what layers add to the loss is there."""
    model = functional(kshim, kshim.Model)
    model.layers[1].kernel.regularizer = kshim.regularizers.L2(0.01)
    if library == "kshim":
        opt = kshim.optimizers.Adam(0.05)
        opt.build(model.trainable_variables)
    else:
        opt = torch.optim.Adam(model.parameters(), 0.05)
    losses = []
    for _ in range(30):
        opt.zero_grad()
        loss = torch.nn.functional.mse_loss(model(torch.as_tensor(X)), torch.as_tensor(Y)) + sum(model.losses)
        loss.backward()
        opt.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    assert len(model.losses) == 1


@pytest.mark.parametrize(("method", "heard"), [("train", [(0, 1), (2, 3), (4, 4)]), ("test", [(0, 1), (2, 3), (4, 4)])])
def test_several_steps_at_once(method, heard):
    """Callbacks hear of ``steps_per_execution`` batches as one; the numbers stay."""
    begins, ends = [], []
    callback = kshim.callbacks.LambdaCallback(**{
        f"on_{method}_batch_begin": lambda batch, logs: begins.append(batch),
        f"on_{method}_batch_end": lambda batch, logs: ends.append(batch),
    })  # fmt: skip
    results = []
    for many in (1, 2):
        model = functional(kshim, kshim.Model, loss="mse", steps_per_execution=many)
        run = model.fit if method == "train" else model.evaluate
        begins.clear(), ends.clear()
        run(X, Y, batch_size=5, verbose=0, callbacks=[callback])
        results.append(model.evaluate(X, Y, verbose=0))
    assert list(zip(begins, ends, strict=True)) == heard
    if method == "test":
        assert results[0] == results[1]


@pytest.mark.parametrize("many", [0, -1, 1.5, None])
def test_steps_at_once_are_counted(many):
    with pytest.raises(ValueError, match="`steps_per_execution` to be an int above 0"):
        functional(kshim, kshim.Model, loss="mse", steps_per_execution=many)


def test_parts_of_a_batch(keras3):
    for parts in ([1], [1, 2], [1, 2, 3], [[1, 2]], [(1, 2), 3]):
        ours, theirs = kshim.utils.pack_x_y_sample_weight(*parts), keras3.utils.pack_x_y_sample_weight(*parts)
        assert ours == theirs
        assert kshim.utils.unpack_x_y_sample_weight(ours) == keras3.utils.unpack_x_y_sample_weight(theirs)
    with pytest.raises(ValueError, match=r"Data is expected to be in format.*Received: 4 parts"):
        kshim.utils.unpack_x_y_sample_weight((1, 2, 3, 4))

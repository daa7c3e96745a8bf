"""Models and users' layers: how they are made, named, weighted, nested, copied, run."""

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting

import kshim
from kshim import layers
from kshim.core import names


@pytest.fixture(autouse=True)
def numbering():
    """Automatic names begin at 0."""
    names.reset()


def example(shape, scale=3):
    return torch.tensor(counting(shape, scale)) + 0.3


def filled(model):
    model.set_weights([counting(w.shape, 2) for w in model.get_weights()])
    return model


# ---------- graphs, as kshim and Keras make them


def straight(k):
    x = k.Input((4,), name="x")
    y = k.layers.Dense(3, name="a")(x)
    return k.Model(x, k.layers.Dense(2, name="b")(y), name="straight")


def branched(k):
    x = k.Input((4,), name="x")
    a, b = k.layers.Dense(3, name="a")(x), k.layers.Dense(3, name="b")(x)
    return k.Model(x, k.layers.Dense(2, name="last")(k.layers.Add(name="add")([b, a])))


def residual(k):
    x = k.Input((4,), name="x")
    a = k.layers.Dense(4, name="a")(x)
    b = k.layers.Dense(4, name="b")(a)
    return k.Model(x, k.layers.Add(name="add")([x, b]))


def uneven(k):
    """One branch is longer than the other."""
    x = k.Input((4,), name="x")
    long = k.layers.Dense(3, name="l3")(k.layers.Dense(3, name="l2")(k.layers.Dense(3, name="l1")(x)))
    short = k.layers.Dense(3, name="s1")(x)
    return k.Model(x, k.layers.Concatenate(name="join")([short, long]))


def two_inputs(k):
    a, b = k.Input((4,), name="a"), k.Input((2,), name="b")
    deep = k.layers.Dense(3, name="deep")(k.layers.Dense(3, name="first")(b))
    return k.Model([a, b], k.layers.Concatenate(name="join")([k.layers.Dense(3, name="of_a")(a), deep]))


def two_inputs_swapped(k):
    a, b = k.Input((4,), name="a"), k.Input((2,), name="b")
    joined = k.layers.Concatenate(name="join")([k.layers.Dense(3, name="of_b")(b), k.layers.Dense(3, name="of_a")(a)])
    return k.Model([b, a], joined)


def two_outputs(k):
    x = k.Input((4,), name="x")
    hidden = k.layers.Dense(5, name="hidden")(x)
    return k.Model(x, [k.layers.Dense(2, name="two")(hidden), k.layers.Dense(1, name="one")(hidden)])


def outputs_of_several_depths(k):
    x = k.Input((4,), name="x")
    first = k.layers.Dense(5, name="first")(x)
    second = k.layers.Dense(5, name="second")(first)
    return k.Model(x, [first, k.layers.Dense(1, name="third")(second)])


def shared(k):
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    layer = k.layers.Dense(3, name="shared")
    return k.Model([a, b], k.layers.Concatenate(name="join")([layer(a), layer(b)]))


def shared_at_two_depths(k):
    x = k.Input((3,), name="x")
    layer = k.layers.Dense(3, name="shared")
    return k.Model(x, k.layers.Dense(1, name="last")(layer(k.layers.Dense(3, name="between")(layer(x)))))


def nested(k):
    inner = straight(k)
    x = k.Input((6,), name="outer")
    return k.Model(x, k.layers.Dense(2, name="after")(inner(k.layers.Dense(4, name="before")(x))))


def nested_twice(k):
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(3, name="d")], name="inner")
    middle_in = k.Input((4,), name="m")
    middle = k.Model(middle_in, k.layers.Dense(4, name="e")(inner(middle_in)), name="middle")
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Add(name="add")([middle(x), k.layers.Dense(4, name="side")(x)]))


def dict_inputs(k):
    inputs = {"zeta": k.Input((2,), name="zeta"), "alpha": k.Input((3,), name="alpha")}
    joined = k.layers.Concatenate(name="join")([inputs["zeta"], inputs["alpha"]])
    return k.Model(inputs, {"out": k.layers.Dense(2, name="d")(joined), "also": k.layers.Dense(1, name="e")(joined)})


def diamond(k):
    x = k.Input((4,), name="x")
    top = k.layers.Dense(4, name="top")(x)
    parts = [k.layers.Dense(4, name=f"part_{i}")(top) for i in (2, 0, 1)]
    joined = k.layers.Add(name="add")([parts[1], parts[0], parts[2]])
    return k.Model(x, k.layers.Add(name="again")([joined, top]))


def frozen_part(k):
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(3, name="d")], name="inner")
    inner.trainable = False
    x = k.Input((4,), name="x")
    return k.Model(x, k.layers.Dense(2, name="head")(inner(x)))


def stack(k):
    parts = [k.layers.Dense(3, name="a"), k.layers.Dropout(0.5, name="d"), k.layers.Dense(2, name="b")]
    return k.Sequential([k.Input((4,), name="x"), *parts])


GRAPHS = [straight, branched, residual, uneven, two_inputs, two_inputs_swapped, two_outputs, outputs_of_several_depths,
          shared, shared_at_two_depths, nested, nested_twice, dict_inputs, diamond, frozen_part, stack]  # fmt: skip
every = pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.__name__)


def inputs_for(model, batch=5):
    found = {t.name: example((batch, *t.shape[1:]), i + 2) for i, t in enumerate(model.inputs)}
    if isinstance(model.input, dict):
        return found
    return next(iter(found.values())) if len(found) == 1 else list(found.values())


def leaves(outputs):
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


@every
def test_graph_is_keras(graph, keras3):
    ours, theirs = graph(kshim), graph(keras3)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    # Keras puts the models around the layer before: inner/dense/kernel.
    assert [w.path for w in ours.weights] == ["/".join(w.path.split("/")[-2:]) for w in theirs.weights]
    assert [tuple(w.shape) for w in ours.trainable_weights] == [tuple(w.shape) for w in theirs.trainable_weights]
    assert ours.count_params() == theirs.count_params()
    if graph is not stack:  # Keras names a stack's tensor, not its layer
        assert [t.name for t in ours.inputs] == [t.name for t in theirs.inputs]
    assert leaves(ours.output_shape) == leaves(theirs.output_shape)
    if hasattr(theirs, "output_names") and not isinstance(
        ours.output, dict
    ):  # of a dict kshim tells the keys, which Keras' losses go by, too
        assert ours.output_names == theirs.output_names
    filled(ours), filled(theirs)
    values = inputs_for(ours)
    results, expected = ours(values), theirs(values)
    assert isinstance(results, dict) == isinstance(expected, dict)
    for got, wanted in zip(leaves(results), leaves(expected), strict=True):
        assert_close(got, wanted)
    for got, wanted in zip(leaves(ours.predict(values, verbose=0)), leaves(expected), strict=True):
        assert_close(got, wanted)


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_of_graphs(graph, copied):
    model = filled(graph(kshim))
    values = inputs_for(model)
    expected = [array(value).copy() for value in leaves(model(values))]
    twin = copied(model)
    for weight in model.weights:
        weight.data.zero_()
    for got, wanted in zip(leaves(twin(values)), expected, strict=True):
        assert_close(got, wanted, 0)
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    assert [w.path for w in twin.weights] == [w.path for w in model.weights]


@every
def test_state_dict(graph):
    model, other = filled(graph(kshim)), graph(kshim)
    other.load_state_dict(model.state_dict())
    for got, wanted in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert len(model.state_dict()) == len(model.weights) == len(list(model.parameters())) + len(list(model.buffers()))


# ---------- Sequential


def test_sequential_grows_and_shrinks(keras3):
    for k in (kshim, keras3):
        model = k.Sequential(name="it")
        assert not model.built and model.layers == []
        model.add(k.Input((4,)))
        model.add(k.layers.Dense(3, name="a"))
        model.add(k.layers.Dense(2, name="b"))
        assert model.built and model.output_shape == (None, 2) and len(model.get_weights()) == 4
        assert [layer.name for layer in model.layers] == ["a", "b"]
        model.pop()
        assert model.output_shape == (None, 3) and len(model.get_weights()) == 2
        model.add(k.layers.Dense(5, name="c"))
        assert model.output_shape == (None, 5) and model(torch.ones(2, 4)).shape == (2, 5)


def test_popped_and_added_weights_are_kept():
    model = filled(stack(kshim))
    before = model.get_weights()
    last = model.layers[-1]
    model.pop()
    model.add(last)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


def test_deferred_sequential(keras3):
    for k in (kshim, keras3):
        model = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)])
        assert not model.built
        model.build((None, 4))
        assert model.built and [tuple(w.shape) for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
        model = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)])
        assert model(torch.ones(5, 4)).shape == (5, 2) and len(model.weights) == 4
        model = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)])
        model.compile("sgd", "mse")
        model.fit(np.ones((6, 4)), np.ones((6, 2)), verbose=0)
        assert len(model.weights) == 4


def test_sequential_of_models_and_modules():
    inner = kshim.Sequential([kshim.Input((4,)), layers.Dense(3)])
    model = kshim.Sequential([inner, torch.nn.Tanh(), torch.nn.Linear(3, 2), layers.Dense(1)])
    assert model.input_shape == (None, 4) and model.output_shape == (None, 1)
    x = example((5, 4))
    expected = x
    for layer in model.layers:
        expected = layer(expected)
    assert_close(model(x), expected)
    assert len(list(model.parameters())) == 6


@pytest.mark.parametrize("forms", [
    {"input_shape": (4,)}, {"input_dim": 4}, {"batch_shape": (None, 4)}, {"input_shape": 4},
    {"batch_input_shape": (None, 4)}, {"batch_size": 7, "input_shape": (4,)},
], ids="-".join)  # fmt: skip
def test_shape_on_the_first_layer(forms):
    model = kshim.Sequential([layers.Dense(3, **forms)])
    assert model.built and model.input_shape[1:] == (4,) and len(model.weights) == 2


def test_sequential_errors():
    model = kshim.Sequential([layers.Dense(3, name="a")])
    with pytest.raises(ValueError, match=r"unique name.*Received: 'a'"):
        model.add(layers.Dense(2, name="a"))
    with pytest.raises(ValueError, match=r"only layers can be added.*Received: 3"):
        model.add(3)
    with pytest.raises(IndexError, match="no layer to pop"):
        kshim.Sequential().pop()
    with pytest.raises(ValueError, match="no layers"):
        kshim.Sequential().build((None, 3))
    model = kshim.Sequential([kshim.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"Received: "):
        model.add(layers.Permute((2, 1)))
    assert len(model.layers) == 1 and model(torch.ones(2, 4)).shape == (2, 3)  # as it was


# ---------- subclassed models


class Subclassed(kshim.Model):
    """As in Keras' documentation."""

    def __init__(self, units=5, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(units, activation="tanh")
        self.drop = layers.Dropout(0.5)
        self.last = layers.Dense(2)

    def call(self, inputs, training=False):
        x = self.first(inputs)
        if training:
            x = self.drop(x, training=training)
        return self.last(x)


def test_subclassed_model():
    model = Subclassed(6, name="mine")
    assert not model.built and model.weights == []
    x = example((5, 4))
    assert model(x).shape == (5, 2)
    assert [w.path for w in model.weights] == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert [layer.name for layer in model.layers] == ["dense", "dropout", "dense_1"]
    filled(model)
    assert_close(model(x), model(x), 0)
    assert not torch.equal(model(x, training=True), model(x))
    model.compile("adam", "mse", metrics=["mae"])
    before = model.evaluate(x, torch.ones(5, 2), verbose=0)
    model.fit(x, torch.ones(5, 2), epochs=20, verbose=0)
    assert model.evaluate(x, torch.ones(5, 2), verbose=0) < before
    assert model.predict(x, verbose=0).shape == (5, 2)


def test_subclassed_model_is_keras(keras3):
    def of(k):
        class Mine(k.Model):
            def __init__(self):
                super().__init__()
                self.blocks = [k.layers.Dense(4, activation="tanh") for _ in range(2)]
                self.head = k.layers.Dense(2)

            def call(self, x):
                for block in self.blocks:
                    x = block(x) + 1
                return self.head(x)

        return Mine()

    models = [of(k) for k in (kshim, keras3)]
    x, y = counting((12, 4), 3), counting((12, 2), 1)
    for model in models:
        model(x)
        filled(model)
        model.compile("sgd", "mse")
    histories = [model.fit(x, y, epochs=3, batch_size=5, shuffle=False, verbose=0).history["loss"] for model in models]
    np.testing.assert_allclose(*histories, rtol=1e-5)


def test_a_models_own_train_step(keras3):
    def of(k):
        class Mine(k.Model):
            def train_step(self, data):
                x, y = data
                loss = ((self(x, training=True) - y) ** 2).mean()
                self.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for weight in self.trainable_weights:
                        value = getattr(weight, "value", weight)
                        value.sub_(0.1 * value.grad)
                return {"my_loss": loss.detach()}

        x = k.Input((4,))
        return Mine(x, k.layers.Dense(2)(x))

    x, y = counting((12, 4), 3), counting((12, 2), 1)
    found = []
    for k in (kshim, keras3):
        model = filled(of(k))
        model.compile()
        found.append((model.fit(x, y, epochs=3, batch_size=5, shuffle=False, verbose=0).history, model.get_weights()))
    assert list(found[0][0]) == list(found[1][0]) == ["my_loss"]
    np.testing.assert_allclose(found[0][0]["my_loss"], found[1][0]["my_loss"], rtol=1e-5)
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        assert_close(ours, theirs)


def test_model_without_call():
    class Empty(kshim.Model):
        pass

    with pytest.raises(NotImplementedError, match=r"expected a `call\(\)` method"):
        Empty()(torch.ones(2, 3))


def test_subclass_of_a_graph_model():
    class Graph(kshim.Model):
        def __init__(self, units):
            x = kshim.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x))
            self.units = units

    model = Graph(3)
    assert model.units == 3 and model(torch.ones(2, 4)).shape == (2, 3) and len(model.layers) == 2


# ---------- users' layers


def test_attributes_and_sublayers_before_super_init():
    class Early(layers.Layer):
        def __init__(self, units, **kwargs):
            self.units = units
            self.inner = layers.Dense(units)
            self.several = [layers.Dense(2), layers.Dense(3)]
            super().__init__(**kwargs)

        def call(self, x):
            return torch.cat([self.inner(x)] + [layer(x) for layer in self.several], -1)

    layer = Early(4, name="early")
    assert layer(torch.ones(2, 5)).shape == (2, 9)
    assert layer.units == 4 and layer.name == "early" and len(layer.weights) == 6
    assert layer.get_config()["units"] == 4
    assert Early.from_config(layer.get_config()).units == 4


def test_lists_and_dicts_of_layers():
    class Blocks(layers.Layer):
        def __init__(self):
            super().__init__()
            self.blocks = []
            for _ in range(3):
                self.blocks.append(layers.Dense(3))
            self.by_name = {"a": layers.Dense(3)}
            self.by_name["b"] = layers.Dense(3)
            self.pair = (layers.Dense(3), layers.Dense(3))
            self.nested = [[layers.Dense(3)], {"c": layers.Dense(3)}]
            self.numbers = [1, 2]

        def call(self, x):
            for layer in [*self.blocks, *self.by_name.values(), *self.pair, self.nested[0][0], self.nested[1]["c"]]:
                x = layer(x)
            return x

    layer = Blocks()
    layer(torch.ones(2, 3))
    assert len(layer.weights) == 18 and layer.numbers == [1, 2]
    layer.blocks.pop()
    del layer.by_name["a"]
    assert len(layer.weights) == 14
    layer.blocks[0] = layers.Dense(3, use_bias=False)
    layer(torch.ones(2, 3))
    assert len(layer.weights) == 13
    twin = copy.deepcopy(layer)
    assert_close(twin(torch.ones(2, 3)), layer(torch.ones(2, 3)), 0)
    twin.blocks.append(layers.Dense(3))
    twin(torch.ones(2, 3))
    assert len(twin.weights) == 15 and len(layer.weights) == 13


def test_replaced_sublayers_are_gone():
    layer = layers.Layer()
    layer.inner = layers.Dense(3)
    layer.inner.build((None, 2))
    layer.inner = layers.Dense(4)
    layer.inner.build((None, 2))
    assert [tuple(w.shape) for w in layer.weights] == [(2, 4), (4,)]
    layer.inner = None
    assert layer.weights == []
    layer.several = [layers.Dense(1)]
    layer.several = []
    assert list(layer.children()) == []


def test_add_weight():
    class Weighted(layers.Layer):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], 2), initializer="ones", name="kernel")
            self.other = self.add_weight(shape=(2,), initializer="zeros", trainable=False, name="other")
            self.scale = self.add_weight(name="scale", initializer=lambda shape, dtype=None: torch.full(shape, 3.0))
            self.table = {"a": self.add_weight(shape=(1,), name="in_a_dict")}

        def call(self, x):
            return x @ self.kernel * self.scale + self.other

    layer = Weighted(name="w")
    assert_close(layer(torch.ones(1, 4)), np.full((1, 2), 12.0))
    assert [w.name for w in layer.weights] == ["kernel", "scale", "in_a_dict", "other"]
    assert layer.weights[0].path == "w/kernel"
    assert [w.name for w in layer.non_trainable_weights] == ["other"]
    assert len(list(layer.parameters())) == 3 and len(list(layer.buffers())) == 1
    assert set(layer.state_dict()) == {"kernel", "scale", "in_a_dict", "other"}
    with pytest.raises(ValueError, match=r"Weighted 'w': expected .*shape.*Received: shape=\(None, 2\)"):
        layer.add_weight(shape=(None, 2))


def test_build_by_hand_counts_as_built():
    calls = []

    class Mine(layers.Layer):
        def build(self, input_shape):
            calls.append(tuple(input_shape))
            self.kernel = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="kernel")

        def call(self, x):
            return x * self.kernel

    layer = Mine()
    layer.build((None, 3))
    assert layer.built
    layer(torch.ones(2, 3))
    assert calls == [(None, 3)]
    again = Mine()
    again(torch.ones(2, 3))
    assert calls == [(None, 3), (2, 3)]


def test_build_that_calls_super_and_sets_built():
    class Mine(layers.Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight(shape=(), initializer="ones", name="extra")
            self.built = True

        def call(self, x):
            return super().call(x) * self.extra

    layer = Mine(3, weights=[np.ones((2, 3)), np.ones(3), np.array(2.0)])
    assert_close(layer(torch.ones(1, 2)), np.full((1, 3), 6.0))


def test_hand_written_get_config():
    """``super().get_config()`` gives the bases' keys only; the class adds its own."""

    class Linear(layers.Layer):
        def __init__(self, units, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.size, self.factor_ = units, factor

        def call(self, x):
            return x * self.factor_

        def get_config(self):
            config = super().get_config()
            assert "units" not in config
            config.update({"units": self.size, "factor": self.factor_})
            return config

    layer = Linear(3, factor=4.0, name="it")
    config = layer.get_config()
    assert {k: config[k] for k in ("name", "units", "factor", "trainable")} == {
        "name": "it", "units": 3, "factor": 4.0, "trainable": True,
    }  # fmt: skip
    assert Linear.from_config(config).get_config() == config

    class Further(Linear):
        def __init__(self, units, extra=1, **kwargs):
            super().__init__(units, **kwargs)
            self.extra = extra

    config = Further(3, extra=5).get_config()
    assert config["units"] == 3 and config["factor"] == 2.0


def test_config_without_get_config():
    class Plain(layers.Layer):
        def __init__(self, units, *, activation="relu", note=None, **kwargs):
            super().__init__(**kwargs)
            self.activation = kshim.activations.get(activation)
            self.inner = layers.Dense(units)

    config = Plain(3, note={"a": (1, 2)}).get_config()
    assert (config["units"], config["activation"], config["note"]) == (3, "relu", {"a": (1, 2)})
    again = Plain.from_config(config)
    assert again.inner.units == 3 and again.get_config() == config


def test_sublayers_are_built_by_the_first_call():
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(3), layers.Dense(2)

        def call(self, x):
            return self.b(self.a(x))

    x = kshim.Input((4,))
    layer = Outer()
    model = kshim.Model(x, layer(x))
    assert len(model.weights) == 4 and model.output_shape == (None, 2)
    eager = Outer()
    eager.build((None, 4))
    assert len(eager.weights) == 4
    assert Outer().compute_output_shape((None, 4)) == (None, 2)


def test_layers_with_several_inputs_and_arguments():
    class Mixed(layers.Layer):
        def call(self, a, b, scale=1.0, training=None):
            return a * scale + b, a - b

    a, b = kshim.Input((3,)), kshim.Input((3,))
    first, second = Mixed()(a, b, scale=2.0)
    model = kshim.Model([a, b], [first, second])
    x, y = example((4, 3)), example((4, 3)) ** 2
    results = model([x, y])
    assert_close(results[0], 2 * x + y)
    assert_close(results[1], x - y)


def test_own_output_shape_and_mask():
    class Odd(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True

        def call(self, x, mask=None):
            if mask is not None:
                x = x * mask.unsqueeze(-1)
            return x.sum(1)

        def compute_output_shape(self, input_shape):
            return (input_shape[0], input_shape[-1])

        def compute_mask(self, inputs, mask=None):
            return None

    x = kshim.Input((3, 2))
    model = kshim.Model(x, Odd()(layers.Masking()(x)))
    assert model.output_shape == (None, 2)
    value = torch.ones(2, 3, 2)
    value[0, 1] = 0
    assert_close(model(value), [[2, 2], [3, 3]])


def test_losses_of_layers():
    class Penal(layers.Layer):
        def call(self, x):
            self.add_loss(x.abs().mean())
            return x

    x = kshim.Input((3,))
    model = kshim.Model(x, Penal()(layers.Dense(3, kernel_regularizer="l2")(x)))
    model(torch.ones(2, 3))
    model(torch.ones(2, 3))
    assert len(model.losses) == 2
    model.compile("sgd", "mse")
    y = np.zeros((2, 3))
    value = model.evaluate(np.ones((2, 3)), y, verbose=0)
    expected = (model(torch.ones(2, 3)) ** 2).mean() + sum(model.losses)
    assert value == pytest.approx(expected.item(), rel=1e-5)


# ---------- names, flags, lookups


def test_automatic_names():
    assert [layers.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert layers.RepeatVector(2).name == "repeat_vector"
    assert kshim.Sequential().name == "sequential" and branched(kshim).name == "functional"
    names.reset()
    assert layers.Dense(1).name == "dense"
    with pytest.raises(ValueError, match="`name` to be a string"):
        layers.Dense(1, name=3)


def test_automatic_names_are_keras(keras3):
    keras3.utils.clear_session()
    found = []
    for k in (kshim, keras3):
        x = k.Input((4,))
        hidden = k.layers.Dense(3)(k.layers.Dense(3)(x))
        model = k.Model(x, k.layers.Concatenate()([hidden, k.layers.Dropout(0.1)(x)]))
        inner = k.Sequential([k.layers.Dense(2)])
        found.append([layer.name for layer in model.layers] + [model.name, inner.name, inner.layers[0].name])
    assert found[0] == found[1]


def test_get_layer():
    model = branched(kshim)
    assert model.get_layer("last") is model.layers[-1] and model.get_layer(index=0).name == "x"
    with pytest.raises(ValueError, match=r"No such layer: 'lst'.*Did you mean 'last'"):
        model.get_layer("lst")
    with pytest.raises(ValueError, match="index of one of its 5 layers"):
        model.get_layer(index=9)
    with pytest.raises(ValueError, match="one of `name` and `index`"):
        model.get_layer()


def test_trainable_flags(keras3):
    for k in (kshim, keras3):
        model = nested(k)
        inner = model.layers[2]
        inner.trainable = False
        assert len(model.trainable_weights) == 4 and len(model.non_trainable_weights) == 4
        assert not inner.layers[1].trainable
        model.trainable = False
        assert model.trainable_weights == []
        model.trainable = True
        assert len(model.trainable_weights) == 8 and inner.layers[1].trainable
        model.get_layer("before").trainable = False
        assert len(model.trainable_weights) == 6


def test_frozen_weights_stay(keras3):
    found = []
    for k in (kshim, keras3):
        model = filled(nested(k))
        model.layers[2].trainable = False
        before = model.get_weights()
        model.compile("adam", "mse")
        model.fit(counting((8, 6)), np.ones((8, 2)), epochs=2, shuffle=False, verbose=0)
        found.append([np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)])
    assert found[0] == found[1] == [False, False, True, True, True, True, False, False]


def test_training_argument():
    x = kshim.Input((50,))
    model = kshim.Model(x, layers.Dropout(0.5)(x))
    value = torch.ones(4, 50)
    assert not model.training
    assert (model(value, training=True) == 0).any() and not (model(value) == 0).any()
    model.train()
    assert (model(value) == 0).any() and not (model(value, training=False) == 0).any()
    model.eval()
    always = kshim.Model(x, layers.Dropout(0.5)(x, training=True))
    assert (always(value) == 0).any()
    outer = kshim.Model(x, model(x))
    assert (outer(value, training=True) == 0).any() and not (outer(value) == 0).any()


def test_weights_by_position():
    model = straight(kshim)
    with pytest.raises(ValueError, match=r"Received: "):
        model.set_weights(model.get_weights()[:-1])
    wrong = model.get_weights()
    wrong[2] = np.ones((9, 9))
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"Received: "):
        model.set_weights([w + 1 if i != 2 else wrong[2] for i, w in enumerate(before)])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))  # nothing was written


# ---------- as torch modules


def test_to_another_dtype():
    model = filled(stack(kshim))
    x = example((5, 4))
    expected = model(x)
    model.double()
    assert {w.dtype for w in model.weights} == {torch.float64}
    assert all(isinstance(w, kshim.Variable) for w in model.weights)
    model.float()
    assert_close(model(x), expected, 0)
    half = stack(kshim).to(torch.bfloat16)
    assert {w.dtype for w in half.weights} == {torch.bfloat16}


def test_functional_call():
    model = filled(straight(kshim))
    x = example((5, 4))
    zeros = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    assert not torch.func.functional_call(model, zeros, (x,)).any()
    expected = model(x)
    assert expected.any()

    def loss(parameters):
        return torch.func.functional_call(model, parameters, (x,)).pow(2).mean()

    parameters = {name: p.detach() for name, p in model.named_parameters()}
    gradients = torch.func.grad(loss)(parameters)
    model(x).pow(2).mean().backward()
    for name, p in model.named_parameters():
        assert_close(gradients[name], p.grad)


def test_vmap_over_models():
    model = filled(straight(kshim))
    x = example((5, 4))
    stacked = {name: torch.stack([p.detach(), p.detach() * 0]) for name, p in model.named_parameters()}
    results = torch.vmap(lambda p: torch.func.functional_call(model, p, (x,)))(stacked)
    assert_close(results[0], model(x))
    assert not results[1].any()


def test_module_names_and_modes():
    model = branched(kshim)
    assert {name for name, _ in model.named_children()} == {"a", "b", "add", "last"}
    assert set(model.state_dict()) == {f"{n}.{w}" for n in ("a", "b", "last") for w in ("kernel", "bias")}
    model.train()
    assert all(m.training for m in model.modules())
    model.eval()
    assert not any(m.training for m in model.modules())
    model.requires_grad_(False)
    assert model.trainable_weights == []


def test_a_hand_written_torch_loop():
    model = straight(kshim)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    x, y = example((16, 4)), example((16, 2)) ** 2
    first = None
    for _ in range(30):
        loss = torch.nn.functional.mse_loss(model(x), y)
        first = first or float(loss.detach())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < first / 2
    model.compile("sgd", "mse")
    assert model.evaluate(x, y, verbose=0) < first


def test_a_kshim_model_inside_a_torch_module():
    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = straight(kshim), torch.nn.Linear(2, 1)

        def forward(self, x):
            return self.head(self.body(x))

    module = Outer()
    assert module(torch.ones(3, 4)).shape == (3, 1)
    assert len(list(module.parameters())) == 6
    twin = Outer()
    twin.load_state_dict(module.state_dict())
    assert_close(twin(torch.ones(3, 4)), module(torch.ones(3, 4)), 0)


# ---------- what comes in


def test_inputs_in_other_forms():
    model = filled(dict_inputs(kshim))
    values = inputs_for(model)
    expected = model(values)
    as_list = [values[name] for name in sorted(values)]
    for given in (as_list, tuple(as_list), {"alpha": values["alpha"], "zeta": values["zeta"]}):
        for got, wanted in zip(leaves(model(given)), leaves(expected), strict=True):
            assert_close(got, wanted, 0)
    several = filled(two_inputs(kshim))
    x = inputs_for(several)
    assert_close(several({"a": x[0], "b": x[1]}), several(x), 0)
    assert_close(several([array(v) for v in x]), several(x), 0)
    assert_close(several([array(v).astype("float64") for v in x]), several(x), 1e-6)


def test_wrong_inputs():
    model = two_inputs(kshim)
    with pytest.raises(ValueError, match=r"expected 2 input\(s\).*Received: 1"):
        model(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"name 'b'.*expected shape=\(None, 2\), found shape=\(2, 3\)"):
        model([torch.ones(2, 4), torch.ones(2, 3)])
    with pytest.raises(ValueError, match=r"expected inputs named \['a', 'b'\].*without \['b'\].*Did you mean 'bb'"):
        model({"a": torch.ones(2, 4), "bb": torch.ones(2, 2)})


def test_wrong_graphs():
    x = kshim.Input((4,))
    with pytest.raises(ValueError, match="different names"):
        kshim.Model(x, layers.Dense(2, name="same")(layers.Dense(2, name="same")(x)))
    with pytest.raises(ValueError, match="symbolic tensors"):
        kshim.Model(torch.ones(2, 4), x)
    with pytest.raises(ValueError, match=r"both `inputs` and `outputs`"):
        kshim.Model(inputs=x)


def test_model_constructor_forms():
    x = kshim.Input((4,))
    y = layers.Dense(2)(x)
    forms = [
        kshim.Model(x, y),
        kshim.Model(inputs=x, outputs=y),
        kshim.Model(x, outputs=y),
        kshim.Model(x, y, "it"),
        kshim.Model(x, y, name="it"),
        kshim.Functional(x, y),
    ]
    for model in forms:
        assert isinstance(model, kshim.Functional) and model(torch.ones(1, 4)).shape == (1, 2)
    assert kshim.Model([x], [y], name="it").name == "it"


def test_layers_called_on_arrays_build_and_run():
    layer = layers.Dense(3)
    assert layer(np.ones((2, 4), "float32")).shape == (2, 3)
    assert layer(inputs=torch.ones(2, 4)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"Dense 'dense'.*axis -1.*Received: shape=\(2, 5\)"):
        layer(torch.ones(2, 5))


def test_masks_given_by_hand():
    """``mask=`` reaches what takes it, in graphs too."""
    x = kshim.Input((3, 2))
    mask = kshim.Input((3,), dtype="bool")
    model = kshim.Model([x, mask], layers.Dense(2)(x, mask=mask))
    assert model([torch.ones(4, 3, 2), torch.ones(4, 3, dtype=torch.bool)]).shape == (4, 3, 2)

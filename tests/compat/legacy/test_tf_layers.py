"""Layers that only tf.keras had, by their formulas."""

import copy
import importlib
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting

from kshim import backend, layers, shim
from kshim.layers import LAYERS, RNN, BatchNormalization, Flatten, Input
from kshim.models import Model, Sequential

IMAGES = counting((2, 10, 20, 3), 4)
AXES = {"RandomHeight": 1, "RandomWidth": 2}
sizes = pytest.mark.parametrize("name", AXES)


def sizes_of(layer, axis, times=40, images=IMAGES):
    return [layer(images, training=True).shape[axis] for _ in range(times)]


# ---------- RandomHeight, RandomWidth


@sizes
@pytest.mark.parametrize("factor", [0.3, (-0.2, 0.5), [0.1, 0.6], (-0.5, -0.2), (0.0, 0.0), 0])
def test_the_size_is_within_its_range(name, factor):
    axis, layer = AXES[name], getattr(layers, name)(factor, seed=3)
    low, high = factor if isinstance(factor, (tuple, list)) else (-factor, factor)
    old = IMAGES.shape[axis]
    found = sizes_of(layer, axis)
    assert all(int((1 + low) * old) <= size <= (1 + high) * old for size in found)
    assert len(set(found)) > 2 if low < high else set(found) == {round((1 + low) * old)}
    result = layer(IMAGES, training=True)
    assert [n for i, n in enumerate(result.shape) if i != axis] == [n for i, n in enumerate(IMAGES.shape) if i != axis]


@sizes
def test_a_seed_makes_a_row_of_sizes(name):
    cls, axis = getattr(layers, name), AXES[name]
    first = sizes_of(cls(0.5, seed=1), axis)
    assert first == sizes_of(cls(0.5, seed=1), axis) != sizes_of(cls(0.5, seed=2), axis)
    layer = cls(0.5, seed=1)
    assert sizes_of(copy.deepcopy(layer), axis) == sizes_of(pickle.loads(pickle.dumps(layer)), axis) == first
    torch.manual_seed(4)
    unseeded = sizes_of(cls(0.5), axis)
    torch.manual_seed(4)
    assert sizes_of(cls(0.5), axis) == unseeded and len(set(unseeded)) > 2


@sizes
def test_nothing_happens_at_inference(name):
    layer = getattr(layers, name)((0.5, 0.9))
    assert torch.equal(layer(torch.tensor(IMAGES), training=False), torch.tensor(IMAGES))
    assert layer(IMAGES).shape[AXES[name]] > IMAGES.shape[AXES[name]]  # training=True is the default, as in tf.keras
    assert_close(layer.eval()(IMAGES), IMAGES)
    whole = layer(torch.full((4, 4, 1), 7, dtype=torch.uint8), training=False)
    assert whole.dtype == torch.float32 and (whole == 7).all()


@sizes
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"])
def test_flat_images_stay_flat_and_the_ends_stay_in_place(name, interpolation):
    axis = AXES[name]
    layer = getattr(layers, name)((0.5, 0.5), interpolation=interpolation)
    assert_close(layer(np.full((2, 8, 8, 1), 3.0, "float32"), training=True), np.full((2, *_shape(axis, 12), 1), 3.0))
    ramp = np.broadcast_to(np.moveaxis(np.arange(8.0)[None, None, None], -1, axis), (1, 8, 8, 1)).astype("float32")
    row = np.moveaxis(array(layer(ramp, training=True)), axis, -1).reshape(-1, 12)
    centres = (np.arange(12) + 0.5) / 1.5 - 0.5
    inner = slice(5, 7) if interpolation.startswith("lanczos") else slice(3, 9)
    tolerance = {"nearest": 0.5, "lanczos3": 0.05, "lanczos5": 0.05}.get(interpolation, 1e-5)
    assert np.abs(row - centres)[:, inner].max() <= tolerance
    assert (row == row[0]).all()


def _shape(axis, size):
    return (size, 8) if axis == 1 else (8, size)


@sizes
def test_bicubic_is_keys_kernel(name):
    layer = getattr(layers, name)((1.0, 1.0), "bicubic")
    impulse = np.zeros((1, 9, 9, 1), "float32")
    impulse[:, 4, 4] = 1
    row = np.moveaxis(array(layer(impulse, training=True)), AXES[name], -1)[0].max(0).reshape(-1)
    x = np.abs((np.arange(18) + 0.5) / 2 - 0.5 - 4)
    kernel = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    assert_close(row, np.maximum(kernel, 0))


@sizes
def test_shapes_dtypes_and_models(name):
    cls, axis = getattr(layers, name), AXES[name]
    expected = [None, 10, 20, 3]
    expected[axis] = None
    inputs = Input((10, 20, 3))
    outputs = cls(0.3, seed=1)(inputs)
    assert outputs.shape == tuple(expected) == cls(0.3).compute_output_shape((None, 10, 20, 3))
    model = Model(inputs, layers.GlobalAveragePooling2D()(outputs))
    assert model.output_shape == (None, 3) and model.predict(IMAGES, verbose=0).shape == (2, 3)
    inner = Sequential([cls(0.3), layers.Conv2D(4, 1)])
    assert inner(inputs).shape == (*expected[:3], 4)
    single = cls((0.5, 0.5))(IMAGES[0], training=True)
    assert single.shape[axis - 1] == IMAGES.shape[axis] * 3 // 2
    half = cls((0.5, 0.5), "bicubic", dtype="float16")(IMAGES, training=True)
    assert half.dtype == torch.float16
    assert cls((-0.99, -0.99))(IMAGES, training=True).shape[axis] == 1
    assert cls(0.3)(IMAGES[:0], training=True).shape[0] == 0
    x = torch.tensor(IMAGES, requires_grad=True)
    cls((0.5, 0.5))(x, training=True).sum().backward()
    assert x.grad.isfinite().all() and x.grad.sum() > 0


@sizes
def test_channels_are_last_in_any_image_data_format(name):
    backend.set_image_data_format("channels_first")
    try:
        size = getattr(layers, name)((0.5, 0.5))(IMAGES, training=True).shape[AXES[name]]
    finally:
        backend.set_image_data_format("channels_last")
    assert size == IMAGES.shape[AXES[name]] * 3 // 2


@sizes
def test_a_size_config_round_trip(name):
    layer = getattr(layers, name)((-0.2, 0.5), "NEAREST", seed=3, name="r")
    config = layer.get_config()
    own = {"factor": (-0.2, 0.5), "interpolation": "nearest", "seed": 3}
    assert config == {"name": "r", "trainable": True, "dtype": config["dtype"], **own}
    again = LAYERS.get({"class_name": name, "config": config})
    assert type(again) is type(layer) and again.get_config() == config
    assert sizes_of(again, AXES[name]) == sizes_of(layer, AXES[name])


@sizes
@pytest.mark.parametrize("factor", [(0.5, 0.2), (-1.5, 0.2), 1.5, -0.5, (0.1,), (0.1, 0.2, 0.3), "a", None, True])
def test_refused_factors(name, factor):
    with pytest.raises(ValueError, match=rf"{name} 'r': expected `factor` to be two numbers.*Received: factor="):
        getattr(layers, name)(factor, name="r")


@sizes
def test_refused_images_and_interpolations(name):
    cls = getattr(layers, name)
    with pytest.raises(NotImplementedError, match=r"expected `interpolation` to be one of.*Received:.*'area'"):
        cls(0.2, "area")
    with pytest.raises(NotImplementedError, match="Did you mean 'bicubic'"):
        cls(0.2, "bicubik")
    with pytest.raises(ValueError, match=r"expected images of rank 3, or 4.*Received: shape \(2, 3\)"):
        cls(0.2)(np.ones((2, 3)))


@sizes
def test_a_model_is_trained(name):
    layer = getattr(layers, name)(0.4, seed=2)
    model = Sequential([Input((10, 20, 3)), layer, layers.GlobalAveragePooling2D(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(IMAGES, np.ones((2, 1)), epochs=2, batch_size=1, verbose=0)
    assert_close(
        model.evaluate(IMAGES, np.ones((2, 1)), verbose=0), np.square(model.predict(IMAGES, verbose=0) - 1).mean()
    )


# ---------- SyncBatchNormalization


def test_sync_batch_normalization():
    ours, plain = layers.SyncBatchNormalization(momentum=0.9), BatchNormalization(momentum=0.9)
    assert ours.synchronized and isinstance(ours, BatchNormalization)
    for training in (True, True, False):
        assert_close(ours(IMAGES + 1, training=training), plain(IMAGES + 1, training=training), 1e-5)
    for one, other in zip(ours.get_weights(), plain.get_weights(), strict=True):
        assert_close(one, other, 1e-5)
    config = ours.get_config()
    assert not {"renorm", "synchronized"} & {*config} and {"gamma_constraint", "axis"} <= {*config}
    again = LAYERS.get({"class_name": "SyncBatchNormalization", "config": config})
    assert type(again) is type(ours) and again.get_config() == config and again.synchronized


# ---------- AbstractRNNCell


class MinimalCell(layers.AbstractRNNCell):
    def __init__(self, units, **kwargs):
        self.units = units
        super().__init__(**kwargs)

    @property
    def state_size(self):
        return self.units

    @property
    def output_size(self):
        return self.units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="ones", name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), initializer="ones", name="recurrent")
        self.built = True

    def call(self, inputs, states):
        output = inputs @ self.kernel + states[0] @ self.recurrent
        return output, [output]


class TwoStates(MinimalCell):
    @property
    def state_size(self):
        return [self.units, 2 * self.units]

    def call(self, inputs, states):
        return states[0], [inputs @ self.kernel, states[1] + 1]


def test_a_users_cell():
    x = counting((2, 4, 3), 4)
    state = np.zeros((2, 5), "float32")
    for t in range(4):
        state = x[:, t].sum(-1, keepdims=True) + state.sum(-1, keepdims=True) * np.ones((1, 5), "float32")
    layer = RNN(MinimalCell(5))
    assert_close(layer(torch.tensor(x)), state, 1e-5)
    assert layer(Input((4, 3))).shape == (None, 5)
    outputs, first, second = RNN(TwoStates(5), return_state=True)(torch.tensor(x))
    assert outputs.shape == first.shape == (2, 5) and (second == 4).all() and second.shape == (2, 10)


def test_initial_states_of_a_users_cell():
    cell = TwoStates(3)
    first, second = cell.get_initial_state(inputs=torch.ones(4, 7, dtype=torch.float64))
    assert first.shape == (4, 3) and second.shape == (4, 6) and second.dtype == torch.float64 and not second.any()
    assert MinimalCell(3).get_initial_state(batch_size=2, dtype="float16").dtype == torch.float16
    with pytest.raises(ValueError, match=r"MinimalCell.*: expected `inputs` or a `batch_size`.*Received: batch_size="):
        MinimalCell(3).get_initial_state()
    bare = layers.AbstractRNNCell(name="bare")
    for use in (lambda: bare.state_size, lambda: bare.output_size, lambda: bare.call(1, [])):
        with pytest.raises(NotImplementedError, match=r"AbstractRNNCell 'bare': expected a `.*of its own"):
            use()


# ---------- PreprocessingLayer


class Center(layers.PreprocessingLayer):
    """The mean of all data; ``heard`` is what the protocol called."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.heard = []

    def build(self, input_shape):
        self.heard.append(("build", input_shape))
        self.total = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="total")
        self.count = self.add_weight((), "zeros", trainable=False, name="count")
        self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")

    def update_state(self, data):
        self.heard.append(len(data))
        self.total.assign(self.total + data.sum(0))
        self.count.assign(self.count + len(data))

    def finalize_state(self):
        self.heard.append("finalize")
        self.mean.assign(self.total / self.count)

    def reset_state(self):
        self.heard.append("reset")
        self.total.assign(torch.zeros_like(self.total))
        self.count.assign(torch.zeros_like(self.count))

    def call(self, inputs):
        return inputs - self.mean


DATA = counting((70, 2), 4)


def test_adapt_calls_the_protocol_in_order():
    layer = Center()
    assert not layer.is_adapted
    layer.adapt(DATA)
    assert list(layer.heard) == [("build", (32, 2)), 32, 32, 6, "finalize"] and layer.is_adapted
    assert_close(layer(DATA), DATA - DATA.mean(0), 1e-4)
    layer.heard = []
    layer.adapt(torch.tensor(DATA[:9]) + 1, batch_size=4)
    assert list(layer.heard) == ["reset", 4, 4, 1, "finalize"]
    assert_close(layer.mean, DATA[:9].mean(0) + 1, 1e-4)
    layer.reset_state()
    assert not layer.is_adapted
    assert_close(Sequential([Input((2,)), layer, Flatten()]).predict(DATA[:3], verbose=0), array(layer(DATA[:3])))
    again = pickle.loads(pickle.dumps(layer))
    assert_close(again.mean, layer.mean)


def test_what_adapt_takes():
    batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(DATA)), batch_size=16)
    for data, options, expected in (
        (DATA.tolist(), {"batch_size": 40}, [40, 30]),
        (DATA, {"steps": 2}, [32, 32]),
        (batches, {}, [16, 16, 16, 16, 6]),
        (batches, {"steps": 3}, [16, 16, 16]),
        ((part for part in (DATA[:3], DATA[3:10])), {}, [3, 7]),
        (((part, part[:, 0]) for part in (DATA[:3], DATA[3:10])), {}, [3, 7]),
    ):
        layer = Center()
        layer.adapt(data, **options)
        assert [n for n in layer.heard if isinstance(n, int)] == expected
        assert_close(layer.mean, DATA[: sum(expected)].mean(0), 1e-4)
    layer = Center()
    layer.compile(run_eagerly=True, steps_per_execution=2)
    layer.adapt(DATA)
    assert list(layer.heard)[1:] == [32, 32, 6, "finalize"]
    for data, options, message in (
        ([DATA, DATA], {}, "expected one array.*Received: a list of arrays"),
        ((part for part in (DATA,)), {"batch_size": 3}, "expected no `batch_size`.*Received: batch_size=3"),
        (DATA, {"batch_size": 0}, "`batch_size` to be an int above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            Center().adapt(data, **options)
    with pytest.raises(TypeError, match="unsupported data type"):
        Center().adapt(3)


def test_adapt_hears_texts():
    class Words(layers.PreprocessingLayer):
        def build(self, input_shape):
            self.words = set()

        def update_state(self, data):
            self.words |= {*data.tolist()}

    layer = Words()
    layer.adapt(["a", "b", "a"])
    assert layer.words == {"a", "b"} and layer.is_adapted


def test_a_layer_without_the_protocol():
    layer = layers.PreprocessingLayer(name="p")
    for use in (layer.reset_state, lambda: layer.update_state(DATA), lambda: layer.adapt(DATA)):
        with pytest.raises(NotImplementedError, match=r"PreprocessingLayer 'p': expected a `.*of its own"):
            use()
    assert layer.finalize_state() is None


# ---------- refusals and places

REFUSED = {
    "DenseFeatures": (([],), "Normalization.*StringLookup and Embedding"),
    "DynamicLookup": ((10, ["a"]), "StringLookup or IntegerLookup"),
    "DynamicEmbedding": ((10, 4, ["a"]), "and then an Embedding"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_way_out(name):
    arguments, message = REFUSED[name]
    with pytest.raises(NotImplementedError, match=f"kshim has no {name}.*{message}"):
        getattr(layers, name)(*arguments)
    with pytest.raises(NotImplementedError, match=message):
        LAYERS.get({"class_name": name, "config": {"name": "x"}})


PLACES = {
    "layers": ("AbstractRNNCell", "RandomHeight", "RandomWidth", "DenseFeatures"),
    "layers.experimental": ("SyncBatchNormalization", "DynamicLookup", "DynamicEmbedding", "EinsumDense",
                            "RandomFourierFeatures"),
    "layers.experimental.preprocessing": ("PreprocessingLayer", "RandomHeight", "RandomWidth"),
    "layers.kernelized": ("RandomFourierFeatures",),
    "layers.preprocessing.image_preprocessing": ("RandomHeight", "RandomWidth"),
    "layers.rnn.abstract_rnn_cell": ("AbstractRNNCell",),
    "engine.base_preprocessing_layer": ("PreprocessingLayer",),
}  # fmt: skip


@pytest.mark.parametrize("root", ["keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras"])
@pytest.mark.parametrize("place", PLACES)
def test_old_places(root, place):
    was = shim.installed()
    shim.install()
    try:
        module = importlib.import_module(f"{root}.{place}")
        for name in PLACES[place]:
            assert getattr(module, name) is getattr(layers, name)
    finally:
        if not was:
            shim.uninstall()

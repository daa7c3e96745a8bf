"""Layers that are gone, and what layers once had: against their formulas; the numbers of 1.2.2 are in test_goldens."""

import copy
import importlib
import json
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting

import kshim
from kshim import backend as K
from kshim import constraints, layers, regularizers, shim
from kshim.layers import LSTM, Dense, Embedding, Input
from kshim.models import Model, Sequential

X, Y = counting((3, 4), 4) + 0.1, counting((3, 5), -3)
STEPS = counting((2, 4, 3), 4)


def left(units=2):
    return Sequential([Dense(units, input_dim=4)])


def right(units=2):
    return Sequential([Dense(units, activation="tanh", input_shape=(5,))])


def of(model, x):
    return array(model(torch.tensor(x)))


# ---------- Merge

MODES = {
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
    "max": np.maximum,
    "concat": lambda a, b: np.concatenate([a, b], -1),
    "dot": lambda a, b: (a * b).sum(-1, keepdims=True),
    "cos": lambda a, b: ((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1))[:, None, None],
}


@pytest.mark.parametrize("mode", MODES)
def test_merge_of_two_models_begins_a_sequential(mode, dialect):
    dialect("1.2.2")
    a, b = left(), right()
    model = Sequential()
    model.add(layers.Merge([a, b], mode=mode))
    expected = MODES[mode](of(a, X), of(b, Y))
    assert_close(model([torch.tensor(X), torch.tensor(Y)]), expected)
    assert model.output_shape == (None, *expected.shape[1:])
    assert [t.shape for t in model.inputs] == [(None, 4), (None, 5)]
    if mode != "cos":
        model.add(Dense(output_dim=1))
        model.compile(optimizer="sgd", loss="mse")
        history = model.fit([X, Y], np.ones((3, 1)), nb_epoch=3, verbose=0).history["loss"]
        assert history[-1] < history[0] and model.predict([X, Y]).shape == (3, 1)
        assert [w.shape for w in model.get_weights()] == [(4, 2), (2,), (5, 2), (2,), (expected.shape[-1], 1), (1,)]


@pytest.mark.parametrize("mode", MODES)
def test_merge_of_tensors(mode, dialect):
    dialect("1.2.2")
    a, b = Input((4,)), Input((4,))
    expected = MODES[mode](X, X**2 + 1)
    for result in (layers.merge([a, b], mode=mode), layers.Merge(mode=mode)([a, b])):
        assert result.shape == (None, *expected.shape[1:])
        assert_close(Model([a, b], result)([torch.tensor(X), torch.tensor(X**2 + 1)]), expected)


def test_merge_calls_a_function():
    merged = layers.merge([torch.tensor(X), torch.tensor(X)], mode=lambda t, by: t[0] * by - t[1], arguments={"by": 3})
    assert_close(merged, 2 * X)
    given = Input((4,))
    assert layers.merge([given, given], mode=lambda t: t[0], output_shape=(9,)).shape == (None, 9)
    shaped = layers.merge([given, given], mode=lambda t: t[0], output_shape=lambda shapes: (*shapes[0], 1))
    assert shaped.shape == (None, 4, 1)
    heard = []
    layers.Merge(mode=lambda t, mask: heard.append(mask) or t[0], output_mask=lambda t, m: m[0])(
        [layers.Masking()(torch.tensor(STEPS)), torch.tensor(STEPS)]
    )
    assert heard[0][0].shape == (2, 4) and heard[0][1] is None


def test_merge_masks():
    steps = STEPS.copy()
    steps[0, 1] = steps[1, 3] = 0
    one, other = layers.Masking()(torch.tensor(steps)), layers.Masking()(torch.tensor(steps[:, ::-1].copy()))
    both = (one._keras_mask & other._keras_mask).tolist()
    for mode in ("sum", "mul", "ave", "max", "concat"):
        assert layers.merge([one, other], mode=mode)._keras_mask.tolist() == both
    assert layers.merge([one, torch.tensor(steps)])._keras_mask.tolist() == one._keras_mask.tolist()
    side_by_side = layers.merge([one, torch.tensor(steps)], mode="concat", concat_axis=1)
    assert side_by_side._keras_mask.tolist() == torch.cat([one._keras_mask, torch.ones(2, 4).bool()], 1).tolist()
    assert getattr(layers.merge([one, other], mode="dot"), "_keras_mask", None) is None


@pytest.mark.parametrize(
    ("version", "axes", "formula"),
    [
        ("1.2.2", 1, "bij,bik->bjk"), ("1.2.2", (1, 2), "bij,bki->bjk"), ("1.2.2", [[1, 2], [1, 2]], "bij,bij->b"),
        ("3", -1, "bij,bkj->bik"), ("0.3.3", [(1,), (1,)], "bij,bik->bjk"), ("0.3.3", 1, "bij,bjk->bik"),
        ("0.3.3", 2, "bij,bij->b"), ("0.3.3", -1, "bij,bkj->bik"),
    ],
)  # fmt: skip
def test_dot_axes(version, axes, formula, dialect):
    dialect(version)
    a, b = counting((2, 3, 3), 2), counting((2, 3, 3), -3) ** 2
    expected = np.einsum(formula, a, b)
    got = layers.merge([torch.tensor(a), torch.tensor(b)], mode="dot", dot_axes=axes)
    assert_close(got, expected[:, None] if expected.ndim == 1 else expected)


def test_a_merge_within_a_merge_and_a_shared_branch():
    shared = left()
    inner = Sequential([layers.Merge([shared, right()], mode="concat")])
    model = Sequential([layers.Merge([inner, shared, Dense(3, input_dim=2)], mode="concat")])
    assert [t.shape for t in model.inputs] == [(None, 4), (None, 5), (None, 2)]
    values = [torch.tensor(x) for x in (X, Y, X[:, :2].copy())]
    outputs = model(values)
    assert outputs.shape == (3, 9) and torch.equal(outputs[:, :2], outputs[:, 4:6])
    assert len(model.get_weights()) == 6


def test_merge_is_saved_copied_and_pickled():
    model = Sequential([layers.Merge([left(), right()], mode="concat"), Dense(1)])
    values = [torch.tensor(X), torch.tensor(Y)]
    expected = model(values)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(values), expected)
    again = Sequential.from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    assert torch.equal(again(values), expected)


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: layers.Merge(mode="plus"), ValueError, r"expected `mode` to be one of .*Received: mode='plus'"),
        (lambda: layers.Merge([left()]), TypeError, "expected a list of at least 2 to merge"),
        (lambda: layers.merge([torch.tensor(X)]), TypeError, "expected a list of at least 2 to merge"),
        (lambda: layers.Merge([left(), right()], mode="join"), NotImplementedError, "kshim has no `join`"),
        (lambda: layers.Merge([left(), right()], node_indices=[0, 1]), NotImplementedError, "the first output"),
        (lambda: layers.Merge([left(), Dense(3)]), ValueError, "layers that know their input"),
        (lambda: layers.merge([Input((4,)), Input((5,))]), ValueError, "the same shape for mode 'sum'"),
        (lambda: layers.merge([Input((4, 2)), Input((5, 3))], mode="concat"), ValueError, "differ on axis -1 alone"),
        (lambda: layers.merge([Input((4,)), Input((5,))], mode="dot"), ValueError, "equal sizes on `dot_axes`"),
        (lambda: layers.merge([Input((4,))] * 3, mode="dot"), ValueError, "expected 2 inputs for mode 'dot'"),
        (lambda: layers.merge([Input((4,))] * 2, mode="dot", dot_axes="x"), ValueError, "`dot_axes` to be an int"),
        (lambda: layers.Merge([left(), right()])(Input((4,))), ValueError, "expected a list of 2 inputs"),
        (lambda: layers.Siamese(Dense(2), [left(), right()], None), NotImplementedError, "add_shared_layer"),
        (lambda: layers.MaxoutDense(0), ValueError, "`output_dim` to be an int above 0"),
        (lambda: layers.MaxoutDense(2, nb_feature=0), ValueError, "`nb_feature` to be an int above 0"),
        (lambda: layers.MaxoutDense(2)(Input((3, 4))), ValueError, "expected"),
        (lambda: layers.Highway()(Input((3, 4))), ValueError, "expected"),
        (lambda: layers.TimeDistributedMerge("max"), ValueError, "`mode` to be one of"),
        (lambda: layers.TimeDistributedMerge()(Input((4,))), ValueError, "expected"),
        (lambda: layers.ThresholdedReLU(-1.0), ValueError, "`theta` to be a number of at least 0"),
        (lambda: layers.ThresholdedReLU(None), ValueError, "`theta` to be a number of at least 0"),
        (lambda: layers.SReLU()(Input((None, 3))), ValueError, "known sizes, or `shared_axes`"),
        (lambda: layers.LRN2D(n=4), NotImplementedError, "only works with odd n. Received: n=4"),
        (lambda: layers.AutoEncoder("x", Dense(2)), TypeError, "expected a layer as `encoder`"),
        (lambda: layers.Deconvolution2D(2, 3, output_shape=(2, 3)), ValueError, "a shape of 4 axes"),
        (lambda: layers.Deconvolution2D(2, 3, output_shape=(None, 9, 7, 2))(Input((5, 5, 1))), ValueError,
         "that a convolution makes 5 long. Received: size 9"),
    ],
)  # fmt: skip
def test_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


# ---------- the other classes

GONE = {
    "AutoEncoder": (lambda: layers.AutoEncoder(Dense(2, input_dim=4), Dense(4)), X),
    "Deconvolution2D": (lambda: layers.Deconvolution2D(2, 3, output_shape=(None, 7, 8, 2)), counting((2, 5, 6, 3))),
    "Highway": (lambda: layers.Highway(W_regularizer="l2", b_constraint="nonneg", activation="relu"), X),
    "LRN2D": (lambda: layers.LRN2D(n=3), counting((2, 4, 3, 3), 9)),
    "MaxoutDense": (lambda: layers.MaxoutDense(2, nb_feature=3, init="normal"), X),
    "ParametricSoftplus": (lambda: layers.ParametricSoftplus(shared_axes=[1]), X),
    "SReLU": (lambda: layers.SReLU("one"), X),
    "ThresholdedLinear": (lambda: layers.ThresholdedLinear(0.5), X),
    "ThresholdedReLU": (lambda: layers.ThresholdedReLU(0.5), X),
    "TimeDistributedMerge": (lambda: layers.TimeDistributedMerge("ave"), STEPS),
}


@pytest.mark.parametrize("name", GONE)
def test_gone_classes_are_layers(name):
    make, x = GONE[name]
    layer = make()
    outputs = layer(torch.tensor(x))
    assert tuple(layer.compute_output_shape((None, *x.shape[1:]))) == (None, *outputs.shape[1:])
    symbolic = Input(x.shape[1:])
    assert_close(Model(symbolic, layer(symbolic))(torch.tensor(x)), outputs)
    again = kshim.layers.deserialize(kshim.layers.serialize(layer))
    assert again.get_config() == layer.get_config() and type(again) is type(layer)
    again.build(x.shape)
    again(torch.tensor(x))
    again.set_weights(layer.get_weights())
    for twin in (again, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_close(twin(torch.tensor(x)), outputs)
    assert layer(torch.tensor(x[:0])).shape == (0, *outputs.shape[1:])
    assert make()(torch.tensor(x, dtype=torch.float32)).dtype == torch.float32
    if layer.trainable_weights:
        outputs.sum().backward()
        assert all(w.grad is not None for w in layer.trainable_weights if name != "AutoEncoder")


def test_siamese_and_its_kin():
    shared = Dense(3)
    a, b = left(), right()
    model = Sequential([layers.Siamese(shared, [a, b], merge_mode="sum")])
    expected = of(shared, of(a, X)) + of(shared, of(b, Y))
    assert_close(model([torch.tensor(X), torch.tensor(Y)]), expected)
    model = Sequential([layers.LambdaMerge([a, b], lambda t: t[0] - t[1])])
    assert_close(model([torch.tensor(X), torch.tensor(Y)]), of(a, X) - of(b, Y))
    layers.add_shared_layer(shared, [a, b])
    assert a.layers[-1] is b.layers[-1] is shared


def test_autoencoder_gives_the_code_or_its_decoding():
    encoder, decoder = Sequential([Dense(3, input_dim=4), Dense(2)]), Sequential([Dense(4, input_dim=2)])
    model = Sequential([layers.AutoEncoder(encoder=encoder, decoder=decoder)])
    assert_close(model(torch.tensor(X)), of(decoder, of(encoder, X)))
    model.compile("sgd", "mse")
    model.fit(X, X, epochs=1, verbose=0)
    coder = layers.AutoEncoder(encoder, decoder, output_reconstruction=False)
    assert_close(coder(torch.tensor(X)), of(encoder, X))
    assert len(coder.get_weights()) == 6


def test_lrn2d_formula():
    x = counting((2, 4, 3, 3), 9)
    squares = np.pad(x**2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    sums = sum(squares[:, i : i + 4] for i in range(5))
    assert_close(layers.LRN2D(alpha=0.1, k=1.5)(torch.tensor(x)), x / (1.5 + 0.1 * sums) ** 0.75)


def test_thresholds_and_timesteps():
    assert_close(layers.ThresholdedLinear(0.5)(torch.tensor(X)), np.where(np.abs(X) < 0.5, 0, X))
    for mode, function in (("sum", np.sum), ("mul", np.prod), ("ave", np.mean)):
        assert_close(layers.TimeDistributedMerge(mode)(torch.tensor(STEPS)), function(STEPS, axis=1))


def test_highway_of_keras_0(dialect):
    dialect("0.3.3")
    layer = layers.Highway(transform_bias=-3)
    layer.build((None, 4))
    assert [w.name for w in layer.weights] == ["W", "b", "W_carry", "b_carry"]
    assert layer.get_weights()[3].tolist() == [-3] * 4
    dialect("1.2.2")
    layer = layers.Highway(transform_bias=-3)
    layer.build((None, 4))
    assert [w.name for w in layer.weights] == ["W", "W_carry", "b", "b_carry"] and layer.b_carry.sum() == 4


def test_weights_and_functions_as_arguments():
    W, b = counting((2, 4, 3)), counting((2, 3))
    layer = Sequential([layers.MaxoutDense(3, nb_feature=2, weights=[W, b], input_dim=4)]).layers[0]
    assert_close(layer(torch.tensor(X)), (X @ W + b[:, None]).max(0))
    layer = layers.MaxoutDense(3, init=lambda shape, name=None: torch.ones(shape))
    layer.build((None, 4))
    assert layer.get_weights()[0].sum() == 48


@pytest.mark.parametrize("version", ["0.3.3", "1.2.2", "2.3.1", "3"])
def test_embedding_of_words_in_an_old_script(version, dialect):
    dialect(version)
    words = np.array([[1, 2, 0], [3, 1, 2]])
    model = Sequential()
    model.add(Embedding(5, 4, input_length=3, mask_zero=True))
    model.add(LSTM(output_dim=2, inner_activation="hard_sigmoid", consume_less="gpu", dropout_W=0.1))
    model.compile("sgd", "mse")
    assert model.layers[0].output_shape == (None, 3, 4)
    assert len(model.fit(words, np.ones((2, 2)), nb_epoch=2, verbose=0).history["loss"]) == 2


# ---------- normalization, up-sampling by dialect


def after_one_step(version, dialect, x, **more):
    dialect(version)
    layer = layers.BatchNormalization(momentum=0.5, epsilon=1e-3, **more)
    layer.build(x.shape)
    layer(torch.tensor(x), training=True)
    return [w.tolist() for w in (layer.moving_mean[0], layer.moving_variance[0])]


@pytest.mark.parametrize("shape", [(6, 2), (2, 3, 2, 2)], ids=("matrix", "image"))
@pytest.mark.parametrize("version", ["1.2.2", "2.0.8", "2.2.4", "2.3.1", "tf.keras", "3"])
def test_moving_statistics(version, shape, dialect):
    x = counting(shape, 4) ** 2
    flat = x.reshape(-1, 2)[:, 0]
    n, mean, variance = len(flat), flat.mean(), flat.var()
    image = len(shape) == 4
    factor = {"2.2.4": n / (n - 1.001), "2.3.1": n / (n - 1.001)}.get(version, 1)
    factor *= n / (n - 1) if image and version in ("2.2.4", "2.3.1", "tf.keras") else 1
    kept = 0 if version == "2.2.4" else 0.5  # zero-debiased: the first step counts alone
    expected = [(1 - kept) * mean, kept + (1 - kept) * variance * factor]
    assert after_one_step(version, dialect, x) == pytest.approx(expected, rel=1e-5)


def test_deconvolution_of_keras_2_finds_its_own_shape(dialect):
    dialect("2.0.8")
    with pytest.warns(UserWarning, match=r"ignores `output_shape`\. Received: output_shape=\(None, 9, 9, 2\)"):
        layer = layers.Deconvolution2D(2, 3, 3, output_shape=(None, 9, 9, 2))
    assert layer(Input((5, 5, 1))).shape == (None, 7, 7, 2)


def test_zero_debiased_averages(dialect):
    dialect("2.2.4")
    layer = layers.BatchNormalization(momentum=0.9)
    layer.build((None, 1))
    means = []
    for step in range(4):
        x = counting((5, 1)) + step
        means.append(float(x.mean()))
        layer(torch.tensor(x), training=True)
    weights = np.array([0.9**3, 0.9**2, 0.9, 1]) * 0.1 / (1 - 0.9**4)
    assert float(layer.moving_mean[0]) == pytest.approx(weights @ means, rel=1e-5)


@pytest.mark.parametrize(
    ("version", "by_batch", "moves"),
    [("1.2.2", True, True), ("2.0.8", True, True), ("2.3.1", True, False), ("tf.keras", False, False),
     ("3", False, False)],
)  # fmt: skip
def test_frozen_normalization(version, by_batch, moves, dialect):
    dialect(version)
    layer = layers.BatchNormalization(trainable=False)
    outputs = layer(torch.tensor(X), training=True)
    assert (abs(float(outputs.mean())) < 1e-5) == by_batch
    assert bool(torch.any(layer.moving_mean != 0)) == moves and layer.trainable is False


def test_bilinear_by_dialect(dialect):
    layer, x = layers.UpSampling2D(2, interpolation="bilinear"), torch.arange(4.0).view(1, 2, 2, 1)
    dialect("2.3.1")
    assert array(layer(x))[0, :, :, 0].tolist() == [
        [0, 0.5, 1, 1], [1, 1.5, 2, 2], [2, 2.5, 3, 3], [2, 2.5, 3, 3]]  # fmt: skip
    assert layer.compute_output_shape((None, None, 2, 1)) == (None, None, 4, 1)
    dialect("tf.keras")
    assert array(layer(x))[0, 0, :, 0].tolist() == [0, 0.25, 0.75, 1]


# ---------- what layers once had


class Linear(layers.Layer):
    """A custom layer as Keras 1's documentation wrote it."""

    def __init__(self, output_dim, **kwargs):
        self.output_dim = output_dim
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.seen = K.variable(0.0)
        self.W = K.variable(np.ones((input_shape[1], self.output_dim)), name="W")
        self.b = K.zeros((self.output_dim,), name="b")
        self.trainable_weights = [self.W, self.b]
        self.non_trainable_weights = [self.seen]
        self.constraints = {self.W: constraints.maxnorm(1)}
        regularizer = regularizers.WeightRegularizer(l2=0.5)
        regularizer.set_param(self.W)

    def call(self, x, mask=None):
        return K.dot(x, self.W) + self.b

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.output_dim)


def test_a_custom_layer_of_keras_1(dialect):
    dialect("1.2.2")
    model = Sequential([Linear(2, input_shape=(3,)), Dense(1)])
    layer = model.layers[0]
    assert [w.shape for w in layer.get_weights()] == [(3, 2), (2,), ()]
    assert [w.name for w in layer.trainable_weights] == ["W", "b"] and len(layer.non_trainable_weights) == 1
    assert layer.output_shape == (None, 2) and layer.input_shape == (None, 3)
    assert float(sum(layer.losses).detach()) == pytest.approx(3.0) and next(iter(layer.constraints)) is layer.W
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 1)), nb_epoch=1, verbose=0)
    assert np.linalg.norm(layer.get_weights()[0], axis=0).max() <= 1 + 1e-5
    twin = pickle.loads(pickle.dumps(layer))
    assert all(np.array_equal(a, b) for a, b in zip(twin.get_weights(), layer.get_weights(), strict=True))
    layer.trainable = False
    assert not layer.trainable_weights


def test_shapes_and_nodes_of_a_shared_layer():
    dense = Dense(2)
    first, second = dense(Input((3,))), dense(Input((3,)))
    assert dense.get_output_shape_at(1) == (None, 2) and dense.get_input_shape_at(0) == (None, 3)
    assert dense.get_output_at(0) is first and dense.get_output_at(1) is second and len(dense.inbound_nodes) == 2
    assert dense.get_output_shape_for((None, 3)) == (None, 2) and dense.W is dense.kernel and dense.output_dim == 2
    assert not hasattr(Dense(2), "output_shape")
    eager = Dense(2)
    eager(torch.ones(4, 3))
    assert eager.output_shape[-1] == 2


def test_own_names_go_before_older_ones():
    class Mine(Dense):
        def build(self, input_shape):
            self.W = self.add_weight((3,), name="W")
            self.subsample = 7

        def call(self, x):
            return x * self.W

    layer = Mine(3)
    assert layer(torch.ones(2, 3)).shape == (2, 3) and layer.W.shape == (3,) and layer.subsample == 7


# ---------- names and paths

PATHS = {
    "core": ("Merge", "Highway", "MaxoutDense", "TimeDistributedDense", "AutoEncoder", "Lambda", "LambdaMerge"),
    "convolutional": ("Convolution1D", "Convolution2D", "Convolution3D", "AtrousConvolution2D", "Deconvolution2D",
                      "MaxPooling2D", "ZeroPadding2D", "UpSampling2D", "SeparableConvolution2D", "Cropping2D"),
    "recurrent": ("LSTM", "GRU", "SimpleRNN"),
    "normalization": ("BatchNormalization", "LRN2D"),
    "embeddings": ("Embedding",),
    "noise": ("GaussianNoise", "GaussianDropout"),
    "advanced_activations": ("LeakyReLU", "PReLU", "SReLU", "ELU", "ParametricSoftplus", "ThresholdedReLU"),
    "pooling": ("GlobalAveragePooling2D", "AveragePooling1D"),
    "local": ("LocallyConnected1D", "LocallyConnected2D"),
    "wrappers": ("TimeDistributed", "Bidirectional"),
    "merge": ("Concatenate", "add", "dot"),
    "convolutional_recurrent": ("ConvLSTM2D",),
    "containers": ("Sequential",),
    "experimental.preprocessing": ("Rescaling",),
}  # fmt: skip


@pytest.fixture
def installed():
    was = shim.installed()
    shim.install()
    yield
    if not was:
        shim.uninstall()


@pytest.mark.parametrize("path", PATHS)
def test_old_paths_have_their_names(path, installed):
    module = importlib.import_module(f"keras.layers.{path}")
    for name in PATHS[path]:
        assert getattr(module, name) is getattr(kshim.models if path == "containers" else kshim.layers, name)


def test_merge_is_a_function_and_a_module(installed):
    from keras.layers import Highway, merge
    from keras.layers.merge import Concatenate, add

    assert_close(merge([torch.tensor(X), torch.tensor(X)], mode="sum"), 2 * X)
    assert_close(kshim.layers.merge([torch.tensor(X), torch.tensor(X)]), 2 * X)
    assert merge.Concatenate is Concatenate is kshim.layers.merge.Concatenate and add is kshim.layers.add
    assert Highway is kshim.layers.Highway and "Highway" not in kshim.layers.__all__


def test_names_of_one_meaning_in_every_dialect(dialect):
    for version in ("0.3.3", "1.2.2", "2.3.1", "3"):
        dialect(version)
        assert layers.Deconvolution2D(2, nb_row=3, nb_col=4, dim_ordering="tf").kernel_size == (3, 4)
        assert layers.AtrousConvolution2D(2, nb_row=3, nb_col=2, atrous_rate=(2, 1)).dilation_rate == (2, 1)
        assert layers.TimeDistributedDense(output_dim=3, input_dim=2, input_length=4).batch_shape == (None, 4, 2)
        assert kshim.layers.deserialize({"class_name": "MaxoutDense", "config": {"output_dim": 3}}).nb_feature == 4


def test_a_model_resets_the_states_below_it():
    inner = kshim.Sequential([kshim.layers.Input(batch_shape=(2, 3, 4)), kshim.layers.GRU(3, stateful=True)])
    model = kshim.Sequential([kshim.layers.Input(batch_shape=(2, 3, 4)), inner, kshim.layers.Dense(2)])
    x = np.ones((2, 3, 4), "float32")
    first, second = model.predict(x, verbose=0), model.predict(x, verbose=0)
    assert not np.allclose(first, second)
    model.reset_states()
    np.testing.assert_array_equal(model.predict(x, verbose=0), first)


@pytest.mark.parametrize("dialect", ["0.3.3", "1.2.2", "2.0.8", "2.2.4", "2.3.1", "tf.keras", "3"])
@pytest.mark.parametrize("frozen", [False, True])
def test_batch_normalization_trains_in_every_dialect(dialect, frozen):
    kshim.set_dialect(dialect)
    try:
        normalization = kshim.layers.BatchNormalization()
        model = kshim.Sequential([kshim.layers.Input((4,)), kshim.layers.Dense(3), normalization])
        normalization.trainable = not frozen
        model.compile("sgd", "mse")
        before = model.get_weights()[0]
        model.fit(counting((8, 4), 3), counting((8, 3)), verbose=0)
        assert not np.array_equal(before, model.get_weights()[0])
    finally:
        kshim.set_dialect("3")


def test_full_convolution_of_keras_1():
    x = counting((2, 5, 6, 3), 3)
    padded = np.pad(x, ((0, 0), (2, 2), (1, 1), (0, 0)))
    kshim.set_dialect("1.2.2")
    try:
        full = kshim.layers.Convolution2D(4, 3, 2, border_mode="full", dim_ordering="tf", input_shape=(5, 6, 3))
        valid = kshim.layers.Convolution2D(4, 3, 2, border_mode="valid", dim_ordering="tf")
        outputs = full(x)
        valid.build(padded.shape)
        valid.set_weights(full.get_weights())
        assert_close(outputs, valid(padded))
        assert full.get_output_shape_for((None, 5, 6, 3)) == (None, 7, 7, 4)
    finally:
        kshim.set_dialect("3")
    with pytest.raises(ValueError, match=r"`padding` to be one of \('valid', 'same'\). Received: padding='full'"):
        kshim.layers.Conv2D(4, 3, padding="full")

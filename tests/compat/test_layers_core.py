"""Core and shape layers: what a row cannot say."""

import functools
import math

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting

import kshim
from kshim import layers
from kshim.core import settings
from kshim.layers.core import RandomFourierFeatures

# ---------- EinsumDense


def test_einsum_dense_knows_an_axis_it_was_not_told():
    """None in `output_shape` is any size; the symbolic shape has it where the input has (Keras 3.15 says None)."""
    layer = layers.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")
    assert layer(kshim.Input((5, 3))).shape == (None, 5, 4)
    assert layer(kshim.Input((None, 3))).shape == (None, None, 4)
    assert layer(torch.ones(2, 7, 3)).shape == (2, 7, 4)
    assert layers.EinsumDense("...b,bc->...c", 4)(kshim.Input((None, None, 3))).shape == (None, None, None, 4)


def test_einsum_dense_any_number_of_axes():
    layer = layers.EinsumDense("...x,xy->...y", 4, bias_axes="y")
    layer.build((2, 3))
    layer.set_weights([counting((3, 4)), counting((4,))])
    x = counting((2, 3))
    assert_close(layer(x), x @ counting((3, 4)) + counting((4,)))


@pytest.mark.parametrize("equation, shape, size", [("abc,cde->abde", (2, 5, 3), (5, 4, 6)),
                                                   ("abc,bcd->ad", (2, 5, 3), 4)])  # fmt: skip
def test_einsum_dense_begins_as_keras(equation, shape, size, keras3):
    """The fans of its initializer come from the equation."""
    found = []
    for k in (kshim, keras3):
        layer = k.layers.EinsumDense(equation, size, kernel_initializer=k.initializers.GlorotUniform(seed=3))
        layer.build(shape)
        found.append(layer.get_weights()[0])
    assert_close(*found)


# ---------- Lambda


def test_lambda_gives_mask_and_training_to_arguments_alone():
    def with_local_names(x):
        mask, training = x > 0, 2
        return torch.where(mask, x, training)

    x = torch.tensor([[-1.0, 3.0]])
    assert layers.Lambda(with_local_names)(x).tolist() == [[2, 3]]
    assert layers.Lambda(torch.relu)(x).tolist() == [[0, 3]]

    def by(x, factor, training=None):
        return x * factor if training else x

    assert layers.Lambda(functools.partial(by, factor=2))(x, training=True).tolist() == [[-2, 6]]


# ---------- Embedding


def test_embedding_with_weights_is_built():
    table = counting((5, 4))
    for weights in (table, [table]):
        layer = layers.Embedding(5, 4, weights=weights)
        assert layer.built
        np.testing.assert_array_equal(layer.get_weights()[0], table)
        assert_close(layer(np.array([[1, 4]])), table[[[1, 4]]])
    assert "weights" not in layer.get_config()


def test_embedding_index_beyond_half_precision():
    layer = layers.Embedding(3000, 2, dtype="mixed_float16")
    layer.build()
    layer.set_weights([np.arange(6000).reshape(3000, 2) / 6000])
    outputs = layer(np.array([[2999.0, 2049.0]], "float32"))
    assert outputs.dtype == torch.float16
    assert_close(outputs.float(), np.array([[[5998, 5999], [4098, 4099]]]) / 6000, 1e-3)


def test_embedding_masks_the_next_layer():
    model = kshim.Sequential([layers.Embedding(5, 4, mask_zero=True), layers.Dense(2)])
    outputs = model(np.array([[1, 0, 2]]))
    assert outputs._keras_mask.tolist() == [[True, False, True]]


@pytest.mark.parametrize("options", [{}, {"tie_weights": False}, {"logit_soft_cap": 0.5}, {"mask_zero": True},
                                     {"reverse_dtype": "bfloat16"}])  # fmt: skip
def test_reversible_embedding_backwards(options, keras3):
    found = []
    x = counting((2, 3, 4))
    for k in (kshim, keras3):
        layer = k.layers.ReversibleEmbedding(5, 4, **options)
        layer.build((2, 3))
        layer.set_weights([counting(tuple(w.shape), i + 2) for i, w in enumerate(layer.weights)])
        outputs = layer(x, reverse=True)
        assert getattr(outputs, "_keras_mask", None) is None
        found.append(outputs)
    assert found[0].dtype == found[1].dtype
    assert_close(*(x.float() for x in found))


def test_reversible_embedding_both_ways_in_a_model(keras3):
    found = []
    for k in (kshim, keras3):
        embedding = k.layers.ReversibleEmbedding(5, 4, mask_zero=True)
        ids = k.Input((3,), dtype="int32")
        model = k.Model(ids, embedding(k.layers.Dense(4)(embedding(ids)), reverse=True))
        model.set_weights([counting(w.shape, 2) for w in model.get_weights()])
        found.append(model(np.array([[1, 0, 4]], "int32")))
        assert tuple(model.output_shape) == (None, 3, 5)
    assert_close(*found)


def test_reversible_embedding_reverse_dtype_holds_under_mixed_precision():
    layer = layers.ReversibleEmbedding(5, 4, dtype="mixed_bfloat16", reverse_dtype="float32")
    assert layer(np.array([[1, 2]])).dtype == torch.bfloat16
    assert layer(torch.ones(1, 2, 4), reverse=True).dtype == torch.float32


# ---------- Softmax


def test_softmax_mask_of_the_batch(keras3):
    x, mask = torch.tensor(counting((3, 4, 5), 3)), torch.ones(3, 1, 5, dtype=torch.bool)
    mask[0, 0, 1:] = mask[1] = False
    assert_close(*(k.layers.Softmax()(x, mask=mask) for k in (kshim, keras3)))


# ---------- noise


@pytest.mark.parametrize("name, arguments", [("Dropout", {"rate": 0.5}), ("SpatialDropout1D", {"rate": 0.5}),
                                             ("AlphaDropout", {"rate": 0.4}), ("GaussianNoise", {"stddev": 0.4}),
                                             ("GaussianDropout", {"rate": 0.4})])  # fmt: skip
def test_a_seed_gives_keras_own_row_of_draws(name, arguments, keras3):
    found = []
    x = counting((3, 4, 50))
    for k in (kshim, keras3):
        layer = getattr(k.layers, name)(**arguments, seed=11)
        found.append(np.stack([array(layer(x, training=True)) for _ in range(3)]))
    assert_close(*found)
    assert not np.array_equal(found[0][0], found[0][1])


@pytest.mark.parametrize("layer, mean, deviation", [
    (layers.GaussianNoise(0.3), 1, 0.3),
    (layers.GaussianDropout(0.2), 1, 0.5),
    (layers.Dropout(0.2), 1, 0.5),
    (layers.Dropout(0.2, noise_shape=(None, 1, None)), 1, 0.5),
    (layers.SpatialDropout1D(0.2), 1, 0.5),
])  # fmt: skip
def test_noise_without_a_seed_follows_torch(layer, mean, deviation):
    x = torch.ones(40, 5, 200)
    torch.manual_seed(3)
    first = layer(x, training=True)
    torch.manual_seed(3)
    assert torch.equal(layer(x, training=True), first)
    assert not torch.equal(layer(x, training=True), first)
    assert abs(first.mean() - mean) < 0.02 and abs(first.std() - deviation) < 0.02
    assert layer(x) is x


def test_alpha_dropout_keeps_mean_and_variance():
    x = torch.randn(200, 500)
    outputs = layers.AlphaDropout(0.3)(x, training=True)
    assert abs(outputs.mean()) < 0.02 and abs(outputs.std() - 1) < 0.02


def test_spatial_dropout_drops_whole_channels():
    outputs = layers.SpatialDropout2D(0.5)(torch.ones(8, 3, 4, 20), training=True)
    assert (outputs == outputs[:, :1, :1]).all() and 0 < (outputs == 0).float().mean() < 1
    outputs = layers.SpatialDropout2D(0.5, data_format="channels_first")(torch.ones(8, 20, 3, 4), training=True)
    assert (outputs == outputs[:, :, :1, :1]).all() and 0 < (outputs == 0).float().mean() < 1
    assert isinstance(layers.SpatialDropout2D(0.5), layers.Dropout)


def test_short_noise_shape_counts_from_the_last_axis(keras3):
    x = counting((3, 4, 5)) + 1
    ours, theirs = (k.layers.Dropout(0.5, noise_shape=(5,), seed=2)(x, training=True) for k in (kshim, keras3))
    assert_close(ours, theirs)


def test_spatial_dropout_keeps_a_mixed_policy():
    """Keras 3.15 writes the variables' dtype, and loses the policy."""
    layer = layers.SpatialDropout1D(0.5, dtype="mixed_bfloat16")
    assert layers.SpatialDropout1D.from_config(layer.get_config()).compute_dtype == "bfloat16"


def test_gaussian_noise_above_1_before_keras_3():
    settings.set_dialect("2.3.1")
    try:
        assert layers.GaussianNoise(2.5).stddev == 2.5
        with pytest.raises(ValueError, match="expected `stddev`"):
            layers.GaussianNoise(-0.5)
    finally:
        settings.set_dialect("3")


def test_activity_regularization_in_a_fit():
    layer = layers.ActivityRegularization(l1=0.5)
    layer(torch.tensor([[1.0, -3.0], [0.0, 2.0]]))
    assert [loss.item() for loss in layer.losses] == [1.5]


# ---------- merges

MASKED = ("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract")


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("masks", [(True, True), (True, False), (False, True)])
def test_merges_heed_masks_as_keras(name, masks, keras3):
    found = []
    for k in (kshim, keras3):
        tensors = [torch.tensor(counting((2, 3, 4), scale)) for scale in (2, -3)]
        for i, (x, masked) in enumerate(zip(tensors, masks, strict=True)):
            if masked:
                x._keras_mask = torch.tensor([[True, False, i == 0], [i == 1, False, True]])
        outputs = getattr(k.layers, name)()(tensors)
        found.append((outputs, getattr(outputs, "_keras_mask", None)))
    (ours, our_mask), (theirs, their_mask) = found
    assert_close(ours, theirs)
    assert (our_mask is None) == (their_mask is None)
    assert our_mask is None or torch.equal(our_mask, their_mask)


def test_merges_heed_masks_of_pictures():
    """A mask over time on what has more axes than one behind it (Keras 3.15 fails)."""
    x, y = torch.ones(2, 3, 4, 5), torch.full((2, 3, 4, 5), 2.0)
    x._keras_mask = torch.tensor([[True, False, True]] * 2)
    assert layers.Maximum()([x, y]).unique().tolist() == [2]
    assert layers.Minimum()([x, y])[0, :, 0, 0].tolist() == [1, 2, 1]
    assert layers.Concatenate()([x, y])._keras_mask.shape == (2, 3, 4)


@pytest.mark.parametrize("name", ["Add", "Concatenate"])
def test_masks_of_merges_are_lists(name, keras3):
    x, mask = torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)
    for k in (kshim, keras3):
        layer = getattr(k.layers, name)()
        for inputs, masks in (([x, x], mask), (x, [mask]), ([x, x], [mask])):
            with pytest.raises(ValueError):
                layer.compute_mask(inputs, masks)
        assert layer.compute_mask([x, x], None) is None


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"])
def test_functions_of_merges_are_their_layers(name, keras3):
    x, y = torch.tensor(counting((2, 3), 2)), torch.tensor(counting((2, 3), -3))
    ours, theirs = (getattr(k.layers, name)([x, y], name="m") for k in (kshim, keras3))
    assert_close(ours, theirs)
    function = getattr(layers, name)
    assert function.__name__ == name and function.__doc__
    symbolic = function([kshim.Input((3,)), kshim.Input((3,))], name="m")
    assert symbolic.node.operation.name == "m" and type(symbolic.node.operation).__name__ == name.title()


def test_functions_of_merges_take_arguments(keras3):
    x, y = torch.tensor(counting((2, 3, 4), 2)), torch.tensor(counting((2, 3, 4), -3))
    for call in (
        lambda k: k.layers.dot([x, y], axes=1, normalize=True),
        lambda k: k.layers.concatenate([x, y], axis=0),
    ):
        assert_close(call(kshim), call(keras3))


@pytest.mark.parametrize("name", ["Add", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_merges_of_one(name):
    x = torch.tensor(counting((2, 3)))
    assert torch.equal(getattr(layers, name)()([x]), x)


def test_concatenate_of_batches_of_other_sizes():
    assert layers.concatenate([torch.ones(2, 3), torch.ones(4, 3)], axis=0).shape == (6, 3)


def test_cosine_of_a_zero_vector_has_a_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    layers.dot([x, torch.ones(2, 3)], axes=1, normalize=True).sum().backward()
    assert torch.isfinite(x.grad).all()


# ---------- shapes


@pytest.mark.parametrize("cropping", [(40, 40), (50, 60), (0, 85)])
def test_cropping_more_than_any_stand_in(cropping):
    layer = layers.Cropping1D(cropping)
    assert layer(kshim.Input((None, 3))).shape == (None, None, 3)
    assert layer(torch.ones(2, 200, 3)).shape == (2, 200 - sum(cropping), 3)


def test_croppings_are_views():
    x = torch.ones(2, 6, 6, 3)
    assert layers.Cropping2D(1)(x).data_ptr() == x[:, 1:, 1:].data_ptr()


def test_reshape_of_an_unknown_axis():
    layer = layers.Reshape((-1, 2))
    assert layer(kshim.Input((None, 3))).shape == (None, None, 2)
    assert layer(torch.ones(2, 4, 3)).shape == (2, 6, 2)
    assert layer(torch.ones(0, 4, 3)).shape == (0, 6, 2)
    with pytest.raises(ValueError, match="expected the total size"):
        layer(torch.ones(2, 3, 3))


def test_masking_leaves_no_trace_of_its_value():
    x = torch.tensor([[[math.inf, math.inf], [1.0, 2.0]]])
    assert layers.Masking(math.inf)(x).tolist() == [[[0, 0], [1, 2]]]


def test_help_of_a_family_tells_its_own_rank():
    for rank, word in ((1, "steps"), (2, "rows, columns"), (3, "d1, d2, d3")):
        for family in ("Cropping", "ZeroPadding", "UpSampling", "SpatialDropout"):
            doc = getattr(layers, f"{family}{rank}D").__doc__
            assert word in doc and all(f"\n    {part}:" in doc for part in ("Args", "Shapes", "Raises", "Source"))


# ---------- RandomFourierFeatures


@pytest.mark.parametrize("kernel, scale", [("gaussian", None), ("laplacian", None), ("Gaussian", 2.0), ("zeros", 3)])
def test_random_fourier_features_are_their_formula(kernel, scale):
    if kernel == "zeros":
        kernel = kshim.initializers.Zeros()
    layer = RandomFourierFeatures(6, kernel_initializer=kernel, scale=scale)
    x = counting((4, 8), 2)
    outputs = layer(x)
    found = {w.name: w.numpy() for w in layer.weights}
    assert {name: w.shape for name, w in found.items()} == {
        "unscaled_kernel": (8, 6), "bias": (6,), "kernel_scale": (1,)
    }  # fmt: skip
    assert found["kernel_scale"] == pytest.approx(scale or (2.0 if kernel == "gaussian" else 1.0))
    assert (found["bias"] >= 0).all() and (found["bias"] < 2 * np.pi).all()
    assert_close(outputs, np.cos(x @ found["unscaled_kernel"] / found["kernel_scale"] + found["bias"]))
    assert layer.trainable_weights == []
    again = RandomFourierFeatures.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert layer(kshim.Input((8,))).shape == (None, 6)


@pytest.mark.parametrize("kernel, near", [
    ("gaussian", lambda x, y: np.exp(-np.sum((x - y) ** 2) / (2 * 2.0**2))),
    ("laplacian", lambda x, y: np.exp(-np.sum(np.abs(x - y)) / 2.0)),
])  # fmt: skip
def test_random_fourier_features_come_near_the_kernel(kernel, near):
    layer = RandomFourierFeatures(200_000, kernel, scale=2.0)
    x = np.array([[0.5, -1.0, 0.25], [0.0, 0.5, 1.0]], "float32")
    first, second = layer(x)
    assert 2 * (first * second).mean().item() == pytest.approx(near(*x), abs=0.02)


def test_random_fourier_features_train_their_scale():
    layer = RandomFourierFeatures(3, trainable=True, name="f")
    layer(np.ones((2, 4), "float32"))
    assert [w.name for w in layer.trainable_weights] == ["kernel_scale"]


@pytest.mark.parametrize("arguments", [{"output_dim": 0}, {"output_dim": 2, "kernel_initializer": "cubic"},
                                       {"output_dim": 2, "scale": 0}])  # fmt: skip
def test_random_fourier_features_refuse(arguments):
    with pytest.raises(ValueError, match=r"RandomFourierFeatures 'f': expected.*Received"):
        RandomFourierFeatures(name="f", **arguments)
    with pytest.raises(ValueError, match="ndim=2"):
        RandomFourierFeatures(2, name="f")(np.ones((2, 3, 4)))

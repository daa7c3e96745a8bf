"""Every layer against the real Keras 3: properties over the rows of ``cases/layers.py``."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from cases import array, assert_close, assert_covered, counting, public_classes, same_config
from cases.layers import CASES, NO_CASE, NOT_IN_CONFIG, counted, one_or_list

import kshim


def over(holds=lambda case: True):
    """Parametrize a test over the rows for which ``holds`` is true."""
    return pytest.mark.parametrize("case", [case for case in CASES if holds(case)], ids=lambda case: case.name)


every = over()
with_weights = over(lambda case: case.weights)
batches = over(lambda case: case.shapes[0][1:])
single = over(lambda case: len(case.shapes) == 1 and case.shapes[0][1:])
sequences = over(lambda case: all(len(shape) >= 3 for shape in case.shapes))
# lambda_output_shape says in Keras, too, something about axis 1.
with_axes = over(lambda case: len(case.shapes) == 1 and len(case.shapes[0]) > 2 and case.name != "lambda_output_shape")


def shapes_of(case):
    return [(None, *shape[1:]) for shape in case.shapes]


def built(k, case, **more):
    """The row's layer of ``k``, built, with counting weights."""
    layer = case.make(k, **more)
    layer.build(one_or_list([tuple(s) for s in case.shapes]))
    layer.set_weights(counted(layer.get_weights()))
    return layer


def tensors(case, dtype="float32", grad=False):
    return [torch.tensor(x, requires_grad=grad) for x in case.arrays(dtype)]


def test_every_layer_has_a_row():
    public = public_classes(kshim.layers, kshim.layers.Layer)
    assert_covered(public, {type(case.make(kshim)).__name__ for case in CASES}, NO_CASE)


# ---------- numbers


@every
def test_output_and_gradients_are_keras(case, keras3):
    found = []
    for k in (kshim, keras3):
        layer, inputs = built(k, case), tensors(case, grad=True)
        outputs = layer(one_or_list(inputs))
        cotangent = torch.tensor(counting(tuple(outputs.shape))) + 1
        weights = [w for w in layer.trainable_weights]
        leaves = inputs + [getattr(w, "value", w) for w in weights]
        gradients = torch.autograd.grad((outputs * cotangent).sum(), leaves, allow_unused=True)
        found.append((outputs, gradients))
    assert_close(found[0][0], found[1][0])
    for got, expected in zip(found[0][1], found[1][1], strict=True):
        assert_close(got, expected)


@every
def test_float64(case):
    """All of it in float64 (Keras 3.15 on torch says so, and computes a Dense of float64 in float32)."""
    layer = built(kshim, case, dtype="float64")
    outputs = layer(one_or_list(tensors(case, "float64")))
    assert outputs.dtype == torch.float64 and {w.dtype for w in layer.weights} <= {torch.float64}
    assert_close(outputs, built(kshim, case)(one_or_list(tensors(case))), 1e-6)


def test_float64_is_exact():
    layer = kshim.layers.Dense(4, dtype="float64")
    layer.build((2, 3))
    kernel, bias, x = counting((3, 4), dtype="float64") / 3, counting((4,), dtype="float64") / 7, np.ones((2, 3)) / 11
    layer.set_weights([kernel, bias])
    assert_close(layer(x), x @ kernel + bias, 1e-15)


@every
def test_arrays_and_other_floats_are_taken(case, keras3):
    ours, theirs = (built(k, case)(one_or_list(case.arrays("float64"))) for k in (kshim, keras3))
    assert ours.dtype == theirs.dtype == torch.float32
    assert_close(ours, theirs)


@with_weights
def test_integer_inputs(case, keras3):
    inputs = np.arange(np.prod(case.shapes[0])).reshape(case.shapes[0]) - 3
    ours, theirs = (built(k, case)(inputs.astype("int64")) for k in (kshim, keras3))
    assert_close(ours, theirs)


@every
def test_losses_are_keras(case, keras3):
    ours, theirs = (built(k, case) for k in (kshim, keras3))
    for layer in (ours, theirs):
        layer(one_or_list(tensors(case)))
    assert_close([v.item() for v in ours.losses], [v.item() for v in theirs.losses])


# ---------- shapes


@batches
def test_symbolic_shape_is_keras_and_true(case, keras3):
    symbolic = {}
    for k in (kshim, keras3):
        inputs = [k.Input(shape=shape[1:]) for shape in case.shapes]
        outputs = case.make(k)(one_or_list(inputs))
        symbolic[k] = tuple(outputs.shape), outputs.dtype
    assert symbolic[kshim] == symbolic[keras3]
    actual = tuple(built(kshim, case)(one_or_list(tensors(case))).shape)
    shape = symbolic[kshim][0]
    assert len(actual) == len(shape)
    assert all(s in (None, a) for s, a in zip(shape, actual, strict=True))


@every
def test_compute_output_shape(case, keras3):
    shapes = one_or_list(shapes_of(case))
    assert tuple(case.make(kshim).compute_output_shape(shapes)) == tuple(case.make(keras3).compute_output_shape(shapes))


@with_axes
def test_unknown_axes(case, keras3):
    open_shape = (None, None, *case.shapes[0][2:])
    ours, theirs = (case.make(k)(k.Input(batch_shape=open_shape)).shape for k in (kshim, keras3))
    assert tuple(ours) == tuple(theirs)


# ---------- config


@every
def test_config_is_keras(case, keras3):
    ours, theirs = (case.make(k, name="it").get_config() for k in (kshim, keras3))
    for config in (ours, theirs):
        config.pop("function", None)  # Lambda's function: byte code in Keras, itself here
        if "callable" in case.name:
            config.pop("output_shape")
    theirs = {key: value for key, value in theirs.items() if key not in NOT_IN_CONFIG}
    assert same_config(ours, theirs), f"{ours} is not {theirs}"


@every
def test_config_round_trip(case):
    layer = built(kshim, case)
    config = layer.get_config()
    again = type(layer).from_config(resolved(layer, config))
    assert resolved(again, again.get_config()) == resolved(layer, config)
    again.build(one_or_list(case.shapes))
    again.set_weights(layer.get_weights())
    assert_close(again(one_or_list(tensors(case))), layer(one_or_list(tensors(case))), 0)


def resolved(layer, config):
    """``config`` with a user's function in the place of its name, which only its owner can find."""
    if isinstance(config.get("activation"), dict):
        config = {**config, "activation": layer.activation}
    return config


@every
def test_repr(case):
    layer = case.make(kshim)
    assert repr(layer).startswith(f"<{type(layer).__name__} name={layer.name}")
    assert isinstance(repr(built(kshim, case)), str)


# ---------- weights


@every
def test_weights_are_keras(case, keras3):
    ours, theirs = (built(k, case) for k in (kshim, keras3))
    assert len(ours.get_weights()) == case.weights
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [tuple(w.shape) for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [len(ours.trainable_weights), len(ours.non_trainable_weights)] == [
        len(theirs.trainable_weights),
        len(theirs.non_trainable_weights),
    ]
    assert ours.count_params() == theirs.count_params()
    for got, expected in zip(ours.get_weights(), counted(ours.get_weights()), strict=True):
        np.testing.assert_array_equal(got, expected)


@with_weights
def test_weights_argument(case):
    weights = built(kshim, case).get_weights()
    layer = case.make(kshim, weights=weights)
    assert not layer.built
    layer(one_or_list(tensors(case)))
    for got, expected in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected)


@with_weights
def test_trainable_false_freezes(case):
    layer = built(kshim, case)
    layer.trainable = False
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == case.weights
    assert not layer(one_or_list(tensors(case))).requires_grad
    layer.trainable = True
    assert len(layer.trainable_weights) == case.weights
    frozen = case.make(kshim, trainable=False) if "frozen" not in case.name else case.make(kshim)
    frozen.build(case.shapes[0])
    assert frozen.trainable_weights == []


# ---------- copies


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_are_equal_and_apart(case, copied):
    layer, inputs = built(kshim, case), one_or_list(tensors(case))
    expected = array(layer(inputs)).copy()
    twin = copied(layer)
    assert type(twin) is type(layer) and twin.name == layer.name
    assert_close(twin(inputs), expected, 0)
    for weight in layer.weights:
        weight.data.zero_()
    assert_close(twin(inputs), expected, 0)


@every
def test_copy_before_build(case):
    twin = pickle.loads(pickle.dumps(copy.deepcopy(case.make(kshim))))
    twin(one_or_list(tensors(case)))
    assert len(twin.get_weights()) == case.weights


# ---------- in models


@single
@pytest.mark.parametrize("lazily", [False, True], ids=["with_input", "deferred"])
def test_in_sequential(case, lazily, keras3):
    found = []
    for k in (kshim, keras3):
        layers = [case.make(k)] if lazily else [k.Input(shape=case.shapes[0][1:]), case.make(k)]
        model = k.Sequential(layers)
        inputs = case.arrays()[0]
        if lazily:
            model(torch.tensor(inputs))
        model.set_weights(counted(model.get_weights()))
        found.append((model(torch.tensor(inputs)), model.output_shape[1:], len(model.get_weights())))
    assert_close(found[0][0], found[1][0])
    assert found[0][1:] == found[1][1:]


@batches
def test_in_a_functional_model(case, keras3):
    found = []
    for k in (kshim, keras3):
        inputs = [k.Input(shape=shape[1:]) for shape in case.shapes]
        doubled = [x * 2 for x in inputs]
        model = k.Model(one_or_list(inputs), case.make(k)(one_or_list(doubled)) + 1)
        model.set_weights(counted(model.get_weights()))
        found.append((model(one_or_list(tensors(case))), tuple(model.output_shape)))
    assert_close(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]


@batches
def test_lowered_is_whole(case):
    """The straight line that a model runs gives what the layers' own ``__call__`` give."""
    inputs = [kshim.Input(shape=shape[1:]) for shape in case.shapes]
    model = kshim.Model(one_or_list(inputs), case.make(kshim)(one_or_list(inputs)))
    arrays = tensors(case)
    lowered, whole = model._function.run(*arrays), model._function.run_whole(*arrays)
    for got, expected in zip(lowered, whole, strict=True):
        assert_close(got, expected, 0)


@single
def test_shape_arguments(case, keras3):
    """A first layer may tell the shape of the input."""
    shape = case.shapes[0][1:]
    for given in ({"input_shape": shape}, {"batch_shape": (None, *shape)}, {"input_shape": shape, "batch_size": 2}):
        model = kshim.Sequential([case.make(kshim, **given)])
        assert model.built and model.input_shape == (given.get("batch_size"), *shape)
        assert len(model.get_weights()) == case.weights
    if len(shape) == 1:
        assert kshim.Sequential([case.make(kshim, input_dim=shape[0])]).input_shape == (None, *shape)
        assert kshim.Sequential([case.make(kshim, input_shape=shape[0])]).input_shape == (None, *shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 3 would rather have an Input
        theirs = keras3.Sequential([case.make(keras3, input_shape=shape)])
    ours = kshim.Sequential([case.make(kshim, input_shape=shape)])
    assert ours.output_shape == theirs.output_shape


# ---------- masks


@sequences
def test_mask_out_is_keras(case, keras3):
    """What becomes of a mask on the input: computed, passed on or stopped."""
    found = []
    for k in (kshim, keras3):
        inputs = tensors(case)
        for i, x in enumerate(inputs):
            x._keras_mask = torch.tensor(np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2]) % (i + 2) > 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras 3 tells when a layer stops a mask
            outputs = built(k, case)(one_or_list(inputs))
        found.append(getattr(outputs, "_keras_mask", None))
    assert (found[0] is None) == (found[1] is None)
    if found[0] is not None:
        np.testing.assert_array_equal(array(found[0]), array(found[1]))


@every
def test_mask_without_one_on_the_input(case, keras3):
    ours, theirs = (getattr(built(k, case)(one_or_list(tensors(case))), "_keras_mask", None) for k in (kshim, keras3))
    assert (ours is None) == (theirs is None) == ("masking" not in case.name)
    if ours is not None:
        np.testing.assert_array_equal(array(ours), array(theirs))


@over(lambda case: [len(shape) for shape in case.shapes] == [3])
def test_masks_inside_a_model_are_keras(case, keras3):
    found = []
    for k in (kshim, keras3):
        inputs = k.Input(shape=case.shapes[0][1:])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = k.Model(inputs, case.make(k)(k.layers.Masking()(inputs)))
            model.set_weights(counted(model.get_weights()))
            arrays = torch.tensor(case.arrays()[0])
            arrays[0, 1] = 0
            outputs = model(arrays)
        found.append((outputs, getattr(outputs, "_keras_mask", None)))
    assert_close(found[0][0], found[1][0])
    assert (found[0][1] is None) == (found[1][1] is None)
    if found[0][1] is not None:
        np.testing.assert_array_equal(array(found[0][1]), array(found[1][1]))


# ---------- what a row cannot say


def test_dropout_while_training():
    x = torch.ones(100, 100)
    outputs = kshim.layers.Dropout(0.25)(x, training=True)
    assert set(outputs.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs((outputs == 0).float().mean() - 0.25) < 0.02
    assert kshim.layers.Dropout(0.25)(x, training=False) is x
    assert kshim.layers.Dropout(0.25)(x) is x
    assert not kshim.layers.Dropout(1.0)(x, training=True).any()


def test_dropout_noise_shape():
    outputs = kshim.layers.Dropout(0.5, noise_shape=(None, 1, 7))(torch.ones(20, 5, 7), training=True)
    assert (outputs == outputs[:, :1]).all() and 0 < (outputs == 0).float().mean() < 1


def test_dropout_seed():
    first, second, other = (kshim.layers.Dropout(0.5, seed=seed) for seed in (3, 3, 4))
    x = torch.ones(10, 10)
    one, two = first(x, training=True), first(x, training=True)
    assert torch.equal(one, second(x, training=True)) and torch.equal(two, second(x, training=True))
    assert not torch.equal(one, two) and not torch.equal(one, other(x, training=True))


def test_dropout_of_a_copy_goes_on_alone():
    layer = kshim.layers.Dropout(0.5, seed=3)
    x = torch.ones(10, 10)
    one = layer(x, training=True)
    assert torch.equal(copy.deepcopy(layer)(x, training=True), one)


def test_lambda_takes_mask_and_training():
    heard = []

    def function(x, mask=None, training=None):
        heard.append((mask is not None, training))
        return x

    layer = kshim.layers.Lambda(function)
    x = torch.ones(2, 3, 4)
    layer(x)
    x._keras_mask = torch.ones(2, 3, dtype=torch.bool)
    layer(x, training=True)
    assert heard == [(False, False), (True, True)]


def test_lambda_mask():
    x = torch.ones(2, 3, 4)
    x._keras_mask = torch.tensor([[True, False, True]] * 2)
    flipped = kshim.layers.Lambda(lambda x: x + 1, mask=lambda inputs, mask: ~mask)(x)
    assert torch.equal(flipped._keras_mask, ~x._keras_mask)


def test_functions_of_merges():
    a, b = torch.ones(2, 3), torch.full((2, 3), 2.0)
    assert torch.equal(kshim.layers.add([a, b]), a + b)
    assert kshim.layers.concatenate([a, b]).shape == (2, 6)
    assert kshim.layers.concatenate([a, b], axis=0).shape == (4, 3)


@pytest.mark.parametrize("given", [{"shape": (3,)}, {"shape": (3, None)}, {"batch_shape": (4, 3)}, {"shape": ()},
                                   {"shape": (3,), "batch_size": 5}, {"shape": (2,), "dtype": "int32"},
                                   {"shape": (2,), "name": "given"}])  # fmt: skip
def test_input_layer(given, keras3):
    given = {"name": "it", **given}
    ours, theirs = (k.layers.InputLayer(**given) for k in (kshim, keras3))
    assert ours.get_config() == theirs.get_config()
    assert kshim.layers.InputLayer.from_config(ours.get_config()).get_config() == ours.get_config()
    assert tuple(ours.output.shape) == tuple(theirs.output.shape) and ours.output.dtype == theirs.output.dtype
    assert ours.output.name == theirs.output.name == kshim.Input(**given).name
    assert ours.get_weights() == [] and ours.built
    twin = pickle.loads(pickle.dumps(ours))
    assert twin.get_config() == ours.get_config() and twin.output.shape == ours.output.shape


def test_regularized_kernel_is_a_loss_each_time():
    layer = kshim.layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")
    x = torch.ones(3, 2)
    layer(x), layer(x)
    assert len(layer.losses) == 2  # not one more for each call


def test_weight_of_the_dense_trains_in_torch():
    layer = kshim.layers.Dense(2)
    optimizer = torch.optim.SGD(kshim.Sequential([kshim.Input((3,)), layer]).parameters(), 0.1)
    before = layer.get_weights()
    layer(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    assert not np.array_equal(before[0], layer.get_weights()[0])

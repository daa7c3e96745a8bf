"""Every layer against the real Keras 3: properties over the rows of ``cases/layers``."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from cases import array, assert_close, assert_covered, counting, public_classes, same_config
from cases.layers import CASES, NO_CASE, NOT_IN_CONFIG, REFUSED
from cases.layers.row import as_tensors, counted, one_or_list

import kshim
from kshim.core import tree


def over(holds=lambda case: True):
    """Run a test over the rows for which ``holds`` is true, but for those that name it under ``skip``."""

    def decorate(test):
        rows = [case for case in CASES if holds(case) and test.__name__ not in case.skip]
        return pytest.mark.parametrize("case", rows, ids=lambda case: case.name)(test)

    return decorate


def floats_only(case):
    return case.inputs is None or all(x.dtype.kind == "f" for x in case.inputs())


every = over()
with_weights = over(lambda case: case.weights)
batches = over(lambda case: case.shapes[0][1:])
single = over(lambda case: len(case.shapes) == 1 and case.shapes[0][1:])
float_inputs = over(floats_only)
sequences = over(lambda case: all(len(shape) >= 3 for shape in case.shapes) and floats_only(case))
with_axes = over(lambda case: len(case.shapes) == 1 and len(case.shapes[0]) > 2)
# One row of each class: for what does not depend on the options.
firsts = {type(case.make(kshim)): case.name for case in reversed(CASES)}
one_of_each = over(lambda case: case.name in firsts.values())


def shapes_of(case):
    return [(None, *shape[1:]) for shape in case.shapes]


def built(k, case, **more):
    """The row's layer of ``k``, built, with counting weights."""
    layer = case.make(k, **more)
    layer.build(one_or_list([tuple(s) for s in case.shapes]))
    layer.set_weights(counted(layer))
    return layer


def tensors(case, dtype="float32", grad=False):
    return as_tensors(case.arrays(dtype), grad)


def called(case, layer, inputs):
    """``layer`` called on the list ``inputs`` as the row says; the outputs as a flat list."""
    options = {k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in case.call.items()}
    return flat(layer(one_or_list(inputs), **options))


def flat(outputs):
    """The leaves of a structure of tensors (or symbolic tensors, or shapes)."""
    return tree.flatten(outputs)


def entries(k, case):
    """An Input for each input of the row, of its dtype."""
    kinds = [{"f": None, "U": "string", "O": "string"}.get(x.dtype.kind, x.dtype.name) for x in case.arrays()]
    return [k.Input(shape=s[1:], dtype=kind) for s, kind in zip(case.shapes, kinds, strict=True)]


def assert_all_close(case, got, expected, rel=None):
    """``assert_close`` for each pair; a row that draws at random agrees in shape and dtype alone."""
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        if case.random:
            assert array(mine).shape == array(theirs).shape and array(mine).dtype == array(theirs).dtype
        else:
            assert_close(mine, theirs, case.rel if rel is None else rel)


def test_every_layer_has_a_row():
    public = public_classes(kshim.layers, kshim.layers.Layer)
    assert_covered(public, {type(case.make(kshim)).__name__ for case in CASES}, NO_CASE)


# ---------- numbers


@every
def test_output_and_gradients_are_keras(case, keras3):
    found = []
    for k in (kshim, keras3):
        layer, inputs = built(k, case), tensors(case, grad=case.gradient)
        outputs = called(case, layer, inputs)
        if not case.gradient:
            found.append((outputs, [], layer.get_weights()))
            continue
        total = sum((x * (torch.tensor(counting(tuple(x.shape))) + 1)).sum() for x in outputs if x.is_floating_point())
        weights = [getattr(w, "value", w) for w in layer.trainable_weights]
        leaves = [x for x in inputs if x.requires_grad] + weights
        gradients = torch.autograd.grad(total, leaves, allow_unused=True) if leaves else []
        # A leaf that nothing depends on has no gradient in one and zeros in the other.
        gradients = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, gradients, strict=True)]
        found.append((outputs, gradients, layer.get_weights()))
    for got, expected in zip(*found, strict=True):  # outputs, gradients, weights that the call moved
        assert_all_close(case, got, expected)


@every
def test_float64(case):
    """All of it in float64 (Keras 3.15 on torch says so, and computes a Dense of float64 in float32)."""
    layer = built(kshim, case, dtype="float64")
    outputs = called(case, layer, tensors(case, "float64"))
    assert {x.dtype for x in outputs if x.is_floating_point()} <= {torch.float64}
    assert {w.dtype for w in layer.weights if w.is_floating_point()} <= {torch.float64}
    singles = called(case, built(kshim, case), tensors(case))
    assert_all_close(case, [x.float() for x in outputs], [x.float() for x in singles], max(case.rel, 1e-5))


def test_float64_is_exact():
    layer = kshim.layers.Dense(4, dtype="float64")
    layer.build((2, 3))
    kernel, bias, x = counting((3, 4), dtype="float64") / 3, counting((4,), dtype="float64") / 7, np.ones((2, 3)) / 11
    layer.set_weights([kernel, bias])
    assert_close(layer(x), x @ kernel + bias, 1e-15)


@float_inputs
@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_bfloat16"])
def test_half_precision(case, policy):
    layer = built(kshim, case, dtype=policy)
    outputs = called(case, layer, tensors(case))
    singles = called(case, built(kshim, case), tensors(case))
    kinds = {x.dtype for x in outputs if x.is_floating_point()}
    assert kinds <= {getattr(torch, policy.removeprefix("mixed_"))}
    assert_all_close(case, [x.float() for x in outputs], [x.float() for x in singles], 4e-2)


@float_inputs
def test_arrays_and_other_floats_are_taken(case, keras3):
    ours, theirs = (called(case, built(k, case), case.arrays("float64")) for k in (kshim, keras3))
    assert [x.dtype for x in ours] == [x.dtype for x in theirs]
    assert_all_close(case, ours, theirs)


@over(lambda case: case.weights and len(case.shapes) == 1 and floats_only(case))
def test_integer_inputs(case, keras3):
    inputs = np.arange(np.prod(case.shapes[0])).reshape(case.shapes[0]) % 7 - 3
    ours, theirs = (called(case, built(k, case), [inputs.astype("int64")]) for k in (kshim, keras3))
    assert_all_close(case, ours, theirs)


@batches
def test_empty_batch(case):
    full = called(case, built(kshim, case), tensors(case))
    empty = called(case, built(kshim, case), as_tensors([x[:0] for x in case.arrays()]))
    assert [tuple(x.shape[1:]) for x in empty] == [tuple(x.shape[1:]) for x in full]
    assert all(x.shape[0] == 0 for x in empty)


@every
def test_losses_are_keras(case, keras3):
    ours, theirs = (built(k, case) for k in (kshim, keras3))
    for layer in (ours, theirs):
        called(case, layer, tensors(case))
    assert_close([v.item() for v in ours.losses], [v.item() for v in theirs.losses])


@one_of_each
def test_torch_compile(case):
    """The layer as torch.compile traces it (no code is generated: the trace is what is tested)."""
    layer, inputs = built(kshim, case), tensors(case)
    expected = called(case, layer, inputs)
    torch._dynamo.reset()
    compiled = torch.compile(built(kshim, case), backend="eager", fullgraph=True)
    assert_all_close(case, called(case, compiled, inputs), expected)


# ---------- shapes


@batches
def test_symbolic_shape_is_keras_and_true(case, keras3):
    symbolic = {}
    for k in (kshim, keras3):
        outputs = flat(case.make(k)(one_or_list(entries(k, case)), **case.call))
        symbolic[k] = [(tuple(x.shape), x.dtype) for x in outputs]
    assert symbolic[kshim] == symbolic[keras3]
    actual = called(case, built(kshim, case), tensors(case))
    for (shape, _), x in zip(symbolic[kshim], actual, strict=True):
        assert len(x.shape) == len(shape)
        assert all(s in (None, a) for s, a in zip(shape, x.shape, strict=True))


@every
def test_compute_output_shape(case, keras3):
    shapes = one_or_list(shapes_of(case))
    ours, theirs = (flat(case.make(k).compute_output_shape(shapes)) for k in (kshim, keras3))
    assert ours == theirs


@with_axes
def test_unknown_axes(case, keras3):
    open_shape = (None, None, *case.shapes[0][2:])
    ours, theirs = (flat(case.make(k)(k.Input(batch_shape=open_shape))) for k in (kshim, keras3))
    assert [tuple(x.shape) for x in ours] == [tuple(x.shape) for x in theirs]


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
    assert_all_close(case, called(case, again, tensors(case)), called(case, layer, tensors(case)), 0)


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
    for got, expected in zip(ours.get_weights(), counted(ours), strict=True):
        np.testing.assert_array_equal(got, expected)


@with_weights
def test_weights_argument(case):
    weights = built(kshim, case).get_weights()
    layer = case.make(kshim, weights=weights)
    assert not layer.built
    layer.build(one_or_list(case.shapes))
    for got, expected in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected)


@with_weights
def test_trainable_false_freezes(case):
    layer = built(kshim, case)
    trained = len(layer.trainable_weights) if "frozen" not in case.name else case.weights
    layer.trainable = False
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == case.weights
    assert not any(x.requires_grad for x in called(case, layer, tensors(case)))
    layer.trainable = True
    assert len(layer.trainable_weights) == trained
    frozen = case.make(kshim, trainable=False) if "frozen" not in case.name else case.make(kshim)
    frozen.build(one_or_list(case.shapes))
    assert frozen.trainable_weights == []


# ---------- copies


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_are_equal_and_apart(case, copied):
    layer, inputs = built(kshim, case), tensors(case)
    twin, third = copied(layer), copied(layer)
    expected = [array(x).copy() for x in called(case, layer, inputs)]
    assert type(twin) is type(layer) and twin.name == layer.name
    assert_all_close(case, called(case, twin, inputs), expected, 0)
    for weight in layer.weights:
        weight.data.zero_()
    assert_all_close(case, called(case, third, inputs), expected, 0)


@every
def test_copy_before_build(case):
    twin = pickle.loads(pickle.dumps(copy.deepcopy(case.make(kshim))))
    called(case, twin, tensors(case))
    assert len(twin.get_weights()) == case.weights


# ---------- in models


@single
@pytest.mark.parametrize("lazily", [False, True], ids=["with_input", "deferred"])
def test_in_sequential(case, lazily, keras3):
    found = []
    for k in (kshim, keras3):
        layers = [case.make(k)] if lazily else [*entries(k, case), case.make(k)]
        model = k.Sequential(layers)
        inputs = tensors(case)[0]
        if lazily:
            model(inputs)
        model.set_weights(counted(model))
        options = {name: value for name, value in case.call.items() if name == "training"}
        shapes = [tuple(s)[1:] for s in flat_shapes(model.output_shape)]
        found.append((flat(model(inputs, **options)), shapes, len(model.get_weights())))
    if set(case.call) <= {"training"}:
        assert_all_close(case, found[0][0], found[1][0])
    assert found[0][1:] == found[1][1:]


def flat_shapes(shapes):
    """A list of shapes, from one shape or a list of them."""
    return [shapes] if not shapes or not isinstance(shapes[0], (tuple, list)) else list(shapes)


def in_a_model(k, case, change=lambda x: x):
    """A functional model of the row's layer alone; ``change`` is applied to floating point inputs."""
    inputs = entries(k, case)
    changed = [change(x) if "float" in x.dtype else x for x in inputs]
    options = {name: value for name, value in case.call.items() if name != "training"}
    return k.Model(one_or_list(inputs), case.make(k)(one_or_list(changed), **options))


def training_of(case):
    return {name: value for name, value in case.call.items() if name == "training"}


@batches
def test_in_a_functional_model(case, keras3):
    found = []
    for k in (kshim, keras3):
        model = in_a_model(k, case, lambda x: x * 2)
        model.set_weights(counted(model))
        found.append((flat(model(one_or_list(tensors(case)), **training_of(case))), flat_shapes(model.output_shape)))
    assert_all_close(case, found[0][0], found[1][0])
    assert [tuple(s) for s in found[0][1]] == [tuple(s) for s in found[1][1]]


@batches
def test_lowered_is_whole(case):
    """The straight line that a model runs gives what the layers' own ``__call__`` give."""
    model = in_a_model(kshim, case)
    twin = copy.deepcopy(model)  # whatever a run draws or counts, the other begins at the same place
    model.train(case.call.get("training", False))
    twin.train(case.call.get("training", False))
    torch.manual_seed(0)
    lowered = model._function.run(*tensors(case))
    torch.manual_seed(0)
    whole = twin._function.run_whole(*tensors(case))
    assert_all_close(case, flat(lowered), flat(whole), 0)


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


# ---------- files


@over(lambda case: case.shapes[0][1:] and case.name in firsts.values())
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weight_files_both_ways(case, suffix, keras3, tmp_path):
    """What one of them writes, the other reads: Keras 3's layout, and that of Keras 1 and 2."""
    models = [in_a_model(k, case) for k in (kshim, keras3)]
    models[0].set_weights(counted(models[0]))
    models[0].save_weights(tmp_path / f"ours{suffix}")
    models[1].load_weights(tmp_path / f"ours{suffix}")
    for got, expected in zip(models[1].get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)
    models[1].set_weights([w + 1 if w.dtype.kind == "f" else w for w in models[1].get_weights()])
    save(models[1], tmp_path / f"theirs{suffix}")
    models[0].load_weights(tmp_path / f"theirs{suffix}")
    for got, expected in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def save(model, path):
    """Keras 3 writes Keras 2's layout with whole models only."""
    model.save_weights(path) if str(path).endswith(".weights.h5") else model.save(path)


# ---------- masks


def masks_out(outputs):
    """The mask on each of the outputs."""
    return [getattr(x, "_keras_mask", None) for x in outputs]


def assert_same_masks(got, expected):
    assert [m is None for m in got] == [m is None for m in expected]
    for mine, theirs in zip(got, expected, strict=True):
        if mine is not None:
            np.testing.assert_array_equal(array(mine), array(theirs))


@sequences
def test_masks_are_keras(case, keras3):
    """What a mask on the input does to the values, and what becomes of it: computed, passed on or stopped."""
    found = []
    for k in (kshim, keras3):
        inputs = tensors(case)
        for i, x in enumerate(inputs):
            x._keras_mask = torch.tensor(np.arange(x.shape[0] * x.shape[1]).reshape(x.shape[:2]) % (i + 2) > 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras 3 tells when a layer stops a mask
            found.append(called(case, built(k, case), inputs))
    assert_all_close(case, *found)
    assert_same_masks(masks_out(found[0]), masks_out(found[1]))


@every
def test_mask_without_one_on_the_input(case, keras3):
    ours, theirs = (called(case, built(k, case), tensors(case)) for k in (kshim, keras3))
    assert_same_masks(masks_out(ours), masks_out(theirs))


@over(lambda case: [len(shape) for shape in case.shapes] == [3] and floats_only(case))
def test_masks_inside_a_model_are_keras(case, keras3):
    found = []
    for k in (kshim, keras3):
        inputs = k.Input(shape=case.shapes[0][1:])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = k.Model(inputs, case.make(k)(k.layers.Masking()(inputs)))
            model.set_weights(counted(model))
            arrays = torch.tensor(case.arrays()[0])
            arrays[0, 1] = 0
            found.append(flat(model(arrays, **training_of(case))))
    if set(case.call) <= {"training"}:
        assert_all_close(case, *found)
    assert_same_masks(masks_out(found[0]), masks_out(found[1]))


# ---------- refusals


refused = pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)


@refused
def test_refusal_names_the_layer_and_the_way_out(row):
    with pytest.raises(row.error, match=row.match) as caught:
        row.call(kshim)
    assert "Received" in str(caught.value)


@refused
@pytest.mark.filterwarnings("ignore")  # Keras 3 may warn before it refuses
def test_refusal_is_of_keras_class(row, keras3):
    assert (row.keras == "the same") == (row.why == ""), "another class needs a reason"
    if row.keras is None:
        row.call(keras3)
        return
    with pytest.raises(row.error if row.keras == "the same" else row.keras):
        row.call(keras3)


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
    layer(x, training=True)
    twin = copy.deepcopy(layer)
    two = twin(x, training=True)
    assert torch.equal(layer(x, training=True), two)  # it draws the next of the row, which the copy has not moved


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

"""What ``x`` and ``y`` may be: arrays and tensors of every dtype and layout, by position and by name."""

import numpy as np
import pytest
import torch

import kshim
from kshim.training.data import arrays

RNG = np.random.default_rng(11)
COUNTS = RNG.integers(0, 2, (21, 4))  # numbers that every dtype holds
REAL = RNG.normal(size=(21, 4)).astype("float32")
TARGETS = RNG.normal(size=(21, 2)).astype("float32")
LABELS = RNG.integers(0, 3, 21)
WEIGHTS = [RNG.normal(size=(4, 2)).astype("float32"), RNG.normal(size=2).astype("float32")]
CLASS_WEIGHTS = [RNG.normal(size=(4, 3)).astype("float32"), np.zeros(3, "float32")]


def regressor(keras, loss="mse"):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.set_weights(WEIGHTS)
    model.compile("sgd", loss)
    return model


def trained(x, y, keras=kshim, loss="mse", **fit):
    """Everything that training on ``x`` and ``y`` gives: losses, evaluation, prediction, weights; one flat array."""
    model = regressor(keras, loss)
    np.random.seed(1)
    given = {"batch_size": 4, "epochs": 2, "verbose": 0, "shuffle": False, **fit}
    numbers = [
        model.fit(x, y, **given).history["loss"],
        model.evaluate(x, y, verbose=0, batch_size=5, sample_weight=fit.get("sample_weight")),
        model.predict(x, verbose=0, batch_size=5),
        *model.get_weights(),
    ]
    return np.concatenate([np.ravel(n) for n in numbers])


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def subclass(array):
    class Own(np.ndarray):
        pass

    return array.view(Own)


class Holder:
    """An object that numpy can make an array of."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "reversed columns": lambda a: a[:, ::-1].copy()[:, ::-1],
    "every second row": lambda a: np.repeat(a, 2, 0)[::2],
    "a slice of columns": lambda a: np.hstack([a, a])[:, : a.shape[1]],
    "broadcast": lambda a: np.broadcast_to(a[None], (2, *a.shape))[1],
    "big-endian": lambda a: a.astype(">f4"),
    "subclass": subclass,
    "lists": lambda a: a.tolist(),
    "tuples": lambda a: tuple(map(tuple, a.tolist())),
    "a list of arrays, rows": lambda a: np.array(list(a)),
    "objects that are numbers": lambda a: a.astype(object),
    "anything with __array__": Holder,
    "tensor": torch.tensor,
    "transposed tensor": lambda a: torch.tensor(a.T.copy()).T,
    "tensor with gradient": lambda a: torch.tensor(a, requires_grad=True),
    "Variable": lambda a: kshim.layers.Layer().add_weight(a.shape).assign(a),
}


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name, shuffle):
    got = trained(LAYOUTS[name](REAL), LAYOUTS[name](TARGETS), shuffle=shuffle)
    np.testing.assert_allclose(got, trained(REAL, TARGETS, shuffle=shuffle), rtol=1e-5, atol=1e-6)


DTYPES = ["float16", "float32", "float64", "longdouble", "int8", "int16", "int32", "int64", "uint8", "uint16",
          "uint32", "uint64", "bool"]  # fmt: skip


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_dtypes(dtype, shuffle):
    counts = COUNTS.astype("float32")
    expected = trained(counts, counts[:, :2], shuffle=shuffle)
    got = trained(counts.astype(dtype), counts[:, :2].astype(dtype), shuffle=shuffle)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    weights = COUNTS.sum(1)
    got = trained(REAL, TARGETS, sample_weight=weights.astype(dtype))
    weights = weights.astype(dtype).astype("float32")
    np.testing.assert_allclose(got, trained(REAL, TARGETS, sample_weight=weights), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.uint8, torch.bool])
def test_torch_dtypes(dtype):
    counts = torch.tensor(COUNTS)
    expected = trained(counts.float(), counts[:, :2].float())
    np.testing.assert_allclose(trained(counts.to(dtype), counts[:, :2].to(dtype)), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32", "uint8", "bool"])
def test_dtypes_as_in_keras(dtype, keras3):
    x, y = COUNTS.astype(dtype), COUNTS[:, :2].astype(dtype)
    np.testing.assert_allclose(trained(x, y), trained(x, y, keras3), rtol=1e-5, atol=1e-6)


def test_predictions_are_of_the_float_type():
    for x in (COUNTS, REAL.astype("float64"), REAL.astype("float16"), torch.tensor(COUNTS), REAL.tolist()):
        assert regressor(kshim).predict(x, verbose=0).dtype == np.float32
        assert regressor(kshim).predict_on_batch(x).dtype == np.float32


def test_doubles_stay_doubles_where_they_are_the_float_type():
    kshim.backend.set_floatx("float64")
    try:
        model = regressor(kshim)
        x, y = REAL.astype("float64"), COUNTS[:, :2]
        assert model.predict(x, verbose=0).dtype == np.float64
        kernel, bias = (w.astype("float64") for w in WEIGHTS)
        error = ((x @ kernel + bias - y) ** 2).mean()
        assert model.evaluate(x, y, verbose=0) == pytest.approx(float(error), rel=1e-13)
        assert model.fit(x, y, batch_size=30, verbose=0).history["loss"] == pytest.approx([float(error)], rel=1e-13)
    finally:
        kshim.backend.set_floatx("float32")


# -- axes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x_axes", [1, 2])
@pytest.mark.parametrize("y_axes", [1, 2])
@pytest.mark.parametrize("loss", ["mse", "mae", "binary_crossentropy"])
def test_one_axis_or_two(x_axes, y_axes, loss, keras3):
    x, y = REAL[:, :1], (TARGETS[:, :1] > 0).astype("float32")
    x, y = (x[:, 0] if x_axes == 1 else x), (y[:, 0] if y_axes == 1 else y)
    results = []
    for keras in (kshim, keras3):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
        model.set_weights([np.array([[0.5]]), np.array([0.1])])
        model.compile("sgd", loss, metrics=["accuracy"])
        history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        outputs = model.predict(x, verbose=0)
        assert outputs.shape == (21, 1)
        results.append([*history["loss"], *history["accuracy"], *model.evaluate(x, y, verbose=0), *outputs[:, 0]])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)


def test_batches_larger_than_the_data_and_uneven_ones(keras3):
    for batch_size in (1, 4, 20, 21, 22, 1000):
        got = trained(REAL, TARGETS, batch_size=batch_size)
        np.testing.assert_allclose(got, trained(REAL, TARGETS, keras3, batch_size=batch_size), rtol=1e-5, atol=1e-6)
        model = regressor(kshim)
        seen = []
        model.layers[0].register_forward_pre_hook(lambda module, args, seen=seen: seen.append(len(args[0])))
        outputs = model.predict(REAL, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(outputs, REAL @ WEIGHTS[0] + WEIGHTS[1], rtol=1e-5, atol=1e-6)
        whole, rest = divmod(21, batch_size)
        assert seen == [batch_size] * whole + [rest] * (rest > 0)


def test_one_row():
    model = regressor(kshim)
    assert model.predict(REAL[:1], verbose=0).shape == (1, 2)
    assert len(model.fit(REAL[:1], TARGETS[:1], verbose=0, epochs=2).history["loss"]) == 2
    assert isinstance(model.train_on_batch(REAL[:1], TARGETS[:1]), float)


def test_the_default_batch_size_follows_the_steps(keras3):
    # With steps and no batch_size, the data are cut into so many batches.
    def run(keras):
        model = regressor(keras)
        sizes = []
        steps = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: sizes.append(batch))
        history = model.fit(REAL, TARGETS, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0, callbacks=[steps])
        return [history.history["loss"], model.evaluate(REAL, TARGETS, steps=5, verbose=0), sizes, history.params]

    mine, theirs = run(kshim), run(keras3)
    np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-5)
    assert mine[1] == pytest.approx(theirs[1], rel=1e-5)
    assert mine[2:] == theirs[2:]


# -- several inputs and outputs ------------------------------------------------------------------------------------


def joined(keras):
    """Inputs ``second`` and ``first``, not in the order of the alphabet; outputs ``two`` and ``one``."""
    second, first = keras.Input((4,), name="second"), keras.Input((2,), name="first")
    both = keras.layers.Concatenate()([second, first])
    two = keras.layers.Dense(2, name="two", kernel_initializer="ones")(both)
    one = keras.layers.Dense(1, name="one", kernel_initializer="ones")(first)
    model = keras.Model([second, first], [two, one])
    model.compile("sgd", loss={"one": "mae", "two": "mse"})
    return model


A, B = REAL, TARGETS
TWO, ONE = REAL[:, :2], REAL[:, 2:3]
INPUTS = {
    "list": [A, B],
    "tuple": (A, B),
    "dict": {"second": A, "first": B},
    "dict, other order": {"first": B, "second": A},
    "tensors": [torch.tensor(A), torch.tensor(B)],
    "lists of lists": {"first": B.tolist(), "second": A.tolist()},
    "mixed": [A.astype("float64"), torch.tensor(B)],
}
OUTPUTS = {
    "list": [TWO, ONE],
    "tuple": (TWO, ONE),
    "dict": {"two": TWO, "one": ONE},
    "dict, other order": {"one": ONE, "two": TWO},
    "tensors": [torch.tensor(TWO), torch.tensor(ONE)],
    "one axis": {"two": TWO, "one": ONE[:, 0]},
}


def run_joined(model, x, y):
    history = model.fit(x, y, batch_size=4, shuffle=False, verbose=0, validation_split=0.3).history
    numbers = [history["loss"], history["val_one_loss"], model.evaluate(x, y, verbose=0), model.train_on_batch(x, y)]
    numbers += [*model.predict(x, verbose=0, batch_size=4), *model.predict_on_batch(x)]
    return np.concatenate([np.ravel(n) for n in numbers])


@pytest.mark.parametrize("x", INPUTS)
@pytest.mark.parametrize("y", OUTPUTS)
def test_inputs_and_outputs_by_position_and_name(x, y):
    np.testing.assert_allclose(
        run_joined(joined(kshim), INPUTS[x], OUTPUTS[y]), run_joined(joined(kshim), [A, B], [TWO, ONE]), rtol=1e-6
    )


def test_inputs_and_outputs_are_keras(keras3):
    for x, y in (("list", "list"), ("dict", "dict")):
        got = run_joined(joined(kshim), INPUTS[x], OUTPUTS[y])
        np.testing.assert_allclose(got, run_joined(joined(keras3), INPUTS[x], OUTPUTS[y]), rtol=1e-5, atol=1e-6)


def test_models_of_dicts():
    inputs = {"b": kshim.Input((2,), name="b"), "a": kshim.Input((4,), name="a")}
    outputs = {"sum": kshim.layers.Dense(1)(inputs["a"]), "copy": kshim.layers.Dense(2)(inputs["b"])}
    model = kshim.Model(inputs, outputs)
    model.compile("sgd", loss={"sum": "mse", "copy": "mae"}, metrics={"copy": ["mse"]})
    x, y = {"a": A, "b": B}, {"copy": TWO, "sum": ONE}
    history = model.fit(x, y, verbose=0).history
    assert list(history) == ["copy_loss", "copy_mse", "loss", "sum_loss"]
    found = model.predict({"b": B, "a": A}, verbose=0)
    assert {name: value.shape for name, value in found.items()} == {"sum": (21, 1), "copy": (21, 2)}
    np.testing.assert_allclose(found["sum"], A @ model.get_weights()[0] if found["sum"].ndim == 1 else found["sum"])
    assert model.evaluate(x, y, verbose=0, return_dict=True).keys() == set(history)


def test_shuffled_inputs_outputs_and_weights_stay_together():
    rows = np.arange(50.0, dtype="float32")[:, None]
    seen = []

    def check(y_true, y_pred):
        seen.append((y_true - y_pred).abs().max())
        return y_pred.mean()

    a, b = kshim.Input((1,)), kshim.Input((1,))
    model = kshim.Model([a, b], [a * 1.0, b + 0.0])
    model.compile(kshim.optimizers.SGD(0.0), loss=["mse", "mse"], weighted_metrics=[[check], [check]])
    with pytest.warns(UserWarning, match="does not have any trainable weights"):
        model.fit([rows, rows * 2], [rows, rows * 2], verbose=0)
    values = model.evaluate([rows, rows * 2], [rows, rows * 2], sample_weight=rows[:, 0], verbose=0)
    assert values[:3] == [0, 0, 0]
    assert max(float(s) for s in seen) == 0


@pytest.mark.parametrize("shuffle", [True, "batch", False])
def test_rows_of_all_arrays_stay_together(shuffle):
    rows = torch.arange(50)
    data = arrays.ArrayData({"a": rows, "b": [rows * 2, rows * 3]}, [rows * 4, None], rows * 5, 7, shuffle)
    for _ in range(2):
        count = 0
        for x, y, weight in data.epoch():
            assert torch.equal(x["b"][0], x["a"] * 2)
            assert torch.equal(x["b"][1], x["a"] * 3)
            assert torch.equal(y[0], x["a"] * 4)
            assert y[1] is None
            assert torch.equal(weight, x["a"] * 5)
            count += len(weight)
        assert count == 50


# -- blocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, "batch", False])
@pytest.mark.parametrize("block", [1, 100, 500, 10**9])
def test_big_arrays_are_gathered_in_blocks(block, shuffle, monkeypatch):
    expected = trained(REAL, TARGETS, shuffle=shuffle, sample_weight=REAL[:, 0] ** 2)
    monkeypatch.setattr(arrays, "BLOCK", block)  # bytes; a row has 28
    got = trained(REAL, TARGETS, shuffle=shuffle, sample_weight=REAL[:, 0] ** 2)
    np.testing.assert_array_equal(got, expected)


def test_a_block_is_all_that_is_copied(monkeypatch):
    monkeypatch.setattr(arrays, "BLOCK", 1 << 16)
    gathered = []
    real = torch.Tensor.index_select
    monkeypatch.setattr(
        torch.Tensor, "index_select", lambda self, *args: gathered.append(real(self, *args).nbytes) or real(self, *args)
    )
    x = torch.zeros(4096, 64)
    batches = list(arrays.ArrayData(x, None, None, 32, True).epoch())
    assert len(batches) == 128
    assert max(gathered) <= 1 << 16
    assert sum(gathered) == x.nbytes


# -- integer targets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint16", "float32", "float64", "bool"])
@pytest.mark.parametrize("loss", ["mse", "mae", "binary_crossentropy", "categorical_crossentropy"])
def test_integer_targets_are_numbers_for_losses_of_numbers(loss, dtype):
    def run(y):
        model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(3, activation="softmax")])
        model.set_weights(CLASS_WEIGHTS)
        model.compile("sgd", loss, metrics=["accuracy"])
        return [*model.fit(REAL, y, shuffle=False, verbose=0).history.values(), model.evaluate(REAL, y, verbose=0)]

    one_hot = np.eye(3)[LABELS]
    np.testing.assert_allclose(
        np.concatenate(run(one_hot.astype(dtype))), np.concatenate(run(one_hot.astype("float32"))), rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "int64", "uint16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(21,), (21, 1)])
def test_class_indices_of_every_dtype(shape, dtype):
    def run(y):
        model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(3, activation="softmax")])
        model.set_weights(CLASS_WEIGHTS)
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(REAL, y, shuffle=False, verbose=0, class_weight={1: 2.0}).history
        return [*history.values(), model.evaluate(REAL, y, verbose=0), model.train_on_batch(REAL, y)]

    got = run(LABELS.astype(dtype).reshape(shape))
    np.testing.assert_allclose(np.concatenate(got), np.concatenate(run(LABELS)), rtol=1e-6)


def test_integer_inputs_reach_a_layer_as_the_input_says():
    seen = []

    def note(x):
        seen.append(x.dtype)
        return x.float()

    for dtype, expected in (("int32", torch.int32), ("int64", torch.int64), (None, torch.float32)):
        model = kshim.Sequential([kshim.Input((4,), dtype=dtype), kshim.layers.Lambda(note)])
        seen.clear()
        for x in (COUNTS, COUNTS.astype("float64"), COUNTS.astype("uint8"), torch.tensor(COUNTS)):
            model.predict(x, verbose=0)
            model.predict_on_batch(x)
        assert set(seen) == {expected}


# -- the user's arrays ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.copy, torch.tensor, read_only])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_users_arrays_are_never_modified(kind, shuffle):
    given = [kind(REAL), kind(TARGETS), kind(REAL[:, 0] ** 2)]
    x, y, weight = given
    inplace = kshim.Sequential([kshim.Input((4,)), torch.nn.ReLU(inplace=True), kshim.layers.Dense(2)])
    inplace.compile("sgd", "mse", metrics=[lambda t, p: t.mul_(0).mean()], weighted_metrics=["mae"])
    for model in (regressor(kshim), inplace):
        model.fit(x, y, sample_weight=weight, shuffle=shuffle, epochs=2, verbose=0, validation_split=0.2)
        model.evaluate(x, y, sample_weight=weight, verbose=0)
        model.predict(x, verbose=0)
        model.train_on_batch(x, y, sample_weight=weight)
        model.test_on_batch(x, y, sample_weight=weight)
        model.predict_on_batch(x)
    for array, before in zip(given, (REAL, TARGETS, REAL[:, 0] ** 2), strict=True):
        np.testing.assert_array_equal(np.asarray(array), before)


def test_predictions_are_arrays_of_their_own():
    model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Flatten(), kshim.layers.Activation("linear")])
    x = REAL.copy()
    for outputs in (model.predict(x, verbose=0), model.predict_on_batch(x), model.predict(x, batch_size=4, verbose=0)):
        np.testing.assert_array_equal(outputs, x)
        outputs[:] = 0
    np.testing.assert_array_equal(x, REAL)


def test_weights_that_were_given_or_taken_are_copies():
    model = regressor(kshim)
    given = [w.copy() for w in WEIGHTS]
    model.set_weights(given)
    taken = model.get_weights()
    given[0][:] = 0
    taken[1][:] = 0
    for mine, expected in zip(model.get_weights(), WEIGHTS, strict=True):
        np.testing.assert_array_equal(mine, expected)
    model.fit(REAL, TARGETS, verbose=0)
    np.testing.assert_array_equal(taken[0], WEIGHTS[0])

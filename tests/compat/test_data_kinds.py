"""What arrays may be: frames, sparse matrices, files, structured arrays; read at once, or by blocks where large."""

import sys

import h5py
import numpy as np
import pytest
import torch

import kshim
from kshim.core import settings
from kshim.training.data import arrays, rows

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(21, 4)).astype("float32"), RNG.normal(size=(21, 2)).astype("float32")
HOT = np.eye(2, dtype="float32")[RNG.integers(0, 2, 21)]
LABELS = HOT.argmax(1)
KERNEL = [RNG.normal(size=(4, 2)).astype("float32"), np.zeros(2, "float32")]


def mapped(array, folder, mode="w+"):
    path = str(folder / f"{len(list(folder.iterdir()))}.bin")
    found = np.memmap(path, array.dtype, "w+", shape=array.shape)
    found[:] = array
    found.flush()
    return found if mode == "w+" else np.memmap(path, array.dtype, mode, shape=array.shape)


def stored(array, folder):
    return h5py.File(folder / f"{len(list(folder.iterdir()))}.h5", "w").create_dataset("data", data=array)


def sparse(kind):
    return lambda array, folder: getattr(pytest.importorskip("scipy.sparse"), kind)(array)


def structured(array, folder):
    return np.array([tuple(row) for row in array], [(f"f{i}", "f4") for i in range(array.shape[1])])


class Sliceable:
    """What an old data class offered: slices, a shape and a dtype, no ``__array__``."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        return self.array[key]


KINDS = {
    "memmap": mapped,
    "read-only memmap": lambda array, folder: mapped(array, folder, "r"),
    "private memmap": lambda array, folder: mapped(array, folder, "c"),
    "memmap of doubles": lambda array, folder: mapped(array.astype("float64"), folder),
    "big-endian memmap": lambda array, folder: mapped(array.astype(">f4"), folder),
    "part of a memmap": lambda array, folder: mapped(np.vstack([array, array]), folder)[21:],
    "plain view of a memmap": lambda array, folder: np.asarray(mapped(array, folder)),
    "h5py": stored,
    "h5py doubles": lambda array, folder: stored(array.astype("float64"), folder),
    "csr": sparse("csr_matrix"),
    "coo array": sparse("coo_array"),
    "structured": structured,
    "sliceable": lambda array, folder: Sliceable(array),
    "pandas": lambda array, folder: pytest.importorskip("pandas").DataFrame(array),
    "polars": lambda array, folder: pytest.importorskip("polars").DataFrame(array),
}


def trained(x, y, keras=kshim, loss="mse", **fit):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.set_weights(KERNEL)
    model.compile("sgd", loss)
    np.random.seed(1)
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0, **fit).history
    numbers = [*history.values(), model.evaluate(x, y, verbose=0), model.predict(x, verbose=0), *model.get_weights()]
    return np.concatenate([np.ravel(n) for n in numbers])


@pytest.mark.parametrize("block", [100, arrays.BLOCK])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("fit", [{}, {"shuffle": False}, {"shuffle": "batch"}, {"validation_split": 0.3}])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind, fit, lazy, block, tmp_path, monkeypatch):
    expected = trained(X, Y, **fit)
    monkeypatch.setattr(arrays, "BLOCK", block)
    if lazy:
        monkeypatch.setattr(rows, "WHOLE", 0)
    x, y = KINDS[kind](X, tmp_path), KINDS[kind](Y, tmp_path)
    np.testing.assert_allclose(trained(x, y, **fit), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["memmap", "h5py", "csr", "coo array", "pandas"])
def test_kinds_are_keras(kind, tmp_path, keras3):
    x = KINDS[kind](X, tmp_path)
    np.testing.assert_allclose(trained(x, Y, shuffle=False), trained(x, Y, keras3, shuffle=False), rtol=1e-5, atol=1e-6)


def test_a_private_map_keeps_what_was_written_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "WHOLE", 0)
    x = mapped(X, tmp_path, "c")
    x[:] = 1
    trained(x, Y)
    assert (x == 1).all()


def test_what_is_large_is_not_read_to_be_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "WHOLE", 0)
    found = arrays.to_tensor("x", mapped(X, tmp_path))
    assert isinstance(found, rows.Rows)
    assert (found.shape, found.dtype, found.dim(), found.nbytes) == ((21, 4), torch.float32, 2, X.nbytes)
    assert isinstance(found[3:9], rows.Rows)
    assert torch.equal(found[3:9].clone(), torch.tensor(X[3:9]))
    with pytest.raises(TypeError, match=r"expected a slice of rows\. Received: 3. Read the array into memory first"):
        found[3]


def test_columns_of_a_frame_are_keras(keras3):
    frame = pytest.importorskip("pandas").DataFrame({"a": X[:, 0], "b": X[:, 1], "y": LABELS})

    def run(keras):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse", metrics=["mae"])
        history = model.fit(frame[["a", "b"]], frame["y"], epochs=2, shuffle=False, verbose=0).history
        return np.concatenate([history["loss"], history["mae"], np.ravel(model.predict(frame[["a", "b"]], verbose=0))])

    np.testing.assert_allclose(run(kshim), run(keras3), rtol=1e-5)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_words_in_a_frame_are_named(library):
    frame = pytest.importorskip(library).DataFrame({"age": [1.0, 2.0], "town": ["Ulm", "Bonn"]})
    with pytest.raises(ValueError, match=r"expected columns of numbers\. Received: 'town' of dtype .* Drop it"):
        trained(frame, Y[:2])


def test_no_library_is_imported_to_find_out():
    there = set(sys.modules)
    trained(X, Y)
    assert not {name for name in set(sys.modules) - there if name.split(".")[0] in ("tensorflow", "datasets", "polars")}


def test_hdf5_matrix(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"], file["y"] = np.vstack([X[:5], X]), Y
    x = kshim.utils.HDF5Matrix(str(tmp_path / "data.h5"), "x", start=5, normalizer=lambda a: a * 2)
    y = kshim.utils.HDF5Matrix(str(tmp_path / "data.h5"), "y", 0, 21)
    assert (x.shape, x.dtype, x.ndim, x.size, len(x)) == ((21, 4), np.float32, 2, 84, 21)
    np.testing.assert_array_equal(x[[0, 2]], X[[0, 2]] * 2)
    np.testing.assert_array_equal(x[20], X[20] * 2)
    np.testing.assert_array_equal(x[18:99], X[18:] * 2)
    for key in (21, -1, slice(21, 22), [3, 30]):
        with pytest.raises(IndexError, match="expected rows from 0 to 20"):
            x[key]
    for whole in (rows.WHOLE, 0):
        monkeypatch.setattr(rows, "WHOLE", whole)
        for shuffle in (False, True, "batch"):
            expected = trained(X * 2, Y, shuffle=shuffle)
            np.testing.assert_allclose(trained(x, y, shuffle=shuffle), expected, rtol=1e-5, atol=1e-6)


# -- weights of classes -----------------------------------------------------------------------------------------------


CLASSES = {
    "one-hot": (HOT, "mse"),
    "labels": (LABELS, "sparse_categorical_crossentropy"),
    "labels in a column": (LABELS[:, None], "sparse_categorical_crossentropy"),
    "labels as floats": (LABELS + 0.6, "mse"),
}


@pytest.mark.parametrize("weights", [{0: 2.0, 1: 0.5}, {0: 3.0}, {1: 0.0}])
@pytest.mark.parametrize("name", CLASSES)
def test_class_weights_are_keras(name, weights, keras3):
    y, loss = CLASSES[name]
    y = np.repeat(y[:, None], 2, 1) * [0.9, 1.0] if name == "labels as floats" else y
    results = [trained(X, y, keras, loss, shuffle=False, class_weight=weights)[:2] for keras in (kshim, keras3)]
    np.testing.assert_allclose(*results, rtol=1e-5)


def two_outputs():
    x = kshim.Input((4,))
    outputs = [kshim.layers.Dense(2, kernel_initializer="ones", name=name)(x) for name in ("one", "two")]
    model = kshim.Model(x, outputs)
    model.compile("sgd", ["mse", "mse"])
    return model


@pytest.mark.parametrize("given", [{"two": {0: 3.0, 1: 0.5}}, [None, {0: 3.0, 1: 0.5}]])
def test_class_weights_by_output(given):
    weights = np.where(LABELS == 0, 3.0, 0.5)
    losses = [
        two_outputs().fit(X, [Y, HOT], shuffle=False, verbose=0, **fit).history["loss"]
        for fit in ({"class_weight": given}, {"sample_weight": [np.ones(21), weights]})
    ]
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_class_and_sample_weights_multiply_in_old_keras():
    weights = np.where(LABELS == 0, 3.0, 0.5)
    settings.set_dialect("2.3.1")
    try:
        both = trained(X, HOT, class_weight={0: 3.0, 1: 0.5}, sample_weight=np.arange(21.0), shuffle=False)
        expected = trained(X, HOT, sample_weight=np.arange(21.0) * weights, shuffle=False)
    finally:
        settings.set_dialect("3")
    np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-6)


BAD_WEIGHTS = {
    "both": (
        HOT,
        {"class_weight": {0: 1.0}, "sample_weight": np.ones(21)},
        "`sample_weight` and `class_weight` cannot",
    ),
    "no dict": (HOT, {"class_weight": "balanced"}, "to be a dict of class index to weight"),
    "no number": (HOT, {"class_weight": {0: "much"}}, r"Received: \{0: 'much'\} in it"),
    "three axes": (np.ones((21, 3, 2)), {"class_weight": {0: 1.0}}, "not supported for targets of 3 or more axes"),
}


@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_bad_class_weights(name):
    y, fit, message = BAD_WEIGHTS[name]
    with pytest.raises(ValueError, match=message):
        trained(X, y, **fit)
    with pytest.raises(ValueError, match=r"only supported for models with one output\. Received: several targets"):
        two_outputs().fit(X, [Y, HOT], class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ValueError, match=r"the names of outputs, \['one', 'two'\]. Received: 'three'"):
        two_outputs().fit(X, [Y, HOT], class_weight={"three": {0: 1.0}}, verbose=0)

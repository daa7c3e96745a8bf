"""Weight files: what kshim writes Keras reads, what Keras writes kshim reads, and nothing else gets in."""

import os
import sys

import numpy as np
import pytest
import torch

import kshim.activations  # noqa: F401, until kshim.layers.core imports it
from kshim import saving
from kshim.core import files, settings
from kshim.layers import Activation, Conv2D, Dense, Dropout, Flatten, Layer

h5py = pytest.importorskip("h5py")


class Sequential(Layer):
    """The little of a model that files ask for."""

    def __init__(self, layers, name=None):
        super().__init__(name=name)
        self.parts = list(layers)

    @property
    def layers(self):
        return list(self.parts)

    def call(self, inputs):
        for layer in self.parts:
            inputs = layer(inputs)
        return inputs


class Noted(Layer):
    """A layer with a weight that takes no gradient, made before one that does."""

    def build(self, input_shape):
        self.count = self.add_weight((), "zeros", trainable=False, name="count")
        self.scale = self.add_weight(input_shape[-1:], "ones", name="scale")

    def call(self, inputs):
        return inputs * self.scale + self.count


def model(units=(4, 3, 2), **dense):
    """Dense layers, a nested model, and layers without weights between."""
    first, second, third = units
    built = Sequential(
        [Dense(first, **dense), Activation("relu"), Dropout(0.5), Noted(),
         Sequential([Dense(second, name="inner_one"), Dense(second), Flatten()]), Dense(third)],
    )  # fmt: skip
    built(np.ones((2, 5), "float32"))
    return built


def real(keras, units=(4, 3, 2), **dense):
    """The same model in Keras 3."""
    layers = keras.layers

    class Noted(layers.Layer):
        def build(self, input_shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
            self.scale = self.add_weight(shape=input_shape[-1:], initializer="ones", name="scale")

        def call(self, inputs):
            return inputs * self.scale + self.count

    first, second, third = units
    built = keras.Sequential(
        [layers.Dense(first, **dense), layers.Activation("relu"), layers.Dropout(0.5), Noted(),
         keras.Sequential([layers.Dense(second, name="inner_one"), layers.Dense(second), layers.Flatten()]),
         layers.Dense(third)],
    )  # fmt: skip
    built(np.ones((2, 5), "float32"))
    return built


def number(target):
    """Weights that count, so that none can pass for another. Returns them."""
    start, values = 0, []
    for weight in target.get_weights():
        values.append(np.arange(start, start + weight.size, dtype="float32").reshape(weight.shape) / 64)
        start += weight.size
    target.set_weights(values)
    return values


def same(left, right):
    return len(left) == len(right) and all(
        a.shape == b.shape and np.array_equal(a, b) for a, b in zip(left, right, strict=True)
    )


def tree_of(path):
    """All names in a file, with shapes, types and attributes."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update(
                {name: (getattr(item, "shape", None), str(getattr(item, "dtype", "")), sorted(item.attrs))}
            )
        )
    return found


# -- Keras 3's layout --------------------------------------------------------------------------------------------------


def test_layout_is_keras_3(keras3, tmp_path):
    model_, theirs = model(), real(keras3)
    saving.save_weights(model_, tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    assert tree_of(tmp_path / "ours.weights.h5") == tree_of(tmp_path / "theirs.weights.h5")
    with h5py.File(tmp_path / "ours.weights.h5") as file:
        assert file["layers/sequential/layers/dense/vars"].attrs["name"] == "inner_one"


def test_keras_3_reads_ours_and_we_read_theirs(keras3, tmp_path):
    ours, theirs, fresh = model(), real(keras3), model()
    values = number(ours)
    saving.save_weights(ours, tmp_path / "a.weights.h5")
    theirs.load_weights(tmp_path / "a.weights.h5")
    assert same([theirs.get_weights()[i] for i in (0, 1)], values[:2])
    theirs.save_weights(tmp_path / "b.weights.h5")
    saving.load_weights(fresh, tmp_path / "b.weights.h5")
    assert same(fresh.get_weights(), values)
    x = np.random.rand(3, 5).astype("float32")
    assert np.allclose(fresh(x).detach().numpy(), theirs.predict(x, verbose=0), rtol=1e-5)


class Ours(Layer):
    """Layers as attributes, in lists and in dicts, as subclassed layers have them."""

    def __init__(self, make, deep=False):
        super().__init__()
        self.zeta = make()
        self.blocks = [make(), [make(), make()]] if deep else [make(), make()]
        self.table = {"b": make(), "a": make()}
        self.alpha = make()
        self._hidden = make()

    def call(self, inputs):
        for layer in (self.alpha, self.zeta, self._hidden, *self.table.values()):
            inputs = layer(inputs)
        for block in self.blocks:
            for layer in block if isinstance(block, list) else [block]:
                inputs = layer(inputs)
        return inputs


@pytest.mark.parametrize("deep", [False, True])
def test_attributes_and_containers_lie_where_keras_3_puts_them(deep, keras3, tmp_path):
    body = {key: value for key, value in vars(Ours).items() if key in ("__init__", "call")}

    def init(self, make, deep):
        keras3.layers.Layer.__init__(self)
        for name, layer in vars_of(make, deep).items():
            setattr(self, name, layer)

    def vars_of(make, deep):
        return {"zeta": make(), "blocks": [make(), [make(), make()]] if deep else [make(), make()],
                "table": {"b": make(), "a": make()}, "alpha": make(), "_hidden": make()}  # fmt: skip

    class Both(keras3.layers.Layer):
        __init__ = init
        call = body["call"]

    theirs = keras3.Sequential([Both(lambda: keras3.layers.Dense(3), deep)])
    ours = Sequential([Ours(lambda: Dense(3), deep)])
    type(ours.layers[0]).__name__ = "Both"
    try:
        ours(np.ones((1, 3), "float32")), theirs(np.ones((1, 3), "float32"))
        saving.save_weights(ours, tmp_path / "ours.weights.h5")
        theirs.save_weights(tmp_path / "theirs.weights.h5")
        assert tree_of(tmp_path / "ours.weights.h5") == tree_of(tmp_path / "theirs.weights.h5")
    finally:
        Ours.__name__ = "Ours"


def test_a_plain_torch_module_takes_part(tmp_path):
    def make():
        return Sequential([torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.BatchNorm1d(3)), Dense(2)])

    ours, fresh = make(), make()
    for built in (ours, fresh):
        built(torch.ones(2, 5))
    saving.save_weights(ours, tmp_path / "a.weights.h5")
    saving.load_weights(fresh, tmp_path / "a.weights.h5")
    assert same(fresh.get_weights(), ours.get_weights())


def test_shared_layers_are_written_once(tmp_path):
    shared = Dense(5)
    ours = Sequential([shared, shared, Dense(2)])
    ours.__dict__["notes"] = notes = {"layer": shared}
    notes["itself"] = notes
    ours(np.ones((1, 5), "float32"))
    saving.save_weights(ours, tmp_path / "a.weights.h5")
    assert sum(name.endswith("vars/0") for name in tree_of(tmp_path / "a.weights.h5")) == 2


def test_bfloat16(keras3, tmp_path):
    ours, theirs = model(dtype="bfloat16"), real(keras3, dtype="bfloat16")
    saving.save_weights(ours, tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    assert tree_of(tmp_path / "ours.weights.h5") == tree_of(tmp_path / "theirs.weights.h5")
    saving.load_weights(ours, tmp_path / "theirs.weights.h5")
    expected = theirs.layers[0].kernel.value.detach().float()
    assert torch.equal(ours.layers[0].kernel.data.float(), expected) and expected.abs().sum() > 0


class Adam:
    """An optimizer as files see it."""

    name = "adam"

    def __init__(self, shapes):
        self.variables = [torch.zeros(shape) for shape in shapes]


def test_the_optimizer_comes_along(keras3, tmp_path):
    theirs = keras3.Sequential([keras3.layers.Input((5,)), keras3.layers.Dense(2)])
    theirs.compile("adam", "mse")
    theirs.fit(np.ones((4, 5)), np.ones((4, 2)), verbose=0, epochs=3)
    theirs.save_weights(tmp_path / "a.weights.h5")
    ours = Sequential([Dense(2)])
    ours(np.ones((1, 5), "float32"))
    ours.optimizer = Adam([v.shape for v in theirs.optimizer.variables])
    saving.load_weights(ours, tmp_path / "a.weights.h5")
    state = [v.numpy() for v in ours.optimizer.variables]
    assert same(state, [v.numpy() for v in theirs.optimizer.variables]) and state[0] == 3
    saving.save_weights(ours, tmp_path / "b.weights.h5")
    theirs.optimizer.variables[2].assign(np.zeros((5, 2)))
    theirs.load_weights(tmp_path / "b.weights.h5")
    assert same([theirs.optimizer.variables[2].numpy()], [state[2]])
    ours.optimizer = Adam([()])
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer 'adam', because it has 1 var"):
        saving.load_weights(ours, tmp_path / "a.weights.h5")


# -- Keras 2's layout --------------------------------------------------------------------------------------------------


def test_keras_2_layout(tmp_path):
    ours = model()
    values = number(ours)
    saving.save_weights(ours, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert [name.decode() for name in file.attrs["layer_names"]] == [layer.name for layer in ours.layers]
        assert file.attrs["keras_version"] == "2.3.1" and file.attrs["backend"] == "torch"
        dense = ours.layers[0].name
        assert list(file[dense].attrs["weight_names"]) == [f"{dense}/kernel:0".encode(), f"{dense}/bias:0".encode()]
        assert np.array_equal(file[f"{dense}/{dense}/kernel:0"], values[0])
        # a layer's trainable weights come first
        noted = file[ours.layers[3].name]
        assert [noted[name].shape for name in noted.attrs["weight_names"]] == [(4,), ()]
    fresh = model()
    saving.load_weights(fresh, tmp_path / "a.h5")
    assert same(fresh.get_weights(), values)


def test_keras_2_layout_both_ways_with_keras_3(keras3, tmp_path):
    ours, theirs, fresh = model(), real(keras3), model()
    values = number(ours)
    saving.save_weights(ours, tmp_path / "a.hdf5")
    theirs.load_weights(tmp_path / "a.hdf5")
    assert same(theirs.get_weights(), values)
    theirs.save(tmp_path / "whole.h5")
    saving.load_weights(fresh, tmp_path / "whole.h5")
    assert same(fresh.get_weights(), values)


def keras_2_file(path, layers, **attributes):
    """A file as Keras 2.3.1 writes it; ``layers`` is name -> arrays by weight name."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs.update({"backend": b"tensorflow", "keras_version": b"2.3.1"} | attributes)
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, value in weights.items():
                group[weight] = value
    return path


def dense_weights(name, rows, columns, start=0.0):
    return {
        f"{name}/kernel:0": start + np.arange(rows * columns, dtype="float32").reshape(rows, columns),
        f"{name}/bias:0": start + np.arange(columns, dtype="float32"),
    }


def two(names=("one", "two")):
    built = Sequential([Dense(4, name=names[0]), Dropout(0.5), Dense(2, name=names[1])])
    built(np.ones((1, 3), "float32"))
    return built


SAVED = {"dense_1": dense_weights("dense_1", 3, 4), "drop": {}, "dense_2": dense_weights("dense_2", 4, 2, 50.0)}


def test_layers_are_found_by_position(tmp_path):
    ours = two()
    saving.load_weights(ours, keras_2_file(tmp_path / "a.h5", SAVED))
    assert same(ours.get_weights(), [v for weights in SAVED.values() for v in weights.values()])


def test_layers_are_found_by_name(tmp_path):
    ours = two(("dense_2", "dense_1"))
    before = ours.get_weights()
    path = keras_2_file(tmp_path / "a.h5", {"dense_1": dense_weights("dense_1", 4, 2, 9.0), "other": SAVED["dense_2"]})
    saving.load_weights(ours, path, by_name=True)
    assert same(ours.get_weights(), before[:2] + list(dense_weights("dense_1", 4, 2, 9.0).values()))


def test_long_lists_of_names_are_kept_in_parts(tmp_path):
    ours = Sequential([Dense(1, name=f"layer_{'x' * 200}_{i}") for i in range(700)])
    ours(np.ones((1, 1), "float32"))
    values = number(ours)
    saving.save_weights(ours, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert "layer_names" not in file.attrs and "layer_names2" in file.attrs
    ours.set_weights([np.zeros_like(v) for v in values])
    saving.load_weights(ours, tmp_path / "a.h5")
    assert same(ours.get_weights(), values)


def test_weights_of_the_same_name_do_not_collide(tmp_path):
    ours = Sequential([Sequential([Dense(3, name="same"), Dense(3, name="same")])])
    ours(np.ones((1, 3), "float32"))
    values = number(ours)
    saving.save_weights(ours, tmp_path / "a.h5")
    ours.set_weights([np.zeros_like(v) for v in values])
    saving.load_weights(ours, tmp_path / "a.h5")
    assert same(ours.get_weights(), values)


def test_kernels_from_theano_are_turned_round(tmp_path):
    kernel = np.arange(36, dtype="float32").reshape(3, 3, 1, 4)
    saved = {"conv": {"conv/kernel:0": kernel, "conv/bias:0": np.ones(4, "float32")}}
    ours = Sequential([Conv2D(4, 3, name="conv")])
    ours(np.ones((1, 5, 5, 1), "float32"))
    saving.load_weights(ours, keras_2_file(tmp_path / "a.h5", saved, backend=b"theano"), by_name=True)
    assert same(ours.get_weights(), [kernel[::-1, ::-1], np.ones(4, "float32")])


# -- what does not fit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_a_mismatch_changes_nothing(suffix, tmp_path):
    saving.save_weights(model(units=(4, 3, 7)), tmp_path / f"a{suffix}")
    ours = model()
    before = ours.get_weights()
    message = r"A total of 1 objects could not be loaded.*expected shape \(3, 2\). Received: shape \(3, 7\)"
    with pytest.raises(ValueError, match="(?s)" + message):
        saving.load_weights(ours, tmp_path / f"a{suffix}")
    assert same(ours.get_weights(), before)
    with pytest.warns(UserWarning, match="A total of 1 objects could not be loaded"):
        saving.load_weights(ours, tmp_path / f"a{suffix}", skip_mismatch=True)
    assert not same(ours.get_weights()[:1], before[:1]) and same(ours.get_weights()[-2:], before[-2:])


def test_error_texts_are_keras(keras3, tmp_path):
    saving.save_weights(two(), tmp_path / "a.weights.h5")
    for keras, library in ((False, saving), (True, keras3)):
        if keras:
            target = keras3.Sequential([keras3.layers.Input((3,)), keras3.layers.Dense(4, use_bias=False, name="d")])
            load = target.load_weights
        else:
            target = Sequential([Dense(4, use_bias=False, name="d")])
            target(np.ones((1, 3), "float32"))
            load = lambda path, target=target: library.load_weights(target, path)  # noqa: B023, E731
        message = (
            "A total of 1 objects could not be loaded. Example error message for object <Dense name=d, built=True>:"
            "\n\nLayer 'd' expected 1 variables, but received 2 variables during loading. Expected: \\['kernel'\\]"
            "\n\nList of objects that could not be loaded:\n\\[<Dense name=d, built=True>\\]"
        )
        with pytest.raises(ValueError, match=message):
            load(tmp_path / "a.weights.h5")


def test_layer_count_of_keras_2_files(keras3, tmp_path):
    path = keras_2_file(tmp_path / "a.h5", SAVED)
    theirs = keras3.Sequential([keras3.layers.Input((3,)), keras3.layers.Dense(4)])
    ours = Sequential([Dense(4)])
    ours(np.ones((1, 3), "float32"))
    for load in (theirs.load_weights, lambda p: saving.load_weights(ours, p)):
        with pytest.raises(ValueError, match=r"Layer count mismatch .*expected 1 layers, found 2 saved layers"):
            load(path)


def test_arguments_that_do_not_fit(tmp_path):
    ours = two()
    saving.save_weights(ours, tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match=r"`by_name` only supports loading legacy .*Received: .*a.weights.h5"):
        saving.load_weights(ours, tmp_path / "a.weights.h5", by_name=True)
    for function in (saving.save_weights, saving.load_weights):
        with pytest.raises(ValueError, match=r"in `.weights.h5`.*`.h5` or `.hdf5`.*Received: filepath=.*a.npz"):
            function(ours, tmp_path / "a.npz")
        with pytest.raises(ValueError, match=r"has not yet been built. Received: Sequential .*, built=False"):
            function(Sequential([Dense(2)]), tmp_path / "a.weights.h5")
    with pytest.raises(OSError, match=r"No such file|unable to open"):
        saving.load_weights(ours, tmp_path / "none.weights.h5")
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    with pytest.raises(OSError, match="signature"):
        saving.load_weights(ours, tmp_path / "text.h5")


def test_any_name_will_do_in_old_dialects(tmp_path):
    ours = two()
    settings.set_dialect("2.3.1")
    try:
        saving.save_weights(ours, tmp_path / "weights")
        saving.load_weights(ours, tmp_path / "weights")
    finally:
        settings.set_dialect("3")
    with h5py.File(tmp_path / "weights") as file:
        assert "layer_names" in file.attrs


def test_without_h5py(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "kshim\[h5\]"'):
        saving.save_weights(two(), tmp_path / "a.h5")


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_crash_leaves_the_old_file(monkeypatch, tmp_path):
    ours, path = two(), tmp_path / "a.weights.h5"
    saving.save_weights(ours, path)
    old = path.read_bytes()
    ours.layers[2].kernel.__class__ = type("Broken", (type(ours.layers[2].kernel),), {"detach": None})
    with pytest.raises(TypeError):
        saving.save_weights(ours, path)
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["a.weights.h5"]


def test_replacing(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with files.replacing(tmp_path / "link") as temporary, open(temporary, "w") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    with pytest.raises(IsADirectoryError, match=r"Expected the path of a file. Received: .* a folder"):
        files.replacing(tmp_path).__enter__()
    with pytest.raises(FileNotFoundError, match=r"in a folder that exists. Received: .*nowhere"):
        files.replacing(tmp_path / "nowhere" / "a").__enter__()


@pytest.mark.parametrize("answers,written", [(["n"], False), (["what", "y"], True)])
def test_overwriting_is_asked(answers, written, monkeypatch, tmp_path, capsys):
    ours, path = two(), tmp_path / "a.weights.h5"
    path.write_text("old")
    monkeypatch.setattr("builtins.input", lambda prompt: answers.pop(0))
    saving.save_weights(ours, path, overwrite=False)
    assert (path.read_bytes() != b"old") == written and ("[TIP]" in capsys.readouterr().out) == written


# -- hostile files -----------------------------------------------------------------------------------------------------


def elsewhere(tmp_path):
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["0"] = file["kernel"] = np.ones((3, 4), "float32")
        file.create_group("vars")["0"] = np.ones((3, 4), "float32")
    return str(tmp_path / "secret.h5")


def replace(parent, name, put):
    del parent[name]
    put(parent, name)


def external_link(parent, name, tmp_path):
    parent[name] = h5py.ExternalLink(elsewhere(tmp_path), "/")


def dangling_link(parent, name, tmp_path):
    parent[name] = h5py.ExternalLink(str(tmp_path / "nowhere.h5"), "/")


def soft_link(parent, name, tmp_path):
    parent[name] = h5py.SoftLink("/")


def external_storage(parent, name, tmp_path):
    (tmp_path / "raw").write_bytes(b"\1" * 48)
    parent.create_dataset(name, (3, 4), "float32", external=[(str(tmp_path / "raw"), 0, 48)])


def virtual(parent, name, tmp_path):
    layout = h5py.VirtualLayout((3, 4), "float32")
    layout[:] = h5py.VirtualSource(elsewhere(tmp_path), "kernel", (3, 4))
    parent.create_virtual_dataset(name, layout)


def bomb(parent, name, tmp_path):
    parent.create_dataset(name, (1 << 20, 1 << 20), "float32", chunks=(1, 1), compression="gzip")


def objects(parent, name, tmp_path):
    parent.create_dataset(name, data=np.array([["text"] * 4] * 3, dtype=object), dtype=h5py.string_dtype())


def compound(parent, name, tmp_path):
    parent[name] = np.zeros((3, 4), [("a", "f4"), ("b", "f4")])


def raw_bytes(parent, name, tmp_path):
    parent[name] = np.zeros((3, 4), "V2")


def nothing(parent, name, tmp_path):
    parent[name] = h5py.Empty("float32")


def group(parent, name, tmp_path):
    parent.create_group(name)


def array(parent, name, tmp_path):
    parent[name] = np.zeros(3, "float32")


KERAS_3_PATHS = ["layers", "layers/dense", "layers/dense/vars", "layers/dense/vars/0"]
KERAS_2_PATHS = ["one", "one/one", "one/one/kernel:0"]
ATTACKS = [
    *((path, put, "Not allowed: H5 file with a (soft )?link") for path in KERAS_3_PATHS + KERAS_2_PATHS
      for put in (external_link, dangling_link, soft_link)),
    *((path, put, message) for path in ("layers/dense/vars/0", "one/one/kernel:0") for put, message in (
        (external_storage, "an array stored outside of it"),
        (virtual, "a virtual array"),
        (bomb, r"arrays of \d+ bytes in \d+ stored ones"),
        (objects, "an array of object"),
        (compound, "an array of "),
        (raw_bytes, "an array of raw bytes"),
        (nothing, "an array of float32"),
        (group, "a Group where an array belongs"),
    )),
    ("layers/dense/vars", array, "a Dataset where a group belongs"),
    ("layers", array, "a Dataset where a group belongs"),
    ("one", array, "a Dataset where a group belongs"),
]  # fmt: skip


@pytest.mark.parametrize("path,put,message", ATTACKS, ids=lambda value: getattr(value, "__name__", value))
def test_hostile_files_are_refused(path, put, message, tmp_path):
    ours = two()
    file_path = tmp_path / ("a.h5" if path.startswith("one") else "a.weights.h5")
    saving.save_weights(ours, file_path)
    with h5py.File(file_path, "a") as file:
        parent, _, name = path.rpartition("/")
        replace(file[parent or "/"], name, lambda parent, name: put(parent, name, tmp_path))
    number(ours)
    before = ours.get_weights()
    with pytest.raises(ValueError, match=message):
        saving.load_weights(ours, file_path)
    assert same(ours.get_weights(), before)


@pytest.mark.parametrize("name", ["/one/kernel:0", "../one/one/kernel:0", "./one/kernel:0", "one//kernel:0", ""])
def test_hostile_names_are_refused(name, tmp_path):
    ours = two()
    saving.save_weights(ours, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["one"].attrs["weight_names"] = np.array([name.encode() or b"\0", b"one/bias:0"])
    with pytest.raises(ValueError, match="Not allowed: H5 file with a name that is no plain path"):
        saving.load_weights(ours, tmp_path / "a.h5")


@pytest.mark.parametrize("value", [5, "one", np.zeros((2, 2)), [1, 2]], ids=str)
def test_hostile_attributes_are_refused(value, tmp_path):
    ours = two()
    saving.save_weights(ours, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["layer_names"] = value
    with pytest.raises(ValueError, match="Not allowed: H5 file with an attribute layer_names that is no"):
        saving.load_weights(ours, tmp_path / "a.h5")


def test_many_small_bombs_are_one_bomb(tmp_path):
    ours = Sequential([Dense(2000, use_bias=False, name=f"d{i}") for i in range(6)])
    ours(np.ones((1, 2000), "float32"))
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for index in range(6):
            values = file.create_group(f"layers/dense_{index}/vars" if index else "layers/dense/vars")
            values.create_dataset("0", (2000, 2000), "float32", chunks=(1000, 1000))  # nothing is stored
    with pytest.raises(ValueError, match=r"arrays of 80000000 bytes in 0 stored ones"):
        saving.load_weights(ours, tmp_path / "a.weights.h5")


def test_a_link_is_never_followed(monkeypatch, tmp_path):
    """Not even to ask whether it leads somewhere: the other file might be a device."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs a pipe")
    ours = two()
    saving.save_weights(ours, tmp_path / "a.weights.h5")
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(tmp_path / "a.weights.h5", "a") as file:
        del file["layers"]
        file["layers"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/")
        file["model_weights"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/")
    with pytest.raises(ValueError, match="a link to another file"):  # opening a pipe would wait for ever
        saving.load_weights(ours, tmp_path / "a.weights.h5")

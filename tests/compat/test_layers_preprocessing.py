"""Lookups, hashes and texts against goldens of the real Keras 3 with TensorFlow; and what rows cannot say."""

import copy
import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import assert_close, counting
from cases.layers.preprocessing_audio import sound
from cases.layers.preprocessing_lookup import BAD, CORPUS, NO_CASE, ROWS, TEXTS, VOCABULARY, WORDS

import kshim
from kshim import layers
from kshim.layers.preprocessing.fingerprints import fingerprint64, siphash64

GOLDENS = json.loads((Path(__file__).parent / "oracle" / "preprocessing.json").read_text(encoding="utf-8"))
every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def made(row, **more):
    layer = getattr(layers, row.layer)(**row.arguments, **more)
    if row.adapt is not None:
        layer.adapt((batch for batch in row.adapt) if row.batches else row.adapt)
    return layer


def entry(value):
    value = np.asarray(value)
    return kshim.Input(value.shape[1:], dtype="string" if value.dtype.kind == "U" else value.dtype.name)


def is_scalar(inputs):
    return np.ndim(inputs[0] if isinstance(inputs, tuple) else inputs) == 0


def same(got, expected):
    if isinstance(got, np.ndarray):
        assert got.dtype.kind == "U" and got.tolist() == expected
    else:
        assert_close(got, np.asarray(expected))


# ---------- goldens


def test_every_row_has_a_golden():
    assert GOLDENS["failed"] == {}
    assert GOLDENS["rows"].keys() == {row.name for row in ROWS}
    assert GOLDENS["bad"].keys() == {bad.name for bad in BAD}
    assert {row.layer for row in ROWS} == NO_CASE.keys()


@every
def test_outputs_are_keras(row):
    golden, got = GOLDENS["rows"][row.name], made(row)(row.inputs)
    same(got, golden["output"])
    assert ("string" if isinstance(got, np.ndarray) else str(got.dtype).removeprefix("torch.")) == golden["dtype"]


@every
def test_config_and_vocabulary_are_keras(row):
    golden, layer = GOLDENS["rows"][row.name], made(row, name="it")
    assert json.loads(json.dumps(layer.get_config())) == golden["config"]
    if "vocabulary" in golden:
        assert layer.get_vocabulary() == golden["vocabulary"]
        assert layer.get_vocabulary(include_special_tokens=False) == golden["terms"]
        assert layer.vocabulary_size() == len(golden["vocabulary"])


@every
def test_config_round_trip(row):
    layer = made(row)
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    found = json.loads(json.dumps(again.get_config()))
    if row.adapt is not None and row.layer == "TextVectorization":
        assert config.pop("vocabulary_size") > found.pop("vocabulary_size")  # what was learned is in the assets
    assert found == config
    if row.adapt is None:
        same(again(row.inputs), GOLDENS["rows"][row.name]["output"])


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_copies(row, copied):
    layer = made(row)
    twin = copied(layer)
    del layer
    same(twin(row.inputs), GOLDENS["rows"][row.name]["output"])


@pytest.mark.parametrize("row", [row for row in ROWS if not is_scalar(row.inputs)], ids=lambda row: row.name)
def test_symbolic_is_true(row):
    """Keras' symbolic dtype of encodings is float32, and what comes is int64: kshim says what comes."""
    layer, golden = made(row), GOLDENS["rows"][row.name]
    entries = [entry(x) for x in row.inputs] if isinstance(row.inputs, tuple) else entry(row.inputs)
    outputs = layer(entries)
    assert outputs.dtype == golden["dtype"]
    shapes = [x.shape for x in entries] if isinstance(entries, list) else entries.shape
    assert layer.compute_output_shape(shapes) == outputs.shape
    shape = np.shape(golden["output"])
    assert len(outputs.shape) == len(shape)
    assert all(wanted in (None, size) for wanted, size in zip(outputs.shape, shape, strict=True))
    if golden["symbolic"] is not None and len(golden["symbolic"][0]) == len(shape):  # else Keras' is another rank
        pairs = zip(outputs.shape, golden["symbolic"][0], strict=True)
        assert all(mine == theirs or theirs is None for mine, theirs in pairs)
    arrays = [np.asarray(x) for x in row.inputs] if isinstance(row.inputs, tuple) else np.asarray(row.inputs)
    same(kshim.Model(entries, outputs)(arrays), golden["output"])


@every
def test_empty_batch(row):
    layer = made(row)
    if is_scalar(row.inputs):
        return
    arrays = tuple(map(np.asarray, row.inputs)) if isinstance(row.inputs, tuple) else np.asarray(row.inputs)
    empty = layer(tuple(x[:0] for x in arrays) if isinstance(arrays, tuple) else arrays[:0])
    assert len(empty) == 0 or np.ndim(row.inputs) == 1


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_refusals(bad):
    known = GOLDENS["bad"][bad.name]
    with pytest.raises(Exception, match=bad.match) as caught:
        bad.make(kshim)
    assert "Received" in str(caught.value)
    if bad.error is not None:
        assert bad.why and type(caught.value) is bad.error
    elif known is None:  # what TensorFlow has and torch lacks: Keras on torch refuses it with ValueError
        assert type(caught.value) is ValueError
    else:
        assert type(caught.value).__name__ == known[0]


# ---------- hashes


def test_fingerprints_of_nothing_and_of_many():
    assert fingerprint64([]).shape == siphash64([], (1, 2)).shape == (0,)
    one_by_one = [fingerprint64([text])[0] for text in (b"", b"a" * 5, b"b" * 20, b"c" * 40, b"d" * 500)]
    together = fingerprint64([b"", b"a" * 5, b"b" * 20, b"c" * 40, b"d" * 500])
    assert together.tolist() == one_by_one
    assert fingerprint64([b""])[0] == 0x9AE16A3B2F90404F
    # The published vector of SipHash-2-4: key 00..0f, input 00..0e.
    key = tuple(int.from_bytes(bytes(range(start, start + 8)), "little") for start in (0, 8))
    assert siphash64([bytes(range(15))], key)[0] == 0xA129CA6149BE45E5


@pytest.mark.filterwarnings("error")
def test_hashes_wrap_without_warnings():
    layers.Hashing(3)(["a" * n for n in range(200)])


# ---------- strings in all their forms


@pytest.mark.parametrize("form", [
    np.array, lambda x: np.array(x, dtype=object), lambda x: np.array(x).astype("S"), tuple,
    lambda x: [[word.encode() for word in row] for row in x],
], ids=["str", "objects", "bytes", "tuple", "lists_of_bytes"])  # fmt: skip
def test_string_arrays_of_each_kind(form):
    expected = layers.StringLookup(vocabulary=VOCABULARY)(WORDS)
    assert torch.equal(layers.StringLookup(vocabulary=VOCABULARY)(form(WORDS)), expected)
    assert torch.equal(layers.Hashing(9)(form(WORDS)), layers.Hashing(9)(WORDS))


def test_encoding_of_bytes():
    words = ["é", "z"]
    layer = layers.StringLookup(vocabulary=words, encoding="latin-1")
    assert layer([word.encode("latin-1") for word in words]).tolist() == [1, 2]
    vectorized = layers.TextVectorization(vocabulary=words, encoding="latin-1")
    assert vectorized(["é z".encode("latin-1")]).tolist() == [[2, 3]]


def test_bytes_that_are_no_text_stay_apart():
    layer = layers.StringLookup(vocabulary=[b"\xff", b"\xfe"])
    assert layer([b"\xfe", b"\xff", b"\xfd"]).tolist() == [2, 1, 0]


@pytest.mark.parametrize("inputs", [np.array([1.5]), [None, "a"], torch.ones(2)], ids=["floats", "none", "tensor"])
def test_what_is_no_string(inputs):
    for kind in (layers.StringLookup, layers.TextVectorization):
        layer = kind(vocabulary=["a"], name="s")
        with pytest.raises(ValueError, match=r"'s': expected (strings|texts).*Received"):
            layer(inputs)


def test_integer_lookup_of_tensors():
    layer = layers.IntegerLookup(vocabulary=[5, 3])
    for dtype in (torch.int64, torch.int32, torch.float32, torch.uint8):
        assert layer(torch.tensor([[3, 9], [5, 5]], dtype=dtype)).tolist() == [[2, 0], [1, 1]]


def test_inverse_gives_strings_back():
    to_index = layers.StringLookup(vocabulary=VOCABULARY)
    to_word = layers.StringLookup(vocabulary=to_index.get_vocabulary(), invert=True)
    assert to_word(to_index(WORDS)).tolist()[0] == WORDS[0]
    assert to_word(torch.tensor(3)) == "and"


# ---------- vocabularies


@pytest.fixture
def words_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("earth\nwind\r\nÜ\n\nfire\n".encode())
    return path


def test_vocabulary_file(words_file):
    for path in (str(words_file), words_file):
        layer = layers.StringLookup(vocabulary=path)
        assert layer.get_vocabulary() == ["[UNK]", "earth", "wind", "Ü", "", "fire"]
        assert layer.get_config()["vocabulary"] is None
    numbers = words_file.parent / "numbers.txt"
    numbers.write_text("5\n-3")
    assert layers.IntegerLookup(vocabulary=str(numbers))([-3, 5, 0]).tolist() == [2, 1, 0]
    text = layers.TextVectorization(vocabulary=str(words_file))
    assert text(["wind fire"]).tolist() == [[3, 6]]
    with pytest.raises(ValueError, match=r"'tf_idf' mode.*Received"):
        layers.StringLookup(output_mode="tf_idf", vocabulary=str(words_file), idf_weights=[1.0])


@pytest.mark.parametrize("name", ["StringLookup", "IntegerLookup", "TextVectorization"])
def test_a_config_opens_no_file(name, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("1\n2\n")
    config = getattr(layers, name)().get_config() | {"vocabulary": str(secret)}
    with pytest.raises(ValueError, match=rf"{name}: a config may not load a vocabulary file.*Received"):
        getattr(layers, name).from_config(config)
    with pytest.raises(ValueError, match=r"may not load"):
        layers.deserialize({"class_name": name, "config": config})


@pytest.mark.parametrize("row", [row for row in ROWS if row.layer.endswith(("Lookup", "Vectorization"))],
                         ids=lambda row: row.name)  # fmt: skip
def test_assets(row, tmp_path):
    layer, store = made(row), {}
    layer.save_own_variables(store)
    layer.save_assets(tmp_path)
    again = type(layer).from_config(layer.get_config())
    again.load_own_variables(store)
    again.load_assets(tmp_path)
    assert again.get_vocabulary() == layer.get_vocabulary()
    same(again(row.inputs), GOLDENS["rows"][row.name]["output"])


def test_set_vocabulary_again():
    layer = layers.StringLookup(vocabulary=["a", "b"])
    layer.set_vocabulary(np.array(["b", "c", "d"]))
    assert layer(["b", "d", "a"]).tolist() == [1, 3, 0]
    learned = layers.StringLookup()
    learned.adapt(["x", "y", "y"])
    learned.adapt(["z"])
    assert learned.get_vocabulary() == ["[UNK]", "z"]


def test_adapt_steps_and_data_loader():
    layer = layers.StringLookup()
    layer.adapt(iter([["a", "b"], ["b"], ["c"] * 9]), steps=2)
    assert layer.get_vocabulary() == ["[UNK]", "b", "a"]
    loader = torch.utils.data.DataLoader(CORPUS, batch_size=2)
    text, whole = layers.TextVectorization(), layers.TextVectorization()
    text.adapt(loader)
    whole.adapt(CORPUS)
    assert text.get_vocabulary() == whole.get_vocabulary()
    pairs = torch.utils.data.TensorDataset(torch.tensor([[7, 7], [3, 7]]), torch.tensor([0, 1]))
    numbers = layers.IntegerLookup()
    numbers.adapt(torch.utils.data.DataLoader(pairs, batch_size=1))
    assert numbers.get_vocabulary() == [-1, 7, 3]
    with pytest.raises(TypeError, match=r"DataLoader"):
        layers.IntegerLookup().adapt(pairs)


# ---------- texts


def test_own_standardize_and_split():
    seen = []

    def shout(texts):
        seen.append(texts)
        return np.char.upper(texts)

    def by_commas(texts):
        seen.append(texts)
        return [text.split(",") for text in texts]

    layer = layers.TextVectorization(standardize=shout, split=by_commas, vocabulary=["A", "B C"], ngrams=2)
    assert layer([["a,b c"], ["é,a,a"]]).tolist() == [[2, 3, 1, 0, 0], [1, 2, 2, 1, 1]]
    assert seen[0].dtype.kind == seen[1].dtype.kind == "U"
    assert seen[0].shape == (2, 1) and seen[1].shape == (2,)
    layer = layers.TextVectorization(standardize=shout)
    layer.adapt(CORPUS)
    assert layer.get_vocabulary()[2:4] == ["THE", "SAT"]


def test_own_functions_in_a_config():
    @kshim.utils.register_keras_serializable("texts")
    def lowered(texts):
        return np.char.lower(texts)

    config = layers.TextVectorization(vocabulary=["a"]).get_config()
    found = {"class_name": "function", "config": "lowered", "registered_name": "texts>lowered"}
    assert layers.TextVectorization.from_config({**config, "standardize": found})(["A"]).tolist() == [[2]]
    with pytest.raises(ValueError, match=r"registered function.*Received"):
        layers.TextVectorization.from_config({**config, "split": {"class_name": "function", "config": "system"}})


def test_one_hot_words():
    """Rows of zeros pad; Keras 3 gives a ragged tensor, on TensorFlow."""
    entry = kshim.Input((1,), dtype="string")
    layer = layers.TextVectorization(vocabulary=["a", "b"], output_mode="one_hot")
    assert layer([["a b"], ["z"]]).tolist() == [[[0, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 0]]]
    assert layer([["a"], ["z"]]).shape == (2, 1, 3) and layer(entry).shape == (None, None, 3)
    whole = layers.TextVectorization(vocabulary=["a", "b"], output_mode="one_hot", split=None)
    assert whole([["a"], ["z"]]).shape == (2, 3) and whole(entry).shape == (None, 3)
    assert whole([["a", "b"]]).shape == (1, 2, 3) and whole(kshim.Input((2,), dtype="string")).shape == (None, 2, 3)


def test_long_and_short_texts():
    layer = layers.TextVectorization(vocabulary=["a"])
    assert layer(["", ""]).shape == (2, 0)
    assert layer([]).shape[0] == 0
    assert layer(["a " * 1000, "a"]).sum() == 2 * 1001


# ---------- in models


def test_strings_through_a_model():
    entry = kshim.Input((1,), dtype="string")
    words = layers.TextVectorization(vocabulary=["the", "cat"], output_sequence_length=5)(entry)
    model = kshim.Model(entry, layers.Dense(2)(words))
    texts = np.array(TEXTS)
    assert model(texts).shape == model.predict(texts, verbose=0).shape == (4, 2)
    for data in (texts, texts.astype(object), texts[:, 0], TEXTS):
        assert_close(model.predict(data, batch_size=3, verbose=0), model(texts))
    assert_close(model.predict_on_batch(texts), model(texts))
    model.compile("sgd", "mse")
    history = model.fit(texts, np.ones((4, 2)), epochs=2, batch_size=3, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
    assert np.isfinite(model.evaluate(texts, np.ones((4, 2)), verbose=0))
    model.train_on_batch(texts, np.ones((4, 2)))


def test_strings_and_numbers_side_by_side():
    names, numbers = kshim.Input((1,), dtype="string", name="names"), kshim.Input((3,), name="numbers")
    joined = layers.Concatenate()([layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(names), numbers])
    model = kshim.Model({"names": names, "numbers": numbers}, layers.Dense(1)(joined))
    data = {"names": np.array([["a"], ["z"], ["b"]]), "numbers": counting((3, 3))}
    assert_close(model.predict(data, verbose=0), model(data))
    model.compile("sgd", "mse")
    model.fit(data, np.ones((3, 1)), verbose=0, validation_split=0.34)


def test_strings_in_a_sequential_model():
    texts = np.array(TEXTS)
    for first in ([kshim.Input((1,), dtype="string")], []):
        layer = layers.TextVectorization(vocabulary=["the", "cat"], output_mode="count")
        model = kshim.Sequential([*first, layer, layers.Dense(1)])
        assert model(texts).shape == model.predict(texts, verbose=0).shape == (4, 1)
    lookup = layers.StringLookup(vocabulary=["a"], output_mode="one_hot", input_shape=(1,))
    model = kshim.Sequential([lookup, layers.Dense(1)])
    assert model.inputs[0].dtype == "string" and model.predict(np.array([["a"]]), verbose=0).shape == (1, 1)


class Reader(kshim.Model):
    def __init__(self):
        super().__init__()
        self.words = layers.TextVectorization(vocabulary=["the", "cat"], output_sequence_length=3)
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(self.words(inputs))


def test_strings_in_a_subclassed_model():
    model, texts = Reader(), np.array(TEXTS)
    assert model.predict(texts, batch_size=3, verbose=0).shape == model(texts).shape == (4, 1)
    model.compile("sgd", "mse")
    model.fit(texts, np.ones((4, 1)), verbose=0)


def test_strings_out_of_a_model():
    entry = kshim.Input((2,), dtype="int64")
    outputs = layers.StringLookup(vocabulary=VOCABULARY, invert=True)(entry)
    assert outputs.dtype == "string" and outputs.shape == (None, 2)
    model = kshim.Model(entry, outputs)
    assert model(np.array([[1, 0]])).tolist() == [["earth", "[UNK]"]]
    assert model.predict(np.array([[1, 0], [2, 2], [3, 1]]), batch_size=2, verbose=0).shape == (3, 2)


def test_results_are_where_the_layer_is():
    """The meta device stands for an accelerator."""
    for layer in (layers.StringLookup(vocabulary=["a"]), layers.TextVectorization(vocabulary=["a"]), layers.Hashing(3)):
        assert layer(["a"]).device.type == "cpu"
        assert layer.to("meta")(["a"]).device.type == "meta"


def test_a_hook_is_heard_in_a_graph():
    entry = kshim.Input((1,), dtype="string")
    layer = layers.StringLookup(vocabulary=["a"])
    model = kshim.Model(entry, layer(entry, training=False))
    assert model(np.array([["a"]])).tolist() == [[1]]
    heard = []
    layer.register_forward_hook(lambda *call: heard.append(call))
    model(np.array([["a"]]))
    assert len(heard) == 1


def test_normalization_in_a_graph_is_called_bare():
    entry = kshim.Input((3,))
    layer = layers.Normalization(mean=1.0, variance=4.0)
    outputs = layer(entry)
    assert layer.lowered_call(outputs.node)[0] == layer.call


def test_strings_where_numbers_are_wanted():
    with pytest.raises(NotImplementedError, match=r"Received.*holds strings"):
        layers.Dense(2)(kshim.Input((3,), dtype="string"))
    with pytest.raises(TypeError):
        layers.Dense(2)(np.array([["a", "b"]]))
    model = kshim.Sequential([kshim.Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"Received"):
        model.predict(np.array([["a", "b"]]), verbose=0)


def test_torch_compile():
    torch._dynamo.reset()
    lookup, hashing = layers.IntegerLookup(vocabulary=[5, 3], mask_token=0, num_oov_indices=2), layers.Hashing(9)
    inputs = torch.tensor([[3, 9], [0, 5]])
    for layer in (lookup, hashing, layers.IntegerLookup(vocabulary=[5, 3], output_mode="count")):
        expected = layer(inputs)
        assert torch.equal(torch.compile(layer, backend="eager")(inputs), expected)


# ---------- numbers


def pieces(x):
    return [x[:3], x[3:4], x[4:]]


@pytest.mark.parametrize("data", [
    lambda x: x, torch.tensor, pieces, lambda x: iter(pieces(x)), lambda x: [(part, 1) for part in pieces(x)],
    lambda x: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(x), torch.arange(9)), 4),
], ids=["array", "tensor", "list", "iterator", "pairs", "loader"])  # fmt: skip
@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2), (0, 1, 2)])
def test_normalization_adapts_as_keras(axis, data, keras3):
    x = counting((9, 4, 5), 7) + 3
    if axis == (0, 1, 2) and not isinstance(data(x), (np.ndarray, torch.Tensor)):
        return
    layer, other = layers.Normalization(axis=axis), keras3.layers.Normalization(axis=axis)
    layer.adapt(data(x))
    other.adapt(x)
    assert [w.name for w in layer.weights] == [w.name for w in other.weights] == ["mean", "variance", "count"]
    for got, expected in zip(layer.get_weights(), other.get_weights(), strict=True):
        assert got.dtype == expected.dtype
        assert_close(got, expected)
    assert_close(layer(x), other(x))
    assert_close(layer.mean.numpy(), other.mean.numpy())
    assert_close(layer.variance.numpy(), other.variance.numpy())


def test_normalization_uses_its_weights():
    """Keras 3 writes them, and goes on with the old statistics until ``finalize_state``."""
    layer = layers.Normalization()
    layer.build((None, 2))
    layer.set_weights([np.array([1.0, 2.0]), np.array([4.0, 0.0]), np.array(5)])
    assert_close(layer([[3.0, 2.0]]), [[1.0, 0.0]])
    again = layers.Normalization(invert=True)
    again.build((None, 2))
    again.set_weights(layer.get_weights())
    assert_close(again([[1.0, 0.0]]), [[3.0, 2.0]])


def test_normalization_twice_begins_anew():
    layer = layers.Normalization()
    layer.adapt(np.ones((3, 2)))
    layer.adapt(np.full((3, 2), 5.0))
    assert_close(layer.get_weights()[0], [5.0, 5.0])
    given = layers.Normalization(mean=np.array([1.0, 2.0]), variance=torch.tensor([1.0, 4.0]))
    assert given([[1, 4]]).tolist() == [[0.0, 1.0]]
    assert given.get_config()["mean"] == [1.0, 2.0] and given.get_config()["variance"] == [1.0, 4.0]


def test_discretization_adapts_as_keras(keras3):
    x = counting((500, 3), 9).ravel() ** 3
    for epsilon in (0.1, 0.01):
        layer, other = (k.layers.Discretization(num_bins=5, epsilon=epsilon) for k in (kshim, keras3))
        layer.adapt(pieces(x))
        for part in pieces(x):
            other.update_state(part)
        other.finalize_state()
        np.testing.assert_array_equal(layer.bin_boundaries, other.bin_boundaries)
        np.testing.assert_array_equal(layer.summary, other.summary)
        assert_close(layer(x), other(x))
        again = layers.Discretization.from_config(layer.get_config())
        assert torch.equal(again(x), layer(x))
        stored = layers.Discretization(num_bins=5, epsilon=epsilon)
        stored.load_own_variables({"0": layer.summary})
        stored.finalize_state()
        assert stored.bin_boundaries == layer.bin_boundaries


def test_discretization_steps():
    layer = layers.Discretization(num_bins=2, epsilon=0.01)
    layer.adapt([np.arange(10.0), np.full(1000, 99.0)], steps=1)
    assert layer.bin_boundaries == [4.0]
    symbolic = layers.Discretization(num_bins=4, output_mode="one_hot")(kshim.Input((1,)))
    assert symbolic.shape == (None, 4)


def test_lists_and_numbers():
    encoding = layers.CategoryEncoding(4, output_mode="one_hot")
    assert encoding([3, 0]).tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert encoding([torch.tensor(1), torch.tensor(2)]).shape == (2, 4)
    assert layers.CategoryEncoding(4)(2).tolist() == [0, 0, 1, 0]
    counts = layers.CategoryEncoding(4, output_mode="count")([[0, 1, 1]], count_weights=[[0.5, 1, 2]])
    assert counts.tolist() == [[0.5, 3, 0, 0]]
    assert layers.Discretization([1.0, 2.0])([[0, 1], [2, 3]]).tolist() == [[0, 1], [2, 2]]
    with pytest.raises(ValueError, match=r"rows of one length.*Received"):
        encoding([[1], [2, 3]])
    assert layers.CategoryEncoding(3)([[-1, 2]]).tolist() == [[0, 0, 1]]


def test_more_axes_are_samples_each():
    """As Keras documents it; its torch backend reduces the second axis instead."""
    x = np.arange(12).reshape(2, 2, 3) % 4
    rows = layers.CategoryEncoding(4, output_mode="count")(x)
    assert rows.shape == (2, 2, 4) and rows[1, 1].tolist() == np.bincount(x[1, 1], minlength=4).tolist()


def test_count_weights_have_gradients():
    weights = torch.ones(1, 3, requires_grad=True)
    layers.CategoryEncoding(4, output_mode="count")(torch.tensor([[0, 1, 1]]), count_weights=weights)[0, 1].backward()
    assert weights.grad.tolist() == [[0, 1, 1]]


# ---------- sound


def test_stft_angles(keras3):
    x = sound(2, 40, 2)()[0]
    ours, theirs = (
        k.layers.STFTSpectrogram(mode="angle", frame_length=8, padding="same")(x).detach() for k in (kshim, keras3)
    )
    ours, theirs = ours.reshape(2, -1, 2, 5)[..., 1:-1], theirs.reshape(2, -1, 2, 5)[..., 1:-1]
    assert_close(ours.cos(), theirs.cos(), 1e-4)  # without the lowest and highest frequency, whose sine is rounding
    assert_close(ours.sin(), theirs.sin(), 1e-4)


def test_stft_own_kernels_are_keras(keras3):
    x = sound(2, 40, 2)()[0]
    for options in ({}, {"mode": "stft", "window": None}, {"mode": "psd", "scaling": "spectrum", "frame_length": 12}):
        options = {"frame_length": 8, **options}
        ours, theirs = (k.layers.STFTSpectrogram(**options) for k in (kshim, keras3))
        assert_close(ours(x), theirs(x).detach(), 1e-4)
        for got, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert_close(got, expected)


def test_stft_warns_of_odd_lengths():
    with pytest.warns(UserWarning, match=r"power of two. Received: fft_length=12"):
        layers.STFTSpectrogram(frame_length=8, fft_length=12)


def test_mel_of_default_size(keras3):
    x = sound(1, 4000)()[0]
    assert_close(layers.MelSpectrogram()(x), keras3.layers.MelSpectrogram()(x), 3e-4)
    assert layers.MelSpectrogram(fft_length=16)(x[0].tolist()).shape == (128, 8)


def test_no_warning_on_arrays_that_cannot_be_written():
    x = counting((2, 3)).astype("float64")
    x.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Normalization().adapt(x)
        layers.Discretization(np.sort(x.ravel()))

"""``preprocessing.sequence`` and ``.text`` beside stored results of 1.2.2 and 2.3.1, and beside the live Keras 3."""

import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest

import kshim
from kshim.preprocessing import sequence, text

ORACLE = Path(__file__).parent / "oracle"
sys.path.insert(0, str(ORACLE))
import sequence_rows as rows  # noqa: E402  (found beside the goldens, whose environments have no kshim)

GOLDENS = {version: json.loads((ORACLE / f"sequence-{version}.json").read_text()) for version in ("1.2.2", "2.3.1")}
ALL_CALLS = {**rows.CALLS, **rows.NEWER_CALLS}
ALL_TOKENIZERS = {**rows.TOKENIZERS, **rows.NEWER_TOKENIZERS}


@pytest.fixture(params=list(GOLDENS))
def goldens(request):
    kshim.set_dialect(request.param)
    yield GOLDENS[request.param]
    kshim.set_dialect("3")


def same(ours, theirs):
    """Equal, floats to 1e-12."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == (pytest.approx(theirs, rel=1e-12) if isinstance(theirs, float) else theirs)


def test_functions_are_keras(goldens):
    ours = {name: rows.call((sequence, text), *ALL_CALLS[name]) for name in goldens["calls"]}
    assert [name for name in ours if not same(ours[name], goldens["calls"][name])] == []


def test_tokenizers_are_keras(goldens):
    lists = "json" in goldens
    for name, theirs in goldens["tokenizers"].items():
        assert same(rows.tokenized(text.Tokenizer(**ALL_TOKENIZERS[name]), lists), theirs), name


def test_windows_are_keras():
    theirs = GOLDENS["2.3.1"]["windows"]
    ours = {name: rows.windows(sequence.TimeseriesGenerator, row) for name, row in rows.WINDOWS.items()}
    assert [name for name in rows.WINDOWS if not same(ours[name], theirs[name])] == []


def test_lists_have_the_windows_of_arrays():
    series, targets = list(range(12)), list("abcdefghijkl")
    lists = sequence.TimeseriesGenerator(series, targets, 4, sampling_rate=2, batch_size=5)
    arrays = sequence.TimeseriesGenerator(np.array(series), np.array(targets), 4, sampling_rate=2, batch_size=5)
    assert len(lists) == 2
    for one, other in zip(lists, arrays, strict=True):
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])


def test_windows_train_a_model():
    series = np.sin(np.arange(200) / 7).astype("float32")[:, None]
    batches = sequence.TimeseriesGenerator(series, series, length=8, batch_size=16)
    model = kshim.Sequential([kshim.Input((8, 1)), kshim.layers.Flatten(), kshim.layers.Dense(1)])
    model.compile(kshim.optimizers.Adam(0.05), "mse")
    losses = model.fit(batches, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]


def test_series_json_of_keras():
    made = sequence.TimeseriesGenerator(np.arange(8.0), np.arange(8), 2, batch_size=3)
    again = sequence.timeseries_generator_from_json(made.to_json(indent=1))
    assert again.get_config() == {**made.get_config(), "start_index": 4}  # Keras' own: the length is added once more
    with pytest.raises(TypeError, match="Data not JSON Serializable"):
        sequence.TimeseriesGenerator([object()] * 3, [0] * 3, 1).to_json()


def test_tokenizer_json_of_keras():
    kept = GOLDENS["2.3.1"]["json"]
    read = text.tokenizer_from_json(kept)
    made = text.Tokenizer(5, oov_token="<oov>")
    made.fit_on_texts(rows.TEXTS)
    assert read.texts_to_sequences(rows.OTHERS) == made.texts_to_sequences(rows.OTHERS)
    assert np.array_equal(read.texts_to_matrix(rows.OTHERS, "tfidf"), made.texts_to_matrix(rows.OTHERS, "tfidf"))
    assert read.index_word == made.index_word
    ours, theirs = json.loads(made.to_json()), json.loads(kept)
    unordered = {name: dict(config["config"]) for name, config in (("ours", ours), ("theirs", theirs))}
    for name in ("word_counts", "word_docs", "index_docs", "index_word", "word_index"):
        assert json.loads(unordered["ours"].pop(name)) == json.loads(unordered["theirs"].pop(name))
    assert unordered["ours"] == unordered["theirs"]
    assert ours["class_name"] == theirs["class_name"] == "Tokenizer"


def test_tokenizer_gives_texts_back():
    tokenizer = text.Tokenizer(num_words=4, oov_token="?")
    tokenizer.fit_on_texts(rows.TEXTS)
    assert tokenizer.sequences_to_texts([[2, 3, 9, 99], []]) == ["the sat ? ?", ""]
    assert list(tokenizer.sequences_to_texts_generator([[2]])) == ["the"]
    plain = text.Tokenizer(num_words=3)
    plain.fit_on_texts(["b a a"])
    assert plain.sequences_to_texts([[1, 2, 3, 4]]) == ["a b"]


def test_tokenizer_with_an_analyzer():
    tokenizer = text.Tokenizer(analyzer=lambda words: words.split("|"))
    tokenizer.fit_on_texts(["new york|rome", "rome"])
    assert tokenizer.word_index == {"rome": 1, "new york": 2}
    assert text.hashing_trick("a|bb", 9, len, analyzer=lambda words: words.split("|")) == [2, 3]
    assert all(0 < number < 9 for number in text.one_hot("the cat sat", 9))


def test_numbers_are_counted_without_words():
    tokenizer = text.Tokenizer(num_words=4)
    tokenizer.fit_on_sequences([[1, 1, 2], [3, 1]])
    assert dict(tokenizer.index_docs) == {1: 2, 2: 1, 3: 1}
    assert np.allclose(tokenizer.sequences_to_matrix([[1, 7]], "freq"), [[0, 0.5, 0, 0]])


def test_the_first_weights_fell_below_zero():
    kshim.set_dialect("0.3.3")
    try:
        tokenizer = text.Tokenizer(nb_words=4)
        tokenizer.fit_on_texts(["the cat", "the dog the"])
        row = tokenizer.texts_to_matrix(["the the cat"], "tfidf")[0]
    finally:
        kshim.set_dialect("3")
    assert np.allclose(row, [0, np.log(2 / 3) / (1 + np.log(1 + 2 / 3)), np.log(1 / 3) / (1 + np.log(1 + 1 / 3)), 0])


REFUSED = {
    "pad_number": (lambda: sequence.pad_sequences(3), "`sequences` must be iterable"),
    "pad_flat": (lambda: sequence.pad_sequences([1, 2]), "must be a list of iterables. Found non-iterable: 1"),
    "pad_shapes": (lambda: sequence.pad_sequences([[1], [[2]]]), "Shape of sample .1,. of sequence at position 1"),
    "pad_padding": (lambda: sequence.pad_sequences([[1]], padding="x"), 'Padding type "x" not understood'),
    "pad_truncating": (lambda: sequence.pad_sequences([[1]], truncating="x"), 'Truncating type "x" not understood'),
    "pad_text": (lambda: sequence.pad_sequences([[1]], value="x"), "You should set `dtype=object`"),
    "no_dimension": (lambda: text.Tokenizer().texts_to_matrix(["a"]), "Specify a dimension"),
    "no_fit": (lambda: text.Tokenizer(3).texts_to_matrix(["a"], "tfidf"), "Fit the Tokenizer on some data before"),
    "mode": (lambda: text.Tokenizer(3).texts_to_matrix(["a"], "cuont"), "Unknown vectorization mode: cuont. Did you"),
    "json": (lambda: text.tokenizer_from_json("{}"), "expected the text that Tokenizer.to_json gave"),
    "lengths": (lambda: sequence.TimeseriesGenerator([1, 2], [1], 1), "Data length is 2 while target length is 1"),
    "no_window": (lambda: sequence.TimeseriesGenerator([1, 2], [1, 2], 2), "as no part of the sequence would be left"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_text_of_any_length_as_objects():
    rows_of_text = sequence.pad_sequences([["a", "long"], ["b"]], dtype=object, value="-")
    assert rows_of_text.tolist() == [["a", "long"], ["-", "b"]]
    assert sequence.pad_sequences([[1, 2]], maxlen=0).shape == (1, 0)


def test_live_keras_agrees(keras3):
    from keras.src.legacy.preprocessing import sequence as theirs

    for seed in range(5):
        both = []
        for module in (sequence, theirs):
            random.seed(seed)
            both.append(module.skipgrams(list(range(9)), 12, window_size=seed, seed=seed))
        assert both[0] == both[1]
    padded = [utils.pad_sequences([[1, 2], [3]], 4, padding="post") for utils in (kshim.utils, keras3.utils)]
    assert np.array_equal(*padded)
    assert padded[0].dtype == padded[1].dtype

"""Hashing, HashedCrossing, IntegerLookup, StringLookup, TextVectorization: what the real Keras has goldens of.

It needs TensorFlow for these layers, so it is not asked live: ``oracle/make_preprocessing_goldens.py`` reads this file
inside an environment that has it (this module imports numpy alone), and ``test_layers_preprocessing.py`` compares.
"""

from typing import Any, NamedTuple

import numpy as np

GOLDENS = "goldens, since Keras 3 needs TensorFlow for it: test_layers_preprocessing.py"
NO_CASE = dict.fromkeys(("HashedCrossing", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization"), GOLDENS)


class Row(NamedTuple):
    """A layer, what it learns from, and what it is called on.

    Args:
        layer: the class's name.
        arguments: keyword arguments of the constructor.
        inputs: nested lists of texts or ints, or an array; a tuple of them for HashedCrossing.
        adapt: data for ``adapt``; None for none. A list of lists of lists is given as a generator of batches.
        batches: whether ``adapt`` gets its items one by one.
    """

    name: str
    layer: str
    arguments: dict
    inputs: Any
    adapt: Any = None
    batches: bool = False


def texts_of_lengths():
    """A text of each length up to 70, and some longer ones."""
    signs = "".join(chr(33 + i * 7 % 94) for i in range(1000))
    return [signs[n : 2 * n] for n in (*range(71), 96, 127, 128, 129, 192, 193, 300)]


LETTERS = [["A"], ["B"], ["C"], ["D"], ["E"], ["A"]]
WORDS = [["earth", "wind", "fire"], ["fire", "michigan", ""], ["ohio", "", "and"]]
VOCABULARY = ["earth", "wind", "and", "fire"]
NUMBERS = np.array([[12, 1138, 42], [42, 1000, 36], [0, -7, 12]])
KNOWN = [12, 36, 1138, 42]
TEXTS = [["The cat, sat."], ["ON the Mat!  the\tCat"], [""], ["Ünïcödé ÉCLAIR don't"]]
CORPUS = ["the cat sat", "the dog sat on the mat", "a mat", "Dog? dog!"]
IDF = [0.5, 1.0, 2.0, 4.0]


def modes(layer, inputs, known, prefix):
    """A row for each output mode."""
    for mode in ("int", "one_hot", "multi_hot", "count"):
        yield Row(f"{prefix}_{mode}", layer, {**known, "output_mode": mode}, inputs)


HASHING = [
    Row("hashing_lengths", "Hashing", {"num_bins": 1 << 60}, [[text] for text in texts_of_lengths()]),
    Row("hashing_lengths_salt", "Hashing", {"num_bins": 1 << 60, "salt": [133, 137]}, texts_of_lengths()),
    Row("hashing_unicode", "Hashing", {"num_bins": 1000}, ["é", "日本語", "🙂", ""]),
    Row("hashing_ints", "Hashing", {"num_bins": 1000}, np.array([[0, 1, -5], [1 << 40, 99, -(1 << 62)]])),
    Row("hashing_floats", "Hashing", {"num_bins": 1000}, np.array([0.5, 1.0, -2.7, 1e9])),
    Row("hashing_ints_salt", "Hashing", {"num_bins": 1000, "salt": 7}, np.array([[0, 1], [-5, 99]])),
    Row("hashing_mask", "Hashing", {"num_bins": 3, "mask_value": ""}, [["A"], ["B"], [""], ["C"], ["D"]]),
    Row("hashing_mask_int", "Hashing", {"num_bins": 7, "mask_value": 3}, np.array([[3, 4], [5, 3]])),
    Row("hashing_one_bin", "Hashing", {"num_bins": 1, "mask_value": ""}, ["A", ""]),
    Row("hashing_int32", "Hashing", {"num_bins": 5, "dtype": "int32"}, LETTERS),
    *modes("Hashing", LETTERS, {"num_bins": 3}, "hashing_column"),
    *modes("Hashing", [["A", "B"], ["C", "C"]], {"num_bins": 4, "salt": 1}, "hashing_matrix"),
    *modes("Hashing", ["A", "B", "B"], {"num_bins": 4}, "hashing_vector"),
    Row("crossing_int", "HashedCrossing", {"num_bins": 1 << 50}, (["A", "B", "A", ""], np.array([101, -1, 102, 0]))),
    Row("crossing_three", "HashedCrossing", {"num_bins": 1000}, (LETTERS, np.arange(6)[:, None], LETTERS)),
    Row("crossing_ints", "HashedCrossing", {"num_bins": 1000}, (np.array([[1], [2]]), np.array([[3], [4]]))),
    Row("crossing_one_hot", "HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"},
        (["A", "B", "A"], np.array([1, 2, 3]))),
    Row("crossing_one_hot_column", "HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"},
        ([["A"], ["B"]], np.array([[1], [2]]))),
    Row("crossing_scalars", "HashedCrossing", {"num_bins": 5}, ("A", 3)),
]  # fmt: skip

STRINGS = [
    *modes("StringLookup", WORDS, {"vocabulary": VOCABULARY}, "string"),
    *modes("StringLookup", WORDS, {"vocabulary": VOCABULARY, "mask_token": "", "num_oov_indices": 3}, "string_mask"),
    *modes("StringLookup", ["fire", "ohio"], {"vocabulary": VOCABULARY}, "string_vector"),
    *modes("StringLookup", [["fire"], ["ohio"]], {"vocabulary": VOCABULARY}, "string_column"),
    Row("string_text", "StringLookup", {"vocabulary": VOCABULARY}, "fire"),
    Row("string_salt", "StringLookup", {"vocabulary": VOCABULARY, "num_oov_indices": 5, "salt": [3, 4]}, WORDS),
    Row("string_no_oov", "StringLookup", {"vocabulary": VOCABULARY, "num_oov_indices": 0}, [["fire", "wind"]]),
    Row("string_special", "StringLookup", {"vocabulary": ["", "[UNK]", *VOCABULARY], "mask_token": ""}, WORDS),
    Row("string_special_count", "StringLookup",
        {"vocabulary": ["[UNK]", *VOCABULARY], "mask_token": "", "output_mode": "count"}, WORDS),
    Row("string_array", "StringLookup", {"vocabulary": np.array(VOCABULARY)}, WORDS),
    Row("string_padded", "StringLookup", {"vocabulary": VOCABULARY, "max_tokens": 9, "pad_to_max_tokens": True,
                                          "output_mode": "count"}, WORDS),
    Row("string_invert", "StringLookup", {"vocabulary": VOCABULARY, "invert": True}, np.array([0, 1, 4, 5, -1])),
    Row("string_invert_mask", "StringLookup", {"vocabulary": VOCABULARY, "invert": True, "mask_token": "",
                                               "num_oov_indices": 2}, np.array([0, 1, 2, 3, 7])),
    Row("string_tf_idf", "StringLookup",
        {"vocabulary": VOCABULARY, "idf_weights": IDF, "output_mode": "tf_idf"}, WORDS),
    Row("string_tf_idf_padded", "StringLookup", {"vocabulary": VOCABULARY, "idf_weights": IDF, "max_tokens": 7,
                                                 "output_mode": "tf-idf", "pad_to_max_tokens": True}, WORDS),
    Row("string_tf_idf_special", "StringLookup", {"vocabulary": ["[UNK]", *VOCABULARY], "idf_weights": [9.0, *IDF],
                                                  "output_mode": "tf_idf"}, WORDS),
    Row("string_adapted", "StringLookup", {}, WORDS, WORDS),
    Row("string_adapted_mask", "StringLookup", {"mask_token": ""}, WORDS, WORDS),
    Row("string_adapted_max", "StringLookup", {"max_tokens": 3}, WORDS, WORDS),
    Row("string_adapted_vector", "StringLookup", {}, ["b", "z"], ["a", "b", "b", "[UNK]"]),
    Row("string_adapted_unicode", "StringLookup", {}, ["é"], ["é", "日", "z", "🙂"]),
    Row("string_adapted_tf_idf", "StringLookup", {"output_mode": "tf_idf"}, WORDS, WORDS),
    Row("string_adapted_tf_idf_vector", "StringLookup", {"output_mode": "tf_idf"}, ["a", "b"], ["a", "b", "b"]),
    Row("string_adapted_tf_idf_padded", "StringLookup", {"output_mode": "tf_idf", "max_tokens": 12, "mask_token": "",
                                                         "pad_to_max_tokens": True}, WORDS, WORDS),
    Row("string_adapted_batches", "StringLookup", {"output_mode": "tf_idf"}, WORDS, WORDS, batches=True),
]  # fmt: skip

INTEGERS = [
    *modes("IntegerLookup", NUMBERS, {"vocabulary": KNOWN}, "integer"),
    *modes("IntegerLookup", NUMBERS, {"vocabulary": KNOWN, "mask_token": 0, "num_oov_indices": 3}, "integer_mask"),
    *modes("IntegerLookup", np.array([12, 5]), {"vocabulary": KNOWN}, "integer_vector"),
    *modes("IntegerLookup", np.array([[12], [5]]), {"vocabulary": KNOWN}, "integer_column"),
    Row("integer_scalar", "IntegerLookup", {"vocabulary": KNOWN}, 36),
    Row("integer_list", "IntegerLookup", {"vocabulary": KNOWN}, [[36, 3], [12, 12]]),
    Row("integer_no_oov", "IntegerLookup", {"vocabulary": KNOWN, "num_oov_indices": 0}, np.array([[12, 36]])),
    Row("integer_farmhash", "IntegerLookup", {"vocabulary": KNOWN, "num_oov_indices": 5, "oov_method": "farmhash"},
        NUMBERS),
    Row("integer_salt", "IntegerLookup", {"vocabulary": KNOWN, "num_oov_indices": 5, "oov_method": "farmhash",
                                          "salt": 9}, NUMBERS),
    Row("integer_special", "IntegerLookup", {"vocabulary": [0, -1, *KNOWN], "mask_token": 0}, NUMBERS),
    Row("integer_array", "IntegerLookup", {"vocabulary": np.array(KNOWN)}, NUMBERS),
    Row("integer_invert", "IntegerLookup", {"vocabulary": KNOWN, "invert": True}, np.array([[0, 1, 4], [5, -1, 2]])),
    Row("integer_invert_mask", "IntegerLookup", {"vocabulary": KNOWN, "invert": True, "mask_token": 0,
                                                 "oov_token": -5}, np.array([0, 1, 2, 9])),
    Row("integer_tf_idf", "IntegerLookup", {"vocabulary": KNOWN, "idf_weights": IDF, "output_mode": "tf_idf"}, NUMBERS),
    Row("integer_adapted", "IntegerLookup", {}, NUMBERS, NUMBERS),
    Row("integer_adapted_mask", "IntegerLookup", {"mask_token": 12, "max_tokens": 5}, NUMBERS, NUMBERS),
    Row("integer_adapted_tf_idf", "IntegerLookup", {"output_mode": "tf_idf"}, NUMBERS, NUMBERS),
    Row("integer_adapted_batches", "IntegerLookup", {}, NUMBERS, NUMBERS, batches=True),
]  # fmt: skip

TEXT_VOCABULARY = ["the", "cat", "sat", "mat", "the cat", "cat sat"]


def text(name, inputs=TEXTS, adapt=None, batches=False, **arguments):
    if adapt is None:
        arguments = {"vocabulary": TEXT_VOCABULARY, **arguments}
    return Row(f"text_{name}", "TextVectorization", arguments, inputs, adapt, batches)


TEXT = [
    text("int"),
    text("vector", ["the cat", "a mat sat on the mat"]),
    text("length", output_sequence_length=3),
    text("longer", output_sequence_length=9),
    text("lower", standardize="lower"),
    text("strip", standardize="strip_punctuation"),
    text("none", standardize=None),
    text("ngrams", ngrams=2),
    text("ngrams_of_two", ngrams=(2,)),
    text("ngrams_tuple", ngrams=(2, 1)),
    text("multi_hot", output_mode="multi_hot"),
    text("count", output_mode="count", ngrams=2),
    text("binary", output_mode="binary"),
    text("padded", output_mode="count", max_tokens=12, pad_to_max_tokens=True),
    text("tf_idf", output_mode="tf_idf", idf_weights=[1.0, 2, 3, 4, 5, 6]),
    text("character", [["abca"], ["é a"]], split="character", vocabulary=["a", "b", "é"]),
    text("character_count", [["abca"], ["é a"]], split="character", vocabulary=["a", "b", "é"], output_mode="count"),
    text("words", [["The", "cat!"], ["mat", "dog"]], split=None),
    text("words_length", [["The", "cat!"], ["mat", "dog"]], split=None, output_sequence_length=3),
    text("words_cut", [["The", "cat!"], ["mat", "dog"]], split=None, output_sequence_length=1),
    text("words_count", [["The", "cat!"], ["mat", "dog"]], split=None, output_mode="count"),
    text("words_ngrams", [["The", "cat"], ["cat", "sat"]], split=None, ngrams=2),
    text("words_vector", ["the", "dog"], split=None),
    text("one", "the cat sat"),
    text("special", vocabulary=["", "[UNK]", *TEXT_VOCABULARY]),
    text("adapted", adapt=CORPUS),
    text("adapted_max", adapt=CORPUS, max_tokens=4),
    text("adapted_ngrams", adapt=CORPUS, ngrams=2, output_mode="multi_hot"),
    text("adapted_tf_idf", adapt=CORPUS, output_mode="tf_idf"),
    text("adapted_column", adapt=[[line] for line in CORPUS], output_mode="count"),
    text("adapted_batches", adapt=[[line] for line in CORPUS], output_mode="tf_idf", batches=True),
    text("adapted_character", [["abca"]], adapt=CORPUS, split="character"),
    text("adapted_none", [["the", "cat"]], adapt=WORDS, split=None),
]

ROWS = HASHING + STRINGS + INTEGERS + TEXT


class Bad(NamedTuple):
    """A call that raises: ``make(keras)``; ``match`` is what kshim's message holds.

    ``error``: what kshim raises, where it is not what Keras does, and ``why``.
    """

    name: str
    make: Any
    match: str
    error: Any = None
    why: str = ""


def _strings(**arguments):
    return lambda k: k.layers.StringLookup(name="s", **arguments)


def _ints(**arguments):
    return lambda k: k.layers.IntegerLookup(name="s", **arguments)


def _text(**arguments):
    return lambda k: k.layers.TextVectorization(name="s", **arguments)


def _called(make, inputs):
    return lambda k: make(k)(inputs)


def _adapted(make, data):
    return lambda k: make(k).adapt(data)


def _grown(k):
    layer = k.layers.StringLookup(vocabulary=["a"], output_mode="count", name="s")
    layer.set_vocabulary(["a", "b"])


IN_A_GRAPH = "an error of a TensorFlow op there"
SAYS_S = "'s': expected "

BAD = [
    Bad("hashing_bins", lambda k: k.layers.Hashing(0, name="s"), SAYS_S + ".*num_bins=0"),
    Bad("hashing_no_bins", lambda k: k.layers.Hashing(None, name="s"), SAYS_S + ".*num_bins=None"),
    Bad("hashing_dtype", lambda k: k.layers.Hashing(3, dtype="float32", name="s"), SAYS_S + ".*dtype='float32'"),
    Bad("hashing_mode", lambda k: k.layers.Hashing(3, output_mode="tf_idf", name="s"), SAYS_S + ".*'tf_idf'"),
    Bad("hashing_salt", lambda k: k.layers.Hashing(3, salt=[1, 2, 3], name="s"), SAYS_S + ".*salt="),
    Bad("hashing_sparse", lambda k: k.layers.Hashing(3, sparse=True, name="s"), SAYS_S + ".*sparse=True"),
    Bad("crossing_mode", lambda k: k.layers.HashedCrossing(3, output_mode="count", name="s"), SAYS_S + ".*'count'"),
    Bad("crossing_one", lambda k: k.layers.HashedCrossing(3, name="s")(np.ones(3, int)), SAYS_S + "a list"),
    Bad("crossing_single", lambda k: k.layers.HashedCrossing(3, name="s")([np.ones(3, int)]), SAYS_S + ".*two"),
    Bad("crossing_shapes", lambda k: k.layers.HashedCrossing(3, name="s")([np.ones(3, int), np.ones(2, int)]),
        SAYS_S + ".*shape"),
    Bad("crossing_rank", lambda k: k.layers.HashedCrossing(3, name="s")([np.ones((3, 2), int)] * 2),
        SAYS_S + ".*shape"),
    Bad("crossing_floats", lambda k: k.layers.HashedCrossing(3, name="s")([np.ones(3), np.ones(3)]),
        SAYS_S + ".*ints"),
    Bad("max_tokens", _strings(max_tokens=1), SAYS_S + ".*max_tokens=1"),
    Bad("pad", _strings(pad_to_max_tokens=True), SAYS_S + ".*max_tokens"),
    Bad("oov", _strings(num_oov_indices=-1), SAYS_S + ".*num_oov_indices=-1"),
    Bad("mode", _strings(output_mode="two_hot"), SAYS_S + ".*'two_hot'"),
    Bad("invert", _strings(invert=True, output_mode="count"), SAYS_S + ".*invert"),
    Bad("sparse", _strings(sparse=True), SAYS_S + ".*sparse=True"),
    Bad("salt", _strings(salt="a"), SAYS_S + ".*salt='a'"),
    Bad("integer_salt", _ints(salt=3), SAYS_S + ".*farmhash"),
    Bad("integer_method", _ints(oov_method="crc"), SAYS_S + ".*'crc'"),
    Bad("integer_dtype", _ints(vocabulary_dtype="int32"), SAYS_S + ".*'int32'"),
    Bad("idf_mode", _strings(vocabulary=["a"], idf_weights=[1.0]), SAYS_S + ".*idf_weights"),
    Bad("idf_missing", _strings(vocabulary=["a"], output_mode="tf_idf"), SAYS_S + ".*idf_weights"),
    Bad("idf_length", _strings(vocabulary=["a"], idf_weights=[1.0, 2.0], output_mode="tf_idf"),
        SAYS_S + ".*idf_weights"),
    Bad("empty", _strings(vocabulary=[]), SAYS_S + ".*terms in it"),
    Bad("repeated", _strings(vocabulary=["a", "b", "a"]), SAYS_S + r".*\['a'\]"),
    Bad("mask_inside", _strings(vocabulary=["a", "", "b"], mask_token=""), SAYS_S + ".*mask token '' at index 1"),
    Bad("oov_inside", _strings(vocabulary=["a", "[UNK]"], invert=True), SAYS_S + ".*OOV token .* at index 1"),
    Bad("too_large", _strings(vocabulary=["a", "b"], max_tokens=2), SAYS_S + ".*max_tokens=2"),
    Bad("no_file", _strings(vocabulary="/nowhere/words.txt"), SAYS_S + ".*does not exist"),
    Bad("adapt_given", _adapted(_strings(vocabulary=["a"]), ["a"]), SAYS_S + ".*static vocabulary"),
    Bad("grown", _grown, SAYS_S + "the vocabulary size to stay 2"),
    Bad("no_vocabulary", _called(_strings(output_mode="count"), ["a"]), SAYS_S + "a vocabulary"),
    Bad("no_vocabulary_int", _called(_strings(), ["a"]), SAYS_S + "a vocabulary", RuntimeError, IN_A_GRAPH),
    Bad("unknown", _called(_strings(vocabulary=["a"], num_oov_indices=0), ["a", "b"]), SAYS_S + r".*\['b'\]",
        ValueError, IN_A_GRAPH),
    Bad("integer_unknown", _called(_ints(vocabulary=[1], num_oov_indices=0), np.array([1, 3])), SAYS_S + r".*\[3\]",
        ValueError, IN_A_GRAPH),
    Bad("strings_of_ints", _called(_strings(vocabulary=["a"]), np.array([1])), SAYS_S + "strings", ValueError,
        IN_A_GRAPH),
    Bad("ragged_list", _called(_strings(vocabulary=["a"]), [["a"], ["a", "b"]]), SAYS_S + "rows of one length"),
    Bad("text_standardize", _text(standardize="upper"), SAYS_S + ".*'upper'"),
    Bad("text_split", _text(split="comma"), SAYS_S + ".*'comma'"),
    Bad("text_ngrams", _text(ngrams="2"), SAYS_S + ".*ngrams='2'"),
    Bad("text_mode", _text(output_mode="none"), SAYS_S + ".*'none'"),
    Bad("text_length", _text(output_sequence_length=2.5), SAYS_S + ".*2.5"),
    Bad("text_length_mode", _text(output_sequence_length=2, output_mode="count"),
        SAYS_S + ".*output_sequence_length=2"),
    Bad("text_ragged", _text(ragged=True), SAYS_S + ".*ragged"),
    Bad("text_sparse", _text(sparse=True, output_mode="count"), SAYS_S + ".*sparse"),
    Bad("text_shape", _called(_text(vocabulary=["a"]), [["a", "b"]]), SAYS_S + r".*\(batch, 1\)"),
]  # fmt: skip

"""What is asked of ``preprocessing.sequence`` and ``.text`` in each version. Python 3.7's words, numpy alone."""

import random

import numpy as np

TEXTS = ["The cat sat on the mat.", "The dog sat\ton the log!", "", "Dogs and cats: living together; the end", "a a b"]
OTHERS = ["the unknown cat", "log mat zebra", ""]

# name -> (function, arguments, keywords)
CALLS = {
    "pad": ("pad_sequences", ([[1, 2, 3], [4], []],), {}),
    "pad_post": ("pad_sequences", ([[1, 2, 3], [4], []], 2), {"padding": "post", "truncating": "post", "value": 9}),
    "pad_pre_cut": ("pad_sequences", ([[1, 2, 3], [4], []], 2, "float32"), {"value": -1.5}),
    "pad_floats": ("pad_sequences", ([[1.7, -2.2], [3.9]],), {}),
    "pad_vectors": ("pad_sequences", ([[[1, 2], [3, 4]], [[5, 6]]], 3), {}),
    "sampling": ("make_sampling_table", (10,), {}),
    "sampling_factor": ("make_sampling_table", (6,), {"sampling_factor": 1e-3}),
    "skipgrams": ("skipgrams", ([1, 2, 0, 3, 4, 5], 9), {"window_size": 2}),
    "skipgrams_plain": ("skipgrams", ([1, 2, 3], 5), {"negative_samples": 0.0, "shuffle": False}),
    "skipgrams_sampled": (
        "skipgrams", (list(range(1, 20)), 20),
        {"sampling_table": np.linspace(0, 1, 20), "categorical": True, "negative_samples": 0.5},
    ),
    "words": ("text_to_word_sequence", ("Hello, World! a-b_c  don't\n",), {}),
    "words_kept": ("text_to_word_sequence", ("Hello, World! a-b",), {"filters": "!", "lower": False, "split": ","}),
    "words_no_filter": ("text_to_word_sequence", ("a, b",), {"filters": ""}),
}  # fmt: skip
NEWER_CALLS = {
    "skipgrams_seed": ("skipgrams", ([1, 2, 3, 4], 9), {"seed": 3}),
    "hash_md5": ("hashing_trick", ("the cat sat", 50), {"hash_function": "md5"}),
    "hash_own": ("hashing_trick", ("the cat sat", 5), {"hash_function": len}),
}

# name -> keywords
TOKENIZERS = {
    "plain": {},
    "few": {"num_words": 4},
    "characters": {"char_level": True},
    "kept": {"lower": False, "filters": ".", "split": " "},
}
NEWER_TOKENIZERS = {"unknown": {"oov_token": "<oov>"}, "unknown_few": {"oov_token": "<oov>", "num_words": 5}}
MODES = ("binary", "count", "freq", "tfidf")

WINDOWS = {
    "plain": {"length": 3},
    "batches": {"length": 3, "batch_size": 2},
    "strided": {"length": 4, "stride": 3, "sampling_rate": 2, "batch_size": 2},
    "part": {"length": 2, "start_index": 3, "end_index": 11, "batch_size": 3},
    "reverse": {"length": 3, "reverse": True, "batch_size": 4},
    "shuffle": {"length": 3, "shuffle": True, "batch_size": 4},
}


def plain(value):
    """``value`` for JSON: an array with its dtype."""
    if isinstance(value, np.ndarray):
        return [str(value.dtype), value.tolist()]
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def call(modules, name, args, keywords):
    """The result of a row, its draws seeded."""
    random.seed(7)
    np.random.seed(7)
    function = next(getattr(module, name) for module in modules if hasattr(module, name))
    return plain(function(*args, **keywords))


def tokenized(tokenizer, lists):
    """What a tokenizer says of texts, known and others; ``lists``: it takes lists of words, too."""
    tokenizer.fit_on_texts(TEXTS)
    if lists:
        tokenizer.fit_on_texts([["the", "Lists", "of", "words"]])
    counts = {name: getattr(tokenizer, name) for name in ("word_counts", "word_docs", "index_docs", "word_index")}
    return {
        "counts": {name: sorted([str(key), value] for key, value in table.items()) for name, table in counts.items()},
        "documents": tokenizer.document_count,
        "sequences": tokenizer.texts_to_sequences(TEXTS + OTHERS),
        "matrices": {mode: plain(tokenizer.texts_to_matrix(TEXTS[:2] + TEXTS[3:], mode)) for mode in MODES},
    }


def windows(generator_class, keywords):
    """All batches of a series' windows."""
    np.random.seed(7)
    made = generator_class(np.arange(30.0).reshape(15, 2), np.arange(15) * 10, **keywords)
    return plain([list(made[i]) for i in range(len(made))])

"""IMDB: 50,000 film reviews as word numbers, each good or bad."""

import numpy as np

from kshim.core import npz
from kshim.datasets import source

HASHES = ("69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f", "599dadb1135973df5b59232a0e9a887c")


def load_data(
    path="imdb.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
    cache_dir=None,
):
    """Load the reviews, from the cache or the web.

    Words are numbered by how often they are met, after which all numbers move up by ``index_from``.

    Args:
        path: name of the file in the cache.
        num_words: numbers from it on become ``oov_char``; None keeps all but the highest.
        skip_top: numbers below it become ``oov_char``.
        maxlen: only reviews shorter than it, with ``start_char``, are given; None means all.
        seed: int of the shuffle.
        start_char: number at the start of each review; None for none.
        oov_char: number of the words that are left out; None takes them out.
        index_from: how far word numbers move up.
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: ``x`` object arrays of lists of ints, 25,000 each; ``y`` int64,
        1 for good.

    Raises:
        ValueError: no review is shorter than ``maxlen``.

    Source: Maas et al. 2011, "Learning Word Vectors for Sentiment Analysis"; Keras 3 ``datasets/imdb.py``.
    """
    arrays = npz.load(source.cached(path, source.FOLDER + "imdb.npz", HASHES, cache_dir))
    rng = np.random.RandomState(seed)
    sequences, labels = [], []
    for part in ("train", "test"):
        x, y = source.shuffled(rng, arrays[f"x_{part}"], arrays[f"y_{part}"])
        x, y = source.shorter(source.numbered(x, start_char, index_from), y, maxlen)
        if not x:
            raise ValueError(
                f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. Increase maxlen."
            )
        sequences.append(x)
        labels.append(y)
    cut = len(sequences[0])
    words = source.in_vocabulary(sequences[0] + sequences[1], num_words, skip_top, oov_char)
    return (source.objects(words[:cut]), labels[0]), (source.objects(words[cut:]), labels[1])


def get_word_index(path="imdb_word_index.json"):
    """The number of each word, before ``index_from``.

    Args:
        path: name of the file in the cache.

    Returns:
        dict of word to int, from 1 on.
    """
    digest = "bfafd718b763782e994055a2d397834f"
    return source.read_json(source.cached(path, source.FOLDER + "imdb_word_index.json", [digest]))

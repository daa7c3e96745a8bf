"""Reuters: 11,228 newswires as word numbers, in 46 topics."""

from kshim.core import npz
from kshim.datasets import source

HASHES = ("d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916", "87aedbeb0cb229e378797a632c1997b6")
LABELS = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee", "sugar",
    "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp",
    "meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel",
    "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi",
    "hog", "lead",
)  # fmt: skip


def load_data(
    path="reuters.npz",
    num_words=None,
    skip_top=0,
    maxlen=None,
    test_split=0.2,
    seed=113,
    start_char=1,
    oov_char=2,
    index_from=3,
    cache_dir=None,
):
    """Load the newswires, from the cache or the web.

    Words are numbered by how often they are met, after which all numbers move up by ``index_from``.

    Args:
        path: name of the file in the cache.
        num_words: numbers from it on become ``oov_char``; None keeps all but the highest.
        skip_top: numbers below it become ``oov_char``.
        maxlen: only newswires shorter than it, with ``start_char``, are given; None means all.
        test_split: share of them that is for testing, in [0, 1).
        seed: int of the shuffle.
        start_char: number at the start of each newswire; None for none.
        oov_char: number of the words that are left out; None takes them out.
        index_from: how far word numbers move up.
        cache_dir: where files are kept, in a folder ``datasets``; None means ``KERAS_HOME`` or ``~/.keras``.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: ``x`` object arrays of lists of ints; ``y`` int64, the topic, 0 to
        45.

    Source: Reuters-21578 (Lewis 1997); Keras 3 ``datasets/reuters.py``.
    """
    arrays = npz.load(source.cached(path, source.FOLDER + "reuters.npz", HASHES, cache_dir))
    x, y = source.shuffled(seed, arrays["x"], arrays["y"])
    x, y = source.shorter(source.numbered(x, start_char, index_from), y, maxlen)
    words = source.objects(source.in_vocabulary(x, num_words, skip_top, oov_char))
    cut = int(len(words) * (1 - test_split))
    return (words[:cut], y[:cut]), (words[cut:], y[cut:])


def get_word_index(path="reuters_word_index.json"):
    """The number of each word, before ``index_from``.

    Args:
        path: name of the file in the cache.

    Returns:
        dict of word to int, from 1 on.
    """
    digest = "4d44cc38712099c9e383dc6e5f11a921"
    return source.read_json(source.cached(path, source.FOLDER + "reuters_word_index.json", [digest]))


def get_label_names():
    """The topics' names, in their numbers' order: a tuple of 46 str."""
    return LABELS

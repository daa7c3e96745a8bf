"""``load_data`` where older dialects gave other files, or the rows in another order. Loaded with ``kshim.datasets``.

Keras 0 and 1 kept text as pickles. Their names and addresses are kept, too; a pickle is read as plain data alone.
"""

import gzip

import numpy as np

from kshim.core import npz, settings
from kshim.datasets import boston_housing as today_boston
from kshim.datasets import imdb as today_imdb
from kshim.datasets import mnist as today_mnist
from kshim.datasets import reuters as today_reuters
from kshim.datasets import source
from kshim.legacy import translate
from kshim.legacy.functions import by_dialect, old_get_file

_PICTURES = "https://s3.amazonaws.com/img-datasets/"
_TEXTS = "https://s3.amazonaws.com/text-datasets/"


def _pickled(path, origin, encoding="bytes", md5_hash=None):
    path = old_get_file(path, origin, md5_hash=md5_hash)
    with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as file:
        return npz.load_pickle(file, path, encoding)


def mnist(path="mnist.pkl.gz"):
    """MNIST as Keras 1 kept it, a gzipped pickle."""
    return _pickled(path, _PICTURES + "mnist.pkl.gz")


def _shuffled(seed, *parts):
    """Each part (rows, labels) in its dialect's order.

    Up to 2.0.8 numpy's own generator is seeded for each part, the second by twice the seed; up to 2.2.4 it is seeded
    once. Later it is left alone.
    """
    if settings.holds(since="2.3.1"):
        rng = np.random.RandomState(seed)
        return [source.shuffled(rng, *part) for part in parts]
    if settings.holds(since="2.2.4"):
        np.random.seed(seed)
        return [source.shuffled(np.random, *part) for part in parts]
    orders = []
    for times, part in enumerate(parts, 1):
        np.random.seed(seed * times)
        orders.append(source.shuffled(np.random, *part))
    return orders


def _chosen(xs, labels, num_words, skip_top, maxlen, start_char, oov_char, index_from):
    xs, labels = source.shorter(source.numbered(xs, start_char, index_from), labels, maxlen)
    if not xs:
        raise ValueError(
            f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. Increase maxlen."
        )
    if oov_char is not None or settings.holds(since="2.0.8"):
        return source.in_vocabulary(xs, num_words, skip_top, oov_char), labels
    highest = num_words or max(max(one) for one in xs)  # Keras 1 kept those outside, where it meant the others
    return [[word for word in one if word >= highest or word < skip_top] for one in xs], labels


def _cut(xs, labels, cut):
    xs = source.objects(xs)
    return (xs[:cut], labels[:cut]), (xs[cut:], labels[cut:])


def _by_share(path, origin, test_split, seed, *choice):
    """A pickle of all rows and all labels, shuffled and cut by a share."""
    ((xs, labels),) = _shuffled(seed, [source.objects(one) for one in _pickled(path, origin)])
    xs, labels = _chosen(xs, labels.astype(int), *choice)
    return _cut(xs, labels, int(len(xs) * (1 - test_split)))


def imdb(
    path="imdb.npz", num_words=None, skip_top=0, maxlen=None, seed=113, start_char=1, oov_char=2, index_from=3,
    test_split=0.2,
):  # fmt: skip
    """The reviews up to 2.3.1: ``maxlen`` is applied to both parts at once, so the cut between them moves.

    Args:
        path: name of the file in the cache, one of the generation's: ``imdb.pkl`` and ``test_split`` of all rows for
            testing in 0.3.3, ``imdb_full.pkl`` in 1.2.2, ``imdb.npz`` since.
        num_words, skip_top, maxlen, seed, start_char, oov_char, index_from: as today.
        test_split: share for testing, in 0.3.3.
    """
    choice = (num_words, skip_top, maxlen, start_char, oov_char, index_from)
    if path.endswith(".npz"):
        arrays = npz.load(source.cached(path, source.FOLDER + "imdb.npz", today_imdb.HASHES))
        parts = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
    elif settings.holds(until="0.3.3"):
        return _by_share(path, _TEXTS + "imdb.pkl", test_split, seed, *choice)
    else:
        digest = "d091312047c43cf9e4e38fef92437263"
        pickled = _pickled(path, _TEXTS + "imdb_full.pkl", md5_hash=digest)
        parts = [tuple(source.objects(one) for one in part) for part in pickled]
    (x, y), (x_test, y_test) = _shuffled(seed, *parts)
    labels = np.concatenate([y, y_test]).astype(int)
    xs, labels = _chosen(np.concatenate([x, x_test]), labels, *choice)
    return _cut(xs, labels, len(x))


def reuters(
    path="reuters.npz", num_words=None, skip_top=0, maxlen=None, test_split=0.2, seed=113, start_char=1, oov_char=2,
    index_from=3,
):  # fmt: skip
    """The newswires up to 2.2.4, shuffled by numpy's own generator.

    Args:
        path: name of the file in the cache: ``reuters.pkl`` up to 1.2.2, ``reuters.npz`` since.
        num_words, skip_top, maxlen, test_split, seed, start_char, oov_char, index_from: as today.
    """
    choice = (num_words, skip_top, maxlen, start_char, oov_char, index_from)
    if not path.endswith(".npz"):
        return _by_share(path, _TEXTS + "reuters.pkl", test_split, seed, *choice)
    arrays = npz.load(source.cached(path, source.FOLDER + "reuters.npz", today_reuters.HASHES))
    ((xs, labels),) = _shuffled(seed, (arrays["x"], arrays["y"]))
    xs, labels = _chosen(xs, labels, *choice)
    return _cut(xs, labels, int(len(xs) * (1 - test_split)))


def boston_housing(path="boston_housing.npz", test_split=0.2, seed=113):
    """The districts up to 2.2.4, shuffled by numpy's own generator: the same rows, and it stays seeded.

    Args:
        path, test_split, seed: as today.
    """
    np.random.seed(seed)
    return today_boston.load_data(path, test_split, np.random)


def word_index(name):
    """``get_word_index`` of Keras 1: a pickled dict.

    Args:
        name: of the data set.
    """

    def get_word_index(path=f"{name}_word_index.pkl"):
        return _pickled(path, f"{_TEXTS}{name}_word_index.pkl", "latin1")

    return get_word_index


def attach():
    """Put them in the modules of ``kshim.datasets``."""
    for module, name, old, until in (
        (today_mnist, "load_data", mnist, "1.2.2"),
        (today_boston, "load_data", boston_housing, "2.2.4"),
        (today_imdb, "load_data", imdb, "2.3.1"),
        (today_reuters, "load_data", reuters, "2.2.4"),
        (today_imdb, "get_word_index", word_index("imdb"), "1.2.2"),
        (today_reuters, "get_word_index", word_index("reuters"), "1.2.2"),
    ):
        key = f"{module.__name__.removeprefix('kshim.')}.{name}"
        today = getattr(module, name)
        if key in translate.ROWS:
            today, old = translate.function(key, today), translate.function(key, old)
        setattr(module, name, by_dialect(today, old, until))

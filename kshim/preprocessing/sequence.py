"""Lists of numbers to arrays: padding, skip-grams, windows of a series.

Source: Keras 2 ``preprocessing/sequence.py``, Keras 3 ``utils/sequence_utils.py``.
"""

import json
import random

import numpy as np

from kshim.core.arrays import pad_sequences
from kshim.training.data.sequence import Sequence

__all__ = [
    "TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams", "timeseries_generator_from_json",
]  # fmt: skip


def make_sampling_table(size, sampling_factor=1e-5):
    """The probability with which the word of each rank is kept, after word2vec's subsampling.

    A word of frequency ``f`` is kept with ``min(1, sqrt(f / sampling_factor) * sampling_factor / f)``, where ``f`` is
    taken from the rank by Zipf's law, ``1 / f = rank * (log(rank) + 0.577) + 1/2 - 1 / (12 * rank)``.

    Args:
        size: number of ranks, an int above 1. Rank 0 is taken as rank 1.
        sampling_factor: word2vec's threshold, above 0.

    Returns:
        float64 array of shape ``(size,)``.

    Source: Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality".
    """
    rank = np.arange(size)
    rank[0] = 1
    inverse_frequency = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    scaled = sampling_factor * inverse_frequency
    return np.minimum(1.0, scaled / np.sqrt(scaled))


def skipgrams(
    sequence,
    vocabulary_size,
    window_size=4,
    negative_samples=1.0,
    shuffle=True,
    categorical=False,
    sampling_table=None,
    seed=None,
):
    """Pairs of a word and a word near it (label 1), or any other word (label 0).

    Draws come from Python's ``random``, in Keras' order, so ``random.seed`` gives Keras' pairs.

    Args:
        sequence: list of word numbers; 0 stands for no word and is left out.
        vocabulary_size: the highest word number plus one.
        window_size: how far on each side "near" reaches, in words.
        negative_samples: how many pairs of label 0 for each of label 1; 0 for none.
        shuffle: whether the pairs are mixed.
        categorical: whether labels are ``[1, 0]`` and ``[0, 1]`` rather than 0 and 1.
        sampling_table: probability to keep each word, as ``make_sampling_table`` gives; None keeps all.
        seed: int of the mixing; None draws one.

    Returns:
        ``(pairs, labels)``, two lists of one length.

    Source: Mikolov et al. 2013, "Efficient Estimation of Word Representations in Vector Space".
    """
    pairs = []
    for position, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        start = max(0, position - window_size)
        for other, near in enumerate(sequence[start : position + window_size + 1], start):
            if other != position and near:
                pairs.append([word, near])
    yes, no = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels = [yes] * len(pairs)
    if negative_samples > 0:
        words = [word for word, _ in pairs]
        random.shuffle(words)
        for i in range(int(len(labels) * negative_samples)):
            pairs.append([words[i % len(words)], random.randint(1, vocabulary_size - 1)])
        labels = labels + [no] * (len(pairs) - len(labels))
    if shuffle:
        seed = random.randint(0, 10_000_000) if seed is None else seed
        for together in (pairs, labels):
            random.seed(seed)
            random.shuffle(together)
    return pairs, labels


def _remove_long_seq(maxlen, seq, label):
    """The sequences shorter than ``maxlen`` and their labels, as two lists."""
    kept = [(one, its) for one, its in zip(seq, label, strict=False) if len(one) < maxlen]
    return [one for one, _ in kept], [its for _, its in kept]


class TimeseriesGenerator(Sequence):
    """Batches of windows over a series, with the target that follows each.

    Args:
        data: array or list of steps, its first axis is time.
        targets: array or list as long as ``data``; the target of the window before step ``i`` is ``targets[i]``.
        length: steps that a window spans.
        sampling_rate: every so many steps of the span are in the window.
        stride: steps between windows that follow one another.
        start_index: steps before it are not used.
        end_index: steps after it are not used; None means the last.
        shuffle: whether windows are drawn at random, with repetition, from numpy's generator.
        reverse: whether the time in a window runs backwards.
        batch_size: windows in a batch.
        workers, use_multiprocessing, max_queue_size: as in ``Sequence``.

    Raises:
        ValueError: for data and targets of different length, or when no window is left.

    Source: Keras 2.3.1 ``preprocessing/sequence.py``.
    """

    def __init__(
        self,
        data,
        targets,
        length,
        sampling_rate=1,
        stride=1,
        start_index=0,
        end_index=None,
        shuffle=False,
        reverse=False,
        batch_size=128,
        workers=1,
        use_multiprocessing=False,
        max_queue_size=10,
    ):
        super().__init__(workers, use_multiprocessing, max_queue_size)
        if len(data) != len(targets):
            raise ValueError(
                "Data and targets have to be of same length. "
                f"Data length is {len(data)} while target length is {len(targets)}"
            )
        self.data, self.targets = data, targets
        self.length, self.sampling_rate, self.stride = length, sampling_rate, stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle, self.reverse, self.batch_size = shuffle, reverse, batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is disallowed, as no part of "
                "the sequence would be left to be used as current step."
            )

    def __len__(self):
        step = self.batch_size * self.stride
        return (self.end_index - self.start_index + step) // step

    def __getitem__(self, index):
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        samples, targets = self._windows(rows), _at(self.targets, rows)
        return (samples[:, ::-1], targets) if self.reverse else (samples, targets)

    def _windows(self, rows):
        steps = np.arange(-self.length, 0, self.sampling_rate)
        if isinstance(self.data, np.ndarray):
            return self.data[rows[:, None] + steps]
        return np.array([self.data[row - self.length : row : self.sampling_rate] for row in rows])

    def get_config(self):
        """The arguments, data and targets as JSON text."""
        return {
            "data": _json(self.data),
            "targets": _json(self.targets),
            "length": self.length,
            "sampling_rate": self.sampling_rate,
            "stride": self.stride,
            "start_index": self.start_index,
            "end_index": self.end_index,
            "shuffle": self.shuffle,
            "reverse": self.reverse,
            "batch_size": self.batch_size,
        }

    def to_json(self, **kwargs):
        """The generator as JSON text; ``kwargs`` go to ``json.dumps``."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)


def timeseries_generator_from_json(json_string):
    """The ``TimeseriesGenerator`` that ``to_json`` wrote; ``start_index`` counts from its first window on."""
    config = json.loads(json_string)["config"]
    for name in ("data", "targets"):
        config[name] = np.array(json.loads(config[name]))
    return TimeseriesGenerator(**config)


def _at(values, rows):
    return values[rows] if isinstance(values, np.ndarray) else np.array([values[row] for row in rows])


def _json(data):
    try:
        return json.dumps(np.asarray(data).tolist())
    except TypeError as error:
        raise TypeError(f"Data not JSON Serializable: {data}") from error

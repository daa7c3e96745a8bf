"""Text to numbers: words, their counts and their matrix.

Source: Keras 2 ``preprocessing/text.py``.
"""

import collections
import hashlib
import json
import math

import numpy as np

from kshim.core import checks
from kshim.core.configurable import Configurable

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(input_text, filters=FILTERS, lower=True, split=" "):
    """The words of a text.

    Args:
        input_text: a str.
        filters: characters that stand for ``split``.
        lower: whether the text is put in lower case.
        split: what is between words.

    Returns:
        list of str, none empty.
    """
    if lower:
        input_text = input_text.lower()
    return [word for word in input_text.translate(dict.fromkeys(map(ord, filters), split)).split(split) if word]


def hashing_trick(text, n, hash_function=None, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """The words of a text as numbers in ``[1, n)``; different words may have one number.

    Args:
        text: a str.
        n: size of the space, an int above 1.
        hash_function: ``"md5"``, the same in every run, or a function of the word; None means Python's ``hash``, which
            is another in every run unless ``PYTHONHASHSEED`` is set.
        filters, lower, split: as in ``text_to_word_sequence``.
        analyzer: function of the text that gives its words; None means ``text_to_word_sequence``.

    Returns:
        list of ints.

    Source: Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning".
    """
    if hash_function is None:
        hash_function = hash
    elif hash_function == "md5":
        hash_function = _md5
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [hash_function(word) % (n - 1) + 1 for word in words]


def one_hot(input_text, n, filters=FILTERS, lower=True, split=" ", analyzer=None):
    """``hashing_trick`` with Python's ``hash``.

    Args:
        input_text: a str.
        n: size of the space, an int above 1.
        filters, lower, split: as in ``text_to_word_sequence``.
        analyzer: function of the text that gives its words; None means ``text_to_word_sequence``.

    Returns:
        list of ints in ``[1, n)``; despite the name no vectors.
    """
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def _md5(word):
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer(Configurable):
    """Words of a body of texts, numbered by how often they are met; 1 is the most frequent, 0 stands for none.

    Args:
        num_words: only words of a number below it are given out; None means all. ``word_index`` holds all.
        filters: characters that stand for ``split``.
        lower: whether texts are put in lower case.
        split: what is between words.
        char_level: whether each character is a word.
        oov_token: the word, numbered 1, that unknown and rarer words become; None leaves them out.
        analyzer: function of a text that gives its words; None means ``text_to_word_sequence``.
        document_count: texts seen so far.

    A text may be given as a list of words; then it is not split.

    Attributes:
        word_counts: word -> times met. word_docs: word -> texts it is in. document_count: texts seen.
        word_index: word -> number. index_word: number -> word. index_docs: number -> texts it is in.

    Source: Keras 2.3.1 ``preprocessing/text.py``; ``analyzer`` of tf.keras.
    """

    lowers_characters = True

    @staticmethod
    def tfidf(count, length, documents, with_word):
        """What ``"tfidf"`` gives a word met ``count`` times in ``length`` words, and in so many of the documents."""
        return (1 + math.log(count)) * math.log(1 + documents / (1 + with_word))

    def __init__(
        self,
        num_words=None,
        filters=FILTERS,
        lower=True,
        split=" ",
        char_level=False,
        oov_token=None,
        analyzer=None,
        document_count=0,
    ):
        self.word_counts = collections.OrderedDict()
        self.word_docs = collections.defaultdict(int)
        self.filters, self.split, self.lower = filters, split, lower
        self.num_words, self.document_count = num_words, document_count
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.index_docs = collections.defaultdict(int)
        self.word_index, self.index_word = {}, {}

    def fit_on_texts(self, texts):
        """Count the words of ``texts`` (iterable of str, or of lists of words) and number them all."""
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for word in words:
                self.word_counts[word] = self.word_counts.get(word, 0) + 1
            for word in set(words):
                self.word_docs[word] += 1
        by_count = sorted(self.word_counts, key=self.word_counts.get, reverse=True)
        known = ([] if self.oov_token is None else [self.oov_token]) + by_count
        self.word_index = {word: number for number, word in enumerate(known, 1)}
        self.index_word = {number: word for word, number in self.word_index.items()}
        for word, count in self.word_docs.items():
            self.index_docs[self.word_index[word]] = count

    def fit_on_sequences(self, sequences):
        """Count in how many of ``sequences`` (lists of numbers) each number is, for ``sequences_to_matrix``."""
        self.document_count += len(sequences)
        for numbers in sequences:
            for number in set(numbers):
                self.index_docs[number] += 1

    def texts_to_sequences(self, texts):
        """Each text as the list of its words' numbers."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts):
        """``texts_to_sequences``, one at a time."""
        unknown = self.word_index.get(self.oov_token)
        for text in texts:
            numbers = (self._allowed(self.word_index.get(word), unknown) for word in self._words(text))
            yield [number for number in numbers if number is not None]

    def sequences_to_texts(self, sequences):
        """Each list of numbers as a text, a space between words."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences):
        """``sequences_to_texts``, one at a time."""
        unknown = self.word_index.get(self.oov_token)
        for numbers in sequences:
            allowed = (self._allowed(number if number in self.index_word else None, unknown) for number in numbers)
            yield " ".join(self.index_word[number] for number in allowed if number is not None)

    def texts_to_matrix(self, texts, mode="binary"):
        """``sequences_to_matrix`` of ``texts_to_sequences``."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences, mode="binary"):
        """A row per list of numbers, a column per word.

        Args:
            sequences: lists of numbers.
            mode: ``"binary"`` (1 where the word is), ``"count"``, ``"freq"`` (count over the length of the list) or
                ``"tfidf"``: ``(1 + log(count)) * log(1 + texts / (1 + texts with the word))``.

        Returns:
            float64 array of shape ``(len(sequences), num_words)``.

        Raises:
            ValueError: for another mode, or before anything was fitted where that is needed.
        """
        if not self.num_words and not self.word_index:
            raise ValueError("Specify a dimension (`num_words` argument), or fit on some text data first.")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("Fit the Tokenizer on some data before using tfidf mode.")
        if mode not in _CELLS:
            raise ValueError(f"Unknown vectorization mode: {mode}.{checks.nearest(mode, _CELLS)}")
        columns = self.num_words or len(self.word_index) + 1
        rows = np.zeros((len(sequences), columns))
        for row, numbers in zip(rows, sequences, strict=True):
            for number, count in collections.Counter(numbers).items():
                if number < columns:
                    row[number] = _CELLS[mode](self, number, count, len(numbers))
        return rows

    def get_config(self):
        """Arguments and counts; the counts as JSON text."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            **{name: json.dumps(getattr(self, name)) for name in _COUNTS},
        }

    def to_json(self, **kwargs):
        """The tokenizer as JSON text, for ``tokenizer_from_json``; ``kwargs`` go to ``json.dumps``."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)

    def _words(self, text):
        if isinstance(text, list):
            return [word.lower() for word in text] if self.lower else text
        if self.char_level:
            return text.lower() if self.lower and self.lowers_characters else text
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def _allowed(self, number, unknown):
        if number is None or (self.num_words and number >= self.num_words):
            return unknown
        return number


_COUNTS = ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
_CELLS = {
    "binary": lambda tokenizer, number, count, length: 1,
    "count": lambda tokenizer, number, count, length: count,
    "freq": lambda tokenizer, number, count, length: count / length,
    "tfidf": lambda tokenizer, number, count, length: tokenizer.tfidf(
        count, length, tokenizer.document_count, tokenizer.index_docs.get(number, 0)
    ),
}


def tokenizer_from_json(json_string):
    """The ``Tokenizer`` that ``to_json`` wrote.

    Raises:
        ValueError: for text that is not a tokenizer's.
    """
    try:
        config = dict(json.loads(json_string)["config"])
        counts = {name: json.loads(config.pop(name)) for name in _COUNTS}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"tokenizer_from_json: expected the text that Tokenizer.to_json gave. Received: {str(json_string)[:80]!r}."
        ) from error
    tokenizer = Tokenizer(**config)
    tokenizer.word_counts = collections.OrderedDict(counts["word_counts"])
    tokenizer.word_docs = collections.defaultdict(int, counts["word_docs"])
    tokenizer.index_docs = collections.defaultdict(int, _int_keys(counts["index_docs"]))
    tokenizer.word_index, tokenizer.index_word = counts["word_index"], _int_keys(counts["index_word"])
    return tokenizer


def _int_keys(table):
    return {int(key): value for key, value in table.items()}

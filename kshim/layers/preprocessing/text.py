"""TextVectorization: texts to indices of their words, or to counts of them."""

import itertools
import string

import numpy as np
import torch

from kshim.core import checks, dtypes, registry, settings
from kshim.core.checks import as_int, one_of
from kshim.graph import infer
from kshim.graph.keras_tensor import concrete
from kshim.layers.preprocessing.hashing import StringLayer
from kshim.layers.preprocessing.lookup import MODE_ALIASES, IndexLookup, StringLookup, refuse_path
from kshim.layers.preprocessing.numeric import batches, check_mode

PUNCTUATION = string.punctuation.encode()


def _one_of_or_callable(*values):
    def check(owner, name, value):
        return value if callable(value) else one_of(*values)(owner, name, value)

    return check


def _ngrams(owner, name, value):
    """None, or a tuple of widths; an int means all up to it."""
    widths = (value,) if as_int(value) is not None else value
    if value is not None and not (isinstance(widths, tuple) and all(as_int(w) is not None and w > 0 for w in widths)):
        checks.fail(owner, f"`{name}` to be None, an int above 0 or a tuple of them", f"{name}={value!r}")
    return value


class TextVectorization(StringLayer):
    """Texts as indices of their words in a vocabulary, or as counts of them.

    A text is put into a standard form, split into words, these are joined to n-grams, and looked up.

    Args:
        max_tokens: largest size of the vocabulary, an int above 1, special tokens included; None for no limit.
        standardize: "lower", "strip_punctuation", "lower_and_strip_punctuation" (both of ASCII letters and signs, as
            in TensorFlow), None, or a function of a numpy array of ``str`` that returns one of the same shape.
        split: "whitespace" (ASCII's), "character", None, or a function of a vector of ``str`` that returns a list or
            array of the words of each.
        ngrams: None; an int, the longest n-gram; or a tuple of the lengths.
        output_mode: "int", where index 0 is padding and 1 an unknown word; "one_hot", "multi_hot", "count"; or
            "tf_idf", the counts times the words' weights.
        output_sequence_length: in "int" mode, the length each row is cut or padded to; None for the longest of a batch.
        pad_to_max_tokens: whether rows have ``max_tokens`` numbers in the other modes, however many words there are.
        vocabulary: the words, in a list or array, or the path of a text file with one in each line.
        idf_weights: in "tf_idf" mode, a number for each word.
        sparse, ragged: must be false.
        encoding: that of bytes among the texts.

    Shapes:
        texts ``(batch,)`` or ``(batch, 1)`` -> int64 ``(batch, length)`` for "int", ``(batch, vocabulary_size())``
        otherwise; "one_hot" is ``(batch, length, vocabulary_size())``, zeros where it is padded. With
        ``split=None`` the last axis holds the words of a sample.

    Raises:
        ValueError: an argument, the vocabulary or an input is none of these.
        RuntimeError: a call before there is a vocabulary.

    Source: Keras 3 ``layers/preprocessing/text_vectorization.py``. It needs no TensorFlow here.
    """

    input_dtype = "string"

    def __init__(self, max_tokens=None, standardize="lower_and_strip_punctuation", split="whitespace", ngrams=None,
                 output_mode="int", output_sequence_length=None, pad_to_max_tokens=False, vocabulary=None,
                 idf_weights=None, sparse=False, ragged=False, encoding="utf-8", name=None, **kwargs):  # fmt: skip
        hidden = {key: kwargs.pop(key, None) for key in ("has_input_vocabulary", "vocabulary_size")}
        super().__init__(name=name, **kwargs)
        output_mode = MODE_ALIASES.get(output_mode, output_mode)
        self.keep(
            {"max_tokens": max_tokens, "standardize": standardize, "split": split, "ngrams": ngrams,
             "output_mode": output_mode, "output_sequence_length": output_sequence_length,
             "pad_to_max_tokens": pad_to_max_tokens, "sparse": sparse, "ragged": ragged, "encoding": encoding},
            standardize=_one_of_or_callable("lower_and_strip_punctuation", "lower", "strip_punctuation", None),
            split=_one_of_or_callable("whitespace", "character", None), ngrams=_ngrams,
        )  # fmt: skip
        check_mode(self, output_mode, sparse, IndexLookup.modes)
        if ragged:
            checks.fail(self, "rows of one length: torch has no ragged tensors here", "ragged=True", "Leave it out.")
        if output_sequence_length is not None and (output_mode != "int" or as_int(output_sequence_length) is None):
            checks.fail(
                self, "`output_sequence_length` to be an int, in 'int' mode, or None",
                f"output_sequence_length={output_sequence_length!r}, output_mode={output_mode!r}",
            )  # fmt: skip
        self._widths = tuple(range(1, ngrams + 1)) if as_int(ngrams) is not None else ngrams
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens, vocabulary=vocabulary, idf_weights=idf_weights, pad_to_max_tokens=pad_to_max_tokens,
            mask_token="", output_mode=output_mode, encoding=encoding, **hidden,
        )  # fmt: skip

    # -- the vocabulary ------------------------------------------------------------------------------------------

    def adapt(self, data, batch_size=None, steps=None):
        """Learn the vocabulary: the most frequent words first, of equally frequent ones the greater.

        Args:
            data: a list or array of texts, or an iterable of batches of them.
            batch_size: accepted as in Keras, which has no use for it either.
            steps: the largest number of batches; None for all.

        Raises: ValueError if the layer was made with a ``vocabulary``.
        """
        self.reset_state()
        if isinstance(data, (list, tuple, np.ndarray)):
            data = self.as_array(data)
            self.update_state(data[:, None] if data.ndim == 1 else data)
        else:
            for batch in batches(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Count the words in ``data``."""
        rows = self._words(self.as_array(data))
        if rows and rows[0] and isinstance(next(itertools.chain.from_iterable(rows), ""), bytes):
            rows = [[word.decode("utf-8", "surrogateescape") for word in row] for row in rows]
        self._lookup_layer.count(rows)

    def finalize_state(self):
        """Make the vocabulary from the counts."""
        self._lookup_layer.finalize_state()

    def reset_state(self):
        """Forget the counts."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens=True):
        """The words in the order of their indices.

        Args:
            include_special_tokens: whether padding and the token for unknown words are among them.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self):
        """How many indices there are."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Take a vocabulary, as ``StringLookup.set_vocabulary``."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights=idf_weights)

    # -- calling -------------------------------------------------------------------------------------------------

    def call(self, inputs):
        if isinstance(inputs, torch.Tensor):
            if not inputs.is_meta:
                checks.fail(self, "texts", f"a tensor of {inputs.dtype}")
            specs = self._specs([inputs])
            return inputs.new_empty(concrete(specs.shape), dtype=dtypes.TORCH[specs.dtype])
        shape = inputs.shape
        rows = self._words(inputs)
        lookup, length = self._lookup_layer, self.output_sequence_length
        if self.output_mode == "int" and length is not None:
            rows = [row[:length] for row in rows]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        lookup.require_vocabulary()
        found = lookup.indices_of(list(itertools.chain.from_iterable(rows)))
        width = int(lengths.max(initial=0)) if length is None else length
        kept = torch.as_tensor(np.arange(width) < lengths[:, None], device=found.device)
        # What is padded has index 0 in "int" mode, and counts nowhere in the others.
        padded = found.new_full((len(rows), width), 0 if self.output_mode == "int" else -1)
        padded[kept] = found
        if self.split is None:
            return lookup.encoded(padded.reshape(*shape[:-1], width))
        padded = padded.reshape(*shape[:1], width)
        # One text of one word is a row of one word, too: "one_hot" would drop the axis of it.
        return lookup.encoded(padded.unsqueeze(-1) if self.output_mode == "one_hot" else padded)

    def compute_output_shape(self, input_shape):
        """Written out: how many words a text has does not follow from a shape."""
        whole = self.split is None
        samples = tuple(input_shape[:-1] if whole else input_shape[:1])
        words = input_shape[-1] if whole and input_shape and self.ngrams is None else None
        if self.output_mode == "int":
            return (*samples, self.output_sequence_length or words)
        depth = self.max_tokens if self.pad_to_max_tokens else self._lookup_layer._frozen_vocab_size
        if self.output_mode == "one_hot" and not (whole and words == 1 and samples):
            return (*samples, words, depth)
        return (*samples, depth)

    def _specs(self, args):
        dtype = settings.floatx() if self.output_mode == "tf_idf" else "int64"
        return infer.Spec(self.compute_output_shape(args[0].shape), dtype)

    def _words(self, inputs):
        """The words of each text, a list of lists of ``str``, or of bytes where that is quicker."""
        texts, shape = self.texts(inputs, self.encoding), inputs.shape
        if callable(self.standardize):
            changed = np.asarray(self.standardize(np.array(texts, dtype=str).reshape(shape)))
            texts, shape = self.texts(changed), changed.shape
        else:
            texts = _standard([text.encode("utf-8", "surrogateescape") for text in texts], self.standardize or "")
        if self.split is None:
            size = shape[-1] if shape else 1
            rows = [texts[i : i + size] for i in range(0, len(texts), size)] if size else []
        else:
            if len(shape) > 1 and shape[-1] != 1:
                checks.fail(self, "texts of shape (batch,) or (batch, 1) to split", f"shape={tuple(shape)}")
            rows = self._split(texts)
        return [_joined(row, self._widths) for row in rows] if self._widths else rows

    def _split(self, texts):
        if callable(self.split):
            vector = np.array([t.decode() if isinstance(t, bytes) else t for t in texts], dtype=str)
            return [[str(word) for word in np.asarray(row).ravel()] for row in self.split(vector)]
        if self.split == "character":
            return [list(t.decode("utf-8", "surrogateescape") if isinstance(t, bytes) else t) for t in texts]
        return [(t if isinstance(t, bytes) else t.encode("utf-8", "surrogateescape")).split() for t in texts]

    # -- files ---------------------------------------------------------------------------------------------------

    def get_config(self):
        lookup = self._lookup_layer.get_config()
        own = {name: lookup[name] for name in ("vocabulary", "idf_weights")}
        return {**super().get_config(), **own, "vocabulary_size": self.vocabulary_size()}

    def _config_value(self, name):
        return None if name in ("vocabulary", "idf_weights") else super()._config_value(name)

    @classmethod
    def from_config(cls, config):
        """The layer. A config never opens a file: a path as ``vocabulary`` raises ValueError."""
        refuse_path(cls, config)
        config = dict(config)
        for name in ("standardize", "split"):
            value = config.get(name)
            if isinstance(value, dict):
                config[name] = _function(cls, name, value)
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return cls(**config)

    def save_own_variables(self, store):
        """Put the weights of "tf_idf" mode into ``store``."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store):
        """Take them from ``store``."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path):
        """Write a learned vocabulary to ``vocabulary.txt`` in the folder; one that was given is in the config."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path):
        """Read it back."""
        self._lookup_layer.load_assets(dir_path)


def _function(cls, name, config):
    """The user's registered function that a config names."""
    found = registry.find_custom(config.get("registered_name") or config.get("config"))
    if found is None:
        raise ValueError(
            f"{cls.__name__}: expected `{name}` to be a registered function. Received: {config!r}. "
            "Decorate it with keras.utils.register_keras_serializable()."
        )
    return found


def _standard(texts, how):
    """Bytes in lower case and without punctuation, as far as ``how`` says; both of ASCII alone."""
    if "lower" in how:
        texts = [text.lower() for text in texts]
    if "punctuation" in how:
        texts = [text.translate(None, PUNCTUATION) for text in texts]
    return texts


def _joined(words, widths):
    """The n-grams of ``words``: of each width in turn, in the words' order."""
    gap = b" " if words and isinstance(words[0], bytes) else " "
    found = []
    for width in widths:
        found += words if width == 1 else map(gap.join, zip(*(words[i:] for i in range(width)), strict=False))
    return found

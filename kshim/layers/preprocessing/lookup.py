"""Strings and ints to indices by vocabulary: IntegerLookup, StringLookup."""

import collections
import itertools
import os

import numpy as np
import torch

from kshim.core import arrays, checks, dtypes, settings
from kshim.core.checks import describe, one_of
from kshim.graph import infer
from kshim.layers.preprocessing.hashing import StringLayer, fingerprints, hashed, pair
from kshim.layers.preprocessing.numeric import batches, check_mode, encode

MODE_ALIASES = {"binary": "multi_hot", "tf-idf": "tf_idf"}
MISSING = -2  # the index of what is in no table; -1 is what counts nowhere


class IndexLookup(StringLayer):
    """Base of the lookups in a vocabulary. A child says what a token is.

    The vocabulary begins with the mask token (in "int" mode, where there is one), then the tokens for what is in no
    vocabulary, then the terms.
    """

    modes = ("int", "one_hot", "multi_hot", "count", "tf_idf")

    def _begin(self, arguments):
        """Take a child's constructor arguments; its keywords may hold ``oov_method`` and what only a config says."""
        kwargs = arguments["kwargs"]
        kwargs.pop("dtype", None)  # as in Keras: what goes in and out is given by the mode
        hidden = {name: kwargs.pop(name, None) for name in ("vocabulary_size", "has_input_vocabulary")}
        given = {"oov_method": kwargs.pop("oov_method", "floormod"), **arguments}
        super().__init__(name=given["name"], autocast=False, **kwargs)
        vocabulary, idf_weights = given["vocabulary"], given["idf_weights"]
        given["output_mode"] = MODE_ALIASES.get(given["output_mode"], given["output_mode"])
        for name in ("self", "kwargs", "__class__", "name", "vocabulary", "idf_weights"):
            given.pop(name, None)
        self.keep(given, salt=pair, oov_method=one_of("floormod", "farmhash"))
        check_mode(self, self.output_mode, self.sparse, self.modes)
        self._check_sizes()
        if self.invert and self.output_mode != "int":
            checks.fail(self, "output_mode='int' with invert=True", f"output_mode={self.output_mode!r}")
        if idf_weights is not None and self.output_mode != "tf_idf":
            checks.fail(self, "`idf_weights` in 'tf_idf' mode only", f"output_mode={self.output_mode!r}")
        if vocabulary is not None and idf_weights is None and self.output_mode == "tf_idf":
            checks.fail(self, "`idf_weights` beside `vocabulary` in 'tf_idf' mode", "idf_weights=None")
        path = isinstance(vocabulary, (str, os.PathLike))
        self.__dict__.update(
            input_vocabulary=None if path else vocabulary, input_idf_weights=idf_weights, idf_weights=None, _terms=None
        )
        self._frozen_vocab_size = hidden["vocabulary_size"]
        given_one = hidden["has_input_vocabulary"]
        self._has_input_vocabulary = vocabulary is not None if given_one is None else given_one
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _check_sizes(self):
        if self.max_tokens is not None and (checks.as_int(self.max_tokens) is None or self.max_tokens <= 1):
            checks.fail(self, "`max_tokens` to be an int above 1, or None", f"max_tokens={self.max_tokens!r}")
        if self.pad_to_max_tokens and self.max_tokens is None:
            checks.fail(self, "`max_tokens` with pad_to_max_tokens=True", "max_tokens=None")
        if checks.as_int(self.num_oov_indices) is None or self.num_oov_indices < 0:
            checks.fail(self, "`num_oov_indices` to be an int above -1", f"num_oov_indices={self.num_oov_indices!r}")

    # -- the vocabulary ------------------------------------------------------------------------------------------

    def _oov_start(self):
        return int(self.mask_token is not None and self.output_mode == "int")

    def _token_start(self):
        return self._oov_start() + self.num_oov_indices

    def _special(self):
        return [self.mask_token] * self._oov_start() + [self.oov_token] * self.num_oov_indices

    def vocabulary_size(self):
        """How many indices there are, those of the mask and of what is in no vocabulary among them."""
        return len(self._terms or ()) + self._token_start()

    def get_vocabulary(self, include_special_tokens=True):
        """The tokens in the order of their indices.

        Args:
            include_special_tokens: whether the mask token and those for what is in no vocabulary are among them.
        """
        return (self._special() if include_special_tokens else []) + list(self._terms or ())

    def set_vocabulary(self, vocabulary, idf_weights=None):
        """Take a vocabulary.

        Args:
            vocabulary: the terms, in an array, list or tuple; with all special tokens at the front, or none of them.
                Or the path of a text file with a term in each line.
            idf_weights: in "tf_idf" mode, a number for each.

        Raises:
            ValueError: it is empty, has a term twice, a special token elsewhere, or more than ``max_tokens``; there is
                no such file; ``idf_weights`` are missing, too many, or of another mode.
            RuntimeError: the size differs from that of the vocabulary before, which the outputs' shape tells.
        """
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            checks.fail(
                self, "`idf_weights` in 'tf_idf' mode, and there only",
                f"output_mode={self.output_mode!r}, idf_weights={idf_weights!r}",
            )  # fmt: skip
        if isinstance(vocabulary, (str, os.PathLike)):
            return self._set_terms(self._from_file(vocabulary))
        if np.size(arrays.to_numpy(vocabulary)) == 0:
            checks.fail(self, "a vocabulary with terms in it", f"vocabulary={vocabulary!r}")
        tokens = self._tokens(self.as_array(vocabulary))
        start, special = self._token_start(), self._special()
        with_special = tokens[:start] == special
        terms = tokens[start:] if with_special else tokens
        for name, token in (("mask", self.mask_token), ("OOV", self.oov_token if self.invert else None)):
            if token is not None and token in terms:
                checks.fail(
                    self, f"a vocabulary that begins with all of {special}, or has none of them",
                    f"the reserved {name} token {token!r} at index {tokens.index(token, start if with_special else 0)}",
                )  # fmt: skip
        if self.max_tokens is not None and start + len(terms) > self.max_tokens:
            checks.fail(self, f"a vocabulary of at most max_tokens={self.max_tokens}", f"{start + len(terms)} tokens")
        if idf_weights is not None:
            idf_weights = np.asarray(arrays.to_numpy(idf_weights), dtype="float64")
            if idf_weights.shape != (len(tokens),):
                checks.fail(
                    self, f"`idf_weights` of shape {(len(tokens),)}, as `vocabulary` has",
                    f"idf_weights of shape {idf_weights.shape}",
                )  # fmt: skip
        self._set_terms(terms)
        if idf_weights is not None:
            self._set_idf_weights(idf_weights, 0 if with_special else start)

    def _from_file(self, path):
        if not os.path.exists(path):
            checks.fail(self, "the path of a text file", f"vocabulary={path!r}, which does not exist")
        if self.output_mode == "tf_idf":
            checks.fail(self, "the terms themselves in 'tf_idf' mode", f"vocabulary={path!r}", "Read the file first.")
        with open(path, "rb") as file:
            lines = file.read().replace(b"\r", b"").split(b"\n")
        return self._parsed([line.decode("utf-8") for line in (lines[:-1] if lines[-1] == b"" else lines)])

    def _set_terms(self, terms):
        counts = collections.Counter(terms)
        if len(counts) != len(terms):
            twice = [term for term, count in counts.items() if count > 1]
            checks.fail(self, "a vocabulary without a repeated term", f"{twice} more than once")
        size = self._token_start() + len(terms)
        if self._shape_depends() and self._frozen_vocab_size not in (None, size):
            raise RuntimeError(
                f"{describe(self)}: expected the vocabulary size to stay {self._frozen_vocab_size}, which the outputs' "
                f"shape tells in output_mode={self.output_mode!r}. Received: {size} tokens. Use pad_to_max_tokens=True."
            )
        self.__dict__["_terms"] = list(terms)
        self._frozen_vocab_size = size
        indices = dict(zip(terms, range(self._token_start(), size), strict=True))
        if self.mask_token is not None:
            indices[self.mask_token] = 0 if self.output_mode == "int" else -1
        self._make_table(indices)

    def _shape_depends(self):
        return self.output_mode != "int" and not self.pad_to_max_tokens

    def _set_idf_weights(self, weights, front):
        """Weights of the terms; the ``front`` tokens before them get their mean, padding at the end 0."""
        back = self.max_tokens - front - len(weights) if self.pad_to_max_tokens else 0
        weights = np.concatenate([np.full(front, weights.mean()), weights, np.zeros(back)])
        self.__dict__["idf_weights"] = torch.as_tensor(weights, dtype=dtypes.to_torch(settings.floatx()), device="cpu")

    # -- learning one --------------------------------------------------------------------------------------------

    def adapt(self, data, steps=None):
        """Learn the vocabulary: the most frequent tokens first, of equally frequent ones the greater.

        Args:
            data: an array, tensor or list, each row a document; or an iterable of such batches.
            steps: the largest number of batches; None for all.

        Raises: ValueError if the layer was made with a ``vocabulary``.
        """
        self.reset_state()
        if isinstance(data, (list, tuple, np.ndarray, torch.Tensor)):
            data = self.as_array(data)
            self.update_state(data[:, None] if data.ndim == 1 else data)
        else:
            for batch in batches(data, steps):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data):
        """Count the tokens in ``data``, whose rows are documents; a vector is one document."""
        data = self.as_array(data)
        rows = len(data) if data.ndim > 1 else 1
        tokens = self._tokens(data)
        size = len(tokens) // rows if rows else 0
        self.count([tokens[i * size : (i + 1) * size] for i in range(rows)])

    def count(self, documents):
        """Count the tokens in ``documents``, a list of lists of them."""
        if self._has_input_vocabulary:
            checks.fail(
                self, "a layer made without `vocabulary`", "adapt() on one that has a static vocabulary",
                "Leave `vocabulary` out to learn it.",
            )  # fmt: skip
        self._counts.update(itertools.chain.from_iterable(documents))
        if self.output_mode == "tf_idf":
            self._document_counts.update(itertools.chain.from_iterable(map(set, documents)))
            self._documents += len(documents)

    def finalize_state(self):
        """Make the vocabulary from the counts."""
        if self._has_input_vocabulary or not self._counts:
            return
        counts = {token: n for token, n in self._counts.items() if token not in (self.mask_token, self.oov_token)}
        terms = sorted(counts, key=lambda token: (counts[token], token), reverse=True)
        if self.max_tokens is not None:
            terms = terms[: max(self.max_tokens - self._token_start(), 0)]
        self._set_terms(terms)
        if self.output_mode == "tf_idf":
            found = np.array([self._document_counts[term] for term in terms], dtype="float64")
            self._set_idf_weights(np.log(1 + self._documents / (1 + found)), self._token_start())
        self.reset_state()

    def reset_state(self):
        """Forget the counts."""
        self.__dict__["_counts"], self.__dict__["_document_counts"] = collections.Counter(), collections.Counter()
        self._documents = 0

    # -- calling -------------------------------------------------------------------------------------------------

    @property
    def input_dtype(self):
        """Dtype name of the inputs."""
        return "string" if isinstance(self, StringLookup) and not self.invert else "int64"

    def call(self, inputs):
        meta = isinstance(inputs, torch.Tensor) and inputs.is_meta
        if self._shape_depends() and self._frozen_vocab_size is None:
            raise RuntimeError(
                f"{describe(self)}: expected a vocabulary, which tells the outputs' shape in "
                f"output_mode={self.output_mode!r}. Received: none. Pass `vocabulary`, or call `adapt(data)` first."
            )
        if meta:
            return self.encoded(inputs.long())
        self.require_vocabulary()
        return self._inverse(inputs) if self.invert else self.encoded(self._indices(inputs))

    def require_vocabulary(self):
        """Raise RuntimeError if there is none yet."""
        if self._terms is None:
            raise RuntimeError(
                f"{describe(self)}: expected a vocabulary. Received: none. Pass `vocabulary`, or call `adapt(data)` "
                "or `set_vocabulary(...)` first."
            )

    def encoded(self, indices):
        """Indices in the form that ``output_mode`` asks for."""
        if self.output_mode == "int":
            return indices
        depth = self.max_tokens if self.pad_to_max_tokens else self._frozen_vocab_size
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        rows = encode(indices, mode, depth, torch.int64)
        if self.output_mode != "tf_idf":
            return rows
        return rows * (self.beside("idf_weights", rows) if self.idf_weights is not None else 1.0)

    def _refuse_missing(self, tokens):
        checks.fail(
            self, "all inputs to be in the vocabulary, as num_oov_indices=0 asks", f"{tokens}",
            "Give num_oov_indices=1 for values that are not.",
        )  # fmt: skip

    # -- files ---------------------------------------------------------------------------------------------------

    def get_config(self):
        listed = {"vocabulary": _listed(self.input_vocabulary), "idf_weights": _listed(self.input_idf_weights)}
        return {
            **super().get_config(), **listed, "vocabulary_size": self._frozen_vocab_size, "oov_method": self.oov_method
        }  # fmt: skip

    def _config_value(self, name):
        return None if name in ("vocabulary", "idf_weights") else super()._config_value(name)

    @classmethod
    def from_config(cls, config):
        """The layer. A config never opens a file: a path as ``vocabulary`` raises ValueError."""
        refuse_path(cls, config)
        return cls(**config)

    def save_own_variables(self, store):
        """Put the weights of "tf_idf" mode into ``store``."""
        if self.output_mode == "tf_idf":
            store["idf_weights"] = arrays.to_numpy(self.idf_weights)

    def load_own_variables(self, store):
        """Take them from ``store``."""
        if self.output_mode == "tf_idf":
            dtype = dtypes.to_torch(settings.floatx())
            self.__dict__["idf_weights"] = torch.as_tensor(np.array(store["idf_weights"]), dtype=dtype, device="cpu")

    def save_assets(self, dir_path):
        """Write a learned vocabulary to ``vocabulary.txt`` in the folder; one that was given is in the config."""
        if self.input_vocabulary is None:
            with open(os.path.join(dir_path, "vocabulary.txt"), "w", encoding="utf-8", newline="\n") as file:
                file.write("\n".join(map(str, self.get_vocabulary())))

    def load_assets(self, dir_path):
        """Read it back."""
        if self.input_vocabulary is not None:
            return
        with open(os.path.join(dir_path, "vocabulary.txt"), encoding="utf-8", newline="\n") as file:
            lines = file.read().split("\n")
        lines = [] if lines == [""] else lines  # an empty last line is a term: Keras 3 loses it
        idf_weights = arrays.to_numpy(self.idf_weights) if self.output_mode == "tf_idf" else None
        if idf_weights is not None:
            idf_weights = idf_weights[: len(lines)]
        self.set_vocabulary(self._parsed(lines), idf_weights)


def refuse_path(cls, config):
    """Raise ValueError if a layer's config names a file: a config from elsewhere could read any."""
    vocabulary = config.get("vocabulary")
    if isinstance(vocabulary, (str, bytes, os.PathLike)):
        raise ValueError(
            f"{cls.__name__}: a config may not load a vocabulary file, which could be any file of this machine. "
            f"Expected a list of terms. Received: vocabulary={vocabulary!r}. Read the file, if you trust where the "
            f"config comes from, and call `{cls.__name__}.from_config({{**config, 'vocabulary': terms}})`."
        )


def _listed(value):
    return value if value is None or isinstance(value, (list, tuple)) else arrays.to_numpy(value).tolist()


class IntegerLookup(IndexLookup):
    """The index of each int in a vocabulary.

    Args:
        max_tokens: largest size of the vocabulary, special tokens included, an int above 1; None for no limit.
        num_oov_indices: how many indices there are for what is in no vocabulary; 0 refuses it.
        mask_token: the int whose index is 0; in other modes than "int" it counts nowhere. None for none.
        oov_token: what stands for unknown values in the vocabulary, and comes out for them where ``invert``.
        vocabulary: the terms, in a list or array, or the path of a text file with one in each line.
        vocabulary_dtype: must be "int64".
        idf_weights: in "tf_idf" mode, a number for each term.
        invert: whether to turn indices into terms.
        output_mode: "int", or as in ``CategoryEncoding``: "one_hot", "multi_hot", "count"; "tf_idf": the counts times
            the terms' weights.
        sparse: must be false.
        pad_to_max_tokens: whether rows have ``max_tokens`` numbers, however many terms there are.
        oov_method: how the index of an unknown value is chosen of several: "floormod" or "farmhash" (a hash).
        salt: an int or two: the hash is SipHash64 with that key; for "farmhash" only.

    Shapes:
        any -> the same, int64, for "int"; otherwise as ``CategoryEncoding`` with ``vocabulary_size()`` numbers.

    Raises:
        ValueError: an argument, the vocabulary or (with ``num_oov_indices=0``) a value is none of these.
        RuntimeError: a call before there is a vocabulary.

    Source: Keras 3 ``layers/preprocessing/integer_lookup.py``.
    """

    def __init__(self, max_tokens=None, num_oov_indices=1, mask_token=None, oov_token=-1, vocabulary=None,
                 vocabulary_dtype="int64", idf_weights=None, invert=False, output_mode="int", sparse=False,
                 pad_to_max_tokens=False, oov_method="floormod", salt=None, name=None, **kwargs):  # fmt: skip
        self._begin(locals())
        one_of("int64")(self, "vocabulary_dtype", vocabulary_dtype)
        if salt is not None and oov_method != "farmhash":
            checks.fail(self, "`salt` with oov_method='farmhash' only", f"oov_method={oov_method!r}")

    def get_config(self):
        config = super().get_config()
        if config["vocabulary"] is not None:
            config["vocabulary"] = [int(term) for term in config["vocabulary"]]
        return config

    def _tokens(self, array):
        array = arrays.to_numpy(array)
        if array.dtype.kind not in "iub":
            checks.fail(self, "ints", f"an array of {array.dtype}")
        return array.ravel().tolist()

    def _parsed(self, lines):
        return [int(line) for line in lines]

    def _make_table(self, indices):
        keys, places = zip(*sorted(indices.items()), strict=True) if indices else ((), ())
        self.__dict__["_keys"] = torch.tensor(keys, dtype=torch.int64, device="cpu")
        self.__dict__["_places"] = torch.tensor(places, dtype=torch.int64, device="cpu")
        tokens = self.get_vocabulary() if self.invert else []
        self.__dict__["_values"] = torch.tensor(tokens, dtype=torch.int64, device="cpu")

    def _indices(self, inputs):
        inputs = inputs.long()
        keys, places = self.beside("_keys", inputs), self.beside("_places", inputs)
        at = torch.searchsorted(keys, inputs).clamp(max=len(keys) - 1)
        found = keys[at] == inputs
        if self.num_oov_indices == 0:
            if not found.all():
                self._refuse_missing(inputs[~found].tolist())
            return places[at]
        other = self._oov_start()
        if self.num_oov_indices > 1 and self.oov_method == "floormod":
            other = inputs.remainder(self.num_oov_indices) + other
        elif self.num_oov_indices > 1:
            other = hashed(self, inputs, self.salt, self.num_oov_indices) + other
        return torch.where(found, places[at], other)

    def _inverse(self, inputs):
        inputs = inputs.long()
        values = self.beside("_values", inputs)
        inside = (inputs >= 0) & (inputs < len(values))
        return torch.where(inside, values[inputs.clamp(0, len(values) - 1)], self.oov_token)


class StringLookup(IndexLookup):
    """The index of each string in a vocabulary.

    Args:
        max_tokens: largest size of the vocabulary, special tokens included, an int above 1; None for no limit.
        num_oov_indices: how many indices there are for what is in no vocabulary; of several, a hash chooses; 0 refuses
            it.
        mask_token: the string whose index is 0; in other modes than "int" it counts nowhere. None for none.
        oov_token: what stands for unknown strings in the vocabulary, and comes out for them where ``invert``.
        vocabulary: the terms, in a list or array, or the path of a text file with one in each line.
        idf_weights: in "tf_idf" mode, a number for each term.
        invert: whether to turn indices into terms, a numpy array of ``str``.
        output_mode: "int", or as in ``CategoryEncoding``: "one_hot", "multi_hot", "count"; "tf_idf": the counts times
            the terms' weights.
        pad_to_max_tokens: whether rows have ``max_tokens`` numbers, however many terms there are.
        sparse: must be false.
        encoding: that of bytes among inputs and terms.
        salt: an int or two: the hash is SipHash64 with that key.

    Shapes:
        any -> the same, int64, for "int"; otherwise as ``CategoryEncoding`` with ``vocabulary_size()`` numbers.

    Raises:
        ValueError: an argument, the vocabulary or (with ``num_oov_indices=0``) a string is none of these.
        RuntimeError: a call before there is a vocabulary.

    Source: Keras 3 ``layers/preprocessing/string_lookup.py``. It needs no TensorFlow here.
    """

    def __init__(self, max_tokens=None, num_oov_indices=1, mask_token=None, oov_token="[UNK]", vocabulary=None,
                 idf_weights=None, invert=False, output_mode="int", pad_to_max_tokens=False, sparse=False,
                 encoding="utf-8", name=None, salt=None, **kwargs):  # fmt: skip
        self._begin(locals())

    def _tokens(self, array):
        return self.texts(array, self.encoding)

    def _parsed(self, lines):
        return lines

    def _make_table(self, indices):
        self.__dict__["_table"], self.__dict__["_bytes_table"] = indices, None
        self.__dict__["_values"] = np.array(self.get_vocabulary()) if self.invert else None

    def _indices(self, inputs):
        return self.indices_of(self._tokens(inputs)).reshape(tuple(inputs.shape))

    def indices_of(self, tokens):
        """The indices of a list of ``str``, or of UTF-8 ``bytes``, as a vector."""
        table = self._table
        if tokens and isinstance(tokens[0], bytes):
            if self._bytes_table is None:
                pairs = self._table.items()
                self.__dict__["_bytes_table"] = {t.encode("utf-8", "surrogateescape"): i for t, i in pairs}
            table = self._bytes_table
        default = self._oov_start() if self.num_oov_indices == 1 else MISSING
        found = np.fromiter(map(table.get, tokens, itertools.repeat(default)), np.int64, len(tokens))
        if default == MISSING:
            missing = np.flatnonzero(found == MISSING)
            unknown = [tokens[i] for i in missing]
            if unknown and self.num_oov_indices == 0:
                self._refuse_missing(unknown)
            elif unknown:
                found[missing] = fingerprints(unknown, self.salt, self.num_oov_indices) + self._oov_start()
        return torch.as_tensor(found, device=self.device)

    def _inverse(self, inputs):
        indices = arrays.to_numpy(inputs).astype("int64")
        inside = (indices >= 0) & (indices < len(self._values))
        return np.where(inside, self._values[indices.clip(0, len(self._values) - 1)], self.oov_token)

    def _specs(self, args):
        specs = super()._specs(args)
        return infer.Spec(specs.shape, "string") if self.invert else specs

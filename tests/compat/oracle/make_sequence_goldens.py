"""Write what ``preprocessing`` of a version gives: ``python make_sequence_goldens.py sequence-2.3.1.json`` (1.2.2)."""

import json
import sys

import keras
import sequence_rows as rows
from keras.preprocessing import sequence, text

newer = not keras.__version__.startswith("1")
calls = dict(rows.CALLS, **(rows.NEWER_CALLS if newer else {}))
tokenizers = dict(rows.TOKENIZERS, **(rows.NEWER_TOKENIZERS if newer else {}))


def tokenizer(keywords):
    """The tokenizer in this version's words."""
    renamed = {"num_words": "num_words" if newer else "nb_words"}
    return text.Tokenizer(**{renamed.get(name, name): value for name, value in keywords.items()})


goldens = {
    "calls": {name: rows.call((sequence, text), *row) for name, row in calls.items()},
    "tokenizers": {name: rows.tokenized(tokenizer(keywords), newer) for name, keywords in tokenizers.items()},
}
if newer:
    goldens["windows"] = {name: rows.windows(sequence.TimeseriesGenerator, row) for name, row in rows.WINDOWS.items()}
    tokenizer = text.Tokenizer(5, oov_token="<oov>")
    tokenizer.fit_on_texts(rows.TEXTS)
    goldens["json"] = tokenizer.to_json()
with open(sys.argv[1], "w") as file:
    json.dump(goldens, file)

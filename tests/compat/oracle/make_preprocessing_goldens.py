"""Write what Keras 3's lookup layers give to a .json: ``python make_preprocessing_goldens.py preprocessing.json``.

They need TensorFlow: Python 3.11 with ``tensorflow-cpu==2.21.0 keras==3.15.1``. The rows are those of
``cases/layers/preprocessing_lookup.py``, loaded by its path: that environment has no torch.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow

spec = importlib.util.spec_from_file_location(
    "rows", Path(__file__).parent.parent / "cases" / "layers" / "preprocessing_lookup.py"
)
rows = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rows)


def plain(value):
    """``value`` for JSON: bytes as texts, arrays as lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return value


def made(row):
    layer = getattr(keras.layers, row.layer)(name="it", **row.arguments)
    if row.adapt is not None:
        layer.adapt((batch for batch in row.adapt) if row.batches else row.adapt)
    return layer


def symbolic(layer, inputs):
    """Shape and dtype of the layer's output for an Input of the row's shape."""

    def entry(value):
        value = np.asarray(value)
        return keras.Input(value.shape[1:], dtype="string" if value.dtype.kind == "U" else value.dtype.name)

    if isinstance(inputs, str) or np.ndim(inputs[0] if isinstance(inputs, tuple) else inputs) == 0:
        return None
    if isinstance(inputs, tuple) and len(inputs) > 2:
        return None  # Keras takes more than two inputs in eager calls only
    outputs = layer([entry(x) for x in inputs] if isinstance(inputs, tuple) else entry(inputs))
    return [list(outputs.shape), outputs.dtype]


def golden(row):
    layer = made(row)
    outputs = layer(row.inputs).numpy()
    found = {
        "output": plain(outputs), "dtype": "string" if outputs.dtype.kind in "OS" else outputs.dtype.name,
        "config": plain(layer.get_config()),
    }  # fmt: skip
    if hasattr(layer, "get_vocabulary"):
        found["vocabulary"] = plain(layer.get_vocabulary())
        found["terms"] = plain(layer.get_vocabulary(include_special_tokens=False))
    found["symbolic"] = symbolic(layer, row.inputs)
    return found


def error(bad):
    """The class of what the call raises, and its bases up to Exception."""
    try:
        bad.make(keras)
    except Exception as caught:
        return [cls.__name__ for cls in type(caught).__mro__ if issubclass(cls, Exception)]
    return None


def main(path):
    found, failed = {}, {}
    for row in rows.ROWS:
        try:
            found[row.name] = golden(row)
        except Exception as caught:
            failed[row.name] = f"{type(caught).__name__}: {str(caught)[:200]}"
    goldens = {
        "meta": {"keras": keras.__version__, "tensorflow": tensorflow.__version__},
        "rows": found, "failed": failed, "bad": {bad.name: error(bad) for bad in rows.BAD},
    }  # fmt: skip
    Path(path).write_text(json.dumps(goldens, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

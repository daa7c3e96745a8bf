"""Write what ops give on Keras' TensorFlow back end where torch's is wrong: ``python make_ops_goldens.py``.

Needs TensorFlow: Python 3.11 with ``tensorflow-cpu==2.21.0 keras==3.15.1``. The rows are those of ``cases/ops``.
"""

import os
import sys
import types
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
CASES = types.ModuleType("cases")  # the folder without its __init__, which imports torch: it is not there
CASES.__path__ = [str(Path(__file__).parent.parent / "cases")]
sys.modules["cases"] = CASES

import keras  # noqa: E402  (after the two lines above)
import numpy as np  # noqa: E402
from cases.ops import ON_TENSORFLOW  # noqa: E402

results = {
    f"{i}-{row.name}": np.asarray(getattr(keras.ops, row.name)(*row.args, **row.kwargs))
    for i, row in enumerate(ON_TENSORFLOW)
}
np.savez_compressed(Path(__file__).parent / "ops-tensorflow.npz", **results)

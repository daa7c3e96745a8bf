"""Write what ``backend_rows`` gives under an old Keras: ``python make_backend_goldens.py OUTPUT.npz``."""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import backend_rows
import keras
import numpy as np
from keras import backend as K


def tensor(value):
    if not isinstance(value, np.ndarray):
        return value
    return K.variable(value, dtype=value.dtype.name if value.dtype.kind == "f" else "int32")


rows = dict(backend_rows.BOTH)
rows.update(backend_rows.KERAS_1 if keras.__version__.startswith("1.") else backend_rows.KERAS_2)
found = {}
for name, (function, args, kwargs) in rows.items():
    found[name] = np.asarray(K.eval(getattr(K, function)(*[tensor(a) for a in args], **kwargs)))
np.savez_compressed(sys.argv[1], **found)

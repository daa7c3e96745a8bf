"""Write what ``backend_rows`` gives under an old Keras: ``python make_backend_goldens.py VERSION OUTPUT.npz``.

Keys: ``<row>/<i>`` the results, ``<row>/grad/<i>`` the gradients for the float arrays among the arguments, and
``<row>/error`` the class of what was raised. VERSION is a key of ``backend_rows.OF``; for tf.keras, ``tf_keras`` runs.
"""

import importlib
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import backend_rows
import numpy as np
import tensorflow as tf

VERSION = sys.argv[1]
keras = importlib.import_module("tf_keras" if VERSION == "tf.keras" else "keras")
K = keras.backend
EAGER = VERSION == "tf.keras"


def tensor(value, floats):
    if isinstance(value, list):
        return [tensor(part, floats) for part in value]
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "b":  # no variables of it before 2.1
        return tf.constant(value)
    made = K.variable(value, dtype=value.dtype.name)
    if value.dtype.kind == "f":
        floats.append(made)
    return made


def call(row, floats):
    function, args, kwargs = row
    args = [tensor(a, floats) for a in args]
    kwargs = {key: tensor(value, floats) for key, value in kwargs.items()}
    return backend_rows.flat(getattr(K, function)(*args, **kwargs) if isinstance(function, str) else function(K, *args))


def is_tensor(leaf):
    return hasattr(leaf, "op") or (EAGER and tf.is_tensor(leaf))


def is_float(leaf):
    return (
        is_tensor(leaf)
        and np.dtype(leaf.dtype.as_numpy_dtype if hasattr(leaf.dtype, "as_numpy_dtype") else str(leaf.dtype)).kind
        == "f"
    )


def value(leaf):
    return np.asarray(K.eval(leaf) if is_tensor(leaf) else leaf)


def total(leaves):
    sums = [tf.reduce_sum(leaf * tf.cast(backend_rows.cotangent(value(leaf).shape), leaf.dtype)) for leaf in leaves]
    return sum(sums[1:], sums[0])


def gradients(row):
    floats = []
    if EAGER:
        with tf.GradientTape() as tape:
            leaves = [leaf for leaf in call(row, floats) if is_float(leaf)]
            if not leaves or not floats:
                return []
            loss = total(leaves)
        return tape.gradient(loss, floats)
    leaves = [leaf for leaf in call(row, floats) if is_float(leaf)]
    if not leaves or not floats:
        return []
    found = tf.gradients(total(leaves), floats)
    K.get_session().run(tf.global_variables_initializer())
    return found


found = {}
for name, row in list(backend_rows.OF[VERSION].items()) + [
    ("refused/" + k, v) for k, v in backend_rows.REFUSED.items()
]:
    try:
        values = [value(leaf) for leaf in call(row, [])]
    except Exception as error:  # whatever it raises is what the row records
        found[name + "/error"] = np.array(type(error).__name__)
        if not name.startswith("refused"):
            print(VERSION, name, type(error).__name__, str(error)[:150].replace("\n", " "))
        continue
    found.update({"{}/{}".format(name, i): v for i, v in enumerate(values)})
    try:
        slopes = gradients(row)
    except (LookupError, ValueError, TypeError) as error:  # no gradient is registered for some
        print(VERSION, name, "gradient", type(error).__name__, str(error)[:100].replace("\n", " "))
        continue
    for i, slope in enumerate(slopes):
        if slope is not None:
            dense = tf.convert_to_tensor(slope) if not hasattr(slope, "eval") else slope
            found["{}/grad/{}".format(name, i)] = np.asarray(K.eval(dense))
np.savez_compressed(sys.argv[2], **found)

"""Rows of ``make_average_goldens.py``: what is compiled and fed; plain data, run alike in every Keras and in kshim."""

import numpy as np

BATCH = 3  # of 7 rows: uneven batches

LOSSES = {
    "mean_squared_error": "values",
    "binary_crossentropy": "labels",
    "categorical_crossentropy": "one_hot",
    "sparse_categorical_crossentropy": "classes",
}
WAYS = ("plain", "mask", "weights", "mask_weights", "some_zero", "mask_some_zero", "temporal", "mask_temporal")


def probabilities(shape):
    """Positive numbers in [0.05, 0.95] whose last axis sums to 1 (of width 3)."""
    raw = (np.arange(np.prod(shape)) * 7 % 11 + 1.0).reshape(shape)
    return (raw / raw.sum(-1, keepdims=True)).astype("float32")


def targets(kind, shape):
    """Targets of each kind for predictions of ``shape``."""
    classes = (np.arange(np.prod(shape[:-1])) * 5 % shape[-1]).reshape(shape[:-1])
    return {
        "values": (np.arange(np.prod(shape)) % 5 / 4.0).reshape(shape).astype("float32"),
        "labels": (np.arange(np.prod(shape)) % 3 > 0).reshape(shape).astype("float32"),
        "one_hot": np.eye(shape[-1], dtype="float32")[classes],
        "classes": classes[..., None],
    }[kind]


def rows(version):
    """name -> row: a dict of ``loss``, ``way``, ``metrics``, ``class_weight``, ``outputs``."""
    found = {}
    for loss in LOSSES:
        for way in WAYS:
            found[f"{loss}/{way}"] = {"loss": loss, "way": way}
    for loss in ("binary_crossentropy", "categorical_crossentropy", "mean_squared_error"):
        for way in ("plain", "mask", "weights", "flat", "flat_weights"):
            found[f"metrics/{loss}/{way}"] = {"loss": loss, "way": way, "metrics": ["accuracy", "mae"]}
    found["metrics/sparse"] = {"loss": "sparse_categorical_crossentropy", "way": "flat", "metrics": ["accuracy"]}
    for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        found["class_weight/" + loss] = {"loss": loss, "way": "flat", "class_weight": {0: 1.0, 1: 3.0, 2: 0.5}}
        found["class_weight_zero/" + loss] = {"loss": loss, "way": "flat", "class_weight": {0: 1.0, 1: 0.0, 2: 0.5}}
    for way in ("flat", "flat_weights"):
        found["outputs/" + way] = {"loss": "mean_squared_error", "way": way, "outputs": 2, "metrics": ["mae"]}
    if not version.startswith("1."):
        for loss in ("categorical_crossentropy", "binary_crossentropy"):
            for way in ("weights", "flat_weights", "some_zero"):
                found[f"weighted/{loss}/{way}"] = {
                    "loss": loss, "way": way, "metrics": ["mae"], "weighted_metrics": ["accuracy", "mse"],
                }  # fmt: skip
    return found


def weights_of(way, shape):
    """Sample weights of a way, or None."""
    rows = np.array([1.0, 2.0, 0.5, 3.0, 1.5, 1.0, 4.0])
    if "temporal" in way:
        return np.outer(rows, [1.0, 0.0, 2.0, 1.0])[:, : shape[1]]
    if "some_zero" in way:
        return rows * np.array([1, 0, 1, 0, 0, 1, 1])
    return rows if "weights" in way else None


def run(keras, row, version=None):
    """The logs of ``evaluate`` and of one epoch of ``fit``, name -> number."""
    keras.backend.clear_session()
    way, several = row["way"], row.get("outputs", 1)
    shape = (7, 3) if way.startswith("flat") else (7, 4, 3)
    x = probabilities(shape)
    if way.startswith("mask"):
        for i, steps in enumerate((4, 2, 1, 3, 4, 2, 3)):
            x[i, steps:] = 0
    inputs = keras.layers.Input(shape=shape[1:])
    hidden = keras.layers.Masking(0.0)(inputs) if way.startswith("mask") else inputs
    outputs = []
    for i in range(several):
        layer = keras.layers.Dense(3, name=f"out{i}") if several > 1 else None
        if layer is None and len(shape) == 3:
            layer = keras.layers.TimeDistributed(keras.layers.Dense(3, name="inner"), name="out")
        elif layer is None:
            layer = keras.layers.Dense(3, name="out")
        outputs.append(layer(hidden))
    model = keras.models.Model(inputs, outputs if several > 1 else outputs[0])
    model.set_weights([np.eye(3) if w.ndim == 2 else np.array([0.1, 0.2, 0.3]) for w in model.get_weights()])
    compiled = {"metrics": row.get("metrics", [])}
    if "weighted_metrics" in row:
        compiled["weighted_metrics"] = row["weighted_metrics"]
    if "temporal" in way:
        compiled["sample_weight_mode"] = "temporal"
    if several > 1:
        compiled["loss_weights"] = [1.0, 0.3]
    model.compile(keras.optimizers.SGD(lr=0.0), row["loss"], **compiled)
    y = targets(LOSSES[row["loss"]], shape)
    weight = weights_of(way, shape)
    if several > 1:
        y, weight = [y, 1 - y], None if weight is None else [weight, weight[::-1].copy()]
    values = model.evaluate(x, y, batch_size=BATCH, sample_weight=weight, verbose=0)
    values = values if isinstance(values, list) else [values]
    old = (version or keras.__version__).startswith("1.")
    history = model.fit(
        x, y, batch_size=BATCH, sample_weight=weight, class_weight=row.get("class_weight"), verbose=0, shuffle=False,
        **{"nb_epoch" if old else "epochs": 1}
    ).history  # fmt: skip
    found = {"evaluate/" + name: float(values[i]) for i, name in enumerate(model.metrics_names)}
    found.update({"fit/" + name: float(np.asarray(value)[0]) for name, value in history.items()})
    return found

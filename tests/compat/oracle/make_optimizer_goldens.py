"""A hundred training steps of every optimizer of Keras 1 and 2.

``python make_optimizer_goldens.py optimizers-2.3.1.npz`` inside the environment of each generation, as README.md says
for ``make_goldens.py``, whose model, batches and ordering of the graph's races it takes.
"""

import sys

import make_goldens as base
import numpy as np
from optimizer_rows import LOSS, ROWS, STEPS


def goldens():
    """First weights, data, and for each row the loss of each step, the last weights and ``get_weights()``' shapes."""
    rows = {name: row[:2] for name, row in ROWS.items() if row[2] or not base.KERAS_1}
    base.OPTIMIZERS, base.STEPS = rows, STEPS
    base.K.clear_session()
    out = {f"initial/{i}": w for i, w in enumerate(base.mlp().get_weights())}
    out.update(x=base.X, y=base.Y[LOSS][1])
    for name in rows:
        model, losses = base.trained(name, LOSS, ordered=True)
        out[name + "/loss"] = losses
        out.update({f"{name}/final/{i}": w for i, w in enumerate(model.get_weights())})
        out.update({f"{name}/state/{i}": w for i, w in enumerate(model.optimizer.get_weights())})
    return {key: np.asarray(value, "float32") for key, value in out.items()}


if __name__ == "__main__":
    np.savez_compressed(sys.argv[1], **goldens())

"""Files of weights: Keras 3's ``.weights.h5`` and Keras 2's ``.h5``, written and read."""

from kshim.saving.weights import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]

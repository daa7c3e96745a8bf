"""Weights of Keras 1 in today's shapes and order.

It had an array for each gate of a recurrent layer, and kernels of Conv1D with an axis of 1 behind the steps.
Source: Keras 1.2.2 ``layers/recurrent.py``, ``layers/convolutional.py``.
"""

import numpy as np

from kshim import layers
from kshim.legacy.layers import Deconvolution2D

# class -> where each of today's gates stood in the old order (i, c, f, o; z, r, h)
GATES = {layers.LSTM: (0, 2, 1, 3), layers.GRU: (0, 1, 2), layers.ConvLSTM2D: (0, 2, 1, 3)}


def today(layer, arrays):
    """``arrays``, a list in Keras 1's order, as ``layer.set_weights`` takes them."""
    rest = list(arrays)
    converted = _taken(layer, rest)
    return converted + rest


def _taken(layer, rest):
    """Take the arrays of ``layer`` off the front of ``rest`` and give them in today's shapes."""
    gates = next((order for cls, order in GATES.items() if isinstance(layer, cls)), None)
    if gates is not None:
        if len(rest) < 3 * len(gates) or rest[0].shape[-1] == len(gates) * rest[1].shape[-2]:  # all gates in one
            return _off(rest, 3)
        old = _off(rest, 3 * len(gates))
        return [np.concatenate([old[3 * gate + kind] for gate in gates], -1) for kind in range(3)]
    if isinstance(layer, layers.Conv1D):
        return [a[:, 0] if a.ndim == 4 else a for a in _off(rest, len(layer.weights))]
    if isinstance(layer, Deconvolution2D):
        return [np.swapaxes(a, 2, 3) if a.ndim == 4 else a for a in _off(rest, len(layer.weights))]
    children = [child for child in getattr(layer, "layers", layer.children()) if list(child.parameters())]
    if not children:
        return _off(rest, len(layer.weights))
    return [array for child in children for array in _taken(child, rest)]


def _off(rest, count):
    taken, rest[:count] = rest[:count], []
    return taken

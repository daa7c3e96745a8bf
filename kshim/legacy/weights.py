"""Weights of Keras 1 in today's shapes and order.

It had an array for each gate of a recurrent layer, and kernels of Conv1D with an axis of 1 behind the steps.
Source: Keras 1.2.2 ``layers/recurrent.py``, ``layers/convolutional.py``.
"""

import numpy as np
import torch

from kshim import layers
from kshim.core import settings
from kshim.legacy.layers import Deconvolution2D

# The layers whose kernels Theano turned round: (rows, columns, in, out).
TURNED = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Conv2DTranspose, layers.ConvLSTM2D)

# class -> where each of today's gates stood in the old order (i, c, f, o; z, r, h)
GATES = {layers.LSTM: (0, 2, 1, 3), layers.GRU: (0, 1, 2), layers.ConvLSTM2D: (0, 2, 1, 3)}


def from_file(layer, stored, version, backend):
    """The arrays of a layer in a file of ``version`` of Keras, in today's shapes and order.

    Args:
        layer: the layer of the model, which may hold others.
        stored: checked datasets.
        version: as the file tells it, "1.0.0" where it does not.
        backend: "theano", "tensorflow", "cntk", or None (Keras 1 did not tell).
    """
    if not version.startswith(("0.", "1.")) and backend != "theano":
        return stored
    arrays = [data[()] for data in stored]
    if version.startswith(("0.", "1.")):
        arrays = today(layer, arrays)
    if backend == "theano":
        arrays = _turned(layer, arrays)
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


_OLD_NAMES = {"kernel": "W", "embeddings": "W", "bias": "b"}


def optimizer_state(model, arrays, names):
    """An optimizer's arrays in a file of the dialect, in the order in which ``set_weights`` takes them.

    Keras 1 had those of each slot in the order of the weights' names. In tf.keras the rate is no variable, a plain SGD
    has moments all the same, and before 2.11 (``names`` tell) all of one slot stood together.
    """
    if settings.holds(since="tf.keras", until="tf.keras"):
        return _of_tf(model, arrays, names)
    if not settings.holds(until="1.2.2"):
        return arrays
    owners = {id(w): m.name for m in model.modules() if isinstance(m, layers.Layer) for w in m._parameters.values()}
    own = model.trainable_weights
    names = [f"{owners[id(w)]}_{_OLD_NAMES.get(w.name, w.name)}" for w in own]
    order = sorted(range(len(own)), key=names.__getitem__)
    first = len(arrays) % max(len(own), 1)  # the count of steps
    found = arrays[:first]
    for start in range(first, len(arrays), max(len(own), 1)):
        part = arrays[start : start + len(own)]
        placed = dict(zip(order, part, strict=False))
        found += [placed[i] for i in range(len(own)) if i in placed]
    return found


def _of_tf(model, arrays, names):
    optimizer, count = model.optimizer, len(model.trainable_weights)
    own = [np.asarray(v.detach().cpu()) for v in optimizer.variables]
    moments = arrays[1:]
    if len(names) > 1 and names[1].split("/")[-1].partition(":")[0] in _LAST_IN_NAME and optimizer.interleaved:
        each = len(moments) // max(count, 1)
        moments = [moments[slot * count + i] for i in range(count) for slot in range(each)]
    slots = len(optimizer.slots) * count
    if len(moments) != slots and optimizer.slots:
        return arrays  # does not fit, which set_weights says
    kept = own[: len(own) - slots]
    return [arrays[0], *kept[1:], *(moments if optimizer.slots else [])]


_LAST_IN_NAME = ("m", "v", "vhat", "momentum", "rms", "accumulator", "accum_grad", "accum_var")


def _turned(layer, arrays):
    """Theano's convolutions turned their kernels round; the order of the arrays is today's."""
    inner = [m for m in layer.modules() if isinstance(m, layers.Layer) and m._parameters]
    flips = {
        id(weight): isinstance(module, TURNED) and weight.dim() > 2
        for module in inner for weight in module._parameters.values() if weight is not None
    }  # fmt: skip
    turned = []
    for weight, array in zip(layer.weights, arrays, strict=False):
        axes = tuple(range(array.ndim - 2)) if flips.get(id(weight)) else ()
        turned.append(np.flip(array, axes) if axes else array)
    return turned + arrays[len(turned) :]


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
    if isinstance(layer, (layers.Conv2D, layers.Conv3D)) and layer.data_format == "channels_first":
        return [np.moveaxis(a, (0, 1), (-1, -2)) if a.ndim > 3 else a for a in _off(rest, len(layer.weights))]
    if isinstance(layer, Deconvolution2D):
        return [np.swapaxes(a, 2, 3) if a.ndim == 4 else a for a in _off(rest, len(layer.weights))]
    children = [child for child in getattr(layer, "layers", layer.children()) if list(child.parameters())]
    if not children:
        return _off(rest, len(layer.weights))
    return [array for child in children for array in _taken(child, rest)]


def _off(rest, count):
    taken, rest[:count] = rest[:count], []
    return taken

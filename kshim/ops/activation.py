"""Activation functions of each element, and over an axis.

Source: Keras 3 ``ops/nn.py``; the papers stand in ``kshim.activations``, which has the same formulas for layers.
"""

import warnings

import torch
import torch.nn.functional as F

from kshim.graph.op import op
from kshim.ops.casting import elementwise_op, tensor

relu = elementwise_op("relu", torch.relu, "``max(x, 0)``.")
relu6 = elementwise_op("relu6", F.relu6, "``min(max(x, 0), 6)``.")
selu = elementwise_op("selu", torch.selu, "``1.0507 * elu(x, alpha=1.67326)``.")
silu = elementwise_op("silu", F.silu, "``x * sigmoid(x)``.")
sigmoid = elementwise_op("sigmoid", torch.sigmoid, "``1 / (1 + exp(-x))``.")
log_sigmoid = elementwise_op("log_sigmoid", F.logsigmoid, "``log(sigmoid(x))``.")
hard_sigmoid = elementwise_op("hard_sigmoid", F.hardsigmoid, "``x / 6 + 0.5`` within [0, 1].")
hard_silu = elementwise_op("hard_silu", F.hardswish, "``x * hard_sigmoid(x)``.")
hard_tanh = elementwise_op("hard_tanh", F.hardtanh, "``x`` within [-1, 1].")
tanh_shrink = elementwise_op("tanh_shrink", F.tanhshrink, "``x - tanh(x)``.")
softplus = elementwise_op("softplus", F.softplus, "``log(exp(x) + 1)``.")
softsign = elementwise_op("softsign", F.softsign, "``x / (abs(x) + 1)``.")
sparse_sigmoid = elementwise_op("sparse_sigmoid", lambda x: (F.hardtanh(x) + 1) / 2, "``(x + 1) / 2`` within [0, 1].")
sparse_plus = elementwise_op(
    "sparse_plus", lambda x: torch.where(x < 1, (F.threshold(x, -1, -1) + 1).square() / 4, x),
    "0 up to -1, ``(x + 1)^2 / 4`` up to 1, then ``x``.",
)  # fmt: skip

ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}
swish, hard_swish = silu, hard_silu


@op
def leaky_relu(x, negative_slope=0.2):
    """``x`` where positive, else ``negative_slope * x``."""
    return F.leaky_relu(tensor(x), negative_slope)


@op
def elu(x, alpha=1.0):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``."""
    return F.elu(tensor(x), alpha)


@op
def celu(x, alpha=1.0):
    """``x`` where positive, else ``alpha * (exp(x / alpha) - 1)``; ``alpha`` is not 0."""
    return F.celu(tensor(x), alpha)


@op
def gelu(x, approximate=True):
    """``x * Phi(x)``, Phi the normal distribution's; ``approximate`` writes Phi with tanh."""
    return F.gelu(tensor(x), approximate="tanh" if approximate else "none")


@op
def glu(x, axis=-1):
    """``a * sigmoid(b)``, the two halves of ``x`` along ``axis``, whose size is even."""
    return F.glu(tensor(x), axis)


@op
def soft_shrink(x, threshold=0.5):
    """``x`` moved towards 0 by ``threshold`` (at least 0), and 0 within it."""
    return F.softshrink(tensor(x), threshold)


@op
def hard_shrink(x, threshold=0.5):
    """``x``, and 0 within ``[-threshold, threshold]``."""
    return F.hardshrink(tensor(x), threshold)


@op
def threshold(x, threshold, default_value):
    """``x`` above ``threshold``, else ``default_value``."""
    return F.threshold(tensor(x), threshold, default_value)


@op
def squareplus(x, b=4):
    """``(x + sqrt(x^2 + b)) / 2``; ``b`` is the smoothness, at least 0."""
    x = tensor(x)
    return (x + torch.sqrt(x * x + b)) / 2


@op
def softmax(x, axis=-1):
    """``exp(x) / sum(exp(x))`` over ``axis``: an int, several in a tuple, or None for all.

    Warns where the axis has size 1, since the result then is 1 always.
    """
    x = tensor(x)
    if not isinstance(axis, int):
        return over_axes(torch.softmax, x, axis)
    outputs = torch.softmax(x, axis)
    if outputs.dim() and outputs.shape[axis] == 1:
        warnings.warn(
            f"softmax over axis {axis} of a tensor of shape {tuple(x.shape)}: the axis has size 1, so every "
            "output is 1. Did you mean a sigmoid?",
            stacklevel=3,
        )
    return outputs


@op
def log_softmax(x, axis=-1):
    """``log(softmax(x, axis))``, computed in one."""
    x = tensor(x)
    return torch.log_softmax(x, axis) if isinstance(axis, int) else over_axes(torch.log_softmax, x, axis)


@op
def sparsemax(x, axis=-1):
    """The point of the probability simplex nearest to ``x``, along ``axis``: ``max(x - tau, 0)``.

    Source: Martins and Astudillo 2016, algorithm 1. Keras up to 3.15 gives too little where more than one logit
    survives (its issue 23425, fixed since); this is the right one.
    """
    return project_to_simplex(tensor(x), axis)


def project_to_simplex(x, axis):
    """``sparsemax`` of a tensor."""
    x = x - torch.amax(x, axis, keepdim=True)  # the result is the same, and large numbers lose no digits
    ordered, _ = torch.sort(x, dim=axis, descending=True)
    ranks = torch.cumsum(torch.ones_like(x), axis)
    excess = torch.cumsum(ordered, axis) - 1
    count = torch.sum(ordered * ranks > excess, dim=axis, keepdim=True)
    return torch.clamp(x - torch.gather(excess, axis, count - 1) / count, min=0)


def over_axes(function, x, axis):
    """``function(x, axis)`` over the several axes in the tuple ``axis``, or over all for None."""
    if axis is None:
        return torch.reshape(function(torch.reshape(x, (-1,)), 0), x.shape)
    last = tuple(range(-len(axis), 0))
    moved = torch.movedim(x, tuple(axis), last)
    outputs = torch.reshape(function(torch.flatten(moved, -len(axis)), -1), moved.shape)
    return torch.movedim(outputs, last, tuple(axis))

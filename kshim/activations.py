"""Activation functions, over torch's own kernels.

``x`` is a tensor, a symbolic tensor, or anything that ``core.arrays.to_tensor`` takes. The result has its shape, and
its dtype where that is a float. Source: Keras 3 ``activations/activations.py``, unless a function names a paper.
"""

import warnings

import torch
import torch.nn.functional as F

from kshim.core import configurable
from kshim.core.arrays import to_tensor
from kshim.core.registry import Registry, registered_name
from kshim.ops.activation import over_axes, project_to_simplex


def linear(x):
    """``x`` itself."""
    return x


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """``max(x, 0)``; in full: ``x`` from ``threshold`` on, but at most ``max_value``, and below the threshold
    ``negative_slope * (x - threshold)``.

    Args:
        x: see the module.
        negative_slope: slope below the threshold, at least 0.
        max_value: where the function saturates; None for nowhere.
        threshold: where the positive part begins.
    """
    x = to_tensor(x)
    if not threshold and max_value is None:
        return F.leaky_relu(x, negative_slope) if negative_slope else torch.relu(x)
    if threshold:
        positive = torch.where(x > threshold, x, 0)
    elif max_value == 6:
        positive = F.relu6(x)
    else:
        positive = torch.relu(x)
    if max_value is not None:
        positive = torch.clamp(positive, 0, max_value)
    return positive - negative_slope * torch.relu(threshold - x) if negative_slope else positive


def leaky_relu(x, negative_slope=0.2):
    """``x`` where positive, else ``negative_slope * x``; the slope is at least 0."""
    return F.leaky_relu(to_tensor(x), negative_slope)


def relu6(x):
    """``min(max(x, 0), 6)``."""
    return F.relu6(to_tensor(x))


def elu(x, alpha=1.0):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``. Source: Clevert et al. 2016."""
    return F.elu(to_tensor(x), alpha)


def selu(x):
    """``1.0507 * elu(x, alpha=1.67326)``: keeps mean 0 and variance 1. Source: Klambauer et al. 2017."""
    return torch.selu(to_tensor(x))


def celu(x, alpha=1.0):
    """``x`` where positive, else ``alpha * (exp(x / alpha) - 1)``; ``alpha`` is not 0. Source: Barron 2017."""
    return F.celu(to_tensor(x), alpha)


def gelu(x, approximate=False):
    """``x * Phi(x)``, Phi the normal distribution's; ``approximate`` writes Phi with tanh. Source: Hendrycks 2016."""
    return F.gelu(to_tensor(x), approximate="tanh" if approximate else "none")


def silu(x):
    """``x * sigmoid(x)``. Source: Ramachandran et al. 2017."""
    return F.silu(to_tensor(x))


def mish(x):
    """``x * tanh(softplus(x))``. Source: Misra 2019."""
    return F.mish(to_tensor(x))


def glu(x, axis=-1):
    """``a * sigmoid(b)``, the two halves of ``x`` along ``axis``, whose size is even. Source: Dauphin et al. 2017."""
    return F.glu(to_tensor(x), axis)


def sigmoid(x):
    """``1 / (1 + exp(-x))``. The result carries its logits for the losses, as ``softmax``'s does."""
    x = to_tensor(x)
    outputs = torch.sigmoid(x)
    if type(outputs) is torch.Tensor and torch.is_grad_enabled():
        outputs._sigmoid_logits = x
    return outputs


def hard_sigmoid(x):
    """``x / 6 + 0.5`` within [0, 1]."""
    return F.hardsigmoid(to_tensor(x))


def log_sigmoid(x):
    """``log(sigmoid(x))``."""
    return F.logsigmoid(to_tensor(x))


def sparse_sigmoid(x):
    """``(x + 1) / 2`` within [0, 1]. Source: Martins and Astudillo 2016."""
    return 0.5 * (F.hardtanh(to_tensor(x)) + 1)


def hard_silu(x):
    """``x * hard_sigmoid(x)``. Source: Howard et al. 2019."""
    return F.hardswish(to_tensor(x))


def tanh(x):
    """The hyperbolic tangent."""
    return torch.tanh(to_tensor(x))


def hard_tanh(x):
    """``x`` within [-1, 1]."""
    return F.hardtanh(to_tensor(x))


def tanh_shrink(x):
    """``x - tanh(x)``."""
    return F.tanhshrink(to_tensor(x))


def soft_shrink(x, threshold=0.5):
    """``x`` moved towards 0 by ``threshold`` (at least 0), and 0 within it."""
    return F.softshrink(to_tensor(x), threshold)


def hard_shrink(x, threshold=0.5):
    """``x``, and 0 within ``[-threshold, threshold]``."""
    return F.hardshrink(to_tensor(x), threshold)


def threshold(x, threshold, default_value):
    """``x`` above ``threshold``, else ``default_value``."""
    return F.threshold(to_tensor(x), threshold, default_value)


def exponential(x):
    """``exp(x)``."""
    return torch.exp(to_tensor(x))


def softplus(x):
    """``log(exp(x) + 1)``."""
    return F.softplus(to_tensor(x))


def softsign(x):
    """``x / (abs(x) + 1)``."""
    return F.softsign(to_tensor(x))


def squareplus(x, b=4):
    """``(x + sqrt(x^2 + b)) / 2``; ``b`` is the smoothness, at least 0. Source: Barron 2021."""
    x = to_tensor(x)
    return (x + torch.sqrt(x * x + b)) / 2


def sparse_plus(x):
    """0 up to -1, ``(x + 1)^2 / 4`` up to 1, then ``x``."""
    x = to_tensor(x)
    return torch.where(x < 1, (F.threshold(x, -1, -1) + 1).square() / 4, x)


def softmax(x, axis=-1):
    """``exp(x) / sum(exp(x))`` over ``axis``: an int, several in a tuple, or None for all.

    Over the last axis the result carries its logits while autograd is on (``outputs._softmax_logits``), from which the
    losses take the stable form. Warns where the axis has size 1, since the result then is 1 always.
    """
    x = to_tensor(x)
    if not isinstance(axis, int):
        return over_axes(torch.softmax, x, axis)
    outputs = torch.softmax(x, axis)
    if x.shape[axis] == 1:
        warnings.warn(
            f"softmax over axis {axis} of a tensor of shape {tuple(x.shape)}: the axis has size 1, so every "
            "output is 1. Did you mean a sigmoid?",
            stacklevel=2,
        )
    if (axis == -1 or axis == x.ndim - 1) and type(outputs) is torch.Tensor and torch.is_grad_enabled():
        outputs._softmax_logits = x
    return outputs


def log_softmax(x, axis=-1):
    """``log(softmax(x, axis))``, computed in one."""
    x = to_tensor(x)
    return torch.log_softmax(x, axis) if isinstance(axis, int) else over_axes(torch.log_softmax, x, axis)


def sparsemax(x, axis=-1):
    """The point of the probability simplex nearest to ``x``, along ``axis``: ``max(x - tau, 0)``.

    Source: Martins and Astudillo 2016, algorithm 1. Keras up to 3.15 gives too little where more than one logit
    survives (its issue 23425, fixed since); this is the right one.
    """
    return project_to_simplex(to_tensor(x), axis)


swish = silu
hard_swish = hard_silu

REGISTRY = Registry("activation", "keras.activations")
REGISTRY.add(
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, log_sigmoid,
    log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, sparse_plus,
    sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold, swish=silu, hard_swish=hard_silu,
)  # fmt: skip


def get(identifier):
    """The activation that ``identifier`` stands for: None (``linear``), a name, a config, or any callable.

    Raises: ValueError if it is none of these, or an unknown name.
    """
    return linear if identifier is None else deserialize(identifier)


def deserialize(config, custom_objects=None):
    """The activation a name or config describes; a layer's config gives the layer."""
    registry = REGISTRY
    if isinstance(config, dict):  # layers serve as activations, too
        found = (kind for kind in Registry.kinds.values() if config.get("class_name") in kind.table)
        registry = next((kind for kind in found if kind.module == config.get("module")), REGISTRY)
    return registry.get(config, custom_objects)


def serialize(activation):
    """The name of a built-in function, else a config."""
    if activation is None or isinstance(activation, str):
        return activation
    if hasattr(activation, "get_config"):
        kinds = Registry.kinds.values()
        owner = (kind for kind in kinds if kind.table.get(type(activation).__name__) is type(activation))
        return next(owner, REGISTRY).serialize(activation)
    name = REGISTRY.serialize(activation)
    if REGISTRY.table.get(name) is activation:
        return name
    config = registered_name(activation) or name
    return {"module": "builtins", "class_name": "function", "config": config, "registered_name": "function"}


configurable.RESOLVERS["activation"] = get
configurable.SERIALIZERS["activation"] = serialize

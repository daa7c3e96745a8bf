"""Methods that optimizers had in Keras 1 and 2; ``names`` attaches them."""

import torch

from kshim import optimizers
from kshim.core import checks, settings
from kshim.core.variable import Variable
from kshim.optimizers.state import write_all

_WITHOUT_ITERATIONS = (optimizers.RMSprop, optimizers.Adagrad, optimizers.Adadelta)


def _weights(optimizer):
    """Up to 2.3.1: the iterations, then slot after slot, each of all parameters."""
    if not settings.holds(until="2.3.1"):
        return optimizer.variables
    before_2_3 = settings.holds(until="2.2.4")
    found = [] if before_2_3 and isinstance(optimizer, _WITHOUT_ITERATIONS) else [optimizer._iterations]
    if isinstance(optimizer, optimizers.Nadam) and not before_2_3:
        found.append(optimizer._product)
    parameters = optimizer._parameters()
    slots = optimizer.slots
    if isinstance(optimizer, optimizers.SGD) and not slots:  # it kept moments without a momentum, too: zeros
        found += [Variable(torch.zeros_like(p.data), trainable=False, name="moment") for p in parameters]
    for slot in slots:
        found += [Variable(optimizer.state[p][slot], trainable=False, name=slot) for p in parameters]
    if isinstance(optimizer, optimizers.Adam) and not optimizer.amsgrad and not settings.holds(until="2.0.8"):
        found += [Variable(torch.zeros(1), trainable=False, name="vhat") for _ in parameters]
    return found


def weights(optimizer):
    """The variables of the optimizer, in the order of the dialect."""
    return _weights(optimizer)


def get_weights(optimizer):
    """Copies of ``weights`` as numpy arrays."""
    return [variable.numpy() for variable in _weights(optimizer)]


def set_weights(optimizer, weights):
    """Write what ``get_weights`` gave.

    Raises: ValueError for another number of arrays, or another shape; nothing is written then.
    """
    if not settings.holds(until="2.3.1"):
        _today_set_weights(optimizer, weights)
        return
    own, weights = _weights(optimizer), list(weights)
    product = isinstance(optimizer, optimizers.Nadam) and len(weights) == len(own) - 1
    write_all(optimizer, [v for v in own if not (product and v is optimizer._product)], weights)


_today_set_weights = optimizers.Optimizer.set_weights


def get_gradients(optimizer, loss, params):
    """Gradients of the tensor ``loss`` for ``params``, clipped as the optimizer was told to.

    Raises:
        ValueError: a parameter that the loss does not depend on.
    """
    if not isinstance(loss, torch.Tensor):
        checks.fail(optimizer, "`loss` to be a tensor that was computed from `params`", f"{type(loss).__name__}")
    grads = torch.autograd.grad(loss.sum(), list(params), allow_unused=True, retain_graph=True)
    if any(grad is None for grad in grads):
        missing = [getattr(p, "path", tuple(p.shape)) for p, g in zip(params, grads, strict=True) if g is None]
        checks.fail(
            optimizer, "a gradient for every parameter", f"An operation has `None` for gradient, of {missing}",
            "All of your ops must have a gradient (argmax, round and eval have none).",
        )  # fmt: skip
    grads = list(grads)
    if optimizer.global_clipnorm is not None:
        total = torch.stack(torch._foreach_norm(grads)).norm()
        grads = [g * (optimizer.global_clipnorm / total.clamp(min=optimizer.global_clipnorm)) for g in grads]
    if optimizer.clipnorm is not None:
        grads = [g * (optimizer.clipnorm / g.norm().clamp(min=optimizer.clipnorm)) for g in grads]
    if optimizer.clipvalue is not None:
        grads = [g.clamp(-optimizer.clipvalue, optimizer.clipvalue) for g in grads]
    return grads


def decay(optimizer):
    """``decay=`` of Keras 1 and 2; 0.0 without one."""
    schedule = optimizer._schedule
    return schedule.decay_rate if getattr(schedule, "settable", False) else 0.0


def attach():
    """Put them on ``Optimizer``; the wrappers of Keras 3 keep their own ``set_weights``."""
    base = optimizers.Optimizer
    base.weights, base.decay = property(weights), property(decay)
    for method in (get_weights, set_weights, get_gradients):
        setattr(base, method.__name__, method)

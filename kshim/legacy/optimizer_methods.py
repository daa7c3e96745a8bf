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
    if isinstance(optimizer, optimizers.Adam) and "velocity_hat" not in slots and not settings.holds(until="2.0.8"):
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
    found = torch.autograd.grad(loss.sum(), list(params), allow_unused=True, retain_graph=True)
    if any(grad is None for grad in found):
        missing = [getattr(p, "path", tuple(p.shape)) for p, g in zip(params, found, strict=True) if g is None]
        checks.fail(
            optimizer, "a gradient for every parameter", f"An operation has `None` for gradient, of {missing}",
            "All of your ops must have a gradient (argmax, round and eval have none).",
        )  # fmt: skip
    grads = list(found)
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


# What configs hold beside the rate, in the order up to 2.3.1, and which of that Keras kept in float32.
CONFIGS: dict[type, tuple[str, ...]] = {
    optimizers.SGD: ("momentum", "decay", "nesterov"),
    optimizers.RMSprop: ("rho", "decay", "epsilon"),
    optimizers.Adagrad: ("decay", "epsilon"),
    optimizers.Adadelta: ("rho", "decay", "epsilon"),
    optimizers.Adam: ("beta_1", "beta_2", "decay", "epsilon", "amsgrad"),
    optimizers.Adamax: ("beta_1", "beta_2", "decay", "epsilon"),
    optimizers.Nadam: ("beta_1", "beta_2", "epsilon", "schedule_decay"),
}
_IN_FLOAT32 = {"momentum", "beta_1", "beta_2", "decay"}
_NEUTRAL = {"ema_momentum": 0.99}  # of today's further arguments; that of the others is what counts as False

_today_get_config = optimizers.Optimizer.get_config


def get_config(optimizer):
    """The config under the names of the dialect; up to 2.3.1 what Keras did not have is in it where it does something.

    Of a user's class: what its own ``get_config`` calls.
    """
    config = _today_get_config(optimizer)
    kind = next(cls for cls in type(optimizer).__mro__ if cls.__module__.startswith("kshim."))
    if kind not in CONFIGS or not settings.holds(until="2.3.1"):
        return config
    config.pop("name", None)
    rate, own = config.pop("learning_rate"), dict(config, decay=decay(optimizer))
    if hasattr(optimizer, "schedule_decay"):
        own["schedule_decay"] = optimizer.schedule_decay
    if getattr(optimizer._schedule, "settable", False):
        rate = float(optimizer.learning_rate)
    names = [name for name in CONFIGS[kind] if name != "amsgrad" or own[name] or not settings.holds(until="2.0.8")]
    rate_name = "lr" if settings.holds(until="2.2.4") and not isinstance(rate, dict) else "learning_rate"
    clips = {"clipnorm": config.pop("global_clipnorm", None), "clipvalue": config.pop("clipvalue", None)}
    found = {name: value for name, value in clips.items() if value is not None} | {rate_name: rate}
    rounded = _IN_FLOAT32 | {"rho"} if kind is optimizers.RMSprop else _IN_FLOAT32
    for name in names:
        found[name] = float(torch.tensor(own[name], dtype=torch.float32)) if name in rounded else own[name]
    return found | {k: v for k, v in config.items() if k not in found and v and v != _NEUTRAL.get(k)}


def get_scaled_loss(optimizer, loss):
    """``loss`` times the scale; of a function, the function that returns its loss so."""
    return (lambda: optimizer.scale_loss(loss())) if callable(loss) else optimizer.scale_loss(loss)


def get_unscaled_gradients(optimizer, grads):
    """Gradients of a scaled loss, divided by the scale."""
    scale = float(optimizer.dynamic_scale)
    return [grad if grad is None else grad / scale for grad in grads]


def apply_gradients(optimizer, grads_and_vars, *args, **kwargs):
    """As today's; but in tf.keras the gradients have been through ``get_unscaled_gradients``."""
    if settings.holds(since="tf.keras", until="tf.keras"):
        scale = float(optimizer.dynamic_scale)  # a power of two: times it is what was there
        grads_and_vars = [(grad if grad is None else grad * scale, variable) for grad, variable in grads_and_vars]
    return _today_apply_scaled(optimizer, grads_and_vars, *args, **kwargs)


_today_apply_scaled = optimizers.LossScaleOptimizer.apply_gradients


def loss_scale(optimizer):
    """What the loss is multiplied by now."""
    return optimizer.dynamic_scale


def dynamic_counter(optimizer):
    """How many finite steps there were since the scale changed."""
    return optimizer.step_counter


def dynamic(optimizer):
    """True: the scale follows the gradients."""
    return True


def attach():
    """Put them on ``Optimizer``; the wrappers of Keras 3 keep their own ``set_weights``."""
    base = optimizers.Optimizer
    for name, found in (("weights", weights), ("decay", decay)):
        setattr(base, name, property(found))
    for method in (get_weights, set_weights, get_gradients, get_config):
        setattr(base, method.__name__, method)
    scaled = optimizers.LossScaleOptimizer
    for of_scaled in (get_scaled_loss, get_unscaled_gradients, apply_gradients):
        setattr(scaled, of_scaled.__name__, of_scaled)
    for told in (loss_scale, dynamic_counter, dynamic):
        setattr(scaled, told.__name__, property(told))

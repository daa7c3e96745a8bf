"""Optimizers, sorted by increasing complexity: their slots and their rule."""

import torch

from kshim.core.checks import fraction
from kshim.optimizers.base import Optimizer


def _root(square, epsilon, inside):
    """``sqrt(square + epsilon)``, or with epsilon outside the root ``sqrt(square) + epsilon``."""
    return square.add(epsilon).sqrt_() if inside else square.sqrt().add_(epsilon)


class SGD(Optimizer):
    """Gradient descent: ``v = momentum * v - rate * g; w += v``.

    Args:
        learning_rate: a float, schedule or callable.
        momentum: in [0, 1]; 0 leaves the velocity out.
        nesterov: whether to look ahead: ``w += momentum * v - rate * g``.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/sgd.py``; Sutskever et al., 2013.
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"momentum": momentum, "nesterov": nesterov}, momentum=fraction)
        self.slots = ("velocity",) if momentum else ()

    def update(self, param, grad, rate, step, velocity=None):
        if velocity is None:
            param.add_(grad, alpha=-rate)
            return
        velocity.mul_(self.momentum).add_(grad, alpha=-rate)
        if self.nesterov:
            param.add_(velocity, alpha=self.momentum).add_(grad, alpha=-rate)
        else:
            param.add_(velocity)


class Adagrad(Optimizer):
    """``a += g**2; w -= rate * g / sqrt(a + epsilon)``.

    Args:
        learning_rate: a float, schedule or callable.
        initial_accumulator_value: the first ``a``, 0 or above.
        epsilon: added to ``a`` inside the root.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/adagrad.py``; Duchi et al., 2011.
    """

    slots = ("accumulator",)
    epsilon_inside_root = True

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"initial_accumulator_value": initial_accumulator_value, "epsilon": epsilon})

    def initial_slot(self, name, parameter):
        return torch.full_like(parameter, self.initial_accumulator_value)

    def update(self, param, grad, rate, step, accumulator):
        accumulator.addcmul_(grad, grad)
        param.addcdiv_(grad, _root(accumulator, self.epsilon, self.epsilon_inside_root), value=-rate)


class RMSprop(Optimizer):
    """``a = rho * a + (1 - rho) * g**2; w -= rate * g / sqrt(a + epsilon)``.

    Args:
        learning_rate: a float, schedule or callable.
        rho: in [0, 1], how slowly the mean square moves.
        momentum: in [0, 1]; above 0 the quotient goes through a velocity.
        epsilon: added inside the root.
        centered: whether the square of the mean gradient is taken off ``a``.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/rmsprop.py``; Tieleman and Hinton, 2012.
    """

    epsilon_inside_root = True

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        own = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": centered}
        self.keep(own, rho=fraction, momentum=fraction)
        self.slots = ("mean_square",) + ("velocity",) * bool(momentum) + ("mean",) * bool(centered)

    def update(self, param, grad, rate, step, mean_square, *others):
        mean_square.mul_(self.rho).addcmul_(grad, grad, value=1 - self.rho)
        square = mean_square
        if self.centered:
            mean = others[-1].lerp_(grad, 1 - self.rho)
            square = torch.addcmul(mean_square, mean, mean, value=-1)
        root = _root(square, self.epsilon, self.epsilon_inside_root)
        if self.momentum:
            param.sub_(others[0].mul_(self.momentum).addcdiv_(grad, root, value=rate))
        else:
            param.addcdiv_(grad, root, value=-rate)


class Adam(Optimizer):
    """Moving means of the gradient and of its square: ``w -= rate_t * m / (sqrt(v) + epsilon)``.

    ``rate_t = rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)``: epsilon is outside the bias correction.

    Args:
        learning_rate: a float, schedule or callable.
        beta_1, beta_2: in [0, 1], how slowly the means move.
        epsilon: added to the root.
        amsgrad: whether the largest ``v`` so far is used.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/adam.py``; Kingma and Ba, 2014; Reddi et al., 2018.
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        own = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "amsgrad": amsgrad}
        self.keep(own, beta_1=fraction, beta_2=fraction)
        self.slots = ("momentum", "velocity") + ("largest",) * bool(amsgrad)

    def update(self, param, grad, rate, step, momentum, velocity, largest=None):
        rate = rate * (1 - self.beta_2**step) ** 0.5 / (1 - self.beta_1**step)
        momentum.lerp_(grad, 1 - self.beta_1)
        velocity.mul_(self.beta_2).addcmul_(grad, grad, value=1 - self.beta_2)
        if largest is not None:
            velocity = torch.maximum(largest, velocity, out=largest)
        param.addcdiv_(momentum, velocity.sqrt().add_(self.epsilon), value=-rate)

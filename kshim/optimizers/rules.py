"""Optimizers, sorted by increasing complexity: their slots and their rule."""

import math
import re

import torch

from kshim.core.checks import fail, fraction
from kshim.optimizers.base import _SHARED, Optimizer

# Where torch has a kernel that runs Adam's whole formula at once.
_FUSED = ("cpu", "cuda")
_FUSED_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

# The most numbers that Adafactor goes over at once on a CPU, whose cache they stay in.
_TOGETHER = 1 << 17
# The most numbers of the matrices that Muon makes orthogonal at once: the iteration takes a few times their memory.
_BATCHED = 1 << 24


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
        self.slots = ("momentum",) if momentum else ()

    def update(self, param, grad, rate, step, velocity=None):
        if velocity is None:
            param.add_(grad, alpha=-rate)
            return
        velocity.mul_(self.momentum).add_(grad, alpha=-rate)
        if self.nesterov:
            param.add_(velocity, alpha=self.momentum).add_(grad, alpha=-rate)
        else:
            param.add_(velocity)


class Lion(Optimizer):
    """The sign of a moving mean: ``w -= rate * sign(beta_1 * m + (1 - beta_1) * g)``.

    Args:
        learning_rate: a float, schedule or callable; about a tenth of Adam's.
        beta_1: in (0, 1], how much the mean counts in the sign.
        beta_2: in [0, 1], how slowly the mean moves.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/lion.py``; Chen et al., 2023.
    """

    slots = ("momentum",)

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"beta_1": beta_1, "beta_2": beta_2}, beta_1=fraction, beta_2=fraction)
        if beta_1 == 0:
            fail(self, "`beta_1` to be in (0, 1], as 0 leaves the sign of the gradient alone", f"beta_1={beta_1}")

    def update(self, param, grad, rate, step, momentum):
        param.sub_(torch.lerp(grad, momentum, self.beta_1).sign_(), alpha=rate)
        momentum.lerp_(grad, 1 - self.beta_2)


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


class Adadelta(Optimizer):
    """``w -= rate * u`` with ``u = g * sqrt(d + epsilon) / sqrt(a + epsilon)``: a, d: means of ``g**2`` and ``u**2``.

    Args:
        learning_rate: a float, schedule or callable; 1.0 is the rate of the paper.
        rho: in [0, 1], how slowly the means move.
        epsilon: added inside the roots.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/adadelta.py``; Zeiler, 2012.
    """

    slots = ("accumulated_grad", "accumulated_delta_var")

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"rho": rho, "epsilon": epsilon}, rho=fraction)

    def update(self, param, grad, rate, step, squares, steps):
        squares.mul_(self.rho).addcmul_(grad, grad, value=1 - self.rho)
        change = grad.mul_(_root(steps, self.epsilon, True)).div_(_root(squares, self.epsilon, True))
        steps.mul_(self.rho).addcmul_(change, change, value=1 - self.rho)
        param.sub_(change, alpha=rate)


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
    interleaved = False

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, **kwargs):
        super().__init__(learning_rate, **kwargs)
        own = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "centered": centered}
        self.keep(own, rho=fraction, momentum=fraction)
        self.slots = ("velocity",) + ("momentum",) * bool(momentum) + ("average_gradient",) * bool(centered)

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
        self.slots = ("momentum", "velocity") + ("velocity_hat",) * bool(amsgrad)

    def _slot_blocks(self):
        return [self.slots[:2], self.slots[2:]]

    def update(self, param, grad, rate, step, momentum, velocity, largest=None):
        rate = rate * (1 - self.beta_2**step) ** 0.5 / (1 - self.beta_1**step)
        momentum.lerp_(grad, 1 - self.beta_1)
        velocity.mul_(self.beta_2).addcmul_(grad, grad, value=1 - self.beta_2)
        if largest is not None:
            velocity = torch.maximum(largest, velocity, out=largest)
        param.addcdiv_(momentum, velocity.sqrt().add_(self.epsilon), value=-rate)

    def _corrected(self, step):
        # torch's kernel corrects the root before it adds epsilon, so epsilon is corrected for it.
        return self.epsilon / (1 - self.beta_2**step) ** 0.5 if self.beta_2 < 1 else math.inf

    def _fused(self, param):
        own = type(self).update is Adam.update and math.isfinite(self._corrected(1))
        return own and param.device.type in _FUSED and param.dtype in _FUSED_DTYPES

    def _decay(self, lists, rate):
        if any(self._excluded) or not self._fused(lists.params[0]):
            super()._decay(lists, rate)

    def update_all(self, params, grads, rate, step, momenta, velocities, largest=()):
        if not self._fused(params[0]):
            super().update_all(params, grads, rate, step, momenta, velocities, *([largest] if self.amsgrad else []))
            return
        steps = [torch.full((), float(step), device=params[0].device)] * len(params)
        decay = 0.0 if self.weight_decay is None or any(self._excluded) else self.weight_decay
        torch._fused_adamw_(
            params, grads, momenta, velocities, largest, steps, lr=rate, beta1=self.beta_1, beta2=self.beta_2,
            weight_decay=decay, eps=self._corrected(step), amsgrad=bool(self.amsgrad), maximize=False,
        )  # fmt: skip


class AdamW(Adam):
    """``Adam`` with a decoupled weight decay.

    Args:
        weight_decay: a float; each step takes ``weight_decay * learning_rate`` of a weight.
        The others are ``Adam``'s.

    Raises: ValueError if ``weight_decay`` is None.

    Source: Keras 3 ``optimizers/adamw.py``; Loshchilov and Hutter, 2019.
    """

    def __init__(self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False,
                 **kwargs):  # fmt: skip
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs)
        if weight_decay is None:
            fail(self, "`weight_decay` to be a float", "weight_decay=None", "Adam has none.")


class Adamax(Optimizer):
    """Adam with the largest gradient in the place of the mean square: ``w -= rate_t * m / (u + epsilon)``.

    ``u = max(beta_2 * u, |g|)``, ``rate_t = rate / (1 - beta_1**t)``.

    Args:
        learning_rate: a float, schedule or callable.
        beta_1, beta_2: in [0, 1], how slowly the mean and the largest move.
        epsilon: added to ``u``.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/adamax.py``; Kingma and Ba, 2014.
    """

    slots = ("momentum", "norm")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}, beta_1=fraction, beta_2=fraction)

    def update(self, param, grad, rate, step, momentum, norm):
        momentum.lerp_(grad, 1 - self.beta_1)
        torch.maximum(norm.mul_(self.beta_2), grad.abs_(), out=norm)
        param.addcdiv_(momentum, norm + self.epsilon, value=-rate / (1 - self.beta_1**step))


class Nadam(Optimizer):
    """Adam with Nesterov's look ahead, whose momentum warms up: ``beta_1 * (1 - 0.96**t / 2)``.

    Args:
        learning_rate: a float, schedule or callable.
        beta_1, beta_2: in [0, 1], how slowly the means move.
        epsilon: added to the root.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/nadam.py``; Dozat, 2016.
    """

    slots = ("momentum", "velocity")
    schedule_decay = 1.0  # how quickly the momentum warms up

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}, beta_1=fraction, beta_2=fraction)
        self._warmed = (0, 1.0)  # a step, and the product of the momenta up to it
        self._product = self.add_variable((), "ones", name="variable")  # the product once more, as Keras lists it

    def _momentum_at(self, step):
        return self.beta_1 * (1 - 0.5 * 0.96 ** (step * self.schedule_decay))

    def _product_at(self, step):
        done, product = self._warmed if self._warmed[0] <= step else (0, 1.0)
        if done < step:
            product *= math.prod(map(self._momentum_at, range(done + 1, step + 1)))
            self._warmed = (step, product)
            self._product.fill_(product)
        return product

    def update(self, param, grad, rate, step, momentum, velocity):
        product = self._product_at(step)
        now, after = self._momentum_at(step), self._momentum_at(step + 1)
        momentum.lerp_(grad, 1 - self.beta_1)
        velocity.mul_(self.beta_2).addcmul_(grad, grad, value=1 - self.beta_2)
        ahead = grad.mul_((1 - now) / (1 - product)).add_(momentum, alpha=after / (1 - product * after))
        root = velocity.div(1 - self.beta_2**step).sqrt_().add_(self.epsilon)
        param.addcdiv_(ahead, root, value=-rate)


class ScheduleFreeAdamW(Optimizer):
    """Adam without a schedule: steps are taken at ``z``, and weights are ``(1 - beta_1) * z + beta_1 * mean of z``.

    Args:
        learning_rate: a float, schedule or callable.
        beta_1: in (0, 1], how much the mean counts in the weights.
        beta_2: in [0, 1], how slowly the mean square moves.
        epsilon: added to the root.
        warmup_steps: the rate rises from 0 in so many steps.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/schedule_free_adamw.py``; Defazio et al., 2024.
    """

    slots = ("momentum", "velocity")

    def __init__(self, learning_rate=0.0025, beta_1=0.9, beta_2=0.999, epsilon=1e-8, warmup_steps=0, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "warmup_steps": warmup_steps},
                  beta_1=fraction, beta_2=fraction)  # fmt: skip

    def initial_slot(self, name, parameter):
        return parameter.detach().clone() if name == "momentum" else torch.zeros_like(parameter)

    def update(self, param, grad, rate, step, z, velocity):
        if self.warmup_steps > 0:
            rate *= min(step / self.warmup_steps, 1.0)
        velocity.mul_(self.beta_2).addcmul_(grad, grad, value=1 - self.beta_2)
        mean = param.sub(z, alpha=1 - self.beta_1).div_(self.beta_1)
        root = velocity.div(1 - self.beta_2**step).sqrt_().add_(self.epsilon)
        z.addcdiv_(grad, root, value=-rate)
        mean.lerp_(z, 1 / step)
        torch.lerp(z, mean, self.beta_1, out=param)


class Ftrl(Optimizer):
    """Follow the regularized leader: weights from two sums, with penalties that make them 0.

    Args:
        learning_rate: a float, schedule or callable.
        learning_rate_power: 0 or below; -0.5 is the usual root.
        initial_accumulator_value: the first sum of squares, 0 or above.
        l1_regularization_strength, l2_regularization_strength: penalties, 0 or above.
        l2_shrinkage_regularization_strength: a penalty that only changes the gradient, 0 or above.
        beta: added to the root of the sum of squares; 0 or above.
        The others are ``Optimizer``'s.

    Raises: ValueError for a value out of its range.

    Source: Keras 3 ``optimizers/ftrl.py``; McMahan et al., 2013.
    """

    slots = ("accumulator", "linear")

    def __init__(self, learning_rate=0.001, learning_rate_power=-0.5, initial_accumulator_value=0.1,
                 l1_regularization_strength=0.0, l2_regularization_strength=0.0,
                 l2_shrinkage_regularization_strength=0.0, beta=0.0, **kwargs):  # fmt: skip
        own = {
            "learning_rate_power": learning_rate_power, "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength, "beta": beta,
        }  # fmt: skip
        super().__init__(learning_rate, **kwargs)
        self.keep(own)
        for key, value in own.items():
            if (value > 0) if key == "learning_rate_power" else (value < 0):
                sign = "0 or below" if key == "learning_rate_power" else "0 or above"
                fail(self, f"`{key}` to be {sign}", f"{key}={value}")

    def initial_slot(self, name, parameter):
        first = self.initial_accumulator_value if name == "accumulator" else 0.0
        return torch.full_like(parameter, first)

    def update(self, param, grad, rate, step, accumulator, linear):
        power, before = -self.learning_rate_power, accumulator.clone()
        accumulator.addcmul_(grad, grad)
        root = accumulator**power
        linear.add_(grad).addcmul_((root - before**power).div_(rate), param, value=-1)
        linear.add_(param, alpha=2 * self.l2_shrinkage_regularization_strength)
        weight = root.div_(rate).add_(2 * self.l2_regularization_strength + self.beta / rate)
        bound = self.l1_regularization_strength
        torch.div(linear.clamp(-bound, bound).sub_(linear), weight, out=param)


class Lamb(Optimizer):
    """Adam whose step for a whole weight is as long as the weight is: for very large batches.

    ``w -= rate * |w| / |u| * u``, u Adam's step with both means corrected for their start.

    Args:
        learning_rate: a float, schedule or callable.
        beta_1, beta_2: in [0, 1], how slowly the means move.
        epsilon: added to the root.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/lamb.py``; You et al., 2019.
    """

    slots = ("momentum", "velocity")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.keep({"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon}, beta_1=fraction, beta_2=fraction)

    def update_lists(self, lists, rate, step):
        super().update_lists(lists, rate, step)  # the step of Adam, in the place of the gradients
        long, wide = (torch.stack(torch._foreach_norm(each)) for each in (lists.parameters, lists.by_weight))
        ratios = torch.where((long > 0) & (wide > 0), long / wide, 1.0).mul_(-rate)
        torch._foreach_mul_(lists.by_weight, list(ratios.unbind()))
        torch._foreach_add_(lists.params, lists.grads)

    def update(self, param, grad, rate, step, momentum, velocity):
        momentum.lerp_(grad, 1 - self.beta_1)
        velocity.mul_(self.beta_2).addcmul_(grad, grad, value=1 - self.beta_2)
        root = velocity.div(1 - self.beta_2**step).sqrt_().add_(self.epsilon)
        torch.div(momentum, root.mul_(1 - self.beta_1**step), out=grad)


class Adafactor(Optimizer):
    """Adam's mean square from the means of its rows and columns, and steps relative to the size of a weight.

    Args:
        learning_rate: a float, schedule or callable.
        beta_2_decay: below 0; the mean square moves by ``t ** beta_2_decay`` at step t.
        epsilon_1: added to the squared gradient.
        epsilon_2: the least size that a weight is taken to have.
        clip_threshold: the largest root mean square of a step before it is scaled down.
        relative_step: whether the rate is at most ``1 / sqrt(t)``; Keras 3 bounds the step so in either case.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/adafactor.py``; Shazeer and Stern, 2018.
    """

    slots = ("rows", "columns", "velocity")
    elementwise = False

    def __init__(self, learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0,
                 relative_step=True, **kwargs):  # fmt: skip
        super().__init__(learning_rate, **kwargs)
        self.keep({
            "beta_2_decay": beta_2_decay, "epsilon_1": epsilon_1, "epsilon_2": epsilon_2,
            "clip_threshold": clip_threshold, "relative_step": relative_step,
        })  # fmt: skip

    def initial_slot(self, name, parameter):
        shape = parameter.shape
        if name != "velocity":
            shape = () if len(shape) < 2 else shape[:-1] if name == "rows" else (*shape[:-2], shape[-1])
        return parameter.new_zeros(shape)

    def update_all(self, params, grads, rate, step, rows, columns, velocities):
        limit = _TOGETHER if params[0].device.type == "cpu" else math.inf
        part, held = [], 0
        for entry in zip(params, grads, rows, columns, velocities, strict=True):
            if part and held + entry[0].numel() > limit:
                self._some(rate, step, *map(list, zip(*part, strict=True)))
                part, held = [], 0
            part.append(entry)
            held += entry[0].numel()
        self._some(rate, step, *map(list, zip(*part, strict=True)))

    def _some(self, rate, step, params, grads, rows, columns, velocities):
        share = step**self.beta_2_decay
        sizes = self._lengths(params).clamp_(min=self.epsilon_2).mul_(min(rate, step**-0.5))
        squares = torch._foreach_mul(grads, grads)
        torch._foreach_add_(squares, self.epsilon_1)
        flat = [i for i, p in enumerate(params) if p.dim() < 2]
        if flat:
            torch._foreach_lerp_([velocities[i] for i in flat], [squares[i] for i in flat], share)
        for i, param in enumerate(params):
            if param.dim() >= 2:
                rows[i].lerp_(squares[i].mean(-1), share)
                columns[i].lerp_(squares[i].mean(-2), share)
                shares = (rows[i] / rows[i].mean(-1, keepdim=True)).unsqueeze(-1)
                torch.mul(shares, columns[i].unsqueeze(-2), out=velocities[i])
        torch._foreach_div_(grads, torch._foreach_sqrt(velocities))
        lengths = self._lengths(grads).div_(self.clip_threshold).clamp_(min=1)
        torch._foreach_mul_(grads, list((sizes / lengths).neg_().unbind()))
        torch._foreach_add_(params, grads)

    @staticmethod
    def _lengths(tensors):
        """The root mean square of each."""
        norms = torch._foreach_norm(tensors)
        torch._foreach_mul_(norms, [t.numel() ** -0.5 if t.numel() else math.nan for t in tensors])
        return torch.stack(norms)


class Muon(Optimizer):
    """Momentum made orthogonal for matrices, and AdamW for every other weight.

    Args:
        learning_rate: a float, schedule or callable.
        adam_beta_1, adam_beta_2, epsilon: of AdamW.
        adam_weight_decay, weight_decay: decay of the weights that AdamW trains, and of the matrices; floats or None.
        exclude_layers: regular expressions; weights whose path holds one are AdamW's.
        exclude_embeddings: whether weights with ``embedding`` in their path are.
        muon_a, muon_b, muon_c: coefficients of the Newton-Schulz iteration, ``ns_steps`` times.
        adam_lr_ratio: AdamW's rate is this times ``learning_rate``.
        momentum: in [0, 1].
        nesterov: whether to look ahead.
        rms_rate: the step is scaled by this times the root of the longer side; None leaves it.
        The others are ``Optimizer``'s.

    Source: Keras 3 ``optimizers/muon.py``; Jordan et al., 2024; Liu et al., 2025.
    """

    slots = ("momentum", "velocity")
    elementwise = False

    def __init__(self, learning_rate=0.001, adam_beta_1=0.9, adam_beta_2=0.999, adam_weight_decay=0.004, epsilon=1e-7,
                 weight_decay=0.004, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False,
                 ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None,
                 gradient_accumulation_steps=None, name=None, exclude_layers=None, exclude_embeddings=True,
                 muon_a=3.4445, muon_b=-4.775, muon_c=2.0315, adam_lr_ratio=1, momentum=0.95, ns_steps=5,
                 nesterov=True, rms_rate=0.2, **kwargs):  # fmt: skip
        given = {key: value for key, value in locals().items() if key not in ("self", "kwargs", "__class__")}
        shared = {key: given.pop(key) for key in list(given) if key in _SHARED}
        super().__init__(**shared, **kwargs)
        given["exclude_layers"] = exclude_layers or []
        self.keep(given, adam_beta_1=fraction, adam_beta_2=fraction, momentum=fraction)

    def _lay_out(self):
        # Which weights are AdamW's is asked once, not at each step; by id, as the weights change places in memory only.
        self._adams = {id(p) for p in self._parameters() if self._is_adams(p)}
        super()._lay_out()

    def _shows(self, name, parameter):
        return name != "velocity" or id(parameter) in self._adams

    def initial_slot(self, name, parameter):
        unused = name == "velocity" and id(parameter) not in self._adams
        return parameter.new_zeros(0) if unused else torch.zeros_like(parameter)

    def _is_adams(self, param):
        path = getattr(param, "path", "")
        return (
            param.dim() != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(pattern, path) for pattern in self.exclude_layers)
        )

    def _decay(self, lists, rate):
        for decay, adams in ((self.adam_weight_decay, True), (self.weight_decay, False)):
            params = [p.data for p in lists.parameters if (id(p) in self._adams) is adams and self._decays(p)]
            if decay is not None and params:
                torch._foreach_mul_(params, 1 - decay * rate)

    def update_all(self, params, grads, rate, step, momenta, velocities):
        entries = list(zip(params, grads, momenta, velocities, strict=True))
        adams = [entry for entry in entries if id(entry[0]) in self._adams]
        if adams:
            self._adam(*map(list, zip(*adams, strict=True)), rate=rate, step=step)
        shapes: dict = {}  # matrices of one shape are made orthogonal together
        for entry in entries:
            if id(entry[0]) not in self._adams:
                shapes.setdefault(entry[0].shape, []).append(entry[:3])
        for alike in shapes.values():
            size = max(1, _BATCHED // max(alike[0][0].numel(), 1))
            for start in range(0, len(alike), size):
                self._matrices(*map(list, zip(*alike[start : start + size], strict=True)), rate=rate)

    def _adam(self, params, grads, momenta, velocities, rate, step):
        rate *= self.adam_lr_ratio * (1 - self.adam_beta_2**step) ** 0.5 / (1 - self.adam_beta_1**step)
        torch._foreach_lerp_(momenta, grads, 1 - self.adam_beta_1)
        torch._foreach_mul_(velocities, self.adam_beta_2)
        torch._foreach_addcmul_(velocities, grads, grads, value=1 - self.adam_beta_2)
        roots = torch._foreach_sqrt(velocities)
        torch._foreach_add_(roots, self.epsilon)
        torch._foreach_addcdiv_(params, momenta, roots, value=-rate)

    def _matrices(self, params, grads, momenta, rate):
        torch._foreach_mul_(momenta, self.momentum)
        torch._foreach_add_(momenta, grads)
        ahead = torch._foreach_add(grads, momenta, alpha=self.momentum) if self.nesterov else momenta
        scale = 1.0 if self.rms_rate is None else max(params[0].shape) ** 0.5 * self.rms_rate
        torch._foreach_add_(params, list(self._orthogonal(torch.stack(ahead)).unbind()), alpha=-rate * scale)

    def _orthogonal(self, x):
        """Matrices, one behind the other, with all their singular values moved near 1."""
        tall = x.shape[1] > x.shape[2]
        x = x.mT if tall else x
        x = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1e-7)
        for _ in range(self.ns_steps):
            square = x @ x.mT
            factor = torch.baddbmm(square, square, square, beta=self.muon_b, alpha=self.muon_c)
            x = torch.baddbmm(x, factor, x, beta=self.muon_a)
        return x.mT if tall else x

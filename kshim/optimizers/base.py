"""``Optimizer``: slots and an update rule over flat storage.

The parameters of one dtype and device are views into one flat tensor, their gradients are gathered into another,
and each slot is a third: any rule is then a handful of vector operations, whatever the number of weights.
"""

import functools
import inspect
import warnings

import torch

from kshim.core import checks, names
from kshim.core.configurable import Configurable
from kshim.core.variable import Variable
from kshim.optimizers.schedules import LearningRateSchedule


def _with_shared_keywords(init):
    """``init`` with the base's keywords behind its own, by position too, in the place of ``**kwargs``."""
    own = list(inspect.signature(init).parameters.values())
    taken = {p.name for p in own}
    shared = [p for p in inspect.signature(Optimizer.__init__).parameters.values() if p.name not in taken | {"self"}]
    signature = inspect.Signature([p for p in own if p.kind is not p.VAR_KEYWORD] + shared)

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        positions = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD][1:]
        if len(args) > len(positions):
            raise TypeError(f"{type(self).__name__}() takes {len(positions)} arguments. Received: {len(args)}.")
        given = dict(zip(positions, args, strict=False))
        twice = given.keys() & kwargs.keys()
        if twice:
            raise TypeError(f"{type(self).__name__}() got several values for {sorted(twice)}. Received: {kwargs}.")
        init(self, **given, **kwargs)

    __init__.__signature__ = signature
    return __init__


class Optimizer(Configurable, torch.optim.Optimizer):
    """Base of all optimizers; also a ``torch.optim.Optimizer`` once built, so torch's schedulers work on it.

    Args:
        learning_rate: a float, a ``LearningRateSchedule``, or a callable without arguments.
        weight_decay: decoupled decay, each step takes ``weight_decay * learning_rate`` of a weight; a float or None.
        clipnorm: the gradient of each weight is scaled down to this norm; a float above 0 or None.
        clipvalue: gradients are cut to ``[-clipvalue, clipvalue]``; a float above 0 or None.
        global_clipnorm: all gradients together are scaled down to this norm; a float above 0 or None.
        use_ema: whether to keep a moving average of the weights.
        ema_momentum: its momentum, in [0, 1].
        ema_overwrite_frequency: every so many steps the weights become their average, or None; at the end of ``fit``
            they do in any case.
        loss_scale_factor: the loss is multiplied by it and the gradients divided; a float or None.
        gradient_accumulation_steps: an update every so many steps, with the mean gradient; an int above 1, or None.
        name: None gives the class name in snake case.

    A subclass names its ``slots`` and writes ``update(param, grad, rate, step, *slots)``, in place. It is called on
    all weights joined, or with ``elementwise = False`` on each weight in its own shape.

    Raises:
        ValueError: an unknown keyword, several of the clip arguments, or a value out of range.

    Source: Keras 3 ``optimizers/base_optimizer.py``.
    """

    slots: tuple[str, ...] = ()
    elementwise = True  # whether the rule treats every number alike, whatever weight it belongs to

    def __init__(self, learning_rate=0.01, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None,
                 use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None,
                 gradient_accumulation_steps=None, name=None, **kwargs):  # fmt: skip
        if kwargs:
            known = [p for p in inspect.signature(type(self).__init__).parameters if p not in ("self", "kwargs")]
            raise ValueError(
                f"{type(self).__name__}: expected arguments among {known}. Argument(s) not recognized. "
                f"Received: {kwargs}." + "".join(checks.nearest(key, known) for key in kwargs)
            )
        self.name = name or names.snake_case(type(self).__name__)
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = {key: value for key, value in clips.items() if value is not None}
        if len(given) > 1:
            checks.fail(self, "only one of `clipnorm`, `clipvalue` and `global_clipnorm`", f"{given}")
        for key, value in given.items():
            if not value > 0:
                checks.fail(self, f"`{key}` to be above 0", f"{key}={value}")
        if use_ema and not 0 <= ema_momentum <= 1:
            checks.fail(self, "`ema_momentum` to be in [0, 1]", f"ema_momentum={ema_momentum}")
        for key, value, least in (
            ("ema_overwrite_frequency", ema_overwrite_frequency if use_ema else None, 1),
            ("gradient_accumulation_steps", gradient_accumulation_steps, 2),
        ):
            if value is not None and (checks.as_int(value) is None or value < least):
                checks.fail(self, f"`{key}` to be an int of {least} or more, or None", f"{key}={value!r}")
        self.keep({k: v for k, v in locals().items() if k in _SHARED and k not in ("learning_rate", "name")})
        self._kept = ("name", "learning_rate", *self._kept)
        self._iterations = Variable(torch.zeros((), dtype=torch.int64), trainable=False, name="iteration")
        self._schedule = None
        self._rate = Variable(torch.zeros(()), trainable=False, name="learning_rate")
        self.learning_rate = learning_rate
        self.built = False
        self._groups = []
        self._excluded = ()
        # What torch.optim.Optimizer.__init__ would set, were there parameters already.
        self.defaults, self.param_groups = {}, []

    def __init_subclass__(cls, **kwargs):
        if "__init__" in vars(cls) and cls.__module__.startswith("kshim."):
            cls.__init__ = _with_shared_keywords(cls.__init__)
        super().__init_subclass__(**kwargs)

    # -- rate ----------------------------------------------------------------------------------------------------

    @property
    def learning_rate(self):
        """The rate as a ``Variable``: ``float()``, ``numpy()`` and ``assign()`` work; a schedule's current value."""
        if self._schedule is not None:
            self._rate.data.fill_(float(self._schedule(int(self._iterations))))
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if isinstance(value, LearningRateSchedule):
            self._schedule = value
        elif isinstance(value, torch.Tensor) or not callable(value):
            try:
                self._rate.data.fill_(float(value))
            except (TypeError, ValueError):
                checks.fail(self, "`learning_rate` to be a float, a schedule or a callable", f"learning_rate={value!r}")
            self._schedule = None
        else:
            self._schedule = lambda step: value()

    @property
    def iterations(self):
        """How many updates there were, a ``Variable``; with accumulation, those in which the weights changed."""
        steps = self.gradient_accumulation_steps
        return self._iterations if steps is None else self._iterations // steps

    def _current_rate(self):
        return float(self.learning_rate if self._schedule is not None else self._rate)

    # -- storage -------------------------------------------------------------------------------------------------

    def build(self, variables):
        """Take over ``variables``: flat storage and slots; slots of known variables keep their values."""
        variables = [v for v in variables if v.requires_grad]
        if not variables:
            self.built, self._groups, self.param_groups = True, [], []
            return
        if not self.built or not self.param_groups:
            torch.optim.Optimizer.__init__(self, variables, {"lr": self._rate})
        else:
            self.param_groups[0]["params"] = variables
        self.built = True
        self._flatten()

    def _flatten(self):
        """Lay the parameters and slots of each dtype and device out in flat tensors."""
        kinds: dict = {}
        for p in self._parameters():
            alone = p.numel() > _LARGE[p.device.type != "cpu"]
            kinds.setdefault((p.dtype, p.device, id(p) if alone else None), []).append(p)
        with torch.no_grad(), torch.inference_mode(False):
            self._groups = [_Flat(self, parameters) for parameters in kinds.values()]

    def _parameters(self):
        return [p for group in self.param_groups for p in group["params"]]

    def initial_slot(self, name, parameter):
        """The first value of a slot: zeros, unless a subclass says otherwise."""
        return torch.zeros_like(parameter)

    def _slot_names(self):
        extra = [n for n, on in (("accumulated", self.gradient_accumulation_steps), ("average", self.use_ema)) if on]
        return (*self.slots, *extra)

    @property
    def variables(self):
        """Iterations, rate and every slot of every weight, as tensors."""
        slots = [self.state[p][name] for p in self._parameters() for name in self._slot_names()]
        return [self._iterations, self._rate, *slots]

    def load_state_dict(self, state_dict):
        """As torch's; the loaded slots move into the flat storage."""
        super().load_state_dict(state_dict)
        self.param_groups[0]["lr"] = self._rate.assign(torch.as_tensor(self.param_groups[0]["lr"]).to(self._rate.dtype))
        self._iterations.assign(state_dict.get("iterations", self._iterations))
        self._flatten()

    def state_dict(self):
        """As torch's, with ``iterations`` beside ``state`` and ``param_groups``."""
        return super().state_dict() | {"iterations": int(self._iterations)}

    # -- steps ---------------------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars):
        """One update from ``(gradient, variable)`` pairs."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)

    def apply(self, grads, trainable_variables=None):
        """One update from gradients, in the order of ``trainable_variables`` (or of ``build``)."""
        if trainable_variables is not None:
            variables = list(trainable_variables)
            if not self.built:
                self.build(variables)
        else:
            variables = self._parameters()
        if len(grads) != len(variables):
            checks.fail(self, f"{len(variables)} gradients, one for each variable", f"{len(grads)}")
        known = {id(p) for p in self._parameters()}
        for variable, grad in zip(variables, grads, strict=True):
            if id(variable) not in known:
                checks.fail(
                    self, "variables it was built with", f"{getattr(variable, 'path', tuple(variable.shape))}",
                    "Call `optimizer.build(variables)` with the full list first.",
                )  # fmt: skip
            variable.grad = grad
        for p in self._parameters():
            if not any(p is v for v in variables):
                p.grad = None
        try:
            self.update_from_grads(keep_grads=any(grad is not None for grad in grads))  # they are the caller's
        finally:
            for variable in variables:
                variable.grad = None

    def step(self, closure=None):
        """One update from the parameters' ``.grad``, as on any torch optimizer."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.update_from_grads(keep_grads=True)
        return loss

    @torch.no_grad()
    def update_from_grads(self, keep_grads=False):
        """One update from the parameters' ``.grad``; they are set to None unless kept."""
        rate, step = self._current_rate(), int(self._iterations) + 1
        groups = self._groups
        for flat in groups:
            if not flat.current():
                self._flatten()  # .to(), load_state_dict(assign=True) or the like moved a parameter away
                groups = self._groups
                break
        gathered = [(flat, part) for flat in groups for part in flat.gather(keep_grads)]
        missing = [name for flat in groups for name in flat.missing]
        if missing and not gathered:
            if not keep_grads:
                checks.fail(self, "a gradient for at least one weight", "No gradients provided for any variable")
        elif missing:
            warnings.warn(f"Gradients do not exist for variables {missing} when minimizing the loss.", stacklevel=2)
        if self.loss_scale_factor is not None:
            for _, part in gathered:
                part.grad.div_(self.loss_scale_factor)
        updates = True
        if self.gradient_accumulation_steps is not None:
            updates = self._accumulate(gathered, step)
            step = (step - 1) // self.gradient_accumulation_steps + 1
        if updates:
            self._clip(gathered)
            for _, part in gathered:
                self._decay(part, rate)
                if self.elementwise:
                    self.update(part.param, part.grad, rate, step, *[part.slots[name] for name in self.slots])
                    continue
                for p, grad in zip(part.parameters, part.grads(), strict=True):
                    self.update(p, grad, rate, step, *[self.state[p][name] for name in self.slots])
        if self.use_ema:
            self._average(groups, step)
        for flat in groups:
            for p in flat.constrained:
                p.data.copy_(p.constraint(p.data))
        self._iterations.add_(1)

    def update(self, param, grad, rate, step, *slots):
        """The rule: change ``param`` and ``slots`` in place. ``grad`` may be used as scratch space.

        ``rate`` is a float and ``step`` counts from 1.
        """
        raise NotImplementedError(f"{checks.describe(self)}: expected an `update()` method. Received: none.")

    def _accumulate(self, gathered, step):
        """Add up; on the last of the steps leave the mean in ``grad``. Returns whether it is the last."""
        steps = self.gradient_accumulation_steps
        last = step % steps == 0
        for _, part in gathered:
            total = part.slots["accumulated"].add_(part.grad)
            if last:
                part.grad.copy_(total).div_(steps)
                total.zero_()
        return last

    def _clip(self, gathered):
        if self.clipvalue is not None:
            for _, part in gathered:
                part.grad.clamp_(-self.clipvalue, self.clipvalue)
        if self.clipnorm is not None:
            for _, part in gathered:
                for grad in part.grads():
                    grad.mul_(self.clipnorm / grad.norm().clamp(min=self.clipnorm))
        if self.global_clipnorm is not None and gathered:
            norms = [part.grad.norm() for _, part in gathered]
            total = torch.stack([n.to(norms[0].device) for n in norms]).norm()
            for _, part in gathered:
                part.grad.mul_((self.global_clipnorm / total.clamp(min=self.global_clipnorm)).to(part.grad.device))

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """No decay for these variables, or for those whose path holds one of these names. Call it before ``build``."""
        if self.built:
            checks.fail(self, "exclusions before the optimizer is built", "a built optimizer")
        self._excluded = (tuple(map(id, var_list or ())), tuple(var_names or ()))

    def _decays(self, parameter):
        if not self._excluded:
            return True
        path = getattr(parameter, "path", "")
        return id(parameter) not in self._excluded[0] and not any(name in path for name in self._excluded[1])

    def _decay(self, part, rate):
        if self.weight_decay is None:
            return
        for p in [part.param] if not self._excluded else [p for p in part.parameters if self._decays(p)]:
            p.data.mul_(1 - self.weight_decay * rate)

    def _average(self, groups, step):
        momentum = self.ema_momentum if step > 1 else 0.0
        overwrite = self.ema_overwrite_frequency is not None and step % self.ema_overwrite_frequency == 0
        for flat in groups:
            flat.slots["average"].lerp_(flat.param, 1 - momentum)
            if overwrite:
                flat.param.copy_(flat.slots["average"])

    def finalize_variable_values(self, var_list=None):
        """At the end of training: the weights become their moving average, where there is one."""
        if self.use_ema and int(self._iterations):
            with torch.no_grad():
                for flat in self._groups:
                    flat.param.copy_(flat.slots["average"])

    def scale_loss(self, loss):
        """The loss to differentiate: ``loss * loss_scale_factor``."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _config_value(self, name):
        if name == "learning_rate":
            schedule = self._schedule
            return schedule.serialize() if isinstance(schedule, LearningRateSchedule) else float(self.learning_rate)
        return super()._config_value(name)

    @classmethod
    def from_config(cls, config):
        """An optimizer of this class made from ``get_config()``'s dict."""
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": LearningRateSchedule.deserialize(rate)}
        return cls(**config)

    def __repr__(self):
        return Configurable.__repr__(self)

    def __getstate__(self):
        # Flat storage is laid out again on the next step; param_groups and state hold the values.
        return {k: v for k, v in self.__dict__.items() if k != "_groups"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._groups = []
        if self.param_groups:
            torch.optim.Optimizer.__setstate__(self, {})
            self._flatten()


_SHARED = tuple(p for p in inspect.signature(Optimizer.__init__).parameters if p not in ("self", "kwargs"))


# Joining gradients is a copy: above so many numbers (on the CPU, on a GPU) a parameter is updated on its own, where
# the copy would cost more than the calls it saves.
_LARGE = (1 << 14, 1 << 21)


class _Part:
    """What one call of ``update`` works on: all of a flat storage, or one parameter of it."""

    def __init__(self, parameters, param, grad, slots, views):
        self.parameters, self.param, self.grad, self.slots, self._views = parameters, param, grad, slots, views

    def grads(self):
        """The gradient of each parameter, as views."""
        return self._views(self.grad)


class _Flat:
    """Flat storage of the parameters of one dtype and device, and of their slots."""

    def __init__(self, optimizer, parameters):
        self.parameters = parameters
        self.orders = [_memory_order(p) for p in parameters]
        self.sizes = [p.numel() for p in parameters]
        self.param = self._join([p.data for p in parameters])
        views = self._views(self.param)
        for p, view in zip(parameters, views, strict=True):
            p.data = view
        self.pointers = [p.data_ptr() for p in parameters]
        self.slots = {}
        for name in optimizer._slot_names():
            known = [optimizer.state[p].get(name) for p in parameters]
            initial = optimizer.initial_slot if name in optimizer.slots else lambda name, p: torch.zeros_like(p)
            values = [initial(name, p) if k is None else k for k, p in zip(known, parameters, strict=True)]
            values = [v.to(p.device, p.dtype) for v, p in zip(values, parameters, strict=True)]
            if optimizer.elementwise or name not in optimizer.slots:
                self.slots[name] = self._join(values)
                values = self._views(self.slots[name])
            for p, value in zip(parameters, values, strict=True):
                optimizer.state[p][name] = value
        self.constrained = [p for p in parameters if getattr(p, "constraint", None) is not None]
        self.state = optimizer.state
        self.plain = all(order is None for order in self.orders)

    def _join(self, tensors):
        parts = [t if o is None else t.permute(o) for t, o in zip(tensors, self.orders, strict=True)]
        return torch.cat([t.reshape(-1) for t in parts])

    def _views(self, flat):
        views = []
        for part, p, order in zip(flat.split(self.sizes), self.parameters, self.orders, strict=True):
            if order is None:
                views.append(part.view(p.shape))
            else:
                inverse = sorted(range(len(order)), key=order.__getitem__)
                views.append(part.view([p.shape[i] for i in order]).permute(inverse))
        return views

    def current(self):
        """Whether every parameter still is a view into this storage."""
        return [p.data_ptr() for p in self.parameters] == self.pointers

    def gather(self, keep_grads):
        """The gradients in one flat tensor: one part, or where some are missing a part for each that is there."""
        grads = [p.grad for p in self.parameters]
        if not keep_grads:
            for p in self.parameters:
                p.grad = None
        self.missing = []
        if all(g is not None for g in grads):
            if len(grads) == 1:
                order = self.orders[0]
                joined = (grads[0] if order is None else grads[0].permute(order)).reshape(-1)
                joined = joined.clone() if keep_grads else joined  # a rule may use it as scratch space
            elif self.plain and _contiguous(grads):
                joined = torch.cat([g.view(-1) for g in grads])
            else:
                joined = self._join(grads)
            return [_Part(self.parameters, self.param, joined, self.slots, self._views)]
        self.missing = [
            getattr(p, "path", "a parameter") for p, g in zip(self.parameters, grads, strict=True) if g is None
        ]
        return [
            _Part([p], p.data, g.clone(), self.state[p], lambda grad: [grad])
            for p, g in zip(self.parameters, grads, strict=True)
            if g is not None
        ]


def _contiguous(tensors):
    return all(t.is_contiguous() for t in tensors)


def _memory_order(tensor):
    """The axes from the slowest to the fastest in memory; None for the ordinary order."""
    if tensor.is_contiguous():
        return None
    order = sorted(range(tensor.dim()), key=lambda axis: -tensor.stride(axis))
    return order if tensor.permute(order).is_contiguous() else None

"""``Optimizer``: slots and an update rule, as a ``torch.optim.Optimizer``."""

import functools
import inspect
import re
import warnings
from collections import defaultdict

import torch

from kshim.core import checks, names
from kshim.core.configurable import Configurable
from kshim.core.registry import Registry
from kshim.core.variable import Variable
from kshim.optimizers.schedules import LearningRateSchedule
from kshim.optimizers.state import OptimizerState, write_all
from kshim.optimizers.storage import Storage


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


class Optimizer(OptimizerState, Configurable, torch.optim.Optimizer):
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
    takes_shared_keywords = True  # whether the keywords of this class stand in the signature of a subclass of kshim's
    interleaved = True  # whether the slots of a weight stand together in `variables`, as Keras orders them

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
        self._iterations = Variable(torch.zeros((), dtype=torch.int64, device="cpu"), trainable=False, name="iteration")
        self._rate = Variable(torch.zeros((), device="cpu"), trainable=False, name="learning_rate")
        self._schedule = None
        self.learning_rate = learning_rate
        self.built = False
        self._storages, self._added = [], []
        self._excluded = ((), ())
        # What torch.optim.Optimizer.__init__ would set, were there parameters already.
        self.defaults, self.state, self.param_groups = {"lr": self._rate}, defaultdict(dict), []
        torch.optim.Optimizer.__setstate__(self, {})

    def __init_subclass__(cls, **kwargs):
        if cls.takes_shared_keywords and "__init__" in vars(cls) and cls.__module__.startswith("kshim."):
            cls.__init__ = _with_shared_keywords(cls.__init__)
        super().__init_subclass__(**kwargs)

    # -- rate ----------------------------------------------------------------------------------------------------

    @property
    def learning_rate(self):
        """The rate as a ``Variable``: ``float()``, ``numpy()`` and ``assign()`` work; a schedule's current value."""
        if self._schedule is not None and not _settable(self._schedule):
            self._rate.data.fill_(self._current_rate())
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if isinstance(value, LearningRateSchedule):
            self._schedule = value
            if _settable(value):
                self._rate.data.fill_(value.initial_learning_rate)
        elif callable(value) and not isinstance(value, torch.Tensor):
            self._schedule = lambda step: value()
        elif isinstance(self._schedule, LearningRateSchedule) and not _settable(self._schedule):
            checks.fail(
                self, "a schedule, as it was created with one and its learning rate is not settable",
                f"learning_rate={value!r}", "Create the optimizer with a float.", TypeError,
            )  # fmt: skip
        else:
            try:
                self._rate.data.fill_(float(value))
            except (TypeError, ValueError):
                checks.fail(self, "`learning_rate` to be a float, a schedule or a callable", f"learning_rate={value!r}")
            if not _settable(self._schedule):
                self._schedule = None

    @property
    def iterations(self):
        """How many updates there were, a ``Variable``; with accumulation, those in which the weights changed."""
        steps = self.gradient_accumulation_steps
        return self._iterations if steps is None else self._iterations // steps

    def _current_rate(self):
        if self._schedule is None:
            return float(self._rate)
        if _settable(self._schedule):
            self._schedule.initial_learning_rate = float(self._rate)
        return float(self._schedule(int(self._iterations)))

    # -- variables -----------------------------------------------------------------------------------------------

    def build(self, variables):
        """Take over ``variables``, a list; slots of variables that are known already keep their values.

        As for torch's optimizers there may be dicts in the list, ``{"params": [...], "lr": 0.1}``: a group with a
        rate of its own.
        """
        groups, plain, variables = [], [], list(variables)
        if len({id(entry) for entry in variables}) != len(variables):
            checks.fail(self, "each variable once", "duplicate parameters")
        for entry in variables:
            if isinstance(entry, dict):
                groups.append(entry)
            elif entry.requires_grad:
                plain.append(entry)
        if self.param_groups and not groups:
            # A model whose layers were frozen or thawed: the groups that there are keep what they have.
            own = {id(p): i for i, group in enumerate(self.param_groups) for p in group["params"]}
            for i, group in enumerate(self.param_groups):
                group["params"] = [v for v in plain if own.get(id(v), 0) == i]
        else:
            self.param_groups = []
            for group in ([{"params": plain}] if plain else []) + groups:
                self._add_group(group)
        self.built = True
        self._lay_out()

    def _add_group(self, group):
        unknown = group.keys() - {"params", "lr", "initial_lr", "param_names"}
        if unknown:
            checks.fail(
                self, "a group of parameters with `params` and `lr`", f"{sorted(unknown)}",
                "What else differs between parameters goes to optimizers of their own, in a MultiOptimizer.",
            )  # fmt: skip
        torch.optim.Optimizer.add_param_group(self, group)

    def add_param_group(self, param_group):
        """As torch's: further parameters, with a learning rate of their own where ``lr`` is in the dict.

        Raises: ValueError for other options than ``lr``, or a parameter that is there already.
        """
        self._add_group(param_group)
        self.built = True
        self._lay_out()

    def _lay_out(self):
        """Lay the parameters and slots of each group, dtype and device out in memory."""
        kinds: dict = {}
        for i, group in enumerate(self.param_groups):
            for p in group["params"]:
                kinds.setdefault((i, p.dtype, p.device), []).append(p)
        joined = self.elementwise and not self._has_own_step()
        with torch.no_grad(), torch.inference_mode(False):
            self._storages = [Storage(self, self.param_groups[i], ps, joined) for (i, _, _), ps in kinds.items()]

    def _has_own_step(self):
        """Whether a subclass updates one weight at a time, by Keras 3's ``update_step``."""
        return type(self).update_step is not Optimizer.update_step

    def _parameters(self):
        return [p for group in self.param_groups for p in group["params"]]

    def initial_slot(self, name, parameter):
        """The first value of a slot: zeros, unless a subclass says otherwise."""
        return torch.zeros_like(parameter)

    def first_value(self, name, parameter):
        """The first value of a slot of the rule, of the sum of gradients or of the average."""
        return self.initial_slot(name, parameter) if name in self.slots else torch.zeros_like(parameter)

    def update_step(self, gradient, variable, learning_rate):
        """Keras 3's form of a rule, for a subclass that writes it in place of ``update``: one weight, changed by
        ``assign``; the rate is a ``Variable``.
        """
        raise NotImplementedError(f"{checks.describe(self)}: expected an `update_step()` method. Received: none.")

    # -- steps ---------------------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars):
        """One update from ``(gradient, variable)`` pairs; returns the number of steps so far, a ``Variable``.

        Raises: as ``apply``.
        """
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def apply(self, grads, trainable_variables=None):
        """One update from gradients, in the order of ``trainable_variables`` (or of ``build``).

        Warns of variables whose gradient is None, which stay as they are. Without gradients nothing happens.

        Raises: ValueError for another number of gradients than variables, for variables it was not built with, or
            if no variable has a gradient.
        """
        if len(grads) == 0:
            return
        if trainable_variables is not None:
            variables = list(trainable_variables)
            if not self.built:
                self.build(variables)
        elif not self.built:
            checks.fail(self, "variables beside gradients, as it must already be built to know them", "none",
                        "Call `optimizer.build(trainable_variables)` first.")  # fmt: skip
        else:
            variables = self._parameters()
        if len(grads) != len(variables):
            checks.fail(self, f"{len(variables)} gradients, one for each variable", f"{len(grads)}")
        known = {id(p) for p in self._parameters()}
        for variable in variables:
            if id(variable) not in known:
                checks.fail(
                    self, "variables it was built with",
                    f"Unknown variable: {getattr(variable, 'path', tuple(variable.shape))}",
                    "Call `optimizer.build(variables)` with the full list, or make a new optimizer.",
                )  # fmt: skip
        for p in self._parameters():
            p.grad = None
        try:
            for variable, grad in zip(variables, grads, strict=True):
                variable.grad = grad if grad is None else _fitted(grad, variable)
            self.update_from_grads(keep_grads=True, needed=True)  # the gradients are the caller's
        finally:
            for variable in variables:
                variable.grad = None

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """One update of values that are handed in: ``(trainable variables, optimizer variables)`` after it.

        Args:
            optimizer_variables: tensors in the order of ``variables``.
            grads: gradients, in the order of ``build``.
            trainable_variables: tensors in the order of ``build``.

        Raises: ValueError if the optimizer is not built, or the lengths differ.
        """
        if not self.built:
            checks.fail(self, "a built optimizer in `stateless_apply`", "one that has not been built",
                        "Call `optimizer.build(trainable_variables)` first.")  # fmt: skip
        own, weights = self.variables, self._parameters()
        for name, given, expected in (
            ("optimizer_variables", optimizer_variables, own), ("trainable_variables", trainable_variables, weights),
        ):  # fmt: skip
            if len(given) != len(expected):
                checks.fail(self, f"`{name}` to be {len(expected)} tensors", f"{len(given)}")
        held = [v.detach().clone() for v in (*own, *weights)]
        try:
            write_all(self, [*own, *weights], [*optimizer_variables, *trainable_variables])
            self.apply(grads)
            after = [v.detach().clone() for v in self.variables]
            return [w.detach().clone() for w in weights], after
        finally:
            write_all(self, [*own, *weights], held)

    def step(self, closure=None):
        """One update from the parameters' ``.grad``, as on any torch optimizer."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.update_from_grads(keep_grads=True)
        return loss

    @torch.no_grad()
    def update_from_grads(self, keep_grads=False, needed=None):
        """One update from the parameters' ``.grad``; they are set to None unless kept.

        Args:
            keep_grads: whether ``.grad`` stays as it is.
            needed: whether it is an error if there is no gradient at all; None means unless they are kept.

        Raises: ValueError if a gradient is needed and there is none.
        """
        self._update(self._gather(keep_grads, not keep_grads if needed is None else needed))

    def _gather(self, keep_grads, needed):
        """Pairs of storage and ``Lists``; warns of weights without a gradient."""
        if not all(storage.current() for storage in self._storages):
            self._lay_out()  # .to(), load_state_dict(assign=True) or the like moved a parameter away
        gathered, missing, found = [], [], False
        for storage in self._storages:
            lists, without = storage.gather(keep_grads)
            missing += without
            found = found or lists is not None
            if lists is not None and lists.grads:  # weights without any number leave none
                gathered.append((storage, lists))
        if missing and not found:
            if not needed:
                return []
            checks.fail(self, "a gradient for at least one weight", "No gradients provided for any variable")
        if missing:
            warnings.warn(f"Gradients do not exist for variables {missing} when minimizing the loss.", stacklevel=4)
        return gathered

    def _update(self, gathered):
        rate, step = self._current_rate(), int(self._iterations) + 1
        if self.loss_scale_factor is not None:
            for _, lists in gathered:
                torch._foreach_div_(lists.grads, self.loss_scale_factor)
        updates = True
        if self.gradient_accumulation_steps is not None:
            updates = self._accumulate(gathered, step)
            step = (step - 1) // self.gradient_accumulation_steps + 1
        if updates:
            self._clip(gathered)
            for storage, lists in gathered:
                lr = storage.group["lr"]
                own = rate if lr is self._rate else float(lr)
                self._decay(lists, own)
                if self._has_own_step():
                    self._own_steps(lists, own)
                else:
                    self.update_lists(lists, own, step)
        if self.use_ema:
            self._average(step)
        for storage in self._storages:
            for p in storage.constrained:
                p.data.copy_(p.constraint(p.data))
        self._iterations.add_(1)

    def _own_steps(self, lists, rate):
        own = Variable(torch.tensor(rate), trainable=False)
        for p, grad in zip(lists.parameters, lists.grads, strict=True):
            self.update_step(grad, p, own)

    def update_lists(self, lists, rate, step):
        """``update`` for all of one dtype and device; a rule that needs whole weights, too, writes that here."""
        self.update_all(lists.params, lists.grads, rate, step, *[lists.slots[name] for name in self.slots])

    def update_all(self, params, grads, rate, step, *slots):
        """``update`` for lists of tensors; a rule that torch has a foreach or fused form of writes that here."""
        for param, grad, *own in zip(params, grads, *slots, strict=True):
            self.update(param, grad, rate, step, *own)

    def update(self, param, grad, rate, step, *slots):
        """The rule: change ``param`` and ``slots`` in place. ``grad`` may be used as scratch space.

        ``rate`` is a float and ``step`` counts from 1.
        """
        raise NotImplementedError(f"{checks.describe(self)}: expected an `update()` method. Received: none.")

    def _accumulate(self, gathered, step):
        """Add up; on the last of the steps leave the mean in the gradients. Returns whether it is the last."""
        steps = self.gradient_accumulation_steps
        last = step % steps == 0
        for _, lists in gathered:
            totals = lists.slots["gradient_accumulator"]
            torch._foreach_add_(totals, lists.grads)
            if last:
                torch._foreach_copy_(lists.grads, totals)
                torch._foreach_div_(lists.grads, steps)
                torch._foreach_zero_(totals)
        return last

    def _clip(self, gathered):
        if self.clipvalue is not None:
            for _, lists in gathered:
                torch._foreach_clamp_min_(lists.grads, -self.clipvalue)
                torch._foreach_clamp_max_(lists.grads, self.clipvalue)
        if self.clipnorm is not None:
            for _, lists in gathered:
                norms = torch.stack(torch._foreach_norm(lists.by_weight))
                shares = self.clipnorm / norms.clamp_(min=self.clipnorm)
                torch._foreach_mul_(lists.by_weight, list(shares.unbind()))
        if self.global_clipnorm is not None and gathered:
            norms = [norm for _, lists in gathered for norm in torch._foreach_norm(lists.grads)]
            total = torch.stack([n.to(norms[0].device) for n in norms]).norm()
            share = self.global_clipnorm / total.clamp(min=self.global_clipnorm)
            for _, lists in gathered:
                torch._foreach_mul_(lists.grads, share.to(lists.grads[0].device))

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """No decay for these variables, or for those in whose path one of these names (regular expressions) is found.

        Raises: ValueError if the optimizer is built already.
        """
        if self.built:
            checks.fail(self, "exclusions before the optimizer is built", "a built optimizer")
        self._excluded = (tuple(map(id, var_list or ())), tuple(var_names or ()))

    def _decays(self, parameter):
        path = getattr(parameter, "path", "")
        return id(parameter) not in self._excluded[0] and not any(re.search(n, path) for n in self._excluded[1])

    def _decay(self, lists, rate):
        if self.weight_decay is None:
            return
        params = [p.data for p in lists.parameters if self._decays(p)] if any(self._excluded) else lists.params
        if params:
            torch._foreach_mul_(params, 1 - self.weight_decay * rate)

    def _average(self, step):
        share = 1 - (self.ema_momentum if step > 1 else 0.0)
        overwrite = self.ema_overwrite_frequency is not None and step % self.ema_overwrite_frequency == 0
        for storage in self._storages:
            if storage.params:
                torch._foreach_lerp_(storage.slots["average"], storage.params, share)
                if overwrite:
                    torch._foreach_copy_(storage.params, storage.slots["average"])

    def finalize_variable_values(self, var_list=None):
        """At the end of training: the weights become their moving average, where there is one."""
        if self.use_ema and int(self._iterations):
            with torch.no_grad():
                for storage in self._storages:
                    torch._foreach_copy_(storage.params, storage.slots["average"])

    @property
    def scales_loss(self):
        """Whether ``scale_loss`` changes the loss."""
        return self.loss_scale_factor is not None

    def scale_loss(self, loss):
        """The loss to differentiate: ``loss * loss_scale_factor``."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _config_value(self, name):
        if name == "learning_rate":
            schedule = self._schedule
            return schedule.serialize() if isinstance(schedule, LearningRateSchedule) else float(self.learning_rate)
        return super()._config_value(name)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer of this class made from ``get_config()``'s dict."""
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config = {**config, "learning_rate": LearningRateSchedule.deserialize(rate, custom_objects)}
        return cls(**config)

    def __repr__(self):
        return Configurable.__repr__(self)

    def __getstate__(self):
        # Memory is laid out again on loading; param_groups and state hold the values.
        return {k: v for k, v in self.__dict__.items() if k != "_storages"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.__dict__.setdefault("_storages", [])
        torch.optim.Optimizer.__setstate__(self, {})
        if self.built:
            self._lay_out()


OPTIMIZERS = Registry("optimizer", "keras.optimizers", base=(Optimizer, torch.optim.Optimizer), plain=False)
_SHARED = tuple(p for p in inspect.signature(Optimizer.__init__).parameters if p not in ("self", "kwargs"))


def _settable(schedule):
    return getattr(schedule, "settable", False)


def _fitted(grad, variable):
    """A gradient in the dtype and on the device of its variable."""
    return torch.as_tensor(grad).detach().to(variable.device, variable.dtype)

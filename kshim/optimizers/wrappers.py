"""Optimizers around other optimizers: loss scaling, and one for each part of a model."""

import re
from collections.abc import MutableMapping

import torch

from kshim.core import checks
from kshim.core.variable import Variable
from kshim.optimizers.base import OPTIMIZERS, Optimizer

_ON_THE_INNER = {
    "weight_decay": None, "clipnorm": None, "global_clipnorm": None, "clipvalue": None, "use_ema": False,
    "ema_momentum": 0.99, "ema_overwrite_frequency": None, "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}  # fmt: skip


class LossScaleOptimizer(Optimizer):
    """Scales the loss, so that small gradients survive float16, by as much as keeps the gradients finite.

    Where a gradient is infinite or NaN, the step is left out and the scale halved; after ``dynamic_growth_steps``
    steps without one it is doubled. The host never waits for the device within a step: what a step found is read
    when the next one begins.

    Args:
        inner_optimizer: the ``Optimizer`` that updates; its ``loss_scale_factor`` becomes None.
        initial_scale: the first scale, a float above 0.
        dynamic_growth_steps: an int above 0.
        name: None gives the class name in snake case.

    Raises:
        ValueError: ``dynamic=False``, or an option that belongs to ``inner_optimizer``.

    Source: Keras 3 ``optimizers/loss_scale_optimizer.py``; Micikevicius et al., 2017.
    """

    takes_shared_keywords = False
    waits_on = ("cpu",)  # devices that have done their work when a call returns, so that a look costs nothing

    def __init__(self, inner_optimizer, initial_scale=2.0**15, dynamic_growth_steps=2000, name=None, **kwargs):
        if not kwargs.pop("dynamic", True):
            checks.fail(self, "`dynamic` to be True", "dynamic=False",
                        "Set `loss_scale_factor` on the `inner_optimizer` instead.")  # fmt: skip
        for key, value in kwargs.items():
            if key not in _ON_THE_INNER:
                checks.fail(self, "`inner_optimizer`, `initial_scale`, `dynamic_growth_steps` and `name` alone",
                            f"{key}={value!r}, which is not supported")  # fmt: skip
            if value != _ON_THE_INNER[key]:
                checks.fail(self, f"`{key}` on the `inner_optimizer`", f"{key}={value!r}, which is not supported here")
        if not isinstance(inner_optimizer, Optimizer):
            checks.fail(self, "`inner_optimizer` to be an Optimizer", f"{inner_optimizer!r}", error=TypeError)
        self.inner_optimizer = inner_optimizer
        super().__init__(0.0, name=name)
        self.keep({"inner_optimizer": inner_optimizer, "initial_scale": initial_scale,
                   "dynamic_growth_steps": dynamic_growth_steps})  # fmt: skip
        self._kept = ("name", "inner_optimizer", "initial_scale", "dynamic_growth_steps")
        inner_optimizer.loss_scale_factor = None
        self._step_counter = Variable(torch.zeros((), dtype=torch.int64), trainable=False, name="step_counter")
        self._dynamic_scale = Variable(torch.tensor(float(initial_scale)), trainable=False, name="dynamic_scale")
        self._pending = None  # what the last step found, not read yet

    # The parameters, groups and slots are the inner optimizer's, so that torch's schedulers work on them.
    param_groups = property(lambda self: self.inner_optimizer.param_groups, lambda self, value: None)
    state = property(lambda self: self.inner_optimizer.state, lambda self, value: None)
    _storages = property(lambda self: self.inner_optimizer._storages, lambda self, value: None)

    @property
    def learning_rate(self):
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        if "built" in vars(self):  # the base sets one, too, which is nobody's
            self.inner_optimizer.learning_rate = value

    @property
    def iterations(self):
        """The inner optimizer's: steps that were left out do not count."""
        self._settle()
        return self.inner_optimizer.iterations

    @property
    def dynamic_scale(self):
        """What the loss is multiplied by, a ``Variable``."""
        self._settle()
        return self._dynamic_scale

    @property
    def step_counter(self):
        """How many finite steps there were since the scale changed, a ``Variable``."""
        self._settle()
        return self._step_counter

    @property
    def variables(self):
        """Iterations and rate of its own, which stay 0, the counter, the scale, and the inner optimizer's variables."""
        self._settle()
        own = [self._iterations, self._rate]
        own += [self._step_counter, self._dynamic_scale] if self.built else []
        return own + self.inner_optimizer.variables

    def build(self, variables):
        """Build the inner optimizer."""
        self._settle()
        self.inner_optimizer.build(variables)
        self.built = True

    def add_param_group(self, param_group):
        """The inner optimizer's."""
        self.inner_optimizer.add_param_group(param_group)
        self.built = True

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """The inner optimizer's."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    @property
    def scales_loss(self):
        """True."""
        return True

    def scale_loss(self, loss):
        """``loss`` times the scale."""
        self._settle()
        return loss * float(self._dynamic_scale)

    @torch.no_grad()
    def update_from_grads(self, keep_grads=False, needed=None):
        """One update from the parameters' ``.grad``, which belong to the scaled loss, if all are finite."""
        self._settle()
        inner = self.inner_optimizer
        gathered = inner._gather(keep_grads, not keep_grads if needed is None else needed)
        grads = [g for _, lists in gathered for g in lists.grads]
        finite = _all_finite(grads)
        if finite.device.type in self.waits_on:
            if finite:
                self._unscaled_update(gathered, grads)
            self._count(bool(finite))
            return
        # On an accelerator: update, take it back there where a gradient was not finite, and learn of it later.
        tensors = [t.detach() for storage in inner._storages for t in storage.tensors()]
        before = torch._foreach_mul(tensors, 1)
        self._unscaled_update(gathered, grads)
        for tensor, old in zip(tensors, before, strict=True):
            torch.where(finite.to(tensor.device), tensor, old, out=tensor)
        host = torch.empty((), dtype=torch.bool, pin_memory=True) if finite.device.type == "cuda" else None
        if host is None:
            self._pending = (finite, None)
        else:
            host.copy_(finite, non_blocking=True)
            ready = torch.cuda.Event()
            ready.record()
            self._pending = (host, ready)

    def _unscaled_update(self, gathered, grads):
        if grads:
            torch._foreach_div_(grads, float(self._dynamic_scale))
        self.inner_optimizer._update(gathered)

    def _settle(self):
        """Learn what the last step found: whether it counts, and what the scale is now."""
        if self.__dict__.get("_pending") is None:
            return
        (finite, ready), self._pending = self._pending, None
        if ready is not None:
            ready.synchronize()
        finite = bool(finite)
        if not finite:
            self.inner_optimizer._iterations.sub_(1)
        self._count(finite)

    def _count(self, finite):
        with torch.no_grad():
            if finite and int(self._step_counter) + 1 < self.dynamic_growth_steps:
                self._step_counter.add_(1)
            else:
                self._step_counter.zero_()
                self._dynamic_scale.mul_(2.0 if finite else 0.5)

    def finalize_variable_values(self, var_list=None):
        """The inner optimizer's."""
        self._settle()
        self.inner_optimizer.finalize_variable_values(var_list)

    def state_dict(self):
        """The inner optimizer's, with ``scale`` and ``step_counter`` beside it."""
        self._settle()
        own = {"scale": float(self._dynamic_scale), "step_counter": int(self._step_counter)}
        return self.inner_optimizer.state_dict() | own

    def load_state_dict(self, state_dict):
        """What ``state_dict`` gave."""
        self._settle()
        inner = {key: value for key, value in state_dict.items() if key not in ("scale", "step_counter")}
        self.inner_optimizer.load_state_dict(inner)
        self._dynamic_scale.assign(state_dict["scale"])
        self._step_counter.assign(state_dict["step_counter"])

    def get_config(self):
        """Name, inner optimizer, and how the scale moves."""
        return {
            "name": self.name, "inner_optimizer": OPTIMIZERS.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale, "dynamic_growth_steps": self.dynamic_growth_steps,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer of this class made from ``get_config()``'s dict."""
        return cls(**{**config, "inner_optimizer": OPTIMIZERS.get(config["inner_optimizer"], custom_objects)})

    def __getstate__(self):
        self._settle()
        return super().__getstate__()


def _all_finite(grads):
    """A bool tensor. A sum of absolute values may overflow where none is infinite, so the largest is asked for."""
    grads = [g for g in grads if g.numel()]
    if not grads:
        return torch.tensor(True)
    largest = torch._foreach_norm(grads, float("inf"))
    return torch.isfinite(torch.stack([n.to(largest[0].device) for n in largest])).all()


class OptimizerMap(MutableMapping):
    """Optimizers by the path of a variable: a mapping of paths, or regular expressions that match whole ones.

    Args:
        default_optimizer: the ``Optimizer`` of all other variables.
        optimizer_map: a dict of path or expression to ``Optimizer``, or None.

    Raises:
        TypeError: ``default_optimizer`` is no ``Optimizer``, or ``optimizer_map`` no dict.
        ValueError: an entry that is no plain ``Optimizer``, a key that is there already, or, when one is looked up, a
            path that several expressions match.

    Source: Keras 3 ``optimizers/multi_optimizer.py``.
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                f"OptimizerMap: expected default_optimizer to be an Optimizer. Received: {default_optimizer!r}."
            )
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"OptimizerMap: expected optimizer_map to be a dict or None. Received: {optimizer_map!r}.")
        self._default_optimizer = default_optimizer
        self._optimizer_map = {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    @property
    def default_optimizer(self):
        """The optimizer of variables that no key matches."""
        return self._default_optimizer

    def __getitem__(self, key):
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        matching = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(matching) > 1:
            raise ValueError(
                f"OptimizerMap: expected one key for the variable {key}. Multiple optimizers are assigned to it. "
                f"Received: {matching}."
            )
        return self._optimizer_map[matching[0]] if matching else self.default_optimizer

    def __setitem__(self, key, optimizer):
        if key in self._optimizer_map:
            raise ValueError(f"OptimizerMap: expected a new key. Received: {key!r}, which already exists.")
        if not isinstance(key, str):
            raise ValueError(f"OptimizerMap: expected the key to be a string. Received: {key!r}.")
        if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
            raise ValueError(
                "OptimizerMap: expected an Optimizer instance, which cannot be LossScaleOptimizer or MultiOptimizer. "
                f"Received: {optimizer!r}."
            )
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key):
        del self._optimizer_map[key]

    def __len__(self):
        return len(self._optimizer_map)

    def __iter__(self):
        return iter(self._optimizer_map)

    def __call__(self, variable):
        return self[variable.path]

    def get_config(self):
        """The default optimizer and the others by key, as configs."""
        return {
            "default_optimizer": OPTIMIZERS.serialize(self._default_optimizer),
            "optimizer_map": {key: OPTIMIZERS.serialize(value) for key, value in self._optimizer_map.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A map made from ``get_config()``'s dict."""
        others = {key: OPTIMIZERS.get(value, custom_objects) for key, value in config["optimizer_map"].items()}
        return cls(OPTIMIZERS.get(config["default_optimizer"], custom_objects), others)


class MultiOptimizer(Optimizer):
    """Different optimizers for different variables.

    Args:
        optimizer_map: an ``OptimizerMap``, or a function of a variable that gives an ``Optimizer``.
        loss_scale_factor: a float or None, in the place of the optimizers' own.
        name: None gives the class name in snake case.

    Raises:
        ValueError: in ``build``, if the map gives anything but a plain ``Optimizer``.
        AttributeError: ``learning_rate`` is asked for or set; each of ``optimizers`` has its own.

    Source: Keras 3 ``optimizers/multi_optimizer.py``.
    """

    takes_shared_keywords = False

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        self._inner: list = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self.keep({"optimizer_map": optimizer_map})
        known = [*optimizer_map.values(), optimizer_map.default_optimizer] if hasattr(optimizer_map, "values") else []
        for optimizer in known:
            self._add(optimizer)

    def _add(self, optimizer):
        """The place of ``optimizer`` among the inner ones."""
        for i, known in enumerate(self._inner):
            if known is optimizer:
                return i
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._inner.append(optimizer)
        return len(self._inner) - 1

    param_groups = property(
        lambda self: [group for each in self._inner for group in each.param_groups], lambda self, value: None
    )
    _storages = property(
        lambda self: [storage for each in self._inner for storage in each._storages], lambda self, value: None
    )

    @property
    def state(self):
        """The slots of every parameter, from the optimizer that has it."""
        return {parameter: slots for each in self._inner for parameter, slots in each.state.items()}

    @state.setter
    def state(self, value):
        pass  # the inner optimizers hold it

    @property
    def optimizers(self):
        """The optimizers, in the order of the map."""
        return self._inner

    @property
    def learning_rate(self):
        """There is none: each of ``optimizers`` has its own."""
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer. Received: .learning_rate. Ask one of `.optimizers`."
        )

    @learning_rate.setter
    def learning_rate(self, value):
        if "built" in vars(self):
            raise AttributeError(
                f"Learning rate cannot be set on a MultiOptimizer. Received: {value!r}. Set it on one of `.optimizers`."
            )

    @property
    def loss_scale_factor(self):
        """What the loss is multiplied by, for all of them."""
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value):
        self._loss_scale_factor = value
        for each in self._inner:
            each.loss_scale_factor = value

    @property
    def variables(self):
        """Iterations and rate of its own (0), then every optimizer's variables."""
        return [self._iterations, self._rate, *(v for each in self._inner for v in each.variables)]

    def build(self, variables):
        """Ask the map for the optimizer of each variable, and build them."""
        variables = [v for v in variables if v.requires_grad]
        known = {id(p): i for i, each in enumerate(self._inner) for p in each._parameters()}
        shares: list = [[] for _ in self._inner]
        for variable in variables:
            place = known.get(id(variable))
            if place is None:
                optimizer = self.optimizer_map(variable)
                if not isinstance(optimizer, Optimizer) or isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)):
                    checks.fail(
                        self, f"an Optimizer instance for variable {getattr(variable, 'path', '')}, which cannot be "
                        "LossScaleOptimizer or MultiOptimizer", f"{optimizer!r}",
                    )  # fmt: skip
                place = self._add(optimizer)
                shares += [[]] * (len(self._inner) - len(shares))
            shares[place] = [*shares[place], variable]
        for each, own in zip(self._inner, shares, strict=True):
            if own or each.built:
                each.build(own)
        self.built = True
        self._order = [id(v) for v in variables]

    def _parameters(self):
        own = {id(p): p for each in self._inner for p in each._parameters()}
        return [own[key] for key in vars(self).get("_order", ()) if key in own]

    def add_param_group(self, param_group):
        """Refused: the map says which optimizer has which parameter."""
        checks.fail(self, "its parameters from build()", "add_param_group()", "Call it on one of `.optimizers`.")

    def update_from_grads(self, keep_grads=False, needed=None):
        """One update of each optimizer.

        Raises: ValueError if one of them needs a gradient and has none; nothing has changed then.
        """
        needed = not keep_grads if needed is None else needed
        for each in self._inner:
            if needed and each._parameters() and all(p.grad is None for p in each._parameters()):
                checks.fail(each, "a gradient for at least one weight", "No gradients provided for any variable")
        for each in self._inner:
            if each._parameters():
                each.update_from_grads(keep_grads, needed)
        with torch.no_grad():
            self._iterations.add_(1)

    def finalize_variable_values(self, var_list=None):
        """Each optimizer's."""
        for each in self._inner:
            each.finalize_variable_values(var_list)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Each optimizer's, of those that are known before ``build``."""
        for each in self._inner:
            each.exclude_from_weight_decay(var_list, var_names)

    def state_dict(self):
        """``{"optimizers": [the state of each], "iterations": steps}``."""
        return {"optimizers": [each.state_dict() for each in self._inner], "iterations": int(self._iterations)}

    def load_state_dict(self, state_dict):
        """What ``state_dict`` gave."""
        if len(state_dict["optimizers"]) != len(self._inner):
            checks.fail(self, f"the state of {len(self._inner)} optimizers", f"{len(state_dict['optimizers'])}")
        for each, own in zip(self._inner, state_dict["optimizers"], strict=True):
            each.load_state_dict(own)
        self._iterations.assign(state_dict["iterations"])

    def get_config(self):
        """The map, the loss scale and the name."""
        return {
            "optimizer_map": OPTIMIZERS.serialize(self.optimizer_map), "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer of this class made from ``get_config()``'s dict."""
        return cls(**{**config, "optimizer_map": OPTIMIZERS.get(config["optimizer_map"], custom_objects)})

    def __setstate__(self, state):
        # By id the order of the parameters is of one process and one copy.
        order = state.pop("_order", None)
        super().__setstate__(state)
        if order is not None:
            self._order = [id(p) for each in self._inner for p in each._parameters()]

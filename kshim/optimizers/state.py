"""What an optimizer remembers: its variables in Keras' order, torch's ``state_dict``, and variables of users."""

import warnings

import torch

from kshim.core import checks
from kshim.core.variable import Variable
from kshim.initializers import get as get_initializer


class OptimizerState:
    """The part of ``Optimizer`` that lists, reads and writes its variables.

    Source: Keras 3 ``optimizers/base_optimizer.py``.
    """

    def _slot_names(self):
        extra = (("average", self.use_ema), ("gradient_accumulator", self.gradient_accumulation_steps))
        return (*(name for name, on in extra if on), *self.slots)

    def _slot_blocks(self):
        """The slots by how ``variables`` orders them: those in a block stand together, weight after weight."""
        return [self.slots] if self.interleaved else [(name,) for name in self.slots]

    @property
    def variables(self):
        """Iterations, rate (unless a schedule gives it), averages, sums and slots as ``Variable``s, in Keras' order."""
        found = [self._iterations] + ([self._rate] if self._schedule is None else [])
        shared = [(name,) for name in self._slot_names() if name not in self.slots]
        for block in [*shared, *self._slot_blocks()]:
            for p in self._parameters():
                for name in block:
                    value = self.state.get(p, {}).get(name)
                    if value is not None and self._shows(name, p):
                        owner = getattr(p, "path", "variable").replace("/", "_")
                        found.append(Variable(value, trainable=False, name=f"{owner}_{name}"))
                        found[-1]._path = f"{self.name}/{owner}_{name}"
        return found + self._added

    def _shows(self, name, parameter):
        """Whether a slot of a weight is one of ``variables``."""
        return True

    def set_weights(self, weights):
        """Write arrays, in the order of ``variables``.

        Raises: ValueError if the optimizer is not built, or a shape differs; nothing is written then.
        """
        if not self.built:
            checks.fail(self, "a built optimizer in `set_weights()`", "one that has not yet been built",
                        "Call `optimizer.build(trainable_variables)` first.")  # fmt: skip
        write_all(self, self.variables, list(weights))

    def save_own_variables(self, store):
        """Write the values of ``variables`` into a dict, by number."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Read what ``save_own_variables`` wrote; a store of another length is left out, with a warning."""
        own = self.variables
        if len(store) != len(own):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(own)} variables whereas "
                f"the saved optimizer has {len(store)} variables.", stacklevel=2,
            )  # fmt: skip
            return
        write_all(self, own, [store[str(i)] for i in range(len(own))])

    def load_state_dict(self, state_dict):
        """As torch's; the values are copied."""
        super().load_state_dict(state_dict)
        rate = self.param_groups[0]["lr"] if self.param_groups else self._rate
        self._rate.assign(torch.as_tensor(rate).to(self._rate.dtype))
        own = state_dict.get("own_rates", [False] * len(self.param_groups))
        for group, separate in zip(self.param_groups, own, strict=True):
            if not separate:
                group["lr"] = self._rate
        self._iterations.assign(state_dict.get("iterations", self._iterations))
        self._lay_out()

    def state_dict(self):
        """As torch's, of plain tensors and numbers, with ``iterations`` beside ``state`` and ``param_groups``."""
        found = super().state_dict()
        own = [group["lr"] is not self._rate for group in self.param_groups]
        for group in found["param_groups"]:
            group["lr"] = float(group["lr"])
            if "initial_lr" in group:
                group["initial_lr"] = float(group["initial_lr"])
        return found | {"iterations": int(self._iterations), "own_rates": own}

    # -- what optimizers of users are made of ---------------------------------------------------------------------

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None):
        """A further variable of the optimizer's own, listed behind the slots.

        Args:
            shape: a tuple of ints.
            initializer: name or initializer of its first value.
            dtype: dtype name; None means ``floatx()``.
            aggregation, layout: accepted as in Keras; torch.distributed does what they ask for.
            name: a name.

        Source: Keras 3 ``optimizers/base_optimizer.py``.
        """
        variable = Variable(get_initializer(initializer), shape=tuple(shape), dtype=dtype, trainable=False, name=name)
        self._added.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A variable in the shape, dtype and device of ``reference_variable``; args as ``add_variable``'s."""
        owner = getattr(reference_variable, "path", "variable").replace("/", "_")
        variable = self.add_variable(
            reference_variable.shape, initializer, reference_variable.dtype, name=f"{owner}_{name or 'var'}"
        )
        variable.data = variable.data.to(reference_variable.device)
        return variable

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """For each of some variables one by each ``name``: a list, or for several names a tuple of lists.

        Raises: ValueError if there are not as many initializers as names.
        """
        all_names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, (list, tuple))
        initializers = list(initializer) if several else [initializer] * len(all_names)
        if len(initializers) != len(all_names):
            checks.fail(self, "as many initializers as names", f"name={name!r}, initializer={initializer!r}")
        made = tuple([] for _ in all_names)
        for variable in trainable_variables:
            for found, one, first in zip(made, all_names, initializers, strict=True):
                found.append(self.add_variable_from_reference(variable, one, first))
        return made[0] if isinstance(name, str) else made

    def assign(self, variable, value):
        """``variable.assign(value)``, as ``update_step`` writes it."""
        variable.assign(value)

    def assign_add(self, variable, value):
        """``variable.assign_add(value)``."""
        variable.assign_add(value)

    def assign_sub(self, variable, value):
        """``variable.assign_sub(value)``."""
        variable.assign_sub(value)

    def _get_variable_index(self, variable):
        # The name that Keras' guide to optimizers of one's own uses.
        return next(i for i, p in enumerate(self._parameters()) if p is variable)


def write_all(owner, variables, values):
    """Copy ``values`` into ``variables``; where a shape differs, ValueError and nothing is written."""
    if len(variables) != len(values):
        checks.fail(owner, f"{len(variables)} arrays, one for each of its variables", f"{len(values)}")
    arrays = [torch.as_tensor(value) for value in values]
    for variable, value in zip(variables, arrays, strict=True):
        if variable.shape != value.shape:
            checks.fail(
                owner, f"an array of shape {tuple(variable.shape)} for {getattr(variable, 'path', 'a variable')}",
                f"shape {tuple(value.shape)}, not compatible",
            )  # fmt: skip
    with torch.no_grad():
        for variable, value in zip(variables, arrays, strict=True):
            variable.data.copy_(value)

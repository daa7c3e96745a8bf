"""``Update``: a variable and what it is to become, told now and done when a function or a training step runs."""

import torch

from kshim.core import arrays
from kshim.core.variable import Variable

HOW = {"set": Variable.assign, "add": Variable.assign_add, "sub": Variable.assign_sub}


class Update:
    """``variable`` becomes, or grows or shrinks by, ``value``.

    Args:
        variable: a ``Variable``.
        value: a tensor, array, number or symbolic tensor of its shape.
        how: ``"set"``, ``"add"`` or ``"sub"``.

    Raises: TypeError if ``variable`` is none.
    """

    def __init__(self, variable, value, how="set"):
        if not isinstance(variable, Variable):
            raise TypeError(f"An update needs a variable: expected a Variable. Received: {variable!r}.")
        self.variable, self.value, self.how = variable, value, how
        self.values = [value]  # what has to be known before it can be done

    def apply(self, value):
        """Do it, with ``value`` in the place of the symbolic one."""
        with torch.no_grad():
            HOW[self.how](self.variable, value.detach() if isinstance(value, torch.Tensor) else arrays.to_tensor(value))

    def __repr__(self):
        return f"<Update {self.how} {self.variable.path}>"


def as_update(given):
    """An ``Update`` from one, or from Keras 1's pair ``(variable, new value)``.

    Raises: TypeError for anything else.
    """
    if hasattr(given, "apply") and hasattr(given, "values"):
        return given
    if isinstance(given, (tuple, list)) and len(given) == 2:
        return Update(*given)
    raise TypeError(f"Expected an update: K.update(...) or a pair (variable, new value). Received: {given!r}.")

"""Losses and metrics that read symbolic tensors: ``def loss(y_true, y_pred): return ... + K.sum(z_mean)``.

Such a function is called once, on symbolic tensors. What it gave is lowered, and its step reads from the model's own
forward pass the values of the tensors it closed over (``model._taps``, ``model._tapped``).
"""

import functools
import types

import torch

from kshim.core import tree
from kshim.graph.function import Function
from kshim.graph.keras_tensor import KerasTensor


def lowered(model, fn, output):
    """``fn``, or if it closes over symbolic tensors what computes the same in a step of ``model``.

    Args:
        model: a model with a graph.
        fn: the function that ``compile`` was given, ``fn(y_true, y_pred)``.
        output: the symbolic output that it is for.

    Raises: ValueError if it needs a tensor that does not follow from the model's inputs.
    """
    if not isinstance(fn, types.FunctionType) or not _reaches_graph(fn):
        return fn
    target = KerasTensor(output.shape, output.dtype)
    value = fn(target, output)
    if not isinstance(value, KerasTensor):
        return fn
    function = model._function
    inside = {id(t) for n in function.nodes for t in n.outputs} | {id(t) for t in function.flat_inputs}
    taps = _boundary(value, inside, {id(target), id(output)})
    if not taps:
        return fn
    known = model.__dict__.setdefault("_taps", [])
    known += [t for t in taps if not any(t is k for k in known)]
    function.relower()
    graph, places = Function([target, output, *taps], [value]), [
        next(i for i, k in enumerate(known) if k is t) for t in taps
    ]  # fmt: skip
    return functools.update_wrapper(_Lowered(model, graph, places), fn)


class _Lowered:
    def __init__(self, model, graph, places):
        self.model, self.graph, self.places = model, graph, places

    def __call__(self, y_true, y_pred):
        tapped = self.model.__dict__["_tapped"]
        y_true = y_true.to(y_pred.dtype) if isinstance(y_true, torch.Tensor) else y_true
        return self.graph.run(y_true, y_pred, *(tapped[i] for i in self.places))[0]


def _boundary(tensor, inside, ends):
    """The tensors of the graph (``inside``) that ``tensor`` is made from, nearest first, without ``ends``."""
    found, seen, stack = [], set(), [tensor]
    while stack:
        now = stack.pop()
        if id(now) in seen or id(now) in ends:
            continue
        seen.add(id(now))
        if id(now) in inside:
            found.append(now)
        elif now.node is not None:
            stack += now.node.inputs
    return found


def _reaches_graph(fn, seen=None, depth=0):
    """Whether a function sees, by closure, default or global, a symbolic tensor or a layer to take one from."""
    seen = set() if seen is None else seen
    if id(fn) in seen or depth > 4:
        return False
    seen.add(id(fn))
    values = [*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values()]
    for cell in fn.__closure__ or ():
        if cell != types.CellType():  # else an empty one: its name is bound later
            values.append(cell.cell_contents)
    values += [fn.__globals__[name] for name in _names(fn.__code__) if name in fn.__globals__]
    for value in values:
        for leaf in tree.flatten(value) if isinstance(value, (list, tuple, dict)) else [value]:
            if isinstance(leaf, KerasTensor) or (
                isinstance(leaf, torch.nn.Module) and not isinstance(leaf, torch.nn.modules.loss._Loss)
            ):
                return True
            own = isinstance(leaf, types.FunctionType) and not leaf.__module__.startswith(("kshim.", "torch"))
            if own and _reaches_graph(leaf, seen, depth + 1):
                return True
    return False


def _names(code):
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def close(model):
    """Lower what was compiled for ``model``: its losses' and metrics' functions."""
    if getattr(model, "_function", None) is None:
        return
    outputs = model._function.flat_outputs
    model.__dict__["_taps"] = []
    parts = [(i, part) for i, part, *_ in model._compiled_loss.parts if i < len(outputs)]
    parts += [(i, part) for i, part, *_ in model._compiled_metrics.parts if i < len(outputs)]
    for i, part in parts:
        fn = getattr(part, "fn", None)
        if fn is not None:
            part.fn = lowered(model, fn, outputs[i])

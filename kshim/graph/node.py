"""Nodes: who was called with what, and gave what."""

import sys
import types

import torch

from kshim.core import names, tree
from kshim.graph import infer, keras_tensor

# Functions that take sizes: a None in their arguments is the axis of the first argument that is not known.
_SIZED = {torch.Tensor.view, torch.Tensor.reshape, torch.reshape, torch.Tensor.expand}
_MODULE_CALL = torch.nn.Module._call_impl.__code__


# Python's names of operators, as Keras calls the operations.
_OPERATORS = {
    "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide", "pow": "power",
    "neg": "negative", "abs": "absolute", "pos": "positive", "getitem": "get_item", "invert": "logical_not",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "and": "logical_and", "or": "logical_or", "xor": "logical_xor",
}  # fmt: skip
_OPERATORS |= {f"r{name}": _OPERATORS.get(name, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod",
                                                                   "pow", "matmul", "and", "or", "xor")}  # fmt: skip


class Node:
    """One call in a graph.

    Args:
        operation: the layer, module or function called.
        args, kwargs: its arguments, KerasTensors among them.
        specs: the structure of its result, with a Spec for each tensor.
    """

    def __init__(self, operation, args, kwargs, specs, name=None):
        KerasTensor = keras_tensor.KerasTensor
        self.operation, self.args, self.kwargs = operation, args, kwargs
        self.name = name or getattr(operation, "name", None)
        self.inputs = [leaf for leaf in tree.flatten([args, kwargs]) if isinstance(leaf, KerasTensor)]
        self.outputs: list[keras_tensor.KerasTensor] = []
        # A function may need no tensor (a draw, the value of a variable); a layer without one is a graph's entry.
        self.runs = bool(self.inputs) or not hasattr(operation, "_inbound_nodes")

        def symbolic(spec):
            if not isinstance(spec, infer.Spec):
                return spec
            tensor = KerasTensor(spec.shape, spec.dtype)
            tensor.node, tensor.index = self, len(self.outputs)
            self.outputs.append(tensor)
            return tensor

        self.structure = tree.map_structure(symbolic, specs)
        if hasattr(operation, "_inbound_nodes"):
            operation._inbound_nodes.append(self)


def record(function, args, kwargs):
    """Call ``function`` symbolically: a node, and the KerasTensors it gives."""
    call = _enclosing_module_call()
    if call is not None:
        return _Replay.of(*call).next(function)
    result = apply(_sized(function) if function in _SIZED else function, args, kwargs)
    if _Replay.noted is not None:
        _Replay.noted.append((function, result))
    return result


def apply(operation, args, kwargs, specs=None):
    """A node for ``operation``; ``specs`` are found by a meta run unless given."""
    if specs is None:
        specs = infer.outputs(operation, args, kwargs)
    name = getattr(operation, "name", None) or module_name(operation)
    return Node(operation, args, kwargs, specs, name).structure


def _sized(function):
    def call(x, *sizes):
        if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)):
            sizes = tuple(sizes[0])
        return function(x, [x.shape[i] if size is None else size for i, size in enumerate(sizes)])

    call.__name__ = function.__name__
    return call


def module_name(operation):
    """A plain module's or function's automatic name; a module keeps the one it got first."""
    if isinstance(operation, torch.nn.Module):
        kept = vars(operation).get("_keras_name")
        if kept is None:
            kept = names.unique(names.snake_case(type(operation).__name__))
            object.__setattr__(operation, "_keras_name", kept)
        return kept
    name = getattr(operation, "__name__", type(operation).__name__).strip("_")
    return names.unique(names.snake_case(_OPERATORS.get(name, name)))


# A plain nn.Module that is called on a KerasTensor runs its own forward, and what arrives here is each torch
# call inside it. The graph must hold the module, not those calls: only then do its training flag, its hooks and
# its buffers stay alive. So the outermost module on the call stack is found, run once on fresh KerasTensors, and
# recorded as one node; while its forward goes on, the calls inside are answered from that run.


def _enclosing_module_call():
    """``(frame, module)`` of the outermost plain module being called right now, or None."""
    frame: types.FrameType | None = sys._getframe(2)
    found = None
    while frame is not None:
        if frame.f_code is _MODULE_CALL:
            module = frame.f_locals["self"]
            if module is _Replay.probing:
                return None  # a probe records the calls inside
            if hasattr(module, "_inbound_nodes"):
                break  # a Layer records itself
            found = frame, module
        frame = frame.f_back
    return found


class _Replay:
    """The calls inside one running ``module.forward``, answered in order from a probe of it."""

    current: "_Replay | None" = None
    probing = None  # the module a probe runs
    noted: list | None = None  # the probe's calls so far: (function, result)

    @classmethod
    def of(cls, frame, module):
        if cls.current is None or cls.current.frame is not frame:
            cls.current = cls(frame, module)
        return cls.current

    def __init__(self, frame, module):
        self.frame = frame
        args, kwargs = frame.f_locals["args"], frame.f_locals["kwargs"]
        buffers = [(m, name, b, b.clone()) for m in module.modules() for name, b in m._buffers.items() if b is not None]
        _Replay.probing, _Replay.noted = module, []
        try:
            with names.untouched():
                result = module(*tree.map_structure(_fresh, list(args)), **tree.map_structure(_fresh, kwargs))
            self.calls = _Replay.noted
        finally:
            _Replay.probing = _Replay.noted = None
        real = apply(module, tuple(args), kwargs)
        self.results = dict(zip(map(id, tree.flatten(result)), tree.flatten(real), strict=True))
        self.position = 0
        self.buffers = buffers
        self._restore()

    def _restore(self):
        """The buffers as they were: a symbolic call is no use of the module."""
        with torch.no_grad():
            for module, name, buffer, value in self.buffers:
                module._buffers[name] = buffer
                buffer.copy_(value)

    def next(self, function):
        called, result = self.calls[self.position]
        if called is not function:
            raise RuntimeError(
                f"The module's forward took another way than before. Expected {called}. Received: {function}."
            )
        self.position += 1
        if self.position == len(self.calls):
            _Replay.current = None
            self._restore()
        return tree.map_structure(lambda leaf: self.results.get(id(leaf), leaf), result)


def _fresh(leaf):
    """A KerasTensor like ``leaf`` with no history and every axis known."""
    if isinstance(leaf, keras_tensor.KerasTensor):
        return keras_tensor.KerasTensor(keras_tensor.concrete(leaf._shape), leaf._dtype)
    return leaf


def inside_module():
    """Whether a plain module's forward is running on symbolic tensors."""
    return _Replay.probing is not None or _enclosing_module_call() is not None


keras_tensor._Graph.record, keras_tensor._Graph.inside_module = record, inside_module

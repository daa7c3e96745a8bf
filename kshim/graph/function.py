"""``Function``: the calls between inputs and outputs, in order, lowered to one straight Python function."""

from typing import Any

import torch

from kshim.core import tree
from kshim.graph.keras_tensor import KerasTensor


class Function:
    """A graph from ``inputs`` to ``outputs`` (structures of KerasTensors).

    Attributes: ``nodes``, every call in an order in which they can run; ``calls``, the same by what is called, in
    Keras' order (deepest first): a list of calls for each layer, module or function, inputs among them.

    Raises: ValueError if an output does not follow from the inputs.
    """

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        self.flat_inputs, self.flat_outputs = tree.flatten(inputs), tree.flatten(outputs)
        self.nodes, self.calls = _sort(self.flat_inputs, self.flat_outputs)
        self._run = None
        self.extension: Any = None  # what runs beside it: a model's symbolic losses, metrics and updates

    def __getstate__(self):
        return {**self.__dict__, "_run": None, "extension": None}  # made by exec, or over ids; quickly made again

    @property
    def operations(self):
        """The layers, modules and functions called, in Keras' order."""
        return [calls[0].operation for calls in self.calls]

    @property
    def run(self):
        """``run(*flat_inputs) -> flat outputs (a tuple)``, lowered on first use and until ``relower``."""
        if self._run is None:
            self._run = _lower(self.flat_inputs, self.nodes, self.flat_outputs)
        return self._run

    def relower(self):
        """Lower again on the next run: a layer in the graph changed how it wants to be called."""
        self._run = self.extension = None

    def run_whole(self, *values):
        """The same result through each layer's whole ``__call__``, masks included."""
        table = dict(zip(map(id, self.flat_inputs), values, strict=True))
        for node in self.nodes:

            def value(leaf):
                return table[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

            args, kwargs = tree.map_structure(value, node.args), tree.map_structure(value, node.kwargs)
            result = node.operation(*args, **kwargs)
            table.update(zip(map(id, tree.flatten(node.structure)), tree.flatten(result), strict=True))
        return tuple(table[id(tensor)] for tensor in self.flat_outputs)


def _sort(inputs, outputs):
    """The calls in running order, and ``{what is called: its calls}`` in Keras' order, deepest first.

    A layer or module stands for itself; a function is another one at each call, and the call stands for it.
    """
    stops = {id(tensor) for tensor in inputs}
    entries = {id(t.node): t.node for t in inputs if t.node is not None and not t.node.inputs}
    order: list = []
    seen: set[int] = set()
    first_seen: dict[int, int] = {}
    stack = [(tensor, False) for tensor in reversed(outputs)]
    while stack:  # an explicit stack: graphs are deeper than Python's recursion limit
        tensor, done = stack.pop()
        node = tensor.node
        if done:
            order.append(node)
        elif id(tensor) in stops:
            if id(node) in entries:
                first_seen.setdefault(_key(node), len(first_seen))
        elif node is None or not node.runs:
            raise ValueError(_disconnected(tensor))
        elif id(node) not in seen:
            seen.add(id(node))
            first_seen.setdefault(_key(node), len(first_seen))
            stack.append((tensor, True))
            stack.extend((t, False) for t in reversed(node.inputs))

    depth: dict[int, int] = {}  # of a call: the longest way to an output
    deepest: dict[int, int] = {}  # of what is called: its calls' so far
    for node in [*reversed(order), *entries.values()]:
        # As in Keras, a call is no less deep than a later call of the same layer.
        own = max(depth.get(id(node), 0), deepest.get(_key(node), 0))
        depth[id(node)] = deepest[_key(node)] = own
        for tensor in node.inputs:
            depth[id(tensor.node)] = max(depth.get(id(tensor.node), 0), own + 1)
    calls: dict[int, list] = {}
    for node in [*entries.values(), *order]:
        calls.setdefault(_key(node), []).append(node)
    ranked = sorted(calls, key=lambda key: (-deepest[key], first_seen.get(key, -1)))
    return order, [calls[key] for key in ranked]


def _key(node):
    return id(node.operation if isinstance(node.operation, torch.nn.Module) else node)


def _watch(value):
    """``value``, or a leaf of its own if autograd does not follow it yet."""
    return value if value.requires_grad or not value.is_floating_point() else value.detach().requires_grad_()


def _disconnected(tensor):
    return (
        f"`inputs` not connected to `outputs`: expected every output to follow from the inputs. Received: {tensor}, "
        "which needs a tensor that is not among the inputs."
    )


def _lower(inputs, nodes, outputs):
    """Python source for the calls, compiled: what is constant is bound to a name, what is a value is a local.

    A layer says by ``lowered_call(node)`` how it wants to be called: ``(callable, whether it takes training)``,
    or None for its whole ``__call__``, which casts its inputs; this is taken wherever a layer that ``autocasts`` or
    functions after one gave an input, as only a run tells its dtype.
    """
    bound: dict[str, Any] = {}
    local: dict[int, str] = {}

    def bind(value, prefix="c"):
        name = f"{prefix}{len(bound)}"
        bound[name] = value
        return name

    def expression(value):
        if isinstance(value, KerasTensor):
            return local[id(value)]
        if any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(value)):
            if type(value) is dict:
                return "{" + ", ".join(f"{bind(k)}: {expression(v)}" for k, v in value.items()) + "}"
            if type(value) in (list, tuple):
                items = ", ".join(expression(v) for v in value)
                return f"[{items}]" if type(value) is list else f"({items},)"
        return bind(value)

    parameters = []
    for tensor in inputs:
        local[id(tensor)] = f"t{len(local)}"
        parameters.append(local[id(tensor)])
    last_use: dict[int, int] = {}
    for position, node in enumerate(nodes):
        last_use.update((id(tensor), position) for tensor in node.inputs)
    keep = {id(tensor) for tensor in outputs}
    # What a gradient is taken with respect to must be on autograd's tape from where it is made.
    watched = {
        id(x) for n in nodes if getattr(n.operation, "takes_gradients", False) for x in n.args[1:] if hasattr(x, "node")
    }

    def watching(tensors):
        return [f"{local[id(t)]} = {bind(_watch, 'w')}({local[id(t)]})" for t in tensors if id(t) in watched]

    lines = watching(inputs)
    unsure: set[int] = set()  # tensors whose dtype is what torch's autocast makes it
    for position, node in enumerate(nodes):
        ask = getattr(node.operation, "lowered_call", None)
        unsure_input = any(id(tensor) in unsure for tensor in node.inputs)
        if getattr(node.operation, "autocasts", unsure_input):
            unsure.update(map(id, node.outputs))
        ask = None if unsure_input else ask
        function, training = (ask(node) if ask else None) or (node.operation, False)
        arguments = [expression(a) for a in node.args]
        arguments += [f"{k}={expression(v)}" for k, v in node.kwargs.items()]
        if training:
            arguments.append(f"training={bind(node.operation, 'm')}.training")
        for tensor in node.outputs:
            local.setdefault(id(tensor), f"t{len(local)}")
        call = f"{bind(function, 'f')}({', '.join(arguments)})"
        if isinstance(node.structure, KerasTensor):
            lines.append(f"{local[id(node.structure)]} = {call}")
        else:
            targets = [local[id(t)] if isinstance(t, KerasTensor) else "_" for t in tree.flatten(node.structure)]
            lines.append(f"{', '.join(targets)}, = {bind(tree.flatten)}({call})")
        lines += watching(node.outputs)
        dead = {t for t in {id(t) for t in node.inputs} if last_use[t] == position and t not in keep}
        if dead:
            lines.append("del " + ", ".join(sorted(local[t] for t in dead)))
    lines.append(f"return ({''.join(local[id(t)] + ', ' for t in outputs)})")
    source = f"def run({', '.join(parameters)}):\n" + "\n".join("    " + line for line in lines)
    exec(compile(source, "<kshim graph>", "exec"), bound)  # only names made above are in the source
    return bound["run"]

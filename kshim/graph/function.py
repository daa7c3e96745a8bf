"""``Function``: the calls between inputs and outputs, in order, lowered to one straight Python function."""

from typing import Any

from kshim.core import tree
from kshim.graph.keras_tensor import KerasTensor


class Function:
    """A graph from ``inputs`` to ``outputs`` (structures of KerasTensors).

    Attributes: ``nodes``, every call in an order in which they can run; ``operations``, the layers, modules and
    functions called, in Keras' order (by depth, deepest first).

    Raises: ValueError if an output does not follow from the inputs.
    """

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        self.flat_inputs, self.flat_outputs = tree.flatten(inputs), tree.flatten(outputs)
        self.nodes, self.operations = _sort(self.flat_inputs, self.flat_outputs)
        self._run = None

    def __getstate__(self):
        return {**self.__dict__, "_run": None}  # made by exec: not picklable, and quickly made again

    @property
    def run(self):
        """``run(*flat_inputs) -> flat outputs (a tuple)``, lowered on first use and until ``relower``."""
        if self._run is None:
            self._run = _lower(self.flat_inputs, self.nodes, self.flat_outputs)
        return self._run

    def relower(self):
        """Lower again on the next run: a layer in the graph changed how it wants to be called."""
        self._run = None

    def run_whole(self, *values):
        """The same result through each layer's whole ``__call__``, masks included."""
        table = dict(zip(map(id, self.flat_inputs), values, strict=True))
        for node in self.nodes:
            if id(node.outputs[0]) in table:
                continue

            def value(leaf):
                return table[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

            args, kwargs = tree.map_structure(value, node.args), tree.map_structure(value, node.kwargs)
            result = node.operation(*args, **kwargs)
            table.update(zip(map(id, tree.flatten(node.structure)), tree.flatten(result), strict=True))
        return tuple(table[id(tensor)] for tensor in self.flat_outputs)


def _sort(inputs, outputs):
    """Nodes in running order, and operations in Keras' order."""
    stops = {id(tensor) for tensor in inputs}
    seen: set[int] = set()
    order: list = []
    first_seen: dict[int, int] = {}
    stack = [(tensor, False) for tensor in reversed(outputs)]
    while stack:  # an explicit stack: graphs are deeper than Python's recursion limit
        tensor, done = stack.pop()
        node = tensor.node
        if done:
            order.append(node)
            continue
        if node is None or id(node) in seen:
            if node is None and id(tensor) not in stops:
                raise ValueError(_disconnected(tensor))
            continue
        seen.add(id(node))
        first_seen.setdefault(id(node.operation), len(first_seen))
        stack.append((tensor, True))
        if id(tensor) not in stops:
            if not node.inputs:
                raise ValueError(_disconnected(tensor))
            stack.extend((t, False) for t in reversed(node.inputs))
    depth: dict[int, int] = {}
    for node in reversed(order):
        own = depth.setdefault(id(node), 0)
        for tensor in node.inputs:
            if tensor.node is not None and id(tensor.node) in seen:
                depth[id(tensor.node)] = max(depth.get(id(tensor.node), 0), own + 1)
    operation_depth: dict[int, int] = {}
    operations: dict[int, Any] = {}
    for node in order:
        if node.inputs and all(id(tensor) in stops for tensor in node.outputs):
            continue  # a graph that begins behind this call
        key = id(node.operation)
        operations[key] = node.operation
        operation_depth[key] = max(operation_depth.get(key, 0), depth[id(node)])
    for tensor in inputs:
        if tensor.node is not None and not tensor.node.inputs:
            operations.setdefault(id(tensor.node.operation), tensor.node.operation)
            operation_depth.setdefault(id(tensor.node.operation), 0)
    ranked = sorted(operations, key=lambda key: (-operation_depth[key], first_seen.get(key, len(first_seen))))
    running = [n for n in order if n.inputs and not all(id(t) in stops for t in n.outputs)]
    return running, [operations[key] for key in ranked]


def _disconnected(tensor):
    return (
        f"`inputs` not connected to `outputs`: expected every output to follow from the inputs. Received: {tensor}, "
        "which needs a tensor that is not among the inputs."
    )


def _lower(inputs, nodes, outputs):
    """Python source for the calls, compiled: what is constant is bound to a name, what is a value is a local.

    A layer says by ``lowered_call(node)`` how it wants to be called: ``(callable, whether it takes training)``,
    or None for its whole ``__call__``.
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

    lines = []
    for position, node in enumerate(nodes):
        ask = getattr(node.operation, "lowered_call", None)
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
        dead = {t for t in {id(t) for t in node.inputs} if last_use[t] == position and t not in keep}
        if dead:
            lines.append("del " + ", ".join(sorted(local[t] for t in dead)))
    lines.append(f"return ({', '.join(local[id(t)] for t in outputs)},)")
    source = f"def run({', '.join(parameters)}):\n" + "\n".join("    " + line for line in lines)
    exec(compile(source, "<kshim graph>", "exec"), bound)  # only names made above are in the source
    return bound["run"]

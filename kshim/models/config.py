"""Graphs and stacks as config, and back: the form of Keras 3's ``get_config``.

Source: Keras 3 ``models/functional.py``, ``models/sequential.py``.
"""

import inspect

import torch

from kshim import ops
from kshim.core import checks, serialization, tree
from kshim.core.registry import custom_object_scope, find_custom
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers import LAYERS, InputLayer, Layer
from kshim.models import op_classes

TENSOR = "__keras_tensor__"


def graph_config(model, function):
    """The layers of a graph with their calls, and where it begins and ends.

    Raises: NotImplementedError if a plain module, or a function that is no op of Keras, is part of the graph.
    """
    nodes = {id(node) for node in function.nodes}
    parts = [made[0] for made in function.calls]  # the first call of each layer, and every call of a function
    calls = {
        id(part): [n for n in part.operation._inbound_nodes if id(n) in nodes or isinstance(part.operation, InputLayer)]
        if isinstance(part.operation, Layer)
        else [part]
        for part in parts
    }
    places = {
        id(node): (getattr(node.operation, "name", node.name), number)
        for own in calls.values()
        for number, node in enumerate(own, _own_calls(own[0]))
    }

    def history(tensor):
        return [*places[id(tensor.node)], tensor.index]

    def described(leaf):
        if isinstance(leaf, KerasTensor):
            config = {"shape": list(leaf.shape), "dtype": leaf.dtype, "keras_history": history(leaf)}
            return {"class_name": TENSOR, "config": config}
        if isinstance(leaf, torch.Tensor):
            checks.fail(model, "calls with symbolic tensors and plain values only", f"a tensor of shape {leaf.shape}")
        return leaf

    def told(part):
        if not isinstance(part.operation, Layer):
            return _op_config(model, part, described)
        arguments = [
            {key: tree.map_structure(described, value) for key, value in _arguments(node).items()}
            for node in calls[id(part)]
            if node.inputs
        ]
        return {**LAYERS.serialize(part.operation), "name": part.operation.name, "inbound_nodes": arguments}

    layers = [told(part) for part in parts]
    return {
        "layers": layers,
        "input_layers": _places(function.inputs, history),
        "output_layers": _places(function.outputs, history),
    }


def _op_config(model, node, described):
    """A call of an op as Keras tells it: an object of a class, whose constructor takes a part of the arguments."""
    name = getattr(node.operation, "__name__", "").strip("_")
    args = node.args
    operator = name[1:] if name in REVERSED else name
    if name in REVERSED:
        args = args[::-1]
    name = OPERATORS.get(operator, operator)
    own = getattr(node.operation, "__name__", "")
    known = own and node.operation is getattr(ops, name, None)
    if operator in OPERATORS:
        methods = [getattr(torch.Tensor, key, None) for key in (own, f"__{own}__")]
        known = known or node.operation in (*methods, getattr(torch, own, None))
    if not known or name not in op_classes.OPS:
        kind = type(node.operation).__name__ if isinstance(node.operation, torch.nn.Module) else "function"
        raise NotImplementedError(
            f"{checks.describe(model)}: kshim has no config for a graph with a plain {kind} yet. "
            f"Received: {getattr(node.operation, '__name__', node.operation)}. Use a layer, or pickle the model."
        )
    module, class_name, *in_config = op_classes.OPS[name].split()
    bound = inspect.signature(getattr(ops, name)).bind(*args, **node.kwargs)
    bound.apply_defaults()
    config = {"name": node.name, **{key: bound.arguments[key] for key in in_config}}
    called = [value for key, value in bound.arguments.items() if key not in in_config]
    while called and called[-1] is None:
        called.pop()
    return {
        "module": f"keras.src.ops.{module}", "class_name": class_name, "config": config, "registered_name": class_name,
        "name": node.name,
        "inbound_nodes": [{"args": [tree.map_structure(described, value) for value in called], "kwargs": {}}],
    }  # fmt: skip


def _op_of(entry):
    """The op that a config tells of, as a function of its calls' arguments; None where it tells of a layer."""
    module, name = entry.get("module"), CLASSES.get(entry["class_name"])
    is_op = isinstance(module, str) and module.startswith("keras.src.ops.")
    is_op = is_op or (module is None and name is not None and "trainable" not in entry["config"])  # in .h5 files
    if not is_op or find_custom(entry["class_name"]) is not None:
        return None
    config = {key: serialization.revive(value) for key, value in entry["config"].items() if key != "name"}
    if name is None:
        raise ValueError(f"Unknown op: expected one of Keras 3's classes of ops. Received: {entry['class_name']!r}.")

    def call(*args, **kwargs):
        if not any(isinstance(leaf, KerasTensor) for leaf in tree.flatten([args, kwargs])):
            raise ValueError(f"Expected a symbolic tensor in a call of {name!r} in a config. Received: {args}.")
        if name == "get_item" and isinstance(args[-1], list):
            args = (*args[:-1], tuple(args[-1]))  # JSON has no tuples
        order = [key for key in inspect.signature(getattr(ops, name)).parameters if key not in config]
        if len(args) > len(order):
            raise ValueError(f"Expected up to {len(order)} arguments of {name!r} in a config. Received: {args}.")
        return getattr(ops, name)(**dict(zip(order, args, strict=False)), **kwargs, **config)

    call.name = entry["name"]  # type: ignore[attr-defined] # as a layer has one
    return call


CLASSES = {told.split()[1]: name for name, told in op_classes.OPS.items()}
OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "pow": "power", "neg": "negative", "abs": "absolute", "matmul": "matmul", "mod": "mod", "getitem": "get_item",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
REVERSED = {f"r{name}" for name in ("add", "sub", "mul", "truediv", "floordiv", "pow", "matmul", "mod")}


def _own_calls(node):
    """How many calls a file counts before the first one of a layer: a graph has one that made it."""
    return int(getattr(node.operation, "_stacked", True) is False and node.operation._function is not None)


def _arguments(node):
    return {"args": list(node.args), "kwargs": node.kwargs}


def _places(structure, history):
    return tree.map_structure(history, structure)


def graph_from_config(config):
    """``(inputs, outputs)``: the symbolic tensors of a graph made anew from ``graph_config``.

    Raises: ValueError if the calls in the config can't be put in an order.
    """
    layers = {}
    waiting = []
    for entry in config["layers"]:
        layer = layers[entry["name"]] = _op_of(entry) or LAYERS.get(_unbuilt(entry))
        layer.name = entry["name"]  # a stack told as a list of layers has no name in it
        waiting += [
            (layer, node if isinstance(node, dict) else _told_by_place(node)) for node in entry["inbound_nodes"]
        ]

    before_3 = any(not isinstance(node, dict) for entry in config["layers"] for node in entry["inbound_nodes"])
    calls = {name: _first_calls(layer, before_3) for name, layer in layers.items()}

    def tensor(place):
        name, node_index, index = place
        if name not in calls:
            raise ValueError(f"The config names a layer that it does not have. Expected one of {sorted(calls)}. "
                             f"Received: {name!r}.")  # fmt: skip
        made = calls[name]
        return tree.flatten(made[node_index])[index] if node_index < len(made) else None

    def filled(value):
        if isinstance(value, dict):
            if value.get("class_name") == TENSOR:
                found = tensor(value["config"]["keras_history"])
                if found is None:
                    raise _NotYet
                return found
            if str(value.get("class_name")).startswith("__"):  # a slice, an ellipsis, an array
                return serialization.revive(value)
            return {key: filled(item) for key, item in value.items()}
        return type(value)(filled(item) for item in value) if isinstance(value, (list, tuple)) else value

    while waiting:
        left, blocked = [], set()
        for layer, node in waiting:
            try:
                if id(layer) in blocked:  # a layer's calls keep their order: tensors name them by number
                    raise _NotYet
                args, kwargs = filled(node["args"]), filled(node["kwargs"])
            except _NotYet:
                left.append((layer, node))
                blocked.add(id(layer))
                continue
            calls[layer.name].append(layer(*args, **kwargs))
        if len(left) == len(waiting):
            names = sorted({layer.name for layer, _ in left})
            raise ValueError(f"The config's calls need each other: expected an order. Received: {names}.")
        waiting = left

    def ends(structure):
        if isinstance(structure, dict):
            return {key: ends(item) for key, item in structure.items()}
        if len(structure) == 3 and isinstance(structure[0], str):
            return tensor(structure)
        return [ends(item) for item in structure]

    inputs, outputs = ends(config["input_layers"]), ends(config["output_layers"])
    if before_3:
        inputs, outputs = _alone(inputs), _alone(outputs)
    return inputs, outputs


def _first_calls(layer, before_3):
    """What the numbers of a layer's calls begin with: an input's tensor, or that a graph is one by itself."""
    stacked = getattr(layer, "_stacked", None)
    is_graph = stacked is False and layer._function is not None
    if isinstance(layer, InputLayer):
        return [layer.output]
    return [None] if is_graph or (before_3 and stacked) else []


def _alone(structure):
    """A list of one tensor as that tensor: so it was before Keras 3."""
    return structure[0] if isinstance(structure, list) and len(structure) == 1 else structure


def _unbuilt(entry):
    """A layer's config without the shape it was built for: the call builds it."""
    return {key: value for key, value in entry.items() if key != "build_config"} if isinstance(entry, dict) else entry


def _told_by_place(node):
    """The call that a node of a file before Keras 3 stands for: a list of ``[layer, node, tensor, arguments]``."""

    def tensor(place):
        return {"class_name": TENSOR, "config": {"keras_history": place[:3]}}

    def argument(value):
        if isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str) and value[1:3] == [
            checks.as_int(value[1]), checks.as_int(value[2])]:  # fmt: skip
            return tensor(value)
        return [argument(item) for item in value] if isinstance(value, list) else value

    places = [node] if node and isinstance(node[0], str) else list(node)
    tensors = [tensor(place) for place in places]
    kwargs = places[0][3] if len(places[0]) > 3 else {}
    return {
        "args": [tensors[0] if len(tensors) == 1 else tensors],
        "kwargs": {key: argument(value) for key, value in kwargs.items()},
    }


class _NotYet(Exception):
    """A call has to wait for another."""


def layers_from_config(config, custom_objects=None):
    """The layers of a stack."""
    with custom_object_scope(custom_objects or {}):
        return [LAYERS.get(_unbuilt(entry)) for entry in config["layers"]]

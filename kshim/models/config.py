"""Graphs and stacks as config, and back: the form of Keras 3's ``get_config``.

Source: Keras 3 ``models/functional.py``, ``models/sequential.py``.
"""

import torch

from kshim.core import checks, tree
from kshim.core.registry import custom_object_scope
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers import LAYERS, InputLayer, Layer

TENSOR = "__keras_tensor__"


def graph_config(model, function):
    """The layers of a graph with their calls, and where it begins and ends.

    Raises: NotImplementedError if a plain function or module is part of the graph.
    """
    for operation in function.operations:
        if not isinstance(operation, Layer):
            kind = type(operation).__name__ if isinstance(operation, torch.nn.Module) else "function"
            raise NotImplementedError(
                f"{checks.describe(model)}: kshim has no config for a graph with a plain {kind} yet. "
                f"Received: {getattr(operation, '__name__', operation)}. Use a layer, or pickle the model."
            )
    nodes = {id(node) for node in function.nodes}
    calls = {  # of each layer, the calls that belong to this graph
        id(layer): [n for n in layer._inbound_nodes if id(n) in nodes or isinstance(layer, InputLayer)]
        for layer in function.operations
    }
    places = {
        id(node): (node.operation.name, i) for own in calls.values() for i, node in enumerate(own, _own_calls(own[0]))
    }  # fmt: skip

    def history(tensor):
        return [*places[id(tensor.node)], tensor.index]

    def described(leaf):
        if isinstance(leaf, KerasTensor):
            config = {"shape": list(leaf.shape), "dtype": leaf.dtype, "keras_history": history(leaf)}
            return {"class_name": TENSOR, "config": config}
        if isinstance(leaf, torch.Tensor):
            checks.fail(model, "calls with symbolic tensors and plain values only", f"a tensor of shape {leaf.shape}")
        return leaf

    layers = [
        {
            **LAYERS.serialize(layer),
            "name": layer.name,
            "inbound_nodes": [
                {key: tree.map_structure(described, value) for key, value in _arguments(node).items()}
                for node in calls[id(layer)]
                if node.inputs
            ],
        }
        for layer in function.operations
    ]
    return {
        "layers": layers,
        "input_layers": _places(function.inputs, history),
        "output_layers": _places(function.outputs, history),
    }


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
        layer = layers[entry["name"]] = LAYERS.get(_unbuilt(entry))
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

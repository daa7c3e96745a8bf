"""``clone_model``.

Source: Keras 3 ``models/cloning.py``.
"""

from kshim.core import checks, tree
from kshim.graph.keras_tensor import KerasTensor
from kshim.graph.node import apply
from kshim.layers import Input, InputLayer, Layer
from kshim.models.model import Model
from kshim.models.sequential import Sequential


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False):
    """A model of the same layers with new weights.

    Args:
        model: a graph, a stack, or a subclassed model with a ``get_config``.
        input_tensors: symbolic tensors to build the new graph on, in the place of new inputs.
        clone_function: called with each layer but the inputs, gives its clone; None makes it from the config.
        call_function: called as ``call_function(clone, *args, **kwargs)`` for each call in a graph.
        recursive: whether ``clone_function`` is called for the layers of models within, too.

    Raises: ValueError for arguments that the kind of model has no use for.
    """
    clone = clone_function or _from_config
    if recursive:
        inner = clone

        def clone(layer):
            if isinstance(layer, Model) and (layer._function is not None or isinstance(layer, Sequential)):
                return clone_model(layer, clone_function=inner, recursive=True)
            return inner(layer)

    if isinstance(model, Sequential):
        if call_function is not None:
            checks.fail(model, "no `call_function` for a Sequential", f"call_function={call_function}")
        return _stack(model, input_tensors, clone)
    if model._function is not None:
        return _graph(model, input_tensors, clone, call_function or _call)
    if input_tensors is not None or clone_function is not None or call_function is not None:
        checks.fail(
            model, "no `input_tensors`, `clone_function` or `call_function` for a subclassed model", "one of them",
        )  # fmt: skip
    return type(model).from_config(model.get_config())


def _from_config(layer):
    if not isinstance(layer, Layer):
        checks.fail(layer, "layers, which have a config", type(layer).__name__, "Pass a `clone_function`.")
    return type(layer).from_config(layer.get_config())


def _call(layer, *args, **kwargs):
    return layer(*args, **kwargs)


def _stack(model, input_tensors, clone):
    layers = [clone(layer) for layer in model._stack]
    if input_tensors is not None:
        given = tree.flatten(input_tensors)
        if len(given) != 1 or not isinstance(given[0], KerasTensor):
            checks.fail(model, "one symbolic tensor in `input_tensors`", f"{input_tensors!r}")
        layers = [given[0].node.operation if isinstance(given[0].node.operation, InputLayer) else given[0], *layers]
    elif model.inputs:
        layers = [_input_like(model.inputs[0]), *layers]
    return Sequential(layers, name=model.name, trainable=model.trainable)


def _input_like(tensor):
    return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)


def _graph(model, input_tensors, clone, call):
    function = model._function
    inputs = [_input_like(t) for t in function.flat_inputs] if input_tensors is None else tree.flatten(input_tensors)
    if len(inputs) != len(function.flat_inputs):
        checks.fail(model, f"{len(function.flat_inputs)} tensors in `input_tensors`", f"{len(inputs)}")
    made = dict(zip(map(id, function.flat_inputs), inputs, strict=True))
    clones: dict = {}

    def value(leaf):
        return made[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

    for node in function.nodes:
        operation = node.operation
        args, kwargs = tree.map_structure(value, node.args), tree.map_structure(value, node.kwargs)
        if isinstance(operation, Layer):
            if id(operation) not in clones:
                clones[id(operation)] = clone(operation)
            result = call(clones[id(operation)], *args, **kwargs)
        else:
            result = apply(operation, args, kwargs)
        made.update(zip(map(id, tree.flatten(node.structure)), tree.flatten(result), strict=True))
    ends = tree.pack_like(function.inputs, inputs), tree.map_structure(value, function.outputs)
    return type(model)(*ends, name=model.name, trainable=model.trainable)

"""Methods and properties that layers, regularizers and constraints had in Keras 1 and 2; ``names`` attaches them."""

from kshim import backend as K
from kshim import optimizers, regularizers
from kshim.core import checks, tree
from kshim.core.variable import Variable
from kshim.graph import infer
from kshim.graph.keras_tensor import KerasTensor
from kshim.graph.node import Node
from kshim.layers import Layer
from kshim.metrics.base import Mean
from kshim.models import Model


class Found:
    """A property that an attribute of the object's own goes before: layers keep arguments called ``output_shape``."""

    def __init__(self, get):
        self.get, self.__doc__ = get, get.__doc__

    def __get__(self, owner, cls=None):
        return self if owner is None else self.get(owner)


def _shapes(tensors):
    """The shape of a tensor, or a list of those of several."""
    found = [tuple(t.shape) for t in tree.flatten(tensors)]
    return found[0] if len(found) == 1 else found


def input_shape(layer):
    """Shape of what the layer was first called on, with the batch axis; a list for several tensors."""
    if not layer._inbound_nodes and layer._build_shape is not None:
        return layer._build_shape
    return _shapes(layer.get_input_at(0))


def output_shape(layer):
    """Shape of what the layer's first call gave, with the batch axis; a list for several tensors."""
    if not layer._inbound_nodes and layer._build_shape is not None:
        return layer.compute_output_shape(layer._build_shape)
    return _shapes(layer.get_output_at(0))


def get_input_shape_at(layer, node_index):
    """Shape of what the symbolic call number ``node_index`` was on."""
    return _shapes(layer.get_input_at(node_index))


def get_output_shape_at(layer, node_index):
    """Shape of what the symbolic call number ``node_index`` gave."""
    return _shapes(layer.get_output_at(node_index))


def get_output_shape_for(layer, input_shape):
    """``compute_output_shape``, by its name in Keras 1."""
    return layer.compute_output_shape(input_shape)


def _forget(layer, attribute):
    """A list or dict set to an attribute is tracked; this one is not kept."""
    if attribute in layer._tracked_names:
        layer._tracked_names.remove(attribute)


def _own(layer, attribute, weights, trainable):
    """Make ``weights`` the layer's own trainable (or other) ones, in their order."""
    _forget(layer, attribute)
    weights = [w for w in weights if isinstance(w, Variable)]
    below = {id(w) for child in layer.modules() if child is not layer for w in [*child.parameters(), *child.buffers()]}
    known = {id(w): name for group in (layer._parameters, layer._buffers) for name, w in group.items() if w is not None}
    for weight in weights:
        if id(weight) in below:
            continue
        name = known.get(id(weight), weight.name)
        if name.startswith(f"{attribute}_"):
            layer._parameters.pop(name, None), layer._buffers.pop(name, None)
            known.pop(id(weight))
            name = weight.name
        while id(weight) not in known and (name in layer._parameters or name in layer._buffers):
            name += "_"
        layer._parameters.pop(name, None)
        layer._buffers.pop(name, None)
        weight.wants_gradient = trainable
        weight.requires_grad_(trainable and layer.trainable)
        (layer._parameters if trainable else layer._buffers)[name] = weight


def set_trainable_weights(layer, weights):
    """``self.trainable_weights = [W, b]``, as Keras 1's layers said which of their variables are weights."""
    _own(layer, "trainable_weights", weights, trainable=True)


def set_non_trainable_weights(layer, weights):
    """``self.non_trainable_weights = [mean]``: these take no gradient."""
    _own(layer, "non_trainable_weights", weights, trainable=False)


def get_constraints(layer):
    """Keras 1's dict of the weights' constraints."""
    kept = vars(layer).get("constraints")
    return {w: w.constraint for w in layer.weights if getattr(w, "constraint", None)} if kept is None else kept


def set_constraints(layer, constraints):
    """``self.constraints = {self.W: maxnorm(2)}``; anything but such a dict is a plain attribute."""
    if isinstance(constraints, dict) and constraints and all(isinstance(w, Variable) for w in constraints):
        _forget(layer, "constraints")
        for weight, constraint in constraints.items():
            weight.constraint = constraint
    else:
        vars(layer)["constraints"] = constraints


def set_param(regularizer, weight):
    """Keras 1.0's way to say which weight a regularizer is for."""
    weight.regularizer = regularizer


def set_layer(regularizer, layer):
    """Keras 1.0's way to say whose output a regularizer is for."""
    layer.activity_regularizer = regularizer


def reset_states(model):
    """Every stateful layer of ``model`` begins anew, as Keras 1 and 2 say it."""
    for module in model.modules():
        if module is not model and getattr(module, "stateful", False) and hasattr(module, "reset_states"):
            module.reset_states()


class OptimizerUpdate:
    """One step of an optimizer, in the place of Keras' list of updates: ``K.function(..., updates=...)`` does it."""

    def __init__(self, optimizer, params, gradients):
        self.optimizer, self.params, self.values = optimizer, params, gradients

    def apply(self, *gradients):
        """Do it, with values in the place of the symbolic gradients."""
        self.optimizer.apply([None if g is None else g.detach() for g in gradients], self.params)


def get_gradients(optimizer, loss, params):
    """The symbolic gradients of ``loss``. Raises: ValueError if it does not depend on one of ``params``."""
    found = K.gradients(loss, list(params))
    if any(gradient is None for gradient in found):
        raise ValueError(
            "An operation has `None` for gradient: expected a loss that depends on each of `params`. "
            f"Received: {[p.path for p, g in zip(params, found, strict=True) if g is None]} without a gradient."
        )
    return found


def add_metric(layer, value, name=None, aggregation="mean"):
    """Log the running mean of a tensor: told in ``call``, or once on a symbolic tensor.

    Args:
        value: the tensor of a batch; each of its elements counts alike.
        name: its name in the logs.
        aggregation: "mean", or None, which means the same here.

    Raises: ValueError without a name, or for another aggregation.

    Source: Keras 2.3.1 ``engine/base_layer.py``; Keras 3 refuses it.
    """
    if name is None:
        checks.fail(layer, "`name` in add_metric", "name=None", "Say add_metric(value, name='...').")
    if aggregation not in (None, "mean"):
        checks.fail(layer, "`aggregation` to be 'mean' or None", f"{aggregation=}")
    if infer.is_running() and not isinstance(value, KerasTensor):
        return  # shapes are being told: there are no numbers
    added = layer.__dict__.setdefault("_added_metrics", [])
    mean = next((one for one in added if one.name == name), None)
    if mean is None:
        mean = Mean(name=name)
        added.append(mean)
    if isinstance(value, KerasTensor):
        layer.add_symbolic("metric", value, mean)
    else:
        mean.to(value.device)
        mean.update_state(value.detach())


def get_updates(optimizer, *args, **kwargs):
    """The updates of one step: ``(loss, params)`` in Keras 2, ``(params, constraints, loss)`` in Keras 1.

    Raises: TypeError for arguments that are neither.
    """
    names = ("params", "constraints", "loss") if len(args) + len(kwargs) > 2 else ("loss", "params")
    if len(args) == 2 and isinstance(args[0], (list, tuple)):
        names = ("params", "loss")
    given = dict(zip(names, args, strict=False)) | kwargs
    if not {"loss", "params"} <= given.keys() <= {"loss", "params", "constraints"}:
        raise TypeError(f"get_updates: expected loss and params. Received: {sorted(given)}.")
    params = list(given["params"])
    for weight, constraint in (given.get("constraints") or {}).items():
        weight.constraint = constraint
    gradients = get_gradients(optimizer, given["loss"], params)
    if not optimizer.built:
        optimizer.build(params)
    return [OptimizerUpdate(optimizer, params, gradients)]


# What scripts and other packages read from Keras 2's symbolic tensors and calls.
OF_TENSORS = {"_keras_shape": property(lambda tensor: tensor.shape)}
OF_NODES = {
    "input_tensors": property(lambda node: list(node.inputs)),
    "output_tensors": property(lambda node: list(node.outputs)),
    "input_shapes": property(lambda node: [tensor.shape for tensor in node.inputs]),
    "output_shapes": property(lambda node: [tensor.shape for tensor in node.outputs]),
    "inbound_layers": property(lambda node: [tensor.node.operation for tensor in node.inputs]),
    "outbound_layer": property(lambda node: node.operation),
    "node_indices": property(lambda node: [tensor._keras_history[1] for tensor in node.inputs]),
    "tensor_indices": property(lambda node: [tensor.index for tensor in node.inputs]),
}

METHODS = (add_metric, get_input_shape_at, get_output_shape_at, get_output_shape_for)
ATTRIBUTES = {
    "input_shape": Found(input_shape), "output_shape": Found(output_shape),
    "constraints": property(get_constraints, set_constraints),
    "trainable_weights": vars(Layer)["trainable_weights"].setter(set_trainable_weights),
    "non_trainable_weights": vars(Layer)["non_trainable_weights"].setter(set_non_trainable_weights),
}  # fmt: skip


def attach():
    """Write them into today's classes."""
    for name, value in {**{method.__name__: method for method in METHODS}, **ATTRIBUTES}.items():
        setattr(Layer, name, value)
    for cls, properties in ((KerasTensor, OF_TENSORS), (Node, OF_NODES)):
        for name, value in properties.items():
            setattr(cls, name, value)
    setattr(Model, reset_states.__name__, reset_states)
    for method in (get_updates, get_gradients):
        setattr(optimizers.Optimizer, method.__name__, method)
    for of_regularizers in (set_param, set_layer):
        setattr(regularizers.Regularizer, of_regularizers.__name__, of_regularizers)

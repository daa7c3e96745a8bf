"""``Sequential``: a list of layers, each fed with the one before."""

import contextlib

import torch

from kshim import dtype_policies
from kshim.core import checks, names
from kshim.core.shapes import is_shape
from kshim.graph.infer import CannotInferError
from kshim.graph.node import apply, module_name
from kshim.layers import LAYERS, Input, InputLayer
from kshim.layers.base import Layer
from kshim.layers.core import is_input
from kshim.models.config import layers_from_config
from kshim.models.model import Model, name_of


class Sequential(Model):
    """A straight stack of layers.

    Args:
        layers: a list of layers, plain modules or models; the first may be an ``Input``.
        trainable: whether the weights take gradients.
        name: None gives ``sequential``, ``sequential_1``, ...

    Without the shape of the input (an ``Input``, or ``input_shape=`` on the first layer) the model is built at
    its first call.

    Raises:
        ValueError: something that is no layer; a name that is there already.

    Source: Keras 3 ``models/sequential.py``.
    """

    config_type = dict, list  # up to 2.2 a list of layers
    _stacked = True

    def __init__(self, layers=None, trainable=True, name=None):
        Layer.__init__(self, trainable=trainable, name=name)
        # The graph's two ends; the graph between them is made when it is asked for, not at each add.
        self.__dict__.update(_stack=[], _entry=None, _top=None)
        for layer in _listed(layers):
            self.add(layer)

    def add(self, layer, rebuild=True):
        """Add a layer on top of the stack.

        Args:
            layer: a layer, plain module, model, or (first only) an ``Input``.
            rebuild: accepted as in Keras; the graph is lowered when it first runs.

        Raises: ValueError as the constructor.
        """
        if is_input(layer):
            layer = layer.node.operation
        if isinstance(layer, InputLayer):
            if self._entry is not None or self._stack:
                got = f"{name_of(layer)!r} on top of {len(self.layers)} layers"
                checks.fail(self, "its Input as the first layer", got)
            self.__dict__.update(_entry=layer.output, _top=layer.output)
            return
        if not isinstance(layer, torch.nn.Module):
            raise ValueError(
                f"{checks.describe(self)}: only layers can be added: a kshim.layers.Layer or a torch module. "
                f"Received: {layer!r} (of type {type(layer)})."
            )
        if not isinstance(layer, Layer) and "_keras_name" not in vars(layer):
            module_name(layer)
        name = name_of(layer)
        if any(name_of(known) == name and known is not layer for known in self._stack):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Received: {name!r}, "
                "which is already the name of a layer in this model. Give the new layer another `name`."
            )
        if not self._stack and self._entry is None:
            entry = _entry_of(layer)
            self.__dict__.update(_entry=entry, _top=entry)
        top = None
        if self._entry is not None:  # before anything is changed: a wrong shape leaves the model as it was
            with contextlib.suppress(CannotInferError):
                top = _apply(layer, self._top)
        self._stack.append(layer)
        self._modules[name.replace(".", "_")] = layer
        if not isinstance(layer, Layer):
            layer.train(self.training)
        self.__dict__.update(_function=None, _top=top)
        if top is None:  # the shape of the input, or of what the layer makes of it, is not known
            self.__dict__["_entry"] = None
        self.built = top is not None

    @property
    def _function(self):
        """The graph of the stack, made when it is first asked for; None where the shape of the input is not known."""
        if self.__dict__["_function"] is None and self._stack and self._top is not None:
            self._set_graph(self._entry, self._top)
        return self.__dict__["_function"]

    def pop(self, rebuild=True):
        """Take the last layer off; returns it. Raises: IndexError if there is none."""
        if not self._stack:
            raise IndexError(f"{checks.describe(self)}: there is no layer to pop. Received: an empty model.")
        layer = self._stack.pop()
        if not any(layer is known for known in self._stack):
            self._modules.pop(name_of(layer).replace(".", "_"))
        self.__dict__.update(_function=None, _top=self._entry)
        self.built = False
        if self._entry is not None and self._stack:
            self._build_graph()
        return layer

    @property
    def layers(self):
        """The layers, without the ``InputLayer``."""
        return list(self.__dict__.get("_stack", ()))

    @layers.setter
    def layers(self, value):
        raise AttributeError("`layers` is reserved. Received: an assignment. Use add() and pop().")

    @property
    def output_names(self):
        """The name of the last layer."""
        return [name_of(self._stack[-1])] if self._stack else ["output"]

    def build(self, input_shape=None):
        """Make the weights for inputs of this shape, with the batch axis."""
        if self._function is not None:
            return
        if not self._stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Received: an empty model. "
                "Call `model.add(layer)`."
            )
        if input_shape is None:
            checks.fail(self, "an `input_shape`", "None", "Give it, or call the model on data.")
        if not is_shape(input_shape):
            checks.fail(self, "one shape, a tuple of sizes and None", f"input_shape={input_shape!r}")
        entry = Input(batch_shape=(None, *tuple(input_shape)[1:]), dtype=getattr(self._stack[0], "input_dtype", None))
        self.__dict__.update(_entry=entry, _top=entry)
        self._build_graph()

    def get_config(self):
        """Name, layers, and the shape of the input where it is known."""
        entry = [self._entry.node.operation] if is_input(self._entry) else []
        own = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": dtype_policies.serialize(self.dtype_policy),
            "layers": [LAYERS.serialize(layer) for layer in [*entry, *self._stack]],
        }
        return {**own, "build_input_shape": self._entry.shape} if is_input(self._entry) else own

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A model made anew from ``get_config()``'s dict, with new weights."""
        if isinstance(config, list):
            config = {"layers": config}
        if "layers" not in config:
            return cls(**config)
        model = cls(layers_from_config(config, custom_objects), name=config.get("name"))
        if config.get("build_input_shape") and model._function is None and model._stack:
            model.build(tuple(config["build_input_shape"]))
        if config.get("trainable") is False:
            model.trainable = False
        return model

    def _build_graph(self):
        names.unique("functional")  # Keras makes a Functional inside, which takes a name
        try:
            top = self._entry
            for layer in self._stack:
                top = _apply(layer, top)
        except CannotInferError:
            # A layer needs values to know its shape: the stack then runs layer by layer.
            self.__dict__.update(_entry=None, _top=None)
        else:
            self.__dict__.update(_function=None, _top=top)
        self.built = True

    def call(self, inputs, training=None, mask=None):
        if self._function is not None:
            return super().call(inputs, training, mask)
        if not self._stack:
            self.build()
        for layer in self._stack:
            inputs = layer(inputs)
        return inputs


def _apply(layer, tensor):
    if isinstance(layer, Layer):
        return layer(tensor)
    return apply(layer, (tensor,), {})


def _entry_of(layer):
    """What a stack begins with: an Input of the shape that its first layer tells, or the inputs that one brings.

    None where neither is known.
    """
    if getattr(layer, "entries", None) is not None:
        return layer.entries
    if isinstance(layer, Model):
        inputs = layer.inputs
        return Input(batch_shape=inputs[0].shape, dtype=inputs[0].dtype) if inputs and len(inputs) == 1 else None
    shape = getattr(layer, "batch_shape", None) if isinstance(layer, Layer) else None
    return None if shape is None else Input(batch_shape=shape, dtype=getattr(layer, "input_dtype", None))


def _listed(layers):
    if layers is None:
        return []
    return list(layers) if isinstance(layers, (list, tuple)) else [layers]

"""``Model``: a layer that trains. With ``inputs`` and ``outputs`` it is the graph between them."""

import json

import torch

from kshim.core import checks, dtypes, tree
from kshim.core.registry import custom_object_scope
from kshim.graph.function import Function
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers import InputLayer
from kshim.layers.base import Layer
from kshim.models import config, extensions
from kshim.models import summary as summaries
from kshim.saving import load_weights, save_model, save_weights, serialize_keras_object
from kshim.training.trainer import Trainer


class Model(Trainer, Layer):
    """A model, in one of three ways.

    ``Model(inputs, outputs)``: the graph between symbolic tensors (each may be a list or dict of them);
    ``Sequential([...])``; or a subclass that makes layers in ``__init__`` and calls them in ``call``.

    Args:
        inputs, outputs: structures of KerasTensors.
        name: None gives ``functional``, ``sequential`` or the class name, with a number.
        trainable: whether the weights take gradients.

    Raises: ValueError if an output does not follow from the inputs.

    Source: Keras 3 ``models/model.py``, ``models/functional.py``.
    """

    takes_strings = True
    config_module = "keras"  # Keras' module of the class in configs
    _stacked = False

    def __new__(cls, *args, **kwargs):
        if cls is Model and ("outputs" in kwargs or len(args) >= 2):
            cls = Functional
        self = super().__new__(cls)
        self.__dict__.update(cls._defaults, _function=None, _in_casts=None)
        return self

    def __init__(self, *args, **kwargs):
        graph = {k: kwargs.pop(k) for k in ("inputs", "outputs") if k in kwargs}
        args = list(args)
        for name in ("inputs", "outputs"):
            if args and name not in graph:
                graph[name] = args.pop(0)
        if args:
            kwargs["name"] = args.pop(0)
        super().__init__(**kwargs)
        if len(graph) == 1:
            checks.fail(self, "both `inputs` and `outputs`", f"only `{next(iter(graph))}`")
        if graph:
            self._set_graph(**graph)

    # -- graph ---------------------------------------------------------------------------------------------------

    def _set_graph(self, inputs, outputs):
        """Take over the graph between two structures of KerasTensors."""
        for leaf in tree.flatten(inputs) + tree.flatten(outputs):
            if not isinstance(leaf, KerasTensor):
                got = type(leaf).__name__
                checks.fail(self, "symbolic tensors as `inputs` and `outputs`", got, "Begin with Input().")
        function = Function(inputs, outputs)
        names = [name_of(layer) for layer in function.operations if isinstance(layer, torch.nn.Module)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{checks.describe(self)}: expected all layers to have different names. Received: {twice[0]!r} twice. "
                "Give one of them another `name`."
            )
        for layer in function.operations:
            if isinstance(layer, torch.nn.Module) and not isinstance(layer, InputLayer):
                self._modules[name_of(layer).replace(".", "_")] = layer
                if not isinstance(layer, Layer):
                    layer.train(self.training)
                else:
                    layer.__dict__.setdefault("_relower", {})[id(self)] = function.relower
        self.__dict__["_function"] = function
        self.__dict__.setdefault("_relower", {})[id(self)] = function.relower
        self.__dict__["_in_casts"] = [dtypes.TORCH.get(t._dtype) for t in function.flat_inputs]  # None: strings
        self.built = True

    @property
    def inputs(self):
        """The graph's input tensors, a flat list."""
        return None if self._function is None else list(self._function.flat_inputs)

    @property
    def outputs(self):
        """The graph's output tensors, a flat list."""
        return None if self._function is None else list(self._function.flat_outputs)

    @property
    def input(self):
        """The graph's input structure."""
        return super().input if self._function is None else self._function.inputs

    @property
    def output(self):
        """The graph's output structure."""
        return super().output if self._function is None else self._function.outputs

    @property
    def input_shape(self):
        """Shape(s) of the inputs, with the batch axis."""
        return tree.map_structure(lambda t: t.shape, self.input)

    @property
    def output_shape(self):
        """Shape of the output, with the batch axis; a list of several, whatever structure they come in."""
        shapes = [t.shape for t in tree.flatten(self.output)]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def layers(self):
        """The layers, in the order of the graph; of a subclassed model, in the order they were made."""
        if self._function is None:
            return [module for module in self._modules.values() if isinstance(module, torch.nn.Module)]
        return [op for op in self._function.operations if isinstance(op, torch.nn.Module)]

    @property
    def input_names(self):
        """Names of the graph's inputs."""
        return [t.name for t in self.inputs or ()]

    @property
    def output_names(self):
        """Names of the outputs: the layers that make them, or a dict's keys; None before they are known."""
        if self._function is None:
            return None
        if isinstance(self._function.outputs, dict):
            return sorted(self._function.outputs)
        names = []
        for tensor in self._function.flat_outputs:
            name = tensor.node.name
            names.append(name if name not in names else f"{name}_{names.count(name)}")
        return names

    def get_layer(self, name=None, index=None):
        """The layer of that name, or at that index of ``layers``.

        Raises: ValueError if there is none, or both or neither are given.
        """
        if (name is None) == (index is None):
            checks.fail(self, "one of `name` and `index`", f"name={name!r}, index={index!r}")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                checks.fail(self, f"an index of one of its {len(self.layers)} layers", f"index={index}")
            return self.layers[index]
        for layer in self.layers:
            if name_of(layer) == name:
                return layer
        known = [name_of(layer) for layer in self.layers]
        raise ValueError(
            f"No such layer: {name!r}. Expected one of {known}. Received: name={name!r}.{checks.nearest(name, known)}"
        )

    # -- running -------------------------------------------------------------------------------------------------

    def call(self, inputs, training=None, mask=None):
        """The graph's outputs. A subclassed model writes its own."""
        function = self._function
        if function is None:
            raise NotImplementedError(f"{checks.describe(self)}: expected a `call()` method. Received: none.")
        if isinstance(inputs, torch.Tensor):
            values = (inputs,)
        else:
            values = tree.flatten(self.arranged_inputs(inputs))
        extension = function.extension
        if extension is None:
            extension = function.extension = extensions.of(self)
        run = extension.function if extension else function
        if any(getattr(value, "_keras_mask", None) is not None for value in values):
            results = run.run_whole(*values)
        else:
            results = run.run(*values)
        if extension:
            results = extension.heard(self, results)
        if isinstance(function.outputs, KerasTensor):
            return results[0]
        return tree.pack_like(function.outputs, results)

    def forward(self, *args, **kwargs):
        """What ``model(...)`` runs; a graph's inputs are checked and cast first."""
        if self._function is not None and args and not any(map(_symbolic, tree.flatten(args[0]))):
            args = (self._cast(self.arranged_inputs(args[0])), *args[1:])
        return super().forward(*args, **kwargs)

    def _is_mixed(self):
        return self._function is None and super()._is_mixed()  # in a graph each layer has a policy of its own

    def fast_forward(self):
        """The lowered graph itself where nothing else would happen around it."""
        function = self._function
        hooked = self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks
        own = type(self).call is not Model.call and type(self).__module__.partition(".")[0] != "kshim"
        own = own or type(self).forward is not Model.forward
        if function is not None and function.extension is None:
            function.extension = extensions.of(self)
        if function is None or hooked or own or function.extension or self.activity_regularizer is not None:
            return self
        run, outputs = function.run, function.outputs
        if isinstance(function.inputs, KerasTensor) and isinstance(outputs, KerasTensor):
            return lambda x: run(x)[0]
        return lambda x: tree.pack_like(outputs, run(*tree.flatten(x)))

    def _cast(self, inputs):
        def cast(value, dtype):
            if dtype is None:  # strings
                return value
            if getattr(getattr(value, "dtype", None), "kind", "f") in "USOT":
                checks.fail(self, "numbers", f"an array of {value.dtype}", "Begin with Input(..., dtype='string').")
            value = torch.as_tensor(value, device=self.device) if not isinstance(value, torch.Tensor) else value
            if value.dtype is dtype:
                return value
            mask = getattr(value, "_keras_mask", None)
            value = value.to(dtype)
            if mask is not None:
                value._keras_mask = mask
            return value

        if isinstance(inputs, torch.Tensor):
            return cast(inputs, self._in_casts[0])
        leaves = [cast(v, d) for v, d in zip(tree.flatten(inputs), self._in_casts, strict=True)]
        return tree.pack_like(inputs, leaves)

    def arranged_inputs(self, x):
        """``x`` in the form of the graph's inputs, its number and shapes checked; as it is without a graph.

        A list does for a dict and the other way round (by name); one axis may be missing or be 1 too many.

        Raises: ValueError if the number of arrays, a name or a shape is wrong.
        """
        function = self._function
        if function is None:
            return x
        expected = function.flat_inputs
        if isinstance(x, dict):
            names = sorted(function.inputs) if isinstance(function.inputs, dict) else [t.name for t in expected]
            missing = [name for name in names if name not in x]
            if missing:
                raise ValueError(
                    f"{checks.describe(self)}: expected inputs named {names}. Received: {sorted(x)}, without {missing}."
                    f"{checks.nearest(missing[0], set(x) - set(names))}"
                )
            leaves = tree.flatten([x[name] for name in names])
        else:
            leaves = tree.flatten(x)
        if len(leaves) != len(expected):
            raise ValueError(
                f"{checks.describe(self)}: expected {len(expected)} input(s), {[t.name for t in expected]}. "
                f"Received: {len(leaves)} array(s) of shapes {[tuple(getattr(v, 'shape', ())) for v in leaves]}."
            )
        leaves = [self._fitted(i, *pair) for i, pair in enumerate(zip(leaves, expected, strict=True))]
        return leaves[0] if isinstance(function.inputs, KerasTensor) else tree.pack_like(function.inputs, leaves)

    def _fitted(self, index, value, tensor):
        shape, wanted = tuple(value.shape), tensor._shape
        if len(shape) == len(wanted) - 1 and wanted[-1] in (1, None):
            value, shape = value[..., None], (*shape, 1)
        elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
            value, shape = value[..., 0], shape[:-1]
        if len(shape) != len(wanted) or any(w not in (s, None) for s, w in zip(shape[1:], wanted[1:], strict=True)):
            raise ValueError(
                f"Input {index} with name {tensor.name!r} of layer {self.name!r} is incompatible with the layer: "
                f"expected shape={wanted}, found shape={shape}. Received: {type(value).__name__} of shape {shape}."
            )
        return value

    def input_casts(self):
        """The torch dtype each input is cast to, or None without a graph."""
        return self._in_casts

    def build(self, input_shape=None):
        """Make the weights for inputs of this shape (with the batch axis), or shapes."""
        if self._function is None and input_shape is not None:
            super().build(input_shape)

    def _record(self, args, kwargs):
        if self._function is not None:
            args = (self.arranged_inputs(args[0]), *args[1:])
        return super()._record(args, kwargs)

    @classmethod
    def from_config(cls, given, custom_objects=None):
        """A model made anew from ``get_config()``'s dict, with new weights."""
        if "input_layers" not in given:
            return super().from_config(given)
        with custom_object_scope(custom_objects or {}):
            inputs, outputs = config.graph_from_config(given)
        model = (Functional if cls is Model else cls)(inputs, outputs, name=given.get("name"))
        if given.get("trainable") is False:
            model.trainable = False
        return model

    # -- weights in files, summary -------------------------------------------------------------------------------

    def save_weights(self, filepath, overwrite=True):
        """Write the weights to a ``.weights.h5`` file (Keras 3) or an ``.h5``/``.hdf5`` file (Keras 2)."""
        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath, skip_mismatch=False, by_name=False):
        """Read weights from such a file; nothing changes unless all of them fit."""
        load_weights(self, filepath, skip_mismatch=skip_mismatch, by_name=by_name)

    def save(self, filepath, overwrite=True, zipped=None, include_optimizer=True, save_format=None):
        """Write the whole model to a ``.keras`` file, or to an ``.h5`` file; see ``saving.save_model``."""
        save_model(self, filepath, overwrite, zipped, include_optimizer, save_format)

    def to_json(self, **kwargs):
        """The model without its weights as JSON text; ``kwargs`` go to ``json.dumps``."""
        return json.dumps(serialize_keras_object(self), **kwargs)

    def get_build_config(self):
        """The shape of the input; a graph's stands in the graph."""
        return None if self._function is not None and not self._stacked else super().get_build_config()

    def summary(self, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                layer_range=None):  # fmt: skip
        """Print the layers, their output shapes and numbers of parameters.

        Args:
            line_length: width in characters.
            positions: where each column ends, as shares of the width or as characters.
            print_fn: called with the text instead of printing it.
            expand_nested: whether the layers of nested models are listed.
            show_trainable: whether a column says if a layer is trainable.
            layer_range: ``[first, last]`` names (or patterns) of the layers to list.
        """
        summaries.print_summary(
            self, line_length=line_length, positions=positions, print_fn=print_fn, expand_nested=expand_nested,
            show_trainable=show_trainable, layer_range=layer_range,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        if self._function is not None:
            for layer in self._function.operations:
                if isinstance(layer, Layer):
                    layer.__dict__.setdefault("_relower", {})[id(self)] = self._function.relower


class Functional(Model):
    """The class of ``Model(inputs, outputs)``."""

    config_module = "keras.src.models.functional"

    def get_config(self):
        """Name and graph: layers, their calls, inputs and outputs."""
        if type(self) is not Functional:
            return super().get_config()
        return {"name": self.name, "trainable": self.trainable, **config.graph_config(self, self._function)}


def name_of(layer):
    """The name of a layer, or the automatic one of a plain module."""
    return getattr(layer, "name", None) or vars(layer).get("_keras_name") or type(layer).__name__.lower()


def _symbolic(leaf):
    return isinstance(leaf, KerasTensor)

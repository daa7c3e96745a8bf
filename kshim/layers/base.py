"""``Layer``: an ``nn.Module`` with Keras' life: built at the first call, named, with weights, losses and masks."""

import contextlib
import functools
import inspect
import itertools

import numpy as np
import torch

from kshim import activations, dtype_policies, initializers  # noqa: F401 - activations registers its resolver
from kshim import constraints as constraint_table
from kshim import regularizers as regularizer_table
from kshim.core import checks, configurable, dtypes, names, shapes, tree
from kshim.core.arrays import to_numpy
from kshim.core.variable import Variable
from kshim.graph import infer
from kshim.graph import node as nodes
from kshim.graph.keras_tensor import KerasTensor
from kshim.graph.update import as_update
from kshim.layers import calling, input_spec, tracking


class Layer(configurable.Configurable, torch.nn.Module):
    """Base of all layers.

    Args:
        activity_regularizer: name, config or callable; its value for the outputs is added to ``losses``.
        trainable: whether the weights take gradients.
        dtype: dtype name or policy of weights and computation; None means the global policy.
        autocast: whether floating point inputs are cast to the layer's compute dtype.
        name: None gives ``dense``, ``dense_1``, ...
        input_shape: shape of one input without the batch axis; an int means a tuple of one.
        input_dim: the last axis of the input; ``input_shape=(input_dim,)``.
        batch_size: the batch axis, where ``input_shape`` or ``input_dim`` is given.
        batch_shape: shape of the input with the batch axis.
        weights: list of arrays, set as soon as the layer is built.

    Write ``build(input_shape)`` to make weights with ``add_weight``, and ``call(inputs)``; ``call`` may take
    ``training`` and ``mask``. The output shape follows from running ``call`` on meta tensors unless the class
    has a ``compute_output_shape``.

    Raises:
        ValueError: an unknown keyword; inputs that are not what ``input_spec`` says.

    Source: Keras 3 ``layers/layer.py``.
    """

    supports_masking = False
    takes_strings = False  # whether arrays of texts reach ``call`` as they are: torch has no tensors of them
    _call_parameters: tuple[str, ...] = ("args", "kwargs")  # of `call`, set for each subclass
    _trains_at_first = False  # whether `call` says training=True: then the layer begins in that mode, as in Keras

    def __new__(cls, *args, **kwargs):
        # Keras 1 and 2 scripts set attributes, sub-layers too, before super().__init__(): so torch's part is
        # set up here, where nn.Module.__setattr__ can rely on it.
        self = super().__new__(cls)
        torch.nn.Module.__init__(self)
        self.__dict__.update(
            training=cls._trains_at_first, built=False, input_spec=None, _trainable=True, _inbound_nodes=[],
            _added_losses=[], _losses_of_call=0, _initial_weights=None, _batch_shape=None, _name=None,
            _tracked_names=[], _build_shape=None,
        )  # fmt: skip
        return self

    def __init__(self, *, activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None,
                 input_shape=None, input_dim=None, batch_size=None, batch_shape=None, weights=None,
                 **kwargs):  # fmt: skip
        if kwargs:
            known = configurable.argument_names(type(self).__mro__)
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: expected some of {known}. "
                f"Received: {kwargs}." + "".join(checks.nearest(key, known) for key in kwargs)
            )
        if name is not None and not isinstance(name, str):
            raise ValueError(f"{type(self).__name__}: expected `name` to be a string. Received: name={name!r}.")
        self._name = name or names.unique(names.snake_case(type(self).__name__))
        self.dtype_policy = dtype_policies.get(dtype)
        self.autocast = autocast
        self.activity_regularizer = regularizer_table.get(activity_regularizer)
        self._trainable = checks.boolean(self, "trainable", trainable)
        if input_dim is not None:
            input_shape = (input_dim,)
        if input_shape is not None:
            input_shape = (input_shape,) if checks.as_int(input_shape) is not None else tuple(input_shape)
            batch_shape = (batch_size, *input_shape)
        self._batch_shape = None if batch_shape is None else tuple(batch_shape)
        self.__dict__["_initial_weights"] = weights

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._call_parameters = calling.parameters(cls.call)
        cls._trains_at_first = calling.default(cls.call, "training") is True
        if "build" in vars(cls) and not hasattr(cls.build, "marks_built"):
            cls.build = _marking_built(cls.build)

    # -- names, dtypes, flags ------------------------------------------------------------------------------------

    @property
    def name(self):
        """The layer's name."""
        return self._name

    @name.setter
    def name(self, value):
        self._name = value

    @property
    def path(self):
        """The layer's name, as Keras' ``path`` begins."""
        return self._name

    @property
    def dtype(self):
        """Dtype name of the weights."""
        return self.dtype_policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self):
        """Dtype name that inputs are cast to."""
        return self.dtype_policy.compute_dtype

    @property
    def trainable(self):
        """Whether the weights take gradients; setting it sets every sub-layer's too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        value = checks.boolean(self, "trainable", value)
        for module in self.modules():
            if isinstance(module, Layer):
                module.__dict__["_trainable"] = value
        for parameter in self.parameters():
            if getattr(parameter, "wants_gradient", True):
                parameter.requires_grad_(value and parameter.is_floating_point())

    @property
    def batch_shape(self):
        """The input shape given to the constructor, with the batch axis, or None."""
        return self._batch_shape

    @property
    def device(self):
        """The device of the first weight; the CPU without one."""
        first = next(itertools.chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    # -- weights -------------------------------------------------------------------------------------------------

    def build(self, input_shape):
        """Make the weights. The base builds sub-layers by running ``call`` on meta tensors of that shape."""
        if any(isinstance(child, Layer) and not child.built for child in self.modules() if child is not self):
            inputs = _shapes_to_tensors(input_shape, self.compute_dtype)
            infer.outputs(self.call, (inputs,), self._call_flags({}))
        self.built = True
        if type(self).build is Layer.build:  # else the subclass has weights to make yet
            self._after_build()

    build.marks_built = True  # type: ignore[attr-defined] # __call__ sets `built` itself

    @configurable.translated
    def add_weight(self, shape=None, initializer=None, dtype=None, trainable=True, autocast=True, regularizer=None,
                   constraint=None, aggregation="none", name=None, memory=None):  # fmt: skip
        """Make a weight and register it.

        Args:
            shape: tuple of ints; None or () for a scalar.
            initializer: name, config or callable; None means glorot uniform for floats and zeros otherwise.
            dtype: dtype name; None means the layer's.
            trainable: whether it takes gradients; otherwise it is a buffer.
            autocast: accepted as in Keras; kshim casts under mixed precision by torch's autocast.
            regularizer, constraint: name, config or callable.
            aggregation: how replicas would be joined, one of none, mean, sum, only_first_replica.
            name: the weight's name.
            memory: the axes from the slowest to the fastest in memory, as the torch call wants them; None means in
                their own order.

        Returns: the ``Variable``.

        Raises: ValueError if an axis of ``shape`` is not known or below 0.
        """
        shape = () if shape is None else (shape,) if checks.as_int(shape) is not None else tuple(shape)
        if any(checks.as_int(axis) is None or axis < 0 for axis in shape):
            checks.fail(self, "a weight's shape to be a tuple of known sizes", f"shape={shape}")
        if aggregation not in (None, "none", "mean", "sum", "only_first_replica"):
            checks.fail(self, "`aggregation` to be one of none, mean, sum, only_first_replica", repr(aggregation))
        dtype = dtypes.to_torch(dtype or self.variable_dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtype.is_floating_point else "zeros"
        # A layer may be built inside a meta run, in inference mode, or under a default device: its weights are real.
        with torch._C.DisableTorchFunction(), torch.inference_mode(False), torch.no_grad():
            try:
                value = initializers.first_value(initializer, shape, dtypes.NAMES[dtype])
                value = torch.as_tensor(value, dtype=dtype).reshape(shape)
            except RuntimeError as error:  # too large for the memory, or a value of another size
                raise RuntimeError(
                    f"{checks.describe(self)}: can't make the weight {name!r}: expected a value of shape {shape}. "
                    f"Received: {error}"
                ) from error
            if memory is not None:
                back = sorted(range(len(memory)), key=memory.__getitem__)
                value = value.permute(memory).contiguous().permute(back)
            variable = Variable(value.to(self.device), trainable=bool(trainable), name=name or "variable")
        variable.wants_gradient = bool(trainable)
        variable._path = f"{self.name}/{variable.name}"
        variable.regularizer = regularizer_table.get(regularizer)
        variable.constraint = constraint_table.get(constraint)
        if trainable and not self._trainable:
            variable.requires_grad_(False)
        attribute = variable.name.replace(".", "_").replace("/", "_")
        while attribute in self._parameters or attribute in self._buffers or hasattr(self, attribute):
            attribute = attribute + "_"
        self._register_variable(attribute, variable)
        return variable

    def weight(self, name, shape, trainable=True, memory=None):
        """``add_weight`` with the layer's ``<name>_initializer``, ``_regularizer`` and ``_constraint``."""
        return self.add_weight(
            shape, getattr(self, f"{name}_initializer"), trainable=trainable, name=name, memory=memory,
            regularizer=getattr(self, f"{name}_regularizer", None),
            constraint=getattr(self, f"{name}_constraint", None),
        )  # fmt: skip

    def _register_variable(self, name, variable):
        wanted = getattr(variable, "wants_gradient", variable.requires_grad)
        (self._parameters if wanted else self._buffers)[name] = variable

    def __setattr__(self, name, value):
        if isinstance(value, Variable):
            for registry in (self._parameters, self._buffers):
                for key in [k for k, known in registry.items() if known is value]:
                    del registry[key]  # add_weight registered it under its own name; the attribute's name wins
            self.__dict__.pop(name, None)
            self._register_variable(name, value)
            return
        former = self.__dict__.get(name)
        if isinstance(former, (tracking.TrackedList, tracking.TrackedDict)) and former is not value:
            former._forget()
        if isinstance(value, (list, dict, tuple)):
            value = tracking.tracked(self, name, value)
            if isinstance(value, (tracking.TrackedList, tracking.TrackedDict)) and name not in self._tracked_names:
                self._tracked_names.append(name)
            object.__setattr__(self, name, value)
        elif isinstance(value, torch.nn.Module):
            if not isinstance(value, Layer) and value.training != self.training:
                value.train(self.training)  # a plain module begins in its owner's mode
            super().__setattr__(name, value)
        elif isinstance(getattr(type(self), name, None), property) or name in self._parameters or name in self._buffers:
            super().__setattr__(name, value)
        else:
            self._modules.pop(name, None)
            object.__setattr__(self, name, value)

    def _apply(self, fn, recurse=True):
        kept = {name: buffer for name, buffer in self._buffers.items() if isinstance(buffer, Variable)}
        super()._apply(fn, recurse)
        for name, variable in kept.items():  # .to() makes plain tensors of buffers
            variable.data = self._buffers[name].data
            self._buffers[name] = variable
        return self

    @property
    def weights(self):
        """All weights: own trainable ones, own others, then the sub-layers'."""
        return weights_of(self)

    variables = weights

    @property
    def trainable_weights(self):
        """The weights that take gradients."""
        return [w for w in weights_of(self) if w.requires_grad]

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self):
        """The weights that take none."""
        return [w for w in weights_of(self) if not w.requires_grad]

    non_trainable_variables = non_trainable_weights

    def get_weights(self):
        """The weights' values, a list of numpy arrays."""
        return [to_numpy(w).copy() for w in self.weights]

    def set_weights(self, weights):
        """Write a list of arrays; nothing is written unless all of them fit.

        Raises: ValueError if their number or a shape is wrong.
        """
        own = self.weights
        if len(own) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on {checks.describe(self)} with a list of {len(weights)} arrays: "
                f"expected {len(own)}, of shapes {[tuple(w.shape) for w in own]}. "
                f"Received: shapes {[tuple(np.shape(w)) for w in weights]}."
                + ("" if self.built else f" The layer is not built yet: call `{self.name}.build(input_shape)` first.")
            )
        values = [torch.as_tensor(np.asarray(w) if not isinstance(w, torch.Tensor) else w) for w in weights]
        for index, (variable, value) in enumerate(zip(own, values, strict=True)):
            if variable.shape != value.shape:
                raise ValueError(
                    f"{checks.describe(self)}: weight {index} ({getattr(variable, 'name', '')!r}) expected shape "
                    f"{tuple(variable.shape)}. Received: shape {tuple(value.shape)}."
                )
        with torch.no_grad():
            for variable, value in zip(own, values, strict=True):
                variable.data.copy_(value)

    def count_params(self):
        """How many numbers the weights hold. Raises: ValueError before the layer is built."""
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer {self.name!r}, but the layer isn't built. "
                f"Received: built=False. Build it with `{self.name}.build(input_shape)`, or call it on data."
            )
        return sum(w.numel() for w in self.weights)

    # -- losses --------------------------------------------------------------------------------------------------

    def add_loss(self, loss, inputs=None):
        """Add to ``losses``: within ``call`` a value that holds until the next call, elsewhere a symbolic tensor.

        Args:
            loss: a scalar, or a list of them; a symbolic tensor is computed at each call of the models with this layer.
            inputs: accepted as in Keras 2: what a loss depends on shows in its graph.
        """
        for value in tree.flatten(loss):
            if isinstance(value, KerasTensor):
                self.add_symbolic("loss", value)
                continue
            if infer.is_running():
                continue
            if self._losses_of_call != calling.current.id:
                self._added_losses.clear()
                self.__dict__["_losses_of_call"] = calling.current.id
            self._added_losses.append(torch.as_tensor(value))
            if calling.current.collected is not None:
                calling.current.collected.append(self._added_losses[-1])

    def add_update(self, updates, inputs=None):
        """Change variables in training steps, as Keras 1 and 2 do: told in ``call``, or on symbolic tensors.

        Args:
            updates: a ``K.update(...)``, a pair ``(variable, new value)``, or a list of them; None for none.
            inputs: accepted as in Keras 2.
        """
        one = isinstance(updates, tuple) or not isinstance(updates, list)
        for update in [updates] if one else updates:
            if update is None:
                continue
            update = as_update(update)
            if isinstance(update.values[0], KerasTensor):
                self.add_symbolic("update", update.values[0], update)
            elif self.training and not infer.is_running():
                update.apply(update.values[0])

    def get_updates_for(self, inputs):
        """The symbolic updates that were added, as Keras 2 lists them."""
        return [update for kind, _, update in self.__dict__.get("_symbolic", ()) if kind == "update"]

    def add_symbolic(self, kind, tensor, more=None):
        """Keep a symbolic loss, metric or update; models with this layer in their graph compute it at each call."""
        self.__dict__.setdefault("_symbolic", []).append((kind, tensor, more))
        for relower in self.__dict__.get("_relower", {}).values():
            relower()

    def get_losses_for(self, inputs):
        """The symbolic losses that depend on ``inputs``, or with None the weights' penalties, as Keras 2 lists them."""
        if inputs is None:
            return [penalty(weight) for penalty, weight in self._penalties()]
        return [tensor for kind, tensor, _ in self.__dict__.get("_symbolic", ()) if kind == "loss"]

    @property
    def losses(self):
        """Scalars to add to the training loss: what the last call added, and the weights' penalties.

        Before the first call, what was added on symbolic tensors stands as such.
        """
        layers = [m for m in self.modules() if isinstance(m, Layer)]
        added = [loss for m in layers for loss in m._added_losses or m.get_losses_for(())]
        return added + [penalty(weight) for penalty, weight in self._penalties()]

    def _penalties(self):
        """``(regularizer, weight)`` of every trainable weight with a regularizer."""
        return [(w.regularizer, w) for w in self.weights if getattr(w, "regularizer", None) and w.requires_grad]

    # -- calling -------------------------------------------------------------------------------------------------

    def call(self, *args, **kwargs):
        """The computation, written by the subclass."""
        raise NotImplementedError(f"{checks.describe(self)}: expected a `call()` method. Received: none.")

    def forward(self, *args, **kwargs):
        """What ``layer(...)`` runs: build at first, check, cast, ``call``, then masks and activity losses."""
        leaves = tree.flatten([args, kwargs])
        if any(isinstance(leaf, KerasTensor) for leaf in leaves):
            return self._record(args, kwargs)
        if args and isinstance(args[0], (str, bytes)):
            raise ValueError(
                f"{checks.describe(self)}: expected a tensor or array. Only input tensors may be passed as positional "
                f"arguments. Received: {args[0]!r} (of type {type(args[0]).__name__})."
            )
        if len(args) > 1:
            args, kwargs = calling.flags_by_name(self._call_parameters, args, kwargs)
        args, kwargs = self._tensors(args), self._tensors(kwargs)
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        if not self.built:
            self._build_for(args, kwargs)
        if self.input_spec is not None:
            input_spec.check_inputs(self, self.input_spec, inputs)
        outermost = calling.current.depth == 0
        if outermost:
            calling.new_call()
        calling.current.depth += 1
        try:
            with self._mode(kwargs), self._precision():
                masks = self._masks(inputs, kwargs)
                outputs = self.call(*args, **kwargs, **self._call_flags(kwargs))
            if self.activity_regularizer is not None:
                for output in tree.flatten(outputs):
                    self.add_loss(self.activity_regularizer(output) / max(output.shape[0], 1))
            if masks is not None or self._makes_masks():
                self._attach_masks(inputs, outputs, masks)
            return outputs
        finally:
            calling.current.depth -= 1

    def lowered_call(self, node):
        """How a lowered graph calls this layer: ``(callable, takes training)``, or None for ``layer(...)``.

        The bare ``call`` does where nothing else would happen around it.
        """
        masked = any(t._keras_mask is not None for t in [*node.inputs, *node.outputs])
        cast = any(_is_float(t._dtype) and t._dtype != self.compute_dtype for t in node.inputs)
        hooked = self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks
        if (self._is_mixed() or masked or (cast and self.autocast) or hooked or self.activity_regularizer is not None
                or "training" in node.kwargs or type(self).forward is not Layer.forward or not self.built):  # fmt: skip
            return None
        return self.call, "training" in self._call_parameters

    def register_forward_hook(self, *args, **kwargs):
        """As on ``nn.Module``; graphs with this layer are lowered again so that the hook is heard."""
        return self._hooked(super().register_forward_hook(*args, **kwargs))

    def register_forward_pre_hook(self, *args, **kwargs):
        """As on ``nn.Module``; graphs with this layer are lowered again so that the hook is heard."""
        return self._hooked(super().register_forward_pre_hook(*args, **kwargs))

    def register_full_backward_hook(self, *args, **kwargs):
        """As on ``nn.Module``; graphs with this layer are lowered again so that the hook is heard."""
        return self._hooked(super().register_full_backward_hook(*args, **kwargs))

    def register_full_backward_pre_hook(self, *args, **kwargs):
        """As on ``nn.Module``; graphs with this layer are lowered again so that the hook is heard."""
        return self._hooked(super().register_full_backward_pre_hook(*args, **kwargs))

    def _hooked(self, handle):
        for relower in self.__dict__.get("_relower", {}).values():
            relower()
        return handle

    def compute_output_shape(self, *shapes):
        """Output shape for an input shape; found by a meta run unless a subclass writes it."""
        inputs = [_shapes_to_tensors(shape, self.compute_dtype) for shape in shapes]
        if not self.built:
            self.build(*shapes)
        specs = infer.outputs(self.call, inputs, self._call_flags({}))
        return tree.map_structure(lambda spec: spec.shape, specs)

    def compute_mask(self, inputs, previous_mask=None):
        """The outputs' mask: the inputs' own where the layer supports masking, else None."""
        return previous_mask if self.supports_masking else None

    def _record(self, args, kwargs):
        """The call on symbolic tensors: build, a node, KerasTensors."""
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        if not self.built:
            self._build_for(args, kwargs)
        input_spec.check_inputs(self, self.input_spec, inputs)
        specs = None
        if self._tells_shape():
            shapes = tree.map_structure(lambda t: getattr(t, "shape", None), inputs)
            shape = self.compute_output_shape(shapes)
            specs = _shapes_to_specs(shape, self.compute_dtype) if shape is not None else None
        if specs is None:
            flags = {} if "training" in kwargs else self._call_flags(kwargs)
            unheard = {"training", "mask"} - set(self._call_parameters)  # these are for the layers below
            run = functools.partial(self._run_quietly, flags)
            specs = infer.outputs(run, args, {k: v for k, v in kwargs.items() if k not in unheard})
        outputs = nodes.Node(self, args, kwargs, specs, self.name).structure
        masks = calling.masks_of(inputs)
        if "mask" in kwargs:
            masks = kwargs["mask"]
        if masks is not None or self._makes_masks():
            self._attach_masks(inputs, outputs, masks)
        return outputs

    def _tells_shape(self):
        return type(self).compute_output_shape is not Layer.compute_output_shape

    def _run_quietly(self, flags, *args, **kwargs):
        with self._precision():
            return self.call(*self._tensors(args), **self._tensors(kwargs), **flags)

    def _tensors(self, structure):
        """Numpy arrays to tensors on the layer's device; floating point inputs to the compute dtype."""
        target = dtypes.TORCH[self.compute_dtype]

        def tensor(leaf):
            if isinstance(leaf, np.ndarray) and not (self.takes_strings and leaf.dtype.kind in "USOT"):
                leaf = torch.as_tensor(leaf, device=self.device)
            if isinstance(leaf, torch.Tensor) and self.autocast and leaf.is_floating_point() and leaf.dtype != target:
                mask = getattr(leaf, "_keras_mask", None)
                leaf = leaf.to(target)
                if mask is not None:
                    leaf._keras_mask = mask
            return leaf

        if isinstance(structure, tuple):
            return tuple(tree.map_structure(tensor, item) for item in structure)
        return {key: tree.map_structure(tensor, item) for key, item in structure.items()}

    def _build_for(self, args, kwargs):
        """Build from the shapes of a call's arguments; the batch axis is told as None in a meta run."""
        shapes = [tree.map_structure(calling.shape_of, value) for value in args]
        parameters = list(inspect.signature(self.build).parameters)
        named = dict(zip(self._call_parameters, shapes, strict=False))
        named |= {key: tree.map_structure(calling.shape_of, value) for key, value in kwargs.items()}
        extra = {f"{k}_shape": v for k, v in named.items() if f"{k}_shape" in parameters[1:] and v is not None}
        shape = self.__dict__["_build_shape"] = shapes[0] if shapes else next(iter(named.values()), None)
        with torch.inference_mode(False):
            self.build(shape, **extra)
        self._after_build()

    def _after_build(self):
        self.built = True
        if not self._trainable:  # what the layer is made of, built by itself, is trained no more than the layer
            for parameter in self.parameters():
                parameter.requires_grad_(False)
        if self._initial_weights is not None:
            weights, self.__dict__["_initial_weights"] = self._initial_weights, None
            self.set_weights(weights)

    def _call_flags(self, given):
        """``training=`` for a ``call`` that takes it and was not given it."""
        if "training" in self._call_parameters and "training" not in given:
            return {"training": self.training}
        return {}

    def _mode(self, kwargs):
        """An explicit ``training=`` holds for the call and everything below it; None means the module's own flag."""
        training = kwargs.pop("training", None)
        if training is None or all(m.training == bool(training) for m in self.modules()):
            return contextlib.nullcontext()
        return calling.training_mode(self, bool(training))

    def _precision(self):
        """Around ``call``: torch's autocast for a mixed policy; none of a layer around this one for another."""
        if self._is_mixed():
            return calling.precision(self.device.type, dtypes.TORCH[self.compute_dtype])
        return calling.precision(self.device.type, None) if calling.current.autocast else contextlib.nullcontext()

    def _is_mixed(self):
        return self.dtype_policy.compute_dtype != self.dtype_policy.variable_dtype

    @property
    def autocasts(self):
        """Whether torch's autocast decides the dtype of what the layer returns: a mixed policy, here or below."""
        return any(isinstance(m, Layer) and m._is_mixed() for m in self.modules())

    def _makes_masks(self):
        return type(self).compute_mask is not Layer.compute_mask

    def _masks(self, inputs, kwargs):
        """The masks that come with the inputs; handed to a ``call`` that takes ``mask``."""
        if kwargs.get("mask") is not None:
            masks = kwargs["mask"]
        else:
            masks = calling.masks_of(inputs)
        if "mask" in self._call_parameters:
            if masks is not None:
                kwargs["mask"] = masks
        else:
            kwargs.pop("mask", None)
        return masks

    def _attach_masks(self, inputs, outputs, masks):
        computed = self.compute_mask(inputs, masks)
        if computed is None:
            return
        flat = tree.flatten(outputs)
        computed = tree.flatten(computed) if len(flat) > 1 else [computed]
        for output, mask in zip(flat, computed, strict=False):
            if mask is not None:
                output._keras_mask = mask

    # -- graph ---------------------------------------------------------------------------------------------------

    def _node_at(self, index):
        if len(self._inbound_nodes) <= index:
            raise AttributeError(
                f"{checks.describe(self)} has no symbolic call number {index}. Received: a layer called "
                f"{len(self._inbound_nodes)} times. Call it on an Input first."
            )
        return self._inbound_nodes[index]

    def get_input_at(self, node_index):
        """The KerasTensors of the layer's symbolic call number ``node_index``."""
        return _one_or_list(self._node_at(node_index).inputs)

    def get_output_at(self, node_index):
        """The result of the layer's symbolic call number ``node_index``."""
        return self._node_at(node_index).structure

    @property
    def input(self):
        """The KerasTensor(s) the layer was called on."""
        return self.get_input_at(0)

    @property
    def output(self):
        """The KerasTensor(s) the layer gave."""
        return self.get_output_at(0)

    # -- files ---------------------------------------------------------------------------------------------------

    def save_own_variables(self, store):
        """Put the layer's own weights, not those of layers within, into ``store``, a dict, by number."""
        for index, variable in enumerate(own_variables(self)):
            store[str(index)] = variable

    def load_own_variables(self, store):
        """Take them from ``store``, a dict of arrays.

        Raises: ValueError if their number or a shape is wrong; nothing is written then.
        """
        own = own_variables(self)
        if len(store) != len(own):
            checks.fail(self, f"{len(own)} variables", f"{len(store)} of them, {sorted(store)}")
        values = [torch.as_tensor(np.asarray(store[str(index)])) for index in range(len(own))]
        for variable, value in zip(own, values, strict=True):
            if variable.shape != value.shape:
                checks.fail(self, f"a variable of shape {tuple(variable.shape)}", f"shape {tuple(value.shape)}")
        with torch.no_grad():
            for variable, value in zip(own, values, strict=True):
                variable.data.copy_(value)

    def get_build_config(self):
        """What ``build_from_config`` takes: the shapes the layer was built for; None before."""
        shape = self.__dict__.get("_build_shape")
        if shape is None:
            return None
        return {"shapes_dict" if isinstance(shape, dict) else "input_shape": shape}

    def build_from_config(self, config):
        """Build for the shapes in ``config``, a dict with ``input_shape`` or ``shapes_dict``."""
        if "shapes_dict" in config:
            self.build(**{name: shapes.from_json(shape) for name, shape in config["shapes_dict"].items()})
        elif config.get("input_shape") is not None:
            self.build(shapes.from_json(config["input_shape"]))

    # -- config --------------------------------------------------------------------------------------------------

    def get_config(self):
        """``name``, ``trainable``, ``dtype`` and the constructor's arguments."""
        base = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policies.serialize(self.dtype_policy)}
        own = super().get_config()
        for name in set(_BASE_ARGUMENTS) - set(self._kept):  # Embedding has an `input_dim` of its own
            own.pop(name, None)
        if own.get("activity_regularizer") is None:
            own.pop("activity_regularizer", None)
        return {**base, **own}

    @classmethod
    def from_config(cls, config):
        """A layer made from ``get_config()``'s dict, with new weights."""
        if "quantization_config" in config and config["quantization_config"] is None:  # Keras 3.15 writes it
            config = {key: value for key, value in config.items() if key != "quantization_config"}
        return super().from_config(config)

    def _config_value(self, name):
        return None if name in _BASE_ARGUMENTS and name not in self._kept else super()._config_value(name)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "_relower"} | {"_inbound_nodes": [], "_added_losses": []}

    def __setstate__(self, state):
        super().__setstate__(state)
        for name in self._tracked_names:
            setattr(self, name, self.__dict__[name])


_BASE_ARGUMENTS = tuple(
    p for p in inspect.signature(Layer.__init__).parameters if p not in ("self", "kwargs", "activity_regularizer")
)


def own_variables(module):
    """The variables of ``module`` without those of its sub-modules: trainable ones first, as in Keras."""
    return [v for v in (*module._parameters.values(), *module._buffers.values()) if v is not None]


def weights_of(module):
    """Every weight below ``module`` once, in Keras' order; plain modules count too."""
    found, seen = [], set()

    def visit(m):
        for w in [*m._parameters.values(), *m._buffers.values()]:
            if w is not None and id(w) not in seen:
                seen.add(id(w))
                found.append(w)
        for child in m._modules.values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                visit(child)

    visit(module)
    return found


def _marking_built(build):
    @functools.wraps(build)
    def marked(self, *args, **kwargs):
        self.__dict__["_build_shape"] = args[0] if args else next(iter(kwargs.values()), None)
        outermost, self.__dict__["_building"] = not self.__dict__.get("_building"), True
        try:
            result = build(self, *args, **kwargs)
        finally:
            if outermost:
                del self.__dict__["_building"]
        if outermost and (not self.built or self._initial_weights is not None):  # not after a super().build()
            self._after_build()
        return result

    marked.marks_built = True  # type: ignore[attr-defined] # a mark for __init_subclass__
    return marked


def _is_float(name):
    return name in dtypes.TORCH and dtypes.TORCH[name].is_floating_point  # "string" is in no torch dtype


def _one_or_list(items):
    return items[0] if len(items) == 1 else items


def _shapes_to_tensors(structure, dtype):
    return shapes.map_shapes(lambda shape: KerasTensor(shape, dtype), structure)


def _shapes_to_specs(structure, dtype):
    return shapes.map_shapes(lambda shape: infer.Spec(shape, dtype), structure)

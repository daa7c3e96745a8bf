"""The graph era: placeholders, ``K.function``, ``K.gradients``, updates, the learning phase and the session.

A symbolic expression is a graph of nodes; ``K.function`` lowers it to one Python function, which runs eagerly.
Source: Keras 2.3.1 ``backend/tensorflow_backend.py``.
"""

import contextlib

import numpy as np
import torch

from kshim.backend import recording
from kshim.core import arrays, checks, dtypes, names, tree
from kshim.core.variable import Variable
from kshim.graph import infer, node
from kshim.graph.function import Function as _Graph
from kshim.graph.keras_tensor import KerasTensor
from kshim.graph.update import Update, as_update
from kshim.layers.calling import training_mode as _training_mode

# -- placeholders and the learning phase -------------------------------------------------------------------------


def placeholder(shape=None, ndim=None, dtype=None, sparse=False, name=None, ragged=False):
    """A symbolic tensor to be fed in ``K.function``.

    Args:
        shape: tuple of ints, None where an axis varies.
        ndim: number of axes, in place of ``shape``.
        dtype: dtype name; None means ``floatx()``.
        sparse, ragged: must be false.
        name: None gives ``placeholder``, ``placeholder_1``, ...

    Raises: ValueError if neither ``shape`` nor ``ndim`` is given; NotImplementedError for sparse or ragged.
    """
    if sparse or ragged:
        raise NotImplementedError(
            f"K.placeholder: kshim has dense tensors. Received: sparse={sparse}, ragged={ragged}. Feed the dense array."
        )
    if shape is None:
        if checks.as_int(ndim) is None:
            raise ValueError(f"K.placeholder: expected `shape` or `ndim`. Received: shape=None, ndim={ndim!r}.")
        shape = (None,) * ndim
    return KerasTensor(shape, dtype, name or names.unique("placeholder"))


def is_placeholder(x):
    """Whether ``x`` came from ``K.placeholder`` or ``Input``."""
    return isinstance(x, KerasTensor) and (x.node is None or not x.node.runs)


def _read_phase():
    return torch.tensor(recording.phase_now())


def learning_phase():
    """0 or 1 where ``set_learning_phase`` said so, else a symbolic tensor to feed in ``K.function`` (0 unless fed)."""
    if recording._Chosen.value is not None:
        return recording._Chosen.value
    if recording._phase.get() is not None or infer.is_running():
        return recording.phase_now()
    if _Phase.tensor is None:
        made = node.Node(_read_phase, (), {}, infer.Spec((), "int64"), "keras_learning_phase")
        _Phase.tensor = made.structure
        _Phase.tensor.name = "keras_learning_phase"
    return _Phase.tensor


class _Phase:
    tensor: KerasTensor | None = None


def set_learning_phase(value):
    """Fix the learning phase: 0 for testing, 1 for training.

    Raises: ValueError for another value.
    """
    if value not in (0, 1):
        raise ValueError(f"Expected learning phase to be 0 or 1. Received: value={value!r}")
    recording._Chosen.value = int(value)


@contextlib.contextmanager
def learning_phase_scope(value):
    """Within the block the learning phase is ``value``, 0 or 1."""
    before = recording._Chosen.value
    set_learning_phase(value)
    try:
        yield
    finally:
        recording._Chosen.value = before


def _call(value):
    return value() if callable(value) else value


def in_train_phase(x, alt, training=None):
    """``x`` while training and ``alt`` else; both may be functions without arguments.

    ``training`` is a bool, int or tensor; None means the learning phase of what runs.
    """
    if training is None:
        inside = infer.is_running() or not _at_top()
        training = recording.phase_now() if inside else learning_phase()
    if isinstance(training, KerasTensor):
        values = [arrays.to_tensor(_call(v)) for v in (x, alt)]
        return node.record(_pick, (training, *values), {})
    return _call(x if bool(training) else alt)


def in_test_phase(x, alt, training=None):
    """``x`` while testing and ``alt`` while training: ``in_train_phase(alt, x)``."""
    return in_train_phase(alt, x, training)


def _at_top():
    return (
        recording.calling.current.depth == 0
        and not recording._running.get()
        and (recording.calling.current.collected is None)
    )


def _pick(training, x, alt):
    x, alt = torch.broadcast_tensors(x, alt)
    return torch.where(training.bool(), x, alt.to(x.dtype))


# -- updates -----------------------------------------------------------------------------------------------------


def _update(x, value, how):
    update = Update(x, value, how)
    if isinstance(value, KerasTensor) or recording.graph_era():
        return update
    if not infer.is_running():
        update.apply(value)
    return update


def update(x, new_x):
    """The variable ``x`` becomes ``new_x``.

    Up to 2.3.1, and on a symbolic value, it is told now and done by ``K.function(..., updates=)`` or ``add_update``.
    """
    return _update(x, new_x, "set")


def update_add(x, increment):
    """The variable ``x`` grows by ``increment``, when ``update`` would be done."""
    return _update(x, increment, "add")


def update_sub(x, decrement):
    """The variable ``x`` shrinks by ``decrement``, when ``update`` would be done."""
    return _update(x, decrement, "sub")


def moving_average_update(x, value, momentum):
    """The variable ``x`` becomes ``x * momentum + value * (1 - momentum)``, when ``update`` would be done."""
    return _update(x, (arrays.to_tensor(value) - _value_of(x)) * (1 - momentum), "add")


@recording.op
def _value_of(x):
    return x.detach().clone()


# -- gradients ---------------------------------------------------------------------------------------------------


class _Gradients:
    """The node of ``K.gradients``."""

    takes_gradients = True
    name = "gradients"

    def __call__(self, loss, *variables):
        found = torch.autograd.grad(
            loss, variables, torch.ones_like(loss), retain_graph=True, create_graph=True, allow_unused=True
        )
        return [torch.zeros_like(x) if g is None else g for g, x in zip(found, variables, strict=True)]


def gradients(loss, variables):
    """The gradients of ``sum(loss)`` with respect to variables or symbolic tensors.

    Args:
        loss: a tensor of any shape, or a list of them, which are added up.
        variables: one or a list; of inputs, weights or results of layers.

    Returns: a list, with None where ``loss`` does not depend on the variable.

    Raises: ValueError if ``loss`` has no graph behind it.
    """
    xs = list(variables) if isinstance(variables, (list, tuple)) else [variables]
    if isinstance(loss, (list, tuple)):
        loss = _total(list(loss))
    if not isinstance(loss, KerasTensor):
        if not getattr(loss, "requires_grad", False):
            raise ValueError(
                f"K.gradients: expected a loss that depends on variables or symbolic tensors. Received: {loss!r}."
            )
        return list(torch.autograd.grad(loss.sum(), xs, retain_graph=True, allow_unused=True))
    known = _ancestors(loss)
    used = [x for x in xs if id(x) in known]
    if not used:
        return [None] * len(xs)
    specs = [infer.Spec(tuple(x.shape), dtypes.name_of(x.dtype)) for x in used]
    made = iter(node.Node(_Gradients(), (loss, *used), {}, specs, "gradients").structure)
    return [next(made) if id(x) in known else None for x in xs]


def _total(losses):
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total


def _ancestors(tensor):
    """Ids of the symbolic tensors and variables that ``tensor`` is made from."""
    found, nodes, stack = set(), set(), [tensor]
    while stack:
        now = stack.pop()
        found.add(id(now))
        if now.node is None or id(now.node) in nodes:
            continue
        nodes.add(id(now.node))
        stack += now.node.inputs
        found |= {id(leaf) for leaf in tree.flatten([now.node.args, now.node.kwargs]) if isinstance(leaf, Variable)}
        if isinstance(now.node.operation, torch.nn.Module):
            found |= {id(p) for p in now.node.operation.parameters()}
    return found


# -- functions ---------------------------------------------------------------------------------------------------


class Function:
    """What ``K.function`` gives: called on a list of values it returns numpy arrays.

    Args:
        inputs: a list of symbolic tensors (placeholders, Inputs, any result of a layer), the learning phase among
            them; from 2.3.1 a single one, too.
        outputs: symbolic tensors, variables or tensors: one, a list or a dict.
        updates: ``K.update(...)`` objects, pairs ``(variable, new value)``, ``optimizer.get_updates(...)``.
        name: Keras' name of the function; it names nothing here.

    Raises: TypeError if ``updates`` is no list; ValueError if an output needs a placeholder that is not among
        ``inputs``, or another number of values is fed.
    """

    def __init__(self, inputs, outputs, updates=None, name=None):
        if not isinstance(updates or [], (list, tuple)):
            raise TypeError(f"`updates` in a Keras backend function should be a list or tuple. Received: {updates!r}")
        self.single_input = not isinstance(inputs, (list, tuple, dict))
        self.inputs, self.outputs, self.name = inputs, outputs, name
        self.updates = [as_update(one) for one in _flat_updates(updates or [])]
        self._feeds = tree.flatten([inputs])
        for tensor in self._feeds:
            if not isinstance(tensor, KerasTensor) and tensor not in (0, 1):
                raise TypeError(
                    f"K.function: expected symbolic tensors as inputs. Received: {tensor!r}. Make it K.placeholder()."
                )
        self._tensors = [t for t in self._feeds if isinstance(t, KerasTensor) and t is not _Phase.tensor]
        wanted = [*tree.flatten([outputs]), *(value for one in self.updates for value in one.values)]
        symbolic = list({id(t): t for t in wanted if isinstance(t, KerasTensor)}.values())
        self._graph = _Graph(self._tensors, symbolic)
        self._symbolic = symbolic
        operations = [n.operation for n in self._graph.nodes]
        self._layers = [op for op in self._graph.operations if isinstance(op, torch.nn.Module)]
        self._tape = [n for n in self._graph.nodes if getattr(n.operation, "takes_gradients", False)]
        self._differentiates = bool(self._tape) or any(getattr(op, "takes_gradients", False) for op in operations)
        self._frozen = [
            x for n in self._tape for x in n.args[1:] if isinstance(x, Variable) and x.is_floating_point()
        ]  # fmt: skip

    def __call__(self, inputs=(), **more):
        flat = isinstance(self.inputs, (list, tuple)) and len(self.inputs) == len(self._feeds)
        values = [inputs] if self.single_input else list(inputs) if flat else tree.flatten(inputs)
        if len(values) != len(self._feeds):
            raise ValueError(
                f"K.function: expected {len(self._feeds)} value(s), "
                f"for {[getattr(t, 'name', t) for t in self._feeds]}. "
                f"Received: {len(values)}."
            )
        phase, fed = recording._Chosen.value or 0, []
        device = self._layers[0].device if self._layers and hasattr(self._layers[0], "device") else None
        for tensor, value in zip(self._feeds, values, strict=True):
            if tensor is _Phase.tensor:
                phase = int(value)
            elif isinstance(tensor, KerasTensor):
                fed.append(self._fed(tensor, value, device))
        return self._run(fed, phase)

    def _fed(self, tensor, value, device):
        value = value.detach() if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
        shape = tuple(value.shape)
        fits = len(shape) == len(tensor._shape) and all(
            b in (None, a) for a, b in zip(shape, tensor._shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"Cannot feed value of shape {shape} for Tensor {tensor.name!r}: expected shape {tensor._shape}. "
                f"Received: shape {shape}."
            )
        return value.to(device=device, dtype=dtypes.TORCH[tensor._dtype])

    def _run(self, fed, phase):
        buffers = {id(b): (b, b.detach().clone()) for m in self._layers for b in m.buffers()}
        kept = {id(b) for one in self.updates for b in getattr(one, "buffers", ())}
        flags = [(v, v.requires_grad) for v in self._frozen]
        with contextlib.ExitStack() as stack:
            stack.enter_context(recording.running(phase))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.set_grad_enabled(self._differentiates))
            for layer in self._layers:
                stack.enter_context(_training_mode(layer, bool(phase)))
            try:
                for variable, _ in flags:
                    variable.requires_grad_(True)
                results = self._graph.run(*fed)
            finally:
                for variable, flag in flags:
                    variable.requires_grad_(flag)
                for key, (buffer, before) in buffers.items():
                    if key not in kept:  # moving statistics move where the updates say so, as in a graph
                        buffer.data.copy_(before)
        table = dict(zip(map(id, self._symbolic), results, strict=True))
        found = tree.map_structure(lambda leaf: arrays.to_numpy(table.get(id(leaf), leaf)).copy()[()], self.outputs)
        ready = [[table.get(id(v), v) for v in one.values] for one in self.updates]
        for one, values in zip(self.updates, ready, strict=True):
            one.apply(*values)
        return list(found) if isinstance(found, tuple) else found


def _flat_updates(updates):
    """``updates`` in one list: lists of them are joined, pairs kept."""
    found = []
    for one in updates:
        nested = isinstance(one, list) and (len(one) != 2 or not isinstance(one[0], Variable))
        found += _flat_updates(one) if nested else [one]
    return found


def function(inputs, outputs, updates=None, name=None, **kwargs):
    """A ``Function`` from ``inputs`` to ``outputs``; see there.

    Raises: ValueError for a keyword that only a Theano or TensorFlow session had a meaning for.
    """
    refused = {key: value for key, value in kwargs.items() if value not in (None, False, [])}
    if refused:
        raise ValueError(
            f"Invalid argument {next(iter(refused))!r} passed to K.function: expected inputs, outputs, updates, name. "
            f"Received: {refused}."
        )
    return Function(inputs, outputs, updates, name)


class Session:
    """The stand-in for TensorFlow's session: ``run(fetches, feed_dict)`` on symbolic tensors and variables."""

    def run(self, fetches, feed_dict=None, options=None, run_metadata=None):
        """The values of ``fetches`` (one, a list or dict of tensors, variables and updates) as numpy arrays."""
        feeds = dict(feed_dict or {})
        updates = [f for f in tree.flatten([fetches]) if hasattr(f, "apply") and hasattr(f, "values")]
        outputs = tree.map_structure(lambda f: torch.zeros(0) if any(f is u for u in updates) else f, fetches)
        found = Function(list(feeds), outputs, updates)(list(feeds.values()))
        return tree.map_structure(lambda f, v: None if any(f is u for u in updates) else v, fetches, found)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def close(self):
        """Nothing is held open."""


_session = Session()


def get_session():
    """The one ``Session``."""
    return _session


def set_session(session):
    """Accepts the session of ``get_session()`` alone.

    Raises: TypeError for another, which would be TensorFlow's.
    """
    if not isinstance(session, Session):
        raise TypeError(
            f"K.set_session: expected K.get_session(). Received: {session!r}. kshim runs on torch, without sessions: "
            "leave the call out."
        )


def manual_variable_initialization(value):
    """Nothing: variables hold their values from the start."""


def eval(x):
    """The value of a variable, tensor, or symbolic tensor without inputs, as numpy has it."""
    if isinstance(x, KerasTensor):
        return Function([], x)([])
    return arrays.to_numpy(x).copy()[()]


@contextlib.contextmanager
def control_dependencies(control_inputs):
    """Nothing: what is written first runs first."""
    yield


def symbolic(func):
    """``func`` itself: it works on symbolic tensors as it is."""
    return func


eager = symbolic


def forget():
    """The learning phase is as it began."""
    recording._Chosen.value = None
    _Phase.tensor = None

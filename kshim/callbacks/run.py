"""``Run``: a run of training as it stands, told as data, and taken up again in another process."""

import warnings

import torch

from kshim.core import tree
from kshim.core.state import NotPlain, Tracker, decoded, encoded
from kshim.optimizers import Optimizer
from kshim.random import SeedGenerator, global_state, set_global_state

FORMAT = "kshim backup 1"
OWN = ("kshim", "torch")  # packages whose classes keep all that training changes in variables


class Run:
    """What a run of training is made of. ``fit`` makes one, and hands it to its ``CallbackList``.

    Args:
        callbacks: the ``CallbackList``.
        data, validation: what gives the batches; None where the loop is the user's own.
        epoch: index of the first epoch.

    ``epoch`` and ``step`` say where the loop goes on: the epoch, and the batches of it that were taken already.
    ``over`` is set where nothing is left to train, and ``logs`` are then those of the last epoch.
    """

    def __init__(self, callbacks=(), data=None, validation=None, epoch=0):
        self.callbacks, self.data, self.validation = callbacks, data, validation
        self.epoch, self.step, self.over, self.logs = epoch, 0, False, {}
        self._began = self._pending = None

    def watch(self, model):
        """From here on, ``state`` knows what changed; called when training begins, before anything is taken up."""
        if self._began is not None:
            return
        self._began = encoded(global_state())
        self._of_callbacks = [Tracker(callback) for callback in self.callbacks]
        objects = [each for each in (*model.modules(), *_nested(model.optimizer)) if not _is_own(each)]
        self._of_objects = [Tracker(each, hidden=False) for each in objects]
        self._of_objects += [Tracker(metric) for metric in model.metrics if not _is_own(metric)]
        for data in self._streams().values():
            data.watch()

    def _streams(self):
        return {name: data for name, data in (("data", self.data), ("validation", self.validation)) if data is not None}

    # -- out -----------------------------------------------------------------------------------------------------

    def state(self, model, epoch, step=0, logs=None):
        """The run as data; tensors are not copied.

        Args:
            model: the model that is trained.
            epoch: index of the epoch to go on in.
            step: batches of it that are done; 0 between two epochs.
            logs: those of the epoch that has ended.
        """
        taken = step or None
        return {
            "format": FORMAT, "epoch": epoch, "step": step, "stop": bool(model.stop_training),
            "logs": _plain(dict(logs or {})),
            "model": [[name, value.detach()] for name, value in _variables(model)],
            "optimizer": _optimizer_state(model.optimizer),
            "metrics": [_metric_state(metric) for metric in model.metrics] if step else None,
            "own_logs": _plain(model.__dict__.get("_own_logs")) if step else None,
            "callbacks": [[type(tracker.owner).__name__, tracker.state()] for tracker in self._of_callbacks],
            "objects": [[type(tracker.owner).__name__, tracker.state()] for tracker in self._of_objects],
            "streams": {
                name: {"form": list(data.form), "state": data.state(taken if data is self.data else None)}
                for name, data in self._streams().items()
            },
            "began": self._began, "generators": encoded(global_state()),
        }  # fmt: skip

    # -- and in --------------------------------------------------------------------------------------------------

    def load(self, model, state, where):
        """Take up what ``state`` gave. In the middle of an epoch ``go_on`` is to be called once that has begun.

        Args:
            model: the model to train, built and compiled as the one before.
            state: the state.
            where: what messages call it.

        Raises: ValueError where it is no such state, or one of another model, optimizer or other data; the model is
            as it was then.
        """
        try:
            if state["format"] != FORMAT:
                raise ValueError(f"Expected the format {FORMAT!r}. Received: {str(state['format'])[:60]!r}.")
            self._check(model, state)
            self._restore(model, state, within=False)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError, RuntimeError, OverflowError) as error:
            raise ValueError(
                f"{where} cannot be taken up: {error} It is of another run, or not a backup at all. Give the model, "
                "the optimizer and the data that it was made with, or another folder to begin anew."
            ) from error
        if state["step"]:
            self._pending = state

    def go_on(self, model):
        """At the start of the epoch that was interrupted, put everything where it was in the middle of it."""
        if self._pending is not None:
            state, self._pending = self._pending, None
            self._restore(model, state, within=True)

    def _check(self, model, state):
        own, given = _variables(model), state["model"]
        if [tuple(v.shape) for _, v in own] != [tuple(v.shape) for _, v in given]:
            raise ValueError(
                f"Expected the weights of this model, {_shapes(own)}. Received: those of another architecture, "
                f"{_shapes(given)}."
            )
        other = next(((n, v, g) for (n, v), (_, g) in zip(own, given, strict=True) if v.dtype != g.dtype), None)
        if other is not None:
            raise ValueError(f"Expected {other[0]} of {other[1].dtype}. Received: {other[2].dtype}.")
        if state["optimizer"]["classes"] != _class_names(model.optimizer):
            raise ValueError(
                f"Expected the optimizer to be {_class_names(model.optimizer)}. "
                f"Received: {state['optimizer']['classes']}."
            )
        if _form(model.optimizer, encoded(model.optimizer.state_dict())) != _form(
            model.optimizer, state["optimizer"]["state"]
        ):
            raise ValueError(
                "Expected the state of an optimizer made with the same arguments. "
                "Received: one with other slots or of other shapes."
            )
        for name, data in self._streams().items():
            saved = state["streams"].get(name)
            within = name == "data" and state["step"]
            if saved is not None:
                for own_form, its in zip(data.form[: 1 + bool(within)], saved["form"], strict=False):
                    if own_form != its:
                        raise ValueError(f"Expected {name} with {own_form}. Received: {its} in the backup.")
        for part in ("callbacks", "objects", "began", "generators", "metrics", "own_logs", "logs", "stop", "epoch"):
            state[part]

    def _restore(self, model, state, within):
        if within or not state["step"]:
            self._restore_data(state, within)
        with torch.no_grad(), torch.inference_mode(False):
            for (_, own), (_, value) in zip(_variables(model), state["model"], strict=True):
                own.data.copy_(value)
        _load_optimizer(model.optimizer, state["optimizer"])
        for trackers, states in ((self._of_objects, state["objects"]), (self._of_callbacks, state["callbacks"])):
            for tracker, own in _matched(trackers, states):
                tracker.load(own)
        model.stop_training = state["stop"]
        self.epoch, self.step, self.logs = state["epoch"], state["step"], decoded(state["logs"])
        self.over = state["stop"] and not state["step"]
        self._began = state["began"]
        if within:
            for metric, own in zip(model.metrics, state["metrics"], strict=False):
                _load_metric(metric, own)
            if state["own_logs"] is not None:
                model.__dict__["_own_logs"] = decoded(state["own_logs"])
        set_global_state(decoded(state["generators"]))

    def _restore_data(self, state, within):
        for name, data in self._streams().items():
            saved = state["streams"].get(name)
            if saved is not None:
                taken = state["step"] if within and data is self.data else None
                if taken:
                    data.begin()
                set_global_state(decoded(state["began"]))  # from which a generator is run through once more
                data.load_state(saved["state"], taken)


def _is_own(value):
    """Whether the class keeps all that training changes in variables."""
    return type(value).__module__.partition(".")[0] in OWN


def _plain(value):
    try:
        return encoded(value)
    except NotPlain:
        return None


def _shapes(pairs):
    listed = [f"{name}{tuple(value.shape)}" for name, value in pairs]
    return ", ".join(listed[:6]) + (", ..." if len(listed) > 6 else "")


def _matched(trackers, states):
    """Pairs of tracker and state by the class of what is tracked, in order; what has no partner is left as it is."""
    states = list(states)
    for tracker in trackers:
        name = type(tracker.owner).__name__
        position = next((i for i, (other, _) in enumerate(states) if other == name), None)
        if position is not None:
            yield tracker, states.pop(position)[1]


def _variables(model):
    """``(name, tensor)`` pairs of all that ``model`` computes with: weights, buffers, states of seeds and layers."""
    found = {id(value): (name, value) for name, value in (*model.named_parameters(), *model.named_buffers())}
    for path, module in model.named_modules():
        for attribute, value in vars(module).items():
            if attribute in ("_parameters", "_buffers", "_modules"):
                continue
            for leaf in tree.flatten(value) if isinstance(value, (list, tuple, dict)) else [value]:
                leaf = leaf.state if isinstance(leaf, SeedGenerator) else leaf
                if isinstance(leaf, torch.nn.Parameter):
                    found.setdefault(id(leaf), (f"{path}.{attribute}", leaf))
    return list(found.values())


# -- optimizers and metrics ------------------------------------------------------------------------------------------


def _nested(optimizer):
    """``optimizer`` and those inside it."""
    yield optimizer
    inner = getattr(optimizer, "inner_optimizer", None)
    for each in [*([inner] if inner is not None else []), *(getattr(optimizer, "optimizers", None) or [])]:
        yield from _nested(each)


def _class_names(optimizer):
    return [type(each).__name__ for each in _nested(optimizer)]


def _added(optimizer):
    """Variables that are not in the optimizer's ``state_dict``."""
    return [variable for each in _nested(optimizer) for variable in getattr(each, "_added", ())]


def _optimizer_state(optimizer):
    return {
        "classes": _class_names(optimizer),
        "state": encoded(optimizer.state_dict()),
        "added": [variable.detach() for variable in _added(optimizer)],
    }


def _load_optimizer(optimizer, state):
    optimizer.load_state_dict(decoded(state["state"]))
    with torch.no_grad():
        for variable, value in zip(_added(optimizer), state["added"], strict=True):
            variable.data.copy_(value)


def _form(optimizer, state):
    """What must be equal in two states of ``optimizer``. One of torch makes its slots at the first step only."""
    return _sizes(state) if isinstance(optimizer, Optimizer) else [name for name, _ in state[1]]


def _sizes(data):
    """Encoded data with shapes in place of tensors, and without numbers."""
    if isinstance(data, torch.Tensor):
        return tuple(data.shape)
    if isinstance(data, (list, tuple)):
        return [_sizes(item) for item in data]
    return data if isinstance(data, str) else None


def _metric_state(metric):
    return [variable.detach() for variable in getattr(metric, "variables", ())]


def _load_metric(metric, values):
    if len(_metric_state(metric)) < len(values) and hasattr(metric, "make_state"):
        metric.make_state(values[-1].shape)  # else its first batch would
    own = _metric_state(metric)
    if [value.shape for value in own] != [value.shape for value in values]:
        warnings.warn(
            f"The metric {metric.name!r} begins anew in the middle of the epoch: expected its state, of shapes "
            f"{[tuple(value.shape) for value in own]}. Received: {[tuple(value.shape) for value in values]}.",
            stacklevel=2,
        )
        return
    with torch.no_grad():
        for variable, value in zip(own, values, strict=True):
            variable.copy_(value)

"""``Steps``: what one batch is to a model, and what a subclass may write instead of any part of it."""

import inspect

import torch

from kshim import optimizers
from kshim.core import checks, settings, tree
from kshim.layers.calling import new_call
from kshim.metrics.accuracy import as_float
from kshim.metrics.base import Metric
from kshim.training.data.batch import pack_x_y_sample_weight, unpack_x_y_sample_weight


class Steps:
    """The steps of training, evaluation and prediction: mixed into ``Trainer``.

    A subclass may write ``train_step``, ``test_step``, ``predict_step``, ``compute_loss``, ``compute_metrics``,
    ``metrics`` or ``make_train_function`` (and its siblings). What it leaves runs as one function with everything it
    needs in locals.

    Source: Keras 3 ``trainers/trainer.py`` and ``backend/torch/trainer.py``.
    """

    # -- what a subclass may call, or write itself ---------------------------------------------------------------

    def train_step(self, data):
        """One update on ``x``, ``(x, y)`` or ``(x, y, sample_weight)``.

        Args:
            data: a batch of tensors on the model's device.

        Returns: the logs, a dict of names to tensors or numbers.
        """
        self._compiled_train_step()(*unpack_x_y_sample_weight(data))
        return self.get_metrics_result()

    def test_step(self, data):
        """Loss and metrics of a batch; ``data`` and result as in ``train_step``."""
        self._compiled_test_step()(*unpack_x_y_sample_weight(data))
        return self.get_metrics_result()

    def predict_step(self, data):
        """The outputs for a batch, of which only ``x`` is read."""
        return self(unpack_x_y_sample_weight(data)[0])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The scalar to minimise: the compiled loss, plus what layers and regularizers add.

        Args:
            x, y, sample_weight: the batch.
            y_pred: the model's outputs for ``x``.
            training: whether the loss is for training.

        Raises: ValueError if there is nothing to add up.
        """
        compiled = self._compiled_loss
        loss = compiled(y, y_pred, sample_weight) if compiled is not None and compiled.parts else None
        collected = self.__dict__.get("_collected")
        extras = self.losses if collected is None else [*collected, *(fn(w) for fn, w in self._penalties())]
        for extra in extras:
            loss = extra if loss is None else loss + extra
        if loss is None:
            raise ValueError(
                f"{checks.describe(self)}: expected a loss. Received: loss=None and no add_loss in any layer. "
                "Give `loss=` to compile()."
            )
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Update the compiled metrics with a batch; returns the logs."""
        self._compiled_metrics.update_state(y, _detached(y_pred), sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self):
        """The results of ``metrics`` so far, by name, on the device."""
        return self._results(self.metrics)

    def _results(self, metrics):
        ours = {id(metric) for metric in self._compiled_objects()}
        logs = {}
        if any(id(metric) in ours for metric in metrics):
            logs = {"loss": self._loss_mean.result()}
            logs |= {mean.name: mean.result() for mean in self._compiled_loss.means} if self._compiled_loss else {}
            logs |= self._compiled_metrics.result() if self._compiled_metrics else {}
        for metric in metrics:
            if id(metric) not in ours:
                result = metric.result()
                logs |= result if isinstance(result, dict) else {metric.name: result}
        return logs

    def compiled_loss(self, y, y_pred, sample_weight=None, regularization_losses=None):
        """The compiled loss of a batch, plus ``regularization_losses``; it counts in the logs' ``loss``."""
        loss = self._compiled_loss(y, y_pred, sample_weight)
        for extra in regularization_losses or ():
            loss = loss + extra
        self._loss_mean.update_state(loss.detach(), sample_weight=_rows(y_pred))
        return loss

    @property
    def compiled_metrics(self):
        """The compiled metrics as one: ``update_state(y, y_pred, sample_weight)``, ``result()``; None before."""
        return self._compiled_metrics

    # -- whole functions -----------------------------------------------------------------------------------------

    def make_train_function(self, force=False):
        """Set ``train_function``: it takes a list of batches, of which it trains on the first, and gives the logs.

        Args:
            force: make it anew even if there is one.

        Returns: the function. One that a subclass makes is what ``fit`` runs.
        """
        return self._make_function("train", force)

    def make_test_function(self, force=False):
        """``make_train_function``'s sibling, for ``test_function``."""
        return self._make_function("test", force)

    def make_predict_function(self, force=False):
        """``make_train_function``'s sibling, for ``predict_function``."""
        return self._make_function("predict", force)

    def _make_function(self, phase, force):
        if force or getattr(self, f"{phase}_function") is None:
            own = getattr(self, f"{phase}_step")

            def one_step(data):
                with torch.set_grad_enabled(phase == "train"):
                    return own(next(iter(data)))

            one_step.by_kshim = True
            setattr(self, f"{phase}_function", one_step)
        return getattr(self, f"{phase}_function")

    # -- what runs -----------------------------------------------------------------------------------------------

    def _replaces(self, *names):
        """Whether a subclass has written one of ``names`` itself."""
        return any(getattr(type(self), name) is not getattr(Steps, name) for name in names)

    def _step_function(self, phase):
        """What runs on a batch: ``step(x, y, sample_weight)``; the user's function or step, or the compiled one."""
        self.__dict__["_metrics_of_run"] = self.metrics
        function = getattr(self, f"{phase}_function")
        if self._replaces(f"make_{phase}_function"):
            made = getattr(self, f"make_{phase}_function")()
            function = made if callable(made) else getattr(self, f"{phase}_function")
        if function is not None and not getattr(function, "by_kshim", False):
            return self._own_step(lambda data: function(_Batch([data])))
        if self._replaces(f"{phase}_step"):
            return self._own_step(getattr(self, f"{phase}_step"))
        return getattr(self, f"_compiled_{phase}_step")()

    def _own_step(self, own):
        """A subclass's step; the logs it returns are what is shown."""

        def step(x, y, sample_weight):
            new_call()
            self.__dict__["_collected"].clear()
            logs = own(pack_x_y_sample_weight(x, y, sample_weight))
            self.__dict__["_own_logs"] = {} if logs is None else logs

        return step

    def _compiled_train_step(self):
        """The step of what was compiled, with everything it needs in locals."""
        optimizer = self.optimizer
        ours = isinstance(optimizer, optimizers.Optimizer)
        loss_of, metrics, mean = self._compiled_loss, self._compiled_metrics, self._loss_mean
        plain = not self._replaces("compute_loss") and not self._penalties() and loss_of.parts
        compute_loss = self._loss_function(training=True)
        own_metrics = self._replaces("compute_metrics")
        forward, total, count = self.fast_forward(), mean.total, mean.count
        scaled = ours and optimizer.scales_loss

        def step(x, y, sample_weight):
            new_call()
            y_pred = forward(x)
            collected = self.__dict__.get("_collected")
            if plain and not collected:
                loss = loss_of(y, y_pred, sample_weight)
            else:
                loss = compute_loss(x, y, y_pred, sample_weight)
            if loss.requires_grad or not self._is_frozen():
                (optimizer.scale_loss(loss) if scaled else loss).backward()
                if ours:
                    optimizer.update_from_grads()
                else:
                    optimizer.step()
                    optimizer.zero_grad()
            if collected:
                collected.clear()
            rows = _rows(x)
            with torch.no_grad():
                total.add_(loss, alpha=rows)
                count.add_(rows)
                if own_metrics:
                    self.__dict__["_own_logs"] = self.compute_metrics(x, y, _detached(y_pred), sample_weight)
                elif metrics.parts:
                    metrics.update_state(y, _detached(y_pred), sample_weight)

        return step

    def _is_frozen(self):
        """Whether no weight is trainable: then a step only measures, and Keras 3 warns."""
        if any(weight.requires_grad for weight in self.parameters()):
            return False
        if settings.holds(since="3"):
            checks.warn("The model does not have any trainable weights.")
        return True

    def _compiled_test_step(self):
        """As ``_compiled_train_step``, without the update."""
        forward, compute_loss = self.fast_forward(), self._loss_function(training=False)
        own_metrics = self._replaces("compute_metrics")

        def step(x, y, sample_weight):
            new_call()
            y_pred = forward(x)
            if y is not None or not self._expects_targets() or self._replaces("compute_loss"):
                loss = compute_loss(x, y, y_pred, sample_weight)
                if self.__dict__.get("_collected"):
                    self.__dict__["_collected"].clear()
                self._loss_mean.update_state(loss, sample_weight=_rows(x))
                if own_metrics:
                    self.__dict__["_own_logs"] = self.compute_metrics(x, y, _detached(y_pred), sample_weight)
                else:
                    self._compiled_metrics.update_state(y, _detached(y_pred), sample_weight)

        return step

    def _loss_function(self, training):
        """``compute_loss``, told whether it is for training where it wants to know."""
        own = self.compute_loss
        parameters = inspect.signature(own).parameters.values()
        if any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters):
            return lambda x, y, y_pred, weight: own(x, y, y_pred, weight, training=training)
        return own

    def _predict_batch(self):
        """``x -> outputs``: the user's function or step, or the model itself."""
        function = self.predict_function
        if self._replaces("make_predict_function"):
            made = self.make_predict_function()
            function = made if callable(made) else self.predict_function
        if function is not None and not getattr(function, "by_kshim", False):
            return lambda x: function(_Batch([pack_x_y_sample_weight(x)]))
        return (lambda x: self.predict_step(pack_x_y_sample_weight(x))) if self._replaces("predict_step") else self

    # -- logs ----------------------------------------------------------------------------------------------------

    def _compiled_objects(self):
        """The metrics that ``compile`` made."""
        own = [self._loss_mean] if self._loss_mean is not None else []
        own += self._compiled_loss.means if self._compiled_loss is not None else []
        return own + (self._compiled_metrics.objects if self._compiled_metrics is not None else [])

    def _attribute_metrics(self):
        """The metrics that the model and its layers have as attributes; models in it keep theirs to themselves."""
        found, stack = {}, [self]
        while stack:
            module = stack.pop(0)
            for name, value in vars(module).items():
                if name not in ("_loss_mean", "_metrics_of_run", "_modules"):
                    leaves = value if isinstance(value, (list, tuple)) else [value]
                    found |= {id(leaf): leaf for leaf in leaves if isinstance(leaf, Metric)}
            stack += [child for child in module.children() if not isinstance(child, Steps)]
        return list(found.values())

    def _logs(self):
        """The results so far, still on the device."""
        if "_own_logs" in self.__dict__:
            return _flat(self._own_logs)
        if self._replaces("get_metrics_result"):
            return self.get_metrics_result()
        return self._results(self.__dict__["_metrics_of_run"])  # looked for once: a callback may read every batch

    def _numbers(self):
        logs = _flat(self._own_logs) if "_own_logs" in self.__dict__ else self.get_metrics_result()
        self.__dict__.pop("_own_logs", None)
        return {name: as_float(value) for name, value in logs.items()}

    def fast_forward(self):
        """The forward pass for batches that were checked and cast already; a graph has a shorter way."""
        return self


class _Batch(list):
    """One batch, for functions that index what they get (Keras 3) or take the next of it (tf.keras)."""

    def __next__(self):
        return self[0]


def _flat(logs):
    """Logs with those of a metric that gives several names among the others."""
    flat = {}
    for name, value in logs.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def _rows(x):
    return len(x) if isinstance(x, torch.Tensor) else len(tree.flatten(x)[0])


def _detached(y_pred):
    def detached(leaf):
        plain = leaf.detach()
        mask = getattr(leaf, "_keras_mask", None)
        if mask is not None:
            plain._keras_mask = mask
        return plain

    return detached(y_pred) if isinstance(y_pred, torch.Tensor) else tree.map_structure(detached, y_pred)

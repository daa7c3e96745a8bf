"""``Trainer``: compile, fit, evaluate, predict and their ``_on_batch`` forms, for anything that can be called."""

from typing import ClassVar

import numpy as np
import torch

from kshim import optimizers
from kshim.callbacks import CallbackList
from kshim.callbacks.run import Run
from kshim.core import checks, serialization, settings, tree
from kshim.core.arrays import to_numpy
from kshim.core.configurable import translated
from kshim.layers.calling import collect_losses
from kshim.metrics.base import Mean
from kshim.random import torch_follows_numpy
from kshim.training import closures
from kshim.training.compile import CompiledLoss, CompiledMetrics
from kshim.training.data import arrays, streams
from kshim.training.data.steps import in_steps
from kshim.training.loop import run_epoch
from kshim.training.steps import Steps

_COMPILE_CONFIG = (
    "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile",
)  # fmt: skip


class Trainer(Steps):
    """Training for a ``Layer``: mixed into ``Model``.

    The model gives ``output_names`` and ``input_casts()``; everything else here works on any module.

    Source: Keras 3 ``trainers/trainer.py``.
    """

    # State of training, before anything was compiled; kept out of nn.Module's registries.
    _defaults: ClassVar = {
        "optimizer": None, "loss": None, "history": None, "stop_training": False, "stop_evaluating": False,
        "stop_predicting": False, "_compiled": None,
        "_compiled_loss": None, "_compiled_metrics": None, "_loss_mean": None,
        "train_function": None, "test_function": None, "predict_function": None, "steps_per_execution": 1,
        "run_eagerly": False, "jit_compile": False,
    }  # fmt: skip

    @translated
    def compile(self, optimizer="rmsprop", loss=None, loss_weights=None, metrics=None, weighted_metrics=None,
                run_eagerly=False, steps_per_execution=1, jit_compile="auto", auto_scale_loss=True):  # fmt: skip
        """Say how to train.

        Args:
            optimizer: name, config, ``Optimizer``, torch optimizer, or a callable that makes one from parameters.
            loss: name, function, ``Loss`` or torch loss; a list or dict of them by output; None for none.
            loss_weights: numbers by output, in a list or dict.
            metrics: names, functions or ``Metric`` objects; a list, a list of lists, or a dict by output.
                A function returns one tensor, or a dict of metric name to tensor.
            weighted_metrics: the same, with sample weights applied.
            run_eagerly: accepted: kshim's step is eager.
            steps_per_execution: of so many steps callbacks hear as one, an int above 0; the numbers are the same.
            jit_compile: True warns that kshim runs eagerly.
            auto_scale_loss: whether a model of policy ``mixed_float16`` gets its optimizer in a ``LossScaleOptimizer``.

        Raises:
            ValueError: an identifier that is not known; a list or dict that does not match the outputs.
        """
        if checks.as_int(steps_per_execution) is None or steps_per_execution < 1:
            checks.fail(self, "`steps_per_execution` to be an int above 0", f"{steps_per_execution=}")
        found = optimizer if _makes_optimizer(optimizer) else optimizers.get(optimizer)
        policy = getattr(self, "dtype_policy", None)
        if (
            auto_scale_loss
            and getattr(policy, "name", None) == "mixed_float16"
            and isinstance(found, optimizers.Optimizer)
            and not isinstance(found, optimizers.LossScaleOptimizer)
        ):
            found = optimizers.LossScaleOptimizer(found, name="loss_scale_optimizer")
        names = list(self.output_names or ["output"])
        if self.output_names is not None:  # else the outputs show at the first batch
            compiled_loss = CompiledLoss(loss, loss_weights, names)
            compiled_metrics = CompiledMetrics(metrics, weighted_metrics, names, compiled_loss)
        else:
            compiled_loss = compiled_metrics = None
        if jit_compile is True:
            checks.warn("jit_compile=True: kshim does not compile steps yet and runs them eagerly.")
        self._compiled = {
            "optimizer": optimizer, "loss": loss, "loss_weights": loss_weights, "metrics": metrics,
            "weighted_metrics": weighted_metrics, "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution, "jit_compile": jit_compile,
            "auto_scale_loss": auto_scale_loss,
        }  # fmt: skip
        self.optimizer, self.loss = found, loss
        self._compiled_loss, self._compiled_metrics = compiled_loss, compiled_metrics
        if compiled_loss is not None:
            closures.close(self)
        self._loss_mean = Mean("loss")
        self.train_function = self.test_function = self.predict_function = None
        self.run_eagerly, self.jit_compile, self.steps_per_execution = run_eagerly, False, steps_per_execution
        self.stop_training = False

    def get_compile_config(self):
        """The arguments of ``compile`` as JSON values; {} before, and where a torch object has no config."""
        if not self.compiled:
            return {}
        given = {name: self._compiled[name] for name in _COMPILE_CONFIG} | {"optimizer": self.optimizer}
        try:
            return serialization.serialize_keras_object(given)
        except TypeError as error:
            checks.warn(
                f"{checks.describe(self)}: what it is compiled with is left out, since it has no config. "
                f"Received: {error} Call compile() again after loading."
            )
            return {}

    def compile_from_config(self, config):
        """Compile as ``get_compile_config`` told, and give the optimizer its variables if the model is built."""
        if type(self).compile is not Trainer.compile and type(self).compile_from_config is Trainer.compile_from_config:
            checks.warn(
                "`compile()` was not called as part of model loading because the model's `compile()` method is custom. "
                "Write `get_compile_config()` and `compile_from_config()` too, or call it again."
            )
            return
        self.compile(**serialization.revive({name: value for name, value in config.items() if value is not None}))
        if self.built and isinstance(self.optimizer, optimizers.Optimizer) and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    @property
    def compiled(self):
        """Whether ``compile`` was called."""
        return self._compiled is not None

    @property
    def metrics(self):
        """The metric objects: the loss, the losses of several outputs, what was compiled, and those of layers."""
        compiled = self._compiled_objects()
        known = {id(metric) for metric in compiled}
        return compiled + [metric for metric in self._attribute_metrics() if id(metric) not in known]

    @property
    def metrics_names(self):
        """The names in the logs, loss first."""
        own = ["loss"] + [mean.name for mean in self._compiled_loss.means] if self._compiled_loss else []
        return own + ([name for _, _, name, _ in self._compiled_metrics.parts] if self._compiled_metrics else [])

    def reset_metrics(self):
        """Every metric as it began."""
        for metric in self.metrics:
            metric.reset_state() if hasattr(metric, "reset_state") else metric.reset()

    # -- the three methods ---------------------------------------------------------------------------------------

    @translated
    def fit(self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
            validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
            steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1):  # fmt: skip
        """Train on arrays, or on batches from a generator, a ``DataLoader``, a ``PyDataset`` or the like.

        Args:
            x, y: arrays, tensors, frames, or lists or dicts of them by input and output; without ``y``, what gives
                batches ``(x, y)`` or ``(x, y, sample_weight)``.
            batch_size: rows in a step, 32 unless given.
            epochs: the index of the epoch to stop before.
            verbose: 0 silent, 1 or "auto" a progress bar, 2 a line for each epoch.
            callbacks: a list of ``Callback``.
            validation_split: share of the rows, in (0, 1), taken from the end before any shuffle.
            validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or what gives batches; wins over the split.
            shuffle: True: a new order of rows in each epoch; "batch": of whole batches.
            class_weight: dict of class index to weight.
            sample_weight: weights of the rows.
            initial_epoch: index of the first epoch.
            steps_per_epoch: so many batches are an epoch, and the next one goes on where it ended; None for all.
            validation_steps, validation_batch_size: the same for validation.
            validation_freq: validate every so many epochs, or in the epochs (counted from 1) of a list.

        Returns: the ``History``.

        Raises:
            ValueError: the model is not compiled, or the data are not what it expects.
        """
        self._assert_compiled("fit")
        for name, value in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            if checks.as_int(value) is None:
                raise TypeError(f"{checks.describe(self)}: expected `{name}` to be an int. Received: {name}={value!r}.")
        if settings.max_epochs() and settings.max_epochs() < epochs:
            epochs = settings.max_epochs()
            checks.warn(f"Limiting epochs to {epochs}")
        _check_frequency(validation_freq)
        split = validation_split if validation_data is None else 0.0
        source = streams.checked_source(x, y, sample_weight, batch_size, shuffle, class_weight, split)
        if source is not None:
            data = self._stream(source, "fit", class_weight)
        else:
            x, y, sample_weight = self._adapted(x, y, sample_weight)
            self._prepare(x)
            self._assert_targets("fit", "train_step", y)
            if split:
                (x, y, sample_weight), validation_data = arrays.split((x, y, sample_weight), split)
            sample_weight = self._weighted(y, sample_weight, class_weight)
            data = self._data(x, y, sample_weight, batch_size, shuffle, steps_per_epoch)
        if validation_data is not None:
            validation_data = self._validation_data(
                validation_data, validation_batch_size or batch_size, validation_steps
            )
            validation_data = in_steps(validation_data, validation_steps, "validation_steps")
        data = in_steps(data, steps_per_epoch, "steps_per_epoch", goes_on=True)
        callbacks = _callback_list(
            callbacks, self, verbose, data, validation_data, add_history=True, epochs=epochs, steps=data.steps
        )
        run = callbacks.run = Run(callbacks, data, validation_data, initial_epoch)
        self.stop_training = False
        torch_follows_numpy()
        self._drop_gradients()
        step = self._step_function("train")
        try:
            callbacks.notify("train_begin")  # a backup that is taken up sets where `run` begins
            logs = run.logs
            for epoch in () if run.over else range(run.epoch, epochs):
                self.reset_metrics()
                callbacks.notify("epoch_begin", epoch)
                start, run.step = run.step, 0
                self.train()
                with collect_losses() as self.__dict__["_collected"]:
                    count = run_epoch(
                        data.epoch(start), step, callbacks, "train", self._logs, self.steps_per_execution, start
                    )
                self.eval()
                logs = self._numbers() if count else {}  # data that have come to their end give no numbers
                if validation_data is not None and _validates(epoch, validation_freq):
                    own = self._evaluate(validation_data, callbacks)
                    logs |= {f"val_{name}": value for name, value in own.items()}
                callbacks.notify("epoch_end", epoch, logs)
                if self.stop_training:
                    break
        finally:  # after an interrupt, too, the model is whole: its weights, no stale gradients, inference mode
            self._drop_gradients()
            self.eval()
            data.close()
        if isinstance(self.optimizer, optimizers.Optimizer) and epochs > initial_epoch:
            self.optimizer.finalize_variable_values(self.trainable_variables)
        callbacks.notify("train_end", logs)
        return self.history

    @translated
    def evaluate(self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, steps=None, callbacks=None,
                 return_dict=False):  # fmt: skip
        """Loss and metrics on data, as a float, a list of floats (loss first), or a dict.

        Args: as for ``fit``; ``steps`` is the largest number of batches.

        Raises: as ``fit``.
        """
        self._assert_compiled("evaluate")
        source = streams.checked_source(x, y, sample_weight, batch_size)
        if source is not None:
            data = self._stream(source, "evaluate")
        else:
            x, y, sample_weight = self._adapted(x, y, sample_weight)
            self._prepare(x)
            self._assert_targets("evaluate", "test_step", y)
            data = self._data(x, y, sample_weight, batch_size, False, steps)
        data = in_steps(data, steps, "steps")
        callbacks = _callback_list(callbacks, self, verbose, data, epochs=1, steps=data.steps)
        return _loss_first(self._evaluate(data, callbacks), return_dict)

    @translated
    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The outputs for all rows of ``x`` as numpy arrays.

        Args: as for ``fit``; ``steps`` is the largest number of batches.

        Raises: ValueError if the data are not what the model expects.
        """
        source = streams.checked_source(x, batch_size=batch_size)
        if source is not None:
            data = self._stream(source, "predict")
        else:
            x, _, _ = self._adapted(x, None, None)
            data = self._data(x, None, None, batch_size, False, steps)
        data = in_steps(data, steps, "steps")
        callbacks = _callback_list(callbacks, self, verbose, data, epochs=1, steps=data.steps)
        outputs: list = []
        forward = self._predict_batch()
        was_training, self.stop_predicting = self.training, False
        self.eval()
        callbacks.notify("predict_begin")
        try:
            with torch.inference_mode():
                run_epoch(
                    data.epoch(), lambda x, y, w: outputs.append(forward(x)), callbacks, "predict",
                    lambda: {"outputs": tree.map_structure(to_numpy, outputs[-1])}, self.steps_per_execution,
                )  # fmt: skip
        finally:
            data.close()
            if was_training:
                self.train()
        callbacks.notify("predict_end")
        return _joined(outputs)

    # -- one batch -----------------------------------------------------------------------------------------------

    @translated
    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One update on one batch; returns its loss and metrics as ``evaluate`` does.

        Raises: as ``fit``.
        """
        self._assert_compiled("train_on_batch")
        x, y, sample_weight = self._batch(x, y, sample_weight, "train")
        if class_weight is not None:
            sample_weight = self._weighted(y, sample_weight, class_weight)
        self.reset_metrics()
        self._drop_gradients()
        self.train()
        try:
            with collect_losses() as self.__dict__["_collected"]:
                self._step_function("train")(x, y, sample_weight)
        finally:
            self._drop_gradients()
            self.eval()
        return _loss_first(self._numbers(), return_dict)

    @translated
    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """Loss and metrics of one batch. Raises: as ``fit``."""
        self._assert_compiled("test_on_batch")
        batch = self._batch(x, y, sample_weight, "test")
        self.reset_metrics()
        self.eval()
        with torch.no_grad(), collect_losses() as self.__dict__["_collected"]:
            self._step_function("test")(*batch)
        return _loss_first(self._numbers(), return_dict)

    def predict_on_batch(self, x):
        """The outputs for one batch as numpy arrays."""
        x, _, _ = self._adapted(x, None, None)
        batch = next(iter(self._data(x, None, None, len(tree.flatten(x)[0]), False).epoch()))
        self.eval()
        with torch.inference_mode():
            return tree.map_structure(to_numpy, self._predict_batch()(batch[0]))

    def _evaluate(self, data, callbacks):
        training, collected = self.training, self.__dict__.get("_collected")
        self.stop_evaluating = False
        self.reset_metrics()
        self.eval()
        callbacks.notify("test_begin")
        step = self._step_function("test")
        try:
            with torch.no_grad(), collect_losses() as self.__dict__["_collected"]:
                run_epoch(data.epoch(), step, callbacks, "test", self._logs, self.steps_per_execution)
            logs = self._numbers()
        finally:
            data.close()
            self.train(training)
            self.__dict__["_collected"] = collected  # a callback may evaluate in the middle of an epoch
        callbacks.notify("test_end", logs)
        return logs

    # -- what comes in -------------------------------------------------------------------------------------------

    def _assert_compiled(self, method):
        if not self.compiled:
            raise ValueError(
                f"You must call `compile()` before using `{method}()`. Expected a compiled model. "
                f"Received: {checks.describe(self)}, not compiled."
            )

    def _expects_targets(self):
        return bool(self._compiled_loss is None or self._compiled_loss.parts or self._compiled_metrics.parts)

    def _assert_targets(self, method, step, y):
        """Raise ValueError where ``y`` is missing, unless the subclass has a ``step`` or loss of its own."""
        own = any(getattr(type(self), name) is not getattr(Trainer, name) for name in (step, "compute_loss"))
        if y is None and not own and self._expects_targets():
            raise ValueError(
                f"{checks.describe(self)}: expected targets for loss={self.loss!r}. Received: y=None. "
                f"Call {method}(x, y)."
            )

    def _adapted(self, x, y, sample_weight):
        """The user's data as structures of tensors; their lengths, and what a graph expects, are checked here, once."""
        if x is None:
            raise ValueError(f"{checks.describe(self)}: expected data. Received: x=None.")
        casts = self.input_casts()
        strings = self._has_string_layers() if casts is None else None in casts
        x, y = arrays.structure_of_tensors("x", x, strings), arrays.structure_of_tensors("y", y)
        sample_weight = arrays.structure_of_tensors("sample_weight", sample_weight)
        arrays.check_lengths(x=x, y=y, sample_weight=sample_weight)
        return self.arranged_inputs(x), y, sample_weight

    def _weighted(self, y, sample_weight, class_weight):
        """``sample_weight`` with the weights of the classes of ``y``; both in the outputs' order."""
        if class_weight is None:
            return sample_weight
        if self._compiled_loss is not None:
            class_weight = arrays.class_weights_by_output(class_weight, self._compiled_loss.names)
        return arrays.weighted(self._targets(y), sample_weight, class_weight)

    def _stream(self, source, method, class_weight=None):
        """The batches of a ``Source`` as this model wants them; it is built on the first one."""
        predicts = method == "predict"

        def ready(x, y, sample_weight):
            x, y, sample_weight = self._adapted(x, y, sample_weight)
            if tree.is_nested(x) and len(tree.flatten(x)) == 1 and not isinstance(x, dict):
                x = tree.flatten(x)[0]
            if predicts:
                return x, None, None
            if y is None and self._compiled_loss is not None:
                self._assert_targets(method, "train_step" if method == "fit" else "test_step", y)
            return x, self._targets(y), sample_weight

        data = streams.Stream(source, ready, self.device, self.input_casts(), predicts=predicts)
        if predicts:
            return data
        # Keras 3 looks at a batch the first time after compile(), and its hooks hear of it.
        modern = settings.holds(since="3")
        looks = modern and self.__dict__.get("_prepared_for") is not self._compiled
        self._prepare(data.first()[0] if looks or not self.built or self._compiled_loss is None else None)
        if modern:
            data.end()
        if class_weight is not None:
            data.class_weight = arrays.class_weights_by_output(class_weight, self._compiled_loss.names)
        return data

    def _has_string_layers(self):
        """Whether a layer takes strings; what a model may take before its graph tells."""
        return any(getattr(m, "takes_strings", False) for m in self.modules() if not isinstance(m, Trainer))

    def _targets(self, y):
        """Targets in the outputs' order; integer labels become floats unless the loss takes indices."""
        if y is None or self._compiled_loss is None:
            return y
        if isinstance(y, dict):
            missing = [name for name in self._compiled_loss.names if name not in y]
            if missing:
                raise ValueError(
                    f"{checks.describe(self)}: expected targets for {self._compiled_loss.names}. Received: {list(y)}."
                )
            y = [y[name] for name in self._compiled_loss.names]
        leaves = tree.flatten(y)
        if len(leaves) == 1 and len(self._compiled_loss.names) == 1:
            y = leaves[0]
        elif len(leaves) != len(self._compiled_loss.names):
            raise ValueError(
                f"{checks.describe(self)}: expected {len(self._compiled_loss.names)} arrays of targets, for "
                f"{self._compiled_loss.names}. Received: {len(leaves)}."
            )
        if tree.is_nested(y):
            return [self._target(i, leaf) for i, leaf in enumerate(tree.flatten(y))]
        return self._target(0, y)

    def _target(self, index, y):
        if y is None:
            return y
        if not (y.is_floating_point() or y.is_complex()):
            y = y.to(self._compiled_loss.dtype_of_integers(index))
        shapes = self._output_shapes()
        if shapes is not None:
            self._compiled_loss.check_labels(index, y, shapes[index])
        return y

    def _output_shapes(self):
        """The shapes of the outputs as far as they are known: a graph's, or those of the run in ``_prepare``."""
        outputs = getattr(self, "outputs", None)
        return self.__dict__.get("_shapes_seen") if outputs is None else [tensor.shape for tensor in outputs]

    def _data(self, x, y, sample_weight, batch_size, shuffle, steps=None):
        if batch_size is None:
            rows = len(tree.flatten(x)[0])
            batch_size = -(-rows // steps) if checks.as_int(steps) and steps > 0 else 32
        if checks.as_int(batch_size) is None or batch_size <= 0:
            checks.fail(self, "`batch_size` to be an int above 0", f"batch_size={batch_size!r}")
        if tree.is_nested(x) and len(tree.flatten(x)) == 1 and not isinstance(x, dict):
            x = tree.flatten(x)[0]
        return arrays.ArrayData(
            x, self._targets(y), sample_weight, int(batch_size), shuffle, self.device, self.input_casts()
        )

    def _validation_data(self, given, batch_size, steps):
        source = None if isinstance(given, (tuple, list)) else streams.checked_source(given, batch_size=batch_size)
        if source is not None:
            return self._stream(source, "evaluate")
        if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
            raise ValueError(
                "`validation_data`: expected a tuple (x, y) or (x, y, sample_weight). "
                f"Received: {type(given).__name__} of length {len(given) if hasattr(given, '__len__') else '?'}."
            )
        x, y, weight = self._adapted(*given, *(None,) * (3 - len(given)))
        self._assert_targets("fit(validation_data=...) with", "test_step", y)
        return self._data(x, y, weight, batch_size, False, steps)

    def _batch(self, x, y, sample_weight, phase):
        x, y, sample_weight = self._adapted(x, y, sample_weight)
        self._prepare(x)
        self._assert_targets(f"{phase}_on_batch", f"{phase}_step", y)
        return next(iter(self._data(x, y, sample_weight, len(tree.flatten(x)[0]), False).epoch()))

    def _prepare(self, x):
        """Build the model on one batch if it is not, name its outputs, and give its weights to the optimizer."""
        if not self.built or (self._compiled_loss is None and self.compiled):
            was_training = self.training
            self.eval()
            try:
                with torch.no_grad():
                    outputs = self(tree.map_structure(lambda t: t[:1].to(self.device), x))
                self.__dict__["_shapes_seen"] = [tuple(leaf.shape) for leaf in tree.flatten(outputs)]
            except NotImplementedError:
                if type(self).train_step is Trainer.train_step:
                    raise
                outputs = None  # a subclass may train by its own step, without a call()
            self.train(was_training)
            if self._compiled_loss is None:
                given, names = self._compiled, _output_names(outputs)
                self._compiled_loss = CompiledLoss(given["loss"], given["loss_weights"], names)
                self._compiled_metrics = CompiledMetrics(
                    given["metrics"], given["weighted_metrics"], names, self._compiled_loss
                )
        if not self.compiled:
            return
        self.__dict__["_prepared_for"] = self._compiled
        for metric in self.metrics:
            metric.to(self.device)
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            self.optimizer = self.optimizer(self.trainable_variables)
        trainable = self.trainable_variables
        if isinstance(self.optimizer, optimizers.Optimizer):
            known = self.optimizer._parameters() if self.optimizer.built else None
            if known is None or list(map(id, known)) != list(map(id, trainable)):
                self.optimizer.build(trainable)

    def _drop_gradients(self):
        for parameter in self.parameters():
            parameter.grad = None


def _makes_optimizer(value):
    """Whether ``value`` is a torch optimizer class or a factory ``parameters -> optimizer``."""
    if isinstance(value, type):
        return issubclass(value, torch.optim.Optimizer) and not issubclass(value, optimizers.Optimizer)
    return callable(value) and not isinstance(value, (str, torch.optim.Optimizer))


def _callback_list(callbacks, model, verbose, data, validation=None, add_history=False, **params):
    if isinstance(callbacks, CallbackList):
        return callbacks
    for callback in tree.flatten(callbacks):
        if callback is not None and (isinstance(callback, type) or not hasattr(callback, "set_model")):
            raise TypeError(f"`callbacks`: expected a list of Callback objects. Received: {callback!r} among them.")
    verbose = 1 if verbose == "auto" else verbose
    found = CallbackList(
        callbacks, add_history=add_history, add_progbar=verbose != 0, model=model, verbose=verbose, **params
    )
    batch_size = getattr(data, "batch_size", None)  # else epochs are counted in steps
    found.describe(
        samples=getattr(data, "samples", None) if batch_size is None else data.rows,
        batch_size=batch_size,
        batch_rows=lambda: getattr(data, "batch_rows", 1),
        metrics=model.metrics_names,
        do_validation=validation is not None,
        validation_data=validation,
    )
    return found


def _check_frequency(frequency):
    """Raise ValueError unless ``validation_freq`` is an int above 0 or a collection of epochs."""
    number = checks.as_int(frequency)
    if isinstance(frequency, str) or (number is None and not hasattr(frequency, "__contains__")) or number == 0:
        raise ValueError(
            "Expected `validation_freq` to be an int above 0, or a list of epochs counted from 1. "
            f"Received: validation_freq={frequency!r}."
        )


def _validates(epoch, frequency):
    return (epoch + 1) % frequency == 0 if checks.as_int(frequency) is not None else (epoch + 1) in frequency


def _joined(outputs):
    """The batches' outputs end to end, copied to the host once."""
    if len(outputs) == 1:
        return tree.map_structure(to_numpy, outputs[0])
    return tree.map_structure(_end_to_end, *outputs)


def _end_to_end(*parts):
    return to_numpy(torch.cat(parts)) if isinstance(parts[0], torch.Tensor) else np.concatenate(parts)  # texts


def _output_names(outputs):
    if isinstance(outputs, dict):
        return sorted(outputs)
    count = len(tree.flatten(outputs))
    return ["output"] if count == 1 else [f"output_{i + 1}" for i in range(count)]


def _loss_first(logs, return_dict):
    if return_dict:
        return dict(sorted(logs.items()))
    values = list(logs.values())
    return values[0] if len(values) == 1 else values

"""Callbacks: told the same, they decide the same as those of Keras 3."""

import csv
import pickle
import random
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kshim import callbacks
from kshim.callbacks import base


class FakeModel:
    """What callbacks ask of a model, without one; ``get_weights`` tells the epoch."""

    def __init__(self, metrics=(), rate=0.1, optimizer=None):
        self.metrics = [SimpleNamespace(name=name, _direction=direction) for name, direction in metrics]
        self.optimizer = optimizer or SimpleNamespace(learning_rate=rate, name="sgd")
        self.stop_training = False
        self.history = None
        self.epoch = 0
        self.weights_set = []
        self.saved = []

    def get_weights(self):
        return [np.full(2, self.epoch)]

    def set_weights(self, weights):
        self.weights_set.append(weights[0].tolist())

    def save_weights(self, path, overwrite=True):
        self.saved.append(("weights", path, overwrite))

    def save(self, path, overwrite=True):
        self.saved.append(("model", path, overwrite))


def drive(callback, epochs, model, capsys, batches=0):
    """Train ``model`` in pretence: ``epochs`` is a list of logs. Returns all that can be seen from outside."""
    seen = []
    callback.set_model(model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callback.on_train_begin()
        for epoch, logs in enumerate(epochs):
            model.epoch = epoch
            callback.on_epoch_begin(epoch)
            for batch in range(batches):
                callback.on_train_batch_begin(batch, logs={})
                callback.on_train_batch_end(batch, logs=dict(logs))
            logs = dict(logs)
            callback.on_epoch_end(epoch, logs)
            seen.append((logs, getattr(callback, "wait", None), getattr(callback, "best", None),
                         float(model.optimizer.learning_rate), list(model.saved)))  # fmt: skip
            if model.stop_training:
                break
        callback.on_train_end(logs)
    return {
        "epochs": seen,
        "stopped": model.stop_training,
        "stopped_epoch": getattr(callback, "stopped_epoch", None),
        "weights": model.weights_set,
        "warnings": [(w.category, str(w.message)) for w in caught],
        "text": capsys.readouterr().out,
    }


def losses(*values):
    return [{"loss": float(value)} for value in values]


def noise(count, seed, name="loss"):
    draw = random.Random(seed)
    return [{name: float(np.float32(draw.choice([1.0, 0.9, 0.9, 0.85, 0.8, draw.random(), float("nan")])))}
            for _ in range(count)]  # fmt: skip


SEQUENCES = {
    "falls, then stays": losses(3, 2, 1, 1, 1, 1, 1, 1),
    "rises": losses(1, 2, 3, 4, 5, 6),
    "within float32": [{"loss": 1.0 - i * 1e-9} for i in range(8)],
    "small steps": [{"loss": 1.0 - i * 5e-5} for i in range(10)],
    "missing": [{"accuracy": 0.1}] * 3,
    "missing at first": [{"accuracy": 0.1}, *losses(3, 2, 2, 2)],
    **{f"noise {seed}": noise(12, seed) for seed in range(8)},
}


STOPPING = [
    {},
    {"patience": 1},
    {"patience": 3, "restore_best_weights": True},
    {"patience": 2, "min_delta": 0.1},
    {"patience": 2, "min_delta": -0.1, "restore_best_weights": True},
    {"patience": 2, "min_delta": 1e-4},
    {"patience": 1, "mode": "max", "restore_best_weights": True},
    {"patience": 2, "mode": "min", "baseline": 0.9, "restore_best_weights": True},
    {"patience": 2, "mode": "max", "baseline": 0.95, "restore_best_weights": True},
    {"start_from_epoch": 3, "patience": 1, "restore_best_weights": True},
    {"start_from_epoch": 30, "restore_best_weights": True},
    {"mode": "sideways", "patience": 1},
]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("arguments", STOPPING, ids=str)
def test_early_stopping_is_keras(arguments, sequence, keras3, capsys):
    results = []
    for library in (callbacks, keras3.callbacks):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            callback = library.EarlyStopping("loss", verbose=1, **arguments)
        results.append(drive(callback, SEQUENCES[sequence], FakeModel(), capsys))
        results.append(drive(callback, SEQUENCES[sequence], FakeModel(), capsys))
    assert str(results[0]) == str(results[2])
    assert str(results[1]) == str(results[3])  # the same objects in a second run


PLATEAUS = [
    {},
    {"patience": 1},
    {"patience": 2, "factor": 0.5, "cooldown": 2},
    {"patience": 2, "min_delta": 0, "min_lr": 0.005},
    {"patience": 1, "mode": "max", "min_lr": 0.02},
    {"patience": 0},
]


@pytest.mark.parametrize("sequence", SEQUENCES)
@pytest.mark.parametrize("arguments", PLATEAUS, ids=str)
def test_reduce_on_plateau_is_keras(arguments, sequence, keras3, capsys):
    ours, theirs = (
        drive(library.ReduceLROnPlateau("loss", verbose=1, **arguments), SEQUENCES[sequence], FakeModel(), capsys)
        for library in (callbacks, keras3.callbacks)
    )
    assert str(ours) == str(theirs)


CHECKPOINTS = [
    {"filepath": "{epoch:02d}-{loss:.2f}.weights.h5", "save_weights_only": True},
    {"filepath": "a.keras"},
    {"filepath": "a.keras", "save_best_only": True},
    {"filepath": "a-{epoch}.keras", "save_best_only": True, "initial_value_threshold": 0.9},
    {"filepath": "a.h5", "save_best_only": True, "mode": "max"},
    {"filepath": "{epoch}-{batch}.keras", "save_freq": 2},
    {"filepath": "{epoch}-{batch:02d}.weights.h5", "save_freq": 5, "save_weights_only": True},
    {"filepath": "a.keras", "save_freq": 1000},
]


@pytest.mark.parametrize("sequence", ["falls, then stays", "rises", "within float32", "noise 1", "noise 2"])
@pytest.mark.parametrize("arguments", CHECKPOINTS, ids=str)
def test_checkpoint_is_keras(arguments, sequence, keras3, capsys, tmp_path):
    path = str(tmp_path / "new" / arguments["filepath"])
    arguments = arguments | {"filepath": path, "monitor": "loss", "verbose": 1}
    ours, theirs = (
        drive(library.ModelCheckpoint(**arguments), SEQUENCES[sequence], FakeModel(), capsys, 3)
        for library in (callbacks, keras3.callbacks)
    )
    assert str(ours) == str(theirs)
    saved = ours["epochs"][-1][-1]
    assert (tmp_path / "new").is_dir() == bool(saved)


def test_checkpoint_best_by_batches(tmp_path, capsys):
    # Keras fails here with a TypeError, since it looks for the direction only at the end of an epoch.
    model = FakeModel()
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "a.keras", "loss", save_best_only=True, save_freq=1)
    drive(checkpoint, losses(3, 2), model, capsys, batches=2)
    assert len(model.saved) == 2


def test_checkpoint_without_the_metric_saves_all_the_same(keras3, capsys, tmp_path):
    ours, theirs = (
        drive(
            library.ModelCheckpoint(str(tmp_path / "a.keras"), "val_loss", save_best_only=True, verbose=1),
            losses(1, 2), FakeModel(), capsys,
        )
        for library in (callbacks, keras3.callbacks)
    )  # fmt: skip
    assert ours == theirs
    assert ours["warnings"] == [(UserWarning, "Can save best model only with val_loss available.")] * 2


def compiled(library):
    model = library.Sequential([library.layers.Input((3,)), library.layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy", "mae", "auc"])
    model.evaluate(np.ones((4, 3)), np.eye(2)[[0, 1, 0, 1]], verbose=0)
    return model


MONITORS = ["loss", "val_loss", "accuracy", "val_accuracy", "val_mae", "auc", "nope", "val_acc"]


@pytest.mark.parametrize("monitor", MONITORS)
def test_automatic_direction_is_keras(monitor, keras3, monkeypatch):
    monkeypatch.setattr(base, "TWINS", {})  # legacy fills it
    model = compiled(keras3)
    fake = FakeModel([(m.name, m._direction) for m in model.metrics[1].metrics if hasattr(m, "_direction")])
    theirs, ours = keras3.callbacks.EarlyStopping(monitor), callbacks.EarlyStopping(monitor)
    theirs.set_model(model)
    ours.set_model(fake)
    try:
        theirs._set_monitor_op()
    except ValueError as error:
        with pytest.raises(ValueError) as raised:
            ours.direction()
        assert str(raised.value) == str(error)
    else:
        assert ours.direction() == {"less": "min", "greater": "max"}[theirs.monitor_op.__name__]


@pytest.mark.parametrize("name", ["EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint"])
def test_unknown_metric_is_an_error_at_the_first_epoch(name):
    callback = getattr(callbacks, name)(**{"filepath": "a.keras"} if name == "ModelCheckpoint" else {}, monitor="nope")
    callback.set_model(FakeModel())
    with pytest.raises(ValueError, match=f"{name} callback received monitor=nope, but Keras isn't able to"):
        callback.on_epoch_end(0, {"loss": 1.0})


def test_learning_rate_scheduler_is_keras(keras3, capsys):
    for schedule in (lambda epoch, rate: rate * 0.5, lambda epoch: 0.25 / (epoch + 1), lambda e, r: np.float32(0.5)):
        ours, theirs = (
            drive(library.LearningRateScheduler(schedule, verbose=1), losses(1, 2, 3), FakeModel(rate=0.25), capsys)
            for library in (callbacks, keras3.callbacks)
        )
        assert ours == theirs
    assert "learning_rate" in ours["epochs"][0][0]


def test_learning_rate_callbacks_take_several_optimizers(keras3, capsys):
    def model():
        two = [SimpleNamespace(name=name, learning_rate=rate) for name, rate in (("a", 0.5), ("b", 0.001))]
        return FakeModel(optimizer=SimpleNamespace(optimizers=two, learning_rate=1.0))

    for make in (
        lambda library: library.LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1),
        lambda library: library.ReduceLROnPlateau("loss", patience=1, verbose=1, min_lr=0.001),
    ):
        ours, theirs = (drive(make(lib), losses(1, 2, 3), model(), capsys) for lib in (callbacks, keras3.callbacks))
        assert ours == theirs


def test_schedule_errors(keras3):
    for library in (callbacks, keras3.callbacks):
        scheduler = library.LearningRateScheduler(lambda epoch: 1)
        scheduler.set_model(FakeModel())
        with pytest.raises(ValueError, match=r"The output of the `schedule` function should be a float. Got: 1"):
            scheduler.on_epoch_begin(0)
        scheduler.set_model(FakeModel(optimizer=SimpleNamespace(name="x")))
        with pytest.raises(ValueError, match=r'Optimizer must have a "learning_rate" attribute.'):
            scheduler.on_epoch_begin(0)
        with pytest.raises(ValueError, match=r"does not support a factor >= 1.0. Received:? factor=1.5"):
            library.ReduceLROnPlateau(factor=1.5)


@pytest.mark.parametrize("loss", [1.0, float("nan"), float("inf"), None])
def test_terminate_on_nan_is_keras(loss, keras3, capsys):
    results = []
    for library in (callbacks, keras3.callbacks):
        model, callback, strict = FakeModel(), library.TerminateOnNaN(), library.TerminateOnNaN(raise_error=True)
        callback.set_model(model)
        callback.on_train_batch_end(7, logs={} if loss is None else {"loss": loss})
        try:
            strict.on_train_batch_end(7, {} if loss is None else {"loss": loss})
        except RuntimeError as error:
            results.append(str(error))
        results.append((model.stop_training, capsys.readouterr().out))
    assert results[: len(results) // 2] == results[len(results) // 2 :]


@pytest.mark.parametrize("arguments", [{}, {"separator": ";"}, {"append": True}], ids=str)
def test_csv_is_keras(arguments, keras3, tmp_path):
    epochs = [
        {"loss": 0.5, "accuracy": 0.1, "v": np.array([1.5, 2.0])},
        {"loss": 0.25, "val_loss": 1.0, "v": "text"},
        {"loss": np.float32(0.125), "v": [1, "a"]},
    ]
    texts = []
    for library in (callbacks, keras3.callbacks):
        path = tmp_path / library.__name__
        logger = library.CSVLogger(path if library is callbacks else str(path), **arguments)
        for run in range(2):
            logger.on_train_begin()
            for epoch, logs in enumerate(epochs):
                logger.on_epoch_end(epoch + run, logs)
            logger.on_train_end()
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
    assert next(csv.reader(texts[0].decode().splitlines(), delimiter=arguments.get("separator", ",")))[0] == "epoch"


# -- checkpoints: errors ---------------------------------------------------------------------------------------------


def test_checkpoint_suffixes(keras3):
    for library in (callbacks, keras3.callbacks):
        with pytest.raises(ValueError, match=r"must end in `.weights.h5`.*Received: filepath=a.keras"):
            library.ModelCheckpoint("a.keras", save_weights_only=True)
        with pytest.raises(ValueError, match=r"filepath provided must end in `.keras`.*Received: filepath=a.ckpt"):
            library.ModelCheckpoint("a.ckpt")
        with pytest.raises(ValueError, match=r"Unrecognized save_freq: often. Expected .*'epoch' or integer"):
            library.ModelCheckpoint("a.keras", save_freq="often")
    for name in ("a.h5", "w.{epoch:02d}-{val_loss:.2f}.hdf5", "a.weights.h5"):
        assert callbacks.ModelCheckpoint(name, save_weights_only=True).filepath == name


def test_checkpoint_takes_any_name_in_old_dialects():
    from kshim.core import settings

    settings.set_dialect("2.3.1")
    try:
        assert callbacks.ModelCheckpoint("weights-{epoch}", save_weights_only=True).filepath == "weights-{epoch}"
    finally:
        settings.set_dialect("3")


def test_checkpoint_path_errors(keras3, tmp_path):
    (tmp_path / "folder.keras").mkdir()
    for library in (callbacks, keras3.callbacks):
        checkpoint = library.ModelCheckpoint(str(tmp_path / "{val_loss}.keras"), monitor="loss")
        checkpoint.set_model(FakeModel())
        with pytest.raises(KeyError, match=r"Failed to format this callback filepath: .*Reason: .*val_loss"):
            checkpoint.on_epoch_end(0, {"loss": 1.0})
    checkpoint = callbacks.ModelCheckpoint(str(tmp_path / "folder.keras"), monitor="loss")
    checkpoint.set_model(FakeModel())
    with pytest.raises(OSError, match=r"Please specify a non-directory filepath for ModelCheckpoint. .*folder.keras"):
        checkpoint.on_epoch_end(0, {"loss": 1.0})


def test_checkpoint_of_whole_models_that_cannot_be_saved(tmp_path):
    class NoSave(FakeModel):
        save = None

    class NotYet(FakeModel):
        def save(self, path, overwrite=True):
            raise NotImplementedError("not yet")

    message = "ModelCheckpoint cannot save this {} as a whole. Received: .*Pass save_weights_only=True"
    checkpoint = callbacks.ModelCheckpoint(tmp_path / "a.keras", "loss")
    checkpoint.set_model(NoSave())
    with pytest.raises(NotImplementedError, match=message.format("NoSave")):
        checkpoint.on_train_begin()
    checkpoint.set_model(NotYet())
    checkpoint.on_train_begin()
    with pytest.raises(NotImplementedError, match=message.format("NotYet")):
        checkpoint.on_epoch_end(0, {"loss": 1.0})


# -- history, twins --------------------------------------------------------------------------------------------------


@pytest.fixture
def twin_names(monkeypatch):
    monkeypatch.setattr(base, "TWINS", {"acc": "accuracy"})


def test_history(keras3):
    ours, theirs = callbacks.History(), keras3.callbacks.History()
    for history in (ours, theirs):
        model = FakeModel()
        history.set_model(model)
        for _ in range(2):
            history.on_train_begin()
            history.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
            history.on_epoch_end(1, {"loss": 0.5})
        assert model.history is history
    assert ours.history == theirs.history == {"loss": [1.0, 0.5, 1.0, 0.5], "val_loss": [2.0, 2.0]}
    assert ours.epoch == theirs.epoch == [0, 1]
    assert pickle.loads(pickle.dumps(ours.history)) == ours.history


def test_twin_names_find_each_other(twin_names):
    history = callbacks.History()
    history.set_model(FakeModel())
    history.on_train_begin()
    history.on_epoch_end(0, base.Logs(accuracy=0.5, val_accuracy=0.25))
    logged = history.history
    assert logged["acc"] == logged["accuracy"] == [0.5] and logged["val_acc"] == logged.get("val_acc") == [0.25]
    assert "acc" in logged and "val_acc" in logged and "val_loss" not in logged and 3 not in logged
    assert list(logged) == ["accuracy", "val_accuracy"] == list(logged.keys()) and len(logged) == 2
    assert repr(logged) == "{'accuracy': [0.5], 'val_accuracy': [0.25]}"
    assert logged.get("loss", 7) == 7
    with pytest.raises(KeyError, match=r"val_loss"):
        logged["val_loss"]
    other = base.Logs(acc=1.0)
    assert other["accuracy"] == 1.0 and "accuracy" in other and list(other) == ["acc"]


def test_without_twins_only_the_name_itself_counts(monkeypatch):
    monkeypatch.setattr(base, "TWINS", {})  # legacy fills it
    logs = base.Logs(accuracy=0.5)
    assert "acc" not in logs and logs.get("acc") is None
    with pytest.raises(KeyError, match=r"acc"):
        logs["acc"]


def test_monitors_and_paths_know_twins(twin_names, capsys, tmp_path):
    model = FakeModel([("accuracy", "up")])
    epochs = [base.Logs(val_accuracy=value) for value in (0.5, 0.75, 0.6, 0.6)]
    told = callbacks.CallbackList(
        [
            callbacks.EarlyStopping("val_acc", patience=2, restore_best_weights=True),
            callbacks.ModelCheckpoint(str(tmp_path / "{epoch}-{val_acc:.2f}.keras"), "val_acc", save_best_only=True),
        ],
        model=model,
    )
    told.notify("train_begin")
    for epoch, logs in enumerate(epochs):
        model.epoch = epoch
        told.notify("epoch_end", epoch, logs)
    told.notify("train_end")
    assert model.stop_training and model.weights_set == [[1, 1]]
    assert [path.rsplit("/")[-1] for _, path, _ in model.saved] == ["1-0.50.keras", "2-0.75.keras"]


# -- the list --------------------------------------------------------------------------------------------------------

HOOKS = sorted(base.EMPTY)


def call(target, hook, index=3, logs=None):
    arguments = (index,) if "batch" in hook or "epoch" in hook else ()
    getattr(target, hook)(*arguments, logs={"loss": 1.0} if logs is None else logs)


def recorder(library):
    calls = []

    def hear(hook):
        return lambda self, *args, **kwargs: calls.append((hook, *args, *kwargs.values()))

    return type("Recorder", (library.Callback,), {hook: hear(hook) for hook in HOOKS})(), calls


def test_hooks_are_those_of_keras(keras3):
    assert [name for name in sorted(vars(keras3.callbacks.Callback)) if name.startswith("on_")] == HOOKS
    for hook in HOOKS:
        assert getattr(callbacks.Callback(), hook)(*(0,) if "batch" in hook or "epoch" in hook else ()) is None


def test_every_hook_is_told_as_by_keras(keras3):
    (ours, our_calls), (theirs, their_calls) = recorder(callbacks), recorder(keras3.callbacks)
    our_list, their_list = callbacks.CallbackList(ours), keras3.callbacks.CallbackList([theirs])
    order = [hook for hook in HOOKS if hook.endswith("begin")] + [hook for hook in HOOKS if hook.endswith("end")]
    for hook in order:
        call(our_list, hook)
        call(their_list, hook)
    assert our_calls == their_calls and len(our_calls) == len(HOOKS)


def test_aliases_are_told_through(keras3):
    for library in (callbacks, keras3.callbacks):
        calls = []

        class Old(library.Callback):
            def __init__(self):
                pass  # as in many scripts of Keras 1 and 2

            def on_batch_end(self, batch, logs=None):
                calls.append((batch, logs, self.model is not None, self.params))  # noqa: B023

        told = library.CallbackList([Old()], model=FakeModel(), epochs=2, steps=1, verbose=0)
        call(told, "on_train_begin")
        call(told, "on_train_batch_end")
        assert calls == [(3, {"loss": 1.0}, True, {"epochs": 2, "steps": 1, "verbose": 0})]
    assert told.callbacks


def test_logs_are_plain_floats_in_order_of_name(keras3):
    logs = {"b": np.float64(0.5), "a": np.float32(0.25), "inner": {"z": 1, "y": "text"}, "c": np.arange(3)}
    seen = []
    for library in (callbacks, keras3.callbacks):
        told = library.CallbackList([library.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs))])
        told.on_epoch_end(0, logs)
    assert str(seen[0]) == str(seen[1])
    assert list(seen[0]) == ["a", "b", "c", "y", "z"] and type(seen[0]["b"]) is float
    assert base.plain_logs(lambda: {"loss": torch.tensor(0.5), "all": torch.ones(2)})["loss"] == 0.5


def test_callbacks_share_the_logs_of_an_epoch(capsys):
    model = FakeModel(rate=0.5)
    told = callbacks.CallbackList([callbacks.ReduceLROnPlateau("loss")], add_history=True, model=model)
    told.on_train_begin()
    told.on_epoch_end(0, {"loss": 1.0})
    assert model.history.history == {"loss": [1.0], "learning_rate": [0.5]}


def test_nobody_listens():
    told = callbacks.CallbackList([callbacks.EarlyStopping("loss"), callbacks.History()], model=FakeModel())
    assert not told.listens("train_batch_end") and not told.listens("test_batch_end") and told.listens("epoch_end")
    told.notify("train_batch_end", 0, lambda: pytest.fail("logs were read for nobody"))
    for callback in (callbacks.TerminateOnNaN(), callbacks.LambdaCallback(on_train_batch_end=print)):
        told = callbacks.CallbackList([callback])
        assert told.listens("train_batch_end") and told.reads_logs("train_batch_end")
        assert not told.listens("train_batch_begin")


def test_listeners_may_join_while_training_goes_on():
    heard = []

    class Late(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.on_train_batch_end = lambda batch, logs: heard.append(batch)

    told = callbacks.CallbackList([Late()])
    told.on_epoch_begin(0)
    told.on_epoch_begin(1)
    told.on_train_batch_end(5, {})
    assert heard == [5]


def test_the_bar_reads_logs_only_when_it_is_drawn(capsys, monkeypatch):
    import time

    now = [100.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    reads = []

    def logs():
        reads.append(0)
        return {"loss": 0.5}

    told = callbacks.CallbackList(add_progbar=True, model=FakeModel(), verbose=1, epochs=1, steps=100)
    told.on_train_begin()
    told.on_epoch_begin(0)
    assert told.listens("train_batch_end") and not told.reads_logs("train_batch_end")
    for batch in range(100):
        now[0] += 0.01
        told.notify("train_batch_end", batch, logs)
    told.on_epoch_end(0, {"loss": 0.25})
    text = capsys.readouterr().out
    assert len(reads) == 20 and text.count("\r") == 21 and text.endswith("- loss: 0.2500\n")


@pytest.mark.parametrize("verbose", [0, 1, 2, "auto"])
@pytest.mark.parametrize("steps", [None, 4])
def test_progress_logger_is_keras(verbose, steps, keras3, capsys, monkeypatch):
    import time

    texts = []
    for library in (callbacks, keras3.callbacks):
        now = [100.0]
        monkeypatch.setattr(time, "time", lambda now=now: now[0])
        told = library.CallbackList(add_progbar=True, model=FakeModel(), verbose=verbose, epochs=2, steps=steps)
        told._async_train = told._async_test = told._async_predict = False  # Keras' threads miss the fake clock
        told.on_train_begin()
        for epoch in range(2):
            told.on_epoch_begin(epoch)
            for batch in range(4):
                now[0] += 0.03
                told.on_train_batch_end(batch, {"loss": 1 / (batch + 1), "acc": 0.5})
            told.on_test_begin()
            told.on_test_batch_end(0, {"loss": 9.0})
            told.on_test_end({"loss": 9.0})
            told.on_epoch_end(epoch, {"loss": 0.125, "acc": 0.25, "val_loss": 9.0})
        told.on_train_end({})
        for phase in ("test", "predict"):
            told = library.CallbackList(add_progbar=True, verbose=verbose, epochs=1, steps=steps)
            told._async_train = told._async_test = told._async_predict = False
            call(told, f"on_{phase}_begin")
            for batch in range(4):
                now[0] += 0.5
                logs = {"outputs": np.ones((2, 2))} if phase == "predict" else {"m": 1}
                getattr(told, f"on_{phase}_batch_end")(batch, logs)
            getattr(told, f"on_{phase}_end")({"m": 0.5} if phase == "test" else {})
        monkeypatch.undo()
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[0] or verbose == 0


def test_history_and_bar_are_added_once():
    history, bar = callbacks.History(), callbacks.ProgbarLogger()
    model = FakeModel()
    told = callbacks.CallbackList([[history], bar], add_history=True, add_progbar=True, model=model)
    assert told.callbacks == [history, bar] and model.history is history
    told = callbacks.CallbackList(None, add_history=True, add_progbar=True)
    assert [type(callback) for callback in told.callbacks] == [callbacks.History, callbacks.ProgbarLogger]


def test_lambda_callback(keras3):
    for library in (callbacks, keras3.callbacks):
        calls = []
        callback = library.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: calls.append(("epoch", epoch)),  # noqa: B023
            on_batch_end=lambda batch, logs: calls.append(("batch", batch)),  # noqa: B023
            on_test_begin=lambda logs: calls.append("test"),  # noqa: B023
        )
        told = library.CallbackList([callback])
        call(told, "on_epoch_begin")
        call(told, "on_train_batch_end")
        call(told, "on_test_begin")
        assert calls == [("epoch", 3), ("batch", 3), "test"]
    with pytest.raises(TypeError, match=r"Received: 'on_epoch_edn'. Did you mean 'on_epoch_end'"):
        callbacks.LambdaCallback(on_epoch_edn=print)


def test_the_model_inside_a_parallel_one_is_the_callbacks_model():
    callback = callbacks.Callback()
    wrapped = torch.nn.parallel.DistributedDataParallel.__new__(torch.nn.parallel.DistributedDataParallel)
    torch.nn.Module.__init__(wrapped)
    wrapped.module = torch.nn.Linear(1, 1)
    callback.set_model(wrapped)
    assert callback.model is wrapped.module


def test_signatures_are_keras(keras3):
    import inspect

    for name in callbacks.__all__:
        ours = inspect.signature(getattr(callbacks, name).__init__).parameters
        theirs = dict(inspect.signature(getattr(keras3.callbacks, name).__init__).parameters)
        if name == "ReduceLROnPlateau":
            theirs.pop("kwargs")  # Keras ignores what it does not know; kshim raises
        assert list(ours) == list(theirs), name
        assert [p.default for p in ours.values()] == [p.default for p in theirs.values()], name

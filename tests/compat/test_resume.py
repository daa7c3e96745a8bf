"""A run that was killed and started again ends as one that was not, bit for bit; and what is refused.

The runs are in ``cases/resume.py``.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import resume
from cases.resume import X, Y

import kshim
from kshim.callbacks import backup, callback_list
from kshim.core import files

ROOT = Path(__file__).parents[2]
WHOLE = {}  # name -> what the run gives when nothing happens


def whole(name, folder):
    if name not in WHOLE:
        folder = folder / "whole"
        folder.mkdir()
        WHOLE[name] = resume.train(name, str(folder))
    return WHOLE[name]


def stop():
    raise resume.Stopped


def interrupted(name, folder, hook, count, save_freq, **options):
    with contextlib.suppress(resume.Stopped):
        resume.train(name, str(folder), [resume.Kill(hook, count, stop)], save_freq, **options)
        raise AssertionError("it was not interrupted")


def assert_same(got, expected):
    assert got[2] == expected[2]
    assert got[1] == expected[1]
    for ours, its in zip(got[0], expected[0], strict=True):
        np.testing.assert_array_equal(ours, its)


# -- it ends the same ------------------------------------------------------------------------------------------------

# (hook, at which call of it, save_freq): in the first epoch, within a later one, at an epoch's end, during validation
POINTS = [
    ("on_train_batch_end", 3, 1), ("on_train_batch_begin", 14, 2), ("on_train_batch_end", 9, "epoch"),
    ("on_epoch_end", 3, "epoch"), ("on_epoch_end", 2, 3), ("on_epoch_begin", 3, 1), ("on_train_end", 1, "epoch"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # where steps_per_epoch is no share of a pass
@pytest.mark.parametrize("name", resume.RUNS)
def test_a_run_goes_on_as_if_nothing_had_happened(name, tmp_path):
    expected = whole(name, tmp_path)
    for number, (hook, count, save_freq) in enumerate(POINTS):
        if name == "steps at once" and hook.startswith("on_train_batch"):
            count = count // 3 + 1
        if name == "steered" and hook == "on_train_end":
            save_freq = 1
        folder = tmp_path / str(number)
        folder.mkdir()
        interrupted(name, folder, hook, count, save_freq)
        got = resume.train(name, str(folder), (), save_freq)
        assert_same(got, expected)
        assert not (folder / "backup").exists()
        if name == "steered":
            assert (folder / "log.csv").read_text() == (tmp_path / "0" / "log.csv").read_text()


def test_a_run_is_interrupted_time_and_again(tmp_path):
    for name in ("arrays", "generator", "loader", "PyDataset", "a user's callback"):
        folder = tmp_path / name.replace("'", "")
        folder.mkdir()
        for _ in range(5):
            with contextlib.suppress(resume.Stopped):
                resume.train(name, str(folder), [resume.Kill("on_train_batch_end", 4, stop)], 1)
        assert_same(resume.train(name, str(folder), (), 1), whole(name, folder))


@pytest.mark.parametrize("name", resume.SLOW)
def test_workers_draw_the_same_again(name, tmp_path):
    expected = whole(name, tmp_path)
    interrupted(name, tmp_path, "on_train_batch_end", 10, 1)
    assert_same(resume.train(name, str(tmp_path), (), 1), expected)


# -- SIGKILL ---------------------------------------------------------------------------------------------------------


def started(name, folder, at, save_freq):
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(Path(resume.__file__)), name, str(folder), at, str(save_freq)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("name", "at", "save_freq"),
    [
        ("arrays", "first epoch", 1), ("loader", "later epoch", 2), ("steered", "epoch border", "epoch"),
        ("generator", "validation", 1), ("arrays", "writing", 2),
    ],
)  # fmt: skip
def test_a_process_is_killed(name, at, save_freq, tmp_path):
    expected = whole(name, tmp_path)[0]
    killed = started(name, tmp_path, at, save_freq)
    assert killed.wait(60) == -9, killed.stderr.read()
    assert (tmp_path / "backup" / backup.NAME).exists()
    assert len(list((tmp_path / "backup").iterdir())) == (2 if at == "writing" else 1)
    again = started(name, tmp_path, "-", save_freq)
    assert again.wait(60) == 0, again.stderr.read()
    with np.load(tmp_path / "weights.npz") as found:
        for ours, its in zip(found.values(), expected, strict=True):
            np.testing.assert_array_equal(ours, its)
    assert not (tmp_path / "backup").exists()
    killed.stderr.close()
    again.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="a file that is open cannot be replaced there")
def test_another_process_always_reads_a_whole_backup(tmp_path):
    writer = started("arrays", tmp_path, "slow", 1)
    path, seen = tmp_path / "backup" / backup.NAME, set()
    while writer.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            state = backup._read(str(path))
            seen.add((state["epoch"], state["step"]))
    assert writer.wait() == 0, writer.stderr.read()
    writer.stderr.close()
    assert len(seen) > 5


# -- the arguments ---------------------------------------------------------------------------------------------------


def test_arguments_are_checked_as_keras_does():
    with pytest.raises(ValueError, match="Empty `backup_dir` argument passed"):
        kshim.callbacks.BackupAndRestore("")
    for wrong in ("batch", 0.15, None, 0, -2):
        with pytest.raises(ValueError, match="Invalid value for argument `save_freq`"):
            kshim.callbacks.BackupAndRestore("there", wrong)


def test_the_errors_are_those_of_keras(keras3):
    for arguments in ({"backup_dir": ""}, {"backup_dir": "a", "save_freq": "batch"}):
        messages = []
        for library in (keras3, kshim):
            with pytest.raises(ValueError) as caught:
                library.callbacks.BackupAndRestore(**arguments)
            messages.append(str(caught.value).partition("Received")[0].partition(".")[0])
        assert messages[0].strip() == messages[1].strip()


def fitted(folder, *, made=None, extra=(), epochs=2, **options):
    made = made or resume.model("sgd")
    kept = kshim.callbacks.BackupAndRestore(str(folder), **options)
    made.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=[kept, *extra])
    return made


def test_how_often_it_saves_is_keras_own(tmp_path, keras3, monkeypatch):
    def kept_by(library, save_freq):
        saved, epochs = [], []

        class Counting(library.callbacks.BackupAndRestore):
            def on_epoch_begin(self, epoch, logs=None):
                super().on_epoch_begin(epoch, logs)
                epochs.append(epoch)

            def _save_model(self):  # Keras'
                saved.append((epochs[-1], self._last_batch_seen))

            def _save(self, run):  # ours
                saved.append((epochs[-1], max(self._last_batch_seen, 0)))

        made = library.Sequential([library.Input((4,)), library.layers.Dense(1)])
        made.compile("sgd", "mse")
        listener = Counting(str(tmp_path / library.__name__), save_freq=save_freq)
        made.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=[listener])
        return saved

    for save_freq in ("epoch", 1, 3, 4, 5, 9):
        assert kept_by(kshim, save_freq) == kept_by(keras3, save_freq), save_freq


def test_false_only_restores(tmp_path):
    fitted(tmp_path / "none", save_freq=False)
    assert not (tmp_path / "none").exists()


def test_the_backup_is_deleted_or_stays(tmp_path):
    folder = tmp_path / "made" / "here"
    fitted(folder, delete_checkpoint=False)
    assert os.listdir(folder) == [backup.NAME]
    seen = []
    epochs = kshim.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    fitted(folder, extra=[epochs], epochs=3)
    assert seen == [2] and not folder.exists()


def test_a_folder_with_other_files_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    fitted(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_an_interrupt_by_a_later_callback_comes_after_the_save(tmp_path):
    # As in Keras' own tests: the one that raises stands behind, at the end of an epoch.
    kept = kshim.callbacks.BackupAndRestore(str(tmp_path / "b"))
    made = resume.model("sgd")
    with pytest.raises(resume.Stopped):
        made.fit(X, Y, verbose=0, epochs=5, callbacks=[kept, resume.Kill("on_epoch_end", 2, stop)])
    assert kept._current_epoch == 2
    history = made.fit(X, Y, verbose=0, epochs=5, callbacks=[kept])
    assert kept._current_epoch == 5
    assert history.epoch[-1] == 4


def test_the_backup_stays_where_the_end_fails(tmp_path):
    kept = kshim.callbacks.BackupAndRestore(str(tmp_path / "b"))
    made, seen = resume.model("sgd"), []
    with pytest.raises(resume.Stopped):
        made.fit(X, Y, verbose=0, epochs=2, callbacks=[kept, resume.Kill("on_train_end", 1, stop)])
    last = kshim.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"), on_epoch_begin=seen.append, on_train_end=seen.append
    )
    made.fit(X, Y, verbose=0, epochs=2, callbacks=[kept, last])
    assert seen[0] == "begin" and len(seen) == 2 and seen[1]["loss"] > 0
    assert not (tmp_path / "b").exists()


def test_a_loop_of_ones_own_can_be_taken_up(tmp_path):
    made, other = resume.model("adam"), resume.model("adam")
    for each, first in ((made, 0), (other, 2)):
        each.optimizer.build(each.trainable_variables)
        told = callback_list.CallbackList([kshim.callbacks.BackupAndRestore(str(tmp_path))], model=each, epochs=3)
        told.on_train_begin()
        assert told.run.epoch == first
        for epoch in range(told.run.epoch, 2):
            told.on_epoch_begin(epoch)
            each.train_on_batch(X, Y)
            told.on_epoch_end(epoch)
    for ours, its in zip(other.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, its)


def test_it_must_be_told_through_a_list(tmp_path):
    kept = kshim.callbacks.BackupAndRestore(str(tmp_path))
    kept.set_model(resume.model())
    kept.on_train_begin()
    with pytest.raises(RuntimeError, match="told through their list"):
        kept.on_epoch_begin(0)


def test_an_unbuilt_model_is_refused(tmp_path):
    kept = kshim.callbacks.BackupAndRestore(str(tmp_path))
    kept.set_model(kshim.Sequential([kshim.layers.Dense(1)]))
    with pytest.raises(ValueError, match="must be built before you call `fit\\(\\)`"):
        kept.on_train_begin()


def test_it_does_not_make_the_loop_read_metrics(tmp_path):
    reads = []
    kept = kshim.callbacks.BackupAndRestore(str(tmp_path), save_freq=2)
    told = callback_list.CallbackList([kept], model=resume.model())
    assert told.listens("train_batch_end") and not told.reads_logs("train_batch_end")
    told.notify("train_batch_end", 0, lambda: reads.append(1))
    assert not reads


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path):
    """The folder of a run that was interrupted."""
    with pytest.raises(resume.Stopped):
        killer = resume.Kill("on_train_batch_end", 6, stop)
        fitted(tmp_path / "kept", extra=[killer], save_freq=1, double_checkpoint=True)
    return tmp_path / "kept"


def snapshot(made):
    return [value.copy() for value in made.get_weights()], np.random.get_state()[1].tolist(), torch.get_rng_state()


def wider():
    made = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(2), kshim.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


@pytest.mark.parametrize(
    ("make", "rows", "message"),
    [
        (wider, 26, "another architecture"),
        (lambda: resume.model("adam"), 26, "Expected the optimizer to be \\['Adam'\\]. Received: \\['SGD'\\]"),
        (lambda: resume.model(kshim.optimizers.SGD(momentum=0.9)), 26, "made with the same arguments"),
        (lambda: resume.model("sgd"), 25, "'rows': 25"),
        (lambda: resume.model("sgd").to(torch.float64), 26, "of torch.float64. Received: torch.float32"),
    ],
    ids=["weights", "optimizer", "slots", "rows", "dtype"],
)
def test_a_backup_of_something_else_is_refused(make, rows, message, kept):
    made = make()
    made.optimizer.build(made.trainable_variables)
    before = snapshot(made)
    callback = kshim.callbacks.BackupAndRestore(str(kept))
    with pytest.raises(ValueError, match=message), warnings.catch_warnings():
        made.fit(X[:rows], Y[:rows], batch_size=8, epochs=2, verbose=0, shuffle=False, callbacks=[callback])
    after = snapshot(made)
    assert all((a == b).all() for a, b in zip(before[0], after[0], strict=True))
    assert before[1] == after[1]
    assert (kept / backup.NAME).exists()


def test_another_batch_size_is_refused_within_an_epoch_only(kept, tmp_path):
    callback = kshim.callbacks.BackupAndRestore(str(kept))
    with pytest.raises(ValueError, match="'batch_size': 5"):
        resume.model("sgd").fit(X, Y, batch_size=5, epochs=2, verbose=0, callbacks=[callback])
    fitted(tmp_path / "whole", delete_checkpoint=False)
    callback = kshim.callbacks.BackupAndRestore(str(tmp_path / "whole"))
    history = resume.model("sgd").fit(X, Y, batch_size=5, epochs=3, verbose=0, callbacks=[callback])
    assert history.epoch == [0, 1, 2]


def damaged(path, how):
    content = path.read_bytes()
    if how == "truncated":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = b""
    elif how == "flipped":
        with zipfile.ZipFile(path) as archive:
            largest = max(archive.infolist(), key=lambda entry: entry.file_size)
            at = content.index(archive.read(largest)) + largest.file_size // 2
        content = content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]
    elif how == "text":
        content = b"no backup at all"
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["truncated", "empty", "flipped", "text"])
def test_a_damaged_backup_is_refused_or_the_one_before_is_taken(how, kept):
    damaged(kept / backup.NAME, how)
    with pytest.warns(UserWarning, match="cannot be read: expected a whole file.*Going on from the backup before it"):
        fitted(kept, delete_checkpoint=False)
    assert backup._read(str(kept / backup.NAME))["epoch"] == 2
    for name in os.listdir(kept):
        damaged(kept / name, how)
    made = resume.model("sgd")
    before = made.get_weights()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with pytest.raises(OSError, match="cannot be read: expected a whole file by BackupAndRestore"):
            fitted(kept, made=made)
    for ours, its in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, its)


def test_the_backup_before_is_taken_where_the_last_is_missing(kept):
    os.remove(kept / backup.NAME)
    seen = []
    fitted(kept, extra=[kshim.callbacks.LambdaCallback(on_train_batch_begin=lambda b, logs: seen.append(b))])
    assert seen == [1, 2, 3]


class Trap:
    """What no backup may run."""

    def __reduce__(self):
        return os.system, ("echo trapped",)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (Trap(), OSError), ([1], OSError), ({"format": "another"}, ValueError), ({}, ValueError),
        ({"format": "kshim backup 1"}, ValueError), ({"format": "kshim backup 1", "model": 3}, ValueError),
    ],
)  # fmt: skip
def test_no_file_makes_anything_run(content, error, tmp_path):
    torch.save(content, tmp_path / backup.NAME)
    made = resume.model("sgd")
    before = made.get_weights()
    with pytest.raises(error, match=r"cannot be (read|taken up)"):
        fitted(tmp_path, made=made)
    for ours, its in zip(made.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, its)


def test_a_file_puts_nothing_in_the_place_of_a_method_or_setting(kept, tmp_path):
    state = backup._read(str(kept / backup.NAME))
    evil = {"filepath": "/evil", "on_epoch_end": 3, "set_model": 4, "model": 5, "_model": 6, "params": 7, "fine": 8}
    state["callbacks"] = [["ModelCheckpoint", evil]]
    backup._write(state, kept / backup.NAME)
    saver = kshim.callbacks.ModelCheckpoint(str(tmp_path / "w.weights.h5"), save_weights_only=True)
    fitted(kept, extra=[saver])
    assert saver.fine == 8 and saver.filepath == str(tmp_path / "w.weights.h5")
    assert vars(saver).keys().isdisjoint(["on_epoch_end", "set_model", "model"])


def test_a_backup_by_keras_is_named(tmp_path):
    (tmp_path / "latest.weights.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"Received: 'latest.weights.h5', one by Keras"):
        fitted(tmp_path)


def test_data_that_end_before_the_position_are_refused(tmp_path):
    def run(batches, at=None):
        extra = [resume.Kill("on_train_batch_end", at, stop)] if at else []
        listed = [kshim.callbacks.BackupAndRestore(str(tmp_path), save_freq=1), *extra]
        given = iter([(X[:4], Y[:4])] * batches)
        resume.model("sgd").fit(given, steps_per_epoch=6, epochs=2, verbose=0, shuffle=False, callbacks=listed)

    with pytest.raises(resume.Stopped):
        run(20, 9)
    with pytest.raises(ValueError, match=r"The generator gave 4 batches. Expected at least 9"):
        run(4)


def test_a_generator_that_was_used_cannot_go_back(tmp_path):
    def run(given, extra=()):
        listed = [kshim.callbacks.BackupAndRestore(str(tmp_path)), *extra]
        return resume.model("sgd").fit(given, steps_per_epoch=6, epochs=2, verbose=0, shuffle=False, callbacks=listed)

    batches = resume.endless()
    with pytest.raises(resume.Stopped):
        run(batches, [resume.Kill("on_train_batch_end", 9, stop)])
    with pytest.warns(UserWarning, match=r"Received: the same object, which cannot go back"):
        assert run(batches).epoch == [0, 1]


def test_tensorboard_counts_on(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def run(extra=()):
        drawn = kshim.callbacks.TensorBoard(str(tmp_path / "logs"), update_freq=1, write_graph=False)
        kept = kshim.callbacks.BackupAndRestore(str(tmp_path / "kept"), save_freq=2)
        resume.model("sgd").fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=[kept, drawn, *extra])

    with pytest.raises(resume.Stopped):
        run([resume.Kill("on_train_batch_end", 6, stop)])
    run()
    events = EventAccumulator(str(tmp_path / "logs" / "train"), size_guidance={"tensors": 0})
    events.Reload()
    assert sorted(event.step for event in events.Tensors("batch_loss")) == list(range(1, 13))


# -- files and loops -------------------------------------------------------------------------------------------------


def test_replacing_waits_for_the_disk_before_the_name(tmp_path, monkeypatch):
    order = []
    flush, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("flush"), flush(descriptor)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("rename"), replace(a, b)))
    with files.replacing(tmp_path / "file") as temporary:
        Path(temporary).write_text("new")
    assert order == (["flush", "rename"] if os.name == "nt" else ["flush", "rename", "flush"])
    assert (tmp_path / "file").read_text() == "new"


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    for name in ("file", ".file.0123456789ab.tmp", ".other.0123456789ab.tmp", "file.tmp"):
        (tmp_path / name).write_text("")
    files.remove_leftovers(tmp_path / "file")
    assert sorted(os.listdir(tmp_path)) == [".other.0123456789ab.tmp", "file", "file.tmp"]


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_step_that_raises_ends_the_workers(method):
    made = resume.model()

    def broken(*args):
        raise resume.Stopped

    made.predict_step = made.compute_loss = broken
    data = resume.Batches(workers=3)
    named = {"fit": "steps_per_epoch"}.get(method, "steps")
    made._replaces = lambda *names: not names[0].startswith("make_")
    with pytest.raises(resume.Stopped) as caught:
        getattr(made, method)(data, verbose=0, **{named: 5})
    assert caught  # its traceback holds the frames, which must not hold the workers
    deadline = time.monotonic() + 5
    while any(t.name.startswith("PyDataset") for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [t for t in threading.enumerate() if t.name.startswith("PyDataset")]


def test_weights_and_initial_epoch_go_on_by_hand(tmp_path):
    # What always worked: an optimizer without slots, rows in their order, no drops.
    def plain():
        made = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(3), kshim.layers.Dense(1)])
        made.compile("sgd", "mse")
        return made

    made = plain()
    first = made.get_weights()
    saver = kshim.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True)
    made.fit(X, Y, epochs=4, verbose=0, shuffle=False, callbacks=[saver])
    again = plain()
    again.set_weights(first)
    again.load_weights(tmp_path / "2.weights.h5")
    history = again.fit(X, Y, epochs=4, initial_epoch=2, verbose=0, shuffle=False)
    assert history.epoch == [2, 3]
    for ours, its in zip(again.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, its)

"""Callbacks within ``fit``, ``evaluate`` and ``predict``: told as by the real Keras 3; what they write can be read."""

import copy
import http.server
import json
import pickle
import sys
import threading
import urllib.parse

import numpy as np
import pytest
import torch

import kshim
from kshim import callbacks

X = np.linspace(-1, 1, 20).reshape(10, 2).astype("float32")
Y = (X[:, :1] * X[:, 1:]).astype("float32")


def model_of(library, optimizer=None):
    model = library.Sequential([library.layers.Input((2,)), library.layers.Dense(3, "tanh"), library.layers.Dense(1)])
    weights = np.random.RandomState(0)
    model.set_weights([weights.uniform(-1, 1, w.shape).astype("float32") for w in model.get_weights()])
    model.compile(optimizer or library.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


# -- order and logs --------------------------------------------------------------------------------------------------

HOOKS = [name for name in dir(callbacks.Callback) if name.startswith("on_")]


def recorder(library, told, at=None, action=None):
    """Notes each hook; at the hook ``at`` it does ``action(self)``."""

    def hear(hook):
        def heard(self, *args, **kwargs):
            *index, logs = [*args, *kwargs.values()]
            values = {k: np.round(np.asarray(v, "float64"), 5).tolist() for k, v in (logs or {}).items()}
            told.append((hook, *index, values, dict(self.params)))
            if hook == at:
                action(self)

        return heard

    return type("Recorder", (library.callbacks.Callback,), {hook: hear(hook) for hook in HOOKS})()


RUNS = {
    "fit": lambda m, c: m.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0, callbacks=c),
    "fit with validation": lambda m, c: m.fit(
        X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=c, validation_data=(X[:5], Y[:5]),
        validation_freq=2, initial_epoch=1,
    ),
    "fit with a split": lambda m, c: m.fit(
        X, Y, batch_size=3, epochs=2, shuffle=False, verbose=0, callbacks=c, validation_split=0.3,
    ),
    "fit in steps": lambda m, c: m.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0, callbacks=c,
                                       steps_per_epoch=2),
    "evaluate": lambda m, c: m.evaluate(X, Y, batch_size=4, verbose=0, callbacks=c),
    "predict": lambda m, c: m.predict(X, batch_size=4, verbose=0, callbacks=c),
}  # fmt: skip


@pytest.mark.parametrize("run", RUNS)
def test_order_and_logs_are_keras(run, keras3):
    both = []
    for library in (kshim, keras3):
        told = []
        RUNS[run](model_of(library), [recorder(library, told)])
        both.append(told)
    assert [row[:-2] for row in both[0]] == [row[:-2] for row in both[1]]
    for ours, theirs in zip(*both, strict=True):
        assert ours[-1] == theirs[-1]
        assert list(ours[-2]) == list(theirs[-2])
        for name, value in theirs[-2].items():
            np.testing.assert_allclose(ours[-2][name], value, atol=2e-5)


def stop(callback):
    callback.model.stop_training = True


def fail(callback):
    raise OSError("from a callback")


@pytest.mark.parametrize(
    "hook", [h for h in HOOKS if "predict" not in h and h not in ("on_batch_begin", "on_batch_end")]
)
@pytest.mark.parametrize("action", [stop, fail])
def test_stops_and_errors_in_each_hook_are_keras(hook, action, keras3):
    both = []
    for library in (kshim, keras3):
        told = []
        model = model_of(library)
        try:
            RUNS["fit with validation"](model, [recorder(library, told, hook, action)])
        except OSError as error:
            told.append(str(error))
        both.append([row[:2] for row in told])
    assert both[0] == both[1]


@pytest.mark.parametrize("given", [None, [], (), "tuple", "one"])
def test_callbacks_in_any_form(given, keras3):
    counts = []
    for library in (kshim, keras3):
        told = []
        one = recorder(library, told)
        forms = {"tuple": (one,), "one": one}
        model_of(library).fit(X, Y, verbose=0, callbacks=forms[given] if isinstance(given, str) else given)
        counts.append(len(told))
    assert counts[0] == counts[1]


def test_nested_lists_of_callbacks():  # Keras looks for hooks on the inner list
    told = []
    model_of(kshim).fit(X, Y, verbose=0, callbacks=[[recorder(kshim, told)], []])
    assert told


def test_a_callback_without_logs_costs_no_read(monkeypatch):
    reads = []
    monkeypatch.setattr(torch.Tensor, "__float__", lambda self: reads.append(0) or 0.0)
    monkeypatch.setattr(torch.Tensor, "item", lambda self: reads.append(0) or 0.0)

    class Stops(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            pass

    counts = []
    for given in ([], [Stops()], [callbacks.TerminateOnNaN()]):
        reads.clear()
        model_of(kshim).fit(X, Y, batch_size=1, verbose=0, callbacks=given)
        counts.append(len(reads))
    assert counts[0] == counts[1] < counts[2]  # the last one reads the loss of each batch


# -- averages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_swapped_averages_are_keras(swap_on_epoch, keras3):
    results = []
    for library in (kshim, keras3):
        seen = []
        model = model_of(library, library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
        note = library.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append([w.copy() for w in model.get_weights()])  # noqa: B023
        )
        swap = library.callbacks.SwapEMAWeights(swap_on_epoch=swap_on_epoch)
        history = model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0, validation_data=(X, Y),
                            callbacks=[swap, note]).history  # fmt: skip
        results.append((history["val_loss"], seen, model.get_weights()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4)
    for ours, theirs in zip([*results[0][1], results[0][2]], [*results[1][1], results[1][2]], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_averages_stay_where_training_stops_early_and_go_after_predict():
    model = model_of(kshim, kshim.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5))
    seen = []
    stopper = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: (
        seen.append(model.get_weights()), setattr(model, "stop_training", True)))  # fmt: skip
    swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
    model.fit(X, Y, batch_size=4, epochs=5, verbose=0, callbacks=[swap, stopper])
    for a, b in zip(seen[0], model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(X, Y, batch_size=4, verbose=0)
    before = model.get_weights()
    model.train_on_batch(X, Y)
    trained = model.get_weights()
    model.predict(X, verbose=0, callbacks=[swap])
    for a, b in zip(trained, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(before, trained, strict=True))


def test_averages_need_an_optimizer_that_keeps_them(keras3):
    for library in (kshim, keras3):
        with pytest.raises(
            ValueError, match=r"SwapEMAWeights must be used when `use_ema=True` is set on the optimizer"
        ):
            model_of(library).evaluate(X, Y, verbose=0, callbacks=[library.callbacks.SwapEMAWeights()])


# -- other programs --------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    posted = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            posted.append((self.path, self.headers["Content-Type"], self.headers["X-Key"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    found = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}", posted
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.mark.parametrize("send_as_json", [False, True])
def test_remote_monitor_is_keras(send_as_json, keras3, server, monkeypatch):
    pytest.importorskip("requests")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    root, posted = server
    for library in (callbacks, keras3.callbacks):
        monitor = library.RemoteMonitor(root, headers={"X-Key": "7"}, send_as_json=send_as_json)
        monitor.on_epoch_end(3, {"loss": np.float32(0.5), "v": np.array(2.0), "n": 1})
    assert posted[0] == posted[1]
    body = posted[0][3] if send_as_json else urllib.parse.parse_qs(posted[0][3])["data"][0]
    assert json.loads(body) == {"epoch": 3, "loss": 0.5, "v": 2.0, "n": 1}


def test_remote_monitor_without_a_server_or_the_package(monkeypatch):
    pytest.importorskip("requests")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.warns(UserWarning, match=r"Could not reach RemoteMonitor root server at http://127.0.0.1:9"):
        callbacks.RemoteMonitor("http://127.0.0.1:9").on_epoch_end(0, {})
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(ImportError, match=r"RemoteMonitor requires the `requests` library. Install it"):
        callbacks.RemoteMonitor().on_epoch_end(0, {})


def test_orbax_is_refused():
    with pytest.raises(
        NotImplementedError, match=r"no OrbaxCheckpoint.*Received: directory='a'. Write ModelCheckpoint"
    ):
        callbacks.OrbaxCheckpoint("a")


# -- TensorBoard -----------------------------------------------------------------------------------------------------


def read(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = accumulator.EventAccumulator(str(folder), {"histograms": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def values(found, tag):
    return [(e.step, float(torch.tensor(list(e.tensor_proto.float_val))[0])) for e in found.Tensors(tag)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard")
    layers = kshim.layers
    model = kshim.Sequential(
        [layers.Input((3,)), layers.Embedding(5, 4, name="table"), layers.Flatten(), layers.Dense(2, name="last")]
    )
    model.compile("sgd", "mse", metrics=["mae"])
    x, y = np.arange(36).reshape(12, 3) % 5, np.ones((12, 2))
    board = callbacks.TensorBoard(tmp_path, histogram_freq=1, write_images=True, write_steps_per_second=True,
                                  update_freq=2, embeddings_freq=1, embeddings_metadata="names.tsv",
                                  profile_batch=(1, 2))  # fmt: skip
    history = model.fit(x, y, batch_size=3, epochs=2, validation_data=(x, y), callbacks=[board], verbose=0).history
    evaluated = model.evaluate(x, y, callbacks=[board], verbose=0, return_dict=True)
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    for name in ("loss", "mae"):
        for found, expected in ((train, history[name]), (validation, history[f"val_{name}"])):
            assert values(found, f"epoch_{name}") == [(i, pytest.approx(v)) for i, v in enumerate(expected)]
        assert [step for step, _ in values(train, f"batch_{name}")] == [2, 4, 6, 8]
        series = values(validation, f"evaluation_{name}_vs_iterations")
        assert [step for step, _ in series] == [4, 8, 8] and series[-1][1] == pytest.approx(evaluated[name])
    assert {"epoch_learning_rate", "epoch_steps_per_second", "batch_steps_per_second"} <= set(train.Tags()["tensors"])
    assert len(train.Histograms("last/kernel/histogram")) == 2 and len(train.Images("last/bias/image")) == 2
    assert list(tmp_path.glob("train/*.pt.trace.json"))
    table = np.loadtxt(tmp_path / "train" / "table-1.tsv")
    np.testing.assert_allclose(table, model.layers[0].get_weights()[0], rtol=1e-6)
    assert 'metadata_path: "names.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    keras_util = pytest.importorskip("tensorboard.plugins.graph.keras_util")
    graph = json.loads(train.Tensors("keras/graph_keras_model")[0].tensor_proto.string_val[0])
    assert len(keras_util.keras_model_to_graph_def(graph).node) == 4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_by_epochs_reads_no_batch(tmp_path):
    pytest.importorskip("tensorboard")
    board = callbacks.TensorBoard(tmp_path, write_graph=False)
    told = callbacks.CallbackList([board], model=model_of(kshim))
    told.on_train_begin()
    told.on_epoch_begin(0)
    told.notify("train_batch_begin", 0)
    told.notify("train_batch_end", 0, lambda: pytest.fail("logs were read"))
    assert not list(tmp_path.iterdir())
    copy.deepcopy(board)
    pickle.loads(pickle.dumps(callbacks.TensorBoard("a")))


def test_tensorboard_errors(keras3, tmp_path, monkeypatch):
    for library in (callbacks, keras3.callbacks):
        with pytest.raises(ValueError, match=r"[Pp]rofil"):
            library.TensorBoard(str(tmp_path), profile_batch=(3, 2))
    for wrong in (-1, "a", (1, 2, 3), 1.5):
        with pytest.raises(ValueError, match=r"profile_batch must be a non-negative integer or 2-tuple"):
            callbacks.TensorBoard(profile_batch=wrong)
    with pytest.raises(ValueError, match=r"expected `update_freq` to be an int above 0. Received: update_freq='often'"):
        callbacks.TensorBoard(update_freq="often")
    board = callbacks.TensorBoard(tmp_path, write_graph=False, embeddings_freq=1, embeddings_metadata={"no": "a"})
    with pytest.raises(ValueError, match=r"Unrecognized `Embedding` layer names passed to .*\['no'\]"):
        board.set_model(model_of(kshim))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    board = callbacks.TensorBoard(tmp_path, write_graph=False)
    board.set_model(model_of(kshim))
    with pytest.raises(ImportError, match=r"requires the `tensorboard` package. Install it with: pip install 'kshim"):
        board.on_epoch_end(0, {"loss": 1.0})


# -- files -----------------------------------------------------------------------------------------------------------


def test_csv_logger_leaves_no_open_file_after_an_error(tmp_path):
    path = tmp_path / "log.csv"
    told = []
    logger = callbacks.CSVLogger(path)
    with pytest.raises(OSError, match="from a callback"):
        model_of(kshim).fit(X, Y, epochs=3, verbose=0, callbacks=[
            logger, recorder(kshim, told, "on_epoch_end", fail)])  # fmt: skip
    assert not [name for name, value in vars(logger).items() if hasattr(value, "close")]
    assert len(path.read_text().splitlines()) == 2
    copy.deepcopy(logger)


@pytest.mark.parametrize("period", [2, 3])
def test_checkpoints_by_period(period, tmp_path):
    pytest.importorskip("h5py")
    path = tmp_path / "{epoch}.weights.h5"
    keeper = callbacks.ModelCheckpoint(path, save_weights_only=True, period=period)
    for _ in range(2):  # it goes on counting
        model_of(kshim).fit(X, Y, epochs=4, verbose=0, callbacks=[keeper])
    expected = {2: {2, 4}, 3: {3, 2}}[period]
    assert {int(p.name.split(".")[0]) for p in tmp_path.iterdir()} == expected

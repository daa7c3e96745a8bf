"""``fit_generator`` and its kin beside stored results of 1.2.2 and 2.3.1; workers, queues and what is refused."""

import json
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import kshim
from kshim import layers
from kshim.utils import GeneratorEnqueuer, OrderedEnqueuer, Sequence, SequenceEnqueuer

ORACLE = Path(__file__).parent / "oracle"
sys.path.insert(0, str(ORACLE))
import generator_rows as rows  # noqa: E402  (found beside the goldens, whose environments have no kshim)

GOLDENS = {version: json.loads((ORACLE / f"generators-{version}.json").read_text()) for version in rows.FORMS}
OVER = "ignore:Epoch comprised more than:UserWarning"


@pytest.fixture
def in_dialect():
    yield kshim.set_dialect
    kshim.set_dialect("3")


# 1.2.2 updates some weights while gradients of others are computed: two runs of it differ in the fourth digit.
LIMITS = {"2.3.1": {"rtol": 1e-5, "atol": 1e-6}, "1.2.2": {"rtol": 3e-4, "atol": 5e-4}}


def close(ours, theirs, where, version):
    """Equal to the version's limit; says where it is not."""
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs) or sorted(ours) == sorted(theirs), where
        for key, value in theirs.items():
            close(ours[key], value, f"{where}.{key}", version)
    elif where.endswith("predict"):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, **LIMITS[version], err_msg=where)
    elif theirs and isinstance(theirs, list) and isinstance(theirs[0], str):
        assert list(ours) == theirs, where
    else:
        np.testing.assert_allclose(np.asarray(ours, "float64"), theirs, **LIMITS[version], err_msg=where)


@pytest.mark.filterwarnings(OVER)
@pytest.mark.parametrize("name", rows.DATA)
@pytest.mark.parametrize("version", rows.FORMS)
def test_training_is_keras(in_dialect, version, name):
    in_dialect(version)
    close(rows.trained(kshim, name, *rows.FORMS[version]), GOLDENS[version][name], name, version)


def test_a_validation_generator_goes_on(in_dialect):
    """In 1.2.2, too, but there each evaluation drew some ten batches ahead, and how many depended on the moment."""
    in_dialect("2.3.1")
    found = rows.validated(kshim, rows.FORMS["2.3.1"][0], "generator")
    close(found, GOLDENS["2.3.1"]["validation_generator"], "validation", "2.3.1")


class Parts(Sequence):
    """Four batches; remembers who read them, and its epochs."""

    def __init__(self, fails=None):
        self.readers, self.epochs, self.fails = set(), 0, fails

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if index == self.fails:
            raise KeyError("the row is lost")
        self.readers.add(threading.current_thread().name)
        return rows.X[index * 6 : index * 6 + 6], rows.Y[index * 6 : index * 6 + 6]

    def on_epoch_end(self):
        self.epochs += 1


def fitted(data, **arguments):
    model = rows.dense(kshim)
    history = model.fit(data, epochs=2, verbose=0, shuffle=False, **arguments)
    return history.history["loss"], model.get_weights()


def equal(first, second):
    assert first[0] == second[0]
    assert all(np.array_equal(a, b) for a, b in zip(first[1], second[1], strict=True))


@pytest.mark.parametrize("dialect", ["2.3.1", "tf.keras"])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_workers_of_a_sequence(in_dialect, dialect, workers):
    in_dialect(dialect)
    data = Parts()
    equal(fitted(data, workers=workers, max_queue_size=2), fitted(Parts()))
    assert data.epochs == 2
    assert any(name.startswith("PyDataset") for name in data.readers) == (workers == 3)


def test_processes_of_a_sequence(in_dialect):
    in_dialect("2.3.1")
    data = Parts()
    equal(fitted(data, workers=2, use_multiprocessing=True), fitted(Parts()))
    assert data.readers <= {"MainThread"}  # to see its form, one batch is read here


def test_workers_of_validation_evaluate_and_predict(in_dialect):
    in_dialect("tf.keras")
    data, model = Parts(), rows.dense(kshim)
    model.fit(rows.X, rows.Y, validation_data=data, workers=2, verbose=0)
    expected = model.evaluate(rows.X, rows.Y, batch_size=6, verbose=0)
    assert model.evaluate(data, workers=2, verbose=0) == pytest.approx(expected)
    outputs = model.predict(data, workers=2, max_queue_size=3)
    assert np.array_equal(outputs, model.predict(rows.X, batch_size=6))
    assert any(name.startswith("PyDataset") for name in data.readers)


class Locked:
    """An iterator that several threads may draw from."""

    def __init__(self):
        self.lock, self.batches, self.readers = threading.Lock(), rows.endless(rows.X, rows.Y), set()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            self.readers.add(threading.current_thread().name)
            return next(self.batches)


def test_workers_of_generators(in_dialect):
    in_dialect("2.3.1")
    model = rows.dense(kshim)
    expected = model.fit_generator(rows.endless(rows.X, rows.Y), 4, 2, verbose=0).history["loss"]
    for data in (rows.endless(rows.X, rows.Y), Locked()):
        model = rows.dense(kshim)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = model.fit_generator(data, 4, 2, verbose=0, workers=3, max_queue_size=1).history["loss"]
        assert found == expected
    assert any(name.startswith("generator") for name in data.readers)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("generator")]
    with pytest.warns(UserWarning, match="may duplicate your data. kshim draws from it by threads"):
        rows.dense(kshim).fit_generator(rows.endless(rows.X, rows.Y), 4, verbose=0, workers=2, use_multiprocessing=True)


@pytest.mark.parametrize(
    "arguments", [{"workers": 1}, {"workers": 3}, {"workers": 2, "use_multiprocessing": True}], ids=str
)
def test_what_a_worker_raises_is_raised(in_dialect, arguments):
    in_dialect("2.3.1")
    model = rows.dense(kshim)
    with pytest.raises(KeyError, match="the row is lost"):
        model.fit(Parts(fails=2), verbose=0, shuffle=False, **arguments)


def test_what_a_generator_raises_is_raised(in_dialect):
    in_dialect("2.3.1")

    def broken():
        yield from (next(rows.endless(rows.X, rows.Y)) for _ in range(4))
        raise RuntimeError("no more pictures")

    with pytest.raises(RuntimeError, match="no more pictures"):
        rows.dense(kshim).fit_generator(broken(), 9, verbose=0, workers=2)
    with pytest.warns(UserWarning, match="ran out of data"):
        rows.dense(kshim).fit_generator(iter(list(Parts())[:2]), 3, verbose=0)


def test_what_is_refused(in_dialect):
    in_dialect("2.3.1")
    model, data = rows.dense(kshim), rows.endless(rows.X, rows.Y)
    for call in (
        lambda: model.fit_generator(data), lambda: model.evaluate_generator(data),
        lambda: model.predict_generator(data), lambda: model.fit_generator(Parts(), validation_data=data),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"is only valid for a generator based on the `keras.utils.Sequence`"):
            call()
    with pytest.raises(ValueError, match=r"Expected `workers` to be an int of at least 0. Received: workers=-1"):
        model.fit_generator(Parts(), workers=-1)
    with pytest.raises(TypeError, match="nb_epok"):
        model.fit_generator(Parts(), nb_epok=2)
    assert len(model.fit_generator(Parts(), epochs=2, verbose=0).history["loss"]) == 2


def test_all_words_are_understood(in_dialect):
    """Keras 1's argument names in any dialect, Keras 2's in Keras 1's."""
    for dialect in ("1.2.2", "2.3.1", "tf.keras", "3"):
        in_dialect(dialect)
        losses = []
        for words in (
            {"samples_per_epoch": 24, "nb_epoch": 2, "max_q_size": 3, "nb_worker": 1, "pickle_safe": False},
            {"steps_per_epoch": 5, "epochs": 2, "max_queue_size": 3, "workers": 1, "use_multiprocessing": False},
        ):
            model = rows.dense(kshim)
            losses.append(model.fit_generator(rows.endless(rows.X, rows.Y), verbose=0, **words).history["loss"])
        assert losses[0] == losses[1]


def test_the_bar_counts_rows(in_dialect, capsys):
    in_dialect("1.2.2")
    rows.dense(kshim).fit_generator(rows.endless(rows.X, rows.Y), 24, 1)
    shown = capsys.readouterr().out.replace("\b", "").split("\r")
    assert "24/24 [==============================]" in shown[-1]
    assert [line for line in shown if "/24 [" in line]
    sizes = []
    logger = kshim.callbacks.LambdaCallback(
        on_batch_end=lambda batch, logs: sizes.append((logs["batch"], logs["size"]))
    )
    rows.dense(kshim).fit_generator(rows.endless(rows.X, rows.Y), 24, 1, verbose=0, callbacks=[logger])
    assert sizes == list(enumerate(rows.SIZES))


def test_an_epoch_may_have_more_rows(in_dialect):
    in_dialect("1.2.2")
    with pytest.warns(UserWarning, match="Epoch comprised more than `steps_per_epoch` samples"):
        rows.dense(kshim).fit_generator(rows.endless(rows.X, rows.Y), 9, 1, verbose=0)
    outputs = rows.dense(kshim).predict_generator(rows.endless(rows.X, rows.Y), 12)
    assert outputs.shape == (12, 1)


def test_classes_and_probabilities(in_dialect):
    in_dialect("2.3.1")
    model = rows.classes(kshim)
    outputs = model.predict(rows.X)
    assert np.array_equal(model.predict_classes(rows.X), outputs.argmax(-1))
    assert np.array_equal(model.predict_proba(rows.X, batch_size=5), outputs)
    one = rows.dense(kshim)
    assert np.array_equal(one.predict_classes(rows.X), (one.predict(rows.X) > 0.5).astype("int32"))
    with pytest.warns(UserWarning, match="Network returning invalid probability values"):
        one.predict_proba(rows.X)
    in_dialect("0.3.3")
    assert len(model.predict_classes(X=rows.X, verbose=0)) == 24


@pytest.mark.parametrize("dialect", ["1.2.2", "2.3.1"])
def test_stateful_models_want_whole_batches(in_dialect, dialect):
    in_dialect(dialect)
    model = kshim.Sequential([layers.SimpleRNN(2, stateful=True, batch_input_shape=(4, 5, 2))])
    model.compile("sgd", "mse")
    message = "In a stateful network, you should only pass inputs with .* divided by the batch size. Found: 10 samples"
    x, y = rows.STEPS[:10], np.zeros((10, 2), "float32")
    for call in (
        lambda: model.fit(x, y, batch_size=4, verbose=0), lambda: model.evaluate(x, y, batch_size=4, verbose=0),
        lambda: model.predict(x, batch_size=4), lambda: model.predict(x, 4),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()
    model.fit(x[:8], y[:8], batch_size=4, verbose=0)
    model.reset_states()


def test_an_ordered_queue(in_dialect):
    data = Parts()
    queue = OrderedEnqueuer(data)
    with pytest.raises(RuntimeError, match=r"OrderedEnqueuer: expected start\(\) before get\(\)"):
        queue.get()
    assert not queue.is_running()
    queue.start(workers=3, max_queue_size=2)
    assert queue.is_running()
    batches = queue.get()
    found = [next(batches) for _ in range(6)]
    for number, (x, _) in enumerate(found):
        assert np.array_equal(x, data[number % 4][0])
    assert data.epochs == 1
    queue.stop()
    assert not queue.is_running()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("PyDataset")]


def test_a_shuffled_queue_has_each_batch_once():
    queue = OrderedEnqueuer(Parts(), shuffle=True)
    queue.start()
    batches = queue.get()
    orders = [[float(next(batches)[0][0, 0]) for _ in range(4)] for _ in range(4)]
    queue.stop()
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_a_queue_of_processes():
    queue = OrderedEnqueuer(Parts(), use_multiprocessing=True)
    queue.start(workers=2)
    x, y = next(queue.get())
    queue.stop()
    assert isinstance(x, np.ndarray)
    assert np.array_equal(y, rows.Y[:6])


def test_a_queue_of_a_generator():
    queue = GeneratorEnqueuer(iter(list(Parts())))
    queue.start(workers=2, max_queue_size=10)
    assert np.array_equal(np.concatenate([x for x, _ in queue.get()]), rows.X)
    queue.stop()
    with pytest.warns(DeprecationWarning, match="`wait_time` is not used anymore"):
        GeneratorEnqueuer(iter([]), wait_time=0.1)
    with pytest.raises(NotImplementedError, match="use OrderedEnqueuer or GeneratorEnqueuer"):
        SequenceEnqueuer(Parts()).start()


@pytest.mark.parametrize("dialect", ["2.3.1", "tf.keras"])
def test_metrics_go_on_between_batches(in_dialect, dialect):
    in_dialect(dialect)
    model = rows.dense(kshim)
    own = [model.test_on_batch(rows.X[i : i + 6], rows.Y[i : i + 6]) for i in (0, 6, 12)]
    assert own[1] == model.test_on_batch(rows.X[6:12], rows.Y[6:12], reset_metrics=True)
    model.reset_metrics()
    running = [model.test_on_batch(rows.X[i : i + 6], rows.Y[i : i + 6], reset_metrics=False) for i in (0, 6, 12)]
    means = np.cumsum(own, 0) / np.arange(1, 4)[:, None]
    np.testing.assert_allclose([one[1] for one in running], means[:, 1], rtol=1e-6)
    expected = [one[0] for one in own] if dialect == "2.3.1" else means[:, 0]
    np.testing.assert_allclose([one[0] for one in running], expected, rtol=1e-6)
    trained = model.train_on_batch(rows.X[:6], rows.Y[:6], reset_metrics=False)
    assert trained[1] != pytest.approx(own[0][1])
    assert model.train_on_batch(rows.X[:6], rows.Y[:6], None, None, True) != trained


def test_warnings_point_at_the_users_line(in_dialect):
    model = rows.dense(kshim)
    with pytest.warns(UserWarning) as found:
        model.fit(rows.endless(rows.X, rows.Y), steps_per_epoch=2, epochs=1, verbose=0)
        model.fit(iter(list(Parts())[:2]), steps_per_epoch=3, verbose=0, shuffle=False)
    assert len(found) == 2
    assert {warning.filename for warning in found} == {__file__}

"""Data that come batch by batch: every kind and argument of ``fit`` against the real Keras 3, live."""

import gc
import itertools
import subprocess
import sys
import textwrap
import threading
import traceback
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from torch.utils import data as torch_data

import kshim
from kshim.core import settings
from kshim.training.data import arrays, sequence, steps, streams

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(22, 4)).astype("float32"), RNG.normal(size=(22, 2)).astype("float32")
HOT = np.eye(2, dtype="float32")[RNG.integers(0, 2, 22)]
W = RNG.uniform(0.1, 2, 22).astype("float32")
KERNEL = [RNG.normal(size=(4, 2)).astype("float32"), RNG.normal(size=2).astype("float32")]


def cuts(*parts, size=5, endless=False):
    """Batches of ``parts`` as tuples."""
    while True:
        for start in range(0, len(parts[0]), size):
            yield tuple(part[start : start + size] for part in parts)
        if not endless:
            return


def py_dataset(keras, *parts, size=5, **kwargs):
    batches = list(cuts(*parts, size=size))

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return len(batches)

        def __getitem__(self, index):
            return batches[index]

    return Batches(**kwargs)


def endless_py_dataset(keras):
    batches = list(cuts(X, Y))

    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return batches[index % len(batches)]

    return Endless()


def loader(*parts, size=5, **kwargs):
    return torch_data.DataLoader(torch_data.TensorDataset(*map(torch.tensor, parts)), batch_size=size, **kwargs)


class Rows(torch_data.IterableDataset):
    def __iter__(self):
        return zip(X, Y, strict=True)


KINDS = {
    "generator": lambda keras: cuts(X, Y),
    "endless generator": lambda keras: cuts(X, Y, endless=True),
    "weighted generator": lambda keras: cuts(X, Y, W, endless=True),
    "PyDataset": lambda keras: py_dataset(keras, X, Y),
    "weighted PyDataset": lambda keras: py_dataset(keras, X, Y, W),
    "endless PyDataset": endless_py_dataset,
    "DataLoader": lambda keras: loader(X, Y),
    "weighted DataLoader": lambda keras: loader(X, Y, W, size=4),
    "loader of an IterableDataset": lambda keras: torch_data.DataLoader(Rows(), batch_size=5),
}
ENDLESS = {"endless generator", "weighted generator", "endless PyDataset"}
ARGUMENTS = {
    "plain": {},
    "steps": {"steps_per_epoch": 2},
    "steps across the end": {"steps_per_epoch": 4},
    "more steps than batches": {"steps_per_epoch": 7},
    "initial_epoch": {"initial_epoch": 1, "steps_per_epoch": 3},
    "validation arrays": {"validation_data": (X[:7], Y[:7]), "validation_batch_size": 3, "steps_per_epoch": 3},
    "validation every second epoch": {"validation_data": (X[:7], Y[:7]), "validation_freq": 2, "steps_per_epoch": 3},
    "validation in epoch 3": {"validation_data": (X[:7], Y[:7]), "validation_freq": [3], "steps_per_epoch": 3},
}


def compiled(keras, loss="mse"):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.set_weights(KERNEL)
    model.compile("sgd", loss, metrics=["mae"], weighted_metrics=["mse"])
    return model


def history_of(keras, x, y=None, model=None, **arguments):
    """History, batches of each epoch, weights."""
    model, counts = model or compiled(keras), []

    class Counter(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            counts.append(0)

        def on_train_batch_end(self, batch, logs=None):
            counts[-1] += 1

    given = {"epochs": 3, "verbose": 0, "shuffle": False, "callbacks": [Counter()], **arguments}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = model.fit(x, y, **given).history
    return history, counts, model.get_weights(), model.history.params


def assert_same(mine, theirs):
    assert sorted(mine[0]) == sorted(theirs[0])
    for name, values in theirs[0].items():
        np.testing.assert_allclose(mine[0][name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    assert mine[1] == theirs[1]
    for one, other in zip(mine[2], theirs[2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert mine[3] == theirs[3]


ROWS = [(k, name) for k in KINDS for name, given in ARGUMENTS.items() if k not in ENDLESS or "steps_per_epoch" in given]


@pytest.mark.parametrize(("kind", "arguments"), ROWS)
def test_fit_is_keras(kind, arguments, keras3):
    def run(keras):
        return history_of(keras, KINDS[kind](keras), **ARGUMENTS[arguments])

    assert_same(run(kshim), run(keras3))


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_validation_on_each_kind_is_keras(kind, steps, keras3):
    if kind in ENDLESS and steps is None:
        steps = 3

    def run(keras):
        return history_of(keras, X, Y, validation_data=KINDS[kind](keras), validation_steps=steps, batch_size=8)

    assert_same(run(kshim), run(keras3))


@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_and_predict_are_keras(kind, steps, keras3):
    if kind in ENDLESS and steps is None:
        steps = 3

    def run(keras):
        model = compiled(keras)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluated = model.evaluate(KINDS[kind](keras), steps=steps, verbose=0)
            return np.ravel(evaluated), model.predict(KINDS[kind](keras), steps=steps, verbose=0)

    for mine, theirs in zip(run(kshim), run(keras3), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_class_weights_on_a_py_dataset_are_keras(keras3):
    def run(keras):
        return history_of(keras, py_dataset(keras, X, HOT), class_weight={0: 3.0})

    assert_same(run(kshim), run(keras3))


def test_the_hooks_of_a_data_set_are_keras(keras3):
    def run(keras, **arguments):
        log = []

        class Logged(keras.utils.PyDataset):
            def __len__(self):
                return 3

            def __getitem__(self, index):
                log.append(index)
                return X[index * 4 : index * 4 + 4], Y[index * 4 : index * 4 + 4]

            def on_epoch_begin(self):
                log.append("begin")

            def on_epoch_end(self):
                log.append("end")

        data = Logged()
        history_of(keras, data, **arguments)
        compiled(keras).predict(data, verbose=0)
        return log

    for arguments in ({}, {"steps_per_epoch": 2}, {"shuffle": False, "epochs": 1}):
        assert run(kshim, **arguments) == run(keras3, **arguments)


def test_batches_are_shuffled_by_pythons_generator_as_in_keras(keras3):
    import random

    def run(keras):
        random.seed(3)
        return history_of(keras, py_dataset(keras, X, Y), shuffle=True)

    assert_same(run(kshim), run(keras3))


# -- what Keras does not take -----------------------------------------------------------------------------------------


def arrays_history(**arguments):
    return history_of(kshim, X, Y, batch_size=5, **arguments)


class Samples(torch_data.Dataset):
    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        return X[index], Y[index]


class Batched:
    def __iter__(self):
        return cuts(X, Y)


MORE = {
    "an iterator": lambda: itertools.chain.from_iterable(itertools.repeat(list(cuts(X, Y)), 3)),
    "a torch Dataset": Samples,
    "an IterableDataset of rows": Rows,
    "any iterable": Batched,
}


@pytest.mark.parametrize("name", MORE)
def test_more_kinds(name):
    mine = history_of(kshim, MORE[name](), batch_size=5, steps_per_epoch=5 if name == "an iterator" else None)
    expected = arrays_history()
    np.testing.assert_allclose(mine[0]["loss"], expected[0]["loss"], rtol=1e-5)
    assert mine[1] == [5, 5, 5]


def test_a_torch_dataset_is_shuffled():
    torch.manual_seed(0)
    assert compiled(kshim).fit(Samples(), shuffle=True, epochs=1, batch_size=5, verbose=0)
    order = [float(x[0, 0]) for x, _ in streams.source_of(Samples(), 1, True).batches()]
    assert order != X[:, 0].tolist()
    assert sorted(order) == pytest.approx(sorted(X[:, 0].tolist()))


# -- several inputs and outputs ---------------------------------------------------------------------------------------


def joined(keras):
    first, second = keras.Input((4,), name="first"), keras.Input((2,), name="second")
    both = keras.layers.Concatenate()([first, second])
    one = keras.layers.Dense(1, name="one", kernel_initializer="ones")(both)
    two = keras.layers.Dense(2, name="two", kernel_initializer="ones")(both)
    model = keras.Model([first, second], [one, two])
    model.compile("sgd", loss={"one": "mae", "two": "mse"}, loss_weights={"one": 1.0, "two": 0.5})
    return model


NESTED = {
    "lists": ([X, Y], [X[:, :1], HOT], None),
    "dicts": ({"first": X, "second": Y}, {"one": X[:, :1], "two": HOT}, None),
    "a weight each": ([X, Y], [X[:, :1], HOT], [W, W * W]),
    "one weight": ([X, Y], [X[:, :1], HOT], W),
}


@pytest.mark.parametrize("form", ["arrays", "split", "generator", "PyDataset"])
@pytest.mark.parametrize("name", NESTED)
def test_nested_structures_are_keras(name, form, keras3):
    x, y, weight = NESTED[name]
    if form in ("generator", "PyDataset") and name == "one weight":
        weight = [W, W]  # Keras' generators take one for each output

    def batch(start):
        parts = [kshim_tree(lambda a: a[start : start + 5], part) for part in (x, y, weight) if part is not None]
        return tuple(parts)

    def run(keras):
        if form == "arrays":
            return history_of(keras, x, y, joined(keras), sample_weight=weight, batch_size=5)
        if form == "split":
            return history_of(keras, x, y, joined(keras), sample_weight=weight, batch_size=5, validation_split=0.3)
        batches = [batch(start) for start in range(0, 22, 5)]
        if form == "generator":
            return history_of(keras, (b for b in batches * 3), None, joined(keras), steps_per_epoch=5)

        class Batches(keras.utils.PyDataset):
            def __len__(self):
                return 5

            def __getitem__(self, index):
                return batches[index]

        return history_of(keras, Batches(), None, joined(keras))

    assert_same(run(kshim), run(keras3))


def test_weights_by_the_outputs_names():
    expected = history_of(kshim, [X, Y], [X[:, :1], HOT], joined(kshim), sample_weight=[W, W * W])
    y, weights = {"two": HOT, "one": X[:, :1]}, {"two": W * W, "one": W}
    assert_same(history_of(kshim, [X, Y], y, joined(kshim), sample_weight=weights), expected)


def kshim_tree(function, structure):
    if isinstance(structure, dict):
        return {key: function(value) for key, value in structure.items()}
    return [function(value) for value in structure] if isinstance(structure, list) else function(structure)


# -- bad data ---------------------------------------------------------------------------------------------------------


class Given(kshim.utils.PyDataset):
    def __init__(self, batch, count=3, **kwargs):
        super().__init__(**kwargs)
        self.batch, self.count = batch, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.batch


TUPLES = r"either \(input,\) or \(inputs, targets\) or \(inputs, targets, sample_weights\). Received: "
# fmt: off
BAD = {
    "an empty generator": (lambda: (iter(()), {}), "must yield at least one batch. Received an empty generator"),
    "lists for tuples": (lambda: (([X, Y] for _ in range(3)), {}), TUPLES),
    "arrays for tuples": (lambda: ((X for _ in range(3)), {}), TUPLES),
    "four parts": (lambda: (((X, Y, W, W) for _ in range(3)), {}), "Received: a tuple of 4. Put several inputs"),
    "numbers for arrays": (lambda: (((1, 2) for _ in range(3)), {}), "expected an array with a batch axis"),
    "wrong lengths": (lambda: (((X, Y[:3]) for _ in range(3)), {}), "'x' sizes: 22, 'y' sizes: 3"),
    "ragged lists": (lambda: ((([[1, 2], [3]], Y[:2]) for _ in range(3)), {}), "nested lists of different lengths"),
    "words": (
        lambda: (((np.array([["a"] * 4] * 22), Y) for _ in range(3)), {}),
        "expected numbers. Received: dtype <U1",
    ),
    "wrong shape": (
        lambda: (((X[:, :3], Y) for _ in range(3)), {}),
        r"expected shape=\(None, 4\), found shape=\(22, 3\)",
    ),
    "no targets": (lambda: (((X,) for _ in range(3)), {}), "expected targets for loss='mse'. Received: y=None"),
    "y beside a generator": (lambda: (cuts(X, Y), {"y": Y}), "as a generator, `y` should not be passed"),
    "weights beside a generator": (lambda: (cuts(X, Y), {"sample_weight": W}), "`sample_weights` should not be passed"),
    "class_weight for a generator": (lambda: (cuts(X, Y), {"class_weight": {0: 1}}), "not supported for generator"),
    "class_weight for a loader": (
        lambda: (loader(X, Y), {"class_weight": {0: 1}}),
        "not supported for torch DataLoader",
    ),
    "split of a generator": (
        lambda: (cuts(X, Y), {"validation_split": 0.2}),
        "only supported for tensors or NumPy arrays",
    ),
    "y beside a PyDataset": (lambda: (Given((X, Y)), {"y": Y}), "as a PyDataset, `y` should not be passed"),
    "an empty PyDataset": (lambda: (Given((X, Y), 0), {}), "length 0: expected at least one batch"),
    "a PyDataset of words": (lambda: (Given("words"), {}), TUPLES + "words of type str"),
    "a PyDataset of four": (lambda: (Given((X, Y, W, W)), {}), TUPLES),
    "two kinds of weights": (
        lambda: (Given((X, Y, W)), {"class_weight": {0: 1}}),
        "`sample_weight` and `class_weight` cannot",
    ),
    "steps of text": (
        lambda: (cuts(X, Y), {"steps_per_epoch": "2"}),
        "Expected `steps_per_epoch` to be an int above 0",
    ),
}
# fmt: on


@pytest.mark.parametrize("name", BAD)
def test_bad_batches(name):
    x, arguments = BAD[name][0]()
    model = compiled(kshim)
    with pytest.raises(TypeError if name == "steps of text" else ValueError, match=BAD[name][1]):
        model.fit(x, **{"shuffle": False, "verbose": 0, **arguments})
    for one, other in zip(model.get_weights(), KERNEL, strict=True):
        np.testing.assert_array_equal(one, other)


def test_warnings():
    with pytest.warns(UserWarning, match="ran out of data; interrupting training.*Expected: steps_per_epoch=9 batches"):
        compiled(kshim).fit(cuts(X, Y), steps_per_epoch=9, shuffle=False, verbose=0)
    with pytest.warns(UserWarning, match="`shuffle=True` was passed, but will be ignored.*a generator"):
        compiled(kshim).fit(cuts(X, Y), steps_per_epoch=2, verbose=0)

    class NoSuper(kshim.utils.PyDataset):
        def __init__(self):
            pass

        __len__ = lambda self: 2  # noqa: E731
        __getitem__ = lambda self, i: (X, Y)  # noqa: E731

    with pytest.warns(UserWarning, match=r"should call `super\(\).__init__\(\*\*kwargs\)`"):
        compiled(kshim).fit(NoSuper(), verbose=0)
    settings.set_dialect("2.3.1")
    try:
        assert compiled(kshim).fit(NoSuper(), verbose=0).history["loss"]
    finally:
        settings.set_dialect("3")


# -- workers ----------------------------------------------------------------------------------------------------------

# Forking beside torch's threads is what torch's own loader does; Python 3.12 warns of it.
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Boom(kshim.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        if index == 3:
            return self.the_culprit()
        return X[:4], Y[:4]

    def the_culprit(self):
        raise KeyError("boom")


def numbers_of_workers():
    return [t for t in threading.enumerate() if t.name.startswith(("PyDataset", "blocks"))]


@forks
@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_workers_change_no_number(processes, shuffle):
    def run(**kwargs):
        import random

        random.seed(1)
        return history_of(kshim, py_dataset(kshim, X, Y, **kwargs), shuffle=shuffle, epochs=2)

    assert_same(run(workers=2, use_multiprocessing=processes, max_queue_size=2), run())
    assert not numbers_of_workers()


@forks
@pytest.mark.parametrize("processes", [False, True])
def test_a_worker_that_raises_shows_its_own_traceback(processes):
    with pytest.raises(KeyError, match="boom") as caught:
        compiled(kshim).fit(Boom(workers=2, use_multiprocessing=processes), shuffle=False, verbose=0)
    assert "the_culprit" in "".join(traceback.format_exception(caught.value)).replace("\\n", "\n")
    del caught
    gc.collect()
    assert not numbers_of_workers()


def test_a_generator_that_raises_shows_its_own_traceback():
    def bad():
        yield X, Y
        yield X, Y
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom") as caught:
        compiled(kshim).fit(bad(), shuffle=False, verbose=0)
    assert caught.traceback[-1].name == "bad"


class Waits(kshim.utils.PyDataset):
    """Batch i + 1 is given only once batch i has been taken up by the step: it must be read beside it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.read = []
        self.second = threading.Event()

    def __len__(self):
        return 4

    def __getitem__(self, index):
        self.read.append(index)
        if index == 1:
            self.second.set()
        return X[:4], Y[:4]


def test_batches_are_read_while_the_model_computes():
    data = Waits(workers=2, max_queue_size=2)
    passing = sequence.read(data, range(4))
    next(passing)
    assert data.second.wait(10)  # nobody asked for batch 1 yet
    passing.close()
    assert not numbers_of_workers()


def test_the_queue_has_its_limit():
    started, held = [], threading.Event()

    class Held(kshim.utils.PyDataset):
        def __getitem__(self, index):
            started.append(index)
            return held.wait(10) and index

    passing = sequence.read(Held(workers=4, max_queue_size=3), itertools.count())
    held.set()
    assert [next(passing) for _ in range(5)] == list(range(5))
    passing.close()
    assert max(started) <= 5 + 3


def test_an_interrupt_leaves_no_worker():
    def interrupt(batch, logs):
        raise KeyboardInterrupt

    stop = kshim.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    data = py_dataset(kshim, X, Y, workers=2)
    with pytest.raises(KeyboardInterrupt) as caught:
        compiled(kshim).fit(data, callbacks=[stop], steps_per_epoch=2, verbose=0)
    del caught
    gc.collect()
    assert not numbers_of_workers()


# -- position ---------------------------------------------------------------------------------------------------------


def first_columns(batches):
    return [batch[0][:, 0].tolist() for batch in batches]


def positions():
    def array(shuffle):
        return lambda: arrays.ArrayData(torch.tensor(X), torch.tensor(Y), None, 4, shuffle)

    def indexed():
        return streams.Stream(streams.Indexed(py_dataset(kshim, X, Y, size=4), True), ready)

    def ready(x, y, w):
        return torch.as_tensor(x), torch.as_tensor(y), w

    return {
        "arrays": array(False), "shuffled arrays": array(True), "whole batches": array("batch"), "PyDataset": indexed,
        "loader": lambda: streams.Stream(streams.source_of(loader(X, Y, size=4)), ready),
        "generator": lambda: streams.Stream(streams.Generator(cuts(X, Y, size=4, endless=True)), ready),
    }  # fmt: skip


@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.parametrize("cut", [None, 4])
@pytest.mark.parametrize("name", positions())
def test_an_epoch_goes_on_where_it_was_left(name, cut, at):
    import random

    if name == "generator" and cut is None:
        cut = 6

    def made():
        return steps.in_steps(positions()[name](), cut, "steps_per_epoch", goes_on=True)

    np.random.seed(2)
    random.seed(2)
    data = made()
    data.watch()
    for _ in range(1 if cut is None else 0):
        list(data.epoch())
    running = data.epoch()
    seen = first_columns(itertools.islice(running, at))
    state = data.state(at)
    rest = first_columns(running)
    assert len(seen) == at
    again = made()
    np.random.seed(99)
    random.seed(99)
    again.load_state(state, at)
    assert first_columns(again.epoch(start=at)) == rest


# -- scale ------------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_over_steps():
    model = kshim.Sequential([kshim.Input((4,)), kshim.layers.Dense(2)])
    model.compile("sgd", "mse")
    counts = []

    def count(batch, logs):
        if batch in (400, 1999):
            gc.collect()
            counts.append((len(gc.get_objects()), tracemalloc.get_traced_memory()[0]))

    counter = kshim.callbacks.LambdaCallback(on_train_batch_end=count)
    tracemalloc.start()
    try:
        model.fit(cuts(X, Y, endless=True), steps_per_epoch=2000, shuffle=False, verbose=0, callbacks=[counter])
    finally:
        tracemalloc.stop()
    (objects, size), (objects_later, size_later) = counts
    assert objects_later - objects < 100
    assert size_later - size < 50_000


@pytest.mark.skipif(sys.platform != "linux", reason="sparse files and ru_maxrss in kilobytes")
@pytest.mark.parametrize("shuffle", ["False", "True"])
def test_a_file_larger_than_memory_streams(tmp_path, shuffle):
    code = f"""
        import resource
        import numpy as np, torch, kshim
        torch.set_num_threads(1)
        rows = 1 << 19  # a sparse file of 2 GB
        x = np.memmap({str(tmp_path / "x")!r}, "float32", "w+", shape=(rows, 1024))
        x[-1] = 1
        model = kshim.Sequential([kshim.Input((1024,)), kshim.layers.Dense(1)])
        model.compile("sgd", "mse")
        y = np.zeros(rows, "float32")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        model.fit(x, y, batch_size=4096, steps_per_epoch=30, verbose=0, shuffle={shuffle})
        print(x.nbytes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10)
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-2000:]
    size, grown = map(int, found.stdout.split())
    assert size == 1 << 31
    assert grown < 256 << 20  # 480 MB were read

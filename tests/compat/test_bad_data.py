"""Bad data and arguments: the class of error (or the warning) that the live Keras 3 has, and nothing half-changed."""

import threading

import numpy as np
import pytest

import kshim

RNG = np.random.RandomState(2)
X, Y = RNG.randn(12, 4).astype("float32"), RNG.randn(12, 2).astype("float32")
RAGGED = [[1.0, 2.0], [3.0]] * 6
HOLED = X.copy()
HOLED[3, 1] = np.nan


def batches(*sizes, broken=None):
    """A generator that ends."""
    for size in sizes:
        yield X[:size], Y[:size]
    if broken is not None:
        yield broken


def given(batch):
    """A generator that gives the same again and again."""
    while True:
        yield batch


# name -> (what is done with a compiled model, the class where kshim's is another than Keras', and why)
CALLS = {
    "lengths": (lambda m: m.fit(X, Y[:5], verbose=0), None),
    "weights' length": (lambda m: m.fit(X, Y, sample_weight=np.ones(3), verbose=0), None),
    "no targets": (lambda m: m.fit(X, verbose=0), None),
    "width of x": (lambda m: m.fit(X[:, :3], Y, verbose=0), None),
    "rank of x": (lambda m: m.fit(X[:, :, None, None], Y, verbose=0), None),
    "width of y": (lambda m: m.fit(X, RNG.randn(12, 5).astype("float32"), verbose=0), ValueError),  # RuntimeError
    "ragged": (lambda m: m.fit(RAGGED, Y, verbose=0), None),
    "strings": (lambda m: m.fit(np.array([["a"] * 4] * 12), Y, verbose=0), None),
    "split of 1": (lambda m: m.fit(X, Y, validation_split=1.0, verbose=0), None),
    "split that leaves none": (lambda m: m.fit(X[:1], Y[:1], validation_split=0.5, verbose=0), None),
    "split of a generator": (lambda m: m.fit(batches(4, 4), validation_split=0.2, verbose=0), None),
    "targets beside a generator": (lambda m: m.fit(batches(4, 4), Y, verbose=0), None),
    "weights beside a generator": (lambda m: m.fit(batches(4, 4), sample_weight=np.ones(4), verbose=0), None),
    "class weights beside a generator": (lambda m: m.fit(batches(4, 4), class_weight={0: 1.0}, verbose=0), None),
    "empty generator": (lambda m: m.fit(batches(), verbose=0, shuffle=False), None),
    "generator of four parts": (lambda m: m.fit(given((X, Y, None, None)), verbose=0, shuffle=False), None),
    "generator of lists": (lambda m: m.fit(given([X, Y]), verbose=0, shuffle=False), None),
    "generator of numbers": (lambda m: m.fit(given(3), verbose=0, shuffle=False), None),
    "validation of one part": (lambda m: m.fit(X, Y, validation_data=(X,), verbose=0), None),
    "validation of other lengths": (lambda m: m.fit(X, Y, validation_data=(X, Y[:3]), verbose=0), None),
    "epochs as text": (lambda m: m.fit(X, Y, epochs="3", verbose=0), None),
    "no steps": (lambda m: m.fit(X, Y, steps_per_epoch=-1, verbose=0), None),
    "callbacks": (lambda m: m.fit(X, Y, callbacks=[3], verbose=0), TypeError),  # AttributeError
    "evaluate without targets": (lambda m: m.evaluate(X, verbose=0), None),
    "evaluate lengths": (lambda m: m.evaluate(X, Y[:3], verbose=0), None),
    "predict None": (lambda m: m.predict(None, verbose=0), ValueError),  # TypeError, or AttributeError
    "predict width": (lambda m: m.predict(X[:, :2], verbose=0), None),
    "train_on_batch lengths": (lambda m: m.train_on_batch(X, Y[:4]), ValueError),  # torch's RuntimeError
    "train_on_batch class and own weights": (
        lambda m: m.train_on_batch(X, Y, sample_weight=np.ones(12), class_weight={0: 1.0}), None
    ),
    "test_on_batch width": (lambda m: m.test_on_batch(X[:, :2], Y), None),
    "unknown argument": (lambda m: m.fit(X, Y, epoch=3), None),
    "unknown loss": (lambda m: m.compile("sgd", "msee") or m.fit(X, Y, verbose=0), None),
    "unknown optimizer": (lambda m: m.compile("sdg", "mse"), None),
    "unknown metric": (lambda m: m.compile("sgd", "mse", metrics=["acuracy"]) or m.fit(X, Y, verbose=0), None),
    "losses for other outputs": (
        lambda m: m.compile("sgd", {"b": "mse"}) or m.fit(X, Y, verbose=0), ValueError  # a TypeError about None
    ),
}  # fmt: skip


# what Keras takes, and makes nothing good of
ONLY_HERE = {
    "split below 0": (lambda m: m.fit(X, Y, validation_split=-0.2, verbose=0), "must be between 0 and 1"),
    "batch size 0": (lambda m: m.fit(X, Y, batch_size=0, verbose=0), "expected `batch_size` to be an int above 0"),
    "too many losses": (lambda m: m.compile("sgd", ["mse", "mae"]) or m.fit(X, Y, verbose=0), "one entry for each"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONLY_HERE)
def test_bad_data_that_keras_takes_are_refused(name):
    call, message = ONLY_HERE[name]
    with pytest.raises(ValueError, match=message):
        call(made(kshim))


def made(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def outcome(keras, name):
    """The error, and whether the weights are as they were."""
    model = made(keras)
    before = [w.copy() for w in model.get_weights()]
    try:
        CALLS[name][0](model)
    except Exception as error:
        return error, all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    return None, None


@pytest.mark.parametrize("name", CALLS)
def test_bad_data_are_refused_as_in_keras(name, keras3):
    (error, unchanged), (theirs, _) = outcome(kshim, name), outcome(keras3, name)
    wanted = CALLS[name][1]
    assert theirs is not None, f"Keras takes it; kshim: {error!r}"
    assert type(error) is (type(theirs) if wanted is None else wanted), (error, theirs)
    assert unchanged, "an error leaves the model as it was"
    if wanted is not None:
        assert type(theirs) is not wanted, "the two are the same now: no need to name the class"


@pytest.mark.parametrize("count", [1, 3])
def test_a_generator_that_ends_early_warns_as_in_keras(count, keras3):
    for keras in (kshim, keras3):
        model = made(keras)
        with pytest.warns(UserWarning, match="Your input ran out of data; interrupting training"):
            history = model.fit(batches(*[4] * count), steps_per_epoch=5, epochs=1, verbose=0, shuffle=False)
        assert len(history.history["loss"]) == 1


def test_nan_goes_through_as_in_keras(keras3):
    for keras in (kshim, keras3):
        model = made(keras)
        history = model.fit(HOLED, Y, epochs=1, verbose=0)
        assert np.isnan(history.history["loss"][0])
        model = made(keras)
        stopped = model.fit(HOLED, Y, epochs=3, batch_size=4, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
        assert len(stopped.epoch) == 1


def test_a_model_that_is_not_compiled_says_so(keras3):
    for keras in (kshim, keras3):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        with pytest.raises(ValueError, match=r"[Yy]ou must call `compile\(\)`"):
            model.fit(X, Y)


def test_what_only_old_versions_took_is_refused_by_name():
    kshim.set_dialect("2.3.1")
    try:
        model = kshim.Sequential([kshim.layers.Dense(2, input_shape=(4,))])
        with pytest.raises(NotImplementedError, match=r"(?s)target_tensors.*Pass the targets to fit\(\)"):
            model.compile("sgd", "mse", target_tensors=[Y])
    finally:
        kshim.set_dialect("3")


class Slow(kshim.utils.PyDataset):
    """Batch 1 comes only when batch 0 has been trained on, or after it began to be: shown by events, not by times."""

    def __init__(self):
        super().__init__(workers=2, max_queue_size=2)
        self.asked = threading.Event()

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index == 1:
            self.asked.set()
        return X[:4], Y[:4]


def test_loading_overlaps_computing():
    """While the first batch is in use, the second one has been asked for."""
    data, seen = Slow(), []
    data.asked.clear()
    wait = kshim.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: batch == 0 and seen.append(data.asked.wait(20))
    )
    made(kshim).fit(data, verbose=0, callbacks=[wait], shuffle=False)
    assert seen == [True]

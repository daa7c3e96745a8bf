"""Callbacks in the dialects of Keras 1 and 2: told, and deciding, what the real 1.2.2 and 2.3.1 were and did."""

import contextlib
import functools
import io
import json
import pathlib
import sys
import time
import warnings

import numpy as np
import pytest

import kshim
from kshim.core import settings

ORACLE = pathlib.Path(__file__).parent / "oracle"
sys.path.insert(0, str(ORACLE))
import make_callback_goldens  # noqa: E402

VERSIONS = ("1.2.2", "2.3.1")


@pytest.fixture(autouse=True)
def dialect(request):
    before = settings.dialect()
    settings.set_dialect(request.getfixturevalue("version") if "version" in request.fixturenames else before)
    yield
    settings.set_dialect(before)


@functools.cache
def golden(version):
    return json.loads((ORACLE / f"callbacks-{version}.json").read_text())


@functools.cache
def ours(version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # `period` beside a path of Keras 2
        rate = lambda optimizer: float(optimizer.learning_rate)  # noqa: E731
        found = make_callback_goldens.collect(
            kshim, version.startswith("1"), rate, lambda: kshim.optimizers.SGD(lr=0.1)
        )
    return json.loads(json.dumps(found))


def same(got, expected, path=""):
    """Equal structures, numbers to 1e-4 of each other."""
    assert type(got) is type(expected) or isinstance(got, (int, float)), (path, got, expected)
    if isinstance(expected, dict):
        assert got.keys() == expected.keys(), path
        for key in expected:
            same(got[key], expected[key], f"{path}/{key}")
    elif isinstance(expected, list):
        assert len(got) == len(expected), (path, got, expected)
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            same(a, b, f"{path}/{i}")
    elif isinstance(expected, float):
        assert got == pytest.approx(expected, rel=1e-4), path
    else:
        assert got == expected, path


@pytest.mark.parametrize("row", ["stop", "plateau", "checkpoint"])
@pytest.mark.parametrize("version", VERSIONS)
def test_decisions(version, row):
    rows = [name for name in golden(version)["decided"] if name.startswith(row)]
    assert rows
    for name in rows:
        same(ours(version)["decided"][name], golden(version)["decided"][name], name)


@pytest.mark.parametrize("version", VERSIONS)
def test_order_params_and_logs(version):
    got, expected = ours(version)["told"], golden(version)["told"]
    assert [row[:2] for row in got] == [row[:2] for row in expected]
    for mine, theirs in zip(got, expected, strict=True):
        if mine[0] == "validation_data" and version == "1.2.2":
            continue  # kshim has it there, too
        same(mine, theirs, mine[0])


@pytest.mark.parametrize("verbose", [1, 2])
@pytest.mark.parametrize("version", VERSIONS)
def test_text_of_fit(version, verbose, monkeypatch):
    with np.load(ORACLE / f"keras-{version}.npz") as stored:
        x, y = stored["train/x"], stored["train/y/categorical_crossentropy"]
        weights = [stored[f"train/initial/{i}"] for i in range(4)]
        expected = str(stored[f"training/fit_verbose_{verbose}"])
    layers = kshim.layers
    first = layers.Dense(4, activation="tanh", input_shape=(5,))
    model = kshim.Sequential([first, layers.Dense(3, activation="softmax")])
    model.set_weights(weights)
    model.compile(kshim.optimizers.SGD(lr=0.1), "categorical_crossentropy", metrics=["accuracy"])
    monkeypatch.setattr(time, "time", lambda: 1e9)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with contextlib.redirect_stdout(io.StringIO()) as text:
        model.fit(x, y, batch_size=6, epochs=2, validation_split=0.25, shuffle=False, verbose=verbose)
    assert text.getvalue() == expected


@pytest.mark.parametrize("version", ["2.3.1"])
def test_base_logger_averages_by_size(version):
    logger = kshim.callbacks.BaseLogger(stateful_metrics=["acc"])
    logger.set_params({"metrics": ["loss", "acc"]})
    logger.on_epoch_begin(0)
    logger.on_batch_end(0, {"size": 3, "loss": 1.0, "acc": 0.5})
    logger.on_batch_end(1, {"size": 1, "loss": 3.0, "acc": 0.25})
    logs = {}
    logger.on_epoch_end(0, logs)
    assert logs == {"loss": 1.5, "acc": 0.25}


@pytest.mark.parametrize("version", ["0.3.3", "1.2.2", "2.0.8", "2.2.4", "2.3.1", "tf.keras", "3"])
def test_params_of_every_version_are_found(version):
    params = {}

    class Reads(kshim.callbacks.Callback):
        def on_train_begin(self, logs=None):
            params.update({name: self.params[name] for name in ("epochs", "nb_epoch", "samples", "nb_sample")})
            assert self.params.get("batch_size") == 4 and self.params.get("nothing", 7) == 7

    model = kshim.Sequential([kshim.layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    model.fit(np.ones((6, 2)), np.ones((6, 1)), batch_size=4, epochs=2, verbose=0, callbacks=[Reads()])
    assert params == {"epochs": 2, "nb_epoch": 2, "samples": 6, "nb_sample": 6}


def test_sidecar_is_refused():
    with pytest.raises(NotImplementedError, match=r"no SidecarEvaluatorModelExport.*Received: export_filepath='a'"):
        kshim.callbacks.SidecarEvaluatorModelExport("a", "b")

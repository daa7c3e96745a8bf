"""The progress bar, byte for byte that of Keras 3."""

import io
import logging
import random
import sys
import time

import numpy as np
import pytest
import torch

from kshim.core import progress


class Clock:
    """``time.time`` that moves only when told."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


class Screen(io.StringIO):
    """A standard output that may call itself a terminal."""

    terminal = True

    def isatty(self):
        return self.terminal


def show(make, script, monkeypatch, terminal=True, posix=True):
    """What a bar made by ``make()`` prints; ``script`` is ``(seconds, method, args, kwargs)`` rows."""
    clock, screen = Clock(), Screen()
    screen.terminal = terminal
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", clock)
        patch.setattr(sys, "stdout", screen)
        if not posix:
            patch.delitem(sys.modules, "posix", raising=False)
            patch.delitem(sys.modules, "ipykernel", raising=False)
        bar = make()
        for seconds, method, args, kwargs in script:
            clock.now += seconds
            getattr(bar, method)(*args, **kwargs)
    return screen.getvalue()


def steps(count, seconds, values=lambda i: [("loss", 1 / i)], **last):
    """One update per step, each taking ``seconds``."""
    return [(seconds, "update", (i, values(i)), last if i == count else {}) for i in range(1, count + 1)]


def odd_values(i):
    return [("loss", 10.0 ** (-i)), ("acc", np.float32(0.1 * i)), ("n", i), ("worse", -0.5 * i), ("nan", float("nan"))]


SCRIPTS = {
    "plain": (dict(target=10), steps(10, 0.1)),
    "skipped updates": (dict(target=30), steps(30, 0.013)),
    "seconds": (dict(target=4), steps(4, 2.5)),
    "microseconds": (dict(target=4), steps(4, 0.0002)),
    "minutes left": (dict(target=500), steps(5, 1.5)),
    "hours left": (dict(target=5000), steps(5, 1.5)),
    "no time at all": (dict(target=3), steps(3, 0.0)),
    "odd values": (dict(target=5), steps(5, 0.3, odd_values)),
    "odd values in one line": (dict(target=5, verbose=2), steps(5, 0.3, odd_values)),
    "stateful": (dict(target=5, stateful_metrics=["loss", "n"]), steps(5, 0.3, odd_values)),
    "stateless": (dict(target=5, stateless_metrics=["loss"]), steps(5, 0.3, odd_values)),
    "all stateful": (dict(target=5, stateless_metrics=[]), steps(5, 0.02, odd_values)),
    "unknown target": (dict(target=None), steps(6, 0.2)),
    "unknown target, finalized": (dict(target=None), steps(6, 0.2, finalize=True)),
    "unknown target in one line": (dict(target=None, verbose=2), steps(6, 0.2, finalize=True)),
    "target 0": (dict(target=0), steps(2, 0.2)),
    "silent": (dict(target=5, verbose=0), steps(5, 0.2)),
    "one line": (dict(target=120, verbose=2), steps(120, 0.01)),
    "width, unit, interval": (dict(target=9, width=7, unit_name="sample", interval=0.5), steps(9, 0.2)),
    "batches of 3": (dict(target=10), [(0.1, "add", (3, [("loss", i)]), {}) for i in (4.0, 3.0, 2.0, 1.0)]),
    "no values": (dict(target=3), [(0.1, "add", (1,), {}) for _ in range(3)]),
    "twice the same step": (dict(target=2), [(0.1, "update", (1, [("a", 2.0)]), {})] * 2),
    "shrinking text": (dict(target=3), steps(3, 70.0, lambda i: [("loss", 10.0 ** (9 - 4 * i))])),
    "metric that comes later": (dict(target=3), steps(3, 1.0, lambda i: [("b", 1.0), ("a", 2.0)][:i])),
}
every = pytest.mark.parametrize("name", SCRIPTS)


@every
@pytest.mark.parametrize("terminal,posix", [(True, True), (False, True), (False, False)])
def test_text_is_keras(name, terminal, posix, keras3, monkeypatch):
    arguments, script = SCRIPTS[name]
    ours = show(lambda: progress.Progbar(**arguments), script, monkeypatch, terminal, posix)
    theirs = show(lambda: keras3.utils.Progbar(**arguments), script, monkeypatch, terminal, posix)
    assert ours == theirs
    assert ours or arguments.get("verbose") in (0, 2)


def test_random_scripts_are_keras(keras3, monkeypatch):
    draw = random.Random(7)
    for _ in range(200):
        target = draw.choice([None, 0, 1, 3, 10, 999, 1000, 12345])
        arguments = dict(target=target, verbose=draw.choice([1, 1, 2]), interval=draw.choice([0.05, 0.5]))
        arguments |= draw.choice([{}, {"stateful_metrics": ["a"]}, {"stateless_metrics": ["b"]}])
        seconds, current, script = draw.choice([1e-5, 0.01, 0.4, 40.0, 4000.0]), 0, []
        for _ in range(draw.randrange(1, 12)):
            current += draw.choice([0, 1, 1, 1, 7])
            values = [(name, draw.choice([1, 0.5, -3.25, 1e-4, 1e5])) for name in draw.sample("abc", 2)]
            script.append((seconds * draw.random(), "update", (current, values), {}))
        script.append((seconds, "update", (target or current, values), {"finalize": True}))
        ours = show(lambda arguments=arguments: progress.Progbar(**arguments), script, monkeypatch)
        theirs = show(lambda arguments=arguments: keras3.utils.Progbar(**arguments), script, monkeypatch)
        assert ours == theirs, (arguments, script)


def test_values_are_read_only_when_shown(monkeypatch):
    reads = []

    def values():
        reads.append(len(reads))
        return [("loss", 0.5)]

    script = [(0.01, "update", (i, values), {}) for i in range(1, 101)]
    text = show(lambda: progress.Progbar(100, stateless_metrics=()), script, monkeypatch)
    assert len(reads) == text.count("\r") == 21  # the first, the last, and each 50 ms in between


def test_a_single_value_may_be_a_callable(monkeypatch):
    reads = []
    script = [(0.01, "update", (i, [("loss", lambda: reads.append(0) or 0.5)]), {}) for i in range(1, 101)]
    show(lambda: progress.Progbar(100, stateless_metrics=()), script, monkeypatch)
    assert len(reads) == 21
    assert " - loss: 0.2500" in show(
        lambda: progress.Progbar(4),
        [(1.0, "update", (1, [("loss", lambda: 0.5)]), {}), (1.0, "update", (2, [("loss", lambda: 0.0)]), {})],
        monkeypatch,
    )


def test_tensors_are_averaged_without_being_read(monkeypatch):
    class Unread(torch.Tensor):
        reads = 0

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func in (torch.Tensor.cpu, torch.Tensor.item, torch.Tensor.__float__):
                Unread.reads += 1
            return super().__torch_function__(func, types, args, kwargs or {})

    script = [(0.01, "update", (i, [("loss", torch.tensor(i / 64).as_subclass(Unread))]), {}) for i in range(1, 101)]
    text = show(lambda: progress.Progbar(100), script, monkeypatch)
    assert Unread.reads == text.count("\r") == 21
    numbers = [(0.01, "update", (i, [("loss", i / 64)]), {}) for i in range(1, 101)]
    assert text == show(lambda: progress.Progbar(100), numbers, monkeypatch)


def test_both_kinds_of_metrics_is_an_error():
    with pytest.raises(ValueError, match=r"only one of .*Received: stateful_metrics=\['a'\], stateless"):
        progress.Progbar(3, stateful_metrics=["a"], stateless_metrics=[])


def test_an_output_without_the_bars_character(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    progress.Progbar(2).update(1)
    assert b"=" * 10 in stream.buffer.getvalue()


def test_messages_may_go_to_the_logger(capsys, caplog):
    progress.disable_interactive_logging()
    try:
        assert not progress.is_interactive_logging_enabled()
        with caplog.at_level(logging.INFO, "kshim"):
            progress.print_msg("epoch 1")
    finally:
        progress.enable_interactive_logging()
    assert caplog.messages == ["epoch 1"] and capsys.readouterr().out == ""

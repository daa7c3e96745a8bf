"""Each code block of the guide of 2017 runs, letter for letter, under ``python -m kshim run``."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
BLOCKS = re.findall(r"```python\n(.*?)```", (HERE / "guide" / "sequential_guide_2017.md").read_text(), re.DOTALL)
IMPORTS = "from keras.models import Sequential\nfrom keras.layers import Dense, Activation\nimport keras\n"
MODEL = "model = Sequential([Dense(10, activation='softmax', input_dim=784)])\n"


class Block(NamedTuple):
    """What a block is given, and what holds after it."""

    name: str
    before: str
    after: str
    warns: str = ""


ROWS = [
    Block("list", "import keras\n", """
        assert [type(l).__name__ for l in model.layers] == ["Dense", "Activation", "Dense", "Activation"]
        assert model.input_shape == (None, 784) and model.output_shape == (None, 10)
        assert model.count_params() == 784 * 32 + 32 + 32 * 10 + 10
    """, warns=r"UserWarning: Dense\(32, units=784\) gives `units` twice: Keras itself raises a TypeError here\. "
               r"kshim reads 784 as input_dim\. Write Dense\(32, input_dim=784\)\."),
    Block("add", IMPORTS, """
        assert model.output_shape == (None, 32) and model.count_params() == 784 * 32 + 32
    """),
    Block("input_shape", IMPORTS, """
        assert model.input_shape == (None, 784) and model.output_shape == (None, 32)  # an int means a one-tuple
    """),
    Block("compile", IMPORTS + MODEL, """
        import torch
        x = np.random.rand(8, 784) if "np" in globals() else __import__("numpy").random.rand(8, 784)
        values = model.evaluate(x, keras.utils.to_categorical([0, 1] * 4, 10), verbose=0)
        assert len(values) == 3 and abs(values[2] - 0.1) < 1e-6  # the mean of a softmax over 10
    """),
    Block("binary", IMPORTS, """
        assert len(model.history.history["acc"]) == 10 and model.predict(data, verbose=0).shape == (1000, 1)
        assert model.history.history["accuracy"] == model.history.history["acc"]
        assert model.history.history["loss"][-1] < model.history.history["loss"][0]
    """),
    Block("categorical", IMPORTS, """
        assert one_hot_labels.shape == (1000, 10) and len(model.history.history["acc"]) == 10
        assert model.history.history["loss"][-1] < model.history.history["loss"][0]
    """),
]  # fmt: skip


def test_every_block_is_run():
    assert len(BLOCKS) == len(ROWS)


@pytest.mark.parametrize("index", range(len(ROWS)), ids=[row.name for row in ROWS])
def test_block(index, tmp_path):
    row = ROWS[index]
    after = "\n".join(line.strip() for line in row.after.splitlines())
    (tmp_path / "block.py").write_text(row.before + BLOCKS[index] + after, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "kshim", "run", "block.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        encoding="utf-8", env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if not line.startswith("kshim: dialect ")]
    if row.warns:
        assert re.search(row.warns, done.stderr) and len(notes) == 2
    else:
        assert notes == []
    if "fit(" in BLOCKS[index]:
        assert "Epoch 10/10" in done.stdout and "acc" in done.stdout


def test_blocks_are_the_guides_own():
    assert BLOCKS[0].startswith("from keras.models import Sequential\nfrom keras.layers import Dense, Activation\n")
    assert "Dense(32, units=784)," in BLOCKS[0] and "model.add(Dense(32, input_shape=784))" in BLOCKS[2]

"""``python -m kshim run``: as Python itself runs a script, and the dialect it is read in."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kshim.shim import choose

ROOT = Path(__file__).parents[3]


def run(arguments, folder, interpreter=("-m", "kshim", "run", "--quiet"), **environment):
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *interpreter, *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "helper.py").write_text("value = 42\n")
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    show = "import sys\nprint(__name__, __package__, __spec__.name, sys.argv, sys.path[0])\n"
    (package / "__main__.py").write_text(show)
    (package / "part.py").write_text(show)
    return tmp_path


SCRIPTS = {
    "main": "import sys, helper\n"
            "print(__name__, __file__, __spec__, __package__, sys.argv, sys.path[0], helper.value)\n"
            "print([n for n in dir() if not n.startswith('__')], type(__loader__).__name__, __builtins__)\n"
            "print(sys.modules['__main__'].__dict__ is globals())",
    "pickle": "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "error": "def f():\n    return 1 / 0\nf()",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e",
    "syntax": "def (\n",
    "exit": "import sys\nsys.exit(3)",
    "message": "raise SystemExit('bye')",
    "none": "raise SystemExit",
    "interrupt": "raise KeyboardInterrupt",
    "atexit": "import atexit\nx = 5\natexit.register(lambda: print('end', x))",
    "hook": "import sys\nsys.excepthook = lambda t, v, tb: print('mine', t.__name__, tb.tb_lineno)\n1 / 0",
    "coding": "# -*- coding: latin-1 -*-\nprint(len('\u00e9'))",
    "import": "import nonsense_module",
    "future": "from __future__ import annotations\ndef f(a: b): pass\nprint(f.__annotations__)",
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_python_itself(name, folder):
    (folder / "script.py").write_text(SCRIPTS[name], encoding="latin-1" if name == "coding" else "utf-8")
    ours, plain = run(["script.py", "a", "--quiet"], folder), run(["script.py", "a", "--quiet"], folder, ())
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize(
    "arguments", [["-m", "pack", "x"], ["-m", "pack.part"], ["-m", "nope"], ["pack", "y"]], ids=str
)
def test_modules_as_python_itself(arguments, folder):
    ours, plain = run(arguments, folder), run(arguments, folder, ())
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_script_elsewhere(folder, tmp_path):
    (folder / "script.py").write_text(SCRIPTS["main"])
    ours, plain = run([str(folder / "script.py")], "/"), run([str(folder / "script.py")], "/", ())
    assert (ours.returncode, ours.stdout, ours.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_missing_name_shows_the_scripts_line_only(folder):
    (folder / "script.py").write_text("from keras.layers import Foo\n")
    done = run(["script.py"], folder)
    assert done.returncode == 1 and "hook.py" not in done.stderr and "cli.py" not in done.stderr
    assert done.stderr.endswith("ModuleNotFoundError: kshim has no keras.layers.Foo yet.\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "nofile.py"], 2, r"kshim: can't open file '.*nofile\.py': No such file or directory"),
        (["run"], 2, "kshim: run needs a script"),
        (["run", "--dialect"], 2, "kshim: --dialect needs a version"),
        (["run", "--dialect", "9", "script.py"], 2, r"kshim: Unknown dialect\. Expected one of .* Received: '9'"),
        (["run", "--fast", "script.py"], 2, "kshim: unknown option --fast"),
        (["walk"], 2, "kshim: unknown command 'walk'"),
    ],
)
def test_wrong_command_lines(arguments, code, message, folder):
    done = run(arguments, folder, ("-m", "kshim"))
    assert done.returncode == code and re.match(message, done.stderr) and "Traceback" not in done.stderr


def test_help_and_version(folder):
    done = run(["--help"], folder, ("-m", "kshim"))
    assert done.returncode == 0 and "usage: python -m kshim run" in done.stdout and "2.2.4" in done.stdout
    done = run(["--version"], folder, ("-m", "kshim"))
    assert done.returncode == 0 and re.fullmatch(r"kshim \d+\.\d+\.\d+\n", done.stdout)


def test_it_says_which_dialect_and_why(folder):
    script = folder / "script.py"
    script.write_text("import keras\nprint(keras.__version__)\nmodel = 0\nif model: model.fit(nb_epoch=2)\n")
    loud = ("-m", "kshim", "run")
    done = run(["script.py"], folder, loud)
    assert (done.stdout, done.stderr) == ("1.2.2\n", "kshim: dialect 1.2.2: script.py:4 has nb_epoch=\n")
    done = run(["--dialect", "keras2", "script.py"], folder, loud)
    assert (done.stdout, done.stderr) == ("2.2.4\n", "kshim: dialect 2.2.4: given by --dialect\n")
    done = run(["--dialect=2.3.1", "--quiet", "script.py"], folder, loud)
    assert (done.stdout, done.stderr) == ("2.3.1\n", "")
    done = run(["script.py"], folder, loud, KSHIM_DIALECT="2.0.8")
    assert (done.stdout, done.stderr) == ("2.0.8\n", "kshim: dialect 2.0.8: given by KSHIM_DIALECT\n")
    (folder / "requirements.txt").write_text("numpy\nKeras==2.3.1 # pinned\n")
    done = run(["script.py"], folder, loud)
    assert (done.stdout, done.stderr) == ("2.3.1\n", "kshim: dialect 2.3.1: requirements.txt has keras==2.3.1\n")


MARKED = [
    ("import numpy", "3", "imports no Keras"),
    ("import keras", "3", "nothing in the script is older"),
    ("import keras\nkeras.ops.mean(1)", "3", "s.py:2 has keras.ops"),
    ("from keras import ops\nfrom keras.optimizers import SGD\nSGD(lr=1)", "3", "keras.ops"),
    ("from tensorflow.keras.layers import Dense", "tf.keras", "tensorflow.keras.layers"),
    ("import tensorflow as tf\ntf.keras.layers.Dense(3)", "tf.keras", "s.py:2"),
    ("from tensorflow import keras", "tf.keras", "tensorflow.keras"),
    ("from keras.models import Graph", "0.3.3", "keras.models.Graph"),
    (
        "from keras.models import Sequential\nSequential().fit(1, 2, show_accuracy=True)",
        "0.3.3",
        "s.py:2 has show_accuracy=",
    ),
    ("from keras.layers import Dense\nDense(output_dim=3)", "1.2.2", "s.py:2 has output_dim="),
    ("from keras.layers import Embedding\nEmbedding(input_dim=3, output_dim=3)", "3", "nothing"),
    ("from keras.objectives import mse", "1.2.2", "keras.objectives"),
    ("import keras\nfrom keras.layers import Convolution2D as C\nC(3, 3, 3)", "1.2.2", "Convolution2D"),
    ("from keras.models import Model\nModel(input=1, output=2)", "1.2.2", "input="),
    ("from keras.layers import Dense\nDense(units=3)\nm.fit(nb_epoch=3)", "2.2.4", "of Keras 1, but s.py:2 has units="),
    ("from keras.layers.core import Dense", "2.2.4", "s.py:1 has keras.layers.core"),
    ("from keras.utils import np_utils", "2.2.4", "keras.utils.np_utils"),
    ("import keras\nkeras.utils.np_utils.to_categorical", "2.2.4", "s.py:2"),
    ("import keras.backend as K\nK.mean(1)", "2.2.4", "s.py:2 has keras.backend.mean"),
    ("from keras import backend as K\nK.floatx()", "3", "nothing"),
    ("from keras.optimizers import Adam\nAdam(lr=1)", "2.2.4", "s.py:2 has lr="),
    ("import keras\nfrom torch.optim import Adam\nAdam(lr=1)", "3", "nothing"),
    ("from keras.models import Sequential\nm = Sequential()\nm.fit_generator(1)", "2.2.4", ".fit_generator"),
    ("from keras.models import Sequential\nh.history['val_acc']", "2.2.4", "'val_acc'"),
    ("import keras\ndef (", "3", "imports no Keras"),
]


@pytest.mark.parametrize(("source", "dialect", "reason"), MARKED, ids=[row[0].splitlines()[-1] for row in MARKED])
def test_choice(source, dialect, reason, tmp_path):
    (tmp_path / "s.py").write_text(source)
    choice = choose.choose(str(tmp_path / "s.py"))
    assert choice.dialect == dialect and reason in choice.reason


def test_own_modules_are_read_too(tmp_path):
    (tmp_path / "s.py").write_text("from lib import build\nimport keras")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("from .model import build\nfrom lib.other import x")
    (tmp_path / "lib" / "other.py").write_text("x = 1")
    (tmp_path / "lib" / "model.py").write_text("from s import x\nfrom keras.layers.core import Dense")
    choice = choose.choose(str(tmp_path / "s.py"))
    assert (choice.dialect, choice.reason) == ("2.2.4", "model.py:2 has keras.layers.core")


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        ("keras==0.3.1", "0.3.3"), ("Keras==1.0.8", "1.2.2"), ("keras==2.0.6", "2.0.8"), ("keras == 2.1.6", "2.2.4"),
        ("keras==2.2.4", "2.2.4"), ("keras==2.3.0", "2.3.1"), ("keras~=2.11.0", "tf.keras"), ("keras==3.4", "3"),
        ("tf_keras==2.16.0", "tf.keras"), ("tensorflow==2.4.1", "tf.keras"), ("tensorflow==2.17.0", "3"),
        ("tensorflow-gpu[and-cuda]==2.3", "tf.keras"), ("tensorflow==1.15", "3"), ("keras>=2", "3"),
        ("keras-tuner==1.0", "3"),
    ],
)  # fmt: skip
def test_pins(line, dialect, tmp_path):
    (tmp_path / "s.py").write_text("import keras")
    (tmp_path / "requirements.txt").write_text(f"numpy==1.0\n{line}\n")
    assert choose.choose(str(tmp_path / "s.py")).dialect == dialect

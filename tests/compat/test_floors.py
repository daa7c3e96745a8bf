"""The floor plan of docs/design.md, held: imports go down only."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kshim

ROOT = Path(kshim.__file__).parent
FLOORS = {
    name: floor
    for floor, names in enumerate(
        [
            ["core"],
            ["graph"],
            ["ops", "random", "datasets"],
            ["activations", "initializers", "regularizers", "constraints", "dtype_policies", "distribution"],
            ["layers", "losses", "optimizers"],
            ["metrics", "callbacks"],
            ["training"],
            ["saving"],
            ["models"],
            ["applications", "wrappers", "backend", "preprocessing"],
            ["legacy", "utils"],
            ["shim", "config", "mixed_precision", "tree"],
            ["__init__", "__main__"],
        ]
    )
    for name in names
}


def imports(path):
    """First-level kshim modules the file imports anywhere, functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("kshim."))


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    wrong = {name for name in imports(path) if name != own and FLOORS[name] >= FLOORS[own]}
    assert not wrong, f"{own} is on floor {FLOORS[own]} and imports {sorted(wrong)}, which is not below"


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_hides_in_a_function(path):
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, (ast.FunctionDef, ast.Lambda))]
    hidden = {name for f in functions for n in ast.walk(f) if isinstance(n, ast.ImportFrom) for name in [n.module]}
    assert not {name for name in hidden if name and name.startswith("kshim")}


def test_trains_without_the_old_generations(tmp_path):
    shutil.copytree(ROOT, tmp_path / "kshim", ignore=shutil.ignore_patterns("__pycache__", "legacy", "shim"))
    script = (
        "import numpy as np, kshim as keras\n"
        "model = keras.Sequential([keras.layers.Dense(2, 'relu', input_shape=(3,)), keras.layers.Dense(1)])\n"
        "model.compile('adam', 'mse', metrics=['mae'])\n"
        "model.fit(np.ones((8, 3)), np.ones(8), epochs=2, verbose=0)\n"
        f"assert keras.__file__.startswith({str(tmp_path)!r}), keras.__file__\n"
        "assert not hasattr(keras, 'install')\n"
        "print(sorted(model.history.history))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "['loss', 'mae']\n"

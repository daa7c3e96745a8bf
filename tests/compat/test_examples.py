"""The examples run as they are, unchanged scripts on the data that ships, and learn."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kshim", "run", str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=300,
        encoding="utf-8", env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    accuracy = re.findall(r"[Tt]est accuracy: ([0-9.]+)", done.stdout)
    assert accuracy and float(accuracy[-1]) > 0.95, done.stdout[-500:]

"""Data larger than memory, and many steps: ``benchmarks/scale.py`` in small, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux' /proc")
def test_memory_stays_flat():
    run = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "scale.py", "--gigabytes", "3", "--batches", "150", "--steps", "2000"],
        capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr  # it checks its limits itself
    assert "3 GB of rows, shuffled: at most" in run.stdout
    assert "2000 steps:" in run.stdout

"""Training on data that does not fit in memory, and for many steps: ``python benchmarks/scale.py``.

Prints the largest memory in use (RSS, in MB) over one shuffled epoch on a sparse file of ``--gigabytes``, and how it
grows over ``--steps`` steps on small arrays. The numbers are checked: it ends with 1 where a limit is passed.
"""

import argparse
import os
import sys
import tempfile
import threading
import time

import numpy as np

import kshim

COLUMNS = 256


def memory():
    """RSS of this process, in MB: (all of it, without the pages of mapped files, which the system takes back)."""
    with open("/proc/self/status") as file:
        fields = dict(line.split(":") for line in file)
    total, mapped = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssFile"))
    return total, total - mapped


class Peak(threading.Thread):
    """Looks every 20 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peaks, self.over = [0.0, 0.0], False

    def run(self):
        """Until ``over`` is set."""
        while not self.over:
            self.peaks = [max(pair) for pair in zip(self.peaks, memory(), strict=True)]
            time.sleep(0.02)


def model():
    """A small network, whatever comes in."""
    made = kshim.Sequential([kshim.Input((COLUMNS,)), kshim.layers.Dense(8, "relu"), kshim.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def large_file(gigabytes, steps):
    """The peaks of an epoch of ``steps`` batches on a sparse file."""
    rows = int(gigabytes * 1e9) // (4 * COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.bin")
        with open(path, "wb") as file:
            file.truncate(rows * COLUMNS * 4)
        x = np.memmap(path, "float32", "r", shape=(rows, COLUMNS))
        y = np.memmap(path, "float32", "r", shape=(rows, 1))
        network = model()
        watch = Peak()
        watch.start()
        network.fit(x, y, batch_size=1024, epochs=1, steps_per_epoch=steps or None, verbose=0)
        watch.over = True
        watch.join()
    return watch.peaks


def many_steps(steps):
    """Memory after a tenth of ``steps`` steps, and after all."""
    x, y = np.random.rand(3200, COLUMNS).astype("float32"), np.random.rand(3200, 1).astype("float32")
    network, seen = model(), []
    network.fit(x, y, batch_size=32, epochs=max(1, steps // 1000), verbose=0)
    seen.append(memory()[1])
    network.fit(x, y, batch_size=32, epochs=steps // 100, verbose=0)
    seen.append(memory()[1])
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20, help="size of the file")
    parser.add_argument("--steps", type=int, default=10_000, help="steps on small arrays")
    parser.add_argument("--batches", type=int, default=0, help="batches of the file's epoch; 0 for all")
    options = parser.parse_args()
    total, own = large_file(options.gigabytes, options.batches)
    print(f"{options.gigabytes:g} GB of rows, shuffled: at most {total:.0f} MB, {own:.0f} without the file's own pages")
    first, last = many_steps(options.steps)
    print(f"{options.steps} steps: {first:.0f} MB after a tenth of them, {last:.0f} MB after all")
    sys.exit(not (total < 1500 and last - first < 20))

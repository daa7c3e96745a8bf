"""kshim beside PyTorch by hand and Keras 3 on torch: training step, predict, import. See README.md.

python benchmarks/run.py [--only guide|dense|watched|cnn|lstm|transformer|predict|optimizer|import]
                         [--rounds N] [--threads N] [--json FILE]
"""

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from workloads import WORKLOADS

HERE = Path(__file__).resolve().parent
WARMUP = 2  # rounds thrown away
PAUSE = 0.05  # seconds before each measurement, for the last contender's threads to stop spinning


def environment(threads):
    """The environment of every process started here: this checkout first, Keras on torch, equal threads."""
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    extra = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    return os.environ | {"PYTHONPATH": path, "KERAS_BACKEND": "torch"} | extra


class Worker:
    """A contender's process. ``absent`` is the reason why there is none, else None."""

    def __init__(self, name, workload, threads):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "worker.py", name, workload, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(threads),
        )
        self.about = self.read()
        self.absent = self.about.get("absent")

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"absent": "its process ended, see its message above"}

    def ask(self, order):
        """The answer to ``order``, a dict; a worker that dies is absent from then on."""
        time.sleep(PAUSE)
        with contextlib.suppress(BrokenPipeError):
            print(order, file=self.process.stdin, flush=True)
        answer = self.read()
        self.absent = answer.get("absent")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def alternate(order, workload, names, args, before=()):
    """Ask the contenders in turn, round after round: ``{name: [answer of each round]}``, warm-up left out.

    ``before``: orders given once to each, unmeasured. Prints who is absent; all others hold ``args.rounds``.
    """
    workers = {name: Worker(name, workload, args.threads) for name in names}
    try:
        for name, worker in workers.items():
            if not worker.absent:
                print("  {} {version}, {device}, threads: {threads}".format(name, **worker.about))
        answers = {name: [] for name in workers}
        for turn in [*before, *[order] * (WARMUP + args.rounds)]:
            for name, worker in workers.items():
                if not worker.absent:
                    answers[name].append(worker.ask(turn))
        for name, worker in workers.items():
            if worker.absent:
                print(f"  {name} absent ({worker.absent})")
                del answers[name]
    finally:
        for worker in workers.values():
            worker.close()
    return {name: rounds[-args.rounds :] for name, rounds in answers.items()}


def show(values, unit, pairs):
    """Print and return ``values``, ``{name: [number of each round]}``, and the ratios of ``pairs``."""
    ratios = {
        f"{a} / {b}": [x / y for x, y in zip(values[a], values[b], strict=True)]
        for a, b in pairs
        if {a, b} <= values.keys()
    }
    for name, numbers in [*values.items(), *ratios.items()]:
        what = unit if name in values else "times"
        print(f"  {name:<31} {median(numbers):9.2f} {what:<12} ({min(numbers):.2f}..{max(numbers):.2f})")
    return {"unit": unit, "rounds": values, "ratios": ratios}


def step(args, workload):
    answers = alternate("fit", workload, ["hand", "kshim", "keras3"], args)
    losses = {name: rounds[-1]["loss"] for name, rounds in answers.items()}
    print("  last loss: " + ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items()))
    values = {name: [answer["step"] for answer in rounds] for name, rounds in answers.items()}
    pairs = [("kshim", "hand"), ("keras3", "kshim"), ("keras3", "hand")]
    return show(values, "µs a step", pairs) | {"last_loss": losses}


def predict(args):
    answers = alternate("predict", "guide", ["kshim", "keras3"], args, before=["fit"])
    values = {
        f"{name} {kind}": [answer[kind] for answer in rounds]
        for name, rounds in answers.items()
        for kind in ("predict", "module")
    }
    pairs = [(f"{name} predict", f"{name} module") for name in answers]
    return show(values, "ms a call", [*pairs, ("keras3 predict", "kshim predict")])


def optimizer(args):
    done = subprocess.run(
        [sys.executable, HERE / "optimizers.py", str(args.threads), str(args.rounds)],
        env=environment(args.threads), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    values = {f"{name} {size}": rounds for size, own in json.loads(done.stdout).items() for name, rounds in own.items()}
    reference = "torch Adam(fused)"
    pairs = [(name, f"{reference} {name.rpartition(' ')[2]}") for name in values if not name.startswith(reference)]
    return show(values, "µs an update", pairs)


def imports(args):
    values = {"torch": [], "kshim": [], "keras": []}
    for number in range(WARMUP + args.rounds):
        for name in list(values):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", f"import {name}"], env=environment(args.threads), capture_output=True, text=True
            )
            spent = time.perf_counter() - start
            if done.returncode:
                print(f"  {name} absent ({(done.stderr.strip() or 'no message').splitlines()[-1]})")
                del values[name]
            elif number >= WARMUP:
                values[name].append(spent * 1e3)
    return show(values, "ms a process", [("kshim", "torch"), ("keras", "torch"), ("keras", "kshim")])


PARTS = {
    **{name: (f"training step, {name}", functools.partial(step, workload=name)) for name in WORKLOADS},
    "predict": ("predict(x[:1]) and the bare module, guide", predict),
    "optimizer": ("an update of 200 weight arrays", optimizer),
    "import": ("import in a fresh process", imports),
}


def main():
    parser = argparse.ArgumentParser(description="kshim beside PyTorch by hand and Keras 3")
    parser.add_argument("--only", choices=PARTS, help="one part (default: all)")
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds, at least 7 (default: 9)")
    parser.add_argument("--threads", type=int, default=0, help="torch threads of each (default: torch's own)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there too")
    args = parser.parse_args()
    if args.rounds < 7 or args.threads < 0:
        parser.error(
            f"expected --rounds of 7 or more and --threads of 0 or more. Received: {args.rounds}, {args.threads}"
        )
    results = {}
    for name in [args.only] if args.only else PARTS:
        title, measure = PARTS[name]
        print(f"{title}: medians of {args.rounds} rounds (min..max)")
        results[name] = measure(args)
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Updates of 200 weight arrays beside ``torch.optim.Adam(fused=True)``: ``python optimizers.py THREADS ROUNDS``.

Prints one JSON line: ``{size: {name: [µs of an update, by round]}}``. All contenders are in one process and are
measured in turn; an update is what comes after ``backward``, from gradients to new weights and no gradients.
"""

import json
import sys
import time
from statistics import median

import torch

from kshim import Variable, optimizers

ARRAYS = 200
SIZES = {"small": ((64, 64), (64,)), "medium": ((128, 128), (128,)), "large": ((512, 512), (512,))}
NAMES = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion", "Adamax", "Nadam", "Lamb")
UPDATES = 5  # in a measurement; its time is their median


def contenders(shapes, device):
    """``{name: (parameters, update)}``."""

    def made(kind):
        return [kind(torch.randn(shape, device=device)) for shape in shapes]

    found = {}
    weights = made(torch.nn.Parameter)
    torchs = torch.optim.Adam(weights, fused=True)

    def reference():
        torchs.step()
        torchs.zero_grad()

    found["torch Adam(fused)"] = weights, reference
    for name in NAMES:
        weights = made(Variable)
        ours = getattr(optimizers, name)()
        ours.build(weights)
        found[name] = weights, ours.update_from_grads
    return found


def measured(weights, update, grads):
    """Microseconds of an update."""
    times = []
    for _ in range(UPDATES):
        for weight, grad in zip(weights, grads, strict=True):
            weight.grad = grad.clone()
        if grads[0].is_cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        update()
        if grads[0].is_cuda:
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1e6)
    return median(times)


def main(threads, rounds):
    if threads:
        torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    results = {}
    for size, shapes in SIZES.items():
        shapes = [*shapes] * (ARRAYS // 2)
        grads = [torch.randn(shape, device=device) * 0.01 for shape in shapes]
        own = contenders(shapes, device)
        results[size] = {name: [] for name in own}
        for number in range(rounds + 2):
            for name, (weights, update) in own.items():
                spent = measured(weights, update, grads)
                if number >= 2:  # the first rounds are thrown away
                    results[size][name].append(spent)
    print(json.dumps(results))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))

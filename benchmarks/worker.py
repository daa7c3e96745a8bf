"""One contender in a process of its own: ``worker.py CONTENDER WORKLOAD THREADS``, started by ``run.py``.

Says one JSON line when ready (or ``{"absent": reason}``), then answers each line on stdin, ``fit`` or
``predict``, with one more; between them it blocks on stdin. Ends when stdin does.
"""

import importlib
import json
import os
import sys
import time
from statistics import median

import torch
from torch.nn import functional
from workloads import WORKLOADS

CALLS = 50  # of predict, and of the model itself, behind one answer to "predict"


# Loss on logits, and which rows of a batch are right.
LOSSES = {
    "binary_crossentropy": (functional.binary_cross_entropy_with_logits, lambda z, y: (z > 0) == (y > 0.5)),
    "categorical_crossentropy": (functional.cross_entropy, lambda z, y: z.argmax(1) == y.argmax(1)),
}


class Hand:
    """PyTorch as a careful person writes it: data on the device once, one gather an epoch, nothing read
    back before the epoch is over."""

    def __init__(self, work):
        self.version = torch.__version__
        self.work = work
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        x, y = work.data()
        if work.images:
            x = x.transpose(0, 3, 1, 2).copy()
        self.x, self.y = torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device)
        self.model = work.hand().to(self.device)
        for name, weight in self.model.named_parameters():  # what the others start from
            if weight.dim() > 1:
                torch.nn.init.xavier_uniform_(weight)
            elif name.endswith("bias"):
                torch.nn.init.zeros_(weight)
        self.loss, self.right = LOSSES[work.loss]
        self.optimizer = torch.optim.RMSprop(self.model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)

    def fit(self):
        batch, order = self.work.batch, torch.randperm(self.work.rows, device=self.device)
        total, hits = torch.zeros(2, device=self.device)
        for x, y in zip(self.x[order].split(batch), self.y[order].split(batch), strict=True):
            self.optimizer.zero_grad(set_to_none=True)
            logits = self.model(x)
            loss = self.loss(logits, y)
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(x)
            hits += self.right(logits.detach(), y).sum()
        self.accuracy = hits.item() / self.work.rows
        return total.item() / self.work.rows


class Keras:
    """The script a user writes, on ``library``: "kshim" or "keras"."""

    def __init__(self, work, library):
        keras = importlib.import_module(library)
        self.version = getattr(keras, "__version__", "?")
        self.work = work
        self.x, self.y = work.data()
        self.model = work.model(keras)
        self.model.compile(loss=work.loss, optimizer=work.optimizer, metrics=list(work.metrics))
        self.device = str(next(self.model.parameters()).device)
        self.options = {"verbose": 0}
        if work.watched:
            own = keras.callbacks
            stop = own.EarlyStopping("loss", patience=1000)
            plateau = own.ReduceLROnPlateau("loss", patience=1000)
            self.options = {"verbose": 1, "callbacks": [stop, plateau, own.TerminateOnNaN()]}

    def fit(self):
        history = self.model.fit(self.x, self.y, epochs=1, batch_size=self.work.batch, **self.options)
        return float(history.history["loss"][-1])

    def predict(self):
        """Milliseconds of ``predict(x[:1])``, and of calling the model as the torch module it is."""
        row = self.x[:1]
        tensor = torch.from_numpy(row).to(self.device)
        predict, _ = timed(lambda: self.model.predict(row, verbose=0), CALLS)
        with torch.no_grad():
            module, _ = timed(lambda: self.model(tensor), CALLS)
        return {"predict": predict * 1e3, "module": module * 1e3}


CONTENDERS = {
    "hand": Hand,
    "kshim": lambda work: Keras(work, "kshim"),
    "keras3": lambda work: Keras(work, "keras"),
}


def timed(call, times):
    """Median seconds of ``times`` calls, and what the last one returned."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        result = call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - start)
    return median(spent), result


def main(name, workload, threads):
    pipe = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints goes to stderr, the pipe is ours

    def say(**answer):
        pipe.write(json.dumps(answer) + "\n")

    torch.set_flush_denormal(True)  # else dead units make later epochs slower: RMSprop decays to denormals
    if threads:
        torch.set_num_threads(threads)
    work = WORKLOADS[workload]
    try:
        contender = CONTENDERS[name](work)
    except Exception as error:  # not installed, or cannot build the model: the report says which
        return say(absent=f"{type(error).__name__}: {error}")
    say(version=contender.version, device=contender.device, threads=torch.get_num_threads())
    for order in map(str.strip, sys.stdin):
        if order == "fit":
            spent, loss = timed(contender.fit, work.epochs)
            say(step=spent / work.steps * 1e6, loss=loss)
        else:
            say(**contender.predict())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

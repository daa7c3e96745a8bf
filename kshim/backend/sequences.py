"""K functions over time and elements: ``rnn``, CTC, ``map_fn`` and folds.

Source: Keras 2.3.1 ``backend/tensorflow_backend.py``; CTC: Graves et al. 2006.
"""

import torch
from torch.nn import functional as F

from kshim.backend.recording import op
from kshim.core import dtypes, settings, tree
from kshim.core.arrays import to_tensor
from kshim.graph import infer


@op
def rnn(step_function, inputs, initial_states, go_backwards=False, mask=None, constants=None, unroll=False,
        input_length=None, time_major=False, zero_output_for_mask=False, return_all_outputs=True):  # fmt: skip
    """Run ``step_function(input, states) -> (output, new states)`` over the time axis.

    Args:
        step_function: takes the inputs of a step, ``(batch, ...)``, and the list of states with the constants behind.
        inputs: ``(batch, time, ...)``, or ``(time, batch, ...)`` with ``time_major``.
        initial_states: a list of tensors.
        go_backwards: whether time runs from the end.
        mask: ``(batch, time)`` or with a last axis of 1; where false, output and states stay what they were.
        constants: a list of tensors that each step is given.
        unroll, input_length: accepted: the loop is the same.
        zero_output_for_mask: whether outputs of masked steps are zeros rather than the step's before.
        return_all_outputs: False gives the last output alone, with a time axis of 1.

    Returns: ``(last output, outputs (batch, time, ...), states)``.

    Raises: ValueError if the inputs have fewer than 3 axes, or a mask comes without states.
    """
    nested = tree.is_nested(inputs)
    parts = [to_tensor(x) for x in tree.flatten(inputs)]
    if any(x.dim() < 3 for x in parts):
        raise ValueError(f"Input should be at least 3D. Received: K.rnn on shapes {[tuple(x.shape) for x in parts]}.")
    if not time_major:
        parts = [x.transpose(0, 1) for x in parts]
    steps, states = parts[0].shape[0], [to_tensor(s) for s in initial_states]
    if steps == 0:
        raise ValueError(f"K.rnn: expected at least one step. Received: inputs of shape {tuple(parts[0].shape)}.")
    if mask is not None:
        if not states and not unroll:
            raise ValueError("No initial states provided! When using masking in an RNN, you should provide them.")
        mask = to_tensor(mask).bool()
        mask = mask if time_major else mask.transpose(0, 1)
    constants = list(constants or [])
    outputs: list = []
    gives_state = settings.holds(until="2.2.4") and not unroll  # where masked; later the output of the step before
    for t in reversed(range(steps)) if go_backwards else range(steps):
        now = tree.pack_like(inputs, [x[t] for x in parts]) if nested else parts[0][t]
        output, new = step_function(now, [*states, *constants])
        new = list(new)
        if mask is not None:
            if gives_state:
                before = states[0]
            else:
                before = torch.zeros_like(output) if zero_output_for_mask or not outputs else outputs[-1]
            output = torch.where(_like(mask[t], output), output, before)
            new = [torch.where(_like(mask[t], s), s, old) for s, old in zip(new, states, strict=True)]
        outputs.append(output)
        states = new
    last = outputs[-1]
    joined = torch.stack(outputs if return_all_outputs else outputs[-1:], 0 if time_major else 1)
    return last, joined, states


def _like(mask, value):
    mask = mask.reshape(mask.shape[0], -1) if mask.dim() > value.dim() else mask
    return mask.reshape(*mask.shape, *[1] * (value.dim() - mask.dim()))


@op
def ctc_batch_cost(y_true, y_pred, input_length, label_length):
    """The CTC loss of each sample, ``(batch, 1)``.

    Args:
        y_true: ``(batch, longest label)`` class indices.
        y_pred: ``(batch, time, classes)`` probabilities; the last class is the blank.
        input_length, label_length: ``(batch, 1)`` ints.
    """
    y_true, y_pred = to_tensor(y_true), to_tensor(y_pred)
    lengths = [to_tensor(n).reshape(-1).long() for n in (input_length, label_length)]
    logs = torch.log_softmax(torch.log(y_pred.transpose(0, 1) + 1e-7), -1)
    if infer.is_running():  # torch has no meta run of CTC
        return logs.sum((0, 2)).unsqueeze(1)
    values = F.ctc_loss(logs, y_true.long(), *lengths, blank=y_pred.shape[-1] - 1, reduction="none")
    return values.unsqueeze(1)


def ctc_label_dense_to_sparse(labels, label_lengths):
    """The labels as a sparse tensor, each row as long as its length says."""
    labels, lengths = to_tensor(labels), to_tensor(label_lengths).reshape(-1)
    held = torch.arange(labels.shape[1], device=labels.device) < lengths[:, None]
    return torch.sparse_coo_tensor(held.nonzero().t(), labels[held], tuple(labels.shape), check_invariants=True)


@op
def ctc_decode(y_pred, input_length, greedy=True, beam_width=100, top_paths=1, merge_repeated=False):
    """The likeliest labels of ``(batch, time, classes)`` probabilities, whose last class is the blank.

    Args:
        y_pred: probabilities.
        input_length: ``(batch,)`` ints.
        greedy: whether the likeliest class of each step is taken; else a beam search.
        beam_width, top_paths: how many prefixes the search keeps, and how many it gives.
        merge_repeated: whether repeated labels of a found path are joined.

    Returns: ``([(batch, longest) labels with -1 behind the end, ...], (batch, paths) log probabilities)``; greedy
        gives minus the sum of the best logits, as TensorFlow does.
    """
    y_pred = to_tensor(y_pred)
    logs, lengths = torch.log(y_pred + 1e-7), to_tensor(input_length).reshape(-1).tolist()
    blank = y_pred.shape[-1] - 1
    paths: list = [[] for _ in range(1 if greedy else top_paths)]
    scores = []
    for row, length in zip(logs, lengths, strict=True):
        row = row[:length]
        if greedy:
            best = row.max(-1)
            found = [(_joined(best.indices.tolist(), blank), -best.values.sum().item())]
        else:
            found = _beam(row.log_softmax(-1).tolist(), blank, beam_width)[:top_paths]
            found += [([], -float("inf"))] * (top_paths - len(found))
        for place, (path, _) in zip(paths, found, strict=True):
            place.append(_joined(path, blank) if merge_repeated and not greedy else path)
        scores.append([score for _, score in found])
    return [_dense(place) for place in paths], torch.tensor(scores)


def _joined(path, blank):
    return [c for i, c in enumerate(path) if c != blank and (i == 0 or c != path[i - 1])]


def _dense(rows):
    longest = max(map(len, rows), default=0)
    return torch.tensor([row + [-1] * (longest - len(row)) for row in rows], dtype=torch.int64).reshape(-1, longest)


def _beam(steps, blank, width):
    """Prefixes with their log probability, the best first: a beam search over prefixes (Graves 2012)."""
    none = -float("inf")

    def plus(a, b):
        return torch.logaddexp(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)).item()

    beam = {(): (0.0, none)}  # prefix -> (ends in a blank, ends in its last label)
    for step in steps:
        grown: dict = {}
        for prefix, (with_blank, with_label) in beam.items():
            total = plus(with_blank, with_label)
            for c, log in enumerate(step):
                if c == blank:
                    pairs = [(prefix, total + log, none)]
                elif prefix and prefix[-1] == c:
                    pairs = [(prefix, none, with_label + log), ((*prefix, c), none, with_blank + log)]
                else:
                    pairs = [((*prefix, c), none, total + log)]
                for key, a, b in pairs:
                    old = grown.get(key, (none, none))
                    grown[key] = (plus(old[0], a), plus(old[1], b))
        beam = dict(sorted(grown.items(), key=lambda item: -plus(*item[1]))[:width])
    return [(list(prefix), plus(*both)) for prefix, both in beam.items()]


@op
def map_fn(fn, elems, name=None, dtype=None):
    """``fn`` of each element along the first axis, stacked; ``elems`` may be a tuple, handed to ``fn`` together."""
    parts = tree.map_structure(to_tensor, elems)
    count = len(tree.flatten(parts)[0])
    results = [fn(tree.map_structure(lambda x, i=i: x[i], parts)) for i in range(count)]
    stacked = tree.map_structure(lambda *values: torch.stack(values), *results)
    return stacked if dtype is None else tree.map_structure(lambda x: x.to(dtypes.to_torch(dtype)), stacked)


def _fold(fn, elems, initializer, order):
    elems = to_tensor(elems)
    indices = list(order(range(len(elems))))
    held = elems[indices.pop(0)] if initializer is None else to_tensor(initializer)
    for i in indices:
        held = fn(held, elems[i])
    return held


@op
def foldl(fn, elems, initializer=None, name=None):
    """``fn(held, element)`` from the first element to the last; None begins with the first."""
    return _fold(fn, elems, initializer, iter)


@op
def foldr(fn, elems, initializer=None, name=None):
    """``fn(held, element)`` from the last element to the first; None begins with the last."""
    return _fold(fn, elems, initializer, reversed)

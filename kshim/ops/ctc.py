"""Connectionist temporal classification: its loss, and labels from its outputs.

Source: Keras 3 ``ops/nn.py``; Graves et al. 2006.
"""

import torch
import torch.nn.functional as F

from kshim.core import dtypes
from kshim.graph.op import op
from kshim.ops.casting import tensor

_HASH = 6364136223846793005  # an odd number of 63 bits (Knuth's), whose powers are far apart


@op
def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """How unlikely the labels are under all alignments to the steps: one number for each sample.

    Args:
        target: int labels ``(batch, labels)``.
        output: logits ``(batch, steps, classes)``.
        target_length, output_length: how many labels and steps of each sample count, ``(batch,)``.
        mask_index: the class of "no label".

    Raises: ValueError for other ranks.
    """
    target, output = tensor(target), tensor(output)
    if target.dim() != 2 or output.dim() != 3:
        raise ValueError(
            "ctc_loss: expected `target` of rank 2 and `output` of rank 3. Received: "
            f"target.shape={tuple(target.shape)}, output.shape={tuple(output.shape)}."
        )
    scores = F.log_softmax(output.to(dtypes.result_type(output.dtype, torch.float32)), -1).transpose(0, 1)
    if output.is_meta:  # torch has no such kernel
        return scores.new_empty(output.shape[0])
    lengths = tensor(output_length), tensor(target_length)
    return F.ctc_loss(scores, target, *lengths, blank=mask_index, reduction="none")


@op
def ctc_decode(inputs, sequence_lengths, strategy="greedy", beam_width=100, top_paths=1, merge_repeated=True,
               mask_index=0):  # fmt: skip
    """The likeliest labels, and their scores.

    Args:
        inputs: logits ``(batch, steps, classes)``.
        sequence_lengths: how many steps of each sample count, ``(batch,)``.
        strategy: ``"greedy"`` takes each step's likeliest class, ``"beam_search"`` keeps ``beam_width`` prefixes.
        top_paths: how many label sequences a beam search gives.
        merge_repeated: whether the greedy strategy takes a class that is repeated as one label.
        mask_index: the class of "no label"; None means the last one.

    Returns: labels ``(paths, batch, steps)`` int32, filled up with -1; scores ``(batch, paths)``: of the greedy
        strategy the negative sum of the largest logits, of the beam search log probabilities.

    Raises: ValueError for another ``strategy``, or ``inputs`` of another rank.
    """
    x = tensor(inputs)
    if x.dim() != 3:
        raise ValueError(f"ctc_decode: expected `inputs` of rank 3. Received: inputs.shape={tuple(x.shape)}.")
    x = x.to(dtypes.result_type(x.dtype, torch.float32))
    lengths = tensor(sequence_lengths, torch.int32, x.device)
    mask_index = x.shape[-1] - 1 if mask_index is None else mask_index
    if strategy == "greedy":
        return _greedy(x, lengths, merge_repeated, mask_index)
    if strategy == "beam_search":
        return _beam_search(F.log_softmax(x, -1), lengths, beam_width, top_paths, mask_index)
    raise ValueError(f"ctc_decode: expected `strategy` to be 'greedy' or 'beam_search'. Received: {strategy!r}.")


def _greedy(x, lengths, merge_repeated, blank):
    scores, labels = torch.max(x, -1)
    labels = labels.int()
    beyond = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
    labels, scores = labels.masked_fill(beyond, blank), scores.masked_fill(beyond, 0)
    empty = labels == blank
    if merge_repeated:
        empty = empty | F.pad(labels[:, 1:] == labels[:, :-1], (1, 0))
    order = torch.argsort(empty.byte(), dim=-1, stable=True)  # labels first, in their order
    labels = labels.masked_fill(empty, -1).take_along_dim(order, -1)
    return labels[None], -scores.sum(1, keepdim=True)


def _beam_search(scores, lengths, width, top_paths, blank):
    """Prefix beam search, all samples of the batch together.

    Of each prefix is kept: its labels, its length, a hash of it and of its prefix (to find what an extension equals),
    and the log probabilities of ending in its last label, and in a blank.
    """
    batch, steps, classes = scores.shape
    device = scores.device
    paths = torch.full((batch, width, steps), -1, dtype=torch.int32, device=device)
    length = torch.zeros((batch, width), dtype=torch.int64, device=device)
    hashes, parents = torch.zeros_like(length), torch.full_like(length, -1)
    in_label = scores.new_full((batch, width), -torch.inf)
    in_blank = in_label.clone()
    in_blank[:, 0] = 0  # the empty prefix
    labels = torch.arange(classes, device=device)
    places = torch.arange(steps, device=device)
    for step in range(steps):
        x = scores[:, step]
        total = torch.logaddexp(in_label, in_blank)
        last = paths.gather(2, (length - 1).clamp(min=0)[..., None]).squeeze(2).long()
        last = torch.where(length > 0, last, -1)
        stay_blank = total + x[:, blank, None]
        stay_label = in_label + x.gather(1, last.clamp(min=0))
        repeated = labels == last[..., None]
        longer = torch.where(repeated, in_blank[..., None], total[..., None]) + x[:, None]
        longer[..., blank] = -torch.inf
        # A prefix extended by a label may be one that is there: then its probability is added to that one's.
        equal = (hashes[:, None] == parents[..., None]) & (length[:, None] + 1 == length[..., None])
        found, where = equal.max(-1)  # for each prefix: where its own prefix is
        same = paths.masked_fill(places == (length - 1)[..., None], -1)
        same = (paths.gather(1, where[..., None].expand_as(paths)) == same).all(-1)
        found = found & same & (total > -torch.inf)
        place = where * classes + last.clamp(min=0)
        added = longer.flatten(1).gather(1, place)
        stay_label = torch.where(found, torch.logaddexp(stay_label, added), stay_label)
        taken = torch.zeros_like(longer.flatten(1), dtype=torch.int8).scatter_add_(1, place, found.to(torch.int8))
        longer = longer.flatten(1).masked_fill(taken > 0, -torch.inf)

        new_label = torch.cat((stay_label, longer), 1)
        new_blank = F.pad(stay_blank, (0, longer.shape[1]), value=-torch.inf)
        best = torch.topk(torch.logaddexp(new_label, new_blank), width, dim=1).indices
        extended = best >= width
        source = torch.where(extended, (best - width) // classes, best)
        label = (best - width) % classes
        new_length = length.gather(1, source)
        new_paths = paths.gather(1, source[..., None].expand_as(paths))
        written = extended[..., None] & (places == new_length[..., None])
        new_paths = torch.where(written, label[..., None].int(), new_paths)
        own = hashes.gather(1, source)
        # Every sample has a first step, as in Keras.
        runs = ((lengths > step) | (step == 0))[:, None]
        paths = torch.where(runs[..., None], new_paths, paths)
        parents = torch.where(runs, torch.where(extended, own, parents.gather(1, source)), parents)
        hashes = torch.where(runs, torch.where(extended, own * _HASH + label + 1, own), hashes)
        length = torch.where(runs, new_length + extended, length)
        in_label = torch.where(runs, new_label.gather(1, best), in_label)
        in_blank = torch.where(runs, new_blank.gather(1, best), in_blank)
    best = torch.topk(torch.logaddexp(in_label, in_blank), top_paths, dim=1)
    paths = paths.gather(1, best.indices[..., None].expand(-1, -1, steps))
    return paths.transpose(0, 1), best.values

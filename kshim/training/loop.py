"""The epoch, written once for training, evaluation and prediction."""

import contextlib

STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def run_epoch(batches, step, callbacks, phase, logs=None, at_once=1, start=0):
    """Run ``step`` on every batch, until the model's ``stop_...`` flag is set; returns how many there were.

    Args:
        batches: a generator of tuples, each the arguments of ``step``; it is closed at the end, also by an error.
        step: called as ``step(*batch)``.
        callbacks: a ``CallbackList``; it hears ``<phase>_batch_begin`` and ``_end``.
        phase: "train", "test" or "predict".
        logs: function without arguments that gives the logs so far; called only if a callback reads them.
        at_once: of so many batches the callbacks hear as one: its first one's index at the begin, its last's at the
            end. Only then the flag is looked at.
        start: the index of the first batch, above 0 in an epoch that was interrupted; earlier ones count as run.
    """
    begin, end = f"{phase}_batch_begin", f"{phase}_batch_end"
    tell_begin, tell_end = callbacks.listens(begin), callbacks.listens(end)
    model, stop = callbacks.model, STOP[phase]
    index = start - 1
    with contextlib.closing(batches):
        if start and getattr(model, stop, False):
            return start
        for index, batch in enumerate(batches, start):
            if tell_begin and index % at_once == 0:
                callbacks.notify(begin, index)
            step(*batch)
            if (index + 1) % at_once:
                continue
            if tell_end:
                callbacks.notify(end, index, logs)
            if getattr(model, stop, False):
                break
        if tell_end and (index + 1) % at_once and index >= start:
            callbacks.notify(end, index, logs)
    return index + 1

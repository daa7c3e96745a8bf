"""The epoch, written once for training, evaluation and prediction."""

STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def run_epoch(batches, step, callbacks, phase, logs=None):
    """Run ``step`` on every batch, until the model's ``stop_...`` flag is set; returns how many there were.

    Args:
        batches: an iterable of tuples, each the arguments of ``step``.
        step: called as ``step(*batch)``.
        callbacks: a ``CallbackList``; it hears ``<phase>_batch_begin`` and ``_end``.
        phase: "train", "test" or "predict".
        logs: function without arguments that gives the logs so far; called only if a callback reads them.
    """
    begin, end = f"{phase}_batch_begin", f"{phase}_batch_end"
    tell_begin, tell_end = callbacks.listens(begin), callbacks.listens(end)
    model, stop = callbacks.model, STOP[phase]
    index = -1
    for index, batch in enumerate(batches):
        if tell_begin:
            callbacks.notify(begin, index)
        step(*batch)
        if tell_end:
            callbacks.notify(end, index, logs)
        if getattr(model, stop, False):
            break
    return index + 1

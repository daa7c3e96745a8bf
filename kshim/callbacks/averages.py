"""Evaluation with the moving average of the weights.

Source: Keras 3 ``callbacks/swap_ema_weights.py``.
"""

import torch

from kshim.callbacks.base import Callback


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving average of the weights into the model while it is evaluated or predicts.

    The optimizer has ``use_ema=True``. Between two of its updates a copy of the trained weights is kept here; the
    average itself is never written to. Before the first update there is no average, and nothing is swapped.

    Args:
        swap_on_epoch: whether the average also stands in the model from the end of an epoch to the start of the next,
            for callbacks after this one, such as ``ModelCheckpoint``.

    Raises:
        ValueError: no optimizer of the model has ``use_ema=True``.
    """

    def __init__(self, swap_on_epoch=False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._trained = None  # (weight, its trained values) while the average is in the model

    def on_epoch_begin(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._put_back()

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._put_average()

    def on_test_begin(self, logs=None):
        self._put_average()

    def on_test_end(self, logs=None):
        self._put_back()

    def on_predict_begin(self, logs=None):
        self._put_average()

    def on_predict_end(self, logs=None):
        self._put_back()

    def on_train_begin(self, logs=None):
        self._trained = None  # of a run that was cut off

    def on_train_end(self, logs=None):
        self._trained = None  # the optimizer has put the average into the model by now

    def state_dict(self):
        """What ``BackupAndRestore`` keeps: the trained weights while the average is in the model."""
        return {"trained": None if self._trained is None else [values for _, values in self._trained]}

    def load_state_dict(self, state):
        """Take up what ``state_dict`` gave; the optimizer has its own state by then."""
        weights = [weight for weight, _ in _averages(self.model.optimizer)]
        trained = state["trained"]
        self._trained = None if trained is None else list(zip(weights, trained, strict=True))

    def _put_average(self):
        pairs = _averages(self.model.optimizer)
        if self._trained is None and pairs:
            self._trained = [(weight, weight.detach().clone()) for weight, _ in pairs]
            _write(pairs)

    def _put_back(self):
        if self._trained is not None:
            _write(self._trained)
            self._trained = None


def _write(pairs):
    with torch.no_grad():
        for weight, values in pairs:
            weight.detach().copy_(values)


def _averages(optimizer):
    """``(weight, its average)`` pairs of all optimizers that keep one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    several = getattr(optimizer, "optimizers", None)
    keeping = [each for each in several or [optimizer] if getattr(each, "use_ema", False)]
    if not keeping:
        raise ValueError(
            "SwapEMAWeights must be used when at least one inner optimizer has `use_ema=True` set. Received a "
            "MultiOptimizer with all inner optimizers having `use_ema=False`."
            if several
            else "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. Received: use_ema="
            f"{getattr(optimizer, 'use_ema', None)}. Compile with e.g. optimizers.Adam(use_ema=True)."
        )
    return [
        (weight, each.state[weight]["average"])
        for each in keeping
        if each.built and int(each.iterations)
        for group in each.param_groups
        for weight in group["params"]
        if "average" in each.state.get(weight, {})
    ]

"""Small callbacks.

Source: Keras 3 ``callbacks/lambda_callback.py``, ``callbacks/terminate_on_nan.py``.
"""

import math

from kshim.callbacks.base import EMPTY, Callback
from kshim.core import checks
from kshim.core.progress import print_msg


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        on_epoch_begin, on_epoch_end: called with ``(epoch, logs)``.
        on_train_begin, on_train_end: called with ``(logs)``.
        on_train_batch_begin, on_train_batch_end: called with ``(batch, logs)``.
        kwargs: functions for any other hook by its name, and any further attributes.

    Raises:
        TypeError: a keyword that begins with ``on_`` is no hook.
    """

    def __init__(
        self,
        on_epoch_begin=None,
        on_epoch_end=None,
        on_train_begin=None,
        on_train_end=None,
        on_train_batch_begin=None,
        on_train_batch_end=None,
        **kwargs,
    ):
        super().__init__()
        named = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name in kwargs:
            if name.startswith("on_") and name not in EMPTY:
                raise TypeError(
                    f"LambdaCallback: expected the name of a hook. Received: {name!r}.{checks.nearest(name, EMPTY)}"
                )
        for name, function in (named | kwargs).items():
            if function is not None:
                setattr(self, name, function)


class TerminateOnNaN(Callback):
    """Stops training when the loss is not a number, or infinite.

    It looks at the loss after each batch, so each batch's loss is read from the device.

    Args:
        raise_error: whether to raise rather than stop in good order; then no callback hears of the end.

    Raises:
        RuntimeError: such a loss with ``raise_error=True``.
    """

    def __init__(self, raise_error=False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating training immediately."
            )
        print_msg(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True

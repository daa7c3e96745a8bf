"""``keras.config``: settings of the process. Nothing inside kshim imports it.

Source: Keras 3 ``backend/config.py``.
"""

from kshim.core.progress import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from kshim.core.settings import (
    disable_flash_attention,
    disable_traceback_filtering,
    enable_flash_attention,
    enable_traceback_filtering,
    enable_unsafe_deserialization,
    epsilon,
    floatx,
    image_data_format,
    is_flash_attention_enabled,
    is_traceback_filtering_enabled,
    max_epochs,
    max_steps_per_epoch,
    set_epsilon,
    set_floatx,
    set_image_data_format,
    set_max_epochs,
    set_max_steps_per_epoch,
)
from kshim.dtype_policies import dtype_policy, set_dtype_policy

__all__ = [
    "backend", "disable_flash_attention", "disable_interactive_logging", "disable_traceback_filtering", "dtype_policy",
    "enable_flash_attention", "enable_interactive_logging", "enable_traceback_filtering",
    "enable_unsafe_deserialization", "epsilon", "floatx", "image_data_format", "is_flash_attention_enabled",
    "is_interactive_logging_enabled", "is_nnx_enabled", "is_traceback_filtering_enabled", "max_epochs",
    "max_steps_per_epoch", "set_backend", "set_dtype_policy", "set_epsilon", "set_floatx", "set_image_data_format",
    "set_max_epochs", "set_max_steps_per_epoch",
]  # fmt: skip


def backend():
    """``"torch"``, the only one that kshim runs on."""
    return "torch"


def set_backend(backend):
    """Say which back end is wanted.

    Raises: ValueError for another than ``"torch"``.
    """
    if backend != "torch":
        raise ValueError(
            f"Expected the back end 'torch'. Received: backend={backend!r}. kshim runs Keras on PyTorch alone; the "
            "script's own `keras.ops` and layers need no other."
        )


def is_nnx_enabled():
    """False: NNX is JAX's."""
    return False

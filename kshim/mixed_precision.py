"""``keras.mixed_precision``: the dtype policies and the optimizer that scales the loss, under its names."""

from kshim.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy
from kshim.optimizers import LossScaleOptimizer

Policy = DTypePolicy
global_policy = dtype_policy
set_global_policy = set_dtype_policy

__all__ = [
    "DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy",
    "set_global_policy",
]  # fmt: skip

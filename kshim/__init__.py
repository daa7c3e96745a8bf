"""kshim runs Keras scripts of every generation on PyTorch: ``import kshim as keras``, or ``python -m kshim run``."""

import importlib

from kshim import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    optimizers,
    random,
    regularizers,
    saving,
    tree,
    utils,
)
from kshim.core.checks import nearest as _nearest
from kshim.core.devices import device
from kshim.core.settings import dialect, set_dialect
from kshim.core.variable import Variable
from kshim.dtype_policies import DTypePolicy
from kshim.graph.keras_tensor import KerasTensor
from kshim.initializers import Initializer
from kshim.layers import Input, InputSpec, Layer
from kshim.losses import Loss
from kshim.metrics import Metric
from kshim.models import Functional, Model, Sequential
from kshim.ops.control import remat
from kshim.optimizers import Optimizer
from kshim.regularizers import Regularizer

try:
    import kshim.legacy  # noqa: F401 - sets the hooks through which old calls are understood
    from kshim.shim import install, uninstall
except ModuleNotFoundError as _error:  # everything below works without the old generations
    if _error.name not in ("kshim.legacy", "kshim.shim"):
        raise

__version__ = "0.1.0"

_LAZY = ("applications", "datasets", "preprocessing")  # loaded on first use

__all__ = [
    "DTypePolicy", "Functional", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss", "Metric", "Model",
    "Optimizer", "Regularizer", "Sequential", "Variable", "activations", "applications", "backend", "callbacks",
    "config", "constraints", "datasets", "device", "dialect", "dtype_policies", "initializers", "install", "layers",
    "losses", "metrics", "mixed_precision", "models", "optimizers", "preprocessing", "random", "regularizers",
    "remat", "saving", "set_dialect", "tree", "uninstall", "utils",
]  # fmt: skip


def __getattr__(name):
    if name in _LAZY:
        return importlib.import_module(f"kshim.{name}")
    raise AttributeError(f"kshim has no keras.{name} yet.{_nearest(name, __all__)}")

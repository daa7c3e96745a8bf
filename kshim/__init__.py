"""kshim: Keras scripts of every generation on PyTorch."""

import importlib

from kshim import activations, callbacks, constraints, initializers, layers, losses, metrics, models, optimizers
from kshim import regularizers
from kshim.layers import Input, Layer
from kshim.models import Functional, Model, Sequential

__version__ = "0.1.0"

"""Models: graphs, stacks and subclasses."""

from kshim.layers import LAYERS
from kshim.models.model import Functional, Model
from kshim.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential"]

LAYERS.add(Functional, Model, Sequential)

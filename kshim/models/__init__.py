"""Models: graphs, stacks and subclasses."""

from kshim.layers import LAYERS
from kshim.models.cloning import clone_model
from kshim.models.model import Functional, Model
from kshim.models.sequential import Sequential
from kshim.models.text import model_from_config, model_from_json
from kshim.saving import load_model, save_model

__all__ = [
    "Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_config", "model_from_json",
    "save_model",
]  # fmt: skip

LAYERS.add(Functional, Model, Sequential)

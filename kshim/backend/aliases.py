"""K functions that are one torch function by another name. Data only; ``__init__`` makes functions of it."""

import torch

# One tensor in, one out.
UNARY = {
    "abs": torch.abs, "cos": torch.cos, "exp": torch.exp, "log": torch.log, "round": torch.round, "sign": torch.sign,
    "sin": torch.sin, "sqrt": torch.sqrt, "square": torch.square, "tanh": torch.tanh,
}  # fmt: skip

# Two tensors or numbers in, one tensor out, broadcast.
BINARY = {
    "equal": torch.eq, "not_equal": torch.ne, "greater": torch.gt, "greater_equal": torch.ge, "less": torch.lt,
    "less_equal": torch.le, "maximum": torch.maximum, "minimum": torch.minimum,
}  # fmt: skip

# Functions of ``core.settings`` that K has, too.
SETTINGS = ("epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx", "set_image_data_format")

# Names that some generation had for what has another here.
ALIASES = {"lesser": "less", "lesser_equal": "less_equal", "pack": "stack"}

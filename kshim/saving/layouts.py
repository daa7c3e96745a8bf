"""Where each weight of a model lies in a file: Keras 3's layout, and that of Keras 1 and 2.

A layout is a list of ``Slot``s in the order of the file. Both are read off the module tree, so any layer takes part.
"""

from typing import Any, NamedTuple

import torch

from kshim.core import names
from kshim.layers.base import own_variables

TORCH_OWN = ("_modules", "_parameters", "_buffers")  # where nn.Module itself keeps things


class Slot(NamedTuple):
    """The variables that one object keeps at one place."""

    path: str  # of the group; "" is the file itself
    owner: Any
    variables: list


def keras_3(model):
    """Keras 3's ``.weights.h5``: by attribute name, and by class and number within lists of layers.

    Layer names play no part, since they count up within a process: a model made twice fits the same file.
    Source: Keras 3 ``saving/saving_lib.py``.
    """
    slots, seen = [], set()
    _visit(model, "", slots, seen)
    return slots


def _visit(item, path, slots, seen):
    if id(item) in seen:
        return
    seen.add(id(item))
    if isinstance(item, torch.nn.Module):
        slots.append(Slot(path, item, own_variables(item)))
        for name, child in children(item):
            _visit(child, f"{path}/{name}".lstrip("/"), slots, seen)
    else:
        counts = {}
        for child in item.values() if isinstance(item, dict) else item:
            if not isinstance(child, (torch.nn.Module, list, tuple, dict)):
                continue
            is_module = isinstance(child, torch.nn.Module)
            name = names.snake_case(type(child).__name__) if is_module else "container"
            count = counts[name] = counts.get(name, -1) + 1
            _visit(child, f"{path}/{name}_{count}" if count else f"{path}/{name}", slots, seen)


def children(module):
    """``(attribute, module or container of modules)`` in Keras' order: by name, private names last.

    A graph's list of layers comes before all other attributes.
    """
    containers = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, (list, tuple, dict)) and name not in TORCH_OWN and _inside(value)
    }
    within = {id(child) for value in containers.values() for child in _inside(value)}
    # torch knows modules in containers as name_0, name_1, ...: those are not attributes.
    direct = {
        name: child
        for name, child in module._modules.items()
        if child is not None and not (id(child) in within and any(name.startswith(f"{key}_") for key in containers))
    }
    found = direct | containers
    if isinstance(getattr(type(module), "layers", None), property):
        found["layers"] = module.layers
    first = is_graph(module)
    return sorted(found.items(), key=lambda item: (not (first and item[0] == "layers"), item[0][:1] == "_", item[0]))


def _inside(container, seen=frozenset()):
    """The modules in a container, at any depth; a container within itself is passed over."""
    found, seen = [], seen | {id(container)}
    for item in container.values() if isinstance(container, dict) else container:
        if isinstance(item, torch.nn.Module):
            found.append(item)
        elif isinstance(item, (list, tuple, dict)) and id(item) not in seen:
            found += _inside(item, seen)
    return found


def is_graph(module):
    """Whether ``module`` is a Sequential or Functional model (or a subclass), whose layers are its own list."""
    return any(base.__name__ in ("Sequential", "Functional") for base in type(module).__mro__)


def keras_2(model):
    """Keras 2's ``.h5``: a group per layer of the model, named by it; within it all trainable weights first.

    Source: Keras 2.3.1 ``engine/saving.py``; ``top_level`` is what Keras 3 added to it.
    """
    return [Slot(layer.name, layer, layer_variables(layer)) for layer in model.layers]


def top_level(model):
    """Where Keras 2's layout has the variables of a model that belong to none of its layers."""
    return Slot("top_level_model_weights", model, own_variables(model))


def layer_variables(layer):
    """All variables of ``layer``, those made trainable first, whether they are frozen now or not."""
    trainable, others, seen = [], [], set()

    def visit(module):
        if id(module) in seen:
            return
        seen.add(id(module))
        for group, found in ((trainable, module._parameters), (others, module._buffers)):
            new = [v for v in found.values() if v is not None and id(v) not in seen]
            seen.update(map(id, new))
            group += new
        for child in getattr(module, "layers", None) or module._modules.values():
            if child is not None:
                visit(child)

    visit(layer)
    return trainable + others

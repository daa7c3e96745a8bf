"""What a graph computes beside its outputs: symbolic losses, metrics and updates, and what a loss closes over.

``model.add_loss(K.mean(...))`` on symbolic tensors, ``add_metric``, ``add_update``, and a ``compile(loss=fn)`` whose
function reads symbolic tensors (the autoencoder of Keras 2's examples) make the graph longer; it still runs once.
"""

import torch

from kshim.graph.function import Function
from kshim.layers import Layer


class Extension:
    """A model's graph with more outputs.

    Args:
        function: the model's graph.
        added: ``(owner, kind, symbolic tensor, more)`` of what was added.
        taps: further symbolic tensors whose values the compiled losses and metrics read.
    """

    def __init__(self, function, added, taps):
        self.added, self.taps = added, taps
        wanted = {id(t): t for t in [*(tensor for _, _, tensor, _ in added), *taps]}
        self.count = len(function.flat_outputs)
        self.places = {key: self.count + i for i, key in enumerate(wanted)}
        self.function = Function(function.inputs, [*function.flat_outputs, *wanted.values()])

    def heard(self, model, results):
        """The outputs among ``results``, after the rest went where it belongs."""
        for owner, kind, tensor, more in self.added:
            value = results[self.places[id(tensor)]]
            if kind == "loss":
                owner.add_loss(value)
            elif kind == "metric":
                with torch.no_grad():
                    more.update_state(value.detach())
            elif model.training:
                more.apply(value)
        model.__dict__["_tapped"] = [results[self.places[id(t)]] for t in self.taps]
        return results[: self.count]


def of(model):
    """The extension of ``model``'s graph, or False if there is nothing to add."""
    function, added = model._function, []
    for owner in [model, *function.operations]:
        if isinstance(owner, Layer) and (owner is model or getattr(owner, "_function", None) is None):
            own = owner.__dict__.get("_symbolic", ())
            added += [(owner, *one) for one in own if _follows(function, owner, model, one)]
    taps = model.__dict__.get("_taps", [])
    return Extension(function, added, taps) if added or taps else False


def _follows(function, owner, model, one):
    """Whether what was added to a layer belongs to this graph; the model's own must."""
    if owner is model:
        return True
    try:
        Function(function.inputs, [one[1]])
    except ValueError:  # it was added for another call of the layer
        return False
    return True

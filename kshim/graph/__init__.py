"""Floor 1: symbolic tensors, shapes from meta runs, nodes, and the lowered graph."""

from kshim.graph import node  # noqa: F401 - symbolic tensors record into it

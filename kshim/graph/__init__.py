"""Floor 1: symbolic tensors, shapes from meta runs, nodes, and the lowered graph."""

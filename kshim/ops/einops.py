"""Axes by names.

Source: Keras 3 ``ops/einops.py``.
"""

import itertools
import math
import re

from kshim.graph.op import op
from kshim.ops import casting

__all__ = ["rearrange"]

_AXES = re.compile(r"\(([^()]*)\)|(\w+)")


def _groups(pattern, side):
    """``[["b"], ["h", "w"]]`` of ``"b (h w)"``."""
    groups = [(inner if whole == "" else whole).split() for inner, whole in _AXES.findall(side)]
    names = [name for group in groups for name in group]
    if _AXES.sub("", side).strip() or len(set(names)) < len(names):
        raise ValueError(f"rearrange: expected names of axes, each once, and groups of them in parentheses. "
                         f"Received: pattern={pattern!r}.")  # fmt: skip
    return groups


@op
def rearrange(tensor, pattern, **axes_lengths):
    """Axes split, put in another order and joined, as einops writes it: ``"b (h w) c -> b c h w"``.

    Args:
        tensor: the tensor.
        pattern: names of the axes as they are, an arrow, and as they are to be; a group in parentheses is one axis.
        axes_lengths: sizes by name; in each group on the left one may be left out.

    Raises: ValueError for names that don't fit each other, the tensor's rank or its sizes.

    Source: Rogozhnikov 2022, "Einops".
    """
    x = casting.tensor(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: expected one '->' in `pattern`. Received: pattern={pattern!r}.")
    before, after = (_groups(pattern, side) for side in sides)
    names = [name for group in before for name in group]
    if len(before) != x.dim() or sorted(names) != sorted(name for group in after for name in group):
        raise ValueError(
            f"rearrange: expected a `pattern` with each of the {x.dim()} axes on both sides. "
            f"Received: pattern={pattern!r}, tensor.shape={tuple(x.shape)}."
        )
    sizes = []
    for group, size in zip(before, x.shape, strict=True):
        known = math.prod(axes_lengths.get(name, 1) for name in group)
        open_names = [name for name in group if name not in axes_lengths]
        if len(open_names) > 1 or not known or size % known or (not open_names and size != known):
            raise ValueError(
                f"rearrange: expected lengths that make the axis ({' '.join(group)}) of size {size}. "
                f"Received: {axes_lengths}."
            )
        sizes += [axes_lengths.get(name, size // known) for name in group]
    order = [names.index(name) for group in after for name in group]
    x = x.reshape(sizes).permute(order)
    ends = list(itertools.accumulate(map(len, after), initial=0))
    return x.reshape([math.prod(x.shape[a:b]) for a, b in itertools.pairwise(ends)])

"""Branches, loops and maps over tensors, and functions with a gradient of their own.

A loop is Python's, so a gradient goes through it; a condition on a tensor reads its value. On symbolic tensors each is
one node of the graph, except that both branches of a condition are.
Source: Keras 3 ``ops/core.py``.
"""

import functools
import re

import torch
from torch.utils.checkpoint import checkpoint

from kshim.core import checks, dtypes, tree
from kshim.graph import infer, node
from kshim.graph.keras_tensor import is_symbolic
from kshim.graph.op import op
from kshim.ops.casting import tensor

__all__ = [
    "associative_scan", "cond", "custom_gradient", "fori_loop", "map", "scan", "switch", "vectorize", "vectorized_map",
    "while_loop",
]  # fmt: skip


def _symbolic(values):
    return any(is_symbolic(leaf) for leaf in tree.flatten(values))


def _callable(name, argument, value):
    if not callable(value):
        raise TypeError(f"{name}: expected `{argument}` to be a callable. Received: {argument}={value!r}.")


def _kind(value):
    if not hasattr(value, "shape"):
        return type(value).__name__
    return tuple(value.shape), dtypes.name_of(value.dtype)


@op
def _chosen(index, *results):
    """The one of ``results``, all of which are there already, that ``index`` says."""
    return results[0] if infer.is_running() else results[int(index)]


def cond(pred, true_fn, false_fn):
    """``true_fn()`` where ``pred`` is true, else ``false_fn()``.

    On a symbolic ``pred`` both are called once, and both are computed with the model.

    Args:
        pred: a bool, or a tensor with one.
        true_fn, false_fn: callables without arguments.

    Raises:
        TypeError: a branch is no callable.
        ValueError: on a symbolic ``pred``, branches of different structure, shape or dtype.
    """
    _callable("cond", "true_fn", true_fn)
    _callable("cond", "false_fn", false_fn)
    if not is_symbolic(pred):
        return true_fn() if infer.is_running() or pred else false_fn()
    results = [_tensors(branch()) for branch in (false_fn, true_fn)]
    _same_kinds("cond", "true_fn` and `false_fn", results)
    return _chosen(pred, *results)


def _tensors(values):
    return tree.map_structure(lambda leaf: leaf if leaf is None or is_symbolic(leaf) else tensor(leaf), values)


def _same_kinds(name, branches, results):
    kinds = [tree.map_structure(_kind, result) for result in results]
    if any(kind != kinds[0] for kind in kinds[1:]):
        raise ValueError(
            f"`{branches}` should return outputs of the same kind (struct, dtype and shape). {name} got "
            f"{' and '.join(str(kind) for kind in reversed(kinds))} instead."
        )


def switch(index, branches, *operands):
    """``branches[index](*operands)``; an index outside stands for the first or the last.

    On symbolic tensors all branches are computed with the model.

    Args:
        index: an int, or a tensor with one.
        branches: list of callables of ``operands``.
        operands: tensors.

    Raises: ValueError on symbolic tensors, if branches give different structures, shapes or dtypes.
    """
    for branch in branches:
        _callable("switch", "branches", branch)
    if _symbolic([index, operands]):
        results = [_tensors(branch(*operands)) for branch in branches]
        _same_kinds("switch", "branches", results)
        return _chosen(_within(index, len(branches)), *results)
    number = 0 if infer.is_running() else int(index)
    return branches[min(max(number, 0), len(branches) - 1)](*operands)


@op
def _within(index, count):
    return tensor(index).clamp(0, count - 1)


@op
def _while_loop(cond, body, loop_vars, maximum_iterations):
    if infer.is_running():
        return loop_vars
    several = isinstance(loop_vars, (tuple, list))
    values = tree.map_structure(tensor, tuple(loop_vars) if several else (loop_vars,))
    count = 0
    while (maximum_iterations is None or count < maximum_iterations) and cond(*values):
        values = body(*values)
        values = tuple(values) if isinstance(values, (tuple, list)) else (values,)
        count += 1
    return values if several else values[0]


def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """``loop_vars`` after ``loop_vars = body(*loop_vars)`` as long as ``cond(*loop_vars)``.

    Args:
        cond: function of the loop's variables that gives a bool or a tensor with one, whose value is read.
        body: function of the loop's variables that gives the next ones, of the same shapes and dtypes.
        loop_vars: a tensor, or a tuple or list of nested tensors.
        maximum_iterations: int; None for no end but ``cond``.

    Returns:
        a tuple where ``loop_vars`` is a tuple or list, else one tensor.
    """
    _callable("while_loop", "cond", cond)
    _callable("while_loop", "body", body)
    return _while_loop(cond, body, loop_vars, maximum_iterations)


@op
def _fori_loop(lower, upper, body_fun, init_val):
    if infer.is_running():
        return init_val
    for number in range(int(lower), int(upper)):
        init_val = body_fun(number, init_val)
    return init_val


def fori_loop(lower, upper, body_fun, init_val):
    """``init_val`` after ``init_val = body_fun(i, init_val)`` for ``i`` from ``lower`` to ``upper - 1``.

    Args:
        lower, upper: ints, or tensors with one, whose values are read.
        body_fun: function of the number and the value that gives the next value, of the same shape and dtype.
        init_val: nested tensors.
    """
    _callable("fori_loop", "body_fun", body_fun)
    return _fori_loop(lower, upper, body_fun, init_val)


def _stacked(parts):
    return tree.map_structure(lambda *leaves: torch.stack(leaves), *parts)


def _repeated(part, count):
    """A part of a meta run as all of them: what matters is its shape."""
    return tree.map_structure(lambda leaf: leaf.new_empty((count, *leaf.shape)), part)


@op
def _scan(f, init, xs, length, reverse):
    carry = tree.map_structure(tensor, init)
    leaves = [] if xs is None else [tensor(leaf) for leaf in tree.flatten(xs)]
    count = int(length) if length is not None else leaves[0].shape[0]

    def step(number):
        one = None if xs is None else tree.pack_like(xs, [leaf[number] for leaf in leaves])
        nxt, y = f(carry, one)
        return nxt, nothing if y is None else y

    nothing = tree.map_structure(torch.zeros_like, carry)
    if infer.is_running():
        carry, y = step(0)
        return carry, _repeated(y, count)
    parts = []
    for number in reversed(range(count)) if reverse else range(count):
        carry, y = step(number)
        parts.append(y)
    return carry, _stacked(reversed(parts) if reverse else parts)


def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """Carry a value through the steps of ``xs``: ``carry, y = f(carry, x)`` for each ``x``.

    Args:
        f: function of the carry and a step that gives the next carry, of the same structure, and a result or None.
        init: the first carry, nested tensors.
        xs: nested tensors whose first axis is that of the steps; None for none.
        length: how many steps; None means all of ``xs``.
        reverse: whether the last step comes first; results stay at their step's place.
        unroll: an int above 0 or a bool. Python's loop is unrolled always, so nothing depends on it.

    Returns:
        the last carry, and the results, stacked along a new first axis; zeros like the carry where ``f`` gives None.

    Raises:
        TypeError: ``f`` is no callable.
        ValueError: neither ``xs`` nor ``length`` is given; another ``unroll``.
    """
    _callable("scan", "f", f)
    if not isinstance(unroll, bool) and (checks.as_int(unroll) is None or unroll < 1):
        raise ValueError(f"scan: expected `unroll` to be a bool or an int above 0. Received: unroll={unroll}.")
    if xs is None and length is None:
        raise ValueError("scan: expected `xs` to scan over, or a `length`. Received: neither.")
    return _scan(f, init, xs, length, reverse)


@op
def _map(f, xs):
    leaves = [tensor(leaf) for leaf in tree.flatten(xs)]
    count = leaves[0].shape[0]

    def step(number):
        return f(tree.pack_like(xs, [leaf[number] for leaf in leaves]))

    return _repeated(step(0), count) if infer.is_running() else _stacked([step(number) for number in range(count)])


def map(f, xs):
    """``f`` of each part of ``xs`` along the first axis, one after the other, stacked.

    Args:
        f: function of a part that gives nested tensors. See ``vectorized_map`` for all parts at once.
        xs: nested tensors with the same first axis.

    Raises: TypeError if ``f`` is no callable.
    """
    _callable("map", "f", f)
    return _map(f, xs)


@op
def _vectorized_map(function, elements):
    return torch.vmap(function, randomness="different")(tree.map_structure(tensor, elements))


def vectorized_map(function, elements):
    """``function`` of each part of ``elements`` along the first axis, all at once, by ``torch.vmap``.

    Args:
        function: function of a part that gives nested tensors, without Python's control flow on their values.
        elements: nested tensors with the same first axis.

    Raises: TypeError if ``function`` is no callable.
    """
    _callable("vectorized_map", "function", function)
    return _vectorized_map(function, elements)


def _narrowed(x, axis, start, stop=None, step=1):
    return x[(*[slice(None)] * axis, slice(start, stop, step))]


def _interleaved(first, second, axis):
    """``first[0], second[0], first[1], ...``; ``first`` may have one more."""
    count = second.shape[axis]
    both = torch.stack((_narrowed(first, axis, 0, count), second), axis + 1).flatten(axis, axis + 1)
    return both if first.shape[axis] == count else torch.cat((both, _narrowed(first, axis, count)), axis)


@op
def _associative_scan(f, elems, reverse, axis):
    leaves = [tensor(leaf) for leaf in tree.flatten(elems)]
    axis %= leaves[0].dim()
    sizes = [leaf.shape[axis] for leaf in leaves]
    if len(set(sizes)) > 1:
        raise ValueError("associative_scan: expected `elems` of one size along `axis`. "
                         f"Received: shapes {[tuple(leaf.shape) for leaf in leaves]}, axis={axis}.")  # fmt: skip

    def combine(first, second):
        return tree.flatten(f(tree.pack_like(elems, first), tree.pack_like(elems, second)))

    def every(parts, *bounds):
        return [_narrowed(part, axis, *bounds) for part in parts]

    def scanned(parts):
        count = parts[0].shape[axis]
        if count < 2:
            return parts
        odd = scanned(combine(every(parts, 0, count - 1, 2), every(parts, 1, None, 2)))
        rest = every(parts, 2, None, 2)
        before = every(odd, 0, rest[0].shape[axis])
        even = combine(before, rest) if rest[0].shape[axis] else rest
        even = [torch.cat((_narrowed(part, axis, 0, 1), one), axis) for part, one in zip(parts, even, strict=True)]
        return [_interleaved(a, b, axis) for a, b in zip(even, odd, strict=True)]

    if reverse:
        leaves = [leaf.flip(axis) for leaf in leaves]
    results = scanned(leaves)
    return tree.pack_like(elems, [leaf.flip(axis) for leaf in results] if reverse else results)


def associative_scan(f, elems, reverse=False, axis=0):
    """The running results ``a, f(a, b), f(f(a, b), c), ...`` along ``axis``, in a logarithmic number of steps.

    Args:
        f: an associative function of two nested tensors of the structure of ``elems``, on many places at once.
        elems: nested tensors of one size along ``axis``.
        reverse: whether it runs from the end.
        axis: int.

    Raises:
        TypeError: ``f`` is no callable.
        ValueError: tensors of different sizes along ``axis``.

    Source: Blelloch 1990, "Prefix Sums and Their Applications".
    """
    _callable("associative_scan", "f", f)
    return _associative_scan(f, elems, reverse, axis)


class _CustomGradient(torch.autograd.Function):
    """The forward function's result, and the gradients that its second result gives."""

    @staticmethod
    def forward(ctx, function, structure, *leaves):
        args, kwargs = tree.pack_like(structure, leaves)
        outputs, ctx.gradient = function(*args, **kwargs)
        ctx.args = args
        ctx.count = len(leaves)
        ctx.places = [i for i, leaf in enumerate(tree.flatten(list(args))) if isinstance(leaf, torch.Tensor)]
        return tuple(outputs) if isinstance(outputs, list) else outputs

    @staticmethod
    def backward(ctx, *upstream):
        grads = ctx.gradient(*ctx.args, upstream=upstream[0] if len(upstream) == 1 else upstream)
        grads = list(grads) if isinstance(grads, (tuple, list)) else [grads]
        if len(grads) != len(ctx.places):
            raise ValueError(
                f"custom_gradient: expected a gradient for each of the {len(ctx.places)} tensors the function is "
                f"called with. Received: {len(grads)}."
            )
        all_grads = [None] * ctx.count
        for place, grad in zip(ctx.places, grads, strict=True):
            all_grads[place] = grad
        return None, None, *all_grads


def custom_gradient(f):
    """Decorator: a function that gives its result and the function of its gradient.

    Args:
        f: function that gives ``(result, gradient)``. ``gradient(*args, upstream=...)`` is called with the arguments of
            ``f`` and the gradient of the result (a tuple for several results), and gives the gradient of each tensor
            among the arguments.

    Returns:
        function that gives the result alone.

    Raises:
        TypeError: ``f`` is no callable.
        ValueError: in the backward pass, another number of gradients than of tensors.
    """
    _callable("custom_gradient", "f", f)

    @functools.wraps(f)
    def call(*args, **kwargs):
        if _symbolic([args, kwargs]):
            return node.record(call, args, kwargs)
        structure = [args, kwargs]
        return _CustomGradient.apply(f, structure, *tree.flatten(structure))

    return call


_CORE = re.compile(r"\(\s*((?:\w+\s*(?:,\s*\w+\s*)*)?)\)")
_SIGNATURE = re.compile(r"\s*\([^()]*\)(?:\s*,\s*\([^()]*\))*\s*->\s*\([^()]*\)(?:\s*,\s*\([^()]*\))*\s*\Z")


def _core_axes(signature):
    """``([("m", "n"), ("n",)], [("m",)])`` of ``"(m,n),(n)->(m)"``."""
    if not _SIGNATURE.match(signature):
        raise ValueError(f"vectorize: expected a `signature` like '(m,n),(n)->(m)'. Received: signature={signature!r}.")
    return tuple(
        [tuple(name.strip() for name in axes.split(",") if name.strip()) for axes in _CORE.findall(side)]
        for side in signature.split("->")
    )


def vectorize(pyfunc, *, excluded=None, signature=None):
    """``pyfunc``, a function of single elements, as a function of tensors, which are broadcast together.

    Args:
        pyfunc: function of tensors without axes, or of the axes in ``signature``; traced once, by ``torch.vmap``.
        excluded: positions and names of arguments that are handed on as they are.
        signature: the axes that ``pyfunc`` takes and gives, the last of each tensor: ``"(m,n),(n)->(m)"``.

    Raises: ValueError if ``pyfunc`` is no callable, or arguments do not fit the signature.

    Source: ``numpy.vectorize``.
    """
    if not callable(pyfunc):
        raise ValueError(f"vectorize: expected argument `pyfunc` to be a callable. Received: pyfunc={pyfunc}")
    excluded = frozenset(excluded or ())
    axes = None if signature is None else _core_axes(signature)

    @functools.wraps(pyfunc)
    def call(*args, **kwargs):
        if _symbolic([args, kwargs]):
            return node.record(call, args, kwargs)
        kept = {i: arg for i, arg in enumerate(args) if i in excluded or arg is None}
        names = [name for name in kwargs if name not in excluded]
        varied = [tensor(arg) for i, arg in enumerate(args) if i not in kept] + [tensor(kwargs[n]) for n in names]
        inputs = [()] * len(varied) if axes is None else axes[0]
        if len(inputs) != len(varied):
            raise ValueError(f"vectorize: expected {len(inputs)} arguments, as signature={signature!r} says. "
                             f"Received: {len(varied)}.")  # fmt: skip
        sizes: dict[str, int] = {}
        for value, own in zip(varied, inputs, strict=True):
            if value.dim() < len(own):
                raise ValueError(f"vectorize: expected an argument with the axes {own}. "
                                 f"Received: shape {tuple(value.shape)}.")  # fmt: skip
            for name, size in zip(own, value.shape[value.dim() - len(own) :], strict=True):
                if sizes.setdefault(name, size) != size:
                    raise ValueError(f"vectorize: expected one size for axis {name!r} of signature={signature!r}. "
                                     f"Received: {sizes[name]} and {size}.")  # fmt: skip
        leads = [value.shape[: value.dim() - len(own)] for value, own in zip(varied, inputs, strict=True)]
        lead = torch.broadcast_shapes(*leads)

        def of_one(*values):
            left = list(values)
            positional = [kept[i] if i in kept else left.pop(0) for i in range(len(args))]
            return pyfunc(*positional, **{**kwargs, **dict(zip(names, left, strict=True))})

        if not lead:
            return of_one(*varied)
        flat = [
            value.expand(*lead, *value.shape[value.dim() - len(own) :]).reshape(
                -1, *value.shape[value.dim() - len(own) :]
            )
            for value, own in zip(varied, inputs, strict=True)
        ]
        results = torch.vmap(of_one, randomness="different")(*flat)
        return tree.map_structure(lambda leaf: leaf.reshape(*lead, *leaf.shape[1:]), results)

    return call


def remat(f):
    """``f``, whose inner results are not kept for the backward pass but computed once more there.

    Args:
        f: function of tensors, a layer or a model. Dropout draws the same numbers both times.

    Raises: TypeError if ``f`` is no callable.

    Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"; Keras 3 ``backend/common/remat.py``.
    """
    _callable("remat", "f", f)

    def call(*args, **kwargs):
        if _symbolic([args, kwargs]):
            return node.record(call, args, kwargs)
        return checkpoint(f, *args, use_reentrant=False, **kwargs)

    return functools.update_wrapper(call, f) if hasattr(f, "__name__") else call

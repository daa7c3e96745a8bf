"""Where parameters, gradients and slots lie in memory, so that an update is a constant number of torch calls.

An update works on lists: torch's foreach calls take all of a list at once. Where a rule treats every number alike, the
small parameters are views into one flat tensor, which is one entry; a large one is an entry as it lies in memory, since
to join its gradient would be a copy that costs more than the call it saves. On a CPU long entries are cut so that the
numbers that a rule goes over again and again stay in the cache.
"""

from typing import NamedTuple

import torch

# The most numbers of a parameter that is joined with others, on the CPU and on a GPU.
_LARGE = (1 << 14, 1 << 21)
# The most numbers in an entry on the CPU, for each thread: few enough for the cache, enough to hide what a call costs.
_CACHED = 1 << 17


class Lists(NamedTuple):
    """What one update works on: entries of parameters, gradients and slots, in the same order."""

    parameters: list  # the parameters whose numbers these are
    params: list
    grads: list
    slots: dict  # name -> list
    by_weight: list  # the gradients once more, one tensor for each of ``parameters``


class Storage:
    """The parameters of one group, dtype and device, and their slots.

    Args:
        optimizer: its ``state`` holds the slots of each parameter, in the parameter's shape.
        group: the dict of ``param_groups`` that they are in.
        parameters: tensors that require gradients.
        joined: whether the rule treats every number alike, whatever weight it belongs to.
    """

    def __init__(self, optimizer, group, parameters, joined):
        self.parameters, self.group, self.joined, self.state = parameters, group, joined, optimizer.state
        self.slot_names = optimizer._slot_names()
        self.constrained = [p for p in parameters if getattr(p, "constraint", None) is not None]
        on_cpu = parameters[0].device.type == "cpu"
        self.cut = _CACHED * torch.get_num_threads() if on_cpu else None
        self.orders = [_memory_order(p) for p in parameters]
        known = {name: [self._slot(optimizer, name, p) for p in parameters] for name in self.slot_names}
        if joined:
            large = [o is not None and p.numel() > _LARGE[not on_cpu]
                     for p, o in zip(parameters, self.orders, strict=True)]  # fmt: skip
            self.small = [i for i, alone in enumerate(large) if not alone]
            self.large = [i for i, alone in enumerate(large) if alone]
            self.params, views = self._lay_out([p.data for p in parameters])
            for i in self.small:
                parameters[i].data = views[i]
            self.slots = {}
            for name in known:
                self.slots[name], known[name] = self._lay_out(known[name])
            self.grad, self.grad_views = None, []
            if self.small:
                self.grad = torch.zeros_like(self._joined([p.data for p in parameters]))
                self.grad_views = self._views(self.grad)
        else:
            self.params, self.slots = parameters, known
        for name, values in known.items():
            for p, value in zip(parameters, values, strict=True):
                self.state[p][name] = value
        self.pointers = [p.data_ptr() for p in parameters]

    def _slot(self, optimizer, name, parameter):
        value = optimizer.state[parameter].get(name)
        if value is None:
            return optimizer.first_value(name, parameter)
        return value.to(parameter.device, parameter.dtype, copy=True)

    def _joined(self, tensors):
        return torch.cat([_in_order(tensors[i], self.orders[i]).reshape(-1) for i in self.small])

    def _lay_out(self, tensors):
        """The entries for one tensor of each parameter, and where each of these lies in them."""
        views, entries = list(tensors), []
        if self.small:
            flat = self._joined(tensors)
            entries.append(flat)
            for i, view in zip(self.small, self._views(flat), strict=True):
                views[i] = view
        for i in self.large:
            if _memory_order(tensors[i]) != self.orders[i]:
                views[i] = torch.empty_like(self.parameters[i].data).copy_(tensors[i])
            entries.append(_in_order(views[i], self.orders[i]).view(-1))
        return self._pieces(entries), views

    def _views(self, flat):
        parts = flat.split([self.parameters[i].numel() for i in self.small])
        return [
            _in_shape(part, self.parameters[i].shape, self.orders[i]) for part, i in zip(parts, self.small, strict=True)
        ]

    def _pieces(self, entries):
        cut = self.cut
        if cut is None:
            return [e for e in entries if e.numel()]
        return [piece for e in entries if e.numel() for piece in (e.split(cut) if e.numel() > cut else (e,))]

    def current(self):
        """Whether every parameter still lies where it was laid."""
        return [p.data_ptr() for p in self.parameters] == self.pointers

    def gather(self, keep_grads):
        """The ``Lists`` of the parameters that have a gradient, None without any; and the names of the others.

        Args:
            keep_grads: whether ``.grad`` stays as it is; else it becomes None, and may be scratch space.
        """
        parameters = self.parameters
        grads = [p.grad for p in parameters]
        if not keep_grads:
            for p in parameters:
                p.grad = None
        if any(g is None for g in grads):
            return self._some(grads, keep_grads)
        if any(g.is_sparse for g in grads):
            grads = [g.to_dense() if g.is_sparse else g for g in grads]
        if not self.joined:
            grads = list(torch._foreach_mul(grads, 1)) if keep_grads else grads
            return Lists(parameters, parameters, grads, self.slots, grads), ()
        entries, by_weight = [], grads
        if self.small:
            torch._foreach_copy_(self.grad_views, [grads[i] for i in self.small] if self.large else grads)
            entries.append(self.grad)
            by_weight = self.grad_views
        if self.large:
            by_weight = list(grads)
            for i, view in zip(self.small, self.grad_views, strict=True):
                by_weight[i] = view
            for i in self.large:
                if keep_grads or _memory_order(grads[i]) != self.orders[i]:
                    by_weight[i] = _like(grads[i], parameters[i], True)
                entries.append(_in_order(by_weight[i], self.orders[i]).view(-1))
        return Lists(parameters, self.params, self._pieces(entries), self.slots, by_weight), ()

    def _some(self, grads, keep_grads):
        missing = [getattr(p, "path", "a parameter") for p, g in zip(self.parameters, grads, strict=True) if g is None]
        there = [(p, g) for p, g in zip(self.parameters, grads, strict=True) if g is not None]
        if not there:
            return None, missing
        parameters = [p for p, _ in there]
        grads = [_like(g.to_dense() if g.is_sparse else g, p, keep_grads) for p, g in there]
        slots = {name: [self.state[p][name] for p in parameters] for name in self.slot_names}
        return Lists(parameters, parameters, grads, slots, grads), missing

    def tensors(self):
        """Everything that an update may change."""
        return [*self.params, *(tensor for slot in self.slots.values() for tensor in slot)]


def _like(grad, parameter, copied):
    """``grad`` laid out in memory as its parameter is, which fused kernels rely on; where ``copied``, apart."""
    if copied or grad.stride() != parameter.stride():
        return torch.empty_like(parameter.data).copy_(grad)
    return grad


def _in_order(tensor, order):
    """``tensor`` with its axes in ``order``."""
    return tensor.permute(order) if order else tensor


def _in_shape(flat, shape, order):
    """A view into ``flat`` of this shape whose axes lie in memory in ``order``."""
    if not order:
        return flat.view(shape)
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return flat.view([shape[i] for i in order]).permute(inverse)


def _memory_order(tensor):
    """The axes from the slowest to the fastest in memory; () for the ordinary order, None where there are gaps."""
    if tensor.is_contiguous():
        return ()
    order = sorted(range(tensor.dim()), key=lambda axis: -tensor.stride(axis))
    return order if tensor.permute(order).is_contiguous() else None

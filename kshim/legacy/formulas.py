"""Layers whose formula was another one in older dialects: their ``call`` is wrapped, by ``names``."""

import contextlib
import functools
from typing import Any

import torch

from kshim import layers
from kshim.core import settings
from kshim.graph import infer


def wrapped(call, formula, since, until):
    """``call``, or in the dialects of the range ``formula(call, layer, inputs, ...)``."""

    @functools.wraps(call)
    def dispatch(self, inputs, *args, **kwargs):
        if settings.holds(since, until):
            return formula(call, self, inputs, *args, **kwargs)
        return call(self, inputs, *args, **kwargs)

    return dispatch


def bilinear(call, layer, inputs):
    """Up to 2.3.1 the pixels' corners lay on each other, not their middles: the last ones are repeated."""
    if layer.interpolation != "bilinear":
        return call(layer, inputs)
    first = 1 if layer.data_format == "channels_last" else 2
    x = inputs if inputs.is_floating_point() else inputs.float()
    for axis, factor in enumerate(layer.size, first):
        after = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, x.shape[axis] - 1, 1)], axis)
        share = (torch.arange(factor, dtype=x.dtype, device=x.device) / factor).repeat(x.shape[axis])
        share = share.view(-1, *(1,) * (x.dim() - axis - 1))
        x = torch.lerp(x.repeat_interleave(factor, axis), after.repeat_interleave(factor, axis), share)
    return x


def batch_normalization(call, layer, inputs, training=None, mask=None):
    """Frozen layers normalized by the batch up to 2.3.1, and the moving statistics moved otherwise.

    Up to 2.0.8 they moved even when frozen. From 2.1.6 to 2.3.1 the moving variance took the batch's times
    ``n / (n - 1 - epsilon)``, that of images ``n / (n - 1)`` more, as TensorFlow's kernel gave it (tf.keras has only
    the latter). From 2.1.3 to 2.2.5 both statistics were zero-debiased: after t steps divided by ``1 - momentum ** t``.
    """
    if not training:
        return call(layer, inputs, training=training, mask=mask)
    frozen = not layer._trainable
    if frozen and settings.holds(since="tf.keras"):
        return call(layer, inputs, training=training, mask=mask)
    mean, variance = layer.moving_mean, layer.moving_variance
    before = [mean.detach().clone(), variance.detach().clone()]
    with _thawed(layer) if frozen else contextlib.nullcontext():
        outputs = call(layer, inputs, training=training, mask=mask)
    if infer.is_running():
        return outputs
    with torch.no_grad():
        if frozen and settings.holds(since="2.2.4"):
            mean.data.copy_(before[0]), variance.data.copy_(before[1])  # past autograd, which holds them for backward
        elif layer.momentum < 1 and settings.holds(since="2.2.4"):
            kept, factor = _kept(layer), _variance_factor(layer, inputs)
            for moving, old, times in ((mean, before[0], 1.0), (variance, before[1], factor)):
                batch = (moving - layer.momentum * old) / (1 - layer.momentum) * times
                moving.data.copy_(kept * old + (1 - kept) * batch)
    return outputs


@contextlib.contextmanager
def _thawed(layer):
    layer.__dict__["_trainable"] = True
    try:
        yield
    finally:
        layer.__dict__["_trainable"] = False


def _kept(layer):
    """The share of the old statistics that the next one keeps."""
    momentum = layer.momentum
    if not settings.holds(until="2.2.4"):
        return momentum
    steps = layer.__dict__["_debiased_steps"] = layer.__dict__.get("_debiased_steps", 0) + 1
    return momentum * (1 - momentum ** (steps - 1)) / (1 - momentum**steps)


def _variance_factor(layer, inputs):
    axis = layer.axis % inputs.dim()
    count = inputs.numel() // inputs.shape[axis]
    factor = 1.0 if settings.holds(since="tf.keras") else count / (count - 1 - layer.epsilon)
    fused = inputs.dim() == 4 and (axis == 3 or (axis == 1 and settings.holds(since="tf.keras")))
    return factor * count / (count - 1) if fused and count > 1 else factor


# class -> (formula, since, until)
CALLS = {
    layers.UpSampling2D: (bilinear, None, "2.3.1"),
    layers.BatchNormalization: (batch_normalization, None, "tf.keras"),
}


def attach():
    """Wrap the calls."""
    cls: Any  # a layer
    for cls, (formula, since, until) in CALLS.items():
        cls.call = wrapped(cls.call, formula, since, until)

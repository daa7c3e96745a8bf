"""Normalizations: batch, layer, group, root mean square, unit length; and of a kernel, spectral."""

import warnings

import torch
from torch.nn import functional as F

from kshim import initializers
from kshim.core import checks, dtypes, settings
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec
from kshim.layers.wrappers import Wrapper


def _number(owner, name, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        checks.fail(owner, f"`{name}` to be a number", f"{name}={value!r}")
    return float(value)


def _axis(owner, name, value):
    """An int; files of tf.keras hold it in a list of one."""
    axis = checks.as_int(value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value)
    if axis is None:
        raise TypeError(f"{checks.describe(owner)}: expected `{name}` to be an int. Received: {name}={value!r}.")
    return axis


def _axes(owner, name, value):
    """An int, or a list or tuple of ints."""
    if checks.as_int(value) is not None:
        return checks.as_int(value)
    if not isinstance(value, (list, tuple)) or any(checks.as_int(axis) is None for axis in value):
        raise TypeError(
            f"{checks.describe(owner)}: expected `{name}` to be an int or a list of ints. Received: {name}={value!r}."
        )
    return value


def _axes_list(owner, name, value):
    """An int, or a list of ints."""
    value = _axes(owner, name, value)
    return list(value) if isinstance(value, tuple) else value


class _Normalization(Layer):
    """Base: axes counted from the first, and the weights ``gamma`` and ``beta`` where they are wanted."""

    def from_first(self, axes, shape):
        """``axes`` (an int or a list) counted from the first axis of an input of this shape, a list."""
        listed, rank = [axes] if isinstance(axes, int) else axes, len(shape)
        counted = [axis % rank if rank else axis for axis in listed]
        if any(not -rank <= axis < rank for axis in listed) or len(set(counted)) != len(counted):
            checks.fail(self, f"`axis` to be within the input's {rank} axes, each once",
                        f"axis={axes}, input_shape={tuple(shape)}")  # fmt: skip
        return counted

    def sizes(self, axes, shape):
        """Sizes of the ``axes`` of the input, which must be known."""
        sizes = tuple(shape[axis] for axis in axes)
        if None in sizes:
            checks.fail(self, f"an input whose axis {self.axis} is known", f"input_shape={tuple(shape)}",
                        "Give its size in Input(shape=...) or input_shape=.")  # fmt: skip
        return sizes

    def plan(self, input_shape):
        """What ``call`` needs to know of ``axis``, a list: all of it settled once, in ``build``."""
        axes, rank = self.from_first(self.axis, input_shape), len(input_shape)
        self._axes, self._first = tuple(axes), min(axes, default=rank)
        self._trailing = axes == list(range(self._first, rank))
        self._broadcast = tuple(input_shape[i] if i in axes else 1 for i in range(rank))
        self._dtype, self._result = dtypes.TORCH[self.dtype], dtypes.TORCH[self.compute_dtype]

    def plan_channels(self, input_shape):
        """The same for the layers whose ``axis`` is that of the channels, an int; returns ``(channels,)``.

        Torch's kernels want the channels second. Of (batch, height, width, channels) that is a view, which torch knows
        as channels_last; a sequence becomes one, too, by a height of 1.
        """
        (axis,), rank = self.from_first(self.axis, input_shape), len(input_shape)
        channels = self.sizes([axis], input_shape)
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: channels[0]})
        self._spread = rank == 3 and axis == 2
        rank, axis = (4, 3) if self._spread else (rank, axis)
        order = [i for i in range(rank) if i != axis]
        order.insert(1, axis)
        self._order = None if axis == 1 else tuple(order)
        self._order_back = tuple(order.index(i) for i in range(rank))
        self._dtype, self._result = dtypes.TORCH[self.dtype], dtypes.TORCH[self.compute_dtype]
        return channels

    def channels_second(self, x):
        """A view of ``x`` with the channels on axis 1."""
        x = x.unsqueeze(1) if self._spread else x
        return x if self._order is None else x.permute(self._order)

    def channels_back(self, x):
        """What ``channels_second`` did, undone."""
        x = x if self._order is None else x.permute(self._order_back)
        return x.squeeze(1) if self._spread else x

    def in_own_dtype(self, x):
        """``x`` in the weights' dtype, but for floats of a layer with mixed precision, which torch takes as they are.

        So float32 inputs of such a layer are normalized before they are rounded.
        """
        if x.dtype is self._dtype or (x.is_floating_point() and self._dtype is not self._result):
            return x
        return x.to(self._dtype)

    def make_scale_and_offset(self, shape):
        """The weights ``gamma`` and ``beta``, each None where it is not wanted."""
        self.gamma = self.weight("gamma", shape) if self.scale else None
        self.beta = self.weight("beta", shape) if self.center else None


class BatchNormalization(_Normalization):
    """Each channel with mean 0 and variance 1: ``gamma * (inputs - mean) / sqrt(variance + epsilon) + beta``.

    While it trains, mean and variance are the batch's, and the moving ones follow them:
    ``moving = momentum * moving + (1 - momentum) * batch``. Else, and where ``trainable=False``, the moving ones are
    used.

    Args:
        axis: the axis of the channels, an int.
        momentum: share of the old moving statistics that is kept at each step, in [0, 1].
        epsilon: added to the variance, above 0.
        center, scale: whether to add ``beta``, and to multiply by ``gamma``.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: name, config or
            callable for each weight. ``_regularizer`` and ``_constraint`` the same for ``beta`` and ``gamma``.
        renorm, renorm_clipping, renorm_momentum: batch renormalization, which kshim lacks: ``renorm`` must be false.
        synchronized: whether the batch statistics are those of all processes of ``torch.distributed``.

    Shapes:
        any with at least two axes -> the same; all weights ``(channels,)``. A mask has the inputs' shape without the
        last axis; what it leaves out does not count in the batch's statistics.

    Raises:
        TypeError: ``axis`` is not an int.
        ValueError: ``axis`` is not one of the input's, or its size is not known; a mask of another rank.
        NotImplementedError: ``renorm=True``.

    Source: Keras 3 ``layers/normalization/batch_normalization.py``; Ioffe and Szegedy, 2015.
    """

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None,
                 renorm=False, renorm_clipping=None, renorm_momentum=0.99, synchronized=False, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        if renorm:
            raise NotImplementedError(
                f"{checks.describe(self)}: kshim has no batch renormalization. Received: renorm={renorm}. For small "
                "batches use GroupNormalization or LayerNormalization, which do not depend on the batch."
            )
        self.keep(locals(), axis=_axis, momentum=_number, epsilon=_number)
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) < 2:
            checks.fail(self, "an input with at least 2 axes", f"input_shape={tuple(input_shape)}")
        channels = self.plan_channels(input_shape)
        self._precise = torch.promote_types(self._dtype, torch.float32)
        self.make_scale_and_offset(channels)
        self.moving_mean = self.weight("moving_mean", channels, trainable=False)
        self.moving_variance = self.weight("moving_variance", channels, trainable=False)

    def call(self, inputs, training=None, mask=None):
        if mask is not None and mask.dim() != inputs.dim() - 1:
            checks.fail(self, f"a mask with {inputs.dim() - 1} axes, one less than the inputs",
                        f"mask of shape {tuple(mask.shape)}, inputs of shape {tuple(inputs.shape)}")  # fmt: skip
        x, gamma, beta, mean, variance = inputs, self.gamma, self.beta, self.moving_mean, self.moving_variance
        if self._dtype is not self._precise or not x.is_floating_point():  # half precision is too narrow for sums
            x, gamma, beta, mean, variance = (t if t is None else t.to(self._precise)
                                              for t in (x, gamma, beta, mean, variance))  # fmt: skip
        x = self.channels_second(x)
        count = x.numel() // mean.shape[0]
        cudnn = torch.backends.cudnn.enabled
        if not training or not self._trainable or count == 0:
            x = torch.batch_norm(x, gamma, beta, mean, variance, False, 0.0, self.epsilon, cudnn)
        elif mask is None and count > 1 and not self.synchronized:
            # Torch moves the variance by the unbiased one, `count / (count - 1)` times Keras': so what it moves is
            # the variance in that scale.
            scaled = variance * (count / (count - 1))
            x = torch.batch_norm(x, gamma, beta, mean, scaled, True, 1 - self.momentum, self.epsilon, cudnn)
            torch.mul(scaled, (count - 1) / count, out=variance)
            if mean is not self.moving_mean:
                self._assign(mean, variance)
        else:
            kept = None if mask is None else self.channels_second(mask.bool().unsqueeze(-1).expand(inputs.shape))
            x = self._by_formula(x.to(self._precise), gamma, beta, kept)
        x = self.channels_back(x)
        return x if x.dtype is self._result else x.to(self._result)

    def _assign(self, mean, variance):
        with torch.no_grad():
            self.moving_mean.copy_(mean)
            self.moving_variance.copy_(variance)

    def _by_formula(self, x, gamma, beta, kept):
        """For masks, several processes, and channels of a single number, which torch's kernel does not do."""
        axes, shape = (0, *range(2, x.dim())), (-1,) + (1,) * (x.dim() - 2)
        if kept is None:
            count = self._everywhere(x.new_tensor(x.numel() // x.shape[1]))
        else:
            count = self._everywhere(kept.sum(axes, dtype=x.dtype)) + settings.epsilon()  # as Keras: none may be kept

        def mean_of(values):
            return self._everywhere((values if kept is None else values.masked_fill(~kept, 0)).sum(axes)) / count

        mean = mean_of(x)
        centred = x - mean.view(shape)
        variance = mean_of(centred.square())
        self._assign(*(moving * self.momentum + value * (1 - self.momentum)
                       for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance))))  # fmt: skip
        factor = torch.rsqrt(variance + self.epsilon)
        if gamma is not None:
            factor = factor * gamma
        outputs = centred * factor.view(shape)
        return outputs if beta is None else outputs + beta.view(shape)

    def _everywhere(self, x):
        """``x`` summed over all processes."""
        group = torch.distributed
        together = self.synchronized and group.is_available() and group.is_initialized()
        return _SumOverProcesses.apply(x) if together else x


class _SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx, x):
        x = x.clone()
        torch.distributed.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        torch.distributed.all_reduce(gradient)
        return gradient


class LayerNormalization(_Normalization):
    """Each sample with mean 0 and variance 1 over ``axis``, times ``gamma``, plus ``beta``.

    Args:
        axis: the axis or axes to normalize over, an int or a list of ints.
        epsilon: added to the variance, above 0.
        center, scale: whether to add ``beta``, and to multiply by ``gamma``.
        beta_initializer, beta_regularizer, beta_constraint: name, config or callable for ``beta``. The ``gamma_``
            arguments are the same for ``gamma``.
        rms_scaling: whether to divide by the standard deviation and multiply by ``gamma``, with no mean taken off and
            no ``beta``. Deprecated: it is not ``RMSNormalization``.

    Shapes: any -> the same; gamma and beta have the sizes of ``axis``.

    Raises:
        TypeError: ``axis`` is neither an int nor a list of ints.
        ValueError: ``axis`` is not one of the input's, or its size is not known.

    Source: Keras 3 ``layers/normalization/layer_normalization.py``; Ba et al., 2016.
    """

    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", beta_regularizer=None, gamma_regularizer=None, beta_constraint=None,
                 gamma_constraint=None, rms_scaling=False, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.keep(locals(), axis=_axes_list)
        if rms_scaling:
            warnings.warn(
                f"{checks.describe(self)}: `rms_scaling=True` is deprecated, as it divides by the standard deviation "
                "and not the root mean square. Use RMSNormalization.", stacklevel=3,
            )  # fmt: skip
        self.supports_masking = True
        self.autocast = False  # float32 inputs of a half precision layer are normalized before they are rounded

    def build(self, input_shape):
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        self.plan(input_shape)
        scale, center = self.scale or self.rms_scaling, self.center and not self.rms_scaling
        shape = self.sizes(self._axes, input_shape) if scale or center else ()
        self.gamma = self.weight("gamma", shape) if scale else None
        self.beta = self.weight("beta", shape) if center else None

    def call(self, inputs):
        x = self.in_own_dtype(inputs)
        if self._trailing and not self.rms_scaling:
            outputs = F.layer_norm(x, x.shape[self._first :], self.gamma, self.beta, self.epsilon)
        else:
            outputs = self._by_formula(x)
        return outputs if outputs.dtype is self._result else outputs.to(self._result)

    def _by_formula(self, x):
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        gamma, beta = (w if w is None else w.to(x.dtype).view(self._broadcast) for w in (self.gamma, self.beta))
        centred = x - x.mean(self._axes, keepdim=True)
        factor = torch.rsqrt(centred.square().mean(self._axes, keepdim=True) + self.epsilon)
        if gamma is not None:
            factor = factor * gamma
        outputs = (x if self.rms_scaling else centred) * factor
        return outputs if beta is None else outputs + beta


class GroupNormalization(_Normalization):
    """Each group of channels of each sample with mean 0 and variance 1, times ``gamma``, plus ``beta``.

    Args:
        groups: into how many groups the channels are parted, an int above 0 that divides their number; -1 means each
            channel on its own (instance normalization).
        axis: the axis of the channels, an int; not that of the batch.
        epsilon: added to the variance, above 0.
        center, scale: whether to add ``beta``, and to multiply by ``gamma``.
        beta_initializer, beta_regularizer, beta_constraint: name, config or callable for ``beta``. The ``gamma_``
            arguments are the same for ``gamma``.

    Shapes: any with at least two axes -> the same; gamma and beta ``(channels,)``.

    Raises:
        TypeError: ``axis`` is not an int.
        ValueError: ``groups`` is neither -1 nor an int above 0, or does not divide the number of channels; ``axis`` is
            that of the batch or not one of the input's, or its size is not known.

    Source: Keras 3 ``layers/normalization/group_normalization.py``; Wu and He, 2018.
    """

    def __init__(self, groups=32, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", beta_regularizer=None, gamma_regularizer=None, beta_constraint=None,
                 gamma_constraint=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.keep(locals(), axis=_axis)
        if checks.as_int(groups) is None or (groups <= 0 and groups != -1):
            checks.fail(self, "`groups` to be an int above 0, or -1", f"groups={groups!r}")
        self.supports_masking = True
        self.autocast = False  # as in LayerNormalization

    def build(self, input_shape):
        if self.from_first(self.axis, input_shape) == [0]:
            checks.fail(self, "`axis` to be another one than the batch's", f"axis={self.axis}")
        (channels,) = shape = self.plan_channels(input_shape)
        if self.groups == -1:
            self.groups = channels
        if channels % self.groups:
            checks.fail(self, "`groups` to divide the number of channels", f"groups={self.groups}, channels={channels}")
        self.make_scale_and_offset(shape)

    def call(self, inputs):
        x = self.channels_second(self.in_own_dtype(inputs))
        gamma, beta = self.gamma, self.beta
        if (gamma is None) != (beta is None):  # torch's backward fails on one without the other
            gamma = torch.ones_like(beta) if gamma is None else gamma
            beta = torch.zeros_like(gamma) if beta is None else beta
        x = self.channels_back(F.group_norm(x, self.groups, gamma, beta, self.epsilon))
        return x if x.dtype is self._result else x.to(self._result)


class RMSNormalization(_Normalization):
    """Each sample divided by its root mean square over ``axis``: ``inputs / sqrt(mean(inputs²) + epsilon) * scale``.

    Args:
        axis: the axis or axes to normalize over, an int or a list of ints.
        epsilon: added to the mean square, above 0.

    Shapes: any -> the same; scale has the sizes of ``axis``.

    Raises:
        TypeError: ``axis`` is neither an int nor a list of ints.
        ValueError: ``axis`` is not one of the input's, or its size is not known.

    Source: Keras 3 ``layers/normalization/rms_normalization.py``; Zhang and Sennrich, 2019.
    """

    def __init__(self, axis=-1, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), axis=_axes)

    def build(self, input_shape):
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        self.plan(input_shape)
        self.scale = self.add_weight(self.sizes(self._axes, input_shape), "ones", name="scale")

    def call(self, inputs):
        x = inputs if inputs.dtype is self._dtype else inputs.to(self._dtype)
        if self._trailing:
            outputs = F.rms_norm(x, x.shape[self._first :], self.scale, self.epsilon)
        else:
            mean = x.to(torch.promote_types(x.dtype, torch.float32)).square().mean(self._axes, keepdim=True)
            outputs = x * torch.rsqrt(mean + self.epsilon) * self.scale.view(self._broadcast)
        return outputs if outputs.dtype is self._result else outputs.to(self._result)


class UnitNormalization(_Normalization):
    """Each sample scaled to length 1 (the square root of the sum of squares) over ``axis``; zeros stay zeros.

    Args:
        axis: the axis or axes whose length is taken, an int or a list of ints.

    Shapes: any -> the same.

    Raises:
        TypeError: ``axis`` is neither an int nor a list of ints.
        ValueError: ``axis`` is not one of the input's.

    Source: Keras 3 ``layers/normalization/unit_normalization.py``.
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), axis=_axes_list)
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        if not inputs.is_floating_point():
            inputs = inputs.to(dtypes.TORCH[self.compute_dtype])
        return F.normalize(inputs, p=2.0, dim=self.from_first(self.axis, inputs.shape), eps=1e-12)


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its spectral norm (the largest singular value) before each training call.

    The norm is found by power iteration, from the vector of the last call on.

    Args:
        layer: a layer with a ``kernel`` or ``embeddings``.
        power_iterations: how many iterations each training call does, an int above 0.

    Shapes: as ``layer``; vector_u ``(1, last axis of the kernel)``.

    Raises: ValueError if ``layer`` is none or has no such weight, or ``power_iterations`` is not above 0.

    Source: Keras 3 ``layers/normalization/spectral_normalization.py``; Miyato et al., 2018.
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer=layer, **kwargs)
        self.keep({"power_iterations": power_iterations}, power_iterations=checks.positive_int)

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        self.kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if self.kernel is None:
            checks.fail(self, "a layer with a `kernel` or `embeddings`", f"layer={self.layer!r}")
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), initializers.TruncatedNormal(stddev=0.02), trainable=False, name="vector_u",
            dtype=dtypes.NAMES[self.kernel.dtype],
        )  # fmt: skip

    def call(self, inputs, training=None):
        if training:
            self._normalize()
        outputs = self.layer(inputs)
        return outputs.to(inputs.dtype) if inputs.is_floating_point() else outputs

    def _normalize(self):
        with torch.no_grad():
            u, matrix = self.vector_u, self.kernel.reshape(-1, self.kernel.shape[-1])
            for _ in range(self.power_iterations):
                v = F.normalize(u @ matrix.t(), dim=-1, eps=settings.epsilon())
                u = F.normalize(v @ matrix, dim=-1, eps=settings.epsilon())
            # A kernel of zeros has no such norm and stays. It is looked for on the device: nothing waits for it.
            zero, sigma = torch.all(self.kernel == 0), v @ matrix @ u.t()
            self.vector_u.copy_(torch.where(zero, self.vector_u, u))
            self.kernel.copy_(self.kernel / torch.where(zero, 1, sigma).view(()))

"""Attention: of one head over a list of tensors, and of many heads with their projections.

Axes: B batch, T query steps, S key and value steps, N heads, H features of a head, D features.
"""

import contextlib
import functools
import math
import string

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from kshim import activations, random, regularizers
from kshim.core import checks
from kshim.core.checks import boolean, fraction, int_tuple, one_of, positive_int
from kshim.core.shapes import is_shape
from kshim.layers.base import Layer
from kshim.layers.core import EinsumDense

_KERNELS = {
    True: [SDPBackend.FLASH_ATTENTION],
    False: [SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH],
}


def _causal_mask(steps, values, device):
    """True where step i of T may look at step j of S: j <= i."""
    return torch.ones(steps, values, dtype=torch.bool, device=device).tril()


def _all_of(masks):
    """The masks joined by "and"; None if there is none."""
    masks = [mask.bool() for mask in masks if mask is not None]
    return functools.reduce(torch.logical_and, masks) if masks else None


def _dropped(weights, rate, seed_generator):
    return random.dropout(weights, rate, seed=seed_generator) if rate else weights


def _seed_generator(layer):
    """The layer's own row of draws; None without a seed or a dropout."""
    return random.SeedGenerator(layer.seed) if layer.seed is not None and layer.dropout else None


class Attention(Layer):
    """Dot-product attention: ``softmax(query @ transpose(key)) @ value``.

    Args:
        use_scale: whether the scores are multiplied by the weight ``scale``.
        score_mode: "dot", or "concat" for ``concat_score_weight * sum(tanh(scale * (query + key)))``.
        dropout: share of the attention weights that is dropped while training, in [0, 1].
        seed: an int makes the layer's own row of drops; None draws from torch's generator, which is faster.

    ``call`` takes ``[query, value]`` or ``[query, value, key]``, ``return_attention_scores`` for the weights as a
    second output, and ``use_causal_mask`` to let a step attend to itself and those before it. ``mask`` is
    ``[query_mask, value_mask]``, each True where a step counts, or None; masks on the inputs do the same.

    Shapes:
        query ``(batch, T, dim)``, value ``(batch, S, features)``, key ``(batch, S, dim)`` -> output
        ``(batch, T, features)``, scores ``(batch, T, S)``; scale and concat_score_weight ``()``.

    Raises:
        ValueError: ``score_mode`` or ``dropout`` is none of these; the inputs or the mask are not a list of two or
            three.

    Source: Keras 3 ``layers/attention/attention.py``; Luong et al., 2015.
    """

    def __init__(self, use_scale=False, score_mode="dot", dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), use_scale=boolean, score_mode=one_of("dot", "concat"), dropout=fraction)
        self.seed_generator = _seed_generator(self)

    def build(self, input_shape):
        self._check_list("inputs", input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        concat = self.score_mode == "concat"
        self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight") if concat else None

    def call(self, inputs, mask=None, training=None, return_attention_scores=False, use_causal_mask=False):
        self._check_list("inputs", inputs)
        if mask is not None:
            self._check_list("mask", mask)
        query, value, key = inputs if len(inputs) == 3 else (*inputs, inputs[1])
        query_mask, value_mask = mask[:2] if mask is not None else (None, None)
        rate = self.dropout if training else 0.0
        allowed = _all_of([
            None if value_mask is None else value_mask.unsqueeze(-2),
            _causal_mask(query.shape[-2], key.shape[-2], query.device) if use_causal_mask else None,
        ])  # fmt: skip
        bias = None
        if allowed is not None:  # added to the scores: where all of a row is masked, all of it counts alike
            low = -65504.0 if query.dtype is torch.float16 else -1e9
            bias = torch.where(allowed, query.new_zeros(()), low)
        weights = None
        if self._is_dot() and not return_attention_scores and (not rate or self.seed_generator is None):
            outputs = self._fused(query if self.scale is None else query * self.scale, key, value, bias, rate)
        else:
            scores = self._scores(query, key)
            weights = torch.softmax(scores if bias is None else scores + bias, -1)
            weights = _dropped(weights, rate, self.seed_generator)
            outputs = torch.matmul(weights, value)
        if query_mask is not None:
            outputs = outputs.masked_fill(~query_mask.bool().unsqueeze(-1), 0)
        return (outputs, weights) if return_attention_scores else outputs

    def compute_mask(self, inputs, previous_mask=None):
        return None if previous_mask is None else previous_mask[0]

    def _makes_masks(self):
        return False  # a mask comes out only where one goes in

    def _is_dot(self):
        return self.score_mode == "dot"

    def _fused(self, query, key, value, bias, rate):
        if query.dim() != 3:
            return F.scaled_dot_product_attention(query, key, value, bias, rate, scale=1.0)
        bias = bias if bias is None or bias.dim() == 2 else bias.unsqueeze(1)
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        return F.scaled_dot_product_attention(query, key, value, bias, rate, scale=1.0).squeeze(1)

    def _scores(self, query, key):
        if self._is_dot():
            scores = torch.matmul(query, key.transpose(-2, -1))
            return scores if self.scale is None else scores * self.scale
        summed = query.unsqueeze(-2) + key.unsqueeze(-3)
        if self.scale is not None:
            summed = summed * self.scale
        return self.concat_score_weight * torch.tanh(summed).sum(-1)

    def _check_list(self, name, value):
        if not isinstance(value, (list, tuple)) or len(value) not in (2, 3) or is_shape(value):
            what = "query, value] or [query, value, key" if name == "inputs" else "query_mask, value_mask"
            checks.fail(self, f"`{name}` to be a list, [{what}]", f"{name}={value}")


class AdditiveAttention(Attention):
    """Additive attention: ``softmax(sum(scale * tanh(query + key))) @ value``.

    Args:
        use_scale: whether ``scale`` is a weight; otherwise it is 1.
        dropout: share of the attention weights that is dropped while training, in [0, 1].

    The calls are ``Attention``'s, and so are ``seed`` and the other keywords.

    Shapes:
        query ``(batch, T, dim)``, value ``(batch, S, features)``, key ``(batch, S, dim)`` -> output
        ``(batch, T, features)``, scores ``(batch, T, S)``; scale ``(dim,)``.

    Raises: ValueError as ``Attention``.

    Source: Keras 3 ``layers/attention/additive_attention.py``; Bahdanau et al., 2015.
    """

    def __init__(self, use_scale=True, dropout=0.0, **kwargs):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape):
        self._check_list("inputs", input_shape)
        dim = input_shape[0][-1]
        self.scale = self.add_weight((dim,), "glorot_uniform", name="scale") if self.use_scale else None

    def get_config(self):
        config = super().get_config()
        del config["score_mode"]
        return config

    def _is_dot(self):
        return False

    def _scores(self, query, key):
        summed = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return summed.sum(-1) if self.scale is None else torch.matmul(summed, self.scale.to(summed.dtype))


def _optional_positive_int(owner, name, value):
    return None if value is None else positive_int(owner, name, value)


def _optional_boolean(owner, name, value):
    return None if value is None else boolean(owner, name, value)


def _optional_shape(owner, name, value):
    """None, or a tuple of ints above 0; an int means a tuple of one."""
    return value if value is None else tuple(positive_int(owner, name, size) for size in int_tuple(owner, name, value))


def _optional_axes(owner, name, value):
    """None, or ints in a list or tuple; an int means a tuple of one."""
    return value if value is None or isinstance(value, list) else int_tuple(owner, name, value)


class _ManyHeads(Layer):
    """Base: projections to heads and back, masks, and the attention between them.

    ``_compute_attention`` and the masks' methods have Keras' names and arguments: subclasses override them.
    """

    _over: tuple[int, ...] = (1,)  # the axes that are attended over, counted from the first

    def keep(self, arguments, **check):
        super().keep(
            arguments, dropout=fraction, use_bias=boolean, use_gate=boolean, sliding_window=_optional_positive_int,
            flash_attention=_optional_boolean, **check,
        )  # fmt: skip
        self.supports_masking = True
        if self.flash_attention and self.dropout:
            checks.fail(self, "`dropout` to be 0 with `flash_attention`", f"dropout={self.dropout}")
        self.seed_generator = _seed_generator(self)

    def check_shapes(self, query_shape, value_shape, key_shape):
        """Inputs of one rank, and as many keys as values."""
        shapes = f"query_shape={query_shape}, value_shape={value_shape}, key_shape={key_shape}"
        if len(query_shape) < 3 or not len(query_shape) == len(value_shape) == len(key_shape):
            checks.fail(self, "query, value and key with the same number of axes, at least 3", shapes)
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            checks.fail(self, "value and key with the same axes but for the last", shapes)

    def projection(self, name, input_shape, bound, sizes, activation=None):
        """An EinsumDense from the last ``bound`` axes of the input to ``sizes``, built."""
        letters, free, rank = string.ascii_lowercase, len(input_shape) - bound, len(input_shape)
        outputs = letters[rank : rank + len(sizes)]
        dense = EinsumDense(
            equation=f"{letters[:rank]},{letters[free:rank]}{outputs}->{letters[:free]}{outputs}",
            output_shape=(*(None,) * (free - 1), *sizes), bias_axes=outputs if self.use_bias else None,
            activation=activation, name=name, dtype=self.dtype_policy, activity_regularizer=self._penalty_of_parts,
            kernel_initializer=self.kernel_initializer, bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer, bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint, bias_constraint=self.bias_constraint,
        )  # fmt: skip
        dense.build(tuple(input_shape))
        return dense

    def project(self, dense, x, bound=1):
        """``dense(x)``, as one matmul on views where nothing else would happen around it."""
        if (dense.activity_regularizer is not None or type(dense) is not EinsumDense or dense._forward_hooks
                or dense._forward_pre_hooks or dense._backward_hooks or dense._backward_pre_hooks):  # fmt: skip
            return dense(x)
        kernel, bias = dense.kernel, dense.bias
        x = x if x.is_floating_point() else x.to(kernel.dtype)
        size = math.prod(kernel.shape[:bound])
        flat, matrix = x.reshape(-1, size), kernel.view(size, -1)
        y = torch.mm(flat, matrix) if bias is None else torch.addmm(bias.view(-1), flat, matrix)
        y = y.view(*x.shape[: x.dim() - bound], *kernel.shape[bound:])
        return y if dense.activation is activations.linear else dense.activation(y)

    def call(self, query, value, key=None, query_mask=None, value_mask=None, key_mask=None, attention_mask=None,
             return_attention_scores=False, training=None, use_causal_mask=False):  # fmt: skip
        if self.flash_attention and return_attention_scores:
            checks.fail(self, "no attention scores to be wanted with `flash_attention`",
                        f"return_attention_scores={return_attention_scores}")  # fmt: skip
        if attention_mask is not None:  # a constant of a graph comes as it was given, an array or a list
            attention_mask = torch.as_tensor(attention_mask, device=query.device)
        query_mask = getattr(query, "_keras_mask", None) if query_mask is None else query_mask
        value_mask = getattr(value, "_keras_mask", None) if value_mask is None else value_mask
        if key is None:
            key = value
        elif key_mask is None and key is not value:
            key_mask = getattr(key, "_keras_mask", None)
        flags = {}
        masks = (query_mask, value_mask, key_mask, attention_mask, self.sliding_window)
        if use_causal_mask and type(self)._compute_attention in _OWN and all(mask is None for mask in masks):
            flags["use_causal_mask"] = True  # torch's kernel does it without a mask
        else:
            attention_mask = self._compute_attention_mask(
                query, value, query_mask=query_mask, value_mask=value_mask, key_mask=key_mask,
                attention_mask=attention_mask, use_causal_mask=use_causal_mask,
            )  # fmt: skip
        outputs, scores = self._compute_attention(
            self.project(self._query_dense, query), self.project(self._key_dense, key),
            self.project(self._value_dense, value), attention_mask, training, return_attention_scores, **flags,
        )  # fmt: skip
        if self.use_gate:
            outputs = outputs * self.project(self._gate_dense, query)
        outputs = self.project(self._output_dense, outputs, 2)
        return (outputs, scores) if return_attention_scores else outputs

    def _compute_attention_mask(self, query, value, query_mask=None, value_mask=None, key_mask=None,
                                attention_mask=None, use_causal_mask=False):  # fmt: skip
        """All masks in one, ``(B, T, S)`` or what broadcasts to it; None if there is none."""
        return _all_of([
            self._whole(query, query_mask, -1), self._whole(value, value_mask, -2), self._whole(value, key_mask, -2),
            self._compute_causal_mask(query, value) if use_causal_mask else None,
            self._compute_sliding_window_mask(query, value) if self.sliding_window is not None else None,
            attention_mask,
        ])  # fmt: skip

    def _whole(self, x, mask, axis):
        """The mask of one input with an axis more for the other's steps; None stays None."""
        if mask is None:
            return None
        if mask.dim() != x.dim() - 1 or (mask.dim() > 2 and self._over != (mask.dim() - 1,)):
            checks.fail(self, "a mask of all axes but the last, the last of which is the one that is attended over",
                        f"mask of shape {tuple(mask.shape)}, input of shape {tuple(x.shape)}, "
                        f"attention_axes={self._over}", "Pass an `attention_mask`.")  # fmt: skip
        return mask.unsqueeze(axis)

    def _steps(self, query, value):
        """T and S, where attention is over one axis."""
        axis = self._over[0]
        if len(self._over) > 1:
            checks.fail(self, "attention over one axis, where it is causal or has a sliding window",
                        f"attention_axes={self._over}", "Pass an `attention_mask`.")  # fmt: skip
        return query.shape[axis], (query if value is None else value).shape[axis]

    def _compute_causal_mask(self, query, value=None):
        """``(1, T, S)``, True where the value's step is not after the query's."""
        return _causal_mask(*self._steps(query, value), query.device).unsqueeze(0)

    def _compute_sliding_window_mask(self, query, value=None):
        """``(1, T, S)``, True where the steps are less than ``sliding_window`` apart."""
        steps, values = (torch.arange(size, device=query.device) for size in self._steps(query, value))
        return ((steps.unsqueeze(-1) - values).abs() < self.sliding_window).unsqueeze(0)

    def _compute_attention(self, query, key, value, attention_mask=None, training=None,
                           return_attention_scores=False, use_causal_mask=False):  # fmt: skip
        """``(outputs, scores)`` of projected ``(B, T, N, H)`` and twice ``(B, S, N, H)``; scores None unless wanted."""
        if use_causal_mask and (attention_mask is not None or len(self._over) > 1):
            attention_mask = _all_of([attention_mask, self._compute_causal_mask(query, value)])
            use_causal_mask = False
        if attention_mask is not None:
            attention_mask = attention_mask.bool()
            for _ in range(query.dim() + len(self._over) - 1 - attention_mask.dim()):
                attention_mask = attention_mask.unsqueeze(-2 * len(self._over) - 1)
        if self._over == (1,) and query.dim() == 4:
            outputs, scores = self._attend(
                query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attention_mask, training,
                return_attention_scores, use_causal_mask,
            )  # fmt: skip
            return outputs.transpose(1, 2), scores
        return self._attend_over_axes(query, key, value, attention_mask, training, return_attention_scores,
                                      use_causal_mask)  # fmt: skip

    def _attend_over_axes(self, query, key, value, mask, training, wanted, causal):
        """``_attend`` with all axes attended over as one, and all others as the batch."""
        rest = [axis for axis in range(query.dim() - 2) if axis not in self._over]
        order = (*rest, query.dim() - 2, *self._over, query.dim() - 1)
        batch, steps, values = ([x.shape[axis] for axis in axes]
                                for x, axes in ((query, rest), (query, self._over), (key, self._over)))  # fmt: skip

        def folded(x, sizes):
            return x.permute(order).reshape(math.prod(batch), x.shape[-2], math.prod(sizes), x.shape[-1])

        if mask is not None:
            heads = mask.shape[len(batch)]
            mask = mask.expand(*batch, heads, *steps, *values)
            mask = mask.reshape(math.prod(batch), heads, math.prod(steps), math.prod(values))
        outputs, scores = self._attend(
            folded(query, steps), folded(key, values), folded(value, values), mask, training, wanted, causal
        )
        heads = outputs.shape[1]
        outputs = outputs.reshape(*batch, heads, *steps, outputs.shape[-1])
        outputs = outputs.permute([order.index(axis) for axis in range(len(order))])
        return outputs, None if scores is None else scores.reshape(*batch, heads, *steps, *values)

    def _attend(self, query, key, value, mask, training, wanted, causal):
        """Attention of ``(B, N, T, H)`` to ``(B, N, S, H)``; the mask broadcasts to ``(B, N, T, S)``."""
        rate = self.dropout if training else 0.0
        grouped = key.shape[1] != query.shape[1]
        if not wanted and (not rate or self.seed_generator is None):
            bias = None
            if mask is not None:  # no -inf: where all of a row is masked, all of it counts alike
                low = -45850.0 if query.dtype is torch.float16 else -2.4e38
                bias = torch.where(mask, query.new_zeros(()), low)
            flash = self.flash_attention
            with contextlib.nullcontext() if flash is None else sdpa_kernel(_KERNELS[flash]):
                fused = F.scaled_dot_product_attention(query, key, value, bias, rate, causal, enable_gqa=grouped)
            if mask is not None and self.dropout:  # as below, which is Keras' way for a layer with dropout
                fused = fused.masked_fill(~mask.any(-1, keepdim=True), 0)
            return fused, None
        if grouped:
            key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
        if causal:
            mask = _causal_mask(query.shape[-2], key.shape[-2], query.device)
        scores = torch.matmul(query / math.sqrt(query.shape[-1]), key.transpose(-2, -1))
        if mask is not None:
            scores = scores.masked_fill(~mask, -3e4 if scores.dtype is torch.float16 else -1e9)
        scores = torch.softmax(scores, -1).to(query.dtype)
        if mask is not None:  # a row that is all masked has no weights at all
            scores = scores.masked_fill(~mask, 0)
        return torch.matmul(_dropped(scores, rate, self.seed_generator), value), scores

    def get_config(self):
        config = super().get_config()
        config.pop("flash_attention")  # how, not what: as in Keras the machine that loads it chooses
        return {**config, "activity_regularizer": regularizers.serialize(self._penalty_of_parts)}


class MultiHeadAttention(_ManyHeads):
    """Attention of several heads side by side: ``softmax(query @ transpose(key) / sqrt(key_dim)) @ value`` for each.

    Query, value and key are projected to the heads first, and the heads' outputs back to features.

    Args:
        num_heads: how many heads, an int above 0.
        key_dim: features of a head's query and key, an int above 0.
        value_dim: features of a head's value, an int above 0; None means ``key_dim``.
        dropout: share of the attention weights that is dropped while training, in [0, 1].
        use_bias: whether the projections have a bias.
        output_shape: sizes of the output's last axes, an int or a tuple; None means the query's last axis.
        attention_axes: the axes that are attended over, an int or several; None means all but the first and the last.
        sliding_window: a step may look at those less than this many steps away, to both sides; an int above 0, or None.
        flash_attention: whether torch must take its flash kernel (it raises where it can't; there is then no dropout
            and no score), or must not; None leaves the choice to torch.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for the projections'
            kernels. The ``bias_`` arguments are the same for the biases.
        activity_regularizer: penalty on the output of each projection.
        use_gate: whether the heads' outputs are multiplied by ``sigmoid`` of one more projection of the query.
        seed: an int makes the layer's own row of drops; None draws from torch's generator, which is faster.

    ``call`` takes ``query``, ``value`` and, where it is another one, ``key``; for each a ``_mask`` that is True where a
    step counts (masks on the inputs do the same), ``attention_mask`` ``(batch, T, S)`` that is True where a step of the
    query may attend to one of the value, ``use_causal_mask`` to let a step attend to itself and those before it, and
    ``return_attention_scores`` for the weights (before dropout) as a second output.

    Shapes:
        query ``(batch, T, D)``, value ``(batch, S, features)``, key ``(batch, S, features)`` -> ``(batch, T, D)``, or
        ``(batch, T, *output_shape)``; scores ``(batch, heads, T, S)``. More axes may stand in the place of T and S.
        query/kernel and key/kernel ``(features, heads, key_dim)``, value/kernel ``(features, heads, value_dim)``,
        attention_output/kernel ``(heads, value_dim, D)``; each bias as its kernel without the inputs' axes.

    Raises:
        ValueError: an argument is none of these; the inputs differ in rank, or value and key in the axes between the
            first and the last; causal attention or a sliding window over several axes; dropout or scores with
            ``flash_attention``.

    Source: Keras 3 ``layers/attention/multi_head_attention.py``; Vaswani et al., 2017.
    """

    def __init__(self, num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=True, output_shape=None,
                 attention_axes=None, sliding_window=None, flash_attention=None,
                 kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, use_gate=False, seed=None, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        arguments = dict(locals())
        # The penalty is on the parts' outputs, not on this layer's own.
        self._penalty_of_parts = regularizers.get(arguments.pop("activity_regularizer"))
        self.keep(arguments, num_heads=positive_int, key_dim=positive_int, value_dim=_optional_positive_int,
                  output_shape=_optional_shape, attention_axes=_optional_axes)  # fmt: skip
        self.value_dim = self.value_dim or self.key_dim

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        self.check_shapes(query_shape, value_shape, key_shape)
        rank, axes = len(query_shape), self.attention_axes
        self._over = tuple(range(1, rank - 1) if axes is None else (axis + rank * (axis < 0) for axis in axes))
        if not self._over or len(set(self._over)) < len(self._over) or any(not 0 <= a < rank - 1 for a in self._over):
            checks.fail(self, "`attention_axes` to be axes of the inputs but for the last, each once",
                        f"attention_axes={axes}, query_shape={tuple(query_shape)}")  # fmt: skip
        self.attention_axes = self._over
        self.query_dense = self.projection("query", query_shape, 1, (self.num_heads, self.key_dim))
        self.key_dense = self.projection("key", key_shape, 1, (self.num_heads, self.key_dim))
        if self.use_gate:
            self._gate_dense = self.projection("gate", query_shape, 1, (self.num_heads, self.value_dim), "sigmoid")
        self.value_dense = self.projection("value", value_shape, 1, (self.num_heads, self.value_dim))
        self.output_dense = self.projection(
            "attention_output", (*query_shape[:-1], self.num_heads, self.value_dim), 2,
            self.output_shape or (query_shape[-1],),
        )  # fmt: skip

    # Files name the projections without the underscore, GroupedQueryAttention's with it.
    @property
    def _query_dense(self):
        return self.query_dense

    @property
    def _key_dense(self):
        return self.key_dense

    @property
    def _value_dense(self):
        return self.value_dense

    @property
    def _output_dense(self):
        return self.output_dense


class GroupedQueryAttention(_ManyHeads):
    """Attention of several heads of the query to fewer heads of key and value, each of which serves a group.

    With one head of key and value it is multi-query attention, with as many as the query's multi-head attention.

    Args:
        head_dim: features of each head, an int above 0.
        num_query_heads: how many heads the query has, an int above 0.
        num_key_value_heads: how many key and value have, an int above 0 that divides ``num_query_heads``.
        dropout: share of the attention weights that is dropped while training, in [0, 1].
        use_bias: whether the projections have a bias.
        sliding_window: a step may look at those less than this many steps away, to both sides; an int above 0, or None.
        flash_attention: whether torch must take its flash kernel (it raises where it can't; there is then no dropout
            and no score), or must not; None leaves the choice to torch.
        kernel_initializer, kernel_regularizer, kernel_constraint: name, config or callable for the projections'
            kernels. The ``bias_`` arguments are the same for the biases.
        activity_regularizer: penalty on the output of each projection, and of the layer.
        use_gate: whether the heads' outputs are multiplied by ``sigmoid`` of one more projection of the query.
        seed: an int makes the layer's own row of drops; None draws from torch's generator, which is faster.

    The calls are ``MultiHeadAttention``'s.

    Shapes:
        query ``(batch, T, D)``, value and key ``(batch, S, D)`` -> ``(batch, T, D)``; scores ``(batch, query heads, T,
        S)``. query/kernel ``(D, query heads, head_dim)``, key/kernel and value/kernel ``(D, key heads, head_dim)``,
        attention_output/kernel ``(query heads, head_dim, D)``; each bias as its kernel without the inputs' axes.

    Raises:
        ValueError: an argument is none of these; the inputs have another rank than 3, or value and key not as many
            steps; dropout or scores with ``flash_attention``.

    Source: Keras 3 ``layers/attention/grouped_query_attention.py``; Ainslie et al., 2023.
    """

    def __init__(self, head_dim, num_query_heads, num_key_value_heads, dropout=0.0, use_bias=True, sliding_window=None,
                 flash_attention=None, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, use_gate=False, seed=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.keep(locals(), head_dim=positive_int, num_query_heads=positive_int, num_key_value_heads=positive_int)
        self._penalty_of_parts = self.activity_regularizer
        if self.num_query_heads % self.num_key_value_heads:
            checks.fail(self, "`num_key_value_heads` to divide `num_query_heads`",
                        f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}")  # fmt: skip

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        self.check_shapes(query_shape, value_shape, key_shape)
        if len(query_shape) != 3:
            checks.fail(self, "inputs with 3 axes", f"query_shape={tuple(query_shape)}")
        heads, shared = (self.num_query_heads, self.head_dim), (self.num_key_value_heads, self.head_dim)
        self._query_dense = self.projection("query", query_shape, 1, heads)
        self._key_dense = self.projection("key", key_shape, 1, shared)
        if self.use_gate:
            self._gate_dense = self.projection("gate", query_shape, 1, heads, "sigmoid")
        self._value_dense = self.projection("value", value_shape, 1, shared)
        self._output_dense = self.projection("attention_output", (*query_shape[:-1], *heads), 2, (query_shape[-1],))


GroupQueryAttention = GroupedQueryAttention  # Keras 3's public name of it

_OWN = (_ManyHeads._compute_attention,)  # what a user's subclass has in its place is called with a mask

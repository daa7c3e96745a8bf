"""Attention by scaled dot products, over torch's own kernel.

Source: Keras 3 ``ops/nn.py``.
"""

import contextlib

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from kshim.core import dtypes, settings
from kshim.graph.op import op
from kshim.ops.casting import tensor


@op
def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None,
                          attn_logits_soft_cap=None):  # fmt: skip
    """``softmax(query @ key^T * scale + bias) @ value`` for each head.

    Args:
        query: ``(batch, T, heads, size)``.
        key, value: ``(batch, S, heads or a divisor of them, size)``.
        bias: added to the scores; it broadcasts to ``(batch, heads, T, S)``.
        mask: bools that broadcast to the same, False where nothing is looked at.
        scale: None means ``1 / sqrt(size)``.
        is_causal: whether each step looks at itself and earlier ones only.
        flash_attention: True demands torch's flash kernel, False forbids it; None goes by ``keras.config``, which
            leaves the choice to torch unless told.
        attn_logits_soft_cap: None; only JAX on TPUs has it.

    Shapes: the result is shaped like ``query``, with the last axis of ``value``.

    Raises:
        ValueError: other ranks; ``bias`` and ``mask`` both; an ``attn_logits_soft_cap``.
        RuntimeError: ``flash_attention=True`` where torch's flash kernel can't run.

    Source: Vaswani et al. 2017; Dao et al. 2022.
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("dot_product_attention: expected `attn_logits_soft_cap` to be None (only JAX on TPUs has it). "
                         f"Received: attn_logits_soft_cap={attn_logits_soft_cap}.")  # fmt: skip
    query, key, value = tensor(query), tensor(key), tensor(value)
    if not query.dim() == key.dim() == value.dim() == 4:
        raise ValueError(
            "dot_product_attention: expected `query`, `key` and `value` of rank 4. Received: "
            f"query.shape={tuple(query.shape)}, key.shape={tuple(key.shape)}, value.shape={tuple(value.shape)}."
        )
    if bias is not None and mask is not None:
        raise ValueError("dot_product_attention: expected only one of `bias` and `mask`. Received: both.")
    if not query.dtype is key.dtype is value.dtype:
        dtype = dtypes.result_type(query.dtype, key.dtype, value.dtype)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    added = None if bias is None else tensor(bias, query.dtype, query.device)
    if mask is not None:
        added, mask = query.new_zeros(()), tensor(mask, torch.bool, query.device)
    if added is not None and is_causal:  # torch's kernel takes only one of them
        causal = torch.ones((query.shape[1], key.shape[1]), dtype=torch.bool, device=query.device).tril()
        mask = causal if mask is None else mask & causal
    if mask is not None:
        # A row without any True gives the mean of the values, as in Keras: its scores are lowered, not taken out.
        added = torch.where(mask, added, -0.7 * (65500.0 if query.dtype is torch.float16 else 3.38953e38))
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    grouped = key.shape[1] not in (1, query.shape[1])
    if key.shape[1] == 1 != query.shape[1]:
        key = key.expand(-1, query.shape[1], -1, -1)
        value = value.expand(-1, query.shape[1], -1, -1)
    with _kernel(flash_attention):
        attended = F.scaled_dot_product_attention(
            query, key, value, added, is_causal=is_causal and added is None, scale=scale, enable_gqa=grouped
        )
    return attended.transpose(1, 2)


def _kernel(flash):
    flash = settings.is_flash_attention_enabled() if flash is None else flash
    if flash is None:
        return contextlib.nullcontext()
    if flash:
        return sdpa_kernel(SDPBackend.FLASH_ATTENTION)
    return sdpa_kernel([SDPBackend.MATH, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION])

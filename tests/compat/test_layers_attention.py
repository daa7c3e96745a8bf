"""Attention: what rows cannot say."""

import copy

import numpy as np
import pytest
import torch
from cases import array
from cases.layers.attention import CASES
from cases.layers.row import as_tensors, counted, one_or_list

import kshim
from kshim.core import tree

MANY = [case for case in CASES if "head" in case.name or "grouped" in case.name]


@pytest.mark.parametrize("case", [case for case in MANY if not case.random], ids=lambda case: case.name)
def test_numbers_of_many_heads(case, keras3):
    """Outputs and gradients within 1e-6 of the largest: the key's bias has none but rounding."""
    found = []
    for k in (kshim, keras3):
        layer, inputs = case.make(k), as_tensors(case.arrays(), grad=True)
        layer.build(one_or_list(case.shapes))
        layer.set_weights(counted(layer))
        options = {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in case.call.items()}
        outputs = tree.flatten(layer(one_or_list(inputs), **options))
        total = sum((x * torch.sin(torch.arange(x.numel())).view(x.shape)).sum() for x in outputs)
        leaves = inputs + [getattr(w, "value", w) for w in layer.trainable_weights]
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
        found.append([*outputs, *(torch.zeros_like(x) if g is None else g
                                  for x, g in zip(leaves, gradients, strict=True))])  # fmt: skip
    scale = max(float(np.abs(array(x)).max()) for x in found[1])
    for got, expected in zip(*found, strict=True):
        np.testing.assert_allclose(array(got), array(expected), rtol=1e-5, atol=2e-6 * max(scale, 1))


def attention(k, **more):
    layer = k.layers.MultiHeadAttention(2, 3, name="it", **more)
    layer.build((2, 3, 4), (2, 5, 4))
    layer.set_weights(counted(layer))
    return layer


@pytest.mark.parametrize("named", [False, True], ids=["on_the_inputs", "given"])
def test_masks_of_query_and_value(named, keras3):
    found = []
    for k in (kshim, keras3):
        q, v = (torch.sin(torch.arange(n * 4 * 2.0)).view(2, n, 4) for n in (3, 5))
        masks = torch.tensor([[1, 1, 0]] * 2).bool(), torch.tensor([[1, 0, 1, 1, 0], [1, 1, 1, 0, 0]]).bool()
        options = {"value_mask": masks[1]} if named else {}
        q._keras_mask = masks[0]
        if not named:
            v._keras_mask = masks[1]
        found.append(attention(k)(q, v, **options))
    np.testing.assert_allclose(array(found[0]), array(found[1]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(array(found[0]._keras_mask), array(found[1]._keras_mask))


def test_a_given_query_mask_counts():
    """Keras 3.15 takes the query's mask from the query alone, and forgets the one that is given."""
    q, mask = torch.sin(torch.arange(24.0)).view(2, 3, 4), torch.tensor([[1, 1, 0]] * 2).bool()
    layer = attention(kshim)
    outputs = layer(q, q, query_mask=mask)
    q._keras_mask = mask
    assert torch.equal(outputs[:, :2], layer(q, q, value_mask=torch.ones(2, 3).bool())[:, :2])


def test_the_mask_of_the_query_stays_on_it():
    """Keras 3.15 takes it off, and a residual connection loses it."""
    q = torch.ones(2, 3, 4)
    q._keras_mask = torch.tensor([[1, 1, 0]] * 2).bool()
    attention(kshim)(q, q)
    assert q._keras_mask is not None


def test_parts_have_keras_names(keras3):
    ours, theirs = attention(kshim, use_gate=True), attention(keras3, use_gate=True)
    assert [w.path.split("/")[-2:] for w in ours.weights] == [w.path.split("/")[-2:] for w in theirs.weights]
    for name in ("query_dense", "key_dense", "value_dense", "output_dense", "_gate_dense", "_query_dense"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (mine.name, mine.equation, mine.bias_axes) == (other.name, other.equation, other.bias_axes)
        assert tuple(mine.partial_output_shape) == tuple(other.partial_output_shape)


def test_a_subclass_computes_its_own_attention():
    seen = []

    class Own(kshim.layers.MultiHeadAttention):
        def _compute_attention(self, query, key, value, attention_mask=None, training=None,
                               return_attention_scores=False):  # fmt: skip
            seen.append((query.shape, value.shape, attention_mask.shape))
            return super()._compute_attention(query, key, value, attention_mask, training, return_attention_scores)

    x = torch.sin(torch.arange(24.0)).view(2, 3, 4)
    layer = Own(2, 3)
    outputs = layer(x, x, use_causal_mask=True)
    assert seen == [((2, 3, 2, 3), (2, 3, 2, 3), (1, 3, 3))]
    plain = kshim.layers.MultiHeadAttention(2, 3)
    plain.build(x.shape, x.shape)
    plain.set_weights(layer.get_weights())
    torch.testing.assert_close(plain(x, x, use_causal_mask=True), outputs)


def test_hooks_of_the_parts_are_heard():
    x, heard = torch.ones(2, 3, 4), []
    layer = attention(kshim)
    expected = layer(x, x)
    layer.query_dense.register_forward_hook(lambda *call: heard.append(call[0].name))
    torch.testing.assert_close(layer(x, x), expected)
    assert heard == ["query"]


def test_dropout_in_training_keeps_the_mean():
    layer = kshim.layers.Attention(dropout=0.5)
    x = torch.ones(4, 50, 3)
    assert abs(layer([x, x], training=True).mean().item() - 1) < 0.1
    assert torch.equal(layer([x, x]), layer([x, x], training=False))


@pytest.mark.parametrize("flash", [True, False])
def test_flash_attention_is_a_choice_of_kernel(flash):
    x = torch.sin(torch.arange(48.0)).view(2, 3, 8)
    layer = kshim.layers.MultiHeadAttention(2, 4, flash_attention=flash)
    outputs = layer(x, x)
    twin = copy.deepcopy(layer)
    twin.flash_attention = None
    torch.testing.assert_close(outputs, twin(x, x))
    assert "flash_attention" not in layer.get_config()


def test_functional_model_with_masks(keras3):
    """Embedding's mask goes into the attention, as query's and value's."""
    found, ids = [], np.array([[1, 2, 0, 0], [3, 1, 2, 0]])
    for k in (kshim, keras3):
        inputs = k.Input((4,), dtype="int32")
        x = k.layers.Embedding(5, 6, mask_zero=True)(inputs)
        model = k.Model(inputs, k.layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True))
        model.set_weights(counted(model))
        found.append(model(ids))
    np.testing.assert_allclose(array(found[0]), array(found[1]), rtol=1e-5, atol=1e-6)

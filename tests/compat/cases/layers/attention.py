"""Attention, AdditiveAttention, MultiHeadAttention, GroupedQueryAttention."""

import functools

import numpy as np

import kshim
from cases.layers.row import Case, Refused, layer


class _OneArgument:
    """A row calls a layer on its one input, or the list of its inputs: here as ``query, value, key``."""

    def listed(self, inputs):
        return inputs if isinstance(inputs, (list, tuple)) and not isinstance(inputs[0], (int, type(None))) else [
            inputs, inputs]  # fmt: skip

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def build(self, input_shape):
        super().build(*self.listed(input_shape))

    def call(self, inputs, training=None, attention_mask=None, return_attention_scores=False, use_causal_mask=False):
        inputs = self.listed(inputs)
        masks = [getattr(x, "_keras_mask", None) for x in inputs]
        return super().call(
            *inputs, query_mask=masks[0], value_mask=masks[1], key_mask=masks[2] if len(masks) > 2 else None,
            attention_mask=attention_mask, return_attention_scores=return_attention_scores, training=training,
            use_causal_mask=use_causal_mask,
        )  # fmt: skip


class OneArgument(_OneArgument, kshim.layers.MultiHeadAttention):
    pass


class OneArgumentGrouped(_OneArgument, kshim.layers.GroupedQueryAttention):
    pass


@functools.cache
def of_keras(k, name):
    """The same class of the real Keras, which asks it for shapes."""

    class Child(_OneArgument, getattr(k.layers, name)):
        def compute_output_shape(self, *shapes):
            return super().compute_output_shape(*(shapes if len(shapes) > 1 else self.listed(shapes[0])))

        def compute_output_spec(self, inputs, **options):
            return super().compute_output_spec(*self.listed(inputs), **options)

    Child.__name__ = {"MultiHeadAttention": "OneArgument"}.get(name, "OneArgumentGrouped")
    return Child


def heads(*args, **kwargs):
    def make(k, **more):
        cls = OneArgument if k is kshim else of_keras(k, "MultiHeadAttention")
        return cls(*args, **kwargs, **more)

    return make


def grouped(*args, **kwargs):
    def make(k, **more):
        cls = OneArgumentGrouped if k is kshim else of_keras(k, "GroupQueryAttention")
        return cls(*args, **kwargs, **more)

    return make


TRAIN = {"training": True}
SCORES = {"return_attention_scores": True}
CAUSAL = {"use_causal_mask": True}
Q, V = (2, 3, 4), (2, 5, 4)
BLOCKED = {"attention_mask": np.array([[[1, 0, 1], [1, 1, 0], [0, 0, 0]]], bool)}
SHAPE = {name: "Keras 3.15 tells a wrong shape of the scores, the query's steps twice" for name in (
    "test_symbolic_shape_is_keras_and_true", "test_in_a_functional_model")}  # fmt: skip
HANGS_ON = {name: "Keras 3.15 leaves the attention mask on the scores, as if they were steps" for name in (
    "test_masks_are_keras", "test_mask_without_one_on_the_input", "test_masks_inside_a_model_are_keras")}  # fmt: skip
NO_MASK = {"test_masks_are_keras": "the mask of (batch, time) does not say which of the steps count"}
OPTIONS = {"kernel_regularizer": "l2", "bias_regularizer": "l1", "kernel_constraint": "max_norm",
           "bias_constraint": "non_neg", "kernel_initializer": "ones", "bias_initializer": "ones",
           "activity_regularizer": "l2"}  # fmt: skip


def many(name, make, shapes, weights, skip={}, **more):  # noqa: B006 - it is not written to
    """A row of a layer with projections."""
    known = {
        "test_output_and_gradients_are_keras": "softmax leaves the key's bias no gradient but rounding: "
                                               "test_numbers_of_many_heads",
        "test_integer_inputs": "Keras 3.15's einsum on torch takes no integers",
    }  # fmt: skip
    return Case(name, make, shapes, weights, skip={**known, **skip}, **more)


CASES = [
    Case("attention", layer("Attention"), [Q, V]),
    Case("attention_key", layer("Attention"), [Q, (2, 5, 2), V]),
    Case("attention_scale", layer("Attention", use_scale=True), [Q, V], 1),
    Case("attention_causal", layer("Attention"), [Q, V], call=CAUSAL),
    Case("attention_scores", layer("Attention", use_scale=True), [Q, V], 1, call=SCORES),
    Case("attention_scores_causal", layer("Attention"), [Q, Q], call={**SCORES, **CAUSAL}),
    Case("attention_concat", layer("Attention", score_mode="concat"), [Q, V], 1),
    Case("attention_concat_scale", layer("Attention", score_mode="concat", use_scale=True), [Q, V], 2, call=CAUSAL),
    Case("attention_dropout", layer("Attention", dropout=0.5), [Q, V]),
    Case("attention_dropout_seed", layer("Attention", dropout=0.5, seed=3), [Q, V], call={**TRAIN, **SCORES}),
    Case("attention_dropout_train", layer("Attention", dropout=0.5), [Q, V], call=TRAIN, random=True),
    Case("additive_attention", layer("AdditiveAttention"), [Q, V], 1),
    Case("additive_attention_key", layer("AdditiveAttention"), [Q, (2, 5, 2), V], 1, call=CAUSAL),
    Case("additive_attention_no_scale", layer("AdditiveAttention", use_scale=False), [Q, V], call=SCORES),
    Case("additive_attention_seed", layer("AdditiveAttention", dropout=0.4, seed=3), [Q, V], 1, call=TRAIN),
    many("multi_head_attention", heads(2, 3), [Q], 8),
    many("multi_head_attention_cross", heads(2, 3), [Q, V], 8),
    many("multi_head_attention_key", heads(2, 3, value_dim=2), [Q, (2, 5, 7), (2, 5, 6)], 8),
    many("multi_head_attention_no_bias", heads(2, 3, use_bias=False), [Q], 4),
    many("multi_head_attention_output", heads(2, 3, output_shape=5), [Q], 8),
    many("multi_head_attention_outputs", heads(2, 3, output_shape=(2, 5)), [Q], 8),
    many("multi_head_attention_causal", heads(2, 3), [Q], 8, call=CAUSAL),
    many("multi_head_attention_causal_cross", heads(2, 3), [Q, V], 8, call={**SCORES, **CAUSAL}, skip=SHAPE | HANGS_ON),
    many("multi_head_attention_mask", heads(2, 3), [Q], 8, call=BLOCKED),
    many("multi_head_attention_mask_scores", heads(2, 3), [Q], 8, call={**BLOCKED, **SCORES, **CAUSAL}, skip=HANGS_ON),
    many("multi_head_attention_window", heads(1, 4, sliding_window=2), [Q], 8),
    many("multi_head_attention_window_causal", heads(1, 4, sliding_window=2), [Q], 8, call=CAUSAL),
    many("multi_head_attention_gate", heads(2, 3, value_dim=2, use_gate=True), [Q], 10),
    many("multi_head_attention_dropout", heads(2, 3, dropout=0.5), [Q], 8),
    many("multi_head_attention_dropout_train", heads(2, 3, dropout=0.5), [Q], 8, call=TRAIN, random=True),
    many(
        "multi_head_attention_seed", heads(2, 3, dropout=0.5, seed=3), [Q], 8, call={**TRAIN, **SCORES}, skip=HANGS_ON
    ),
    many("multi_head_attention_options", heads(2, 3, **OPTIONS), [Q], 8),
    many("multi_head_attention_frozen", heads(2, 3, trainable=False), [Q], 8),
    many("multi_head_attention_image", heads(2, 3), [(2, 3, 2, 4)], 8, skip=NO_MASK),
    many("multi_head_attention_image_scores", heads(2, 3), [(2, 3, 2, 4)], 8, call=SCORES, skip=SHAPE | NO_MASK),
    many("multi_head_attention_rows", heads(2, 3, attention_axes=2), [(2, 3, 2, 4)], 8, skip=NO_MASK),
    many(
        "multi_head_attention_columns",
        heads(2, 3, attention_axes=(1,)),
        [(2, 3, 2, 4)],
        8,
        call=SCORES,
        skip=SHAPE | NO_MASK,
    ),
    many("grouped_query_attention", grouped(3, 4, 2), [Q], 8),
    many("grouped_query_attention_cross", grouped(3, 4, 1), [Q, V], 8, call=SCORES, skip=HANGS_ON),
    many("grouped_query_attention_key", grouped(3, 2, 2, use_gate=True), [Q, (2, 5, 4), (2, 5, 4)], 10),
    many("grouped_query_attention_causal", grouped(3, 4, 2, use_bias=False), [Q], 4, call=CAUSAL),
    many("grouped_query_attention_mask", grouped(3, 4, 2), [Q], 8, call=BLOCKED),
    many("grouped_query_attention_window", grouped(3, 4, 2, sliding_window=2), [Q], 8, call=CAUSAL),
    many(
        "grouped_query_attention_seed",
        grouped(3, 4, 2, dropout=0.5, seed=3),
        [Q],
        8,
        call={**TRAIN, **SCORES},
        skip=HANGS_ON,
    ),
    many("grouped_query_attention_options", grouped(3, 4, 2, **OPTIONS), [Q], 8),
]

NO_CASE = {
    "MultiHeadAttention": "its child OneArgument has the rows, which call a layer on one argument",
    "GroupedQueryAttention": "its child OneArgumentGrouped has the rows",
}

X = np.ones((2, 3, 4), "float32")
IMAGE = np.ones((2, 3, 5, 4), "float32")


def mha(k, *args, **kwargs):
    return k.layers.MultiHeadAttention(*(args or (2, 3)), name="m", **kwargs)


def gqa(k, *args, **kwargs):
    return k.layers.GroupQueryAttention(*(args or (3, 4, 2)), name="m", **kwargs)


REFUSED = [
    Refused("attention_score_mode", lambda k: k.layers.Attention(score_mode="sum", name="a"), ValueError,
            r"Attention 'a': expected `score_mode` to be one of"),
    Refused("attention_one_tensor", lambda k: k.layers.Attention(name="a")(X), ValueError,
            r"'a': expected `inputs` to be a list, \[query, value\]"),
    Refused("attention_one_in_a_list", lambda k: k.layers.Attention(name="a")([X]), ValueError,
            r"'a': expected `inputs` to be a list"),
    Refused("attention_four", lambda k: k.layers.Attention(name="a")([X, X, X, X]), ValueError,
            r"'a': expected `inputs` to be a list"),
    Refused("attention_mask", lambda k: k.layers.Attention(name="a")([X, X], mask=X[:, :, 0] > 0), ValueError,
            r"'a': expected `mask` to be a list, \[query_mask, value_mask\]"),
    Refused("attention_dropout", lambda k: k.layers.Attention(dropout=2.0, name="a"), ValueError,
            r"'a': expected `dropout` to be a number in \[0, 1\]", None, "Keras 3.15 fails at the first training call"),
    Refused("additive_attention_one_tensor", lambda k: k.layers.AdditiveAttention(name="a")(X), ValueError,
            r"AdditiveAttention 'a': expected `inputs` to be a list"),
    Refused("multi_head_attention_heads", lambda k: mha(k, 0, 3), ValueError, r"'m': expected `num_heads`"),
    Refused("multi_head_attention_key_dim", lambda k: mha(k, 2, 1.5), ValueError, r"'m': expected `key_dim`"),
    Refused("multi_head_attention_value_dim", lambda k: mha(k, value_dim=-1), ValueError, r"'m': expected `value_dim`"),
    Refused("multi_head_attention_window", lambda k: mha(k, sliding_window=0), ValueError,
            r"'m': expected `sliding_window` to be an int above 0"),
    Refused("multi_head_attention_axes", lambda k: mha(k, attention_axes="time"), ValueError,
            r"'m': expected `attention_axes`"),
    Refused("multi_head_attention_output", lambda k: mha(k, output_shape=2.5), ValueError,
            r"'m': expected `output_shape`"),
    Refused("multi_head_attention_flash_dropout", lambda k: mha(k, dropout=0.5, flash_attention=True), ValueError,
            r"'m': expected `dropout` to be 0 with `flash_attention`"),
    Refused("multi_head_attention_flash_scores",
            lambda k: mha(k, flash_attention=True)(X, X, return_attention_scores=True), ValueError,
            r"'m': expected no attention scores to be wanted"),
    Refused("multi_head_attention_key", lambda k: mha(k)(X, X, X[:, :2]), ValueError,
            r"'m': expected value and key with the same axes but for the last"),
    Refused("multi_head_attention_ranks", lambda k: mha(k)(X, IMAGE), ValueError,
            r"'m': expected query, value and key with the same number of axes"),
    Refused("multi_head_attention_axis", lambda k: mha(k, attention_axes=2)(X, X), ValueError,
            r"'m': expected `attention_axes` to be axes of the inputs", None, "Keras attends over the heads then"),
    Refused("multi_head_attention_causal_image", lambda k: mha(k)(IMAGE, IMAGE, use_causal_mask=True), ValueError,
            r"'m': expected attention over one axis.*`attention_mask`"),
    Refused("grouped_query_attention_heads", lambda k: gqa(k, 3, 4, 3), ValueError,
            r"'m': expected `num_key_value_heads` to divide `num_query_heads`"),
    Refused("grouped_query_attention_window", lambda k: gqa(k, sliding_window=-1), ValueError,
            r"'m': expected `sliding_window`"),
    Refused("grouped_query_attention_flash", lambda k: gqa(k, dropout=0.5, flash_attention=True), ValueError,
            r"'m': expected `dropout` to be 0"),
    Refused("grouped_query_attention_image", lambda k: gqa(k)(IMAGE, IMAGE), ValueError,
            r"'m': expected inputs with 3 axes", RuntimeError, "Keras' error is that of torch's einsum"),
]  # fmt: skip

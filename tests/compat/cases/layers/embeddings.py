"""Embedding, ReversibleEmbedding."""

import numpy as np

from cases import counting
from cases.layers.row import Case, Refused, layer

SKIP = {"test_shape_arguments": "a first layer's `input_dim` is the Embedding's own argument",
        "test_weights_argument": "built at once, as in Keras 3: test_layers_core.py"}  # fmt: skip


def indices():
    return [np.array([[3, 0, 1], [0, 4, 2]])]


def small_indices():
    return [np.array([[3, 0, 1], [0, 4, 2]], "int32")]


def float_indices():
    return [np.array([[3, 0, 1], [0, 4, 2]], "float32")]


def table():
    return counting((5, 4), 3)


def with_table(name, *args, **kwargs):
    return lambda k, **more: getattr(k.layers, name)(*args, **{"weights": [table()], **kwargs, **more})


CASES = [
    Case("embedding", layer("Embedding", 5, 4), [(2, 3)], 1, inputs=indices, skip=SKIP),
    Case("embedding_int32", layer("Embedding", 5, 4), [(2, 3)], 1, inputs=small_indices, skip=SKIP),
    Case("embedding_floats", layer("Embedding", 9, 4), [(2, 3)], 1, inputs=float_indices,
         skip={**SKIP, "test_integer_inputs": "its indices go below 0"}),
    Case("embedding_vector", layer("Embedding", 5, 4), [(3,)], 1, inputs=lambda: [indices()[0][0]],
         skip=SKIP),
    Case("embedding_mask", layer("Embedding", 5, 4, mask_zero=True), [(2, 3)], 1, inputs=indices, skip=SKIP),
    Case("embedding_regularized", layer("Embedding", 5, 4, embeddings_regularizer="l2",
         embeddings_constraint="max_norm", embeddings_initializer="ones"), [(2, 3)], 1, inputs=indices, skip=SKIP),
    Case("embedding_weights", with_table("Embedding", 5, 4), [(2, 3)], 1, inputs=indices, skip=SKIP),
    Case("reversible_embedding", layer("ReversibleEmbedding", 5, 4), [(2, 3)], 1, inputs=indices, skip=SKIP),
    Case("reversible_embedding_untied", layer("ReversibleEmbedding", 5, 4, tie_weights=False), [(2, 3)], 2,
         inputs=indices, skip=SKIP),
    Case("reversible_embedding_mask", layer("ReversibleEmbedding", 5, 4, mask_zero=True), [(2, 3)], 1, inputs=indices,
         skip=SKIP),
]  # fmt: skip

REFUSED = [
    *(
        Refused(f"embedding_{name}_{n}", lambda k, name=name, n=n: k.layers.Embedding(
            **{"input_dim": 5, "output_dim": 4, "name": "e", name: n}), ValueError, f"Embedding 'e': expected `{name}`")
        for name in ("input_dim", "output_dim") for n in (0, -1, 2.5, None, True)
    ),
    Refused("embedding_index_above", lambda k: k.layers.Embedding(5, 4, name="e")(np.array([[1, 5]])), IndexError,
            r"Embedding 'e': expected indices in \[0, 5\).*from 1 to 5"),
    Refused("embedding_index_below", lambda k: k.layers.Embedding(5, 4, name="e")(np.array([[1, -1]])), IndexError,
            r"Embedding 'e': expected indices in \[0, 5\).*from -1 to 1", None, "on torch it counts from the end"),
    Refused("embedding_weights_shape", lambda k: k.layers.Embedding(5, 4, weights=[np.ones((4, 5))], name="e"),
            ValueError, "Embedding 'e': weight 0.*expected shape"),
]  # fmt: skip

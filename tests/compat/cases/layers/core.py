"""Input, Dense, EinsumDense, Activation, Identity, Lambda, Masking."""

import numpy as np

from cases import counting
from cases.layers.row import Case, Refused, layer


def twice_plus_one(x):
    return x * 2 + 1


def scaled(x, by):
    return x * by


def summed(x):
    return x.sum(-1)


def without_channels(shape):
    return shape[:-1]


def with_empty_steps():
    """Step 1 of row 0 and the last step of row 1 hold the mask value only."""
    x = counting((3, 4, 5))
    x[0, 1] = x[1, -1] = 0
    return [x]


def with_ones():
    x = counting((3, 4, 5))
    x[2, 0] = 1
    return [x]


def einsum(name, weights, shape, *args, **kwargs):
    """A row of an EinsumDense whose output shape is told in full."""
    return Case(f"einsum_dense_{name}", layer("EinsumDense", *args, **kwargs), [shape], weights, skip={
        "test_integer_inputs": "Keras 3.15 fails: it has no product of ints and floats",
        "test_unknown_axes": "Keras 3.15 refuses an axis that is told here and unknown there",
    })  # fmt: skip


ACTIVATIONS = ("relu", "softmax", "sigmoid", "tanh", "elu", "selu", "softplus", "softsign", "gelu", "silu",
               "hard_sigmoid", "leaky_relu", "exponential", "linear", "mish", "log_softmax", "relu6")  # fmt: skip

CASES = [
    Case("dense", layer("Dense", 4), [(2, 3)], 2),
    Case("dense_relu", layer("Dense", 4, activation="relu"), [(2, 3)], 2),
    Case("dense_softmax", layer("Dense", 4, activation="softmax"), [(2, 3)], 2),
    Case("dense_sigmoid", layer("Dense", 1, activation="sigmoid"), [(5, 3)], 2),
    Case("dense_no_bias", layer("Dense", 4, use_bias=False), [(2, 3)], 1),
    Case("dense_3d", layer("Dense", 4, activation="tanh"), [(2, 5, 3)], 2),
    Case("dense_3d_no_bias", layer("Dense", 4, use_bias=False), [(2, 5, 3)], 1),
    Case("dense_4d", layer("Dense", 2), [(2, 3, 4, 5)], 2),
    Case("dense_one_row", layer("Dense", 4), [(1, 3)], 2),
    Case("dense_regularized", layer("Dense", 4, kernel_regularizer="l2", bias_regularizer="l1"), [(2, 3)], 2),
    Case("dense_activity", layer("Dense", 4, activity_regularizer="l2"), [(2, 3)], 2),
    Case("dense_constrained", layer("Dense", 4, kernel_constraint="non_neg", bias_constraint="max_norm"), [(2, 3)], 2),
    Case("dense_initializers", layer("Dense", 4, kernel_initializer="ones", bias_initializer="ones"), [(2, 3)], 2),
    Case("dense_frozen", layer("Dense", 4, trainable=False), [(2, 3)], 2),
    einsum("matrix", 2, (2, 3), "ab,bc->ac", 4, bias_axes="c"),
    einsum("no_bias", 1, (2, 3), "ab,bc->ac", 4, activation="relu"),
    einsum("sequence", 2, (2, 5, 3), "abc,cd->abd", (5, 4), bias_axes="d"),
    einsum("bias_of_two_axes", 2, (2, 5, 3), "abc,cde->abde", (5, 2, 4), bias_axes="be"),
    einsum("first_axis", 1, (2, 5, 3), "abc,bd->adc", (4, 3)),
    einsum("ellipsis", 2, (2, 5, 3), "...x,xy->...y", 4, bias_axes="y"),
    einsum("ellipsis_matrix", 2, (2, 3), "...x,xy->...y", 4, bias_axes="y"),
    einsum("ellipsis_last", 2, (2, 3, 5), "ab...,bc->ac...", 4, bias_axes="c"),
    einsum("ellipsis_two", 2, (2, 6, 5, 3), "...ab,bcd->...acd", (5, 2, 4), bias_axes="cd"),
    einsum("regularized", 2, (2, 3), "ab,bc->ac", (4,), bias_axes="c", kernel_regularizer="l2", bias_regularizer="l1",
           kernel_constraint="non_neg", activation="tanh", activity_regularizer="l2"),
    *(Case(f"activation_{name}", layer("Activation", name), [(3, 5)]) for name in ACTIVATIONS),
    Case("activation_3d", layer("Activation", "softmax"), [(2, 3, 4)]),
    Case("activation_function", layer("Activation", twice_plus_one), [(3, 5)]),
    Case("identity", layer("Identity"), [(3, 4, 5)]),
    Case("identity_of_two", layer("Identity"), [(3, 5), (3, 4, 2)]),
    Case("lambda", layer("Lambda", twice_plus_one), [(3, 5)]),
    Case("lambda_arguments", layer("Lambda", scaled, arguments={"by": 3}), [(3, 5)]),
    Case("lambda_output_shape", layer("Lambda", summed, output_shape=(4,)), [(3, 4, 5)]),
    Case("lambda_output_shape_callable", layer("Lambda", summed, output_shape=without_channels), [(3, 4, 5)]),
    Case("masking", layer("Masking"), [(3, 4, 5)], inputs=with_empty_steps),
    Case("masking_value", layer("Masking", mask_value=1.0), [(3, 4, 5)], inputs=with_ones),
]  # fmt: skip

# Public classes that are no row: why.
NO_CASE = {
    "InputLayer": "the entry of a graph, which is not called: test_input_layer",
    "Layer": "the base: test_models.py has its subclasses",
}

X = np.ones((2, 3), "float32")

REFUSED = [
    *(
        Refused(f"dense_units_{n}", lambda k, n=n: k.layers.Dense(n, name="d"), ValueError,
                "Dense 'd': expected `units`")
        for n in (-1, 0, 2.5, "2", None)
    ),
    Refused("dense_vector", lambda k: k.layers.Dense(2, name="d")(np.ones(3)), ValueError, r"'d'.*ndim"),
    Refused("dense_other_width", lambda k: two_calls(k.layers.Dense(2, name="d"), X, X[:, :2]), ValueError,
            r"'d'.*axis -1.*3"),
    Refused("dense_unknown_width", lambda k: k.layers.Dense(2, name="d")(k.Input((None,))), ValueError,
            "Dense 'd'.*last axis is known"),
    Refused("dense_activation", lambda k: k.layers.Dense(2, activation="rellu"), ValueError, "relu"),
    Refused("dense_keyword", lambda k: k.layers.Dense(2, unit=3), ValueError, "units"),
    Refused("einsum_equation", lambda k: k.layers.EinsumDense("ab,bc", 4, name="e")(X), ValueError,
            "EinsumDense 'e': expected an equation"),
    Refused("einsum_letters", lambda k: k.layers.EinsumDense("ab,cd->ad", 4, name="e")(X), ValueError,
            "EinsumDense 'e': expected the letters .'c'"),
    Refused("einsum_output_letter", lambda k: k.layers.EinsumDense("ab,b->ac", 4, name="e")(X), ValueError,
            "EinsumDense 'e': expected the letters .'c'"),
    Refused("einsum_shared_axis", lambda k: k.layers.EinsumDense("ab,bc->abc", (4, 2), name="e")(X), ValueError,
            "EinsumDense 'e': expected axis 'b'"),
    Refused("einsum_bias", lambda k: k.layers.EinsumDense("ab,bc->ac", 4, bias_axes="z", name="e")(X), ValueError,
            "EinsumDense 'e': expected `bias_axes`"),
    Refused("einsum_lacks_a_size", lambda k: k.layers.EinsumDense("ab,bc->abc", 3, name="e")(X), ValueError,
            "EinsumDense 'e': expected a size for each letter", IndexError, "it falls over a list's end"),
    Refused("activation_unknown", lambda k: k.layers.Activation("rellu"), ValueError, "relu"),
    Refused("lambda_no_function", lambda k: k.layers.Lambda("x"), TypeError, "Lambda 'lambda.*callable"),
]  # fmt: skip


def two_calls(layer, first, second):
    layer(first)
    return layer(second)

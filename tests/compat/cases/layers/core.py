"""Input, Dense, Activation, Dropout, Lambda, Masking, shapes and merges."""

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
    *(Case(f"activation_{name}", layer("Activation", name), [(3, 5)]) for name in ACTIVATIONS),
    Case("activation_3d", layer("Activation", "softmax"), [(2, 3, 4)]),
    Case("activation_function", layer("Activation", twice_plus_one), [(3, 5)]),
    Case("dropout", layer("Dropout", 0.5), [(3, 5)]),
    Case("dropout_zero", layer("Dropout", 0), [(3, 5)]),
    Case("dropout_noise_shape", layer("Dropout", 0.5, noise_shape=(None, 1, 5)), [(3, 4, 5)]),
    Case("dropout_seed", layer("Dropout", 0.5, seed=7), [(3, 4, 5)]),
    Case("flatten", layer("Flatten"), [(2, 3, 4, 5)]),
    Case("flatten_channels_first", layer("Flatten", data_format="channels_first"), [(2, 3, 4, 5)]),
    Case("flatten_3d_channels_first", layer("Flatten", data_format="channels_first"), [(2, 3, 4)]),
    Case("flatten_matrix", layer("Flatten"), [(2, 3)]),
    Case("flatten_vector", layer("Flatten"), [(4,)]),
    Case("reshape", layer("Reshape", (10, 2)), [(3, 4, 5)]),
    Case("reshape_unknown", layer("Reshape", (-1, 2)), [(3, 4, 5)]),
    Case("reshape_flat", layer("Reshape", (-1,)), [(3, 4, 5)]),
    Case("reshape_more", layer("Reshape", (2, 2, 5, 1)), [(3, 4, 5)]),
    Case("permute", layer("Permute", (3, 1, 2)), [(2, 3, 4, 5)]),
    Case("permute_sequence", layer("Permute", (2, 1)), [(2, 3, 4)]),
    Case("repeat_vector", layer("RepeatVector", 3), [(2, 5)]),
    Case("lambda", layer("Lambda", twice_plus_one), [(3, 5)]),
    Case("lambda_arguments", layer("Lambda", scaled, arguments={"by": 3}), [(3, 5)]),
    Case("lambda_output_shape", layer("Lambda", summed, output_shape=(4,)), [(3, 4, 5)]),
    Case("lambda_output_shape_callable", layer("Lambda", summed, output_shape=without_channels), [(3, 4, 5)]),
    Case("masking", layer("Masking"), [(3, 4, 5)], inputs=with_empty_steps),
    Case("masking_value", layer("Masking", mask_value=1.0), [(3, 4, 5)], inputs=with_ones),
    Case("add", layer("Add"), [(3, 5), (3, 5)]),
    Case("add_three", layer("Add"), [(3, 4, 5)] * 3),
    Case("add_broadcast", layer("Add"), [(3, 4, 5), (3, 1, 5)]),
    Case("add_ranks", layer("Add"), [(3, 4, 5), (3, 5)]),
    Case("concatenate", layer("Concatenate"), [(3, 5), (3, 2)]),
    Case("concatenate_three", layer("Concatenate", axis=-1), [(3, 4, 5), (3, 4, 1), (3, 4, 2)]),
    Case("concatenate_time", layer("Concatenate", axis=1), [(3, 4, 5), (3, 2, 5)]),
    Case("concatenate_counted_from_last", layer("Concatenate", axis=-2), [(3, 4, 5), (3, 2, 5)]),
]

# Public classes that are no row: why.
NO_CASE = {
    "InputLayer": "the entry of a graph, which is not called: test_input_layer",
    "Layer": "the base: test_models.py has its subclasses",
}

REFUSED = [
    Refused("dense_units", lambda k: k.layers.Dense(-1, name="d"), ValueError, r"Dense 'd': expected `units`"),
    Refused("dense_vector", lambda k: k.layers.Dense(2, name="d")(np.ones(3)), ValueError, r"'d'.*ndim"),
]

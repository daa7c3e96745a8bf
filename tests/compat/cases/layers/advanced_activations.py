"""ReLU, LeakyReLU, PReLU, ELU, Softmax."""

import numpy as np

from cases.layers.row import Case, Refused, layer

NO_TIME_MASK = {"test_masks_are_keras": "a mask of (batch, time) does not broadcast to the inputs: Keras 3 refuses it",
                "test_masks_inside_a_model_are_keras": "as above"}  # fmt: skip
KEPT = np.array([[True, False, True, True, False], [False] * 5, [True] * 5, [True, True, False, False, True]])

CASES = [
    Case("relu", layer("ReLU"), [(3, 5)]),
    Case("relu_slope", layer("ReLU", negative_slope=0.25), [(3, 4, 5)]),
    Case("relu_max", layer("ReLU", max_value=0.5), [(3, 5)]),
    Case("relu_six", layer("ReLU", 6.0), [(3, 5)]),
    Case("relu_all", layer("ReLU", max_value=0.5, negative_slope=0.25, threshold=0.125), [(3, 5)]),
    Case("leaky_relu_layer", layer("LeakyReLU"), [(3, 5)]),
    Case("leaky_relu_slope", layer("LeakyReLU", negative_slope=0.5), [(3, 4, 5)]),
    Case("elu_layer", layer("ELU"), [(3, 5)]),
    Case("elu_alpha", layer("ELU", alpha=0.5), [(3, 4, 5)]),
    Case("prelu", layer("PReLU"), [(3, 5)], 1),
    Case("prelu_3d", layer("PReLU"), [(3, 4, 5)], 1,
         skip={"test_unknown_axes": "alpha needs the axis; Keras 3.15 refuses it, too"}),
    Case("prelu_even", layer("PReLU", alpha_initializer="ones"), [(2, 6)], 1),  # one input is 0
    Case("prelu_shared", layer("PReLU", shared_axes=[1, 2]), [(2, 3, 4, 5)], 1),
    Case("prelu_shared_one", layer("PReLU", shared_axes=1), [(2, 3, 4)], 1),
    Case("prelu_regularized", layer("PReLU", alpha_regularizer="l2", alpha_constraint="non_neg"), [(3, 5)], 1),
    Case("softmax_layer", layer("Softmax"), [(3, 5)]),
    Case("softmax_cube", layer("Softmax"), [(3, 3, 3)]),
    Case("softmax_axis", layer("Softmax", axis=1), [(3, 4, 5)], skip=NO_TIME_MASK),
    Case("softmax_axes", layer("Softmax", axis=(1, 2)), [(3, 4, 5)], skip=NO_TIME_MASK),
    Case("softmax_list_of_one", layer("Softmax", axis=[1]), [(3, 4, 5)], skip=NO_TIME_MASK),
    Case("softmax_mask", layer("Softmax"), [(3, 4, 5)], call={"mask": KEPT}, skip=NO_TIME_MASK),
    Case("softmax_float_mask", layer("Softmax"), [(3, 4, 5)], call={"mask": KEPT.astype("float32")}, skip=NO_TIME_MASK),
    Case("softmax_mask_axes", layer("Softmax", axis=[1, 2]), [(3, 4, 5)], call={"mask": KEPT}, skip=NO_TIME_MASK),
]  # fmt: skip

X = np.ones((2, 3), "float32")

REFUSED = [
    *(
        Refused(f"relu_{name}_{value}", lambda k, name=name, value=value: k.layers.ReLU(**{name: value}, name="r"),
                ValueError, f"ReLU 'r': expected `{name}`")
        for name, value in (("max_value", -1), ("negative_slope", -1), ("negative_slope", None), ("threshold", -1),
                            ("threshold", None))
    ),
    *(
        Refused(f"leaky_relu_{value}", lambda k, value=value: k.layers.LeakyReLU(value, name="r"), ValueError,
                "LeakyReLU 'r': expected `negative_slope`")
        for value in (-0.5, None)
    ),
    Refused("prelu_axis", lambda k: k.layers.PReLU(shared_axes=[2], name="p")(X), ValueError,
            "PReLU 'p': expected `shared_axes`", IndexError, "it falls over a list's end"),
    Refused("prelu_unknown", lambda k: k.layers.PReLU(name="p")(k.Input((None,))), ValueError,
            "PReLU 'p'.*known sizes"),
    Refused("prelu_rank", lambda k: two_calls(k.layers.PReLU(name="p"), X, X[None]), ValueError, "'p'.*ndim"),
    Refused("softmax_mask_shape", lambda k: k.layers.Softmax(name="s")(X, mask=np.ones((2, 2), bool)), ValueError,
            "Softmax 's': expected a `mask`"),
    Refused("softmax_mask_rank", lambda k: k.layers.Softmax(name="s")(X, mask=np.ones((1, 2, 3), bool)), ValueError,
            "Softmax 's': expected a `mask`"),
]  # fmt: skip


def two_calls(layer, first, second):
    layer(first)
    return layer(second)

"""Normalization, Discretization and CategoryEncoding."""

import numpy as np

from cases import counting
from cases.layers.row import Case, Refused, layer

AXES_3_AND_4 = [1.0, 2.0, 3.0, 4.0, 5.0]
NOT_SET = "what set_weights writes is not used before finalize_state there: test_normalization_uses_its_weights"
LEARNS = {
    name: NOT_SET
    for name in ("test_output_and_gradients_are_keras", "test_arrays_and_other_floats_are_taken",
                 "test_integer_inputs", "test_in_sequential", "test_in_a_functional_model", "test_masks_are_keras",
                 "test_masks_inside_a_model_are_keras")
}  # fmt: skip
NO_KEYWORDS = {"test_shape_arguments": "Keras' constructor takes no input_shape"}


def indices():
    return [np.array([[0, 3, 1], [2, 2, 2], [3, 0, 3], [1, 1, 0]])]


def column():
    return [np.array([[0], [2], [3], [1]])]


def vector():
    return [np.array([0, 2, 3, 1])]


def on_the_edges():
    return [np.array([[-1.0, 0.0, 0.5], [1.0, 1.5, 2.0], [np.inf, -np.inf, 0.25]], "float32")]


def encoding(mode, inputs, **kwargs):
    name = f"category_{mode}_{inputs.__name__}"
    make = layer("CategoryEncoding", 4, output_mode=mode, **kwargs)
    return Case(name, make, [inputs()[0].shape], inputs=inputs, gradient=False)


def bins(name, mode, shape=(3, 3), inputs=on_the_edges, **kwargs):
    make = layer("Discretization", bin_boundaries=[0.0, 0.5, 1.0, 2.0], output_mode=mode, **kwargs)
    skip = NO_KEYWORDS if len(shape) > 1 else {}
    return Case(f"discretization_{name}", make, [shape], inputs=inputs, gradient=False, skip=skip)


def adapted(k, **more):
    made = k.layers.Discretization(num_bins=4, epsilon=0.1, **more)
    made.update_state(counting((20, 5), 3))  # as adapt() does, which needs TensorFlow there
    made.finalize_state()
    return made


CASES = [
    Case("normalization_given", layer("Normalization", mean=[1, 2, 3, 4, 5], variance=[1.0, 4, 9, 16, 25]), [(3, 5)]),
    Case("normalization_scalars", layer("Normalization", mean=3.0, variance=2.0), [(3, 4, 5)]),
    Case("normalization_invert", layer("Normalization", mean=3.0, variance=2.0, invert=True), [(3, 5)]),
    Case("normalization_all", layer("Normalization", axis=None, mean=0.5, variance=0.25), [(3, 5)]),
    Case("normalization_axes", layer("Normalization", axis=(1, -1), mean=AXES_3_AND_4, variance=AXES_3_AND_4),
         [(3, 4, 5)], skip={"test_unknown_axes": "a kept axis must be known"}),
    Case("normalization_learns", layer("Normalization"), [(3, 5)], 3, skip=LEARNS),
    Case("normalization_learns_invert", layer("Normalization", axis=-1, invert=True), [(2, 4, 5)], 3, skip=LEARNS),
    Case("normalization_learns_all", layer("Normalization", axis=None), [(3, 5)], 3, skip=LEARNS),
    *(bins(mode, mode) for mode in ("int", "one_hot", "multi_hot", "count")),
    bins("vector", "int", (9,), lambda: [on_the_edges()[0].ravel()]),
    bins("vector_one_hot", "one_hot", (9,), lambda: [on_the_edges()[0].ravel()]),
    bins("column_one_hot", "one_hot", (9, 1), lambda: [on_the_edges()[0].reshape(-1, 1)]),
    Case("discretization_adapted", adapted, [(4, 5)], gradient=False, skip=NO_KEYWORDS),
    Case("discretization_adapted_count", lambda k, **more: adapted(k, output_mode="count", **more), [(4, 5)],
         gradient=False, skip=NO_KEYWORDS),
    *(encoding(mode, inputs) for mode in ("one_hot", "multi_hot", "count") for inputs in (indices, column, vector)),
    Case("category_weights", layer("CategoryEncoding", 4, output_mode="count"), [(4, 3)], inputs=indices,
         call={"count_weights": counting((1, 3))}, gradient=False),
]  # fmt: skip


NEEDS_TF = ImportError, "adapt() looks for tf.data there, and TensorFlow is not installed"


def adapt_given(k):
    k.layers.Discretization(bin_boundaries=[1.0], name="d").adapt(np.ones(3))


def grown(k):
    made = k.layers.Normalization(name="n")
    made.build((None, 3))
    made.adapt(np.ones((2, 4)))


REFUSED = [
    Refused("normalization_mean_alone", lambda k: k.layers.Normalization(mean=1.0, name="n"), ValueError,
            "'n': .*both"),
    Refused("normalization_shapes", lambda k: k.layers.Normalization(mean=[1.0], variance=[1.0, 2.0], name="n"),
            ValueError, "'n': .*one shape"),
    Refused("normalization_rank", lambda k: k.layers.Normalization(mean=[[1.0]], variance=[[1.0]], name="n"),
            ValueError, "'n': .*at most 1 axes"),
    Refused("normalization_axis", lambda k: k.layers.Normalization(axis=3, name="n").build((None, 3)),
            ValueError, "'n': .*each `axis`"),
    Refused("normalization_unknown", lambda k: k.layers.Normalization(name="n").build((None, None)),
            ValueError, "'n': .*known size"),
    Refused("normalization_grown", grown, ValueError, "'n': .*shape=\\(2, 4\\)"),
    Refused("normalization_no_batches", lambda k: k.layers.Normalization(name="n").adapt([]),
            ValueError, "'n': .*at least one batch", *NEEDS_TF),
    Refused("normalization_no_rows", lambda k: k.layers.Normalization(name="n").adapt(np.zeros((0, 3))),
            ValueError, "'n': .*at least one batch", None, "the mean of nothing is nan there"),
    Refused("normalization_lists", lambda k: k.layers.Normalization(name="n").adapt([[1.0], [2.0]]),
            TypeError, "'n': .*a shape", *NEEDS_TF),
    Refused("normalization_no_data", lambda k: k.layers.Normalization().adapt(3), TypeError, "unsupported data type",
            *NEEDS_TF),
    Refused("normalization_given_adapt", lambda k: k.layers.Normalization(mean=1.0, variance=1.0, name="n").adapt(
        np.ones((2, 3))), ValueError, "'n': .*without `mean`", AttributeError, "it has no weights to write"),
    Refused("discretization_both", lambda k: k.layers.Discretization([1.0], 3, name="d"), ValueError, "'d': .*one of"),
    Refused("discretization_neither", lambda k: k.layers.Discretization(name="d"), ValueError, "'d': .*one of"),
    Refused("discretization_bins", lambda k: k.layers.Discretization(num_bins=-1, name="d"), ValueError, "num_bins=-1"),
    Refused("discretization_mode", lambda k: k.layers.Discretization([1.0], output_mode="two_hot", name="d"),
            ValueError, "'d': .*output_mode='two_hot'"),
    Refused("discretization_sparse", lambda k: k.layers.Discretization([1.0], output_mode="count", sparse=True,
            name="d"), ValueError, "'d': .*sparse=True"),
    Refused("discretization_adapt", adapt_given, ValueError, "'d': .*num_bins"),
    Refused("discretization_not_adapted", lambda k: k.layers.Discretization(num_bins=2, name="d")(np.ones(3)),
            ValueError, "'d': .*bin boundaries"),
    Refused("category_none", lambda k: k.layers.CategoryEncoding(name="c"), ValueError, "'c': .*num_tokens=None"),
    Refused("category_zero", lambda k: k.layers.CategoryEncoding(0, name="c"), ValueError, "'c': .*num_tokens=0"),
    Refused("category_mode", lambda k: k.layers.CategoryEncoding(3, output_mode="int", name="c"), ValueError,
            "'c': .*output_mode='int'"),
    Refused("category_sparse", lambda k: k.layers.CategoryEncoding(3, sparse=True, name="c")(np.ones((2, 2), int)),
            ValueError, "'c': .*sparse=True"),
    Refused("category_too_large", lambda k: k.layers.CategoryEncoding(3, name="c")(np.array([[3]])),
            RuntimeError, "'c': .*num_tokens=3"),
    Refused("category_weights_mode", lambda k: k.layers.CategoryEncoding(3, name="c")(
        np.array([[1]]), count_weights=np.array([[1.0]])), ValueError, "'c': .*count_weights"),
]  # fmt: skip

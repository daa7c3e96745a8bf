"""BatchNormalization, LayerNormalization, GroupNormalization, RMSNormalization, UnitNormalization."""

import numpy as np

from cases.layers.row import Case, Refused, layer

TRAIN = {"training": True}
AFFINE = {"gamma_regularizer": "l2", "beta_regularizer": "l1", "gamma_constraint": "non_neg",
          "beta_constraint": "max_norm", "gamma_initializer": "zeros", "beta_initializer": "ones"}  # fmt: skip

NO_MASK = {"test_masks_are_keras": "the mask of (batch, time) has not one axis less than the input: both refuse it"}
INTEGERS = {"test_integer_inputs": "Keras 3.15 rounds what it normalized to the integers of the input"}
UNKNOWN = {"test_unknown_axes": "the axis that is made unknown is the one that the weights have"}


def norm(name, cls, shape, weights, call={}, skip={}, **arguments):  # noqa: B006 - neither is written to
    """A row whose inputs are no straight line, of which normalization leaves next to no gradient."""
    inputs = np.sin(np.arange(np.prod(shape)) ** 2).reshape(shape).astype("float32")
    known = {} if cls in ("BatchNormalization", "UnitNormalization") else INTEGERS
    return Case(
        name, layer(cls, **arguments), [shape], weights, lambda: [inputs.copy()], call=call, skip={**known, **skip}
    )


INNER = {"test_integer_inputs": "Keras 3.15 rounds the output to the integers of the input",
         "test_config_is_keras": "the config within has Keras' quantization_config"}  # fmt: skip
MOVES = INNER | {"test_copies_are_equal_and_apart": "each training call divides the kernel anew"}


def spectral(name, *args, **kwargs):
    def make(k, **more):
        own = {key: kwargs[key] for key in kwargs if key == "power_iterations"}
        inner = {key: kwargs[key] for key in kwargs if key != "power_iterations"}
        inner |= {key: more[key] for key in more if key == "dtype"}
        return k.layers.SpectralNormalization(getattr(k.layers, name)(*args, name="inner", **inner), **own, **more)

    return make


CASES = [
    norm("batch_normalization", "BatchNormalization", (3, 4), 4),
    norm("batch_normalization_train", "BatchNormalization", (3, 4), 4, TRAIN),
    norm("batch_normalization_sequence", "BatchNormalization", (2, 3, 4), 4, TRAIN),
    norm("batch_normalization_sequence_eval", "BatchNormalization", (2, 3, 4), 4),
    norm("batch_normalization_image", "BatchNormalization", (2, 3, 4, 5), 4, TRAIN, NO_MASK, momentum=0.5),
    norm("batch_normalization_image_eval", "BatchNormalization", (2, 3, 4, 5), 4, skip=NO_MASK),
    norm("batch_normalization_volume", "BatchNormalization", (2, 3, 1, 4, 2), 4, TRAIN, NO_MASK),
    norm("batch_normalization_first", "BatchNormalization", (2, 3, 4, 5), 4, TRAIN, NO_MASK | UNKNOWN, axis=1),
    norm("batch_normalization_first_sequence", "BatchNormalization", (2, 3, 4), 4, TRAIN, UNKNOWN, axis=1),
    norm("batch_normalization_middle", "BatchNormalization", (2, 3, 4, 5), 4, TRAIN, NO_MASK, axis=2),
    norm("batch_normalization_no_scale", "BatchNormalization", (2, 3, 4), 3, TRAIN, scale=False),
    norm("batch_normalization_no_center", "BatchNormalization", (2, 3, 4), 3, TRAIN, center=False),
    norm("batch_normalization_bare", "BatchNormalization", (2, 3), 2, center=False, scale=False, epsilon=0.1),
    norm("batch_normalization_one_row", "BatchNormalization", (1, 4), 4, TRAIN),
    norm("batch_normalization_frozen", "BatchNormalization", (3, 4), 4, TRAIN,
         {"test_trainable_false_freezes": "two of its weights never train"}, trainable=False),
    norm("batch_normalization_initializers", "BatchNormalization", (3, 4), 4, moving_mean_initializer="ones",
         moving_variance_initializer="zeros", **AFFINE),
    norm("layer_normalization", "LayerNormalization", (3, 4), 2),
    norm("layer_normalization_sequence", "LayerNormalization", (2, 3, 4), 2, epsilon=1e-6),
    norm("layer_normalization_two_axes", "LayerNormalization", (2, 3, 4, 5), 2, axis=[-1, -2]),
    norm("layer_normalization_apart", "LayerNormalization", (2, 3, 4, 5), 2, skip=UNKNOWN, axis=(3, 1)),
    norm("layer_normalization_no_scale", "LayerNormalization", (2, 3, 4), 1, scale=False),
    norm("layer_normalization_no_center", "LayerNormalization", (2, 3, 4), 1, center=False),
    norm("layer_normalization_bare", "LayerNormalization", (2, 3, 4), 0, center=False, scale=False),
    norm("layer_normalization_initializers", "LayerNormalization", (3, 4), 2, **AFFINE),
    norm("group_normalization", "GroupNormalization", (2, 3, 3, 4), 2, groups=2),
    norm("group_normalization_matrix", "GroupNormalization", (3, 6), 2, groups=2),
    norm("group_normalization_sequence", "GroupNormalization", (2, 3, 4), 2, groups=2, epsilon=1e-5),
    norm("group_normalization_volume", "GroupNormalization", (2, 3, 1, 2, 4), 2, groups=2),
    norm("group_normalization_first", "GroupNormalization", (2, 4, 3, 3), 2, skip=UNKNOWN, groups=2, axis=1),
    norm("group_normalization_middle", "GroupNormalization", (2, 3, 4, 5), 2, groups=2, axis=-2),
    norm("group_normalization_instance", "GroupNormalization", (2, 3, 4), 2, groups=-1),
    norm("group_normalization_one_group", "GroupNormalization", (2, 3, 4), 1, groups=1, scale=False),
    norm("group_normalization_no_center", "GroupNormalization", (2, 3, 4), 1, groups=4, center=False),
    norm("group_normalization_bare", "GroupNormalization", (2, 3, 4), 0, groups=2, center=False, scale=False),
    norm("group_normalization_initializers", "GroupNormalization", (3, 4), 2, groups=2, **AFFINE),
    norm("rms_normalization", "RMSNormalization", (3, 4), 1),
    norm("rms_normalization_sequence", "RMSNormalization", (2, 3, 4), 1, epsilon=1e-2),
    norm("rms_normalization_two_axes", "RMSNormalization", (2, 3, 4), 1, skip=UNKNOWN, axis=(-1, -2)),
    norm("unit_normalization", "UnitNormalization", (3, 4), 0),
    norm("unit_normalization_first", "UnitNormalization", (2, 3, 4), 0, axis=1),
    norm("unit_normalization_two_axes", "UnitNormalization", (2, 3, 4), 0, axis=(1, 2)),
    Case("spectral_normalization", spectral("Dense", 4), [(2, 3)], 3, skip=INNER),
    Case("spectral_normalization_train", spectral("Dense", 4), [(2, 3)], 3, call=TRAIN, skip=MOVES),
    Case("spectral_normalization_conv", spectral("Conv2D", 3, 2, power_iterations=3), [(2, 4, 4, 2)], 3, call=TRAIN,
         skip=MOVES),
]  # fmt: skip

X = np.ones((2, 3, 4), "float32")
AXIS_WHY = "Keras' error is that of a tuple's index"

REFUSED = [
    Refused("batch_normalization_axes", lambda k: k.layers.BatchNormalization([1, 2], name="n"), TypeError,
            r"BatchNormalization 'n': expected `axis` to be an int"),
    Refused("batch_normalization_axis", lambda k: k.layers.BatchNormalization(3, name="n")(X), ValueError,
            r"'n': expected `axis` to be within the input's 3 axes", IndexError, AXIS_WHY),
    Refused("batch_normalization_momentum", lambda k: k.layers.BatchNormalization(momentum="much", name="n"),
            ValueError, r"'n': expected `momentum` to be a number"),
    Refused("batch_normalization_epsilon", lambda k: k.layers.BatchNormalization(epsilon="small", name="n"),
            ValueError, r"'n': expected `epsilon` to be a number"),
    Refused("batch_normalization_renorm", lambda k: k.layers.BatchNormalization(renorm=True, name="n"),
            NotImplementedError, r"'n': kshim has no batch renormalization.*GroupNormalization", None,
            "Keras 3 has it"),
    Refused("batch_normalization_unknown", lambda k: k.layers.BatchNormalization(name="n")(k.Input((3, None))),
            ValueError, r"'n': expected an input whose axis -1 is known.*Input\(shape"),
    Refused("batch_normalization_other_size",
            lambda k: [layer(X[:, :, :size]) for layer in [k.layers.BatchNormalization(name="n")] for size in (4, 2)],
            ValueError, r"BatchNormalization 'n'.*axis -1 of input shape to have value 4"),
    Refused("batch_normalization_mask", lambda k: k.layers.BatchNormalization(name="n")(X, mask=X > 0),
            ValueError, r"'n': expected a mask with 2 axes, one less than the inputs"),
    Refused("layer_normalization_axis_name", lambda k: k.layers.LayerNormalization("last", name="n"), TypeError,
            r"LayerNormalization 'n': expected `axis` to be an int or a list of ints"),
    Refused("layer_normalization_axis", lambda k: k.layers.LayerNormalization([1, 3], name="n")(X), ValueError,
            r"'n': expected `axis` to be within the input's 3 axes", IndexError, AXIS_WHY),
    Refused("layer_normalization_axis_twice", lambda k: k.layers.LayerNormalization([1, 1], name="n")(X), ValueError,
            r"'n': expected `axis` to be within the input's 3 axes, each once", RuntimeError,
            "Keras' error is torch's"),
    Refused("layer_normalization_unknown", lambda k: k.layers.LayerNormalization(name="n")(k.Input((3, None))),
            ValueError, r"'n': expected an input whose axis \[-1\] is known"),
    Refused("group_normalization_groups", lambda k: k.layers.GroupNormalization(0, name="n"), ValueError,
            r"GroupNormalization 'n': expected `groups` to be an int above 0, or -1"),
    Refused("group_normalization_fraction", lambda k: k.layers.GroupNormalization(2.0, name="n"), ValueError,
            r"'n': expected `groups` to be an int above 0, or -1"),
    Refused("group_normalization_too_many", lambda k: k.layers.GroupNormalization(8, name="n")(X), ValueError,
            r"'n': expected `groups` to divide the number of channels. Received: groups=8, channels=4"),
    Refused("group_normalization_uneven", lambda k: k.layers.GroupNormalization(3, name="n")(X), ValueError,
            r"'n': expected `groups` to divide the number of channels"),
    Refused("group_normalization_unknown", lambda k: k.layers.GroupNormalization(2, name="n")(k.Input((3, None))),
            ValueError, r"'n': expected an input whose axis -1 is known"),
    Refused("group_normalization_axis", lambda k: k.layers.GroupNormalization(2, axis=3, name="n")(X), ValueError,
            r"'n': expected `axis` to be within the input's 3 axes", IndexError, AXIS_WHY),
    Refused("group_normalization_axes", lambda k: k.layers.GroupNormalization(2, axis="last", name="n")(X), TypeError,
            r"'n': expected `axis` to be an int"),
    Refused("group_normalization_batch_axis", lambda k: k.layers.GroupNormalization(2, axis=0, name="n")(X),
            ValueError, r"'n': expected `axis` to be another one than the batch's", None, "Keras mixes the axes up"),
    Refused("rms_normalization_axis", lambda k: k.layers.RMSNormalization(3, name="n")(X), ValueError,
            r"RMSNormalization 'n': expected `axis` to be within the input's 3 axes", IndexError, AXIS_WHY),
    Refused("rms_normalization_axis_name", lambda k: k.layers.RMSNormalization("last", name="n")(X), TypeError,
            r"RMSNormalization 'n': expected `axis` to be an int or a list of ints"),
    Refused("rms_normalization_unknown", lambda k: k.layers.RMSNormalization(name="n")(k.Input((3, None))), ValueError,
            r"'n': expected an input whose axis \[-1\] is known"),
    Refused("unit_normalization_axis_name", lambda k: k.layers.UnitNormalization("last", name="n"), TypeError,
            r"UnitNormalization 'n': expected `axis` to be an int or a list of ints"),
    Refused("spectral_normalization_iterations",
            lambda k: k.layers.SpectralNormalization(k.layers.Dense(2), power_iterations=0, name="n"), ValueError,
            r"SpectralNormalization 'n': expected `power_iterations` to be an int above 0"),
    Refused("spectral_normalization_no_layer", lambda k: k.layers.SpectralNormalization("dense", name="n"), ValueError,
            r"expected `layer` to be a layer"),
    Refused("spectral_normalization_no_kernel",
            lambda k: k.layers.SpectralNormalization(k.layers.Flatten(), name="n")(X), ValueError,
            r"'n': expected a layer with a `kernel` or `embeddings`"),
    Refused("unit_normalization_axis", lambda k: k.layers.UnitNormalization(3, name="n")(X), ValueError,
            r"UnitNormalization 'n': expected `axis` to be within the input's 3 axes", IndexError, AXIS_WHY),
]  # fmt: skip

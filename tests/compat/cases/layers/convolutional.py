"""Convolutions: plain, transposed, depthwise and separable."""

import numpy as np

from cases.layers.row import Case, Refused, layer

FIRST = {"data_format": "channels_first"}
PENALTIES = {
    "kernel_regularizer": "l2", "bias_regularizer": "l1", "activity_regularizer": "l2",
    "kernel_constraint": "non_neg", "bias_constraint": "max_norm", "kernel_initializer": "ones",
    "bias_initializer": "ones",
}  # fmt: skip

# Sizes are odd in one axis and even in the other: with strides of 2, `same` pads the one by two and the other by one.
CASES = [
    Case("conv1d", layer("Conv1D", 4, 3), [(2, 7, 3)], 2),
    Case("conv1d_same", layer("Conv1D", 4, 3, padding="same", activation="relu"), [(2, 7, 3)], 2),
    Case("conv1d_same_even", layer("Conv1D", 4, 2, padding="same"), [(2, 7, 3)], 2),
    Case("conv1d_same_strides", layer("Conv1D", 4, 3, strides=2, padding="same"), [(2, 8, 3)], 2),
    Case("conv1d_causal", layer("Conv1D", 4, 3, padding="causal"), [(2, 7, 3)], 2),
    Case("conv1d_causal_dilated", layer("Conv1D", 4, 2, padding="causal", dilation_rate=3), [(2, 7, 3)], 2),
    Case("conv1d_causal_strides", layer("Conv1D", 4, 3, 2, padding="causal"), [(2, 8, 3)], 2),
    Case("conv1d_groups", layer("Conv1D", 4, 3, groups=2), [(2, 7, 6)], 2),
    Case("conv1d_first", layer("Conv1D", 4, 3, strides=2, padding="same", **FIRST), [(2, 3, 8)], 2),
    Case("conv1d_first_causal", layer("Conv1D", 4, 3, padding="causal", **FIRST), [(2, 3, 8)], 2),
    Case("conv2d", layer("Conv2D", 4, 3), [(2, 5, 6, 3)], 2),
    Case("conv2d_same", layer("Conv2D", 4, (3, 5), padding="same", activation="tanh"), [(2, 5, 6, 3)], 2),
    Case("conv2d_same_even", layer("Conv2D", 4, (2, 3), padding="same"), [(2, 5, 6, 3)], 2),
    Case("conv2d_same_strides", layer("Conv2D", 4, 3, strides=2, padding="same"), [(2, 7, 8, 3)], 2),
    Case("conv2d_same_wide_strides", layer("Conv2D", 4, (1, 2), strides=(3, 3), padding="SAME"), [(2, 7, 8, 3)], 2),
    Case("conv2d_strides", layer("Conv2D", 4, (3, 2), strides=(2, 1), use_bias=False), [(2, 7, 6, 3)], 1),
    Case("conv2d_dilated", layer("Conv2D", 4, 2, dilation_rate=(2, 3)), [(2, 5, 6, 3)], 2),
    Case("conv2d_dilated_same", layer("Conv2D", 4, 3, dilation_rate=2, padding="same"), [(2, 5, 6, 3)], 2),
    Case("conv2d_groups", layer("Conv2D", 6, 3, groups=3, activation="softmax"), [(2, 5, 6, 6)], 2),
    Case("conv2d_one", layer("Conv2D", 4, 1), [(2, 5, 6, 3)], 2),
    Case("conv2d_penalties", layer("Conv2D", 4, 3, **PENALTIES), [(2, 5, 6, 3)], 2),
    Case("conv2d_frozen", layer("Conv2D", 4, 3, trainable=False), [(2, 5, 6, 3)], 2),
    Case("conv2d_first", layer("Conv2D", 4, 3, activation="sigmoid", **FIRST), [(2, 3, 5, 6)], 2),
    Case("conv2d_first_same_strides", layer("Conv2D", 4, 3, 2, "same", **FIRST), [(2, 3, 7, 8)], 2),
    Case("conv3d", layer("Conv3D", 4, 2), [(2, 3, 4, 5, 3)], 2),
    Case("conv3d_same", layer("Conv3D", 2, 3, strides=(1, 2, 2), padding="same"), [(1, 3, 4, 5, 2)], 2),
    Case("conv3d_first", layer("Conv3D", 2, (1, 2, 3), activation="relu", **FIRST), [(1, 2, 3, 4, 5)], 2),
    Case("conv1d_transpose", layer("Conv1DTranspose", 4, 3), [(2, 5, 3)], 2),
    Case("conv1d_transpose_same", layer("Conv1DTranspose", 4, 3, strides=2, padding="same"), [(2, 5, 3)], 2),
    Case("conv1d_transpose_first", layer("Conv1DTranspose", 4, 3, 2, **FIRST), [(2, 3, 5)], 2),
    Case("conv1d_transpose_dilated", layer("Conv1DTranspose", 4, 3, dilation_rate=2, padding="same"), [(2, 5, 3)], 2),
    Case("conv2d_transpose", layer("Conv2DTranspose", 4, 3, activation="relu"), [(2, 4, 5, 3)], 2),
    Case("conv2d_transpose_strides", layer("Conv2DTranspose", 4, (1, 2), strides=(2, 3)), [(2, 4, 5, 3)], 2),
    *(
        Case(f"conv2d_transpose_same_{k}_{s}", layer("Conv2DTranspose", 2, k, strides=s, padding="same"),
             [(2, 4, 3, 2)], 2)
        for k, s in [((3, 5), 2), ((2, 4), 2), ((4, 1), 3), (3, 1)]
    ),
    *(
        Case(f"conv2d_transpose_added_{k}_{padding}", layer("Conv2DTranspose", 2, k, 3, padding, (0, 2)),
             [(2, 4, 3, 2)], 2)
        for k, padding in [(3, "same"), (4, "same"), (1, "same"), ((2, 5), "valid")]
    ),
    Case("conv2d_transpose_no_bias", layer("Conv2DTranspose", 4, 3, use_bias=False), [(2, 4, 5, 3)], 1),
    Case("conv2d_transpose_penalties", layer("Conv2DTranspose", 4, 3, **PENALTIES), [(2, 4, 5, 3)], 2),
    Case("conv2d_transpose_first", layer("Conv2DTranspose", 4, 3, 2, "same", **FIRST), [(2, 3, 4, 5)], 2),
    Case("conv3d_transpose", layer("Conv3DTranspose", 4, 2), [(1, 2, 3, 4, 3)], 2),
    Case("conv3d_transpose_same", layer("Conv3DTranspose", 2, 3, 2, "same"), [(1, 2, 3, 4, 2)], 2),
    Case("conv3d_transpose_added", layer("Conv3DTranspose", 2, 3, 2, "valid", None, 1), [(1, 2, 3, 4, 2)], 2),
    Case("conv3d_transpose_first", layer("Conv3DTranspose", 2, 2, **FIRST), [(1, 2, 2, 3, 4)], 2),
    Case("depthwise1d", layer("DepthwiseConv1D", 3), [(2, 7, 3)], 2),
    Case("depthwise1d_same", layer("DepthwiseConv1D", 3, 2, "same", 2), [(2, 8, 3)], 2),
    Case("depthwise1d_first", layer("DepthwiseConv1D", 2, depth_multiplier=2, **FIRST), [(2, 3, 8)], 2),
    Case("depthwise2d", layer("DepthwiseConv2D", 3, activation="relu"), [(2, 5, 6, 3)], 2),
    Case("depthwise2d_two", layer("DepthwiseConv2D", (3, 2), depth_multiplier=2), [(2, 5, 6, 3)], 2),
    Case("depthwise2d_same", layer("DepthwiseConv2D", 3, strides=2, padding="same"), [(2, 7, 8, 3)], 2),
    Case("depthwise2d_dilated", layer("DepthwiseConv2D", 2, 2, dilation_rate=2, use_bias=False), [(2, 5, 6, 3)], 1),
    Case("depthwise2d_first", layer("DepthwiseConv2D", 3, depth_multiplier=2, **FIRST), [(2, 3, 5, 6)], 2),
    Case("depthwise2d_penalties",
         layer("DepthwiseConv2D", 3, depthwise_regularizer="l2", depthwise_constraint="non_neg",
               depthwise_initializer="ones"), [(2, 5, 6, 3)], 2),
    Case("separable1d", layer("SeparableConv1D", 4, 3), [(2, 7, 3)], 3),
    Case("separable1d_same", layer("SeparableConv1D", 4, 3, 2, "same", depth_multiplier=2), [(2, 8, 3)], 3),
    Case("separable1d_first", layer("SeparableConv1D", 4, 3, **FIRST), [(2, 3, 8)], 3),
    Case("separable2d", layer("SeparableConv2D", 4, 3, activation="relu"), [(2, 5, 6, 3)], 3),
    Case("separable2d_same", layer("SeparableConv2D", 4, (3, 2), 2, "same", depth_multiplier=2), [(2, 7, 8, 3)], 3),
    Case("separable2d_dilated", layer("SeparableConv2D", 4, 2, dilation_rate=2, use_bias=False), [(2, 5, 6, 3)], 2),
    Case("separable2d_first", layer("SeparableConv2D", 4, 3, **FIRST), [(2, 3, 5, 6)], 3),
    Case("separable2d_penalties",
         layer("SeparableConv2D", 4, 3, depthwise_regularizer="l2", pointwise_regularizer="l1",
               pointwise_constraint="non_neg", pointwise_initializer="ones"), [(2, 5, 6, 3)], 3),
]  # fmt: skip

UNEQUAL = {"test_integer_inputs": "Keras 3.15 fails: torch has no convolution of ints. test_ints_are_taken_as_floats"}
AXIS_1 = {"test_unknown_axes": "axis 1 is the channel axis, which is to be known. test_unknown_spatial_axes"}
CASES = [case._replace(skip=UNEQUAL | (AXIS_1 if "_first" in case.name else {})) for case in CASES]


def conv(*args, name="Conv2D", shape=None, **kwargs):
    """A refused layer; called on ones of ``shape`` where the constructor alone does not refuse it."""

    def call(k):
        made = getattr(k.layers, name)(*args, name="it", **kwargs)
        return made if shape is None else made(np.ones(shape, "float32"))

    return call


REFUSED = [
    Refused("conv_filters_zero", conv(0, 3), ValueError, r"Conv2D 'it': expected `filters`.*filters=0"),
    Refused("conv_filters_none", conv(None, 3, shape=(1, 5, 5, 1)), ValueError, r"Conv2D 'it': expected `filters`"),
    Refused("conv_kernel_zero", conv(2, 0), ValueError, r"Conv2D 'it': expected `kernel_size`.*kernel_size=0"),
    Refused("conv_kernel_rank", conv(2, (3, 3, 3)), ValueError, r"'it': expected `kernel_size`.*tuple of 2"),
    Refused("conv_kernel_word", conv(2, "no"), ValueError, r"'it': expected `kernel_size`.*kernel_size='no'"),
    Refused("conv_strides", conv(2, 3, strides=(1, 0)), ValueError, r"'it': expected `strides`.*\(1, 0\)"),
    Refused("conv_dilation", conv(2, 3, dilation_rate=-1), ValueError, r"'it': expected `dilation_rate`.*-1"),
    Refused("conv_strides_and_dilation", conv(2, 3, strides=2, dilation_rate=2), ValueError,
            r"'it': expected `strides` or `dilation_rate` to be 1.*strides=\(2, 2\)"),
    Refused("conv_padding", conv(2, 3, padding="half"), ValueError, r"'it': expected `padding`.*'valid', 'same'"),
    Refused("conv_padding_full", conv(2, 3, padding="full"), ValueError, r"'it': expected `padding`.*'full'"),
    Refused("conv_padding_none", conv(2, 3, padding=None), ValueError, r"'it': expected `padding`", AttributeError,
            "Keras reads it as a string"),
    Refused("conv2d_causal", conv(2, 3, padding="causal"), ValueError, r"'it': expected `padding`.*'causal'"),
    Refused("conv_data_format", conv(2, 3, data_format="NHWC"), ValueError, r"'it': expected `data_format`.*nhwc"),
    Refused("conv_groups_zero", conv(2, 3, groups=0), ValueError, r"'it': expected `groups`.*groups=0"),
    Refused("conv_groups_of_filters", conv(3, 3, groups=2), ValueError, r"'it': expected `groups` to divide `filters`"),
    Refused("conv_groups_of_channels", conv(4, 3, groups=2, shape=(1, 5, 5, 3)), ValueError,
            r"'it': expected `groups` to divide the input's channels.*groups=2"),
    Refused("conv_rank", conv(2, 3, shape=(1, 5, 3)), ValueError, r"'it'.*ndim=4"),
    Refused("conv_rank_more", conv(2, 3, shape=(1, 5, 5, 5, 3)), ValueError, r"'it'.*ndim=4"),
    Refused("conv_no_room", conv(2, 3, shape=(1, 2, 5, 1)), ValueError, r"'it': expected room.*\(1, 2, 5, 1\)"),
    Refused("conv_no_room_dilated", conv(2, 3, name="Conv1D", dilation_rate=4, shape=(1, 8, 1)), ValueError,
            r"Conv1D 'it': expected room for a window of \(9,\)"),
    Refused("conv_unknown_channels", lambda k: k.layers.Conv2D(2, 3, name="it")(k.Input((5, 5, None))), ValueError,
            r"'it': expected an input whose channel axis.*Give the size", TypeError, "Keras calculates with None"),
    Refused("conv_other_channels",
            lambda k: [f(np.ones((1, 5, 5, c), "float32"))
                       for f in [k.layers.Conv2D(2, 3, name="it")] for c in (1, 2)],
            ValueError, r"'it'.*axis -1 of input shape to have value 1"),
    Refused("conv_initializer", conv(2, 3, kernel_initializer="no"), ValueError, r"no"),
    Refused("conv_word", conv(2, 3, filter=3), ValueError, r"Unrecognized keyword"),
    Refused("transpose_filters", conv(-1, 3, name="Conv1DTranspose"), ValueError, r"Conv1DTranspose 'it'.*`filters`"),
    Refused("transpose_kernel", conv(2, 0, name="Conv3DTranspose"), ValueError, r"'it': expected `kernel_size`"),
    Refused("transpose_padding", conv(2, 3, name="Conv1DTranspose", padding="causal"), ValueError,
            r"'it': expected `padding`"),
    Refused("transpose_added", conv(2, 3, name="Conv2DTranspose", strides=2, output_padding=2), ValueError,
            r"'it': expected each number of `output_padding`.*output_padding=\(2, 2\)"),
    Refused("transpose_added_below_zero", conv(2, 3, name="Conv2DTranspose", output_padding=-1), ValueError,
            r"'it': expected `output_padding`.*-1"),
    Refused("transpose_strides_and_dilation", conv(2, 3, name="Conv2DTranspose", strides=2, dilation_rate=2),
            ValueError, r"'it': expected `strides` or `dilation_rate` to be 1"),
    Refused("transpose_other_channels",
            lambda k: [f(np.ones((1, 5, c), "float32")) for f in [k.layers.Conv1DTranspose(2, 3, name="it")]
                       for c in (1, 2)],
            ValueError, r"'it'.*axis -1 of input shape to have value 1"),
    Refused("depthwise_multiplier", conv(3, name="DepthwiseConv2D", depth_multiplier=0), ValueError,
            r"DepthwiseConv2D 'it': expected `depth_multiplier`.*depth_multiplier=0"),
    Refused("depthwise_kernel", conv((3, 0), name="DepthwiseConv2D"), ValueError, r"'it': expected `kernel_size`"),
    Refused("depthwise_no_room", conv(3, name="DepthwiseConv1D", shape=(1, 2, 1)), ValueError, r"'it': expected room"),
    Refused("depthwise_padding", conv(3, name="DepthwiseConv1D", padding="causal"), ValueError,
            r"'it': expected `padding`"),
    Refused("separable_filters", conv(0, 3, name="SeparableConv2D"), ValueError, r"'it': expected `filters`"),
    Refused("separable_multiplier", conv(2, 3, name="SeparableConv1D", depth_multiplier=-1), ValueError,
            r"SeparableConv1D 'it': expected `depth_multiplier`"),
    Refused("separable_strides", conv(2, 3, name="SeparableConv2D", strides=0), ValueError,
            r"'it': expected `strides`"),
    Refused("separable_no_room", conv(2, 3, name="SeparableConv1D", shape=(1, 2, 1)), ValueError,
            r"'it': expected room"),
]  # fmt: skip

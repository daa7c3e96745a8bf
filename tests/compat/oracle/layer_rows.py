"""Layers whose numbers or spelling differ between generations, as scripts of each wrote them.

``make_goldens.py`` runs these calls in the real Keras, ``test_goldens.py`` runs the very same ones in kshim under the
dialect. So nothing here may need more than numpy and the package it is handed, nor a newer Python than 3.6.
"""

import numpy as np


def counting(shape, scale=1):
    """``scale * (0 .. n-1, minus n/2) / n`` in C order: evenly spaced in [-scale/2, scale/2)."""
    n = int(np.prod(shape))
    return (scale * (np.arange(n) - n / 2) / n).reshape(shape).astype("float32")


def with_empty_steps(x):
    """`x` of shape (batch, time, features) with step 1 of row 0 and the last step of row 1 all zero."""
    x = x.copy()
    x[0, 1] = x[1, -1] = 0
    return x


# Beside 0, where activations have a corner and each generation its own slope.
VECTOR, SEQUENCE, LONG = counting((3, 4), 4) + 0.1, counting((2, 4, 3), 4), counting((2, 7, 3), 4)
HOLES = with_empty_steps(SEQUENCE)
IMAGE, VOLUME, FILM = counting((2, 5, 6, 3), 4) + 0.013, counting((1, 4, 3, 4, 2), 4), counting((2, 3, 4, 4, 2), 4)
WORDS = np.array([[1, 0, 3], [2, 4, 0]], "float32")
PAIR, SEQUENCES = [VECTOR, counting((3, 4), -3)], [SEQUENCE, counting((2, 4, 3), -3)]
ASKEW = [VECTOR, counting((3, 4), 3) ** 2 + 0.1]


def masked(k, layer, mask_value=0.0):
    """A model that masks the empty steps before `layer`."""
    model = k.models.Sequential()
    model.add(k.layers.Masking(mask_value, input_shape=SEQUENCE.shape[1:]))
    model.add(layer)
    return model


def by_hand(inputs):
    return inputs[0] * 2 - inputs[1]


def keras_1(k):
    """name -> (make, inputs) in the words of Keras 1.2.2."""
    L = k.layers
    rows = {
        "embedding": (lambda: L.Embedding(5, 3, "normal", 3), [WORDS]),
        "convolution1d": (lambda: L.Convolution1D(4, 3, border_mode="same", subsample_length=2), [LONG]),
        "convolution1d_positions": (lambda: L.Convolution1D(4, 2, "uniform", "tanh"), [LONG]),
        "convolution2d": (lambda: L.Convolution2D(4, 3, 2, activation="tanh"), [IMAGE]),
        "convolution2d_same": (
            lambda: L.Convolution2D(4, nb_row=3, nb_col=2, border_mode="same", subsample=(2, 1), bias=False),
            [IMAGE],
        ),
        "convolution2d_even": (lambda: L.Conv2D(2, 2, 4, border_mode="same", subsample=(2, 3)), [IMAGE]),
        "convolution3d": (lambda: L.Convolution3D(2, 2, 3, 2, border_mode="same"), [VOLUME]),
        "atrous1d": (lambda: L.AtrousConvolution1D(2, 2, atrous_rate=3), [LONG]),
        "atrous2d": (lambda: L.AtrousConvolution2D(2, 2, 3, atrous_rate=(2, 2), border_mode="same"), [IMAGE]),
        "deconvolution2d": (lambda: L.Deconvolution2D(2, 3, 2, (2, 7, 7, 2)), [IMAGE]),
        "deconvolution2d_same": (
            lambda: L.Deconvolution2D(2, 3, 3, output_shape=(2, 10, 11, 2), subsample=(2, 2), border_mode="same"),
            [IMAGE],
        ),
        "separable": (lambda: L.SeparableConvolution2D(4, 3, 2, depth_multiplier=2, activation="relu"), [IMAGE]),
        "local1d": (lambda: L.LocallyConnected1D(2, 3, subsample_length=2), [LONG]),
        "local2d": (lambda: L.LocallyConnected2D(2, 2, 3, subsample=(2, 1)), [IMAGE]),
        "max_pooling1d": (lambda: L.MaxPooling1D(pool_length=3, stride=2, border_mode="same"), [LONG]),
        "max_pooling2d": (lambda: L.MaxPooling2D((2, 3), border_mode="same"), [IMAGE]),
        "max_pooling3d": (lambda: L.MaxPooling3D(), [VOLUME[:, :, :2]]),
        "average_pooling1d": (lambda: L.AveragePooling1D(3, stride=2, border_mode="same"), [LONG]),
        "average_pooling2d": (lambda: L.AveragePooling2D((3, 2), (2, 2), "same"), [IMAGE]),
        "global_max2d": (lambda: L.GlobalMaxPooling2D(dim_ordering="tf"), [IMAGE]),
        "global_average2d": (lambda: L.GlobalAveragePooling2D(dim_ordering="th"), [IMAGE]),
        "up_sampling1d": (lambda: L.UpSampling1D(length=2), [SEQUENCE]),
        "up_sampling2d": (lambda: L.UpSampling2D((2, 3)), [IMAGE]),
        "up_sampling2d_th": (lambda: L.UpSampling2D(size=(2, 1), dim_ordering="th"), [IMAGE]),
        "zero_padding1d": (lambda: L.ZeroPadding1D((1, 2)), [SEQUENCE]),
        "zero_padding2d": (lambda: L.ZeroPadding2D((1, 2)), [IMAGE]),
        "zero_padding2d_four": (lambda: L.ZeroPadding2D((1, 0, 2, 1)), [IMAGE]),
        "zero_padding2d_dict": (
            lambda: L.ZeroPadding2D({"top_pad": 1, "bottom_pad": 0, "left_pad": 2, "right_pad": 1}),
            [IMAGE],
        ),
        "zero_padding3d": (lambda: L.ZeroPadding3D((1, 0, 2)), [VOLUME]),
        "cropping2d_th": (lambda: L.Cropping2D(((0, 1), (1, 1)), dim_ordering="th"), [IMAGE]),
        "leaky_relu": (lambda: L.LeakyReLU(alpha=0.2), [VECTOR]),
        "elu": (lambda: L.ELU(0.5), [VECTOR]),
        "prelu": (lambda: L.PReLU(init="one"), [VECTOR]),
        "thresholded": (lambda: L.ThresholdedReLU(theta=0.5), [VECTOR]),
        "parametric_softplus": (lambda: L.ParametricSoftplus(0.3, 2.0), [VECTOR]),
        "parametric_softplus_shared": (lambda: L.ParametricSoftplus(shared_axes=[1, 2]), [IMAGE]),
        "srelu": (lambda: L.SReLU(), [VECTOR]),
        "srelu_shared": (lambda: L.SReLU(shared_axes=[1, 2]), [IMAGE]),
        "maxout": (lambda: L.MaxoutDense(3, 2), [VECTOR]),
        "maxout_no_bias": (lambda: L.MaxoutDense(output_dim=3, bias=False), [VECTOR]),
        "highway": (lambda: L.Highway(activation="tanh"), [VECTOR]),
        "highway_no_bias": (lambda: L.Highway(bias=False), [VECTOR]),
        "batch_normalization": (lambda: L.BatchNormalization(1e-2), [VECTOR]),
        "batch_normalization_axis": (lambda: L.BatchNormalization(axis=1, mode=0), [IMAGE]),
        "noise": (lambda: L.GaussianNoise(sigma=0.5), [VECTOR]),
        "gaussian_dropout": (lambda: L.GaussianDropout(p=0.5), [VECTOR]),
        "spatial_dropout": (lambda: L.SpatialDropout2D(0.5, dim_ordering="th"), [IMAGE]),
        "conv_lstm": (
            lambda: L.ConvLSTM2D(nb_filter=2, nb_row=3, nb_col=2, border_mode="same", return_sequences=True),
            [FILM],
        ),
        "time_distributed": (lambda: L.TimeDistributed(L.Dense(4)), [SEQUENCE]),
        "time_distributed_conv": (lambda: L.TimeDistributed(L.Convolution2D(2, 2, 2)), [FILM]),
        "time_distributed_dense": (lambda: L.TimeDistributedDense(4, activation="tanh"), [SEQUENCE]),
        "merge_cos": (lambda: L.Merge(mode="cos"), ASKEW),
        "merge_dot": (lambda: L.Merge(mode="dot", dot_axes=1), PAIR),
        "merge_dot_axes": (lambda: L.Merge(mode="dot", dot_axes=(2, 2)), SEQUENCES),
        "merge_dot_first": (lambda: L.Merge(mode="dot", dot_axes=[1, 1]), SEQUENCES),
        "merge_concat_axis": (lambda: L.Merge(mode="concat", concat_axis=1), SEQUENCES),
        "merge_function": (lambda: L.Merge(mode=by_hand, output_shape=(4,)), PAIR),
    }
    for name in ("SimpleRNN", "LSTM", "GRU"):
        cls, key = getattr(L, name), name.lower()
        rows[key] = (lambda cls=cls: cls(3), [SEQUENCE])
        rows[key + "_sequences"] = (
            lambda cls=cls: cls(output_dim=3, return_sequences=True, go_backwards=True),
            [SEQUENCE],
        )
        rows[key + "_masked"] = (lambda cls=cls: masked(k, cls(3, return_sequences=True)), [HOLES])
        rows[key + "_last_masked"] = (lambda cls=cls: masked(k, cls(3)), [HOLES])
        for less in ("mem", "gpu"):
            if (name, less) != ("SimpleRNN", "gpu"):
                rows[key + "_" + less] = (lambda cls=cls, less=less: cls(3, consume_less=less, unroll=True), [SEQUENCE])
    rows["lstm_words"] = (
        lambda: L.LSTM(3, inner_activation="sigmoid", activation="linear", inner_init="normal", forget_bias_init="one"),
        [SEQUENCE],
    )
    for mode in ("sum", "mul", "ave", "concat"):
        rows["bidirectional_" + mode] = (
            lambda mode=mode: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=mode),
            [SEQUENCE],
        )
    rows["bidirectional_last"] = (lambda: L.Bidirectional(L.LSTM(2)), [SEQUENCE])
    return rows


def keras_2(k):
    """name -> (make, inputs) in the words of Keras 2.3.1, and in those of Keras 1 that it understood."""
    L = k.layers
    rows = {
        "embedding": (lambda: L.Embedding(5, 3, input_length=3), [WORDS]),
        "conv1d_causal": (lambda: L.Conv1D(4, 2, dilation_rate=2, padding="causal"), [LONG]),
        "conv1d_same": (lambda: L.Conv1D(4, 3, strides=2, padding="same"), [LONG]),
        "conv2d_old_words": (lambda: L.Conv2D(4, 3, 2, border_mode="valid", subsample=(2, 1)), [IMAGE]),
        "conv2d_same": (lambda: L.Conv2D(4, (3, 2), strides=(2, 1), padding="same", use_bias=False), [IMAGE]),
        "conv2d_even": (lambda: L.Convolution2D(2, (2, 4), strides=(2, 3), padding="same"), [IMAGE]),
        "conv2d_dilated": (lambda: L.Conv2D(2, 2, dilation_rate=(2, 1), padding="same"), [IMAGE]),
        "conv3d": (lambda: L.Conv3D(2, (2, 3, 2), padding="same"), [VOLUME]),
        "conv2d_transpose": (lambda: L.Conv2DTranspose(2, (3, 2)), [IMAGE]),
        "conv2d_transpose_same": (
            lambda: L.Deconvolution2D(2, 3, strides=2, padding="same", output_padding=1),
            [IMAGE],
        ),
        "conv3d_transpose": (lambda: L.Conv3DTranspose(2, 2, strides=(1, 2, 1)), [VOLUME]),
        "separable1d": (lambda: L.SeparableConv1D(4, 3, depth_multiplier=2), [LONG]),
        "separable2d": (lambda: L.SeparableConv2D(4, (3, 2), depth_multiplier=2, activation="relu"), [IMAGE]),
        "depthwise": (lambda: L.DepthwiseConv2D((2, 3), strides=2, padding="same", depth_multiplier=2), [IMAGE]),
        "local1d": (lambda: L.LocallyConnected1D(2, 3, strides=2), [LONG]),
        "local2d": (lambda: L.LocallyConnected2D(2, (2, 3), strides=(2, 1)), [IMAGE]),
        "max_pooling1d": (lambda: L.MaxPooling1D(3, strides=2, padding="same"), [LONG]),
        "max_pooling2d": (lambda: L.MaxPooling2D((2, 3), padding="same"), [IMAGE]),
        "average_pooling1d": (lambda: L.AveragePooling1D(3, 2, "same"), [LONG]),
        "average_pooling2d": (lambda: L.AveragePooling2D((3, 2), (2, 2), "same"), [IMAGE]),
        "global_max1d": (lambda: L.GlobalMaxPooling1D(), [SEQUENCE]),
        "global_average_masked": (lambda: masked(k, L.GlobalAveragePooling1D()), [HOLES]),
        "up_sampling1d": (lambda: L.UpSampling1D(2), [SEQUENCE]),
        "up_sampling2d": (lambda: L.UpSampling2D((2, 3)), [IMAGE]),
        "up_sampling2d_bilinear": (lambda: L.UpSampling2D((2, 3), interpolation="bilinear"), [IMAGE]),
        "zero_padding2d": (lambda: L.ZeroPadding2D(((1, 0), (2, 1))), [IMAGE]),
        "cropping2d": (lambda: L.Cropping2D(((0, 1), (1, 1)), data_format="channels_first"), [IMAGE]),
        "flatten_first": (lambda: L.Flatten(data_format="channels_first"), [IMAGE]),
        "leaky_relu": (lambda: L.LeakyReLU(0.2), [VECTOR]),
        "prelu": (lambda: L.PReLU(shared_axes=[1, 2]), [IMAGE]),
        "elu": (lambda: L.ELU(alpha=0.5), [VECTOR]),
        "thresholded": (lambda: L.ThresholdedReLU(0.5), [VECTOR]),
        "relu": (lambda: L.ReLU(1.5, 0.1, 0.2), [VECTOR]),
        "softmax": (lambda: L.Softmax(axis=1), [SEQUENCE]),
        "batch_normalization": (lambda: L.BatchNormalization(), [VECTOR]),
        "batch_normalization_axis": (lambda: L.BatchNormalization(axis=1, scale=False), [IMAGE]),
        "batch_normalization_image": (lambda: L.BatchNormalization(momentum=0.5), [IMAGE]),
        "noise": (lambda: L.GaussianNoise(0.5), [VECTOR]),
        "alpha_dropout": (lambda: L.AlphaDropout(0.5), [VECTOR]),
        "conv_lstm": (lambda: L.ConvLSTM2D(2, (3, 2), padding="same", return_sequences=True), [FILM]),
        "time_distributed": (lambda: L.TimeDistributed(L.Conv2D(2, 2)), [FILM]),
        "subtract": (lambda: L.Subtract(), PAIR),
        "minimum": (lambda: L.Minimum(), PAIR),
        "dot": (lambda: L.Dot(1), PAIR),
        "dot_normalized": (lambda: L.Dot(-1, normalize=True), ASKEW),
        "dot_axes": (lambda: L.Dot((2, 2)), SEQUENCES),
        "concatenate_axis": (lambda: L.Concatenate(axis=1), SEQUENCES),
        "gru_reset_after": (lambda: L.GRU(3, reset_after=True), [SEQUENCE]),
        "rnn_cells": (lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2)]), [SEQUENCE]),
    }
    for name in ("SimpleRNN", "LSTM", "GRU"):
        cls, key = getattr(L, name), name.lower()
        rows[key] = (lambda cls=cls: cls(3), [SEQUENCE])
        rows[key + "_sequences"] = (lambda cls=cls: cls(3, return_sequences=True, go_backwards=True), [SEQUENCE])
        rows[key + "_masked"] = (lambda cls=cls: masked(k, cls(3, return_sequences=True)), [HOLES])
        rows[key + "_last_masked"] = (lambda cls=cls: masked(k, cls(3)), [HOLES])
        rows[key + "_no_bias"] = (lambda cls=cls: cls(3, use_bias=False, unroll=True), [SEQUENCE])
        if name != "SimpleRNN":
            rows[key + "_implementation_1"] = (lambda cls=cls: cls(3, implementation=1), [SEQUENCE])
            rows[key + "_hard"] = (lambda cls=cls: cls(3, inner_activation="hard_sigmoid"), [SEQUENCE])
    for mode in ("sum", "mul", "ave", "concat"):
        rows["bidirectional_" + mode] = (
            lambda mode=mode: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode=mode),
            [SEQUENCE],
        )
    rows["bidirectional_last"] = (lambda: L.Bidirectional(L.LSTM(2)), [SEQUENCE])
    return rows


def rows(k, version):
    """name -> (make, inputs) of the generation whose package ``k`` is, or stands for."""
    return keras_1(k) if version.startswith("1.") else keras_2(k)


def weights(arrays):
    """Counting numbers in the shapes of ``arrays``."""
    return [counting(a.shape) for a in arrays]


NORMALIZED = ("batch_normalization", "batch_normalization_axis", "batch_normalization_image")


def positive(arrays):
    """As ``weights``, between 1/2 and 3/2: some of them are variances."""
    return [1 + counting(a.shape) for a in arrays]

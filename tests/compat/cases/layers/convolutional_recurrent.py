"""ConvLSTM1D, ConvLSTM2D and ConvLSTM3D."""

import numpy as np

from cases.layers.row import Case, Refused, layer

INTS = {"test_integer_inputs": "Keras 3.15 hands the ints to torch's convolution, which fails"}
TWO = {"return_sequences": True, "return_state": True}
IMAGES = [(2, 3, 4, 5, 2)]

CASES = [
    Case("conv_lstm_1d", layer("ConvLSTM1D", 3, 2), [(2, 3, 5, 2)], 3),
    Case("conv_lstm_1d_same", layer("ConvLSTM1D", 3, 2, strides=2, padding="same", **TWO), [(2, 3, 5, 2)], 3),
    Case("conv_lstm_1d_first", layer("ConvLSTM1D", 2, 3, data_format="channels_first", return_sequences=True),
         [(2, 3, 2, 5)], 3),
    Case("conv_lstm", layer("ConvLSTM2D", 2, 2), IMAGES, 3),
    Case("conv_lstm_sequences", layer("ConvLSTM2D", 2, (2, 3), padding="same", **TWO), IMAGES, 3),
    Case("conv_lstm_first", layer("ConvLSTM2D", 2, 3, padding="same", data_format="channels_first", **TWO),
         [(2, 3, 2, 4, 5)], 3),
    Case("conv_lstm_dilated", layer("ConvLSTM2D", 2, 2, dilation_rate=2, go_backwards=True, use_bias=False), IMAGES, 2),
    Case("conv_lstm_hard_sigmoid", layer("ConvLSTM2D", 2, 2, recurrent_activation="hard_sigmoid",
                                         unit_forget_bias=False, return_sequences=True), IMAGES, 3),
    Case("conv_lstm_dropout", layer("ConvLSTM2D", 2, 2, dropout=0.4, recurrent_dropout=0.3, seed=5), IMAGES, 3,
         call={"training": True}),
    Case("conv_lstm_regularized", layer("ConvLSTM2D", 2, 1, kernel_regularizer="l2", recurrent_regularizer="l1",
                                        bias_regularizer="l2", activity_regularizer="l1"), IMAGES, 3),
    Case("conv_lstm_3d", layer("ConvLSTM3D", 2, 2, padding="same", return_sequences=True), [(1, 2, 3, 3, 3, 2)], 3),
]  # fmt: skip
CASES = [case._replace(skip=INTS) for case in CASES]


def made(*args, **kwargs):
    return lambda k: k.layers.ConvLSTM2D(*args, **kwargs)


REFUSED = [
    Refused("conv_lstm_filters", made(0, 2), ValueError, "filters=0", None, "Keras meets the 0 in a weight's shape"),
    Refused("conv_lstm_kernel_size", made(2, 0), ValueError, "kernel_size=0"),
    Refused("conv_lstm_kernel_sizes", made(2, (1, 2, 3)), ValueError, "kernel_size"),
    Refused("conv_lstm_padding", made(2, 2, padding="no"), ValueError, "padding='no'"),
    Refused("conv_lstm_data_format", made(2, 2, data_format="no"), ValueError, "data_format='no'"),
    Refused("conv_lstm_strides", made(2, 2, strides=2, dilation_rate=2), ValueError, "strides"),
    Refused("conv_lstm_rank", lambda k: k.layers.ConvLSTM2D(2, 2)(np.zeros((2, 3, 4, 5), "float32")), ValueError,
            "ndim=5.*Received"),
    Refused("conv_lstm_sizes", lambda k: k.layers.ConvLSTM2D(2, 2)(k.Input((3, None, 4, 2))), ValueError,
            "axes are known.*Received"),
    Refused("conv_lstm_channels", lambda k: k.layers.ConvLSTM2D(2, 2)(k.Input((3, 4, 4, None))), ValueError,
            "channel axis.*Received"),
]  # fmt: skip

"""Calls of ``keras.backend``, for real Keras and kshim: ``name -> (function name, positional arguments, keywords)``.

Arrays are counting numbers. Runs on Python 3.6 to 3.13.
"""

import numpy as np


def count(*shape):
    size = int(np.prod(shape))
    return (((np.arange(size) * 7) % 23 - 9) / 11.0).reshape(shape).astype("float32")


A, B, C = count(2, 3, 4), count(2, 4, 3), count(2, 4)
IMAGE, VOLUME, STEPS = count(2, 5, 6, 3), count(1, 4, 4, 4, 2), count(2, 7, 3)
P = np.exp(A) / np.exp(A).sum(-1, keepdims=True)
HOT = np.eye(4, dtype="float32")[np.array([[0, 3, 1], [2, 2, 0]])]

BOTH = {  # the same in 1.2.2 and 2.3.1
    "dot": ("dot", [C, count(4, 5)], {}),
    "dot_3d": ("dot", [A, count(4, 5)], {}),
    "batch_dot": ("batch_dot", [A, B], {"axes": [2, 1]}),
    "batch_dot_vectors": ("batch_dot", [C, count(2, 4) * 2], {"axes": 1}),
    "temporal_padding": ("temporal_padding", [STEPS], {}),
    "normalize": ("l2_normalize", [A], {"axis": -1}),
    "reverse": ("reverse", [A, 1], {}),
    "squeeze": ("squeeze", [count(2, 1, 3), 1], {}),
    "repeat": ("repeat", [C, 3], {}),
    "repeat_elements": ("repeat_elements", [A, 2, 1], {}),
    "tile": ("tile", [C, [1, 3]], {}),
    "std": ("std", [A], {"axis": 1}),
    "var": ("var", [A], {"axis": 1}),
    "prod": ("prod", [A], {"axis": -1}),
    "elu": ("elu", [A], {}),
    "hard_sigmoid": ("hard_sigmoid", [A * 4], {}),
    "softsign": ("softsign", [A], {}),
}
KERAS_2 = {
    "conv1d_causal": ("conv1d", [STEPS, count(3, 3, 2)], {"padding": "causal"}),
    "conv1d_same": ("conv1d", [STEPS, count(4, 3, 2)], {"padding": "same", "strides": 2}),
    "conv2d": ("conv2d", [IMAGE, count(3, 2, 3, 4)], {}),
    "conv2d_same": ("conv2d", [IMAGE, count(3, 2, 3, 4)], {"padding": "same", "strides": (2, 2)}),
    "conv2d_dilated": ("conv2d", [IMAGE, count(2, 2, 3, 4)], {"dilation_rate": (2, 2)}),
    "conv3d": ("conv3d", [VOLUME, count(2, 2, 2, 2, 3)], {"padding": "same"}),
    "conv2d_transpose": ("conv2d_transpose", [IMAGE, count(3, 3, 4, 3), (2, 11, 13, 4)], {"strides": (2, 2)}),
    "conv2d_transpose_same": ("conv2d_transpose", [IMAGE, count(3, 3, 4, 3), (2, 10, 12, 4)],
                              {"strides": (2, 2), "padding": "same"}),
    "depthwise": ("depthwise_conv2d", [IMAGE, count(2, 2, 3, 2)], {"padding": "same"}),
    "separable": ("separable_conv2d", [IMAGE, count(2, 2, 3, 2), count(1, 1, 6, 4)], {}),
    "separable_1d": ("separable_conv1d", [STEPS, count(2, 3, 2), count(1, 6, 4)], {}),
    "pool_max": ("pool2d", [IMAGE, (2, 2)], {"strides": (2, 2), "padding": "same"}),
    "pool_avg": ("pool2d", [IMAGE, (3, 2)], {"strides": (2, 2), "padding": "same", "pool_mode": "avg"}),
    "pool3d": ("pool3d", [VOLUME, (2, 2, 2)], {"strides": (2, 2, 2), "pool_mode": "avg"}),
    "local_1d": ("local_conv1d", [STEPS, count(3, 9, 2), (3,), (2,)], {}),
    "local_2d": ("local_conv2d", [IMAGE, count(12, 12, 2), (2, 2), (1, 2), (4, 3)], {}),
    "padding_2d": ("spatial_2d_padding", [IMAGE], {"padding": ((1, 2), (0, 3))}),
    "padding_3d": ("spatial_3d_padding", [VOLUME], {"padding": ((1, 0), (0, 2), (1, 1))}),
    "resize": ("resize_images", [IMAGE, 2, 3, "channels_last"], {}),
    "resize_bilinear": ("resize_images", [IMAGE, 2, 3, "channels_last"], {"interpolation": "bilinear"}),
    "bias_add": ("bias_add", [IMAGE, count(3)], {}),
    "batch_normalization": ("batch_normalization", [A, count(4), count(4) ** 2, count(4) + 1, count(4) - 1], {}),
    "batch_dot_axes": ("batch_dot", [count(2, 3, 4, 5), count(2, 4, 6)], {"axes": (2, 1)}),
    "batch_dot_mixed": ("batch_dot", [C, B], {}),
    "cumsum": ("cumsum", [A], {"axis": 1}),
    "cumprod": ("cumprod", [A], {"axis": 2}),
    "logsumexp": ("logsumexp", [A], {"axis": 1}),
    "slice": ("slice", [A, [0, 1, 0], [2, 2, 3]], {}),
    "binary_crossentropy": ("binary_crossentropy", [HOT, P], {}),
    "categorical_crossentropy": ("categorical_crossentropy", [HOT, P], {}),
    "ctc": ("ctc_batch_cost", [np.array([[0, 1], [2, 2]]), np.full((2, 6, 4), 0.25, "float32"),
                               np.array([[6], [5]]), np.array([[2], [2]])], {}),
}  # fmt: skip
KERAS_2["ctc"][1][1][:, ::2, 1] += 0.3
KERAS_1 = {
    "conv2d": ("conv2d", [IMAGE, count(3, 2, 3, 4)], {"border_mode": "same", "dim_ordering": "tf"}),
    "pool2d": ("pool2d", [IMAGE, (2, 2)], {"strides": (2, 2), "border_mode": "same", "pool_mode": "avg"}),
    "padding_2d": ("asymmetric_spatial_2d_padding", [IMAGE], {"top_pad": 2, "right_pad": 0}),
    "categorical_crossentropy": ("categorical_crossentropy", [P, HOT], {}),
    "binary_crossentropy": ("binary_crossentropy", [P, HOT], {}),
    "batch_normalization": ("batch_normalization", [A, count(4), count(4) ** 2, count(4) + 1, count(4) - 1, 0.1], {}),
    "lesser": ("lesser", [A, A[:, ::-1].copy()], {}),
    "in_top_k": ("in_top_k", [C, np.array([1, 3]), 2], {}),
    "one_hot": ("one_hot", [np.array([1, 0]), 3], {}),
}

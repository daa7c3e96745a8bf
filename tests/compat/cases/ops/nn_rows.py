# ruff: noqa: E501  (a row is a line)
"""Rows of ``keras.ops.nn``."""

import numpy as np

from cases.ops.row import row

RNG = np.random.RandomState(5)


def arrays(*shape, dtype="float32"):
    """Normal numbers."""
    return RNG.randn(*shape).astype(dtype)


X = arrays(3, 4)
WIDE = np.array([[-30.0, -3.0, -1.0, -0.5], [0.25, 0.75, 2.0, 30.0]], "float32")
STEPS, IMAGE, VOLUME = arrays(2, 7, 4), arrays(2, 7, 8, 4), arrays(1, 5, 4, 6, 2)
FIRST = np.ascontiguousarray(IMAGE.transpose(0, 3, 1, 2))
K1, K2, K3 = arrays(3, 4, 5), arrays(3, 2, 4, 6), arrays(2, 3, 2, 2, 3)
GROUPED, DEPTH = arrays(3, 3, 2, 6), arrays(3, 2, 4, 2)
POINT = arrays(1, 1, 8, 5)
T1, T2, T3 = arrays(3, 5, 4), arrays(3, 2, 5, 4), arrays(2, 3, 2, 3, 2)
P = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
Q = (1 / (1 + np.exp(-X))).astype("float32")
HOT = np.eye(4, dtype="float32")[[2, 0, 3]]
CLASSES = np.array([2, 0, 3], "int32")
VEC, VEC2 = arrays(4), np.abs(arrays(4)) + 0.5
QUERY, KEY, VALUE = arrays(2, 5, 4, 3), arrays(2, 6, 4, 3), arrays(2, 6, 4, 3)
MASK = RNG.rand(2, 1, 5, 6) > 0.3
LABELS, OUTPUTS = np.array([[1, 2, 1], [3, 1, 0]], "int32"), arrays(2, 8, 4)
LENGTHS, STEP_LENGTHS = np.array([3, 2], "int32"), np.array([8, 7], "int32")

ACTIVATIONS = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "swish",
    "tanh_shrink",
]

ROWS = [
    *[row(n, x) for n in ACTIVATIONS for x in (X, WIDE)],
    *[row(n, X.astype("float16")) for n in ACTIVATIONS], *[row(n, X.astype("float64")) for n in ACTIVATIONS],
    row("sparsemax", X * 9), row("sparsemax", X * 9, axis=1), row("threshold", X, 0.2, -1.0), row("threshold", X, 0.0, 0.0),
    row("celu", X, alpha=0.5), row("elu", X, alpha=2.0), row("gelu", X, approximate=False), row("glu", X, axis=1),
    row("glu", IMAGE, axis=2), row("leaky_relu", X, negative_slope=0.5), row("hard_shrink", X, threshold=0.1), row("soft_shrink", X, threshold=0.1),
    row("squareplus", X, b=2), row("squareplus", X, b=0.5),
    *[row(n, IMAGE, axis=axis) for n in ("softmax", "log_softmax") for axis in (0, 1, -2, None, (1, 2), (0, 1))],
    # -- convolutions
    *[row("conv", x, k, s, p) for x, k in ((STEPS, K1), (IMAGE, K2), (VOLUME, K3)) for s in (1, 2) for p in ("valid", "same")],
    *[row("conv", x, k, 1, p, dilation_rate=2) for x, k in ((STEPS, K1), (IMAGE, K2)) for p in ("valid", "same")],
    row("conv", IMAGE, K2, (2, 3), "same"), row("conv", IMAGE, GROUPED, padding="same"), row("conv", FIRST, K2, 2, "same", "channels_first"),
    row("conv", FIRST, K2, data_format="channels_first", dilation_rate=(2, 1)), row("conv", IMAGE, K2, padding="SAME"),
    *[row("depthwise_conv", IMAGE, DEPTH, s, p) for s in (1, 2) for p in ("valid", "same")],
    row("depthwise_conv", IMAGE, DEPTH, 1, "same", dilation_rate=2), row("depthwise_conv", FIRST, DEPTH, 1, "valid", "channels_first"),
    row("depthwise_conv", STEPS, arrays(3, 4, 2)),
    row("separable_conv", IMAGE, DEPTH, POINT), row("separable_conv", IMAGE, DEPTH, POINT, 2, "same"),
    row("separable_conv", FIRST, DEPTH, POINT, 1, "same", "channels_first", 2), row("separable_conv", STEPS, arrays(3, 4, 2), arrays(1, 8, 3)),
    *[row("conv_transpose", x, k, s, p) for x, k in ((STEPS, T1), (IMAGE, T2), (VOLUME, T3)) for s in (1, 2, 3) for p in ("valid", "same")],
    row("conv_transpose", IMAGE, T2, 2, "same", output_padding=1), row("conv_transpose", IMAGE, T2, (2, 3), "valid", output_padding=(1, 2)),
    row("conv_transpose", FIRST, T2, 2, "same", data_format="channels_first"), row("conv_transpose", IMAGE, T2, 1, "valid", dilation_rate=2),
    row("conv_transpose", IMAGE, T2, 1, "same", dilation_rate=(2, 3)),
    # -- pools
    *[row(n, x, 2, s, p) for n in ("max_pool", "average_pool") for x in (STEPS, IMAGE, VOLUME) for s in (None, 1, 2, 3) for p in ("valid", "same")],
    *[row(n, IMAGE, (3, 2), (2, 1), "valid") for n in ("max_pool", "average_pool")],
    row("max_pool", IMAGE, (3, 2), (2, 1), "same"), row("max_pool", FIRST, 3, 2, "same", "channels_first"),
    *[row(n, x, size) for n in ("adaptive_max_pool", "adaptive_average_pool") for x, size in ((STEPS, 3), (IMAGE, (2, 3)), (VOLUME, 2), (IMAGE, 5))],
    *[row(n, FIRST, (3, 2), "channels_first") for n in ("adaptive_max_pool", "adaptive_average_pool")],
    row("unfold", FIRST, 2, arrays=False), row("unfold", FIRST, (2, 3), 1, 1, 2, arrays=False), row("unfold", FIRST, 2, dilation=2, padding=(0, 1), stride=(1, 2), arrays=False),
    row("fold", arrays(2, 12, 12), (4, 5), 2, arrays=False), row("fold", arrays(2, 12, 6), (4, 5), 2, padding=1, stride=2, arrays=False),
    row("depth_to_space", IMAGE, 2), row("depth_to_space", FIRST, 2, "channels_first"), row("space_to_depth", arrays(2, 4, 6, 3), 2),
    row("space_to_depth", arrays(2, 3, 4, 6), 2, "channels_first"),
    # -- labels and cross entropies
    row("one_hot", CLASSES, 4), row("one_hot", CLASSES, 5, axis=0), row("one_hot", CLASSES[None], 4, axis=1, dtype="int32"),
    row("one_hot", np.array([1, -1, 3]), 4), row("one_hot", CLASSES, 4, dtype="bool"), row("one_hot", 2, 4), row("one_hot", [0, 2], 3),
    row("multi_hot", CLASSES, 5), row("multi_hot", np.array([[0, 2], [1, 1]]), 4), row("multi_hot", np.array([[0, -1], [1, 1]]), 4, dtype="int32"),
    row("multi_hot", np.array([[[0, 2], [1, 1]]]), 3), row("multi_hot", CLASSES, num_classes=4, axis=0),
    row("binary_crossentropy", HOT, Q), row("binary_crossentropy", HOT, X, from_logits=True), row("binary_crossentropy", HOT, HOT),
    row("binary_crossentropy", HOT, WIDE[:1].repeat(3, 0), True),
    row("categorical_crossentropy", HOT, P), row("categorical_crossentropy", HOT, X, from_logits=True), row("categorical_crossentropy", HOT, P, axis=0),
    row("categorical_crossentropy", HOT, HOT), row("categorical_crossentropy", HOT, np.abs(X)),
    row("sparse_categorical_crossentropy", CLASSES, P), row("sparse_categorical_crossentropy", CLASSES, X, from_logits=True),
    row("sparse_categorical_crossentropy", CLASSES[:, None], P), row("sparse_categorical_crossentropy", CLASSES[:2], X[:, :2], axis=0),
    row("sparse_categorical_crossentropy", np.array([[0, 1], [2, 3]]), arrays(2, 2, 4), True), row("sparse_categorical_crossentropy", CLASSES.astype("float32"), P),
    row("psnr", X, HOT, 1.0), row("psnr", IMAGE, IMAGE * 0.9, 255), row("psnr", X, X, 1.0, gradient=False),
    # -- normalizations
    row("normalize", X), row("normalize", X, axis=0), row("normalize", X, order=1), row("normalize", X, order=3, epsilon=1.0), row("normalize", X * 0),
    row("normalize", VEC), row("normalize", IMAGE, axis=(1, 2)),
    row("moments", X, 0), row("moments", IMAGE, (0, 1, 2)), row("moments", IMAGE, [1], keepdims=True), row("moments", X.astype("float16") * 9, 1),
    row("batch_normalization", X, VEC, VEC2, -1), row("batch_normalization", X, VEC, VEC2, 1, VEC2, VEC, 0.1),
    row("batch_normalization", FIRST, VEC, VEC2, 1, offset=VEC), row("batch_normalization", IMAGE, VEC, VEC2, 3, scale=VEC),
    row("layer_normalization", X), row("layer_normalization", X, VEC, VEC2), row("layer_normalization", IMAGE, axis=(-2, -1)),
    row("layer_normalization", X.astype("float16")),
    row("rms_normalization", X), row("rms_normalization", X, VEC), row("rms_normalization", X.astype("float16"), VEC.astype("float16")),
    # -- attention
    row("dot_product_attention", QUERY, KEY, VALUE), row("dot_product_attention", QUERY, KEY, VALUE, scale=0.3), row("dot_product_attention", QUERY, KEY, VALUE, mask=MASK),
    row("dot_product_attention", QUERY, KEY, VALUE, bias=arrays(2, 4, 5, 6)), row("dot_product_attention", KEY, KEY, VALUE, is_causal=True),
    row("dot_product_attention", KEY, KEY, VALUE, is_causal=True, mask=RNG.rand(1, 1, 6, 6) > 0.2), row("dot_product_attention", QUERY, KEY[:, :, :2], VALUE[:, :, :2]),
    row("dot_product_attention", QUERY, KEY[:, :, :1], VALUE[:, :, :1]), row("dot_product_attention", QUERY, KEY, VALUE, flash_attention=False),
    # -- ctc
    row("ctc_loss", LABELS, OUTPUTS, LENGTHS, STEP_LENGTHS), row("ctc_loss", LABELS[:1], OUTPUTS[:1], LENGTHS[:1], STEP_LENGTHS[:1]),
    row("ctc_decode", OUTPUTS, STEP_LENGTHS, symbolic=False, gradient=False), row("ctc_decode", OUTPUTS, STEP_LENGTHS, mask_index=0, merge_repeated=False, symbolic=False, gradient=False),
]  # fmt: skip

# Calls that 3.15 gets wrong on torch; their results are those of its TensorFlow back end, in oracle/ops-tensorflow.npz.
ON_TENSORFLOW = [
    *[row("average_pool", IMAGE, (3, 2), (2, 1), "same"), row("average_pool", IMAGE, 3, 2, "same"), row("average_pool", VOLUME, (2, 3, 2), (2, 2, 1), "same")],
    row("layer_normalization", IMAGE, axis=1, epsilon=0.1), row("layer_normalization", IMAGE, axis=(1, 2), epsilon=0.1),
    row("layer_normalization", FIRST, VEC, VEC2, axis=1), row("rms_normalization", IMAGE, axis=(1, 2), epsilon=0.1), row("rms_normalization", IMAGE, axis=1),
]  # fmt: skip

REFUSED = [
    row("conv", IMAGE, K1),
    row("conv", X, K1),
    row("conv", IMAGE, arrays(3, 3, 3, 6)),
    row("max_pool", X, 2),
    row("average_pool", IMAGE, (2, 2, 2)),
    row("binary_crossentropy", HOT, Q[:2]),
    row("categorical_crossentropy", HOT, P[:, :3]),
    row("categorical_crossentropy", np.float32(1), np.float32(1)),
    row("sparse_categorical_crossentropy", CLASSES[:2], P),
    row("sparse_categorical_crossentropy", np.int32(1), np.float32(1)),
    row("psnr", X, HOT[:2], 1.0),
    row("multi_hot", CLASSES),
    row("normalize", X, order=0),
    row("dot_product_attention", X, X, X),
    row("dot_product_attention", QUERY, KEY, VALUE, bias=arrays(2, 4, 5, 6), mask=MASK),
    row("dot_product_attention", QUERY, KEY, VALUE, attn_logits_soft_cap=1.0),
    row("fold", X, (4, 4), 2),
    row("unfold", X, 2),
    row("depth_to_space", IMAGE, 3),
    row("depth_to_space", IMAGE, 1),
    row("space_to_depth", IMAGE, 3),
    row("ctc_loss", LABELS[0], OUTPUTS, LENGTHS, STEP_LENGTHS),
]

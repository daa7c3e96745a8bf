"""Calls of ``keras.backend``, for real Keras and kshim: ``name -> (function, positional arguments, keywords)``.

A name is the function's, with what is special about the call behind ``__``; a function is a name of K, or takes K first
where several are joined. Arrays are counting numbers. Runs on Python 3.6 to 3.13.
"""

import numpy as np


def count(*shape):
    size = int(np.prod(shape))
    return (((np.arange(size) * 7) % 23 - 9) / 11.0).reshape(shape).astype("float32")


def row(function, *args, **kwargs):
    return function, list(args), kwargs


A, B, C = count(2, 3, 4), count(2, 4, 3), count(2, 4)
POSITIVE = np.abs(A) + 0.1
IMAGE, VOLUME, STEPS = count(2, 5, 6, 3), count(1, 4, 4, 4, 2), count(2, 7, 3)
FIRST, VOLUME_FIRST = IMAGE.transpose(0, 3, 1, 2).copy(), VOLUME.transpose(0, 4, 1, 2, 3).copy()
P = np.exp(A) / np.exp(A).sum(-1, keepdims=True)
HOT = np.eye(4, dtype="float32")[np.array([[0, 3, 1], [2, 2, 0]])]
CLASSES = HOT.argmax(-1).astype("int32")
INTS = np.array([[3, 0, 2], [1, 1, 5]], "int32")
BOOLS = A > 0
PATHS = np.full((2, 6, 4), 0.25, "float32")
PATHS[:, ::2, 1] += 0.3
MASK = np.array([[1, 1, 1, 0, 0, 1, 0], [1] * 7]) > 0
ROWS = (("float", C), ("int", INTS), ("cube", A))


def add_up(now, states):
    return now + states[0], [now + states[0]]


def scaled(now, states):
    return now * states[1] + states[0], [now * states[1] + states[0]]


BOTH = {  # the same words in all
    **{f + "__" + kind: row(f, x) for f in ("abs", "sign", "square") for kind, x in ROWS},
    **{f: row(f, A) for f in ("exp", "cos", "sin", "tanh", "sigmoid", "softplus", "softsign", "elu", "relu", "softmax",
                              "round", "transpose", "flatten", "batch_flatten", "zeros_like", "ones_like", "int_shape",
                              "ndim", "dtype", "count_params", "stop_gradient", "get_variable_shape", "eval", "shape")},
    **{f: row(f, POSITIVE) for f in ("sqrt", "log")},
    **{f + "__" + kind: row(f, A, *args, **kwargs) for f in ("sum", "mean", "prod", "max", "min", "std", "var")
       for kind, args, kwargs in (("all", (), {}), ("axis", (1,), {}), ("last_kept", (-1, True), {}),
                                  ("kept", (), {"axis": 0, "keepdims": True}))},
    **{f + "__two": row(f, A, axis=[0, 2]) for f in ("sum", "mean", "max", "min", "std", "var")},
    **{f + "__int": row(f, INTS, axis=1) for f in ("sum", "max", "min", "prod")},
    "mean__bool": row("mean", BOOLS, axis=1),
    **{f + "__" + kind: row(f, BOOLS, **kwargs) for f in ("any", "all")
       for kind, kwargs in (("whole", {}), ("axis", {"axis": 1}), ("kept", {"axis": -1, "keepdims": True}))},
    **{f + "__" + kind: row(f, A, **kwargs) for f in ("argmax", "argmin")
       for kind, kwargs in (("last", {}), ("first", {"axis": 0}))},
    **{f: row(f, A, A[:, ::-1].copy()) for f in ("equal", "not_equal", "greater", "greater_equal", "maximum",
                                                 "minimum")},
    "maximum__number": row("maximum", A, 0.21),
    "greater__number": row("greater", A, 0),
    "pow": row("pow", A, 3),
    "clip": row("clip", A, -0.3, 0.5),
    "clip__crossed": row("clip", A, 0.5, -0.3),
    "elu__alpha": row("elu", A, 0.5),
    "relu__alpha": row("relu", A, 0.3),
    "relu__max": row("relu", A, alpha=0.1, max_value=0.4),
    "hard_sigmoid": row("hard_sigmoid", A * 4),
    "softmax__matrix": row("softmax", C),
    "cast": row("cast", A, "int32"),
    "cast__bool": row("cast", BOOLS, "float32"),
    "cast_to_floatx": row("cast_to_floatx", [1, 2]),
    "arange": row("arange", 5),
    "arange__step": row("arange", 2, 9, 3, "float32"),
    "arange__negative": row("arange", -3),
    "dot": row("dot", C, count(4, 5)),
    "dot__3d": row("dot", A, count(4, 5)),
    "dot__3d_3d": row("dot", A, count(3, 4, 5)),
    "batch_dot": row("batch_dot", A, B, axes=[2, 1]),
    "batch_dot__vectors": row("batch_dot", C, C * 2, axes=1),
    "batch_dot__none": row("batch_dot", A, B),
    "batch_dot__3d_2d": row("batch_dot", A, C, axes=[2, 1]),
    "batch_dot__2d_3d": row("batch_dot", C, B, axes=[1, 1]),
    "batch_dot__pair": row("batch_dot", A, A, axes=(1, 1)),
    "temporal_padding": row("temporal_padding", STEPS),
    "l2_normalize": row("l2_normalize", A, -1),
    "l2_normalize__named": row("l2_normalize", A, axis=1),
    "reverse": row("reverse", A, 1),
    "reverse__two": row("reverse", A, [0, 2]),
    "squeeze": row("squeeze", count(2, 1, 3), 1),
    "expand_dims": row("expand_dims", A),
    "expand_dims__at": row("expand_dims", A, 1),
    "repeat": row("repeat", C, 3),
    "repeat_elements": row("repeat_elements", A, 2, 1),
    "tile": row("tile", C, [1, 3]),
    "permute_dimensions": row("permute_dimensions", A, (2, 0, 1)),
    "reshape": row("reshape", A, (4, 6)),
    "reshape__rest": row("reshape", A, (-1, 3)),
    "concatenate": row("concatenate", [A, A * 2]),
    "concatenate__axis": row("concatenate", [A, A[:, :1]], axis=1),
    "stack": row("stack", [C, C * 2]),
    "gather": row("gather", C, np.array([[1, 0], [0, 0]], "int32")),
    "one_hot": row("one_hot", np.array([1, 0, 2], "int32"), 3),
    "zeros": row("zeros", (2, 3)),
    "ones": row("ones", (2, 3), "float64"),
    "ones__int": row("ones", (2,), dtype="int32"),
    "eye": row("eye", 3),
    "eye__dtype": row("eye", 2, "float64"),
    "zeros_like__dtype": row("zeros_like", INTS),
    "ones_like__dtype": row("ones_like", C, dtype="float64"),
    "variable": row("variable", C),
    "variable__list": row("variable", [1, 2]),
    "variable__dtype": row("variable", [1, 2], "int32", "name"),
    "in_top_k": row("in_top_k", C, np.array([1, 3], "int32"), 2),
    "normalize_batch_in_training": row("normalize_batch_in_training", A, count(4) + 2, count(4), [0, 1]),
    "normalize_batch_in_training__image": row("normalize_batch_in_training", IMAGE, count(3), count(3), [0, 1, 2], 0.1),
    "normalize_batch_in_training__features": row("normalize_batch_in_training", A, count(1, 3, 1) + 2, count(1, 3, 1),
                                                 [0, 2]),
    "switch": row(lambda K: K.switch(K.greater(K.variable(1.0), K.variable(0.0)), K.variable(C), K.variable(C * 2))),
    "switch__false": row(lambda K: K.switch(K.equal(K.variable(1.0), K.variable(0.0)), K.variable(C),
                                            K.variable(C * 2))),
    "map_fn": row(lambda K, x: K.map_fn(lambda a: K.square(a) + 1, x), C),
    "foldl": row(lambda K, x: K.foldl(lambda a, b: a * 2 + b, x), C),
    "foldl__initial": row(lambda K, x, s: K.foldl(lambda a, b: a * 2 + b, x, s), C, C[0] * 0 + 1),
    "foldr": row(lambda K, x: K.foldr(lambda a, b: a * 2 + b, x), C),
    "rnn": row("rnn", add_up, STEPS, [count(2, 3)]),
    "rnn__unrolled": row("rnn", add_up, STEPS, [count(2, 3)], unroll=True, input_length=7),
    "rnn__backwards": row("rnn", add_up, STEPS, [count(2, 3)], go_backwards=True),
    "rnn__mask": row("rnn", add_up, STEPS, [count(2, 3)], mask=MASK),
    "rnn__mask_unrolled": row("rnn", add_up, STEPS, [count(2, 3)], False, MASK, None, True, 7),
    "rnn__mask_backwards": row("rnn", add_up, STEPS, [count(2, 3)], go_backwards=True, mask=MASK),
    "rnn__constants": row("rnn", scaled, STEPS, [count(2, 3)], constants=[count(2, 3) + 1]),
    "ctc_batch_cost": row("ctc_batch_cost", np.array([[0, 1], [2, 2]], "int32"), PATHS,
                          np.array([[6], [5]], "int32"), np.array([[2], [2]], "int32")),
    "ctc_decode": row("ctc_decode", PATHS, np.array([6, 4], "int32")),
    "ctc_decode__beam": row("ctc_decode", PATHS, np.array([6, 4], "int32"), False, 10, 2),
    "to_dense": row(lambda K, y, n: K.to_dense(K.ctc_label_dense_to_sparse(y, n)),
                    np.array([[4, 5, 0], [6, 7, 8]], "int32"), np.array([2, 3], "int32")),
    "is_sparse": row("is_sparse", C),
    "batch_get_value": row(lambda K: K.batch_get_value([K.variable(C), K.variable(A)])),
    "get_value": row(lambda K: K.get_value(K.variable(C))),
}  # fmt: skip
KERAS_1 = {
    **{f: row(f, A, A[:, ::-1].copy()) for f in ("lesser", "lesser_equal")},
    "expand_dims__dim": row("expand_dims", A, dim=0),
    "conv1d": row("conv1d", STEPS, count(3, 3, 2), 2, "same"),
    "conv1d__valid": row("conv1d", STEPS, count(4, 3, 2), stride=2, border_mode="valid"),
    "conv2d__same": row("conv2d", IMAGE, count(3, 2, 3, 4), border_mode="same", dim_ordering="tf"),
    "conv2d__positions": row("conv2d", IMAGE, count(3, 2, 3, 4), (2, 1), "same", "tf"),
    "conv2d__dilated": row("conv2d", IMAGE, count(2, 2, 3, 4), filter_dilation=(2, 2), dim_ordering="tf"),
    "conv3d": row("conv3d", VOLUME, count(2, 2, 2, 2, 3), (1, 1, 1), "same", "tf"),
    "deconv2d": row("deconv2d", IMAGE, count(3, 3, 3, 4), (2, 11, 13, 4), (2, 2), "valid", "tf"),
    "atrous_conv2d": row("atrous_conv2d", IMAGE, count(2, 2, 3, 4), 2, "same", "tf"),
    "separable_conv2d": row("separable_conv2d", IMAGE, count(2, 2, 3, 2), count(1, 1, 6, 4), (1, 1), "same", "tf"),
    "pool2d": row("pool2d", IMAGE, (2, 2), strides=(2, 2), border_mode="same", pool_mode="avg"),
    "pool2d__positions": row("pool2d", IMAGE, (3, 2), (2, 1), "valid", "tf", "max"),
    "pool2d__th": row("pool2d", FIRST, (2, 2), (2, 2), dim_ordering="th"),
    "pool3d": row("pool3d", VOLUME, (2, 2, 2), (2, 2, 2), "valid", "tf", "avg"),
    "asymmetric_spatial_2d_padding": row("asymmetric_spatial_2d_padding", IMAGE, top_pad=2, right_pad=0),
    "asymmetric_temporal_padding": row("asymmetric_temporal_padding", STEPS, 2, 0),
    "temporal_padding__int": row("temporal_padding", STEPS, 2),
    "spatial_2d_padding": row("spatial_2d_padding", IMAGE, (1, 2), "tf"),
    "spatial_2d_padding__th": row("spatial_2d_padding", FIRST, (1, 2), dim_ordering="th"),
    "spatial_3d_padding": row("spatial_3d_padding", VOLUME, (1, 0, 2), "tf"),
    "resize_images": row("resize_images", IMAGE, 2, 3, "tf"),
    "resize_images__th": row("resize_images", FIRST, 2, 3, "th"),
    "resize_volumes": row("resize_volumes", VOLUME, 2, 1, 3, "tf"),
    "resize_volumes__th": row("resize_volumes", VOLUME_FIRST, 2, 1, 3, dim_ordering="th"),
    "categorical_crossentropy": row("categorical_crossentropy", P, HOT),
    "categorical_crossentropy__logits": row("categorical_crossentropy", A, HOT, from_logits=True),
    "categorical_crossentropy__unscaled": row("categorical_crossentropy", P * 3, HOT),
    "binary_crossentropy": row("binary_crossentropy", P, HOT),
    "binary_crossentropy__logits": row("binary_crossentropy", A, HOT, True),
    "sparse_categorical_crossentropy": row("sparse_categorical_crossentropy", P, CLASSES),
    "batch_normalization": row("batch_normalization", A, count(4), count(4) ** 2, count(4) + 1, count(4) - 1, 0.1),
    "one_hot__named": row("one_hot", np.array([1, 0], "int32"), nb_classes=3),
}  # fmt: skip
KERAS_2 = {
    **{f: row(f, A, A[:, ::-1].copy()) for f in ("less", "less_equal")},
    "identity": row("identity", A),
    "expand_dims__axis": row("expand_dims", A, axis=0),
    "stack__axis": row("stack", [C, C * 2], axis=1),
    "constant": row("constant", 3, "float32", (2, 2)),
    "constant__list": row("constant", [1.5, 2]),
    "l2_normalize__whole": row("l2_normalize", A),
    "one_hot__named": row("one_hot", np.array([1, 0], "int32"), num_classes=3),
    "conv1d": row("conv1d", STEPS, count(3, 3, 2), 2, "same"),
    "conv1d__causal": row("conv1d", STEPS, count(3, 3, 2), padding="causal"),
    "conv1d__dilated": row("conv1d", STEPS, count(2, 3, 2), dilation_rate=2),
    "conv1d__same": row("conv1d", STEPS, count(4, 3, 2), padding="same", strides=2),
    "conv2d": row("conv2d", IMAGE, count(3, 2, 3, 4)),
    "conv2d__same": row("conv2d", IMAGE, count(3, 2, 3, 4), padding="same", strides=(2, 2)),
    "conv2d__positions": row("conv2d", IMAGE, count(3, 2, 3, 4), (2, 1), "same", "channels_last"),
    "conv2d__dilated": row("conv2d", IMAGE, count(2, 2, 3, 4), dilation_rate=(2, 2)),
    "conv3d": row("conv3d", VOLUME, count(2, 2, 2, 2, 3), padding="same"),
    "conv2d_transpose": row("conv2d_transpose", IMAGE, count(3, 3, 4, 3), (2, 11, 13, 4), strides=(2, 2)),
    "conv2d_transpose__same": row("conv2d_transpose", IMAGE, count(3, 3, 4, 3), (2, 10, 12, 4), (2, 2), "same"),
    "conv3d_transpose": row("conv3d_transpose", VOLUME, count(2, 2, 2, 3, 2), (1, 8, 8, 8, 3), (2, 2, 2)),
    "depthwise_conv2d": row("depthwise_conv2d", IMAGE, count(2, 2, 3, 2), padding="same"),
    "separable_conv2d": row("separable_conv2d", IMAGE, count(2, 2, 3, 2), count(1, 1, 6, 4)),
    "pool2d__max": row("pool2d", IMAGE, (2, 2), strides=(2, 2), padding="same"),
    "pool2d__avg": row("pool2d", IMAGE, (3, 2), strides=(2, 2), padding="same", pool_mode="avg"),
    "pool2d__first": row("pool2d", FIRST, (2, 2), (2, 2), data_format="channels_first"),
    "pool3d": row("pool3d", VOLUME, (2, 2, 2), strides=(2, 2, 2), pool_mode="avg"),
    "local_conv1d": row("local_conv1d", STEPS, count(3, 9, 2), (3,), (2,)),
    "local_conv2d": row("local_conv2d", IMAGE, count(12, 12, 2), (2, 2), (1, 2), (4, 3)),
    "temporal_padding__pair": row("temporal_padding", STEPS, (2, 0)),
    "spatial_2d_padding": row("spatial_2d_padding", IMAGE, padding=((1, 2), (0, 3))),
    "spatial_2d_padding__first": row("spatial_2d_padding", FIRST, ((1, 2), (0, 3)), "channels_first"),
    "spatial_3d_padding": row("spatial_3d_padding", VOLUME, padding=((1, 0), (0, 2), (1, 1))),
    "resize_images": row("resize_images", IMAGE, 2, 3, "channels_last"),
    "resize_images__first": row("resize_images", FIRST, 2, 3, "channels_first"),
    "resize_volumes": row("resize_volumes", VOLUME, 2, 1, 3, "channels_last"),
    "bias_add": row("bias_add", IMAGE, count(3)),
    "bias_add__first": row("bias_add", FIRST, count(3), data_format="channels_first"),
    "bias_add__whole": row("bias_add", IMAGE, count(5, 6, 3)),
    "batch_normalization": row("batch_normalization", A, count(4), count(4) ** 2, count(4) + 1, count(4) - 1),
    "batch_normalization__epsilon": row("batch_normalization", A, count(4), count(4) ** 2, count(4) + 1, count(4) - 1,
                                        epsilon=0.1),
    "batch_dot__one_axis": row("batch_dot", C, C, 1),
    "cumsum": row("cumsum", A, axis=1),
    "cumsum__first": row("cumsum", A),
    "cumprod": row("cumprod", A, axis=2),
    "logsumexp": row("logsumexp", A, axis=1),
    "logsumexp__kept": row("logsumexp", A, -1, True),
    "logsumexp__whole": row("logsumexp", A),
    "binary_crossentropy": row("binary_crossentropy", HOT, P),
    "binary_crossentropy__logits": row("binary_crossentropy", HOT, A, True),
    "categorical_crossentropy": row("categorical_crossentropy", HOT, P),
    "categorical_crossentropy__logits": row("categorical_crossentropy", HOT, A, from_logits=True),
    "categorical_crossentropy__unscaled": row("categorical_crossentropy", HOT, P * 3),
    "sparse_categorical_crossentropy": row("sparse_categorical_crossentropy", CLASSES, P),
    "sparse_categorical_crossentropy__logits": row("sparse_categorical_crossentropy", CLASSES, A, True),
    "in_train_phase": row("in_train_phase", C, C * 2, training=True),
    "in_test_phase": row("in_test_phase", C, C * 2, training=True),
    "switch__rows": row(lambda K, x: K.switch(K.greater(x, K.zeros_like(x)), x, K.square(x)), C),
    "has_arg": row("has_arg", add_up, "states"),
}  # fmt: skip
KERAS_23 = {  # from 2.3.1
    "relu__threshold": row("relu", A, 0.1, 0.6, 0.2),
    "softmax__axis": row("softmax", A, axis=1),
    "slice": row("slice", A, [0, 1, 0], [2, 2, 3]),
    "slice__rest": row("slice", A, [0, 1, 0], [-1, 2, -1]),
    "size": row("size", A),
    "is_tensor": row(lambda K: K.is_tensor(K.zeros((2,)))),
    "is_variable": row(lambda K: K.is_variable(K.variable(C))),
    "separable_conv1d": row("separable_conv1d", STEPS, count(2, 3, 2), count(1, 6, 4)),
    "conv2d_transpose__dilated": row("conv2d_transpose", IMAGE, count(2, 2, 4, 3), (2, 7, 8, 4), dilation_rate=(2, 2)),
    "resize_images__bilinear": row("resize_images", IMAGE, 2, 3, "channels_last", interpolation="bilinear"),
    "batch_normalization__axis": row("batch_normalization", FIRST, count(3), count(3) ** 2, count(3), count(3), 1),
    "batch_dot__axes": row("batch_dot", count(2, 3, 4, 5), count(2, 4, 6), axes=(2, 1)),
    "batch_dot__mixed": row("batch_dot", C, B),
    "categorical_crossentropy__axis": row("categorical_crossentropy", HOT, P, axis=1),
    "sparse_categorical_crossentropy__axis": row("sparse_categorical_crossentropy", CLASSES.reshape(2, 3),
                                                 P.transpose(0, 2, 1).copy(), axis=1),
}  # fmt: skip
TF_KERAS = {
    "binary_focal_crossentropy": row("binary_focal_crossentropy", HOT, P),
    "binary_focal_crossentropy__balanced": row("binary_focal_crossentropy", HOT, A, True, 0.4, 1.5, True),
    "categorical_focal_crossentropy": row("categorical_focal_crossentropy", HOT, P),
    "categorical_focal_crossentropy__logits": row("categorical_focal_crossentropy", HOT, A, 0.4, 1.5, True),
    "sparse_categorical_crossentropy__ignored": row("sparse_categorical_crossentropy", CLASSES, P, ignore_class=2),
    "rnn__zeros": row("rnn", add_up, STEPS, [count(2, 3)], mask=MASK, zero_output_for_mask=True),
    "rnn__time_major": row("rnn", add_up, STEPS.transpose(1, 0, 2).copy(), [count(2, 3)], time_major=True),
    "rnn__last": row("rnn", add_up, STEPS, [count(2, 3)], return_all_outputs=False),
}
REFUSED = {  # what raises; the class is the golden
    "squeeze__size": row("squeeze", A, 1),
    "repeat__rank": row("repeat", A, 2),
    "concatenate__sizes": row("concatenate", [A, B]),
    "reshape__size": row("reshape", A, (5, 5)),
    "dot__sizes": row("dot", C, C),
    "permute_dimensions__axes": row("permute_dimensions", A, (0, 1)),
    "sum__axis": row("sum", A, axis=5),
    "stack__sizes": row("stack", [A, C]),
    "pool2d__mode": row("pool2d", IMAGE, (2, 2), pool_mode="sum"),
    "expand_dims__axis": row("expand_dims", A, 7),
    "rnn__rank": row("rnn", add_up, C[0], [C]),
    "is_keras_tensor__number": row("is_keras_tensor", 3),
    "set_floatx__unknown": row("set_floatx", "float33"),
    "set_learning_phase__two": row("set_learning_phase", 2),
}
OF = {
    "1.2.2": {**BOTH, **KERAS_1}, "2.0.8": {**BOTH, **KERAS_2}, "2.3.1": {**BOTH, **KERAS_2, **KERAS_23},
    "tf.keras": {**BOTH, **KERAS_2, **KERAS_23, **TF_KERAS},
}  # fmt: skip


def flat(value):
    """The leaves of a result: arrays, tensors, numbers and texts, without what is None."""
    if isinstance(value, (list, tuple)) and not all(isinstance(v, (int, type(None))) for v in value):
        return [leaf for part in value for leaf in flat(part)]
    return [] if value is None else [value]


def cotangent(shape):
    """Weights of a result in the sum whose gradient is taken."""
    return (np.arange(int(np.prod(shape)), dtype="float32") % 5 + 1).reshape(shape)

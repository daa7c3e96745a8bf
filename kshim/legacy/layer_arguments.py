"""Calls of layers as older Keras spelled them; a part of ``arguments``. Data only.

Source: the signatures of 0.3.3, 1.2.2, 2.0.8, 2.2.4, 2.3.1 and 3.15, and ``keras/legacy/interfaces.py`` of 2.3.1.
"""

from kshim.legacy import values
from kshim.legacy.row import WEIGHT_POSITIONS, WEIGHTS, Gone, Joined, Row, When, are_ints, is_int, is_text

ADD_WEIGHT_2 = ("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")

# -- shared parts ------------------------------------------------------------------------------------------------

LAYOUT = {"dim_ordering": "data_format"}
LAYOUTS = {"data_format": {"th": "channels_first", "tf": "channels_last", "default": None}}
LAYOUT_OF_KERAS_0 = Row(until="0.3.3", defaults={"data_format": "channels_first"})
ROWS_AND_COLUMNS = {"kernel_size": Joined(("nb_row", "nb_col"))}
DEPTHS = {"kernel_size": Joined(("kernel_dim1", "kernel_dim2", "kernel_dim3"))}
CONV_1 = {"nb_filter": "filters", "border_mode": "padding", "filter_length": "kernel_size",
          "subsample_length": "strides", "atrous_rate": "dilation_rate"}  # fmt: skip
CONV_2 = {"nb_filter": "filters", "border_mode": "padding", "subsample": "strides", "atrous_rate": "dilation_rate",
          **LAYOUT}  # fmt: skip
AFTER_KERNEL = ("kernel_initializer", "activation", "weights", "padding", "strides")
AFTER_LAYOUT = ("kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
                "bias_constraint", "use_bias")  # fmt: skip
RNN = {
    "output_dim": "units", "init": "kernel_initializer", "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation", "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer", "b_regularizer": "bias_regularizer", "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout", "consume_less": "implementation", "forget_bias_init": "unit_forget_bias",
}  # fmt: skip
PLAIN_RNN = {old: new for old, new in RNN.items()
             if old not in ("inner_activation", "forget_bias_init", "consume_less")}  # fmt: skip
GATED_RNN = {old: new for old, new in RNN.items() if old != "forget_bias_init"}
RNN_TAIL = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "dropout", "recurrent_dropout")
RNN_VALUES = {"unit_forget_bias": values.unit_forget_bias}
RNN_GONE = {
    "time_major": Gone((None, False), "Put Permute((2, 1)) before it, with the batch axis first."),
    "truncate_gradient": Gone((None, -1), "It was Theano's."),
}
CONSUME_LESS = {"implementation": {"cpu": 0, "mem": 1, "gpu": 2}}
HARD_GATES = Row(until="2.2.4", defaults={"recurrent_activation": "hard_sigmoid"})
RESET_BEFORE = Row(until="2.3.1", defaults={"reset_after": False})


def _conv(rank, last=()):
    """The rows of a convolution of ``rank`` axes; ``last``, more of them."""
    if rank == 1:
        positions = ("filters", "kernel_size", *AFTER_KERNEL, *AFTER_LAYOUT)
        return (
            Row(until="0.3.3", defaults={"kernel_initializer": "uniform"}),
            Row(until="1.2.2", positions=positions),
            Row(renamed={**CONV_1, **WEIGHTS}),
            *last,
        )
    names = ("nb_row", "nb_col") if rank == 2 else ("kernel_dim1", "kernel_dim2", "kernel_dim3")
    tail = (*AFTER_KERNEL, "data_format", *AFTER_LAYOUT)
    return (
        Row(since="2.0.8", until="2.3.1", positions=("filters", *names, "strides"), when=_ints(rank)),
        Row(until="1.2.2", positions=("filters", *names, *tail)),
        LAYOUT_OF_KERAS_0,
        Row(renamed={**CONV_2, **WEIGHTS}, joined=ROWS_AND_COLUMNS if rank == 2 else DEPTHS, values=LAYOUTS),
        *last,
    )


def _ints(rank):
    return When(tuple(range(1, rank + 1)), are_ints)


def _pooling(rank):
    names = {"border_mode": "padding", "poolsize": "pool_size"}
    gone = {"ignore_border": Gone((None, True), "Take border_mode='same'.")}
    row = Row(until="tf.keras", defaults={"pool_size": 2})
    if rank == 1:
        return (row, Row(renamed={"pool_length": "pool_size", "stride": "strides", **names}, gone=gone))
    return (row, LAYOUT_OF_KERAS_0, Row(renamed={**names, **LAYOUT}, values=LAYOUTS, gone=gone))


def _images(renamed=None, **more):
    """The rows of a layer whose only old name is that of the layout, and ``renamed``."""
    return (LAYOUT_OF_KERAS_0, Row(renamed={**LAYOUT, **(renamed or {})}, values={**LAYOUTS, **more}))


def _recurrent(positions, names, *rows):
    """The rows of a recurrent layer: the positions of Keras 1, its names, and further rows."""
    start = ("units", "kernel_initializer", "recurrent_initializer")
    return (
        Row(until="1.2.2", positions=(*start, *positions, *RNN_TAIL)),
        Row(
            renamed=names,
            gone=RNN_GONE,
            values={new: change for new, change in {**CONSUME_LESS, **RNN_VALUES}.items() if new in names.values()},
        ),
        *rows,
    )


# -- rows --------------------------------------------------------------------------------------------------------

LAYERS = {
    "layers.Layer": (
        Row(
            renamed={"batch_input_shape": "batch_shape"},
            joined={"input_shape": Joined(("input_dim", "input_length"), lambda dim, length: (length, dim))},
            gone={
                "input_dtype": Gone((None, "float32", "float64"), "Put an Input(dtype=...) before the layer."),
                "cache_enabled": Gone((None, True, False)),
                "dynamic": Gone((None, True, False)),
            },
        ),
    ),
    "layers.Layer.add_weight": (
        Row(
            positions=ADD_WEIGHT_2, when=When(0, is_text),
            values={"initializer": values.initializer_of_any_signature},
        ),
        Row(until="1.2.2", positions=("shape", "initializer", "name", "trainable", "regularizer", "constraint")),
        Row(since="2.0.8", until="2.3.1", positions=("shape", "name"), when=When(1, is_text)),
        Row(
            since="2.0.8", until="tf.keras", positions=ADD_WEIGHT_2, when=When(0, lambda name: name is None),
        ),
        Row(gone={"use_resource": Gone((None, True, False)), "synchronization": Gone((None, "auto", "AUTO"))}),
    ),
    "layers.InputLayer": (
        Row(
            until="1.2.2", positions=("shape", "batch_shape", "dtype", "input_tensor", "sparse", "name"),
        ),
        Row(
            since="2.0.8", until="2.3.1",
            positions=("shape", "batch_size", "batch_shape", "dtype", "input_tensor", "sparse", "name"),
        ),
        Row(
            since="tf.keras", until="tf.keras",
            positions=("shape", "batch_size", "dtype", "input_tensor", "sparse", "name", "ragged"),
        ),
        Row(renamed={"input_shape": "shape", "batch_input_shape": "batch_shape", "input_dtype": "dtype"}),
    ),
    "layers.Dense": (
        Row(positions=("input_dim", "units", *WEIGHT_POSITIONS[:2]), when=When(1, is_int)),  # 0.1
        Row(until="1.2.2", positions=("units", *WEIGHT_POSITIONS)),
        Row(renamed={"output_dim": "units", **WEIGHTS}, twice={"units": "input_dim"}),
    ),
    "layers.Reshape": (Row(renamed={"dims": "target_shape"}),),
    "layers.Lambda": (Row(until="1.2.2", positions=("function", "output_shape", "arguments")),),
    # -- noise
    "layers.Dropout": (Row(renamed={"p": "rate"}),),
    "layers.GaussianDropout": (Row(renamed={"p": "rate"}),),
    "layers.AlphaDropout": (Row(renamed={"p": "rate"}),),
    "layers.GaussianNoise": (Row(renamed={"sigma": "stddev"}),),
    "layers.SpatialDropout2D": (Row(renamed=LAYOUT, values=LAYOUTS),),
    "layers.SpatialDropout3D": (Row(renamed=LAYOUT, values=LAYOUTS),),
    # -- embeddings, activations, normalization
    "layers.Embedding": (
        Row(gone={"input_dtype": Gone((None, "float32", "float64", "int32", "int64"), "Put an Input before it.")}),
        Row(
            until="1.2.2",
            positions=("input_dim", "output_dim", "embeddings_initializer", "input_length", "embeddings_regularizer",
                       "activity_regularizer", "embeddings_constraint", "mask_zero", "weights", "dropout"),
        ),
        Row(
            since="2.0.8", until="tf.keras",
            positions=("input_dim", "output_dim", "embeddings_initializer", "embeddings_regularizer",
                       "activity_regularizer", "embeddings_constraint", "mask_zero", "input_length", "sparse"),
        ),
        Row(
            renamed={"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer",
                     "W_constraint": "embeddings_constraint"},
            joined={"input_shape": Joined(("input_length",), values.one_axis)},
        ),
        Row(since="2.0.8", until="2.3.1", gone={"dropout": Gone(help="So did Keras 2.", ignored=True)}),
        Row(gone={
            "dropout": Gone((None, 0, 0.0), "It dropped whole words; put SpatialDropout1D after the layer."),
            "sparse": Gone((None, False), "kshim's gradient of an Embedding is dense."),
        }),
    ),
    "layers.LeakyReLU": (Row(renamed={"alpha": "negative_slope"}),),
    "layers.PReLU": (
        Row(until="1.2.2", positions=("alpha_initializer", "weights", "shared_axes")),
        Row(renamed={"init": "alpha_initializer"}),
    ),
    "layers.BatchNormalization": (
        Row(until="0.3.3", defaults={"epsilon": 1e-6, "momentum": 0.9}),
        Row(
            until="1.2.2",
            positions=("epsilon", "mode", "axis", "momentum", "weights", "beta_initializer", "gamma_initializer",
                       "gamma_regularizer", "beta_regularizer"),
        ),
        Row(
            renamed={"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
            gone={
                "mode": Gone((None, 0), "Mode 1 normalized each sample: take LayerNormalization. Mode 2 took the "
                             "batch's statistics at test time, too: call the layer with training=True."),
                "fused": Gone((None, True, False)),
                "virtual_batch_size": Gone((None,), "Split the batch before the layer."),
                "adjustment": Gone((None,), "Scale and shift after the layer."),
            },
        ),
    ),
    # -- convolution
    "layers.Conv1D": _conv(1),
    "layers.Conv2D": _conv(2),
    "layers.Conv3D": _conv(3),
    "layers.Conv2DTranspose": (
        Row(since="2.0.8", until="2.3.1", positions=("filters", "nb_row", "nb_col", "strides"), when=_ints(2)),
        Row(since="2.0.8", until="2.3.1", gone={"output_shape": Gone(help="So did Keras 2.", ignored=True)}),
        Row(renamed={**CONV_2, **WEIGHTS}, joined=ROWS_AND_COLUMNS, values=LAYOUTS),
    ),
    "layers.Deconvolution2D": (
        Row(since="2.0.8", until="2.3.1", positions=("filters", "nb_row", "nb_col", "output_shape"),
            when=_ints(2)),
        Row(
            until="1.2.2",
            positions=("filters", "nb_row", "nb_col", "output_shape", *AFTER_KERNEL, "data_format", *AFTER_LAYOUT),
        ),
        Row(since="2.0.8", until="2.3.1", gone={"output_shape": Gone(help="So did Keras 2.", ignored=True)}),
        Row(renamed={**CONV_2, **WEIGHTS}, joined=ROWS_AND_COLUMNS, values=LAYOUTS),
    ),
    "layers.Conv3DTranspose": (
        Row(
            since="2.0.8", until="tf.keras",
            positions=("filters", "kernel_size", "strides", "padding", "output_padding", "data_format",
                       "dilation_rate", "activation", "use_bias"),
        ),
        Row(renamed={**CONV_2, **WEIGHTS}, joined=DEPTHS, values=LAYOUTS),
    ),
    "layers.SeparableConv2D": (
        Row(since="2.0.8", until="2.3.1", positions=("filters", "nb_row", "nb_col", "strides"), when=_ints(2)),
        Row(
            until="1.2.2",
            positions=("filters", "nb_row", "nb_col", "init", "activation", "weights", "padding", "strides",
                       "depth_multiplier", "data_format", "depthwise_regularizer", "pointwise_regularizer",
                       "bias_regularizer", "activity_regularizer", "depthwise_constraint", "pointwise_constraint",
                       "bias_constraint", "use_bias"),
        ),
        Row(
            renamed={**CONV_2, "b_regularizer": "bias_regularizer", "b_constraint": "bias_constraint",
                     "bias": "use_bias"},
            shared={"init": ("depthwise_initializer", "pointwise_initializer")},
            joined=ROWS_AND_COLUMNS, values=LAYOUTS,
        ),
    ),
    "layers.SeparableConv1D": (Row(values=LAYOUTS),),
    "layers.DepthwiseConv2D": (
        Row(
            since="2.2.4", until="2.3.1",
            positions=("kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate"),
        ),
    ),
    "layers.LocallyConnected1D": (
        Row(until="1.2.2", positions=("filters", "kernel_size", *AFTER_KERNEL, *AFTER_LAYOUT)),
        Row(renamed={**{k: v for k, v in CONV_1.items() if k != "atrous_rate"}, **WEIGHTS}),
    ),
    "layers.LocallyConnected2D": (
        Row(since="2.0.8", until="2.3.1", positions=("filters", "nb_row", "nb_col", "strides"), when=_ints(2)),
        Row(until="1.2.2", positions=("filters", "nb_row", "nb_col", *AFTER_KERNEL, "data_format", *AFTER_LAYOUT)),
        Row(
            renamed={**{k: v for k, v in CONV_2.items() if k != "atrous_rate"}, **WEIGHTS}, joined=ROWS_AND_COLUMNS,
            values=LAYOUTS,
        ),
    ),
    # -- pooling, reshaping
    **{f"layers.{kind}Pooling{rank}D": _pooling(rank) for kind in ("Max", "Average") for rank in (1, 2, 3)},
    **{f"layers.Global{kind}Pooling{rank}D": _images() for kind in ("Max", "Average") for rank in (2, 3)},
    "layers.UpSampling1D": (Row(renamed={"length": "size"}),),
    "layers.UpSampling2D": _images(),
    "layers.UpSampling3D": _images(),
    "layers.Cropping2D": _images(),
    "layers.Cropping3D": _images(),
    "layers.ZeroPadding1D": (Row(values={"padding": values.zero_padding1d}),),
    "layers.ZeroPadding2D": _images({"pad": "padding"}, padding=values.zero_padding2d),
    "layers.ZeroPadding3D": _images(),
    # -- recurrent
    "layers.SimpleRNN": _recurrent(("activation",), PLAIN_RNN, Row(gone={
        "consume_less": Gone((None, "cpu", "mem", "gpu")), "implementation": Gone((None, 0, 1, 2)),
    })),
    "layers.LSTM": _recurrent(("unit_forget_bias", "activation", "recurrent_activation"), RNN, HARD_GATES),
    "layers.GRU": _recurrent(("activation", "recurrent_activation"), GATED_RNN, HARD_GATES, RESET_BEFORE),
    "layers.LSTMCell": (HARD_GATES,),
    "layers.GRUCell": (HARD_GATES, RESET_BEFORE),
    "layers.RNN": (Row(gone=RNN_GONE),),
    "layers.ConvLSTM2D": (
        Row(
            until="1.2.2",
            positions=("filters", "nb_row", "nb_col", "kernel_initializer", "recurrent_initializer",
                       "unit_forget_bias", "activation", "recurrent_activation", "data_format", "padding", "strides",
                       "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "dropout",
                       "recurrent_dropout"),
        ),
        Row(until="tf.keras", defaults={"recurrent_activation": "hard_sigmoid"}),
        Row(
            renamed={**{k: v for k, v in RNN.items() if k not in ("output_dim", "consume_less")},
                     **{k: v for k, v in CONV_2.items() if k != "atrous_rate"}},
            joined=ROWS_AND_COLUMNS, values={**LAYOUTS, **RNN_VALUES},
        ),
    ),
    "layers.ConvLSTM1D": (Row(until="tf.keras", defaults={"recurrent_activation": "hard_sigmoid"}),),
    "layers.ConvLSTM3D": (Row(until="tf.keras", defaults={"recurrent_activation": "hard_sigmoid"}),),
    # -- gone
    "layers.Highway": (
        Row(
            until="0.3.3",
            positions=("init", "transform_bias", "activation", "weights", "W_regularizer", "b_regularizer",
                       "activity_regularizer", "W_constraint", "b_constraint", "input_dim"),
        ),
    ),
}  # fmt: skip

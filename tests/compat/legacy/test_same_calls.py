"""An old call gives the config of the new one; what means different things follows the dialect."""

import numpy as np
import pytest
import torch

import kshim
from kshim import backend as K
from kshim import callbacks, constraints, initializers, layers, optimizers, regularizers
from kshim.core import names
from kshim.layers import (
    GRU,
    LSTM,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    Deconvolution2D,
    Dense,
    Embedding,
    Input,
    LocallyConnected1D,
    LocallyConnected2D,
    SeparableConv2D,
    SimpleRNN,
)
from kshim.preprocessing import text

ANY = ("0.3.3", "1.2.2", "2.0.8", "2.2.4", "2.3.1", "tf.keras", "3")
OLD, KERAS_1, KERAS_2 = ("0.3.3", "1.2.2"), ("1.2.2",), ("2.0.8", "2.2.4", "2.3.1")
L2 = {"class_name": "L2", "config": {"l2": 0.1}}
TO_TF = (*OLD, *KERAS_2, "tf.keras")
REGULARIZED = {"W_regularizer": L2, "b_regularizer": L2, "W_constraint": "maxnorm", "b_constraint": "nonneg"}
REGULARIZED_TODAY = {"kernel_regularizer": L2, "bias_regularizer": L2, "kernel_constraint": "max_norm",
                     "bias_constraint": "non_neg"}  # fmt: skip
LAST, FIRST = {"data_format": "channels_last"}, {"data_format": "channels_first"}


def call(*args, **kwargs):
    return args, kwargs


# class, dialects, old call, today's call
SAME = [
    (Dense, ANY, call(output_dim=3), call(3)),
    (Dense, ANY, call(3, init="normal"), call(3, kernel_initializer="random_normal")),
    (Dense, ANY, call(3, init="zero", bias=False), call(3, kernel_initializer="zeros", use_bias=False)),
    (Dense, ANY, call(3, W_regularizer=L2, b_regularizer=L2), call(3, kernel_regularizer=L2, bias_regularizer=L2)),
    (Dense, ANY, call(3, W_constraint="maxnorm", b_constraint="nonneg"),
     call(3, kernel_constraint="max_norm", bias_constraint="non_neg")),
    (Dense, ANY, call(784, 512), call(512, input_dim=784)),
    (Dense, OLD, call(3, "uniform", "relu"), call(units=3, kernel_initializer="random_uniform", activation="relu")),
    (Dense, (*KERAS_2, "tf.keras", "3"), call(3, "relu"), call(units=3, activation="relu")),
    (Dense, ANY, call(3, batch_input_shape=(2, 5)), call(3, batch_shape=(2, 5))),
    (Dense, ANY, call(3, input_dim=4, input_length=5), call(3, input_shape=(5, 4))),
    (Dense, ANY, call(3, input_dtype="float32", input_dim=2), call(3, input_dim=2)),
    (layers.Activation, ANY, call("relu", batch_input_shape=(None, 2)), call("relu", batch_shape=(None, 2))),
    (layers.Flatten, ANY, call(batch_input_shape=(None, 2, 2)), call(input_shape=(2, 2))),
    (layers.Permute, ANY, call((2, 1), batch_input_shape=(1, 2, 2)), call((2, 1), batch_shape=(1, 2, 2))),
    (layers.RepeatVector, ANY, call(3, batch_input_shape=(1, 2)), call(3, batch_shape=(1, 2))),
    (layers.Masking, ANY, call(0.0, batch_input_shape=(1, 2, 2)), call(0.0, batch_shape=(1, 2, 2))),
    (layers.Dropout, ANY, call(p=0.5), call(0.5)),
    (layers.Reshape, ANY, call(dims=(2, 3)), call((2, 3))),
    (layers.InputLayer, ANY, call(input_shape=(3,), name="i"), call((3,), name="i")),
    (layers.InputLayer, ANY, call(batch_input_shape=(2, 3), name="i"), call(batch_shape=(2, 3), name="i")),
    (layers.InputLayer, ANY, call(input_shape=(3,), input_dtype="int32", name="i"),
     call((3,), dtype="int32", name="i")),
    (layers.InputLayer, KERAS_1, call(None, (2, 3), "int32", name="i"),
     call(batch_shape=(2, 3), dtype="int32", name="i")),
    (layers.InputLayer, KERAS_2, call((3,), 2, None, "int32", name="i"), call((3,), 2, dtype="int32", name="i")),
    (layers.InputLayer, ("tf.keras",), call((3,), 2, "int32", None, False, "i"),
     call((3,), 2, dtype="int32", name="i")),
    # -- layers of images and sequences
    (Conv1D, ANY, call(nb_filter=2, filter_length=3, border_mode="same", subsample_length=2, init="normal"),
     call(2, 3, padding="same", strides=2, kernel_initializer="random_normal")),
    (Conv1D, OLD, call(2, 3, "normal", "relu", None, "same", 2, **REGULARIZED),
     call(filters=2, kernel_size=3, kernel_initializer="random_normal", activation="relu", padding="same", strides=2,
          **REGULARIZED_TODAY)),
    (Conv1D, ANY, call(2, 3, atrous_rate=2, init="normal"),
     call(2, 3, dilation_rate=2, kernel_initializer="random_normal")),
    (Conv1D, ("0.3.3",), call(2, 3), call(filters=2, kernel_size=3, kernel_initializer="random_uniform")),
    (Conv1D, ANY[1:], call(2, 3), call(filters=2, kernel_size=3, kernel_initializer="glorot_uniform")),
    (Conv2D, (*OLD, *KERAS_2), call(2, 3, 4, **LAST), call(filters=2, kernel_size=(3, 4), **LAST)),
    (Conv2D, ("tf.keras", "3"), call(2, 3, 4), call(filters=2, kernel_size=3, strides=4)),
    (Conv2D, ANY, call(nb_filter=2, nb_row=3, nb_col=4, border_mode="same", subsample=(2, 1), dim_ordering="tf"),
     call(filters=2, kernel_size=(3, 4), padding="same", strides=(2, 1), **LAST)),
    (Conv2D, ANY, call(2, nb_row=3, nb_col=4, dim_ordering="th", bias=False, **REGULARIZED),
     call(filters=2, kernel_size=(3, 4), use_bias=False, **FIRST, **REGULARIZED_TODAY)),
    (Conv2D, OLD, call(2, 3, 4, "normal", "relu", None, "same", (2, 1), "tf"),
     call(filters=2, kernel_size=(3, 4), kernel_initializer="random_normal", activation="relu", padding="same",
          strides=(2, 1), **LAST)),
    (Conv2D, KERAS_2, call(2, (3, 4), strides=2), call(filters=2, kernel_size=(3, 4), strides=2)),
    (Conv2D, ("0.3.3",), call(2, 3, 4), call(filters=2, kernel_size=(3, 4), **FIRST)),
    (Conv2D, ANY[1:], call(nb_filter=2, kernel_size=(3, 4), dim_ordering="default"),
     call(filters=2, kernel_size=(3, 4), **LAST)),
    (Conv3D, (*OLD, *KERAS_2), call(2, 3, 4, 5, **LAST), call(filters=2, kernel_size=(3, 4, 5), **LAST)),
    (Conv3D, ANY, call(nb_filter=2, kernel_dim1=3, kernel_dim2=4, kernel_dim3=5, dim_ordering="th"),
     call(filters=2, kernel_size=(3, 4, 5), **FIRST)),
    (Conv2DTranspose, ANY, call(nb_filter=2, nb_row=3, nb_col=4, subsample=2, border_mode="same", dim_ordering="tf"),
     call(filters=2, kernel_size=(3, 4), strides=2, padding="same", **LAST)),
    (Conv2DTranspose, KERAS_2, call(2, 3, 4), call(filters=2, kernel_size=(3, 4))),
    (Deconvolution2D, OLD, call(2, 3, 4, (None, 7, 7, 2), dim_ordering="tf"),
     call(filters=2, kernel_size=(3, 4), output_shape=(None, 7, 7, 2), **LAST)),
    (Conv3DTranspose, (*KERAS_2, "tf.keras"), call(2, 3, 2, "valid", 1, "channels_first"),
     call(filters=2, kernel_size=3, strides=2, output_padding=1, **FIRST)),
    (Conv3DTranspose, ("3",), call(2, 3, 2, "valid", "channels_first", 1),
     call(filters=2, kernel_size=3, strides=2, output_padding=1, **FIRST)),
    (SeparableConv2D, ANY, call(nb_filter=2, nb_row=3, nb_col=4, init="normal", b_regularizer=L2, dim_ordering="tf"),
     call(filters=2, kernel_size=(3, 4), depthwise_initializer="random_normal", pointwise_initializer="random_normal",
          bias_regularizer=L2, **LAST)),
    (SeparableConv2D, OLD, call(2, 3, 4, "normal", "relu", None, "same", (2, 2), 2),
     call(filters=2, kernel_size=(3, 4), depthwise_initializer="random_normal", pointwise_initializer="random_normal",
          activation="relu", padding="same", strides=(2, 2), depth_multiplier=2)),
    (layers.SeparableConv1D, ANY, call(2, 3, data_format="channels_last"), call(2, 3)),
    (layers.DepthwiseConv2D, ("2.2.4", "2.3.1"), call((3, 4), (1, 1), "same", 2),
     call(kernel_size=(3, 4), padding="same", depth_multiplier=2)),
    (LocallyConnected1D, ANY, call(nb_filter=2, filter_length=3, subsample_length=2, **REGULARIZED),
     call(2, 3, strides=2, **REGULARIZED_TODAY)),
    (LocallyConnected2D, (*OLD, *KERAS_2), call(2, 3, 4), call(filters=2, kernel_size=(3, 4))),
    (LocallyConnected2D, ANY, call(nb_filter=2, nb_row=3, nb_col=4, dim_ordering="th"),
     call(filters=2, kernel_size=(3, 4), **FIRST)),
    *[(getattr(layers, f"{kind}Pooling1D"), ANY, call(pool_length=3, stride=2, border_mode="same"),
       call(3, 2, padding="same")) for kind in ("Max", "Average")],
    *[(getattr(layers, f"{kind}Pooling{rank}D"), ANY, call(pool_size=2, border_mode="same", dim_ordering="th"),
       call(2, padding="same", **FIRST)) for kind in ("Max", "Average") for rank in (2, 3)],
    *[(getattr(layers, f"AveragePooling{rank}D"), TO_TF, call(), call(pool_size=2)) for rank in (1, 2, 3)],
    (layers.MaxPooling2D, ANY, call(poolsize=(2, 2), ignore_border=True, **LAST), call((2, 2), **LAST)),
    (layers.MaxPooling2D, ("0.3.3",), call((2, 3)), call(pool_size=(2, 3), **FIRST)),
    *[(getattr(layers, f"Global{kind}Pooling{rank}D"), ANY, call(dim_ordering="th"), call(**FIRST))
      for kind in ("Max", "Average") for rank in (2, 3)],
    (layers.UpSampling1D, ANY, call(length=3), call(3)),
    *[(getattr(layers, name), ANY, call(dim_ordering="th"), call(**FIRST))
      for name in ("UpSampling2D", "UpSampling3D", "Cropping2D", "Cropping3D", "ZeroPadding2D", "ZeroPadding3D")],
    (layers.ZeroPadding1D, ANY, call({"left_pad": 1, "right_pad": 2}), call((1, 2))),
    (layers.ZeroPadding2D, ANY, call((1, 2, 3, 4)), call(((1, 2), (3, 4)))),
    (layers.ZeroPadding2D, ANY, call({"left_pad": 1}), call(((0, 0), (1, 0)))),
    (layers.ZeroPadding2D, ANY, call(pad=(1, 2)), call((1, 2))),
    # -- embeddings, activations, noise, normalization
    (Embedding, ANY, call(5, 3, init="normal", W_regularizer=L2, W_constraint="nonneg", input_length=4),
     call(5, 3, embeddings_initializer="random_normal", embeddings_regularizer=L2, embeddings_constraint="non_neg",
          input_shape=(4,))),
    (Embedding, OLD, call(5, 3, "normal", 4, None, None, None, True),
     call(5, 3, embeddings_initializer="random_normal", mask_zero=True, input_shape=(4,))),
    (Embedding, (*KERAS_2, "tf.keras"), call(5, 3, "normal", None, None, None, True, 4),
     call(5, 3, embeddings_initializer="random_normal", mask_zero=True, input_shape=(4,))),
    (layers.LeakyReLU, ANY, call(alpha=0.2), call(0.2)),
    (layers.PReLU, ANY, call(init="one"), call(alpha_initializer="ones")),
    (layers.PReLU, OLD, call("one", None, [1]), call(alpha_initializer="ones", shared_axes=[1])),
    (layers.GaussianNoise, ANY, call(sigma=0.5), call(0.5)),
    (layers.GaussianDropout, ANY, call(p=0.5), call(0.5)),
    (layers.AlphaDropout, ANY, call(p=0.5), call(0.5)),
    (layers.SpatialDropout1D, ANY, call(p=0.5), call(0.5)),
    (layers.SpatialDropout2D, ANY, call(p=0.5, dim_ordering="th"), call(0.5, "channels_first")),
    (layers.SpatialDropout3D, ANY, call(p=0.5, dim_ordering="tf"), call(0.5, "channels_last")),
    (BatchNormalization, ANY, call(beta_init="one", gamma_init="zero", mode=0),
     call(beta_initializer="ones", gamma_initializer="zeros")),
    (BatchNormalization, OLD, call(1e-2, 0, 1, 0.5), call(epsilon=1e-2, axis=1, momentum=0.5)),
    (BatchNormalization, ("0.3.3",), call(), call(epsilon=1e-6, momentum=0.9)),
    (BatchNormalization, ANY[1:], call(), call(epsilon=1e-3, momentum=0.99)),
    # -- recurrent
    *[(cls, ANY, call(output_dim=3, init="normal", inner_init="zero", W_regularizer=L2, U_regularizer=L2,
                      b_regularizer=L2, dropout_W=0.1, dropout_U=0.2, consume_less="mem", truncate_gradient=-1),
       call(3, kernel_initializer="random_normal", recurrent_initializer="zeros", kernel_regularizer=L2,
            recurrent_regularizer=L2, bias_regularizer=L2, dropout=0.1, recurrent_dropout=0.2))
      for cls in (SimpleRNN, LSTM, GRU)],
    (LSTM, ANY, call(3, inner_activation="tanh", forget_bias_init="zero", input_dim=2, input_length=4),
     call(3, recurrent_activation="tanh", unit_forget_bias=False, input_shape=(4, 2))),
    (LSTM, OLD, call(3, "normal", "zero", "zero", "relu", "sigmoid", L2, None, None, 0.1, 0.2),
     call(units=3, kernel_initializer="random_normal", recurrent_initializer="zeros", unit_forget_bias=False,
          activation="relu", recurrent_activation="sigmoid", kernel_regularizer=L2, dropout=0.1,
          recurrent_dropout=0.2)),
    (GRU, OLD, call(3, "normal", "zero", "relu", "sigmoid"),
     call(units=3, kernel_initializer="random_normal", recurrent_initializer="zeros", activation="relu",
          recurrent_activation="sigmoid")),
    (SimpleRNN, OLD, call(3, "normal", "zero", "relu"),
     call(units=3, kernel_initializer="random_normal", recurrent_initializer="zeros", activation="relu")),
    *[(cls, (*OLD, "2.0.8", "2.2.4"), call(3), call(units=3, recurrent_activation="hard_sigmoid"))
      for cls in (LSTM, GRU, layers.LSTMCell, layers.GRUCell)],
    *[(cls, ("2.3.1", "tf.keras", "3"), call(3), call(units=3, recurrent_activation="sigmoid"))
      for cls in (LSTM, GRU, layers.LSTMCell, layers.GRUCell)],
    *[(cls, (*OLD, *KERAS_2), call(3), call(units=3, reset_after=False)) for cls in (GRU, layers.GRUCell)],
    *[(cls, ("tf.keras", "3"), call(3), call(units=3, reset_after=True)) for cls in (GRU, layers.GRUCell)],
    *[(layers.ConvLSTM2D, ANY, call(nb_filter=2, nb_row=3, nb_col=4, inner_activation="tanh", border_mode="same",
                                    inner_init="zero", forget_bias_init="one", dim_ordering="tf"),
       call(filters=2, kernel_size=(3, 4), recurrent_activation="tanh", padding="same",
            recurrent_initializer="zeros", unit_forget_bias=True, **LAST))],
    *[(getattr(layers, f"ConvLSTM{rank}D"), TO_TF, call(filters=2, kernel_size=3),
       call(filters=2, kernel_size=3, recurrent_activation="hard_sigmoid")) for rank in (1, 2, 3)],
    (layers.Highway, ("0.3.3",), call("normal", -1, "relu", name="h"),
     call(init="normal", activation="relu", transform_bias=-1, name="h")),
    (optimizers.SGD, ANY, call(lr=0.5), call(0.5)),
    (optimizers.Adam, ANY, call(lr=0.5, decay=0.0), call(0.5)),
    (optimizers.Adam, ANY, call(epsilon=None), call(epsilon=1e-7)),
    (optimizers.SGD, (*OLD, "2.0.8", "2.2.4"), call(0.1, 0.9, 0.0, True), call(0.1, momentum=0.9, nesterov=True)),
    (optimizers.SGD, ("2.3.1", "tf.keras", "3"), call(0.1, 0.9, True), call(0.1, momentum=0.9, nesterov=True)),
    (optimizers.RMSprop, (*OLD, "2.0.8", "2.2.4"), call(0.1, 0.8, 1e-3), call(0.1, rho=0.8, epsilon=1e-3)),
    (optimizers.RMSprop, ("tf.keras", "3"), call(0.1, 0.8, 0.5), call(0.1, rho=0.8, momentum=0.5)),
    (optimizers.Adagrad, (*OLD, "2.0.8", "2.2.4"), call(0.1, 1e-3),
     call(0.1, initial_accumulator_value=0.0, epsilon=1e-3)),
    (optimizers.Adagrad, ("2.2.4", "2.3.1"), call(),
     call(learning_rate=0.01, initial_accumulator_value=0.0, epsilon=1e-7)),
    (optimizers.Adagrad, ("1.2.2", "2.0.8"), call(),
     call(learning_rate=0.01, initial_accumulator_value=0.0, epsilon=1e-8)),
    (optimizers.Adagrad, ("tf.keras", "3"), call(),
     call(learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7)),
    (optimizers.RMSprop, ("0.3.3",), call(), call(epsilon=1e-6)),
    (optimizers.Adadelta, ("2.2.4", "2.3.1"), call(), call(learning_rate=1.0)),
    (optimizers.Adadelta, ("1.2.2", "2.0.8"), call(), call(learning_rate=1.0, epsilon=1e-8)),
    (optimizers.Adadelta, ("2.2.4",), call(1.0, 0.9, 1e-3), call(1.0, rho=0.9, epsilon=1e-3)),
    (optimizers.Adamax, ("2.0.8",), call(), call(learning_rate=0.002, epsilon=1e-8)),
    (optimizers.Adamax, ("2.2.4",), call(0.1, 0.8, 0.9, 1e-3), call(0.1, 0.8, 0.9, epsilon=1e-3)),
    (optimizers.Nadam, ("2.3.1",), call(), call(learning_rate=0.002)),
    (optimizers.Nadam, ("1.2.2",), call(0.1, 0.8, 0.9, 1e-3, 0.004), call(0.1, 0.8, 0.9, epsilon=1e-3)),
    (optimizers.Adam, ("0.3.3", "1.2.2", "2.0.8"), call(), call(epsilon=1e-8)),
    (optimizers.Adam, ("2.2.4",), call(0.1, 0.8, 0.9, 1e-3, 0.0, True),
     call(0.1, 0.8, 0.9, epsilon=1e-3, amsgrad=True)),
    (optimizers.Adam, ("2.3.1",), call(0.1, 0.8, 0.9, True),
     call(learning_rate=0.1, beta_1=0.8, beta_2=0.9, amsgrad=True)),
    (optimizers.SGD, (*OLD, *KERAS_2), call(clipnorm=1.0), call(global_clipnorm=1.0)),
    (text.Tokenizer, ANY, call(nb_words=9), call(num_words=9)),
    (text.Tokenizer, ("2.3.1",), call(9, "", True, "_", False, "?", 3),
     call(9, "", True, "_", False, oov_token="?", document_count=3)),
    (callbacks.ReduceLROnPlateau, ANY, call(epsilon=0.5), call(min_delta=0.5)),
    (callbacks.BackupAndRestore, ("tf.keras",), call("a", 3, False, False),
     call("a", save_freq=3, delete_checkpoint=False)),
    (callbacks.BackupAndRestore, ("3",), call("a", 3, False), call("a", save_freq=3, double_checkpoint=False)),
    (callbacks.ModelCheckpoint, ANY, call("a.h5", period=1), call("a.h5", save_freq="epoch")),
    (callbacks.TensorBoard, ("1.2.2",), call("a", 2, False, True),
     call("a", histogram_freq=2, write_graph=False, write_images=True)),
    (callbacks.TensorBoard, ("2.3.1",), call("a", 2, 32, False, False, True, 3),
     call("a", histogram_freq=2, write_graph=False, write_images=True, embeddings_freq=3)),
    (callbacks.TensorBoard, ("1.2.2", "2.3.1"), call(), call(log_dir="./logs")),
    (regularizers.L1, ANY, call(l=0.5), call(0.5)),
    (regularizers.L2, ANY, call(l=0.5), call(0.5)),
    (regularizers.l1_l2, ("0.3.3", *KERAS_1, *KERAS_2, "tf.keras"), call(), call(0.01, 0.01)),
    (regularizers.l1_l2, ("3",), call(), call(0.0, 0.0)),
    (regularizers.l1_l2, KERAS_2, call(l1=0.5), call(0.5, 0.01)),
    (constraints.MaxNorm, ANY, call(m=3), call(3)),
    (constraints.MinMaxNorm, ANY, call(low=0.5, high=2.0), call(0.5, 2.0)),
    (initializers.Orthogonal, OLD, call(), call(1.1)),
    (initializers.Orthogonal, ("3",), call(scale=1.2), call(1.2)),
    (initializers.RandomNormal, ANY, call(scale=0.2), call(stddev=0.2)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "version", "old", "new"),
    [pytest.param(c, v, o, n, id=f"{c.__name__}-{i}-{v}") for i, (c, vs, o, n) in enumerate(SAME) for v in vs],
)
def test_same_config(cls, version, old, new, dialect):
    dialect(version)
    made = []
    for args, kwargs in (old, new):
        names.reset()
        made.append(cls(*args, **kwargs))
    first, second = made
    assert config(first) == config(second)
    assert getattr(first, "batch_shape", None) == getattr(second, "batch_shape", None)


def config(thing):
    if hasattr(thing, "get_config"):
        return thing.get_config()
    return {key: value for key, value in vars(thing).items() if not key.startswith("_") and key != "model"}


def test_every_class_with_rows_has_a_case():
    from kshim.legacy import arguments

    tested = {c.__name__ for c, *_ in SAME} | {
        "Layer", "Optimizer", "Model", "Lambda", "RNN", "EarlyStopping", "ModelCheckpoint", "LambdaCallback",
        "ProgbarLogger", "DTypePolicy", "LossScaleOptimizer",  # the last two: test_old_mixed_precision.py
    }  # fmt: skip
    keys = {key.split(".")[1] for key in arguments.ROWS if key.count(".") == 1 and key not in arguments.FUNCTIONS}
    assert keys <= tested


def test_units_twice_is_input_dim():
    with pytest.warns(
        UserWarning, match=r"Dense\(32, units=784\) gives `units` twice: Keras itself raises a TypeError"
    ):
        layer = Dense(32, units=784)
    assert layer.units == 32 and layer.batch_shape == (None, 784)
    with pytest.raises(TypeError, match=r"got several values for `units`\. Received: 32 by position and units=784"):
        Dense(32, units=784, input_dim=3)


def test_the_warning_points_at_the_call():
    with pytest.warns(UserWarning) as caught:
        Dense(32, units=784)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(output_dim=3, units=4), "got both `output_dim`, an older name, and `units`, the name today. "
         "Received: output_dim=3, units=4. Keep `units`"),
        (lambda: Dense(3, init="zero", kernel_initializer="ones"), "got both `init`"),
        (lambda: optimizers.SGD(0.1, lr=0.2), "got both `lr`, an older name, and `learning_rate`"),
        (lambda: Dense(3, input_dim=3, input_length=4, input_shape=(4, 3)),
         "got both `input_dim` and `input_length`, older names, and `input_shape`"),
        (lambda: Dense(3, batch_input_shape=(2, 3), batch_shape=(2, 3)), "got both `batch_input_shape`"),
        (lambda: SeparableConv2D(2, 3, init="zero", pointwise_initializer="ones"),
         "got both `init`, an older name, and `pointwise_initializer`, which takes its value today"),
        (lambda: Conv2D(2, 3, nb_row=3, nb_col=3), "got both `nb_row` and `nb_col`, older names, and `kernel_size`"),
    ],
)  # fmt: skip
def test_both_names(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchNormalization(mode=1), r"has no `mode`\. Received: mode=1\. Mode 1 normalized each sample: take"),
        (lambda: Embedding(3, 2, dropout=0.5), r"has no `dropout`\. Received: dropout=0\.5\. It dropped whole words"),
        (lambda: Embedding(3, 2, sparse=True), r"has no `sparse`\. Received: sparse=True\. kshim's gradient"),
        (lambda: LSTM(3, time_major=True), r"has no `time_major`\. Received: time_major=True\. Put Permute"),
        (lambda: LSTM(3, truncate_gradient=5), r"has no `truncate_gradient`\. Received: truncate_gradient=5"),
        (
            lambda: LSTM(3, forget_bias_init="normal"),
            "gate's bias to begin at zero or one. Received: forget_bias_init=",
        ),
        (
            lambda: layers.MaxPooling2D(2, ignore_border=False),
            r"has no `ignore_border`\. Received: ignore_border=False",
        ),
        (lambda: BatchNormalization(virtual_batch_size=4), r"has no `virtual_batch_size`\. .* Split the batch"),
        (lambda: BatchNormalization(adjustment=abs), r"has no `adjustment`\. .* Scale and shift"),
        (lambda: Dense(3, input_dtype="int32"), r"has no `input_dtype`. Received: input_dtype='int32'. Put an Input"),
        (
            lambda: callbacks.BackupAndRestore("a", save_before_preemption=True),
            "Give save_freq a number of batches",
        ),
        (
            lambda: callbacks.TensorBoard("a", write_grads=True),
            "has no `write_grads`. Received: write_grads=True. Write the gradients",
        ),
    ],
)
def test_what_is_gone_says_so(make, message):
    with pytest.raises(NotImplementedError, match=message):
        make()


def test_wrong_calls_fail_as_before():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'units'"):
        Dense()
    with pytest.raises(ValueError, match="Unrecognized keyword arguments"):
        Dense(3, nonsense=1)


@pytest.mark.parametrize("version", ANY)
def test_a_config_reads_back_in_every_dialect(version, dialect):
    dialect(version)
    for thing in (Dense(3, activation="relu", name="d"), optimizers.Adagrad(), optimizers.SGD(clipnorm=1.0),
                  optimizers.Adam(), regularizers.l1_l2(), layers.InputLayer((3,), name="i")):  # fmt: skip
        assert type(thing).from_config(thing.get_config()).get_config() == thing.get_config()


def test_users_own_classes_are_left_alone(dialect):
    dialect("1.2.2")

    class Scale(layers.Layer):
        def __init__(self, init, p=2, output_dim=None, **kwargs):
            self.init, self.p, self.output_dim = init, p, output_dim
            super().__init__(**kwargs)

    layer = Scale("x", p=3, output_dim=4, batch_input_shape=(None, 2))
    assert (layer.init, layer.p, layer.output_dim, layer.batch_shape) == ("x", 3, 4, (None, 2))

    class Mine(Dense):
        def __init__(self, **kwargs):
            super().__init__(output_dim=3, init="zero", **kwargs)

    assert Mine(bias=False).get_config()["use_bias"] is False


def weights_of(build):
    layer = type("Own", (layers.Layer,), {"build": build, "call": lambda self, x: x})()
    layer.build((None, 3))
    return [(w.name, tuple(w.shape), K.dtype(w), float(w.detach().sum())) for w in layer.weights]


@pytest.mark.parametrize(
    ("version", "args", "kwargs", "expected"),
    [
        ("1.2.2", ((2,), "one", "w"), {}, ("w", (2,), "float32", 2)),
        ("3", ((2,), "ones"), {"name": "w"}, ("w", (2,), "float32", 2)),
        ("3", ((2,), "ones", "float64"), {}, ("variable", (2,), "float64", 2)),
        ("2.2.4", ((2,), "w"), {"initializer": "ones"}, ("w", (2,), "float32", 2)),
        ("2.2.4", (None, (2,)), {"initializer": "ones"}, ("variable", (2,), "float32", 2)),
        *[(v, ("w", (2,), "float64", "one"), {}, ("w", (2,), "float64", 2)) for v in ANY],
        *[(v, ("w",), {"shape": (2,), "initializer": "zero"}, ("w", (2,), "float32", 0)) for v in ANY],
        *[(v, ((2,),), {"initializer": lambda shape, name=None: torch.ones(shape), "name": "w"},
           ("w", (2,), "float32", 2)) for v in ANY],
        ("2.0.8", ("w", (2,)), {"initializer": lambda shape: np.ones(shape)}, ("w", (2,), "float32", 2)),
    ],
)  # fmt: skip
def test_add_weight_orders(version, args, kwargs, expected, dialect):
    dialect(version)
    assert weights_of(lambda self, shape: self.add_weight(*args, **kwargs)) == [expected]


@pytest.mark.parametrize(
    ("version", "args", "shape", "dtype"),
    [
        *[(v, ((3,), (2, 3)), None, None) for v in ()],
        *[(v, (None, (2, 3)), (2, 3), "float32") for v in ANY],
        ("2.2.4", ((3,), None, "x", "int32"), (None, 3), "int32"),
        ("tf.keras", ((3,), 2, "x", "int32"), (2, 3), "int32"),
        ("3", ((3,), 2, "int32"), (2, 3), "int32"),
    ],
)
def test_input_orders(version, args, shape, dtype, dialect):
    dialect(version)
    tensor = layers.Input(*args)
    assert (tensor.shape, tensor.dtype) == (shape, dtype)
    assert layers.Input is kshim.Input and Input(shape=(3,), input_dtype="int32").dtype == "int32"


def test_decay():
    optimizer = optimizers.SGD(lr=0.1, decay=0.5, momentum=0.9, nesterov=True)
    rates = []
    for step in range(3):
        optimizer.iterations.assign(step)
        rates.append(round(optimizer._current_rate(), 6))
        assert float(optimizer.lr) == pytest.approx(0.1)  # the rate before the decay, which may be set
    assert rates == [0.1, round(0.1 / 1.5, 6), 0.05]
    schedule = optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5)
    with pytest.raises(TypeError, match=r"Expected `decay` with a number as learning rate\. Received: decay=0\.5"):
        optimizers.SGD(schedule, decay=0.5)


def test_lr_attribute():
    optimizer = optimizers.Adam(lr=0.5)
    assert K.get_value(optimizer.lr) == 0.5
    K.set_value(optimizer.lr, 0.25)
    assert float(optimizer.learning_rate) == 0.25
    optimizer.lr = 0.125
    assert float(optimizer.learning_rate) == 0.125


def test_callback_positions(dialect):
    dialect("0.3.3")
    stopping = callbacks.EarlyStopping("loss", 3, 1)
    assert (stopping.monitor, stopping.patience, stopping.verbose) == ("loss", 3, 1)
    assert callbacks.ModelCheckpoint("a.h5", "loss", 1, True, "min").save_weights_only is True
    dialect("2.2.4")
    saving = callbacks.ModelCheckpoint("a.h5", "loss", 0, True, True, "min", 1)
    assert (saving.save_best_only, saving.save_weights_only, saving.mode, saving.save_freq) == (
        True,
        True,
        "min",
        "epoch",
    )
    heard = []
    callback = callbacks.LambdaCallback(None, None, lambda batch, logs: heard.append(batch))
    callback.on_train_batch_begin(7)
    assert heard == [7]


# -- functions ---------------------------------------------------------------------------------------------------


def test_crossentropy_order_of_keras_1(dialect):
    target, output = np.array([[0.0, 1.0]]), np.array([[0.3, 0.7]])
    expected = K.categorical_crossentropy(target, output)
    dialect("1.2.2")
    assert K.categorical_crossentropy(output, target) == expected
    assert K.categorical_crossentropy(target=target, output=output) == expected
    assert K.binary_crossentropy(output, target)[0, 1] == pytest.approx(-np.log(0.7))


def test_to_categorical(dialect):
    for version, dtype in (("1.2.2", "float64"), ("2.0.8", "float64"), ("2.2.4", "float32"), ("tf.keras", "float32"),
                           ("3", "float64")):  # fmt: skip
        dialect(version)
        rows = kshim.utils.to_categorical(np.array([[0], [2]]), nb_classes=4)
        assert rows.dtype == dtype and rows.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
        nested = kshim.utils.to_categorical([[0, 1], [1, 0]])
        assert nested.shape == ((4, 2) if version in ("1.2.2", "2.0.8") else (2, 2, 2))
    assert kshim.utils.to_categorical(y=[1], num_classes=2, dtype="int32").dtype == "int32"


def test_hard_sigmoid(dialect):
    dialect("2.3.1")
    activation = kshim.activations.get("hard_sigmoid")
    assert float(activation(1.0)) == pytest.approx(0.7) and float(K.hard_sigmoid(np.array(-9.0))) == 0
    dialect("3")
    assert float(activation(1.0)) == pytest.approx(1 / 6 + 0.5)
    assert kshim.activations.serialize(activation) == "hard_sigmoid"


def test_other_functions():
    assert K.expand_dims(np.zeros((2, 3)), dim=1).shape == (2, 1, 3)
    assert K.random_normal((2,), std=0.0).tolist() == [0, 0]
    assert float(kshim.activations.relu(np.array(-1.0), alpha=0.5)) == -0.5
    assert regularizers.get("l1l2").l1 == 0 and constraints.get("unitnorm").axis == 0
    assert kshim.utils.normalize(a=np.array([3.0, 4.0])).tolist() == [[0.6, 0.8]]


# -- models ------------------------------------------------------------------------------------------------------


class Heard:
    """Calls of ``Trainer``'s methods as they arrive, by today's names."""

    def __init__(self, method, cls=None):
        self.method, self.cls = method, cls or kshim.Model

    def __call__(self, *args, **kwargs):
        from kshim.legacy import translate

        args, kwargs = translate.method(self.cls, self.method, args, kwargs)
        order = [p for p in translate.inspect.signature(getattr(self.cls, self.method)).parameters if p != "self"]
        return dict(zip(order, args, strict=False)) | kwargs


METRICS = (["acc"], "acc", ["mae", lambda y, p: p], {"out": "acc"})


@pytest.mark.parametrize("version", ANY[1:])
@pytest.mark.parametrize("metrics", METRICS, ids=("list", "name", "function", "dict"))
def test_third_positional_of_compile_is_metrics_where_it_can_only_be(version, metrics, dialect):
    dialect(version)
    heard = Heard("compile")("sgd", "mse", metrics)
    assert "loss_weights" not in heard and list(heard) == ["optimizer", "loss", "metrics"]


@pytest.mark.parametrize("version", ANY[1:])
def test_numbers_are_loss_weights(version, dialect):
    dialect(version)
    heard = Heard("compile")("sgd", "mse", [1.0, 0.5], ["acc"])
    assert heard["loss_weights"] == [1.0, 0.5] and heard["metrics"] == ["acc"]
    heard = Heard("compile")("sgd", "mse", ["acc"], [1.0, 0.5])
    assert heard["loss_weights"] == [1.0, 0.5] and heard["metrics"] == ["acc"]
    heard = Heard("compile")("sgd", "mse", None, ["acc"])
    assert heard["metrics"] == ["acc"] and not heard.get("loss_weights")


def test_metric_names_of_the_time(dialect):
    metrics = ["accuracy", "mse", len]
    dialect("2.2.4")
    assert Heard("compile")("sgd", "mse", metrics=metrics)["metrics"] == ["acc", "mean_squared_error", len]
    dialect("2.3.1")
    assert Heard("compile")("sgd", "mse", metrics=metrics)["metrics"] == metrics


def test_fit(dialect):
    assert Heard("fit")(1, 2, nb_epoch=3) == {"x": 1, "y": 2, "epochs": 3}
    assert Heard("fit")(X=1, y=2) == {"x": 1, "y": 2}
    with pytest.raises(TypeError, match="got both `nb_epoch`"):
        Heard("fit")(1, 2, nb_epoch=3, epochs=4)
    with pytest.raises(NotImplementedError, match=r"has no `show_accuracy`\. .* Ask for it in compile"):
        Heard("fit")(1, 2, show_accuracy=True)
    for version, cls, epochs in (("0.3.3", kshim.Model, 100), ("1.2.2", kshim.Model, 10), ("2.0.8", kshim.Model, None),
                                 ("2.0.8", kshim.Sequential, 10), ("2.2.4", kshim.Sequential, None)):  # fmt: skip
        dialect(version)
        assert Heard("fit", cls)(1, 2).get("epochs") == epochs
    dialect("0.3.3")
    assert Heard("fit")(1, 2)["batch_size"] == 128
    heard = Heard("fit")(1, 2, 64, 5, 0, [], 0.1, None, True, False, {0: 1.0})
    assert (heard["batch_size"], heard["epochs"], heard["class_weight"]) == (64, 5, {0: 1.0})


def test_evaluate_predict_and_batches(dialect):
    assert Heard("train_on_batch")(1, 2, 3)["sample_weight"] == 3
    dialect("1.2.2")
    assert Heard("predict")(1) == {"x": 1, "verbose": 0}
    assert Heard("train_on_batch", kshim.Sequential)(1, 2, 3)["class_weight"] == 3
    assert Heard("train_on_batch")(1, 2, 3)["sample_weight"] == 3
    dialect("2.3.1")
    heard = Heard("train_on_batch")(1, 2, 3, None, True)
    assert heard == {"x": 1, "y": 2, "sample_weight": 3, "class_weight": None, "reset_metrics": True}
    assert Heard("test_on_batch")(1, 2, reset_metrics=False)["reset_metrics"] is False
    dialect("0.3.3")
    assert Heard("evaluate")(1, 2, 64, False, 0) == {"x": 1, "y": 2, "batch_size": 64, "verbose": 0}


def test_compile_leftovers():
    compile = Heard("compile")
    for mode in (None, "temporal"):  # weights of two axes say the same
        assert "sample_weight_mode" not in compile("sgd", "mse", sample_weight_mode=mode)
    with pytest.raises(
        NotImplementedError, match=r"has no `sample_weight_mode`\. Received: sample_weight_mode='spatial'"
    ):
        compile("sgd", "mse", sample_weight_mode="spatial")
    with pytest.warns(UserWarning, match="ignores `class_mode`"):
        compile("sgd", "mse", class_mode="binary")


@pytest.mark.parametrize("version", ANY[1:])
def test_a_keras_1_script_trains(version, dialect):
    dialect(version)
    x, y = np.random.rand(64, 5).astype("float32"), np.random.randint(0, 2, (64, 1))
    inputs = layers.Input(shape=(5,))
    hidden = Dense(output_dim=8, init="uniform", activation="relu", W_regularizer=regularizers.l2(0.01))(inputs)
    model = kshim.Model(input=inputs, output=Dense(output_dim=1, activation="sigmoid")(hidden))
    model.compile(optimizers.SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True), "binary_crossentropy", ["accuracy"])
    history = model.fit(x, y, nb_epoch=2, batch_size=16, verbose=0).history
    assert len(history["acc"]) == 2 and history["acc"] == history["accuracy"]
    assert ("acc" in list(history)) == (version in ("1.2.2", "2.0.8", "2.2.4"))
    assert len(model.evaluate(x, y, verbose=0)) == 2 and model.predict(x, verbose=0).shape == (64, 1)

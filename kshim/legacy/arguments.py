"""Calls as older Keras spelled them, by today's name. Data only; ``translate`` reads it.

A key is today's place: ``layers.Dense`` (a class), ``models.Model.fit`` (a method), ``backend.expand_dims`` (a
function). A class also obeys the names, not the positions and defaults, in the rows of its bases. A row without
``since`` and ``until`` holds in every dialect: it says what only one meaning was ever given to. Rows with them hold
in the dialects of that range, both ends included.

Source: ``keras/legacy/interfaces.py`` of Keras 2.3.1, and the signatures of 0.3.3, 1.2.2, 2.0.8, 2.2.4, 2.3.1 and 3.15.
"""

from kshim.core import settings
from kshim.legacy import callbacks, values
from kshim.legacy.layer_arguments import LAYERS, LAYOUT
from kshim.legacy.row import Gone, Joined, Row, When, are_names, are_numbers, is_bool, is_shape, is_text
from kshim.training.data.steps import Rows

# -- shared parts ------------------------------------------------------------------------------------------------

EPSILON = {"epsilon": {None: settings.epsilon}}  # 2.1.3 to 2.3.1 wrote None for the fuzz factor
QUEUE = {"max_q_size": "max_queue_size", "nb_worker": "workers", "pickle_safe": "use_multiprocessing"}
ACCURACY = Gone((None, False), "Ask for it in compile(metrics=['accuracy']).")
BACKEND = Gone((None,), "It was handed to Theano or TensorFlow; PyTorch has no use for it.", True)

# -- models ------------------------------------------------------------------------------------------------------

COMPILE = {
    "2": ("optimizer", "loss", "metrics", "loss_weights", "sample_weight_mode", "weighted_metrics", "target_tensors"),
    "tf.keras": ("optimizer", "loss", "metrics", "loss_weights", "weighted_metrics", "run_eagerly",
                 "steps_per_execution", "jit_compile"),
    "3": ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution",
          "jit_compile", "auto_scale_loss"),
}  # fmt: skip

MODELS = {
    "models.Model": (Row(renamed={"input": "inputs", "output": "outputs"}),),
    "models.Sequential.compile": (
        Row(
            since="1.2.2", until="2.0.8",
            positions=("optimizer", "loss", "metrics", "sample_weight_mode", "weighted_metrics"),
        ),
    ),
    "models.Model.compile": (
        Row(until="0.3.3", positions=("optimizer", "loss", "class_mode", "sample_weight_mode")),
        Row(positions=COMPILE["3"], when=When(2, are_numbers)),
        Row(positions=COMPILE["3"], when=When(3, are_names)),
        Row(until="2.3.1", positions=COMPILE["2"]),
        Row(since="tf.keras", until="tf.keras", positions=COMPILE["tf.keras"]),
        Row(positions=COMPILE["2"], when=When(2, are_names)),
        Row(until="2.2.4", values={"metrics": values.metric_keys, "weighted_metrics": values.metric_keys}),
        Row(
            gone={
                "class_mode": Gone((None,), "Keras took the accuracy from the output's width.", True),
                "sample_weight_mode": Gone((None, "temporal"), "Pass sample_weight with one weight for each timestep."),
                "target_tensors": Gone((None,), "Pass the targets to fit()."),
                "distribute": Gone((None,), "Run with torchrun, or wrap the model in torch's DDP."),
                "theano_mode": BACKEND, "mode": BACKEND,
            },
        ),
    ),
    "models.Sequential.fit": (Row(since="2.0.8", until="2.0.8", defaults={"epochs": 10}),),
    "models.Model.fit": (
        Row(
            until="0.3.3",
            positions=("x", "y", "batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data",
                       "shuffle", "show_accuracy", "class_weight", "sample_weight"),
            defaults={"batch_size": 128, "epochs": 100},
        ),
        Row(since="1.2.2", until="1.2.2", defaults={"epochs": 10}),
        Row(renamed={"nb_epoch": "epochs", "X": "x"}, gone={"show_accuracy": ACCURACY}),
    ),
    "models.Model.evaluate": (
        Row(
            until="0.3.3",
            positions=("x", "y", "batch_size", "show_accuracy", "verbose", "sample_weight"),
            defaults={"batch_size": 128},
        ),
        Row(renamed={"X": "x"}, gone={"show_accuracy": ACCURACY}),
    ),
    "models.Model.predict": (
        Row(until="0.3.3", defaults={"batch_size": 128}),
        Row(until="2.3.1", defaults={"verbose": 0}),
        Row(renamed={"X": "x"}),
    ),
    "models.Sequential.train_on_batch": (
        Row(until="0.3.3", positions=("x", "y", "accuracy", "class_weight", "sample_weight")),
        Row(since="1.2.2", until="2.0.8", positions=("x", "y", "class_weight", "sample_weight")),
    ),
    "models.Model.train_on_batch": (
        Row(
            since="2.3.1", until="tf.keras",
            positions=("x", "y", "sample_weight", "class_weight", "reset_metrics", "return_dict"),
        ),
        Row(renamed={"X": "x"}, gone={"accuracy": ACCURACY}),
    ),
    "models.Model.test_on_batch": (
        Row(until="0.3.3", positions=("x", "y", "accuracy", "sample_weight")),
        Row(
            since="2.3.1", until="tf.keras",
            positions=("x", "y", "sample_weight", "reset_metrics", "return_dict"),
        ),
        Row(renamed={"X": "x"}, gone={"accuracy": ACCURACY}),
    ),
    "models.Model.predict_on_batch": (Row(renamed={"X": "x"}),),
    "models.Model.fit_generator": (
        Row(
            until="0.3.3",
            positions=("generator", "samples_per_epoch", "nb_epoch", "verbose", "show_accuracy", "callbacks",
                       "validation_data", "nb_val_samples", "class_weight", "nb_worker", "nb_val_worker"),
        ),
        Row(
            since="1.2.2", until="1.2.2",
            positions=("generator", "samples_per_epoch", "nb_epoch", "verbose", "callbacks", "validation_data",
                       "nb_val_samples", "class_weight", "max_q_size", "nb_worker", "pickle_safe", "initial_epoch"),
        ),
        Row(
            since="2.0.8", until="2.2.4",
            positions=("generator", "steps_per_epoch", "epochs", "verbose", "callbacks", "validation_data",
                       "validation_steps", "class_weight", "max_queue_size", "workers", "use_multiprocessing",
                       "shuffle", "initial_epoch"),
        ),
        Row(
            renamed={"nb_epoch": "epochs", **QUEUE},
            joined={"steps_per_epoch": Joined(("samples_per_epoch",), Rows),
                    "validation_steps": Joined(("nb_val_samples",), values.rows_or_none)},
            gone={"show_accuracy": ACCURACY,
                  "nb_val_worker": Gone((None,), "It said how batches are fetched, never what they are.", True)},
        ),
    ),
    **{
        f"models.Model.{name}": (
            Row(until="0.3.3", positions=("generator", "val_samples", "show_accuracy", "verbose")),
            Row(
                since="1.2.2", until="1.2.2",
                positions=("generator", "val_samples", "max_q_size", "nb_worker", "pickle_safe"),
            ),
            Row(
                since="2.0.8", until="2.2.4",
                positions=("generator", "steps", "max_queue_size", "workers", "use_multiprocessing", "verbose"),
            ),
            Row(renamed=QUEUE, joined={"steps": Joined(("val_samples",), Rows)}, gone={"show_accuracy": ACCURACY}),
        )
        for name in ("evaluate_generator", "predict_generator")
    },
    **{
        f"models.Sequential.{name}": (
            Row(until="0.3.3", defaults={"batch_size": 128}),
            Row(until="2.0.8", defaults={"verbose": 1}),
            Row(renamed={"X": "x"}),
        )
        for name in ("predict_classes", "predict_proba")
    },
}  # fmt: skip

# -- optimizers --------------------------------------------------------------------------------------------------

FIXED_SCALE = "A fixed scale is the optimizer's: Adam(loss_scale_factor=1024.0)."

OPTIMIZERS = {
    "optimizers.Optimizer": (
        Row(
            renamed={"lr": "learning_rate"},
            joined={"learning_rate": Joined(("learning_rate", "decay"), values.rate_with_decay)},
            gone={"jit_compile": Gone((None, True, False)), "is_legacy_optimizer": Gone((None, True, False))},
        ),
        Row(until="2.3.1", renamed={"clipnorm": "global_clipnorm"}),  # one norm over all gradients
    ),
    "optimizers.SGD": (Row(until="2.2.4", positions=("learning_rate", "momentum", "decay", "nesterov")),),
    "optimizers.RMSprop": (
        Row(until="2.2.4", positions=("learning_rate", "rho", "epsilon", "decay")),
        Row(until="0.3.3", defaults={"epsilon": 1e-6}),
        Row(since="1.2.2", until="2.0.8", defaults={"epsilon": 1e-8}),
        Row(values=EPSILON),
    ),
    "optimizers.Adagrad": (
        Row(until="2.2.4", positions=("learning_rate", "epsilon", "decay")),
        Row(until="0.3.3", defaults={"epsilon": 1e-6}),
        Row(since="1.2.2", until="2.0.8", defaults={"epsilon": 1e-8}),
        Row(until="2.3.1", defaults={"learning_rate": 0.01, "initial_accumulator_value": 0.0}),
        Row(values=EPSILON),
    ),
    "optimizers.Adadelta": (
        Row(until="2.2.4", positions=("learning_rate", "rho", "epsilon", "decay")),
        Row(until="2.0.8", defaults={"epsilon": 1e-8}),
        Row(until="2.3.1", defaults={"learning_rate": 1.0}),
        Row(values=EPSILON),
    ),
    **{
        f"optimizers.{name}": (
            Row(until="2.2.4", positions=("learning_rate", "beta_1", "beta_2", "epsilon", last)),
            Row(until="2.0.8", defaults={"epsilon": 1e-8}),
            Row(until="2.3.1", defaults={"learning_rate": 0.002}),
            Row(values=EPSILON, gone={"schedule_decay": Gone((None, 0.004), "It is 0.004 up to 2.3.1.")}),
        )
        for name, last in (("Adamax", "decay"), ("Nadam", "schedule_decay"))
    },
    "optimizers.Adam": (
        Row(until="2.0.8", positions=("learning_rate", "beta_1", "beta_2", "epsilon", "decay"),
            defaults={"epsilon": 1e-8}),
        Row(since="2.2.4", until="2.2.4",
            positions=("learning_rate", "beta_1", "beta_2", "epsilon", "decay", "amsgrad")),
        Row(since="2.3.1", until="2.3.1", positions=("learning_rate", "beta_1", "beta_2", "amsgrad")),
        Row(values=EPSILON),
    ),
    "optimizers.LossScaleOptimizer": (
        Row(positions=("inner_optimizer", "loss_scale"), when=When(1, is_text)),
        Row(positions=("inner_optimizer", "dynamic", "initial_scale", "dynamic_growth_steps"), when=When(1, is_bool)),
        Row(
            renamed={"optimizer": "inner_optimizer"},
            values={"initial_scale": {None: 2.0**15}, "dynamic_growth_steps": {None: 2000}},
            gone={"loss_scale": Gone((None, "dynamic"), FIXED_SCALE)},
        ),
    ),
    "dtype_policies.DTypePolicy": (
        Row(gone={"loss_scale": Gone((None, "auto", "dynamic"), FIXED_SCALE)}),
    ),
}  # fmt: skip

METRICS = {
    "metrics.Metric.add_variable": (
        Row(
            since="tf.keras", until="tf.keras", when=When(0, is_text),
            positions=("name", "shape", "aggregation", "synchronization", "initializer", "dtype"),
        ),
        Row(positions=("name", "shape", "initializer", "dtype"), when=When(0, is_text)),
        Row(gone={"synchronization": Gone((None, "auto", "on_read"))}),
    ),
}  # fmt: skip

# -- preprocessing -----------------------------------------------------------------------------------------------

_TOKENIZER = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")

PREPROCESSING = {
    "preprocessing.Tokenizer": (
        Row(until="2.0.8", positions=_TOKENIZER[:5]),
        Row(since="2.2.4", until="2.3.1", positions=_TOKENIZER),
        Row(renamed={"nb_words": "num_words"}),
    ),
}

# -- callbacks ---------------------------------------------------------------------------------------------------

CALLBACKS = {
    "callbacks.BackupAndRestore": (
        Row(
            since="tf.keras", until="tf.keras",
            positions=("backup_dir", "save_freq", "delete_checkpoint", "save_before_preemption"),
        ),
        Row(gone={
            "save_before_preemption": Gone(
                (None, False), "It was for TensorFlow's clusters. Give save_freq a number of batches: a run may be "
                "killed at any moment.",
            ),
        }),
    ),
    "callbacks.EarlyStopping": (Row(until="0.3.3", positions=("monitor", "patience", "verbose", "mode")),),
    "callbacks.ModelCheckpoint": (
        Row(
            until="0.3.3", positions=("filepath", "monitor", "verbose", "save_best_only", "mode"),
            defaults={"save_weights_only": True},
        ),
        Row(
            since="1.2.2", until="2.3.1",
            positions=("filepath", "monitor", "verbose", "save_best_only", "save_weights_only", "mode", "period"),
        ),
        Row(
            joined={"save_freq": Joined(("period",), callbacks.every_epochs)},
            gone={"options": Gone((None,), "It was TensorFlow's.")},
        ),
    ),
    "callbacks.LambdaCallback": (
        Row(
            until="tf.keras",
            positions=("on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_begin",
                       "on_train_end"),
        ),
    ),
    "callbacks.ReduceLROnPlateau": (Row(renamed={"epsilon": "min_delta"}),),
    "callbacks.TensorBoard": (
        Row(
            since="1.2.2", until="1.2.2", positions=("log_dir", "histogram_freq", "write_graph", "write_images"),
        ),
        Row(
            since="2.0.8", until="2.3.1",
            positions=("log_dir", "histogram_freq", "batch_size", "write_graph", "write_grads", "write_images",
                       "embeddings_freq", "embeddings_layer_names", "embeddings_metadata", "embeddings_data",
                       "update_freq"),
        ),
        Row(until="2.3.1", defaults={"log_dir": "./logs"}),
        Row(gone={
            "batch_size": Gone((None, 32), "Histograms are of the weights, which need no data.", ignored=True),
            "write_grads": Gone((None, False), "Write the gradients in a train_step of your own."),
            "embeddings_layer_names": Gone((None,), "All Embedding layers are written."),
            "embeddings_data": Gone((None,), "Embedding layers' weights are written as they are."),
        }),
    ),
    "callbacks.ProgbarLogger": (
        Row(gone={"count_mode": Gone((None, "steps"), "The bar counts batches."), "stateful_metrics": Gone()}),
    ),
}  # fmt: skip

# -- initializers, regularizers, constraints ---------------------------------------------------------------------

SMALL = {
    "initializers.Orthogonal": (Row(until="1.2.2", defaults={"gain": 1.1}), Row(renamed={"scale": "gain"})),
    "initializers.RandomNormal": (Row(renamed={"scale": "stddev"}),),
    "regularizers.L1": (Row(renamed={"l": "l1"}),),
    "regularizers.L2": (Row(renamed={"l": "l2"}),),
    "constraints.MaxNorm": (Row(renamed={"m": "max_value"}),),
    "constraints.MinMaxNorm": (Row(renamed={"low": "min_value", "high": "max_value"}),),
}

# -- functions ---------------------------------------------------------------------------------------------------

OUTPUT_FIRST = (Row(until="1.2.2", positions=("output", "target", "from_logits")),)

# K's functions of images: Keras 1's names; its shapes were hints for Theano.
_ORDER = {"border_mode": "padding", **LAYOUT}
_HINTS = {name: Gone((None,), "It was a hint for Theano, which never changed a number.", True)
          for name in ("image_shape", "filter_shape", "volume_shape")}  # fmt: skip
_FORMATS = {"data_format": {"th": "channels_first", "tf": "channels_last", "default": None}}
_IMAGE = Row(renamed=_ORDER, gone=_HINTS, values=_FORMATS)
_PLACED = Row(renamed=LAYOUT, values=_FORMATS)
_THEANO = Row(until="0.3.3", defaults={"data_format": "channels_first"})
_CONV2D = ("x", "kernel", "strides", "padding", "data_format", "image_shape", "filter_shape", "filter_dilation")
FUNCTIONS = {
    "layers.Input": (
        Row(positions=("shape", "batch_shape", "name", "dtype", "sparse", "tensor"), when=When(1, is_shape)),
        Row(until="2.3.1", positions=("shape", "batch_shape", "name", "dtype", "sparse", "tensor")),
        Row(
            since="tf.keras",
            until="tf.keras",
            positions=("shape", "batch_size", "name", "dtype", "sparse", "tensor", "ragged"),
        ),
        Row(renamed={"input_dtype": "dtype", "batch_input_shape": "batch_shape"}),
    ),
    "activations.relu": (Row(renamed={"alpha": "negative_slope"}),),
    "backend.binary_crossentropy": OUTPUT_FIRST,
    "backend.categorical_crossentropy": OUTPUT_FIRST,
    "backend.sparse_categorical_crossentropy": OUTPUT_FIRST,
    "backend.conv1d": (
        Row(until="1.2.2", positions=("x", "kernel", "stride", "border_mode", "image_shape", "filter_shape")),
        Row(renamed={"stride": "strides", **_ORDER}, gone=_HINTS, values=_FORMATS),
    ),
    "backend.conv2d": (
        Row(until="1.2.2", positions=_CONV2D),
        _THEANO,
        Row(renamed={"filter_dilation": "dilation_rate", **_ORDER}, gone=_HINTS, values=_FORMATS),
    ),
    "backend.conv3d": (
        Row(
            until="1.2.2",
            positions=("x", "kernel", "strides", "border_mode", "dim_ordering", "volume_shape", "filter_shape"),
        ),
        _THEANO,
        _IMAGE,
    ),
    **{f"backend.{name}": (_IMAGE,) for name in ("atrous_conv2d", "separable_conv2d")},
    **{f"backend.{name}": (_THEANO, _IMAGE) for name in ("pool2d", "pool3d")},
    **{f"backend.{name}": (_THEANO, _PLACED) for name in ("spatial_2d_padding", "spatial_3d_padding")},
    "backend.asymmetric_spatial_2d_padding": (_PLACED,),
    "backend.deconv2d": (_IMAGE,),
    "backend.resize_images": (Row(renamed={"X": "x", **LAYOUT}, values=_FORMATS),),
    "backend.resize_volumes": (Row(renamed={"X": "x", **LAYOUT}, values=_FORMATS),),
    "backend.one_hot": (Row(renamed={"nb_classes": "num_classes"}),),
    "backend.moving_average_update": (Row(renamed={"variable": "x"}),),
    "backend.batch_get_value": (Row(renamed={"xs": "tensors", "ops": "tensors"}),),
    "backend.batch_normalization": (Row(until="2.0.8", positions=("x", "mean", "var", "beta", "gamma", "epsilon")),),
    "backend.dropout": (Row(until="0.3.3", positions=("x", "level", "seed")),),
    "backend.zeros_like": (Row(until="0.3.3", positions=("x", "name")),),
    "backend.ones_like": (Row(until="0.3.3", positions=("x", "name")),),
    "backend.placeholder": (Row(until="0.3.3", positions=("shape", "ndim", "dtype", "name")),),
    "backend.expand_dims": (Row(renamed={"dim": "axis"}),),
    "backend.random_normal": (Row(renamed={"std": "stddev"}),),
    "backend.random_uniform": (Row(renamed={"low": "minval", "high": "maxval"}),),
    "applications.imagenet_utils.preprocess_input": (Row(renamed={"dim_ordering": "data_format"}, values=_FORMATS),),
    "backend.set_epsilon": (Row(renamed={"e": "value"}),),
    "backend.set_floatx": (Row(renamed={"floatx": "value"}),),
    "datasets.imdb.load_data": (
        Row(until="0.3.3", defaults={"path": "imdb.pkl"}),
        Row(since="1.2.2", until="1.2.2", defaults={"path": "imdb_full.pkl"}),
        Row(renamed={"nb_words": "num_words"}),
    ),
    "datasets.reuters.load_data": (
        Row(until="1.2.2", defaults={"path": "reuters.pkl"}),
        Row(renamed={"nb_words": "num_words"}),
    ),
    "datasets.boston_housing.load_data": (Row(since="2.0.8", until="2.0.8", positions=("path", "seed", "test_split")),),
    "utils.to_categorical": (Row(renamed={"nb_classes": "num_classes", "y": "x"}),),
    "utils.normalize": (Row(renamed={"a": "x"}),),
}

ROWS = {**LAYERS, **MODELS, **OPTIMIZERS, **METRICS, **PREPROCESSING, **CALLBACKS, **SMALL, **FUNCTIONS}

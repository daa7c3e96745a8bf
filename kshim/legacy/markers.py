"""What in a script tells for which Keras it was written. Data only; ``kshim.shim.choose`` reads it.

Each marker speaks for one dialect. ``SINCE_2`` are those of Keras 2 and later: beside them the markers of Keras 1
mean Keras 2, which still took them.
"""

# Modules and ``module.name``s that are imported or used as attributes, by their full path; below a path counts, too.
PATHS = {
    "3": (
        "keras.ops", "keras.random", "keras.saving", "keras.tree", "keras.config", "keras.distribution",
        "keras.export", "keras.KerasTensor", "keras.Variable", "keras.Operation", "keras.Function",
        "keras.dtype_policies", "keras.utils.PyDataset",
    ),
    "tf.keras": ("tensorflow.keras", "tf_keras", "tensorflow.python.keras", "keras.api"),
    "0.3.3": ("keras.layers.containers", "keras.models.Graph", "keras.layers.core.TimeDistributedMerge"),
    "1.2.2": (
        "keras.objectives", "keras.initializations", "keras.utils.visualize_util", "keras.layers.Merge",
        "keras.layers.merge.merge", "keras.layers.core.Merge", "keras.layers.Convolution1D",
        "keras.layers.Convolution2D", "keras.layers.Convolution3D", "keras.layers.convolutional.Convolution1D",
        "keras.layers.convolutional.Convolution2D", "keras.layers.convolutional.Convolution3D",
        "keras.layers.TimeDistributedDense", "keras.layers.core.TimeDistributedDense", "keras.layers.MaxoutDense",
        "keras.layers.core.MaxoutDense", "keras.regularizers.l1l2", "keras.regularizers.activity_l1",
        "keras.regularizers.activity_l2", "keras.regularizers.WeightRegularizer", "keras.engine.merge",
        "keras.constraints.maxnorm", "keras.constraints.nonneg", "keras.constraints.unitnorm",
    ),
    "2.2.4": (
        "keras.utils.np_utils", "keras.utils.generic_utils", "keras.utils.vis_utils", "keras.utils.data_utils",
        "keras.utils.multi_gpu_model", "keras.layers.core", "keras.layers.convolutional", "keras.layers.recurrent",
        "keras.layers.pooling", "keras.layers.normalization", "keras.layers.embeddings", "keras.layers.noise",
        "keras.layers.local", "keras.layers.wrappers", "keras.layers.merge", "keras.layers.advanced_activations",
        "keras.layers.CuDNNLSTM", "keras.layers.CuDNNGRU", "keras.engine", "keras.legacy",
        "keras.backend.tensorflow_backend", "keras.preprocessing.text", "keras.wrappers.scikit_learn",
        "keras.preprocessing.image.ImageDataGenerator", "keras.optimizers.lr",
    ),
}  # fmt: skip

# Functions of keras.backend that Keras 3 still has there; any other one speaks for Keras 2.
BACKEND_TODAY = (
    "backend", "clear_session", "common_variables", "epsilon", "floatx", "get_uid", "image_data_format",
    "is_float_dtype", "is_int_dtype", "is_keras_tensor", "result_type", "set_epsilon", "set_floatx",
    "set_image_data_format", "standardize_dtype",
)  # fmt: skip

_OPTIMIZERS = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")
_RECURRENT = ("LSTM", "GRU", "SimpleRNN")
_WEIGHTED = ("Dense", "Conv1D", "Conv2D", "Convolution1D", "Convolution2D", "Convolution3D", *_RECURRENT)

# keyword -> names of what is called with it (None: anything)
KEYWORDS = {
    "0.3.3": {
        "show_accuracy": None, "class_mode": ("compile",), "accuracy": ("train_on_batch", "test_on_batch"),
    },
    "1.2.2": {
        "nb_epoch": None, "nb_filter": None, "nb_row": None, "nb_col": None, "border_mode": None, "subsample": None,
        "dim_ordering": None, "samples_per_epoch": None, "nb_val_samples": None, "nb_classes": ("to_categorical",),
        "nb_words": None, "W_regularizer": None, "b_regularizer": None, "W_constraint": None, "b_constraint": None,
        "dropout_W": None, "dropout_U": None, "inner_init": None, "inner_activation": None, "forget_bias_init": None,
        "consume_less": None, "pool_length": None, "filter_length": None, "max_q_size": None, "pickle_safe": None,
        "output_dim": _WEIGHTED, "init": (*_WEIGHTED, "Embedding"), "p": ("Dropout",), "sigma": ("GaussianNoise",),
        "input": ("Model",), "output": ("Model",), "beta_init": None, "gamma_init": None,
    },
    "2.2.4": {
        "lr": _OPTIMIZERS, "decay": _OPTIMIZERS, "steps_per_epoch": ("fit_generator",),
        "batch_input_shape": (*_WEIGHTED, "Embedding"),
    },
}  # fmt: skip

# Methods that were called by this name only up to that dialect.
METHODS = {
    "2.2.4": ("fit_generator", "evaluate_generator", "predict_generator", "predict_classes", "predict_proba"),
}

# Keys of History.history, and what monitor= may say.
STRINGS = {"2.2.4": ("acc", "val_acc")}

SINCE_2 = (
    "units", "epochs", "kernel_size", "filters", "padding", "kernel_initializer", "bias_initializer", "use_bias",
    "kernel_regularizer", "steps_per_epoch", "data_format", "num_classes", "rate", "strides", "recurrent_initializer",
)  # fmt: skip

# Version numbers, in a requirements file, up to which (not included) a dialect is the nearest.
VERSION_LIMITS = (
    ((1,), "0.3.3"), ((2,), "1.2.2"), ((2, 0, 9), "2.0.8"), ((2, 3), "2.2.4"), ((2, 4), "2.3.1"), ((3,), "tf.keras"),
)  # fmt: skip
TENSORFLOW_LIMITS = (((2, 16), "tf.keras"),)

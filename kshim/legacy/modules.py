"""Old module paths and the kshim modules that have their names. Data only; ``kshim.shim.hook`` reads it.

A path below ``keras`` stands for the same path below each of ``ROOTS``. Where several modules are named, the first
that has a name gives it. Paths of what kshim does not have yet are left out, so they are reported as missing.
"""

# What is before the dot -> what it stands for. The longest one that fits is taken.
ROOTS = {
    "keras": "keras",
    "tf_keras": "keras",
    "keras_applications": "keras.applications",
    "keras_preprocessing": "keras.preprocessing",
    "tensorflow.keras": "keras",
    "tensorflow.python.keras": "keras",
    "tensorflow.contrib.keras": "keras",
}
TOP_LEVEL = ("keras", "keras_applications", "keras_preprocessing", "tf_keras", "tensorflow")
PACKAGES_OF_TENSORFLOW = ("tensorflow", "tensorflow.python", "tensorflow.contrib")

# Modules that were a function in Keras 1 -> where that is.
CALLED = {"keras.layers.merge": ("kshim.legacy.layers", "merge")}

_LAYERS = ("kshim.layers",)
_ENGINE = ("kshim.layers", "kshim.models")
_UTILS = ("kshim.utils",)

MODULES = {
    "keras": ("kshim",),
    "keras.activations": ("kshim.activations",),
    "keras.applications": ("kshim.applications",),
    **{f"keras.applications.{name}": (f"kshim.applications.{name}",) for name in (
        "convnext", "densenet", "efficientnet", "efficientnet_v2", "imagenet_utils", "inception_resnet_v2",
        "inception_v3", "mobilenet", "mobilenet_v2", "mobilenet_v3", "nasnet", "resnet", "resnet50", "resnet_v2",
        "vgg16", "vgg19", "xception",
    )},
    "keras.backend": ("kshim.backend",),
    "keras.backend.common": ("kshim.backend",),
    "keras.backend.tensorflow_backend": ("kshim.backend",),
    "keras.backend.theano_backend": ("kshim.backend",),
    "keras.callbacks": ("kshim.callbacks",),
    "keras.callbacks.experimental": ("kshim.callbacks",),
    "keras.config": ("kshim.config",),
    "keras.constraints": ("kshim.constraints",),
    "keras.datasets": ("kshim.datasets",),
    **{f"keras.datasets.{name}": (f"kshim.datasets.{name}",) for name in (
        "boston_housing", "california_housing", "cifar10", "cifar100", "digits", "fashion_mnist", "imdb", "mnist",
        "reuters",
    )},
    "keras.datasets.data_utils": ("kshim.utils",),
    "keras.engine": _ENGINE,
    "keras.engine.base_layer": _LAYERS,
    "keras.engine.base_preprocessing_layer": _LAYERS,
    "keras.engine.input_layer": _LAYERS,
    "keras.engine.network": _ENGINE,
    "keras.engine.saving": ("kshim.models",),
    "keras.engine.sequential": ("kshim.models",),
    "keras.engine.topology": _ENGINE,
    "keras.engine.training": ("kshim.models",),
    "keras.initializations": ("kshim.legacy.initializations", "kshim.initializers"),
    "keras.initializers": ("kshim.initializers",),
    "keras.layers": _LAYERS,
    **{f"keras.layers.{name}": _LAYERS for name in (
        "advanced_activations", "containers", "convolutional", "convolutional_recurrent", "core", "cudnn_recurrent",
        "dense_attention", "embeddings", "experimental", "experimental.preprocessing", "kernelized", "local", "merge",
        "merging", "noise", "normalization", "pooling", "preprocessing", "preprocessing.image_preprocessing",
        "recurrent", "reshaping", "rnn", "rnn.abstract_rnn_cell", "wrappers",
    )},
    "keras.layers.containers": _ENGINE,
    "keras.legacy": _LAYERS,
    "keras.legacy.layers": _LAYERS,
    "keras.losses": ("kshim.losses",),
    "keras.metrics": ("kshim.metrics",),
    "keras.mixed_precision": ("kshim.mixed_precision",),
    "keras.mixed_precision.experimental": ("kshim.mixed_precision",),
    "keras.models": ("kshim.models",),
    "keras.objectives": ("kshim.losses",),
    "keras.ops": ("kshim.ops",),
    "keras.ops.image": ("kshim.ops.image",),
    "keras.ops.linalg": ("kshim.ops.linalg",),
    "keras.ops.nn": ("kshim.ops.nn",),
    "keras.ops.numpy": ("kshim.ops.numpy",),
    "keras.optimizers": ("kshim.optimizers",),
    "keras.optimizers.legacy": ("kshim.optimizers",),
    "keras.optimizers.schedules": ("kshim.optimizers.schedules",),
    "keras.preprocessing": ("kshim.preprocessing",),
    "keras.preprocessing.sequence": ("kshim.preprocessing.sequence",),
    "keras.preprocessing.text": ("kshim.preprocessing.text",),
    "keras.random": ("kshim.random",),
    "keras.regularizers": ("kshim.regularizers",),
    "keras.saving": ("kshim.saving",),
    "keras.tree": ("kshim.tree",),
    "keras.utils": _UTILS,
    "keras.utils.generic_utils": _UTILS,
    "keras.utils.np_utils": _UTILS,
    "keras.utils.io_utils": _UTILS,
    "keras.utils.data_utils": _UTILS,
}  # fmt: skip

# dialect -> (keras.__version__, tensorflow.__version__)
VERSIONS = {
    "0.3.3": ("0.3.3", "0.12.1"),
    "1.2.2": ("1.2.2", "1.4.0"),
    "2.0.8": ("2.0.8", "1.4.0"),
    "2.2.4": ("2.2.4", "1.13.1"),
    "2.3.1": ("2.3.1", "1.15.5"),
    "tf.keras": ("2.21.0", "2.21.0"),
    "3": ("3.15.1", "2.21.0"),
}

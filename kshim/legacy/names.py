"""Names that are gone, or mean something else by dialect, put where scripts look for them.

``kshim.utils`` is on this floor, so its rows are attached from above, by ``kshim.shim``.
"""

import importlib
import sys
import types
from typing import Any

from kshim import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from kshim.callbacks import base as callbacks
from kshim.core import configurable, settings
from kshim.core.registry import Registry
from kshim.legacy import (
    arguments,
    averages,
    formulas,
    functions,
    generators,
    old_methods,
    optimizer_methods,
    penalties,
    tf_layers,
    translate,
)
from kshim.legacy import callbacks as old_callbacks
from kshim.legacy import data as old_data
from kshim.legacy import layers as gone
from kshim.legacy import metrics as old_metrics
from kshim.legacy import progress as old_progress
from kshim.legacy import recurrent as gone_recurrent
from kshim.preprocessing import text

# module -> old name -> today's name there
ALIASES = {
    "constraints": {"maxnorm": "MaxNorm", "nonneg": "NonNeg", "unitnorm": "UnitNorm", "identity": "Constraint",
                    "radial_constraint": "RadialConstraint"},
    "initializers": {"zero": "Zeros", "one": "Ones", "normal": "RandomNormal", "uniform": "RandomUniform"},
    "layers": {"AtrousConv1D": "Conv1D", "AtrousConvolution1D": "Conv1D", "AtrousConv2D": "Conv2D",
               "AtrousConvolution2D": "Conv2D", "Deconv2D": "Deconvolution2D", "Deconv3D": "Conv3DTranspose",
               "Deconvolution3D": "Conv3DTranspose", "TimeDistributedDense": "Dense", "MaskedLayer": "Layer",
               "MaskedLambda": "Lambda", "UpSample1D": "UpSampling1D", "UpSample2D": "UpSampling2D",
               "ActivityRegularizer": "ActivityRegularization", "ThresholdedReLu": "ThresholdedReLU"},
    "losses": {"mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
               "MAE": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
               "MAPE": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
               "MSLE": "mean_squared_logarithmic_error", "kld": "kl_divergence", "KLD": "kl_divergence",
               "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh", "bce": "binary_crossentropy",
               "BCE": "binary_crossentropy", "huber_loss": "huber", "LossFunctionWrapper": "LossFunction"},
    "metrics": {"mse": "mean_squared_error", "MSE": "mean_squared_error", "mae": "mean_absolute_error",
                "MAE": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
                "MAPE": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
                "MSLE": "mean_squared_logarithmic_error", "kld": "kl_divergence", "KLD": "kl_divergence",
                "kullback_leibler_divergence": "kl_divergence", "logcosh": "log_cosh", "fscore": "fmeasure",
                "f1score": "fmeasure"},
    "regularizers": {"WeightRegularizer": "L1L2", "L1L2Regularizer": "L1L2", "ActivityRegularizer": "L1L2",
                     "identity": "Regularizer"},
}  # fmt: skip

# module -> what is put there beside today's names: it is gone, and only ever meant one thing
GONE: dict[str, tuple] = {
    "callbacks": (old_callbacks.BaseLogger, old_callbacks.SidecarEvaluatorModelExport),
    "constraints": (penalties.RadialConstraint,),
    "losses": (averages.Reduction,),
    "metrics": (*old_metrics.FUNCTIONS, *old_metrics.CLASSES),
    "regularizers": (penalties.EigenvalueRegularizer, penalties.activity_l1, penalties.activity_l2,
                     penalties.activity_l1l2),
    "layers": (
        gone.AutoEncoder, gone.Deconvolution2D, gone.Highway, gone.LambdaMerge, gone.LRN2D, gone.MaxoutDense,
        gone.Merge, gone.ParametricSoftplus, gone.Siamese, gone.SReLU, gone.ThresholdedLinear, gone.ThresholdedReLU,
        gone.TimeDistributedMerge, gone.add_shared_layer, gone_recurrent.ConvLSTM2DCell, gone_recurrent.ConvRecurrent2D,
        gone_recurrent.ConvRNN2D, gone_recurrent.Recurrent, gone_recurrent.SiameseHead,
        gone_recurrent.time_distributed_dense,
        tf_layers.AbstractRNNCell, tf_layers.DenseFeatures, tf_layers.DynamicEmbedding, tf_layers.DynamicLookup,
        tf_layers.PreprocessingLayer, tf_layers.RandomHeight, tf_layers.RandomWidth, tf_layers.SyncBatchNormalization,
    ),
    "utils": (old_data.HDF5Matrix, *generators.ENQUEUERS),
}  # fmt: skip

# module -> name -> what follows the dialect
BY_DIALECT: dict[str, dict[str, Any]] = {
    "activations": {"hard_sigmoid": functions.hard_sigmoid},
    "losses": {name: getattr(functions, name) for name in ("hinge", "squared_hinge", "cosine_proximity")}
    | {"cosine": functions.cosine_proximity},
    "metrics": {
        "cosine": old_metrics.cosine_proximity,
        "cosine_proximity": old_metrics.cosine_proximity,
        "cosine_similarity": old_metrics.cosine_proximity,
    },
    "regularizers": {"l1_l2": functions.l1_l2, "l1l2": functions.l1_l2},
    "utils": {"to_categorical": functions.to_categorical, "get_file": functions.get_file},
}

# class -> old attribute -> today's
ATTRIBUTES: dict[type, dict[str, str]] = {
    optimizers.Optimizer: {"lr": "learning_rate"},
    layers.Dense: {"W": "kernel", "b": "bias", "output_dim": "units"},
    layers.Embedding: {"W": "embeddings"},
    layers.LeakyReLU: {"alpha": "negative_slope"},
    layers.PReLU: {"alphas": "alpha"},
    layers.BatchNormalization: {"running_mean": "moving_mean", "running_std": "moving_variance"},
    **{cls: {"W": "kernel", "b": "bias", "nb_filter": "filters", "subsample": "strides", "border_mode": "padding"}
       for cls in (layers.Conv1D, layers.Conv2D, layers.Conv3D)},
    **{cls: {"p": "rate"} for cls in (layers.Dropout, layers.GaussianDropout)},
    layers.GaussianNoise: {"sigma": "stddev"},
    layers.Layer: {"inbound_nodes": "_inbound_nodes", "initial_weights": "_initial_weights"},
}  # fmt: skip

# class -> attribute -> (last dialect that had the old value, old value)
FORMULAS: dict[type, dict[str, tuple[str, Any]]] = {
    optimizers.RMSprop: {"epsilon_inside_root": ("2.3.1", False)},
    optimizers.Adagrad: {"epsilon_inside_root": ("2.3.1", False)},
    **{
        cls: {"preset": ("1.2.2", (*cls.preset[:2], "untruncated_normal"))}
        for cls in (initializers.GlorotNormal, initializers.HeNormal)
    },
    initializers.VarianceScaling: {"truncated_stddev": ("2.0.8", 1.0)},
    initializers.Orthogonal: {"row_axes": ("1.2.2", 1)},
    optimizers.Nadam: {"schedule_decay": ("2.3.1", 0.004)},
    layers.Conv1D: {"paddings": ("1.2.2", ("valid", "same", "causal", "full"))},
    **{cls: {"paddings": ("1.2.2", ("valid", "same", "full"))} for cls in (layers.Conv2D, layers.Conv3D)},
    text.Tokenizer: {"tfidf": ("0.3.3", functions.tfidf), "lowers_characters": ("2.0.8", False)},
}

# names of logged values that answer for each other in History.history, logs and monitor=
TWINS = {
    "lr": "learning_rate", "acc": "accuracy", "mse": "mean_squared_error", "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error", "msle": "mean_squared_logarithmic_error",
}  # fmt: skip

# what strings may say, beside today's names
STRINGS: tuple[tuple[Registry, dict[str, Any]], ...] = (
    (activations.REGISTRY, {
        f.__name__: f
        for f in (functions.hard_sigmoid, functions.hard_sigmoid_of_keras_2, functions.hard_sigmoid_of_keras_3)
    }),
    (regularizers.REGISTRY, {"l1_l2": functions.l1_l2, "l1l2": functions.l1_l2,
                             **{thing.__name__: thing for thing in GONE["regularizers"]}}),
    (constraints.REGISTRY, {"maxnorm": constraints.MaxNorm, "nonneg": constraints.NonNeg,
                            "unitnorm": constraints.UnitNorm, "RadialConstraint": penalties.RadialConstraint,
                            "radial_constraint": penalties.RadialConstraint}),
    *(
        (registry, {**BY_DIALECT["losses"], **{old: getattr(losses, new) for old, new in ALIASES["losses"].items()}})
        for registry in (losses.LOSSES, metrics.METRICS)
    ),
    (metrics.METRICS, old_metrics.STRINGS),
    (layers.LAYERS, {cls.__name__: cls for cls in GONE["layers"] if isinstance(cls, type)}),
    (layers.LAYERS, {old: getattr(layers, new) for old, new in ALIASES["layers"].items() if hasattr(layers, new)}),
)  # fmt: skip


def attach_to(place):
    """Write the rows of one module (``"utils"``) into it; it has been imported."""
    module = sys.modules[f"kshim.{place}"]
    for thing in GONE.get(place, ()):
        if not hasattr(module, thing.__name__):
            setattr(module, thing.__name__, thing)
    for old, new in ALIASES.get(place, {}).items():
        if hasattr(module, new) and not hasattr(module, old):
            setattr(module, old, getattr(module, new))
    for name, value in BY_DIALECT.get(place, {}).items():
        setattr(module, name, value)
    for key in arguments.FUNCTIONS:
        where, _, name = key.rpartition(".")
        if where == place:
            today = getattr(module, name)
            wrapped = translate.function(key, today)
            setattr(module, name, wrapped)
            _replace_elsewhere(module, name, today, wrapped)


def loaded(package):
    """The ``after_import`` hook: what older dialects change in a package that loads on first use."""
    importlib.import_module(f"kshim.legacy.{package}").attach()


def _replace_elsewhere(module, name, old, new):
    """In the registry, and in ``kshim`` itself, which hands out some names of its modules."""
    registry = getattr(module, "REGISTRY", None)
    if registry is not None and registry.table.get(name) is old:
        registry.table[name] = new
    package = sys.modules["kshim"]
    if vars(package).get(name) is old:
        setattr(package, name, new)


def attach():
    """Write all rows whose module is on a floor below."""
    for registry, strings in STRINGS:
        registry.add(**strings)
    for cls, attributes in ATTRIBUTES.items():
        for old, new in attributes.items():
            settable = isinstance(getattr(cls, new, None), property)
            setattr(cls, old, _alias(new) if settable else _Older(old, new))
    old_methods.attach()
    optimizer_methods.attach()
    formulas.attach()
    averages.attach()
    generators.attach()
    sys.modules["kshim.layers.merge"].__class__ = _Called
    for owner, changed in FORMULAS.items():
        for name, (until, value) in changed.items():
            setattr(owner, name, _by_dialect(getattr(owner, name), until, value))
    callbacks.TWINS.update(TWINS)
    old_callbacks.attach()
    old_progress.attach()
    configurable.after_import = loaded
    for place in {*ALIASES, *GONE, *BY_DIALECT, *(key.rpartition(".")[0] for key in arguments.FUNCTIONS)} - {"utils"}:
        if f"kshim.{place}" in sys.modules:
            attach_to(place)


def _by_dialect(today, until, old):
    return property(lambda self: old if settings.holds(until=until) else today)


def _alias(name):
    def get(self):
        return getattr(self, name)

    def put(self, value):
        setattr(self, name, value)

    return property(get, put, doc=f"``{name}``, by its older name.")


class _Older:
    """An attribute by its older name, but where an object has one of its own by that name."""

    def __init__(self, old, new):
        self.old, self.new = old, new
        self.__doc__ = f"``{new}``, by its older name."

    def __get__(self, owner, cls=None):
        if owner is None:
            return self
        for own in (vars(owner), *(vars(owner).get(name, {}) for name in ("_parameters", "_buffers", "_modules"))):
            if self.old in own:
                return own[self.old]
        return getattr(owner, self.new)


class _Called(types.ModuleType):
    """``kshim.layers.merge``, a function in Keras 1 and a module since."""

    def __call__(self, *args, **kwargs):
        return gone.merge(*args, **kwargs)

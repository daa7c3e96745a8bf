"""Optimizers: a class with its arguments."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch


class Case(NamedTuple):
    """``make(k)`` gives the optimizer of ``k``; ``exclude`` names the variables without weight decay."""

    name: str
    make: Callable
    exclude: tuple = ()


def optimizer(name, **arguments):
    """``make`` for an optimizer that both packages spell alike; a function of ``k`` as an argument is called."""

    def make(k):
        made = getattr(k.optimizers, name)(**{key: v(k) if callable(v) else v for key, v in arguments.items()})
        if name == "ScheduleFreeAdamW" and not isinstance(made, torch.optim.Optimizer):
            # Keras keeps the old `momentum` by reference, and only its torch backend assigns in place: there the rule
            # reads the new one. This makes it assign as Keras does on its other backends.
            made.assign_sub = lambda variable, value: setattr(variable, "_value", variable.value - value)
        return made

    return make


def decay(**arguments):
    """The schedule, as an argument."""
    return lambda k: k.optimizers.schedules.InverseTimeDecay(0.1, **arguments)


def by_path(k):
    """A map of three optimizers."""
    methods = k.optimizers
    return methods.OptimizerMap(methods.SGD(0.1), {"ker.*": methods.Adam(0.01), "bias": methods.Lion(0.02)})


RULES = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "sgd_momentum": ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.01, "rho": 0.8, "momentum": 0.5}),
    "rmsprop_centered": ("RMSprop", {"learning_rate": 0.01, "centered": True, "epsilon": 1e-3}),
    "rmsprop_both": ("RMSprop", {"learning_rate": 0.01, "centered": True, "momentum": 0.5}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "adam_betas": ("Adam", {"learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    "adam_amsgrad": ("Adam", {"learning_rate": 0.01, "beta_2": 0.5, "amsgrad": True}),
    "adagrad": ("Adagrad", {"learning_rate": 0.1}),
    "adagrad_initial": ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 1.0, "epsilon": 1e-2}),
    "lion": ("Lion", {"learning_rate": 0.01}),
    "lion_betas": ("Lion", {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.7}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "adadelta_rho": ("Adadelta", {"learning_rate": 0.5, "rho": 0.6, "epsilon": 1e-3}),
    "adamw": ("AdamW", {"learning_rate": 0.01}),
    "adamw_decay": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "adamax_betas": ("Adamax", {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-2}),
    "nadam": ("Nadam", {"learning_rate": 0.01}),
    "nadam_betas": ("Nadam", {"learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    "ftrl": ("Ftrl", {"learning_rate": 0.1}),
    "ftrl_penalties": (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "learning_rate_power": -0.7,
            "initial_accumulator_value": 0.5,
            "beta": 0.2,
            "l1_regularization_strength": 0.1,
            "l2_regularization_strength": 0.2,
            "l2_shrinkage_regularization_strength": 0.1,
        },
    ),
    "lamb": ("Lamb", {"learning_rate": 0.01}),
    "lamb_betas": ("Lamb", {"learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.8, "epsilon": 1e-2}),
    "adafactor": ("Adafactor", {"learning_rate": 0.05}),
    "adafactor_steps": (
        "Adafactor",
        {
            "learning_rate": 0.5,
            "beta_2_decay": -0.5,
            "epsilon_2": 0.1,
            "clip_threshold": 0.5,
            "relative_step": False,
        },
    ),
    "schedule_free": ("ScheduleFreeAdamW", {"learning_rate": 0.01}),
    "schedule_free_warm": (
        "ScheduleFreeAdamW",
        {"learning_rate": 0.02, "beta_1": 0.7, "beta_2": 0.9, "warmup_steps": 8, "weight_decay": 0.1},
    ),
    "loss_scale": ("LossScaleOptimizer", {"inner_optimizer": lambda k: k.optimizers.Adam(0.01), "initial_scale": 8.0}),
    "loss_scale_growing": (
        "LossScaleOptimizer",
        {
            "inner_optimizer": lambda k: k.optimizers.SGD(0.1, momentum=0.9, clipnorm=0.5),
            "initial_scale": 4.0,
            "dynamic_growth_steps": 3,
        },
    ),
    "multi": ("MultiOptimizer", {"optimizer_map": lambda k: by_path(k)}),
    "multi_scaled": ("MultiOptimizer", {"optimizer_map": lambda k: by_path(k), "loss_scale_factor": 4.0}),
    "muon": ("Muon", {"learning_rate": 0.01}),
    "muon_decay_of_the_others": ("Muon", {"learning_rate": 0.01, "weight_decay": None, "adam_weight_decay": 0.3}),
    "muon_plain": (
        "Muon",
        {
            "learning_rate": 0.01,
            "nesterov": False,
            "rms_rate": None,
            "adam_lr_ratio": 0.3,
            "weight_decay": None,
            "adam_weight_decay": None,
            "momentum": 0.5,
            "ns_steps": 3,
        },
    ),
}
OPTIONS = {
    "clipnorm": {"clipnorm": 0.5},
    "clipnorm_large": {"clipnorm": 100.0},
    "clipvalue": {"clipvalue": 0.3},
    "global_clipnorm": {"global_clipnorm": 0.7},
    "weight_decay": {"weight_decay": 0.1},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "ema_overwrite": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation_clipnorm": {"gradient_accumulation_steps": 3, "clipnorm": 0.5},
    "accumulation_ema": {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 2},
    "loss_scale": {"loss_scale_factor": 8.0},
    "loss_scale_clipvalue": {"loss_scale_factor": 8.0, "clipvalue": 0.1},
    "schedule": {"learning_rate": decay(decay_steps=2, decay_rate=0.5)},
    "schedule_staircase": {"learning_rate": decay(decay_steps=3, decay_rate=0.5, staircase=True)},
    "schedule_accumulation": {
        "learning_rate": decay(decay_steps=2, decay_rate=0.5), "gradient_accumulation_steps": 2,
    },
    "weight_decay_schedule": {"learning_rate": decay(decay_steps=2, decay_rate=0.5), "weight_decay": 0.1},
}  # fmt: skip

CASES = [
    *(Case(name, optimizer(cls, **arguments)) for name, (cls, arguments) in RULES.items()),
    *(
        Case(f"{name}_{option}", optimizer(RULES[name][0], **(RULES[name][1] | more)))
        for option, more in OPTIONS.items()
        for name in ("sgd", "sgd_momentum", "rmsprop", "adam", "adagrad", "nadam", "lamb")
    ),
    *(
        Case(f"{name}_weight_decay_exclude", optimizer(RULES[name][0], weight_decay=0.1), ("bias",))
        for name in ("sgd", "adam")
    ),
]

# name -> class of ``optimizers.schedules``, arguments
SCHEDULES = {
    "exponential": ("ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 4, "decay_rate": 0.7}),
    "exponential_stairs": ("ExponentialDecay", {
        "initial_learning_rate": 0.3, "decay_steps": 4, "decay_rate": 0.7, "staircase": True}),
    "inverse": ("InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 4, "decay_rate": 0.7}),
    "inverse_stairs": ("InverseTimeDecay", {
        "initial_learning_rate": 0.3, "decay_steps": 4, "decay_rate": 0.7, "staircase": True}),
    "pieces": ("PiecewiseConstantDecay", {"boundaries": [5, 11, 12], "values": [1.0, 0.5, 0.25, 0.1]}),
    "one_piece": ("PiecewiseConstantDecay", {"boundaries": [5], "values": [1.0, 0.5], "name": "it"}),
    "polynomial": ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 9}),
    "polynomial_root": ("PolynomialDecay", {
        "initial_learning_rate": 0.3, "decay_steps": 9, "end_learning_rate": 0.01, "power": 0.5}),
    "polynomial_cycle": ("PolynomialDecay", {
        "initial_learning_rate": 0.3, "decay_steps": 9, "power": 2.0, "cycle": True}),
    "cosine": ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 9, "alpha": 0.1}),
    "cosine_warm": ("CosineDecay", {
        "initial_learning_rate": 0.1, "decay_steps": 20, "warmup_target": 0.5, "warmup_steps": 7}),
    "restarts": ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 3}),
    "restarts_alike": ("CosineDecayRestarts", {
        "initial_learning_rate": 0.3, "first_decay_steps": 5, "t_mul": 1.0, "m_mul": 0.8, "alpha": 0.2}),
}  # fmt: skip

NO_CASE = {"Optimizer": "the base: test_an_optimizer_of_the_user"}

SHAPES = {"kernel": (3, 4), "bias": (5,), "filters": (4, 2, 3)}
STEPS = 20


def starts():
    """The first values, by name."""
    draw = np.random.default_rng(1)
    return {name: draw.normal(size=shape).astype("float32") for name, shape in SHAPES.items()}


def gradients():
    """For each step the gradients, by name."""
    draw = np.random.default_rng(2)
    return [{n: draw.normal(size=shape).astype("float32") for n, shape in SHAPES.items()} for _ in range(STEPS)]

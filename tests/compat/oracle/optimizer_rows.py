"""Optimizers of Keras 1 and 2 in their own words, run by the real Keras and, under the dialect, by kshim."""

# name -> class, arguments, whether Keras 1 has them
ROWS = {
    "sgd": ("SGD", {}, True),
    "sgd_all": ("SGD", {"lr": 0.05, "momentum": 0.8, "decay": 0.02, "nesterov": True}, True),
    "sgd_clipnorm": ("SGD", {"lr": 0.1, "momentum": 0.5, "clipnorm": 0.3}, True),
    "sgd_clipvalue": ("SGD", {"lr": 0.1, "clipvalue": 0.05}, True),
    "rmsprop": ("RMSprop", {}, True),
    "rmsprop_all": ("RMSprop", {"lr": 0.003, "rho": 0.8, "epsilon": 1e-4, "decay": 0.05}, True),
    "rmsprop_clipnorm": ("RMSprop", {"clipnorm": 0.1}, True),
    "adagrad": ("Adagrad", {}, True),
    "adagrad_all": ("Adagrad", {"lr": 0.03, "epsilon": 1e-3, "decay": 0.02}, True),
    "adadelta": ("Adadelta", {}, True),
    "adadelta_all": ("Adadelta", {"lr": 0.7, "rho": 0.8, "epsilon": 1e-4, "decay": 0.05}, True),
    "adam": ("Adam", {}, True),
    "adam_all": ("Adam", {"lr": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "decay": 0.05}, True),
    "adam_amsgrad": ("Adam", {"lr": 0.01, "beta_2": 0.7, "amsgrad": True, "clipvalue": 0.2}, False),
    "adamax": ("Adamax", {}, True),
    "adamax_all": ("Adamax", {"lr": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3, "decay": 0.05}, True),
    "nadam": ("Nadam", {}, True),
    "nadam_all": ("Nadam", {"lr": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}, True),
    "nadam_clipnorm": ("Nadam", {"clipnorm": 0.2}, True),
}
STEPS = 100
LOSS = "mean_squared_error"

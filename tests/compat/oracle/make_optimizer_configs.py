"""Configs of optimizers as Keras 1.2.2 or 2.3.1 gives them: ``python make_optimizer_configs.py``, in its environment.

Writes ``optimizer-configs-VERSION.json``: ``[[class, arguments, config], ...]``.
"""

import json
import os

import keras

NAMES = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam")
ARGUMENTS = ({}, {"lr": 0.3}, {"lr": 0.3, "decay": 0.01}, {"lr": 0.3, "clipnorm": 2.0}, {"clipvalue": 0.5})


def main():
    """Write the file."""
    rows = []
    for name in NAMES:
        for arguments in ARGUMENTS:
            if name == "Nadam" and "decay" in arguments:
                continue  # it takes none
            rows.append([name, arguments, getattr(keras.optimizers, name)(**arguments).get_config()])
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "optimizer-configs-" + keras.__version__ + ".json"), "w") as file:
        json.dump(rows, file, indent=0, sort_keys=True, default=float)
        file.write("\n")


if __name__ == "__main__":
    main()

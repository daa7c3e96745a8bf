"""Write how an old Keras averages losses and metrics to one .json: ``python make_average_goldens.py OUTPUT.json``.

Runs unchanged inside Keras 1.2.2 and 2.3.1 (README.md has the environments). A row is what ``evaluate`` and one epoch
of ``fit`` at rate 0 log for a model that passes its input on: losses x {plain, mask, sample weights, both}, uneven
batches, several outputs, class weights, accuracies. ``test_averages.py`` runs the same rows in kshim.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import average_rows
import keras

if __name__ == "__main__":
    rows = {name: average_rows.run(keras, row) for name, row in average_rows.rows(keras.__version__).items()}
    with open(sys.argv[1], "w") as file:
        json.dump(rows, file, indent=1, sort_keys=True)
        file.write("\n")

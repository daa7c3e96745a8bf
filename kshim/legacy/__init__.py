"""Older generations of Keras, as data: ``arguments``, ``names`` and ``modules``; importing it sets the hooks."""

import kshim.backend
import kshim.layers  # written to by names.attach(), as the backend is
import kshim.saving.versions
import kshim.saving.weights
from kshim.legacy import functions, names, translate, weights

translate.attach()
names.attach()
kshim.saving.weights.from_old = weights.from_file
kshim.saving.versions.keep_formulas = functions.keep_formulas
kshim.saving.weights.old_state = weights.optimizer_state

"""Older generations of Keras, as data: ``arguments``, ``names`` and ``modules``; importing it sets the hooks."""

import kshim.backend
import kshim.layers  # noqa: F401 # both are written to by names.attach()
from kshim.legacy import names, translate

translate.attach()
names.attach()

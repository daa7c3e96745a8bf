"""Rows of ops, a file per group: each function with arguments."""

from cases.ops import core_rows, math_rows, nn_rows, numpy_rows

_FILES = (numpy_rows, nn_rows, math_rows, core_rows)
REFUSED = [row for file in _FILES for row in file.REFUSED]
ROWS = [row for file in _FILES for row in file.ROWS]
ON_TENSORFLOW = nn_rows.ON_TENSORFLOW

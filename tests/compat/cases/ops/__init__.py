"""Rows of ops, a file per group: each function with arguments."""

from cases.ops import numpy_rows

REFUSED = numpy_rows.REFUSED
ROWS = numpy_rows.ROWS

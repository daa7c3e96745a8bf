"""How the real Keras 1.2.2 and 2.3.1 averaged losses and metrics (``oracle/averages-*.json``): kshim does the same."""

import json
import pathlib
import sys

import pytest
from test_goldens import dialect  # noqa: F401 # the generation's own meaning of calls

import kshim

ORACLE = pathlib.Path(__file__).parent / "oracle"
sys.path.insert(0, str(ORACLE))
import average_rows  # noqa: E402 # the rows that make_average_goldens.py ran in the real Keras

GOLDENS = {version: json.loads((ORACLE / f"averages-{version}.json").read_text()) for version in ("1.2.2", "2.3.1")}
ROWS = [(version, name) for version, rows in GOLDENS.items() for name in rows]


def test_every_row_is_stored():
    for version, found in GOLDENS.items():
        assert set(found) == set(average_rows.rows(version))


@pytest.mark.filterwarnings("ignore:.*sample_weight_mode")
@pytest.mark.parametrize(("version", "name"), ROWS, ids=lambda value: value)
def test_logs(version, name):
    found = average_rows.run(kshim, average_rows.rows(version)[name], version)
    assert found == pytest.approx(GOLDENS[version][name], rel=1e-5, abs=1e-6)

#!/usr/bin/env bash
# Sets up an environment beside this checkout (in $KSHIM_VENV, else .venv) and runs lint, types and tests in it.
# Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${KSHIM_VENV:-.venv}
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --editable ".[test]"
"$venv/bin/ruff" check
"$venv/bin/ruff" format --check
"$venv/bin/mypy"
"$venv/bin/python" -m pytest --numprocesses 2 "$@"

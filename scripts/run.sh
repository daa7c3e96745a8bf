#!/usr/bin/env bash
# Sets up an environment beside this checkout (in $KSHIM_VENV, else .venv) and runs a Keras script in it:
# the digits example, unless another is given.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${KSHIM_VENV:-.venv}
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --editable "."
exec "$venv/bin/python" -m kshim run "${@:-examples/digits_mlp.py}"

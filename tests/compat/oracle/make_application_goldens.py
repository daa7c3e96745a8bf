"""Write how a version builds applications: ``python make_application_goldens.py applications-2.3.1.json``.

The version is read from the file's name; for tf.keras the package is ``tf_keras``.
"""

import importlib
import json
import re
import sys

import application_rows as rows

version = re.search(r"applications-(.*)\.json", sys.argv[1]).group(1)
package = "tf_keras" if version == "tf.keras" else "keras"
applications = importlib.import_module(package + ".applications")
clear = importlib.import_module(package + ".backend").clear_session
goldens, full = {"structure": {}, "forward": {}}, {}
for name in rows.ROWS[version]:
    clear()
    full[name] = rows.told(rows.find(applications, name)(weights=None))
    goldens["structure"][name] = rows.digest(full[name])
for name, size in rows.FORWARD[version].items():
    clear()
    model = rows.find(applications, name)(weights=None, include_top=False, input_shape=(size, size, 3))
    goldens["forward"][name] = rows.forward(model, size)
with open(sys.argv[1], "w") as file:
    json.dump(goldens, file, indent=1, sort_keys=True)
if len(sys.argv) > 2:
    with open(sys.argv[2], "w") as file:
        json.dump(full, file)

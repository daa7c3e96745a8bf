"""Write what training from generators gives: ``python make_generator_goldens.py generators-2.3.1.json`` (or 1.2.2).

Each row is run in a process of its own.
"""

import json
import subprocess
import sys

import generator_rows as rows

if len(sys.argv) == 2:
    names = [*rows.DATA, "validation_generator"]
    found = {}
    for name in names:
        text = subprocess.run([sys.executable, __file__, "-", name], check=True, stdout=subprocess.PIPE).stdout
        found[name] = json.loads(text.decode().splitlines()[-1])
    with open(sys.argv[1], "w") as file:
        json.dump(found, file)
else:
    import keras

    forms = rows.FORMS["1.2.2" if keras.__version__.startswith("1") else "2.3.1"]
    name = sys.argv[2]
    one = rows.trained(keras, name, *forms) if name in rows.DATA else rows.validated(keras, forms[0], name)
    print("\n" + json.dumps(one))

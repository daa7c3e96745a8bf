"""What ``import kshim`` loads, and what it leaves for later."""

import subprocess
import sys

HEAVY = ("h5py", "pandas", "PIL", "scipy", "sklearn", "matplotlib", "keras", "tensorflow", "rich", "kshim.datasets")


def modules_after(code):
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_loads_nothing_heavy():
    loaded = modules_after("import kshim") - modules_after("import torch, numpy")
    assert not {name for name in HEAVY if name in loaded}


def test_import_adds_few_modules():
    added = modules_after("import kshim") - modules_after("import torch, numpy")
    foreign = {name.partition(".")[0] for name in added} - {"kshim"} - set(sys.stdlib_module_names)
    assert not foreign, "kshim needs torch and numpy only"


def test_datasets_load_on_first_use():
    assert "kshim.datasets.digits" in modules_after("import kshim; kshim.datasets.digits")


def test_the_public_names_are_there():
    import kshim

    assert [name for name in kshim.__all__ if not hasattr(kshim, name)] == []

"""Drop-in: the import hook, and the command that runs a script under it."""

import kshim.utils  # noqa: F401 # its rows are written into it here, since legacy is on its floor
from kshim.core.settings import dialect, set_dialect
from kshim.legacy import names
from kshim.shim.hook import explain_missing_names, install, installed, uninstall

names.attach_to("utils")
explain_missing_names()

__all__ = ["dialect", "install", "installed", "set_dialect", "uninstall"]

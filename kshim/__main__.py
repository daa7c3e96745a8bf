"""``python -m kshim``."""

import sys

from kshim.shim import cli

if __name__ == "__main__":
    sys.exit(cli.main())

"""What is refused in a file that somebody else wrote, and how much one may hold.

A file is data: nothing in it names code that is imported, leaves the folder it is unpacked to, or allocates what it
merely claims.
"""

import os

GROWTH = 100  # an archive may hold so many times its own size
FLOOR = 4 << 30  # bytes that any archive may hold


class RefusedFileError(ValueError):
    """A file holds what kshim does not read: the message says which file, which part of it, and what was found."""


def refuse(path, part, found, help=""):
    """Raise ``RefusedFileError``.

    Args:
        path: of the file.
        part: the member or the place in it.
        found: what is there.
        help: the way to trust it, where there is one.
    """
    raise RefusedFileError(
        f"{os.fspath(path)}: refused to read {part}, which is {found}." + (f" {help}" if help else "")
    )


def limit(path):
    """How many bytes the archive ``path`` may unpack to."""
    return max(FLOOR, GROWTH * os.path.getsize(path))


def is_plain_name(name):
    """Whether ``name`` is that of a file or folder alone: no separator of any system, no drive, no ``..``."""
    return bool(name) and name not in (".", "..") and not set(name) & set("/\\:\0")

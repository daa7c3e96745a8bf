"""Writing files so that a crash leaves the old one."""

import contextlib
import os
import secrets

from kshim.core.progress import print_msg


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path in the folder of ``path``; what is written there takes the place of ``path`` at the end.

    Left by an exception, or by a crash of the program or the machine, the block changes nothing. A symbolic link stays
    one: the file it points to is replaced.

    Raises:
        IsADirectoryError: ``path`` is a folder.
        FileNotFoundError: the folder of ``path`` does not exist.
    """
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(f"Expected the path of a file. Received: {os.fspath(path)!r}, which is a folder.")
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"Expected the path of a file in a folder that exists. Received: {os.fspath(path)!r}.")
    temporary = os.path.join(folder, f"{_prefix(name)}{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        _flush(temporary, os.O_RDWR)  # else a file without content may bear the name after the power failed
        os.replace(temporary, target)
        if os.name != "nt":  # Windows opens no folders
            _flush(folder, os.O_RDONLY)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def _prefix(name):
    return f".{name[:100]}."


def _flush(path, mode):
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(path):
    """Remove what processes that were killed in ``replacing(path)`` left behind; none may be at it now."""
    folder, name = os.path.split(os.path.realpath(path))
    for entry in os.listdir(folder):
        if entry.startswith(_prefix(name)) and entry.endswith(".tmp"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(folder, entry))


def may_write(path, overwrite):
    """Whether ``path`` is to be written: it is new, ``overwrite`` is true, or the user at the terminal says so."""
    if overwrite or not os.path.exists(path):
        return True
    answer = input(f"[WARNING] {os.fspath(path)} already exists - overwrite? [y/n]").strip().lower()
    while answer not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).').strip().lower()
    if answer == "y":
        print_msg("[TIP] Next time specify overwrite=True!")
    return answer == "y"

"""Unpacking tar and zip archives that may be hostile.

Only folders and regular files are written, each below the folder asked for. A link to a file of the archive becomes a
copy of that file; any other member is refused, and then nothing at all is left behind.
"""

import contextlib
import os
import posixpath
import secrets
import shutil
import tarfile
import zipfile
import zlib

from kshim.core import untrusted

BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)


def extract(path, folder, formats="auto"):
    """Unpack an archive into ``folder``, which is made where it is not there; files of the same name are replaced.

    Args:
        path: of the archive.
        folder: what its members are put below.
        formats: ``"tar"`` (plain, gz, bz2, xz), ``"zip"``, a list of them, ``"auto"`` for both, None for none.

    Returns:
        whether the file was an archive of one of the formats.

    Raises:
        RefusedFileError: a member leaves the folder, is a device or a link out of the archive, or the members hold
            more than ``untrusted.limit`` bytes.
        ValueError: the archive is damaged.
        NotImplementedError: another format.
    """
    path, folder = os.fspath(path), os.path.abspath(folder)
    formats = {"auto": ["tar", "zip"], None: []}.get(formats, formats) if not isinstance(formats, list) else formats
    for name in [formats] if isinstance(formats, str) else formats:
        if name not in _FORMATS:
            raise NotImplementedError(f"Expected an archive format of {sorted(_FORMATS)}. Received: {name!r}.")
        fits, unpack = _FORMATS[name]
        if fits(path):
            with _beside(folder) as temporary:
                try:
                    unpack(path, temporary)
                except untrusted.RefusedFileError:
                    raise
                except BROKEN as error:
                    raise ValueError(f"{path}: the archive cannot be read, it is damaged or locked: {error}") from error
                _move(temporary, folder)
            return True
    return False


@contextlib.contextmanager
def _beside(folder):
    """A new folder next to ``folder``, gone at the end."""
    parent, name = os.path.split(folder)
    temporary = os.path.join(parent, f".{name[:100]}.{secrets.token_hex(6)}.tmp")
    os.makedirs(temporary)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move(source, target):
    """Move what is in ``source`` to ``target``, folder by folder; a link in the way is refused, not followed."""
    if not os.path.lexists(target):
        os.replace(source, target)
        return
    if os.path.islink(target) or not os.path.isdir(target):
        raise FileExistsError(f"Expected a folder to unpack to. Received: {target!r}, which is none.")
    for entry in list(os.scandir(source)):
        place = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            _move(entry.path, place)
        else:
            os.replace(entry.path, place)


def _place(path, folder, name):
    """The path below ``folder`` that a member's name stands for."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or not all(untrusted.is_plain_name(part) for part in parts):
        untrusted.refuse(path, f"the member {name!r}", "no path below the folder it is unpacked to")
    return os.path.join(folder, *parts)


def _write(path, member, source, place, room):
    """Copy ``source`` to ``place``; the room that is left."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as target:
        while block := source.read(1 << 20):
            room -= len(block)
            if room < 0:
                untrusted.refuse(path, f"the member {member!r}", f"more than {untrusted.limit(path)} bytes in all")
            target.write(block)
    return room


def _unpack_zip(path, folder):
    room = untrusted.limit(path)
    with zipfile.ZipFile(path) as archive:
        if sum(info.file_size for info in archive.infolist()) > room:
            untrusted.refuse(path, "its members", f"more than {room} bytes in all")
        for info in archive.infolist():
            place = _place(path, folder, info.filename)
            kind = (info.external_attr >> 16) & 0o170000
            if info.is_dir():
                os.makedirs(place, exist_ok=True)
            elif kind not in (0, 0o100000):
                untrusted.refuse(path, f"the member {info.filename!r}", "a link or a device")
            else:
                with archive.open(info) as source:
                    room = _write(path, info.filename, source, place, room)


def _unpack_tar(path, folder):
    room = untrusted.limit(path)
    links = []
    with tarfile.open(path) as archive:
        for member in archive:
            place = _place(path, folder, member.name)
            if member.isdir():
                os.makedirs(place, exist_ok=True)
            elif member.isreg():
                with archive.extractfile(member) as source:  # type: ignore[union-attr] # regular members have one
                    room = _write(path, member.name, source, place, room)
            elif member.issym() or member.islnk():
                start = posixpath.dirname(member.name) if member.issym() else ""
                links.append((member.name, place, posixpath.normpath(posixpath.join(start, member.linkname))))
            else:
                untrusted.refuse(path, f"the member {member.name!r}", "a device")
    for name, place, linked in links:
        source = _place(path, folder, linked)
        if not os.path.isfile(source):
            untrusted.refuse(path, f"the member {name!r}", f"a link to {linked!r}, which is no file of the archive")
        with open(source, "rb") as file:
            room = _write(path, name, file, place, room)


_FORMATS = {"tar": (tarfile.is_tarfile, _unpack_tar), "zip": (zipfile.is_zipfile, _unpack_zip)}

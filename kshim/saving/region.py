"""A stored member of a zip archive as a file of its own, without a copy of it."""

import io
import shutil
import tempfile
import zipfile
import zlib

from kshim.core import untrusted

BLOCK = 1 << 22


class Region(io.RawIOBase):
    """What lies behind ``start`` in an open file, as a file that begins there.

    Args:
        file: open, seekable.
        start: offset in bytes.
        size: number of bytes; None for a region at the end that may grow.
    """

    def __init__(self, file, start, size=None):
        self.file, self.start, self.size = file, start, size
        self._position = 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def writable(self):
        return self.size is None

    def seek(self, offset, whence=io.SEEK_SET):
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length()}[whence]
        self._position = base + offset
        return self._position

    def tell(self):
        return self._position

    def _length(self):
        return self.file.seek(0, io.SEEK_END) - self.start if self.size is None else self.size

    def readinto(self, buffer):
        view = memoryview(buffer).cast("B")
        view = view[: max(self._length() - self._position, 0)]
        self.file.seek(self.start + self._position)
        count = self.file.readinto(view)
        self._position += count
        return count

    def write(self, data):
        self.file.seek(self.start + self._position)
        count = self.file.write(data)
        self._position += count
        return count

    def truncate(self, size=None):
        size = self._position if size is None else size
        self.file.truncate(self.start + size)
        return size


def write_member(archive, name, write):
    """Add a stored member that is written in place: ``write(file)`` gets a seekable file.

    Args:
        archive: ``zipfile.ZipFile`` open for writing, with a member in it.
        name: of the new one.
        write: function of a file.
    """
    file = archive.fp
    info = zipfile.ZipInfo(name, archive.filelist[-1].date_time)
    info.external_attr = 0o600 << 16
    info.header_offset, info.CRC = file.seek(archive.start_dir), 0
    file.write(info.FileHeader(zip64=True))
    start = file.tell()
    region = Region(file, start)
    write(region)
    file.flush()
    info.file_size = info.compress_size = file.seek(0, io.SEEK_END) - start
    info.CRC = _crc(Region(file, start, info.file_size))
    file.seek(info.header_offset)
    file.write(info.FileHeader(zip64=True))
    archive.start_dir = file.seek(0, io.SEEK_END)
    archive.filelist.append(info)
    archive.NameToInfo[name] = info


def _crc(region):
    crc, buffer = 0, bytearray(BLOCK)
    region.seek(0)
    while count := region.readinto(buffer):
        crc = zlib.crc32(memoryview(buffer)[:count], crc)
    return crc


def open_member(path, archive, info):
    """The member as a seekable file: of the archive itself where it is stored, else unpacked to a temporary file.

    Raises:
        RefusedFileError: it holds more than ``untrusted.limit`` bytes.
        ValueError: its checksum is wrong.
    """
    if info.file_size > untrusted.limit(path):
        untrusted.refuse(path, f"the member {info.filename!r}", f"{info.file_size} bytes unpacked")
    if info.compress_type != zipfile.ZIP_STORED:
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115, the caller closes it
        with archive.open(info) as source:  # checks the checksum itself
            shutil.copyfileobj(source, unpacked, BLOCK)
        unpacked.seek(0)
        return unpacked
    archive.open(info).close()  # checks that both headers agree
    file = archive.fp
    file.seek(info.header_offset + 26)
    lengths = file.read(4)  # of the name and of the extra field
    start = info.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    region = Region(file, start, info.file_size)
    if info.compress_size != info.file_size or _crc(region) != info.CRC:
        raise ValueError(f"{path}: the member {info.filename!r} is damaged: its checksum is wrong.")
    region.seek(0)
    return region

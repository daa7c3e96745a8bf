"""Files from the web, kept in Keras' cache folder.

Source: Keras 3 ``utils/file_utils.py``.
"""

import hashlib
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings

from kshim.core import archives, settings, untrusted
from kshim.core.files import replacing
from kshim.core.progress import Progbar, print_msg

BLOCK = 1 << 16
PATIENCE = 60  # seconds without a byte


def cache_folder(cache_dir=None, cache_subdir="datasets"):
    """The folder that holds files of a kind, made where it is not there.

    Args:
        cache_dir: None means the environment's ``KERAS_HOME``, or else ``~/.keras``. Where one cannot write to it,
            ``.keras`` in the system's folder for temporary files.
        cache_subdir: the folder in it; an absolute path stands for itself.
    """
    base = os.path.expanduser(cache_dir or settings.keras_home())
    try:
        os.makedirs(base, exist_ok=True)
    except OSError:
        base = ""
    if not os.access(base, os.W_OK):
        base = os.path.join(tempfile.gettempdir(), ".keras")
    folder = os.path.join(base, cache_subdir)
    os.makedirs(folder, exist_ok=True)
    return folder


def hash_of(path, algorithm="sha256"):
    """The hexadecimal hash of a file's bytes, ``"sha256"`` or ``"md5"``."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def validate_file(fpath, file_hash, algorithm="auto"):
    """Whether a file has this hash.

    Args:
        fpath: the path.
        file_hash: hexadecimal.
        algorithm: ``"sha256"``, ``"md5"``, or ``"auto"``: sha256 for a hash of 64 digits, else md5.
    """
    is_long = algorithm == "sha256" or (algorithm == "auto" and len(str(file_hash)) == 64)
    return hash_of(fpath, "sha256" if is_long else "md5") == str(file_hash).lower()


def fetch(origin, target, file_hash=None, algorithm="auto", force=False):
    """Download ``origin`` to ``target``, unless a file with the hash is there.

    What is downloaded gets its name when it is whole and has its hash; until then an older file stays.

    Raises:
        OSError: it could not be downloaded; says the address and where to put the file by hand.
        ValueError: it has another hash.
    """
    if os.path.exists(target) and not force:
        if file_hash is None or validate_file(target, file_hash, algorithm):
            return
        print_msg(
            "A local file was found, but it seems to be incomplete or outdated because the "
            f"{algorithm} file hash does not match the original value of {file_hash} so we will re-download the data."
        )
    print_msg(f"Downloading data from {origin}")
    with replacing(target) as temporary:
        try:
            _download(origin, temporary)
        except OSError as error:
            code, reason = getattr(error, "code", getattr(error, "errno", None)), getattr(error, "reason", error)
            raise OSError(
                f"URL fetch failure on {origin}: {code} -- {reason}. "
                f"Without a network, put the file at {target} by hand."
            ) from error
        if file_hash is not None and not validate_file(temporary, file_hash, algorithm):
            raise ValueError(
                f"Incomplete or corrupted file detected. The {algorithm} file hash does not match the provided value "
                f"of {file_hash}. Received: {hash_of(temporary)} (sha256) from {origin}."
            )


def _download(origin, path):
    with urllib.request.urlopen(origin, timeout=PATIENCE) as source, open(path, "wb") as target:
        length = source.headers.get("Content-Length")
        size = int(length) if length is not None and length.isdigit() else None
        bar, done = Progbar(size), 0
        while block := source.read(BLOCK):
            target.write(block)
            done += len(block)
            bar.update(done if size is None else min(done, size))
        if size is not None and done < size:
            raise urllib.error.ContentTooShortError(f"got {done} of {size} bytes", None)  # type: ignore[arg-type] # no message


def name_of(origin):
    """The file name at the end of an address.

    Raises:
        ValueError: there is none, or it is no plain name.
    """
    name = os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(origin).path))
    if not untrusted.is_plain_name(name):
        raise ValueError(
            f"Can't parse the file name from the origin provided: '{origin}'. Please specify the `fname` argument."
        )
    return name


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
):
    """The path of a file from the web, downloaded on first use.

    Args:
        fname: its name in the cache, a name and no path; None takes the one at the end of ``origin``.
        origin: the address.
        untar: as ``extract``, for tar alone.
        md5_hash: the md5 hash, in place of ``file_hash``.
        file_hash: the hash the file must have; a file in the cache with another one is downloaded again.
        cache_subdir: folder in the cache; an absolute path stands for itself.
        hash_algorithm: ``"sha256"``, ``"md5"``, or ``"auto"``, which goes by the length of ``file_hash``.
        extract: whether it is an archive to unpack.
        archive_format: ``"tar"``, ``"zip"``, a list of them, ``"auto"`` for both, None for none.
        cache_dir: the cache; None means the environment's ``KERAS_HOME``, or else ``~/.keras``.
        force_download: whether it is downloaded even if it is there.

    Returns:
        the path of the file, or of the folder that the archive was unpacked to: ``fname`` where that has no dot, else
        ``fname`` up to its first dot with ``_extracted`` after it.

    Raises:
        ValueError: without ``origin``, for a path as ``fname``, or for another hash.
        OSError: the download failed. Nothing is left under the file's name.
        RefusedFileError: the archive has a member that leaves its folder, or holds far more than its size.

    Source: Keras 3 ``utils/file_utils.py``.
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = os.fspath(fname) if fname else name_of(origin)
    if not untrusted.is_plain_name(name):
        raise ValueError(
            "Paths are no longer accepted as the `fname` argument. To specify the file's parent directory, use the "
            f"`cache_dir` argument. Received: fname={fname}"
        )
    folder = cache_folder(cache_dir, cache_subdir)
    if not (extract or untar):
        target = os.path.join(folder, name)
        fetch(origin, target, file_hash, hash_algorithm, force_download)
        return target
    if fname and "." in name:
        target, unpacked = os.path.join(folder, name), os.path.join(folder, f"{name.partition('.')[0]}_extracted")
    else:
        target, unpacked = os.path.join(folder, f"{name}_archive"), os.path.join(folder, name)
    fetch(origin, target, file_hash, hash_algorithm, force_download)
    if not archives.extract(target, unpacked, "tar" if untar else archive_format):
        warnings.warn(f"Could not extract archive. {target} is none of {archive_format}.", stacklevel=2)
    return unpacked

"""Data sets and ``get_file``, with small files of the real form from a server on this machine."""

import functools
import gzip
import hashlib
import http.server
import io
import json
import pickle
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

import kshim
from kshim.core import archives, download, npz, untrusted
from kshim.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
    source,
)
from kshim.utils import get_file

RNG = np.random.RandomState(3)
TEXTS = source.objects([list(map(int, RNG.randint(1, 30, RNG.randint(1, 9)))) for _ in range(20)])
LABELS = np.arange(20) % 2
DIGITS = {
    "x_train": RNG.randint(0, 256, (6, 28, 28)).astype("uint8"),
    "y_train": np.arange(6, dtype="uint8"),
    "x_test": RNG.randint(0, 256, (3, 28, 28)).astype("uint8"),
    "y_test": np.arange(3, dtype="uint8"),
}


def npz_of(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def tar_of(members, mode="w:gz"):
    """A tar of name -> bytes, or of name -> TarInfo fields."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, dict):
                for field, value in content.items():
                    setattr(info, field, value)
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_of(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def batch(labels, start):
    """A batch of CIFAR as Python 2 pickled it: protocol 2, names of numpy.core."""
    data = (np.arange(2 * 3072) + start).astype("uint8").reshape(2, 3072)
    kept = pickle.dumps({b"data": data, **{key: [start, start + 1] for key in labels}}, protocol=2)
    return kept.replace(b"numpy._core", b"numpy.core")


FILES = {
    "mnist.npz": npz_of(**DIGITS),
    "imdb.npz": npz_of(x_train=TEXTS[:12], y_train=LABELS[:12], x_test=TEXTS[12:], y_test=LABELS[12:]),
    "imdb_word_index.json": json.dumps({"the": 1, "film": 2}).encode(),
    "reuters.npz": npz_of(x=TEXTS, y=LABELS),
    "reuters_word_index.json": json.dumps({"oil": 1}).encode(),
    "boston_housing.npz": npz_of(x=np.arange(30.0).reshape(15, 2), y=np.arange(15.0)),
    "california_housing.npz": npz_of(x=np.arange(1400.0).reshape(700, 2), y=np.arange(700.0)),
    "train-labels-idx1-ubyte.gz": gzip.compress(bytes(8) + bytes(range(4))),
    "train-images-idx3-ubyte.gz": gzip.compress(bytes(16) + bytes(4 * 784)),
    "t10k-labels-idx1-ubyte.gz": gzip.compress(bytes(8) + bytes(range(2))),
    "t10k-images-idx3-ubyte.gz": gzip.compress(bytes(16) + bytes([7] * 2 * 784)),
    "cifar-10-python.tar.gz": tar_of({
        **{f"cifar-10-batches-py/data_batch_{i}": batch([b"labels"], i) for i in range(1, 6)},
        "cifar-10-batches-py/test_batch": batch([b"labels"], 9),
    }),
    "cifar-100-python.tar.gz": tar_of({
        f"cifar-100-python/{part}": batch([b"fine_labels", b"coarse_labels"], 5) for part in ("train", "test")
    }),
    "plain.txt": b"some text",
    "folder.zip": zip_of({"folder/a.txt": b"a", "folder/deep/b.txt": b"b"}),
    "folder.tar.gz": tar_of({"folder/a.txt": b"a", "folder/deep/b.txt": b"b"}),
}  # fmt: skip


class Handler(http.server.BaseHTTPRequestHandler):
    """Hands out ``FILES``; what is below ``/short/`` ends too early."""

    asked: list[str] = []  # noqa: RUF012  (one server, one list)

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.asked.append(self.path)
        if name not in FILES:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILES[name])))
        self.end_headers()
        self.wfile.write(FILES[name][:-3] if "/short/" in self.path else FILES[name])

    def log_message(self, *args):
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/"
    made.shutdown()
    made.server_close()


@pytest.fixture
def cache(server, tmp_path, monkeypatch):
    """An empty cache; the data sets' addresses and hashes are those of ``FILES``."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(source, "FOLDER", server)
    monkeypatch.setattr(source, "CIFAR", server)
    for module, name in ((mnist, "mnist.npz"), (imdb, "imdb.npz"), (reuters, "reuters.npz")):
        monkeypatch.setattr(module, "HASHES", (hashlib.sha256(FILES[name]).hexdigest(), "0" * 32))
    for module, name in (
        (boston_housing, "boston_housing.npz"), (california_housing, "california_housing.npz"),
        (cifar10, "cifar-10-python.tar.gz"), (cifar100, "cifar-100-python.tar.gz"),
    ):  # fmt: skip
        monkeypatch.setattr(module, "HASH", hashlib.sha256(FILES[name]).hexdigest())
    monkeypatch.setattr(source, "cached", functools.partial(_cached, source.cached))
    Handler.asked.clear()
    return tmp_path / "home" / "datasets"


def _cached(today, fname, origin, hashes, cache_dir=None):
    """The word indices' hashes are fixed in the code; here they are those of the files."""
    if fname.endswith(".json"):
        hashes = [hashlib.sha256(FILES[fname]).hexdigest()]
    return today(fname, origin, hashes, cache_dir)


@pytest.fixture
def in_dialect():
    yield kshim.set_dialect
    kshim.set_dialect("3")


def test_mnist_is_downloaded_once(cache, capsys):
    for _ in range(2):
        (x, y), (x_test, y_test) = mnist.load_data()
        assert np.array_equal(x, DIGITS["x_train"])
        assert np.array_equal(y_test, DIGITS["y_test"])
        assert (y.dtype, x_test.shape) == (np.uint8, (3, 28, 28))
    assert Handler.asked == ["/mnist.npz"]
    assert sorted(file.name for file in cache.iterdir()) == ["mnist.npz"]
    assert "Downloading data from" in capsys.readouterr().out


def test_an_older_kerases_file_is_taken(cache, monkeypatch):
    cache.mkdir(parents=True)
    (cache / "mnist.npz").write_bytes(FILES["mnist.npz"])
    monkeypatch.setattr(mnist, "HASHES", ("0" * 64, hashlib.md5(FILES["mnist.npz"]).hexdigest()))
    mnist.load_data()
    assert Handler.asked == []


def test_fashion_mnist(cache):
    (x, y), (x_test, y_test) = fashion_mnist.load_data()
    assert (x.shape, x_test.shape, y.tolist(), y_test.tolist()) == ((4, 28, 28), (2, 28, 28), [0, 1, 2, 3], [0, 1])
    assert x_test.min() == 7
    assert (cache / "fashion-mnist").is_dir()


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_cifar10(cache, layout):
    before = kshim.backend.image_data_format()
    kshim.backend.set_image_data_format(layout)
    try:
        (x, y), (x_test, y_test) = cifar10.load_data()
    finally:
        kshim.backend.set_image_data_format(before)
    assert x.shape == ((10, 32, 32, 3) if layout == "channels_last" else (10, 3, 32, 32))
    assert y.ravel().tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert (y.shape, y.dtype, y_test.shape) == ((10, 1), np.uint8, (2, 1))
    first = x[0, 0, :5, 0] if layout == "channels_last" else x[0, 0, 0, :5]
    assert first.tolist() == [1, 2, 3, 4, 5]
    assert x_test.dtype == np.uint8


def test_cifar100(cache):
    (_, fine), _ = cifar100.load_data()
    (_, coarse), _ = cifar100.load_data(label_mode="coarse")
    assert fine.tolist() == coarse.tolist() == [[5], [6]]
    with pytest.raises(ValueError, match=r'must be one of `"fine"`, `"coarse"`. Received: label_mode=rough'):
        cifar100.load_data("rough")


def texts(name, **arguments):
    return kshim.datasets.__dict__[name].load_data(**arguments)


def read_by_keras(keras3, name, folder, monkeypatch, **arguments):
    """What the real Keras makes of the same file."""
    module = __import__(f"keras.src.datasets.{name}", fromlist=[name])
    monkeypatch.setattr(module, "get_file", lambda *args, **kwargs: str(folder / f"{name}.npz"))
    return module.load_data(**arguments)


CHOICES = [
    {}, {"num_words": 10}, {"num_words": 10, "skip_top": 5, "oov_char": None}, {"maxlen": 7}, {"start_char": None},
    {"start_char": None, "index_from": 0}, {"seed": 5, "oov_char": 9, "skip_top": 8},
]  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_texts_are_keras(keras3, cache, monkeypatch, name, choice):
    ours = texts(name, **choice)
    theirs = read_by_keras(keras3, name, cache, monkeypatch, **choice)
    for part, other in zip(ours, theirs, strict=True):
        assert part[0].tolist() == other[0].tolist()
        assert part[1].tolist() == other[1].tolist()
        assert part[0].dtype == other[0].dtype == object


@pytest.mark.parametrize("name", ["boston_housing", "california_housing"])
def test_houses_are_keras(keras3, cache, monkeypatch, name):
    for choice in ({}, {"test_split": 0.0}, {"test_split": 0.5, "seed": 1}):
        ours = texts(name, **choice)
        theirs = read_by_keras(keras3, name, cache, monkeypatch, **choice)
        for part, other in zip(ours, theirs, strict=True):
            assert np.array_equal(part[0], other[0])
            assert np.array_equal(part[1], other[1])
    with pytest.raises(ValueError, match=r"Invalid `test_split` argument: 1"):
        texts(name, test_split=1)


def test_small_california(cache):
    (x, _), (x_test, _) = california_housing.load_data("small")
    assert (len(x), len(x_test)) == (480, 120)
    with pytest.raises(
        ValueError, match=r"must be one of 'small', 'large'. Received: version=smal. Did you mean 'small'"
    ):
        california_housing.load_data("smal")


def test_word_indices_and_names(cache):
    assert imdb.get_word_index() == {"the": 1, "film": 2}
    assert reuters.get_word_index() == {"oil": 1}
    names = reuters.get_label_names()
    assert (len(names), names[0], names[-1]) == (46, "cocoa", "lead")


def test_no_text_is_short_enough(cache):
    with pytest.raises(ValueError, match=r"shorter than maxlen=1, no sequence was kept. Increase maxlen"):
        imdb.load_data(maxlen=1)


def test_old_orders(cache, in_dialect):
    """The orders of 2.0.8, 2.2.4 and 2.3.1, written out."""
    both = np.concatenate([TEXTS, TEXTS])[:20]
    for dialect in ("2.0.8", "2.2.4", "2.3.1"):
        in_dialect(dialect)
        (x, _), (x_test, y_test) = imdb.load_data(nb_words=40, start_char=None, index_from=0, seed=4)
        if dialect == "2.0.8":
            orders = [np.random.RandomState(4).permutation(12), np.random.RandomState(8).permutation(8)]
        else:
            rng = np.random.RandomState(4)
            orders = [rng.permutation(12), rng.permutation(8)]
        assert x.tolist() == both[:12][orders[0]].tolist()
        assert x_test.tolist() == both[12:][orders[1]].tolist()
        assert y_test.tolist() == LABELS[12:][orders[1]].tolist()
        if dialect == "2.2.4":  # numpy's own generator stays where this left it
            rng.rand()
            assert np.random.rand() != rng.rand()
    (x, _), _ = imdb.load_data(maxlen=5)
    kept = [one for one in imdb.load_data()[0][0] if len(one) < 5]
    assert len(x) >= len(kept)  # up to 2.3.1 the cut between the parts stays where it was


def test_pickles_of_keras_1(cache, in_dialect, server, monkeypatch):
    monkeypatch.setattr("kshim.legacy.datasets._TEXTS", server)
    monkeypatch.setattr("kshim.legacy.datasets._PICTURES", server)
    lists = [TEXTS.tolist(), LABELS.tolist()]
    monkeypatch.setitem(FILES, "reuters.pkl", pickle.dumps(lists, protocol=2))
    monkeypatch.setitem(FILES, "reuters_word_index.pkl", pickle.dumps({"oil": 1}, protocol=0))
    pictures = tuple((DIGITS[f"x_{part}"], DIGITS[f"y_{part}"]) for part in ("train", "test"))
    monkeypatch.setitem(FILES, "mnist.pkl.gz", gzip.compress(pickle.dumps(pictures, protocol=2)))
    in_dialect("1.2.2")
    (x, y), (x_test, _) = reuters.load_data(nb_words=20, seed=2)
    order = np.random.RandomState(2).permutation(20)
    expected = [[1] + [word + 3 if word + 3 < 20 else 2 for word in one] for one in TEXTS[order]]
    assert x.tolist() + x_test.tolist() == expected
    assert y.tolist() == LABELS[order][:16].tolist()
    assert reuters.get_word_index() == {"oil": 1}
    (digits, _), (_, numbers) = mnist.load_data()
    assert np.array_equal(digits, DIGITS["x_train"])
    assert numbers.tolist() == [0, 1, 2]


# -- get_file ----------------------------------------------------------------------------------------------------


def test_get_file_checks_the_hash(cache, server):
    digest = hashlib.sha256(b"some text").hexdigest()
    path = get_file("a.txt", server + "plain.txt", file_hash=digest)
    assert Path(path).read_text() == "some text"
    assert path == str(cache / "a.txt")
    Path(path).write_text("changed")
    assert Path(get_file("a.txt", server + "plain.txt", file_hash=digest)).read_text() == "some text"
    assert get_file(origin=server + "plain.txt", md5_hash=hashlib.md5(b"some text").hexdigest()).endswith("plain.txt")
    Path(path).write_text("mine")
    assert Path(get_file("a.txt", server + "plain.txt")).read_text() == "mine"
    assert Path(get_file("a.txt", server + "plain.txt", force_download=True)).read_text() == "some text"


@pytest.mark.parametrize("where", ["short/plain.txt", "nowhere.txt", "plain.txt"])
def test_nothing_half_downloaded_stays(cache, server, where):
    cache.mkdir(parents=True)
    (cache / "a.txt").write_text("old")
    wrong = "1" * 64
    error, message = (ValueError, "Incomplete or corrupted file detected") if where == "plain.txt" else (
        OSError, "URL fetch failure on .*put the file at .*a.txt by hand"
    )  # fmt: skip
    with pytest.raises(error, match=message):
        get_file("a.txt", server + where, file_hash=wrong)
    assert [(file.name, file.read_text()) for file in cache.iterdir()] == [("a.txt", "old")]


def test_no_network(cache):
    with pytest.raises(OSError, match=r"URL fetch failure on http://127.0.0.1:9/b: .*put the file at .*datasets/b by"):
        get_file("b", "http://127.0.0.1:9/b")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", ["../a", "a/b", "..", "C:a", "a\\b", "a\0b"])
def test_names_are_no_paths(cache, server, name):
    with pytest.raises(ValueError, match=r"Paths are no longer accepted as the `fname` argument"):
        get_file(name, server + "plain.txt")
    with pytest.raises(ValueError, match=r"Please specify the `fname` argument|URL fetch|Paths are") as raised:
        get_file(origin=server + "..%2Fplain.txt/..")
    assert "fname" in str(raised.value)


def test_origin_is_needed():
    with pytest.raises(ValueError, match=r'Please specify the "origin" argument'):
        get_file("a")


@pytest.mark.parametrize("archive", ["folder.zip", "folder.tar.gz"])
def test_archives_are_unpacked(cache, server, archive):
    for fname, folder in (("data.bin", "data_extracted"), ("data", "data"), (None, archive)):
        path = get_file(fname, server + archive, extract=True)
        assert path == str(cache / folder)
        assert (cache / folder / "folder" / "deep" / "b.txt").read_text() == "b"
    assert not [file for file in cache.iterdir() if file.name.startswith(".")]
    with pytest.warns(UserWarning, match=r"Could not extract archive"):
        get_file("plain", server + "plain.txt", extract=True)


def test_older_archives_lie_beside_their_folder(cache, server, in_dialect):
    in_dialect("2.3.1")
    path = kshim.utils.get_file("folder", server + "folder.tar.gz", untar=True)
    assert path == str(cache / "folder")
    assert (cache / "folder" / "deep" / "b.txt").exists()
    assert (cache / "folder.tar.gz").exists()
    assert kshim.utils.get_file("x.zip", server + "folder.zip", extract=True) == str(cache / "x.zip")
    named = kshim.utils.get_file(str(cache / "own.txt"), server + "plain.txt")
    assert Path(named).read_text() == "some text"


def test_home_that_cannot_be_written(tmp_path, monkeypatch, server):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setattr(download.tempfile, "gettempdir", lambda: str(tmp_path))
    assert get_file("a.txt", server + "plain.txt") == str(tmp_path / ".keras" / "datasets" / "a.txt")


# -- hostile archives --------------------------------------------------------------------------------------------

LINK = {"type": tarfile.SYMTYPE}
HOSTILE = {
    "tar_up": (tar_of({"ok": b"1", "../evil": b"2"}), "no path below the folder"),
    "tar_absolute": (tar_of({"/evil": b"2"}), "no path below the folder"),
    "tar_drive": (tar_of({"C:evil": b"2"}), "no path below the folder"),
    "tar_backslash": (tar_of({"..\\evil": b"2"}), "no path below the folder"),
    "tar_link_out": (tar_of({"a": {**LINK, "linkname": "../../evil"}}), "no path below|no file of the archive"),
    "tar_link_absolute": (tar_of({"a": {**LINK, "linkname": "/etc/passwd"}}), "no path below|no file of the archive"),
    "tar_hard_link": (tar_of({"a": {"type": tarfile.LNKTYPE, "linkname": "../evil"}}), "no path below"),
    "tar_link_then_file": (tar_of({"a": {**LINK, "linkname": ".."}, "a/evil": b"2"}), "no file|no path|damaged"),
    "tar_device": (tar_of({"a": {"type": tarfile.CHRTYPE}}), "a device"),
    "tar_fifo": (tar_of({"a": {"type": tarfile.FIFOTYPE}}), "a device"),
    "zip_up": (zip_of({"../evil": b"2"}), "no path below the folder"),
    "zip_absolute": (zip_of({"/evil": b"2"}), "no path below the folder"),
    "zip_cut": (zip_of({"a": bytes(range(256)) * 9})[:-30], "damaged"),
    "tar_cut": (tar_of({"a": bytes(np.random.RandomState(0).bytes(9000))})[:-400], "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_leave_nothing(tmp_path, name):
    content, message = HOSTILE[name]
    (tmp_path / "archive").write_bytes(content)
    if name == "zip_cut":
        assert not archives.extract(tmp_path / "archive", tmp_path / "out")
        return
    with pytest.raises(ValueError, match=message) as raised:
        archives.extract(tmp_path / "archive", tmp_path / "out")
    assert "archive" in str(raised.value)
    assert [file.name for file in tmp_path.iterdir()] == ["archive"]


def test_links_inside_become_files(tmp_path):
    (tmp_path / "a.tar").write_bytes(tar_of({"d/a": b"text", "d/b": {**LINK, "linkname": "a"}}, "w"))
    assert archives.extract(tmp_path / "a.tar", tmp_path / "out")
    assert (tmp_path / "out" / "d" / "b").read_text() == "text"
    assert not (tmp_path / "out" / "d" / "b").is_symlink()


@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_bombs(tmp_path, monkeypatch, make):
    monkeypatch.setattr(untrusted, "FLOOR", 10_000)
    (tmp_path / "bomb").write_bytes(make({f"a{i}": bytes(60_000) for i in range(9)}))
    with pytest.raises(untrusted.RefusedFileError, match=r"more than .* bytes in all"):
        archives.extract(tmp_path / "bomb", tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["bomb"]


def test_a_link_in_the_way_is_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a.zip").write_bytes(FILES["folder.zip"])
    with pytest.raises(FileExistsError, match=r"Expected a folder to unpack to"):
        archives.extract(tmp_path / "a.zip", tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


# -- pickles -----------------------------------------------------------------------------------------------------


class Evil:
    """Its pickle would call a function."""

    def __reduce__(self):
        return (print, ("run",))


def test_pickles_run_nothing(tmp_path, capsys):
    path = tmp_path / "evil.npz"
    array = np.empty(1, object)
    array[0] = Evil()
    path.write_bytes(npz_of(x=array))
    with pytest.raises(untrusted.RefusedFileError, match=r"evil.npz/x.npy: .* no plain data: the name builtins.print"):
        npz.load(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", [
    {"a": np.arange(6.0).reshape(2, 3), "b": [1, 2]}, (np.array(["x", "yy"]), b"bytes"),
    np.asfortranarray(np.ones((2, 3))), [np.arange(3, dtype=">i4")],
    {"n": {"deep": (np.float32(1).reshape(1), None, True)}},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_plain_pickles_are_read(value, protocol):
    read = npz.load_pickle(io.BytesIO(pickle.dumps(value, protocol=protocol)), "file")
    assert repr(read) == repr(value)


def test_claims_are_checked(tmp_path):
    path = tmp_path / "big.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    path.write_bytes(zip_of({"x.npy": header.getvalue() + bytes(80)}))
    with pytest.raises(untrusted.RefusedFileError, match=r"a claim of shape \(1000000000000,\) in"):
        npz.load(path)
    path.write_bytes(b"no zip at all")
    with pytest.raises(ValueError, match=r"expected an .npz, a zip of numpy arrays"):
        npz.load(path)

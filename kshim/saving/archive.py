"""``.keras`` files: a zip archive of the config, the weights, and what layers keep besides.

``config.json`` is the model as a config, ``model.weights.h5`` a file of weights in Keras 3's layout, ``assets/`` has a
folder for each layer with a ``save_assets``, by its place in the model. Source: Keras 3 ``saving/saving_lib.py``.
"""

import contextlib
import datetime
import json
import os
import shutil
import tempfile
import zipfile

from kshim import initializers
from kshim.core import archives, files, serialization, settings, untrusted
from kshim.saving import h5, layouts, region, versions, weights

CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets"
MOST_TEXT = 1 << 28  # bytes of JSON


def write(model, path, include_optimizer=True):
    """Write ``model`` to ``path``; the file appears when it is whole."""
    with settings.as_dialect("3"):
        config = serialization.serialize_keras_object(model)
        if not include_optimizer:
            config.pop("compile_config", None)
        text = json.dumps(config)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    told = {"keras_version": versions.KERAS_VERSION, "date_saved": now, "kshim_dialect": settings.dialect()}
    module = h5.h5py()

    def write_weights(file):
        with module.File(file, "w") as opened:
            weights.write_keras_3(opened, model, include_optimizer)

    with files.replacing(path) as temporary, open(temporary, "w+b") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(METADATA, json.dumps(told))
        archive.writestr(CONFIG, text)
        region.write_member(archive, WEIGHTS, write_weights)
        with tempfile.TemporaryDirectory() as folder:
            for slot, inside in _with_assets(model, "save_assets"):
                place = os.path.join(folder, *inside.split("/"))
                os.makedirs(place)
                slot.save_assets(place)
                for name in sorted(os.listdir(place)):
                    if os.path.isfile(os.path.join(place, name)):
                        archive.write(os.path.join(place, name), f"{inside}/{name}")


def _with_assets(model, method):
    for path, owner, _ in layouts.keras_3(model):
        if callable(getattr(owner, method, None)):
            yield owner, f"{ASSETS}/{path}"


def load(path, compile=True):
    """The model in ``path``, within the scopes of custom objects and safe mode that are open.

    Raises:
        RefusedFileError: it holds what no model needs, or more than it may.
        ValueError: it is damaged, or is no Keras file.
    """
    with _opened(path) as archive:
        config = read_json(path, archive, CONFIG)
        told = read_json(path, archive, METADATA) if _has(archive, METADATA) else {}
        version = told.get("keras_version") or versions.KERAS_VERSION
        if not compile:
            config.pop("compile_config", None)
        compiled = config.pop("compile_config", None)
        with versions.reading(version, told.get("kshim_dialect")) as made:
            with initializers.undrawn() if _has(archive, WEIGHTS) else contextlib.nullcontext():
                model = made(serialization.revive(config))
            if compiled:
                model.compile_from_config(compiled)
            if _has(archive, WEIGHTS):
                load_weights(path, archive, model, before_3=not settings.holds(since="3"))
            elif any(name.startswith("model.weights.") for name in archive.namelist()):
                raise NotImplementedError(
                    f"{path}: kshim reads weights of `.keras` files from one {WEIGHTS!r}. Received: "
                    f"{archive.namelist()}. Save the model in Keras with the default options."
                )
        _load_assets(path, archive, model)
    return model


def load_weights(path, archive, model, before_3=False):
    """Read the weights in an open archive into ``model``; nothing changes unless all fit."""
    with region.open_member(path, archive, archive.getinfo(WEIGHTS)) as file, h5.Reader(file) as reader:
        values = weights.read(weights.match_keras_3(reader, model, False, before_3))
    weights.assign(values)


@contextlib.contextmanager
def _opened(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            twice = next((name for name in names if names.count(name) > 1), None) if len(names) < 10_000 else "many"
            if twice is not None:
                untrusted.refuse(path, "its members", f"several of one name, {twice!r}")
            yield archive
    except untrusted.RefusedFileError:
        raise
    except archives.BROKEN as error:
        if isinstance(error, (FileNotFoundError, PermissionError, NotImplementedError, RecursionError)):
            raise
        raise ValueError(f"{path}: the file cannot be read, it is damaged or no Keras file: {error}") from error


def _has(archive, name):
    return name in archive.NameToInfo


def read_json(path, archive, name):
    """A member as JSON, which must be an object.

    Raises: RefusedFileError, ValueError.
    """
    if not _has(archive, name):
        raise ValueError(f"{path}: expected a Keras file with a member {name!r}. Received: {archive.namelist()[:20]}.")
    info = archive.getinfo(name)
    if info.file_size > min(MOST_TEXT, untrusted.limit(path)):
        untrusted.refuse(path, f"the member {name!r}", f"{info.file_size} bytes of text")
    return parsed(path, name, archive.read(info))


def parsed(path, part, text):
    """JSON text as a dict; ``path`` and ``part`` say where it was."""
    try:
        found = json.loads(text)
    except RecursionError:
        untrusted.refuse(path, part, "nested too deep")
    except ValueError as error:
        raise ValueError(f"{path}: {part} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected {part} to be a JSON object. Received: {type(found).__name__}.")
    return found


def _load_assets(path, archive, model):
    for owner, inside in _with_assets(model, "load_assets"):
        members = [info for info in archive.infolist() if info.filename.startswith(f"{inside}/") and not info.is_dir()]
        if not members:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for info in members:
                name = info.filename[len(inside) + 1 :]
                if not untrusted.is_plain_name(name):
                    continue  # it belongs to a layer within
                target = os.path.join(folder, name)
                with region.open_member(path, archive, info) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, region.BLOCK)
            owner.load_assets(folder)

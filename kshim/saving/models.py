"""``save_model`` and ``load_model``.

Source: Keras 3 ``saving/saving_api.py``.
"""

import os
import zipfile

from kshim.core import bytecode, files, settings
from kshim.core.registry import custom_object_scope
from kshim.core.untrusted import RefusedFileError
from kshim.saving import archive, h5, whole_h5

H5 = (".h5", ".hdf5")
_NOT_THERE = "kshim has no {}. Received: {}. Save to a path that ends in `.keras`, or in `.h5` for older Kerases."


def save_model(model, filepath, overwrite=True, zipped=None, include_optimizer=True, save_format=None):
    """Write a whole model: config, weights, how it is compiled and the optimizer's state.

    Args:
        model: the model.
        filepath: path that ends in ``.keras``, or in ``.h5`` or ``.hdf5`` for the format of Keras 1 and 2; up to 2.3.1
            any path is HDF5.
        overwrite: whether an existing file is replaced unasked; otherwise the terminal asks.
        zipped: True or None; a folder in place of the file is not supported.
        include_optimizer: whether how it is compiled and the optimizer's state are written.
        save_format: "keras" or "h5", where the path does not tell.

    Raises:
        ValueError: the path ends otherwise.
        NotImplementedError: TensorFlow's SavedModel, or a folder.
        TypeError: a part of the model has no config.
    """
    path = os.fspath(filepath)
    if zipped is False:
        raise NotImplementedError(_NOT_THERE.format("models as folders", f"zipped=False, filepath={path}"))
    if save_format == "tf" or (save_format is None and settings.holds(since="tf.keras", until="tf.keras")
                               and not path.endswith((".keras", *H5))):  # fmt: skip
        raise NotImplementedError(_NOT_THERE.format("SavedModel of TensorFlow", f"filepath={path}"))
    if save_format not in (None, "keras", "h5"):
        raise ValueError(f"Unknown `save_format`. Expected 'keras', 'h5' or None. Received: {save_format!r}.")
    is_h5 = save_format == "h5" or path.endswith(H5)
    is_h5 = is_h5 or (settings.holds(until="2.3.1") and not path.endswith(".keras"))  # any path was HDF5 then
    if not is_h5 and not path.endswith(".keras") and save_format is None:
        raise ValueError(
            "Invalid filepath extension for saving. Please add either a `.keras` extension for the native Keras format "
            "(recommended) or a `.h5` extension. Use `model.export(filepath)` if you want to export a SavedModel for "
            f"use with TFLite/TFServing/etc. Received: filepath={path}."
        )
    if files.may_write(path, overwrite):
        (whole_h5 if is_h5 else archive).write(model, path, include_optimizer)


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """The whole model in a file of any Keras or of kshim: ``.keras``, or ``.h5`` of Keras 1, 2, tf.keras and 3.

    Args:
        filepath: path. The format is told by the content.
        custom_objects: dict of name to the user's class or function.
        compile: whether the model is compiled as it was, with the optimizer's state.
        safe_mode: whether functions as bytecode are refused. False runs whatever the writer of the file wanted.

    Raises:
        RefusedFileError: it holds what could do harm; a ValueError.
        ValueError: there is no such file, or it is damaged, or names what is not registered.
    """
    path = os.fspath(filepath)
    if not os.path.exists(path):
        kind = "an accessible `.h5` file" if path.endswith(H5) else "an accessible `.keras` zip file"
        raise _Missing(f"File not found: filepath={path}. Please ensure the file is {kind}.")
    if os.path.isdir(path):
        raise NotImplementedError(_NOT_THERE.format("SavedModel or model folder to read", f"filepath={path}"))
    if zipfile.is_zipfile(path):
        read = archive.load
    elif _is_hdf5(path):
        read = whole_h5.load
    else:
        raise ValueError(
            f"File format not supported: filepath={path}. Keras 3 only supports V3 `.keras` files and legacy H5 format "
            "files (`.h5` extension). Received: a file that is neither, or is cut off."
        )
    try:
        with custom_object_scope(custom_objects or {}), bytecode.safe_mode_scope(safe_mode):
            return read(path, compile)
    except RefusedFileError as error:
        if path in str(error):
            raise
        raise RefusedFileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise RefusedFileError(f"{path}: refused to read its config, which is nested too deep.") from error
    except (OSError, RuntimeError) as error:
        if path in str(error) or isinstance(error, NotImplementedError):
            raise
        raise OSError(f"{path}: the file cannot be read, it is damaged: {error}") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: the file's config does not make a model: {type(error).__name__}: {error}") from error


class _Missing(ValueError, FileNotFoundError):
    """No such file: Keras 3 raises ValueError, those before it OSError."""


def _is_hdf5(path):
    return bool(h5.h5py().is_hdf5(path))

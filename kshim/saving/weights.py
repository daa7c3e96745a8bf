"""``save_weights`` and ``load_weights``.

Source: Keras 3 ``saving/saving_api.py``; the layouts in ``saving/layouts.py``.
"""

import os
import warnings
from collections.abc import Callable

import torch

from kshim.core import checks, files, settings
from kshim.layers import Layer
from kshim.saving import h5, layouts

from_old: Callable | None = None  # hook: (layer, arrays, keras version, backend) -> arrays in today's shapes
old_state: Callable | None = None  # hook: (model, optimizer's arrays, names) -> in today's order, in the file's dialect
SUFFIXES = (".weights.h5", ".h5", ".hdf5")
LAYOUT_VERSION = "2.3.1"  # whose layout the ".h5" files have


def save_weights(model, filepath, overwrite=True):
    """Write the weights of ``model``, and the optimizer's state where it has one and the layout keeps it.

    Args:
        model: a built model.
        filepath: path that ends in ``.weights.h5`` (Keras 3's layout), or in ``.h5`` or ``.hdf5`` (Keras 2's, without
            the optimizer).
        overwrite: whether an existing file is replaced unasked; otherwise the terminal asks.

    Raises:
        ValueError: the model is not built; ``filepath`` ends otherwise.
        ImportError: h5py is not installed.
    """
    path = os.fspath(filepath)
    _check_built(model, "saving a model")
    write = write_keras_3 if _keras_3_by_name(path) else write_keras_2
    module = h5.h5py()
    if not files.may_write(path, overwrite):
        return
    with files.replacing(path) as temporary, module.File(temporary, "w") as file:
        write(file, model)


def load_weights(model, filepath, skip_mismatch=False, by_name=False):
    """Read the weights of ``model``. All of the file is checked first: where something is wrong, nothing is changed.

    Args:
        model: a built model.
        filepath: path of a file that any Keras' or kshim's ``save_weights`` wrote, or a whole model in Keras 2's
            ``.h5`` form. The layout is told by the content.
        skip_mismatch: whether layers that do not fit are left as they are, with a warning, rather than raise.
        by_name: whether layers are found by name rather than by position (Keras 2's layout only); those whose name is
            not in the file are left as they are.

    Raises:
        ValueError: the model is not built; a layer does not fit; the file has what a file of weights never has.
        ImportError: h5py is not installed.
        OSError: there is no such file, or it is no HDF5 file.
    """
    path = os.fspath(filepath)
    _keras_3_by_name(path)
    _check_built(model, "loading weights into a model")
    with h5.Reader(path) as reader:
        root = reader.file
        if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
            root = reader.group("model_weights")
        if root is None:
            if by_name:
                raise ValueError(
                    "`by_name` only supports loading legacy '.h5' or '.hdf5' files. "
                    f"Received: {path!r}, which has Keras 3's layout. Load it without by_name."
                )
            found = match_keras_3(reader, model, skip_mismatch)
        else:
            found = match_keras_2(reader, root, model, skip_mismatch, by_name)
        values = read(found)
    assign(values)


def read(found):
    """The pairs of ``match_keras_3`` and ``match_keras_2`` with values in the place of datasets."""
    return [
        (to, {name: h5.read(part) for name, part in data.items()} if isinstance(data, dict) else h5.read(data))
        for to, data in found
    ]


def assign(values):
    """Write the pairs of ``read``."""
    with torch.no_grad():
        for to, value in values:
            if isinstance(value, dict):
                if value:
                    to.load_own_variables({name: array.numpy() for name, array in value.items()})
            elif hasattr(to, "assign"):
                to.assign(value)
            else:
                to.data.copy_(value)


def _keras_3_by_name(path):
    """Whether ``path`` is meant to have Keras 3's layout; ValueError for a suffix that means nothing."""
    if settings.holds(until="2.3.1"):  # any path was Keras 2's HDF5 then
        return False
    if not path.endswith(SUFFIXES):
        raise ValueError(
            "The filename must end in `.weights.h5` (Keras 3's weights), `.h5` or `.hdf5` (Keras 2's). "
            f"Received: filepath={path}"
        )
    return path.endswith(".weights.h5")


def _check_built(model, doing):
    if not model.built:
        raise ValueError(
            f"You are {doing} that has not yet been built. Received: {checks.describe(model)}, built=False. "
            "Try building the model first by calling it on some data or by using `build()`."
        )


# -- Keras 3's layout ------------------------------------------------------------------------------------------


def write_keras_3(file, model, include_optimizer=True):
    """Write the weights of ``model``, and its optimizer's state unless left out, into the HDF5 file."""
    for path, owner, variables in [*layouts.keras_3(model), *(_optimizer_slots(model) if include_optimizer else [])]:
        group = file.create_group(f"{path}/vars".lstrip("/"))
        if isinstance(getattr(owner, "name", None), str):
            group.attrs["name"] = owner.name
        store = {str(index): variable for index, variable in enumerate(variables)}
        if _has_own(owner, "save_own_variables"):
            store = {}
            owner.save_own_variables(store)
        for name, value in store.items():
            h5.write(group, name, value)


def _has_own(owner, method):
    """Whether the class of a layer has written ``save_own_variables`` or ``load_own_variables`` anew."""
    return isinstance(owner, Layer) and getattr(type(owner), method) is not getattr(Layer, method)


def _optimizer_slots(model):
    """The compiled optimizer's place in the file; none for a plain torch optimizer."""
    optimizer = getattr(model, "optimizer", None)
    variables = getattr(optimizer, "variables", None)
    return [] if not variables else [layouts.Slot("optimizer", optimizer, list(variables))]


def match_keras_3(reader, model, skip_mismatch, before_3=False):
    """``(variable, dataset)`` pairs, all checked; a layer with a ``load_own_variables`` stands for its variables.

    ``before_3``: whether tf.keras wrote the file, whose optimizers have other variables.
    """
    found, failed = [], {}
    for path, owner, variables in layouts.keras_3(model):
        group = reader.group(f"{path}/vars".lstrip("/"))
        if _has_own(owner, "load_own_variables"):
            found.append((owner, {} if group is None else {name: reader.array(name, group) for name in group}))
            continue
        data = _numbered(reader, group)
        name = getattr(owner, "name", None)
        reason = _misfit(repr(name) if isinstance(name, str) else type(owner).__name__, variables, data)
        if reason:
            failed[owner] = reason
        else:
            found += zip(variables, data, strict=True)
    if failed:
        _report(failed, skip_mismatch)
    for path, optimizer, variables in _optimizer_slots(model):
        data = _numbered(reader, reader.group(f"{path}/vars"))
        if before_3 and old_state is not None:
            data = [torch.as_tensor(array) for array in old_state(model, [d[()] for d in data], [])]
        if [tuple(v.shape) for v in variables] == [tuple(d.shape) for d in data]:
            found += zip(variables, data, strict=True)
        else:
            warnings.warn(
                f"Skipping variable loading for optimizer '{getattr(optimizer, 'name', type(optimizer).__name__)}', "
                f"because it has {len(variables)} variables whereas the saved optimizer has {len(data)} variables.",
                UserWarning,
                stacklevel=4,
            )
    return found


def _numbered(reader, group):
    """The checked datasets ``0``, ``1``, ... of ``group``."""
    if group is None:
        return []
    return [reader.array(str(index), group) for index in range(len(group)) if reader.has(str(index), group)]


def _misfit(name, variables, data):
    """Why ``data`` cannot be the values of ``variables``, or None."""
    if len(variables) != len(data):
        return (
            f"Layer {name} expected {len(variables)} variables, but received {len(data)} variables during loading. "
            f"Expected: {[getattr(v, 'name', '') for v in variables]}"
        )
    for index, (variable, array) in enumerate(zip(variables, data, strict=True)):
        if tuple(variable.shape) != array.shape:
            return (
                f"Layer {name}: shape mismatch for variable {index} ({getattr(variable, 'name', '')!r}): "
                f"expected shape {tuple(variable.shape)}. Received: shape {array.shape}."
            )
    return None


def _report(failed, skip_mismatch):
    """Raise, or warn, that objects do not fit; ``failed`` is owner -> reason."""
    message = (
        f"A total of {len(failed)} objects could not be loaded. Example error message for object "
        f"{next(iter(failed))}:\n\n{next(iter(failed.values()))}\n\n"
        f"List of objects that could not be loaded:\n{list(failed)}"
    )
    if not skip_mismatch:
        raise ValueError(f"{message}\n\nThe model is unchanged. skip_mismatch=True loads all that fits.")
    warnings.warn(message, UserWarning, stacklevel=4)


# -- Keras 2's layout ------------------------------------------------------------------------------------------


def write_keras_2(file, model, version=LAYOUT_VERSION):
    """Write the weights of ``model`` into an HDF5 file or group, as ``version`` of Keras does."""
    slots = layouts.keras_2(model)
    h5.write_names(file, "layer_names", [slot.path for slot in slots])
    file.attrs["backend"] = b"torch"
    file.attrs["keras_version"] = version.encode()
    # Sorted, since HDF5 makes the groups of a name with slashes: "a/b" before "a" would be in its way.
    for path, _, variables in [*sorted(slots, key=lambda slot: slot.path), layouts.top_level(model)]:
        group = file.create_group(path)
        weight_names = _weight_names(variables)
        h5.write_names(group, "weight_names", weight_names)
        for name, variable in zip(weight_names, variables, strict=True):
            h5.write(group, name, variable)


def _weight_names(variables):
    """``dense/kernel:0`` for each variable."""
    return [f"{name}:0" for name in distinct([getattr(v, "path", "variable") for v in variables])]


def distinct(names):
    """``names``, where one that occurs again has a number."""
    found: dict = {}
    for base in names:
        name, count = base, 0
        while name in found:
            count += 1
            name = f"{base}_{count}"
        found[name] = None
    return list(found)


def match_keras_2(reader, root, model, skip_mismatch, by_name):
    """``(variable, dataset)`` pairs, all checked."""
    saved = []
    for name in reader.names(root, "layer_names"):
        group = reader.group(name, root)
        if group is None:
            h5.refuse("a layer that is named but not there", name)
        data = [reader.array(weight, group) for weight in reader.names(group, "weight_names")]
        if data:
            saved.append((name, data))
    slots = [slot for slot in layouts.keras_2(model) if slot.variables]
    if by_name:
        pairs = [(slot, name, data) for name, data in saved for slot in slots if slot.path == name]
    elif len(saved) == len(slots):
        pairs = [(slot, *each) for slot, each in zip(slots, saved, strict=True)]
    else:
        raise ValueError(
            "Layer count mismatch when loading weights from file. Model expected "
            f"{len(slots)} layers, found {len(saved)} saved layers. Received: {[name for name, _ in saved]} for the "
            f"layers {[slot.path for slot in slots]}. by_name=True loads the layers whose names agree."
        )
    top = layouts.top_level(model)
    group = reader.group(top.path, root)
    if group is not None:
        data = [reader.array(weight, group) for weight in reader.names(group, "weight_names")]
        pairs.append((top, top.path, data))
    version, backend = h5.versions(reader, root)
    found, failed = [], {}
    for (_, layer, variables), name, stored in pairs:
        data = stored
        if from_old is not None:
            data = from_old(layer, stored, version, backend)
        reason = _misfit(f"{layer.name!r} (named {name!r} in the file)", variables, data)
        if reason:
            failed[layer] = reason
        else:
            found += zip(variables, data, strict=True)
    if failed:
        _report(failed, skip_mismatch)
    return found

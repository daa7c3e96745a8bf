"""Strings and ints to bins by hash: Hashing, HashedCrossing, and what every layer that takes strings shares.

torch has no strings: they come as numpy arrays, lists or single texts, and go out as numpy arrays.
"""

import functools

import numpy as np
import torch

from kshim.core import arrays, checks, dtypes, settings, tree
from kshim.core.checks import positive_int
from kshim.graph import infer
from kshim.graph import node as nodes
from kshim.graph.keras_tensor import KerasTensor
from kshim.layers.preprocessing.fingerprints import cross, fingerprint64, siphash64
from kshim.layers.preprocessing.numeric import STRINGS, ArrayLayer, check_mode, encode


class StringLayer(ArrayLayer):
    """A layer that takes arrays of texts; what it makes of them is on the device the layer was moved to."""

    takes_strings = True
    input_dtype: str | None = None  # of the Input that a model makes for it; None means ``floatx()``

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.__dict__["_anchor"] = torch.empty(0, device="cpu")
        self.built = True

    @property
    def device(self):
        """Where the results are."""
        return self._anchor.device

    def _apply(self, fn, recurse=True):
        self.__dict__["_anchor"] = fn(self._anchor)
        return super()._apply(fn, recurse)

    def forward(self, *args, **kwargs):
        """``layer(inputs)``; a single text is one, too."""
        if args and isinstance(args[0], (str, bytes)):
            args = (self.as_array(args[0]), *args[1:])
        return super().forward(*args, **kwargs)

    def as_array(self, inputs):
        """As on ``ArrayLayer``; texts stay Python's own, since an array of ``str`` makes all as long as the longest."""
        leaves = tree.flatten(inputs)
        if not leaves:
            return np.zeros(np.shape(inputs), str if self.input_dtype == "string" else int)
        if isinstance(inputs, (list, tuple, str, bytes)) and isinstance(leaves[0], (str, bytes)):
            array = np.array(inputs, dtype=object)
            if any(isinstance(leaf, (list, tuple)) for leaf in array.ravel()[:1]):
                checks.fail(self, "rows of one length", f"inputs={inputs!r}", "Pad them to a rectangle.")
            return array
        return super().as_array(inputs)

    def texts(self, array, encoding="utf-8"):
        """The texts in an array, a flat list of ``str``; what is not in ``encoding`` stays apart, too.

        Raises: ValueError for anything but texts.
        """
        kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
        found = array.ravel().tolist() if kind in STRINGS and kind else [None]
        kinds = set(map(type, found))
        if kinds <= {str}:
            return found
        if not all(issubclass(k, (str, bytes)) for k in kinds):
            checks.fail(self, "strings", f"{type(array).__name__} of {getattr(array, 'dtype', None)}: {array!r}")
        return [str(t) if isinstance(t, str) else t.decode(encoding, "surrogateescape") for t in found]

    def _record(self, args, kwargs):
        """The call on symbolic tensors."""
        return nodes.Node(self, args, kwargs, self._specs(args), self.name).structure

    def _specs(self, args):
        """Shape and dtype of the output; numbers stand for strings, of which torch has none."""

        def numbers(leaf):
            return KerasTensor(leaf.shape, "int64") if leaf._dtype == "string" else leaf

        return infer.outputs(self.call, tree.map_structure(numbers, list(args)), {})

    def lowered_call(self, node):
        """The bare ``call``: what else happens around it is for numbers."""
        hooked = self._forward_hooks or self._forward_pre_hooks
        return None if hooked or node.kwargs else (self.call, False)


def fingerprints(texts, salt, bins):
    """The bin of each of a list of texts or bytes: an int64 array."""
    data = [t if isinstance(t, bytes) else t.encode("utf-8", "surrogateescape") for t in texts]
    hashes = fingerprint64(data) if salt is None else siphash64(data, salt)
    return (hashes % np.uint64(bins)).astype(np.int64)


def written(values):
    """An array of ints or bools as TensorFlow writes them: a flat list of bytes."""
    if values.dtype.kind == "b":
        return [b"true" if value else b"false" for value in values.ravel()]
    return values.ravel().astype("S").tolist()


def pair(owner, name, value):
    """``salt`` as two ints; one means the same twice."""
    if checks.as_int(value) is not None:
        return [value, value]
    if value is not None and not (isinstance(value, (tuple, list)) and len(value) == 2):
        checks.fail(owner, f"`{name}` to be an int or two of them", f"{name}={value!r}")
    return value if value is None else list(value)


def _untraced(function):
    """``torch.compiler.disable``, which loads the compiler, put off until one is at work: numpy can't be traced."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call


@_untraced
def hashed(layer, inputs, salt, bins):
    """The bin of each int of a tensor, or text of an array, as a tensor."""
    if isinstance(inputs, torch.Tensor):
        device, shape = inputs.device, inputs.shape
        tokens = written(arrays.to_numpy(inputs))
    else:
        device, shape, tokens = layer.device, inputs.shape, layer.texts(inputs)
    return torch.as_tensor(fingerprints(tokens, salt, bins).reshape(shape), device=device)


class Hashing(StringLayer):
    """The bin, out of ``num_bins``, that a hash of each string or int falls into.

    Args:
        num_bins: how many bins there are, an int above 0.
        mask_value: the value whose bin is 0 and that nothing else shares; None for none.
        salt: None for FarmHash64, an int or two for SipHash64 with that key.
        output_mode: "int", or "one_hot", "multi_hot" or "count" as in ``CategoryEncoding``.
        sparse: must be false.

    Shapes:
        any -> the same, int64, for "int"; otherwise as ``CategoryEncoding``.

    Raises:
        ValueError: an argument is none of these; ``dtype`` is no int type in "int" mode.

    Source: Keras 3 ``layers/preprocessing/hashing.py``; the values are TensorFlow's.
    """

    def __init__(self, num_bins, mask_value=None, salt=None, output_mode="int", sparse=False, **kwargs):
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = "int64" if output_mode == "int" else settings.floatx()
        super().__init__(autocast=False, **kwargs)
        check_mode(self, output_mode, sparse, ("int", "one_hot", "multi_hot", "count"))
        if output_mode == "int" and self.compute_dtype not in ("int32", "int64"):
            checks.fail(self, "`dtype` to be 'int32' or 'int64' for output_mode='int'", f"dtype={kwargs['dtype']!r}")
        self.keep(
            {"num_bins": num_bins, "mask_value": mask_value, "salt": salt, "output_mode": output_mode,
             "sparse": sparse}, num_bins=positive_int, salt=pair,
        )  # fmt: skip

    def call(self, inputs):
        if isinstance(inputs, torch.Tensor):
            inputs = inputs.long() if inputs.is_floating_point() else inputs
            found = inputs.long() if inputs.is_meta else self._bins(inputs)
        else:
            found = self._bins(inputs)
        return encode(found, self.output_mode, self.num_bins, dtypes.TORCH[self.compute_dtype])

    def _bins(self, inputs):
        masked = self.mask_value is not None and self.num_bins > 1
        found = hashed(self, inputs, self.salt, self.num_bins - masked)
        if not masked:
            return found
        if isinstance(inputs, torch.Tensor):
            return (found + 1) * (inputs != self.mask_value)
        kept = np.array([text != self.mask_value for text in self.texts(inputs)]).reshape(inputs.shape)
        return (found + 1) * torch.as_tensor(kept, device=found.device)


class HashedCrossing(StringLayer):
    """The bin, out of ``num_bins``, that a hash of several features together falls into.

    Args:
        num_bins: how many bins there are, an int above 0.
        output_mode: "int" or "one_hot".
        sparse: must be false.

    Shapes:
        a list of two or more of one shape, ``()``, ``(batch,)`` or ``(batch, 1)``, strings or ints -> the same, int64;
        for "one_hot" with a last axis of ``num_bins``.

    Raises:
        ValueError: an argument or a call is none of these.

    Source: Keras 3 ``layers/preprocessing/hashed_crossing.py``; the values are TensorFlow's.
    """

    def __init__(self, num_bins, output_mode="int", sparse=False, name=None, dtype=None, **kwargs):
        if output_mode == "int" and dtype is None:
            dtype = "int64"
        super().__init__(name=name, dtype=dtype, autocast=False, **kwargs)
        check_mode(self, output_mode, sparse, ("int", "one_hot"))
        self.keep({"num_bins": num_bins, "output_mode": output_mode, "sparse": sparse}, num_bins=positive_int)

    def as_array(self, inputs):
        """Each feature as an array."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            checks.fail(self, "a list of at least two inputs", f"inputs={inputs!r}")
        return [super(HashedCrossing, self).as_array(x) for x in inputs]

    def call(self, inputs):
        shape = tuple(inputs[0].shape)
        if len(shape) > 2 or shape[1:] not in ((), (1,)) or any(tuple(x.shape) != shape for x in inputs):
            checks.fail(
                self, "inputs of one shape, (), (batch,) or (batch, 1)", f"shapes {[tuple(x.shape) for x in inputs]}"
            )
        for x in inputs:
            if isinstance(x, torch.Tensor) and not x.is_meta and (x.is_floating_point() or x.dtype is torch.bool):
                checks.fail(self, "inputs of ints or strings", f"an input of dtype {x.dtype}")
        if any(isinstance(x, torch.Tensor) and x.is_meta for x in inputs):
            found = next(x for x in inputs if isinstance(x, torch.Tensor)).long()
        else:
            found = self._crossed(inputs, shape)
        return encode(found, self.output_mode, self.num_bins, dtypes.TORCH[self.compute_dtype])

    @_untraced
    def _crossed(self, inputs, shape):
        columns, device = [], self.device
        for x in inputs:
            if isinstance(x, torch.Tensor):
                device = x.device
                columns.append(arrays.to_numpy(x.long()).ravel().view(np.uint64))
            else:
                columns.append(fingerprint64([t.encode("utf-8", "surrogateescape") for t in self.texts(x)]))
        found = (cross(columns) % np.uint64(self.num_bins)).astype(np.int64)
        return torch.as_tensor(found.reshape(shape), device=device)

    def get_config(self):
        config = super().get_config() | {"dtype": self.dtype}
        del config["trainable"]
        return config

"""What all applications share: the pictures' scale, the input's shape, and the names of ImageNet's classes.

Source: Keras 3 ``applications/imagenet_utils.py``.
"""

import json

import numpy as np
import torch

from kshim import ops
from kshim.applications import weights as files
from kshim.core import arrays, checks, settings
from kshim.core.download import get_file
from kshim.graph.keras_tensor import is_symbolic

__all__ = ["correct_pad", "decode_predictions", "obtain_input_shape", "preprocess_input"]

# mode -> divisor, whether RGB becomes BGR, mean and deviation of the channels
MODES = {
    "caffe": (None, True, (103.939, 116.779, 123.68), None),
    "tf": (127.5, False, 1.0, None),
    "torch": (255.0, False, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
CLASS_INDEX = None  # "0" -> ["n01440764", "tench"], ...; read on first use


def preprocess_input(x, data_format=None, mode="caffe"):
    """Pictures as the weights of a model were trained on them.

    Args:
        x: array, tensor or symbolic tensor of one picture or a batch, RGB of 0 to 255. A NumPy array of floats is
            written over; so is a tensor of floats, in the modes ``"tf"`` and ``"torch"``. Ints become ``floatx()``.
        data_format: ``"channels_last"`` or ``"channels_first"``; None means ``image_data_format()``.
        mode: ``"caffe"`` makes RGB to BGR and takes the channels' means away, without scaling; ``"tf"`` scales to
            [-1, 1]; ``"torch"`` scales to [0, 1] and then by each channel's mean and deviation.

    Returns:
        array or tensor of the shape of ``x``.

    Raises:
        ValueError: unknown ``mode`` or ``data_format``.
    """
    if mode not in MODES:
        raise ValueError(f"Expected mode to be one of `caffe`, `tf` or `torch`. Received: mode={mode}")
    if data_format is None:
        data_format = settings.image_data_format()
    elif data_format not in settings.DATA_FORMATS:
        raise ValueError(
            "Expected data_format to be one of `channels_first` or `channels_last`. "
            f"Received: data_format={data_format}"
        )
    x = _floats(x)
    divisor, turned, mean, deviation = MODES[mode]
    rank = len(x.shape)
    axis = rank - 1 if data_format == "channels_last" else rank - 3
    if divisor is not None:
        x /= divisor
    if turned:
        x = _turned(x, axis)
    x -= _along(x, mean, axis)
    if deviation is not None:
        x /= _along(x, deviation, axis)
    return x


def _floats(x):
    if is_symbolic(x):
        return x if "float" in str(x.dtype) else ops.cast(x, settings.floatx())
    if isinstance(x, torch.Tensor):
        return x if x.is_floating_point() else x.to(getattr(torch, settings.floatx()))
    x = np.asarray(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(settings.floatx())


def _turned(x, axis):
    if isinstance(x, np.ndarray):
        return np.flip(x, axis)
    before = (slice(None),) * axis
    return ops.stack([x[(*before, i)] for i in (2, 1, 0)], axis=axis)


def _along(x, values, axis):
    """One number for each channel, to be broadcast to ``x``."""
    if isinstance(values, float):
        return values
    shape = [1] * len(x.shape)
    shape[axis] = 3
    if isinstance(x, np.ndarray):
        return np.array(values, x.dtype).reshape(shape)
    dtype = getattr(torch, x.dtype) if isinstance(x.dtype, str) else x.dtype
    return torch.tensor(values, dtype=dtype, device=None if is_symbolic(x) else x.device).reshape(shape)


def decode_predictions(preds, top=5):
    """The most probable classes of ImageNet.

    Args:
        preds: array or tensor of shape ``(samples, 1000)``.
        top: how many of each, an int above 0.

    Returns:
        for each sample a list of ``(class name, description, score)``, the best first.

    Raises:
        ValueError: ``preds`` has another shape; the file of names is none.
        OSError: the names could not be downloaded.
    """
    global CLASS_INDEX
    if len(preds.shape) != 2 or preds.shape[1] != 1000:
        raise ValueError(
            "`decode_predictions` expects a batch of predictions (i.e. a 2D array of shape (samples, 1000)). "
            f"Received array with shape: {tuple(preds.shape)}"
        )
    if CLASS_INDEX is None:
        CLASS_INDEX = _class_index()
    return [[(*CLASS_INDEX[str(i)], row[i]) for i in row.argsort()[-top:][::-1]] for row in arrays.to_numpy(preds)]


def _class_index():
    path = get_file(
        "imagenet_class_index.json", files.CLASS_INDEX, cache_subdir="models", file_hash=files.CLASS_INDEX_HASH
    )
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def obtain_input_shape(input_shape, default_size, min_size, data_format, require_flatten, weights=None):
    """The shape of a model's input, without the batch.

    Args:
        input_shape: what the user gave, or None.
        default_size: height and width where none is given and ``require_flatten``.
        min_size: least height and width.
        data_format: where the channels are.
        require_flatten: whether all axes must be known.
        weights: ``"imagenet"`` needs 3 channels, and with ``require_flatten`` the default shape.

    Raises:
        ValueError: ``input_shape`` is not such a shape.
    """
    first = data_format == "channels_first"
    place = 0 if first else -1

    def shape(size, channels):
        return (channels, size, size) if first else (size, size, channels)

    if input_shape is not None:
        input_shape = tuple(input_shape)
    channels = 3
    if weights != "imagenet" and input_shape and len(input_shape) == 3:
        channels = input_shape[place]
        if channels not in (1, 3):
            checks.warn(
                "This model usually expects 1 or 3 input channels. "
                f"However, it was passed an input_shape with {channels} input channels."
            )
    default = shape(default_size, channels)
    if weights == "imagenet" and require_flatten:
        if input_shape not in (None, default):
            raise ValueError(
                "When setting `include_top=True` and loading `imagenet` weights, "
                f"`input_shape` should be {default}. Received: input_shape={input_shape}"
            )
        return default
    if not input_shape:
        return default if require_flatten else shape(None, 3)
    if len(input_shape) != 3:
        raise ValueError(f"`input_shape` must be a tuple of three integers. Received: input_shape={input_shape}")
    if weights == "imagenet" and input_shape[place] != 3:
        raise ValueError(f"The input must have 3 channels; Received `input_shape={input_shape}`")
    if any(size is not None and size < min_size for size in (input_shape[1:] if first else input_shape[:2])):
        raise ValueError(f"Input size must be at least {min_size}x{min_size}; Received: input_shape={input_shape}")
    if require_flatten and None in input_shape:
        raise ValueError(
            f"If `include_top` is True, you should specify a static `input_shape`. Received: input_shape={input_shape}"
        )
    return input_shape


def correct_pad(inputs, kernel_size):
    """Zeros before and after height and width for a convolution of stride 2 without padding of its own.

    Args:
        inputs: symbolic tensor of pictures.
        kernel_size: an int, or one for each axis.
    """
    start = 2 if settings.image_data_format() == "channels_first" else 1
    sizes = inputs.shape[start : start + 2]
    halves = [k // 2 for k in ((kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size)]
    less = (1, 1) if sizes[0] is None else [1 - size % 2 for size in sizes]
    return tuple((half - one, half) for half, one in zip(halves, less, strict=True))

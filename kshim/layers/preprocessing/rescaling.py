"""Rescaling: values in another range."""

import numpy as np
import torch

from kshim.core import checks, dtypes, settings
from kshim.layers.base import Layer


class Rescaling(Layer):
    """``inputs * scale + offset``, in the layer's dtype.

    Args:
        scale: a number, or one for each channel.
        offset: a number, or one for each channel.

    Shapes: any -> the same.

    Raises: ValueError if ``scale`` or ``offset`` is neither.

    Source: Keras 3 ``layers/preprocessing/rescaling.py``.
    """

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), scale=_numbers, offset=_numbers)
        self.supports_masking = True
        self.built = True

    def call(self, inputs):
        dtype = dtypes.TORCH[self.compute_dtype]
        scale, offset = self.scale, self.offset
        if not _is_number(scale):
            scale = _by_channel(torch.as_tensor(scale, dtype=dtype, device=inputs.device))
        if not _is_number(offset):
            offset = torch.as_tensor(offset, dtype=dtype, device=inputs.device)
        return inputs.to(dtype) * scale + offset

    def get_config(self):
        config = super().get_config()
        for name in ("scale", "offset"):
            if isinstance(config[name], np.ndarray):
                data = {"value": config[name].tolist(), "dtype": config[name].dtype.name}
                config[name] = {"class_name": "__numpy__", "config": data}
        return config


def _by_channel(numbers):
    if numbers.dim() and settings.image_data_format() == "channels_first":
        return numbers.reshape(numbers.shape + (1,) * (3 - numbers.dim()))
    return numbers


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(owner, name, value):
    """A number, or an array or list of them (or the array's config)."""
    if isinstance(value, dict) and value.get("class_name") == "__numpy__":
        value = np.array(value["config"]["value"], dtype=value["config"]["dtype"])
    if np.asarray(value).dtype.kind not in "iuf":
        checks.fail(owner, f"`{name}` to be a number, or one for each channel", f"{name}={value!r}")
    return value

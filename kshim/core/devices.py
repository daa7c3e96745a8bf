"""Devices by Keras' names.

Source: Keras 3 ``backend/torch/core.py``.
"""

import torch


def device(device_name):
    """A block whose new tensors, weights among them, lie on a device.

    Args:
        device_name: ``"cpu"``, ``"gpu:0"``, ``"cuda:1"``, ``"mps"``..., whatever the case of the letters.

    Raises: ValueError for what is no device of torch's.
    """
    name = str(device_name).lower().replace("gpu", "cuda")
    try:
        return torch.device("cpu" if name.startswith("cpu") else name)
    except RuntimeError as error:
        raise ValueError(
            f"Expected the name of a device, as 'gpu:0'. Received: device_name={device_name!r}."
        ) from error

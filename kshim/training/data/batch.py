"""One batch as one object: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """The parts of a batch as what a data loader gives.

    Args:
        x: inputs; a list or tuple of them stays one part.
        y: targets, or None.
        sample_weight: weights of the samples, or None.

    Returns: ``x`` alone, or a tuple without what is missing at its end.

    Source: Keras 3 ``trainers/data_adapters/data_adapter_utils.py``.
    """
    if y is None and sample_weight is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data):
    """``(x, y, sample_weight)`` of a batch, None for what it has not.

    Args:
        data: ``x``, or a list or tuple of up to three parts.

    Raises: ValueError if there are more parts, or none.

    Source: Keras 3 ``trainers/data_adapters/data_adapter_utils.py``.
    """
    if not isinstance(data, (list, tuple)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`. "
            f"Received: {len(data)} parts. Put several inputs into one list or dict."
        )
    return (*data, None, None)[:3]

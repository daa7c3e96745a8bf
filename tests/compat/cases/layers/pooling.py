"""Poolings over windows, over whole axes, and adaptive ones."""

import numpy as np

from cases import counting
from cases.layers.row import Case, Refused, layer

FIRST = {"data_format": "channels_first"}
SHAPES = {1: (2, 7, 3), 2: (2, 7, 8, 3), 3: (2, 4, 5, 3, 2)}
SHAPES_FIRST = {rank: (batch, c, *sizes) for rank, (batch, *sizes, c) in SHAPES.items()}
KINDS = ("MaxPooling", "AveragePooling")
# The tests' masks lie over axis 1, which is the channels here: test_mask_with_channels_first.
MASK = dict.fromkeys(["test_masks_are_keras", "test_masks_inside_a_model_are_keras"], "a mask lies over the steps")


def up_and_down(shape):
    """Numbers that rise and fall, so that the largest one of a window is anywhere in it."""
    return lambda: [(np.sin(np.arange(np.prod(shape)) * 2.4).reshape(shape) + counting(shape)).astype("float32")]


def pooling(name, make, shape, **more):
    return Case(name, make, [shape], inputs=up_and_down(shape), **more)


# Where `same` pads one number more after than before, averages of windows other than 2 are not those of Keras 3 on
# torch, which counts the last number twice (other backends do not): test_averages_leave_the_padding_out.
CASES = [
    *(pooling(f"{kind}{rank}d", layer(f"{kind}{rank}D", 2), SHAPES[rank]) for kind in KINDS for rank in (1, 2, 3)),
    *(
        pooling(f"{kind}{rank}d_{name}", layer(f"{kind}{rank}D", **options), SHAPES[rank])
        for kind in KINDS for rank in (1, 2, 3)
        for name, options in [
            ("same", {"pool_size": 2, "padding": "same"}),
            ("same_slow", {"pool_size": 2, "strides": 1, "padding": "same"}),
            ("same_odd", {"pool_size": 3, "strides": 1, "padding": "same"}),
            ("strides", {"pool_size": 2, "strides": 1}),
        ][: 4 if rank == 2 else 2]
    ),
    *(
        pooling(f"{kind}{rank}d_first_{padding}", layer(f"{kind}{rank}D", 2, 2, padding, **FIRST), SHAPES_FIRST[rank])
        for kind in KINDS for rank in (1, 2, 3) for padding in ("valid", "same")
    ),
    pooling("MaxPooling2d_axes", layer("MaxPooling2D", (2, 3), (3, 1), "same"), SHAPES[2]),
    pooling("MaxPooling2d_wide", layer("MaxPooling2D", (5, 6), 2, "same"), SHAPES[2]),
    pooling("MaxPooling2d_more_than_all", layer("MaxPooling2D", 9, 2, "same"), SHAPES[2]),
    pooling("MaxPooling1d_steps", layer("MaxPooling1D", 1, 3, "same"), SHAPES[1]),
    pooling("AveragePooling2d_axes", layer("AveragePooling2D", (3, 2), 2, "same"), SHAPES[2]),
    pooling("AveragePooling1d_steps", layer("AveragePooling1D", 1, 3, "same"), SHAPES[1]),
    *(
        pooling(f"Global{kind}{rank}d{name}", layer(f"Global{kind}{rank}D", **options),
                (SHAPES_FIRST if "first" in name else SHAPES)[rank],
                skip=MASK if (kind, rank, name) == ("AveragePooling", 1, "_first") else {})
        for kind in KINDS for rank in (1, 2, 3)
        for name, options in [("", {}), ("_kept", {"keepdims": True}), ("_first", FIRST)]
    ),
    Case("GlobalMaxPooling1d_equals", layer("GlobalMaxPooling1D"), [(2, 4, 3)],
         inputs=lambda: [np.ones((2, 4, 3), "float32")]),
    *(
        pooling(f"Adaptive{kind}{rank}d{name}", layer(f"Adaptive{kind}{rank}D", **options),
                (SHAPES_FIRST if "first" in name else SHAPES)[rank])
        for kind in KINDS for rank in (1, 2, 3)
        for name, options in [("_first", {"output_size": 2, **FIRST}), ("_axes", {"output_size": (3, 4, 2)[:rank]})]
    ),
]  # fmt: skip


def pool(name, *args, shape=None, **kwargs):
    """A refused layer; called on ones of ``shape`` where the constructor alone does not refuse it."""

    def call(k):
        made = getattr(k.layers, name)(*args, name="it", **kwargs)
        return made if shape is None else made(np.ones(shape, "float32"))

    return call


REFUSED = [
    Refused("pool_size", pool("MaxPooling2D", 0), ValueError, r"MaxPooling2D 'it': expected `pool_size`.*pool_size=0"),
    Refused("pool_size_rank", pool("AveragePooling3D", (2, 2)), ValueError, r"'it': expected `pool_size`.*tuple of 3"),
    Refused("pool_size_word", pool("AveragePooling1D", "two"), ValueError, r"'it': expected `pool_size`.*'two'"),
    Refused("pool_strides", pool("MaxPooling1D", 2, -1), ValueError, r"'it': expected `strides`.*strides=-1"),
    Refused("pool_strides_zero", pool("MaxPooling1D", 2, 0), ValueError, r"'it': expected `strides`.*strides=0",
            None, "Keras refuses it when the layer is called"),
    Refused("pool_padding", pool("MaxPooling2D", 2, padding="full", shape=(1, 4, 4, 1)), ValueError,
            r"'it': expected `padding`.*'full'", None, "Keras on torch takes any word for 'valid' when it is called"),
    Refused("pool_data_format", pool("MaxPooling2D", 2, data_format="no"), ValueError, r"'it': expected `data_format`"),
    Refused("pool_rank", pool("MaxPooling2D", 2, shape=(1, 4, 4)), ValueError, r"'it'.*ndim=4"),
    Refused("pool_no_room", lambda k: k.layers.AveragePooling2D(3, name="it")(k.Input((2, 5, 1))), ValueError,
            r"AveragePooling2D 'it': expected room for a window of \(3, 3\).*\(None, 2, 5, 1\)"),
    Refused("global_rank", pool("GlobalAveragePooling2D", shape=(1, 4, 4)), ValueError, r"'it'.*ndim=4"),
    Refused("global_data_format", pool("GlobalMaxPooling1D", "no"), ValueError, r"'it': expected `data_format`"),
    Refused("adaptive_size", pool("AdaptiveMaxPooling2D", "no"), TypeError,
            r"AdaptiveMaxPooling2D 'it': expected `output_size`.*'no'"),
    Refused("adaptive_size_float", pool("AdaptiveAveragePooling1D", 2.5), TypeError, r"'it': expected `output_size`"),
    Refused("adaptive_size_rank", pool("AdaptiveMaxPooling3D", (2, 2)), TypeError, r"'it': expected `output_size`"),
    Refused("adaptive_size_rank_1", pool("AdaptiveMaxPooling1D", (2, 2)), ValueError, r"'it': expected `output_size`"),
    Refused("adaptive_size_zero", pool("AdaptiveMaxPooling1D", 0), ValueError, r"'it': expected `output_size`.*0",
            None, "Keras gives an empty output"),
    Refused("adaptive_data_format", pool("AdaptiveMaxPooling1D", 2, "no"), ValueError, r"'it': expected `data_format`"),
]  # fmt: skip

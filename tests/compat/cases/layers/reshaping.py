"""Flatten, Reshape, Permute, RepeatVector, Cropping, ZeroPadding, UpSampling."""

import numpy as np

from cases import counting
from cases.layers.row import Case, Refused, layer

ORDERS = ("channels_last", "channels_first")
PICTURE, VOLUME = (2, 4, 5, 3), (2, 5, 4, 6, 3)


def pictures():
    return [(counting((2, 4, 5, 3), 200) + 120).round().astype("uint8")]


def whole_numbers():
    return [np.arange(24).reshape(2, 3, 4)]


SAYS_FLOAT = {"test_symbolic_shape_is_keras_and_true": "Keras 3.15 says float32 of ints that stay ints"}

CASES = [
    Case("flatten", layer("Flatten"), [(2, 3, 4, 5)]),
    Case("flatten_channels_first", layer("Flatten", data_format="channels_first"), [(2, 3, 4, 5)]),
    Case("flatten_3d_channels_first", layer("Flatten", data_format="channels_first"), [(2, 3, 4)]),
    Case("flatten_matrix", layer("Flatten"), [(2, 3)]),
    Case("flatten_vector", layer("Flatten"), [(4,)]),
    Case("reshape", layer("Reshape", (10, 2)), [(3, 4, 5)]),
    Case("reshape_list", layer("Reshape", [10, 2]), [(3, 4, 5)]),
    Case("reshape_unknown", layer("Reshape", (-1, 2)), [(3, 4, 5)]),
    Case("reshape_flat", layer("Reshape", (-1,)), [(3, 4, 5)]),
    Case("reshape_more", layer("Reshape", (2, 2, 5, 1)), [(3, 4, 5)]),
    Case("reshape_vector", layer("Reshape", (1, -1)), [(3,)]),
    Case("permute", layer("Permute", (3, 1, 2)), [(2, 3, 4, 5)]),
    Case("permute_sequence", layer("Permute", (2, 1)), [(2, 3, 4)]),
    Case("repeat_vector", layer("RepeatVector", 3), [(2, 5)]),
    Case("cropping1d", layer("Cropping1D"), [(2, 5, 3)]),
    Case("cropping1d_pair", layer("Cropping1D", (0, 2)), [(2, 5, 3)]),
    Case("cropping1d_int", layer("Cropping1D", cropping=2), [(2, 5, 3)]),
    Case("cropping2d", layer("Cropping2D"), [PICTURE]),
    Case("cropping3d", layer("Cropping3D"), [VOLUME]),
    *(
        case
        for order in ORDERS
        for case in (
            Case(f"cropping2d_int_{order}", layer("Cropping2D", 1, order), [(2, 4, 5, 6)]),
            Case(f"cropping2d_symmetric_{order}", layer("Cropping2D", (1, 2), order), [(2, 5, 6, 7)]),
            Case(f"cropping2d_pairs_{order}", layer("Cropping2D", ((1, 0), (0, 2)), order), [(2, 4, 5, 6)]),
            Case(f"cropping3d_int_{order}", layer("Cropping3D", 1, order), [(2, 3, 4, 5, 6)]),
            Case(f"cropping3d_pairs_{order}", layer("Cropping3D", ((1, 0), (0, 2), (1, 1)), order), [(2, 3, 4, 5, 6)]),
            Case(f"zero_padding1d_{order}", layer("ZeroPadding1D", (1, 2), order), [(2, 3, 4)]),
            Case(f"zero_padding2d_int_{order}", layer("ZeroPadding2D", 2, order), [(2, 3, 4, 5)]),
            Case(f"zero_padding2d_symmetric_{order}", layer("ZeroPadding2D", (1, 2), order), [(2, 3, 4, 5)]),
            Case(f"zero_padding2d_pairs_{order}", layer("ZeroPadding2D", ((1, 0), (0, 2)), order), [(2, 3, 4, 5)]),
            Case(f"zero_padding3d_pairs_{order}", layer("ZeroPadding3D", ((1, 0), (0, 2), (1, 1)), order),
                 [(2, 3, 2, 4, 5)]),
            Case(f"up_sampling2d_{order}", layer("UpSampling2D", (2, 3), order), [(2, 3, 4, 5)]),
            Case(f"up_sampling2d_bilinear_{order}", layer("UpSampling2D", (2, 3), order, "bilinear"), [(2, 3, 4, 5)]),
            Case(f"up_sampling2d_bicubic_{order}", layer("UpSampling2D", 2, order, "bicubic"), [(2, 3, 4, 5)]),
            Case(f"up_sampling3d_{order}", layer("UpSampling3D", (2, 3, 1), order), [(2, 2, 3, 2, 4)]),
        )
    ),
    Case("zero_padding1d", layer("ZeroPadding1D"), [(2, 3, 4)]),
    Case("zero_padding1d_zero", layer("ZeroPadding1D", 0), [(2, 3, 4)]),
    Case("zero_padding2d", layer("ZeroPadding2D"), [PICTURE]),
    Case("zero_padding3d", layer("ZeroPadding3D"), [(2, 1, 2, 3, 4)]),
    Case("up_sampling1d", layer("UpSampling1D"), [(2, 3, 4)]),
    Case("up_sampling1d_three", layer("UpSampling1D", size=3), [(2, 3, 4)]),
    Case("up_sampling1d_ints", layer("UpSampling1D"), [(2, 3, 4)], inputs=whole_numbers, gradient=False,
         skip=SAYS_FLOAT),
    Case("up_sampling2d", layer("UpSampling2D"), [PICTURE]),
    Case("up_sampling2d_bytes", layer("UpSampling2D", interpolation="BICUBIC"), [PICTURE], inputs=pictures,
         gradient=False, skip=SAYS_FLOAT),
    Case("up_sampling3d", layer("UpSampling3D"), [(2, 1, 2, 3, 4)]),
]  # fmt: skip

X3, X4 = np.ones((2, 3, 4), "float32"), np.ones((2, 3, 4, 5), "float32")

REFUSED = [
    Refused("flatten_format", lambda k: k.layers.Flatten("last", name="f"), ValueError,
            "Flatten 'f': expected `data_format`"),
    Refused("reshape_size", lambda k: k.layers.Reshape((5,), name="r")(X3), ValueError,
            "Reshape 'r': expected the total"),
    Refused("reshape_rest", lambda k: k.layers.Reshape((5, -1), name="r")(X3), ValueError,
            "Reshape 'r': expected the total"),
    Refused("reshape_symbolic", lambda k: k.layers.Reshape((5,), name="r")(k.Input((3, 4))), ValueError,
            "Reshape 'r': expected the total"),
    Refused("reshape_two_unknown", lambda k: k.layers.Reshape((-1, -1), name="r"), ValueError, "at most one -1"),
    Refused("reshape_negative", lambda k: k.layers.Reshape((-2, 3), name="r"), ValueError, "at most one -1"),
    Refused("permute_dims", lambda k: k.layers.Permute((1, 3), name="p"), ValueError, "Permute 'p': expected `dims`"),
    Refused("permute_batch", lambda k: k.layers.Permute((0, 1), name="p"), ValueError, "Permute 'p': expected `dims`"),
    Refused("permute_rank", lambda k: k.layers.Permute((2, 1), name="p")(X4), ValueError, "'p'.*ndim=3"),
    Refused("repeat_vector_float", lambda k: k.layers.RepeatVector(2.0, name="r"), TypeError,
            "RepeatVector 'r': expected `n`"),
    Refused("repeat_vector_zero", lambda k: k.layers.RepeatVector(0, name="r"), ValueError,
            "RepeatVector 'r': expected `n`"),
    Refused("repeat_vector_rank", lambda k: k.layers.RepeatVector(2, name="r")(X3), ValueError, "'r'.*ndim=2"),
    *(
        Refused(f"{kind}_{value}", lambda k, kind=kind, value=value: getattr(k.layers, kind)(value, name="c"),
                ValueError, f"{kind} 'c': expected `")
        for kind, values in (
            ("Cropping1D", (-1, (1, 2, 3), "a", None)),
            ("Cropping2D", (-1, (1, 2, 3), ((1, 2), (1, -1)), ((1, 2, 3), 1), 1.5)),
            ("Cropping3D", (-1, (1, 2), ((1, 2), (1, 2), (1, -1)), None)),
            ("ZeroPadding1D", (-1, (1, 2, 3), (1, -1), None)),
            ("ZeroPadding2D", ((1, 2, 3), ((1, 2), (1, -1)), None)),
            ("ZeroPadding3D", ((1, 2), ((1, 2), (1, 2), (1, -1)), None)),
            ("UpSampling1D", (0, -1)),
            ("UpSampling2D", (0, -1, (1, 2, 3), None)),
            ("UpSampling3D", (0, -1, (1, 2), None)),
        )
        for value in values
    ),
    *(
        Refused(f"{kind}_negative", lambda k, kind=kind: getattr(k.layers, kind)(-1, name="c"), ValueError,
                f"{kind} 'c': expected `padding`", None, "it forgets the case, and crops")
        for kind in ("ZeroPadding2D", "ZeroPadding3D")
    ),
    *(
        Refused(f"{kind}_format", lambda k, kind=kind: getattr(k.layers, kind)(data_format="last", name="c"),
                ValueError, f"{kind} 'c': expected `data_format`")
        for kind in ("Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "UpSampling2D",
                     "UpSampling3D")
    ),
    *(
        Refused(f"{kind}_rank", lambda k, kind=kind: getattr(k.layers, kind)(name="c")(X4[0, 0]), ValueError,
                "'c'.*ndim=")
        for kind in ("Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
                     "UpSampling1D", "UpSampling2D", "UpSampling3D")
    ),
    Refused("cropping1d_all", lambda k: k.layers.Cropping1D((1, 2), name="c")(X3), ValueError,
            "Cropping1D 'c': expected an input longer"),
    Refused("cropping1d_all_symbolic", lambda k: k.layers.Cropping1D(2, name="c")(k.Input((3, 4))), ValueError,
            "Cropping1D 'c': expected an input longer"),
    Refused("cropping2d_all", lambda k: k.layers.Cropping2D((0, 2), name="c")(X4), ValueError,
            "Cropping2D 'c': expected an input longer"),
    Refused("cropping2d_all_channels_first", lambda k: k.layers.Cropping2D((2, 0), "channels_first", name="c")(X4),
            ValueError, "Cropping2D 'c': expected an input longer"),
    Refused("up_sampling1d_float", lambda k: k.layers.UpSampling1D(1.5, name="u"), TypeError,
            "UpSampling1D 'u': expected `size`"),
    Refused("up_sampling2d_lanczos", lambda k: k.layers.UpSampling2D(interpolation="lanczos3", name="u")(X4),
            ValueError, "UpSampling2D 'u': expected `interpolation`"),
    Refused("up_sampling2d_unknown", lambda k: k.layers.UpSampling2D(interpolation="linear", name="u")(X4),
            ValueError, "UpSampling2D 'u': expected `interpolation`.*bilinear"),
]  # fmt: skip

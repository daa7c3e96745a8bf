"""Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot."""

import numpy as np

from cases import counting
from cases.layers.row import Case, Refused, layer

ELEMENTWISE = ("Add", "Multiply", "Average", "Maximum", "Minimum")

CASES = [
    *(
        case
        for kind in ELEMENTWISE
        for case in (
            Case(f"{kind.lower()}_of_two", layer(kind), [(3, 5), (3, 5)]),
            Case(f"{kind.lower()}_three", layer(kind), [(3, 4, 5)] * 3),
            Case(f"{kind.lower()}_broadcast", layer(kind), [(3, 4, 5), (3, 1, 5)],
                 skip={"test_masks_are_keras": "Keras 3.15 fails: it broadcasts the one's mask to the other's shape"}
                 if kind in ("Maximum", "Minimum") else {}),
            Case(f"{kind.lower()}_ranks", layer(kind), [(3, 4, 5), (3, 5)]),
        )
    ),
    Case("subtract", layer("Subtract"), [(3, 4, 5), (3, 4, 5)]),
    Case("subtract_broadcast", layer("Subtract"), [(3, 4, 5), (3, 4, 1)]),
    Case("concatenate", layer("Concatenate"), [(3, 5), (3, 2)]),
    Case("concatenate_three", layer("Concatenate", axis=-1), [(3, 4, 5), (3, 4, 1), (3, 4, 2)]),
    Case("concatenate_time", layer("Concatenate", axis=1), [(3, 4, 5), (3, 2, 5)]),
    Case("concatenate_counted_from_last", layer("Concatenate", axis=-2), [(3, 4, 5), (3, 2, 5)]),
    Case("concatenate_pictures", layer("Concatenate", axis=1), [(2, 3, 4, 5), (2, 1, 4, 5)],
         skip={"test_masks_are_keras": "a mask of (batch, time) is no mask of pictures: Keras 3.15 fails"}),
    Case("dot_vectors", layer("Dot", axes=1), [(3, 5), (3, 5)]),
    Case("dot_last", layer("Dot", axes=-1), [(3, 4, 5), (3, 2, 5)]),
    Case("dot_first", layer("Dot", axes=1), [(3, 4, 5), (3, 4, 2)]),
    Case("dot_pair", layer("Dot", axes=(1, 2)), [(3, 4, 5), (3, 2, 4)]),
    Case("dot_list", layer("Dot", axes=[2, 1]), [(3, 4, 5), (3, 5, 2)]),
    Case("dot_ranks", layer("Dot", axes=(2, 1)), [(3, 4, 5), (3, 5)]),
    Case("dot_ranks_reversed", layer("Dot", axes=(1, 2)), [(3, 5), (3, 4, 5)]),
    Case("dot_pictures", layer("Dot", axes=(2, 3)), [(2, 3, 4, 5), (2, 6, 2, 4)]),
    Case("dot_cosine", layer("Dot", axes=1, normalize=True), [(3, 5), (3, 5)],
         inputs=lambda: [counting((3, 5), 2), counting((3, 5), 3)[:, ::-1].copy() ** 2]),
    Case("dot_cosine_last", layer("Dot", axes=-1, normalize=True), [(3, 4, 5), (3, 2, 5)]),
]  # fmt: skip


def ones(*shapes):
    return [np.ones(shape, "float32") for shape in shapes]


def call(kind, *shapes, **arguments):
    return lambda k: getattr(k.layers, kind)(**arguments, name="m")(ones(*shapes))


REFUSED = [
    *(
        row
        for kind in (*ELEMENTWISE, "Subtract")
        for row in (
            Refused(f"{kind}_no_list", lambda k, kind=kind: getattr(k.layers, kind)(name="m")(ones((2, 3))[0]),
                    ValueError, f"{kind} 'm': expected a list"),
            Refused(f"{kind}_shapes", call(kind, (2, 3), (2, 4)), ValueError, f"{kind} 'm': expected .*shapes"),
            Refused(f"{kind}_batches", call(kind, (2, 3), (3, 3)), ValueError, f"{kind} 'm': expected .*batch size"),
        )
    ),
    Refused("Add_symbolic_shapes", lambda k: k.layers.Add(name="m")([k.Input((3,)), k.Input((4,))]), ValueError,
            "Add 'm': expected .*shapes"),
    Refused("Subtract_three", call("Subtract", (2, 3), (2, 3), (2, 3)), ValueError, "Subtract 'm': expected exactly 2"),
    Refused("Subtract_one", call("Subtract", (2, 3)), ValueError, "Subtract 'm': expected exactly 2"),
    Refused("Concatenate_no_list", lambda k: k.layers.Concatenate(name="m")(ones((2, 3))[0]), ValueError,
            "Concatenate 'm': expected a list"),
    Refused("Concatenate_shapes", call("Concatenate", (2, 3, 4), (2, 5, 4)), ValueError,
            "Concatenate 'm': expected .*axis -1"),
    Refused("Concatenate_ranks", call("Concatenate", (2, 3, 4), (2, 4)), ValueError,
            "Concatenate 'm': expected .*axis -1"),
    Refused("Concatenate_axis", call("Concatenate", (2, 3), (2, 3), axis=3), ValueError,
            "Concatenate 'm': expected .*axis 3", IndexError, "it is torch's error"),
    Refused("Dot_axes_type", lambda k: k.layers.Dot("1", name="m"), TypeError, "Dot 'm': expected `axes`"),
    Refused("Dot_axes_three", lambda k: k.layers.Dot((1, 2, 1), name="m"), ValueError, "Dot 'm': expected `axes`"),
    Refused("Dot_axes_float", lambda k: k.layers.Dot((1.0, 2), name="m"), ValueError, "Dot 'm': expected `axes`"),
    Refused("Dot_one", call("Dot", (2, 3), axes=1), ValueError, "Dot 'm': expected exactly 2"),
    Refused("Dot_three", call("Dot", (2, 3), (2, 3), (2, 3), axes=1), ValueError, "Dot 'm': expected exactly 2"),
    Refused("Dot_sizes", call("Dot", (2, 3), (2, 4), axes=1), ValueError, "Dot 'm': expected .*same size"),
    Refused("Dot_batch_axis", call("Dot", (2, 3), (2, 3), axes=0), ValueError, "Dot 'm': expected `axes`"),
    Refused("Dot_batches", call("Dot", (2, 3), (4, 3), axes=1), ValueError, "Dot 'm': expected .*batch size"),
    Refused("Dot_lacks_axis", call("Dot", (2, 3), (2, 3), axes=2), ValueError, "Dot 'm': expected `axes`", IndexError,
            "it falls over a list's end"),
]  # fmt: skip

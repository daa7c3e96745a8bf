"""Locally connected layers: Keras 3 has none, so they are compared with their formula instead of being rows."""

from cases.layers.row import Refused

REASON = "gone from Keras 3: test_layers_convolutional.py has them against the formula of Keras 2.3.1"
NO_CASE = {"LocallyConnected1D": REASON, "LocallyConnected2D": REASON}


def local(kind, *args, shape=None, **kwargs):
    """A refused layer; called on an Input of ``shape`` where the constructor alone does not refuse it."""

    def call(k):
        made = getattr(k.layers, kind)(*args, name="it", **kwargs)
        return made if shape is None else made(k.Input(shape))

    return call


GONE = {"keras": AttributeError, "why": "Keras 3 has no such layer"}
REFUSED = [
    Refused("local_filters", local("LocallyConnected1D", 0, 2), ValueError,
            r"LocallyConnected1D 'it': expected `filters`.*filters=0", **GONE),
    Refused("local_kernel", local("LocallyConnected2D", 2, (3, 0)), ValueError, r"'it': expected `kernel_size`",
            **GONE),
    Refused("local_padding", local("LocallyConnected2D", 2, 3, padding="same"), ValueError,
            r"'it': expected `padding` to be 'valid'.*padding='same'.*implementation=2", **GONE),
    Refused("local_padding_causal", local("LocallyConnected1D", 2, 3, padding="causal"), ValueError,
            r"'it': expected `padding`.*'causal'", **GONE),
    Refused("local_implementation", local("LocallyConnected1D", 2, 3, implementation=4), ValueError,
            r"'it': expected `implementation`.*implementation=4", **GONE),
    Refused("local_unknown_size", local("LocallyConnected1D", 2, 3, shape=(None, 3)), ValueError,
            r"'it': expected an input of known size.*\(None, None, 3\)", **GONE),
    Refused("local_no_room", local("LocallyConnected2D", 2, 3, shape=(2, 5, 3)), ValueError,
            r"'it': expected room for a window of \(3, 3\)", **GONE),
    Refused("local_rank", local("LocallyConnected2D", 2, 3, shape=(5, 3)), ValueError, r"'it'.*ndim=4", **GONE),
]  # fmt: skip

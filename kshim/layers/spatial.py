"""What convolutions and poolings share: windows that slide over the axes between batch and channels.

Torch's kernels want the channel axis second. An image with channels last, seen with its axes permuted, is what torch
calls ``channels_last`` memory, and its kernels take it as it lies: nothing is copied. For sequences torch has no such
kernels (``conv1d`` copies a permuted input), so a sequence with channels last runs as an image of one row.
"""

from kshim.core import checks
from kshim.layers.base import Layer
from kshim.layers.input_spec import InputSpec

AXES = {1: "steps", 2: "rows, columns", 3: "d1, d2, d3"}  # for docstrings


class SpatialLayer(Layer):
    """Base of the layers with windows over ``rank`` axes.

    A subclass keeps ``data_format`` and then calls ``lay_out``. ``paddings`` are the values its ``padding`` may have;
    ``"full"``, where a class lists it, gives one output for each window that touches the input.
    """

    rank: int
    paddings: tuple[str, ...] = ("valid", "same")

    def argument_checks(self):
        """Checks for the arguments that the families share, by name."""
        ints = checks.ntuple(self.rank)
        return {"kernel_size": ints, "pool_size": ints, "strides": ints, "dilation_rate": ints,
                "padding": padding, "data_format": checks.data_format, "filters": checks.positive_int}  # fmt: skip

    def lay_out(self):
        """Work out how inputs are permuted for torch, and back."""
        last = self.data_format == "channels_last"
        self._as_row = last and self.rank == 1
        axes = self.rank + self._as_row
        self._inward = (0, axes + 1, *range(1, axes + 1)) if last else None
        self._outward = (0, *range(2, axes + 2), 1) if last else None
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def for_torch(self, values, row=1):
        """A number for each axis of the window, as the torch call takes them: with that of the row where there is."""
        return (row, *values) if self._as_row else tuple(values)

    def inward(self, inputs):
        """``inputs`` with the channel axis second."""
        if self._inward is None:
            return inputs
        return (inputs.unsqueeze(1) if self._as_row else inputs).permute(self._inward)

    def outward(self, outputs):
        """What ``inward`` undid, done again."""
        if self._outward is None:
            return outputs
        outputs = outputs.permute(self._outward)
        return outputs.squeeze(1) if self._as_row else outputs

    # -- shapes --------------------------------------------------------------------------------------------------

    def split_shape(self, shape):
        """``(batch, channels, sizes)`` of an input shape. Raises: ValueError if its rank is another."""
        if len(shape) != self.rank + 2:
            checks.fail(self, f"an input with ndim={self.rank + 2}", f"shape={tuple(shape)}")
        batch, *sizes = shape
        channels = sizes.pop(-1 if self.data_format == "channels_last" else 0)
        return batch, channels, sizes

    def join_shape(self, batch, channels, sizes):
        """The shape whose parts these are."""
        return (batch, *sizes, channels) if self.data_format == "channels_last" else (batch, channels, *sizes)

    def known_channels(self, shape):
        """The size of the channel axis, told to ``input_spec``. Raises: ValueError if it is not known."""
        channels = self.split_shape(shape)[1]
        axis = -1 if self.data_format == "channels_last" else 1
        if channels is None:
            checks.fail(
                self, f"an input whose channel axis ({axis}) is known", f"shape={tuple(shape)}",
                "Give the size in Input(shape=...) or input_shape=.",
            )  # fmt: skip
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})
        return channels

    def output_sizes(self, shape, windows):
        """Sizes of the outputs for windows of that many numbers each. Raises: ValueError if there is no room for one.

        They are told rather than found by running: at the two sizes of a meta run a large stride gives one result.
        """
        sizes = self.split_shape(shape)[2]
        outputs = [
            None if size is None else self._output_size(size, window, stride)
            for size, window, stride in zip(sizes, windows, self.strides, strict=True)
        ]
        if any(size is not None and size <= 0 for size in outputs):
            checks.fail(
                self, f"room for a window of {tuple(windows)} in the input, not an output size of 0 or less",
                f"shape={tuple(shape)}, padding={self.padding!r}", "Use padding='same', or a smaller window.",
            )  # fmt: skip
        return outputs

    def _output_size(self, size, window, stride):
        if self.padding in ("same", "causal"):
            return -(-size // stride)
        return (size + (window - 2 if self.padding == "full" else -window)) // stride + 1


def padding(owner, name, value):
    """One of the owner's ``paddings``, in small letters."""
    value = value.lower() if isinstance(value, str) else value
    return checks.one_of(*owner.paddings)(owner, name, value)

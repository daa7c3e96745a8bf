"""Convolutions and poolings, beyond what rows can say: memory, copies, sizes, and what has no oracle in Keras 3."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting
from torch.profiler import ProfilerActivity, profile

import kshim
from kshim import layers

# ---------- memory: kernels lie as torch wants them, and stay so

KERNELS = [
    (lambda: layers.Conv2D(4, 3), (2, 5, 6, 3), (3, 0, 1, 2)),
    (lambda: layers.Conv2D(4, 3, data_format="channels_first"), (2, 3, 5, 6), (3, 2, 0, 1)),
    (lambda: layers.Conv1D(4, 3), (2, 5, 3), (2, 0, 1)),
    (lambda: layers.Conv3D(4, 2), (2, 3, 4, 5, 3), (4, 0, 1, 2, 3)),
    (lambda: layers.Conv2DTranspose(4, 3), (2, 5, 6, 3), (3, 0, 1, 2)),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (2, 5, 6, 3), (2, 3, 0, 1)),
]
kernels = pytest.mark.parametrize(("make", "shape", "order"), KERNELS, ids=lambda v: v if isinstance(v, tuple) else "")


def made(make, shape):
    layer = make()
    layer.build((None, *shape[1:]))
    return layer


@kernels
def test_kernels_lie_in_torchs_order(make, shape, order):
    layer = made(make, shape)
    assert layer.kernel.permute(order).is_contiguous()
    layer.set_weights(layer.get_weights())
    layer.load_state_dict(copy.deepcopy(layer.state_dict()))
    layer.kernel.assign(array(layer.kernel) + 1)
    twins = copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), layer.double().float()
    assert all(twin.kernel.permute(order).is_contiguous() for twin in twins)


@kernels
def test_kernels_keep_their_order_in_training_and_files(make, shape, order, tmp_path):
    model = kshim.Sequential([kshim.Input(shape[1:]), make()])
    model.compile("adam", "mse")
    x = counting(shape)
    y = counting(tuple(model(x).shape))
    model.fit(x, y, epochs=1, verbose=0)
    assert model.layers[0].kernel.permute(order).is_contiguous()
    before = model.get_weights()
    model.save_weights(tmp_path / "w.weights.h5")
    model.load_weights(tmp_path / "w.weights.h5")
    assert model.layers[0].kernel.permute(order).is_contiguous()
    for mine, saved in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, saved)


def test_a_kernel_starts_with_the_initializers_numbers():
    kernel = made(
        lambda: layers.Conv2D(4, 3, kernel_initializer=kshim.initializers.GlorotUniform(3)), (1, 5, 5, 2)
    ).kernel
    assert_close(kernel, kshim.initializers.GlorotUniform(3)((3, 3, 2, 4)), 0)


# ---------- copies: none, forwards and backwards

COPIES = {"aten::copy_", "aten::clone", "aten::contiguous", "aten::constant_pad_nd"}


def copied(layer, x):
    """Shapes of what is copied in a forward and backward call, but for what torch's own kernels copy inside."""
    x = x.requires_grad_()
    outputs = layer(x)
    gradient = torch.randn_like(outputs)
    outputs.backward(gradient)
    x.grad = None
    layer.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as run:
        layer(x).backward(gradient)
    found = [event for event in run.events() if event.name in COPIES and event.input_shapes[0]]  # scalars have no shape
    return [event.input_shapes[0] for event in found if not within_convolution(event)]


def within_convolution(event):
    """oneDNN's gradient of a kernel is copied once by torch itself, also from a hand-written nn.Conv2d."""
    while event is not None:
        if event.name in ("aten::convolution_backward", "aten::mkldnn_convolution"):
            return True
        event = event.cpu_parent
    return False


STRAIGHT = {
    "conv2d": (lambda: layers.Conv2D(8, 3, activation="relu"), (2, 9, 9, 4)),
    "conv2d_same": (lambda: layers.Conv2D(8, 3, padding="same", activation="relu"), (2, 9, 9, 4)),
    "conv2d_strides": (lambda: layers.Conv2D(8, 3, strides=2, padding="same"), (2, 9, 9, 4)),
    "conv2d_groups": (lambda: layers.Conv2D(8, 3, groups=2), (2, 9, 9, 4)),
    "conv2d_one": (lambda: layers.Conv2D(8, 1), (16, 9, 9, 4)),  # torch asks oneDNN for 1 x 1 from batches of 16 on
    "conv2d_first": (lambda: layers.Conv2D(8, 3, data_format="channels_first"), (2, 4, 9, 9)),
    "conv1d": (lambda: layers.Conv1D(8, 3, padding="same", activation="relu"), (2, 9, 4)),
    "conv1d_first": (lambda: layers.Conv1D(8, 3, data_format="channels_first"), (2, 4, 9)),
    "conv3d": (lambda: layers.Conv3D(8, 3), (2, 5, 5, 5, 4)),
    "conv2d_transpose": (lambda: layers.Conv2DTranspose(8, 4, 2, "same"), (2, 5, 5, 4)),
    "conv3d_transpose": (lambda: layers.Conv3DTranspose(8, 2, 2), (2, 3, 3, 3, 4)),
    "depthwise1d": (lambda: layers.DepthwiseConv1D(3), (2, 9, 4)),
    "depthwise2d": (lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), (2, 9, 9, 4)),
    "separable2d": (lambda: layers.SeparableConv2D(8, 3), (16, 9, 9, 4)),
    "max1d": (lambda: layers.MaxPooling1D(2), (2, 9, 4)),
    "max2d": (lambda: layers.MaxPooling2D(2), (2, 8, 8, 4)),
    "max2d_same": (lambda: layers.MaxPooling2D(3, 2, "same"), (2, 8, 8, 4)),
    "max3d": (lambda: layers.MaxPooling3D(2), (2, 4, 4, 4, 4)),
    "average1d": (lambda: layers.AveragePooling1D(2), (2, 9, 4)),
    "average2d_same": (lambda: layers.AveragePooling2D(3, 2, "same"), (2, 8, 8, 4)),
    "average3d": (lambda: layers.AveragePooling3D(2), (2, 4, 4, 4, 4)),
    "adaptive2d": (lambda: layers.AdaptiveAveragePooling2D(3), (2, 8, 8, 4)),
    "global2d": (lambda: layers.GlobalAveragePooling2D(), (2, 8, 8, 4)),
}


@pytest.mark.parametrize("name", STRAIGHT)
def test_nothing_is_copied(name):
    make, shape = STRAIGHT[name]
    assert copied(made(make, shape), torch.randn(shape)) == []


def test_only_what_torch_cannot_pad_is_padded():
    assert copied(layers.Conv2D(8, 3, strides=2, padding="same"), torch.randn(2, 8, 8, 4)) != []


# ---------- sizes


SIZES = [(k, s, p) for k, s, p in itertools.product((1, 2, 3, 5), (1, 2, 3), ("valid", "same"))]


@pytest.mark.parametrize(("kernel", "stride", "padding"), SIZES)
def test_sizes_told_are_those_of_the_outputs(kernel, stride, padding):
    for size in range(kernel, kernel + 7):
        x = torch.zeros(1, size, 2)
        for make in (
            lambda: layers.Conv1D(3, kernel, stride, padding),
            lambda: layers.Conv1DTranspose(3, kernel, stride, padding),
            lambda: layers.Conv1DTranspose(3, kernel, stride, padding, output_padding=stride - 1),
            lambda: layers.MaxPooling1D(kernel, stride, padding),
            lambda: layers.AveragePooling1D(kernel, stride, padding),
            lambda: layers.MaxPooling1D(kernel, stride, padding, data_format="channels_first"),
        ):
            layer = make()
            if getattr(layer, "data_format", "") == "channels_first":
                assert layer(x.mT).shape == layer.compute_output_shape((1, 2, size))
            else:
                assert layer(x).shape == layer.compute_output_shape((1, size, 2))


@pytest.mark.parametrize("make", [
    lambda k, **more: k.layers.Conv2D(4, 3, **more),
    lambda k, **more: k.layers.Conv2DTranspose(4, 3, strides=2, **more),
    lambda k, **more: k.layers.SeparableConv2D(4, 3, **more),
    lambda k, **more: k.layers.DepthwiseConv2D(3, **more),
], ids=["conv", "transpose", "separable", "depthwise"])  # fmt: skip
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_unknown_spatial_axes(make, padding, keras3):
    shapes = []
    for k in (kshim, keras3):
        outputs = make(k, padding=padding, data_format="channels_first")(k.Input((3, None, 7)))
        shapes.append(tuple(outputs.shape))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("make", [
    lambda: layers.Conv2D(4, 3, strides=2, padding="same"),
    lambda: layers.MaxPooling2D(3, 2, "same"),
    lambda: layers.Conv2DTranspose(4, 3, 2, "same"),
], ids=["conv", "pool", "transpose"])  # fmt: skip
def test_one_model_for_every_size(make):
    inputs = kshim.Input((None, None, 3))
    model = kshim.Model(inputs, make()(inputs))
    for size in ((5, 8), (8, 5), (1, 1), (16, 3)):
        x = torch.randn(2, *size, 3)
        assert model(x).shape == model.layers[-1].compute_output_shape((2, *size, 3))


def test_large_strides_leave_an_unknown_axis_unknown():
    assert layers.MaxPooling1D(64)(kshim.Input((None, 2))).shape == (None, None, 2)
    assert layers.Conv2D(4, 16, strides=16)(kshim.Input((None, None, 3))).shape == (None, None, None, 4)
    assert layers.Conv1D(4, 500)(kshim.Input((None, 2))).shape == (None, None, 4)


# ---------- numbers without an oracle in Keras 3


def windows_of(size, window, stride):
    """``same``'s windows as ranges of the input, TensorFlow's rule."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    starts = [i * stride - total // 2 for i in range(-(-size // stride))]
    return [range(max(start, 0), min(start + window, size)) for start in starts]


@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
@pytest.mark.parametrize(
    ("window", "strides"), [((3, 4), (2, 1)), ((5, 3), (2, 2)), ((2, 4), (3, 3)), ((4, 4), (1, 1))]
)
def test_averages_leave_the_padding_out(window, strides, first):
    """TensorFlow's averages. Keras 3 on torch counts the last number twice where the padding is uneven."""
    x = counting((2, 6, 8, 3)) ** 2
    expected = [
        [x[:, list(rows)][:, :, list(columns)].mean((1, 2)) for columns in windows_of(8, window[1], strides[1])]
        for rows in windows_of(6, window[0], strides[0])
    ]
    expected = np.moveaxis(np.array(expected), 2, 0)
    layer = layers.AveragePooling2D(window, strides, "same", data_format="channels_first" if first else None)
    outputs = layer(torch.tensor(x.transpose(0, 3, 1, 2) if first else x))
    assert_close(outputs.movedim(1, -1) if first else outputs, expected)


@pytest.mark.parametrize("first", [False, True], ids=["last", "first"])
def test_averages_of_volumes_leave_the_padding_out(first):
    x = counting((2, 4, 5, 6, 3)) ** 2
    sizes = list(zip((4, 5, 6), (3, 2, 4), (2, 1, 3), strict=True))
    expected = np.empty((2, 2, 5, 2, 3), "float32")
    for place in itertools.product(*(range(n) for n in expected.shape[1:4])):
        window = [list(windows_of(*size)[i]) for size, i in zip(sizes, place, strict=True)]
        expected[(slice(None), *place)] = x[:, window[0]][:, :, window[1]][:, :, :, window[2]].mean((1, 2, 3))
    layer = layers.AveragePooling3D((3, 2, 4), (2, 1, 3), "same", data_format="channels_first" if first else None)
    outputs = layer(torch.tensor(x).movedim(-1, 1).contiguous() if first else torch.tensor(x))
    assert_close(outputs.movedim(1, -1) if first else outputs, expected)


def test_mask_with_channels_first(keras3):
    found = []
    x, mask = counting((2, 3, 4)), torch.tensor([[True, False, True, True], [True, True, False, False]])
    for k in (kshim, keras3):
        for keepdims in (False, True):
            layer = k.layers.GlobalAveragePooling1D(data_format="channels_first", keepdims=keepdims)
            found.append(layer(torch.tensor(x), mask=mask))
    assert_close(found[0], found[2])
    assert_close(found[1], found[3])


@pytest.mark.parametrize("name", ["conv2d", "conv1d", "conv3d", "conv2d_transpose", "depthwise2d", "separable2d"])
def test_ints_are_taken_as_floats(name):
    make, shape = STRAIGHT[name]
    layer, x = made(make, shape), torch.arange(np.prod(shape)).reshape(shape) % 7 - 3
    assert_close(layer(x), layer(x.float()), 0)


def test_full_padding_where_a_class_lists_it():
    class Full(layers.Conv2D):
        paddings = ("full",)

    layer, x = Full(1, (2, 3), padding="full"), torch.randn(1, 4, 5, 1)
    kernel = torch.randn(2, 3)
    assert layer.compute_output_shape((None, 4, 5, 1)) == (None, 5, 7, 1)
    layer.build(x.shape)
    layer.set_weights([kernel.reshape(2, 3, 1, 1), np.zeros(1)])
    expected = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), kernel[None, None], padding=(1, 2))
    assert_close(layer(x).squeeze(-1), expected.squeeze(1))


def test_a_subclass_may_change_the_kernel(keras3):
    found = []
    for k in (kshim, keras3):

        class Twice(k.layers.Conv2D):
            def convolution_op(self, inputs, kernel):
                return super().convolution_op(inputs, kernel * 2)

        layer = Twice(4, 3, activation="relu")
        layer.build((None, 5, 6, 3))
        layer.set_weights([counting((3, 3, 3, 4)), counting((4,))])
        found.append(layer(torch.tensor(counting((2, 5, 6, 3)))))
    assert_close(*found)


def test_other_names_are_the_same_classes(keras3):
    public = [name for name in dir(keras3.layers) if "Conv" in name or "Pool" in name]
    for one, other in itertools.combinations(public, 2):
        if getattr(keras3.layers, one) is getattr(keras3.layers, other):
            assert getattr(layers, one) is getattr(layers, other)
            assert {one, other} <= set(layers.__all__)


def test_help_tells_the_rank():
    assert "rows, columns" in layers.Conv2D.__doc__ and "steps" in layers.Conv1D.__doc__
    for name in layers.__all__:
        if "Conv" in name or "Pool" in name or "Locally" in name:
            text = getattr(layers, name).__doc__
            assert all(section in text for section in ("Shapes:", "Raises:", "Source:")), name
            assert "{" not in text.replace("{0", "")


# ---------- locally connected


def local(x, kernel, bias, sizes, window, strides, first):
    """Keras 2.3.1's formula: for each place, its numbers in their own order times its kernel."""
    outputs = np.empty((len(x), *sizes, kernel.shape[-1]))
    for number, place in enumerate(itertools.product(*(range(n) for n in sizes))):
        area = tuple(slice(p * s, p * s + w) for p, s, w in zip(place, strides, window, strict=True))
        numbers = x[(slice(None), slice(None), *area)] if first else x[(slice(None), *area)]
        outputs[(slice(None), *place)] = numbers.reshape(len(x), -1) @ kernel[number]
    if first:
        outputs = np.moveaxis(outputs, -1, 1)
        return outputs + (0 if bias is None else bias.reshape(1, outputs.shape[1], *sizes))
    return outputs + (0 if bias is None else bias)


LOCAL = [
    ("LocallyConnected1D", (4, 3), {}, (2, 7, 3), (5,)),
    ("LocallyConnected1D", (4, 3, 2), {"use_bias": False}, (2, 8, 3), (3,)),
    ("LocallyConnected1D", (4, 2), {"data_format": "channels_first"}, (2, 3, 6), (5,)),
    ("LocallyConnected2D", (4, (3, 2)), {}, (2, 5, 6, 3), (3, 5)),
    ("LocallyConnected2D", (4, 3, (2, 1)), {"implementation": 3}, (2, 5, 6, 3), (2, 4)),
    ("LocallyConnected2D", (4, 2, 2), {"data_format": "channels_first", "implementation": 2}, (2, 3, 5, 6), (2, 3)),
    ("LocallyConnected2D", (4, 2), {"data_format": "channels_first", "use_bias": False}, (2, 3, 5, 6), (4, 5)),
]
locals_ = pytest.mark.parametrize(("name", "args", "options", "shape", "sizes"), LOCAL)


@locals_
def test_locally_connected(name, args, options, shape, sizes):
    layer, x = getattr(layers, name)(*args, **options), counting(shape)
    first = options.get("data_format") == "channels_first"
    layer.build((None, *shape[1:]))
    assert [w.name for w in layer.weights] == ["kernel", "bias"][: len(layer.weights)]
    assert layer.kernel.shape == (np.prod(sizes), np.prod(layer.kernel_size) * 3, 4)
    if layer.use_bias:
        assert layer.bias.shape == (*sizes, 4)
    layer.set_weights([counting(w.shape, 2) for w in layer.weights])
    kernel, bias = [*layer.get_weights(), None][:2]
    expected = local(x, kernel, bias, sizes, layer.kernel_size, layer.strides, first)
    assert_close(layer(x), expected.astype("float32"))
    assert layer.compute_output_shape((None, *shape[1:])) == (None, *expected.shape[1:])
    assert layer(kshim.Input(shape[1:])).shape == (None, *expected.shape[1:])
    assert layer(x[:0]).shape == (0, *expected.shape[1:])
    assert_close(layer(torch.tensor(x).int()), local(x.astype("int"), kernel, bias, sizes, layer.kernel_size,
                                                     layer.strides, first).astype("float32"))  # fmt: skip


@locals_
def test_locally_connected_life(name, args, options, shape, sizes):
    layer, x = getattr(layers, name)(*args, activation="tanh", name="it", **options), torch.tensor(counting(shape))
    outputs = layer(x)
    config = layer.get_config()
    again = type(layer).from_config(config)
    again.build(shape)
    assert again.get_config() == config and config["filters"] == 4 and config["padding"] == "valid"
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.compile(layer, backend="eager")):
        assert_close(twin(x), outputs, 0)
    for dtype in ("float64", "bfloat16"):
        assert getattr(layers, name)(*args, dtype=dtype, **options)(x).dtype == getattr(torch, dtype)
    model = kshim.Sequential([kshim.Input(shape[1:]), getattr(layers, name)(*args, **options), layers.Flatten(),
                              layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    start = model.get_weights()
    model.fit(x, np.ones((len(x), 1)), verbose=0)
    assert any((a != b).any() for a, b in zip(start, model.get_weights(), strict=True))


def test_locally_connected_same():
    x = counting((2, 5, 6, 3))
    layer = layers.LocallyConnected2D(4, (3, 2), (2, 1), padding="same", implementation=2)
    layer.build((None, 5, 6, 3))
    layer.set_weights([counting(w.shape, 2) for w in layer.weights])
    padded = np.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)))
    expected = local(padded, *layer.get_weights(), (3, 6), (3, 2), (2, 1), False)
    assert_close(layer(x), expected.astype("float32"))

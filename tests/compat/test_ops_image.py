"""Operations on images against the real Keras 3: one row each."""

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting

import kshim
from kshim import ops

IMAGES = counting((2, 5, 6, 3)) + 0.5
BYTES = (counting((2, 5, 6, 3), 255) + 127.5).astype("uint8")
POINTS = np.array([[[0, 0], [5, 0], [0, 4], [5, 4]]] * 2, "float32")
MOVED = POINTS + counting((2, 4, 2), 3)
# a0, a1, a2, b0, b1, b2, c0, c1
TURNED = np.array([[0.9, -0.3, 1.2, 0.2, 0.8, -0.6, 0, 0], [1.1, 0.4, -1.0, -0.3, 1.2, 0.4, 0, 0]], "float32")
SOMEWHERE = counting((2, 4, 3), 20)


def first(images):
    return np.ascontiguousarray(np.moveaxis(images, -1, -3))


# name of the operation, arguments, keywords
ROWS = [
    ("rgb_to_grayscale", (IMAGES,), {}),
    ("rgb_to_grayscale", (BYTES,), {}),
    ("rgb_to_grayscale", (IMAGES[..., :1],), {}),
    ("rgb_to_grayscale", (first(IMAGES),), {"data_format": "channels_first"}),
    ("rgb_to_hsv", (IMAGES,), {}),
    ("rgb_to_hsv", (IMAGES[..., ::-1].copy(),), {}),
    ("rgb_to_hsv", (IMAGES[..., [1, 2, 0]],), {}),
    ("rgb_to_hsv", (np.zeros((2, 2, 3), "float32"),), {}),
    ("rgb_to_hsv", (first(IMAGES[0]),), {"data_format": "channels_first"}),
    ("hsv_to_rgb", (IMAGES,), {}),
    ("hsv_to_rgb", (first(IMAGES) * 3 - 1,), {"data_format": "channels_first"}),
    *[("resize", (x, (3, 8)), {"interpolation": how}) for x in (IMAGES, BYTES, IMAGES[0])
      for how in ("bilinear", "nearest", "bicubic")],
    ("resize", (BYTES.astype("int32"), (8, 3)), {"antialias": True}),
    ("resize", (IMAGES, (3, 8)), {"crop_to_aspect_ratio": True}),
    ("resize", (IMAGES, (8, 3)), {"crop_to_aspect_ratio": True, "interpolation": "nearest", "antialias": True}),
    ("resize", (IMAGES, (3, 8)), {"pad_to_aspect_ratio": True, "fill_value": 0.5}),
    ("resize", (first(IMAGES), (8, 3)), {"pad_to_aspect_ratio": True, "data_format": "channels_first"}),
    *[("affine_transform", (IMAGES, TURNED), {"fill_mode": mode, "interpolation": how, "fill_value": 0.25})
      for mode in ("constant", "nearest", "wrap", "mirror", "reflect") for how in ("bilinear", "nearest")],
    ("affine_transform", (BYTES, TURNED), {"fill_value": 7}),
    ("affine_transform", (IMAGES[1], TURNED[1]), {}),
    ("affine_transform", (first(IMAGES), TURNED), {"data_format": "channels_first"}),
    ("perspective_transform", (IMAGES, POINTS, MOVED), {}),
    ("perspective_transform", (IMAGES, MOVED, POINTS), {"interpolation": "nearest", "fill_value": 0.5}),
    ("perspective_transform", (IMAGES, POINTS[0], MOVED[0]), {}),
    ("perspective_transform", (first(IMAGES[0]), POINTS[0], MOVED[0]), {"data_format": "channels_first"}),
    *[("map_coordinates", (IMAGES[0, ..., :2], SOMEWHERE.repeat(2, 0)[:3], order), {"fill_mode": mode})
      for order in (0, 1) for mode in ("constant", "nearest", "wrap", "mirror", "reflect")],
    ("map_coordinates", (BYTES[0, ..., 0], SOMEWHERE, 1), {"fill_value": 3}),
    ("map_coordinates", (IMAGES[0, ..., 0], SOMEWHERE.astype("int32"), 0), {"fill_value": 3.5}),
    ("map_coordinates", (IMAGES[0, 0, 0], SOMEWHERE[:1, 0], 1), {"fill_mode": "reflect"}),
    ("pad_images", (IMAGES, 1, 2, 3, 0), {}),
    ("pad_images", (BYTES,), {"top_padding": 1, "target_height": 9, "right_padding": 2, "target_width": 9}),
    ("pad_images", (first(IMAGES[0]), 1, 2, None, None, 8, 9), {"data_format": "channels_first"}),
    ("crop_images", (IMAGES, 1, 2, 3, 0), {}),
    ("crop_images", (IMAGES,), {"bottom_cropping": 1, "target_height": 3, "right_cropping": 2, "target_width": 2}),
    ("crop_images", (first(BYTES[0]), 1, 2, None, None, 2, 3), {"data_format": "channels_first"}),
    ("extract_patches", (IMAGES, 2), {}),
    ("extract_patches", (IMAGES, (3, 2)), {"strides": 1}),
    ("extract_patches", (IMAGES, (3, 2)), {"strides": (2, 1), "padding": "same"}),
    ("extract_patches", (IMAGES, 2), {"strides": 1, "dilation_rate": 2}),
    ("extract_patches", (IMAGES[0], 2), {"padding": "same"}),
    ("extract_patches", (first(IMAGES), (2, 3)), {"data_format": "channels_first"}),
    ("extract_patches", (IMAGES, (1, 2, 2)), {}),
    ("extract_patches_3d", (counting((2, 4, 5, 6, 3)), 2), {"padding": "same"}),
    ("extract_patches_3d", (counting((3, 4, 5, 6)), (2, 1, 3)), {"strides": 1, "data_format": "channels_first"}),
    ("gaussian_blur", (IMAGES,), {"data_format": "channels_last"}),
    ("gaussian_blur", (IMAGES, (5, 5), (0.7, 2.0)), {"data_format": "channels_last"}),
    ("gaussian_blur", (first(IMAGES), (5, 5), (0.7, 2.0)), {"data_format": "channels_first"}),
    ("gaussian_blur", (IMAGES[0], (3, 3), (0.7, 2.0)), {"data_format": "channels_last"}),
    *[("scale_and_translate", (IMAGES, (2, 7, 4, 3), SCALE, SHIFT, (1, 2), method), {"antialias": smooth})
      for SCALE, SHIFT in [(np.array([1.4, 0.6], "float32"), np.array([-0.3, 0.8], "float32"))]
      for method in ("linear", "cubic", "lanczos3", "lanczos5") for smooth in (True, False)],
    ("scale_and_translate", (BYTES, (2, 5, 9, 3), np.array([1.5]), np.array([0.0]), (-2,), "bilinear"), {}),
    ("sobel_edges", (IMAGES,), {}),
    ("sobel_edges", (first(IMAGES),), {"data_format": "channels_first"}),
    ("ssim", (IMAGES, IMAGES[::-1].copy()), {"filter_size": 3}),
    ("ssim", (IMAGES[0], IMAGES[0] ** 2), {"filter_size": 5, "max_val": 2.0, "filter_sigma": 1.0}),
    ("ssim", (first(IMAGES), first(IMAGES) * 0.5), {"filter_size": 3, "data_format": "channels_first", "k1": 0.1}),
]  # fmt: skip
rows = pytest.mark.parametrize(("name", "args", "kwargs"), ROWS, ids=[f"{i}_{row[0]}" for i, row in enumerate(ROWS)])


def tensors(args):
    return [torch.tensor(x) if isinstance(x, np.ndarray) else x for x in args]


@rows
def test_values_are_keras(name, args, kwargs, keras3):
    got = getattr(ops.image, name)(*args, **kwargs)
    expected = getattr(keras3.ops.image, name)(*tensors(args), **kwargs)
    assert got.dtype == expected.dtype
    assert_close(got, expected, 1e-4 if "perspective" in name else 1e-5)
    assert_close(getattr(ops.image, name)(*tensors(args), **kwargs), got, 0)


@rows
def test_symbolic(name, args, kwargs):
    """A node whose shape is the true one, and which gives the values."""
    symbolic = [kshim.Input(batch_shape=x.shape, dtype=x.dtype.name) if isinstance(x, np.ndarray) else x for x in args]
    output = getattr(ops.image, name)(*symbolic, **kwargs)
    expected = getattr(ops.image, name)(*args, **kwargs)
    assert output.shape == tuple(expected.shape) and output.dtype == str(expected.dtype).removeprefix("torch.")
    inputs = [x for x, given in zip(symbolic, args, strict=True) if isinstance(given, np.ndarray)]
    values = [torch.tensor(x) for x in args if isinstance(x, np.ndarray)]
    assert_close(kshim.Model(inputs, output)(values), expected, 0)


def test_unknown_axes_stay_unknown():
    assert ops.image.resize(kshim.Input((None, None, 3)), (4, 5)).shape == (None, 4, 5, 3)
    assert ops.image.rgb_to_grayscale(kshim.Input((None, 7, 3))).shape == (None, None, 7, 1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtype_stays(dtype):
    images, rows = torch.tensor(IMAGES, dtype=getattr(torch, dtype)), torch.tensor(TURNED)
    for got, expected in [
        (ops.image.resize(images, (3, 8)), ops.image.resize(IMAGES, (3, 8))),
        (ops.image.affine_transform(images, rows), ops.image.affine_transform(IMAGES, TURNED)),
        (ops.image.gaussian_blur(images, (5, 5)), ops.image.gaussian_blur(IMAGES, (5, 5))),
        (ops.image.rgb_to_hsv(images)[..., 1:], ops.image.rgb_to_hsv(IMAGES)[..., 1:]),
    ]:
        assert got.dtype == images.dtype
        assert_close(got.float(), expected, 3e-2)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("options", [{}, {"interpolation": "nearest", "fill_mode": "constant", "fill_value": 0.3}])
def test_elastic_transform(data_format, options, keras3):
    """With torch's generator at the seed, Keras' numbers: it does not hear its argument."""
    images = IMAGES if data_format == "channels_last" else first(IMAGES)
    torch.manual_seed(11)
    expected = keras3.ops.image.elastic_transform(torch.tensor(images), 3.0, 0.8, data_format=data_format, **options)
    got = ops.image.elastic_transform(images, 3.0, 0.8, seed=11, data_format=data_format, **options)
    assert_close(got, expected, 1e-4)
    again = ops.image.elastic_transform(images, 3.0, 0.8, seed=11, data_format=data_format, **options)
    assert torch.equal(again, got)


def test_elastic_transform_draws():
    generator = kshim.random.SeedGenerator(5)
    one, two = (ops.image.elastic_transform(IMAGES[0], seed=generator) for _ in range(2))
    assert one.shape == IMAGES[0].shape and not torch.equal(one, two)
    assert not torch.equal(ops.image.elastic_transform(IMAGES), ops.image.elastic_transform(IMAGES))


def test_where_keras_goes_wrong():
    """Documented differences: the denominator of a projection, an untouched argument, blurs that keep the size."""
    projected = ops.image.affine_transform(IMAGES[0], [1, 0, 0, 0, 1, 0, 0.5, 0.0], "nearest")
    assert torch.equal(projected[1, 2], torch.tensor(IMAGES[0][0, 1]))  # (2, 1) / (0.5 * 2 + 1), to the even
    transform = torch.tensor(TURNED)
    ops.image.affine_transform(IMAGES, transform)
    np.testing.assert_array_equal(transform.numpy(), TURNED)
    assert ops.image.gaussian_blur(IMAGES, (2, 5)).shape == IMAGES.shape
    one = np.zeros((7, 7, 1), "float32")
    one[3, 3] = 1
    blurred = array(ops.image.gaussian_blur(one, (3, 5), (1.0, 1.0)))[..., 0]
    assert (blurred > 0).any(1).sum() == 3 and (blurred > 0).any(0).sum() == 5
    assert_close(blurred.sum(), 1.0)


def test_empty_batch():
    empty = IMAGES[:0]
    assert ops.image.resize(empty, (3, 4)).shape == (0, 3, 4, 3)
    assert ops.image.affine_transform(empty, TURNED[:0]).shape == empty.shape
    assert ops.image.perspective_transform(empty, POINTS[:0], MOVED[:0]).shape == empty.shape


REFUSED = [
    ("resize", (IMAGES, (3,)), {}, "`size`"),
    ("resize", (IMAGES, (3, 0)), {}, "`size`"),
    ("resize", (IMAGES, (3, 4)), {"interpolation": "lanczos5"}, "scale_and_translate"),
    ("resize", (IMAGES, (3, 4)), {"interpolation": "bilinar"}, "mean 'bilinear'"),
    ("resize", (IMAGES, (3, 4)), {"fill_mode": "wrap"}, "`fill_mode`"),
    ("resize", (IMAGES, (3, 4)), {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "one of"),
    ("resize", (IMAGES[0, 0], (3, 4)), {}, "rank 3"),
    ("rgb_to_grayscale", (IMAGES[..., :2],), {}, "3 channels"),
    ("rgb_to_grayscale", (IMAGES[0, 0],), {}, "rank 3"),
    ("rgb_to_hsv", (BYTES,), {}, "floating point"),
    ("hsv_to_rgb", (BYTES,), {}, "floating point"),
    ("hsv_to_rgb", (IMAGES,), {"data_format": "last"}, "`data_format`"),
    ("affine_transform", (IMAGES, TURNED), {"interpolation": "bicubic"}, "`interpolation`"),
    ("affine_transform", (IMAGES, TURNED), {"fill_mode": "border"}, "`fill_mode`"),
    ("affine_transform", (IMAGES, TURNED[None]), {}, "`transform`"),
    ("perspective_transform", (IMAGES, POINTS[:, :3], MOVED[:, :3]), {}, "`start_points`"),
    ("perspective_transform", (IMAGES, POINTS, MOVED[0]), {}, "as many"),
    ("perspective_transform", (IMAGES, POINTS, MOVED), {"interpolation": "bicubic"}, "`interpolation`"),
    ("map_coordinates", (IMAGES[0, 0], SOMEWHERE[:1], 1), {}, "each axis"),
    ("map_coordinates", (IMAGES[0, 0], np.zeros(2), 1), {}, "rank 2"),
    ("map_coordinates", (IMAGES[0, 0], SOMEWHERE, 1), {"fill_mode": "edge"}, "`fill_mode`"),
    ("pad_images", (IMAGES, 1, 1, 1), {}, "exactly two of left_padding"),
    ("pad_images", (IMAGES, 1, 1, -1, 1), {}, "at least 0"),
    ("pad_images", (IMAGES, 1, 1, None, 1, 3), {}, "at least 0"),
    ("crop_images", (IMAGES, 1, 1, 1), {}, "exactly two of left_cropping"),
    ("crop_images", (IMAGES, 3, 1, 3, 1), {}, "at least 0"),
    ("extract_patches", (IMAGES, (2, 2, 2, 2)), {}, "`size`"),
    ("scale_and_translate", (IMAGES, (2, 5, 9, 3), np.ones(1), np.zeros(1), (2,), "box"), {}, "`method`"),
    ("gaussian_blur", (IMAGES[0, 0],), {}, "rank 3"),
    ("elastic_transform", (IMAGES,), {"fill_mode": "edge"}, "`fill_mode`"),
    ("elastic_transform", (IMAGES,), {"interpolation": "bicubic"}, "`interpolation`"),
    ("ssim", (IMAGES[0, 0], IMAGES[0, 0]), {}, "rank 3"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "match"), REFUSED,
                         ids=[f"{i}_{row[0]}" for i, row in enumerate(REFUSED)])  # fmt: skip
def test_refusals(name, args, kwargs, match, keras3):
    with pytest.raises(ValueError, match=match) as caught:
        getattr(ops.image, name)(*args, **kwargs)
    assert "Received" in str(caught.value)
    with pytest.raises(ValueError):
        getattr(keras3.ops.image, name)(*tensors(args), **kwargs)


def test_other_refusals():
    with pytest.raises(NotImplementedError, match=r"`order`.*Received: order=2"):
        ops.image.map_coordinates(IMAGES[0, 0], SOMEWHERE, 2)
    with pytest.raises(TypeError, match=r"`size`.*Received: size='2'"):
        ops.image.extract_patches(IMAGES, "2")
    with pytest.raises(ValueError, match=r"sobel_edges.*rank 4.*Received"):
        ops.image.sobel_edges(IMAGES[0])

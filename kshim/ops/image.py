"""Images: colours, sizes, patches, and pixels taken from elsewhere.

Images are ``(height, width, channels)``, or ``(batch, height, width, channels)``; with
``data_format="channels_first"`` the channels stand before the height. ``data_format=None`` means
``image_data_format()``. Sources: Keras 3 ``ops/image.py`` and ``backend/torch/image.py``.
"""

import contextlib
import functools
import itertools
import math
import operator

import torch
import torch.nn.functional as F

from kshim.core import checks, settings
from kshim.core.arrays import to_tensor
from kshim.graph.op import op

FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
_ORDERS = {"nearest": 0, "bilinear": 1}
_RESIZES = {"bilinear": "bilinear", "nearest": "nearest-exact", "bicubic": "bicubic"}
_METHODS = {
    **dict.fromkeys(("linear", "bilinear", "trilinear", "triangle"), "linear"),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), "cubic"),
    "lanczos3": "lanczos3", "lanczos5": "lanczos5",
}  # fmt: skip


def _refuse(function, expected, received, help=""):
    raise ValueError(f"{function}: expected {expected}. Received: {received}.{help}")


def _check_one_of(function, name, value, known):
    if value not in known:
        _refuse(function, f"`{name}` to be one of {tuple(known)}", f"{name}={value!r}", checks.nearest(value, known))


def _channels_first(function, data_format):
    value = settings.image_data_format() if data_format is None else str(data_format).lower()
    _check_one_of(function, "data_format", value, settings.DATA_FORMATS)
    return value == "channels_first"


def _images(function, images, name="images"):
    images = to_tensor(images)
    if images.dim() not in (3, 4):
        _refuse(
            function, f"`{name}` of rank 3 (one image) or 4 (a batch)", f"{name} of shape {tuple(images.shape)}"
        )  # fmt: skip
    return images


def _float_images(function, images):
    images = _images(function, images)
    if not images.is_floating_point():
        _refuse(function, "`images` of a floating point dtype", f"dtype {images.dtype}", " Cast and scale them first.")
    return images


# ---------- colours


@op
def rgb_to_grayscale(images, data_format=None):
    """One channel, ``0.2989 r + 0.587 g + 0.114 b``, in the images' dtype; images of one channel are copied.

    Raises: ValueError for images of another rank, or of other than 1 or 3 channels.
    """
    axis = -3 if _channels_first("rgb_to_grayscale", data_format) else -1
    images = _images("rgb_to_grayscale", images)
    if images.shape[axis] not in (1, 3):
        _refuse("rgb_to_grayscale", "3 channels (RGB) or 1 (grey)", f"images of shape {tuple(images.shape)}")
    if images.shape[axis] == 1:
        return images.clone()
    r, g, b = images.unbind(axis)
    return (0.2989 * r + 0.587 * g + 0.114 * b).to(images.dtype).unsqueeze(axis)


@op
def rgb_to_hsv(images, data_format=None):
    """Hue, saturation and value in place of red, green and blue, all in [0, 1].

    Raises: ValueError for images of another rank, or not of a floating point dtype.
    """
    axis = -3 if _channels_first("rgb_to_hsv", data_format) else -1
    images = _float_images("rgb_to_hsv", images)
    images = torch.where(images.abs() < torch.finfo(images.dtype).eps, 0.0, images)
    r, g, b = images.unbind(axis)
    value, least = images.amax(axis), images.amin(axis)
    span = value - least
    saturation = torch.where(value > 0, span / torch.where(value > 0, value, 1.0), 0.0)
    norm = 1.0 / (6.0 * torch.where(span > 0, span, 1.0))
    hue = torch.where(value == g, norm * (b - r) + 2.0 / 6.0, norm * (r - g) + 4.0 / 6.0)
    hue = torch.where(value == r, norm * (g - b), hue)
    hue = torch.where(span > 0, hue, 0.0) + (hue < 0.0).to(hue.dtype)
    return torch.stack([hue, saturation, value], axis)


@op
def hsv_to_rgb(images, data_format=None):
    """The inverse of ``rgb_to_hsv``; hues are taken modulo 1.

    Raises: ValueError for images of another rank, or not of a floating point dtype.
    """
    axis = -3 if _channels_first("hsv_to_rgb", data_format) else -1
    hue, saturation, value = _float_images("hsv_to_rgb", images).unbind(axis)
    turn = torch.remainder(hue, 1.0) * 6.0
    red = torch.clip((turn - 3.0).abs() - 1.0, 0.0, 1.0)
    green = torch.clip(2.0 - (turn - 2.0).abs(), 0.0, 1.0)
    blue = torch.clip(2.0 - (turn - 4.0).abs(), 0.0, 1.0)
    return torch.stack([value * (1.0 - saturation + saturation * x) for x in (red, green, blue)], axis)


# ---------- sizes


@op
def resize(images, size, interpolation="bilinear", antialias=False, crop_to_aspect_ratio=False,
           pad_to_aspect_ratio=False, fill_mode="constant", fill_value=0.0, data_format=None):  # fmt: skip
    """The images at another size, in their own dtype (integers are rounded).

    Args:
        images: of rank 3 or 4.
        size: ``(height, width)``, ints above 0.
        interpolation: ``bilinear``, ``nearest`` or ``bicubic``.
        antialias: whether ``bilinear`` and ``bicubic`` widen their kernel when the images shrink.
        crop_to_aspect_ratio: whether the largest centred part of the new aspect ratio is taken first.
        pad_to_aspect_ratio: whether the images are first filled up to the new aspect ratio on both sides.
        fill_mode: how, ``constant`` only; with ``fill_value``.

    Raises: ValueError for an argument that is none of these; ``lanczos3`` and ``lanczos5``, which PyTorch lacks.
    """
    if len(size) != 2 or any(checks.as_int(n) is None or n <= 0 for n in size):
        _refuse("resize", "`size` to be two ints above 0", f"size={size}")
    if interpolation in ("lanczos3", "lanczos5"):
        _refuse(
            "resize", f"`interpolation` to be one of {tuple(_RESIZES)}", f"interpolation={interpolation!r}",
            " PyTorch does not resize by Lanczos; scale_and_translate() does.",
        )  # fmt: skip
    _check_one_of("resize", "interpolation", interpolation, _RESIZES)
    _check_one_of("resize", "fill_mode", fill_mode, ("constant",))
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        _refuse("resize", "one of `pad_to_aspect_ratio` and `crop_to_aspect_ratio`", "both")
    last = not _channels_first("resize", data_format)
    given = images = _images("resize", images)
    single = images.dim() == 3
    if single:
        images = images[None]
    if last:
        images = images.permute(0, 3, 1, 2)
    if images.dtype not in (torch.float32, torch.float64):
        images = images.float()
    if crop_to_aspect_ratio:
        images = crop_to_ratio(images, *size)
    elif pad_to_aspect_ratio:
        height, width = images.shape[-2:]
        top = (max(height, int(width * size[0] / size[1])) - height) // 2
        left = (max(width, int(height * size[1] / size[0])) - width) // 2
        images = F.pad(images, (left, left, top, top), value=fill_value)
    smooth = interpolation != "nearest"
    if 0 in images.shape:  # F.interpolate takes no empty batch
        resized = images.new_empty((*images.shape[:2], *size))
    else:
        resized = F.interpolate(images, tuple(size), mode=_RESIZES[interpolation], antialias=antialias and smooth,
                                align_corners=False if smooth else None)  # fmt: skip
    if interpolation == "bicubic" and given.dtype == torch.uint8:
        resized = resized.clamp(0, 255)
    resized = _as_dtype(resized, given.dtype)
    if last:
        resized = resized.permute(0, 2, 3, 1)
    return resized[0] if single else resized


def crop_to_ratio(images, target_height, target_width):
    """The largest centred part of ``images`` (height and width last) with the target's aspect ratio."""
    height, width = images.shape[-2:]
    crop_height = max(min(height, int(width * target_height / target_width)), 1)
    crop_width = max(min(width, int(height * target_width / target_height)), 1)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return images[..., top : top + crop_height, left : left + crop_width]


def _as_dtype(values, dtype):
    if values.dtype == dtype:
        return values
    return (values if dtype.is_floating_point else values.round()).to(dtype)


@op
def pad_images(images, top_padding=None, left_padding=None, bottom_padding=None, right_padding=None,
               target_height=None, target_width=None, data_format=None):  # fmt: skip
    """The images with zeros around them.

    Args:
        images: of rank 3 or 4.
        top_padding, bottom_padding, target_height: two of the three, ints of at least 0.
        left_padding, right_padding, target_width: two of the three, ints of at least 0.

    Raises: ValueError unless exactly two are given, or if one of them, or the third, is below 0.
    """
    images = _images("pad_images", images)
    rows, columns = (-2, -1) if _channels_first("pad_images", data_format) else (-3, -2)
    top, bottom, _ = _two_of_three("pad_images", "padding", "top", "bottom", "height", top_padding, bottom_padding,
                                   target_height, -images.shape[rows])  # fmt: skip
    left, right, _ = _two_of_three("pad_images", "padding", "left", "right", "width", left_padding, right_padding,
                                   target_width, -images.shape[columns])  # fmt: skip
    return F.pad(images, (0, 0) * (-1 - columns) + (left, right, top, bottom))


@op
def crop_images(images, top_cropping=None, left_cropping=None, bottom_cropping=None, right_cropping=None,
                target_height=None, target_width=None, data_format=None):  # fmt: skip
    """The images without some of their border.

    Args:
        images: of rank 3 or 4.
        top_cropping, bottom_cropping, target_height: two of the three, ints of at least 0.
        left_cropping, right_cropping, target_width: two of the three, ints of at least 0.

    Raises: ValueError unless exactly two are given, or if one of them, or the third, is below 0.
    """
    images = _images("crop_images", images)
    rows, columns = (-2, -1) if _channels_first("crop_images", data_format) else (-3, -2)
    top, _, height = _two_of_three("crop_images", "cropping", "top", "bottom", "height", top_cropping,
                                   bottom_cropping, target_height, images.shape[rows])  # fmt: skip
    left, _, width = _two_of_three("crop_images", "cropping", "left", "right", "width", left_cropping,
                                   right_cropping, target_width, images.shape[columns])  # fmt: skip
    return images.narrow(rows, top, height).narrow(columns, left, width)


def _two_of_three(function, kind, first, second, axis, before, after, target, size):
    """``(before, after, target)``, all known: ``before + after + target = size``, of opposite sign when padding."""
    given = {f"{first}_{kind}": before, f"{second}_{kind}": after, f"target_{axis}": target}
    received = ", ".join(f"{name}={value}" for name, value in given.items())
    if list(given.values()).count(None) != 1:
        _refuse(function, f"exactly two of {', '.join(given)}", received)
    sign = 1 if kind == "cropping" else -1
    if target is None:
        target = sign * size - sign * (before + after)
    elif before is None:
        before = sign * (sign * size - target) - after
    else:
        after = sign * (sign * size - target) - before
    if min(before, after, target) < 0:
        _refuse(function, f"{', '.join(given)} of at least 0", f"{received} for a {axis} of {abs(size)}")
    return before, after, target


@op
def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """Patches of the images, each laid out along the channels: ``(..., rows, columns, patch pixels * channels)``.

    Args:
        images: of rank 3 or 4; for a ``size`` of three ints, volumes of rank 4 or 5.
        size: of a patch, an int or a tuple of two or three.
        strides: from patch to patch, an int or a tuple; None means ``size``.
        dilation_rate: from pixel to pixel within a patch, an int or a tuple.
        padding: ``valid``, or ``same`` for zeros around the images so that every stride begins a patch.

    Raises: TypeError, ValueError for arguments that are none of these.
    """
    return _patches("extract_patches", images, size, strides, dilation_rate, padding, data_format)


@op
def extract_patches_3d(volumes, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """As ``extract_patches``, of volumes ``(batch, depth, height, width, channels)``, with or without the batch."""
    size = (size,) * 3 if checks.as_int(size) is not None else size
    return _patches("extract_patches_3d", volumes, size, strides, dilation_rate, padding, data_format)


def _patches(function, images, size, strides, dilation_rate, padding, data_format):
    size = (size, size) if checks.as_int(size) is not None else size
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"{function}: expected `size` to be an int or a tuple. Received: size={size!r}.")
    rank = len(size)
    if rank not in (2, 3) or (function == "extract_patches_3d" and rank != 3):
        _refuse(function, "`size` to be an int, or a tuple of two or three", f"size={size}")
    _check_one_of(function, "padding", padding, ("valid", "same"))
    strides, dilations = strides or size, dilation_rate or 1
    strides = (strides,) * rank if checks.as_int(strides) is not None else strides
    dilations = (dilations,) * rank if checks.as_int(dilations) is not None else dilations
    if len(strides) != rank or len(dilations) != rank:
        _refuse(function, f"{rank} strides and dilation rates", f"strides={strides}, dilation_rate={dilation_rate}")
    first = _channels_first(function, data_format)
    images = to_tensor(images)
    if images.dim() not in (rank + 1, rank + 2):
        _refuse(function, f"images of rank {rank + 1} or {rank + 2}", f"shape {tuple(images.shape)}")
    single = images.dim() == rank + 1
    if single:
        images = images[None]
    if not first:
        images = images.movedim(-1, 1)
    for i, (count, step, gap) in enumerate(zip(size, strides, dilations, strict=True)):
        axis, length = 2 + 2 * i, images.shape[2 + 2 * i]
        reach = gap * (count - 1) + 1
        if padding == "same":
            total = max((math.ceil(length / step) - 1) * step + reach - length, 0)
            images = F.pad(images, (0, 0) * (images.dim() - 1 - axis) + (total // 2, total - total // 2))
            length += total
        starts = torch.arange(0, max(length - reach + 1, 0), step, device=images.device)
        pixels = starts[:, None] + torch.arange(0, reach, gap, device=images.device)
        images = images[(slice(None),) * axis + (pixels,)]
    # (batch, channels, rows, patch rows, columns, patch columns): the patch's own axes go before the channels.
    images = images.permute(0, *range(2, 2 + 2 * rank, 2), *range(3, 3 + 2 * rank, 2), 1).flatten(1 + rank)
    images = images.movedim(-1, 1) if first else images
    return images[0] if single else images


# ---------- pixels from elsewhere


@op
def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """The entries of ``inputs`` at ``coordinates``, between entries by interpolation.

    Args:
        inputs: of any rank and dtype.
        coordinates: one array of positions for each axis, or a tensor of them along its first axis.
        order: 0 for the nearest entry, 1 for linear interpolation.
        fill_mode: outside of ``inputs``: ``constant`` (``fill_value``), ``nearest``, ``wrap``, ``mirror``
            (``c b|a b c|b a``) or ``reflect`` (``b a|a b c|c b``).
        fill_value: a number.

    Raises:
        ValueError: coordinates that are not one per axis, scalars; another ``fill_mode``.
        NotImplementedError: another ``order``.
    """
    inputs = to_tensor(inputs)
    coordinates = [to_tensor(c) for c in coordinates]
    if len(coordinates) != inputs.dim():
        _refuse(
            "map_coordinates", "one array of coordinates for each axis of `inputs`",
            f"{len(coordinates)} for inputs of shape {tuple(inputs.shape)}",
        )  # fmt: skip
    if coordinates[0].dim() < 1:
        _refuse("map_coordinates", "`coordinates` of rank 2 at least", f"rank {coordinates[0].dim() + 1}")
    _check_one_of("map_coordinates", "fill_mode", fill_mode, FILL_MODES)
    if order not in (0, 1):
        raise NotImplementedError(f"map_coordinates: expected `order` to be 0 or 1. Received: order={order!r}.")
    return _taken(inputs, coordinates, order, fill_mode, fill_value)


def _taken(values, coordinates, order, fill_mode, fill_value, before=()):
    """``values[*before, *coordinates]`` with interpolation along the latter; axes that are not indexed come last."""
    spread = (..., *[None] * (values.dim() - len(before) - len(coordinates)))
    whole = not values.is_floating_point() and not values.is_complex()
    if whole:
        fill_value = int(fill_value)
    axes = []
    for at, size in zip(coordinates, values.shape[len(before) :], strict=False):
        if order == 0:
            nodes = [((at.round() if at.is_floating_point() else at).long(), None)]
        else:
            lower = at.floor() if at.is_floating_point() else at
            share = at - lower
            nodes = [(lower.long(), 1 - share), (lower.long() + 1, share)]
        axes.append([(_inside(i, size, fill_mode), (i >= 0) & (i < size), weight) for i, weight in nodes])
    total = None
    for corner in itertools.product(*axes):
        indices, valid, weights = zip(*corner, strict=True)
        found = _rows(values, (*before, *indices))
        if fill_mode == "constant":
            found = torch.where(functools.reduce(operator.and_, valid)[spread], found, fill_value)
        if order:
            found = functools.reduce(operator.mul, weights)[spread] * found
        total = found if total is None else total + found
    return _as_dtype(total, values.dtype)


def _rows(values, indices):
    """``values[indices]``; several times faster by one index into the axes laid out as one."""
    flat = indices[0]
    for index, size in zip(indices[1:], values.shape[1:], strict=False):
        flat = flat * size + index
    found = values.flatten(0, len(indices) - 1).index_select(0, flat.flatten())
    return found.reshape(*flat.shape, *values.shape[len(indices) :])


def _inside(index, size, fill_mode):
    """``index`` moved into ``[0, size)``."""
    if fill_mode == "wrap":
        return index % size
    if fill_mode == "mirror":
        return _mirrored(index, size)
    if fill_mode == "reflect":
        return torch.div(_mirrored(2 * index + 1, 2 * size + 1) - 1, 2, rounding_mode="floor")
    return index.clamp(0, size - 1)


def _mirrored(index, size):
    last = max(size - 1, 1)
    return ((index + last) % (2 * last) - last).abs() if size > 1 else torch.zeros_like(index)


def _taken_from_images(images, x, y, order, fill_mode, fill_value, first):
    """Pixels of a batch of images at the columns ``x`` and rows ``y``, both ``(batch or 1, height, width)``."""
    if first:
        images = images.permute(0, 2, 3, 1)
    which = torch.arange(images.shape[0], device=images.device)[:, None, None]
    taken = _taken(images, [y, x], order, fill_mode, fill_value, (which,))
    return taken.permute(0, 3, 1, 2) if first else taken


def _grid(images, first, dtype):
    """The columns ``(1, width)`` and rows ``(height, 1)`` of the pixels."""
    height, width = images.shape[-2:] if first else images.shape[-3:-1]
    x = torch.arange(width, device=images.device, dtype=dtype)
    return x[None], torch.arange(height, device=images.device, dtype=dtype)[:, None]


def _projected(images, rows, interpolation, fill_mode, fill_value, first):
    """A batch of images seen through projections, whose ``rows`` are ``(a0, a1, a2, b0, b1, b2, c0, c1)``."""
    x, y = _grid(images, first, rows.dtype)
    a0, a1, a2, b0, b1, b2, c0, c1 = (number[:, None, None] for number in rows.unbind(1))
    k = c0 * x + c1 * y + 1
    from_x, from_y = (a0 * x + a1 * y + a2) / k, (b0 * x + b1 * y + b2) / k
    return _taken_from_images(images, from_x, from_y, _ORDERS[interpolation], fill_mode, fill_value, first)


def _at_least_float32(values, like):
    wide = torch.float64 if torch.float64 in (values.dtype, like.dtype) else torch.float32
    return values.to(like.device, wide)


@op
def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0,
                     data_format=None):  # fmt: skip
    """The images, turned, moved, scaled, sheared or projected.

    The pixel at column x and row y comes from ``((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k)``, where
    ``k = c0 x + c1 y + 1``. (Keras on torch ignores this k; the layers all have c0 = c1 = 0.)

    Args:
        images: of rank 3 or 4.
        transform: ``(a0, a1, a2, b0, b1, b2, c0, c1)``, one or one for each image.
        interpolation: ``bilinear`` or ``nearest``.
        fill_mode, fill_value: for what comes from outside, as in ``map_coordinates``.

    Raises: ValueError for an argument that is none of these.
    """
    _check_one_of("affine_transform", "interpolation", interpolation, _ORDERS)
    _check_one_of("affine_transform", "fill_mode", fill_mode, FILL_MODES)
    images, transform = _images("affine_transform", images), to_tensor(transform)
    if transform.dim() not in (1, 2) or transform.shape[-1] != 8:
        _refuse("affine_transform", "`transform` of 8 numbers, or rows of 8", f"shape {tuple(transform.shape)}")
    first, single = _channels_first("affine_transform", data_format), images.dim() == 3
    rows = _at_least_float32(transform.reshape(-1, 8), images)
    images = _projected(images[None] if single else images, rows, interpolation, fill_mode, fill_value, first)
    return images[0] if single else images


@op
def perspective_transform(images, start_points, end_points, interpolation="bilinear", fill_value=0,
                          data_format=None):  # fmt: skip
    """The images projected so that the four ``start_points`` come to lie on the ``end_points``.

    Args:
        images: of rank 3 or 4.
        start_points, end_points: ``(4, 2)``, or one such for each image: (x, y) of four corners, in pixels.
        interpolation: ``bilinear`` or ``nearest``.
        fill_value: for what comes from outside.

    Raises: ValueError for an argument that is none of these.
    """
    _check_one_of("perspective_transform", "interpolation", interpolation, _ORDERS)
    images = _images("perspective_transform", images)
    start_points, end_points = to_tensor(start_points), to_tensor(end_points)
    for name, points in (("start_points", start_points), ("end_points", end_points)):
        if points.dim() not in (2, 3) or tuple(points.shape[-2:]) != (4, 2):
            _refuse("perspective_transform", f"`{name}` of shape (4, 2) or (batch, 4, 2)", tuple(points.shape))
    if start_points.shape != end_points.shape:
        _refuse(
            "perspective_transform", "as many start points as end points",
            f"shapes {tuple(start_points.shape)} and {tuple(end_points.shape)}",
        )  # fmt: skip
    first, single = _channels_first("perspective_transform", data_format), images.dim() == 3
    start, end = (_at_least_float32(p.reshape(-1, 4, 2), images) for p in (start_points, end_points))
    rows = homography(start, end)
    images = _projected(images[None] if single else images, rows, interpolation, "constant", fill_value, first)
    return images[0] if single else images


def homography(start_points, end_points):
    """The rows for ``affine_transform`` that take each of the end points ``(batch, 4, 2)`` from its start point."""
    (to_x, to_y), (x, y) = start_points.unbind(-1), end_points.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    of_x = torch.stack([x, y, one, zero, zero, zero, -to_x * x, -to_x * y], -1)
    of_y = torch.stack([zero, zero, zero, x, y, one, -to_y * x, -to_y * y], -1)
    equations = torch.stack([of_x, of_y], -2).flatten(-3, -2)
    return torch.linalg.solve(equations, start_points.flatten(-2))


@op
def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """The images convolved with a Gaussian, zeros around them; the size stays.

    Args:
        images: of rank 3 or 4.
        kernel_size: ``(height, width)``.
        sigma: standard deviations along the width and along the height, in pixels: in this order, as in Keras.

    Raises: ValueError for images of another rank.
    """
    images = _images("gaussian_blur", images)
    first, single = _channels_first("gaussian_blur", data_format), images.dim() == 3
    x = images[None] if single else images
    if not first:
        x = x.permute(0, 3, 1, 2)
    if not x.is_floating_point():
        x = x.float()
    for axis, (size, deviation) in enumerate(zip(kernel_size, (sigma[1], sigma[0]), strict=True)):
        x = _blurred(x, 2 + axis, int(size), deviation)
    if not first:
        x = x.permute(0, 2, 3, 1)
    x = _as_dtype(x, images.dtype)
    return x[0] if single else x


def _blurred(x, axis, size, sigma):
    """``(batch, channels, height, width)`` convolved with a Gaussian of ``size`` taps along ``axis``."""
    at = torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2
    kernel = torch.exp(-0.5 * (at / sigma) ** 2)
    kernel = (kernel / kernel.sum()).reshape((1, 1, size, 1) if axis == 2 else (1, 1, 1, size))
    around = (0, 0, size // 2, (size - 1) // 2) if axis == 2 else (size // 2, (size - 1) // 2, 0, 0)
    batch, channels, height, width = x.shape
    x = F.pad(x.reshape(batch * channels, 1, height, width), around)
    return F.conv2d(x, kernel.to(x.dtype)).reshape(batch, channels, height, width)


@op
def elastic_transform(images, alpha=20.0, sigma=5.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                      seed=None, data_format=None):  # fmt: skip
    """The images with their pixels moved about by a smooth random field.

    Args:
        images: of rank 3 or 4.
        alpha: how far, a number.
        sigma: how smooth: the standard deviation of the Gaussian blur over the field, in pixels, above 0.
        interpolation: ``bilinear`` or ``nearest``.
        fill_mode, fill_value: for what comes from outside, as in ``map_coordinates``.
        seed: an int or a ``SeedGenerator`` makes the field repeatable (Keras on torch does not hear it); None draws
            from torch's generator.

    Raises: ValueError for an argument that is none of these.
    """
    _check_one_of("elastic_transform", "interpolation", interpolation, _ORDERS)
    _check_one_of("elastic_transform", "fill_mode", fill_mode, FILL_MODES)
    images = _images("elastic_transform", images)
    first, single = _channels_first("elastic_transform", data_format), images.dim() == 3
    batch = images[None] if single else images
    x, y = _grid(batch, first, torch.float32)
    alpha, sigma = float(alpha), float(sigma)
    # Half a pixel is lost in half precision; there is no autocast on meta.
    with contextlib.nullcontext() if images.is_meta else torch.autocast(images.device.type, enabled=False):
        field = _normal((2, batch.shape[0], y.shape[0], x.shape[1]), seed, images) * sigma
        for axis in (2, 3):
            field = _blurred(field, axis, int(6 * sigma) | 1, sigma)
        moved = _taken_from_images(
            batch, x + alpha * field[0], y + alpha * field[1], _ORDERS[interpolation], fill_mode, fill_value, first
        )  # fmt: skip
    return moved[0] if single else moved


def _normal(shape, seed, like):
    """Float32 draws on the device of ``like``, the axes of ``shape[0]`` one after the other as Keras makes them."""
    if seed is None or like.is_meta:
        return torch.randn(shape, device=like.device, dtype=torch.float32)
    number = sum(seed.next().tolist()) if hasattr(seed, "next") else operator.index(seed)
    source = torch.Generator().manual_seed(number & 0xFFFFFFFF)
    draws = [torch.empty(shape[1:], dtype=torch.float32).normal_(generator=source) for _ in range(shape[0])]
    return torch.stack(draws).to(like.device)


@op
def scale_and_translate(images, output_shape, scale, translation, spatial_dims, method, antialias=True):
    """The images scaled and moved, in ``output_shape``: axis by axis by a resampling kernel.

    Args:
        images: of any rank; integers are rounded, and stay between the least and the greatest of them.
        output_shape: the whole shape of the result.
        scale, translation: a number for each of ``spatial_dims``; the pixel at p goes to ``p * scale + translation``.
        spatial_dims: the axes to resample.
        method: ``linear``, ``cubic``, ``lanczos3`` or ``lanczos5``; also ``bilinear``, ``trilinear``, ``triangle``,
            ``bicubic``, ``tricubic``.
        antialias: whether the kernel widens when the images shrink.

    Raises: ValueError for another ``method``.
    """
    _check_one_of("scale_and_translate", "method", method, _METHODS)
    images, scale, translation = to_tensor(images), to_tensor(scale), to_tensor(translation)
    dtype = torch.promote_types(torch.promote_types(scale.dtype, translation.dtype), torch.float32)
    scale, translation = scale.to(images.device, dtype), translation.to(images.device, dtype)
    whole = not images.is_floating_point()
    result = images.float() if whole else images
    for i, axis in enumerate(spatial_dims):
        weights = _resampling(
            images.shape[axis], output_shape[axis], scale[i], translation[i], _METHODS[method], antialias
        )  # fmt: skip
        result = torch.tensordot(result, weights.to(result.dtype), dims=((axis % images.dim(),), (0,)))
        result = result.movedim(-1, axis)
    if whole:
        result = result.round().clamp(images.min(), images.max()).to(images.dtype)
    return result


def _resampling(size, new_size, scale, translation, method, antialias):
    """Weights ``(size, new_size)``: how much of each old entry goes into each new one."""
    dtype, device = scale.dtype, scale.device
    inverse = 1.0 / scale
    at = (torch.arange(new_size, dtype=dtype, device=device) + 0.5) * inverse - translation * inverse - 0.5
    distance = (at - torch.arange(size, dtype=dtype, device=device)[:, None]).abs()
    if antialias:
        distance = distance / inverse.clamp(min=1.0)
    weights = _kernel(method, distance)
    total = weights.sum(0, keepdim=True)
    weights = torch.where(total.abs() > 1000 * torch.finfo(torch.float32).eps, weights / total, 0)
    return torch.where((at >= -0.5) & (at <= size - 0.5), weights, 0)


def _kernel(method, x):
    if method == "linear":
        return (1 - x).clamp(min=0)
    if method == "cubic":
        near, far = ((1.5 * x - 2.5) * x) * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return torch.where(x >= 2.0, 0.0, torch.where(x >= 1.0, far, near))
    radius = {"lanczos3": 3.0, "lanczos5": 5.0}[method]
    lobes = radius * torch.sin(math.pi * x) * torch.sin(math.pi * x / radius)
    lobes = torch.where(x > 1e-3, lobes / torch.where(x != 0, (math.pi * x) ** 2, 1), 1)
    return torch.where(x > radius, 0.0, lobes)


# ---------- measures


@op
def sobel_edges(images, data_format=None):
    """Derivatives of the images by Sobel's filter, zeros around them: a last axis with (down, right) is added.

    Raises: ValueError for images of other rank than 4.
    """
    first, images = _channels_first("sobel_edges", data_format), to_tensor(images)
    if images.dim() != 4:
        _refuse("sobel_edges", "`images` of rank 4", f"images of shape {tuple(images.shape)}")
    x = images if first else images.permute(0, 3, 1, 2)
    right = torch.tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=images.dtype, device=images.device)
    kernels = torch.stack([right.T, right])[:, None]
    edges = F.conv2d(x.flatten(0, 1)[:, None], kernels, padding=1).unflatten(0, x.shape[:2]).movedim(2, -1)
    return edges if first else edges.permute(0, 2, 3, 1, 4)


@op
def ssim(image1, image2, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, data_format=None):
    """Structural similarity of two images, or of each two of two batches: 1 for the same image.

    Args:
        image1, image2: of rank 3 or 4.
        max_val: the span of the pixels' values.
        filter_size, filter_sigma: of the Gaussian window, in pixels.
        k1, k2: small constants against division by 0.

    Raises: ValueError for images of another rank.

    Source: Keras 3 ``ops/image.py``; Wang et al., 2004.
    """
    first = _channels_first("ssim", data_format)
    image1, image2 = _images("ssim", image1, "image1"), _images("ssim", image2, "image2")
    dtype = image1.dtype if image1.is_floating_point() else torch.float32
    single = image1.dim() == 3
    pair = [x[None] if single else x for x in (image1.to(dtype), image2.to(dtype))]
    one, two = pair if first else [x.permute(0, 3, 1, 2) for x in pair]
    at = torch.arange(filter_size, dtype=dtype, device=image1.device) - (filter_size - 1) / 2
    taps = torch.exp(-(at**2) / (2.0 * filter_sigma**2))
    taps = taps / taps.sum()

    def mean(x):
        x = F.conv2d(x.flatten(0, 1)[:, None], torch.outer(taps, taps)[None, None])
        return x.unflatten(0, one.shape[:2])[:, :, 0]

    mean1, mean2 = mean(one), mean(two)
    variances = mean(one * one) - mean1**2 + mean(two * two) - mean2**2
    covariance = mean(one * two) - mean1 * mean2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    similar = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    similar = (similar / ((mean1**2 + mean2**2 + c1) * (variances + c2))).mean((1, 2, 3)).to(image1.dtype)
    return similar[0] if single else similar

"""Layers that resize, crop, flip, turn and bend images, and the boxes and masks that belong to them.

"Images" in *Shapes* are ``(batch, height, width, channels)``, or one without the batch, or a dict of them with
labels, boxes and masks; with ``data_format="channels_first"`` the channels stand before the height.
"""

import torch
import torch.nn.functional as F

from kshim.core import checks
from kshim.layers.preprocessing import bounding_boxes as box_tools
from kshim.layers.preprocessing.image_base import BaseImagePreprocessingLayer, bounds
from kshim.ops import image as ops


class _ImageLayer(BaseImagePreprocessingLayer):
    """Base of this file's layers: no ``factor`` but a layer's own, labels as they are, boxes by their corners.

    A subclass writes ``_corners(boxes, transformation, height, width)``: boxes as xyxy in pixels to the same.
    """

    _USE_BASE_FACTOR = False
    _FILL_MODES: tuple[str, ...] = ("reflect", "wrap", "constant", "nearest")

    def _supported(self, **given):
        known = {"fill_mode": self._FILL_MODES, "interpolation": ("nearest", "bilinear")}
        for name, value in given.items():
            if value not in known[name]:
                raise NotImplementedError(
                    f"{checks.describe(self)}: expected `{name}` to be one of {known[name]}. "
                    f"Received: {name}={value!r}.{checks.nearest(value, known[name])}"
                )

    def transform_labels(self, labels, transformation, training=True):
        return labels

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        if transformation is None:
            return bounding_boxes
        height, width = transformation["size"]
        target = transformation.get("target", (height, width))
        boxes = self._convert(bounding_boxes, self.bounding_box_format, "xyxy", height, width)
        boxes = {**boxes, "boxes": self._corners(boxes["boxes"], transformation, height, width)}
        boxes = box_tools.clip_to_image_size(boxes, *target)
        return self._convert(boxes, "xyxy", self.bounding_box_format, *target)

    def _convert(self, bounding_boxes, source, target, height, width):
        return box_tools.convert_format(bounding_boxes, source, target, height, width)

    def _corners(self, boxes, transformation, height, width):
        raise NotImplementedError(
            f"{checks.describe(self)} does not transform bounding boxes. Received: 'bounding_boxes' in the data."
        )


class _RandomLayer(_ImageLayer):
    """Base of the layers that draw: nothing is done unless training.

    A subclass writes ``_drawn(images, batch, height, width, seed)``, a dict of what it drew.
    """

    def get_random_transformation(self, data, training=True, seed=None):
        if not training:
            return None
        images = self._images_of(data)
        height, width = self._size(images.shape)
        drawn = self._drawn(images, self._batch_size(images), height, width, seed)
        return None if drawn is None else {"size": (height, width), **drawn}

    def transform_images(self, images, transformation, training=True):
        images = self._cast(images)
        return images if transformation is None else self._transform_images(images, transformation, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        if transformation is None:
            return segmentation_masks
        return self._transform_images(segmentation_masks, transformation, "nearest")

    def _drawn(self, images, batch, height, width, seed):
        raise NotImplementedError(f"{checks.describe(self)}: expected a `_drawn` method. Received: none.")


class _AffineLayer(_RandomLayer):
    """Base of the layers that draw a matrix for each image, under the key ``"matrix"``."""

    def _transform_images(self, images, transformation, interpolation):
        return ops.affine_transform(
            images, transformation["matrix"], interpolation=interpolation, fill_mode=self.fill_mode,
            fill_value=self.fill_value, data_format=self.data_format,
        )  # fmt: skip


# ---------- sizes


class Resizing(_ImageLayer):
    """Images at another size, in their own dtype: integers are rounded.

    Args:
        height, width: the new size in pixels, ints above 0.
        interpolation: ``bilinear``, ``nearest`` or ``bicubic``. Masks are resized by ``nearest``.
        crop_to_aspect_ratio: whether the largest centred part of the new aspect ratio is taken first.
        pad_to_aspect_ratio: whether images are first filled up to the new aspect ratio on both sides.
        fill_mode: how, ``constant`` only; with ``fill_value``.
        fill_value: a number.
        antialias: whether ``bilinear`` and ``bicubic`` widen their kernel when images shrink.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> images of ``(height, width)``.

    Raises:
        ValueError: an argument is none of these; ``lanczos3`` and ``lanczos5``, which PyTorch lacks, at the call.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/resizing.py``.
    """

    def __init__(self, height, width, interpolation="bilinear", crop_to_aspect_ratio=False, pad_to_aspect_ratio=False,
                 fill_mode="constant", fill_value=0.0, antialias=False, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self.keep(
            locals(), height=checks.positive_int, width=checks.positive_int, fill_mode=checks.one_of("constant"),
            interpolation=checks.one_of("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"),
            antialias=checks.boolean, data_format=checks.data_format,
        )  # fmt: skip
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            checks.fail(self, "one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio`", "both")

    def get_random_transformation(self, data, training=True, seed=None):
        return {"size": self._size(self._images_of(data).shape), "target": (self.height, self.width)}

    def transform_images(self, images, transformation=None, training=True):
        return self._transform_images(images, transformation, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return self._transform_images(segmentation_masks, transformation, "nearest")

    def _transform_images(self, images, transformation, interpolation):
        return ops.resize(
            images, (self.height, self.width), interpolation=interpolation, antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio, pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode, fill_value=self.fill_value, data_format=self.data_format,
        )  # fmt: skip

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        boxes = bounding_boxes["boxes"]
        none = (boxes == -1).all(-1, keepdim=True) | (boxes == 0).all(-1, keepdim=True)
        resized = super().transform_bounding_boxes(bounding_boxes, transformation, training)
        return {**resized, "boxes": torch.where(none, 0.0, resized["boxes"])}

    def _corners(self, boxes, transformation, height, width):
        scale_x, scale_y, left, top = self.width / width, self.height / height, 0, 0
        if self.pad_to_aspect_ratio:
            scale_x = scale_y = min(scale_x, scale_y)
            left, top = _half(self.width - width * scale_x), _half(self.height - height * scale_y)
        elif self.crop_to_aspect_ratio:
            scale_x = scale_y = max(scale_x, scale_y)
            left, top = -_half(width * scale_x - self.width), -_half(height * scale_y - self.height)
        return _scaled(boxes, scale_x, scale_y, left, top)


def _half(pixels):
    return round(pixels, 6) // 2


def _scaled(boxes, scale_x, scale_y, left=0, top=0):
    x1, y1, x2, y2 = boxes.split(1, -1)
    return torch.cat([x1 * scale_x + left, y1 * scale_y + top, x2 * scale_x + left, y2 * scale_y + top], -1)


class CenterCrop(_ImageLayer):
    """The centre of images; of images that are too small, the largest part of that aspect ratio, resized.

    Args:
        height, width: the size of the part in pixels, ints above 0.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> images of ``(height, width)``, in the layer's dtype.

    Raises: ValueError if ``height`` or ``width`` is no int above 0.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/center_crop.py``.
    """

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), height=checks.positive_int, width=checks.positive_int, data_format=checks.data_format)

    def get_random_transformation(self, data, training=True, seed=None):
        height, width = self._size(self._images_of(data).shape)
        if height >= self.height and width >= self.width:
            rows, columns = self.height, self.width
        else:
            rows = max(min(height, width * self.height // self.width), 1)
            columns = max(min(width, height * self.width // self.height), 1)
        window = (height - rows) // 2, (width - columns) // 2, rows, columns
        return {"size": (height, width), "target": (self.height, self.width), "window": window}

    def transform_images(self, images, transformation, training=True):
        return self._transform_images(self._cast(images), transformation, "bilinear")

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return self._transform_images(self._cast(segmentation_masks), transformation, "nearest")

    def _transform_images(self, images, transformation, interpolation):
        top, left, height, width = transformation["window"]
        images = images.narrow(self._height_axis, top, height).narrow(self._width_axis, left, width)
        if (height, width) == (self.height, self.width):
            return images
        return ops.resize(
            images, (self.height, self.width), interpolation=interpolation, data_format=self.data_format
        )  # fmt: skip

    def _corners(self, boxes, transformation, height, width):
        top, left, rows, columns = transformation["window"]
        boxes = box_tools.crop(boxes, top, left, rows, columns)
        return _scaled(boxes, self.width / columns, self.height / rows)


class RandomCrop(_RandomLayer):
    """While training, a random part of images; one part for the whole batch. Else the images as they are.

    Images that are not larger than the part are cropped to its aspect ratio and resized.

    Args:
        height, width: the size of the part in pixels, ints above 0.
        seed: an int makes the layer's own row of parts; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> images of ``(height, width)`` while training, else the same; in the layer's dtype.

    Raises: ValueError if ``height`` or ``width`` is no int above 0.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_crop.py``.
    """

    def __init__(self, height, width, seed=None, data_format=None, name=None, **kwargs):
        super().__init__(data_format=data_format, name=name, **kwargs)
        self.keep(locals(), height=checks.positive_int, width=checks.positive_int, data_format=checks.data_format,
                  name=lambda owner, key, value: owner.name)  # fmt: skip
        self._seeded()
        self.interpolation = "bilinear"

    def _drawn(self, images, batch, height, width, seed):
        if height > self.height and width > self.width:
            top = int(self._number(images, 0, float(height - self.height + 1), seed))
            left = int(self._number(images, 0, float(width - self.width + 1), seed))
        else:
            top = (height - max(min(height, width * self.height // self.width), 1)) // 2
            left = (width - max(min(width, height * self.width // self.height), 1)) // 2
        window = top, left, min(self.height, height - top), min(self.width, width - left)
        return {"target": (self.height, self.width), "window": window}

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return super().transform_segmentation_masks(self._cast(segmentation_masks), transformation, training)

    _transform_images = CenterCrop._transform_images
    _corners = CenterCrop._corners


# ---------- turned, moved and bent


class RandomFlip(_RandomLayer):
    """While training, each image is mirrored or not, by a throw of its own.

    Args:
        mode: ``horizontal`` (left and right change places), ``vertical`` (top and bottom) or
            ``horizontal_and_vertical``, which does both or none.
        seed: an int makes the layer's own row of throws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> the same, in the layer's dtype.

    Raises: ValueError for another ``mode``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_flip.py``.
    """

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(
            locals(), mode=checks.one_of("horizontal", "vertical", "horizontal_and_vertical"),
            data_format=checks.data_format,
        )  # fmt: skip
        self._seeded()
        self.interpolation = "nearest"

    def _drawn(self, images, batch, height, width, seed):
        return {"flips": self._uniform(images, (batch, 1, 1, 1), seed=seed) <= 0.5}

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return super().transform_segmentation_masks(self._cast(segmentation_masks), transformation, training)

    def _transform_images(self, images, transformation, interpolation):
        axes = []
        if "horizontal" in self.mode:
            axes.append(self._width_axis)
        if "vertical" in self.mode:
            axes.append(self._height_axis)
        return torch.where(transformation["flips"], images.flip(axes), images)

    def _corners(self, boxes, transformation, height, width):
        x1, y1, x2, y2 = boxes.split(1, -1)
        if "horizontal" in self.mode:
            x1, x2 = width - x2, width - x1
        if "vertical" in self.mode:
            y1, y2 = height - y2, height - y1
        return torch.where(transformation["flips"][..., 0], torch.cat([x1, y1, x2, y2], -1), boxes)


class RandomRotation(_AffineLayer):
    """While training, each image is turned about its centre by an angle of its own.

    Args:
        factor: bounds of the angle in full turns, a number in [-1, 1] for ``(-factor, factor)`` or two; counter
            clockwise above 0.
        fill_mode: for what comes from outside: ``reflect`` (``b a|a b c|c b``), ``wrap``, ``nearest``, or
            ``constant``, which is ``fill_value``.
        interpolation: ``bilinear`` or ``nearest``. Masks are turned by ``nearest``.
        seed: an int makes the layer's own row of angles; None draws from torch's generator.
        fill_value: a number.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> the same, in the layer's dtype.

    Raises:
        ValueError: ``factor`` is out of bounds.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_rotation.py``.
    """

    def __init__(self, factor, fill_mode="reflect", interpolation="bilinear", seed=None, fill_value=0.0,
                 data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self._supported(fill_mode=fill_mode, interpolation=interpolation)
        self.keep(locals(), factor=bounds, data_format=checks.data_format)
        self._seeded()

    def _drawn(self, images, batch, height, width, seed):
        angle = self._uniform(images, (batch,), self.factor[0] * 360.0, self.factor[1] * 360.0, seed)
        none = torch.zeros_like(angle)
        matrix = self._compute_affine_matrix(0.5, 0.5, angle, 0, 0, 1, none, none, height, width)
        return {"angle": angle, "matrix": matrix}

    def _corners(self, boxes, transformation, height, width):
        angle = transformation["angle"]
        zero = torch.zeros_like(angle)
        return box_tools.affine_transform(boxes, angle, zero, zero, zero + 1, zero, zero, height, width)


class RandomZoom(_AffineLayer):
    """While training, each image is zoomed about its centre by factors of its own.

    Args:
        height_factor: bounds of ``zoom - 1`` along the height, a number for ``(-number, number)`` or two, in
            (-1, 1]: 0.2 shows 20 % more (out), -0.2 shows 20 % less (in).
        width_factor: the same along the width; None means the height's zoom.
        fill_mode: for what comes from outside: ``reflect`` (``b a|a b c|c b``), ``wrap``, ``nearest``, or
            ``constant``, which is ``fill_value``.
        interpolation: ``bilinear`` or ``nearest``. Masks are zoomed by ``nearest``.
        seed: an int makes the layer's own row of factors; None draws from torch's generator.
        fill_value: a number.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> the same, in the layer's dtype.

    Raises:
        ValueError: a factor is out of bounds.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_zoom.py``.
    """

    def __init__(self, height_factor, width_factor=None, fill_mode="reflect", interpolation="bilinear", seed=None,
                 fill_value=0.0, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self._supported(fill_mode=fill_mode, interpolation=interpolation)
        self.keep(locals(), data_format=checks.data_format)
        self._heights = self._zooms("height_factor", height_factor)
        self._widths = None if width_factor is None else self._zooms("width_factor", width_factor)
        self._seeded()

    def _zooms(self, name, value):
        low, high = self._bounds_within(name, value, -1, 1)
        if -1 in (value if isinstance(value, (tuple, list)) else (value,)):
            checks.fail(self, f"`{name}` to be one or two numbers in (-1, 1]", f"{name}={value!r}")
        return 1 + low, 1 + high

    def _drawn(self, images, batch, height, width, seed):
        tall = self._uniform(images, (batch,), *self._heights, seed)
        wide = tall if self._widths is None else self._uniform(images, (batch,), *self._widths, seed)
        zero = torch.zeros_like(tall)
        left, top = (width - 1) / 2 * (1 - wide), (height - 1) / 2 * (1 - tall)
        return {"matrix": torch.stack([wide, zero, left, zero, tall, top, zero, zero], 1)}

    def _corners(self, boxes, transformation, height, width):
        wide, _, left, _, tall, top, _, _ = (x[:, None, None] for x in transformation["matrix"].unbind(1))
        boxes = box_tools.crop(boxes, top, left, tall * height, wide * width)
        return _scaled(boxes, 1 / wide, 1 / tall)


class RandomTranslation(_AffineLayer):
    """While training, each image is moved by a way of its own.

    Args:
        height_factor: bounds of the way down as fractions of the height, a number for ``(-number, number)`` or two,
            in [-1, 1].
        width_factor: the same to the right, of the width.
        fill_mode: for what comes from outside: ``reflect`` (``b a|a b c|c b``), ``wrap``, ``nearest``, or
            ``constant``, which is ``fill_value``.
        interpolation: ``bilinear`` or ``nearest``. Masks are moved by ``nearest``.
        seed: an int makes the layer's own row of ways; None draws from torch's generator.
        fill_value: a number.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> the same, in the layer's dtype.

    Raises:
        ValueError: a factor is out of bounds.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_translation.py``.
    """

    def __init__(self, height_factor, width_factor, fill_mode="reflect", interpolation="bilinear", seed=None,
                 fill_value=0.0, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self._supported(fill_mode=fill_mode, interpolation=interpolation)
        self.keep(locals(), data_format=checks.data_format)
        self._heights = self._bounds_within("height_factor", height_factor, -1, 1)
        self._widths = self._bounds_within("width_factor", width_factor, -1, 1)
        self._seeded()

    def _drawn(self, images, batch, height, width, seed):
        down = self._uniform(images, (batch,), *self._heights, seed) * height
        right = self._uniform(images, (batch,), *self._widths, seed) * width
        zero, one = torch.zeros_like(down), torch.ones_like(down)
        return {"matrix": torch.stack([one, zero, -right, zero, one, -down, zero, zero], 1)}

    def _corners(self, boxes, transformation, height, width):
        right, down = (-transformation["matrix"][:, i, None, None] for i in (2, 5))
        return _scaled(boxes, 1, 1, right, down)


class RandomShear(_AffineLayer):
    """While training, each image is sheared by amounts of its own.

    Args:
        x_factor: bounds of the pixels to the side for each pixel down, a number in [0, 1] for
            ``(-number, number)`` or two; their sign is drawn, too.
        y_factor: the same down, for each pixel to the side.
        interpolation: ``bilinear`` or ``nearest``. Masks are sheared by ``nearest``.
        fill_mode: for what comes from outside: ``reflect`` (``b a|a b c|c b``), ``wrap``, ``nearest``, or
            ``constant``, which is ``fill_value``.
        fill_value: a number.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: an int makes the layer's own row of amounts; None draws from torch's generator.

    Shapes: images -> the same, in the layer's dtype.

    Raises:
        ValueError: a factor is out of bounds.
        NotImplementedError: another ``fill_mode`` or ``interpolation``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_shear.py``.
    """

    def __init__(self, x_factor=0.0, y_factor=0.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                 data_format=None, seed=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self._supported(fill_mode=fill_mode, interpolation=interpolation)
        self.keep(locals(), x_factor=_shears, y_factor=_shears, data_format=checks.data_format)
        self._seeded()

    def _drawn(self, images, batch, height, width, seed):
        sign = torch.where(self._uniform(images, (batch,), seed=seed) > 0.5, -1.0, 1.0)
        down = self._uniform(images, (batch,), *self.y_factor, seed) * sign
        right = self._uniform(images, (batch,), *self.x_factor, seed) * sign
        zero, one = torch.zeros_like(down), torch.ones_like(down)
        return {"matrix": torch.stack([one, right, zero, down, one, zero, zero, zero], 1)}

    def _corners(self, boxes, transformation, height, width):
        right, down = (transformation["matrix"][:, i, None, None] for i in (1, 3))
        x1, y1, x2, y2 = boxes.split(1, -1)
        x1, x2 = (
            torch.where(right < 0, x1 - right * y1, x1 - right * y2),
            torch.where(right < 0, x2 - right * y2, x2 - right * y1),
        )
        y1, y2 = (
            torch.where(down > 0, y1 - down * x2, y1 - down * x1),
            torch.where(down > 0, y2 - down * x1, y2 - down * x2),
        )
        return torch.cat([x1, y1, x2, y2], -1)


def _shears(owner, name, value):
    """A number in [0, 1] as ``(-number, number)``, two in order; and what was made of a number, from a config."""
    pair = isinstance(value, (tuple, list)) and len(value) == 2 and value[0] == -value[1]
    return owner._bounds_within(name, value[1] if pair else value, 0, 1)


class RandomPerspective(_AffineLayer):
    """While training, some images are seen as if from aside: their corners move.

    Args:
        factor: bounds of the chance that an image is changed, in [0, 1], a number for ``(0, number)`` or two.
        scale: how far a corner moves at most, in [0, 1]: half of ``scale`` times its coordinates.
        interpolation: ``bilinear`` or ``nearest``. Masks are changed by ``nearest``.
        fill_value: for what comes from outside.
        seed: an int makes the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> the same, in the layer's dtype.

    Raises:
        ValueError: ``factor`` or ``scale`` is out of bounds.
        NotImplementedError: another ``interpolation``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_perspective.py``.
    """

    _FACTOR_BOUNDS = (0, 1)
    fill_mode = "constant"

    def __init__(self, factor=1.0, scale=1.0, interpolation="bilinear", fill_value=0.0, seed=None, data_format=None,
                 **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self._supported(interpolation=interpolation)
        self.keep(locals(), factor=bounds, scale=checks.fraction, data_format=checks.data_format)
        self._seeded()

    def _drawn(self, images, batch, height, width, seed):
        chance = self._uniform(images, (batch,), *self.factor, seed)
        changed = self._uniform(images, (batch,), seed=seed) < chance
        moved = self._uniform(images, (batch, 4, 2), -0.5 * self.scale, 0.5 * self.scale, seed)
        right, bottom = width - 1.0, height - 1.0
        corners = moved.new_tensor([[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]).expand(batch, 4, 2)
        return {"matrix": ops.homography(corners, corners + corners * moved), "changed": changed[:, None, None]}

    def _transform_images(self, images, transformation, interpolation):
        changed = super()._transform_images(images, transformation, interpolation)
        return torch.where(transformation["changed"][..., None], changed, images)

    def _corners(self, boxes, transformation, height, width):
        there = torch.linalg.inv(F.pad(transformation["matrix"], (0, 1), value=1.0).reshape(-1, 3, 3))
        x, y = boxes[..., [0, 2, 0, 2]], boxes[..., [1, 3, 3, 1]]
        new_x, new_y, k = (
            row[:, 0, None, None] * x + row[:, 1, None, None] * y + row[:, 2, None, None] for row in there.unbind(1)
        )
        new_x, new_y = new_x / k, new_y / k
        around = torch.stack([new_x.amin(-1), new_y.amin(-1), new_x.amax(-1), new_y.amax(-1)], -1)
        return torch.where(transformation["changed"], around, boxes)


class RandomElasticTransform(_RandomLayer):
    """While training, some images are bent: their pixels move about by a smooth random field.

    Args:
        factor: bounds of the chance that an image is bent, in [0, 1], a number for ``(0, number)`` or two.
        scale: bounds of the strength, in [0, 1], a number for ``(0, number)`` or two; one strength for the batch.
        interpolation: ``bilinear`` or ``nearest``. Masks are bent by ``nearest``.
        fill_mode: for what comes from outside: ``reflect`` (``b a|a b c|c b``), ``mirror`` (``c b|a b c|b a``),
            ``wrap``, ``nearest``, or ``constant``, which is ``fill_value``.
        fill_value: a number.
        value_range: least and greatest value of a pixel; the outputs are cut off there.
        seed: an int makes the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images -> the same, in the layer's dtype.

    Raises:
        ValueError: ``factor`` or ``scale`` is out of bounds.
        NotImplementedError: another ``fill_mode`` or ``interpolation``; bounding boxes.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/random_elastic_transform.py``.
    """

    _FACTOR_BOUNDS = (0, 1)
    _FILL_MODES = ("reflect", "wrap", "constant", "nearest", "mirror")

    def __init__(self, factor=1.0, scale=1.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                 value_range=(0, 255), seed=None, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self._supported(fill_mode=fill_mode, interpolation=interpolation)
        self.keep(locals(), factor=bounds, scale=bounds, data_format=checks.data_format)
        self._seeded()

    def _drawn(self, images, batch, height, width, seed):
        if self.scale[1] == 0 or self.factor[1] == 0:
            return None
        chance = self._uniform(images, (batch,), *self.factor, seed)
        changed = self._uniform(images, (batch,), seed=seed) < chance
        strength = max(self._number(images, *self.scale, seed), 1e-6)
        alpha, sigma = 0.1 * max(height, width) * strength, 0.05 * min(height, width) * strength
        return {"changed": changed[:, None, None, None], "alpha": alpha, "sigma": sigma,
                "field": self._seed_of_call(images, seed)}  # fmt: skip

    def _transform_images(self, images, transformation, interpolation):
        images = self._cast(images)
        bent = ops.elastic_transform(
            images, alpha=transformation["alpha"], sigma=transformation["sigma"], interpolation=interpolation,
            fill_mode=self.fill_mode, fill_value=self.fill_value, seed=transformation["field"],
            data_format=self.data_format,
        )  # fmt: skip
        return torch.where(transformation["changed"], bent, images).clamp(*self.value_range)


# ---------- boxes alone


class MaxNumBoundingBoxes(_ImageLayer):
    """As many boxes for each image: those above ``max_number`` are left out, missing ones filled in.

    Args:
        max_number: how many, an int above 0.
        fill_value: the numbers and the label of a box that is filled in, an int.

    Shapes:
        a dict of images and ``bounding_boxes`` -> the same, with boxes ``(batch, max_number, 4)`` and their labels
        ``(batch, max_number)``.

    Raises: ValueError if ``max_number`` is no int above 0.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/max_num_bounding_box.py``.
    """

    def __init__(self, max_number, fill_value=-1, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), max_number=checks.positive_int, fill_value=lambda owner, name, value: int(value))

    def transform_images(self, images, transformation=None, training=True):
        return images

    def transform_segmentation_masks(self, segmentation_masks, transformation=None, training=True):
        return segmentation_masks

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        boxes, labels = (bounding_boxes[key][:, : self.max_number] for key in ("boxes", "labels"))
        missing = self.max_number - boxes.shape[1]
        boxes = F.pad(boxes, (0, 0, 0, missing), value=self.fill_value)
        return {**bounding_boxes, "boxes": boxes, "labels": F.pad(labels, (0, missing), value=self.fill_value)}

"""The base of the layers that take images: a tensor of them, or a dict with labels, boxes and masks beside them."""

import torch

from kshim import random
from kshim.core import checks, dtypes
from kshim.layers.base import Layer
from kshim.layers.preprocessing import bounding_boxes as box_tools


def bounds(owner, name, value):
    """One number or two as ``(lower, upper)``, within the class's bounds."""
    return owner._bounds(name, value)


class BaseImagePreprocessingLayer(Layer):
    """Base: draws one transformation per call and applies it to images, labels, bounding boxes and masks alike.

    Args:
        factor: strength of the layer, a number or ``(lower, upper)`` within ``_FACTOR_BOUNDS``; a number means
            ``(-factor, factor)``, cut off at the bounds. Only where ``_USE_BASE_FACTOR`` is true.
        bounding_box_format: what the numbers of a box are, one of ``bounding_boxes.FORMATS``; needed for boxes.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    A subclass writes ``get_random_transformation(data, training)``, which draws (``self._uniform``) and whose result
    is handed to ``transform_images``, ``transform_labels``, ``transform_bounding_boxes`` and
    ``transform_segmentation_masks``, each on a batch; or ``_transform_images`` alone.

    Shapes:
        images of rank 3, or 4 with the batch -> the same rank. A dict holds ``images``, and where wanted ``labels``,
        ``bounding_boxes`` (``{"boxes": (batch, n, 4), "labels": (batch, n)}``) and ``segmentation_masks``.

    Raises:
        ValueError: ``factor`` is out of bounds or not taken; the images have another rank; boxes come without a
            ``bounding_box_format``.

    Source: Keras 3 ``layers/preprocessing/image_preprocessing/base_image_preprocessing_layer.py``.
    """

    _USE_BASE_FACTOR = True
    _FACTOR_BOUNDS: tuple[float, float] = (-1, 1)

    def __init__(self, factor=None, bounding_box_format=None, data_format=None, **kwargs):
        super().__init__(**kwargs)
        if not self._USE_BASE_FACTOR and factor is not None:
            checks.fail(self, "no `factor`, which this layer does not take", f"factor={factor!r}")
        self.keep(locals(), data_format=checks.data_format)
        if self._USE_BASE_FACTOR:
            self._set_factor(factor or 0.0)
        self._height_axis, self._width_axis, self._channel_axis = (
            (-3, -2, -1) if self.data_format == "channels_last" else (-2, -1, -3)
        )
        self.seed = self.generator = None
        self.built = True

    def keep(self, arguments, **check):
        super().keep(arguments, **{"data_format": checks.data_format, **check})
        if "seed" in arguments:
            self._seeded()

    def _set_factor(self, factor):
        """Keep ``factor`` as ``(lower, upper)``."""
        self.factor = self._bounds("factor", factor)

    def _bounds(self, name, value):
        """A number or two of them as ``(lower, upper)``, of which some part lies within ``_FACTOR_BOUNDS``."""
        low, high = self._FACTOR_BOUNDS
        if _is_number(value) and low <= value <= high:
            return max(-abs(value), low), abs(value)
        if isinstance(value, (tuple, list)) and len(value) == 2 and value[0] <= high and value[1] >= low:
            return tuple(sorted(value))
        return checks.fail(self, f"`{name}` to be one or two numbers in [{low}, {high}]", f"{name}={value!r}")

    def _bounds_within(self, name, value, low, high):
        """A number as ``(-number, number)``, or two in order; both given ones in [low, high]."""
        given = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value,)
        if not all(_is_number(v) and low <= v <= high for v in given):
            checks.fail(self, f"`{name}` to be one or two numbers in [{low}, {high}]", f"{name}={value!r}")
        return tuple(sorted(given)) if len(given) == 2 else (-abs(value), abs(value))

    def _seeded(self):
        """Called when ``self.seed`` is kept: an int begins the layer's own row of draws, None takes torch's."""
        self.generator = None if self.seed is None else random.SeedGenerator(self.seed)

    # -- drawing -------------------------------------------------------------------------------------------------

    def _uniform(self, images, shape, low=0.0, high=1.0, seed=None):
        """Float32 draws from [low, high) on the images' device, from ``seed`` or, without one, the layer's own.

        Float32 whatever the layer computes in, so that a seed means the same transformation in every precision.
        """
        seed = self.generator if seed is None else seed
        if images.is_meta:
            return images.new_empty(shape, dtype=torch.float32)
        if seed is None:
            return torch.empty(shape, dtype=torch.float32, device=images.device).uniform_(low, high)
        return random.uniform(shape, low, high, "float32", seed).to(images.device)

    def _number(self, images, low=0.0, high=1.0, seed=None):
        """One draw from [low, high) as a Python number, made on the CPU; ``low`` in a meta run."""
        seed = self.generator if seed is None else seed
        if images.is_meta:
            return low
        if seed is None:
            return torch.empty(()).uniform_(low, high).item()
        return random.uniform((), low, high, "float32", seed).item()

    def _seed_of_call(self, images, seed=None):
        """An int to seed further draws of this call with, the same ones for images and masks."""
        seed = self.generator if seed is None else seed
        if images.is_meta:
            return None
        return int(torch.randint(2**31, ())) if seed is None else random.draw_seed(seed)

    def _images_of(self, data):
        return data["images"] if isinstance(data, dict) else data

    def _batch_size(self, images):
        return images.shape[0] if images.dim() == 4 else 1

    def _size(self, shape):
        """``(height, width)`` of images of that shape."""
        return shape[self._height_axis], shape[self._width_axis]

    def _cast(self, images):
        return images.to(dtypes.TORCH[self.compute_dtype])

    # -- what a subclass writes ----------------------------------------------------------------------------------

    def get_random_transformation(self, data, training=True, seed=None):
        """What was drawn for this call; None where nothing is."""
        return None

    def _transform_images(self, images, transformation, interpolation):
        raise NotImplementedError(f"{checks.describe(self)}: expected a `_transform_images` method. Received: none.")

    def transform_images(self, images, transformation, training=True):
        """The batch of images, transformed while training."""
        images = self._cast(images)
        return self._transform_images(images, transformation, self.interpolation) if training else images

    def transform_labels(self, labels, transformation, training=True):
        """The batch of labels, transformed."""
        raise NotImplementedError(f"{checks.describe(self)} does not transform labels. Received: labels in the data.")

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        """The batch of boxes, transformed: a dict of ``boxes`` and ``labels``."""
        raise NotImplementedError(
            f"{checks.describe(self)} does not transform bounding boxes. Received: 'bounding_boxes' in the data."
        )

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        """The batch of masks, transformed as the images are, by the nearest pixel."""
        if training:
            segmentation_masks = self._transform_images(segmentation_masks, transformation, "nearest")
        return segmentation_masks

    # -- the same for one image ----------------------------------------------------------------------------------

    def transform_single_image(self, image, transformation, training=True):
        """``transform_images`` of one image."""
        return self.transform_images(image[None], transformation, training)[0]

    def transform_single_label(self, label, transformation, training=True):
        """``transform_labels`` of one label."""
        return self.transform_labels(label[None], transformation, training)[0]

    def transform_single_bounding_box(self, bounding_box, transformation, training=True):
        """``transform_bounding_boxes`` of one image's boxes."""
        batch = {k: v[None] if k in ("boxes", "labels") else v for k, v in bounding_box.items()}
        batch = self.transform_bounding_boxes(batch, transformation, training)
        return {k: v[0] if k in ("boxes", "labels") else v for k, v in batch.items()}

    def transform_single_segmentation_mask(self, segmentation_mask, transformation, training=True):
        """``transform_segmentation_masks`` of one mask."""
        return self.transform_segmentation_masks(segmentation_mask[None], transformation, training)[0]

    # -- calling -------------------------------------------------------------------------------------------------

    def call(self, data, training=True):
        images = self._images_of(data)
        if images.dim() not in (3, 4):
            checks.fail(self, "images of rank 3, or 4 with the batch", f"shape {tuple(images.shape)}")
        single = images.dim() == 3
        transformation = self.get_random_transformation(data, training=training)
        if not isinstance(data, dict):
            transform = self.transform_single_image if single else self.transform_images
            return transform(data, transformation, training=training)
        methods = _SINGLE if single else _BATCH
        changed = dict(data)
        for key, value in data.items():
            if key == "bounding_boxes":
                if not self.bounding_box_format:
                    checks.fail(
                        self, "a `bounding_box_format`, as the data has 'bounding_boxes'", "bounding_box_format=None",
                        "Give the layer one, for example bounding_box_format='xyxy'.",
                    )  # fmt: skip
                value = box_tools.dense(self, value, images.device)
            elif key in methods:
                value = torch.as_tensor(value, device=images.device)
            if key in methods:
                changed[key] = getattr(self, methods[key])(value, transformation, training=training)
        return changed

    def get_config(self):
        config = super().get_config()
        for name in ("factor", "bounding_box_format"):
            if config.get(name) is None:
                config.pop(name, None)
        return config

    # -- for subclasses ------------------------------------------------------------------------------------------

    def _transform_value_range(self, images, original_range, target_range, dtype="float32"):
        """``images`` moved and scaled from the one range of values ``(low, high)`` to the other."""
        (low, high), (to_low, to_high) = original_range, target_range
        if (low, high) == (to_low, to_high):
            return images
        return (images.to(dtypes.to_torch(dtype)) - low) / (high - low) * (to_high - to_low) + to_low

    def _compute_affine_matrix(self, center_x, center_y, angle, translate_x, translate_y, scale, shear_x, shear_y,
                               height, width):  # fmt: skip
        """Rows ``(a0, a1, a2, b0, b1, b2, 0, 0)`` for ``ops.image.affine_transform``: scale, shear, then rotation.

        Args:
            center_x, center_y: the fixed point, as a fraction of the image.
            angle, shear_x, shear_y: in degrees, ``(batch,)``.
            translate_x, translate_y: in pixels, ``(batch,)``.
            scale: ``(batch,)``.
            height, width: of the images, in pixels.
        """
        angle, shear_x, shear_y = torch.deg2rad(angle), torch.deg2rad(shear_x), torch.deg2rad(shear_y)
        cx, cy = center_x * (width - 1), center_y * (height - 1)
        cos, sin = torch.cos(angle), torch.sin(angle)
        shear_x, shear_y = torch.tan(shear_x), torch.tan(shear_y)
        a0, a1 = scale * (cos + shear_x * sin), scale * (-sin + shear_x * cos)
        b0, b1 = scale * (shear_y * cos + sin), scale * (shear_y * -sin + cos)
        a2, b2 = translate_x + cx - cx * a0 - cy * a1, translate_y + cy - cx * b0 - cy * b1
        zero = torch.zeros_like(a0)
        return torch.stack([a0, a1, a2, b0, b1, b2, zero, zero], 1)


_BATCH = {
    "images": "transform_images", "bounding_boxes": "transform_bounding_boxes", "labels": "transform_labels",
    "segmentation_masks": "transform_segmentation_masks",
}  # fmt: skip
_SINGLE = {
    "images": "transform_single_image", "labels": "transform_single_label",
    "bounding_boxes": "transform_single_bounding_box", "segmentation_masks": "transform_single_segmentation_mask",
}  # fmt: skip


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)

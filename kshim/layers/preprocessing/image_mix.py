"""Layers that mix: images with each other, with noise in a box, and the other image layers among themselves."""

import random as python_random

import torch

from kshim import random
from kshim.core import checks
from kshim.layers.preprocessing.image_base import BaseImagePreprocessingLayer
from kshim.layers.preprocessing.image_color import (
    AutoContrast,
    Equalization,
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Recoloring,
    Solarization,
    bounds,
)
from kshim.layers.preprocessing.image_geometry import RandomRotation, RandomShear, RandomTranslation


class Boxing(BaseImagePreprocessingLayer):
    """Base of what draws a box in each image."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def _interval(self, images, length, ratio, seed):
        """``ratio`` of an axis of ``length`` pixels, ``(batch,)``, somewhere on it: where it begins and ends."""
        size = ratio * length
        start = self._uniform(images, ratio.shape, 0.0, 1.0, seed) * (length - size)
        return start, start + size

    def _boxes(self, images, width_ratio, height_ratio, seed):
        """A box of these shares of the image's sides for each image.

        Returns: whether a pixel is in it, with one channel; and the boxes' areas as a share of the image's.
        """
        height, width = self._size(images.shape)
        corners = *self._interval(images, width, width_ratio, seed), *self._interval(images, height, height_ratio, seed)
        x0, x1, y0, y1 = (corner[:, None, None] for corner in corners)
        x = torch.arange(width, device=images.device)
        y = torch.arange(height, device=images.device)[:, None]
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        return inside.unsqueeze(self._channel_axis), ((x1 - x0) * (y1 - y0) / (width * height)).flatten()


class RandomErasing(Boxing, Recoloring):
    """Fills a box in some images while training.

    Args:
        factor: the chance of an image: a number in [0, 1], drawn up to that for each image, or ``(lower, upper)``.
        scale: the box's share of the image, drawn for each side as ``(lower, upper)``, of which the root is taken;
            a number in [0, 1] means ``(0, number)``.
        fill_value: a number, or three of them, one for each channel; None draws from the normal distribution times
            the highest value.
        value_range: the lowest and the highest value of the images; what is filled in stays within.
        seed: int for the layer's own row of draws; None draws from torch's generator. The same in all layers below.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch -> the same, floating point.

    Raises: ValueError if ``factor`` or ``scale`` is not in [0, 1], or ``fill_value`` neither a number nor three.

    Source: Keras 3 ``image_preprocessing/random_erasing.py``; Zhong et al., 2017.
    """

    always_casts = True

    def __init__(self, factor=1.0, scale=(0.02, 0.33), fill_value=None, value_range=(0, 255), seed=None,
                 data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, scale=bounds, fill_value=_filling)

    def _draw(self, images, size, seed):
        ratios = self._uniform(images, (size, 2), *self.scale, seed).sqrt()
        inside, _ = self._boxes(images, ratios[:, 0], ratios[:, 1], seed)
        erased = inside & self._applied(images, size, seed)
        if self.fill_value is None:
            value = self._normal(images, seed) * self.value_range[1]
        else:
            value = torch.tensor(self.fill_value, dtype=torch.float32, device=images.device)
            if value.dim() and self.data_format == "channels_first":
                value = value[:, None, None]
        return {"erased": erased, "fill_value": self._in_range(value)}

    def _normal(self, images, seed):
        """Draws from the normal distribution in the shape of ``images``."""
        seed = self.generator if seed is None else seed
        if images.is_meta or seed is None:
            return torch.randn(images.shape, device=images.device)
        return random.normal(images.shape, dtype="float32", seed=seed).to(images.device)

    def _recolor(self, images, erased, fill_value):
        return torch.where(erased, self._cast(fill_value), images)


def _filling(owner, name, value):
    """None, a number, or three."""
    given = value if isinstance(value, (tuple, list)) else (value,) * 3
    if value is not None and (len(given) != 3 or not all(isinstance(v, (int, float)) for v in given)):
        checks.fail(owner, f"`{name}` to be None, a number, or three of them", f"{name}={value!r}")
    return value


def _weighed(weight, first, second):
    """``weight`` of ``first`` and the rest of ``second``; one weight for each item of the batch."""
    weight = weight.reshape(-1, *(1,) * (first.dim() - 1))
    return weight * first + (1 - weight) * second


class Mixing(BaseImagePreprocessingLayer):
    """Base of what mixes each image of a batch with another one."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def _order(self, images, size, seed):
        """The other image for each one: a permutation."""
        seed = self.generator if seed is None else seed
        if images.is_meta or seed is None:
            return torch.rand(size, device=images.device).argsort()
        return random.shuffle(torch.arange(size), seed=seed).to(images.device)

    def _beta(self, images, size, alpha, seed):
        """Draws from the beta distribution with both parameters ``alpha``."""
        seed = self.generator if seed is None else seed
        if images.is_meta or size == 0:
            return images.new_empty(size, dtype=torch.float32)
        if seed is None:
            both = torch.ones((size, 2), device=images.device) * alpha
            return torch._sample_dirichlet(both)[:, 0]  # torch.distributions' own would break a compiled graph
        return random.beta((size,), alpha, alpha, "float32", seed).to(images.device)

    def transform_labels(self, labels, transformation, training=True):
        if not training or transformation is None:
            return labels
        return _weighed(transformation["mix_weight"], labels, labels[transformation["permutation_order"]])


class MixUp(Mixing):
    """Blends each image of a batch with another one while training, and the labels likewise.

    Args:
        alpha: both parameters of the beta distribution that the share of the image itself is drawn from, above 0.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes:
        images of rank 3, or 4 with the batch -> the same; labels and masks likewise, floating point; an image has
        its own boxes and the other one's after them.

    Raises: ValueError if ``alpha`` is not above 0.

    Source: Keras 3 ``image_preprocessing/mix_up.py``; Zhang et al., 2017.
    """

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), alpha=_above_zero)

    def get_random_transformation(self, data, training=True, seed=None):
        if not training and self.generator is None:
            return None
        images = self._images_of(data)
        size = self._batch_size(images)
        order = self._order(images, size, seed)
        return {"permutation_order": order, "mix_weight": self._beta(images, size, self.alpha, seed)}

    def transform_images(self, images, transformation=None, training=True):
        if not training:
            return images
        images, weight = self._cast(images), self._cast(transformation["mix_weight"])
        return _weighed(weight, images, images[transformation["permutation_order"]])

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        if not training:
            return bounding_boxes
        order = transformation["permutation_order"]
        return {key: torch.cat([value, value[order]], 1) for key, value in bounding_boxes.items()}

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return self.transform_labels(segmentation_masks, transformation, training)


def _above_zero(owner, name, value):
    if not isinstance(value, (int, float)) or not value > 0:
        checks.fail(owner, f"`{name}` to be a number above 0", f"{name}={value!r}")
    return value


class CutMix(Boxing, Mixing):
    """Replaces a box in each image of a batch by the same box of another one while training.

    Args:
        factor: both parameters of the beta distribution that the share of the image itself is drawn from: a number
            in [0, 1], drawn up to that, or ``(lower, upper)``.
        seed: int for the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes:
        images of rank 4 -> the same, floating point, and masks likewise; labels are blended by the box's share.
        A single image stays as it is.

    Raises:
        ValueError: ``factor`` is not in [0, 1].
        NotImplementedError: the data has bounding boxes.

    Source: Keras 3 ``image_preprocessing/cut_mix.py``; Yun et al., 2019.
    """

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds)

    def get_random_transformation(self, data, training=True, seed=None):
        images = self._images_of(data)
        if not training or images.dim() == 3:
            return None
        size = len(images)
        alpha = self._uniform(images, (), *self.factor, seed) + 1e-6
        ratio = (1 - self._beta(images, size, alpha, seed)).sqrt()
        inside, share = self._boxes(images, ratio, ratio, seed)
        return {"batch_masks": inside, "mix_weight": 1 - share, "permutation_order": self._order(images, size, seed)}

    def transform_images(self, images, transformation=None, training=True):
        images = self._cast(images)
        if not training or transformation is None:
            return images
        return torch.where(transformation["batch_masks"], images[transformation["permutation_order"]], images)

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return self.transform_images(segmentation_masks, transformation, training)


class Augmenting(BaseImagePreprocessingLayer):
    """Base of what applies other image layers in a drawn order; they are attributes, by the names in ``_LAYERS``."""

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)

    def _make_layers(self, names):
        """The layers ``names``, all of the strength ``self.factor``."""
        factor = self.factor
        moving = {"interpolation": self.interpolation, "seed": self.seed}
        recoloring = {"value_range": self.value_range, "seed": self.seed}
        made = {
            "random_shear": (RandomShear, {"x_factor": factor, "y_factor": factor, **moving}),
            "random_translation": (RandomTranslation, {"height_factor": factor, "width_factor": factor, **moving}),
            "random_rotation": (RandomRotation, {"factor": factor, **moving}),
            "random_brightness": (RandomBrightness, {"factor": factor, **recoloring}),
            "random_color_degeneration": (RandomColorDegeneration, {"factor": factor, **recoloring}),
            "random_contrast": (RandomContrast, {"factor": factor, **recoloring}),
            "random_sharpness": (RandomSharpness, {"factor": factor, **recoloring}),
            "random_posterization": (RandomPosterization, {"factor": max(1, int(8 * factor[1])), **recoloring}),
            "solarization": (Solarization, {"addition_factor": factor, "threshold_factor": factor, **recoloring}),
            "auto_contrast": (AutoContrast, {"value_range": self.value_range}),
            "equalization": (Equalization, {"value_range": self.value_range}),
        }
        common = {
            "data_format": self.data_format, "dtype": self.dtype_policy,
            "bounding_box_format": self.bounding_box_format,
        }  # fmt: skip
        self._names = list(names)
        for name in names:
            layer, arguments = made[name]
            setattr(self, name, layer(**arguments, **common))

    def _check_channels(self, images):
        """Refuse at once what would fail as soon as the layer that needs colours is drawn."""
        if "random_color_degeneration" in self._names and images.shape[self._channel_axis] not in (1, 3):
            checks.fail(self, "images of 1 or 3 channels", f"shape {tuple(images.shape)}")

    def transform_labels(self, labels, transformation, training=True):
        return labels


# In the orders that Keras draws in.
_RAND_AUGMENT = ("random_shear", "random_translation", "random_rotation", "random_brightness",
                 "random_color_degeneration", "random_contrast", "random_sharpness", "random_posterization",
                 "solarization", "auto_contrast", "equalization")  # fmt: skip
_AUG_MIX = ("random_shear", "random_translation", "random_rotation", "random_posterization", "solarization",
            "auto_contrast", "equalization")  # fmt: skip
_AUG_MIX_COLORS = ("random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness")


class RandAugment(Augmenting):
    """Applies some layers drawn from eleven, one after the other, while training.

    They are shears, translations, rotations, brightness, contrast, sharpness, less colour, posterization,
    solarization, AutoContrast and Equalization.

    Args:
        value_range: the lowest and the highest value of the images.
        num_ops: how many are applied; one may be drawn twice.
        factor: the factor of each layer: a number in [0, 1], or ``(lower, upper)``.
        interpolation: of the layers that move pixels, ``nearest`` or ``bilinear``.
        seed: int for the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch, of 1 or 3 channels -> the same, floating point.

    Raises: ValueError if ``factor`` is not in [0, 1], or a layer refuses its arguments.

    Source: Keras 3 ``image_preprocessing/rand_augment.py``; Cubuk et al., 2019.
    """

    def __init__(self, value_range=(0, 255), num_ops=2, factor=0.5, interpolation="bilinear", seed=None,
                 data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds)
        self._make_layers(_RAND_AUGMENT)

    def get_random_transformation(self, data, training=True, seed=None):
        images = self._images_of(data)
        if training:
            self._check_channels(images)
        if not training or images.is_meta:
            return []
        chosen = random.randint((self.num_ops,), 0, len(self._names), seed=self._seed_of_call(images, seed))
        layers = [getattr(self, name) for name in self._names]
        # All of them draw, as in Keras, so that the row of the seed goes on where Keras' does.
        seed = self.generator if seed is None else seed
        drawn = [layer.get_random_transformation(data, training=True, seed=seed) for layer in layers]
        return [(layers[i], drawn[i]) for i in chosen.tolist()]

    def transform_images(self, images, transformation=(), training=True):
        images = self._cast(images)
        for layer, drawn in transformation:
            images = layer.transform_images(images, drawn)
        return images

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        for layer, drawn in transformation:
            bounding_boxes = layer.transform_bounding_boxes(bounding_boxes, drawn)
        return bounding_boxes

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        for layer, drawn in transformation:
            segmentation_masks = layer.transform_segmentation_masks(segmentation_masks, drawn)
        return segmentation_masks


class AugMix(Augmenting):
    """Blends images with the results of some chains of drawn layers, while training.

    The layers are those of RandAugment. Which ones, is drawn by Python's ``random``, as in Keras; how strong, by
    ``seed``.

    Args:
        value_range: the lowest and the highest value of the images; the results stay within.
        num_chains: number of chains.
        chain_depth: how often each chain draws a layer, or none.
        factor: the factor of each layer: a number in [0, 1], or ``(lower, upper)``.
        alpha: parameter of the distributions of the shares that are blended, above 0.
        all_ops: False leaves brightness, contrast, sharpness and less colour out.
        interpolation: of the layers that move pixels, ``nearest`` or ``bilinear``.
        seed: int for the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch, of 1 or 3 channels -> the same, floating point. Boxes stay.

    Raises: ValueError if ``factor`` is not in [0, 1], ``alpha`` not above 0, or a layer refuses its arguments.

    Source: Keras 3 ``image_preprocessing/aug_mix.py``; Hendrycks et al., 2019.
    """

    def __init__(self, value_range=(0, 255), num_chains=3, chain_depth=3, factor=0.3, alpha=1.0, all_ops=True,
                 interpolation="bilinear", seed=None, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, alpha=_above_zero)
        self._make_layers(_AUG_MIX + _AUG_MIX_COLORS if all_ops else _AUG_MIX)

    def get_random_transformation(self, data, training=True, seed=None):
        images = self._images_of(data)
        if training:
            self._check_channels(images)
        if not training or images.is_meta:
            return None
        gamma = random.gamma((self.num_chains,), self.alpha, "float32", self._seed_of_call(images, seed))
        weight = random.beta((), self.alpha, self.alpha, "float32", self._seed_of_call(images, seed))
        seed = self.generator if seed is None else seed
        chains = []
        for _ in range(self.num_chains):
            chains.append([])
            for _ in range(self.chain_depth):
                name = python_random.choice([*self._names, None])
                if name is not None:
                    layer = getattr(self, name)
                    chains[-1].append((layer, layer.get_random_transformation(data, seed=seed)))
        return {"chain_mixing_weights": gamma / gamma.sum(), "weight_sample": weight, "chains": chains}

    def _blended(self, values, transformation, method):
        """``values`` and what the chains make of them by the layers' ``method``, each by its share."""
        total = 0
        for share, chain in zip(transformation["chain_mixing_weights"], transformation["chains"], strict=True):
            changed = values
            for layer, drawn in chain:
                changed = getattr(layer, method)(changed, drawn)
            total = total + changed * share
        weight = transformation["weight_sample"]
        return weight * values + (1 - weight) * total

    def transform_images(self, images, transformation=None, training=True):
        images = self._cast(images)
        if not training or transformation is None:
            return images
        return self._blended(images, transformation, "transform_images").clamp(*self.value_range)

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        return bounding_boxes

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        if not training or transformation is None:
            return segmentation_masks
        return self._blended(segmentation_masks, transformation, "transform_segmentation_masks")

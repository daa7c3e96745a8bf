"""Layers that change the values of images and move no pixel: contrast, brightness, hue, histograms, noise of colour."""

import torch
from torch.nn import functional as F

from kshim import random
from kshim.core import checks, settings
from kshim.layers.preprocessing.image_base import BaseImagePreprocessingLayer, bounds
from kshim.ops import image as image_ops


def two_numbers(owner, name, value):
    """A list of two numbers, the lower one first."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        checks.fail(owner, f"`{name}` to be a list of two numbers", f"{name}={value!r}")
    return sorted(value)


class Recoloring(BaseImagePreprocessingLayer):
    """Base: labels, boxes and masks stay as they are.

    A subclass writes ``_draw(images, size, seed)``, a dict of what is drawn for a batch of ``size``, and
    ``_recolor(images, **drawn)``, which gets the batch in the compute dtype.

    Attributes:
        always_draws: whether a call that does not train moves the row of a seed on, too, as in Keras.
        always_casts: whether images are cast to the compute dtype while not training, too, as in Keras.
    """

    _USE_BASE_FACTOR = False
    _FACTOR_BOUNDS = (0, 1)
    always_draws = False
    always_casts = False

    def get_random_transformation(self, data, training=True, seed=None):
        if not training and (not self.always_draws or self.generator is None):
            return None
        images = self._images_of(data)
        return self._draw(images, self._batch_size(images), seed)

    def _draw(self, images, size, seed):
        return {}

    def _each(self, images, size, low, high, seed):
        """A draw from [low, high) for each image, ``(size, 1, 1, 1)``."""
        return self._uniform(images, (size, 1, 1, 1), low, high, seed)

    def _integers(self, images, shape, low, high, seed):
        """Ints drawn from [low, high)."""
        seed = self.generator if seed is None else seed
        if images.is_meta or seed is None:
            return torch.randint(low, high, shape, device=images.device)
        return random.randint(shape, low, high, seed=seed).to(images.device)

    def _applied(self, images, size, seed):
        """Whether each image is changed: its own draw against a chance that is drawn from ``factor``."""
        chance = self._each(images, size, *self.factor, seed)
        return self._each(images, size, 0.0, 1.0, seed) < chance

    def transform_images(self, images, transformation=None, training=True):
        if training:
            return self._recolor(self._cast(images), **(transformation or {}))
        return self._cast(images) if self.always_casts else images

    def transform_labels(self, labels, transformation, training=True):
        return labels

    def transform_bounding_boxes(self, bounding_boxes, transformation, training=True):
        return bounding_boxes

    def transform_segmentation_masks(self, segmentation_masks, transformation, training=True):
        return segmentation_masks

    def _check_channels(self, images, *counts):
        if images.shape[self._channel_axis] not in counts:
            allowed = " or ".join(str(count) for count in counts)
            checks.fail(self, f"images of {allowed} channels ({self.data_format})", f"shape {tuple(images.shape)}")

    def _in_range(self, images):
        return images.clamp(*self.value_range)

    def _on_255(self, images, change):
        """``change(images)``, which is made for values from 0 to 255."""
        to, back = (self.value_range, (0, 255)), ((0, 255), self.value_range)
        dtype = self.compute_dtype
        return self._transform_value_range(change(self._transform_value_range(images, *to, dtype)), *back, dtype)


class AutoContrast(Recoloring):
    """Stretches the values of each channel of each image over the whole range; always, not in training alone.

    Args:
        value_range: the lowest and the highest value of the images.

    Shapes: images of rank 3, or 4 with the batch -> the same, floating point.

    Raises: ValueError if ``value_range`` is not two numbers.

    Source: Keras 3 ``image_preprocessing/auto_contrast.py``; Cubuk et al., 2018.
    """

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), value_range=two_numbers)

    def transform_images(self, images, transformation=None, training=True):
        images, axes = self._cast(images), (self._height_axis, self._width_axis)
        low, high = images.amin(axes, keepdim=True), images.amax(axes, keepdim=True)
        to_low, to_high = self.value_range
        scale = (to_high - to_low) / torch.where(high > low, high - low, 1.0)
        stretched = ((images - low) * scale + to_low).clamp(to_low, to_high)
        return torch.where(high > low, stretched, images)


class Equalization(Recoloring):
    """Spreads the values of each channel evenly: each becomes the share of the batch's values up to it.

    Args:
        value_range: the lowest and the highest value of the images.
        bins: number of bins of the histogram, an int above 0.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch -> the same.

    Raises: ValueError if ``value_range`` is not two numbers or ``bins`` no int above 0.

    Source: Keras 3 ``image_preprocessing/equalization.py``.
    """

    def __init__(self, value_range=(0, 255), bins=256, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), value_range=two_numbers, bins=checks.positive_int)

    def _recolor(self, images):
        low, high = self.value_range
        scale, last = 255 / (high - low), self.bins - 1
        # In float32 at least; what falls on the border of two bins does so by the order of the factors.
        x = images.to(torch.promote_types(images.dtype, torch.float32)) * scale - low * scale
        by_channel = x.movedim(self._channel_axis, 0)
        values = by_channel.flatten(1)
        counted = (values.float() * last / 255).int().clamp(0, last).long()
        counts = torch.zeros((len(values), self.bins), dtype=torch.long, device=x.device)
        counts = counts.scatter_add(1, counted, torch.ones_like(counted))
        up_to = counts.cumsum(1)
        all_of_them = up_to[:, -1:]
        least = torch.where(up_to > 0, up_to, all_of_them).amin(1, keepdim=True)
        table = ((up_to - least) * 255 / (all_of_them - least).clamp(min=1)).round().clamp(0, 255)
        equalized = table.gather(1, (values / 255 * last).clamp(0, last).long())
        equalized = torch.where((counts > 0).sum(1, keepdim=True) <= 1, values, equalized)
        equalized = equalized.reshape(by_channel.shape).movedim(0, self._channel_axis)
        return self._cast(equalized * ((high - low) / 255) + low)


class ContrastLimitedAdaptiveHistogramEqualization(Recoloring):
    """Equalizes each tile of an image by its own histogram, and blends between the tiles; always, as AutoContrast.

    Args:
        value_range: the lowest and the highest value of the images.
        clip_limit: how many times the mean count a bin of a histogram may hold, rounded down to a whole count; what
            is above is spread over all bins. 0 or less means no limit.
        tile_grid_size: number of tiles ``(down, across)``, ints above 0.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch -> the same, in the images' dtype.

    Raises: ValueError if ``tile_grid_size`` is not two ints above 0.

    Source: Keras 3 ``image_preprocessing/clahe.py``; Zuiderveld, 1994.
    """

    def __init__(self, value_range=(0, 255), clip_limit=4.0, tile_grid_size=(8, 8), data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), tile_grid_size=checks.ntuple(2))

    def transform_images(self, images, transformation=None, training=True):
        x = images if self.data_format == "channels_first" else images.permute(0, 3, 1, 2)
        x = self._equalized(self._transform_value_range(x.float(), self.value_range, (0, 255)))
        x = self._transform_value_range(x, (0, 255), self.value_range)
        return (x if self.data_format == "channels_first" else x.permute(0, 2, 3, 1)).to(images.dtype)

    def _equalized(self, x):
        """``(batch, channels, height, width)`` with values from 0 to 255."""
        batch, channels, height, width = x.shape
        down, across = self.tile_grid_size
        tile_height, tile_width = -(-height // down), -(-width // across)
        area = tile_height * tile_width
        x = x.int().clamp(0, 255).long()
        padded = x[:, :, _mirrored(height, tile_height * down, x)][..., _mirrored(width, tile_width * across, x)]
        tiles = padded.reshape(batch, channels, down, tile_height, across, tile_width)
        tiles = tiles.transpose(3, 4).reshape(batch, channels, down, across, area)
        counts = torch.zeros((batch, channels, down, across, 256), device=x.device)
        counts = counts.scatter_add(-1, tiles, torch.ones((), device=x.device).expand(tiles.shape))
        if self.clip_limit > 0:
            limited = counts.clamp(max=int(self.clip_limit * area / 256))
            counts = limited + (counts - limited).sum(-1, keepdim=True) / 256
        up_to = counts.cumsum(-1)
        least = up_to[..., :1]
        span = torch.where(least == area, 1.0, area - least)
        table = ((up_to - least) * 255 / span).clamp(0, 255)
        top, bottom, down_share = _between(height, tile_height, down, x)
        left, right, across_share = _between(width, tile_width, across, x)
        image = torch.arange(batch, device=x.device).reshape(-1, 1, 1, 1)
        channel = torch.arange(channels, device=x.device).reshape(-1, 1, 1)

        def row(tile):
            values = [table[image, channel, tile[:, None], column, x] for column in (left, right)]
            return values[0] * (1 - across_share) + values[1] * across_share

        return row(top) * (1 - down_share[:, None]) + row(bottom) * down_share[:, None]


def _mirrored(size, padded, like):
    """Indices of ``padded`` pixels of which there are ``size``, continued backwards from the border."""
    at = torch.arange(padded, device=like.device) % (2 * size)
    return torch.where(at < size, at, 2 * size - 1 - at)


def _between(size, tile, tiles, like):
    """For each pixel of an axis: the tiles whose centres it lies between, and the share of the second one."""
    at = (torch.arange(size, dtype=torch.float32, device=like.device) - tile / 2) / tile + 1
    before = at.floor()
    first = before.long()
    return (first - 1).clamp(0, tiles - 1), first.clamp(0, tiles - 1), at - before


def from_zero(owner, name, value):
    """``(lower, upper)`` within [0, 1]; a number means ``(0, number)``."""
    given = value if isinstance(value, (tuple, list)) else (0, value)
    if len(given) != 2 or not all(isinstance(v, (int, float)) and 0 <= v <= 1 for v in given):
        checks.fail(owner, f"`{name}` to be a number in [0, 1], or two", f"{name}={value!r}")
    return tuple(sorted(given))


class Solarization(Recoloring):
    """Adds to the values of images while training, and turns those over that are not below a threshold.

    Args:
        addition_factor: what is added, as a share of the range: a number in [0, 1], drawn up to that for each
            image, or ``(lower, upper)``. The lower one counts in values from 0 to 255, not in shares, as in Keras.
        threshold_factor: the threshold, given and drawn in the same way.
        value_range: the lowest and the highest value of the images.
        seed: int for the layer's own row of draws; None draws from torch's generator. The same in all layers below.

    Shapes: images of rank 3, or 4 with the batch -> the same, floating point.

    Raises: ValueError if a factor is not in [0, 1] or ``value_range`` is not two numbers.

    Source: Keras 3 ``image_preprocessing/solarization.py``.
    """

    always_casts = True

    def __init__(self, addition_factor=0.0, threshold_factor=0.0, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), addition_factor=from_zero, threshold_factor=from_zero, value_range=two_numbers)

    def _draw(self, images, size, seed):
        ranges = {"additions": self.addition_factor, "thresholds": self.threshold_factor}
        return {name: self._each(images, size, low, high * 255, seed) for name, (low, high) in ranges.items()}

    def _recolor(self, images, additions, thresholds):
        additions, thresholds = self._cast(additions), self._cast(thresholds)

        def change(x):
            x = (x + additions).clamp(0, 255)
            return torch.where(x < thresholds, x, 255 - x)

        return self._on_255(images, change)


class RandomPosterization(Recoloring):
    """Keeps the highest bits of each value while training, as many for all of an image.

    Args:
        factor: number of bits, an int from 1 to 8: drawn from 1 up to the one below it; 1 itself means 1.
            Or ``(lower, upper)``, drawn from the lower up to the one below the upper.
        value_range: the lowest and the highest value of the images.
        seed: int for the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch -> the same.

    Raises: ValueError if ``factor`` is not in [1, 8] or ``value_range`` is not two numbers.

    Source: Keras 3 ``image_preprocessing/random_posterization.py``.
    """

    _FACTOR_BOUNDS = (1, 8)
    always_draws = True

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, value_range=two_numbers)

    def _draw(self, images, size, seed):
        low, high = self.factor
        if low == high:
            return {"bits": images.new_full((size, 1, 1, 1), low, dtype=torch.uint8)}
        return {"bits": self._integers(images, (size, 1, 1, 1), low, high, seed)}

    def _recolor(self, images, bits):
        kept = (255 << (8 - bits.int())).to(torch.uint8)
        return self._on_255(images, lambda x: (x.to(torch.uint8) & kept).to(images.dtype))


class RandomInvert(Recoloring):
    """Turns the values of some images over while training: ``highest - value``.

    Args:
        factor: the chance of an image: a number in [0, 1], drawn up to that for each image, or ``(lower, upper)``.
        value_range: the lowest and the highest value of the images.
        seed: int for the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch -> the same.

    Raises: ValueError if ``factor`` is not in [0, 1].

    Source: Keras 3 ``image_preprocessing/random_invert.py``.
    """

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds)

    def _draw(self, images, size, seed):
        return {"apply_inversion": self._applied(images, size, seed)}

    def _recolor(self, images, apply_inversion):
        return torch.where(apply_inversion, self.value_range[1] - images, images)


class RandomGrayscale(Recoloring):
    """Turns some images grey while training; the number of channels stays.

    Args:
        factor: the chance of an image, in [0, 1].
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: images of rank 3, or 4 with the batch, of 1 or 3 channels -> the same, in the images' dtype.

    Raises: ValueError if ``factor`` is not in [0, 1], or the images have another number of channels.

    Source: Keras 3 ``image_preprocessing/random_grayscale.py``.
    """

    always_draws = True

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=checks.fraction)

    def _draw(self, images, size, seed):
        return {"should_apply": self._each(images, size, 0.0, 1.0, seed) < self.factor}

    def transform_images(self, images, transformation=None, training=True):
        if not training:
            return images
        self._check_channels(images, 1, 3)
        grey = image_ops.rgb_to_grayscale(images, data_format=self.data_format)
        return torch.where(transformation["should_apply"], grey, images)


class RandomBrightness(Recoloring):
    """Adds to all values of an image while training, the same to each.

    Args:
        factor: what is added, as a share of the range: a number in [-1, 1], drawn from ``[-factor, factor)`` for
            each image, or ``(lower, upper)``.
        value_range: the lowest and the highest value of the images; the results stay within.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: images of rank 3, or 4 with the batch -> the same, in the images' dtype.

    Raises: ValueError if ``factor`` is not in [-1, 1] or ``value_range`` is not two numbers.

    Source: Keras 3 ``image_preprocessing/random_brightness.py``.
    """

    _FACTOR_BOUNDS = (-1, 1)

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), factor=bounds, value_range=two_numbers)

    def _draw(self, images, size, seed):
        low, high = self.value_range
        return {"rgb_delta": self._each(images, size, *self.factor, seed) * (high - low)}

    def transform_images(self, images, transformation=None, training=True):
        if not training:
            return images
        delta = transformation["rgb_delta"]
        # Integers take whole steps, and are added in int32: Keras adds bytes to bytes, and white turns black.
        delta = delta.to(images.dtype) if images.is_floating_point() else delta.int()
        return self._in_range(images + delta).to(images.dtype)


class RandomContrast(Recoloring):
    """Scales the distance of each value from its channel's mean while training.

    Args:
        factor: ``(lower, upper)``, each in [0, 1]: the scale is drawn from ``[1 - lower, 1 + upper)`` for each
            image. A number means ``(0, number)``.
        value_range: the lowest and the highest value of the images; the results stay within.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: images of rank 3, or 4 with the batch -> the same.

    Raises: ValueError if ``factor`` is not in [0, 1].

    Source: Keras 3 ``image_preprocessing/random_contrast.py``.
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(**kwargs)
        self.keep(locals(), factor=bounds)

    def _draw(self, images, size, seed):
        low, high = self.factor
        return {"contrast_factor": self._each(images, size, 1.0 - low, 1.0 + high, seed)}

    def _recolor(self, images, contrast_factor):
        mean = images.mean((self._height_axis, self._width_axis), keepdim=True)
        return self._in_range((images - mean) * self._cast(contrast_factor) + mean)


class _Turning(Recoloring):
    """Base of what changes one of hue and saturation."""

    always_draws = True

    def _with(self, images, index, change):
        """RGB images with ``change`` made to the channel ``index`` of their hue, saturation and value."""
        self._check_channels(images, 3)
        channels = list(image_ops.rgb_to_hsv(images, data_format=self.data_format).unbind(self._channel_axis))
        channels[index] = change(channels[index])
        return image_ops.hsv_to_rgb(torch.stack(channels, self._channel_axis), data_format=self.data_format)


class RandomHue(_Turning):
    """Turns the hue of images while training.

    Args:
        factor: how far, in halves of a full turn: a number in [0, 1], drawn up to that for each image and turned
            either way, or ``(lower, upper)``.
        value_range: the lowest and the highest value of the images.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: RGB images of rank 3, or 4 with the batch -> the same.

    Raises: ValueError if ``factor`` is not in [0, 1], or the images have not 3 channels.

    Source: Keras 3 ``image_preprocessing/random_hue.py``.
    """

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds)

    def _draw(self, images, size, seed):
        turned_back = self._uniform(images, (size, 1, 1), 0.0, 1.0, seed) > 0.5
        turn = self._uniform(images, (size, 1, 1), *self.factor, seed) * 0.5
        return {"factor": torch.where(turned_back, -turn, turn)}

    def _recolor(self, images, factor):
        dtype = torch.promote_types(images.dtype, torch.float32)
        x = self._transform_value_range(images.to(dtype), self.value_range, (0, 1), dtype)
        x = self._with(x, 0, lambda hue: hue + factor).clamp(0, 1)
        return self._cast(self._transform_value_range(x, (0, 1), self.value_range, dtype))


class RandomSaturation(_Turning):
    """Scales the saturation of images while training.

    Args:
        factor: a number f in [0, 1] for ``(-f, f)``, or ``(lower, upper)``: x is drawn from that for each image,
            and the saturation multiplied by ``x / (1 - x)``: 0 is grey, 0.5 changes nothing, 1 is all colour.
        value_range: the lowest and the highest value that a saturation is cut off at, as in Keras.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: RGB images of rank 3, or 4 with the batch, floating point -> the same.

    Raises: ValueError if ``factor`` is not in [-1, 1], ``value_range`` is not two numbers, or the images are
        integers or have not 3 channels.

    Source: Keras 3 ``image_preprocessing/random_saturation.py``.
    """

    _FACTOR_BOUNDS = (-1, 1)

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, value_range=two_numbers)

    def _draw(self, images, size, seed):
        x = self._uniform(images, (size, 1, 1), *self.factor, seed)
        return {"factor": x / (1 - x + settings.epsilon())}

    def transform_images(self, images, transformation=None, training=True):
        if not training:
            return images
        if not images.is_floating_point():
            checks.fail(self, "floating point images", f"images of dtype {images.dtype}", "Cast them first.")
        factor = self._cast(transformation["factor"])
        return self._with(images, 1, lambda saturation: self._in_range(saturation * factor))


class RandomColorDegeneration(Recoloring):
    """Blends images with their grey version while training.

    Args:
        factor: the share of grey: a number in [-1, 1], drawn from ``[-factor, factor)`` for each image, or
            ``(lower, upper)``.
        value_range: the lowest and the highest value of the images; the results stay within.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: images of rank 3, or 4 with the batch, of 1 or 3 channels -> the same.

    Raises: ValueError if ``factor`` is not in [-1, 1], ``value_range`` is not two numbers, or the images have
        another number of channels.

    Source: Keras 3 ``image_preprocessing/random_color_degeneration.py``.
    """

    _FACTOR_BOUNDS = (-1, 1)
    always_draws = True

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, value_range=two_numbers)

    def _draw(self, images, size, seed):
        return {"factor": self._each(images, size, *self.factor, seed)}

    def _recolor(self, images, factor):
        self._check_channels(images, 1, 3)
        grey = image_ops.rgb_to_grayscale(images, data_format=self.data_format)
        return self._in_range(images + self._cast(factor) * (grey - images))


class RandomColorJitter(Recoloring):
    """RandomBrightness, RandomContrast, RandomSaturation and RandomHue one after the other, while training.

    Args:
        value_range: the lowest and the highest value of the images.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: the ``factor`` of each of them; None
            leaves it out.
        seed: int for the layer's own row of draws; None draws from torch's generator.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.

    Shapes: images of rank 3, or 4 with the batch -> the same.

    Raises: ValueError if one of the layers refuses its factor.

    Source: Keras 3 ``image_preprocessing/random_color_jitter.py``.
    """

    def __init__(self, value_range=(0, 255), brightness_factor=None, contrast_factor=None, saturation_factor=None,
                 hue_factor=None, seed=None, data_format=None, **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals())
        common = {"value_range": value_range, "data_format": self.data_format, "dtype": self.dtype_policy, "seed": seed}
        self._steps = []
        for name, layer in _JITTERS.items():
            factor = getattr(self, f"{name}_factor")
            if factor is not None:
                self._steps.append(f"random_{name}")
            setattr(self, f"random_{name}", None if factor is None else layer(factor=factor, **common))

    def _draw(self, images, size, seed):
        seed = self.generator if seed is None else seed
        return {step: getattr(self, step).get_random_transformation(images, seed=seed) for step in self._steps}

    def _recolor(self, images, **drawn):
        for step, transformation in drawn.items():
            images = getattr(self, step).transform_images(images, transformation)
        return images


_JITTERS = {
    "brightness": RandomBrightness, "contrast": RandomContrast, "saturation": RandomSaturation, "hue": RandomHue,
}  # fmt: skip


class RandomSharpness(Recoloring):
    """Blends images with a smoothed version of themselves, or away from it, while training.

    Args:
        factor: a number f in [0, 1] for ``(0, f)``, or ``(lower, upper)``: x is drawn from that for each image;
            0 is the smoothed image, 0.5 the image itself, 1 sharpened.
        value_range: the lowest and the highest value of the images; the results stay within.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: images of rank 3, or 4 with the batch -> the same, floating point.

    Raises: ValueError if ``factor`` is not in [0, 1] or ``value_range`` is not two numbers.

    Source: Keras 3 ``image_preprocessing/random_sharpness.py``.
    """

    always_draws = always_casts = True

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, value_range=two_numbers)

    def _draw(self, images, size, seed):
        return {"factor": self._each(images, size, *self.factor, seed)}

    def _recolor(self, images, factor):
        # Smoothed: a pixel five times and its eight neighbours once, which is 9 of their mean and 4 of the pixel.
        if self.data_format == "channels_first":
            mean = F.avg_pool2d(images, 3, 1, 1)
        else:
            mean = F.avg_pool2d(images.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1)
        return self._in_range(images + self._cast((1 - 2 * factor) * (9 / 13)) * (mean - images))


def odd_sizes(owner, name, value):
    """An odd number, or two, as a pair."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(given) != 2 or any((checks.as_int(v) or 0) % 2 == 0 or v < 0 for v in given):
        checks.fail(owner, f"`{name}` to be an odd int above 0, or two", f"{name}={value!r}")
    return given


class RandomGaussianBlur(Recoloring):
    """Blurs some images while training, all of a batch by the same Gaussian.

    Args:
        factor: the chance of an image: a number in [0, 1], drawn up to that for each image, or ``(lower, upper)``.
        kernel_size: the Gaussian's size in pixels, an odd int or ``(height, width)``.
        sigma: its standard deviation in pixels: a number in [0, 1], drawn up to that for each axis, or
            ``(lower, upper)``.
        value_range: the lowest and the highest value of the images; the results stay within.
        data_format: ``channels_last`` or ``channels_first``; None means ``image_data_format()``.
        seed: int for the layer's own row of draws; None draws from torch's generator.

    Shapes: images of rank 3, or 4 with the batch -> the same, floating point.

    Raises: ValueError if ``factor`` or ``sigma`` is not in [0, 1], or ``kernel_size`` not odd.

    Source: Keras 3 ``image_preprocessing/random_gaussian_blur.py``.
    """

    always_casts = True

    def __init__(self, factor=1.0, kernel_size=3, sigma=1.0, value_range=(0, 255), data_format=None, seed=None,
                 **kwargs):  # fmt: skip
        super().__init__(data_format=data_format, **kwargs)
        self.keep(locals(), factor=bounds, kernel_size=odd_sizes, sigma=bounds)

    def _draw(self, images, size, seed):
        applied = self._applied(images, size, seed)
        return {"should_apply_blur": applied, "blur_factor": self._uniform(images, (2,), *self.sigma, seed) + 1e-6}

    def _recolor(self, images, should_apply_blur, blur_factor):
        blurred = image_ops.gaussian_blur(images, self.kernel_size, blur_factor, data_format=self.data_format)
        return self._in_range(torch.where(should_apply_blur, blurred, images))

"""Image layers that change colours or mix: contrast, brightness, hue, histograms, boxes, MixUp, RandAugment."""

import numpy as np

from cases.layers.row import Case, Refused, layer

SHAPE = (2, 4, 5, 3)
TRAINING = {"training": True}


def pixels(shape=SHAPE, high=255.0, dtype="float32"):
    """Makes images with values in [0, high]; no two channels alike."""
    return lambda: [(np.random.RandomState(0).random(shape) * high).astype(dtype)]


def row(name, cls, *args, shape=SHAPE, high=255.0, dtype="float32", call=TRAINING, **options):
    """A row of the layer ``cls``; what is not an option of a row is one of the layer."""
    own = {key: options.pop(key) for key in ("gradient", "random", "skip", "rel") if key in options}
    make = options.pop("make", None) or layer(cls, *args, **options)
    return Case(name, make, [shape], inputs=pixels(shape, high, dtype), call=call, **own)


def first(shape=SHAPE):
    """The same shape with the channels first."""
    return (shape[0], shape[3], shape[1], shape[2])


def rand_augment(**options):
    """RandAugment; the real Keras' without two of its ways on torch, where every op is run for every draw.

    Brightness is added in place, to images it was not drawn for, too; and each run of a rotation moves its matrix on.
    """

    def make(k, **more):
        made = k.layers.RandAugment(**options, **more)
        if not k.__name__.startswith("kshim"):
            brighten, rotate = made.random_brightness.transform_images, made.random_rotation.transform_images
            made.random_brightness.transform_images = lambda images, drawn: brighten(images.clone(), drawn)
            made.random_rotation.transform_images = lambda images, drawn: rotate(
                images, {**drawn, "rotation_matrix": drawn["rotation_matrix"].clone()}
            )
        return made

    return make


CLAHE = "ContrastLimitedAdaptiveHistogramEqualization"
FIRST = {"data_format": "channels_first", "shape": first()}
UNIT = {"value_range": (0, 1), "high": 1}
BYTES = {"dtype": "uint8", "gradient": False}
IDLE = {"call": {"training": False}}
FORGETS = {"skip": {"test_config_is_keras": "Keras' config forgets the seed"}}
IN_PLACE = {  # for the gradient: autograd refuses it
    "gradient": False, "skip": {"test_in_sequential": "Keras 3.15 on torch adds to the inputs themselves, in place"},
}  # fmt: skip
NO_FILE = {"test_weight_files_both_ways": "Keras 3.15 can't copy its value_range, a tracked list, into an .h5 file"}
NO_MODEL = dict.fromkeys(
    ("test_in_sequential", "test_in_a_functional_model", "test_shape_arguments", "test_weight_files_both_ways"),
    "Keras 3.15 gives the symbolic input itself for the output, of which no model can be made",
)
EQUALIZE = {"skip": NO_MODEL}
SYMBOLIC_DTYPE = {"test_symbolic_shape_is_keras_and_true": "Keras 3.15 tells another dtype than it gives"}
OPEN = {"test_unknown_axes": "the channels must be known: there are three colours"}
BY_PYTHON = {"random": True}  # Python's own generator draws the layers: test_layers_preprocessing_color.py compares
HOST = {"test_torch_compile": "which layers are applied is drawn as a Python number, which breaks the graph"}

# Rows without a seed stand first: what depends on the class alone is tested over those.
UNSEEDED = [
    row("solarization_unseeded", "Solarization", 0.5, 0.5, random=True, skip=NO_FILE),
    row("posterization_unseeded", "RandomPosterization", 4, random=True, gradient=False, skip=NO_FILE),
    row("invert_unseeded", "RandomInvert", random=True),
    row("grayscale_unseeded", "RandomGrayscale", random=True, **FORGETS),
    row("brightness_unseeded", "RandomBrightness", 0.5, random=True, gradient=False, skip=NO_FILE),
    row("contrast_unseeded", "RandomContrast", 0.5, random=True),
    row("hue_unseeded", "RandomHue", 0.5, random=True),
    row("saturation_unseeded", "RandomSaturation", 0.5, random=True, skip=NO_FILE),
    row("color_degeneration_unseeded", "RandomColorDegeneration", 0.5, random=True, skip=NO_FILE),
    row("color_jitter_unseeded", "RandomColorJitter", (0, 255), 0.5, 0.5, 0.5, 0.5, random=True, gradient=False),
    row("sharpness_unseeded", "RandomSharpness", 0.5, random=True, skip=NO_FILE),
    row("gaussian_blur_unseeded", "RandomGaussianBlur", random=True),
    row("erasing_unseeded", "RandomErasing", random=True),
    row("mix_up_unseeded", "MixUp", random=True),
    row("cut_mix_unseeded", "CutMix", random=True),
    row("rand_augment_unseeded", "RandAugment", make=rand_augment(), random=True, gradient=False, skip=HOST),
    row("aug_mix_unseeded", "AugMix", random=True, gradient=False, skip=HOST),
]

CASES = [
    *UNSEEDED,
    row("auto_contrast", "AutoContrast", skip=NO_FILE),
    row("auto_contrast_unit", "AutoContrast", **UNIT),
    row("auto_contrast_idle", "AutoContrast", **IDLE),
    row("auto_contrast_uint8", "AutoContrast", **BYTES),
    row("auto_contrast_one_value", "AutoContrast", shape=(2, 1, 1, 3), gradient=False),
    row("equalization", "Equalization", **EQUALIZE),
    row("equalization_bins", "Equalization", bins=8, **EQUALIZE),
    row("equalization_unit", "Equalization", **UNIT, **EQUALIZE),
    row("equalization_first", "Equalization", **FIRST, **EQUALIZE),
    row("equalization_uint8", "Equalization", **BYTES, skip=NO_MODEL | SYMBOLIC_DTYPE),
    row("equalization_idle", "Equalization", **IDLE, **EQUALIZE),
    row("clahe", CLAHE, tile_grid_size=(2, 2), gradient=False),
    row("clahe_default", CLAHE, gradient=False),
    row("clahe_clip", CLAHE, clip_limit=40.0, tile_grid_size=(1, 2), shape=(2, 9, 10, 3), gradient=False),
    row("clahe_no_clip", CLAHE, clip_limit=0, tile_grid_size=(2, 3), **UNIT, gradient=False),
    row("clahe_first", CLAHE, tile_grid_size=(3, 2), **FIRST, gradient=False),
    row("clahe_uint8", CLAHE, tile_grid_size=(2, 2), **BYTES, skip=SYMBOLIC_DTYPE),
    row("solarization", "Solarization", 0.5, 0.5, seed=1),
    row("solarization_pair", "Solarization", (0.2, 0.4), (0.3, 0.9), seed=1, **UNIT),
    row("solarization_first", "Solarization", 0.3, 0.9, seed=2, **FIRST),
    row("solarization_uint8", "Solarization", 0.5, 0.5, seed=1, **BYTES),
    row("posterization", "RandomPosterization", 3, seed=1, gradient=False),
    row("posterization_pair", "RandomPosterization", (2, 8), seed=1, **UNIT, gradient=False),
    row("posterization_one_bit", "RandomPosterization", 1, gradient=False),
    row("posterization_first", "RandomPosterization", 7, seed=1, **FIRST, gradient=False),
    row("posterization_uint8", "RandomPosterization", 5, seed=1, **BYTES),
    row("invert", "RandomInvert", seed=1, shape=(8, 2, 3, 3)),
    row("invert_unit", "RandomInvert", (0.4, 0.9), seed=1, **UNIT),
    row("invert_first", "RandomInvert", 0.9, seed=1, **FIRST),
    row("invert_uint8", "RandomInvert", seed=1, **BYTES),
    row("grayscale", "RandomGrayscale", seed=1, shape=(8, 2, 3, 3), **FORGETS),
    row("grayscale_first", "RandomGrayscale", 0.9, seed=1, **FIRST, skip=FORGETS["skip"] | OPEN),
    row("grayscale_uint8", "RandomGrayscale", seed=1, **BYTES, **FORGETS),
    row("grayscale_idle", "RandomGrayscale", seed=1, **IDLE, **FORGETS),
    row("brightness", "RandomBrightness", 0.5, seed=1, **IN_PLACE),
    row("brightness_pair", "RandomBrightness", (0.1, 0.2), seed=1, **UNIT, **IN_PLACE),
    row("brightness_first", "RandomBrightness", 0.5, seed=1, **FIRST, **IN_PLACE),
    row("brightness_int32", "RandomBrightness", 0.3, seed=1, dtype="int32", gradient=False, skip=SYMBOLIC_DTYPE),
    row("brightness_idle", "RandomBrightness", 0.5, seed=1, **IDLE, **IN_PLACE),
    row("contrast", "RandomContrast", 0.5, seed=1),
    row("contrast_pair", "RandomContrast", (0.2, 0.7), seed=1, **UNIT),
    row("contrast_first", "RandomContrast", 0.5, seed=1, **FIRST),
    row("contrast_uint8", "RandomContrast", 0.5, seed=1, **BYTES),
    row("contrast_idle", "RandomContrast", 0.5, seed=1, **IDLE),
    row("hue", "RandomHue", 0.5, seed=1),
    row("hue_pair", "RandomHue", (0.5, 0.7), seed=1, **UNIT),
    row("hue_first", "RandomHue", 1.0, seed=2, **FIRST, skip=OPEN),
    row("hue_uint8", "RandomHue", 0.5, seed=1, **BYTES),
    row("saturation", "RandomSaturation", 0.5, seed=1),
    row("saturation_pair", "RandomSaturation", (0.5, 0.8), seed=1, **UNIT),
    row("saturation_first", "RandomSaturation", (0.2, 0.6), seed=1, **FIRST, skip=OPEN),
    row("saturation_idle", "RandomSaturation", 0.5, seed=1, **IDLE),
    row("color_degeneration", "RandomColorDegeneration", 0.5, seed=1),
    row("color_degeneration_pair", "RandomColorDegeneration", (0.5, 0.7), seed=1, **UNIT),
    row("color_degeneration_first", "RandomColorDegeneration", 1.0, seed=1, **FIRST, skip=OPEN),
    row("color_degeneration_uint8", "RandomColorDegeneration", 0.5, seed=1, **BYTES),
    row("color_jitter", "RandomColorJitter", (0, 255), 0.5, 0.5, 0.5, 0.5, seed=1, **IN_PLACE),
    row("color_jitter_some", "RandomColorJitter", (0, 1), contrast_factor=0.5, hue_factor=(0.1, 0.6), seed=1, high=1),
    row("color_jitter_none", "RandomColorJitter", seed=1),
    row("color_jitter_uint8", "RandomColorJitter", (0, 255), 0.5, None, 0.5, seed=1, **BYTES),
    row("sharpness", "RandomSharpness", 0.5, seed=1),
    row("sharpness_pair", "RandomSharpness", (0.6, 1.0), seed=1, **UNIT),
    row("sharpness_first", "RandomSharpness", 0.9, seed=1, **FIRST),
    row("sharpness_uint8", "RandomSharpness", 0.5, seed=1, **BYTES),
    row("gaussian_blur", "RandomGaussianBlur", seed=1, shape=(6, 4, 5, 3)),
    row("gaussian_blur_wide", "RandomGaussianBlur", (0.9, 1.0), 5, (0.3, 0.9), seed=1, **UNIT),
    row("gaussian_blur_first", "RandomGaussianBlur", (0.9, 1.0), (3, 3), seed=1, **FIRST),
    row("gaussian_blur_uint8", "RandomGaussianBlur", seed=2, **BYTES),
    row("erasing", "RandomErasing", (0.9, 1.0), seed=1),
    row("erasing_number", "RandomErasing", (0.9, 1.0), (0.2, 0.6), 7, seed=1),
    row("erasing_colors", "RandomErasing", scale=(0.2, 0.6), fill_value=[1, 2.5, 300], seed=1, shape=(6, 4, 5, 3)),
    row("erasing_first", "RandomErasing", (0.9, 1.0), 0.9, seed=1, **FIRST),
    row("erasing_unit", "RandomErasing", (0.9, 1.0), 0.9, seed=1, **UNIT),
    row("erasing_uint8", "RandomErasing", (0.9, 1.0), 0.9, seed=1, **BYTES),
    row("mix_up", "MixUp", seed=1),
    row("mix_up_alpha", "MixUp", 2.0, seed=1, shape=(5, 2, 3, 1)),
    row("mix_up_first", "MixUp", 0.9, seed=1, **FIRST),
    row("mix_up_uint8", "MixUp", seed=1, **BYTES),
    row("cut_mix", "CutMix", seed=1, shape=(5, 4, 5, 3)),
    row("cut_mix_pair", "CutMix", (0.5, 0.9), seed=2, high=1),
    row("cut_mix_first", "CutMix", seed=1, **FIRST),
    row("cut_mix_uint8", "CutMix", seed=1, **BYTES),
    row("rand_augment", "RandAugment", make=rand_augment(seed=3), gradient=False),
    row("rand_augment_more", "RandAugment", make=rand_augment(num_ops=4, factor=0.3, seed=2), gradient=False),
    row("rand_augment_unit", "RandAugment", make=rand_augment(value_range=(0, 1), factor=(0.2, 0.9), seed=4,
                                                              interpolation="nearest"), high=1, gradient=False),
    row("rand_augment_idle", "RandAugment", make=rand_augment(seed=1), **IDLE),
    row("aug_mix", "AugMix", seed=1, **BY_PYTHON, gradient=False),
    row("aug_mix_some", "AugMix", num_chains=2, all_ops=False, interpolation="nearest", **BY_PYTHON, gradient=False),
    row("aug_mix_idle", "AugMix", seed=1, **IDLE),
]  # fmt: skip


def refused(name, match, cls, *args, on=None, error=ValueError, keras="the same", why="", **options):
    """A constructor's call that is refused or, with ``on``, the layer's call on ones of that shape, training."""

    def call(k):
        made = getattr(k.layers, cls)(*args, **options, name="it")
        return made if on is None else made(np.ones(on, "float32"), training=True)

    return Refused(name, call, error, rf"{cls} 'it': expected.*{match}", keras, why)


LATER = {"keras": None, "why": "Keras takes it and fails at the call, or gives nonsense"}
BY_TORCH = {"keras": (ValueError, NotImplementedError), "why": "torch.distributions raises, one or the other"}
NO_FACTOR = {"keras": None, "why": "Keras takes it and does nothing with it"}
RANK_3_OR_4 = [
    ("AutoContrast", ()), ("Equalization", ()), (CLAHE, ()), ("Solarization", ()), ("RandomPosterization", (4,)),
    ("RandomInvert", ()), ("RandomGrayscale", ()), ("RandomBrightness", (0.5,)), ("RandomContrast", (0.5,)),
    ("RandomHue", (0.5,)), ("RandomSaturation", (0.5,)), ("RandomColorDegeneration", (0.5,)),
    ("RandomColorJitter", ()), ("RandomSharpness", (0.5,)), ("RandomGaussianBlur", ()), ("RandomErasing", ()),
    ("MixUp", ()), ("CutMix", ()), ("RandAugment", ()), ("AugMix", ()),
]  # fmt: skip
FACTORS = [  # class, a factor out of its bounds
    ("RandomPosterization", 0), ("RandomPosterization", 9), ("RandomInvert", 1.5), ("RandomInvert", -0.5),
    ("RandomGrayscale", 2), ("RandomBrightness", 1.5), ("RandomContrast", -0.5), ("RandomHue", 2.0),
    ("RandomSaturation", -1.5), ("RandomColorDegeneration", 2), ("RandomSharpness", 1.5),
    ("RandomGaussianBlur", -1), ("RandomErasing", 2), ("CutMix", 2.0),
]  # fmt: skip
RANGES = ["AutoContrast", "Solarization"]
RANGES_AFTER_FACTOR = ["RandomPosterization", "RandomBrightness", "RandomSaturation", "RandomColorDegeneration",
                       "RandomSharpness"]  # fmt: skip

REFUSED = [
    *(refused(f"rank_2_{c}", "rank 3", c, *args, on=(4, 3),
              keras=IndexError if c in ("CutMix", "RandAugment") else "the same",
              why="Keras looks at the axes first" if c in ("CutMix", "RandAugment") else "")
      for c, args in RANK_3_OR_4),
    *(refused(f"rank_5_{c}", "rank 3", c, *args, on=(1, 2, 4, 3, 3)) for c, args in RANK_3_OR_4),
    *(refused(f"factor_{c}_{value}", rf"factor={value}", c, value) for c, value in FACTORS),
    *(refused(f"factor_three_{c}", r"factor=\(", c, (0.1, 0.2, 0.3)) for c in ("RandomHue", "RandomBrightness")),
    *(refused(f"factor_text_{c}", "factor='a'", c, "a") for c in ("RandomHue", "RandomContrast", "RandomErasing")),
    refused("grayscale_text", "factor='a'", "RandomGrayscale", "a", keras=TypeError, why="Keras compares first"),
    *(refused(f"range_{c}", r"value_range=3", c, value_range=3) for c in RANGES),
    *(refused(f"range_three_{c}", r"value_range=\[", c, value_range=[0, 1, 2]) for c in RANGES),
    refused("range_Equalization", "value_range=3", "Equalization", value_range=3, keras=AttributeError,
            why="Keras' class lacks the text of its error"),
    *(refused(f"range_{c}", r"value_range=3", c, 1, value_range=3) for c in RANGES_AFTER_FACTOR),
    *(refused(f"data_format_{c}", "data_format='x'", c, *args, data_format="x") for c, args in RANK_3_OR_4),
    *(refused(f"no_factor_{c}", "no `factor`", c, factor=0.5, **NO_FACTOR)
      for c in ("Equalization", CLAHE, "RandomColorJitter", "MixUp")),
    *(refused(f"no_factor_{c}", "no `factor`", c, factor=0.5) for c in ("AutoContrast", "Solarization")),
    refused("solarization_addition", "addition_factor=2", "Solarization", 2),
    refused("solarization_threshold", r"threshold_factor=\(-1, 0.5\)", "Solarization", 0.5, (-1, 0.5)),
    refused("solarization_three", r"addition_factor=\(", "Solarization", (0.1, 0.2, 0.3)),
    refused("solarization_text", "addition_factor='a'", "Solarization", "a"),
    refused("equalization_bins", "bins=0", "Equalization", bins=0, **LATER),
    refused("clahe_tiles", "tile_grid_size=0", CLAHE, tile_grid_size=0, **LATER),
    refused("gray_channels", "1 or 3 channels", "RandomGrayscale", on=(2, 3, 3, 4)),
    refused("degeneration_channels", "1 or 3 channels", "RandomColorDegeneration", 0.5, on=(2, 3, 3, 4)),
    *(refused(f"channels_{c}", "3 channels", c, 0.5, on=(2, 3, 3, 4), keras=RuntimeError, why="torch.split's error")
      for c in ("RandomHue", "RandomSaturation")),
    refused("rand_augment_channels", "1 or 3 channels", "RandAugment", on=(2, 3, 3, 4)),
    Refused("jitter_hue", lambda k: k.layers.RandomColorJitter(hue_factor=3), ValueError, "RandomHue.*Received.*=3"),
    refused("blur_size", "kernel_size=2", "RandomGaussianBlur", kernel_size=2),
    refused("blur_size_pair", r"kernel_size=\(3, 4\)", "RandomGaussianBlur", kernel_size=(3, 4)),
    refused("blur_size_three", r"kernel_size=\(", "RandomGaussianBlur", kernel_size=(3, 3, 3)),
    refused("blur_size_text", "kernel_size='a'", "RandomGaussianBlur", kernel_size="a"),
    refused("blur_sigma", "sigma=2", "RandomGaussianBlur", sigma=2),
    refused("erasing_scale", "scale=2", "RandomErasing", scale=2),
    refused("erasing_fill", r"fill_value=\(1, 2\)", "RandomErasing", fill_value=(1, 2), on=SHAPE),
    refused("erasing_fill_text", "fill_value='x'", "RandomErasing", fill_value="x", on=SHAPE),
    refused("mix_up_alpha", "alpha=-1", "MixUp", alpha=-1, on=SHAPE, **BY_TORCH),
    refused("mix_up_alpha_text", "alpha='a'", "MixUp", alpha="a", **LATER),
    refused("aug_mix_alpha", "alpha=0", "AugMix", alpha=0, on=SHAPE, **BY_TORCH),
    refused("rand_augment_factor", "factor=2", "RandAugment", factor=2),
    refused("aug_mix_factor", "factor=2", "AugMix", factor=2),
    Refused("saturation_ints", lambda k: k.layers.RandomSaturation(0.5, name="it")(
        np.ones(SHAPE, "uint8"), training=True), ValueError, "'it': expected floating point.*uint8"),
    Refused("boxes_without_format", lambda k: k.layers.RandomInvert(name="it")(
        {"images": np.ones(SHAPE), "bounding_boxes": {"boxes": np.ones((2, 1, 4)), "labels": np.ones((2, 1))}},
        training=True), ValueError, "'it': expected a `bounding_box_format`"),
    Refused("cut_mix_boxes", lambda k: k.layers.CutMix(name="it", bounding_box_format="xyxy")(
        {"images": np.ones(SHAPE), "bounding_boxes": {"boxes": np.ones((2, 1, 4)), "labels": np.ones((2, 1))}},
        training=True), NotImplementedError, "'it' does not transform bounding boxes.*Received"),
]  # fmt: skip

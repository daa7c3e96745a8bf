"""Rescaling, resizing, cropping, flipping, turning and bending of images; Pipeline."""

import functools

import numpy as np

from cases.layers.row import Case, Refused, layer

TRAIN = {"training": True}
IMAGES, ONE = [(2, 5, 6, 3)], [(5, 6, 3)]
FIRST = "channels_first"

NO_CASE = {"Pipeline": "takes no keywords and, in Keras, tells no shape: see test_layers_preprocessing_geometry.py"}

# A first axis that is no batch.
ONE_IMAGE = {
    "test_empty_batch": "one image has no batch axis",
    "test_symbolic_shape_is_keras_and_true": "an Input has a batch axis",
    "test_in_sequential": "an Input has a batch axis",
    "test_in_a_functional_model": "an Input has a batch axis",
    "test_lowered_is_whole": "an Input has a batch axis",
    "test_shape_arguments": "an Input has a batch axis",
    "test_unknown_axes": "an Input has a batch axis",
    "test_compute_output_shape": "Keras tells the shape of an unknown height for one image, too",
}


# Rows without a seed stand first: what depends on the class alone is tested over those.
HOST = {"test_torch_compile": "a draw becomes a Python number, which breaks the graph"}


def row(name, kind, *args, call=TRAIN, shapes=IMAGES, **kwargs):
    options = {key: kwargs.pop(key) for key in ("rel", "skip", "random", "gradient") if key in kwargs}
    return Case(name, layer(kind, *args, **kwargs), shapes, call=call, **options)


CASES = [
    row("rescaling", "Rescaling", 1 / 127.5, offset=-1, call={}),
    row("rescaling_per_channel", "Rescaling", [1.0, 2.0, 3.0], offset=[0.0, 0.5, 1.0], call={}),
    row("rescaling_vectors", "Rescaling", 3, call={}, shapes=[(4, 3)]),
    row("resizing_down", "Resizing", 3, 4, call={}),
    row("resizing_up", "Resizing", 8, 7, call={}),
    row("resizing_nearest", "Resizing", 8, 4, interpolation="nearest", call={}),
    row("resizing_bicubic", "Resizing", 3, 8, interpolation="bicubic", call={}),
    row("resizing_antialias", "Resizing", 2, 3, antialias=True, call={}),
    row("resizing_crop", "Resizing", 3, 8, crop_to_aspect_ratio=True, call={}),
    row("resizing_pad", "Resizing", 3, 8, pad_to_aspect_ratio=True, fill_value=0.25, call={}),
    row("resizing_pad_columns", "Resizing", 8, 3, pad_to_aspect_ratio=True, call={}),
    row("resizing_first", "Resizing", 3, 4, data_format=FIRST, call={}, shapes=[(2, 3, 5, 6)]),
    row("resizing_one", "Resizing", 3, 4, call={}, shapes=ONE, skip=ONE_IMAGE),
    row("center_crop", "CenterCrop", 3, 3, call={}),
    row("center_crop_too_small", "CenterCrop", 7, 4, call={}),
    row("center_crop_first", "CenterCrop", 4, 2, data_format=FIRST, call={}, shapes=[(2, 3, 5, 6)]),
    row("random_crop_unseeded", "RandomCrop", 3, 4, random=True,
        skip=HOST | {"test_config_is_keras": "where no seed is given Keras draws one, and tells it"}),
    row("random_crop", "RandomCrop", 3, 4, seed=3),
    row("random_crop_same_height", "RandomCrop", 5, 4, seed=3),
    row("random_crop_too_small", "RandomCrop", 7, 8, seed=3),
    row("random_crop_first", "RandomCrop", 2, 3, seed=1, data_format=FIRST, shapes=[(2, 3, 5, 6)]),
    row("random_flip_unseeded", "RandomFlip", random=True),
    row("random_flip", "RandomFlip", seed=3, shapes=[(4, 3, 2, 1)]),
    row("random_flip_horizontal", "RandomFlip", "horizontal", seed=4, shapes=[(4, 3, 2, 1)]),
    row("random_flip_vertical_first", "RandomFlip", "vertical", seed=5, data_format=FIRST, shapes=[(4, 1, 3, 2)]),
    row("random_flip_one", "RandomFlip", seed=3, shapes=ONE, skip=ONE_IMAGE),
    row("random_flip_calm", "RandomFlip", seed=3, call={"training": False}),
    row("random_rotation_unseeded", "RandomRotation", 0.2, random=True),
    row("random_rotation", "RandomRotation", 0.2, seed=3),
    row("random_rotation_constant", "RandomRotation", (0.1, 0.3), fill_mode="constant", fill_value=0.5, seed=3),
    row("random_rotation_nearest", "RandomRotation", 0.4, "wrap", interpolation="nearest", seed=5),
    row("random_rotation_first", "RandomRotation", 0.2, "nearest", seed=3, data_format=FIRST, shapes=[(2, 3, 5, 6)]),
    row("random_rotation_one", "RandomRotation", 0.2, seed=3, shapes=ONE, skip=ONE_IMAGE),
    row("random_zoom_unseeded", "RandomZoom", 0.2, random=True),
    row("random_zoom", "RandomZoom", 0.3, seed=3),
    row("random_zoom_both", "RandomZoom", (0.2, 0.5), (-0.4, -0.1), fill_mode="constant", seed=3),
    row("random_zoom_first", "RandomZoom", 0.3, 0.2, "wrap", "nearest", seed=3, data_format=FIRST,
        shapes=[(2, 3, 5, 6)]),
    row("random_translation_unseeded", "RandomTranslation", 0.2, 0.1, random=True),
    row("random_translation", "RandomTranslation", 0.3, 0.2, seed=3),
    row("random_translation_wrap", "RandomTranslation", (0.2, 0.5), (-0.4, 0.1), fill_mode="wrap", seed=3),
    row("random_translation_first", "RandomTranslation", 0.3, 0.2, "constant", "nearest", seed=3, data_format=FIRST,
        shapes=[(2, 3, 5, 6)]),
    row("random_shear_unseeded", "RandomShear", 0.2, 0.1, random=True),
    row("random_shear", "RandomShear", 0.3, 0.2, seed=3),
    row("random_shear_constant", "RandomShear", x_factor=(0.2, 0.9), fill_mode="constant", seed=4),
    row("random_shear_first", "RandomShear", 0.3, 0.9, "nearest", "wrap", seed=3, data_format=FIRST,
        shapes=[(2, 3, 5, 6)]),
    row("random_perspective_unseeded", "RandomPerspective", 0.2, random=True),
    row("random_perspective", "RandomPerspective", seed=3, scale=0.4, rel=1e-4),
    row("random_perspective_some", "RandomPerspective", (0.2, 0.6), 0.2, "nearest", 0.5, seed=7),
    row("random_perspective_first", "RandomPerspective", 1.0, 0.3, seed=3, data_format=FIRST, shapes=[(2, 3, 5, 6)],
        rel=1e-4),
    row("random_elastic_transform", "RandomElasticTransform", seed=3, random=True, skip=HOST),
    row("random_elastic_transform_first", "RandomElasticTransform", 0.5, (0.2, 0.9), "nearest", "constant", seed=3,
        data_format=FIRST, shapes=[(2, 3, 5, 6)], random=True),
    row("max_num_bounding_boxes", "MaxNumBoundingBoxes", 3, call={},
        skip={"test_config_is_keras": "Keras leaves fill_value out, and loses it"}),
]  # fmt: skip


def images():
    return np.zeros((2, 5, 6, 3), "float32")


def boxes(**changed):
    found = {"boxes": np.zeros((2, 1, 4), "float32"), "labels": np.zeros((2, 1), "int32")}
    return {"images": images(), "bounding_boxes": {**found, **changed}}


def refused(name, match, kind, *args, error=ValueError, keras="the same", why="", data=None, **kwargs):
    """A layer that is refused, as it is made or when it is called."""

    def call(k):
        made = getattr(k.layers, kind)(*args, **kwargs)
        made(data() if data else images(), **({"training": True} if "Random" in kind else {}))

    return Refused(name, call, error, match, keras, why)


later = functools.partial(refused, keras=None, why="Keras takes it, and does nothing or gives nothing")

REFUSED = [
    refused("rescaling_word", "Rescaling.*`scale`", "Rescaling", "much"),
    refused("resizing_zero", "Resizing.*`height`", "Resizing", 0, 4, keras=RuntimeError, why="PyTorch's in Keras"),
    refused("resizing_interpolation", "Resizing.*`interpolation`", "Resizing", 3, 4, interpolation="cubist"),
    refused("resizing_lanczos", "resize.*`interpolation`", "Resizing", 3, 4, interpolation="lanczos3"),
    refused("resizing_fill", "Resizing.*`fill_mode`", "Resizing", 3, 4, fill_mode="reflect"),
    refused("resizing_both", "Resizing.*one of", "Resizing", 3, 4, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
    later("center_crop_zero", "CenterCrop.*`height`", "CenterCrop", 0, 3),
    refused("center_crop_factor", "CenterCrop.*`factor`", "CenterCrop", 2, 2, factor=0.1),
    refused("center_crop_rank", "CenterCrop.*rank 3", "CenterCrop", 2, 2, data=lambda: images()[0, 0]),
    later("random_crop_zero", "RandomCrop.*`width`", "RandomCrop", 3, 0),
    later("random_flip_mode", "RandomFlip.*`mode`.*mean 'vertical'", "RandomFlip", "vertikal"),
    refused("random_flip_seed", "seed", "RandomFlip", seed=1.5),
    refused("random_flip_data_format", "RandomFlip.*`data_format`", "RandomFlip", data_format="channels"),
    refused("random_flip_rank", "RandomFlip.*rank 3", "RandomFlip", data=lambda: images()[0, 0]),
    refused("boxes_without_format", "RandomFlip.*`bounding_box_format`", "RandomFlip", data=boxes),
    refused("boxes_of_other_format", "convert_format.*`source`", "RandomFlip", bounding_box_format="xxyy", data=boxes),
    refused("boxes_of_other_rank", "RandomFlip.*rank 2 or 3", "RandomFlip", bounding_box_format="xyxy",
            data=lambda: boxes(labels=np.zeros((2, 1, 1, 1)))),
    refused("boxes_of_five", "convert_format.*last axis of 4", "RandomFlip", bounding_box_format="xyxy",
            data=lambda: boxes(boxes=np.zeros((2, 1, 5)))),
    refused("boxes_bent", "RandomElasticTransform.*bounding boxes", "RandomElasticTransform",
            bounding_box_format="xyxy", data=boxes, error=NotImplementedError),
    refused("random_rotation_factor", "RandomRotation.*`factor`", "RandomRotation", 2.0),
    refused("random_rotation_three", "RandomRotation.*`factor`", "RandomRotation", (0.1, 0.2, 0.3)),
    refused("random_rotation_word", "RandomRotation.*`factor`", "RandomRotation", "much"),
    refused("random_rotation_fill", "RandomRotation.*`fill_mode`", "RandomRotation", 0.1, "mirror",
            error=NotImplementedError),
    refused("random_rotation_interpolation", "RandomRotation.*`interpolation`", "RandomRotation", 0.1,
            interpolation="bicubic", error=NotImplementedError),
    refused("random_zoom_minus_one", "RandomZoom.*`height_factor`", "RandomZoom", -1.0),
    refused("random_zoom_two", "RandomZoom.*`width_factor`", "RandomZoom", 0.1, 2.0),
    refused("random_zoom_tuple_of_one", "RandomZoom.*`height_factor`", "RandomZoom", (0.1,)),
    refused("random_zoom_fill", "RandomZoom.*`fill_mode`", "RandomZoom", 0.1, fill_mode="x", error=NotImplementedError),
    refused("random_translation_two", "RandomTranslation.*`height_factor`", "RandomTranslation", 2.0, 0.0),
    refused("random_translation_none", "RandomTranslation.*`width_factor`", "RandomTranslation", 0.1, None),
    refused("random_shear_below", "RandomShear.*`x_factor`", "RandomShear", -0.1),
    refused("random_shear_above", "RandomShear.*`y_factor`", "RandomShear", 0.1, (0.2, 1.5)),
    refused("random_perspective_scale", "RandomPerspective.*`scale`", "RandomPerspective", scale=2.0),
    refused("random_perspective_factor", "RandomPerspective.*`factor`", "RandomPerspective", factor=2.0),
    refused("random_perspective_interpolation", "RandomPerspective.*`interpolation`", "RandomPerspective",
            interpolation="cubic", error=NotImplementedError),
    refused("random_elastic_factor", "RandomElasticTransform.*`factor`", "RandomElasticTransform", factor=3),
    refused("random_elastic_scale", "RandomElasticTransform.*`scale`", "RandomElasticTransform", scale=3),
    refused("random_elastic_fill", "RandomElasticTransform.*`fill_mode`", "RandomElasticTransform", fill_mode="y",
            error=NotImplementedError),
    later("max_num_zero", "MaxNumBoundingBoxes.*`max_number`", "MaxNumBoundingBoxes", 0),
    refused("max_num_word", "MaxNumBoundingBoxes.*`max_number`", "MaxNumBoundingBoxes", "a"),
    refused("pipeline_of_no_layer", "Pipeline.*list of layers", "Pipeline", [3], keras=AttributeError,
            why="Keras asks the number for its arguments"),
]  # fmt: skip

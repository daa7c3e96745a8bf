"""Image layers on dicts with labels, boxes and masks, single images, draws and Pipeline: what rows cannot say."""

import copy

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting, same_config

import kshim
from kshim.core import settings
from kshim.layers.preprocessing import bounding_boxes
from kshim.layers.preprocessing.image_base import BaseImagePreprocessingLayer

HEIGHT, WIDTH = 6, 9
FORMATS = bounding_boxes.FORMATS
IMAGES = counting((3, HEIGHT, WIDTH, 3), 100) + 60
LABELS = np.eye(3, 4, dtype="float32")
MASKS = (np.arange(3 * HEIGHT * WIDTH).reshape(3, HEIGHT, WIDTH, 1) % 3).astype("int32")
BOXES = np.array(
    [[[1, 1, 4, 5], [0, 0, 9, 6]], [[2, 3, 8, 4], [7, 1, 9, 3]], [[3, 2, 5, 5], [0, 0, 0, 0]]], "float32"
)  # fmt: skip
CLASSES = np.array([[1, 2], [3, 4], [5, -1]], "int32")

LAYERS = {
    "resizing": ("Resizing", (4, 5), {}),
    "resizing_crop": ("Resizing", (4, 4), {"crop_to_aspect_ratio": True}),
    "resizing_pad": ("Resizing", (5, 5), {"pad_to_aspect_ratio": True}),
    "center_crop": ("CenterCrop", (4, 5), {}),
    "center_crop_too_small": ("CenterCrop", (8, 4), {}),
    "random_flip": ("RandomFlip", (), {"seed": 3}),
    "random_flip_horizontal": ("RandomFlip", ("horizontal",), {"seed": 1}),
    "random_flip_vertical": ("RandomFlip", ("vertical",), {"seed": 1}),
    "random_rotation": ("RandomRotation", (0.2,), {"seed": 3}),
    "random_zoom": ("RandomZoom", (0.3,), {"seed": 3}),
    "random_zoom_both": ("RandomZoom", ((0.1, 0.4), (-0.4, 0.2)), {"seed": 3}),
    "random_translation": ("RandomTranslation", (0.3, 0.4), {"seed": 3}),
    "random_shear": ("RandomShear", (0.3, 0.2), {"seed": 3}),
    "random_perspective": ("RandomPerspective", (0.7, 0.3), {"seed": 3}),
}
layers = pytest.mark.parametrize("name", LAYERS)
# Where Keras 3.15 puts boxes of other formats than xyxy elsewhere: it forgets to convert them.
ONLY_XYXY = ("random_rotation", "random_perspective")


def made(k, name, **more):
    kind, args, kwargs = LAYERS[name]
    return getattr(k.layers, kind)(*args, **kwargs, **more)


def data(single=False, height=HEIGHT, width=WIDTH, fmt="xyxy", **chosen):
    boxes = array(bounding_boxes.convert_format(BOXES, "xyxy", fmt, height, width))
    found = {"images": IMAGES[:, :height, :width], "labels": LABELS,
             "bounding_boxes": {"boxes": boxes, "labels": CLASSES},
             "segmentation_masks": MASKS[:, :height, :width]} | chosen  # fmt: skip
    found = copy.deepcopy(found)
    return kshim.core.tree.map_structure(lambda x: x[0], found) if single else found


def assert_same(got, expected, rel=1e-4):
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, dict):
            assert_same(got[key], value, rel)
        else:
            assert_close(got[key], value, rel)


# ---------- boxes, masks and labels


@layers
@pytest.mark.parametrize("single", [False, True], ids=["batch", "single"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "calm"])
def test_dict_is_keras(name, single, training, keras3):
    size = 6 if "shear" in name else WIDTH  # Keras shears boxes right where images are square
    given = data(single, width=size)
    if name in ("random_rotation", "random_perspective", "center_crop_too_small"):
        del given["segmentation_masks"]  # Keras turns those otherwise than the images, or mixes classes: below
    ours, theirs = (
        made(k, name, bounding_box_format="xyxy")(copy.deepcopy(given), training=training) for k in (kshim, keras3)
    )
    assert_same(ours, theirs)
    assert all(ours[key].dtype == theirs[key].dtype for key in ours if key != "bounding_boxes")


@layers
@pytest.mark.parametrize("fmt", FORMATS)
def test_boxes_are_one_thing_in_every_format(name, fmt, keras3):
    """What Keras makes of the boxes as xyxy, whatever the format; and of that format, where it converts them."""
    size = 6 if "shear" in name else WIDTH
    given = data(width=size, fmt=fmt)
    del given["segmentation_masks"]
    got = made(kshim, name, bounding_box_format=fmt)(given, training=True)["bounding_boxes"]
    height, width = getattr(made(kshim, name), "height", HEIGHT), getattr(made(kshim, name), "width", size)
    plain = made(keras3, name, bounding_box_format="xyxy")(data(width=size), training=True)["bounding_boxes"]
    back = array(bounding_boxes.convert_format(got["boxes"], fmt, "xyxy", height, width))
    assert_close(back, plain["boxes"], 1e-4)
    np.testing.assert_array_equal(array(got["labels"]), array(plain["labels"]))
    if name not in ONLY_XYXY:
        theirs = made(keras3, name, bounding_box_format=fmt)(data(width=size, fmt=fmt), training=True)
        assert_close(got["boxes"], theirs["bounding_boxes"]["boxes"], 1e-4)


@layers
def test_channels_first_is_the_same(name):
    last = made(kshim, name, bounding_box_format="xyxy")(data(), training=True)
    given = data()
    given["images"], given["segmentation_masks"] = (
        np.ascontiguousarray(np.moveaxis(given[key], -1, 1)) for key in ("images", "segmentation_masks")
    )
    first = made(kshim, name, bounding_box_format="xyxy", data_format="channels_first")(given, training=True)
    for key in ("images", "segmentation_masks"):
        first[key] = first[key].movedim(1, -1)
    assert_same(first, last, 1e-6)


@layers
def test_what_is_given_stays(name):
    given = data()
    kept = copy.deepcopy(given)
    made(kshim, name, bounding_box_format="xyxy")(given, training=True)
    assert_same(given, kept, 0)


@layers
def test_masks_go_where_the_images_go(name):
    """A mask that is the image: by the nearest pixel both are the same."""
    kind, args, kwargs = LAYERS[name]
    nearest = {} if kind in ("RandomFlip", "CenterCrop") else {"interpolation": "nearest"}
    layer = getattr(kshim.layers, kind)(*args, **kwargs, **nearest)
    result = layer({"images": IMAGES, "segmentation_masks": IMAGES}, training=True)
    if name != "center_crop_too_small":  # images are resized by bilinear interpolation there
        assert torch.equal(result["images"], result["segmentation_masks"])


def test_masks_keep_their_classes():
    for name in ("center_crop_too_small", "resizing", "random_rotation", "random_perspective"):
        masks = made(kshim, name)({"images": IMAGES, "segmentation_masks": MASKS}, training=True)["segmentation_masks"]
        assert set(array(masks).ravel().tolist()) <= {0, 1, 2}


def test_shear_of_boxes_is_that_of_pixels():
    """Also where images are not square: the pixel at a corner of the box arrives at the corner of the new box."""
    layer = kshim.layers.RandomShear((0.5, 0.5), fill_mode="constant", bounding_box_format="xyxy", seed=1)
    result = layer({"images": np.ones((1, 10, 40, 1), "float32"),
                    "bounding_boxes": {"boxes": [[[20.0, 2.0, 22.0, 6.0]]], "labels": [[1]]}},
                   training=True)  # fmt: skip
    boxes = result["bounding_boxes"]["boxes"][0, 0].tolist()
    assert boxes in ([17.0, 2.0, 21.0, 6.0], [21.0, 2.0, 25.0, 6.0])


def test_random_crop_of_boxes_and_masks():
    """Keras 3.15 takes the crop's row off the columns: here boxes lie where the pixels do."""
    layer = kshim.layers.RandomCrop(4, 5, seed=3, bounding_box_format="xyxy")
    images = np.zeros((1, HEIGHT, WIDTH, 1), "float32")
    images[0, 2:4, 3:6] = 1
    given = {"images": images, "segmentation_masks": images, "labels": LABELS[:1],
             "bounding_boxes": {"boxes": [[[3.0, 2.0, 6.0, 4.0]]], "labels": [[7]]}}  # fmt: skip
    for _ in range(4):
        result = layer(given, training=True)
        assert torch.equal(result["images"], result["segmentation_masks"])
        assert torch.equal(result["labels"], torch.tensor(LABELS[:1]))
        rows, columns = torch.nonzero(result["images"][0, ..., 0], as_tuple=True)
        x1, y1, x2, y2 = result["bounding_boxes"]["boxes"][0, 0].tolist()
        if not len(rows):
            assert result["bounding_boxes"]["labels"].item() == -1
        else:
            assert (x1, y1, x2, y2) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert layer(given, training=False)["images"].shape == images.shape


def test_max_num_bounding_boxes(keras3):
    for count, single in ((1, False), (4, False), (2, True)):
        ours, theirs = (
            k.layers.MaxNumBoundingBoxes(count, fill_value=-2, bounding_box_format="xyxy")(data(single))
            for k in (kshim, keras3)
        )
        assert_same(ours, theirs)
    config = kshim.layers.MaxNumBoundingBoxes(3, fill_value=7).get_config()
    assert kshim.layers.MaxNumBoundingBoxes.from_config(config).fill_value == 7  # Keras' config forgets it


def test_boxes_as_lists_of_different_lengths():
    layer = kshim.layers.RandomFlip("vertical", seed=1, bounding_box_format="xyxy")
    boxes = {"boxes": [[[1.0, 1.0, 4.0, 5.0]], [], [[0.0, 0.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0]]],
             "labels": [[1], [], [2, 3]]}  # fmt: skip
    result = layer({"images": IMAGES, "bounding_boxes": boxes}, training=False)["bounding_boxes"]
    assert result["boxes"].shape == (3, 2, 4) and result["labels"].tolist() == [[1, -1], [-1, -1], [2, 3]]


def test_extra_keys_pass():
    result = kshim.layers.RandomFlip(seed=1)({"images": IMAGES, "weights": LABELS}, training=True)
    assert torch.equal(result["weights"], torch.tensor(LABELS))


@pytest.mark.parametrize("name", ["resizing", "center_crop", "random_flip", "random_zoom"])
def test_dict_of_symbolic_tensors(name):
    boxes = {"boxes": kshim.Input((2, 4)), "labels": kshim.Input((2,), dtype="int32")}
    entries = {"images": kshim.Input((HEIGHT, WIDTH, 3)), "labels": kshim.Input((4,)), "bounding_boxes": boxes}
    layer = made(kshim, name, bounding_box_format="xyxy")
    outputs = layer(entries)
    given = data()
    del given["segmentation_masks"]
    expected = copy.deepcopy(layer)(given, training=True)
    assert outputs["images"].shape == (None, *expected["images"].shape[1:])
    assert outputs["bounding_boxes"]["boxes"].shape == (None, 2, 4)
    flat = kshim.core.tree.flatten
    model = kshim.Model(flat(entries), flat(outputs))
    for got, wanted in zip(model([torch.tensor(x) for x in flat(given)], training=True), flat(expected), strict=True):
        assert_close(got, wanted, 1e-6)


# ---------- the functions on boxes


@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_convert_format(source, target, keras3):
    theirs = keras3.utils.bounding_boxes
    for boxes in (BOXES, BOXES[0]):
        given = array(theirs.convert_format(torch.tensor(boxes), "xyxy", source, HEIGHT, WIDTH))
        got = bounding_boxes.convert_format(given, source.upper(), target, HEIGHT, WIDTH)
        assert_close(got, theirs.convert_format(torch.tensor(given), source, target, HEIGHT, WIDTH), 1e-6)


def test_functions_on_boxes(keras3):
    theirs = keras3.utils.bounding_boxes
    tensor = torch.tensor(BOXES)
    both = {"boxes": tensor * 2 - 3, "labels": torch.tensor(CLASSES)}
    for fmt, size in (("xyxy", (5, 7)), ("rel_xyxy", (None, None))):
        ours, wanted = (f.clip_to_image_size(dict(both), *size, fmt) for f in (bounding_boxes, theirs))
        assert_same(ours, wanted)
    assert_close(bounding_boxes.crop(BOXES, 1, 2, 3, 4), theirs.crop(tensor, 1, 2, 3, 4))
    assert_close(bounding_boxes.pad(BOXES, 1, 2), theirs.pad(tensor, 1, 2))
    rows = [(20.0, -50, 90), (0.1, 0, -0.2), (0.2, 0.3, 0), (1.2, 0.7, 1), (5.0, 10, -8), (-6.0, 0, 3)]
    numbers = [torch.tensor(row) for row in rows]
    for centre in ({}, {"center_x": 0.2, "center_y": 0.9}):
        args = [*numbers, HEIGHT, WIDTH]
        assert_close(bounding_boxes.affine_transform(BOXES, *args, **centre),
                     theirs.affine_transform(tensor, *args, **centre))  # fmt: skip


def test_refusals_of_functions_on_boxes():
    with pytest.raises(ValueError, match=r"`height` and `width`.*Received"):
        bounding_boxes.convert_format(BOXES, "xyxy", "rel_xyxy")
    with pytest.raises(ValueError, match=r"`target` to be one of.*Received: target='xyxi'"):
        bounding_boxes.convert_format(BOXES, "xywh", "xyxi")
    with pytest.raises(ValueError, match=r"`height` and `width`.*Received"):
        bounding_boxes.clip_to_image_size({"boxes": BOXES})
    for call in (
        lambda: bounding_boxes.clip_to_image_size({"boxes": BOXES}, 3, 4, "xywh"),
        lambda: bounding_boxes.crop(BOXES, 1, 1, 2, 2, "xywh"),
        lambda: bounding_boxes.pad(BOXES, 1, 1, bounding_box_format="xywh"),
    ):
        with pytest.raises(NotImplementedError, match=r"Received: bounding_box_format='xywh'"):
            call()


# ---------- draws


@layers
def test_seeded_layers_go_on_as_keras(name, keras3):
    """The second and third call, too; on a batch, then on one image."""
    ours, theirs = (made(k, name) for k in (kshim, keras3))
    for images in (IMAGES, IMAGES[1], IMAGES[:2]):
        assert_close(ours(images, training=True), theirs(torch.tensor(images), training=True), 1e-4)


@layers
@pytest.mark.parametrize("kind", ["uint8", "int32", "float64", "float16"])
def test_dtypes_are_keras(name, kind, keras3):
    images = IMAGES.astype(kind)
    ours, theirs = (made(k, name)(images, training=True) for k in (kshim, keras3))
    assert ours.dtype == theirs.dtype
    assert_close(ours, theirs, 1e-4)


def test_calm_layers_only_cast():
    for name in LAYERS:
        if "random" in name:
            calm = made(kshim, name)(IMAGES.astype("uint8"), training=False)
            assert torch.equal(calm, torch.tensor(IMAGES.astype("uint8")).float())


def test_layers_begin_in_training_mode(keras3):
    """``call`` says training=True, so a call that does not say otherwise transforms: alone and in a model."""
    images = torch.tensor(IMAGES)
    for k in (kshim, keras3):
        layer = k.layers.RandomFlip("vertical", seed=3)
        assert not torch.equal(layer(images), images)
        model = k.Sequential([k.Input((HEIGHT, WIDTH, 3)), k.layers.RandomFlip("vertical", seed=3)])
        assert not torch.equal(model(images), images)
        assert torch.equal(model(images, training=False), images)
        np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), IMAGES)


def test_unseeded_layers_follow_torch():
    for name in LAYERS:
        kind, args, kwargs = LAYERS[name]
        if "seed" not in kwargs:
            continue
        layer = getattr(kshim.layers, kind)(*args)
        assert layer.generator is None and layer.seed is None
        torch.manual_seed(5)
        one, two = layer(IMAGES, training=True), layer(IMAGES, training=True)
        torch.manual_seed(5)
        assert torch.equal(layer(IMAGES, training=True), one)
        assert not torch.equal(one, two) or "flip" in name or "perspective" in name


@pytest.mark.parametrize("options", [{}, {"interpolation": "nearest", "fill_mode": "wrap", "factor": 0.6}])
def test_elastic_transform_is_keras(options, keras3):
    """With the field drawn from the same seed: Keras draws it from torch's generator, whatever the layer's seed."""
    ours, theirs = (k.layers.RandomElasticTransform(scale=(0.5, 0.9), seed=9, **options) for k in (kshim, keras3))
    seed = copy.deepcopy(ours).get_random_transformation(torch.tensor(IMAGES))["field"]
    got = ours({"images": IMAGES, "segmentation_masks": IMAGES}, training=True)
    torch.manual_seed(seed)
    assert_close(got["images"], theirs(torch.tensor(IMAGES), training=True), 1e-4)
    if options:
        assert torch.equal(got["images"], got["segmentation_masks"])  # one field for both
    again = kshim.layers.RandomElasticTransform(scale=(0.5, 0.9), seed=9, **options)
    assert torch.equal(again(IMAGES, training=True), got["images"])
    assert kshim.layers.RandomElasticTransform(scale=0)(IMAGES, training=True).equal(torch.tensor(IMAGES))


def test_a_seed_means_the_same_in_every_precision():
    for name in ("random_shear", "random_perspective", "random_rotation"):
        wide = made(kshim, name)(IMAGES, training=True)
        assert_close(made(kshim, name, dtype="float64")(IMAGES, training=True).float(), wide, 1e-4)


def test_given_transformation():
    """What one draws can be applied by hand, as in Keras."""
    layer = kshim.layers.RandomTranslation(0.3, 0.4, seed=3)
    transformation = layer.get_random_transformation(torch.tensor(IMAGES), seed=kshim.random.SeedGenerator(4))
    moved = layer.transform_images(torch.tensor(IMAGES), transformation)
    assert torch.equal(moved, kshim.layers.RandomTranslation(0.3, 0.4, seed=4)(IMAGES, training=True))


# ---------- the base, as users write on it


class Brighter(BaseImagePreprocessingLayer):
    def __init__(self, factor, seed=None, **kwargs):
        super().__init__(factor=factor, **kwargs)
        self.seed = seed
        self._seeded()

    def get_random_transformation(self, data, training=True, seed=None):
        images = self._images_of(data)
        return self._uniform(images, (self._batch_size(images), 1, 1, 1), *self.factor) if training else None

    def transform_images(self, images, transformation, training=True):
        return images if transformation is None else self._cast(images) + transformation

    def transform_labels(self, labels, transformation, training=True):
        return labels


def test_a_layer_on_the_base():
    layer = Brighter((0.2, 0.5), seed=1)
    assert layer.factor == (0.2, 0.5) and Brighter(0.3).factor == (-0.3, 0.3)
    result = layer({"images": IMAGES, "labels": LABELS}, training=True)
    added = result["images"] - torch.tensor(IMAGES)
    assert added.min() > 0.19 and added.max() < 0.51
    assert Brighter.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(IMAGES[0], training=True).shape == IMAGES[0].shape
    with pytest.raises(NotImplementedError, match="Brighter"):
        Brighter(0.1, bounding_box_format="xyxy")(data(), training=True)


def test_value_range():
    layer = Brighter(0.1)
    assert_close(layer._transform_value_range(torch.tensor([0.0, 0.5, 1.0]), (0, 1), (-1, 255)), [-1, 127, 255])
    images = torch.ones(2)
    assert layer._transform_value_range(images, (0, 1), (0, 1)) is images


# ---------- Rescaling, Pipeline


@pytest.mark.parametrize("scale", [np.array([1.0, 2.0, 4.0]), [1.0, 2.0, 4.0], 2, np.float32(0.5)])
def test_rescaling_config(scale, keras3):
    ours, theirs = (k.layers.Rescaling(scale, name="it") for k in (kshim, keras3))
    ours_config, theirs_config = ours.get_config(), theirs.get_config()
    if not isinstance(scale, np.generic):
        assert same_config(ours_config, theirs_config)
    again = kshim.layers.Rescaling.from_config(ours_config)
    for x in (IMAGES, IMAGES.astype("uint8")):
        assert_close(again(x), theirs(torch.tensor(x)))


def test_rescaling_channels_first(keras3):
    images = np.ascontiguousarray(np.moveaxis(IMAGES, -1, 1))
    keras3.config.set_image_data_format("channels_first")
    settings.set_image_data_format("channels_first")
    try:
        ours, theirs = (k.layers.Rescaling([1.0, 2.0, 4.0])(images) for k in (kshim, keras3))
        assert kshim.layers.RandomFlip().data_format == "channels_first"
    finally:
        keras3.config.set_image_data_format("channels_last")
        settings.set_image_data_format("channels_last")
    assert_close(ours, theirs)


def pipeline(k, **more):
    layers = [k.layers.Resizing(4, 5, name="a"), k.layers.RandomFlip(seed=3, bounding_box_format="xyxy", name="b"),
              k.layers.RandomZoom(0.2, seed=1, bounding_box_format="xyxy", name="c")]  # fmt: skip
    return k.layers.Pipeline(layers, **more)


@pytest.mark.parametrize("options", [{}, {"training": True}, {"training": False}])
def test_pipeline(options, keras3):
    ours, theirs = (pipeline(k, name="it") for k in (kshim, keras3))
    assert same_config(ours.get_config(), theirs.get_config())
    for images in (IMAGES, IMAGES[0]):
        assert_close(ours(images, **options), theirs(images, **options), 1e-4)
    given = {"images": IMAGES, "labels": LABELS}
    assert_same(ours(given, **options), theirs(copy.deepcopy(given), **options))
    again = kshim.layers.Pipeline.from_config(ours.get_config())
    assert again.get_config() == ours.get_config() and [layer.name for layer in again.layers] == ["a", "b", "c"]
    fresh = pipeline(kshim)
    assert torch.equal(again(IMAGES, **options), fresh(IMAGES, **options))
    assert torch.equal(copy.deepcopy(again)(IMAGES, **options), fresh(IMAGES, **options))


def test_pipeline_in_models(keras3):
    found = []
    for k in (kshim, keras3):
        inputs = k.Input((HEIGHT, WIDTH, 3))
        model = k.Model(inputs, k.layers.Flatten()(pipeline(k)(inputs)))
        found.append((model(torch.tensor(IMAGES), training=True), model.output_shape))
    assert_close(found[0][0], found[1][0], 1e-4)
    assert found[0][1] == found[1][1] == (None, 60)


def test_pipeline_of_layers_with_weights():
    layer = kshim.layers.Pipeline([kshim.layers.Dense(2), kshim.layers.Dropout(0.5), kshim.layers.Masking()])
    x = torch.ones(2, 3, 4)
    x._keras_mask = torch.tensor([[True, False, True]] * 2)
    outputs = layer(x, training=False)
    assert outputs.shape == (2, 3, 2) and len(layer.weights) == 2 and outputs._keras_mask.shape == (2, 3)
    assert (layer(x, training=True) == 0).any()
    pipe = kshim.layers.Pipeline([kshim.layers.Dense(2)])
    pipe.build((None, 4))
    assert len(pipe.weights) == 2

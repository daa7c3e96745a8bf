"""Image layers that change colours or mix, beyond their rows: dicts, rows of draws, and what Keras gets wrong."""

import random

import numpy as np
import pytest
import torch
from cases import assert_close
from cases.layers.preprocessing_color import CLAHE, pixels, rand_augment

import kshim

IMAGES = pixels((4, 5, 6, 3))()[0]
BOXES = np.array([[[0, 1, 3, 4], [1, 1, 5, 5]]] * 4, "float32") + np.arange(4, dtype="float32").reshape(4, 1, 1) / 4
SEEDED = [  # class and options; RandAugment has its own test
    ("Solarization", {"addition_factor": 0.5, "threshold_factor": 0.5}), ("RandomPosterization", {"factor": 7}),
    ("RandomInvert", {}), ("RandomGrayscale", {}), ("RandomBrightness", {"factor": 0.5}),
    ("RandomContrast", {"factor": 0.5}), ("RandomHue", {"factor": 0.5}), ("RandomSaturation", {"factor": 0.5}),
    ("RandomColorDegeneration", {"factor": 0.5}), ("RandomSharpness", {"factor": 0.5}), ("RandomGaussianBlur", {}),
    ("RandomColorJitter", {"brightness_factor": 0.3, "contrast_factor": 0.3, "saturation_factor": 0.5,
                           "hue_factor": 0.5}),
    ("RandomErasing", {}), ("MixUp", {}), ("CutMix", {}),
]  # fmt: skip
STILL = [("AutoContrast", {}), ("Equalization", {}), (CLAHE, {"tile_grid_size": (2, 3)})]
seeded = pytest.mark.parametrize(("cls", "options"), SEEDED, ids=lambda value: value if isinstance(value, str) else "")


def data(images=IMAGES, **more):
    """A dict of them: labels, and masks of one channel."""
    batch = images.ndim == 4
    labels = np.eye(4, dtype="float32") if batch else np.eye(4, dtype="float32")[2]
    return {"images": images.copy(), "labels": labels, "segmentation_masks": (images[..., :1] > 100) * 1.0, **more}


def boxes():
    return {"boxes": BOXES.copy(), "labels": np.arange(8, dtype="float32").reshape(4, 2)}


def pair(keras3, cls, **options):
    return [getattr(k.layers, cls)(**options) for k in (kshim, keras3)]


@seeded
def test_row_of_draws_is_keras(cls, options, keras3):
    """Call after call, between calls that do not train, on batches and on one image."""
    ours, theirs = pair(keras3, cls, seed=5, **options)
    calls = [(IMAGES, True), (IMAGES, True), (IMAGES, False), (IMAGES[0], True), (IMAGES[:2], False), (IMAGES, True)]
    for images, training in calls:
        assert_close(ours(images.copy(), training=training), theirs(images.copy(), training=training))


@pytest.mark.parametrize("single", [False, True])
@seeded
def test_dicts_are_keras(cls, options, single, keras3):
    given = [data(IMAGES[1] if single else IMAGES) for _ in range(2)]
    if cls == "RandomGrayscale":
        given[1] = given[1]["images"]  # Keras 3.15 takes no dict there
    ours, theirs = (
        layer(x, training=True) for layer, x in zip(pair(keras3, cls, seed=3, **options), given, strict=True)
    )
    if cls == "RandomGrayscale":
        theirs = {**data(IMAGES[1] if single else IMAGES), "images": theirs}
    for key in ("images", "labels"):
        assert_close(ours[key], theirs[key])
    if cls not in ("MixUp", "CutMix"):  # below
        assert_close(ours["segmentation_masks"], theirs["segmentation_masks"])


@pytest.mark.parametrize(("cls", "options"), STILL)
def test_layers_without_draws_leave_the_rest_of_a_dict(cls, options):
    layer = getattr(kshim.layers, cls)(bounding_box_format="xyxy", **options)
    given = data(bounding_boxes=boxes())
    outputs = layer(given, training=True)
    assert_close(outputs["images"], layer(IMAGES, training=True))
    assert_close(outputs["labels"], given["labels"])
    assert_close(outputs["segmentation_masks"], given["segmentation_masks"])
    assert_close(outputs["bounding_boxes"]["boxes"], BOXES)
    assert given["images"] is not outputs["images"], "the caller's dict stays as it is"


@pytest.mark.parametrize(("cls", "options"), [*SEEDED, *STILL])
def test_channels_first_is_the_same(cls, options):
    """Also where Keras 3.15 takes the wrong axes (AutoContrast) or fails (RandomColorJitter)."""
    if "factor" in str(options) or cls not in dict(STILL):
        options = {**options, "seed": 4}
    last, first = (
        getattr(kshim.layers, cls)(**options, data_format=f"channels_{which}") for which in ("last", "first")
    )
    if cls == "RandomErasing":
        last, first = (kshim.layers.RandomErasing(fill_value=(1, 2, 3), seed=4, data_format=layer.data_format)
                       for layer in (last, first))  # fmt: skip
    outputs = first(IMAGES.transpose(0, 3, 1, 2), training=True)
    assert_close(outputs.permute(0, 2, 3, 1), last(IMAGES, training=True))


def test_auto_contrast_leaves_one_colour():
    x = torch.full((2, 3, 3, 1), 7.0, requires_grad=True)
    outputs = kshim.layers.AutoContrast()(x)
    assert torch.equal(outputs, x)
    outputs.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_brightness_of_bytes_saturates():
    """Keras 3.15 adds bytes to bytes: 250 + 100 is 94."""
    images = torch.tensor([0, 100, 250], dtype=torch.uint8).reshape(1, 1, 3, 1)
    brighter, darker = (kshim.layers.RandomBrightness((f, f), seed=1)(images, training=True) for f in (0.4, -0.4))
    assert brighter.flatten().tolist() == [102, 202, 255] and darker.flatten().tolist() == [0, 0, 148]
    assert brighter.dtype == torch.uint8


def test_nothing_is_written_into_the_inputs():
    images = torch.tensor(IMAGES)
    for cls, options in SEEDED:
        getattr(kshim.layers, cls)(**options)(images, training=True)
    assert_close(images, IMAGES, 0)


def test_grayscale_config_is_keras_and_the_seed(keras3):
    ours, theirs = pair(keras3, "RandomGrayscale", factor=0.3, seed=2, name="it")
    assert ours.get_config() == {**theirs.get_config(), "seed": 2}


def test_mix_up_mixes_masks_and_boxes_as_images():
    """Keras 3.15 takes the masks by pixel, not by image, and puts the boxes' labels on the batch axis."""
    layer = kshim.layers.MixUp(2.0, seed=1, bounding_box_format="xyxy")
    outputs = layer(data(segmentation_masks=IMAGES, bounding_boxes=boxes()), training=True)
    assert_close(outputs["segmentation_masks"], outputs["images"])
    drawn = kshim.layers.MixUp(2.0, seed=1).get_random_transformation(torch.tensor(IMAGES))
    order = drawn["permutation_order"].numpy()
    assert_close(outputs["bounding_boxes"]["boxes"], np.concatenate([BOXES, BOXES[order]], 1))
    labels = boxes()["labels"]
    assert_close(outputs["bounding_boxes"]["labels"], np.concatenate([labels, labels[order]], 1))


def test_labels_of_one_axis_stay_so():
    """Keras 3.15 makes a matrix of them."""
    for layer in (kshim.layers.MixUp(seed=1), kshim.layers.CutMix(seed=1)):
        outputs = layer({"images": IMAGES, "labels": np.ones(4, "float32")}, training=True)
        assert_close(outputs["labels"], np.ones(4, "float32"))


def test_cut_mix_cuts_masks_as_images():
    """Keras 3.15 gives masks of one channel as many as the images have."""
    outputs = kshim.layers.CutMix(seed=1)(data(segmentation_masks=IMAGES[..., :1]), training=True)
    assert_close(outputs["segmentation_masks"], outputs["images"][..., :1])


@pytest.mark.parametrize("options", [{}, {"num_ops": 4, "factor": 0.3}, {"num_ops": 1}])
def test_rand_augment_goes_on_as_keras(options, keras3):
    ours, theirs = (rand_augment(seed=7, **options)(k) for k in (kshim, keras3))
    for training in (True, True, False, True):
        for images in (IMAGES, IMAGES[0]):
            assert_close(ours(images.copy(), training=training), theirs(images.copy(), training=training))


def test_rand_augment_treats_masks_and_boxes_as_images():
    """Op by op; Keras 3.15 takes the boxes through the ops in the order of its list, each of them once."""
    layer = kshim.layers.RandAugment(num_ops=5, seed=3, bounding_box_format="xyxy")
    again = kshim.layers.RandAugment(num_ops=5, seed=3, bounding_box_format="xyxy")
    outputs = layer(data(bounding_boxes=boxes()), training=True)
    expected = {key: torch.tensor(value) for key, value in boxes().items()}
    masks = torch.tensor(data()["segmentation_masks"], dtype=torch.float32)
    drawn = again.get_random_transformation(torch.tensor(IMAGES))
    assert len(drawn) == 5
    for step, transformation in drawn:
        expected = step.transform_bounding_boxes(expected, transformation)
        masks = step.transform_segmentation_masks(masks, transformation)
    assert_close(outputs["bounding_boxes"]["boxes"], expected["boxes"])
    assert_close(outputs["segmentation_masks"], masks)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("options", [{}, {"all_ops": False, "num_chains": 2}, {"alpha": 3.0, "chain_depth": 1}])
def test_aug_mix_is_keras(options, number, keras3):
    """With Python's generator at the same place."""
    found = []
    for layer in pair(keras3, "AugMix", seed=number, **options):
        random.seed(number)
        found.append([layer(IMAGES.copy(), training=True) for _ in range(2)])
    for ours, theirs in zip(*found, strict=True):
        assert_close(ours, theirs)


def test_aug_mix_leaves_labels_and_boxes(keras3):
    given = data(bounding_boxes=boxes())
    outputs = kshim.layers.AugMix(seed=1, bounding_box_format="xyxy")(given, training=True)
    assert_close(outputs["labels"], given["labels"])
    assert_close(outputs["bounding_boxes"]["boxes"], BOXES)
    assert outputs["segmentation_masks"].shape == given["segmentation_masks"].shape


def test_unseeded_layers_follow_torch():
    for cls, options in SEEDED:
        layer = getattr(kshim.layers, cls)(**options)
        runs = []
        for number in (0, 0, 1):
            torch.manual_seed(number)
            runs.append(torch.cat([layer(torch.tensor(IMAGES), training=True).flatten() for _ in range(4)]))
        assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2]), cls


def test_as_the_first_layers_of_a_model():
    """They act in fit alone, and train nothing."""
    model = kshim.Sequential([
        kshim.Input((5, 6, 3)), kshim.layers.RandomBrightness(0.2, seed=1), kshim.layers.RandAugment(seed=1),
        kshim.layers.Flatten(), kshim.layers.Dense(1),
    ])  # fmt: skip
    model.compile("sgd", "mse")
    model.fit(IMAGES / 255, np.ones((4, 1)), epochs=2, batch_size=2, verbose=0)
    assert_close(model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), 0)
    assert len(model.trainable_weights) == 2

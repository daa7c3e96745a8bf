"""Bounding boxes: their formats, and what happens to them when an image is cropped, padded or turned.

A box is four numbers on the last axis of a tensor. Images' boxes are a dict ``{"boxes": (..., n, 4),
"labels": (..., n)}``; a label of -1 marks a box that is none.

Source: Keras 3 ``layers/preprocessing/image_preprocessing/bounding_boxes``.
"""

import math

import torch

from kshim.core import checks, dtypes
from kshim.core.arrays import to_tensor
from kshim.graph.op import op

# Pixels, or with "rel_" fractions of the image: corners (x1, y1, x2, y2), a corner and the size, or the centre and it.
FORMATS = ("xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh",
           "rel_center_xywh")  # fmt: skip

_SWAPPED = ("yxyx", "center_yxhw")  # y before x


def convert_format(boxes, source, target, height=None, width=None, dtype="float32"):
    """Boxes of the format ``source`` in the format ``target``.

    Args:
        boxes: ``(..., 4)``, or a dict with such ``boxes``.
        source, target: one of ``FORMATS``, in upper or lower case.
        height, width: the image's, in pixels; needed between relative and absolute formats.
        dtype: of the result.

    Raises: ValueError for another format or last axis, or if the image's size is needed and not given.
    """
    if isinstance(boxes, dict):
        return {**boxes, "boxes": convert_format(boxes["boxes"], source, target, height, width, dtype)}
    return _convert(boxes, source.lower(), target.lower(), height, width, dtype)


@op
def _convert(boxes, source, target, height=None, width=None, dtype="float32"):
    boxes = to_tensor(boxes)
    if boxes.shape[-1] != 4:
        raise ValueError(f"convert_format: expected boxes with a last axis of 4. Received: shape {tuple(boxes.shape)}.")
    for name, value in (("source", source), ("target", target)):
        if value not in FORMATS:
            raise ValueError(
                f"convert_format: expected `{name}` to be one of {FORMATS}. Received: {name}={value!r}."
                + checks.nearest(value, FORMATS)
            )
    was_relative, is_relative = source.startswith("rel_"), target.startswith("rel_")
    if (was_relative or is_relative) and (height is None or width is None):
        raise ValueError(
            "convert_format: expected the image's `height` and `width`, which relative formats need. "
            f"Received: source={source!r}, target={target!r}, height={height}, width={width}."
        )
    boxes = boxes.to(dtypes.to_torch(dtype))
    if source == target:
        return boxes
    boxes = _to_corners(boxes, source.removeprefix("rel_"))
    if was_relative and not is_relative:
        boxes = torch.cat([x * size for x, size in zip(boxes.split(1, -1), (width, height) * 2, strict=True)], -1)
    target = target.removeprefix("rel_")
    boxes = _from_corners(boxes, target)
    if is_relative and not was_relative:
        sizes = (height, width) * 2 if target in _SWAPPED else (width, height) * 2
        boxes = torch.cat([x / size for x, size in zip(boxes.split(1, -1), sizes, strict=True)], -1)
    return boxes


def _to_corners(boxes, source):
    x, y, w, h = boxes.split(1, -1)
    if source in _SWAPPED:
        x, y, w, h = y, x, h, w
    if source.startswith("center"):
        half_w, half_h = w / 2, h / 2
        return torch.cat([x - half_w, y - half_h, x + half_w, y + half_h], -1)
    if source == "xywh":
        return torch.cat([x, y, x + w, y + h], -1)
    return torch.cat([x, y, w, h], -1)


def _from_corners(boxes, target):
    x1, y1, x2, y2 = boxes.split(1, -1)
    if target.startswith("center"):
        w, h = x2 - x1, y2 - y1
        x1, y1, x2, y2 = x1 + w / 2, y1 + h / 2, w, h
    elif target == "xywh":
        x2, y2 = x2 - x1, y2 - y1
    return torch.cat([y1, x1, y2, x2] if target in _SWAPPED else [x1, y1, x2, y2], -1)


def clip_to_image_size(bounding_boxes, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes cut off at the image's border; the label of one that has no area left becomes -1.

    Args:
        bounding_boxes: dict of ``boxes`` and, if wanted, ``labels``.
        height, width: the image's, in pixels; not needed for ``rel_xyxy``.
        bounding_box_format: ``xyxy`` or ``rel_xyxy``.

    Raises:
        NotImplementedError: another format. Convert the boxes first.
        ValueError: ``xyxy`` without ``height`` and ``width``.
    """
    if bounding_box_format not in ("xyxy", "rel_xyxy"):
        raise NotImplementedError(
            "clip_to_image_size: expected boxes as xyxy or rel_xyxy. "
            f"Received: bounding_box_format={bounding_box_format!r}. Call convert_format() first."
        )
    if bounding_box_format == "rel_xyxy":
        height = width = 1
    elif height is None or width is None:
        raise ValueError(
            "clip_to_image_size: expected `height` and `width`, which xyxy needs. "
            f"Received: height={height}, width={width}."
        )
    boxes = crop(bounding_boxes["boxes"], 0, 0, height, width)
    clipped = {**bounding_boxes, "boxes": boxes}
    if bounding_boxes.get("labels") is not None:
        clipped["labels"] = _labels_of_areas(boxes, bounding_boxes["labels"])
    return clipped


@op
def _labels_of_areas(boxes, labels):
    area = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    return torch.where(area > 0, to_tensor(labels), -1)


def crop(boxes, top, left, height, width, bounding_box_format="xyxy"):
    """Boxes seen from inside a window of the image, cut off at its border.

    Args:
        boxes: ``(..., 4)``.
        top, left: the window's first row and column.
        height, width: its size.
        bounding_box_format: ``xyxy``.

    Raises: NotImplementedError for another format.
    """
    _only_corners("crop", bounding_box_format)
    return _crop(boxes, top, left, height, width)


@op
def _crop(boxes, top, left, height, width):
    x1, y1, x2, y2 = to_tensor(boxes).split(1, -1)
    corners = ((x1, left, width), (y1, top, height), (x2, left, width), (y2, top, height))
    return torch.cat([(at - start).clamp(min=0).clamp(max=size) for at, start, size in corners], -1)


def pad(boxes, top, left, height=None, width=None, bounding_box_format="xyxy"):
    """Boxes of an image that got ``top`` more rows above and ``left`` more columns at the left.

    Args:
        boxes: ``(..., 4)``.
        top, left: how many.
        height, width: the image's; taken for Keras' signature, the boxes do not depend on them.
        bounding_box_format: ``xyxy``.

    Raises: NotImplementedError for another format.
    """
    _only_corners("pad", bounding_box_format)
    return _shift(boxes, left, top)


@op
def _shift(boxes, right, down):
    x1, y1, x2, y2 = to_tensor(boxes).split(1, -1)
    return torch.cat([x1 + right, y1 + down, x2 + right, y2 + down], -1)


def affine_transform(boxes, angle, translate_x, translate_y, scale, shear_x, shear_y, height, width, center_x=None,
                     center_y=None, bounding_box_format="xyxy"):  # fmt: skip
    """The boxes around the boxes of turned, moved, scaled and sheared images.

    Args:
        boxes: ``(batch, n, 4)``.
        angle, shear_x, shear_y: in degrees, ``(batch,)``.
        translate_x, translate_y: as fractions of the image, ``(batch,)``.
        scale: ``(batch,)``.
        height, width: the images', in pixels.
        center_x, center_y: the fixed point, as a fraction of the image; None means 0.5.
        bounding_box_format: ``xyxy``.

    Raises: NotImplementedError for another format.
    """
    _only_corners("affine_transform", bounding_box_format)
    center = tuple(0.5 if value is None else value for value in (center_x, center_y))
    return _affine(boxes, angle, (translate_x, translate_y), scale, (shear_x, shear_y), (height, width), center)


@op
def _affine(boxes, angle, translate, scale, shear, size, center):
    angle = to_tensor(angle)
    boxes = to_tensor(boxes).to(angle.dtype)
    height, width = size
    cx, cy = center[0] * (width - 1), center[1] * (height - 1)
    turn, shear_x, shear_y = (-to_tensor(value) * (math.pi / 180) for value in (angle, *shear))
    from_x = cx - to_tensor(translate[0]) * (width - 1)
    from_y = cy - to_tensor(translate[1]) * (height - 1)
    a = torch.cos(turn - shear_y) / torch.cos(shear_y)
    b = a * torch.tan(shear_x) + torch.sin(turn)
    c = -torch.sin(turn - shear_y) / torch.cos(shear_y)
    d = torch.cos(turn) - c * torch.tan(shear_x)
    a0, a1, b0, b1 = (to_tensor(scale) * value for value in (d, -b, -c, a))
    a2, b2 = cx - a0 * from_x - a1 * from_y, cy - b0 * from_x - b1 * from_y
    a0, a1, a2, b0, b1, b2 = (value[:, None, None] for value in (a0, a1, a2, b0, b1, b2))
    x, y = boxes[..., [0, 2, 2, 0]], boxes[..., [1, 1, 3, 3]]
    new_x, new_y = a0 * x + a1 * y + a2, b0 * x + b1 * y + b2
    return torch.stack([new_x.amin(-1), new_y.amin(-1), new_x.amax(-1), new_y.amax(-1)], -1)


def _only_corners(name, bounding_box_format):
    if bounding_box_format != "xyxy":
        raise NotImplementedError(
            f"{name}: expected boxes as xyxy. Received: bounding_box_format={bounding_box_format!r}. "
            "Call convert_format() first."
        )


def dense(owner, bounding_boxes, device):
    """A layer's ``bounding_boxes`` with tensors in it, ``boxes`` in float32.

    Lists may be of different lengths: they are filled up with boxes of zeros and labels of -1.

    Raises: ValueError for something that is no dict of ``boxes`` and ``labels`` of fitting ranks.
    """
    if not isinstance(bounding_boxes, dict) or not {"boxes", "labels"} <= bounding_boxes.keys():
        checks.fail(owner, "`bounding_boxes` to be a dict with 'boxes' and 'labels'", repr(bounding_boxes))
    boxes, labels = bounding_boxes["boxes"], bounding_boxes["labels"]
    if isinstance(boxes, (list, tuple)):
        if not isinstance(labels, (list, tuple)) or len(labels) != len(boxes):
            checks.fail(owner, "as many 'labels' as 'boxes', a list too", f"boxes={boxes}, labels={labels}")
        if boxes and isinstance(boxes[0], (list, tuple)) and boxes[0] and isinstance(boxes[0][0], (list, tuple)):
            most = max(map(len, boxes))
            boxes = [[*own, *[[0.0] * 4] * (most - len(own))] for own in boxes]
            labels = [[*own, *[-1] * (most - len(own))] for own in labels]
        boxes, labels = torch.tensor(boxes, dtype=torch.float32), torch.tensor(labels)
    ranks = boxes.dim(), labels.dim()
    if ranks not in ((2, 1), (2, 2), (3, 2), (3, 3)):
        checks.fail(
            owner, "'boxes' of rank 2 or 3 and 'labels' of one rank less, or the same",
            f"shapes {tuple(boxes.shape)} and {tuple(labels.shape)}",
        )  # fmt: skip
    return {**bounding_boxes, "boxes": boxes.to(device, torch.float32), "labels": labels.to(device)}

"""How an application is made: its function, its input, its head, its weights. The families hold their blocks."""

import functools
import inspect
import os
from types import SimpleNamespace

from kshim import activations, layers
from kshim.applications import imagenet_utils, weights
from kshim.core import settings
from kshim.graph.keras_tensor import is_symbolic
from kshim.models import Functional

STANDARD = {
    "include_top": True, "weights": "imagenet", "input_tensor": None, "input_shape": None, "pooling": None,
    "classes": 1000, "classifier_activation": "softmax", "name": None,
}  # fmt: skip

ARGUMENTS = {
    "include_top": "whether the classifier is part of the model.",
    "include_preprocessing": "whether the model scales its input, pictures of 0 to 255, itself.",
    "weights": '``"imagenet"``, downloaded on first use; None for random ones; or the path of a file of weights.',
    "input_tensor": "symbolic tensor of pictures, in place of a new input.",
    "input_shape": "shape of a picture, without the batch; with the classifier the default is ({0}, {0}, 3).",
    "pooling": '``"avg"`` or ``"max"`` over height and width, without the classifier; None gives the feature maps.',
    "classes": "number of classes, an int above 0.",
    "classifier_activation": "activation of the classifier; None gives logits.",
    "name": "of the model.",
    "alpha": "width: what the numbers of filters are multiplied by, above 0.",
    "depth_multiplier": "outputs for each channel of the depthwise convolutions, an int above 0.",
    "dropout": "rate before the classifier, a probability in [0, 1).",
    "dropout_rate": "rate before the classifier, a probability in [0, 1).",
    "minimalistic": "whether there are only 3x3 kernels, ``relu``, and no squeeze and excitation.",
}
_DOC = """{title}, {size}x{size} pixels by default.

Args:
{arguments}

Returns:
    a ``Functional`` model.

Raises:
    ValueError: an argument that does not fit the others or the weights; a picture that is too small.
    OSError: the weights could not be downloaded.

Source: {source}; Keras 3 ``applications/{module}.py``.
"""


def application(build, title, source, size, *row, **defaults):
    """The function that makes a model.

    Args:
        build: takes the arguments as a namespace, ``size`` and ``row``.
        title: the function's name.
        source: the paper.
        size: height and width by default.
        row: what makes this variant.
        defaults: the signature, in order.
    """
    signature = inspect.Signature(
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=d) for n, d in defaults.items()]
    )

    @functools.wraps(build, assigned=("__module__",), updated=())
    def make(*args, **kwargs):
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{title}() {error}") from None
        bound.apply_defaults()
        return build(SimpleNamespace(**bound.arguments), size, *row)

    told = "\n".join(f"    {name}: {ARGUMENTS[name].format(size)}" for name in defaults)
    make.__name__ = make.__qualname__ = title
    make.__signature__ = signature  # type: ignore[attr-defined] # inspect reads it
    module = build.__module__.rpartition(".")[2]
    make.__doc__ = _DOC.format(title=title, size=size, arguments=told, source=source, module=module)
    del make.__wrapped__
    return make


def preprocessing(mode):
    """``preprocess_input`` of a family, in one of ``imagenet_utils.MODES``; None leaves pictures as they are."""

    def preprocess_input(x, data_format=None):
        return x if mode is None else imagenet_utils.preprocess_input(x, data_format=data_format, mode=mode)

    preprocess_input.__doc__ = (
        "Pictures as they are: the model scales them itself." if mode is None
        else f'``imagenet_utils.preprocess_input`` in the mode ``"{mode}"``.'
    )  # fmt: skip
    return preprocess_input


# -- layers, as the families write them ----------------------------------------------------------------------------


def channel_axis():
    """The channels' axis of a batch of pictures, 1 or 3."""
    return 1 if settings.image_data_format() == "channels_first" else 3


def conv(x, filters, size, name=None, **more):
    """A convolution; ``more`` are arguments of ``Conv2D``."""
    return layers.Conv2D(filters=filters, kernel_size=size, name=name, **more)(x)


def norm(x, name=None, **more):
    """Batch normalization of the channels."""
    return layers.BatchNormalization(name=name, **{"axis": channel_axis(), **more})(x)


def act(x, name=None, activation="relu"):
    """An activation."""
    return layers.Activation(activation=activation, name=name)(x)


def pad(x, padding, name=None):
    """Zeros around pictures."""
    return layers.ZeroPadding2D(padding=padding, name=name)(x)


def max_pool(x, size, strides, name=None, padding="valid"):
    """Maxima of windows."""
    return layers.MaxPooling2D(pool_size=size, strides=strides, padding=padding, name=name)(x)


def avg_pool(x, size, strides, name=None, padding="valid"):
    """Means of windows."""
    return layers.AveragePooling2D(pool_size=size, strides=strides, padding=padding, name=name)(x)


def concat(parts, name=None):
    """Feature maps side by side."""
    return layers.Concatenate(axis=channel_axis(), name=name)(parts)


def multiple_of(value, divisor=8, tolerance=0.9):
    """The multiple of ``divisor`` next to ``value``; one more where that is below ``tolerance`` times ``value``."""
    near = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return int(near + divisor if near < tolerance * value else near)


# -- the model -----------------------------------------------------------------------------------------------------


def dense_top(x, given, name="predictions", pool="avg_pool", **more):
    """Means over height and width, then a dense layer."""
    x = layers.GlobalAveragePooling2D(name=pool)(x)
    return layers.Dense(units=given.classes, activation=given.classifier_activation, name=name, **more)(x)


def pooled(x, pooling, names=(None, None)):
    """The model's output without a classifier."""
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name=names[0])(x)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name=names[1])(x)
    return x


def check(given, size, low=32, channels_last=False):
    """The input's shape, after the arguments were compared with each other.

    Args:
        given: the arguments.
        size, low: height and width by default, and at least.
        channels_last: whether the family has no other data format.
    """
    if channels_last and settings.image_data_format() == "channels_first":
        raise ValueError(
            f"{channels_last} does not support the `channels_first` image data format. "
            'Call `keras.config.set_image_data_format("channels_last")` first.'
        )
    check_weights(given)
    return imagenet_utils.obtain_input_shape(
        given.input_shape, size, low, settings.image_data_format(), given.include_top, given.weights
    )


def check_weights(given):
    """That ``weights`` is known, and fits the classifier."""
    if given.weights not in ("imagenet", None) and not os.path.exists(given.weights):
        raise ValueError(
            "The `weights` argument should be either `None` (random initialization), 'imagenet' (pre-training on "
            f"ImageNet), or the path to the weights file to be loaded. Received: weights={given.weights}"
        )
    if given.weights == "imagenet" and given.include_top and given.classes != 1000:
        raise ValueError(
            "If using `weights='imagenet'` with `include_top=True`, `classes` should be 1000. "
            f"Received classes={given.classes}"
        )
    softmax = (activations.get("softmax"), activations.get(None))
    if given.weights is not None and given.include_top and activations.get(given.classifier_activation) not in softmax:
        raise ValueError(
            "Only `None` and `softmax` activations are allowed for the `classifier_activation` argument when using "
            "pretrained weights, with `include_top=True`; "
            f"Received: classifier_activation={given.classifier_activation}"
        )


def pictures(given, shape):
    """The symbolic pictures that the model begins with."""
    tensor = given.input_tensor
    if tensor is None:
        return layers.Input(shape=shape)
    return tensor if is_symbolic(tensor) else layers.Input(tensor=tensor, shape=shape)


def sources(tensor):
    """The inputs that a symbolic tensor follows from: one, or a list."""
    found, seen, queue = {}, set(), [tensor]
    while queue:
        one = queue.pop()
        node = one.node
        if id(one) in seen:
            continue
        seen.add(id(one))
        if node is None or not node.inputs:
            found[id(one)] = one
        else:
            queue += reversed(node.inputs)
    tensors = list(found.values())
    return tensors[0] if len(tensors) == 1 else tensors


def assemble(given, x, outputs, family=None, variant=None):
    """The model between the pictures' sources and ``outputs``, with its weights.

    Args:
        given: the arguments; ``weights`` and ``name`` are read.
        x: the symbolic pictures.
        outputs: the symbolic result.
        family, variant: where ImageNet's weights are, in ``weights.SOURCES``.
    """
    model = Functional(sources(x), outputs, name=given.name)
    if given.weights == "imagenet":
        model.load_weights(weights.path(family, variant, given.include_top))
    elif given.weights is not None:
        model.load_weights(given.weights)
    return model

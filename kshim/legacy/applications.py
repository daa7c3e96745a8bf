"""Applications as older dialects built them: other layers, names and weights. Loaded with ``kshim.applications``.

``attach`` stands between the families and ``common.application``: what is built follows the dialect at each call.
"""

import functools
import importlib

from kshim import layers
from kshim.applications import common, imagenet_utils, weights
from kshim.core import settings
from kshim.legacy import translate

RELEASES = "https://github.com/fchollet/deep-learning-models/releases/download/"
weights.SOURCES |= {
    "inception_v3 of 1.2.2": weights.Source(RELEASES + "v0.2/", weights.KERNELS),
    "resnet50 of 2.3.1": weights.Source(RELEASES + "v0.2/", weights.KERNELS),
}
weights.HASHES |= {
    ("inception_v3 of 1.2.2", "inception_v3"): (
        "fe114b3ff2ea4bf891e9353d1bbfb32f", "2f3609166de1d967d1a481094754f691",
    ),
    ("resnet50 of 2.3.1", "resnet50"): ("a7b3fe01876f51b976af0dea6bc144eb", "a268eb855778b3df3c7506639542a6af"),
}  # fmt: skip


def _family(name):
    return importlib.import_module(f"kshim.applications.{name}")


# -- the layers that were other ones -------------------------------------------------------------------------------


def _residual(x, filters, strides, name, projected):
    """A block of the first ResNet50; the convolution beside it comes last."""
    inputs, more = x, _he()
    rows: tuple = (
        ("2a", filters, 1, {"strides": strides}),
        ("2b", filters, 3, {"padding": "same"}),
        ("2c", 4 * filters, 1, {}),
    )
    for part, count, size, own in rows:
        x = common.norm(common.conv(x, count, size, f"res{name}_branch{part}", **own, **more), f"bn{name}_branch{part}")
        x = x if part == "2c" else common.act(x)
    if projected:
        inputs = common.conv(inputs, 4 * filters, 1, f"res{name}_branch1", strides=strides, **more)
        inputs = common.norm(inputs, f"bn{name}_branch1")
    return common.act(layers.Add()([x, inputs]))


def _he():
    return {"kernel_initializer": "he_normal"} if settings.holds(since="2.2.4") else {}


def resnet50(given, size):
    """ResNet50 up to 2.3.1; up to 2.0.8 without padding before the pooling, and with windows of 7x7 at the end."""
    resnet, newer = _family("resnet"), settings.holds(since="2.2.4")
    images = common.pictures(given, common.check(given, size, 32 if newer else 197))
    x = common.pad(images, ((3, 3), (3, 3)), "conv1_pad" if newer else None)
    x = common.act(common.norm(common.conv(x, 64, 7, "conv1", strides=2, **_he()), "bn_conv1"))
    x = common.max_pool(common.pad(x, ((1, 1), (1, 1)), "pool1_pad") if newer else x, 3, 2)
    for stage, (filters, depth) in enumerate(zip(resnet.FILTERS, resnet.DEPTHS["50"], strict=True), 2):
        for i in range(depth):
            x = _residual(x, filters, 2 if i == 0 and stage > 2 else 1, f"{stage}{chr(97 + i)}", i == 0)
    if not newer:
        x = common.avg_pool(x, 7, 7, "avg_pool")
        if given.include_top:
            x = layers.Flatten()(x)
            x = layers.Dense(units=given.classes, activation="softmax", name="fc1000")(x)
    elif given.include_top:
        x = common.dense_top(x, given, "fc1000")
    x = x if given.include_top else common.pooled(x, given.pooling)
    return common.assemble(given, images, x, "resnet50 of 2.3.1", "resnet50")


def _relu_first(x, filters, size, **more):
    x = common.conv(x, filters, size, activation="relu", **{"padding": "same", **more})
    return common.norm(x)


def inception_v3(given, size):
    """Inception V3 of 1.2.2: convolutions with bias and ``relu``, then normalization; other branches."""
    images = common.pictures(given, common.check(given, size, 139))
    today = _family("inception_v3")
    mixed = [list(row) for row in today.MIXED]
    mixed[1][-1] = mixed[2][-1] = 32
    mixed[7][2] = ((160, (1, 1)), *mixed[7][2][1:])
    mixed[8][-1] = None
    x = today.body(images, _relu_first, mixed)
    if given.include_top:
        x = layers.Flatten(name="flatten")(common.avg_pool(x, 8, 8, "avg_pool"))
        x = layers.Dense(units=given.classes, activation="softmax", name="predictions")(x)
    return common.assemble(given, images, x, "inception_v3 of 1.2.2", "inception_v3")


def mobilenet_body(x, alpha, depth_multiplier):
    """MobileNet's body up to 2.3.1: zeros before the first convolution in a layer, up to 2.0.8 in none."""
    newer = settings.holds(since="2.2.4")
    if newer:
        x = common.pad(x, ((0, 1), (0, 1)), "conv1_pad")
    return _family("mobilenet").body(x, alpha, depth_multiplier, "valid" if newer else "same", newer)


def mobilenet_top(x, given):
    """MobileNet's classifier up to 2.3.1."""
    x = layers.GlobalAveragePooling2D()(x)
    shape = (1, 1, x.shape[-1]) if common.channel_axis() == 3 else (x.shape[-1], 1, 1)
    x = layers.Dropout(rate=given.dropout, name="dropout")(layers.Reshape(target_shape=shape, name="reshape_1")(x))
    x = common.conv(x, given.classes, 1, "conv_preds", padding="same")
    last = [
        lambda x: layers.Reshape(target_shape=(given.classes,), name="reshape_2")(x),
        lambda x: common.act(x, "act_softmax", given.classifier_activation),
    ]
    for layer in last if settings.holds(since="2.2.4") else reversed(last):
        x = layer(x)
    return x


def mobilenet_v2_body(x, alpha):
    """MobileNetV2's body up to 2.3.1, with zeros before the first convolution."""
    x = common.pad(x, imagenet_utils.correct_pad(x, 3), "Conv1_pad")
    return _family("mobilenet_v2").body(x, alpha, "valid")


def _scale(inputs, scale):
    return inputs[0] + inputs[1] * scale


def scaled(x, up, scale, name):
    """The sum in Inception-ResNet up to 2.3.1, a ``Lambda``."""
    return layers.Lambda(_scale, arguments={"scale": scale}, name=name)([x, up])


def _densenet_body(x, depths):
    return _family("densenet").body(x, depths, "conv1/{}")


def _nasnet(build, given, size, *row):
    if given.input_shape is None:
        given.input_shape = (size, size, 3)
    return build(given, size, *row)


def _probabilities(build):
    return functools.partial(build, top=functools.partial(common.dense_top, name="probs"))


# title -> (last dialect, today's build -> that one's), the oldest first
OLD = {
    "InceptionV3": [("1.2.2", lambda build: inception_v3), ("2.0.8", lambda build: _least(build, 139))],
    "ResNet50": [("2.3.1", lambda build: resnet50 if build.__module__.endswith("resnet50") else _probabilities(build))],
    "MobileNet": [("2.3.1", lambda build: functools.partial(build, body=mobilenet_body, top=mobilenet_top))],
    "MobileNetV2": [("2.3.1", lambda build: functools.partial(
        build, body=mobilenet_v2_body, top=functools.partial(common.dense_top, name="Logits", pool=None)))],
    "InceptionResNetV2": [("2.3.1", lambda build: functools.partial(build, add=scaled))],
    **{f"DenseNet{n}": [
        ("2.3.1", lambda build: functools.partial(
            build, body=_densenet_body, top=functools.partial(common.dense_top, name="fc1000"))),
        ("tf.keras", lambda build: functools.partial(build, body=_densenet_body)),
    ] for n in (121, 169, 201)},
    **{f"ResNet{name}": [("2.3.1", _probabilities)] for name in ("101", "152", "50V2", "101V2", "152V2")},
    **{f"NASNet{name}": [
        ("2.3.1", lambda build: functools.partial(_nasnet, build)), ("tf.keras", lambda build: build),
    ] for name in ("Mobile", "Large")},
    **{f"VGG{n}": [("2.0.8", lambda build: _least(build, 48))] for n in (16, 19)},
}  # fmt: skip


def _least(build, low):
    """``build`` with another least height and width."""

    @functools.wraps(build)
    def call(given, size, *row):
        shape = given.input_shape
        if shape is not None and not given.include_top:
            imagenet_utils.obtain_input_shape(shape, size, low, settings.image_data_format(), False)
        return build(given, size, *row)

    return call


def _signature(defaults, title, until):
    """The arguments up to a dialect: names of models were fixed up to 2.3.1, and there was no pooling in 1.2.2."""
    gone = {"pooling"} if _before(until, "1.2.2") else set()
    kept = {name: value for name, value in defaults.items() if name not in gone}
    return kept | ({"name": "NASNet"} if title.startswith("NASNet") else {})


def _before(version, other):
    """Whether ``version`` is ``other`` or older."""
    return settings.VERSIONS.index(version) <= settings.VERSIONS.index(other)


def application(make, build, title, source, size, *row, **defaults):
    """``common.application`` whose result follows the dialect."""
    today = make(build, title, source, size, *row, **defaults)
    olds = OLD.get(title, [])
    points = sorted({"1.2.2", *(until for until, _ in olds)}, key=settings.VERSIONS.index)
    made = []
    for until in points:
        old = next((change(build) for last, change in olds if _before(until, last)), build)
        functions = make(_named(old, build), title, source, size, *row, **_signature(defaults, title, until))
        made.append((until, functions))

    @functools.wraps(today)
    def call(*args, **kwargs):
        for until, function in made:
            if settings.holds(until=until):
                return function(*args, **kwargs)
        return today(*args, **kwargs)

    return call


def _named(old, build):
    """``old`` as a function that takes what 1.2.2 lacked, too."""

    def call(given, *row):
        given.pooling = getattr(given, "pooling", None)
        return old(given, *row)

    call.__module__ = build.__module__
    return call


def attach():
    """Put them between the families and ``common``."""
    common.application = functools.partial(application, common.application)
    today = imagenet_utils.preprocess_input
    imagenet_utils.preprocess_input = translate.function("applications.imagenet_utils.preprocess_input", today)
    make = common.preprocessing
    common.preprocessing = lambda mode: translate.function("applications.imagenet_utils.preprocess_input", make(mode))

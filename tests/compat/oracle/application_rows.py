"""Which applications are compared with which version, and how; the goldens' environments read this file, too."""

import hashlib
import json
import re

import numpy as np

ROWS = {
    "1.2.2": ["VGG16", "VGG19", "ResNet50", "InceptionV3", "Xception"],
    "2.0.8": ["VGG16", "VGG19", "ResNet50", "InceptionV3", "Xception", "MobileNet"],
    "2.3.1": [
        "VGG16", "ResNet50", "InceptionV3", "Xception", "MobileNet", "MobileNetV2", "DenseNet121",
        "InceptionResNetV2", "NASNetMobile", "ResNet50V2", "resnet.ResNet50", "ResNet101",
    ],
    "tf.keras": [
        "VGG16", "ResNet50", "ResNet50V2", "InceptionV3", "Xception", "MobileNet", "MobileNetV2",
        "DenseNet121", "InceptionResNetV2", "NASNetMobile", "EfficientNetB0", "EfficientNetV2B0",
        "EfficientNetV2S", "ConvNeXtTiny",
    ],
}  # fmt: skip
# version -> models that are run, and the size of a picture
FORWARD = {"1.2.2": {"ResNet50": 197}, "2.0.8": {"MobileNet": 32}, "2.3.1": {"ResNet50": 32, "MobileNet": 32},
           "tf.keras": {}}  # fmt: skip


def find(applications, name):
    """The function of that name; ``resnet.ResNet50`` is that of a module."""
    for part in name.split("."):
        applications = getattr(applications, part)
    return applications


def own_name(layer):
    """The layer's name, or "-" if it was given by number."""
    return "-" if re.sub(r"_\d+$", "", layer) in AUTOMATIC else layer


AUTOMATIC = (
    "activation", "add", "average_pooling2d", "averagepooling2d", "batch_normalization", "batchnormalization",
    "concatenate", "conv2d", "convolution2d", "cropping2d", "custom_scale_layer", "dropout", "flatten",
    "global_average_pooling2d", "globalaveragepooling2d", "input", "input_layer", "layer_normalization",
    "max_pooling2d", "maxpooling2d", "merge", "multiply", "normalization", "re_lu", "rescaling", "zero_padding2d",
    "zeropadding2d", "tf.__operators__.add", "tf.math.multiply",
)  # fmt: skip


def told(model):
    """What is compared: names, shapes of the weights in the order of the file, and how many numbers there are."""
    names = [own_name(layer.name) for layer in model.layers]
    shapes = [[[int(size) for size in w.shape] for w in layer.weights] for layer in model.layers]
    shapes = [one for one in shapes if one]
    own = sorted(name for name in names if name != "-")
    return {"name": model.name, "names": own, "shapes": shapes, "params": int(model.count_params())}


def digest(facts):
    """``told`` in short."""
    short = {key: hashlib.sha256(json.dumps(facts[key]).encode()).hexdigest()[:16] for key in ("names", "shapes")}
    return {**short, "name": facts["name"], "params": facts["params"], "layers": len(facts["names"])}


def forward(model, size):
    """Eight numbers of the output for fixed weights and pictures."""
    rng, values = np.random.RandomState(0), []
    for layer in model.layers:
        arrays = layer.get_weights()
        kind = type(layer).__name__
        for i, array in enumerate(arrays):
            if kind == "BatchNormalization":
                values.append(np.full(array.shape, [1.0, 0.1, 0.0, 1.0][i], "float32"))
            elif array.ndim == 1:
                values.append(np.full(array.shape, 0.01, "float32"))
            else:
                fan = np.prod(array.shape[:2]) if kind == "DepthwiseConv2D" else np.prod(array.shape[:-1])
                values.append((rng.uniform(-1, 1, array.shape) * np.sqrt(3.0 / fan)).astype("float32"))
    model.set_weights(values)
    x = rng.uniform(-1, 1, (1, size, size, 3)).astype("float32")
    out = np.asarray(model.predict(x)).reshape(-1)
    return [float(v) for v in out[:: max(1, len(out) // 8)][:8]]

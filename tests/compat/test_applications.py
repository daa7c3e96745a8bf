"""``applications`` beside the live Keras 3, and beside what 1.2.2, 2.0.8, 2.3.1 and tf.keras build."""

import contextlib
import hashlib
import http.server
import importlib
import json
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import kshim
from kshim import applications
from kshim.applications import imagenet_utils
from kshim.applications import weights as files

ORACLE = Path(__file__).parent / "oracle"
sys.path.insert(0, str(ORACLE))
import application_rows as rows  # noqa: E402  (found beside the goldens, whose environments have no kshim)

GOLDENS = {version: json.loads((ORACLE / f"applications-{version}.json").read_text()) for version in rows.ROWS}
MODELS = [name for name in applications.__all__ if name[0].isupper()]
RUN = [
    "VGG16", "ResNet50", "ResNet50V2", "DenseNet121", "Xception", "InceptionV3", "InceptionResNetV2", "MobileNet",
    "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny",
]  # fmt: skip
DEEP = ["ResNet101", "NASNetMobile"]  # of others, a change of their rows' numbers


@pytest.fixture(autouse=True)
def fresh():
    """Layers are numbered from the start, in Keras 3's dialect."""
    kshim.set_dialect("3")
    kshim.utils.clear_session()
    yield
    kshim.set_dialect("3")


@pytest.fixture
def nasnet_too(monkeypatch):
    """Keras refuses NASNetMobile on torch; with the refusal taken out it builds."""
    pytest.importorskip("keras")
    module = importlib.import_module("keras.src.applications.nasnet")
    monkeypatch.setattr(module.backend, "backend", lambda: "other")


def small(name, **more):
    size = {"I": 75, "X": 71}.get(name[0], 32)
    return {"weights": None, "include_top": False, "input_shape": (size, size, 3), **more}


def both(keras, title, /, **arguments):
    keras.backend.clear_session()
    kshim.utils.clear_session()
    return getattr(applications, title)(**arguments), getattr(keras.applications, title)(**arguments)


def weight(variable):
    """Its layer, name and shape; Keras numbers weights without a name, and leaves out some scopes around layers."""
    layer, name = variable.path.split("/")[-2:]
    return layer, re.sub(r"variable_\d+", "variable", name), tuple(variable.shape)


def assert_same_build(ours, theirs):
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [weight(w) for w in ours.weights] == [weight(w) for w in theirs.weights]
    assert ours.count_params() == theirs.count_params()
    assert ours.name == theirs.name


def assert_same_output(ours, theirs):
    ours.set_weights([np.asarray(array) for array in theirs.get_weights()])
    x = torch.tensor(np.random.uniform(0, 255, (2, *ours.input_shape[1:])).astype("float32"))
    with torch.no_grad():
        mine, other = ours(x), theirs(x, training=False)
    np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-4, atol=1e-4 * float(other.abs().max()))


@pytest.mark.parametrize("name", RUN)
def test_a_family_is_keras(name, keras3):
    ours, theirs = both(keras3, name, **small(name, pooling="avg"))
    assert_same_build(ours, theirs)
    assert_same_output(ours, theirs)


@pytest.mark.parametrize("name", DEEP)
def test_a_deep_variant_is_keras(name, keras3, nasnet_too):
    assert_same_build(*both(keras3, name, **small(name)))


TOPS = {
    "MobileNet": {"alpha": 0.25, "input_shape": (64, 64, 3), "classes": 7, "dropout": 0.5, "depth_multiplier": 2},
    "MobileNetV2": {"alpha": 0.35, "input_shape": (96, 96, 1), "classes": 7},
    "MobileNetV3Small": {"minimalistic": True, "input_shape": (32, 32, 3), "classes": 7, "alpha": 1.5},
    "MobileNetV3Large": {"include_preprocessing": False, "dropout_rate": 0, "classes": 5, "input_shape": (32, 32, 3)},
    "EfficientNetV2B0": {"include_preprocessing": False, "input_shape": (32, 48, 3), "classes": 3},
    "EfficientNetB0": {"input_shape": (32, 32, 3), "classes": 3, "classifier_activation": None},
    "ConvNeXtTiny": {"input_shape": (32, 32, 4), "classes": 3, "name": "own"},
    "ResNet50": {"input_shape": (32, 32, 3), "classes": 3, "classifier_activation": "sigmoid"},
}


@pytest.mark.parametrize("name", TOPS)
@pytest.mark.filterwarnings("ignore:This model usually expects 1 or 3 input channels")
def test_a_classifier_is_keras(name, keras3):
    ours, theirs = both(keras3, name, weights=None, **TOPS[name])
    assert_same_build(ours, theirs)
    assert_same_output(ours, theirs)
    assert ours.output_shape == (None, TOPS[name]["classes"])


@pytest.mark.parametrize("pooling", [None, "max"])
def test_pooling_is_keras(pooling, keras3):
    for name in ("MobileNetV3Small",):
        assert_same_build(*both(keras3, name, **small(name, pooling=pooling)))


def test_a_model_on_a_tensor_begins_at_its_source(keras3):
    for name in ("MobileNetV2", "VGG16"):
        models = []
        for keras, home in ((kshim, applications), (keras3, keras3.applications)):
            keras.backend.clear_session()
            source = keras.Input((64, 64, 3), name="pictures")
            scaled = keras.layers.Rescaling(1 / 255.0)(source)
            models.append(getattr(home, name)(input_tensor=scaled, weights=None, include_top=False))
        assert_same_build(*models)
        assert models[0].input_names == ["pictures"]


def test_channels_first_is_keras(keras3):
    for keras in (kshim, keras3):
        keras.config.set_image_data_format("channels_first")
    try:
        for name in ("ResNet50V2", "MobileNetV2", "InceptionResNetV2"):
            ours, theirs = both(keras3, name, weights=None, include_top=False)
            assert_same_build(ours, theirs)
            assert ours.input_shape == (None, 3, None, None)
            assert ours.output_shape[1] == theirs.output_shape[1]
        for name in ("DenseNet121", "ConvNeXtTiny", "NASNetMobile"):
            with pytest.raises(ValueError, match="does not support the `channels_first` image data format"):
                getattr(applications, name)(weights=None)
    finally:
        for keras in (kshim, keras3):
            keras.config.set_image_data_format("channels_last")


# -- older Kerases -------------------------------------------------------------------------------------------------

OLD = [(version, name) for version, names in rows.ROWS.items() for name in names]
SLOW = (
    "VGG16",
    "VGG19",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "ResNet101",
    "Xception",
    "ConvNeXtTiny",
)  # once is enough


@pytest.mark.parametrize(("version", "name"), [row for row in OLD if row[0] == "2.3.1" or row[1] not in SLOW])
def test_an_old_build_is_its_keras(version, name):
    kshim.set_dialect(version)
    model = rows.find(applications, name)(weights=None)
    assert rows.digest(rows.told(model)) == GOLDENS[version]["structure"][name]


@pytest.mark.parametrize(("version", "name"), [(v, name) for v, sizes in rows.FORWARD.items() for name in sizes])
def test_an_old_model_computes_as_its_keras(version, name):
    kshim.set_dialect(version)
    size = rows.FORWARD[version][name]
    model = rows.find(applications, name)(weights=None, include_top=False, input_shape=(size, size, 3))
    np.testing.assert_allclose(rows.forward(model, size), GOLDENS[version]["forward"][name], rtol=1e-4, atol=1e-5)


def test_old_arguments():
    kshim.set_dialect("1.2.2")
    model = applications.VGG16(False, None, None, (48, 48, 3), 10)  # the fifth was the number of classes
    assert model.output_shape == (None, 1, 1, 512)
    with pytest.raises(ValueError, match="Input size must be at least 48x48"):
        applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    x = np.ones((1, 3, 4, 4), "float32")
    assert imagenet_utils.preprocess_input(x, dim_ordering="th")[0, :, 0, 0] == pytest.approx(
        [1 - 103.939, 1 - 116.779, 1 - 123.68], rel=1e-5
    )


# -- the weights and the classes' names ----------------------------------------------------------------------------

SERVED: dict[str, bytes] = {}


class Handler(http.server.BaseHTTPRequestHandler):
    """Hands out ``SERVED``."""

    def do_GET(self):
        content = SERVED.get(self.path.rpartition("/")[2])
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args):
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/"
    made.shutdown()
    made.server_close()


@pytest.fixture
def cache(server, tmp_path, monkeypatch):
    """An empty cache; the weights' addresses are the server's."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        files, "SOURCES", {family: source._replace(folder=server) for family, source in files.SOURCES.items()}
    )
    monkeypatch.setattr(files, "CLASS_INDEX", server + "imagenet_class_index.json")
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    SERVED.clear()
    return tmp_path


def served_weights(model, folder, name):
    path = folder / "kept.h5"
    model.save_weights(path)
    SERVED[name] = path.read_bytes()
    return hashlib.md5(SERVED[name], usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("top", [True, False])
def test_weights_come_from_the_cache(cache, top):
    pytest.importorskip("h5py")
    arguments = {"alpha": 0.25, "input_shape": (128, 128, 3), "include_top": top}
    trained = applications.MobileNet(weights=None, **arguments)
    served_weights(trained, cache, f"mobilenet_2_5_128_tf{'' if top else '_no_top'}.h5")
    for _ in range(2):
        model = applications.MobileNet(**arguments)
        assert np.array_equal(model.get_weights()[0], trained.get_weights()[0])
        SERVED.clear()
    from_path = applications.MobileNet(weights=str(cache / "kept.h5"), **arguments)
    assert np.array_equal(from_path.get_weights()[-1], trained.get_weights()[-1])


def test_weights_must_have_their_hash(cache, monkeypatch):
    pytest.importorskip("h5py")
    name = "weights_mobilenet_v3_small_minimalistic_224_1.0_float_no_top_v2.h5"
    trained = applications.MobileNetV3Small(weights=None, include_top=False, minimalistic=True)
    digest = served_weights(trained, cache, name)
    with (
        pytest.warns(UserWarning, match=r"`rows` is not in \[224\]"),
        pytest.raises(ValueError, match="corrupted file"),
    ):
        applications.MobileNetV3Small(include_top=False, minimalistic=True)
    monkeypatch.setattr(files, "HASHES", {("mobilenet_v3", "small_minimalistic_224_1.0"): ("", digest)})
    with pytest.warns(UserWarning, match="Weights for input shape"):
        model = applications.MobileNetV3Small(include_top=False, minimalistic=True)
    assert np.array_equal(model.get_weights()[5], trained.get_weights()[5])


def test_every_variant_has_an_address_and_keras_hashes(keras3):
    known = {}
    for module, table in (("resnet", "resnet"), ("mobilenet_v3", "mobilenet_v3"), ("convnext", "convnext")):
        theirs = importlib.import_module(f"keras.src.applications.{module}").WEIGHTS_HASHES
        known |= {(table, key.removesuffix("_float")): value for key, value in theirs.items() if "next" not in key}
    assert all(files.HASHES[key] == value for key, value in known.items())
    assert {family for family, _ in files.HASHES} <= set(files.SOURCES)


def test_predictions_are_decoded(cache, monkeypatch):
    SERVED["imagenet_class_index.json"] = json.dumps({str(i): [f"n{i}", f"thing {i}"] for i in range(1000)}).encode()
    digest = hashlib.md5(SERVED["imagenet_class_index.json"], usedforsecurity=False).hexdigest()
    monkeypatch.setattr(files, "CLASS_INDEX_HASH", digest)
    preds = np.zeros((2, 1000), "float32")
    preds[0, [3, 8]], preds[1, 999] = (0.2, 0.7), 1
    for given in (preds, torch.tensor(preds)):
        found = applications.vgg16.decode_predictions(given, top=2)
        assert found[0] == [("n8", "thing 8", np.float32(0.7)), ("n3", "thing 3", np.float32(0.2))]
        assert found[1][0][0] == "n999"
    with pytest.raises(ValueError, match=r"Received array with shape: \(2, 10\)"):
        imagenet_utils.decode_predictions(preds[:, :10])


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "tensor", "symbolic"])
@pytest.mark.parametrize("rank", [3, 4])
def test_preprocess_input_is_keras(mode, data_format, kind, rank, keras3):
    shape = (3, 3, 3) if rank == 3 else (2, 3, 3, 3)
    made = (np.arange(np.prod(shape)) % 256).reshape(shape)
    results = []
    for keras, function in ((kshim, imagenet_utils), (keras3, keras3.applications.imagenet_utils)):
        x = made.astype("float32" if kind in ("tensor", "symbolic") else kind)
        if kind == "symbolic":
            inputs = keras.Input(batch_shape=shape)
            model = keras.Model(inputs, function.preprocess_input(inputs, data_format, mode))
            results.append((model(torch.tensor(x)).detach().numpy(), None))
            continue
        x = torch.tensor(x) if kind == "tensor" else x
        y = function.preprocess_input(x, data_format=data_format, mode=mode)
        results.append((np.asarray(y), np.asarray(x)))
    (ours, left), (theirs, left_by_keras) = results
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert ours.dtype == theirs.dtype
    if left is not None:
        np.testing.assert_allclose(left, left_by_keras, rtol=1e-5)


def test_each_module_has_its_scale(keras3):
    x = np.random.uniform(0, 255, (1, 4, 4, 3))
    for name in applications.MODELS:
        ours, theirs = (
            importlib.import_module(f"{root}.applications.{name}").preprocess_input(x.copy())
            for root in ("kshim", "keras")
            if importlib.util.find_spec("keras")
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


# -- what is refused -----------------------------------------------------------------------------------------------

REFUSED = {
    "weights": (lambda: applications.VGG16(weights="imagnet"), "should be either `None` .* Received: weights=imagnet"),
    "classes": (lambda: applications.ResNet50(classes=10), "`classes` should be 1000. Received classes=10"),
    "shape": (lambda: applications.VGG16(input_shape=(64, 64, 3)), r"`input_shape` should be \(224, 224, 3\)"),
    "channels": (lambda: applications.VGG16(False, input_shape=(64, 64, 1)), "The input must have 3 channels"),
    "small": (lambda: applications.InceptionV3(False, None, None, (74, 75, 3)), "must be at least 75x75"),
    "axes": (lambda: applications.VGG16(False, None, None, (64, 64)), "must be a tuple of three integers"),
    "open": (lambda: applications.VGG16(weights=None, input_shape=(None, 64, 3)), "specify a static `input_shape`"),
    "activation": (lambda: applications.Xception(classifier_activation="relu"), "Only `None` and `softmax`"),
    "alpha": (lambda: applications.MobileNet(alpha=0.3), "alpha can be one of .* Received alpha=0.3"),
    "alpha_v2": (lambda: applications.MobileNetV2(alpha=0.3), "alpha can be one of .* Received alpha=0.3"),
    "alpha_v3": (lambda: applications.MobileNetV3Small(alpha=0.3), "Received: alpha=0.3, minimalistic=False"),
    "multiplier": (lambda: applications.MobileNet(depth_multiplier=2), "depth multiplier must be 1"),
    "small_v3": (lambda: applications.MobileNetV3Small((31, 40, 3)), "at least 32x32"),
    "axes_v3": (lambda: applications.MobileNetV3Small((32, 32)), "must be a tuple of three integers"),
    "tensor": (lambda: applications.MobileNetV2(input_tensor=3), "input_tensor is not a Keras tensor"),
    "fit": (
        lambda: applications.MobileNetV2((32, 32, 3), input_tensor=kshim.Input((40, 40, 3)), weights=None),
        r"input_tensor.shape\[2\] must equal input_shape\[1\]",
    ),
    "nasnet": (lambda: applications.NASNetLarge((None, 64, 3), include_top=False), "must be static"),
    "mode": (lambda: imagenet_utils.preprocess_input(np.ones((2, 2, 3)), mode="tff"), "Received: mode=tff"),
    "format": (lambda: imagenet_utils.preprocess_input(np.ones((2, 2, 3)), "last"), "Received: data_format=last"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    make, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_calls_name_the_model():
    with pytest.raises(TypeError, match=r"VGG16\(\) got an unexpected keyword argument 'alpha'"):
        applications.VGG16(alpha=1)
    with pytest.raises(AttributeError, match=r"no keras.applications.Resnet50 yet. Did you mean 'resnet50'"):
        applications.Resnet50  # noqa: B018


def test_other_channels_are_told():
    with pytest.warns(UserWarning, match="passed an input_shape with 4 input channels"):
        applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 4))


def test_old_paths_are_found():
    kshim.install()
    try:
        keras_applications = importlib.import_module("keras_applications.vgg16")
        assert keras_applications.VGG16 is applications.VGG16
        tensorflow = importlib.import_module("tensorflow.keras.applications.mobilenet_v2")
        assert tensorflow.MobileNetV2 is applications.MobileNetV2
        with pytest.raises(ModuleNotFoundError, match=r"no keras.applications.music_tagger_crnn yet"):
            importlib.import_module("keras.applications.music_tagger_crnn")
    finally:
        kshim.uninstall()


def test_a_model_is_saved_and_trains(tmp_path):
    pytest.importorskip("h5py")
    for name in ("ConvNeXtTiny", "MobileNetV2"):
        model = getattr(applications, name)(**small(name, pooling="avg"))
        path = tmp_path / f"{name}.keras"
        model.save(path)
        again = kshim.models.load_model(path)
        x = np.random.uniform(0, 255, (1, 32, 32, 3)).astype("float32")
        np.testing.assert_allclose(model.predict(x, verbose=0), again.predict(x, verbose=0), rtol=1e-5)
    base = applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    base.trainable = False
    inputs = kshim.Input((32, 32, 3))
    outputs = kshim.layers.Dense(2)(kshim.layers.Flatten()(base(inputs, training=False)))
    model = kshim.Model(inputs, outputs)
    model.compile("adam", "mse")
    before = [array.copy() for array in base.get_weights()]
    model.fit(np.random.rand(4, 32, 32, 3), np.zeros((4, 2)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))


def test_all_names_are_there():
    assert [name for name in MODELS if not callable(getattr(applications, name))] == []
    for name in MODELS:
        with contextlib.suppress(KeyError):
            assert getattr(applications, name).__doc__.startswith(name)

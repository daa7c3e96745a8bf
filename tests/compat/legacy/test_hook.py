"""``install()``: every old path means kshim, real packages are put aside and come back."""

import importlib
import inspect
import pickle
import subprocess
import sys
import threading

import pytest

import kshim
from kshim.legacy import modules
from kshim.shim import hook


@pytest.fixture
def installed():
    before = {n: m for n, m in sys.modules.items() if n.split(".")[0] in modules.TOP_LEVEL}
    kshim.install()
    yield
    kshim.uninstall()
    assert {n: m for n, m in sys.modules.items() if n.split(".")[0] in modules.TOP_LEVEL} == before
    assert not any(isinstance(finder, hook.Finder) for finder in sys.meta_path)


def run(source):
    names = {}
    exec(compile(source, "<script>", "exec"), names)
    return names


DENSE = [
    "from keras.layers import Dense",
    "from keras.layers.core import Dense",
    "from keras.layers import *",
    "import keras; Dense = keras.layers.Dense",
    "import keras; Dense = keras.layers.core.Dense",
    "import keras.layers.core; Dense = keras.layers.core.Dense",
    "import keras.layers as L; Dense = L.Dense",
    "from keras import layers; Dense = layers.Dense",
    "from tensorflow import keras; Dense = keras.layers.Dense",
    "from tensorflow.keras.layers import Dense",
    "from tensorflow.python.keras.layers import Dense",
    "import tensorflow as tf; Dense = tf.keras.layers.Dense",
    "import tensorflow.keras as k; Dense = k.layers.Dense",
    "import tf_keras; Dense = tf_keras.layers.Dense",
    "import kshim as keras; Dense = keras.layers.Dense",
]


@pytest.mark.parametrize("source", DENSE)
def test_one_class_over_all_paths(source, installed):
    assert run(source)["Dense"] is kshim.layers.Dense


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from keras.models import Sequential as x", "models.Sequential"),
        ("from keras.engine.topology import Layer as x", "layers.Layer"),
        ("from keras.engine import Model as x", "models.Model"),
        ("from keras.engine.training import Model as x", "models.Model"),
        ("from keras.engine.base_layer import InputSpec as x", "layers.InputSpec"),
        ("from keras.layers.merge import Concatenate as x", "layers.Concatenate"),
        ("from keras.utils.np_utils import to_categorical as x", "utils.to_categorical"),
        ("from keras.utils import np_utils; x = np_utils.to_categorical", "utils.to_categorical"),
        ("import keras; x = keras.utils.np_utils.to_categorical", "utils.to_categorical"),
        ("from keras.utils.generic_utils import Progbar as x", "utils.Progbar"),
        ("import keras.backend as K; x = K.mean", "backend.mean"),
        ("from keras import backend as K; x = K.mean", "backend.mean"),
        ("from keras.backend.tensorflow_backend import mean as x", "backend.mean"),
        ("from keras.optimizers import SGD as x", "optimizers.SGD"),
        ("from keras.objectives import mean_squared_error as x", "losses.mean_squared_error"),
        ("from keras.losses import mse as x", "losses.mean_squared_error"),
        ("from keras.metrics import categorical_accuracy as x", "metrics.categorical_accuracy"),
        ("from keras.callbacks import EarlyStopping as x", "callbacks.EarlyStopping"),
        ("from keras.activations import relu as x", "activations.relu"),
        ("from keras.initializers import RandomUniform as x", "initializers.RandomUniform"),
        ("from keras.regularizers import l2 as x", "regularizers.L2"),
        ("from keras.regularizers import l1l2 as x", "regularizers.l1_l2"),
        ("from keras.constraints import maxnorm as x", "constraints.MaxNorm"),
        ("from keras.datasets import digits; x = digits.load_data", "datasets.digits.load_data"),
        ("from keras import Input as x", "layers.Input"),
        ("import keras; x = keras.Model", "models.Model"),
        ("from tensorflow.keras.optimizers.schedules import InverseTimeDecay as x",
         "optimizers.schedules.InverseTimeDecay"),
    ],
)  # fmt: skip
def test_paths(source, expected, installed):
    found = importlib.import_module(f"kshim.{expected.split('.')[0]}")
    if expected.startswith("datasets."):
        found = importlib.import_module("kshim.datasets.digits")
        expected = "digits.load_data"
    for name in expected.split(".")[1:]:
        found = getattr(found, name)
    assert run(source)["x"] is found


@pytest.mark.parametrize("path", modules.MODULES)
@pytest.mark.parametrize("root", ["keras", "tensorflow.keras", "tf_keras"])
def test_every_path_imports(path, root, installed):
    module = importlib.import_module(path.replace("keras", root, 1))
    assert module.__name__ == path.replace("keras", root, 1) and module.__path__ == []
    assert all(getattr(module, name) is not None for name in dir(module))


MISSING = [
    ("from keras.layers import Foo", ImportError, r"^kshim has no keras\.layers\.Foo yet\.$"),
    ("from keras.layers import Densee", ImportError, r"keras\.layers\.Densee yet\. Did you mean 'Dense'\?"),
    ("import keras; keras.layers.Foo", AttributeError, r"^kshim has no keras\.layers\.Foo yet\.$"),
    ("import keras; keras.layers.Densee", AttributeError, "Did you mean 'Dense'"),
    ("import kshim as keras; keras.layers.Densee", AttributeError, r"keras\.layers\.Densee yet\. Did you mean 'Dense'"),
    ("import kshim as keras; keras.foo", AttributeError, r"kshim has no keras\.foo yet"),
    ("import keras.foo", ModuleNotFoundError, r"^kshim has no keras\.foo yet\.$"),
    ("import keras.layers.foo", ModuleNotFoundError, r"kshim has no keras\.layers\.foo yet"),
    ("from keras.foo import x", ModuleNotFoundError, r"kshim has no keras\.foo yet"),
    ("import keras; keras.foo", AttributeError, r"kshim has no keras\.foo yet"),
    ("import keras.backend as K; K.meen", AttributeError, r"no keras\.backend\.meen yet\. Did you mean 'mean'"),
    ("from keras.backend import placeholders", ImportError, r"kshim has no keras\.backend\.placeholders yet"),
    ("from tensorflow.keras.layers import Foo", ImportError, r"kshim has no keras\.layers\.Foo yet"),
    ("import tensorflow as tf; tf.reduce_mean", AttributeError,
     r"kshim has no tf\.reduce_mean: .* tf\.keras only\. Write this part with torch"),
    ("from tensorflow import data", ImportError, r"kshim has no tf\.data"),
    ("import tensorflow.data", ModuleNotFoundError, r"kshim has no tf\.data"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "kind", "message"), MISSING, ids=[row[0] for row in MISSING])
def test_a_missing_name_says_so(source, kind, message, installed):
    with pytest.raises(kind, match=message):
        run(source)


def test_hasattr_and_dir(installed):
    import keras

    assert not hasattr(keras.layers, "Foo") and not hasattr(keras, "core") and not hasattr(keras, "shim")
    assert {"layers", "models", "Model", "utils", "backend"} <= set(dir(keras))
    assert {"Dense", "core"} <= set(dir(keras.layers)) and "base" not in dir(keras.layers)
    assert "load_weights" not in dir(keras.models) and not hasattr(keras.layers, "__wrapped__")


def test_importing_a_path_writes_nothing_into_kshim(installed):
    import keras.layers.core
    import keras.utils.np_utils  # noqa: F401

    assert kshim.layers.core.__name__ == "kshim.layers.core" and not hasattr(kshim.utils, "np_utils")


@pytest.mark.parametrize(
    ("dialect", "keras", "tensorflow"), [("2.2.4", "2.2.4", "1.13.1"), ("keras3", "3.15.1", "2.21.0")]
)
def test_versions_follow_the_dialect(dialect, keras, tensorflow, installed):
    kshim.install(dialect)
    names = run("import keras, tensorflow as tf")
    assert (names["keras"].__version__, names["tf"].__version__) == (keras, tensorflow)
    assert kshim.dialect() in (dialect, "3")
    with pytest.raises(ValueError, match="Unknown dialect"):
        kshim.install("9")


def test_tools_work_on_it(installed):
    import keras

    assert pickle.loads(pickle.dumps(keras.layers.Dense)) is kshim.layers.Dense
    assert inspect.getsource(keras.layers.Dense).startswith("class Dense")
    assert "Layers" in inspect.getsource(keras.layers)
    assert importlib.reload(keras.layers) is keras.layers and importlib.reload(keras).layers.Dense is kshim.layers.Dense
    assert importlib.util.find_spec("keras.layers.core").name == "keras.layers.core"


def test_threads_import_at_once(installed):
    found, barrier = [], threading.Barrier(8)

    def load():
        barrier.wait()
        found.append(
            run("from keras.layers.core import Dense; import keras.utils.np_utils, tensorflow.keras.models")["Dense"]
        )

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [kshim.layers.Dense] * 8


def test_real_keras_is_put_aside(keras3):
    real = sys.modules["keras"]
    kshim.install()
    kshim.install()  # twice is once
    try:
        import keras

        assert keras is not real and keras.layers.Dense is kshim.layers.Dense and hook.installed()
    finally:
        kshim.uninstall()
        kshim.uninstall()
    import keras

    assert keras is real and keras.layers.Dense is not kshim.layers.Dense and not hook.installed()


def test_real_keras_is_never_imported():
    code = (
        "import kshim; kshim.install(); import sys, keras, tensorflow, tf_keras; keras.layers.Dense\n"
        "real = [n for n, m in sys.modules.items() if n.split('.')[0] in ('keras', 'tensorflow', 'tf_keras')\n"
        "        and type(m).__module__ != 'kshim.shim.hook']\n"
        "assert not real, real"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

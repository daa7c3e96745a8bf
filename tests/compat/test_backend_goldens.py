"""K functions against what Keras 1.2.2 and 2.3.1 gave; and every public name of every generation's K is there."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import kshim.backend as K
from kshim.core import settings
from kshim.graph.keras_tensor import KerasTensor

ORACLE = Path(__file__).parent / "oracle"
_spec = importlib.util.spec_from_file_location("backend_rows", ORACLE / "backend_rows.py")
rows = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rows)
OF = {"1.2.2": {**rows.BOTH, **rows.KERAS_1}, "2.3.1": {**rows.BOTH, **rows.KERAS_2}}
GOLDENS = {version: dict(np.load(ORACLE / f"backend-{version}.npz")) for version in OF}
CASES = [(version, name) for version, own in OF.items() for name in own]
each = pytest.mark.parametrize(("version", "name"), CASES)

# Names of K from 0.3.3 to tf.keras; reference/api/summary.md.
NAMES = """
abs all any arange argmax argmin asymmetric_spatial_2d_padding asymmetric_temporal_padding atrous_conv2d backend
batch_dot batch_flatten batch_get_value batch_normalization batch_set_value bias_add binary_crossentropy
binary_focal_crossentropy cast cast_to_floatx categorical_crossentropy categorical_focal_crossentropy clear_session clip
concatenate constant control_dependencies conv1d conv2d conv2d_transpose conv3d conv3d_transpose cos count_params
ctc_batch_cost ctc_decode ctc_label_dense_to_sparse cumprod cumsum deconv2d depthwise_conv2d dot dropout dtype eager elu
epsilon equal eval exp expand_dims eye flatten floatx foldl foldr function Function gather get_session get_uid get_value
get_variable_shape gradients greater greater_equal hard_sigmoid has_arg identity image_data_format image_dim_ordering
in_test_phase in_top_k in_train_phase int_shape is_float_dtype is_int_dtype is_keras_tensor is_placeholder is_sparse
is_tensor is_variable l2_normalize learning_phase learning_phase_scope legacy_weight_ordering less less_equal lesser
lesser_equal local_conv1d local_conv2d log logsumexp manual_variable_initialization map_fn max maximum mean min minimum
moving_average_update name_scope ndim normalize_axis normalize_batch_in_training normalize_data_format not_equal one_hot
ones ones_like pack permute_dimensions placeholder pool2d pool3d pow print_tensor prod random_bernoulli random_binomial
random_normal random_normal_variable random_uniform random_uniform_variable relu repeat repeat_elements reset_uids
reshape resize_images resize_volumes reverse rnn round separable_conv1d separable_conv2d set_epsilon set_floatx
set_image_data_format set_image_dim_ordering set_learning_phase set_legacy_weight_ordering set_session set_value shape
sigmoid sign sin size slice softmax softplus softsign sparse_categorical_crossentropy spatial_2d_padding
spatial_3d_padding sqrt square squeeze stack standardize_dtype std stop_gradient sum switch symbolic tanh
temporal_padding tile to_dense transpose truncated_normal update update_add update_sub var variable zeros zeros_like
""".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def back():
    yield
    settings.set_dialect("3")


@each
def test_values(version, name):
    settings.set_dialect(version)
    function, args, kwargs = OF[version][name]
    result = K.eval(getattr(K, function)(*args, **kwargs))
    truth = GOLDENS[version][name]
    assert result.shape == truth.shape
    np.testing.assert_allclose(result, truth, rtol=2e-5, atol=2e-6)


@each
def test_symbolic(version, name):
    settings.set_dialect(version)
    function, args, kwargs = OF[version][name]
    batches = [a for a in args if isinstance(a, np.ndarray) and len(a) == len(args[0])]
    alone = len(batches) == 1 and not name.startswith(("conv2d_transpose", "local_2d", "slice"))
    first = KerasTensor((None, *args[0].shape[1:]) if alone else args[0].shape, args[0].dtype.name)
    known = [first if i == 0 else a for i, a in enumerate(args)]
    result = getattr(K, function)(*known, **kwargs)
    truth = GOLDENS[version][name]
    assert K.ndim(result) == truth.ndim
    f = K.function([first], [result])
    np.testing.assert_allclose(f([args[0]])[0], truth, rtol=2e-5, atol=2e-6)


def test_every_name_of_every_generation_is_there():
    assert [name for name in NAMES if not callable(getattr(K, name, None))] == []


def test_rnn_masks_and_constants():
    x = rows.STEPS
    mask = np.array([[1, 1, 1, 0, 0, 1, 0], [1] * 7])

    def step(now, states):
        state, constant = states
        return state + now * constant, [state + now * constant]

    last, outputs, states = K.rnn(step, x, [np.zeros((2, 3), "float32")], mask=mask, constants=[np.float32(2)])
    kept = np.cumsum(np.where(mask[..., None] > 0, 2 * x, 0), axis=1)
    np.testing.assert_allclose(outputs, kept, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, kept[:, -1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(states[0], kept[:, -1], rtol=1e-5, atol=1e-6)
    back = K.rnn(step, x, [np.zeros((2, 3), "float32")], go_backwards=True, constants=[np.float32(1)])[1]
    np.testing.assert_allclose(back, np.cumsum(x[:, ::-1], axis=1), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="Input should be at least 3D"):
        K.rnn(step, x[0], [x[0, 0]])
    with pytest.raises(ValueError, match="No initial states provided!"):
        K.rnn(step, x, [], mask=mask)


def test_ctc_decodes_the_best_path():
    p = np.full((1, 5, 3), 0.05, "float32")
    p[0, range(5), [0, 0, 2, 0, 1]] = 0.9
    (labels,), score = K.ctc_decode(p, [5])
    assert labels.tolist() == [[0, 0, 1]] and score.shape == (1, 1)
    paths, scores = K.ctc_decode(p, [5], greedy=False, beam_width=10, top_paths=2)
    assert paths[0].tolist() == [[0, 0, 1]] and scores[0, 0] > scores[0, 1]
    dense = K.to_dense(K.ctc_label_dense_to_sparse(np.array([[4, 5], [6, 7]]), [2, 1]))
    assert dense.tolist() == [[4, 5], [6, 0]]


def test_folds_maps_and_updates():
    x = rows.C
    np.testing.assert_allclose(K.foldl(lambda a, b: a * 2 + b, x), x[0] * 2 + x[1])
    np.testing.assert_allclose(K.foldr(lambda a, b: a * 2 + b, x), x[1] * 2 + x[0])
    np.testing.assert_allclose(K.map_fn(lambda row: row * 3, x), x * 3)
    v = K.variable([1.0, 2.0])
    K.update_sub(v, [1.0, 1.0])  # Keras 3 and tf.keras do it at once
    assert K.get_value(v).tolist() == [0, 1]


def test_refusals():
    with pytest.raises(ValueError, match="Can not do batch_dot on inputs with rank < 2"):
        K.batch_dot(rows.C[0], rows.C)
    with pytest.raises(ValueError, match=r"Can not perform batch_dot over axis 0"):
        K.batch_dot(rows.C, rows.C, axes=0)
    with pytest.raises(ValueError, match=r"K\.dot: expected the last axis .* Received: shapes \(2, 4\) and \(2, 4\)"):
        K.dot(rows.C, rows.C)
    with pytest.raises(ValueError, match=r"K\.conv2d: expected an input with 4 axes\. Received: shape \(2, 4\)"):
        K.conv2d(rows.C, rows.IMAGE)
    with pytest.raises(ValueError, match=r"K\.conv2d: expected a kernel for 3 channels"):
        K.conv2d(rows.IMAGE, rows.count(2, 2, 4, 1))
    with pytest.raises(ValueError, match=r"Invalid padding for K\.conv2d: expected 'valid' or 'same'\. Received: 'x'"):
        K.conv2d(rows.IMAGE, rows.count(2, 2, 3, 1), padding="x")
    with pytest.raises(ValueError, match=r"Invalid pooling mode of K\.pool2d"):
        K.pool2d(rows.IMAGE, (2, 2), pool_mode="sum")
    with pytest.raises(ValueError, match="Unknown data_format"):
        K.pool2d(rows.IMAGE, (2, 2), data_format="x")
    with pytest.raises(ValueError, match=r"K\.dropout: expected `level` in \[0, 1\)"):
        K.dropout(rows.C, 1.5)

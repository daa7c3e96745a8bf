"""``keras.tree`` and ``keras.config`` beside the live Keras 3."""

import collections
import contextlib

import pytest
import torch
from torch.nn.attention import SDPBackend

import kshim
from kshim import config, tree
from kshim.ops import attention

Point = collections.namedtuple("Point", "x y")
STRUCTURES = {
    "leaf": 3, "none": None, "list": [1, 2, [3]], "dict": {"b": 1, "a": (2, None)}, "tuple": (1, (2, {"k": [3]})),
    "named": Point(1, [2, 3]), "ordered": collections.OrderedDict(z=1, a=[2]), "empty": [], "holes": {"a": [], "b": ()},
    "default": collections.defaultdict(list, x=[1], y=2),
}  # fmt: skip
every = pytest.mark.parametrize("name", STRUCTURES)


@every
def test_structures_are_keras(keras3, name):
    structure, theirs = STRUCTURES[name], keras3.tree
    assert tree.flatten(structure) == theirs.flatten(structure)
    assert tree.is_nested(structure) == theirs.is_nested(structure)
    assert tree.flatten_with_path(structure) == theirs.flatten_with_path(structure)
    leaves = list(range(10, 10 + len(tree.flatten(structure))))
    for ours, other in (
        (tree.map_structure(str, structure), theirs.map_structure(str, structure)),
        (tree.pack_sequence_as(structure, leaves), theirs.pack_sequence_as(structure, leaves)),
        (tree.lists_to_tuples(structure), theirs.lists_to_tuples(structure)),
        (tree.map_structure(lambda a, b: (a, b), structure, structure),
         theirs.map_structure(lambda a, b: (a, b), structure, structure)),
        (tree.map_structure(str, structure, none_is_leaf=False),
         theirs.map_structure(str, structure, none_is_leaf=False)),
    ):  # fmt: skip
        assert ours == other
        assert type(ours) is type(other)


@pytest.mark.parametrize("top_down", [True, False])
def test_parts_are_replaced(keras3, top_down):
    def swap(module):
        def function(part):
            if part == 2:
                return module.MAP_TO_NONE
            return tuple(part) if isinstance(part, list) else None

        return function

    for structure in STRUCTURES.values():
        ours = tree.traverse(swap(tree), structure, top_down)
        assert ours == keras3.tree.traverse(swap(keras3.tree), structure, top_down=top_down)


def test_shapes_and_shallow_structures(keras3):
    shapes = {"a": (None, 3), "b": [(2, 2), [4, None]]}
    for module in (tree, keras3.tree):
        assert module.map_shape_structure(len, shapes) == {"a": 2, "b": [2, 2]}
        shallow = module.map_structure_up_to(
            {"a": 0, "b": 0}, lambda x, y: (x, y), {"a": [1, 2], "b": 3}, {"a": 4, "b": 5}
        )
        assert shallow == {"a": ([1, 2], 4), "b": (3, 5)}


PAIRS = [
    ([1, 2], [1, 2, 3]), ({"a": 1}, {"b": 1}), ([1], (1,)), ([1, [2]], [1, 2]), (Point(1, 2), (1, 2)), (1, [1]),
    ([1, 2], [3, 4]), ({"a": [1]}, {"a": [2]}), (None, 1),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=str)
def test_differences_are_keras(keras3, a, b):
    for name in ("assert_same_structure", "assert_same_paths"):
        outcomes = []
        for module in (tree, keras3.tree):
            try:
                getattr(module, name)(a, b)
                outcomes.append(None)
            except ValueError:
                outcomes.append(ValueError)
        assert outcomes[0] is outcomes[1], name


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: tree.map_structure(3, [1]), TypeError, "`func` must be callable"),
    (lambda: tree.map_structure(str), ValueError, "at least one structure"),
    (lambda: tree.map_structure(max, [1], [1, 2]), ValueError, "the same nested structure"),
    (lambda: tree.map_structure_up_to([1, 2], str, [1]), ValueError, "the same nested structure"),
    (lambda: tree.map_structure_up_to([1, 2], str), ValueError, "at least one structure"),
    (lambda: tree.pack_sequence_as([1, 2], [1]), ValueError, "a flat sequence of 2 items"),
    (lambda: tree.pack_sequence_as([1, 2], 3), TypeError, "flat_sequence must be a sequence"),
    (lambda: tree.traverse(3, [1]), TypeError, "`func` must be callable"),
    (lambda: tree.map_shape_structure(3, [1]), TypeError, "`func` must be callable"),
    (lambda: tree.assert_same_paths([1], [1, 2]), ValueError, r"Paths in `b` missing in `a`:\n.*\(1,\)"),
])  # fmt: skip
def test_bad_structures(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.fixture
def settings():
    """The process' settings, put back."""
    yield config
    config.set_floatx("float32")
    config.set_epsilon(1e-7)
    config.set_image_data_format("channels_last")
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)
    config.enable_interactive_logging()
    config.enable_traceback_filtering()
    kshim.core.settings._flags.update(flash_attention=None, unsafe_deserialization=False)


def test_settings_are_set(settings):
    assert (config.backend(), config.is_nnx_enabled()) == ("torch", False)
    config.set_backend("torch")
    with pytest.raises(ValueError, match=r"Expected the back end 'torch'. Received: backend='jax'"):
        config.set_backend("jax")
    config.set_floatx("float64")
    config.set_epsilon(1e-3)
    config.set_image_data_format("channels_first")
    assert (kshim.backend.floatx(), kshim.backend.epsilon()) == ("float64", 1e-3)
    assert kshim.backend.image_data_format() == "channels_first"
    config.disable_interactive_logging()
    assert not config.is_interactive_logging_enabled()
    assert config.is_traceback_filtering_enabled()
    config.disable_traceback_filtering()
    assert not config.is_traceback_filtering_enabled()
    for wrong in (-1, 2.5, True, "3"):
        with pytest.raises(ValueError, match="Expected `max_epochs` to be None or an int of at least 0"):
            config.set_max_epochs(wrong)


def test_attention_goes_by_the_settings(settings, monkeypatch):
    x = torch.randn(1, 4, 2, 8, dtype=torch.float64)
    assert config.is_flash_attention_enabled() is None
    expected = kshim.ops.dot_product_attention(x, x, x)
    config.disable_flash_attention()
    assert config.is_flash_attention_enabled() is False
    torch.testing.assert_close(kshim.ops.dot_product_attention(x, x, x), expected)
    config.enable_flash_attention()
    chosen = []
    monkeypatch.setattr(attention, "sdpa_kernel", lambda kernel: chosen.append(kernel) or contextlib.nullcontext())
    kshim.ops.dot_product_attention(x, x, x)
    assert chosen == [SDPBackend.FLASH_ATTENTION]


def test_a_run_is_cut_short(settings):
    model = kshim.Sequential([kshim.Input((2,)), kshim.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = torch.randn(20, 2), torch.randn(20, 1)
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    batches = []
    count = kshim.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    with pytest.warns(UserWarning, match="Limiting (epochs to 2|steps_per_epoch to 3)"):
        history = model.fit(x, y, batch_size=2, epochs=5, verbose=0, callbacks=[count])
    assert history.epoch == [0, 1]
    assert batches == [0, 1, 2, 0, 1, 2]
    with pytest.warns(UserWarning, match="Limiting steps to 3"):
        assert model.predict(x, batch_size=2, verbose=0).shape == (6, 1)
    config.set_max_steps_per_epoch(30)
    assert model.predict(x, batch_size=2, verbose=0).shape == (20, 1)


def test_tensors_of_a_block_lie_on_its_device():
    with kshim.device("CPU:0"):
        assert torch.ones(1).device.type == "cpu"
    with kshim.device("meta"):
        assert kshim.ops.ones((2,)).is_meta
    with pytest.raises(ValueError, match=r"Expected the name of a device, as 'gpu:0'. Received: device_name='tpu0x'"):
        kshim.device("tpu0x")


def test_inner_results_are_computed_once_more():
    calls = []

    def block(x):
        calls.append(1)
        return torch.tanh(x) * 2

    x = torch.randn(3, requires_grad=True)
    kshim.remat(block)(x).sum().backward()
    assert len(calls) == 2
    torch.testing.assert_close(x.grad, 2 * (1 - torch.tanh(x.detach()) ** 2))
    layer = kshim.layers.Dense(2)
    inputs = kshim.Input((3,))
    model = kshim.Model(inputs, kshim.remat(layer)(inputs))
    y = torch.randn(4, 3)
    torch.testing.assert_close(model(y), layer(y))
    with pytest.raises(TypeError, match="remat: expected `f` to be a callable"):
        kshim.remat(3)

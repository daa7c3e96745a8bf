"""Symbolic tensors: what torch does to them becomes a graph, with shapes, and the graph computes it."""

import gc
import math

import numpy as np
import pytest
import torch
from cases import array, assert_close, counting
from torch.nn import functional as F

import kshim
from kshim.core import tree
from kshim.graph.function import Function
from kshim.graph.keras_tensor import KerasTensor
from kshim.graph.op import op


def example(shape, dtype="float32"):
    return torch.tensor(counting(shape, 3, dtype)) + 0.7


def assert_graph(function, *shapes, batch=4):
    """``function`` on symbolic tensors, run as a graph, gives what it gives on tensors, and the shape told is right."""
    inputs = [kshim.Input(shape) for shape in shapes]
    outputs = function(*inputs)
    assert all(isinstance(leaf, KerasTensor) for leaf in tree.flatten(outputs))
    values = [example((batch, *shape)) for shape in shapes]
    expected = function(*values)
    graph = Function(inputs, outputs)
    for run in (graph.run, graph.run_whole):
        results = run(*values)
        for symbol, got, value in zip(tree.flatten(outputs), results, tree.flatten(expected), strict=True):
            assert_close(got, value, 0)
            assert len(symbol.shape) == value.dim()
            assert all(s in (None, size) for s, size in zip(symbol.shape, value.shape, strict=True))
            assert symbol.dtype == str(value.dtype).removeprefix("torch.")
    return outputs


# ---------- torch functions, operators, indexing, methods

ELEMENTWISE = {
    "relu": torch.relu,
    "softmax": lambda x: F.softmax(x, -1),
    "clamp": lambda x: torch.clamp(x, -0.5, 0.5),
    "mean": lambda x: torch.mean(x, -1),
    "sum_keepdim": lambda x: x.sum(1, keepdim=True),
    "max_values": lambda x: x.max(-1).values,
    "argmax": lambda x: x.argmax(-1),
    "concatenated": lambda x: torch.cat([x, x * 2], -1),
    "stacked": lambda x: torch.stack([x, -x], 1),
    "where": lambda x: torch.where(x > 0, x, 0 * x),
    "einsum": lambda x: torch.einsum("bij,bkj->bik", x, x),
    "transposed": lambda x: x.transpose(1, 2),
    "permuted": lambda x: x.permute(0, 2, 1),
    "movedim": lambda x: torch.movedim(x, 1, -1),
    "unsqueezed": lambda x: x.unsqueeze(1),
    "flattened": lambda x: x.flatten(1),
    "cast": lambda x: x.to(torch.float64),
    "double": lambda x: x.double(),
    "cumsum": lambda x: x.cumsum(1),
    "chunk": lambda x: torch.chunk(x, 3, -1)[1],
    "split": lambda x: torch.split(x, [2, 4], -1)[1],
    "topk": lambda x: x.topk(2).values,
    "norm": lambda x: torch.linalg.vector_norm(x, dim=-1),
    "layer_norm": lambda x: F.layer_norm(x, (6,)),
    "expanded": lambda x: x[:, :1].expand(-1, 5, -1),
}
OPERATORS = {
    "add": lambda x: x + 1,
    "radd": lambda x: 1 + x,
    "sub": lambda x: x - 2.5,
    "rsub": lambda x: 2.5 - x,
    "mul": lambda x: x * 2,
    "rmul": lambda x: 2 * x,
    "truediv": lambda x: x / 3,
    "rtruediv": lambda x: 3 / x,
    "floordiv": lambda x: x // 0.3,
    "mod": lambda x: x % 0.3,
    "pow": lambda x: abs(x) ** 2,
    "rpow": lambda x: 2**x,
    "neg": lambda x: -x,
    "abs": lambda x: abs(x),
    "matmul": lambda x: x @ x.transpose(1, 2),
    "tensor": lambda x: x * torch.arange(6.0),
    "from_tensor": lambda x: torch.arange(6.0) - x,
    "lt": lambda x: x < 0,
    "le": lambda x: x <= 0,
    "gt": lambda x: x > 0,
    "ge": lambda x: x >= 0,
    "eq": lambda x: x == 0,
    "ne": lambda x: x != 0,
    "and": lambda x: (x > 0) & (x < 1),
    "or": lambda x: (x > 1) | (x < 0),
    "xor": lambda x: (x > 0) ^ (x < 1),
    "invert": lambda x: ~(x > 0),
    "itself": lambda x: x * x + x,
}
INDICES = {
    "first": lambda x: x[:, 0],
    "last": lambda x: x[..., -1],
    "slice": lambda x: x[:, 1:],
    "step": lambda x: x[:, :, ::2],
    "several": lambda x: x[:, 1:, 2],
    "none": lambda x: x[:, None, :, 1:3],
    "list": lambda x: x[:, [2, 0]],
    "tensor": lambda x: x[:, torch.tensor([1, 1, 0])],
}


WHAT_TORCH_DOES = {
    **ELEMENTWISE,
    **{f"operator_{name}": function for name, function in OPERATORS.items()},
    **{f"index_{name}": function for name, function in INDICES.items()},
}


@pytest.mark.parametrize("function", WHAT_TORCH_DOES.values(), ids=WHAT_TORCH_DOES)
def test_what_torch_does(function):
    assert_graph(function, (3, 6))


@pytest.mark.parametrize("function", [torch.add, torch.matmul, torch.maximum, lambda a, b: a * b - b,
                                      lambda a, b: torch.cat([a, b], 1), lambda a, b: torch.bmm(a, b)])  # fmt: skip
def test_two_tensors(function):
    assert_graph(function, (3, 3), (3, 3))


def test_several_results_and_structures():
    assert_graph(lambda x: torch.split(x, 2, -1), (6,))
    assert_graph(lambda x: {"b": x + 1, "a": [x * 2, (x, x - 1)]}, (6,))
    assert_graph(lambda x: torch.max(x, -1), (6,))
    values, indices = torch.sort(kshim.Input((6,)), -1)
    assert (values.dtype, indices.dtype) == ("float32", "int64")


def test_sizes_that_are_not_known():
    """``x.shape[0]`` is None, and stands for the batch in ``view`` and ``reshape``."""
    for reshaped in (
        lambda x: x.view(x.shape[0], 18),
        lambda x: x.view(x.shape[0], -1),
        lambda x: x.reshape(x.shape[0], 6, 3),
        lambda x: x.reshape((x.shape[0], 6, 3)),
        lambda x: x.view(-1, 18),
        lambda x: x.view(x.size(0), 9, 2),
    ):
        assert assert_graph(reshaped, (3, 6)).shape[0] is None


def test_shapes_know_which_axes_are_not_known():
    x = kshim.Input((None, 4))
    assert x.shape == (None, None, 4) and x.ndim == x.dim() == 3 and x.size(2) == 4
    assert (x * 2).shape == (None, None, 4)
    assert x.sum(1).shape == (None, 4)
    assert x[:, 1:].shape == (None, None, 4)
    assert torch.cat([x, x], 1).shape == (None, None, 4)
    assert torch.cat([x, x], -1).shape == (None, None, 8)
    assert x.flatten(1).shape == (None, None)
    assert torch.cat([kshim.Input((2, 4)), kshim.Input((3, 4))], 1).shape == (None, 5, 4)
    assert kshim.Input(batch_shape=(7, 3)).sum(0).shape == (3,)


def test_dtypes_are_names_outside_and_torchs_inside():
    x = kshim.Input((3,), dtype="int32")
    assert x.dtype == "int32" and (x + 1).dtype == "int32" and (x / 2).dtype == "float32" and (x > 0).dtype == "bool"
    seen = []

    class Module(torch.nn.Module):
        def forward(self, x):
            seen.append((x.dtype, x.shape))
            return x * 2

    Module()(kshim.Input((3,)))
    assert {dtype for dtype, _ in seen} == {torch.float32}
    assert all(shape[1] == 3 and isinstance(shape[0], int) for _, shape in seen)


def test_no_values():
    x = kshim.Input((3,), name="it")
    assert "shape=(None, 3)" in repr(x) and "it" in repr(x)
    with pytest.raises(TypeError, match="truth value"):
        bool(x)
    with pytest.raises(NotImplementedError, match="iterated"):
        list(x)
    with pytest.raises(ValueError, match="no value"):
        float(x)
    with pytest.raises(ValueError, match="symbolic: it has no values for numpy"):
        np.asarray(x)
    with pytest.raises(AttributeError, match="has no attribute 'no_such_method'"):
        x.no_such_method()
    assert len({x, x, kshim.Input((3,))}) == 2


def test_op():
    calls = []

    @op
    def shifted(x, by=1.0):
        """``x + by``."""
        calls.append(type(x))
        return x + by

    assert_graph(lambda x: shifted(x, by=2.0), (3,))
    calls.clear()
    assert_close(shifted(np.ones(2, "float32")), np.full(2, 2, "float32"))
    assert calls == [torch.Tensor] and shifted.__doc__ == "``x + by``."


def test_gradients_go_through():
    x = kshim.Input((3,))
    model = kshim.Model(x, torch.tanh(x) * 2)
    values = example((4, 3)).requires_grad_()
    model(values).sum().backward()
    assert_close(values.grad, 2 * (1 - torch.tanh(values) ** 2))


def test_an_operation_that_needs_values_says_so():
    with pytest.raises(NotImplementedError, match="without values"):
        torch.nonzero(kshim.Input((3,)))


# ---------- plain modules


class Gate(torch.nn.Module):
    """A plain module with two inputs and two outputs, a parameter, a buffer and a keyword."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, a, b, scale=1.0):
        self.calls += 1
        gate = torch.sigmoid(self.linear(a) + b)
        return gate * a * scale, {"rest": (1 - gate) * b}


def model_of(module, *shapes, call=None):
    inputs = [kshim.Input(shape) for shape in shapes]
    outputs = (call or (lambda *x: module(*x)))(*inputs)
    return kshim.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)


@pytest.mark.parametrize("module", [
    torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LayerNorm(6), torch.nn.Identity(),
    torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)), torch.nn.Conv1d(3, 2, 2),
], ids=lambda module: type(module).__name__)  # fmt: skip
def test_modules(module):
    model = model_of(module, (3, 6))
    x = example((4, 3, 6))
    assert_close(model(x), module(x), 0)
    assert tuple(model.output_shape[1:]) == tuple(module(x).shape[1:])
    assert [id(p) for p in model.parameters()] == [id(p) for p in module.parameters()]
    # The module is one layer, not the calls inside; one that calls nothing leaves no trace.
    assert len(model.layers) == 1 + (type(module) is not torch.nn.Identity)


def test_flags_of_modules_stay_alive():
    module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.5))
    model = model_of(module, (6,))
    assert not module.training  # models begin in eval mode
    x = example((16, 6))
    before = module[1].running_mean.clone()
    assert_close(model(x), model(x), 0)
    assert torch.equal(module[1].running_mean, before)
    noisy = model(x, training=True)
    assert (noisy == 0).float().mean() > 0.2 and not torch.equal(module[1].running_mean, before)
    assert not module.training and not (model(x) == 0).any()
    model.train()
    assert module[2].training and (model(x) == 0).any()


def test_fit_trains_modules_and_their_statistics():
    module = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))
    model = model_of(module, (6,))
    before = module[0].weight.detach().clone()
    x = example((64, 6))
    model.compile("adam", "mse")
    model.fit(x, x.sum(1, keepdim=True), epochs=2, verbose=0)
    assert (
        not torch.equal(module[0].weight, before) and int(module[1].num_batches_tracked) == 4
    )  # none from the symbolic call


def test_lstm():
    module = torch.nn.LSTM(6, 4, batch_first=True)
    model = model_of(module, (3, 6), call=lambda x: module(x)[0])
    x = example((5, 3, 6))
    assert_close(model(x), module(x)[0])
    assert model.output_shape == (None, 3, 4)


def test_a_module_of_several_inputs_and_outputs():
    module = Gate()
    model = model_of(module, (3,), (3,), call=lambda a, b: module(a, b=b, scale=2.0))
    a, b = example((5, 3)), example((5, 3)) * -1
    calls = float(module.calls)
    first, rest = model([a, b])
    expected = module(a, b, scale=2.0)
    assert_close(first, expected[0], 0)
    assert_close(rest["rest"], expected[1]["rest"], 0)
    assert float(module.calls) == calls + 2
    assert calls == 1  # what the symbolic call wrote before its first operation; later writes are taken back


def test_a_module_twice_and_a_module_in_a_module():
    shared = torch.nn.Linear(3, 3)

    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Sequential(shared, torch.nn.ReLU())

        def forward(self, x):
            return self.inner(x) + self.inner(x * 2)

    outer = Outer()
    x = kshim.Input((3,))
    model = kshim.Model(x, outer(shared(x)))
    value = example((4, 3))
    assert_close(model(value), outer(shared(value)))
    assert len(list(model.parameters())) == 2


def test_view_inside_a_module():
    class Heads(torch.nn.Module):
        def forward(self, x):
            batch, time, width = x.shape
            return x.view(batch, time, 2, width // 2).transpose(1, 2)

    model = model_of(Heads(), (3, 6))
    assert model.output_shape == (None, 2, 3, 3)
    assert model(example((5, 3, 6))).shape == (5, 2, 3, 3)


def test_a_module_around_a_layer():
    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = kshim.layers.Dense(4)

        def forward(self, x):
            return self.dense(x) + 1

    module = Wrapped()
    model = model_of(module, (3,))
    x = example((5, 3))
    assert_close(model(x), module(x), 0)
    assert len(list(model.parameters())) == 2


# ---------- graphs


def test_disconnected():
    a, b = kshim.Input((3,), name="a"), kshim.Input((3,), name="b")
    with pytest.raises(ValueError, match=r"b"):
        kshim.Model(a, a + b)
    with pytest.raises(ValueError, match=r"Received: "):
        kshim.Model(a, KerasTensor((None, 3)))


def test_a_graph_may_begin_anywhere():
    x = kshim.Input((3,))
    middle = kshim.layers.Dense(4)(x)
    out = kshim.layers.Dense(2)(middle)
    head, body = kshim.Model(middle, out), kshim.Model(x, middle)
    whole = kshim.Model(x, out)
    value = example((5, 3))
    assert_close(head(body(value)), whole(value), 0)
    assert len(head.get_weights()) == 2 and len(whole.get_weights()) == 4


def test_an_input_may_be_an_output():
    x = kshim.Input((3,))
    model = kshim.Model(x, [x, x + 1])
    value = example((5, 3))
    same, more = model(value)
    assert_close(same, value, 0)
    assert_close(more, value + 1, 0)


def test_deep_graphs():
    """2,000 layers are more than Python's recursion limit."""
    x = top = kshim.Input((2,))
    layer = kshim.layers.Activation("relu")
    for _ in range(2000):
        top = layer(top)
    model = kshim.Model(x, top)
    value = abs(example((3, 2)))
    assert_close(model(value), value, 0)
    assert_close(model._function.run_whole(value)[0], value, 0)


def test_deep_stacks():
    model = kshim.Sequential([kshim.Input((2,)), *(kshim.layers.Activation("relu") for _ in range(250))])
    value = abs(example((3, 2)))
    assert_close(model(value), value, 0)
    assert len(model.layers) == 250


def test_wide_graphs_and_unused_branches():
    x = kshim.Input((2,))
    branches = [kshim.layers.Dense(2)(x) for _ in range(50)]
    kshim.layers.Dense(2)(branches[0])  # nobody uses it
    model = kshim.Model(x, kshim.layers.Add()(branches))
    assert len(model.get_weights()) == 100
    value = example((3, 2))
    assert_close(model(value), sum(layer(value) for layer in model.layers[1:51]), 1e-6)


@pytest.mark.parametrize("structure", [
    lambda a, b: [a, b], lambda a, b: (a, b), lambda a, b: {"b": b, "a": a}, lambda a, b: [a, [b]],
    lambda a, b: {"x": [a], "y": {"z": b}},
], ids=["list", "tuple", "dict", "nested", "dict_of_lists"])  # fmt: skip
def test_structures(structure):
    a, b = kshim.Input((3,), name="a"), kshim.Input((3,), name="b")
    model = kshim.Model(structure(a, b), structure(a * 2, a - b))
    values = example((5, 3)), example((5, 3)) ** 2
    results = model(structure(*values))
    expected = structure(values[0] * 2, values[0] - values[1])
    assert type(results) is type(expected)
    for got, value in zip(tree.flatten(results), tree.flatten(expected), strict=True):
        assert_close(got, value, 0)


def test_hooks_are_heard_whenever_registered():
    x = kshim.Input((3,))
    first, second = kshim.layers.Dense(4), kshim.layers.Dense(2)
    model = kshim.Model(x, second(first(x)))
    heard = []
    first.register_forward_hook(lambda layer, args, output: heard.append("before the first run"))
    value = example((5, 3))
    plain = array(model(value)).copy()
    assert heard == ["before the first run"]
    handle = second.register_forward_hook(lambda layer, args, output: output * 2)
    assert_close(model(value), plain * 2)
    second.register_forward_pre_hook(lambda layer, args: heard.append("pre"))
    model(value)
    assert heard[-1] == "pre"
    handle.remove()
    assert_close(model(value), plain)
    first.register_full_backward_hook(lambda layer, inputs, outputs: heard.append("backward"))
    model(value.requires_grad_()).sum().backward()
    assert heard[-1] == "backward"
    model.register_forward_hook(lambda layer, args, output: heard.append("model"))
    model(value)
    assert heard[-1] == "model"
    model.compile("sgd", "mse")
    model.predict(array(value), verbose=0)
    assert heard[-1] == "model"


def test_lowered_is_whole_with_masks_and_flags():
    x = kshim.Input((4, 3))
    hidden = kshim.layers.Dense(5, activation="tanh")(kshim.layers.Masking()(x))
    model = kshim.Model(x, kshim.layers.Dropout(0.5)(hidden) + hidden)
    value = example((6, 4, 3))
    value[0, 1] = 0
    lowered, whole = model._function.run(value)[0], model._function.run_whole(value)[0]
    assert_close(lowered, whole, 0)
    torch.manual_seed(1)
    noisy = model(value, training=True)
    torch.manual_seed(1)
    model.train()
    assert_close(model(value), noisy, 0)


def test_weights_set_by_hand_are_seen():
    """The lowered line reads the layer's attributes when it runs."""
    layer = kshim.layers.Dense(2)
    model = kshim.Sequential([kshim.Input((3,)), layer])
    value = example((4, 3))
    model(value)
    layer.set_weights([np.ones((3, 2)), np.zeros(2)])
    assert_close(model(value), value.sum(1, keepdim=True).expand(4, 2))
    layer.bias = kshim.Variable(torch.ones(2))
    assert_close(model(value), value.sum(1, keepdim=True).expand(4, 2) + 1)
    layer.activation = torch.zeros_like
    assert not model(value).any()


def test_history_and_nodes():
    x = kshim.Input((3,), name="it")
    layer = kshim.layers.Dense(4)
    first, second = layer(x), layer(x)
    assert first._keras_history[0] is layer and first._keras_history[1:] == (0, 0)
    assert second._keras_history[1:] == (1, 0)
    assert layer.get_input_at(0) is x and layer.get_output_at(1) is second
    assert layer.input is x and layer.output is first
    with pytest.raises(AttributeError, match="no symbolic call number 2"):
        layer.get_output_at(2)


def test_graphs_are_freed():
    """A model that nobody holds goes, with its graph."""
    import weakref

    x = kshim.Input((3,))
    model = kshim.Model(x, kshim.layers.Dense(2)(x))
    model(example((2, 3)))
    gone = weakref.ref(model)
    del model, x
    gc.collect()
    assert gone() is None


def test_scalars_and_math():
    assert_graph(lambda x: x * math.pi + np.float32(2), (3,))
    assert_graph(lambda x: x * np.float64(2.5), (3,))


def test_a_layer_that_counts_its_calls():
    """State that ``call`` writes is written by real calls only."""

    class Counting(kshim.layers.Layer):
        def build(self, input_shape):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")
            self.register_buffer("total", torch.zeros(()))

        def call(self, x):
            self.calls.assign_add(1.0)
            self.total = self.total + x.sum()
            return x * 1

    x = kshim.Input((3,))
    layer = Counting()
    model = kshim.Model(x, layer(x))
    assert float(layer.calls) == 0 == float(layer.total)
    model(torch.ones(2, 3))
    model(torch.ones(2, 3))
    assert float(layer.calls) == 2 and float(layer.total) == 12

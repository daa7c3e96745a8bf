"""Optimizers as torch's: schedulers, GradScaler, state, groups; as Keras': variables, subclasses; and their cost."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from cases import array, assert_close
from cases.optimizers import CASES, RULES, gradients, starts
from torch.utils._python_dispatch import TorchDispatchMode

import kshim
from kshim import optimizers
from kshim.core.variable import Variable

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
rules = pytest.mark.parametrize("case", [c for c in CASES if c.name in RULES], ids=lambda case: case.name)
PLAIN = sorted({cls for cls, _ in RULES.values()} - {"LossScaleOptimizer", "MultiOptimizer"})


def variables(dtype=torch.float32):
    return [Variable(torch.tensor(value, dtype=dtype), name=name) for name, value in starts().items()]


def set_grads(weights, value=1.0):
    for weight in weights:
        weight.grad = torch.full_like(weight, value)


def run(method, weights, steps=slice(5)):
    for grads in gradients()[steps]:
        for weight, grad in zip(weights, grads.values(), strict=True):
            weight.grad = torch.tensor(grad, dtype=weight.dtype)
        method.step()


def loss_of(weights):
    return sum(((w - 1) ** 2).sum() for w in weights)


# ---------- torch's own tools


SCHEDULERS = {
    "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.5),
    "one_cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=8, cycle_momentum=False),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 6),
    "exponential": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.8),
    "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
    "plateau": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, factor=0.5),
}


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "loss_scale"])
@pytest.mark.parametrize("name", SCHEDULERS)
def test_torch_schedulers(name, wrapped):
    """The rates that torch's SGD gets, and its weights."""
    found = []
    for ours in (True, False):
        weights = variables() if ours else [w.clone().requires_grad_() for w in map(torch.tensor, starts().values())]
        method = optimizers.SGD(0.2) if ours else torch.optim.SGD(weights, 0.2)
        if ours:
            method = optimizers.LossScaleOptimizer(method, 4.0) if wrapped else method
            method.build(weights)
        scheduler, rates = SCHEDULERS[name](method), []
        for _ in range(6):
            set_grads(weights, 4.0 if ours and wrapped else 1.0)
            method.step()
            scheduler.step(*([1.0] if name == "plateau" else []))
            rates.append(float(method.param_groups[0]["lr"]))
            if ours:
                assert float(method.learning_rate) == rates[-1]
        found.append((rates, [array(w) for w in weights]))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    for got, expected in zip(found[0][1], found[1][1], strict=True):
        assert_close(got, expected)


def test_grad_scaler():
    """A step whose gradients overflow is left out and the scale halved; the others are those without a scaler."""
    weights, plain = variables(), variables()
    method, alone = optimizers.Adam(0.1), optimizers.Adam(0.1)
    method.build(weights), alone.build(plain)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=100)
    for i in range(4):
        method.zero_grad()
        scaler.scale(loss_of(weights)).backward()
        if i == 1:
            weights[0].grad[0, 0] = torch.inf
        scaler.step(method)
        scaler.update()
        if i != 1:
            alone.zero_grad()
            loss_of(plain).backward()
            alone.step()
    assert scaler.get_scale() == 8.0 and int(method.iterations) == 3
    for got, expected in zip(weights, plain, strict=True):
        assert_close(got, expected)


@every
def test_saved_with_torch(case):
    """``torch.save`` and ``torch.load(weights_only=True)``; what was loaded is not shared."""
    weights, twins = variables(), variables()
    methods = case.make(kshim), case.make(kshim)
    methods[0].build(weights), methods[1].build(twins)
    run(methods[0], weights)
    file = io.BytesIO()
    torch.save(methods[0].state_dict(), file)
    file.seek(0)
    methods[1].load_state_dict(torch.load(file, weights_only=True))
    for twin, weight in zip(twins, weights, strict=True):
        twin.data.copy_(weight.data)
    for method, own in zip(methods, (weights, twins), strict=True):
        run(method, own, slice(5, None))
    for got, expected in zip(twins, weights, strict=True):
        assert_close(got, expected, 0)


def test_state_dict_is_not_shared():
    weights, twins = variables(), variables()
    for cls in (optimizers.Adam, optimizers.Lamb):
        method, twin = cls(), cls()
        method.build(weights), twin.build(twins)
        run(method, weights)
        twin.load_state_dict(method.state_dict())
        before = method.state[weights[0]]["momentum"].clone()
        run(twin, twins)
        assert torch.equal(method.state[weights[0]]["momentum"], before)


def test_groups_with_rates_of_their_own():
    weights = variables()
    method = optimizers.SGD(0.5)
    method.build([weights[0], {"params": [weights[1]], "lr": 0.25}])
    method.add_param_group({"params": [weights[2]], "lr": 0.125})
    before = [array(w).copy() for w in weights]
    scheduler = torch.optim.lr_scheduler.StepLR(method, 1, 0.5)
    for _ in range(2):
        set_grads(weights)
        method.step()
        scheduler.step()
    for weight, first, rate in zip(weights, before, (0.5, 0.25, 0.125), strict=True):
        assert_close(weight, first - 1.5 * rate)
    twin, twins = optimizers.SGD(1.0), variables()
    twin.build([twins[0], {"params": [twins[1]], "lr": 9.0}, {"params": [twins[2]], "lr": 9.0}])
    twin.load_state_dict(method.state_dict())
    assert [float(g["lr"]) for g in twin.param_groups] == [0.125, 0.0625, 0.03125]
    with pytest.raises(ValueError, match=r"a group of parameters with `params` and `lr`. Received: \['momentum'\]"):
        method.add_param_group({"params": variables(), "momentum": 0.9})
    with pytest.raises(ValueError, match="appear in more than one"):
        method.add_param_group({"params": weights[:1]})


@pytest.mark.parametrize("name", PLAIN)
def test_hand_written_loop(name):
    """``zero_grad``, ``backward``, ``step`` and a closure: the loss falls, and the closure's loss comes back."""
    weights = variables()
    method = getattr(optimizers, name)(0.01)
    method.build(weights)
    first = float(loss_of(weights).detach())
    for _ in range(20):
        method.zero_grad()
        loss_of(weights).backward()
        method.step()

    def closure():
        method.zero_grad()
        loss = loss_of(weights)
        loss.backward()
        return loss

    assert float(method.step(closure).detach()) < first
    assert int(method.iterations) == 21


def test_hooks_of_torch():
    heard = []
    method, weights = optimizers.SGD(), variables()
    method.register_step_post_hook(lambda *_: heard.append("after"))
    method.build(weights)
    run(method, weights, slice(2))
    assert heard == ["after"] * 2


@rules
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copy", "pickle"])
def test_an_unbuilt_one_is_copied(case, copied):
    assert copied(case.make(kshim)).get_config() == case.make(kshim).get_config()


# ---------- Keras' own state


@every
def test_variables_are_keras(case, keras3):
    """Names, order and values of all variables, after some steps; and back by ``set_weights`` and a store."""
    ours, theirs = variables(), [keras3.Variable(value, name=name) for name, value in starts().items()]
    methods = case.make(kshim), case.make(keras3)
    for method, weights in zip(methods, (ours, theirs), strict=True):
        method.build(weights)
        for grads in gradients()[:4]:
            method.apply([torch.tensor(g) for g in grads.values()], weights)
    got, expected = methods[0].variables, methods[1].variables
    assert [tuple(v.shape) for v in got] == [tuple(v.shape) for v in expected]
    for a, b in zip(got, expected, strict=True):
        assert_close(array(a).astype("float64"), array(b.value).astype("float64"), 2e-5)
    store, twin, twins = {}, case.make(kshim), variables()
    methods[0].save_own_variables(store)
    twin.build(twins)
    twin.load_own_variables(store)
    for a, b in zip(twin.variables, got, strict=True):
        assert_close(a, b, 0)
    twin.set_weights([np.zeros(v.shape) for v in got])
    assert all((array(v) == 0).all() for v in twin.variables)


def test_variables_refused():
    method = optimizers.Adam()
    with pytest.raises(ValueError, match="not yet been built"):
        method.set_weights([])
    method.build(variables())
    wrong = [v.numpy() for v in method.variables]
    wrong[3] = np.ones((7, 7))
    with pytest.raises(ValueError, match=r"an array of shape \(3, 4\) for .*kernel_velocity. Received: shape \(7, 7\)"):
        method.set_weights(wrong)
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer 'adam', because it has 8 variables"):
        method.load_own_variables({"0": 1})


@rules
def test_stateless_apply(case):
    """Nothing changes, and what comes back is what ``apply`` makes."""
    if case.name.startswith(("loss_scale", "multi", "muon")):
        return  # Muon's unused slots are no variables; the others' counters live in several optimizers
    weights, twins = variables(), variables()
    method, twin = case.make(kshim), case.make(kshim)
    method.build(weights), twin.build(twins)
    grads = [torch.tensor(g) for g in gradients()[0].values()]
    own = [v.detach().clone() for v in method.variables]
    after, state = method.stateless_apply(own, grads, [w.detach().clone() for w in weights])
    twin.apply(grads)
    for got, expected in zip((*after, *state), (*twins, *twin.variables), strict=True):
        assert_close(got, expected, 0)
    for got, expected in zip((*weights, *method.variables), (*starts().values(), *own), strict=True):
        assert_close(got, expected, 0)


def test_a_subclass_by_keras_guide(keras3):
    """``build``, ``add_variable_from_reference``, ``update_step`` and ``assign``, as Keras 3's guide writes them."""
    found = []
    for k in (kshim, keras3):

        class Momentum(k.optimizers.Optimizer):
            def __init__(self, learning_rate=0.1, factor=0.9, **kwargs):
                super().__init__(learning_rate, **kwargs)
                self.factor = factor

            def build(self, variables):
                super().build(variables)
                self.momenta = [self.add_variable_from_reference(v, name="momentum") for v in variables]
                self.largest, self.least = self.add_optimizer_variables(variables, ["largest", "least"])

            def update_step(self, gradient, variable, learning_rate):
                m = self.momenta[self._get_variable_index(variable)]
                self.assign(m, m * self.factor - gradient * learning_rate)
                self.assign_add(variable, m)

            def get_config(self):
                return {**super().get_config(), "factor": self.factor}

        weights = variables() if k is kshim else [k.Variable(value, name=name) for name, value in starts().items()]
        method = Momentum(0.1, clipnorm=0.5, weight_decay=0.1, use_ema=True)
        method.build(weights)
        for grads in gradients()[:4]:
            method.apply([torch.tensor(g) for g in grads.values()], weights)
        found.append(([*weights, *method.variables], Momentum.from_config(method.get_config()).factor))
    assert found[0][1] == found[1][1]
    for ours, theirs in zip(found[0][0], found[1][0], strict=True):
        assert_close(array(ours).astype("float64"), array(theirs.value).astype("float64"), 2e-5)


# ---------- loss scaling


def test_loss_scale_is_keras(keras3):
    """Overflows halve the scale and leave the step out; finite steps double it."""
    found = []
    for k in (kshim, keras3):
        weights = variables() if k is kshim else [k.Variable(value, name=name) for name, value in starts().items()]
        method = k.optimizers.LossScaleOptimizer(k.optimizers.Adam(0.1), initial_scale=4.0, dynamic_growth_steps=2)
        method.build(weights)
        seen = []
        for i, grads in enumerate(gradients()[:9]):
            given = [torch.tensor(g) for g in grads.values()]
            if i in (2, 5, 6):
                given[i % 3][0] = torch.inf if i == 2 else torch.nan
            method.apply(given, weights)
            seen.append((float(method.dynamic_scale), int(method.step_counter), int(method.iterations),
                         float(method.scale_loss(torch.tensor(2.0)))))  # fmt: skip
        found.append((seen, [array(getattr(w, "value", w)) for w in weights]))
    assert found[0][0] == found[1][0]
    for got, expected in zip(found[0][1], found[1][1], strict=True):
        assert_close(got, expected, 2e-5)


def test_loss_scale_without_waiting(monkeypatch):
    """The way of an accelerator: update, take it back, and learn of it when the next step begins."""
    weights, twins = variables(), variables()
    methods = [optimizers.LossScaleOptimizer(optimizers.Nadam(0.1), 4.0, 3) for _ in range(2)]
    for method, own in zip(methods, (weights, twins), strict=True):
        method.build(own)
    for i, grads in enumerate(gradients()[:8]):
        given = [torch.tensor(g) for g in grads.values()]
        if i in (0, 3, 4):
            given[0][0] = torch.inf
        methods[0].apply(given, weights)
        with monkeypatch.context() as patch:
            patch.setattr(optimizers.LossScaleOptimizer, "waits_on", ())
            methods[1].apply(given, twins)
    assert int(methods[0].iterations) == int(methods[1].iterations) == 5
    assert float(methods[0].dynamic_scale) == float(methods[1].dynamic_scale)
    for got, expected in zip([*twins, *methods[1].variables], [*weights, *methods[0].variables], strict=True):
        assert_close(got, expected, 0)


def test_mixed_float16_scales_by_itself(keras3):
    for k in (kshim, keras3):
        for scaled in (True, False):
            model = k.Sequential([k.Input((3,)), k.layers.Dense(1, dtype="float32")])
            model.dtype_policy = k.DTypePolicy("mixed_float16")
            model.compile("sgd", "mse", auto_scale_loss=scaled)
            assert (type(model.optimizer).__name__ == "LossScaleOptimizer") is scaled
            model.compile(k.optimizers.LossScaleOptimizer(k.optimizers.SGD(), 2.0), "mse")
            assert float(model.optimizer.initial_scale) == 2.0


def test_training_in_mixed_float16(keras3, monkeypatch):
    """The first scale is too large for float16, so the first step is left out, as in Keras."""
    monkeypatch.setattr(kshim.dtype_policies, "_global_policy", None)  # and so it is put back
    x = np.random.default_rng(0).normal(size=(32, 5)).astype("float32")
    found = []
    for k in (kshim, keras3):
        k.mixed_precision.set_global_policy("mixed_float16")
        try:
            assert k.mixed_precision.global_policy().name == "mixed_float16"
            model = k.Sequential([k.Input((5,)), k.layers.Dense(4, activation="tanh"), k.layers.Dense(1)])
            model.set_weights([np.arange(w.size).reshape(w.shape) / w.size - 0.5 for w in model.get_weights()])
            model.compile("adam", "mse")
            model.fit(x, x.sum(1, keepdims=True), batch_size=8, epochs=3, verbose=0, shuffle=False)
        finally:
            k.mixed_precision.set_global_policy("float32")
        method = model.optimizer
        found.append((float(method.dynamic_scale), int(method.iterations), method.name, model.get_weights()))
    assert found[0][:3] == found[1][:3] == (2.0**14, 11, "loss_scale_optimizer")
    for got, expected in zip(found[0][3], found[1][3], strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("call", "error", "match"), [
    (lambda o: o.LossScaleOptimizer(o.SGD(), dynamic=False), ValueError, "dynamic=False"),
    (lambda o: o.LossScaleOptimizer(o.SGD(), clipnorm=1.0), ValueError, "`clipnorm` on the `inner_optimizer`"),
    (lambda o: o.LossScaleOptimizer(o.SGD(), momentum=1.0), ValueError, "not supported"),
    (lambda o: o.OptimizerMap("sgd"), TypeError, "default_optimizer"),
    (lambda o: o.OptimizerMap(o.SGD(), [1]), TypeError, "optimizer_map"),
    (lambda o: o.OptimizerMap(o.SGD()).update({"a": 3}), ValueError, "Optimizer instance"),
    (lambda o: o.OptimizerMap(o.SGD()).update({3: o.SGD()}), ValueError, "string"),
    (lambda o: o.OptimizerMap(o.SGD()).update({"a": o.LossScaleOptimizer(o.SGD())}), ValueError, "cannot be LossScale"),
    (lambda o: o.OptimizerMap(o.SGD(), {"a.*": o.SGD(), ".*b": o.SGD()})["ab"], ValueError, "Multiple optimizers"),
    (lambda o: o.MultiOptimizer(o.OptimizerMap(o.SGD())).learning_rate, AttributeError, "cannot be accessed"),
    (lambda o: setattr(o.MultiOptimizer(o.OptimizerMap(o.SGD())), "learning_rate", 1), AttributeError, "cannot be set"),
])  # fmt: skip
def test_wrappers_refuse(call, error, match, keras3):
    for k in (kshim, keras3):
        with pytest.raises(error, match=match if k is kshim else None):
            call(k.optimizers)


def test_multi_refuses_what_is_no_optimizer():
    for given in (None, "sgd", optimizers.LossScaleOptimizer(optimizers.SGD())):
        method = optimizers.MultiOptimizer(lambda variable, given=given: given)
        with pytest.raises(ValueError, match="expected an Optimizer instance for variable kernel"):
            method.build(variables())


# ---------- odd parameters


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", PLAIN)
def test_dtypes(name, dtype):
    weights = variables(dtype)
    method = getattr(optimizers, name)(0.01, epsilon=1e-3) if name in ("Adam", "RMSprop") else getattr(
        optimizers, name)(0.01)  # fmt: skip
    method.build(weights)
    run(method, weights, slice(3))
    assert all(w.dtype == dtype and w.isfinite().all() for w in weights)
    assert any(not np.array_equal(array(w.double()), s) for w, s in zip(weights, starts().values(), strict=True))


@rules
def test_empty_and_scalar_parameters(case):
    weights = [Variable(torch.zeros(0), name="none"), Variable(torch.ones(()), name="scalar"),
               Variable(torch.zeros(2, 0), name="kernel"), Variable(torch.ones(2), name="bias")]  # fmt: skip
    method = case.make(kshim)
    method.build(weights)
    for _ in range(3):
        set_grads(weights)
        method.step()
    assert [tuple(w.shape) for w in weights] == [(0,), (), (2, 0), (2,)]
    assert all(w.isfinite().all() for w in weights) and float(weights[1].detach()) != 1


def test_frozen_and_repeated_variables():
    weights = variables()
    weights[1].requires_grad_(False)
    method = optimizers.Adam()
    method.build(weights)
    assert [tuple(w.shape) for w in method._parameters()] == [(3, 4), (4, 2, 3)]
    with pytest.raises(ValueError, match="duplicate parameters"):
        optimizers.Adam().build([weights[0], weights[0]])


# ---------- cost


class Count(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"global_clipnorm": 1.0}, {"use_ema": True}], ids=str)
@pytest.mark.parametrize("name", [n for n in PLAIN if n not in ("Adafactor", "Muon")])
def test_calls_do_not_grow_with_the_number_of_arrays(name, options):
    counts = []
    for arrays in (10, 200):
        weights = [Variable(torch.randn(3 + i % 5, 4), name=f"w{i}") for i in range(arrays)]
        method = getattr(optimizers, name)(**options)
        method.build(weights)
        for _ in range(2):
            set_grads(weights)
            with Count() as count:
                method.update_from_grads()
        counts.append(count.calls)
    assert counts[1] <= counts[0] + 2 and counts[0] < 40, counts

"""Every optimizer against the real Keras 3: properties over the rows of ``cases/optimizers.py``."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest
import torch
from cases import array, assert_close, assert_covered, public_classes, same_config
from cases.optimizers import CASES, NO_CASE, RULES, SCHEDULES, gradients, optimizer, starts

import kshim
from kshim import optimizers
from kshim.core.variable import Variable

every = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
rules = pytest.mark.parametrize("case", [c for c in CASES if c.name in RULES], ids=lambda case: case.name)


def variables():
    """Weights of kshim: one lies in memory as torch likes its filters, so it is not contiguous."""
    found = []
    for name, value in starts().items():
        data = torch.tensor(value)
        if name == "filters":
            data = torch.tensor(value.transpose(2, 1, 0).copy()).permute(2, 1, 0)
        found.append(Variable(data, name=name))
    assert not found[-1].is_contiguous()
    return found


def made(k, case, weights):
    method = case.make(k)
    if case.exclude:
        method.exclude_from_weight_decay(var_names=list(case.exclude))
    method.build(weights)
    return method


def step(method, weights, grads):
    method.apply([torch.tensor(g) for g in grads.values()], weights)


def run(method, weights, steps):
    for grads in gradients()[steps]:
        step(method, weights, grads)


def values(weights):
    return [array(w).copy() for w in weights]


def assert_same(got, expected, rel=1e-5):
    for a, b in zip(got, expected, strict=True):
        assert_close(a, b, rel)


def unnamed(config):
    """A config without what Keras numbers (names) or says by its own modules; those in it, too."""
    if isinstance(config, dict):
        return {k: unnamed(v) for k, v in config.items() if k not in ("name", "registered_name", "module")}
    return config


def test_every_optimizer_has_a_row():
    public = public_classes(optimizers, optimizers.Optimizer)
    assert_covered(public, {type(case.make(kshim)).__name__ for case in CASES}, NO_CASE)


@every
def test_steps_are_keras(case, keras3):
    ours, theirs = variables(), [keras3.Variable(value, name=name) for name, value in starts().items()]
    methods = made(kshim, case, ours), made(keras3, case, theirs)
    for grads in gradients():
        step(methods[0], ours, grads)
        step(methods[1], theirs, grads)
        assert_same(ours, [v.value for v in theirs], 2e-5)
    assert not ours[-1].is_contiguous()  # its memory order is kept
    if not case.name.startswith("multi"):  # which has none
        rates = [float(method.learning_rate) for method in methods]
        assert rates[0] == pytest.approx(rates[1], rel=1e-6)
    methods[0].finalize_variable_values(ours), methods[1].finalize_variable_values(theirs)
    assert_same(ours, [v.value for v in theirs], 2e-5)


@every
def test_config_is_keras_and_comes_back(case, keras3):
    method = case.make(kshim)
    config = method.get_config()
    assert same_config(unnamed(config), unnamed(case.make(keras3).get_config()))
    for again in (type(method).from_config(config), optimizers.deserialize(optimizers.serialize(method))):
        assert again.get_config() == config
        weights, expected = variables(), variables()
        run(made(kshim, case._replace(make=lambda k, again=again: again), weights), weights, slice(4))
        run(made(kshim, case, expected), expected, slice(4))
        assert_same(weights, expected, 0)


@pytest.mark.parametrize("name", sorted(public_classes(optimizers, optimizers.Optimizer) - {"Optimizer"}))
def test_signature_is_keras(name, keras3):
    ours, theirs = (inspect.signature(getattr(k.optimizers, name).__init__).parameters for k in (kshim, keras3))
    names = [p for p in ours if p != "kwargs"]
    assert names == [p for p in theirs if p != "kwargs"]
    assert {p: ours[p].default for p in names if p != "name"} == {p: theirs[p].default for p in names if p != "name"}


@rules
def test_defaults_are_keras(case, keras3):
    cls, arguments = RULES[case.name]
    needed = {name: arguments[name] for name in ("inner_optimizer", "optimizer_map") if name in arguments}
    ours, theirs = (optimizer(cls, **needed)(k) for k in (kshim, keras3))
    assert same_config(unnamed(ours.get_config()), unnamed(theirs.get_config()))


# ---------- state


@every
def test_state_dict_goes_on_the_same(case):
    weights = variables()
    method = made(kshim, case, weights)
    run(method, weights, slice(7))
    saved = pickle.loads(pickle.dumps(method.state_dict()))
    twins = [Variable(w.detach().clone(), name=w.name) for w in weights]
    twin = made(kshim, case, twins)
    twin.load_state_dict(saved)
    assert int(twin.iterations) == int(method.iterations)
    run(method, weights, slice(7, None))
    run(twin, twins, slice(7, None))
    assert_same(twins, weights, 0)


@every
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))],
                         ids=["deepcopy", "pickle"])  # fmt: skip
def test_copies_go_on_the_same_and_apart(case, copied):
    weights = variables()
    method = made(kshim, case._replace(exclude=()), weights)
    run(method, weights, slice(7))
    twins, twin = copied((weights, method))
    run(method, weights, slice(7, None))
    expected = values(weights)
    run(twin, twins, slice(7, None))
    assert_same(twins, expected, 0)
    assert_same(weights, expected, 0)


@rules
def test_weights_moved_away(case):
    """``model.double()``, ``.to()`` or new ``.data`` in the middle: the next step finds the weights where they are."""
    layer = kshim.layers.Dense(3)
    model = kshim.Sequential([kshim.Input((2,)), layer])
    start = model.get_weights()
    method = case.make(kshim)
    method.build(model.trainable_weights)

    def go(steps, dtype=torch.float32):
        for i in range(steps):
            grads = [torch.full(w.shape, 0.1 + i, dtype=dtype) for w in model.trainable_weights]
            method.apply(grads, model.trainable_weights)

    go(3)
    model.double()
    go(3, torch.float64)
    moved = model.get_weights()
    assert moved[0].dtype == "float64"
    model.float()
    model.set_weights(start)
    method = case.make(kshim)
    method.build(model.trainable_weights)
    go(3)
    for weight in model.trainable_weights:
        weight.data = weight.data.clone()
    go(3)
    assert_same(model.get_weights(), [w.astype("float32") for w in moved])


def test_rebuilding_keeps_what_is_known():
    """A layer that is frozen and thawed: the slots of the others stay."""
    method, weights, twins = optimizers.Adam(), variables(), variables()
    twin = optimizers.Adam()
    method.build(weights), twin.build(twins)
    run(method, weights, slice(3)), run(twin, twins, slice(3))
    method.build(weights[:2])
    method.build(weights)
    run(method, weights, slice(3, None)), run(twin, twins, slice(3, None))
    assert_same(weights, twins)


# ---------- missing gradients


@rules
def test_missing_gradients(case, keras3):
    if case.name.startswith("multi"):  # the bias has an optimizer of its own, which is left without a gradient
        for k in (kshim, keras3):
            weights = variables() if k is kshim else [k.Variable(value, name=name) for name, value in starts().items()]
            method = made(k, case, weights)
            with pytest.raises(ValueError, match="No gradients provided"):
                method.apply([torch.ones(3, 4), None, torch.ones(4, 2, 3)], weights)
        return
    found = []
    for k in (kshim, keras3):
        weights = variables() if k is kshim else [k.Variable(value, name=name) for name, value in starts().items()]
        method = made(k, case, weights)
        for grads in gradients()[:5]:
            given = [torch.tensor(g) for g in grads.values()]
            with pytest.warns(UserWarning, match="Gradients do not exist for variables .*bias"):
                method.apply([given[0], None, given[2]], weights)
        found.append([getattr(w, "value", w) for w in weights])
    assert_same(*found, 2e-5)
    assert_close(found[0][1], starts()["bias"], 0)


def test_no_gradients_at_all():
    weights = variables()
    method = made(kshim, CASES[0], weights)
    with pytest.raises(ValueError, match="No gradients"):
        method.apply([None] * 3, weights)


# ---------- as a torch optimizer


def test_torch_scheduler_drives_it():
    weights = variables()
    method = optimizers.SGD(0.4)
    method.build(weights)
    scheduler = torch.optim.lr_scheduler.StepLR(method, step_size=2, gamma=0.5)
    before, rates = values(weights), []
    for _ in range(5):
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        rates.append(float(method.learning_rate))
        method.step()
        scheduler.step()
    assert rates == pytest.approx([0.4, 0.4, 0.2, 0.2, 0.1])
    assert_same(weights, [b - sum(rates) for b in before])


def test_it_is_a_torch_optimizer():
    weights = variables()
    method = optimizers.Adam()
    method.build(weights)
    assert isinstance(method, torch.optim.Optimizer)
    assert method.param_groups[0]["params"] == weights
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    method.step()
    assert all(w.grad is not None and (w.grad == 1).all() for w in weights)  # kept, as torch does
    method.zero_grad()
    assert all(w.grad is None for w in weights)
    loss = method.step(lambda: sum((w**2).sum() for w in weights).backward() or 3.0)
    assert loss == 3.0


def test_rate_is_a_variable(keras3):
    for k in (kshim, keras3):
        method = k.optimizers.SGD(0.5)
        assert float(method.learning_rate) == 0.5
        method.learning_rate = 0.25
        assert float(method.learning_rate) == 0.25 == method.learning_rate.numpy()
        method.learning_rate.assign(0.125)
        assert float(method.learning_rate) == 0.125 == method.get_config()["learning_rate"]


def test_rate_by_a_function(keras3):
    rate = 0.5
    ours, theirs = variables(), [keras3.Variable(value) for value in starts().values()]
    methods = [k.optimizers.SGD(lambda: rate) for k in (kshim, keras3)]
    for method, weights in zip(methods, (ours, theirs), strict=True):
        method.build(weights)
    for rate in (0.5, 0.1):  # noqa: B007 - the functions read it
        for method, weights in zip(methods, (ours, theirs), strict=True):
            step(method, weights, gradients()[0])
    assert_same(ours, [v.value for v in theirs])


def test_schedule_can_be_replaced_by_a_schedule_alone(keras3):
    for k in (kshim, keras3):
        schedules = k.optimizers.schedules
        method = k.optimizers.SGD(schedules.InverseTimeDecay(0.1, 1, 1.0))
        assert float(method.learning_rate) == pytest.approx(0.1)
        method.learning_rate = schedules.ExponentialDecay(0.3, 1, 1.0)
        assert float(method.learning_rate) == pytest.approx(0.3)
        with pytest.raises(TypeError, match=r"learning rate is not settable"):
            method.learning_rate = 0.3


def test_rate_before_the_decay_is_settable():
    """``decay=`` of Keras 1 and 2: ``lr`` is what it was set to, and each step divides it."""
    weights = variables()
    method = optimizers.SGD(lr=0.5, decay=1.0)
    method.build(weights)
    before = values(weights)

    def go():
        method.apply([torch.ones_like(w) for w in weights], weights)

    go(), go()
    assert float(method.lr) == 0.5
    method.lr = 0.25
    go()
    method.lr.assign(1.0)
    go()
    assert_same(weights, [b - (0.5 + 0.5 / 2 + 0.25 / 3 + 1.0 / 4) for b in before])


def test_iterations_count(keras3):
    for k in (kshim, keras3):
        method = optimizer("SGD", gradient_accumulation_steps=3)(k)
        weights = variables() if k is kshim else [k.Variable(value) for value in starts().values()]
        method.build(weights)
        counts = []
        for grads in gradients()[:7]:
            step(method, weights, grads)
            counts.append(int(method.iterations))
        assert counts == [0, 0, 1, 1, 1, 2, 2]


def test_constraints_hold_after_each_step(keras3):
    found = []
    for k in (kshim, keras3):
        layer = k.layers.Dense(2, kernel_constraint="non_neg", bias_constraint="max_norm")
        model = k.Sequential([k.Input((3,)), layer])
        model.set_weights([np.arange(6.0).reshape(3, 2) / 6, np.array([1.0, -3.0])])
        method = k.optimizers.SGD(1.0)
        method.build(model.trainable_variables)
        for i in range(3):
            grads = [torch.full((3, 2), 0.3 + i), torch.tensor([0.5, -2.0])]
            method.apply(grads, model.trainable_variables)
        found.append(model.get_weights())
    assert_same(*found)
    assert (found[0][0] >= 0).all()


# ---------- names, users' optimizers, wrong arguments


@pytest.mark.parametrize("name", ["sgd", "SGD", "Sgd", "rmsprop", "RMSprop", "adam", "Adam", "adagrad", "Adagrad"])
def test_get_by_name_is_keras(name, keras3):
    ours, theirs = optimizers.get(name), keras3.optimizers.get(name)
    assert type(ours).__name__ == type(theirs).__name__ and ours.name == re.sub(r"_\d+$", "", theirs.name)


def test_get_others():
    method = optimizers.SGD()
    assert optimizers.get(method) is method
    torchs = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1)
    assert optimizers.get(torchs) is torchs
    for wrong in (None, 3, "sdg"):
        with pytest.raises(ValueError, match=r"Received: "):
            optimizers.get(wrong)


def test_an_optimizer_of_the_user():
    class Sign(optimizers.Optimizer):
        slots = ("last",)

        def __init__(self, learning_rate=0.1, scale=1.0, **kwargs):
            super().__init__(learning_rate, **kwargs)
            self.scale = scale

        def update(self, param, grad, rate, step, last):
            last.copy_(torch.sign(grad))
            param.sub_(last * rate * self.scale)

    weights = variables()
    method = Sign(scale=2.0, clipvalue=1.0)
    method.build(weights)
    step(method, weights, gradients()[0])
    expected = [s - 0.2 * np.sign(g) for s, g in zip(starts().values(), gradients()[0].values(), strict=True)]
    assert_same(weights, expected)
    assert method.get_config()["scale"] == 2.0 and Sign.from_config(method.get_config()).clipvalue == 1.0


@pytest.mark.parametrize(("arguments", "message"), [
    ({"clipnorm": 1.0, "clipvalue": 1.0}, r"only one of `clipnorm`, `clipvalue` and `global_clipnorm`.*Received: "),
    ({"clipnorm": -1.0}, r"`clipnorm` to be above 0. Received: clipnorm=-1"),
    ({"use_ema": True, "ema_momentum": 2}, r"`ema_momentum` to be in \[0, 1\]. Received: ema_momentum=2"),
    ({"use_ema": True, "ema_overwrite_frequency": 0}, r"`ema_overwrite_frequency` to be an int of 1 or more"),
    ({"gradient_accumulation_steps": 1}, r"`gradient_accumulation_steps` to be an int of 2 or more"),
    ({"momentun": 0.9}, r"not recognized. Received: .*Did you mean 'momentum'"),
    ({"momentum": 1.5}, r"`momentum` to be a number in \[0, 1\]. Received: momentum=1.5"),
    ({"learning_rate": "fast"}, r"`learning_rate` to be a float, a schedule or a callable. Received: "),
])  # fmt: skip
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        optimizers.SGD(**arguments)


def test_wrong_gradients():
    weights = variables()
    method = made(kshim, CASES[0], weights)
    with pytest.raises(ValueError, match=r"3 gradients, one for each variable. Received: 1"):
        method.apply([torch.ones(3, 4)], weights)
    with pytest.raises(ValueError, match=r"variables it was built with. Received: "):
        method.apply([torch.ones(2)], [Variable(torch.ones(2))])


# ---------- schedules


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedule_is_keras(name, keras3):
    cls, arguments = SCHEDULES[name]
    ours, theirs = (getattr(k.optimizers.schedules, cls)(**arguments) for k in (kshim, keras3))
    for i in range(40):
        expected = pytest.approx(float(theirs(i)), rel=2e-6, abs=1e-8)
        for step in (i, float(i), torch.tensor(i), torch.tensor(float(i)), Variable(torch.tensor(i), trainable=False)):
            assert float(ours(step)) == expected, f"step {step!r}"
    assert ours.get_config() == theirs.get_config()
    for again in (type(ours).from_config(ours.get_config()),
                  optimizers.schedules.deserialize(optimizers.schedules.serialize(ours)),
                  pickle.loads(pickle.dumps(ours))):  # fmt: skip
        assert again.get_config() == ours.get_config() and again(5) == ours(5)


def test_every_schedule_has_a_row():
    public = public_classes(optimizers.schedules, optimizers.schedules.LearningRateSchedule)
    base = {"LearningRateSchedule": "the base: test_a_schedule_of_the_user"}
    assert_covered(public, {cls for cls, _ in SCHEDULES.values()}, base)


@pytest.mark.parametrize(("call", "match"), [
    (lambda s: s.ExponentialDecay(0.1, 0, 0.5), "`decay_steps` to be above 0. Received: decay_steps=0"),
    (lambda s: s.PolynomialDecay(0.1, -1), "PolynomialDecay.*`decay_steps`"),
    (lambda s: s.CosineDecay(0.1, 0), "CosineDecay.*`decay_steps`"),
    (lambda s: s.CosineDecayRestarts(0.1, 0), "CosineDecayRestarts.*`first_decay_steps`"),
    (lambda s: s.InverseTimeDecay(0.1, 0, 0.5), "InverseTimeDecay.*`decay_steps`"),
    (lambda s: s.PiecewiseConstantDecay([1, 2], [0.1]), "shorter than `values`. Received: 2 boundaries and 1 values"),
])  # fmt: skip
def test_schedule_refuses(call, match, keras3):
    with pytest.raises(ValueError, match=match):
        call(optimizers.schedules)
    with pytest.raises(ValueError, match=r".*"):
        call(keras3.optimizers.schedules)


def test_a_schedule_of_the_user(keras3):
    found = []
    for k in (kshim, keras3):

        class Halving(k.optimizers.schedules.LearningRateSchedule):
            def __init__(self, first):
                self.first = first

            def __call__(self, step):
                return self.first / 2 ** float(step)

            def get_config(self):
                return {"first": self.first}

        weights = variables() if k is kshim else [k.Variable(value) for value in starts().values()]
        method = k.optimizers.SGD(Halving(0.5))
        method.build(weights)
        for grads in gradients()[:4]:
            step(method, weights, grads)
        found.append([getattr(w, "value", w) for w in weights])
    assert_same(*found)

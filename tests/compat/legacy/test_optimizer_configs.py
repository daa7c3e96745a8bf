"""Configs of optimizers against those of Keras 1.2.2 and 2.3.1, and their way through every dialect."""

import json
import pathlib

import pytest

from kshim import optimizers
from kshim.core import settings

ORACLE = pathlib.Path(__file__).parents[1] / "oracle"
ROWS = [
    (version, *row)
    for version in ("1.2.2", "2.3.1")
    for row in json.loads((ORACLE / f"optimizer-configs-{version}.json").read_text())
]
every = pytest.mark.parametrize(("version", "name", "arguments", "config"), ROWS)


@pytest.fixture(autouse=True)
def same_dialect_after():
    before = settings.dialect()
    yield
    settings.set_dialect(before)


@every
def test_config(version, name, arguments, config):
    settings.set_dialect(version)
    own = getattr(optimizers, name)(**arguments).get_config()
    assert own == config
    assert getattr(optimizers, name).from_config(own).get_config() == config


@every
@pytest.mark.parametrize("dialect", settings.VERSIONS)
def test_read_in_every_dialect(version, name, arguments, config, dialect):
    settings.set_dialect(dialect)
    made = optimizers.deserialize({"class_name": name, "config": config})
    assert type(made) is getattr(optimizers, name)
    assert float(made.learning_rate) == pytest.approx(arguments.get("lr", float(made.learning_rate)))
    assert made.decay == pytest.approx(arguments.get("decay", 0.0))
    assert made.clipvalue == arguments.get("clipvalue")
    assert (made.global_clipnorm or made.clipnorm) == arguments.get("clipnorm")
    again = type(made).from_config(made.get_config())
    assert again.get_config() == made.get_config()


def test_what_keras_2_did_not_have_is_kept():
    settings.set_dialect("2.3.1")
    config = optimizers.SGD(0.5, weight_decay=0.25, use_ema=True, ema_momentum=0.5).get_config()
    assert config["weight_decay"] == 0.25
    assert config["use_ema"]
    assert config["ema_momentum"] == 0.5
    assert optimizers.SGD.from_config(config).get_config() == config


def test_a_schedule_is_kept():
    settings.set_dialect("1.2.2")
    config = optimizers.Adam(optimizers.schedules.CosineDecay(0.5, 10)).get_config()
    assert optimizers.Adam.from_config(config).get_config() == config
    assert config["learning_rate"]["class_name"] == "CosineDecay"


def test_a_users_subclass():
    class Mine(optimizers.SGD):
        def __init__(self, twist=1.0, **kwargs):
            super().__init__(**kwargs)
            self.twist = twist

        def get_config(self):
            return dict(super().get_config(), twist=self.twist)

    settings.set_dialect("2.3.1")
    config = Mine(2.0, lr=0.5, decay=0.25).get_config()
    assert config == {"learning_rate": 0.5, "momentum": 0.0, "decay": 0.25, "nesterov": False, "twist": 2.0}
    assert Mine.from_config(config).get_config() == config

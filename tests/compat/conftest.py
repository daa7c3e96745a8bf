"""Seeds, and the real Keras 3 as the oracle."""

import os
import random

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
torch.set_num_threads(1)  # tests run side by side, and thread pools that share cores stall each other


def pytest_configure(config):
    """pytest-randomly shuffles the tests; it would seed again, too, by its own number and after ``seed`` below."""
    config.option.randomly_reset_seed = False


@pytest.fixture(autouse=True)
def seed():
    """The same random numbers for each test, in whatever order they run."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def keras3():
    """The real Keras 3; tests that need it are skipped where it does not install (Python 3.10)."""
    return pytest.importorskip("keras")


def pytest_collection_modifyitems(items):
    """Keras 3.15 on torch warns about itself with numpy 2; where it is the oracle, that is no error."""
    for item in items:
        if "keras3" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Tensor.T is deprecated on 0-D"))  # its Equalization

"""The dialect is 3 before and after each test; ``dialect(version)`` sets it within one."""

import pytest

from kshim.core import settings


@pytest.fixture(autouse=True)
def dialect():
    settings.set_dialect("3")
    yield settings.set_dialect
    settings.set_dialect("3")

"""What all tests share: quick ones run first, and the whole stack, which the last ones keep running, runs beside no others."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")  # a machine with other things to do is no failure
HERE = pathlib.Path(__file__).parent
ORDER = ("unit", "sim", "integration", "chaos", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.relative_to(HERE).parts[0]))

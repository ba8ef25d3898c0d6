"""What all tests share: quick ones run first, and the whole stack, which the last ones keep running, runs beside no others."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")  # a machine with other things to do is no failure
HERE = pathlib.Path(__file__).parent
ORDER = ("unit", "sim", "integration", "chaos", "e2e")
# What needs running producers comes first; then they stop, and pages and numbers do not wait for a busy machine.
E2E = ("test_live", "test_numbers_animeverse", "test_numbers_tweets", "test_dashboards", "test_queries", "test_restart")


def _place(item: pytest.Item) -> tuple[int, int]:
    kind = item.path.relative_to(HERE).parts[0]
    return ORDER.index(kind), E2E.index(item.path.stem) if kind == "e2e" else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)

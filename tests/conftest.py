"""What all tests share: in which order they run, and which of them one after the other.

`make test` has two at a time (pytest-xdist): servers wait for one another half of the time. What shares servers or a Spark session
is one group, and stays in one process. Those that start most come first, small ones fill the gaps, and what needs the machine
alone, the whole stack above all, comes last. Without pytest-xdist quick ones come first.
"""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")  # a machine with other things to do is no failure
HERE = pathlib.Path(__file__).parent
ORDER = ("unit", "sim", "integration", "chaos", "e2e")
ALONE = {"chaos", "e2e"}  # the whole stack; who is killed there must be back in time
# What needs running producers comes first; then they stop, and pages and numbers do not wait for a busy machine.
E2E = ("test_live", "test_numbers_animeverse", "test_numbers_tweets", "test_dashboards", "test_queries", "test_restart")


class Groups(LoadScopeScheduling):
    """Two tests at a time, never two of one group."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(HERE.parent / nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    config.option.loadscopereorder = False  # in our order, not by how many tests a group has
    return Groups(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    beside = hasattr(config, "workerinput")
    items.sort(key=lambda item: _place_beside(item.path) if beside else _place(item.path))


def _place(path: pathlib.Path) -> tuple[int, int]:
    kind = path.relative_to(HERE).parts[0]
    return ORDER.index(kind), E2E.index(path.stem) if kind == "e2e" else 0


def _place_beside(path: pathlib.Path) -> tuple[bool, bool, bool, tuple[int, int]]:
    kind, group = path.relative_to(HERE).parts[0], _group(path)
    return group == "alone", kind != "integration", group != "spark", _place(path)


def _group(path: pathlib.Path) -> str:
    kind, *rest = path.relative_to(HERE).parts
    if kind in ALONE:
        return "alone"
    return "spark" if (kind, rest[0]) == ("unit", "lakehouse_jobs") else "/".join((kind, *rest))

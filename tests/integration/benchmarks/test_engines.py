"""Every engine of the benchmark runs, comes to its end, and is right; none is timed."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from benchmarks.engines.catalogue import Engine, all_engines, peers
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.runs import run
from benchmarks.throughput.truth import Truth, check, fill
from riverhouse.local.testing import start_stack

EVENTS = 1000
NAMES = (
    "bare loop, one KPI",
    "Riverhouse",
    "Kafka Streams, at_least_once",
    "Kafka Streams, exactly_once_v2",
    "Faust, one KPI",
    "Quix Streams, one KPI",
    "Bytewax, one KPI",
    "Spark, one KPI",
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    with start_stack(tmp_path_factory.mktemp("engines"), only=("kafka", "registry", "topics")) as folder:
        yield folder


@pytest.fixture(scope="module")
def engines(home: pathlib.Path) -> dict[str, Engine]:
    return {e.name: e for e in all_engines(home, peers())}


@pytest.fixture(scope="module")
def wanted(home: pathlib.Path) -> Truth:
    return fill(Broker(), EVENTS)


def test_all_of_them_are_checked(engines: dict[str, Engine]) -> None:
    assert tuple(engines) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_is_right(name: str, engines: dict[str, Engine], wanted: Truth, home: pathlib.Path) -> None:
    broker = Broker()
    broker.forget(engines[name])
    run(engines[name], broker, home / "engine.log")
    check(broker, engines[name], wanted)

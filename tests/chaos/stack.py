"""The stack that chaos is made of: all servers, workers, the sink and the producers, with faulty events; no dashboards."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping

import psutil

from riverhouse.local import applications, control
from riverhouse.local.console import Console
from riverhouse.local.service import Service
from riverhouse.local.testing import start_stack

BUSINESSES = ("tweets", "animeverse")
SERVERS = ("kafka", "registry", "postgres", "trino", "topics", "tables", "views")
PROGRAMS = (
    "worker-tweets-0",
    "worker-tweets-1",
    "worker-animeverse-0",
    "sink",
    "producer-tweets",
    "producer-animeverse",
)
FAULTS = {  # what is wrong with the events
    "tweets": ("--duplicates", "0.05", "--out-of-order", "0.05", "--late", "0.02", "--skew", "0.01", "--corrupt", "0.01"),
    "animeverse": ("--duplicates", "0.05", "--corrupt", "0.01"),
}  # fmt: skip
SETTINGS = {
    "RIVERHOUSE_WORKERS__COUNT": "2",
    "RIVERHOUSE_LAKE__MAINTENANCE_INTERVAL_S": "40",  # so that compaction and expiry are hit as well
    "RIVERHOUSE_LAKE__SNAPSHOTS_KEPT_S": "60",
    "RIVERHOUSE_PRODUCER__HISTORY_HOURS": "6",
    "RIVERHOUSE_PRODUCER__HISTORY_EVENTS": "3000",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_RATE": "8",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_HISTORY_HOURS": "12",
    "RIVERHOUSE_PRODUCER__ANIMEVERSE_HISTORY_EVENTS": "1500",
}


@contextlib.contextmanager
def faulty_producers(seed: int, rate: float) -> Iterator[None]:
    """Producers that are started inside send faulty events from the world of that seed; tweets at `rate` a second."""
    ours = applications.producer

    def faulty(business: str) -> Service:
        pace = ("--rate", str(rate)) if business == "tweets" else ()
        more = ("--seed", str(seed), *pace, *FAULTS[business])
        return dataclasses.replace(
            ours(business), command=lambda: applications.run("producers", "live", business, *more)
        )

    applications.producer = faulty
    try:
        yield
    finally:
        applications.producer = ours


@contextlib.contextmanager
def whole(home: pathlib.Path, seed: int, rate: float, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Everything runs, and events flow."""
    with (
        faulty_producers(seed, rate),
        start_stack(home, only=(*SERVERS, *PROGRAMS), settings_env={**SETTINGS, **(settings or {})}),
    ):
        yield


def processes(target: str) -> list[psutil.Process]:
    """The processes of a target, parents first: a service's with all of its children, or the sink's Java alone."""
    service = "sink" if target == "sink-jvm" else target
    pid = control.states().get(service, {}).get("pid")
    if not pid:
        return []
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return [p for p in family if p.name() == "java"] if target == "sink-jvm" else family
    except psutil.NoSuchProcess:
        return []


def start(name: str) -> None:
    control.start(name)


def stop(name: str) -> None:
    control.stop(name)


def quiet() -> Console:
    return Console(quiet=True)

"""How many tweets an engine takes, a second and for each CPU-second, from a topic that is there."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import click

from benchmarks.engines.catalogue import CLEAN, RAW, Engine
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.running import Running, running
from lakehouse_jobs.problem import LakeError
from riverhouse.clock import monotonic
from riverhouse.local import control

LOOK_S = 5.0
STILL_S = 180.0  # an engine that writes and commits nothing for so long has stopped


class Run(NamedTuple):
    """What one run took: events, s of the clock and of the processors, and the most memory, MB."""

    events: float
    clock_s: float
    cpu_s: float
    memory_mb: float

    @property
    def events_s(self) -> float:
        return self.events / self.clock_s

    @property
    def events_cpu_s(self) -> float:
        return self.events / self.cpu_s


def run(engine: Engine, broker: Broker, log: pathlib.Path, more: Mapping[str, str] | None = None) -> Run:
    """Let an engine take what it has not taken yet of the raw topic."""
    done, records = broker.count(CLEAN), broker.count(RAW)
    with running(engine, len(broker.ends(RAW)), log, more) as process:
        _until(lambda: "" if broker.count(CLEAN) > done else "no clean record", process)
        began, first, before = monotonic(), process.look(), broker.count(CLEAN)
        _until(lambda: str(broker.count(CLEAN) if engine.ends else broker.behind(engine) or ""), process)
        clock_s, last = monotonic() - began, process.taken
    share = (broker.count(CLEAN) - before) / broker.count(CLEAN)  # of the records, what came after the first look
    return Run(records * share, clock_s, last.cpu_s - first.cpu_s, last.memory_mb)


def _until(lacking: Callable[[], str], process: Running) -> None:
    """Wait until nothing is lacking or the engine has read all. ClickException where what is lacking stays the same."""
    seen, since = "", monotonic()

    def holds() -> bool:
        nonlocal seen, since
        process.look()
        if process.ended():
            return True
        with contextlib.suppress(LakeError):  # topics that were made a moment ago
            now = lacking()
            seen, since = (seen, since) if now == seen else (now, monotonic())
            return not now
        return False

    while not control.wait_until(holds, LOOK_S):
        if monotonic() - since > STILL_S:
            said = process.last_words()
            raise click.ClickException(f"{process.engine.name} stands still. What is lacking: {seen}\n{said}")

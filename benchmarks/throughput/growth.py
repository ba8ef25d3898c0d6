"""How our worker's speed changes with partitions, with state, with history, and with a second worker."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from benchmarks.engines.catalogue import ours
from benchmarks.throughput.broker import Broker
from benchmarks.throughput.runs import Run, run
from benchmarks.throughput.truth import check, fill
from riverhouse.local.testing import variables

MORE = 10


@dataclass(frozen=True)
class Case:
    """So many `events` are measured, after `before` that the worker has taken already."""

    what: str
    events: int
    before: int = 0
    partitions: int = 3
    workers: int = 1


def cases(events: int) -> list[Case]:
    return [
        *(Case(f"{n} partition{'s' if n > 1 else ''}", events, partitions=n) for n in (1, 2, 4, 8)),
        Case(f"{events:,} tweets known before", events, before=events),
        Case(f"{MORE * events:,} tweets known before", events, before=MORE * events),
        Case(f"{MORE} times the tweets", MORE * events),
        Case(f"{MORE} times the tweets, two workers", MORE * events, workers=2),
    ]


def measure(case: Case, broker: Broker, log: pathlib.Path) -> Run:
    """Ours in this case, from empty topics on; the results of all that it took are checked."""
    with variables({"RIVERHOUSE_KAFKA__PARTITIONS": str(case.partitions)}):
        engine = ours(case.workers)
        broker.forget(engine, kept=())
        if case.before:
            fill(broker, case.before)
            run(engine, broker, log)
        wanted = fill(broker, case.events)
        found = run(engine, broker, log)
        check(broker, engine, wanted)
    return found

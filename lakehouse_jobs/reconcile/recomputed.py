"""What a business declares to be reconciled: the facts of its streams, and the gold tables that mirror no KPI."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lakehouse_jobs.reconcile.facts import Facts
from topics.contract import Kpi, Stream


@dataclass(frozen=True)
class Summary:
    """A gold table, and the query over `facts` (those of `stream` in force as of its fence) that gives `key` and `figures`.

    In both, the column `start` is the moment of `time` in seconds. A `whole` one needs the log from its beginning: with a span it
    is not compared.
    """

    table: str
    stream: Stream
    key: Sequence[str]
    figures: Sequence[str]
    query: str
    time: str = "window_start_at"
    whole: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.time, *(c for c in (*self.key, *self.figures) if c != "start"))


@dataclass(frozen=True)
class Recomputed:
    """A business. `reads_before`: how much of the raw log before the windows of interest decides about them.

    With `--since`, a record whose first is older than that counts as a repeat where silver.duplicates says so.
    `over_all` gives, for the KPIs of these names, a query over `facts` where a cell cannot be had by adding up changes.
    `gauges`: for the gauges of these names a query over `facts`, here with every state of an event, that gives what each key shows.
    Gauges need the log from its beginning.
    """

    business: str
    facts: tuple[Facts, ...]
    summaries: tuple[Summary, ...]
    reads_before: dt.timedelta
    over_all: Mapping[str, str] = field(default_factory=dict)
    gauges: Mapping[str, str] = field(default_factory=dict)

    @property
    def kpis(self) -> list[tuple[Kpi, Stream]]:
        return [(kpi, f.stream) for f in self.facts for kpi in f.stream.kpis]

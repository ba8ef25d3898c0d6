"""Everything that a run compares, read in an order in which nothing is asked of a table that it cannot have yet.

First the workers' commits, and the sink and the merge caught up with them; then the KPI log; then the live topics; then the
other tables, pinned at one snapshot each; bronze last, when it holds every offset that any of the others speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
from pyiceberg.table import Table
from rich.console import Console

from lakehouse_jobs import fences, lake, ledger, positions
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.reconcile import gauges, live, rankings, reading
from lakehouse_jobs.reconcile.facts import Facts
from lakehouse_jobs.reconcile.live import EVER, Span
from lakehouse_jobs.reconcile.recomputed import Recomputed, Summary
from lakehouse_jobs.tables import GOLD_TABLES, KPI_LOG
from riverhouse import clock
from topics import progress
from topics.contract import ORDINALS, Kpi, Latest, Ranking, Revisable, Stream, is_fraction

MIRRORED = {t.name for t in GOLD_TABLES}  # KPIs that have a gold table of their name among them
SKEW_S = 60  # how far events may lie ahead of the broker's clock
Offsets = dict[int, int]


@dataclass
class Gathered:
    """What was read, by stream's prefix or table's name: `done` the last offset of each raw partition that is dealt with."""

    streams: list[Stream]
    done: dict[str, Offsets] = field(default_factory=dict)
    first: dict[str, Offsets] = field(default_factory=dict)  # that Kafka holds; with a span, that was read
    last: dict[str, Offsets] = field(default_factory=dict)  # that bronze must hold
    tables: dict[str, Table] = field(default_factory=dict)

    def fence(self, table: str, topic: str, key: str = fences.FENCE) -> Offsets:
        """A pinned table's fence of a topic, by partition."""
        return of_topic(fences.read(self.tables[table], key), topic)

    def as_of(self, table: str, stream: Stream) -> Offsets:
        """The raw offsets that a pinned gold table is true for."""
        return causes(stream, self.fence(table, stream.clean.name, fences.AS_OF))


def of_topic(fence: Fence, topic: str) -> Offsets:
    return {int(log.rsplit("/", 1)[1]): at for log, at in fence.items() if log.rsplit("/", 1)[0] == topic}


def causes(stream: Stream, fence: Mapping[int, int]) -> Offsets:
    """The raw offsets that a fence of a clean topic has come to."""
    return {p: at // ORDINALS if issubclass(stream.clean_event, Revisable) else at for p, at in fence.items()}


def published(stream: Stream) -> tuple[Kpi | Ranking, ...]:
    """The windowed figures whose topics are read."""
    return (*stream.kpis, *stream.rankings)


class Gathering:
    """One run's reading, into `db`."""

    def __init__(
        self, db: duckdb.DuckDBPyConnection, what: Recomputed, span: Span, wait_s: float, console: Console
    ) -> None:
        self._db, self._what, self._span, self._wait_s, self._console = db, what, span, wait_s, console
        named = {s.prefix for s in ledger.streams(what.business)}
        self.facts = [f for f in what.facts if f.stream.prefix in named]
        self.got = Gathered([f.stream for f in self.facts])
        self.summaries = [s for s in what.summaries if s.stream in self.got.streams and not (span and s.whole)]
        self.gauges = [(g, s) for s in self.got.streams for g in s.gauges if not span]

    def all(self) -> Gathered:
        """Read everything. LakeError where something does not catch up in time."""
        for facts in self.facts:
            self._settle(facts.stream)
        self._merge()
        self._logs()  # before the topics, which then hold all that it does
        for stream in self.got.streams:
            for figure in published(stream):
                self._topic(figure)
        for gauge, stream in self.gauges:
            self._gauge(gauge, stream)
        self._pin()
        for facts in self.facts:
            self._silver(facts)
        for gauge, stream in self.gauges:
            query, columns = gauges.silver_query(gauge, stream)
            reading.into(self._db, f"silver_{gauge.name}", self.got.tables[f"silver.{stream.table}"], query, columns)
        for kpi in (k for s in self.got.streams for k in s.kpis if k.name in MIRRORED):
            self._mirror(kpi)
        for summary in self.summaries:
            self._summary(summary)
        for facts in self.facts:
            self._bronze(facts)
        return self.got

    # ── Kafka ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _settle(self, stream: Stream) -> None:
        done = ledger.settled(stream, self._console, self._wait_s)
        self.got.done[stream.prefix] = {p: end - 1 for p, end in done.items()}
        self.got.first[stream.prefix] = positions.first_offsets(stream)

    def _merge(self) -> None:
        """Wait until the merge has read the partials topics to where they end now."""
        ends = {s.partials.name: positions.end_offsets(s.partials) for s in self.got.streams if s.kpis}
        group = self.got.streams[0].group

        def behind() -> list[str]:
            done = progress.committed(group)
            places = [
                (topic, p, done.get((topic, p), 0), end) for topic, by_p in ends.items() for p, end in by_p.items()
            ]
            return [f"{topic}/{p} is at {at} of {end}" for topic, p, at, end in places if at < end]

        self._wait("the merge", behind)

    def _topic(self, figure: Kpi | Ranking) -> None:
        kind: Any = rankings if isinstance(figure, Ranking) else live
        kind.create(self._db, figure)
        since_ms = None if self._span.since == EVER[0] else (self._span.since - SKEW_S) * 1000
        with self._console.status(f"reading {figure.topic}"):
            reading.topic(figure.topic, lambda records: kind.take(self._db, figure, records, self._span), since_ms)
        kind.settle(self._db, figure)

    def _gauge(self, gauge: Latest, stream: Stream) -> None:
        gauges.create(self._db, gauge, stream)
        with self._console.status(f"reading {gauge.topic}"):
            reading.topic(gauge.topic, lambda records: gauges.take(self._db, gauge, stream, records))
        gauges.settle(self._db, gauge)

    # ── the lake ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _pin(self) -> None:
        """Load the tables' newest snapshots, and find out how far bronze must be: as far as anything read so far."""
        kpis = [k for s in self.got.streams for k in s.kpis]
        gold = [f"gold.{k.name}" for k in kpis if k.name in MIRRORED] + [f"gold.{s.table}" for s in self.summaries]
        silver = [f"silver.{s.table}" for s in self.got.streams]
        for name in (*gold, *silver):  # gold first: silver then has all that it was made from
            self.got.tables[name] = lake.catalog().load_table(name)
        self._refused()
        for stream in self.got.streams:
            last = dict(self.got.done[stream.prefix])
            for name in gold:
                for p, at in self.got.as_of(name, stream).items():
                    last[p] = max(at, last.get(p, -1))
            for figure in (*published(stream), *(g for g, of in self.gauges if of is stream)):
                for p, at in self._db.execute(
                    f"select e.key::int, max(e.value) from (select unnest(map_entries(as_of)) as e from live_{figure.name}) group by 1"
                ).fetchall():
                    last[p] = max(at, last.get(p, -1))
            self.got.last[stream.prefix] = last

    def _refused(self) -> None:
        """Load duplicates and quarantine once they have what came beside the pinned silver: the sink takes them at a slower pace."""
        topics = {
            "silver.duplicates": [s.duplicates for s in self.got.streams],
            "silver.quarantine": [s.rejected for s in self.got.streams],
        }
        wanted = {name: {k: v for t in of for k, v in positions.last_causes(t).items()} for name, of in topics.items()}
        ledger.wait_for_sink(wanted, self._console, self._wait_s)
        for name in topics:
            self.got.tables[name] = lake.catalog().load_table(name)

    def _bronze(self, facts: Facts) -> None:
        stream, name = facts.stream, f"bronze.{facts.stream.table}"
        wanted = {f"{stream.raw.name}/{p}": at for p, at in self.got.last[stream.prefix].items()}
        ledger.wait_for_sink({name: wanted}, self._console, self._wait_s)
        table = self.got.tables[name] = lake.catalog().load_table(name)
        facts.create(self._db)
        with self._console.status(f"reading {name}"):
            reading.bronze(self._db, facts, table, self._appended("appended_at"))
        if self._span.since != EVER[0]:
            self._read_in_part(stream)
            self._told_before(stream)
        with self._console.status(f"computing {stream.prefix} again"):
            facts.make(self._db)

    def _read_in_part(self, stream: Stream) -> None:
        """Note where the part of the log that was read begins, and which of its records repeat one from before."""
        held = dict(self._db.execute(f"select p, min(o) from raw_{stream.table} group by 1").fetchall())
        last = self.got.last[stream.prefix]
        self.got.first[stream.prefix] = {p: held.get(p, end + 1) for p, end in last.items()}
        begins = live.upto(self.got.first[stream.prefix])
        self._db.execute(
            f"insert into known_repeats select '{stream.table}', p, o from duplicates_{stream.table} where first_offset < {begins} and o >= {begins}"
        )

    def _told_before(self, stream: Stream) -> None:
        """What the log told of versions before the part that is read: the versions that silver has from then."""
        begins = self._span.since - SKEW_S - int(self._what.reads_before.total_seconds())
        for reference in (r for r in stream.references if r in self.got.streams):
            table = self.got.tables[f"silver.{reference.table}"]
            query = (
                f"""select '{reference.prefix}' as reference, to_json(piece)::json as version, raw_offset from piece"""
            )
            target = f"before_{stream.table}_{reference.table}"
            before = [f"ingested_at < '{reading.moment(begins)}'"]
            reading.into(self._db, target, table, query, table.schema().column_names, before)
            partitions = ", ".join(f"({p})" for p in self.got.last[stream.prefix])
            self._db.execute(f"""
                insert into told_{stream.table} select p, raw_offset - {2**53}, reference, version
                from {target}, (values {partitions}) t(p)
            """)

    def _appended(self, column: str) -> list[str]:
        """The condition that a row's raw record came in the time that is read: some before the span, for what decides about it."""
        if self._span.since == EVER[0]:
            return []
        since = self._span.since - SKEW_S - int(self._what.reads_before.total_seconds())
        return [f"{column} >= '{reading.moment(since)}'"]

    def _silver(self, facts: Facts) -> None:
        """What became of the raw records that are read."""
        table, where = facts.stream.table, self._appended("ingested_at")
        query, columns = silver_query(facts)
        reading.into(self._db, f"silver_{table}", self.got.tables[f"silver.{table}"], query, columns, where)
        own = f"stream = '{facts.stream.prefix}'"
        for fate, more in (("duplicates", ("first_offset",)), ("quarantine", ())):
            columns = ("stream", "raw_partition", "raw_offset", *more)
            query = (
                f"select raw_partition as p, raw_offset as o {''.join(f', {c}' for c in more)} from piece where {own}"
            )
            reading.into(self._db, f"{fate}_{table}", self.got.tables[f"silver.{fate}"], query, columns, [*where, own])

    def _logs(self) -> None:
        self.got.tables[KPI_LOG.name] = lake.catalog().load_table(KPI_LOG.name)
        for stream in self.got.streams:
            for kpi in stream.kpis:
                self._log(kpi)

    def _log(self, kpi: Kpi) -> None:
        dimensions = [f"dimensions['{d}'] as {d}" for d in kpi.dimensions]
        measures = [f"measures['{m.name}']{'' if is_fraction(m) else '::bigint'} as {m.name}" for m in kpi.measures]
        fields = [
            "revision",
            "final",
            "kpi_partition as kafka_partition",
            "kpi_offset as kafka_offset",
            "epoch_ms(published_at) as published_ms",
        ]
        query = f"select epoch(window_start_at)::bigint as start, {', '.join([*dimensions, *measures, *fields])} from piece where kpi = '{kpi.topic}'"
        columns = (
            "kpi",
            "window_start_at",
            "dimensions",
            "measures",
            "revision",
            "final",
            "kpi_partition",
            "kpi_offset",
            "published_at",
        )
        where = [f"kpi = '{kpi.topic}'", *reading.within("window_start_at", self._span)]
        reading.into(self._db, f"log_{kpi.name}", self.got.tables[KPI_LOG.name], query, columns, where)

    def _mirror(self, kpi: Kpi) -> None:
        columns = (*kpi.dimensions, *(m.name for m in kpi.measures))
        self._gold(kpi.name, "window_start_at", columns)

    def _summary(self, summary: Summary) -> None:
        self._gold(summary.table, summary.time, summary.columns[1:])

    def _gold(self, name: str, time: str, columns: Iterable[str]) -> None:
        query = f"select epoch({time})::bigint as start, {', '.join(columns)} from piece"
        reading.into(
            self._db,
            f"gold_{name}",
            self.got.tables[f"gold.{name}"],
            query,
            (time, *columns),
            reading.within(time, self._span),
        )

    def _wait(self, what: str, behind: Callable[[], list[str]]) -> None:
        deadline = clock.monotonic() + self._wait_s
        with self._console.status(f"waiting for {what}") as status:
            while left := behind():
                if clock.monotonic() > deadline:
                    raise LakeError(
                        f"{what} has not caught up within {self._wait_s:.0f} s", ", ".join(left),
                        "do the workers run? see `riverhouse status`; or give it longer: --wait",
                    )  # fmt: skip
                status.update(f"waiting for {what}: {left[0]}")
                clock.sleep(0.2)


def silver_query(facts: Facts) -> tuple[str, tuple[str, ...]]:
    """The query over rows of silver that gives them as facts have them, and the columns it needs."""
    names = {_in_silver(c): c for c in facts.kept}
    lists = {"hashtags": "list_sort(hashtags) as hashtags"}
    shown = [lists.get(n, f"epoch_ms({n}) as {c}" if c.endswith("_ms") else n) for n, c in names.items()]
    place, needed = "raw_offset as pos, 0 as ordinal, 0 as revision", list[str]()
    if issubclass(facts.stream.clean_event, Revisable):
        place, needed = (
            "cause_offset as pos, cause_ordinal as ordinal, revision",
            ["cause_offset", "cause_ordinal", "revision"],
        )
    columns = ("raw_partition", "raw_offset", *needed, *names)
    return f"select raw_partition as p, raw_offset as o, {place}, {', '.join(shown)} from piece", columns


def _in_silver(column: str) -> str:
    """What silver calls a column of facts."""
    return f"{column.removesuffix('_ms')}_at" if column.endswith("_ms") else column

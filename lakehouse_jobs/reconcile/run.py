"""One run: read everything, then every check of a business, in the order in which data flows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import duckdb
from rich.console import Console

from lakehouse_jobs import fences
from lakehouse_jobs.reconcile import checks, gauges, live, rankings
from lakehouse_jobs.reconcile.compare import Question, Result, compare
from lakehouse_jobs.reconcile.gather import MIRRORED, Gathered, Gathering
from lakehouse_jobs.reconcile.live import Span
from lakehouse_jobs.reconcile.recomputed import Recomputed, Summary
from lakehouse_jobs.tables import KPI_LOG
from riverhouse import clock
from riverhouse.settings import load
from topics.contract import ORDINALS, Kpi, Revisable, Stream

DAY_S = 86_400


def run(db: duckdb.DuckDBPyConnection, what: Recomputed, span: Span, wait_s: float, console: Console) -> list[Result]:
    """The results of all checks. LakeError where something that should run does not."""
    gathering = Gathering(db, what, span, wait_s, console)
    got = gathering.all()
    kept_since_ms = int((clock.unix() - (load().kafka.retention_days - 1) * DAY_S) * 1000)
    results: list[Result] = []
    for facts in gathering.facts:
        stream = facts.stream
        results += [
            checks.bronze(db, stream, got.first[stream.prefix], got.last[stream.prefix]),
            checks.fates(db, stream, got.first[stream.prefix], got.done[stream.prefix]),
            checks.silver(db, stream, facts.kept, got.done[stream.prefix]),
        ]
    for kpi, stream in ((k, s) for s in got.streams for k in s.kpis):
        results += _figure(db, got, kpi, stream, span, kept_since_ms, what.over_all.get(kpi.name))
    for ranking, stream in ((r, s) for s in got.streams for r in s.rankings):
        results.append(rankings.check(db, ranking, stream, got.done[stream.prefix], span, kept_since_ms))
    for gauge, stream in gathering.gauges:
        for check in (gauges.check, gauges.check_view):
            results.append(check(db, gauge, stream, got.done[stream.prefix], what.gauges[gauge.name]))
    results += [_summary(db, got, s, span) for s in gathering.summaries]
    return [r if r.compared or r.note else _empty(r, span) for r in results]


def _figure(
    db: duckdb.DuckDBPyConnection,
    got: Gathered,
    kpi: Kpi,
    stream: Stream,
    span: Span,
    kept_since_ms: int,
    query: str | None,
) -> Iterator[Result]:
    done = got.done[stream.prefix]
    if query is None:
        yield live.check(db, kpi, stream, done, span, kept_since_ms)
    else:
        yield live.check_over_all(db, kpi, stream, done, span, query)
    if kpi.name in MIRRORED:
        yield _mirror(db, got, kpi, stream, span, query)
    yield checks.kpi_log(db, kpi, got.fence(KPI_LOG.name, kpi.topic), kept_since_ms)


def _mirror(
    db: duckdb.DuckDBPyConnection, got: Gathered, kpi: Kpi, stream: Stream, span: Span, query: str | None
) -> Result:
    subject = f"gold.{kpi.name}"
    if split := _in_one_piece(db, got, stream, subject):
        return split
    bounds = got.as_of(subject, stream)
    if query is None:
        return checks.mirror(db, kpi, stream, bounds, span)
    return checks.over_all(db, kpi, stream, bounds, span, query)


def _summary(db: duckdb.DuckDBPyConnection, got: Gathered, summary: Summary, span: Span) -> Result:
    stream, subject = summary.stream, f"gold.{summary.table}"
    if split := _in_one_piece(db, got, stream, subject):
        return split
    bounds = got.as_of(subject, stream)
    facts = f"facts as ({live.in_force(stream, bounds)})"
    expected = f"with {facts}, answer as ({summary.query}) from answer where {span.holds()}"
    found = f"from gold_{summary.table}"
    return compare(db, Question("gold", subject, expected, found, summary.key, summary.figures, live.told(bounds)))


def _in_one_piece(db: duckdb.DuckDBPyConnection, got: Gathered, stream: Stream, table: str) -> Result | None:
    """None; or, where a gold table's fence stands between the revisions that one version made, that it cannot be compared now."""
    if not issubclass(stream.clean_event, Revisable):
        return None
    for p, at in got.fence(table, stream.clean.name, fences.AS_OF).items():
        cause, ordinal = divmod(at, ORDINALS)
        more = f"select 1 from silver_{stream.table} where p = {p} and pos = {cause} and ordinal > {ordinal} limit 1"
        if db.execute(more).fetchone():
            return Result("gold", table, note="made in the middle of a version's revisions: the next run compares it")
    return None


def _empty(result: Result, span: Span) -> Result:
    """A check that compared nothing has failed, unless the span leaves nothing to compare."""
    if span:
        return dataclasses.replace(result, note="nothing lies between --since and --until")
    return dataclasses.replace(result, different=1, note="there was nothing to compare: an empty table proves nothing")

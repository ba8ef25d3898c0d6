"""The checks of one stream, each a function from what was read to a `Result`: bronze, silver, KPI log and gold."""

from __future__ import annotations

import duckdb

from lakehouse_jobs.reconcile.compare import SHOWN_MAX, Difference, Question, Result, compare
from lakehouse_jobs.reconcile.figures import changes, shown
from lakehouse_jobs.reconcile.live import Offsets, Span, in_force, nonzero, told, upto
from topics.contract import Kpi, Stream


def bronze(db: duckdb.DuckDBPyConnection, stream: Stream, first: Offsets, last: Offsets) -> Result:
    """Every offset once: from `first` (or where bronze begins, if that is earlier) to `last`, of each raw partition."""
    ends = ", ".join(f"({p}, {first.get(p, 0)}, {end})" for p, end in last.items())
    db.execute(f"""
        create or replace temp table gaps as
        with ends(p, first, last) as (values {ends}), held as (
            select e.p, least(e.first, coalesce(min(r.o), e.first)) - 1 as o, e.last
            from ends e left join raw_{stream.table} r on r.p = e.p group by e.p, e.first, e.last
        ), offsets as (
            select p, o from raw_{stream.table} where o <= {upto(last)} union all select p, o from held union all select p, last + 1 from held
        )
        select p, o, lag(o) over (partition by p order by o) as before from offsets
        qualify o - before <> 1
    """)
    row = db.execute(
        "select coalesce(sum(o - before - 1) filter (o > before), 0), count(*) filter (o = before) from gaps"
    ).fetchone()
    missing, repeated = (int(n) for n in row) if row else (0, 0)
    found = db.execute(f"select p, before, o from gaps order by all limit {SHOWN_MAX}").fetchall()
    (compared,) = db.execute(f"select count(*) from raw_{stream.table} where o <= {upto(last)}").fetchone() or (0,)
    return Result(
        "bronze", f"bronze.{stream.table}", int(compared), missing + repeated, missing, repeated,
        tuple(_gap(*gap) for gap in found), told(last),
    )  # fmt: skip


def _gap(partition: int, before: int, offset: int) -> Difference:
    if offset == before:
        return Difference(f"partition {partition}, offset {offset}", "", "once", "again")
    span = f"offset {before + 1}" if offset - before == 2 else f"offsets {before + 1} to {offset - 1}"
    return Difference(f"partition {partition}, {span}", "", "a record", "none")


def fates(db: duckdb.DuckDBPyConnection, stream: Stream, first: Offsets, done: Offsets) -> Result:
    """Every raw record from `first` to `done` has one fate: clean, duplicate, rejected, or it told of a version."""
    table = stream.table
    ends = f"o between {upto(first)} and {upto(done)}"
    sources = {
        "clean": f"(from silver_{table} where revision = 0)",
        "duplicate": f"duplicates_{table}",
        "rejected": f"quarantine_{table}",
    }
    of_version = f"select p, o, 'reference' as fate from (select p, o from raw_{table} where told is not null) anti join quarantine_{table} using (p, o)"
    caused = " union all ".join(
        [*(f"select p, o, '{fate}' as fate from {source}" for fate, source in sources.items()), of_version]
    )
    expected = f"select p as raw_partition, o as raw_offset, 1 as fates from raw_{table} where {ends}"
    found = (
        f"select p as raw_partition, o as raw_offset, count(*)::int as fates from ({caused}) where {ends} group by all"
    )
    return compare(
        db, Question("ledger", stream.prefix, expected, found, ("raw_partition", "raw_offset"), ("fates",), told(done))
    )


def silver(db: duckdb.DuckDBPyConnection, stream: Stream, columns: tuple[str, ...], bounds: Offsets) -> Result:
    """The accepted events by position, and the columns that figures depend on, up to the offsets `bounds`."""
    names = ", ".join(columns)
    expected = f"select p as raw_partition, o as raw_offset, {names} from ({in_force(stream, bounds)})"
    read = f"select p, min(o) as first from raw_{stream.table} group by p"
    found = f"""
        select p as raw_partition, o as raw_offset, {names} from silver_{stream.table} join ({read}) using (p)
        where o >= first and pos <= {upto(bounds)}
        qualify row_number() over (partition by p, o order by pos desc, ordinal desc) = 1
    """
    key = ("raw_partition", "raw_offset")
    return compare(db, Question("silver", f"silver.{stream.table}", expected, found, key, columns, told(bounds)))


def mirror(db: duckdb.DuckDBPyConnection, kpi: Kpi, stream: Stream, bounds: Offsets, span: Span) -> Result:
    """The gold table of a KPI's name, read into `gold_<kpi>`, against all facts up to its fence."""
    cell = ["start", *kpi.dimensions]
    figures = ", ".join(f"{e} as {n}" for n, e in shown(kpi).items())
    expected = f"""
        select {", ".join(cell)}, {figures} from ({changes(kpi, stream, in_time=False)}) c
        where pos <= {upto(bounds)} and {span.holds()} group by {", ".join(cell)} having sum(sign) > 0
    """
    measures = [m.name for m in kpi.measures]
    return compare(
        db, Question("gold", f"gold.{kpi.name}", expected, f"from gold_{kpi.name}", cell, measures, told(bounds))
    )


def over_all(
    db: duckdb.DuckDBPyConnection, kpi: Kpi, stream: Stream, bounds: Offsets, span: Span, query: str
) -> Result:
    """The same by a query over all facts; rows that show nothing but zeros stand for nothing."""
    cell, measures = ["start", *kpi.dimensions], [m.name for m in kpi.measures]
    expected = f"with facts as ({in_force(stream, bounds)}), answer as ({query}) from answer where {span.holds()}"
    found = f"from gold_{kpi.name} where {nonzero(measures)}"
    return compare(db, Question("gold", f"gold.{kpi.name}", expected, found, cell, measures, told(bounds)))


def kpi_log(db: duckdb.DuckDBPyConnection, kpi: Kpi, fence: Offsets, kept_since_ms: int) -> Result:
    """The newest revision of each cell in the KPI log, read into `log_<kpi>`, against the topic up to the log's fence.

    What is no longer in the topic is left out: cells that changed since (it was compacted), and what was published before
    `kept_since_ms` (it is too old).
    """
    cell = ", ".join(["start", *kpi.dimensions])
    figures = [*(m.name for m in kpi.measures), "revision", "final"]
    newest = f"qualify row_number() over (partition by {cell} order by revision desc, kafka_offset desc) = 1"
    taken = f"kafka_offset <= {upto(fence, 'kafka_partition')}"
    expected = f"from records_{kpi.name} where {taken} {newest}"
    compacted = f"select {cell} from live_{kpi.name} where not ({taken}) except select {cell} from records_{kpi.name} where {taken}"
    found = f"""
        from log_{kpi.name} anti join ({compacted}) using ({cell})
        where published_ms >= {kept_since_ms} or ({cell}) in (select ({cell}) from live_{kpi.name}) {newest}
    """
    return compare(db, Question("kpi log", kpi.topic, expected, found, cell.split(", "), figures, told(fence)))

"""The live KPI topics: of each cell the newest record, held against the facts up to the offsets that it says it is true for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from lakehouse_jobs.reconcile.compare import Question, Result, compare
from lakehouse_jobs.reconcile.figures import changes, shown
from topics.contract import Kpi, Revisable, Stream, is_fraction

RECORDS = pa.schema([("partition", pa.int64()), ("offset", pa.int64()), ("value", pa.binary())])
EVER = (-(2**53), 2**53)
Offsets = Mapping[int, int]


@dataclass(frozen=True)
class Span:
    """The windows that are compared, by their start in seconds: from `since`, before `until`."""

    since: int = EVER[0]
    until: int = EVER[1]

    def __bool__(self) -> bool:
        """Whether it leaves windows out."""
        return (self.since, self.until) != EVER

    def holds(self, start: str = "start") -> str:
        return f"{start} >= {self.since} and {start} < {self.until}"


def upto(bounds: Mapping[int, int], partition: str = "p") -> str:
    """The last offset that counts of a row's partition, as an expression."""
    cases = " ".join(f"when {p} then {offset}" for p, offset in bounds.items())
    return f"(case {partition} {cases} else -1 end)" if cases else "-1"


def create(db: duckdb.DuckDBPyConnection, kpi: Kpi) -> None:
    """An empty table `records_<kpi>`."""
    columns = [f"{d} text" for d in kpi.dimensions]
    columns += [f"{m.name} {'double' if is_fraction(m) else 'bigint'}" for m in kpi.measures]
    state = "as_of map(text, bigint), revision bigint, final boolean, kafka_partition bigint, kafka_offset bigint"
    db.execute(f"create table records_{kpi.name} (start bigint, {', '.join([*columns, state])})")


def take(db: duckdb.DuckDBPyConnection, kpi: Kpi, records: pa.Table, span: Span) -> None:
    """Read records of the topic (`RECORDS`), in any order."""
    names = [*kpi.dimensions, *(m.name for m in kpi.measures)]
    types = {
        **dict.fromkeys(kpi.dimensions, "VARCHAR"),
        **{m.name: "DOUBLE" if is_fraction(m) else "BIGINT" for m in kpi.measures},
    }
    types |= {
        "window_start_at": "TIMESTAMPTZ",
        "as_of": "MAP(VARCHAR, BIGINT)",
        "revision": "BIGINT",
        "final": "BOOLEAN",
    }
    shape = "{" + ", ".join(f'"{n}": "{t}"' for n, t in types.items()) + "}"
    db.register("records", records)
    values = f"""select "partition", "offset", from_json(decode(value), '{shape}') as v from records where value is not null"""
    fields = ", ".join(f"v.{n}" for n in [*names, "as_of", "revision", "final"])
    db.execute(f"""
        insert into records_{kpi.name}
        from (select epoch(v.window_start_at)::bigint as start, {fields}, "partition", "offset" from ({values})) where {span.holds()}
    """)


def settle(db: duckdb.DuckDBPyConnection, kpi: Kpi) -> None:
    """A table `live_<kpi>`: of each cell the newest record."""
    cell = ", ".join(["start", *kpi.dimensions])
    db.execute(f"""
        create table live_{kpi.name} as from records_{kpi.name}
        qualify row_number() over (partition by {cell} order by revision desc, kafka_offset desc) = 1
    """)


def check(
    db: duckdb.DuckDBPyConnection, kpi: Kpi, stream: Stream, bounds: Offsets, span: Span, kept_since_ms: int = 0
) -> Result:
    """Each cell of `live_<kpi>` against the facts up to its own `as_of`, and no less than `bounds`, the offsets that were done.

    A cell that did not change since `kept_since_ms` (broker's time) may be gone from the topic.
    """
    cell = ["start", *kpi.dimensions]
    figures = ", ".join(f"{e} as {n}" for n, e in shown(kpi).items())
    reach = f"greatest({upto(bounds, 'c.p')}, coalesce(l.as_of[c.p::text], -1))"
    expected = f"""
        select {", ".join(cell)}, {figures}, max(c.at_ms) as newest_ms
        from ({changes(kpi, stream, in_time=True)}) c
        left join (select {", ".join(cell)}, as_of from live_{kpi.name}) l using ({", ".join(cell)})
        where c.pos <= {reach} and {span.holds()} group by {", ".join(cell)}
    """
    measures = [m.name for m in kpi.measures]
    excused = f"e.newest_ms < {kept_since_ms}"
    return compare(
        db, Question("live", kpi.topic, expected, f"from live_{kpi.name}", cell, measures, told(bounds), excused)
    )


def check_over_all(
    db: duckdb.DuckDBPyConnection, kpi: Kpi, stream: Stream, bounds: Offsets, span: Span, query: str
) -> Result:
    """The same by a query over all facts up to `bounds`. A cell that has moved on since is left to the next run.

    Cells that show nothing but zeros stand for nothing.
    """
    cell = ", ".join(["start", *kpi.dimensions])
    measures = [m.name for m in kpi.measures]
    moved = f"""
        select {cell} from (select {cell}, unnest(map_entries(as_of)) as e from live_{kpi.name})
        where e.value > {upto(bounds, "e.key::int")}
    """
    expected = f"""
        with facts as ({in_force(stream, bounds)}), answer as ({query})
        from answer anti join ({moved}) using ({cell}) where {span.holds()}
    """
    found = f"from live_{kpi.name} anti join ({moved}) using ({cell}) where {nonzero(measures)}"
    return compare(db, Question("live", kpi.topic, expected, found, cell.split(", "), measures, told(bounds)))


def in_force(stream: Stream, bounds: Offsets) -> str:
    """A query of the facts in force as of some offsets: each event once, as it then stood."""
    rows = f"from facts_{stream.table} where sign = 1 and pos <= {upto(bounds)}"
    return (
        f"{rows} qualify pos = max(pos) over (partition by p, o)" if issubclass(stream.clean_event, Revisable) else rows
    )


def nonzero(measures: Iterable[str]) -> str:
    return f"({' or '.join(f'{m} <> 0' for m in measures)})"


def told(bounds: Offsets) -> dict[str, int]:
    """Offsets as `as_of` tells them."""
    return {str(p): offset for p, offset in bounds.items()}

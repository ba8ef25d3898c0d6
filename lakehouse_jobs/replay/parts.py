"""What of each table a replay compares: which rows, which columns, and how people find a row again.

A **verbatim** side has the positions of the live log, so bronze, silver, duplicates and quarantine must be equal in every column but
bronze's time of ingestion; of the KPI log the newest revision of each cell must have the same measures (`as_of`, `revision`
and `final` also tell of batches and of the clock). A **spread** side has other positions: compared are the rows in force without
positions, causes, revision counts and lateness; of derived events, which are made anew in another order, also without
running figures. A replay that **begins late** does not know what came before: compared are streams whose events name no
reference data, without lateness, running figures, and events that were accepted before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyiceberg.schema import Schema

from lakehouse_jobs import tables
from lakehouse_jobs.replay.span import Span
from lakehouse_jobs.row_hash import NEWEST, READ_TIMES
from lakehouse_jobs.tables import DUPLICATES, KPI_LOG, QUARANTINE, TableSpec
from topics.contract import Revisable, Stream

OFFSETS = ("offset", "raw_offset", "cause_offset", "first_offset")
PLACED = ("raw_partition", *OFFSETS, "cause_ordinal", "revision")  # what another number of partitions changes
NOTHING = "false"


@dataclass(frozen=True)
class Part:
    """Rows of one table: `live` filters those of the live lake (as Iceberg's filters are written), the queries are DuckDB's.

    The queries call the filtered rows `rows`, and what is left out on both sides `excluded`, which `excluded_query` makes of
    live rows. `key` are columns of the answer. A `note` says why there is nothing to compare.
    """

    table: str
    key: tuple[str, ...] = ()
    live: str = NOTHING
    of_live: str = ""
    of_side: str = ""
    excluded_query: str = ""
    excluded_from: str = ""  # the live table that the query reads, and the filter of its rows
    excluded_where: str = ""
    excluded_why: str = "changed since"
    note: str = ""


def of_log(streams: Sequence[Stream], span: Span, *, verbatim: bool) -> Iterator[Part]:
    """Everything but gold's batch tables."""
    judged = [s for s in streams if span.is_whole or not s.references]
    if verbatim:
        yield from (_bronze(s, span) for s in streams)
    for s in streams:
        yield _silver(s, span, verbatim) if s in judged else Part(tables.silver(s).name, note=UNKNOWN)
    for spec in (DUPLICATES, QUARANTINE):
        yield _fates(spec, [s for s in judged if verbatim or not s.derived], span, verbatim)
    yield (
        _figures(streams, span)
        if verbatim and span.is_whole
        else Part(KPI_LOG.name, note=LATENESS if span.is_whole else UNKNOWN)
    )


UNKNOWN = "depends on what came before the replay's beginning"
LATENESS = "what is too late for a live figure depends on the partitions"


def _bronze(stream: Stream, span: Span) -> Part:
    spec = tables.bronze(stream)
    own = span.of(stream)
    live = any_of(f'partition = {p} and "offset" >= {a} and "offset" < {b}' for p, (a, b) in own.items() if a < b)
    columns = [c for c in columns_of(spec.schema) if c not in READ_TIMES["bronze"]]
    shifts = {"offset": _shift("partition", own)} if not span.is_whole else {}
    return Part(spec.name, ("partition", "offset"), live.replace('"', ""), _select(columns, shifts), _select(columns))


def _silver(stream: Stream, span: Span, verbatim: bool) -> Part:
    spec, own = tables.silver(stream), span.of(stream)
    revisable = issubclass(stream.clean_event, Revisable)
    last = "cause_offset" if revisable else "raw_offset"
    live = any_of(f"raw_partition = {p} and raw_offset >= {a} and {last} < {b}" for p, (a, b) in own.items() if a < b)
    columns = [c for c in _kept(columns_of(spec.schema), span, verbatim) if c not in _made_anew(stream, span, verbatim)]
    if verbatim:
        shifts = {c: _shift("raw_partition", own) for c in OFFSETS} if not span.is_whole else {}
        key = (
            ("raw_partition", "raw_offset", "cause_offset", "cause_ordinal")
            if revisable
            else ("raw_partition", "raw_offset")
        )
        return Part(
            spec.name,
            key,
            live,
            _select(columns, shifts, _known(span)),
            _select(columns, {}, _known(span)),
            *_before(stream, span),
        )
    newest = " qualify row_number() over (partition by raw_partition, raw_offset order by cause_offset desc, cause_ordinal desc) = 1"
    query = _select(columns) + (newest if revisable else "")
    return Part(spec.name, ("event_id",), live, query, query)


def _made_anew(stream: Stream, span: Span, verbatim: bool) -> Collection[str]:
    """Columns that tell of what came before, where that is not what came before the live row."""
    if stream.derived and not verbatim:
        return {"ingested_at", *stream.running}  # derived anew: taken in now, and one key's in another order
    return () if span.is_whole else stream.running


def _known(span: Span) -> str:
    return "" if span.is_whole else " where event_id not in (select event_id from excluded)"


def _before(stream: Stream, span: Span) -> tuple[str, ...]:
    """The events that were accepted before the replay begins and came again: the side takes the second for the first."""
    if span.is_whole:
        return ()
    begins = " or ".join(
        f"(raw_partition = {p} and coalesce(first_offset, -1) < {a})" for p, (a, _) in span.of(stream).items()
    )
    return (
        f"select distinct event_id from rows where stream = '{stream.prefix}' and ({begins})",
        DUPLICATES.name,
        "",
        "accepted before",
    )


def _fates(spec: TableSpec, streams: Sequence[Stream], span: Span, verbatim: bool) -> Part:
    live = any_of(
        f"stream = '{s.prefix}' and raw_partition = {p} and raw_offset >= {a} and raw_offset < {b}"
        for s in streams for p, (a, b) in span.of(s).items() if a < b
    )  # fmt: skip
    columns = _kept(columns_of(spec.schema), span, verbatim)
    told = f"stream in ({', '.join(repr(s.prefix) for s in streams)})"
    if not span.is_whole and verbatim and spec is DUPLICATES:
        return Part(spec.name, note=UNKNOWN)
    if verbatim:
        shifts = {"raw_offset": _shift_of_streams(streams, span)} if not span.is_whole else {}
        query = _select(columns, {}, f" where {told}")
        return Part(
            spec.name,
            ("stream", "raw_partition", "raw_offset"),
            live,
            _select(columns, shifts, f" where {told}"),
            query,
        )
    control = " and not coalesce(list_contains(map_keys(headers), 'reference'), false)" if spec is QUARANTINE else ""
    query = _select(columns, {}, f" where {told}{control}")
    return Part(spec.name, ("stream", "event_id") if spec is DUPLICATES else ("stream", "value"), live, query, query)


def _figures(streams: Sequence[Stream], span: Span) -> Part:
    topics = {k.topic: s for s in streams for k in s.kpis}
    if not topics:
        return Part(KPI_LOG.name, note="there are no windowed figures")
    live = "kpi in ({})".format(", ".join(f"'{t}'" for t in sorted(topics)))
    ends = ", ".join(f"('{t}', '{p}', {end})" for t, s in topics.items() for p, (_, end) in span.of(s).items())
    moved = f"""
        select distinct figures.kpi, window_start_at, cell from (
          select kpi, window_start_at, dimensions::varchar as cell, unnest(map_entries(as_of)) as reached from rows
        ) as figures join (values {ends}) as ends (kpi, raw_partition, raw_offset)
        on figures.kpi = ends.kpi and reached.key = raw_partition and reached.value >= raw_offset"""
    query = f"""
        select kpi, window_start_at, dimensions, measures from ({NEWEST}) as newest where not exists (select 1 from excluded
        where excluded.kpi = newest.kpi and excluded.window_start_at = newest.window_start_at and cell = dimensions::varchar)"""
    return Part(KPI_LOG.name, ("kpi", "window_start_at", "dimensions"), live, query, query, moved, KPI_LOG.name, live)


def _kept(columns: Collection[str], span: Span, verbatim: bool) -> list[str]:
    gone = {*(() if verbatim else PLACED), *(() if verbatim and span.is_whole else ("late_by_seconds",))}
    return [c for c in columns if c not in gone]


def _select(columns: Iterable[str], shifts: dict[str, str] | None = None, where: str = "") -> str:
    shown = (f'"{c}" - {shifts[c]} as "{c}"' if shifts and c in shifts else f'"{c}"' for c in columns)
    return f"select {', '.join(shown)} from rows{where}"


def _shift(partition: str, own: dict[int, tuple[int, int]]) -> str:
    """SQL: where a side that begins late has its first record."""
    return f'(case "{partition}" ' + " ".join(f"when {p} then {a}" for p, (a, _) in own.items()) + " end)"


def _shift_of_streams(streams: Iterable[Stream], span: Span) -> str:
    cases = (f"when '{s.prefix}' then {_shift('raw_partition', span.of(s))}" for s in streams)
    return f"(case stream {' '.join(cases)} end)"


def any_of(conditions: Iterable[str]) -> str:
    """One of the conditions; false where there are none."""
    return " or ".join(f"({c})" for c in conditions) or NOTHING


def columns_of(schema: Schema) -> list[str]:
    """A table's own columns, without the fields inside them."""
    return [f.name for f in schema.fields]

"""What of gold a replay compares.

A gold table is a function of silver. It is compared as a whole where nothing in silver lies beyond the replayed records; where the
live lake has moved on, a table made window by window from one stream is compared without the windows that have got new rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pyiceberg.table import Table

from lakehouse_jobs import cut, fences, tables
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.gold import BY_NAME
from lakehouse_jobs.gold_table import GoldTable
from lakehouse_jobs.replay.parts import PLACED, UNKNOWN, Part, any_of, columns_of
from lakehouse_jobs.replay.span import Span
from lakehouse_jobs.tables import GOLD_TABLES
from topics.contract import Revisable, Stream

MOVED = "the live lake has moved on, and this table is not made window by window of one stream"
BEHIND = "live gold has not come as far as the replay"
ARRIVAL = "says how events arrived: another number of partitions changes that"


def of_gold(businesses: Collection[str], live: Mapping[str, Table], span: Span, *, verbatim: bool) -> Iterator[Part]:
    """A part for each gold table of the businesses, in the order in which they are made."""
    wanted = set().union(*map(tables.of_business, businesses))
    for table in GOLD_TABLES:
        name = f"gold.{table.name}"
        if name not in wanted:
            continue
        if not span.is_whole:
            yield Part(name, note=UNKNOWN)
        elif not verbatim and (table.by_arrival or set(table.key) & set(PLACED)):
            yield Part(name, note=ARRIVAL)
        elif lagging(table, live, span):
            yield Part(name, note=BEHIND)
        else:
            yield _part(table, live, span, verbatim)


def _part(table: GoldTable, live: Mapping[str, Table], span: Span, verbatim: bool) -> Part:
    name = f"gold.{table.name}"
    gone = () if verbatim else PLACED
    columns = [c for c in columns_of(table.schema) if c not in gone and (verbatim or not c.startswith("late_"))]
    query = f"select {', '.join(columns)} from rows"
    moved = {s: where for s in streams_of(table) if (where := _beyond(s, live, span))}
    if not moved:
        return Part(name, table.key, "", query, query)
    source, *more = table.sources
    plain = isinstance(source.reads, Stream) and not (source.before or source.after or source.changed or source.onward)
    if more or not plain or table.window is None or source.column != "event_at" or not isinstance(source.reads, Stream):
        return Part(name, note=MOVED)
    seconds = int(table.window.total_seconds())
    windows = (
        f"select distinct to_timestamp(epoch(event_at)::bigint // {seconds} * {seconds}) as window_start_at from rows"
    )
    query += " anti join excluded using (window_start_at)"
    silver = tables.silver(source.reads).name
    return Part(name, table.key, "", query, query, windows, silver, moved[source.reads])


def streams_of(table: GoldTable) -> set[Stream]:
    """The streams that a gold table is made from, through other gold tables too."""
    own = {s.reads for s in table.sources if isinstance(s.reads, Stream)}
    others = (BY_NAME[s.reads] for s in table.sources if isinstance(s.reads, str) and s.reads != table.name)
    return own.union(*map(streams_of, others))


def lagging(table: GoldTable, live: Mapping[str, Table], span: Span) -> bool:
    """Whether silver holds something of the span that a live gold table was not yet computed from."""
    as_of = fences.read(live[f"gold.{table.name}"], fences.AS_OF)
    goal: Fence = {}
    for stream in streams_of(table):
        fence = fences.read(live[tables.silver(stream).name])
        last = {f"{stream.clean.name}/{p}": cut.last(stream, end - 1) for p, (_, end) in span.of(stream).items()}
        goal |= {log: min(at, last.get(log, at)) for log, at in fence.items()}
    return any(as_of.get(log, -1) < at for log, at in goal.items())


def _beyond(stream: Stream, live: Mapping[str, Table], span: Span) -> str:
    """The filter of silver's rows that records beyond the span made; empty where there are none."""
    spec, topic = tables.silver(stream).name, stream.clean.name
    fence = fences.read(live[spec])
    column = "cause_offset" if issubclass(stream.clean_event, Revisable) else "raw_offset"
    ends = {p: end for p, (_, end) in span.of(stream).items()}
    reached = {p: cut.cause(stream, topic, fence.get(f"{topic}/{p}", -1)) for p in ends}
    beyond = [f"raw_partition = {p} and {column} >= {end}" for p, end in ends.items() if reached[p] >= end]
    return any_of(beyond) if beyond else ""

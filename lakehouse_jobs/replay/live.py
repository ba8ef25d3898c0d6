"""The live side of a replay: waiting until its lake has what was replayed, and giving its place to the side."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console

from lakehouse_jobs import ledger, positions, restore, sides, tables
from lakehouse_jobs.fences import Fence
from lakehouse_jobs.gold import BY_NAME
from lakehouse_jobs.gold_table import GoldTable
from lakehouse_jobs.past import SHARED
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.replay.comparison import Result
from lakehouse_jobs.replay.gold_parts import lagging
from lakehouse_jobs.replay.report import agrees
from lakehouse_jobs.replay.span import Span
from lakehouse_jobs.tables import KPI_LOG
from riverhouse import addresses, businesses, clock
from topics import progress
from topics.contract import Stream

WAIT_S = 300.0
GOLD_WAIT_S = 300.0  # what has not come so far then is named as not compared


def wait(streams: Sequence[Stream], span: Span, of: Collection[str]) -> None:
    """Return when the live workers and the sink have come to the span's ends, and gold too, or not in time.

    LakeError where workers or sink do not get there: then live rows would only seem to be missing.
    """
    deadline = clock.monotonic() + WAIT_S
    while behind := _undone(streams, span):
        if clock.monotonic() > deadline:
            hint = "are the live workers running? see `riverhouse status`"
            raise LakeError(f"the live workers have not got there within {WAIT_S:.0f} s", ", ".join(behind[:5]), hint)
        clock.sleep(0.5)
    with Console(quiet=True) as quiet:
        ledger.wait_for_sink(_targets(streams, span), quiet, WAIT_S)
    deadline = clock.monotonic() + GOLD_WAIT_S
    wanted = set().union(*map(tables.of_business, of))
    gold = [t for name, t in BY_NAME.items() if f"gold.{name}" in wanted]
    while clock.monotonic() < deadline and _lagging(gold, span):
        clock.sleep(1)


def _lagging(gold: Sequence[GoldTable], span: Span) -> bool:
    live = sides.tables(addresses.CATALOG) if gold else {}
    return any(lagging(t, live, span) for t in gold)


def _undone(streams: Sequence[Stream], span: Span) -> list[str]:
    done = {k: at for group in {s.group for s in streams} for k, at in progress.committed(group).items()}
    return [
        f"{t}/{p} is at {done.get((t, p), 0)} of {end}" for (t, p), end in span.end.items() if done.get((t, p), 0) < end
    ]


def _targets(streams: Sequence[Stream], span: Span) -> dict[str, Fence]:
    """The fences that the live tables must have reached: what the workers have published of the span."""
    targets: dict[str, Fence] = {}
    for stream in streams:
        ends = {f"{stream.raw.name}/{p}": end - 1 for p, (_, end) in span.of(stream).items() if end}
        targets[tables.bronze(stream).name] = ends
        fed = {
            tables.silver(stream).name: stream.clean,
            "silver.duplicates": stream.duplicates,
            "silver.quarantine": stream.rejected,
        }
        for table, topic in fed.items():
            targets[table] = targets.get(table, {}) | positions.last_causes(topic)
    topics = [t for s in streams for t in s.kpi_topics if t.name in {k.topic for k in s.kpis}]
    targets[KPI_LOG.name] = {
        f"{t.name}/{p}": end - 1 for t in topics for p, end in positions.end_offsets(t).items() if end
    }
    return targets


def swap(name: str, results: Sequence[Result], *, accepted: bool) -> None:
    """Put the side's tables in place of the live ones. LakeError where they differ and that was not accepted."""
    if not (accepted or agrees(results)):
        differing = ", ".join(r.table for r in results if r.differs) or "nothing was compared"
        raise LakeError("the side is not what is live", differing, "if that is what you want: --swap --accept")
    restore.swap(name, hold=False)


def staying() -> frozenset[str]:
    """The tables that no replay takes the place of: the log of live figures tells of live topics, and others are not made."""
    made = set(SHARED).union(*map(tables.of_business, businesses.DOMAINS)) - {KPI_LOG.name}
    return sides.TABLES - made

"""Trino's views: those that analysts wrote (`trino/views/<domain>/*.sql`) and one for each KPI, made from its contract."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from trino.exceptions import TrinoUserError

from lakehouse_jobs import dead_letters, trino_client
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import KPI_LOG
from riverhouse import addresses
from riverhouse.settings import ROOT
from topics.catalogue import KPIS, STREAMS
from topics.contract import Kpi, Latest, Revisable, Stream, is_fraction

FOLDER = ROOT / "trino" / "views"
AT_ONCE = 6
WRITTEN_IN = "analytics"  # the schema of the views that stand in files


@dataclass(frozen=True)
class View:
    """A view: `schema.name`, what it is for, and its query."""

    name: str
    comment: str
    query: str

    @property
    def statement(self) -> str:
        comment = self.comment.replace("'", "''")
        return f"create or replace view {addresses.CATALOG}.{self.name} comment '{comment}' security invoker as\n{self.query}"


def written() -> Iterator[View]:
    """The views in files: `trino/views/tweets/hourly_trends.sql` is `analytics.hourly_trends`; its first comment says what for."""
    for path in sorted(FOLDER.glob("*/*.sql")):
        lines = path.read_text().splitlines()
        comment = " ".join(line.removeprefix("--").strip() for line in lines if line.startswith("--"))
        query = "\n".join(line for line in lines if not line.startswith("--")).strip().rstrip(";")
        yield View(f"{WRITTEN_IN}.{path.stem}", comment, query)


def live(kpi: Kpi) -> View:
    """`gold.live_<kpi>`: of each figure in the KPI log the newest revision, with plain columns."""
    dimensions = [f"element_at(dimensions, '{d}')" for d in kpi.dimensions]
    inner = ["window_start_at", *(f"{e} as {d}" for e, d in zip(dimensions, kpi.dimensions, strict=True))]
    newest = [f"max_by({c}, revision) as {c}" for c in ("window_end_at", "measures", "as_of", "final", "published_at")]
    keys = ", ".join(str(i + 1) for i in range(len(inner)))
    measures = [f"{_typed(kpi, m.name)} as {m.name}" for m in kpi.measures]
    columns = [
        *kpi.dimensions,
        "window_start_at",
        "window_end_at",
        *measures,
        "as_of",
        "revision",
        "final",
        "published_at",
    ]
    rows = (
        f"select {', '.join([*inner, *newest, 'max(revision) as revision'])}\n"
        f"  from {addresses.CATALOG}.{KPI_LOG.name} where kpi = '{kpi.topic}' group by {keys}"
    )
    return View(
        f"gold.live_{kpi.name}",
        f"{kpi.describe} Live: the newest revision of each figure.",
        f"select {', '.join(columns)}\nfrom ({rows})",
    )


def latest(gauge: Latest, stream: Stream) -> View:
    """`gold.live_<gauge>`: of each key the newest event, as its newest revision has it.

    All events of a key are in one raw partition, so the newest has the greatest raw offset.
    """
    table, place = f"{addresses.CATALOG}.silver.{stream.table}", "raw_offset"
    shown = ("event_at", *gauge.values)
    if issubclass(stream.clean_event, Revisable):
        place = "row(raw_offset, cause_offset, cause_ordinal)"
        if gauge.when:  # of any revision; what is shown is the one in force
            kept = [*_newest(shown, "row(cause_offset, cause_ordinal)"), f"bool_or({gauge.when}) as {gauge.when}"]
            of_event = (*gauge.by, "raw_partition", "raw_offset")
            table = f"(select {', '.join((*of_event, *kept))}\n  from {table} group by {', '.join(of_event)})"
            place = "raw_offset"
    columns = ",\n  ".join((*gauge.by, *_newest(shown, place)))
    when = f" where {gauge.when}" if gauge.when else ""
    query = f"select {columns}\nfrom {table}{when}\ngroup by {', '.join(gauge.by)}"
    return View(f"gold.live_{gauge.name}", gauge.describe, query)


def _newest(columns: Iterable[str], place: str) -> list[str]:
    return [f"max_by({c}, {place}) as {c}" for c in columns]


def live_views() -> Iterator[View]:
    """One view for each KPI and each gauge."""
    yield from map(live, KPIS)
    yield from (latest(g, s) for s in STREAMS for g in s.gauges)


def derived() -> Iterator[View]:
    """The views that follow from the contracts."""
    yield from live_views()
    yield View("gold.dead_letters", dead_letters.COMMENT, dead_letters.by_day(STREAMS))


def _typed(kpi: Kpi, measure: str) -> str:
    value = f"element_at(measures, '{measure}')"
    declared = next(m for m in kpi.measures if m.name == measure)
    return value if is_fraction(declared) else f"cast({value} as bigint)"


def create_all() -> list[str]:
    """Create or replace every view, those that follow from contracts first: others may read them. LakeError names the view that Trino refuses."""
    with ThreadPoolExecutor(AT_ONCE) as pool:  # Trino plans each for a while, mostly waiting for the catalogue
        return [done for views in (derived(), written()) for done in list(pool.map(create, views))]


def create(view: View) -> str:
    """Create or replace one view; what was done."""
    try:
        trino_client.query(view.statement)
    except TrinoUserError as e:
        where = FOLDER if view.name.startswith(WRITTEN_IN) else pathlib.Path("topics")
        raise LakeError(
            f"the view {view.name} cannot be created", str(e.message), f"its query comes from {where}"
        ) from e
    return f"view {view.name}"


def main(argv: list[str]) -> int:
    """`create-views`: what was done, a line each."""
    _ = argv
    for line in create_all():
        print(line)
    return 0

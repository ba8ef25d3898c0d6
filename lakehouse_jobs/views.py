"""Trino's views: those that analysts wrote (`trino/views/<domain>/*.sql`) and one for each KPI, made from its contract."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

from trino.exceptions import TrinoUserError

from lakehouse_jobs import trino_client
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.tables import KPI_LOG
from riverhouse import addresses
from riverhouse.settings import ROOT
from topics.catalogue import KPIS
from topics.contract import Kpi, Mean, Total

FOLDER = ROOT / "trino" / "views"
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


def _typed(kpi: Kpi, measure: str) -> str:
    value = f"element_at(measures, '{measure}')"
    declared = next(m for m in kpi.measures if m.name == measure)
    fraction = isinstance(declared, Mean) or (isinstance(declared, Total) and declared.digits > 0)
    return value if fraction else f"cast({value} as bigint)"


def create_all() -> list[str]:
    """Create or replace every view, those of KPIs first: others may read them. LakeError names the view that Trino refuses."""
    done = []
    for view in (*map(live, KPIS), *written()):
        try:
            trino_client.query(view.statement)
        except TrinoUserError as e:
            where = FOLDER if view.name.startswith(WRITTEN_IN) else pathlib.Path("topics")
            raise LakeError(
                f"the view {view.name} cannot be created", str(e.message), f"its query comes from {where}"
            ) from e
        done.append(f"view {view.name}")
    return done


def main(argv: list[str]) -> int:
    """`create-views`: what was done, a line each."""
    _ = argv
    for line in create_all():
        print(line)
    return 0

"""What the runs found: a table of results for people, and `gold.reconciliation_runs` for those who ask later."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from rich.markup import escape
from rich.table import Table
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from lakehouse_jobs import lake
from lakehouse_jobs.reconcile.compare import Result
from lakehouse_jobs.reconcile.live import EVER, Span
from lakehouse_jobs.schema import arrow
from lakehouse_jobs.tables import RECONCILIATION_RUNS

PRINTED_MAX = 5  # differences of one check


def is_clean(results: Sequence[Result]) -> bool:
    return not any(r.different for r in results)


def table(business: str, results: Sequence[Result]) -> Table:
    """A row for each check, the first differences below it."""
    shown = Table(title=f"{business}: what is there against what bronze says", title_justify="left")
    for name in ("check", "what"):
        shown.add_column(name)
    for name in ("compared", "different", "missing", "surplus"):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for r in results:
        state = (
            f"[red]{'EMPTY' if r.note else 'DIFFERS'}[/]"
            if r.different
            else "[yellow]nothing[/]"
            if r.note
            else "[green]OK[/]"
        )
        numbers = (f"{n:,}" for n in (r.compared, 0 if r.note else r.different, r.missing, r.surplus))
        shown.add_row(r.check, escape(r.subject), *numbers, state)
    return shown


def told(results: Sequence[Result]) -> list[str]:
    """A line for each difference, the first of each check; how many more there are; and what was not compared, and why."""
    lines = []
    for r in results:
        lines += [f"{r.check}, {r.subject}: {d}" for d in r.first[:PRINTED_MAX]]
        rows = len({d.key for d in r.first[:PRINTED_MAX]})
        if r.different > rows and not r.note:
            lines.append(f"{r.check}, {r.subject}: and {r.different - rows:,} more that differ")
        if r.note:
            lines.append(f"{r.check}, {r.subject}: {r.note}")
    return lines


@retry(
    retry=retry_if_exception_type(CommitFailedException), wait=wait_random_exponential(multiplier=0.05, max=2), stop=stop_after_attempt(20),
    reraise=True,
)  # fmt: skip
def write(business: str, results: Sequence[Result], span: Span, ran_at: dt.datetime) -> None:
    """Append the results to `gold.reconciliation_runs`."""
    schema = arrow(RECONCILIATION_RUNS.schema)
    run_id = f"{business}/{ran_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    rows = [{"run_id": run_id, "ran_at": ran_at, "business": business, **_span(span), **_row(r)} for r in results]
    columns = [pa.array([row[f.name] for row in rows], f.type) for f in schema]
    lake.catalog().load_table(RECONCILIATION_RUNS.name).append(pa.table(columns, schema=schema))


def _span(span: Span) -> dict[str, dt.datetime | None]:
    ends = {"since": (span.since, EVER[0]), "until": (span.until, EVER[1])}
    return {name: None if at == ever else dt.datetime.fromtimestamp(at, dt.UTC) for name, (at, ever) in ends.items()}


def _row(r: Result) -> dict[str, object]:
    numbers = {n: getattr(r, n) for n in ("compared", "different", "missing", "surplus")}
    detail = "\n".join([*map(str, r.first), *([r.note] if r.note else [])])
    return {"check_name": r.check, "subject": r.subject, **numbers, "detail": detail, "as_of": list(r.as_of.items())}

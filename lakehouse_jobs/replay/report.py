"""What a comparison says to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lakehouse_jobs.replay.comparison import Result


def agrees(results: Iterable[Result]) -> bool:
    """Whether nothing differs and something was compared: an empty comparison shows nothing."""
    results = list(results)
    return not any(r.differs for r in results) and any(r.rows for r in results)


def shown(name: str, results: Sequence[Result], *, whole: bool, verbatim: bool) -> Group:
    """A row for each table that holds anything, then the first rows that differ."""
    title = f"live against the side {name}: " + (
        "the same positions" if verbatim else "rows in force, without positions"
    )
    table = Table("table", "live rows", "side rows", "live hash", "side hash", "", title=title, title_justify="left")
    for r in results:
        if r.live is not None and r.side is not None and r.rows:
            state = "[red]DIFFERS[/]" if r.differs else "[green]equal[/]"
            state += f" ({r.note})" if r.note else ""
            table.add_row(
                r.table, f"{r.live.rows:,}", f"{r.side.rows:,}", r.live.digest[:12], r.side.digest[:12], state
            )
    lines = [f"not compared: {r.table}: {r.note}" for r in results if r.note and not r.rows]
    lines += [f"{r.table} {example}" for r in results for example in r.examples]
    if not whole:
        lines.append("the replay begins late: compared are rows that do not depend on what came before")
    lines.append(_verdict(results))
    return Group(table, *map(Text, lines))


def _verdict(results: Sequence[Result]) -> str:
    if not results:
        return "nothing was compared"
    if differing := [r.table for r in results if r.differs]:
        return f"{len(differing)} tables differ: {', '.join(differing)}"
    if not agrees(results):
        return "there was nothing to compare: no table holds a row"
    return "no difference"


def kept(name: str) -> str:
    """How to look at a side that stays, and how to remove it."""
    return f"the side {name} stays; remove it: riverhouse restore --drop {name}"

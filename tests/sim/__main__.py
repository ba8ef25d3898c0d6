"""`python -m tests.sim --seeds 1000`: many simulated runs on all processors; a table of what there was, or what went wrong."""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.sim.scenarios import SCENARIOS, play_all

COLUMNS = ("runs", "crashes", "restored", "torn", "paused", "generations", "steps")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(SCENARIOS)))
@click.option("--seeds", default=1000, help="how many runs, shared out among the scenarios")
@click.option("--seed", type=int, help="the run of this seed alone")
@click.option("--first", default=0, help="the first seed")
def main(names: tuple[str, ...], seeds: int, seed: int | None, first: int) -> None:
    """Simulate runs of the scenarios NAMES, or of all."""
    chosen = names or tuple(SCENARIOS)
    shares = sum(SCENARIOS[n].share for n in chosen)
    each = {n: -(-seeds * SCENARIOS[n].share // shares) for n in chosen}
    wanted = {n: range(first, first + each[n]) if seed is None else [seed] for n in chosen}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    started = time.monotonic()
    try:
        with Progress(transient=True, console=Console(stderr=True)) as progress:
            task = progress.add_task("runs", total=sum(map(len, wanted.values())))
            for name, counted in play_all(wanted):
                counts[name] += counted
                progress.advance(task, counted["runs"])
    except AssertionError as e:
        sys.exit("\n".join([str(e), *getattr(e, "__notes__", ())]))
    show(counts, time.monotonic() - started)


def show(counts: dict[str, Counter[str]], seconds: float) -> None:
    table = Table("scenario", *COLUMNS, title=f"Every number right after every run: {seconds:.0f} s", show_footer=True)
    for name, counted in counts.items():
        table.add_row(name, *(f"{counted[c]:,}" for c in COLUMNS))
    total = sum(counts.values(), Counter())
    table.columns[0].footer = "all"
    for column, name in zip(table.columns[1:], COLUMNS, strict=True):
        column.footer = f"{total[name]:,}"
        column.justify = "right"
    Console().print(table)


if __name__ == "__main__":
    main()

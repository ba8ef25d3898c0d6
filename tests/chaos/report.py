"""What a run prints at its end."""

from __future__ import annotations

import statistics
from collections import defaultdict

from rich.console import Console
from rich.table import Table

from tests.chaos.memory import bounds_mb
from tests.chaos.run import Outcome


def show(console: Console, outcome: Outcome) -> None:
    """Tables of what was done, of recoveries, of checks and memory; then what is wrong, if anything."""
    done = ", ".join(f"{n} x {kind}" for kind, n in sorted(outcome.done.items()))
    events = ", ".join(f"{n:,} of {b}" for b, n in outcome.events.items())
    console.print(f"\nseed {outcome.seed}: {events}; {done}; {outcome.seconds:.0f} s", highlight=False)
    for table in (_recoveries(outcome), _checks(outcome), _memory(outcome)):
        console.print(table)
    if outcome.not_done:
        console.print(f"not done: {outcome.not_done}")
    for line in outcome.wrong:
        console.print(f"wrong: {line}", style="red", markup=False, highlight=False)


def repeat(outcome: Outcome, rate: float) -> str:
    """The command that does the same again."""
    return f"make chaos N={outcome.wanted} SEED={outcome.seed} RATE={rate:g}"


def _recoveries(outcome: Outcome) -> Table:
    table = Table("what was hit", "what moved again", title="recoveries: seconds until the numbers moved again")
    for name in ("times", "p50", "worst"):
        table.add_column(name, justify="right")
    by: dict[tuple[str, str], list[float]] = defaultdict(list)
    for r in outcome.recoveries:
        by[f"{r.what} {r.target}", r.probe].append(r.took_s)
    for (what, probe), took in sorted(by.items()):
        table.add_row(what, probe, str(len(took)), f"{statistics.median(took):.1f}", f"{max(took):.1f}")
    everything = [r.took_s for r in outcome.recoveries]
    if everything:
        table.add_section()
        table.add_row("all", "", str(len(everything)), f"{statistics.median(everything):.1f}", f"{max(everything):.1f}")
    return table


def _checks(outcome: Outcome) -> Table:
    table = Table("check", "found", "", title="checks")
    for c in outcome.checked:
        table.add_row(c.name, c.found[:90].replace("[", r"\["), "[green]OK[/]" if c.right else "[red]WRONG[/]")
    return table


def _memory(outcome: Outcome) -> Table:
    table = Table("service", "most", "bound", title="memory, MB")
    bound = bounds_mb()
    for name, most in sorted(outcome.memory.items()):
        table.add_row(name, f"{most:,.0f}", f"{bound.get(name, bound.get(name.split('-')[0], 0)):,.0f}")
    return table

"""`make chaos`: the whole stack under a seeded schedule of kills, pauses, restarts and full disks; exit code 1 where a number changed."""

from __future__ import annotations

import contextlib
import pathlib
import random
import shutil
import signal
import sys
import tempfile

import click
from rich.console import Console

from tests.chaos import report, schedule
from tests.chaos.run import run


@click.command(context_settings={"show_default": True})
@click.option("-n", "--events", default=100_000, help="tweets of a run; AnimeVerse's events flow beside them")
@click.option("--seed", type=int, help="of the schedule and the events [drawn]")
@click.option("--runs", default=1, help="so many runs, with the seeds that follow")
@click.option("--rate", default=400.0, help="tweets a second")
@click.option("--plan", is_flag=True, help="print the schedule and do nothing")
@click.option("--need-disk", is_flag=True, help="fail where no small disk can be mounted")
@click.option("--keep", is_flag=True, help="keep the run's folder, whatever came of it")
def main(events: int, seed: int | None, runs: int, rate: float, plan: bool, need_disk: bool, keep: bool) -> None:
    """Chaos, then the books."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that stack and disks are put away
    first = random.randrange(100_000) if seed is None else seed
    console = Console(width=None if sys.stdout.isatty() else 150, soft_wrap=True, highlight=False)
    failed: list[str] = []
    for number in range(first, first + runs):
        if plan:
            console.print(*map(str, schedule.make(number, events)), sep="\n")
            continue
        home = pathlib.Path(tempfile.mkdtemp(prefix=f"riverhouse-chaos-{number}-"))
        console.print(f"run with seed {number} in {home}")
        outcome = run(home, number, events, rate, lambda line: console.print(line, markup=False))
        if need_disk and outcome.not_done:
            outcome.wrong.append(outcome.not_done)
        report.show(console, outcome)
        if outcome.wrong:
            failed.append(report.repeat(outcome, rate))
            console.print(f"seed {number} failed; its logs are in {home / 'log'}\nrepeat it: {failed[-1]}", style="red")
        elif not keep:
            with contextlib.suppress(OSError):
                shutil.rmtree(home)
    if not plan:
        console.print(f"{runs - len(failed)} of {runs} runs clean")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()

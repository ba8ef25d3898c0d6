"""A short run of what `make chaos` does at length: the same schedule of a seed, the same checks."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from rich.console import Console

from riverhouse.local import stack as local
from tests.chaos import report, stack
from tests.chaos.disk import SmallDisk
from tests.chaos.run import Outcome, hit

SEED, EVENTS, RATE = 5, 6000, 120


def test_a_short_run_changes_no_number(servers: pathlib.Path, disks: Mapping[str, SmallDisk]) -> None:
    outcome = Outcome(SEED, EVENTS)
    with stack.faulty_producers(SEED, RATE):
        try:
            local.up((*stack.SERVERS, *stack.PROGRAMS), stack.quiet())
            hit(outcome, disks, print)
        finally:
            for name in stack.PROGRAMS:
                stack.stop(name)
    report.show(Console(width=150), outcome)
    assert not outcome.wrong, f"{outcome.wrong}\nthe same at length: {report.repeat(outcome, RATE)}"

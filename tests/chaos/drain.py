"""After the schedule: producers stop, and everything that was sent comes to every end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from lakehouse_jobs import fences, lake
from lakehouse_jobs.tweets import GOLD_TABLES
from riverhouse import businesses
from riverhouse.local import control
from tests.chaos import stack
from tests.chaos.probes import Kafka
from tests.chaos.stack import BUSINESSES
from topics.contract import Reference

WITHIN_S = 420  # generous: it tells a hang from a slow machine


class NotDrainedError(AssertionError):
    """Something was not done in time; the text says what was left."""


def drain(tell: Callable[[str], None], within_s: float = WITHIN_S) -> None:
    """Stop the producers; return when workers, sink and the tweets' gold have taken everything. NotDrainedError else."""
    kafka = {b: Kafka(b) for b in BUSINESSES}
    for business in BUSINESSES:
        stack.stop(f"producer-{business}")
    until = time.monotonic() + within_s
    _wait(tell, "the workers", lambda: _behind_workers(kafka), until)
    _wait(tell, "the sink and gold", lambda: _behind_sink(kafka) or _behind_gold(), until)


def _wait(tell: Callable[[str], None], who: str, left: Callable[[], str], until: float) -> None:
    begun, told, behind = time.monotonic(), 0.0, "no answer yet"

    def done() -> bool:
        nonlocal told, behind
        try:
            behind = left()
        except Exception as error:  # noqa: BLE001 - a server that is coming back
            behind = f"no answer: {type(error).__name__}"
        if behind and time.monotonic() - told > 15:
            told = time.monotonic()
            tell(f"waiting for {who}: {behind}")
        return not behind

    if not control.wait_until(done, until - begun, 0.5):
        raise NotDrainedError(f"{who} did not get to the end: {behind}")
    tell(f"{who} have taken everything ({time.monotonic() - begun:.1f} s)")


def _behind_workers(kafka: Mapping[str, Kafka]) -> str:
    """How many records the workers of each business have before them; empty where there are none, now and a moment ago."""
    for _ in range(2):  # what one stream derives for another comes a moment later
        for business, client in kafka.items():
            if left := client.left():
                return f"{business}: {left:,} records"
    return ""


def _behind_sink(kafka: Mapping[str, Kafka]) -> str:
    """How many raw records of facts bronze lacks; silver's fences are the ledger's business."""
    left = 0
    for business, client in kafka.items():
        for stream in (s for s in businesses.streams(business) if not isinstance(s, Reference)):
            fence = fences.read(lake.catalog().load_table(f"bronze.{stream.table}"))
            left += sum(end - 1 - fence.get(at, -1) for at, end in client.ends([stream.raw.name]).items())
    return f"{left:,} raw records are not in bronze" if left else ""


def _behind_gold() -> str:
    """Which gold tables of the tweets were not computed from the newest silver."""
    silver = fences.read(lake.catalog().load_table("silver.tweets"))
    names = [f"gold.{t.name}" for t in GOLD_TABLES]
    behind = [n for n in names if fences.read(lake.catalog().load_table(n), fences.AS_OF) != silver]
    return ", ".join(behind)

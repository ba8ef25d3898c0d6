"""One run: a stack, a schedule, the drain and the checks."""

from __future__ import annotations

import contextlib
import pathlib
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import KafkaException

from lakehouse_jobs import lake
from riverhouse.local import control
from tests.chaos import checks, drain, schedule, stack
from tests.chaos.actions import Director
from tests.chaos.checks import Checked
from tests.chaos.disk import SmallDisk, mounted
from tests.chaos.memory import Memory
from tests.chaos.probes import Kafka, probes
from tests.chaos.recovery import Recovery, Watch

BACK_WITHIN_S = 60.0
SIZES_MB = {"disk-lake": 800, "disk-kafka": 1500, "disk-checkpoints": 40}


@dataclass
class Outcome:
    """What a run has shown. `wrong` is empty where everything held."""

    seed: int
    wanted: int
    events: dict[str, int] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    recoveries: list[Recovery] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)
    not_done: str = ""
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def run(home: pathlib.Path, seed: int, events: int, rate: float, say: Callable[[str], None]) -> Outcome:
    """Let `events` tweets flow through a stack of its own in `home` while the seed's schedule is played, then check."""
    outcome = Outcome(seed, events)
    disks, why = mounted(home, SIZES_MB)
    if why:
        outcome.not_done = f"no small disk could be mounted ({why}): filling one was left out"
        say(outcome.not_done)
    try:
        with stack.whole(home, seed, rate):
            lake.catalog.cache_clear()
            hit(outcome, disks, say)
    except Exception as error:  # noqa: BLE001 - a run that cannot be ended has failed; its seed must be told
        say(traceback.format_exc())
        outcome.wrong.append(f"the run broke off: {error!r}")
    finally:
        lake.catalog.cache_clear()
        for disk in disks.values():
            disk.unmount()
    return outcome


def hit(outcome: Outcome, disks: Mapping[str, SmallDisk], say: Callable[[str], None]) -> None:
    """Play the seed's schedule on the running stack, drain it and check it; `outcome` is filled in."""
    began, kafka, memory = time.monotonic(), Kafka(), Memory()
    before = kafka.events()
    latest = [0]

    def count() -> int:
        with contextlib.suppress(KafkaException):  # the broker is being hit: no event can have come
            latest[0] = kafka.events() - before
        return latest[0]

    def tell(line: str) -> None:
        say(f"{time.monotonic() - began:7.1f} s {latest[0]:>8,} events  {line}")

    actions = [a for a in schedule.make(outcome.seed, outcome.wanted) if a.kind != schedule.FILL or a.target in disks]
    watch = Watch(probes(), tell)
    with memory.sampled(), watch.running():
        director = Director(watch, disks, count, tell)
        director.play(actions)
        outcome.done = director.done
        tell("the schedule is done; the rest of the events flows")
        control.wait_until(lambda: not watch.open(), BACK_WITHIN_S, 0.5)
        still = [f"{r.probe} has not moved for {r.took_s:.0f} s after {r.what} {r.target}" for r in watch.open()]
        outcome.wrong += still
        for line in still:
            tell(line)
        control.wait_until(lambda: count() >= outcome.wanted, 600, 0.5)
        outcome.events = {b: Kafka(b).events() for b in stack.BUSINESSES}
        outcome.recoveries = list(watch.recoveries)
        _finish(outcome, tell)
    outcome.memory = memory.most
    outcome.wrong += [f"{n} took {mb:,.0f} MB" for n, mb in memory.beyond().items()]
    outcome.seconds = time.monotonic() - began


def _finish(outcome: Outcome, tell: Callable[[str], None]) -> None:
    """Drain, and check everything."""
    slow = [r for r in outcome.recoveries if r.took_s > BACK_WITHIN_S]
    outcome.wrong += [f"{r.probe} moved again only {r.took_s:.0f} s after {r.what} {r.target}" for r in slow]
    if outcome.events["tweets"] < outcome.wanted:
        outcome.wrong.append(f"only {outcome.events['tweets']:,} events came")
    try:
        drain.drain(tell)
    except drain.NotDrainedError as left:
        outcome.wrong.append(str(left))
    outcome.checked = checks.all_of(stack.BUSINESSES)
    outcome.wrong += [f"{c.name}: {c.found}" for c in outcome.checked if not c.right]

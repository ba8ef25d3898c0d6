"""What is done to the stack, and when: a pure function of a seed.

An action waits until the raw topic of the tweets has been given so many events, and then so many seconds more. So a
schedule is the same on a slow machine and on a fast one, and inside a burst the seconds are short enough that what was hit
has not come back yet.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

KILL, PAUSE, RESTART, LEAVE, JOIN, FILL, CLOG = "kill", "pause", "restart", "leave", "join", "fill", "clog"

WORKERS = ("worker-tweets-0", "worker-tweets-1", "worker-animeverse-0")
SPARE = "worker-tweets-1"  # leaves and joins, so that partitions move
SERVERS = ("kafka", "postgres", "trino", "registry", "sink", "sink-jvm", "producer-tweets", "producer-animeverse")
TARGETS = (*WORKERS, *SERVERS)
DISKS = ("disk-lake", "disk-kafka", "disk-checkpoints")
OFTEN = ("kafka", "sink", "worker-tweets-0", "worker-tweets-1")  # hit more than others: they hold the numbers
BURST = 30  # kills, 0.1 to 1 s apart
FIRST, LAST = (
    0.08,
    0.86,
)  # the part of the events in which things are done: after it there must be something to go on with


@dataclass(frozen=True)
class Action:
    """`kind` is done to `target` when `events` raw events are there, `after_s` later, for `lasts_s` (0: at once)."""

    events: int
    after_s: float
    kind: str
    target: str
    lasts_s: float = 0.0

    def __str__(self) -> str:
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"at {self.events:>7,} events + {self.after_s:5.1f} s  {self.kind:<8}{self.target}{lasts}"


def make(seed: int, events: int, disks: bool = True) -> list[Action]:
    """The actions of a run of `events` events, in order; with `disks`, small disks are filled as well.

    However short the run, each kind is there once; a long one has about one step for each 2,500 events.
    """
    chance = random.Random(seed)
    steps = [*_once(chance, disks), *(_step(chance) for _ in range(events // 2500))]
    chance.shuffle(steps)
    room = (LAST - FIRST) * events / len(steps)
    done: list[Action] = []
    for i, step in enumerate(steps):
        at = int(FIRST * events + room * (i + chance.random() * 0.8))
        done += [replace(action, events=at) for action in step]
    return done


def _once(chance: random.Random, disks: bool) -> Iterator[list[Action]]:
    """What no run goes without."""
    yield [_kill("kafka")]
    yield [_kill("sink")]
    yield [_kill("worker-tweets-0")]
    yield [_kill("postgres")]
    yield [_kill("trino")]
    yield [_kill("producer-tweets")]
    yield _burst(chance)
    yield [Action(0, 0.0, PAUSE, "worker-tweets-0", 14 + 6 * chance.random())]  # beyond the session timeout: a zombie
    yield [Action(0, 0.0, LEAVE, SPARE), Action(0, 5 + 10 * chance.random(), JOIN, SPARE)]
    yield [Action(0, 0.0, CLOG, "sink", 10 + 10 * chance.random())]
    if disks:
        yield from ([Action(0, 0.0, FILL, disk, 5 + 10 * chance.random())] for disk in DISKS)


def _step(chance: random.Random) -> list[Action]:
    kind = chance.choices((KILL, PAUSE, RESTART, "pair"), (5, 3, 2, 2))[0]
    target = chance.choice((*TARGETS, *OFTEN))
    if kind == KILL:
        return [_kill(target)]
    if kind == PAUSE:
        return [Action(0, 0.0, PAUSE, target, round(chance.choice((0.5, 3.0, 9.0)) * (1 + chance.random()), 1))]
    if kind == RESTART:
        return [Action(0, 0.0, RESTART, "sink" if target == "sink-jvm" else target)]
    return [_kill(target), _kill(chance.choice(TARGETS), round(chance.uniform(0, 8), 1))]


def _burst(chance: random.Random) -> list[Action]:
    """Many kills in a row, of some processes at random."""
    victims = chance.sample(TARGETS, 4)
    at, kills = 0.0, list[Action]()
    for _ in range(BURST):
        kills.append(_kill(chance.choice(victims), round(at, 1)))
        at += chance.uniform(0.1, 1.0)
    return kills


def _kill(target: str, after_s: float = 0.0) -> Action:
    return Action(0, after_s, KILL, target)

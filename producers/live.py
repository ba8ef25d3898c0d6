"""Live production: history at the first start, then events at the pace of the wall clock, until told to stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import numpy as np

from producers.broker import Outbox
from producers.places import Floats
from producers.worlds import BLOCK, Sending, Source
from riverhouse import clock
from riverhouse.local.problem import Problem
from riverhouse.logs import logger

SLICE_S = 0.025  # how often the pace is checked: 25 events at a time at 1,000/s
PROGRESS_S = 10.0
FLUSH_S = 8.0  # how long a stopped producer waits for the broker's acknowledgements
CLOCK_STEP_S = 1.0  # a wall clock set back by more than this starts the schedule anew

log = logger("producer")


@dataclass
class Stop:
    """Whether to stop: set by SIGTERM or SIGINT."""

    asked: bool = False

    def __call__(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True


@contextlib.contextmanager
def signals() -> Iterator[Stop]:
    """A Stop that the process's signals set."""
    stop = Stop()
    before = {s: signal.signal(s, stop) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Schedule:
    """Event `i` is due at `start + i / rate`, seconds since the epoch: the average rate is exact, whatever delays a slice.

    What fell due while the producer was held up is sent late, with the time it was due: as a real source does.
    """

    start: float
    rate: float

    def due(self, now: float) -> int:
        """How many events have fallen due."""
        return max(0, int((now - self.start) * self.rate))

    def times(self, first: int, count: int) -> Floats:
        """The times of events `first` to `first + count`, each moved a little inside its interval, sorted."""
        jitter = np.random.default_rng([int(self.start * 1e6), first]).random(count)
        return np.asarray(self.start + (np.arange(first, first + count) + jitter) / self.rate)


@dataclass
class Progress:
    """A line in the log every ten seconds, and the summary."""

    outbox: Outbox
    source: Source
    began: float = field(default_factory=clock.monotonic)
    _at: float = field(default_factory=clock.monotonic)
    _sent: int = 0

    def tick(self) -> None:
        now = clock.monotonic()
        if now - self._at >= PROGRESS_S:
            rate = (self.outbox.sent - self._sent) / (now - self._at)
            self._at, self._sent = now, self.outbox.sent
            log.info("progress", rate=round(rate, 1), **self._counts())

    def summary(self, message: str) -> None:
        seconds = clock.monotonic() - self.began
        log.info(
            message, seconds=round(seconds, 1), rate=round(self.outbox.sent / max(seconds, 1e-9), 1), **self._counts()
        )

    def _counts(self) -> dict[str, int]:
        box = self.outbox
        return {"sent": box.sent, "made": self.source.made, "queue": box.waiting, "errors": box.errors}


def send(outbox: Outbox, sendings: Iterable[Sending]) -> None:
    for events, headers in sendings:
        outbox.send(events, headers)


def send_history(
    source: Source, outbox: Outbox, hours: float, events: int, stop: Stop, begun: Callable[[], object]
) -> None:
    """The hours before now, in the order of event time, as fast as the broker takes them; `begun` is called before the first."""
    now = clock.unix()
    progress = Progress(outbox, source)
    send(outbox, source.begin(now - hours * 3600))
    begun()
    at = source.world.history(now - hours * 3600, now, events)
    for first in range(0, len(at), BLOCK):
        if stop.asked:
            break
        send(outbox, source.sendings(at[first : first + BLOCK]))
        progress.tick()
    progress.summary("history sent")


def paced(source: Source, outbox: Outbox, rate: float, count: int | None, stop: Stop) -> None:
    """Events at `rate` a second by the wall clock; `count` of them, or until told to stop."""
    schedule, made, before = Schedule(clock.unix(), rate), 0, source.made
    progress, last = Progress(outbox, source), schedule.start
    while not stop.asked and (count is None or source.made - before < count):
        now = clock.unix()
        if now < last - CLOCK_STEP_S:
            log.warning("the clock was set back; the schedule starts anew", by_s=round(last - now, 1))
            schedule, made = Schedule(now, rate), 0
        last = now
        todo = min(schedule.due(now) - made, BLOCK)
        if count is not None:
            todo = min(todo, count - (source.made - before))
        if todo > 0:
            send(outbox, source.sendings(schedule.times(made, todo)))
            made += todo
        progress.tick()
        if todo < BLOCK:
            clock.sleep(max(SLICE_S - (clock.unix() - now), 0.001))


def flat_out(source: Source, outbox: Outbox, count: int | None, stop: Stop) -> None:
    """Events as fast as they can be made and taken; each happened between the block before and now."""
    progress, before, last = Progress(outbox, source), source.made, clock.unix()
    while not stop.asked and (count is None or source.made - before < count):
        todo = BLOCK if count is None else min(BLOCK, count - (source.made - before))
        now = max(clock.unix(), last + 1e-6)
        send(outbox, source.sendings(np.linspace(last, now, todo, endpoint=False)))
        last = now
        progress.tick()


def finish(source: Source, outbox: Outbox, stop: Stop) -> None:
    """Send what is left and wait for the broker; a stopped producer waits FLUSH_S at most.

    Problem where events are left that the broker has not acknowledged.
    """
    progress, deadline = Progress(outbox, source), None
    send(outbox, source.ending())
    while left := outbox.flush(0.2):
        if stop.asked and deadline is None:
            deadline = clock.monotonic() + FLUSH_S
        if deadline is not None and clock.monotonic() > deadline:
            hint = "see whether Kafka runs (`riverhouse status`)"
            raise Problem(f"{left} events were not acknowledged by the broker", f"waited {FLUSH_S:.0f} s", hint)
        progress.tick()

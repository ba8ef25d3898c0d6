"""How long after each blow the numbers moved again.

A probe is asked again and again for counters that must grow: committed offsets, fences, a topic's end. After a blow the first
answer to a question that was asked later is the baseline; recovered is what has passed it in every counter. A probe that counts
nothing is recovered when it answers. A blow on something that has not recovered yet, or on what it needs, starts its
clock again: what counts is the time since the last one.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Counters = Mapping[str, int]
KAFKA = ("tweets", "animeverse", "workers-tweets", "workers-animeverse", "sink", "registry")
LAKE = ("postgres", "sink", "trino")
FELT_BY = {  # target → the probes that a blow on it may stop
    "kafka": KAFKA, "disk-kafka": KAFKA, "postgres": LAKE, "trino": ("trino",), "registry": ("registry",),
    "sink": ("sink",), "sink-jvm": ("sink",), "disk-lake": ("sink",), "disk-checkpoints": ("sink",),
    "producer-tweets": ("tweets", "workers-tweets", "sink"), "producer-animeverse": ("animeverse", "workers-animeverse"),
    "worker-tweets-0": ("workers-tweets",), "worker-tweets-1": ("workers-tweets",),
    "worker-animeverse-0": ("workers-animeverse",),
}  # fmt: skip


@dataclass(frozen=True)
class Recovery:
    """`probe` moved again `took_s` after `what` was done to `target`."""

    probe: str
    what: str
    target: str
    took_s: float


@dataclass
class _Blow:
    what: str
    target: str
    since: float
    baseline: Counters | None = None


@dataclass
class Probe:
    """`read` gives the counters; whatever it raises means: no answer."""

    name: str
    read: Callable[[], Counters]
    every_s: float = 0.5
    counts: bool = True  # else an answer is all that is wanted
    only_when_hurt: bool = False  # asking costs too much to do it for nothing
    held: int = 0  # blows that are still going on
    blow: _Blow | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Watch:
    """Threads that ask the probes. `recoveries` is what they have seen; `open` what has not moved since its last blow."""

    def __init__(self, probes: list[Probe], tell: Callable[[str], None]) -> None:
        self._probes = {p.name: p for p in probes}
        self._tell = tell
        self._ended = threading.Event()
        self.recoveries: list[Recovery] = []

    @contextlib.contextmanager
    def running(self) -> Iterator[Watch]:
        threads = [threading.Thread(target=self._ask, args=(p,), daemon=True) for p in self._probes.values()]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in threads:
                thread.join(timeout=20)

    def disturb(self, target: str, what: str) -> None:
        """A blow has just been dealt."""
        for probe in self._felt(target):
            with probe.lock:
                probe.blow = _Blow(what, target, time.monotonic())

    @contextlib.contextmanager
    def held(self, target: str, what: str) -> Iterator[None]:
        """A blow that lasts: the clock starts when it ends."""
        for probe in self._felt(target):
            with probe.lock:
                probe.held += 1
        try:
            yield
        finally:
            for probe in self._felt(target):
                with probe.lock:
                    probe.held -= 1
                    probe.blow = _Blow(what, target, time.monotonic())

    def open(self) -> list[Recovery]:
        """What has not recovered yet, with the time since its last blow."""
        now = time.monotonic()
        return [
            Recovery(p.name, p.blow.what, p.blow.target, now - p.blow.since) for p in self._probes.values() if p.blow
        ]

    def _felt(self, target: str) -> list[Probe]:
        return [self._probes[name] for name in FELT_BY[target] if name in self._probes]

    def _ask(self, probe: Probe) -> None:
        while not self._ended.wait(probe.every_s):
            if probe.only_when_hurt and probe.blow is None:
                continue
            asked_at = time.monotonic()
            try:
                counters = dict(probe.read())
            except Exception:  # noqa: BLE001, S112 - no answer is an answer
                continue
            with probe.lock:
                done = self._look(probe, asked_at, counters)
            if done:
                self.recoveries.append(done)
                if done.took_s > 20:
                    self._tell(f"{done.probe} moves again, {done.took_s:.1f} s after {done.what} {done.target}")

    def _look(self, probe: Probe, asked_at: float, counters: Counters) -> Recovery | None:
        blow = probe.blow
        if blow is None or probe.held or asked_at < blow.since:
            return None
        if probe.counts and blow.baseline is None:
            blow.baseline = counters
            return None
        # No counters at all, such as the fence of a table that has no commit yet, is an answer but no progress.
        moved = bool(counters) and all(counters.get(k, 0) > v for k, v in (blow.baseline or {}).items())
        if probe.counts and not moved:
            return None
        probe.blow = None
        return Recovery(probe.name, blow.what, blow.target, time.monotonic() - blow.since)

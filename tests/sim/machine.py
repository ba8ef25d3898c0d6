"""A consumer group of simulated workers: they crash, join, leave, are paused and wake after their partitions have moved.

What is random comes from one seed, so a run is repeated by its number. A crash may fall on every step boundary: between two
batches, two records that are sent, two partitions that are committed, in the middle of a flush or of a recovery.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from processors.flow import Dataflow
from processors.records import Record
from tests.sim.broker import Broker, Position
from tests.sim.disk import Disk
from tests.sim.worker import Crashed, Crashes, Worker

ACTS_MAX = 60_000  # of one run; the largest takes 20,000
RawLogs = Mapping[str, Sequence[Sequence[Record]]]


@dataclass(frozen=True)
class Chances:
    """What happens how often, of 1,000 turns; a crash once in `crash_every` step boundaries (0: never)."""

    crash_every: int = 0
    crash_at: frozenset[int] = frozenset()  # or at the boundaries of these numbers
    workers: int = 1
    pause: int = 0
    move: int = 0  # the partitions are dealt anew
    compact: int = 0
    feed: int = 0  # records that reach the broker at a time; 0: all at once before


CALM = Chances()
HARSH = Chances(crash_every=300, workers=3, pause=15, move=8, compact=30)


@dataclass
class Cluster:
    """The workers of one group over one broker."""

    flows: Sequence[Dataflow]
    broker: Broker
    rng: random.Random
    chances: Chances
    workers: list[Worker] = field(default_factory=list)
    paused: list[Worker] = field(default_factory=list)
    stats: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.crashes = Crashes(self.rng, self.chances.crash_every, self.chances.crash_at)
        self.disk = Disk(self.rng)
        self.start()

    def start(self) -> None:
        """New workers in the place of those that are gone."""
        while len(self.workers) < self.chances.workers:
            self.workers.append(Worker(self.flows, self.broker, self.rng, self.crashes, self.disk))
        self.rebalance()

    def rebalance(self) -> None:
        """Who lives commits, or fails to; then the partitions are dealt anew."""
        for worker in [*self.workers]:
            if worker.generation == self.broker.generation and self.rng.random() < 0.5:
                self.guarded(worker, worker.commit)
        if not self.workers:
            return self.start()
        self.broker.generation += 1
        self.stats["generations"] += 1
        self.rng.shuffle(self.workers)
        for i, worker in enumerate([*self.workers]):
            mine = range(i, self.broker.partitions, len(self.workers))
            if not self.guarded(worker, worker.assign, self.broker.generation, mine):
                return self.start()
        return None

    def guarded(self, worker: Worker, act: object, *args: object) -> bool:
        """Let a worker act. Where it crashes it is gone, and what it had not sent with it; False then."""
        try:
            act(*args)  # type: ignore[operator]
        except Crashed:
            (self.workers if worker in self.workers else self.paused).remove(worker)
            return False
        return True

    def turn(self) -> None:
        """One thing happens."""
        self.stats["turns"] += 1
        chance, at = self.chances, self.rng.randrange(1000)
        if at < chance.pause:
            return self.wake() if self.paused and self.rng.random() < 0.6 else self.pause()
        if at < chance.pause + chance.move:
            return self.rebalance()
        if at < chance.pause + chance.move + chance.compact:
            return self.broker.compact(self.rng)
        self.work(self.rng.choice(self.workers))
        return None

    def work(self, worker: Worker) -> None:
        self.stats["acts"] += 1
        if self.stats["acts"] > ACTS_MAX:
            raise AssertionError("the workers do not come to an end")
        kind = self.rng.random()
        if kind < 0.6:
            alive = self.guarded(worker, worker.step)
        elif kind < 0.9:
            alive = self.guarded(worker, worker.send, self.rng.randrange(1, 60))
        else:
            alive = self.guarded(worker, worker.commit)
        if not alive:
            self.start()

    def pause(self) -> None:
        """A worker stands still, with its state and what it has not sent; the others take over."""
        self.stats["paused"] += 1
        worker = self.rng.choice(self.workers)
        self.workers.remove(worker)
        self.paused.append(worker)
        self.start()

    def wake(self) -> None:
        """It goes on as if nothing had happened, until a commit is refused; then it joins again, with the state it has."""
        worker = self.rng.choice(self.paused)
        for _ in range(self.rng.randrange(4)):
            if not self.guarded(worker, self.rng.choice([worker.step, lambda: worker.send(20)])):
                return
        if not self.guarded(worker, worker.commit):
            return
        self.paused.remove(worker)
        self.workers.append(worker)
        self.rebalance()

    def settle(self) -> None:
        """All that sleeps wakes; then the workers finish what there is."""
        while self.paused:
            self.wake()
        while not self.quiet():
            for worker in [*self.workers]:
                while worker in self.workers and not worker.finished():
                    self.work(worker)
        for worker in [*self.workers]:
            if not self.guarded(worker, worker.commit):
                self.start()
                return self.settle()
        return None if self.quiet() else self.settle()

    def counts(self) -> Counter[str]:
        """What happened in the run, and how often."""
        return Counter(self.stats) + self.disk.used + Counter(crashes=self.crashes.count, steps=self.crashes.number)

    def quiet(self) -> bool:
        return all(w.finished() for w in self.workers)


def run(flows: Sequence[Dataflow], logs: RawLogs, seed: int, chances: Chances) -> Cluster:
    """Feed raw logs, by topic and partition, through a group of workers, until all is done and committed."""
    rng = random.Random(seed)
    waiting = {(topic, p): list(log) for topic, parts in logs.items() for p, log in enumerate(parts) if log}
    compacted = frozenset(t.name for f in flows for t in f.stream.topics if t.compacted)
    now_ms = max((r.timestamp_ms for log in waiting.values() for r in log), default=0)
    broker = Broker(max(map(len, logs.values())), compacted, now_ms)
    _feed(broker, waiting, rng, chances.feed)
    cluster = Cluster(flows, broker, rng, chances)
    while waiting or not cluster.quiet():
        _feed(broker, waiting, rng, chances.feed)
        cluster.turn()
    cluster.settle()
    return cluster


def _feed(broker: Broker, waiting: dict[Position, list[Record]], rng: random.Random, most: int) -> None:
    """Let producers append their next records: all of them, or up to `most` of one partition."""
    chosen = [rng.choice(list(waiting))] if most and waiting else list(waiting)
    for position in chosen:
        count = rng.randrange(most) if most else len(waiting[position])
        for record in waiting[position][:count]:
            broker.put(*position, record)
        del waiting[position][:count]
        if not waiting[position]:
            del waiting[position]

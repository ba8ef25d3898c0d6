"""Brokers, workers and crashes as plain objects around the real dataflow, the real merge and the real fences.

A crash loses a worker's memory and any tail of what it was sending in each partition; what a commit covers is never lost.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka.partitioner import murmur2

from processors.dataflow import Partition
from processors.flow import Dataflow
from processors.merge import Merge
from processors.records import Output, Record

Position = tuple[str, int]


@dataclass
class Broker:
    """Logs, and the committed offsets of the one consumer group. `now_ms`: the time of what is appended."""

    partitions: int
    now_ms: int = 0
    logs: dict[Position, list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[Position, int] = field(default_factory=lambda: defaultdict(int))

    def append(self, o: Output) -> None:
        p = o.partition if o.partition >= 0 else (murmur2(o.key or b"") & 0x7FFFFFFF) % self.partitions
        self.put(o.topic, p, Record(0, self.now_ms, o.key, o.value, o.headers or ()))

    def put(self, topic: str, p: int, record: Record) -> None:
        log = self.logs[topic, p]
        log.append(record._replace(offset=len(log)))

    def read(self, topic: str) -> list[Record]:
        return [r for p in range(self.partitions) for r in self.logs[topic, p]]


class Worker:
    """One worker that owns all partitions of its flows. `now` stands still: no partition is ever idle."""

    def __init__(self, flows: Sequence[Dataflow], broker: Broker, rng: random.Random) -> None:
        self.flows, self.broker, self.rng = flows, broker, rng
        self.unsent: list[Output] = []
        self.done: dict[Position, int] = {}
        self.states: dict[Position, Partition] = {}
        self.merges: dict[Position, Merge] = {}
        for flow in flows:
            for p in range(broker.partitions):
                self._recover(flow, p)

    def _recover(self, flow: Dataflow, p: int) -> None:
        broker, stream = self.broker, flow.stream
        raw, partials = (stream.raw.name, p), (stream.partials.name, p)
        state = Partition(flow, p, broker.partitions, broker.committed[raw])
        if stream.references:
            state.recover_context(r.value for r in broker.logs[stream.context.name, p] if r.value)
        log = [r.value for r in broker.logs[stream.clean.name, p] if r.value]
        while log:
            chunk, log = log[:7], log[7:]
            state.recover(chunk)
        state.resume(broker.committed[raw])
        self.states[raw] = state
        self.done[raw] = broker.committed[raw]
        if stream.kpis:
            self.merges[partials] = Merge(stream, broker.partitions)
            self.done[partials] = 0

    def step(self) -> bool:
        """Process one batch of one partition; False where there was nothing to read."""
        position = self.rng.choice(list(self.done))
        base = self.done[position]
        most = 12 if position in self.states else 600
        batch = self.broker.logs[position][base : base + self.rng.randrange(1, most)]
        if not batch:
            return False
        if position in self.states:
            self.unsent += self.states[position].process(base + len(batch), batch)
        else:
            published = self.broker.committed[position]
            self.unsent += self.merges[position].process(batch, 0.0, published_until=published)
        self.done[position] = base + len(batch)
        return True

    def send(self) -> None:
        for o in self.unsent:
            self.broker.append(o)
        self.unsent.clear()

    def commit(self) -> None:
        """Flush, then commit: in this order, as the adapter does."""
        self.send()
        for position, offset in self.done.items():
            self.broker.committed[position] = max(offset, self.broker.committed[position])

    def crash(self) -> None:
        """Each topic partition gets some prefix of what was on its way; nothing is committed."""
        by_position: dict[Position, list[Output]] = defaultdict(list)
        for o in self.unsent:
            by_position[o.topic, o.partition].append(o)
        for outputs in by_position.values():
            for o in outputs[: self.rng.randrange(len(outputs) + 1)]:
                self.broker.append(o)


def run(flow: Dataflow, logs: list[list[Record]], seed: int, crash: float) -> Broker:
    """Feed one stream's raw `logs` through workers that crash with probability `crash` at each step, until all is committed."""
    return run_domain((flow,), {flow.stream.raw.name: logs}, seed, crash)


def run_domain(
    flows: Sequence[Dataflow], logs: Mapping[str, list[list[Record]]], seed: int, crash: float, feed: int = 0
) -> Broker:
    """Feed raw logs, by topic and partition, through workers of all `flows` that crash, until all is done and committed.

    With `feed` the records reach the broker that many at a time while the workers run, else all at once before.
    """
    rng = random.Random(seed)
    waiting = {(topic, p): list(log) for topic, parts in logs.items() for p, log in enumerate(parts) if log}
    broker = Broker(
        max(map(len, logs.values())), now_ms=max((r.timestamp_ms for log in waiting.values() for r in log), default=0)
    )
    _feed(broker, waiting, rng, feed)
    worker = Worker(flows, broker, rng)
    while waiting or not finished(worker):
        _feed(broker, waiting, rng, feed)
        if rng.random() < crash:
            worker.crash()
            worker = Worker(flows, broker, rng)
            continue
        worker.step()
        if rng.random() < 0.3:
            worker.send()
        if rng.random() < 0.1:
            worker.commit()
    return broker


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


def finished(worker: Worker) -> bool:
    if any(offset < len(worker.broker.logs[position]) for position, offset in worker.done.items()):
        return False
    worker.commit()
    return all(offset == len(worker.broker.logs[position]) for position, offset in worker.done.items())

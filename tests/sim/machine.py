"""Brokers, workers and crashes as plain objects around the real dataflow, the real merge and the real fences.

A crash loses a worker's memory and any tail of what it was sending in each partition; what a commit covers is never lost.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field

from aiokafka.partitioner import murmur2

from processors.dataflow import Dataflow, Partition
from processors.merge import Merge
from processors.records import Output, Record

Position = tuple[str, int]


@dataclass
class Broker:
    """Logs, and the committed offsets of the one consumer group."""

    partitions: int
    logs: dict[Position, list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: dict[Position, int] = field(default_factory=lambda: defaultdict(int))

    def append(self, o: Output) -> None:
        p = o.partition if o.partition >= 0 else (murmur2(o.key or b"") & 0x7FFFFFFF) % self.partitions
        log = self.logs[o.topic, p]
        log.append(Record(len(log), 0, o.key, o.value, ()))

    def read(self, topic: str) -> list[Record]:
        return [r for p in range(self.partitions) for r in self.logs[topic, p]]


class Worker:
    """One worker that owns all partitions. `now` stands still: no partition is ever idle."""

    def __init__(self, flow: Dataflow, broker: Broker, rng: random.Random) -> None:
        self.flow, self.broker, self.rng = flow, broker, rng
        self.unsent: list[Output] = []
        self.done: dict[Position, int] = {}
        self.states: list[Partition] = []
        self.merges: list[Merge] = []
        for p in range(broker.partitions):
            raw, partials = (flow.stream.raw.name, p), (flow.stream.partials.name, p)
            state = Partition(flow, p, broker.partitions, broker.committed[raw])
            log = [r.value for r in broker.logs[flow.stream.clean.name, p] if r.value]
            while log:
                chunk, log = log[:7], log[7:]
                state.recover(chunk)
            state.resume(broker.committed[raw])
            self.states.append(state)
            self.merges.append(Merge(flow.stream, broker.partitions))
            self.done |= {raw: broker.committed[raw], partials: 0}

    def step(self) -> bool:
        """Process one batch of one partition; False where there was nothing to read."""
        position = self.rng.choice(list(self.done))
        base = self.done[position]
        topic, p = position
        most = 12 if topic == self.flow.stream.raw.name else 600
        batch = self.broker.logs[position][base : base + self.rng.randrange(1, most)]
        if not batch:
            return False
        if topic == self.flow.stream.raw.name:
            self.unsent += self.states[p].process(base + len(batch), batch)
        else:
            self.unsent += self.merges[p].process(batch, 0.0, published_until=self.broker.committed[position])
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
    """Feed `logs` through workers that crash with probability `crash` at each step, until all is done and committed."""
    rng = random.Random(seed)
    broker = Broker(len(logs))
    for p, log in enumerate(logs):
        broker.logs[flow.stream.raw.name, p] = log
    worker = Worker(flow, broker, rng)
    while not finished(worker):
        if rng.random() < crash:
            worker.crash()
            worker = Worker(flow, broker, rng)
            continue
        worker.step()
        if rng.random() < 0.3:
            worker.send()
        if rng.random() < 0.1:
            worker.commit()
    return broker


def finished(worker: Worker) -> bool:
    if any(offset < len(worker.broker.logs[position]) for position, offset in worker.done.items()):
        return False
    worker.commit()
    return all(offset == len(worker.broker.logs[position]) for position, offset in worker.done.items())

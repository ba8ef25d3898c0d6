"""Brokers, workers and crashes as plain objects around the real dataflow, the real merge and the real fences.

A crash loses a worker's memory and any tail of what it was sending in each partition; what a commit covers is never lost.
The next worker's state comes from a snapshot that some worker took, if any, and from the rest of the logs.
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
from processors.snapshots import forms
from tests.sim.disk import Disk
from topics.contract import Stream

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

    def __init__(self, flows: Sequence[Dataflow], broker: Broker, rng: random.Random, disk: Disk) -> None:
        self.flows, self.broker, self.rng, self.disk = flows, broker, rng, disk
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
        state, held = self._state(flow, p)
        if stream.references:
            known = broker.logs[stream.context.name, p][held.get(stream.context.name, 0) :]
            state.recover_context(r.value for r in known if r.value)
        log = [r.value for r in broker.logs[stream.clean.name, p][held.get(stream.clean.name, 0) :] if r.value]
        while log:
            chunk, log = log[:7], log[7:]
            state.recover(chunk)
        state.resume(broker.committed[raw])
        self.states[raw] = state
        self.done[raw] = broker.committed[raw]
        if stream.kpis:
            self.merges[partials], self.done[partials] = self._merge(stream, partials)

    def _state(self, flow: Dataflow, p: int) -> tuple[Partition, dict[str, int]]:
        """A new state, or one from a snapshot; and up to where that holds its changelogs."""
        broker, raw = self.broker, (flow.stream.raw.name, p)

        def new() -> Partition:
            return Partition(flow, p, broker.partitions, broker.committed[raw], self.disk.files)

        def restore(body: bytes) -> Partition:
            state = new()
            forms.restore(state, body)
            return state

        state, held = self.disk.load(raw, restore, broker.committed[raw], self._ends(flow.stream, raw))
        return state or new(), held

    def _merge(self, stream: Stream, partials: Position) -> tuple[Merge, int]:
        """A new merge, or one from a snapshot; and where it goes on reading."""
        broker = self.broker

        def restore(body: bytes) -> Merge:
            merge = Merge(stream, broker.partitions)
            forms.restore_merge(merge, body, 0.0)
            return merge

        merge, held = self.disk.load(partials, restore, broker.committed[partials], self._ends(stream, partials))
        return merge or Merge(stream, broker.partitions), held.get(partials[0], 0)

    def _ends(self, stream: Stream, position: Position) -> dict[str, int]:
        """Where the changelogs of a position's state end."""
        names = [stream.clean.name, *([stream.context.name] if stream.references else [])]
        own = position[0] == stream.partials.name
        return {t: len(self.broker.logs[t, position[1]]) for t in ([position[0]] if own else names)}

    def _snapshot(self, stream: Stream, position: Position) -> None:
        """Let the disk have the state. What is on its way is not in the changelogs yet, so their ends are a lower bound."""
        done = self.done[position]
        state = self.states.get(position) or self.merges[position]
        held = {position[0]: done} if position in self.merges else self._ends(stream, position)
        self.disk.take(position, state, done, held)

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
        (stream,) = (f.stream for f in self.flows if position[0] in {f.stream.raw.name, f.stream.partials.name})
        self._snapshot(stream, position)
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
        self.disk.publish(self.broker.committed)

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
    disk = Disk(random.Random(seed))
    worker = Worker(flows, broker, rng, disk)
    while waiting or not finished(worker):
        _feed(broker, waiting, rng, feed)
        if rng.random() < crash:
            worker.crash()
            worker = Worker(flows, broker, rng, disk)
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

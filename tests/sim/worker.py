"""A worker as a plain object around the real partitions and merges; what it sends, and when, is up to the schedule.

It does what the Faust shell does (`processors/worker.py`, `processors/batching.py`): state is recovered at an assignment, from a
snapshot and the rest of the logs, and kept where the partition stays; partials are read from their beginning, or from a
snapshot on; outputs wait in a queue for each topic partition, in order, also while the worker is paused; a commit follows a
flush and is refused to an old generation.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from processors.answers import outdated, stamp
from processors.dataflow import Partition
from processors.flow import Dataflow
from processors.merge import Merge
from processors.reach import Reach
from processors.records import Output, Record
from processors.snapshots import forms
from tests.sim.broker import Broker, Position
from tests.sim.disk import Disk
from topics.contract import Stream, Topic

RECOVERED = 7  # records that are recovered between two step boundaries


class Worker:
    """One member of the group. `at` is called at every step boundary and may raise; `now` stands still."""

    def __init__(
        self, flows: Sequence[Dataflow], broker: Broker, rng: random.Random, at: Callable[[str], None], disk: Disk
    ) -> None:
        self.broker, self.rng, self.at, self.disk = broker, rng, at, disk
        self.flows = {f.stream.raw.name: f for f in flows}
        streams = [f.stream for f in flows]
        self.public = {t.name: (s.raw.name, s.partials.name) for s in streams for t in s.windowed_topics}
        self.public |= {t.name: (s.raw.name, "") for s in streams for t in s.gauge_topics}
        self.generation = -1
        self.partitions: frozenset[int] = frozenset()
        self.done: dict[Position, int] = {}
        self.states: dict[Position, Partition] = {}
        self.merges: dict[Position, Merge] = {}
        self.reach: dict[Position, Reach] = {}  # how much of its clean and context logs a state is known to hold
        self.drafts: dict[
            Position, tuple[int, bytes]
        ] = {}  # snapshots that no commit covers yet, and what they are true for
        self.queues: dict[Position, deque[Record]] = defaultdict(deque)

    # ── assignment and recovery ─────────────────────────────────────────────────────────────────────────────────────
    def assign(self, generation: int, partitions: Iterable[int]) -> None:
        """Take over partitions: what is not ours any more is forgotten, what stays is brought up to its log's end."""
        self.generation, self.partitions = generation, frozenset(partitions)
        self.states = {at: s for at, s in self.states.items() if at[1] in self.partitions}
        self.merges, self.done, self.drafts = {}, {}, {}
        for p in sorted(self.partitions):
            for flow in self.flows.values():
                self._recover(flow, p)

    def _recover(self, flow: Dataflow, p: int) -> None:
        broker, stream = self.broker, flow.stream
        raw, partials = (stream.raw.name, p), (stream.partials.name, p)
        base, clean, context = broker.committed[raw], (stream.clean.name, p), (stream.context.name, p)
        if raw not in self.states:
            self.states[raw], held = self._state(flow, raw)
            self.reach |= {at: Reach(held.get(at[0], 0)) for at in (clean, context)}
        state = self.states[raw]
        if stream.references:
            state.recover_context(r.value for r in broker.logs[context].since(self.reach[context].end) if r.value)
            self.reach[context] = Reach(broker.logs[context].end, state.counts["reference"])
        log = [r.value for r in broker.logs[clean].since(self.reach[clean].end) if r.value]
        for i in range(0, len(log), RECOVERED):
            state.recover(log[i : i + RECOVERED])
            self.at("recover")
        self.reach[clean] = Reach(broker.logs[clean].end, state.written)
        state.resume(base)
        self.done[raw] = base
        if stream.kpis:
            self.merges[partials], self.done[partials] = self._merge(stream, partials)
        for topic in stream.kpi_topics:
            self.done[topic.name, p] = broker.committed[topic.name, p]

    def _state(self, flow: Dataflow, raw: Position) -> tuple[Partition, dict[str, int]]:
        """A new state, or one from a snapshot; and up to where that holds its changelogs."""
        broker, stream, p = self.broker, flow.stream, raw[1]

        def new() -> Partition:
            return Partition(flow, p, broker.partitions, broker.committed[raw], self.disk.files)

        def restore(body: bytes) -> Partition:
            state = new()
            forms.restore(state, body)
            return state

        ends = {t.name: broker.logs[t.name, p].end for t in self._changelogs(stream)}
        state, held = self.disk.load(raw, restore, broker.committed[raw], ends)
        return state or new(), held

    def _merge(self, stream: Stream, partials: Position) -> tuple[Merge, int]:
        """A new merge, or one from a snapshot; and where it goes on reading."""
        broker = self.broker

        def new() -> Merge:
            return Merge(stream, broker.partitions, partials[1], broker.committed[partials])

        def restore(body: bytes) -> Merge:
            merge = new()
            forms.restore_merge(merge, body, 0.0)
            return merge

        ends = {partials[0]: broker.logs[partials].end}
        merge, held = self.disk.load(partials, restore, broker.committed[partials], ends)
        if merge is None:
            return new(), 0
        merge.holds(held[partials[0]])
        return merge, held[partials[0]]

    def _changelogs(self, stream: Stream) -> list[Topic]:
        return [stream.clean, *([stream.context] if stream.references else [])]

    def _snapshot(self, position: Position) -> None:
        """Let the disk have the state, with what it is known to hold of its changelogs."""
        done, p = self.done[position], position[1]
        if position in self.merges:
            data = self.disk.draft(position, self.merges[position], done, {position[0]: done})
        elif position in self.states:
            topics = self._changelogs(self.flows[position[0]].stream)
            held = {t.name: self.reach[t.name, p].end for t in topics}
            data = self.disk.draft(position, self.states[position], done, held)
        else:
            return
        if data is not None:
            self.drafts[position] = done, data

    # ── one step at a time ──────────────────────────────────────────────────────────────────────────────────────────
    def step(self) -> None:
        """Process one batch of one partition, if there is something to read."""
        waiting = [at for at, done in self.done.items() if done < self.broker.logs[at].end and self._in_turn(at)]
        if not waiting:
            return
        position = self.rng.choice(waiting)
        most = self.rng.randrange(1, 12 if position in self.states else 300)
        batch = self.broker.logs[position].since(self.done[position], most)
        until = batch[-1].offset + 1
        self._queue(self._process(position, until, batch))
        self.done[position] = until
        self._snapshot(position)
        self.at("process")

    def _process(self, position: Position, until: int, batch: list[Record]) -> list[Output]:
        if position in self.states:
            return self.states[position].process(until, batch, self.generation)
        if position in self.merges:
            return self.merges[position].process(batch, 0.0)
        topic, p = position
        raw, partials = self.public[topic]
        keys = sorted(outdated(batch, self.generation))
        if partials:
            return self.merges[partials, p].answer(topic, keys, 0.0)
        return self.states[raw, p].answer(topic, keys)

    def _in_turn(self, position: Position) -> bool:
        """A KPI topic waits until the merge of its partition has caught up."""
        partials = self.public.get(position[0], ("", ""))[1]
        return not partials or self.merges[partials, position[1]].ready

    def _queue(self, outputs: Iterable[Output]) -> None:
        broker, stamped = self.broker, (stamp(self.generation),)
        for o in outputs:
            headers = stamped if o.topic in self.public else o.headers or ()
            record = Record(0, broker.now_ms, o.key, o.value, headers)
            self.queues[o.topic, broker.partition_of(o)].append(record)

    def send(self, most: int) -> None:
        """Up to so many records from the heads of queues reach the broker: of one partition in order, else in any."""
        while most > 0 and (waiting := [at for at, q in self.queues.items() if q]):
            position = self.rng.choice(waiting)
            queue = self.queues[position]
            for _ in range(min(most, len(queue), self.rng.randrange(1, 9))):
                self.broker.put(*position, queue.popleft())
                self.at("send")
                most -= 1

    def commit(self) -> bool:
        """Flush, then commit: in this order, as the adapter does. Whether it was accepted."""
        done = dict(self.done)
        self.send(1 << 30)
        for (topic, p), state in self.states.items():
            stream = self.flows[topic].stream
            written = {stream.clean.name: state.written, stream.context.name: state.counts["reference"]}
            for t in self._changelogs(stream):
                end = self.broker.logs[t.name, p].end
                self.reach[t.name, p] = self.reach[t.name, p].moved(end, written[t.name])
        self.at("flush")
        if self.generation != self.broker.generation:
            return False
        for position, offset in done.items():
            self.broker.committed[position] = max(offset, self.broker.committed[position])
            self.at("commit")
        for position, (taken_at, data) in [*self.drafts.items()]:
            if taken_at <= done.get(position, -1):
                self.disk.publish(position, data)
                del self.drafts[position]
        return True

    def finished(self) -> bool:
        return all(done >= self.broker.logs[at].end for at, done in self.done.items()) and not any(self.queues.values())


class Crashed(Exception):  # noqa: N818 - nothing has gone wrong that was not meant to
    """The process ends here: what is in memory and in its queues is lost."""


class Crashes:
    """Says at which step boundaries a worker crashes: at those of the given numbers, or one in `every` on average."""

    def __init__(self, rng: random.Random, every: int = 0, at: Iterable[int] = (), most: int = 40) -> None:
        self.count = self.number = 0
        self._rng, self._every, self._most = rng, every, most
        self._at = set(at)
        self._next()

    def _next(self) -> None:
        if self._every and self.count < self._most:
            self._at = {self.number + 1 + int(self._rng.expovariate(1 / self._every))}

    def __call__(self, kind: str) -> None:
        self.number += 1
        if self.number in self._at:
            self.count += 1
            self._at.discard(self.number)
            self._next()
            raise Crashed(kind)

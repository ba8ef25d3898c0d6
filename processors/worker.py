"""The Faust shell around the dataflows of a domain: for each stream two agents and its tables, all in one process.

agent facts:     raw batches ─▶ Partition.process ─▶ clean, duplicates, rejected, gauges, partials, other streams' raw topics
agent totals:    partial batches ─▶ Merge.process ─▶ kpi topics
agent answers:   kpi topics ─▶ what an earlier generation wrote, once more ─▶ kpi topics
table state:     Partition objects, recovered from the clean topic
table context:   what they know of the reference data, recovered from the context topic
"""

from __future__ import annotations

import logging
import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import faust
from faust.auth import SSLCredentials
from faust.types import TP
from faust.web import View

from processors import membership
from processors.answers import outdated
from processors.batching import Batching, batches, install, state_positions
from processors.consumer import fail
from processors.dataflow import Partition
from processors.flow import Dataflow
from processors.merge import Merge
from processors.publisher import Publisher
from processors.snapshots import keeping, pacing
from processors.snapshots.store import Bounds, Stores
from processors.snapshots.taking import Capture, Taker
from processors.state_table import ContextTable, StateTable
from riverhouse import addresses, brokers
from riverhouse.clock import unix
from riverhouse.settings import load
from topics.registry import schema_headers
from topics.sides import logical, physical

log = logging.getLogger(__name__)


def build(flows: Sequence[Dataflow], index: int, partitions: int) -> faust.App:
    """The app of one worker process of a domain, all of whose raw and partials topics have `partitions` partitions."""
    domain = flows[0].stream.domain
    app = new_app(domain, flows[0].stream.group, index, partitions)
    headers = {name: h for f in flows for name, h in schema_headers(f.stream).items()}
    public = frozenset(t.name for f in flows for t in f.stream.kpi_topics)
    publisher = Publisher(headers, public)
    conf = load().workers
    stores = Stores(flows, partitions)
    workers = [StreamWorker(app, flow, publisher, partitions, stores) for flow in flows]
    taker = Taker(conf.snapshot_interval_s, lambda: [c for w in workers for c in w.captures()])
    replayed = {physical(w.flow.stream.partials.name): w.replay_from for w in workers if w.flow.stream.kpis}
    after = {physical(t.name): physical(f.stream.partials.name) for f in flows for t in f.stream.windowed_topics}
    prompt = frozenset(replayed)  # partials lie between the raw records, which were gathered, and the KPIs
    install(app, Batching(publisher, conf.batch_records, conf.linger_ms, prompt, replayed, after, taker))

    @app.on_partitions_assigned.connect
    async def remember_membership(*_: Any, **__: Any) -> None:
        membership.remember(member_note(domain, index), app.consumer._thread._ensure_consumer())  # noqa: SLF001

    @app.timer(1.0)
    async def snapshots() -> None:
        await pacing.advance(app)

    @app.timer(1.0)
    async def close_quiet_windows() -> None:
        """A stream that has gone quiet brings no batch that would close its windows."""
        async with app.consumer.working:
            if app.flow_control.is_active():
                for worker in workers:
                    worker.close_windows()

    @app.page("/state")
    class State(View):
        async def get(self, _: Any) -> Any:
            return self.json(describe())

    def describe() -> dict[str, Any]:
        streams = {w.flow.stream.prefix: w.describe() for w in workers}
        return {
            "positions": state_positions(app),
            "stats": dict(app.consumer.stats),
            "streams": streams,
            "snapshots": taker.figures,
        }

    @app.timer(10.0)
    async def report() -> None:
        log.info(
            "state %s", {"stats": dict(app.consumer.stats), **{w.flow.stream.prefix: w.summary() for w in workers}}
        )

    return app


def folder(domain: str, index: int) -> pathlib.Path:
    """The folder of one worker."""
    return addresses.data() / "workers" / f"{domain}-{index}"


def member_note(domain: str, index: int) -> pathlib.Path:
    """Where a worker notes which member of its group it is."""
    return folder(domain, index) / "member"


def new_app(domain: str, group: str, index: int, partitions: int) -> faust.App:
    """A Faust app with our settings."""
    conf, tls = load().workers, brokers.tls()
    folder(domain, index).mkdir(parents=True, exist_ok=True)
    return faust.App(
        group,
        broker="kafka://" + addresses.bootstrap().replace(",", ";"),
        broker_credentials=SSLCredentials(tls) if tls else None,
        store="memory://",
        Table=StateTable,
        datadir=str(folder(domain, index)),
        topic_partitions=partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=4 << 20,
        broker_session_timeout=conf.session_timeout_s,
        broker_heartbeat_interval=conf.session_timeout_s / 4,
        broker_commit_interval=conf.commit_interval_s,
        stream_recovery_delay=0.0,
        stream_wait_empty=True,
        web_enabled=not load().side,  # the ports are the live workers'
        web_bind=addresses.HOST,
        web_host=addresses.HOST,
        web_port=addresses.worker_port(domain, index),
    )


class StreamWorker:
    """One stream's tables and agents in the app."""

    def __init__(self, app: faust.App, flow: Dataflow, publisher: Publisher, partitions: int, stores: Stores) -> None:
        self.app, self.flow, self.publisher, self.partitions = app, flow, publisher, partitions
        self.merges: dict[int, Merge] = {}  # by partition, prepared in `generation`
        self.generation = -1
        self.gauges = frozenset(t.name for t in flow.stream.gauge_topics)
        self.stores = stores
        stream = flow.stream
        self.table = app.Table(
            f"state-{stream.prefix}", partitions=partitions, changelog_topic=self._topic(stream.clean)
        )
        self.table.new_state = self._new_state
        self.table.source_topic = physical(stream.raw.name)
        changelogs = (stream.clean, stream.context) if stream.references else (stream.clean,)
        self.table.changelogs = tuple(physical(t.name) for t in changelogs)
        if stream.references:
            changelog = self._topic(stream.context)
            context = ContextTable(
                app,
                name=f"context-{stream.prefix}",
                partitions=partitions,
                changelog_topic=changelog,
                beacon=app.tables.beacon,
            )
            context.of(self.table)
        app.agent(self._topic(stream.raw), name=f"facts-{stream.prefix}")(self.facts)
        if stream.kpis:
            app.agent(self._topic(stream.partials), name=f"totals-{stream.prefix}")(self.totals)
        if stream.kpi_topics:
            app.agent(self._topic(*stream.kpi_topics), name=f"answers-{stream.prefix}")(self.answers)

    def _topic(self, *topics: Any) -> Any:
        names = [physical(t.name) for t in topics]
        return self.app.topic(*names, key_type=bytes, value_type=bytes, value_serializer="raw", internal=False)

    async def facts(self, raw: Any) -> None:
        async for batch in batches(self.app, raw):
            try:
                state = self.table.state_of(batch.tp.partition)
                if batch.first:
                    state.resume(batch.base)
                self.publisher.send(state.process(batch.next, batch.records, batch.generation), batch.generation)
            except Exception:
                log.exception("batch %s from %d failed", batch.tp, batch.base)
                fail("a raw batch could not be processed", f"{batch.tp} from {batch.base}")

    async def totals(self, partials: Any) -> None:
        async for batch in batches(self.app, partials):
            try:
                self.generation = batch.generation
                merge = self.merges[batch.tp.partition]
                self.publisher.send(merge.process(batch.records, unix()), batch.generation)
            except Exception:
                log.exception("batch %s from %d failed", batch.tp, batch.base)
                fail("a batch of partials could not be processed", f"{batch.tp} from {batch.base}")

    async def answers(self, figures: Any) -> None:
        async for batch in batches(self.app, figures):
            topic, p, now = logical(batch.tp.topic), batch.tp.partition, batch.generation
            keys = outdated(batch.records, now)
            if keys and topic in self.gauges:
                self.publisher.send(self.table.state_of(p).answer(topic, keys), now)
            elif keys:
                self.publisher.send(self.merges[p].answer(topic, keys, unix()), now)

    # ── snapshots ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _new_state(self, p: int, committed: int, bounds: Bounds) -> tuple[Partition, Mapping[str, int]]:
        store = self.stores.of(self.flow.stream, p)

        def new() -> Partition:
            return Partition(self.flow, p, self.partitions, committed, store.files)

        return keeping.load_state(store, new, committed, bounds)

    def replay_from(self, p: int, committed: int, bounds: tuple[int, int]) -> int:
        """Prepare the merge of a partition that has just been assigned; the offset of the partials that it goes on from."""
        store, stream = self.stores.of(self.flow.stream, p), self.flow.stream
        if self.generation != self.app.consumer_generation_id:
            self.generation, self.merges = self.app.consumer_generation_id, {}

        def new() -> Merge:
            return Merge(stream, self.partitions, p, committed)

        partials = physical(stream.partials.name)
        self.merges[p], position = keeping.load_merge(store, new, committed, {partials: bounds}, unix())
        return max(position, bounds[0])

    def captures(self) -> Iterator[Capture]:
        """What snapshots can be taken of, between batches."""
        stream, next_due = self.flow.stream, self.app.consumer.next_due
        changelogs = self.app.tables._changelogs  # noqa: SLF001
        for p, state in self.table.data.states.items():
            done = next_due.get(TP(physical(stream.raw.name), p))
            held = {t: changelogs[t].data.positions.get(TP(t, p)) for t in self.table.changelogs}
            if done is not None and None not in held.values() and state.settled(done):
                ends = {topic: position + 1 for topic, position in held.items()}
                yield keeping.capture_state(self.stores.of(stream, p), state, done, ends)
        partials = physical(stream.partials.name)
        for p, merge in self.merges.items():
            done = next_due.get(TP(partials, p))
            if done is not None and merge.settled:
                yield keeping.capture_merge(self.stores.of(stream, p), merge, partials, done)

    def close_windows(self) -> None:
        """Publish what has closed since the last batch of partials."""
        if self.generation == self.app.consumer_generation_id:
            for merge in self.merges.values():
                self.publisher.send(merge.publish(unix()), self.generation)

    def describe(self) -> dict[str, Any]:
        """What the worker holds of the stream, by partition."""
        states: dict[int, Partition] = self.table.data.states
        return {
            "partitions": {
                p: {
                    "fence": s.fence,
                    "watermark_ms": s.watermark_ms,
                    "seen_ids": len(s.seen),
                    "cells": sum(len(w) for f in s.folds for w in f.windows.values()),
                    "gauges": sum(len(g.entries) for g in s.gauges),
                    "versions": len(s.references),
                    "revisable": len(s.history or ()),
                    "counts": dict(s.counts),
                    "drift": dict(s.drift),
                }
                for p, s in states.items()
            },
            "cells": {p: sum(map(len, m.cells.values())) for p, m in self.merges.items()},
        }

    def summary(self) -> dict[str, int]:
        """What has been made of the raw records since the start, and how large the state is, over all partitions."""
        states: dict[int, Partition] = self.table.data.states
        counts = sum((s.counts for s in states.values()), Counter[str]())
        cells = sum(len(w) for s in states.values() for f in s.folds for w in f.windows.values())
        return {**counts, "cells": cells, "revisable": sum(len(s.history or ()) for s in states.values())}

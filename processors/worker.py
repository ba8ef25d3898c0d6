"""The Faust shell around a dataflow: two agents, one table, and what a worker tells about itself.

agent facts:     raw batches ─▶ Partition.process ─▶ clean, duplicates, rejected, partials
agent totals:    partial batches ─▶ Merge.process ─▶ kpi topics
table state:     Partition objects, recovered from the clean topic
"""

from __future__ import annotations

import logging
from typing import Any

import faust
from faust.web import View

from processors.batching import Batching, batches, fail, install, state_positions
from processors.dataflow import Dataflow, Partition
from processors.merge import Merge
from processors.publisher import Publisher
from processors.state_table import StateTable
from riverhouse import addresses
from riverhouse.clock import unix
from riverhouse.settings import load
from topics.registry import schema_headers

log = logging.getLogger(__name__)


def build(flow: Dataflow, index: int, partitions: int) -> faust.App:
    """The app of one worker process of `flow`, whose raw and partials topics have `partitions` partitions."""
    stream, conf = flow.stream, load().workers
    folder = addresses.home() / "data" / "workers" / f"{stream.prefix}-{index}"
    folder.mkdir(parents=True, exist_ok=True)
    app = faust.App(
        stream.group,
        broker="kafka://" + addresses.bootstrap().replace(",", ";"),
        store="memory://",
        Table=StateTable,
        datadir=str(folder),
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
        web_bind=addresses.HOST,
        web_host=addresses.HOST,
        web_port=addresses.ports().worker + index,
    )
    publisher = Publisher(addresses.bootstrap(), schema_headers(stream))
    install(app, Batching(publisher, conf.batch_records, conf.linger_ms, frozenset({stream.partials.name})))

    def topic(name: str) -> Any:
        return app.topic(name, key_type=bytes, value_type=bytes, value_serializer="raw", internal=False)

    table = app.Table("state", partitions=partitions, changelog_topic=topic(stream.clean.name))
    table.new_state = lambda p, committed: Partition(flow, p, partitions, committed)
    table.source_topic = stream.raw.name
    merges: dict[int, tuple[Merge, int]] = {}

    @app.agent(topic(stream.raw.name), name="facts")
    async def facts(raw: Any) -> None:
        async for batch in batches(app, raw):
            try:
                state = table.state_of(batch.tp.partition)
                if batch.first:
                    state.resume(batch.base)
                publisher.send(state.process(batch.next, batch.records))
            except Exception:
                log.exception("batch %s from %d failed", batch.tp, batch.base)
                fail("a raw batch could not be processed", f"{batch.tp} from {batch.base}")

    @app.agent(topic(stream.partials.name), name="totals")
    async def totals(partials: Any) -> None:
        async for batch in batches(app, partials):
            try:
                p = batch.tp.partition
                if batch.first or p not in merges:
                    merges[p] = Merge(stream, partitions), batch.committed
                merge, published_until = merges[p]
                publisher.send(merge.process(batch.records, unix(), published_until=published_until))
            except Exception:
                log.exception("batch %s from %d failed", batch.tp, batch.base)
                fail("a batch of partials could not be processed", f"{batch.tp} from {batch.base}")

    @app.timer(1.0)
    async def close_quiet_windows() -> None:
        """A stream that has gone quiet brings no batch that would close its windows."""
        positions = state_positions(app).get(stream.partials.name, {})
        async with app.consumer.working:
            for p, (merge, published_until) in merges.items():
                if positions.get(p, -1) >= published_until and app.flow_control.is_active():
                    publisher.send(merge.publish(unix()))

    @app.page("/state")
    class State(View):
        async def get(self, _: Any) -> Any:
            return self.json(describe())

    def describe() -> dict[str, Any]:
        states: dict[int, Partition] = table.data.states
        return {
            "positions": state_positions(app),
            "stats": dict(app.consumer.stats),
            "partitions": {
                p: {
                    "fence": s.fence,
                    "watermark_ms": s.watermark_ms,
                    "seen_ids": len(s.seen),
                    "cells": sum(len(w) for f in s.folds for w in f.windows.values()),
                    "counts": dict(s.counts),
                    "drift": dict(s.drift),
                }
                for p, s in states.items()
            },
            "cells": {p: sum(map(len, m.cells.values())) for p, (m, _) in merges.items()},
        }

    @app.timer(10.0)
    async def report() -> None:
        log.info("state %s", describe())

    return app

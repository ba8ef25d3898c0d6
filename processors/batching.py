"""Faust, one record batch per partition instead of one event.

This file, with `connections.py`, `consumer.py`, `fetching.py`, `membership.py`, `recovery.py` and `state_table.py` which belong to it, is the only
one that touches Faust's internals.
Faust gives the app, agents, assignment, tables, recovery, commits, web and command line. What it does for each record (two
tasks, a Message, an Event, a future) costs fifty times our own work, so here a whole fetched batch travels as one Event:

    aiokafka fetch ─▶ Batch [base, next) ─▶ the agent's queue ─▶ `batches()` ─▶ body ─▶ acknowledged: next

- Batches of a partition tile its log. One that does not start where the last ended is dropped and the partition rewound.
- An offset is committed after the publisher has flushed all that came before it.
- A table's changelog goes to its `Partition` states in batches as well (`StateTable`). It may be a topic that the agents
  publish anyway; ours is the clean topic.
- Topics in `replayed` are read again at every assignment, from their beginning or from where a snapshot of their reader's
  state ends: their log is that state. Topics that come `after` one wait until it has been read up to what was committed.
- An error in an agent's body ends the process: half a batch may be in the state. The log puts it right at the next start.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import faust
from aiokafka import conn as aiokafka_conn
from aiokafka.consumer import consumer as aiokafka_consumer
from aiokafka.consumer import fetcher as ak
from faust.types import TP

from processors import recovery
from processors.connections import Client, Connection
from processors.consumer import BatchConsumer
from processors.fetching import Batch, Chunks, Fetcher
from processors.membership import Coordinator
from processors.publisher import Publisher
from processors.snapshots.taking import Taker

KNOWN = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}
Replay = Callable[[int, int, tuple[int, int]], int]


class Batching:
    """What `install` adds to an app: the publisher, the sizes, and who takes snapshots.

    `linger_ms`: how long the broker gathers records before it answers a fetch; it does not where a topic is `prompt`.
    `replayed`: topic → from which offset a partition of it is read again, by what is committed and the log's bounds.
    `after`: topic → the replayed topic that is read first.
    """

    def __init__(
        self,
        publisher: Publisher,
        batch_records: int,
        linger_ms: int,
        prompt: frozenset[str],
        replayed: Mapping[str, Replay],
        after: Mapping[str, str],
        taker: Taker,
    ) -> None:
        self.publisher = publisher
        self.batch_records = batch_records
        self.linger_ms = linger_ms
        self.prompt = prompt
        self.replayed = replayed
        self.after = after
        self.taker = taker


def install(app: faust.App, batching: Batching) -> faust.App:
    """Make `app` read in batches. RuntimeError where Faust or aiokafka is a version whose internals we do not know."""
    for name, version in KNOWN.items():
        found = importlib.metadata.version(name)
        if found != version:
            raise RuntimeError(
                f"{name} {found} is installed; processors/batching.py knows {version}. "
                "Install the locked version, or check the file against the new one and change KNOWN."
            )
    ak.PartitionRecords = Chunks
    aiokafka_consumer.GroupCoordinator = Coordinator
    aiokafka_conn.AIOKafkaConnection = Connection
    aiokafka_consumer.AIOKafkaClient = Client
    aiokafka_consumer.Fetcher = functools.partial(Fetcher, prompt=batching.prompt)
    app.transport.Consumer = BatchConsumer
    app.batching = batching
    recovery.install(app)
    return app


async def batches(app: faust.App, stream: Any) -> AsyncIterator[Batch]:
    """The batches of a stream for an agent's body: in order, each once, none missing; acknowledged after the body."""
    consumer: BatchConsumer = app.consumer
    due: dict[TP, int]
    async for event in stream.noack().events():
        message, batch = event.message, event.value
        tp, due = batch.tp, consumer.next_due
        if not _current(app, message):
            consumer.stats["stale"] += 1
            consumer.forget(message)
            continue
        if due.get(tp) != batch.base:  # a queue was cleared before us
            consumer.stats["holes"] += 1
            consumer.forget(message)
            if tp in due and consumer.next_queued.get(tp) != due[tp]:
                await consumer.rewind(tp)
            continue
        async with consumer.working:
            if not _current(app, message) or consumer.next_due.get(tp) != batch.base:
                consumer.stats["stale"] += 1  # the partitions moved while we waited
                consumer.forget(message)
                continue
            yield batch
            consumer.next_due[tp] = batch.next
            consumer.ack(message)
        consumer.stats["batches"] += 1


def _current(app: faust.App, message: Any) -> bool:
    return bool(message.generation_id == app.consumer_generation_id and app.flow_control.is_active())


def state_positions(app: faust.App) -> dict[str, dict[int, int]]:
    """Topic → partition → the next offset that will be processed."""
    out: dict[str, dict[int, int]] = defaultdict(dict)
    for tp, offset in app.consumer.next_due.items():
        out[tp.topic][tp.partition] = offset
    return dict(out)

"""Faust, one record batch per partition instead of one event. The only file that touches Faust's internals.

Faust gives the app, agents, assignment, tables, recovery, commits, web and command line. What it does for each record (two
tasks, a Message, an Event, a future) costs fifty times our own work, so here a whole fetched batch travels as one Event:

    aiokafka fetch ─▶ Batch [base, next) ─▶ the agent's queue ─▶ `batches()` ─▶ body ─▶ acknowledged: next

- Batches of a partition tile its log. One that does not start where the last ended is dropped and the partition rewound.
- An offset is committed after the publisher has flushed all that came before it.
- A table's changelog goes to its `Partition` states in batches as well (`StateTable`). It may be a topic that the agents
  publish anyway; ours is the clean topic.
- Topics in `replayed` are read from their beginning at every assignment: their log is their reader's state.
- An error in an agent's body ends the process: half a batch may be in the state. The log puts it right at the next start.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import aiokafka
import faust
from aiokafka.consumer import fetcher as ak
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException
from faust.events import Event
from faust.stores.base import Store
from faust.tables import Table
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from processors.publisher import Publisher
from processors.records import Record
from riverhouse.clock import monotonic, unix

log = logging.getLogger(__name__)
KNOWN = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}
QUEUED_BATCHES = (
    6  # of one partition: back-pressure is ours, since Faust sleeps a whole second when all queues are full
)


class Batch:
    """Records of [base, next) of one partition. `first`: reading starts here. `committed`: what was acknowledged before."""

    __slots__ = ("__weakref__", "base", "committed", "first", "next", "records", "tp")

    def __init__(self, tp: TP, base: int, next_offset: int, records: list[Record]) -> None:
        self.tp = tp
        self.base = base
        self.next = next_offset
        self.records = records
        self.first = False
        self.committed = 0


class _Chunks(ak.PartitionRecords):
    """aiokafka's parsed fetch, as one list for each Kafka record batch. `next_fetch_offset` then tiles the log."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[list[Record]]:
        records = self._records
        while records.has_next():
            batch = records.next_batch()
            base = self.next_fetch_offset
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            chunk: list[Record] = []
            if not self._skip(batch):
                chunk = [Record(r.offset, r.timestamp, r.key, r.value, r.headers) for r in batch]
                if chunk and chunk[0].offset < base:
                    chunk = [r for r in chunk if r.offset >= base]
            self.next_fetch_offset = max(base, batch.next_offset)
            yield chunk

    def _skip(self, batch: Any) -> bool:
        """Control batches and aborted transactions hold nothing for us."""
        if self._isolation_level == ak.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)


class _Thread(driver.AIOKafkaConsumerThread):
    """The consumer's thread: fetches lingered by the broker, handed out a partition at a time."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        fetcher = self.app.batching
        consumer._fetch_max_wait_ms = fetcher.linger_ms
        consumer._fetch_min_bytes = fetcher.linger_bytes
        return consumer

    async def _fetch_records(
        self, consumer: Any, active_partitions: set[TP], timeout: float | None = None, max_records: int | None = None
    ) -> dict[TP, Batch]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            out = self._take(fetcher, active_partitions)
            if out or not timeout or fetcher._subscriptions.reassignment_in_progress:
                return out
            waiter = fetcher._create_fetch_waiter()
            done, pending = await asyncio.wait([waiter], timeout=timeout)
            for p in pending:
                p.cancel()
            if not done or fetcher._closed:
                return {}
            waiter.result()
            return self._take(fetcher, active_partitions)

    def _take(self, fetcher: Any, active: set[TP]) -> dict[TP, Batch]:
        """Up to `batch_records` of each active partition from what has been fetched."""
        out: dict[TP, Batch] = {}
        if fetcher._subscriptions.reassignment_in_progress:
            return out
        for tp in list(fetcher._records):
            if tp not in active:
                if not fetcher._subscriptions.is_assigned(tp):
                    del fetcher._records[tp]
                continue
            result = fetcher._records[tp]
            if type(result) is not ak.FetchResult:  # a fetch error, raised once the good ones are out
                if out:
                    return out
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
                result.check_raise()
                continue
            self._take_one(tp, result, out)
            if result._partition_records is None:
                fetcher._records.pop(tp, None)
                fetcher._notify(fetcher._wait_consume_future)
        return out

    def _take_one(self, tp: Any, result: Any, out: dict[TP, Batch]) -> None:
        parsed = result._partition_records
        if parsed is None or not result.check_assignment(tp):
            return
        base, limit = parsed.next_fetch_offset, self.app.batching.batch_records
        records: list[Record] = []
        exhausted = True
        for chunk in parsed:
            records += chunk
            if len(records) >= limit:
                exhausted = False
                break
        result._update_position()
        if exhausted:
            result._partition_records = None
        if parsed.next_fetch_offset > base:
            own = TP(tp.topic, tp.partition)
            out[own] = Batch(own, base, parsed.next_fetch_offset, records)


class BatchConsumer(driver.Consumer):
    """Faust's consumer, whose messages are batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stats: Counter[str] = Counter()
        self.next_queued: dict[TP, int] = {}  # base of the next batch that may be queued
        self.next_due: dict[TP, int] = {}  # base of the next batch that may be processed
        self.started_at: dict[TP, tuple[int, int]] = {}  # (first position, committed) of a partition just sought
        self.working = asyncio.Lock()  # held while a body runs, and while outputs are flushed for a commit

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    def on_buffer_full(self, tp: TP) -> None: ...

    def on_buffer_drop(self, tp: TP) -> None: ...

    # ── where reading starts ────────────────────────────────────────────────────────────────────────────────────────
    async def perform_seek(self) -> None:
        """Seek each partition to what is committed; to its beginning where nothing is, or where its topic is replayed."""
        tps = {tp for tp in self.assignment() if not self._is_changelog_tp(tp)}
        self.next_queued, self.next_due, self.started_at = {}, {}, {}
        if not tps:
            return
        committed = {TP(*tp): o for tp, o in (await self.seek_to_committed()).items()}
        earliest = {TP(*tp): o for tp, o in (await self.earliest_offsets(*tps)).items()}
        for tp in tps:
            offset = committed.get(tp)
            known = offset if offset is not None and offset >= 0 else None
            position = max(known or 0, earliest.get(tp) or 0)
            if tp.topic in self.app.batching.replayed:
                position = earliest.get(tp) or 0
            await self._thread.call_thread(self._seek_in_thread, tp, position)
            self._committed_offset[tp] = known
            self._read_offset[tp] = position
            self.next_queued[tp] = self.next_due[tp] = position
            self.started_at[tp] = (position, known or 0)

    async def _seek_in_thread(self, tp: TP, position: int) -> None:
        self._thread._ensure_consumer().seek(tp, position)

    async def committed(self, tp: TP) -> int:
        """The acknowledged offset of a partition; 0 where there is none."""
        return await self._thread.call_thread(self._thread._ensure_consumer().committed, tp) or 0

    async def rewind(self, tp: TP) -> None:
        """Read again from the next batch that is due: one before it was lost on the way."""
        position = self.next_queued[tp] = self.next_due[tp]
        self.stats["rewound"] += 1
        if self.stats["rewound"] > 1000:
            fail("a partition was rewound 1,000 times", f"{tp} at {position}")
        await self._thread.call_thread(self._seek_in_thread, tp, position)

    # ── acknowledgements: one number a partition, since batches come in order ───────────────────────────────────────
    def ack(self, message: Any) -> bool:
        batch = message.value
        message.acked = True
        self._unacked_messages.discard(message)
        if isinstance(batch, Batch) and message.generation_id == self.app.consumer_generation_id:
            self._acked[message.tp] = [batch.next]
            self._n_acked += 1
        waiting = self._waiting_for_ack
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        return True

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked.get(tp)
        return acked.pop() if acked else None

    def forget(self, message: Any) -> None:
        """A message that will not be processed must not be waited for."""
        message.acked = True
        self._unacked_messages.discard(message)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is done before Faust forgets it; else a second of work is done again for nothing."""
        self.stop_flow()
        self.app.flow_control.suspend()
        try:
            for _ in range(2):  # the first call may only have waited for a commit under way
                await asyncio.wait_for(self.commit(), self.app.conf.broker_session_timeout / 2)
        except Exception as e:  # noqa: BLE001  the batches will be replayed: fences make that harmless
            log.warning("no commit before the partitions moved: %r", e)
        await super().on_partitions_revoked(revoked)

    async def _commit_offsets(self, offsets: dict[TP, int], start_new_transaction: bool = True) -> bool:
        # The offsets were chosen before this flush, so all that they caused is in the publisher's queue by now.
        async with self.working:
            try:
                await self.app.batching.publisher.flush()
            except Exception as e:  # noqa: BLE001
                fail("outputs could not be published", repr(e))
        states = [tp for tp in self.assignment() if self._is_changelog_tp(tp)]
        ends = await self.highwaters(*states) if states else {}
        done = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if (
            done
        ):  # an accepted commit shows that no other worker owned the partitions: the state holds its log to the end
            for tp, end in ends.items():
                self.app.tables._changelogs[tp.topic].data.positions[TP(*tp)] = end - 1
        self.stats["commits" if done else "commits_refused"] += 1
        return done

    # ── the pump ────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set() or self.should_stop):
                if not self.flow_active:
                    await self.wait(self.can_resume_flow)
                    continue
                await self._pump()
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise
        finally:
            fetcher.set_shutdown()

    async def _pump(self) -> None:
        generation = self.app.consumer_generation_id
        active = self._with_room(set(self._get_active_partitions()))
        if not active:
            await asyncio.sleep(0.005)
            return
        for tp, batch in (await self._getmany(active, 1.0)).items():
            if not self.flow_active or generation != self.app.consumer_generation_id or self.should_stop:
                return
            if self._is_changelog_tp(tp):
                self._recover(tp, batch)
            elif self.next_queued.get(tp) == batch.base:
                self._queue(tp, batch, generation)
            else:
                self.stats["dropped"] += 1
        await asyncio.sleep(0)

    def _with_room(self, active: set[TP]) -> set[TP]:
        if self.app.in_recovery:
            return active
        channels = self.app.topics._tp_index
        return {
            tp
            for tp in active
            if self._is_changelog_tp(tp)
            or (tp in self.next_queued and all(c.queue.qsize() < QUEUED_BATCHES for c in channels.get(tp, ())))
        }

    def _queue(self, tp: TP, batch: Batch, generation: int) -> None:
        self.next_queued[tp] = batch.next
        position, batch.committed = self.started_at.get(tp, (-1, 0))
        batch.first = position == batch.base
        self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
        channels = self.app.topics._tp_index.get(tp, ())
        message = ConsumerMessage(
            tp.topic, tp.partition, batch.next - 1, unix(), 0, (), None, batch, None, 0, 0, tp, generation_id=generation
        )
        message.refcount = len(channels)
        for channel in channels:
            channel.queue.force_put_nowait(Event(self.app, None, batch, (), message))
        self._read_offset[tp] = batch.next - 1

    def _recover(self, tp: TP, batch: Batch) -> None:
        recovery = self.app.tables.recovery
        if tp in recovery.active_tps:
            offsets = recovery.active_offsets
        elif tp in recovery.standby_tps:
            offsets = recovery.standby_offsets
        else:
            return
        store = recovery.tp_to_table[tp].data
        store.recover(tp.partition, (r.value for r in batch.records if r.value is not None))
        known = offsets[tp]
        offsets[tp] = store.positions[tp] = max(-1 if known is None else known, batch.next - 1)
        recovery._active_events_received_at[tp] = monotonic()
        self.stats["recovered"] += len(batch.records)
        if recovery.in_recovery and not recovery.need_recovery():
            recovery.flush_buffers()
            recovery._set_recovery_ended()
            recovery.signal_recovery_end.set()


class StateStore(Store):
    """One state object for each partition of a table, recovered from the table's changelog in batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.states: dict[int, Any] = {}
        self.positions: dict[TP, int] = {}

    def recover(self, partition: int, values: Iterable[bytes]) -> None:
        self.states[partition].recover(values)

    def apply_changelog_batch(self, batch: Iterable[Any], to_key: Any, to_value: Any) -> None:
        for event in batch:
            self.recover(event.message.partition, [event.message.value])

    def persisted_offset(self, tp: TP) -> int | None:
        return self.positions.get(tp)

    async def need_active_standby_for(self, tp: TP) -> bool:
        return True

    async def on_rebalance(self, assigned: set[TP], *_: Any, **__: Any) -> None:
        """What is no longer ours is forgotten; what stays keeps its state and its position; what is new is prepared."""
        topic = self.table.changelog_topic_name
        mine = {tp.partition for tp in assigned if tp.topic == topic}
        self.states = {p: s for p, s in self.states.items() if p in mine}
        self.positions = {tp: o for tp, o in self.positions.items() if tp.partition in mine}
        for p in mine - self.states.keys():
            committed = await self.app.consumer.committed(TP(self.table.source_topic, p))
            self.states[p] = self.table.new_state(p, committed)

    def reset_state(self) -> None:
        self.states.clear()
        self.positions.clear()

    # Faust's table interface, for what asks it without knowing our states.
    def __len__(self) -> int:
        return len(self.states)

    def __iter__(self) -> Iterator[int]:
        return iter(self.states)

    def __getitem__(self, key: int) -> Any:
        return self.states[key]

    def __contains__(self, key: object) -> bool:
        return key in self.states

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("the state is a fold over its changelog: publish there")

    def __delitem__(self, key: Any) -> None:
        raise TypeError("the state is a fold over its changelog: publish there")

    async def backup_partition(self, *_: Any, **__: Any) -> None: ...

    def restore_backup(self, *_: Any, **__: Any) -> None: ...


class StateTable(Table):
    """A Faust table whose value for a partition is a state object with `recover(values)`.

    `new_state(partition, committed)` makes an empty one; `committed` is the offset acknowledged on `source_topic`.
    """

    new_state: Callable[[int, int], Any]
    source_topic: str

    def _new_store(self) -> StateStore:
        return StateStore("memory://", self.app, self, table_name=self.name, loop=self.loop)

    def state_of(self, partition: int) -> Any:
        return self.data.states[partition]


class Batching:
    """What `install` adds to an app: the publisher and the sizes."""

    def __init__(self, publisher: Publisher, batch_records: int, linger_ms: int, replayed: frozenset[str]) -> None:
        self.publisher = publisher
        self.batch_records = batch_records
        self.linger_ms = linger_ms
        self.linger_bytes = 256 * 1024  # a fetch of this size is answered at once
        self.replayed = replayed


def install(app: faust.App, batching: Batching) -> faust.App:
    """Make `app` read in batches. RuntimeError where Faust or aiokafka is a version whose internals we do not know."""
    for name, version in KNOWN.items():
        found = importlib.metadata.version(name)
        if found != version:
            raise RuntimeError(
                f"{name} {found} is installed; processors/batching.py knows {version}. "
                "Install the locked version, or check the file against the new one and change KNOWN."
            )
    ak.PartitionRecords = _Chunks
    app.transport.Consumer = BatchConsumer
    app.batching = batching
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


def fail(what: str, detail: str) -> None:
    """End the process at once: going on would acknowledge what was not done."""
    log.critical("%s: %s; the worker ends and is started again from its log", what, detail)
    logging.shutdown()
    os._exit(70)

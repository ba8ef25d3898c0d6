"""Faust's consumer, whose messages are whole batches: where reading starts, the pump, what is acknowledged. Touches its internals.

`batching.py` says how it all fits together.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from typing import Any

from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from processors import recovery
from processors.fetching import Batch, FetchThread
from processors.snapshots import pacing
from riverhouse.clock import monotonic, unix

log = logging.getLogger(__name__)
QUEUED_BATCHES = (
    6  # of one partition: back-pressure is ours, since Faust sleeps a whole second when all queues are full
)


class BatchConsumer(driver.Consumer):
    """Faust's consumer, whose messages are batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stats: Counter[str] = Counter()
        self.next_queued: dict[TP, int] = {}  # base of the next batch that may be queued
        self.next_due: dict[TP, int] = {}  # base of the next batch that may be processed
        self.started_at: dict[TP, tuple[int, int]] = {}  # (first position, committed) of a partition just sought
        self.covered: dict[TP, int] = {}  # what accepted commits cover
        # While partitions are sought nothing is taken: the position would be behind what nobody has queued.
        self.seeking = False
        self.asked_in = -1  # the generation of the group in which the pump asks for batches
        self.working = asyncio.Lock()  # held while a body runs, and while outputs are flushed for a commit

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    def on_buffer_full(self, tp: TP) -> None: ...

    def on_buffer_drop(self, tp: TP) -> None: ...

    # ── where reading starts ────────────────────────────────────────────────────────────────────────────────────────
    async def perform_seek(self) -> None:
        """Seek each partition to what is committed; to its beginning where nothing is, or where its topic is replayed."""
        self.seeking = True
        try:
            await self._seek_all()
        finally:
            self.seeking = False

    async def _seek_all(self) -> None:
        if left := recovery.left_to_read(self.app):
            fail("the state has not been read to its end", str(left))
        tps = {tp for tp in self.assignment() if not self._is_changelog_tp(tp)}
        self.next_queued, self.next_due, self.started_at, self.covered = {}, {}, {}, {}
        if not tps:
            return
        committed = {TP(*tp): o for tp, o in (await self.seek_to_committed()).items()}
        earliest = {TP(*tp): o for tp, o in (await self.earliest_offsets(*tps)).items()}
        for tp in tps:
            offset = committed.get(tp)
            known = offset if offset is not None and offset >= 0 else None
            position = max(known or 0, earliest.get(tp) or 0)
            replay_from = self.app.batching.replayed.get(tp.topic)
            if replay_from is not None:
                position = replay_from(tp.partition, known or 0, await self.bounds(tp))
            await self._thread.call_thread(self._seek_in_thread, tp, position)
            self._committed_offset[tp] = known
            self.covered[tp] = known or 0
            self._read_offset[tp] = position
            self.next_queued[tp] = self.next_due[tp] = position
            self.started_at[tp] = (position, known or 0)

    async def _seek_in_thread(self, tp: TP, position: int) -> None:
        self._thread._ensure_consumer().seek(tp, position)

    async def committed(self, tp: TP) -> int:
        """The acknowledged offset of a partition; 0 where there is none."""
        return await self._thread.call_thread(self._thread._ensure_consumer().committed, tp) or 0

    async def bounds(self, tp: TP) -> tuple[int, int]:
        """The first offset that a partition's log holds, and its end."""
        first, end = await self.earliest_offsets(tp), await self.highwaters(tp)
        return next(iter(first.values()), None) or 0, next(iter(end.values()), None) or 0

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
        if self.app.batching.taker.quick():
            await pacing.at_once(self.app)
        self.app.batching.taker.drop()
        await super().on_partitions_revoked(revoked)

    async def _commit_offsets(self, offsets: dict[TP, int], start_new_transaction: bool = True) -> bool:
        # The offsets were chosen before this flush, so all that they caused is in the publisher's queue by now.
        async with self.working:
            try:
                await self.app.batching.publisher.flush()
            except Exception as e:  # noqa: BLE001
                fail("outputs could not be published", repr(e))
            states = [tp for tp in self.assignment() if self._is_changelog_tp(tp)]
            for tp, end in (await self.highwaters(*states) if states else {}).items():
                self.app.tables._changelogs[tp.topic].data.reach(TP(*tp), end)
        done = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if done:
            self.covered |= {TP(*tp): offset for tp, offset in offsets.items()}
        self.stats["commits" if done else "commits_refused"] += 1
        return done

    async def on_stop(self) -> None:
        await super().on_stop()
        await pacing.at_once(self.app)

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
        generation = self.asked_in = self.app.consumer_generation_id
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
                if tp in self.next_queued:  # the position is behind this batch: what is due next lies before it
                    await self._thread.call_thread(self._seek_in_thread, tp, self.next_queued[tp])
        await asyncio.sleep(0)

    def _with_room(self, active: set[TP]) -> set[TP]:
        if self.app.in_recovery:
            return active
        channels = self.app.topics._tp_index
        return {
            tp
            for tp in active
            if self._is_changelog_tp(tp)
            or (
                not self.app.rebalancing  # Faust empties all queues when a rebalance ends
                and tp in self.next_queued
                and all(c.queue.qsize() < QUEUED_BATCHES for c in channels.get(tp, ()))
                and self._in_turn(tp)
            )
        }

    def _in_turn(self, tp: TP) -> bool:
        """Whether the replayed topic that this one comes after has been sought, and read up to what was committed of it."""
        if tp.topic not in self.app.batching.after:
            return True
        first = TP(self.app.batching.after[tp.topic], tp.partition)
        return first in self.started_at and bool(self.next_due[first] >= self.started_at[first][1])

    def _queue(self, tp: TP, batch: Batch, generation: int) -> None:
        self.next_queued[tp] = batch.next
        batch.generation = generation
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
        reading = self.app.tables.recovery
        if tp in reading.active_tps:
            offsets = reading.active_offsets
        elif tp in reading.standby_tps:
            offsets = reading.standby_offsets
        else:
            return
        store = reading.tp_to_table[tp].data
        store.recover(tp.partition, (r.value for r in batch.records if r.value is not None))
        known = offsets[tp]
        offsets[tp] = max(-1 if known is None else known, batch.next - 1)
        store.recovered(tp, offsets[tp])
        reading._active_events_received_at[tp] = monotonic()
        self.stats["recovered"] += len(batch.records)
        if reading.in_recovery and not reading.need_recovery():
            reading.flush_buffers()
            reading._set_recovery_ended()
            reading.signal_recovery_end.set()


def fail(what: str, detail: str) -> None:
    """End the process at once: going on would acknowledge what was not done."""
    log.critical("%s: %s; the worker ends and is started again from its log", what, detail)
    logging.shutdown()
    os._exit(70)

"""Fetching for `batching.py`: aiokafka's parsed fetches as whole batches, with the broker's linger. Touches its internals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import aiokafka
from aiokafka.consumer import fetcher as ak
from aiokafka.errors import ConsumerStoppedError, CorruptRecordException
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from processors.connections import Lane
from processors.records import Record

LINGER_BYTES = 256 * 1024  # a fetch of this size is answered at once


class Batch:
    """Records of [base, next) of one partition, read in a generation of the group.

    `first`: reading starts here. `committed`: what was acknowledged before.
    """

    __slots__ = ("__weakref__", "base", "committed", "first", "generation", "next", "records", "tp")

    def __init__(self, tp: TP, base: int, next_offset: int, records: list[Record]) -> None:
        self.tp = tp
        self.base = base
        self.next = next_offset
        self.records = records
        self.first = False
        self.committed = 0
        self.generation = -1


class Chunks(ak.PartitionRecords):
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


class Part(NamedTuple):
    """Some partitions of an assignment, as aiokafka's fetcher looks at it."""

    tps: list[Any]
    assignment: Any

    def state_value(self, tp: Any) -> Any:
        return self.assignment.state_value(tp)


class Fetcher(ak.Fetcher):
    """Two fetches under way for each broker: what comes in `prompt` topics does not wait while that of others is gathered."""

    _in_flight: set[Any]  # lanes; brokers while aiokafka looks at those of one kind

    def __init__(self, *args: Any, prompt: frozenset[str], fetch_min_bytes: int, **options: Any) -> None:
        self._prompt = prompt
        self._gathered_bytes = fetch_min_bytes
        super().__init__(*args, **options)

    def _get_actions_per_node(self, assignment: Any) -> Any:
        """What aiokafka would do for either kind of topics, with lanes in the place of brokers."""
        under_way, actions = self._in_flight, []
        for prompt in (False, True):
            self._fetch_min_bytes = 1 if prompt else self._gathered_bytes
            self._in_flight = {lane.node for lane in under_way if lane.prompt == prompt}
            part = Part([tp for tp in assignment.tps if (tp.topic in self._prompt) == prompt], assignment)
            fetches, resets, *others = super()._get_actions_per_node(part)
            lanes = [(Lane(node, prompt), request) for node, request in fetches]
            actions.append((lanes, [(Lane(node, prompt), tps) for node, tps in resets.items()], *others))
        self._in_flight = under_way
        fetches, resets, backoffs, stale, resumes = zip(*actions, strict=True)
        return [*chain(*fetches)], dict(chain(*resets)), min(backoffs), any(stale), [*chain(*resumes)]


class FetchThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread: fetches lingered by the broker, handed out a partition at a time."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.batching.linger_ms
        consumer._fetch_min_bytes = LINGER_BYTES
        return consumer

    async def call_thread(self, fun: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Raise `ConsumerStoppedError` when the thread ends.

        It answers no more then, and it ends only when what a rebalance under way calls has come back: each would wait for the other.
        A call that it was just doing is cancelled; as a cancellation that would end the thread before it says that it has ended.
        """
        if self._stopped.is_set():
            raise ConsumerStoppedError
        try:
            return await super().call_thread(fun, *args, **kwargs)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if (task and task.cancelling()) or not self._stopped.is_set():
                raise
        raise ConsumerStoppedError

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust warns of partitions whose stream does not move; those of changelogs have no stream once they are recovered."""
        if not self.consumer._is_changelog_tp(tp):
            super().verify_event_path(now, tp)

    async def _fetch_records(
        self, consumer: Any, active_partitions: set[TP], timeout: float | None = None, max_records: int | None = None
    ) -> dict[TP, Batch]:
        if not self.consumer.flow_active:
            return {}
        fetcher, generation = consumer._fetcher, self.consumer.asked_in
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            out = self._take(fetcher, active_partitions, generation)
            if out or not timeout or fetcher._subscriptions.reassignment_in_progress:
                return out
            waiter = fetcher._create_fetch_waiter()
            done, pending = await asyncio.wait([waiter], timeout=timeout)
            for p in pending:
                p.cancel()
            if not done or fetcher._closed:
                return {}
            waiter.result()
            return self._take(fetcher, active_partitions, generation)

    def _take(self, fetcher: Any, active: set[TP], generation: int) -> dict[TP, Batch]:
        """Up to `batch_records` of each active partition from what has been fetched.

        Nothing for who asked in an earlier generation of the group, or before the partitions were sought: they would drop it, and
        the position would be behind it all the same.
        """
        out: dict[TP, Batch] = {}
        if fetcher._subscriptions.reassignment_in_progress or self.consumer.seeking:
            return out
        if self.app.consumer_generation_id != generation:
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

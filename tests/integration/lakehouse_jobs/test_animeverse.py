"""AnimeVerse on real servers: revisions and control records through Kafka, the sink killed on the way; ledger and gauges."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from lakehouse_jobs import fences, ledger, trino_client, views
from riverhouse import addresses
from tests.integration.kafka import consumer, end_offsets, wait_for
from tests.integration.lakehouse_jobs import lakehouse, letters
from tests.integration.lakehouse_jobs.lakehouse import SinkProcess
from tests.unit.lakehouse_jobs.animeverse.samples import PARTITIONS, Samples, first_versions
from topics.animeverse import STREAMS
from topics.animeverse.pos import POS
from topics.animeverse.reference import PRODUCTS
from topics.animeverse.stock import STOCK
from topics.contract import Rejected, Stream

SETTINGS = {
    "RIVERHOUSE_LAKE__TRIGGER_S": "1", "RIVERHOUSE_LAKE__ARCHIVE_TRIGGER_S": "1", "RIVERHOUSE_LAKE__GOLD_INTERVAL_S": "5", "RIVERHOUSE_LAKE__SPARK_HEAP_MB": "768",
}  # fmt: skip


class World:
    """Samples through Kafka: raw records, of which some only tell of versions, and the clean ones made of them."""

    def __init__(self) -> None:
        self.samples = Samples(17)
        self.sent = dict.fromkeys((s.prefix for s in STREAMS), 0)
        self.producer = Producer({"bootstrap.servers": addresses.bootstrap(), "enable.idempotence": True})

    def send(self) -> None:
        """What is new, and the last clean records before it a second time, as after a crash."""
        for stream in STREAMS:
            events = self.samples.published[stream.prefix]
            fresh = events[self.sent[stream.prefix] :]
            made = {(e.raw_partition, e.raw_offset) for e in fresh if not getattr(e, "revision", 0)}
            told = {(e.raw_partition, e.cause_offset) for e in fresh if getattr(e, "revision", 0)}
            for partition, offset in sorted(made | told):
                headers = [("reference", b"animeverse.products")] if (partition, offset) in told else None
                self.producer.produce(stream.raw.name, f"raw {offset}".encode(), partition=partition, headers=headers)
            for event in events[max(0, self.sent[stream.prefix] - 4) :]:
                key = f"{event.raw_offset}"  # which compaction keeps apart
                value = msgspec.json.encode(event)
                self.producer.produce(stream.clean.name, value, key, partition=event.raw_partition, on_delivery=_taken)
            self.sent[stream.prefix] = len(events)
        assert self.producer.flush(60) == 0

    def commit_as_the_workers_would(self) -> None:
        consumer = Consumer({"bootstrap.servers": addresses.bootstrap(), "group.id": "riverhouse-animeverse"})
        ends = [
            TopicPartition(s.raw.name, p, self.samples.next[s.prefix, p]) for s in STREAMS for p in range(PARTITIONS)
        ]
        consumer.commit(offsets=[e for e in ends if e.offset], asynchronous=False)
        consumer.close()

    def newest(self, stream: Stream, key: str) -> dict[str, Any]:
        """Of each key the newest event, as it stands now."""
        events = sorted(self.samples.in_force(stream), key=lambda e: e.raw_offset)
        return {getattr(e, key): e for e in events}


def _taken(error: object, message: object) -> None:
    assert error is None, message


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with lakehouse.servers(tmp_path_factory.mktemp("animeverse"), SETTINGS):
        yield World()


@pytest.fixture(scope="module")
def sink(world: World) -> Iterator[SinkProcess]:
    with lakehouse.sink_process() as process:
        yield process


def test_the_ledger_of_the_business_balances(
    world: World, sink: SinkProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger.main(["animeverse"]) == 1  # nothing there yet
    first_versions(world.samples)
    world.samples.some(150)
    world.send()
    world.commit_as_the_workers_would()
    wait_for("the first rows are in", lambda: lakehouse.fence("silver.animeverse_pos"), within_s=400)
    assert sink.stop(signal.SIGKILL) == -signal.SIGKILL
    world.samples.some(150)
    world.send()
    world.commit_as_the_workers_would()
    sink.start()
    assert ledger.main(["animeverse"]) == 0, capsys.readouterr().out
    told = capsys.readouterr().out
    assert told.count("reference = raw") == sum(bool(world.samples.published[s.prefix]) for s in STREAMS)
    for stream in STREAMS:
        assert lakehouse.rows(f"silver.{stream.table}").num_rows == len(world.samples.published[stream.prefix])


def test_the_ledger_notices_what_has_no_fate(world: World, sink: SinkProcess) -> None:
    world.producer.produce(POS.raw.name, b"without a fate", partition=0)
    world.samples.next[POS.prefix, 0] += 1
    assert world.producer.flush(30) == 0
    world.commit_as_the_workers_would()
    assert ledger.main(["animeverse.pos"]) == 1
    assert ledger.main(["animeverse.cinema"]) == 0


def test_gauges_show_the_newest_event_of_each_key(world: World, sink: SinkProcess) -> None:
    for view in views.live_views():
        trino_client.query(view.statement)
    shown = trino_client.query("select item, reorder_point from live_stock order by 1")
    newest = world.newest(STOCK, "item")
    assert shown == sorted([key, e.reorder_point] for key, e in newest.items())
    assert trino_client.query("select count(*) from live_stock_alerts") == [[0]]  # no sample says that one changed


def test_gold_is_filled_by_the_running_sink(world: World, sink: SinkProcess) -> None:
    def filled() -> bool:
        as_of = lakehouse.fence("gold.fact_sales", fences.AS_OF)
        return as_of.items() >= lakehouse.fence("silver.animeverse_pos").items()

    wait_for("gold has what silver has", filled, within_s=300)
    sold = trino_client.query("select sum(net_cents), count(*) from fact_sales")
    lines = [line for e in world.samples.in_force(POS) for line in e.lines]
    assert sold == [[sum(line.net_cents for line in lines), len(lines)]]
    assert sink.stop() == 0


def test_letters_that_tell_of_a_version_go_back_to_their_own_partition(world: World, sink: SinkProcess) -> None:
    """And only as they were, and not after a correction. The sink is away: all of it is read from Kafka."""
    told = world.samples.published[PRODUCTS.prefix][0]
    offset = end_offsets(POS.raw.name)[1]
    header, value = ("reference", PRODUCTS.prefix), msgspec.json.encode(told)
    refused = Rejected(
        raw_partition=1, raw_offset=offset, ingested_at=told.ingested_at, reason="processor_error", detail="x", key=None,
        value=value, headers=dict([header]),
    )  # fmt: skip
    world.producer.produce(POS.raw.name, value, partition=1, headers=[header])
    world.producer.produce(POS.rejected.name, msgspec.json.encode(refused), partition=1)
    assert world.producer.flush(30) == 0
    position = f"animeverse.pos/1/{offset}"
    assert "others" in letters.rejected("fix", position, "--set", "name=x", "--send")["held_back"][0]["why"]
    assert letters.rejected("retry", position)["sent"] == 1
    with contextlib.closing(consumer()) as c:
        c.assign([TopicPartition(POS.raw.name, 1, offset + 1)])
        (sent,) = c.consume(1, 30)
    assert sent.headers() == [(header[0], header[1].encode()), ("retry_of", f"animeverse.pos.raw/1/{offset}".encode())]
    assert (sent.key(), sent.value()) == (None, value)
    assert letters.rejected("show", position)["state"] == "on its way"
    world.samples.next[POS.prefix, 1] = offset + 2
    world.commit_as_the_workers_would()
    assert letters.rejected("show", position)["retries"][0]["fate"] == "reference"
    correction = msgspec.structs.replace(told, raw_offset=told.raw_offset + 1000)
    world.producer.produce(PRODUCTS.clean.name, msgspec.json.encode(correction), partition=told.raw_partition, key="c")
    assert world.producer.flush(30) == 0
    assert "corrected" in letters.rejected("retry", position, "--again")["held_back"][0]["why"]

"""Real Faust workers on a real broker, over TLS: killed, joined and stopped, and every number is what it would have been."""

from __future__ import annotations

import asyncio
import functools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from processors.connections import Client
from processors.fetching import LINGER_BYTES, Fetcher
from processors.membership import Coordinator, security
from riverhouse import addresses, brokers
from riverhouse.local.testing import start_stack
from tests.integration.certificates import tls
from tests.integration.kafka import end_offsets, send, wait_for
from tests.integration.processors.workers import STREAM, all_done, check_topics, dealt, done, said, snapshots, worker
from tests.sim import world

EVENTS = 12_000
READY = "Worker ready"
# Its pump asks for records and waits long for some, also while the partitions move.
PATIENT = """
import processors.consumer as c
real = c.BatchConsumer._getmany
async def getmany(self, active, _): return await real(self, active, 30.0)
c.BatchConsumer._getmany = getmany
"""
# Takes its time over each partition that it is dealt: before it asks the consumer's thread about it, or while that thread asks the broker.
BEFORE = """
import asyncio, processors.state_table as s
real = s.StateStore._new_state
async def new_state(self, p):
    print("is being dealt", flush=True)
    await asyncio.sleep(1)
    return await real(self, p)
s.StateStore._new_state = new_state
"""
MEANWHILE = """
import asyncio, processors.fetching as f
real = f.Fetcher.beginning_offsets
async def beginning_offsets(self, *args):
    print("is being dealt", flush=True)
    await asyncio.sleep(1)
    return await real(self, *args)
f.Fetcher.beginning_offsets = beginning_offsets
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    settings = {
        "RIVERHOUSE_WORKERS__SESSION_TIMEOUT_S": "6",
        "RIVERHOUSE_WORKERS__BATCH_RECORDS": "300",
        "RIVERHOUSE_WORKERS__SNAPSHOT_INTERVAL_S": "1",
    }
    home = tmp_path_factory.mktemp("workers")
    with start_stack(home, only=("kafka", "registry", "topics"), settings_env={**settings, **tls(home)}):
        yield home


def test_what_comes_while_partitions_move_is_not_lost(folder: pathlib.Path) -> None:
    """It was asked for in an earlier generation, and comes after the partitions were sought. No record was there before, none comes later."""
    with worker(folder, 5, PATIENT) as first:
        wait_for("the first worker has read its partitions back", lambda: said(folder, 5, READY) == 1)
        with worker(folder, 6) as second:
            wait_for("both have partitions", lambda: said(folder, 5, READY) == 2 and said(folder, 6, READY))
            send(STREAM.raw.name, world.raw_partitions(10, partitions=3, events=900))
            wait_for("all is done", all_done, within_s=90)
            for process in (second, first):
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0
    check_topics()


@pytest.mark.parametrize(("index", "slow"), [(7, BEFORE), (8, MEANWHILE)], ids=["before a call", "in a call"])
def test_a_worker_that_is_just_dealt_partitions_stops_at_once(folder: pathlib.Path, index: int, slow: str) -> None:
    """What a rebalance calls and the consumer's thread waited for each other: the stop took a minute."""
    with worker(folder, index, slow) as process:
        wait_for("it is dealt partitions", lambda: said(folder, index, "is being dealt"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "Traceback" not in (folder / f"worker-{index}.log").read_text()


def test_kills_and_moves_change_no_number(folder: pathlib.Path) -> None:
    logs, before = world.raw_partitions(11, partitions=3, events=EVENTS), done()
    third = [log[: len(log) // 3] for log in logs]
    send(STREAM.raw.name, third)
    with worker(folder, 0) as first:
        wait_for("the first worker has committed something", lambda: done() > before + 500)
        wait_for("it has written snapshots", lambda: snapshots(folder, "facts") and snapshots(folder, "totals"))
        first.send_signal(signal.SIGKILL)
        first.wait()
    send(STREAM.raw.name, [log[len(log) // 3 : -len(log) // 3] for log in logs])
    with worker(folder, 0) as second:
        wait_for("the second worker goes on where the first died", lambda: done() > before + sum(map(len, third)))
        with worker(folder, 2) as third_worker:
            wait_for("two workers have partitions", lambda: sorted(map(bool, dealt())) == [True, True])
            send(STREAM.raw.name, [log[-len(log) // 3 :] for log in logs])
            wait_for("more than two thirds are done", lambda: done() > before + 2 * EVENTS // 3)
            second.send_signal(signal.SIGKILL)
            wait_for("the last worker finishes alone", all_done)
            third_worker.send_signal(signal.SIGTERM)
            assert third_worker.wait(30) == 0
    assert said(folder, 0, "a member of an earlier life") == 1  # whether the broker still waited for it or not
    assert said(folder, 0, "facts: restored from a snapshot")
    assert said(folder, 0, "totals: restored from a snapshot")
    assert "Traceback" not in (folder / "worker-2.log").read_text()
    check_topics()


def test_partitions_that_come_right_after_a_recovery_are_read_back(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers read their partitions back, one leaves within seconds; then every event comes a second time."""
    monkeypatch.setenv("RIVERHOUSE_WORKERS__SNAPSHOT_INTERVAL_S", "0")
    kept = folder / "data" / "workers" / "snapshots"
    kept.rename(kept.with_name("set-aside"))
    before = said(folder, 3, READY), said(folder, 4, READY)
    with worker(folder, 3) as leaves, worker(folder, 4):
        wait_for("both have read their partitions back", lambda: sorted(map(bool, dealt())) == [True, True]
                 and said(folder, 3, READY) > before[0] and said(folder, 4, READY) > before[1])  # fmt: skip
        again = said(folder, 4, READY)
        leaves.send_signal(signal.SIGTERM)
        wait_for("the other has taken them over", lambda: said(folder, 4, READY) > again)
        send(STREAM.raw.name, world.raw_partitions(11, partitions=3, events=EVENTS))
        wait_for("all is done", all_done)
    shutil.rmtree(kept, ignore_errors=True)
    kept.with_name("set-aside").rename(kept)
    check_topics()


def test_what_is_damaged_or_of_another_contract_is_set_aside(folder: pathlib.Path) -> None:
    """The worker before this has stopped, and has written snapshots of everything."""
    assert len(snapshots(folder, "facts")) == len(snapshots(folder, "totals")) == 3
    damaged = snapshots(folder, "facts")[0]
    data = bytearray(damaged.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    send(STREAM.raw.name, [log[-50:] for log in world.raw_partitions(12, partitions=3, events=600)])
    other = "import dataclasses, topics.tweets as t; t.TWEETS = dataclasses.replace(t.TWEETS, describe='another')"
    with worker(folder, 3, other) as process:
        wait_for("everything is done, from the topics", all_done)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert said(folder, 3, "tweets 0 facts: the snapshot is set aside: the file does not hold what was written") == 1
    assert said(folder, 3, "the snapshot is set aside: it was taken of another layout") == 5
    check_topics()
    send(STREAM.raw.name, [log[-50:] for log in world.raw_partitions(13, partitions=3, events=600)])
    with worker(folder, 4, other):
        wait_for("everything is done, from the snapshots of the stop", all_done)
    assert said(folder, 4, "restored from a snapshot") == 6
    check_topics()


def test_a_worker_does_not_start_when_the_registry_refuses_its_schema(folder: pathlib.Path) -> None:
    code = (
        "import dataclasses, msgspec, topics.tweets as t\n"
        "class Tweet(t.Tweet, kw_only=True):\n    mood: int\n"
        "t.TWEETS = dataclasses.replace(t.TWEETS, event=Tweet)\n"
        "import sys; sys.argv = ['processors', 'worker', 'tweets', '--index', '7']\n"
        "from processors.__main__ import main; main()\n"
    )
    before = end_offsets(STREAM.clean.name)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=os.environ)
    assert result.returncode != 0
    assert "The registry refused the schema of tweets.raw" in result.stdout + result.stderr
    assert end_offsets(STREAM.clean.name) == before


def test_a_prompt_topic_does_not_wait_for_others(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the fetch of a topic whose records are gathered for a minute is under way, those of another topic come at once."""
    assert folder.exists()
    admin = AdminClient(brokers.librdkafka())
    for made in admin.create_topics([NewTopic("gathered", 2), NewTopic("at-once", 2)]).values():
        made.result(20)
    monkeypatch.setattr("aiokafka.consumer.consumer.AIOKafkaClient", Client)
    monkeypatch.setattr("aiokafka.consumer.consumer.Fetcher", functools.partial(Fetcher, prompt=frozenset({"at-once"})))

    producer = Producer(brokers.librdkafka())

    async def both() -> None:
        long = {"fetch_max_wait_ms": 60_000, "fetch_min_bytes": LINGER_BYTES, "auto_offset_reset": "earliest"}
        async with AIOKafkaConsumer(
            "gathered", "at-once", bootstrap_servers=addresses.bootstrap(), **security(), **long
        ) as consumer:
            for value in (b"first", b"second"):
                producer.produce("at-once", value)
                producer.flush(20)
                assert (await asyncio.wait_for(consumer.getone(), 30)).value == value

    asyncio.run(both())


def test_nothing_is_dealt_out_while_the_broker_names_no_partitions(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a broker that has just started. Who is dealt nothing then would stand still for minutes."""
    assert folder.exists()
    dealing, dealt = asyncio.Event(), asyncio.Queue[set[int]]()

    class Dealing(Coordinator):
        async def _perform_assignment(self, response: Any) -> Any:
            dealing.set()
            return await super()._perform_assignment(response)

    class Listener(ConsumerRebalanceListener):
        def on_partitions_revoked(self, revoked: set[Any]) -> None: ...

        async def on_partitions_assigned(self, assigned: set[Any]) -> None:
            await dealt.put({at.partition for at in assigned})

    monkeypatch.setattr("aiokafka.consumer.consumer.GroupCoordinator", Dealing)

    async def first_dealt() -> set[int]:
        async with AIOKafkaConsumer(
            bootstrap_servers=addresses.bootstrap(), group_id="dealt", **security()
        ) as consumer:
            consumer.subscribe(["named-later"], listener=Listener())
            await asyncio.wait_for(dealing.wait(), 60)
            admin = AdminClient(brokers.librdkafka())
            admin.create_topics([NewTopic("named-later", 2)])["named-later"].result(20)
            return await asyncio.wait_for(dealt.get(), 60)

    assert asyncio.run(first_dealt()) == {0, 1}

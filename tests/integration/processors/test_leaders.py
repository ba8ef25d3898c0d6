"""Three workers on two brokers, while partitions change their leaders: by a crash, by an election, by a stop."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import ElectionType
from confluent_kafka.admin import AdminClient

from processors.records import Record
from riverhouse import brokers
from riverhouse.local import stack
from riverhouse.local.console import Console
from riverhouse.local.testing import start_stack
from tests.integration.kafka import send, wait_for
from tests.integration.processors.workers import STREAM, all_done, check_topics, dealt, done, worker
from tests.integration.second_broker import NODE, SecondBroker, leaders
from tests.sim import world

EVENTS = 8_000
FIRST = 1
SETTINGS = {"RIVERHOUSE_WORKERS__BATCH_RECORDS": "300", "RIVERHOUSE_KAFKA__REPLICATION": "2"}


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    with start_stack(tmp_path, only=("kafka",), settings_env=SETTINGS):
        yield tmp_path


def quarters(logs: Sequence[Sequence[Record]]) -> list[list[Sequence[Record]]]:
    """Each log in four parts: the first part of all, the second of all, and so on."""
    return [[log[len(log) * i // 4 : len(log) * (i + 1) // 4] for log in logs] for i in range(4)]


def test_leaders_move_under_three_workers(home: pathlib.Path) -> None:
    """No worker ends, and every number is what it would have been."""
    first, second, third, fourth = quarters(world.raw_partitions(21, partitions=3, events=EVENTS))
    with SecondBroker(home / "second") as broker, contextlib.ExitStack() as started:
        stack.up(("kafka", "registry", "topics"), Console(quiet=True), lifeline=os.getpid())
        workers = [started.enter_context(worker(home, index)) for index in range(3)]
        wait_for("three workers have partitions", lambda: sorted(map(bool, dealt())) == [True] * 3)
        assert leaders(STREAM.raw.name) == leaders(STREAM.clean.name) == {FIRST, NODE}
        send(STREAM.raw.name, first)
        wait_for("something is done", lambda: done() > EVENTS // 10)

        broker.kill()
        send(STREAM.raw.name, second)
        wait_for("they go on with the broker that is left", lambda: done() > EVENTS * 4 // 10)
        assert leaders(STREAM.raw.name) == {FIRST}

        broker.start()
        admin = AdminClient(brokers.librdkafka())
        admin.elect_leaders(ElectionType.PREFERRED).result(60)
        wait_for("the other leads again", lambda: leaders(STREAM.raw.name) == {FIRST, NODE})
        send(STREAM.raw.name, third)
        wait_for("they go on with both", lambda: done() > EVENTS * 6 // 10)

        broker.stop()
        send(STREAM.raw.name, fourth)
        wait_for("all is done", all_done)
        assert [w.poll() for w in workers] == [None] * 3
    check_topics()

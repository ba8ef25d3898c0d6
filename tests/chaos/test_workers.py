"""Workers hit at exact points: between the changelog and the outputs, in recovery, asleep; a record that cannot be delivered."""

from __future__ import annotations

import pathlib
import signal

import psutil
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from riverhouse import brokers
from tests.chaos import programs
from tests.chaos.checks import tails
from tests.chaos.programs import check, finish, killed, produce, worker
from tests.integration.kafka import committed, end_offsets, wait_for
from topics.tweets import TWEETS

EVENTS = 1500
pytestmark = pytest.mark.usefixtures("servers")


def test_kills_between_the_outputs_of_a_batch() -> None:
    """The clean topic, which is the changelog, has a batch; what else it causes is not in the log, or in part, or not committed."""
    for index, point in enumerate(("after-clean", "half-of-the-partials", "before-the-commit")):
        produce(EVENTS)
        with worker(index, point, "2") as faulty:
            killed(faulty)
    with worker(3) as heir:
        finish(heir)
    check()


def test_a_kill_while_the_state_is_read_back() -> None:
    produce(EVENTS)
    with worker(0) as first:
        finish(first)
    produce(EVENTS)
    with worker(1, "in-recovery", "2") as second:
        killed(second)
    with worker(2) as third:
        finish(third)
    check()


def test_a_zombie_wakes_after_its_partitions_moved() -> None:
    """It holds the outputs of a batch, sleeps beyond its session, and sends them when another worker has gone on."""
    with worker(0, "zombie", "2") as sleeper:
        produce(EVENTS)
        wait_for("the worker has fallen asleep", lambda: psutil.Process(sleeper.pid).status() == "stopped")
        with worker(1) as heir:
            finish(heir)
            produce(EVENTS)
            finish(heir)
            before = end_offsets(TWEETS.partials.name)
            sleeper.send_signal(signal.SIGCONT)
            wait_for("the zombie has sent what it held", lambda: end_offsets(TWEETS.partials.name) > before)
            produce(EVENTS)
            wait_for("both have done everything", programs.done, within_s=120)
            assert heir.poll() is None
    tails(check())


def test_what_is_read_before_the_worker_is_ready_is_not_lost() -> None:
    """No later event comes that would show the hole."""
    produce(EVENTS)
    with worker(0) as first:
        finish(first)
    for _ in range(3):  # batches of their own: one is in hand, others wait
        produce(EVENTS)
    with worker(1, "ready-late", "20") as second:  # it fetches while it is not ready, since it has a state to read back
        finish(second)
    check()


def test_a_crash_inside_faust_ends_the_worker() -> None:
    """Its threads, too: else it would neither work nor be started again."""
    produce(EVENTS)
    with worker(0, "unanswered", "1") as first:
        assert first.wait(90) == 1
    with worker(1) as second:
        finish(second)
    check()


def limit_records_to(size: str | None) -> None:
    """Set, or set back, how large a record of the clean topic may be."""
    entry = ConfigEntry(
        "max.message.bytes", size, incremental_operation=AlterConfigOpType.SET if size else AlterConfigOpType.DELETE
    )
    resource = ConfigResource(ResourceType.TOPIC, TWEETS.clean.name, incremental_configs=[entry])
    admin = AdminClient(brokers.librdkafka())
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def test_a_record_that_cannot_be_delivered_ends_the_worker_and_leaves_no_hole(servers: pathlib.Path) -> None:
    """The broker refuses clean records; duplicates, rejected ones and partials of the same batches arrive all the same."""
    limit_records_to("700")
    try:
        produce(EVENTS)
        before = committed(TWEETS.group, TWEETS.raw.name)
        with worker(3) as first:
            assert first.wait(90) == 70
        assert "a record could not be delivered" in (servers / "log" / "tweets-3.log").read_text()
        assert committed(TWEETS.group, TWEETS.raw.name) == before
    finally:
        limit_records_to(None)
    with worker(0) as second:
        finish(second)
    check()

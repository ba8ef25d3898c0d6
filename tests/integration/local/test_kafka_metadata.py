"""Kafka's own metadata outlives a log of it that is spoilt, as a disk that was full left it in a chaos run."""

from __future__ import annotations

import os
import pathlib
import signal

from confluent_kafka.admin import AdminClient, NewTopic

from riverhouse import addresses
from riverhouse.local import control, kafka
from riverhouse.local.testing import start_stack
from tests.integration.kafka import wait_for

FOLDER = "__cluster_metadata-0"


def newest_snapshot() -> int:
    """The offset where the newest snapshot of the metadata ends; 0 where there is none."""
    ends = (p.name.split("-")[0] for p in (kafka.data() / FOLDER).glob("*-*.checkpoint"))
    return max(map(int, ends), default=0)


def spoil(log: pathlib.Path) -> None:
    """Repeat the log's first batch at its end, where its offset is out of order: Kafka recovers nothing of such a log."""
    content = log.read_bytes()
    size = 12 + int.from_bytes(content[8:12], "big")  # offset and length stand before each batch
    log.write_bytes(content + content[:size])


def topics() -> dict[str, int]:
    client = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0, "socket.timeout.ms": 3000})
    return {name: len(t.partitions) for name, t in client.list_topics(timeout=5).topics.items()}


def test_topics_outlive_a_spoilt_log_of_metadata(tmp_path: pathlib.Path) -> None:
    with start_stack(tmp_path, only=("kafka",)):
        admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
        admin.create_topics([NewTopic("kept", 3, 1)])["kept"].result(10)
        before = newest_snapshot()
        wait_for("two snapshots more", lambda: newest_snapshot() > before + 40, within_s=120)
        control.stop("kafka")
        (log,) = (kafka.data() / FOLDER).glob("*.log")
        spoil(log)
        (kafka.data() / ".kafka_cleanshutdown").unlink(missing_ok=True)
        control.start("kafka")
        control.wait_ready(kafka.KAFKA)
        assert topics().get("kept") == 3
        os.kill(control.states()["kafka"]["pid"], signal.SIGKILL)
        control.wait_ready(kafka.KAFKA)
        assert topics().get("kept") == 3

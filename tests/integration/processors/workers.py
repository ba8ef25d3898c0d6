"""Workers of the tweets as child processes of a test, and how far they are."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from processors.tweets import FLOW
from riverhouse import brokers
from tests.integration.kafka import KafkaLogs, committed, end_offsets
from tests.sim import oracle
from tests.sim.checks import check_all

STREAM = FLOW.stream


@contextlib.contextmanager
def worker(folder: pathlib.Path, index: int, code: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A worker process; with `code`, one that runs this before it begins."""
    with (folder / f"worker-{index}.log").open("ab") as out:
        command = [sys.executable, "-m", "processors", "worker", STREAM.prefix, "--index", str(index)]
        if code:
            begin = (
                f"import sys; sys.argv = {['processors', *command[3:]]}\nfrom processors.__main__ import main; main()"
            )
            command = [sys.executable, "-c", f"{code}\n{begin}"]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def done() -> int:
    return sum(max(o, 0) for o in committed(STREAM.group, STREAM.raw.name))


def dealt() -> list[list[TopicPartition]]:
    """The partitions of each member of the group."""
    admin = AdminClient(brokers.librdkafka())
    group = admin.describe_consumer_groups([STREAM.group])[STREAM.group].result(20)
    return [m.assignment.topic_partitions for m in group.members]


def all_done() -> bool:
    return all(committed(STREAM.group, t) == end_offsets(t) for t in (STREAM.raw.name, STREAM.partials.name))


def snapshots(folder: pathlib.Path, kind: str) -> list[pathlib.Path]:
    return sorted((folder / "data" / "workers" / "snapshots" / STREAM.prefix).glob(f"*/{kind}"))


def said(folder: pathlib.Path, index: int, what: str) -> int:
    """How often a worker has said something."""
    log = folder / f"worker-{index}.log"
    return log.read_text().count(what) if log.exists() else 0


def check_topics() -> None:
    got = KafkaLogs([t.name for t in STREAM.topics])
    raw = [got.logs[STREAM.raw.name, p] for p in range(3)]
    check_all({0: got}, oracle.connect({0: raw}))

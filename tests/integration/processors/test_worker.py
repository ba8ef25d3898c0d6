"""Real Faust workers on a real broker: killed, joined and stopped, and every number is what it would have been."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from processors.tweets import FLOW
from riverhouse.local.testing import start_stack
from tests.integration.kafka import KafkaLogs, committed, end_offsets, send, wait_for
from tests.sim import oracle, world
from tests.sim.checks import check_all

STREAM = FLOW.stream
EVENTS = 12_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    settings = {"RIVERHOUSE_WORKERS__SESSION_TIMEOUT_S": "6", "RIVERHOUSE_WORKERS__BATCH_RECORDS": "300"}
    with start_stack(
        tmp_path_factory.mktemp("workers"), only=("kafka", "registry", "topics"), settings_env=settings
    ) as home:
        yield home


@contextlib.contextmanager
def worker(folder: pathlib.Path, index: int) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"worker-{index}.log").open("ab") as out:
        command = [sys.executable, "-m", "processors", "worker", STREAM.prefix, "--index", str(index)]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def done() -> int:
    return sum(max(o, 0) for o in committed(STREAM.group, STREAM.raw.name))


def all_done() -> bool:
    return all(committed(STREAM.group, t) == end_offsets(t) for t in (STREAM.raw.name, STREAM.partials.name))


def test_kills_and_moves_change_no_number(folder: pathlib.Path) -> None:
    logs = world.raw_partitions(11, partitions=3, events=EVENTS)
    third = [log[: len(log) // 3] for log in logs]
    send(STREAM.raw.name, third)
    with worker(folder, 0) as first:
        wait_for("the first worker has committed something", lambda: done() > 500)
        first.send_signal(signal.SIGKILL)
        first.wait()
    send(STREAM.raw.name, [log[len(log) // 3 :] for log in logs])
    with worker(folder, 1) as second:
        wait_for("the second worker goes on where the first died", lambda: done() > sum(map(len, third)))
        with worker(folder, 2) as third_worker:
            wait_for("two thirds are done, by two workers", lambda: done() > 2 * EVENTS // 3)
            second.send_signal(signal.SIGKILL)
            wait_for("the last worker finishes alone", all_done)
            third_worker.send_signal(signal.SIGTERM)
            assert third_worker.wait(30) == 0
    got = KafkaLogs([t.name for t in STREAM.topics])
    raw = [got.logs[STREAM.raw.name, p] for p in range(3)]
    check_all({0: got}, oracle.connect({0: raw}))


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

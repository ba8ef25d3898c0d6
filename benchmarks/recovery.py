"""How long a worker is away: `python -m benchmarks.recovery --keys 1000000`. Starts a broker of its own, and stops it again.

One worker of the tweets processes as many events as there are to be keys: each an id of its own, of a quarter as many users.
Then it is killed with -9 and started again, with its snapshots and without its disk; and two workers run, of which one is
killed. What is measured is the time from the start (or the kill) until a record sent at that moment is in the clean topic,
for the slowest partition.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random  # noqa: TID251 - the events are made up
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from confluent_kafka import Consumer, Producer, TopicPartition
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from processors.snapshots.files import DamagedError, Folder
from processors.snapshots.origin import from_bytes
from riverhouse import addresses
from riverhouse.clock import monotonic, sleep, unix
from riverhouse.local.testing import start_stack
from topics.progress import committed
from topics.tweets import TWEETS

RAW, CLEAN = TWEETS.raw.name, TWEETS.clean.name
WITHIN_S = 600.0


class Topics:
    """What the benchmark sends to and sees of the broker."""

    def __init__(self) -> None:
        bootstrap = {"bootstrap.servers": addresses.bootstrap()}
        self._producer = Producer({**bootstrap, "linger.ms": 20, "compression.type": "lz4", "batch.size": 1_000_000})
        self._consumer = Consumer({**bootstrap, "group.id": "benchmark"})
        self.partitions = range(len(self._consumer.list_topics(RAW, timeout=10).topics[RAW].partitions))
        self._random = random.Random(1)  # noqa: S311
        self._sent = 0

    def send(self, partition: int, users: int) -> None:
        """One new event of one of the users."""
        self._sent += 1
        r = self._random
        event = {
            "tweet_id": f"{r.getrandbits(128):032x}",
            "text": "what a lovely day",
            "user": {"user_id": f"u{r.randrange(users) * 8 + partition}", "username": "nobody", "followers_count": 1},
            "created_at": int(unix() * 1000),
            "hashtags": [f"tag{r.randrange(2000)}"],
            "sentiment_score": 0.5,
            "region": r.choice(("DEU", "JPN", "BRA")),
            "language": r.choice(("de", "ja", "pt")),
        }
        self._producer.produce(RAW, json.dumps(event).encode(), None, partition)
        if self._sent % 1000 == 0:
            self._producer.flush()

    def flush(self) -> None:
        self._producer.flush()

    def ends(self, topic: str) -> list[int]:
        at = [TopicPartition(topic, p) for p in self.partitions]
        return [self._consumer.get_watermark_offsets(tp, timeout=10)[1] for tp in at]

    def all_committed(self) -> bool:
        done = committed(TWEETS.group)
        return all(
            done.get((topic, p), 0) == end
            for topic in (RAW, TWEETS.partials.name)
            for p, end in enumerate(self.ends(topic))
        )


@contextmanager
def worker(home: pathlib.Path, index: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "processors", "worker", TWEETS.prefix, "--index", str(index)]
    with (home / f"worker-{index}.log").open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until_processed(topics: Topics, users: int) -> float:
    """Seconds until a record that is sent now to each partition is in the clean topic."""
    began, before = monotonic(), topics.ends(CLEAN)
    for p in topics.partitions:
        topics.send(p, users)
    topics.flush()
    while any(now <= was for now, was in zip(topics.ends(CLEAN), before, strict=True)):
        if monotonic() > began + WITHIN_S:
            raise click.ClickException(f"No new record was processed in {WITHIN_S:.0f} s; see the worker's log.")
        sleep(0.05)
    return monotonic() - began


def wait_until_written(home: pathlib.Path, topics: Topics) -> None:
    """Until snapshots hold everything."""
    folders = [Folder(home / "data" / "workers" / "snapshots" / TWEETS.prefix / str(p)) for p in topics.partitions]
    deadline = monotonic() + WITHIN_S
    while not (topics.all_committed() and _newest(folders) == topics.ends(RAW)):
        if monotonic() > deadline:
            raise click.ClickException(f"No snapshots of everything in {WITHIN_S:.0f} s; see the worker's log.")
        sleep(0.5)


def _newest(folders: Sequence[Folder]) -> list[int]:
    try:
        return [from_bytes(folder.whole("facts")).done for folder in folders]
    except DamagedError:
        return []


def state(index: int) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{addresses.HOST}:{addresses.worker_port('tweets', index)}/state") as answer:
        return dict(json.load(answer))


def wait_until_it_has_partitions(index: int) -> None:
    deadline = monotonic() + WITHIN_S
    while monotonic() < deadline:
        with contextlib.suppress(OSError):  # its port is not open yet
            if state(index)["positions"].get(RAW):
                return
        sleep(0.2)
    raise click.ClickException(f"Worker {index} got no partition in {WITHIN_S:.0f} s; see its log.")


def fill(topics: Topics, keys: int, users: int) -> None:
    with Progress(transient=True) as progress:
        sending = progress.add_task("events sent", total=keys)
        for n in range(keys):
            topics.send(topics.partitions[n % len(topics.partitions)], users)
            if n % 1000 == 0:
                progress.update(sending, completed=n)
        topics.flush()
        total = sum(topics.ends(RAW))
        processed = progress.add_task("events processed", total=total)
        while not topics.all_committed():
            done = committed(TWEETS.group)
            progress.update(processed, completed=sum(done.get((RAW, p), 0) for p in topics.partitions))
            sleep(0.5)


def rss_mb(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def measure(home: pathlib.Path, keys: int, found: Table) -> None:
    """Adds rows of a figure and its value, as they are known."""
    topics, users = Topics(), max(1, keys // 12)
    with worker(home, 0) as process:
        fill(topics, keys, users)
        wait_until_written(home, topics)
        now = state(0)
        parts = now["streams"][TWEETS.prefix]["partitions"].values()
        found.add_row(
            "seen ids, KPI cells", f"{sum(p['seen_ids'] for p in parts):,}, {sum(p['cells'] for p in parts):,}"
        )
        found.add_row("worker's memory", f"{rss_mb(process.pid):,.0f} MB")
        found.add_row("snapshots on disk", f"{now['snapshots']['bytes'] / 1e6:,.1f} MB")
        found.add_row("pause of the worker for a snapshot", f"{now['snapshots']['pause_ms']:.0f} ms")
        found.add_row("writing it, beside the worker", f"{now['snapshots']['write_s']:.1f} s")
    with worker(home, 0):
        found.add_row("killed, started again", f"{until_processed(topics, users):.1f} s")
        wait_until_written(home, topics)
    shutil.rmtree(home / "data" / "workers")
    with worker(home, 0):
        found.add_row("killed, started again without its disk", f"{until_processed(topics, users):.1f} s")
        wait_until_written(home, topics)
        with worker(home, 1) as second:
            until_processed(topics, users)
            wait_until_it_has_partitions(1)
            wait_until_written(home, topics)
            second.kill()
            found.add_row("one of two killed, its partitions moved", f"{until_processed(topics, users):.1f} s")


@click.command()
@click.option("--keys", default=1_000_000, show_default=True, help="events, each an id of its own")
def main(keys: int) -> None:
    """Print how long a worker with so many keys is away."""
    settings = {"RIVERHOUSE_WORKERS__SNAPSHOT_INTERVAL_S": "5"}
    table = Table("what", "figure", title=f"a worker of tweets with {keys:,} events")
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            start_stack(pathlib.Path(folder), only=("kafka", "registry", "topics"), settings_env=settings) as home,
        ):
            measure(home, keys, table)
    finally:
        Console().print(table)  # also what was known before an error


if __name__ == "__main__":
    main()

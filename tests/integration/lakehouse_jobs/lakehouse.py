"""A running lake for tests: the sink as its own process, records as the processors would publish them, rows as they are."""

from __future__ import annotations

import contextlib
import datetime as dt
import pathlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lakehouse_jobs import fences, lake, tables
from riverhouse import addresses, brokers
from riverhouse.local.testing import start_stack
from tests.integration.kafka import wait_for
from tests.unit.lakehouse_jobs.samples import clean_tweet
from topics.apply import desired_config, partitions_of
from topics.catalogue import TOPICS
from topics.contract import Duplicate, Rejected
from topics.tweets import TWEETS, VOLUME_BY_REGION

PARTITIONS = 3
START = dt.datetime(2026, 1, 2, 10, 30, tzinfo=dt.UTC)


def create_topics() -> None:
    """Every topic, with the settings that `riverhouse topics apply` gives it; no registry is needed here."""
    admin = AdminClient(brokers.librdkafka())
    new = [NewTopic(t.name, partitions_of(t), 1, config=desired_config(t)) for t in TOPICS]
    for created in admin.create_topics(new).values():
        created.result(30)


class World:
    """What has been produced: raw records, and the one fate of each."""

    def __init__(self) -> None:
        self.chance = random.Random(11)
        self.next = [0] * PARTITIONS
        self.clean = 0
        self.producer = Producer(brokers.librdkafka({"enable.idempotence": True, "linger.ms": 20}))

    def send(self, count: int, *, at: dt.datetime = START, spread_s: int = 7200) -> None:
        """Produce raw records with their fates; each partition's clean records a second time, as after a crash."""
        for partition in range(PARTITIONS):
            batch = [self._one(partition, at, spread_s) for _ in range(count)]
            for topic, value in [*batch, *(pair for pair in batch if pair[0] == TWEETS.clean.name)]:
                self.producer.produce(
                    topic, value, key=b"k", partition=partition, headers=[("schema", b"7"), ("schema", b"8")]
                )
            self.clean += sum(topic == TWEETS.clean.name for topic, _ in batch)
        assert self.producer.flush(60) == 0

    def _one(self, partition: int, at: dt.datetime, spread_s: int) -> tuple[str, bytes]:
        offset = self.next[partition]
        self.next[partition] += 1
        self.producer.produce(
            TWEETS.raw.name, f"raw {offset}".encode(), partition=partition, headers=[("schema", b"7")]
        )
        where = {"raw_partition": partition, "raw_offset": offset}
        if offset % 20 == 7:
            rejected = Rejected(
                **where,
                ingested_at=at,
                reason="bad_json",
                detail="x",
                key=None,
                value=f"raw {offset}".encode(),
                headers={"a": "b"},
            )
            return TWEETS.rejected.name, msgspec.json.encode(rejected)
        if offset % 20 == 9:
            return TWEETS.duplicates.name, msgspec.json.encode(
                Duplicate(**where, ingested_at=at, event_id="e", first_offset=offset - 1)
            )
        c = self.chance
        tweet = clean_tweet(
            **where, event_at=at + dt.timedelta(microseconds=c.randrange(spread_s * 10**6)), region=c.choice(["USA", "DEU"]),
            hashtags=c.sample(["a", "b", "c"], c.randrange(3)), language=c.choice(["en", "de"]), user_id=f"u{partition}-{c.randrange(20)}",
            sentiment_score=round(c.uniform(-1, 1), 4), text_length=c.randrange(1, 99), engagement=c.randrange(50), likes=c.randrange(9),
        )  # fmt: skip
        return TWEETS.clean.name, msgspec.json.encode(tweet)

    def send_kpi(self, region: str, tweets: int, revision: int) -> None:
        """Produce one revision of one figure."""
        value = {
            "region": region, "window_start_at": START, "window_end_at": START + dt.timedelta(minutes=1), "tweets": tweets,
            "engagement": 2 * tweets, "users": 1, "as_of": {"0": tweets}, "revision": revision, "final": False,
        }  # fmt: skip
        self.producer.produce(VOLUME_BY_REGION.topic, msgspec.json.encode(value), key=region.encode())
        assert self.producer.flush(60) == 0

    def commit_as_the_workers_would(self) -> None:
        consumer = Consumer(brokers.librdkafka({"group.id": "riverhouse-tweets"}))
        consumer.commit(
            offsets=[TopicPartition(TWEETS.raw.name, p, n) for p, n in enumerate(self.next)], asynchronous=False
        )
        consumer.close()


class SinkProcess:
    """The sink, as `riverhouse up` starts it."""

    def __init__(self, log: pathlib.Path) -> None:
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "lakehouse_jobs", "sink"]
        self.process = subprocess.Popen(command, stdout=self.log.open("ab"), stderr=subprocess.STDOUT)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(90)

    def wait_for(self, world: World) -> None:
        """Until silver and bronze have all that was produced."""

        def caught_up() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            last = {p: n - 1 for p, n in enumerate(world.next)}
            taken = fence("silver.tweets") | fence("silver.quarantine") | fence("silver.duplicates")
            reached = {p: max(v for k, v in taken.items() if k.endswith(f"/{p}")) for p in last} if taken else {}
            bronze = fence("bronze.tweets")
            return reached == last and bronze == {f"tweets.raw/{p}": v for p, v in last.items()}

        wait_for("the sink has taken everything", caught_up, within_s=400)


def fence(table: str, key: str = fences.FENCE) -> fences.Fence:
    return fences.read(lake.catalog().load_table(table), key)


def rows(table: str, *columns: str) -> pa.Table:
    return lake.catalog().load_table(table).scan(selected_fields=columns or ("*",)).to_arrow()


def positions(table: str) -> list[tuple[int, int]]:
    names = ("partition", "offset") if table.startswith("bronze") else ("raw_partition", "raw_offset")
    found = rows(table, *names)
    return sorted(zip(found[names[0]].to_pylist(), found[names[1]].to_pylist(), strict=True))


def computed(sql: str) -> list[tuple[Any, ...]]:
    """DuckDB's answer over silver, as `tweets`."""
    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("tweets", rows("silver.tweets"))
        return sorted(connection.execute(sql).fetchall())


def gold(table: str, *columns: str) -> list[tuple[Any, ...]]:
    found = rows(f"gold.{table}", *columns)
    return sorted(zip(*(found[c].to_pylist() for c in columns), strict=True))


@contextlib.contextmanager
def servers(home: pathlib.Path, settings: dict[str, str]) -> Iterator[None]:
    """Kafka with all topics, PostgreSQL with all tables, Trino."""
    with start_stack(home, only=("kafka", "postgres", "trino"), settings_env=settings):
        lake.catalog.cache_clear()
        create_topics()
        tables.create_all(lake.catalog())
        yield
    lake.catalog.cache_clear()


@contextlib.contextmanager
def sink_process() -> Iterator[SinkProcess]:
    """The sink over them, stopped at the end whatever became of it."""
    sink = SinkProcess(addresses.home() / "sink.log")
    with running(sink):
        yield sink


@contextlib.contextmanager
def running(sink: SinkProcess) -> Iterator[None]:
    sink.start()
    try:
        yield
    finally:
        if sink.process is not None and sink.process.poll() is None:
            sink.stop()

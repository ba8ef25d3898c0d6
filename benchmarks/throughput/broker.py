"""What is asked of the broker, and what is deleted there."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator

import click
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.engines import catalogue
from benchmarks.engines.catalogue import RAW, Engine
from benchmarks.throughput.python import python
from lakehouse_jobs import positions
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses
from riverhouse.local import control
from topics.progress import committed
from topics.tweets import TWEETS

FORGOTTEN_WITHIN_S = 120.0
POLL_S = 0.2  # `consume` waits so long for a full batch, which the last one never is
At = tuple[str, int]  # a topic and its partition


class Broker:
    def __init__(self) -> None:
        self._settings = {"bootstrap.servers": addresses.bootstrap(), "group.id": "throughput"}
        self._admin = AdminClient({"bootstrap.servers": addresses.bootstrap()})

    def ends(self, topic: str) -> dict[At, int]:
        with positions.reader() as consumer:
            known = consumer.list_topics(topic, timeout=positions.TIMEOUT_S).topics[topic].partitions
            return {(topic, p): positions.marks(consumer, topic, p)[1] for p in known}

    def count(self, topic: str) -> int:
        return sum(self.ends(topic).values())

    def behind(self, engine: Engine) -> dict[At, str]:
        """What the engine's group has not committed yet of all that it reads."""
        done = committed(engine.group)
        wanted = {at: end for topic in engine.reads for at, end in self.ends(topic).items()}
        between = [t for t in self._own(engine) if "repartition" in t and "changelog" not in t]
        wanted |= {at: end - engine.markers for topic in between for at, end in self.ends(topic).items()}
        return {at: f"{done.get(at, 0)} of {end}" for at, end in wanted.items() if done.get(at, 0) < end}

    def _own(self, engine: Engine) -> list[str]:
        """The topics that an engine has made for itself."""
        known = {t.name for t in TWEETS.topics}
        return [t for t in self._admin.list_topics(timeout=10).topics if engine.group in t and t not in known]

    def read(self, topic: str) -> Iterator[Message]:
        """All records of a topic, each partition's in order. KafkaException where one cannot be read: half a log is no answer."""
        consumer = Consumer({**self._settings, "enable.partition.eof": True, "fetch.wait.max.ms": 10})
        with contextlib.closing(consumer):
            unread = {p for _, p in self.ends(topic)}
            consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in unread])
            while unread:
                for message in consumer.consume(10_000, POLL_S):
                    if message.error() is None:
                        yield message
                    elif message.error().code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - it has no other name
                        unread.discard(message.partition())
                    else:
                        raise KafkaException(message.error())

    def forget(self, engine: Engine, kept: tuple[str, ...] = (RAW,)) -> None:
        """Delete what an engine has written and committed, and all topics of the tweets but those `kept`."""
        there = self._admin.list_topics(timeout=10).topics
        written = [*self._own(engine), *(t.name for t in TWEETS.topics if t.name in there and t.name not in kept)]
        for gone in self._admin.delete_topics(written).values() if written else ():
            gone.result()
        _wait_for(lambda: not set(written) & self._admin.list_topics(timeout=10).topics.keys(), "topics are deleted")
        _wait_for(lambda: self._forgotten(engine.group), "the group of the run before is deleted")
        shutil.rmtree(addresses.data() / "workers", ignore_errors=True)
        catalogue.state().mkdir(parents=True)
        python("riverhouse", "topics", "apply")
        _wait_for(self._answers, "the new topics have leaders")

    def _answers(self) -> bool:
        with contextlib.suppress(LakeError, KeyError):
            return all(self.ends(t.name) for t in TWEETS.topics)
        return False

    def _forgotten(self, group: str) -> bool:
        """Delete a group; False while it still has members."""
        try:
            self._admin.delete_consumer_groups([group])[group].result()
        except KafkaException as e:
            return bool(e.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND)
        return True


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    if not control.wait_until(condition, FORGOTTEN_WITHIN_S):
        raise click.ClickException(f"Not within {FORGOTTEN_WITHIN_S:.0f} s: {what}.")

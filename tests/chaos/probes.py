"""What is asked of the running stack: how far producers, workers and the sink have come, and whether the servers answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from lakehouse_jobs import fences, lake
from riverhouse import addresses, businesses
from riverhouse.local import postgres, registry, trino_server
from tests.chaos.recovery import Counters, Probe

TIMEOUT_S = 5
FACTS = {"tweets": ("tweets.raw",), "animeverse": ("animeverse.pos.raw", "animeverse.cinema.raw")}


class Kafka:
    """The broker's offsets, asked for by a client that outlives the broker."""

    def __init__(self) -> None:
        self._admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
        self._partitions: dict[str, int] = {}

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """The end offset of each partition, as "topic/partition". KafkaException where the broker does not answer."""
        wanted = {TopicPartition(t, p): OffsetSpec.latest() for t in topics for p in range(self._count(t))}
        asked = self._admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
        return {f"{at.topic}/{at.partition}": int(future.result().offset) for at, future in asked.items()}

    def committed(self, business: str) -> dict[str, int]:
        """What the workers have committed, as "topic/partition"."""
        group = businesses.facts(business).group
        asked = [ConsumerGroupTopicPartitions(group)]
        found = self._admin.list_consumer_group_offsets(asked, request_timeout=TIMEOUT_S)[group].result()
        return {f"{p.topic}/{p.partition}": int(p.offset) for p in found.topic_partitions}

    def events(self, business: str = "tweets") -> int:
        """How many raw events of a business's facts there are."""
        return sum(self.ends(FACTS[business]).values())

    def _count(self, topic: str) -> int:
        if topic not in self._partitions:
            self._partitions[topic] = len(self._admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions)
        return self._partitions[topic]


def probes() -> list[Probe]:
    """All of them, by the names that `recovery.FELT_BY` knows."""
    kafka = Kafka()
    return [
        Probe("tweets", lambda: kafka.ends(FACTS["tweets"])),
        Probe("animeverse", lambda: {"all": kafka.events("animeverse")}),
        Probe("workers-tweets", lambda: _of("tweets.", kafka.committed("tweets"))),
        Probe("workers-animeverse", lambda: {"all": sum(kafka.committed("animeverse").values())}),
        Probe("sink", _bronze, 1.0),
        Probe("trino", _trino, 1.0, only_when_hurt=True),
        Probe("postgres", lambda: _answers(postgres.probe), 0.5, only_when_hurt=True),
        Probe("registry", lambda: _answers(registry.REGISTRY.probe), 0.5, only_when_hurt=True),
    ]


def _of(prefix: str, offsets: Counters) -> Counters:
    return {k: v for k, v in offsets.items() if k.startswith(prefix)}


def _bronze() -> Counters:
    """How far the sink has taken the raw tweets."""
    return fences.read(lake.catalog().load_table("bronze.tweets"))


def _trino() -> Counters:
    return _answers(lambda: trino_server.query("select count(*) from lake.bronze.tweets"))


def _answers(ask: Callable[[], object]) -> Counters:
    """No counters: an answer is all that is wanted."""
    ask()
    return {}

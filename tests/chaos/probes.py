"""What is asked of the running stack: how far producers, workers and the sink have come, and whether the servers answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from confluent_kafka import Consumer, KafkaException, TopicPartition

from lakehouse_jobs import fences, lake
from riverhouse import brokers, businesses
from riverhouse.local import postgres, registry, trino_server
from tests.chaos.recovery import Counters, Probe
from topics.contract import Stream

TIMEOUT_S = 5
FACTS = {"tweets": ("tweets.raw",), "animeverse": ("animeverse.pos.raw", "animeverse.cinema.raw")}


class Kafka:
    """Offsets of a business; each thread has its own. KafkaException where the broker does not answer.

    Asked by a consumer that joins no group: librdkafka's admin client aborts the process when its broker dies under `list_offsets`.
    """

    def __init__(self, business: str = "tweets") -> None:
        self._group = businesses.facts(business).group
        self._facts, self._partitions = FACTS[business], dict[str, int]()
        self._read = tuple(t for s in businesses.streams(business) for t in _read_by_workers(s))
        self._client = self._new_client()

    def _new_client(self) -> Consumer:
        return Consumer(brokers.librdkafka({"group.id": self._group, "enable.auto.commit": False, "log_level": 0}))

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """After an error a new client asks: what an old one has learned of a broker that was killed it may keep for minutes."""
        try:
            yield
        except KafkaException:
            self._partitions.clear()
            self._client.close()
            self._client = self._new_client()
            raise

    def ends(self, topics: Iterable[str]) -> dict[str, int]:
        """The end offset of each partition, as "topic/partition"."""
        with self._asking():
            found = self._of(topics)
            return {_name(at): int(self._client.get_watermark_offsets(at, timeout=TIMEOUT_S)[1]) for at in found}

    def committed(self) -> dict[str, int]:
        """What the workers have committed, as "topic/partition"; 0 where they have committed nothing."""
        with self._asking():
            found = self._client.committed(self._of(self._read), timeout=TIMEOUT_S)
            for at in found:
                if at.error is not None:
                    raise KafkaException(at.error)
        return {_name(at): max(at.offset, 0) for at in found}

    def processed(self) -> dict[str, int]:
        """What the workers have committed of the raw facts."""
        return {at: offset for at, offset in self.committed().items() if at.rpartition("/")[0] in self._facts}

    def left(self) -> int:
        """How many records the workers have before them."""
        done = self.committed()
        return sum(end - done[at] for at, end in self.ends(self._read).items())

    def events(self) -> int:
        """How many raw events of the business's facts there are."""
        return sum(self.ends(self._facts).values())

    def _of(self, topics: Iterable[str]) -> list[TopicPartition]:
        for topic in topics:
            if topic not in self._partitions:
                known = self._client.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
                if not known.partitions:
                    raise KafkaException(known.error)
                self._partitions[topic] = len(known.partitions)
        return [TopicPartition(t, p) for t in topics for p in range(self._partitions[t])]


def _name(at: TopicPartition) -> str:
    return f"{at.topic}/{at.partition}"


def _read_by_workers(stream: Stream) -> Iterable[str]:
    merged = (stream.partials,) if stream.kpis else ()
    return (t.name for t in (stream.raw, *merged, *stream.kpi_topics))


def probes() -> list[Probe]:
    """All of them, by the names that `recovery.FELT_BY` knows."""
    tweets, animeverse = Kafka("tweets"), Kafka("animeverse")
    of_tweets, of_animeverse = Kafka("tweets"), Kafka("animeverse")
    return [
        Probe("tweets", lambda: tweets.ends(FACTS["tweets"])),
        Probe("animeverse", lambda: {"all": animeverse.events()}),
        Probe("workers-tweets", of_tweets.processed),
        Probe("workers-animeverse", lambda: {"all": sum(of_animeverse.processed().values())}),
        Probe("sink", _bronze, 1.0),
        Probe("trino", _trino, 1.0, counts=False, only_when_hurt=True),
        Probe("postgres", lambda: _answers(postgres.probe), 0.5, counts=False, only_when_hurt=True),
        Probe("registry", lambda: _answers(registry.REGISTRY.probe), 0.5, counts=False, only_when_hurt=True),
    ]


def _bronze() -> Counters:
    """How far the sink has taken the raw tweets."""
    return fences.read(lake.catalog().load_table("bronze.tweets"))


def _trino() -> Counters:
    return _answers(lambda: trino_server.query("select count(*) from lake.bronze.tweets"))


def _answers(ask: Callable[[], object]) -> Counters:
    """No counters: an answer is all that is wanted."""
    ask()
    return {}

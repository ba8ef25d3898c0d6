"""The way to Kafka: idempotent, in order, waiting for ever where the broker is away; nothing is given up on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from riverhouse import addresses, brokers
from riverhouse.local.problem import Problem
from riverhouse.logs import logger
from topics import registry
from topics.contract import Topic

Headers = list[tuple[str, str | bytes | None]]
QUEUE_RECORDS_MAX = 200_000  # three minutes of a thousand events a second while the broker is away; then back-pressure
QUEUE_KB_MAX = 262_144

log = logger("producer")


def settings(bootstrap: str | None) -> dict[str, Any]:
    """Settings of librdkafka. Retries never end (`message.timeout.ms=0`), with its own growing backoff between them."""
    return {
        **brokers.librdkafka({"bootstrap.servers": bootstrap} if bootstrap else None),
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,
        "retry.backoff.ms": 100,
        "retry.backoff.max.ms": 2000,
        "reconnect.backoff.max.ms": 2000,
        "linger.ms": 20,
        "batch.size": 1_000_000,
        "compression.type": "lz4",
        "partitioner": "murmur2_random",  # as Faust and Java partition
        "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
        "queue.buffering.max.kbytes": QUEUE_KB_MAX,
        "delivery.report.only.error": True,
    }


def schema_headers(topic: Topic) -> Headers:
    """The header that names the topic's schema. Problem where the registry refuses it or cannot be asked."""
    try:
        return [(registry.HEADER, str(registry.schema_id(topic)).encode())]
    except registry.IncompatibleSchemaError as e:
        raise Problem(
            f"the registry refused the schema of {topic.name}; nothing was sent", str(e), "see `riverhouse topics plan`"
        ) from e
    except Exception as e:  # the client's own errors and httpx's: whichever it was, there is no id to send
        hint = "start it with `riverhouse up`, or set RIVERHOUSE_REGISTRY__URL"
        raise Problem(f"the schema registry at {addresses.registry_url()} cannot be asked", repr(e), hint) from e


def offsets(topic: Topic, timeout_s: float = 15.0) -> list[tuple[int, int]]:
    """The first and next offset of each partition. Problem where the broker or the topic is not there."""
    consumer = Consumer(brokers.librdkafka({"group.id": "riverhouse-producer", "log_level": 0}))
    try:
        found = consumer.list_topics(topic.name, timeout=timeout_s).topics[topic.name]
        if found.error is not None:
            raise Problem(
                f"the topic {topic.name} is not there", str(found.error), "make it with `riverhouse topics apply`"
            )
        return [
            consumer.get_watermark_offsets(TopicPartition(topic.name, p), timeout=timeout_s) for p in found.partitions
        ]
    except KafkaException as e:
        hint = "start it with `riverhouse up`, or set RIVERHOUSE_KAFKA__BOOTSTRAP"
        raise Problem(f"Kafka at {addresses.bootstrap()} does not answer", str(e), hint) from e
    finally:
        consumer.close()


class Outbox:
    """Sends the events of some topics. `sent` counts what was queued, `waiting` what the broker has not acknowledged."""

    def __init__(self, topics: Iterable[Topic], bootstrap: str | None = None, headers: Headers | None = None) -> None:
        self.sent = 0
        self.errors = 0  # connection troubles seen; each is retried
        self._headers = {t.name: schema_headers(t) if headers is None else headers for t in topics}
        self._fatal: KafkaError | None = None
        self._topic: str | None = None  # of the first event that could not be delivered
        self._producer = Producer(
            settings(bootstrap) | {"on_delivery": self._undelivered, "error_cb": self._trouble}, logger=log
        )

    @property
    def waiting(self) -> int:
        return len(self._producer)

    def send(
        self,
        events: Iterable[tuple[str, bytes | None, bytes | None]],
        headers: Headers | None = None,
        partition: int = -1,
    ) -> None:
        """Queue events, (topic, key, value), with the topic's headers and the given ones. Waits while the queue is full.

        `partition` -1: chosen by the key.
        """
        produce, more = self._producer.produce, headers or []
        all_headers = {name: [*own, *more] for name, own in self._headers.items()}
        for topic, key, value in events:
            while True:
                try:
                    produce(topic, value, key, partition, headers=all_headers[topic])
                    break
                except BufferError:
                    self.poll(0.05)
            self.sent += 1
        self.poll(0)

    def poll(self, seconds: float) -> None:
        """Serve callbacks for at most `seconds`. Problem where an event cannot ever be delivered."""
        self._producer.poll(seconds)
        if self._fatal is not None:
            self._fail(self._fatal)

    def flush(self, seconds: float) -> int:
        """Wait for the broker's acknowledgements, at most so long; how many are still missing."""
        left = int(self._producer.flush(seconds))
        self.poll(0)
        return left

    def _undelivered(self, error: KafkaError | None, message: Message) -> None:
        self._fatal = self._fatal or error
        self._topic = self._topic or message.topic()

    def _trouble(self, error: KafkaError) -> None:
        self.errors += 1
        if error.fatal():
            self._fatal = self._fatal or error
        else:
            log.warning("broker trouble, will retry", code=error.name(), detail=error.str(), waiting=self.waiting)

    def _fail(self, error: KafkaError) -> None:
        hint = (
            "check that the topic exists (`riverhouse topics plan`) and the broker's log; then start the producer again"
        )
        raise Problem(
            f"events for {self._topic or 'the broker'} cannot be delivered", f"{error.name()}: {error.str()}", hint
        )


def is_empty(marks: Sequence[tuple[int, int]]) -> bool:
    """Whether no record was ever written (an expired one counts as written)."""
    return all(following == 0 for _, following in marks)

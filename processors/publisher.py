"""Outputs to Kafka through librdkafka: idempotent, in order, without gaps, or the process ends.

A fence makes a hole permanent: were one record given up on while later ones arrive, readers would discard its replay. So
nothing is given up on (`message.timeout.ms=0`), and any delivery error stops the worker, which then starts from its log.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from processors.answers import GENERATION, stamp
from processors.records import Output
from riverhouse import brokers
from topics.sides import physical


class PublishError(RuntimeError):
    """A record could not be delivered; the worker must not go on."""


class Publisher:
    """One producer for all outputs of a worker; `headers` are those of a topic's records.

    Records of `public` topics are stamped with the generation of the consumer group that they are sent in.
    """

    def __init__(
        self, headers: dict[str, list[tuple[str, bytes]]] | None = None, public: frozenset[str] = frozenset()
    ) -> None:
        self._headers = headers or {}
        self._public = public
        self._generation = -1
        self._names: dict[str, str] = {}  # as the broker knows the topics
        self._error: KafkaError | None = None
        self._producer = Producer(
            brokers.librdkafka(
                {
                    "enable.idempotence": True,
                    "enable.gapless.guarantee": True,
                    "message.timeout.ms": 0,
                    "linger.ms": 5,
                    "batch.size": 1_000_000,
                    "compression.type": "lz4",
                    "queue.buffering.max.messages": 400_000,
                    "queue.buffering.max.kbytes": 131_072,
                    "partitioner": "murmur2_random",
                    "delivery.report.only.error": True,
                    "on_delivery": self._on_delivery,
                    "error_cb": self._on_error,
                }
            )
        )

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        self._error = self._error or error

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._error = self._error or error

    def send(self, outputs: Iterable[Output], generation: int) -> None:
        """Queue outputs; waits while the queue is full. PublishError where an earlier one could not be delivered."""
        if generation != self._generation:
            self._generation = generation
            self._headers |= {t: _stamped(self._headers.get(t, []), generation) for t in self._public}
        produce, headers, names = self._producer.produce, self._headers, self._names
        with _told_as_ours():
            for topic, key, value, partition, own in outputs:
                name = names.get(topic) or names.setdefault(topic, physical(topic))
                while True:
                    try:
                        produce(name, value, key, partition, headers=headers.get(topic) if own is None else own)
                        break
                    except BufferError:
                        self._producer.poll(0.02)
                        self.check()
            self._producer.poll(0)

    async def flush(self) -> None:
        """Wait until the broker has acknowledged all that was sent; PublishError where it never will."""
        loop = asyncio.get_running_loop()
        with _told_as_ours():
            while await loop.run_in_executor(None, self._producer.flush, 1.0):
                self.check()
        self.check()

    def check(self) -> None:
        if self._error is not None:
            raise PublishError(f"a record could not be delivered: {self._error.str()}")


@contextlib.contextmanager
def _told_as_ours() -> Iterator[None]:
    """The client raises in whatever it is asked next, once it has given up on a record: PublishError for all of these."""
    try:
        yield
    except KafkaException as e:
        raise PublishError(f"a record could not be delivered: {e.args[0].str()}") from e


def _stamped(headers: list[tuple[str, bytes]], generation: int) -> list[tuple[str, bytes]]:
    return [*(h for h in headers if h[0] != GENERATION), stamp(generation)]

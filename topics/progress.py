"""How far a consumer group has come."""

from __future__ import annotations

import contextlib

from confluent_kafka import Consumer, KafkaException, TopicPartition

from riverhouse import addresses

TIMEOUT_S = 10.0


def committed(group: str) -> dict[tuple[str, int], int]:
    """What a group has committed, by topic and partition: the offset after the last record that is done.

    Asked by a consumer that never joins. An admin client has no group of its own, and crashes (librdkafka 2.16, a null
    pointer) where the group's coordinator answers that it is still loading: on a new broker, or after a restart.
    """
    settings = {"bootstrap.servers": addresses.bootstrap(), "group.id": group, "log_level": 0}
    consumer = Consumer(settings | {"enable.auto.commit": False})
    with contextlib.closing(consumer):
        known = consumer.list_topics(timeout=TIMEOUT_S).topics
        asked = [TopicPartition(t, p) for t in known if not t.startswith("_") for p in known[t].partitions]
        found = consumer.committed(asked, timeout=TIMEOUT_S)
    for partition in found:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}

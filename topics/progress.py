"""How far a consumer group has come, and which topics those are: names can be used again, ids are not."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from riverhouse import brokers, clock

TIMEOUT_S = 10.0
NOT_YET = {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}


def committed(group: str) -> dict[tuple[str, int], int]:
    """What a group has committed, by topic and partition: the offset after the last record that is done.

    Asked by a consumer that never joins. An admin client has no group of its own, and crashes (librdkafka 2.16, a null
    pointer) where the group's coordinator answers that it is still loading: on a new broker, or after a restart.
    """
    consumer = Consumer(brokers.librdkafka({"group.id": group, "log_level": 0, "enable.auto.commit": False}))
    with contextlib.closing(consumer):
        known = consumer.list_topics(timeout=TIMEOUT_S).topics
        asked = [TopicPartition(t, p) for t in known if not t.startswith("_") for p in known[t].partitions]
        found = _from_coordinator(consumer, asked)
    for partition in found:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}


def _from_coordinator(consumer: Consumer, asked: list[TopicPartition]) -> list[TopicPartition]:
    """The committed offsets. A broker that has just started says for a while that it is not the group's coordinator."""
    deadline = clock.monotonic() + 3 * TIMEOUT_S
    while True:
        try:
            return list(consumer.committed(asked, timeout=TIMEOUT_S))
        except KafkaException as e:
            if e.args[0].code() not in NOT_YET or clock.monotonic() > deadline:
                raise
        clock.sleep(0.2)


def cluster_and_topic_ids(topics: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The id of the cluster, and of each topic."""
    admin = AdminClient(brokers.librdkafka({"log_level": 0}))
    described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT_S)
    cluster = admin.describe_cluster(request_timeout=TIMEOUT_S).result().cluster_id
    return str(cluster), {name: str(found.result().topic_id) for name, found in described.items()}

"""How far a consumer group has come."""

from __future__ import annotations

from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from riverhouse import addresses

TIMEOUT_S = 10.0


def committed(group: str) -> dict[tuple[str, int], int]:
    """What a group has committed, by topic and partition: the offset after the last record that is done."""
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
    asked = [ConsumerGroupTopicPartitions(group)]
    found = admin.list_consumer_group_offsets(asked, request_timeout=TIMEOUT_S)[group].result().topic_partitions
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}

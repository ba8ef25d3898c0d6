"""How far a consumer group has come, and which topics those are: names can be used again, ids are not."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, TopicCollection
from confluent_kafka.admin import AdminClient

from riverhouse import addresses

TIMEOUT_S = 10.0


def committed(group: str) -> dict[tuple[str, int], int]:
    """What a group has committed, by topic and partition: the offset after the last record that is done."""
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
    asked = [ConsumerGroupTopicPartitions(group)]
    found = admin.list_consumer_group_offsets(asked, request_timeout=TIMEOUT_S)[group].result().topic_partitions
    return {(p.topic, p.partition): p.offset for p in found if p.offset >= 0}


def cluster_and_topic_ids(topics: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The id of the cluster, and of each topic."""
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap(), "log_level": 0})
    described = admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT_S)
    cluster = admin.describe_cluster(request_timeout=TIMEOUT_S).result().cluster_id
    return str(cluster), {name: str(found.result().topic_id) for name, found in described.items()}

"""A replay's side: its topics in Kafka and its empty tables in a catalogue of its own."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient, NewTopic

from lakehouse_jobs import shared_files, side_topics, sides, tables
from lakehouse_jobs.past import SHARED
from lakehouse_jobs.sides import Side
from riverhouse import addresses, brokers
from riverhouse.settings import load
from topics.apply import desired_config, wait_until_known
from topics.contract import Stream, Topic
from topics.sides import physical

TIMEOUT_S = 60.0


def make(side: Side, businesses: Collection[str], streams: Sequence[Stream], partitions: dict[str, int]) -> None:
    """Make a new side's tables and topics for these streams; `partitions` of each raw topic. LakeError where Kafka refuses."""
    sides.make(side, {})
    wanted = set(SHARED).union(*map(tables.of_business, businesses))
    tables.create_all(sides.catalog(side.catalogue), wanted)
    admin = AdminClient(brokers.librdkafka({"log_level": 0}))
    new = [_topic(side.name, t, partitions[s.raw.name], raw=t == s.raw) for s in streams for t in s.topics]
    for created in admin.create_topics(new).values():
        created.result(TIMEOUT_S)
    wait_until_known(admin, {n.topic for n in new})


def _topic(side: str, topic: Topic, partitions: int, *, raw: bool) -> NewTopic:
    """A topic as its contract has it, but: old records stay, and raw ones keep the time that the copy gives them."""
    config = desired_config(topic) | {"retention.ms": "-1"}
    if raw:
        config["message.timestamp.type"] = "CreateTime"
    count = topic.partitions or partitions
    return NewTopic(physical(topic.name, side), count, load().kafka.replication, config=config)


def remove(side: str, groups: Collection[str]) -> None:
    """Remove a side whole: topics, the workers' groups, tables with their files, folders."""
    side_topics.drop(side)
    admin = AdminClient(brokers.librdkafka({"log_level": 0}))
    known = {g.group_id: g.state for g in admin.list_consumer_groups().result(TIMEOUT_S).valid}
    if empty := [g for g in groups if known.get(g) == ConsumerGroupState.EMPTY]:
        for deleted in admin.delete_consumer_groups(empty).values():
            deleted.result(TIMEOUT_S)
    if side in sides.names(prefix=""):
        shared_files.drop(side)
    shutil.rmtree(addresses.home() / "data" / "sides" / side, ignore_errors=True)

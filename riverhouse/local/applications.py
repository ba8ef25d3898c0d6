"""Our own programs: topics and tables first, then the workers, the sink and the producer."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from riverhouse import addresses, brokers, businesses
from riverhouse.local import parts
from riverhouse.local.service import Service, Task, shared_variables
from riverhouse.settings import load


def run(*module_and_arguments: str) -> list[str]:
    return [sys.executable, "-m", *module_and_arguments]


def spark_variables() -> dict[str, str]:
    """Spark's Java, and the loopback address, so that it never asks what this machine is called."""
    return {
        **shared_variables(),
        "JAVA_HOME": str(parts.spark_java_home()),
        "SPARK_LOCAL_IP": addresses.HOST,
        "MALLOC_ARENA_MAX": "2",  # else the C library keeps what it has freed for each of a hundred threads
    }


def end_offset(topic: str) -> int:
    """How many records a topic has been given. ConnectionError while there are none."""
    consumer = Consumer(brokers.librdkafka({"group.id": "riverhouse-probe", "log_level": 0}))
    try:
        partitions = consumer.list_topics(topic, timeout=3).topics[topic].partitions
        total = sum(int(consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=3)[1]) for p in partitions)
    finally:
        consumer.close()
    if not total:
        raise ConnectionError(f"{topic} is empty")
    return total


def group_has_members(group: str) -> None:
    """ConnectionError while no worker has joined the group."""
    admin = AdminClient(brokers.librdkafka({"log_level": 0}))
    if not admin.describe_consumer_groups([group], request_timeout=3)[group].result().members:
        raise ConnectionError(f"the group {group} has no members")


def worker(business: str, index: int) -> Service:
    """The worker number `index` (from 0) of a business: one process for all of its streams."""
    return Service(
        name=f"worker-{business}-{index}",
        needs=("topics",),
        command=lambda: run("processors", "worker", business, "--index", str(index)),
        probe=lambda: group_has_members(businesses.facts(business).group),
        variables=shared_variables,
        address=lambda: f"http://{addresses.HOST}:{addresses.worker_port(business, index)}",
        stop_within_s=20,
        memory="280 to 320 MB",
    )


def producer(business: str) -> Service:
    return Service(
        name=f"producer-{business}", needs=("topics",), command=lambda: run("producers", "live", business),
        probe=lambda: end_offset(businesses.facts(business).raw.name), variables=shared_variables,
        memory="100 to 150 MB",
    )  # fmt: skip


TOPICS = Task(name="topics", needs=("registry",), command=lambda: run("riverhouse", "topics", "apply"))
TABLES = Task(
    name="tables",
    needs=("postgres",),
    command=lambda: run("lakehouse_jobs", "create-tables"),
    variables=spark_variables,
)
VIEWS = Task(name="views", needs=("trino", "tables", "topics"), command=lambda: run("lakehouse_jobs", "create-views"))


def is_running() -> None:
    """The process is there; that the sink sinks is one of the conditions of `up` (see conditions.py)."""


SINK = Service(
    name="sink", needs=("topics", "tables"), command=lambda: run("lakehouse_jobs", "sink"), probe=is_running,
    variables=spark_variables, stop_within_s=60, memory="2.0 to 3.7 GB",
)  # fmt: skip

RECONCILE = Service(
    name="reconcile", needs=("sink",), command=lambda: run("lakehouse_jobs", "reconcile-regularly"), probe=is_running,
    variables=shared_variables, stop_within_s=20, memory="50 MB; 0.3 to 1 GB in a run",
)  # fmt: skip


def workers(of: Iterable[str]) -> list[Service]:
    """The workers of some businesses."""
    return [worker(business, index) for business in of for index in range(load().workers.count)]

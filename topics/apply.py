"""`riverhouse topics plan|apply`: make the broker's topics and the registry's schemas what the contracts say. Idempotent.

Schemas come first: where the registry refuses one, nothing is changed and nothing can be produced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import click
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewTopic,
    ResourceType,
)
from rich.console import Console
from rich.table import Table

from riverhouse import brokers
from riverhouse.clock import monotonic, sleep
from riverhouse.settings import load
from topics import registry
from topics.catalogue import TOPICS
from topics.contract import Topic

MINUTE_MS = 60_000
AT_ONCE = 8  # requests to the registry: each waits for its own log more than it works
Found = TypeVar("Found")


def desired_config(topic: Topic) -> dict[str, str]:
    """The broker settings of a topic that differ from the broker's defaults."""
    days = load().kafka.retention_days
    retention_ms = int(topic.retention.total_seconds() * 1000 if topic.retention else days * 24 * 60 * MINUTE_MS)
    config = {"retention.ms": "-1" if topic.forever else str(retention_ms), "cleanup.policy": "delete"}
    if topic.broker_time:
        config["message.timestamp.type"] = "LogAppendTime"
    if topic.compacted:
        # The newest value of a key stays; all of it goes after the retention, since windows stop changing, unless it is to
        # stay for ever. What is younger than the lag is kept whole, so that a reader that restarts finds a batch's records
        # together with its marker.
        config |= {
            "cleanup.policy": "compact" if topic.forever else "compact,delete",
            "segment.bytes": str(32 << 20),
            "segment.ms": str(10 * MINUTE_MS),
            "min.compaction.lag.ms": str(5 * MINUTE_MS),
            "max.compaction.lag.ms": str(30 * MINUTE_MS),
            "min.cleanable.dirty.ratio": "0.3",
        }
    return config


@dataclass
class Change:
    """What is to be done for one topic. Empty fields: nothing."""

    topic: Topic
    create: bool = False
    config: dict[str, tuple[str, str]] = field(default_factory=dict)  # name → (now, wanted)
    schema: bool = False
    warning: str = ""

    @property
    def action(self) -> str:
        if self.create:
            return "create"
        return "change" if self.config or self.schema else "keep"

    def describe(self) -> str:
        parts = [f"{k}: {now} → {wanted}" for k, (now, wanted) in self.config.items()]
        if self.create:
            parts = [
                f"{partitions_of(self.topic)} partitions",
                *(f"{k}={v}" for k, v in desired_config(self.topic).items()),
            ]
        if self.schema:
            parts.append("register schema")
        return ", ".join([*parts, self.warning] if self.warning else parts)


def partitions_of(topic: Topic) -> int:
    return topic.partitions or load().kafka.partitions


def plan(topics: Sequence[Topic] = TOPICS) -> list[Change]:
    """What differs from the contracts. IncompatibleSchemaError where a schema would be refused."""
    known = registry.subjects()
    asked = [t for t in topics if registry.subject(t) in known]  # what the registry does not know it can only take
    refused = [t.name for t, fits in zip(asked, _side_by_side(registry.is_compatible, asked), strict=True) if not fits]
    if refused:
        raise registry.IncompatibleSchemaError(
            f"The registry would refuse the schemas of: {', '.join(refused)}.\n"
            f"  detail: they are not {registry.COMPATIBILITY.lower()} compatible with those in force; nothing was changed.\n"
            "  hint: give new fields a default, do not change a field's type; or make a new topic."
        )
    admin = AdminClient(brokers.librdkafka())
    existing = admin.list_topics(timeout=30).topics
    partitions = {t.name: len(existing[t.name].partitions) for t in topics if t.name in existing}
    configs = _configs(admin, list(partitions))
    registered = {t.name for t, is_so in zip(asked, _side_by_side(registry.is_registered, asked), strict=True) if is_so}
    return [_compare(t, partitions.get(t.name, 0), configs.get(t.name, {}), t.name in registered) for t in topics]


def _side_by_side(ask: Callable[[Topic], Found], topics: Sequence[Topic]) -> list[Found]:
    """`ask` of every topic, several at once; the first failure is raised."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, topics))


def _configs(admin: AdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, n) for n in names])
    return {
        resource.name: {
            e.name: e.value for e in future.result().values() if e.source != ConfigSource.UNKNOWN_CONFIG.value
        }
        for resource, future in futures.items()
    }


def _compare(topic: Topic, partitions: int, config: dict[str, str], is_registered: bool) -> Change:
    change = Change(topic, create=not partitions, schema=not is_registered)
    if partitions:
        wanted = desired_config(topic)
        change.config = {k: (config.get(k, "-"), v) for k, v in wanted.items() if config.get(k) != v}
        if partitions != partitions_of(topic):
            change.warning = (
                f"has {partitions} partitions, not {partitions_of(topic)}: left as it is, since keys would move away from "
                "their state"
            )
    return change


def apply(changes: Sequence[Change]) -> None:
    """Carry a plan out: schemas, then new topics, then settings."""
    _side_by_side(registry.register, [c.topic for c in changes if c.schema])
    admin = AdminClient(brokers.librdkafka())
    replication = load().kafka.replication
    new = [
        NewTopic(c.topic.name, partitions_of(c.topic), replication, config=desired_config(c.topic))
        for c in changes
        if c.create
    ]
    if new:
        for future in admin.create_topics(new).values():
            future.result()
        wait_until_known(admin, {n.topic for n in new})
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            c.topic.name,
            incremental_configs=[
                ConfigEntry(k, wanted, incremental_operation=AlterConfigOpType.SET)
                for k, (_, wanted) in c.config.items()
            ],
        )
        for c in changes
        if c.config
    ]
    if resources:
        for future in admin.incremental_alter_configs(resources).values():
            future.result()


def wait_until_known(admin: AdminClient, names: set[str], within_s: float = 30) -> None:
    """Wait until new topics can be used. The controller has made the topics; the broker tells of them a moment later."""
    deadline = monotonic() + within_s
    while missing := names - admin.list_topics(timeout=within_s).topics.keys():
        if monotonic() > deadline:
            raise TimeoutError(
                f"made, but not known to the broker after {within_s:.0f} s: {', '.join(sorted(missing))}"
            )
        sleep(0.05)


def show(changes: Sequence[Change]) -> None:
    table = Table("topic", "action", "what", title="Topics and schemas")
    for c in changes:
        table.add_row(c.topic.name, c.action, c.describe())
    Console().print(table)


@click.group("topics")
def cli() -> None:
    """Topics and schemas, from the contracts."""


@cli.command("plan")
def plan_command() -> None:
    """Show what `apply` would change."""
    _guarded(dry=True)


@cli.command("apply")
def apply_command() -> None:
    """Make topics and schemas what the contracts say."""
    _guarded(dry=False)


def _guarded(*, dry: bool) -> None:
    try:
        changes = plan()
        show(changes)
        if not dry:
            apply(changes)
    except registry.IncompatibleSchemaError as e:
        raise click.ClickException(str(e)) from e


def main(argv: list[str]) -> None:
    """Entry for the command line."""
    cli.main(argv, prog_name="riverhouse topics")

"""A second broker beside the stack's: it stores partitions and leads them; the first one stays the only controller."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Self

from confluent_kafka.admin import AdminClient, ClusterMetadata, PartitionMetadata

from riverhouse import addresses, brokers
from riverhouse.local import child, free_ports, kafka
from tests.integration.kafka import wait_for

NODE = 2


class SecondBroker:
    """Runs in `folder`, on a free port, while the block lasts; it can be killed or stopped, and started again."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir()
        first, port = kafka.properties(), next(p for p in free_ports.candidates() if free_ports.is_free(p))
        here = f"{first['inter.broker.listener.name']}://{addresses.HOST}:{port}"
        own = {"process.roles": "broker", "node.id": NODE, "listeners": here, "advertised.listeners": here}
        settings = {**first, **own, "log.dirs": self._folder / "logs"}
        self._configuration.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        kafka.format_logs(self._configuration, metadata().cluster_id)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def _configuration(self) -> pathlib.Path:
        return self._folder / "server.properties"

    def start(self) -> None:
        """Start it, and wait until it is in sync with all that it stores."""
        command = [sys.executable, child.__file__, "--", *kafka.command()[:-1], str(self._configuration)]
        with (self._folder / "broker.log").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        wait_for("the second broker is in sync", lambda: NODE in metadata().brokers and not behind())

    def kill(self) -> None:
        """As a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """It hands over what it leads, and ends."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)


def metadata() -> ClusterMetadata:
    return AdminClient(brokers.librdkafka({"log_level": 0})).list_topics(timeout=5)


def partitions() -> list[PartitionMetadata]:
    return [p for t in metadata().topics.values() for p in t.partitions.values()]


def behind() -> list[PartitionMetadata]:
    """The partitions of which a replica is not in sync."""
    return [p for p in partitions() if len(p.isrs) < len(p.replicas)]


def leaders(topic: str) -> set[int]:
    """Who leads partitions of a topic."""
    return {p.leader for p in metadata().topics[topic].partitions.values()}

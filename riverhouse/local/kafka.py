"""Kafka: one broker that is its own controller (KRaft)."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import subprocess

from confluent_kafka.admin import AdminClient

from riverhouse import addresses, brokers
from riverhouse.local import aot, parts
from riverhouse.local.problem import Problem
from riverhouse.local.service import Service
from riverhouse.settings import load

LOGGING = """Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        - ref: STDOUT
    Logger:  # these tell of every partition at every start: 10,000 lines after a crash, while everything waits for the broker
      - name: state.change.logger
        level: WARN
      - name: org.apache.kafka.storage.internals.log
        level: WARN
      - name: org.apache.kafka.controller
        level: WARN
      - name: kafka.log
        level: WARN
      - name: kafka.cluster
        level: WARN
"""


def data() -> pathlib.Path:
    return addresses.home() / "data" / "kafka"


def etc() -> pathlib.Path:
    return addresses.home() / "etc" / "kafka"


def properties() -> dict[str, object]:
    """The broker's configuration: one node, so internal topics have few partitions, and one replica like all others."""
    port, controller, host = addresses.ports().kafka, addresses.ports().kafka_controller, addresses.HOST
    replicas = load().kafka.replication
    clients = "SSL" if load().kafka.ca_file else "PLAINTEXT"
    return {
        **{k: v for k, v in brokers.java().items() if k.startswith("ssl.")},
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{host}:{controller}",
        "listeners": f"{clients}://{host}:{port},CONTROLLER://{host}:{controller}",
        "advertised.listeners": f"{clients}://{host}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": clients,
        "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,{clients}:{clients}",
        "log.dirs": data(),
        # A disk that is full in the wrong moment can spoil the log of metadata, and Kafka then deletes all of it, whatever topics there are.
        # From a snapshot it goes on; by itself it would make one after an hour.
        "metadata.log.max.snapshot.interval.ms": 30_000,
        "metadata.max.retention.bytes": 32 * 2**20,
        "num.partitions": load().kafka.partitions,
        "auto.create.topics.enable": "false",  # a topic is declared in topics/, or it does not exist
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 4,
        "group.initial.rebalance.delay.ms": 0,
        "log.cleaner.dedupe.buffer.size": 16 * 2**20,
        "message.max.bytes": 4 * 2**20,
    }


def prepare() -> None:
    """Write the configuration; format the log folder where it is new."""
    etc().mkdir(parents=True, exist_ok=True)
    (etc() / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in properties().items()))
    (etc() / "log4j2.yaml").write_text(LOGGING)
    if (data() / "meta.properties").exists():
        return
    # the cluster's id: 16 bytes that differ from home to home
    cluster = (
        base64.urlsafe_b64encode(hashlib.md5(str(data()).encode(), usedforsecurity=False).digest()).decode().rstrip("=")
    )
    format_logs(etc() / "server.properties", f"A{cluster[1:]}")


def format_logs(configuration: pathlib.Path, cluster: str) -> None:
    """Format the log folder of a broker's configuration for the cluster of that id. Problem where it cannot be."""
    tool = [*_java(), "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster]
    done = subprocess.run([*tool, "-c", str(configuration)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Problem("Kafka's log folder could not be formatted", done.stdout + done.stderr, f"see {configuration}")


def _java() -> list[str]:
    logging = f"-Dlog4j2.configurationFile={etc() / 'log4j2.yaml'}"
    return [parts.java(), logging, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{parts.folder('kafka')}/*"]


def command() -> list[str]:
    heap = f"{load().kafka.heap_mb}m"
    flags = [f"-Xmx{heap}", "-Xms128m", "-XX:+ExitOnOutOfMemoryError", "-XX:MaxDirectMemorySize=128m"]
    logging = f"-Dlog4j2.configurationFile={etc() / 'log4j2.yaml'}"
    program = ["-cp", f"{parts.folder('kafka')}/*", "kafka.Kafka", str(etc() / "server.properties")]
    return [parts.java(), *aot.flags("kafka"), *flags, logging, *program]


def probe() -> None:
    """The broker tells its metadata, and it is the one that was started here."""
    client = AdminClient(brokers.librdkafka({"log_level": 0, "socket.timeout.ms": 3000}))
    if not client.list_topics(timeout=3).brokers:
        raise ConnectionError("no broker in the metadata")


KAFKA = Service(
    name="kafka", prepare=prepare, command=command, probe=probe, address=addresses.bootstrap, memory="360 to 540 MB"
)

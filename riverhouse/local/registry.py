"""Apicurio: the schema registry. It keeps its schemas in Kafka, so it has no data folder of its own."""

from __future__ import annotations

import pathlib

import httpx

from riverhouse import addresses, brokers
from riverhouse.local import aot, parts
from riverhouse.local.service import Service
from riverhouse.settings import load

COMPATIBILITY = "BACKWARD"


def command() -> list[str]:
    host, ports, root = addresses.HOST, addresses.ports(), parts.folder("registry")
    options = {
        "quarkus.http.host": host,
        "quarkus.http.port": ports.registry,
        "quarkus.management.host": host,
        "quarkus.management.port": ports.registry_management,
        "apicurio.storage.kind": "kafkasql",
        "apicurio.kafkasql.bootstrap.servers": addresses.bootstrap(),
        **brokers.java("apicurio.kafka.common."),
        "apicurio.kafkasql.consumer.poll.timeout": 100,  # its start waits for several empty polls of 5 s each
        "apicurio.rest.mutability.artifact-version-content.enabled": "false",
    }
    heap = [
        f"-Xmx{load().registry.heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
    ]
    program: pathlib.Path = next(path for name in ("*runner.jar", "quarkus-run.jar") for path in root.glob(name))
    return [
        parts.java(),
        *aot.flags("registry"),
        *heap,
        *(f"-D{k}={v}" for k, v in options.items()),
        "-jar",
        str(program),
    ]


def probe() -> None:
    """It lists its subjects, and refuses incompatible schemas: the rule is set here, since its default is NONE."""
    url = addresses.registry_url()
    httpx.get(f"{url}/subjects", timeout=3).raise_for_status()
    if httpx.get(f"{url}/config", timeout=3).json().get("compatibilityLevel") != COMPATIBILITY:
        httpx.put(f"{url}/config", json={"compatibility": COMPATIBILITY}, timeout=5).raise_for_status()


REGISTRY = Service(
    name="registry", needs=("kafka",), command=command, probe=probe, address=addresses.registry_url,
    stop_within_s=20, memory="290 to 325 MB",
)  # fmt: skip

"""Trino: SQL over the lake and the live topics. Its files in `trino/etc/` are templates, filled in under <home>/etc/trino."""

from __future__ import annotations

import pathlib
import string
from typing import Any

import httpx
import trino
from pyiceberg.catalog import load_catalog

from lakehouse_jobs import trino_catalog
from riverhouse import addresses, brokers
from riverhouse.local import aot, parts
from riverhouse.local.service import Service
from riverhouse.settings import ROOT, load

TEMPLATES = ROOT / "trino" / "etc"


def etc() -> pathlib.Path:
    return addresses.home() / "etc" / "trino"


def data() -> pathlib.Path:
    return addresses.home() / "data" / "trino"


def placeholders() -> dict[str, str]:
    """What stands for ${…} in the templates."""
    ports = addresses.ports()
    return {
        "host": addresses.HOST,
        "port": str(ports.trino),
        "heap_mb": str(load().trino.heap_mb),
        "data": str(data()),
        "etc": str(etc()),
        "bootstrap": addresses.bootstrap(),
        "kafka_client": str(etc() / "kafka-client.properties"),
        "kafka_security": "".join(f"{k}={v}\n" for k, v in brokers.java().items()),
        "registry_url": addresses.registry_url(),
        "catalog": addresses.CATALOG,
        "postgres_jdbc": f"jdbc:postgresql://{addresses.HOST}:{ports.postgres}/lake",
        "postgres_password": addresses.secret("postgres"),
        "warehouse": addresses.warehouse(),
        "descriptions": str(etc() / "kafka"),
        "live_tables": ",".join(trino_catalog.table_names()),
    }


def prepare() -> None:
    """Make the catalogue's own tables; fill in the templates; write the descriptions of the Kafka tables."""
    load_catalog(addresses.CATALOG, **addresses.pyiceberg_properties())  # Trino refuses a database without them
    for template in sorted(p for p in TEMPLATES.rglob("*") if p.is_file()):
        target = etc() / template.relative_to(TEMPLATES)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)  # a catalogue holds a password
        target.write_text(string.Template(template.read_text()).substitute(placeholders()))
    data().mkdir(parents=True, exist_ok=True)
    (etc() / "kafka").mkdir(parents=True, exist_ok=True)
    trino_catalog.write_descriptions(etc() / "kafka")


def command() -> list[str]:
    server = next(parts.folder("trino").glob("trino-server-*"))
    options = {
        "node.environment": "riverhouse",
        "node.id": "riverhouse",
        "node.data-dir": data(),
        "config": etc() / "config.properties",
        "catalog.config-dir": etc() / "catalog",
        "plugin.dir": server / "plugin",
    }
    program = ["-cp", f"{server}/lib/*", "io.trino.server.TrinoServer"]
    defined = [f"-D{k}={v}" for k, v in options.items()]
    return [parts.java(), *aot.flags("trino"), f"@{etc() / 'jvm.config'}", *defined, *program]


def ask(sql: str, timeout_s: float = 300) -> tuple[list[str], list[list[Any]]]:
    """The column names and rows of a query, as the user `riverhouse`. Raises the exceptions of the trino package."""
    host, port = addresses.trino()
    connection = trino.dbapi.Connection(
        host=host, port=port, user="riverhouse", catalog=addresses.CATALOG, request_timeout=timeout_s
    )
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        return [c[0] for c in cursor.description or []], cursor.fetchall()
    finally:
        connection.close()


def query(sql: str) -> list[list[Any]]:
    """The rows of a quick query."""
    return ask(sql, timeout_s=15)[1]


def probe() -> None:
    """It answers a query over the lake's catalogue. `/v1/info` says ready too early, but it is cheap to ask first."""
    host, port = addresses.trino()
    if httpx.get(f"http://{host}:{port}/v1/info", timeout=5).json()["starting"]:
        raise ConnectionError("Trino is starting")
    query(f"show schemas from {addresses.CATALOG}")


TRINO = Service(
    name="trino",
    needs=("postgres",),
    prepare=prepare,
    command=command,
    probe=probe,
    folder=data,  # Java asks itself for its port by way of a file where it runs; a kill leaves that behind
    address=lambda: "http://{}:{}".format(*addresses.trino()),
    memory="0.9 to 1.4 GB",
)

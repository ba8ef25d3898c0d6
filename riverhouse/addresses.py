"""Where everything is: addresses and credentials of the services, from the settings and the home folder.

A real cluster is used by setting its address; what is not set is the local stack's, whose ports `riverhouse up` chose.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import secrets as random_secrets

from riverhouse.businesses import DOMAINS
from riverhouse.settings import Ports, load

HOST = "127.0.0.1"
CATALOG = "lake"  # the same name in Spark, Trino and PyIceberg, or namespaces are invisible to each other
SIDE = "side_"  # the start of the names of catalogues beside it


def home() -> pathlib.Path:
    """The folder of this checkout's data, logs, environments and generated configuration."""
    return load().home.resolve()


def catalogue() -> str:
    """The catalogue that this process works on: the live one, or its side's."""
    return SIDE + load().side if load().side else CATALOG


def data() -> pathlib.Path:
    """The folder of what this process's programs keep beside the servers; a side has one of its own."""
    return home() / "data" / "sides" / load().side if load().side else home() / "data"


@functools.cache
def ports() -> Ports:
    """The ports in force: those that `riverhouse up` chose and kept, else the preferred ones."""
    chosen = home() / "ports.json"
    return Ports.model_validate_json(chosen.read_bytes()) if chosen.exists() else load().ports


def worker_port(domain: str, index: int) -> int:
    """The web port of a business's worker number `index`: the businesses take turns, so more workers move no port."""
    return ports().worker + index * len(DOMAINS) + DOMAINS.index(domain)


def worker_ports() -> int:
    """How many ports from `ports().worker` on the workers have."""
    return load().workers.count * len(DOMAINS)


def secret(name: str) -> str:
    """The password called `name`: made at the first call, kept in the home folder, readable by its owner alone."""
    path = home() / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(random_secrets.token_urlsafe(24))
        try:
            os.link(draft, path)  # the first to arrive wins; others read what it wrote
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


def bootstrap() -> str:
    """Kafka's addresses, for any client."""
    return load().kafka.bootstrap or f"{HOST}:{ports().kafka}"


def registry_url() -> str:
    """The schema registry, as Confluent's clients want it."""
    return load().registry.url or f"http://{HOST}:{ports().registry}/apis/ccompat/v7"


def postgres_url(database: str, driver: str = "postgresql+psycopg2") -> str:
    """A SQLAlchemy address of a local PostgreSQL database (`lake`, `superset`), with its credentials."""
    return f"{driver}://riverhouse:{secret('postgres')}@{HOST}:{ports().postgres}/{database}"


def warehouse() -> str:
    """Where the lake's tables live, a file:// or s3:// address."""
    return load().lake.warehouse or (home() / "data" / "warehouse").as_uri()


def pyiceberg_properties() -> dict[str, str]:
    """What `pyiceberg.catalog.load_catalog(CATALOG, **…)` needs."""
    return {"type": "sql", "uri": postgres_url("lake"), "warehouse": warehouse()}


def trino() -> tuple[str, int]:
    """Trino's host and port."""
    return HOST, ports().trino


def superset_url() -> str:
    return f"http://{HOST}:{ports().superset}"


def dump() -> str:
    """All addresses as JSON, without credentials, for people and tests."""
    host, port = trino()
    return json.dumps(
        {
            "kafka": bootstrap(),
            "registry": registry_url(),
            "postgres": f"{HOST}:{ports().postgres}",
            "trino": f"http://{host}:{port}",
            "superset": superset_url(),
        },
        indent=2,
    )

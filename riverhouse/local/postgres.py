"""PostgreSQL: the lake's catalogue and Superset's own tables."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import psycopg2

from riverhouse import addresses
from riverhouse.local import child, parts
from riverhouse.local.problem import Problem
from riverhouse.local.service import Service

DATABASES = ("lake", "superset")
USER = "riverhouse"


def data() -> pathlib.Path:
    return addresses.home() / "data" / "postgres"


def prepare() -> None:
    """Make the database cluster where there is none; it gets its name only when it is whole."""
    if data().exists():
        return
    draft = data().with_name("postgres.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    addresses.secret("postgres")
    wrapper = [sys.executable, child.__file__, "--user-namespace", "--"]
    password = f"--pwfile={addresses.home() / 'secrets' / 'postgres'}"
    command = [parts.postgres("initdb"), "-D", str(draft), "-U", USER, "--auth=scram-sha-256", password]
    done = subprocess.run(
        [*wrapper, *command, "-E", "UTF8", "--locale=C"], capture_output=True, text=True, check=False,
        env={**os.environ, "LC_ALL": "C"},
    )  # fmt: skip
    if done.returncode:
        raise Problem("PostgreSQL's data folder could not be made", done.stderr, "`riverhouse doctor` may know why")
    draft.rename(data())


def command() -> list[str]:
    options = {"max_connections": "60", "shared_buffers": "64MB", "unix_socket_directories": "", "fsync": "on"}
    where = ["-D", str(data()), "-h", addresses.HOST, "-p", str(addresses.ports().postgres)]
    return [parts.postgres("postgres"), *where, *(f"-c{k}={v}" for k, v in options.items())]


def _ask(database: str, sql: str) -> list[tuple[object, ...]]:
    port, password = addresses.ports().postgres, addresses.secret("postgres")
    connection = psycopg2.connect(
        host=addresses.HOST, port=port, user=USER, password=password, dbname=database, connect_timeout=5
    )
    try:
        connection.autocommit = True  # a database cannot be made inside a transaction
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def probe() -> None:
    """Make the databases that are missing; then each answers a query."""
    present = {row[0] for row in _ask("postgres", "select datname from pg_database")}
    for name in DATABASES:
        if name not in present:
            _ask("postgres", f"create database {name}")
        _ask(name, "select 1")


POSTGRES = Service(
    name="postgres", prepare=prepare, command=command, probe=probe, user_namespace=True,
    address=lambda: f"{addresses.HOST}:{addresses.ports().postgres}",
    stop_signal="INT",  # fast shutdown: clients are disconnected, data is flushed
    memory="50 MB",
)  # fmt: skip

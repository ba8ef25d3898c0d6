"""Dumps of PostgreSQL's databases: the lake's catalogue and Superset's own tables, with PostgreSQL's own programs."""

from __future__ import annotations

import os
import pathlib
import subprocess

from rich.console import Console

from lakehouse_jobs.backup_store import Store
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses
from riverhouse.local import control, parts
from riverhouse.local.postgres import DATABASES, USER

SUPERSET = "superset"


def dump(folder: pathlib.Path) -> None:
    """Write `<database>.dump` of each database, readable by its owner alone. LakeError where PostgreSQL refuses."""
    for database in DATABASES:
        target = folder / f"{database}.dump"
        target.touch(mode=0o600)
        _run("pg_dump", "--format=custom", f"--file={target}", database)


def restore_superset(folder: str, console: Console) -> None:
    """Put Superset's tables of the newest backup in the place of those there are. LakeError while Superset runs."""
    if control.is_running(SUPERSET):
        raise LakeError(
            "Superset is running", "its tables cannot be replaced under it", "`riverhouse down`, then up without it"
        )
    store = Store(pathlib.Path(folder))
    source = store.own(store.newest().id) / f"{SUPERSET}.dump"
    options = ("--clean", "--if-exists", "--no-owner", "--exit-on-error", "--single-transaction")
    _run("pg_restore", *options, f"--dbname={SUPERSET}", str(source))
    console.print("Superset's tables are back; `riverhouse up` gives its users this home's passwords")


def _run(program: str, *arguments: str) -> None:
    where = ["--host", addresses.HOST, "--port", str(addresses.ports().postgres), "--username", USER]
    done = subprocess.run(
        [parts.postgres(program), *where, *arguments],
        env={**os.environ, "PGPASSWORD": addresses.secret("postgres")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise LakeError(f"{program} failed", done.stderr[-2000:], "is PostgreSQL up? see `riverhouse status`")

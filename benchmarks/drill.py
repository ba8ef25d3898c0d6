"""A restore drill: `python -m benchmarks.drill FOLDER`, beside a running stack. Nothing of the running stack is changed.

It makes a backup, takes the machine for lost, restores into an empty home of its own (a PostgreSQL on a free port, no Kafka), and
compares the row hash of every table there with that of the backup. It prints the recovery point, how old the newest raw record
in the backup was when the backup was whole, and the recovery time, from the empty home to tables that have been checked.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from lakehouse_jobs import backup, row_hash, sides
from lakehouse_jobs.backup_store import Manifest, Store
from riverhouse import addresses, clock
from riverhouse.local.testing import own_home
from riverhouse.settings import ROOT

HASHES = "--hashes"


@contextmanager
def empty_home() -> Iterator[dict[str, str]]:
    """The variables of a home folder with a running, empty PostgreSQL; it is stopped and deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="riverhouse-drill-") as folder:
        variables = {**os.environ, **own_home(pathlib.Path(folder))}
        try:
            yield variables
        finally:
            run(variables, "riverhouse", "down")


def run(variables: dict[str, str], *module_and_arguments: str) -> str:
    """What a program of ours prints in that home. ClickException where it fails."""
    command = [sys.executable, "-m", *module_and_arguments]
    done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"{' '.join(module_and_arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def restored(folder: pathlib.Path) -> tuple[dict[str, str], float]:
    """The row hashes of the newest backup restored into an empty home, and the seconds that took."""
    began = clock.monotonic()
    with empty_home() as variables:
        run(variables, "riverhouse", "up", "--only", "postgres", "--lifeline", str(os.getpid()))
        run(variables, "riverhouse", "restore", "--from", str(folder), "--as", "drill", "--swap")
        found: dict[str, str] = json.loads(run(variables, "benchmarks.drill", HASHES))
        return found, clock.monotonic() - began


def hashes() -> dict[str, str]:
    """Row hash of each table of this home's lake."""
    return {name: row_hash.of_table(table).digest for name, table in sides.tables(addresses.CATALOG).items()}


def newest_record() -> dt.datetime | None:
    """When the broker took the newest raw record that the lake has."""
    tables = [t for name, t in sides.tables(addresses.CATALOG).items() if name.startswith("bronze.")]
    times = [pc.max(t.scan(selected_fields=("appended_at",)).to_arrow()["appended_at"]).as_py() for t in tables]
    return max((t for t in times if t), default=None)


def differences(manifest: Manifest, found: dict[str, str]) -> list[str]:
    """The tables whose rows are not those of the backup."""
    return sorted(t for t, c in manifest.tables.items() if c.rows and found.get(t) != c.digest)


def drill(folder: pathlib.Path) -> tuple[Manifest, list[str], dict[str, float]]:
    """Backup, restore elsewhere, compare: the backup, the tables that differ, and what was measured, in seconds."""
    newest = newest_record()  # before: the backup has at least this
    manifest = backup.make(Store(folder))
    point = (clock.now() - newest).total_seconds() if newest else 0.0
    found, took = restored(folder)
    return manifest, differences(manifest, found), {"backup": manifest.took_s, "RPO": point, "RTO": took}


@click.command()
@click.argument("folder", type=click.Path(path_type=pathlib.Path, file_okay=False), required=False)
@click.option(HASHES, "only_hashes", is_flag=True, help="print this home's row hashes as JSON; the drill asks so")
def main(folder: pathlib.Path | None, only_hashes: bool) -> None:
    """Run the drill with backups in FOLDER; exit code 1 where a table's rows came back different."""
    if only_hashes:
        print(json.dumps(hashes()))
        return
    if folder is None:
        raise click.UsageError("name the FOLDER of the backups")
    manifest, different, seconds = drill(folder)
    table = Table("", "", title=f"drill with the backup {manifest.id}", title_justify="left")
    table.add_row("tables, rows", f"{len(manifest.tables)}, {sum(t.rows for t in manifest.tables.values()):,}")
    table.add_row("files, bytes", f"{len(list(manifest.files)):,}, {sum(f.size for f in manifest.files):,}")
    for what, value in seconds.items():
        table.add_row(what, f"{value:.1f} s")
    table.add_row("row hashes", "all equal" if not different else f"different: {', '.join(different)}")
    Console().print(table)
    sys.exit(bool(different))


if __name__ == "__main__":
    main()

"""`riverhouse backup --to FOLDER`: a consistent copy of the lake while everything runs.

One transaction reads where every table's metadata is; all files that are reachable from there never change, and none is deleted
while a backup reads (shared_files.py). Beside them go dumps of both databases, what Kafka's consumers had committed and
where its topics ended, and the settings. Each table is a prefix of its logs with its fences, so after a restore the sink goes
on where each of them stands.
"""

from __future__ import annotations

import argparse
import pathlib
import urllib.parse
from collections.abc import Iterator

import msgspec
from pyiceberg.io import load_file_io
from pyiceberg.serializers import FromInputFile
from pyiceberg.table import Table as LakeTable
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from lakehouse_jobs import databases, fences, lake, log_search, past_side, row_hash, shared_files, sides, tables
from lakehouse_jobs.backup_store import File, Manifest, Store, TableCopy, digest
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses, businesses, clock
from riverhouse.settings import load
from topics import progress
from topics.catalogue import STREAMS, TOPICS

LEFT_OUT = [
    "secrets (passwords, Superset's key): the new home makes its own",
    "Kafka's records: bronze has the raw ones; what the sink had not taken yet is not here",
    "the sink's checkpoint: the fences take its place",
    "Trino's views: `riverhouse up` makes them",
    "older snapshots of the tables",
]
console = Console(highlight=False)


def main(argv: list[str]) -> int:
    """`riverhouse backup`: 0 where it was made, or where all that was looked at is whole."""
    parser = argparse.ArgumentParser("riverhouse backup", description=__doc__)
    parser.add_argument(
        "--to", required=True, metavar="FOLDER", help="where the backups are; not under the home folder"
    )
    parser.add_argument("--list", action="store_true", help="the whole backups there are")
    parser.add_argument("--verify", action="store_true", help="read every file of every whole backup and compare")
    a = parser.parse_args(argv)
    store = Store(_apart(pathlib.Path(a.to)))
    if a.list or a.verify:
        console.print(listed(store))
        return verify(store) if a.verify else 0
    made = make(store)
    console.print(listed(store))
    console.print(f"copied {made.copied_files:,} files, {made.copied_bytes:,} bytes in {made.took_s:.1f} s; left out:")
    console.print("\n".join(f"  {what}" for what in made.left_out))
    return 0


def make(store: Store) -> Manifest:
    """Make a backup of the lake as it is now."""
    began, at = clock.monotonic(), clock.now()
    backup = f"{at:%Y%m%dT%H%M%SZ}"
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with shared_files.kept(), Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("reading the catalogue")
        copies: dict[str, TableCopy] = {}
        for name, table in _at_one_moment().items():
            shown.update(task, description=f"copying {name}")
            copies[name] = _copy(store, name, table)
        shown.update(task, description="dumping the databases")
        extra = _extras(store.own(backup))
    manifest = Manifest(
        id=backup, at=at.isoformat(), took_s=round(clock.monotonic() - began, 2), copied_files=store.copied_files,
        copied_bytes=store.copied_bytes, tables=copies, extra=extra, left_out=LEFT_OUT,
    )  # fmt: skip
    store.write(manifest)
    return manifest


def listed(store: Store) -> Table:
    """The whole backups of a folder."""
    table = Table("backup", "tables", "rows", "files", "bytes", "took s", title=str(store.folder), title_justify="left")
    for m in store.manifests():
        files = list(m.files)
        rows = sum(t.rows for t in m.tables.values())
        size = sum(f.size for f in files)
        table.add_row(m.id, f"{len(m.tables)}", f"{rows:,}", f"{len(files):,}", f"{size:,}", f"{m.took_s:.1f}")
    return table


def verify(store: Store) -> int:
    """Read every file; 1 where one is missing or has changed, or where there is nothing to look at."""
    store.newest()
    with console.status("verifying") as status:
        broken = {m.id: list(store.broken(m, status.update)) for m in store.manifests()}
    for backup, lines in broken.items():
        console.print(f"{backup}: " + ("whole" if not lines else f"{len(lines)} files are broken"))
        console.print("\n".join(f"  {line}" for line in lines[:20]), end="\n" if lines else "")
    return int(any(broken.values()))


def _at_one_moment() -> dict[str, LakeTable]:
    """Every table as one transaction of the catalogue shows it."""
    found = {}
    for name, location in sides.locations(addresses.CATALOG).items():
        io = load_file_io(addresses.pyiceberg_properties(), location)
        metadata = FromInputFile.table_metadata(io.new_input(location))
        found[name] = LakeTable(tuple(name.split(".")), metadata, location, io, lake.catalog())
    if not found:
        raise LakeError("there is nothing to back up", "the lake has no table", "`riverhouse up` makes them")
    return found


def _copy(store: Store, name: str, table: LakeTable) -> TableCopy:
    """Copy what a table's newest snapshot consists of."""
    snapshot = table.current_snapshot()
    metadata = past_side.rewound(table.metadata, snapshot, ancestors=False).model_dump_json()
    if snapshot is None:
        return TableCopy(metadata=metadata, manifest_list="", manifests=[], files=[], properties={}, rows=0, digest="")
    manifests = snapshot.manifests(table.io)
    key = tables.stamps().get(name)
    stamp = fences.at(table.metadata, snapshot.snapshot_id, key) if key else {}
    hashed = row_hash.of_table(table)
    return TableCopy(
        metadata=metadata,
        manifest_list=snapshot.manifest_list,
        manifests=[m.manifest_path for m in manifests],
        files=list(_files(store, name, table, [snapshot.manifest_list, *(m.manifest_path for m in manifests)])),
        properties={key: fences.dump(stamp)} if key and stamp else {},
        rows=hashed.rows,
        digest=hashed.digest,
    )


def _files(store: Store, name: str, table: LakeTable, manifests: list[str]) -> Iterator[File]:
    data = [task.file.file_path for task in table.scan().plan_files()]
    for location in (*manifests, *data):
        yield store.add(table.io, location, f"{name}/{_key(location)}")


def _key(location: str) -> str:
    """A file's place in the store: its path in the warehouse, or all of its path."""
    path = location.removeprefix(addresses.warehouse()).lstrip("/")
    return urllib.parse.urlsplit(path).path.lstrip("/")


def _extras(folder: pathlib.Path) -> dict[str, str]:
    """What goes beside the files; the SHA-256 of each."""
    databases.dump(folder)
    (folder / "settings.json").write_text(load().model_dump_json(indent=2))
    ends = {
        f"{t}/{p}": {"oldest": a, "next": b} for (t, p), (a, b) in log_search.ends([t.name for t in TOPICS]).items()
    }
    groups = {d: businesses.facts(d).group for d in businesses.DOMAINS}
    committed = {g: {f"{t}/{p}": o for (t, p), o in progress.committed(g).items()} for g in groups.values()}
    kafka = {"topics": ends, "committed": committed, "streams": [s.prefix for s in STREAMS]}
    (folder / "kafka.json").write_bytes(msgspec.json.format(msgspec.json.encode(kafka)))
    return {p.name: digest(p) for p in sorted(folder.iterdir()) if p.name != "manifest.json"}


def _apart(folder: pathlib.Path) -> pathlib.Path:
    """The folder; LakeError where `riverhouse clean` would delete it."""
    if folder.resolve().is_relative_to(addresses.home()):
        raise LakeError(
            "a backup inside the home folder is none",
            f"{folder} goes where the lake goes",
            "name another disk's folder",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder

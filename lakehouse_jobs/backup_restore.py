"""A side made from a backup: its data files copied into the side's folder, each checked, and each table committed anew.

Iceberg writes whole paths into its files, so metadata and manifests are not copied but written again for where the lake is now:
one snapshot a table, with the fences of the one that was backed up. Rows and row hash must be what the backup says.
"""

from __future__ import annotations

import copy
import pathlib
from collections.abc import Iterator

from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile, ManifestContent, read_manifest_list
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil
from rich.console import Console

from lakehouse_jobs import past_side, row_hash, shared_files, sides
from lakehouse_jobs.backup_store import Manifest, Store, TableCopy, pour
from lakehouse_jobs.problem import LakeError

PATH = 1  # the place of the file's path in a DataFile's record


def make(name: str, folder: str, console: Console) -> Manifest:
    """Make the side `name` of the newest whole backup. LakeError where a file is missing or broken, or rows differ."""
    store = Store(pathlib.Path(folder))
    manifest = store.newest()
    side = sides.new(name, f"the backup {manifest.id} in {folder}")
    with shared_files.kept(), console.status("metadata") as status:
        sides.make(side, {t: _emptied(c) for t, c in manifest.tables.items()})
        for table_name, table in sides.tables(side.catalogue).items():
            status.update(f"restoring {table_name}")
            _fill(store, manifest.tables[table_name], table)
        rows = sum(t.rows for t in manifest.tables.values())
    console.print(
        f"{name}: backup {manifest.id}, {len(manifest.tables)} tables, {rows:,} rows; every row hash is the backup's"
    )
    return manifest


def _emptied(table: TableCopy) -> TableMetadata:
    """A table's schema, partitioning and properties, without a snapshot."""
    return past_side.rewound(TableMetadataUtil.parse_raw(table.metadata), None)


def _fill(store: Store, source: TableCopy, table: Table) -> None:
    """Copy the data files and commit them. LakeError where the rows are not those that were backed up."""
    if not source.manifest_list:
        return
    keys = {f.location: f for f in source.files}
    with (
        table.transaction() as transaction,
        transaction.update_snapshot(snapshot_properties=source.properties).fast_append() as snapshot,
    ):
        for file in _data_files(store, source, table.io):
            known = keys[file.file_path]
            target = f"{table.location()}/data/{known.key.split('/data/', 1)[-1]}"
            with store.path(known.key).open("rb") as read, table.io.new_output(target).create() as write:
                if pour(read, write) != known.sha256:  # type: ignore[arg-type]
                    raise LakeError(
                        "a file of the backup has changed", known.key, "`riverhouse backup --verify` lists all"
                    )
            snapshot.append_data_file(_moved(file, target))
    found = row_hash.of_table(table)
    if (found.rows, found.digest) != (source.rows, source.digest):
        raise LakeError(
            f"{'.'.join(table.name())} is not what was backed up",
            f"the backup has {source.rows:,} rows {source.digest}, restored were {found}",
            "drop the side; `riverhouse backup --verify` looks at the backup",
        )


def _data_files(store: Store, source: TableCopy, io: FileIO) -> Iterator[DataFile]:
    """The data files of the snapshot, as the backup's manifests list them."""
    keys = {f.location: f.key for f in source.files}

    def here(location: str) -> str:
        return store.path(keys[location]).resolve().as_uri()

    for manifest in read_manifest_list(io.new_input(here(source.manifest_list))):
        if manifest.content != ManifestContent.DATA:
            raise LakeError(
                "the backup has row deletes", manifest.manifest_path, "our writers make none; which tool did?"
            )
        entries = copy.copy(manifest)
        entries._data = [here(manifest.manifest_path), *manifest._data[1:]]  # noqa: SLF001 - records have no setters
        for entry in entries.fetch_manifest_entry(io):
            yield entry.data_file


def _moved(file: DataFile, path: str) -> DataFile:
    moved = copy.copy(file)
    moved._data = [*file._data]  # noqa: SLF001 - as above
    moved._data[PATH] = path  # noqa: SLF001
    moved.spec_id = file.spec_id
    return moved

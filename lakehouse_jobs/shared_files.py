"""Files that more than one table refers to, and when they may be deleted.

A side (sides.py) refers to files of the live lake, and a backup or a restore reads them for minutes. Expiry of one table knows
nothing of that. The rule: **files are deleted only while no side exists and nobody reads the past.** At other times expiry
removes snapshots from the metadata and leaves their files; what is left behind is collected when the rule allows it again. So is
what a writer left that was killed between a file and its commit.

Readers hold a PostgreSQL advisory lock together; who deletes holds it alone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import pathlib
import urllib.parse
from collections.abc import Iterator

from psycopg2.extensions import connection
from pyarrow import fs
from pyiceberg.io import FileIO
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

from lakehouse_jobs import sides, writer_lock
from lakehouse_jobs.problem import LakeError
from riverhouse import addresses, clock

KEY = 0x71BE13  # beside the writer's lock
WAIT_S = 60.0
GRACE = dt.timedelta(hours=1)  # a younger file may belong to a commit that is being made


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """While this is held no file of the lake is deleted by us; many may hold it."""
    with _locked("pg_try_advisory_lock_shared", WAIT_S) as held:
        if not held:
            raise LakeError(
                "files of the lake are being deleted",
                f"that did not end within {WAIT_S:.0f} s",
                "try again; is a `riverhouse restore --drop` or `riverhouse maintain` hanging?",
            )
        yield


@contextlib.contextmanager
def deletable() -> Iterator[bool]:
    """Whether files may be deleted now; if so, nobody can make a side or begin a backup meanwhile."""
    with _locked("pg_try_advisory_lock", 0) as alone:
        may = alone and not sides.names()
        if not may:
            mark_left()
        yield may


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the lock alone. LakeError where a backup or a restore is at work."""
    with _locked("pg_try_advisory_lock", WAIT_S) as held:
        if not held:
            raise LakeError(
                "files of the lake are in use",
                f"a backup or a restore has been reading them for the last {WAIT_S:.0f} s",
                "try again when it has ended",
            )
        yield


def referred(table: Table) -> set[str]:
    """All files that a table refers to: metadata, manifest lists, manifests, data files, of every snapshot it keeps."""
    return {table.metadata_location} | of_metadata(table.metadata, table.io)


def of_metadata(metadata: TableMetadata, io: FileIO) -> set[str]:
    """As `referred`, of a table's metadata, without the file that holds it."""
    files = {entry.metadata_file for entry in metadata.metadata_log}
    files |= {s.statistics_path for s in (*metadata.statistics, *metadata.partition_statistics)}
    manifests: dict[str, ManifestFile] = {}
    for snapshot in metadata.snapshots:
        files.add(snapshot.manifest_list)
        manifests |= {m.manifest_path: m for m in snapshot.manifests(io)}
    for path, manifest in manifests.items():
        files.add(path)
        files |= {entry.data_file.file_path for entry in manifest.fetch_manifest_entry(io, discard_deleted=False)}
    return files


def drop(name: str) -> int:
    """Drop a side and delete the files that only it refers to; how many."""
    with alone():
        its = sides.tables(sides.find(name).catalogue)
        mark_left()  # where this is interrupted, `collect` finds what remains
        sides.forget(name)
        others = [sides.tables(c) for c in (addresses.CATALOG, *sides.names())]
        dropped = 0
        for table_name, table in its.items():
            needed = {f for o in others if table_name in o for f in referred(o[table_name])}
            for file in referred(table) - needed:
                table.io.delete(file)
                dropped += 1
        return dropped


def mark_left() -> None:
    """Note that there may be files to which no table refers: left by expiry, or by a writer that was killed before its commit."""
    _mark().parent.mkdir(parents=True, exist_ok=True)
    _mark().touch()


def left_behind() -> bool:
    """Whether there may be files to which no table refers."""
    return _mark().exists()


def collectable() -> bool:
    """Whether what has been left behind is old enough to be told from a commit that is being made."""
    return left_behind() and clock.now().timestamp() - _mark().stat().st_mtime > GRACE.total_seconds()


def collect(older_than: dt.datetime) -> int:
    """Delete the warehouse's files to which no table refers and which are older than that; how many.

    Only folders of tables are looked at, and only where `deletable` or `alone` is held. Nothing is forgotten while younger
    files may still turn out to belong to nobody.
    """
    system, root = fs.FileSystem.from_uri(addresses.warehouse())
    known: set[str] = set()
    for catalog in (addresses.CATALOG, *sides.names()):
        for table in sides.tables(catalog).values():
            known |= {path_of(f) for f in referred(table)}
    found = [f for f in system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True)) if f.is_file]
    unknown = [f for f in found if _is_of_a_table(f.path, root) and path_of(f.path) not in known]
    old = [f.path for f in unknown if f.mtime is not None and f.mtime < older_than]
    for path in old:
        system.delete_file(path)
    if len(old) == len(unknown):
        _mark().unlink(missing_ok=True)
    else:
        mark_left()  # the younger ones another time
    return len(old)


def path_of(location: str) -> str:
    """A file's path without its scheme, as file systems list it."""
    parts = urllib.parse.urlsplit(location)
    return f"{parts.netloc}{parts.path}"


def _is_of_a_table(path: str, root: str) -> bool:
    """Whether a path is a table's data or metadata; views keep theirs under names that tables do not have."""
    inner = pathlib.PurePosixPath(path).relative_to(root).parts
    return any(f"{a}.{b}" in sides.TABLES for a, b in itertools.pairwise(inner[:-1]))


def _mark() -> pathlib.Path:
    return addresses.home() / "data" / "files-left-behind"


@contextlib.contextmanager
def _locked(function: str, wait_s: float) -> Iterator[bool]:
    """Try to take the lock for a session of its own; whether it is held."""
    session = writer_lock.connect()
    try:
        deadline = clock.monotonic() + wait_s
        while not (held := _try(session, function)) and clock.monotonic() < deadline:
            clock.sleep(0.2)
        yield held
    finally:
        session.close()


def _try(session: connection, function: str) -> bool:
    with session.cursor() as cursor:
        cursor.execute(f"select {function}(%s)", (KEY,))
        row = cursor.fetchone()
    return bool(row and row[0])

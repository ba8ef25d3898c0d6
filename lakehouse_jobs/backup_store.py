"""A folder of backups: each file of the lake once, and for each backup a manifest that is written last.

    FOLDER/files/…                 metadata, manifests, data: immutable, so a later backup copies only what is new
    FOLDER/backups/<id>/…          what belongs to one backup: dumps, offsets
    FOLDER/backups/<id>/manifest.json    what the backup consists of; a backup without one was interrupted

A file gets its name when it is whole; so an interrupted backup is resumed by the next one.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec
from pyiceberg.io import FileIO

from lakehouse_jobs.fences import Fence
from lakehouse_jobs.problem import LakeError

CHUNK = 1 << 20


class File(msgspec.Struct, frozen=True):
    """A file of the lake: where it was, what it is called under `files/`, its size in bytes and its SHA-256."""

    location: str
    key: str
    size: int
    sha256: str


class TableCopy(msgspec.Struct, kw_only=True):
    """A table at one snapshot: Iceberg's metadata as JSON, the files, the fences; rows and row hash to check it by."""

    metadata: str
    manifest_list: str  # its location; empty where the table holds nothing
    manifests: list[str]
    files: list[File]
    properties: dict[str, str]  # of the snapshot: its fences
    rows: int
    digest: str


class Manifest(msgspec.Struct, kw_only=True):
    """A backup. `at` is the moment whose state it holds; `extra` are further files in its folder, with their SHA-256."""

    id: str
    at: str
    took_s: float
    copied_files: int
    copied_bytes: int
    tables: dict[str, TableCopy]
    extra: dict[str, str]
    left_out: list[str]

    @property
    def files(self) -> Iterator[File]:
        return (f for t in self.tables.values() for f in t.files)


class Store:
    """A folder of backups. `known` are the files of whole backups; `copied` counts what this process added."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.known = {f.key: f for m in self.manifests() for f in m.files}
        self.copied_files = self.copied_bytes = 0

    def manifests(self) -> list[Manifest]:
        """The whole backups, the oldest first. LakeError where a manifest cannot be read."""
        found = sorted((self.folder / "backups").glob("*/manifest.json"))
        try:
            return [msgspec.json.decode(path.read_bytes(), type=Manifest) for path in found]
        except msgspec.DecodeError as e:
            raise LakeError(
                f"a manifest under {self.folder} cannot be read", str(e), "delete that backup's folder"
            ) from e

    def newest(self) -> Manifest:
        """LakeError where there is no whole backup."""
        whole = self.manifests()
        if not whole:
            raise LakeError(
                f"{self.folder} holds no whole backup", "no backup has a manifest", "`riverhouse backup --to FOLDER`"
            )
        return whole[-1]

    def path(self, key: str) -> pathlib.Path:
        return self.folder / "files" / key

    def own(self, backup: str) -> pathlib.Path:
        """The folder of what belongs to one backup."""
        folder = self.folder / "backups" / backup
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def add(self, io: FileIO, location: str, key: str) -> File:
        """Copy a file of the lake unless it is here; a whole one that no manifest knows is hashed where it lies."""
        source, path = io.new_input(location), self.path(key)
        size = len(source)
        if path.exists() and path.stat().st_size == size:
            known = self.known.get(key)
            return known if known and known.size == size else File(location, key, size, digest(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.part")
        with source.open() as read, draft.open("wb") as write:
            sha = pour(read, write)  # type: ignore[arg-type]
        draft.rename(path)
        self.copied_files += 1
        self.copied_bytes += size
        return File(location, key, size, sha)

    def write(self, manifest: Manifest) -> None:
        """Make the backup whole."""
        path = self.own(manifest.id) / "manifest.json"
        draft = path.with_suffix(".part")
        draft.write_bytes(msgspec.json.encode(manifest))
        draft.rename(path)

    def broken(self, manifest: Manifest, tell: Callable[[str], object]) -> Iterator[str]:
        """What of a backup is missing or has changed, a line each."""
        for file in manifest.files:
            tell(file.key)
            path = self.path(file.key)
            if not path.exists():
                yield f"{file.key} is missing"
            elif path.stat().st_size != file.size or digest(path) != file.sha256:
                yield f"{file.key} has changed"
        for name, sha in manifest.extra.items():
            path = self.own(manifest.id) / name
            if not path.exists() or digest(path) != sha:
                yield f"{manifest.id}/{name} is missing or has changed"


def pour(read: BinaryIO, write: BinaryIO) -> str:
    """Copy all of a stream; its SHA-256."""
    sha = hashlib.sha256()
    while chunk := read.read(CHUNK):
        sha.update(chunk)
        write.write(chunk)
    return sha.hexdigest()


def digest(path: pathlib.Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def positions_of(table: TableCopy, key: str) -> Fence:
    """One of the fences that the copy was taken at; empty where it has none."""
    text = table.properties.get(key)
    return msgspec.json.decode(text, type=dict[str, int]) if text else {}

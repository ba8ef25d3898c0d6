"""The files beside a state: large parts of it that are written once, or only at their end. A folder, or plain memory."""

from __future__ import annotations

import os
import pathlib
import secrets
from collections.abc import Collection
from typing import Protocol


class DamagedError(Exception):
    """A file is missing, too short, or does not hold what was written."""


class Files(Protocol):
    """Named files. A name is given out once and never used again, also not by another process."""

    def name(self, kind: str) -> str:
        """A new name."""

    def __contains__(self, name: object) -> bool: ...

    def write(self, name: str, data: bytes) -> None:
        """A whole file: afterwards it is there, on disk, and never in part."""

    def append(self, name: str, data: bytes) -> None:
        """More of a file that only its maker writes to."""

    def sync(self, name: str) -> None:
        """See that what was appended is on disk."""

    def read(self, name: str, start: int, length: int) -> bytes:
        """A part of a file; DamagedError where it is not there."""

    def whole(self, name: str) -> bytes:
        """A file from beginning to end; DamagedError where there is none."""


class Memory:
    """Files of a state that is not kept: tests, simulations."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._names = 0

    def name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}-{self._names}"

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def write(self, name: str, data: bytes) -> None:
        self._files[name] = bytearray(data)

    def append(self, name: str, data: bytes) -> None:
        self._files.setdefault(name, bytearray()).extend(data)

    def sync(self, name: str) -> None: ...

    def read(self, name: str, start: int, length: int) -> bytes:
        return checked(bytes(self._files.get(name, b"")[start : start + length]), name, length)

    def whole(self, name: str) -> bytes:
        if name not in self._files:
            raise DamagedError(f"{name} is missing")
        return bytes(self._files[name])


class Folder:
    """Files in a folder. Nothing is held open: a worker has hundreds, and reads few."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def name(self, kind: str) -> str:
        return f"{kind}-{secrets.token_hex(8)}"

    def __contains__(self, name: object) -> bool:
        return (self.path / str(name)).exists()

    def write(self, name: str, data: bytes) -> None:
        draft = self.path / f"{name}.draft"
        draft.write_bytes(data)
        self.sync(draft.name)
        draft.replace(self.path / name)

    def append(self, name: str, data: bytes) -> None:
        with (self.path / name).open("ab", buffering=0) as file:
            written = file.write(data)
        if written != len(data):
            raise OSError(f"{self.path / name}: {written} of {len(data)} bytes were written; the disk is full")

    def sync(self, name: str) -> None:
        with (self.path / name).open("rb") as file:
            os.fsync(file.fileno())

    def read(self, name: str, start: int, length: int) -> bytes:
        try:
            with (self.path / name).open("rb", buffering=0) as file:
                return checked(os.pread(file.fileno(), length, start), name, length)
        except FileNotFoundError as e:
            raise DamagedError(f"{name} is missing") from e

    def whole(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError as e:
            raise DamagedError(f"{name} is missing") from e

    def publish(self, draft: str, name: str) -> None:
        """Let a written file take the place of another, in one step."""
        (self.path / draft).replace(self.path / name)
        fd = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove_all_but(self, keep: Collection[str]) -> None:
        for path in self.path.iterdir():
            if path.name not in keep:
                path.unlink(missing_ok=True)


def checked(data: bytes, name: str, length: int) -> bytes:
    if len(data) != length:
        raise DamagedError(f"{name} holds {len(data)} bytes where {length} were written")
    return data

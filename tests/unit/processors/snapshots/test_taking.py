"""Snapshots by a copy of the process: what it writes, and when that counts."""

from __future__ import annotations

import pathlib

import pytest

from processors.snapshots.files import DamagedError
from processors.snapshots.origin import Origin, Snapshot, from_bytes
from processors.snapshots.store import Store
from processors.snapshots.taking import Capture, Taker
from riverhouse.local import control

ORIGIN = Origin("cluster", {}, 0, 1, "layout")


class Worker:
    """Counts up, and keeps the number in snapshots."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.store = Store(folder / "stream" / "0", ORIGIN)
        self.number = 1
        self.fails = False

    def captures(self) -> list[Capture]:
        snapshot = Snapshot(ORIGIN, "raw", self.number, {"clean": self.number}, b"")
        draft = self.store.files.name("facts")
        return [Capture(self.store, "facts", draft, snapshot, self.write, lambda: {"live"}, frozenset({"old"}))]

    def write(self) -> bytes:
        if self.fails:
            raise OSError("the disk is full")
        return str(self.number).encode()

    def body(self) -> bytes:
        return from_bytes(self.store.files.whole("facts")).body


@pytest.fixture
def worker(tmp_path: pathlib.Path) -> Worker:
    return Worker(tmp_path)


def test_the_state_is_written_as_it_was_and_counts_when_it_is_committed(worker: Worker) -> None:
    taker = Taker(1e-6, worker.captures)
    assert taker.due()
    taker.begin()
    assert not taker.due()
    worker.number = 2
    assert control.wait_until(lambda: taker.written, 30, 0.01)
    taker.publish({("raw", 0): 0})
    with pytest.raises(DamagedError):
        worker.body()
    taker.publish({("raw", 0): 1})
    assert worker.body() == b"1"
    assert not taker.written
    taker.begin()
    assert control.wait_until(lambda: taker.written, 30, 0.01)
    taker.publish({("raw", 0): 2})
    assert worker.body() == b"2"


def test_what_did_not_change_is_not_written_again(worker: Worker) -> None:
    taker = Taker(1e-6, worker.captures)
    taker.at_once()
    taker.publish({("raw", 0): 1})
    taker.begin()
    assert not taker.written


def test_what_no_snapshot_needs_is_removed(worker: Worker) -> None:
    for name in ("live", "old", "older"):
        worker.store.files.write(name, b"")
    taker = Taker(60, worker.captures)
    taker.at_once()
    taker.publish({("raw", 0): 1})
    assert {path.name for path in worker.store.files.path.iterdir()} == {"facts", "live", "old"}


def test_a_copy_that_fails_leaves_the_snapshot_before(worker: Worker, capfd: pytest.CaptureFixture[str]) -> None:
    taker = Taker(1e-6, worker.captures)
    taker.at_once()
    taker.publish({("raw", 0): 1})
    worker.number, worker.fails = 2, True
    taker.begin()
    assert control.wait_until(lambda: not taker.written and taker.due(), 30, 0.01)
    taker.publish({("raw", 0): 2})
    assert worker.body() == b"1"
    assert "the disk is full" in capfd.readouterr().err


def test_when_partitions_move_nothing_is_published_later(worker: Worker) -> None:
    taker = Taker(1e-6, worker.captures)
    taker.begin()
    taker.drop()
    assert not taker.written
    taker.publish({("raw", 0): 9})
    with pytest.raises(DamagedError):
        worker.body()

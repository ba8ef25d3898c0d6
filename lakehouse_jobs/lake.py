"""The lake's catalogue, and one lock for each table, so that appends and maintenance of one process do not collide."""

from __future__ import annotations

import collections
import copy
import functools
import threading
from typing import Final

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table.metadata import TableMetadataV2

from riverhouse import addresses

PINNED: Final = "pinned snapshots"  # the lock that keeps expiry from removing what a refresh of gold is reading
NAMESPACES: Final = ("bronze", "silver", "gold", "analytics")
PROPERTIES: Final = {
    "format-version": "2",  # Trino cannot read v3's deletion vectors, PyIceberg cannot write v3
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "write.metadata.metrics.default": "truncate(16)",
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "50",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "50",
}


def _share_frozen_parts() -> None:
    """Let copies of a table's metadata share its parts, all of which are frozen.

    PyIceberg copies the whole metadata, every snapshot of it, twenty times for each commit: 71 of 100 samples of an append
    at 250 snapshots were in `deepcopy`. Only the lists and mappings of the metadata itself have to be new ones.
    """

    def copied(self: TableMetadataV2, memo: object = None) -> TableMetadataV2:
        _ = memo
        one = copy.copy(self)
        one.__dict__.update({k: copy.copy(v) for k, v in self.__dict__.items() if isinstance(v, list | dict)})
        return one

    TableMetadataV2.__deepcopy__ = copied  # type: ignore[method-assign, assignment]


_share_frozen_parts()
_locks: dict[str, threading.RLock] = collections.defaultdict(threading.RLock)
_locks_lock = threading.Lock()


@functools.cache
def catalog() -> Catalog:
    """The catalogue `lake`, or this process's side; shared by the threads of this process (its SQLAlchemy engine pools connections)."""
    return load_catalog(addresses.catalogue(), **addresses.pyiceberg_properties())


def lock(table: str) -> threading.RLock:
    """The lock of the table `namespace.name`: held while a commit is made, not while data files are written."""
    with _locks_lock:
        return _locks[table]

"""The snapshots of one partition of a stream: in a folder that the next worker of the partition, on this machine, finds.

facts     the newest snapshot of the partition's state      seen-…, history-…    the files that it refers to
totals    the newest snapshot of its merge                  facts-…, totals-…    drafts that are not published yet
"""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from processors.flow import Dataflow
from processors.snapshots.files import DamagedError, Folder
from processors.snapshots.origin import Origin, Snapshot, from_bytes, layout, to_bytes, why_not
from riverhouse import addresses
from riverhouse.clock import monotonic
from topics.contract import Stream
from topics.progress import cluster_and_topic_ids
from topics.sides import physical

log = logging.getLogger(__name__)
KINDS = ("facts", "totals")
S = TypeVar("S")
Bounds = Mapping[str, tuple[int, int]]  # changelog → its first offset and its end


class Stores:
    """The stores of all partitions of a domain's streams, for workers of this machine."""

    def __init__(self, flows: Sequence[Dataflow], partitions: int) -> None:
        names = [physical(t.name) for f in flows for t in f.stream.topics]
        self._cluster, self._ids = cluster_and_topic_ids(names)
        self._layouts = {f.stream.prefix: layout(f) for f in flows}
        self._partitions = partitions
        self._stores: dict[tuple[str, int], Store] = {}

    def of(self, stream: Stream, partition: int) -> Store:
        """The store of a stream's partition."""
        store = self._stores.get((stream.prefix, partition))
        if store is None:
            path = addresses.data() / "workers" / "snapshots" / stream.prefix / str(partition)
            ids = {t.name: self._ids[physical(t.name)] for t in stream.topics}
            origin = Origin(self._cluster, ids, partition, self._partitions, self._layouts[stream.prefix])
            store = self._stores[stream.prefix, partition] = Store(path, origin)
        return store


class Store:
    """One folder of snapshots."""

    def __init__(self, path: pathlib.Path, origin: Origin) -> None:
        self.files = Folder(path)
        self.origin = origin
        self.name = f"{path.parent.name} {path.name}"

    def load(
        self, kind: str, committed: int, bounds: Bounds, restore: Callable[[bytes], S]
    ) -> tuple[S, Snapshot] | None:
        """What `restore` makes of the snapshot, with the snapshot; None where there is none that may be used.

        One that may not is set aside: what is true again later is a new one.
        """
        if kind not in self.files:
            log.info("%s %s: no snapshot; the state is read from its topics", self.name, kind)
            return None
        began = monotonic()
        try:
            snapshot = from_bytes(self.files.whole(kind))
            why = why_not(snapshot, self.origin, committed, bounds)
            if why is None:
                state = restore(snapshot.body)
                took = monotonic() - began
                log.info("%s %s: restored from a snapshot at %s in %.2f s", self.name, kind, snapshot.held, took)
                return state, snapshot
        except DamagedError as e:
            why = str(e)
        except Exception:
            log.exception("%s %s: the snapshot cannot be read", self.name, kind)
            why = "it cannot be read"
        log.warning("%s %s: the snapshot is set aside: %s. The state is read from its topics", self.name, kind, why)
        (self.files.path / kind).unlink(missing_ok=True)
        return None

    def write(self, draft: str, snapshot: Snapshot) -> None:
        self.files.write(draft, to_bytes(snapshot))

    def publish(self, draft: str, kind: str) -> None:
        """The draft becomes the newest snapshot."""
        self.files.publish(draft, kind)

    def tidy(self, in_use: Collection[str]) -> None:
        """Remove the files that neither a snapshot nor the live state needs."""
        self.files.remove_all_but({*KINDS, *in_use})

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.files.path.iterdir())

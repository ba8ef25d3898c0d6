"""From a worker's live states to captures, and from a store back to a live state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from processors.dataflow import Partition
from processors.merge import Merge
from processors.snapshots import forms
from processors.snapshots.origin import Snapshot
from processors.snapshots.store import Bounds, Store
from processors.snapshots.taking import Capture
from topics.sides import physical


def capture_state(store: Store, state: Partition, done: int, held: dict[str, int]) -> Capture:
    """A capture of a settled state: the next raw offset, and the next offset of each changelog."""
    snapshot = Snapshot(store.origin, physical(state.flow.stream.raw.name), done, held, b"")
    write, names = forms.writer(state), forms.names(state)
    return Capture(
        store, "facts", store.files.name("facts"), snapshot, write, lambda: forms.names(state), frozenset(names)
    )


def capture_merge(store: Store, merge: Merge, topic: str, done: int) -> Capture:
    """A capture of a settled merge: the next offset of its partials topic, which is source and changelog in one."""
    snapshot = Snapshot(store.origin, topic, done, {topic: done}, b"")
    return Capture(store, "totals", store.files.name("totals"), snapshot, forms.merge_writer(merge), set, frozenset())


def load_state(
    store: Store, new: Callable[[], Partition], committed: int, bounds: Bounds
) -> tuple[Partition, Mapping[str, int]]:
    """A state from its snapshot, and up to which offsets it holds its changelogs; an empty one where there is none."""

    def restore(body: bytes) -> tuple[Partition, set[str]]:
        state = new()
        return state, forms.restore(state, body)

    loaded = store.load("facts", committed, bounds, restore)
    if loaded is None:
        store.tidy(())
        return new(), {}
    (state, referred), snapshot = loaded
    store.tidy(referred | forms.names(state))
    return state, snapshot.held


def load_merge(store: Store, new: Callable[[], Merge], committed: int, bounds: Bounds, now: float) -> tuple[Merge, int]:
    """A merge from its snapshot, and the offset that it goes on from; an empty one and 0 where there is none."""

    def restore(body: bytes) -> Merge:
        merge = new()
        forms.restore_merge(merge, body, now)
        return merge

    loaded = store.load("totals", committed, bounds, restore)
    if loaded is None:
        return new(), 0
    merge, snapshot = loaded
    merge.holds(snapshot.done)
    return merge, snapshot.done

"""A disk with snapshots, for simulated workers: each start finds any of those taken before, whole or torn, or none."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from processors.dataflow import Partition
from processors.merge import Merge
from processors.snapshots import forms
from processors.snapshots.files import DamagedError, Memory
from processors.snapshots.origin import Origin, Snapshot, from_bytes, to_bytes, why_not

Position = tuple[str, int]


class Disk:
    """Snapshots of all positions (raw or partials topic, partition), each published by its writer when a commit covers it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.files = Memory()
        self.taken: dict[Position, list[bytes]] = defaultdict(list)
        self.used: Counter[str] = Counter()  # how many snapshots were found, "torn" or "restored"

    def draft(self, position: Position, state: Partition | Merge, done: int, held: dict[str, int]) -> bytes | None:
        """Now and then, between batches, a snapshot that is not published yet. `held`: what it has of its changelogs."""
        settled = state.settled(done) if isinstance(state, Partition) else state.settled
        if not settled or self.rng.random() > 0.1:
            return None
        body = (forms.writer(state) if isinstance(state, Partition) else forms.merge_writer(state))()
        return to_bytes(Snapshot(_origin(position), position[0], done, held, body))

    def publish(self, position: Position, data: bytes) -> None:
        self.taken[position].append(data)

    def load(
        self, position: Position, restore: Callable[[bytes], Any], committed: int, ends: dict[str, int]
    ) -> tuple[Any, dict[str, int]]:
        """What `restore` makes of a snapshot, and what that holds of its changelogs; (None, {}) without one."""
        if not self.taken[position] or self.rng.random() < 0.2:
            return None, {}
        data = self.rng.choice(self.taken[position])
        torn = self.rng.random() < 0.1
        if torn:
            at = self.rng.randrange(len(data))
            data = self.rng.choice((data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]))
        try:
            snapshot = from_bytes(data)
        except DamagedError:
            assert torn
            self.used["torn"] += 1
            return None, {}
        assert not torn
        assert why_not(snapshot, _origin(position), committed, {t: (0, end) for t, end in ends.items()}) is None
        self.used["restored"] += 1
        return restore(snapshot.body), snapshot.held


def _origin(position: Position) -> Origin:
    return Origin("simulated", {}, position[1], 0, "")

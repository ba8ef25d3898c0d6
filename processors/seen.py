"""Which events one raw partition has accepted: what makes a repeat a repeat.

State: event id (16 bytes) → the raw offset that claimed it. Bound: the ids that arrived within the dedupe horizon, 20 bytes
each: a day of 1,000 events a second is 1.7 GB, where a dictionary would take 13. Ids of the last moments stand in a
dictionary; older ones in sorted arrays, one an hour, which a whole batch is looked up in at once.

The horizon is counted in whole hours of the broker's time, so that the answer is a function of the log alone: an id is
remembered for at least the horizon and at most one hour longer, on every replay the same.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from processors.snapshots.files import DamagedError, Files

HOUR_MS = 3_600_000
SEAL_AT = 1 << 17  # ids in the dictionary, about 20 MB
UINT32_MAX = 2**32 - 1
_HEAD = struct.Struct(
    "<IqqB11x"
)  # of a segment's file: checksum of the rest, ids, least offset, bytes of each relative offset


class Claim(NamedTuple):
    """When (the hour of the broker's time) and by which raw offset an id was claimed."""

    hour: int
    offset: int


Relative = npt.NDArray[np.uint32] | npt.NDArray[np.int64]


class SeenForm(msgspec.Struct, array_like=True, frozen=True):
    """The ids as a snapshot has them. `sealed`: (hour, file) of each segment."""

    now: int
    recent: dict[int, dict[bytes, int]]
    sealed: list[tuple[int, str]]


class Segment:
    """Ids of one hour that are no longer added to, sorted by their upper half. `name`: of its file in snapshots."""

    def __init__(
        self, hour: int, upper: npt.NDArray[np.uint64], lower: npt.NDArray[np.uint64], relative: Relative, base: int
    ) -> None:
        self.hour, self.upper, self.lower = hour, upper, lower
        self._relative, self._base = relative, base
        self.name = ""

    @classmethod
    def sort(
        cls, hour: int, upper: npt.NDArray[np.uint64], lower: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]
    ) -> Segment:
        """A segment of ids in any order."""
        order = np.argsort(upper, kind="stable")
        base = int(offsets.min())
        relative = offsets[order] - base
        small = relative.max() <= UINT32_MAX
        return cls(hour, upper[order], lower[order], relative.astype(np.uint32) if small else relative, base)

    def to_bytes(self) -> bytes:
        columns = b"".join(c.tobytes() for c in (self.upper, self.lower, self._relative))
        return _HEAD.pack(zlib.crc32(columns), len(self), self._base, self._relative.itemsize) + columns

    @classmethod
    def from_bytes(cls, hour: int, name: str, data: bytes) -> Segment:
        """The segment whose bytes these are; DamagedError where they are not."""
        if len(data) < _HEAD.size:
            raise DamagedError(f"{name} has no beginning")
        checksum, count, base, width = _HEAD.unpack_from(data)
        columns = memoryview(data)[_HEAD.size :]
        if len(columns) != count * (16 + width) or zlib.crc32(columns) != checksum:
            raise DamagedError(f"{name} does not hold what was written")
        upper, lower = np.frombuffer(columns[: 16 * count], np.uint64).reshape(2, -1)
        rest = columns[16 * count :]
        relative: Relative = np.frombuffer(rest, np.uint32) if width == 4 else np.frombuffer(rest, np.int64)
        segment = cls(hour, upper, lower, relative, base)
        segment.name = name
        return segment

    def __len__(self) -> int:
        return len(self.upper)

    @property
    def offsets(self) -> npt.NDArray[np.int64]:
        return self._relative.astype(np.int64) + self._base

    def find(self, upper: npt.NDArray[np.uint64], lower: npt.NDArray[np.uint64]) -> tuple[list[int], list[int]]:
        """Which of the ids are here: their indices, and the offsets of their claims. Fast where `upper` is sorted."""
        at = np.searchsorted(self.upper, upper)
        at[at == len(self.upper)] = 0
        maybe = np.flatnonzero(self.upper[at] == upper)
        indices, offsets = [], []
        for i in maybe:  # few: real repeats, and ids that share 64 bits with another
            j = int(at[i])
            while j < len(self.upper) and self.upper[j] == upper[i]:
                if self.lower[j] == lower[i]:
                    indices.append(int(i))
                    offsets.append(int(self._relative[j]) + self._base)
                    break
                j += 1
        return indices, offsets


class SeenIds:
    """Ids claimed in one raw partition.

    A batch asks `look_up` for all its ids, then for each record in turn `advance`, `first`, and `claim` where it is
    accepted; after the batch comes `settle`.
    """

    def __init__(self, horizon: dt.timedelta, seal_at: int = SEAL_AT) -> None:
        self._horizon = -(-int(horizon.total_seconds()) // 3600)
        self._seal_at = seal_at
        self._now = 0
        self._recent: dict[int, dict[bytes, int]] = {}
        self._sealed: list[Segment] = []

    def __len__(self) -> int:
        return sum(map(len, self._recent.values())) + sum(map(len, self._sealed))

    def look_up(self, ids: Sequence[bytes]) -> Mapping[bytes, Claim]:
        """The newest claims of those `ids` that are in sealed segments."""
        found: dict[bytes, Claim] = {}
        if not self._sealed or not ids:
            return found
        ordered = sorted(set(ids))
        upper, lower = halves(ordered)
        for segment in self._sealed:
            for i, offset in zip(*segment.find(upper, lower), strict=True):
                found[ordered[i]] = Claim(segment.hour, offset)
        return found

    def first(self, event_id: bytes, sealed: Mapping[bytes, Claim]) -> int | None:
        """The offset that claimed an id within the horizon; `sealed` is what `look_up` said. None: it is new."""
        oldest = self._now - self._horizon
        for hour, ids in self._recent.items():
            if hour >= oldest and event_id in ids:
                return ids[event_id]
        claim = sealed.get(event_id)
        return claim.offset if claim is not None and claim.hour >= oldest else None

    def advance(self, ingested_ms: int) -> None:
        """The log has reached `ingested_ms`. A broker's clock that goes back does not turn ours back."""
        self._now = max(self._now, ingested_ms // HOUR_MS)

    def claim(self, event_id: bytes, offset: int) -> None:
        """The event at `offset` was accepted, in the hour to which `advance` has come."""
        ids = self._recent.get(self._now)
        if ids is None:
            ids = self._recent[self._now] = {}
        ids[event_id] = offset

    def settle(self) -> None:
        """Between batches: forget what the horizon has left behind, seal what has grown large or whose hour is over."""
        oldest = self._now - self._horizon
        self._sealed = [s for s in self._sealed if s.hour >= oldest]
        for hour in [h for h, ids in self._recent.items() if h < self._now or len(ids) >= self._seal_at]:
            ids = self._recent.pop(hour)
            if hour >= oldest:
                self._seal(hour, ids)

    def _seal(self, hour: int, ids: Mapping[bytes, int]) -> None:
        upper, lower = halves(list(ids))
        offsets = np.fromiter(ids.values(), np.int64, len(ids))
        same = [s for s in self._sealed if s.hour == hour]
        merged = Segment.sort(
            hour,
            np.concatenate([*(s.upper for s in same), upper]),
            np.concatenate([*(s.lower for s in same), lower]),
            np.concatenate([*(s.offsets for s in same), offsets]),
        )
        self._sealed = [*(s for s in self._sealed if s.hour != hour), merged]

    # ── snapshots: what is sealed is written once and referred to ───────────────────────────────────────────────────
    def name_segments(self, files: Files) -> list[str]:
        """Give every sealed segment the name of a file; all names."""
        for segment in self._sealed:
            segment.name = segment.name or files.name(f"seen-{segment.hour}")
        return [s.name for s in self._sealed]

    def form(self, files: Files) -> SeenForm:
        """The ids for a snapshot, those of named segments in their files."""
        for segment in self._sealed:
            if segment.name not in files:
                files.write(segment.name, segment.to_bytes())
        return SeenForm(self._now, self._recent, [(s.hour, s.name) for s in self._sealed])

    def restore(self, form: SeenForm, files: Files) -> None:
        self._now, self._recent = form.now, form.recent
        self._sealed = [Segment.from_bytes(hour, name, files.whole(name)) for hour, name in form.sealed]


def halves(ids: Sequence[bytes]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The upper and lower 64 bits of 16-byte ids."""
    pairs = np.frombuffer(b"".join(ids), dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def id_bytes(event_id: str) -> bytes:
    """16 bytes that stand for an event id: a UUID's own, a 128-bit hash of anything else."""
    try:
        own = bytes.fromhex(event_id.replace("-", ""))
    except ValueError:
        own = b""
    return own if len(own) == 16 else hashlib.blake2b(event_id.encode(), digest_size=16).digest()

"""What a snapshot is true for, and why one may not be used.

A state is a function of its changelogs up to some offsets, and of the code. So a snapshot names the cluster, the topics by
their ids (a topic that was deleted and made again has another one), the partition and how many there are, a digest of the
code and the contract, and the offsets. It may be used where all of that is so still, where the log reaches from those
offsets on without a gap, and where all that the records before it caused is known to be published: it is committed.
"""

from __future__ import annotations

import hashlib
import pathlib
import struct
import sys
import zlib
from collections.abc import Iterable, Mapping

import msgspec

from processors.flow import Dataflow
from processors.snapshots.files import DamagedError

MAGIC = b"riverhouse snapshot 1\n"
_HEAD = struct.Struct(f"<{len(MAGIC)}sIQ")  # magic, checksum and length of the rest
_ROOT = pathlib.Path(__file__).resolve().parents[2]


class Origin(msgspec.Struct, frozen=True):
    """Whose state it is. Two origins that differ have nothing to do with each other."""

    cluster: str
    topics: dict[str, str]  # name → id
    partition: int
    partitions: int
    layout: str  # digest of code and contract


class Snapshot(msgspec.Struct, frozen=True):
    """A state, and the offsets that it is true for."""

    origin: Origin
    source: str  # the topic that the worker reads
    done: int  # the next offset of it
    held: dict[str, int]  # changelog → the next offset that is not in the state
    body: bytes


def to_bytes(snapshot: Snapshot) -> bytes:
    rest = msgspec.msgpack.encode(snapshot)
    return _HEAD.pack(MAGIC, zlib.crc32(rest), len(rest)) + rest


def from_bytes(data: bytes) -> Snapshot:
    """The snapshot in `data`; DamagedError where it is not whole."""
    if len(data) < _HEAD.size:
        raise DamagedError("the file has no beginning")
    magic, checksum, length = _HEAD.unpack_from(data)
    rest = memoryview(data)[_HEAD.size :]
    if magic != MAGIC or length != len(rest) or checksum != zlib.crc32(rest):
        raise DamagedError("the file does not hold what was written")
    return msgspec.msgpack.decode(rest, type=Snapshot)


def why_not(snapshot: Snapshot, expected: Origin, committed: int, bounds: Mapping[str, tuple[int, int]]) -> str | None:
    """Why a snapshot may not be used; None where it may. `bounds`: changelog → its first offset and its end."""
    for name in Origin.__struct_fields__:
        had, has = getattr(snapshot.origin, name), getattr(expected, name)
        if had != has:
            return f"it was taken of another {name}: {had}, now {has}"
    if snapshot.done > committed:
        return f"{snapshot.source} is committed up to {committed}, before the snapshot's {snapshot.done}"
    for topic, (first, end) in bounds.items():
        held = snapshot.held.get(topic, -1)
        if held < first:
            return f"{topic} begins at {first}, after the snapshot's {held}"
        if held > end:
            return f"{topic} ends at {end}, before the snapshot's {held}"
    return None


def layout(flow: Dataflow) -> str:
    """A digest of what the fold depends on: the contract, the code of all flows, and that of the business."""
    digest = hashlib.blake2b(repr(flow.stream).encode(), digest_size=16)
    for path in sorted({*_sources(flow)}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources(flow: Dataflow) -> Iterable[pathlib.Path]:
    for folder in ("processors", "processors/snapshots", "topics"):
        yield from (_ROOT / folder).glob("*.py")
    for of in (flow.accept, flow.stream.event):
        own = sys.modules[of.__module__].__file__
        if own is not None:
            yield from pathlib.Path(own).parent.glob("*.py")

"""The sales of one raw partition that may still be returned, in a temporary database of SQLite.

Ten sales a second for three days are millions: on disk they cost a few hundred bytes each and no memory. Like all state it
is rebuilt from the clean topic or from a snapshot, so it has no journal and is gone with its process. Bound: `KEPT_MS` behind the newest event.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

import msgspec

from processors.animeverse.common import DAY_MS

KEPT_MS = 3 * DAY_MS
SWEEP_MS = 3_600_000  # event time between two sweeps

Lines = dict[int, tuple[str, int]]  # line_no → product, quantity
_encode, _decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Lines).decode

_TABLE = """create table sales (
    sale_id text primary key, sold_ms int, sold_offset int, lines blob, returned_ms int, returned_offset int
) without rowid"""
_SOLD = """insert into sales (sale_id, sold_ms, sold_offset, lines) values (?, ?, ?, ?)
on conflict do update set sold_ms = excluded.sold_ms, sold_offset = excluded.sold_offset, lines = excluded.lines"""
_RETURNED = """insert into sales (sale_id, returned_ms, returned_offset) values (?, ?, ?)
on conflict do update set returned_ms = excluded.returned_ms, returned_offset = excluded.returned_offset"""
_LATEST_MS = "max(coalesce(sold_ms, 0), coalesce(returned_ms, 0))"


class Sale(NamedTuple):
    """A sale as of a raw offset. `lines` None: it is not known, or no more."""

    lines: Lines | None
    returned: bool


class Sales:
    """What was sold, and what of it was returned."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # a file that has no name
        self._db.execute("pragma journal_mode = off")
        self._db.execute("pragma synchronous = off")
        self._db.execute(_TABLE)
        self._db.execute(f"create index by_time on sales ({_LATEST_MS})")
        self.swept_ms = 0

    def __len__(self) -> int:
        return int(self._db.execute("select count(*) from sales").fetchone()[0])

    def sold(self, sale_id: str, at_ms: int, offset: int, lines: Lines) -> None:
        self._db.execute(_SOLD, (sale_id, at_ms, offset, _encode(lines)))

    def returned(self, sale_id: str, at_ms: int, offset: int) -> None:
        self._db.execute(_RETURNED, (sale_id, at_ms, offset))

    def get(self, sale_id: str, since_ms: int, offset: int) -> Sale:
        """The sale, by what was sold and returned below a raw offset and not before `since_ms`."""
        row = self._db.execute("select * from sales where sale_id = ?", (sale_id,)).fetchone()
        if row is None:
            return Sale(None, returned=False)
        _, sold_ms, sold_offset, lines, returned_ms, returned_offset = row
        known = lines is not None and sold_offset < offset and sold_ms >= since_ms
        returned = returned_ms is not None and returned_offset < offset and returned_ms >= since_ms
        return Sale(_decode(lines) if known else None, returned)

    def to_bytes(self) -> bytes:
        """The database, for a snapshot. Not to be called in a copy of the process: both would use one file."""
        return self._db.serialize()

    def restore(self, data: bytes, swept_ms: int) -> None:
        """Go on from a snapshot."""
        written = sqlite3.connect(":memory:")
        written.deserialize(data)
        written.backup(self._db)
        written.close()
        self.swept_ms = swept_ms

    def expire(self, before_ms: int) -> None:
        """Forget what was neither sold nor returned since an event time; at most once for each hour of it."""
        if before_ms >= self.swept_ms + SWEEP_MS:
            self._db.execute(f"delete from sales where {_LATEST_MS} < ?", (before_ms,))
            self.swept_ms = before_ms

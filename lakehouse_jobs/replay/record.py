"""A raw record as a replay carries it."""

from __future__ import annotations

from typing import NamedTuple


class Raw(NamedTuple):
    """One raw record: where it was, when the broker took it (ms), and the bytes."""

    partition: int
    offset: int
    at_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

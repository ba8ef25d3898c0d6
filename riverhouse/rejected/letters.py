"""A dead letter: a rejected raw record, and the retries that were sent for it."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lakehouse_jobs.dead_letters import ACCEPTED, PENDING
from topics.retries import Position

OPEN, MENDED, AGAIN = "open", "mended", "rejected again"
STATES = (OPEN, PENDING, AGAIN, MENDED)


@dataclass(frozen=True)
class Retry:
    """A record that was sent for a letter. `fate`: clean, duplicate, reference, rejected, or on its way."""

    position: Position
    of: Position  # the letter's
    sent_at: dt.datetime
    digest: bytes | None  # SHA-256 of its value
    fixed_by: str | None = None  # None: sent unchanged
    fate: str = PENDING
    reason: str | None = None  # of a retry that was rejected, too
    detail: str | None = None


@dataclass(frozen=True)
class Letter:
    """A rejected raw record that is no retry itself, as the processors rejected it, with its retries in order."""

    position: Position
    ingested_at: dt.datetime
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, str]  # text, as far as they are
    retries: tuple[Retry, ...] = field(default=(), compare=False)

    @property
    def state(self) -> str:
        """Mended where any retry was accepted; else on its way where any has no fate yet; else rejected again, or open."""
        fates = {r.fate for r in self.retries}
        if fates & {*ACCEPTED}:
            return MENDED
        return PENDING if PENDING in fates else AGAIN if fates else OPEN


def digest(value: bytes | None) -> bytes | None:
    """What `Retry.digest` compares values by."""
    return None if value is None else hashlib.sha256(value).digest()


def by_letter(retries: Iterable[Retry]) -> dict[Position, tuple[Retry, ...]]:
    """The retries of each letter in the order of their sending."""
    found: dict[Position, tuple[Retry, ...]] = {}
    for retry in sorted(retries, key=lambda r: (r.sent_at, r.position)):
        found[retry.of] = (*found.get(retry.of, ()), retry)
    return found


def text(value: bytes | None) -> str:
    """Bytes for people: JSON with an indent, other text as it is, what is no text with its odd bytes escaped."""
    if value is None:
        return ""
    try:
        return msgspec.json.format(value, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return value.decode("utf-8", "backslashreplace")


def plain(letter: Letter) -> dict[str, Any]:
    """A letter for programs: text where bytes are UTF-8, else base64 under the name with `_base64`."""
    found: dict[str, Any] = {
        "position": str(letter.position), "ingested_at": letter.ingested_at, "reason": letter.reason, "detail": letter.detail,
        **_bytes("key", letter.key), **_bytes("value", letter.value), "headers": dict(letter.headers),
        "state": letter.state,
    }  # fmt: skip
    found["retries"] = [
        {
            "position": str(r.position), "sent_at": r.sent_at, "fixed_by": r.fixed_by, "fate": r.fate,
            "reason": r.reason, "detail": r.detail,
        }
        for r in letter.retries
    ]  # fmt: skip
    return found


def _bytes(name: str, value: bytes | None) -> dict[str, str | bytes | None]:
    try:
        return {name: None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": value}  # msgspec writes bytes as base64

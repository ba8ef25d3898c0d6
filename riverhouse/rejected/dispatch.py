"""What is sent for a letter, and what is held back and why. Pure.

No letter is sent twice for nothing: not one of which a retry was accepted or is on its way, and not the same bytes that were
rejected again. `again` lifts both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lakehouse_jobs.dead_letters import ACCEPTED, PENDING
from riverhouse.rejected.letters import MENDED, Letter, digest
from riverhouse.rejected.mending import Mended
from topics.registry import HEADER as SCHEMA
from topics.retries import FIXED_BY, RETRY_OF

REFERENCE = "reference"  # the header of a record that tells one raw partition of a version
UNMAPPABLE = "unmappable"  # the header of a row that could not be mapped: why
Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True)
class Outgoing:
    """A record for the raw topic of a letter's stream. `partition` -1: chosen by the key."""

    letter: Letter
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def barred(letter: Letter, mended: bool) -> str | None:
    """Why nothing of this kind is ever sent for the letter; None where it may be."""
    if REFERENCE in letter.headers and mended:
        return "it tells one partition of a version of reference data: the others know another; send a correcting version instead"
    if UNMAPPABLE in letter.headers and not mended:
        return "the row itself could not be mapped, and never will be as it is: `riverhouse rejected fix`"
    return None


def held_back(letter: Letter, value: bytes | None, mended: bool, again: bool) -> str | None:
    """Why this value is not sent for the letter; None where it may be."""
    if mended and UNMAPPABLE not in letter.headers and value == letter.value:
        return "nothing was changed: `riverhouse rejected retry` sends it as it is"
    if again:
        return None
    if letter.state in {MENDED, PENDING}:
        decisive = next(r for r in reversed(letter.retries) if r.fate in {PENDING, *ACCEPTED})
        return f"its retry {decisive.position} is {PENDING if letter.state == PENDING else decisive.fate}"
    same = next((r for r in letter.retries if r.digest == digest(value)), None)
    return f"the same bytes were rejected again as {same.position} ({same.reason})" if same else None


def unchanged(letter: Letter, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> Outgoing:
    """The record as it came, into its own partition: that is where its key, if it has one, belongs."""
    kept: Headers = [(n, v) for n, v in headers if n not in {RETRY_OF, FIXED_BY}]
    return Outgoing(letter, letter.position.partition, key, value, [*kept, _retry_of(letter)])


def changed(
    letter: Letter, key: bytes | None, headers: Iterable[tuple[str, bytes]], new: Mended, by: str, schema: Headers
) -> Outgoing:
    """The mended record under the schema of today. A new key chooses its own partition, as figures by key need it."""
    dropped = {RETRY_OF, FIXED_BY, SCHEMA, UNMAPPABLE}
    kept: Headers = [(n, v) for n, v in headers if n not in dropped]
    partition = letter.position.partition if new.key == key else -1
    marks: Headers = [_retry_of(letter), (FIXED_BY, by.encode())]
    return Outgoing(letter, partition, new.key, new.value, [*kept, *schema, *marks])


def _retry_of(letter: Letter) -> tuple[str, bytes]:
    return RETRY_OF, letter.position.header.encode()

"""Whether a refused version of reference data may still be told to its partition.

A worker of a reference stream tells each version to every partition that joins it; where one partition refused it, the same
record may go to that partition again. Not after a later record has corrected the version: what is told last counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from riverhouse.rejected import lake, tails
from riverhouse.rejected.dispatch import REFERENCE
from riverhouse.rejected.letters import Letter
from riverhouse.rejected.literals import instant, quoted
from topics.catalogue import STREAMS
from topics.contract import Reference


def superseded(letter: Letter) -> str | None:
    """Why the version must not be told again; None where it may, or where the letter tells of none."""
    name = letter.headers.get(REFERENCE)
    if name is None:
        return None
    stream = next((s for s in STREAMS if isinstance(s, Reference) and s.prefix == name), None)
    if stream is None:
        return f"it tells of {name!r}, which is no reference data of ours"
    try:
        told = msgspec.json.decode(letter.value or b"", type=stream.version)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        return f"its version does not fit {name}'s contract: {e}"
    newest = max(_offsets(stream, told), default=told.raw_offset)
    return f"{name} has corrected this version since, at offset {newest}" if newest > told.raw_offset else None


def _offsets(stream: Reference, told: Any) -> Iterator[int]:
    """Where the records of the same entity and `valid_from` stand, in the lake and beyond it in Kafka."""
    table = f"silver.{stream.table}"
    fence = lake.fence(table)
    entity, key = getattr(told, stream.clean_key), stream.clean_key
    yield from (offset for (offset,) in lake.query(
        f"select raw_offset from {table} where {key} = {quoted(entity)} and raw_partition = {told.raw_partition} "
        f"and valid_from = {instant(told.valid_from)}"
    ))  # fmt: skip
    same = entity, told.valid_from, told.raw_partition
    for version in tails.caused(stream.clean, fence):
        if (getattr(version, key), version.valid_from, version.raw_partition) == same:
            yield version.raw_offset

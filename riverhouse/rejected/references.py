"""Whether a refused version of reference data may still be told to its partition.

A worker of a reference stream tells each version to every partition that joins it; where one partition refused it, the same
record may go to that partition again. Not after a later record has corrected the version: what is told last counts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lakehouse_jobs.fences import Fence
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
        told = msgspec.convert(msgspec.json.decode(letter.value or b""), stream.version, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as e:
        return f"its version does not fit {name}'s contract: {e}"
    newest = max((v.raw_offset for v in _same(stream, told)), default=told.raw_offset)
    return f"{name} has corrected this version since, at offset {newest}" if newest > told.raw_offset else None


def _same(stream: Reference, told: Any) -> list[Any]:
    """The records of the same entity and `valid_from` in the lake and, beyond it, in Kafka."""
    table = f"silver.{stream.table}"
    fence: Fence = lake.fence(table)
    entity = getattr(told, stream.clean_key)
    known = lake.query(
        f"select raw_offset from {table} where {stream.clean_key} = {quoted(entity)} and raw_partition = {told.raw_partition} "
        f"and valid_from = {instant(told.valid_from)}"
    )
    fresh = (
        v for v in tails.caused(stream.clean, fence)
        if (getattr(v, stream.clean_key), v.valid_from, v.raw_partition) == (entity, told.valid_from, told.raw_partition)
    )  # fmt: skip
    return [msgspec.structs.replace(told, raw_offset=offset) for (offset,) in known] + list(fresh)

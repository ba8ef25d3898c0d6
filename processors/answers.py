"""How the newest value of a key stays the last one in a public topic, so that compaction takes it from nobody.

A worker that was paused may wake after its partitions have moved, and what it had not sent then lands behind what is newer.
Nothing on the broker hinders it. So each record of a public topic says, in a header, which generation of the consumer group
wrote it; and who owns a partition reads the same partition of its public topics and answers every record of an earlier
generation with what it holds itself (docs/decisions/0010). Its own records are no cause for an answer: this ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from processors.records import Record

GENERATION = "generation"


def stamp(generation: int) -> tuple[str, bytes]:
    """The header of a record that this generation of the consumer group writes."""
    return GENERATION, b"%d" % generation


def outdated(records: Iterable[Record], generation: int) -> set[bytes]:
    """The keys of records that an earlier generation wrote. What has no stamp is left alone."""
    return {
        r.key
        for r in records
        if r.key is not None and any(name == GENERATION and int(value) < generation for name, value in r.headers)
    }

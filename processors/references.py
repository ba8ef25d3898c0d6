"""What one raw partition knows of the reference data: the versions of every entity, and which was valid when.

Versions arrive in any order. One is in force from its `valid_from` until the next version's; one of the same `valid_from`
that was accepted later corrects it (all of an entity are accepted in one raw partition, and may be told twice). A version
counts from the log position that it was first told at: an event before that position is joined without it, and revised when
the position is reached. So what any record causes is a function of the log up to it, also where a worker that starts again
knows what was told later. Bound: the versions of all entities, corrected ones too; they are few.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from processors.records import to_millis
from topics.contract import CleanVersion, Reference

ALWAYS_MS = 2**62


class Told(NamedTuple):
    """A version: from when, its place among the accepted ones, and the raw offset that told of it."""

    from_ms: int
    accepted: int
    offset: int
    version: CleanVersion


_order = operator.itemgetter(0, 1)
_from_ms = operator.itemgetter(0)


class References:
    """The versions known to one raw partition."""

    def __init__(self, references: tuple[Reference, ...]) -> None:
        self._entities: dict[str, dict[str, list[Told]]] = {r.prefix: {} for r in references}
        self._id = {r.prefix: operator.attrgetter(r.clean_key) for r in references}

    def __len__(self) -> int:
        return sum(len(told) for entities in self._entities.values() for told in entities.values())

    def entity(self, prefix: str, version: CleanVersion) -> str:
        """The id of the entity that this is a version of."""
        return str(self._id[prefix](version))

    def add(self, prefix: str, version: CleanVersion, offset: int) -> tuple[int, int]:
        """Take a version in; the event times, [from, to) in ms, at which it is in force by what was told up to `offset`."""
        known = self._entities[prefix].setdefault(self.entity(prefix, version), [])
        new = Told(to_millis(version.valid_from), version.raw_offset, offset, version)
        here = bisect_left(known, _order(new), key=_order)
        if here == len(known) or _order(known[here]) != _order(new):
            known.insert(here, new)
        elif offset < known[here].offset:
            known[here] = new
        later = (told.from_ms for told in known[here + 1 :] if told.offset <= offset)
        return new.from_ms, next(later, ALWAYS_MS)

    @property
    def form(self) -> dict[str, dict[str, list[Told]]]:
        """Reference → entity → its versions, for a snapshot."""
        return self._entities

    def restore(self, form: dict[str, dict[str, list[Any]]], versions: Mapping[str, type[CleanVersion]]) -> None:
        """Take the versions of a snapshot in, whose records are still plain values."""
        for prefix, entities in form.items():
            kind = versions[prefix]
            self._entities[prefix] = {
                entity: [
                    Told(from_ms, accepted, offset, msgspec.convert(v, kind)) for from_ms, accepted, offset, v in known
                ]
                for entity, known in entities.items()
            }

    def at(self, prefix: str, entity: str, event_ms: int, offset: int) -> CleanVersion | None:
        """The version in force at an event time, among those told at or before a raw offset; None where there is none."""
        known = self._entities[prefix].get(entity)
        if known is None:
            return None
        here = bisect_right(known, event_ms, key=_from_ms) - 1
        while here >= 0 and known[here].offset > offset:
            here -= 1
        return known[here].version if here >= 0 else None

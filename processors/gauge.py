"""A gauge over one raw partition: of each key the newest clean event's values, and which keys changed.

A key's events are all in one raw partition, so there is nothing to merge: what is here is what is published. State: one
entry a key, never dropped: a gauge shows the last that is known. Bound: the keys.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from processors.records import Output
from topics.contract import CleanEvent, Latest

_encode = msgspec.json.Encoder().encode


class GaugeFold:
    """One gauge over one raw partition."""

    def __init__(self, gauge: Latest, partition: int) -> None:
        self.gauge = gauge
        self._partition = partition
        self._key = _tuple_of(gauge.by)
        self._shown = ("event_at", *gauge.values)
        self._values = _tuple_of(self._shown)
        self._counts = operator.attrgetter(gauge.when) if gauge.when else None
        # key → [raw offset of the event, offset of the cause, values]
        self.entries: dict[tuple[Any, ...], list[Any]] = {}
        self.changed: dict[tuple[Any, ...], None] = {}  # a set's order would change from run to run

    def fold(self, event: CleanEvent, cause_offset: int) -> None:
        """Show `event`, unless a later one of its key is shown. A revision replaces the event that it revises, whether it counts or not."""
        key = self._key(event)
        entry = self.entries.get(key)
        if self._counts is not None and not self._counts(event) and (entry is None or entry[0] != event.raw_offset):
            return
        if entry is None:
            entry = self.entries[key] = [-1, -1, None]
        if event.raw_offset >= entry[0]:
            entry[:] = event.raw_offset, cause_offset, self._values(event)
            self.changed[key] = None

    def touch_since(self, offset: int) -> None:
        """Mark every key that changed at or after `offset`: its last value may not have been published."""
        self.changed.update((key, None) for key, entry in self.entries.items() if entry[1] >= offset)

    def touch(self, keys: Iterable[bytes]) -> None:
        """Mark the keys of these records, where they are known."""
        named = (tuple(msgspec.json.decode(key)) for key in keys)
        self.changed.update((key, None) for key in named if key in self.entries)

    def drain(self) -> Iterator[Output]:
        """The value of each changed key; the changes are then forgotten."""
        for key in self.changed:
            _, cause, values = self.entries[key]
            value = {**dict(zip(self.gauge.by, key, strict=True)), **dict(zip(self._shown, values, strict=True))}
            value |= {"as_of": {str(self._partition): cause}, "revision": cause + 1}
            yield Output(self.gauge.topic, _encode(key), _encode(value), self._partition)
        self.forget()

    def forget(self) -> None:
        """The changes so far need not be told."""
        self.changed.clear()


def _tuple_of(names: tuple[str, ...]) -> Any:
    """From an event to the tuple of these fields."""
    get = operator.attrgetter(*names)
    return get if len(names) > 1 else lambda event: (get(event),)

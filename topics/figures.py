"""The words that figures are declared in: measures, windowed KPIs, rankings of their cells, gauges."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from topics.events import CleanEvent


@dataclass(frozen=True)
class Count:
    """The number of events."""

    name: str


@dataclass(frozen=True)
class Total:
    """The sum of a field. Fractions are folded as integers of `digits` decimal places, so that order changes nothing."""

    name: str
    of: str
    digits: int = 0


@dataclass(frozen=True)
class Mean:
    """The mean of a field, from integers of `digits` decimal places: sum / (count * 10**digits), one rounding."""

    name: str
    of: str
    digits: int = 0


@dataclass(frozen=True)
class Distinct:
    """The number of different values of a field, exact. The field must be the one that keys the raw topic.

    Then a value lives in one raw partition only, and the partitions' counts add up (docs/decisions/0003).
    """

    name: str
    of: str


@dataclass(frozen=True)
class Ratio:
    """The sum of the integer field `of` over the sum of the integer field `per`; 0 where the latter is 0."""

    name: str
    of: str
    per: str


Measure = Count | Total | Mean | Distinct | Ratio


def is_fraction(measure: Measure) -> bool:
    """Whether a measure's values have decimal places."""
    return isinstance(measure, Mean | Ratio) or (isinstance(measure, Total) and measure.digits > 0)


@dataclass(frozen=True)
class Each:
    """A dimension made of a list field: an event counts once for each different item of `of`."""

    name: str
    of: str


@dataclass(frozen=True)
class Kpi:
    """A windowed figure over a stream's clean events: tumbling windows of `window`, one cell for each value of `by`.

    `each` names a list field of structs: each item counts as an event of its own, and a field of `by`, `at` or a measure is
    looked for in the item first, then in the event. `at` is the time that says which window counts.
    From the declaration come the fold, the topic and its schema, the live table in the lake and its Trino view.
    """

    topic: str
    window: dt.timedelta
    by: tuple[str | Each, ...]
    measures: tuple[Measure, ...]
    each: str = ""
    at: str = "event_at"
    describe: str = ""

    @property
    def name(self) -> str:
        """The last part of the topic's name; the gold table that must agree with it is called the same."""
        return self.topic.rsplit(".", 1)[-1]

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(d.name if isinstance(d, Each) else d for d in self.by)

    @cached_property
    def value(self) -> type[msgspec.Struct]:
        """The type of the topic's values: dimensions, window, measures, and what the figure is true for."""
        fields: list[Any] = [(d, str) for d in self.dimensions]
        fields += [("window_start_at", dt.datetime), ("window_end_at", dt.datetime)]
        fields += [(m.name, float if is_fraction(m) else int) for m in self.measures]
        fields += [("as_of", dict[str, int]), ("revision", int), ("final", bool)]
        return msgspec.defstruct(self.name, fields, kw_only=True)


@dataclass(frozen=True)
class Ranking:
    """The `top` cells of each window of a KPI, by one measure, as one record a window."""

    topic: str
    of: Kpi
    by: str
    top: int = 50
    describe: str = ""

    @property
    def name(self) -> str:
        return self.topic.rsplit(".", 1)[-1]

    @cached_property
    def value(self) -> type[msgspec.Struct]:
        entry = msgspec.defstruct(
            f"{self.name}_entry", [("rank", int), *((d, str) for d in self.of.dimensions), (self.by, int)], kw_only=True
        )
        fields: list[Any] = [("window_start_at", dt.datetime), ("window_end_at", dt.datetime), ("entries", list[entry])]  # type: ignore[valid-type]
        fields += [("as_of", dict[str, int]), ("revision", int), ("final", bool)]
        return msgspec.defstruct(self.name, fields, kw_only=True)


@dataclass(frozen=True)
class Latest:
    """A gauge: `values` of the newest clean event (in log order) of each `by`, as one compacted record.

    `by` must hold what keys the raw topic, so that one raw partition has all events of a key. With `when` only events
    count whose field of that name is true, or was true before they were revised.
    """

    topic: str
    by: tuple[str, ...]
    values: tuple[str, ...]
    when: str = ""
    describe: str = ""

    @property
    def name(self) -> str:
        return self.topic.rsplit(".", 1)[-1]

    def value_of(self, clean_event: type[CleanEvent]) -> type[msgspec.Struct]:
        """The type of the topic's values: the key, the event's time, the values, and what the figure is true for."""
        types = {f.name: f.type for f in msgspec.structs.fields(clean_event)}
        fields: list[Any] = [(n, types[n]) for n in (*self.by, "event_at", *self.values)]
        return msgspec.defstruct(self.name, [*fields, ("as_of", dict[str, int]), ("revision", int)], kw_only=True)

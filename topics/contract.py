"""The words a contract is written in: events, topics, streams and KPIs.

A topic is declared once, as one of these objects. Its schema registration, broker settings, Python type, Iceberg table,
KPI fold and reference page derive from the declaration; nothing else repeats it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def pii(kind: str) -> msgspec.Meta:
    """Mark a field as personal data of `kind` (`name`, `handle`, `text`): masking and access rules derive from it."""
    return msgspec.Meta(extra={"pii": kind})


class Event(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A fact as it arrives on a raw topic. Unknown fields are drift: counted, never a reason to refuse.

    The type forbids them so that the one fast decode notices drift; `processors.operators.decode` then reads again without.
    """


class CleanEvent(msgspec.Struct, kw_only=True):
    """An accepted event. Every clean record names its cause: the raw position that it was made from."""

    event_id: str
    event_at: dt.datetime
    ingested_at: dt.datetime
    late_by_seconds: float
    raw_partition: int
    raw_offset: int


ORDINALS = 1 << 20  # more records than one cause can make


class Revisable(CleanEvent, kw_only=True):
    """A clean event that names versions of reference data. It is published again when a version of its time arrives late.

    `raw_partition` and `raw_offset` say which event it is; the greatest (`cause_offset`, `cause_ordinal`) is in force.
    """

    revision: int = 0
    cause_offset: int = -1  # of the same raw partition: the event's own offset, or that of the late reference record
    cause_ordinal: int = 0  # which of the records that this cause made


class Version(Event, kw_only=True):
    """A version of an entity of the reference data, as it arrives: what holds from `valid_from` until the next version's."""

    valid_from: dt.datetime | float
    change_reason: str = "initial"


class CleanVersion(CleanEvent, kw_only=True):
    """A version as kept; `event_at` is its `valid_from`. A later record of the same entity and `valid_from` corrects it."""

    valid_from: dt.datetime
    change_reason: str


class Known(msgspec.Struct, kw_only=True):
    """A version of reference data that a raw partition has been told of, by the record at `raw_offset`."""

    reference: str  # the reference stream's prefix
    raw_partition: int
    raw_offset: int
    version: dict[str, Any]


def position(clean: CleanEvent) -> int:
    """Where a clean record stands among those of its raw partition: the number that fences compare."""
    return clean.cause_offset * ORDINALS + clean.cause_ordinal if isinstance(clean, Revisable) else clean.raw_offset


class Rejected(msgspec.Struct, kw_only=True):
    """What could not be accepted: the original bytes, the raw position and why. `value` and `key` travel as base64."""

    raw_partition: int
    raw_offset: int
    ingested_at: dt.datetime
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


class Duplicate(msgspec.Struct, kw_only=True):
    """A raw record whose event had been accepted before. `first_offset` is None where that claim has since expired."""

    raw_partition: int
    raw_offset: int
    ingested_at: dt.datetime
    event_id: str
    first_offset: int | None


class Partial(msgspec.Struct, kw_only=True):
    """One raw partition's share of one KPI cell, absolute. Internal to the processors (see `processors/kpi.py`).

    `kpi` is empty in a progress marker, which says that all partials up to `offset` of this raw partition have been sent.
    """

    kpi: str
    window: int  # window start, seconds since the epoch
    dims: list[str]
    measures: list[int]
    raw_partition: int
    offset: int  # the raw offset of the last record folded in (partial) or looked at (marker)
    watermark: float  # of the raw partition, seconds since the epoch


@dataclass(frozen=True)
class Topic:
    """A topic: its name, the type of its values, what its records are keyed by, and its broker settings.

    `key` names the field (dotted) whose value keys the records. `compacted` topics keep the newest record of each key.
    `partitions` and `retention` default to the settings `kafka.partitions` and `kafka.retention`.
    """

    name: str
    value: type[msgspec.Struct]
    key: str
    compacted: bool = False
    forever: bool = False  # of a compacted topic: the newest record of each key is never deleted
    broker_time: bool = False  # LogAppendTime: the record's timestamp is when the broker took it
    partitions: int | None = None
    retention: dt.timedelta | None = None
    describe: str = ""


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
    whose field of that name is true count.
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


@dataclass(frozen=True)
class Stream:
    """One stream of a domain: the raw facts, what becomes of each, and the KPIs that are folded from the clean ones.

    `prefix` is the start of its topics' names: `tweets`, or `animeverse.pos`.
    """

    prefix: str
    event: type[Event]
    clean_event: type[CleanEvent]
    key: str  # the event's field that keys the raw topic; one key's events keep their order
    clean_key: str  # the same field's name in the clean event
    kpis: tuple[Kpi, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    gauges: tuple[Latest, ...] = ()
    references: tuple[Reference, ...] = ()  # whose versions of the event's time its clean events name
    clean_kept: dt.timedelta | None = (
        None  # retention of the clean topic where state reaches further back than the default
    )
    revisable_for: dt.timedelta = 3 * DAY  # how late a version may arrive and still revise the events of its time
    allowed_lateness: dt.timedelta = HOUR
    out_of_orderness: dt.timedelta = dt.timedelta(seconds=5)
    dedupe_horizon: dt.timedelta = DAY
    idle_after: dt.timedelta = dt.timedelta(seconds=30)
    partials_kept: dt.timedelta = 3 * DAY  # how far partitions may drift apart; more than the longest window + lateness
    describe: str = ""

    def __post_init__(self) -> None:
        for kpi in self.kpis:
            for m in kpi.measures:
                if isinstance(m, Distinct) and m.of != self.clean_key:
                    raise ValueError(
                        f"{kpi.topic}: distinct {m.of!r} cannot be added up over partitions. "
                        f"The stream is keyed by {self.clean_key!r}; only that field can be counted as distinct."
                    )
                if isinstance(m, Distinct) and self.references:
                    raise ValueError(f"{kpi.topic}: distinct {m.of!r} cannot be taken back when an event is revised.")
        if self.references and not issubclass(self.clean_event, Revisable):
            raise ValueError(f"{self.prefix}: a stream with references needs clean events that are Revisable.")

    @property
    def domain(self) -> str:
        return self.prefix.split(".", 1)[0]

    @property
    def group(self) -> str:
        """The consumer group of the domain's workers."""
        return f"riverhouse-{self.domain}"

    @property
    def table(self) -> str:
        """The name of the stream's bronze and silver tables."""
        return self.prefix.replace(".", "_")

    @cached_property
    def raw(self) -> Topic:
        return Topic(
            f"{self.prefix}.raw", self.event, self.key, broker_time=True, describe="The facts, exactly as received."
        )

    @cached_property
    def clean(self) -> Topic:
        return Topic(
            f"{self.prefix}.clean",
            self.clean_event,
            self.clean_key,
            retention=self.clean_kept,
            describe="Each accepted event once. Partition p is a filtered map of raw partition p, in order.",
        )

    @cached_property
    def rejected(self) -> Topic:
        return Topic(f"{self.prefix}.rejected", Rejected, "raw_offset", describe="What could not be accepted, and why.")

    @cached_property
    def duplicates(self) -> Topic:
        return Topic(f"{self.prefix}.duplicates", Duplicate, "event_id", describe="Repeats of accepted events.")

    @cached_property
    def partials(self) -> Topic:
        return Topic(
            f"{self.prefix}.partials",
            Partial,
            "kpi",
            compacted=True,
            retention=self.partials_kept,
            describe="Each raw partition's share of each KPI cell, absolute. Internal to the processors.",
        )

    @cached_property
    def kpi_topics(self) -> tuple[Topic, ...]:
        declared: tuple[Kpi | Ranking, ...] = (*self.kpis, *self.rankings)
        windowed = [Topic(k.topic, k.value, "window_start_at", compacted=True, describe=k.describe) for k in declared]
        return (*windowed, *self.gauge_topics)

    @cached_property
    def gauge_topics(self) -> tuple[Topic, ...]:
        return tuple(
            Topic(g.topic, g.value_of(self.clean_event), g.by[0], compacted=True, forever=True, describe=g.describe)
            for g in self.gauges
        )

    @cached_property
    def context(self) -> Topic:
        """What each raw partition knows of the reference data: the changelog of that part of the workers' state."""
        return Topic(
            f"{self.prefix}.context",
            Known,
            "reference",
            compacted=True,
            forever=True,
            describe="The versions of reference data that each raw partition has been told of. Internal to the processors.",
        )

    @property
    def topics(self) -> tuple[Topic, ...]:
        joined = (self.context,) if self.references else ()
        merged = (self.partials,) if self.kpis else ()
        return (self.raw, self.clean, self.duplicates, self.rejected, *joined, *merged, *self.kpi_topics)


@dataclass(frozen=True)
class Reference(Stream):
    """Reference data: versions of entities. The clean topic is compacted by entity and `valid_from`, and kept for ever.

    Each accepted version is also told to every raw partition of the streams that join it, as a record with the header
    `reference`: so what an event was joined with is a function of its own log (docs/decisions/0007).
    """

    @property
    def version(self) -> type[CleanVersion]:
        """The type of its clean records."""
        if not issubclass(self.clean_event, CleanVersion):
            raise TypeError(f"{self.prefix}: clean records of reference data need to be a CleanVersion")
        return self.clean_event

    @cached_property
    def clean(self) -> Topic:
        return Topic(
            f"{self.prefix}.clean",
            self.clean_event,
            self.clean_key,
            compacted=True,
            forever=True,
            describe="The versions of each entity; the newest record of an entity and valid_from is in force.",
        )

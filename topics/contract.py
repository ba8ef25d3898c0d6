"""The words a contract is written in: events, topics, streams and KPIs.

A topic is declared once, as one of these objects. Its schema registration, broker settings, Python type, Iceberg table,
KPI fold and reference page derive from the declaration; nothing else repeats it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import msgspec

from topics.events import (
    ORDINALS,
    CleanEvent,
    CleanVersion,
    Duplicate,
    Event,
    Known,
    Partial,
    Rejected,
    Revisable,
    Version,
    pii,
    position,
)
from topics.figures import Count, Distinct, Each, Kpi, Latest, Mean, Measure, Ranking, Ratio, Total, is_fraction
from topics.sides import physical

__all__ = [
    "DAY", "HOUR", "MINUTE", "ORDINALS", "CleanEvent", "CleanVersion", "Count", "Distinct", "Duplicate", "Each", "Event", "Known",
    "Kpi", "Latest", "Mean", "Measure", "Partial", "Ranking", "Ratio", "Reference", "Rejected", "Revisable", "Stream", "Topic",
    "Total", "Version", "is_fraction", "pii", "position",
]  # fmt: skip

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Topic:
    """A topic: its name, the type of its values, what its records are keyed by, and its broker settings.

    `key` names the field (dotted) whose value keys the records. `compacted` topics keep the newest record of each key,
    for `retention`, or `forever`; a topic that is not compacted keeps all its records for that long.
    `partitions` and `retention` default to the settings `kafka.partitions` and `kafka.retention`.
    """

    name: str
    value: type[msgspec.Struct]
    key: str
    compacted: bool = False
    forever: bool = False
    broker_time: bool = False  # LogAppendTime: the record's timestamp is when the broker took it
    partitions: int | None = None
    retention: dt.timedelta | None = None
    describe: str = ""


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
    running: tuple[str, ...] = ()  # fields of the clean event that also tell of the key's earlier ones, as they arrived
    kpis: tuple[Kpi, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    gauges: tuple[Latest, ...] = ()
    derived: bool = False  # the workers of other streams write its raw topic (docs/decisions/0008)
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
        if unknown := set(self.running) - set(self.clean_event.__struct_fields__):
            raise ValueError(f"{self.prefix}: no fields of its clean events: {', '.join(sorted(unknown))}.")
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
        return physical(f"riverhouse-{self.domain}")

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

    @property
    def kpi_topics(self) -> tuple[Topic, ...]:
        return (*self.windowed_topics, *self.gauge_topics)

    @cached_property
    def windowed_topics(self) -> tuple[Topic, ...]:
        declared: tuple[Kpi | Ranking, ...] = (*self.kpis, *self.rankings)
        return tuple(Topic(k.topic, k.value, "window_start_at", compacted=True, describe=k.describe) for k in declared)

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
    """Reference data: versions of entities. The clean topic is kept for ever.

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
            forever=True,
            describe="The versions of each entity; the newest record of an entity and valid_from is in force.",
        )

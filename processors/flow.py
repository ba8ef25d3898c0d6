"""What a business adds to the fold over its raw partitions, as pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from processors.records import Cause, Derived, Refusal
from topics.contract import CleanEvent, Reference, Stream

Lookup = Callable[[Reference, str, int], Any]  # (reference, entity, event time in ms) → the version valid then, or None


def _as_it_is(clean: Any, _: Lookup) -> Any:
    return clean


def _nothing(_: Any) -> tuple[()]:
    return ()


def _same(figures: Any) -> Any:
    return figures


@dataclass(frozen=True)
class Form:
    """How running figures stand in a snapshot: `of(figures)` is a value of `type`, which msgspec can write; `back` undoes it.

    A snapshot is written by a copy of the process. `at_once`: `of` does not work in a copy, so the process itself calls it.
    """

    type: Any = None
    of: Callable[[Any], Any] = _same
    back: Callable[[Any], Any] = _same
    at_once: bool = False


@dataclass(frozen=True)
class Dataflow:
    """What a business adds: how its events are identified, accepted, enriched and remembered, and what follows from them.

    `accept(event, cause, figures)` gives the clean event or a refusal, and changes nothing.
    `enrich(clean, lookup)` gives it with every field set that depends on reference data; for revisions, too.
    `remember(figures, clean)` folds an accepted event, enriched, into the running figures that `figures()` starts.
    `joins(clean)` names the entities that an enriched event depends on; `derive(clean)` gives events for other streams.
    `form` says how the figures are written to a snapshot.
    `joined_by` are the streams that the versions of a reference stream are told to.
    """

    stream: Stream
    event_id: Callable[[Any], str]
    accept: Callable[[Any, Cause, Any], CleanEvent | Refusal]
    figures: Callable[[], Any]
    remember: Callable[[Any, Any], None]
    enrich: Callable[[Any, Lookup], Any] = _as_it_is
    joins: Callable[[Any], Iterable[tuple[Reference, str]]] = _nothing
    derive: Callable[[Any], Iterable[Derived]] = _nothing
    joined_by: tuple[Stream, ...] = ()
    form: Form = Form()

    @property
    def followed(self) -> bool:
        """Whether an accepted event can cause others."""
        return self.derive is not _nothing or bool(self.joined_by)


def copied(flow: Dataflow) -> Dataflow:
    """The same flow over raw topics that are whole copies: what it would derive or tell is in them already."""
    return replace(flow, derive=_nothing, joined_by=())

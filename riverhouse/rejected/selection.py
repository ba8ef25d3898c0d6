"""Which letters a command means: positions, or a stream or business with a reason and a span of time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from riverhouse.businesses import DOMAINS
from riverhouse.local.problem import Problem
from riverhouse.rejected.letters import Letter
from riverhouse.rejected.literals import instant as at_sql
from riverhouse.rejected.literals import quoted
from topics.catalogue import STREAMS
from topics.contract import Stream
from topics.retries import Position, parse


@dataclass(frozen=True)
class Selection:
    """`positions`, or else all letters of `streams` that the rest fits. Times are of the letters' arrival; `until` is excluded."""

    streams: tuple[Stream, ...] = STREAMS
    positions: tuple[Position, ...] = field(default=())
    reason: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    def matches(self, letter: Letter) -> bool:
        """Whether the letter is meant. Positions that name one of its retries mean it, too."""
        own = {letter.position, *(r.position for r in letter.retries)}
        return (
            letter.position.stream in {s.prefix for s in self.streams}
            and (not self.positions or not own.isdisjoint(self.positions))
            and (self.reason is None or letter.reason == self.reason)
            and (self.since is None or letter.ingested_at >= self.since)
            and (self.until is None or letter.ingested_at < self.until)
        )

    def condition(self) -> str:
        """The same of a row of silver.quarantine, in SQL; positions are not in it."""
        parts = [f"stream in ({', '.join(quoted(s.prefix) for s in self.streams)})"]
        parts += [f"reason = {quoted(self.reason)}"] if self.reason is not None else []
        parts += [f"ingested_at >= {at_sql(self.since)}"] if self.since else []
        parts += [f"ingested_at < {at_sql(self.until)}"] if self.until else []
        return " and ".join(parts)


def select(
    named: Iterable[str], reason: str | None = None, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Selection:
    """What the words of a command name: positions, streams or businesses; all streams where there are none."""
    words = list(named)
    positions = tuple(_position(w) for w in words if "/" in w)
    if positions and len(positions) < len(words):
        raise Problem("positions and streams are mixed", " ".join(words), "name either; a position stands for itself")
    streams = tuple(dict.fromkeys(s for w in words for s in _streams(w.split("/")[0].removesuffix(".raw"))))
    return Selection(streams or STREAMS, positions, reason, since, until)


def _streams(name: str) -> tuple[Stream, ...]:
    exact = tuple(s for s in STREAMS if s.prefix == name)
    found = exact or tuple(s for s in STREAMS if s.domain == name)
    if not found:
        known = ", ".join(dict.fromkeys([*DOMAINS, *(s.prefix for s in STREAMS)]))
        raise Problem(f"no stream or business is called {name!r}", f"known: {known}", "name one of these")
    return found


def _position(text: str) -> Position:
    try:
        return parse(text)
    except ValueError as e:
        hint = "a position is stream/partition/offset, as `riverhouse rejected list` prints it: tweets/0/42"
        raise Problem(f"{text!r} is no position", str(e), hint) from e


def instant(text: str) -> dt.datetime:
    """An ISO 8601 time; without a zone it is UTC. ValueError where it is none."""
    at = dt.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=dt.UTC)

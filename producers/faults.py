"""Faults on purpose: what a real source does wrong, as a seeded transformation of a stream of events.

Faults of time (out of order, late, clock skew) change an event's time before the world makes it; faults of the record
(corrupt, drifted) change its bytes; duplicates are sent again a little later. All are fractions of the events, drawn
apart for each block, so that the same seed and times give the same faults.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, fields

import msgspec
import numpy as np

from producers.places import Floats

Event = tuple[str, bytes, bytes]  # topic, key, value
HELD_MAX = 100_000  # duplicates waiting to be sent again; beyond it the earliest go out before their time


@dataclass(frozen=True)
class Knobs:
    """Fractions of the events, 0 to 1, and how far each fault reaches."""

    duplicates: float = 0.01
    duplicate_after_s: float = 20.0  # at most
    out_of_order: float = 0.005
    out_of_order_s: float = 10.0  # at most
    late: float = 0.002
    late_hours: float = 2.0  # at most
    very_late: float = 0.0
    very_late_hours: float = 72.0  # at most; more than `late_hours`
    corrupt: float = 0.0005
    drift: float = 0.001
    skew: float = 0.0
    skew_s: float = 120.0  # exactly: a clock that runs ahead

    def __post_init__(self) -> None:
        if self.out_of_order + self.late + self.very_late + self.skew > 1 or self.corrupt + self.drift > 1:
            raise ValueError("the fractions of faults add up to more than all events")


def reaches(knob: str) -> bool:
    """Whether a knob says how far a fault reaches; the others are fractions."""
    return knob.endswith(("_s", "_hours"))


def none(kind: type[Knobs]) -> Knobs:
    """No faults at all."""
    return kind(**{f.name: 0.0 for f in fields(kind) if not reaches(f.name)})


NONE = none(Knobs)


class Faults:
    """The faults of one stream. `times` before the world makes a block, `events` after; `rest` at the end."""

    def __init__(self, knobs: Knobs, seed: int) -> None:
        self.knobs = knobs
        self.seed = seed
        self._held: list[tuple[float, int, Event]] = []  # a heap: due, a number that breaks ties, the event
        self._count = 0

    def times(self, block: int, at: Floats) -> Floats:
        """`at` (seconds since the epoch) with some moved to the past, and skewed ones to the future."""
        k, rng = self.knobs, self._rng("times", block, at)
        u, reach = rng.random(len(at)), rng.random(len(at))
        late, moved = k.late, k.late + k.out_of_order
        skewed = moved + k.skew
        beyond = k.late_hours + reach * (k.very_late_hours - k.late_hours)
        shift = np.select(
            [u < late, u < moved, u < skewed, u < skewed + k.very_late],
            [-reach * k.late_hours * 3600, -reach * k.out_of_order_s, k.skew_s, -beyond * 3600],
            0.0,
        )
        return np.asarray(at + shift)

    def events(self, block: int, at: Floats, events: list[Event]) -> list[Event]:
        """The block as it is sent: some values spoilt, and the duplicates that are due put in at their time."""
        k, rng = self.knobs, self._rng("events", block, at)
        u = rng.random(len(at))
        sent = list(events)
        for i in np.flatnonzero(u < k.corrupt + k.drift).tolist():
            topic, key, value = sent[i]
            sent[i] = (topic, key, _corrupt(value, rng) if u[i] < k.corrupt else _drift(value, rng))
        for i in np.flatnonzero(rng.random(len(at)) < k.duplicates).tolist():
            self._count += 1
            heapq.heappush(self._held, (float(at[i] + rng.random() * k.duplicate_after_s), self._count, sent[i]))
        return self._with_due(at, sent)

    def rest(self) -> list[Event]:
        """The duplicates still held, in the order they were due."""
        left = [event for _, _, event in sorted(self._held)]
        self._held.clear()
        return left

    def _with_due(self, at: Floats, sent: list[Event]) -> list[Event]:
        merged: list[Event] = []
        done, end = 0, float(at[-1]) if len(at) else float("-inf")
        while self._held and (self._held[0][0] <= end or len(self._held) > HELD_MAX):
            due, _, event = heapq.heappop(self._held)
            upto = max(done, int(np.searchsorted(at, due, side="right")))
            merged += sent[done:upto]
            merged.append(event)
            done = upto
        return merged + sent[done:] if merged else sent

    def _rng(self, use: str, block: int, at: Floats) -> np.random.Generator:
        digest = hashlib.blake2b(
            np.asarray(at, np.float64).tobytes(), digest_size=16, key=f"{self.seed}/{block}/{use}".encode()
        )
        return np.random.default_rng(np.frombuffer(digest.digest(), np.uint32))


def _drift(value: bytes, rng: np.random.Generator) -> bytes:
    """The same event with a field that the contract does not know."""
    extra = (
        b'"client":"app/5.1"',
        b'"geo":{"lat":%.3f,"lon":%.3f}' % tuple(rng.uniform(-60, 60, 2)),
        b'"edits":%d' % rng.integers(9),
    )
    return value[:-1] + b"," + extra[rng.integers(len(extra))] + b"}"


def _corrupt(value: bytes, rng: np.random.Generator) -> bytes:
    return _CORRUPTIONS[rng.integers(len(_CORRUPTIONS))](value, rng)


def _truncated(value: bytes, rng: np.random.Generator) -> bytes:
    return value[: int(rng.integers(1, len(value) - 1))]


def _wrong_type(value: bytes, rng: np.random.Generator) -> bytes:
    """A required field, or one of the optional ones, holds an object in place of its value."""
    fields = msgspec.json.decode(value)
    names = sorted(fields)
    fields[names[rng.integers(len(names))]] = {"value": "n/a"}
    return msgspec.json.encode(fields)


def _missing(value: bytes, _: np.random.Generator) -> bytes:
    """The first field of the event, which is required, is gone."""
    fields = msgspec.json.decode(value)
    del fields[next(iter(fields))]
    return msgspec.json.encode(fields)


def _not_utf8(value: bytes, _: np.random.Generator) -> bytes:
    """A byte that no UTF-8 text holds, inside the first long string."""
    at = value.index(b'":"') + 4
    return value[:at] + b"\xff\xfe" + value[at + 2 :]


_CORRUPTIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (_truncated, _wrong_type, _missing, _not_utf8)

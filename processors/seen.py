"""Which events one raw partition has accepted: what makes a repeat a repeat.

State: event id -> the raw offset that claimed it. Bound: the ids that arrived within the dedupe horizon.
The horizon is counted in whole hours of the broker's time, so that the answer is a function of the log alone: an id is
remembered for at least the horizon and at most one hour longer, on every replay the same.
"""

from __future__ import annotations

import datetime as dt

HOUR_MS = 3_600_000


class SeenIds:
    """Ids claimed in one raw partition."""

    def __init__(self, horizon: dt.timedelta) -> None:
        self.offsets: dict[bytes, int] = {}
        self._hours: dict[int, list[bytes]] = {}
        self._horizon = -(-int(horizon.total_seconds()) // 3600)
        self._now = 0

    def __len__(self) -> int:
        return len(self.offsets)

    def advance(self, ingested_ms: int) -> None:
        """The log has reached `ingested_ms`: forget what the horizon has left behind."""
        hour = ingested_ms // HOUR_MS
        if hour <= self._now:
            return
        self._now = hour
        for old in [h for h in self._hours if h < hour - self._horizon]:
            for event_id in self._hours.pop(old):
                del self.offsets[event_id]

    def claim(self, event_id: bytes, offset: int, ingested_ms: int) -> None:
        """The event at `offset` was accepted."""
        self.advance(ingested_ms)
        self.offsets[event_id] = offset
        # the hour can lie behind only where the broker's clock went back: then the id goes with the current hour
        self._hours.setdefault(self._now, []).append(event_id)

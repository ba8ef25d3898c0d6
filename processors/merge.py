"""The second step of a KPI: add the raw partitions' partials up, and publish the totals with what they are true for.

    partials ─ buffer until the partition's marker ─ newest partial of each cell and partition ─ total ─▶ kpi topics

A raw partition's partials of one batch are followed by its marker. Partials wait for it, so the state always stands at a
vector of raw offsets, `as_of`: each total is the fold of exactly those prefixes. A partial replaces the one before it of the
same cell and partition, and an older one changes nothing: reading twice is harmless.

Windows close by the stream's watermark, the least of its partitions' (idle ones excepted). State: the cells of windows that
can still change, with one entry for each raw partition. Bound: windows + lateness, behind the slowest partition, an idle one
too: it may still bring an event that was in time for it. A partition that lies further behind the fastest than the partials
topic keeps records is no longer waited for; what it then brings for a dropped window is counted in `stale`, not in a KPI.
"""

from __future__ import annotations

import datetime as dt
import functools
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from processors.kpi import Dims, figures, integers
from processors.records import EPOCH, Output, Record
from topics.contract import Kpi, Partial, Ranking, Stream

_encode = msgspec.json.Encoder().encode
Share = tuple[int, list[int]]  # (raw offset, integers) of one raw partition
Window = tuple[str, int]  # (KPI topic, window start in seconds)


class Progress(NamedTuple):
    """How far a raw partition has come: its last offset looked at, its watermark (s), and when we heard of it (s)."""

    offset: int
    watermark: float
    heard_at: float


class MergeForm(msgspec.Struct, array_like=True, frozen=True):
    """A merge as a snapshot has it. `progress`: raw partition → offset and watermark."""

    cells: dict[Window, dict[Dims, dict[int, Share]]]
    progress: dict[int, tuple[int, float]]
    closed: set[Window]
    buffers: dict[int, list[Partial]]


class Merge:
    """The cells of one partition of the partials topic; totals go to the same partition of the KPI topics.

    The totals of records before `published_until` have been published.
    """

    def __init__(self, stream: Stream, raw_partitions: int, partition: int = 0, published_until: int = 0) -> None:
        self.stream = stream
        self.stale = 0
        self.unanswered = 0  # records of an earlier generation in windows that are not held any more
        self._partition = partition
        self._published_until = published_until
        self.ready = not published_until  # else it reads what an earlier life has published, and publishes nothing
        self._raw_partitions = raw_partitions
        self.cells: dict[Window, dict[Dims, dict[int, Share]]] = {}
        self.progress: dict[int, Progress] = {}
        self.closed: set[Window] = set()
        # Before these watermarks (s) no window closes or expires: without them each publication would walk over all windows.
        self._next_close = self._next_expiry = float("inf")
        self._as_of: dict[str, int] = {}  # of what is being published
        self._buffers: dict[int, list[Partial]] = defaultdict(list)
        self._dirty: dict[Window, dict[Dims, None]] = defaultdict(dict)  # a set's order would change from run to run
        self._kpis = {k.topic: k for k in stream.kpis}
        self._widths = {k.topic: integers(k) for k in stream.kpis}
        self._ranked = {r.topic: r.of.topic for r in stream.rankings}
        self._rankings: dict[str, list[Ranking]] = defaultdict(list)
        for ranking in stream.rankings:
            self._rankings[ranking.of.topic].append(ranking)
        self._lateness = stream.allowed_lateness.total_seconds()
        self._waits = stream.partials_kept.total_seconds()
        self._decode = msgspec.json.Decoder(Partial).decode

    def process(self, records: Sequence[Record], now: float) -> list[Output]:
        """Take partials in; give the totals that changed."""
        for record in records:
            if not self.ready and record.offset >= self._published_until:
                self._catch_up()
            if record.value is not None:
                self._take(self._decode(record.value), now)
        if not self.ready and records and records[-1].offset >= self._published_until - 1:
            self._catch_up()
        return self.publish(now)

    def answer(self, topic: str, keys: Iterable[bytes], now: float) -> list[Output]:
        """The totals of these keys of a KPI topic, once more (`answers.py`)."""
        for key in keys:
            start, *dims = msgspec.json.decode(key)
            window = (self._ranked.get(topic, topic), int(dt.datetime.fromisoformat(start).timestamp()))
            cells = self.cells.get(window, {})
            if topic in self._ranked and cells:
                self._dirty[window] |= {}
            elif tuple(dims) in cells:
                self._dirty[window][tuple(dims)] = None
            else:
                self.unanswered += 1
        return self.publish(now)

    def publish(self, now: float) -> list[Output]:
        """The totals that changed and the windows that have closed since the last call."""
        if not self.ready:
            return []
        watermark = self.watermark(now)
        out: list[Output] = []
        self._close(watermark)
        self._as_of = {str(p): self.progress[p].offset for p in sorted(self.progress)}
        for window, dims in self._dirty.items():
            out += self._totals(window, dims)
            out += self._rank(window)
        self._dirty.clear()
        self._expire()
        return out

    def watermark(self, now: float) -> float:
        """The stream's watermark, seconds: the least of the partitions that are not idle; -inf before the first."""
        idle_after = self.stream.idle_after.total_seconds()
        awake = [p.watermark for p in self.progress.values() if now - p.heard_at < idle_after]
        return min(awake, default=float("-inf"))

    def _take(self, partial: Partial, now: float) -> None:
        p = partial.raw_partition
        if partial.kpi:
            self._buffers[p].append(partial)
            return
        known = self.progress.get(p)
        if known is not None and partial.offset < known.offset:
            return  # of a worker that lags behind another
        waiting = self._buffers.pop(p, [])
        self._buffers[p] = [w for w in waiting if w.offset > partial.offset]  # of a worker that died before its marker
        for ready in waiting:
            if ready.offset <= partial.offset:
                self._replace(ready)
        self.progress[p] = Progress(partial.offset, partial.watermark, now)

    def _replace(self, partial: Partial) -> None:
        if len(partial.measures) != self._widths.get(partial.kpi):
            return  # of a KPI that is no longer declared, or was declared otherwise
        window, dims = (partial.kpi, partial.window), tuple(partial.dims)
        if window not in self.cells and self._end(window) + self._lateness <= self._slowest():
            self.stale += 1  # dropped with the other partitions' shares: a total without them would be wrong
            return
        if window not in self.cells:
            self._hold(window)
        shares = self.cells[window].setdefault(dims, {})
        known = shares.get(partial.raw_partition)
        if known is None or (partial.offset, partial.measures[0]) >= (known[0], known[1][0]):
            shares[partial.raw_partition] = (partial.offset, partial.measures)
            self._dirty[window][dims] = None

    def _catch_up(self) -> None:
        """All that changed so far was published in an earlier life, closings too."""
        self.ready = True
        self._close(self._slowest())
        self._dirty.clear()

    def _slowest(self) -> float:
        """What lies before this watermark cannot change any more, whichever partition wakes up; within the stated bound."""
        marks = [p.watermark for p in self.progress.values()]
        if not marks:
            return float("-inf")
        bound = max(marks) - self._waits
        return max(min(marks), bound) if len(marks) == self._raw_partitions else bound

    def _end(self, window: Window) -> int:
        return window[1] + int(self._kpis[window[0]].window.total_seconds())

    def _hold(self, window: Window) -> None:
        """Begin a window."""
        self.cells[window] = {}
        end = self._end(window)
        self._next_close = min(self._next_close, end)
        self._next_expiry = min(self._next_expiry, end + self._lateness)

    def _close(self, watermark: float) -> None:
        if watermark < self._next_close:
            return
        open_ = [w for w in self.cells if w not in self.closed]
        ended = [w for w in open_ if self._end(w) <= watermark]
        for window in ended:
            self.closed.add(window)
            self._dirty[window].update(dict.fromkeys(self.cells[window]))
        self._next_close = min((self._end(w) for w in open_ if w not in self.closed), default=float("inf"))

    def _expire(self) -> None:
        slowest = self._slowest()
        if slowest < self._next_expiry:
            return
        for window in [w for w in self.cells if self._end(w) + self._lateness <= slowest]:
            del self.cells[window]
            self.closed.discard(window)
        self._next_expiry = min((self._end(w) + self._lateness for w in self.cells), default=float("inf"))

    # ── snapshots ───────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def settled(self) -> bool:
        """Whether every change has been given out."""
        return self.ready and not self._dirty

    def form(self) -> MergeForm:
        progress = {p: (known.offset, known.watermark) for p, known in self.progress.items()}
        return MergeForm(self.cells, progress, self.closed, self._buffers)

    def restore(self, form: MergeForm, now: float) -> None:
        """Go on from a snapshot; all partitions have been heard of `now`, as when the topic is read again."""
        self.cells, self.closed = form.cells, form.closed
        self._next_close = self._next_expiry = float("-inf")  # to be found out
        self.progress = {p: Progress(offset, watermark, now) for p, (offset, watermark) in form.progress.items()}
        self._buffers.update(form.buffers)

    def holds(self, end: int) -> None:
        """The records before the offset `end` are in what it was restored from."""
        if not self.ready and end >= self._published_until:
            self._catch_up()

    # ── what is published ───────────────────────────────────────────────────────────────────────────────────────────
    def _state(self, kpi: Kpi, window: Window, changes: int) -> dict[str, Any]:
        final = window in self.closed
        return {
            "window_start_at": moment(window[1]),
            "window_end_at": moment(window[1] + int(kpi.window.total_seconds())),
            "as_of": self._as_of,
            # Grows with every event, and once more when the window closes; no two values of a cell share one, also where a
            # worker that starts anew holds a window for open that another had closed.
            "revision": 2 * changes + final,
            "final": final,
        }

    def _totals(self, window: Window, changed: Iterable[Dims]) -> Iterator[Output]:
        kpi = self._kpis[window[0]]
        for dims in changed:
            sums = total(self.cells[window][dims])
            state = self._state(kpi, window, sums[0])
            value = {**dict(zip(kpi.dimensions, dims, strict=True)), **figures(kpi, sums), **state}
            yield Output(kpi.topic, _encode((state["window_start_at"], *dims)), _encode(value), self._partition)

    def _rank(self, window: Window) -> Iterator[Output]:
        kpi = self._kpis[window[0]]
        for ranking in self._rankings[window[0]]:
            sums = {dims: total(shares) for dims, shares in self.cells[window].items()}
            by = {dims: figures(kpi, s)[ranking.by] for dims, s in sums.items()}
            top = heapq.nsmallest(ranking.top, by, key=lambda d, by=by: (-by[d], d))  # type: ignore[misc]
            entries = [
                {"rank": i, **dict(zip(kpi.dimensions, dims, strict=True)), ranking.by: by[dims]}
                for i, dims in enumerate(top, start=1)
            ]
            state = self._state(kpi, window, sum(s[0] for s in sums.values()))
            value = _encode({"entries": entries, **state})
            yield Output(ranking.topic, _encode((state["window_start_at"],)), value, self._partition)


def total(shares: dict[int, Share]) -> list[int]:
    """The raw partitions' integers, added up."""
    return list(map(sum, zip(*(s[1] for s in shares.values()), strict=True)))


@functools.lru_cache(4096)
def moment(seconds: int) -> str:
    """RFC 3339, UTC."""
    return (EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

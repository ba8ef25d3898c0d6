"""The first step of a KPI: fold the clean events of one raw partition into cells, and say which cells changed.

A cell is one KPI, one window, one value of each dimension. Cells hold integers only (fractions are scaled), so that no
order of events changes a sum. State: {window start: {dimensions: cell}}. Bound: windows are dropped once the watermark is
past their end and the allowed lateness; an event that comes later still is not folded here (silver and gold have it).
"""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from topics.contract import CleanEvent, Count, Distinct, Each, Kpi, Mean, Measure, Total

Dims = tuple[str, ...]
Cell = list[Any]  # [raw offset of the last event, number of events, one accumulator for each measure but counts]
Adder = Callable[[Cell, Any], None]


class KpiFold:
    """One KPI over one raw partition."""

    def __init__(self, kpi: Kpi, lateness: dt.timedelta) -> None:
        self.kpi = kpi
        self.width = int(kpi.window.total_seconds())
        self._kept = self.width + int(lateness.total_seconds())
        self._dims = _dimensions(kpi)
        self._adders = [_adder(m, i) for i, m in enumerate(accumulated(kpi), start=2)]
        self._empty = accumulated(kpi)
        self.windows: dict[int, dict[Dims, Cell]] = {}
        self.dirty: set[tuple[int, Dims]] = set()

    def fold(self, event: CleanEvent, event_s: int, offset: int, watermark_s: float) -> None:
        """Count `event` in, unless its window has been dropped."""
        start = event_s - event_s % self.width
        if start + self._kept <= watermark_s:
            return
        window = self.windows.get(start)
        if window is None:
            window = self.windows[start] = {}
        for dims in self._dims(event):
            cell = window.get(dims)
            if cell is None:
                cell = window[dims] = [0, 0, *(set() if isinstance(m, Distinct) else 0 for m in self._empty)]
            cell[0] = offset
            cell[1] += 1
            for add in self._adders:
                add(cell, event)
            self.dirty.add((start, dims))

    def expire(self, watermark_s: float) -> None:
        """Drop the windows that no event can reach any more."""
        for start in [s for s in self.windows if s + self._kept <= watermark_s]:
            del self.windows[start]

    def touch_since(self, offset: int) -> None:
        """Mark every cell that changed at or after `offset`: its last value may not have been published."""
        for start, window in self.windows.items():
            self.dirty.update((start, dims) for dims, cell in window.items() if cell[0] >= offset)

    def drain(self) -> Iterator[tuple[int, Dims, int, list[int]]]:
        """(window start, dimensions, offset, integers) of each changed cell; the changes are then forgotten."""
        for start, dims in self.dirty:
            window = self.windows.get(start)
            if window is not None:
                cell = window[dims]
                yield start, dims, cell[0], [len(x) if isinstance(x, set) else x for x in cell[1:]]
        self.dirty.clear()


def accumulated(kpi: Kpi) -> list[Measure]:
    """The measures that have an accumulator of their own; every cell counts its events anyway."""
    return [m for m in kpi.measures if not isinstance(m, Count)]


def figures(kpi: Kpi, totals: list[int]) -> dict[str, float | int]:
    """Measure name -> value, from a cell's integers (events first) added up over the raw partitions."""
    events, *sums = totals
    values: dict[str, float | int] = {}
    it = iter(sums)
    for m in kpi.measures:
        if isinstance(m, Count):
            values[m.name] = events
        elif isinstance(m, Mean):
            values[m.name] = next(it) / (events * 10**m.digits)
        elif isinstance(m, Total) and m.digits:
            values[m.name] = next(it) / 10**m.digits
        else:
            values[m.name] = next(it)
    return values


def _adder(measure: Measure, at: int) -> Adder:
    if isinstance(measure, Count):
        raise TypeError(f"{measure.name}: a count has no accumulator of its own")
    get = operator.attrgetter(measure.of)
    if isinstance(measure, Distinct):

        def add(cell: Cell, event: Any) -> None:
            cell[at].add(get(event))

    elif measure.digits:
        scale = 10**measure.digits

        def add(cell: Cell, event: Any) -> None:
            cell[at] += round(get(event) * scale)

    else:

        def add(cell: Cell, event: Any) -> None:
            cell[at] += get(event)

    return add


def _dimensions(kpi: Kpi) -> Callable[[Any], Iterable[Dims]]:
    """From an event to the dimension values of the cells that it counts in."""
    plain = [d for d in kpi.by if isinstance(d, str)]
    each = [d for d in kpi.by if isinstance(d, Each)]
    if len(each) > 1 or (each and plain):
        raise ValueError(f"{kpi.topic}: a list dimension stands alone; found {kpi.by!r}")
    if each:
        items = operator.attrgetter(each[0].of)
        return lambda event: [(item,) for item in items(event)]
    if not plain:
        return lambda _: ((),)
    if len(plain) == 1:
        one = operator.attrgetter(plain[0])
        return lambda event: ((one(event),),)
    many = operator.attrgetter(*plain)
    return lambda event: (many(event),)

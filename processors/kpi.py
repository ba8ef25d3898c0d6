"""The first step of a KPI: fold the clean events of one raw partition into cells, and say which cells changed.

A cell is one KPI, one window, one value of each dimension. Cells hold integers only (fractions are scaled), so that no
order of events changes a sum, and an event that is revised can be taken back exactly. State: {window start: {dimensions:
cell}}. Bound: windows are dropped once the watermark is past their end and the allowed lateness; an event that comes later
still is not folded here (silver and gold have it).
"""

from __future__ import annotations

import datetime as dt
import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from processors.records import to_millis
from topics.contract import CleanEvent, Count, Distinct, Each, Kpi, Mean, Measure, Ratio, Total

Dims = tuple[str, ...]
Cell = list[Any]  # [raw offset of the last change, changes, events, accumulators of each measure but counts]
Row = Any  # an event; or, of a KPI over a list field, (item, event)
Adder = Callable[[Cell, Row, int], None]


class KpiFold:
    """One KPI over one raw partition."""

    def __init__(self, kpi: Kpi, lateness: dt.timedelta, clean_event: type[CleanEvent] = CleanEvent) -> None:
        self.kpi = kpi
        self.width = int(kpi.window.total_seconds())
        self._kept = self.width + int(lateness.total_seconds())
        fields = Fields(kpi, clean_event)
        self._rows = fields.rows
        self._time = None if kpi.at == "event_at" and not kpi.each else fields.get(kpi.at)
        self._dims = _dimensions(kpi, fields)
        self._adders = [a for m, at in accumulators(kpi) for a in _adders(m, at, fields)]
        self._distinct = [i for m, i in accumulators(kpi) if isinstance(m, Distinct)]
        self._zeros = [0] * sum(map(width, kpi.measures))
        self.windows: dict[int, dict[Dims, Cell]] = {}
        self.dirty: dict[tuple[int, Dims], None] = {}  # a set's order would change from run to run

    def fold(self, event: CleanEvent, event_s: int, offset: int, watermark_s: float, sign: int = 1) -> None:
        """Count `event` in (or, with sign -1, take it back), unless its window has been dropped."""
        for row in self._rows(event):
            at = event_s if self._time is None else to_millis(self._time(row)) // 1000
            start = at - at % self.width
            if start + self._kept <= watermark_s:
                continue
            window = self.windows.get(start)
            if window is None:
                window = self.windows[start] = {}
            for dims in self._dims(row):
                cell = window.get(dims)
                if cell is None:
                    cell = window[dims] = self._new_cell()
                cell[0] = offset
                cell[1] += 1
                cell[2] += sign
                for add in self._adders:
                    add(cell, row, sign)
                self.dirty[start, dims] = None

    def _new_cell(self) -> Cell:
        cell: Cell = [0, 0, 0, *self._zeros]
        for i in self._distinct:
            cell[i] = set()
        return cell

    def expire(self, watermark_s: float) -> None:
        """Drop the windows that no event can reach any more."""
        for start in [s for s in self.windows if s + self._kept <= watermark_s]:
            del self.windows[start]

    def restore(self, windows: dict[int, dict[Dims, Cell]]) -> None:
        """Go on with the windows of a snapshot, which has lists for sets."""
        for cells in windows.values() if self._distinct else ():
            for cell in cells.values():
                for i in self._distinct:
                    cell[i] = set(cell[i])
        self.windows = windows

    def touch_since(self, offset: int) -> None:
        """Mark every cell that changed at or after `offset`: its last value may not have been published."""
        for start, window in self.windows.items():
            self.dirty.update(((start, dims), None) for dims, cell in window.items() if cell[0] >= offset)

    def drain(self) -> Iterator[tuple[int, Dims, int, list[int]]]:
        """(window start, dimensions, offset, [changes, events, accumulators]) of each changed cell; then forget the changes."""
        for start, dims in self.dirty:
            window = self.windows.get(start)
            if window is not None:
                cell = window[dims]
                yield start, dims, cell[0], [len(x) if isinstance(x, set) else x for x in cell[1:]]
        self.dirty.clear()


class Fields:
    """Where a KPI's fields are: in the event, or in the items of one of its lists."""

    def __init__(self, kpi: Kpi, clean_event: type[CleanEvent]) -> None:
        self._each = kpi.each
        item = clean_event
        if kpi.each:
            (item,) = _types(clean_event)[kpi.each].__args__
        self._of_item = _types(item).keys()

    @property
    def rows(self) -> Callable[[CleanEvent], Iterable[Row]]:
        """From an event to what counts as one."""
        if not self._each:
            return lambda event: (event,)
        items = operator.attrgetter(self._each)
        return lambda event: [(item, event) for item in items(event)]

    def get(self, name: str) -> Callable[[Row], Any]:
        """A row's field: the item's where it has one of that name, else the event's."""
        get = operator.attrgetter(name)
        if not self._each:
            return get
        here = 0 if name in self._of_item else 1
        return lambda row: get(row[here])


@functools.cache
def _types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Field name → type. Kept, since asking takes a millisecond and every partition of every KPI asks."""
    return {f.name: f.type for f in msgspec.structs.fields(struct)}


def width(measure: Measure) -> int:
    """How many accumulators a measure has; every cell counts its events anyway."""
    return 0 if isinstance(measure, Count) else 2 if isinstance(measure, Ratio) else 1


def integers(kpi: Kpi) -> int:
    """How many integers a cell has: changes, events, accumulators."""
    return 2 + sum(map(width, kpi.measures))


def accumulators(kpi: Kpi) -> list[tuple[Measure, int]]:
    """The measures that have accumulators of their own, each with the place of its first one in a cell."""
    places, at = [], 3
    for m in kpi.measures:
        if width(m):
            places.append((m, at))
        at += width(m)
    return places


def figures(kpi: Kpi, totals: list[int]) -> dict[str, float | int]:
    """Measure name → value, from a cell's integers (changes, events, accumulators) added up over the raw partitions."""
    _, events, *sums = totals
    values: dict[str, float | int] = {}
    it = iter(sums)
    for m in kpi.measures:
        if isinstance(m, Count):
            values[m.name] = events
        elif isinstance(m, Ratio):
            over, under = next(it), next(it)
            values[m.name] = over / under if under else 0.0
        elif isinstance(m, Mean):
            over = next(it)
            values[m.name] = over / (events * 10**m.digits) if events else 0.0
        elif isinstance(m, Total) and m.digits:
            values[m.name] = next(it) / 10**m.digits
        else:
            values[m.name] = next(it)
    return values


def _adders(measure: Measure, at: int, fields: Fields) -> list[Adder]:
    if isinstance(measure, Count):
        raise TypeError(f"{measure.name}: a count has no accumulator of its own")
    if isinstance(measure, Ratio):
        return [_sum(fields.get(measure.of), at, 0), _sum(fields.get(measure.per), at + 1, 0)]
    get = fields.get(measure.of)
    if not isinstance(measure, Distinct):
        return [_sum(get, at, measure.digits)]

    def add(cell: Cell, row: Row, _sign: int) -> None:
        cell[at].add(get(row))

    return [add]


def _sum(get: Callable[[Row], Any], at: int, digits: int) -> Adder:
    scale = 10**digits
    if digits:

        def add(cell: Cell, row: Row, sign: int) -> None:
            cell[at] += sign * round(get(row) * scale)

    else:

        def add(cell: Cell, row: Row, sign: int) -> None:
            cell[at] += sign * get(row)

    return add


def _dimensions(kpi: Kpi, fields: Fields) -> Callable[[Row], Iterable[Dims]]:
    """From a row to the dimension values of the cells that it counts in."""
    plain = [d for d in kpi.by if isinstance(d, str)]
    each = [d for d in kpi.by if isinstance(d, Each)]
    if len(each) > 1 or (each and (plain or kpi.each)):
        raise ValueError(f"{kpi.topic}: a list dimension stands alone; found {kpi.by!r}")
    if each:
        items = operator.attrgetter(each[0].of)
        return lambda event: [(item,) for item in items(event)]
    if not plain:
        return lambda _: ((),)
    if not kpi.each and len(plain) == 1:
        one = operator.attrgetter(plain[0])
        return lambda event: ((one(event),),)
    if not kpi.each:
        many = operator.attrgetter(*plain)
        return lambda event: (many(event),)
    gets = [fields.get(name) for name in plain]
    return lambda row: (tuple(g(row) for g in gets),)

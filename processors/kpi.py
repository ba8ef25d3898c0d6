"""The first step of a KPI: fold the clean events of one raw partition into cells, and say which cells changed.

A cell is one KPI, one window, one value of each dimension. Cells hold integers only (fractions are scaled), so that no
order of events changes a sum, and an event that is revised can be taken back exactly. State: {window start: {dimensions:
cell}}. Bound: windows are dropped once the watermark is past their end and the allowed lateness; an event that comes later
still is not folded here (silver and gold have it). `kpi_code.py` writes what happens to the cells of an event.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from processors.kpi_code import accumulators, width
from topics.contract import Count, Distinct, Kpi, Mean, Ratio, Total

Dims = tuple[str, ...]
Cell = list[Any]  # [raw offset of the last change, changes, events, accumulators of each measure but counts]


class KpiFold:
    """The cells of one KPI over one raw partition.

    `changed` are those that have changed since `drain`, in the order in which they came: (window start, dimensions, cell).
    They are the cells whose last change is at the offset `drained_to` or after it, since offsets only grow.
    """

    def __init__(self, kpi: Kpi, lateness: dt.timedelta) -> None:
        self.kpi = kpi
        self.kept = int((kpi.window + lateness).total_seconds())
        self.windows: dict[int, dict[Dims, Cell]] = {}
        self.changed: list[tuple[int, Dims, Cell]] = []
        self.drained_to = 0
        self._distinct = [i for m, i in accumulators(kpi) if isinstance(m, Distinct)]

    def expire(self, watermark_s: float) -> None:
        """Drop the windows that no event can reach any more."""
        for start in [s for s in self.windows if s + self.kept <= watermark_s]:
            del self.windows[start]

    def restore(self, windows: dict[int, dict[Dims, Cell]]) -> None:
        """Go on with the windows of a snapshot, which has lists for sets."""
        for cells in windows.values() if self._distinct else ():
            for cell in cells.values():
                for i in self._distinct:
                    cell[i] = set(cell[i])
        self.windows.update(windows)
        self.drained_to = 1 + max((cell[0] for cells in windows.values() for cell in cells.values()), default=-1)

    def touch_since(self, offset: int) -> None:
        """Mark every cell that changed at or after `offset`: its last value may not have been published."""
        self.drained_to = since = min(self.drained_to, offset)
        self.changed[:] = [
            (start, dims, cell)
            for start, window in self.windows.items()
            for dims, cell in window.items()
            if cell[0] >= since
        ]

    def drain(self) -> Iterator[tuple[int, Dims, int, list[int]]]:
        """(window start, dimensions, offset, [changes, events, accumulators]) of each changed cell; then forget the changes."""
        for start, dims, cell in self.changed:
            if start in self.windows:
                yield start, dims, cell[0], [len(x) if isinstance(x, set) else x for x in cell[1:]]
        self.forget()

    def forget(self) -> None:
        """The changes so far need not be told."""
        self.drained_to = max(self.drained_to, 1 + max((cell[0] for _, _, cell in self.changed), default=-1))
        self.changed.clear()


def integers(kpi: Kpi) -> int:
    """How many integers a cell has: changes, events, accumulators."""
    return 2 + sum(map(width, kpi.measures))


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

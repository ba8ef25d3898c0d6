"""The fold of one event into all KPIs of a stream, as one function: what loops over KPIs, dimensions and measures would do, unrolled.

The function is written out as Python and compiled, as `dataclasses` does it: for the seven KPIs of the tweets 2 µs an event, where
the loops took 9. A field, a window's start or a scaled fraction that several KPIs want is looked up once:

    start_60 = event_s - event_s % 60
    if start_60 + 3660 > watermark_s:
        dims = (event.region,)
        …
        cell[3] += event.engagement
"""

from __future__ import annotations

import functools
import itertools
import linecache
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any

import msgspec

from processors.records import to_millis
from topics.contract import CleanEvent, Count, Distinct, Each, Kpi, Measure, Ratio

if TYPE_CHECKING:
    from processors.kpi import KpiFold

Fold = Callable[[Any, int, int, float], None]  # (event, its time in s, raw offset, watermark in s)
_number = itertools.count()


def compiled(folds: Sequence[KpiFold], clean_event: type[CleanEvent], sign: str) -> Fold:
    """The function that counts an event in (`sign` "+"), or takes it back ("-"), in all of `folds`."""
    names: dict[str, Any] = {"to_millis": to_millis}
    for i, fold in enumerate(folds):
        names |= {f"fold_{i}": fold, f"windows_{i}": fold.windows, f"changed_{i}": fold.changed}
    exec(_code(tuple((f.kpi, f.kept) for f in folds), clean_event, sign), names)  # noqa: S102 - written here, from declarations
    fold_event: Fold = names["fold_event"]
    return fold_event


@functools.cache
def _code(kpis: tuple[tuple[Kpi, int], ...], clean_event: type[CleanEvent], sign: str) -> CodeType:
    lines = _Source(kpis, clean_event, sign).lines
    name = f"<fold {next(_number)}>"
    linecache.cache[name] = (0, None, [f"{line}\n" for line in lines], name)  # tracebacks show the line
    return compile("\n".join(lines), name, "exec")


class _Source:
    """The lines of the function. `kpis`: each with how long (s) after its start a window is kept."""

    def __init__(self, kpis: Sequence[tuple[Kpi, int]], clean_event: type[CleanEvent], sign: str) -> None:
        self._sign, self._clean_event = sign, clean_event
        self._loaded: dict[str, str] = {}  # expression → the local name that holds it
        body = list(self._body(kpis))
        loads = [f"    {name} = {expression}" for expression, name in self._loaded.items()]
        self.lines = ["def fold_event(event, event_s, offset, watermark_s):", *loads, *body, "    return"]

    def _body(self, kpis: Sequence[tuple[Kpi, int]]) -> Iterator[str]:
        alike: dict[tuple[int, int], list[tuple[int, Kpi]]] = defaultdict(list)
        for i, (kpi, kept) in enumerate(kpis):
            width = int(kpi.window.total_seconds())
            if kpi.each or kpi.at != "event_at":
                yield from self._of_rows(i, kpi, width, kept)
            else:
                alike[width, kept].append((i, kpi))
        for (width, kept), group in alike.items():
            yield f"    start = event_s - event_s % {width}"
            yield f"    if start + {kept} > watermark_s:"
            for i, kpi in group:
                yield from _indented(self._cells(i, kpi, frozenset()), 2)

    def _of_rows(self, i: int, kpi: Kpi, width: int, kept: int) -> Iterator[str]:
        """A KPI that counts items, or another time than the event's."""
        of_item = _fields_of_items(self._clean_event, kpi.each) if kpi.each else frozenset[str]()
        if kpi.each:
            yield f"    for item in {self._load(f'event.{kpi.each}')}:"
        at = "event_s" if kpi.at == "event_at" else f"to_millis({self._field(kpi.at, of_item)}) // 1000"
        lines = [
            f"at = {at}",
            f"start = at - at % {width}",
            f"if start + {kept} > watermark_s:",
            *_indented(self._cells(i, kpi, of_item), 1),
        ]
        yield from _indented(lines, 2 if kpi.each else 1)

    def _cells(self, i: int, kpi: Kpi, of_item: frozenset[str]) -> Iterator[str]:
        """From a window's start to its cells."""
        yield f"window = windows_{i}.get(start)"
        yield "if window is None:"
        yield f"    window = windows_{i}[start] = {{}}"
        each = [d for d in kpi.by if isinstance(d, Each)]
        plain = [d for d in kpi.by if isinstance(d, str)]
        if len(each) > 1 or (each and (plain or kpi.each)):
            raise ValueError(f"{kpi.topic}: a list dimension stands alone; found {kpi.by!r}")
        if each:
            yield f"for value in {self._load(f'event.{each[0].of}')}:"
            yield from _indented(self._cell(i, kpi, "(value,)", of_item), 1)
        else:
            dims = "".join(f"{self._field(name, of_item)}, " for name in plain)
            yield from self._cell(i, kpi, f"({dims})", of_item)

    def _cell(self, i: int, kpi: Kpi, dims: str, of_item: frozenset[str]) -> Iterator[str]:
        """One cell: [raw offset of the last change, changes, events, accumulators…]."""
        zeros = ["set()" if isinstance(m, Distinct) else "0" for m in kpi.measures for _ in range(width(m))]
        yield f"dims = {dims}"
        yield "cell = window.get(dims)"
        yield "if cell is None:"
        yield f"    cell = window[dims] = [{', '.join(['-1', '0', '0', *zeros])}]"
        yield f"if cell[0] < fold_{i}.drained_to:"
        yield f"    changed_{i}.append((start, dims, cell))"
        yield "cell[0] = offset"
        yield "cell[1] += 1"
        yield f"cell[2] {self._sign}= 1"
        for measure, at in accumulators(kpi):
            if isinstance(measure, Distinct):
                yield f"cell[{at}].add({self._field(measure.of, of_item)})"
            elif isinstance(measure, Ratio):
                yield f"cell[{at}] {self._sign}= {self._field(measure.of, of_item)}"
                yield f"cell[{at + 1}] {self._sign}= {self._field(measure.per, of_item)}"
            elif not isinstance(measure, Count):
                yield f"cell[{at}] {self._sign}= {self._scaled(measure.of, measure.digits, of_item)}"

    def _field(self, name: str, of_item: frozenset[str]) -> str:
        """A field: the item's where it has one of that name, else the event's."""
        return f"item.{name}" if name in of_item else self._load(f"event.{name}")

    def _scaled(self, name: str, digits: int, of_item: frozenset[str]) -> str:
        """A field as an integer of so many decimal places."""
        field = self._field(name, of_item)
        if not digits:
            return field
        scaled = f"round({field} * {10**digits})"
        return scaled if name in of_item else self._load(scaled)

    def _load(self, expression: str) -> str:
        """The local name that holds an expression from the start of the function on."""
        return self._loaded.setdefault(expression, f"v{len(self._loaded)}")


def _indented(lines: Sequence[str] | Iterator[str], levels: int) -> Iterator[str]:
    return (f"{'    ' * levels}{line}" for line in lines)


@functools.cache
def _fields_of_items(clean_event: type[CleanEvent], name: str) -> frozenset[str]:
    """The fields of the structs in an event's list field."""
    (item,) = next(f.type for f in msgspec.structs.fields(clean_event) if f.name == name).__args__
    return frozenset(f.name for f in msgspec.structs.fields(item))


def width(measure: Measure) -> int:
    """How many accumulators a measure has; every cell counts its events anyway."""
    return 0 if isinstance(measure, Count) else 2 if isinstance(measure, Ratio) else 1


def accumulators(kpi: Kpi) -> list[tuple[Measure, int]]:
    """The measures that have accumulators of their own, each with the place of its first one in a cell."""
    places, at = [], 3
    for m in kpi.measures:
        if width(m):
            places.append((m, at))
        at += width(m)
    return places

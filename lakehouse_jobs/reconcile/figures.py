"""A KPI as SQL over the log of its stream's facts, from its declaration: which cells there are as of some offsets, and what they show.

Fractions are summed as integers of a fixed number of decimal places and a mean is one division, so equal means equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from topics.contract import Count, Distinct, Each, Kpi, Mean, Measure, Ratio, Stream, Total

Columns = dict[str, str]  # name → expression


def changes(kpi: Kpi, stream: Stream, *, in_time: bool) -> str:
    """A query of (p, pos, sign, at_ms, start, dimensions, what the measures need): what each change of a fact does to a cell.

    `start` is the window's, in seconds. `in_time`: only what came while the window was open.
    """
    width = int(kpi.window.total_seconds())
    moment = _field(kpi, stream, "event_ms" if kpi.at == "event_at" else f"{kpi.at.removesuffix('_at')}_ms")
    columns = {"start": f"{moment} // {width * 1000} * {width}", **_dimensions(kpi, stream), **_inputs(kpi, stream)}
    selected = ", ".join(f"{e} as {n}" for n, e in columns.items())
    rows = f"select p, pos, sign, at_ms, wm_ms, {selected} from {_source(kpi, stream)}"
    until = width + int(stream.allowed_lateness.total_seconds())
    return f"select * from ({rows}) where (start + {until}) * 1000 > wm_ms" if in_time else rows


def shown(kpi: Kpi) -> Columns:
    """The measures as aggregates over rows of `changes`."""
    return {m.name: _measure(m, i) for i, m in enumerate(kpi.measures)}


def _source(kpi: Kpi, stream: Stream) -> str:
    lists = [f"unnest({kpi.each}) as list(item)"] if kpi.each else []
    lists += [f"unnest(list_distinct({d.of})) as list({d.name})" for d in kpi.by if isinstance(d, Each)]
    return ", ".join([f"facts_{stream.table}", *lists])


def _dimensions(kpi: Kpi, stream: Stream) -> Columns:
    return {
        d if isinstance(d, str) else d.name: _field(kpi, stream, d) if isinstance(d, str) else d.name for d in kpi.by
    }


def _field(kpi: Kpi, stream: Stream, name: str) -> str:
    """A field, of the item where it has one of that name, else of the event."""
    return f"item.{name}" if name in _of_item(kpi, stream) else name


def _of_item(kpi: Kpi, stream: Stream) -> set[str]:
    if not kpi.each:
        return set()
    (item,) = next(f.type for f in msgspec.structs.fields(stream.clean_event) if f.name == kpi.each).__args__
    names = {f.name for f in msgspec.structs.fields(item)}
    return names | {f"{n.removesuffix('_at')}_ms" for n in names if n == "at" or n.endswith("_at")}


def _inputs(kpi: Kpi, stream: Stream) -> Columns:
    return {name: e for i, m in enumerate(kpi.measures) for name, e in _input(kpi, stream, m, i)}


def _input(kpi: Kpi, stream: Stream, m: Measure, i: int) -> Iterator[tuple[str, str]]:
    if isinstance(m, Count):
        return
    of = _field(kpi, stream, m.of)
    digits = m.digits if isinstance(m, Mean | Total) else 0
    yield f"m{i}", f"round_even({of} * {10**digits}, 0)::bigint" if digits else of
    if isinstance(m, Ratio):
        yield f"m{i}_per", _field(kpi, stream, m.per)


def _measure(m: Measure, i: int) -> str:
    if isinstance(m, Count):
        return "sum(sign)::bigint"
    if isinstance(m, Distinct):  # only of streams whose events are never taken back
        return f"count(distinct m{i})"
    total = f"sum(sign * m{i})::bigint"
    if isinstance(m, Ratio):
        return f"coalesce({total}::double / nullif(sum(sign * m{i}_per)::bigint, 0)::double, 0)"
    if isinstance(m, Mean):
        return f"coalesce({total}::double / (nullif(sum(sign), 0) * {10**m.digits})::double, 0)"
    return f"{total}::double / {10**m.digits}" if m.digits else total

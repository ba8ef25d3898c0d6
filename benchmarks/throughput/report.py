"""What is printed and saved: the tables, as text for the terminal, as Markdown, and all single runs as JSON."""

from __future__ import annotations

import json
import pathlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.throughput.growth import Case
from benchmarks.throughput.latencies import Latency
from benchmarks.throughput.runs import Run

ENOUGH_S = 0.3  # of processor time; less says nothing
TOO_SHORT = "too short: more --events"
WIDTH = 140


@dataclass
class Results:
    """All that was measured, by the name of the engine or of the case; the events of a run are those that it was given."""

    about: dict[str, str] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)
    growth: dict[Case, Run] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sheet:
    """A table."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> Table:
        table = Table(*self.head, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return f"**{self.title}**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def sheets(results: Results, rate: float) -> list[Sheet]:
    """The tables of what was measured."""
    found = [_throughput(results), _latencies(results, rate), _growth(results)]
    return [sheet for sheet in found if sheet.rows]


def _throughput(results: Results) -> Sheet:
    rows = []
    for name, runs in results.runs.items():
        if not runs:
            continue
        rows.append([name, f"{results.records[name]:,}", str(len(runs)), *figures(runs)])
    head = ("engine", "tweets", "runs", "events/s", "events/CPU-s", "most memory, MB")
    return Sheet("From a topic that is there, as fast as it goes: median (least to most)", head, rows)


def _latencies(results: Results, rate: float) -> Sheet:
    rows = [
        [name, f"{m.clean_p50:,.0f}", f"{m.clean_p99:,.0f}", f"{m.kpi_p50:,.0f}", f"{m.kpi_p99:,.0f}", f"{m.cpu:.0%}"]
        for name, m in results.latencies.items()
    ]
    head = ("engine", "clean p50, ms", "clean p99, ms", "KPI p50, ms", "KPI p99, ms", "of one processor")
    return Sheet(f"From the raw record to its results, at {rate:,.0f} tweets a second", head, rows)


def _growth(results: Results) -> Sheet:
    rows = [[case.what, f"{case.events:,}", *figures([found])] for case, found in results.growth.items()]
    return Sheet("Ours, once each", ("", "tweets", "events/s", "events/CPU-s", "most memory, MB"), rows)


def figures(runs: Sequence[Run]) -> list[str]:
    """Events a second and for each CPU-second, and memory."""
    memory = _spread([r.memory_mb for r in runs])
    if any(r.cpu_s < ENOUGH_S for r in runs):
        return [TOO_SHORT, TOO_SHORT, memory]
    return [_spread([r.events_s for r in runs]), _spread([r.events_cpu_s for r in runs]), memory]


def _spread(values: Sequence[float]) -> str:
    median = f"{statistics.median(values):,.0f}"
    return f"{median} ({min(values):,.0f} to {max(values):,.0f})" if len(values) > 1 else median


def show(results: Results, rate: float) -> None:
    console = Console(width=WIDTH)
    for sheet in sheets(results, rate):
        console.print(sheet.text())
    for what, value in results.about.items():
        console.print(f"{what}: {value}", highlight=False)


def save(results: Results, rate: float, folder: pathlib.Path) -> None:
    """Write `throughput.md`, what is printed, and `throughput.json`, every single run."""
    folder.mkdir(parents=True, exist_ok=True)
    about = "".join(f"- {what}: {value}\n" for what, value in results.about.items())
    parts = ["# What `make bench` printed\n", about, *(sheet.markdown() for sheet in sheets(results, rate))]
    (folder / "throughput.md").write_text("\n".join(parts))
    (folder / "throughput.json").write_text(json.dumps(_plain(results, rate), indent=1) + "\n")


def _plain(results: Results, rate: float) -> dict[str, Any]:
    return {
        "about": results.about,
        "throughput": {
            name: {"records": results.records[name], "runs": [r._asdict() for r in runs]}
            for name, runs in results.runs.items()
            if runs
        },
        "latency": {"rate": rate, "engines": {name: m._asdict() for name, m in results.latencies.items()}},
        "growth": {case.what: {"tweets": case.events, **r._asdict()} for case, r in results.growth.items()},
    }

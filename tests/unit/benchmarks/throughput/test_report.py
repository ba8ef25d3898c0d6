from __future__ import annotations

import json
import pathlib

from benchmarks.throughput import growth, report
from benchmarks.throughput.latencies import Latency
from benchmarks.throughput.report import Results
from benchmarks.throughput.runs import Run


def results(cpu_s: float = 2.0) -> Results:
    runs = [Run(1000, s, cpu_s, 100) for s in (4.0, 1.0, 2.0)]
    return Results(
        about={"processor": "2 of some kind"}, runs={"ours": runs}, records={"ours": 1020},
        latencies={"ours": Latency(10, 1.4, 2.6, 30, 40, 0.25)}, growth={growth.cases(10)[0]: runs[1]},
    )  # fmt: skip


def test_what_is_saved_has_medians_with_their_spread_and_every_run(tmp_path: pathlib.Path) -> None:
    report.save(results(), 500.0, tmp_path)
    text = (tmp_path / "throughput.md").read_text()
    assert "| ours | 1,020 | 3 | 500 (250 to 1,000) | 500 (500 to 500) | 100 (100 to 100) |" in text
    assert "| ours | 1 | 3 | 30 | 40 | 25% |" in text
    assert "| 1 partition | 10 | 1,000 | 500 | 100 |" in text
    assert "- processor: 2 of some kind" in text
    assert len(json.loads((tmp_path / "throughput.json").read_text())["throughput"]["ours"]["runs"]) == 3


def test_what_was_not_measured_has_no_table(tmp_path: pathlib.Path) -> None:
    only = Results(runs={"ours": [Run(1000, 1, 1, 100)]}, records={"ours": 1020})
    report.save(only, 500.0, tmp_path)
    assert (tmp_path / "throughput.md").read_text().count("\n| ---") == 1


def test_a_run_that_was_too_short_is_no_figure(tmp_path: pathlib.Path) -> None:
    report.save(results(cpu_s=0.1), 500.0, tmp_path)
    text = (tmp_path / "throughput.md").read_text()
    assert f"| ours | 1,020 | 3 | {report.TOO_SHORT} | {report.TOO_SHORT} | 100 (100 to 100) |" in text
    assert f"| 1 partition | 10 | {report.TOO_SHORT} |" in text

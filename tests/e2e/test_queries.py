"""The benchmark of the dashboards' queries runs, beside a running stack, and asks what every chart and filter asks."""

from __future__ import annotations

import pathlib

from click.testing import CliRunner

from benchmarks import queries


def test_every_chart_and_filter_is_asked(settled: pathlib.Path) -> None:
    assert settled.exists()
    done = CliRunner().invoke(queries.main, ["--times", "1", "--only", "tweet-analytics", "--limit", "600"])
    assert done.exit_code == 0, done.output
    assert all(name in done.output for name in ("Tweets around the world", "Top hashtags", "choices of country"))
    assert "p95 beyond 600 s: none" in done.output

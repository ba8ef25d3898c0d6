"""Every engine of the benchmark does its job; how fast is not a test's business."""

from __future__ import annotations

from click.testing import CliRunner

from benchmarks import throughput

ENGINES = 8


def test_the_results_of_every_engine_are_right() -> None:
    done = CliRunner().invoke(throughput.main, ["--events", "3000", "--check"])
    assert done.exit_code == 0, done.output
    assert done.output.count("its results are right") == ENGINES

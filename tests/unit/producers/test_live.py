"""The pace of live production: exact on average, whatever the slices."""

import json

import numpy as np
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.__main__ import main
from producers.live import Schedule

START = 1_767_225_600.0


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 50_000), st.lists(st.floats(0, 5), min_size=1, max_size=30))
def test_what_is_due_depends_on_the_time_passed_and_not_on_the_slices(rate, pauses) -> None:
    schedule, made, now = Schedule(START, rate), 0, START
    for pause in pauses:
        now += pause
        made += schedule.due(now) - made
    assert abs(made - (now - START) * rate) <= 1 + rate * 1e-6


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 50_000), st.integers(0, 10**6), st.integers(1, 500))
def test_times_are_sorted_and_inside_their_intervals(rate, first, count) -> None:
    at = Schedule(START, rate).times(first, count)
    place = (at - START) * rate - np.arange(first, first + count)
    assert np.all(np.diff(at) >= 0)
    assert np.all((place > -0.05) & (place < 1.05))


def test_before_the_start_nothing_is_due() -> None:
    assert Schedule(START, 10).due(START - 5) == 0


def test_generate_writes_the_same_lines_for_the_same_options(tmp_path) -> None:
    def lines(name: str, *more: str) -> bytes:
        out = tmp_path / name
        arguments = [
            "generate",
            "tweets",
            "--count",
            "300",
            "--start",
            "2026-01-01",
            "--rate",
            "10",
            "--out",
            str(out),
            *more,
        ]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return out.read_bytes()

    first = lines("a", "--no-faults")
    assert first == lines("b", "--no-faults")
    assert first != lines("c", "--no-faults", "--seed", "8")
    tweets = [json.loads(line) for line in first.splitlines()]
    assert len(tweets) == 300
    assert tweets[0]["created_at"] == "2026-01-01T00:00:00.000Z"
    assert tweets[-1]["created_at"] == "2026-01-01T00:00:29.900Z"


def test_generate_refuses_faults_that_add_up_to_more_than_all() -> None:
    arguments = ["generate", "tweets", "--count", "1", "--start", "2026-01-01", "--late", "0.9", "--skew", "0.9"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "add up" in result.output

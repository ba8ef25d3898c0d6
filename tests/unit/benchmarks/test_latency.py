"""The arithmetic of the latency benchmark, on logs small enough to reckon by hand."""

import click
import pytest

from benchmarks import latency
from topics.animeverse import POS
from topics.animeverse.pos import SALES_BY_MINUTE


def test_an_event_waits_for_the_first_record_that_covers_it() -> None:
    raw = {0: [(10, 1.0), (11, 1.1), (12, 1.2)], 1: [(5, 2.0)]}
    held = {0: [(9, 0.9), (11, 1.5), (14, 1.6)]}
    assert latency.latencies(raw, held) == pytest.approx([400, 400, 500])  # nothing covers partition 1


def test_progress_is_noted_once_and_never_backwards() -> None:
    held: latency.Marks = latency.defaultdict(list)
    for now, as_of in ((1.0, {"0": 5, "1": 2}), (2.0, {"0": 5}), (3.0, {"0": 4, "1": 3})):
        latency.advance(held, as_of, now)
    assert held == {0: [(5, 1.0)], 1: [(2, 1.0), (3, 3.0)]}


def test_quantiles_are_values_that_were_seen() -> None:
    assert latency.quantiles([float(i) for i in range(1, 101)], 0.01, 0.5, 0.99, 1.0) == [1, 50, 99, 100]
    assert latency.quantiles([float(i) for i in range(1, 21)], 0.95, 0.96) == [19, 20]
    assert latency.quantiles([7.0], 0.5, 0.99) == [7, 7]


def test_a_business_has_its_best_known_figure_and_any_other_by_name() -> None:
    assert latency.kpi_called("", "animeverse") is SALES_BY_MINUTE
    assert latency.stream_of(SALES_BY_MINUTE) is POS
    assert latency.kpi_called("tweets.kpi.mood_by_minute", "tweets").name == "mood_by_minute"
    with pytest.raises(click.BadParameter, match="sessions_by_hour"):
        latency.kpi_called("animeverse.kpi.sale", "animeverse")

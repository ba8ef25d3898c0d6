"""What a user sees of a running stack: the live catalogue, KPI topics, the status."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Riverhouse, rows

RAW = {"tweets": "tweets.raw", "animeverse": "animeverse.pos.raw"}  # business: a raw topic
KPIS = {"tweets.kpi.mood_by_minute": "mean_sentiment", "animeverse.kpi.sales_by_minute": "revenue_cents"}


def test_the_live_catalogue_reads_the_topics(cli: Riverhouse) -> None:
    schemas = {r[0] for r in rows(cli, "show schemas from live")}
    assert schemas - {"information_schema"}


@pytest.mark.parametrize("topic", KPIS)
def test_kpi_tail_follows_a_topic(cli: Riverhouse, topic: str) -> None:
    assert KPIS[topic] in cli("kpi", "tail", topic, "--limit", "3")


def test_status_shows_services_topics_and_freshness(cli: Riverhouse) -> None:
    printed = cli("status")
    for name in ("kafka", "trino", "superset", "sink"):
        assert name in printed
    for business, raw in RAW.items():
        assert all(
            name in printed for name in (f"worker-{business}-0", f"producer-{business}", raw, f"silver, {business}")
        )
    assert "no answer yet" not in printed
    assert "reconciliation" in printed

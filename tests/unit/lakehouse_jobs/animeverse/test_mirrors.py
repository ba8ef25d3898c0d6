"""The KPIs' batch side against DuckDB over the same events."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from lakehouse_jobs.animeverse import MIRRORS
from lakehouse_jobs.gold_table import GoldTable
from tests.unit.lakehouse_jobs.animeverse.samples import Samples, first_versions
from tests.unit.lakehouse_jobs.frames import answer, frame, table
from topics.contract import Stream

ITEM = "(select {kept}, unnest({each}, recursive := true) from events)"
ORACLES = {
    "sales_by_minute": """
        select channel, store_id, date_trunc('minute', event_at), sum(orders), sum(returns), sum(items), sum(net_cents),
               sum(margin_cents), if(sum(orders) = 0, 0, sum(sale_net_cents) / sum(orders)) from events group by all""",
    "sales_by_category": f"""
        select channel, store_id, category, date_trunc('minute', event_at), count(*), sum(order_of_category), sum(quantity),
               sum(net_cents), sum(margin_cents) from {ITEM.format(kept='channel, store_id, event_at', each='lines')}
        group by all""",
    "screenings_by_hour": """
        select screening_id, title_id, store_id, date_trunc('hour', starts_at), sum(tickets), sum(seats_once),
               if(sum(seats_once) = 0, 0, sum(tickets) / sum(seats_once)), sum(ticket_cents), sum(concession_cents),
               if(sum(tickets) = 0, 0, sum(concession_cents) / sum(tickets)) from events group by all""",
    "rating_by_day": """
        select subject_kind, subject_id, date_trunc('day', event_at), count(*), sum(stars) / count(*),
               sum(cast(round(sentiment_score * 10000) as bigint)) / (count(*) * 10000) from events group by all""",
    "conversion_by_day": f"""
        select date_trunc('day', "at"), sum(visits), sum(converted), if(sum(visits) = 0, 0, sum(converted) / sum(visits))
        from {ITEM.format(kept='event_id', each='visit_changes')} group by all""",
    "sessions_by_hour": f"""
        select date_trunc('hour', "at"), sum(sessions), sum(steps), sum(spent_cents), sum(seconds) / sum(sessions),
               sum(spent_cents) / sum(sessions) from {ITEM.format(kept='event_id', each='session_changes')} group by all""",
}  # fmt: skip


@pytest.fixture(scope="module")
def samples() -> Samples:
    made = Samples(13)
    first_versions(made)
    made.some(600)
    return made


@pytest.mark.parametrize("gold", MIRRORS, ids=lambda g: g.name)
def test_it_is_what_duckdb_says(session: SparkSession, samples: Samples, gold: GoldTable) -> None:
    (source,) = gold.sources
    assert isinstance(source.reads, Stream)
    events = samples.in_force(source.reads)
    rows = frame(session, source.reads.clean_event, events)
    built = gold.build(source.rows(rows) if source.rows else rows)
    shown = ", ".join(c for c in gold.schema.column_names if c != "window_end_at")
    found = answer(f"select {shown} from rows order by all", rows=built.toArrow())
    expected = answer(f"from ({ORACLES[gold.name]}) order by all", events=table(source.reads.clean_event, events))
    assert len(found) > 2
    assert found == expected

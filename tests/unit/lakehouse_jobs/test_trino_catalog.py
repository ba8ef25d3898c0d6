"""Trino's live catalogue and views agree with the contracts."""

from __future__ import annotations

import json
import pathlib

from lakehouse_jobs import trino_catalog, views
from riverhouse.settings import ROOT
from topics.animeverse.stock import STOCK
from topics.catalogue import KPIS, STREAMS
from topics.tweets import TWEETS, VOLUME_BY_REGION


def test_the_catalogue_lists_every_live_table() -> None:
    assert "${live_tables}" in (ROOT / "trino" / "etc" / "catalog" / "live.properties").read_text()
    listed = trino_catalog.table_names()
    assert {"tweets.clean", "animeverse_pos.clean"} <= set(listed)
    assert {f"{s.domain}_kpi.{k.name}" for s in STREAMS for k in s.kpis} <= set(listed)
    assert {f"{s.domain}_kpi.{g.name}" for s in STREAMS for g in s.gauges} <= set(listed)
    assert len(listed) == len(set(listed))


def test_descriptions_follow_the_contract(tmp_path: pathlib.Path) -> None:
    (tmp_path / "gone.topic.json").write_text("{}")
    trino_catalog.write_descriptions(tmp_path)
    assert not (tmp_path / "gone.topic.json").exists()
    described = json.loads((tmp_path / "tweets.clean.json").read_text())
    fields = {f["name"]: f for f in described["message"]["fields"]}
    assert fields["event_at"] == {
        "name": "event_at",
        "mapping": "event_at",
        "type": "TIMESTAMP(3) WITH TIME ZONE",
        "dataFormat": "iso8601",
    }
    assert (fields["hashtags"]["type"], fields["likes"]["type"], fields["verified"]["type"]) == (
        "VARCHAR",
        "BIGINT",
        "BOOLEAN",
    )
    assert set(fields) == set(TWEETS.clean_event.__struct_fields__)


def test_a_ranking_s_entries_are_json_text() -> None:
    fields = trino_catalog.description(TWEETS.kpi_topics[-1])["message"]["fields"]
    assert next(f for f in fields if f["name"] == "entries")["type"] == "VARCHAR"


def test_a_live_view_has_plain_columns() -> None:
    statement = views.live(VOLUME_BY_REGION).statement
    assert "view lake.gold.live_tweet_volume_by_region" in statement
    assert "element_at(dimensions, 'region') as region" in statement
    assert "cast(element_at(measures, 'users') as bigint) as users" in statement


def test_every_written_view_says_what_it_is_for() -> None:
    written = list(views.written())
    assert {"analytics.tweets", "analytics.hourly_trends"} <= {v.name for v in written}
    assert all(v.comment for v in written)
    assert len({v.name for v in written}) == len(written)
    live = [v.name for v in views.live_views()]
    assert len(set(live)) == len(live) == len(KPIS) + sum(len(s.gauges) for s in STREAMS)


def test_a_gauge_s_view_reads_the_newest_event_of_each_key() -> None:
    stock, alerts = STOCK.gauges
    query = views.latest(stock, STOCK).query
    assert "max_by(on_hand, row(raw_offset, cause_offset, cause_ordinal)) as on_hand" in query
    assert query.endswith("from lake.silver.animeverse_stock\ngroup by item, store_id, product_id")
    assert "where alert_changed\ngroup by" in views.latest(alerts, STOCK).query

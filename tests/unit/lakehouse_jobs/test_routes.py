"""From records to rows, without Kafka or Spark."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from lakehouse_jobs import routes
from lakehouse_jobs.problem import LakeError
from tests.unit.lakehouse_jobs.samples import clean_tweet
from topics.catalogue import STREAMS
from topics.contract import Duplicate, Known, Partial, Rejected
from topics.tweets import HASHTAGS_BY_HOUR, VOLUME_BY_REGION

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
KNOWN = routes.all_routes()


def records(*rows: tuple[str, int, int, Any]) -> pa.Table:
    """A micro-batch as Spark hands it over: (topic, partition, offset, value)."""
    values = [v if isinstance(v, bytes) else msgspec.json.encode(v) for *_, v in rows]
    return pa.table({
        "topic": [r[0] for r in rows],
        "partition": pa.array([r[1] for r in rows], pa.int32()),
        "offset": pa.array([r[2] for r in rows], pa.int64()),
        "timestamp": pa.array([NOW] * len(rows), pa.timestamp("us", tz="UTC")),
        "key": pa.array([b"k"] * len(rows), pa.binary()),
        "value": pa.array(values, pa.binary()),
        "headers": pa.array([[("schema", b"7")], *[None] * (len(rows) - 1)], pa.map_(pa.string(), pa.binary())),
    })  # fmt: skip


def test_every_topic_but_the_processors_own_and_rankings_and_gauges_has_a_table() -> None:
    kept = {t.name for s in STREAMS for t in s.topics if t.value not in (Partial, Known)}
    rankings = {r.topic for s in STREAMS for r in s.rankings}
    assert set(KNOWN) == kept - rankings - {g.topic for s in STREAMS for g in s.gauges}


def test_a_table_is_fed_by_one_query() -> None:
    """Two queries that commit to one table would move its fence behind each other's back."""
    archive = {r.table for r in KNOWN.values() if r.archive}
    live = {r.table for r in KNOWN.values() if not r.archive}
    assert not archive & live
    assert {"bronze.tweets", "silver.duplicates", "silver.quarantine"} <= archive
    assert {"silver.tweets", "gold.kpi_log"} <= live


def test_bronze_keeps_bytes_headers_and_position() -> None:
    rows = routes.split(records(("tweets.raw", 2, 7, b"not json")), KNOWN, NOW)["bronze.tweets"]
    assert rows.data.to_pylist() == [
        {
            "partition": 2,
            "offset": 7,
            "key": b"k",
            "value": b"not json",
            "headers": [("schema", b"7")],
            "appended_at": NOW,
            "ingested_at": NOW,
        }
    ]
    assert (rows.logs, rows.positions) == (["tweets.raw/2"], [7])


def test_clean_records_stand_at_their_raw_position() -> None:
    tweet = clean_tweet(raw_partition=1, raw_offset=41)
    rows = routes.split(records(("tweets.clean", 1, 3, tweet)), KNOWN, NOW)["silver.tweets"]
    assert (rows.logs, rows.positions) == (["tweets.clean/1"], [41])
    assert rows.data.to_pylist() == [msgspec.structs.asdict(tweet)]


def test_rejections_carry_their_bytes_and_stream() -> None:
    rejected = Rejected(
        raw_partition=0,
        raw_offset=5,
        ingested_at=NOW,
        reason="bad_json",
        detail="d",
        key=None,
        value=b"\x00\xff",
        headers={"a": "b"},
    )
    row = routes.split(records(("tweets.rejected", 0, 0, rejected)), KNOWN, NOW)["silver.quarantine"].data.to_pylist()[
        0
    ]
    assert (row["stream"], row["key"], row["value"], row["headers"]) == ("tweets", None, b"\x00\xff", [("a", "b")])


def test_a_duplicate_may_have_lost_its_first_offset() -> None:
    duplicate = Duplicate(raw_partition=0, raw_offset=5, ingested_at=NOW, event_id="e", first_offset=None)
    row = routes.split(records(("tweets.duplicates", 0, 0, duplicate)), KNOWN, NOW)[
        "silver.duplicates"
    ].data.to_pylist()[0]
    assert (row["stream"], row["first_offset"]) == ("tweets", None)


def test_kpis_of_all_topics_share_one_log() -> None:
    window = {"window_start_at": NOW, "window_end_at": NOW, "as_of": {"0": 9}, "revision": 3, "final": False}
    volume = {"region": "USA", **window, "tweets": 2, "engagement": 5, "users": 1}
    hashtag = {"hashtag": "sun", **window, "tweets": 2, "engagement": 5}
    batch = records((VOLUME_BY_REGION.topic, 0, 4, volume), (HASHTAGS_BY_HOUR.topic, 1, 6, hashtag))
    rows = routes.split(batch, KNOWN, NOW)["gold.kpi_log"]
    by_kpi = {r["kpi"]: r for r in rows.data.to_pylist()}
    assert by_kpi[VOLUME_BY_REGION.topic]["dimensions"] == [("region", "USA")]
    assert by_kpi[VOLUME_BY_REGION.topic]["measures"] == [("tweets", 2.0), ("engagement", 5.0), ("users", 1.0)]
    assert by_kpi[HASHTAGS_BY_HOUR.topic]["as_of"] == [("0", 9)]
    assert set(zip(rows.logs, rows.positions, strict=True)) == {
        (f"{VOLUME_BY_REGION.topic}/0", 4),
        (f"{HASHTAGS_BY_HOUR.topic}/1", 6),
    }


def test_of_one_batch_the_log_keeps_the_newest_revision_of_each_cell() -> None:
    """Also where an older one comes after it, from a worker that has lost its partitions."""
    state = {
        "window_start_at": NOW,
        "window_end_at": NOW,
        "as_of": {"0": 9},
        "final": False,
        "engagement": 5,
        "users": 1,
    }
    sent = [
        (4, b"usa", "USA", 1),
        (5, b"deu", "DEU", 7),
        (6, b"usa", "USA", 3),
        (7, b"deu", "DEU", 2),
        (8, b"usa", "USA", 5),
    ]
    values = [{"region": region, "revision": revision, "tweets": revision, **state} for *_, region, revision in sent]
    batch = records(*((VOLUME_BY_REGION.topic, 0, at, v) for (at, *_), v in zip(sent, values, strict=True)))
    batch = batch.set_column(batch.schema.get_field_index("key"), "key", pa.array([key for _, key, *_ in sent]))
    rows = routes.split(batch, KNOWN, NOW)["gold.kpi_log"]
    assert rows.data["revision"].to_pylist() == [7, 5]
    assert rows.positions == rows.data["kpi_offset"].to_pylist() == [5, 8]


def test_rows_come_in_log_order_however_spark_hands_them_over() -> None:
    batch = records(*(("tweets.clean", 0, o, clean_tweet(raw_partition=0, raw_offset=o)) for o in (3, 1, 2)))
    assert routes.split(batch, KNOWN, NOW)["silver.tweets"].positions == [1, 2, 3]


def test_a_record_that_breaks_its_contract_is_named() -> None:
    broken = json.dumps({"event_id": 7}).encode()
    batch = records(("tweets.clean", 0, 1, clean_tweet(raw_partition=0, raw_offset=1)), ("tweets.clean", 0, 8, broken))
    with pytest.raises(LakeError, match=r"tweets\.clean, partition 0, offset 8"):
        routes.split(batch, KNOWN, NOW)

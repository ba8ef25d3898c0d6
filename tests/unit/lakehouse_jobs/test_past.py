"""Which snapshot was in force at a moment, and tables set back to one: on real Iceberg tables in a folder."""

from __future__ import annotations

import datetime as dt
import pathlib

import pyarrow as pa
import pytest
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata

from lakehouse_jobs import cut, fences, past, past_side
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.schema import arrow
from lakehouse_jobs.tables import bronze, silver
from tests.unit.lakehouse_jobs.frames import table as rows_of
from tests.unit.lakehouse_jobs.samples import clean_tweet
from topics.animeverse.pos import POS
from topics.contract import ORDINALS
from topics.tweets import TWEETS


@pytest.fixture
def catalog(tmp_path: pathlib.Path) -> Catalog:
    held = SqlCatalog("lake", uri=f"sqlite:///{tmp_path}/catalogue.db", warehouse=tmp_path.as_uri())
    held.create_namespace("silver")
    return held


@pytest.fixture
def tweets(catalog: Catalog) -> Table:
    """Three commits of a row of each of two partitions, with their fences."""
    spec = silver(TWEETS)
    table = catalog.create_table(spec.name, spec.schema, partition_spec=spec.partition_spec)
    for offset in range(3):
        append(table, offset)
    return table


def append(table: Table, offset: int) -> None:
    events = [clean_tweet(raw_partition=p, raw_offset=offset) for p in (0, 1)]
    fence = fences.dump({f"{TWEETS.clean.name}/{p}": offset for p in (0, 1)})
    table.append(
        rows_of(type(events[0]), events).cast(arrow(silver(TWEETS).schema)), snapshot_properties={fences.FENCE: fence}
    )


def moments(metadata: TableMetadata) -> list[dt.datetime]:
    return [dt.datetime.fromtimestamp(e.timestamp_ms / 1000, dt.UTC) for e in metadata.snapshot_log]


def places(table: Table) -> list[tuple[int, int]]:
    found: pa.Table = table.scan(selected_fields=("raw_partition", "raw_offset")).to_arrow()
    return sorted(zip(found["raw_partition"].to_pylist(), found["raw_offset"].to_pylist(), strict=True))


def test_in_force_is_the_last_snapshot_not_after_the_moment(tweets: Table) -> None:
    first, second, third = moments(tweets.metadata)
    ids = [s.snapshot_id for s in tweets.metadata.snapshots]
    tick = dt.timedelta(milliseconds=1)
    assert past.in_force(tweets.metadata, first - tick) == []
    assert [s.snapshot_id for s in past.in_force(tweets.metadata, second)] == ids[1::-1]
    assert [s.snapshot_id for s in past.in_force(tweets.metadata, third - tick)] == ids[1::-1] or third == second
    assert past.in_force(tweets.metadata, third)[0].snapshot_id == ids[2]


def test_what_has_expired_is_not_taken_for_empty(tweets: Table) -> None:
    first = tweets.metadata.snapshots[0].snapshot_id
    before = moments(tweets.metadata)[0]
    tweets.maintenance.expire_snapshots().by_id(first).commit()
    with pytest.raises(LakeError, match="too long ago") as refused:
        past.in_force(tweets.metadata, before)
    assert "silver.tweets" in refused.value.detail
    assert "snapshots_kept_s" in refused.value.hint


def test_a_table_set_back_has_only_what_was_there(tweets: Table, catalog: Catalog) -> None:
    second = tweets.metadata.snapshots[1]
    back = set_back(tweets, second.snapshot_id, catalog)
    assert places(back) == [(p, o) for p in (0, 1) for o in (0, 1)]
    assert fences.read(back) == {f"{TWEETS.clean.name}/{p}": 1 for p in (0, 1)}
    assert back.metadata.snapshots == tweets.metadata.snapshots[:2]
    append(back, 2)  # it can be written to
    assert places(back) == places(tweets)


def test_rows_beyond_the_cut_are_taken_out_and_the_fence_says_so(tweets: Table) -> None:
    limit = cut.limits([TWEETS], {f"{TWEETS.raw.name}/0": 0, f"{TWEETS.raw.name}/1": 2})
    past_side.take_out("silver.tweets", tweets, limit)
    assert places(tweets) == [(0, 0), (1, 0), (1, 1), (1, 2)]
    assert fences.read(tweets) == {f"{TWEETS.clean.name}/0": 0, f"{TWEETS.clean.name}/1": 2}
    snapshots = len(tweets.metadata.snapshots)
    past_side.take_out("silver.tweets", tweets, limit)
    assert len(tweets.metadata.snapshots) == snapshots  # nothing left to do, nothing committed


def test_revisions_are_cut_by_their_cause(catalog: Catalog) -> None:
    spec = silver(POS)
    table = catalog.create_table("silver.revisions", spec.schema)
    rows = past_side._rows(spec.name, f"{POS.clean.name}/1", 7 * ORDINALS + ORDINALS - 1)
    assert rows == "(raw_partition = 1 and cause_offset > 7)"
    assert table.scan(row_filter=rows).to_arrow().num_rows == 0  # Iceberg can read it
    assert past_side._rows(bronze(POS).name, f"{POS.raw.name}/1", 7) == "(partition = 1 and offset > 7)"


def set_back(table: Table, snapshot_id: int, catalog: Catalog) -> Table:
    """A second table of the catalogue with the metadata as it was at a snapshot."""
    metadata = past_side.rewound(table.metadata, table.metadata.snapshot_by_id(snapshot_id))
    path = f"{table.location()}/metadata/back.metadata.json"
    with table.io.new_output(path).create() as out:
        out.write(metadata.model_dump_json().encode())
    return catalog.register_table("silver.back", path)

"""Writers of one table on a real catalogue (SQLite): each record once, and each file replaced once, whoever comes first."""

from __future__ import annotations

import multiprocessing
import pathlib
import threading

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from lakehouse_jobs import background, fences, lake
from lakehouse_jobs.problem import LakeError
from lakehouse_jobs.routes import Rows
from lakehouse_jobs.writer import FencedTable

SCHEMA = pa.schema([pa.field("n", pa.int64())])


@pytest.fixture
def name(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table with four small files, of the positions 0 to 7 of one log."""
    uri = f"sqlite:///{tmp_path}/catalog.db"
    catalog = SqlCatalog("lake", uri=uri, warehouse=tmp_path.as_uri())
    catalog.create_namespace("bronze")
    catalog.create_table("bronze.t", SCHEMA)
    monkeypatch.setattr(lake, "catalog", lambda: catalog)
    table = FencedTable("bronze.t")
    for start in (0, 2, 4, 6):
        table.append(rows(start, start + 2))
    return "bronze.t"


def rows(start: int, end: int) -> Rows:
    positions = list(range(start, end))
    return Rows(pa.table({"n": positions}, SCHEMA), ["log/0"] * len(positions), positions)


def merged(table: FencedTable) -> tuple[list, list]:
    """The files of a table as it is now, and one that holds their rows."""
    from pyiceberg.io.pyarrow import _dataframe_to_data_files  # noqa: PLC0415 - as compaction does

    fresh = table.fresh()
    old = [t.file for t in fresh.scan().plan_files()]
    return old, list(_dataframe_to_data_files(fresh.metadata, fresh.scan().to_arrow(), fresh.io))


def numbers() -> list[int]:
    return sorted(lake.catalog().load_table("bronze.t").scan().to_arrow()["n"].to_pylist())


def test_what_two_writers_append_is_there_once(name: str) -> None:
    one, other = FencedTable(name), FencedTable(name)
    assert one.append(rows(6, 12)) == 4
    assert other.append(rows(6, 14)) == 2
    assert numbers() == list(range(14))
    assert fences.read(lake.catalog().load_table(name)) == {"log/0": 13}


def test_files_that_another_writer_has_merged_are_not_merged_again(name: str) -> None:
    one, other = FencedTable(name), FencedTable(name)
    first, second = merged(one), merged(other)
    one.replace(*first)
    other.replace(*second)
    assert numbers() == list(range(8))
    assert one.append(rows(0, 10)) == 2
    assert numbers() == list(range(10))


def test_merged_files_are_committed_by_the_sink_or_the_error_comes_back(name: str) -> None:
    ours, its = multiprocessing.Pipe()
    serving = threading.Thread(target=background._commit, args=(ours, {name: FencedTable(name)}), daemon=True)
    serving.start()
    merging = background.MergedTable(name, its)
    assert merging.replace(*merged(merging)) is True
    assert numbers() == list(range(8))
    assert len(list(merging.fresh().scan().plan_files())) == 1
    stranger = background.MergedTable(name, its)
    stranger.name = "bronze.other"
    with pytest.raises(LakeError, match=r"bronze\.other were not committed"):
        stranger.replace([], [])
    its.close()
    serving.join(30)
    assert not serving.is_alive()

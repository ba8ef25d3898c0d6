"""Reference data through files: CSV, JSON lines and Parquet give back what was written, also replayed by hand."""

import json

import msgspec
import pytest

from producers import reference_files
from producers.animeverse.world import World
from producers.reference_files import Files
from producers.replay import prepare
from producers.worlds import Batch
from tests.unit.producers.animeverse.outputs import HOUR, NO_FAULTS, START

BATCHES = {b.stream.prefix: b for b in World(7, NO_FAULTS).begin(START, None)[0]}


def values(batch: Batch, files: Files) -> list[bytes]:
    return [value for events, _ in files.publish(batch) for _, _, value in events]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("stream", sorted(BATCHES))
def test_every_format_gives_back_every_field(tmp_path, stream, kind) -> None:
    batch = BATCHES[stream]._replace(format=kind, versions=BATCHES[stream].versions[:200])
    got = [msgspec.json.decode(v, type=batch.stream.event) for v in values(batch, Files(tmp_path))]
    assert got == batch.versions


def test_the_streams_come_in_three_formats(tmp_path) -> None:
    files = Files(tmp_path)
    suffixes = {name.split(".")[1]: files.write(batch).suffix for name, batch in BATCHES.items()}
    assert suffixes == {
        "products": ".csv", "customers": ".jsonl", "stores": ".jsonl", "titles": ".parquet", "screenings": ".parquet",
    }  # fmt: skip


def test_a_file_can_be_replayed_by_hand(tmp_path) -> None:
    batch = BATCHES["animeverse.products"]
    path = Files(tmp_path).write(batch)
    table, translator = prepare(batch.stream, path, None, None)
    records = [translator.record(row) for row in table.rows]
    assert all(r.fits for r in records)
    assert [r.key.decode() for r in records] == [v.product_id for v in batch.versions]
    assert records[0].at == batch.versions[0].valid_from.timestamp()


def test_records_say_where_they_stood(tmp_path) -> None:
    batch = BATCHES["animeverse.stores"]
    headers = [dict(h) for _, h in Files(tmp_path).publish(batch)]
    assert [h["source_line"] for h in headers] == [b"%d" % n for n in range(1, len(batch.versions) + 1)]
    assert {h["source_file"] for h in headers} == {next(tmp_path.glob("*.jsonl")).name.encode()}


def test_a_cell_of_text_becomes_what_the_contract_says(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "title_id,name,studio,genres,score,minutes,valid_from,note\nt1,A,B,drama; sports,7.5,,2026-01-01,x\n"
    )
    table, translator = prepare(BATCHES["animeverse.titles"].stream, path, None, None)
    (record,) = [translator.record(row) for row in table.rows]
    title = json.loads(record.value)
    assert title["genres"] == ["drama", "sports"]
    assert (title["score"], title["minutes"], title["valid_from"]) == (7.5, 100, "2026-01-01T00:00:00Z")


def test_the_newest_file_says_when_and_old_changes_are_forgotten(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(reference_files, "FILES_KEPT", 3)
    files = Files(tmp_path)
    assert files.newest() is None
    batch = BATCHES["animeverse.stores"]._replace(versions=BATCHES["animeverse.stores"].versions[:1])
    values(batch, files)
    for n in range(1, 6):
        values(batch._replace(kind="changes", at=START + n * HOUR + 0.25), files)
    assert files.newest() == START + 5 * HOUR + 0.25
    assert len([*tmp_path.glob("changes-*")]) == 3
    assert len([*tmp_path.glob("initial-*")]) == 1

"""Reference data as files: each batch of versions is written as one, and sent from it as `riverhouse replay` would.

    versions ─▶ initial-products-20261121T101500000Z.csv, changes-… ─▶ rows ─▶ events on animeverse.products.raw

The names say when: a producer that starts again sends what has changed since the newest file. Of the files of changes of
one kind only the newest FILES_KEPT stay.
"""

from __future__ import annotations

import csv
import datetime as dt
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from producers.mapping import SEPARATOR
from producers.replay import prepare
from producers.worlds import Batch, Sending
from topics.contract import Reference

FILES_KEPT = 500
STAMP = "%Y%m%dT%H%M%S"


class Files:
    """A folder of reference data."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def publish(self, batch: Batch) -> Iterator[Sending]:
        """Write a batch as a file; its rows as events, each with the headers that say where it stood."""
        path = self.write(batch)
        table, translator = prepare(batch.stream, path, None, None)
        for row in table.rows:
            record = translator.record(row)
            yield [(translator.topic, record.key, record.value)], record.headers
        if batch.kind == "changes":
            self._forget_old(_name(batch.stream), path.suffix)

    def write(self, batch: Batch) -> pathlib.Path:
        path = self._folder / f"{batch.kind}-{_name(batch.stream)}-{_stamp(batch.at)}.{batch.format}"
        draft = path.with_suffix(".draft")
        _WRITERS[batch.format](draft, [msgspec.structs.asdict(v) for v in batch.versions])
        draft.replace(path)  # whoever looks at the folder sees whole files only
        return path

    def newest(self) -> float | None:
        """When the newest file was written, seconds since the epoch; None where there is none."""
        stamps = [p.stem.rsplit("-", 1)[-1] for p in self._folder.glob("*-*-*Z.*")]
        return _time(max(stamps)) if stamps else None

    def _forget_old(self, name: str, suffix: str) -> None:
        for path in sorted(self._folder.glob(f"changes-{name}-*{suffix}"))[:-FILES_KEPT]:
            path.unlink()


def _name(stream: Reference) -> str:
    return stream.prefix.rsplit(".", 1)[-1]


def _stamp(at: float) -> str:
    when = dt.datetime.fromtimestamp(at, dt.UTC)
    return f"{when.strftime(STAMP)}{when.microsecond // 1000:03d}Z"


def _time(stamp: str) -> float:
    return dt.datetime.strptime(stamp[:-4], STAMP).replace(tzinfo=dt.UTC).timestamp() + int(stamp[-4:-1]) / 1000


def _cell(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return SEPARATOR.join(value) if isinstance(value, list) else value


def _write_csv(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _write_jsonl(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def _write_parquet(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


_WRITERS: dict[str, Callable[[pathlib.Path, list[dict[str, Any]]], None]] = {
    "csv": _write_csv,
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
}

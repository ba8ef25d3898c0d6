"""What a run of the world sent, as DuckDB sees it: one row for each record, in the order of sending."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterable
from typing import Any

import duckdb

from producers.animeverse.knobs import Knobs
from producers.animeverse.world import World
from producers.faults import Faults, none
from producers.lines import lines
from producers.reference_files import Files
from producers.worlds import Source

START = 1_795_046_400.0  # 2026-11-19, a UTC midnight
HOUR = 3600.0
NO_FAULTS = none(Knobs)


def source(folder: pathlib.Path, knobs: Knobs = NO_FAULTS, seed: int = 7) -> Source:
    return Source(World(seed, knobs), Faults(knobs, seed), Files(folder))


def run(folder: pathlib.Path, knobs: Knobs, count: int, hours: float) -> list[bytes]:
    """The lines of a first run over so many hours from START."""
    events = source(folder, knobs)
    at = events.world.history(START, START + hours * HOUR, count)
    sendings = itertools.chain(events.begin(START), events.sendings(at), events.ending())
    return [*lines(sendings, several_topics=True)]


def table(path: pathlib.Path, sent: Iterable[bytes]) -> duckdb.DuckDBPyConnection:
    """The records as the view `sent` (n, topic, key, v), and `move` and `latest` made of them."""
    path.write_bytes(b"".join(sent))
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute(
        f"""CREATE TABLE sent AS
        SELECT row_number() OVER () AS n, split_part(topic, '.', 2) AS topic, key, try_cast(value AS JSON) AS v
        FROM read_json('{path}', format = 'newline_delimited', columns = {{topic: 'VARCHAR', key: 'VARCHAR', value: 'VARCHAR'}})"""
    )
    db.execute(MOVES)
    return db


MOVES = """CREATE VIEW move AS
    SELECT n, CAST(v->>'at' AS TIMESTAMP) AS happened, v->>'store_id' AS store, line->>'product_id' AS product, false AS counted,
        CAST(line->>'quantity' AS INT) * CASE WHEN (v->>'kind') = 'sale' THEN -1 ELSE 1 END AS quantity
    FROM (SELECT n, v, unnest(CAST(v->'lines' AS JSON[])) AS line FROM sent WHERE topic = 'pos')
    UNION ALL
    SELECT n, CAST(v->>'at' AS TIMESTAMP), v->>'store_id', v->>'product_id', (v->>'kind') = 'count',
        CAST(v->>'quantity' AS INT) * CASE WHEN (v->>'kind') = 'transfer' THEN -1 ELSE 1 END
    FROM sent WHERE topic = 'inventory'
    UNION ALL
    SELECT n, CAST(v->>'at' AS TIMESTAMP), v->>'to_store_id', v->>'product_id', false, CAST(v->>'quantity' AS INT)
    FROM sent WHERE topic = 'inventory' AND (v->>'kind') = 'transfer'"""


def one(db: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The only row of a query; its only value where it has one."""
    row = db.execute(sql).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row

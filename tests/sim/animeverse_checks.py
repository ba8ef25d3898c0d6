"""What must hold of AnimeVerse's topics after any run: ledger, enrichment, KPIs and gauges against the oracle."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb

from tests.sim import animeverse_oracle as oracle
from tests.sim.checks import epoch, newest
from tests.sim.machine import Broker

STREAMS = (*oracle.SOURCES, "stock", "journeys")
Json = dict[str, Any]


def fenced(broker: Broker, topic: str) -> Iterator[Json]:
    """The records of a topic as any reader must take them: what does not advance its partition's fence is dropped."""
    for p in range(broker.partitions):
        fence = (-1, 0)
        for r in broker.logs[topic, p]:
            value = json.loads(r.value or b"")
            position = value.get("cause_offset", value["raw_offset"]), value.get("cause_ordinal", 0)
            if position > fence:
                fence = position
                yield value


def clean(broker: Broker, stream: str) -> list[Json]:
    """The clean events of a stream as they are in force."""
    found: dict[tuple[int, int], Json] = {}
    for v in fenced(broker, f"animeverse.{stream}.clean"):
        found[v["raw_partition"], v["raw_offset"]] = v
    return list(found.values())


def logs_of(broker: Broker) -> dict[str, list]:
    topics = [f"animeverse.{s}.raw" for s in STREAMS]
    return {t: [broker.logs[t, p] for p in range(broker.partitions)] for t in topics}


def millis(at: str | None) -> int | None:
    return None if at is None else round(dt.datetime.fromisoformat(at).timestamp() * 1000)


def check_all(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    """Everything that must hold after any run; `db` is the oracle's answer to the raw logs."""
    for check in (check_ledger, check_derived, check_versions, check_kpis, check_gauges):
        check(broker, db)


def check_ledger(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    """Each raw offset has exactly one fate; of the facts, the right one."""
    for stream in STREAMS:
        topic = f"animeverse.{stream}"
        fates = Counter(
            (p, r.offset) for p in range(broker.partitions) for r in broker.logs[f"{topic}.raw", p] if r.headers
        )
        ends = [v for v in fenced(broker, f"{topic}.clean") if not v.get("revision")]
        for fate in (ends, fenced(broker, f"{topic}.duplicates"), fenced(broker, f"{topic}.rejected")):
            fates.update((v["raw_partition"], v["raw_offset"]) for v in fate)
        raw = {(p, r.offset): 1 for p in range(broker.partitions) for r in broker.logs[f"{topic}.raw", p]}
        assert fates == raw, stream
        if stream in {"pos", "cinema", "inventory", "reviews"}:
            assert {(v["raw_partition"], v["raw_offset"]) for v in ends} == oracle.answer(
                db, f"select p, o from {stream}"
            )


def check_derived(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    """Every movement and every step is there once."""
    moves = Counter((v["item"], millis(v["event_at"]), v["quantity"]) for v in clean(broker, "stock"))
    assert moves == Counter(db.execute("select item, ms, q from moves").fetchall())
    steps = Counter((v["customer_id"], millis(v["event_at"]), v["amount_cents"]) for v in clean(broker, "journeys"))
    assert steps == Counter(db.execute("select customer, ms, cents from steps").fetchall())


def check_versions(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    """Each event names the versions of its time, whenever they arrived."""
    lines = [
        (line["product_id"], v["event_at"], line["product_valid_from"])
        for v in clean(broker, "pos")
        for line in v["lines"]
    ]
    moves = [(v["product_id"], v["event_at"], v["product_valid_from"]) for v in clean(broker, "stock")]
    named = {
        "products": lines + moves,
        "stores": [(v["store_id"], v["event_at"], v["store_valid_from"]) for v in clean(broker, "pos")],
        "screenings": [(v["screening_id"], v["event_at"], v["screening_valid_from"]) for v in clean(broker, "cinema")],
        "titles": [(v["title_id"], v["event_at"], v["title_valid_from"]) for v in clean(broker, "cinema")],
        "customers": [
            (v["customer_id"], v["event_at"], v["customer_valid_from"])
            for v in (*clean(broker, "pos"), *clean(broker, "cinema"))
        ],
    }
    reviews = clean(broker, "reviews")
    for kind, s in (("product", "products"), ("film", "titles")):
        named[s] += [
            (v["subject_id"], v["event_at"], v["subject_valid_from"]) for v in reviews if v["subject_kind"] == kind
        ]
    db.execute("create or replace table named (s text, id text, ms bigint, from_ms bigint)")
    rows = [(s, i, millis(at), millis(since)) for s, all_of in named.items() for i, at, since in all_of]
    db.executemany("insert into named values (?, ?, ?, ?)", rows)
    wrong = """select n.* from named n asof left join versions v on v.s = n.s and v.id = n.id and v.from_ms <= n.ms
               where v.from_ms is distinct from n.from_ms"""
    assert db.execute(wrong).fetchall() == []


def check_kpis(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    check_sales(broker, db)
    names = ("screening_id", "title_id", "store_id", "tickets", "seats", "ticket_cents", "concession_cents")
    want = {row for row in oracle.answer(db, oracle.SCREENINGS) if any(row[4:])}
    until = db.execute("select max(ms) // 1000 - 5 - 48 * 3600 - 3600 from cinema").fetchone()
    got = {c for c in cells(broker, "screenings_by_hour", names) if any(c[4:]) and until and c[0] > (until[0] or 0)}
    assert got == want
    ratings = cells(broker, "rating_by_day", ("subject_kind", "subject_id", "reviews", "mean_stars"))
    assert {(*c[:4], round(c[4], 9)) for c in ratings} == oracle.answer(db, oracle.RATINGS)
    visits = cells(broker, "conversion_by_day", ("visits", "converted"))
    assert {c for c in visits if any(c[1:])} == oracle.answer(db, oracle.VISITS)
    sessions = cells(broker, "sessions_by_hour", ("sessions", "steps", "spent_cents", "mean_seconds"))
    assert {(*c[:4], round(c[4], 6)) for c in sessions if c[1]} == oracle.answer(db, oracle.SESSIONS_BY_HOUR)


def check_sales(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    names = ("channel", "store_id", "orders", "returns", "items", "revenue_cents", "margin_cents")
    want = oracle.answer(db, oracle.SALES_BY_MINUTE)
    final = {
        row[:3] for row in want if row[-1] is None
    }  # closed in the end: what a late version did there is left open
    got = cells(broker, "sales_by_minute", names)
    assert {(*c[:-1], None if c[:3] in final else c[-1]) for c in got} == want
    names = ("channel", "store_id", "category", "lines", "orders", "items", "revenue_cents", "margin_cents")
    by_category = {c for c in cells(broker, "sales_by_category", names) if any(c[4:]) and c[:3] not in final}
    assert by_category == {row for row in oracle.answer(db, oracle.SALES_BY_CATEGORY) if row[:3] not in final}


def cells(broker: Broker, kpi: str, names: tuple[str, ...]) -> set[tuple]:
    """(window start in s, fields…) of each cell's newest value."""
    values = newest(broker, f"animeverse.kpi.{kpi}").values()
    return {(epoch(v["window_start_at"]), *(v[n] for n in names)) for v in values}


def check_gauges(broker: Broker, db: duckdb.DuckDBPyConnection) -> None:
    stock = newest(broker, "animeverse.kpi.stock").values()
    assert {(v["item"], v["on_hand"], v["sold_7_days"]) for v in stock} == oracle.answer(db, oracle.STOCK)
    rating = newest(broker, "animeverse.kpi.rating").values()
    got = {(v["subject_kind"], v["subject_id"], v["reviews"], v["mean_stars"]) for v in rating}
    assert got == oracle.answer(db, oracle.RATING)
    shown = {
        (v["customer_id"], millis(v["session_start_at"]), millis(v["session_end_at"]), v["session_steps"], v["session_spent_cents"])
        for v in newest(broker, "animeverse.kpi.customer_session").values()
    }  # fmt: skip
    sessions = oracle.answer(db, "select customer, start_ms, end_ms, steps, spent from sessions")
    assert shown <= sessions
    assert {s[0] for s in shown} == {s[0] for s in sessions}

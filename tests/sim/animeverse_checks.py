"""What must hold of AnimeVerse's topics after any run: ledger, enrichment, KPIs and gauges against the oracle.

Runs are checked many at a time, as in `checks.py`: every row that is compared begins with its run.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb

from tests.sim import animeverse_oracle as oracle
from tests.sim.checks import Logs, Runs, epoch, load, newest, same

STREAMS = (*oracle.SOURCES, "stock", "journeys")
Json = dict[str, Any]


def fenced(broker: Logs, topic: str) -> Iterator[Json]:
    """The records of a topic as any reader must take them: what does not advance its partition's fence is dropped."""
    for p in range(broker.partitions):
        fence = (-1, 0)
        for r in broker.logs[topic, p]:
            value = load(r.value or b"")
            position = value.get("cause_offset", value["raw_offset"]), value.get("cause_ordinal", 0)
            if position > fence:
                fence = position
                yield value


def clean(broker: Logs, stream: str) -> list[Json]:
    """The clean events of a stream as they are in force."""
    found: dict[tuple[int, int], Json] = {}
    for v in fenced(broker, f"animeverse.{stream}.clean"):
        found[v["raw_partition"], v["raw_offset"]] = v
    return list(found.values())


def logs_of(broker: Logs) -> dict[str, list]:
    topics = [f"animeverse.{s}.raw" for s in STREAMS]
    return {t: [broker.logs[t, p] for p in range(broker.partitions)] for t in topics}


def connect(runs: Runs) -> duckdb.DuckDBPyConnection:
    """The oracle's answer to the raw logs of these runs."""
    return oracle.connect({run: logs_of(broker) for run, broker in runs.items()})


def millis(at: str | None) -> int | None:
    return None if at is None else round(dt.datetime.fromisoformat(at).timestamp() * 1000)


def check_all(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    """Everything that must hold after any run; `db` is the oracle's answer to the raw logs."""
    for check in (check_ledger, check_derived, check_versions, check_kpis, check_gauges):
        check(runs, db)


def check_ledger(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    """Each raw offset has exactly one fate; of the facts, the right one."""
    for stream in STREAMS:
        topic = f"animeverse.{stream}"
        fates: Counter[tuple[int, int, int]] = Counter()
        raw, accepted = set(), set()
        for run, broker in runs.items():
            log = [(p, r) for p in range(broker.partitions) for r in broker.logs[f"{topic}.raw", p]]
            raw |= {(run, p, r.offset, 1) for p, r in log}
            fates.update((run, p, r.offset) for p, r in log if r.headers)
            ends = [v for v in fenced(broker, f"{topic}.clean") if not v.get("revision")]
            for fate in (ends, fenced(broker, f"{topic}.duplicates"), fenced(broker, f"{topic}.rejected")):
                fates.update((run, v["raw_partition"], v["raw_offset"]) for v in fate)
            accepted |= {(run, v["raw_partition"], v["raw_offset"]) for v in ends}
        same(f"fates of {stream}", {(*at, n) for at, n in fates.items()}, raw)
        if stream in {"pos", "cinema", "inventory", "reviews"}:
            same(f"accepted {stream}", accepted, oracle.answer(db, f"select p // 8, p % 8, o from {stream}"))


def check_derived(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    """Every movement and every step is there once."""
    for stream, names, sql in (
        ("stock", ("item", "quantity"), "select split_part(item, '~', 1)::int, ms, item, q from moves"),
        ("journeys", ("customer_id", "amount_cents"), "select split_part(customer, '~', 1)::int, ms, customer, cents from steps"),
    ):  # fmt: skip
        got = Counter(
            (run, millis(v["event_at"]), *(v[n] for n in names)) for run, b in runs.items() for v in clean(b, stream)
        )
        want = Counter(db.execute(sql).fetchall())
        same(stream, {(*row, n) for row, n in got.items()}, {(*row, n) for row, n in want.items()})


def versions(broker: Logs) -> Iterator[tuple[str, str, str, str | None]]:
    """(reference, entity, event time, the `valid_from` that the event names)."""
    for v in clean(broker, "pos"):
        for line in v["lines"]:
            yield "products", line["product_id"], v["event_at"], line["product_valid_from"]
        yield "stores", v["store_id"], v["event_at"], v["store_valid_from"]
        yield "customers", v["customer_id"], v["event_at"], v["customer_valid_from"]
    for v in clean(broker, "stock"):
        yield "products", v["product_id"], v["event_at"], v["product_valid_from"]
    for v in clean(broker, "cinema"):
        yield "screenings", v["screening_id"], v["event_at"], v["screening_valid_from"]
        yield "titles", v["title_id"], v["event_at"], v["title_valid_from"]
        yield "customers", v["customer_id"], v["event_at"], v["customer_valid_from"]
    for v in clean(broker, "reviews"):
        reference = {"product": "products", "film": "titles"}[v["subject_kind"]]
        yield reference, v["subject_id"], v["event_at"], v["subject_valid_from"]


def check_versions(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    """Each event names the versions of its time, whenever they arrived."""
    named = [(run, s, i, millis(at), millis(since)) for run, b in runs.items() for s, i, at, since in versions(b)]
    db.register("named", oracle.table(named, "run s id ms from_ms"))
    wrong = """select n.* from named n asof left join versions v on v.s = n.s and v.id = n.id and v.from_ms <= n.ms
               where v.from_ms is distinct from n.from_ms"""
    same("events with versions of another time", db.execute(wrong).fetchall(), ())


def check_kpis(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    check_sales(runs, db)
    names = ("screening_id", "title_id", "store_id", "tickets", "seats", "ticket_cents", "concession_cents")
    want = {row for row in oracle.answer(db, oracle.SCREENINGS) if any(row[5:])}
    until = dict(db.execute("select p // 8, max(ms) // 1000 - 5 - 48 * 3600 - 3600 from cinema group by 1").fetchall())
    got = {c for c in cells(runs, "screenings_by_hour", names) if any(c[5:]) and c[1] > until.get(c[0], 0)}
    same("screenings_by_hour", got, want)
    ratings = cells(runs, "rating_by_day", ("subject_kind", "subject_id", "reviews", "mean_stars"))
    same("rating_by_day", {(*c[:5], round(c[5], 9)) for c in ratings}, oracle.answer(db, oracle.RATINGS))
    visits = cells(runs, "conversion_by_day", ("visits", "converted"))
    same("conversion_by_day", {c for c in visits if any(c[2:])}, oracle.answer(db, oracle.VISITS))
    sessions = cells(runs, "sessions_by_hour", ("sessions", "steps", "spent_cents", "mean_seconds"))
    shown = {(*c[:5], round(c[5], 6)) for c in sessions if c[2]}
    same("sessions_by_hour", shown, oracle.answer(db, oracle.SESSIONS_BY_HOUR))


def check_sales(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    names = ("channel", "store_id", "orders", "returns", "items", "revenue_cents", "margin_cents")
    want = oracle.answer(db, oracle.SALES_BY_MINUTE)
    final = {
        row[:4] for row in want if row[-1] is None
    }  # closed in the end: what a late version did there is left open
    got = cells(runs, "sales_by_minute", names)
    same("sales_by_minute", {(*c[:-1], None if c[:4] in final else c[-1]) for c in got}, want)
    names = ("channel", "store_id", "category", "lines", "orders", "items", "revenue_cents", "margin_cents")
    by_category = {c for c in cells(runs, "sales_by_category", names) if any(c[5:]) and c[:4] not in final}
    want = {row for row in oracle.answer(db, oracle.SALES_BY_CATEGORY) if row[:4] not in final}
    same("sales_by_category", by_category, want)


def cells(runs: Runs, kpi: str, names: tuple[str, ...]) -> set[tuple]:
    """(run, window start in s, fields…) of each cell's newest value."""
    return {
        (run, epoch(v["window_start_at"]), *(v[n] for n in names))
        for run, broker in runs.items()
        for v in newest(broker, f"animeverse.kpi.{kpi}").values()
    }


def shown(runs: Runs, gauge: str, *names: str) -> set[tuple]:
    """(run, fields…) of each key's newest value; moments as milliseconds."""
    return {
        (run, *(millis(v[n]) if n.endswith("_at") else v[n] for n in names))
        for run, broker in runs.items()
        for v in newest(broker, f"animeverse.kpi.{gauge}").values()
    }


def check_gauges(runs: Runs, db: duckdb.DuckDBPyConnection) -> None:
    same("stock", shown(runs, "stock", "item", "on_hand", "sold_7_days"), oracle.answer(db, oracle.STOCK))
    rating = shown(runs, "rating", "subject_kind", "subject_id", "reviews", "mean_stars")
    same("rating", rating, oracle.answer(db, oracle.RATING))
    names = ("customer_id", "session_start_at", "session_end_at", "session_steps", "session_spent_cents")
    got = shown(runs, "customer_session", *names)
    sessions = oracle.answer(
        db, "select split_part(customer, '~', 1)::int, customer, start_ms, end_ms, steps, spent from sessions"
    )
    same("customer_session", got - sessions, ())
    same("customers with a session", {s[:2] for s in got}, {s[:2] for s in sessions})

"""Random rows of the tables that the periodic tables are made from, over some weeks around the turn of a year."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pyarrow as pa

from tests.unit.lakehouse_jobs.animeverse.engines import Tables

START = dt.datetime(2026, 12, 10, tzinfo=dt.UTC)
DAYS = 40
FOR_EVER = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
TIME = pa.timestamp("us", tz="UTC")
PRODUCTS = [f"p{i}" for i in range(6)]
STORES = ["s1", "s2", "online"]
TITLES = ["t1", "t2", "unknown", ""]
CUSTOMERS = ["", *(f"c{i}" for i in range(12))]


def world(seed: int) -> Tables:
    """Every source table, small."""
    chance = random.Random(seed)
    return Tables(
        fact_sales=table(sales(chance)),
        rating_by_day=table(ratings(chance)),
        fact_inventory_snapshot=table(snapshots(chance)),
        dim_product=table(versions(chance, "product_id", [*PRODUCTS[:-1], "unknown"], product)),
        dim_customer=table(versions(chance, "customer_id", CUSTOMERS[1:-2], lambda c: {"country": c.choice(["DEU", "JPN"])})),
        dim_title=table(versions(chance, "title_id", ["t1"], lambda c: {"name": c.choice(["Aki", "Haru"])})),
        cinema=table(admissions(chance)),
    )  # fmt: skip


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as Arrow; all times in UTC."""
    found = pa.Table.from_pylist(rows)
    fields = [f.with_type(TIME) if pa.types.is_timestamp(f.type) else f for f in found.schema]
    return found.cast(pa.schema(fields))


def moment(chance: random.Random, days: float = DAYS) -> dt.datetime:
    return START + dt.timedelta(seconds=chance.randrange(int(days * 86_400)), microseconds=chance.randrange(10**6))


def sales(chance: random.Random, receipts: int = 150) -> list[dict[str, Any]]:
    """Receipts of up to three lines, every eighth a return; line numbers may start anywhere."""
    rows: list[dict[str, Any]] = []
    for i in range(receipts):
        kind = "return" if i % 8 == 7 else "sale"
        at, customer, store = moment(chance), chance.choice(CUSTOMERS), chance.choice(STORES)
        first = chance.choice([1, 1, 3])
        shared = {
            "receipt_id": f"r{i}", "kind": kind, "sold_at": at, "window_start_at": at.replace(minute=0, second=0, microsecond=0),
            "store_id": store, "channel": "online" if store == "online" else "store", "customer_id": customer,
            "late_by_seconds": chance.choice([0.0, 0.0, 3600.0, 172_800.0, 172_800.001, 300_000.0]),
        }  # fmt: skip
        numbers = range(first, first + chance.randint(1, 3))
        rows += [
            shared | {"line_no": n, "orders": int(kind == "sale" and n == first)} | line(chance, kind) for n in numbers
        ]
    chance.shuffle(rows)
    return rows


def line(chance: random.Random, kind: str) -> dict[str, Any]:
    sign = -1 if kind == "return" else 1
    quantity, price, cost = chance.randint(1, 4), chance.randint(100, 9_000), chance.randint(50, 6_000)
    gross, discount = quantity * price, chance.choice([0, 0, chance.randint(0, 100)])
    return {
        "product_id": chance.choice(PRODUCTS), "title_id": chance.choice(TITLES), "category": chance.choice(["manga", "music", "unknown"]),
        "quantity": sign * quantity, "gross_cents": sign * gross, "discount_cents": sign * discount,
        "net_cents": sign * (gross - discount), "cost_cents": sign * quantity * cost, "margin_cents": sign * (gross - discount - quantity * cost),
    }  # fmt: skip


def ratings(chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for day in range(DAYS):
        for subject in chance.sample([("product", p) for p in PRODUCTS] + [("film", "t1"), ("film", "p0")], 4):
            stars = [chance.randint(1, 5) for _ in range(chance.randint(1, 7))]
            rows.append({
                "subject_kind": subject[0], "subject_id": subject[1], "window_start_at": START + dt.timedelta(days=day),
                "reviews": len(stars), "mean_stars": sum(stars) / len(stars),
            })  # fmt: skip
    return rows


def snapshots(chance: random.Random) -> list[dict[str, Any]]:
    """Each item every day from its first to the newest day."""
    rows = []
    for store in STORES:
        for product_id in PRODUCTS:
            busy = chance.choice([0, 1, 5])
            for day in range(chance.choice([0, 0, 20, DAYS - 1]), DAYS):
                sold = chance.choice([0, chance.randint(0, 4)]) * busy
                rows.append({
                    "store_id": store, "product_id": product_id, "window_start_at": START + dt.timedelta(days=day),
                    "sold": sold, "closing": chance.choice([-2, 0, 3, chance.randint(0, 200)]),
                })  # fmt: skip
    return rows


def product(chance: random.Random) -> dict[str, Any]:
    return {
        "name": chance.choice(["Poster", "Mug"]), "category": chance.choice(["manga", "music"]), "title_id": chance.choice(TITLES),
        "lead_days": chance.choice([1, 7, 40]),
    }  # fmt: skip


def versions(chance: random.Random, key: str, ids: list[str], attributes: Any) -> list[dict[str, Any]]:
    """One to three intervals of each entity without gap; some begin only after sales were made, one at a midnight."""
    rows = []
    for entity in ids:
        cuts = sorted(
            {
                START + dt.timedelta(days=chance.choice([-30, 3, 11])),
                *(moment(chance) for _ in range(chance.randint(0, 2))),
            }
        )
        for start, end in zip(cuts, [*cuts[1:], FOR_EVER], strict=True):
            rows.append({key: entity, "valid_from": start, "valid_to": end, **attributes(chance)})
    return rows


def admissions(chance: random.Random) -> list[dict[str, Any]]:
    """Tickets and refunds of the cinema, some for films that have not begun."""
    rows = []
    for i in range(120):
        at = moment(chance)
        shared = {
            "title_id": chance.choice(TITLES[:3]), "customer_id": chance.choice(CUSTOMERS), "event_at": at,
            "starts_at": at + dt.timedelta(hours=chance.randint(0, 100)),
        }  # fmt: skip
        rows.append(
            {**shared, "event_id": f"a{i}", "kind": chance.choice(["ticket", "ticket", "concession"]), "ticket_id": ""}
        )
        if i % 9 == 0:
            rows.append({**shared, "event_id": f"b{i}", "kind": "refund", "ticket_id": f"a{i}"})
    return rows
